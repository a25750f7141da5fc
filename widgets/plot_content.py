"""What a plot is told to show: source, names, levels, shades, texts, y range. Paints nothing."""

from collections.abc import Sequence

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from widgets.axes import AutoRange
from widgets.plot_data import DataLayer
from widgets.plot_mouse import PlotMouse
from widgets.plot_parts import DEFAULT_TEXTS, Header, Line, Named, Shade
from widgets.sources import Source
from widgets.theme import Theme
from widgets.time_view import TimeView


class PlotContent(PlotMouse):
    """The content of a plot. Setting what is already shown costs nothing and repaints nothing."""

    def __init__(self, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(view, parent)
        self.source: Source | None = None
        self.layer = DataLayer()
        self.labels: tuple[str, ...] = ()
        self.decimals: int | None = None
        self.step = False
        self.time_axis = True
        self._texts = dict(DEFAULT_TEXTS)
        self._header = Header()
        self._named: tuple[Named, ...] = ()
        self._lines: tuple[Line, ...] = ()
        self._shades: tuple[Shade, ...] = ()
        self._highlight = -1
        self._hovered = -1
        self._auto = AutoRange()
        self._fixed_range: tuple[float, float] | None = None
        self._revision = 0  # rises with every change of what is drawn

    def set_source(self, source: Source | None) -> None:
        """Show another source; None shows the empty message."""
        self.source = source
        self.layer.forget()
        self._auto.reset()
        self._changed()

    def set_header(self, title: str, unit: str = "", remark: str = "", note: str = "") -> None:
        """Texts above the plot. The title is also the accessible name."""
        header = Header(title, unit, remark, note)
        if header != self._header:
            self._header = header
            self.setAccessibleName(f"{title} {unit}".strip())
            self._changed()

    def set_labels(self, labels: Sequence[str], decimals: int | None = None) -> None:
        """Names of the traces for readouts; `decimals` of values (None: as the grid needs)."""
        if (tuple(labels), decimals) != (self.labels, self.decimals):
            self.labels, self.decimals = tuple(labels), decimals
            self._changed()

    def set_named(self, named: Sequence[Named]) -> None:
        """Traces drawn in colour above the others, first one topmost."""
        if tuple(named) != self._named:
            self._named = tuple(named)
            self._changed()

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Levels such as cut-offs."""
        if tuple(lines) != self._lines:
            self._lines = tuple(lines)
            self._changed()

    def set_shades(self, shades: Sequence[Shade]) -> None:
        """Intervals of time in a faint colour."""
        if tuple(shades) != self._shades:
            self._shades = tuple(shades)
            self._changed()

    def set_highlight(self, index: int) -> None:
        """Draw one trace stronger, whoever pointed at it; -1: none."""
        if index != self._highlight:
            self._highlight = index
            self._changed()

    def set_texts(self, texts: dict[str, str]) -> None:
        """Replace some of `plot_parts.DEFAULT_TEXTS`."""
        self._texts.update(texts)
        self._changed()

    def set_step(self, step: bool) -> None:
        """Hold each value until the next sample instead of joining them by straight lines."""
        if step != self.step:
            self.step = step
            self._changed()

    def set_time_axis(self, shown: bool) -> None:
        """Whether this plot of a stack carries the time labels."""
        if shown != self.time_axis:
            self.time_axis = shown
            self._changed()

    def set_minimum_span(self, span: float) -> None:
        """The smallest height of an automatic y range, so that mere noise is not blown up."""
        self._auto.minimum_span = span
        self._changed()

    def set_y_range(self, y_range: tuple[float, float] | None) -> None:
        """A fixed y range (low < high), or None for an automatic one."""
        if y_range is not None and not y_range[0] < y_range[1]:
            raise ValueError(f"a y range needs low < high, not {y_range}")
        self._fixed_range = None if y_range is None else (float(y_range[0]), float(y_range[1]))
        self._changed()

    def autorange(self) -> None:
        """Fit the y range to what is visible now and keep it automatic."""
        self._fixed_range = None
        self._auto.reset()
        self._changed()

    def pointed(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            self._changed()
            self.trace_hovered.emit(index)

    def view_jumped(self) -> None:
        self._auto.reset()

    def named_now(self) -> tuple[Named, ...]:
        """The named traces; a source with a single trace names it by its value."""
        if not self._named and self.layer.count == 1:
            return (Named(0),)
        return self._named

    def _color_of(self, place: int, named: Named, theme: Theme) -> QColor:
        return named.color or theme.series[place % len(theme.series)]

    def _label_of(self, index: int) -> str:
        if 0 <= index < len(self.labels):
            return self.labels[index]
        given = next((e.label for e in self._named if e.index == index and e.label), None)
        return given or ("" if self.layer.count == 1 else str(index + 1))

    def _changed(self) -> None:
        self._revision += 1
        self.update()
