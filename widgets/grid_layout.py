"""Where the tiles of a cell grid go: pure geometry, no Qt, no colours, no values.

`plan(rows, width, height)` turns rows of cell numbers into pixel rectangles and decides how much a
tile can say (its density). `rows` is what the pack's modules dictate, or None for tidy rows that
this module chooses. Painting and interaction live in `cell_grid.py`.

    tidy_rows(count, columns) -> rows
    plan(rows, width, height, worst=8) -> GridPlan
    GridPlan.at(x, y) -> cell;  GridPlan.beside(cell, dx, dy) -> cell;  GridPlan.rect(cell)

Densities: FULL (tile >= 80 px wide: number, voltage, deviation, flags), COMPACT (>= 44 px: number
and deviation), MAP (smaller: colour and outline, with the worst cells as full tiles beside).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FULL, COMPACT, MAP = "full", "compact", "map"
_RANK = {FULL: 0, COMPACT: 1, MAP: 2}

FULL_WIDTH, FULL_HEIGHT = 80, 40
COMPACT_WIDTH, COMPACT_HEIGHT = 44, 28
# A low tile still says number and deviation when both fit side by side.
COMPACT_LINE_WIDTH, COMPACT_LINE_HEIGHT = 70, 17
WORST_WIDTH, WORST_HEIGHT = 84, 50
GUTTER = 34
MODULE_GAP = 8
MAX_WIDTH, MAX_HEIGHT = 190, 132

Rows = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True, eq=False)
class GridPlan:
    """Tiles in pixels. cells: int64[n]; rects: int64[n, 4] as x, y, width, height; grid:
    int64[n, 2] as visual row and column; worst: int64[k, 4] slots for the worst cells (k = 0
    unless MAP); row_labels: (y, height, text) at the left edge (MAP only)."""

    density: str
    cells: NDArray[np.int64]
    rects: NDArray[np.int64]
    grid: NDArray[np.int64]
    worst: NDArray[np.int64]
    row_labels: tuple[tuple[int, int, str], ...] = ()

    def at(self, x: float, y: float) -> int:
        """The cell whose tile holds the point; 0 where there is none."""
        left, top, width, height = self.rects.T
        inside = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
        hit = np.flatnonzero(inside)
        return int(self.cells[hit[0]]) if len(hit) else 0

    def worst_at(self, x: float, y: float) -> int:
        """Index of the worst-cell slot that holds the point; -1 where there is none."""
        left, top, width, height = self.worst.T
        inside = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
        hit = np.flatnonzero(inside)
        return int(hit[0]) if len(hit) else -1

    def index(self, cell: int) -> int:
        """Position of a cell number in `cells`; -1 if the plan has no such cell."""
        hit = np.flatnonzero(self.cells == cell)
        return int(hit[0]) if len(hit) else -1

    def beside(self, cell: int, dx: int, dy: int) -> int:
        """The nearest cell in a direction (arrow keys); the same cell at the edge.

        With no current cell (0) the first one.
        """
        if not len(self.cells):
            return 0
        here = self.index(cell)
        if here < 0:
            return int(self.cells[0])
        if dy == 0:
            step = min(max(here + dx, 0), len(self.cells) - 1)
            return int(self.cells[step])
        row, column = self.grid[here]
        ahead = np.flatnonzero((self.grid[:, 0] - row) * dy > 0)
        if not len(ahead):
            return cell
        distance = np.abs(self.grid[ahead, 0] - row) * 1000 + np.abs(self.grid[ahead, 1] - column)
        return int(self.cells[ahead[int(np.argmin(distance))]])


def tidy_rows(count: int, columns: int) -> list[list[int]]:
    """Cells 1..count in rows of `columns`; the last row may be shorter."""
    return [
        list(range(first, min(first + columns, count + 1)))
        for first in range(1, count + 1, max(columns, 1))
    ]


def density_of(width: float, height: float) -> str:
    """What a tile of this size can say legibly."""
    if width >= FULL_WIDTH and height >= FULL_HEIGHT:
        return FULL
    if width >= COMPACT_WIDTH and height >= COMPACT_HEIGHT:
        return COMPACT
    if width >= COMPACT_LINE_WIDTH and height >= COMPACT_LINE_HEIGHT:
        return COMPACT
    return MAP


def plan(rows: Rows | None, width: int, height: int, *, count: int = 0, worst: int = 8) -> GridPlan:
    """Place every cell inside width x height pixels.

    rows: lists of cell numbers, 0 = hole, one list per module; None: tidy rows of 1..count. Cells
    up to `count` that `rows` forgets follow in rows of their own: no cell is ever hidden.
    worst: at most so many full tiles beside a MAP. Raises ValueError for a cell named twice.
    """
    if rows is not None:
        _refuse_twins(rows)
        rows = [*rows, *_forgotten(rows, count)]
    candidates = _candidates(rows, count, width, height)
    if not candidates or width <= 0 or height <= 0:
        return _empty()
    best = min(candidates, key=lambda c: _score(c, width, height))
    if _density(best, width, height) != MAP:
        return _place(best, 0, width, height, np.zeros((0, 4), np.int64))
    slots = _worst_slots(width, height, min(worst, sum(len(line.cells) for line in best)))
    free = int(slots[:, 0].min()) - 14 if len(slots) else width
    left = GUTTER if free > 6 * GUTTER else 0
    best = min(candidates, key=lambda c: _score(c, free - left, height, forced_map=True))
    return _place(best, left, free, height, slots, forced_map=True)


@dataclass(frozen=True, slots=True)
class _Line:
    """One visual row: (column, module gaps before it, cell) per tile; length counts holes too."""

    cells: tuple[tuple[int, int, int], ...]
    length: int
    gaps: int


def _refuse_twins(rows: Rows) -> None:
    numbers = [cell for row in rows for cell in row if cell > 0]
    if len(set(numbers)) != len(numbers):
        twin = next(n for n in numbers if numbers.count(n) > 1)
        raise ValueError(f"layout: cell {twin} stands in two places; every cell has one place")


def _forgotten(rows: Rows, count: int) -> list[list[int]]:
    """Cells 1..count that stand nowhere in `rows`, in rows as long as the longest."""
    placed = {cell for row in rows for cell in row}
    missing = [cell for cell in range(1, count + 1) if cell not in placed]
    length = max((len(row) for row in rows), default=0) or 10
    return [missing[i : i + length] for i in range(0, len(missing), length)]


def _candidates(rows: Rows | None, count: int, width: int, height: int) -> list[list[_Line]]:
    """Ways to arrange the cells, the pack's own arrangement first."""
    if rows is None:
        return [_lines(tidy_rows(count, c)) for c in _column_choices(count)]
    kept = [row for row in rows if any(cell > 0 for cell in row)]
    if not kept:
        return []
    own = [_lines(kept)]
    if density_of(*_tile(own[0], width, height)) == FULL:
        return own
    longest = max(len(row) for row in kept)
    folded = [_fold(kept, k) for k in range(2, min(len(kept), 12) + 1)]
    split = [_lines(_split(kept, k)) for k in range(2, min(longest, 24) + 1)]
    return own + folded + split


