"""The ten-minute check of a pack on the table: what to do, what it shows, when it is enough.

The person says what can move current; each way has its own steps, and says beforehand what it can
decide. It is over when all of that is known; where it is not after the last step, a round is done
again, a few times. Watches what the pack does; nothing is ever transmitted. No Qt, no adapter, no
estimator.
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
# Charging below this plates lithium; above that a probe is near every usual limit.
_COLD_DEGC, _HOT_DEGC = 5.0, 52.0
_FULL = 0.999
# After so much rest in all, cells can be compared to some millivolts.
_REST_ENOUGH_S = 150.0
# What is not known well enough is never shown as complete.
_ALMOST = 0.95
# Progress of charge at which it is known to 5 %, which is what a check of minutes can reach.
_SOC_ENOUGH = 0.55
# What a pack of unknown kind keeps to itself.
_OF_PACK = ("need.chemistry", "need.chemistry_contradicts", "need.capacity")


@dataclass(frozen=True, slots=True)
class Step:
    """wants: "rest", "charge" or "discharge" for so many seconds; the clock runs only while the
    pack does that. code: message of the instruction."""

    code: str
    wants: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """decides, cannot: quantities of `pack.health` that this way can and cannot settle. again: the
    round that is repeated while something is missing, at most so many `rounds`."""

    way: str
    steps: tuple[Step, ...]
    decides: tuple[str, ...]
    cannot: tuple[str, ...]
    again: tuple[Step, ...] = ()
    rounds: int = 0

    @property
    def seconds(self) -> float:
        """How long the steps take together."""
        return sum(step.seconds for step in self.steps)


_REST = Step("guide.rest", "rest", 60.0)
# Resistance is told from the edges of the current (sum of (dI/1C)^2 of two), its sign from twenty:
# a charger of a quarter of 1C takes some thirty.
_CHARGING = (Step("guide.charge", "charge", 10.0), Step("guide.charger_off", "rest", 10.0))
_PULLING = (Step("guide.pull", "discharge", 10.0), Step("guide.let_go", "rest", 20.0))
_LOADING = (Step("guide.load_on", "discharge", 12.0), Step("guide.load_off", "rest", 12.0))
_LONGER = 40.0  # seconds more of the last rest: what came before is being judged
_UNDER_LOAD = ("rest_voltage_v", "soc", "resistance_ohm")
_TAKES_DAYS = ("sag_margin_v", "capacity_ah", "leak_a")
PLANS: dict[str, Plan] = {
    NOTHING: Plan(
        NOTHING,
        (Step("guide.rest", "rest", 180.0),),
        ("rest_voltage_v", "soc"),
        ("resistance_ohm", "capacity_ah", "leak_a"),
    ),
    CHARGER: Plan(
        CHARGER,
        (_REST, *_CHARGING * 12, Step("guide.charger_off", "rest", _LONGER)),
        _UNDER_LOAD,
        _TAKES_DAYS,
        _CHARGING,
        6,
    ),
    WHEEL: Plan(
        WHEEL,
        (_REST, *_PULLING * 4, Step("guide.let_go", "rest", _LONGER)),
        _UNDER_LOAD,
        _TAKES_DAYS,
        _PULLING,
        6,
    ),
    LOAD: Plan(
        LOAD,
        (_REST, *_LOADING * 10, Step("guide.load_off", "rest", _LONGER)),
        _UNDER_LOAD,
        _TAKES_DAYS,
        _LOADING,
        5,
    ),
}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the pack does now; NaN unknown. capacity_ah: 0 unknown. limits: of a cell, V.
    progress, needs: of the newest evaluation, quantity -> 0..1, and -> message code of what would
    make it known; known: quantities that it knows well enough for a verdict."""

    now_ns: int
    current_a: float
    cells_v: NDArray[np.float64]
    capacity_ah: float = 0.0
    cell_voltage_min: float = math.nan
    cell_voltage_max: float = math.nan
    progress: Mapping[str, float] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    coldest_degc: float = math.nan
    hottest_degc: float = math.nan


@dataclass(frozen=True, slots=True)
class Guidance:
    """What to show: step (from 0) and its code, seconds left of it and of all, meters (quantity,
    0..1), warning code with its cell or degrees (0 none), whether the pack does what is asked,
    done; steps: how many there are by now; missing: quantities that stayed unknown at the end;
    blocked: those that this pack cannot show, each with the code of what is needed."""

    step: int
    code: str
    step_left_s: float
    left_s: float
    meters: tuple[tuple[str, float], ...]
    warning: str = ""
    warning_cell: int = 0
    doing: bool = False
    done: bool = False
    steps: int = 0
    missing: tuple[str, ...] = ()
    blocked: tuple[tuple[str, str], ...] = ()


