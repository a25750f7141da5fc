"""The black-box mark of an alert: an event at its moment, half a minute to each side to look at.

Live sessions put it into the journal, and so into the recording; a replay makes those that its
recording lacks. No Qt, no files.
"""

from collections.abc import Iterable, Sequence

from bms_studio.diagnosis.alerts import AROUND_NS, begun
from bms_studio.diagnosis.contract import Finding
from bms_studio.timeline import Event

ALERT = "alert"  # kind of the events
SEEN = "acknowledged"  # kind of the event of a person who has seen an alert; its text is the id


def alert_event(finding: Finding) -> Event:
    """The mark: at the alert's moment; parameters: id, severity, and the interval to look at."""
    moment = finding.time
    facts = {"id": finding.id, "severity": finding.severity, "moment": moment}
    span = {"first": moment - AROUND_NS, "last": moment + AROUND_NS}
    return Event(moment, ALERT, finding.text, {**facts, **span})


def marks_of(events: Iterable[Event], log: Sequence[Finding]) -> list[Event]:
    """Marks of the alerts in a log; where the recording kept those of its own time, none more."""
    if any(event.kind == ALERT and not event.parameters for event in events):
        return []
    return [alert_event(finding) for finding in begun(log, set())]


def seen_now(events: Iterable[Event], log: Sequence[Finding], now_ns: int) -> set[str]:
    """Ids of the alerts that somebody had seen by `now_ns` and that have not ended since; events:
    those of the recording, log: every transition, in order of time."""
    seen = {e.text: e.time for e in events if e.kind == SEEN and e.time <= now_ns}
    if not seen:
        return set()
    ended = {f.id: f.time for f in log if f.state == "resolved" and f.time <= now_ns}
    return {name for name, when in seen.items() if ended.get(name, -1) <= when}


def interval(event: Event) -> tuple[int, int]:
    """First and last moment to look at, int64 ns."""
    return event.time - AROUND_NS, event.time + AROUND_NS
