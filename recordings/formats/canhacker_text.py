"""CANHacker's saved text: `04.060 12B 8 36 47 19 43 01 00 00 80` below `Time ID DLC Data Comment`.

Seconds (point or comma) since the start, or whole microseconds; ids of 8 digits are extended. The
stamps of the usual adapters wrap after a minute. There is no date: time is relative. Source:
SavvyCAN, framefileio.cpp. Its traces with `@ TEXT @` are another format. Reading only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from protocols.frames import EXTENDED, REMOTE, Frames
from recordings.logs import HEAD_BYTES, LogFormat, LogReport, TextBlock, text_blocks
from recordings.tokens import (
    BAD,
    Lines,
    decimals,
    hex_numbers,
    payloads,
    sizes,
    split,
    whole_numbers,
    words,
)
from recordings.word_frames import Columns, coded, flag, frames_of

_HEADER = re.compile(rb"\W*time\s+id\s+(?:dlc|len)\s+data\b", re.I)
_LINE = re.compile(
    rb"\s*(\d+(?:[.,]\d+)?)\s+(?:[0-9a-f]{3,4}|[0-9a-f]{8})\s+[0-8](?:\s+[0-9a-f]{2}){0,8}(?:\s.*)?",
    re.I,
)
_MICRO, _SECOND = 1000, 1_000_000_000


def _sniff(head: bytes) -> float:
    if _HEADER.match(head):
        return 0.95
    lines = [line for line in head.splitlines()[:50] if line.strip()]
    good = sum(bool(_LINE.fullmatch(line)) for line in lines)
    return 0.6 * good / len(lines) if lines else 0.0


def _stamps(path: Path) -> tuple[int, int]:
    """(ns of the stamps' unit, ns of their period or 0), by the log's first lines."""
    with path.open("rb") as file:
        found = [_LINE.fullmatch(line) for line in file.read(HEAD_BYTES).splitlines()]
    stamps = [match[1].replace(b",", b".") for match in found if match]
    if not any(b"." in stamp for stamp in stamps):
        return _MICRO, 0
    return _SECOND, 60 * _SECOND if max(map(float, stamps)) < 60 else 0


def _columns(lines: Lines, unit: int, block: TextBlock) -> Columns:
    number = hex_numbers(lines, lines.word(1))
    digits = sizes(lines, lines.word(1))
    length = whole_numbers(lines, lines.word(2))
    remote = coded(*words(lines, lines.word(3)), {"rtr": 1, "remote": 1}) == 1
    data, good = payloads(lines, lines.word(3), np.where(remote, 0, length), cut=block.cut)
    good &= (number != BAD) & (length <= 8)
    header = coded(*words(lines, lines.word(0)), {"time": 1}) == 1
    extended = (digits == 8) | (number > 0x7FF)
    return Columns(
        decimals(lines, lines.word(0), unit),
        number,
        flag(extended, EXTENDED) | flag(remote, REMOTE),
        np.zeros(len(lines), np.int64),
        length,
        data,
        good,
        header,
    )


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    report.time_reference = "relative"
    report.notes.append("the log has no date: time counts from its start")
    unit, period = _stamps(path)
    report.wrap_ns = period
    for block in text_blocks(path):
        lines = split(block.text)
        yield frames_of(lines, _columns(lines, unit, block), block, report)


FORMAT = LogFormat("canhacker-text", "CANHacker text", (".txt", ".log"), _sniff, _read)
