"""A line of text that elides instead of clipping: the label all other widgets here are built with.

    TextLine(text="", tone="text", size=13, bold=False, mono=False, align=Left, steady=False)
      .set_text(str); .set_tone(str)      tone: a colour of the theme ("text", "muted", "warn", …)
    elided(text, font, width) -> str
    fitted(text, font, width) -> str      the last of the parts ("a  ·  b") go first
`least`: the width in pixels that eliding may go down to; `middle`: cut there, keep both ends;
`parts`: whole parts go first, as in `fitted`.
A steady line asks for the widest text it has had, so that neighbours do not jump.
Colours come from the theme while painting: nothing to do when the theme changes.
"""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.theme import current_theme, font, semibold

PART = "  ·  "  # between the parts of a line, of which the last may be left out


def elided(text: str, shape: QFont, width: float, *, middle: bool = False) -> str:
    """`text` cut with an ellipsis, at its end or in its middle, to fit into `width` pixels."""
    mode = Qt.TextElideMode.ElideMiddle if middle else Qt.TextElideMode.ElideRight
    return QFontMetricsF(shape).elidedText(text, mode, width)


def fitted(text: str, shape: QFont, width: float) -> str:
    """`text` without as many of its last parts as it takes to fit into `width` pixels; the first
    part is cut with an ellipsis where even that is too long."""
    metrics = QFontMetricsF(shape)
    parts = text.split(PART)
    while len(parts) > 1 and metrics.horizontalAdvance(PART.join(parts)) > width:
        parts.pop()
    return elided(PART.join(parts), shape, width)


class TextLine(QWidget):
    """See the module. The whole text appears as a tool tip while it is cut."""

    def __init__(
        self,
        text: str = "",
        *,
        tone: str = "text",
        size: int = 13,
        bold: bool = False,
        mono: bool = False,
        align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
        steady: bool = False,
        least: int = 24,
        middle: bool = False,
        parts: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._text, self._tone, self._align, self._steady = text, tone, align, steady
        self._font = QFont(semibold(size) if bold else font(size, mono=mono))
        self._widest, self._least, self._middle, self._parts = 0, least, middle, parts
        self._tip = ""
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(text)

    def text(self) -> str:
        """The whole text."""
        return self._text

    def set_text(self, text: str) -> None:
        """Change the text; the layout is asked only if the width it needs changes."""
        if text == self._text:
            return
        before = self.sizeHint().width()
        self._text = text
        self.setAccessibleName(text)
        if self.sizeHint().width() != before:
            self.updateGeometry()
        self._renew_tip()
        self.update()

    def set_tone(self, tone: str) -> None:
        """A colour of the theme by name."""
        if tone != self._tone:
            self._tone = tone
            self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self._font)
        width = int(metrics.horizontalAdvance(self._text)) + 2
        if self._steady:
            width = self._widest = max(self._widest, width)
        return QSize(width, int(metrics.height()) + 2)

    def minimumSizeHint(self) -> QSize:
        hint = self.sizeHint()
        return QSize(min(hint.width(), self._least), hint.height())

    def _cut(self) -> str:
        if self._parts:
            return fitted(self._text, self._font, self.width())
        return elided(self._text, self._font, self.width(), middle=self._middle)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._font)
        painter.setPen(getattr(current_theme(), self._tone))
        text = self._cut()
        painter.drawText(self.rect(), self._align | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._renew_tip()

    def setToolTip(self, text: str) -> None:
        """What the tool tip says below the whole text of a cut line."""
        self._tip = text
        self._renew_tip()

    def _renew_tip(self) -> None:
        # Set ahead of time rather than on demand: a Python `event` would see every event there is.
        cut = self._text if self._cut() != self._text else ""
        super().setToolTip("\n".join(part for part in (cut, self._tip) if part))
