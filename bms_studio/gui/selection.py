"""One cell is looked at in every view at once: the shared selection.

Knows a number, no widget. 0 means none.
"""

from PySide6.QtCore import QObject, Signal


class Selection(QObject):
    """The cell under the pointer and the cell chosen, from 1; 0 none."""

    cell_hovered = Signal(int)
    cell_selected = Signal(int)
    cell_opened = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hovered = 0
        self.selected = 0

    def hover(self, cell: int) -> None:
        """The pointer is on `cell`; 0 when it left."""
        if cell != self.hovered:
            self.hovered = cell
            self.cell_hovered.emit(cell)

    def choose(self, cell: int) -> None:
        """Look at `cell`; 0 lets go."""
        if cell != self.selected:
            self.selected = cell
            self.cell_selected.emit(cell)

    def open(self, cell: int) -> None:
        """Open `cell` (double-click): choose it and show it by itself."""
        self.choose(cell)
        self.cell_opened.emit(cell)
