"""All detectors over the rows and evaluations of one pack, live and in replay alike; keeps alerts.

Wires `diagnosis` to the pipeline's rows. No Qt, no files, no adapter.
"""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.alerts import AlertBook, Conditions
from bms_studio.diagnosis.bms import BmsWatch
from bms_studio.diagnosis.contract import CellRisk, Finding, Verdict
from bms_studio.diagnosis.dips import DipWatch
from bms_studio.diagnosis.extremes import ExtremeDeviation
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.fusion import assess
from bms_studio.diagnosis.interruptions import InterruptionWatch
from bms_studio.diagnosis.limits import LimitRule, LimitWatch
from bms_studio.diagnosis.moments import PACK_COLUMNS, WINDOW_NS, Joiner, Moments, Windows
from bms_studio.diagnosis.plausibility import POSSIBLE_DEGC, RangeWatch, SumWatch, sane
from bms_studio.diagnosis.registry import HEALTH, ROWS, WINDOWS, Ending
from bms_studio.diagnosis.verdict import judge
from bms_studio.numerics.statistics import row_statistics
from bms_studio.pack.health import BY_NAME, Health
from bms_studio.pack.limits import unstated
from bms_studio.pack.profile import Limits
from bms_studio.pack.sign import SignCheck
from bms_studio.pack.state import StateOfUse

_VOLTAGE, _CURRENT, _SOC = (PACK_COLUMNS[name] for name in ("voltage", "current", "soc"))
_DAY_NS = 86_400_000_000_000
# Joined rows wait for this much of each other: live, and where minutes are handed over at once.
_LIVE_NS, _BULK_NS, _LONG_NS = 200_000_000, 3_600_000_000_000, 60_000_000_000
# An evaluation whose sigma is larger than this many of the finding's could not have seen it.
_KNOWN = 1.5
READING_V = 0.01 + 1e-6  # and the rounding of 32 bits
_RANK = {"stop": 0, "warn": 1, "watch": 2, "info": 3}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, every alert's newest state, worst and newest first, and the cells by number
    with their risk (empty before the first `evaluate`)."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    risks: tuple[CellRisk, ...] = ()


