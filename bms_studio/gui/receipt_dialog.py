"""The receipt of an import on screen: to read, to copy as text, to save and send back."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.open_dialogs import choose_target, show_error
from bms_studio.language import text
from bms_studio.receipt import Receipt, receipt_sections, receipt_text, unlock_text
from widgets.action_button import ActionButton
from widgets.panel import Panel

_SHOWN_LINES = 60


class ReceiptDialog(QDialog):
    """See the module. `words`: the whole receipt as text in the reader's language."""

    def __init__(self, receipt: Receipt, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(text("Import receipt"))
        self.words = receipt_text(receipt)
        self._folder = folder
        self._name = receipt.sources[0].name if receipt.sources else "import"
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(18, 16, 18, 12)
        column.setSpacing(12)
        unlock = [unlock_text(words) for words in receipt.unlock]
        if unlock:
            column.addWidget(_section(text("What would unlock more"), [f"• {w}" for w in unlock]))
        *sections, _ = receipt_sections(receipt)
        for heading, lines in sections:
            if lines:
                column.addWidget(_section(heading, lines))
        column.addStretch(1)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area, 1)
        layout.addLayout(self._buttons())
        self.resize(820, 680)

    def _buttons(self) -> QHBoxLayout:
        self.copy_button = ActionButton(text("Copy as text"), least=120)
        self.copy_button.clicked.connect(self.copy)
        save = ActionButton(text("Save…"), least=100)
        save.clicked.connect(self._save)
        close = ActionButton(text("Close"), tone="primary", least=100)
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.setContentsMargins(18, 8, 18, 14)
        row.setSpacing(8)
        row.addWidget(self.copy_button)
        row.addWidget(save)
        row.addStretch(1)
        row.addWidget(close)
        return row

    def copy(self) -> None:
        """The whole receipt to the clipboard."""
        QGuiApplication.clipboard().setText(self.words)
        self.copy_button.set_text(text("Copied"))

    def save(self, path: Path) -> None:
        """Write the receipt as text. OSError as it comes."""
        path.write_text(self.words + "\n", "utf-8")

    def _save(self) -> None:
        proposed = self._folder / f"{self._name}.receipt.txt"
        target = choose_target(self, text("Save the receipt…"), proposed, "Text (*.txt)")
        if target is None:
            return
        try:
            self.save(target)
        except OSError as problem:
            show_error(self, f"{target}: {problem.strerror or problem}")


def _section(heading: str, lines: list[str]) -> Panel:
    """A panel with a heading and its lines, to be selected with the mouse."""
    panel = Panel(heading)
    if len(lines) > _SHOWN_LINES:
        more = len(lines) - _SHOWN_LINES
        lines = [*lines[:_SHOWN_LINES], text("… and {count} more lines in the text", count=more)]
    label = QLabel("\n".join(_breakable(line) for line in lines))
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    panel.add(label)
    return panel


def _breakable(line: str) -> str:
    """Long words (paths, digests) may break: a label is never wider than the dialog."""
    return " ".join(
        "\u200b".join(word[k : k + 32] for k in range(0, len(word), 32)) for word in line.split(" ")
    )
