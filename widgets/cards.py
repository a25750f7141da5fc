"""Large cards that offer a first step: icon, title, a sentence, a button. The empty Live page.

Cards(parent=None)
  .set_items([CardItem(key, icon, title, text, button)])
  .set_heading(title, sentence)
signal chosen(str)                      the whole card is clickable and takes the keyboard
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QVBoxLayout, QWidget

from widgets.icons import paint_icon
from widgets.text_line import TextLine, elided
from widgets.theme import current_theme, font, mix, semibold


@dataclass(frozen=True, slots=True)
class CardItem:
    """One card. primary: its button is filled."""

    key: str
    icon: str
    title: str
    text: str
    button: str
    primary: bool = False


class _Card(QAbstractButton):
    def __init__(self, item: CardItem, parent: QWidget) -> None:
        super().__init__(parent)
        self.item = item
        self.setMinimumSize(220, 230)
        self.setMaximumSize(360, 260)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(310, 244)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()
        super().enterEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        alive = self.hasFocus() or self.underMouse()
        painter.setPen(QPen(theme.accent if alive else theme.border, 1.5 if alive else 1.0))
        painter.setBrush(theme.raised if self.isDown() else theme.panel)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mix(theme.panel, theme.accent, 0.14))
        painter.drawRoundedRect(QRectF(22, 22, 48, 48), 10, 10)
        paint_icon(painter, self.item.icon, QRectF(33, 33, 26, 26), theme.accent)
        width = self.width() - 44
        painter.setFont(semibold(17))
        painter.setPen(theme.text)
        title = elided(self.item.title, semibold(17), width)
        painter.drawText(QRectF(22, 82, width, 26), Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(font(13))
        painter.setPen(theme.muted)
        wrap = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
        painter.drawText(QRectF(22, 112, width, self.height() - 112 - 62), wrap, self.item.text)
        self._paint_button(painter, width)
        painter.end()

    def _paint_button(self, painter: QPainter, width: float) -> None:
        theme = current_theme()
        box = QRectF(22.5, self.height() - 54.5, width, 34)
        primary = self.item.primary
        painter.setPen(QPen(theme.accent if primary else theme.line, 1))
        painter.setBrush(theme.accent if primary else theme.raised)
        painter.drawRoundedRect(box, theme.sizes.radius, theme.sizes.radius)
        painter.setFont(semibold(13))
        painter.setPen(theme.on_accent if primary else theme.text)
        text = elided(self.item.button, semibold(13), width - 16)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class Cards(QWidget):
    """See the module. Cards stand in the middle, the heading above them."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        centre = Qt.AlignmentFlag.AlignHCenter
        self._title = TextLine("", size=22, bold=True, align=centre)
        self._sentence = TextLine("", tone="muted", size=13, align=centre)
        self._row = QHBoxLayout()
        self._row.setSpacing(18)
        self._row.addStretch(1)
        self._row.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(2)
        column.addWidget(self._title)
        column.addWidget(self._sentence)
        column.addSpacing(18)
        column.addLayout(self._row)
        column.addStretch(3)
        self._cards: dict[str, _Card] = {}

    def set_heading(self, title: str, sentence: str = "") -> None:
        """Words above the cards."""
        self._title.set_text(title)
        self._sentence.set_text(sentence)

    def set_items(self, items: Sequence[CardItem]) -> None:
        """The cards in order; the same keys again only change words."""
        if [item.key for item in items] != list(self._cards):
            self._rebuild(items)
        for item in items:
            card = self._cards[item.key]
            card.item = item
            card.setAccessibleName(f"{item.title}. {item.button}")
            card.setAccessibleDescription(item.text)
            card.update()

    def _rebuild(self, items: Sequence[CardItem]) -> None:
        for card in self._cards.values():
            self._row.removeWidget(card)
            card.deleteLater()
        self._cards = {}
        for position, item in enumerate(items):
            card = _Card(item, self)
            card.clicked.connect(lambda _checked=False, key=item.key: self.chosen.emit(key))
            self._row.insertWidget(position + 1, card, 4)
            self._cards[item.key] = card
