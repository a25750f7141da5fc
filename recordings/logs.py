"""What reading a log hands over: blocks of frames, and an honest account of the reading.

The words that all modules of `recordings.formats` share. No format's knowledge lives here.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames, concatenate, empty_frames
from recordings.errors import UnreadableLog
from recordings.log_clock import DAMAGED, RESTART, StampClock

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 64 << 10
HEAD_BYTES = 64 << 10
KEPT_BAD = 20
MAX_MARKS = 100
_LATEST_NS = 4_000_000_000_000_000_000
RELATIVE_BEFORE_S = 100_000_000
"""A log whose first stamp lies before March 1973 counts from its own start, not from 1970."""


@dataclass(slots=True)
class LogReport:
    """Grows while a log is read; complete after its last block.

    lines: lines or objects seen; bad: those that could not be read, the numbers of the first ones
    in bad_lines (from 1); skipped: known ones that are no frames; backwards: frames whose time
    was before an earlier frame's (see `repair_time`); damaged, restarts: frames whose stamp was not
    believed, and at which the clock of the log began again (see `log_clock`); implausible: values
    of a table of samples that cannot be true and were left unknown; truncated: one
    sentence, or ""; cut_line: the reader's word that the next block comes from this last line
    alone, which has no end; wrap_ns: the reader's word on the period of its stamps, 0 for none;
    marks: where time was repaired, as (time ns, kind, text) of events, the first 100.
    """

    format: str
    time_reference: str = "utc"
    lines: int = 0
    bad: int = 0
    bad_lines: list[int] = field(default_factory=list)
    skipped: int = 0
    frames: int = 0
    backwards: int = 0
    truncated: str = ""
    cut_line: int = 0
    channels: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damaged: int = 0
    restarts: int = 0
    implausible: int = 0
    wrap_ns: int = 0
    marks: list[tuple[int, str, str]] = field(default_factory=list)

    def mark(self, time: int, kind: str, text: str) -> None:
        """Remember where something was repaired; beyond the limit it is only counted."""
        if len(self.marks) < MAX_MARKS:
            self.marks.append((time, kind, text))

    def add_bad(self, count: int, first: Iterable[int]) -> None:
        """Count bad lines; `first` are the numbers of the first of them."""
        self.bad += count
        room = KEPT_BAD - len(self.bad_lines)
        self.bad_lines += [int(number) for number, _ in zip(first, range(room), strict=False)]


@dataclass(frozen=True, slots=True)
class LogReader:
    """An opened log: iterate once over its blocks of frames, then look at `report`.

    Raises UnreadableLog at the end when there was not a single frame.
    """

    path: Path
    report: LogReport
    blocks: Iterator[Frames]

    def __iter__(self) -> Iterator[Frames]:
        repair = _TimeRepair(self.report)
        for block in self._whole():
            yield from repair.push(block)
        yield from repair.push(empty_frames(), final=True)
        repair.tell()
        if not self.report.frames:
            raise UnreadableLog(f"{self.path} holds no CAN frame{_why(self.report)}")

    def _whole(self) -> Iterator[Frames]:
        """The blocks without a last line that was torn."""
        before: Frames | None = None
        for block in self.blocks:
            if not len(block):
                continue
            if self.report.cut_line and _is_torn(block, before):
                self.report.add_bad(1, [self.report.cut_line])
                where = f"the last line ({self.report.cut_line})"
                self.report.truncated = f"{where} is not complete and was left out"
                continue
            before = block
            self.report.frames += len(block)
            yield block


class _TimeRepair:
    """The rules of `log_clock` and `repair_time` over the blocks of one log, with their account."""

    def __init__(self, report: LogReport) -> None:
        self._report = report
        self._clock: StampClock | None = None
        self._waiting: Frames | None = None
        self._last = int(np.iinfo(np.int64).min)
        self._count = 0
        self._places: dict[int, list[int]] = {DAMAGED: [], RESTART: []}

    def push(self, block: Frames, final: bool = False) -> Iterator[Frames]:
        """The frames whose time is settled now."""
        if self._waiting is not None:
            block = concatenate([self._waiting, block])
        if self._clock is None:
            self._clock = StampClock(self._report.wrap_ns)  # the reader has spoken by now
        time, kind = self._clock.run(block.time, final)
        settled = len(time)
        self._waiting = block[settled:] if settled < len(block) else None
        if settled:
            done = block[:settled]
            columns = (done.id, done.flags, done.channel, done.length, done.data)
            done, self._last = repair_time(Frames(time, *columns), self._last, self._report)
            if kind.any():
                self._account(done.time, kind)
            self._count += settled
            yield done

    def _account(self, time: NDArray[np.int64], kind: NDArray[np.uint8]) -> None:
        report = self._report
        for which, word, sentence in (
            (
                DAMAGED,
                "time-repaired",
                "the stamp of frame {n} was damaged: the one before is used",
            ),
            (RESTART, "clock-step", "the clock of the log starts again at frame {n}"),
        ):
            at = np.flatnonzero(kind == which)
            self._places[which] += (at[:KEPT_BAD] + self._count + 1).tolist()
            runs = at[np.diff(at, prepend=-2) > 1][:MAX_MARKS]
            for k in runs.tolist():
                report.mark(int(time[k]), word, sentence.format(n=k + self._count + 1))
        report.damaged += int(np.count_nonzero(kind == DAMAGED))
        report.restarts += int(np.count_nonzero(kind == RESTART))

    def tell(self) -> None:
        """Say in the report's notes what was repaired."""
        report = self._report
        if report.restarts:
            report.notes.append(
                f"the clock of the log starts again {_times(report.restarts)} "
                f"({_frames(self._places[RESTART])}): time goes on from the latest stamp before it"
            )
        if report.damaged:
            report.notes.append(
                f"{report.damaged} damaged stamps far from their neighbours "
                f"({_frames(self._places[DAMAGED])}) took the time before them"
            )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _frames(places: list[int]) -> str:
    more = " …" if len(places) > 5 else ""
    return f"frame {', '.join(str(n) for n in places[:5])}{more}"


