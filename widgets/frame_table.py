"""The trace by identifier: one row per id with name, values, period, count, age and live bytes.

    FrameTable(parent=None)
      .set_callables(name_of(id, flags) -> str, summary_of(id, flags, payload bytes) -> str)
      .set_headers({Column.ID: "ID", …}); .set_channel_names(("can0", …)); .set_empty(str)
      .set_rows(table: IdColumns, now_ns)        at any rate; an identifier table fits as it is
      .set_filter(str)                           hex ids, ranges, names; see frame_text.FrameFilter
      .selected() -> (id, extended, channel) | None;  .select(id, extended, channel)
    signals frame_selected(object)  (id, extended, channel) or None;  row_activated(object)
A changed byte lights up and fades within 1.5 s. Copy gives candump lines. The scrolling trace is
`trace_view.py`, the bits of one frame `bit_layout.py`.
"""

from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QFontMetricsF,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from widgets.frame_columns import IdColumns
from widgets.frame_model import Column, FrameModel, NameOf, SummaryOf
from widgets.text_line import elided
from widgets.theme import current_theme, font, mix

FADE_S = 1.5
_ROW = 24
_FADES = 8
_WIDTHS = {
    Column.ID: 120,
    Column.NAME: 190,
    Column.COUNT: 92,
    Column.PERIOD: 120,
    Column.AGE: 72,
    Column.DATA: 208,
}
_HEADERS = {
    Column.ID: "ID",
    Column.NAME: "Name",
    Column.COUNT: "Count",
    Column.PERIOD: "Period ms",
    Column.AGE: "Age",
    Column.DATA: "Data",
    Column.SUMMARY: "Values",
}
_RIGHT = (Column.COUNT, Column.PERIOD, Column.AGE)
_MONO = (Column.ID, Column.DATA)
Cell = QModelIndex | QPersistentModelIndex


class _Delegate(QStyledItemDelegate):
    """Paints a cell straight from the model: Qt's own way asks it a dozen questions per cell."""

    def __init__(self, model: FrameModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model
        self.selected = -1

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Cell) -> None:
        theme = current_theme()
        box = QRectF(option.rect)
        row, column = index.row(), index.column()
        if row == self.selected:
            painter.fillRect(box, theme.line)
        quiet = self._model.silent(row)
        shape = font(12, mono=column in _MONO)
        painter.setFont(shape)
        if column == Column.DATA:
            self._paint_changes(painter, box, row)
        dim = quiet or column in (Column.COUNT, Column.PERIOD, Column.AGE)
        painter.setPen(theme.muted if dim else theme.text)
        if column == Column.AGE and quiet:
            painter.setPen(theme.warn)
        inner = box.adjusted(8, 0, -8, 0)
        text = elided(self._model.text(row, column), shape, inner.width())
        side = Qt.AlignmentFlag.AlignRight if column in _RIGHT else Qt.AlignmentFlag.AlignLeft
        painter.drawText(inner, side | Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_changes(self, painter: QPainter, box: QRectF, row: int) -> None:
        """A ground of accent colour behind bytes that changed lately."""
        table = self._model.table
        if table is None:
            return
        i = int(self._model.rows[row])
        changed = table.changed[i, : int(table.length[i])]
        recent = (self._model.now_ns - changed < FADE_S * 1e9) & (changed > 0)
        if not recent.any():
            return
        theme = current_theme()
        pitch = QFontMetricsF(painter.font()).horizontalAdvance("00 ")
        for byte in recent.nonzero()[0].tolist():
            x = box.left() + 8 + byte * pitch
            if x + pitch > box.right():
                break
            age = (self._model.now_ns - int(changed[byte])) / 1e9
            share = 0.45 * max(0.0, 1.0 - int(age / FADE_S * _FADES) / _FADES)
            ground = mix(theme.panel, theme.accent, share)
            painter.fillRect(QRectF(x - 2, box.top() + 4, pitch - 2, box.height() - 8), ground)


class FrameTable(QTableView):
    """See the module."""

    frame_selected = Signal(object)
    row_activated = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = FrameModel(self)
        self._model.set_headers(_HEADERS)
        self._channels: tuple[str, ...] = ()
        self._empty = ""
        self._key: tuple[int, int, int] | None = None
        self._delegate = _Delegate(self._model, self)
        self.setModel(self._model)
        self.setItemDelegate(self._delegate)
        self._set_up_view()
        self._model.modelReset.connect(self._restore)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        self.doubleClicked.connect(lambda index: self.row_activated.emit(self._key))

    def _set_up_view(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setAccessibleName("Frames by identifier")
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(_ROW)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(Column.ID, Qt.SortOrder.AscendingOrder)
        header.sortIndicatorChanged.connect(self._model.sort)
        for column, width in _WIDTHS.items():
            self.setColumnWidth(column, width)

    def set_callables(self, name_of: NameOf, summary_of: SummaryOf) -> None:
        """Names for all identifiers, summaries only for rows in sight; called while painting."""
        self._model.set_callables(name_of, summary_of)

    def set_headers(self, words: dict[Column, str]) -> None:
        """Column titles in the reader's language."""
        self._model.set_headers({**_HEADERS, **words})

    def set_channel_names(self, names: tuple[str, ...]) -> None:
        """Channel names for candump lines."""
        self._channels = names

    def set_empty(self, text: str) -> None:
        """What to say while there are no rows."""
        self._empty = text
        self.viewport().update()

    def set_rows(self, table: IdColumns, now_ns: int) -> None:
        """Newest frame of every identifier, and the time that ages count from."""
        self._model.set_table(table, now_ns)

    def set_filter(self, text: str) -> None:
        """Show only identifiers that pass the words; see FrameFilter."""
        self._model.set_filter(text)

    def selected(self) -> tuple[int, int, int] | None:
        """(id, extended, channel) of the selected row."""
        return self._key

    def select(self, frame_id: int, extended: int = 0, channel: int = 0) -> None:
        """Select an identifier and bring it into sight; nothing if it is not shown."""
        row = self._model.row_of((frame_id, extended, channel))
        if row >= 0:
            self.selectRow(row)
            self.scrollTo(self._model.index(row, 0))

    def _on_selection(self, chosen: QItemSelection, dropped: QItemSelection) -> None:
        rows = self.selectionModel().selectedRows()
        self._delegate.selected = rows[0].row() if rows else -1
        key = self._model.key_of(self._delegate.selected)
        if key != self._key:
            self._key = key
            self.frame_selected.emit(key)
        self.viewport().update()

    def _restore(self) -> None:
        """After rows moved the same identifier stays selected."""
        row = self._model.row_of(self._key) if self._key is not None else -1
        self._delegate.selected = row
        if row < 0:
            if self._key is not None:
                self._key = None
                self.frame_selected.emit(None)
            return
        flags = (
            QItemSelectionModel.SelectionFlag.ClearAndSelect
            | QItemSelectionModel.SelectionFlag.Rows
        )
        self.selectionModel().setCurrentIndex(self._model.index(row, 0), flags)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.candump_text())
        else:
            super().keyPressEvent(event)

    def candump_text(self) -> str:
        """The selected row, or all shown rows if none is, as candump lines."""
        chosen = [index.row() for index in self.selectionModel().selectedRows()]
        return self._model.candump(chosen or list(range(len(self._model.rows))), self._channels)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if len(self._model.rows) or not self._empty:
            return
        painter = QPainter(self.viewport())
        painter.setFont(font(13))
        painter.setPen(current_theme().muted)
        painter.drawText(QPointF(16, 34), self._empty)
        painter.end()


__all__ = ["FADE_S", "Column", "FrameTable"]
