"""candump's default text, as it scrolls by on a terminal: `  can0  351   [8]  48 02 D0 07 D0 07 …`.

Without a stamp, or with one in brackets before it (`-t a`, `-t z`, `-t d`, `-t A` with date), and
with or without the columns of `-x` (`RX B E`). Source: can-utils, lib.c and candump.c.
Reading only.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols.frames import BIT_RATE_SWITCH, ERROR, EXTENDED, FD, REMOTE, TRANSMITTED, Frames
from recordings.logs import (
    HEAD_BYTES,
    RELATIVE_BEFORE_S,
    LogFormat,
    LogReport,
    TextBlock,
    is_date,
    text_blocks,
)
from recordings.tokens import (
    BAD,
    Lines,
    clocks,
    decimals,
    hex_numbers,
    letters,
    payloads,
    sizes,
    split,
    unbracketed,
    whole_numbers,
    words,
)
from recordings.word_frames import Columns, coded, flag, frames_of, numbered

_STAMP = rb"(?:\((\d+\.\d+|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)\)\s+)?"
_LINE = re.compile(
    rb"\s*" + _STAMP + rb"(?!(?:rx|tx)\d)[a-z][\w.-]{0,14}\s+(?:[RT]X\s+[B-]\s+[E-]\s+)?"
    rb"[0-9A-F]{3,8}\s+\[\d{1,2}\](?:\s+[0-9A-F]{2}|\s+remote request)*(?:\s.*)?",
    re.I,
)
_MILLI = 1_000_000
_SECOND = 1_000_000_000


def _sniff(head: bytes) -> float:
    lines = [line for line in head.splitlines()[:100] if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith(b"#")][:50]
    good = sum(bool(_LINE.fullmatch(line)) for line in lines)
    return 0.9 * good / len(lines) if lines else 0.0


def _are_differences(path: Path) -> bool:
    """Whether the stamps are those of `-t d`: small, and every other one below the one before."""
    with path.open("rb") as file:
        found = [_LINE.fullmatch(line) for line in file.read(HEAD_BYTES).splitlines()[:-1]]
    stamps = [float(m[1]) for m in found if m and m[1] and b"-" not in m[1]]
    if len(stamps) < 3 or max(stamps) > RELATIVE_BEFORE_S:
        return False
    falls = sum(b < a for a, b in pairwise(stamps))
    return falls > 0.2 * len(stamps)


class _Times:
    """The stamps of all blocks as running time; says in the report what they are."""

    def __init__(self, path: Path, report: LogReport) -> None:
        self._report = report
        self._differences = _are_differences(path)
        self._last = 0
        self._kinds: set[str] = set()

    def run(self, lines: Lines, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Stamps of lines whose interface is the word at `place` (0: no stamp)."""
        there = lines.word(0)
        time = np.where(place == 1, decimals(lines, there), BAD)
        dated = place == 2
        if dated.any():
            time = np.where(dated, _dates(lines, there) + clocks(lines, lines.word(1)), time)
            self._kinds.add("dated")
        if np.any(place == 0):
            self._kinds.add("none")
            time = self._filled(time, place == 0)
        if self._differences:
            self._kinds.add("differences")
            time = self._last + np.cumsum(np.where(time == BAD, 0, time))
        if len(time):
            self._last = int(time[-1]) if time[-1] != BAD else self._last
        self._tell(time, place)
        return time

    def _filled(self, time: NDArray[np.int64], missing: NDArray[np.bool_]) -> NDArray[np.int64]:
        """A line without a stamp comes 1 ms after the line before it."""
        held = np.maximum.accumulate(np.where(time != BAD, np.arange(len(time)), -1))
        start = np.where(held < 0, self._last, time[held])
        later = start + (np.arange(len(time)) - held) * _MILLI
        filled: NDArray[np.int64] = np.where(missing, later, time)
        return filled

    def _tell(self, time: NDArray[np.int64], place: NDArray[np.int64]) -> None:
        report = self._report
        known = time[(time != BAD) & (place > 0)]
        if "dated" in self._kinds:
            report.time_reference = "local-assumed"
        elif self._kinds or (len(known) and known[0] < RELATIVE_BEFORE_S * _SECOND):
            report.time_reference = "relative"
        told = {
            "dated": "dates without a zone: that of this computer is assumed",
            "none": "lines without a time stamp are placed 1 ms apart",
            "differences": "the stamps are differences to the line before: they were summed up",
        }
        for kind in sorted(self._kinds):
            if told[kind] not in report.notes:
                report.notes.append(told[kind])


