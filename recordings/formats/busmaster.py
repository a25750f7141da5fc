"""BUSMASTER logs: `11:49:12:9420 Rx 1 0x023 s 1 40` below a header of `***…***` lines.

The header says HEX or DEC and what the stamps are: SYSTEM (this computer's clock), ABSOLUTE (since
the log began) or RELATIVE (to the line before); its date carries no zone. Types: s, x, sr, xr
(standard, extended, remote). Source: BUSMASTER, LogObjectCAN.cpp; SavvyCAN, framefileio.cpp.
Reading only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols.frames import EXTENDED, REMOTE, TRANSMITTED, Frames
from recordings.logs import HEAD_BYTES, LogFormat, LogReport, TextBlock, is_date, text_blocks
from recordings.tokens import (
    BAD,
    Lines,
    clocks,
    hex_numbers,
    letters,
    payloads,
    split,
    whole_numbers,
    words,
)
from recordings.word_frames import Columns, coded, frames_of, numbered

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_DATE = re.compile(
    rb"\*\*\*START DATE AND TIME (?:(\d{1,2}):(\d{1,2}):(\d{4})|(\d{4})-(\d\d)-(\d\d))"
    rb" (\d{1,2}):(\d{1,2}):(\d{1,2})(?:[:.](\d{1,3}))?\s*\*\*\*"
)
_LINE = re.compile(
    rb"\d{1,2}:\d{1,2}:\d{1,2}[:.]\d{1,6}\s+[RT]x\s+\d+\s+(?:0x)?[0-9A-F]+\s+[sx]r?\s+\d+\b.*", re.I
)
_TYPES = {"s": 0, "x": EXTENDED, "sr": REMOTE, "xr": EXTENDED | REMOTE}


@dataclass(frozen=True, slots=True)
class _Header:
    base: int
    mode: str
    day_ns: int
    clock_ns: int
    reference: str


def _sniff(head: bytes) -> float:
    if b"***BUSMASTER" in head[:4096] or b"***<Time><Tx/Rx><Channel>" in head:
        return 0.95
    lines = [line for line in head.splitlines()[:50] if line.strip()]
    good = sum(bool(_LINE.fullmatch(line)) for line in lines)
    return 0.8 * good / len(lines) if lines else 0.0


def _header(path: Path) -> _Header:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    base = 10 if b"***DEC***" in head else 16
    mode = next((m for m in ("ABSOLUTE", "RELATIVE") if b"***%s MODE***" % m.encode() in head), "")
    day_ns, clock_ns, reference = 0, 0, "relative"
    if date := _DATE.search(head):
        parts = [int(part or 0) for part in date.groups()]
        year, month, day = (parts[2], parts[1], parts[0]) if date[1] else tuple(parts[3:6])
        try:
            midnight = datetime(year, month, day).astimezone()
            ns = int(midnight.timestamp()) * _SECOND
            if is_date(ns):
                day_ns, reference = ns, "local-assumed"
        except (ValueError, OverflowError, OSError):
            reference = "relative"  # 31:2:2024 is no day
        clock_ns = ((parts[6] * 60 + parts[7]) * 60 + parts[8]) * _SECOND + parts[9] * 1_000_000
    return _Header(base, mode or "SYSTEM", day_ns, clock_ns, reference)


class _Times:
    """The stamps of all blocks as running time."""

    def __init__(self, header: _Header) -> None:
        self._header = header
        self._last = 0
        self._begin: int | None = None

    def run(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        header = self._header
        known = time != BAD
        if header.mode == "RELATIVE":
            total = self._last + np.cumsum(np.where(known, time, 0))
            self._last = int(total[-1]) if len(total) else self._last
            return np.where(known, total + header.day_ns + header.clock_ns, BAD)
        if header.mode == "SYSTEM":
            return np.where(known, time + header.day_ns, BAD)
        if self._begin is None and known.any():
            self._begin = int(time[known][0])
        start = header.day_ns + header.clock_ns - (self._begin or 0)
        return np.where(known, time + start, BAD)


def _columns(
    lines: Lines, header: _Header, times: _Times, report: LogReport, block: TextBlock
) -> Columns:
    def number(place: int) -> NDArray[np.int64]:
        word = lines.word(place)
        return hex_numbers(lines, word) if header.base == 16 else whole_numbers(lines, word)

    comment = letters(lines, lines.word(0)) == ord("*")
    direction = coded(*words(lines, lines.word(1)), {"rx": 0, "tx": TRANSMITTED})
    kind = coded(*words(lines, lines.word(4)), _TYPES)
    length = whole_numbers(lines, lines.word(5))
    remote = (kind >= 0) & ((kind & REMOTE) != 0)
    data, good = payloads(
        lines, lines.word(6), np.where(remote, 0, length), header.base, cut=block.cut
    )
    good &= (direction >= 0) & (kind >= 0) & ~comment
    names, which = words(lines, lines.word(2))
    return Columns(
        times.run(np.where(good, clocks(lines, lines.word(0)), BAD)),
        number(3),
        (np.maximum(direction, 0) | np.maximum(kind, 0)).astype(np.int64),
        numbered(names, np.where(good, which, -1), report.channels),
        length,
        data,
        good,
        comment,
    )


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    header = _header(path)
    report.time_reference = header.reference
    if header.reference == "relative":
        report.notes.append("the log has no date: its times of day count from 1970")
    else:
        report.notes.append("the date has no zone: that of this computer is assumed")
    times = _Times(header)
    report.wrap_ns = _DAY if header.mode == "SYSTEM" else 0
    for block in text_blocks(path):
        lines = split(block.text)
        columns = _columns(lines, header, times, report, block)
        # A decimal number may go on behind the cut.
        report.cut_line = block.first_line if block.cut and header.base == 10 else 0
        yield frames_of(lines, columns, block, report)


FORMAT = LogFormat("busmaster", "BUSMASTER log", (".log",), _sniff, _read)
