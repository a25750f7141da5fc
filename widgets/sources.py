"""What a plot asks of its data: a version and a reduced piece of time. Nothing is drawn here.

A timeline, a difference layer or plain arrays serve alike; a plot knows only these protocols.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Reduced(Protocol):
    """N traces by M columns: time int64[M] ns, low and high float[N, M], NaN where nothing is.

    Fewer samples than pixels: the samples as they are (low == high). Else one column per pixel with
    the extremes of its samples. A gap is a NaN column.
    """

    @property
    def time(self) -> NDArray[np.int64]: ...
    @property
    def low(self) -> NDArray[np.float32]: ...
    @property
    def high(self) -> NDArray[np.float32]: ...


class Source(Protocol):
    """Traces over time. `version` rises with every change; a view that saw it need not fetch."""

    @property
    def version(self) -> int: ...

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Reduced:
        """The span t0…t1 in about `pixels` columns, with a neighbour on either side if it can."""


class Columns(NamedTuple):
    """A `Reduced` in plain arrays."""

    time: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def no_columns() -> Columns:
    """Nothing at all: no trace, no column."""
    return Columns(
        np.zeros(0, np.int64), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32)
    )


class ArraySource:
    """Traces held in memory.

    time: int64[T] ns, rising; rows: float[T, N], NaN where a value is missing. A pause longer than
    `gap_ns` (0: never) is shown as a gap.
    """

    def __init__(self, time: NDArray[np.int64], rows: NDArray[np.float32], gap_ns: int = 0) -> None:
        self.version = 0
        self.gap_ns = gap_ns
        self.replace(time, rows)

    def replace(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> None:
        """Show other data. ValueError when the shapes do not fit each other."""
        if rows.ndim != 2 or len(time) != len(rows):
            raise ValueError(f"rows of shape {rows.shape} do not fit {len(time)} times")
        # writable, because read-only arrays would make numba compile a second kernel
        self.time = np.require(time, np.int64, ("C", "W"))
        self.rows = np.require(rows, np.float32, ("C", "W"))
        self.version += 1

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """See `Source.fetch`."""
        first = max(int(np.searchsorted(self.time, t0_ns)) - 1, 0)
        last = min(int(np.searchsorted(self.time, t1_ns, "right")) + 1, len(self.time))
        time, rows = self.time[first:last], self.rows[first:last]
        if len(time) > 2 * pixels > 0 and t1_ns > t0_ns:
            return Columns(*reduce_rows(time, rows, t0_ns, t1_ns, pixels, self.gap_ns))
        if self.gap_ns:
            breaks = np.flatnonzero(np.diff(time) > self.gap_ns) + 1
            time = np.insert(time, breaks, time[breaks - 1] + 1)
            rows = np.insert(rows, breaks, np.nan, axis=0)
        values = np.ascontiguousarray(rows.T)
        return Columns(time, values, values)


@njit(nogil=True, cache=True)
def reduce_rows(
    time: NDArray[np.int64],
    rows: NDArray[np.float32],
    t0_ns: int,
    t1_ns: int,
    pixels: int,
    gap_ns: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Extremes of rows (T, N) per pixel of t0…t1: time[pixels], low and high [N, pixels].

    An empty column between samples closer than `gap_ns` (0: any) repeats nothing and is left out of
    the result, so that the plot joins its neighbours; in a longer pause it stays, as NaN.
    """
    count = rows.shape[1]
    low = np.full((pixels, count), np.float32(np.nan))
    high = np.full((pixels, count), np.float32(np.nan))
    filled = np.zeros(pixels, np.bool_)
    gap_after = np.zeros(pixels, np.bool_)
    width = (t1_ns - t0_ns) / pixels
    before = -1
    for row in range(len(time)):
        column = min(max(int((time[row] - t0_ns) / width), 0), pixels - 1)
        if gap_ns > 0 and row > 0 and time[row] - time[row - 1] > gap_ns and before >= 0:
            gap_after[before] = True
        before = column
        if not filled[column]:
            filled[column] = True
            for n in range(count):
                low[column, n] = rows[row, n]
                high[column, n] = rows[row, n]
            continue
        for n in range(count):
            value = rows[row, n]
            # written so that NaN on either side gives way to a number
            if not (low[column, n] <= value) and value == value:
                low[column, n] = value
            if not (high[column, n] >= value) and value == value:
                high[column, n] = value
    keep = np.empty(pixels, np.int64)
    kept = 0
    open_gap = False
    for column in range(pixels):
        if filled[column] or open_gap:
            keep[kept] = column
            kept += 1
        if filled[column]:
            open_gap = gap_after[column]
    out_time = np.empty(kept, np.int64)
    out_low = np.empty((count, kept), np.float32)
    out_high = np.empty((count, kept), np.float32)
    for k in range(kept):
        out_time[k] = t0_ns + int((keep[k] + 0.5) * width)
    for start in range(0, kept, 64):
        for n in range(count):
            for k in range(start, min(start + 64, kept)):
                out_low[n, k] = low[keep[k], n]
                out_high[n, k] = high[keep[k], n]
    return out_time, out_low, out_high
