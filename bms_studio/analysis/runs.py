"""The analyses of one view, each with its settings: one is shown in the Timeline, all are kept.

A run gathers what analysers of its packs said. Plain bookkeeping: no thread, no file, no estimator.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bms_studio import __version__
from bms_studio.analysis.analyser import Block
from bms_studio.analysis.contract import (
    ESTIMATES,
    HEALTH,
    PACK_GROUP,
    Analysis,
    AnalysisStatus,
    Basis,
    Settings,
)
from bms_studio.diagnosis.contract import CellRisk, Finding, Verdict
from bms_studio.diagnosis.verdict import STREAM_CHECKS, judge
from bms_studio.pack.health import Health
from bms_studio.timeline import Timeline

_DAY_NS = 86_400_000_000_000


def prefix(pack: int) -> str:
    """What stands before the groups of a pack in the Timeline."""
    return "" if pack == 1 else f"packs/{pack}/"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(slots=True, eq=False)
class PackRun:
    """What one analysis says of one pack so far; findings: every transition; ranked: risks by the
    time (ns) of their evaluation; ended: by its time, how each visit that is over ended."""

    basis: Basis = field(default_factory=Basis)
    cells: int = 0
    labels: tuple[str, ...] = ()
    health: list[Health] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    verdict: Verdict | None = None
    risks: tuple[CellRisk, ...] = ()
    ranked: list[tuple[int, tuple[CellRisk, ...]]] = field(default_factory=list)
    ended: dict[int, Health] = field(default_factory=dict)

    def findings_at(self, now_ns: int) -> tuple[Finding, ...]:
        """Newest state of every finding as of a moment, worst and newest first."""
        newest = {f.id: f for f in sorted(self.findings, key=lambda f: f.time) if f.time <= now_ns}
        rank = {"stop": 0, "warn": 1, "watch": 2, "info": 3}
        states = newest.values()
        return tuple(
            sorted(states, key=lambda f: (f.state == "resolved", rank[f.severity], -f.time))
        )

    def verdict_at(self, now_ns: int, health: Health | None) -> Verdict | None:
        """What was to be said of the pack then; None before anything was judged."""
        if self.verdict is None:
            return None
        checked = [code for code, _ in self.verdict.checked if code in STREAM_CHECKS]
        return judge(self.findings_at(now_ns), checked, True, health, risks=self.risks_at(now_ns))

    def visits_before(self, now_ns: int) -> tuple[Health, ...]:
        """How each day that had ended before a moment ended: one recording may hold several, and
        a day is a visit to whoever follows trends."""
        known = [h for h in self.health if h.time <= now_ns]
        ended = [a for a, b in pairwise(known) if a.time // _DAY_NS != b.time // _DAY_NS]
        for health in ended:
            if health.time not in self.ended:
                verdict = self.verdict_at(health.time, health)
                self.ended[health.time] = replace(health, verdict=verdict.code if verdict else "")
        return tuple(self.ended[health.time] for health in ended)

    def risks_at(self, now_ns: int) -> tuple[CellRisk, ...]:
        """Risks as they were known at a moment."""
        return next((r for t, r in reversed(self.ranked) if t <= now_ns), ())


@dataclass(slots=True, eq=False)
class Run:
    """One analysis of all packs: results by Timeline group, and per pack what was judged."""

    settings: Settings = field(default_factory=Settings)
    number: int = 1
    created: str = field(default_factory=_now)
    software: str = f"BMS Studio {__version__}"
    packs: dict[int, PackRun] = field(default_factory=dict)
    blocks: dict[str, list[Block]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How a person calls it: its own name, else its number."""
        return self.settings.name or str(self.number)

    def pack(self, number: int) -> PackRun:
        """What is said of a pack, empty at first."""
        return self.packs.setdefault(number, PackRun())

    def add(self, pack: int, blocks: Iterable[Block]) -> list[Block]:
        """Remember rows of a pack; answers them with their names in the Timeline."""
        named = [
            Block(prefix(pack) + b.group, b.time, b.rows, b.columns) for b in blocks if len(b.time)
        ]
        for block in named:
            self.blocks.setdefault(block.group, []).append(block)
        return named

    def analysis(self, pack: int = 1, labels: Sequence[str] = ()) -> Analysis | None:
        """Everything of one pack as plain arrays; None before anything is known."""
        told = self.packs.get(pack)
        if told is None:
            return None
        none = Verdict("NOT_ENOUGH_DATA", ("verdict.not_enough_data", {}), ("action.wait", {}))
        return Analysis(
            number=self.number,
            created=self.created,
            software=self.software,
            settings=self.settings,
            basis=told.basis,
            cells=told.cells,
            labels=tuple(labels or told.labels),
            estimates=self._estimates(pack),
            health=tuple(told.health),
            findings=tuple(told.findings),
            verdict=told.verdict or none,
            risks=told.risks,
        )

    def _estimates(self, pack: int) -> Mapping[str, NDArray[Any]]:
        before = prefix(pack)
        out: dict[str, NDArray[Any]] = {}
        for group, blocks in self.blocks.items():
            name = group.removeprefix(before)
            if (name == group and before) or not name.startswith(ESTIMATES):
                continue
            time = np.concatenate([b.time for b in blocks])
            rows = _joined([b.rows for b in blocks])
            out.setdefault("time", time)
            if name == PACK_GROUP:
                for i, column in enumerate(blocks[0].columns):
                    out[f"pack_{column}" if column in ("soc", "soc_sigma") else column] = rows[:, i]
            else:
                out[name.removeprefix(ESTIMATES)] = rows
        return out


