"""Cells counted on boards: number of the board and place on it in the payload, or a message each.

The databases here are small ones of the shapes that solar and student racing teams publish.
"""

import numpy as np
import pytest

from protocols.dbc import parse_database
from protocols.decode import compile_mapping, decode
from protocols.encode import encode
from protocols.frames import Frames, empty_frames
from protocols.mapping import map_database
from protocols.roles import Mapping
from protocols.signals import Database

BOARDS, PLACES = 6, 9
HEAD = 'VERSION ""\nBS_:\nBU_: B\n'
IC_AND_GROUP = """BO_ 216 BMS_Detailed_Voltages: 7 B
 SG_ BMS_Voltage_2 : 40|16@1+ (0.001,0) [0|65.535] "V" B
 SG_ BMS_Voltage_1 : 24|16@1+ (0.001,0) [0|65.535] "V" B
 SG_ BMS_Voltage_0 : 8|16@1+ (0.001,0) [0|65.535] "V" B
 SG_ BMS_Group_ID : 4|4@1+ (1,0) [0|15] "" B
 SG_ BMS_IC_ID : 0|4@1+ (1,0) [0|15] "" B
BO_ 215 BMS_Voltages: 8 B
 SG_ BMS_Total_Voltage : 48|16@1+ (0.01,0) [0|655.35] "V" B
 SG_ BMS_Hi_Voltage : 32|16@1+ (0.001,0) [0|65.535] "V" B
"""
START_AND_BOARD = """BO_ 512 VOLTAGES: 8 B
 SG_ voltage2 : 43|16@1+ (0.0001,0) [0|5] "" B
 SG_ voltage1 : 27|16@1+ (0.0001,0) [0|5] "" B
 SG_ voltage0 : 11|16@1+ (0.0001,0) [0|5] "" B
 SG_ start_index : 3|8@1+ (1,0) [0|255] "" B
 SG_ cellboard_id : 0|3@1+ (1,0) [0|7] "" B
CM_ BO_ 512 "Cells' voltages";
"""
MESSAGE_EACH = "".join(
    f"""BO_ {2 + board} BPS_VT{board}_Voltage_Arr: 4 B
 SG_ BPS_Tap_idx : 0|5@1+ (1,0) [0|31] "" B
 SG_ BPS_Voltage_Tap_Data : 8|16@1+ (0.001,0) [0|65.535] "V" B
 SG_ BPS_Voltage_Tap_Fault : 24|8@1+ (1,0) [0|0] "" B
"""
    for board in range(BOARDS)
)


def volts(number: int) -> float:
    return round(3.6 + 0.001 * number, 3)


def bus(database: Database, shape: str, rounds: int, first: int = 0) -> Frames:
    """`rounds` whole rounds of all boards; cell n has `volts(n)`."""
    rows = []
    for _ in range(rounds):
        for board in range(BOARDS):
            step = 1 if shape == "each" else 3
            for place in range(0, PLACES, step):
                mine = {k: volts(board * PLACES + place + k + 1) for k in range(step)}
                if shape == "group":
                    message = database.message("BMS_Detailed_Voltages")
                    values = {f"BMS_Voltage_{k}": v for k, v in mine.items()}
                    values |= {"BMS_IC_ID": board + first, "BMS_Group_ID": place // 3}
                elif shape == "start":
                    message = database.message("VOLTAGES")
                    values = {f"voltage{k}": v for k, v in mine.items()}
                    values |= {"cellboard_id": board + first, "start_index": place}
                else:
                    message = database.message(f"BPS_VT{board}_Voltage_Arr")
                    values = {"BPS_Voltage_Tap_Data": mine[0], "BPS_Tap_idx": place + first}
                rows.append((message.id, encode(message, values)))
    frames = empty_frames(len(rows))
    frames.time[:] = np.arange(len(rows)) * 10_000_000
    for k, (frame_id, data) in enumerate(rows):
        frames.id[k], frames.length[k] = frame_id, len(data)
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def cells(database: Database, mapping: Mapping, frames: Frames) -> dict[int, float]:
    _, index, value = decode(frames, compile_mapping([database], mapping)).group(0)
    return {int(n) + 1: round(float(v), 3) for n, v in zip(index, value, strict=True)}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("text", "shape"),
    [(IC_AND_GROUP, "group"), (START_AND_BOARD, "start"), (MESSAGE_EACH, "each")],
)
def test_boards_become_one_row_of_cells(text: str, shape: str, first: int) -> None:
    database = parse_database("t.dbc", HEAD + text)
    frames = bus(database, shape, 3, first)
    mapping = map_database([database], frames)
    expected = {n: volts(n) for n in range(1, BOARDS * PLACES + 1)}
    assert cells(database, mapping, frames) == expected


@pytest.mark.parametrize(
    ("text", "shape"),
    [(IC_AND_GROUP, "group"), (START_AND_BOARD, "start"), (MESSAGE_EACH, "each")],
)
def test_boards_of_unknown_size_are_no_cells_and_said(text: str, shape: str) -> None:
    database = parse_database("t.dbc", HEAD + text)
    frames = bus(database, shape, 1)
    mapping = map_database([database], frames)
    assert not [b for b in mapping.bindings if b.role.kind == "cell"]
    assert any("not yet often enough" in note for note in mapping.notes)


def test_the_total_is_no_cell_and_a_cell_is_not_the_pack() -> None:
    database = parse_database("t.dbc", HEAD + IC_AND_GROUP)
    named = {str(b.role): b.signal for b in map_database([database]).bindings if b.role.field}
    assert named["pack.voltage"] == "BMS_Total_Voltage"


def test_flags_of_one_board_are_not_those_of_another() -> None:
    flags = "".join(f' SG_ bal_cell{k} : {8 + k}|1@1+ (1,0) [0|1] "" B\n' for k in range(8))
    text = f'BO_ 9 HV_BALANCING: 3 B\n{flags} SG_ balancing_status : 7|1@1+ (1,0) [0|1] "" B\n'
    text += ' SG_ cellboard_id : 0|3@1+ (1,0) [0|7] "" B\n'
    database = parse_database("t.dbc", HEAD + text)
    mapping = map_database([database])
    frames = empty_frames(1)
    frames.id[0], frames.length[0] = 9, 3
    frames.data[0, :3] = (2, 0b0000_0101, 0)
    _, index, value = decode(frames, compile_mapping([database], mapping)).group(2)
    assert {int(i) + 1 for i, v in zip(index, value, strict=True) if v} == {17, 19}


@pytest.mark.parametrize("text", [IC_AND_GROUP, START_AND_BOARD, MESSAGE_EACH])
def test_before_any_frame_boards_of_unknown_size_have_no_numbers(text: str) -> None:
    database = parse_database("t.dbc", HEAD + text)
    other = empty_frames(5)
    other.id[:], other.length[:] = 0x7A0, 8
    for mapping in (map_database([database]), map_database([database], other)):
        assert not [b for b in mapping.bindings if b.role.kind == "cell"]
    assert any("learned from frames" in note for note in map_database([database]).notes)
