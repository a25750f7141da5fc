"""What a receipt states, gathered while frames and rows pass: ids, gaps, sign, cells.

Arrays in, a `Receipt` out. No files, no Qt.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio import __version__
from bms_studio.interpret import Interpretation
from bms_studio.pack.profile import Profile
from bms_studio.pack.sign import SignCheck
from bms_studio.pipeline import Rows
from bms_studio.receipt import Meaning, Receipt, Source, Words
from protocols.frames import ERROR, EXTENDED, Frames
from protocols.roles import PACK_FIELDS
from protocols.signals import Database
from recordings.logs import LogReport

GAP_NS = 2_000_000_000
_GAP_STEPS = 5  # a table that is written every 10 s has a gap where some of its rows are missing
_KEPT_GAPS = 5
_KEPT_IDS = 12
_FEW_MINUTES = 10.0
_MUCH_UNKNOWN = 0.05
_VOLTAGE, _CURRENT = ([f.name for f in PACK_FIELDS].index(name) for name in ("voltage", "current"))


@dataclass(slots=True, eq=False)
class Facts:
    """Grows while an import runs. ids: frames by (id, extended)."""

    ids: dict[tuple[int, bool], int] = field(default_factory=dict)
    frames: int = 0
    start_ns: int | None = None
    end_ns: int = 0
    gap_count: int = 0
    gap_seconds: float = 0.0
    gaps: list[tuple[int, float]] = field(default_factory=list)
    sign: SignCheck = field(default_factory=SignCheck)
    cells: int = 0
    probes: int = 0
    current: bool = False

    def add_frames(self, frames: Frames) -> None:
        """A block in order of time."""
        self._span(frames.time)
        self.frames += len(frames)
        normal = (frames.flags & ERROR) == 0
        wide = (frames.flags & EXTENDED) != 0
        for extended, rows in ((False, normal & ~wide), (True, normal & wide)):
            numbers = frames.id[rows]
            if extended:
                found, counts = np.unique(numbers, return_counts=True)
            else:
                table = np.bincount(numbers, minlength=1)
                found = np.flatnonzero(table)
                counts = table[found]
            for number, count in zip(found.tolist(), counts.tolist(), strict=True):
                self.ids[number, extended] = self.ids.get((number, extended), 0) + count

    def add_rows(self, rows: Sequence[Rows]) -> None:
        """Scans of the first pack."""
        for part in rows:
            if part.pack == 1:
                self.add_values(part.kind, part.scans.rows)

    def add_values(self, kind: str, values: NDArray[Any]) -> None:
        """Rows of a kind ("cell", "probe", "pack" with all fields), (N, columns)."""
        if kind == "cell":
            self.cells = max(self.cells, values.shape[1])
        elif kind == "probe":
            self.probes = max(self.probes, values.shape[1])
        elif kind == "pack":
            current = np.asarray(values[:, _CURRENT], np.float32)
            self.current = self.current or bool(np.isfinite(current).any())
            self.sign.push(current, np.asarray(values[:, _VOLTAGE], np.float32))

    def add_times(self, moments: NDArray[np.int64]) -> None:
        """The times of all rows of samples, where there are no frames."""
        usual = int(np.median(np.diff(moments))) if len(moments) > 1 else 0
        self._span(moments, max(GAP_NS, _GAP_STEPS * usual))

    def _span(self, moments: NDArray[np.int64], gap_ns: int = GAP_NS) -> None:
        if not len(moments):
            return
        before = int(moments[0]) if self.start_ns is None else self.end_ns
        self.start_ns = before if self.start_ns is None else self.start_ns
        self.end_ns = int(moments[-1])
        steps = np.diff(moments, prepend=before)
        wide = np.flatnonzero(steps > gap_ns)
        if not len(wide):
            return
        self.gap_count += len(wide)
        self.gap_seconds += float(steps[wide].sum() * 1e-9)
        longest = wide[np.argsort(-steps[wide])[:_KEPT_GAPS]]
        self.gaps += [(int(moments[k] - steps[k]), float(steps[k]) * 1e-9) for k in longest]
        self.gaps = sorted(self.gaps, key=lambda gap: -gap[1])[:_KEPT_GAPS]


def source_of(path: Path, digest: str, report: LogReport) -> Source:
    """What one log said of itself."""
    return Source(
        name=path.name,
        sha256=digest,
        size=path.stat().st_size,
        format=report.format,
        rows=report.frames or report.lines - report.bad,
        lines=report.lines,
        time_reference=report.time_reference,
        bad=report.bad,
        bad_lines=tuple(report.bad_lines),
        skipped=report.skipped,
        backwards=report.backwards,
        damaged=report.damaged,
        restarts=report.restarts,
        implausible=report.implausible,
        truncated=report.truncated,
        channels=tuple(report.channels),
        notes=tuple(report.notes),
    )


def receipt_of(
    sources: Sequence[Source],
    facts: Facts,
    reference: str,
    meaning: Meaning,
    databases: Sequence[Database],
    profile: Profile,
    merged: Sequence[str] = (),
) -> Receipt:
    """The receipt of what was gathered. databases: those that the meaning uses."""
    unknown = _unknown(facts.ids, databases)
    receipt = Receipt(
        sources=tuple(sources),
        software=f"BMS Studio {__version__}",
        time_reference=reference,
        zone=local_zone(facts.start_ns or 0) if reference == "local-assumed" else "",
        start_ns=facts.start_ns or 0,
        end_ns=facts.end_ns,
        frames=facts.frames,
        gap_count=facts.gap_count,
        gap_seconds=facts.gap_seconds,
        gaps=tuple(facts.gaps),
        ids=len(facts.ids),
        unknown_ids=len(unknown),
        unknown_frames=sum(count for _, count in unknown),
        unknown=tuple(unknown[:_KEPT_IDS]),
        meaning=meaning,
        merged=tuple(merged),
    )
    return _with_unlocks(receipt, profile, databases)


def meaning_of(found: Interpretation | None, facts: Facts) -> Meaning:
    """The meaning of frames, with what their rows said."""
    agree, against = facts.sign.counts
    if found is None:
        return Meaning()
    return Meaning(
        protocol=found.mapping.protocol or found.title,
        title=found.title,
        confidence=found.confidence,
        runner_up=found.runner_up,
        signals=len(found.mapping.bindings),
        cells=facts.cells,
        probes=facts.probes,
        current=facts.current,
        sign=found.mapping.sign if facts.current else "",
        sign_state=facts.sign.state,
        steps_for=agree,
        steps_against=against,
        notes=found.mapping.notes,
        repairs=tuple(f"{d.name}: {r}" for d in found.databases for r in d.repairs),
    )


def local_zone(time_ns: int) -> str:
    """This computer's zone at a moment: "CET (UTC+01:00)"."""
    try:
        moment = time.localtime(time_ns / 1e9)
    except (OverflowError, OSError, ValueError):
        moment = time.localtime(0)
    minutes = abs(moment.tm_gmtoff) // 60
    sign = "-" if moment.tm_gmtoff < 0 else "+"
    return f"{moment.tm_zone} (UTC{sign}{minutes // 60:02d}:{minutes % 60:02d})"


