"""SLCAN (LAWICEL) text as adapters send it: `t3518AC0B2800B4007008096E`, CR or LF after each line.

The text coding itself is `protocols.slcan`. Here its 16-bit millisecond stamps become time: they
wrap every 60,000 ms (CAN232 manual), or every 65,536 ms where any stamp of the log is beyond that;
`recordings.log_clock` counts the wraps. Time counts from the first stamp's zero: "relative".
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames
from protocols.slcan import encode, parse
from recordings.logs import HEAD_BYTES, LogFormat, LogReport, TextBlock, text_blocks

_FRAME = re.compile(rb"(?:[tdb][0-9A-Fa-f]{3}|[TDB][0-9A-Fa-f]{8})[0-9A-Fa-f](?:[0-9A-Fa-f]{2})*")
_REMOTE = re.compile(rb"r[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{4})?|R[0-9A-Fa-f]{9}(?:[0-9A-Fa-f]{4})?")
_CLASSIC_PERIOD, _FULL_PERIOD = 60_000, 65_536


def _sniff(head: bytes) -> float:
    lines = [line for line in re.split(rb"[\r\n\a]+", head)[:100] if line]
    lines = lines[:-1] if len(lines) > 1 else lines
    good = sum(bool(_FRAME.fullmatch(line) or _REMOTE.fullmatch(line)) for line in lines)
    return 0.9 * good / len(lines) if lines else 0.0


def _blocks(path: Path) -> Iterator[TextBlock]:
    with path.open("rb") as file:
        ends = b"\n" if b"\n" in file.read(HEAD_BYTES) else b"\r"
    return text_blocks(path, ends)


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    report.time_reference = "relative"
    report.channels[:] = ["slcan"]
    fd, highest = False, -1
    for block in _blocks(path):
        fd = fd or bool(re.search(rb"(?:^|[\r\n])[bBdD][0-9A-Fa-f]{4}", block.text))
        highest = max(highest, int(parse(block.text, fd=fd).stamp_ms.max(initial=-1)))
    if highest < 0:
        report.notes.append("the log has no time stamps: its frames are placed 1 ms apart")
    period = _FULL_PERIOD if highest >= _CLASSIC_PERIOD else _CLASSIC_PERIOD
    report.wrap_ns = 0 if highest < 0 else period * 1_000_000
    last, frames_before = 0, 0
    for block in _blocks(path):
        parsed = parse(block.text, fd=fd)
        if highest < 0:
            milli = frames_before + np.arange(len(parsed.frames), dtype=np.int64)
        else:
            milli = _held(parsed.stamp_ms, last)
            last = int(milli[-1]) if len(milli) else last
        frames_before += len(milli)
        report.lines += parsed.lines
        report.skipped += parsed.replies
        report.add_bad(parsed.bad, _bad_lines(block, fd) if parsed.bad else ())
        if block.cut:
            report.notes.append("the last line has no end")
        old = parsed.frames
        time = milli * 1_000_000
        yield Frames(time, old.id, old.flags, old.channel, old.length, old.data)


def _held(stamps: NDArray[np.int32], last: int) -> NDArray[np.int64]:
    """The stamps; a frame without one takes its forerunner's."""
    known = np.maximum.accumulate(np.where(stamps >= 0, np.arange(len(stamps)), -1))
    held: NDArray[np.int64] = np.concatenate([[last], stamps.astype(np.int64)])[known + 1]
    return held


def _bad_lines(block: TextBlock, fd: bool) -> Iterator[int]:
    """Numbers of the bad lines, found by halving."""
    lines = block.text.splitlines()
    waiting = [(0, len(lines))]
    while waiting:
        first, stop = waiting.pop()
        if not parse(b"\r".join(lines[first:stop]) + b"\r", fd=fd).bad:
            continue
        if stop - first == 1:
            yield block.first_line + first
        else:
            middle = (first + stop) // 2
            waiting += [(middle, stop), (first, middle)]


def _write(file: BinaryIO, blocks: Iterable[Frames], channels: tuple[str, ...]) -> None:
    """Lines with stamps of whole milliseconds that wrap after 60,000; error frames have no form."""
    for block in blocks:
        lines = encode(block).split(b"\r")[:-1]
        kept = block.time[(block.flags & 16) == 0] // 1_000_000 % _CLASSIC_PERIOD
        stamped = (
            b"%s%04X\r\n" % (line, milli) for line, milli in zip(lines, kept.tolist(), strict=True)
        )
        file.write(b"".join(stamped))


FORMAT = LogFormat("slcan", "SLCAN (LAWICEL) text", (".slcan", ".raw"), _sniff, _read, _write)
