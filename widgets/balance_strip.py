"""When each cell was balanced: one violet bar row per cell over a span of time.

    BalanceStrip(parent=None)
      .set_rows([BalanceRow(cell, text, intervals, active)])     intervals int64[n, 2] start, end ns
      .set_span(t0_ns, t1_ns)
      .set_empty(str); .set_highlight(cell)
    signals cell_hovered(int), cell_selected(int), cell_activated(int); 0 = none
An active row has a filled dot before its name: colour is not the only sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from widgets.text_line import elided
from widgets.theme import Theme, current_theme, font, semibold

_ROW = 20


@dataclass(frozen=True, slots=True, eq=False)
class BalanceRow:
    """One cell: its name, when it was balanced (int64[n, 2] ns, start before end), and whether it
    is balanced now."""

    cell: int
    text: str
    intervals: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    active: bool = False


def bars(
    intervals: NDArray[np.int64], t0: int, t1: int, left: float, width: float
) -> list[tuple[float, float]]:
    """Intervals clipped to the span as (x, width) in pixels, at least 2 px wide; touching ones
    merged."""
    if t1 <= t0 or not len(intervals):
        return []
    inside = intervals[(intervals[:, 1] >= t0) & (intervals[:, 0] <= t1)]
    scale = width / (t1 - t0)
    result: list[tuple[float, float]] = []
    for start, end in inside.tolist():
        x = left + (max(start, t0) - t0) * scale
        wide = max((min(end, t1) - max(start, t0)) * scale, 2.0)
        x = min(x, left + width - wide)
        if result and x <= sum(result[-1]) + 0.5:
            before = result[-1][0]
            result[-1] = (before, max(sum(result[-1]), x + wide) - before)
        else:
            result.append((x, wide))
    return result


class BalanceStrip(QAbstractScrollArea):
    """See the module."""

    cell_hovered = Signal(int)
    cell_selected = Signal(int)
    cell_activated = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self._rows: tuple[BalanceRow, ...] = ()
        self._t0 = self._t1 = 0
        self._empty = ""
        self._highlight = self._hovered = 0

    def set_rows(self, rows: Sequence[BalanceRow]) -> None:
        """The cells to show, in the order given."""
        self._rows = tuple(rows)
        names = ", ".join(row.text for row in self._rows if row.active)
        self.setAccessibleDescription(names or self._empty)
        self._set_range()
        self.viewport().update()

    def set_span(self, t0_ns: int, t1_ns: int) -> None:
        """Left and right end of every row."""
        if (t0_ns, t1_ns) != (self._t0, self._t1):
            self._t0, self._t1 = t0_ns, t1_ns
            self.viewport().update()

    def set_empty(self, text: str) -> None:
        """What to say when no cell was balanced."""
        self._empty = text
        self.viewport().update()

    def set_highlight(self, cell: int) -> None:
        """Mark the cell that the pointer is on elsewhere; 0 = none."""
        if cell != self._highlight:
            self._highlight = cell
            self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(400, max(len(self._rows), 1) * _ROW)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, _ROW)

    def _set_range(self) -> None:
        hidden = len(self._rows) * _ROW - self.viewport().height()
        self.verticalScrollBar().setRange(0, max(hidden, 0))
        self.verticalScrollBar().setPageStep(self.viewport().height())
        self.verticalScrollBar().setSingleStep(_ROW)

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self.height() > _ROW:  # whole rows only
            self.setViewportMargins(0, 0, 0, self.height() % _ROW)
        self._set_range()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), theme.panel)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._rows:
            painter.setFont(font(12))
            painter.setPen(theme.muted)
            wrap = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
            painter.drawText(self.viewport().rect(), wrap, self._empty)
        # Both weights: where a script has no semibold, that one may be the narrower.
        shapes = [QFontMetricsF(shape) for shape in (font(12), semibold(12))]
        names = (shape.horizontalAdvance(row.text) + 1 for shape in shapes for row in self._rows)
        name_width = min(max(names, default=0.0), self.viewport().width() * 0.35)
        offset = self.verticalScrollBar().value()
        for number, row in enumerate(self._rows):
            y = number * _ROW - offset
            if -_ROW < y < self.viewport().height():
                self._paint_row(painter, theme, row, y, name_width)
        painter.end()

    def _paint_row(
        self, painter: QPainter, theme: Theme, row: BalanceRow, y: int, name_width: float
    ) -> None:
        marked = row.cell in (self._highlight, self._hovered)
        shape = semibold(12) if marked else font(12)
        painter.setFont(shape)
        painter.setPen(theme.text if marked or row.active else theme.muted)
        name = QRectF(14, y, name_width + 2, _ROW)
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter, elided(row.text, shape, name_width))
        if row.active:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.balancing)
            painter.drawEllipse(QRectF(1, y + _ROW / 2 - 4, 8, 8))
        left = 14 + name_width + 12
        width = self.viewport().width() - left - 2
        if width < 20:
            return
        painter.setPen(QPen(theme.line, 1))
        painter.drawLine(int(left), y + _ROW // 2, int(left + width), y + _ROW // 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.balancing)
        for x, wide in bars(row.intervals, self._t0, self._t1, left, width):
            painter.drawRoundedRect(QRectF(x, y + _ROW / 2 - 4, wide, 8), 2, 2)

    def _cell_at(self, point: QPoint) -> int:
        row = (point.y() + self.verticalScrollBar().value()) // _ROW
        return self._rows[row].cell if 0 <= row < len(self._rows) else 0

    def _hover(self, cell: int) -> None:
        if cell != self._hovered:
            self._hovered = cell
            self.cell_hovered.emit(cell)
            self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self._cell_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.cell_selected.emit(self._cell_at(event.position().toPoint()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position().toPoint())
        if cell:
            self.cell_activated.emit(cell)
