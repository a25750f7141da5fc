"""The protocol of the simulated scooter pack: our own, documented here, also as a DBC.

Standard ids 0x3A0 to 0x3AF, little endian, 8 data bytes in every message, 500 kbit/s or 1 Mbit/s.
`resources/databases/scooter.dbc` says the same for other tools; `tests/test_scooter.py` compares
the two. Current is positive on discharge. "Unknown" is all bits set (unsigned) or the lowest
number (signed). Cells and probes are numbered from 1, and a frame of them begins with the number
of its first one, which is also the multiplexer: cells 1-3 are sent with selector 1, 4-6 with 4.

| id | message | usual period | content |
|---|---|---|---|
| 0x3A0 | Pack_Status | 10 ms | u24 1 mV voltage; s24 1 mA current; u16 0.01 % SOC |
| 0x3A1 | Pack_State | 100 ms | u8 state; flags; u16 faults; u16 0.01 % SOH; warnings; counter |
| 0x3A2 | Pack_Limits | 100 ms | u16 0.1 A charge, discharge; u16 0.1 V charge, discharge |
| 0x3A3 | Cell_Extremes | 100 ms | u16 0.1 mV lowest, highest; u16 their cell numbers |
| 0x3A4 | Temperature_Extremes | 1 s | s16 0.1 degC lowest, highest, board; u8 their probe numbers |
| 0x3A5 | Pack_Charge | 1 s | u24 1 mAh remaining, full; u16 cycles |
| 0x3A6 | Pack_Counters | 1 s | u32 s since start; u32 0.01 Ah discharged in its life |
| 0x3A8 | Cell_Voltages | 1-100 ms | u16 first cell; 3 x u16 0.1 mV |
| 0x3A9 | Temperatures | 1 s | u16 first probe; 3 x s16 0.1 degC |
| 0x3AA | Balancing | 100 ms | u16 first cell; u16 cells in the pack; 32 bits, lowest = first cell |
| 0x3AF | Identity | 1 s | u8 part; 0: layout; 1: capacity, firmware; 2-5: serial number, ASCII |
"""

import numpy as np

from protocols.alarm_words import bitmap
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import ERROR, EXTENDED, REMOTE, Frames
from protocols.roles import Binding, Mapping, Role
from protocols.signals import Database, Message, MuxCondition, Signal

MAX_CELLS = 400
MAX_PROBES = 120
CELLS_PER_FRAME = 3
PROBES_PER_FRAME = 3
BALANCING_PER_FRAME = 32
SERIAL_LENGTH = 28
SERIAL_PER_FRAME = 7
FIRST_SERIAL_PART = 2

STATES = {0: "rest", 1: "ride", 2: "charge", 3: "fault", 4: "full", 5: "empty"}
CHEMISTRIES = {0: "unknown", 1: "NMC", 2: "NCA", 3: "LFP", 4: "LCO", 5: "LMO"}
FAULTS = (
    "Cell_Overvoltage",
    "Cell_Undervoltage",
    "Overcurrent_Charge",
    "Overcurrent_Discharge",
    "Overtemperature",
    "Undertemperature",
    "Short_Circuit",
    "Sensor_Fault",
)

_U16 = (0xFFFF,)
_S16 = (-0x8000,)
_U24 = (0xFFFFFF,)
_S24 = (-0x800000,)


def _flag(name: str, bit: int, comment: str) -> Signal:
    return Signal(name, bit, 1, maximum=1, minimum=0, comment=comment)


