"""The cell grid: every cell of a pack as a tile, from one to more than four hundred.

    CellGrid(parent=None)
      .set_count(n)                         tidy rows of 1..n
      .set_layout(rows)                     rows of cell numbers, 0 = hole; one row per module
      .set_values(CellValues)               at any rate; only tiles that changed are painted
      .set_labels([str]); .set_words(GridWords); .set_tooltip(callable(cell) -> str)
      .set_highlight(cell); .set_selected(cell)        0 = none; neither emits
      .density -> "full" | "compact" | "map";  .worst_cells() -> tuple of cells shown beside a map
    signals cell_hovered(int), cell_selected(int), cell_activated(int), cell_compared(int: Ctrl and
    click): cell number, 0 = none
    flags (uint8): BALANCING 1, WATCH 2, HIGH 4, STALE 8
Arrow keys move the selection, Return activates, Ctrl+C copies all cells as a table.
No voltage, chemistry or limit is known here: texts and scaled numbers come in.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QGuiApplication,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.cell_tiles import (
    BALANCING,
    HIGH,
    STALE,
    UNKNOWN_LEVEL,
    WATCH,
    GridWords,
    Tile,
    TileArt,
)
from widgets.cell_values import CellValues, age_text, fill_levels
from widgets.grid_layout import COMPACT, FULL, MAP, GridPlan, Rows, plan
from widgets.theme import current_theme, font

_EDGE = 3  # room around the tiles for the outline of the selected one
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class CellGrid(QWidget):
    """See the module. One buffer picture holds all tiles; a paint copies it."""

    cell_hovered = Signal(int)
    cell_selected = Signal(int)
    cell_activated = Signal(int)
    cell_compared = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Cells")
        self._rows: Rows | None = None
        self._count = 0
        self._plan: GridPlan = plan(None, 1, 1)
        self._values = CellValues()
        self._labels: Sequence[str] = ()
        self._levels: list[int] = []
        self._flags: list[int] = []
        self._worst: tuple[int, ...] = ()
        self._shown: dict[
            tuple[bool, int], Tile
        ] = {}  # (beside, position) -> what is in the buffer
        self._art = TileArt()
        self._look = ""
        self._buffer = QPixmap()
        self._selected = self._highlight = self._hovered = 0
        self._tooltip: Callable[[int], str] | None = None

    # what to show

    def set_count(self, count: int) -> None:
        """Cells 1..count in tidy rows."""
        if self._rows is None and count == self._count:
            return
        self._rows, self._count = None, count
        self._replan()

    def set_layout(self, rows: Rows | None) -> None:
        """The pack's own arrangement; None returns to tidy rows. Cells it forgets follow below.
        ValueError: a cell named twice."""
        fresh = plan(rows, 100, 100, count=self._count)  # refuses twins before anything changes
        self._rows = [tuple(row) for row in rows] if rows is not None else None
        if rows is not None:
            self._count = max(self._count, int(fresh.cells.max(initial=0)))
        self._replan()

    def set_values(self, values: CellValues) -> None:
        """New texts, colours and flags. Cheap: nothing is drawn before the next paint."""
        self._values = values
        self._levels = fill_levels(values.fill)
        self._flags = [int(flag) for flag in values.flags]
        if self._plan.density == MAP:
            self._choose_worst()
        self.update()

    def set_labels(self, labels: Sequence[str]) -> None:
        """The pack's own name of each cell, shown beside its number where there is room."""
        self._labels = tuple(labels)
        self.update()

    def set_words(self, words: GridWords) -> None:
        """Words on tiles in the reader's language."""
        self._art.words = words
        self._forget()

    def set_tooltip(self, text_of: Callable[[int], str] | None) -> None:
        """What the pointer tells about a cell."""
        self._tooltip = text_of

    def set_highlight(self, cell: int) -> None:
        """Mark the cell that the pointer is on elsewhere; 0 = none."""
        if cell != self._highlight:
            self._highlight = cell
            self.update()

    def set_selected(self, cell: int) -> None:
        """Mark the selected cell without emitting; 0 = none."""
        if cell != self._selected:
            self._selected = cell
            self.setAccessibleDescription(self._spoken(cell))
            self.update()

    @property
    def selected(self) -> int:
        """The selected cell, 0 = none."""
        return self._selected

    @property
    def density(self) -> str:
        """How much a tile says at the present size: full, compact or map."""
        return self._plan.density

    def worst_cells(self) -> tuple[int, ...]:
        """Cells that stand as full tiles beside a map, in order of number."""
        return self._worst if self._plan.density == MAP else ()

    def sizeHint(self) -> QSize:
        return QSize(980, 290)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 80)

    # geometry

    def _replan(self) -> None:
        width, height = self.width() - 2 * _EDGE, self.height() - 2 * _EDGE
        self._plan = plan(self._rows, width, height, count=self._count)
        full = self._plan.density == FULL and len(self._plan.rects)
        self._art.narrowest = int(self._plan.rects[:, 2].min()) if full else 0
        self._worst = ()
        self._choose_worst()
        self._forget()

    def _forget(self) -> None:
        """Everything in the buffer is out of date."""
        self._art.clear()
        self._shown.clear()
        self._buffer = QPixmap()
        self.update()

    def _choose_worst(self) -> None:
        """The cells beside a map; those shown already have an advantage, so noise moves none."""
        slots = len(self._plan.worst)
        if not slots:
            self._worst = ()
            return
        scores = []
        for cell in self._plan.cells.tolist():
            level = self._level(cell)
            size = 0.0 if level == UNKNOWN_LEVEL else abs(level) * (1.15 if level < 0 else 1.0)
            flags = self._flag(cell)
            size += 1000.0 * bool(flags & HIGH) + 100.0 * bool(flags & WATCH)
            scores.append((-size * (1.2 if cell in self._worst else 1.0), cell))
        self._worst = tuple(sorted(cell for _, cell in sorted(scores)[:slots]))

    def cell_at(self, point: QPoint) -> int:
        """The cell under a point of this widget; 0 = none."""
        x, y = point.x() - _EDGE, point.y() - _EDGE
        slot = self._plan.worst_at(x, y)
        if 0 <= slot < len(self._worst):
            return self._worst[slot]
        return self._plan.at(x, y)

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        self._refresh_buffer()
        painter = QPainter(self)
        ratio = self._art.ratio
        painter.save()
        painter.scale(1 / ratio, 1 / ratio)  # the buffer is in device pixels
        painter.drawPixmap(0, 0, self._buffer)
        painter.restore()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = current_theme()
        self._outline(painter, self._highlight or self._hovered, QPen(theme.text, 1.5))
        self._outline(painter, self._selected, QPen(theme.accent, 2.5))
        painter.end()

    def _outline(self, painter: QPainter, cell: int, pen: QPen) -> None:
        position = self._plan.index(cell)
        if cell < 1 or position < 0:
            return
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        boxes = [self._plan.rects[position]]
        if cell in self._worst:
            boxes.append(self._plan.worst[self._worst.index(cell)])
        for x, y, w, h in boxes:
            around = QRectF(int(x) + _EDGE - 1, int(y) + _EDGE - 1, int(w) + 2, int(h) + 2)
            painter.drawRoundedRect(around, 6, 6)

    def _refresh_buffer(self) -> None:
        """Bring the buffer up to date, touching only tiles whose content changed."""
        theme, ratio = current_theme(), self.devicePixelRatioF()
        if self._look != theme.name or self._art.ratio != ratio:
            self._look, self._art.ratio = theme.name, ratio
            self._art.clear()
            self._buffer = QPixmap()
        fresh = self._buffer.isNull()
        if fresh:
            self._shown.clear()
            self._buffer = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
            self._buffer.fill(Qt.GlobalColor.transparent)
        changed = self._changed_tiles()
        if not (changed or fresh):
            return
        painter = QPainter(self._buffer)
        if fresh:
            painter.save()
            painter.scale(ratio, ratio)
            self._static(painter)
            painter.restore()
        self._art.draw(painter, changed)
        painter.end()

    def _static(self, painter: QPainter) -> None:
        """Row numbers beside a map."""
        painter.setFont(font(11))
        painter.setPen(current_theme().muted)
        for y, height, text in self._plan.row_labels:
            box = QRectF(0, y + _EDGE, 28, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _changed_tiles(self) -> list[Tile]:
        changed = []
        density = self._plan.density
        for position, (cell, (x, y, w, h)) in enumerate(
            zip(self._plan.cells.tolist(), self._plan.rects.tolist(), strict=True)
        ):
            tile = self._tile(cell, x + _EDGE, y + _EDGE, w, h, density)
            if self._shown.get((False, position)) != tile:
                self._shown[False, position] = tile
                changed.append(tile)
        for slot, cell in enumerate(self._worst):
            x, y, w, h = self._plan.worst[slot].tolist()
            tile = self._tile(cell, x + _EDGE, y + _EDGE, w, h, FULL)
            if self._shown.get((True, slot)) != tile:
                self._shown[True, slot] = tile
                changed.append(tile)
        return changed

    def _tile(self, cell: int, x: int, y: int, w: int, h: int, density: str) -> Tile:
        flags = self._flag(cell)
        level = self._level(cell)
        if density == MAP:
            return Tile(x, y, w, h, density, "", "", "", "", "", level, flags, "")
        values, i = self._values, cell - 1
        dash = self._art.words.unknown
        main = (values.main[i] if i < len(values.main) else "") or dash
        short = values.second[i] if i < len(values.second) else ""
        if density == COMPACT and values.lead == "main":
            short = main
        long = f"{short} {values.unit}".rstrip() if short else ""
        age = ""
        if flags & STALE and i < len(values.age_s):
            age = age_text(float(values.age_s[i]))
        label = self._labels[i] if i < len(self._labels) and self._labels[i] != str(cell) else ""
        return Tile(
            x, y, w, h, density, str(cell), label, main, short or dash, long, level, flags, age
        )

    def _level(self, cell: int) -> int:
        return self._levels[cell - 1] if cell <= len(self._levels) else UNKNOWN_LEVEL

    def _flag(self, cell: int) -> int:
        return self._flags[cell - 1] if cell <= len(self._flags) else 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._replan()

    # people

    def _hover(self, cell: int) -> None:
        if cell != self._hovered:
            self._hovered = cell
            self.cell_hovered.emit(cell)
            self.update()

    def _select(self, cell: int) -> None:
        self.set_selected(cell)
        self.cell_selected.emit(cell)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.cell_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        cell = self.cell_at(event.position().toPoint())
        if cell and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.cell_compared.emit(cell)
        else:
            self._select(cell)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position().toPoint())
        if cell:
            self.cell_activated.emit(cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.table_text())
        elif key in _ARROWS and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            self._select(self._plan.beside(self._selected, *_ARROWS[key]))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._selected:
            self.cell_activated.emit(self._selected)
        elif key == Qt.Key.Key_Escape and self._selected:
            self._select(0)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            cell = self.cell_at(event.pos())
            text = self._tooltip(cell) if cell and self._tooltip else ""
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def table_text(self) -> str:
        """All cells as tab-separated lines: number, label, main value, second value with unit."""
        lines = []
        for cell in sorted(self._plan.cells.tolist()):
            tile = self._tile(cell, 0, 0, 1, 1, FULL)
            lines.append("\t".join((tile.number, tile.label, tile.main, tile.long)))
        return "\n".join(lines)

    def _spoken(self, cell: int) -> str:
        if cell < 1:
            return ""
        tile = self._tile(cell, 0, 0, 1, 1, FULL)
        return " ".join(part for part in (tile.number, tile.label, tile.main, tile.long) if part)


__all__ = [
    "BALANCING",
    "HIGH",
    "STALE",
    "WATCH",
    "CellGrid",
    "CellValues",
    "GridWords",
    "age_text",
    "fill_levels",
]
