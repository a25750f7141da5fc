"""Ford Mustang Mach-E: the pack on its own bus, 90 to 108 cells.

11-bit identifiers, big endian, 500 kbit/s, no polling. Cells come once a second, five to a frame as
12 bits of 1 mV above 1 V; 0xFFE is a place without a cell. Cells 97 to 108 only exist in LFP packs
and have identifiers of their own. Source: dalathegreat/Battery-Emulator FORD-MACH-E-BATTERY.cpp,
whose cells were checked on real packs; the factor of the temperatures and of the current is only
read there. Discharge is positive: the emulator turns the sign to its own.
"""

import numpy as np

from protocols.bytecheck import Floats, Ints, judged, like_cells, payloads
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping
from protocols.shorthand import big, cell, pack_bindings, probe
from protocols.signals import Database, Message, Signal

FIRST_ID = 0x490
PROBES = 6
_PER_FRAME = 5
_WHY = "Ford Mach-E protocol"
_ABSENT = (0xFFE, 0xFFF)
# Byte and highest bit of the 12-bit places of a frame.
_PLACES = ((0, 7), (1, 3), (3, 7), (4, 3), (6, 7))
# Identifier, first cell, places of the frames that hold cells.
_CELL_FRAMES = (
    *((FIRST_ID + k, _PER_FRAME * k + 1, _PLACES) for k in range(19)),
    (0x4A3, 96, _PLACES[:1]),
    (0x1BC, 97, ((0, 7), (2, 7))),
    (0x1BD, 99, _PLACES),
    (0x1BE, 104, _PLACES),
)


def _cell(number: int, place: tuple[int, int]) -> Signal:
    byte, bit = place
    return big(f"Cell_{number:03d}", byte, 12, 0.001, "V", bit=bit, offset=1.0, invalid=_ABSENT)


def _name(first: int) -> str:
    return f"Cells_{first:03d}"


def _cell_message(frame_id: int, first: int, places: tuple[tuple[int, int], ...]) -> Message:
    signals = [_cell(first + k, place) for k, place in enumerate(places)]
    if frame_id == 0x4A3:
        signals += [
            big(f"Probe_{k + 1}", 2 + k, 8, 0.5, "degC", offset=-20.0, invalid=(0xFE, 0xFF))
            for k in range(PROBES)
        ]
    return Message(_name(first), frame_id, 8, tuple(signals))


DATABASE = Database(
    "ford_mache",
    (
        Message("Pack_Voltage", 0x07A, 8, (big("Voltage", 2, 10, 0.5, "V", bit=1),)),
        Message(
            "Pack_Current",
            0x07B,
            8,
            (big("Current", 0, 16, 0.2, "A", signed=True, comment="+ = discharge"),),
        ),
        Message("Pack_SOC", 0x24C, 8, (big("SOC", 3, 16, 0.01, "%"),)),
        *(_cell_message(*frame) for frame in _CELL_FRAMES),
    ),
)


def _bindings() -> tuple[Binding, ...]:
    found = pack_bindings(
        _WHY,
        (
            ("Pack_Voltage", "Voltage", "voltage", 1.0),
            ("Pack_Current", "Current", "current", 1.0),
            ("Pack_SOC", "SOC", "soc", 0.01),
        ),
    )
    for _, first, places in _CELL_FRAMES:
        numbers = range(first, first + len(places))
        found += [cell(_name(first), f"Cell_{number:03d}", number, _WHY) for number in numbers]
    found += [probe(_name(96), f"Probe_{k + 1}", k + 1, _WHY) for k in range(PROBES)]
    return tuple(found)


def _volts(rows: Ints, place: tuple[int, int]) -> Floats:
    """Cell voltages of one place; those of places without a cell left out."""
    byte, bit = place
    both = 256 * rows[:, byte] + rows[:, byte + 1]
    raw = both >> 4 if bit == 7 else both & 0xFFF
    return raw[raw < _ABSENT[0]] / 1000.0 + 1.0


def verify(frames: Frames) -> Evidence:
    """Whether the 12-bit places hold voltages of cells."""
    right = checked = 0
    for frame_id, _, places in _CELL_FRAMES[:19]:
        rows = payloads(frames, frame_id)
        for place in places:
            volts = _volts(rows, place)
            fit, of = like_cells(np.zeros(len(volts), np.int64), volts)
            # Above 4.6 V nothing is a cell here: 12 bits of noise would reach 5.1 V.
            right, checked = right + fit - int(np.sum(volts > 4.6)), checked + of
    return judged(right, checked, "cell voltages")


_EXAMPLES = (
    # 398.5 V
    Example(0x07A, False, bytes.fromhex("0000031d00000000"), {"pack.voltage": 398.5}),
    # 12.4 A flowing out
    Example(0x07B, False, bytes.fromhex("003e000000000000"), {"pack.current": 12.4}),
    Example(0x24C, False, bytes.fromhex("0000001f72000000"), {"pack.soc": 0.8050}),
    Example(
        FIRST_ID,
        False,
        bytes.fromhex("a8ca8da8ea8fa900"),
        {
            "cell.1.voltage": 3.700,
            "cell.2.voltage": 3.701,
            "cell.3.voltage": 3.702,
            "cell.4.voltage": 3.703,
            "cell.5.voltage": 3.704,
        },
    ),
    # a pack of 94 cells: the 95th and 96th place are empty
    Example(
        0x4A2,
        False,
        bytes.fromhex("a8ca8da8ea8fffe0"),
        {
            "cell.91.voltage": 3.700,
            "cell.92.voltage": 3.701,
            "cell.93.voltage": 3.702,
            "cell.94.voltage": 3.703,
        },
    ),
    Example(
        0x4A3,
        False,
        bytes.fromhex("ffe05a5c5a5a5a58"),
        {
            "probe.1": 25.0,
            "probe.2": 26.0,
            "probe.3": 25.0,
            "probe.4": 25.0,
            "probe.5": 25.0,
            "probe.6": 24.0,
        },
    ),
    Example(
        0x1BC,
        False,
        bytes.fromhex("8fc08fd000000000"),
        {"cell.97.voltage": 3.300, "cell.98.voltage": 3.301},
    ),
)

PROTOCOL = Protocol(
    name="ford_mache",
    title="Ford Mustang Mach-E",
    database=DATABASE,
    mapping=Mapping("ford_mache", _bindings()),
    bitrates=(500_000,),
    source_confidence="One public decoder, its cells checked on real packs by its authors.",
    required=tuple(_name(first) for _, first, _ in _CELL_FRAMES[:18]),
    examples=_EXAMPLES,
    verify=verify,
)
