"""One cell is looked at in every view at once: the shared selection, and a second to compare with.

Knows numbers, no widget. 0 means none.
"""

from PySide6.QtCore import QObject, Signal


class Selection(QObject):
    """The cell under the pointer, the cell chosen, the cell it is compared with; from 1, 0 none."""

    cell_hovered = Signal(int)
    cell_selected = Signal(int)
    cell_opened = Signal(int)
    cell_compared = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hovered = 0
        self.selected = 0
        self.compared = 0

    def hover(self, cell: int) -> None:
        """The pointer is on `cell`; 0 when it left."""
        if cell != self.hovered:
            self.hovered = cell
            self.cell_hovered.emit(cell)

    def choose(self, cell: int) -> None:
        """Look at `cell`, alone; 0 lets go."""
        self.compare(0)
        if cell != self.selected:
            self.selected = cell
            self.cell_selected.emit(cell)

    def compare(self, cell: int) -> None:
        """Compare the cell chosen with `cell`; 0, the same again or itself: no more."""
        if not self.selected and cell:
            self.choose(cell)
            return
        wanted = 0 if cell in (self.selected, self.compared) else cell
        if wanted != self.compared:
            self.compared = wanted
            self.cell_compared.emit(wanted)

    def open(self, cell: int) -> None:
        """Open `cell` (double-click): choose it and show it by itself."""
        self.choose(cell)
        self.cell_opened.emit(cell)
