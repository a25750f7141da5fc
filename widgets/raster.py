"""Many traces into one picture: the drawing kernels of the plots. Arrays only, no Qt.

Each trace is a row of vertical spans [low, high], one per column of data, joined to the next one.
Traces without a name share a count of strokes per pixel, which becomes a soft colour. The count is
kept as differences down each column (plus one where a span begins, minus one below its end), so
that a tall span costs no more than a short one. A named trace is drawn with smooth edges above
them. A span is never thinner than a pixel, so a single outlier among millions of samples stays
visible. Pixels are 0xffRRGGBB, row-major, as QImage Format_RGB32.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def _stroke(edges: NDArray[np.int16], column: int, upper: float, lower: float) -> None:
    """Add one stroke to the pixels of `column` between y = upper and y = lower (downwards)."""
    height = edges.shape[0] - 1
    # asked this way round, so that NaN (a zoom beyond what floats can tell apart) draws nothing;
    # as one chained condition it took three times as long
    if not (lower >= 0.0) or not (upper < height) or column < 0 or column >= edges.shape[1]:
        return
    first = int(max(upper, 0.0))
    last = int(min(lower, height - 1.0))
    edges[first, column] += 1
    edges[last + 1, column] -= 1


@njit(nogil=True, cache=True)
def count_traces(
    edges: NDArray[np.int16],
    x: NDArray[np.int32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    traces: NDArray[np.int64],
    top: float,
    scale: float,
    step: bool,
) -> None:
    """Add the strokes of `traces` (row numbers of low and high [N, M]) to edges [H + 1, W].

    x: column of each of the M samples, rising (samples may share one); y = (top - value) * scale.
    step: hold a value until the next sample instead of a straight line. NaN breaks a trace.
    """
    columns = len(x)
    for n in traces:
        started = False
        column_before = 0
        upper_before = 0.0
        lower_before = 0.0
        for j in range(columns):
            lo = low[n, j]
            hi = high[n, j]
            if not (lo <= hi):
                started = False
                continue
            upper = (top - hi) * scale
            lower = (top - lo) * scale
            column = x[j]
            if not started:
                reach = 0
                if j + 1 == columns or not (low[n, j + 1] <= high[n, j + 1]):
                    reach = 2  # a lone sample: wide enough to be seen
                for k in range(column - reach, column + reach + 1):
                    _stroke(edges, k, upper, lower)
            else:
                start, end = _bridge(upper_before, lower_before, upper, lower)
                if column > column_before + 1:
                    slope = (end - start) / (column - column_before)
                    if step:
                        slope = 0.0
                    visible = max(column_before + 1, 0)
                    y = start + slope * (visible - column_before - 1)
                    for k in range(visible, min(column, edges.shape[1])):
                        _stroke(edges, k, min(y, y + slope), max(y, y + slope))
                        y += slope
                    if not step:
                        start = end - slope
                _stroke(edges, column, min(upper, start), max(lower, start))
            started = True
            column_before, upper_before, lower_before = column, upper, lower


@njit(nogil=True, cache=True)
def _bridge(upper_a: float, lower_a: float, upper_b: float, lower_b: float) -> tuple[float, float]:
    """Where the join leaves span a and where it enters span b: the nearest ends."""
    if upper_b > lower_a:
        return lower_a, upper_b
    if lower_b < upper_a:
        return upper_a, lower_b
    middle = 0.5 * (max(upper_a, upper_b) + min(lower_a, lower_b))
    return middle, middle


@njit(nogil=True, cache=True)
def _blend(below: int, color: int, alpha: float) -> int:
    """`color` over `below` with `alpha` 0…1; both 0xRRGGBB with any top byte."""
    share = int(alpha * 256.0)
    rest = 256 - share
    red = (((color >> 16) & 255) * share + ((below >> 16) & 255) * rest) >> 8
    green = (((color >> 8) & 255) * share + ((below >> 8) & 255) * rest) >> 8
    blue = ((color & 255) * share + (below & 255) * rest) >> 8
    return 0xFF000000 | (red << 16) | (green << 8) | blue


@njit(nogil=True, cache=True)
def compose(
    image: NDArray[np.uint32],
    background: NDArray[np.uint32],
    edges: NDArray[np.int16],
    color: int,
    alphas: NDArray[np.float64],
) -> None:
    """image = background, with `color` over it where strokes were counted.

    image, background [H, W]; edges [H + 1, W] from `count_traces`. alphas[k]: opacity of k strokes;
    more than the table has count as its last.
    """
    most = len(alphas) - 1
    strokes = np.zeros(image.shape[1], np.int16)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            strokes[x] += edges[y, x]
        for x in range(image.shape[1]):
            below = background[y, x]
            if strokes[x] == 0:
                image[y, x] = below
            else:
                image[y, x] = _blend(below, color, alphas[min(strokes[x], most)])


@njit(nogil=True, cache=True)
def _ink(
    image: NDArray[np.uint32], column: int, upper: float, lower: float, color: int, alpha: float
) -> None:
    """Paint `column` from y = upper to lower (pixel edges); the ends by the part they cover."""
    height = image.shape[0]
    if not (lower > 0.0 and upper < height and 0 <= column < image.shape[1]):
        return
    first = int(max(upper, 0.0))
    last = math.ceil(min(lower, float(height))) - 1
    for y in range(first, last + 1):
        cover = min(y + 1.0, lower) - max(float(y), upper)
        image[y, column] = _blend(image[y, column], color, alpha * min(cover, 1.0))


@njit(nogil=True, cache=True)
def ink_trace(
    image: NDArray[np.uint32],
    x: NDArray[np.int32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    top: float,
    scale: float,
    half_width: float,
    color: int,
    step: bool,
) -> None:
    """Draw one trace (low, high [M]) with smooth edges into image [H, W]; see `count_traces`.

    half_width: half the stroke's thickness in pixels, at least 0.5.
    """
    columns = len(x)
    started = False
    column_before = 0
    upper_before = 0.0
    lower_before = 0.0
    for j in range(columns):
        if not (low[j] <= high[j]):
            started = False
            continue
        upper = (top - high[j]) * scale
        lower = (top - low[j]) * scale
        column = x[j]
        if not started:
            reach = 0
            if j + 1 == columns or not (low[j + 1] <= high[j + 1]):
                reach = 2
            for k in range(column - reach, column + reach + 1):
                _ink(image, k, upper - half_width, lower + half_width, color, 1.0)
        else:
            start, end = _bridge(upper_before, lower_before, upper, lower)
            if column > column_before + 1:
                slope = (end - start) / (column - column_before)
                if step:
                    slope = 0.0
                visible = max(column_before + 1, 0)
                y = start + slope * (visible - column_before - 1)
                for k in range(visible, min(column, image.shape[1])):
                    a, b = min(y, y + slope), max(y, y + slope)
                    _ink(image, k, a - half_width, b + half_width, color, 1.0)
                    y += slope
                if not step:
                    start = end - slope
            a, b = min(upper, start), max(lower, start)
            _ink(image, column, a - half_width, b + half_width, color, 1.0)
            if b - a > 6.0 and half_width > 0.6:
                # an edge would else be thinner than the level stretches beside it
                _ink(image, column - 1, a - half_width, b + half_width, color, half_width - 0.5)
        started = True
        column_before, upper_before, lower_before = column, upper, lower


def columns_of(time: NDArray[np.int64], t0_ns: int, t1_ns: int, width: int) -> NDArray[np.int32]:
    """Pixel column of each time (ns) in a view t0…t1 of `width` pixels, clipped to ±2·10^9."""
    span = max(t1_ns - t0_ns, 1)
    position = np.floor((time - t0_ns) * (width / span))
    columns: NDArray[np.int32] = np.clip(position, -2e9, 2e9).astype(np.int32)
    return columns


@njit(nogil=True, cache=True)
def extremes(
    x: NDArray[np.int32], width: int, low: NDArray[np.float32], high: NDArray[np.float32]
) -> tuple[float, float]:
    """Lowest and highest value [N, M] among columns 0 <= x < width; NaN, NaN where nothing is."""
    least = math.inf
    most = -math.inf
    for n in range(low.shape[0]):
        for j in range(len(x)):
            if 0 <= x[j] < width and low[n, j] <= high[n, j]:
                least = min(least, low[n, j])
                most = max(most, high[n, j])
    if least > most:
        return math.nan, math.nan
    return least, most
