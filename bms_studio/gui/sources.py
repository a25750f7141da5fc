"""The timeline as the plots want it: one small adapter per kind of curve.

Holds no data; every fetch asks the timeline. Units are those on screen (mV, per cent).
"""

import time as clock
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bms_studio.timeline import Timeline
from widgets.sources import Columns


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

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline

    @property
    def version(self) -> int:
        """Rises with every balancing row."""
        return self.timeline.rows("balancing")

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """See `widgets.sources.Source.fetch`."""
        found = self.timeline.fetch("balancing", t0_ns, t1_ns, pixels)
        numbers = np.arange(1, len(found.high) + 1, dtype=np.float32)[:, np.newaxis]
        shown = np.where((found.high > 0) & (found.high < 255), numbers, np.float32(np.nan))
        return Columns(found.time, shown, shown)


class EmptySource:
    """Nothing: for a plot that waits for its signal."""

    version = 0

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """No column of one unknown trace."""
        return _nothing(1)


def _nothing(traces: int) -> Columns:
    empty = np.empty((traces, 0), np.float32)
    return Columns(np.empty(0, np.int64), empty, empty)


def outliers(
    deviation_v: NDArray[np.float64], at_most: int = 3, threshold_v: float = 0.01
) -> list[int]:
    """Cells (from 1) that stand out now, the farthest first: beyond `threshold_v` and beyond four
    times the typical deviation."""
    known = np.abs(np.where(np.isnan(deviation_v), 0.0, deviation_v))
    if not len(known):
        return []
    limit = max(threshold_v, 4 * float(np.median(known)))
    order = np.argsort(known)[::-1][:at_most]
    return [int(i) + 1 for i in order if known[i] > limit]


def wall_ns() -> int:
    """Now, by the computer's clock, in int64 ns since 1970."""
    return clock.time_ns()