class GuidedTest:
    """One run of a plan. Feed `update` a few times a second."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.started_ns = 0
        self._steps = list(plan.steps)
        self._rounds = 0
        self._step = 0
        self._spent_s = 0.0
        self._last_ns = 0
        self._reached: dict[str, float] = {}
        self._ended: Guidance | None = None

    def update(self, seen: Seen) -> Guidance:
        """Where the run stands now; once over, it stays so."""
        if self._ended is not None:
            return self._ended
        self.started_ns = self.started_ns or seen.now_ns
        elapsed = min((seen.now_ns - self._last_ns) * 1e-9, 1.0) if self._last_ns else 0.0
        self._last_ns = seen.now_ns
        doing = state_of(seen) == self._steps[self._step].wants
        if doing:
            self._spent_s += max(elapsed, 0.0)
        blocked = tuple((n, seen.needs[n]) for n in self.plan.decides if _blocked(n, seen))
        told = [name for name in self.plan.decides if not _blocked(name, seen)]
        meters = tuple((name, self._meter(name, seen)) for name in told)
        missing = tuple(name for name, value in meters if value < _FULL)
        over = self._next_step(bool(missing))
        warning, number = near_limit(seen)
        if not warning and self._other_way(seen):
            warning = "guide.other_way"
        if over or (meters and not missing):
            return self._end(meters, missing, blocked)
        step = self._steps[self._step]
        left = max(step.seconds - self._spent_s, 0.0)
        return Guidance(
            self._step,
            step.code,
            left,
            left + sum(s.seconds for s in self._steps[self._step + 1 :]),
            meters,
            warning,
            number,
            doing,
            steps=len(self._steps),
            blocked=blocked,
        )

    def _other_way(self, seen: Seen) -> bool:
        """A current flows, but not the one that is asked for: perhaps its sign is wrong."""
        wanted, is_ = self._steps[self._step].wants, state_of(seen)
        return {wanted, is_} == {"charge", "discharge"}

    def _next_step(self, missing: bool) -> bool:
        """Go on when this step's time is spent; True when that was the last of all rounds."""
        if self._spent_s < self._steps[self._step].seconds:
            return False
        last = self._step + 1 >= len(self._steps)
        if last and missing and self._rounds < self.plan.rounds:
            self._rounds += 1
            self._steps += self.plan.again
            last = False
        if last:
            return True
        self._step, self._spent_s = self._step + 1, 0.0
        return False

    def _end(
        self,
        meters: tuple[tuple[str, float], ...],
        missing: tuple[str, ...],
        blocked: tuple[tuple[str, str], ...],
    ) -> Guidance:
        code = "guide.done_partly" if missing or blocked else "guide.done"
        steps = len(self._steps)
        self._ended = Guidance(
            steps, code, 0.0, 0.0, meters, done=True, steps=steps, missing=missing, blocked=blocked
        )
        return self._ended

    def _meter(self, name: str, seen: Seen) -> float:
        """How much of what a quantity needs is there; what was reached is not lost again."""
        share = self._share(name, seen)
        share = 1.0 if share >= _FULL else share  # what counts as complete is shown as complete
        self._reached[name] = max(share, self._reached.get(name, 0.0))
        return self._reached[name]

    def _share(self, name: str, seen: Seen) -> float:
        """The analysis' own word where it has one, else how much of the steps is done."""
        if name in seen.known:
            return 1.0
        if name == "soc" and name in seen.progress:
            return float(min(max(seen.progress[name] / _SOC_ENOUGH, 0.0), _ALMOST))
        # Rest voltages are surest after half an hour; a check compares cells after minutes.
        if name in seen.progress and name != "rest_voltage_v":
            return float(min(max(seen.progress[name], 0.0), _ALMOST))
        return self._done_of("rest" if name in ("rest_voltage_v", "soc") else "")

    def _done_of(self, wanted: str) -> float:
        """Share of the seconds of rest ("rest"), or of current (""), that are needed and done."""
        steps = [
            (k, s) for k, s in enumerate(self.plan.steps) if (s.wants == "rest") == bool(wanted)
        ]
        total = sum(s.seconds for _, s in steps)
        if wanted:
            total = min(total, _REST_ENOUGH_S)
        spent = sum(
            s.seconds if k < self._step else min(self._spent_s, s.seconds)
            for k, s in steps
            if k <= self._step
        )
        return min(spent / total, 1.0) if total else 0.0


def _blocked(name: str, seen: Seen) -> bool:
    return seen.needs.get(name, "") in _OF_PACK


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
    """Warning code, and the cell (or the degrees) that comes near its limit: before, not after."""
    charging = seen.current_a < 0 and state_of(seen) == "charge"
    if seen.hottest_degc > _HOT_DEGC:
        return "guide.hot", round(seen.hottest_degc)
    if charging and seen.coldest_degc < _COLD_DEGC:
        return "guide.cold", round(seen.coldest_degc)
    known = np.isfinite(seen.cells_v)
    if not known.any():
        return "", 0
    low, high = int(np.nanargmin(seen.cells_v)), int(np.nanargmax(seen.cells_v))
    if seen.cells_v[low] < seen.cell_voltage_min + _NEAR_LIMIT_V:
        return "guide.near_empty", low + 1
    if seen.cells_v[high] > seen.cell_voltage_max - _NEAR_LIMIT_V and seen.current_a < 0:
        return "guide.near_full", high + 1
    return "", 0
