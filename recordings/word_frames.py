"""From columns of words to frames, with an account of every line: shared by the formats of
word-separated text. What a column is, the format says; here it is judged and put together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.frames import ERROR, EXTENDED, FD, REMOTE, Frames
from recordings.logs import LogReport, TextBlock
from recordings.tokens import BAD, Lines

_MAX_CHANNELS = 256
_BYTE_ORDER_MARK = "\xef\xbb\xbf"
_LENGTHS = np.zeros(65, np.bool_)
_LENGTHS[[*range(9), 12, 16, 20, 24, 32, 48, 64]] = True


@dataclass(slots=True, eq=False)
class Columns:
    """One value per line: time ns (BAD: unreadable), id, flags, channel (-1: unreadable), length
    and payload; good: the format's own word on the line; known: no frame, but nothing wrong."""

    time: NDArray[np.int64]
    id: NDArray[np.int64]
    flags: NDArray[np.int64]
    channel: NDArray[np.int64]
    length: NDArray[np.int64]
    data: NDArray[np.uint8]
    good: NDArray[np.bool_]
    known: NDArray[np.bool_]


def frames_of(lines: Lines, columns: Columns, block: TextBlock, report: LogReport) -> Frames:
    """The good lines as frames; all others counted as known or bad, with their numbers. Each line
    that is not `known` counts."""
    is_error = (columns.flags & ERROR) != 0
    highest = np.where((columns.flags & EXTENDED) != 0, 0x1FFFFFFF, 0x7FF)
    good = columns.good & ~columns.known & (columns.time != BAD)
    good &= (columns.id >= 0) & (columns.id <= np.where(is_error, 0x1FFFFFFF, highest))
    good &= (columns.channel >= 0) & (columns.length >= 0) & (columns.length <= 64)
    good &= _LENGTHS[np.clip(columns.length, 0, 64)]
    number = lines.number + block.first_line
    bad = ~good & ~columns.known
    report.lines += len(lines)
    report.skipped += int(np.count_nonzero(columns.known))
    report.add_bad(int(np.count_nonzero(bad)), number[bad].tolist())
    length = np.where((columns.flags & REMOTE) != 0, 0, columns.length)
    flags = columns.flags | np.where(length > 8, FD, 0)
    return Frames(
        columns.time[good],
        columns.id[good].astype(np.uint32),
        flags[good].astype(np.uint8),
        columns.channel[good].astype(np.uint8),
        length[good].astype(np.uint8),
        columns.data[good],
    )


def flag(condition: NDArray[np.bool_], bits: int) -> NDArray[np.int64]:
    """`bits` where the condition holds, else 0."""
    return np.where(condition, bits, 0).astype(np.int64)


def numbered(names: list[str], which: NDArray[np.int64], known: list[str]) -> NDArray[np.int64]:
    """Channel numbers of the log for names met in a block; `known` grows to 256 at most, lines
    with yet another name get -1."""
    numbers = np.full(len(names) + 1, -1, np.int64)
    met, at = np.unique(which[which >= 0], return_index=True)
    for k in met[np.argsort(at)].tolist():
        if names[k] not in known and len(known) < _MAX_CHANNELS:
            known.append(names[k])
        if names[k] in known:
            numbers[k] = known.index(names[k])
    return numbers[which]


def coded(names: list[str], which: NDArray[np.int64], codes: dict[str, int]) -> NDArray[np.int64]:
    """The code of each line's word (lower case); -1 for a word that has none."""
    plain = [name.removeprefix(_BYTE_ORDER_MARK).lower() for name in names]
    table = np.array([*(codes.get(name, -1) for name in plain), -1], np.int64)
    return table[which]
