"""Plots above each other with one time axis: zoom, pan, cursor and measured range go together."""

from typing import Protocol, cast

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets.theme import current_theme
from widgets.time_view import TimeView


class _Plot(Protocol):
    """What a stack asks of its plots besides being a QWidget made with the stack's view."""

    def refresh(self) -> None: ...
    def autorange(self) -> None: ...
    def set_time_axis(self, shown: bool) -> None: ...


class PlotStack(QWidget):
    """A column of plots that were made with `stack.view`."""

    view_changed = Signal(object, object)  # t0_ns, t1_ns
    range_measured = Signal(object, object)  # t0_ns, t1_ns; None, None when measuring ended

    def __init__(self, view: TimeView | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = view or TimeView(parent=self)
        self._plots: list[QWidget] = []
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # it fills all of itself
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(current_theme().sizes.gap)
        self.view.view_changed.connect(self.view_changed)
        self.view.range_changed.connect(self._on_range)

    @property
    def plots(self) -> tuple[QWidget, ...]:
        """From top to bottom."""
        return tuple(self._plots)

    def add(self, plot: QWidget, stretch: int = 1, time_axis: bool = False) -> None:
        """Append a plot; at least one of a stack should carry the time axis."""
        self._plots.append(plot)
        self._column.addWidget(plot, stretch)
        cast(_Plot, plot).set_time_axis(time_axis)

    def remove(self, plot: QWidget) -> None:
        """Take a plot out and delete it. ValueError if it is not in this stack."""
        self._plots.remove(plot)
        self._column.removeWidget(plot)
        plot.deleteLater()

    def set_now(self, now_ns: int) -> None:
        """The newest data; moves a following view."""
        self.view.set_now(now_ns)

    def follow(self, span_ns: int | None = None) -> None:
        """Back to the newest data, showing `span_ns` (None: as much as now)."""
        self.view.follow(span_ns)

    def autorange(self) -> None:
        """Fit the y range of every plot."""
        for plot in self._plots:
            cast(_Plot, plot).autorange()

    def toggle_measure(self) -> None:
        """Begin or end measuring a range."""
        self.view.toggle_range()

    def refresh(self) -> None:
        """Repaint the plots that have something new; for the window's clock."""
        for plot in self._plots:
            cast(_Plot, plot).refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), current_theme().background)
        painter.end()

    def _on_range(self, range_ns: tuple[int, int] | None) -> None:
        self.range_measured.emit(*(range_ns or (None, None)))
