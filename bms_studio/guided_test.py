"""The ten-minute check of a pack on the table: what to do, what it shows, when it is enough.

The person says what can move current; each way has its own steps, and says beforehand what it can
decide. Watches what the pack does; nothing is ever transmitted. No Qt, no adapter, no estimator.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

NOTHING, CHARGER, WHEEL, LOAD = WAYS = ("nothing", "charger", "wheel", "load")
# A current that counts as flowing, and as resting: a share of 1C, at least so many A.
_FLOWS_C, _FLOWS_A = 0.05, 0.5
_RESTS_C, _RESTS_A = 0.02, 0.2
_NEAR_LIMIT_V = 0.05
_FULL = 0.999


@dataclass(frozen=True, slots=True)
class Step:
    """wants: "rest", "charge" or "discharge" for so many seconds; the clock runs only while the
    pack does that. code: message of the instruction."""

    code: str
    wants: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """decides, cannot: quantities of `pack.health` that this way can and cannot settle."""

    way: str
    steps: tuple[Step, ...]
    decides: tuple[str, ...]
    cannot: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long the steps take together."""
        return sum(step.seconds for step in self.steps)


_REST = Step("guide.rest", "rest", 60.0)
PLANS: dict[str, Plan] = {
    NOTHING: Plan(
        NOTHING,
        (Step("guide.rest", "rest", 180.0),),
        ("rest_voltage_v", "soc"),
        ("resistance_ohm", "capacity_ah", "leak_a"),
    ),
    CHARGER: Plan(
        CHARGER,
        (
            _REST,
            Step("guide.charge", "charge", 90.0),
            Step("guide.charger_off", "rest", 60.0),
            Step("guide.charge", "charge", 90.0),
            Step("guide.charger_off", "rest", 60.0),
        ),
        ("rest_voltage_v", "soc", "resistance_ohm"),
        ("sag_margin_v", "capacity_ah", "leak_a"),
    ),
    WHEEL: Plan(
        WHEEL,
        (
            _REST,
            *(Step("guide.pull", "discharge", 10.0), Step("guide.let_go", "rest", 20.0)) * 4,
            Step("guide.let_go", "rest", 40.0),
        ),
        ("rest_voltage_v", "soc", "resistance_ohm", "sag_margin_v"),
        ("capacity_ah", "leak_a"),
    ),
    LOAD: Plan(
        LOAD,
        (
            _REST,
            Step("guide.load_on", "discharge", 60.0),
            Step("guide.load_off", "rest", 60.0),
            Step("guide.load_on", "discharge", 60.0),
            Step("guide.load_off", "rest", 60.0),
        ),
        ("rest_voltage_v", "soc", "resistance_ohm", "sag_margin_v"),
        ("capacity_ah", "leak_a"),
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the pack does now; NaN unknown. capacity_ah: 0 unknown. limits: of a cell, V.
    progress: of the analysis, quantity -> 0..1."""

    now_ns: int
    current_a: float
    cells_v: NDArray[np.float64]
    capacity_ah: float = 0.0
    cell_voltage_min: float = math.nan
    cell_voltage_max: float = math.nan
    progress: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Guidance:
    """What to show: step (from 0) and its code, seconds left of it and of all, meters (quantity,
    0..1), warning code with its cell ("" none), whether the pack does what is asked, done."""

    step: int
    code: str
    step_left_s: float
    left_s: float
    meters: tuple[tuple[str, float], ...]
    warning: str = ""
    warning_cell: int = 0
    doing: bool = False
    done: bool = False


class GuidedTest:
    """One run of a plan. Feed `update` a few times a second."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.started_ns = 0
        self._step = 0
        self._spent_s = 0.0
        self._last_ns = 0

    def update(self, seen: Seen) -> Guidance:
        """Where the run stands now."""
        self.started_ns = self.started_ns or seen.now_ns
        elapsed = min((seen.now_ns - self._last_ns) * 1e-9, 1.0) if self._last_ns else 0.0
        self._last_ns = seen.now_ns
        done = self._step >= len(self.plan.steps)
        doing = not done and state_of(seen) == self.plan.steps[self._step].wants
        if doing:
            self._spent_s += max(elapsed, 0.0)
            if self._spent_s >= self.plan.steps[self._step].seconds:
                self._step, self._spent_s = self._step + 1, 0.0
                done = self._step >= len(self.plan.steps)
        meters = tuple((name, self._meter(name, seen)) for name in self.plan.decides)
        enough = bool(meters) and all(value >= _FULL for _, value in meters)
        warning, cell = near_limit(seen)
        if done or enough:
            return Guidance(len(self.plan.steps), "guide.done", 0.0, 0.0, meters, done=True)
        step = self.plan.steps[self._step]
        rest = sum(s.seconds for s in self.plan.steps[self._step + 1 :])
        left = max(step.seconds - self._spent_s, 0.0)
        return Guidance(self._step, step.code, left, left + rest, meters, warning, cell, doing)

    def _meter(self, name: str, seen: Seen) -> float:
        """How much of what a quantity needs is there: the analysis' own word, else the steps'."""
        if name in seen.progress:
            return float(min(max(seen.progress[name], 0.0), 1.0))
        wanted = "rest" if name in ("rest_voltage_v", "soc") else ""
        steps = [s for s in self.plan.steps if (s.wants == "rest") == bool(wanted)]
        total = sum(s.seconds for s in steps)
        past = [s for s in self.plan.steps[: self._step] if (s.wants == "rest") == bool(wanted)]
        spent = sum(s.seconds for s in past)
        here = self._step < len(self.plan.steps) and self.plan.steps[self._step] in steps
        return min((spent + (self._spent_s if here else 0.0)) / total, 1.0) if total else 0.0


def state_of(seen: Seen) -> str:
    """ "rest", "charge" or "discharge" now, "" in between or unknown."""
    if math.isnan(seen.current_a):
        return "rest"  # without a current nobody can tell; the clock of a rest may run
    size = abs(seen.current_a)
    if size <= max(_RESTS_C * seen.capacity_ah, _RESTS_A):
        return "rest"
    if size < max(_FLOWS_C * seen.capacity_ah, _FLOWS_A):
        return ""
    return "discharge" if seen.current_a > 0 else "charge"


def near_limit(seen: Seen) -> tuple[str, int]:
    """Warning code and cell when a cell comes near its limit: before, not after."""
    known = np.isfinite(seen.cells_v)
    if not known.any():
        return "", 0
    low, high = int(np.nanargmin(seen.cells_v)), int(np.nanargmax(seen.cells_v))
    if seen.cells_v[low] < seen.cell_voltage_min + _NEAR_LIMIT_V:
        return "guide.near_empty", low + 1
    if seen.cells_v[high] > seen.cell_voltage_max - _NEAR_LIMIT_V and seen.current_a < 0:
        return "guide.near_full", high + 1
    return "", 0
