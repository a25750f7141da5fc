"""Signals find their roles by name, unit, range and frames; protocols are recognised."""

import time
from pathlib import Path

import numpy as np
import pytest
from captures import candump, slcan

from bms_studio.interpret import Request, interpret
from protocols import scooter
from protocols.dbc import load_database, parse_database
from protocols.decode import compile_mapping, decode
from protocols.detect import detect
from protocols.encode import encode
from protocols.frames import EXTENDED, Frames, concatenate, empty_frames
from protocols.identity import serial
from protocols.mapping import map_database
from protocols.names import take_apart
from protocols.registry import load
from protocols.roles import PACK_FIELDS, Mapping
from protocols.signals import Database, Message

FIELDS = [field.name for field in PACK_FIELDS]


def roles(mapping: Mapping) -> dict[str, str]:
    return {str(b.role): f"{b.message}.{b.signal}" for b in mapping.bindings}


def numbers(mapping: Mapping, kind: str) -> list[int]:
    return sorted(b.role.number for b in mapping.bindings if b.role.kind == kind)


def newest(databases: list[Database], mapping: Mapping, frames: Frames) -> dict[str, float]:
    _, index, value = decode(frames, compile_mapping(databases, mapping)).group(3)
    return {FIELDS[i]: v for i, v in zip(index.tolist(), value.tolist(), strict=True)}


def dbc(*messages: str) -> Database:
    return parse_database("t.dbc", 'VERSION ""\nBS_:\nBU_: B\n' + "\n".join(messages) + "\n")


def message(name: str, frame_id: int, *signals: str) -> str:
    return f"BO_ {frame_id} {name}: 8 B\n" + "\n".join(f" SG_ {s} B" for s in signals)


def sent(message: Message, *rows: dict[str, float]) -> Frames:
    frames = empty_frames(len(rows))
    for k, row in enumerate(rows):
        data = encode(message, row)
        frames.id[k], frames.length[k] = message.id, len(data)
        frames.flags[k] = EXTENDED if message.extended else 0
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words", "places"),
    [
        ("CellVoltage_012", ("cell", "voltage"), (12,)),
        ("cell65_volts", ("cell", "voltage"), (65,)),
        ("BMS_Cell_V_07", ("bms", "cell", "voltage"), (7,)),
        ("Vcell3", ("voltage", "cell"), (3,)),
        ("BrickVmin332", ("cell", "voltage", "min"), (332,)),
        ("LowestCellVolt", ("min", "cell", "voltage"), ()),
        ("HvBatterySOC", ("hv", "pack", "soc"), ()),
        ("SoC", ("soc",), ()),
        ("BMSmaxPackTemperature", ("bms", "max", "pack", "temperature"), ()),
    ],
)
def test_names_come_apart(name: str, words: tuple[str, ...], places: tuple[int, ...]) -> None:
    assert (take_apart(name).words, take_apart(name).numbers) == (words, places)


# --- structures of databases ----------------------------------------------------------------


def test_cells_may_count_from_zero() -> None:
    cells = [f'Cell{k} : {16 * (k % 4)}|16@1+ (0.0001,0) [0|0] "V"' for k in range(8)]
    database = dbc(message("A", 1, *cells[:4]), message("B", 2, *cells[4:]))
    assert numbers(map_database([database]), "cell") == list(range(1, 9))


def test_cells_repeated_in_numbered_messages_are_counted_on() -> None:
    signals = [f'Cell{k + 1} : {16 * k}|12@1+ (1,405) [405|4500] ""' for k in range(4)]
    database = dbc(*(message(f"MODULE_{m}", 100 + m, *signals) for m in range(1, 4)))
    mapping = map_database([database])
    assert numbers(mapping, "cell") == list(range(1, 13))
    assert roles(mapping)["cell.6.voltage"] == "MODULE_2.Cell2"
    assert {b.factor for b in mapping.bindings} == {0.001}


def test_module_and_cell_numbers_in_one_name_are_flattened() -> None:
    groups = [
        message(f"X{m}", 10 + m, *(f'M{m}_Cell{c} : {16 * c}|16@1+ (1,0) [0|0] "mV"'
                                   for c in range(4)))
        for m in range(1, 4)
    ]  # fmt: skip
    mapping = map_database([dbc(*groups)])
    assert numbers(mapping, "cell") == list(range(1, 13))
    assert roles(mapping)["cell.5.voltage"] == "X2.M2_Cell0"


