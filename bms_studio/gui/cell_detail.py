"""The right column of the Cells page: the cell looked at, or two of them, against the pack.

With no cell chosen it tells what the estimates stand on and what they still need.
"""

from collections.abc import Sequence

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from bms_studio.gui.cell_sources import DifferenceSource, ModelSource
from bms_studio.gui.cell_view import cell_name
from bms_studio.gui.contract import Analysed
from bms_studio.gui.estimate_words import (
    DETAILED,
    basis_facts,
    cell_facts,
    compared_cells,
    compared_facts,
    meter_rows,
    notes_words,
    run_words,
    visits_words,
)
from bms_studio.gui.evidence import Evidence, neighbours, over_time, strongest_step
from bms_studio.gui.live_panels import FactRows
from bms_studio.gui.live_plots import plot_texts
from bms_studio.gui.page import Context
from bms_studio.gui.readings import number
from bms_studio.gui.sources import GroupSource
from bms_studio.gui.spread_charts import SPREADS, spread_charts
from bms_studio.language import text
from widgets.action_button import ActionButton
from widgets.chart import Chart
from widgets.meters import Meters
from widgets.panel import Panel
from widgets.plot_parts import Named
from widgets.plot_stack import PlotStack
from widgets.small_chart import SmallChart
from widgets.text_line import TextLine
from widgets.theme import current_theme
from widgets.trace_plot import TracePlot

_PLOT_PX, _CHART_PX = 150, 150
_CHARTS_EVERY = 10  # refreshes between two looks at evidence: it changes with minutes


