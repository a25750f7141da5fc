"""Plausibility: values that no cell can have, and cells that do not add up to the pack.

Arrays in, findings out. Speaks of measurement, never of health.
"""

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding

LOWEST_CELL_V, HIGHEST_CELL_V = 0.5, 4.6
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
    """Cell voltages that no cell can have: reported once per cell until they are sane again."""

    def __init__(self) -> None:
        self._bad: set[int] = set()

    def push(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> list[Finding]:
        """Findings for cells that became implausible or sane in these rows (M, N)."""
        with np.errstate(invalid="ignore"):
            outside = (rows < LOWEST_CELL_V) | (rows > HIGHEST_CELL_V)
        findings = []
        # Two scans in a row: one flipped bit is the link's fault, not the sensor's.
        twice = (outside[1:] & outside[:-1]).any(axis=0)
        for bad in [int(c) for c in np.flatnonzero(twice) if int(c) not in self._bad]:
            row = int(np.argmax(outside[:, bad]))
            self._bad.add(bad)
            value = float(rows[row, bad])
            findings.append(_range_finding(int(time[row]), bad + 1, value, "active"))
        for column in sorted(self._bad):
            known = ~np.isnan(rows[:, column])
            if known.any() and not outside[known, column][-1]:
                self._bad.discard(column)
                value = float(rows[known, column][-1])
                findings.append(_range_finding(int(time[-1]), column + 1, value, "resolved"))
        return findings


def _range_finding(time: int, cell: int, value_v: float, state: str) -> Finding:
    return Finding(
        id=f"sensor.implausible.{cell}",
        time=time,
        start=time,
        end=time,
        cell=cell,
        kind="sensor",
        severity="watch",
        state=state,
        score=1.0,
        code="sensor.implausible",
        parameters={"cell": cell, "value_v": value_v},
        text=f"Cell {cell} reports {value_v:.3f} V, which no cell can have",
    )
