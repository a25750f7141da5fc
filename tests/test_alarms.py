"""What a BMS warns of becomes words that begin and end, for built-in protocols and databases."""

import struct
from pathlib import Path

import numpy as np
import pytest
from protocol_buses import frames_of as bus_of
from protocol_buses import jk, voltages

from bms_studio.build import Item, build
from bms_studio.derivation import Derivation
from bms_studio.interpret import Request
from bms_studio.pack.corrections import with_sign
from bms_studio.timeline import Timeline
from protocols.alarm_words import alarms_of
from protocols.alarms import MOST_CHANGES, AlarmReader
from protocols.dbc import parse_database
from protocols.frames import EXTENDED, Frames, concatenate, empty_frames
from protocols.registry import available, load
from protocols.roles import Alarm, Mapping
from protocols.signals import Database, Message, Signal
from recordings.layout import RecordingAttributes
from recordings.reader import Recording

SECOND = 1_000_000_000
# protocol, identifier, bytes while all is well, bytes in trouble, what is then said
SAID = {
    "daly": (
        0x18984001,
        "00" * 8,
        "0100000004000000",
        {"Cell voltage high", "Charge MOS sensor failed"},
    ),
    "jk": (0x7F4, "00" * 8, "0800000000000000", {"Cell voltage low"}),
    "jbd": (
        0x102,
        "0000000000000000",
        "0000000000050000",
        {"Cell overvoltage", "Pack overvoltage"},
    ),
    "pylon_lv": (0x359, "0000000004504e", "0200040004504e", {"Overvoltage", "Undervoltage"}),
    "simpbms": (0x35A, "aaaaaa02aaaaaa02", "a6aaaa02aaaaaa02", {"Voltage high"}),
    "scooter": (
        0x3A1,
        "0100000000000000",
        "0300420000000100",
        {"Cell undervoltage", "Short circuit", "Cell overvoltage"},
    ),
    "gbt27930": (
        0x181356F4,
        "1e3606350f0010",
        "1e3606350f0910",
        {"Cell voltage high", "SOC alarm low"},
    ),
    "leaf": (
        0x1DB,
        "eec0c3ea00f7619b",
        "eec5c3ea00f7619b",
        {"BMS asks for caution lamp and main relay off"},
    ),
    "tesla": (0x212, "0000000001000000", "0000000006000000", {"BMS state fault"}),
}


