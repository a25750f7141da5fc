"""Frames to recordings: the one piece of code behind Stop, import and repair.

A stream of frame blocks and events goes in, verified HDF5 files come out: several when another pack
was connected, after a gap, a silence, or with another serial number. No Qt, no adapter.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from bms_studio.continuity import Continuity, split_at_silence
from bms_studio.free_name import free_name
from bms_studio.interpret import Interpretation, Request, interpret
from bms_studio.pipeline import Pipeline, Rows
from bms_studio.signal_rows import SignalReader
from bms_studio.timeline import Event
from protocols.frames import Frames, concatenate
from protocols.roles import fields
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

# A serial number is looked for piece by piece, in the first seconds of a block.
_PIECE_NS = 1_500_000_000
_LEARN_NS = 20_000_000_000

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
    channels: Sequence[str] = (),
    signals: bool = False,
    watch: Callable[[list[Rows]], None] | None = None,
    closing: Callable[["Built"], dict[str, Any]] | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Built:
    """Build `target` (and `target`-2 … under free names where another pack was connected).

    channels: read when a file is closed: a log may still name more while it is read. signals: also
    write every signal of the databases to /signals/<message>. watch(rows) sees all rows written.
    closing(built) gives root attributes that are known only when a file is closed.
    progress(0..1) speaks of verification only: the source knows its own. Raises what the source and
    the writer raise; then no file is left half done.
    """
    stream = iter(items)
    head, meaning = _settle(stream, request)
    built = Built(meaning=meaning)

    def open_writer(path: Path, uuid: str) -> RecordingWriter:
        found = replace(attributes, uuid=uuid) if uuid else attributes
        return RecordingWriter(path, found, progress=progress, cancelled=cancelled)

    def close(writer: RecordingWriter) -> Written:
        writer.channels(tuple(channels))
        if closing is not None:
            writer.amend(**closing(built))
        return writer.close()

    _Builder(built, target, open_writer, close, request, signals, watch).run(_blocks(head, stream))
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
        open_writer: Callable[[Path, str], RecordingWriter],
        close: Callable[[RecordingWriter], Written],
        request: Request,
        signals: bool,
        watch: Callable[[list[Rows]], None] | None,
    ) -> None:
        self._built = built
        self._target = target
        self._open_writer = open_writer
        self._close = close
        self._watch = watch
        self._request = request
        self._with_signals = signals
        self._writer = open_writer(target, "")
        self._late_events: list[Event] = []
        self._dropped: dict[str, int] = {}
        self._last_ns = 0
        self._mean(built.meaning)

    def _mean(self, meaning: Interpretation | None) -> None:
        """Read frames with this meaning from now on."""
        self._meaning = meaning
        self._built.meaning = self._built.meaning or meaning
        self._pipeline = Pipeline(meaning.databases, meaning.mapping) if meaning else None
        self._continuity = Continuity(self._fresh, meaning.serial if meaning else None)
        self._messages = (
            [SignalReader(m, meaning.databases) for d in meaning.databases for m in d.all_messages]
            if self._with_signals and meaning
            else []
        )

    def _fresh(self) -> Pipeline:
        meaning = self._meaning
        assert meaning is not None, "continuity is asked only where frames have a meaning"
        return Pipeline(meaning.databases, meaning.mapping)

    def run(self, items: Iterator[Item]) -> None:
        try:
            for item in items:
                if item.event is not None:
                    self._event(item.event)
                elif item.frames is not None:
                    for silent, part in split_at_silence(item.frames, self._last_ns):
                        self._part(part, silent)
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
        if self._continuity.undecided:
            self._late_events.append(event)
            return
        # An alert is told after its moment: its mark belongs to the moment.
        moment = int(event.parameters.get("moment", event.time))
        self._writer.event(moment, event.kind, event.text)
        if event.kind in LINK_GAPS and event.parameters.get("stage") != "disk":
            self._interrupt(silence=False)

    def _interrupt(self, *, silence: bool) -> None:
        if self._pipeline is not None and self._built.frames:
            self._rows(self._pipeline.flush())
            self._continuity.gap(self._pipeline, silence=silence)

    def _part(self, frames: Frames, silent: bool) -> None:
        if silent:
            seconds = (int(frames.time[0]) - self._last_ns) * 1e-9
            event = Event(
                int(frames.time[0]), "silence", f"The bus was silent for {seconds:.1f} s."
            )
            self._event(event)
            if not self._continuity.undecided:
                self._interrupt(silence=True)
        self._last_ns = int(frames.time[-1])
        if self._meaning is None:
            found = interpret(frames, self._request)  # a pack that was switched on late
            if found is not None:
                self._mean(found)
        if self._continuity.undecided:
            self._decide(frames)
            return
        for _, part in _pieces(frames):
            self._continuity.learn(part)
            if self._continuity.serial or part.time[-1] - frames.time[0] > _LEARN_NS:
                break
        if self._continuity.changed(frames):
            self._split_by_serial(frames)
        else:
            self._store(frames)

    def _split_by_serial(self, frames: Frames) -> None:
        """Another serial number appears in these frames, without a gap before it."""
        for first, part in _pieces(frames):
            if self._continuity.changed(part):
                self._other_pack("other", frames[first:])
            self._continuity.learn(part)
            self._store(part)

    def _decide(self, frames: Frames | None = None, ended: bool = False) -> None:
        if not self._continuity.undecided:
            return
        decision = self._continuity.push(concatenate([]) if frames is None else frames, ended)
        if decision is None:
            return
        if decision.word != "same":
            self._other_pack(decision.word, decision.frames)
        elif self._speaks_otherwise(decision.frames):
            self._other_pack("other", decision.frames)
        self._write_late_events()
        self._continuity.learn(decision.frames)
        self._store(decision.frames)

    def _speaks_otherwise(self, frames: Frames) -> bool:
        """Frames that mean nothing as before, but something in another protocol."""
        if self._meaning is None or self._fresh().push(frames):
            return False
        found = interpret(frames, self._request)
        return found is not None and found.mapping.protocol != self._meaning.mapping.protocol

    def _other_pack(self, word: str, frames: Frames) -> None:
        self._built.changes.append(word)
        begins = int(frames.time[0])
        target = free_name(self._target, number=len(self._built.files) + 2)
        uuid = str(uuid4())
        self._writer.event(begins, "pack-changed", f"another pack ({word}): {target.name}")
        late, self._late_events = self._late_events, []
        self._finish()
        self._late_events = late
        self._writer = self._open_writer(target, uuid)
        self._writer.event(begins, "pack-changed", f"another pack ({word}) than in the file before")
        self._mean(interpret(frames, self._request) or self._meaning)

    def _store(self, frames: Frames) -> None:
        built = self._built
        if not built.frames:
            built.first_ns = int(frames.time[0])
        built.last_ns = int(frames.time[-1])
        built.frames += len(frames)
        self._writer.frames(frames)
        if self._pipeline is not None:
            self._rows(self._pipeline.push(frames))
            for change in self._pipeline.take_alarms():
                self._writer.event(change.time, "bms-alarm", str(change))
        for reader in self._messages:
            self._signals(reader, frames)

    def _signals(self, reader: SignalReader, frames: Frames) -> None:
        time, rows = reader.push(frames)
        if len(time):
            message = reader.message
            place = f"/signals/{message.name}"
            self._writer.describe(place, {s.name: (s.unit, s.comment) for s in message.signals})
            columns = {s.name: rows[:, i] for i, s in enumerate(message.signals)}
            self._writer.rows(place, time, columns)

    def _rows(self, rows: list[Rows]) -> None:
        if self._watch is not None:
            self._watch(rows)
        for part in rows:
            write_rows(self._writer, part)

    def _write_late_events(self) -> None:
        for event in self._late_events:
            self._writer.event(event.time, event.kind, event.text)
        self._late_events.clear()

    def _finish(self) -> None:
        if self._pipeline is not None:
            self._rows(self._pipeline.flush())
        self._write_late_events()
        if self._dropped:
            self._writer.amend(dropped=self._dropped)
            self._dropped = {}
        if self._meaning is not None:
            meaning = self._meaning
            self._writer.amend(
                protocol=meaning.mapping.protocol,
                protocol_confidence=meaning.confidence,
                protocol_runner_up=meaning.runner_up,
                databases=tuple((d.name, d.text) for d in meaning.databases if d.text),
            )
        self._label()
        self._built.files.append(self._close(self._writer))

    def _label(self) -> None:
        """The profile's own labels, for as many columns as there are."""
        profile = self._request.profile
        probes = tuple(probe.label for probe in profile.probes)
        for kind, place, labels in (
            ("cell", "/cells", profile.labels),
            ("probe", "/temperatures", probes),
        ):
            scanner = self._pipeline.scanner(kind) if self._pipeline else None
            if labels and scanner is not None and scanner.columns:
                missing = range(len(labels), scanner.columns)
                names = (*labels[: scanner.columns], *(str(n + 1) for n in missing))
                self._writer.labels(place, names)


def _pieces(frames: Frames) -> Iterator[tuple[int, Frames]]:
    """The frames in pieces of about a second, each with the number of its first."""
    edges = np.arange(frames.time[0], frames.time[-1] + _PIECE_NS, _PIECE_NS)
    rows = np.unique(np.searchsorted(frames.time, edges))
    for first, last in pairwise(np.unique([*rows.tolist(), len(frames)]).tolist()):
        yield first, frames[first:last]


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
