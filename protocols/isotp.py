"""ISO-TP (ISO 15765-2) heard, not spoken: frames of known identifiers into the messages they carry.

A BMS that must be asked answers with more bytes than a frame holds; whoever asks, the answers are
on the bus. State lives between blocks, and the result does not depend on how the stream is cut.
What bytes mean stands elsewhere (`protocols/polled.py`), and nothing is ever sent from here: flow
control is passed over. Single frames, first and consecutive frames, lengths up to 4095 and the
escape of CAN FD single frames; normal addressing (the identifier alone names the sender) and
extended addressing (a byte before everything else names who is meant).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numba import njit
from numpy.typing import NDArray

from protocols.frames import ERROR, EXTENDED, REMOTE, Frames
from protocols.isotp_frames import LONGEST
from protocols.isotp_frames import segment as segment

# N_Cr, the longest pause inside a message, is 1 s. Without it a frame number that fits by accident
# would join two messages across a gap.
LONGEST_PAUSE_NS = 1_000_000_000

_Ints = NDArray[np.int64]
_Bytes = NDArray[np.uint8]
# Columns of the state of a sender: bytes announced (0: nothing under way), bytes had, number of the
# next frame, size of the first frame, time of the last one.
_ANNOUNCED, _HAD, _NEXT, _SIZE, _LAST = range(5)
# Rows of the counts.
_COMPLETE, _ABORTED, _STRAY, _MALFORMED = range(4)
_TESTER_PRESENT = 0x3E
_SINGLE, _FIRST, _CONSECUTIVE, _FLOW_CONTROL = range(4)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the frames: complete messages; messages aborted (a frame lost or out of order,
    a pause, a new message before the end); consecutive frames without a beginning; frames that are
    no ISO-TP."""

    complete: int = 0
    aborted: int = 0
    stray: int = 0
    malformed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Pdus:
    """N complete messages in order of arrival; the same columns as `Frames`, but longer.

    row: int64, place of the last frame in the block; time: int64 ns, of the last frame; id, flags,
    channel: of the sender; length: uint16, bytes of the message; data: uint8 (N, W), W a multiple
    of 8, zero beyond `length`.
    """

    row: NDArray[np.int64]
    time: NDArray[np.int64]
    id: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    length: NDArray[np.uint16]
    data: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time)

    def payload(self, number: int) -> bytes:
        """The bytes of one message."""
        return self.data[number, : int(self.length[number])].tobytes()


