"""Text logs as lines of words, compiled: what the formats of word-separated text stand on.

`split` cuts a block into words once; the other functions read one word of every line as a number,
a clock time, a word or payload bytes, a column at a time. Knows bytes and arrays; what a column
means is the format's business.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from recordings.textscan import _HEX

BAD = -(1 << 63)
"""What a number that cannot be read becomes."""
WORD_BYTES = 32
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The lines of a block that hold a word. first, count: a line's words in start/stop, which
    are positions in `text`; number: the line's number in the block, from 0."""

    text: NDArray[np.uint8]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    number: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    def word(self, place: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """The word at `place` (from 0) of every line, as an index into start/stop; -1 where the
        line is shorter or the place negative."""
        there = (place >= 0) & (np.asarray(place) < self.count)
        return np.where(there, self.first + place, -1).astype(np.int64)


def split(
    text: bytes,
    separators: bytes = b" \t",
    end: bytes = b"\n",
    merge: bool = True,
    quoted: bool = False,
) -> Lines:
    """Words between separators. merge: several separators in a row are one (blanks); else each of
    them ends a field, and a field may be empty. CR and LF belong to no word. quoted: separators
    between double quotes are text (not so a line's end), and fields lose the quotes around them."""
    table = np.zeros(256, np.uint8)
    table[[10, 13, *separators]] = 1
    table[end[0]] = 2
    view = np.frombuffer(text + end, np.uint8)
    lines = int(np.count_nonzero(view == end[0]))
    room = len(view) // (2 if merge else 1) + 2
    start, stop = np.empty(room, np.int64), np.empty(room, np.int64)
    columns = (np.empty(lines, np.int64), np.empty(lines, np.int64), np.empty(lines, np.int64))
    words, rows = _split(view, table, merge, quoted, start, stop, *columns)
    first, count, number = (column[:rows] for column in columns)
    return Lines(view, start[:words], stop[:words], first, count, number)


@njit(nogil=True, cache=True)
def _stripped(text: NDArray[np.uint8], start: int, stop: int) -> tuple[int, int]:
    """The same piece of text without blanks at its ends."""
    while stop > start and text[stop - 1] <= 32:
        stop -= 1
    while start < stop and text[start] <= 32:
        start += 1
    return start, stop


@njit(nogil=True, cache=True)
def _split(
    text: NDArray[np.uint8],
    table: NDArray[np.uint8],
    merge: bool,
    quoted: bool,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    first: NDArray[np.int64],
    count: NDArray[np.int64],
    number: NDArray[np.int64],
) -> tuple[int, int]:
    words = rows = line = 0
    begin = line_first = 0
    filled = inside = False
    for at in range(len(text)):
        kind = table[text[at]]
        if quoted and text[at] == 34:
            inside = not inside
        if kind == 0 or (inside and kind == 1):
            filled = True
            continue
        if not merge and kind == 1 and (text[at] == 13 or text[at] == 10):
            continue  # the CR of CR LF ends no field
        if at > begin or not merge:
            start[words], stop[words] = _stripped(text, begin, at)
            if quoted and text[start[words]] == 34 and text[stop[words] - 1] == 34:
                start[words], stop[words] = _stripped(text, start[words] + 1, stop[words] - 1)
            words += 1
        begin = at + 1
        if kind == 2:
            if filled:
                first[rows], count[rows], number[rows] = line_first, words - line_first, line
                rows += 1
            else:
                words = line_first
            line_first = words
            line += 1
            filled = inside = False
    return words, rows


def hex_numbers(lines: Lines, word: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hexadecimal numbers of 1 to 8 digits, with or without `0x`; BAD for anything else."""
    found: NDArray[np.int64] = _hex_numbers(lines.text, lines.start, lines.stop, word)
    return found


def whole_numbers(lines: Lines, word: NDArray[np.int64]) -> NDArray[np.int64]:
    """Decimal numbers without fraction or sign, to 18 digits; BAD for anything else."""
    numbers = decimals(lines, word, 10)
    return np.where((numbers < 0) | (numbers % 10 != 0), BAD, numbers // 10)


def decimals(lines: Lines, word: NDArray[np.int64], unit: int = _SECOND) -> NDArray[np.int64]:
    """Signed decimal numbers times `unit`, exactly: `12.5` -> 12500000000. The mark is a point or a
    comma, brackets around the number are allowed; BAD for anything else and beyond int64."""
    found: NDArray[np.int64] = _decimals(lines.text, lines.start, lines.stop, word, unit)
    return found


def clocks(lines: Lines, word: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times of day as ns: `11:49:12:9420`, `11:49:12.942`, `11:49:12`; BAD for anything else."""
    found: NDArray[np.int64] = _clocks(lines.text, lines.start, lines.stop, word)
    return found


def words(
    lines: Lines, word: NDArray[np.int64], size: int = WORD_BYTES
) -> tuple[list[str], NDArray[np.int64]]:
    """The different words (their first `size` bytes as Latin-1) and which of them each line has
    (-1: none)."""
    letters = np.zeros((len(word), size), np.uint8)
    _copy_words(lines.text, lines.start, lines.stop, word, letters)
    whole = letters.view(f"S{size}").ravel()
    # Lines mostly repeat the word of the line before: only changes are sorted.
    change = np.ones(len(whole), np.bool_)
    change[1:] = whole[1:] != whole[:-1]
    names, which = np.unique(whole[change], return_inverse=True)
    each = which[np.cumsum(change) - 1] if len(whole) else np.zeros(0, np.int64)
    return [n.decode("latin-1") for n in names.tolist()], np.where(word < 0, -1, each)


def sizes(lines: Lines, word: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes of each word, 0 where there is none."""
    if not len(lines.start):
        return np.zeros(len(word), np.int64)
    return np.where(word < 0, 0, lines.stop[word] - lines.start[word])


def unbracketed(lines: Lines, word: NDArray[np.int64]) -> Lines:
    """The same lines with the first and the last byte taken off these words: `[8]` -> `8`."""
    start, stop = lines.start.copy(), lines.stop.copy()
    there = word[word >= 0]
    start[there] += 1
    stop[there] -= 1
    return Lines(lines.text, start, stop, lines.first, lines.count, lines.number)


def letters(lines: Lines, word: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The first byte of each word, 0 where there is none."""
    if not len(lines.start):
        return np.zeros(len(word), np.uint8)
    filled = (word >= 0) & (lines.stop[word] > lines.start[word])
    return np.where(filled, lines.text[lines.start[word]], 0).astype(np.uint8)


def payloads(
    lines: Lines,
    word: NDArray[np.int64],
    length: NDArray[np.int64],
    base: int = 16,
    cut: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """`length` bytes of every line, one per word from `word` on, as (N, 8) or (N, 64), and whether
    they were all there. base 16: two digits or one, with or without `0x`; 10: to 255. cut: the text
    has no end, so the last byte of its last line must have both digits."""
    valid = (length >= 0) & (length <= 64)
    width = 64 if np.any(length[valid] > 8) else 8
    data = np.zeros((len(length), width), np.uint8)
    good = valid.copy()
    _payloads(
        lines.text,
        lines.start,
        lines.stop,
        word,
        np.where(valid, length, 0),
        lines.first + lines.count,
        base,
        data,
        good,
    )
    if cut and len(length) and good[-1] and length[-1] > 0:
        last = word[-1] + length[-1] - 1
        good[-1] = lines.stop[last] - lines.start[last] >= 2
    return data, good


@njit(nogil=True, cache=True)
def _prefix(text: NDArray[np.uint8], at: int, stop: int) -> int:
    """The position behind `0x`."""
    if stop - at > 2 and text[at] == 48 and (text[at + 1] | 32) == 120:
        return at + 2
    return at


@njit(nogil=True, cache=True)
def _hex_numbers(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    word: NDArray[np.int64],
) -> NDArray[np.int64]:
    found = np.full(len(word), BAD, np.int64)
    for row in range(len(word)):
        if word[row] < 0:
            continue
        last = stop[word[row]]
        at = _prefix(text, start[word[row]], last)
        if last - at < 1 or last - at > 8:
            continue
        value = np.int64(0)
        for k in range(at, last):
            digit = _HEX[text[k]]
            if digit > 15:
                value = np.int64(-1)
                break
            value = (value << 4) | np.int64(digit)
        if value >= 0:
            found[row] = value
    return found


@njit(nogil=True, cache=True)
def _decimals(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    word: NDArray[np.int64],
    unit: int,
) -> NDArray[np.int64]:
    found = np.full(len(word), BAD, np.int64)
    for row in range(len(word)):
        if word[row] < 0:
            continue
        at, last = start[word[row]], stop[word[row]]
        if last > at and text[at] == 40:
            at += 1
        if last > at and text[last - 1] == 41:
            last -= 1
        negative = last > at and text[at] == 45
        if negative:
            at += 1
        whole, digits, marked = np.int64(0), 0, False
        rest, share = np.int64(0), np.int64(unit)
        for k in range(at, last):
            digit = np.int64(text[k]) - 48
            if not marked and (text[k] == 46 or text[k] == 44):
                marked = True
            elif digit < 0 or digit > 9:
                digits = 0
                break
            elif marked:
                # Digits beyond the unit's are below its resolution.
                share //= 10
                rest += digit * share
                digits += 1
            else:
                whole = whole * 10 + digit
                digits += 1
                if whole > 4_000_000_000_000_000_000 // unit:
                    digits = 0
                    break
        if digits > 0:
            value = whole * unit + rest
            found[row] = -value if negative else value
    return found


@njit(nogil=True, cache=True)
def _clocks(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    word: NDArray[np.int64],
) -> NDArray[np.int64]:
    found = np.full(len(word), BAD, np.int64)
    part = np.zeros(4, np.int64)
    for row in range(len(word)):
        if word[row] < 0:
            continue
        last = stop[word[row]]
        if text[last - 1] == 41:
            last -= 1
        part[:] = 0
        which, digits, share, good = 0, 0, np.int64(_SECOND), True
        for k in range(start[word[row]], last):
            digit = np.int64(text[k]) - 48
            mark = text[k] == 58 or (which == 2 and (text[k] == 46 or text[k] == 44))
            if mark and digits > 0 and which < 3:
                which += 1
                digits = 0
            elif digit < 0 or digit > 9 or (which < 3 and digits == 2):
                good = False
                break
            elif which == 3:
                share //= 10
                part[3] += digit * share
                digits += 1
            else:
                part[which] = part[which] * 10 + digit
                digits += 1
        if good and which >= 2 and digits > 0 and part[1] < 60 and part[2] < 61 and part[0] < 24:
            found[row] = ((part[0] * 60 + part[1]) * 60 + part[2]) * _SECOND + part[3]
    return found


@njit(nogil=True, cache=True)
def _copy_words(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    word: NDArray[np.int64],
    letters: NDArray[np.uint8],
) -> None:
    for row in range(len(word)):
        if word[row] >= 0:
            at = start[word[row]]
            for k in range(min(stop[word[row]] - at, letters.shape[1])):
                letters[row, k] = text[at + k]


@njit(nogil=True, cache=True)
def _payloads(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    word: NDArray[np.int64],
    length: NDArray[np.int64],
    end: NDArray[np.int64],
    base: int,
    data: NDArray[np.uint8],
    good: NDArray[np.bool_],
) -> None:
    for row in range(len(word)):
        if length[row] == 0:
            continue
        if word[row] < 0 or word[row] + length[row] > end[row]:
            good[row] = False
            continue
        for k in range(length[row]):
            last = stop[word[row] + k]
            at = start[word[row] + k]
            if base == 16:
                at = _prefix(text, at, last)
            value = 0
            if last - at < 1 or last - at > (2 if base == 16 else 3):
                good[row] = False
                break
            for j in range(at, last):
                digit = int(_HEX[text[j]])
                value = value * base + digit if digit < base else 1000
            if value > 255:
                good[row] = False
                break
            data[row, k] = value
