"""Efficiency: a cell that gives less and less voltage under the same load, day after day.

Mechanism: every milliohm that grows turns current into heat instead of work; the drop under load,
relative to the pack, is the energy that this cell no longer gives. It needs no model of the cell.
Evidence: per day the median of (cell - median) / median while discharging with more than a third of
the rider's peak; its drift over at least a week, the dependence on the current fitted beside it.
Drift of six sigma is "watch": what causes it (resistance, joint, charge) says which part to change.
Blind: charge that a cell loses looks the same under load; days without riding.
"""

import numpy as np

from bms_studio.diagnosis.alerts import Conditions
from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.daily import Days, Drift
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.words import found

LOAD_SHARE, LEAST_A = 0.3, 3.0
DAY_WINDOWS, DAILY = 12, 0.0006
# Relative voltage per A: a cell with a third more resistance at 30 mohm gives 0.003.
BY_LEVEL = 0.003
FALL_Z, FALL, FALL_DAYS = 6.0, 0.005, 7.0


class EfficiencyWatch:
    """Watches the days in moments of ten seconds as they come; speaks when a day has ended."""

    def __init__(self) -> None:
        self._days = Days(DAY_WINDOWS)
        self._peak_a = 0.0
        self._conditions = Conditions()

    def push(self, block: Moments) -> list[Finding]:
        """What the days that ended in these moments raised or resolved."""
        if block.cells_v.shape[1] < 3 or not len(block):
            return []
        current = block.current_a
        peak = np.fmax.accumulate(np.concatenate([[self._peak_a], current]))[1:]
        self._peak_a = float(peak[-1])
        with np.errstate(invalid="ignore"):
            rows = np.flatnonzero(current >= np.fmax(LEAST_A, LOAD_SHARE * peak))
        share = (block.cells_v[rows] - block.median_v[rows, None]) / block.median_v[rows, None]
        return self._tell(self._days.push(block.time[rows], share, current[rows]))

    def flush(self) -> list[Finding]:
        """What the day that the stream ended in raised or resolved."""
        return self._tell(self._days.flush())

    def _tell(self, ended: list[int]) -> list[Finding]:
        out = []
        for count in ended:
            lines = self._days.drift(count, DAILY, BY_LEVEL)
            stated = [
                self._finding(k, line, count)
                for k, line in enumerate(lines)
                if line is not None and _falls(line)
            ]
            out += self._conditions.update(self._days.times[count - 1], stated)
        return out

    def _finding(self, k: int, line: Drift, count: int) -> Finding:
        days = self._days
        time = days.times[count - 1]
        span = (days.spans[max(0, count - line.count)][0], days.spans[count - 1][1])
        text = f"{100 * line.change:+.2f} % of voltage under load in {line.days:.0f} days"
        item = evidence("efficiency", line.change, line.sigma, 0.0, *span, text)
        parameters = {"percent": -100 * line.change, "days": line.days}
        return found("thermal.efficiency", time, span, k + 1, "watch", -line.z, parameters, (item,))


def _falls(line: Drift) -> bool:
    enough = line.days >= FALL_DAYS and -line.change >= FALL
    return enough and -line.z >= FALL_Z and -line.thirds >= 0.4 * -line.change
