"""The pack's earlier visits in a table, the present one first, and when a limit is expected.

Reads `AnalysisStatus`; two rows chosen are compared. Nothing is computed here.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtWidgets import QGridLayout, QScrollArea, QVBoxLayout, QWidget

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.diagnosis.contract import CellRisk, Finding
from bms_studio.gui.header import seen_for, verdict_word
from bms_studio.gui.page import Context
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number
from bms_studio.gui.risk_words import (
    day_words,
    short_unit,
    value_words,
    visit_quantity,
    when_sentence,
    with_evidence,
)
from bms_studio.language import text
from bms_studio.pack.health import Health
from widgets.action_button import ActionButton
from widgets.panel import Panel
from widgets.text_line import TextLine

_MOST_VISITS = 12
_VERDICT_TONES = {
    "OK": "ok",
    "WATCH": "warn",
    "REPAIR": "high",
    "REPLACE": "high",
    "STOP": "high",
}


class VisitsPanel(QWidget):
    """See the module."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[object, ...] = ()
        self.panel = Panel(text("This pack over its visits"))
        compare = ActionButton(text("Compare…"), tone="link", size=12)
        compare.clicked.connect(lambda: context.do("compare"))
        self.panel.add_to_header(compare)
        inside = QWidget()
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(4)
        self._lines: list[TextLine] = []
        area = QScrollArea()
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setWidget(inside)
        self.panel.add(area, 1)
        self.expected = TextLine("", tone="muted", size=12)
        self.panel.add(self.expected)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.panel)
        self.setFixedHeight(176)

    def set_narrow(self, narrow: bool) -> None:
        """Where there is less room the panel is lower; the rows scroll."""
        self.setFixedHeight(148 if narrow else 176)

    def show_visits(
        self, analysis: AnalysisStatus, findings: Sequence[Finding], verdict: str
    ) -> None:
        """Bring the rows up to date; verdict: code of the present one."""
        cells = with_evidence(analysis.risks, findings, 2)
        key = (analysis.health, analysis.visits, tuple(cells), verdict)
        if key == self._shown:
            return
        self._shown = key
        rows = [_head(cells)]
        if analysis.health is not None:
            rows.append(_row(replace(analysis.health, verdict=verdict), cells, present=True))
        rows += [
            _row(visit, cells, present=False) for visit in reversed(analysis.visits[-_MOST_VISITS:])
        ]
        self._fill(rows)
        count = len(analysis.visits) + (analysis.health is not None)
        serial = analysis.health.serial if analysis.health is not None else ""
        words = text("{count} visits", count=count) if count != 1 else text("first visit")
        self.panel.set_note(f"{serial} · {words}" if serial else words)
        self.expected.set_text(_expected(cells[0] if cells else None))
        self.expected.setVisible(bool(cells))

    def _fill(self, rows: list[list[tuple[str, str]]]) -> None:
        for line in self._lines:
            self._grid.removeWidget(line)
            line.deleteLater()
        self._lines = []
        for place, row in enumerate(rows):
            for column, (words, tone) in enumerate(row):
                line = TextLine(words, tone=tone, size=12, bold=place == 1 and column == 0)
                self._grid.addWidget(line, place, column)
                self._lines.append(line)
        self._grid.setRowStretch(len(rows), 1)
        self._grid.setColumnStretch(len(rows[0]) - 1, 1)


def _head(cells: list[CellRisk]) -> list[tuple[str, str]]:
    names = [text("Visit"), text("What"), text("Capacity of new"), text("Spread at rest")]
    names += [text("Cell {cell}", cell=risk.cell) for risk in cells]
    names += [text("Verdict"), text("Recording")]
    return [(name, "muted") for name in names]


def _row(health: Health, cells: list[CellRisk], present: bool) -> list[tuple[str, str]]:
    day = day_words(health.time)
    seen = health.of_pack("observed_s")
    what = seen_for(seen) if math.isfinite(seen) else "–"
    degrees = health.of_pack("temperature_degc")
    if math.isfinite(degrees):
        what += f" · {number(degrees, 0)} °C"
    soh = health.of_pack("soh")
    rest = health.values("rest_voltage_v")
    known = rest[rest == rest]
    row = [
        (text("{day} · now", day=day) if present else day, "text"),
        (what, "text"),
        (f"{number(100 * soh, 0)} %" if math.isfinite(soh) else "–", "text"),
        (f"{number(1e3 * float(known.max() - known.min()), 0)} mV" if len(known) else "–", "text"),
    ]
    for risk in cells:
        name = visit_quantity(risk)
        _, _, factor, decimals = quantity_words(name)
        unit = short_unit(name)
        words = value_words(health, name, risk.cell, factor, decimals)
        row.append((f"{words} {unit}" if words != "–" else words, "text"))
    code = health.verdict
    row.append((verdict_word(code) if code else "–", _VERDICT_TONES.get(code, "muted")))
    row.append((health.title or (text("this recording") if present else ""), "muted"))
    return row


def _expected(risk: CellRisk | None) -> str:
    if risk is None:
        return ""
    when = when_sentence(risk)
    if not risk.lead_time:
        return text("When cell {cell} would reach its limit: {when}", cell=risk.cell, when=when)
    days = next((lead for lead in risk.lead_time if lead.unit == "days"), risk.lead_time[0])
    unit = text("days") if days.unit == "days" else text("cycles")
    return text(
        "When cell {cell} would reach its limit if nothing is done: P10 {p10}, P50 {p50}, "
        "P90 {p90} {unit}",
        cell=risk.cell,
        p10=number(days.p10, 0),
        p50=number(days.p50, 0),
        p90=number(days.p90, 0),
        unit=unit,
    )