def _pack_messages() -> tuple[Message, ...]:
    status = Message(
        "Pack_Status",
        0x3A0,
        8,
        (
            Signal("Pack_Voltage", 0, 24, scale=0.001, unit="V", invalid=_U24),
            Signal("Pack_Current", 24, 24, signed=True, scale=0.001, unit="A", invalid=_S24),
            Signal("SOC", 48, 16, scale=0.01, unit="%", invalid=_U16),
        ),
        comment="Current is positive on discharge",
    )
    state = Message(
        "Pack_State",
        0x3A1,
        8,
        (
            Signal("State", 0, 8, choices=STATES),
            _flag("Charging", 8, "1 while charge current flows in"),
            _flag("Discharging", 9, "1 while the pack delivers current"),
            _flag("Balancing_Active", 10, "1 while any cell is balanced"),
            _flag("Charge_Allowed", 11, "1 while the BMS permits charging"),
            _flag("Discharge_Allowed", 12, "1 while the BMS permits discharging"),
            _flag("Derating", 13, "1 while a limit is reduced"),
            _flag("Contactor_Closed", 14, "1 while the pack is connected"),
            _flag("Simulated", 15, "1 when no real pack stands behind these frames"),
            Signal("Fault", 16, 16, comment="bits from 0: " + ", ".join(FAULTS)),
            Signal("SOH", 32, 16, scale=0.01, unit="%", invalid=_U16),
            Signal("Warnings", 48, 8, comment="bits as in Fault, before the limit is reached"),
            Signal("Life_Counter", 56, 8, comment="rises by one with every frame"),
        ),
    )
    limits = Message(
        "Pack_Limits",
        0x3A2,
        8,
        (
            Signal("Charge_Current_Limit", 0, 16, scale=0.1, unit="A", invalid=_U16),
            Signal("Discharge_Current_Limit", 16, 16, scale=0.1, unit="A", invalid=_U16),
            Signal("Charge_Voltage_Limit", 32, 16, scale=0.1, unit="V", invalid=_U16),
            Signal("Discharge_Voltage_Limit", 48, 16, scale=0.1, unit="V", invalid=_U16),
        ),
    )
    cells = Message(
        "Cell_Extremes",
        0x3A3,
        8,
        (
            Signal("Cell_Voltage_Min", 0, 16, scale=0.0001, unit="V", invalid=_U16),
            Signal("Cell_Voltage_Max", 16, 16, scale=0.0001, unit="V", invalid=_U16),
            Signal("Cell_Number_Min", 32, 16, comment="number of the lowest cell, from 1"),
            Signal("Cell_Number_Max", 48, 16, comment="number of the highest cell, from 1"),
        ),
    )
    temperatures = Message(
        "Temperature_Extremes",
        0x3A4,
        8,
        (
            Signal("Temperature_Min", 0, 16, signed=True, scale=0.1, unit="degC", invalid=_S16),
            Signal("Temperature_Max", 16, 16, signed=True, scale=0.1, unit="degC", invalid=_S16),
            Signal("Board_Temperature", 32, 16, signed=True, scale=0.1, unit="degC", invalid=_S16),
            Signal("Probe_Number_Min", 48, 8, comment="number of the coldest probe, from 1"),
            Signal("Probe_Number_Max", 56, 8, comment="number of the hottest probe, from 1"),
        ),
    )
    charge = Message(
        "Pack_Charge",
        0x3A5,
        8,
        (
            Signal("Remaining_Capacity", 0, 24, scale=0.001, unit="Ah", invalid=_U24),
            Signal("Full_Capacity", 24, 24, scale=0.001, unit="Ah", invalid=_U24),
            Signal("Cycles", 48, 16, invalid=_U16),
        ),
    )
    counters = Message(
        "Pack_Counters",
        0x3A6,
        8,
        (
            Signal("Uptime", 0, 32, unit="s"),
            Signal("Discharged_Total", 32, 32, scale=0.01, unit="Ah"),
        ),
    )
    return status, state, limits, cells, temperatures, charge, counters


def _cell_voltages() -> Message:
    signals = [Signal("First_Cell", 0, 16, is_selector=True, comment="from 1")]
    for number in range(1, MAX_CELLS + 1):
        slot = (number - 1) % CELLS_PER_FRAME
        condition = MuxCondition("First_Cell", (number - slot,))
        signals.append(
            Signal(
                f"Cell_{number:03d}_Voltage",
                16 + 16 * slot,
                16,
                scale=0.0001,
                unit="V",
                mux=(condition,),
                invalid=_U16,
            )
        )
    return Message("Cell_Voltages", 0x3A8, 8, tuple(signals))


def _temperatures() -> Message:
    signals = [Signal("First_Probe", 0, 16, is_selector=True, comment="from 1")]
    for number in range(1, MAX_PROBES + 1):
        slot = (number - 1) % PROBES_PER_FRAME
        condition = MuxCondition("First_Probe", (number - slot,))
        signals.append(
            Signal(
                f"Probe_{number:03d}_Temperature",
                16 + 16 * slot,
                16,
                signed=True,
                scale=0.1,
                unit="degC",
                mux=(condition,),
                invalid=_S16,
            )
        )
    return Message("Temperatures", 0x3A9, 8, tuple(signals))


