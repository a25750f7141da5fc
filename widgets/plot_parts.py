"""The parts of a plot that are not data: frame, grid, texts, limit lines, shades, cursor.

Plain values and painting functions; a `TracePlot` decides when to call them. Nothing here fetches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from widgets.axes import Ticks, format_value
from widgets.theme import Theme, font, mix, semibold

DEFAULT_TEXTS = {
    "now": "now",
    "empty": "no data in this span",
    "below": "{label} is below this view",
    "above": "{label} is above this view",
}
LEFT, RIGHT = 54, 48  # gutters, the same in every plot so that stacked plots line up
LABEL_HEIGHT = 15


@dataclass(frozen=True, slots=True)
class Named:
    """A trace drawn in its own colour with a label at the right edge.

    label None: its newest value; "": no label. color None: a colour of the theme by its position.
    """

    index: int
    label: str | None = None
    color: QColor | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A level such as a cut-off; `tone` a severity of the theme. Out of view it becomes a note."""

    value: float
    label: str
    tone: str = "warn"


@dataclass(frozen=True, slots=True)
class Shade:
    """An interval of time in a faint colour of a severity, with a word at its top."""

    t0_ns: int
    t1_ns: int
    tone: str = "info"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """Texts above the plot: title, unit, remark beside them, note at the right."""

    title: str = ""
    unit: str = ""
    remark: str = ""
    note: str = ""


def plot_rect(width: int, height: int, time_axis: bool) -> QRectF:
    """Where the data are drawn in a panel of this size."""
    top = 40 if height >= 100 else 34
    bottom = 30 if time_axis else 14
    return QRectF(LEFT, top, max(width - LEFT - RIGHT, 8), max(height - top - bottom, 8))


def paint_panel(painter: QPainter, rect: QRectF, theme: Theme, focused: bool) -> None:
    """The rounded panel on the window's background."""
    painter.fillRect(rect, theme.background)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.accent if focused else theme.border, 1))
    painter.setBrush(theme.panel)
    inner = rect.adjusted(0.5, 0.5, -0.5, -0.5)
    painter.drawRoundedRect(inner, theme.sizes.radius, theme.sizes.radius)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def paint_header(painter: QPainter, rect: QRectF, plot: QRectF, head: Header, theme: Theme) -> None:
    """Title, unit and remark from the left, note from the right; the remark gives way first."""
    sizes = theme.sizes
    x, baseline = rect.left() + sizes.pad, rect.top() + 21
    note_font = font(sizes.small)
    note = QFontMetricsF(note_font).elidedText(
        head.note, Qt.TextElideMode.ElideLeft, plot.width() * 0.5
    )
    note_width = QFontMetricsF(note_font).horizontalAdvance(note)
    painter.setFont(note_font)
    painter.setPen(theme.muted)
    painter.drawText(QPointF(plot.right() - note_width, baseline), note)
    limit = plot.right() - note_width - 16
    for text, made, color, gap in (
        (head.title, semibold(sizes.body), theme.text, 10.0),
        (head.unit, font(sizes.body), theme.muted, 10.0),
        (f"·   {head.remark}" if head.remark else "", font(sizes.body), theme.muted, 0.0),
    ):
        if not text or x >= limit:
            continue
        metrics = QFontMetricsF(made)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, limit - x)
        painter.setFont(made)
        painter.setPen(color)
        painter.drawText(QPointF(x, baseline), shown)
        x += metrics.horizontalAdvance(shown) + gap


def paint_grid(
    painter: QPainter, plot: QRectF, ticks: Ticks, y_range: tuple[float, float], theme: Theme
) -> None:
    """Level lines and their numbers, right-aligned in the left gutter."""
    painter.setFont(font(theme.sizes.small))
    for value in ticks.values:
        y = round(y_of(value, plot, y_range))
        painter.fillRect(QRectF(plot.left(), y, plot.width(), 1), theme.grid)
        painter.setPen(theme.muted)
        box = QRectF(plot.left() - LEFT, y - 9, LEFT - 8, 18)
        painter.drawText(
            box,
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
            format_value(value, ticks.decimals),
        )


def paint_lines(
    painter: QPainter,
    plot: QRectF,
    lines: Sequence[Line],
    y_range: tuple[float, float],
    theme: Theme,
) -> None:
    """Levels within view, dashed, each with its label above its right end."""
    painter.setFont(font(theme.sizes.small))
    for line in lines:
        if not y_range[0] <= line.value <= y_range[1]:
            continue
        color = theme.severity(line.tone)
        y = round(y_of(line.value, plot, y_range)) + 0.5
        pen = QPen(color, 1)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
        above = y - plot.top() > 18
        box = QRectF(plot.left(), y - 18 if above else y + 1, plot.width() - 4, 17)
        painter.setPen(color)
        painter.drawText(
            box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, line.label
        )


def notes_of_lines(
    lines: Sequence[Line], y_range: tuple[float, float], texts: dict[str, str]
) -> list[str]:
    """What to say about levels that are out of view."""
    return [
        texts["below" if line.value < y_range[0] else "above"].format(label=line.label)
        for line in lines
        if not y_range[0] <= line.value <= y_range[1]
    ]


