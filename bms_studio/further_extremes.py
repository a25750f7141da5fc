"""Extreme deviations of a further pack on the bus, read from the timeline as somebody looks at it.

The monitor keeps those of the first pack; nobody watches the others' until they are shown. No Qt.
"""

import time

from bms_studio.diagnosis.extremes import ExtremeDeviation
from bms_studio.status import Extreme
from bms_studio.timeline import Timeline

_CHUNK_NS = 60_000_000_000
_PATIENCE_S = 0.01  # of every look; a long recording is caught up with over several
_MEDIAN = 1  # column of the group "statistics"


class FurtherExtremes:
    """See the module. prefix: what the names of the pack's groups begin with."""

    def __init__(self, timeline: Timeline, prefix: str) -> None:
        self._timeline, self._prefix = timeline, prefix
        self._kept = ExtremeDeviation()
        self._next: int | None = None
        self._rows = 0

    def read(self) -> tuple[Extreme, ...]:
        """What is known so far, one per cell; takes in what came since the last look."""
        rows = self._timeline.rows(f"{self._prefix}cells")
        span = self._timeline.span()
        if rows < self._rows:  # everything was derived again
            self._kept, self._next = ExtremeDeviation(), None
        self._rows = rows
        if span is not None:
            self._follow(*span)
        return tuple(
            Extreme(float(v), int(t))
            for v, t in zip(self._kept.deviation_v, self._kept.time, strict=True)
        )

    def reset(self, now_ns: int) -> None:
        """From now on."""
        self._kept, self._next = ExtremeDeviation(), now_ns

    def _follow(self, first: int, last: int) -> None:
        at = first if self._next is None else max(self._next, first)
        width, until = _CHUNK_NS, time.monotonic() + _PATIENCE_S
        while at <= last and time.monotonic() < until:
            end = min(at + width - 1, last)
            when, rows = self._timeline.raw(f"{self._prefix}cells", at, end)
            seen, statistics = self._timeline.raw(f"{self._prefix}statistics", at, end)
            count = min(len(when), len(seen))  # statistics follow a moment later
            if count:
                self._kept.push(when[:count], rows[:count], statistics[:count, _MEDIAN])
                at, width = int(when[count - 1]) + 1, _CHUNK_NS
            elif end == last:
                break  # a row may still come that is older than the newest of another group
            else:
                at, width = end + 1, 2 * width
        self._next = at
