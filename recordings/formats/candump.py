"""candump -L text, the log of Linux can-utils: `(1436509053.650713) can0 123#0011`.

Also the forms of CAN FD (`##` and a flags digit), remote frames (`#R`), error frames (id with bit
29 set) and the trailing direction letters R and T. Source: can-utils, lib.c and candump.c.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numba import njit
from numpy.typing import NDArray

from protocols.frames import BIT_RATE_SWITCH, ERROR, EXTENDED, FD, REMOTE, TRANSMITTED, Frames
from recordings.errors import UnreadableLog
from recordings.logs import (
    KEPT_BAD,
    RELATIVE_BEFORE_S,
    LogFormat,
    LogReport,
    TextBlock,
    in_parallel,
    line_count,
    text_blocks,
)
from recordings.textscan import (
    _HEX,
    ChannelTable,
    at_end,
    channel_of,
    line_end,
    skip_blanks,
    skip_word,
    stamp,
)

_SHORTEST_LINE = 10  # "(0.0)c 1#" and the line feed


@njit(nogil=True, cache=True)
def _usual_stamp(text: NDArray[np.uint8], at: int) -> tuple[int | np.int64, int]:
    """The stamp of nearly every line, `1436509053.650713)`, without a decision per digit.

    (ns, position of the bracket), or (-1, at) for any other form.
    """
    if at + 17 >= len(text) or text[np.uint64(at + 10)] != 46 or text[np.uint64(at + 17)] != 41:
        return -1, at
    wrong, seconds, micro = np.int64(0), np.int64(0), np.int64(0)
    for k in range(10):
        digit = np.int64(text[np.uint64(at + k)]) - 48
        wrong |= digit | (9 - digit)  # negative unless 0 <= digit <= 9
        seconds = seconds * 10 + digit
    for k in range(11, 17):
        digit = np.int64(text[np.uint64(at + k)]) - 48
        wrong |= digit | (9 - digit)
        micro = micro * 10 + digit
    if wrong < 0 or seconds > 9_000_000_000:
        return -1, at
    return seconds * 1_000_000_000 + micro * 1000, at + 17


@njit(nogil=True, cache=True, inline="always")
def _line(
    text: NDArray[np.uint8],
    at: int,
    row: int,
    time: NDArray[np.int64],
    identifier: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    length: NDArray[np.uint8],
    data: NDArray[np.uint8],
    names: NDArray[np.uint8],
    name_lengths: NDArray[np.int64],
) -> int:
    """Read the line at `at` into `row`; the position of its end, -1 when it is no frame, or -2
    when it is a CAN FD frame and there are only 8 data columns."""
    if text[np.uint64(at)] != 40:
        return -1
    ns, at = _usual_stamp(text, at + 1)
    if ns < 0:
        ns, at = stamp(text, at)
    if at < 0 or text[np.uint64(at)] != 41:
        return -1
    at = skip_blanks(text, at + 1)
    name = at
    name_end = skip_word(text, at)
    at = skip_blanks(text, name_end)
    first = at
    value = np.int64(0)
    while _HEX[text[np.uint64(at)]] < 16 and at - first < 9:
        value = (value << 4) | _HEX[text[np.uint64(at)]]
        at += 1
    digits = at - first
    if text[np.uint64(at)] != 35 or digits == 0 or digits > 8:
        return -1
    kind = 0
    if digits > 3:
        kind = EXTENDED
        if value & 0x20000000:
            kind = ERROR
            value = value & 0x1FFFFFFF
        elif value > 0x1FFFFFFF:
            return -1
    elif value > 0x7FF:
        return -1
    at += 1
    widest = 8
    if text[np.uint64(at)] == 35:
        if data.shape[1] == 8:
            return -2
        bits = _HEX[text[np.uint64(at + 1)]]
        if bits > 15:
            return -1
        kind |= FD
        if bits & 1:
            kind |= BIT_RATE_SWITCH
        widest = data.shape[1]
        at += 2
    count = 0
    if text[np.uint64(at)] == 82 and not kind & FD:
        kind |= REMOTE
        at += 1
        if _HEX[text[np.uint64(at)]] < 10:
            at += 1
    else:
        while True:
            high, low = _HEX[text[np.uint64(at)]], _HEX[text[np.uint64(at + 1)]]
            if (high | low) > 15:  # what is no digit is 255
                if high < 16:
                    return -1
                break
            if count == widest:
                return -1
            data[np.uint64(row), np.uint64(count)] = (high << 4) | low
            count += 1
            at += 2
        if (
            text[np.uint64(at)] == 95 and _HEX[text[np.uint64(at + 1)]] < 16
        ):  # _9 … _F: the raw length code
            at += 2
    if text[np.uint64(at)] == 32:
        at = skip_blanks(text, at)
        if text[np.uint64(at)] == 84:
            kind |= TRANSMITTED
            at += 1
        elif text[np.uint64(at)] == 82:
            at += 1
        at = skip_blanks(text, at)
    if not at_end(text, at):
        return -1
    number = 0  # nearly always; asked here because the call costs a tenth of the line
    if name_end - name == name_lengths[0]:
        for k in range(name_end - name):
            if text[np.uint64(name + k)] != names[0, np.uint64(k)]:
                number = -1
    else:
        number = -1
    if number < 0:
        number = channel_of(text, name, name_end, names, name_lengths)
        if number < 0:
            return -1
    time[row] = ns
    identifier[row] = value
    flags[row] = kind
    channel[row] = number
    length[row] = count
    return at


@njit(nogil=True, cache=True)
def _parse(
    text: NDArray[np.uint8],
    time: NDArray[np.int64],
    identifier: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    length: NDArray[np.uint8],
    data: NDArray[np.uint8],
    names: NDArray[np.uint8],
    name_lengths: NDArray[np.int64],
    bad_lines: NDArray[np.int64],
) -> tuple[int, int, int]:
    """All lines of `text`: frames read, bad lines (the first in bad_lines, from 0), lines.
    -1 frames: start again with 64 data columns."""
    at = row = bad = line = 0
    while at < len(text):
        start = skip_blanks(text, at)
        if at_end(text, start):
            at = line_end(text, start)
            line += 1
            continue
        end = _line(
            text,
            start,
            row,
            time,
            identifier,
            flags,
            channel,
            length,
            data,
            names,
            name_lengths,
        )
        if end == -2:
            return -1, 0, 0
        if end >= 0:
            row += 1
            at = end + 1 if text[end] == 10 else end + 2
        else:
            for k in range(data.shape[1]):
                data[row, k] = 0
            if bad < len(bad_lines):
                bad_lines[bad] = line
            bad += 1
            at = line_end(text, start)
        line += 1
    return row, bad, line


def _sniff(head: bytes) -> float:
    lines = [line.split() for line in head.splitlines()[:50] if line.strip()]
    good = sum(
        len(words) >= 3 and words[0][:1] == b"(" and words[0][-1:] == b")" and b"#" in words[2]
        for words in lines
    )
    return good / len(lines) if lines else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Parsed:
    frames: Frames
    lines: int
    bad: int
    bad_lines: list[int]
    channels: list[str]
    cut: int


def _parse_block(block: TextBlock) -> _Parsed:
    """One block by itself, so that several can be read at once."""
    table = ChannelTable()
    bad_lines = np.zeros(KEPT_BAD, np.int64)
    rows = min(line_count(block.text), len(block.text) // _SHORTEST_LINE + 1) + 1
    text = np.frombuffer(block.text, np.uint8)
    found = -1
    for width in (8, 64):
        columns = (
            np.empty(rows, np.int64),
            np.empty(rows, np.uint32),
            np.empty(rows, np.uint8),
            np.empty(rows, np.uint8),
            np.empty(rows, np.uint8),
            np.zeros((rows, width), np.uint8),
        )
        found, bad, lines = _parse(text, *columns, table.names, table.lengths, bad_lines)
        if found >= 0:
            break
    first_bad = (bad_lines[:bad] + block.first_line).tolist()
    cut = block.first_line if block.cut else 0
    return _Parsed(Frames(*columns)[:found], lines, bad, first_bad, table.texts(), cut)


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    for parsed in in_parallel(_parse_block, text_blocks(path)):
        report.lines += parsed.lines
        report.add_bad(parsed.bad, parsed.bad_lines)
        frames = _renumbered(parsed.frames, parsed.channels, report.channels)
        report.cut_line = parsed.cut
        if not report.frames and len(frames) and frames.time[0] < RELATIVE_BEFORE_S * 10**9:
            report.time_reference = "relative"
        yield frames


def _renumbered(frames: Frames, names: list[str], known: list[str]) -> Frames:
    """The block's own channel numbers brought to those of the whole log; `known` grows."""
    known += [name for name in names if name not in known]
    numbers = np.array([known.index(name) for name in names], np.int64)
    if np.array_equal(numbers, np.arange(len(names))):
        return frames
    if len(known) > 256:
        raise UnreadableLog("the log names more than 256 channels")
    channel = numbers[frames.channel].astype(np.uint8)
    return Frames(frames.time, frames.id, frames.flags, channel, frames.length, frames.data)


