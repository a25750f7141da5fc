"""From columns of words to frames, with an account of every line: shared by the formats of
word-separated text. What a column is, the format says; here it is judged and put together.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protocols.frames import ERROR, EXTENDED, FD, REMOTE, Frames
from recordings.logs import LogReport, TextBlock
from recordings.tokens import BAD, Lines

_RESTART_NS = 1_000_000_000
_RESTART_FRAMES = 50
_WILD_NS = 3_600_000_000_000
_LATEST = 4_000_000_000_000_000_000
_MAX_RESTARTS = 1000
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


@dataclass(slots=True)
class Clock:
    """Makes one clock of stamps that start again. Carries over the blocks of a log.

    wrap_ns: the stamps' own period (0: none); a fall by more than half of it is a wrap. Any other
    fall of more than 1 s that lasts for the next 50 frames is a restart of the sender's clock:
    time goes on from the latest stamp before it. A single stamp an hour ahead of its neighbours is
    damaged and takes the one before it. Shorter disorder is left to `logs.repair_time`.
    """

    wrap_ns: int = 0
    offset: int = 0
    latest: int | None = None
    restarts: list[int] = field(default_factory=list)
    wild: list[int] = field(default_factory=list)

    def run(self, time: NDArray[np.int64], lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """The stamps of one block (ns) as one running time; `lines`: their line numbers."""
        if not len(time):
            return time
        time = self._tamed(time, lines)
        before = self._before(time)
        step = time - before
        wraps = (step < -self.wrap_ns // 2) if self.wrap_ns else np.zeros(len(time), np.bool_)
        jump = np.where(wraps, self.wrap_ns, 0)
        falls = np.flatnonzero((step < -_RESTART_NS) & ~wraps)
        for at in falls[:_MAX_RESTARTS].tolist():
            after = time[at : at + _RESTART_FRAMES]
            total = self.offset + int(jump[:at].sum()) - int(step[at])
            if len(after) > 2 and after.max() < before[at] - _RESTART_NS and total < _LATEST:
                jump[at] = -step[at]
                self.restarts.append(int(lines[at]))
        shift = self.offset + np.cumsum(jump)
        self.latest, self.offset = int(time[-1]), int(shift[-1])
        running: NDArray[np.int64] = time + shift
        return running

    def _before(self, time: NDArray[np.int64]) -> NDArray[np.int64]:
        """The stamp before each."""
        return np.concatenate([[time[0] if self.latest is None else self.latest], time[:-1]])

    def _tamed(self, time: NDArray[np.int64], lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """The stamps without single ones far ahead of both neighbours."""
        before = self._before(time)
        if self.latest is None and len(time) > 3 and time[0] - time[1:4].max() > _WILD_NS:
            before[0] = time[1]
        after = np.concatenate([time[1:], time[-1:]])
        near = (after - before < _WILD_NS) & (after - before > -_RESTART_NS)
        wild = (time - before > _WILD_NS) & near
        self.wild += lines[wild][:_MAX_RESTARTS].tolist()
        return np.where(wild, before, time)

    def note(self, report: LogReport) -> None:
        """Say in the report's notes where the clock started again or leapt."""
        if self.restarts:
            where = ", ".join(str(line) for line in self.restarts[:5])
            report.notes.append(
                f"the clock of the log starts again {len(self.restarts)} times (line {where}): "
                "time goes on from the latest stamp before it"
            )
        if self.wild:
            where = ", ".join(str(line) for line in self.wild[:5])
            report.notes.append(
                f"{len(self.wild)} stamps far ahead of their neighbours (line {where}) took the "
                "time before them"
            )


def frames_of(
    lines: Lines, columns: Columns, block: TextBlock, report: LogReport, clock: Clock
) -> Frames:
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
        clock.run(columns.time[good], number[good]),
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