def _column_choices(count: int) -> list[int]:
    return list(range(1, min(count, 64) + 1))


def _lines(rows: Rows) -> list[_Line]:
    return [
        _Line(tuple((c, 0, cell) for c, cell in enumerate(row) if cell > 0), len(row), 0)
        for row in rows
    ]


def _fold(rows: Rows, k: int) -> list[_Line]:
    """k modules side by side in one visual row, with a gap between them."""
    pitch = max(len(row) for row in rows)
    lines = []
    for first in range(0, len(rows), k):
        group = rows[first : first + k]
        tiles = [
            (module * pitch + c, module, cell)
            for module, row in enumerate(group)
            for c, cell in enumerate(row)
            if cell > 0
        ]
        lines.append(_Line(tuple(tiles), pitch * len(group), len(group) - 1))
    return lines


def _split(rows: Rows, parts: int) -> list[list[int]]:
    """Every module broken into `parts` rows of equal length."""
    result: list[list[int]] = []
    for row in rows:
        length = math.ceil(len(row) / parts)
        result += [list(row[i : i + length]) for i in range(0, len(row), length)]
    return result


def _gap(columns: int, width: float) -> int:
    return 4 if width / max(columns, 1) >= COMPACT_WIDTH else (2 if width / columns >= 12 else 1)


def _tile(lines: list[_Line], width: int, height: int) -> tuple[float, float]:
    """Tile size in pixels that this arrangement would have."""
    columns = max(line.length for line in lines)
    gaps = max(line.gaps for line in lines) * MODULE_GAP
    gap = _gap(columns, width)
    tile_width = (width - gaps - gap * (columns - 1)) / columns
    tile_height = (height - gap * (len(lines) - 1)) / len(lines)
    return min(tile_width, MAX_WIDTH), min(tile_height, MAX_HEIGHT)


