"""What detectors share: how far a cell stands out of its pack, and whether it moves over time.

Numbers only. Sigma floors come from the estimators and from what healthy cells of one batch differ
in, never from the spread of nearly identical cells alone: among those everything would stand out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.health import Health

DAY_NS, HOUR_NS = 86_400_000_000_000, 3_600_000_000_000
# Of what the drift between two days may vary without meaning, at least.
_FEWEST = 3
# Median absolute deviation to standard deviation of a normal distribution.
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True, eq=False)
class Outlier:
    """Per cell (N,): difference to the median of the others, its sigma with the spread of healthy
    cells, and their ratio; NaN where unknown."""

    difference: NDArray[np.float64]
    sigma: NDArray[np.float64]
    z: NDArray[np.float64]


def stand_out(values: NDArray[np.float64], sigma: NDArray[np.float64], natural: float) -> Outlier:
    """How far each cell stands from the others. natural: sigma among healthy cells, same unit.

    A value whose sigma is unknown says nothing. Fewer than three known cells: nothing either, with
    two nobody could say which one is odd.
    """
    known = np.isfinite(values) & np.isfinite(sigma)
    difference, total = np.full(len(values), np.nan), np.full(len(values), np.nan)
    if np.count_nonzero(known) >= _FEWEST:
        good = values[known]
        ordered = np.sort(good)
        # The median of the others, for every cell at once: one of two middle pairs is left.
        centre = _medians_without(ordered, np.searchsorted(ordered, good))
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(good - np.median(good))))
        difference[known] = good - centre
        total[known] = np.hypot(sigma[known], max(natural, spread))
    return Outlier(difference, total, difference / total)


def _medians_without(ordered: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median of rising values without the one at each of these places."""
    middle = (len(ordered) - 1) // 2
    high = ordered[middle + (at <= middle)]
    if len(ordered) % 2 == 0:
        return np.asarray(high, np.float64)
    return np.asarray((ordered[middle - 1 + (at <= middle - 1)] + high) / 2, np.float64)


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through points in time: slope per day with sigma, change over the span with
    sigma, days of the span, points; z = change / sigma."""

    slope_per_day: float
    slope_sigma: float
    change: float
    change_sigma: float
    days: float
    points: int
    z: float


NO_TREND = Trend(*(float("nan"),) * 4, 0.0, 0, float("nan"))


def trend(days: NDArray[np.float64], values: NDArray[np.float64], floor: float) -> Trend:
    """Least squares through values (M,) at `days` (M,). floor: sigma of one value, at least, of
    what varies from day to day; the scatter about the line counts when it is larger.

    Neighbouring days err alike (temperature, SOC, load), so the line is trusted as if only every
    second point were there. NO_TREND for fewer than three known points.
    """
    known = np.isfinite(values)
    x, y = days[known], values[known]
    if len(x) < _FEWEST or x[-1] <= x[0]:
        return NO_TREND
    centred = x - x.mean()
    slope = float(centred @ (y - y.mean()) / (centred @ centred))
    rest = y - y.mean() - slope * centred
    free = max(len(x) - 2, 1)
    sigma = max(floor, float(np.sqrt(rest @ rest / free)))
    slope_sigma = float(sigma * np.sqrt(2.0 / (centred @ centred)))
    span = float(x[-1] - x[0])
    change, change_sigma = slope * span, slope_sigma * span
    return Trend(slope, slope_sigma, change, change_sigma, span, len(x), change / change_sigma)


def visits(history: Sequence[Health], now: Health) -> list[Health]:
    """Daily summaries of the same number of cells, oldest first, one a day, `now` the last."""
    newest: dict[int, Health] = {}
    for health in history:
        if health.count == now.count and health.time < now.time:
            newest[health.time // DAY_NS] = health
    newest[now.time // DAY_NS] = now
    return [newest[day] for day in sorted(newest)]


def table(days: Sequence[Health], name: str) -> NDArray[np.float64]:
    """A quantity of every visit (M, N)."""
    return np.array([health.values(name) for health in days])


def against_pack(days: Sequence[Health], name: str) -> NDArray[np.float64]:
    """`table` minus the median of each visit: what the whole pack does together is no cell's."""
    values = table(days, name)
    for row in values:
        if np.isfinite(row).any():
            row -= np.nanmedian(row)
    return values


def in_days(days: Sequence[Health]) -> NDArray[np.float64]:
    """Moments of the visits in days since the first (M,)."""
    return np.array([(health.time - days[0].time) / DAY_NS for health in days])