def _dates(lines: Lines, word: NDArray[np.int64]) -> NDArray[np.int64]:
    """`(2015-07-10` as ns of that midnight here."""
    names, which = words(lines, word)
    days = np.array([*(_midnight(name) for name in names), BAD // 2], np.int64)
    return days[which]


def _midnight(text: str) -> int:
    try:
        day = datetime.strptime(text.strip("("), "%Y-%m-%d").astimezone()
        ns = int(day.timestamp()) * _SECOND
        return ns if is_date(ns) else BAD // 2
    except (ValueError, OverflowError, OSError):
        return BAD // 2


def _columns(lines: Lines, times: _Times, report: LogReport, block: TextBlock) -> Columns:
    # Only the length stands in square brackets: by its place all others are known.
    bracket = _length_place(lines)
    extra = bracket >= 5
    place = np.where(extra, bracket - 5, bracket - 2)
    shaped = (place >= 0) & (place <= 2)
    identifier, size = lines.word(bracket - 1), lines.word(bracket)
    number, digits = hex_numbers(lines, identifier), sizes(lines, identifier)
    names, which = words(lines, lines.word(np.where(shaped, place, -1)))
    way, b_flag = (
        lines.word(np.where(extra, place + 1, -1)),
        lines.word(np.where(extra, place + 2, -1)),
    )
    direction = coded(*words(lines, way), {"rx": 0, "tx": TRANSMITTED})
    flags = flag(digits > 3, EXTENDED) | np.where(extra, direction, 0)
    error = (digits > 3) & (number & 0x20000000 != 0) & (number >= 0)
    flags = np.where(error, ERROR, flags)
    length = whole_numbers(unbracketed(lines, size), size)
    flags |= flag((sizes(lines, size) == 4) | (length > 8), FD)
    flags |= flag(extra & (letters(lines, b_flag) == ord("B")), FD | BIT_RATE_SWITCH)
    remote = coded(*words(lines, lines.word(bracket + 1)), {"remote": 1}) == 1
    flags |= flag(remote & ~error, REMOTE)
    data, good = payloads(
        lines, lines.word(bracket + 1), np.where(remote, 0, length), cut=block.cut
    )
    good &= shaped & (number != BAD) & (~extra | (direction >= 0)) & (digits <= 8)
    comment = letters(lines, lines.word(0)) == ord("#")
    return Columns(
        times.run(lines, np.where(shaped & ~comment, place, -1)),
        np.where(error, number & 0x1FFFFFFF, number),
        flags,
        numbered(names, np.where(good & ~comment, which, -1), report.channels),
        np.where(length == BAD, -1, length),
        data,
        good,
        comment,
    )


def _length_place(lines: Lines) -> NDArray[np.int64]:
    """Which word of each line is the first in square brackets; -99 where there is none."""
    place = np.full(len(lines), -99, np.int64)
    for k in range(7, 1, -1):
        place = np.where(letters(lines, lines.word(k)) == ord("["), k, place)
    return place


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    times = _Times(path, report)
    for block in text_blocks(path):
        lines = split(block.text)
        yield frames_of(lines, _columns(lines, times, report, block), block, report)


FORMAT = LogFormat("candump-plain", "candump text", (".txt",), _sniff, _read)