def frames_of(frame_id: int, datas: list[bytes], step_ns: int = SECOND // 10) -> Frames:
    frames = empty_frames(len(datas))
    for k, data in enumerate(datas):
        frames.time[k], frames.id[k], frames.length[k] = SECOND + k * step_ns, frame_id, len(data)
        frames.flags[k] = EXTENDED if frame_id > 0x7FF else 0
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def reader(name: str) -> AlarmReader:
    protocol = load(name)
    return AlarmReader([protocol.database], protocol.mapping)


@pytest.mark.parametrize("name", SAID)
def test_alarms_of_a_protocol_begin_and_end_in_words(name: str) -> None:
    frame_id, well, trouble, expected = SAID[name]
    well_data, trouble_data = bytes.fromhex(well), bytes.fromhex(trouble)
    frames = frames_of(frame_id, [well_data] * 5 + [trouble_data] * 5 + [well_data] * 20)
    changes = reader(name).push(frames)
    assert {c.text for c in changes if c.stands} == expected
    assert {c.time for c in changes if c.stands} == {int(frames.time[5])}
    assert {c.text for c in changes if not c.stands} == expected
    assert {c.time for c in changes if not c.stands} == {int(frames.time[10])}


def test_a_warning_is_no_alarm_and_says_so() -> None:
    daly = reader("daly")
    warning, alarm = (frames_of(0x18984001, [bytes([level]) + bytes(7)]) for level in (1, 2))
    alarm.time[:] += SECOND
    (first,) = daly.push(warning)
    assert (first.severity, str(first)) == ("warning", "BMS warning: Cell voltage high")
    second = daly.push(alarm)
    assert [str(c) for c in second] == [
        "BMS warning over: Cell voltage high",
        "BMS alarm: Cell voltage high",
    ]
    assert daly.standing() == ("Cell voltage high",)


def test_an_alarm_that_flickers_is_one_alarm_wherever_the_stream_is_cut() -> None:
    trouble = [bytes([level]) + bytes(7) for level in (0, 2, 0, 2, 0, 0, 2, *[0] * 30)]
    frames = frames_of(0x18984001, trouble)
    whole = reader("daly").push(frames)
    assert [c.stands for c in whole] == [True, False]
    for step in (1, 3, 7):
        cut = reader("daly")
        parts = [c for at in range(0, len(frames), step) for c in cut.push(frames[at : at + step])]
        assert parts == whole


def test_a_counter_taken_for_an_alarm_fills_nothing() -> None:
    message = Message("M", 1, 8, (Signal("Fault", 0, 8),))
    mapping = Mapping(
        "t", (), alarms=(Alarm("M", "Fault", "Fault", tuple((n, "") for n in range(1, 256))),)
    )
    frames = frames_of(1, [bytes([k % 256]) for k in range(20_000)], 1_000_000)
    changes = AlarmReader([Database("t", (message,))], mapping).push(frames)
    assert len(changes) <= 2 * (MOST_CHANGES + 1)


def test_the_second_pack_names_itself() -> None:
    daly = load("daly")
    assert daly.specialise is not None
    rows = []
    for address in (1, 2):
        for n in range(3):
            cells = struct.pack(">B3HB", n, 3300, 3300, 3300, 0)
            rows.append(frames_of(0x18954000 | address, [cells]))
    rows.append(frames_of(0x18984002, [bytes([2]) + bytes(7)]))
    frames = concatenate(rows)
    learned = daly.specialise(frames)
    assert learned is not None
    database, mapping = learned
    (change,) = AlarmReader([database], mapping).push(frames)
    assert str(change) == "BMS alarm in pack 2: Cell voltage high"


def test_every_alarm_names_a_signal_of_its_protocol() -> None:
    with_alarms = set()
    for name in available():
        protocol = load(name)
        for alarm in protocol.mapping.alarms:
            signal = protocol.database.message(alarm.message).signal(alarm.signal)
            assert alarm.raised
            assert all(0 <= raw < 1 << signal.length for raw, _ in alarm.raised)
            assert "_" not in alarm.text
            with_alarms.add(name)
    assert with_alarms == set(SAID)


def dbc(*signals: str, name: str = "BMS_Status", values: str = "") -> Database:
    body = "\n".join(f" SG_ {s} B" for s in signals)
    return parse_database(
        "t.dbc", f'VERSION ""\nBS_:\nBU_: B\nBO_ 7 {name}: 8 B\n{body}\n{values}\n'
    )


def test_alarms_of_a_database_are_found_by_name_and_choices() -> None:
    database = dbc(
        'BMS_Fault_OverVoltage : 0|1@1+ (1,0) [0|1] ""',
        'Cell_Overtemperature_Warning : 1|1@1+ (1,0) [0|1] ""',
        'BMS_ErrorCode : 8|8@1+ (1,0) [0|255] ""',
        values='VAL_ 7 BMS_ErrorCode 0 "No error" 1 "Cell undervoltage" 2 "Relay stuck" ;',
    )
    found = {a.signal: a for a in alarms_of([database])}
    assert set(found) == {"BMS_Fault_OverVoltage", "Cell_Overtemperature_Warning", "BMS_ErrorCode"}
    assert found["Cell_Overtemperature_Warning"].severity == "warning"
    changes = AlarmReader([database], Mapping("t", (), alarms=tuple(found.values()))).push(
        frames_of(7, [bytes([0, 0]), bytes([1, 2])])
    )
    assert {c.text for c in changes} == {"BMS_Fault_OverVoltage", "BMS_ErrorCode Relay stuck"}


@pytest.mark.parametrize(
    "signal",
    [
        'Fault_Count : 0|1@1+ (1,0) [0|1] ""',
        'Fault_Reset_Cmd : 0|1@1+ (1,0) [0|1] ""',
        'Motor_Fault : 0|1@1+ (1,0) [0|1] ""',
        'BMS_Fault_Word : 0|16@1+ (1,0) [0|1] ""',
        'Fault_Threshold_Voltage : 0|1@1+ (1,0) [0|1] ""',
        'BMS_Error_History : 0|1@1+ (1,0) [0|1] ""',
    ],
)
def test_what_only_looks_like_an_alarm_is_none(signal: str) -> None:
    assert alarms_of([dbc(signal)]) == ()


def test_choices_in_which_nought_is_the_trouble_are_read_as_they_stand() -> None:
    values = 'VAL_ 7 BMS_Fault_Line 0 "Fault" 1 "OK" ;'
    (alarm,) = alarms_of([dbc('BMS_Fault_Line : 0|1@1+ (1,0) [0|1] ""', values=values)])
    assert alarm.raised == ((0, ""),)


# --- from frames to events -------------------------------------------------------------------


def jk_in_trouble() -> Frames:
    """Six seconds of a JK pack whose lowest cell warns from the second to the third."""
    rows = []
    for second in range(6):
        level = 4 if second == 2 else 0
        rows += [*jk(voltages(14)), (0x7F4, False, bytes([level]) + bytes(7))]
    frames = bus_of(rows)
    frames.time[:] = 1_700_000_000 * SECOND + np.arange(len(frames)) * SECOND * 6 // len(frames)
    return frames


def test_a_live_pack_that_warns_says_so_once_and_again_when_all_is_derived_anew() -> None:
    derivation = Derivation(Request(), Timeline())
    frames = jk_in_trouble()
    for at in range(0, len(frames), 3):
        derivation.push(frames[at : at + 3])
    said = [e.text for e in derivation.timeline.events if e.kind == "bms-alarm"]
    assert said == ["BMS warning: Cell voltage low", "BMS warning over: Cell voltage low"]
    derivation.correct(lambda profile: with_sign(profile, "+discharge"))
    assert [e.text for e in derivation.timeline.events if e.kind == "bms-alarm"] == said


def test_a_recording_keeps_what_the_pack_warned_of(tmp_path: Path) -> None:
    target = tmp_path / "a.h5"
    build([Item(frames=jk_in_trouble())], target, RecordingAttributes("live"), Request())
    said = [e.text for e in Recording(target).events() if e.kind == "bms-alarm"]
    assert said == ["BMS warning: Cell voltage low", "BMS warning over: Cell voltage low"]