def _write(file: BinaryIO, blocks: Iterable[Frames], channels: tuple[str, ...]) -> None:
    """candump stamps have microseconds: the rest of the nanoseconds is cut off."""
    for block in blocks:
        file.write("".join(_lines(block, channels)).encode())


def _lines(block: Frames, channels: tuple[str, ...]) -> Iterator[str]:
    digits = np.ascontiguousarray(block.data).tobytes().hex().upper()
    stride = 2 * block.width
    columns = (block.time // 1000, block.id, block.flags, block.channel, block.length)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    names = [channels[k] if k < len(channels) else f"can{k}" for k in range(256)]
    for row, (micro, identifier, flags, channel, length) in enumerate(rows):
        if flags & ERROR:
            number = f"{identifier | 0x20000000:08X}"
        else:
            number = f"{identifier:08X}" if flags & EXTENDED else f"{identifier:03X}"
        payload = digits[row * stride : row * stride + 2 * length]
        if flags & FD:
            payload = f"#{1 if flags & BIT_RATE_SWITCH else 0}{payload}"
        elif flags & REMOTE:
            payload = "R"
        end = " T\n" if flags & TRANSMITTED else "\n"
        seconds, part = divmod(micro, 1_000_000)
        yield f"({seconds}.{part:06d}) {names[channel]} {number}#{payload}{end}"


FORMAT = LogFormat("candump", "candump -L (can-utils)", (".log",), _sniff, _read, _write)
