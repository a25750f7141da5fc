"""Alerts: findings as a person meets them, so that one cause is one alert.

Conditions that detectors state again at every evaluation become one alert that begins, changes and
ends. Cells with the same trouble at the same time share one alert, and what another alert of the
same cell explains is shown as information, not as a second alarm. Nothing is measured here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from bms_studio.diagnosis.contract import Finding, Parameters
from bms_studio.diagnosis.words import listed

RANK = {"stop": 0, "warn": 1, "watch": 2, "info": 3}
# A condition ends when it was not stated in so many evaluations in a row.
_MISSED = 2
# It is stated anew when its score or one of its figures changed by this much: people see it.
_SCORE_STEP, _VALUE_STEP = 1.5, 0.05
# Troubles of the pack or its electronics, which strike many cells at once for one cause.
_SHARED = (
    "limits.cell_over_voltage",
    "limits.cell_under_voltage",
    "sensor.implausible",
    "sensor.stuck",
    "sensor.lag",
)
# Moments, not states: nothing ends them, so they are over when a day has passed without another.
_MOMENTS = ("dip", "shift", "link")
_MOMENT_NS = 86_400_000_000_000
# An alert for many cells is told again when it speaks for this many times as many.
_TOLD_AGAIN = 1.5
# A moment that repeats is told again at each of the first, then when it came so much more often, or
# after so long: a link that stumbles all the time must not fill the record.
_MORE_OFTEN, _TOLD_AFTER_NS = 1.1, 3_600_000_000_000
# Where to look at an alert: so much before and after it.
AROUND_NS = 30_000_000_000
# As many cells as this at once are no longer single cells, whatever the code: the share of a pack.
_MANY, _MANY_SHARE = 3, 0.25
# What explains what, in one cell: kinds or codes on the right make those on the left consequences.
_EXPLAINED = {
    "sag.": (
        *("resistance", "connection", "capacity", "self-discharge", "internal-short"),
        "sensor.stuck",
    ),
    "thermal.efficiency": ("resistance", "connection"),
    "imbalance.charge": (
        *("capacity", "self-discharge", "internal-short", "sensor", "balancing"),
        *("imbalance.level", "imbalance.drift"),
    ),
    "imbalance.": ("capacity", "self-discharge", "internal-short", "sensor", "balancing"),
    "capacity.first": ("capacity",),
    "balancing.too_weak": ("self-discharge", "internal-short"),
    "resistance.high": ("connection", "resistance.growing"),
    "resistance.": ("connection",),
    "self-discharge.leak": (
        *("balancing", "internal-short"),
        *("self-discharge.strong", "self-discharge.repeated"),
    ),
    "self-discharge.strong": ("balancing", "internal-short", "self-discharge.repeated"),
    "self-discharge.": ("balancing", "internal-short"),
    "dips.one_cell": ("dips.sense_wire",),
}


@dataclass
class _Condition:
    """One id that detectors state: its newest finding, evaluations it was missing, times raised."""

    finding: Finding
    missed: int = 0
    count: int = 1


@dataclass
class Conditions:
    """Turns "what holds now" of one source of findings into what began, changed or ended."""

    _held: dict[str, _Condition] = field(default_factory=dict)
    _times: dict[str, int] = field(default_factory=dict)

    def holds(self, identity: str) -> bool:
        """Whether this was stated and has not ended: thresholds may then be lower (hysteresis)."""
        return identity in self._held

    def update(
        self,
        time: int,
        stated: Iterable[Finding],
        unknown: Callable[[Finding], bool] = lambda finding: False,
    ) -> list[Finding]:
        """Transitions: time int64 ns of this evaluation, stated: findings that hold as of it.
        unknown(finding): whether this evaluation could not see it; then it does not end."""
        out: list[Finding] = []
        seen = set()
        for finding in stated:
            seen.add(finding.id)
            held = self._held.get(finding.id)
            if held is None:
                count = self._times[finding.id] = self._times.get(finding.id, 0) + 1
                fresh = replace(finding, count=max(count, finding.count))
                self._held[finding.id] = _Condition(fresh, 0, count)
                out.append(fresh)
                continue
            held.missed = 0
            if _changed(held.finding, finding):
                first = min(held.finding.start, finding.start)
                held.finding = replace(finding, start=first, count=max(held.count, finding.count))
                out.append(held.finding)
        for identity in [i for i in self._held if i not in seen]:
            held = self._held[identity]
            if unknown(held.finding):
                continue
            held.missed += 1
            if held.missed >= _MISSED:
                out.append(replace(held.finding, time=time, state="resolved"))
                del self._held[identity]
        return out


def _changed(before: Finding, now: Finding) -> bool:
    if before.severity != now.severity or before.code != now.code:
        return True
    for name, value in now.parameters.items():
        old = before.parameters.get(name)
        if not (isinstance(value, float) and isinstance(old, float)):
            continue
        if abs(value - old) > _VALUE_STEP * abs(old):
            return True
    return now.score > _SCORE_STEP * before.score or now.score * _SCORE_STEP < before.score


def begun(log: Iterable[Finding], is_open: set[str]) -> list[Finding]:
    """The alerts, not mere information, that begin in this piece of a log; is_open: ids of those
    that are open before it, kept up to date."""
    out = []
    for finding in log:
        if finding.state == "resolved":
            is_open.discard(finding.id)
        elif finding.state == "active" and finding.severity != "info":
            if finding.id not in is_open:
                out.append(finding)
            is_open.add(finding.id)
    return out


class AlertBook:
    """Every transition passes through it once; `alerts` is what people see, newest state per id."""

    def __init__(self) -> None:
        self._single: dict[str, Finding] = {}  # what detectors said, by their id
        self.alerts: dict[str, Finding] = {}
        self._speaker: dict[str, str] = {}  # code -> id of the alert that speaks for all its cells
        self._told: dict[str, int] = {}  # how many cells each of those spoke for when it was told
        self._moments: dict[str, Finding] = {}  # moments as they were told last

    def push(self, found: Iterable[Finding], cells: int) -> list[Finding]:
        """The alerts that transitions, in order of time, change; cells: of the pack. What happens
        at one moment is told once, as it was when the moment was over."""
        out: list[Finding] = []
        for _, together in groupby(found, key=lambda f: f.time):
            before = dict(self.alerts)
            changed: dict[str, None] = {}
            for finding in together:
                changed |= dict.fromkeys(self._take(finding, cells))
            for identity in changed:
                if self._worth_telling(before.get(identity), self.alerts[identity]):
                    out.append(self.alerts[identity])
        return out

    def _take(self, finding: Finding, cells: int) -> list[str]:
        """Ids of the alerts that one transition changed."""
        self._single[finding.id] = finding
        changed = self._shared(finding, cells)
        if changed is None:
            changed = [self._explained(finding), *self._consequences(finding)]
        out = []
        for alert in changed:
            before = self.alerts.get(alert.id)
            if before is not None and before.state == "acknowledged" and alert.state == "active":
                alert = replace(alert, state="acknowledged")
            if before is None or replace(before, time=alert.time) != alert:
                self.alerts[alert.id] = alert
                out.append(alert.id)
        return out

    def _worth_telling(self, before: Finding | None, alert: Finding) -> bool:
        """Every change, except that cells join and leave an alert for many of them, and what was
        over before it was told."""
        if before is None and alert.state == "resolved":
            return False
        if alert.kind in _MOMENTS:
            return self._moment_told(alert)
        also = str(alert.parameters.get("also", ""))
        if not also and not (before and "also" in before.parameters):
            return True
        cells = len(self._alike(alert.code))
        same = before and before.state == alert.state and before.severity == alert.severity
        if same and cells < _TOLD_AGAIN * self._told.get(alert.id, 0):
            return False
        self._told[alert.id] = cells
        return True

    def _moment_told(self, alert: Finding) -> bool:
        told = self._moments.get(alert.id)
        same = told and (told.state, told.severity) == (alert.state, alert.severity)
        more = told is None or alert.count >= _MORE_OFTEN * told.count
        if told and same and not more and alert.time - told.time < _TOLD_AFTER_NS:
            return False
        self._moments[alert.id] = alert
        return True

    def untold(self) -> list[Finding]:
        """Moments that came again since they were told: for the end of a stream."""
        late = [
            self.alerts[identity]
            for identity, told in self._moments.items()
            if self.alerts[identity].count != told.count
        ]
        self._moments.update({alert.id: alert for alert in late})
        return late

    def expire(self, now: int) -> list[Finding]:
        """Moments that are long over at `now`, int64 ns: they end a day after they were."""
        over = [
            replace(alert, time=alert.time + _MOMENT_NS, state="resolved")
            for alert in self.alerts.values()
            if alert.kind in _MOMENTS
            and alert.state in ("active", "acknowledged")
            and now - alert.time > _MOMENT_NS
        ]
        for alert in over:
            self.alerts[alert.id] = self._single[alert.id] = alert
        return over

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Newest state of everything that detectors said, cell by cell, resolved ones too."""
        return tuple(self._single.values())

    def acknowledge(self, identity: str) -> Finding | None:
        """A person has seen this alert; None when there is nothing to see any more."""
        alert = self.alerts.get(identity)
        if alert is None or alert.state not in ("active", "pending"):
            return None
        self.alerts[identity] = replace(alert, state="acknowledged")
        return self.alerts[identity]

    # -- one alert for many cells --------------------------------------------------------------

    def _alike(self, code: str) -> list[Finding]:
        return [
            f
            for f in self._single.values()
            if f.code == code and f.cell and f.state != "resolved" and "other" not in f.parameters
        ]

    def _shared(self, finding: Finding, cells: int) -> list[Finding] | None:
        """The alert that speaks for all cells with this trouble; None: the cell is on its own."""
        code = finding.code
        if not finding.cell or "other" in finding.parameters or finding.kind in _MOMENTS:
            return None
        alike = self._alike(code)
        speaker = self._speaker.get(code)
        if speaker is None:
            least = 2 if code in _SHARED else max(_MANY, int(_MANY_SHARE * cells) + 1)
            if len(alike) < least:
                return None
            speaker = min(alike, key=lambda f: (f.start, f.cell)).id
            self._speaker[code] = speaker
        others = [
            replace(self.alerts[f.id], time=finding.time, state="resolved")
            for f in alike
            if f.id != speaker and f.id in self.alerts and self.alerts[f.id].state != "resolved"
        ]
        if not alike:
            del self._speaker[code]
            return [replace(self.alerts[speaker], time=finding.time, state="resolved")]
        return [self._for_all(speaker, alike, finding.time), *others]

    def _for_all(self, speaker: str, alike: Sequence[Finding], time: int) -> Finding:
        """The alert `speaker` with all cells it speaks for; the worst cell gives the figures."""
        worst = max(alike, key=lambda f: (-RANK[f.severity], f.score))
        before = self.alerts.get(speaker)
        also = sorted(f.cell for f in alike if f.cell != worst.cell)
        parameters: Parameters = dict(worst.parameters)
        text = worst.text
        if also:
            parameters["also"] = listed(also)
            text = f"{worst.text} (also cells {parameters['also']})"
        start = min(f.start for f in alike)
        count = max(f.count for f in alike)
        if before is not None and before.state != "resolved":
            start = min(start, before.start)
        return replace(
            worst, id=speaker, time=time, start=start, parameters=parameters, text=text, count=count
        )

    # -- cause and consequence -----------------------------------------------------------------

    def _explained(self, finding: Finding) -> Finding:
        """The finding, as information where another alert of its cell explains it."""
        cause = self._cause(finding)
        if cause is None or finding.severity == "stop":
            return finding
        return replace(
            finding, severity="info", parameters={**finding.parameters, "cause": cause.id}
        )

    def _cause(self, finding: Finding) -> Finding | None:
        kinds = next((k for code, k in _EXPLAINED.items() if finding.code.startswith(code)), ())
        for other in self._single.values():
            explains = other.kind in kinds or other.code in kinds
            if other.id == finding.id or not explains or other.state == "resolved":
                continue
            same = other.cell and finding.cell in (other.cell, other.parameters.get("other"))
            notable = RANK[other.severity] <= RANK["watch"] and other.code != finding.code
            if same and notable:
                return other
        return None

    def _consequences(self, finding: Finding) -> list[Finding]:
        """Alerts of the same cell whose rank changes because this one came or went."""
        cells = {finding.cell, finding.parameters.get("other")} - {0, None}
        out = []
        for alert in list(self.alerts.values()):
            single = self._single.get(alert.id)
            if single is None or alert.id == finding.id or alert.cell not in cells:
                continue
            if alert.state == "resolved" or "also" in alert.parameters:
                continue
            now = self._explained(single)
            if now.severity != alert.severity:
                out.append(replace(now, time=finding.time, state=alert.state))
        return out
