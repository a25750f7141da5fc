"""EMUS G1 BMS: cell messages of its own beside pack messages in the Pylontech high-voltage layout.

29-bit identifiers, 250 kbit/s, broadcast. Cells are single bytes of 10 mV above 2 V, eight to a
frame (0x19B50100 and up), balancing rates likewise (0x19B50300 and up); 0x19B50000 counts the
cells. A raw 0 is taken for a place without a cell, so a cell of exactly 2.00 V would be unknown.
The temperature group 0x19B50200 is not described in the source. Pack quantities (0x4210 and up) are
little endian, with offsets. Source: dalathegreat/Battery-Emulator EMUS-BMS.cpp; no log was at hand.
Current: that source hands it on with its own sign, in which charging is positive.
"""

import numpy as np

from protocols.bytecheck import judged, like_cells, payloads
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import NO_YES, big, cell, little, pack_bindings
from protocols.signals import Database, Message, MuxCondition, Signal

CELLS = 256
_PER_FRAME = 8
_COUNT_ID = 0x19B50000
_CELL_ID = 0x19B50100
_BALANCING_ID = 0x19B50300
_WHY = "EMUS protocol"
_ABSENT = (0, 0xFF)
# The last digit is the address of the pack controller.
_ANY_ADDRESS = 0x1FFFFFFE
_OFF, _ON = (0,), tuple(range(1, 256))


def _pack_messages() -> tuple[Message, ...]:
    def message(frame_id: int, name: str, *signals: Signal) -> Message:
        return Message(name, frame_id, 8, signals, extended=True, id_mask=_ANY_ADDRESS)

    return (
        message(
            0x4210,
            "Pack_Status",
            little("Pack_Voltage", 0, 16, 0.1, "V"),
            little("Pack_Current", 2, 16, 0.1, "A", offset=-3000.0, comment="+ = charge"),
            little("Temperature", 4, 16, 0.1, "degC", offset=-100.0),
            little("SOC", 6, 8, 1.0, "%"),
            little("SOH", 7, 8, 1.0, "%"),
        ),
        message(
            0x4220,
            "Limits",
            little("Charge_Voltage_Limit", 0, 16, 0.1, "V"),
            little("Discharge_Voltage_Limit", 2, 16, 0.1, "V"),
            little("Charge_Current_Limit", 4, 16, 0.1, "A", offset=-3000.0),
            little("Discharge_Current_Limit", 6, 16, 0.1, "A", offset=-3000.0),
        ),
        message(
            0x4230,
            "Cell_Extremes",
            little("Cell_Voltage_Max", 0, 16, 0.001, "V"),
            little("Cell_Voltage_Min", 2, 16, 0.001, "V"),
            little("Cell_Number_Max", 4, 16),
            little("Cell_Number_Min", 6, 16),
        ),
        message(
            0x4240,
            "Temperature_Extremes",
            little("Temperature_Max", 0, 16, 0.1, "degC", offset=-100.0),
            little("Temperature_Min", 2, 16, 0.1, "degC", offset=-100.0),
        ),
    )


def _cell_message(group: int) -> Message:
    first = _PER_FRAME * group + 1
    signals = tuple(
        big(f"Cell_{first + k:03d}", k, 8, 0.01, "V", offset=2.0, invalid=_ABSENT)
        for k in range(_PER_FRAME)
    )
    return Message(f"Cells_{first:03d}", _CELL_ID + group, 8, signals, extended=True)


def _balancing_message(group: int) -> Message:
    """Rates; beside each two signals that say whether the rate is zero or not."""
    first = _PER_FRAME * group + 1
    signals: list[Signal] = []
    for k in range(_PER_FRAME):
        rate = f"Rate_{first + k:03d}"
        signals.append(big(rate, k, 8, 1 / 2.55, "%"))
        for word, values in (("Off", _OFF), ("On", _ON)):
            condition = (MuxCondition(rate, values),)
            name = f"Cell_{first + k:03d}_Balancing_{word}"
            signals.append(Signal(name, 8 * k, 8, choices=NO_YES, mux=condition))
    name = f"Balancing_{first:03d}"
    return Message(name, _BALANCING_ID + group, 8, tuple(signals), extended=True)


