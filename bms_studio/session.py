"""The live session: from the acquisition program's ring to a Timeline, in one thread. No Qt.

The window polls `status`, `findings`, `timeline` and `now_ns`; nothing is pushed. Recording is the
acquisition program's work; building the recording afterwards is a job in a process of its own.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bms_studio.acquisition.client import Acquisition
from bms_studio.acquisition.settings import ACTIVE, AdapterSettings
from bms_studio.acquisition.status import AcquisitionStatus
from bms_studio.alert_marks import SEEN, alert_event
from bms_studio.analysis.background import AnalysedView, Background, Order
from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.analysis.contract import Settings as AnalysisSettings
from bms_studio.black_box import BlackBox
from bms_studio.derivation import Derivation
from bms_studio.diagnosis.alerts import AROUND_NS, begun
from bms_studio.diagnosis.contract import Finding
from bms_studio.history import earlier, keep
from bms_studio.interpret import Request
from bms_studio.jobs import Job
from bms_studio.listening import Listening
from bms_studio.mapping_view import MappingReader
from bms_studio.pack.profile_file import stated_protocol
from bms_studio.scratch import scratch_folder
from bms_studio.session_mapping import SessionMapping
from bms_studio.status import LinkStatus, Offer, RecordingStatus, Status
from bms_studio.timeline import Event, Timeline
from protocols.signals import Database, Message, Signal, Transfer
from recordings.filelock import FileLock
from recordings.journal import journal_header, remove_journal

_TURN_S = 0.02
_STATUS_S = 0.1
_GONE = ("lost", "reconnecting", "failed", "ended")


class Session(SessionMapping, AnalysedView):
    """A pack on the bus. `name_recording()` proposes a path when the person gives none."""

    def __init__(
        self,
        acquisition: Acquisition,
        settings: AdapterSettings,
        request: Request,
        *,
        name_recording: Callable[[str], Path],
        title: str = "",
        on_close: Callable[[], None] = lambda: None,
        watching: FileLock | None = None,
        search: tuple[int, ...] = (),
    ) -> None:
        """search: bitrates to try, listening only, while nothing is heard."""
        self.timeline = Timeline(folder=scratch_folder())
        self.acquisition = acquisition
        self._settings = settings
        self._derivation = Derivation(request, self.timeline)
        self._name_recording = name_recording
        self._title = title
        self._on_close = on_close
        self._watching = watching
        self._posted: deque[Callable[[], None]] = deque()  # requests, done by the session's thread
        self._closing = threading.Event()
        self._was_gone = False
        self._recording = RecordingStatus()
        self._target: Path | None = None
        self._journal: Path | None = None  # of the recording that runs
        self._kept_word = ""  # the profile that it knows
        self._mapping = MappingReader()
        ask = request.protocol if settings.mode == ACTIVE else ""
        self._listening = Listening(acquisition, search, ask, self._named)
        self._job: Job | None = None
        self.status = Status(link=LinkStatus(state="connecting"))
        self.findings: Sequence[Finding] = ()
        self.analysis = AnalysisStatus()
        self._open: set[str] = set()  # alerts that are open by what the journal knows
        self._alerts: dict[str, int] = {}  # when each was marked last
        self._serial = ""  # whose earlier visits are known
        self._runs = self._derivation.runs
        self._background = Background(self._runs, self._posted.append)
        self._black_box = BlackBox(acquisition, self._proposed, self.journal_header, _built)
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)
        self._thread.start()

    # -- what the window asks for --------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """The live edge: now, or the newest frame where the adapter's clock is ahead."""
        span = self.timeline.span()
        return max(time.time_ns(), span[1] if span else 0)

    @property
    def job(self) -> Job | None:
        """The job that is building a recording, if one is."""
        return self._job or self._black_box.job

    def keep_alerts(self, on: bool) -> None:
        """Whether half a minute to each side of an alert is kept though nobody records."""
        self._black_box.on = on

    def _proposed(self) -> Path:
        return self._name_recording(self.status.pack.serial)

    def start_recording(self, path: Path | None = None) -> None:
        """Record from now on, and the last 60 s. Raises RuntimeError, OSError with a sentence."""
        self._black_box.give_way()
        target = path or self._proposed()
        target.parent.mkdir(parents=True, exist_ok=True)
        # In the user's data folder, so that a crash leaves it where the next start looks.
        header = {**self.journal_header(), "target": str(target.absolute())}
        self._kept_word = header["profile"]
        self._journal = Path(self.acquisition.start_recording(None, header)["folder"])
        self._target = target
        self._recording = RecordingStatus("recording", str(target), time.time_ns())
        self.status = replace(self.status, recording=self._recording)

    def stop_recording(self) -> None:
        """Stop, and build the recording in the background; `status.recording` follows it."""
        self._keep_word()
        folder = self.acquisition.stop_recording()
        target = self._target or recording_target(folder)
        self._recording = RecordingStatus("building", str(target), self._recording.since_ns)
        self._job = Job("Building the recording", lambda job: _built(job, folder, target))
        self.status = replace(self.status, recording=self._recording)

    def mark(self, text: str) -> None:
        """Write a mark at the present moment into the events."""
        self.acquisition.mark(text)
        self.timeline.add_event(Event(self.now_ns, "mark", text))

    def reset_extremes(self) -> None:
        """Forget the extreme deviations and start anew."""
        self._posted.append(lambda: self._derivation.monitor.extremes.reset())

    def acknowledge(self, finding_id: str) -> None:
        """A person has seen this finding."""
        self._posted.append(lambda: self._acknowledge(finding_id))

    def answer(self, question: str, choice: str) -> None:
        """The answer to `status.question`; the recording already goes on in a new file."""
        event = Event(self.now_ns, "answer", f"{question}: {choice}")
        self._posted.append(lambda: self._derivation.answer(question, event))

    def accept(self, offer: Offer) -> None:
        """Do what `status.bus` offers: acknowledge, ask the pack, another bitrate, be silent."""
        self._posted.append(lambda: self._listening.accept(offer))

    def _named(self, protocol: str) -> None:
        """What was asked in this protocol answers, and nobody recognised it by itself."""
        self._derivation.request = replace(self._derivation.request, protocol=protocol)
        self._derivation.correct(lambda profile: profile)

    def add_signals(self, message_name: str) -> None:
        """Decode every signal of this message from now on, and from the frames still held."""
        message = self._message_named(message_name)
        if message is not None:
            self._posted.append(lambda: self._derivation.add_signals(message))

    def database_messages(self) -> Sequence[tuple[Message, Sequence[Signal]]]:
        """Every message that the databases in use know."""
        return [(m, m.signals) for database in self._databases() for m in database.all_messages]

    def transfers(self) -> Sequence[Transfer]:
        """Messages that frames carry in parts, of the databases in use."""
        return [t for database in self._databases() for t in database.transfers]

    def message_of(self, frame_id: int, extended: bool) -> Message | None:
        """The message of a frame's identifier; None when no database knows it."""
        return find_message(self._databases(), frame_id, extended)

    # -- the end -------------------------------------------------------------------------------

    def disconnect(self) -> None:
        """Let go of the adapter; a running recording is stopped and built first."""
        if self._recording.running:
            self.stop_recording()
        self._closing.set()
        self._thread.join(2.0)
        self._black_box.give_way()
        self._keep_visit()
        self.acquisition.quit()
        self._let_go()
        self._on_close()

    def _acknowledge(self, finding_id: str) -> None:
        """Kept in the journal as well, and so in the recording."""
        if self._derivation.monitor.acknowledge(finding_id) is not None:
            self.timeline.add_event(Event(self.now_ns, SEEN, finding_id))
            self.acquisition.event(SEEN, finding_id, {})

    def _mark_alerts(self) -> None:
        """Each alert is marked as it begins, in what is shown and in the journal: half a minute on
        both sides of the mark is where to look, in the black box and in the recording."""
        self._open &= {finding.id for finding in self.findings}  # another pack has its own
        for finding in begun(self.findings, self._open):
            if finding.time - self._alerts.get(finding.id, 0) < 2 * AROUND_NS:
                continue  # derived anew: it is marked already
            self._alerts[finding.id] = finding.time
            event = alert_event(finding)
            self.timeline.add_event(event)
            self.acquisition.event(event.kind, event.text, event.parameters)
            if not self.status.link.simulated:  # there is nothing to be learned from those
                self._black_box.alert(finding, self.now_ns, self._recording.running)

    def _keep_visit(self) -> None:
        """What was learned of the pack is kept for its next visit."""
        told = self._runs.all[self._runs.shown].pack(1) if self._runs.all else None
        verdict = self.status.verdict
        if told is None:
            return
        try:
            code = verdict.code if verdict else ""
            keep(told.health, code, "", "", simulated=self.status.link.simulated)
        except OSError as problem:  # a full disk: the recording matters more
            self.timeline.add_event(Event(self.now_ns, "disk-full", str(problem)))

    def leave(self) -> None:
        """Stop looking; the acquisition program goes on without us."""
        self._closing.set()
        self._thread.join(2.0)
        self._let_go()

    def _let_go(self) -> None:
        self._background.close()
        self.acquisition.close()
        if self._watching is not None:
            self._watching.release()

    def journal_header(self) -> dict[str, Any]:
        """All that building from the journal needs to know."""
        request, meaning = self._derivation.request, self._derivation.meaning
        return {
            "title": self._title,
            "adapter": self._settings.as_dict(),
            "mode": self.acquisition.status().mode,
            "profile": request.profile.text,
            "databases": [[d.name, d.text] for d in request.databases],
            "protocol": stated_protocol(
                request.protocol, meaning.mapping.protocol if meaning else ""
            ),
            "simulated": self.acquisition.status().simulated,
        }

    # -- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        refreshed = 0.0
        while not self._closing.wait(_TURN_S):
            status = self.acquisition.status()
            frames = self.acquisition.read()
            while self._posted:
                self._posted[0]()  # it counts as posted until it is done
                self._posted.popleft()
            self._derivation.push(frames)
            self._listening.push(frames)
            self._watch_link(status)
            now = time.monotonic()
            if now - refreshed >= _STATUS_S:
                refreshed = now
                self._refresh(status)

    def _watch_link(self, status: AcquisitionStatus) -> None:
        gone = status.state in _GONE
        if gone and not self._was_gone:
            self._derivation.gap(Event(self.now_ns, "lost", status.error))
        elif self._was_gone and not gone:
            self.timeline.add_event(Event(self.now_ns, "connect", status.adapter))
        self._was_gone = gone

    def _refresh(self, acquired: AcquisitionStatus) -> None:
        derivation = self._derivation
        judgement = derivation.monitor.judgement()
        self._keep_word()
        meaning = derivation.meaning
        self.findings = judgement.findings
        self._mark_alerts()
        self._black_box.look(self.now_ns)
        if derivation.analysis.renewal():
            self._background.ask(self._order(derivation.analysis.settings))
        if derivation.serial != self._serial:
            self._serial = derivation.serial
            since = self.timeline.span() or (self.now_ns, 0)
            derivation.remember(earlier(self._serial, since[0], simulated=acquired.simulated))
        self.analysis = self._runs.status(self.now_ns, self._background)
        pack = derivation.pack_status()
        named = (meaning.mapping.protocol, meaning.title) if meaning else ("", "")
        self._listening.look(acquired, *named, pack.cells)
        self.status = Status(
            link=self._link(acquired),
            recording=self._recording_now(acquired),
            pack=pack,
            protocol=meaning.title if meaning else "",
            confidence=meaning.confidence if meaning else 0.0,
            runner_up=meaning.runner_up if meaning else "",
            verdict=judgement.verdict,
            extremes=derivation.extremes(),
            scan_s=derivation.scan_s,
            notes=tuple(n for n in (acquired.note, self._listening.problem) if n),
            question=derivation.question,
            bus=self._listening.word,
            black_box=self._black_box.status,
        )

    def _link(self, acquired: AcquisitionStatus) -> LinkStatus:
        state = {"opening": "connecting", "failed": "lost", "ended": "lost"}.get(
            acquired.state, acquired.state
        )
        ring = self.acquisition.missed
        dropped = {**acquired.dropped, **({"ring": ring} if ring else {})}
        return LinkStatus(
            state=state,
            interface=acquired.adapter or self._settings.interface,
            channel=self._settings.channel,
            bitrate=acquired.bitrate or self._settings.bitrate,
            mode=acquired.mode,
            frames_per_s=acquired.rate_hz,
            bus_load=acquired.bus_load,
            dropped=tuple(dropped.items()),
            message=acquired.error,
            simulated=acquired.simulated,
            asking=acquired.asking,
            errors=acquired.errors,
            bus_state=acquired.bus_state,
            bus_offs=acquired.bus_offs,
        )

    def _recording_now(self, acquired: AcquisitionStatus) -> RecordingStatus:
        folder = Path(acquired.recording_folder or ".")
        found = self._recording.state == "off" and bool(acquired.recording_folder)
        if found and not self._black_box.owns(folder):
            # Somebody started it before this window came: it is taken over as it is.
            self._journal = folder
            self._target = recording_target(self._journal)
            self._kept_word = self._derivation.profile.text
            since = acquired.recording_start_ns
            self._recording = RecordingStatus("recording", str(self._target), since)
        if self._recording.running:
            state = "disk-full" if acquired.journal_error else "recording"
            self._recording = replace(self._recording, state=state, message=acquired.journal_error)
        elif self._job is not None and self._job.done:
            job, self._job = self._job, None
            self._recording = replace(
                self._recording,
                state="failed" if job.error or job.cancelled else "saved",
                message=job.error,
                path=str(job.result or self._recording.path),
            )
        elif self._job is not None:
            self._recording = replace(self._recording, progress=self._job.progress)
        return self._recording

    def _order(self, settings: AnalysisSettings) -> Order:
        derivation = self._derivation
        order = derivation.order(settings, derivation.analysis.adopt, ends=False)
        return replace(order, dropped=derivation.analysis.keep_no_rows)

    def _later(self, work: Callable[[], None]) -> None:
        self._posted.append(work)

    def _message_named(self, name: str) -> Message | None:
        for message, _ in self.database_messages():
            if message.name == name:
                return message
        return None


def recording_target(folder: Path) -> Path:
    """Where the recording of a journal belongs: what its header says, else beside it."""
    stated = str(journal_header(folder).get("target", ""))
    return Path(stated) if stated else folder.with_name(folder.name.removesuffix(".journal"))


def _built(job: Job, folder: Path, target: Path) -> str:
    """Where the recording stands, in words: every pack that was connected has a file."""
    return ", ".join(build_in_process(job, folder, target))


def build_in_process(job: Job, folder: Path, target: Path) -> list[str]:
    """Build a journal in a process of its own and remove it once the recording is verified."""
    made = job.run_process(["bms_studio.from_journal", str(folder), str(target)])
    remove_journal(folder)
    return [str(path) for path in made["files"]]


def find_message(databases: Sequence[Database], frame_id: int, extended: bool) -> Message | None:
    """The first message whose identifier and mask fit; None when no database knows it."""
    for database in databases:
        for message in database.messages:
            if message.extended == extended and frame_id & message.id_mask == message.id:
                return message
    return None
