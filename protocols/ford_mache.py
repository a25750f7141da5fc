"""Ford Mustang Mach-E: the pack on its own bus, 90 to 108 cells.

11-bit identifiers, big endian, 500 kbit/s, no polling. Cells come every 100 ms to 1 s, five to a
frame as 12 bits of 1 mV above 1 V; 0xFFE is a place without a cell. Cells 97 to 108 only exist in
LFP packs and have identifiers of their own. Source: dalathegreat/Battery-Emulator
FORD-MACH-E-BATTERY.cpp; checked against two public logs of packs on a bench (90 and 108 cells): the
cells add up to the pack voltage within 0.2 %, and the current rests at its middle. The factor of
the current and its sign (discharge positive) are only read. Probes are shown, not used: the factor
given there makes 1 degC of what is more likely a room at 21 degC.
"""

import numpy as np

from protocols.bytecheck import Floats, Ints, judged, like_cells, payloads
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping
from protocols.shorthand import big, cell, pack_bindings
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
            big(f"Probe_{k + 1}_Raw", 2 + k, 8, invalid=(0xFE, 0xFF)) for k in range(PROBES)
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
            (big("Current", 0, 16, 0.2, "A", offset=-6553.6, comment="+ = discharge"),),
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


# From public logs of a pack of 90 cells and one of 108.
_EXAMPLES = (
    Example(0x07A, False, bytes.fromhex("0000d2b6bc5e0000"), {"pack.voltage": 347.0}),
    Example(0x07B, False, bytes.fromhex("80004ad800000000"), {"pack.current": 0.0}),
    Example(0x24C, False, bytes.fromhex("4ba05318e9006200"), {"pack.soc": 0.6377}),
    Example(
        FIRST_ID,
        False,
        bytes.fromhex("b2db2eb2bb2ab2b0"),
        {
            "cell.1.voltage": 3.861,
            "cell.2.voltage": 3.862,
            "cell.3.voltage": 3.859,
            "cell.4.voltage": 3.858,
            "cell.5.voltage": 3.859,
        },
    ),
    # 90 cells: the places of 91 to 96 are empty
    Example(0x4A2, False, bytes.fromhex("ffeffeffeffeffe0"), {}),
    Example(0x4A3, False, bytes.fromhex("ffe02b2b292a2a2a"), {}),
    # 108 cells
    Example(0x4A3, False, bytes.fromhex("91602a2a2a2a2a2a"), {"cell.96.voltage": 3.326}),
    Example(
        0x1BC,
        False,
        bytes.fromhex("91809170ffe0ffe0"),
        {"cell.97.voltage": 3.328, "cell.98.voltage": 3.327},
    ),
    Example(
        0x1BE,
        False,
        bytes.fromhex("9189189189179170"),
        {
            "cell.104.voltage": 3.328,
            "cell.105.voltage": 3.328,
            "cell.106.voltage": 3.328,
            "cell.107.voltage": 3.327,
            "cell.108.voltage": 3.327,
        },
    ),
)

PROTOCOL = Protocol(
    name="ford_mache",
    title="Ford Mustang Mach-E",
    database=DATABASE,
    mapping=Mapping("ford_mache", _bindings()),
    bitrates=(500_000,),
    source_confidence="One public decoder, checked against public logs of two packs.",
    required=tuple(_name(first) for _, first, _ in _CELL_FRAMES[:18]),
    examples=_EXAMPLES,
    verify=verify,
)
