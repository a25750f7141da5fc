"""The verdict: what to do with the pack, from findings and from what could be checked at all.

Rules, first that fits:
STOP: a finding of severity "stop" is active (a voltage or temperature limit for charging exceeded,
an internal short that grows, a probe that runs away).
REPLACE: a "warn" of a cell itself: resistance, capacity, self-discharge, internal short, imbalance
that drifts.
REPAIR: a "warn" of what surrounds the cells: connection, sensor, balancing, cooling, the BMS.
WATCH: anything else active that is a "watch" or a "warn" (a limit, a level), or a cell that stands
out (`stands_out`): the same that is listed under First to fail.
OK: nothing of that, and limits, measurement, resistance and balance of charge were really checked.
A cell that fusion names at less than even odds is said to be unsure, not found.
NOT_ENOUGH_DATA: the rest. What was checked and what was not, with the reason, stands beside it.
Where fusion explains the alert that decides, the headline has fusion's figures: what stands in the
verdict and under First to fail are one and the same.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bms_studio.diagnosis.contract import CellRisk, Finding, Parameters, Verdict
from bms_studio.diagnosis.words import action_of
from bms_studio.pack.health import Health

Item = tuple[str, Parameters]

_CELL_KINDS = (
    "resistance",
    "capacity",
    "self-discharge",
    "internal-short",
    "imbalance",
    "sag",
)
_REPAIR_KINDS = ("connection", "sensor", "balancing", "thermal", "bms")
_OPEN = ("active", "acknowledged")
# From this risk a cell that fusion names is worth a word where no alert has one.
NAMED_RISK = 0.5
# An evidence of fewer sigmas has no figure worth telling.
SPEAKS_Z = 2.0
_NAMES = {
    "resistance": "verdict.ohm",
    "connection": "verdict.joint",
}
# Alerts of a level, which the newest evidence of fusion tells better; those of growth and of single
# moments say more than it. quantity, factor and name of the figure in the alert's sentence.
_RESISTS = ("resistance.high", "connection.joint")
_FIGURES = {
    "capacity.low": ("capacity_difference", -1e2, "percent"),
    "self-discharge.leak": ("leak_a", 1e3, "milliampere"),
    "self-discharge.strong": ("leak_a", 1e3, "milliampere"),
    "self-discharge.repeated": ("leak_a", 1e3, "milliampere"),
    "imbalance.charge": ("imbalance", 1e2, "percent"),
    "sensor.offset": ("offset_v", 1e3, "millivolt"),
}
# Without these nothing is OK.
_NEEDED = ("check.cell_limits", "check.sensors", "check.resistance", "check.balance")
# What a person does about a need.
_STEPS = {
    "need.load_steps": "action.load_steps",
    "need.sign_steps": "action.load_steps",
    "need.pulse_10_s": "action.load_steps",
    "need.ride": "action.load_steps",
    "need.faster_scans": "action.log_faster",
    "need.full_charge": "action.full_charge_and_ride",
    "need.swing_30": "action.full_charge_and_ride",
    "need.rest_day": "action.rest_day",
    "need.rest_30_min": "action.rest_30_min",
    "need.chemistry": "action.name_chemistry",
    "need.chemistry_contradicts": "action.name_chemistry",
    "need.capacity": "action.state_capacity",
    "need.more_cells": "action.single_cell",
    "why.no_limits": "action.name_chemistry",
}
# What can be checked on the rows themselves, in the order people read it.
STREAM_CHECKS = (
    "check.cell_limits",
    "check.temperature_limits",
    "check.current_limits",
    "check.pack_sum",
    "check.sensors",
    "check.dips",
    "check.shifts",
    "check.thermal",
    "check.balancers",
    "check.bms",
)
_WHY = {
    "check.cell_limits": "why.no_limits",
    "check.temperature_limits": "why.no_probes",
    "check.current_limits": "why.no_current_limits",
    "check.pack_sum": "why.no_pack_voltage",
    "check.shifts": "why.few_cells",
    "check.thermal": "why.no_probes",
    "check.balancers": "why.no_flags",
    "check.bms": "why.no_bms_soc",
}


@dataclass(frozen=True, slots=True)
class _Check:
    """A check of health: it was made where most cells' `quantity` is known to `sigma` (of capacity
    per hour for a leak); `need`: what would make it known."""

    code: str
    quantity: str
    sigma: float
    need: str


# A sigma that lets a fault of the size that matters (20 %, 4 %, 1 mA/Ah) stand out four times.
_HEALTH = (
    _Check("check.resistance", "resistance_difference", 0.08, "need.load_steps"),
    _Check("check.capacity", "capacity_difference", 0.02, "need.full_charge"),
    _Check("check.self_discharge", "leak_a", 5e-4, "need.rest_day"),
    _Check("check.balance", "imbalance", 0.03, "need.rest_30_min"),
)


def health_checks(health: Health | None) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """(checked, not checked with "why") of the quantities that estimators give."""
    done: list[Item] = []
    missing: list[Item] = []
    for check in _HEALTH:
        if health is not None and _known(health, check):
            done.append((check.code, {}))
            continue
        need = health.needs.get(check.quantity, check.need) if health is not None else check.need
        if health is not None and health.count == 1:
            need = "need.more_cells"  # all of these compare cells with each other
        missing.append((check.code, {"why": need}))
    return tuple(done), tuple(missing)


def _known(health: Health, check: _Check) -> bool:
    scale = health.scale_ah if check.quantity == "leak_a" else 1.0
    values, sigma = health.values(check.quantity), health.sigma(check.quantity)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (sigma <= check.sigma * scale)
    return bool(health.count > 0 and np.count_nonzero(good) > health.count / 2)


def judge(
    findings: Iterable[Finding],
    checked: Sequence[str],
    has_data: bool,
    health: Health | None = None,
    sign_contradicts: bool = False,
    risks: Sequence[CellRisk] = (),
) -> Verdict:
    """The verdict on the newest states of all alerts; `checked`: codes of checks on the rows that
    had data; health: the newest evaluation, None before the first; sign_contradicts: the voltage
    says that the current counts the other way, so nothing that stands on it is worth a word; risks:
    what fusion says of every cell, which the verdict never contradicts."""
    if not has_data:
        why: Parameters = {"why": "why.no_cells"}
        nothing: tuple[Item, ...] = (("check.limits", why), ("check.health", why))
        return Verdict(
            "NOT_ENOUGH_DATA",
            ("verdict.not_enough_data", {}),
            ("action.connect", {}),
            (),
            nothing,
        )
    done, missing = health_checks(None if sign_contradicts else health)
    if health is not None and health.family:
        missing += (("check.chemistry", {"why": f"why.family_{health.family}"}),)
    if sign_contradicts:
        missing += (("check.sign", {"why": "why.sign_contradicts"}),)
    done = tuple((code, {}) for code in checked) + done
    for check in STREAM_CHECKS:
        if check not in checked:
            missing += ((check, {"why": _why(check, checked)}),)
    findings = tuple(findings)
    code, cause = deciding(findings)
    if cause is not None:
        return Verdict(code, _headline(cause, risks), action_of(cause), done, missing)
    ranked = [] if sign_contradicts else sorted(risks, key=lambda r: r.rank)
    first = next((r for r in ranked if stands_out(r, findings)), None)
    if first is not None:
        return Verdict("WATCH", _named(first), first.remedy, done, missing)
    made = {item for item, _ in done}
    if all(needed in made for needed in _NEEDED):
        unsure = next((r for r in ranked if r.mechanism != "none"), None)
        words: Item = ("verdict.ok", {})
        if unsure is not None:
            words = ("verdict.ok_unsure", {"cell": unsure.cell})
        return Verdict("OK", words, ("action.none", {}), done, missing)
    limits = "check.cell_limits" in made  # nobody may say that what was not looked at is well
    headline: Item = ("verdict.limits_ok" if limits else "verdict.limits_unknown", {})
    return Verdict("NOT_ENOUGH_DATA", headline, _next_step(missing), done, missing)


def stands_out(risk: CellRisk, findings: Iterable[Finding]) -> bool:
    """Whether a cell belongs under First to fail: fusion names it, and at even odds, with a trend,
    or beside an open alert of that cell that is more than information. The rest is unsure."""
    if risk.mechanism == "none":
        return False
    return (
        risk.risk >= NAMED_RISK
        or bool(risk.lead_time)
        or any(f.cell == risk.cell and f.state in _OPEN and f.severity != "info" for f in findings)
    )


def beyond(item: Mapping[str, float | str | int]) -> tuple[float, float]:
    """How far evidence is from its reference, with sigma; a leak is told against the others
    already. NaN unknown."""
    value, sigma, reference = (_number(item.get(key)) for key in ("value", "sigma", "reference"))
    known = math.isfinite(reference) and item.get("quantity") != "leak_a"
    return value - (reference if known else 0.0), sigma


def speaks(risk: CellRisk) -> bool:
    """Whether the first piece of evidence stands out from its reference."""
    for item in risk.evidence[:1]:
        away, sigma = beyond(item)
        return math.isnan(away) or not sigma > 0 or abs(away) >= SPEAKS_Z * sigma
    return not risk.evidence


def _headline(cause: Finding, risks: Sequence[CellRisk]) -> Item:
    """The alert in words, with what fusion knows of it now."""
    parameters = dict(cause.parameters)
    risk = next((r for r in risks if r.cell == cause.cell and r.mechanism != "none"), None)
    if risk is None or not risk.evidence or not speaks(risk) or "also" in parameters:
        return cause.code, parameters
    if cause.code in _RESISTS and risk.mechanism in _NAMES:
        return _named(risk)
    quantity, factor, name = _FIGURES.get(cause.code, ("", 1.0, ""))
    away, _ = beyond(risk.evidence[0])
    if quantity == risk.evidence[0].get("quantity") and math.isfinite(away):
        parameters[name] = factor * away
    return cause.code, parameters


def _named(risk: CellRisk) -> Item:
    """A cell that fusion names, with its figure where there is one."""
    code, where = _NAMES.get(risk.mechanism, ""), {"cell": risk.cell}
    if not code or not risk.evidence or not speaks(risk):
        return "verdict.named", {**where}
    away, _ = beyond(risk.evidence[0])
    reference = _number(risk.evidence[0].get("reference"))
    if not (math.isfinite(away) and reference > 0):
        return "verdict.named", {**where}
    # What ten seconds show is another figure than the ohmic part that an alert tells.
    code += "_10" if risk.evidence[0].get("quantity") == "ten_second_ohm" else ""
    return code, {**where, "percent": 100 * away / reference}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _why(check: str, checked: Sequence[str]) -> str:
    # With probes enough to compare, it is their limits that are missing.
    if check == "check.temperature_limits" and "check.thermal" in checked:
        return "why.no_limits"
    return _WHY.get(check, "why.no_data")


def _next_step(missing: Sequence[Item]) -> Item:
    """What would bring the first check that is needed and missing; a word before a ride."""
    by_word = [item for item in missing if item[1].get("why") == "why.no_limits"]
    for code, parameters in (*by_word, *missing):
        action = _STEPS.get(str(parameters.get("why", "")))
        if code in _NEEDED and action is not None:
            return action, {}
    return "action.wait", {}


def deciding(findings: Iterable[Finding]) -> tuple[str, Finding | None]:
    """Code of the verdict and the alert that decides it, ("", None) when none does."""
    by_code: Mapping[str, list[Finding]] = {
        "STOP": [],
        "REPLACE": [],
        "REPAIR": [],
        "WATCH": [],
    }
    for finding in findings:
        if finding.state not in _OPEN:
            continue
        if finding.severity == "stop":
            by_code["STOP"].append(finding)
        elif finding.severity == "warn" and finding.kind in _CELL_KINDS:
            by_code["REPLACE"].append(finding)
        elif finding.severity == "warn" and finding.kind in _REPAIR_KINDS:
            by_code["REPAIR"].append(finding)
        elif finding.severity in ("warn", "watch"):
            by_code["WATCH"].append(finding)
    for code, alerts in by_code.items():
        if alerts:
            return code, max(alerts, key=lambda f: (f.severity == "warn", f.score, f.time))
    return "", None