def _balancing() -> Message:
    signals = [
        Signal("First_Balancing_Cell", 0, 16, is_selector=True, comment="from 1"),
        Signal("Balancing_Cell_Count", 16, 16, comment="cells in the pack; bits beyond are void"),
    ]
    for number in range(1, MAX_CELLS + 1):
        bit = (number - 1) % BALANCING_PER_FRAME
        condition = MuxCondition("First_Balancing_Cell", (number - bit,))
        signals.append(Signal(f"Cell_{number:03d}_Balancing", 32 + bit, 1, mux=(condition,)))
    return Message("Balancing", 0x3AA, 8, tuple(signals))


def _identity() -> Message:
    layout = (MuxCondition("Part", (0,)),)
    maker = (MuxCondition("Part", (1,)),)
    signals = [
        Signal("Part", 0, 8, is_selector=True),
        Signal("Protocol_Version", 8, 8, mux=layout, comment="this document is version 1"),
        Signal("Cells_In_Series", 16, 16, mux=layout),
        Signal("Cells_In_Parallel", 32, 8, mux=layout),
        Signal("Chemistry", 40, 8, mux=layout, choices=CHEMISTRIES),
        Signal("Probes", 48, 8, mux=layout),
        Signal("Rated_Capacity", 8, 24, scale=0.001, unit="Ah", mux=maker),
        Signal("Firmware_Major", 32, 8, mux=maker),
        Signal("Firmware_Minor", 40, 8, mux=maker),
        Signal("Firmware_Patch", 48, 8, mux=maker),
    ]
    for index in range(SERIAL_LENGTH):
        part, slot = divmod(index, SERIAL_PER_FRAME)
        condition = MuxCondition("Part", (FIRST_SERIAL_PART + part,))
        signals.append(
            Signal(f"Serial_{index + 1:02d}", 8 + 8 * slot, 8, mux=(condition,), comment="ASCII")
        )
    return Message("Identity", 0x3AF, 8, tuple(signals))


DATABASE = Database(
    "scooter",
    (*_pack_messages(), _cell_voltages(), _temperatures(), _balancing(), _identity()),
)

