"""The black box keeps what happened around an alert as a short recording, though nobody records.

Half a minute to each side of the alert, longer while others follow, in `alerts` beside the
recordings; the oldest of them go, so that they never fill the disk. Asks the acquisition program
for a recording like any other and has it built; a recording that a person starts comes first.
Judges nothing. No Qt.
"""

import contextlib
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bms_studio.acquisition.client import Acquisition
from bms_studio.acquisition.control import ControlError
from bms_studio.diagnosis.alerts import AROUND_NS
from bms_studio.diagnosis.contract import Finding
from bms_studio.jobs import Job
from bms_studio.status import RecordingStatus
from recordings.journal import journal_header

FOLDER = "alerts"  # beside the recordings; only what lies in it is ever deleted
WORTH = ("warn", "stop")
_LONGEST_NS = 300_000_000_000
# A pack in trouble all day: as many as this in an hour tell enough.
_MOST_PER_HOUR, _HOUR_S = 6, 3600.0
_MOST_FILES, _MOST_BYTES, _LEAST_FREE = 30, 300_000_000, 500_000_000
_MARK = "alert"  # in the journal's header: nobody pressed Record


@dataclass(frozen=True, slots=True)
class _Running:
    """The recording under way: its journal, where it goes, when it began and when it ends."""

    journal: Path
    target: Path
    began_ns: int
    until_ns: int


class BlackBox:
    """`on`: whether it saves at all. `status`: what it does, like a person's recording. Used by
    the session's thread, and by the window's through `give_way`."""

    def __init__(
        self,
        acquisition: Acquisition,
        target: Callable[[], Path],
        header: Callable[[], dict[str, Any]],
        build: Callable[[Job, Path, Path], str],
    ) -> None:
        """target: a new path where recordings go; header: what the journal must know of the pack;
        build(job, journal, path): makes the recording, in words where it stands."""
        self.on = False
        self.status = RecordingStatus()
        self._acquisition, self._target, self._header = acquisition, target, header
        self._build = build
        self._running: _Running | None = None
        self._own: set[Path] = set()  # journals of this black box, as the program names them
        self._job: Job | None = None
        self._began_s: deque[float] = deque(maxlen=_MOST_PER_HOUR)
        self._lock = threading.RLock()

    @property
    def job(self) -> Job | None:
        """The job that builds one, if one is being built."""
        return self._job

    def alert(self, finding: Finding, now_ns: int, recording: bool) -> None:
        """An alert begins; recording: a person's recording has it already. OSError is told in
        `status`, never raised: what is on screen goes on."""
        if not self.on or recording or finding.severity not in WORTH:
            return
        with self._lock:
            running = self._running
            if running is not None:
                until = min(now_ns + AROUND_NS, running.began_ns + _LONGEST_NS)
                self._running = _Running(running.journal, running.target, running.began_ns, until)
            elif self._job is None and not self._too_many():
                self._begin(finding, now_ns)

    def look(self, now_ns: int) -> None:
        """Bring it up to date, some times a second."""
        with self._lock:
            if self._running is not None and now_ns >= self._running.until_ns:
                self._end()
            if self._job is not None and self._job.done:
                job, self._job = self._job, None
                state = "failed" if job.error or job.cancelled else "saved"
                path = str(job.result or self.status.path)
                self.status = RecordingStatus(state, path, self.status.since_ns, 1.0, job.error)

    def give_way(self) -> None:
        """A person records, or the session ends: what was kept so far is built."""
        with self._lock:
            if self._running is not None:
                self._end()

    def owns(self, journal: Path) -> bool:
        """Whether the acquisition program records this journal for a black box: this one, or that
        of a window which is gone; then it ends with the half minute that is due."""
        with self._lock:
            if journal in self._own:
                return True
            header = journal_header(journal)
            if not header.get(_MARK):
                return False
            target, now = Path(str(header.get("target", ""))), time.time_ns()
            self._follow(_Running(journal, target, now, now + AROUND_NS))
            return True

    def _follow(self, running: _Running) -> None:
        self._own.add(running.journal)
        self._running = running
        self.status = RecordingStatus("recording", str(running.target), running.began_ns)

    def _begin(self, finding: Finding, now_ns: int) -> None:
        named = self._target()
        target = named.parent / FOLDER / f"alert {named.name}"
        back_s = (AROUND_NS + max(now_ns - finding.time, 0)) * 1e-9
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            make_room(target.parent)
            header = {**self._header(), "target": str(target.absolute()), _MARK: finding.id}
            made = self._acquisition.start_recording(None, header, back_s=min(back_s, 60.0))
        except (OSError, ControlError) as problem:
            self.status = RecordingStatus("failed", str(target), now_ns, 0.0, str(problem))
            return
        self._began_s.append(time.monotonic())
        self._follow(_Running(Path(made["folder"]), target, now_ns, now_ns + AROUND_NS))

    def _end(self) -> None:
        running, self._running = self._running, None
        assert running is not None
        since = self.status.since_ns
        try:
            journal = self._acquisition.stop_recording()
        except (OSError, ControlError) as problem:
            # The program is gone: the journal is offered at the next start.
            self.status = RecordingStatus("failed", str(running.target), since, 0.0, str(problem))
            return
        self.status = RecordingStatus("building", str(running.target), since)
        target = running.target
        self._job = Job("Keeping an alert", lambda job: self._build(job, journal, target))

    def _too_many(self) -> bool:
        full = len(self._began_s) == _MOST_PER_HOUR
        return full and time.monotonic() - self._began_s[0] < _HOUR_S


def make_room(folder: Path) -> None:
    """Delete the oldest kept alerts until another one has room. OSError, one sentence, when the
    disk is nearly full of other things."""
    kept = sorted(folder.glob("alert *.h5"), key=lambda path: path.stat().st_mtime)
    sizes = [path.stat().st_size for path in kept]
    while kept and (len(kept) >= _MOST_FILES or sum(sizes) >= _MOST_BYTES):
        with contextlib.suppress(FileNotFoundError):  # another window was quicker
            kept.pop(0).unlink()
        sizes.pop(0)
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        raise OSError(
            f"{folder}: only {free // 1_000_000} MB free, so alerts are not kept; "
            "make room on the disk"
        )
