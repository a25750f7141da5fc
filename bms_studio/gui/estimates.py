"""What is estimated of a pack at one moment, and how good the evidence is: for tiles, grid, table.

Reads the timeline's groups of estimates and health; what is not there is taken from the newest
evaluation. No Qt, no drawing. Unknown is NaN, with what would make it known.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.contract import ESTIMATES, HEALTH, PACK_GROUP, Analysis, AnalysisStatus
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.pack.health import BY_NAME, NAMES, Health
from bms_studio.timeline import Timeline

# Sigma up to which a value is good, and up to which it is fair: what tells healthy cells from
# cells at the end of their life with room to spare. Relative for capacity and resistance (against
# the value), leak in A per Ah of capacity.
_STEPS: dict[str, tuple[float, float]] = {
    "soc": (0.01, 0.03),
    "imbalance": (0.005, 0.015),
    "rest_voltage_v": (0.002, 0.006),
    "capacity_ah": (0.01, 0.03),
    "capacity_difference": (0.01, 0.03),
    "soh_capacity": (0.01, 0.03),
    "resistance_ohm": (0.05, 0.15),
    "ten_second_ohm": (0.05, 0.15),
    "resistance_difference": (0.05, 0.15),
    "soh_resistance": (0.05, 0.15),
    "leak_a": (0.00005, 0.0003),
    "offset_v": (0.001, 0.003),
    "sag_voltage_v": (0.02, 0.06),
    "sag_margin_v": (0.02, 0.06),
}
_RELATIVE = ("capacity_ah", "resistance_ohm", "ten_second_ohm")
_USUAL_AH = 30.0
# What makes a cell the one that limits, and the least share of the median that it must be apart.
_TELLING = {"soc": 0.002, "resistance_ohm": 0.01, "capacity_ah": 0.005}

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """The estimates of N cells at `t`. cells: by quantity and `<quantity>_sigma`; pack: by the
    names of PACK_COLUMNS and PACK_QUANTITIES; status: None where nothing is analysed."""

    t: int
    count: int
    cells: Mapping[str, Array] = field(default_factory=dict)
    pack: Mapping[str, float] = field(default_factory=dict)
    status: AnalysisStatus | None = None
    age_s: float = math.nan

    @property
    def health(self) -> Health | None:
        """The newest evaluation that is not later than the moment shown."""
        return _health_at(self.status, self.t)

    def values(self, name: str) -> Array:
        """Values of a quantity (N,), NaN where unknown."""
        found = self.cells.get(name)
        return found if found is not None else np.full(self.count, np.nan)

    def sigma(self, name: str) -> Array:
        """Their sigma."""
        return self.values(f"{name}_sigma")

    def of_pack(self, name: str) -> float:
        """A quantity of the pack, NaN unknown."""
        return self.pack.get(name, math.nan)

    def known(self, name: str) -> bool:
        """Whether some cell has a value."""
        return bool(np.any(~np.isnan(self.values(name))))

    def need(self, name: str) -> str:
        """What would make a quantity known, in the reader's words."""
        if self.status is None:
            return text("not estimated")
        health = self.health
        code = health.needs.get(name, "") if health is not None else ""
        if code:
            return render(code)
        if health is None:
            busy = not math.isnan(self.status.busy)
            return text("computing…") if busy else text("1 min data")
        return text("more data")

    def limiting(self, name: str) -> int:
        """The cell (from 1) that a limit of the pack names, 0 where none is known to stand out: as
        long as all cells are taken for equal, the first of them says nothing."""
        found = self.of_pack(name)
        if not 0 < found <= self.count or self.count < 2:
            return 0
        at = int(found) - 1
        for quantity, least in _TELLING.items():
            values = self.values(quantity)
            known = values[~np.isnan(values)]
            if len(known) > 1 and abs(values[at] - np.median(known)) > least * abs(
                np.median(known)
            ):
                return at + 1
        return 0

    def marks(self, name: str) -> NDArray[np.uint8]:
        """How good the evidence of each value is: 3 good, 2 fair, 1 weak, 0 no value."""
        values, sigma = self.values(name), self.sigma(name)
        good, fair = _STEPS.get(name, (math.nan, math.nan))
        scale = np.ones(self.count)
        if name in _RELATIVE:
            scale = np.abs(values)
        elif name == "leak_a":
            capacity = self.of_pack("capacity_ah")
            if math.isnan(capacity) and self.status is not None:
                capacity = self.status.basis.capacity_ah
            scale = np.full(self.count, capacity if capacity > 0 else _USUAL_AH)
        marks = np.ones(self.count, np.uint8)
        marks[sigma <= fair * scale] = 2
        marks[sigma <= good * scale] = 3
        marks[np.isnan(values) | np.isnan(sigma)] = 0
        return marks


