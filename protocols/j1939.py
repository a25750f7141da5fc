"""J1939 transport (SAE J1939-21) heard, not spoken: packets into the messages that they carry.

Up to 1785 bytes travel either to everybody (BAM) or to one address (RTS and CTS). Both announce
number of the parameter group, bytes and packets; both send the same numbered packets of seven
bytes. Packets that are sent again, or out of order, find their place by their number. A message
comes out under the identifier that it would have as one frame, so that databases need not know how
it travelled. State lives between blocks; what bytes mean stands elsewhere (`protocols/polled.py`).
"""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from protocols.frames import ERROR, EXTENDED, REMOTE, Frames
from protocols.isotp import Counts, Pdus
from protocols.signals import ANY_PRIORITY

LONGEST = 1785
# T2, the longest pause inside a connection, is 1.25 s.
LONGEST_PAUSE_NS = 1_250_000_000
PACKET_BYTES = 7
IDENTITY = ANY_PRIORITY

_Ints = NDArray[np.int64]
_Bytes = NDArray[np.uint8]
_CONTROL, _DATA = 0xEC, 0xEB
_RTS, _BAM, _ABORT = 0x10, 0x20, 0xFF
# Columns of the state of a connection: bytes announced (0: none under way), packets, packets still
# missing, identifier of the message, time of the last frame.
_ANNOUNCED, _PACKETS, _MISSING, _ID, _LAST = range(5)
_COMPLETE, _ABORTED, _STRAY, _MALFORMED = range(4)


