"""Hyundai Kona, Kia e-Niro and e-Soul with 90 or 98 cells: pack bus and diagnostics.

Two ways in. On the battery's own bus (`PACK_BUS`) the BMS broadcasts the pack's values on 11-bit
identifiers, little endian, every 100 ms. At the diagnostic connector (`PROTOCOL`) there is only
what is asked for: UDS `22 01 01` to `22 01 05`, requests 0x7E4, answers 0x7EC over ISO-TP, big
endian; cells come in steps of 20 mV, 32 to an answer, the last two in `22 01 05`. 500 kbit/s,
positive current is discharge. A place without a cell reads up to 0.3 V.
Sources: JejuSoul/OBD-PIDs-for-HKMC-EVs and Battery-Emulator KIA-HYUNDAI-64-BATTERY.cpp, which
agree; answers of a car as published in nickn17/evDash (they are the examples: 98 cells make the
pack voltage). Broadcasts checked against two public captures of a Kona in which nobody asks for
cells: 361 V, 50 % displayed, the pack voltage the same in three messages.
Cars on the E-GMP platform (`E_GMP`: 800 V, 144 to 192 cells) answer the same questions and, for
cells 97 to 192, `22 01 0A` to `22 01 0C`; those, and the ratio of pack to cell voltage, tell the
two apart. Source: Battery-Emulator KIA-E-GMP-BATTERY.cpp; no capture.
"""

from dataclasses import replace

import numpy as np

from protocols.bytecheck import Ints, judged, payloads, word
from protocols.contract import Evidence, Example, Poll, Protocol
from protocols.frames import Frames
from protocols.isotp import Pdus
from protocols.polled import reassemble
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import Field, big, flag, little, pack_bindings, probe
from protocols.signals import Database, Message, Signal, Transfer

REQUEST_ID, ANSWER_ID = 0x7E4, 0x7EC
PROBES = 4
_WHY = "Hyundai/Kia protocol"
# Below it is a place without a cell, whatever it reads.
_CELL_V = (0.32, 5.1)
_PER_ANSWER = 32
# Cells of one series string by which this family is told from others with the same identifiers.
_KONA_CELLS, _E_GMP_CELLS = (85, 103), (130, 196)

_BROADCAST = (
    Message("BMS_Display", 0x542, 8, (little("SOC_Displayed", 0, 8, 0.5, "%", invalid=(0xFF,)),)),
    Message(
        "BMS_Limits",
        0x594,
        8,
        (
            little("Charge_Power_Limit", 0, 16, 0.01, "kW", invalid=(0xFFFF,)),
            little("Discharge_Power_Limit", 2, 16, 0.01, "kW", invalid=(0xFFFF,)),
            little("SOC", 5, 8, 0.5, "%", invalid=(0xFF,)),
        ),
    ),
    Message(
        "BMS_Status",
        0x595,
        8,
        (
            little("Current", 4, 16, 0.1, "A", signed=True, comment="+ = discharge"),
            little("Voltage", 6, 16, 0.1, "V", invalid=(0x0000, 0xFFFF)),
        ),
    ),
    Message(
        "BMS_Temperatures",
        0x596,
        8,
        (
            little("Auxiliary_Voltage", 1, 8, 0.1, "V"),
            little("Temperature_Min", 6, 8, 1.0, "degC", signed=True),
            little("Temperature_Max", 7, 8, 1.0, "degC", signed=True),
        ),
    ),
    Message("BMS_Voltage_Copy", 0x5D8, 8, (little("Voltage_Copy", 6, 16, 0.1, "V"),)),
    Message(
        "BMS_Answer",
        ANSWER_ID,
        8,
        (
            Signal(
                "ISO_TP_Frame",
                4,
                4,
                choices={0: "single", 1: "first", 2: "consecutive", 3: "flow control"},
            ),
        ),
    ),
)


