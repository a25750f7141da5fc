"""What a crash left, offered once: a strip above the page with Save, Discard and Later.

Knows leftovers (`SessionSource.leftovers`), not what a journal is.
"""

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Signal, SignalInstance
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from bms_studio.gui.contract import Leftover
from bms_studio.language import text
from widgets.action_button import ActionButton
from widgets.text_line import TextLine


class LeftoverStrip(QFrame):
    """One leftover at a time, newest first; hidden when there are none. Nothing goes by itself."""

    rescued = Signal(object)
    discarded = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("raised", True)
        self._waiting: list[Leftover] = []
        self.line = TextLine("", bold=True, tone="warn")
        self.save = ActionButton(text("Save it"), tone="primary", least=90)
        self.discard = ActionButton(text("Discard"), least=90)
        self.later = ActionButton(text("Later"), least=90)
        self.save.clicked.connect(lambda: self._decide(self.rescued))
        self.discard.clicked.connect(lambda: self._decide(self.discarded))
        self.later.clicked.connect(lambda: self._decide(None))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 5, 8, 5)
        row.addWidget(self.line, 1)
        for button in (self.save, self.discard, self.later):
            row.addWidget(button)
        self.hide()

    @property
    def waiting(self) -> tuple[Leftover, ...]:
        """Those that nobody has decided on."""
        return tuple(self._waiting)

    def offer(self, leftovers: Sequence[Leftover]) -> None:
        """Show these one after another."""
        self._waiting = list(leftovers)
        self._show_next()

    def _show_next(self) -> None:
        self.setVisible(bool(self._waiting))
        if not self._waiting:
            return
        left = self._waiting[0]
        when = datetime.fromtimestamp(left.saved_ns * 1e-9).strftime("%Y-%m-%d %H:%M")
        if left.recording:
            sentence = text("A recording was interrupted on {when}: {title}")
        else:
            sentence = text("The black box of an interrupted session, until {when}: {title}")
        self.line.set_text(sentence.format(when=when, title=left.title or text("no title")))

    def _decide(self, chosen: SignalInstance | None) -> None:
        left = self._waiting.pop(0)
        if chosen is not None:
            chosen.emit(left)
        self._show_next()
