"""Rows of cells, probes, balancing and pack fields brought onto one time base, causally.

A row counts from its own time on: a scan of cells sees what was last known of everything else, no
older than it may be. Rows wait until the stream has moved on by `LATENCY_NS`, because a row closes
only when the next one begins. Arrays in, arrays out; how rows are cut into blocks changes nothing.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.contract import Samples
from protocols.roles import PACK_FIELDS

LATENCY_NS = 2_000_000_000
# A current is held for five of its usual periods, a temperature (slow) for half an hour.
_PERIODS = 5.0
_LEAST_HOLD_S = 3.0
_TEMPERATURE_HOLD_S = 1800.0
_BALANCING_HOLD_S = 60.0
# Of a fast bus the resistances need no more than this: what a BMS filters is over by then.
_PAIR_NS = 90_000_000
_PAIR_AGE_NS = 400_000_000
# Exact ages in a recording would be noise; live sees what the recording will hold (see `build`).
AGE_STEP_S = np.float32(2.0**-14)

_NAMES = tuple(field.name for field in PACK_FIELDS)
CURRENT = _NAMES.index("current")

Rows = tuple[NDArray[np.int64], NDArray[Any]]


class Waiting:
    """Rows of one kind in order of time; `until(t)` hands over those that are not later."""

    def __init__(self) -> None:
        self._parts: list[tuple[NDArray[Any], ...]] = []

    def push(self, *columns: NDArray[Any]) -> None:
        """The next rows: time (M,) int64 and columns (M, …); later rows may be wider."""
        if len(columns[0]):
            self._parts.append(columns)

    def until(self, t: int) -> tuple[NDArray[Any], ...]:
        """Rows with time <= t, removed from what waits; empty tuple when there are none."""
        ready: list[tuple[NDArray[Any], ...]] = []
        while self._parts and self._parts[0][0][-1] <= t:
            ready.append(self._parts.pop(0))
        if self._parts and self._parts[0][0][0] <= t:
            part = self._parts[0]
            cut = int(np.searchsorted(part[0], t, "right"))
            ready.append(tuple(c[:cut] for c in part))
            self._parts[0] = tuple(c[cut:] for c in part)
        if not ready:
            return ()
        if len(ready) == 1:
            return ready[0]
        return tuple(stacked([part[i] for part in ready]) for i in range(len(ready[0])))


def stacked(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Rows below each other; those with fewer columns are filled with NaN."""
    if parts[0].ndim == 2:
        width = max(part.shape[1] for part in parts)
        parts = [padded(part, width) for part in parts]
    return np.concatenate(parts)


def padded(rows: NDArray[Any], width: int) -> NDArray[Any]:
    """(M, N) as (M, width) with NaN for what is missing."""
    if rows.shape[1] >= width:
        return rows
    wide = np.full((len(rows), width), np.nan, rows.dtype)
    wide[:, : rows.shape[1]] = rows
    return wide


