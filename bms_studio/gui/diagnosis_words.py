"""What was checked and found fine, each with the figure that it stands on.

Reads verdict, health and timeline; nothing is judged here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.diagnosis.contract import Finding, Verdict
from bms_studio.gui.contract import PackView
from bms_studio.gui.readings import number
from bms_studio.language import text
from bms_studio.messages import Parameters, check_words
from bms_studio.pack.limits import resolve_limits
from bms_studio.pack.profile import Limits

_PIXELS = 400
_STUCK_NS = 43_200_000_000_000
# What an open alert says against, by its code or kind.
_AGAINST = {
    "check.cell_limits": ("limits.cell_over_voltage", "limits.cell_under_voltage"),
    "check.temperature_limits": ("limits.over_temperature", "limits.under_temperature"),
    "check.current_limits": ("limits.over_current",),
    "check.pack_sum": ("limits.pack_sum",),
    "check.sensors": ("sensor",),
    "check.dips": ("dip",),
    "check.shifts": ("shift",),
    "check.thermal": ("thermal", "limits.over_temperature"),
    "check.balancers": ("balancing",),
    "check.bms": ("bms",),
    "check.resistance": ("resistance", "connection", "sag"),
    "check.capacity": ("capacity",),
    "check.self_discharge": ("self-discharge", "internal-short"),
    "check.balance": ("imbalance",),
}


def items_of(items: Sequence[tuple[str, Parameters]]) -> list[str]:
    """Verdict items as sentences that begin with a capital."""
    words = [check_words(code, parameters) for code, parameters in items]
    return [w[:1].upper() + w[1:] for w in words]


def fine(
    checked: Sequence[tuple[str, Parameters]], findings: Sequence[Finding]
) -> list[tuple[str, Parameters]]:
    """Those checks that no open alert speaks against; a limit that was passed stays passed, also
    when it is over."""
    told = [f for f in findings if f.severity != "info"]
    open_ = [f for f in told if f.state != "resolved" or f.kind == "limits"]
    wrong = {f.code for f in open_} | {f.kind for f in open_}
    return [item for item in checked if not wrong & set(_AGAINST.get(item[0], ()))]


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """What the figures are read from. prefix: "" or "packs/<n>/"; until: the present moment."""

    view: PackView
    analysis: AnalysisStatus
    until_ns: int
    prefix: str = ""


def fine_words(verdict: Verdict | None, findings: Sequence[Finding], basis: Basis) -> list[str]:
    """What was checked and is fine, with its figure where one is known."""
    if verdict is None:
        return []
    items = fine(verdict.checked, findings)
    plain = items_of(items)
    told = [_told(code, basis) for code, _ in items]
    return [
        text("{check}: {result}", check=name, result=words) if words else name
        for name, words in zip(plain, told, strict=True)
    ]


def _told(code: str, basis: Basis) -> str:
    """The result of a check in a few words; "" where its name says all."""
    if code == "check.cell_limits":
        return _range(basis, "cells", 2, "V") + _allowed(basis)
    if code == "check.temperature_limits":
        return _range(basis, "probes", 0, "°C")
    if code in _LARGEST:
        return _largest(code, basis)
    return {
        "check.dips": text("none seen"),
        "check.shifts": text("no cell jumped by itself"),
        "check.pack_sum": text("fits the pack's voltage"),
        "check.thermal": text("no probe warmer than its neighbours explain"),
        "check.balancers": _balancers(basis),
        "check.bms": text("fits what the cells show"),
    }.get(code, "")


# Quantity, factor to what people read, decimals and unit of the largest amount among the cells.
_LARGEST = {
    "check.sensors": ("offset_v", 1e3, 1, "mV"),
    "check.resistance": ("resistance_difference", 1e2, 0, "%"),
    "check.capacity": ("capacity_difference", 1e2, 1, "%"),
    "check.self_discharge": ("leak_a", 1e3, 1, "mA"),
    "check.balance": ("imbalance", 1e2, 1, ""),
}


def _largest(code: str, basis: Basis) -> str:
    name, factor, decimals, unit = _LARGEST[code]
    health = basis.analysis.health
    known, sigma = np.zeros(0), np.zeros(0)
    if health is not None:
        known, sigma = health.values(name), np.nan_to_num(health.sigma(name))
        known, sigma = known[np.isfinite(known)], sigma[np.isfinite(known)]
    if not len(known):
        return text("no reading stuck, noisy or impossible") if code == "check.sensors" else ""
    # What is not known any better than its sigma is not told any better.
    amounts = (known if name == "leak_a" else np.abs(known)) + sigma
    amount = factor * float(amounts.max())
    words = f"{number(max(amount, 0.0), decimals)} {unit}".strip()
    return {
        "check.sensors": text("no offset above {amount}", amount=words),
        "check.resistance": text("all cells within {amount} of the median", amount=words),
        "check.capacity": text("all cells within {amount} of the mean", amount=words),
        "check.self_discharge": text("no cell loses more than {amount}", amount=words),
        "check.balance": text("all cells within {amount} points of charge", amount=words),
    }[code]


def _balancers(basis: Basis) -> str:
    """A bleeder that never ends is told by its hours: before them nobody can say so."""
    span = basis.view.timeline.span()
    if span is None or basis.until_ns - span[0] < _STUCK_NS:
        return text("none against the imbalance; one that never ends shows after 12 hours")
    return text("none stuck, none against the imbalance")


def _range(basis: Basis, group: str, decimals: int, unit: str) -> str:
    timeline = basis.view.timeline
    span = timeline.span()
    if span is None:
        return ""
    found = timeline.fetch(f"{basis.prefix}{group}", span[0], basis.until_ns, _PIXELS)
    if not np.isfinite(found.low).any():
        return ""
    low, high = float(np.nanmin(found.low)), float(np.nanmax(found.high))
    return f"{number(low, decimals)}–{number(high, decimals)} {unit}"


def _allowed(basis: Basis) -> str:
    """The limits of a cell, and whose they are where nobody stated them."""
    pack, ground = basis.view.status.pack, basis.analysis.basis
    low, high = pack.cell_voltage_min, pack.cell_voltage_max
    if math.isfinite(low) and math.isfinite(high):
        return text("; allowed {low}–{high} V", low=number(low, 2), high=number(high, 2))
    usual = resolve_limits(Limits(), ground.chemistry)
    if usual.cell_voltage_min is None or usual.cell_voltage_max is None:
        return ""
    return text(
        "; usual for {chemistry} ({percent} % sure) {low}–{high} V",
        chemistry=ground.chemistry,
        percent=number(100 * ground.chemistry_confidence, 0),
        low=number(usual.cell_voltage_min, 2),
        high=number(usual.cell_voltage_max, 2),
    )
