"""Curves of one cell, or of two: their difference, and the model's voltage beside the measured one.

Adapters from the timeline to the plots; hold no data beyond what was fetched last.
"""

from collections.abc import Callable

import numpy as np

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.analysis.prediction import predicted_voltage
from bms_studio.timeline import Timeline
from widgets.sources import Columns

_EVERY_ROWS = 5  # the model is computed anew for every fifth row: nobody sees more


class DifferenceSource:
    """Column a minus column b of a group (cells from 1), scaled."""

    def __init__(self, timeline: Timeline, group: str, a: int, b: int, factor: float) -> None:
        self.timeline, self.group = timeline, group
        self.a, self.b, self.factor = a, b, factor

    @property
    def version(self) -> int:
        """Rises with every row of the group."""
        return self.timeline.rows(self.group)

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """One trace; where pixels hold several samples, the widest range that the extremes of both
        allow."""
        known = len(self.timeline.columns(self.group))
        if max(self.a, self.b) > known:
            return Columns(np.zeros(0, np.int64), *2 * (np.zeros((1, 0), np.float32),))
        found = self.timeline.fetch(self.group, t0_ns, t1_ns, pixels, [self.a - 1, self.b - 1])
        if found.low is found.high or np.array_equal(found.low, found.high, equal_nan=True):
            same = (found.low[:1] - found.low[1:]) * np.float32(self.factor)
            return Columns(found.time, same, same)
        low = (found.low[:1] - found.high[1:]) * np.float32(self.factor)
        high = (found.high[:1] - found.low[1:]) * np.float32(self.factor)
        return Columns(found.time, low, high)


class ModelSource:
    """Trace 0: measured; trace 1: what the model says, where it can say anything (V)."""

    def __init__(
        self,
        timeline: Timeline,
        prefix: str,
        cell: int,
        status_of: Callable[[], AnalysisStatus | None],
    ) -> None:
        self.timeline, self.prefix, self.cell = timeline, prefix, cell
        self._status_of = status_of
        self.error_v = float("nan")
        self.asked = False

    @property
    def version(self) -> int:
        """Rises with the rows of cells and of estimates."""
        estimates = self.timeline.rows(f"{self.prefix}estimates/soc")
        return self.timeline.rows(f"{self.prefix}cells") // _EVERY_ROWS + estimates

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        """Two traces on the times of the measurement."""
        group = f"{self.prefix}cells"
        self.asked = True
        if self.cell > len(self.timeline.columns(group)):
            return Columns(np.zeros(0, np.int64), *2 * (np.zeros((2, 0), np.float32),))
        found = self.timeline.fetch(group, t0_ns, t1_ns, pixels, [self.cell - 1])
        said = np.full(len(found.time), np.nan)
        status = self._status_of()
        if status is not None and len(found.time):
            time, volts = predicted_voltage(
                self.timeline, self.prefix, self.cell, t0_ns, t1_ns, pixels, status
            )
            if len(time) > 1:
                x = (found.time - time[0]) * 1e-9
                said = np.interp(x, (time - time[0]) * 1e-9, volts, left=np.nan, right=np.nan)
        gap = 0.5 * (found.low[0] + found.high[0]) - said
        known = gap[~np.isnan(gap)]
        self.error_v = float(np.sqrt(np.mean(known**2))) if len(known) else float("nan")
        model = said.astype(np.float32)
        return Columns(
            found.time, np.stack([found.low[0], model]), np.stack([found.high[0], model])
        )