@njit(nogil=True, cache=True)
def _hold(
    time: NDArray[np.int64],
    source_time: NDArray[np.int64],
    source: NDArray[np.float64],
    periods: float,
    least_s: float,
    integers: NDArray[np.int64],
    reals: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Newest known value of the source at each time, NaN beyond its age. integers: known, its
    time; reals: its value, usual period (s). periods 0: `least_s` is the whole age."""
    j = 0
    for i in range(len(time)):
        while j < len(source_time) and source_time[j] <= time[i]:
            if not np.isnan(source[j]):
                if integers[0]:
                    step = (source_time[j] - integers[1]) * 1e-9
                    if reals[1] == 0 and step > 0:
                        reals[1] = step
                    elif 0 < step < 4 * reals[1]:
                        reals[1] += 0.125 * (step - reals[1])
                    elif step > 0:
                        reals[1] *= 1.1
                integers[0] = 1
                integers[1] = source_time[j]
                reals[0] = source[j]
            j += 1
        limit = max(periods * reals[1], least_s)
        fresh = integers[0] and (time[i] - integers[1]) * 1e-9 <= limit
        out[i] = reals[0] if fresh else np.nan


class Held:
    """A scalar that is held between its rows: the value known at any later time."""

    def __init__(self, periods: float, least_s: float) -> None:
        self._limits = (periods, least_s)
        self._integers, self._reals = np.zeros(2, np.int64), np.zeros(2)
        self._time: NDArray[np.int64] = np.empty(0, np.int64)
        self._value: NDArray[np.float64] = np.empty(0)

    def push(self, time: NDArray[np.int64], value: NDArray[Any]) -> None:
        """Rows of the source, in order."""
        self._time = np.concatenate([self._time, time])
        self._value = np.concatenate([self._value, value])

    def at(self, time: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values at these times (M,), which come in order; NaN where nothing is known."""
        out = np.empty(len(time))
        ready = int(np.searchsorted(self._time, time[-1], "right")) if len(time) else 0
        source = self._time[:ready], self._value[:ready]
        _hold(time, *source, *self._limits, self._integers, self._reals, out)
        self._time, self._value = self._time[ready:], self._value[ready:]
        return out


class HeldRow:
    """The newest row of balancing flags, held for a minute; None where none was ever known."""

    def __init__(self) -> None:
        self._time = np.empty(0, np.int64)
        self._rows: NDArray[Any] = np.empty((0, 0), np.float32)

    def push(self, time: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Rows (M, N) in order."""
        self._time = np.concatenate([self._time, time])
        self._rows = stacked([self._rows, rows]) if len(self._rows) else rows

    def at(self, time: NDArray[np.int64], cells: int) -> NDArray[np.float32] | None:
        """(M, cells) at these times; zero where nothing is known; None where all is off."""
        at = np.searchsorted(self._time, time, "right") - 1
        if not len(time) or at[-1] < 0 or not np.nansum(self._rows[max(at[0], 0) : at[-1] + 1]):
            self._forget(int(at[-1]) if len(time) else -1)
            return None
        there = np.maximum(at, 0)
        rows = padded(self._rows, cells)[:, :cells][there].astype(np.float32)
        fresh = (at >= 0) & ((time - self._time[there]) * 1e-9 <= _BALANCING_HOLD_S)
        self._forget(int(at[-1]))
        return np.where(fresh[:, None], np.nan_to_num(rows), np.float32(0.0))

    def _forget(self, before: int) -> None:
        if before > 0:
            self._time, self._rows = self._time[before:], self._rows[before:]


@njit(nogil=True, cache=True)
def _pair(
    cell_time: NDArray[np.int64],
    time: NDArray[np.int64],
    current: NDArray[np.float64],
    state: NDArray[np.int64],
    which: NDArray[np.int64],
    chosen: NDArray[np.int64],
) -> int:
    """For each new current the newest scan not later than it. state: time of the last current
    used, time of the last scan used, time of the scan before `cell_time`."""
    count = 0
    j = -1
    for i in range(len(time)):
        if np.isnan(current[i]) or (state[0] and time[i] - state[0] < _PAIR_NS):
            continue
        while j + 1 < len(cell_time) and cell_time[j + 1] <= time[i]:
            j += 1
        if j < 0 or cell_time[j] <= state[1] or time[i] - cell_time[j] > _PAIR_AGE_NS:
            continue
        which[count] = j
        chosen[count] = i
        count += 1
        state[0] = time[i]
        state[1] = cell_time[j]
    return count


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """What has become ready. scans: every scan of cells with what was known at its end; pairs:
    scans that a fresh measurement of the current belongs to, at that current's time, with ages to
    it; allowed: (M, 2) what the BMS allows to discharge and charge (A) at each scan, NaN unknown.
    """

    scans: Samples
    pairs: Samples
    allowed: NDArray[np.float64]


class Aligner:
    """Rows of one pack in, `Aligned` out."""

    def __init__(self) -> None:
        self._cells, self._pack, self._probes, self._flags = (Waiting() for _ in range(4))
        self._newest = 0
        self._last: dict[str, int] = {}
        self._current = Held(_PERIODS, _LEAST_HOLD_S)
        self._temperature = Held(0.0, _TEMPERATURE_HOLD_S)
        self._allowed = (Held(_PERIODS, 60.0), Held(_PERIODS, 60.0))
        self._balancing = HeldRow()
        self._pair_state = np.zeros(3, np.int64)
        self._recent: tuple[NDArray[Any], ...] = ()  # scans that a coming current may belong to
        self._currents: Rows = (np.empty(0, np.int64), np.empty(0))

    def push(
        self,
        kind: str,
        time: NDArray[np.int64],
        rows: NDArray[Any],
        age_s: NDArray[Any] | None = None,
    ) -> None:
        """Rows of a kind ("cell", "probe", "balancing", "pack"); other kinds are not needed."""
        if not len(time):
            return
        # A foreign recording may run backwards; kernels count on time that does not.
        last = self._last.get(kind, int(time[0]))
        time = np.maximum.accumulate(np.maximum(time, last))
        self._last[kind] = int(time[-1])
        self._newest = max(self._newest, int(time[-1]))
        if kind == "cell":
            ages = np.zeros((len(time), 1), np.float32) if age_s is None else age_s
            self._cells.push(time, rows, _stepped(ages, rows.shape[1], age_s is None))
        elif kind == "pack":
            self._pack.push(time, rows)
        elif kind == "probe":
            known = ~np.isnan(rows).all(axis=1)
            self._probes.push(time[known], rows[known])
        elif kind == "balancing":
            self._flags.push(time, rows)

    def ready_until(self) -> int:
        """Up to which time everything that counts has surely come."""
        return self._newest - LATENCY_NS

    def take(self, until: int) -> Aligned | None:
        """Scans of cells with time <= until; None when there are none."""
        if probes := self._probes.until(until):
            # The middle probe: one that is broken or on the heat sink does not decide.
            self._temperature.push(probes[0], np.nanmedian(probes[1], axis=1).astype(np.float64))
        if pack := self._pack.until(until):
            time, rows = pack
            self._current.push(time, rows[:, CURRENT].astype(np.float64))
            for held, name in zip(
                self._allowed, ("discharge_current_limit", "charge_current_limit"), strict=True
            ):
                held.push(time, rows[:, _NAMES.index(name)].astype(np.float64))
            self._currents = (
                np.concatenate([self._currents[0], time]),
                np.concatenate([self._currents[1], rows[:, CURRENT].astype(np.float64)]),
            )
        if flags := self._flags.until(until):
            self._balancing.push(*flags)
        cells = self._cells.until(until)
        if not cells:
            return None
        time, volts, ages = cells
        scans = Samples(
            time,
            self._current.at(time),
            volts,
            self._temperature.at(time),
            np.broadcast_to(np.zeros(1, np.float32), volts.shape),
            _or_none(self._balancing.at(time, volts.shape[1]), volts.shape),
        )
        allowed = np.stack([held.at(time) for held in self._allowed], 1)
        return Aligned(scans, self._pairs(time, volts, ages, scans.temperature_degc), allowed)

    def _pairs(
        self,
        time: NDArray[np.int64],
        volts: NDArray[Any],
        ages: NDArray[np.float32],
        temperature: NDArray[np.float64],
    ) -> Samples:
        """Each fresh current with the newest scan before it."""
        now: tuple[NDArray[Any], ...] = (time, volts, ages, temperature)
        if self._recent:
            now = tuple(stacked([a, b]) for a, b in zip(self._recent, now, strict=True))
        cell_time, cell_v, cell_age, cell_temperature = now
        current_time, current = self._currents
        ready = int(np.searchsorted(current_time, time[-1], "right"))
        which, chosen = np.empty(ready, np.int64), np.empty(ready, np.int64)
        count = _pair(
            cell_time, current_time[:ready], current[:ready], self._pair_state, which, chosen
        )
        which, chosen = which[:count], chosen[:count]
        late = ((current_time[chosen] - cell_time[which]) * 1e-9).astype(np.float32)
        self._currents = (current_time[ready:], current[ready:])
        keep = slice(len(cell_time) - 1, None)
        self._recent = tuple(column[keep].copy() for column in now)
        return Samples(
            current_time[chosen],
            current[chosen],
            np.ascontiguousarray(cell_v[which]),
            cell_temperature[which],
            cell_age[which] + late[:, None],
            np.broadcast_to(np.zeros(1, np.float32), (count, cell_v.shape[1])),
        )


def _stepped(ages: NDArray[Any], cells: int, none: bool) -> NDArray[np.float32]:
    """Ages as a recording holds them."""
    if none:
        return np.zeros((len(ages), cells), np.float32)
    return (np.round(ages / AGE_STEP_S) * AGE_STEP_S).astype(np.float32)


def _or_none(rows: NDArray[np.float32] | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if rows is None:
        return np.broadcast_to(np.zeros(1, np.float32), shape)
    return rows


def widened(aligned: Aligned, count: int) -> Aligned:
    """The same with `count` cells, where a block has fewer."""
    if aligned.scans.cells_v.shape[1] == count and aligned.pairs.cells_v.shape[1] == count:
        return aligned
    return replace(
        aligned,
        scans=_wide_samples(aligned.scans, count),
        pairs=_wide_samples(aligned.pairs, count),
    )


def _wide_samples(given: Samples, count: int) -> Samples:
    still = np.broadcast_to(np.zeros(1, np.float32), (len(given), count))
    bled = given.balancing.strides != (0, 0)
    return replace(
        given,
        cells_v=padded(given.cells_v, count),
        age_s=padded(given.age_s, count) if given.age_s.strides != (0, 0) else still,
        balancing=padded(given.balancing, count) if bled else still,
    )