def _answer(number: int, length: int, *signals: Signal) -> Transfer:
    """An answer `62 01 <number>`; bytes of its signals count from the 62."""
    message = Message(f"BMS_2201{number:02X}", ANSWER_ID, length, signals)
    prefix = bytes([0x62, 0x01, number])
    return Transfer(message, prefix, exact=True, request_id=REQUEST_ID)


def _cell(number: int, byte: int) -> Signal:
    return big(f"Cell_{number:02d}", byte, 8, 0.02, "V", invalid=(0xFF,))


def _cells(number: int, first: int) -> Transfer:
    signals = (_cell(first + k, 7 + k) for k in range(_PER_ANSWER))
    return _answer(number, 39, *signals)


_STATE = _answer(
    0x01,
    62,
    big("SOC_Answered", 7, 8, 0.5, "%", invalid=(0xFF,)),
    big("Charge_Power", 8, 16, 0.01, "kW", invalid=(0xFFFF,)),
    big("Discharge_Power", 10, 16, 0.01, "kW", invalid=(0xFFFF,)),
    flag("Main_Relay", 12, 0),
    flag("Rapid_Charge_Port", 12, 6),
    flag("Normal_Charge_Port", 12, 5),
    flag("Charging", 12, 7),
    big("Current_Answered", 13, 16, 0.1, "A", signed=True, comment="+ = discharge"),
    big("Voltage_Answered", 15, 16, 0.1, "V", invalid=(0x0000, 0xFFFF)),
    big("Highest_Temperature", 17, 8, 1.0, "degC", signed=True),
    big("Lowest_Temperature", 18, 8, 1.0, "degC", signed=True),
    *(big(f"Module_{k + 1}", 19 + k, 8, 1.0, "degC", signed=True) for k in range(PROBES)),
    big("Inlet_Temperature", 25, 8, 1.0, "degC", signed=True),
    big("Cell_Max", 26, 8, 0.02, "V", invalid=(0x00, 0xFF)),
    big("Cell_Max_Number", 27, 8),
    big("Cell_Min", 28, 8, 0.02, "V", invalid=(0x00, 0xFF)),
    big("Cell_Min_Number", 29, 8),
    big("Auxiliary_Voltage_Answered", 32, 8, 0.1, "V"),
    big("Charged_Total", 33, 32, 0.1, "Ah"),
    big("Discharged_Total", 37, 32, 0.1, "Ah"),
    big("Energy_Charged_Total", 41, 32, 0.1, "kWh"),
    big("Energy_Discharged_Total", 45, 32, 0.1, "kWh"),
    big("Operating_Time", 49, 32, 1.0, "s"),
)
_HEALTH = _answer(
    0x05,
    46,
    big("SOH", 28, 16, 0.1, "%", invalid=(0x0000, 0xFFFF)),
    big("SOC_Displayed_Answered", 34, 8, 0.5, "%", invalid=(0xFF,)),
    _cell(97, 37),
    _cell(98, 38),
)
_CELL_ANSWERS = (_cells(0x02, 1), _cells(0x03, 33), _cells(0x04, 65))
DATABASE = Database("hyundai_kia", _BROADCAST, transfers=(_STATE, *_CELL_ANSWERS, _HEALTH))
_E_GMP_CELL_ANSWERS = (*_CELL_ANSWERS, _cells(0x0A, 97), _cells(0x0B, 129), _cells(0x0C, 161))
_E_GMP_HEALTH = replace(_HEALTH.message, length=36, signals=_HEALTH.message.signals[:2])
_E_GMP_DATABASE = Database(
    "hyundai_kia_egmp",
    tuple(m for m in _BROADCAST if m.name == "BMS_Answer"),
    transfers=(_STATE, *_E_GMP_CELL_ANSWERS, replace(_HEALTH, message=_E_GMP_HEALTH, exact=False)),
)

