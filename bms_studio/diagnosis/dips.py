"""Dips: voltages that drop for less than a second, and what kind of dip it was.

One cell alone (its joint or the cell), two neighbours in opposite directions (the sense wire
between them), all cells together (load). Works on each cell's deviation from the median
against its own slow past, so a static offset or a load that all cells share is no dip.
A joint drops voltage as the current through it does: what dips alone while nothing is drawn, or
while the pack is charged (there a joint lifts its cell), is a short inside the cell or its sense
wire. A dip under load may be either, unless the same cell dips without load too.
A scan that takes longer than the dip sees it at one of the two cells of a wire only: where the two
were seen apart together, or both now and then alone, what one of them shows is the wire's too.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding

THRESHOLD_V = 0.012
SIGMAS = 8.0
LONGEST_NS = 600_000_000
# So often both cells of a wire must have moved alone before it is the wire.
OFTEN = 2
# Nothing is drawn: less than this share of the largest current seen, or so little that a joint
# would need this resistance.
IDLE_SHARE, MOST_OHM = 0.02, 0.5
# A step of the median by this share of the dip, this close to it, explains it: a weak cell sags
# with the load, and a scan cut by the step shows some cells before it and some after.
LOAD_SHARE = 0.25
LOAD_STEP_V = 0.004
LOAD_STEP_S = 0.4
LOAD_STEP_ROWS = 4
_SLOW = 0.02
_WARM_UP_ROWS = 50
# State per cell: reference, noise (mean absolute), depth of the open dip, its start in s, most
# current drawn while it is open.
_REFERENCE, _NOISE, _DEPTH, _START, _DRAWN = range(5)


@njit(nogil=True, cache=True)
def _find(
    time: NDArray[np.int64],
    deviation: NDArray[np.float32],
    median: NDArray[np.float32],
    current: NDArray[np.float32],
    state: NDArray[np.float64],
    shared: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """Dips (row, cell, depth V, length s, most current drawn A, inf unknown) into out; returns how
    many.

    shared: slow median, time of the last step in s after shared[2], epoch s, rows seen, size of
    that step, time of the row before, largest current.
    """
    count = 0
    for r in range(len(time)):
        if shared[3] == 0:
            shared[0] = median[r]
            shared[2] = time[r] // 1_000_000_000
        now_s = (time[r] - int(shared[2]) * 1_000_000_000) * 1e-9
        within_s = max(LOAD_STEP_S, LOAD_STEP_ROWS * (now_s - shared[5]))
        shared[5] = now_s
        if not np.isnan(median[r]):
            step = abs(median[r] - shared[0])
            if step >= shared[4] or now_s - shared[1] > within_s:
                shared[4] = step
                shared[1] = now_s
            shared[0] += 0.2 * (median[r] - shared[0])
        shared[3] += 1
        drawn = np.inf if np.isnan(current[r]) else current[r]
        if drawn < np.inf:
            shared[6] = max(shared[6], abs(drawn))
        for c in range(deviation.shape[1]):
            d = deviation[r, c]
            if np.isnan(d):
                continue
            if shared[3] < _WARM_UP_ROWS:
                state[c, _REFERENCE] += (d - state[c, _REFERENCE]) / shared[3]
                state[c, _NOISE] += (abs(d - state[c, _REFERENCE]) - state[c, _NOISE]) / shared[3]
                continue
            error = d - state[c, _REFERENCE]
            threshold = max(THRESHOLD_V, SIGMAS * state[c, _NOISE])
            size = max(abs(error), abs(state[c, _DEPTH]))
            loaded = shared[4] > max(LOAD_STEP_V, LOAD_SHARE * size)
            if state[c, _DEPTH] == 0:
                if abs(error) > threshold and not loaded:
                    state[c, _DEPTH] = error
                    state[c, _START] = now_s
                    state[c, _DRAWN] = drawn
                else:
                    state[c, _REFERENCE] += _SLOW * error
                    state[c, _NOISE] += _SLOW * (min(abs(error), threshold) - state[c, _NOISE])
                continue
            if abs(error) > abs(state[c, _DEPTH]) and error * state[c, _DEPTH] > 0:
                state[c, _DEPTH] = error
            state[c, _DRAWN] = max(state[c, _DRAWN], drawn)
            lasted_s = now_s - state[c, _START]
            over = abs(error) < threshold / 2
            too_long = lasted_s > LONGEST_NS * 1e-9
            if loaded or too_long:  # a level, or load: no dip; learn the new level
                state[c, _REFERENCE] = d
                state[c, _DEPTH] = 0
            elif over:
                if count < len(out):
                    out[count, 0] = r
                    out[count, 1] = c
                    out[count, 2] = state[c, _DEPTH]
                    out[count, 3] = lasted_s
                    out[count, 4] = state[c, _DRAWN]
                    count += 1
                state[c, _DEPTH] = 0
    return count


class DipWatch:
    """Finds and classifies dips in scans as they come."""

    def __init__(self) -> None:
        self._state = np.zeros((0, 5))
        self._shared = np.zeros(7)
        self._counts: dict[str, int] = {}
        self._alone: dict[int, int] = {}  # what cells (from 0) showed alone, up or down
        self._idle: dict[int, int] = {}  # how often cells dipped alone while nothing was drawn
        self._wires: set[int] = set()  # first cells of the wires that are known to be loose

    def push(
        self,
        time: NDArray[np.int64],
        rows: NDArray[np.float32],
        median: NDArray[np.float32],
        current: NDArray[np.float32] | None = None,
    ) -> list[Finding]:
        """Findings for the dips that ended in these scans: rows (M, N) V, median (M,) V, current
        (M,) A, + = discharge, NaN or None unknown."""
        if rows.shape[1] > len(self._state):
            extra = np.zeros((rows.shape[1] - len(self._state), 5))
            self._state = np.concatenate([self._state, extra])
        if rows.shape[1] < 3:
            return []
        deviation = np.ascontiguousarray(rows - median[:, None], np.float32)
        out = np.empty((512, 5))
        median = np.ascontiguousarray(median, np.float32)
        if current is None:
            current = np.full(len(time), np.nan, np.float32)
        current = np.ascontiguousarray(current, np.float32)
        count = _find(time, deviation, median, current, self._state, self._shared, out)
        dips = [(int(r), int(c), depth, s, drawn) for r, c, depth, s, drawn in out[:count]]
        return self._classify(time, dips)

    def _classify(
        self, time: NDArray[np.int64], dips: list[tuple[int, int, float, float, float]]
    ) -> list[Finding]:
        findings, used = [], set()
        for i, (row, cell, depth, lasted_s, drawn) in enumerate(dips):
            if i in used:
                continue
            start = int(time[row]) - int(lasted_s * 1e9)
            partner = None
            for j in range(i + 1, len(dips)):
                other = dips[j]
                near = abs(other[1] - cell) == 1 and abs(other[0] - row) <= 2
                opposite = other[2] * depth < 0 and 0.5 < abs(other[2] / depth) < 2
                if j not in used and near and opposite:
                    partner = j
                    break
            if partner is not None:
                used.add(partner)
                first = min(cell, dips[partner][1])
                self._wires.add(first)
            else:
                self._alone[cell] = self._alone.get(cell, 0) + 1
                first = self._wire_of(cell)
            span = (start, int(time[row]))
            if first >= 0:
                findings.append(
                    self._finding("dips.sense_wire", first + 1, *span, depth, first + 2)
                )
            elif depth < 0:
                code = self._alone_as(cell, depth, drawn)
                findings.append(self._finding(code, cell + 1, *span, depth, 0))
        return findings

    def _alone_as(self, cell: int, depth: float, drawn: float) -> str:
        """Code of a dip of one cell at which at most this current was drawn, inf unknown."""
        idle = drawn <= max(IDLE_SHARE * float(self._shared[6]), -depth / MOST_OHM)
        self._idle[cell] = self._idle.get(cell, 0) + idle
        short = idle or self._idle[cell] >= OFTEN
        return "dips.short" if short else "dips.one_cell"

    def _wire_of(self, cell: int) -> int:
        """First cell of the loose wire that this cell hangs on, -1 where none is known."""
        for first in (cell - 1, cell):
            if min(self._alone.get(first, 0), self._alone.get(first + 1, 0)) >= OFTEN:
                self._wires.add(first)
            if first in self._wires:
                return first
        return -1

    def _finding(
        self, code: str, cell: int, start: int, end: int, depth_v: float, other: int
    ) -> Finding:
        identity = f"{code}.{cell}"
        self._counts[identity] = self._counts.get(identity, 0) + 1
        parameters: dict[str, float | str | int] = {
            "cell": cell,
            "depth_mv": abs(depth_v) * 1e3,
            "duration_ms": (end - start) * 1e-6,
        }
        if other:
            parameters["other"] = other
        return Finding(
            id=identity,
            time=end,
            start=start,
            end=end,
            cell=cell,
            kind="dip",
            # One dip may be noise of the link; repeated dips are worth looking at. Never more:
            # a dip alone is no reason to stop.
            severity="watch" if self._counts[identity] >= 3 else "info",
            state="active",
            score=abs(depth_v) / THRESHOLD_V,
            code=code,
            parameters=parameters,
            text=f"Cell {cell} dipped by {abs(depth_v) * 1e3:.0f} mV",
            count=self._counts[identity],
        )
