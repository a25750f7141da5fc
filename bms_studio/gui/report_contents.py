"""The workshop report as one page of HTML: for the customer, for the workshop, and on the data.

HTML of the kind that browsers and Qt's documents both lay out (tables, no scripts), so that the
file and the printed pages are made from the same text. Readable in grey: every colour has a word
or a sign beside it. Nothing is judged here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape

from bms_studio.analysis.kind_words import kind_words
from bms_studio.diagnosis.contract import CellRisk
from bms_studio.diagnosis.verdict import health_checks, stands_out
from bms_studio.gui.alert_words import severity_word, when_told
from bms_studio.gui.diagnosis_words import Basis, fine_words, items_of
from bms_studio.gui.evidence import charts, deviation
from bms_studio.gui.header import verdict_word
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number
from bms_studio.gui.report_data import (
    SECTIONS,
    Report,
    Visit,
    meaning_rows,
    moved_words,
    quality_rows,
    settings_rows,
    used_words,
)
from bms_studio.gui.report_map import cell_map
from bms_studio.gui.risk_words import (
    day_words,
    duration_words,
    evidence_words,
    mechanism_words,
    reason_words,
    remedy_words,
    rival_words,
    share_words,
    short_unit,
    value_words,
    visit_quantity,
    when_sentence,
    with_evidence,
)
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.status import PackStatus
from widgets.chart import Chart
from widgets.chart_paint import has_content

_COLUMNS = ("soc", "capacity_ah", "resistance_ohm", "leak_a", "sag_margin_v")
_GREY = "#5a6774"
_MOST_ALERTS, _MOST_ROWS = 20, 40
_REST_NS = 5_000_000_000
_MOST_TOLD = 3
_SIGNS = {"stop": "✕", "warn": "✕", "watch": "!"}
__all__ = ["SECTIONS", "Report", "Visit", "report_html"]


def report_html(
    report: Report, image: Callable[[Chart, int, int], str], alone: bool = False
) -> str:
    """The whole document. `image(chart, width, height)` gives the markup of a chart; alone: a file
    for a browser, which needs margins and a watermark of its own (paper gets them painted)."""
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
    return _document(report, "\n".join(pages), alone)


def _document(report: Report, body: str, alone: bool) -> str:
    title = text("Battery report {serial}", serial=report.pack.serial or report.pack.name).strip()
    mark = ""
    if report.simulated:
        mark = (
            f'<p align="center" style="border:2px dashed #916000;color:#916000;font-weight:600">'
            f"{escape(text('SIMULATED: these data come from a simulator, not from a pack'))}</p>"
        )
    across = ""
    if report.simulated and alone:
        words = escape(text("SIMULATED"))
        across = (
            '<div style="position:fixed;top:40%;left:0;width:100%;text-align:center;'
            "transform:rotate(-40deg);font-size:72pt;font-weight:700;color:#16202b;opacity:0.08;"
            f'pointer-events:none" aria-hidden="true">{words}</div>'
        )
    margin = "24px auto" if alone else "0"
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
        "td.small{font-size:8pt} tr{page-break-inside:avoid}"
        "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
        "@media print{body{margin:0}}"
        f"</style></head><body>{across}{mark}\n{body}\n</body></html>\n"
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
    parts.append(f"<h2>{escape(text('The cells'))}</h2>{cell_map(report)}")
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
            kind_words(report.analysis.basis),
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
        else:
            need = render(f"because.{health.needs.get('soh_capacity', '').removeprefix('need.')}")
            why = "" if need.startswith("because.") else f" ({need})"
            rows.append((text("Usable capacity against new"), text("not tested") + why))
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


def _reasons(report: Report) -> str:
    every = with_evidence(report.analysis.risks, report.findings)
    found = every[:_MOST_TOLD]
    if not found:
        return f"<p>{escape(text('Nothing found that would make a cell fail first.'))}</p>"
    rows = []
    for risk in found:
        reason = reason_words(risk)
        lead = when_sentence(risk)
        rows.append(
            [
                text("Cell {cell}", cell=risk.cell),
                reason,
                share_words(risk.probability),
                lead,
            ]
        )
    head = [text("Who fails first"), text("Why"), text("How sure"), text("How soon")]
    rest = [
        f"{text('Cell {cell}', cell=risk.cell)} ({mechanism_words(risk.mechanism)})"
        for risk in every[_MOST_TOLD : 2 * _MOST_TOLD]
    ]
    further = text(", ").join(rest) + (" …" if len(every) > 2 * _MOST_TOLD else "")
    words = text("Further: {cells}", cells=further)
    below = f'<p class="muted">{escape(words)}</p>' if rest else ""
    return f"<h2>{escape(head[0])}</h2>" + _table(["", *head[1:]], rows) + below


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
    whole = report.evidence.view.timeline.span()
    if span and whole and whole[1] - span[1] > _REST_NS:
        rest = duration_words((whole[1] - span[1]) * 1e-9)
        words_ = text("The recording goes on for {duration} after this moment.", duration=rest)
        lines.append(f"<p><b>{escape(words_)}</b></p>")
    if verdict is not None and verdict.checked:
        evidence = report.evidence
        basis = Basis(evidence.view, report.analysis, evidence.until_ns, evidence.prefix)
        checked = "; ".join(fine_words(verdict, report.findings, basis))
        lines.append(f"<p><b>{escape(text('Checked and fine:'))}</b> {escape(checked)}</p>")
    if verdict is not None and verdict.not_checked:
        missing = "; ".join(items_of(verdict.not_checked))
        lines.append(f"<p><b>{escape(text('Not tested:'))}</b> {escape(missing)}</p>")
    return "\n".join(lines)


# -- page 2: for the workshop ------------------------------------------------------------------


def _evidence(report: Report, image: Callable[[Chart, int, int], str]) -> str:
    parts = [f"<h1>{escape(text('Evidence'))}</h1>"]
    found = with_evidence(report.analysis.risks, report.findings, 2)
    for risk in found:
        reason = reason_words(risk)
        parts.append(f"<h2>{escape(text('Cell {cell}', cell=risk.cell))}: {escape(reason)}</h2>")
        for item in risk.evidence[:4]:
            parts.append(f"<p>{escape(evidence_words(item))}</p>")
        drawn = [c for c in charts(report.evidence, risk) if has_content(c)]
        parts.append(_pairs([image(chart, 316, 168) for chart in drawn]))
        for title, items in (
            (text("Rival explanations"), rival_words(risk)),
            (text("What would change this"), remedy_words(risk, report.analysis.health)),
        ):
            if items:
                parts.append(f"<p><b>{escape(title)}:</b> {escape('; '.join(items))}</p>")
    if not found:
        parts.append(f"<p>{escape(text('Nothing found that would make a cell fail first.'))}</p>")
        if report.pack.cells == 1:  # nothing beside it: what it did itself
            drawn = [c for c in charts(report.evidence, CellRisk(1, 0.0, 1)) if has_content(c)]
            parts.append(_pairs([image(chart, 316, 168) for chart in drawn]))
        elif report.pack.cells:
            parts.append(image(deviation(report.evidence, 1), 660, 200))
    alerts = [f for f in report.findings if f.severity != "info"]
    if alerts:
        rows = [
            [
                "✓" if f.state == "resolved" else _SIGNS.get(f.severity, ""),
                severity_word(f),
                render(f.code, f.parameters, f.text),
                f"× {f.count}",
                when_told(f, dated=True),
            ]
            for f in alerts[:_MOST_ALERTS]
        ]
        parts.append(f"<h2>{escape(text('Alerts'))}</h2>" + _table([], rows))
        if len(alerts) > _MOST_ALERTS:
            more = text("and {count} more", count=len(alerts) - _MOST_ALERTS)
            parts.append(f'<p class="muted">{escape(more)}</p>')
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
    known = {code for code, _ in health_checks(health)[0]}
    for name in _COLUMNS:
        if name == "leak_a" and "check.self_discharge" not in known:
            continue  # what minutes say of it is noise
        if any(v == v for v in health.values(name)):
            words = (text("Charge"), "%", 1e2, 1) if name == "soc" else quantity_words(name)
            shown.append((name, words))
            head.append(f"{words[0]}, {words[1]}")
    head.append(text("Found"))
    ranks = {risk.cell: risk for risk in report.analysis.risks}
    order = sorted(range(1, health.count + 1), key=lambda c: ranks[c].rank if c in ranks else c)
    rows = []
    for cell in order[:_MOST_ROWS]:
        risk = ranks.get(cell)
        label = report.pack.labels[cell - 1] if cell <= len(report.pack.labels) else ""
        row = [str(risk.rank) if risk else "–", f"{cell} {label}".strip()]
        row += [value_words(health, name, cell, w[2], w[3]) for name, w in shown]
        row.append(_found_words(risk, report) if risk else "")
        rows.append(row)
    rest = len(order) - len(rows)
    more = text("and {count} more, of which none stands out", count=rest) if rest > 0 else ""
    below = f'<p class="muted">{escape(more)}</p>' if more else ""
    return title + _table(head, rows, "8.5pt") + below


def _found_words(risk: CellRisk, report: Report) -> str:
    if risk.mechanism == "none":
        return ""
    words = mechanism_words(risk.mechanism)
    sure = stands_out(risk, report.findings)
    return words if sure else text("not sure: {reason}", reason=words)


def _visits(report: Report) -> str:
    visits = report.analysis.visits
    now = report.analysis.health
    if not visits or now is None:
        return ""
    found = with_evidence(report.analysis.risks, report.findings, 2)
    head = [text("Visit"), text("Capacity of new"), text("Verdict")]
    told = [(risk.cell, visit_quantity(risk)) for risk in found]
    for cell, name in told:
        head.append(f"{text('Cell {cell}', cell=cell)}, {short_unit(name)}")
    present = replace(now, verdict=report.verdict.code) if report.verdict else now
    rows = []
    for visit in (*visits[-6:], present):
        soh = visit.of_pack("soh")
        row = [day_words(visit.time), f"{number(100 * soh, 0)} %" if math.isfinite(soh) else "–"]
        row.append(verdict_word(visit.verdict) if visit.verdict else "–")
        row += [value_words(visit, name, cell, *quantity_words(name)[2:]) for cell, name in told]
        rows.append(row)
    return f"<h2>{escape(text('This pack over its visits'))}</h2>" + _table(head, rows)


# -- page 3: on the data -----------------------------------------------------------------------


def _quality(report: Report) -> str:
    view = report.evidence.view
    parts = [f"<h1>{escape(text('The data'))}</h1>", _table([], quality_rows(view))]
    parts.append(f"<h2>{escape(text('What the signals mean'))}</h2>")
    parts.append(_table([], meaning_rows(view)))
    parts.append(f"<h2>{escape(text('Settings of the analysis'))}</h2>")
    parts.append(_table([], settings_rows(report.analysis)))
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], size: str = "") -> str:
    """size: of the letters, where many rows belong on one page."""
    style = f' style="font-size:{size};padding:0px 7px 0px 0px"' if size else ""
    top = "".join(f"<th{style}>{escape(words)}</th>" for words in head)
    body = "".join(
        "<tr>" + "".join(f"<td{style}>{escape(str(words))}</td>" for words in row) + "</tr>"
        for row in rows
    )
    first = f"<tr>{top}</tr>" if head else ""
    return f'<table width="100%">{first}{body}</table>'
