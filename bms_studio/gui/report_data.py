"""What a report is made of, and its last page in rows: quality of the data, meaning, settings.

Names and words only; nothing is measured here.
"""

import math
from dataclasses import dataclass

import numpy as np

from bms_studio.analysis.contract import AnalysisStatus, Settings
from bms_studio.analysis.kind_words import kind_words
from bms_studio.diagnosis.contract import Finding, Verdict
from bms_studio.gui.contract import PackView
from bms_studio.gui.evidence import Evidence
from bms_studio.gui.header import grouped
from bms_studio.gui.readings import number
from bms_studio.language import text
from bms_studio.status import PackStatus

SECTIONS = ("customer", "evidence", "cells", "visits", "quality")
_MOST_EVENTS = 12
_MOST_SIGNALS = 16
_FLOWS_A = 0.5
_LOOK_NS = 600_000_000_000
_EVENTS = ("gap", "lost", "drop", "clock-step", "suspend", "silence", "pack-changed", "parameter")


@dataclass(frozen=True, slots=True)
class Visit:
    """What the workshop writes beside the measurement; any of it may be empty."""

    workshop: str = ""
    job: str = ""
    customer: str = ""
    note: str = ""
    used: str = ""  # what moved current: charger, ride, wheel, load, nothing; "" as measured


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """All that the report speaks of, at one moment."""

    evidence: Evidence
    analysis: AnalysisStatus
    findings: tuple[Finding, ...]
    verdict: Verdict | None
    pack: PackStatus
    simulated: bool
    visit: Visit = Visit()
    sections: tuple[str, ...] = SECTIONS


def quality_rows(view: PackView) -> list[list[str]]:
    """Frames, gaps, rates, protocol, sign and where the data come from."""
    status, timeline = view.status, view.timeline
    link = status.link
    rows = [
        [text("Source"), " · ".join(w for w in (link.interface, link.channel) if w) or "–"],
        [text("Frames"), grouped(timeline.frames.count)],
        [text("Frames lost"), grouped(link.lost)],
    ]
    if not timeline.frames.count:
        rows[1:] = [[text("Frames"), text("none: these are samples of a table")]]
    for group, words in (
        ("cells", text("Scans of the cells")),
        ("probes", text("Scans of the probes")),
        ("pack", text("Pack values")),
    ):
        rows.append([words, _rate(view, group)])
    if math.isfinite(status.scan_s):
        rows.append([text("Scan"), f"{number(1000 * status.scan_s, 1)} ms"])
    sure = f" ({number(100 * status.confidence, 0)} %)" if status.protocol else ""
    rows.append([text("Protocol"), (status.protocol or text("unknown")) + sure])
    if status.runner_up:
        rows.append([text("Runner-up"), status.runner_up])
    sign = {
        "agrees": text("agrees with the voltages"),
        "contradicts": text("contradicts the voltages"),
    }.get(status.pack.sign, text("unverified"))
    rows.append([text("Current sign"), sign])
    notable = [e for e in timeline.events if e.kind in _EVENTS]
    rows.append([text("Gaps and interruptions"), str(len(notable))])
    rows += [["", event.text] for event in notable[:_MOST_EVENTS]]
    rows += [[_origin_words(name), value] for name, value in status.origin]
    return rows


def _origin_words(name: str) -> str:
    return {
        "Recorded with": text("Recorded with"),
        "Created": text("Created"),
        "SHA-256 of the frames": text("SHA-256 of the frames"),
        "Identifier of the recording": text("Identifier of the recording"),
    }.get(name, name)


def meaning_rows(view: PackView) -> list[list[str]]:
    """Which signals of the bus, or columns of a table, were taken for what."""
    mapping = view.mapping()
    told = zip(mapping.rows, mapping.values, strict=False)
    used = [(row.name, row.role) for row, value in told if row.role and value == value]
    if used:
        rows = [[text("Signals used"), str(len(used))]]
        rows += [[name, role] for name, role in used[:_MOST_SIGNALS]]
        return rows + ([["…", ""]] if len(used) > _MOST_SIGNALS else [])
    rows = []
    for group, words in (
        ("cells", text("Cells")),
        ("probes", text("Probes")),
        ("pack", text("Pack values")),
    ):
        _, times = view.timeline.held(group, view.now_ns)
        columns = view.timeline.columns(group)
        names = [name for name, when in zip(columns, times, strict=False) if when]
        if names:
            shown = names if len(names) < 4 else (names[0], "…", names[-1])
            rows.append([words, f"{len(names)}: {', '.join(shown)}"])
    return rows or [[text("Signals used"), "0"]]


def _rate(view: PackView, group: str) -> str:
    count = view.timeline.rows(group)
    span = view.timeline.span()
    if count < 2 or span is None:
        return grouped(count)
    # The usual time between two rows: a recording may hold weeks without any.
    times, _ = view.timeline.raw(group, max(span[0], view.now_ns - _LOOK_NS), view.now_ns + 1)
    seconds = float(np.median(np.diff(times))) * 1e-9 if len(times) > 1 else 0.0
    rate = number(1 / seconds, 1) if seconds > 0 else "–"
    return text("{count}, {rate} per second", count=grouped(count), rate=rate)


def settings_rows(analysis: AnalysisStatus) -> list[list[str]]:
    """Chemistry, capacity, cell model and where each comes from."""
    basis, settings = analysis.basis, analysis.settings
    source = {
        "stated": text("stated"),
        "recognised": text("recognised from the data"),
        "learned": text("learned from the data"),
        "asked": text("asked for"),
    }
    chemistry = kind_words(basis) or text("unknown")
    if basis.chemistry_source:
        sure = f", {number(100 * basis.chemistry_confidence, 0)} %"
        chemistry += f" ({source.get(basis.chemistry_source, basis.chemistry_source)}{sure})"
    capacity = "–"
    if math.isfinite(basis.capacity_ah):
        capacity = f"{number(basis.capacity_ah, 2)} Ah"
        if basis.capacity_source:
            capacity += f" ({source.get(basis.capacity_source, basis.capacity_source)})"
    rows = [
        [text("Chemistry"), chemistry],
        [text("Capacity"), capacity],
        [text("Cell model"), basis.model or "–"],
    ]
    usual = Settings().as_json()
    stated = {k: v for k, v in settings.as_json().items() if v != usual[k]}
    rows += [[text("Setting {name}", name=name), str(value)] for name, value in stated.items()]
    return rows


def used_words(way: str) -> str:
    """What moved current, as a person said; "" when nobody did."""
    return {
        "charger": text("charger"),
        "ride": text("ride"),
        "wheel": text("wheel on a stand"),
        "load": text("load"),
        "nothing": text("nothing"),
    }.get(way, way)


def moved_words(evidence: Evidence) -> str:
    """What moved current, as measured; "" where no current is known."""
    span, timeline = evidence.span, evidence.view.timeline
    columns = timeline.columns(f"{evidence.prefix}pack")
    if span is None or "current" not in columns:
        return ""
    at = columns.index("current")
    found = timeline.fetch(f"{evidence.prefix}pack", *span, 2000, [at])
    low, high = found.low[found.low == found.low], found.high[found.high == found.high]
    if not len(low) or not len(high):
        return ""
    words = [text("charged")] if low.min() < -_FLOWS_A else []
    words += [text("discharged")] if high.max() > _FLOWS_A else []
    return text(" and ").join(words) or text("at rest only")
