"""All detectors over the rows of one pack, live and in replay alike; keeps the newest findings.

Wires `diagnosis` to the pipeline's rows. No Qt, no files, no adapter.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import CellRisk, Finding, Verdict
from bms_studio.diagnosis.dips import DipWatch
from bms_studio.diagnosis.extremes import ExtremeDeviation
from bms_studio.diagnosis.interruptions import InterruptionWatch
from bms_studio.diagnosis.limits import LimitRule, LimitWatch
from bms_studio.diagnosis.plausibility import RangeWatch, SumWatch
from bms_studio.diagnosis.verdict import judge
from bms_studio.numerics.statistics import row_statistics
from bms_studio.pack.health import Health
from bms_studio.pack.profile import Limits
from bms_studio.pack.sign import SignCheck
from bms_studio.pack.state import StateOfUse
from protocols.roles import PACK_FIELDS

_VOLTAGE, _CURRENT = ([f.name for f in PACK_FIELDS].index(name) for name in ("voltage", "current"))


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, every finding's newest state, worst and newest first, and the cells by number
    with their risk (empty before the first `evaluate`)."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    risks: tuple[CellRisk, ...] = ()


class Monitor:
    """Feed it rows in order; ask `judgement()`, `extremes`, `use`. `log` is every transition."""

    def __init__(self, limits: Limits) -> None:
        self.extremes = ExtremeDeviation()
        self.use = StateOfUse()
        self.sign = SignCheck()
        self.log: list[Finding] = []
        self.history: list[Health] = []
        self._health: Health | None = None
        self._risks: tuple[CellRisk, ...] = ()
        self._newest: dict[str, Finding] = {}
        self._dips = DipWatch()
        self._interruptions = InterruptionWatch()
        self._range = RangeWatch()
        self._sum = SumWatch()
        self._checked: dict[str, None] = {}
        self._has_data = False
        self._pack_v = float("nan")
        cell_low, cell_high = limits.cell_voltage_min, limits.cell_voltage_max
        self._cells = _watches(
            ("limits.cell_over_voltage", "cell", "v", cell_high, 0.005, True, "stop"),
            ("limits.cell_under_voltage", "cell", "v", cell_low, 0.02, False, "warn"),
        )
        cold, hot = limits.temperature_min, limits.temperature_max
        self._probes = _watches(
            ("limits.over_temperature", "probe", "degc", hot, 2.0, True, "stop"),
            ("limits.under_temperature", "probe", "degc", cold, 2.0, False, "warn"),
        )
        discharge, charge = limits.current_discharge_max, limits.current_charge_max
        self._current = _watches(
            ("limits.over_current", "pack", "a", discharge, 1.0, True, "warn"),
            ("limits.over_current", "pack", "a", -charge if charge else None, 1.0, False, "warn"),
        )

    def push(self, kind: str, time: NDArray[np.int64], rows: NDArray[np.float32]) -> list[Finding]:
        """What these rows of a kind ("cell", "probe", "pack", "balancing") raised or resolved;
        other kinds say nothing."""
        if not len(time):
            return []
        self._has_data = True
        found: list[Finding] = []
        if kind == "cell":
            found = self._push_cells(time, rows)
        elif kind == "probe":
            found = self._apply(self._probes, "check.temperature_limits", time, rows)
        elif kind == "pack":
            found = self._push_pack(time, rows)
        for finding in found:
            self._remember(finding)
        return found

    def _push_cells(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> list[Finding]:
        median = row_statistics(np.ascontiguousarray(rows))[:, 1]
        self.extremes.push(time, rows, median)
        found = self._apply(self._cells, "check.cell_limits", time, rows)
        found += self._dips.push(time, rows, median)
        found += self._interruptions.push(time, median)
        found += self._range.push(time, rows)
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

    def _remember(self, finding: Finding) -> None:
        self.log.append(finding)
        self._newest[finding.id] = finding

    def evaluate(self, health: Health) -> list[Finding]:
        """What a new evaluation of the cells' health raised or resolved. `history`: the daily
        summaries of earlier days and visits, oldest first, which the caller sets."""
        self._health = health
        self._risks = _rank(health)
        return []

    def acknowledge(self, finding_id: str) -> None:
        """A person has seen this finding."""
        finding = self._newest.get(finding_id)
        if finding is not None and finding.state == "active":
            self._remember(replace(finding, state="acknowledged"))

    @property
    def checked(self) -> tuple[str, ...]:
        """Codes of the checks that had data."""
        return tuple(self._checked)

    def judgement(self) -> Judgement:
        """Verdict and findings as of the newest row."""
        rank = {"stop": 0, "warn": 1, "watch": 2, "info": 3}
        findings = sorted(
            self._newest.values(),
            key=lambda f: (f.state == "resolved", rank[f.severity], -f.time),
        )
        verdict = judge(findings, self.checked, self._has_data)
        return Judgement(verdict, tuple(findings), self._risks)


def _rank(health: Health) -> tuple[CellRisk, ...]:
    """Cells ordered by the largest difference that speaks against each, in sigma; no trend yet."""
    signs = {"resistance_difference": 1.0, "capacity_difference": -1.0, "leak_a": 1.0}
    with np.errstate(invalid="ignore"):
        scores = [s * health.values(n) / health.sigma(n) for n, s in signs.items()]
    worst = np.maximum(np.nan_to_num(np.array(scores), nan=0.0).max(axis=0), 0.0)
    order = np.argsort(-worst, kind="stable")
    rank = np.empty(health.count, int)
    rank[order] = np.arange(1, health.count + 1)
    risk = 1.0 - np.exp(-((worst / 6.0) ** 2))
    return tuple(CellRisk(n + 1, float(risk[n]), int(rank[n])) for n in range(health.count))


def _watches(*rules: tuple[str, str, str, float | None, float, bool, str]) -> list[LimitWatch]:
    return [
        LimitWatch(LimitRule(code, channel, unit, limit, hysteresis, above, severity))
        for code, channel, unit, limit, hysteresis, above, severity in rules
        if limit is not None
    ]
