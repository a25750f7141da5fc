"""The stacked plots of the Live page: cells as a band with outliers named, current, temperature.

Wires sources, names and limit lines to the plots; colours of named cells stay with the cell.
"""

import math

from PySide6.QtWidgets import QVBoxLayout, QWidget

from bms_studio.gui.alert_words import shades
from bms_studio.gui.page import Context
from bms_studio.gui.readings import Readings, number
from bms_studio.gui.sources import FieldSource, GroupSource, lasting_deviations, outliers
from bms_studio.language import text
from widgets.plot_parts import Line, Named
from widgets.plot_stack import PlotStack
from widgets.theme import current_theme
from widgets.trace_plot import TracePlot

_SECOND_NS = 1_000_000_000
_LINGER_NS = 5 * _SECOND_NS
_MOST_NAMED = 4


def plot_texts() -> dict[str, str]:
    """The words a plot needs, in the reader's language."""
    return {
        "now": text("now"),
        "empty": text("no data in this span"),
        "below": text("{label} is below this view"),
        "above": text("{label} is above this view"),
    }


class CellColours:
    """Which cells are named now and in which colour; a cell that stood out lingers for 5 s."""

    def __init__(self) -> None:
        self._until: dict[int, int] = {}
        self._slots: dict[int, int] = {}

    def update(self, standing_out: list[int], t: int) -> list[int]:
        """The cells to name at time t, the farthest first."""
        for cell in standing_out:
            self._until[cell] = t + _LINGER_NS
        kept = [cell for cell, until in self._until.items() if t < until < t + 2 * _LINGER_NS]
        self._until = {cell: self._until[cell] for cell in kept}
        named = [*standing_out, *(cell for cell in kept if cell not in standing_out)][:_MOST_NAMED]
        self._slots = {cell: slot for cell, slot in self._slots.items() if cell in named}
        for cell in named:
            free = (slot for slot in range(8) if slot not in self._slots.values())
            self._slots.setdefault(cell, next(free))
        return named

    def named(self, context: Context, readings: Readings) -> tuple[Named, ...]:
        """The cells that stand out now or for long in the span shown, or were found dipping in it;
        red only with a finding of the highest kind."""
        view, time = context.view, context.time
        if view is None:
            return ()
        theme = current_theme()
        findings = context.findings()
        now = outliers(readings.deviation_v, at_most=2)
        group = context.prefix + "deviation"
        ever = outliers(lasting_deviations(view.timeline, time.t0_ns, time.t1_ns, group))
        found = [f.cell for f in findings if f.cell and time.t0_ns <= f.start <= time.t1_ns]
        standing_out = list(dict.fromkeys([*now, *ever, *found]))[:_MOST_NAMED]
        bad = {f.cell for f in findings if f.severity == "stop" and f.state != "resolved"}
        calm = [colour for colour in theme.series if colour != theme.high]
        return tuple(
            Named(
                cell - 1,
                str(cell),
                theme.high if cell in bad else calm[(self._slots[cell] + 1) % len(calm)],
            )
            for cell in self.update(standing_out, time.t1_ns)
        )