class Reassembler:
    """Messages out of the frames of some senders; channels are kept apart."""

    def __init__(
        self,
        senders: Sequence[tuple[int, bool]],
        keep: int = LONGEST,
        addressed: Mapping[tuple[int, bool], int] = MappingProxyType({}),
        asked_by: Mapping[tuple[int, bool], int] = MappingProxyType({}),
    ) -> None:
        """senders: (identifier, whether 29 bits) to listen to. keep: how many bytes of a message
        are wanted; what lies beyond is counted, not stored. addressed: the first byte of the
        frames of senders with extended addressing; frames for anybody else are not theirs.
        asked_by: identifier of the questions to a sender, of the same width. A new question ends
        what was under way: with several frames lost, the head of one answer and the tail of the
        next could pass for one message."""
        self._standard = np.array([i for i, extended in senders if not extended], np.uint32)
        self._extended = np.array([i for i, extended in senders if extended], np.uint32)
        self._addressed, self._asked_by = dict(addressed), dict(asked_by)
        self._width = -(-min(max(keep, 1), LONGEST) // 8) * 8
        self._streams: dict[int, int] = {}
        self._state = np.zeros((0, _LAST + 1), np.int64)
        self._buffer = np.zeros((0, self._width), np.uint8)
        self._counts = np.zeros(_MALFORMED + 1, np.int64)

    @property
    def counts(self) -> Counts:
        """What became of all frames so far."""
        return Counts(*self._counts.tolist())

    def push(self, frames: Frames) -> Pdus:
        """The messages that these frames completed. Never raises, whatever the bytes."""
        rows = self._mine(frames)
        if not len(rows):
            return _picked(frames, rows, np.zeros(0, np.uint16), np.zeros((0, self._width), "u1"))
        data, size = np.ascontiguousarray(frames.data[rows]), frames.length[rows].astype(np.int64)
        full = np.full(len(rows), 8, np.int64)
        if self._addressed:
            behind = self._has_address(frames, rows)
            data[behind, :-1] = data[behind, 1:]
            size[behind] -= 1
            full[behind] = 7
        streams = self._numbered(frames, rows)
        asks = self._questions(frames, rows, streams)
        kind = data[:, 0] >> 4
        room = int(np.sum(kind <= _FIRST)) + int(np.sum(self._state[:, _ANNOUNCED] > 0))
        last, lengths = np.zeros(room, np.int64), np.zeros(room, np.int64)
        payloads = np.zeros((room, self._width), np.uint8)
        state, buffer, counts = self._state, self._buffer, self._counts
        count = _assemble(
            frames.time[rows],
            streams,
            asks,
            size,
            full,
            data,
            state,
            buffer,
            counts,
            last,
            lengths,
            payloads,
        )
        done = rows[last[:count]]
        return _picked(frames, done, lengths[:count].astype(np.uint16), payloads[:count])

    def _mine(self, frames: Frames) -> _Ints:
        """Rows of the data frames of the senders."""
        wide = (frames.flags & EXTENDED) != 0
        mine = np.zeros(len(frames), bool)
        if len(self._standard):
            mine |= np.isin(frames.id, self._standard) & ~wide
        if len(self._extended):
            mine |= np.isin(frames.id, self._extended) & wide
        for (_, extended), question in self._asked_by.items():
            mine |= (frames.id == question) & (wide == extended)
        mine &= (frames.flags & (REMOTE | ERROR)) == 0
        for (sender, extended), address in self._addressed.items():
            from_it = (frames.id == sender) & (wide == extended)
            mine &= ~from_it | ((frames.data[:, 0] == address) & (frames.length > 1))
        return np.flatnonzero(mine)

    def _has_address(self, frames: Frames, rows: _Ints) -> NDArray[np.bool_]:
        """Which of these rows begin with an address."""
        wide = (frames.flags[rows] & EXTENDED) != 0
        behind = np.zeros(len(rows), bool)
        for sender, extended in self._addressed:
            behind |= (frames.id[rows] == sender) & (wide == extended)
        return behind

    def _questions(self, frames: Frames, rows: _Ints, streams: _Ints) -> NDArray[np.bool_]:
        """Which rows ask one of the senders; their stream becomes that of who is asked."""
        asks = np.zeros(len(rows), bool)
        wide = (frames.flags[rows] & EXTENDED) != 0
        for (sender, extended), question in self._asked_by.items():
            mine = (frames.id[rows] == question) & (wide == extended)
            for channel in np.unique(frames.channel[rows][mine]).tolist():
                there = mine & (frames.channel[rows] == channel)
                streams[there] = self._stream(sender, extended, channel)
            asks |= mine
        return asks

    def _stream(self, sender: int, extended: bool, channel: int) -> int:
        """Number of the stream of a sender on a channel; a new one gets state."""
        key = sender | int(extended) << 32 | channel << 40
        number = self._streams.setdefault(key, len(self._streams))
        self._make_room()
        return number

    def _numbered(self, frames: Frames, rows: _Ints) -> _Ints:
        """Number of the stream (identifier and channel) of each row; new ones get state."""
        extended = (frames.flags[rows] & EXTENDED).astype(np.int64)
        keys = frames.id[rows].astype(np.int64) | extended << 32
        keys |= frames.channel[rows].astype(np.int64) << 40
        different, inverse = np.unique(keys, return_inverse=True)
        numbers = [self._streams.setdefault(k, len(self._streams)) for k in different.tolist()]
        self._make_room()
        return np.array(numbers, np.int64)[inverse]

    def _make_room(self) -> None:
        extra = len(self._streams) - len(self._state)
        if extra:
            self._state = np.vstack([self._state, np.zeros((extra, _LAST + 1), np.int64)])
            self._buffer = np.vstack([self._buffer, np.zeros((extra, self._width), np.uint8)])


def _picked(frames: Frames, rows: _Ints, length: NDArray[np.uint16], data: _Bytes) -> Pdus:
    return Pdus(
        rows,
        frames.time[rows],
        frames.id[rows],
        frames.flags[rows],
        frames.channel[rows],
        length,
        data,
    )


@njit(nogil=True, cache=True)
def _assemble(
    time: _Ints,
    stream: _Ints,
    asks: NDArray[np.bool_],
    size: _Ints,
    full: _Ints,
    data: _Bytes,
    state: _Ints,
    buffer: _Bytes,
    counts: _Ints,
    out_last: _Ints,
    out_length: _Ints,
    out_data: _Bytes,
) -> int:
    """Feed frames in order; how many messages became complete. Changes state, buffer, counts."""
    done = 0
    keep = buffer.shape[1]
    for row in range(len(time)):
        s = stream[row]
        n = min(size[row], data.shape[1])
        if asks[row]:
            # Tester present (0x3E) may come at any time and asks nothing.
            new = n >= 2 and data[row, 0] >> 4 <= _FIRST and data[row, 1] != _TESTER_PRESENT
            if new and state[s, _ANNOUNCED] > 0:
                counts[_ABORTED] += 1
                state[s, _ANNOUNCED] = 0
            continue
        if n < 1:
            counts[_MALFORMED] += 1
            continue
        kind = data[row, 0] >> 4
        if kind == _FLOW_CONTROL:
            continue
        if kind > _FLOW_CONTROL:
            counts[_MALFORMED] += 1
            continue
        under_way = state[s, _ANNOUNCED] > 0
        if under_way and time[row] - state[s, _LAST] > LONGEST_PAUSE_NS:
            counts[_ABORTED] += 1
            state[s, _ANNOUNCED] = 0
            under_way = False
        if kind == _CONSECUTIVE:
            if not under_way:
                counts[_STRAY] += 1
                continue
            rest = state[s, _ANNOUNCED] - state[s, _HAD]
            # A frame in the middle is as long as the first one was; only the last may be shorter.
            short = n - 1 < rest and n < state[s, _SIZE]
            if (data[row, 0] & 15) != state[s, _NEXT] or short:
                counts[_ABORTED] += 1
                state[s, _ANNOUNCED] = 0
                continue
            begin, offset, taken = state[s, _HAD], 1, min(n - 1, rest)
        else:
            if kind == _SINGLE:
                announced, offset = np.int64(data[row, 0] & 15), 1
                if announced == 0 and n > 8:
                    announced, offset = np.int64(data[row, 1]), 2
                right = 1 <= announced <= n - offset
            else:
                offset = 2
                announced = np.int64(data[row, 0] & 15) << 8
                if n >= full[row]:
                    announced |= np.int64(data[row, 1])
                right = n >= full[row] and announced > n - 2
            if not right:
                counts[_MALFORMED] += 1
                continue
            if under_way:
                counts[_ABORTED] += 1
            state[s, _ANNOUNCED], state[s, _NEXT], state[s, _SIZE] = announced, 0, n
            begin, taken = 0, min(n - offset, announced)
        for k in range(taken):
            if begin + k < keep:
                buffer[s, begin + k] = data[row, offset + k]
        state[s, _HAD] = begin + taken
        state[s, _NEXT] = (state[s, _NEXT] + 1) & 15
        state[s, _LAST] = time[row]
        if state[s, _HAD] == state[s, _ANNOUNCED]:
            length = state[s, _ANNOUNCED]
            for k in range(min(length, keep)):
                out_data[done, k] = buffer[s, k]
            out_last[done], out_length[done] = row, length
            done += 1
            counts[_COMPLETE] += 1
            state[s, _ANNOUNCED] = 0
    return done
