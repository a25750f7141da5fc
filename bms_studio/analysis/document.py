"""An analysis as the JSON of DESIGN 7.4 and as lines for people. Plain data in, plain data out."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bms_studio.analysis.contract import Analysis
from bms_studio.analysis.kind_words import kind_words
from bms_studio.analysis.store import plain
from bms_studio.diagnosis.contract import CellRisk, Finding
from bms_studio.diagnosis.verdict import stands_out
from bms_studio.messages import check_words, render
from bms_studio.pack.health import BY_NAME, Health

_NAN = float("nan")
# How a person reads a value of this unit.
_SHOWN_IN = {
    "1": (100.0, "%"),
    "A": (1e3, "mA"),
    "V": (1e3, "mV"),
    "ohm": (1e3, "mohm"),
}
_CELL = (
    "soc",
    "soc_sigma",
    "capacity_ah",
    "soh_capacity",
    "resistance_ohm",
    "soh_resistance",
    "leak_a",
)


def document(packs: Sequence[Analysis]) -> dict[str, Any]:
    """The whole document; the first pack stands at its root. Unknown is None."""
    first, *further = [_pack_document(a) for a in packs]
    return {**first, "packs": further}


def _pack_document(analysis: Analysis) -> dict[str, Any]:
    health = analysis.health[-1] if analysis.health else Health(0, 0, analysis.cells)
    risks = ranked(analysis)
    found: dict[str, Any] = plain(
        {
            "pack": _pack(analysis, health),
            "verdict": _verdict(analysis),
            "cells": [_cell(analysis, health, risk) for risk in risks],
            "findings": [_finding(f) for f in _newest(analysis)],
        }
    )
    return found


def _newest(analysis: Analysis) -> tuple[Finding, ...]:
    """The newest state of each finding."""
    return tuple({finding.id: finding for finding in analysis.findings}.values())


def ranked(analysis: Analysis) -> list[CellRisk]:
    """One per cell, by number; where nothing was judged the cells stand in their own order."""
    known = {risk.cell: risk for risk in analysis.risks}
    rest = [n for n in range(1, analysis.cells + 1) if n not in known]
    last = max((risk.rank for risk in analysis.risks), default=0)
    for i, number in enumerate(rest):
        known[number] = CellRisk(number, 0.0, last + 1 + i)
    return [known[number] for number in sorted(known)]


def newest_known(analysis: Analysis, name: str) -> float:
    """Newest known value of a column of the estimates of the pack, NaN where there is none."""
    values = analysis.estimates.get(name)
    if values is None:
        return _NAN
    known = values[~(values != values)]
    return float(known[-1]) if len(known) else _NAN


def _pack(analysis: Analysis, health: Health) -> dict[str, Any]:
    basis = analysis.basis
    limiting = newest_known(analysis, "limiting_cell")
    measured = health.of_pack("capacity_ah")
    return {
        "cells": analysis.cells,
        "chemistry": basis.chemistry or None,
        "chemistry_confidence": basis.chemistry_confidence if basis.chemistry else None,
        "chemistry_source": basis.chemistry_source or None,
        "capacity_ah": basis.capacity_ah if math.isnan(measured) else measured,
        "family": basis.family or None,
        "table": basis.table or None,
        "table_confidence": basis.table_confidence if basis.table else None,
        "capacity_source": "measured" if measured == measured else basis.capacity_source or None,
        "capacity_sigma": basis.capacity_ah * basis.capacity_sigma,
        "soc": newest_known(analysis, "pack_soc"),
        "soc_sigma": newest_known(analysis, "pack_soc_sigma"),
        "usable_soc": newest_known(analysis, "usable_soc"),
        "usable_soc_sigma": newest_known(analysis, "usable_soc_sigma"),
        "usable_wh": newest_known(analysis, "usable_wh"),
        "limiting_cell": int(limiting) if limiting > 0 else None,
        "costs_wh": newest_known(analysis, "costs_wh"),
        "soh": health.of_pack("soh"),
        "throughput_ah": health.of_pack("throughput_ah"),
        "observed_s": health.of_pack("observed_s"),
        "serial": health.serial or None,
        "model": basis.model or None,
        "notes": list(basis.notes),
        "needs": dict(health.needs),
    }


def _verdict(analysis: Analysis) -> dict[str, Any]:
    verdict = analysis.verdict
    return {
        "code": verdict.code,
        "text": render(*verdict.headline),
        "next_action": render(*verdict.next_action),
        "checked": [render(*item) for item in verdict.checked],
        "not_checked": [check_words(*item) for item in verdict.not_checked],
    }


def _cell(analysis: Analysis, health: Health, risk: CellRisk) -> dict[str, Any]:
    at = risk.cell - 1
    labels = analysis.labels
    values = {name: float(health.values(name)[at]) if at < health.count else _NAN for name in _CELL}
    return {
        "cell": risk.cell,
        "label": labels[at] if at < len(labels) else str(risk.cell),
        **values,
        "risk": risk.risk,
        "rank": risk.rank,
        "mechanism": risk.mechanism,
        "first_to_fail_probability": risk.probability,
        "lead_time": [
            {"unit": t.unit, "p10": t.p10, "p50": t.p50, "p90": t.p90} for t in risk.lead_time
        ],
        "evidence": [evidence_of(e) for e in risk.evidence],
    }


def evidence_of(given: dict[str, float | str | int]) -> dict[str, Any]:
    """One piece of evidence, with a sentence in any case where there is a value."""
    out: dict[str, Any] = {
        name: given.get(name) for name in ("quantity", "value", "sigma", "reference")
    }
    out |= {name: iso(int(given[name])) if name in given else None for name in ("start", "end")}
    return {**out, "text": str(given.get("text", "")) or _measured(given)}


def _measured(given: dict[str, float | str | int]) -> str:
    """The value as a clause: "self-discharge beyond the mean cell 7.6 ± 1.3 mA, others -0.4 mA"."""
    quantity = BY_NAME.get(str(given.get("quantity", "")))
    value = float(given.get("value", _NAN))
    if quantity is None or math.isnan(value):
        return ""
    factor, unit = _SHOWN_IN.get(quantity.unit, (1.0, quantity.unit))
    sigma, reference = (float(given.get(name, _NAN)) * factor for name in ("sigma", "reference"))
    words = f"{quantity.long_name} {value * factor:.3g}"
    words += f" {unit}" if math.isnan(sigma) else f" ± {sigma:.2g} {unit}"
    return words if math.isnan(reference) else f"{words}, others {reference:.3g} {unit}"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "cell": finding.cell,
        "kind": finding.kind,
        "severity": finding.severity,
        "state": finding.state,
        "score": finding.score,
        "start": iso(finding.start),
        "end": iso(finding.end),
        "text": render(finding.code, finding.parameters, finding.text),
    }


def iso(time_ns: int) -> str:
    """ISO 8601 in UTC, with all nine digits."""
    whole, rest = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{rest:09d}Z"


def lines(packs: Sequence[Analysis]) -> list[str]:
    """The same for people, in English."""
    out: list[str] = []
    for number, analysis in enumerate(packs, 1):
        found = _pack_document(analysis)
        pack, verdict = found["pack"], found["verdict"]
        if len(packs) > 1:
            out.append(f"pack {number}")
        out += [
            f"{verdict['code'].replace('_', ' ')}: {verdict['text']}",
            f"next: {verdict['next_action']}",
            f"{pack['cells']} cells, {kind_words(analysis.basis) or 'chemistry unknown'}, "
            f"{_shown(pack['capacity_ah'], 'Ah', 1)}",
            f"SOC {_per_cent(pack['soc'])} ± {_per_cent(pack['soc_sigma'])}, "
            f"usable {_per_cent(pack['usable_soc'])}"
            + (f", limited by cell {pack['limiting_cell']}" if pack["limiting_cell"] else ""),
        ]
        sure = {r.cell for r in analysis.risks if stands_out(r, _newest(analysis))}
        order = sorted(found["cells"], key=lambda c: c["rank"])
        for cell in [c for c in order if c["mechanism"] != "none"][:5]:
            words = "; ".join(e["text"] for e in cell["evidence"] if e["text"])
            label = "" if cell["label"] == str(cell["cell"]) else f" ({cell['label']})"
            out.append(
                f"cell {cell['cell']}{label}: {'' if cell['cell'] in sure else 'not sure: '}"
                f"{cell['mechanism']}, risk {cell['risk']:.2f}" + (f": {words}" if words else "")
            )
        out += [
            f"{f['severity']}: {f['text']} ({f['state']})"
            for f in found["findings"]
            if f["state"] != "resolved"
        ]
        out += [f"note: {render(code)}" for code in analysis.basis.notes]
        if verdict["checked"]:
            out.append(f"checked: {', '.join(verdict['checked'])}")
        if verdict["not_checked"]:
            out.append(f"not checked: {'; '.join(verdict['not_checked'])}")
    return out


def _shown(value: float | None, unit: str, digits: int) -> str:
    return f"– {unit}" if value is None else f"{value:.{digits}f} {unit}"


def _per_cent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
