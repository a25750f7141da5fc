"""Analyses of one view that run beside it: first of a recording, or again with other settings.

The work happens in a thread; what it finds is handed to the thread that owns the Timeline through
`post`, in order. `AnalysedView` is the face that a live session and a replay share. No Qt.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bms_studio.analysis.analyser import Block
from bms_studio.analysis.basis import Known, settle
from bms_studio.analysis.contract import Analysis, AnalysisStatus, Settings
from bms_studio.analysis.run import Analysed, Ears, Piece, analyse
from bms_studio.analysis.runs import Run, Runs
from bms_studio.pack.health import Health
from bms_studio.pack.profile import Profile

_NAN = float("nan")


class Ended(Exception):
    """Somebody cancelled, or the view is being closed."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What to analyse: rows (see `run.analyse`), settings, profiles by pack; done(analysed) is
    called in the owner's thread; ends: whether the rows are all there will be; history: earlier
    visits by pack."""

    source: Callable[[], Iterable[tuple[float, list[Piece]]]]
    settings: Settings
    profiles: dict[int, Profile]
    serial: str = ""
    done: Callable[[Analysed], None] = lambda analysed: None
    ends: bool = True
    dropped: Callable[[], None] = lambda: None
    history: dict[int, list[Health]] = field(default_factory=dict)


class Background:
    """One analysis at a time; further ones wait. `busy`: 0..1, NaN when there is nothing to do;
    `error`: one sentence about the last one that failed."""

    def __init__(self, runs: Runs, post: Callable[[Callable[[], None]], object]) -> None:
        self.runs = runs
        self.busy = _NAN
        self.error = ""
        self._post = post
        self._orders: deque[Order] = deque()
        self._turn = 0  # rises with every cancel
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def ask(self, order: Order) -> None:
        """Analyse; from any thread."""
        with self._lock:
            self._orders.append(order)
            if self._thread is None:
                self.busy = 0.0
                self._thread = threading.Thread(target=self._work, name="analysis", daemon=True)
                self._thread.start()

    def cancel(self) -> None:
        """End what runs and forget what waits; what has been found before stays."""
        with self._lock:
            self._turn += 1
            for order in self._orders:
                self._post(order.dropped)
            self._orders.clear()

    def close(self, timeout_s: float = 5.0) -> None:
        """Cancel, and wait for the end."""
        self.cancel()
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._orders:
                    self._thread, self.busy = None, _NAN
                    return
                order, turn = self._orders.popleft(), self._turn
            self._one(order, turn)

    def _one(self, order: Order, turn: int) -> None:
        begun: list[Run] = []

        def post(work: Callable[[], None]) -> None:
            # Somebody may cancel before the owner comes to it: then it does not hold any more.
            self._post(lambda: work() if turn == self._turn else None)

        def check() -> None:
            if turn != self._turn:
                raise Ended

        def begin(run: Run) -> None:
            self._forget(begun)
            begun[:] = [run]
            post(partial(self.runs.begin, run))

        def blocks(run: Run, pack: int, found: list[Block]) -> None:
            post(partial(self.runs.add, run, pack, found))

        ears = Ears(begin, blocks, self._progress, check)
        try:
            self.error = ""
            done = analyse(
                order.source,
                order.settings,
                order.profiles,
                serial=order.serial,
                ears=ears,
                ends=order.ends,
                history=order.history,
            )
            self._post(lambda: order.done(done) if turn == self._turn else order.dropped())
        except Ended:
            self._forget(begun)
            self._post(order.dropped)
        except Exception as problem:  # shown to the person: it must not end in silence
            logging.getLogger(__name__).exception("an analysis failed")
            self.error = str(problem) or type(problem).__name__
            self._forget(begun)
            self._post(order.dropped)

    def _forget(self, begun: list[Run]) -> None:
        for run in begun:
            self._post(partial(self.runs.drop, run))

    def _progress(self, share: float) -> None:
        self.busy = share


class AnalysedView:
    """What a session and a replay say and do about analyses. They hand over `_runs`, `_background`,
    `_order(settings)` for the rows that there are, and `_later(work)` for their own thread."""

    _runs: Runs
    _background: Background

    def _order(self, settings: Settings) -> Order:
        raise NotImplementedError

    def _later(self, work: Callable[[], None]) -> None:
        raise NotImplementedError

    def analyse(self, settings: Settings) -> None:
        """Analyse everything again in the background; see `gui.contract`. ValueError, one sentence,
        when the settings cannot be used."""
        settle(settings, Profile(), Known())
        self._later(lambda: self._background.ask(self._order(settings)))

    def cancel_analysis(self) -> None:
        """End the analysis that runs in the background."""
        self._background.cancel()

    def show_analysis(self, number: int) -> None:
        """Show another of `analysis.runs`, counted from 0; one that is not there is ignored."""

        def show() -> None:
            if 0 <= number < len(self._runs.all):
                self._runs.show(number)

        self._later(show)

    @property
    def now_ns(self) -> int:
        """The live edge, or the playhead."""
        raise NotImplementedError

    def analysis_of(self, pack: int) -> AnalysisStatus:
        """What is estimated and judged of any pack on the bus, as of the present moment."""
        return self._runs.status(self.now_ns, self._background, pack)

    def analysis_run(self, number: int, pack: int = 1) -> Analysis | None:
        """All results of one of `analysis.runs` as arrays, to be compared; None if there is none
        or nothing is known yet."""
        kept: list[Any] = list(self._runs.all)
        return kept[number].analysis(pack) if 0 <= number < len(kept) else None