class Monitor:
    """Feed it rows in order; ask `judgement()`, `extremes`, `use`. `log` is every transition, in
    order of time. Set `history` (daily summaries of earlier visits, oldest first) before the first
    `evaluate`; summaries of the days seen here are kept beside it."""

    def __init__(
        self, limits: Limits, history: Iterable[Health] = (), recognised: str = ""
    ) -> None:
        """recognised: chemistry that the data speak for, whose limits stand in for those that
        nobody stated; else that of the first evaluation that knows one."""
        self.extremes = ExtremeDeviation()
        self.use = StateOfUse()
        self.sign = SignCheck()
        self.log: list[Finding] = []
        self.history: list[Health] = list(history)
        self._days: list[Health] = []
        self._earlier: list[Health] = []  # evaluations of the newest day before the newest one
        self._health: Health | None = None
        self._risks: tuple[CellRisk, ...] | None = ()
        self._book = AlertBook()
        self._conditions = Conditions()
        self._joiner = Joiner()
        self._windows = Windows()
        self._bms = BmsWatch(limits.cell_voltage_max)
        self._of_rows = [make() for make in ROWS.values()]
        slow = [make() for name, make in WINDOWS.items() if name != "bms"]
        self._of_windows = [*slow, self._bms]
        self._dips = DipWatch()
        self._interruptions = InterruptionWatch()
        self._range = RangeWatch()
        self._probe_range = RangeWatch("sensor.probe_implausible", *POSSIBLE_DEGC)
        self._sum = SumWatch()
        self._assumed = ""
        self._checked: dict[str, None] = {}
        self._has_data = False
        self._cell_count = 0
        self._pack_v = float("nan")
        self._newest: Moments | None = None
        self._limits = limits
        self._cells: list[LimitWatch] = []
        self._probes: list[LimitWatch] = []
        self._watch_limits(limits)
        discharge, charge = limits.current_discharge_max, limits.current_charge_max
        self._current = _watches(
            ("limits.over_current", "pack", "a", discharge, 1.0, True, "warn"),
            ("limits.over_current", "pack", "a", -charge if charge else None, 1.0, False, "warn"),
        )
        self._assume(recognised)

    def _watch_limits(self, limits: Limits, assumed: str = "") -> None:
        # A charger holds the limit itself, and the best readings are good to some millivolts.
        low, high = limits.cell_voltage_min, limits.cell_voltage_max
        cell_low = None if low is None else low - READING_V
        cell_high = None if high is None else high + READING_V
        # What was only recognised may be wrong: it is one step less severe.
        stop, warn = ("warn", "watch") if assumed else ("stop", "warn")
        self._cells += _watches(
            ("limits.cell_over_voltage", "cell", "v", cell_high, 0.005, True, stop),
            ("limits.cell_under_voltage", "cell", "v", cell_low, 0.02, False, warn),
            assumed=assumed,
        )
        cold, hot = limits.temperature_min, limits.temperature_max
        self._probes += _watches(
            ("limits.over_temperature", "probe", "degc", hot, 2.0, True, stop),
            ("limits.under_temperature", "probe", "degc", cold, 2.0, False, warn),
            assumed=assumed,
        )

    def _assume(self, chemistry: str) -> None:
        """Limits of a recognised chemistry where nobody stated any; once."""
        if chemistry and not self._assumed:
            self._assumed = chemistry
            self._watch_limits(unstated(self._limits, chemistry), chemistry)

    # -- rows ----------------------------------------------------------------------------------

    def push(self, kind: str, time: NDArray[np.int64], rows: NDArray[np.float32]) -> list[Finding]:
        """What these rows of a kind ("cell", "probe", "pack", "balancing") raised or resolved;
        other kinds say nothing. time: int64 ns (M,) in order, rows (M, columns).

        Detectors that need several kinds in one row wait until all have come: hand over kinds in
        turn, a block of the same span of time each, not one kind's whole history before the next.
        """
        if not len(time) or kind not in ("cell", "probe", "pack", "balancing"):
            return []
        self._has_data = True
        found: list[Finding] = []
        median = None
        if kind == "cell":
            self._cell_count = max(self._cell_count, rows.shape[1])
            found = self._range.push(time, rows)
            rows = np.ascontiguousarray(sane(rows), np.float32)
            median = row_statistics(rows)[:, 1]
            found += self._push_cells(time, rows, median)
        elif kind == "probe":
            found = self._probe_range.push(time, rows)
            rows = sane(rows, *POSSIBLE_DEGC)
            found += self._apply(self._probes, "check.temperature_limits", time, rows)
        elif kind == "pack":
            found = self._push_pack(time, rows)
        # Whoever hands over minutes at once is not waiting for each: an hour is quicker.
        least = _BULK_NS if int(time[-1] - time[0]) >= _LONG_NS else _LIVE_NS
        block = self._joiner.push(kind, time, rows, median, least)
        if block is not None:
            found += self._push_moments(block)
        return self._tell(found)

    def _catch_up(self) -> list[Finding]:
        """What has been handed over and can be looked at, before anybody judges."""
        block = self._joiner.ready()
        return self._tell(self._push_moments(block)) if block is not None else []

    def flush(self) -> list[Finding]:
        """At the end of a stream: what rows, days and debounces that still waited say. Nothing may
        be pushed afterwards."""
        block = self._joiner.flush()
        found = self._push_moments(block) if block is not None else []
        if self._newest is not None:
            # A moment of which nothing is known closes the window that is open.
            found += self._push_moments(_nothing_after(self._newest))
        every = (*self._of_rows, *self._of_windows, *self._cells, *self._probes, *self._current)
        for watch in every:
            if isinstance(watch, Ending):
                found += watch.flush()
        told = self._tell(found)
        late = self._book.untold()
        for alert in late:
            bisect.insort(self.log, alert, key=lambda f: f.time)
        return told + late

    def _push_cells(
        self, time: NDArray[np.int64], rows: NDArray[np.float32], median: NDArray[np.float32]
    ) -> list[Finding]:
        self.extremes.push(time, rows, median)
        found = self._apply(self._cells, "check.cell_limits", time, rows)
        found += self._interruptions.push(time, median)
        self._checked["check.dips"] = self._checked["check.sensors"] = None
        if not np.isnan(self._pack_v):
            self._checked["check.pack_sum"] = None
            found += self._sum.push(int(time[-1]), rows[-1].astype(np.float64), self._pack_v)
        return found

    def _push_pack(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> list[Finding]:
        current = rows[:, _CURRENT]
        for i in np.flatnonzero(~np.isnan(current))[:: max(1, len(current) // 20)]:
            self.use.update(int(time[i]), float(current[i]))
        self.sign.push(current, rows[:, _VOLTAGE])
        voltage = rows[:, _VOLTAGE][~np.isnan(rows[:, _VOLTAGE])]
        if len(voltage):
            self._pack_v = float(voltage[-1])
        return self._apply(self._current, "check.current_limits", time, current[:, None])

    def _push_moments(self, block: Moments) -> list[Finding]:
        self._newest = block[-1:]
        if np.isnan(self._pack_v):
            # Where nobody says the pack's voltage, that of its cells follows the current as well.
            self.sign.push(block.current_a, block.median_v * block.cells_v.shape[1])
        found = self._dips.push(block.time, block.cells_v, block.median_v, block.current_a)
        found += [finding for watch in self._of_rows for finding in watch.push(block)]
        windows = self._windows.push(block)
        if windows is None:
            return found
        for alert in self._book.expire(int(windows.time[-1])):
            bisect.insort(self.log, alert, key=lambda f: f.time)
        if windows.cells_v.shape[1] >= 3:
            self._checked["check.shifts"] = None
        if windows.probes_degc.shape[1] >= 3:
            self._checked["check.thermal"] = None
        if windows.balancing.shape[1]:
            self._checked["check.balancers"] = None
        if not np.isnan(windows.pack[:, _SOC]).all():
            self._checked["check.bms"] = None
        return found + [f for watch in self._of_windows for f in watch.push(windows)]

    def _apply(
        self,
        watches: list[LimitWatch],
        check: str,
        time: NDArray[np.int64],
        rows: NDArray[np.float32],
    ) -> list[Finding]:
        if watches:
            self._checked[check] = None
        return [finding for watch in watches for finding in watch.push(time, rows)]

    # -- evaluations ---------------------------------------------------------------------------

    def evaluate(self, health: Health) -> list[Finding]:
        """What a new evaluation of the cells' health raised or resolved, against `history` and
        the days seen so far."""
        caught_up = self._catch_up()
        before = self._health
        if before is not None:
            self._earlier.append(before)
            if before.time // _DAY_NS != health.time // _DAY_NS:
                self._days.append(before)
                self._earlier.clear()
        self._health = health
        self._risks = None
        self._assume(health.chemistry)
        self._cell_count = max(self._cell_count, health.count)
        past = [*self.history, *self._days, *self._earlier]
        stated = [finding for find in HEALTH.values() for finding in find(past, health)]
        stated += self._bms.find(health)

        def unknown(finding: Finding) -> bool:
            return _less_is_known(finding, health)

        return caught_up + self._tell(self._conditions.update(health.time, stated, unknown))

    def _tell(self, found: Iterable[Finding]) -> list[Finding]:
        """Transitions become alerts; the log keeps them in order of time."""
        changed = self._book.push(sorted(found, key=lambda f: f.time), self._cell_count)
        for alert in changed:
            bisect.insort(self.log, alert, key=lambda f: f.time)
        return changed

    def acknowledge(self, finding_id: str) -> Finding | None:
        """A person has seen this alert; None when there is nothing new to be seen."""
        alert = self._book.acknowledge(finding_id)
        if alert is not None:
            bisect.insort(self.log, alert, key=lambda f: f.time)
        return alert

    # -- answers -------------------------------------------------------------------------------

    @property
    def checked(self) -> tuple[str, ...]:
        """Codes of the checks on rows that had data."""
        return tuple(self._checked)

    def judgement(self) -> Judgement:
        """Verdict, alerts and risks as of the newest row and evaluation."""
        self._catch_up()
        alerts = sorted(
            [*self._book.alerts.values(), *self._pending()],
            key=lambda f: (f.state == "resolved", _RANK[f.severity], -f.time),
        )
        contradicts = self.sign.state == "contradicts"
        risks = self._ranked()
        verdict = judge(alerts, self.checked, self._has_data, self._health, contradicts, risks)
        return Judgement(verdict, tuple(alerts), risks)

    def _pending(self) -> list[Finding]:
        """Limits passed, not for long enough yet: one alert for all cells or probes of a kind."""
        watches = (*self._cells, *self._probes, *self._current)
        firsts = [
            sorted(found, key=lambda f: -f.score)[0] for w in watches if (found := w.pending())
        ]
        still = {f.code for f in self._book.alerts.values() if f.state != "resolved"}
        return [f for f in firsts if f.code not in still]

    def _ranked(self) -> tuple[CellRisk, ...]:
        """Fusion of history, days and findings; once per evaluation."""
        if self._risks is None and self._health is not None:
            limits = failure_limits(self._health.chemistry)
            visits = [*self.history, *self._days, self._health]
            self._risks = assess(visits, self._book.findings, limits)
        return self._risks or ()


def _less_is_known(finding: Finding, health: Health) -> bool:
    """Whether this evaluation knows less of what the finding stands on than the one that made it:
    a new visit begins with nothing, and nothing is no recovery."""
    if not finding.evidence or not 0 < finding.cell <= health.count:
        return False
    quantity = str(finding.evidence[-1]["quantity"])
    if quantity not in BY_NAME or not BY_NAME[quantity].has_sigma:
        return False
    sigma = health.sigma(quantity)[finding.cell - 1]
    then = float(finding.evidence[-1]["sigma"])
    return not sigma <= _KNOWN * then


def _nothing_after(newest: Moments) -> Moments:
    """One moment of the same shape, two windows later, in which nothing is known."""
    unknown = [
        np.full_like(getattr(newest, name), np.nan) for name in Moments.__slots__ if name != "time"
    ]
    return Moments(newest.time + 2 * WINDOW_NS, *unknown)


def _watches(
    *rules: tuple[str, str, str, float | None, float, bool, str], assumed: str = ""
) -> list[LimitWatch]:
    return [
        LimitWatch(LimitRule(code, channel, unit, limit, hysteresis, above, severity, assumed))
        for code, channel, unit, limit, hysteresis, above, severity in rules
        if limit is not None
    ]
