"""The track of a timeline: extent, events, marks, the window box and the playhead, by hand or key.

Part of `TimelineBar`. It paints times and severities given to it and knows nothing else.
"""

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.axes import format_elapsed
from widgets.theme import Theme, current_theme, font

_RANK = {"resolved": 0, "ok": 0, "info": 1, "watch": 2, "warn": 3, "high": 4, "stop": 5}
_GRIP_PX = 6.0
_SMALLEST_BOX_PX = 8.0
_INSET = 2.0  # so that a box or an event at either end is not cut


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """What happened: severity info, watch, warn, high, stop, ok or resolved, and a sentence."""

    t_ns: int
    severity: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class TimelineSpan:
    """An interval to look at, in the colour of a severity."""

    t0_ns: int
    t1_ns: int
    severity: str


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """A moment that a person marked."""

    t_ns: int
    text: str


class TimelineTrack(QWidget):
    """Drag the box to look back, its edges to change the span; click elsewhere to go there."""

    window_changed = Signal(object, object)  # t0_ns, t1_ns
    playhead_moved = Signal(object)  # t_ns

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.extent_ns = (0, 1)
        self.window_ns: tuple[int, int] | None = None
        self.playhead_ns: int | None = None
        self.events: tuple[TimelineEvent, ...] = ()
        self.marks: tuple[TimelineMark, ...] = ()
        self.spans: tuple[TimelineSpan, ...] = ()
        self._drag = ""  # "", "box", "left", "right", "playhead"
        self._grabbed_ns = 0  # pointer minus start of the box, when it was taken
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def is_dragging(self) -> bool:
        """Whether the person holds something: what they hold must not be moved from outside."""
        return bool(self._drag)

    def sizeHint(self) -> QSize:
        return QSize(400, 34)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 34)

    def x_at(self, t_ns: int) -> float:
        """Widget x of a time."""
        start, end = self.extent_ns
        return _INSET + (t_ns - start) / max(end - start, 1) * (self.width() - 2 * _INSET)

    def time_at(self, x: float) -> int:
        """Time at widget x, within the extent."""
        start, end = self.extent_ns
        share = (x - _INSET) / max(self.width() - 2 * _INSET, 1)
        return start + round(min(max(share, 0.0), 1.0) * (end - start))

    def box(self) -> QRectF | None:
        """The window box as painted, never narrower than can be grasped."""
        if self.window_ns is None:
            return None
        left, right = (self.x_at(t) for t in self.window_ns)
        left, right = max(left, 1.0), min(right, self.width() - 1.0)
        if right - left < _SMALLEST_BOX_PX:
            middle = min(max((left + right) / 2, 5.0), self.width() - 5.0)
            left, right = middle - _SMALLEST_BOX_PX / 2, middle + _SMALLEST_BOX_PX / 2
        return QRectF(left, self.height() / 2 - 9, right - left, 18)

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        track = QRectF(0.5, middle - 6.5, self.width() - 1, 13)
        painter.setPen(QPen(theme.accent if self.hasFocus() else theme.line, 1))
        painter.setBrush(theme.raised)
        painter.drawRoundedRect(track, 4, 4)
        self._paint_spans(painter, track, theme)
        self._paint_marks(painter, theme)
        self._paint_box(painter, theme)
        for item in self._shown_events():
            x = min(max(self.x_at(item.t_ns), 5.0), self.width() - 5.0)
            paint_severity(painter, QPointF(x, middle), item.severity, theme)
        if self.playhead_ns is not None:
            x = round(min(max(self.x_at(self.playhead_ns), 2.0), self.width() - 2.0))
            painter.fillRect(QRectF(x - 1, middle - 12, 2, 24), theme.text)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.text)
            painter.drawEllipse(QPointF(x, middle - 12), 4, 4)
        painter.end()

    def _paint_spans(self, painter: QPainter, track: QRectF, theme: Theme) -> None:
        for span in self.spans:
            left, right = max(self.x_at(span.t0_ns), 1.0), self.x_at(span.t1_ns)
            color = QColor(theme.severity(span.severity))
            color.setAlpha(90)
            width = max(min(right, self.width() - 1.0) - left, 2.0)
            painter.fillRect(QRectF(left, track.top() + 1, width, track.height() - 2), color)

    def _paint_box(self, painter: QPainter, theme: Theme) -> None:
        box = self.box()
        if box is None:
            return
        tint = QColor(theme.accent)
        tint.setAlpha(22)
        painter.setPen(QPen(theme.accent, 1.6))
        painter.setBrush(tint)
        painter.drawRoundedRect(box, 3, 3)

    def _paint_marks(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(font(theme.sizes.small - 2))
        metrics = painter.fontMetrics()
        middle, end = self.height() / 2, -1e9
        for mark in self.marks:
            x = round(self.x_at(mark.t_ns))
            painter.fillRect(QRectF(x - 1, middle - 10, 2, 20), theme.accent)
            width = metrics.horizontalAdvance(mark.text)
            if x > end and x + 5 + width < self.width():
                painter.setPen(theme.muted)
                painter.drawText(QPointF(x + 5, middle - 10.5), mark.text)
                end = x + 5 + width + 6

    def _shown_events(self) -> list[TimelineEvent]:
        """The most severe event of every few pixels, lesser ones first, so that they lie below."""
        shown: dict[int, TimelineEvent] = {}
        for event in self.events:
            place = int(self.x_at(event.t_ns) // 4)
            other = shown.get(place)
            if other is None or _rank(event) >= _rank(other):
                shown[place] = event
        return sorted(shown.values(), key=_rank)

    # pointer

    def _part_at(self, x: float) -> str:
        if self.playhead_ns is not None and abs(self.x_at(self.playhead_ns) - x) <= _GRIP_PX:
            return "playhead"
        box = self.box()
        if box is None:
            return ""
        if abs(box.left() - x) <= min(_GRIP_PX, box.width() / 3):
            return "left"
        if abs(box.right() - x) <= min(_GRIP_PX, box.width() / 3):
            return "right"
        return "box" if box.left() < x < box.right() else ""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        x = event.position().x()
        self._drag = self._part_at(x)
        if not self._drag:
            self._go_to(self.time_at(x))
            self._drag = "playhead" if self.playhead_ns is not None else "box"
        if self.window_ns is not None:
            self._grabbed_ns = self.time_at(x) - self.window_ns[0]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if not self._drag:
            self.setCursor(_CURSORS.get(self._part_at(x), Qt.CursorShape.ArrowCursor))
            return
        at_ns = self.time_at(x)
        if self._drag == "playhead":
            self._move_playhead(at_ns)
        elif self.window_ns is not None:
            start, end = self.window_ns
            least = round(_SMALLEST_BOX_PX / max(self.width(), 1) * self._extent_length())
            if self._drag == "left":
                self._move_window(min(at_ns, end - least), end)
            elif self._drag == "right":
                self._move_window(start, max(at_ns, start + least))
            else:
                begin = at_ns - self._grabbed_ns
                self._move_window(begin, begin + end - start)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = ""
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.window_ns is None:
            event.ignore()
            return
        start, end = self.window_ns
        factor = 0.8 ** (event.angleDelta().y() / 120)
        half = max(round((end - start) * factor / 2), 500)
        middle = (start + end) // 2
        self._move_window(middle - half, middle + half)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Home:
            self._go_to(self.extent_ns[0])
        elif key == Qt.Key.Key_End:
            self._go_to(self.extent_ns[1])
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            sign = 1 if key == Qt.Key.Key_Right else -1
            self._nudge(sign)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self._text_at(event.pos().x()), self)
            return True
        return super().event(event)

    def _text_at(self, x: float) -> str:
        near = [e for e in self.events if abs(self.x_at(e.t_ns) - x) <= _GRIP_PX and e.text]
        rows = [f"{format_elapsed(e.t_ns - self.extent_ns[0])}  {e.text}" for e in near]
        if len(rows) > 8:
            rows = [*rows[:8], "…"]
        return "\n".join(rows or [format_elapsed(self.time_at(x) - self.extent_ns[0])])

    def _nudge(self, sign: int) -> None:
        """A tenth of the window, or a hundredth of the extent where there is only a playhead."""
        if self.window_ns is not None:
            start, end = self.window_ns
            step = sign * max((end - start) // 10, 1)
            self._move_window(start + step, end + step)
        elif self.playhead_ns is not None:
            self._move_playhead(self.playhead_ns + sign * max(self._extent_length() // 100, 1))

    def _go_to(self, at_ns: int) -> None:
        if self.playhead_ns is not None:
            self._move_playhead(at_ns)
        elif self.window_ns is not None:
            span = self.window_ns[1] - self.window_ns[0]
            self._move_window(at_ns - span // 2, at_ns - span // 2 + span)

    def _move_playhead(self, at_ns: int) -> None:
        at_ns = min(max(at_ns, self.extent_ns[0]), self.extent_ns[1])
        if at_ns != self.playhead_ns:
            self.playhead_ns = at_ns
            self.update()
            self.playhead_moved.emit(at_ns)

    def _move_window(self, start: int, end: int) -> None:
        """Keep the window within the extent, its length where it fits."""
        first, last = self.extent_ns
        if end - start >= last - first:
            start, end = first, max(last, first + 1)
        elif start < first:
            start, end = first, first + end - start
        elif end > last:
            start, end = last - (end - start), last
        if (start, end) != self.window_ns:
            self.window_ns = (start, end)
            self.update()
            self.window_changed.emit(start, end)

    def _extent_length(self) -> int:
        return max(self.extent_ns[1] - self.extent_ns[0], 1)


_CURSORS = {
    "left": Qt.CursorShape.SizeHorCursor,
    "right": Qt.CursorShape.SizeHorCursor,
    "box": Qt.CursorShape.OpenHandCursor,
    "playhead": Qt.CursorShape.SizeHorCursor,
}


def _rank(event: TimelineEvent) -> int:
    return _RANK.get(event.severity, 1)


def paint_severity(painter: QPainter, at: QPointF, severity: str, theme: Theme) -> None:
    """Triangle: high and stop; disc: watch and warn; ring: resolved and OK; square: information."""
    color = theme.severity(severity)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    if severity in ("high", "stop"):
        corners = [
            QPointF(at.x() + dx, at.y() + dy) for dx, dy in ((0, -5.5), (5.5, 4.5), (-5.5, 4.5))
        ]
        painter.drawPolygon(QPolygonF(corners))
    elif severity in ("watch", "warn"):
        painter.drawEllipse(at, 4.2, 4.2)
    elif severity in ("ok", "resolved"):
        painter.setPen(QPen(color, 2))
        painter.setBrush(theme.panel)
        painter.drawEllipse(at, 3.4, 3.4)
    else:
        painter.drawRect(QRectF(at.x() - 3, at.y() - 3, 6, 6))
