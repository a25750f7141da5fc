"""The adapters that are plugged in, as a list to choose from: who each is, and what keeps it from
working.

Part of the connect dialog. A serial port that nobody knows is tried as an SLCAN adapter on a click;
nothing is opened before.
"""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.contract import AdapterChoice
from bms_studio.language import text
from bms_studio.messages import render

_ROLE = Qt.ItemDataRole.UserRole
_ROW = 30


class AdapterList(QWidget):
    """Emits `chosen(AdapterChoice)`, and `tried(channel)` when a port is to be tried."""

    chosen = Signal(object)
    tried = Signal(str)
    changed = Signal()  # it may need another height

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = QListWidget()
        self.list.setMinimumHeight(104)
        self.list.setMaximumHeight(150)
        self.list.currentItemChanged.connect(self._changed)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.try_button = QPushButton(text("Try it as SLCAN"))
        self.try_button.setAutoDefault(False)
        self.try_button.setToolTip(
            text("Sends the commands C, S6, V, N and L as text to this port; listens only.")
        )
        self.try_button.clicked.connect(self._try)
        row = QHBoxLayout()
        row.addWidget(self.note, 1)
        row.addWidget(self.try_button, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.list)
        column.addLayout(row)
        self._say("")
        self.try_button.hide()

    def current(self) -> AdapterChoice | None:
        """The adapter that is chosen."""
        item = self.list.currentItem()
        found = item.data(_ROLE) if item is not None else None
        return found if isinstance(found, AdapterChoice) else None

    def show_choices(
        self, choices: Sequence[AdapterChoice], wanted: tuple[str, str], empty: str
    ) -> None:
        """Show these; `wanted` (interface, channel) is chosen, else the first. empty: said when
        there are none."""
        self.list.clear()
        for found in choices:
            item = QListWidgetItem(adapter_label(found))
            item.setData(_ROLE, found)
            item.setSizeHint(QSize(0, _ROW))
            self.list.addItem(item)
            if (found.interface, found.channel) == wanted:
                self.list.setCurrentItem(item)
        if not choices:
            item = QListWidgetItem(empty)
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
            self._say("")
            self.try_button.hide()
        elif self.list.currentItem() is None:
            self.list.setCurrentRow(0)

    def show_tried(self, words: str, good: bool) -> None:
        """What trying a port brought."""
        self.try_button.setEnabled(True)
        self._say(words, "ok" if good else "high")
        self.try_button.setVisible(not good)

    def _changed(self, item: QListWidgetItem | None) -> None:
        found = self.current()
        if found is None:
            return
        words, tone = adapter_note(found)
        self._say(words, tone)
        self.try_button.setVisible(not found.likely and not found.missing)
        self.changed.emit()
        self.chosen.emit(found)

    def _try(self) -> None:
        found = self.current()
        if found is not None:
            self.try_button.setEnabled(False)
            self._say(text("Asking {channel}…", channel=found.channel), "muted")
            self.tried.emit(found.channel)

    def _say(self, words: str, tone: str = "muted") -> None:
        self.note.setText(words)
        self.note.setVisible(bool(words))
        self.note.setProperty("tone", tone)
        self.note.style().unpolish(self.note)
        self.note.style().polish(self.note)
        self.changed.emit()


def adapter_label(found: AdapterChoice) -> str:
    """What a person recognises an adapter by: name, serial number, channel; the last one first."""
    parts = dict.fromkeys(p for p in (found.name, found.serial, found.channel) if p)
    words = [text("last used")] if found.last_used else []
    words += [text("not ready")] if found.missing else []
    return " · ".join([*parts, *words])


def adapter_note(found: AdapterChoice) -> tuple[str, str]:
    """What to know before connecting, and its tone: what is missing, or what it cannot do."""
    if found.missing:
        return render(f"adapter.{found.missing}", found.parameters), "high"
    if found.listens != "yes":
        about = {"channel": found.channel}
        return render(f"adapter.listens.{found.listens}", about), "warn"
    return ("", "muted") if found.likely else (render("adapter.unknown"), "muted")
