"""All signals there are, in groups, searchable, to drag onto plots.

    SignalTree(parent=None)
      .set_groups([SignalGroup(name, [SignalItem(key, name, unit, note)])])   keeps what is open
      .set_placeholder(str); .set_search(str)
      .selected() -> tuple[str, ...]          keys in the order of the tree
    signals signal_activated(str)  double-click or Return; selection_changed()
Dragging carries the MIME type application/x-bms-signal: the keys as UTF-8, one per line
(`encode_keys`, `decode_keys`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import (
    QByteArray,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPalette, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from widgets.search_line import SearchLine
from widgets.theme import current_theme

MIME = "application/x-bms-signal"
_KEY = int(Qt.ItemDataRole.UserRole) + 1
_WORDS = _KEY + 1  # what the search looks into
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class SignalItem:
    """One signal. key: what a plot asks for; note: small print (cell label, message)."""

    key: str
    name: str
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class SignalGroup:
    """Signals that belong together: cells, probes, a message. open: unfolded at first."""

    name: str
    items: Sequence[SignalItem] = field(default_factory=tuple)
    open: bool = False


def encode_keys(keys: Sequence[str]) -> QMimeData:
    """Keys for a drag; as text too, so that they can be dropped into any editor."""
    data = QMimeData()
    data.setData(MIME, QByteArray("\n".join(keys).encode()))
    data.setText("\n".join(keys))
    return data


def decode_keys(data: QMimeData) -> tuple[str, ...]:
    """Keys of a drag; () if it carries none."""
    if not data.hasFormat(MIME):
        return ()
    text = bytes(data.data(MIME).data()).decode(errors="replace")
    return tuple(line for line in text.split("\n") if line)


class _Model(QStandardItemModel):
    """Two columns: name and unit. Only signals can be dragged."""

    def mimeTypes(self) -> list[str]:
        return [MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        keys = (index.data(_KEY) for index in indexes if index.column() == 0)
        return encode_keys([key for key in keys if key])


class _Filter(QSortFilterProxyModel):
    """Keeps signals in whose words every word of the search occurs, and their groups."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._wanted: tuple[str, ...] = ()
        self.setRecursiveFilteringEnabled(True)

    def set_search(self, text: str) -> None:
        """Words separated by blanks; all must occur."""
        self._wanted = tuple(text.casefold().split())
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        words = self.sourceModel().index(row, 0, parent).data(_WORDS)
        if words is None:  # a group shows when one of its signals does
            return not self._wanted
        return all(word in words for word in self._wanted)


class _Delegate(QStyledItemDelegate):
    """Rows of a comfortable height; units and counts muted in the theme in force."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        if index.column() == 1:
            palette = option.palette
            palette.setColor(QPalette.ColorRole.Text, current_theme().muted)
            option.palette = palette

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(super().sizeHint(option, index).width(), 24)


class _Tree(QTreeView):
    activated_key = Signal(str)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = self.currentIndex().siblingAtColumn(0).data(_KEY)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and key:
            self.activated_key.emit(key)
        else:
            super().keyPressEvent(event)


class SignalTree(QWidget):
    """See the module."""

    signal_activated = Signal(str)
    selection_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = SearchLine(self)
        self._model = _Model(0, 2, self)
        self._filter = _Filter(self)
        self._filter.setSourceModel(self._model)
        self._tree = _Tree(self)
        self._tree.setModel(self._filter)
        self._set_up_view()
        self._groups: tuple[SignalGroup, ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self._tree, 1)
        self.search.textChanged.connect(self._on_search)
        self._tree.doubleClicked.connect(self._on_double)
        self._tree.activated_key.connect(self.signal_activated)
        self._tree.selectionModel().selectionChanged.connect(
            lambda chosen, dropped: self.selection_changed.emit()
        )

    def _set_up_view(self) -> None:
        tree = self._tree
        tree.setHeaderHidden(True)
        tree.setProperty("plain", True)
        tree.setItemDelegate(_Delegate(tree))
        tree.setUniformRowHeights(True)
        tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        tree.setDragEnabled(True)
        tree.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        tree.setExpandsOnDoubleClick(True)
        tree.setIndentation(14)
        tree.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = tree.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)

    def set_groups(self, groups: Sequence[SignalGroup]) -> None:
        """Fill the tree; nothing happens if it is the same. Open groups stay open."""
        if tuple(groups) == self._groups:
            return
        first = not self._groups
        opened = self._open_names()
        self._groups = tuple(groups)
        self._model.removeRows(0, self._model.rowCount())
        for group in groups:
            self._model.appendRow(_group_row(group))
        for row, group in enumerate(groups):
            if group.name in opened or (first and group.open):
                self._tree.expand(self._filter.mapFromSource(self._model.index(row, 0)))
        if self.search.text():
            self._tree.expandAll()

    def set_placeholder(self, text: str) -> None:
        """Words in the empty search line; also the tree's accessible name."""
        self.search.setPlaceholderText(text)
        self._tree.setAccessibleName(text)

    def set_search(self, text: str) -> None:
        """Search as if somebody had typed."""
        self.search.setText(text)

    def selected(self) -> tuple[str, ...]:
        """Keys of the selected signals, in the order of the tree."""
        rows = self._tree.selectionModel().selectedRows(0)
        ordered = sorted(rows, key=lambda index: (index.parent().row(), index.row()))
        return tuple(key for key in (index.data(_KEY) for index in ordered) if key)

    def visible_keys(self) -> tuple[str, ...]:
        """Keys that pass the search."""
        keys: list[str] = []
        for row in range(self._filter.rowCount()):
            group = self._filter.index(row, 0)
            for child in range(self._filter.rowCount(group)):
                keys.append(self._filter.index(child, 0, group).data(_KEY))
        return tuple(keys)

    def _open_names(self) -> set[str]:
        names = set()
        for row in range(self._filter.rowCount()):
            index = self._filter.index(row, 0)
            if self._tree.isExpanded(index):
                names.add(str(index.data()))
        return names

    def _on_search(self, text: str) -> None:
        self._filter.set_search(text)
        if text:
            self._tree.expandAll()

    def _on_double(self, index: QModelIndex) -> None:
        key = index.siblingAtColumn(0).data(_KEY)
        if key:
            self.signal_activated.emit(key)


# Made once: a pack can have thousands of signals.
_FLAGS = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled
_AT_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def _group_row(group: SignalGroup) -> list[QStandardItem]:
    name, count = QStandardItem(group.name), QStandardItem(str(len(group.items)))
    for item in (name, count):
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
    count.setTextAlignment(_AT_RIGHT)
    for signal in group.items:
        name.appendRow(_signal_row(signal, group.name))
    return [name, count]


def _signal_row(signal: SignalItem, group: str) -> list[QStandardItem]:
    title = f"{signal.name}  {signal.note}".rstrip()
    name, unit = QStandardItem(title), QStandardItem(signal.unit)
    words = " ".join((group, signal.name, signal.note, signal.unit, signal.key)).casefold()
    name.setData(signal.key, _KEY)
    name.setData(words, _WORDS)
    name.setToolTip(" · ".join(part for part in (signal.name, signal.note, signal.unit) if part))
    for item in (name, unit):
        item.setFlags(_FLAGS)
    unit.setTextAlignment(_AT_RIGHT)
    return [name, unit]
