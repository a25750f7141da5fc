"""Analysers of a live stream: fed in the session's thread, judged in another.

Feeding is cheap and compiled; an evaluation of many cells takes a second and waits its turn in a
thread that lives only as long as there is work. No Qt, no files, no bus.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.analyser import Analyser
from bms_studio.analysis.basis import Known
from bms_studio.analysis.contract import Settings
from bms_studio.analysis.evaluate import Evaluation
from bms_studio.analysis.run import Analysed, Piece, further_pack
from bms_studio.analysis.runs import Run, Runs
from bms_studio.analysis.warm import is_ready, warm_estimators
from bms_studio.diagnosis.contract import Finding
from bms_studio.monitor import Monitor
from bms_studio.pack.health import Health
from bms_studio.pack.profile import Profile

_Work = tuple[Run, int, Analyser, Evaluation]


class LiveAnalysis:
    """All packs of one stream under one run; `turn` brings finished evaluations in."""

    def __init__(
        self, runs: Runs, monitor_of: Callable[[int], Monitor | None], settings: Settings
    ) -> None:
        """monitor_of(pack): whose detectors and fusion hear of each evaluation, None for none.
        `enabled` False: nothing is analysed here."""
        self.runs = runs
        self.settings = settings
        self.enabled = True
        self._monitor_of = monitor_of
        self._analysers: dict[int, Analyser] = {}
        self._run: Run | None = None
        self._waiting: deque[_Work] = deque()
        self._finished: deque[tuple[_Work, Health]] = deque()
        self._thread: threading.Thread | None = None
        self._kept: list[Piece] | None = None
        self._early: list[Piece] = []
        self._renewed: Known | None = None
        self._warming: threading.Thread | None = None

    def push(
        self,
        pack: int,
        kind: str,
        moments: NDArray[np.int64],
        rows: NDArray[Any],
        age_s: NDArray[Any] | None,
        profile: Profile,
        serial: str = "",
    ) -> None:
        """Rows of a pack in order of time."""
        if not self.enabled:
            return
        piece = Piece(pack, kind, moments, rows, age_s)
        if self._kept is not None:
            self._kept.append(piece)
        if not self._warm(piece, profile, serial):
            return
        self._feed(piece, profile, serial)

    def _warm(self, piece: Piece, profile: Profile, serial: str) -> bool:
        """Whether the kernels are there; until then rows wait, and the session goes on."""
        if is_ready():
            early, self._early = self._early, []
            for waiting in early:
                self._feed(waiting, profile, serial)
            return True
        self._early.append(piece)
        if self._warming is None:
            self._warming = threading.Thread(target=warm_estimators, name="warm", daemon=True)
            self._warming.start()
        return False

    def _feed(self, piece: Piece, profile: Profile, serial: str) -> None:
        pack = piece.pack
        if self._run is None:
            self._run = Run(self.settings)
            self.runs.begin(self._run)
        analyser = self._analysers.get(pack)
        if analyser is None:
            known = profile if pack == 1 else further_pack(profile)
            analyser = self._analysers[pack] = Analyser(self.settings, known)
        analyser.serial = serial
        analyser.push(piece.kind, piece.time, piece.rows, piece.age_s)
        self._collect(self._run, pack, analyser)

    def heard(self, pack: int, found: list[Finding]) -> None:
        """What the rows of a pack raised or resolved; of the first its monitor is asked."""
        if self._run is not None and pack != 1:
            self._run.pack(pack).findings += found

    def turn(self) -> bool:
        """Bring in what has been judged; True when something was."""
        some = False
        while self._finished:
            (run, pack, analyser, _), health = self._finished.popleft()
            if run is self._run and analyser is self._analysers.get(pack):
                self._judged(run, pack, analyser, health)
                some = True
        return some

    def reset(self) -> None:
        """Another pack or another meaning: begin anew, with the same settings."""
        self._analysers, self._run, self._kept = {}, None, None
        self._waiting.clear()
        self._early = []
        self.runs.clear()

    def renewal(self) -> bool:
        """Whether the data know better by now what the first pack is, and all should be analysed
        again; True once for each thing that was learnt."""
        analyser = self._analysers.get(1)
        if analyser is None or self._kept is not None or not analyser.outdated:
            return False
        learnt = analyser.known
        news, self._renewed = learnt != self._renewed, learnt
        return news

    def keep_rows(self) -> None:
        """Keep rows from now on: an analysis of all those before begins, and will go on here."""
        self._kept = []

    def keep_no_rows(self) -> None:
        """That analysis will not come."""
        self._kept = None

    def adopt(self, done: Analysed) -> None:
        """Go on with analysers that have seen all rows before `keep_rows`."""
        if self._kept is None:
            self.runs.drop(done.run)  # another pack has come meanwhile
            return
        before = self._run
        if before is not None and before.settings == done.run.settings:
            self.runs.drop(before)  # the same, on a better basis
        self._run, self._analysers = done.run, done.analysers
        self.settings = done.run.settings
        self._waiting.clear()
        kept, self._kept = self._kept, None
        for piece in kept:
            analyser = self._analysers.get(piece.pack)
            if analyser is not None:
                analyser.push(piece.kind, piece.time, piece.rows, piece.age_s)
                self._collect(self._run, piece.pack, analyser)

    def ask(self) -> None:
        """Somebody waits: judge what is known now, unless that is under way."""
        run = self._run
        if run is None or self._waiting or (self._thread and self._thread.is_alive()):
            return
        for pack, analyser in self._analysers.items():
            analyser.ask()
            self._collect(run, pack, analyser)

    def wait(self, timeout_s: float) -> bool:
        """Wait until all that waits has been judged, and bring it in; for tests and at the end."""
        end = time.monotonic() + timeout_s
        while self._thread is not None and time.monotonic() < end:
            self._thread.join(max(end - time.monotonic(), 0.0))
            if self._thread.is_alive() or not self._waiting:
                break
            self._start()  # the last piece came while the thread was ending
        self.turn()
        return not self._waiting

    def finish(self, profile: Profile, serial: str = "") -> None:
        """The stream has ended: everything that waits is used and judged, here and now."""
        warm_estimators()
        early, self._early = self._early, []
        for piece in early:
            self._feed(piece, profile, serial)
        for pack, analyser in self._analysers.items():
            analyser.finish()
            if self._run is not None:
                self._collect(self._run, pack, analyser)
        self.wait(600.0)

    def _collect(self, run: Run, pack: int, analyser: Analyser) -> None:
        self.runs.add(run, pack, analyser.take())
        told = run.pack(pack)
        told.basis, told.cells = analyser.basis, analyser.count
        for evaluation in analyser.due():
            self._waiting.append((run, pack, analyser, evaluation))
        if self._waiting and (self._thread is None or not self._thread.is_alive()):
            self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="evaluation", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while self._waiting:
            try:
                work = self._waiting.popleft()
            except IndexError:
                return  # reset meanwhile
            self._finished.append((work, work[3].health()))

    def _judged(self, run: Run, pack: int, analyser: Analyser, health: Health) -> None:
        told, monitor = run.pack(pack), self._monitor_of(pack)
        risk = None
        if monitor is not None:
            told.findings += monitor.evaluate(health)
            judgement = monitor.judgement()
            told.verdict, told.risks = judgement.verdict, judgement.risks
            told.ranked.append((health.time, judgement.risks))
            risk = np.full(health.count, np.nan)
            for cell in told.risks:
                risk[cell.cell - 1] = cell.risk
        told.health.append(analyser.accept(health, risk))
        self.runs.add(run, pack, analyser.take())
