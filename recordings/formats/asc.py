"""Vector ASC text: classic and CAN FD lines, hexadecimal or decimal, absolute or relative stamps.

`0.153600 1  594x  Rx   d 8 34 21 …` and `0.15 CANFD 1 Rx 594 [name] 1 0 d 32 …`. Layout as in
Vector's CAN logging formats (ASC) and as python-can reads and writes it. Triggers, statistics and
events of other buses are known and skipped. Dates carry no zone unless they say GMT or UTC: then
the zone of this computer is assumed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np

from protocols.frames import BIT_RATE_SWITCH, ERROR, EXTENDED, FD, REMOTE, TRANSMITTED, Frames
from recordings.asc_lines import DATA_BYTES, NEEDS_WIDTH, parse_lines
from recordings.logs import (
    HEAD_BYTES,
    KEPT_BAD,
    LogFormat,
    LogReport,
    is_date,
    line_count,
    text_blocks,
)
from recordings.textscan import ChannelTable

_SHORTEST_LINE = 16
_WORDS = re.compile(
    rb"\s*(//|date\b|base\b|internal\b|no internal|begin\b|end\b|version\b|timestamps\b)", re.I
)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d):(\d\d)(?:\.(\d+))?(?:\s*([ap]m))?", re.I)
# Vector's tools write the names of the months in the language of the computer.
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_GERMAN = {"mär": 3, "mrz": 3, "mai": 5, "okt": 10, "dez": 12}
_MONTHS = {name: number for number, name in enumerate(_ENGLISH, 1)} | _GERMAN
_ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)")
_NAMED = ("", *_ENGLISH)
_DATE = re.compile(rb"^\s*date\s+(.+?)\s*$", re.I | re.M)
# Stamps count from the measurement's start. Where it stands at 0 behind the first trigger block,
# that block's date is the better one: python-can writes the date of opening the file above it.
_TRIGGER = re.compile(
    rb"^\s*begin triggerblock\s+(\S[^\r\n]*)\r?\n\s*0\.0+\s+start of measurement", re.I | re.M
)
_BASE = re.compile(rb"^\s*base\s+(hex|dec)(?:\s+timestamps\s+(absolute|relative))?", re.I | re.M)


@dataclass(frozen=True, slots=True)
class _Header:
    base: int
    relative: bool
    start_ns: int
    reference: str


def _header(path: Path) -> _Header:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    base = _BASE.search(head)
    date = _TRIGGER.search(head) or _DATE.search(head)
    start_ns, reference = _start(date[1].decode("latin-1")) if date else (0, "relative")
    return _Header(
        10 if base and base[1].lower() == b"dec" else 16,
        bool(base and base[2] and base[2].lower() == b"relative"),
        start_ns,
        reference,
    )


def _start(text: str) -> tuple[int, str]:
    """The header's date as (ns since 1970, time reference); (0, "relative") when unreadable."""
    if iso := _ISO.search(text):
        named = f"{iso[3]} {_NAMED[int(iso[2]) % 13]} {iso[1]} {text[iso.end() :].lstrip('T ')}"
        text = re.sub(r"(?<=\d)Z\b", " UTC", named)
    clock, year = _CLOCK.search(text), re.search(r"\b(\d{4})\b", text)
    words = re.findall(r"[^\W\d]+", text.lower())
    months = [_MONTHS[word[:3]] for word in words if word[:3] in _MONTHS]
    day = re.search(r"(?<![\d:.])(\d{1,2})(?![\d:.])", text)
    if not (clock and year and months and day):
        return 0, "relative"
    hour = int(clock[1])
    if clock[5]:
        hour = hour % 12 + (12 if clock[5].lower() == "pm" else 0)
    zoned = words[-1] in ("gmt", "utc", "z")
    try:
        moment = datetime(
            int(year[1]), months[-1], int(day[1]), hour, int(clock[2]), int(clock[3]), tzinfo=UTC
        )
        if not zoned:
            moment = moment.replace(tzinfo=None).astimezone()
        seconds = int(moment.timestamp())
    except (ValueError, OverflowError, OSError):
        return 0, "relative"
    ns = seconds * 1_000_000_000 + int((clock[4] or "0").ljust(9, "0")[:9])
    if not is_date(ns):
        return 0, "relative"
    return ns, "utc" if zoned else "local-assumed"


