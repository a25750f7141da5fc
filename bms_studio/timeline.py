"""What a session remembers: channel groups on one time axis, raw and reduced, and the raw frames.

One writer thread, any number of readers. No Qt; the only files are unnamed scratch files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.frame_log import FrameLog
from bms_studio.numerics.statistics import row_statistics
from bms_studio.series import Reduced, Series

DEFAULT_CAP_BYTES = 4 << 30
STATISTICS = ("minimum", "median", "maximum", "spread")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: connect, gap, drop, clock-step, mark, pack-changed …"""

    time: int
    kind: str
    text: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


class Timeline:
    """Groups "cells", "deviation", "statistics", "probes", "balancing", "pack", "location",
    "signals/<Message>", "estimates/…" and "health/…" (`analysis.contract`); further packs under
    "packs/<n>/". `version` rises with every change.

    "deviation" is each cell minus its scan's median, "statistics" the scan's minimum, median,
    maximum and spread: both follow from "cells", and are kept so that extremes survive every zoom.
    """

    def __init__(self, cap_bytes: int = DEFAULT_CAP_BYTES, folder: str | None = None) -> None:
        self.version = 0
        self.events: list[Event] = []
        self.frames = FrameLog(folder)
        self._series: dict[str, Series] = {}
        self._cap_bytes = cap_bytes
        self._folder = folder

    def groups(self) -> tuple[str, ...]:
        """Names of the groups that hold something."""
        return tuple(self._series)

    def columns(self, group: str) -> tuple[str, ...]:
        """Names of a group's columns; empty for a group that does not exist (yet)."""
        series = self._series.get(group)
        return series.columns if series else ()

    def rows(self, group: str) -> int:
        """Rows of a group so far."""
        series = self._series.get(group)
        return len(series) if series else 0

    def span(self) -> tuple[int, int] | None:
        """First and last time of everything; None when there is nothing yet."""
        spans = [s for series in list(self._series.values()) if (s := series.span())]
        time = self.frames.all().time
        if len(time):
            spans.append((int(time[0]), int(time[-1])))
        return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None

    def fetch(
        self, group: str, t0: int, t1: int, pixels: int, columns: Sequence[int] | None = None
    ) -> Reduced:
        """What a plot of a group needs; columns are numbers. Nothing at all gives no moments."""
        series = self._series.get(group)
        if series is None:
            count = 0 if columns is None else len(columns)
            nothing = np.empty((count, 0), np.float32)
            return Reduced(np.empty(0, np.int64), nothing, nothing)
        chosen = None if columns is None else np.asarray(columns, np.int64)
        return series.fetch(t0, t1, pixels, chosen)

    def raw(self, group: str, t0: int, t1: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Raw rows of a group with t0 <= time <= t1: time (M,), values (M, N)."""
        series = self._series.get(group)
        if series is None:
            return np.empty(0, np.int64), np.empty((0, 0), np.float32)
        return series.raw(t0, t1)

    def held(self, group: str, t: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Newest known value of each column not later than t, and its time; NaN and 0: none."""
        series = self._series.get(group)
        if series is None:
            return np.empty(0), np.empty(0, np.int64)
        return series.held_at(t)

    # -- the writer's side ---------------------------------------------------------------------

    def append(
        self,
        group: str,
        time: NDArray[np.int64],
        values: NDArray[np.float32],
        columns: tuple[str, ...] = (),
    ) -> None:
        """Append rows to a group; `columns` names them (default 1, 2, …) when it is new."""
        self._append(group, time, values, columns)
        if group.endswith("cells"):
            statistics = row_statistics(np.ascontiguousarray(values))
            prefix = group.removesuffix("cells")
            self._append(prefix + "statistics", time, statistics, STATISTICS)
            self._append(prefix + "deviation", time, values - statistics[:, 1:2], columns)
        self.version += 1
        self._keep_within_cap()

    def _append(
        self,
        group: str,
        time: NDArray[np.int64],
        values: NDArray[np.float32],
        columns: tuple[str, ...],
    ) -> None:
        series = self._series.get(group)
        if series is None:
            names = columns or tuple(str(n + 1) for n in range(values.shape[1]))
            series = Series(names, self._folder)
            self._series = {**self._series, group: series}  # readers iterate the old dict
        series.append(time, values)

    def append_frames(self, block: Any) -> None:
        """Append raw frames (protocols.frames.Frames)."""
        self.frames.append(block)
        self.version += 1
        self._keep_within_cap()

    def hold(self, group: str, values: NDArray[np.float64], times: NDArray[np.int64]) -> None:
        """Newest values of a group whose scan is still open (see `held`)."""
        series = self._series.get(group)
        if series is not None:
            series.held = (values.copy(), times.copy())

    def forget(self, group: str) -> None:
        """Drop a group, to derive it again."""
        self._series = {name: s for name, s in self._series.items() if name != group}
        self.version += 1

    def break_lines(self, t: int) -> None:
        """A gap at t: one unknown row in every group, so that no line joins its two sides."""
        for name, series in self._series.items():
            span = series.span()
            # Results come later than the rows that they are made of: they must stay in order.
            if span and span[1] < t and "estimates/" not in name and "health/" not in name:
                unknown = np.full((1, len(series.columns)), np.nan, np.float32)
                series.append(np.array([t], np.int64), unknown)
        self.version += 1

    def add_event(self, event: Event) -> None:
        """Remember an event."""
        self.events.append(event)
        self.version += 1

    def forget_events(self, kind: str, since: int) -> None:
        """Drop the events of a kind from `since` on: they are derived again."""
        self.events = [e for e in self.events if e.kind != kind or e.time < since]
        self.version += 1

    def _keep_within_cap(self) -> None:
        stores: list[Series | FrameLog] = [self.frames, *self._series.values()]
        if sum(store.nbytes for store in stores) > self._cap_bytes:
            max(stores, key=lambda store: store.nbytes).drop_older_half()