def test_a_cell_called_12_v_is_no_lead_acid_battery() -> None:
    groups = [
        message(f"C{k}", k + 1, *(f'Cell{4 * k + j + 1}_V : {16 * j}|16@1+ (0.001,0) [0|0] "V"'
                                  for j in range(4)))
        for k in range(5)
    ]  # fmt: skip
    assert numbers(map_database([dbc(*groups)]), "cell") == list(range(1, 21))


def test_messages_named_by_their_identifier_in_hexadecimal_count_by_it() -> None:
    signals = [f'CellVoltage_{k + 1} : {16 * k}|16@1+ (0.001,0) [0|0] "V"' for k in range(4)]
    names = range(0x3B9, 0x3BC)
    mapping = map_database([dbc(*(message(f"BMS_{i:X}_Cells", i, *signals) for i in names))])
    assert numbers(mapping, "cell") == list(range(1, 13))
    assert roles(mapping)["cell.9.voltage"] == "BMS_3BB_Cells.CellVoltage_1"


def test_the_same_names_in_two_messages_are_rivals_and_said_to_be() -> None:
    signals = [f'CellVoltage_{k:03d} : {16 * k}|16@1+ (1,0) [0|0] "mV"' for k in range(4)]
    database = dbc(message("AFE_CellVoltages", 624, *signals), message("f_Cells", 592, *signals))
    mapping = map_database([database])
    assert roles(mapping)["cell.1.voltage"] == "f_Cells.CellVoltage_000"
    assert any("AFE_CellVoltages could be another source" in note for note in mapping.notes)


@pytest.mark.parametrize(("first", "second"), [("BatA_", "BatB_"), ("Pack1_", "Pack2_")])
def test_a_second_pack_is_told_apart(first: str, second: str) -> None:
    groups = [
        message(f"{pack}Cells", 10 + k,
                *(f'{pack}Cell{j + 1}_V : {16 * j}|16@1+ (1,0) [0|0] "mV"' for j in range(4)))
        for k, pack in enumerate((first, second))
    ]  # fmt: skip
    found = roles(map_database([dbc(*groups)]))
    assert found["cell.4.voltage"] == f"{first}Cells.{first}Cell4_V"
    assert found["pack2.cell.4.voltage"] == f"{second}Cells.{second}Cell4_V"


def test_letters_count_as_numbers() -> None:
    signals = [f'CellVoltage{x} : {16 * k}|16@1+ (1,0) [0|0] "mV"' for k, x in enumerate("ABC")]
    assert numbers(map_database([dbc(message("M", 1, *signals))]), "cell") == [1, 2, 3]


def test_an_index_in_the_payload_learns_where_it_starts() -> None:
    database = dbc(
        message("C", 5, 'CellId : 0|8@1+ (1,0) [0|0] ""', 'CellVoltage : 8|16@1+ (1,0) [0|0] "mV"',
                'CellBalancing : 24|1@1+ (1,0) [0|1] ""')
    )  # fmt: skip
    layout = database.message("C")
    for first in (0, 1):
        rows = [{"CellId": first + k, "CellVoltage": 3600.0 + k} for k in range(6)] * 3
        frames = sent(layout, *rows)
        mapping = map_database([database], frames)
        _, index, value = decode(frames, compile_mapping([database], mapping)).group(0)
        assert index[:6].tolist() == [0, 1, 2, 3, 4, 5]
        assert value[:2] == pytest.approx([3.6, 3.601])
        assert any(f"counts from {first}" in note for note in mapping.notes)
        assert "balancing.*" in roles(mapping)


def test_several_values_behind_one_index_learn_their_stride() -> None:
    signals = [f'V{k + 1} : {15 + 16 * k}|16@0+ (1,0) [0|0] "mV"' for k in range(3)]
    database = dbc(message("Cell_Voltages", 9, 'Index : 0|8@1+ (1,0) [0|0] ""', *signals))
    layout = database.message("Cell_Voltages")
    for step in (1, 3):
        frames = sent(
            layout, *({"Index": step * k, "V1": 3600, "V2": 3610, "V3": 3620} for k in range(4))
        )
        mapping = map_database([database], frames)
        _, index, _ = decode(frames, compile_mapping([database], mapping)).group(0)
        assert index.tolist() == list(range(12)), step