_BROADCAST_FIELDS: tuple[Field, ...] = (
    ("BMS_Status", "Voltage", "voltage", 1.0),
    ("BMS_Status", "Current", "current", 1.0),
    ("BMS_Limits", "SOC", "soc", 0.01),
    ("BMS_Temperatures", "Temperature_Min", "temperature_min", 1.0),
    ("BMS_Temperatures", "Temperature_Max", "temperature_max", 1.0),
)
_ANSWERED_FIELDS: tuple[Field, ...] = (
    ("BMS_220101", "Voltage_Answered", "voltage", 1.0),
    ("BMS_220101", "Current_Answered", "current", 1.0),
    ("BMS_220101", "SOC_Answered", "soc", 0.01),
    ("BMS_220101", "Lowest_Temperature", "temperature_min", 1.0),
    ("BMS_220101", "Highest_Temperature", "temperature_max", 1.0),
)
_ONLY_ANSWERED: tuple[Field, ...] = (
    ("BMS_220101", "Cell_Max", "cell_voltage_max", 1.0),
    ("BMS_220101", "Cell_Min", "cell_voltage_min", 1.0),
    ("BMS_220101", "Charging", "charging", 1.0),
    ("BMS_220105", "SOH", "soh", 0.01),
)


def _mapping(
    name: str, fields: tuple[Field, ...], answers: tuple[Transfer, ...] = (*_CELL_ANSWERS, _HEALTH)
) -> Mapping:
    found = pack_bindings(_WHY, (*fields, *_ONLY_ANSWERED))
    for transfer in answers:
        for signal in transfer.message.signals:
            if signal.name.startswith("Cell_"):
                role = Role("cell", int(signal.name[5:]))
                message = transfer.message.name
                found.append(Binding(message, signal.name, role, valid=_CELL_V, why=_WHY))
    found += [probe("BMS_220101", f"Module_{k + 1}", k + 1, _WHY) for k in range(PROBES)]
    return Mapping(name, tuple(found))


def _answered(answers: Pdus, transfer: Transfer) -> Ints:
    """Bytes (N, W) of the answers of one kind."""
    prefix = np.frombuffer(transfer.prefix, np.uint8)
    mine = answers.length == transfer.message.length
    mine &= (answers.data[:, : len(prefix)] == prefix).all(axis=1)
    rows: Ints = answers.data[mine].astype(np.int64)
    return rows


def verify(frames: Frames) -> Evidence:
    """Whether answers hold 85 to 103 cells' worth of voltage, and cells that are cells.

    Zero where the BMS also broadcasts: then `PACK_BUS` knows more.
    """
    if len(payloads(frames, 0x595)) and len(payloads(frames, 0x5D8)):
        return Evidence(0.0, "the battery's own bus")
    return judged(*_fitting_answers(frames), "answers")


def _verify_e_gmp(frames: Frames) -> Evidence:
    """Whether answers hold 130 to 196 cells' worth of voltage, and cells beyond the 96th."""
    beyond = _E_GMP_CELL_ANSWERS[len(_CELL_ANSWERS) :]
    answers = reassemble(frames, beyond)
    if not any(len(_answered(answers, transfer)) for transfer in beyond):
        return Evidence(0.0, "no cells beyond the 96th")
    return judged(*_fitting_answers(frames, _E_GMP_CELLS, _E_GMP_CELL_ANSWERS), "answers")


def _fitting_answers(
    frames: Frames,
    cells_between: tuple[int, int] = _KONA_CELLS,
    cell_answers: tuple[Transfer, ...] = _CELL_ANSWERS,
) -> tuple[int, int]:
    """How many answers make sense, of how many."""
    answers = reassemble(frames, (_STATE, *cell_answers, _HEALTH))
    state = _answered(answers, _STATE)
    highest = state[:, 26]
    known = highest > 0
    cells = word(state[known], 15) * 0.1 / (highest[known] * 0.02)
    right = int(np.sum((cells > cells_between[0]) & (cells < cells_between[1])))
    checked = len(state)
    for transfer in cell_answers:
        rows = _answered(answers, transfer)
        volts = rows[:, 7 : 7 + _PER_ANSWER] * 0.02
        there = (volts > _CELL_V[0]) & (volts < 0xFF * 0.02)
        like = (volts > 1.5) & (volts < 4.6)
        fewest = 20 if transfer in _CELL_ANSWERS else 0  # cells end somewhere beyond the 96th
        right += int(np.sum((like | ~there).all(axis=1) & (there.sum(axis=1) >= fewest)))
        checked += len(rows)
    return right, checked


