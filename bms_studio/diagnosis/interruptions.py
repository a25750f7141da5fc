"""Moments that concern all cells: a short dip together (load), and missing frames (the link).

The other half of `dips`: these two are no fault of a cell, and say so. Arrays in, findings out.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding

DIP_V = 0.05
LONGEST_NS = 600_000_000
# Rows further apart than this many usual periods: frames are missing in between.
GAP_PERIODS = 3.0
GAP_MIN_NS = 100_000_000
# A longer pause is a recording that ended and went on, not a cable.
PAUSE_S = 600.0
_WARM_UP_ROWS = 20
_LEVEL, _DEPTH, _START, _PERIOD, _LAST, _ROWS = range(6)
_LOAD, _LINK = 0, 1


@njit(nogil=True, cache=True)
def _find(
    time: NDArray[np.int64],
    median: NDArray[np.float32],
    state: NDArray[np.float64],
    origin: int,
    out: NDArray[np.float64],
) -> int:
    """(row, kind, depth V or gap s, lasted s) into out; state times are s after `origin`."""
    count = 0
    for r in range(len(time)):
        now_s = (time[r] - origin) * 1e-9
        step_s = now_s - state[_LAST]
        if state[_ROWS] > 0:
            period_s = state[_PERIOD]
            late = step_s > max(GAP_PERIODS * period_s, GAP_MIN_NS * 1e-9)
            paused = step_s > PAUSE_S
            if paused:
                state[_LEVEL], state[_DEPTH] = np.nan, 0.0
            if state[_ROWS] > _WARM_UP_ROWS and late and not paused and count < len(out):
                out[count, 0], out[count, 1], out[count, 2], out[count, 3] = (
                    r,
                    _LINK,
                    step_s,
                    step_s,
                )
                count += 1
            if not late or state[_ROWS] <= _WARM_UP_ROWS:
                share = max(0.05, 1.0 / state[_ROWS])
                state[_PERIOD] += share * (step_s - period_s)
        state[_LAST] = now_s
        state[_ROWS] += 1
        v = median[r]
        if np.isnan(v):
            continue
        if state[_ROWS] == 1 or np.isnan(state[_LEVEL]):
            state[_LEVEL] = v
        error = v - state[_LEVEL]
        if state[_DEPTH] == 0:
            if error < -DIP_V:
                state[_DEPTH], state[_START] = error, now_s
            else:
                state[_LEVEL] += min(1.0, step_s) * error
            continue
        state[_DEPTH] = min(state[_DEPTH], error)
        lasted_s = now_s - state[_START]
        if error > state[_DEPTH] / 2 and lasted_s <= LONGEST_NS * 1e-9:
            if count < len(out):
                out[count, 0], out[count, 1] = r, _LOAD
                out[count, 2], out[count, 3] = -state[_DEPTH], lasted_s
                count += 1
            state[_DEPTH] = 0
        elif lasted_s > LONGEST_NS * 1e-9:  # a load that lasts is no dip
            state[_LEVEL], state[_DEPTH] = v, 0
    return count


class InterruptionWatch:
    """Finds both in scans as they come; the count says how often."""

    def __init__(self) -> None:
        self._state = np.zeros(6)
        self._origin = -1  # none yet: time may begin at 0
        self._counts = {_LOAD: 0, _LINK: 0}

    def push(self, time: NDArray[np.int64], median: NDArray[np.float32]) -> list[Finding]:
        """Findings for the moments in these scans: median (M,) V of each scan's cells."""
        if not len(time):
            return []
        self._origin = self._origin if self._origin >= 0 else int(time[0])
        out = np.empty((256, 4))
        median = np.ascontiguousarray(median, np.float32)
        count = _find(time, median, self._state, self._origin, out)
        return [self._finding(int(time[int(row[0])]), row) for row in out[:count]]

    def _finding(self, end: int, row: NDArray[np.float64]) -> Finding:
        kind, size, lasted_s = int(row[1]), float(row[2]), float(row[3])
        self._counts[kind] += 1
        code = "dips.load" if kind == _LOAD else "dips.link"
        parameters: dict[str, float | str | int] = (
            {"depth_mv": 1e3 * size} if kind == _LOAD else {"gap_s": size}
        )
        what = f"dipped by {1e3 * size:.0f} mV together" if kind == _LOAD else "are missing"
        return Finding(
            id=code,
            time=end,
            start=end - int(lasted_s * 1e9),
            end=end,
            cell=0,
            kind="dip" if kind == _LOAD else "link",
            severity="info",
            state="active",
            score=size / DIP_V if kind == _LOAD else size,
            code=code,
            parameters=parameters,
            text=f"{'All cells' if kind == _LOAD else 'Frames'} {what}",
            count=self._counts[kind],
        )
