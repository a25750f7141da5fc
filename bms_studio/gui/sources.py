"""The timeline as the plots want it: one small adapter per kind of curve.

Holds no data; every fetch asks the timeline. Units are those on screen (mV, per cent).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bms_studio.timeline import Timeline
from widgets.sources import Columns, Source


class GroupSource:
    """Columns of one group, scaled: screen value = stored value * factor.

    columns: numbers, or None for all. A group that does not exist yet is simply empty.
    """

    def __init__(
        self,
        timeline: Timeline,
        group: str,
        columns: Sequence[int] | None = None,
        factor: float = 1.0,
    ) -> None:
        self.timeline = timeline
        self.group = group
        self.factor = np.float32(factor)
        self._columns = None if columns is None else list(columns)

    @property
    def version(self) -> int:
        """Rises with every row of this group."""
        return self.timeline.rows(self.group)

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """See `widgets.sources.Source.fetch`."""
        known = len(self.timeline.columns(self.group))
        if not known or (self._columns and max(self._columns) >= known):
            return _nothing(len(self._columns or ()))
        found = self.timeline.fetch(self.group, t0_ns, t1_ns, pixels, self._columns)
        if self.factor == 1.0:
            return Columns(found.time, found.low, found.high)
        low = found.low * self.factor
        high = low if found.high is found.low else found.high * self.factor
        if self.factor < 0:
            low, high = high, low
        return Columns(found.time, low, high)


class FieldSource:
    """One named column of a group ("pack", "current"), found when it appears."""

    def __init__(self, timeline: Timeline, group: str, field: str, factor: float = 1.0) -> None:
        self.timeline = timeline
        self.group = group
        self.field = field
        self._inner: GroupSource | None = None
        self._factor = factor

    @property
    def version(self) -> int:
        """Rises with every row of the group."""
        return self.timeline.rows(self.group)

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """One trace; see `widgets.sources.Source.fetch`."""
        if self._inner is None:
            names = self.timeline.columns(self.group)
            if self.field not in names:
                return _nothing(1)
            column = [names.index(self.field)]
            self._inner = GroupSource(self.timeline, self.group, column, self._factor)
        return self._inner.fetch(t0_ns, t1_ns, pixels)


class BalancingSource:
    """Which cells are bled: trace k is at height k + 1 while cell k + 1 balances, else unknown."""

    def __init__(self, timeline: Timeline, group: str = "balancing") -> None:
        self.timeline = timeline
        self.group = group

    @property
    def version(self) -> int:
        """Rises with every balancing row."""
        return self.timeline.rows(self.group)

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """See `widgets.sources.Source.fetch`."""
        found = self.timeline.fetch(self.group, t0_ns, t1_ns, pixels)
        numbers = np.arange(1, len(found.high) + 1, dtype=np.float32)[:, np.newaxis]
        shown = np.where((found.high > 0) & (found.high < 255), numbers, np.float32(np.nan))
        return Columns(found.time, shown, shown)


class JoinedSource:
    """Several sources in one plot: their traces one below the other, on the union of their times.

    Between its own samples a trace is interpolated (its extremes are not touched); before its first
    and after its last it is unknown.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)

    @property
    def version(self) -> int:
        """Rises when any of them has news."""
        return sum(source.version for source in self.sources)

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """See `widgets.sources.Source.fetch`."""
        parts = [source.fetch(t0_ns, t1_ns, pixels) for source in self.sources]
        time = np.unique(np.concatenate([part.time for part in parts]))
        low = [_at(time, part.time, row) for part in parts for row in part.low]
        high = [_at(time, part.time, row) for part in parts for row in part.high]
        if not len(time):
            return _nothing(len(low))
        return Columns(time, np.stack(low), np.stack(high))


def _at(
    wanted: NDArray[np.int64], time: NDArray[np.int64], values: NDArray[np.float32]
) -> NDArray[np.float32]:
    if not len(time):
        return np.full(len(wanted), np.nan, np.float32)
    # Relative times: float64 would round nanoseconds since 1970.
    x, own = wanted - wanted[0], time - wanted[0]
    between = np.interp(x, own, values, left=np.nan, right=np.nan)
    return np.asarray(between, np.float32)


def _nothing(traces: int) -> Columns:
    empty = np.empty((traces, 0), np.float32)
    return Columns(np.empty(0, np.int64), empty, empty)


def lasting_deviations(
    timeline: Timeline, t0_ns: int, t1_ns: int, group: str = "deviation"
) -> NDArray[np.float64]:
    """The largest deviation from the median that each cell kept up for a 64th of the span, in V,
    without its sign; NaN where a cell is unknown.

    A single scan does not count: at a load step, cells measured one after another seem to differ.
    """
    found = timeline.fetch(group, t0_ns, t1_ns, 64)
    inside = (found.time >= t0_ns) & (found.time <= t1_ns)
    low, high = found.low[:, inside], found.high[:, inside]
    kept = np.where(low > 0, low, np.where(high < 0, -high, np.where(np.isnan(low), -1.0, 0.0)))
    largest = np.max(kept, axis=1, initial=-1.0).astype(np.float64)
    return np.where(largest < 0, np.nan, largest)


def outliers(
    deviation_v: NDArray[np.float64], at_most: int = 3, threshold_v: float = 0.01
) -> list[int]:
    """Cells (from 1) that stand out, the farthest first: beyond `threshold_v` and beyond four times
    the typical deviation. deviation_v: float64 (N,), NaN unknown."""
    known = np.abs(np.where(np.isnan(deviation_v), 0.0, deviation_v))
    if not len(known):
        return []
    limit = max(threshold_v, 4 * float(np.median(known)))
    order = np.argsort(known)[::-1][:at_most]
    return [int(i) + 1 for i in order if known[i] > limit]
