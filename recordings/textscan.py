"""Small compiled readers of numbers and words in text, shared by the fast log parsers.

All take a buffer that ends with a line feed, so that no loop can run past its end: a line feed is
neither digit nor blank nor letter. Positions move forward only. They are cast to unsigned where
they index, because numba tests every signed index for being negative (a fifth of the time).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

LF, CR, SPACE, TAB = 10, 13, 32, 9
MAX_CHANNELS = 256
NAME_BYTES = 32

_HEX = np.full(256, 255, np.uint8)
for _value, _pair in enumerate(zip(b"0123456789abcdef", b"0123456789ABCDEF", strict=True)):
    _HEX[list(_pair)] = _value

_TEN = 10 ** np.arange(19, dtype=np.int64)


@njit(nogil=True, cache=True)
def skip_blanks(text: NDArray[np.uint8], at: int) -> int:
    """The first position from `at` that is neither space nor tab."""
    while text[np.uint64(at)] == SPACE or text[np.uint64(at)] == TAB:
        at += 1
    return at


@njit(nogil=True, cache=True)
def skip_word(text: NDArray[np.uint8], at: int) -> int:
    """The first position from `at` that is blank or the line's end."""
    while text[np.uint64(at)] > SPACE:
        at += 1
    return at


@njit(nogil=True, cache=True)
def at_end(text: NDArray[np.uint8], at: int) -> bool:
    """Whether the line ends here (LF or CR LF)."""
    return bool(
        text[np.uint64(at)] == LF or (text[np.uint64(at)] == CR and text[np.uint64(at + 1)] == LF)
    )


@njit(nogil=True, cache=True)
def line_end(text: NDArray[np.uint8], at: int) -> int:
    """The position behind the line feed that ends the line at `at`."""
    while text[np.uint64(at)] != LF:
        at += 1
    return at + 1


@njit(nogil=True, cache=True)
def stamp(text: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Seconds "123.456" as (ns, position behind); (ns, -1) when it is none."""
    first = at
    seconds = 0
    while text[np.uint64(at)] - 48 <= 9 and text[np.uint64(at)] >= 48:
        seconds = seconds * 10 + (text[np.uint64(at)] - 48)
        at += 1
    if at == first or at - first > 10 or text[np.uint64(at)] != 46:
        return 0, -1
    at += 1
    first = at
    fraction = 0
    while text[np.uint64(at)] >= 48 and text[np.uint64(at)] <= 57 and at - first < 10:
        fraction = fraction * 10 + (text[np.uint64(at)] - 48)
        at += 1
    digits = at - first
    if digits == 0 or digits > 9:
        return 0, -1
    if seconds > 9_000_000_000:
        return 0, -1
    return seconds * 1_000_000_000 + fraction * _TEN[9 - digits], at


@njit(nogil=True, cache=True)
def channel_of(
    text: NDArray[np.uint8],
    first: int,
    stop: int,
    names: NDArray[np.uint8],
    lengths: NDArray[np.int64],
) -> int:
    """Number of the channel named text[first:stop], entered into the table when new; -1 when the
    name or the table is too long. lengths[-1] holds how many names there are."""
    size = stop - first
    if size < 1 or size > NAME_BYTES:
        return -1
    count = lengths[MAX_CHANNELS]
    for k in range(count):
        if lengths[k] == size:
            same = True
            for j in range(size):
                if names[k, j] != text[np.uint64(first + j)]:
                    same = False
                    break
            if same:
                return k
    if count == MAX_CHANNELS:
        return -1
    for j in range(size):
        names[count, j] = text[np.uint64(first + j)]
    lengths[count] = size
    lengths[MAX_CHANNELS] = count + 1
    return int(count)


class ChannelTable:
    """The channel names met so far, as the kernels fill them in."""

    def __init__(self) -> None:
        self.names = np.zeros((MAX_CHANNELS, NAME_BYTES), np.uint8)
        self.lengths = np.zeros(MAX_CHANNELS + 1, np.int64)

    def texts(self) -> list[str]:
        """The names in the order of their numbers."""
        count = int(self.lengths[MAX_CHANNELS])
        return [
            self.names[k, : self.lengths[k]].tobytes().decode("utf-8", "replace")
            for k in range(count)
        ]
