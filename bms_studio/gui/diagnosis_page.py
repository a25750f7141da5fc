"""The Diagnosis page: who fails first, why, how sure, how soon, and what was checked.

Lays the parts out and feeds them; see diagnosis_parts, visits_panel and evidence.
"""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.diagnosis.contract import CellRisk, Finding
from bms_studio.diagnosis.verdict import deciding, stands_out
from bms_studio.gui.alert_words import note, sentence
from bms_studio.gui.contract import Recordable
from bms_studio.gui.diagnosis_parts import (
    Bullets,
    CertaintyPanel,
    nothing_words,
    quality_words,
    verdict_of,
)
from bms_studio.gui.diagnosis_words import Basis, fine_words, items_of
from bms_studio.gui.evidence import Evidence, charts, charts_of_alert
from bms_studio.gui.page import Context, Page
from bms_studio.gui.risk_words import (
    evidence_words,
    reason_words,
    risk_items,
    unsure,
    unsure_items,
    with_evidence,
)
from bms_studio.gui.visits_panel import VisitsPanel
from bms_studio.language import text
from widgets.action_button import ActionButton
from widgets.chart import Chart
from widgets.panel import Panel
from widgets.risk_list import RiskList
from widgets.small_chart import SmallChart
from widgets.text_line import TextLine

_MOST_LISTED = 8
_SLOW_TICKS = 10
_CHART_TICKS = 50
_LOW_HEIGHT = 560
_NARROW_WIDTH = 1230
# Row, column, rows, columns of each chart, by how many there are.
_PLACES = {
    1: ((0, 0, 2, 2),),
    2: ((0, 0, 1, 2), (1, 0, 1, 2)),
    3: ((0, 0, 1, 2), (1, 0, 1, 1), (1, 1, 1, 1)),
    4: ((0, 0, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 1, 1)),
}


