"""The scrolling trace: every frame in order, millions of rows without copying any.

    TraceView(parent=None)
      .set_source(count() -> int, rows(first, n) -> FrameColumns, first() -> int = 0)
            frames are numbered and a number keeps its frame; first: the oldest still held
      .set_callables(name_of(id, flags) -> str, time_text(ns) -> str)
      .set_headers((Time, Δ ms, Channel, ID, Name, Flags, Length, Data)); .set_channel_names
      .set_words(new=lambda n: f"{n} new frames", empty="")
      .refresh()                             call it with the window's timer; cheap when idle
      .set_following(bool); .following;  .show_row(number)
      .selection() -> (first, last) numbers or None;  .candump_text() -> str
    signals frame_selected(int), following_changed(bool), row_activated(int)
At the newest row it follows; scrolled back it stands still and offers the way back. Only rows in
sight are asked for. A filter belongs to whoever supplies `count` and `rows`.
"""

from collections.abc import Callable

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import (
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from widgets.action_button import ActionButton
from widgets.frame_columns import FrameColumns
from widgets.frame_text import candump_line
from widgets.theme import current_theme, font
from widgets.trace_paint import HEAD, HEADERS, ROW, TraceArt, TraceHeader

_COPY_MOST = 100_000


class TraceView(QAbstractScrollArea):
    """See the module."""

    frame_selected = Signal(int)
    following_changed = Signal(bool)
    row_activated = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._count: Callable[[], int] = lambda: 0
        self._first: Callable[[], int] = lambda: 0
        self._rows: Callable[[int, int], FrameColumns] | None = None
        self._new_text: Callable[[int], str] = lambda count: f"{count} new frames"
        self._empty = ""
        self._following, self._moving = True, False
        self._seen = self._oldest = self._left_at = 0
        self._top = 0  # number of the first row in sight
        self._anchor = self._cursor = -1
        self._art = TraceArt()
        self._header = TraceHeader(self)
        self._button = ActionButton("", "down", "primary", self)
        self._button.hide()
        self._button.clicked.connect(lambda: self.set_following(True))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Frames in order")
        self.setViewportMargins(0, HEAD, 0, 0)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    # what to show

    def set_source(
        self,
        count: Callable[[], int],
        rows: Callable[[int, int], FrameColumns],
        first: Callable[[], int] = lambda: 0,
    ) -> None:
        """Where frames come from. Starts at the newest and forgets the selection."""
        self._count, self._rows, self._first = count, rows, first
        self._anchor = self._cursor = -1
        self._seen = -1
        self._following = True
        self.refresh()

    def set_callables(
        self, name_of: Callable[[int, int], str], time_text: Callable[[int], str]
    ) -> None:
        """Name of (id, flags) and text of a time in ns; asked for rows in sight only."""
        self._art.name_of, self._art.time_text = name_of, time_text
        self.viewport().update()

    def set_headers(self, headers: tuple[str, ...]) -> None:
        """Eight column titles in the reader's language. ValueError for another number."""
        self._header.set_titles(headers)

    def set_channel_names(self, names: tuple[str, ...]) -> None:
        """Names of channels 0, 1, …"""
        self._art.channels = names
        self.viewport().update()

    def set_words(self, new: Callable[[int], str], empty: str = "") -> None:
        """The button's words for n new frames, and what to say while there are none."""
        self._new_text, self._empty = new, empty
        self._place_button()
        self.viewport().update()

    def refresh(self) -> None:
        """Look for new frames. Paused, only the button's number changes."""
        count, oldest = self._count(), self._first()
        if (count, oldest) == (self._seen, self._oldest):
            return
        fewer = count < self._seen
        self._seen, self._oldest = count, oldest
        if self._following or fewer:
            self._top = max(oldest, count - self._visible())
            self.viewport().update()
        elif self._top < oldest:  # what was in sight is gone
            self._top = oldest
            self.viewport().update()
        elif self._top + self._visible() >= count - 1:
            self.viewport().update()
        self._sync_bar()
        self._place_button()

    @property
    def following(self) -> bool:
        """Whether the newest frame is kept in sight."""
        return self._following

    def set_following(self, following: bool) -> None:
        """Follow the newest frame, or stand still."""
        if following:
            self._top = max(self._oldest, self._seen - self._visible())
            self._sync_bar()
        if following != self._following:
            self._following = following
            self._left_at = self._seen
            self.following_changed.emit(following)
        self._place_button()
        self.viewport().update()

    def show_row(self, number: int) -> None:
        """Select a frame and bring it into the middle; stops following."""
        number = min(max(number, self._oldest), max(self._seen - 1, self._oldest))
        self._anchor = self._cursor = number
        self._scroll_to(number - self._visible() // 2)
        self.frame_selected.emit(number)

    def selection(self) -> tuple[int, int] | None:
        """First and last selected frame number."""
        if self._cursor < 0:
            return None
        return min(self._anchor, self._cursor), max(self._anchor, self._cursor)

    def candump_text(self) -> str:
        """The selected frames (at most 100,000), or those in sight, as candump lines."""
        chosen = self.selection() or (self._top, self._top + self._visible() - 1)
        if self._rows is None:
            return ""
        count = min(chosen[1] - chosen[0] + 1, _COPY_MOST)
        frames = self._rows(chosen[0], count)
        lines = []
        for i in range(len(frames.time)):
            payload = frames.data[i, : int(frames.length[i])]
            channel = self._art.channel(int(frames.channel[i]), "can")
            time_ns, flags = int(frames.time[i]), int(frames.flags[i])
            lines.append(candump_line(time_ns, channel, int(frames.id[i]), flags, payload))
        return "\n".join(lines)

    # scrolling

    def _visible(self) -> int:
        return max(self.viewport().height() // ROW, 1)

    def _sync_bar(self) -> None:
        bar = self.verticalScrollBar()
        self._moving = True
        bar.setRange(self._oldest, max(self._oldest, self._seen - self._visible()))
        bar.setPageStep(self._visible())
        bar.setValue(self._top)
        self._moving = False

    def _on_scrolled(self, value: int) -> None:
        if not self._moving:
            self._scroll_to(value)

    def _scroll_to(self, top: int) -> None:
        newest = max(self._oldest, self._seen - self._visible())
        self._top = min(max(top, self._oldest), newest)
        self._sync_bar()
        self.viewport().update()
        following = self._top >= newest
        if following != self._following:
            self._following = following
            self._left_at = self._seen
            self.following_changed.emit(following)
        self._place_button()

    def _place_button(self) -> None:
        new = self._seen - self._left_at
        show = not self._following and self._seen > self._oldest
        if show:
            self._button.set_text(self._new_text(max(new, 0)))
            self._button.resize(self._button.sizeHint())
            x = (self.width() - self._button.width()) // 2
            self._button.move(x, self.height() - self._button.height() - 14)
        self._button.setVisible(show)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._header.setGeometry(1, 1, self.width() - 2, HEAD)
        if self._following:
            self._top = max(self._oldest, self._seen - self._visible())
        self._sync_bar()
        self._place_button()

    def sizeHint(self) -> QSize:
        return QSize(1000, 500)

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        self._art.set_ratio(self.devicePixelRatioF())
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), theme.panel)
        frames = self._rows(self._top, self._visible() + 1) if self._rows else None
        if frames is None or not len(frames.time):
            painter.setFont(font(13))
            painter.setPen(theme.muted)
            painter.drawText(QPoint(16, 26), self._empty)
            painter.end()
            return
        before = self._time_before()
        chosen = self.selection()
        for i in range(len(frames.time)):
            y = i * ROW
            if chosen and chosen[0] <= self._top + i <= chosen[1]:
                painter.fillRect(0, y, self.viewport().width(), ROW, theme.line)
            previous = int(frames.time[i - 1]) if i else before
            self._art.draw(painter, frames, i, y, self.viewport().width(), previous)
        self._art.finish(painter)
        painter.end()

    def _time_before(self) -> int | None:
        if self._top <= self._oldest or self._rows is None:
            return None
        frames = self._rows(self._top - 1, 1)
        return int(frames.time[0]) if len(frames.time) else None

    # people

    def _row_at(self, y: int) -> int:
        number = self._top + y // ROW
        return number if self._oldest <= number < self._seen else -1

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        number = self._row_at(event.position().toPoint().y())
        if number < 0 or event.button() != Qt.MouseButton.LeftButton:
            return
        extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._choose(number, extend=extend)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and self._cursor >= 0:
            number = self._row_at(event.position().toPoint().y())
            if number >= 0:
                self._choose(number, extend=True)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        number = self._row_at(event.position().toPoint().y())
        if number >= 0:
            self.row_activated.emit(number)

    def _choose(self, number: int, *, extend: bool) -> None:
        self._cursor = number
        if not extend or self._anchor < 0:
            self._anchor = number
        self.set_following(False)  # a selected row that runs away cannot be read
        self.frame_selected.emit(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        page = self._visible() - 1
        key = Qt.Key(event.key())
        steps = {
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_PageUp: -page,
            Qt.Key.Key_PageDown: page,
        }
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.candump_text())
        elif event.matches(QKeySequence.StandardKey.SelectAll) and self._seen:
            self._anchor = self._oldest
            self._choose(self._seen - 1, extend=True)
        elif key == Qt.Key.Key_End:
            self.set_following(True)
        elif key == Qt.Key.Key_Home:
            self._scroll_to(self._oldest)
        elif key in steps and self._seen > self._oldest:
            self._step(steps[key], bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        else:
            super().keyPressEvent(event)

    def _step(self, step: int, extend: bool) -> None:
        here = self._cursor if self._cursor >= 0 else self._top
        number = min(max(here + step, self._oldest), self._seen - 1)
        self._choose(number, extend=extend)
        if number < self._top:
            self._top = number
        elif number >= self._top + self._visible():
            self._top = number - self._visible() + 1
        self._sync_bar()
        self.viewport().update()


__all__ = ["HEADERS", "TraceView"]
