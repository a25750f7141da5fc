"""What could be had against what is allowed: one bar per direction, a tick for the permission.

    PowerBars(parent=None)
      .set_rows([PowerRow(name, possible, allowed, scale, words, tone)])      .set_foot(str)
The bar ends at `possible`, the tick stands at `allowed`, both as shares of `scale`; NaN draws
neither. The words say the numbers: colour and length only repeat them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.text_line import elided
from widgets.theme import Theme, current_theme, font

_ROW, _FOOT = 32, 22
_NAME_SHARE, _NAME_MOST = 0.22, 104.0
_BAR_SHARE, _BAR_LEAST, _BAR_MOST = 0.24, 36.0, 140.0
_GAP = 12.0


@dataclass(frozen=True, slots=True)
class PowerRow:
    """possible, allowed, scale: one unit; NaN unknown. tone: a severity of the theme."""

    name: str
    possible: float
    allowed: float
    scale: float
    words: str
    tone: str = "ok"
    hint: str = ""


class PowerBars(QWidget):
    """See the module."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[PowerRow, ...] = ()
        self._foot = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_rows(self, rows: Sequence[PowerRow]) -> None:
        """Show these; nothing is painted if they are the same."""
        if tuple(rows) == self._rows:
            return
        if len(rows) != len(self._rows):
            self.updateGeometry()
        self._rows = tuple(rows)
        self.setAccessibleDescription("; ".join(f"{r.name}: {r.words}" for r in rows))
        self.setToolTip("\n".join(r.hint for r in rows if r.hint))
        self.update()

    def set_foot(self, text: str) -> None:
        """How to read the bars."""
        if text != self._foot:
            self._foot = text
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, _ROW * max(len(self._rows), 1) + (_FOOT if self._foot else 0))

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            theme = current_theme()
            for number, row in enumerate(self._rows):
                self._paint_row(painter, theme, row, number * _ROW)
            if self._foot:
                painter.setFont(font(11))
                painter.setPen(theme.muted)
                place = QRectF(0, _ROW * len(self._rows), self.width(), _FOOT)
                words = elided(self._foot, font(11), self.width())
                painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, words)
        finally:
            painter.end()

    def _widths(self) -> tuple[float, float]:
        """Of names and bars: where there is little room bars give way before words do."""
        metrics = QFontMetricsF(font(12))
        names = max((metrics.horizontalAdvance(r.name) for r in self._rows), default=0.0) + 10
        words = max((metrics.horizontalAdvance(r.words) for r in self._rows), default=0.0)
        name = max(min(self.width() * _NAME_SHARE, _NAME_MOST), min(names, _NAME_MOST))
        bar = min(self.width() * _BAR_SHARE, _BAR_MOST, self.width() - name - _GAP - words - 2)
        return name, max(bar, _BAR_LEAST)

    def _paint_row(self, painter: QPainter, theme: Theme, row: PowerRow, top: float) -> None:
        name_width, bar_width = self._widths()
        middle = top + _ROW / 2
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        name = elided(row.name, font(12), name_width - 6)
        place = QRectF(0, top, name_width, _ROW)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, name)
        self._paint_bar(painter, theme, row, QRectF(name_width, middle - 4.5, bar_width, 9))
        left = name_width + bar_width + _GAP
        room = self.width() - left
        words = elided(row.words, font(12), room)
        painter.setFont(font(12))
        painter.setPen(theme.text if not math.isnan(row.possible) else theme.muted)
        width = QFontMetricsF(font(12)).horizontalAdvance(words)
        place = QRectF(self.width() - width - 1, top, width + 2, _ROW)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, words)

    def _paint_bar(self, painter: QPainter, theme: Theme, row: PowerRow, box: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.line)
        painter.drawRoundedRect(box, 4.5, 4.5)
        if not row.scale > 0:
            return
        if row.possible > 0:
            share = min(row.possible / row.scale, 1.0)
            painter.setBrush(theme.severity(row.tone))
            wide = max(box.width() * share, 5.0)
            painter.drawRoundedRect(QRectF(box.left(), box.top(), wide, box.height()), 4.5, 4.5)
        if row.allowed >= 0:
            x = box.left() + box.width() * min(row.allowed / row.scale, 1.0)
            painter.setBrush(theme.panel)
            painter.drawRect(QRectF(x - 2, box.top() - 4, 4, box.height() + 8))
            painter.setBrush(theme.text)
            painter.drawRect(QRectF(x - 1, box.top() - 4, 2, box.height() + 8))


__all__ = ["PowerBars", "PowerRow"]
