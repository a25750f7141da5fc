"""Thin strips above the page: a sentence to dismiss, and one question waiting for a person."""

from PySide6.QtCore import QTimer, Signal, SignalInstance
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from bms_studio.gui.bus_strip import BusStrip
from bms_studio.gui.contract import Askable, PackView
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.status import Offer
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


def _sign_row(clicked: SignalInstance) -> QFrame:
    """That the sign contradicts, and the way to where it is seen before and after, and turned."""
    frame = QFrame()
    frame.setProperty("raised", True)
    row = QHBoxLayout(frame)
    row.setContentsMargins(14, 5, 8, 5)
    sentence = text("The current's sign contradicts the voltages: it seems to count the wrong way.")
    row.addWidget(TextLine(sentence, bold=True, tone="warn"), 1)
    button = ActionButton(text("Before and after…"), least=120)
    button.clicked.connect(clicked)
    row.addWidget(button)
    frame.hide()
    return frame


class QuestionStrip(QWidget):
    """A question of the session, by code ("question.pack_changed"), with its two answers; below it
    that the current counts the wrong way, and what the bus gives instead of cells, with what would
    help."""

    answered = Signal(str, str)  # question, choice
    sign_doubted = Signal()  # somebody wants to see how the sign would look turned

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._code = ""
        self._view: PackView | None = None
        self.line = TextLine("", bold=True, tone="warn")
        self.yes = ActionButton(text("Yes"), tone="primary", least=90)
        self.no = ActionButton(text("No"), least=90)
        self.yes.clicked.connect(lambda: self._answer("same"))
        self.no.clicked.connect(lambda: self._answer("other"))
        self._asked = QFrame()
        self._asked.setProperty("raised", True)
        row = QHBoxLayout(self._asked)
        row.setContentsMargins(14, 5, 8, 5)
        row.addWidget(self.line, 1)
        row.addWidget(self.yes)
        row.addWidget(self.no)
        self._asked.hide()
        self.sign = _sign_row(self.sign_doubted)
        self.bus = BusStrip()
        self.bus.accepted.connect(self._accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._asked)
        column.addWidget(self.sign)
        column.addWidget(self.bus)
        self.hide()

    def ask(self, code: str, view: PackView | None = None) -> None:
        """Show the question of this code ("" none), and what the bus of this view gives."""
        if code != self._code:
            self._code = code
            self.line.set_text(render(code) if code else "")
            self._asked.setVisible(bool(code))
        self._view = view
        word = view.status.bus if isinstance(view, Askable) else None
        self.bus.show_word(word)
        contradicted = view is not None and view.status.pack.sign == "contradicts"
        self.sign.setVisible(contradicted)
        self.setVisible(bool(self._code) or word is not None or contradicted)

    def _answer(self, choice: str) -> None:
        self._asked.hide()
        self.answered.emit(self._code, choice)

    def _accept(self, offer: Offer) -> None:
        if isinstance(self._view, Askable):
            self._view.accept(offer)