def paint_shade(
    painter: QPainter, plot: QRectF, left: float, right: float, shade: Shade, theme: Theme
) -> None:
    """An interval between x = left and right, clipped to the plot."""
    left, right = max(left, plot.left()), min(right, plot.right())
    if right <= left:
        return
    color = QColor(theme.severity(shade.tone))
    color.setAlpha(34)
    painter.fillRect(QRectF(left, plot.top(), max(right - left, 1), plot.height()), color)
    if shade.label and right - left > 30:
        painter.setFont(font(theme.sizes.small))
        painter.setPen(theme.muted)
        box = QRectF(left + 4, plot.top() + 1, right - left - 8, 16)
        shown = QFontMetricsF(painter.font()).elidedText(
            shade.label, Qt.TextElideMode.ElideRight, box.width()
        )
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft, shown)


def paint_time_axis(
    painter: QPainter, plot: QRectF, ticks: Sequence[tuple[float, str]], theme: Theme
) -> None:
    """(x, text) centred below the plot, moved inward where the panel ends; none over another."""
    made = font(theme.sizes.small)
    metrics = QFontMetricsF(made)
    painter.setFont(made)
    painter.setPen(theme.muted)
    end = -1e9
    for x, text in ticks:
        width = metrics.horizontalAdvance(text)
        left = min(max(x - width / 2, plot.left() - LEFT + 6), plot.right() + RIGHT - width - 6)
        if left > end + 8:
            painter.drawText(QPointF(left, plot.bottom() + 18), text)
            end = left + width


def fitting_value(value: float, decimals: int, theme: Theme) -> str:
    """A number for the right gutter, with as many decimals as there is room for."""
    metrics = QFontMetricsF(semibold(theme.sizes.small))
    while decimals and metrics.horizontalAdvance(format_value(value, decimals)) > RIGHT - 10:
        decimals -= 1
    return format_value(value, decimals)


def paint_end_labels(
    painter: QPainter, plot: QRectF, labels: Sequence[tuple[float, str, QColor]], theme: Theme
) -> None:
    """(y, text, colour) beside the right edge; labels too close are spread, in their order."""
    made = semibold(theme.sizes.small)
    metrics = QFontMetricsF(made)
    painter.setFont(made)
    half = LABEL_HEIGHT / 2
    y_before = plot.top() - LABEL_HEIGHT
    bottom = plot.bottom()
    ordered = sorted(labels, key=lambda entry: entry[0])
    for rank, (y, text, color) in enumerate(ordered):
        room_below = (len(ordered) - 1 - rank) * LABEL_HEIGHT
        y = max(min(y, bottom - room_below), y_before + LABEL_HEIGHT)
        y_before = y
        painter.setPen(color)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, RIGHT - 10)
        box = QRectF(plot.right() + 7, y - half, RIGHT - 8, LABEL_HEIGHT)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


def paint_readout(
    painter: QPainter,
    plot: QRectF,
    x: float,
    rows: Sequence[tuple[str, str, QColor]],
    theme: Theme,
) -> None:
    """A box of (label, value, colour) rows beside the cursor, values right-aligned."""
    if not rows:
        return
    made = font(theme.sizes.small)
    metrics = QFontMetricsF(made)
    label_width = max(metrics.horizontalAdvance(row[0]) for row in rows)
    value_width = max(metrics.horizontalAdvance(row[1]) for row in rows)
    width = label_width + value_width + (32 if label_width else 18)
    height = len(rows) * 17 + 8
    left = x + 10 if x + 10 + width < plot.right() else x - 10 - width
    top = min(plot.top() + 4, plot.bottom() - height)
    box = QRectF(left, max(top, 2), width, height)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.line, 1))
    painter.setBrush(theme.raised)
    painter.drawRoundedRect(box, 4, 4)
    painter.setFont(made)
    for k, (label, value, color) in enumerate(rows):
        line = QRectF(box.left() + 9, box.top() + 4 + 17 * k, width - 18, 17)
        painter.setPen(color)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, label)
        painter.setPen(theme.text)
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, value)


def paint_range(
    painter: QPainter, plot: QRectF, left: float, right: float, text: str, theme: Theme
) -> None:
    """The measured range: a tint, two edges with grips, its length on a chip."""
    a, b = max(left, plot.left()), min(right, plot.right())
    tint = QColor(theme.accent)
    tint.setAlpha(26)
    if b > a:
        painter.fillRect(QRectF(a, plot.top(), b - a, plot.height()), tint)
    for x in (left, right):
        if plot.left() <= x <= plot.right():
            painter.fillRect(QRectF(round(x) - 0.5, plot.top(), 1.5, plot.height()), theme.accent)
            grip = QRectF(x - 3, plot.center().y() - 9, 6, 18)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.accent)
            painter.drawRoundedRect(grip, 3, 3)
    made = semibold(theme.sizes.small)
    width = QFontMetricsF(made).horizontalAdvance(text) + 12
    if text and b - a > width + 8:
        chip = QRectF((a + b - width) / 2, plot.bottom() - 21, width, 18)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mix(theme.panel, theme.accent, 0.18))
        painter.drawRoundedRect(chip, 4, 4)
        painter.setFont(made)
        painter.setPen(theme.text)
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)


def y_of(value: float, plot: QRectF, y_range: tuple[float, float]) -> float:
    """Widget y of a value."""
    low, high = y_range
    return plot.top() + (high - value) / (high - low) * plot.height()