class DiagnosisPage(Page):
    """See the module."""

    key = "diagnosis"
    icon = "diagnosis"

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self._tick = 0
        self._cell = 0  # the cell in the middle; 0: the one that fails first
        self._charts_of: tuple[object, ...] = ()
        self.nothing = TextLine(
            text("Connect to a pack or open a recording: the diagnosis stands here."),
            tone="muted",
            align=Qt.AlignmentFlag.AlignCenter,
        )
        self.content = QWidget()
        self._make_content()
        self._layers = QStackedLayout(self)
        self._layers.setContentsMargins(0, 0, 0, 0)
        self._layers.addWidget(self.nothing)
        self._layers.addWidget(self.content)

    # -- building ------------------------------------------------------------------------------

    def _make_content(self) -> None:
        self._body = QHBoxLayout()
        self._body.setSpacing(10)
        self._body.addWidget(self._make_left(), 26)
        self._body.addWidget(self._make_middle(), 50)
        self.certainty = CertaintyPanel(self.context)
        self._body.addWidget(self.certainty, 24)
        self.visits = VisitsPanel(self.context)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self._make_bar())
        column.addLayout(self._body, 1)
        column.addWidget(self.visits)

    def _make_bar(self) -> QWidget:
        bar = QFrame()
        bar.setProperty("panel", True)
        row = QHBoxLayout(bar)
        row.setContentsMargins(12, 8, 12, 8)
        row.setSpacing(8)
        self.buttons: dict[str, ActionButton] = {}
        for name, words, tone in (
            ("check", text("Check now…"), "primary"),
            ("report", text("Report…"), ""),
            ("compare", text("Compare with…"), ""),
        ):
            button = ActionButton(words, tone=tone)
            button.clicked.connect(lambda _checked=False, action=name: self.context.do(action))
            self.buttons[name] = button
            row.addWidget(button)
        row.addSpacing(10)
        self.badge = TextLine("", bold=True)
        self.quality = TextLine("", tone="muted", size=12)
        row.addWidget(self.badge)
        row.addWidget(self.quality, 1)
        return bar

    def _make_left(self) -> QWidget:
        panel = Panel(text("Who fails first"))
        self.risks = RiskList()
        self.risks.risk_selected.connect(self._choose)
        self.risks.risk_activated.connect(self.context.selection.open)
        self.risks.risk_hovered.connect(self.context.selection.hover)
        self.fine = Bullets(text("Checked and fine"), "ok")
        self.open = Bullets(text("Could not check, because…"), "muted")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.risks)
        column.addWidget(self.fine)
        column.addWidget(self.open)
        column.addStretch(1)
        panel.add(_scrolling(inside), 1)
        return panel

    def _make_middle(self) -> QWidget:
        self.middle = Panel()
        self.subtitle = TextLine("", tone="muted", size=12)
        self.middle.add(self.subtitle)
        holder = QWidget()
        self._grid = QGridLayout(holder)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(10)
        self.charts = [SmallChart() for _ in range(4)]
        for number, chart in enumerate(self.charts):
            chart.clicked.connect(self._show_moment)
            chart.setVisible(False)
            self._grid.addWidget(chart, number // 2, number % 2)
        self.middle.add(holder, 1)
        return self.middle

    # -- what the window asks ------------------------------------------------------------------

    def view_changed(self) -> None:
        self._layers.setCurrentIndex(0 if self.context.view is None else 1)
        self._tick = self._cell = 0
        self._charts_of = ()

    def refresh(self) -> None:
        if self.context.view is None:
            return
        if self._tick % _SLOW_TICKS == 0:
            self._show()
        self._tick += 1

    def autorange(self) -> None:
        self._charts_of = ()

    # -- showing -------------------------------------------------------------------------------

    def _show(self) -> None:
        view = self.context.view
        assert view is not None
        analysis, findings = self._analysis(), self.context.findings()
        items = risk_items(analysis.risks, findings, _MOST_LISTED)
        items += unsure_items(analysis.risks, findings, _MOST_LISTED - len(items))
        live = isinstance(view, Recordable)
        self.buttons["check"].setEnabled(live)
        self.buttons["check"].setToolTip("" if live else text("only with a pack connected"))
        vague = verdict_of(view) == "NOT_ENOUGH_DATA"
        self.risks.set_empty(nothing_words(analysis, vague))
        self.risks.set_items(items)
        verdict = view.status.verdict
        if verdict is not None:
            basis = Basis(view, analysis, self.context.present_ns, self.context.prefix)
            self.fine.set_items(fine_words(verdict, findings, basis))
            self.open.set_items(items_of(verdict.not_checked))
        words, tone, remark = quality_words(view, analysis, self.context.prefix)
        self.badge.set_text(words)
        self.badge.set_tone(tone)
        self.quality.set_text(remark)
        risk = self._risk()
        self.risks.set_selected(risk.cell if risk and risk.mechanism != "none" else 0)
        self.certainty.show_risk(risk, analysis, vague)
        self.visits.show_visits(analysis, findings, verdict.code if verdict is not None else "")
        alert = self._alert(risk)
        if alert is not None:
            self._show_alert(alert)
        else:
            self._show_middle(risk)

    def _risk(self) -> CellRisk | None:
        """The cell in the middle: the chosen one, else the one that fails first."""
        risks = self._analysis().risks
        chosen = next((r for r in risks if r.cell == self._cell), None)
        if chosen is not None:
            return chosen
        findings = self.context.findings()
        ranked = with_evidence(risks, findings) or unsure(risks, findings)
        ranked = ranked or sorted(risks, key=lambda r: r.rank)
        return ranked[0] if ranked else None

    def _alert(self, risk: CellRisk | None) -> Finding | None:
        """The alert that decides, where no cell stands out and none was chosen."""
        findings = self.context.findings()
        if self._cell or (risk is not None and stands_out(risk, findings)):
            return None
        return deciding(findings)[1]

    def _show_alert(self, alert: Finding) -> None:
        self.middle.set_title(sentence(alert))
        self.subtitle.set_text(note(alert))
        key = (alert.id, id(self.context.view), self._tick // _CHART_TICKS)
        if key != self._charts_of:
            self._charts_of = key
            self._draw(charts_of_alert(self._evidence(), alert))

    def _show_middle(self, risk: CellRisk | None) -> None:
        view = self.context.view
        assert view is not None
        if risk is None:
            self.middle.set_title(text("No cell has been judged yet"))
            self.subtitle.set_text(text("Cell voltages, current and time are needed first."))
            for chart in self.charts:
                chart.setVisible(False)
            return
        name = text("Cell {cell}", cell=risk.cell)
        if risk.mechanism == "none":
            self.middle.set_title(text("{cell}: nothing found", cell=name))
            alone = len(view.timeline.columns(f"{self.context.prefix}cells")) == 1
            self.subtitle.set_text(
                text("A single cell: there is nothing beside it to compare it with.")
                if alone
                else text("The cell nearest to a limit, for comparison.")
            )
        else:
            reason = reason_words(risk)
            if not stands_out(risk, self.context.findings()):
                reason = text("not sure: {reason}", reason=reason)
            self.middle.set_title(text("{check}: {result}", check=name, result=reason))
            self.subtitle.set_text(self._found_words(risk.cell) or _evidence_words(risk))
        key = (risk.cell, risk.mechanism, id(view), self._tick // _CHART_TICKS)
        if key != self._charts_of:
            self._charts_of = key
            self._draw(charts(self._evidence(), risk))

    def _found_words(self, cell: int) -> str:
        """What detectors say of this cell, worst first."""
        findings = self.context.findings()
        open_ = [f for f in findings if f.cell == cell and f.state not in ("resolved", "pending")]
        told = [f for f in open_ if f.severity != "info"] or open_
        return " · ".join(sentence(f) for f in told[:2])

    def _evidence(self) -> Evidence:
        view = self.context.view
        assert view is not None
        analysis, context = self._analysis(), self.context
        return Evidence(view, analysis.health, analysis.visits, context.present_ns, context.prefix)

    def _analysis(self) -> AnalysisStatus:
        return self.context.analysis() or AnalysisStatus()

    def _draw(self, made: tuple[Chart, ...]) -> None:
        places = _PLACES[len(made)]
        for number, chart in enumerate(self.charts):
            self._grid.removeWidget(chart)
            chart.setVisible(number < len(made))
            if number < len(made):
                chart.set(made[number])
                self._grid.addWidget(chart, *places[number])

    # -- doing ---------------------------------------------------------------------------------

    def _choose(self, cell: int) -> None:
        self._cell = cell
        self.context.selection.choose(cell)
        self._show()

    def _show_moment(self, t0: int, t1: int) -> None:
        """The moment in Plots, with the cell among its curves."""
        risk = self._risk()
        if risk is not None:
            self.context.selection.choose(risk.cell)
            self.context.do("plot_cell")
        self.context.time.set_view(int(t0), int(t1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.visits.setVisible(self.height() >= _LOW_HEIGHT)
        narrow = self.width() < _NARROW_WIDTH
        self.visits.set_narrow(narrow)


def _evidence_words(risk: CellRisk) -> str:
    words = [evidence_words(item) for item in risk.evidence[:3]]
    return " · ".join(w for w in words if w)


def _scrolling(inside: QWidget) -> QScrollArea:
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    return area
