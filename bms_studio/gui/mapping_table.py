"""The table of what signals mean: search, live values, the role edited in place with completion.

Shows a MappingView and says what a person typed; what follows from it is the dialog's business.
"""

import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    QStringListModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCompleter,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from bms_studio.gui.readings import number
from bms_studio.language import text
from bms_studio.mapping_view import MappingView, SignalRow
from bms_studio.pack.profile import NOT_USED
from bms_studio.phrases import retell
from protocols.roles import LOCATION_FIELDS, PACK_FIELDS
from widgets.theme import current_theme, font, semibold

NAME, ROLE, VALUE, UNIT, WHY = range(5)
_WIDTHS = {NAME: 280, ROLE: 190, VALUE: 110, UNIT: 74}
_FEWEST_PROPOSED = 24
_SHARES = ("pack.soc", "pack.soh")
Index = QModelIndex | QPersistentModelIndex
_ALIGN = Qt.AlignmentFlag


class MappingModel(QAbstractTableModel):
    """Rows of a MappingView that pass the search; `edited(name, text)` when a role was typed."""

    edited = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.view = MappingView()
        self.shown: list[int] = []
        self._words: list[str] = []
        self._used_only = False

    def set_view(self, view: MappingView) -> None:
        """Other values, or another meaning."""
        before, self.view = self.view, view
        if view.rows is not before.rows:
            self._search()
        elif self.shown:
            last = self.index(len(self.shown) - 1, VALUE)
            self.dataChanged.emit(self.index(0, VALUE), last)

    def set_search(self, words: str, used_only: bool) -> None:
        """Show rows in which every word occurs; used_only: those that have a role."""
        self._words, self._used_only = words.lower().split(), used_only
        self._search()

    def _search(self) -> None:
        self.beginResetModel()
        self.shown = [n for n, row in enumerate(self.view.rows) if self._passes(row)]
        self.endResetModel()

    def _passes(self, row: SignalRow) -> bool:
        if self._used_only and not row.role:
            return False
        whole = f"{row.name} {row.role} {row.unit} {row.why} {retell(row.why)}".lower()
        return all(word in whole for word in self._words)

    def row_of(self, name: str) -> int:
        """Where a signal is shown now, -1 if the search hides it."""
        return next((at for at, n in enumerate(self.shown) if self.view.rows[n].name == name), -1)

    def signal_at(self, at: int) -> SignalRow:
        """The signal shown in line `at`."""
        return self.view.rows[self.shown[at]]

    # -- Qt's side -----------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else WHY + 1

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return (_ALIGN.AlignRight if section == VALUE else _ALIGN.AlignLeft) | (
                _ALIGN.AlignVCenter
            )
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return (text("Signal"), text("Role"), text("Value"), text("Unit"), text("Why"))[section]

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == ROLE else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column, row = index.column(), self.signal_at(index.row())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._words_of(column, row, index.row())
        if role == Qt.ItemDataRole.ToolTipRole:
            return role_words(row.role) if column == ROLE else self._words_of(column, row, 0)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = _ALIGN.AlignRight if column == VALUE else _ALIGN.AlignLeft
            return side | _ALIGN.AlignVCenter
        if role == Qt.ItemDataRole.FontRole:
            return semibold(13) if column == ROLE and row.by_hand else font(13)
        if role == Qt.ItemDataRole.ForegroundRole:
            theme = current_theme()
            if column in (UNIT, WHY) or (column == NAME and not row.role):
                return theme.muted
            return theme.accent if column == ROLE and row.by_hand else theme.text
        return None

    def _words_of(self, column: int, row: SignalRow, at: int) -> str:
        if column == VALUE:
            value = float(self.view.values[self.shown[at]])
            if math.isnan(value):
                return "–"
            if row.role in _SHARES:
                return f"{number(100 * value, max(row.decimals - 2, 0))} %"
            unit = "°C" if row.value_unit == "degC" else row.value_unit
            return f"{number(value, row.decimals)} {unit}".rstrip()
        return (row.name, row.role, "", row.unit, retell(row.why))[column]

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        row, typed = self.signal_at(index.row()), str(value).strip()
        if typed == row.role:
            return False
        if not typed and not row.by_hand:
            typed = NOT_USED  # what was found by itself shall not count
        self.edited.emit(row.name, typed)
        return True


