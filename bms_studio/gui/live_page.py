"""The Live page: tiles, cell grid, linked plots, and the right column; or three cards when empty.

Lays the parts out and feeds them; see live_tiles, cells_panel, live_plots, live_panels.
"""

from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.gui.cells_panel import CellsPanel
from bms_studio.gui.first_panel import FirstPanel
from bms_studio.gui.live_panels import AlertsPanel, BalancingPanel
from bms_studio.gui.live_plots import LivePlots
from bms_studio.gui.live_power import PowerPanel
from bms_studio.gui.live_quality import QualityPanel
from bms_studio.gui.live_tiles import TileRow
from bms_studio.gui.page import Context, Page
from bms_studio.gui.start_cards import start_cards
from bms_studio.language import text
from widgets.action_button import ActionButton
from widgets.cards import Cards
from widgets.theme import current_theme

DRAWER_BELOW_PX = 1400
_DRAWER_WIDTH = 420
_PAD_PX = 14  # of a panel
_LOW_HEIGHT = 640
_THREE_SUSPECTS_PX = 780  # with less height the column would scroll
_SIX_TILES_PX = 1800  # with less width their words would be cut
_SLOW_TICKS = 5
_GRID_TICKS = 3  # eight times a second: as fast as numbers can be read


class RightColumn(QWidget):
    """First to fail, alerts, power, balancing, how good the data are; beside the page, or over it
    as a drawer."""

    def __init__(self, context: Context, parent: QWidget) -> None:
        super().__init__(parent)
        self.floating, self.low = False, False
        self.first = FirstPanel(context)
        self.alerts = AlertsPanel(context)
        self.balancing = BalancingPanel(context)
        self.power = PowerPanel()
        self.quality = QualityPanel(context)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self.balancing.setMinimumHeight(72)
        # Where the window is low, the column scrolls rather than squeezes.
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self._column.addWidget(self.first)
        self._column.addWidget(self.alerts, 5)
        self._column.addWidget(self.power)
        self._column.addWidget(self.balancing, 3)
        self._column.addWidget(self.quality)

    def set_floating(self, floating: bool) -> None:
        """As a drawer it has a ground and a margin of its own."""
        self.floating = floating
        margin = 10 if floating else 0
        self._column.setContentsMargins(margin, margin, margin, margin)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        low = self.height() < _THREE_SUSPECTS_PX and not self.floating
        self.first.set_low(self.height() < _THREE_SUSPECTS_PX)
        self.power.set_low(low)
        self.quality.set_low(low)
        self.low = low

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.floating:
            painter = QPainter(self)
            painter.fillRect(self.rect(), current_theme().background)
            painter.fillRect(QRect(0, 0, 1, self.height()), current_theme().line)
            painter.end()


class LivePage(Page):
    """See the module."""

    key = "live"
    icon = "live"

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self._tick = 0
        self._drawer_open = False
        self.cards = Cards()
        self.cards.set_heading(
            text("What would you like to see?"),
            text("Nothing is sent on a bus unless you say so."),
        )
        self.cards.set_items(start_cards())
        self.cards.chosen.connect(context.do)
        self.content = QWidget()
        self._make_content()
        self._layers = QStackedLayout(self)
        self._layers.setContentsMargins(0, 0, 0, 0)
        self._layers.addWidget(self.cards)
        self._layers.addWidget(self.content)

    def _make_content(self) -> None:
        context = self.context
        self.tiles = TileRow()
        self.cells = CellsPanel(context)
        self.plots = LivePlots(context)
        self.right = RightColumn(context, self.content)
        self.drawer_button = ActionButton(text("Alerts"), "drawer", size=12)
        self.drawer_button.setCheckable(True)
        self.drawer_button.clicked.connect(self.toggle_drawer)
        self.cells.panel.add_to_header(self.drawer_button)
        left = QVBoxLayout()
        left.setSpacing(10)
        left.addWidget(self.cells, 5)
        self._beside_plots = QHBoxLayout()
        self._beside_plots.addWidget(self.plots)
        left.addLayout(self._beside_plots, 7)
        self._body = QHBoxLayout()
        self._body.setSpacing(10)
        self._body.addLayout(left, 68)
        self._body.addWidget(self.right, 32)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self.tiles)
        column.addLayout(self._body, 1)

    def view_changed(self) -> None:
        self.plots.view_changed()
        self._layers.setCurrentIndex(0 if self.context.view is None else 1)
        self._tick = 0
        self._arrange()

    def refresh(self) -> None:
        view = self.context.view
        readings = self.context.readings()
        if view is None or readings is None:
            return
        if self._tick % _SLOW_TICKS == 0:
            self.tiles.show_readings(self.context)
            self.plots.show_readings(readings)
            self._show_right()
        if self._tick % _GRID_TICKS == 0:
            self.cells.show_readings(readings)
        self.plots.refresh()
        self._tick += 1

    def _show_right(self) -> None:
        context = self.context
        view, readings, estimates = context.view, context.readings(), context.estimates()
        if view is None or readings is None or estimates is None:
            return
        findings = context.findings()
        # As the counts above the list: information waits for nobody.
        waiting = sum(f.state == "active" and f.severity != "info" for f in findings)
        self.drawer_button.set_text(text("Alerts {count}", count=waiting))
        right = self.right
        if not right.isVisible():
            return
        analysis = estimates.status or AnalysisStatus()
        right.first.show_risks(analysis.risks, findings, len(analysis.visits), estimates)
        right.alerts.show_findings(findings)
        has_cells = len(readings.cells_v) > 0
        right.power.setVisible(has_cells)
        right.balancing.setVisible(has_cells and not right.low)
        right.power.show_readings(readings, estimates)
        if not right.low:
            right.balancing.show_readings(view, readings)
        right.quality.show_readings(view, readings, estimates)

    def autorange(self) -> None:
        self.plots.autorange()

    def measure(self) -> None:
        self.context.time.toggle_range()

    def toggle_drawer(self) -> None:
        if self._narrow:
            self._drawer_open = not self._drawer_open
            self._arrange()
            self._show_right()

    @property
    def _narrow(self) -> bool:
        return self.window().width() < DRAWER_BELOW_PX

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest and self.right.floating:
            self._place_drawer()
        return super().event(event)

    def _arrange(self) -> None:
        narrow = self._narrow
        if narrow != self.right.floating:
            if narrow:
                self._body.removeWidget(self.right)
            else:
                self._body.addWidget(self.right, 32)
            self.right.set_floating(narrow)
        self._drawer_open = self._drawer_open and narrow
        self.right.setVisible(not narrow or self._drawer_open)
        self.drawer_button.setVisible(narrow)
        self.drawer_button.setChecked(self._drawer_open)
        covered = min(_DRAWER_WIDTH, self.width()) if self._drawer_open else 0
        self.cells.set_covered(max(covered - _PAD_PX, 0))
        self._beside_plots.setContentsMargins(0, 0, covered, 0)
        self.tiles.set_narrow(self.window().width() < _SIX_TILES_PX)
        self.plots.set_compact(self.height() < _LOW_HEIGHT)
        if narrow:
            self._place_drawer()

    def _place_drawer(self) -> None:
        top = self.cells.mapTo(self.content, self.cells.rect().topLeft()).y() + 44
        width = min(_DRAWER_WIDTH, self.width())
        self.right.setGeometry(self.width() - width, top, width, self.height() - top)
        self.right.raise_()
