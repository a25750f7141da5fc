"""The strip on top of every page: the verdict in a word, why, what to do next, and whose it is.

    VerdictStrip(parent=None)
      .set(VerdictText(word, severity, headline, detail, identity, state, tag))
    signal clicked()
    severity: ok | watch | warn | high | stop | info | "" (not enough data: muted)
    tag: a word that must not be missed ("SIMULATED"), framed before the identity
The word carries the meaning; colour and edge only repeat it.
"""

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QTextLayout,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.text_line import elided
from widgets.theme import Theme, current_theme, font, semibold

_EDGE, _PAD, _GAP = 6, 16, 20


@dataclass(frozen=True, slots=True)
class VerdictText:
    """All words of the strip, in the reader's language."""

    word: str = ""
    severity: str = ""
    headline: str = ""
    detail: str = ""
    identity: str = ""
    state: str = ""
    tag: str = ""


def two_lines(text: str, shape: QFont, width: float) -> list[str]:
    """`text` in at most two lines of `width` pixels, the second cut if need be; [] for none."""
    if not text:
        return []
    layout = QTextLayout(text, shape)
    layout.beginLayout()
    line = layout.createLine()
    line.setLineWidth(max(width, 1.0))
    first = line.textLength()
    layout.endLayout()
    if first >= len(text):
        return [text]
    return [text[:first], elided(text[first:], shape, width)]


class VerdictStrip(QWidget):
    """See the module. The right block takes at most 38 % of the width."""

    clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = VerdictText()
        self._cut: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set(self, text: VerdictText) -> None:
        """Show another verdict."""
        if text == self._text:
            return
        self._text = text
        parts = (text.word, text.headline, text.detail, text.tag, text.identity, text.state)
        self.setAccessibleName(". ".join(part for part in parts if part))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(1000, 68)

    def minimumSizeHint(self) -> QSize:
        return QSize(480, 68)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_frame(painter, theme)
        left = self._paint_word(painter, theme)
        right = self._paint_identity(painter, theme)
        room = right - left - _GAP
        headline = elided(self._text.headline, semibold(15), room)
        lines = two_lines(self._text.detail, font(12), room)
        told = ((self._text.headline, headline), (self._text.detail, "".join(lines)))
        self._cut = tuple(full for full, shown in told if full != shown)
        # One line of detail stands as in the design; a second one moves the headline up.
        heights = {0: (39,), 1: (29, 52), 2: (24, 43, 59)}[len(lines)]
        painter.setFont(semibold(15))
        painter.setPen(theme.text)
        painter.drawText(QPointF(left, heights[0]), headline)
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        for y, line in zip(heights[1:], lines, strict=True):
            painter.drawText(QPointF(left, y), line.strip())
        painter.end()

    def _paint_frame(self, painter: QPainter, theme: Theme) -> None:
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(theme.border, 1))
        painter.setBrush(theme.panel)
        painter.drawRoundedRect(box, theme.sizes.radius, theme.sizes.radius)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(self.rect()), theme.sizes.radius, theme.sizes.radius)
        painter.save()
        painter.setClipRect(QRectF(0, 0, _EDGE, self.height()))
        painter.fillPath(shape, theme.severity(self._text.severity))
        painter.restore()

    def _paint_word(self, painter: QPainter, theme: Theme) -> float:
        """The framed word; returns where the sentences begin."""
        left = _EDGE + _PAD
        if not self._text.word:
            return left
        color = theme.severity(self._text.severity)
        shape = semibold(14)
        widest = max(self.width() * 0.28, 106.0)
        word = elided(self._text.word, shape, widest - 24)
        width = max(QFontMetricsF(shape).horizontalAdvance(word) + 28, 106.0)
        box = QRectF(left, (self.height() - 32) / 2, width, 32)
        painter.setPen(QPen(color, 1.6))
        painter.setBrush(theme.raised)
        painter.drawRoundedRect(box, theme.sizes.radius, theme.sizes.radius)
        painter.setFont(shape)
        painter.setPen(color)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, word)
        return left + width + _GAP

    def _paint_identity(self, painter: QPainter, theme: Theme) -> float:
        """Identity and state at the right edge; returns where the block begins."""
        text = self._text
        right = self.width() - _PAD - 2.0
        most = self.width() * 0.38
        tag = self._tag_width()
        identity = elided(text.identity, semibold(13), most - tag)
        state = elided(text.state, font(12), most)
        identity_width = QFontMetricsF(semibold(13)).horizontalAdvance(identity)
        state_width = QFontMetricsF(font(12)).horizontalAdvance(state)
        painter.setFont(semibold(13))
        painter.setPen(theme.text)
        painter.drawText(QPointF(right - identity_width, 29), identity)
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        painter.drawText(QPointF(right - state_width, 52 if text.identity else 38), state)
        if text.tag:
            box = QRectF(right - identity_width - tag, 15.5, tag - 10, 19)
            painter.setPen(QPen(theme.warn, 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 4, 4)
            painter.setFont(semibold(11))
            painter.setPen(theme.warn)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text.tag)
        return right - max(identity_width + tag, state_width)

    def _tag_width(self) -> float:
        if not self._text.tag:
            return 0.0
        return QFontMetricsF(semibold(11)).horizontalAdvance(self._text.tag) + 14 + 10

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            lines = [*self._cut, self.toolTip()]
            QToolTip.showText(event.globalPos(), "\n".join(filter(None, lines)), self)
            return True
        return super().event(event)