def test_extremes_averages_thresholds_and_open_voltages_are_no_cells() -> None:
    names = ("Max_Cell_Voltage", "Min_Cell_Voltage", "Avg_Cell_Voltage", "Cell_Open_Voltage")
    signals = [f'{n} : {16 * k}|16@1+ (0.001,0) [0|0] "V"' for k, n in enumerate(names)]
    mapping = map_database([dbc(message("M", 1, *signals))])
    assert numbers(mapping, "cell") == []
    assert roles(mapping) == {
        "pack.cell_voltage_max": "M.Max_Cell_Voltage",
        "pack.cell_voltage_min": "M.Min_Cell_Voltage",
    }


def test_temperatures_of_machines_are_no_probes_and_kelvin_is_turned() -> None:
    database = dbc(
        message("Motor", 1, *(f'Temp_{k} : {8 * k}|8@1- (1,0) [0|0] "C"' for k in range(4))),
        message("Cell_Temps", 2, *(f'T{k + 1} : {16 * k}|16@1+ (1,0) [0|0] "K"' for k in range(3))),
    )
    mapping = map_database([database])
    assert numbers(mapping, "probe") == [1, 2, 3]
    assert all(b.message == "Cell_Temps" and b.shift == -273.15 for b in mapping.bindings)


def test_a_limit_is_no_measured_current_and_twelve_volts_no_pack() -> None:
    database = dbc(
        message("BMS_Limits", 1, 'Charge_Current : 0|16@1+ (0.1,0) [0|0] "A"',
                'Discharge_Current : 16|16@1+ (0.1,0) [0|0] "A"'),
        message("BMS_Status", 2, 'Voltage : 0|16@1+ (0.01,0) [0|0] "V"',
                'Current : 16|16@1- (0.1,0) [0|0] "A"', 'Battery_12V : 32|8@1+ (0.1,0) [0|0] "V"',
                'SOC : 40|8@1+ (0.5,0) [0|100] "%"'),
    )  # fmt: skip
    found = roles(map_database([database]))
    assert found == {
        "pack.charge_current_limit": "BMS_Limits.Charge_Current",
        "pack.discharge_current_limit": "BMS_Limits.Discharge_Current",
        "pack.voltage": "BMS_Status.Voltage",
        "pack.current": "BMS_Status.Current",
        "pack.soc": "BMS_Status.SOC",
    }


def test_the_sign_of_current_is_never_claimed() -> None:
    database = dbc(message("BMS", 1, 'Pack_Current : 0|16@1- (0.1,0) [0|0] "A"'))
    mapping = map_database([database])
    assert mapping.sign == "+discharge"
    assert any("sign of current unverified" in note for note in mapping.notes)


def test_frames_choose_the_source_that_agrees_with_the_cells() -> None:
    cells = [f'Cell_{k + 1} : {16 * k}|16@1+ (0.001,0) [0|0] "V"' for k in range(4)]
    voltage = 'Pack_Voltage : 0|16@1+ (0.1,0) [0|0] "V"'
    database = dbc(
        message("Cells", 1, *cells), message("Old", 2, voltage), message("New", 3, voltage)
    )
    frames = concatenate(
        [
            sent(database.message("Cells"), *[{f"Cell_{k + 1}": 3.6 for k in range(4)}] * 5),
            sent(database.message("Old"), *[{"Pack_Voltage": 99.0}] * 50),
            sent(database.message("New"), *[{"Pack_Voltage": 14.4}] * 5),
        ]
    )
    mapping = map_database([database], frames)
    assert roles(mapping)["pack.voltage"] == "New.Pack_Voltage"
    assert mapping.confidence > 0.85
    assert any("Old does not fit" in note for note in mapping.notes)


def test_a_current_declared_unsigned_that_wraps_is_left_out_and_said_to_be() -> None:
    database = dbc(message("BMS", 7, 'Pack_Current : 0|11@1+ (0.5,0) [0|0] "A"',
                           'Pack_Voltage : 16|16@1+ (0.1,0) [0|0] "V"'))  # fmt: skip
    rows = [{"Pack_Current": amps, "Pack_Voltage": 385.0} for amps in (0.5, 1022, 1.0, 1020, 3.0)]
    mapping = map_database([database], sent(database.message("BMS"), *rows))
    assert roles(mapping) == {"pack.voltage": "BMS.Pack_Voltage"}
    assert any("declares it unsigned" in note for note in mapping.notes)


