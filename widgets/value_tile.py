"""One number that matters, with its caption, unit and what it means: the row of tiles of a page.

    ValueTile(parent=None)
      .set(TileText(caption, value, unit, sub, state, reason))
    signal clicked()
    state: "" | "watch" | "high" | "ok" | "stale"; value "" shows a dash, with `reason`
    in place of sub
The number keeps its place and its digits their width; texts elide, nothing is clipped.
"""

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.icons import severity_shape
from widgets.text_line import elided
from widgets.theme import Theme, current_theme, font, mix, semibold

_PAD = 14


@dataclass(frozen=True, slots=True)
class TileText:
    """What a tile shows. reason: what would make an unknown value known; short: said in place of
    `sub` where that does not fit."""

    caption: str
    value: str = ""
    unit: str = ""
    sub: str = ""
    state: str = ""
    reason: str = ""
    short: str = ""


class ValueTile(QWidget):
    """See the module."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = TileText("")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set(self, text: TileText) -> None:
        """Show another value; nothing is painted if it is the same."""
        if text == self._text:
            return
        self._text = text
        parts = (text.caption, text.value or "–", text.unit if text.value else "", self._below())
        self.setAccessibleName(" ".join(part for part in parts if part))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(220, 80)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 80)

    def _below(self) -> str:
        return self._text.sub if self._text.value else self._text.reason

    def _fitting_below(self) -> str:
        below, room = self._below(), self.width() - 2 * _PAD
        cut = elided(below, font(12), room)
        if cut == below or not (self._text.value and self._text.short):
            return cut
        return elided(self._text.short, font(12), room)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.border, 1))
        painter.setBrush(theme.panel)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(box, theme.sizes.radius, theme.sizes.radius)
        self._paint_caption(painter, theme)
        self._paint_value(painter, theme)
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        painter.drawText(QPointF(_PAD, 70), self._fitting_below())
        painter.end()

    def _paint_caption(self, painter: QPainter, theme: Theme) -> None:
        mark = self._text.value and self._text.state in ("watch", "high")
        room = self.width() - 2 * _PAD - (18 if mark else 0)
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        painter.drawText(QPointF(_PAD, 22), elided(self._text.caption, font(12), room))
        if mark:
            place = QRectF(self.width() - _PAD - 11, 12, 11, 11)
            severity_shape(painter, self._text.state, place)

    def _paint_value(self, painter: QPainter, theme: Theme) -> None:
        text = self._text
        color = theme.text
        if text.state in ("watch", "high", "ok"):
            color = theme.severity(text.state)
        elif text.state == "stale" or not text.value:
            color = theme.muted
        value, unit = text.value or "–", text.unit if text.value else ""
        unit_width = QFontMetricsF(font(14)).horizontalAdvance(unit) + 5 if unit else 0.0
        shape = _fitting(value, self.width() - 2 * _PAD - unit_width)
        value = elided(value, shape, self.width() - 2 * _PAD - unit_width)
        painter.setFont(shape)
        painter.setPen(color)
        painter.drawText(QPointF(_PAD, 51), value)
        if unit:
            painter.setFont(font(14))
            painter.setPen(mix(theme.muted, color, 0.3))
            x = _PAD + QFontMetricsF(shape).horizontalAdvance(value) + 5
            painter.drawText(QPointF(x, 51), unit)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            cut = self._fitting_below() != self._below()
            lines = (self._below() if cut else "", self.toolTip())
            QToolTip.showText(event.globalPos(), "\n".join(filter(None, lines)), self)
            return True
        return super().event(event)


def _fitting(value: str, room: float) -> QFont:
    """The large font, or the next smaller one in which the number fits."""
    for pixels in (26, 22, 19):
        if QFontMetricsF(semibold(pixels)).horizontalAdvance(value) <= room:
            return semibold(pixels)
    return semibold(16)
