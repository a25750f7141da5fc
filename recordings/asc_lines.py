"""Compiled reading of the lines of Vector ASC text; what they are is said in `formats.asc`.

Knows bytes and arrays. `text` always ends with a line feed, so no loop can leave it.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from protocols.frames import BIT_RATE_SWITCH, ERROR, EXTENDED, FD, REMOTE, TRANSMITTED
from recordings.textscan import (
    _HEX,
    at_end,
    channel_of,
    line_end,
    skip_blanks,
    skip_word,
    stamp,
)

DATA_BYTES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
NEEDS_WIDTH = -1
_NO_FRAME, _BAD, _WIDE = -1, -2, -3


@njit(nogil=True, cache=True)
def _number(text: NDArray[np.uint8], at: int, base: int) -> tuple[np.int64, int]:
    """A number of at most 10 digits in `base` 10 or 16: (value, position behind, or -1)."""
    first = at
    value = np.int64(0)
    while _HEX[text[at]] < base and at - first < 11:
        value = value * base + _HEX[text[at]]
        at += 1
    return value, (at if at > first and at - first < 11 else -1)


@njit(nogil=True, cache=True, inline="always")
def _bytes(
    text: NDArray[np.uint8], at: int, base: int, row: int, count: int, data: NDArray[np.uint8]
) -> int:
    """`count` payload bytes into data[row]; the position behind, or -1."""
    for k in range(count):
        at = skip_blanks(text, at)
        high = _HEX[text[at]]
        low = _HEX[text[at + 1]]
        if base == 16 and high < 16 and low < 16 and text[at + 2] <= 32:
            data[row, k] = (high << 4) | low
            at += 2
        else:
            value, at = _number(text, at, base)
            if at < 0 or value > 255:
                return -1
            data[row, k] = value
    return at


@njit(nogil=True, cache=True)
def _identifier(text: NDArray[np.uint8], at: int, base: int) -> tuple[np.int64, int, int]:
    """(id, EXTENDED or 0, position behind or -1). "0x" alone is id 0 and extended, "0x2A" 0x2A."""
    if text[at] == 48 and (text[at + 1] | 32) == 120:
        digit = text[at + 2] | 32
        if 48 <= text[at + 2] <= 57 or 97 <= digit <= 102:
            at, base = at + 2, 16
    value, at = _number(text, at, base)
    if at < 0:
        return np.int64(0), 0, -1
    extended = 0
    if text[at] == 120 or text[at] == 88:
        extended = EXTENDED
        at += 1
    if text[at] > 32 or value > (0x1FFFFFFF if extended else 0x7FF):
        return np.int64(0), 0, -1
    return value, extended, at


@njit(nogil=True, cache=True)
def _direction(text: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """(0 Rx, TRANSMITTED Tx, -1 a mere request, -2 neither; position behind)."""
    end = skip_word(text, at)
    if end - at == 2 and text[at + 1] == 120:
        if text[at] == 82:
            return 0, end
        if text[at] == 84:
            return TRANSMITTED, end
    if end - at == 4 and text[at] == 84 and text[at + 2] == 82:
        return -1, end
    return -2, end


@njit(nogil=True, cache=True, inline="always")
def _classic(
    text: NDArray[np.uint8],
    at: int,
    base: int,
    row: int,
    identifier: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    length: NDArray[np.uint8],
    data: NDArray[np.uint8],
) -> int:
    """From the id on: `594x Rx d 8 34 …`; the position behind a frame, or
    _NO_FRAME, _BAD."""
    value, kind, behind = _identifier(text, at, base)
    if behind < 0:
        if text[at] == 69 and text[at + 1] == 114:  # "ErrorFrame"
            identifier[row] = 0
            flags[row] = ERROR
            length[row] = 0
            return at
        # "Statistic:", "Transceiver …": words that begin with a capital beyond the hex digits.
        return _NO_FRAME if 71 <= text[at] <= 90 else _BAD
    sent, at = _direction(text, skip_blanks(text, behind))
    if sent < 0:
        return _NO_FRAME if sent == -1 else _BAD
    at = skip_blanks(text, at)
    letter = text[at]
    count = 0
    if letter == 114:
        kind |= REMOTE
    elif letter == 100:
        code, at = _number(text, skip_blanks(text, at + 1), 16)
        if at < 0 or code > 15:
            return _BAD
        count = min(code, 8)
        at = _bytes(text, at, base, row, count, data)
        if at < 0 or text[at] > 32:
            return _BAD
    else:
        return _BAD
    identifier[row] = value
    flags[row] = kind | sent
    length[row] = count
    return at


@njit(nogil=True, cache=True)
def _fd(
    text: NDArray[np.uint8],
    at: int,
    base: int,
    row: int,
    identifier: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    length: NDArray[np.uint8],
    data: NDArray[np.uint8],
) -> int:
    """From the direction on: `Rx 594x [name] 1 0 d 32 00 … duration length flags …`."""
    sent, at = _direction(text, at)
    if sent < 0:
        return _NO_FRAME if sent == -1 else _BAD
    value, kind, at = _identifier(text, skip_blanks(text, at), base)
    if at < 0:
        return _BAD
    at = skip_blanks(text, at)
    if not ((text[at] == 48 or text[at] == 49) and text[at + 1] <= 32):
        at = skip_blanks(text, skip_word(text, at))
    switched = text[at] == 49
    if not (switched or text[at] == 48):
        return _BAD
    at = skip_blanks(text, at + 1)
    if not (text[at] == 48 or text[at] == 49):
        return _BAD
    code, at = _number(text, skip_blanks(text, at + 1), 16)
    if at < 0 or code > 15:
        return _BAD
    count, at = _number(text, skip_blanks(text, at), 10)
    if at < 0 or count > DATA_BYTES[code]:
        return _BAD
    if count > data.shape[1]:
        return _WIDE
    at = _bytes(text, at, base, row, count, data)
    if at < 0 or text[at] > 32:
        return _BAD
    kind |= FD
    at = skip_blanks(text, skip_word(text, skip_blanks(text, at)))
    at = skip_blanks(text, skip_word(text, at))
    if text[at] > 32:
        bits, behind = _number(text, at, 16)
        if behind > 0 and not bits & 0x1000:
            kind = (kind & EXTENDED) | (REMOTE if bits & 0x10 else 0)
            switched = False
    if switched:
        kind |= BIT_RATE_SWITCH
    identifier[row] = value
    flags[row] = kind | sent
    length[row] = count
    return at


@njit(nogil=True, cache=True)
def parse_lines(
    text: NDArray[np.uint8],
    base: int,
    relative: bool,
    clock: int,
    time: NDArray[np.int64],
    identifier: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    length: NDArray[np.uint8],
    data: NDArray[np.uint8],
    names: NDArray[np.uint8],
    name_lengths: NDArray[np.int64],
    bad_lines: NDArray[np.int64],
    others: NDArray[np.int64],
) -> tuple[int, int, int, int, int, int]:
    """Frames, bad lines, lines, skipped lines, lines without a stamp (offsets and numbers in
    `others`), and the time of the last stamp (ns). NEEDS_WIDTH frames: start again
    with 64 data columns."""
    at = row = bad = line = skipped = other = 0
    while at < len(text):
        at = skip_blanks(text, at)
        start = at
        result = _BAD
        if at_end(text, at):
            result = 0
        elif text[at] < 48 or text[at] > 57:
            others[other, 0] = start
            others[other, 1] = line
            other += 1
            result = 0
        else:
            ns, at = stamp(text, at)
            if at > 0 and text[at] <= 32:
                clock = clock + ns if relative else ns
                at = skip_blanks(text, at)
                fd = text[at] == 67 and text[at + 1] == 65 and text[at + 4] == 68
                if fd:
                    at = skip_blanks(text, skip_word(text, at))
                first = at
                at = skip_word(text, at)
                if text[first] < 48 or text[first] > 57:
                    result = _NO_FRAME
                else:
                    stop = at
                    at = skip_blanks(text, at)
                    if fd:
                        result = _fd(text, at, base, row, identifier, flags, length, data)
                    else:
                        result = _classic(text, at, base, row, identifier, flags, length, data)
                    if result == _WIDE:
                        return NEEDS_WIDTH, 0, 0, 0, 0, clock
                    number = -1
                    if result >= 0:
                        number = channel_of(text, first, stop, names, name_lengths)
                        start = result
                    if number >= 0:
                        time[row] = clock
                        channel[row] = number
                        row += 1
                    else:
                        result = _BAD if result >= 0 else result
                        data[row, :] = 0
        if result == _NO_FRAME:
            skipped += 1
        elif result == _BAD:
            if bad < len(bad_lines):
                bad_lines[bad] = line
            bad += 1
        at = line_end(text, start)
        line += 1
    return row, bad, line, skipped, other, clock
