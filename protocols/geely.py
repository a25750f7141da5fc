"""Geely SEA platform (Volvo EX30, Zeekr 001, Smart #1): the pack on its own bus.

11-bit identifiers, 500 kbit/s. One message carries everything about voltages (0x142): byte 0 says
what (0 the pack, 1 the highest cell, 2 the lowest cell, from 3 on a cell), byte 2 the number of the
cell from 1, and 13 bits behind it the value. Source: dalathegreat/Battery-Emulator
GEELY-SEA-BATTERY.cpp and a public database, whose cell scale of 1/8 a Zeekr log bore out (highest
and lowest computed = reported). The current (0x143) is described there as 12 bits without certain
scale: it is shown, not used. State of charge is only given to those who ask (UDS).
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
# So many different cells are proof enough while the extremes, sent once a round, have not come.
_CERTAIN_CELLS = 20
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
    ("Voltages", "Pack_Voltage", "voltage", 1.0),
    ("Voltages", "Cell_Voltage_Max", "cell_voltage_max", 1.0),
    ("Voltages", "Cell_Voltage_Min", "cell_voltage_min", 1.0),
)


def _bindings() -> tuple[Binding, ...]:
    index = Index("Cell_Number", first=1)
    cells = Binding("Voltages", "Cell_Voltage", Role("cell"), valid=CELL_V, index=index, why=_WHY)
    return (*pack_bindings(_WHY, _PACK), cells)


def _values(rows: Ints) -> Ints:
    return word(rows, 3) >> 3


def verify(frames: Frames) -> Evidence:
    """Whether cell numbers are possible, cells like cells and inside the reported extremes."""
    rows = payloads(frames, VOLTAGES_ID)
    cells = rows[(rows[:, 0] >= _FIRST_CELL_PART) & np.any(rows[:, 2:5] != 0, axis=1)]
    numbered = (cells[:, 2] >= 1) & (cells[:, 2] <= CELLS)
    values = _values(cells)
    right, checked = int(np.sum(numbered)), len(cells)
    there = numbered & (values > 0)
    fit, of = like_cells(cells[there, 2], values[there] / 1000.0)
    highest, lowest = (_values(rows[rows[:, 0] == part]) for part in (1, 2))
    if not (len(highest) and len(lowest)) and len(np.unique(cells[there, 2])) < _CERTAIN_CELLS:
        return Evidence(0.0, "neither extremes nor enough cells seen")
    if len(highest) and len(lowest) and np.any(there):
        # 50 mV: the cells are read one after another, under load.
        inside = (values[there] <= highest.max() + 50) & (values[there] >= lowest.min() - 50)
        right, checked = right + int(np.sum(inside)), checked + len(inside)
    return judged(right + fit, checked + of, "cell numbers and voltages")


_EXAMPLES = (
    # 398.4 V
    Example(VOLTAGES_ID, False, bytes.fromhex("0000007c80000000"), {"pack.voltage": 398.4}),
    Example(
        VOLTAGES_ID, False, bytes.fromhex("010000741800 0000"), {"pack.cell_voltage_max": 3.715}
    ),
    Example(
        VOLTAGES_ID, False, bytes.fromhex("020000736800 0000"), {"pack.cell_voltage_min": 3.693}
    ),
    # cell 107: 3.710 V; the lowest three bits belong to something else
    Example(VOLTAGES_ID, False, bytes.fromhex("05006b73f500 0000"), {"cell.107.voltage": 3.710}),
    # no number: no cell
    Example(VOLTAGES_ID, False, bytes.fromhex("0300000000000000"), {}),
)

PROTOCOL = Protocol(
    name="geely",
    title="Geely SEA (Volvo EX30, Zeekr, Smart)",
    database=DATABASE,
    mapping=Mapping("geely", _bindings()),
    bitrates=(500_000,),
    source_confidence="One public decoder and a database whose cell scale a real log bore out.",
    required=("Voltages",),
    examples=_EXAMPLES,
    verify=verify,
)
