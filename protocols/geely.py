"""Geely SEA platform (Volvo EX30, Zeekr 001, Smart #1): the pack on its own bus.

11-bit identifiers, 500 kbit/s. One message carries everything about voltages (0x142), a part every
20 to 30 ms: byte 0 says which (0 the pack, 1 the highest cell, 2 the lowest cell, from 3 on the
cells), byte 1 how many parts there are, byte 2 the number of the cell from 1, and 13 bits behind it
the value. Source: dalathegreat/Battery-Emulator GEELY-SEA-BATTERY.cpp and a public database; scale,
numbers and the count of parts (cells and three) were checked against public logs of a Zeekr 001
(110 cells) and an EX30 (107 cells). The current (0x143) is described there as 12 bits without
certain scale: it is shown, not used. State of charge is only given to those who ask (UDS).
"""

import numpy as np

from protocols.bytecheck import Ints, judged, like_cells, payloads, word
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Index, Mapping, Role
from protocols.shorthand import CELL_V, big, pack_bindings
from protocols.signals import Database, Message, MuxCondition, Signal

VOLTAGES_ID = 0x142
CELLS = 120
_FIRST_CELL_PART = 3
_WHY = "Geely SEA protocol"


def _part(*values: int) -> tuple[MuxCondition, ...]:
    return (MuxCondition("Part", values),)


# Another number is no cell: columns must not grow on a bad byte.
_NUMBERED = MuxCondition("Cell_Number", tuple(range(1, CELLS + 1)))
DATABASE = Database(
    "geely",
    (
        Message(
            "Voltages",
            VOLTAGES_ID,
            8,
            (
                Signal("Part", 0, 8, is_selector=True),
                big("Cells", 1, 8, offset=-float(_FIRST_CELL_PART)),
                Signal("Cell_Number", 16, 8, is_selector=True),
                big("Pack_Voltage", 3, 13, 0.1, "V", mux=_part(0)),
                big("Cell_Voltage_Max", 3, 13, 0.001, "V", mux=_part(1)),
                big("Cell_Voltage_Min", 3, 13, 0.001, "V", mux=_part(2)),
                big(
                    "Cell_Voltage",
                    3,
                    13,
                    0.001,
                    "V",
                    mux=(*_part(*range(_FIRST_CELL_PART, 256)), _NUMBERED),
                ),
            ),
        ),
        Message(
            "Current",
            0x143,
            8,
            (big("Pack_Current_Raw", 0, 12, bit=3, signed=True, comment="scale not certain"),),
        ),
    ),
)

_PACK = (
    ("Voltages", "Cells", "cell_count", 1.0),
    ("Voltages", "Pack_Voltage", "voltage", 1.0),
    ("Voltages", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Voltages", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
)


def _bindings() -> tuple[Binding, ...]:
    index = Index("Cell_Number", first=1)
    cells = Binding(
        "Voltages",
        "Cell_Voltage",
        Role("cell"),
        valid=CELL_V,
        index=index,
        count_signal="Cells",
        why=_WHY,
    )
    return (*pack_bindings(_WHY, _PACK), cells)


def _values(rows: Ints) -> Ints:
    return word(rows, 3) >> 3


def verify(frames: Frames) -> Evidence:
    """Whether parts and cells count right, and cells are like cells and inside the extremes."""
    rows = payloads(frames, VOLTAGES_ID)
    cells = rows[rows[:, 0] >= _FIRST_CELL_PART]
    # Part 3 is cell 1, and the last part is the last cell.
    counted = (cells[:, 0] == cells[:, 2] + _FIRST_CELL_PART - 1) & (cells[:, 0] < cells[:, 1])
    values = _values(cells)
    right, checked = int(np.sum(counted)), len(cells)
    there = counted & (values > 0)
    fit, of = like_cells(cells[there, 2], values[there] / 1000.0)
    highest, lowest = (_values(rows[rows[:, 0] == part]) for part in (1, 2))
    if len(highest) and len(lowest) and np.any(there):
        # 50 mV: the cells are read one after another, under load.
        inside = (values[there] <= highest.max() + 50) & (values[there] >= lowest.min() - 50)
        right, checked = right + int(np.sum(inside)), checked + len(inside)
    return judged(right + fit, checked + of, "cell numbers and voltages")


# From public logs of a Zeekr 001 (110 cells) and of an EX30 (107 cells).
_EXAMPLES = (
    Example(
        VOLTAGES_ID,
        False,
        bytes.fromhex("00716e7f39010005"),
        {"pack.voltage": 407.1, "pack.cell_count": 110.0},
    ),
    # the highest is cell 80, the lowest cell 28
    Example(
        VOLTAGES_ID,
        False,
        bytes.fromhex("01715073a1010005"),
        {"pack.cell_voltage_max": 3.700, "pack.cell_count": 110.0},
    ),
    Example(
        VOLTAGES_ID,
        False,
        bytes.fromhex("02711c7369010005"),
        {"pack.cell_voltage_min": 3.693, "pack.cell_count": 110.0},
    ),
    Example(
        VOLTAGES_ID,
        False,
        bytes.fromhex("0371017389010005"),
        {"cell.1.voltage": 3.697, "pack.cell_count": 110.0},
    ),
    Example(
        VOLTAGES_ID,
        False,
        bytes.fromhex("70716e7391010005"),
        {"cell.110.voltage": 3.698, "pack.cell_count": 110.0},
    ),
    Example(
        VOLTAGES_ID,
        False,
        bytes.fromhex("406e3e73e1010000"),
        {"cell.62.voltage": 3.708, "pack.cell_count": 107.0},
    ),
)

PROTOCOL = Protocol(
    name="geely",
    title="Geely SEA (Volvo EX30, Zeekr, Smart)",
    database=DATABASE,
    mapping=Mapping("geely", _bindings()),
    bitrates=(500_000,),
    source_confidence="One public decoder and a database, checked against logs of two cars.",
    required=("Voltages",),
    examples=_EXAMPLES,
    verify=verify,
)
