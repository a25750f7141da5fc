"""Frames to everything that is shown: meaning, rows, timeline, findings. One thread at a time.

The live session feeds it from the ring; tests and `analyze` from wherever they like. It can begin
again from the frames it has kept, when their meaning becomes clearer. No Qt, no adapter, no files.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bms_studio.analysis.background import Order
from bms_studio.analysis.contract import Settings
from bms_studio.analysis.live import LiveAnalysis
from bms_studio.analysis.run import ORDER, Analysed, Piece
from bms_studio.analysis.runs import Runs
from bms_studio.continuity import Continuity, split_at_silence
from bms_studio.interpret import Interpretation, Request, by_profile, interpret
from bms_studio.monitor import Monitor
from bms_studio.pack.chemistry import NAMES
from bms_studio.pack.health import Health
from bms_studio.pack.limits import resolve_limits
from bms_studio.pack.profile import Limits, Profile
from bms_studio.pipeline import Pipeline, Rows
from bms_studio.signal_rows import SignalReader
from bms_studio.status import Extreme, PackStatus
from bms_studio.timeline import Event, Timeline
from protocols.frames import Frames, empty_frames
from protocols.roles import fields
from protocols.signals import Database, Message

# The meaning is settled anew when this much of the bus has been heard: rivals need data.
_LOOK_AGAIN_NS = (300_000_000, 2_000_000_000, 10_000_000_000, 60_000_000_000)
_LOOK_FRAMES = 400_000
_REDERIVE_BLOCK = 1 << 17
_SERIAL_LOOK_NS = 2_000_000_000
BMS_ALARM = "bms-alarm"  # kind of the events in which the BMS warns
_GAPS = ("gap", "lost", "suspend", "silence")


class Derivation:
    """Owns a Timeline's writer side. `question` is "" or "question.pack_changed"."""

    def __init__(self, request: Request, timeline: Timeline) -> None:
        self.request = request
        self.timeline = timeline
        self.meaning: Interpretation | None = None
        self._visits: tuple[Health, ...] = ()
        self.monitor = Monitor(self.limits, self._visits)
        self._further: dict[int, Monitor] = {}  # of the other packs on this bus
        self.runs = Runs(timeline)
        self.analysis = LiveAnalysis(self.runs, self._monitor_of, Settings())
        self.question = ""
        self._pipeline: Pipeline | None = None
        self._continuity: Continuity | None = None
        self._looks = 0
        self._first_ns = 0
        self._last_ns = 0
        self._serial_looked_ns = 0
        self._since = 0  # number of the first frame of the pack that is on the bus
        self._signals: dict[str, SignalReader] = {}

    def remember(self, visits: Sequence[Health]) -> None:
        """Earlier visits of this pack, oldest first: trends are made of them."""
        self._visits = self.runs.visits = tuple(visits)
        self.monitor.history = list(visits)

    # -- frames --------------------------------------------------------------------------------

    def push(self, frames: Frames) -> None:
        """Take in a block of frames, whatever it means."""
        self.analysis.turn()
        if not len(frames):
            return
        for silent, part in split_at_silence(frames, self._last_ns):
            if silent:
                self._silence(int(part.time[0]))
            self._last_ns = int(part.time[-1])
            self._push(part)
        if self._last_ns - self._serial_looked_ns > _SERIAL_LOOK_NS:
            self._look_at_serial()

    def _silence(self, time_ns: int) -> None:
        """The bus said nothing for a while: packs are swapped without unplugging the adapter."""
        if self._continuity is not None and self._continuity.undecided:
            return  # a lost link says it already
        text = f"The bus was silent for {(time_ns - self._last_ns) * 1e-9:.1f} s."
        self.timeline.add_event(Event(time_ns, "silence", text))
        if self._pipeline is not None and self._continuity is not None:
            self._append(self._pipeline.flush())
            self._continuity.gap(self._pipeline, silence=True)
        self.timeline.break_lines(time_ns - 1)

    def _look_at_serial(self) -> None:
        """A serial number takes several frames; one that changed is another pack."""
        first_ns = self._serial_looked_ns = self._last_ns
        continuity, log = self._continuity, self.timeline.frames
        if continuity is None or continuity.undecided:
            return
        first = max(self._since, log.index_at(first_ns - _SERIAL_LOOK_NS))
        recent = log.rows(first, log.count - first)
        if len(recent) and continuity.changed(recent):
            continuity.serial = ""
            self._other_pack("other", int(recent.time[0]))
            self._begin_again()
        continuity.learn(recent)

    def _push(self, frames: Frames) -> None:
        self.timeline.append_frames(frames)
        self._first_ns = self._first_ns or int(frames.time[0])
        if self._continuity is not None and self._continuity.undecided:
            decision = self._continuity.push(frames)
            if decision is None:
                return
            if decision.word != "same":
                self._other_pack(decision.word, int(decision.frames.time[0]))
            frames = decision.frames
        before = self._pipeline
        self._look(int(frames.time[-1]))
        if self._continuity is not None:
            self._continuity.learn(frames)
        if self._pipeline is before:  # else `_look` derived everything again, these frames too
            self._derive(frames)
        for reader in list(self._signals.values()):
            self._derive_signals(reader, frames)

    def gap(self, event: Event) -> None:
        """The link was interrupted: close what is open, and doubt who comes next."""
        self.timeline.add_event(event)
        if self._pipeline is not None and self._continuity is not None:
            self._append(self._pipeline.flush())
            self._continuity.gap(self._pipeline)
        self.timeline.break_lines(event.time)

    def answer(self, question: str, event: Event) -> None:
        """A person answered `question`."""
        if self.question == question:
            self.question = ""
        self.timeline.add_event(event)

    def _look(self, now_ns: int) -> None:
        """Settle the meaning, again when enough more has been heard."""
        if self._looks >= len(_LOOK_AGAIN_NS) and self.meaning is not None:
            return
        step = _LOOK_AGAIN_NS[min(self._looks, len(_LOOK_AGAIN_NS) - 1)]
        if now_ns - self._first_ns < step:
            return
        if self._looks >= len(_LOOK_AGAIN_NS):
            self._first_ns = now_ns - step // 2  # nothing found yet: keep looking twice a minute
        self._looks += 1
        found = interpret(self._recent(), self.request)
        if found is None:
            return
        known = self.meaning.mapping.bindings if self.meaning is not None else ()
        if set(found.mapping.bindings) != set(known):
            self.adopt(found)
        else:
            self.meaning = found  # the same meaning, better known: nothing to derive again

    def _recent(self) -> Frames:
        log = self.timeline.frames
        first = max(log.first_row, self._since, log.count - _LOOK_FRAMES)
        return log.rows(first, _LOOK_FRAMES)

    def correct(self, change: Callable[[Profile], Profile]) -> None:
        """A person's word on roles, sign or index base; everything is derived again under it."""
        self.request = replace(self.request, profile=change(self.profile))
        if self.meaning is not None:
            self.adopt(by_profile(self.meaning, self.request))
        elif (found := interpret(self._recent(), self.request)) is not None:
            self.adopt(found)

    def add_database(self, database: Database, frames: Frames | None = None) -> None:
        """A person gives one more database; what it means is looked for in `frames`, else in what
        was heard last. Where it says nothing of a battery the meaning stays as it was."""
        self.request = replace(self.request, databases=(database, *self.request.databases))
        found = interpret(self._recent() if frames is None else frames, self.request)
        if found is not None:
            self.adopt(found)

    def adopt(self, meaning: Interpretation) -> None:
        """Use this meaning and derive everything since connect again."""
        self.meaning = meaning

        def fresh() -> Pipeline:
            return Pipeline(meaning.databases, meaning.mapping)

        self._pipeline = fresh()
        if self._continuity is None:
            self._continuity = Continuity(fresh, meaning.serial)
        else:
            self._continuity.mean(fresh, meaning.serial)
        self._begin_again()

    def _begin_again(self) -> None:
        """All frames of this pack once more; those that wait for a decision keep waiting."""
        for group in self.timeline.groups():
            if not group.startswith("signals/"):  # those do not depend on roles
                self.timeline.forget(group)
        self.monitor, self._further = Monitor(self.limits, self._visits), {}
        self.analysis.reset()
        log = self.timeline.frames
        held_back = self._continuity.held_back if self._continuity else 0
        first, end = max(log.first_row, self._since), log.count - held_back
        if first < end:
            self.timeline.forget_events(BMS_ALARM, int(log.rows(first, 1).time[0]))
        times = [event.time for event in self.timeline.events if event.kind in _GAPS]
        for block, gap_ns in self._blocks(first, end, times):
            if not gap_ns:
                if self._continuity is not None:
                    self._continuity.learn(block)
                self._derive(block)
            elif self._pipeline is not None:
                self._append(self._pipeline.flush())
                self.timeline.break_lines(gap_ns)

    def _blocks(self, first: int, end: int, times: list[int]) -> Iterator[tuple[Frames, int]]:
        """Blocks of the frames first..end-1, each with 0; at a gap an empty one with its time."""
        log = self.timeline.frames
        gaps = {log.index_at(time): time for time in times}
        for edge in sorted({n for n in gaps if first < n <= end} | {end}):
            for start in range(first, edge, _REDERIVE_BLOCK):
                yield log.rows(start, min(_REDERIVE_BLOCK, edge - start)), 0
            first = edge
            if edge in gaps:
                yield empty_frames(), gaps[edge]

    def _other_pack(self, word: str, time_ns: int) -> None:
        event = Event(time_ns, "pack-changed", "another pack", {"certainty": word})
        self.timeline.add_event(event)
        self.question = "question.pack_changed" if word == "doubt" else ""
        self._since = self.timeline.frames.index_at(time_ns - 1)
        self._looks, self._first_ns = 0, time_ns  # it may speak another protocol
        if self.meaning is not None:
            self._pipeline = Pipeline(self.meaning.databases, self.meaning.mapping)
        for group in self.timeline.groups():
            self.timeline.forget(group)
        self._visits = self.runs.visits = ()
        self.monitor, self._further = Monitor(self.limits, self._visits), {}
        self.analysis.reset()

    def order(self, settings: Settings, done: Callable[[Analysed], None], ends: bool) -> Order:
        """An analysis of all rows since connect, derived once more from the frames that are held.
        ends: False while frames go on coming; `adopt_analysis` then takes over its result."""
        profiles = {1: self.profile}
        if not ends:
            self.analysis.keep_rows()
        log, meaning = self.timeline.frames, self.meaning
        held_back = self._continuity.held_back if self._continuity else 0
        first, end = max(log.first_row, self._since), log.count - held_back
        times = [event.time for event in self.timeline.events if event.kind in _GAPS]

        def source() -> Iterator[tuple[float, list[Piece]]]:
            if meaning is None:
                return
            pipeline = Pipeline(meaning.databases, meaning.mapping)
            for block, gap_ns in self._blocks(first, end, times):
                parts = pipeline.flush() if gap_ns else pipeline.push(block)
                pieces = [p for p in map(_piece, parts) if p is not None]
                pieces.sort(key=lambda p: ORDER[p.kind])
                yield (log.index_at(int(block.time[-1])) / end if len(block) else 1.0), pieces

        history = {1: list(self._visits)}
        return Order(source, settings, profiles, self.serial, done, ends, history=history)

    def _monitor_of(self, pack: int) -> Monitor:
        if pack != 1 and pack not in self._further:
            self._further[pack] = Monitor(resolve_limits(Limits(), self.chemistry))
        return self.monitor if pack == 1 else self._further[pack]

    def _derive(self, frames: Frames) -> None:
        if self._pipeline is not None:
            self._append(self._pipeline.push(frames))
            for change in self._pipeline.take_alarms():
                self.timeline.add_event(Event(change.time, BMS_ALARM, str(change)))
            for name, held, times in self._pipeline.held():
                self.timeline.hold(name, held, times)

    def _append(self, parts: list[Rows]) -> None:
        # Pack fields first: the sum of cells is compared with a voltage of the same moment. Cells
        # last: estimators see them with all that was known then.
        for part in sorted(parts, key=lambda p: ORDER.get(p.kind, 0)):
            scans = part.scans
            names = (
                tuple(f.name for f in fields(part.kind))
                if part.kind in ("pack", "location")
                else self._labels(part)
            )
            self.timeline.append(part.name, scans.time, scans.rows, names)
            found = self._monitor_of(part.pack).push(part.kind, scans.time, scans.rows)
            self.analysis.heard(part.pack, found)
            ages = scans.age_s if part.kind == "cell" else None
            self.analysis.push(
                part.pack, part.kind, scans.time, scans.rows, ages, self.profile, self.serial
            )

    def _labels(self, part: Rows) -> tuple[str, ...]:
        count = part.scans.rows.shape[1]
        labels: tuple[str, ...] = ()
        if part.kind == "probe":
            labels = tuple(probe.label for probe in self.profile.probes)
        elif part.kind == "cell":
            labels = self.profile.labels
        return tuple(labels[n] if n < len(labels) else str(n + 1) for n in range(count))

    # -- any other signal ----------------------------------------------------------------------

    def add_signals(self, message: Message) -> None:
        """Decode every signal of a message, from the frames kept and from now on."""
        if message.name in self._signals:
            return
        known = self.meaning.databases if self.meaning is not None else ()
        reader = SignalReader(message, (*known, *self.request.databases))
        log = self.timeline.frames
        for first in range(log.first_row, log.count, _REDERIVE_BLOCK):
            self._derive_signals(reader, log.rows(first, _REDERIVE_BLOCK))
        self._signals[message.name] = reader

    def _derive_signals(self, reader: SignalReader, frames: Frames) -> None:
        time, rows = reader.push(frames)
        if len(time):
            names = tuple(signal.name for signal in reader.message.signals)
            self.timeline.append(f"signals/{reader.message.name}", time, rows, names)

    # -- what is known -------------------------------------------------------------------------

    @property
    def profile(self) -> Profile:
        """The profile, as far as somebody wrote one."""
        return self.request.profile

    @property
    def chemistry(self) -> str:
        """Chemistry stated by the profile; "" unknown: never assumed."""
        return self.profile.chemistry

    @property
    def limits(self) -> Limits:
        """Limits of the profile, completed from the stated chemistry."""
        return resolve_limits(self.profile.limits, self.chemistry)

    @property
    def serial(self) -> str:
        """Serial number from the bus, else from the profile."""
        return (self._continuity.serial if self._continuity else "") or self.profile.serial

    @property
    def scan_s(self) -> float:
        """Usual time of a round of all cells; NaN unknown."""
        scanner = self._pipeline.scanner("cell") if self._pipeline else None
        return scanner.period_s if scanner else float("nan")

    def pack_status(self) -> PackStatus:
        """Who the pack is, as far as is known now."""
        profile, limits = self.profile, self.limits
        cells = len(self.timeline.columns("cells"))
        known = self.chemistry in NAMES
        return PackStatus(
            serial=self.serial,
            name=profile.name,
            cells=cells,
            probes=len(self.timeline.columns("probes")),
            chemistry=self.chemistry if known else "",
            capacity_ah=profile.capacity_ah,
            labels=profile.labels,
            layout=profile.layout,
            cell_voltage_min=_or_nan(limits.cell_voltage_min),
            cell_voltage_max=_or_nan(limits.cell_voltage_max),
            state=self.monitor.use.state,
            sign=self.monitor.sign.state,
        )

    def extremes(self) -> tuple[Extreme, ...]:
        """Extreme deviation of each cell since connect or reset."""
        kept = self.monitor.extremes
        return tuple(
            Extreme(float(v), int(t)) for v, t in zip(kept.deviation_v, kept.time, strict=True)
        )

    def know(self, serial: str, chemistry: str, capacity_ah: float) -> None:
        """What the pack says of itself fills what the profile leaves open."""
        profile = self.profile
        self.request = replace(
            self.request,
            profile=replace(
                profile,
                serial=profile.serial or serial,
                chemistry=profile.chemistry or chemistry,
                capacity_ah=profile.capacity_ah or capacity_ah,
            ),
        )


def _piece(part: Rows) -> Piece | None:
    if part.kind == "location" or not len(part.scans):
        return None
    ages = part.scans.age_s if part.kind == "cell" else None
    return Piece(part.pack, part.kind, part.scans.time, part.scans.rows, ages)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