class RoleDelegate(QStyledItemDelegate):
    """A line with the roles that exist as proposals."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._proposals = QStringListModel(self)

    def propose(self, roles: Sequence[str]) -> None:
        """What completion offers."""
        if list(roles) != self._proposals.stringList():
            self._proposals.setStringList(list(roles))

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> QLineEdit:
        line = QLineEdit(parent)
        line.setPlaceholderText("cell.12.voltage, pack.current, …")
        completer = QCompleter(self._proposals, line)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setMaxVisibleItems(9)
        line.setCompleter(completer)
        return line

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        assert isinstance(editor, QLineEdit)
        editor.setText(str(index.data(Qt.ItemDataRole.EditRole)))
        editor.selectAll()

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        assert isinstance(editor, QLineEdit)
        model.setData(index, editor.text(), Qt.ItemDataRole.EditRole)

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        editor.setGeometry(option.rect)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, 30)


class MappingTable(QTableView):
    """`edited(name, role text)`; see MappingModel."""

    edited = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.signals = MappingModel(self)
        self.signals.edited.connect(self.edited)
        self.roles = RoleDelegate(self)
        self.setModel(self.signals)
        self.setItemDelegateForColumn(ROLE, self.roles)
        self.setProperty("plain", True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.SelectedClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(30)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setStretchLastSection(True)

    def set_view(self, view: MappingView) -> None:
        """Show it; what was selected stays so."""
        chosen = self.chosen()
        self.signals.set_view(view)
        self.roles.propose(proposals(view.rows))
        if chosen and not self.chosen():
            self.choose(chosen)

    def set_search(self, words: str, used_only: bool) -> None:
        """See MappingModel."""
        chosen = self.chosen()
        self.signals.set_search(words, used_only)
        self.choose(chosen)

    def chosen(self) -> str:
        """Name of the signal in the selected line, "" none."""
        index = self.currentIndex()
        return self.signals.signal_at(index.row()).name if index.isValid() else ""

    def choose(self, name: str) -> bool:
        """Select a signal and bring it into sight; False if the search hides it."""
        at = self.signals.row_of(name)
        if at < 0:
            return False
        index = self.signals.index(at, ROLE)
        self.setCurrentIndex(index)
        self.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)
        return True

    def edit_chosen(self) -> None:
        """Type the role of the selected signal."""
        index = self.currentIndex()
        if index.isValid():
            self.edit(self.signals.index(index.row(), ROLE))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and (
            self.state() != QAbstractItemView.State.EditingState
        ):
            self.edit_chosen()
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # The name takes what the reason can spare; numbers and roles keep their place.
        spare = self.viewport().width() - sum(_WIDTHS.values())
        for column, width in _WIDTHS.items():
            extra = max(0, spare - 380) // 2 if column == NAME else 0
            self.setColumnWidth(column, width + extra)


def proposals(rows: Sequence[SignalRow]) -> list[str]:
    """Roles that a person may mean: scalars, cells and probes a little beyond those known."""
    known = {"cell": 0, "probe": 0, "balancing": 0}
    for row in rows:
        kind, _, rest = row.role.partition(".")
        digits = rest.partition(".")[0]
        if kind in known and digits.isdigit():
            known[kind] = max(known[kind], int(digits))
    listed = [f"pack.{field.name}" for field in PACK_FIELDS]
    for kind, highest in known.items():
        suffix = ".voltage" if kind == "cell" else ""
        most = max(highest + 4, _FEWEST_PROPOSED)
        listed += [f"{kind}.{n}{suffix}" for n in range(1, most + 1)]
    return [*listed, *(f"location.{field.name}" for field in LOCATION_FIELDS), NOT_USED]


def role_words(role: str) -> str:
    """What a role means, for people; "" without one."""
    words = {f"pack.{f.name}": f.long_name for f in PACK_FIELDS}
    words |= {f"location.{f.name}": f.long_name for f in LOCATION_FIELDS}
    if role in words:
        return text(words[role])
    return text("not used, by hand") if role == NOT_USED else role
