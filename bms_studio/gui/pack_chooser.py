"""Which pack of a bus is looked at: a small list beside the verdict, only where there are several.

Changes `context.pack`; the pages then show that pack. Only the first is judged, and it says so.
"""

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from bms_studio.gui.header import identity_words
from bms_studio.gui.page import Context
from bms_studio.language import text
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

    def verdict(self, first: VerdictText) -> VerdictText:
        """The strip's words: those of the first pack, or that this pack is not judged."""
        number = self.context.pack
        if number == 1:
            return first
        return VerdictText(
            word=text("NOT ENOUGH DATA"),
            headline=text(
                "Pack {number} of this bus: shown and estimated, not judged", number=number
            ),
            identity=identity_words(self.context.pack_status()).replace(
                text("Unknown pack"), text("Pack {number}", number=number)
            ),
            tag=first.tag,
        )

    def _chosen(self, index: int) -> None:
        number = self.itemData(index)
        if number != self.context.pack:
            self.context.pack = number
            self.context.selection.choose(0)
            self._changed()
