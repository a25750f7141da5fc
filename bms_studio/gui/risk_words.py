"""Risks, lead times and visits in the reader's words: what Live, Diagnosis and the report share."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from bms_studio.diagnosis.contract import CellRisk, Finding, LeadTime
from bms_studio.diagnosis.verdict import beyond, speaks, stands_out
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.pack.health import Health
from widgets.risk_list import RiskItem

_ORDER = {"stop": 0, "warn": 1, "watch": 2, "info": 3}


def mechanism_words(name: str) -> str:
    """A mechanism of DESIGN 7.4 for people."""
    return {
        "resistance": text("resistance"),
        "capacity": text("capacity"),
        "self-discharge": text("self-discharge"),
        "internal-short": text("internal short"),
        "connection": text("joint or busbar"),
        "thermal": text("heat"),
        "sensor": text("sensor"),
        "balancing": text("balancing"),
        "imbalance": text("imbalance"),
    }.get(name, text("nothing found"))


def lead_words(lead: Sequence[LeadTime]) -> str:
    """ "18–41 cycles": always a range, of cycles where they are known, else of days; "" none."""
    units = {item.unit: item for item in lead}
    item = units.get("cycles") or units.get("days")
    if item is None or not math.isfinite(item.p10):
        return ""
    upper = number(item.p90, 0) if math.isfinite(item.p90) else "…"
    span = f"{number(item.p10, 0)}–{upper}"
    if item.unit == "cycles":
        return text("{range} cycles", range=span)
    return text("{range} days", range=span)


def when_words(risk: CellRisk) -> str:
    """How soon, in a few words: the range, or why there is none."""
    return lead_words(risk.lead_time) or {
        "risk.beyond_limit": text("beyond the limit already"),
        "risk.steady": text("does not grow"),
    }.get(risk.reason[0], text("no trend yet"))


def when_sentence(risk: CellRisk) -> str:
    """The same where there is room for what to do."""
    words = when_words(risk)
    waits = words == text("no trend yet")
    return text("no trend yet: measure again after 7 days") if waits else words


def share_words(probability: float) -> str:
    """ "87 %", a dash without a trend; never 0 % or 100 %."""
    if not math.isfinite(probability):
        return "–"
    per_cent = 100 * probability
    if per_cent < 1:
        return "< 1 %"
    return "> 99 %" if per_cent > 99 else f"{per_cent:.0f} %"


def severity_of(cell: int, findings: Sequence[Finding]) -> str:
    """The worst severity of open findings on a cell; "watch" for a risk without one."""
    found = [f.severity for f in findings if f.cell == cell and f.state != "resolved"]
    return min(found, key=lambda s: _ORDER.get(s, 4)) if found else "watch"


def with_evidence(
    risks: Sequence[CellRisk], findings: Sequence[Finding], most: int = 0
) -> list[CellRisk]:
    """Those that stand out, worst first, by the verdict's own rule: a healthy cell is never
    listed."""
    found = sorted((r for r in risks if stands_out(r, findings)), key=lambda r: r.rank)
    return found[:most] if most else found


def unsure(risks: Sequence[CellRisk], findings: Sequence[Finding]) -> list[CellRisk]:
    """Those of which something speaks, but at less than even odds: no verdict stands on them."""
    named = sorted((r for r in risks if r.mechanism != "none"), key=lambda r: r.rank)
    return [r for r in named if not stands_out(r, findings)]


def risk_items(
    risks: Sequence[CellRisk], findings: Sequence[Finding], most: int = 0
) -> list[RiskItem]:
    """What a list of risks shows."""
    items = []
    for risk in with_evidence(risks, findings, most):
        when = when_words(risk)
        items.append(
            RiskItem(
                risk.cell,
                "high" if severity_of(risk.cell, findings) in ("warn", "stop") else "watch",
                text("Cell {cell}", cell=risk.cell),
                share_words(risk.probability),
                short_reason(risk) if speaks(risk) else _found_reason(risk, findings),
                when,
                risk.probability,
            )
        )
    return items


def unsure_items(
    risks: Sequence[CellRisk], findings: Sequence[Finding], most: int
) -> list[RiskItem]:
    """The same for cells of which nothing is sure, without a figure of how soon."""
    return [
        RiskItem(
            risk.cell,
            "info",
            text("Cell {cell}", cell=risk.cell),
            "",
            text("not sure: {reason}", reason=short_reason(risk)),
            "",
        )
        for risk in unsure(risks, findings)[:most]
    ]


def _found_reason(risk: CellRisk, findings: Sequence[Finding]) -> str:
    """What a detector says where no estimate stands out; what is only information is no reason."""
    open_ = [
        f
        for f in findings
        if f.cell == risk.cell and f.state != "resolved" and f.severity != "info"
    ]
    if not open_:
        return mechanism_words(risk.mechanism)
    worst = min(open_, key=lambda f: _ORDER.get(f.severity, 4))
    words = render(worst.code, worst.parameters, worst.text)
    return f"{words} × {worst.count}" if worst.count > 1 else words


# Beside a difference, "beyond the others" goes without saying.
_SHORT_UNITS = {
    "resistance_ohm": "mΩ",
    "ten_second_ohm": "mΩ",
    "leak_a": "mA",
    "sag_margin_v": "mV",
}
_RELATIVE = ("resistance_ohm", "ten_second_ohm", "capacity_ah")


def short_reason(risk: CellRisk) -> str:
    """ "resistance +91 % ± 4 %": the mechanism and how far beyond the others."""
    words = mechanism_words(risk.mechanism)
    for item in risk.evidence[:1] if speaks(risk) else ():
        amount = beyond_words(item)
        if str(item.get("quantity", "")) == "ten_second_ohm" and amount:
            amount = text("{amount} over 10 s", amount=amount)
        words += f" {amount}" if amount else ""
    return words


def beyond_words(item: Mapping[str, float | str | int]) -> str:
    """How far a piece of evidence is beyond its reference, with sigma; "" when nobody knows."""
    name = str(item.get("quantity", ""))
    value, sigma, reference = (_number(item.get(key)) for key in ("value", "sigma", "reference"))
    if not math.isfinite(value):
        return ""
    _, unit, factor, decimals = quantity_words(name)
    unit = _SHORT_UNITS.get(name, unit) if factor != 1e2 else "%"
    value, _ = beyond(item)
    if name in _RELATIVE and reference > 0:
        value, sigma = value / reference, sigma / reference
        unit, factor, decimals = "%", 1e2, 1
    if factor * sigma >= 2:
        decimals = 0  # what is not known to a tenth is not told to a tenth
    elif factor * sigma >= 0.2:
        decimals = min(decimals, 1)
    words = number(factor * value, decimals, sign=True)
    if math.isfinite(sigma):
        words += f" ± {number(factor * sigma, decimals)}"
    return f"{words} {unit}"


def evidence_words(item: Mapping[str, float | str | int]) -> str:
    """One piece of evidence as a sentence: what it is, its value with sigma, and the others'."""
    name = str(item.get("quantity", ""))
    value, sigma, reference = (_number(item.get(key)) for key in ("value", "sigma", "reference"))
    title, unit, factor, decimals = quantity_words(name)
    if title == name or not math.isfinite(value):
        return str(item.get("text", ""))
    words = f"{title} {number(factor * value, decimals)}"
    if math.isfinite(sigma):
        words += f" ± {number(factor * sigma, decimals)}"
    words += f" {unit}"
    if math.isfinite(reference):
        words = text(
            "{evidence}, the others {value}",
            evidence=words,
            value=number(factor * reference, decimals),
        )
    return words