def test_a_field_of_ones_at_start_up_is_unknown() -> None:
    database = dbc(message("BMS", 7, 'Pack_Voltage : 0|10@1+ (0.5,0) [0|0] "V"'))
    frames = sent(database.message("BMS"), *({"Pack_Voltage": v} for v in (511.5, 385.0, 386.0)))
    mapping = map_database([database], frames)
    assert decode(frames, compile_mapping([database], mapping)).group(3)[2].tolist() == [385, 386]


def test_no_frame_of_the_database_means_no_mapping() -> None:
    database = dbc(message("Cells", 1, 'Cell_1 : 0|16@1+ (0.001,0) [0|0] "V"',
                           'Cell_2 : 16|16@1+ (0.001,0) [0|0] "V"'))  # fmt: skip
    frames = empty_frames(10)
    frames.id[:] = 0x55
    mapping = map_database([database], frames)
    assert (mapping.bindings, mapping.confidence) == ((), 0.0)
    assert "no frame" in mapping.notes[0]


# --- real databases and captures --------------------------------------------------------------


def test_the_orion_capture_of_september(shared_data: Path) -> None:
    folder = shared_data / "can" / "orion"
    database = load_database(folder / "Orion_CANBUS.dbc")
    frames = slcan(folder / "big.raw")
    mapping = map_database([database], frames)
    _, index, value = decode(frames, compile_mapping([database], mapping)).group(0)
    assert len(np.unique(index)) == 52
    assert (value.min(), value.max()) == pytest.approx((3.9213, 3.9230), abs=1e-6)
    pack = newest([database], mapping, frames)
    assert pack["voltage"] == pytest.approx(282.4)
    assert pack["current"] == 0.0
    assert pack["soc"] == pytest.approx(0.805)
    assert pack["cell_count"] == 72
    assert mapping.confidence > 0.8


def test_the_orion_capture_of_november_with_the_layout_changed(shared_data: Path) -> None:
    folder = shared_data / "can" / "orion"
    database = load_database(folder / "Orion_CANBUS.dbc")
    frames = candump(folder / "candump-2025-11-05_214230.log")
    mapping = map_database([database], frames)
    _, index, value = decode(frames, compile_mapping([database], mapping)).group(0)
    assert len(np.unique(index)) == 67
    assert (value.min(), value.max()) == pytest.approx((4.0544, 4.0641), abs=1e-6)
    pack = newest([database], mapping, frames)
    assert 292.4 <= pack["voltage"] <= 292.5
    assert pack["soc"] == pytest.approx(0.83)
    assert any("MSGID_0X6B0 does not fit" in note for note in mapping.notes)


def test_orion_is_recognised_and_completes_a_database_with_its_probes(shared_data: Path) -> None:
    folder = shared_data / "can" / "orion"
    database = load_database(folder / "Orion_CANBUS.dbc")
    frames = slcan(folder / "big.raw")
    assert [c.name for c in detect(frames)] == ["orion"]
    best, second = detect(frames, [database])
    assert (best.name, second.name) == ("Orion_CANBUS.dbc", "orion")
    samples = decode(frames, compile_mapping(best.databases, best.mapping))
    _, index, value = samples.group(1)
    last = dict(zip(index.tolist(), value.tolist(), strict=True))
    assert [last[k] for k in range(8)] == [18, 17, 17, 17, 17, 17, 20, 20]


@pytest.mark.parametrize(
    ("file", "cells", "probes"),
    [
        ("tecnun/AMS.dbc", 96, 32),
        ("tecnun/HVBMS.dbc", 432, 96),
        ("dbc/Model3CAN.dbc", 108, 0),
        ("dbc/FoxESS_v1_15.dbc", 144, 64),
    ],
)
def test_real_databases_map_every_cell(
    shared_data: Path, file: str, cells: int, probes: int
) -> None:
    mapping = map_database([load_database(shared_data / "can" / file)])
    assert numbers(mapping, "cell") == list(range(1, cells + 1))
    assert numbers(mapping, "probe") == list(range(1, probes + 1))
    assert "pack.soc" in roles(mapping)
    assert "pack.current" in roles(mapping)


