"""Frames in words, for the Trace page: names, decoded values, flags; and rows behind a filter.

Decodes single frames on demand, only those in sight. Makes no widget.
"""

import math
import time

import numpy as np
from numpy.typing import NDArray

from bms_studio.frame_log import FrameLog
from bms_studio.gui.carrier_words import CarrierWords
from bms_studio.gui.contract import PackView
from bms_studio.numerics.growable import GrowableArray
from protocols.decode import decode
from protocols.frames import EXTENDED, Frames, empty_frames
from protocols.inspection import Reading
from protocols.layout import Layout, compile_messages
from protocols.signals import Message, Signal
from widgets.frame_text import FrameFilter

_MOST_SIGNALS = 6
_ASK_AGAIN_S = 2.0
_MOST_REMEMBERED = 4000
_SCAN_FRAMES = 200_000


class FrameWords:
    """Names and decoded values by the databases of one view. `message` caches look-ups."""

    def __init__(self, view: PackView) -> None:
        self._view = view
        self.carriers = CarrierWords(view)
        self._messages: dict[tuple[int, bool], Message | None] = {}
        self._ask_again: dict[tuple[int, bool], float] = {}
        self._layouts: dict[str, Layout] = {}
        self._summaries: dict[tuple[int, int, bytes], str] = {}

    def message(self, frame_id: int, flags: int) -> Message | None:
        """The message of an identifier; None when no database knows it."""
        key = (frame_id, bool(flags & EXTENDED))
        found = self._messages.get(key)
        if found is None and time.monotonic() >= self._ask_again.get(key, 0.0):
            # A protocol may be found later: an unknown identifier is asked for again, not always.
            found = self._messages[key] = self._view.message_of(*key)
            self._ask_again[key] = time.monotonic() + _ASK_AGAIN_S
        return found

    def name(self, frame_id: int, flags: int) -> str:
        """The message's name, or nothing."""
        message = self.message(frame_id, flags)
        return message.name if message is not None else self.carriers.name(frame_id, flags)

    def values(self, message: Message, payload: bytes) -> list[tuple[Signal, float]]:
        """Every signal of one frame with its physical value, NaN where it is absent."""
        layout = self._layouts.get(message.name)
        if layout is None:
            layout = self._layouts[message.name] = compile_messages([message])
        samples = decode(one_frame(message, payload), layout)
        _, index, value = samples.group(0)
        found = dict(zip(index.tolist(), value.tolist(), strict=True))
        return [(s, found.get(number, math.nan)) for number, s in enumerate(message.signals)]

    def summary(self, frame_id: int, flags: int, payload: bytes) -> str:
        """The first decoded values in one line."""
        key = (frame_id, flags, payload)
        known = self._summaries.get(key)
        if known is not None:
            return known
        message = self.message(frame_id, flags)
        if message is None:
            return self.carriers.summary(frame_id, flags, payload)
        words = self._summary(message, payload)
        if len(self._summaries) > _MOST_REMEMBERED:
            self._summaries.clear()
        self._summaries[key] = words
        return words

    def _summary(self, message: Message, payload: bytes) -> str:
        present = [(s, v) for s, v in self.values(message, payload) if not math.isnan(v)]
        words = [f"{signal.name} {value_words(signal, v)}" for signal, v in present[:_MOST_SIGNALS]]
        if len(present) > _MOST_SIGNALS:
            words.append("…")
        return "  ·  ".join(words)


def value_words(signal: Signal, value: float) -> str:
    """A value as its database means it: choice, or number with unit."""
    if math.isnan(value):
        return "–"
    raw = round((value - signal.offset) / signal.scale) if signal.scale else 0
    if signal.choices and raw in signal.choices:
        return signal.choices[raw]
    decimals = 0
    if signal.is_float:
        decimals = 3
    elif signal.scale and signal.scale != round(signal.scale):
        decimals = min(6, max(0, math.ceil(-math.log10(abs(signal.scale)) - 1e-9)))
    written = f"{value:.{decimals}f}".replace("-", "−")
    return f"{written} {signal.unit}".rstrip()


def reading_words(signal: Signal, reading: Reading) -> str:
    """The same of a signal read from a whole message."""
    return reading.choice or value_words(signal, reading.value)


def one_frame(message: Message, payload: bytes) -> Frames:
    """A block of one frame of `message` with this payload."""
    frame = empty_frames(1, 8 if len(payload) <= 8 else 64)
    frame.id[0] = message.id
    frame.flags[0] = EXTENDED if message.extended else 0
    frame.length[0] = len(payload)
    frame.data[0, : len(payload)] = np.frombuffer(payload, np.uint8)
    return frame


class FilteredFrames:
    """The frames of a log that pass a filter, up to a moment; scans a block per refresh."""

    def __init__(self, log: FrameLog, words: FrameWords) -> None:
        self._log = log
        self._words = words
        self._filter = FrameFilter("")
        self._numbers = GrowableArray((), np.int64)
        self._scanned = 0
        self._verdicts: dict[tuple[int, int], bool] = {}
        self._end = 0

    def set_filter(self, words: str) -> None:
        """Another filter; "" passes all."""
        self._filter = FrameFilter(words)
        self._numbers = GrowableArray((), np.int64)
        self._verdicts = {}
        self._scanned = self._log.first_row

    @property
    def filtering(self) -> bool:
        """True while some frames are left out."""
        return bool(self._filter.text.strip())

    def advance(self, t: int) -> None:
        """Go to the moment t, scanning at most one block."""
        self._end = self._log.index_at(t)
        if not self.filtering:
            return
        start = max(self._scanned, self._log.first_row)
        count = min(self._end - start, _SCAN_FRAMES)
        if count <= 0:
            return
        block = self._log.rows(start, count)
        passed = self._passes(block)
        self._numbers.append(np.flatnonzero(passed).astype(np.int64) + start)
        self._scanned = start + len(block)

    def count(self) -> int:
        """Frames up to the moment."""
        if not self.filtering:
            return self._end
        return int(np.searchsorted(self._numbers.view(), self._end))

    def first(self) -> int:
        """The oldest frame still held."""
        if not self.filtering:
            return self._log.first_row
        return int(np.searchsorted(self._numbers.view(), self._log.first_row))

    def rows(self, first: int, count: int) -> Frames:
        """Frames by their number behind the filter."""
        if not self.filtering:
            return self._log.rows(first, count)
        numbers = self._numbers.view()[first : first + count]
        held = numbers[numbers >= self._log.first_row] - self._log.first_row
        return self._log.all()[held]

    def _passes(self, block: Frames) -> NDArray[np.bool_]:
        keys = block.id.astype(np.int64) | (block.flags.astype(np.int64) & EXTENDED) << 32
        kinds, where = np.unique(keys, return_inverse=True)
        verdicts = np.empty(len(kinds), np.bool_)
        for i, kind in enumerate(kinds.tolist()):
            frame_id, flags = kind & 0x1FFFFFFF, kind >> 32
            if (frame_id, flags) not in self._verdicts:
                name = self._words.name(frame_id, flags)
                self._verdicts[frame_id, flags] = self._filter.accepts(frame_id, flags, name)
            verdicts[i] = self._verdicts[frame_id, flags]
        return verdicts[where]
