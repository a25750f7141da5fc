"""An alert in the reader's words: how severe, since when, how often, what to do; and where it is.

What Live, the timeline, the plots and the report share. Nothing is judged here.
"""

from collections.abc import Sequence
from pathlib import Path

from bms_studio.alert_marks import ALERT, interval
from bms_studio.diagnosis.alerts import AROUND_NS
from bms_studio.diagnosis.contract import Finding
from bms_studio.diagnosis.words import action_of
from bms_studio.gui.cell_view import clock
from bms_studio.gui.contract import PackView
from bms_studio.gui.risk_words import day_words
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.status import RecordingStatus
from bms_studio.timeline import Event
from widgets.plot_parts import Shade

# Moments have a place in time of their own; a condition is told when it became sure.
_MOMENTS = ("dip", "shift", "link", "limits")
_MOST_SHADES = 200
_DAY_NS = 86_400_000_000_000


def shown_severity(finding: Finding) -> str:
    """The word that colour and shape follow: high and stop are red, watch is amber."""
    if finding.state == "resolved":
        return "resolved"
    if finding.state == "pending":
        return "info"
    return "high" if finding.severity == "warn" else finding.severity


def severity_word(finding: Finding) -> str:
    """The same as a word."""
    if finding.state == "pending":
        return text("not sure yet")
    if finding.state == "resolved":
        return text("resolved")
    return {
        "stop": text("stop"),
        "warn": text("high"),
        "watch": text("watch"),
    }.get(finding.severity, text("information"))


def sentence(finding: Finding) -> str:
    """What was found."""
    return render(finding.code, finding.parameters, finding.text)


def when_told(finding: Finding, dated: bool = False) -> str:
    """First and last time; with the day where they are days apart, or always (dated)."""
    first, last = clock(finding.start), clock(finding.time)
    days = day_words(finding.start), day_words(finding.time)
    if finding.time - finding.start > _DAY_NS or (dated and days[0] != days[1]):
        first, last = f"{days[0]} {first}", f"{days[1]} {last}"
    elif dated:
        return f"{days[0]} {first}" + ("" if first == last else f" – {last}")
    return first if first == last else f"{first} – {last}"


def note(finding: Finding) -> str:
    """Severity, whether it was seen, what to do, and first and last time."""
    parts = [severity_word(finding)]
    if finding.state == "acknowledged":
        parts.append(text("seen"))
    code, parameters = action_of(finding)
    if finding.state != "resolved" and code not in ("action.wait", "action.none"):
        parts.append(render(code, parameters))
    return " · ".join([*parts, when_told(finding)])


def kept_words(kept: RecordingStatus) -> str:
    """What the black box does with alerts while nobody records; "" nothing."""
    name = Path(kept.path).name
    return {
        "recording": text("Nobody records: half a minute around this alert is being kept"),
        "building": text("Nobody records: half a minute around this alert is being kept"),
        "saved": text("Kept: {name}", name=name),
        "failed": text("The alert could not be kept: {reason}", reason=kept.message),
    }.get(kept.state, "")


def counts(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """How many are high, to watch, not sure yet and resolved, as (severity, words)."""
    shown = [shown_severity(f) for f in findings if f.state != "pending"]
    high = sum(severity in ("high", "stop") for severity in shown)
    pending = sum(f.state == "pending" for f in findings)
    found = [
        ("high", high, text("{count} high", count=high)),
        ("watch", shown.count("watch"), text("{count} watch", count=shown.count("watch"))),
        ("info", pending, text("{count} not sure yet", count=pending)),
        (
            "resolved",
            shown.count("resolved"),
            text("{count} resolved", count=shown.count("resolved")),
        ),
    ]
    return [(severity, words) for severity, count, words in found if count]


# -- where it is -------------------------------------------------------------------------------


def marks(view: PackView) -> list[Event]:
    """Black-box marks of the alerts, in order of time."""
    return sorted((e for e in view.timeline.events if e.kind == ALERT), key=lambda e: e.time)


def look_at(view: PackView, finding: Finding) -> tuple[int, int]:
    """Half a minute to each side of the alert: of its mark where there is one."""
    own = [e for e in marks(view) if finding.id == e.parameters.get("id")]
    own = own or [e for e in marks(view) if e.text == finding.text]
    if own and finding.kind not in _MOMENTS:
        return interval(own[-1])
    moment = finding.start if finding.kind in _MOMENTS else finding.time
    return moment - AROUND_NS, moment + AROUND_NS


def shades(view: PackView) -> list[Shade]:
    """The same intervals for plots; those that touch are one."""
    out: list[Shade] = []
    for event in marks(view)[-_MOST_SHADES:]:
        first, last = interval(event)
        severity = "watch" if event.parameters.get("severity") == "watch" else "high"
        if out and first <= out[-1].t1_ns:
            tone = "high" if "high" in (severity, out[-1].tone) else "watch"
            out[-1] = Shade(out[-1].t0_ns, last, tone, out[-1].label)
        else:
            out.append(Shade(first, last, severity, text("alert ± 30 s")))
    return out
