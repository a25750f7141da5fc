"""Battery-Emulator's CAN log: `(12.345) RX0 1DB [8] EE C0 C3 EA 00 F7 61 9B`. Reading only.

Stamps are seconds since the device started, in ms. Each interface has two numbers, even for RX
and odd for TX. Ids of 8 digits are extended, and those that need more than 11 bits; newer versions
write `rx`/`tx` small for classic CAN and large for CAN FD. Source: Battery-Emulator, comm_can.cpp.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from protocols.frames import EXTENDED, FD, TRANSMITTED, Frames
from recordings.logs import HEAD_BYTES, LogFormat, LogReport, TextBlock, text_blocks
from recordings.tokens import (
    BAD,
    Lines,
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

_LINE = re.compile(
    rb"\s*\(\d+\.\d+\)\s+[rt]x\d+\s+[0-9a-f]{1,8}\s+\[\d{1,2}\](?:\s+[0-9a-f]{1,2})*\s*", re.I
)
_SMALL = re.compile(rb"\)\s+[rt]x\d")
_WAY = re.compile(r"([rt])x(\d{1,3})", re.I)


def _sniff(head: bytes) -> float:
    lines = [line for line in head.splitlines()[:50] if line.strip()]
    good = sum(bool(_LINE.fullmatch(line)) for line in lines)
    return good / len(lines) if lines else 0.0


def _columns(lines: Lines, tells_fd: bool, report: LogReport, block: TextBlock) -> Columns:
    number = hex_numbers(lines, lines.word(2))
    wide = (sizes(lines, lines.word(2)) > 3) | (number > 0x7FF)
    names, which = words(lines, lines.word(1))
    ways = [_WAY.fullmatch(name) for name in names]
    buses = [str(int(way[2]) // 2) if way else "" for way in ways]
    sent = {
        name.lower(): TRANSMITTED if way[1].lower() == "t" else 0
        for name, way in zip(names, ways, strict=True)
        if way
    }
    direction = coded(names, which, sent)
    large = np.isin(letters(lines, lines.word(1)), (ord("R"), ord("T")))
    length = whole_numbers(unbracketed(lines, lines.word(3)), lines.word(3))
    data, good = payloads(lines, lines.word(4), length, cut=block.cut)
    good &= (direction >= 0) & (number != BAD) & (letters(lines, lines.word(0)) == ord("("))
    good &= letters(lines, lines.word(3)) == ord("[")
    return Columns(
        decimals(lines, lines.word(0)),
        number,
        flag(wide, EXTENDED) | np.maximum(direction, 0) | flag(tells_fd & large, FD),
        numbered(buses, np.where(good, which, -1), report.channels),
        length,
        data,
        good,
        np.zeros(len(lines), np.bool_),
    )


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    report.time_reference = "relative"
    report.notes.append("the log has no date: time counts from the start of the device")
    with path.open("rb") as file:
        tells_fd = bool(_SMALL.search(file.read(HEAD_BYTES)))
    for block in text_blocks(path):
        lines = split(block.text)
        yield frames_of(lines, _columns(lines, tells_fd, report, block), block, report)


FORMAT = LogFormat("battery-emulator", "Battery-Emulator text", (".txt",), _sniff, _read)
