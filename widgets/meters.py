"""How much of what is needed is there: one short bar per quantity, with words for the next step.

    Meters(parent=None)
      .set_rows([MeterRow(name, share, words, hint)])
share 0..1, NaN: nothing is known of it. A full bar has a tick mark, so that colour is not alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.text_line import elided
from widgets.theme import Theme, current_theme, font

_ROW = 22
_NAME_SHARE, _NAME_MOST = 0.34, 150.0
_BAR_SHARE, _BAR_MOST = 0.2, 84.0
_GAP = 12.0
_FULL = 0.995


@dataclass(frozen=True, slots=True)
class MeterRow:
    """share: 0..1; words: what is known, or what to do next."""

    name: str
    share: float
    words: str = ""
    hint: str = ""


class Meters(QWidget):
    """See the module."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[MeterRow, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_rows(self, rows: Sequence[MeterRow]) -> None:
        """Show these; nothing is painted if they are the same."""
        if tuple(rows) == self._rows:
            return
        if len(rows) != len(self._rows):
            self.updateGeometry()
        self._rows = tuple(rows)
        self.setAccessibleDescription("; ".join(f"{r.name}: {r.words}" for r in rows))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, _ROW * max(len(self._rows), 1))

    def minimumSizeHint(self) -> QSize:
        return QSize(220, self.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = event.pos().y() // _ROW
            if 0 <= row < len(self._rows):
                shown = self._rows[row]
                lines = (f"{shown.name}: {shown.words}", shown.hint)
                QToolTip.showText(event.globalPos(), "\n".join(filter(None, lines)), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for number, row in enumerate(self._rows):
                self._paint_row(painter, current_theme(), row, number * _ROW)
        finally:
            painter.end()

    def _paint_row(self, painter: QPainter, theme: Theme, row: MeterRow, top: float) -> None:
        name_width = min(self.width() * _NAME_SHARE, _NAME_MOST)
        bar_width = min(self.width() * _BAR_SHARE, _BAR_MOST)
        full = row.share >= _FULL
        painter.setFont(font(12))
        painter.setPen(theme.text)
        name = elided(row.name, font(12), name_width - 6)
        painter.drawText(QRectF(0, top, name_width, _ROW), Qt.AlignmentFlag.AlignVCenter, name)
        box = QRectF(name_width, top + _ROW / 2 - 3.5, bar_width, 7)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.line)
        painter.drawRoundedRect(box, 3.5, 3.5)
        if not math.isnan(row.share) and row.share > 0:
            wide = max(box.width() * min(row.share, 1.0), 4.0)
            painter.setBrush(theme.ok if full else theme.accent)
            painter.drawRoundedRect(QRectF(box.left(), box.top(), wide, box.height()), 3.5, 3.5)
        left = name_width + bar_width + _GAP
        if full:
            painter.setPen(QPen(theme.ok, 1.8))
            y = top + _ROW / 2
            tick = [QPointF(left, y), QPointF(left + 3.5, y + 3.5), QPointF(left + 10, y - 4)]
            painter.drawPolyline(tick)
            left += 17
        painter.setPen(theme.muted)
        words = elided(row.words, font(12), self.width() - left)
        place = QRectF(left, top, max(self.width() - left, 1), _ROW)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, words)


__all__ = ["MeterRow", "Meters"]