@dataclass(frozen=True, slots=True)
class LogFormat:
    """One kind of log.

    sniff(head) judges the first 64 KiB, 0..1; read(path, report) yields blocks and fills the
    report; write(file, blocks, channels) writes blocks, None where it cannot be written.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], float]
    read: Callable[[Path, LogReport], Iterator[Frames]]
    write: Callable[[BinaryIO, Iterable[Frames], tuple[str, ...]], None] | None = None


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Whole lines of a text log, each with its end. `cut`: the file's last line, which had none."""

    text: bytes
    first_line: int
    cut: bool = False


def repair_time(block: Frames, last: int, report: LogReport) -> tuple[Frames, int]:
    """The rule for time that runs backwards: the order of the frames is kept, their time is raised
    to the latest seen before, and each such frame is counted. Returns the block and its end."""
    time = np.maximum.accumulate(np.maximum(block.time, last))
    raised = np.flatnonzero(time != block.time)
    if len(raised):
        report.backwards += len(raised)
        for k in raised[np.diff(time[raised], prepend=-1) != 0][:MAX_MARKS].tolist():
            report.mark(int(time[k]), "time-repaired", "stamps that run backwards were raised")
        block = Frames(time, block.id, block.flags, block.channel, block.length, block.data)
    return block, int(time[-1])


def text_blocks(path: Path, ends: bytes = b"\n") -> Iterator[TextBlock]:
    """The file as blocks of whole lines. Of a line beyond 64 KiB only the beginning is kept, so
    that it is one bad line and never fills the memory."""
    rest, line = b"", 1
    with path.open("rb") as file:
        while piece := file.read(BLOCK_BYTES):
            end = piece.rfind(ends) + 1
            if not end:
                rest = (rest + piece)[:MAX_LINE_BYTES]
                continue
            text = b"".join((rest, memoryview(piece)[:end]))  # one copy, not two
            rest = piece[end:][:MAX_LINE_BYTES]
            yield TextBlock(text, line)
            line += line_count(text) if ends == b"\n" else text.count(ends)
    if rest.strip():
        yield TextBlock(rest + ends, line, True)


def in_parallel(
    work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int = 2
) -> Iterator[_Result]:
    """The results of `work` in the order of the items, a few of them worked on ahead of time.

    For work that releases the GIL; memory stays bounded by a few items per thread.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="log") as pool:
        jobs: deque[Future[_Result]] = deque()
        for item in items:
            jobs.append(pool.submit(work, item))
            if len(jobs) > 2 * threads:
                yield jobs.popleft().result()
        while jobs:
            yield jobs.popleft().result()


def is_date(ns: int) -> bool:
    """Whether a header's moment (ns since 1970) is one: from 1970 to 2096, so that it fits with
    room for what is added to it."""
    return 0 <= ns < _LATEST_NS


def line_count(text: bytes) -> int:
    """Line feeds in `text`."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == 10))


def _is_torn(cut: Frames, before: Frames | None) -> bool:
    """A last line without its end may be a torn frame that looks whole: it counts only when the
    same id was seen with the same length shortly before."""
    if before is None:
        return False
    return not bool(np.any((before.id == cut.id[-1]) & (before.length == cut.length[-1])))


def _why(report: LogReport) -> str:
    if report.bad:
        where = f"the first at {report.bad_lines[0]}" if report.bad_lines else "all over"
        return f" ({report.bad} of {report.lines} lines are not {report.format}, {where})"
    return f": {report.truncated}" if report.truncated else ""
