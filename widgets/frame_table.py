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
    QPointF,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPixmap,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableView,
    QWidget,
)

from widgets.frame_columns import IdColumns
from widgets.frame_model import Column, FrameModel, NameOf, SummaryOf
from widgets.text_pixmaps import TextPixmaps
from widgets.theme import Theme, current_theme, font, mix

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
# Seldom the same text twice: keeping a picture of it costs more than drawing it.
_FLEETING = (Column.COUNT, Column.SUMMARY)


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
        self._marked = -1  # shown row that is selected
        self._texts = TextPixmaps()
        self._bytes: dict[tuple[int, float], list[QPixmap]] = {}
        self.setModel(self._model)
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
        self.setProperty("plain", True)
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
        self._marked = rows[0].row() if rows else -1
        key = self._model.key_of(self._marked)
        if key != self._key:
            self._key = key
            self.frame_selected.emit(key)
        self.viewport().update()

    def _restore(self) -> None:
        """After rows moved the same identifier stays selected."""
        row = self._model.row_of(self._key) if self._key is not None else -1
        self._marked = row
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
        """All cells in sight, straight from the model: Qt's delegates ask a dozen questions per
        cell, and a full bus changes every one of them."""
        painter = QPainter(self.viewport())
        if not len(self._model.rows):
            painter.setFont(font(13))
            painter.setPen(current_theme().muted)
            painter.drawText(QPointF(16, 34), self._empty)
            painter.end()
            return
        self._texts.set_ratio(self.devicePixelRatioF())
        top = self.verticalOffset()
        first = top // _ROW
        last = min(len(self._model.rows), (top + self.viewport().height()) // _ROW + 1)
        columns = [
            (column, self.columnViewportPosition(column), self.columnWidth(column))
            for column in Column
            if not self.isColumnHidden(column)
        ]
        theme = current_theme()
        fades = fade_colors(theme)
        for row in range(first, last):
            y = row * _ROW - top
            if row == self._marked:
                painter.fillRect(0, y, self.viewport().width(), _ROW, theme.line)
            self._paint_row(painter, theme, row, y, columns, fades)
        self._texts.flush(painter)
        painter.end()

    def _paint_row(
        self,
        painter: QPainter,
        theme: Theme,
        row: int,
        y: int,
        columns: list[tuple[Column, int, int]],
        fades: list[QColor],
    ) -> None:
        model, texts, middle = self._model, self._texts, y + _ROW / 2
        quiet = model.silent(row)
        strong = theme.muted if quiet else theme.text
        for column, x, width in columns:
            if x + width < 0 or x > self.viewport().width():
                continue
            if column == Column.DATA:
                self._paint_bytes(painter, row, QRectF(x + 8, y, width - 12, _ROW), strong, fades)
                continue
            right = column in _RIGHT
            color = theme.muted if right else strong
            if column == Column.AGE and quiet:
                color = theme.warn
            if column in _FLEETING:
                shape, metrics = texts.metrics(12)
                painter.setFont(shape)
                painter.setPen(color)
                text = metrics.elidedText(
                    model.text(row, column), Qt.TextElideMode.ElideRight, width - 16
                )
                side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
                place = QRectF(x + 8, y, width - 16, _ROW)
                painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, text)
                continue
            texts.put(
                x + width - 8 if right else x + 8,
                middle,
                model.text(row, column),
                color,
                mono=column == Column.ID,
                width=width - 16,
                align=1.0 if right else 0.0,
            )

    def _paint_bytes(
        self, painter: QPainter, row: int, box: QRectF, color: QColor, fades: list[QColor]
    ) -> None:
        """Hex pairs, with a ground of accent colour behind those that changed lately."""
        payload, steps = self._model.payload(row, FADE_S, len(fades))
        pitch = self._texts.metrics(12, mono=True)[1].horizontalAdvance("00 ")
        pictures = self._byte_pictures(color)
        fits = int((box.width() + 4) // pitch)
        left, top, middle = box.left(), int(box.top()), box.top() + _ROW / 2
        for position, step in enumerate(steps[:fits]):
            if step >= 0:
                x = round(left + position * pitch) - 3
                end = round(left + (position + 1) * pitch) - 3
                painter.fillRect(x, top + 4, end - x - 2, _ROW - 8, fades[step])
        shown = payload[:fits] if len(payload) <= fits else payload[: fits - 1]
        for position, byte in enumerate(shown):
            self._texts.put_picture(left + position * pitch, middle, pictures[byte])
        if len(shown) < len(payload):
            behind = left + len(shown) * pitch
            self._texts.put(behind, middle, "…", color, mono=True)

    def _byte_pictures(self, color: QColor) -> list[QPixmap]:
        """The 256 hex pairs in one colour."""
        key = (color.rgba(), self.devicePixelRatioF())
        pictures = self._bytes.get(key)
        if pictures is None:
            pictures = [self._texts.get(f"{byte:02X}", color, mono=True) for byte in range(256)]
            self._bytes[key] = pictures
        return pictures


def fade_colors(theme: Theme) -> list[QColor]:
    """Grounds of a changed byte, freshest first; text keeps its contrast on all of them."""
    return [mix(theme.panel, theme.accent, 0.4 * (1.0 - i / _FADES)) for i in range(_FADES)]


__all__ = ["FADE_S", "Column", "FrameTable", "fade_colors"]
