"""Orion BMS and Orion BMS 2: the fixed part of a freely configurable bus.

The cell broadcast (0x36, one cell per frame, numbered from 0, checksum), the thermistor broadcast
(0x76, three probes per frame) and the inverter profile (0x351, 0x355, 0x356; scales differ from the
Victron and Pylontech use of the same identifiers). Everything else is laid out by the user; export
the DBC from the Orion utility for it. Source: the maker's "cell broadcast message" manual; checked
against public captures of a vehicle: 119 of 119 cell and 612 of 612 thermistor checksums. The
thermistor layout was inferred from those captures. Current is positive on discharge.
"""

import numpy as np

from protocols.contract import Evidence, Example, Protocol
from protocols.frames import ERROR, EXTENDED, REMOTE, Frames
from protocols.roles import Binding, Index, Mapping, Role
from protocols.signals import Database, Message, Signal

CELL_ID = 0x036
THERMISTOR_ID = 0x076
_WHY = "Orion BMS protocol"
_CELL_V = (0.2, 5.5)


def _big(name: str, start: int, length: int, scale: float = 1.0, unit: str = "") -> Signal:
    return Signal(name, start, length, little_endian=False, scale=scale, unit=unit)


def _tenths(name: str, byte: int, unit: str, signed: bool = False) -> Signal:
    return Signal(name, 8 * byte, 16, signed=signed, scale=0.1, unit=unit)


DATABASE = Database(
    "orion",
    (
        Message(
            "Cell_Broadcast",
            CELL_ID,
            8,
            (
                _big("Cell_Id", 7, 8),
                _big("Cell_Voltage", 15, 16, 0.0001, "V"),
                Signal("Cell_Balancing", 31, 1),
                _big("Cell_Resistance", 30, 15, 0.01, "mOhm"),
                _big("Cell_Open_Voltage", 47, 16, 0.0001, "V"),
                _big("Cell_Checksum", 63, 8),
            ),
        ),
        Message(
            "Thermistor_Broadcast",
            THERMISTOR_ID,
            8,
            (
                *(_big(f"Thermistor_Id_{k + 1}", 16 * k + 7, 8) for k in range(3)),
                *(
                    Signal(f"Thermistor_{k + 1}", 16 * k + 8, 8, signed=True, unit="degC")
                    for k in range(3)
                ),
                _big("Thermistor_Checksum", 63, 8),
            ),
        ),
        Message(
            "Inverter_Limits",
            0x351,
            8,
            (
                _tenths("Maximum_Pack_Voltage", 0, "V"),
                _tenths("Pack_CCL", 2, "A"),
                _tenths("Pack_DCL", 4, "A"),
                _tenths("Minimum_Pack_Voltage", 6, "V"),
            ),
        ),
        Message(
            "Inverter_SOC",
            0x355,
            8,
            (
                Signal("Pack_SOC", 0, 16, unit="%"),
                Signal("Pack_Health", 16, 16, unit="%"),
                _tenths("Adaptive_SOC", 4, "%"),
                _big("Adaptive_Total_Capacity", 55, 16, 0.1, "Ah"),
            ),
        ),
        Message(
            "Inverter_Status",
            0x356,
            6,
            (
                _tenths("Pack_Voltage", 0, "V"),
                _tenths("Pack_Current", 2, "A", signed=True),
                _tenths("High_Temperature", 4, "degC", signed=True),
            ),
        ),
    ),
)

_PACK = (
    ("Inverter_Status", "Pack_Voltage", "voltage", 1.0),
    ("Inverter_Status", "Pack_Current", "current", 1.0),
    ("Inverter_Status", "High_Temperature", "temperature_max", 1.0),
    ("Inverter_SOC", "Pack_SOC", "soc", 0.01),
    ("Inverter_SOC", "Pack_Health", "soh", 0.01),
    ("Inverter_SOC", "Adaptive_Total_Capacity", "full_ah", 1.0),
    ("Inverter_Limits", "Pack_CCL", "charge_current_limit", 1.0),
    ("Inverter_Limits", "Pack_DCL", "discharge_current_limit", 1.0),
    ("Inverter_Limits", "Maximum_Pack_Voltage", "charge_voltage_limit", 1.0),
    ("Inverter_Limits", "Minimum_Pack_Voltage", "discharge_voltage_limit", 1.0),
)


def _bindings() -> tuple[Binding, ...]:
    index = Index("Cell_Id")
    bindings = [
        Binding(message, signal, Role("pack", field=name), factor, why=_WHY)
        for message, signal, name, factor in _PACK
    ]
    # A cell input that is not wired reports 0 V: unknown, not a dead cell.
    bindings += [
        Binding(
            "Cell_Broadcast", "Cell_Voltage", Role("cell"), valid=_CELL_V, index=index, why=_WHY
        ),
        Binding("Cell_Broadcast", "Cell_Balancing", Role("balancing"), index=index, why=_WHY),
    ]
    for k in range(3):
        bindings.append(
            Binding(
                "Thermistor_Broadcast",
                f"Thermistor_{k + 1}",
                Role("probe"),
                index=Index(f"Thermistor_Id_{k + 1}"),
                why=_WHY,
            )
        )
    return tuple(bindings)


def verify(frames: Frames) -> Evidence:
    """Checksums of the two broadcasts: last byte = id + 8 + the seven before it, modulo 256."""
    plain = (frames.flags & (EXTENDED | REMOTE | ERROR) == 0) & (frames.length == 8)
    checked = right = 0
    for frame_id in (CELL_ID, THERMISTOR_ID):
        rows = frames.data[plain & (frames.id == frame_id), :8].astype(np.int64)
        sums = (rows[:, :7].sum(axis=1) + frame_id + 8) % 256
        checked += len(rows)
        right += int(np.sum(sums == rows[:, 7]))
    if not checked:
        return Evidence(0.0, "no cell broadcast seen")
    return Evidence(right / checked, f"{right} of {checked} checksums right")


_EXAMPLES = (
    # cell 12 (id 11): 3.9215 V, not balancing, 41.14 mOhm, open 3.9215 V
    Example(
        CELL_ID,
        False,
        bytes.fromhex("0b992f1012992ffb"),
        {"cell.12.voltage": 3.9215, "balancing.12": 0.0},
    ),
    Example(
        THERMISTOR_ID,
        False,
        bytes.fromhex("03110411051100bd"),
        {"probe.4": 17.0, "probe.5": 17.0, "probe.6": 17.0},
    ),
    Example(
        0x356,
        False,
        bytes.fromhex("080b0000c800"),
        {"pack.voltage": 282.4, "pack.current": 0.0, "pack.temperature_max": 20.0},
    ),
    Example(
        0x355,
        False,
        bytes.fromhex("5000640007030618"),
        {"pack.soc": 0.80, "pack.soh": 1.0, "pack.full_ah": 156.0},
    ),
)

PROTOCOL = Protocol(
    name="orion",
    title="Orion BMS / Orion BMS 2",
    database=DATABASE,
    mapping=Mapping("orion", _bindings()),
    bitrates=(500_000, 250_000, 125_000, 1_000_000),
    source_confidence="The maker's manual, checked against public captures of one vehicle.",
    required=("Cell_Broadcast",),
    examples=_EXAMPLES,
    verify=verify,
)
