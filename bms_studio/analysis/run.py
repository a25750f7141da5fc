"""One analysis of rows that are all there: a recording, or what a live session has kept.

Every row goes to the detectors and to the estimators in order of time, ten minutes at a time, so
that an evaluation knows nothing of what comes after it. No Qt, no files.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.analyser import Analyser, Block
from bms_studio.analysis.basis import Known
from bms_studio.analysis.contract import Settings
from bms_studio.analysis.runs import Run
from bms_studio.monitor import Monitor
from bms_studio.pack.health import Health
from bms_studio.pack.limits import resolve_limits
from bms_studio.pack.profile import Profile

_CHUNK_NS = 600_000_000_000
_CHUNK_VALUES = 1 << 22
# What is pushed first: estimators see a scan of cells with all that was known then.
ORDER = {"pack": 0, "probe": 1, "balancing": 2, "cell": 3}
Reader = Callable[[int, int], tuple[NDArray[Any], NDArray[Any] | None]]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows of one kind of one pack, as for `Analyser.push`."""

    pack: int
    kind: str
    time: NDArray[np.int64]
    rows: NDArray[Any]
    age_s: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All rows of one kind of one pack: times, and `read(i, j)` for rows i..j-1 with ages."""

    pack: int
    kind: str
    time: NDArray[np.int64]
    columns: int
    read: Reader


def chunks(tables: Sequence[Table]) -> Iterator[tuple[float, list[Piece]]]:
    """Share done 0..1 and the pieces of each span of ten minutes (less where rows are many)."""
    full = [t for t in tables if len(t.time)]
    if not full:
        return
    begin = min(int(t.time[0]) for t in full)
    end = max(int(t.time[-1]) for t in full)
    at = {id(t): 0 for t in full}
    edge = begin
    while edge <= end:
        # Where nothing is for days, go on to the next row.
        coming = [int(t.time[at[id(t)]]) for t in full if at[id(t)] < len(t.time)]
        edge = max(edge, min(coming)) + _CHUNK_NS
        for table in full:
            rows = _CHUNK_VALUES // max(table.columns, 1)
            last = min(at[id(table)] + rows, len(table.time))
            if table.time[last - 1] < edge and last < len(table.time):
                edge = int(table.time[last])
        pieces = []
        for table in sorted(full, key=lambda t: ORDER[t.kind]):
            i, j = at[id(table)], int(np.searchsorted(table.time, edge))
            if j > i:
                rows_now, ages = table.read(i, j)
                moments = np.array(table.time[i:j], np.int64)
                pieces.append(Piece(table.pack, table.kind, moments, rows_now, ages))
                at[id(table)] = j
        yield min((edge - begin) / max(end - begin, 1), 1.0), pieces


@dataclass(frozen=True, slots=True, eq=False)
class Ears:
    """Who hears of a run while it goes on. begun(run): a run (again, from its beginning);
    blocks(run, pack, blocks): more rows, which somebody must add to the run; progress(0..1);
    check(): raises to end it."""

    begun: Callable[[Run], None] = lambda run: None
    blocks: Callable[[Run, int, list[Block]], object] = Run.add
    progress: Callable[[float], None] = lambda share: None
    check: Callable[[], None] = lambda: None


class Analysed:
    """What an analysis leaves: the run, and per pack the analyser and the monitor."""

    def __init__(self, settings: Settings, profiles: dict[int, Profile], serial: str) -> None:
        self.run = Run(settings)
        self.profiles = profiles
        self.serial = serial
        self.analysers: dict[int, Analyser] = {}
        self.monitors: dict[int, Monitor] = {}
        self.history: dict[int, list[Health]] = {}

    def pack(self, number: int, known: dict[int, Known]) -> tuple[Analyser, Monitor]:
        """Analyser and monitor of a pack."""
        if number not in self.analysers:
            profile = self.profiles.get(number) or further_pack(self.profiles.get(1, Profile()))
            self.analysers[number] = Analyser(
                self.run.settings, profile, known=known.get(number), serial=self.serial
            )
            limits = resolve_limits(
                profile.limits, self.run.settings.chemistry or profile.chemistry
            )
            recognised = known[number].chemistry if number in known else ""
            self.monitors[number] = Monitor(limits, self.history.get(number, ()), recognised)
        return self.analysers[number], self.monitors[number]


def further_pack(profile: Profile) -> Profile:
    """What a profile says of a second pack on the bus: it describes the first; packs that work
    side by side have one chemistry, but not one capacity."""
    return Profile(chemistry=profile.chemistry)


def analyse(
    source: Callable[[], Iterable[tuple[float, list[Piece]]]],
    settings: Settings,
    profiles: dict[int, Profile],
    *,
    serial: str = "",
    ears: Ears | None = None,
    history: dict[int, list[Health]] | None = None,
    ends: bool = True,
) -> Analysed:
    """Analyse all rows of `source`, which may be asked twice: where the data themselves say what
    the pack is (capacity, chemistry, sign), a second pass uses it from the beginning.

    profiles: by pack; history: earlier visits by pack; ends: False where the stream goes on and the
    analysers will be fed further. Raises ValueError for unusable settings.
    """
    ears = ears or Ears()
    known: dict[int, Known] = {}
    for again in (False, True):
        done = Analysed(settings, profiles, serial)
        done.history = history or {}
        ears.begun(done.run)
        for share, pieces in source():
            ears.check()
            _feed(done, pieces, known, ears)
            ears.progress(share)
        for number, analyser in done.analysers.items():
            if ends:
                analyser.finish()
                done.monitors[number].flush()
            _collect(done, number, ears)
            if ends:  # what the end told may decide; the newest alerts and figures stand in it
                done.run.pack(number).verdict = done.monitors[number].judgement().verdict
        known = {number: analyser.known for number, analyser in done.analysers.items()}
        if again or not any(analyser.outdated for analyser in done.analysers.values()):
            break
    return done


def _feed(done: Analysed, pieces: list[Piece], known: dict[int, Known], ears: Ears) -> None:
    for piece in pieces:
        analyser, monitor = done.pack(piece.pack, known)
        rows = piece.rows
        monitor.push(piece.kind, piece.time, np.asarray(rows, np.float32))
        analyser.push(piece.kind, piece.time, rows, piece.age_s)
    for number in {piece.pack for piece in pieces}:
        _collect(done, number, ears)


def _collect(done: Analysed, number: int, ears: Ears) -> None:
    analyser, monitor = done.analysers[number], done.monitors[number]
    told = done.run.pack(number)
    told.basis, told.cells = analyser.basis, analyser.count
    for evaluation in analyser.due():
        ears.check()
        health = evaluation.health()
        monitor.evaluate(health)
        judgement = monitor.judgement()
        told.verdict, told.risks = judgement.verdict, judgement.risks
        told.ranked.append((health.time, judgement.risks))
        risk = np.full(health.count, np.nan)
        for cell in told.risks:
            risk[cell.cell - 1] = cell.risk
        told.health.append(analyser.accept(health, risk))
    if told.verdict is None or not analyser.health:
        told.verdict = monitor.judgement().verdict
    told.findings = monitor.log
    blocks = analyser.take()
    if blocks:
        ears.blocks(done.run, number, blocks)
