"""The bar at the bottom of the window: where in time we look, the same in live and in replay.

Takes times, events and marks; says what the person did by signals. It plays nothing itself.
"""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from widgets.axes import SECOND_NS
from widgets.theme import current_theme, font, semibold
from widgets.timeline_track import TimelineEvent, TimelineMark, TimelineSpan, TimelineTrack

SPEEDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
DEFAULT_TEXTS = {
    "live": "LIVE",
    "live_tip": "Go to the newest data",
    "timeline": "Timeline",
    "play": "Play",
    "pause": "Pause",
    "slower": "Slower",
    "faster": "Faster",
    "loop": "Repeat",
    "speed": "Speed",
}


class TimelineBar(QWidget):
    """Start, track, LIVE button and elapsed time; in replay play, speed and loop as well."""

    window_changed = Signal(object, object)  # t0_ns, t1_ns
    playhead_moved = Signal(object)  # t_ns
    live_clicked = Signal()
    play_toggled = Signal(bool)
    speed_changed = Signal(float)
    loop_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._digits = 0
        self._texts = dict(DEFAULT_TEXTS)
        self._speed = 1.0
        self.track = TimelineTrack()
        self.live = QPushButton()
        self.live.setCheckable(True)
        self.live.setChecked(True)
        self.live.setProperty("tone", "live")
        self.play = GlyphButton("play")
        self.loop = GlyphButton("loop", checkable=True)
        self.slower = GlyphButton("slower")
        self.faster = GlyphButton("faster")
        self._start = QLabel("00:00")
        self._speed_label = QLabel()
        self._elapsed = QLabel()
        self._replay = (self.play, self.slower, self._speed_label, self.faster, self.loop)
        self._lay_out()
        self._connect()
        self.set_replay(False)
        self.set_texts({})
        self._show_times()

    # what to show

    def set_extent(self, t0_ns: int, t1_ns: int) -> None:
        """Oldest and newest data."""
        extent = (t0_ns, max(t1_ns, t0_ns + 1))
        if extent != self.track.extent_ns:
            self.track.extent_ns = extent
            self.track.update()
            self._show_times()

    def set_window(self, t0_ns: int, t1_ns: int) -> None:
        """What the views show. Ignored while the person drags."""
        if not self.track.is_dragging and (t0_ns, t1_ns) != self.track.window_ns:
            self.track.window_ns = (t0_ns, t1_ns)
            self.track.update()

    def set_playhead(self, t_ns: int | None) -> None:
        """Where replay is; None in live. Ignored while the person drags."""
        if not self.track.is_dragging and t_ns != self.track.playhead_ns:
            self.track.playhead_ns = t_ns
            self.track.update()
            self._show_times()

    def set_events(self, events: Sequence[TimelineEvent]) -> None:
        """Events in any order; of several on one place the most severe is seen."""
        if tuple(events) != self.track.events:
            self.track.events = tuple(events)
            self.track.update()

    def set_spans(self, spans: Sequence[TimelineSpan]) -> None:
        """Intervals to look at, in order of time."""
        if tuple(spans) != self.track.spans:
            self.track.spans = tuple(spans)
            self.track.update()

    def set_marks(self, marks: Sequence[TimelineMark]) -> None:
        """Marks in order of time."""
        if tuple(marks) != self.track.marks:
            self.track.marks = tuple(marks)
            self.track.update()

    def set_live(self, following: bool) -> None:
        """Whether the views show the newest data."""
        self.live.setChecked(following)

    def set_replay(self, replay: bool) -> None:
        """Replay has play, speed and loop; live has the LIVE button."""
        for widget in self._replay:
            widget.setVisible(replay)
        self.live.setVisible(not replay)
        self._replaying = replay
        if not replay:
            self.track.playhead_ns = None
        self._fix_widths()
        self._show_times()

    def set_playing(self, playing: bool) -> None:
        """Show pause while playing, play while not."""
        self.play.setChecked(playing)
        self.play.glyph = "pause" if playing else "play"
        self.play.setAccessibleName(self._texts[self.play.glyph])
        self.play.setToolTip(self._texts[self.play.glyph])
        self.play.update()

    def set_speed(self, speed: float) -> None:
        """Show another speed, without a signal."""
        self._speed = speed
        self._speed_label.setText(f"{speed:g} ×")

    def set_loop(self, loop: bool) -> None:
        """Show whether replay repeats, without a signal."""
        self.loop.blockSignals(True)
        self.loop.setChecked(loop)
        self.loop.blockSignals(False)

    def set_texts(self, texts: dict[str, str]) -> None:
        """Replace some of DEFAULT_TEXTS."""
        self._texts.update(texts)
        self.live.setText(self._texts["live"])
        self.live.setToolTip(self._texts["live_tip"])
        self.live.setAccessibleName(self._texts["live_tip"])
        self.track.setAccessibleName(self._texts["timeline"])
        self.setAccessibleName(self._texts["timeline"])
        self._speed_label.setAccessibleName(self._texts["speed"])
        for button, name in ((self.slower, "slower"), (self.faster, "faster"), (self.loop, "loop")):
            button.setToolTip(self._texts[name])
            button.setAccessibleName(self._texts[name])
        self.set_playing(self.play.isChecked())
        self.set_speed(self._speed)
        self._fix_widths()

    def step_speed(self, direction: int) -> None:
        """The next faster (1) or slower (-1) speed of SPEEDS."""
        if direction > 0:
            speed = next((s for s in SPEEDS if s > self._speed), SPEEDS[-1])
        else:
            speed = next((s for s in reversed(SPEEDS) if s < self._speed), SPEEDS[0])
        if speed != self._speed:
            self.set_speed(speed)
            self.speed_changed.emit(speed)

    def sizeHint(self) -> QSize:
        return QSize(800, 40)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.border, 1))
        painter.setBrush(theme.panel)
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(rect, theme.sizes.radius, theme.sizes.radius)
        painter.end()

    def _lay_out(self) -> None:
        sizes = current_theme().sizes
        row = QHBoxLayout(self)
        row.setContentsMargins(sizes.pad, 2, sizes.pad, 2)
        row.setSpacing(8)
        self._start.setFont(font(sizes.small))
        self._start.setProperty("tone", "muted")
        self._elapsed.setFont(semibold(sizes.body))
        self._elapsed.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._speed_label.setFont(font(sizes.small))
        self._speed_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row.addWidget(self.play)
        row.addWidget(self._start)
        row.addWidget(self.track, 1)
        for widget in (self.slower, self._speed_label, self.faster, self.loop, self.live):
            row.addWidget(widget)
        row.addWidget(self._elapsed)
        self.setFixedHeight(40)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def _connect(self) -> None:
        self.track.window_changed.connect(self._on_window)
        self.track.playhead_moved.connect(self._on_playhead)
        self.live.clicked.connect(self._on_live)
        self.play.clicked.connect(self._on_play)
        self.slower.clicked.connect(lambda: self.step_speed(-1))
        self.faster.clicked.connect(lambda: self.step_speed(1))
        self.loop.toggled.connect(self.loop_toggled)

    def _on_window(self, t0_ns: int, t1_ns: int) -> None:
        self.window_changed.emit(t0_ns, t1_ns)

    def _on_playhead(self, t_ns: int) -> None:
        self._show_times()
        self.playhead_moved.emit(t_ns)

    def _on_live(self) -> None:
        self.live.setChecked(True)  # only looking elsewhere ends live
        self.live_clicked.emit()

    def _on_play(self) -> None:
        playing = self.play.glyph == "play"
        self.set_playing(playing)
        self.play_toggled.emit(playing)

    def _show_times(self) -> None:
        start, end = self.track.extent_ns
        total = _hms(end - start)
        playhead = self.track.playhead_ns
        text = total if playhead is None else f"{_hms(playhead - start)} / {total}"
        if text != self._elapsed.text():
            self._elapsed.setText(text)
            if len(total) > self._digits:
                self._fix_widths()

    def _fix_widths(self) -> None:
        """Room for the widest text of each label, so that the track never moves."""
        metrics = self._elapsed.fontMetrics()
        start, end = self.track.extent_ns
        self._digits = max(len(_hms(end - start)), len("00:00:00") if self._replaying else 9)
        total = "00:00:00".rjust(self._digits, "0")
        widest = f"{total} / {total}" if self._replaying else total
        self._elapsed.setFixedWidth(metrics.horizontalAdvance(widest) + 2)
        self._speed_label.setFixedWidth(
            self._speed_label.fontMetrics().horizontalAdvance("100 ×") + 6
        )