def _verify_broadcast(frames: Frames) -> Evidence:
    """Whether the pack voltage says the same in its two messages, and can be that of a pack."""
    one = word(payloads(frames, 0x595), 6, little=True) * 0.1
    other = word(payloads(frames, 0x5D8), 6, little=True) * 0.1
    both = min(len(one), len(other))
    one, other = one[:both], other[:both]
    # Sent within the same 100 ms: between them a launch may have begun.
    alike = np.abs(one - other) < 0.05 * np.maximum(one, 1.0)
    right = int(np.sum(alike & (one > 200.0) & (one < 450.0)))
    answers = judged(*_fitting_answers(frames), "answers")
    if 0.0 < answers.score < 0.9:
        return answers
    return judged(right, both, "voltages in two messages")


def _twenty_millivolts(text: str) -> dict[int, float]:
    """Cells of an answer as hex digits: one byte of 20 mV each."""
    return {k: raw * 0.02 for k, raw in enumerate(bytes.fromhex(text))}


_STATE_BYTES = bytes.fromhex(
    "620101fff7e7ffb3000000000300120f9b111011101011000014cc38cb3b00009100003a5100"
    "00367c000015fb000013d3000690250d018e0000000003e8"
)
_ROW = "cbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcbcacbcacacfcccbcbcbcbcbcbcbcb"
_CELL_BYTES = bytes.fromhex("620103ffffffff" + _ROW)
_HEALTH_BYTES = bytes.fromhex(
    "620105003fff90000000000000000014918e012927465000015013bb03e800000000bb0000cbcb01001300000000"
)
_NINETY = bytes.fromhex("620104ffffffff" + "cb" * 26 + "01" * 6)
_NUMBERED = {"probe.1": 17.0, "probe.2": 16.0, "probe.3": 16.0, "probe.4": 17.0}


def _examples(answered: dict[str, float]) -> tuple[Example, ...]:
    """Answers of a car; those of its state mean less where the same is broadcast."""
    extremes = {"pack.cell_voltage_max": 4.08, "pack.cell_voltage_min": 4.06, "pack.charging": 0.0}
    cells = {f"cell.{33 + k}.voltage": v for k, v in _twenty_millivolts(_ROW).items()}
    return (
        Example(ANSWER_ID, False, _STATE_BYTES, _NUMBERED | extremes | answered, isotp=True),
        Example(ANSWER_ID, False, _CELL_BYTES, cells, isotp=True),
        Example(
            ANSWER_ID,
            False,
            _HEALTH_BYTES,
            {"pack.soh": 1.0, "cell.97.voltage": 4.06, "cell.98.voltage": 4.06},
            isotp=True,
        ),
        # 90 cells: the last six places of the third answer read 20 mV
        Example(
            ANSWER_ID,
            False,
            _NINETY,
            {f"cell.{n}.voltage": 4.06 for n in range(65, 91)},
            isotp=True,
        ),
        # "wait", "not supported" and tester present are no values
        Example(ANSWER_ID, False, bytes.fromhex("7f2278"), {}, isotp=True),
        Example(ANSWER_ID, False, bytes.fromhex("7e00"), {}, isotp=True),
    )


# A Kona at rest, from a capture.
_BROADCAST_EXAMPLES = (
    Example(
        0x595,
        False,
        bytes.fromhex("0b00b8b80000180e"),
        {"pack.voltage": 360.8, "pack.current": 0.0},
    ),
    Example(0x594, False, bytes.fromhex("34213421a0610420"), {"pack.soc": 0.485}),
    Example(
        0x596,
        False,
        bytes.fromhex("3a7a00004c000b0b"),
        {"pack.temperature_min": 11.0, "pack.temperature_max": 11.0},
    ),
    Example(0x542, False, bytes.fromhex("640b00000000ffff"), {}),
    Example(0x5D8, False, bytes.fromhex("806404005e01180e"), {}),
)


