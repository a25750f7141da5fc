"""The rounded panel that holds a plot, a grid or a list: title, note, optional segment buttons.

Panel(title="", note="", parent=None)
  .set_title(str); .set_caption(str)    caption: muted words beside the title ("V · 20 cells")
  .set_note(str, tone="muted")          right-aligned in the header
  .set_segments([(key, text)]); .set_segment(key); .segment()
  .set_segment_enabled(key, bool, reason="")       reason becomes the tool tip
  .add(widget, stretch=0); .add_to_header(widget)
signal segment_changed(str)
"""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from widgets.action_button import ActionButton
from widgets.text_line import TextLine
from widgets.theme import current_theme


class Panel(QWidget):
    """See the module. Paints its own frame, so that it needs no style sheet."""

    segment_changed = Signal(str)

    def __init__(self, title: str = "", note: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        pad = current_theme().sizes.pad
        self._title = TextLine(title, size=14, bold=True, least=60)
        self._caption = TextLine("", tone="muted", size=12)
        right = Qt.AlignmentFlag.AlignRight
        self._note = TextLine(note, tone="muted", size=12, align=right, parts=True)
        self._note.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._buttons: dict[str, ActionButton] = {}
        self._segment = ""
        self._header = QHBoxLayout()
        self._header.setSpacing(10)
        self._segments = QHBoxLayout()
        self._segments.setSpacing(5)
        self._header.addWidget(self._title)
        self._header.addWidget(self._caption)
        self._header.addLayout(self._segments)
        self._header.addWidget(self._note, 1)
        self._body = QVBoxLayout(self)
        self._body.setContentsMargins(pad, 9, pad, 11)
        self._body.setSpacing(8)
        self._body.addLayout(self._header)
        self.setAccessibleName(title)
        self._show_header()

    def set_title(self, title: str) -> None:
        """The panel's name; also its accessible name."""
        self._title.set_text(title)
        self.setAccessibleName(title)
        self._show_header()

    def set_caption(self, caption: str) -> None:
        """Muted words right of the title."""
        self._caption.set_text(caption)
        self._show_header()

    def set_note(self, note: str, tone: str = "muted") -> None:
        """Words at the right edge of the header."""
        self._note.set_text(note)
        self._note.set_tone(tone)
        self._show_header()

    def set_segments(self, segments: Sequence[tuple[str, str]]) -> None:
        """Buttons of which one is chosen: (key, text). The same keys again only change words."""
        keys = [key for key, _ in segments]
        if keys != list(self._buttons):
            self._rebuild(keys)
        for key, text in segments:
            self._buttons[key].set_text(text)

    def set_segment(self, key: str) -> None:
        """Choose a segment without emitting. KeyError if there is none of this name."""
        self._buttons[key].setChecked(True)
        self._segment = key
        for other, button in self._buttons.items():
            button.setChecked(other == key)

    def segment(self) -> str:
        """The key of the chosen segment, "" if there are none."""
        return self._segment

    def set_segment_enabled(self, key: str, enabled: bool, reason: str = "") -> None:
        """Switch one segment on or off; `reason` tells why, as its tool tip."""
        self._buttons[key].setEnabled(enabled)
        self._buttons[key].setToolTip(reason)

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        """Put a widget below what is already in the panel."""
        self._body.addWidget(widget, stretch)

    def add_to_header(self, widget: QWidget) -> None:
        """Put a widget at the right end of the header."""
        self._header.addWidget(widget)

    def _rebuild(self, keys: Sequence[str]) -> None:
        for button in self._buttons.values():
            self._segments.removeWidget(button)
            button.deleteLater()
        self._buttons = {}
        for key in keys:
            button = ActionButton(least=80, size=12)
            button.setCheckable(True)
            button.clicked.connect(lambda _checked=False, name=key: self._choose(name))
            self._segments.addWidget(button)
            self._buttons[key] = button
        self._segment = ""
        if keys:
            self.set_segment(keys[0])
        self._show_header()

    def _choose(self, key: str) -> None:
        changed = key != self._segment
        self.set_segment(key)
        if changed:
            self.segment_changed.emit(key)

    def _show_header(self) -> None:
        # Without a word the header takes no room; with buttons the note keeps them to the left.
        alone = not (self._title.text() or self._buttons)
        self._note.setVisible(bool(self._note.text()) or not alone)
        self._title.setVisible(bool(self._title.text()))
        self._caption.setVisible(bool(self._caption.text()))

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), 260), hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.border, 1))
        painter.setBrush(theme.panel)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(box, theme.sizes.radius, theme.sizes.radius)
        painter.end()
