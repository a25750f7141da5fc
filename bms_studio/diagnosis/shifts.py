"""Shifts of a millivolt: a cell's voltage that steps against its pack while the current is steady.

Mechanism: a contact that gives way, a short that begins, a sense wire that moves; long before a
threshold of 20 mV sees it.
Evidence: the difference from the median, in steady current only, tested for a change of its mean
by a two-sided CUSUM (E. S. Page, Biometrika 41 (1954) 100) against its own noise; the delay is near
Lorden's bound, see `numerics.change_points`.
One step is information: a balancer that switches does it too (a step beside a change of the flags
is left out). The third of 2 mV within a day is "watch".
Blind: steps under load and while the level moves on (charge, relaxation), steps slower than
minutes, or of less than half of what is looked for; less than one of the steps that the readings
come in, and without noise less than two (2 mV of 1 mV steps, 20 mV of 10 mV steps).
"""

from collections import Counter
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.words import found
from bms_studio.numerics.change_points import ShiftState, find_shifts
from bms_studio.numerics.resolution import Resolution

# Smallest step that is looked for, and samples between false alarms of one cell: with 20 cells at
# 10 Hz one in more than a year.
STEP_V = 0.001
SAMPLES_BETWEEN_FALSE_ALARMS = 1e11
REPEATED, LARGE_V, DAY_NS = 3, 0.002, 86_400_000_000_000
# A step is large from this many of the smallest steps that the readings take.
LARGE_STEPS = 2.0


@njit(nogil=True, cache=True)
def _unchanged(flags: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Rows (M, N) that are what the row before was, NaN included; `before` becomes the last."""
    out = np.ones(len(flags), np.bool_)
    for r in range(len(flags)):
        for c in range(flags.shape[1]):
            v = flags[r, c]
            if v != before[c] and not (np.isnan(v) and np.isnan(before[c])):
                out[r] = False
            before[c] = v
    return out


class ShiftWatch:
    """Finds steps in moments as they come."""

    def __init__(self) -> None:
        self._state = ShiftState(STEP_V, SAMPLES_BETWEEN_FALSE_ALARMS)
        self._resolution = Resolution()
        self._steps: dict[int, list[int]] = {}
        self._counts: dict[int, int] = {}
        self._flags: NDArray[np.float32] = np.empty(0, np.float32)
        self._large_v = LARGE_V

    def push(self, block: Moments) -> list[Finding]:
        """Findings for the steps that showed in these moments."""
        if block.cells_v.shape[1] < 3 or not len(block):
            return []
        deviation = block.cells_v - block.median_v[:, None]
        calm = self._calm(block)
        finest = self._resolution.push(block.cells_v)
        steps = find_shifts(
            self._state, block.time, deviation, block.median_v, block.current_a, calm, finest
        )
        self._large_v = max(LARGE_V, LARGE_STEPS * float(finest[-1]) - 1e-6)
        # Several in one row are the median's, not the cells'.
        alone = Counter(step[2] for step in steps)
        return [self._finding(*step) for step in steps if alone[step[2]] < 3]

    def _calm(self, block: Moments) -> NDArray[np.bool_]:
        """Rows in which no balancer switched."""
        flags = block.balancing
        if not flags.shape[1]:
            return np.ones(len(block), np.bool_)
        if len(self._flags) != flags.shape[1]:
            self._flags = flags[0].copy()
        return np.asarray(_unchanged(np.ascontiguousarray(flags), self._flags))

    def _finding(self, cell: int, start: int, time: int, step_v: float, sigma_v: float) -> Finding:
        recent = [t for t in self._steps.get(cell, []) if time - t < DAY_NS]
        if abs(step_v) >= self._large_v:
            recent.append(time)
        self._steps[cell] = recent
        self._counts[cell] = self._counts.get(cell, 0) + 1
        text = f"mean stepped by {1e3 * step_v:+.1f} mV at steady current"
        item = evidence("deviation", step_v, sigma_v, 0.0, start, time, text)
        made = found(
            "shift.step",
            time,
            (start, time),
            cell + 1,
            "watch" if len(recent) >= REPEATED else "info",
            abs(step_v) / max(sigma_v, 1e-6),
            {"millivolt": 1e3 * step_v},
            (item,),
        )
        return replace(made, count=self._counts[cell])