_PACK_FIELDS = (
    ("Pack_Status", "Pack_Voltage", "voltage", 1.0),
    ("Pack_Status", "Pack_Current", "current", 1.0),
    ("Pack_Status", "SOC", "soc", 0.01),
    ("Pack_State", "SOH", "soh", 0.01),
    ("Pack_State", "Charging", "charging", 1.0),
    ("Pack_State", "Fault", "fault", 1.0),
    ("Pack_Limits", "Charge_Current_Limit", "charge_current_limit", 1.0),
    ("Pack_Limits", "Discharge_Current_Limit", "discharge_current_limit", 1.0),
    ("Pack_Limits", "Charge_Voltage_Limit", "charge_voltage_limit", 1.0),
    ("Pack_Limits", "Discharge_Voltage_Limit", "discharge_voltage_limit", 1.0),
    ("Cell_Extremes", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    ("Cell_Extremes", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Temperature_Extremes", "Temperature_Min", "temperature_min", 1.0),
    ("Temperature_Extremes", "Temperature_Max", "temperature_max", 1.0),
    ("Pack_Charge", "Remaining_Capacity", "remaining_ah", 1.0),
    ("Pack_Charge", "Full_Capacity", "full_ah", 1.0),
    ("Pack_Charge", "Cycles", "cycles", 1.0),
    ("Identity", "Cells_In_Series", "cell_count", 1.0),
)


def _bindings() -> tuple[Binding, ...]:
    why = "scooter protocol"
    bindings = [
        Binding(message, signal, Role("pack", field=field), factor, why=why)
        for message, signal, field, factor in _PACK_FIELDS
    ]
    for number in range(1, MAX_CELLS + 1):
        name = f"Cell_{number:03d}"
        bindings.append(Binding("Cell_Voltages", f"{name}_Voltage", Role("cell", number), why=why))
        bindings.append(
            Binding(
                "Balancing",
                f"{name}_Balancing",
                Role("balancing", number),
                count_signal="Balancing_Cell_Count",
                why=why,
            )
        )
    for number in range(1, MAX_PROBES + 1):
        name = f"Probe_{number:03d}_Temperature"
        bindings.append(Binding("Temperatures", name, Role("probe", number), why=why))
    return tuple(bindings)


def serial(frames: Frames) -> str | None:
    """The pack's serial number; None until the frames hold every part of it.

    Parts beyond the one with the text's end (a zero byte) need not have been seen.
    """
    mine = (frames.id == 0x3AF) & (frames.flags & (EXTENDED | REMOTE | ERROR) == 0)
    rows = frames.data[mine & (frames.length == 8)]
    text = b""
    for part in range(FIRST_SERIAL_PART, FIRST_SERIAL_PART + SERIAL_LENGTH // SERIAL_PER_FRAME):
        seen = np.flatnonzero(rows[:, 0] == part)
        if not len(seen):
            return None
        text += rows[seen[-1], 1:8].tobytes()
        if b"\0" in text:
            break
    letters = text.split(b"\0")[0].decode("ascii", "replace").strip()
    return letters or None


def identity(frames: Frames) -> dict[str, str]:
    """Firmware and chemistry."""
    mine = (frames.id == 0x3AF) & (frames.flags & (EXTENDED | REMOTE | ERROR) == 0)
    rows = frames.data[mine & (frames.length == 8)]
    layout, maker = rows[rows[:, 0] == 0], rows[rows[:, 0] == 1]
    firmware = ".".join(str(n) for n in maker[-1, 4:7].tolist()) if len(maker) else ""
    chemistry = CHEMISTRIES.get(int(layout[-1, 5]), "") if len(layout) else ""
    return {"firmware": firmware, "chemistry": chemistry.replace("unknown", "")}


def verify(frames: Frames) -> Evidence:
    """Whether selectors count as the protocol says: cells 1, 4, 7 …, balancing 1, 33 …"""
    plain = frames.flags & (EXTENDED | REMOTE | ERROR) == 0
    checked = wrong = 0
    for frame_id, step in ((0x3A8, CELLS_PER_FRAME), (0x3A9, PROBES_PER_FRAME), (0x3AA, 32)):
        rows = frames.data[plain & (frames.id == frame_id), :2].astype(np.int64)
        first = rows[:, 0] + 256 * rows[:, 1]
        checked += len(first)
        wrong += int(np.sum((first < 1) | (first > MAX_CELLS) | ((first - 1) % step != 0)))
    if not checked:
        return Evidence(0.0, "no cell, probe or balancing frame seen")
    return Evidence(1.0 - wrong / checked, f"{checked - wrong} of {checked} group numbers fit")


_EXAMPLES = (
    # 74.123 V, -12.5 A (charging), 81.25 %
    Example(
        0x3A0,
        False,
        bytes.fromhex("8b21012ccfffbd1f"),
        {"pack.voltage": 74.123, "pack.current": -12.5, "pack.soc": 0.8125},
    ),
    # cells 19 and 20 of a pack of 20; the third place is void
    Example(
        0x3A8,
        False,
        bytes.fromhex("1300a08c748effff"),
        {"cell.19.voltage": 3.6, "cell.20.voltage": 3.6468},
    ),
    # probes 1 and 2, 24.5 and -3.2 degC; the third unknown
    Example(0x3A9, False, bytes.fromhex("0100f500e0ff0080"), {"probe.1": 24.5, "probe.2": -3.2}),
    # a pack of 36 cells: 33 and 36 are being balanced
    Example(
        0x3AA,
        False,
        bytes.fromhex("2100240009000000"),
        {"balancing.33": 1, "balancing.34": 0, "balancing.35": 0, "balancing.36": 1},
    ),
    Example(0x3AF, False, bytes.fromhex("0001140006010400"), {"pack.cell_count": 20}),
)

PROTOCOL = Protocol(
    name="scooter",
    identity=identity,
    title="BMS Studio scooter pack",
    database=DATABASE,
    mapping=Mapping(
        "scooter",
        _bindings(),
        alarms=(
            *bitmap("Pack_State", "Fault", FAULTS),
            *bitmap("Pack_State", "Warnings", FAULTS, "warning"),
        ),
    ),
    bitrates=(500_000, 1_000_000),
    source_confidence="Our own protocol: this module is its definition.",
    required=("Pack_Status", "Cell_Voltages"),
    examples=_EXAMPLES,
    verify=verify,
    serial=serial,
)
