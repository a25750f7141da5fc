"""CANHacker traces (also `.trc`, but nothing like PEAK's): tab-separated lines. Reading only.

`26,641405<tab>1<tab>00000004<tab>112<tab>8<tab>00 20 C1 …<tab>00000000<tab>text`: seconds and
microseconds (version 2 of `@ TEXT @ 2`: milliseconds) since the trace began, channel, flags, id (3
or 8 hex digits), length, data. Lines end with CR, LF or both. Worked out from a measured trace and
SavvyCAN (framefileio.cpp, CARBUS Analyzer), which writes the microseconds without leading zeros;
what the two flag words mean is not known, so they are not used. There is no date: time is relative.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from protocols.frames import EXTENDED, Frames, empty_frames
from recordings.logs import HEAD_BYTES, LogFormat, LogReport, text_blocks

_LINE = re.compile(
    rb"(\d{1,9}),(\d{1,6})\t(\d{1,3})\t[0-9A-Fa-f]{4,8}\t([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})\t([0-8])\t"
    rb"((?:[0-9A-Fa-f]{2} ?)*) *(?:\t.*)?",
    re.S,
)


def _sniff(head: bytes) -> float:
    lines = [line for line in re.split(rb"[\r\n]+", head)[:50] if line]
    found = [line for line in lines if line[:1] not in b"@#"][:-1]
    good = sum(bool(_LINE.fullmatch(line)) for line in found)
    return good / len(found) if found else 0.0


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    report.time_reference = "relative"
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    ends = b"\n" if b"\n" in head else b"\r"
    part_ns = 1_000_000 if re.match(rb"\s*@ TEXT @ [12] @", head) else 1000
    numbers: dict[bytes, int] = {}
    for block in text_blocks(path, ends):
        lines = block.text.split(ends)
        frames = empty_frames(len(lines))
        row = 0
        for number, line in enumerate(lines, block.first_line):
            line = line.strip(b"\r\n")
            if not line:
                continue
            report.lines += 1
            if line[:1] in b"@#":
                report.skipped += 1
                continue
            match = _LINE.fullmatch(line)
            payload = bytes.fromhex(match[6].decode()) if match else b""
            identifier = int(match[4], 16) if match else 0
            extended = match is not None and len(match[4]) == 8
            if (
                match is None
                or len(payload) != int(match[5])
                or identifier > (0x1FFFFFFF if extended else 0x7FF)
                or numbers.setdefault(match[3], len(numbers)) > 255
            ):
                report.add_bad(1, [number])
                continue
            frames.time[row] = int(match[1]) * 1_000_000_000 + int(match[2]) * part_ns
            frames.id[row], frames.flags[row] = identifier, EXTENDED if extended else 0
            frames.channel[row], frames.length[row] = numbers[match[3]], len(payload)
            frames.data[row, : len(payload)] = np.frombuffer(payload, np.uint8)
            row += 1
        report.channels[:] = [name.decode() for name in numbers]
        report.cut_line = block.first_line if block.cut else 0
        yield frames[:row]


FORMAT = LogFormat("canhacker", "CANHacker trace", (".trc",), _sniff, _read)
