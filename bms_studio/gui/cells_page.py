"""The Cells page: every cell as a tile and as a row, worst first; the cell chosen beside them.

Lays out grid, table and detail and feeds them; see cells_table, cell_detail, cells_panel.
"""

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from bms_studio.gui.cell_detail import CellDetail
from bms_studio.gui.cells_panel import CellsPanel
from bms_studio.gui.cells_table import (
    PRESETS,
    QUANTITIES,
    columns,
    content,
    modules_of,
    names_of,
    preset_words,
    search,
)
from bms_studio.gui.estimate_words import hint
from bms_studio.gui.no_cells import no_cells_of
from bms_studio.gui.page import Context, Page
from bms_studio.gui.start_cards import start_cards
from bms_studio.language import text
from widgets.action_button import ActionButton
from widgets.cards import Cards
from widgets.cell_table import CellTable
from widgets.panel import Panel
from widgets.search_line import SearchLine

DRAWER_BELOW_PX = 1400
_DRAWER_WIDTH = 440
_LOW_HEIGHT, _LEAST_HEIGHT = 640, 480  # below the first the grid is flat, below the second gone
_GRID_PX, _FLAT_GRID_PX = 190, 138
_PAD_PX = 14  # of a panel
_SLOW_TICKS = 5
_GRID_TICKS = 3


