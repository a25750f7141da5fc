"""Small dialogs: an error (one sentence, what to do, details to copy), a file to open, help.

None of them runs its own event loop: the window goes on behind them.
"""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.actions import ACTIONS, PAGE_KEYS, SECTIONS
from bms_studio.language import text

RECORDING_PATTERNS = "*.h5 *.hdf5"
LOG_PATTERNS = "*.log *.txt *.asc *.blf *.trc *.csv *.mf4 *.crtd *.slcan *.gz *.zip"
DATABASE_PATTERNS = "*.dbc *.kcd *.sym *.arxml"


class ErrorBox(QDialog):
    """One sentence with its remedy, and details to copy."""

    def __init__(self, sentence: str, details: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(text("That did not work"))
        self.sentence = sentence
        self.details = details
        message = QLabel(sentence)
        message.setWordWrap(True)
        message.setMinimumWidth(440)
        message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.setSpacing(14)
        layout.addWidget(message)
        buttons = QHBoxLayout()
        if details:
            shown = QPlainTextEdit(details)
            shown.setReadOnly(True)
            shown.setMinimumSize(560, 180)
            shown.hide()
            layout.addWidget(shown)
            fold = QPushButton(text("Details"))
            fold.setCheckable(True)
            fold.toggled.connect(shown.setVisible)
            copy = QPushButton(text("Copy details"))
            copy.clicked.connect(self.copy)
            buttons.addWidget(fold)
            buttons.addWidget(copy)
        buttons.addStretch(1)
        close = QPushButton(text("Close"))
        close.setProperty("tone", "primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        buttons.addWidget(close)
        layout.addLayout(buttons)

    def copy(self) -> None:
        """Sentence and details to the clipboard."""
        QGuiApplication.clipboard().setText(f"{self.sentence}\n\n{self.details}")


def show_error(parent: QWidget | None, sentence: str, details: str = "") -> ErrorBox:
    """Show an error without stopping anything."""
    box = ErrorBox(sentence, details, parent)
    box.open()
    return box


def choose_files(parent: QWidget, folder: str) -> list[Path]:
    """The recording, or the logs, that a person picked; empty when cancelled."""
    names, _ = QFileDialog.getOpenFileNames(
        parent,
        text("Open a recording or log"),
        folder,
        ";;".join(
            (
                f"{text('Recordings and logs')} ({RECORDING_PATTERNS} {LOG_PATTERNS})",
                f"{text('Recordings')} ({RECORDING_PATTERNS})",
                f"{text('All files')} (*)",
            )
        ),
    )
    return [Path(name) for name in names]


def choose_databases(parent: QWidget, folder: str) -> list[Path]:
    """Databases that a person picked; empty when cancelled."""
    pattern = f"{text('Databases')} ({DATABASE_PATTERNS});;{text('All files')} (*)"
    names, _ = QFileDialog.getOpenFileNames(parent, text("Add a database"), folder, pattern)
    return [Path(name) for name in names]


def choose_target(parent: QWidget, title: str, proposed: Path, pattern: str) -> Path | None:
    """Where to save; None when cancelled."""
    name, _ = QFileDialog.getSaveFileName(parent, title, str(proposed), pattern)
    return Path(name) if name else None


class HelpDialog(QDialog):
    """Every action and its keys, from the one table of actions."""

    def __init__(self, pages: Sequence[str], version: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(text("Keys and help"))
        inside = QWidget()
        columns = QHBoxLayout(inside)
        columns.setContentsMargins(20, 16, 20, 16)
        columns.setSpacing(40)
        left, right = QVBoxLayout(), QVBoxLayout()
        for section in SECTIONS:
            side = left if section in ("Pack", "Help") else right
            side.addWidget(_heading(text(section)))
            side.addLayout(_key_table(section, pages))
            side.addSpacing(14)
        for side in (left, right):
            side.addStretch(1)
            columns.addLayout(side)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        foot = QLabel(text("BMS Studio {version} · a finding here is advice.", version=version))
        foot.setProperty("tone", "muted")
        close = QPushButton(text("Close"))
        close.clicked.connect(self.accept)
        last = QHBoxLayout()
        last.setContentsMargins(20, 0, 20, 16)
        last.addWidget(foot, 1)
        last.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        layout.addLayout(last)
        self.resize(840, 640)


def _heading(words: str) -> QLabel:
    label = QLabel(words)
    label.setProperty("tone", "title")
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return label


def _key_table(section: str, pages: Sequence[str]) -> QGridLayout:
    rows = [(" / ".join(a.keys), text(a.label)) for a in ACTIONS if a.section == section]
    if section == "View":
        rows = [*zip(PAGE_KEYS, (text(page) for page in pages), strict=False), *rows]
    grid = QGridLayout()
    grid.setHorizontalSpacing(18)
    grid.setVerticalSpacing(5)
    for row, (keys, label) in enumerate(rows):
        key = QLabel(keys)
        key.setProperty("tone", "muted")
        key.setMinimumWidth(96)
        grid.addWidget(key, row, 0)
        grid.addWidget(QLabel(label), row, 1)
    grid.setColumnStretch(1, 1)
    return grid
