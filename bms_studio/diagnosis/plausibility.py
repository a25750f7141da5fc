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
# Probes that are not there report the ends of their range; no pack is as cold or hot as this.
POSSIBLE_DEGC = (-60.0, 150.0)
# Two bad values within this are no accident; sane for this long, and it is over: what comes back
# every few hours is one trouble.
MEMORY_NS, SANE_NS = 600_000_000_000, 86_400_000_000_000
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
    """Readings that nothing can have (cell voltages, or probes with another `code` and range):
    reported once per cell or probe until it has been sane for long.

    One such value is a flipped bit of the link; two within ten minutes are the measurement.
    """

    def __init__(
        self,
        code: str = "sensor.implausible",
        lowest: float = LOWEST_CELL_V,
        highest: float = HIGHEST_CELL_V,
    ) -> None:
        self._code, self._limits = code, (lowest, highest)
        # A probe that was never sane is not there; a cell must be.
        self._must_be = int(code == "sensor.implausible")
        self._state = np.zeros((0, 5), np.int64)
        self._newest: dict[int, Finding] = {}

    def push(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> list[Finding]:
        """Findings for cells that became implausible or sane in these rows (M, N) V."""
        more = rows.shape[1] - len(self._state)
        if more > 0:
            self._state = np.concatenate([self._state, np.zeros((more, 5), np.int64)])
        out = np.empty((64 + 4 * rows.shape[1] + len(time) // 4, 6))
        count = _range(
            time,
            np.ascontiguousarray(rows, np.float32),
            *self._limits,
            self._must_be,
            self._state,
            out,
        )
        return [self._finding(time, note) for note in out[:count]]

    def _finding(self, time: NDArray[np.int64], note: NDArray[np.float64]) -> Finding:
        row, cell, value, raised = int(note[0]), int(note[1]) + 1, float(note[2]), note[3] > 0
        now = int(time[row])
        if not raised:
            return replace(self._newest[cell], time=now, state="resolved")
        start = now - int(note[4] * 1e9)
        of_cell = self._code == "sensor.implausible"
        self._newest[cell] = found(
            self._code,
            now,
            (start, now),
            cell if of_cell else 0,
            "watch",
            float(note[5]),
            {"value_v": value} if of_cell else {"probe": cell, "value_degc": value},
        )
        return self._newest[cell]


def sane(
    rows: NDArray[np.float32], lowest: float = ABSURD_V[0], highest: float = ABSURD_V[1]
) -> NDArray[np.float32]:
    """The rows with what no measurement can be (cells: below -1 V, above 10 V) unknown: such values
    must not reach limits and sums. A real over-voltage is nearer than that and stays."""
    with np.errstate(invalid="ignore"):
        absurd = ~((rows > lowest) & (rows < highest))
    if not (absurd & ~np.isnan(rows)).any():
        return rows
    return np.where(absurd, np.float32(np.nan), rows)


# Per cell: time of the first and of the last bad value, how many since, active, ever sane.
_FIRST, _NEWEST, _COUNT, _ACTIVE, _SANE = range(5)


@njit(nogil=True, cache=True)
def _range(
    time: NDArray[np.int64],
    rows: NDArray[np.float32],
    lowest: float,
    highest: float,
    must_be: int,
    state: NDArray[np.int64],
    out: NDArray[np.float64],
) -> int:
    """(row, column, value, 1 raised / 0 sane again, s since the first, how many) into out."""
    count = 0
    for r in range(len(time)):
        for c in range(rows.shape[1]):
            v = rows[r, c]
            if (v >= lowest and v <= highest) or np.isnan(v):
                if not np.isnan(v):
                    state[c, _SANE] = 1
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
            there = must_be == 1 or state[c, _SANE] == 1
            first = state[c, _COUNT] >= 2 and state[c, _ACTIVE] == 0
            if there and first and count < len(out):
                out[count, 0], out[count, 1], out[count, 2], out[count, 3] = r, c, v, 1
                out[count, 4] = (time[r] - state[c, _FIRST]) * 1e-9
                out[count, 5] = state[c, _COUNT]
                state[c, _ACTIVE] = 1
                count += 1
    return count