def reason_words(risk: CellRisk) -> str:
    """The diagnosis of a cell in one line, for a title."""
    words = render(*risk.reason)
    short = short_reason(risk)
    return f"{short} · {words}" if words and words != risk.reason[0] else short


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def rival_words(risk: CellRisk) -> list[str]:
    """Other explanations with what speaks against each; the diagnosis is no rival of itself."""
    own = {"connection": "rival.open_joint", "sensor": "rival.open_sensor"}.get(risk.mechanism, "")
    return [
        render(code, parameters)
        for code, parameters in risk.rivals
        if code != own and not (code == "rival.open_cold" and _number(parameters.get("kelvin")) < 1)
    ]


_OF_MECHANISM = {
    "resistance": "resistance_ohm",
    "connection": "resistance_ohm",
    "capacity": "capacity_difference",
    "self-discharge": "leak_a",
    "internal-short": "leak_a",
    "sensor": "offset_v",
}


def visit_quantity(risk: CellRisk) -> str:
    """What is followed from visit to visit for this mechanism."""
    return _OF_MECHANISM.get(risk.mechanism, "imbalance")


def short_unit(name: str) -> str:
    """Unit of a quantity where a column has little room."""
    return _SHORT_UNITS.get(name, {"offset_v": "mV"}.get(name, "%"))


def remedy_words(risk: CellRisk, health: Health | None = None) -> list[str]:
    """What would change the diagnosis, as sentences; [] when nothing is known. health: the newest,
    which says to what a resistance should fall once its joint is good."""
    words = render(*risk.remedy)
    found = [words] if words and words != risk.remedy[0] else []
    if risk.mechanism not in ("connection", "resistance") or health is None:
        return found
    values = 1e3 * health.values("resistance_ohm")
    own = values[risk.cell - 1] if risk.cell <= health.count else math.nan
    others = values[np.isfinite(values)]
    if math.isfinite(own) and len(others) > 2 and own > np.median(others):
        found.insert(
            0,
            text(
                "Clean and tighten the joints of cell {cell} and check again: if they were the "
                "cause, {own} mΩ falls to about {others} mΩ",
                cell=risk.cell,
                own=number(float(own), 2),
                others=number(float(np.median(others)), 2),
            ),
        )
    return found


def duration_words(seconds: float) -> str:
    """ "40 s", "4 min", "2 h 10 min", "3 days": as people say it."""
    whole = math.ceil(seconds)
    if whole < 100:
        return text("{seconds} s", seconds=whole)
    minutes = round(whole / 60)
    if minutes < 120:
        return text("{minutes} min", minutes=minutes)
    if minutes < 2880:
        return text("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)
    return text("{days} days", days=round(minutes / 1440))


def day_words(time_ns: int) -> str:
    """A local day: 22 Nov 2026 in the order of the language."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000)
    return text(
        "{day} {month} {year}",
        day=moment.day,
        month=month_words(moment.month),
        year=moment.year,
    )


def month_words(month: int) -> str:
    """A month, short."""
    return (
        text("Jan"), text("Feb"), text("Mar"), text("Apr"), text("May"), text("Jun"),
        text("Jul"), text("Aug"), text("Sep"), text("Oct"), text("Nov"), text("Dec"),
    )[month - 1]  # fmt: skip


def value_words(health: Health, name: str, cell: int, factor: float, decimals: int) -> str:
    """ "2.85 ± 0.06" of a cell's quantity, a dash when unknown."""
    if cell > health.count:
        return "–"
    value, sigma = health.values(name)[cell - 1], health.sigma(name)[cell - 1]
    if not math.isfinite(value):
        return "–"
    words = number(float(factor * value), decimals)
    if math.isfinite(sigma):
        words += f" ± {number(float(factor * sigma), decimals)}"
    return words
