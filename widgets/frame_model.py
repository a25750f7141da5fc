"""The by-id table's model: which identifier stands in which row, and what its cells say.

Arrays go in as they are; texts are made only for cells that somebody looks at. Order and filter are
index arrays, recomputed when identifiers appear or the reader asks, never while values change: rows
stay where they are. Painting is `frame_table.py`.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from widgets.frame_columns import IdColumns
from widgets.frame_text import (
    FrameFilter,
    age_text,
    bytes_text,
    candump_line,
    flags_text,
    id_text,
    period_text,
)

Index = QModelIndex | QPersistentModelIndex
NameOf = Callable[[int, int], str]
SummaryOf = Callable[[int, int, bytes], str]


class Column(IntEnum):
    """Columns in order."""

    ID = 0
    NAME = 1
    COUNT = 2
    PERIOD = 3
    AGE = 4
    DATA = 5
    SUMMARY = 6


class FrameModel(QAbstractTableModel):
    """Rows = identifiers that pass the filter, in the chosen order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.table: IdColumns | None = None
        self.now_ns = 0
        self.rows: NDArray[np.int64] = np.zeros(0, np.int64)  # shown row -> row of the table
        self._keys = np.zeros(0, np.uint64)
        self._names: list[str] = []
        self._ages = np.zeros(0, np.float64)
        self._silent = np.zeros(0, np.bool_)
        self._name_of: NameOf = lambda frame_id, flags: ""
        self._summary_of: SummaryOf = lambda frame_id, flags, data: ""
        self._summaries: dict[int, tuple[bytes, str]] = {}
        self._filter = FrameFilter()
        self._sort = (Column.ID, False)
        self._headers: dict[Column, str] = {}

    def set_callables(self, name_of: NameOf, summary_of: SummaryOf) -> None:
        """Where names (id, flags) and summaries (id, flags, payload) come from."""
        self._name_of, self._summary_of = name_of, summary_of
        self._summaries.clear()
        self._keys = np.zeros(0, np.uint64)
        if self.table is not None:
            self.set_table(self.table, self.now_ns)

    def set_headers(self, words: dict[Column, str]) -> None:
        """Column titles in the reader's language."""
        self._headers = dict(words)
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(Column) - 1)

    def set_table(self, table: IdColumns, now_ns: int) -> None:
        """New values. Rows move only if identifiers came or went."""
        keys = _keys(table)
        same = np.array_equal(keys, self._keys)
        self.table, self.now_ns = table, now_ns
        self._ages = (now_ns - table.time) / 1e9
        patience = np.fmax(2.0, 3.0 * table.period_s)  # fmax: an unknown period counts as none
        self._silent = self._ages > patience
        if same:
            if len(self.rows):
                last = self.index(len(self.rows) - 1, len(Column) - 1)
                self.dataChanged.emit(self.index(0, 0), last)
            return
        self._keys = keys
        pairs = zip(table.id.tolist(), table.flags.tolist(), strict=True)
        self._names = [self._name_of(frame_id, flags) for frame_id, flags in pairs]
        self._arrange()

    def set_filter(self, text: str) -> None:
        """Show only identifiers that pass; see FrameFilter."""
        if text != self._filter.text:
            self._filter = FrameFilter(text)
            self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sort = (Column(column), order == Qt.SortOrder.DescendingOrder)
        self._arrange()

    def _arrange(self) -> None:
        self.beginResetModel()
        table = self.table
        if table is None:
            self.rows = np.zeros(0, np.int64)
        else:
            order = np.argsort(self._sort_key(table), kind="stable")
            if self._sort[1]:
                order = order[::-1]
            keep = self._filter.ids(table.id, table.flags, self._names)
            self.rows = order[keep[order]].astype(np.int64)
        self.endResetModel()

    def _sort_key(self, table: IdColumns) -> NDArray[Any]:
        column = self._sort[0]
        if column == Column.NAME:
            return np.array([name.upper() for name in self._names], dtype=np.str_)
        if column == Column.COUNT:
            return table.count
        if column == Column.PERIOD:
            return table.period_s
        if column == Column.AGE:
            return -table.time
        return self._keys

    def key_of(self, row: int) -> tuple[int, int, int] | None:
        """(id, extended flag, channel) of a shown row; None outside."""
        if self.table is None or not 0 <= row < len(self.rows):
            return None
        i = self.rows[row]
        flags = int(self.table.flags[i]) & 1
        return int(self.table.id[i]), flags, int(self.table.channel[i])

    def row_of(self, key: tuple[int, int, int]) -> int:
        """The shown row of an identifier, -1 if it is not shown."""
        return next((row for row in range(len(self.rows)) if self.key_of(row) == key), -1)

    def text(self, row: int, column: int) -> str:
        """What a cell says."""
        table = self.table
        if table is None:
            return ""
        i = int(self.rows[row])
        flags = int(table.flags[i])
        if column == Column.ID:
            extra = flags_text(flags)
            written = id_text(int(table.id[i]), flags)
            return f"{written} {extra}" if extra else written
        if column == Column.NAME:
            return self._names[i]
        if column == Column.COUNT:
            return f"{int(table.count[i]):,}".replace(",", " ")
        if column == Column.PERIOD:
            return period_text(float(table.period_s[i]), float(table.jitter_s[i]))
        if column == Column.AGE:
            return age_text(self.age_s(row))
        if column == Column.DATA:
            return bytes_text(table.data[i], int(table.length[i]))
        return self._summary(table, i, flags)

    def _summary(self, table: IdColumns, i: int, flags: int) -> str:
        payload = table.data[i, : int(table.length[i])].tobytes()
        known = self._summaries.get(i)
        if known is None or known[0] != payload:
            known = (payload, self._summary_of(int(table.id[i]), flags, payload))
            self._summaries[i] = known
        return known[1]

    def age_s(self, row: int) -> float:
        """Seconds since the newest frame of a shown row."""
        return float(self._ages[int(self.rows[row])])

    def silent(self, row: int) -> bool:
        """Whether an identifier has not come for 2 s and three of its periods."""
        return bool(self._silent[int(self.rows[row])])

    def payload(self, row: int, fade_s: float, steps: int) -> tuple[bytes, list[int]]:
        """Bytes of a shown row and how long ago each changed: 0…steps-1 within fade_s, -1 later."""
        table = self.table
        if table is None:
            return b"", []
        i = int(self.rows[row])
        payload = table.data[i].tobytes()[: int(table.length[i])]
        span = int(fade_s * 1e9)
        ages = [self.now_ns - changed for changed in table.changed[i].tolist()[: len(payload)]]
        fresh = [max(age, 0) * steps // span if age < span else -1 for age in ages]
        return payload, fresh

    def candump(self, rows: list[int], channel_names: tuple[str, ...]) -> str:
        """The newest frames of shown rows as candump lines."""
        table = self.table
        if table is None:
            return ""
        lines = []
        for row in rows:
            i = int(self.rows[row])
            channel = int(table.channel[i])
            name = channel_names[channel] if channel < len(channel_names) else f"can{channel}"
            payload = table.data[i, : int(table.length[i])]
            lines.append(
                candump_line(
                    int(table.time[i]), name, int(table.id[i]), int(table.flags[i]), payload
                )
            )
        return "\n".join(lines)

    # Qt's side

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(Column)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(index.row(), index.column())
        if role == Qt.ItemDataRole.ToolTipRole and index.column() in (Column.NAME, Column.SUMMARY):
            return self.text(index.row(), index.column())
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
            return self._headers.get(Column(section), "")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            right = section in (Column.COUNT, Column.PERIOD, Column.AGE)
            side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None


def _keys(table: IdColumns) -> NDArray[np.uint64]:
    """One sortable number per identifier: standard before extended, then by id, then by channel."""
    extended = (table.flags & 1).astype(np.uint64) << np.uint64(62)
    keys: NDArray[np.uint64] = extended | (table.id.astype(np.uint64) << np.uint64(8))
    return keys | table.channel.astype(np.uint64)
