"""The SLCAN (LAWICEL) text coding of CAN frames, both ways, vectorised.

Knows text and frames, no port and no clock: the acquisition program stamps the frames, the log
importer takes the time from the stamps. NumPy only, because the acquisition program imports it.

Layout (CAN232 manual, LAWICEL AB; CAN FD letters as in the CANable 2 firmware): kind letter, 3 or
8 hex digits of id, one hex digit of DLC, two hex digits per byte, optionally four hex digits of
millisecond stamp, CR. BEL (0x07) is the adapter's refusal of a command.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.frames import BIT_RATE_SWITCH, ERROR, EXTENDED, FD, REMOTE, Frames, empty_frames

CR, LF, BEL = 13, 10, 7
MAX_LINE = 1 + 8 + 1 + 128 + 4
FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)

_BAD = 255
_HEX = np.full(256, _BAD, np.uint8)
for _value, _pair in enumerate(zip(b"0123456789abcdef", b"0123456789ABCDEF", strict=True)):
    _HEX[list(_pair)] = _value
_ENDS = np.zeros(256, np.bool_)
_ENDS[[CR, LF, BEL]] = True
_FD_LENGTH = np.full(256, _BAD, np.int64)
_FD_LENGTH[:16] = FD_LENGTHS
_LENGTH = np.full(256, _BAD, np.int64)
_LENGTH[:9] = range(9)
_FLAGS = {
    "t": 0,
    "r": REMOTE,
    "d": FD,
    "b": FD | BIT_RATE_SWITCH,
    "T": EXTENDED,
    "R": EXTENDED | REMOTE,
    "D": EXTENDED | FD,
    "B": EXTENDED | FD | BIT_RATE_SWITCH,
}
_LETTERS = {flags: letter for letter, flags in _FLAGS.items()}
_KIND_FLAGS = np.zeros(256, np.uint8)
for _letter, _bits in _FLAGS.items():
    _KIND_FLAGS[ord(_letter)] = _bits
# number of the layout, digits of its id, payload bytes of its DLC digit; the first two are classic
_LAYOUTS = ((1, 3, _LENGTH), (2, 8, _LENGTH), (3, 3, _FD_LENGTH), (4, 8, _FD_LENGTH))
_KIND_LAYOUT = np.zeros(256, np.uint8)
for _layout, _letters in enumerate((b"tr", b"TR", b"db", b"DB"), start=1):
    _KIND_LAYOUT[list(_letters)] = _layout
# Replies of an adapter that are no frames: transmitted, version, serial number, status, settings.
_REPLIES = np.zeros(256, np.bool_)
_REPLIES[list(b"zZvVNF")] = True
_MAX_REPLY = 48


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """What a buffer held.

    frames: N frames in order, `time` and `channel` zero; stamp_ms: int32 (N), the adapter's
    millisecond stamp or -1; rest: the incomplete last line, to be put before the next buffer;
    lines: complete lines that were not empty; bad: lines that are neither frame nor reply;
    replies: lines that answer a command; nak: BEL characters.
    Always lines == len(frames) + bad + replies.
    """

    frames: Frames
    stamp_ms: NDArray[np.int32]
    rest: bytes
    lines: int
    bad: int
    replies: int
    nak: int


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """The lines of a buffer: where each starts, its length, and the buffer as hex digit values."""

    starts: NDArray[np.intp]
    lengths: NDArray[np.intp]
    digits: NDArray[np.uint8]


def parse(buffer: bytes, *, fd: bool = False) -> Parsed:
    """All complete lines of `buffer`; a bad line is counted and never joined to the next.

    fd: also accept CAN FD lines. Off for classic buses, because b, d, B and D are hex digits too
    and the tail of a torn line could pass for such a frame. Never raises on any content.
    """
    text = np.frombuffer(buffer, np.uint8)
    ends = np.flatnonzero(_ENDS[text])
    if not len(ends):
        return Parsed(empty_frames(), np.zeros(0, np.int32), _bounded(buffer), 0, 0, 0, 0)
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    closing = text[ends]
    nak = int(np.count_nonzero(closing == BEL))
    rest = _bounded(buffer[int(ends[-1]) + 1 :])
    lengths = ends - starts
    filled = lengths > 0
    if not filled.all():
        starts, lengths, closing = starts[filled], lengths[filled], closing[filled]
    kind = text[starts]
    usable = (closing != BEL) & (lengths <= MAX_LINE)
    frames = empty_frames(len(starts), 64 if fd else 8)
    frames.flags[:] = _KIND_FLAGS[kind]
    stamps = np.full(len(starts), -1, np.int32)
    good = np.zeros(len(starts), np.bool_)
    lines = _Lines(starts, lengths, _HEX[text])
    layouts = _KIND_LAYOUT[kind] * usable
    present = np.bincount(layouts, minlength=5).tolist()
    for layout, id_digits, coded_lengths in _LAYOUTS if fd else _LAYOUTS[:2]:
        if present[layout]:
            rows = np.flatnonzero(layouts == layout)
            rows, stamp = _fill(frames, lines, rows, id_digits, coded_lengths)
            good[rows] = True
            stamps[rows] = stamp
    replies = int(np.count_nonzero(_REPLIES[kind] & usable & (lengths <= _MAX_REPLY)))
    bad = len(starts) - int(np.count_nonzero(good)) - replies
    if len(frames) and good.all():
        return Parsed(frames, stamps, rest, len(starts), bad, replies, nak)
    return Parsed(frames[good], stamps[good], rest, len(starts), bad, replies, nak)


def _bounded(rest: bytes) -> bytes:
    """An endless line stays too long to be a frame, and stays small."""
    return rest if len(rest) <= 2 * MAX_LINE else rest[-2 * MAX_LINE :]


def _fill(
    frames: Frames,
    lines: _Lines,
    rows: NDArray[np.intp],
    id_digits: int,
    coded_lengths: NDArray[np.int64],
) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Fill `frames` from those `rows` of one layout that are right to the last character.

    Returns these rows and their stamps (-1 where a line has none).
    """
    digits = lines.digits
    rows = rows[lines.lengths[rows] >= 2 + id_digits]
    start, length = lines.starts[rows], lines.lengths[rows]
    held = coded_lengths[digits[start + 1 + id_digits]]
    known = held != _BAD
    held = np.where((frames.flags[rows] & REMOTE) != 0, 0, held)
    plain = 2 + id_digits + 2 * held
    right = known & ((length == plain) | (length == plain + 4))
    if not right.all():
        rows, start, length = rows[right], start[right], length[right]
        held, plain = held[right], plain[right]
    head = digits[start[:, None] + np.arange(1, 1 + id_digits)]
    ok = (head < 16).all(axis=1)
    weights = np.left_shift(np.uint32(1), np.arange(4 * (id_digits - 1), -1, -4, dtype=np.uint32))
    identifier = (head * weights).sum(axis=1, dtype=np.uint64)
    ok &= identifier <= (0x7FF if id_digits == 3 else 0x1FFFFFFF)
    widest = int(held.max(initial=0))
    place = np.arange(2 * widest)
    body = digits[np.minimum((start + 2 + id_digits)[:, None] + place, len(digits) - 1)]
    body[place >= (2 * held)[:, None]] = 0
    ok &= (body < 16).all(axis=1)
    stamp, stamp_ok = _stamps(digits, start + plain, length > plain)
    ok &= stamp_ok
    frames.id[rows] = identifier
    frames.length[rows] = held
    frames.data[rows, :widest] = (body[:, 0::2] << 4) | body[:, 1::2]
    return (rows, stamp) if ok.all() else (rows[ok], stamp[ok])


