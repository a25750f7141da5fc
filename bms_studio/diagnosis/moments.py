"""Moments: scans of the cells with all that was known beside them when each was taken.

Cells, probes, balancing flags and the pack's own words arrive on time bases of their own; detectors
want them in one row. `Joiner` gives every scan the newest values not later than it, `Windows` sums
scans up to means of ten seconds for what is slow. Neither result depends on how the stream is cut
into blocks. Arrays only; nothing is judged here.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.numerics.statistics import row_statistics
from protocols.roles import PACK_FIELDS

PACK_COLUMNS = {f.name: n for n, f in enumerate(PACK_FIELDS)}
CURRENT = PACK_COLUMNS["current"]
WINDOW_NS = 10_000_000_000
# A value is taken for known this many of its usual periods, within these bounds.
_HELD_PERIODS = 5.0
_HELD_LEAST_S, _HELD_MOST_S, _HELD_UNKNOWN_S = 2.0, 150.0, 60.0
# A group that is later than this, or than so many of its periods, is no longer waited for.
_WAIT_NS = 10_000_000_000
_WAIT_PERIODS = 4
_KINDS = ("pack", "probe", "balancing")


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """M scans of N cells: time int64 ns; cells_v, median_v of each scan; pack (M, PACK_FIELDS);
    probes_degc (M, P); balancing (M, N or fewer) share of time 0..1; low_a, high_a extremes of the
    current within. float32, NaN unknown."""

    time: NDArray[np.int64]
    cells_v: NDArray[np.float32]
    median_v: NDArray[np.float32]
    pack: NDArray[np.float32]
    probes_degc: NDArray[np.float32]
    balancing: NDArray[np.float32]
    low_a: NDArray[np.float32]
    high_a: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: slice) -> "Moments":
        """The rows of a slice, not copied."""
        return Moments(*(getattr(self, name)[rows] for name in self.__slots__))

    @property
    def current_a(self) -> NDArray[np.float32]:
        """Pack current (M,), + = discharge."""
        return self.pack[:, CURRENT]


def moments(
    time: NDArray[np.int64],
    cells_v: NDArray[np.float32],
    current_a: NDArray[np.float32] | None = None,
    probes_degc: NDArray[np.float32] | None = None,
    balancing: NDArray[np.float32] | None = None,
    pack: NDArray[np.float32] | None = None,
    median_v: NDArray[np.float32] | None = None,
) -> Moments:
    """Moments of arrays that share a time base; what is missing is unknown, and the median is
    computed."""
    rows = len(time)
    if pack is None:
        pack = np.full((rows, len(PACK_FIELDS)), np.nan, np.float32)
    if current_a is not None:
        pack = pack.copy()
        pack[:, CURRENT] = current_a
    cells_v = np.ascontiguousarray(cells_v, np.float32)
    if median_v is None:
        median_v = row_statistics(cells_v)[:, 1]
    none = np.empty((rows, 0), np.float32)
    return Moments(
        np.ascontiguousarray(time, np.int64),
        cells_v,
        np.ascontiguousarray(median_v, np.float32),
        np.ascontiguousarray(pack, np.float32),
        none if probes_degc is None else np.ascontiguousarray(probes_degc, np.float32),
        none if balancing is None else np.ascontiguousarray(balancing, np.float32),
        np.ascontiguousarray(pack[:, CURRENT]),
        np.ascontiguousarray(pack[:, CURRENT]),
    )


@njit(nogil=True, cache=True)
def _hold(
    at: NDArray[np.int64],
    time: NDArray[np.int64],
    rows: NDArray[np.float32],
    held: NDArray[np.float64],
    since: NDArray[np.int64],
    period_s: NDArray[np.float64],
    out: NDArray[np.float32],
) -> int:
    """Newest values not later than `at` into out; returns how many rows have been used up."""
    j = 0
    columns = rows.shape[1]
    for i in range(len(at)):
        while j < len(time) and time[j] <= at[i]:
            for c in range(columns):
                v = rows[j, c]
                if np.isnan(v):
                    continue
                if since[c] != 0:
                    step_s = (time[j] - since[c]) * 1e-9
                    if period_s[c] == 0:
                        period_s[c] = step_s
                    elif step_s < 10 * period_s[c]:  # a gap says nothing about the period
                        period_s[c] += 0.1 * (step_s - period_s[c])
                held[c] = v
                since[c] = time[j]
            j += 1
        for c in range(columns):
            longest_s = _HELD_UNKNOWN_S
            if period_s[c] > 0:
                longest_s = min(max(_HELD_PERIODS * period_s[c], _HELD_LEAST_S), _HELD_MOST_S)
            known = since[c] != 0 and (at[i] - since[c]) * 1e-9 <= longest_s
            out[i, c] = held[c] if known else np.nan
    return j


class _Held:
    """One group beside the cells: rows that wait for scans, and the newest value per column."""

    def __init__(self, columns: int) -> None:
        self.time = np.empty(0, np.int64)
        self.rows = np.empty((0, columns), np.float32)
        self.held = np.full(columns, np.nan)
        self.since = np.zeros(columns, np.int64)
        self.period_s = np.zeros(columns)
        self.newest = 0

    def add(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> None:
        more = rows.shape[1] - len(self.held)
        if more > 0:
            self.rows = np.pad(self.rows, ((0, 0), (0, more)), constant_values=np.nan)
            self.held = np.concatenate([self.held, np.full(more, np.nan)])
            self.since = np.concatenate([self.since, np.zeros(more, np.int64)])
            self.period_s = np.concatenate([self.period_s, np.zeros(more)])
        elif more < 0:
            rows = np.pad(rows, ((0, 0), (0, -more)), constant_values=np.nan)
        self.time = np.concatenate([self.time, time])
        self.rows = np.concatenate([self.rows, np.ascontiguousarray(rows, np.float32)])
        self.newest = int(time[-1])

    def at(self, time: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.empty((len(time), len(self.held)), np.float32)
        used = _hold(time, self.time, self.rows, self.held, self.since, self.period_s, out)
        self.time, self.rows = self.time[used:], self.rows[used:]
        return out

    def waits_until(self, newest: int) -> int:
        """Scans up to this moment can be answered, when the cells have come to `newest`."""
        period_s = float(self.period_s[self.period_s > 0].min(initial=np.inf))
        patience = _WAIT_NS
        if np.isfinite(period_s):
            patience = max(patience, int(_WAIT_PERIODS * period_s * 1e9))
        return max(self.newest, newest - patience)


class Joiner:
    """Rows of the groups in, Moments out, as soon as every group that is alive has passed a scan.

    For the first ten seconds it waits for groups that have not shown themselves.
    """

    def __init__(self) -> None:
        self._groups = {kind: _Held(len(PACK_FIELDS) if kind == "pack" else 0) for kind in _KINDS}
        self._time = np.empty(0, np.int64)
        self._cells = np.empty((0, 0), np.float32)
        self._median = np.empty(0, np.float32)
        self._first = -1  # none yet: time may begin at 0

    def push(
        self,
        kind: str,
        time: NDArray[np.int64],
        rows: NDArray[np.float32],
        median_v: NDArray[np.float32] | None = None,
        least_ns: int = 0,
    ) -> Moments | None:
        """The scans that these rows completed, None while there are none. kind: "cell", "pack",
        "probe" or "balancing"; time int64 ns (M,) in order; rows (M, columns); median_v (M,) of
        cells, where it is known already; least_ns: a shorter span of scans waits for more."""
        if not len(time) or (kind != "cell" and kind not in self._groups):
            return None
        if kind == "cell":
            self._add_cells(time, rows)
            if median_v is None:
                median_v = row_statistics(np.ascontiguousarray(rows, np.float32))[:, 1]
            self._median = np.concatenate([self._median, median_v])
        else:
            self._groups[kind].add(time, rows)
        if not len(self._time) or int(self._time[-1] - self._time[0]) < least_ns:
            return None
        return self.ready()

    def ready(self) -> Moments | None:
        """The scans that every group has passed, however few."""
        if not len(self._time):
            return None
        newest = int(self._time[-1])
        ready = newest
        for group in self._groups.values():
            if group.newest:
                ready = min(ready, group.waits_until(newest))
            elif newest - self._first < _WAIT_NS:
                ready = self._first - 1
        return self._take(int(np.searchsorted(self._time, ready, side="right")))

    def flush(self) -> Moments | None:
        """All scans that still wait, at the end of a stream."""
        return self._take(len(self._time))

    def _add_cells(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> None:
        self._first = self._first if self._first >= 0 else int(time[0])
        more = rows.shape[1] - self._cells.shape[1]
        if more > 0:
            self._cells = np.pad(self._cells, ((0, 0), (0, more)), constant_values=np.nan)
        elif more < 0:
            rows = np.pad(rows, ((0, 0), (0, -more)), constant_values=np.nan)
        self._time = np.concatenate([self._time, time])
        self._cells = np.concatenate([self._cells, rows.astype(np.float32, copy=False)])

    def _take(self, count: int) -> Moments | None:
        if not count:
            return None
        time, cells = self._time[:count], np.ascontiguousarray(self._cells[:count])
        median = self._median[:count]
        self._time, self._cells = self._time[count:], self._cells[count:]
        self._median = self._median[count:]
        pack, probes, balancing = (self._groups[kind].at(time) for kind in _KINDS)
        return moments(time, cells, None, probes, balancing, pack, median)


@njit(nogil=True, cache=True)
def _sum_up(
    time: NDArray[np.int64],
    table: NDArray[np.float32],
    current: int,
    clock: NDArray[np.int64],
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    edge: NDArray[np.float64],
    out_time: NDArray[np.int64],
    out: NDArray[np.float32],
    out_edge: NDArray[np.float32],
    width: int,
) -> int:
    """Means per window into out; clock: window, last time. Returns the windows closed."""
    closed = 0
    for i in range(len(time)):
        window = time[i] // width
        if clock[1] != 0 and window != clock[0]:
            out_time[closed] = clock[1]
            out_edge[closed, 0], out_edge[closed, 1] = edge[0], edge[1]
            edge[0] = edge[1] = np.nan
            for c in range(table.shape[1]):
                out[closed, c] = sums[c] / counts[c] if counts[c] else np.nan
                sums[c] = 0.0
                counts[c] = 0
            closed += 1
        clock[0] = window
        clock[1] = time[i]
        for c in range(table.shape[1]):
            v = table[i, c]
            if not np.isnan(v):
                sums[c] += v
                counts[c] += 1
        v = table[i, current]
        if not np.isnan(v):
            if not edge[0] <= v:
                edge[0] = v
            if not edge[1] >= v:
                edge[1] = v
    return closed


class Windows:
    """Moments in, moments of ten seconds out: means, with the extremes of the current."""

    def __init__(self, width_ns: int = WINDOW_NS) -> None:
        self._width = width_ns
        self._clock = np.zeros(2, np.int64)
        self._shape = (0, 0, 0)
        self._sums = np.zeros(len(PACK_FIELDS))
        self._counts = np.zeros(len(PACK_FIELDS), np.int64)
        self._edge = np.full(2, np.nan)

    def push(self, block: Moments) -> Moments | None:
        """The windows that these moments closed, None while there are none."""
        if not len(block):
            return None
        shape = (block.cells_v.shape[1], block.probes_degc.shape[1], block.balancing.shape[1])
        if shape != self._shape:
            self._widen(shape)
        table = np.concatenate([block.pack, block.cells_v, block.probes_degc, block.balancing], 1)
        span = int(block.time[-1] // self._width - block.time[0] // self._width)
        room = min(len(block), span + 1) + 1
        time, out = np.empty(room, np.int64), np.empty((room, table.shape[1]), np.float32)
        edge = np.empty((room, 2), np.float32)
        closed = _sum_up(
            block.time,
            table,
            CURRENT,
            self._clock,
            self._sums,
            self._counts,
            self._edge,
            time,
            out,
            edge,
            self._width,
        )
        if not closed:
            return None
        first, cells, probes = len(PACK_FIELDS), shape[0], shape[1]
        volts = np.ascontiguousarray(out[:closed, first : first + cells])
        return Moments(
            time[:closed],
            volts,
            np.ascontiguousarray(row_statistics(volts)[:, 1]),
            out[:closed, :first],
            out[:closed, first + cells : first + cells + probes],
            out[:closed, first + cells + probes :],
            edge[:closed, 0],
            edge[:closed, 1],
        )

    def _widen(self, shape: tuple[int, int, int]) -> None:
        """New columns begin inside the running window; those that were there go on."""
        sums = [np.zeros(len(PACK_FIELDS)), *(np.zeros(n) for n in shape)]
        counts = [np.zeros(len(PACK_FIELDS), np.int64), *(np.zeros(n, np.int64) for n in shape)]
        at = 0
        for part, old in enumerate((len(PACK_FIELDS), *self._shape)):
            kept = min(old, len(sums[part]))
            sums[part][:kept] = self._sums[at : at + kept]
            counts[part][:kept] = self._counts[at : at + kept]
            at += old
        self._sums, self._counts = np.concatenate(sums), np.concatenate(counts)
        self._shape = shape
