"""How a cell table looks: heads, rows, folded modules, evidence marks. Paints, never decides.

The base of `cell_table.CellTable`, which says what is shown and in what order.
"""

from collections.abc import Callable, Mapping

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from widgets.icons import severity_shape
from widgets.table_rows import (
    ColumnData,
    Module,
    Row,
    TableColumn,
    module_summary,
    number_words,
)
from widgets.text_line import elided
from widgets.text_pixmaps import TextPixmaps
from widgets.theme import Theme, current_theme, font, mix

WATCH, HIGH = 1, 2
ROW_PX, HEAD_PX = 36, 38
NAME_PX, LEAST_PX = 116, 84
_DOT = 4.5


class CellTablePaint(QAbstractScrollArea):
    """State and painting; see the module."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._columns: tuple[TableColumn, ...] = ()
        self._data: Mapping[str, ColumnData] = {}
        self._names: tuple[str, ...] = ()
        self._head = ""
        self._worst = np.zeros(0)
        self._flags = np.zeros(0, np.uint8)
        self._modules: tuple[Module, ...] = ()
        self._open: set[int] = set()
        self._empty = ""
        self._sort, self._reverse = "", False
        self._rows: list[Row] = []
        self._selected = self._second = self._highlight = self._hovered = 0
        self._tooltip: Callable[[int, str], str] | None = None
        self._texts = TextPixmaps()

    # geometry

    def _width(self) -> float:
        """Width of one column: they share what there is."""
        count = max(len(self._columns), 1)
        return max((self.viewport().width() - NAME_PX) / count, LEAST_PX)

    def _row_at(self, y: float) -> int:
        """Number of the row at a height of the viewport, -1 for none."""
        if y < HEAD_PX:
            return -1
        row = int((y - HEAD_PX + self.verticalScrollBar().value()) // ROW_PX)
        return row if row < len(self._rows) else -1

    def _column_at(self, x: float) -> str:
        """Key of the column at x, "" the name's."""
        if x < NAME_PX:  # names stand still
            return ""
        x += self.horizontalScrollBar().value()
        column = int((x - NAME_PX) // self._width())
        return self._columns[column].key if 0 <= column < len(self._columns) else ""

    def cell_at(self, point: QPoint) -> int:
        """The cell at a point of the viewport, 0 for none."""
        row = self._row_at(point.y())
        return self._rows[row].cell if row >= 0 else 0

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        try:
            self._paint(painter, current_theme())
        finally:
            painter.end()  # a painter left open by an error would bring down the process

    def _paint(self, painter: QPainter, theme: Theme) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._texts.set_ratio(self.devicePixelRatioF())
        first = self.verticalScrollBar().value() // ROW_PX
        last = first + self.viewport().height() // ROW_PX + 2
        shift, high = self.horizontalScrollBar().value(), self.viewport().height()
        rows = [
            (self._rows[n], HEAD_PX + n * ROW_PX - self.verticalScrollBar().value())
            for n in range(first, min(last, len(self._rows)))
        ]
        painter.setClipRect(QRectF(0, HEAD_PX, self.viewport().width(), high))
        for row, top in rows:
            self._paint_ground(painter, theme, row, top)
            self._paint_name(painter, theme, row, top)
        self._texts.flush(painter)
        painter.setClipRect(QRectF(NAME_PX, HEAD_PX, self.viewport().width(), high))
        painter.translate(-shift, 0)
        for row, top in rows:
            self._paint_values(painter, theme, row, top)
        self._texts.flush(painter)
        painter.setClipRect(QRectF(NAME_PX + shift, 0, self.viewport().width(), HEAD_PX))
        self._paint_head(painter, theme)
        self._texts.flush(painter)
        painter.resetTransform()
        painter.setClipping(False)
        painter.fillRect(QRectF(0, HEAD_PX - 1, self.viewport().width(), 1), theme.line)
        self._texts.put(30, 12, self._head, theme.muted, 12)
        self._texts.flush(painter)
        if not self._rows and self._empty:
            painter.setFont(font(13))
            painter.setPen(theme.muted)
            area = self.viewport().rect().adjusted(0, HEAD_PX, 0, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._empty)

    def _paint_head(self, painter: QPainter, theme: Theme) -> None:
        width = self._width()
        for n, column in enumerate(self._columns):
            right = NAME_PX + (n + 1) * width - 10
            chosen = column.key == self._sort
            ink = theme.accent if chosen else theme.muted
            title = elided(column.title, font(12), width - (26 if chosen else 12))
            if chosen:
                title = f"{'↑' if self._reverse else '↓'} {title}"
            self._texts.put(right, 11, title, ink, 12, align=1.0)
            missing = self._missing(column.key)
            below = self._next_step(missing, width - 8) if missing else column.unit
            ink = mix(theme.muted, theme.accent, 0.5) if missing else theme.muted
            self._texts.put(right, 27, below, ink, 11, align=1.0)

    def _missing(self, key: str) -> str:
        """What would make a column known of which no cell has a value: its head says it once,
        where every row would."""
        data = self._data.get(key, ColumnData())
        if data.words or np.isfinite(data.values).any():
            return ""
        return data.reason

    def _next_step(self, missing: str, room: float) -> str:
        arrow = f"→ {missing}"
        return arrow if elided(arrow, font(11), room) == arrow else elided(missing, font(11), room)

    def _paint_ground(self, painter: QPainter, theme: Theme, row: Row, top: float) -> None:
        wide = NAME_PX + self._width() * len(self._columns)
        box = QRectF(0, top + 1, min(wide, self.viewport().width()), ROW_PX - 2)
        ground = self._ground(theme, row)
        painter.setPen(Qt.PenStyle.NoPen)
        if ground is not None:
            painter.setBrush(ground)
            painter.drawRoundedRect(box, 5, 5)
        if row.cell and row.cell in (self._selected, self._second):
            edge = theme.accent if row.cell == self._selected else theme.warn
            painter.setBrush(edge)
            painter.drawRoundedRect(QRectF(0, top + 6, 3, ROW_PX - 12), 1.5, 1.5)
        if self.hasFocus() and row.cell and row.cell == self._selected:
            painter.setPen(QPen(theme.accent, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0, -0.5, 0), 5, 5)
            painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_name(self, painter: QPainter, theme: Theme, row: Row, top: float) -> None:
        if row.cell:
            self._paint_cell_name(painter, theme, row.cell, top)
        else:
            self._paint_module_name(painter, theme, row.module, top)

    def _paint_values(self, painter: QPainter, theme: Theme, row: Row, top: float) -> None:
        width = self._width()
        for n, column in enumerate(self._columns):
            right = NAME_PX + (n + 1) * width - 10
            if row.cell:
                self._paint_value(painter, theme, column, row.cell, right, top, width)
            else:
                self._paint_module_value(theme, column, row.module, right, top, width)

    def _ground(self, theme: Theme, row: Row) -> QColor | None:
        if not row.cell:
            return theme.raised
        if row.cell in (self._selected, self._second):
            return mix(theme.raised, theme.accent, 0.14 if row.cell == self._selected else 0.05)
        return theme.raised if row.cell in (self._highlight, self._hovered) else None

    def _paint_cell_name(self, painter: QPainter, theme: Theme, cell: int, top: float) -> None:
        flag = int(self._flags[cell - 1]) if cell <= len(self._flags) else 0
        if flag:
            severity = "high" if flag & HIGH else "watch"
            severity_shape(painter, severity, QRectF(11, top + ROW_PX / 2 - 5.5, 11, 11))
        name = self._names[cell - 1] if cell <= len(self._names) else str(cell)
        words, _, label = name.partition("\n")
        shape_room = NAME_PX - 38
        if label:
            self._texts.put(30, top + 12, words, theme.text, 13, bold=True)
            label = elided(label, font(11), shape_room)
            self._texts.put(30, top + 26, label, theme.muted, 11)
        else:
            self._texts.put(30, top + ROW_PX / 2, words, theme.text, 13, bold=True)

    def _paint_value(
        self,
        painter: QPainter,
        theme: Theme,
        column: TableColumn,
        cell: int,
        right: float,
        top: float,
        width: float,
    ) -> None:
        data, i = self._data.get(column.key, ColumnData()), cell - 1
        words = self._value_words(column, cell)
        known = words != "–"
        strong = bool(data.strong[i]) if i < len(data.strong) else False
        ink = theme.text if known else theme.muted
        self._texts.put(right, top + 12, words, ink, 13, bold=strong, align=1.0)
        second = data.second[i] if known and i < len(data.second) else ""
        if not known:
            second = "" if self._missing(column.key) else data.reason
        mark = int(data.marks[i]) if known and i < len(data.marks) else 0
        room = width - 10
        if mark:
            self._paint_mark(painter, theme, mark, right, top + 26)
            right, room = right - 3 * (_DOT + 2) - 3, room - 24
        if second:
            second = elided(second, font(11), room)
            self._texts.put(right, top + 26, second, theme.muted, 11, align=1.0)

    def _paint_mark(
        self, painter: QPainter, theme: Theme, mark: int, right: float, middle: float
    ) -> None:
        """Three dots, as many filled as the evidence has steps."""
        painter.setPen(QPen(theme.muted, 1))
        for n in range(3):
            painter.setBrush(theme.muted if n < mark else Qt.BrushStyle.NoBrush)
            x = right - (3 - n) * (_DOT + 2) + 2
            painter.drawEllipse(QPointF(x + _DOT / 2, middle), _DOT / 2, _DOT / 2)

    def _paint_module_name(self, painter: QPainter, theme: Theme, number: int, top: float) -> None:
        module = self._modules[number]
        arrow = "▾" if number in self._open else "▸"
        flags = [int(self._flags[c - 1]) for c in module.cells if 0 < c <= len(self._flags)]
        worst = max(flags, default=0)
        self._texts.put(10, top + ROW_PX / 2, arrow, theme.muted, 12)
        title, _, below = module.title.partition("\n")
        line = top + (12 if below else ROW_PX / 2)
        self._texts.put(24, line, elided(title, font(12), NAME_PX - 44), theme.text, 12, bold=True)
        self._texts.put(24, top + 26, elided(below, font(11), NAME_PX - 30), theme.muted, 11)
        if worst:
            severity = "high" if worst & HIGH else "watch"
            severity_shape(painter, severity, QRectF(NAME_PX - 16, top + 13, 10, 10))

    def _paint_module_value(
        self,
        theme: Theme,
        column: TableColumn,
        number: int,
        right: float,
        top: float,
        width: float,
    ) -> None:
        """Median, and smallest … largest below it; bright where a cell in it stands out."""
        module, data = self._modules[number], self._data.get(column.key, ColumnData())
        found = module_summary(data.values, module.cells)
        if found is None or data.words:
            self._texts.put(right, top + 12, "–", theme.muted, 13, align=1.0)
            reason = "" if self._missing(column.key) else data.reason
            reason = elided(reason, font(11), width - 10)
            self._texts.put(right, top + 26, reason, theme.muted, 11, align=1.0)
            return
        low, middle, high = (number_words(v, column.decimals, column.sign) for v in found)
        strong = any(data.strong[c - 1] for c in module.cells if 0 < c <= len(data.strong))
        self._texts.put(right, top + 12, middle, theme.text, 13, align=1.0)
        between = elided(f"{low} … {high}", font(11), width - 8)
        ink = theme.text if strong else theme.muted
        self._texts.put(right, top + 26, between, ink, 11, bold=strong, align=1.0)

    # words

    def _value_words(self, column: TableColumn, cell: int) -> str:
        data = self._data.get(column.key, ColumnData())
        if data.words:
            return data.words[cell - 1] if cell <= len(data.words) else "–"
        value = float(data.values[cell - 1]) if cell <= len(data.values) else float("nan")
        return number_words(value, column.decimals, column.sign)
