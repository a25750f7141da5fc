"""A table of all cells, worst first: value, what is below it, and how good the evidence is.

    CellTable(parent=None)
      .set_columns([TableColumn])                  a click on a head sorts by it, worst first
      .set_data({key: ColumnData}, worst, flags)   worst float64[N]: order when no column is chosen
      .set_names([str], head)                      first column, per cell
      .set_modules([Module]); .set_shown(cells or None); .set_empty(str)
      .set_selected(cell, second=0); .set_highlight(cell); .set_tooltip(callable(cell, key) -> str)
      .table_text() -> tab-separated values with a row of units
    signals cell_hovered(int), cell_selected(int), cell_compared(int), cell_activated(int), 0 = none
The order holds still while the pointer is on the table. Ctrl+click compares with a second cell,
Ctrl+C copies. flags: 1 watch, 2 high.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from widgets.cell_table_paint import HEAD_PX, HIGH, LEAST_PX, NAME_PX, ROW_PX, WATCH, CellTablePaint
from widgets.table_rows import ColumnData, Module, Row, TableColumn, plan_rows, worst_first

_STEPS: dict[int, int] = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_PageDown: 10,
    Qt.Key.Key_PageUp: -10,
}
_REORDER_S = 2.0  # a table that reorders faster cannot be read


class CellTable(CellTablePaint):
    """See the module."""

    cell_hovered = Signal(int)
    cell_selected = Signal(int)
    cell_compared = Signal(int)
    cell_activated = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Cells")
        self.viewport().setMouseTracking(True)
        self._shown: frozenset[int] | None = None
        self._order: tuple[int, ...] = ()
        self._ordered_s = -_REORDER_S

    # what to show

    def set_columns(self, columns: Sequence[TableColumn]) -> None:
        """The columns after the cell's name."""
        if tuple(columns) == self._columns:
            return
        self._columns = tuple(columns)
        if self._sort not in [c.key for c in columns]:
            self._sort, self._reverse = "", False
        self._arrange()
        self._ordered_s = -_REORDER_S

    def set_names(self, names: Sequence[str], head: str = "") -> None:
        """What each cell is called, and the head of that column."""
        if (tuple(names), head) != (self._names, self._head):
            self._names, self._head = tuple(names), head
            self._arrange()
            self._ordered_s = -_REORDER_S  # the next values may order them at once

    def set_data(
        self,
        data: Mapping[str, ColumnData],
        worst: NDArray[np.float64],
        flags: NDArray[np.uint8],
    ) -> None:
        """New values. The order follows at most every 2 s, and not under the pointer."""
        self._data, self._worst, self._flags = data, worst, flags
        held = self._hovered or self.viewport().underMouse()
        if not held and time.monotonic() - self._ordered_s >= _REORDER_S:
            self._arrange()
        self.viewport().update()

    def set_modules(self, modules: Sequence[Module]) -> None:
        """Fold the cells into these; [] shows every cell by itself."""
        if tuple(modules) != self._modules:
            self._modules, self._open = tuple(modules), set()
            self._arrange()
            self._ordered_s = -_REORDER_S

    def set_shown(self, cells: Collection[int] | None) -> None:
        """Only these cells (a search); None shows all."""
        wanted = None if cells is None else frozenset(cells)
        if wanted != self._shown:
            self._shown = wanted
            self._arrange()

    def set_empty(self, text: str) -> None:
        """What to say while there is no row."""
        self._empty = text
        self.viewport().update()

    def set_selected(self, cell: int, second: int = 0) -> None:
        """Mark the cell looked at and the one it is compared with; emits nothing."""
        if (cell, second) != (self._selected, self._second):
            self._selected, self._second = cell, second
            self.setAccessibleDescription(self._spoken(cell))
            self.viewport().update()

    def set_highlight(self, cell: int) -> None:
        """Mark the cell that the pointer is on elsewhere."""
        if cell != self._highlight:
            self._highlight = cell
            self.viewport().update()

    def set_tooltip(self, words_of: Callable[[int, str], str] | None) -> None:
        """What the pointer tells of a value: cell and column key ("" the name)."""
        self._tooltip = words_of

    @property
    def order(self) -> tuple[int, ...]:
        """The cells in the order shown, folded ones included."""
        return self._order

    @property
    def shown_count(self) -> int:
        """How many cells a search shows; all where there is none."""
        if self._shown is None:
            return len(self._order)
        return sum(cell in self._shown for cell in self._order)

    @property
    def first_shown(self) -> int:
        """The cell in the first row that is one, 0 for none."""
        return next((row.cell for row in self._rows if row.cell), 0)

    @property
    def sort_key(self) -> str:
        """The column that orders the rows, "" for the worst cells overall."""
        return self._sort

    def sort_by(self, key: str) -> None:
        """Worst first by this column; the same again turns the order round; "" overall."""
        if key == self._sort and key:
            self._reverse = not self._reverse
        else:
            self._sort, self._reverse = key, False
        self._arrange()

    def rows(self) -> tuple[Row, ...]:
        """The rows from top to bottom."""
        return tuple(self._rows)

    def toggle_module(self, number: int) -> None:
        """Unfold or fold a module."""
        self._open ^= {number}
        self._arrange(keep_order=True)

    # order and geometry

    def _arrange(self, keep_order: bool = False) -> None:
        if not (keep_order and self._order):
            self._order = self._new_order()
            self._ordered_s = time.monotonic()
        self._rows = plan_rows(self._order, self._modules, self._open, self._shown)
        self._set_ranges()
        self.viewport().update()

    def _new_order(self) -> tuple[int, ...]:
        count = len(self._names)
        badness = self._worst
        if self._sort:
            badness = self._data.get(self._sort, ColumnData()).badness
        padded = np.full(count, np.nan)
        padded[: min(count, len(badness))] = badness[:count]
        order = worst_first(padded)
        if not self._reverse:
            return order
        known = [c for c in order if not np.isnan(padded[c - 1])]
        return tuple(known[::-1] + [c for c in order if np.isnan(padded[c - 1])])

    def _set_ranges(self) -> None:
        high = self.viewport().height() - HEAD_PX
        self.verticalScrollBar().setRange(0, max(len(self._rows) * ROW_PX - high, 0))
        self.verticalScrollBar().setPageStep(max(high, ROW_PX))
        self.verticalScrollBar().setSingleStep(ROW_PX)
        wide = NAME_PX + LEAST_PX * len(self._columns)
        self.horizontalScrollBar().setRange(0, max(wide - self.viewport().width(), 0))
        self.horizontalScrollBar().setPageStep(self.viewport().width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_ranges()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(820, HEAD_PX + 12 * ROW_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, HEAD_PX + 2 * ROW_PX)

    def _spoken(self, cell: int) -> str:
        if not 0 < cell <= len(self._names):
            return ""
        parts = [self._names[cell - 1].replace("\n", " ")]
        parts += [f"{c.title} {self._value_words(c, cell)} {c.unit}" for c in self._columns]
        return ", ".join(part.strip() for part in parts)

    def table_text(self) -> str:
        """All cells shown, in order: names, values and what stands below them, as plain numbers; a
        row of titles and one of units first. What is unknown is left empty."""
        titles, units = [self._head], [""]
        for column in self._columns:
            titles.append(column.title)
            units.append(column.unit)
            if column.second:
                titles.append(f"{column.title} {column.second}")
                units.append(column.second_unit)
        lines = ["\t".join(titles), "\t".join(units)]
        for cell in self._order:
            if self._shown is not None and cell not in self._shown:
                continue
            parts = [self._names[cell - 1].replace("\n", " ")]
            for column in self._columns:
                parts += self._copied(column, cell)
            lines.append("\t".join(parts).replace("−", "-"))
        return "\n".join(lines)

    def _copied(self, column: TableColumn, cell: int) -> list[str]:
        """A value, and what stands below it where the column names that; empty when unknown."""
        data, words = self._data.get(column.key, ColumnData()), self._value_words(column, cell)
        known = words != "–"
        below = data.second[cell - 1] if known and cell <= len(data.second) else ""
        below = below.removeprefix("± ").removesuffix(f" {column.second_unit}")
        return [words if known else "", below] if column.second else [words if known else ""]

    # people

    def _hover(self, cell: int) -> None:
        if cell != self._hovered:
            self._hovered = cell
            self.cell_hovered.emit(cell)
            self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.cell_at(event.position().toPoint()))

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self._hover(0)
        elif event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self._show_tip(event)
            return True
        return super().viewportEvent(event)

    def _show_tip(self, event: QHelpEvent) -> None:
        point = event.pos()
        key = self._column_at(point.x())
        words = ""
        if point.y() < HEAD_PX:
            words = next((c.tip for c in self._columns if c.key == key), "")
        elif self._tooltip is not None and (cell := self.cell_at(point)):
            words = self._tooltip(cell, key)
        if words:
            QToolTip.showText(event.globalPos(), words, self.viewport())
        else:
            QToolTip.hideText()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        point = event.position().toPoint()
        if point.y() < HEAD_PX:
            self.sort_by(self._column_at(point.x()))
            return
        row = self._row_at(point.y())
        if row < 0:
            return
        if not self._rows[row].cell:
            self.toggle_module(self._rows[row].module)
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.cell_compared.emit(self._rows[row].cell)
        else:
            self.cell_selected.emit(self._rows[row].cell)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the press was for us

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position().toPoint())
        if cell:
            self.cell_activated.emit(cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.table_text())
        elif step := _STEPS.get(key, 0):
            self._move(step)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._selected:
            self.cell_activated.emit(self._selected)
        elif key == Qt.Key.Key_Escape and (self._selected or self._second):
            self.cell_selected.emit(0)
        else:
            event.ignore()

    def _move(self, step: int) -> None:
        """The next cells in the order shown; a folded module unfolds when one goes into it."""
        if self._shown is None:
            cells = list(self._in_modules())
        else:
            cells = [row.cell for row in self._rows]
        if not cells:
            return
        at = cells.index(self._selected) + step if self._selected in cells else 0
        cell = cells[min(max(at, 0), len(cells) - 1)]
        self.cell_selected.emit(cell)
        self.reveal(cell)

    def _in_modules(self) -> Iterator[int]:
        """All cells in the order of their rows, as if every module were open."""
        everything = plan_rows(self._order, self._modules, range(len(self._modules)))
        return (row.cell for row in everything if row.cell)

    def reveal(self, cell: int) -> None:
        """Scroll a cell into sight, unfolding its module."""
        home = next((n for n, m in enumerate(self._modules) if cell in m.cells), -1)
        if self._shown is None and home >= 0 and home not in self._open:
            self.toggle_module(home)
        row = next((n for n, r in enumerate(self._rows) if r.cell == cell), -1)
        if row < 0:
            return
        bar, high = self.verticalScrollBar(), self.viewport().height() - HEAD_PX
        if row * ROW_PX < bar.value():
            bar.setValue(row * ROW_PX)
        elif (row + 1) * ROW_PX > bar.value() + high:
            bar.setValue((row + 1) * ROW_PX - high)


__all__ = ["HIGH", "WATCH", "CellTable", "ColumnData", "Module", "TableColumn"]