class CellsPage(Page):
    """See the module."""

    key = "cells"
    icon = "cells"

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self._tick = 0
        self._drawer_open = False
        self._shape: tuple[object, ...] = ()
        self.grid = CellsPanel(context, "cells_page/mode")
        self._make_table()
        self.detail = CellDetail(context, self)
        self.nothing = Cards()
        self.nothing.set_heading(
            text("Nothing is open"), text("Nothing is sent on a bus unless you say so.")
        )
        self.nothing.set_items(start_cards())
        self.nothing.chosen.connect(context.do)
        left = QVBoxLayout()
        left.setSpacing(10)
        left.addWidget(self.grid)
        left.addWidget(self.panel, 1)
        self.content = QWidget()
        self._body = QHBoxLayout(self.content)
        self._body.setContentsMargins(0, 0, 0, 0)
        self._body.setSpacing(10)
        self._body.addLayout(left, 62)
        self._body.addWidget(self.detail, 38)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.nothing, 1)
        column.addWidget(self.content, 1)
        selection = context.selection
        selection.cell_selected.connect(self._selection_changed)
        selection.cell_compared.connect(self._selection_changed)

    def _make_table(self) -> None:
        context = self.context
        self.panel = Panel(text("All cells"))
        words = preset_words()
        self.panel.set_segments([(key, words[key]) for key in PRESETS])
        stored = context.settings.string("cells_page/preset", "overview")
        self.panel.set_segment(stored if stored in PRESETS else "overview")
        self.panel.segment_changed.connect(self._preset_chosen)
        self.search = SearchLine()
        self.search.setPlaceholderText(text("13, 5-9 or a label"))
        self.search.setFixedWidth(190)
        self.search.textChanged.connect(self._searched)
        self.search.returnPressed.connect(self._choose_found)
        self.worst = ActionButton(text("Worst first"), size=12)
        self.worst.clicked.connect(self._worst_first)
        copy = ActionButton(text("Copy"), size=12)
        copy.setToolTip(text("All cells shown, with units (Ctrl+C)"))
        copy.clicked.connect(self.copy)
        self.drawer_button = ActionButton(text("Details"), "drawer", size=12)
        self.drawer_button.setCheckable(True)
        self.drawer_button.clicked.connect(self.toggle_drawer)
        for widget in (self.search, self.worst, copy, self.drawer_button):
            self.panel.add_to_header(widget)
        self.table = CellTable()
        self.table.set_columns(columns(self.panel.segment()))
        self.table.set_empty(text("no cell matches"))
        self.table.set_tooltip(self._tooltip)
        self.table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        around = QWidget()
        self._beside = QHBoxLayout(around)  # its right margin is where the drawer stands
        self._beside.setContentsMargins(0, 0, 0, 0)
        self._beside.addWidget(self.table)
        self.panel.add(around, 1)
        selection = context.selection
        self.table.cell_hovered.connect(selection.hover)
        self.table.cell_selected.connect(selection.choose)
        self.table.cell_compared.connect(selection.compare)
        self.table.cell_activated.connect(self.open_cell)
        selection.cell_hovered.connect(self.table.set_highlight)

    # -- the page's side -----------------------------------------------------------------------

    def view_changed(self) -> None:
        self._shape = ()
        self._tick = 0
        self.detail.forget()
        shown = self.context.view is not None
        self.nothing.setVisible(not shown)
        self.content.setVisible(shown)
        self._arrange()

    def refresh(self) -> None:
        readings = self.context.readings()
        if self.context.view is None or readings is None:
            return
        slow = self._tick % _SLOW_TICKS == 0
        if self.grid.isVisible() and self._tick % _GRID_TICKS == 0:
            self.grid.show_readings(readings)
        if slow:
            self._show_table()
        self.detail.refresh(slow)
        self._tick += 1

    def autorange(self) -> None:
        self.detail.cell.stack.autorange()

    def measure(self) -> None:
        self.context.time.toggle_range()

    def begin_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _choose_found(self) -> None:
        """Enter in the search: the worst of what it found, and on in the table by the keys."""
        cell = self.table.first_shown
        if cell:
            self.context.selection.choose(cell)
            self.table.setFocus(Qt.FocusReason.OtherFocusReason)

    def toggle_drawer(self) -> None:
        if self._narrow:
            self._drawer_open = not self._drawer_open
            self._arrange()
            self.detail.refresh(True)

    def open_cell(self, cell: int) -> None:
        """Choose a cell and show its detail, also where that is a drawer."""
        self.context.selection.choose(cell)
        self._drawer_open = self._narrow
        self._arrange()
        self.table.reveal(cell)
        self.detail.refresh(True)

    def copy(self) -> None:
        """The table as tab-separated text with a row of units."""
        QGuiApplication.clipboard().setText(self.table.table_text())

    # -- the table -----------------------------------------------------------------------------

    def _show_table(self) -> None:
        context = self.context
        readings, estimates = context.readings(), context.estimates()
        if readings is None or estimates is None or context.view is None:
            return
        count, pack = len(readings.cells_v), context.pack_status()
        shape = (count, pack.layout, pack.labels, context.pack)
        if shape != self._shape:
            self._shape = shape
            self.table.set_names(names_of(count, pack), text("Cell"))
            self.table.set_modules(modules_of(count, pack))
            self._searched(self.search.text())
        shown = content(
            self.panel.segment(), readings, estimates, context.extremes(), context.findings()
        )
        self.table.set_data(shown.data, shown.worst, shown.flags)
        self._show_note()

    def _show_note(self) -> None:
        """How many a search found; where there is no cell, why."""
        view, readings = self.context.view, self.context.readings()
        if view is None or readings is None:
            return
        count = len(readings.cells_v)
        found = self.table.shown_count
        note = "" if count else no_cells_of(view)
        if count and self.search.text().strip():
            note = text("{found} of {count}", found=found, count=count)
        self.panel.set_note(note)

    def _preset_chosen(self, preset: str) -> None:
        self.panel.set_segment(preset)
        self.context.settings.put("cells_page/preset", preset)
        self.table.set_columns(columns(preset))
        self._show_table()

    def _worst_first(self) -> None:
        self.table.sort_by("")

    def _searched(self, words: str) -> None:
        readings = self.context.readings()
        if readings is not None:
            count = len(readings.cells_v)
            self.table.set_shown(search(words, count, self.context.pack_status()))
            self._show_note()

    def _tooltip(self, cell: int, key: str) -> str:
        estimates = self.context.estimates()
        if estimates is None or key not in QUANTITIES:
            return self.grid.tooltip(cell)
        return hint(estimates, key, cell)

    def _selection_changed(self, _cell: int) -> None:
        selection = self.context.selection
        self.table.set_selected(selection.selected, selection.compared)
        if self.isVisible():
            self.detail.refresh(True)

    # -- layout --------------------------------------------------------------------------------

    @property
    def _narrow(self) -> bool:
        return self.window().width() < DRAWER_BELOW_PX

    @property
    def _drawer_width(self) -> int:
        return min(_DRAWER_WIDTH, self.width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest and self.detail.floating:
            self._place_drawer()
        return super().event(event)

    def _arrange(self) -> None:
        narrow = self._narrow
        if narrow != self.detail.floating:
            if narrow:
                self._body.removeWidget(self.detail)
                self.detail.setParent(self)
            else:
                self._body.addWidget(self.detail, 38)
            self.detail.set_floating(narrow)
        self._drawer_open = self._drawer_open and narrow
        self.detail.setVisible(self.context.view is not None and (not narrow or self._drawer_open))
        self.drawer_button.setVisible(narrow)
        self.drawer_button.setChecked(self._drawer_open)
        flat = self.height() < _LOW_HEIGHT
        self.grid.setFixedHeight(_FLAT_GRID_PX if flat else _GRID_PX)
        self.grid.setVisible(self.height() >= _LEAST_HEIGHT)
        covered = self._drawer_width - _PAD_PX if self._drawer_open else 0
        self._beside.setContentsMargins(0, 0, covered, 0)
        if narrow:
            self._place_drawer()

    def _place_drawer(self) -> None:
        top = self.panel.mapTo(self, self.panel.rect().topLeft()).y() + 46
        width = self._drawer_width
        self.detail.setGeometry(self.width() - width, top, width, self.height() - top)
        self.detail.raise_()
