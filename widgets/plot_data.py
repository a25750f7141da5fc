"""The data layer of a plot: what was fetched, and the picture made of it. No widget, no text.

Fetches only when the source's version, the span or the width changed, and on a pixel grid fixed in
absolute time, so that a scrolling view does not shimmer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from widgets.raster import columns_of, compose, count_traces, extremes, ink_trace
from widgets.sources import ArraySource, Columns, Reduced, Source, no_columns

# Opacity of one, two, three and more strokes of unnamed traces on one pixel: a dense bundle reads
# as a solid band, a single stray trace still as a line.
_ALPHAS = np.array([0.0, 0.62, 0.82, 1.0])
_SMOOTH_UP_TO = 24  # so few unnamed traces are drawn with smooth edges; more would cost too much
_THIN = 0.55


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """A trace drawn by itself above the others: row, colour, half the thickness in pixels."""

    index: int
    color: QColor
    half_width: float = 0.8


class DataLayer:
    """Reduced data of one source and their picture."""

    def __init__(self) -> None:
        self.data: Reduced = no_columns()
        self.fetches = 0
        self._key: tuple[int, int, int, int, int] | None = None
        self._x = np.zeros(0, np.int32)
        self._t0_ns = 0
        self._t1_ns = 1
        self._width = 1
        self._extremes = (math.nan, math.nan)
        self._edges = np.zeros((1, 1), np.int16)
        self._image = QImage()

    @property
    def count(self) -> int:
        """Number of traces."""
        return len(self.data.low)

    def forget(self) -> None:
        """Nothing fetched is valid any more."""
        self._key = None
        self.data = no_columns()
        self._extremes = (math.nan, math.nan)
        self._x = np.zeros(0, np.int32)

    def is_stale(self, source: Source, t0_ns: int, t1_ns: int, width: int) -> bool:
        """Whether `update` with these would fetch."""
        return self._key != self._key_for(source, t0_ns, t1_ns, width)[0]

    def update(self, source: Source, t0_ns: int, t1_ns: int, width: int) -> bool:
        """Fetch t0…t1 for `width` pixels if it is not what we hold; True if it was fetched."""
        key, grid = self._key_for(source, t0_ns, t1_ns, width)
        if key == self._key:
            return False
        self._t0_ns, self._t1_ns, self._width = grid[0], grid[1], width
        self.data = _plain(source.fetch(grid[0], grid[1], width))
        self._x = columns_of(self.data.time, grid[0], grid[1], width)
        low, high = extremes(self._x, width, self.data.low, self.data.high)
        self._extremes = float(low), float(high)
        self._key = key
        self.fetches += 1
        return True

    @staticmethod
    def _key_for(
        source: Source, t0_ns: int, t1_ns: int, width: int
    ) -> tuple[tuple[int, int, int, int, int], tuple[int, int]]:
        per_pixel = max((t1_ns - t0_ns) // width, 1)
        end = -(-t1_ns // per_pixel) * per_pixel
        start = end - per_pixel * width
        return (id(source), source.version, start, end, width), (start, end)

    def extremes(self) -> tuple[float, float]:
        """Lowest and highest value in view; NaN where nothing is."""
        return self._extremes

    def picture(
        self,
        background: QImage,
        y_range: tuple[float, float],
        inks: Sequence[Ink],
        color: QColor,
        step: bool,
    ) -> QImage:
        """The traces over `background` (RGB32, its size is the plot's); valid until the next call.

        All traces without an ink in `color`, then the inks in their order.
        """
        width, height = background.width(), background.height()
        if self._image.size() != background.size():
            self._image = QImage(width, height, QImage.Format.Format_RGB32)
            self._edges = np.zeros((height + 1, width), np.int16)
        pixels = _pixels(self._image)
        top = y_range[1]
        scale = height / max(y_range[1] - y_range[0], 1e-30)
        named = {ink.index for ink in inks}
        plain = np.array([n for n in range(self.count) if n not in named], np.int64)
        self._edges.fill(0)
        low, high = self.data.low, self.data.high
        if len(plain) <= _SMOOTH_UP_TO:
            inks = [*(Ink(int(n), color, _THIN) for n in plain), *inks]
            plain = plain[:0]
        if len(plain) and len(self._x):
            count_traces(self._edges, self._x, low, high, plain, top, scale, step)
        compose(pixels, _pixels(background), self._edges, color.rgb() & 0xFFFFFF, _ALPHAS)
        for ink in inks:
            if 0 <= ink.index < self.count:
                rgb = ink.color.rgb() & 0xFFFFFF
                row_low, row_high = low[ink.index], high[ink.index]
                ink_trace(pixels, self._x, row_low, row_high, top, scale, ink.half_width, rgb, step)
        return self._image

    def column_at(self, t_ns: int) -> int | None:
        """Index of the column nearest to a time; None without data."""
        time = self.data.time
        if not len(time):
            return None
        after = int(np.searchsorted(time, t_ns))
        if after == 0:
            return 0
        if after == len(time) or t_ns - time[after - 1] <= time[after] - t_ns:
            return after - 1
        return after

    def value_at(self, index: int, t_ns: int) -> tuple[float, float]:
        """(low, high) of a trace in the column nearest to a time; NaN if there is none."""
        column = self.column_at(t_ns)
        if column is None or not 0 <= index < self.count:
            return math.nan, math.nan
        return float(self.data.low[index, column]), float(self.data.high[index, column])

    def last(self, index: int) -> float:
        """Newest known value of a trace in view; NaN if there is none."""
        if not 0 <= index < self.count:
            return math.nan
        row = self.data.high[index][(self._x >= 0) & (self._x < self._width)]
        known = np.flatnonzero(~np.isnan(row))
        return float(row[known[-1]]) if len(known) else math.nan

    def nearest(self, t_ns: int, value: float) -> tuple[int, float]:
        """(trace, distance in value) nearest to a point; (-1, inf) without data near that time.

        Looks at the columns a few pixels around, so that steep edges can be hit.
        """
        if not self.count or not len(self.data.time):
            return -1, math.inf
        reach = 3 * max((self._t1_ns - self._t0_ns) // max(self._width, 1), 1)
        first = int(np.searchsorted(self.data.time, t_ns - reach))
        last = int(np.searchsorted(self.data.time, t_ns + reach, "right"))
        if first >= last:
            near = self.column_at(t_ns)
            first, last = (near, near + 1) if near is not None else (0, 0)
        distance = _distance(self.data.low[:, first:last], self.data.high[:, first:last], value)
        best = int(np.argmin(distance))
        return (best, float(distance[best])) if np.isfinite(distance[best]) else (-1, math.inf)


def _plain(data: Reduced) -> Columns:
    """The same in contiguous float32 arrays: the kernels are compiled for this one type."""
    low = np.require(data.low, np.float32, ("C", "W"))
    high = low if data.high is data.low else np.require(data.high, np.float32, ("C", "W"))
    if low.shape != high.shape or low.shape[1:] != data.time.shape:
        raise ValueError(
            f"a source gave {data.time.shape} times with values of {low.shape} and {high.shape}"
        )
    return Columns(np.require(data.time, np.int64, ("C",)), low, high)


def _distance(
    low: NDArray[np.float32], high: NDArray[np.float32], value: float
) -> NDArray[np.float64]:
    """Distance of `value` from the nearest span of each row; inf where a row is unknown."""
    below = np.where(np.isnan(low), np.inf, low - value)
    above = np.where(np.isnan(high), np.inf, value - high)
    outside: NDArray[np.float64] = np.maximum(np.maximum(below, above), 0.0).min(axis=1)
    return outside


def _pixels(image: QImage) -> NDArray[np.uint32]:
    """The image's own memory as uint32[height, width]; it must outlive the array."""
    flat = np.frombuffer(image.bits(), np.uint32)
    rows: NDArray[np.uint32] = flat.reshape(image.height(), image.bytesPerLine() // 4)
    return rows[:, : image.width()]


def warm() -> None:
    """Compile every kernel of the plots into numba's cache; takes seconds the first time."""
    time = np.arange(40, dtype=np.int64) * 1_000_000
    for traces in (1, _SMOOTH_UP_TO + 2):
        rows = np.zeros((len(time), traces), np.float32)
        for pixels in (8, 100):
            layer = DataLayer()
            layer.update(ArraySource(time, rows), 0, int(time[-1]), pixels)
            layer.extremes()
            background = QImage(pixels, 8, QImage.Format.Format_RGB32)
            background.fill(0)
            layer.picture(background, (-1.0, 1.0), [Ink(0, QColor(0))], QColor(0), False)