class PackDetail(QWidget):
    """No cell chosen: what the estimates stand on, what they need, what the BMS says beside."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.basis = Panel(text("What the estimates stand on"))
        self.again = ActionButton(text("Run again…"), tone="link", size=12)
        self.again.clicked.connect(lambda: context.do("analyse"))
        self.basis.add_to_header(self.again)
        self.basis_rows = FactRows(4, first_width=96, fit=True)
        self.basis.add(self.basis_rows)
        self.notes = QLabel()
        self.notes.setWordWrap(True)
        self.notes.setProperty("tone", "warn")
        self.notes.hide()
        self.basis.add(self.notes)
        self.meters_panel = Panel(text("Is the data good enough?"))
        self.meters = Meters()
        self.meters_panel.add(self.meters)
        self.compared = Panel(text("Estimate and BMS"))
        self.compared_rows = FactRows(3, first_width=96, fit=True)
        self.compared.add(self.compared_rows)
        self.advice = TextLine(
            text("Choose a cell to see it against the pack; Ctrl+click compares a second one"),
            tone="muted",
            size=12,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        self.charts = [SmallChart() for _ in SPREADS]
        grid = _grid_of(self.charts)
        for part in (self.basis, self.meters_panel, self.compared, self.advice):
            column.addWidget(part)
        column.addLayout(grid)
        column.addStretch(1)

    def refresh(self) -> None:
        """Bring all words up to date."""
        readings, estimates = self.context.readings(), self.context.estimates()
        if readings is None or estimates is None:
            return
        status = estimates.status
        self.again.setVisible(isinstance(self.context.view, Analysed))
        if status is None:
            said = text("this pack is shown, not estimated")
            self.basis.set_note(said)
            self.basis_rows.set_rows([])
        else:
            shown = (text("Analysis"), run_words(status), visits_words(status.visits), "text")
            self.basis.set_note("")
            self.basis_rows.set_rows([*basis_facts(status.basis), shown])
        notes = notes_words(status.basis) if status is not None else ""
        self.notes.setVisible(bool(notes))
        self.notes.setText(notes)
        self.meters_panel.setVisible(status is not None)
        self.meters.set_rows(meter_rows(estimates))
        spreads = spread_charts(estimates) if estimates.count > 1 else []
        for n, chart in enumerate(self.charts):
            chart.setVisible(n < len(spreads))
            chart.set(spreads[n] if n < len(spreads) else Chart())
        rows = compared_facts(readings, estimates)
        self.compared.setVisible(bool(rows))
        self.compared_rows.set_rows(rows)


def _grid_of(charts: Sequence[SmallChart]) -> QGridLayout:
    """Two charts in a row."""
    grid = QGridLayout()
    grid.setSpacing(10)
    for n, chart in enumerate(charts):
        chart.setMinimumHeight(_CHART_PX)
        grid.addWidget(chart, n // 2, n % 2)
    return grid


class OneCell(QWidget):
    """A cell chosen: its numbers, against the pack's band, against the model, joints, history."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self._shown: tuple[object, ...] = ()
        self._ticks = 0
        self._model: ModelSource | None = None
        self.panel = Panel()
        plots = ActionButton(text("Plots"), tone="link", size=12)
        plots.clicked.connect(lambda: context.do("plot_cell"))
        self.panel.add_to_header(plots)
        self.rows = FactRows(len(DETAILED) + 1, first_width=126, fit=True)
        self.panel.add(self.rows)
        self.stack = PlotStack(context.time)
        self.voltage = TracePlot(context.time)
        self.difference = TracePlot(context.time)
        self.charge = TracePlot(context.time)
        self.model = TracePlot(context.time)
        for plot in (self.voltage, self.difference, self.charge, self.model):
            plot.set_texts(plot_texts())
            plot.setMinimumHeight(_PLOT_PX)
            self.stack.add(plot, 1, time_axis=plot is self.voltage)
        self.voltage.set_minimum_span(0.02)
        self.model.set_minimum_span(0.02)
        self.difference.set_minimum_span(4.0)
        self.charge.set_minimum_span(2.0)
        self.charts = [SmallChart() for _ in range(4)]
        grid = _grid_of(self.charts)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self.panel)
        column.addWidget(self.stack)
        column.addLayout(grid)
        column.addStretch(1)
        for plot in (self.voltage, self.charge):
            plot.trace_hovered.connect(lambda index: context.selection.hover(index + 1))

    def forget(self) -> None:
        """Other data: everything is set anew."""
        self._shown = ()

    def refresh(self, slow: bool) -> None:
        """Repaint what has new data; slow: words too."""
        self._set_sources()
        self.stack.refresh()
        if slow:
            self._show_words()
            if self._ticks % _CHARTS_EVERY == 0:
                self._show_charts()
            self._ticks += 1

    def _set_sources(self) -> None:
        context, selection = self.context, self.context.selection
        view = context.view
        if view is None:
            return
        cell, second, prefix = selection.selected, selection.compared, context.prefix
        theme = current_theme()
        key = (id(view.timeline), prefix, cell, second, theme.name)
        if key == self._shown:
            return
        self._shown, self._ticks = key, 0
        timeline = view.timeline
        self.voltage.set_source(GroupSource(timeline, prefix + "cells"))
        self.charge.set_source(GroupSource(timeline, prefix + "estimates/soc", factor=100.0))
        named = [Named(cell - 1, str(cell), theme.accent)]
        if second:
            named.append(Named(second - 1, str(second), theme.warn))
            source = DifferenceSource(timeline, prefix + "cells", cell, second, 1000.0)
            self.difference.set_source(source)
        self.voltage.set_named(named)
        self.charge.set_named(named)
        self.difference.setVisible(bool(second))
        self.model.setVisible(not second)
        self._model = ModelSource(timeline, prefix, cell, context.analysis)
        self.model.set_source(self._model)
        self.model.set_named(
            [Named(1, text("model"), theme.warn), Named(0, text("cell"), theme.accent)]
        )

    def _show_words(self) -> None:
        context, selection = self.context, self.context.selection
        estimates = context.estimates()
        if estimates is None:
            return
        cell, second = selection.selected, selection.compared
        pack = context.pack_status()
        title = cell_name(cell, pack)
        if second:
            title = text("Cells {a} and {b}", a=cell, b=second)
        self.panel.set_title(title)
        facts = compared_cells(estimates, cell, second) if second else cell_facts(estimates, cell)
        self.rows.set_rows(facts)
        labels = [text("Cell {cell}", cell=n + 1) for n in range(estimates.count)]
        self.voltage.set_labels(labels, 3)
        self.charge.set_labels(labels, 1)
        others_note = text("all {cells} cells behind", cells=estimates.count)
        if estimates.count < 2:
            others_note = text("the only cell")
        self.voltage.set_header(text("Voltage against the pack"), "V", others_note)
        known = estimates.known("soc")
        note = others_note if known else text("unknown: {need}", need=estimates.need("soc"))
        self.charge.set_header(text("Charge against the pack"), "%", note)
        self.model.set_labels([text("measured"), text("model")], 3)
        self.model.set_header(text("Model and measurement"), "V", self._model_note(known))
        self.difference.set_header(text("Cell {a} minus cell {b}", a=cell, b=second), "mV")

    def _model_note(self, known: bool) -> str:
        if not known:
            return text("no prediction without an estimate")
        if self._model is None or not self._model.asked:
            return ""
        error_v = self._model.error_v
        if error_v != error_v:
            return text("no prediction in this span: needs current and charge")
        return text("published curve · {mv} mV apart (rms)", mv=number(1000 * error_v, 1))

    def _show_charts(self) -> None:
        context = self.context
        estimates, view = context.estimates(), context.view
        if view is None or estimates is None:
            return
        cell, status = context.selection.selected, estimates.status
        visits = status.visits if status is not None else ()
        evidence = Evidence(view, estimates.health, visits, context.present_ns, context.prefix)
        made = (
            neighbours(evidence, cell),
            strongest_step(evidence, cell),
            over_time(evidence, cell, "resistance_ohm"),
            over_time(evidence, cell, "capacity_ah"),
        )
        for chart, content in zip(self.charts, made, strict=True):
            chart.set(content)


class CellDetail(QWidget):
    """See the module. Beside the table, or over it as a drawer."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.floating = False
        self._ticks = 0
        self.pack = PackDetail(context)
        self.cell = OneCell(context)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.pack)
        self._column.addWidget(self.cell)
        self.area = QScrollArea()
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)
        self._choose()

    def set_floating(self, floating: bool) -> None:
        """As a drawer it has a ground and a margin of its own."""
        self.floating = floating
        margin = 10 if floating else 0
        self._column.setContentsMargins(margin, margin, margin, margin)

    def forget(self) -> None:
        """Another view, or another pack."""
        self.cell.forget()
        self._ticks = 0

    def refresh(self, slow: bool) -> None:
        """Bring what is visible up to date; slow: words too."""
        self._choose()
        if not self.isVisible():
            return
        if self.context.selection.selected:
            self.cell.refresh(slow)
        elif slow:
            self.pack.refresh()

    def _choose(self) -> None:
        chosen = bool(self.context.selection.selected)
        self.pack.setVisible(not chosen)
        self.cell.setVisible(chosen)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.floating:
            painter = QPainter(self)
            painter.fillRect(self.rect(), current_theme().background)
            painter.fillRect(QRect(0, 0, 1, self.height()), current_theme().line)
            painter.end()