def _density(lines: list[_Line], width: int, height: int) -> str:
    return density_of(*_tile(lines, width, height))


def _score(
    lines: list[_Line], width: int, height: int, *, forced_map: bool = False
) -> tuple[float, ...]:
    """Smaller is better: density first, then tiles near a calm shape, full rows, round counts.

    Among a pack's own arrangements Python's `min` keeps the first of equals, so the pack's rows win
    unless folding or splitting makes the tiles say more.
    """
    tile_width, tile_height = _tile(lines, width, height)
    rank = _RANK[MAP] if forced_map else _RANK[density_of(tile_width, tile_height)]
    if tile_width < 3 or tile_height < 3:
        return (9.0, -min(tile_width, tile_height))
    columns = max(line.length for line in lines)
    ragged = sum(columns - line.length for line in lines) / (columns * len(lines))
    shape = abs(math.log(tile_width / tile_height / 1.15))
    odd = 0.0 if columns % 10 == 0 else (0.12 if columns % 4 == 0 else 0.3)
    if len(lines) == 1:
        odd = 0.0
    return (float(rank), round(shape + 3.0 * ragged + odd, 6))


def _place(
    lines: list[_Line],
    left: int,
    right: int,
    height: int,
    slots: NDArray[np.int64],
    *,
    forced_map: bool = False,
) -> GridPlan:
    """Whole pixels throughout, so that text and outlines stay crisp."""
    width = right - left
    tile_width, tile_height = _tile(lines, width, height)
    columns = max(line.length for line in lines)
    gap = _gap(columns, width)
    w, h = max(int(tile_width), 2), max(int(tile_height), 2)
    # What is left over after rounding down would show as a ragged right edge: spread it.
    spread = 0.0
    if tile_width < MAX_WIDTH:
        gaps = max(line.gaps for line in lines) * MODULE_GAP
        spread = (width - gaps - columns * w - gap * (columns - 1)) / columns
    cells, rects, grid, labels = [], [], [], []
    for r, line in enumerate(lines):
        y = r * (h + gap)
        for column, module, cell in line.cells:
            x0 = left + module * MODULE_GAP + column * (w + gap) + int(column * spread)
            x1 = left + module * MODULE_GAP + column * (w + gap) + w + int((column + 1) * spread)
            cells.append(cell)
            rects.append((x0, y, x1 - x0, h))
            grid.append((r, column))
        if left and h >= 11:
            labels.append((y, h, str(line.cells[0][2])))
    density = MAP if forced_map else density_of(tile_width, tile_height)
    return GridPlan(
        density,
        np.array(cells, np.int64),
        np.array(rects, np.int64).reshape(-1, 4),
        np.array(grid, np.int64).reshape(-1, 2),
        slots,
        tuple(labels),
    )


def _worst_slots(width: int, height: int, count: int) -> NDArray[np.int64]:
    """Full tiles at the right edge: as few columns as the height allows, never half the width."""
    gap = 4
    for columns in range(1, 9):
        needed = columns * (WORST_WIDTH + gap)
        if needed > 0.45 * width:
            break
        lines = math.ceil(count / columns)
        h = (height - gap * (lines - 1)) // lines
        if h >= WORST_HEIGHT:
            return _slots(width, columns, min(h, 84), count)
    columns = int(0.45 * width) // (WORST_WIDTH + gap)
    lines = (height + gap) // (WORST_HEIGHT + gap)
    fits = min(count, columns * lines)
    if fits < 1:
        return np.zeros((0, 4), np.int64)
    return _slots(width, columns, WORST_HEIGHT, fits)


def _slots(width: int, columns: int, height: int, count: int) -> NDArray[np.int64]:
    pitch = WORST_WIDTH + 4
    left = width - columns * pitch + 4
    return np.array(
        [
            (left + (i % columns) * pitch, (i // columns) * (height + 4), WORST_WIDTH, height)
            for i in range(count)
        ],
        np.int64,
    ).reshape(-1, 4)


def _empty() -> GridPlan:
    none = np.zeros((0, 4), np.int64)
    return GridPlan(FULL, np.zeros(0, np.int64), none, np.zeros((0, 2), np.int64), none)
