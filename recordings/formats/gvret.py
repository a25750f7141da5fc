"""GVRET / SavvyCAN CSV: `Time Stamp,ID,Extended,Dir,Bus,LEN,D1,…,D8`. Reading only.

Columns are found by the header's names, so `Dir` and `Bus` may be missing and a comma may end the
lines. Stamps are microseconds, mostly of a counter of 32 bits in the adapter: they wrap, may be
negative, and start again; above 10^14 they count from 1970. Loggers that leave `Bus` out print
milliseconds. Source: SavvyCAN (framefileio.cpp) and GVRET's own output.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols.frames import EXTENDED, TRANSMITTED, Frames
from recordings.logs import HEAD_BYTES, LogFormat, LogReport, TextBlock, text_blocks
from recordings.tokens import (
    BAD,
    Lines,
    decimals,
    hex_numbers,
    payloads,
    split,
    whole_numbers,
    words,
)
from recordings.word_frames import Columns, coded, flag, frames_of, numbered

_HEADER = re.compile(
    rb"^\W*time ?stamp\s*,\s*id\s*,\s*extended\s*,[^\r\n]*\bd1\b[^\r\n]*", re.I | re.M
)
_MICRO, _MILLI, _SECOND = 1000, 1_000_000, 1_000_000_000
_SINCE_1970_NS = 10**14 * _MICRO
_COUNTER_NS = (1 << 32) * _MICRO


def _sniff(head: bytes) -> float:
    return 1.0 if _HEADER.match(head) else 0.0


def _places(path: Path) -> dict[str, int]:
    """Column numbers by lower-case name; the usual ones where the header is missing."""
    with path.open("rb") as file:
        header = _HEADER.search(file.read(HEAD_BYTES))
    usual = "time stamp,id,extended,dir,bus,len,d1"
    text = header[0].decode("latin-1").lower() if header else usual
    names = [re.sub(r"[^a-z0-9]", "", name) for name in text.split(",")]
    return {name: k for k, name in enumerate(names)}


def _unit(path: Path, places: dict[str, int]) -> int:
    """Nanoseconds of the stamps' unit: seconds where they have a fraction."""
    with path.open("rb") as file:
        rows = file.read(HEAD_BYTES).splitlines()[1:50]
    if sum(b"." in row.split(b",", 1)[0] for row in rows) * 2 > len(rows):
        return _SECOND
    return _MICRO if "bus" in places else _MILLI


def _columns(
    lines: Lines, places: dict[str, int], unit: int, report: LogReport, block: TextBlock
) -> Columns:
    def column(name: str) -> NDArray[np.int64]:
        return lines.word(places.get(name, -1))

    number = hex_numbers(lines, column("id"))
    kinds = {"true": EXTENDED, "1": EXTENDED, "false": 0, "0": 0}
    kind = coded(*words(lines, column("extended")), kinds)
    # A wide id says more than a logger's flag that is always false.
    flags = flag((kind > 0) | (number > 0x7FF), EXTENDED)
    if "dir" in places:
        way = coded(*words(lines, column("dir")), {"rx": 0, "tx": TRANSMITTED, "": 0})
    else:
        way = np.zeros(len(lines), np.int64)
    length = whole_numbers(lines, column("len"))
    data, good = payloads(lines, column("d1"), length, cut=block.cut)
    good &= (kind >= 0) & (way >= 0) & (number != BAD)
    if "bus" in places:
        names, which = words(lines, column("bus"))
    else:
        names, which = ["0"], np.zeros(len(lines), np.int64)
    header = coded(*words(lines, lines.word(0)), {"time stamp": 1, "timestamp": 1}) == 1
    return Columns(
        decimals(lines, column("timestamp"), unit),
        number,
        flags | np.maximum(way, 0),
        numbered(names, np.where(good, which, -1), report.channels),
        length,
        data,
        good,
        header & (lines.number == 0) & (block.first_line == 1),
    )


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    places = _places(path)
    unit = _unit(path, places)
    report.wrap_ns = _COUNTER_NS if unit == _MICRO else 0
    start: int | None = None
    if unit == _MILLI:
        report.notes.append("there is no column Bus: the stamps are taken as milliseconds")
    for block in text_blocks(path):
        lines = split(block.text, b",", merge=False)
        frames = frames_of(lines, _columns(lines, places, unit, report, block), block, report)
        if start is None and len(frames):
            start = int(frames.time[0])
            report.time_reference = "utc" if start > _SINCE_1970_NS else "relative"
            if start < 0:
                report.notes.append("the stamps begin below zero: time counts from the first frame")
        shift = min(start or 0, 0)
        time = frames.time - shift
        yield Frames(time, frames.id, frames.flags, frames.channel, frames.length, frames.data)


FORMAT = LogFormat("gvret", "GVRET / SavvyCAN CSV", (".csv",), _sniff, _read)