def _poll(number: int, period_s: float) -> Poll:
    payload = bytes([0x22, 0x01, number])
    return Poll(REQUEST_ID, False, payload, period_s, ANSWER_ID, REQUEST_ID)


_POLLS = (_poll(1, 1.0), _poll(2, 2.0), _poll(3, 2.0), _poll(4, 2.0), _poll(5, 10.0))

PROTOCOL = Protocol(
    name="hyundai_kia",
    title="Hyundai Kona / Kia e-Niro, diagnostic connector",
    database=DATABASE,
    mapping=_mapping("hyundai_kia", _ANSWERED_FIELDS),
    bitrates=(500_000,),
    source_confidence="Two public descriptions that agree, and published answers of one car; no "
    "capture with cells was available.",
    required=("BMS_Answer",),
    examples=_examples(
        {
            "pack.voltage": 399.5,
            "pack.current": 1.8,
            "pack.soc": 0.895,
            "pack.temperature_min": 16.0,
            "pack.temperature_max": 17.0,
        }
    ),
    verify=verify,
    polls=_POLLS,
)
PACK_BUS = Protocol(
    name="hyundai_kia_bus",
    title="Hyundai Kona / Kia e-Niro, battery bus",
    database=replace(DATABASE, name="hyundai_kia_bus"),
    mapping=_mapping("hyundai_kia_bus", _BROADCAST_FIELDS),
    bitrates=(500_000,),
    source_confidence="Public decoders, checked against two captures of a Kona without cells; "
    "cells from published answers of one car.",
    required=("BMS_Limits", "BMS_Status", "BMS_Temperatures", "BMS_Voltage_Copy"),
    examples=(*_BROADCAST_EXAMPLES, *_examples({})),
    verify=_verify_broadcast,
    polls=_POLLS,
)
_E_GMP_STATE = bytearray(_STATE_BYTES)
_E_GMP_STATE[13:17] = bytes.fromhex("0012" + "1da6")  # 1.8 A, 759.0 V
_E_GMP_STATE[26], _E_GMP_STATE[28] = 0xCC, 0xCB
E_GMP = Protocol(
    name="hyundai_kia_egmp",
    title="Hyundai / Kia E-GMP, diagnostic connector",
    database=_E_GMP_DATABASE,
    mapping=_mapping("hyundai_kia_egmp", _ANSWERED_FIELDS, _E_GMP_CELL_ANSWERS),
    bitrates=(500_000,),
    source_confidence="One public decoder; no capture was available.",
    required=("BMS_Answer",),
    examples=(
        Example(
            ANSWER_ID,
            False,
            bytes(_E_GMP_STATE),
            {
                "pack.voltage": 759.0,
                "pack.current": 1.8,
                "pack.soc": 0.895,
                "pack.cell_voltage_max": 4.08,
                "pack.cell_voltage_min": 4.06,
                "pack.temperature_min": 16.0,
                "pack.temperature_max": 17.0,
                "pack.charging": 0.0,
                **_NUMBERED,
            },
            isotp=True,
        ),
        *(
            Example(
                ANSWER_ID,
                False,
                bytes([0x62, 0x01, number]) + bytes.fromhex("ffffffff" + _ROW),
                {f"cell.{first + k}.voltage": v for k, v in _twenty_millivolts(_ROW).items()},
                isotp=True,
            )
            for number, first in ((0x02, 1), (0x0A, 97), (0x0B, 129), (0x0C, 161))
        ),
    ),
    verify=_verify_e_gmp,
    polls=(*_POLLS, *(_poll(number, 2.0) for number in (0x0A, 0x0B, 0x0C))),
)
