"""Why the bus gives no cells, what would help, and buttons for it: in the window, when connecting.

Before anything is sent that was not sent before, the strip says exactly what, and waits for a
second click. Knows words of the bus (`BusWord`, `Offer`); what they do is somebody else's business.
"""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from bms_studio.language import text
from bms_studio.messages import offer_words, render
from bms_studio.status import BusWord, Offer
from widgets.action_button import ActionButton

_MOST_OFFERS = 4


class BusStrip(QFrame):
    """Shows one `BusWord`; emits `accepted(Offer)`. Hidden while there is none."""

    accepted = Signal(object)
    changed = Signal()  # it may need another height

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("raised", True)
        self._word: BusWord | None = None
        self._pending: Offer | None = None  # its consequences are shown, a second click does it
        self._shown: tuple[object, ...] = ()
        self._offers: tuple[Offer, ...] = ()
        self.sentence, self.remedy = _label("warn", bold=True), _label("muted")
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.sentence)
        words.addWidget(self.remedy)
        self.buttons = [ActionButton("", least=90) for _ in range(_MOST_OFFERS)]
        self.ask_now = ActionButton(text("Ask now"), tone="primary", least=90)
        self.not_now = ActionButton(text("Not now"), least=90)
        row = QHBoxLayout()
        row.setSpacing(8)
        for number, button in enumerate(self.buttons):
            button.clicked.connect(lambda _=False, n=number: self._choose(n))
            row.addWidget(button)
        for button in (self.ask_now, self.not_now):
            row.addWidget(button)
        row.addStretch(1)
        self.ask_now.clicked.connect(self._ask_now)
        self.not_now.clicked.connect(self._not_now)
        self._row = QWidget()
        self._row.setLayout(row)
        row.setContentsMargins(0, 3, 0, 0)
        self._parts = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._parts.setContentsMargins(14, 6, 12, 7)
        self._parts.setSpacing(2)
        self._parts.addLayout(words, 1)
        self._parts.addWidget(self._row)
        self.hide()

    def show_word(self, word: BusWord | None) -> None:
        """Show this word; None hides the strip, also what waited for a second click."""
        self._word = word
        if word is None:
            self._pending = None
        self._refresh()

    def _choose(self, number: int) -> None:
        if number >= len(self._offers):
            return  # what was offered has just changed
        offer = self._offers[number]
        if offer.deed == "ask":
            self._pending = offer
            self._refresh()
        else:
            self.accepted.emit(offer)

    def _ask_now(self) -> None:
        offer, self._pending = self._pending, None
        if offer is not None:
            self.accepted.emit(offer)
        self._refresh()

    def _not_now(self) -> None:
        self._pending = None
        self._refresh()

    def _refresh(self) -> None:
        """Put the words in place; nothing is touched while they stay the same."""
        word, pending = self._word, self._pending
        if word is None:
            self._shown = ()
            if not self.isHidden():
                self.hide()
                self.changed.emit()
            return
        if pending is not None:
            sentence = text("Ask the pack?")
            remedy = f"{offer_words(pending, means=True)} {text('Nothing has been sent so far.')}"
            offers: tuple[Offer, ...] = ()
        else:
            sentence = render(word.code, word.parameters)
            remedy = render(word.remedy, word.parameters) if word.remedy else ""
            offers = word.offers[:_MOST_OFFERS]
        shown = (sentence, remedy, offers, pending)
        if shown == self._shown:
            return
        self._shown, self._offers = shown, offers
        self.sentence.setText(sentence)
        self.remedy.setText(remedy)
        self.remedy.setVisible(bool(remedy))
        for number, button in enumerate(self.buttons):
            there = number < len(offers)
            button.setVisible(there)
            if there:
                button.set_text(offer_words(offers[number]))
                button.setToolTip(offer_words(offers[number], means=True))
        self.ask_now.setVisible(pending is not None)
        self.not_now.setVisible(pending is not None)
        self._row.setVisible(bool(offers) or pending is not None)
        # One sentence and its button need one line.
        way = QBoxLayout.Direction.TopToBottom if remedy else QBoxLayout.Direction.LeftToRight
        self._parts.setDirection(way)
        self.show()
        self.changed.emit()


def _label(tone: str, bold: bool = False) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setProperty("tone", tone)
    if bold:
        shape = label.font()
        shape.setBold(True)
        label.setFont(shape)
    return label
