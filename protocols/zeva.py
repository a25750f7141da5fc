"""ZEVA BMS12 and BMS24: cell modules that answer a controller; here only read, whoever asks.

29-bit identifiers 300 + 10 * unit + kind in decimal, 250 kbit/s, big endian, no checksum. A unit
has twelve cells and two probes (a BMS24 is two units); kind 0 is the question, which also sets the
voltage from which cells are shunted, 1 to 3 are four cells each, 4 the probes. Source: the maker's
protocol as re-published in sectioncritical/zeva24_firmware, doc/protocol.md. Modules know no pack:
there is no current, no state of charge, and no word on which cell is being shunted. Places without
a cell read 0; cells are numbered through all units in their order without the empty places.
"""

import numpy as np

from protocols.bytecheck import Ints, judged, like_cells, payloads, word
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import big, cell
from protocols.signals import Database, Message, Signal

UNITS = 16
CELLS_PER_UNIT = 12
PROBES_PER_UNIT = 2
_PER_FRAME = 4
_WHY = "ZEVA protocol"
# A cell that is being replaced or a broken wire can read 0 for a moment; a place that never reads
# more than this has no cell.
_LEAST_MV = 100


def _base(unit: int) -> int:
    return 300 + 10 * unit


def _unit_messages(unit: int) -> list[Message]:
    def message(kind: int, name: str, length: int, *signals: Signal) -> Message:
        return Message(
            f"Unit_{unit:02d}_{name}", _base(unit) + kind, length, signals, extended=True
        )

    listed = [message(0, "Request", 8, big("Shunt_Voltage", 0, 16, 0.001, "V"))]
    for kind in range(1, CELLS_PER_UNIT // _PER_FRAME + 1):
        first = _PER_FRAME * (kind - 1) + 1
        cells = (big(f"Cell_{first + k:02d}", 2 * k, 16, 0.001, "V") for k in range(_PER_FRAME))
        listed.append(message(kind, f"Cells_{first:02d}", 8, *cells))
    probes = (
        big(f"Probe_{k + 1}", k, 8, 1.0, "degC", offset=-40.0, invalid=(0, 0xFF))
        for k in range(PROBES_PER_UNIT)
    )
    listed.append(message(4, "Probes", 8, *probes))
    return listed


DATABASE = Database("zeva", tuple(m for unit in range(UNITS) for m in _unit_messages(unit)))


def _mapping(units: dict[int, list[int]]) -> Mapping:
    """units: which places of which unit have a cell."""
    found: list[Binding] = []
    number = probes = 0
    for unit, places in units.items():
        for place in places:
            number += 1
            first = place - (place - 1) % _PER_FRAME
            message = f"Unit_{unit:02d}_Cells_{first:02d}"
            found.append(cell(message, f"Cell_{place:02d}", number, f"{_WHY}, unit {unit}"))
        for k in range(PROBES_PER_UNIT):
            probes += 1
            role = Role("probe", probes)
            name = f"Unit_{unit:02d}_Probes"
            found.append(Binding(name, f"Probe_{k + 1}", role, why=f"{_WHY}, unit {unit}"))
    return Mapping("zeva", tuple(found))


def _rows(frames: Frames, unit: int, kind: int) -> Ints:
    return payloads(frames, _base(unit) + kind, extended=True)


def _wired(frames: Frames, unit: int) -> list[int]:
    """Places of a unit, from 1, where a cell has been seen."""
    found = []
    for place in range(1, CELLS_PER_UNIT + 1):
        kind, slot = divmod(place - 1, _PER_FRAME)
        millivolts = word(_rows(frames, unit, kind + 1), 2 * slot)
        if len(millivolts) and millivolts.max() > _LEAST_MV:
            found.append(place)
    return found


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """The units and places that this bus has."""
    units = {unit: places for unit in range(UNITS) if (places := _wired(frames, unit))}
    return (DATABASE, _mapping(units)) if units else None


def verify(frames: Frames) -> Evidence:
    """Whether units hold voltages of cells and send all of their three cell frames."""
    right = checked = 0
    for unit in range(UNITS):
        counts = [len(_rows(frames, unit, kind)) for kind in (1, 2, 3)]
        right += sum(counts) if max(counts) - min(counts) <= 1 else 0
        checked += sum(counts)
        for kind in (1, 2, 3):
            rows = _rows(frames, unit, kind)
            for k in range(_PER_FRAME):
                millivolts = word(rows, 2 * k)
                there = millivolts[millivolts > 0] / 1000.0
                fit, of = like_cells(np.zeros(len(there), np.int64), there)
                right, checked = right + fit, checked + of
    return judged(right, checked, "units and cell voltages")


_EXAMPLES = (
    Example(
        301,
        True,
        bytes.fromhex("0cd40cd50cd60cd7"),
        {
            "cell.1.voltage": 3.284,
            "cell.2.voltage": 3.285,
            "cell.3.voltage": 3.286,
            "cell.4.voltage": 3.287,
        },
    ),
    Example(
        302,
        True,
        bytes.fromhex("0cd40cd50cd60cd7"),
        {
            "cell.5.voltage": 3.284,
            "cell.6.voltage": 3.285,
            "cell.7.voltage": 3.286,
            "cell.8.voltage": 3.287,
        },
    ),
    # ten cells: the last two places are empty
    Example(
        303,
        True,
        bytes.fromhex("0cd40cd500000000"),
        {"cell.9.voltage": 3.284, "cell.10.voltage": 3.285},
    ),
    # one probe is fitted
    Example(304, True, bytes.fromhex("4100000000000000"), {"probe.1": 25.0}),
    # a question is no answer
    Example(300, True, bytes.fromhex("0e10"), {}),
)

PROTOCOL = Protocol(
    name="zeva",
    title="ZEVA BMS12 / BMS24",
    database=DATABASE,
    mapping=_mapping({unit: list(range(1, CELLS_PER_UNIT + 1)) for unit in range(UNITS)}),
    bitrates=(250_000, 500_000),
    source_confidence="The maker's protocol as re-published; no real capture was available.",
    required=("Unit_00_Cells_01", "Unit_00_Cells_05", "Unit_00_Cells_09"),
    examples=_EXAMPLES,
    verify=verify,
    specialise=specialise,
)
