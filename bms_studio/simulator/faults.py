"""Faults of the simulated pack: their names, their sizes, and how far each has grown.

Only words and numbers; what a fault does to a cell, a joint or a sensor is in `pack.py` and
`bms.py`. No randomness enters here.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault of this name means. `size` is the default, in `unit`; `largest` still sane."""

    size: float
    unit: str
    largest: float
    meaning: str


KINDS = {
    "resistance": FaultKind(0.91, "of its resistance, added", 20.0, "the cell's own resistance"),
    "capacity": FaultKind(0.15, "of its capacity, lost", 0.9, "less capacity than its neighbours"),
    "self-discharge": FaultKind(3.0, "mA per Ah", 100.0, "a leak inside the cell"),
    "short": FaultKind(10.0, "ohm across the cell", 10_000.0, "a soft internal short"),
    "connection": FaultKind(0.0012, "ohm in the joint to the next cell", 1.0, "a loose joint"),
    "hot": FaultKind(5.0, "W of heat from outside", 100.0, "heated, and poorly cooled"),
    "sensor-offset": FaultKind(-0.012, "V on the reading", 1.0, "a wrong voltage reading"),
    "stuck-balancer": FaultKind(1.0, "of the bleed current", 1.0, "a bleed that never ends"),
    "intermittent": FaultKind(1.0, "of dips of 20 to 80 mV", 3.0, "dips of 20 ms"),
}

_PATTERN = re.compile(
    r"(?P<kind>[a-z-]+):(?P<cell>\d+)(?::(?P<size>[-+]?\d+(?:\.\d*)?))?(?:@(?P<growth>\d+(?:\.\d*)?))?"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of cell `cell` (from 1; for `connection` the joint between it and the next).

    size: in the unit of its kind. growth_s: seconds from nothing to full size; 0 means that it has
    been there for long when the simulation begins.
    """

    kind: str
    cell: int
    size: float
    growth_s: float = 0.0

    def share(self, elapsed_s: float) -> float:
        """How much of the fault is there after `elapsed_s`: 0..1, rising in a straight line."""
        if self.growth_s <= 0.0:
            return 1.0
        return min(max(elapsed_s / self.growth_s, 0.0), 1.0)


def parse_fault(text: str, cells: int | None = None) -> Fault:
    """`NAME:CELL[:SIZE][@SECONDS]`, such as `resistance:13`, `short:4:50` or `capacity:7:0.2@600`.

    SECONDS: the fault grows to its size in that time. cells: length of the pack, to check CELL.
    Raises ValueError, one sentence with the remedy, for anything else.
    """
    match = _PATTERN.fullmatch(text.strip().lower())
    if not match:
        raise ValueError(
            f"'{text}' is not a fault: write NAME:CELL, such as resistance:13 "
            f"(names: {', '.join(KINDS)})"
        )
    kind = match["kind"]
    if kind not in KINDS:
        raise ValueError(f"no fault is called '{kind}': known are {', '.join(KINDS)}")
    size = float(match["size"]) if match["size"] else KINDS[kind].size
    fault = Fault(kind, int(match["cell"]), size, float(match["growth"] or 0.0))
    _check_size(fault, text)
    if cells is not None:
        check_cell(fault, cells)
    return fault


def check_cell(fault: Fault, cells: int) -> None:
    """Raises ValueError when the pack of `cells` cells has no place for this fault."""
    last = cells - 1 if fault.kind == "connection" else cells
    if not 1 <= fault.cell <= last:
        place = "joint" if fault.kind == "connection" else "cell"
        raise ValueError(
            f"{fault.kind}:{fault.cell}: a pack of {cells} cells has no {place} {fault.cell}; "
            f"choose 1 to {last}"
        )


def _check_size(fault: Fault, text: str) -> None:
    kind = KINDS[fault.kind]
    lowest = -kind.largest if fault.kind == "sensor-offset" else 0.0
    if not lowest <= fault.size <= kind.largest or fault.size == 0.0:
        raise ValueError(
            f"'{text}': the size of {fault.kind} is in {kind.unit}; choose up to {kind.largest:g}"
        )