def _unknown(
    ids: Mapping[tuple[int, bool], int], databases: Sequence[Database]
) -> list[tuple[str, int]]:
    """Ids that no message has, as text with their frames, the most frequent first."""
    messages = [m for d in databases for m in d.messages]
    messages += [t.message for d in databases for t in d.transfers]
    exact = {(m.id, m.extended) for m in messages if m.id_mask == 0x1FFFFFFF}
    masked = [m for m in messages if m.id_mask != 0x1FFFFFFF]
    left = [
        (count, number, extended)
        for (number, extended), count in ids.items()
        if (number, extended) not in exact
        and not any(m.extended == extended and number & m.id_mask == m.id for m in masked)
    ]
    left.sort(key=lambda entry: (-entry[0], entry[1]))
    return [(f"0x{n:08X}" if wide else f"0x{n:03X}", count) for count, n, wide in left]


def _with_unlocks(receipt: Receipt, profile: Profile, databases: Sequence[Database]) -> Receipt:
    return replace(receipt, unlock=tuple(_unlocks(receipt, profile, databases)))


def _unlocks(receipt: Receipt, profile: Profile, databases: Sequence[Database]) -> list[Words]:
    meaning, found = receipt.meaning, list[Words]()
    share = receipt.unknown_frames / max(receipt.frames, 1)
    if not meaning.protocol:
        found.append(("database", {"ids": receipt.ids}))
    elif share > _MUCH_UNKNOWN:
        names = ", ".join(name for name, _ in receipt.unknown[:6])
        more = " …" if receipt.unknown_ids > 6 else ""
        found.append(("database_for", {"ids": names + more, "percent": 100 * share}))
    if meaning.protocol:
        asked = any(database.transfers for database in databases)
        found += _of_the_pack(meaning, profile, asked)
    if receipt.time_reference == "relative":
        found.append(("date", {}))
    elif receipt.zone:
        found.append(("zone", {"zone": receipt.zone}))
    minutes = (receipt.end_ns - receipt.start_ns) / 60e9
    if minutes < _FEW_MINUTES:
        found.append(("longer", {"minutes": minutes}))
    return found


def _of_the_pack(meaning: Meaning, profile: Profile, asked: bool) -> list[Words]:
    found: list[Words] = []
    if not meaning.cells:
        found.append(("asked" if asked else "cells", {}))
    if not meaning.current:
        found.append(("current", {}))
    elif meaning.sign_state == "contradicts":
        steps = meaning.steps_for + meaning.steps_against
        found.append(("sign_contradicts", {"against": meaning.steps_against, "steps": steps}))
    elif meaning.sign_state != "agrees" and not profile.current_sign:
        found.append(("sign", {}))
    if not meaning.probes:
        found.append(("temperature", {}))
    if not profile.chemistry or not profile.capacity_ah:
        found.append(("chemistry", {}))
    return found