class LivePlots(QWidget):
    """Three linked plots. `set_compact` leaves out the temperature where there is little room."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.stack = PlotStack(context.time)
        self.voltage = TracePlot(context.time)
        self.current = TracePlot(context.time)
        self.temperature = TracePlot(context.time)
        for plot, stretch in ((self.voltage, 5), (self.current, 3), (self.temperature, 3)):
            plot.set_texts(plot_texts())
            self.stack.add(plot, stretch, time_axis=plot is self.voltage)
        self.voltage.set_minimum_span(0.02)
        self.current.set_minimum_span(2.0)
        self.temperature.set_minimum_span(4.0)
        self._colours = CellColours()
        self._has: tuple[bool, ...] = ()
        self._named: tuple[object, ...] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stack)
        selection = context.selection
        self.voltage.trace_hovered.connect(lambda index: selection.hover(index + 1))
        self.voltage.trace_clicked.connect(lambda index: selection.choose(index + 1))
        self.voltage.trace_double_clicked.connect(lambda index: selection.open(index + 1))
        selection.cell_hovered.connect(self._highlight)
        selection.cell_selected.connect(self._highlight)

    def view_changed(self) -> None:
        """Other data: new sources."""
        view = self.context.view
        if view is None:
            return
        timeline, prefix = view.timeline, self.context.prefix
        self.voltage.set_source(GroupSource(timeline, prefix + "cells"))
        self.current.set_source(FieldSource(timeline, prefix + "pack", "current"))
        self.temperature.set_source(GroupSource(timeline, prefix + "probes"))
        self._named = ()

    def set_compact(self, compact: bool) -> None:
        """Little height: without the temperature plot."""
        self.temperature.setVisible(not compact)

    def refresh(self) -> None:
        """Repaint what has new data."""
        self.stack.refresh()

    def autorange(self) -> None:
        """Fit the plots."""
        self.stack.autorange()

    def show_readings(self, readings: Readings) -> None:
        """Titles, names at the curves, limit lines."""
        view = self.context.view
        if view is None:
            return
        pack = self.context.pack_status()
        cells, probes = len(readings.cells_v), len(readings.probes_degc)
        remark = text("{cells} cells, outliers named", cells=cells) if cells > 1 else ""
        self.voltage.set_header(text("Cell voltage"), "V", remark)
        self.current.set_header(text("Current"), "A", text("+ discharge"))
        self.temperature.set_header(
            text("Temperature"), "°C", text("{count} probes", count=probes) if probes else ""
        )
        self.voltage.set_labels([text("Cell {cell}", cell=n + 1) for n in range(cells)], 3)
        self.temperature.set_labels(
            [
                name if not name.isdigit() else text("Probe {probe}", probe=name)
                for name in readings.probe_labels
            ],
            1,
        )
        self.voltage.set_lines(self._limit_lines(pack.cell_voltage_min, pack.cell_voltage_max))
        self._say_what_is_missing(readings)
        self._name_outliers(readings)
        # Alerts that keep their half minutes are those of the first pack.
        self.voltage.set_shades(shades(view) if self.context.pack == 1 else [])

    def _say_what_is_missing(self, readings: Readings) -> None:
        """An empty plot says whether the bus lacks it, or only this span."""
        has = (readings.field("current").known, len(readings.probes_degc) > 0)
        if has != self._has:
            self._has = has
            absent = (text("no current on this bus"), text("no probe on this bus"))
            for plot, known, words in zip(
                (self.current, self.temperature), has, absent, strict=True
            ):
                plot.set_texts(plot_texts() if known else plot_texts() | {"empty": words})

    def _limit_lines(self, low_v: float, high_v: float) -> list[Line]:
        lines = []
        if not math.isnan(low_v):
            label = text("cut-off {volts} V", volts=number(low_v, 2))
            lines.append(Line(low_v, label, "warn"))
        if not math.isnan(high_v) and self._near_top(high_v):
            label = text("charge limit {volts} V", volts=number(high_v, 2))
            lines.append(Line(high_v, label, "warn"))
        return lines

    def _near_top(self, high_v: float) -> bool:
        """The upper limit is named only where the cells come near it: one note is enough."""
        low, high = self.voltage.y_range
        return high_v <= high + (high - low) / 2

    def _name_outliers(self, readings: Readings) -> None:
        named = self._colours.named(self.context, readings)
        hottest = readings.hottest
        key = (tuple((n.index, n.color.name() if n.color else "") for n in named), hottest)
        if key == self._named:
            return
        self._named = key
        self.voltage.set_named(named)
        label = f"P{hottest + 1}"
        shown = [Named(hottest, label, current_theme().warn)] if hottest >= 0 else []
        self.temperature.set_named(shown)

    def _highlight(self, _cell: int) -> None:
        selection = self.context.selection
        self.voltage.set_highlight((selection.hovered or selection.selected) - 1)