def _sniff(head: bytes) -> float:
    if b"\0" in head:
        return 0.0
    return 0.95 if _BASE.search(head) else 0.6 if _DATE.match(head) else 0.0


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    header = _header(path)
    report.time_reference = header.reference
    table = ChannelTable()
    bad_lines = np.zeros(KEPT_BAD, np.int64)
    clock = 0
    width = 8
    for block in text_blocks(path):
        lines = line_count(block.text) + 1
        rows = min(lines, len(block.text) // _SHORTEST_LINE + 1) + 1
        others = np.empty((lines, 2), np.int64)
        text = np.frombuffer(block.text, np.uint8)
        while True:
            columns = (
                np.empty(rows, np.int64),
                np.empty(rows, np.uint32),
                np.empty(rows, np.uint8),
                np.empty(rows, np.uint8),
                np.empty(rows, np.uint8),
                np.zeros((rows, width), np.uint8),
            )
            found, bad, count, skipped, other, end = parse_lines(
                text,
                header.base,
                header.relative,
                clock,
                *columns,
                table.names,
                table.lengths,
                bad_lines,
                others,
            )
            if found != NEEDS_WIDTH:
                break
            width = 64
        clock = end
        report.lines += count
        unknown = [
            line + block.first_line
            for at, line in others[:other].tolist()
            if not _WORDS.match(block.text, at, at + 40)
        ]
        report.skipped += skipped + other - len(unknown)
        first_bad = sorted([*(bad_lines[:bad] + block.first_line).tolist(), *unknown])
        report.add_bad(bad + len(unknown), first_bad)
        columns[0][:found] += header.start_ns
        frames = Frames(*columns)[:found]
        if block.cut:
            report.cut_line = block.first_line
        report.channels[:] = table.texts()
        yield frames


def _write(file: BinaryIO, blocks: Iterable[Frames], channels: tuple[str, ...]) -> None:
    """Stamps have microseconds and count from the whole millisecond of the first frame; the date
    is that moment in this computer's zone, as all tools write it. Channels count from 1."""
    start = None
    for block in blocks:
        if start is None and len(block):
            start = int(block.time[0]) // 1_000_000 * 1_000_000
            file.write(_head_text(start).encode())
        file.write("".join(_lines(block, start or 0)).encode())
    if start is None:
        file.write(_head_text(0).encode())
    file.write(b"End TriggerBlock\n")


def _head_text(start_ns: int) -> str:
    moment = datetime.fromtimestamp(start_ns // 1_000_000_000, UTC).astimezone()
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # strftime's depend on the locale
    month = _ENGLISH[moment.month - 1].title()
    clock = f"{moment:%H:%M:%S}.{start_ns // 1_000_000 % 1000:03d}"
    date = f"{days[moment.weekday()]} {month} {moment.day:02d} {clock} {moment.year}"
    return (
        f"date {date}\nbase hex  timestamps absolute\ninternal events logged\n"
        f"Begin Triggerblock {date}\n   0.000000 Start of measurement\n"
    )


def _lines(block: Frames, start_ns: int) -> Iterator[str]:
    columns = ((block.time - start_ns) // 1000, block.id, block.flags, block.channel)
    rows = zip(*(column.tolist() for column in (*columns, block.length)), strict=True)
    for row, (micro, identifier, flags, channel, length) in enumerate(rows):
        seconds, part = divmod(micro, 1_000_000)
        head = f"{seconds:4d}.{part:06d}"
        number = f"{identifier:X}{'x' if flags & EXTENDED else ''}"
        way = "Tx" if flags & TRANSMITTED else "Rx"
        payload = block.data[row, :length].tobytes().hex(" ").upper()
        if flags & ERROR:
            yield f"{head} {channel + 1}  ErrorFrame\n"
        elif flags & FD:
            switch = 1 if flags & BIT_RATE_SWITCH else 0
            code = DATA_BYTES.index(length)
            bits = 0x1000 | switch << 13
            yield (
                f"{head} CANFD {channel + 1:3d} {way} {number:>8}  {switch} 0 {code:x} {length:2d} "
                f"{payload} 0 0 {bits:x} 0 0 0 0 0\n"
            )
        elif flags & REMOTE:
            yield f"{head} {channel + 1}  {number:<15} {way}   r\n"
        else:
            yield f"{head} {channel + 1}  {number:<15} {way}   d {length:x} {payload}\n"


FORMAT = LogFormat("asc", "Vector ASC", (".asc",), _sniff, _read, _write)
