"""A line to type a search or a filter into, with its icon, a clear button and Escape.

    SearchLine(parent=None)      a QLineEdit: setPlaceholderText, textChanged, setText as ever
      .set_hint(str)             tool tip: what can be typed
Escape empties it first and only then goes to the window.
"""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from widgets.icons import paint_icon
from widgets.theme import current_theme


class SearchLine(QLineEdit):
    """See the module."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextMargins(20, 0, 20, 0)
        self.setMinimumHeight(30)
        self.setAccessibleName("Search")

    def set_hint(self, text: str) -> None:
        """What can be typed, as tool tip."""
        self.setToolTip(text)
        self.setAccessibleDescription(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        box = QRectF(9, (self.height() - 15) / 2, 15, 15)
        paint_icon(painter, "search", box, current_theme().muted)
        painter.end()
