"""Daly BMS over CAN: answers to a host that asks; here only read, whoever asks.

29-bit identifiers 0x18 <command> <host 0x40> <address of the BMS>, big endian, 8 bytes, 250 kbit/s,
no checksum. A question carries the same two addresses the other way round and is no answer. Each
address is a pack of its own. Cells come three to a frame behind the number of the frame, probes
seven. Source: Daly "CAN Communications Protocol V1.0" (2019) as transcribed in public repositories,
beside drivers in use (mr-manuel/venus-os_dbus-serialbattery, ai-republic/bms-to-inverter), and
single frames of cells from two packs, one of them over RS-485, which carries the same bytes.
Two things differ between firmware and document and are learned from the frames. Cell frames count
from 0 in the document, from 1 in firmware. The direction of the current: the most used driver
(dbus-serialbattery) takes more than 30000 for discharge, others the opposite; the state in 0x93
says which one it is as soon as a current flows.
"""

import numpy as np

from protocols.alarm_words import flagged
from protocols.bytecheck import Ints, identifiers, judged, like_cells, payloads, word
from protocols.contract import Evidence, Example, Poll, Protocol
from protocols.frames import Frames
from protocols.roles import Alarm, Binding, Index, Mapping, Role
from protocols.shorthand import LEVELS, big, counted, flag, flags, levels, pack_bindings
from protocols.signals import Database, Message, Signal

CELLS = 48
PROBES = 16
CELLS_PER_FRAME = 3
PROBES_PER_FRAME = 7
STATES = {0: "rest", 1: "charge", 2: "discharge"}
_HOST = 0x18004000
_ANY_ADDRESS = 0x1FFFFF00
_WHY = "Daly protocol"
# Currents below this tell nothing about the direction.
_CLEAR_A = 1.0

_FAULTS = (
    ("Cell_Voltage_High", "Cell_Voltage_Low", "Pack_Voltage_High", "Pack_Voltage_Low"),
    (
        "Charge_Temperature_High",
        "Charge_Temperature_Low",
        "Discharge_Temperature_High",
        "Discharge_Temperature_Low",
    ),
    ("Charge_Current_High", "Discharge_Current_High", "SOC_High", "SOC_Low"),
    ("Cell_Voltage_Difference", "Temperature_Difference", "", ""),
)


def _faults() -> tuple[Signal, ...]:
    found = [s for byte, names in enumerate(_FAULTS) for s in levels(byte, names, LEVELS)]
    return (
        *found,
        *flags(4, ("Charge_MOS_Hot", "Discharge_MOS_Hot", "Charge_MOS_Sensor_Failed")),
        *flags(5, ("AFE_Failed", "Voltage_Sensor_Failed", "Temperature_Sensor_Failed")),
        flag("EEPROM_Failed", 5, 3),
        flag("Clock_Failed", 5, 4),
        big("Fault_Code", 7, 8),
        big("Faults", 0, 56),
    )


