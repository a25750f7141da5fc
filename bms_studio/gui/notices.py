"""Thin strips above the page: a sentence to dismiss, and one question waiting for a person."""

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from bms_studio.language import text
from bms_studio.messages import render
from widgets.action_button import ActionButton
from widgets.text_line import TextLine

_NOTICE_MS = 15_000


class Notice(QFrame):
    """One sentence; hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("raised", True)
        self.line = TextLine("")
        close = ActionButton(text("Close"), "close", "quiet", size=12)
        close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 3, 6, 3)
        row.addWidget(self.line, 1)
        row.addWidget(close)
        self._timer = QTimer(self, singleShot=True, interval=_NOTICE_MS)
        self._timer.timeout.connect(self.hide)
        self.hide()

    def say(self, sentence: str) -> None:
        """Show this for a while; "" hides the strip."""
        self.line.set_text(sentence)
        self.setVisible(bool(sentence))
        self._timer.start()


class QuestionStrip(QFrame):
    """A question of the session, by code ("question.pack_changed"), with its two answers."""

    answered = Signal(str, str)  # question, choice

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("raised", True)
        self._code = ""
        self.line = TextLine("", bold=True, tone="warn")
        self.yes = ActionButton(text("Yes"), tone="primary", least=90)
        self.no = ActionButton(text("No"), least=90)
        self.yes.clicked.connect(lambda: self._answer("same"))
        self.no.clicked.connect(lambda: self._answer("other"))
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 5, 8, 5)
        row.addWidget(self.line, 1)
        row.addWidget(self.yes)
        row.addWidget(self.no)
        self.hide()

    def ask(self, code: str) -> None:
        """Show the question of this code; "" hides the strip."""
        if code != self._code:
            self._code = code
            self.line.set_text(render(code) if code else "")
            self.setVisible(bool(code))

    def _answer(self, choice: str) -> None:
        self.hide()
        self.answered.emit(self._code, choice)
