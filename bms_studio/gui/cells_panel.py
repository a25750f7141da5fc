"""The cell grid in its panel: what is measured, what is estimated, and notes on how.

Wires the grid to readings and to the shared selection.
"""

import math

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from bms_studio.gui.cell_view import (
    LAYERS,
    MODES,
    RISK,
    cell_tooltip,
    cell_values,
    colour_scale_v,
    estimated_values,
)
from bms_studio.gui.estimates import Estimates
from bms_studio.gui.no_cells import no_cells_of
from bms_studio.gui.page import Context
from bms_studio.gui.readings import Readings, number
from bms_studio.language import text
from widgets.cell_grid import CellGrid
from widgets.cell_tiles import GridWords
from widgets.panel import Panel


class CellsPanel(QWidget):
    """See the module. `mode`: one of cell_view.MODES, LAYERS or RISK, remembered under `key`."""

    def __init__(
        self, context: Context, key: str = "cells/mode", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.context = context
        self._key = key
        self._scale_v = 0.03
        self._shape: tuple[object, ...] = ()
        self._wanted = context.settings.string(key, "Deviation")
        self.panel = Panel(text("Cells"))
        self._offer(False)
        self.panel.segment_changed.connect(self._mode_chosen)
        self.grid = CellGrid()
        self.grid.set_words(GridWords(text("BAL"), text("high"), text("watch"), "–"))
        self.grid.set_tooltip(self.tooltip)
        around = QWidget()
        self._beside = QHBoxLayout(around)
        self._beside.setContentsMargins(0, 0, 0, 0)
        self._beside.addWidget(self.grid)
        self.panel.add(around, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.panel)
        selection = context.selection
        self.grid.cell_hovered.connect(selection.hover)
        self.grid.cell_selected.connect(selection.choose)
        self.grid.cell_compared.connect(selection.compare)
        self.grid.cell_activated.connect(selection.open)
        selection.cell_hovered.connect(self.grid.set_highlight)
        selection.cell_selected.connect(self.grid.set_selected)
        self.grid.set_selected(selection.selected)

    def set_covered(self, width: int) -> None:
        """So many pixels at the right are a drawer's: the tiles keep clear of them."""
        self._beside.setContentsMargins(0, 0, width, 0)

    @property
    def mode(self) -> str:
        """The mode shown now."""
        return self.panel.segment()

    def _offer(self, risks: bool) -> None:
        """The segments; Risk only once cells are ranked. The mode chosen stays or comes back."""
        words = {
            "Voltage": text("Voltage"),
            "Deviation": text("Deviation"),
            "Balancing": text("Balancing"),
            "Extreme": text("Extreme"),
            "SOC": text("SOC"),
            "Resistance": text("Resistance"),
            RISK: text("Risk"),
        }
        modes = [*MODES, *LAYERS, *([RISK] if risks else [])]
        self.panel.set_segments([(mode, words[mode]) for mode in modes])
        self._modes = modes
        self.panel.set_segment(self._wanted if self._wanted in modes else "Deviation")

    def show_readings(self, readings: Readings) -> None:
        """Bring grid and notes up to date."""
        context = self.context
        view, estimates = context.view, context.estimates()
        if view is None or estimates is None:
            return
        pack = context.pack_status()
        shape = (len(readings.cells_v), pack.layout, pack.labels)
        if shape != self._shape:
            self._shape = shape
            self.grid.set_layout(pack.layout or None)
            self.grid.set_count(len(readings.cells_v))
            if pack.layout:
                self.grid.set_layout(pack.layout)
            self.grid.set_labels(pack.labels)
        risks = estimates.status is not None and bool(estimates.status.risks)
        if risks != (RISK in self._modes):
            self._offer(risks)
        for layer, quantity in LAYERS.items():
            known = estimates.known(quantity)
            reason = "" if known else text("unknown: {need}", need=estimates.need(quantity))
            self.panel.set_segment_enabled(layer, known, reason)
        self._scale_v = colour_scale_v(readings.deviation_v, self._scale_v)
        findings, extremes = context.findings(), context.extremes()
        mode = self.mode
        if mode in MODES or (mode in LAYERS and not estimates.known(LAYERS[mode])):
            values = cell_values(
                mode if mode in MODES else "Deviation",
                readings,
                pack,
                extremes,
                findings,
                self._scale_v,
            )
        else:
            values = estimated_values(mode, readings, estimates, findings)
        self.grid.set_values(values)
        if len(readings.cells_v):
            self.panel.set_note(self._note(readings, estimates, view.status.scan_s))
        else:
            self.panel.set_note(no_cells_of(view))

    def _note(self, readings: Readings, estimates: Estimates, scan_s: float) -> str:
        parts = self._layer_note(estimates)
        if parts:
            return "  ·  ".join(parts)
        if not math.isnan(readings.median_v):
            parts.append(text("median {volts} V", volts=number(readings.median_v, 3)))
        missing = len(readings.cells_v) - readings.known_cells
        if missing:
            parts.append(text("{count} cells without a value", count=missing))
        colour = text("colour full at ±{mv} mV", mv=number(1000 * self._scale_v, 0))
        if self.mode == "Deviation":
            parts += [text("deviation from the median, raw"), colour]
        elif self.mode == "Extreme":
            parts += [text("largest deviation since connect, outside load steps"), colour]
        if not math.isnan(scan_s):
            parts.append(text("scan {ms} ms", ms=number(1000 * scan_s, 0)))
        return "  ·  ".join(parts)

    def _layer_note(self, estimates: Estimates) -> list[str]:
        """What a layer of estimates shows; [] for what is measured."""
        if self.mode == RISK:
            return [text("order of failure, and risk")]
        quantity = LAYERS.get(self.mode, "")
        if not quantity:
            return []
        if not estimates.known(quantity):
            need = estimates.need(quantity)
            return [text("unknown: {need}", need=need), text("deviation from the median, raw")]
        if self.mode == "SOC":
            return [text("charge, %"), text("below: against the median")]
        return [text("mΩ at 25 °C, 50 %"), text("below: against the median")]

    def _mode_chosen(self, mode: str) -> None:
        self._wanted = mode
        self.context.settings.put(self._key, mode)
        readings = self.context.readings()
        if readings is not None:
            self.show_readings(readings)

    def tooltip(self, cell: int) -> str:
        """What the pointer tells of a cell."""
        context = self.context
        readings = context.readings()
        if readings is None:
            return ""
        return cell_tooltip(
            cell,
            readings,
            context.pack_status(),
            context.extremes(),
            context.findings(),
            context.estimates(),
        )
