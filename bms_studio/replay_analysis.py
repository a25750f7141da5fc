"""What a replay estimates: the analyses that its recording carries, else one made beside it.

A part of `Replay`, in its thread unless stated. No Qt, no HDF5.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bms_studio.alert_marks import ALERT, marks_of
from bms_studio.analysis.background import AnalysedView, Order
from bms_studio.analysis.contract import AnalysisStatus, Settings
from bms_studio.analysis.run import Analysed, chunks
from bms_studio.diagnosis.contract import Finding
from bms_studio.diagnosis.verdict import STREAM_CHECKS
from bms_studio.history import earlier, keep
from bms_studio.pack.health import Health
from bms_studio.pack.profile import Profile
from bms_studio.replay_mapping import ReplayMapping
from bms_studio.timeline import Timeline
from bms_studio.unpacked import mapped_tables, stored_runs


class ReplayAnalysis(ReplayMapping, AnalysedView):
    """The face of a replay that estimates; its attributes are set by `Replay`."""

    _folder: Path
    _profile: Profile
    _corrected: bool
    _start: int
    _stored_checks: tuple[str, ...] = ()
    timeline: Timeline
    path: Path

    @property
    def _simulated(self) -> bool:
        return bool(self._described["attributes"]["source"] == "simulated")

    @property
    def analysis(self) -> AnalysisStatus:
        """What is estimated, as of the playhead; from any thread."""
        return self._runs.status(self.now_ns, self._background)

    @property
    def _checked(self) -> tuple[str, ...]:
        """Checks on the rows that had data: here, and when the recording was analysed."""
        return tuple(dict.fromkeys((*self._monitor.checked, *self._stored_checks)))

    def _first_analysis(self) -> None:
        """Those that the recording carries; where there is none, one is made."""
        self._runs.visits = tuple(self._earlier())
        runs, damaged = stored_runs(self._folder, self._described.get("analyses", []))
        for run in runs:
            self._runs.keep(run)
        if runs and 1 in runs[-1].packs:
            told = runs[-1].packs[1]
            done = [code for code, _ in told.verdict.checked] if told.verdict else []
            self._stored_checks = tuple(code for code in done if code in STREAM_CHECKS)
            self._hear(told.findings)
        else:
            self._background.ask(self._order(Settings()))
        self._background.error = " ".join(damaged)

    @property
    def _serial(self) -> str:
        return self._described["serial"] or self._profile.serial

    def _earlier(self) -> list[Health]:
        """Earlier visits of this pack, also beside an analysis that the recording carries."""
        return earlier(self._serial, self._start, simulated=self._simulated)

    def _order(self, settings: Settings) -> Order:
        serial, visits = self._serial, self._earlier()
        self._runs.visits = tuple(visits)
        if self._corrected:
            order = self._remapping.derivation.order(settings, self._analysed, ends=True)
            return replace(order, history={1: visits})
        tables = mapped_tables(self._folder, self._described["groups"])
        profiles = {1: self._remapping.profile}
        return Order(
            lambda: chunks(tables),
            settings,
            profiles,
            serial,
            self._analysed,
            history={1: visits},
        )

    def _analysed(self, done: Analysed) -> None:
        """Detectors that have heard of every evaluation in its turn say what they found."""
        self._monitor = done.monitors.get(1, self._monitor)
        self._hear(self._monitor.log)
        told = done.run.pack(1)
        code = told.verdict.code if told.verdict else ""
        uuid = str(self._described["attributes"]["uuid"])
        try:
            keep(told.health, code, self.path.name, uuid, simulated=self._simulated)
        except OSError as problem:  # a full disk: the diagnosis itself stands
            logging.getLogger(__name__).warning("the visit is not kept: %s", problem)

    def _hear(self, findings: list[Finding]) -> None:
        self._monitor.log = sorted(findings, key=lambda f: f.time)
        self._log_times = [finding.time for finding in self._monitor.log]
        self._found = self._snapshot = None
        self._mark_alerts()

    def _mark_alerts(self) -> None:
        """Black-box marks of the alerts, unless the recording has those of its own time."""
        kept = [e for e in self.timeline.events if e.kind == ALERT and not e.parameters]
        self.timeline.forget_events(ALERT, 0)
        for event in [*kept, *marks_of(kept, self._monitor.log)]:
            self.timeline.add_event(event)

    def _analyse_again(self) -> None:
        self._corrected = True
        self._background.cancel()
        self._runs.clear()
        self._background.ask(self._order(Settings()))

    def _later(self, work: Callable[[], None]) -> None:
        self._post(work)
