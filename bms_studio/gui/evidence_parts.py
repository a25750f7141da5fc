"""What small charts of evidence share: what they are made from, and the band of the other cells.

Plain data; nothing is drawn or judged here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.gui.contract import PackView
from bms_studio.pack.health import Health

Array = NDArray[np.float64]
# The first evaluation of a visit comes so long after its first sample.
_FIRST_NS = 60_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the charts are made from. prefix: "" or "packs/<n>/"; until: the present moment."""

    view: PackView
    health: Health | None
    visits: tuple[Health, ...]
    until_ns: int
    prefix: str = ""

    @property
    def span(self) -> tuple[int, int] | None:
        """From the first sample to the present moment."""
        span = self.view.timeline.span()
        return (span[0], max(min(span[1], self.until_ns), span[0] + 1)) if span else None

    @property
    def visit(self) -> tuple[int, int] | None:
        """From the first sample of the newest visit to the present moment."""
        span = self.span
        began = max((v.time for v in self.visits), default=0)
        if span is None or began < span[0]:
            return span
        timeline, start = self.view.timeline, f"{self.prefix}health/"
        group = next((g for g in timeline.groups() if g.startswith(start)), "")
        times = timeline.raw(group, began + 1, span[1])[0] if group else np.zeros(0)
        return (int(times[0]) - _FIRST_NS, span[1]) if len(times) else span

    @property
    def count(self) -> int:
        """Cells of the pack."""
        return len(self.view.timeline.columns(f"{self.prefix}cells"))

    @property
    def history(self) -> tuple[Health, ...]:
        """Earlier visits and the present one."""
        return (*self.visits, self.health) if self.health is not None else self.visits


def others(values: NDArray[np.floating], cell: int) -> tuple[Array, Array]:
    """10 % and 90 % of all cells but one, along the last axis of (M, N)."""
    rest = np.delete(np.asarray(values, np.float64), cell - 1, axis=1)
    low, high = np.full(len(rest), np.nan), np.full(len(rest), np.nan)
    known = np.isfinite(rest).any(axis=1) if rest.shape[1] else np.zeros(len(rest), np.bool_)
    if known.any():
        low[known], high[known] = np.nanquantile(rest[known], (0.1, 0.9), axis=1)
    return low, high


def seconds_of(time_ns: NDArray[np.int64]) -> Array:
    return np.asarray(time_ns, np.float64) * 1e-9
