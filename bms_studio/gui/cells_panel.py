"""The cell grid in its panel: voltage, deviation, balancing, extreme; notes on how it was measured.

Wires the grid to readings and to the shared selection.
"""

import math

from PySide6.QtWidgets import QVBoxLayout, QWidget

from bms_studio.gui.cell_view import MODES, cell_tooltip, cell_values, colour_scale_v
from bms_studio.gui.page import Context
from bms_studio.gui.readings import Readings, number
from bms_studio.language import text
from widgets.cell_grid import CellGrid
from widgets.cell_tiles import GridWords
from widgets.panel import Panel


class CellsPanel(QWidget):
    """See the module. `mode` is one of cell_view.MODES and is remembered."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self._scale_v = 0.03
        self._shape: tuple[object, ...] = ()
        self.panel = Panel(text("Cells"))
        words = {
            "Voltage": text("Voltage"),
            "Deviation": text("Deviation"),
            "Balancing": text("Balancing"),
            "Extreme": text("Extreme"),
        }
        self.panel.set_segments([(mode, words[mode]) for mode in MODES])
        stored = context.settings.string("cells/mode", "Deviation")
        self.panel.set_segment(stored if stored in MODES else "Deviation")
        self.panel.segment_changed.connect(self._mode_chosen)
        self.grid = CellGrid()
        self.grid.set_words(
            GridWords(
                text("BAL"),
                text(
                    "high",
                ),
                text("watch"),
                "–",
            )
        )
        self.grid.set_tooltip(self._tooltip)
        self.panel.add(self.grid, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.panel)
        selection = context.selection
        self.grid.cell_hovered.connect(selection.hover)
        self.grid.cell_selected.connect(selection.choose)
        self.grid.cell_activated.connect(selection.open)
        selection.cell_hovered.connect(self.grid.set_highlight)
        selection.cell_selected.connect(self.grid.set_selected)
        self.grid.set_selected(selection.selected)

    @property
    def mode(self) -> str:
        """The mode shown now."""
        return self.panel.segment()

    def show_readings(self, readings: Readings) -> None:
        """Bring grid and notes up to date."""
        view = self.context.view
        if view is None:
            return
        status = view.status
        shape = (len(readings.cells_v), status.pack.layout, status.pack.labels)
        if shape != self._shape:
            self._shape = shape
            self.grid.set_count(len(readings.cells_v))
            if status.pack.layout:
                self.grid.set_layout(status.pack.layout)
            self.grid.set_labels(status.pack.labels)
        self._scale_v = colour_scale_v(readings.deviation_v, self._scale_v)
        self.grid.set_values(
            cell_values(
                self.mode, readings, status.pack, status.extremes, view.findings, self._scale_v
            )
        )
        self.panel.set_note(self._note(readings, status.scan_s))

    def _note(self, readings: Readings, scan_s: float) -> str:
        if not len(readings.cells_v):
            return text("no cell found yet: name a database or profile, or look at the frames")
        parts = []
        if not math.isnan(readings.median_v):
            parts.append(text("median {volts} V", volts=number(readings.median_v, 3)))
        colour = text("colour full at ±{mv} mV", mv=number(1000 * self._scale_v, 0))
        if self.mode == "Deviation":
            parts += [text("deviation from the median, raw"), colour]
        elif self.mode == "Extreme":
            parts += [text("largest deviation since connect, raw"), colour]
        missing = len(readings.cells_v) - readings.known_cells
        if missing:
            parts.append(text("{count} cells without a value", count=missing))
        if not math.isnan(scan_s):
            parts.append(text("scan {ms} ms", ms=number(1000 * scan_s, 0)))
        return "  ·  ".join(parts)

    def _mode_chosen(self, mode: str) -> None:
        self.context.settings.put("cells/mode", mode)
        readings = self.context.readings()
        if readings is not None:
            self.show_readings(readings)

    def _tooltip(self, cell: int) -> str:
        readings, view = self.context.readings(), self.context.view
        if readings is None or view is None:
            return ""
        status = view.status
        return cell_tooltip(cell, readings, status.pack, status.extremes, view.findings)
