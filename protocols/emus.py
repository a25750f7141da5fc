"""EMUS G1 BMS: single cells, balancing and temperatures, eight bytes of a kind to a frame.

29-bit identifiers from 0x19B50000 on, 250 kbit/s, broadcast or asked for with an empty frame of the
same identifier; big endian. Cells are single bytes of 10 mV above 2 V (0x100 and up), balancing
rates (0x300), temperatures of the cell modules (0x200) and of the cells (0x800) bytes of 1 degC
above -100. A raw 0 is taken for a place without a cell, so a cell of exactly 2.00 V is unknown.
0x000 counts the cells. Pack quantities come from 0x001, 0x008 and 0x500, or, where the BMS plays a
Pylontech high-voltage battery to an inverter, from 0x4210 and up. Source: dalathegreat/
Battery-Emulator EMUS-BMS.cpp for the cells and the second kind; a public decoder of an electric
motorcycle and the ZombieVerter project for the first. No log was at hand. Both take a negative
current for discharge.
"""

import numpy as np

from protocols.bytecheck import judged, like_cells, payloads
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import NO_YES, big, cell, little, pack_bindings, probe
from protocols.signals import Database, Message, MuxCondition, Signal

CELLS = 256
_PER_FRAME = 8
_COUNT_ID = 0x19B50000
_CELL_ID = 0x19B50100
_MODULE_PROBE_ID = 0x19B50200
_BALANCING_ID = 0x19B50300
_CELL_PROBE_ID = 0x19B50800
_VOLTAGES_ID = 0x19B50001
_WHY = "EMUS protocol"
_ABSENT = (0, 0xFF)
# The last digit is the address of the pack controller.
_ANY_ADDRESS = 0x1FFFFFFE
_OFF, _ON = (0,), tuple(range(1, 256))


def _own_messages() -> tuple[Message, ...]:
    def message(frame_id: int, name: str, *signals: Signal) -> Message:
        return Message(name, frame_id, 8, signals, extended=True)

    def extremes() -> tuple[Signal, ...]:
        names = ("Temperature_Min", "Temperature_Max", "Temperature_Mean")
        return tuple(
            big(name, k, 8, 1.0, "degC", offset=-100.0, invalid=_ABSENT)
            for k, name in enumerate(names)
        )

    small = (MuxCondition("Voltage_High_Word", (0,)),)
    return (
        message(_COUNT_ID, "Pack_Layout", big("Cells", 7, 8)),
        message(
            _VOLTAGES_ID,
            "Voltages",
            big("Cell_Voltage_Min", 0, 8, 0.01, "V", offset=2.0),
            big("Cell_Voltage_Max", 1, 8, 0.01, "V", offset=2.0),
            big("Cell_Voltage_Mean", 2, 8, 0.01, "V", offset=2.0),
            # 32 bits with the lower half first: above 655 V it would take two signals to add.
            big("Voltage_High_Word", 5, 16),
            big("Pack_Voltage", 3, 16, 0.01, "V", mux=small),
        ),
        message(0x19B50002, "Module_Temperatures", *extremes()),
        message(0x19B50008, "Cell_Temperatures", *extremes()),
        message(
            0x19B50500,
            "Charge",
            big("Pack_Current", 0, 16, 0.1, "A", signed=True, comment="+ = charge"),
            big("Remaining_Capacity", 2, 16, 0.1, "Ah"),
            big("SOC", 6, 8, 1.0, "%"),
        ),
    )


