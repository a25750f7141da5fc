"""Frames to recordings: the one piece of code behind Stop, import and repair.

A stream of frame blocks and events goes in, verified HDF5 files come out (several when the pack was
changed at a gap). `python -m bms_studio.build JOURNAL TARGET` builds a journal in a process of its
own, printing progress as JSON lines. No Qt, no adapter.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bms_studio.continuity import Continuity
from bms_studio.interpret import Interpretation, Request, interpret
from bms_studio.pipeline import Pipeline, Rows
from bms_studio.signal_rows import signal_rows
from bms_studio.timeline import Event
from protocols.decode import compile_messages
from protocols.frames import Frames, concatenate
from protocols.layout import Layout
from protocols.roles import fields
from protocols.signals import Message
from recordings.layout import RecordingAttributes
from recordings.writer import RecordingWriter, Written

# Frames looked at before their meaning is settled: at most this many, or this much time.
_HEAD_FRAMES = 400_000
_HEAD_NS = 60_000_000_000
_BLOCK = 1 << 18
# After these the other side of a gap may be another pack; a disk that was full changes no pack.
LINK_GAPS = ("gap", "lost", "suspend")

# No adapter stamps better than this; exact ages would be two thirds of the file, all of it noise.
AGE_STEP_S = np.float32(2.0**-14)

_TARGETS = {"cell": "cells", "probe": "temperatures", "balancing": "balancing"}


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One station of the stream: a block of frames, or an event."""

    frames: Frames | None = None
    event: Event | None = None


@dataclass(slots=True)
class Built:
    """What was made: one entry per file; the meaning found (None: no BMS data); pack changes."""

    files: list[Written] = field(default_factory=list)
    meaning: Interpretation | None = None
    changes: list[str] = field(default_factory=list)
    first_ns: int = 0
    last_ns: int = 0
    frames: int = 0


