"""What a person measures in a range of time: extremes, mean, change, slope, integral per signal.

Arrays in, numbers out; no Qt, no knowledge of what the signals are.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.timeline import Timeline

# Values (rows x columns) taken into account exactly; a longer range is thinned out evenly.
EXACT_VALUES = 4_000_000


@dataclass(frozen=True, slots=True)
class Measure:
    """One signal in a range. delta: last minus first known value; slope: least squares, per s;
    integral: trapezoids over time, unit·s. exact: False when the rows were thinned out (extremes
    are exact all the same). NaN where nothing is known."""

    count: int
    minimum: float
    maximum: float
    mean: float
    delta: float
    slope: float
    integral: float
    exact: bool


def measure_columns(
    time: NDArray[np.int64], values: NDArray[np.float32], exact: bool = True
) -> list[Measure]:
    """A Measure per column. time: int64 ns (M,); values: (M, N), NaN unknown."""
    seconds = (time - (time[0] if len(time) else 0)) * 1e-9
    return [
        _measure(seconds, np.asarray(values[:, n], np.float64), exact)
        for n in range(values.shape[1])
    ]


def _measure(seconds: NDArray[np.float64], column: NDArray[np.float64], exact: bool) -> Measure:
    known = ~np.isnan(column)
    if not known.any():
        nan = math.nan
        return Measure(0, nan, nan, nan, nan, nan, nan, exact)
    s, v = seconds[known], column[known]
    centred = s - s.mean()
    variance = float(centred @ centred)
    return Measure(
        count=len(v),
        minimum=float(v.min()),
        maximum=float(v.max()),
        mean=float(v.mean()),
        delta=float(v[-1] - v[0]),
        slope=float(centred @ (v - v.mean())) / variance if variance > 0 else math.nan,
        integral=float(np.trapezoid(v, s)) if len(v) > 1 else math.nan,
        exact=exact,
    )


def measure_range(
    timeline: Timeline, group: str, columns: list[int], t0: int, t1: int
) -> list[Measure]:
    """A Measure per column of `group` over t0 <= time <= t1 (int64 ns)."""
    time, rows = timeline.raw(group, t0, t1)
    stride = max(1, math.ceil(len(time) * len(columns) / EXACT_VALUES))
    measures = measure_columns(time[::stride], rows[::stride][:, columns], stride == 1)
    if stride == 1:
        return measures
    reduced = timeline.fetch(group, t0, t1, 2000, columns)
    inside = (reduced.time >= t0) & (reduced.time <= t1)
    return [
        replace(
            m,
            count=m.count * stride,
            minimum=min(m.minimum, float(np.nanmin(reduced.low[n, inside], initial=np.inf))),
            maximum=max(m.maximum, float(np.nanmax(reduced.high[n, inside], initial=-np.inf))),
        )
        for n, m in enumerate(measures)
    ]


def integral_in_hours(unit: str, integral: float) -> tuple[float, str]:
    """The integral as people quote it: A gives Ah, W gives Wh, anything else unit·s."""
    if unit in ("A", "W"):
        return integral / 3600, unit + "h"
    return integral, f"{unit}·s" if unit else "s"
