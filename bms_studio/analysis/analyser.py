"""All estimators over the rows of one pack: what a live session, a replay and `analyze` share.

`push` takes rows as they come, `take` gives what became known as rows for a Timeline, `due` gives
evaluations to be computed wherever there is time. What comes out depends on the rows alone, not on
how they were cut into blocks. No Qt, no files, no threads.
"""

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.align import CURRENT, Aligned, Aligner, widened
from bms_studio.analysis.basis import (
    Ground,
    Known,
    differs,
    settle,
    with_bms,
    with_capacity,
    with_chemistry,
    with_table,
)
from bms_studio.analysis.contract import (
    ESTIMATES,
    HEALTH,
    PACK_COLUMNS,
    PACK_GROUP,
    Basis,
    Settings,
)
from bms_studio.analysis.differences import with_tables
from bms_studio.analysis.evaluate import Evaluation
from bms_studio.analysis.outlook import AT, Moment, ohmic_reference, pack_limits, put_outlook
from bms_studio.analysis.steps import Answer, Steps
from bms_studio.analysis.tally import COLUMNS as TALLY
from bms_studio.analysis.tally import Tally
from bms_studio.analysis.warmth import WarmthWindows, own_probes
from bms_studio.analysis.windows import Windows
from bms_studio.estimators import leak, sag, soc
from bms_studio.estimators.contract import Outputs, State
from bms_studio.pack.health import QUANTITIES, Health
from bms_studio.pack.profile import Profile
from bms_studio.pack.sign import SignCheck
from protocols.roles import PACK_FIELDS

