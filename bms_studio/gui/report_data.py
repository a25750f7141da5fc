"""The last page of the report in rows: quality of the data, what the signals mean, settings.

Names and words only; nothing is measured here.
"""

import math

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.gui.contract import PackView
from bms_studio.gui.evidence import Evidence
from bms_studio.gui.header import grouped
from bms_studio.gui.readings import number
from bms_studio.language import text

_MOST_EVENTS = 12
_FLOWS_A = 0.5
_EVENTS = ("gap", "lost", "drop", "clock-step", "suspend", "silence", "pack-changed", "parameter")


def quality_rows(view: PackView) -> list[list[str]]:
    """Frames, gaps, rates, protocol, sign and where the data come from."""
    status, timeline = view.status, view.timeline
    link = status.link
    rows = [
        [text("Source"), " · ".join(w for w in (link.interface, link.channel) if w) or "–"],
        [text("Frames"), grouped(timeline.frames.count)],
        [text("Frames lost"), grouped(link.lost)],
    ]
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
    rows += [[name, value] for name, value in status.origin]
    return rows


def _rate(view: PackView, group: str) -> str:
    count = view.timeline.rows(group)
    if count < 2:
        return grouped(count)
    span = view.timeline.span()
    seconds = (span[1] - span[0]) * 1e-9 if span else 0.0
    rate = number(count / seconds, 1) if seconds > 0 else "–"
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
    chemistry = basis.chemistry or text("unknown")
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
    stated = {k: v for k, v in settings.as_json().items() if v not in (None, "", {})}
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
