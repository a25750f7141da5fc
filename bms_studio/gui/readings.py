"""One moment of a pack in numbers: what tiles, grid and panels show. No Qt, no drawing.

Values come from `Timeline.held` at the present moment (live edge or playhead); ages beside them
decide what is stale. Unknown is NaN.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.gui.contract import PackView
from protocols.roles import PACK_FIELDS

STALE_CELL_S = 2.0
STALE_SLOW_S = 5.0
FIELD_NAMES = tuple(f.name for f in PACK_FIELDS)


@dataclass(frozen=True, slots=True)
class Reading:
    """A value with its age in s; NaN NaN when it was never known."""

    value: float
    age_s: float
    stale: bool

    @property
    def known(self) -> bool:
        """True when there is a value, fresh or not."""
        return not math.isnan(self.value)


NOTHING = Reading(math.nan, math.nan, False)


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """The pack at `t`. By cell or probe float64, NaN unknown; balancing uint8 0, 1, 255."""

    t: int
    cells_v: NDArray[np.float64]
    cell_age_s: NDArray[np.float64]
    deviation_v: NDArray[np.float64]
    median_v: float
    balancing: NDArray[np.uint8]
    probes_degc: NDArray[np.float64]
    probe_age_s: NDArray[np.float64]
    probe_labels: tuple[str, ...]
    pack: dict[str, Reading]
    stale_cell_s: float

    def field(self, name: str) -> Reading:
        """A pack field as the BMS reports it."""
        return self.pack.get(name, NOTHING)

    @property
    def cell_stale(self) -> NDArray[np.bool_]:
        """Cells whose value is old."""
        return np.asarray(self.cell_age_s > self.stale_cell_s, np.bool_)

    @property
    def known_cells(self) -> int:
        """Cells that have a value."""
        return int(np.count_nonzero(~np.isnan(self.cells_v)))

    @property
    def lowest(self) -> int:
        """Number of the lowest cell; 0 when unknown."""
        return int(np.nanargmin(self.cells_v)) + 1 if self.known_cells else 0

    @property
    def highest(self) -> int:
        """Number of the highest cell; 0 when unknown."""
        return int(np.nanargmax(self.cells_v)) + 1 if self.known_cells else 0

    @property
    def spread_v(self) -> float:
        """Highest minus lowest cell in V; NaN with fewer than two."""
        if self.known_cells < 2:
            return math.nan
        return float(np.nanmax(self.cells_v) - np.nanmin(self.cells_v))

    @property
    def cell_sum_v(self) -> float:
        """Sum of the cells; NaN unless all are known."""
        return float(np.sum(self.cells_v)) if len(self.cells_v) else math.nan

    @property
    def hottest(self) -> int:
        """Index of the hottest probe from 0; -1 when unknown."""
        known = ~np.isnan(self.probes_degc)
        return int(np.nanargmax(self.probes_degc)) if known.any() else -1

    @property
    def newest_cell_age_s(self) -> float:
        """Age of the freshest cell; NaN when none is known."""
        known = ~np.isnan(self.cell_age_s)
        return float(np.nanmin(self.cell_age_s)) if known.any() else math.nan


def read(view: PackView, t: int, prefix: str = "") -> Readings:
    """The pack as it was known at `t` (int64 ns); prefix: of its groups, "packs/2/"."""
    timeline = view.timeline
    cells, cell_age = _held(view, prefix + "cells", t)
    probes, probe_age = _held(view, prefix + "probes", t)
    flags, _ = _held(view, prefix + "balancing", t)
    median_v = float(np.nanmedian(cells)) if np.any(~np.isnan(cells)) else math.nan
    balancing = np.full(len(cells), 255, np.uint8)
    shown = min(len(flags), len(cells))
    known = ~np.isnan(flags[:shown])
    balancing[:shown][known] = flags[:shown][known] > 0
    scan_s = view.status.scan_s
    stale_cell_s = max(STALE_CELL_S, 0.0 if math.isnan(scan_s) else 3 * scan_s)
    return Readings(
        t=t,
        cells_v=cells,
        cell_age_s=cell_age,
        deviation_v=cells - median_v,
        median_v=median_v,
        balancing=balancing,
        probes_degc=probes,
        probe_age_s=probe_age,
        probe_labels=timeline.columns(prefix + "probes"),
        pack=_pack_fields(view, t, prefix + "pack"),
        stale_cell_s=stale_cell_s,
    )


def _held(view: PackView, group: str, t: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values, times = view.timeline.held(group, t)
    ages = np.where(times > 0, (t - times) * 1e-9, np.nan)
    return np.where(times > 0, values, np.nan), np.maximum(ages, 0.0)


def _pack_fields(view: PackView, t: int, group: str) -> dict[str, Reading]:
    values, ages = _held(view, group, t)
    names = view.timeline.columns(group) or FIELD_NAMES
    return {
        name: Reading(float(value), float(age), bool(age > STALE_SLOW_S))
        for name, value, age in zip(names, values, ages, strict=False)
    }


def number(value: float, decimals: int = 1, sign: bool = False) -> str:
    """A value for people: a dash when unknown, a true minus sign."""
    if math.isnan(value):
        return "–"
    rounded = round(value, decimals) + 0.0  # + 0.0 makes a negative zero positive
    return f"{rounded:{'+' if sign else ''}.{decimals}f}".replace("-", "−")


def numbers(values: NDArray[np.float64], decimals: int, sign: bool = False) -> list[str]:
    """`number` of every value; written for hundreds of cells many times a second."""
    form = f"{{:{'+' if sign else ''}.{decimals}f}}".format
    rounded = (np.round(values, decimals) + 0.0).tolist()
    return ["–" if v != v else form(v).replace("-", "−") for v in rounded]


def age_words(age_s: float) -> str:
    """An age for people: 0.4 s, 12 s, 3 min; a dash when unknown."""
    if math.isnan(age_s):
        return "–"
    if age_s < 10:
        return f"{age_s:.1f} s"
    if age_s < 120:
        return f"{age_s:.0f} s"
    return f"{age_s / 60:.0f} min"
