"""The order at both ends: which cell is full first and which is empty first.

Mechanism: a small cell swings further than the others: it is full first and empty first, and no
balancing helps. A cell with more charge is full first and empty last, one with less the other way:
balancing helps.
Evidence: per day the differences from the median cell after at least two minutes without load,
where the pack stood highest and where it stood lowest that day: no resistance is in them. A reading
that is off by the same at both ends is the sensor's, and is left to `sense`.
Seen on one day it is information, on two of the last seven at most "watch": it is a level.
Blind: days that end where they began, the flat part of LFP, packs balanced at the top every night
(then a small cell is only empty first), days without rest at either end.
"""

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.alerts import Conditions
from bms_studio.diagnosis.contract import Finding, Parameters, evidence
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.words import found

Array = NDArray[np.float64]
LOW_A, LOW_SHARE, CALM_S = 1.0, 0.03, 120.0
# An end of the day: rows within this of the highest or lowest, at least a minute of them.
END_V, LEAST_ROWS, LEAST_SWING_V = 0.005, 6, 0.05
# Readings of healthy cells differ by 2 mV at either end, whatever their charge.
NATURAL_V, END_Z = 0.002, 4.0
LEVEL_V, IMBALANCE_V = 0.008, 0.015
# Ends that differ by less than this factor may as well be a sensor's offset.
ALIKE = 1.4
KEPT, REPEATED = 7, 2
DAY_NS = 86_400_000_000_000
_CODES = {
    (1, -1): "capacity.first_full_first_empty",
    (1, 1): "imbalance.first_full_last_empty",
    (-1, -1): "imbalance.last_full_first_empty",
}


class OrderWatch:
    """Watches rests in moments of ten seconds as they come; speaks when a day has ended."""

    def __init__(self) -> None:
        self._peak_a = 0.0
        self._calm_since = -1
        self._last = 0
        self._day = -1
        self._rows: list[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]] = []
        self._ends: list[tuple[Array, Array, tuple[int, int]]] = []
        self._conditions = Conditions()

    def push(self, block: Moments) -> list[Finding]:
        """What the days that ended in these moments raised or resolved."""
        if block.cells_v.shape[1] < 3 or not len(block):
            return []
        out: list[Finding] = []
        rows = np.flatnonzero(self._calm(block))
        days = block.time[rows] // DAY_NS
        for day in np.unique(days):
            if int(day) != self._day:
                out += self._close()
                self._day = int(day)
            chosen = rows[days == day]
            deviation = block.cells_v[chosen] - block.median_v[chosen, None]
            self._rows.append((block.time[chosen], block.median_v[chosen], deviation))
        return out

    def flush(self) -> list[Finding]:
        """What the day that the stream ended in raised or resolved."""
        return self._close()

    def _calm(self, block: Moments) -> NDArray[np.bool_]:
        """Moments after two minutes with hardly any current."""
        size = np.fmax(np.abs(block.low_a), np.abs(block.high_a))
        peak = np.fmax.accumulate(np.concatenate([[self._peak_a], size]))[1:]
        self._peak_a = float(peak[-1])
        with np.errstate(invalid="ignore"):
            low = size <= np.fmax(LOW_A, LOW_SHARE * peak)
        # A pause of the recording is no rest: nobody knows what happened in it.
        gap = np.diff(block.time, prepend=self._last) > 60_000_000_000
        self._last = int(block.time[-1])
        out = np.zeros(len(block), np.bool_)
        since = self._calm_since
        for i, now in enumerate(block.time.tolist()):
            if not low[i]:
                since = -1
                continue
            if since < 0 or gap[i]:
                since = now
            out[i] = now - since >= CALM_S * 1e9
        self._calm_since = since
        return out

    def _close(self) -> list[Finding]:
        """The day that ended, if it had two ends."""
        parts, self._rows = self._rows, []
        if not parts:
            return []
        time = np.concatenate([p[0] for p in parts])
        median = np.concatenate([p[1] for p in parts])
        width = max(p[2].shape[1] for p in parts)
        table = np.full((len(time), width), np.nan, np.float32)
        at = 0
        for _, _, deviation in parts:
            table[at : at + len(deviation), : deviation.shape[1]] = deviation
            at += len(deviation)
        high, low = np.nanmax(median), np.nanmin(median)
        top, bottom = median >= high - END_V, median <= low + END_V
        enough = min(np.count_nonzero(top), np.count_nonzero(bottom)) >= LEAST_ROWS
        if not (enough and high - low >= LEAST_SWING_V):
            return []
        ends = (_middle(table[top]), _middle(table[bottom]), (int(time[0]), int(time[-1])))
        self._ends = [*self._ends[1 - KEPT :], ends]
        return self._conditions.update(int(time[-1]), self._look(int(time[-1])))

    def _look(self, time: int) -> list[Finding]:
        """What holds as of the newest day."""
        seen = [_order(full, empty) for full, empty, _ in self._ends]
        out = []
        for k, code in seen[-1].items():
            days = [i for i, order in enumerate(seen) if order.get(k) == code]
            full, empty, last = self._ends[-1]
            span = (self._ends[days[0]][2][0], last[1])
            ends = [[self._ends[i][e][k] for i in days] for e in (0, 1)]
            items: list[Parameters] = []
            for values, where, value in zip(
                ends, ("full", "empty"), (full[k], empty[k]), strict=True
            ):
                sigma = float(np.hypot(NATURAL_V, np.std(values)) / np.sqrt(len(values)))
                text = f"{1e3 * value:+.1f} mV against the median at rest, pack at its {where} end"
                items.append(evidence("deviation", float(value), sigma, 0.0, *span, text))
            size = min(abs(float(full[k])), abs(float(empty[k])))
            severity = "watch" if len(days) >= REPEATED else "info"
            parameters = {"millivolt": 1e3 * size, "count": len(days)}
            out.append(
                found(
                    code,
                    time,
                    span,
                    k + 1,
                    severity,
                    size / NATURAL_V,
                    parameters,
                    tuple(items),
                    len(days),
                )
            )
        return out


def _middle(rows: NDArray[np.float32]) -> Array:
    """Median of each cell (N,), NaN where it was hardly seen."""
    out = np.full(rows.shape[1], np.nan)
    known = np.count_nonzero(~np.isnan(rows), axis=0) >= LEAST_ROWS // 2
    if known.any():
        out[known] = np.nanmedian(rows[:, known], axis=0)
    return out


def _order(full: Array, empty: Array) -> dict[int, str]:
    """Code of each cell (from 0) that stands out at both ends of a day."""
    both = np.isfinite(full) & np.isfinite(empty)
    if np.count_nonzero(both) < 3:
        return {}
    z = []
    for end in (full, empty):
        apart = end - np.median(end[both])
        spread = 1.4826 * float(np.median(np.abs(apart[both])))
        z.append(apart / max(NATURAL_V, spread))
    out: dict[int, str] = {}
    for k in np.flatnonzero(both & (np.fmin(np.abs(z[0]), np.abs(z[1])) >= END_Z)).tolist():
        small, large = sorted((abs(float(full[k])), abs(float(empty[k]))))
        code = _CODES.get((int(np.sign(full[k])), int(np.sign(empty[k]))), "")
        capacity = code.startswith("capacity")
        if small < (LEVEL_V if capacity else IMBALANCE_V):
            continue
        if code and (capacity or large >= ALIKE * small):
            out[k] = code
    return out
