"""The workshop report as one page of HTML: for the customer, for the workshop, and on the data.

HTML of the kind that browsers and Qt's documents both lay out (tables, no scripts), so that the
file and the printed pages are made from the same text. Readable in grey: every colour has a word
or a sign beside it. Nothing is judged here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.diagnosis.contract import CellRisk, Finding, Verdict
from bms_studio.gui.diagnosis_parts import items_of
from bms_studio.gui.evidence import Evidence, charts, deviation
from bms_studio.gui.header import verdict_word
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number
from bms_studio.gui.report_data import moved_words, quality_rows, settings_rows, used_words
from bms_studio.gui.risk_words import (
    day_words,
    duration_words,
    evidence_words,
    lead_words,
    mechanism_words,
    reason_words,
    remedy_words,
    rival_words,
    severity_of,
    share_words,
    value_words,
    with_evidence,
)
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.status import PackStatus
from widgets.chart import Chart
from widgets.chart_paint import has_content

SECTIONS = ("customer", "evidence", "cells", "visits", "quality")
_COLUMNS = ("soc", "capacity_ah", "resistance_ohm", "leak_a", "sag_margin_v")
_GREY, _LINE = "#5a6774", "#c8cfd6"
_MARKS = {"stop": "✕", "warn": "✕", "watch": "!", "info": "·"}


@dataclass(frozen=True, slots=True)
class Visit:
    """What the workshop writes beside the measurement; any of it may be empty."""

    workshop: str = ""
    job: str = ""
    customer: str = ""
    note: str = ""
    used: str = ""  # what moved current: charger, ride, wheel, load, nothing; "" as measured


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """All that the report speaks of, at one moment."""

    evidence: Evidence
    analysis: AnalysisStatus
    findings: tuple[Finding, ...]
    verdict: Verdict | None
    pack: PackStatus
    simulated: bool
    visit: Visit = Visit()
    sections: tuple[str, ...] = SECTIONS


def report_html(report: Report, image: Callable[[Chart, int, int], str], margin: str = "0") -> str:
    """The whole document. `image(chart, width, height)` gives the markup of a chart; `margin`: of
    the body, as CSS: a printer has its own."""
    parts = {
        "customer": lambda: _customer(report),
        "evidence": lambda: _evidence(report, image),
        "cells": lambda: _cells(report),
        "visits": lambda: _visits(report),
        "quality": lambda: _quality(report),
    }
    chosen = [name for name in SECTIONS if name in report.sections]
    pages: list[str] = []
    for name in chosen:
        words = parts[name]()
        # The customer's page, the workshop's and the one on the data stand by themselves.
        breaks = pages and name in ("evidence", "quality")
        style = ' style="page-break-before:always"' if breaks else ""
        pages.append(f"<div{style}>{words}</div>")
    return _document(report, "\n".join(pages), margin)


def _document(report: Report, body: str, margin: str) -> str:
    title = text("Battery report {serial}", serial=report.pack.serial or report.pack.name).strip()
    mark = ""
    if report.simulated:
        mark = (
            f'<p align="center" style="border:2px dashed #916000;color:#916000;font-weight:600">'
            f"{escape(text('SIMULATED: these data come from a simulator, not from a pack'))}</p>"
        )
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{escape(title)}</title>'
        "<style>"
        "body{font-family:Inter,'Segoe UI','Helvetica Neue','Microsoft YaHei','PingFang SC',"
        "'Noto Sans CJK SC','WenQuanYi Micro Hei',sans-serif;font-size:10pt;color:#16202b;"
        f"background:#ffffff;max-width:700px;margin:{margin}}}"
        "h1{font-size:17pt;margin:0 0 8px 0} h2{font-size:12.5pt;margin:18px 0 6px 0}"
        "table{border-collapse:collapse} td,th{padding:2px 7px 2px 0;text-align:left}"
        f"p.muted,td.muted,span.muted,th{{color:{_GREY};font-weight:400}}"
        "svg{max-width:100%;height:auto}"
        "@media print{body{margin:0}}"
        f"</style></head><body>{mark}\n{body}\n</body></html>\n"
    )


# -- page 1: for the customer ------------------------------------------------------------------


def _customer(report: Report) -> str:
    visit, pack, verdict = report.visit, report.pack, report.verdict
    code = verdict.code if verdict else "NOT_ENOUGH_DATA"
    sentence = render(*verdict.headline) if verdict else text("Nothing has been judged yet.")
    action = render(*verdict.next_action) if verdict else ""
    parts = [_letterhead(visit, pack, report)]
    parts.append(
        f'<table width="100%" style="border:2px solid #16202b"><tr>'
        f'<td style="padding:10px 18px;font-size:22pt;font-weight:700" width="34%">'
        f"{escape(verdict_word(code))}</td>"
        f'<td style="padding:10px 12px"><b>{escape(sentence)}</b>'
        f"<br>{escape(text('What to do: {action}', action=action) if action else '')}</td>"
        "</tr></table>"
    )
    parts.append(_usable(report))
    parts.append(f"<h2>{escape(text('The cells'))}</h2>{_cell_map(report)}")
    parts.append(_reasons(report))
    parts.append(f"<h2>{escape(text('What this report can say'))}</h2>{_validity(report)}")
    return "\n".join(parts)


def _letterhead(visit: Visit, pack: PackStatus, report: Report) -> str:
    health = report.analysis.health
    when = day_words(health.time if health else report.evidence.until_ns)
    identity = " · ".join(
        words
        for words in (
            pack.name,
            text("{cells} cells in series", cells=pack.cells) if pack.cells else "",
            report.analysis.basis.chemistry,
            f"{number(pack.capacity_ah, 1)} Ah" if pack.capacity_ah else "",
        )
        if words
    )
    left = [visit.workshop or text("Battery report")]
    facts = [
        (text("Serial number"), pack.serial or text("unknown")),
        (text("Pack"), identity or text("unknown")),
        (text("Date"), when),
    ]
    facts += [(text("Job"), visit.job)] if visit.job else []
    facts += [(text("Customer"), visit.customer)] if visit.customer else []
    rows = "".join(
        f'<tr><td class="muted">{escape(name)}</td><td>{escape(words)}</td></tr>'
        for name, words in facts
    )
    note = f"<p>{escape(visit.note)}</p>" if visit.note else ""
    return f"<h1>{escape(left[0])}</h1><table>{rows}</table>{note}<br>"


def _usable(report: Report) -> str:
    health = report.analysis.health
    rows = []
    if health is not None:
        soh, sigma = health.of_pack("soh"), health.of_pack("soh_sigma")
        if math.isfinite(soh):
            words = f"{number(100 * soh, 0)} %"
            words += f" ± {number(100 * sigma, 0)} %" if math.isfinite(sigma) else ""
            rows.append((text("Usable capacity against new"), words))
        energy, costs = health.of_pack("usable_wh"), health.of_pack("costs_wh")
        cell = health.of_pack("limiting_cell")
        if math.isfinite(energy):
            words = text("{wh} Wh now", wh=number(energy, 0))
            if cell and math.isfinite(cell) and math.isfinite(costs) and costs >= 1:
                words += ", " + text(
                    "cell {cell} ends it first and costs {wh} Wh",
                    cell=int(cell),
                    wh=number(costs, 0),
                )
            rows.append((text("Energy that can be used"), words))
        soc = health.of_pack("soc")
        if math.isfinite(soc):
            rows.append((text("Charge of the mean cell"), f"{number(100 * soc, 0)} %"))
    if not rows:
        rows.append((text("Usable capacity against new"), text("not tested")))
    return "<p></p>" + _table([], [[a, b] for a, b in rows])


def _cell_map(report: Report) -> str:
    """Every cell in its place; a sign and a frame where something was found."""
    count = report.pack.cells
    if not count:
        return f"<p>{escape(text('No cell voltages were received.'))}</p>"
    layout = report.pack.layout or tuple(
        tuple(range(first, min(first + 10, count + 1))) for first in range(1, count + 1, 10)
    )
    risks = {risk.cell: risk for risk in report.analysis.risks}
    rows = []
    for row in layout:
        cells = "".join(_cell_box(report, cell, risks.get(cell)) for cell in row)
        rows.append(f"<tr>{cells}</tr>")
    health = report.analysis.health
    rest = health is not None and np.isfinite(health.values("rest_voltage_v")).any()
    volts = text("volts at rest") if rest else text("volts as last measured")
    signs = volts + " · " + text("✕ act   ! watch   no sign: nothing found")
    return f'<table cellspacing="3">{"".join(rows)}</table><p class="muted">{escape(signs)}</p>'


def _map_volts(report: Report) -> NDArray[np.float64]:
    """Voltage at rest where all that is known, else as last measured."""
    health = report.analysis.health
    rest = health.values("rest_voltage_v") if health is not None else np.zeros(0)
    if np.isfinite(rest).any():
        return rest
    values, times = report.evidence.view.timeline.held(
        f"{report.evidence.prefix}cells", report.evidence.until_ns
    )
    return np.where(times > 0, values, np.nan)


def _cell_box(report: Report, cell: int, risk: CellRisk | None) -> str:
    if not cell:
        return "<td></td>"
    sign, ground, edge = "", "#ffffff", _LINE
    if risk is not None and risk.mechanism != "none":
        severity = severity_of(cell, report.findings)
        sign = _MARKS.get(severity, "!")
        ground = "#f3c9c9" if sign == "✕" else "#f6e3b8"
        edge = "#16202b"
    volts = _map_volts(report)
    words = number(float(volts[cell - 1]), 3) if cell <= len(volts) else ""
    return (
        f'<td align="center" bgcolor="{ground}" style="border:1px solid {edge};padding:3px 8px">'
        f'<b>{cell} {sign}</b><br><span class="muted">{escape(words)}</span></td>'
    )


def _reasons(report: Report) -> str:
    found = with_evidence(report.analysis.risks, 3)
    if not found:
        return f"<p>{escape(text('Nothing found that would make a cell fail first.'))}</p>"
    rows = []
    for risk in found:
        reason = reason_words(risk)
        lead = lead_words(risk.lead_time) or text("no trend yet: measure again after 7 days")
        rows.append(
            [
                text("Cell {cell}", cell=risk.cell),
                reason,
                share_words(risk.probability),
                lead,
            ]
        )
    head = [text("Who fails first"), text("Why"), text("How sure"), text("How soon")]
    return f"<h2>{escape(head[0])}</h2>" + _table(["", *head[1:]], rows)


def _validity(report: Report) -> str:
    span = report.evidence.span
    seen = duration_words((span[1] - span[0]) * 1e-9) if span else "–"
    words = [text("{duration} measured", duration=seen)]
    moved = used_words(report.visit.used) or moved_words(report.evidence)
    words += [moved] if moved else []
    health = report.analysis.health
    if health is not None and math.isfinite(health.of_pack("temperature_degc")):
        words.append(f"{number(health.of_pack('temperature_degc'), 0)} °C")
    verdict = report.verdict
    lines = [f"<p>{escape(', '.join(words))}.</p>"]
    if verdict is not None and verdict.checked:
        checked = "; ".join(items_of(verdict.checked))
        lines.append(f"<p><b>{escape(text('Checked:'))}</b> {escape(checked)}</p>")
    if verdict is not None and verdict.not_checked:
        missing = "; ".join(items_of(verdict.not_checked))
        lines.append(f"<p><b>{escape(text('Not tested:'))}</b> {escape(missing)}</p>")
    return "\n".join(lines)


# -- page 2: for the workshop ------------------------------------------------------------------


def _evidence(report: Report, image: Callable[[Chart, int, int], str]) -> str:
    parts = [f"<h1>{escape(text('Evidence'))}</h1>"]
    found = with_evidence(report.analysis.risks, 2)
    for risk in found:
        reason = reason_words(risk)
        parts.append(f"<h2>{escape(text('Cell {cell}', cell=risk.cell))}: {escape(reason)}</h2>")
        for item in risk.evidence[:4]:
            parts.append(f"<p>{escape(evidence_words(item))}</p>")
        drawn = [c for c in charts(report.evidence, risk) if has_content(c)]
        parts.append(_pairs([image(chart, 316, 190) for chart in drawn]))
        for title, items in (
            (text("Rival explanations"), rival_words(risk)),
            (text("What would change this"), remedy_words(risk)),
        ):
            if items:
                parts.append(f"<p><b>{escape(title)}:</b> {escape('; '.join(items))}</p>")
    if not found:
        parts.append(f"<p>{escape(text('Nothing found that would make a cell fail first.'))}</p>")
        if report.pack.cells:
            parts.append(image(deviation(report.evidence, 1), 660, 200))
    alerts = [f for f in report.findings if f.severity != "info"]
    if alerts:
        rows = [
            [
                {"stop": "✕", "warn": "✕", "watch": "!"}.get(f.severity, ""),
                render(f.code, f.parameters, f.text),
                f"× {f.count}",
                text("resolved") if f.state == "resolved" else "",
            ]
            for f in alerts[:20]
        ]
        parts.append(f"<h2>{escape(text('Alerts'))}</h2>" + _table([], rows))
    return "\n".join(parts)


def _pairs(images: Sequence[str]) -> str:
    rows = [images[k : k + 2] for k in range(0, len(images), 2)]
    cells = ("".join(f"<td>{image}</td>" for image in row) for row in rows)
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _cells(report: Report) -> str:
    health = report.analysis.health
    head = [text("Rank"), text("Cell")]
    title = f"<h2>{escape(text('All cells'))}</h2>"
    if health is None or not health.count:
        return title + f"<p>{escape(text('No cell has been judged yet.'))}</p>"
    shown = []
    for name in _COLUMNS:
        if any(v == v for v in health.values(name)):
            words = (text("Charge"), "%", 1e2, 1) if name == "soc" else quantity_words(name)
            shown.append((name, words))
            head.append(f"{words[0]}, {words[1]}")
    head.append(text("Found"))
    ranks = {risk.cell: risk for risk in report.analysis.risks}
    order = sorted(range(1, health.count + 1), key=lambda c: ranks[c].rank if c in ranks else c)
    rows = []
    for cell in order:
        risk = ranks.get(cell)
        label = report.pack.labels[cell - 1] if cell <= len(report.pack.labels) else ""
        row = [str(risk.rank) if risk else "–", f"{cell} {label}".strip()]
        row += [value_words(health, name, cell, w[2], w[3]) for name, w in shown]
        row.append(mechanism_words(risk.mechanism) if risk and risk.mechanism != "none" else "")
        rows.append(row)
    return title + _table(head, rows)


def _visits(report: Report) -> str:
    visits = report.analysis.visits
    now = report.analysis.health
    if not visits or now is None:
        return ""
    found = with_evidence(report.analysis.risks, 2)
    head = [text("Visit"), text("Capacity of new"), text("Verdict")]
    head += [text("Cell {cell}, mΩ", cell=risk.cell) for risk in found]
    rows = []
    for visit in (*visits[-6:], now):
        soh = visit.of_pack("soh")
        row = [day_words(visit.time), f"{number(100 * soh, 0)} %" if math.isfinite(soh) else "–"]
        row.append(verdict_word(visit.verdict) if visit.verdict else "–")
        row += [value_words(visit, "resistance_ohm", r.cell, 1e3, 2) for r in found]
        rows.append(row)
    return f"<h2>{escape(text('This pack over its visits'))}</h2>" + _table(head, rows)


# -- page 3: on the data -----------------------------------------------------------------------


def _quality(report: Report) -> str:
    view = report.evidence.view
    parts = [f"<h1>{escape(text('The data'))}</h1>", _table([], quality_rows(view))]
    parts.append(f"<h2>{escape(text('Settings of the analysis'))}</h2>")
    parts.append(_table([], settings_rows(report.analysis)))
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(words)}</th>" for words in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(words))}</td>" for words in row) + "</tr>"
        for row in rows
    )
    first = f"<tr>{top}</tr>" if head else ""
    return f'<table width="100%">{first}{body}</table>'
