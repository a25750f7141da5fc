"""Min/max pyramid: the extremes of any row range of a (T, N) array, found in milliseconds.

Plots are drawn from what this room returns, so single-sample extremes survive every zoom. It knows
arrays only: no time, no files, no meaning. Memory-mapped levels come from the caller's allocator.

Level 0 holds the extremes of blocks of `base` rows, level k those of `base * factor**k` rows. A row
range is covered by raw rows at its two ends and by whole blocks in between, as in a segment tree,
so the result equals brute force. With base 64 and factor 4 the levels take 2 / 64 * 4 / 3 = 4.2 %
of the raw data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Allocate = Callable[[str, tuple[int, int], "np.dtype[np.float32]"], NDArray[np.float32]]

_FLOAT32 = np.dtype(np.float32)
_FIRST_BLOCKS = 256


def _in_memory(name: str, shape: tuple[int, int], dtype: Any) -> NDArray[np.float32]:
    return np.empty(shape, dtype)


@njit(nogil=True, cache=True)
def _add_rows(
    values: NDArray[np.float32],
    first: int,
    size: int,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
) -> None:
    """Row r of `values` is row first + r of all; `size` rows make one block of low and high."""
    for r in range(values.shape[0]):
        block = (first + r) // size
        if (first + r) % size == 0:
            for j in range(low.shape[1]):
                low[block, j] = np.inf
                high[block, j] = -np.inf
        for j in range(values.shape[1]):
            v = values[r, j]
            a = low[block, j]
            b = high[block, j]
            # A comparison with NaN is false, so NaN never enters, without a branch of its own.
            low[block, j] = v if v < a else a
            high[block, j] = v if v > b else b


@njit(nogil=True, cache=True)
def _add_blocks(
    low_below: NDArray[np.float32],
    high_below: NDArray[np.float32],
    first: int,
    stop: int,
    factor: int,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
) -> None:
    """Recompute the blocks that hold the blocks first..stop-1 of the level below."""
    for block in range(first // factor, (stop + factor - 1) // factor):
        for j in range(low.shape[1]):
            low[block, j] = np.inf
            high[block, j] = -np.inf
        for below in range(block * factor, min((block + 1) * factor, stop)):
            for j in range(low.shape[1]):
                v = low_below[below, j]
                w = high_below[below, j]
                a = low[block, j]
                b = high[block, j]
                low[block, j] = v if v < a else a
                high[block, j] = w if w > b else b


@njit(nogil=True, cache=True)
def _fold(
    low_rows: NDArray[np.float32],
    high_rows: NDArray[np.float32],
    begin: int,
    end: int,
    columns: NDArray[np.int64],
    contiguous: bool,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
) -> None:
    """Fold rows begin..end-1 into the running extremes low (K,) and high (K,)."""
    count = low.shape[0]
    if contiguous:
        at = columns[0]
        for r in range(begin, end):
            lows = low_rows[r, at : at + count]
            highs = high_rows[r, at : at + count]
            for j in range(count):
                v = lows[j]
                w = highs[j]
                a = low[j]
                b = high[j]
                low[j] = v if v < a else a
                high[j] = w if w > b else b
    else:
        for r in range(begin, end):
            for j in range(count):
                v = low_rows[r, columns[j]]
                w = high_rows[r, columns[j]]
                low[j] = v if v < low[j] else low[j]
                high[j] = w if w > high[j] else high[j]


@njit(nogil=True, cache=True)
def _fold_level(
    low_rows: NDArray[np.float32],
    high_rows: NDArray[np.float32],
    size: int,
    shift: int,
    limit: int,
    columns: NDArray[np.int64],
    contiguous: bool,
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
) -> None:
    """Fold what must come from this level; leave in begin, end the blocks for the level above.

    begin, end: one range per pixel in rows of this level, replaced by ranges in blocks of `size`
    such rows; only blocks below `limit` exist. low_rows[0] is row `shift`.
    """
    for p in range(begin.shape[0]):
        first = begin[p]
        stop = end[p]
        above = (first + size - 1) // size
        above_stop = min(stop // size, limit)
        if above < above_stop:
            _fold(
                low_rows,
                high_rows,
                max(first - shift, 0),
                above * size - shift,
                columns,
                contiguous,
                low[p],
                high[p],
            )
            first = above_stop * size
            begin[p] = above
            end[p] = above_stop
        else:
            begin[p] = 0
            end[p] = 0
        _fold(
            low_rows,
            high_rows,
            max(first - shift, 0),
            stop - shift,
            columns,
            contiguous,
            low[p],
            high[p],
        )


@njit(nogil=True, cache=True)
def _finish(
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    low_out: NDArray[np.float32],
    high_out: NDArray[np.float32],
) -> None:
    """(P, K) to (K, P); a pixel that saw no value is NaN."""
    for p in range(low.shape[0]):
        for j in range(low.shape[1]):
            empty = low[p, j] > high[p, j]
            low_out[j, p] = np.nan if empty else low[p, j]
            high_out[j, p] = np.nan if empty else high[p, j]


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """Extremes of blocks of `size` rows: low and high float32 (capacity, N)."""

    size: int
    low: NDArray[np.float32]
    high: NDArray[np.float32]


class Pyramid:
    """Grows at its end; one writer (`extend`, `widen`) and any number of readers (`fetch`).

    columns: N; base: rows per block of level 0; factor: blocks per block of the level above;
    allocate(name, shape, dtype) gives each level its array, with any content; every name is asked
    for once (levels grow by doubling and are then copied under a new name).
    """

    def __init__(
        self, columns: int, base: int = 64, factor: int = 4, allocate: Allocate = _in_memory
    ) -> None:
        self.columns = columns
        self.base = base
        self.factor = factor
        self.rows = 0
        self._allocate = allocate
        self._allocated = 0
        self._levels: tuple[Level, ...] = ()

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels now; blocks beyond `rows // size` are unfinished."""
        return self._levels

    @property
    def nbytes(self) -> int:
        """Bytes that the levels hold for the rows there are."""
        return sum(2 * 4 * self.columns * -(-self.rows // lv.size) for lv in self._levels)

    def extend(self, values: NDArray[np.float32]) -> None:
        """Append rows (M, N) float32; NaN is "no value". ValueError when N is not `columns`."""
        values = np.ascontiguousarray(values, np.float32)
        if values.ndim != 2 or values.shape[1] != self.columns:
            raise ValueError(f"rows of {self.columns} columns expected, got {values.shape}")
        if not len(values):
            return
        rows = self.rows + len(values)
        known = len(self._levels)
        self._levels = levels = self._grown(rows, self.columns)
        _add_rows(values, self.rows, self.base, levels[0].low, levels[0].high)
        for number, (below, level) in enumerate(pairwise(levels), 1):
            first = self.rows // below.size if number < known else 0
            stop = -(-rows // below.size)
            _add_blocks(below.low, below.high, first, stop, self.factor, level.low, level.high)
        self.rows = rows

    def widen(self, columns: int) -> None:
        """Give the rows more columns; the older rows hold no value there."""
        if columns > self.columns:
            self._levels = self._grown(self.rows, columns)
            self.columns = columns

    def fetch(
        self,
        raw: NDArray[np.float32],
        edges: NDArray[np.int64],
        columns: NDArray[np.int64] | None = None,
        raw_start: int = 0,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Extremes per pixel: low, high float32 (K, P), NaN where a pixel holds no value.

        raw: float32 (T, N), the rows from number `raw_start` on. edges: int64 (P + 1),
        non-decreasing row numbers; pixel p covers rows edges[p] .. edges[p + 1] - 1. columns: K
        column numbers, default all of raw. Exact for rows from `raw_start` on; of older rows only
        whole blocks are known, and rows at an edge that fall into no whole block are left out.
        Edges on multiples of `base` never touch raw. Raises IndexError for edges or columns
        outside the data.
        """
        rows, levels = self.rows, self._levels  # in this order: levels may only be newer
        if columns is None:
            columns = np.arange(raw.shape[1], dtype=np.int64)
        columns = np.ascontiguousarray(columns, np.int64)
        edges = np.ascontiguousarray(edges, np.int64)
        self._check(raw, edges, columns, raw_start)
        pixels = max(len(edges) - 1, 0)
        shape = (pixels, len(columns))
        low, high = np.full(shape, np.inf, np.float32), np.full(shape, -np.inf, np.float32)
        if low.size:
            contiguous = bool(np.all(np.diff(columns) == 1))
            begin, end = edges[:-1].copy(), edges[1:].copy()
            sources = [(raw, raw, self.base, raw_start, rows // self.base)]
            for number, level in enumerate(levels):
                limit = rows // levels[number + 1].size if number + 1 < len(levels) else 0
                sources.append((level.low, level.high, self.factor, 0, limit))
            for lows, highs, ratio, shift, limit in sources:
                _fold_level(
                    lows, highs, ratio, shift, limit, columns, contiguous, begin, end, low, high
                )
        low_out, high_out = np.empty(shape[::-1], np.float32), np.empty(shape[::-1], np.float32)
        _finish(low, high, low_out, high_out)
        return low_out, high_out

    def _check(
        self,
        raw: NDArray[np.float32],
        edges: NDArray[np.int64],
        columns: NDArray[np.int64],
        raw_start: int,
    ) -> None:
        # The kernels index without checks: a wrong edge would read foreign memory.
        width = min(raw.shape[1], self.columns)
        if len(columns) and (columns.min() < 0 or columns.max() >= width):
            raise IndexError(f"columns must lie in 0..{width - 1}")
        last = raw_start + len(raw)
        if len(edges) and (edges[0] < 0 or edges[-1] > last or np.any(np.diff(edges) < 0)):
            raise IndexError(f"edges must rise from 0 to at most {last}")

    def _grown(self, rows: int, columns: int) -> tuple[Level, ...]:
        """Levels with room for `rows` rows of `columns` columns, sharing arrays where they fit."""
        grown: list[Level] = []
        size, blocks = self.base, -(-rows // self.base)
        while blocks > 1 or not grown:
            old = self._levels[len(grown)] if len(grown) < len(self._levels) else None
            grown.append(self._level(size, blocks, columns, old))
            size, blocks = size * self.factor, -(-blocks // self.factor)
        return tuple(grown)

    def _level(self, size: int, blocks: int, columns: int, old: Level | None) -> Level:
        if old and old.low.shape[0] >= blocks and old.low.shape[1] >= columns:
            return old
        capacity = max(blocks, _FIRST_BLOCKS)
        if old:
            fits = old.low.shape[0] >= blocks
            capacity = old.low.shape[0] if fits else max(2 * old.low.shape[0], blocks)
        self._allocated += 1
        arrays = []
        for name, empty in (("low", np.inf), ("high", -np.inf)):
            shape = (capacity, columns)
            array = self._allocate(f"{name}-{size}-{self._allocated}", shape, _FLOAT32)
            used = 0
            if old:
                before = old.low if name == "low" else old.high
                used = min(-(-self.rows // size), before.shape[0])
                array[:used, : before.shape[1]] = before[:used]
                array[:used, before.shape[1] :] = empty
            arrays.append(array)
        return Level(size, arrays[0], arrays[1])
