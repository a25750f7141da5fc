"""The command palette: type a few letters of what you want, press Return.

    PaletteDialog(commands: [Command(text, shortcut, run, enabled)], placeholder="", parent=None)
      .exec() as every dialog; the chosen command runs after the dialog has closed
    matches(text, query) -> score or None
The letters must occur in order; beginnings of words count more. An entry that cannot run now is
shown dimmed with its reason and cannot be chosen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from widgets.search_line import SearchLine
from widgets.text_line import elided
from widgets.theme import current_theme, font

_ROW = 32
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Command:
    """One entry. reason: why it cannot run now, "" if it can."""

    text: str
    shortcut: str
    run: Callable[[], object]
    reason: str = ""


def matches(text: str, query: str) -> float | None:
    """How well `query` fits `text`, larger is better; None if its letters do not occur in order."""
    body, wanted = text.casefold(), query.casefold().replace(" ", "")
    if not wanted:
        return 0.0
    if query.casefold().strip() in body:
        found = body.index(query.casefold().strip())
        return 100.0 - found + (20.0 if found == 0 or body[found - 1] == " " else 0.0)
    score, place = 0.0, -1
    for sign in wanted:
        found = body.find(sign, place + 1)
        if found < 0:
            return None
        begins = found == 0 or not body[found - 1].isalnum()
        score += 3.0 if begins else (1.0 if found == place + 1 else 0.0)
        place = found
    return score - len(body) / 100.0


class _Model(QAbstractListModel):
    def __init__(self, commands: Sequence[Command], parent: QWidget) -> None:
        super().__init__(parent)
        self._all = tuple(commands)
        self.shown = self._all

    def search(self, query: str) -> None:
        """Best first; equal ones stay in their order."""
        scored = [(matches(command.text, query), command) for command in self._all]
        fitting = [(score, command) for score, command in scored if score is not None]
        self.beginResetModel()
        self.shown = tuple(command for _, command in sorted(fitting, key=lambda pair: -pair[0]))
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return None
        command = self.shown[index.row()]
        return f"{command.text} {command.shortcut}".strip()


class _Delegate(QStyledItemDelegate):
    def __init__(self, model: _Model, view: QListView) -> None:
        super().__init__(view)
        self._model, self._view = model, view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = current_theme()
        command = self._model.shown[index.row()]
        box = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.row() == self._view.currentIndex().row():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.line)
            painter.drawRoundedRect(box.adjusted(2, 1, -2, -1), 5, 5)
        right = command.reason or command.shortcut
        side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        right = elided(right, font(12), box.width() * 0.5)
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        inner = box.adjusted(14, 0, -14, 0)
        painter.drawText(inner, side, right)
        used = painter.boundingRect(inner, side, right).width() if right else 0.0
        painter.setFont(font(13))
        painter.setPen(theme.muted if command.reason else theme.text)
        text = elided(command.text, font(13), inner.width() - used - 16)
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()


class PaletteDialog(QDialog):
    """See the module."""

    def __init__(
        self,
        commands: Sequence[Command],
        placeholder: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self.setWindowTitle(placeholder)
        self.setFixedWidth(560)
        self.search = SearchLine(self)
        self.search.setPlaceholderText(placeholder)
        self._model = _Model(commands, self)
        self._view = QListView(self)
        self._view.setModel(self._model)
        self._view.setItemDelegate(_Delegate(self._model, self._view))
        self._view.setUniformItemSizes(True)
        self._view.setProperty("plain", True)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._view.setAccessibleName(placeholder)
        self._view.setMinimumHeight(_ROW * min(max(len(commands), 1), 11) + 6)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self._view, 1)
        self.search.textChanged.connect(self._on_search)
        self._view.clicked.connect(lambda index: self.run_current())
        self._on_search("")
        self.search.setFocus()

    def shown(self) -> tuple[str, ...]:
        """Texts of the entries that fit, best first."""
        return tuple(command.text for command in self._model.shown)

    def current(self) -> Command | None:
        """The marked entry."""
        row = self._view.currentIndex().row()
        return self._model.shown[row] if 0 <= row < len(self._model.shown) else None

    def run_current(self) -> None:
        """Close and run the marked entry; nothing if it cannot run now."""
        command = self.current()
        if command is None or command.reason:
            return
        self.accept()
        command.run()

    def _on_search(self, query: str) -> None:
        self._model.search(query)
        self._view.setCurrentIndex(self._model.index(0, 0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: 8,
            Qt.Key.Key_PageUp: -8,
        }
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.run_current()
        elif key in steps and self._model.shown:
            row = self._view.currentIndex().row() + steps[key]
            last = len(self._model.shown) - 1
            self._view.setCurrentIndex(self._model.index(min(max(row, 0), last), 0))
        else:
            super().keyPressEvent(event)
