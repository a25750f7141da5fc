"""Run the analysis again with other settings, and see what that changes, cell by cell.

Every run is kept with its settings. The dialog asks the view; it estimates nothing itself.
"""

import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from bms_studio.estimators.model import CellModel
from bms_studio.gui.cell_view import clock
from bms_studio.gui.contract import Analysed, AnalysisSettings
from bms_studio.gui.estimate_words import settings_words
from bms_studio.gui.estimates import estimates_of
from bms_studio.gui.live_panels import FactRows
from bms_studio.gui.page import Context
from bms_studio.gui.run_difference import (
    compared,
    difference,
    difference_columns,
    pack_difference,
    same_moment,
)
from bms_studio.language import text
from bms_studio.pack.chemistry import NAMES
from widgets.cell_table import CellTable
from widgets.panel import Panel

_POLL_MS = 200
_MOMENT_NS = 1_000_000_000
_MOST_OCV_BYTES = 1_000_000
_MOST_FACTS = 6
_CIRCUIT = tuple(f.name for f in fields(CellModel) if f.type in (float, "float"))


class AnalysisDialog(QDialog):
    """See the module. Stays open while the analysis runs."""

    def __init__(self, context: Context, view: Analysed, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(text("Run the analysis again"))
        self.context, self.view = context, view
        self._ocv = ""
        self._compared: tuple[object, ...] = ()
        self._running = False
        self._make_form()
        self._make_comparison()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.setSpacing(24)
        layout.addLayout(self._left)
        layout.addLayout(self._right, 1)
        self.resize(1340, 680)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.poll)
        self._timer.start(_POLL_MS)
        self._take(view.analysis.settings)
        self.poll()

    # -- what to run ---------------------------------------------------------------------------

    def _make_form(self) -> None:
        self.name = QLineEdit()
        self.name.setPlaceholderText(text("how you call this run"))
        self.chemistry = QComboBox()
        self.chemistry.addItem(text("automatic"), "")
        for name in NAMES:
            self.chemistry.addItem(name, name)
        self.chemistry.addItem(text("table of your own…"), "custom")
        self.chemistry.activated.connect(self._chemistry_chosen)
        self.capacity = _number_line(text("automatic"))
        self.noise = _number_line(text("automatic"))
        self.error = _number_line(text("automatic"))
        self.model = QLineEdit()
        self.model.setPlaceholderText("r0_ohm=0.003 tau2_s=300")
        self.model.setToolTip(text("Fields: {names}", names=", ".join(_CIRCUIT)))
        self.use_bms = QCheckBox(text("begin at the charge that the BMS reports"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(9)
        for row, (title, editor) in enumerate(
            (
                (text("Name"), self.name),
                (text("Chemistry"), self.chemistry),
                (text("Capacity, Ah"), self.capacity),
                (text("Noise of a reading, mV"), self.noise),
                (text("Error of the model, mV"), self.error),
                (text("Cell model"), self.model),
            )
        ):
            label = QLabel(title)
            label.setProperty("tone", "muted")
            grid.addWidget(label, row, 0)
            editor.setMinimumWidth(210)
            grid.addWidget(editor, row, 1)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setMaximumWidth(380)
        self.problem.setProperty("tone", "warn")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self.run = QPushButton(text("Run"))
        self.run.setProperty("tone", "primary")
        self.run.setDefault(True)
        self.run.clicked.connect(self.start)
        self.cancel = QPushButton(text("Cancel"))
        self.cancel.clicked.connect(self.view.cancel_analysis)
        close = QPushButton(text("Close"))
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(self.progress, 1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(close)
        buttons.addWidget(self.run)
        note = QLabel(text("The samples stay as they are; every run is kept with its settings."))
        note.setProperty("tone", "muted")
        note.setWordWrap(True)
        note.setMaximumWidth(380)
        self._left = QVBoxLayout()
        self._left.setSpacing(12)
        self._left.addLayout(grid)
        self._left.addWidget(self.use_bms)
        self._left.addWidget(note)
        self._left.addWidget(self.problem)
        self._left.addStretch(1)
        self._left.addLayout(buttons)

    def _take(self, settings: AnalysisSettings) -> None:
        """Begin with the settings of the run shown."""
        self._ocv = settings.ocv
        self.chemistry.setCurrentIndex(max(self.chemistry.findData(settings.chemistry), 0))
        self.capacity.setText(_stated(settings.capacity_ah))
        self.noise.setText(_stated(1000 * settings.noise_v))
        self.error.setText(_stated(1000 * settings.error_v))
        self.model.setText(" ".join(f"{k}={v:g}" for k, v in settings.model.items()))
        self.use_bms.setChecked(settings.use_bms_soc)

    def settings(self) -> AnalysisSettings:
        """What the form says. ValueError with one sentence when something cannot be read."""
        chemistry = self.chemistry.currentData()
        if chemistry == "custom" and not self._ocv:
            raise ValueError(text("Choose the table of open-circuit voltages first."))
        return AnalysisSettings(
            name=self.name.text().strip(),
            chemistry=chemistry,
            ocv=self._ocv if chemistry == "custom" else "",
            capacity_ah=_read(self.capacity),
            noise_v=_read(self.noise) / 1000,
            error_v=_read(self.error) / 1000,
            bleed_a=self.view.analysis.settings.bleed_a,
            use_bms_soc=self.use_bms.isChecked(),
            model=_circuit(self.model.text()),
        )

    def _chemistry_chosen(self, _index: int) -> None:
        if self.chemistry.currentData() != "custom":
            return
        name, _ = QFileDialog.getOpenFileName(
            self, text("Open-circuit voltage: soc, ocv_v"), "", "CSV (*.csv)"
        )
        if name:
            self.read_table(Path(name))

    def read_table(self, path: Path) -> None:
        """Take a person's OCV table; says so when it cannot be read."""
        try:
            if path.stat().st_size > _MOST_OCV_BYTES:
                raise ValueError(text("{path} is too large for a table of voltages.", path=path))
            self._ocv = path.read_text(encoding="utf-8-sig")
            self.chemistry.setCurrentIndex(self.chemistry.findData("custom"))
            self.problem.setText("")
        except (OSError, ValueError) as found:
            self.problem.setText(str(found))

    def start(self) -> None:
        """Run with what the form says."""
        try:
            settings = self.settings()
            self.view.analyse(settings)
        except (ValueError, OSError, RuntimeError) as found:
            self.problem.setText(str(found))
            return
        self.problem.setText("")
        self._running = True
        self.run.setEnabled(False)

    # -- what it changed -----------------------------------------------------------------------

    def _make_comparison(self) -> None:
        self.old, self.new = QComboBox(), QComboBox()
        self.old_settings, self.new_settings = QLabel(), QLabel()
        head = QGridLayout()
        head.setHorizontalSpacing(12)
        for column, (title, box, settings) in enumerate(
            (
                (text("Before"), self.old, self.old_settings),
                (text("After"), self.new, self.new_settings),
            )
        ):
            label = QLabel(title)
            label.setProperty("tone", "muted")
            settings.setProperty("tone", "muted")
            settings.setWordWrap(True)
            head.addWidget(label, 0, column)
            head.addWidget(box, 1, column)
            head.addWidget(settings, 2, column)
            head.setColumnStretch(column, 1)
            box.activated.connect(self._run_chosen)
        self.facts = FactRows(_MOST_FACTS, first_width=130, fit=True, even=True)
        self.facts.hide()
        self.table = CellTable()
        self.table.set_columns(difference_columns([]))
        self.table.set_empty(text("Run it again to see the difference"))
        self._right = QVBoxLayout()
        self._right.setSpacing(10)
        self._right.addLayout(head)
        self.moment = QLabel()
        self.moment.setProperty("tone", "muted")
        self._right.addWidget(self.moment)
        panel = Panel()
        panel.add(self.facts)
        panel.add(self.table, 1)
        self._right.addWidget(panel, 1)

    def poll(self) -> None:
        """Look how far it is, and what there is to compare."""
        status = self.view.analysis
        busy = not math.isnan(status.busy)
        self.progress.setVisible(busy)
        self.progress.setValue(round(1000 * status.busy) if busy else 0)
        self.run.setEnabled(not busy)
        self.cancel.setVisible(busy)
        ended = self._running and not busy
        if ended:
            self._running = False
            self.problem.setText(status.error)
        if self.old.count() != len(status.runs):
            self._list(max(len(status.runs) - 2, 0), len(status.runs) - 1)
        elif ended:  # by now a run says with what settings it was made
            self._list(self.old.currentIndex(), self.new.currentIndex())
        self._show()

    def _list(self, old: int, new: int) -> None:
        for box, chosen in ((self.old, old), (self.new, new)):
            box.clear()
            for number, name in enumerate(self.view.analysis.runs, start=1):
                box.addItem(f"{number} · {self._run_words(number - 1, name)}", number - 1)
            box.setCurrentIndex(chosen)

    def _run_words(self, number: int, name: str) -> str:
        """A run's own name, else what was stated for it."""
        if name not in ("", str(number + 1)):
            return name
        run = self.view.analysis_run(number)
        return settings_words(run.settings) if run is not None else text("automatic")

    def _run_chosen(self, _index: int) -> None:
        """The later run of the two is the one that all pages show."""
        new = self.new.currentData()
        if new is not None and new != self.view.analysis.shown:
            self.view.show_analysis(new)
        self._show()

    def _show(self) -> None:
        """The difference between the two runs at the moment shown."""
        old, new = self.old.currentData(), self.new.currentData()
        if old is None or new is None:
            return
        status, t = self.view.analysis, self.context.present_ns
        key = (old, new, len(status.runs), math.isnan(status.busy), t // _MOMENT_NS)
        if key == self._compared:
            return
        first, second = self.view.analysis_run(old), self.view.analysis_run(new)
        if first is None or second is None:
            return
        self._compared = key
        for label, run in ((self.old_settings, first), (self.new_settings, second)):
            label.setText(settings_words(replace(run.settings, name="")))
        moment = same_moment(first, second, t)
        before, after = estimates_of(first, moment), estimates_of(second, moment)
        self.moment.setText(text("both at {time}", time=clock(moment)) if old != new else "")
        count = 0 if old == new else max(before.count, after.count)
        names = [text("Cell {cell}", cell=n + 1) for n in range(count)]
        self.table.set_names(names, text("Cell"))
        keys = compared(before, after)
        self.table.set_columns(difference_columns(keys) if count else [])
        self.facts.setVisible(count > 0)
        self.facts.set_rows(pack_difference(first, second, before, after))
        data, worst = difference(before, after, keys)
        self.table.set_data(data, worst, np.zeros(0, np.uint8))


def _number_line(placeholder: str) -> QLineEdit:
    line = QLineEdit()
    line.setPlaceholderText(placeholder)
    return line


def _stated(value: float) -> str:
    return "" if math.isnan(value) else f"{value:g}"


def _read(line: QLineEdit) -> float:
    """A positive number, NaN when nothing is stated. ValueError with a sentence otherwise."""
    words = line.text().strip().replace(",", ".")
    if not words:
        return math.nan
    try:
        value = float(words)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(text("'{words}' is not a positive number.", words=words))
    return value


def _circuit(words: str) -> dict[str, float]:
    """ "r0_ohm=0.003 tau2_s=300" as numbers. ValueError with a sentence otherwise."""
    changes = {}
    for part in words.replace(",", " ").split():
        name, _, number = part.partition("=")
        try:
            changes[name] = float(number)
        except ValueError:
            raise ValueError(text("'{words}': write it like r0_ohm=0.003.", words=part)) from None
        if name not in _CIRCUIT:
            raise ValueError(
                text(
                    "The model has no {name}: it has {names}.", name=name, names=", ".join(_CIRCUIT)
                )
            )
    return changes