def _pylon_messages() -> tuple[Message, ...]:
    def message(frame_id: int, name: str, *signals: Signal) -> Message:
        return Message(name, frame_id, 8, signals, extended=True, id_mask=_ANY_ADDRESS)

    return (
        message(
            0x4210,
            "Pylon_Status",
            little("Pack_Voltage", 0, 16, 0.1, "V"),
            little("Pack_Current", 2, 16, 0.1, "A", offset=-3000.0, comment="+ = charge"),
            little("Temperature", 4, 16, 0.1, "degC", offset=-100.0),
            little("SOC", 6, 8, 1.0, "%"),
            little("SOH", 7, 8, 1.0, "%"),
        ),
        message(
            0x4220,
            "Pylon_Limits",
            little("Charge_Voltage_Limit", 0, 16, 0.1, "V"),
            little("Discharge_Voltage_Limit", 2, 16, 0.1, "V"),
            little("Charge_Current_Limit", 4, 16, 0.1, "A", offset=-3000.0),
            little("Discharge_Current_Limit", 6, 16, 0.1, "A", offset=-3000.0),
        ),
        message(
            0x4230,
            "Pylon_Cells",
            little("Cell_Voltage_Max", 0, 16, 0.001, "V"),
            little("Cell_Voltage_Min", 2, 16, 0.001, "V"),
            little("Cell_Number_Max", 4, 16),
            little("Cell_Number_Min", 6, 16),
        ),
        message(
            0x4240,
            "Pylon_Temperatures",
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


def _probe_message(kind: str, base: int, group: int) -> Message:
    first = _PER_FRAME * group + 1
    signals = tuple(
        big(f"{kind}_Probe_{first + k:03d}", k, 8, 1.0, "degC", offset=-100.0, invalid=_ABSENT)
        for k in range(_PER_FRAME)
    )
    return Message(f"{kind}_Probes_{first:03d}", base + group, 8, signals, extended=True)


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
        *_own_messages(),
        *(_cell_message(group) for group in _GROUPS),
        *(_balancing_message(group) for group in _GROUPS),
        *(_probe_message("Module", _MODULE_PROBE_ID, group) for group in _GROUPS),
        *(_probe_message("Cell", _CELL_PROBE_ID, group) for group in _GROUPS),
        *_pylon_messages(),
    ),
)
_OWN = (
    ("Pack_Layout", "Cells", "cell_count", 1.0),
    ("Voltages", "Pack_Voltage", "voltage", 1.0),
    ("Voltages", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Voltages", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    ("Charge", "Pack_Current", "current", -1.0),
    ("Charge", "SOC", "soc", 0.01),
    ("Charge", "Remaining_Capacity", "remaining_ah", 1.0),
    ("Cell_Temperatures", "Temperature_Max", "temperature_max", 1.0),
    ("Cell_Temperatures", "Temperature_Min", "temperature_min", 1.0),
)
_PYLON = (
    ("Pack_Layout", "Cells", "cell_count", 1.0),
    ("Pylon_Status", "Pack_Voltage", "voltage", 1.0),
    ("Pylon_Status", "Pack_Current", "current", -1.0),
    ("Pylon_Status", "SOC", "soc", 0.01),
    ("Pylon_Status", "SOH", "soh", 0.01),
    ("Pylon_Limits", "Charge_Voltage_Limit", "charge_voltage_limit", 1.0),
    ("Pylon_Limits", "Discharge_Voltage_Limit", "discharge_voltage_limit", 1.0),
    ("Pylon_Limits", "Charge_Current_Limit", "charge_current_limit", 1.0),
    # Negative on the wire: the direction of the current.
    ("Pylon_Limits", "Discharge_Current_Limit", "discharge_current_limit", -1.0),
    ("Pylon_Cells", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Pylon_Cells", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
    ("Pylon_Temperatures", "Temperature_Max", "temperature_max", 1.0),
    ("Pylon_Temperatures", "Temperature_Min", "temperature_min", 1.0),
)


def _mapping(count: int, own: bool, probes: str) -> Mapping:
    """own: pack quantities from the BMS's own messages. probes: "Cell" or "Module"."""
    found: list[Binding] = pack_bindings(_WHY, _OWN if own else _PYLON)
    for number in range(1, count + 1):
        first = number - (number - 1) % _PER_FRAME
        found.append(cell(f"Cells_{first:03d}", f"Cell_{number:03d}", number, _WHY))
        message = f"{probes}_Probes_{first:03d}"
        found.append(probe(message, f"{probes}_Probe_{number:03d}", number, _WHY))
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
    """The cells that the pack counts, and the sources that this bus has."""
    count = _count(frames)
    if not count:
        return None
    own = len(payloads(frames, _VOLTAGES_ID, extended=True)) > 0
    cells = len(payloads(frames, _CELL_PROBE_ID, extended=True, length=2)) > 0
    return DATABASE, _mapping(count, own, "Cell" if cells else "Module")


def verify(frames: Frames) -> Evidence:
    """Whether the counted places are filled and behave like cells: the range fits any byte."""
    right = checked = 0
    for number in range(1, _count(frames) + 1):
        group, place = divmod(number - 1, _PER_FRAME)
        # Shorter frames of the same identifier are questions.
        raw = payloads(frames, _CELL_ID + group, extended=True, length=2)[:, place]
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
    # 38.76 V, cells from 3.22 to 3.24 V
    Example(
        _VOLTAGES_ID,
        True,
        bytes.fromhex("7a7c7b0f24000000"),
        {
            "pack.voltage": 38.76,
            "pack.cell_voltage_min": 3.22,
            "pack.cell_voltage_max": 3.24,
        },
    ),
    # 12.5 A flowing out, 63.0 Ah left, 73 %
    Example(
        0x19B50500,
        True,
        bytes.fromhex("ff83027600004900"),
        {"pack.current": 12.5, "pack.remaining_ah": 63.0, "pack.soc": 0.73},
    ),
    Example(
        0x19B50008,
        True,
        bytes.fromhex("787d7b0000000000"),
        {"pack.temperature_min": 20.0, "pack.temperature_max": 25.0},
    ),
    Example(
        _CELL_PROBE_ID,
        True,
        bytes.fromhex("787d000000000000"),
        {"probe.1": 20.0, "probe.2": 25.0},
    ),
)

PROTOCOL = Protocol(
    name="emus",
    title="EMUS BMS",
    database=DATABASE,
    mapping=_mapping(CELLS, own=True, probes="Cell"),
    bitrates=(250_000, 500_000),
    source_confidence="Three public decoders; no real capture was available.",
    required=("Cells_001", "Pack_Layout"),
    examples=_EXAMPLES,
    verify=verify,
    specialise=specialise,
)