class Work(Protocol):
    """What runs in the background: share done, NaN when nothing is; a sentence if it failed."""

    busy: float
    error: str


class Runs:
    """All runs of a view, oldest first; `shown` is the place (from 0) of the one in the Timeline.
    Only the thread that writes the Timeline may call this."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.visits: tuple[Health, ...] = ()  # earlier ones of the first pack
        self.all: list[Run] = []
        self.shown = 0

    def begin(self, run: Run) -> None:
        """A new run, shown from now on."""
        run.number = max((r.number for r in self.all), default=0) + 1
        self.all.append(run)
        self.show(len(self.all) - 1)

    def keep(self, run: Run) -> None:
        """A run that was made before, with its own number; shown from now on."""
        self.all.append(run)
        self.show(len(self.all) - 1)

    def drop(self, run: Run) -> None:
        """Forget a run that was not finished; the one before it is shown again."""
        if run in self.all:
            self.all.remove(run)
            if self.all:
                self.show(len(self.all) - 1)
            else:
                self.clear()

    def add(self, run: Run, pack: int, blocks: Iterable[Block]) -> None:
        """Rows of a run, into the Timeline if it is the one that is shown."""
        for block in run.add(pack, blocks):
            if self.all and self.all[self.shown] is run:
                self._append(block)

    def show(self, place: int) -> None:
        """Put the results of another run into the Timeline. ValueError if there is none."""
        if not 0 <= place < len(self.all):
            raise ValueError(f"there is no analysis {place + 1}: there are {len(self.all)}")
        self.shown = place
        forget_results(self._timeline)
        for blocks in self.all[place].blocks.values():
            rows = _joined([b.rows for b in blocks])
            time = np.concatenate([b.time for b in blocks])
            self._append(Block(blocks[0].group, time, rows, blocks[0].columns))

    def clear(self) -> None:
        """Another pack, or another meaning of the signals: nothing said before holds."""
        self.all, self.shown = [], 0
        forget_results(self._timeline)

    def status(self, now_ns: int, work: Work | None = None, pack: int = 1) -> AnalysisStatus:
        """What the window polls of a pack, as of `now_ns`; work: what runs beside. Any thread."""
        busy, error = (work.busy, work.error) if work is not None else (float("nan"), "")
        if not self.all:
            return AnalysisStatus(busy=busy, error=error)
        run = self.all[self.shown]
        told = run.packs.get(pack) or PackRun()
        evaluations = tuple(h for h in told.health if h.time <= now_ns)
        health = evaluations[-1] if evaluations else None
        return AnalysisStatus(
            basis=told.basis,
            settings=run.settings,
            health=health,
            risks=told.risks_at(now_ns),
            runs=tuple(r.name for r in self.all),
            shown=self.shown,
            busy=busy,
            error=error,
            visits=(*(self.visits if pack == 1 else ()), *told.visits_before(now_ns)),
            verdict=told.verdict_at(now_ns, health) if pack != 1 else None,
            findings=told.findings_at(now_ns) if pack != 1 else (),
            evaluations=evaluations,
        )

    def _append(self, block: Block) -> None:
        columns = block.columns
        if not columns:
            base = block.group.rpartition(ESTIMATES if ESTIMATES in block.group else HEALTH)[0]
            columns = self._timeline.columns(f"{base}cells")[: block.rows.shape[1]]
        known = self._timeline.columns(block.group)
        named = columns if len(columns) == block.rows.shape[1] else ()
        self._timeline.append(block.group, block.time, block.rows, () if known else named)


def forget_results(timeline: Timeline) -> None:
    """Take every estimate out of the Timeline."""
    for group in timeline.groups():
        if is_result(group):
            timeline.forget(group)


def is_result(group: str) -> bool:
    """Whether a Timeline group holds results of an analysis."""
    name = group.split("/", 2)[-1] if group.startswith("packs/") else group
    return name.startswith((ESTIMATES, HEALTH))


def _joined(parts: list[NDArray[Any]]) -> NDArray[np.float32]:
    width = max(part.shape[1] for part in parts)
    if any(part.shape[1] < width for part in parts):
        wide = []
        for part in parts:
            full = np.full((len(part), width), np.nan, np.float32)
            full[:, : part.shape[1]] = part
            wide.append(full)
        parts = wide
    return np.concatenate(parts)
