"""Cells ranked by what speaks against them: name, probability, reason, and how soon.

    RiskList(parent=None)
      .set_items([RiskItem(cell, severity, name, share, reason, when, probability)])
      .set_selected(cell)      .set_empty(text)
    signals risk_selected(int), risk_hovered(int), risk_activated(int)
The word and the shape carry the meaning; bar and colour repeat it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.icons import severity_shape
from widgets.text_line import elided
from widgets.theme import Theme, current_theme, font, mix, semibold

_ROW, _GAP = 62, 6


@dataclass(frozen=True, slots=True)
class RiskItem:
    """One cell. share: words for the probability ("87 %", "–"); probability 0..1 or NaN: no bar;
    when: words for the range of time."""

    cell: int
    severity: str
    name: str
    share: str
    reason: str
    when: str = ""
    probability: float = math.nan


class RiskList(QWidget):
    """See the module. Arrow keys move the selection, Enter opens."""

    risk_selected = Signal(int)
    risk_hovered = Signal(int)
    risk_activated = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: tuple[RiskItem, ...] = ()
        self._selected = self._hovered = 0
        self._empty = ""
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_items(self, items: Sequence[RiskItem]) -> None:
        """Best known first; the same items change nothing."""
        if tuple(items) == self._items:
            return
        longer = len(items) != len(self._items)
        self._items = tuple(items)
        words = "; ".join(f"{i.name} {i.share} {i.reason} {i.when}".strip() for i in items)
        self.setAccessibleName(words or self._empty)
        if longer:
            self.updateGeometry()
        self.update()

    def set_selected(self, cell: int) -> None:
        """Mark a cell; 0 none."""
        if cell != self._selected:
            self._selected = cell
            self.update()

    def set_empty(self, words: str) -> None:
        """What stands there when nothing speaks against any cell."""
        if words != self._empty:
            self._empty = words
            self.setToolTip(words)
            if not self._items:
                self.setAccessibleName(words)
                self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        rows = max(len(self._items), 1)
        return QSize(260, rows * (_ROW + _GAP) - _GAP if self._items else self._empty_height())

    def _empty_height(self) -> int:
        """As many lines as the words need at this width."""
        room = QRectF(0, 0, max(self.width(), 160), 10_000)
        wrap = int(Qt.TextFlag.TextWordWrap)
        return max(
            44, round(QFontMetricsF(font(12)).boundingRect(room, wrap, self._empty).height()) + 8
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Other widths need other heights."""
        super().resizeEvent(event)
        if not self._items and event.oldSize().width() != event.size().width():
            self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def _row_at(self, y: float) -> int:
        row, inside = divmod(int(y), _ROW + _GAP)
        return row if 0 <= row < len(self._items) and inside < _ROW else -1

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self._row_at(event.position().y())
        if row >= 0:
            self.set_selected(self._items[row].cell)
            self.risk_selected.emit(self._items[row].cell)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        row = self._row_at(event.position().y())
        if row >= 0:
            self.risk_activated.emit(self._items[row].cell)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        row = self._row_at(event.position().y())
        self._hover(self._items[row].cell if row >= 0 else 0)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(0)
        super().leaveEvent(event)

    def _hover(self, cell: int) -> None:
        if cell != self._hovered:
            self._hovered = cell
            self.risk_hovered.emit(cell)
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        cells = [item.cell for item in self._items]
        if not cells or event.key() not in (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Return):
            super().keyPressEvent(event)
            return
        at = cells.index(self._selected) if self._selected in cells else 0
        if event.key() == Qt.Key.Key_Return:
            self.risk_activated.emit(cells[at])
            return
        at = min(max(at + (1 if event.key() == Qt.Key.Key_Down else -1), 0), len(cells) - 1)
        self.set_selected(cells[at])
        self.risk_selected.emit(cells[at])

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        try:
            if not self._items:
                painter.setFont(font(12))
                painter.setPen(theme.muted)
                wrap = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignVCenter
                painter.drawText(self.rect(), wrap, self._empty)
            for row, item in enumerate(self._items):
                box = QRectF(0, row * (_ROW + _GAP), self.width(), _ROW)
                self._paint_item(painter, box, item, theme)
        finally:
            painter.end()  # a painter left open by an error would bring down the process

    def _paint_item(self, painter: QPainter, box: QRectF, item: RiskItem, theme: Theme) -> None:
        chosen = item.cell == self._selected
        lit = item.cell == self._hovered
        painter.setPen(QPen(theme.accent if chosen else theme.border, 1.5 if chosen else 1.0))
        painter.setBrush(mix(theme.raised, theme.line, 0.5) if lit else theme.raised)
        painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 6, 6)
        severity_shape(painter, item.severity, QRectF(box.left() + 12, box.top() + 14, 12, 12))
        left, right = box.left() + 34, box.right() - 12
        share_width = QFontMetricsF(semibold(15)).horizontalAdvance(item.share)
        painter.setFont(semibold(15))
        painter.setPen(theme.text)
        painter.drawText(QPointF(right - share_width, box.top() + 25), item.share)
        name = elided(item.name, semibold(15), right - share_width - left - 8)
        painter.drawText(QPointF(left, box.top() + 25), name)
        self._paint_bar(painter, box, item, right - share_width, theme)
        when_width = QFontMetricsF(font(12)).horizontalAdvance(item.when)
        when = elided(item.when, font(12), max(right - left - 90, 60))
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        when_width = min(when_width, QFontMetricsF(font(12)).horizontalAdvance(when))
        painter.drawText(QPointF(right - when_width, box.top() + 47), when)
        reason = elided(item.reason, font(12), right - left - when_width - 10)
        painter.drawText(QPointF(left, box.top() + 47), reason)

    def _paint_bar(
        self, painter: QPainter, box: QRectF, item: RiskItem, end: float, theme: Theme
    ) -> None:
        room = end - box.left() - 130
        if not math.isfinite(item.probability) or room < 60:
            return
        place = QRectF(box.left() + 118, box.top() + 18, min(room, 120), 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.line)
        painter.drawRoundedRect(place, 2.5, 2.5)
        place.setWidth(max(place.width() * min(max(item.probability, 0.0), 1.0), 5.0))
        painter.setBrush(theme.severity(item.severity))
        painter.drawRoundedRect(place, 2.5, 2.5)
