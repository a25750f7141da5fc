"""The left rail: one button per page, icon above its name, the current one marked.

Rail(parent=None)
  .set_items([RailItem(key, text, icon, shortcut)])      the same keys again: new words only
  .set_current(key)                                      without emitting
  .set_badge(key, severity)                              "" none; a small shape at the icon
signal page_selected(str)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QVBoxLayout, QWidget

from widgets.icons import paint_icon, severity_shape
from widgets.text_line import elided
from widgets.theme import current_theme, font

_WIDTH = 76


@dataclass(frozen=True, slots=True)
class RailItem:
    """A page: `icon` by name in icons.py; `shortcut` is shown in the tool tip."""

    key: str
    text: str
    icon: str
    shortcut: str = ""


class _RailButton(QAbstractButton):
    def __init__(self, item: RailItem, parent: QWidget) -> None:
        super().__init__(parent)
        self.item, self.badge = item, ""
        self.setCheckable(True)
        self.setFixedSize(_WIDTH, 62)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()
        super().enterEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.isChecked() or self.underMouse() or self.hasFocus():
            painter.setBrush(theme.raised)
            painter.drawRoundedRect(QRectF(6, 4, _WIDTH - 12, 54), 8, 8)
        if self.isChecked():
            painter.setBrush(theme.accent)
            painter.drawRoundedRect(QRectF(0, 12, 3, 38), 1.5, 1.5)
        color = theme.accent if self.isChecked() else theme.muted
        place = QRectF((_WIDTH - 22) / 2, 11, 22, 22)
        paint_icon(painter, self.item.icon, place, color)
        if self.badge:
            severity_shape(painter, self.badge, QRectF(place.right() - 1, place.top() - 3, 9, 9))
        painter.setPen(theme.text if self.isChecked() else theme.muted)
        shape = font(11)
        painter.setFont(shape)
        text = elided(self.item.text, shape, _WIDTH - 8)
        painter.drawText(QRectF(0, 37, _WIDTH, 16), Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class Rail(QWidget):
    """See the module."""

    page_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Pages")
        self._buttons: dict[str, _RailButton] = {}
        self._current = ""
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 8, 0, 8)
        self._column.setSpacing(0)
        self._column.addStretch(1)

    def set_items(self, items: Sequence[RailItem]) -> None:
        """The pages in order."""
        if [item.key for item in items] != list(self._buttons):
            self._rebuild(items)
        for item in items:
            button = self._buttons[item.key]
            button.item = item
            button.setAccessibleName(item.text)
            button.setToolTip(f"{item.text}  {item.shortcut}".strip())
            button.update()

    def set_current(self, key: str) -> None:
        """Mark a page as the one shown. KeyError if the rail has no such page."""
        self._buttons[key].setChecked(True)
        self._current = key
        for other, button in self._buttons.items():
            button.setChecked(other == key)

    def current(self) -> str:
        """The marked page, "" if none."""
        return self._current

    def set_badge(self, key: str, severity: str) -> None:
        """A small shape at the page's icon: something there wants attention."""
        self._buttons[key].badge = severity
        self._buttons[key].update()

    def sizeHint(self) -> QSize:
        return QSize(_WIDTH, 62 * max(len(self._buttons), 1) + 16)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def _rebuild(self, items: Sequence[RailItem]) -> None:
        for button in self._buttons.values():
            self._column.removeWidget(button)
            button.deleteLater()
        self._buttons, self._current = {}, ""
        for position, item in enumerate(items):
            button = _RailButton(item, self)
            button.clicked.connect(lambda _checked=False, key=item.key: self._choose(key))
            self._column.insertWidget(position, button)
            self._buttons[item.key] = button
        self.updateGeometry()

    def _choose(self, key: str) -> None:
        changed = key != self._current
        self.set_current(key)
        if changed:
            self.page_selected.emit(key)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.panel)
        painter.fillRect(self.width() - 1, 0, 1, self.height(), theme.border)
        painter.end()
