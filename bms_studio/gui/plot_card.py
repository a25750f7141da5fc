"""One plot of the Plots page: signals of one unit, a close button, a place to drop more on.

Wires signals by role to a TracePlot; the page decides what stands where.
"""

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPoint, QRect, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from bms_studio.gui.contract import PackView
from bms_studio.gui.live_plots import plot_texts
from bms_studio.gui.page import Context
from bms_studio.gui.plot_signals import PlotSignal
from bms_studio.gui.sources import JoinedSource
from bms_studio.language import text
from widgets.action_button import ActionButton
from widgets.plot_parts import Named
from widgets.signal_tree import decode_keys
from widgets.theme import current_theme
from widgets.trace_plot import TracePlot

_GRID_PX = 26
_LEAST_SPAN = {"V": 0.01, "mV": 4.0, "°C": 2.0, "A": 1.0, "%": 1.0}
_DECIMALS = {"V": 3, "mV": 1, "°C": 1, "A": 2, "%": 1}
_MOST_BALANCED = 24


class PlotCard(TracePlot):
    """A TracePlot that knows its signals by role."""

    closed = Signal()
    dropped = Signal(object)  # tuple of roles

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context.time, parent)
        self.context = context
        self.signals: list[PlotSignal] = []
        self._named_cells: list[tuple[int, str]] = []
        self.setAcceptDrops(True)
        self.setMinimumHeight(120)
        self.set_texts(plot_texts())
        self.close_button = ActionButton(text("Remove this plot"), "close", "quiet", self)
        self.close_button.set_icon_only(True)
        self.close_button.clicked.connect(self.closed)
        self.fine_button = ActionButton(text("1 mV per line"), "", "", self, size=12)
        self.fine_button.setCheckable(True)
        self.fine_button.toggled.connect(self._fine_chosen)
        selection = context.selection
        self.trace_hovered.connect(self._hovered_trace)
        self.trace_clicked.connect(self._clicked_trace)
        selection.cell_hovered.connect(self._show_selection)
        selection.cell_selected.connect(self._show_selection)

    @property
    def names(self) -> list[str]:
        """Roles of its signals."""
        return [signal.name for signal in self.signals]

    @property
    def unit(self) -> str:
        """The unit that all its signals share."""
        return self.signals[0].unit if self.signals else ""

    def takes(self, signal: PlotSignal) -> bool:
        """Whether a signal can join: same unit, and neither fills a plot by itself."""
        alone = any(s.columns is None and not s.field for s in (*self.signals, signal))
        return signal.unit == self.unit and not alone and signal.name not in self.names

    def show_signals(self, signals: Sequence[PlotSignal], view: PackView) -> None:
        """Draw these signals of one unit."""
        self.signals = list(signals)
        sources = [signal.source(view) for signal in self.signals]
        self.set_source(sources[0] if len(sources) == 1 else JoinedSource(sources))
        title = ", ".join(signal.label for signal in self.signals)
        self.set_header(title, self.unit, self._remark())
        self.set_step(all(signal.step for signal in self.signals))
        self.set_minimum_span(_LEAST_SPAN.get(self.unit, 1e-6))
        self.refresh_labels(view)
        self.fine_button.setVisible(self.unit == "mV")
        self._show_selection(0)

    def refresh_labels(self, view: PackView) -> None:
        """Names of the traces; a pack may turn out to have more cells."""
        labels: list[str] = []
        for signal in self.signals:
            columns = signal.measured_columns(view)
            labels += [signal.column_label(column, view) for column in columns] or [signal.label]
        whole = bool(self.signals) and self.signals[0].name == "balancing"
        self.set_labels(labels, 0 if whole else _DECIMALS.get(self.unit))
        if self.signals and self.signals[0].name == "balancing":
            self._name_balanced(view)
        elif len(self.signals) > 1:
            self.set_named([Named(n, short(s)) for n, s in enumerate(self.signals)])

    def _name_balanced(self, view: PackView) -> None:
        """Violet for the cells that were ever balanced, each with its number."""
        span = view.timeline.span() or (0, 1)
        found = view.timeline.fetch(self.signals[0].group, *span, 50)
        on = np.flatnonzero(np.any((found.high > 0) & (found.high < 255), axis=1))
        violet = current_theme().balancing
        named = [Named(int(n), str(n + 1), violet) for n in on[:_MOST_BALANCED]]
        shown = [(n.index, "") for n in named]
        if shown != self._named_cells:
            self._named_cells = shown
            self.set_named(named)

    def name_outliers(self, named: tuple[Named, ...]) -> None:
        """Name these cells at their curves, where the plot shows all cells; or the balanced."""
        first = self.signals[0] if self.signals else None
        if first is not None and first.name == "balancing" and self.context.view is not None:
            self._name_balanced(self.context.view)
        elif first is not None and first.name in ("cells", "deviation"):
            shown = [(n.index, n.color.name() if n.color else "") for n in named]
            if shown != self._named_cells:
                self._named_cells = shown
                self.set_named(named)

    def colour_of(self, position: int) -> QColor | None:
        """The colour of its n-th signal, where signals are told apart by colour."""
        if len(self.signals) < 2:
            return None
        series = current_theme().series
        return series[position % len(series)]

    def _remark(self) -> str:
        if any(signal.group.endswith("deviation") for signal in self.signals):
            return text("raw, not averaged; extremes kept")
        return ""

    # -- the finer things ----------------------------------------------------------------------

    def _fine_chosen(self, fine: bool) -> None:
        if not fine:
            self.autorange()
            return
        low, high = self.y_range
        half = max(self.plot_area().height() / _GRID_PX / 2, 2.0)
        middle = 0.0 if low <= 0 <= high else (low + high) / 2
        self.set_y_range((middle - half, middle + half))

    def autorange(self) -> None:
        self.fine_button.setChecked(False)
        super().autorange()

    def _cell_of(self, index: int) -> int:
        """The cell that a trace belongs to; 0: none."""
        if index < 0 or not self.signals:
            return 0
        first = self.signals[0]
        if first.by_cell and first.columns is None:
            return index + 1
        signal = self.signals[index] if index < len(self.signals) else first
        return signal.columns[0] + 1 if signal.by_cell and signal.columns else 0

    def _hovered_trace(self, index: int) -> None:
        self.context.selection.hover(self._cell_of(index))

    def _clicked_trace(self, index: int) -> None:
        cell = self._cell_of(index)
        if cell or (self.signals and self.signals[0].by_cell):
            self.context.selection.choose(cell)

    def _show_selection(self, _cell: int) -> None:
        cell = self.context.selection.hovered or self.context.selection.selected
        first = self.signals[0] if self.signals else None
        whole = first is not None and first.by_cell and first.columns is None
        self.set_highlight(cell - 1 if whole else -1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        size = self.close_button.sizeHint()
        self.close_button.setGeometry(QRect(QPoint(self.width() - size.width() - 6, 3), size))
        fine = self.fine_button.sizeHint()
        left = self.close_button.x() - fine.width() - 14
        self.fine_button.setGeometry(QRect(QPoint(left, 3), fine))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if decode_keys(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        names = decode_keys(event.mimeData())
        if names:
            event.acceptProposedAction()
            self.dropped.emit(names)


def short(signal: PlotSignal) -> str | None:
    """What fits at the end of a curve: a cell's number; None lets the plot show the value."""
    if signal.by_cell and signal.columns:
        return str(signal.columns[0] + 1)
    if signal.group.endswith("probes") and signal.columns:
        return f"P{signal.columns[0] + 1}"
    return None
