"""Tab-separated text of CAN testers that name their columns `ParserFlags Ch Counter T/R Time …`.

`1<tab>0<tab>1<tab>RX<tab>48659509<tab><tab>0x000001db<tab>8<tab>0xee c0 c3 … <tab>Default Parser`:
stamps in ms of a counter that runs since the tester started, ids with 8 digits for both lengths, so
one above 0x7FF is extended; flags are mostly empty. Worked out from two measured logs of Nissan
Leaf, whose 10 ms frames fix the unit. There is no date: time is relative. Reading only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from protocols.frames import EXTENDED, TRANSMITTED, Frames
from recordings.logs import LogFormat, LogReport, TextBlock, text_blocks
from recordings.tokens import (
    BAD,
    Lines,
    decimals,
    hex_numbers,
    letters,
    payloads,
    split,
    whole_numbers,
    words,
)
from recordings.word_frames import Columns, coded, flag, frames_of, numbered

_HEADER = re.compile(rb"\W*parserflags\tch\tcounter\tt/r\ttime\tflags\tcan id\tlen\tdata", re.I)
_LINE = re.compile(rb"\d+\t\d+\t\d+\t[RT]X\t\d+\t[^\t]*\t0x[0-9a-f]{1,8}\t\d+\t.*", re.I)
_MILLI = 1_000_000
_COUNTER_NS = (1 << 32) * _MILLI


def _sniff(head: bytes) -> float:
    if _HEADER.match(head):
        return 1.0
    lines = [line for line in head.splitlines()[:50] if line.strip()]
    good = sum(bool(_LINE.fullmatch(line)) for line in lines)
    return 0.9 * good / len(lines) if lines else 0.0


def _columns(lines: Lines, report: LogReport, block: TextBlock) -> Columns:
    # Blanks merge, so an empty flags column is no word: the id is the next that begins with 0x.
    plain = letters(lines, lines.word(5)) == ord("0")
    place = np.where(plain, 5, 6)
    number = hex_numbers(lines, lines.word(place))
    direction = coded(*words(lines, lines.word(3)), {"rx": 0, "tx": TRANSMITTED})
    length = whole_numbers(lines, lines.word(place + 1))
    data, good = payloads(lines, lines.word(place + 2), length, cut=block.cut)
    good &= (direction >= 0) & (number != BAD)
    names, which = words(lines, lines.word(1))
    header = coded(*words(lines, lines.word(0)), {"parserflags": 1}) == 1
    return Columns(
        decimals(lines, lines.word(4), _MILLI),
        number,
        flag(number > 0x7FF, EXTENDED) | np.maximum(direction, 0),
        numbered(names, np.where(good, which, -1), report.channels),
        length,
        data,
        good,
        header,
    )


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    report.time_reference = "relative"
    report.notes.append("the log has no date: time counts from the start of the tester")
    report.wrap_ns = _COUNTER_NS
    for block in text_blocks(path):
        lines = split(block.text)
        yield frames_of(lines, _columns(lines, report, block), block, report)


FORMAT = LogFormat("can-tester", "CAN-tester tab text", (".log",), _sniff, _read)
