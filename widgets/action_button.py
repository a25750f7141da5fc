"""The one push button of bars, panels and cards: text with an icon from `icons.py`, both themed.

    ActionButton(text="", icon="", tone="", parent=None)
      .set_text(str); .set_icon(name); .set_icon_only(bool)
      tone: "" (raised), "primary" (filled), "quiet" (no frame), "link" (accent text, no frame)
    A checkable one shows its state by an accent outline and bold text.
QPushButton would keep icons in the old theme's colour; this one paints from the theme in force.
"""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from widgets.icons import paint_icon
from widgets.text_line import elided
from widgets.theme import current_theme, font, mix, semibold

_ICON = 16


class ActionButton(QAbstractButton):
    """See the module. Emits `clicked` as every Qt button does."""

    def __init__(
        self,
        text: str = "",
        icon: str = "",
        tone: str = "",
        parent: QWidget | None = None,
        *,
        least: int = 0,
        size: int = 13,
    ) -> None:
        super().__init__(parent)
        self._icon, self._tone, self._least, self._size = icon, tone, least, size
        self._icon_only = False
        self._icon_tone = ""
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.set_text(text)

    def set_text(self, text: str) -> None:
        """The words of the button; also its accessible name."""
        self.setText(text)
        self.setAccessibleName(text)
        self.updateGeometry()

    def set_icon(self, name: str, tone: str = "") -> None:
        """Another icon ("" none); tone: a colour of the theme, "" the text's."""
        if (name, tone) != (self._icon, self._icon_tone):
            self._icon, self._icon_tone = name, tone
            self.updateGeometry()
            self.update()

    def set_icon_only(self, only: bool) -> None:
        """Drop the words where there is no room; they stay as tool tip and accessible name."""
        if only != self._icon_only and self._icon:
            self._icon_only = only
            self.setToolTip(self.text() if only else "")
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(semibold(self._size))
        width = 0.0 if self._icon_only else metrics.horizontalAdvance(self.text()) + 2
        if self._icon:
            width += _ICON + (8 if width else 0)
        pad = 8 if self._tone == "link" else (9 if self._icon_only else 13)
        return QSize(max(int(width) + 2 * pad, self._least), 30)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()
        super().enterEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self._paint_frame(painter)
        shape = semibold(self._size) if self._bold() else font(self._size)
        text = "" if self._icon_only else self.text()
        room = self.width() - 10 - (_ICON + 8 if self._icon else 0)
        text = elided(text, shape, room)
        width = QFontMetricsF(shape).horizontalAdvance(text)
        whole = width + (_ICON + (8 if text else 0) if self._icon else 0)
        x = (self.width() - whole) / 2
        if self._icon:
            color = getattr(current_theme(), self._icon_tone) if self._icon_tone else ink
            place = QRectF(x, (self.height() - _ICON) / 2, _ICON, _ICON)
            paint_icon(painter, self._icon, place, color)
            x += _ICON + 8
        painter.setFont(shape)
        painter.setPen(ink)
        painter.drawText(
            QRectF(x, 0, width + 2, self.height()), Qt.AlignmentFlag.AlignVCenter, text
        )
        painter.end()

    def _bold(self) -> bool:
        return self._tone == "primary" or self.isChecked()

    def _paint_frame(self, painter: QPainter) -> QColor:
        """The frame; returns the colour of text."""
        theme = current_theme()
        hover = self.underMouse() and self.isEnabled()
        box = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
        ground, edge, ink = theme.raised, theme.line, theme.text
        if self._tone == "primary":
            ground, edge, ink = theme.accent, theme.accent, theme.on_accent
        elif self._tone in ("quiet", "link"):
            ink = theme.accent if self._tone == "link" else theme.muted
            ground = edge = QColor(0, 0, 0, 0)
            if hover:
                ground = theme.raised
        if not self.isEnabled():
            ink = theme.muted
            if self._tone == "primary":
                ground = edge = theme.line
        if self.isDown():
            ground = mix(theme.raised, theme.line, 0.8)
            ink = theme.text
        if hover and self._tone == "":
            edge = theme.muted
        if self.hasFocus() or self.isChecked():
            edge = theme.text if self._tone == "primary" else theme.accent
        painter.setPen(QPen(edge, 1.5 if edge == theme.accent else 1.0))
        painter.setBrush(ground)
        painter.drawRoundedRect(box, theme.sizes.radius, theme.sizes.radius)
        return ink
