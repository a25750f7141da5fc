"""Balance of charge: a cell that rests off its neighbours, and one that sinks from day to day.

Mechanism: self-discharge, a soft short or a loss of capacity takes charge from one cell; the
balancer hides a part. In fields of vehicles the low daily median at low current is the strongest
single sign, and it needs no model of the cell.
Evidence: per day the median difference of each cell from the median cell while hardly any current
flows; its drift over at least a week, the dependence on the state of charge fitted beside it. And
`imbalance` of `Health` where an estimator knows it.
A level is at most "watch": many cars carry a cell 30 mV off for years. Drift of six sigma in both
halves of the time is "warn".
Blind: packs that are balanced more than the cell loses; LFP between 25 and 95 %; days without rest.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.alerts import Conditions
from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.daily import Days, Drift
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.scoring import stand_out
from bms_studio.diagnosis.words import found
from bms_studio.pack.health import Health

LOW_A, LOW_SHARE = 1.0, 0.03
# Ten-second windows that make a day, and what one day's median varies by.
DAY_WINDOWS, DAILY_V = 18, 0.0015
# How much a difference depends on the voltage (V per V): a cell 10 % smaller gives 0.1.
BY_LEVEL = 0.1
DRIFT_Z, DRIFT_V, DRIFT_DAYS = 6.0, 0.008, 7.0
# What was told is held down to this share of the thresholds.
LEVEL_V, LEVEL_MAD, LEVEL_DAYS, HELD = 0.025, 8.0, 3, 0.4
NATURAL, CHARGE_Z, CHARGE = 0.01, 4.0, 0.05


def find(history: Sequence[Health], now: Health) -> list[Finding]:
    """Cells whose state of charge stands off the others', as of `now`."""
    charge = stand_out(now.values("imbalance"), now.sigma("imbalance"), NATURAL)
    out = []
    for k in range(now.count):
        off, z = float(charge.difference[k]), float(charge.z[k])
        if not (abs(off) >= CHARGE and abs(z) >= CHARGE_Z):
            continue
        span = (now.start, now.time)
        text = f"{100 * off:+.1f} % of charge against the median"
        item = evidence("imbalance", off, float(charge.sigma[k]), 0.0, *span, text)
        parameters = {"percent": 100 * off}
        out.append(
            found("imbalance.charge", now.time, span, k + 1, "watch", abs(z), parameters, (item,))
        )
    return out


class DriftWatch:
    """Watches the days in moments of ten seconds as they come; speaks when a day has ended."""

    def __init__(self) -> None:
        self._days = Days(DAY_WINDOWS)
        self._peak_a = 0.0
        self._median_v = float("nan")
        self._conditions = Conditions()

    def push(self, block: Moments) -> list[Finding]:
        """What the days that ended in these moments raised or resolved."""
        if block.cells_v.shape[1] < 3 or not len(block):
            return []
        rows = np.flatnonzero(self._low(block))
        deviation = block.cells_v[rows] - block.median_v[rows, None]
        ended = self._days.push(block.time[rows], deviation, block.median_v[rows])
        return self._tell(ended)

    def flush(self) -> list[Finding]:
        """What the day that the stream ended in raised or resolved."""
        return self._tell(self._days.flush())

    def _tell(self, ended: list[int]) -> list[Finding]:
        out = []
        for count in ended:
            out += self._conditions.update(self._days.times[count - 1], self._hold(count))
        return out

    def _low(self, block: Moments) -> NDArray[np.bool_]:
        """Moments with hardly any current; without a current, with a voltage that stands still."""
        size = np.fmax(np.abs(block.low_a), np.abs(block.high_a))
        peak = np.fmax.accumulate(np.concatenate([[self._peak_a], size]))[1:]
        self._peak_a = float(peak[-1])
        before = np.concatenate([[self._median_v], block.median_v[:-1]])
        self._median_v = float(block.median_v[-1])
        with np.errstate(invalid="ignore"):
            still = np.abs(block.median_v - before) < 0.001
            low = size <= np.fmax(LOW_A, LOW_SHARE * peak)
        return np.asarray(np.where(np.isnan(size), still, low), np.bool_)

    def _hold(self, count: int) -> list[Finding]:
        """Findings that hold after the first `count` days."""
        days = self._days
        time, newest = days.times[count - 1], days.spans[count - 1]
        recent = days.table(count)[1][-LEVEL_DAYS:]
        out = []
        lines = days.drift(count, DAILY_V, BY_LEVEL)
        held = [self._conditions.holds(f"imbalance.level.{k + 1}") for k in range(len(lines))]
        levels = _levels(recent, np.where(held, HELD, 1.0))
        for k, line in enumerate(lines):
            if line is not None and _sinks(line):
                first = max(0, count - line.count)
                out.append(self._drifts(k, line, time, (days.spans[first][0], newest[1])))
            elif not np.isnan(levels[k]):
                span = (days.spans[count - len(recent)][0], newest[1])
                out.append(_stands_off(k, float(levels[k]), time, span))
        return out

    def _drifts(self, k: int, line: Drift, time: int, span: tuple[int, int]) -> Finding:
        text = f"{1e3 * line.change:+.1f} mV against the median in {line.days:.0f} days"
        item = evidence("deviation", line.change, line.sigma, 0.0, *span, text)
        parameters = {"millivolt": -1e3 * line.change, "days": line.days}
        made = found("imbalance.drift", time, span, k + 1, "warn", -line.z, parameters, (item,))
        return replace(made, count=line.count)


def _sinks(line: Drift) -> bool:
    enough = line.days >= DRIFT_DAYS and -line.change >= DRIFT_V
    return enough and -line.z >= DRIFT_Z and -line.thirds >= 0.4 * -line.change


def _levels(recent: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per cell the difference that stood on every one of these days, NaN where none does; share:
    of the thresholds, per cell."""
    out = np.full(recent.shape[1], np.nan)
    if len(recent) < LEVEL_DAYS:
        return out
    for k in range(recent.shape[1]):
        values = recent[:, k]
        least = float(np.min(np.abs(values))) if np.isfinite(values).all() else 0.0
        if least < share[k] * LEVEL_V or np.ptp(np.sign(values)) > 0:
            continue
        others = np.abs(np.delete(recent, k, axis=1))
        spread = float(np.nanmedian(others)) if np.isfinite(others).any() else 0.0
        if least >= share[k] * LEVEL_MAD * spread:
            out[k] = values[-1]
    return out


def _stands_off(k: int, level_v: float, time: int, span: tuple[int, int]) -> Finding:
    text = f"{1e3 * level_v:+.0f} mV against the median at rest, every day"
    item = evidence("deviation", level_v, DAILY_V, 0.0, *span, text)
    return found(
        "imbalance.level",
        time,
        span,
        k + 1,
        "watch",
        abs(level_v) / LEVEL_V,
        {"millivolt": 1e3 * level_v},
        (item,),
    )
