"""Scans: from single values in order of arrival to rows of all columns.

A BMS sends its cells one after another; a row of "all cells" exists only by a rule, and this is the
rule: a scan closes when a column arrives that it already has, or when the next value arrives later
than 1.5 periods after the scan began. Probes, balancing flags and pack fields pass the same way.
The time rule waits until the period is known, and never acts within 50 ms: USB adapters deliver in
bursts, and a cell that is missing from a faster scan is found by the first rule all the same.
Arrays only; the result does not depend on how the stream is cut into blocks.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

PERIODS_UNTIL_CLOSED = 1.5
SHORTEST_NS = 50_000_000
_PERIODS_KNOWN = 4
_PERIOD_SMOOTHING = 0.125
# Indices into Scanner._clock: int64 ns, except counts of values in the open scan and of periods.
_BEGAN, _LAST, _FILLED, _PREVIOUS_BEGIN, _PERIOD, _PERIODS = range(6)


@dataclass(frozen=True, slots=True, eq=False)
class Scans:
    """M closed scans of N columns: end time (int64 ns), values, and each value's age at the end."""

    time: NDArray[np.int64]
    rows: NDArray[np.float32]
    age_s: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.time)


@njit(nogil=True, cache=True)
def _close(
    clock: NDArray[np.int64],
    row: NDArray[np.float64],
    arrival: NDArray[np.int64],
    count: int,
    out_time: NDArray[np.int64],
    out_rows: NDArray[np.float32],
    out_age: NDArray[np.float32],
) -> None:
    end = clock[_LAST]
    out_time[count] = end
    for column in range(len(row)):
        if arrival[column] != 0:
            out_rows[count, column] = row[column]
            out_age[count, column] = (end - arrival[column]) * 1e-9
        else:
            out_rows[count, column] = np.nan
            out_age[count, column] = np.nan
        arrival[column] = 0
    interval = clock[_BEGAN] - clock[_PREVIOUS_BEGIN]
    if clock[_PREVIOUS_BEGIN] != 0 and interval > 0:
        clock[_PERIODS] += 1
        if clock[_PERIOD] == 0:
            clock[_PERIOD] = interval
        elif interval < 4 * clock[_PERIOD]:  # a gap says nothing about the period
            clock[_PERIOD] += int(_PERIOD_SMOOTHING * (interval - clock[_PERIOD]))
    clock[_PREVIOUS_BEGIN] = clock[_BEGAN]
    clock[_FILLED] = 0


@njit(nogil=True, cache=True)
def _push(
    time: NDArray[np.int64],
    index: NDArray[np.int32],
    value: NDArray[np.float64],
    clock: NDArray[np.int64],
    row: NDArray[np.float64],
    arrival: NDArray[np.int64],
    held: NDArray[np.float64],
    held_time: NDArray[np.int64],
    out_time: NDArray[np.int64],
    out_rows: NDArray[np.float32],
    out_age: NDArray[np.float32],
    start: int,
) -> tuple[int, int]:
    """Feed values from `start` until the output is full: (scans closed, next value)."""
    count = 0
    capacity = len(out_time)
    for i in range(start, len(time)):
        t = time[i]
        column = index[i]
        if clock[_FILLED] > 0 and (
            arrival[column] != 0
            or (
                clock[_PERIODS] >= _PERIODS_KNOWN
                and t - clock[_BEGAN] > max(PERIODS_UNTIL_CLOSED * clock[_PERIOD], SHORTEST_NS)
            )
        ):
            if count == capacity:
                return count, i
            _close(clock, row, arrival, count, out_time, out_rows, out_age)
            count += 1
        if clock[_FILLED] == 0:
            clock[_BEGAN] = t
        row[column] = value[i]
        arrival[column] = t
        held[column] = value[i]
        held_time[column] = t
        clock[_LAST] = t
        clock[_FILLED] += 1
    return count, len(time)


class Scanner:
    """Rows out of a stream of (time, column, value); the number of columns grows as they appear.

    `held` and `held_time` are the newest value of every column and its arrival (0: never), also
    from the scan that is still open: a display need not wait for a slow round to end.
    """

    def __init__(self, columns: int = 0) -> None:
        self._clock = np.zeros(6, np.int64)
        self._row = np.zeros(columns, np.float64)
        self._arrival = np.zeros(columns, np.int64)
        self.held = np.full(columns, np.nan)
        self.held_time = np.zeros(columns, np.int64)

    @property
    def columns(self) -> int:
        """Columns seen so far."""
        return len(self._row)

    @property
    def period_s(self) -> float:
        """The usual time from one scan's start to the next; NaN before two scans."""
        return float(self._clock[_PERIOD]) * 1e-9 if self._clock[_PERIOD] else float("nan")

    @property
    def rounds(self) -> int:
        """Scans that have closed, one less than those begun; 0 before the second begins."""
        return int(self._clock[_PERIODS]) + (1 if self._clock[_PREVIOUS_BEGIN] else 0)

    def widen(self, columns: int) -> None:
        """Know of at least this many columns; those that never come stay unknown."""
        if columns > self.columns:
            self._grow(columns)

    def _grow(self, columns: int) -> None:
        extra = columns - self.columns
        self._row = np.concatenate([self._row, np.zeros(extra)])
        self._arrival = np.concatenate([self._arrival, np.zeros(extra, np.int64)])
        self.held = np.concatenate([self.held, np.full(extra, np.nan)])
        self.held_time = np.concatenate([self.held_time, np.zeros(extra, np.int64)])

    def push(
        self, time: NDArray[np.int64], index: NDArray[np.int32], value: NDArray[np.float64]
    ) -> Scans:
        """The scans that these values closed. time: int64 ns in order; index: column from 0."""
        if len(index) and int(index.max()) >= self.columns:
            self._grow(int(index.max()) + 1)
        parts: list[Scans] = []
        start = 0
        while start < len(time):
            # At least two scans' worth of room; the kernel returns early when it runs out.
            capacity = max(4, 2 * (len(time) - start) // max(1, self.columns) + 2)
            out = Scans(
                np.empty(capacity, np.int64),
                np.empty((capacity, self.columns), np.float32),
                np.empty((capacity, self.columns), np.float32),
            )
            count, start = _push(
                time,
                index,
                value,
                self._clock,
                self._row,
                self._arrival,
                self.held,
                self.held_time,
                out.time,
                out.rows,
                out.age_s,
                start,
            )
            parts.append(Scans(out.time[:count], out.rows[:count], out.age_s[:count]))
        return _join(parts, self.columns)

    def flush(self) -> Scans:
        """The scan that is still open, as it stands (none if nothing arrived)."""
        if self._clock[_FILLED] == 0:
            return _join([], self.columns)
        out = Scans(
            np.empty(1, np.int64),
            np.empty((1, self.columns), np.float32),
            np.empty((1, self.columns), np.float32),
        )
        _close(self._clock, self._row, self._arrival, 0, out.time, out.rows, out.age_s)
        return out


def _join(parts: list[Scans], columns: int) -> Scans:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        empty = np.empty((0, columns), np.float32)
        return Scans(np.empty(0, np.int64), empty, empty.copy())
    return Scans(
        np.concatenate([p.time for p in parts]),
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.age_s for p in parts]),
    )
