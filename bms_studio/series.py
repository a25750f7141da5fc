"""One channel group in memory: time, values and their min/max pyramid, ready to be drawn.

A Series either grows (live) or stands on arrays that were loaded whole (replay). No Qt, no files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.numerics.growable import GrowableArray, scratch_array
from recordings.pyramid import Pyramid

# Two neighbouring samples further apart than this many usual periods have a gap between them.
_GAP_PERIODS = 5.0
_GAP_MIN_NS = 1_500_000_000
_HELD_ROWS = (8, 128, 2048, 16384)


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """N traces over M moments: time int64 ns; low, high float32 (N, M). NaN where nothing is known.

    With few samples low == high are the samples; else each moment is a pixel with its extremes.
    """

    time: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


class Series:
    """Rows (time, N values) in order; one writer, any number of readers.

    `first` is the number of the oldest raw row still held: older ones live on in the pyramid and in
    `old_time` (time of every `Pyramid.base`-th row).
    """

    def __init__(self, columns: tuple[str, ...], folder: str | None = None) -> None:
        self.columns = columns
        self._folder = folder
        self._time = GrowableArray((), np.int64, folder)
        self._values = GrowableArray((len(columns),), np.float32, folder)
        self._pyramid = self._new_pyramid(len(columns))
        self._dropped_rows = 0
        self._block_time = GrowableArray((), np.int64, folder)
        self.held: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None

    def _new_pyramid(self, columns: int) -> Pyramid:
        return Pyramid(
            columns, allocate=lambda _name, shape, dtype: scratch_array(shape, dtype, self._folder)
        )

    def __len__(self) -> int:
        return self._pyramid.rows

    @property
    def nbytes(self) -> int:
        """Bytes of raw rows held."""
        return self._values.nbytes + self._time.nbytes

    def span(self) -> tuple[int, int] | None:
        """First and last time, also of rows that only the pyramid remembers; None when empty."""
        block, time = self._block_time.view(), self._time.view()
        return (int(block[0]), int(time[-1])) if len(time) else None

    def append(self, time: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Append rows: time int64 ns (M,), non-decreasing; values float32 (M, N' >= N)."""
        if values.shape[1] > len(self.columns):
            self._widen(values.shape[1])
        elif values.shape[1] < len(self.columns):
            padded = np.full((len(values), len(self.columns)), np.nan, np.float32)
            padded[:, : values.shape[1]] = values
            values = padded
        base = self._pyramid.base
        rows = self._dropped_rows + self._time.rows
        self._block_time.append(time[(-rows) % base :: base])
        self._values.append(values)
        self._time.append(time)
        self._pyramid.extend(values)

    def _widen(self, count: int) -> None:
        extra = tuple(str(n + 1) for n in range(len(self.columns), count))
        self._values.widen(count, np.nan)
        self._pyramid.widen(count)
        self.columns = self.columns + extra

    def drop_older_half(self) -> None:
        """Give back the older half of the raw rows; overviews of them remain."""
        base = self._pyramid.base
        count = self._time.rows // 2 // base * base
        self._time.drop(count)
        self._values.drop(count)
        self._dropped_rows += count

    def _raw(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        time, values = self._time.view(), self._values.view()
        rows = min(len(time), len(values))
        return time[:rows], values[:rows]

    def raw(self, t0: int, t1: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The raw rows with t0 <= time <= t1, not copied."""
        time, values = self._raw()
        i, j = np.searchsorted(time, [t0, t1 + 1])
        return time[i:j], values[i:j]

    def held_at(self, t: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Newest known value of each column not later than t, and its time (NaN, 0: none)."""
        time, values = self._raw()
        if self.held is not None and len(time) and t >= time[-1]:
            return self.held
        count = len(self.columns)
        found, when = np.full(count, np.nan), np.zeros(count, np.int64)
        end = int(np.searchsorted(time, t, "right"))
        for look_back in _HELD_ROWS:
            start = max(0, end - look_back)
            if start == end:
                break
            known = ~np.isnan(values[start:end, :count])
            any_known = known.any(axis=0)
            last = end - 1 - np.argmax(known[::-1], axis=0)
            columns = np.flatnonzero(any_known)
            found[columns] = values[last[columns], columns]
            when[columns] = time[last[columns]]
            if any_known.all() or start == 0:
                break
        return found, when

    def gap_ns(self) -> int:
        """Two samples further apart than this are not joined by a line."""
        time = self._time.view()
        if len(time) < 3:
            return _GAP_MIN_NS
        recent = np.diff(time[-256:])
        return max(_GAP_MIN_NS, int(_GAP_PERIODS * float(np.median(recent))))

    def fetch(
        self, t0: int, t1: int, pixels: int, columns: NDArray[np.int64] | None = None
    ) -> Reduced:
        """What a plot of [t0, t1] on `pixels` pixels needs; columns: numbers, default all."""
        time, values = self._raw()
        i, j = (int(k) for k in np.searchsorted(time, [t0, t1 + 1]))
        i, j = max(0, i - 1), min(len(time), j + 1)
        older = self._dropped_rows and (not len(time) or t0 < time[0])
        if not older and j - i <= 2 * max(pixels, 1):
            chosen = values[i:j] if columns is None else values[i:j, columns]
            points = np.ascontiguousarray(chosen.T)
            return _with_gaps(Reduced(time[i:j].copy(), points, points), self.gap_ns())
        width = max(1, (t1 - t0) // max(pixels, 1))
        # Pixel borders at multiples of their width: a scrolling plot keeps its pixels.
        borders = np.arange(t0 // width * width, t1 + width, width, dtype=np.int64)
        edges = self._row_edges(time, borders)
        edges = np.minimum(edges, self._dropped_rows + len(time))
        low, high = self._pyramid.fetch(values, edges, columns, self._dropped_rows)
        filled = np.diff(edges) > 0
        reduced = Reduced((borders[:-1] + width // 2)[filled], low[:, filled], high[:, filled])
        return _with_gaps(reduced, max(self.gap_ns(), 2 * width))

    def _row_edges(self, time: NDArray[np.int64], borders: NDArray[np.int64]) -> NDArray[np.int64]:
        edges = np.searchsorted(time, borders).astype(np.int64) + self._dropped_rows
        if self._dropped_rows:
            base = self._pyramid.base
            old = self._block_time.view()[: self._dropped_rows // base]
            in_old = borders <= old[-1]
            edges[in_old] = np.searchsorted(old, borders[in_old]) * base
        return edges


def _with_gaps(reduced: Reduced, gap_ns: int) -> Reduced:
    """A NaN column between neighbours further apart than gap_ns, so that no line joins them."""
    after = np.flatnonzero(np.diff(reduced.time) > gap_ns) + 1
    if not len(after):
        return reduced
    middle = (reduced.time[after - 1] + reduced.time[after]) // 2
    low = np.insert(reduced.low, after, np.nan, axis=1)
    high = low if reduced.low is reduced.high else np.insert(reduced.high, after, np.nan, axis=1)
    return Reduced(np.insert(reduced.time, after, middle), low, high)