class Reassembler:
    """Messages of wanted parameter groups; senders, receivers and channels are kept apart."""

    def __init__(self, wanted: Sequence[tuple[int, int]], keep: int = LONGEST) -> None:
        """wanted: (identifier, mask) of the messages. keep: how many bytes of one are wanted; what
        lies beyond is counted, not stored."""
        pairs = sorted({(i & mask & IDENTITY, mask & IDENTITY) for i, mask in wanted})
        self._wanted = np.array(pairs, np.int64).reshape(-1, 2)
        self._width = -(-min(max(keep, 1), LONGEST) // 8) * 8
        self._streams: dict[int, int] = {}
        self._state = np.zeros((0, _LAST + 1), np.int64)
        self._had = np.zeros((0, 256), np.uint8)
        self._buffer = np.zeros((0, self._width), np.uint8)
        self._counts = np.zeros(_MALFORMED + 1, np.int64)

    @property
    def counts(self) -> Counts:
        """What became of all connections that carried a wanted message."""
        return Counts(*self._counts.tolist())

    def push(self, frames: Frames) -> Pdus:
        """The messages that these frames completed. Never raises, whatever the bytes."""
        rows = _transport_rows(frames)
        room = len(rows)
        last, ids = np.zeros(room, np.int64), np.zeros(room, np.int64)
        lengths = np.zeros(room, np.int64)
        payloads = np.zeros((0, self._width), np.uint8)
        count = 0
        if room:
            streams = self._numbered(frames, rows)
            # A message has at least two packets; those under way may lack one only.
            most = _packet_count(frames, rows) // 2 + len(self._streams)
            payloads = np.zeros((most, self._width), np.uint8)
            count = _assemble(
                frames.time[rows],
                frames.id[rows].astype(np.int64),
                streams,
                frames.length[rows].astype(np.int64),
                np.ascontiguousarray(frames.data[rows, :8]),
                self._wanted,
                self._state,
                self._had,
                self._buffer,
                self._counts,
                last,
                ids,
                lengths,
                payloads,
            )
        done = rows[last[:count]]
        return Pdus(
            done,
            frames.time[done],
            ids[:count].astype(np.uint32),
            frames.flags[done],
            frames.channel[done],
            lengths[:count].astype(np.uint16),
            payloads[:count],
        )

    def _numbered(self, frames: Frames, rows: _Ints) -> _Ints:
        """Number of the connection (both addresses and channel) of each row; new ones get state."""
        keys = frames.id[rows].astype(np.int64) & 0xFFFF
        keys |= frames.channel[rows].astype(np.int64) << 16
        different, inverse = np.unique(keys, return_inverse=True)
        numbers = [self._streams.setdefault(k, len(self._streams)) for k in different.tolist()]
        extra = len(self._streams) - len(self._state)
        if extra:
            self._state = np.vstack([self._state, np.zeros((extra, _LAST + 1), np.int64)])
            self._had = np.vstack([self._had, np.zeros((extra, 256), np.uint8)])
            self._buffer = np.vstack([self._buffer, np.zeros((extra, self._width), np.uint8)])
        return np.array(numbers, np.int64)[inverse]


def packets(identifier: int, payload: bytes, broadcast: bool = False) -> list[tuple[int, bytes]]:
    """The frames (29-bit identifier, data) that carry a message: announcement, then packets.

    identifier: as if it were one frame. A broadcast goes to everybody, else the receiver is the
    identifier's second byte. Raises ValueError for sizes that need no transport or exceed it.
    """
    if not 9 <= len(payload) <= LONGEST:
        raise ValueError(f"J1939 transport carries 9 to {LONGEST} bytes, not {len(payload)}")
    group = (identifier >> 8) & 0x3FFFF
    receiver = 0xFF if broadcast else (identifier >> 8) & 0xFF
    if (identifier >> 16) & 0xFF < 0xF0:
        group &= 0x3FF00
    addresses = 7 << 26 | receiver << 8 | identifier & 0xFF
    count = -(-len(payload) // PACKET_BYTES)
    head = bytes([_BAM if broadcast else _RTS]) + len(payload).to_bytes(2, "little")
    head += bytes([count, 0xFF]) + group.to_bytes(3, "little")
    listed = [(addresses | _CONTROL << 16, head)]
    for k in range(count):
        part = payload[PACKET_BYTES * k :][:PACKET_BYTES].ljust(PACKET_BYTES, b"\xff")
        listed.append((addresses | _DATA << 16, bytes([k + 1]) + part))
    return listed


def _transport_rows(frames: Frames) -> _Ints:
    """Rows of the announcements and packets."""
    # Bits 16 to 25: data pages 0, and the two parameter groups of the transport.
    kind = (frames.id >> np.uint32(16)) & np.uint32(0x3FF)
    mine = (kind == _CONTROL) | (kind == _DATA)
    mine &= (frames.flags & (EXTENDED | REMOTE | ERROR)) == EXTENDED
    return np.flatnonzero(mine)


def _packet_count(frames: Frames, rows: _Ints) -> int:
    return int(np.sum((frames.id[rows] >> np.uint32(16)) & np.uint32(0xFF) == _DATA))


@njit(nogil=True, cache=True)
def _assemble(
    time: _Ints,
    ids: _Ints,
    stream: _Ints,
    size: _Ints,
    data: _Bytes,
    wanted: _Ints,
    state: _Ints,
    had: _Bytes,
    buffer: _Bytes,
    counts: _Ints,
    out_last: _Ints,
    out_id: _Ints,
    out_length: _Ints,
    out_data: _Bytes,
) -> int:
    """Feed frames in order; how many messages became complete. Changes state and counts."""
    done = 0
    keep = buffer.shape[1]
    for row in range(len(time)):
        s = stream[row]
        control = (ids[row] >> 16) & 0xFF == _CONTROL
        under_way = state[s, _ANNOUNCED] > 0
        if under_way and time[row] - state[s, _LAST] > LONGEST_PAUSE_NS:
            counts[_ABORTED] += 1
            state[s, _ANNOUNCED] = 0
            under_way = False
        if size[row] < 8:
            counts[_MALFORMED] += under_way
            continue
        if control:
            kind = data[row, 0]
            if kind == _ABORT and under_way:
                counts[_ABORTED] += 1
                state[s, _ANNOUNCED] = 0
            if kind != _RTS and kind != _BAM:
                continue  # said by the receiver, to the sender
            if under_way:
                counts[_ABORTED] += 1
                state[s, _ANNOUNCED] = 0
            length = np.int64(data[row, 1]) | np.int64(data[row, 2]) << 8
            count = np.int64(data[row, 3])
            group = np.int64(data[row, 5]) | np.int64(data[row, 6]) << 8
            group |= (np.int64(data[row, 7]) & 3) << 16
            whole = group << 8 | ids[row] & 0xFF
            if (group >> 8) & 0xFF < 0xF0:
                whole |= ids[row] & 0xFF00
            mine = False
            for k in range(len(wanted)):
                mine = mine or (whole & wanted[k, 1]) == wanted[k, 0]
            if not mine:
                continue
            if length < 9 or length > LONGEST or count != (length + 6) // PACKET_BYTES:
                counts[_MALFORMED] += 1
                continue
            state[s, _ANNOUNCED], state[s, _PACKETS], state[s, _MISSING] = length, count, count
            state[s, _ID] = whole | ids[row] & 0x1C000000
            state[s, _LAST] = time[row]
            for k in range(count + 1):
                had[s, k] = 0
            continue
        if not under_way:
            continue  # of a message that nobody here wants, or whose beginning was missed
        number = np.int64(data[row, 0])
        if number < 1 or number > state[s, _PACKETS]:
            counts[_ABORTED] += 1
            state[s, _ANNOUNCED] = 0
            continue
        state[s, _LAST] = time[row]
        begin = PACKET_BYTES * (number - 1)
        for k in range(min(PACKET_BYTES, keep - begin)):
            buffer[s, begin + k] = data[row, 1 + k]
        state[s, _MISSING] -= had[s, number] == 0
        had[s, number] = 1
        if state[s, _MISSING] == 0:
            length = state[s, _ANNOUNCED]
            for k in range(min(length, keep)):
                out_data[done, k] = buffer[s, k]
            out_last[done], out_id[done], out_length[done] = row, state[s, _ID], length
            done += 1
            counts[_COMPLETE] += 1
            state[s, _ANNOUNCED] = 0
    return done
