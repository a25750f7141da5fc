"""Temperatures and heat in windows of two minutes, a week of them, and which probe is whose.

What `estimators.warmth` is asked with at an evaluation. A window counts when it has ended, so that
how rows are cut into blocks changes nothing. Arrays in, arrays out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.warmth import WINDOW_S, collect, solve
from bms_studio.pack.profile import Probe

_WIDTH_NS = round(WINDOW_S * 1e9)
_KEPT = round(7 * 86_400 / WINDOW_S)
# Rows of a probe are looked at for its resolution until so many steps were seen.
_STEPS_SEEN = 200


class WarmthWindows:
    """Feed it rows of probes and currents in order; ask `until(t)`."""

    def __init__(self) -> None:
        self._first = -1
        self._heat = np.zeros((0, 2))
        self._sums = np.zeros((0, 0))
        self._counts = np.zeros((0, 0))
        self.probes = 0
        self._step_k = np.inf
        self._seen = 0

    def push_probes(self, time: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Temperatures (M, P) in degC."""
        if not len(time) or not rows.shape[1]:
            return
        if rows.shape[1] > self.probes:
            more = ((0, 0), (0, rows.shape[1] - self.probes))
            self._sums, self._counts = np.pad(self._sums, more), np.pad(self._counts, more)
            self.probes = rows.shape[1]
        values = np.zeros((len(time), self.probes))
        values[:] = np.nan
        values[:, : rows.shape[1]] = rows
        window = self._room(time)
        collect(window, values, self._first, False, self._sums, self._counts)
        if self._seen < _STEPS_SEEN:
            steps = np.abs(np.diff(values, axis=0))
            steps = steps[(steps > 1e-3) & (steps < 5.0)]
            self._seen += len(steps)
            if len(steps):
                self._step_k = min(self._step_k, float(steps.min()))

    def push_current(self, time: NDArray[np.int64], current_a: NDArray[Any]) -> None:
        """Currents (M,), NaN unknown."""
        if len(time):
            window = self._room(time)
            values = np.ascontiguousarray(current_a, np.float64)[:, None]
            sums, counts = self._heat[:, :1], self._heat[:, 1:]
            collect(window, values, self._first, True, sums, counts)

    def _room(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers of the windows of these rows; there is room for them afterwards."""
        window = time // _WIDTH_NS
        if self._first < 0:
            self._first = int(window[0])
        needed = int(window[-1]) - self._first + 1
        if needed > len(self._sums):
            self._resize(needed)
        return window

    def _resize(self, needed: int) -> None:
        """Room for `needed` windows and some more; what is older than a week is let go."""
        drop = min(max(needed - _KEPT, 0), len(self._sums))
        if needed - drop > 2 * _KEPT:
            drop, self._first = len(self._sums), self._first + needed - drop - 1
            needed = drop + 1
        else:
            self._first += drop
        room = needed - drop + _KEPT // 8

        def moved(table: NDArray[np.float64]) -> NDArray[np.float64]:
            out = np.zeros((room, table.shape[1]))
            kept = table[drop:]
            out[: len(kept)] = kept
            return out

        self._heat, self._sums, self._counts = map(moved, (self._heat, self._sums, self._counts))

    def until(self, start: int, now: int) -> dict[str, NDArray[np.float64]]:
        """Windows that began at or after `start` and ended before `now` (int64 ns): time_s, heat
        (mean I^2, NaN unknown) (M,), probes_degc (M, P), step_k (1,); empty where none."""
        if self._first < 0 or not self.probes:
            return {}
        a = max(-(-start // _WIDTH_NS), self._first, now // _WIDTH_NS - _KEPT) - self._first
        b = min(now // _WIDTH_NS - self._first, len(self._sums))
        rows = np.arange(a, b)
        rows = rows[self._counts[a:b].any(axis=1)] if b > a else rows[:0]
        if not len(rows):
            return {}
        with np.errstate(invalid="ignore", divide="ignore"):
            heat = self._heat[rows, 0] / self._heat[rows, 1]
            probes = self._sums[rows] / self._counts[rows]
        step = self._step_k if np.isfinite(self._step_k) else 1.0
        return {
            "time_s": (rows + self._first) * WINDOW_S,
            "heat": heat,
            "probes_degc": probes,
            "step_k": np.array([step]),
        }


def own_probes(probes: int, cells: int, stated: Sequence[Probe]) -> NDArray[np.int64]:
    """Column of the probe that a cell has for itself (N,), -1 none: by the profile, or where there
    are as many probes as cells. A probe that several cells share speaks for none of them."""
    out = np.full(cells, -1, np.int64)
    if stated:
        for column, probe in enumerate(stated[:probes]):
            if len(probe.cells) == 1 and 1 <= probe.cells[0] <= cells:
                out[probe.cells[0] - 1] = column
    elif probes == cells:
        out[:] = np.arange(cells)
    return out


def add_warmth(
    warm: Mapping[str, NDArray[np.float64]],
    own: NDArray[np.int64],
    cells: dict[str, NDArray[np.float64]],
    pack: dict[str, float],
    needs: dict[str, str],
) -> None:
    """Put `warmth_difference` of the cells that have a probe (see `own_probes`) beside the other
    quantities of an evaluation, or what is needed for it; `rise_k` of the pack."""
    needs["warmth_difference"] = "need.own_probes"
    if not warm or np.count_nonzero(own >= 0) < 3:
        return
    needs["warmth_difference"] = "need.ride"
    chosen = np.flatnonzero(own >= 0)
    found = solve(
        warm["time_s"],
        warm["heat"],
        warm["probes_degc"][:, own[chosen]],
        float(warm["step_k"][0]),
        _more_heat(cells, len(own))[chosen],
    )
    if found is None:
        return
    for name, values in (("", found.excess), ("_sigma", found.sigma)):
        wide = np.full(len(own), np.nan)
        wide[chosen] = values
        cells[f"warmth_difference{name}"] = wide
    pack["rise_k"] = found.rise_k
    del needs["warmth_difference"]


def _more_heat(cells: Mapping[str, NDArray[np.float64]], count: int) -> NDArray[np.float64]:
    """What a cell's resistance lets expect of its heat, against the median cell, relative."""
    for name in ("ten_second_ohm", "resistance_ohm"):
        if name in cells and np.isfinite(cells[name]).sum() >= 3:
            return np.asarray(cells[name] / np.nanmedian(cells[name]) - 1.0, np.float64)
    return np.full(count, np.nan)
