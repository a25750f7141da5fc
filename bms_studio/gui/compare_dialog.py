"""Compare the present state of a pack with an earlier visit: change and sigma of every cell.

Shows `comparison.compare`; what cannot be compared says why.
"""

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from bms_studio.comparison import Change, compare
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number
from bms_studio.gui.risk_words import day_words
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.pack.health import Health
from widgets.action_button import ActionButton
from widgets.chart import Bar, Chart
from widgets.panel import Panel
from widgets.small_chart import SmallChart
from widgets.text_line import TextLine

_NOTABLE_Z = 3.0
# Which way is worse, where one is.
_WORSE = {"resistance_ohm": 1, "leak_a": 1, "capacity_ah": -1, "sag_margin_v": -1}


class CompareDialog(QDialog):
    """See the module. visits: earlier ones, oldest first; now: the present evaluation."""

    def __init__(
        self, visits: Sequence[Health], now: Health | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(text("Compare with an earlier visit"))
        self.resize(*((980, 640) if visits else (560, 150)))
        self._visits, self._now = list(reversed(visits)), now
        self.choice = QComboBox()
        for visit in self._visits:
            title = f" · {visit.title}" if visit.title else ""
            self.choice.addItem(day_words(visit.time) + title)
        self.choice.currentIndexChanged.connect(self._show)
        self.choice.setVisible(bool(self._visits))
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self._body = QVBoxLayout()
        self._body.setSpacing(10)
        self._parts: list[QWidget] = []
        holder = QWidget()
        holder.setLayout(self._body)
        area = QScrollArea()
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setWidget(holder)
        close = ActionButton(text("Close"), least=90)
        close.clicked.connect(self.accept)
        top = QHBoxLayout()
        top.addWidget(TextLine(text("Earlier visit") if self._visits else "", tone="muted"))
        top.addWidget(self.choice)
        top.addStretch(1)
        top.addWidget(close)
        column = QVBoxLayout(self)
        column.addLayout(top)
        column.addWidget(self.summary)
        column.addWidget(area, 1)
        self._show()

    def _show(self) -> None:
        for part in self._parts:
            self._body.removeWidget(part)
            part.deleteLater()
        self._parts = []
        place = self.choice.currentIndex()
        if self._now is None or not 0 <= place < len(self._visits):
            self.summary.setText(
                text(
                    "No earlier visit of this pack is known. Visits are kept by serial number: "
                    "open or analyze its earlier recordings, or state the serial in the profile."
                )
            )
            return
        changes = compare(self._visits[place], self._now)
        self.summary.setText("\n".join(notable(changes)) or text("No cell changed notably."))
        for change in changes:
            self._parts.append(_panel(change))
            self._body.addWidget(self._parts[-1])


def notable(changes: Sequence[Change], most: int = 4) -> list[str]:
    """Sentences on the cells that changed by more than three sigma, the surest first."""
    found = []
    for change in changes:
        title, unit, factor, decimals = quantity_words(change.quantity)
        z = np.nan_to_num(np.abs(change.significance))
        for cell in np.flatnonzero(z >= _NOTABLE_Z):
            words = text(
                "Cell {cell}: {what} {change} ± {sigma} {unit}",
                cell=int(cell) + 1,
                what=title.lower(),
                change=number(float(factor * change.difference[cell]), decimals, sign=True),
                sigma=number(float(factor * change.sigma[cell]), decimals),
                unit=unit,
            )
            told = _way_words(_way(change, int(cell)))
            found.append((float(z[cell]), f"{words} · {told}" if told else words))
    return [words for _, words in sorted(found, key=lambda item: -item[0])[:most]]


def _way(change: Change, cell: int) -> str:
    """ "worse", "better", "changed" where it has no better, "" where it did not notably change."""
    z = change.significance[cell]
    if not abs(z) >= _NOTABLE_Z:
        return ""
    worse = _WORSE.get(change.quantity, 0)
    return {0: "changed", 1: "worse", -1: "better"}[int(np.sign(worse * z))]


def _way_words(way: str) -> str:
    return {"worse": text("worse"), "better": text("better")}.get(way, "")


_TONES = {"worse": "high", "better": "resolved", "changed": "watch", "": "trace"}


def _panel(change: Change) -> QWidget:
    title, unit, factor, decimals = quantity_words(change.quantity)
    if change.reason:
        panel = Panel(title)
        why = render(change.reason, dict(change.parameters))
        label = QLabel(text("Not comparable: {reason}", reason=why))
        label.setWordWrap(True)
        label.setProperty("tone", "muted")
        panel.add(label)
        return panel
    z = change.significance
    bars = tuple(
        Bar(
            str(cell + 1),
            float(factor * change.difference[cell]),
            float(factor * change.sigma[cell]),
            _TONES[_way(change, cell)],
            number(float(factor * change.difference[cell]), decimals, sign=True)
            if math.isfinite(z[cell]) and abs(z[cell]) >= _NOTABLE_Z
            else "",
        )
        for cell in range(len(z))
    )
    chart = SmallChart()
    chart.set(Chart(title, text("{unit}, now minus then, by cell", unit=unit), bars=bars))
    chart.setMinimumHeight(150)
    return chart
