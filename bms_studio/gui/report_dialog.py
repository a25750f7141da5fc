"""The report before it is saved: what the workshop writes, which sections, language and preview.

The preview is the document that is printed. Nothing leaves the program before Save is pressed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from bms_studio.gui.contract import PackView
from bms_studio.gui.report_contents import SECTIONS, Report, Visit
from bms_studio.gui.report_data import used_words
from bms_studio.gui.report_output import document_of, write_report
from bms_studio.gui.report_source import report_of
from bms_studio.gui.settings import Settings
from bms_studio.language import language, languages, set_language, text
from widgets.action_button import ActionButton
from widgets.panel import Panel

_RENEW_MS = 400
# Ways of moving current in the order of the list; a wheel on a stand is not a ride.
_USED = ("", "charger", "ride", "wheel", "load", "nothing")


class ReportDialog(QDialog):
    """See the module. `choose_target` asks the person for a path, given a proposed name."""

    saved = Signal(str)
    failed = Signal(str)

    def __init__(
        self,
        view: PackView,
        settings: Settings,
        choose_target: Callable[[str], Path | None],
        parent: QWidget | None = None,
        used: str = "",
    ) -> None:
        """used: what moved current, as in `guided_test.WAYS`; "" nobody said."""
        super().__init__(parent)
        self.setWindowTitle(text("Report"))
        self.resize(1140, 780)
        self._view, self._settings, self._choose_target = view, settings, choose_target
        self.preview = QTextBrowser()
        self.preview.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.preview.setStyleSheet("background: #ffffff; color: #16202b;")
        self._renew = QTimer(self, singleShot=True, interval=_RENEW_MS)
        self._renew.timeout.connect(self.show_preview)
        row = QHBoxLayout(self)
        row.setSpacing(12)
        row.addWidget(self._make_form(), 32)
        row.addWidget(self.preview, 68)
        self.used.setCurrentIndex(_USED.index(used) if used in _USED else 0)
        self.show_preview()

    def _make_form(self) -> QWidget:
        panel = Panel(text("Report"))
        self.workshop = QLineEdit(self._settings.string("workshop"))
        self.job, self.customer = QLineEdit(), QLineEdit()
        self.used = QComboBox()
        self.used.addItems([_used_words(way) for way in _USED])
        self.note = QPlainTextEdit()
        self.note.setFixedHeight(80)
        self.language = QComboBox()
        for code, name in languages().items():
            self.language.addItem(name, code)
        self.language.setCurrentIndex(self.language.findData(language()))
        form = QFormLayout()
        for words, field in (
            (text("Workshop"), self.workshop),
            (text("Job"), self.job),
            (text("Customer"), self.customer),
            (text("Current by"), self.used),
            (text("Remark"), self.note),
            (text("Language"), self.language),
        ):
            form.addRow(words, field)
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        self.sections = {name: QCheckBox(words) for name, words in _section_words().items()}
        for box in self.sections.values():
            box.setChecked(True)
            box.toggled.connect(self._renew.start)
            column.addWidget(box)
        column.addStretch(1)
        save = ActionButton(text("Save…"), tone="primary", least=120)
        save.clicked.connect(self._save)
        close = ActionButton(text("Close"), least=90)
        close.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addWidget(save)
        buttons.addWidget(close)
        buttons.addStretch(1)
        column.addLayout(buttons)
        panel.add(holder, 1)
        for field in (self.workshop, self.job, self.customer):
            field.textChanged.connect(lambda _words: self._renew.start())
        self.note.textChanged.connect(self._renew.start)
        self.used.currentIndexChanged.connect(lambda _place: self._renew.start())
        self.language.currentIndexChanged.connect(lambda _place: self._renew.start())
        return panel

    def report(self) -> Report:
        """What would be saved now."""
        visit = Visit(
            self.workshop.text(),
            self.job.text(),
            self.customer.text(),
            self.note.toPlainText(),
            _USED[self.used.currentIndex()],
        )
        chosen = tuple(name for name in SECTIONS if self.sections[name].isChecked())
        return report_of(self._view, visit, chosen)

    def show_preview(self) -> None:
        """Lay the document out again."""
        with _speaking(str(self.language.currentData())):
            document = document_of(self.report())
        document.setParent(self.preview)
        self.preview.setDocument(document)

    def _save(self) -> None:
        self._settings.put("workshop", self.workshop.text())
        serial = self._view.status.pack.serial or "pack"
        target = self._choose_target(f"report-{serial}.pdf")
        if target is None:
            return
        try:
            with _speaking(str(self.language.currentData())):
                write_report(self.report(), target)
        except (OSError, ValueError) as problem:
            self.failed.emit(str(problem))
            return
        self.saved.emit(str(target))
        self.accept()


def _used_words(way: str) -> str:
    return used_words(way) or text("not said")


def _section_words() -> dict[str, str]:
    return {
        "customer": text("For the customer"),
        "evidence": text("Evidence"),
        "cells": text("All cells"),
        "visits": text("Earlier visits"),
        "quality": text("Data quality and settings"),
    }


@contextmanager
def _speaking(code: str) -> Iterator[None]:
    """Another language for the length of a `with` block; the window keeps its own."""
    before = language()
    set_language(code)
    try:
        yield
    finally:
        set_language(before)
