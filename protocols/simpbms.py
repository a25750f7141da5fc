"""SimpBMS (and the firmwares made from it) with cells in 0x372: a Victron bus with a guest.

11-bit identifiers, little endian, 500 kbit/s. The pack messages are those of the Victron family
(see `protocols/pylon_lv.py`); 0x372, the count of modules there, carries here the number of a cell
(byte 3, from 1) and its voltage in mV (bytes 6 and 7). Source: dalathegreat/Battery-Emulator
SIMPBMS-BATTERY.cpp, a public database, and the firmware's own lines for 0x351 to 0x35A, which give
0.01 V and 0.1 A. No log was at hand. Positive is charging, as in the whole family.
"""

import numpy as np

from protocols.alarm_words import flagged, home_storage_items
from protocols.bytecheck import judged, like_cells, payloads, word, written
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Index, Mapping, Role
from protocols.shorthand import CELL_V, little, pack_bindings
from protocols.signals import Database, Message, MuxCondition, Signal

CELL_ID = 0x372
CELLS = 192
_WHY = "SimpBMS protocol"

DATABASE = Database(
    "simpbms",
    (
        Message(
            "Limits",
            0x351,
            8,
            (
                little("Charge_Voltage_Limit", 0, 16, 0.1, "V"),
                little("Charge_Current_Limit", 2, 16, 0.1, "A", signed=True),
                little("Discharge_Current_Limit", 4, 16, 0.1, "A", signed=True),
                little("Discharge_Voltage_Limit", 6, 16, 0.1, "V"),
            ),
        ),
        Message(
            "Pack_SOC",
            0x355,
            8,
            (
                little("SOC", 0, 16, 1.0, "%"),
                little("SOH", 2, 16, 1.0, "%"),
                little("Status", 6, 16),
            ),
        ),
        Message(
            "Pack_Status",
            0x356,
            8,
            (
                little("Pack_Voltage", 0, 16, 0.01, "V"),
                little("Pack_Current", 2, 16, 0.1, "A", signed=True, comment="+ = charge"),
                little("Temperature", 4, 16, 0.1, "degC", signed=True),
            ),
        ),
        Message(
            "Warnings",
            0x35A,
            8,
            (
                little("Alarms", 0, 32),
                little("Warnings", 4, 32),
                *home_storage_items("Alarm", 0),
                *home_storage_items("Warning", 4),
            ),
        ),
        Message(
            "Cell",
            CELL_ID,
            8,
            (
                Signal("Cell_Number", 24, 8, is_selector=True),
                little(
                    "Cell_Voltage",
                    6,
                    16,
                    0.001,
                    "V",
                    mux=(MuxCondition("Cell_Number", tuple(range(1, CELLS + 1))),),
                ),
            ),
        ),
        Message(
            "Extremes",
            0x373,
            8,
            (
                little("Cell_Voltage_Min", 0, 16, 0.001, "V"),
                little("Cell_Voltage_Max", 2, 16, 0.001, "V"),
                little("Temperature_Min", 4, 16, 1.0, "degC", offset=-273.0),
                little("Temperature_Max", 6, 16, 1.0, "degC", offset=-273.0),
            ),
        ),
        Message("Capacity", 0x379, 8, (little("Capacity", 0, 16, 1.0, "Ah"),)),
    ),
)
_PACK = (
    ("Limits", "Charge_Voltage_Limit", "charge_voltage_limit", 1.0),
    ("Limits", "Charge_Current_Limit", "charge_current_limit", 1.0),
    ("Limits", "Discharge_Current_Limit", "discharge_current_limit", 1.0),
    ("Limits", "Discharge_Voltage_Limit", "discharge_voltage_limit", 1.0),
    ("Pack_SOC", "SOC", "soc", 0.01),
    ("Pack_SOC", "SOH", "soh", 0.01),
    ("Pack_Status", "Pack_Voltage", "voltage", 1.0),
    ("Pack_Status", "Pack_Current", "current", -1.0),
    ("Extremes", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    ("Extremes", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Extremes", "Temperature_Min", "temperature_min", 1.0),
    ("Extremes", "Temperature_Max", "temperature_max", 1.0),
    ("Capacity", "Capacity", "full_ah", 1.0),
)


def _bindings() -> tuple[Binding, ...]:
    index = Index("Cell_Number", first=1)
    cells = Binding("Cell", "Cell_Voltage", Role("cell"), valid=CELL_V, index=index, why=_WHY)
    return (*pack_bindings(_WHY, _PACK), cells)


def verify(frames: Frames) -> Evidence:
    """Whether 0x372 holds numbered cells, not a count of modules."""
    rows = payloads(frames, CELL_ID)
    number, millivolts = rows[:, 3], word(rows, 6, little=True)
    numbered = (number >= 1) & (number <= CELLS)
    there = numbered & (millivolts > 0)
    fit, of = like_cells(number[there], millivolts[there] / 1000.0)
    if not np.any(there):
        return Evidence(0.0, "no numbered cell seen")
    return judged(int(np.sum(numbered)) + fit, len(rows) + of, "cell numbers and voltages")


_EXAMPLES = (
    Example(
        0x351,
        False,
        bytes.fromhex("4802d007d007c001"),
        {
            "pack.charge_voltage_limit": 58.4,
            "pack.charge_current_limit": 200.0,
            "pack.discharge_current_limit": 200.0,
            "pack.discharge_voltage_limit": 44.8,
        },
    ),
    Example(0x355, False, bytes.fromhex("4900620000000100"), {"pack.soc": 0.73, "pack.soh": 0.98}),
    # 53.2 V, 20.5 A flowing out
    Example(
        0x356,
        False,
        bytes.fromhex("c81433ff71000000"),
        {"pack.voltage": 53.2, "pack.current": 20.5},
    ),
    Example(CELL_ID, False, bytes.fromhex("0000000c0000d80c"), {"cell.12.voltage": 3.288}),
    Example(
        0x373,
        False,
        bytes.fromhex("ca0ccf0c1b011c01"),
        {
            "pack.cell_voltage_min": 3.274,
            "pack.cell_voltage_max": 3.279,
            "pack.temperature_min": 10.0,
            "pack.temperature_max": 11.0,
        },
    ),
    Example(0x379, False, bytes.fromhex("c800000000000000"), {"pack.full_ah": 200.0}),
)


def identity(frames: Frames) -> dict[str, str]:
    """The maker's name, as text."""
    return {"maker": written(frames, 0x35E)}


PROTOCOL = Protocol(
    name="simpbms",
    identity=identity,
    title="SimpBMS",
    database=DATABASE,
    mapping=Mapping(
        "simpbms",
        _bindings(),
        sign="+charge",
        alarms=flagged(DATABASE.messages, ("Warnings",)),
    ),
    bitrates=(500_000, 250_000),
    source_confidence="Firmware and one public decoder; no real capture was available.",
    required=("Cell", "Pack_Status"),
    examples=_EXAMPLES,
    verify=verify,
)
