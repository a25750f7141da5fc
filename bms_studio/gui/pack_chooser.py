"""Which pack of a bus is looked at: a small list beside the verdict, only where there are several.

Changes `context.pack`; the pages then show that pack, with its own estimates and verdict.
"""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from bms_studio.gui.header import verdict_text
from bms_studio.gui.page import Context
from bms_studio.language import text
from bms_studio.status import Status
from widgets.verdict_strip import VerdictText


class PackChooser(QComboBox):
    """See the module. `changed` is called after another pack was chosen."""

    def __init__(self, context: Context, changed: Callable[[], None]) -> None:
        super().__init__()
        self.context = context
        self._changed = changed
        self._packs: tuple[int, ...] = ()
        self.setToolTip(text("Which pack of this bus is shown"))
        self.setAccessibleName(self.toolTip())
        self.hide()
        self.activated.connect(self._chosen)

    def beside(self, widget: QWidget) -> QHBoxLayout:
        """A row with `widget` and the list."""
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(widget, 1)
        row.addWidget(self)
        return row

    def refresh(self) -> None:
        """A pack more may have begun to speak."""
        packs = self.context.packs()
        if packs != self._packs:
            self._packs = packs
            with QSignalBlocker(self):
                self.clear()
                for number in packs:
                    self.addItem(text("Pack {number}", number=number), number)
            self.setVisible(len(packs) > 1)
        at = packs.index(self.context.pack) if self.context.pack in packs else 0
        if at != self.currentIndex():
            self.setCurrentIndex(at)

    def verdict(self, status: Status, evidence: str, has_current: bool) -> VerdictText:
        """The strip's words for the pack looked at; says so where its chemistry was recognised from
        the data, or cells were judged by a guess."""
        words = self._words(status, evidence, has_current)
        told = self.context.analysis()
        if told is None:
            return words
        basis, more = told.basis, ""
        if basis.chemistry and basis.chemistry_source == "recognised":
            sure = f"{100 * basis.chemistry_confidence:.0f}"
            more = text("by its data {chemistry}, {sure} %", chemistry=basis.chemistry, sure=sure)
        elif basis.family and not basis.chemistry:
            more = text("judged as a 4.2 V oxide")
        return replace(words, identity=f"{words.identity} · {more}") if more else words

    def _words(self, status: Status, evidence: str, has_current: bool) -> VerdictText:
        number = self.context.pack
        if number == 1:
            return verdict_text(status, evidence, has_current)
        pack = replace(self.context.pack_status(), name=str(number))
        told = self.context.analysis()
        verdict = told.verdict if told is not None else None
        words = verdict_text(replace(status, pack=pack, verdict=verdict), evidence, False)
        if verdict is not None:
            return words
        return replace(
            words,
            headline=text("Pack {number} of this bus: shown, not judged so far", number=number),
        )

    def _chosen(self, index: int) -> None:
        number = self.itemData(index)
        if number != self.context.pack:
            self.context.pack = number
            self.context.selection.choose(0)
            self._changed()
