"""OVMS CRTD: `1542473901.020305 1R11 213 00 00 00 00 c0 01 00 00`. Reading only.

Stamp in seconds, a type (bus number, R or T, 11 or 29), id, bytes; all other record types are
comments, events or commands and are skipped, as the format asks. Source: OVMS documentation,
"CRTD CAN Log Format" 1.0 to 3.1.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from protocols.frames import EXTENDED, TRANSMITTED, Frames
from recordings.logs import RELATIVE_BEFORE_S, LogFormat, LogReport, TextBlock, text_blocks
from recordings.tokens import BAD, Lines, decimals, hex_numbers, payloads, split, words
from recordings.word_frames import Columns, coded, frames_of, numbered

_LINE = re.compile(
    rb"\d+\.\d+ (?:\d*[RT](?:11|29) [0-9a-f]{1,8}(?: [0-9a-f]{1,2}){0,8}\s*|\d*C[A-Z]{2}\b.*)", re.I
)
_FRAME = re.compile(r"(\d{0,3})([RT])(11|29)", re.I)
_OTHER = re.compile(r"\d{0,3}[A-Z][A-Z0-9]{2,5}", re.I)


def _sniff(head: bytes) -> float:
    lines = [line for line in head.splitlines()[:50] if line.strip()]
    good = sum(bool(_LINE.fullmatch(line)) for line in lines)
    return good / len(lines) if lines else 0.0


def _columns(lines: Lines, report: LogReport, block: TextBlock) -> Columns:
    names, which = words(lines, lines.word(1))
    types = [_FRAME.fullmatch(name) for name in names]
    found = zip(names, types, strict=True)
    flags_of = {
        name.lower(): (EXTENDED if kind[3] == "29" else 0) | (TRANSMITTED if kind[2] in "Tt" else 0)
        for name, kind in found
        if kind
    }
    flags = coded(names, which, flags_of)
    other = coded(names, which, {name.lower(): 1 for name in names if _OTHER.fullmatch(name)})
    time = decimals(lines, lines.word(0))
    number = hex_numbers(lines, lines.word(2))
    length = np.where(flags >= 0, lines.count - 3, -1)
    data, good = payloads(lines, lines.word(3), np.minimum(length, 9), cut=block.cut)
    good &= (number != BAD) & (length <= 8)
    if block.cut and not length.all():
        good[-1] = False
    # Without its end a line of 8 bytes is a whole frame; of a shorter one nobody knows, and one
    # without any may stop within its id.
    report.cut_line = block.first_line if block.cut and not np.all(length == 8) else 0
    buses = [str(int(kind[1] or 1)) if kind else "" for kind in types]
    return Columns(
        time,
        number,
        np.maximum(flags, 0),
        numbered(buses, np.where(good, which, -1), report.channels),
        length,
        data[:, :8],
        good,
        (flags < 0) & (other == 1) & (time != BAD),
    )


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    for block in text_blocks(path):
        lines = split(block.text)
        frames = frames_of(lines, _columns(lines, report, block), block, report)
        if len(frames) and not report.frames and frames.time[0] < RELATIVE_BEFORE_S * 10**9:
            report.time_reference = "relative"
        yield frames


FORMAT = LogFormat("crtd", "OVMS CRTD", (".crtd",), _sniff, _read)