# Facts of the first seconds (the BMS's SOC and capacity) are waited for.
_SETTLE_NS = 3_000_000_000
# Live rows come every 20 ms: a second of them costs as much as one.
_AT_ONCE_NS = 1_000_000_000
# Evaluations: when a person has just looked the pack over, then ever rarer, at least daily.
_FIRST_NS, _MOST_NS, _GROWTH = 20_000_000_000, 86_400_000_000_000, 0.3
# Usable charge and power: every window at first, then every minute.
_OUTLOOK_FIRST_NS, _OUTLOOK_NS = 600_000_000_000, 60_000_000_000
_USABLE = ("usable_soc", "usable_soc_sigma", "usable_ah", "usable_wh", "usable_wh_sigma")
_OUTLOOK = (*_USABLE, "limiting_cell", "costs_wh", "full_cell")
_AT_TALLY = {name: i for i, name in enumerate(TALLY)}
_CURRENT, _VOLTAGE = ([f.name for f in PACK_FIELDS].index(n) for n in ("current", "voltage"))
_CELL_SHAPED = ("cells", "cell_covariance", "sums", "usual", "last_v", "normal", "right", "squares")


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows for the Timeline: group name, time (M,), values float32 (M, columns)."""

    group: str
    time: NDArray[np.int64]
    rows: NDArray[np.float32]
    columns: tuple[str, ...] = ()


class Analyser:
    """One pack. known: what is already known of it, from an earlier look at the same data."""

    def __init__(
        self,
        settings: Settings,
        profile: Profile,
        *,
        known: Known | None = None,
        serial: str = "",
    ) -> None:
        """Raises ValueError, one sentence, for settings that cannot be used."""
        self.settings, self.profile = settings, profile
        self.serial = serial
        self.known = known or Known()
        self._sign = SignCheck()
        self.ground: Ground = settle(settings, profile, self.known)
        self.count = 0
        self.health: list[Health] = []
        self._aligner = Aligner()
        self._warmth = WarmthWindows()
        self._first = -1  # none yet: time may begin at 0
        self._begun = False
        self._done_until = 0
        self._out: list[Block] = []
        self._due: deque[Evaluation] = deque()
        self._evaluated = self._next = 0
        self._row: tuple[int, dict[str, NDArray[Any]], NDArray[np.float64]] | None = None

    # -- rows in -------------------------------------------------------------------------------

    def push(
        self,
        kind: str,
        time: NDArray[np.int64],
        rows: NDArray[Any],
        age_s: NDArray[Any] | None = None,
    ) -> None:
        """Rows of a kind ("cell", "probe", "balancing", "pack"), in order of time; age_s: of cells,
        as in `estimators.contract.Samples`."""
        if not len(time):
            return
        if kind == "pack":
            self._learn(time, rows)
            self._warmth.push_current(time, rows[:, CURRENT])
        elif kind == "probe":
            self._warmth.push_probes(time, rows)
        elif kind == "cell" and self._first < 0:
            self._first = int(time[0])
        self._aligner.push(kind, time, rows, age_s)
        if kind != "cell":
            return
        ready = self._aligner.ready_until()
        if ready >= max(self._first + _SETTLE_NS, self._done_until + _AT_ONCE_NS):
            self._advance(ready)

    def finish(self) -> None:
        """The stream has ended: use what still waits, and evaluate once more."""
        if self._first >= 0:
            self._advance(np.iinfo(np.int64).max)
        if self._begun:
            self._steps.close()
            self._answer = self._steps.until(np.iinfo(np.int64).max)
            self._evaluate()

    def ask(self) -> None:
        """Somebody waits: one more evaluation of what is known, which moves no other."""
        if self._begun:
            self._evaluate(self._next)

    def take(self) -> list[Block]:
        """Rows that became known since the last call, in order of time within each group."""
        out, self._out = self._out, []
        return out

    def due(self) -> list[Evaluation]:
        """Evaluations that wait to be computed; hand each result to `accept`, in order."""
        out = list(self._due)
        self._due.clear()
        return out

    def accept(self, health: Health, risk: NDArray[np.float64] | None = None) -> Health:
        """Take in a result, with the risk that diagnosis gave each cell; its rows follow."""
        if risk is not None:
            health = replace(health, cells={**health.cells, "risk": risk})
        self.health.append(health)
        time = np.array([health.time], np.int64)
        for quantity in QUANTITIES:
            for name in (quantity.name, f"{quantity.name}_sigma"):
                values = health.cells.get(name)
                if values is not None and np.isfinite(values).any():
                    self._out.append(Block(HEALTH + name, time, values.astype(np.float32)[None, :]))
        return health

    @property
    def basis(self) -> Basis:
        """What the results stand on; says so where no current came in the first minute."""
        row = {} if self._row is None else self._row[1]
        basis = with_table(self.ground.basis, self.ground.model, row)
        known = self._begun and self._row is not None and not self._current_missing
        if known or not self._evaluated:
            return basis
        return replace(basis, notes=(*basis.notes, "basis.no_current"))

    @property
    def _current_missing(self) -> bool:
        return self._row is None or not self._row[2][_AT_TALLY["current_known"]] > 0

    @property
    def outdated(self) -> bool:
        """Whether the data know better by now what the pack is: analyse it once more."""
        return differs(settle(self.settings, self.profile, self.known), self.ground)

    def _learn(self, time: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """The BMS's own word, its SOC only from the beginning; whether voltage follows current."""
        early = self._first < 0 or int(time[0]) <= self._first + _SETTLE_NS
        self.known = with_bms(self.known, rows, early=early)
        self._sign.push(rows[:, _CURRENT], rows[:, _VOLTAGE])

    # -- the estimators ------------------------------------------------------------------------

    def _begin(self) -> None:
        self._begun = True
        self.ground = settle(self.settings, self.profile, self.known)
        model, settings = self.ground.model, self.settings
        stated = {
            name: getattr(settings, name)
            for name in ("noise_v", "error_v", "bleed_a")
            if not math.isnan(getattr(settings, name))
        }
        hint = self.ground.initial_soc
        self._soc_params = soc.Params(model, initial_soc=hint, **stated)
        bleed = {"bleed_a": settings.bleed_a}
        self._leak_params = leak.Params(model, **bleed)
        self._sag_params = sag.Params(model)
        self._states: dict[str, State] = {
            "soc": soc.start(self._soc_params, self.count),
            "leak": leak.start(self._leak_params, self.count),
            "sag": sag.start(self._sag_params, self.count),
        }
        self._tally = Tally(model, self._soc_params.window_s)
        self._steps = Steps(model, self.count, self._tally)
        self._answer = Answer()
        self._limits = pack_limits(self.ground, self.profile)
        self._windows = Windows()
        self._leaks: deque[dict[str, NDArray[Any]]] = deque()
        self._peaks: deque[tuple[int, float]] = deque()
        self._outlook = np.full(len(PACK_COLUMNS), math.nan)
        self._peak_a = math.nan
        self._visit = 0
        self._visit_tally = np.zeros(len(TALLY))
        self._scans = 0
        self._next = self._next_outlook = 0

    def _advance(self, until: int) -> None:
        aligned = self._aligner.take(until)
        self._done_until = max(self._done_until, min(until, self._aligner.ready_until()))
        if aligned is None:
            return
        cells = aligned.scans.cells_v.shape[1]
        if not self._begun:
            self.count = cells
            self._begin()
        elif cells > self.count:
            self._grow(cells)
        self._run(widened(aligned, self.count))

    def _grow(self, cells: int) -> None:
        """More cells than before: those known go on, the new ones begin."""
        fresh = {
            "soc": soc.start(self._soc_params, cells),
            "resistance": self._steps.grow(cells),
            "leak": leak.start(self._leak_params, cells),
        }
        for name, begun in fresh.items():
            before = self._steps.state if name == "resistance" else self._states[name]
            for key, array in begun.items():
                old = before[key]
                if key in _CELL_SHAPED:
                    array[: len(old)] = old
                else:
                    array[...] = old
            if name == "resistance":
                self._steps.state = begun
            else:
                self._states[name] = begun
        self.count = cells

    def _run(self, aligned: Aligned) -> None:
        scans = aligned.scans
        self._scans += len(scans)
        if not self.ground.charge:
            scans = replace(scans, current_a=np.full(len(scans), np.nan))
        answers: Outputs | None = None
        if self.ground.judged:
            answers = soc.step(self._soc_params, self._states["soc"], scans)
            answers = with_tables(self.ground, answers)
        self._steps.push(aligned.pairs)
        # Use, rests and pulls need the current as it was measured, also without a capacity.
        halves = leak.step(self._leak_params, self._states["leak"], aligned.scans)
        for i in range(len(halves["time_ns"])):
            self._leaks.append({name: values[i : i + 1].copy() for name, values in halves.items()})
        pulls = sag.step(self._sag_params, self._states["sag"], aligned.scans)
        self._peaks.extend(zip(pulls["time_ns"].tolist(), pulls["peak_a"].tolist(), strict=True))
        time, table = self._tally.step(aligned.scans, aligned.allowed)
        self._windows_closed(time, table, answers)

    def _windows_closed(
        self, time: NDArray[np.int64], table: NDArray[np.float64], answers: Outputs | None
    ) -> None:
        if not len(time):
            return
        pack = np.full((len(time), len(PACK_COLUMNS)), np.nan)
        if answers is not None:
            pack[:, AT["soc"]] = answers["pack_soc"]
            pack[:, AT["soc_sigma"]] = answers["pack_soc_sigma"]
            pack[:, AT["correcting"]] = answers["correcting"]
            pack[:, AT["hysteresis"]] = answers["hysteresis"]
            if self.ground.charge:
                pack[:, AT["coulomb_soc"]] = answers["coulomb_soc"]
                pack[:, AT["offset_a"]] = answers["offset_a"]
        for i, now in enumerate(time.tolist()):
            row = {} if answers is None else {n: v[i] for n, v in answers.items()}
            self._reach(now, row, table[i])
            pack[i, AT["peak_a"]] = self._peak_a
            if answers is not None and now >= self._next_outlook:
                long = now - self._visit >= _OUTLOOK_FIRST_NS
                self._next_outlook = now + (_OUTLOOK_NS if long else 0)
                self._look_out(row, table[i], pack[i])
                self._outlook = pack[i].copy()
            if now >= self._next:
                self._evaluate()
        if answers is not None:
            for name in ("soc", "soc_sigma"):
                self._out.append(Block(ESTIMATES + name, time, answers[name]))
            self._out.append(Block(PACK_GROUP, time, pack.astype(np.float32), PACK_COLUMNS))

    def _reach(self, now: int, row: dict[str, NDArray[Any]], tally: NDArray[np.float64]) -> None:
        """Everything that closed not later than this moment counts from here on."""
        while self._leaks and int(self._leaks[0]["time_ns"][0]) <= now:
            self._window(self._leaks.popleft())
        self._answer = self._steps.until(now)
        while self._peaks and self._peaks[0][0] <= now:
            self._peak_a = self._peaks.popleft()[1]
        if not self._visit:
            self._visit = now
            self._next = now + _FIRST_NS
        self._row = (now, row, tally)

    def _window(self, window: dict[str, NDArray[Any]]) -> None:
        ended = self._windows.ended
        if self._windows.ends_with(window):
            self._evaluate()
        self._windows.push(window)
        if self._windows.ended != ended and self._row is not None:
            self._visit = int(window["time_ns"][0])
            self._visit_tally = self._row[2].copy()
            self._next = self._visit + _FIRST_NS

    def _look_out(
        self,
        row: dict[str, NDArray[Any]],
        tally: NDArray[np.float64],
        pack: NDArray[np.float64],
    ) -> None:
        model = self.ground.model
        degc = float(tally[_AT_TALLY["temperature_degc"]])
        ohmic = ohmic_reference(
            self.ground,
            float(row["resistance_ohm"]),
            row["resistance_difference_ohm"].astype(np.float64),
            float(row["pack_soc"]),
            degc,
        )
        moment = Moment(
            row["soc"].astype(np.float64),
            row["soc_sigma"].astype(np.float64),
            ohmic,
            model.capacity_ah * (1.0 + row["capacity_difference"].astype(np.float64)),
            float(tally[_AT_TALLY["polarisation_v"]]),
            degc,
            float(tally[_AT_TALLY["load_a"]]),
        )
        put_outlook(pack, self.ground, self._limits, moment)

    def _evaluate(self, following: int = 0) -> None:
        """A picture of what is known now; following: when the next is due, 0 by the rule."""
        if self._row is None or self._row[0] <= self._evaluated:
            return
        now, row, tally = self._row
        self._evaluated = now
        wait = min(max(_FIRST_NS, int(_GROWTH * (now - self._visit))), _MOST_NS)
        self._next = following or now + wait
        windows, current = self._windows.all(), not self._current_missing
        self.known = with_chemistry(self.known, windows, self.ground, current=current)
        if current:
            self.known = with_capacity(self.known, windows, self.ground)
        correlation = self._answer.correlation
        if correlation[1] >= 20 and correlation[0] > 0.5 and not self.known.sign_contradicts:
            self.known = replace(self.known, sign_contradicts=True)
        self._due.append(
            Evaluation(
                now,
                self._visit,
                self.ground,
                self.count,
                row,
                self._answer.row,
                self._windows.all(),
                tally,
                self._visit_tally,
                correlation,
                self._peak_a,
                self.serial,
                {n: float(self._outlook[AT[n]]) for n in _OUTLOOK},
                self.settings.bleed_a,
                self._warmth.until(self._visit, now),
                own_probes(self._warmth.probes, self.count, self.profile.probes),
                self._sign.sure,
                self._scans,
            )
        )
