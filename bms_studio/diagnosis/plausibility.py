"""Plausibility: values that no cell can have, and cells that do not add up to the pack.

Arrays in, findings out. Speaks of measurement, never of health.
"""

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding
from bms_studio.diagnosis.words import found

LOWEST_CELL_V, HIGHEST_CELL_V = 0.5, 4.6
ABSURD_V = (-1.0, 10.0)
# Two bad values within this are no accident; sane for this long, and it is over.
MEMORY_NS, SANE_NS = 600_000_000_000, 5_000_000_000
SUM_TOLERANCE = 0.02
_NEEDED_S = 3.0


class SumWatch:
    """Sum of cells against the pack voltage that the BMS reports, for longer than moments."""

    def __init__(self) -> None:
        self._since: int = 0
        self._active = False

    def push(self, time: int, cells_v: NDArray[np.float64], pack_v: float) -> list[Finding]:
        """One look: newest cells (N,) and pack voltage; unknown values say nothing."""
        if np.isnan(pack_v) or not len(cells_v) or np.isnan(cells_v).any() or pack_v <= 0:
            return []
        total = float(cells_v.sum())
        if abs(total - pack_v) <= SUM_TOLERANCE * pack_v:
            self._since = 0
            if self._active:
                self._active = False
                return [_sum_finding(time, time, total, pack_v, "resolved")]
            return []
        self._since = self._since or time
        if self._active or time - self._since < _NEEDED_S * 1e9:
            return []
        self._active = True
        return [_sum_finding(self._since, time, total, pack_v, "active")]


def _sum_finding(start: int, time: int, total: float, pack_v: float, state: str) -> Finding:
    return Finding(
        id="limits.pack_sum",
        time=time,
        start=start,
        end=time,
        cell=0,
        kind="plausibility",
        severity="watch",
        state=state,
        score=abs(total - pack_v) / (SUM_TOLERANCE * pack_v),
        code="limits.pack_sum",
        parameters={"sum_v": total, "value_v": pack_v},
        text=f"The cells add up to {total:.2f} V but the pack reports {pack_v:.2f} V",
    )


class RangeWatch:
    """Cell voltages that no cell can have: reported once per cell until it has been sane for long.

    One such value is a flipped bit of the link; two within ten minutes are the measurement.
    """

    def __init__(self) -> None:
        self._state = np.zeros((0, 4), np.int64)
        self._newest: dict[int, Finding] = {}

    def push(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> list[Finding]:
        """Findings for cells that became implausible or sane in these rows (M, N) V."""
        more = rows.shape[1] - len(self._state)
        if more > 0:
            self._state = np.concatenate([self._state, np.zeros((more, 4), np.int64)])
        out = np.empty((64 + 4 * rows.shape[1] + len(time) // 4, 6))
        count = _range(time, np.ascontiguousarray(rows, np.float32), self._state, out)
        return [self._finding(time, note) for note in out[:count]]

    def _finding(self, time: NDArray[np.int64], note: NDArray[np.float64]) -> Finding:
        row, cell, value, raised = int(note[0]), int(note[1]) + 1, float(note[2]), note[3] > 0
        now = int(time[row])
        if not raised:
            return replace(self._newest[cell], time=now, state="resolved")
        start = now - int(note[4] * 1e9)
        self._newest[cell] = found(
            "sensor.implausible",
            now,
            (start, now),
            cell,
            "watch",
            float(note[5]),
            {"value_v": value},
        )
        return self._newest[cell]


def sane(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows with what no measurement can be (below -1 V, above 10 V) unknown: such values must
    not reach limits and sums. A real over-voltage is nearer than that and stays."""
    with np.errstate(invalid="ignore"):
        absurd = ~((rows > ABSURD_V[0]) & (rows < ABSURD_V[1]))
    if not (absurd & ~np.isnan(rows)).any():
        return rows
    return np.where(absurd, np.float32(np.nan), rows)


# Per cell: time of the first and of the last bad value, how many since, active.
_FIRST, _NEWEST, _COUNT, _ACTIVE = range(4)


@njit(nogil=True, cache=True)
def _range(
    time: NDArray[np.int64],
    rows: NDArray[np.float32],
    state: NDArray[np.int64],
    out: NDArray[np.float64],
) -> int:
    """(row, column, value, 1 raised / 0 sane again, s since the first, how many) into out."""
    count = 0
    for r in range(len(time)):
        for c in range(rows.shape[1]):
            v = rows[r, c]
            if (v >= LOWEST_CELL_V and v <= HIGHEST_CELL_V) or np.isnan(v):
                quiet = time[r] - state[c, _NEWEST] > SANE_NS and not np.isnan(v)
                if state[c, _ACTIVE] == 1 and quiet and count < len(out):
                    out[count, 0], out[count, 1], out[count, 2], out[count, 3] = r, c, v, 0
                    state[c, _ACTIVE] = state[c, _COUNT] = 0
                    count += 1
                continue
            if state[c, _COUNT] == 0 or time[r] - state[c, _NEWEST] > MEMORY_NS:
                state[c, _COUNT] = 0
                state[c, _FIRST] = time[r]
            state[c, _COUNT] += 1
            state[c, _NEWEST] = time[r]
            if state[c, _COUNT] >= 2 and state[c, _ACTIVE] == 0 and count < len(out):
                out[count, 0], out[count, 1], out[count, 2], out[count, 3] = r, c, v, 1
                out[count, 4] = (time[r] - state[c, _FIRST]) * 1e-9
                out[count, 5] = state[c, _COUNT]
                state[c, _ACTIVE] = 1
                count += 1
    return count