def test_an_inverter_bus_is_no_battery(shared_data: Path) -> None:
    folder = shared_data / "can" / "tecnun"
    frames = candump(folder / "candump-2024-12-28_152319.log")
    assert detect(frames) == []
    for name in ("AMS.dbc", "HVBMS.dbc"):
        database = load_database(folder / name)
        assert map_database([database], frames).confidence == 0.0
        assert detect(frames, [database]) == []


# --- detection --------------------------------------------------------------------------------


def scooter_frames(cells: int, rounds: int) -> Frames:
    database = scooter.DATABASE
    rows = []
    volts = 3.6 + 0.001 * np.arange(cells)
    for _ in range(rounds):
        rows.append(sent(database.message("Pack_Status"), {"Pack_Voltage": float(volts.sum())}))
        for first in range(0, cells, 3):
            some = range(first, min(first + 3, cells))
            values = {f"Cell_{k + 1:03d}_Voltage": float(volts[k]) for k in some}
            rows.append(sent(database.message("Cell_Voltages"), values))
    return concatenate(rows)


def vesc_frames(cells: int, rounds: int, controller: int = 0x0A) -> Frames:
    message = load("vesc").database.message("BMS_V_CELL")
    rows = []
    for _ in range(rounds):
        for first in range(0, cells, 3):
            count = min(3, cells - first)
            values = {"First_Cell": first, "Cells": cells}
            values |= {f"Cell_Voltage_{k + 1}": 3.7 for k in range(count)}
            frame = sent(message, values)
            frame.id[:] |= controller
            frame.length[:] = 2 + 2 * count
            rows.append(frame)
    return concatenate(rows)


def test_scooter_vesc_and_noise_are_told_apart() -> None:
    found = detect(scooter_frames(20, 5))
    assert [c.name for c in found] == ["scooter"]
    assert found[0].confidence > 0.9
    assert "20 cells" in found[0].why
    found = detect(vesc_frames(14, 5))
    assert [c.name for c in found] == ["vesc"]
    random = np.random.default_rng(5)
    noise = empty_frames(5000)
    noise.id[:] = random.choice([0x3A0, 0x3A8, 0x36, 0x76, 0x290A, 0x2D0A], 5000)
    noise.flags[:] = np.where(noise.id > 0x7FF, EXTENDED, 0)
    noise.length[:] = 8
    noise.data[:] = random.integers(0, 256, (5000, 8))
    assert detect(noise) == []
    assert detect(empty_frames()) == []


def test_two_vesc_controllers_are_two_packs_and_never_mixed() -> None:
    frames = concatenate([vesc_frames(14, 3, 0x0A), vesc_frames(10, 3, 0x0B)])
    (found,) = detect(frames)
    samples = decode(frames, compile_mapping(found.databases, found.mapping))
    assert len(np.unique(samples.group(0)[1])) == 14
    assert len(np.unique(samples.group(5)[1])) == 10
    assert any("one pack per controller: 10, 11" in note for note in found.mapping.notes)


def test_vesc_named_by_a_person_tells_its_controllers_apart_too() -> None:
    frames = concatenate([vesc_frames(14, 3, 0x0A), vesc_frames(10, 3, 0x0B)])
    meaning = interpret(frames, Request(protocol="vesc"))
    assert meaning is not None
    samples = decode(frames, compile_mapping(meaning.databases, meaning.mapping))
    assert len(np.unique(samples.group(0)[1])) == 14
    assert len(np.unique(samples.group(5)[1])) == 10
    alone = interpret(vesc_frames(12, 3, 0x0B), Request(protocol="vesc"))
    assert alone is not None
    samples = decode(vesc_frames(12, 3, 0x0B), compile_mapping(alone.databases, alone.mapping))
    assert len(np.unique(samples.group(0)[1])) == 12


def test_detection_of_ten_thousand_frames_is_quick() -> None:
    few = scooter_frames(96, 3)
    frames = few[np.arange(10_000) % len(few)]
    detect(frames)
    durations = []
    for _ in range(5):
        start = time.perf_counter()
        detect(frames)
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.25  # 50 ms when nothing else runs: see benchmarks/decode.py


def test_only_protocols_that_carry_a_serial_number_give_one() -> None:
    assert serial(vesc_frames(14, 1), load("vesc")) is None
    assert serial(scooter_frames(20, 1), load("scooter")) is None
