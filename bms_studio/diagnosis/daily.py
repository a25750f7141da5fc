"""Days: one median a day of every cell's difference, and whether it drifts over the days.

What detectors of slow drift share. Weeks of rows become a few numbers a day; nothing is judged
here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY_NS = 86_400_000_000_000
_KEPT = 90


@dataclass(frozen=True, slots=True)
class Drift:
    """Change over the span of days with its sigma, the span, days, z = change / sigma, and the
    change between the means of the first and the last third."""

    change: float
    sigma: float
    days: float
    count: int
    z: float
    thirds: float


class Days:
    """Collects values of one day after another; `least`: rows that make a day."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._day = -1
        self._values: list[NDArray[np.float32]] = []
        self._levels: list[NDArray[np.float32]] = []
        self._span = (0, 0)
        self.times: list[int] = []
        self.spans: list[tuple[int, int]] = []
        self.rows: list[NDArray[np.float64]] = []
        self.levels: list[float] = []

    def push(
        self, time: NDArray[np.int64], values: NDArray[np.float32], level: NDArray[np.float32]
    ) -> list[int]:
        """How many days were known after each day that these rows ended; time int64 ns (M,),
        values (M, N), level (M,): what they may depend on (voltage, current)."""
        ended = []
        days = time // DAY_NS
        for day in np.unique(days):
            if day != self._day:
                if self._close():
                    ended.append(len(self.rows))
                self._day = int(day)
            chosen = days == day
            if not self._values:
                self._span = (int(time[chosen][0]), 0)
            self._values.append(values[chosen])
            self._levels.append(level[chosen])
            self._span = (self._span[0], int(time[chosen][-1]))
        return ended

    def flush(self) -> list[int]:
        """At the end of a stream: the day that is not over counts, if there was enough of it."""
        return [len(self.rows)] if self._values and self._close() else []

    def _close(self) -> bool:
        """The day that ended becomes a row, if there was enough of it."""
        values, levels = self._values, self._levels
        self._values, self._levels = [], []
        if sum(len(v) for v in values) < self._least:
            return False
        width = max(v.shape[1] for v in values)
        table = np.concatenate(
            [np.pad(v, ((0, 0), (0, width - v.shape[1])), constant_values=np.nan) for v in values]
        )
        known = np.count_nonzero(~np.isnan(table), axis=0) >= self._least // 2
        row = np.full(width, np.nan)
        if known.any():
            row[known] = np.nanmedian(table[:, known], axis=0)
        self.rows.append(row)
        self.levels.append(float(np.nanmean(np.concatenate(levels))))
        self.times.append(self._span[1])
        self.spans.append(self._span)
        return True

    def table(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(days since the first (M,), values (M, N)) of the newest of the first `count` days."""
        first = max(0, count - _KEPT)
        rows = self.rows[first:count]
        width = max(len(row) for row in rows)
        table = np.array(
            [np.pad(row, (0, width - len(row)), constant_values=np.nan) for row in rows]
        )
        times = np.array(self.times[first:count])
        return (times - times[0]) / DAY_NS, table

    def drift(self, count: int, floor: float, by_level: float) -> list[Drift | None]:
        """The drift of every cell over the first `count` days, None where fewer than six are known.

        floor: what a day's value varies by, at least; by_level: sigma of how much a value depends
        on the level (per unit of it), which is fitted beside the drift.
        """
        days, table = self.table(count)
        levels = np.array(self.levels[max(0, count - _KEPT) : count])
        return [_drift(days, table[:, k], levels, floor, by_level) for k in range(table.shape[1])]


def _drift(
    days: NDArray[np.float64],
    values: NDArray[np.float64],
    levels: NDArray[np.float64],
    floor: float,
    by_level: float,
) -> Drift | None:
    known = np.isfinite(values) & np.isfinite(levels)
    if np.count_nonzero(known) < 6:
        return None
    x, y, v = days[known], values[known], levels[known]
    span = float(x[-1] - x[0])
    if span <= 0:
        return None
    columns = np.stack([np.ones(len(x)), x / span - 0.5, v - v.mean()], 1)
    prior = np.diag([0.0, 0.0, (floor / by_level) ** 2])
    normal = columns.T @ columns + prior
    answer = np.linalg.solve(normal, columns.T @ y)
    rest = y - columns @ answer
    scatter = max(floor, float(np.sqrt(rest @ rest / max(len(x) - 3, 1))))
    # Days err alike: trusted as if only every second one were there.
    sigma = float(np.sqrt(2 * np.linalg.inv(normal)[1, 1])) * scatter
    flat = y - columns[:, 2] * answer[2]
    third = max(len(x) // 3, 1)
    thirds = float(flat[-third:].mean() - flat[:third].mean())
    return Drift(float(answer[1]), sigma, span, len(x), float(answer[1]) / sigma, thirds)
