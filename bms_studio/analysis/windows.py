"""The half-minute means that leak, capacity and rests are found from, however long a stream is.

A visit is a span in which the charge is accounted for; where something happened unseen it ends.
What is kept is bounded: beyond `MOST` windows neighbours are joined. Arrays only.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.align import padded
from bms_studio.estimators.contract import Outputs, frozen

MOST = 2880
# Fewer steps do not show the sign of a current.
STEPS = 20
# In two days a BMS balances, and others ride. A shorter gap over which the voltage moved by this
# much had a charge or a ride that nobody saw.
_GAP_NS = 120_000_000_000
_LONG_NS = 172_800_000_000_000
_MOVED_V = 0.03
_NAMES = ("time_ns", "moved_ah", "current_a", "slow_a", "temperature_degc", "cell_v", "bled_s")


class Windows:
    """Rows of `leak.step` of the present visit; `ended` is how many visits have ended."""

    def __init__(self) -> None:
        self._columns: dict[str, list[NDArray[Any]]] = {name: [] for name in _NAMES}
        self.count = 0
        self.ended = 0

    def ends_with(self, row: Mapping[str, NDArray[Any]]) -> bool:
        """Whether this window begins another visit."""
        return bool(self.count) and self._unseen(row)

    def push(self, row: Mapping[str, NDArray[Any]]) -> None:
        """One window: every column with one row."""
        if self.ends_with(row):
            self._columns = {name: [] for name in _NAMES}
            self.count = 0
            self.ended += 1
        for name in _NAMES:
            self._columns[name].append(row[name])
        self.count += 1
        if self.count >= MOST:
            self._join()

    def _unseen(self, row: Mapping[str, NDArray[Any]]) -> bool:
        before = {name: parts[-1] for name, parts in self._columns.items()}
        gap_ns = int(row["time_ns"][0]) - int(before["time_ns"][-1])
        if gap_ns <= _GAP_NS or gap_ns > _LONG_NS:
            return gap_ns > _LONG_NS
        then, now = before["cell_v"][-1], row["cell_v"][0]
        both = ~np.isnan(then) & ~np.isnan(now[: len(then)])
        if not both.any():
            return True
        return bool(abs(np.median(now[: len(then)][both] - then[both])) > _MOVED_V)

    def all(self) -> Outputs:
        """Every column over all windows; what is handed out never changes."""
        if not self.count:
            return MappingProxyType({})
        width = max(part.shape[1] for part in self._columns["cell_v"])
        whole = {}
        for name, parts in self._columns.items():
            if len(parts) > 1:
                rows = [padded(p, width) if p.ndim == 2 else p for p in parts]
                self._columns[name] = [np.concatenate(rows)]
            whole[name] = self._columns[name][0]
        return frozen(**whole)

    def _join(self) -> None:
        """Two windows become one, their mean; an unknown voltage does not hide a known one."""
        whole = self.all()
        even = self.count // 2 * 2
        for name, values in whole.items():
            first, second = values[0:even:2], values[1:even:2]
            if values.dtype == np.int64:
                joined = first + (second - first) // 2
            else:
                mean = 0.5 * (first + second)
                joined = np.where(np.isnan(first), second, np.where(np.isnan(second), first, mean))
            self._columns[name] = [np.concatenate([joined, values[even:]])]
        self.count = len(self._columns["time_ns"][0])


def drift(windows: Outputs, least_a: float) -> float:
    """Correlation of current with the change of voltage from window to window, NaN unknown."""
    if not len(windows) or len(windows["time_ns"]) < STEPS:
        return math.nan
    always = ~np.isnan(windows["cell_v"]).any(axis=0)
    if not always.any():
        return math.nan
    change = np.diff(windows["cell_v"][:, always].mean(axis=1))
    current = windows["current_a"]
    # Only where the current stays: a step's own drop is not charge.
    steady = np.abs(np.diff(current)) < 0.1 * np.abs(current[1:])
    steady &= np.abs(current[1:]) > least_a
    x, y = current[1:][steady], change[steady]
    power = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / power if len(x) >= STEPS and power > 0 else math.nan


def extent(windows: Outputs, capacity_ah: float) -> tuple[float, float]:
    """Hours, and the largest swing of charge as a share of the capacity."""
    hours = float(windows["time_ns"][-1] - windows["time_ns"][0]) * (1e-9 / 3600)
    moved = windows["moved_ah"]
    return hours, float(np.max(moved) - np.min(moved)) / capacity_ah