def _hms(ns: int) -> str:
    seconds = max(ns, 0) // SECOND_NS
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


class GlyphButton(QAbstractButton):
    """A small square button with a painted sign: play, pause, loop, slower, faster."""

    def __init__(self, glyph: str, checkable: bool = False) -> None:
        super().__init__()
        self.glyph = glyph
        self.setCheckable(checkable)
        self.setFixedSize(28, 28)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def sizeHint(self) -> QSize:
        return QSize(28, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = self.isChecked() and self.isCheckable()
        outline = theme.accent if self.hasFocus() or chosen else theme.line
        painter.setPen(QPen(theme.muted if self.underMouse() else outline, 1))
        painter.setBrush(theme.line if self.isDown() else theme.raised)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        color = theme.accent if chosen else theme.text
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        if self.glyph == "play":
            painter.drawPolygon(_triangle(10.5, 8.0, 9.5, 12.0))
        elif self.glyph == "pause":
            painter.drawRect(QRectF(9.5, 8.5, 3, 11))
            painter.drawRect(QRectF(15.5, 8.5, 3, 11))
        elif self.glyph == "faster":
            painter.drawPolygon(_triangle(8.5, 9.5, 6.0, 9.0))
            painter.drawPolygon(_triangle(14.0, 9.5, 6.0, 9.0))
        elif self.glyph == "slower":
            painter.drawPolygon(_triangle(14.0, 9.5, -6.0, 9.0))
            painter.drawPolygon(_triangle(19.5, 9.5, -6.0, 9.0))
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(color, 1.6))
            painter.drawArc(QRectF(8.5, 8.5, 11, 11), 60 * 16, 290 * 16)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawPolygon(_triangle(16.5, 6.0, 5.0, 6.0))
        painter.end()


def _triangle(x: float, y: float, width: float, height: float) -> QPolygonF:
    """Pointing right from x (left for a negative width), its upright side at x, top at y."""
    return QPolygonF([QPointF(x, y), QPointF(x + width, y + height / 2), QPointF(x, y + height)])