def build(
    items: Iterable[Item],
    target: Path,
    attributes: RecordingAttributes,
    request: Request,
    *,
    channels: tuple[str, ...] = (),
    signals: bool = False,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Built:
    """Build `target` (and `target`-2 … where another pack was connected after a gap).

    signals: also write every signal of the databases to /signals/<message>.
    progress(0..1) speaks of verification only: the source knows its own. Raises what the source and
    the writer raise; then no file is left half done.
    """
    stream = iter(items)
    head, meaning = _settle(stream, request)
    built = Built(meaning=meaning)

    def open_writer(path: Path) -> RecordingWriter:
        found = attributes
        if meaning is not None:
            found = replace(
                attributes,
                protocol=meaning.mapping.protocol,
                protocol_confidence=meaning.confidence,
                protocol_runner_up=meaning.runner_up,
                databases=tuple((d.name, d.text) for d in meaning.databases if d.text),
            )
        writer = RecordingWriter(path, found, progress=progress, cancelled=cancelled)
        writer.channels(channels)
        return writer

    _Builder(built, target, open_writer, meaning, signals).run(_blocks(head, stream))
    return built


def _settle(stream: Iterator[Item], request: Request) -> tuple[list[Item], Interpretation | None]:
    """The first items and the meaning of their frames."""
    head: list[Item] = []
    frames: list[Frames] = []
    count = 0
    for item in stream:
        head.append(item)
        if item.frames is None or not len(item.frames):
            continue
        frames.append(item.frames)
        count += len(item.frames)
        if count >= _HEAD_FRAMES or frames[-1].time[-1] - frames[0].time[0] > _HEAD_NS:
            break
    return head, interpret(concatenate(frames), request)


def _blocks(head: list[Item], stream: Iterator[Item]) -> Iterator[Item]:
    """The same stream with small blocks of frames joined to larger ones."""
    waiting: list[Frames] = []
    count = 0

    def items() -> Iterator[Item]:
        yield from head
        head.clear()
        yield from stream

    for item in items():
        if item.frames is not None:
            waiting.append(item.frames)
            count += len(item.frames)
        if waiting and (item.event is not None or count >= _BLOCK):
            yield Item(frames=concatenate(waiting))
            waiting, count = [], 0
        if item.event is not None:
            yield item
    if waiting:
        yield Item(frames=concatenate(waiting))


class _Builder:
    """Walks the stream; holds the open writer and the pipeline of the pack that is on the bus."""

    def __init__(
        self,
        built: Built,
        target: Path,
        open_writer: Callable[[Path], RecordingWriter],
        meaning: Interpretation | None,
        signals: bool,
    ) -> None:
        self._built = built
        self._target = target
        self._open_writer = open_writer
        self._meaning = meaning
        self._pipeline = self._fresh()
        self._continuity = Continuity(self._made, meaning.serial if meaning else None)
        self._writer = open_writer(target)
        self._late_events: list[Event] = []
        self._dropped: dict[str, int] = {}
        self._messages = (
            [(m, compile_messages([m])) for d in meaning.databases for m in d.messages]
            if signals and meaning
            else []
        )

    def _fresh(self) -> Pipeline | None:
        meaning = self._meaning
        return Pipeline(meaning.databases, meaning.mapping) if meaning else None

    def _made(self) -> Pipeline:
        pipeline = self._fresh()
        assert pipeline is not None, "continuity is asked only where frames have a meaning"
        return pipeline

    def run(self, items: Iterator[Item]) -> None:
        try:
            for item in items:
                if item.event is not None:
                    self._event(item.event)
                elif item.frames is not None and len(item.frames):
                    self._frames(item.frames)
            self._decide(ended=True)
            self._finish()
        except BaseException:
            self._writer.abort()
            raise

    def _event(self, event: Event) -> None:
        lost = int(event.parameters.get("frames", 0)) if event.kind in ("drop", "gap") else 0
        if lost:
            stage = str(event.parameters.get("stage", "unknown"))
            self._dropped[stage] = self._dropped.get(stage, 0) + lost
        if event.kind in LINK_GAPS and event.parameters.get("stage") != "disk" and self._pipeline:
            self._rows(self._pipeline.flush())
            if self._built.frames:
                self._continuity.gap(self._pipeline)
        if self._continuity.undecided:
            self._late_events.append(event)
        else:
            self._writer.event(event.time, event.kind, event.text)

    def _frames(self, frames: Frames) -> None:
        self._continuity.learn(frames)
        if self._continuity.undecided:
            self._decide(frames)
        else:
            self._store(frames)

    def _decide(self, frames: Frames | None = None, ended: bool = False) -> None:
        if not self._continuity.undecided:
            return
        block = concatenate([]) if frames is None else frames
        decision = self._continuity.push(block, ended)
        if decision is None:
            return
        if decision.word != "same":
            self._other_pack(decision.word)
        for event in self._late_events:
            self._writer.event(event.time, event.kind, event.text)
        self._late_events.clear()
        self._store(decision.frames)

    def _other_pack(self, word: str) -> None:
        self._built.changes.append(word)
        self._finish()
        number = len(self._built.files) + 1
        self._writer = self._open_writer(
            self._target.with_name(f"{self._target.stem}-{number}{self._target.suffix}")
        )
        self._pipeline = self._fresh()

    def _store(self, frames: Frames) -> None:
        built = self._built
        built.first_ns = built.first_ns or int(frames.time[0])
        built.last_ns = int(frames.time[-1])
        built.frames += len(frames)
        self._writer.frames(frames)
        if self._pipeline is not None:
            self._rows(self._pipeline.push(frames))
        for message, layout in self._messages:
            self._signals(message, layout, frames)

    def _signals(self, message: Message, layout: Layout, frames: Frames) -> None:
        time, rows = signal_rows(message, layout, frames)
        if len(time):
            place = f"/signals/{message.name}"
            self._writer.describe(place, {s.name: (s.unit, s.comment) for s in message.signals})
            columns = {s.name: rows[:, i] for i, s in enumerate(message.signals)}
            self._writer.rows(place, time, columns)

    def _rows(self, rows: list[Rows]) -> None:
        for part in rows:
            write_rows(self._writer, part)

    def _finish(self) -> None:
        if self._pipeline is not None:
            self._rows(self._pipeline.flush())
        for event in self._late_events:
            self._writer.event(event.time, event.kind, event.text)
        self._late_events.clear()
        if self._dropped:
            self._writer.dropped(self._dropped)
            self._dropped = {}
        self._built.files.append(self._writer.close())


def write_rows(writer: RecordingWriter, rows: Rows) -> None:
    """Scans of one group into its place of DESIGN 7.3."""
    scans = rows.scans
    prefix = "" if rows.pack == 1 else f"/packs/{rows.pack}"
    if rows.kind in ("pack", "location"):
        columns = {f.name: scans.rows[:, i] for i, f in enumerate(fields(rows.kind))}
        writer.rows(f"{prefix}/{rows.kind}", scans.time, columns)
        return
    place = f"{prefix}/{_TARGETS[rows.kind]}"
    if rows.kind == "cell":
        age_s = np.round(scans.age_s / AGE_STEP_S) * AGE_STEP_S
        writer.rows(place, scans.time, {"voltage": scans.rows, "age_s": age_s})
    elif rows.kind == "probe":
        writer.rows(place, scans.time, {"value": scans.rows})
    else:
        writer.rows(place, scans.time, {"active": scans.rows})