def _stamps(
    digits: NDArray[np.uint8], at: NDArray[np.intp], stamped: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The four hex digits at `at` where `stamped`, else -1; and whether they are digits."""
    values = np.full(len(at), -1, np.int32)
    fine = np.ones(len(at), np.bool_)
    if stamped.any():
        four = digits[at[stamped, None] + np.arange(4)]
        values[stamped] = four.astype(np.int32) @ np.array([4096, 256, 16, 1], np.int32)
        fine[stamped] = (four < 16).all(axis=1)
    return values, fine


def encode(frames: Frames) -> bytes:
    """The frames as SLCAN lines without stamps, each ended by CR.

    Error frames have no SLCAN form and are left out. Raises ValueError for a length that CAN FD
    does not know.
    """
    digits = np.ascontiguousarray(frames.data).tobytes().hex().upper()
    stride = 2 * frames.width
    out = []
    columns = zip(frames.id.tolist(), frames.flags.tolist(), frames.length.tolist(), strict=True)
    for row, (identifier, flags, length) in enumerate(columns):
        if flags & ERROR:
            continue
        letter = _LETTERS[flags & (EXTENDED | FD | BIT_RATE_SWITCH | REMOTE)]
        number = f"{identifier:08X}" if flags & EXTENDED else f"{identifier:03X}"
        code = FD_LENGTHS.index(length) if flags & FD else length
        start = row * stride
        body = "" if flags & REMOTE else digits[start : start + 2 * length]
        out.append(f"{letter}{number}{code:X}{body}\r")
    return "".join(out).encode("ascii")