def _messages(suffix: str, address: int, mask: int) -> list[Message]:
    def message(command: int, name: str, *signals: Signal) -> Message:
        frame_id = _HOST | command << 16 | address
        return Message(f"{name}{suffix}", frame_id, 8, signals, extended=True, id_mask=mask)

    cells = (big(f"Cell_Voltage_{k + 1}", 1 + 2 * k, 16, 0.001, "V") for k in range(3))
    probes = (
        big(f"Temperature_{k + 1}", 1 + k, 8, 1.0, "degC", offset=-40.0, invalid=(0xFF,))
        for k in range(PROBES_PER_FRAME)
    )
    return [
        message(0x50, "Rated", big("Rated_Capacity", 0, 32, 0.001, "Ah"), big("Rated_Cell", 4, 32)),
        message(
            0x90,
            "Pack_Status",
            big("Pack_Voltage", 0, 16, 0.1, "V"),
            big("Gathered_Voltage", 2, 16, 0.1, "V"),
            big("Pack_Current", 4, 16, 0.1, "A", offset=-3000.0),
            big("SOC", 6, 16, 0.1, "%"),
        ),
        message(
            0x91,
            "Cell_Extremes",
            big("Cell_Voltage_Max", 0, 16, 0.001, "V"),
            big("Cell_Number_Max", 2, 8),
            big("Cell_Voltage_Min", 3, 16, 0.001, "V"),
            big("Cell_Number_Min", 5, 8),
        ),
        message(
            0x92,
            "Temperature_Extremes",
            big("Temperature_Max", 0, 8, 1.0, "degC", offset=-40.0),
            big("Probe_Number_Max", 1, 8),
            big("Temperature_Min", 2, 8, 1.0, "degC", offset=-40.0),
            big("Probe_Number_Min", 3, 8),
        ),
        message(
            0x93,
            "Switches",
            Signal("State", 0, 8, choices=STATES),
            flag("Charge_MOS_On", 1, 0),
            flag("Discharge_MOS_On", 2, 0),
            big("Life_Counter", 3, 8),
            big("Remaining_Capacity", 4, 32, 0.001, "Ah"),
        ),
        message(
            0x94,
            "Pack_Layout",
            big("Cells", 0, 8),
            big("Probes", 1, 8),
            flag("Charger_Connected", 2, 0),
            flag("Load_Connected", 3, 0),
            big("Inputs_Outputs", 4, 8),
            big("Cycles", 5, 16),
        ),
        message(0x95, "Cell_Voltages", big("Frame", 0, 8, invalid=(0xFF,)), *cells),
        message(0x96, "Temperatures", big("Frame", 0, 8, invalid=(0xFF,)), *probes),
        message(
            0x97,
            "Balancing",
            *(flag(f"Cell_{k + 1:02d}_Balancing", k // 8, k % 8) for k in range(CELLS)),
        ),
        message(0x98, "Faults", *_faults()),
    ]


_PACK = (
    ("Pack_Status", "Pack_Voltage", "voltage", 1.0),
    ("Pack_Status", "SOC", "soc", 0.01),
    ("Cell_Extremes", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Cell_Extremes", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    ("Temperature_Extremes", "Temperature_Max", "temperature_max", 1.0),
    ("Temperature_Extremes", "Temperature_Min", "temperature_min", 1.0),
    ("Switches", "Remaining_Capacity", "remaining_ah", 1.0),
    ("Pack_Layout", "Cells", "cell_count", 1.0),
    ("Pack_Layout", "Cycles", "cycles", 1.0),
    ("Faults", "Faults", "fault", 1.0),
)


def _bindings(
    suffix: str, pack: int, first: int, sign: float, count: int, probes: int
) -> list[Binding]:
    listed = (*_PACK, ("Pack_Status", "Pack_Current", "current", sign))
    found = pack_bindings(_WHY, [(f"{m}{suffix}", s, f, k) for m, s, f, k in listed], pack)
    cells = [f"Cell_Voltage_{k + 1}" for k in range(CELLS_PER_FRAME)]
    index = Index("Frame", first=first, stride=CELLS_PER_FRAME)
    found += counted(f"Cell_Voltages{suffix}", cells, "cell", index, _WHY, pack)
    names = [f"Temperature_{k + 1}" for k in range(min(probes, PROBES_PER_FRAME))]
    index = Index("Frame", first=first, stride=PROBES_PER_FRAME)
    # A probe that is not fitted reads 0: -40 degC.
    for binding in counted(f"Temperatures{suffix}", names, "probe", index, _WHY, pack):
        found.append(
            Binding(
                binding.message,
                binding.signal,
                binding.role,
                valid=(-39.0, 200.0),
                index=binding.index,
                why=_WHY,
            )
        )
    for k in range(count):
        role = Role("balancing", k + 1, pack=pack)
        found.append(Binding(f"Balancing{suffix}", f"Cell_{k + 1:02d}_Balancing", role, why=_WHY))
    return found


def _mapping(bindings: list[Binding], alarms: tuple[Alarm, ...], sign: float, note: str) -> Mapping:
    word_for = "+discharge" if sign > 0 else "+charge"
    notes = (note,) if note else ()
    return Mapping("daly", tuple(bindings), sign=word_for, notes=notes, alarms=alarms)


def _first(frames: Frames, address: int) -> int | None:
    """Number of the first cell frame of this BMS; None while the frames do not tell."""
    number = payloads(frames, _HOST | 0x950000 | address, extended=True)[:, 0]
    number = number[number != 0xFF]
    if not len(number):
        return None
    if np.any(number == 0):
        return 0
    if number.min() != 1:
        return None
    layout = payloads(frames, _HOST | 0x940000 | address, extended=True)
    if len(layout) and number.max() >= -(-int(layout[-1, 0]) // CELLS_PER_FRAME):
        return 1
    # Twice round without a 0 between.
    return 1 if np.sum(np.diff(number) < 0) >= 2 else None


def _sign(frames: Frames, address: int) -> float:
    """1 where more than 30000 is discharge, -1 where it is charge: what 0x93 says beside 0x90."""
    mine = identifiers(frames, 0x18900000, 0x1893FFFF, extended=True)
    amps = state = 0.0
    votes = 0
    for frame_id, row in zip(mine.id.tolist(), mine.data[:, :8].astype(np.int64), strict=True):
        if frame_id == _HOST | 0x900000 | address:
            amps = (256 * int(row[4]) + int(row[5]) - 30000) / 10
        elif frame_id == _HOST | 0x930000 | address:
            state = {1: -1.0, 2: 1.0}.get(int(row[0]), 0.0)
            if abs(amps) >= _CLEAR_A:
                votes += int(np.sign(amps) * state)
    return -1.0 if votes < 0 else 1.0


def _addresses(frames: Frames) -> list[int]:
    mine = identifiers(frames, _HOST | 0x950000, _HOST | 0x9500FF, extended=True)
    return sorted(set((mine.id & np.uint32(0xFF)).tolist()))


def _counts(frames: Frames, address: int) -> tuple[int, int]:
    """Cells and probes as 0x94 says; the most that fit while it has not been seen."""
    layout = payloads(frames, _HOST | 0x940000 | address, extended=True)
    cells, probes = layout[-1, :2].tolist() if len(layout) else (CELLS, PROBES)
    return (cells if 1 <= cells <= CELLS else CELLS), (probes if 1 <= probes <= PROBES else PROBES)


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """Numbers, direction of the current, cells and packs as this bus has them."""
    addresses = _addresses(frames)
    if not addresses:
        return None
    messages: list[Message] = []
    bindings: list[Binding] = []
    alarms: tuple[Alarm, ...] = ()
    # One bus has one firmware: the first BMS speaks for the direction of the current.
    sign = _sign(frames, addresses[0])
    for pack, address in enumerate(addresses, 1):
        suffix = "" if len(addresses) == 1 else f"_{address}"
        first = 0 if _first(frames, address) == 0 else 1
        messages += _messages(suffix, address, 0x1FFFFFFF)
        bindings += _bindings(suffix, pack, first, sign, *_counts(frames, address))
        alarms += flagged(messages, ("Faults",), pack, suffix)
    note = f"cell frames count from {0 if _first(frames, addresses[0]) == 0 else 1}"
    return Database("daly", tuple(messages)), _mapping(bindings, alarms, sign, f"{note}, as seen")


def verify(frames: Frames) -> Evidence:
    """Whether cell frames hold voltages of cells and it is clear from where they count."""
    right = checked = 0
    for address in _addresses(frames):
        if _first(frames, address) is None:
            return Evidence(0.0, "the start of the cell frames' numbers is not clear yet")
        rows = payloads(frames, _HOST | 0x950000 | address, extended=True)
        rows = rows[rows[:, 0] != 0xFF]
        right += int(np.sum(rows[:, 0] <= CELLS // CELLS_PER_FRAME))
        checked += len(rows)
        for k in range(CELLS_PER_FRAME):
            fit, of = _cells(rows[:, 0], word(rows, 1 + 2 * k))
            right, checked = right + fit, checked + of
    return judged(right, checked, "cell voltages")


def _cells(numbers: Ints, millivolts: Ints) -> tuple[int, int]:
    there = (millivolts != 0) & (millivolts != 0xFFFF)
    return like_cells(numbers[there], millivolts[there] / 1000.0)


def _poll(command: int, period_s: float, address: int, after: int | None = None) -> Poll:
    """The question of host 0x40 to the BMS with this address; it is shipped with 1."""
    base = 0x18000000 | command << 16
    asks, answers = base | address << 8 | 0x40, base | 0x4000 | address
    return Poll(asks, True, bytes(8), period_s, answers, isotp=False, only_after=after)


# All of one command's answers come at once: a question every 100 ms or so loads neither side.
_PERIODS_S = (
    *((0x90, 0.5), (0x95, 1.0), (0x93, 2.0), (0x96, 2.0), (0x97, 2.0)),
    *((0x91, 5.0), (0x92, 5.0), (0x94, 5.0), (0x98, 5.0), (0x50, 60.0)),
)
_POLLS = tuple(_poll(command, period_s, 1) for command, period_s in _PERIODS_S)
_LOOK_S = 20.0  # is there a pack at another address?
_LAST_ADDRESS = 8
_ELSEWHERE = tuple(
    _poll(command, _LOOK_S, address)
    if command == 0x94
    else _poll(command, period_s, address, after=0x18944000 | address)
    for address in range(2, _LAST_ADDRESS + 1)
    for command, period_s in _PERIODS_S
)
_EXAMPLES = (
    # 53.2 V, 20.5 A flowing out, 73.4 %
    Example(
        0x18904001,
        True,
        bytes.fromhex("02140000 75fd 02de"),
        {"pack.voltage": 53.2, "pack.current": 20.5, "pack.soc": 0.734},
    ),
    Example(
        0x18914001,
        True,
        bytes.fromhex("0cd8 0c 0cd4 0b 0000"),
        {"pack.cell_voltage_max": 3.288, "pack.cell_voltage_min": 3.284},
    ),
    Example(
        0x18924001,
        True,
        bytes.fromhex("41 01 3c 02 00000000"),
        {"pack.temperature_max": 25.0, "pack.temperature_min": 20.0},
    ),
    Example(0x18934001, True, bytes.fromhex("020101130003963f"), {"pack.remaining_ah": 235.071}),
    Example(
        0x18944001,
        True,
        bytes.fromhex("0c02000100002a00"),
        {"pack.cell_count": 12, "pack.cycles": 42},
    ),
    # from a bench with one pack
    Example(
        0x18954001,
        True,
        bytes.fromhex("01 0cfd 0d03 0d04 00"),
        {"cell.1.voltage": 3.325, "cell.2.voltage": 3.331, "cell.3.voltage": 3.332},
    ),
    # from the field (ai-republic/bms-to-inverter, issue 34)
    Example(
        0x18954001,
        True,
        bytes.fromhex("04 0cd7 0cd4 0cd8 00"),
        {"cell.10.voltage": 3.287, "cell.11.voltage": 3.284, "cell.12.voltage": 3.288},
    ),
    # two probes; the places that are not fitted read 0
    Example(
        0x18964001, True, bytes.fromhex("01413c0000000000"), {"probe.1": 25.0, "probe.2": 20.0}
    ),
    Example(
        0x18974001,
        True,
        bytes.fromhex("0108000000000000"),
        {f"balancing.{n}": float(n in (1, 12)) for n in range(1, CELLS + 1)},
    ),
    Example(0x18984001, True, bytes.fromhex("0000000000000000"), {"pack.fault": 0.0}),
)

PROTOCOL = Protocol(
    name="daly",
    title="Daly BMS",
    database=Database("daly", tuple(_messages("", 0, _ANY_ADDRESS))),
    mapping=_mapping(
        _bindings("", 1, 1, 1.0, CELLS, PROBES), flagged(_messages("", 0, 0), ("Faults",)), 1.0, ""
    ),
    bitrates=(250_000, 500_000),
    source_confidence="The maker's document and public drivers; single frames of two packs.",
    required=("Cell_Voltages",),
    examples=_EXAMPLES,
    verify=verify,
    specialise=specialise,
    polls=_POLLS,
    elsewhere=_ELSEWHERE,
)