def read_estimates(
    timeline: Timeline,
    t: int,
    prefix: str,
    status: AnalysisStatus | None,
    cells_shown: int | None = None,
) -> Estimates:
    """Everything estimated of the pack whose groups begin with `prefix`, as known at t (ns).
    cells_shown: how many cells to tell of (None: all that the timeline has)."""
    count = len(timeline.columns(prefix + "cells")) if cells_shown is None else cells_shown
    groups = set(timeline.groups())
    health = _health_at(status, t)
    cells: dict[str, Array] = {}
    for name in NAMES:
        for column in (name, f"{name}_sigma"):
            found = _held(timeline, groups, prefix, column, t, count)
            if found is None and health is not None and column in health.cells:
                found = _padded(health.cells[column], count)
            if found is not None:
                cells[column] = found
    pack = dict(health.pack) if health is not None else {}
    age_s = math.nan
    values, times = timeline.held(prefix + PACK_GROUP, t)
    for name, value, when in zip(
        timeline.columns(prefix + PACK_GROUP), values, times, strict=False
    ):
        if when > 0:
            pack[name] = float(value)
    if len(times) and times.max() > 0:
        age_s = max(0.0, (t - int(times.max())) * 1e-9)
    return Estimates(t, count, cells, pack, status, age_s)


def _health_at(status: AnalysisStatus | None, t: int) -> Health | None:
    """Who looks back sees the evaluation of then, not none because a later one came."""
    if status is None:
        return None
    if status.health is not None and status.health.time <= t:
        return status.health
    return next((h for h in reversed(status.evaluations) if h.time <= t), None)


def estimates_of(analysis: Analysis, t: int) -> Estimates:
    """What one run says at t (ns), whichever run the timeline shows."""
    count = analysis.cells
    health = next((h for h in reversed(analysis.health) if h.time <= t), None)
    cells = dict(health.cells) if health is not None else {}
    pack = dict(health.pack) if health is not None else {}
    time = analysis.estimates.get("time", np.zeros(0, np.int64))
    row = int(np.searchsorted(time, t, "right")) - 1
    if row >= 0:
        for name, rows in analysis.estimates.items():
            if rows.ndim == 2:
                cells[name] = np.asarray(rows[row], np.float64)
            elif name != "time":
                pack[name.removeprefix("pack_")] = float(rows[row])
    padded = {name: _padded(values, count) for name, values in cells.items()}
    status = AnalysisStatus(analysis.basis, analysis.settings, health, analysis.risks)
    return Estimates(t, count, padded, pack, status)


def _held(
    timeline: Timeline, groups: set[str], prefix: str, column: str, t: int, count: int
) -> Array | None:
    for place in (ESTIMATES, HEALTH):
        group = f"{prefix}{place}{column}"
        if group in groups:
            values, times = timeline.held(group, t)
            return _padded(np.where(times > 0, values, np.nan), count)
    return None


def _padded(values: Array, count: int) -> Array:
    out = np.full(count, np.nan)
    out[: min(count, len(values))] = values[:count]
    return out


def evidence_words(mark: int) -> str:
    """What the three dots say."""
    return {
        3: text("good evidence"),
        2: text("fair evidence"),
        1: text("weak evidence"),
    }.get(mark, "")


def quantity_name(name: str) -> str:
    """A quantity of `pack.health` in the reader's words."""
    return {
        "soc": text("State of charge"),
        "rest_voltage_v": text("Rest voltage"),
        "capacity_ah": text("Capacity"),
        "capacity_difference": text("Capacity difference"),
        "soh_capacity": text("Health by capacity"),
        "resistance_ohm": text("Resistance"),
        "ten_second_ohm": text("Resistance after 10 s"),
        "resistance_difference": text("Resistance difference"),
        "soh_resistance": text("Health by resistance"),
        "leak_a": text("Self-discharge"),
        "offset_v": text("Sensor offset"),
        "imbalance": text("Imbalance"),
        "sag_voltage_v": text("Voltage under peak load"),
        "sag_margin_v": text("Sag margin"),
        "lag_s": text("Measured late by"),
        "risk": text("Risk"),
        "warmth_difference": text("Warmer than its heat explains"),
        "slow_difference": text("Slow resistance difference"),
    }.get(name, BY_NAME[name].long_name if name in BY_NAME else name)
