"""A panel that draws many traces over time, fast: for looking, zooming, pointing and measuring.

The frame, grid and texts are painted once and kept; the data are one raster picture; only cursor,
end labels and readout are painted each time. It takes a `Source` and labels and knows no meaning.
"""

import math
import time

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.axes import (
    Ticks,
    decimals_for,
    format_moment,
    format_span,
    format_value,
    tidy_ticks,
    time_ticks,
)
from widgets.plot_content import PlotContent
from widgets.plot_data import Ink
from widgets.plot_parts import (
    Header,
    fitting_value,
    notes_of_lines,
    paint_end_labels,
    paint_grid,
    paint_header,
    paint_lines,
    paint_panel,
    paint_range,
    paint_readout,
    paint_shade,
    paint_time_axis,
    plot_rect,
    y_of,
)
from widgets.theme import Theme, current_theme, font
from widgets.time_view import TimeView

_NEAR_PX = 14.0  # a pointer closer than this to a trace means it


class TracePlot(PlotContent):
    """One plot of N traces; several share a `TimeView`."""

    def __init__(self, view: TimeView | None = None, parent: QWidget | None = None) -> None:
        super().__init__(view or TimeView(), parent)
        self._y_range = (0.0, 1.0)
        self._has_data = False
        self._static = QImage()
        self._static_key: tuple[object, ...] = ()
        self._data_key: tuple[object, ...] = ()
        self._picture = QImage()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # nothing below needs painting
        self.view.changed.connect(self.update)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    # for the clock and for pages

    def refresh(self) -> None:
        """Repaint if there is something new; called by the window's clock, costs nothing else."""
        if not self.isVisible():
            return
        width = self._physical_plot().width()
        view = self.view
        if (
            self.source is not None
            and self.layer.is_stale(self.source, view.t0_ns, view.t1_ns, width)
        ) or self._auto.pending:
            self.update()

    @property
    def y_range(self) -> tuple[float, float]:
        """The y range that was last painted."""
        return self._y_range

    def to_image(self) -> QImage:
        """A picture of the panel as it is on screen."""
        return self.grab().toImage()

    def sizeHint(self) -> QSize:
        return QSize(600, 160)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 66)

    # pointing, called by PlotMouse

    def plot_area(self) -> QRectF:
        return plot_rect(self.width(), self.height(), self.time_axis)

    def trace_near(self, position: QPointF) -> int:
        """Trace within reach of a point of the widget, -1 if there is none."""
        plot = self.plot_area()
        if not plot.adjusted(-2, -2, 2, 2).contains(position):
            return -1
        low, high = self._y_range
        value = high - (position.y() - plot.top()) / plot.height() * (high - low)
        index, distance = self.layer.nearest(self.time_at(position.x()), value)
        return index if distance <= _NEAR_PX * (high - low) / plot.height() else -1

    def zoom_y(self, factor: float, y: float) -> None:
        plot = self.plot_area()
        low, high = self._y_range
        at = high - (y - plot.top()) / plot.height() * (high - low)
        bottom, top = at - (at - low) * factor, at + (high - at) * factor
        if 1e-9 * max(abs(at), 1e-3) < top - bottom < 1e12:  # what floats and people can tell apart
            self.set_y_range((bottom, top))

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        plot = self.plot_area()
        self._take_data()
        painter = QPainter(self)
        try:
            self._paint(painter, plot, theme)
        finally:
            painter.end()  # a painter left open by an error would bring down the process

    def _paint(self, painter: QPainter, plot: QRectF, theme: Theme) -> None:
        painter.drawImage(0, 0, self._static_image(plot, theme))
        physical = self._physical_plot()
        ratio = self.devicePixelRatioF()
        target = QRectF(
            physical.x() / ratio,
            physical.y() / ratio,
            physical.width() / ratio,
            physical.height() / ratio,
        )
        painter.drawImage(target, self._data_image(plot, theme))
        if not self._has_data:
            painter.setFont(font(theme.sizes.body))
            painter.setPen(theme.muted)
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, self._texts["empty"])
        if self.time_axis:
            paint_time_axis(painter, plot, self._time_labels(plot), theme)
        if self.view.range_ns is not None:
            a, b = self.view.range_ns
            text = format_span(b - a) if self.time_axis else ""
            paint_range(painter, plot, self.x_at(a), self.x_at(b), text, theme)
        if self._has_data:
            paint_lines(painter, plot, self._lines, self._y_range, theme)
            paint_end_labels(painter, plot, self._end_labels(plot, theme), theme)
            self._paint_cursor(painter, plot, theme)

    def _take_data(self) -> None:
        if self.source is not None:
            width = self._physical_plot().width()
            if self.layer.update(self.source, self.view.t0_ns, self.view.t1_ns, width):
                self._revision += 1
        low, high = self.layer.extremes()
        self._has_data = math.isfinite(low)
        most = self._most_steps(self.plot_area())
        fitted = self._auto.update(low, high, time.monotonic(), most)
        self._y_range = self._fixed_range or fitted

    def _physical_plot(self) -> QRect:
        plot, ratio = self.plot_area(), self.devicePixelRatioF()
        return QRect(
            round(plot.x() * ratio),
            round(plot.y() * ratio),
            max(round(plot.width() * ratio), 1),
            max(round(plot.height() * ratio), 1),
        )

    def _ticks(self, plot: QRectF) -> Ticks:
        most = self._most_steps(plot)
        ticks = tidy_ticks(*self._y_range, most)
        # One number alone is no scale: rather a little closer than that.
        return ticks if len(ticks.values) > 1 else tidy_ticks(*self._y_range, 2 * most)

    @staticmethod
    def _most_steps(plot: QRectF) -> int:
        return max(int(plot.height() // (26 if plot.height() > 80 else 17)), 1)

    def _static_image(self, plot: QRectF, theme: Theme) -> QImage:
        """Panel, header and grid; painted anew only when one of them changes."""
        ratio = self.devicePixelRatioF()
        notes = notes_of_lines(self._lines, self._y_range, self._texts) if self._has_data else []
        head = self._header
        note = "  ·  ".join([*notes, *([head.note] if head.note else [])])
        focused = self.hasFocus() and self.focus_by_keys
        key = (
            *(self.width(), self.height(), ratio, theme.name, self._y_range, self._has_data),
            *(head, note, focused, self.time_axis),
        )
        if key == self._static_key:
            return self._static
        self._static_key = key
        self._data_key = ()
        size = QSize(round(self.width() * ratio), round(self.height() * ratio))
        image = QImage(size, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        rect = QRectF(0, 0, self.width(), self.height())
        painter = QPainter(image)
        paint_panel(painter, rect, theme, focused)
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        shown = Header(head.title, head.unit, head.remark, note)
        paint_header(painter, rect, plot, shown, theme)
        if self._has_data:
            paint_grid(painter, plot, self._ticks(plot), self._y_range, theme)
        painter.end()
        self._static = image
        return image

    def _data_image(self, plot: QRectF, theme: Theme) -> QImage:
        """The traces over the static part; made anew only when data or their look changed."""
        key = (self._revision, self._static_key, theme.name)
        moving = bool(self._shades)
        if key == self._data_key and not moving:
            return self._picture
        background = self._static.copy(self._physical_plot())
        if moving:
            background.setDevicePixelRatio(self.devicePixelRatioF())
            painter = QPainter(background)
            painter.translate(-plot.topLeft())
            for shade in self._shades:
                left, right = self.x_at(shade.t0_ns), self.x_at(shade.t1_ns)
                paint_shade(painter, plot, left, right, shade, theme)
            painter.end()
        self._picture = self.layer.picture(
            background, self._y_range, self._inks(theme), theme.trace, self.step
        )
        self._data_key = key
        return self._picture

    def _inks(self, theme: Theme) -> list[Ink]:
        ratio = self.devicePixelRatioF()
        strong = {self._highlight, self._hovered} - {-1}
        named = self.named_now()
        inks = [
            Ink(
                entry.index,
                self._color_of(place, entry, theme),
                (1.2 if entry.index in strong else 0.8) * ratio,
            )
            for place, entry in reversed(list(enumerate(named)))
        ]
        known = {entry.index for entry in named}
        inks += [Ink(index, theme.text, 0.8 * ratio) for index in sorted(strong - known)]
        return inks

    def _time_labels(self, plot: QRectF) -> list[tuple[float, str]]:
        view = self.view
        most = max(int(plot.width() // 110), 1)
        ticks = time_ticks(
            view.t0_ns, view.t1_ns, most, view.label_mode, view.label_origin_ns, self._texts["now"]
        )
        return [(self.x_at(t_ns), text) for t_ns, text in ticks]

    def _value_decimals(self, plot: QRectF) -> int:
        if self.decimals is not None:
            return self.decimals
        return min(decimals_for(self._ticks(plot).step) + 1, 9)

    def _end_labels(self, plot: QRectF, theme: Theme) -> list[tuple[float, str, QColor]]:
        rows = []
        named = list(enumerate(self.named_now()))
        known = {entry.index for _, entry in named}
        shown = [(e.index, e.label, self._color_of(place, e, theme)) for place, e in named]
        for index in sorted({self._highlight, self._hovered} - known - {-1}):
            shown.append((index, self._label_of(index), theme.text))
        for index, label, color in shown:
            value = self.layer.last(index)
            if math.isnan(value) or label == "":
                continue
            decimals = self.decimals
            if decimals is None:
                decimals = decimals_for(self._ticks(plot).step)
            text = label if label is not None else fitting_value(value, decimals, theme)
            y = min(max(y_of(value, plot, self._y_range), plot.top()), plot.bottom())
            rows.append((y, text, color))
        return rows

    def _paint_cursor(self, painter: QPainter, plot: QRectF, theme: Theme) -> None:
        at_ns = self.view.cursor_ns
        if at_ns is None:
            return
        x = self.x_at(at_ns)
        if not plot.left() <= x <= plot.right():
            return
        painter.fillRect(QRectF(round(x), plot.top(), 1, plot.height()), theme.muted)
        rows = self._readout(at_ns, plot, theme)
        paint_readout(painter, plot, x, rows, theme)

    def _readout(self, at_ns: int, plot: QRectF, theme: Theme) -> list[tuple[str, str, QColor]]:
        rows = []
        if self.underMouse():
            rows.append(("", self._moment(at_ns), theme.muted))
        named = {e.index: self._color_of(k, e, theme) for k, e in enumerate(self.named_now())}
        first = [i for i in (self._hovered, self._highlight) if i >= 0]
        most = max(int(plot.height() // 17) - 1, 1)
        for index in list(dict.fromkeys([*first, *named]))[:most]:
            low, high = self.layer.value_at(index, at_ns)
            decimals = self._value_decimals(plot)
            text = format_value(low, decimals)
            if format_value(high, decimals) != text:
                text = f"{text} … {format_value(high, decimals)}"
            rows.append((self._label_of(index), text, named.get(index, theme.text)))
        return rows

    def _moment(self, at_ns: int) -> str:
        view = self.view
        per_pixel = max((view.t1_ns - view.t0_ns) // max(self.width(), 1), 1)
        step_ns = 10 ** (len(str(per_pixel)) - 1)
        return format_moment(at_ns, view.label_mode, view.label_origin_ns, step_ns)