_GROUPS = range(CELLS // _PER_FRAME)
DATABASE = Database(
    "emus",
    (
        Message("Pack_Layout", _COUNT_ID, 8, (big("Cells", 7, 8),), extended=True),
        *(_cell_message(group) for group in _GROUPS),
        *(_balancing_message(group) for group in _GROUPS),
        *_pack_messages(),
    ),
)
_PACK = (
    ("Pack_Layout", "Cells", "cell_count", 1.0),
    ("Pack_Status", "Pack_Voltage", "voltage", 1.0),
    ("Pack_Status", "Pack_Current", "current", -1.0),
    ("Pack_Status", "SOC", "soc", 0.01),
    ("Pack_Status", "SOH", "soh", 0.01),
    ("Limits", "Charge_Voltage_Limit", "charge_voltage_limit", 1.0),
    ("Limits", "Discharge_Voltage_Limit", "discharge_voltage_limit", 1.0),
    ("Limits", "Charge_Current_Limit", "charge_current_limit", 1.0),
    # Negative on the wire: the direction of the current.
    ("Limits", "Discharge_Current_Limit", "discharge_current_limit", -1.0),
    ("Cell_Extremes", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Cell_Extremes", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    ("Temperature_Extremes", "Temperature_Max", "temperature_max", 1.0),
    ("Temperature_Extremes", "Temperature_Min", "temperature_min", 1.0),
)


def _mapping(count: int) -> Mapping:
    found: list[Binding] = pack_bindings(_WHY, _PACK)
    for number in range(1, count + 1):
        first = number - (number - 1) % _PER_FRAME
        found.append(cell(f"Cells_{first:03d}", f"Cell_{number:03d}", number, _WHY))
        message, name = f"Balancing_{first:03d}", f"Cell_{number:03d}_Balancing"
        role = Role("balancing", number)
        # Any rate is balancing: 0 * rate + 1.
        found.append(Binding(message, f"{name}_Off", role, why=_WHY))
        found.append(Binding(message, f"{name}_On", role, 0.0, 1.0, why=_WHY))
    return Mapping("emus", tuple(found), sign="+charge")


def _count(frames: Frames) -> int:
    """How many cells the pack says it has; 0 while it has not said so."""
    rows = payloads(frames, _COUNT_ID, extended=True)
    return int(rows[-1, 7]) if len(rows) else 0


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """Only the cells that the pack counts, once it has said so."""
    count = _count(frames)
    return (DATABASE, _mapping(count)) if count else None


def verify(frames: Frames) -> Evidence:
    """Whether the counted places are filled and behave like cells: the range fits any byte."""
    right = checked = 0
    for number in range(1, _count(frames) + 1):
        group, place = divmod(number - 1, _PER_FRAME)
        raw = payloads(frames, _CELL_ID + group, extended=True)[:, place]
        volts = raw[~np.isin(raw, _ABSENT)] / 100.0 + 2.0
        fit, _ = like_cells(np.zeros(len(volts), np.int64), volts)
        right, checked = right + fit, checked + len(raw)
    return judged(right, checked, "cell voltages")


_EXAMPLES = (
    Example(_COUNT_ID, True, bytes.fromhex("000500030001000c"), {"pack.cell_count": 12.0}),
    Example(
        _CELL_ID,
        True,
        bytes.fromhex("7b7c7b7b7a7b7b7b"),
        {
            f"cell.{n}.voltage": v
            for n, v in enumerate((3.23, 3.24, 3.23, 3.23, 3.22, 3.23, 3.23, 3.23), 1)
        },
    ),
    # cells 9 to 12; the other places are empty
    Example(
        _CELL_ID + 1,
        True,
        bytes.fromhex("7b7c7b7b00000000"),
        {
            "cell.9.voltage": 3.23,
            "cell.10.voltage": 3.24,
            "cell.11.voltage": 3.23,
            "cell.12.voltage": 3.23,
        },
    ),
    # cell 2 at full rate, cell 5 at half of it
    Example(
        _BALANCING_ID,
        True,
        bytes.fromhex("00ff000080000000"),
        {f"balancing.{n}": float(n in (2, 5)) for n in range(1, 9)},
    ),
    # 384.0 V, 12.5 A flowing out (29875), 80 %, 98 %
    Example(
        0x4210,
        True,
        bytes.fromhex("000fb374e2045062"),
        {"pack.voltage": 384.0, "pack.current": 12.5, "pack.soc": 0.80, "pack.soh": 0.98},
    ),
    # 50.0 A in, 120.0 A out (28800)
    Example(
        0x4220,
        True,
        bytes.fromhex("68105c0d24778070"),
        {
            "pack.charge_voltage_limit": 420.0,
            "pack.discharge_voltage_limit": 342.0,
            "pack.charge_current_limit": 50.0,
            "pack.discharge_current_limit": 120.0,
        },
    ),
)

PROTOCOL = Protocol(
    name="emus",
    title="EMUS BMS",
    database=DATABASE,
    mapping=_mapping(CELLS),
    bitrates=(250_000, 500_000),
    source_confidence="One public decoder; no real capture was available.",
    required=("Cells_001", "Pack_Layout"),
    examples=_EXAMPLES,
    verify=verify,
    specialise=specialise,
)
