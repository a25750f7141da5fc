"""Which rows a cell table shows and in what order: worst first, modules folded.

    Columns of data: TableColumn (how it looks), ColumnData (what it holds)
    plan_rows(order, modules, open_modules, shown) -> list[Row]
    worst_first(badness) -> order;  module_summary(values, cells) -> (min, median, max)
Plain data and arithmetic; no painting, no meaning.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TableColumn:
    """How a column looks: `title` and `unit` in its head, `decimals` of its numbers, `tip`.

    second: what the small text below each value is, as a copied table calls it, and its unit; ""
    leaves it out there.
    """

    key: str
    title: str
    unit: str = ""
    decimals: int = 3
    tip: str = ""
    sign: bool = False
    second: str = ""
    second_unit: str = ""


def _none() -> NDArray[np.float64]:
    return np.zeros(0, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class ColumnData:
    """What a column holds for cells 1..N; shorter arrays leave the rest unknown.

    values: in the unit of the screen, NaN a dash; second: small text below each ("± 0.9"); marks:
    uint8, 1..3 how good the evidence is, 0 no mark; badness: larger is worse, NaN last; strong:
    bool, values that stand out; reason: below a dash, what would make it known; words: texts in
    place of numbers.
    """

    values: NDArray[np.float64] = field(default_factory=_none)
    second: Sequence[str] = ()
    marks: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    badness: NDArray[np.float64] = field(default_factory=_none)
    strong: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    reason: str = ""
    words: Sequence[str] = ()


class Module(NamedTuple):
    """Cells that are shown folded into one row."""

    title: str
    cells: tuple[int, ...]


class Row(NamedTuple):
    """A row: a cell (module -1), or a module's summary (cell 0)."""

    cell: int
    module: int = -1


def worst_first(badness: NDArray[np.float64]) -> tuple[int, ...]:
    """Cell numbers by falling badness; unknown last, ties by number."""
    score = np.where(np.isnan(badness), -np.inf, badness)
    return tuple(int(i) + 1 for i in np.argsort(-score, kind="stable"))


def plan_rows(
    order: Sequence[int],
    modules: Sequence[Module],
    open_modules: Collection[int],
    shown: Collection[int] | None = None,
) -> list[Row]:
    """The rows from top to bottom. Modules stand in the order of their first cell in `order`;
    `shown`: the only cells to show, listed without folding; None: all."""
    if shown is not None:
        return [Row(cell) for cell in order if cell in shown]
    if not modules:
        return [Row(cell) for cell in order]
    home = {cell: n for n, module in enumerate(modules) for cell in module.cells}
    members: dict[int, list[int]] = {}
    for cell in order:
        members.setdefault(home.get(cell, -1), []).append(cell)
    rows: list[Row] = []
    for number, cells in members.items():
        if number < 0:
            rows += [Row(cell) for cell in cells]
            continue
        rows.append(Row(0, number))
        if number in open_modules:
            rows += [Row(cell) for cell in cells]
    return rows


def module_summary(
    values: NDArray[np.float64], cells: Sequence[int]
) -> tuple[float, float, float] | None:
    """Smallest, median and largest known value of these cells; None when none is known."""
    inside = np.array([values[c - 1] for c in cells if 0 < c <= len(values)], np.float64)
    known = inside[~np.isnan(inside)]
    if not len(known):
        return None
    return float(known.min()), float(np.median(known)), float(known.max())


def number_words(value: float, decimals: int, sign: bool = False) -> str:
    """A number for people: a dash when unknown, a true minus sign, no negative zero."""
    if not np.isfinite(value):
        return "–"
    rounded = round(value, decimals) + 0.0
    return f"{rounded:{'+' if sign else ''}.{decimals}f}".replace("-", "−")
