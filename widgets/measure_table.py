"""What a measured range of time says about each signal: a table to read and to copy.

    MeasureTable(parent=None)
      .set_rows([Measurement(name, unit, minimum, maximum, mean, delta, slope, integral, color)])
      .set_headers((Signal, Min, Max, Mean, Δ, Slope, Integral)); .set_caption(str); .set_empty(str)
      .tsv() -> str
slope is per second, integral over seconds: their units are unit/s and unit·s, or given by
slope_unit and integral_unit (A: "Ah"). NaN is a dash. Copy (Ctrl+C) gives tab-separated text with
units in a column of their own, numbers with a point and full precision.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from widgets.text_line import TextLine
from widgets.theme import font

HEADERS = ("Signal", "Min", "Max", "Mean", "Δ", "Slope", "Integral")
_NAME, _NUMBER = 140, 98  # narrowest columns; below that the table scrolls
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Measurement:
    """One signal over the range. color: of its trace, None for none."""

    name: str
    unit: str
    minimum: float
    maximum: float
    mean: float
    delta: float
    slope: float
    integral: float
    slope_unit: str = ""
    integral_unit: str = ""
    color: QColor | None = None

    def values(self) -> tuple[tuple[float, str], ...]:
        """(number, unit) in the order of the columns after the name."""
        slope = self.slope_unit or (f"{self.unit}/s" if self.unit else "1/s")
        integral = self.integral_unit or (f"{self.unit}·s" if self.unit else "s")
        same = ((v, self.unit) for v in (self.minimum, self.maximum, self.mean, self.delta))
        return (*same, (self.slope, slope), (self.integral, integral))


def number_text(value: float) -> str:
    """Five significant digits, no more than five decimals and no exponent where that can be
    avoided; a dash for NaN."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = 4 - math.floor(math.log10(abs(value)))
    if abs(value) >= 1e-3:
        places = min(places, 5)
    if places > 9 or places < -4:
        return f"{value:.4e}".replace("-", "−")
    return f"{value:.{max(places, 0)}f}".replace("-", "−")


class _Model(QAbstractTableModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.rows: tuple[Measurement, ...] = ()
        self.headers: tuple[str, ...] = HEADERS

    def set_rows(self, rows: Sequence[Measurement]) -> None:
        same = [row.name for row in rows] == [row.name for row in self.rows]
        if same:
            self.rows = tuple(rows)
            if rows:
                last = self.index(len(rows) - 1, len(HEADERS) - 1)
                self.dataChanged.emit(self.index(0, 0), last)
            return
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(HEADERS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            if column == 0:
                return row.name
            value, unit = row.values()[column - 1]
            text = number_text(value)
            return text if text == "–" else f"{text} {unit}".rstrip()
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.DecorationRole and column == 0 and row.color is not None:
            swatch = QPixmap(10, 10)
            swatch.fill(row.color)
            return swatch
        if role == Qt.ItemDataRole.FontRole:
            return font(12)
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.headers[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None


class _View(QTableView):
    def keyPressEvent(self, event: QKeyEvent) -> None:
        table = self.parentWidget()
        if event.matches(QKeySequence.StandardKey.Copy) and isinstance(table, MeasureTable):
            QGuiApplication.clipboard().setText(table.tsv())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The name takes what the numbers leave, and never less than reads."""
        numbers = len(HEADERS) - 1
        wide = max(_NUMBER, (self.viewport().width() - _NAME) // (numbers + 1))
        wide = min(wide, 130)
        for column in range(1, numbers + 1):
            self.setColumnWidth(column, wide)
        self.setColumnWidth(0, max(_NAME, self.viewport().width() - numbers * wide))
        super().resizeEvent(event)


class MeasureTable(QWidget):
    """See the module."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model(self)
        self._view = _View(self)
        self._view.setModel(self._model)
        self._caption = TextLine("", tone="muted", size=12)
        self._empty = ""
        self._told = ""
        self._set_up_view()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self._caption)
        column.addWidget(self._view, 1)
        self._show_caption()

    def _set_up_view(self) -> None:
        view = self._view
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setShowGrid(False)
        view.setProperty("plain", True)
        view.setWordWrap(False)
        rows = view.verticalHeader()
        rows.hide()
        rows.setDefaultSectionSize(24)
        header = view.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(60)
        self._view.setAccessibleName("Measured range")

    def set_rows(self, rows: Sequence[Measurement]) -> None:
        """The signals of the range; [] when no range is measured."""
        self._model.set_rows(rows)
        self._show_caption()

    def set_headers(self, headers: tuple[str, ...]) -> None:
        """Seven column titles. ValueError for another number."""
        if len(headers) != len(HEADERS):
            raise ValueError(f"the table has {len(HEADERS)} columns, not {len(headers)}")
        self._model.headers = headers
        self._model.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(HEADERS) - 1)

    def set_caption(self, text: str) -> None:
        """What range this is: "12.4 s from 00:03:11.250"."""
        self._told = text
        self._show_caption()

    def set_empty(self, text: str) -> None:
        """What to say while nothing is measured: how to measure."""
        self._empty = text
        self._show_caption()

    def _show_caption(self) -> None:
        self._caption.set_text(self._told if self._model.rows else self._empty)
        self._view.setVisible(bool(self._model.rows))

    def sizeHint(self) -> QSize:
        return QSize(700, 60 + 24 * max(len(self._model.rows), 1))

    def tsv(self) -> str:
        """All rows as tab-separated text, a header line first, a unit column after each number."""
        titles = [self._model.headers[0]]
        for title in self._model.headers[1:]:
            titles += [title, ""]
        lines = ["\t".join(titles)]
        for row in self._model.rows:
            parts = [row.name]
            for value, unit in row.values():
                parts += [f"{value:.9g}" if math.isfinite(value) else "", unit]
            lines.append("\t".join(parts))
        return "\n".join(lines)


__all__ = ["HEADERS", "MeasureTable", "Measurement", "number_text"]
