"""The Trace page: frames by identifier or scrolling, filter, bits of the selected frame, copy.

Wires the frame log and the databases to the widgets; a recording made of samples says so.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QLineEdit, QStackedLayout, QStackedWidget, QWidget

from bms_studio.gui.cell_view import clock
from bms_studio.gui.frame_words import FilteredFrames, FrameWords, reading_words, value_words
from bms_studio.gui.page import Context, Page
from bms_studio.language import text
from protocols.frames import EXTENDED
from protocols.signals import Message, Signal
from widgets.action_button import ActionButton
from widgets.bit_layout import BitLayout, BitSignal
from widgets.frame_model import Column
from widgets.frame_table import FrameTable
from widgets.frame_text import id_text
from widgets.panel import Panel
from widgets.text_line import TextLine
from widgets.trace_view import TraceView

BY_ID, SCROLLING = "by_id", "scrolling"
_BESIDE_FROM_PX = 1850  # below that the values of the table need the width
_TABLE_TICKS = 3
_CLOSED_PX = 110
_NO_LIMIT = 16777215  # QWIDGETSIZE_MAX


class TracePage(Page):
    """See the module."""

    key = "trace"
    icon = "trace"

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self._words: FrameWords | None = None
        self._frames: FilteredFrames | None = None
        self._chosen: tuple[int, int, bytes] | None = None
        self._shown: tuple[object, ...] = ()
        self._message: Message | None = None  # of the whole that the chosen frame is part of
        self._tick = 0
        self.panel = Panel(text("Frames"))
        self.panel.set_segments([(BY_ID, text("By identifier")), (SCROLLING, text("Scrolling"))])
        self.panel.segment_changed.connect(self._mode_chosen)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(text("Filter: 1A0, 100-1FF, part of a name"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(260)
        self.filter.textChanged.connect(self._filter_changed)
        copy = ActionButton(text("Copy as candump"), size=12)
        copy.clicked.connect(self.copy)
        self.panel.add_to_header(self.filter)
        self.panel.add_to_header(copy)
        self.table = FrameTable()
        self.table.set_headers(
            {
                Column.ID: text("ID"),
                Column.NAME: text("Name"),
                Column.COUNT: text("Count"),
                Column.PERIOD: text("Period ms"),
                Column.AGE: text("Age"),
                Column.DATA: text("Data"),
                Column.SUMMARY: text("Values"),
            }
        )
        self.table.frame_selected.connect(self._id_selected)
        self.rolling = TraceView()
        self.rolling.set_headers(
            (
                text("Time"),
                text("Δ ms"),
                text("Channel"),
                text("ID"),
                text("Name"),
                text("Flags"),
                text("Len"),
                text("Data"),
            )
        )
        self.rolling.set_words(
            lambda count: text("{count} new frames", count=count), text("no frame yet")
        )
        self.rolling.frame_selected.connect(self._row_selected)
        self.table.set_empty(text("no frame yet"))
        self.views = QStackedWidget()
        self.views.addWidget(self.table)
        self.views.addWidget(self.rolling)
        self.panel.add(self.views, 1)
        self.bits = BitLayout()
        self.bits.set_empty(text("Select a frame to see its bits"))
        self.bit_panel = Panel(text("Bits"))
        self.bit_panel.add(self.bits, 1)
        self._signal = ""
        self.use_as = ActionButton(text("Use as…"), size=12)
        self.use_as.setToolTip(text("Say what the selected signal is"))
        self.use_as.clicked.connect(self._use_signal)
        self.bit_panel.add_to_header(self.use_as)
        self.bits.signal_selected.connect(self._signal_chosen)
        self._lay_out()

    def _lay_out(self) -> None:
        content = QWidget()
        self._halves = QBoxLayout(QBoxLayout.Direction.LeftToRight, content)
        self._halves.setContentsMargins(0, 0, 0, 0)
        self._halves.setSpacing(10)
        self._halves.addWidget(self.panel, 1)
        self._halves.addWidget(self.bit_panel)
        self.nothing = TextLine(tone="muted", size=14, align=Qt.AlignmentFlag.AlignCenter)
        self._layers = QStackedLayout(self)
        self._layers.addWidget(content)
        self._layers.addWidget(self.nothing)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Bits beside the table in a wide window, else below it; low while they show nothing."""
        beside = self.window().width() >= _BESIDE_FROM_PX
        direction = QBoxLayout.Direction
        self._halves.setDirection(direction.LeftToRight if beside else direction.TopToBottom)
        self.bit_panel.setMinimumWidth(560 if beside else 0)
        self.bit_panel.setMaximumWidth(560 if beside else _NO_LIMIT)
        low = min(320, self.height() * 4 // 10) if self._chosen is not None else _CLOSED_PX
        self.bit_panel.setMaximumHeight(_NO_LIMIT if beside else low)
        self.bit_panel.setMinimumHeight(0 if beside else low)

    def _show_no_bits(self) -> None:
        self._chosen = None
        self._signal_chosen("")
        self.bits.set_frame("", None, 8)
        self._arrange()

    def view_changed(self) -> None:
        view = self.context.view
        self._shown, self._tick = (), 0
        self._show_no_bits()
        if view is None:
            self._words = self._frames = None
            self.nothing.set_text(text("Nothing is open: connect to a pack or open a recording."))
            self._layers.setCurrentIndex(1)
            return
        self._words = FrameWords(view)
        self._frames = FilteredFrames(view.timeline.frames, self._words)
        self._frames.set_filter(self.filter.text())
        self.table.set_callables(self._words.name, self._words.summary)
        self.rolling.set_callables(self._words.name, time_words)
        self.rolling.set_source(self._frames.count, self._frames.rows, self._frames.first)
        channel = view.status.link.channel if view.status.link.state != "replay" else ""
        names = (channel.replace(" ", "_") or "can0",)
        self.table.set_channel_names(names)
        self.rolling.set_channel_names(names)

    def refresh(self) -> None:
        view, frames = self.context.view, self._frames
        if view is None or frames is None:
            return
        log = view.timeline.frames
        samples_only = view.status.link.state == "replay" and log.count == 0
        if samples_only:
            self.nothing.set_text(
                text("This recording was made of samples, not of frames: there is no trace.")
            )
        self._layers.setCurrentIndex(1 if samples_only else 0)
        self._tick += 1
        t = self.context.present_ns
        if self.views.currentWidget() is self.rolling:
            frames.advance(t)
            self.rolling.refresh()
        elif self._tick % _TABLE_TICKS == 1 and (t, log.count) != self._shown:
            self._shown = (t, log.count)
            self.table.set_rows(log.by_id(t), t)
            self._refresh_chosen()

    def copy(self) -> None:
        """The selected rows, else all in sight, to the clipboard as candump lines."""
        scrolling = self.views.currentWidget() is self.rolling
        lines = self.rolling.candump_text() if scrolling else self.table.candump_text()
        QGuiApplication.clipboard().setText(lines)

    # -- what was chosen -----------------------------------------------------------------------

    def _mode_chosen(self, mode: str) -> None:
        self.views.setCurrentWidget(self.table if mode == BY_ID else self.rolling)
        self._shown, self._tick = (), 0
        self.refresh()

    def _filter_changed(self, words: str) -> None:
        self.table.set_filter(words)
        if self._frames is not None:
            self._frames.set_filter(words)
        self._shown, self._tick = (), 0

    def _id_selected(self, key: tuple[int, int, int] | None) -> None:
        if key is None:
            self._show_no_bits()
            return
        self._refresh_chosen()

    def _refresh_chosen(self) -> None:
        """The newest frame of the identifier that is selected in the table."""
        key, view = self.table.selected(), self.context.view
        if key is None or view is None:
            return
        table = view.timeline.frames.by_id(self.context.present_ns)
        extended = (table.flags & EXTENDED) > 0
        hits = (table.id == key[0]) & (extended == bool(key[1])) & (table.channel == key[2])
        for row in hits.nonzero()[0][:1]:
            payload = table.data[row, : table.length[row]].tobytes()
            self._show_bits(int(table.id[row]), int(table.flags[row]), payload)

    def _row_selected(self, number: int) -> None:
        rows = self._frames.rows(number, 1) if self._frames is not None and number >= 0 else None
        if rows is None or not len(rows):
            self._show_no_bits()
            return
        payload = rows.data[0, : rows.length[0]].tobytes()
        self._show_bits(int(rows.id[0]), int(rows.flags[0]), payload, int(rows.time[0]))

    def _signal_chosen(self, name: str) -> None:
        self._signal = name
        self.bits.set_highlight(name)
        self.use_as.setVisible(bool(name))

    def _use_signal(self) -> None:
        """What the selected signal is, said in the dialog of all signals."""
        if self._chosen is None or self._words is None:
            return
        message = self._message or self._words.message(*self._chosen[:2])
        if message is not None and self._signal:
            self.context.signal = f"{message.name}.{self._signal}"
            self.context.do("mapping")

    def _show_bits(self, frame_id: int, flags: int, payload: bytes, t: int = 0) -> None:
        """The bits of one frame; t: when it came, 0 the newest of its identifier."""
        same = (frame_id, flags, payload) == self._chosen
        if (same and self._message is None) or self._words is None:
            return
        before, self._chosen = self._chosen, (frame_id, flags, payload)
        was_empty = before is None
        if before is None or before[:2] != (frame_id, flags):
            self._signal_chosen("")
        if was_empty:
            self._arrange()
        message, self._message = self._words.message(frame_id, flags), None
        if message is None and self._show_whole(frame_id, flags, t):
            return
        title = id_text(frame_id, flags) + (f"  {message.name}" if message is not None else "")
        self.bits.set_frame(title, _bytes(payload), len(payload))
        values = self._words.values(message, payload) if message is not None else []
        self.bits.set_signals(
            [
                BitSignal(signal.name, bits_of(signal), value_words(signal, value))
                for signal, value in values
                if not (signal.mux and math.isnan(value))  # not in this frame
            ]
        )

    def _show_whole(self, frame_id: int, flags: int, t: int) -> bool:
        """The message that the frame of `t` (0: the newest) is part of, if one is known."""
        view, words = self.context.view, self._words
        if view is None or words is None:
            return False
        log = view.timeline.frames
        moment = t or self.context.present_ns
        whole = words.carriers.whole(log, frame_id, flags, moment, exactly=bool(t))
        if whole is None:
            return False
        self._message = whole.message
        carrier = words.carriers.name(frame_id, flags)
        title = f"{id_text(frame_id, flags)}  {carrier}  {whole.message.name}"
        self.bits.set_frame(title, _bytes(whole.payload), len(whole.payload))
        signals = {signal.name: signal for signal in whole.message.signals}
        self.bits.set_signals(
            [
                BitSignal(r.name, bits_of(signals[r.name]), reading_words(signals[r.name], r))
                for r in whole.readings
            ]
        )
        return True


def bits_of(signal: Signal) -> tuple[int, ...]:
    """The bits of a signal as 8 * byte + bit, the most significant first."""
    if signal.little_endian:
        return tuple(range(signal.start + signal.length - 1, signal.start - 1, -1))
    bits, bit = [], signal.start
    for _ in range(signal.length):
        bits.append(bit)
        # Motorola counts down within a byte and goes on at the top of the next.
        bit = bit + 15 if bit % 8 == 0 else bit - 1
    return tuple(bits)


def time_words(t: int) -> str:
    """Local time of day with microseconds."""
    return f"{clock(t)}.{t // 1000 % 1_000_000:06d}"


def _bytes(payload: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(payload, np.uint8)
