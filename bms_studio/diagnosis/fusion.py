"""Which cell fails first: trends, what detectors found, and what is not known yet, in one ranking.

Daily summaries in, one `CellRisk` per cell out. Never a date: a range where a trend supports it,
else what would have to be measured. No raw history, file or window enters here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import CellRisk, Finding, LeadTime
from bms_studio.diagnosis.evidence import (
    JOINT_ODDS,
    NAMED,
    NAMED_OF,
    OPEN,
    Measure,
    consequences,
    found_scores,
    measures,
    offsets,
    ohmic_only,
    ohmic_part,
    score,
    told_of,
)
from bms_studio.diagnosis.failure_limits import FailureLimits
from bms_studio.diagnosis.first_passage import Mode, Passage, first_passage
from bms_studio.diagnosis.rivals import rivals
from bms_studio.diagnosis.trend import Array, Growth, Trend, began_anew, fit
from bms_studio.pack.health import Health

DAY_NS = 86_400_000_000_000
LEAST_DAYS = 7.0
HORIZON_DAYS = 3650.0
YEAR_DAYS = 365.0
# A fault that grows reaches its limit within weeks to years: sigmas of such slopes, limits per day.
FAULTS_PER_DAY = (1 / 600, 1 / 200, 1 / 60, 1 / 20)
# How sure a trend must be before a range of time is given.
SURE = 0.95
LEAST_VISITS = 3
# Where a day hardly tells it, a loss of capacity is told too small: two thirds of it on LFP.
SHORT_OF_TRUTH = {"capacity": 0.1}
# An imbalance is mostly a consequence: it is named where nothing else explains it.
_WEIGHT = {"imbalance": 0.3, "sensor": 0.9, "thermal": 0.7}
# What a fault makes larger and nothing smaller; and what follows from others, which has no name.
_LASTING = ("resistance", "capacity", "self-discharge")
_FOLLOWS = ("sag", "balancing")
# What a day may not show although it was there at the visits before; how many of them count.
_REMEMBERED, LOOK_BACK = ("capacity", "self-discharge"), 6
Item = tuple[str, dict[str, float | str | int]]


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """All that is known before cells are judged one by one."""

    visits: tuple[Health, ...]
    rows: tuple[Measure, ...]
    scores: dict[str, Array]
    passage: Passage | None
    cycles: Passage | None
    trends: tuple[Trend, ...]
    begins: NDArray[np.int64]
    swapped: NDArray[np.bool_]
    ohmic: Array
    limits: FailureLimits
    told: Array


def assess(
    history: Sequence[Health], findings: Sequence[Finding], limits: FailureLimits
) -> tuple[CellRisk, ...]:
    """One CellRisk per cell, by cell number.

    history: daily summaries of one pack, oldest first, the newest is what is judged; those with
    another number of cells or another serial are left out; empty: no risks. findings: newest state
    of each. One visit alone gives a ranking by evidence, probabilities are NaN.
    """
    if not history:
        return ()
    newest = history[-1]
    if newest.count == 0:
        return ()
    visits = one_per_day([h for h in history if _same_pack(h, newest)])
    view = _look(visits, findings, limits)
    risks = [_of_cell(view, k) for k in range(newest.count)]
    # A cell that is named is never ranked behind one that is not.
    least = max((r.risk for r in risks if r.mechanism == "none"), default=0.0)
    risks = [r if r.mechanism == "none" else replace(r, risk=max(r.risk, least)) for r in risks]

    def place(k: int) -> tuple[float, bool, float, int]:
        return -risks[k].risk, risks[k].mechanism == "none", -_strongest(view, k), k

    order = sorted(range(len(risks)), key=place)
    rank = {k: i + 1 for i, k in enumerate(order)}
    return tuple(replace(risk, rank=rank[k]) for k, risk in enumerate(risks))


def one_per_day(history: Sequence[Health]) -> tuple[Health, ...]:
    """The last evaluation of each day, oldest first."""
    newest: dict[int, Health] = {}
    for health in sorted(history, key=lambda h: h.time):
        newest[health.time // DAY_NS] = health
    return tuple(newest.values())


def _same_pack(one: Health, newest: Health) -> bool:
    serials = {one.serial, newest.serial} - {""}
    return one.count == newest.count and len(serials) < 2 and one.time <= newest.time


def _look(visits: tuple[Health, ...], findings: Sequence[Finding], limits: FailureLimits) -> _View:
    newest = visits[-1]
    rows = measures(newest, limits)
    scores = {row.mechanism: score(row) for row in rows}
    scores["sensor"] = score(offsets(newest, limits))
    ohmic = ohmic_only(newest)
    # Where nothing tells them apart it is called the cell's; the advice is to check the joint.
    joint = np.nan_to_num(ohmic, nan=-1.0) > JOINT_ODDS
    told = np.where(np.isnan(scores["resistance"]), np.nan, 0.0)
    # A joint is a larger share of the ohmic part than of what ten seconds show.
    either = np.fmax(scores["resistance"], score(ohmic_part(newest, limits)))
    scores["connection"] = np.where(joint, either, told)
    scores["resistance"] = np.where(joint, told, scores["resistance"])
    for mechanism, found in found_scores(findings, newest.count).items():
        scores[mechanism] = np.fmax(scores.get(mechanism, np.full(newest.count, np.nan)), found)
    # Whatever is computed from a reading that stands still is not the cell's.
    still = [f.cell - 1 for f in findings if f.code == "sensor.stuck" and f.state in OPEN]
    for mechanism in scores.keys() - {"sensor"}:
        scores[mechanism][[k for k in still if 0 <= k < newest.count]] = 0.0
    follow = consequences(visits, limits)
    days_rows = [_by_name((*measures(h, limits), *f)) for h, f in zip(visits, follow, strict=True)]
    rows = (*rows, *follow[-1])
    history = [[named.get(row.mechanism) for named in days_rows] for row in rows]
    values = np.array([[_of(m, newest.count, "values") for m in line] for line in history])
    sigma = np.array([[_of(m, newest.count, "sigma") for m in line] for line in history])
    lasting = [i for i, row in enumerate(rows) if row.mechanism in _LASTING]
    begins, swapped = began_anew(values[lasting], sigma[lasting])
    for mechanism in _REMEMBERED:
        if mechanism in scores:
            known = [named.get(mechanism) for named in days_rows]
            scores[mechanism] = _as_before(scores[mechanism], known, begins)
    days = np.array([(h.time - visits[0].time) / DAY_NS for h in visits])
    rate = _cycles_per_day(visits)
    trends: tuple[Trend, ...] = ()
    passage, cycles = None, None
    if days[-1] >= LEAST_DAYS:
        trends, passage = _run(rows, days, values, sigma, begins, limits, rate, 1.0)
        if rate > 0:
            axis = _cycle_axis(visits, days, rate)
            _, cycles = _run(rows, axis, values, sigma, begins, limits, rate, rate)
    told = told_of(findings, newest.count)
    return _View(
        visits, rows, scores, passage, cycles, trends, begins, swapped, ohmic, limits, told
    )


def _as_before(now: Array, before: Sequence[Measure | None], begins: NDArray[np.int64]) -> Array:
    """Scores (N,) with what is unknown today taken from the newest visit that knew it: a cell that
    has lost its charge shows no leak any more."""
    out = now
    for m in range(len(before) - 2, max(len(before) - 2 - LOOK_BACK, -1), -1):
        missing = np.isnan(out) & (begins <= m)
        row = before[m]
        if not missing.any():
            break
        if row is not None:
            out = np.where(missing, score(row), out)
    return out


def _by_name(rows: tuple[Measure, ...]) -> dict[str, Measure]:
    return {row.mechanism: row for row in rows}


def _of(measure: Measure | None, cells: int, name: str) -> Array:
    if measure is None:
        return np.full(cells, np.nan)
    values: Array = measure.values if name == "values" else measure.sigma
    return values


def _run(
    rows: tuple[Measure, ...],
    axis: Array,
    values: Array,
    sigma: Array,
    begins: NDArray[np.int64],
    limits: FailureLimits,
    rate: float,
    per_day: float,
) -> tuple[tuple[Trend, ...], Passage]:
    """Trends and first passage over days (per_day 1) or over cycles (per_day: cycles in a day)."""
    ageing = 1 / (limits.life_years * YEAR_DAYS) + rate / limits.life_cycles
    faults = tuple(v / per_day for v in FAULTS_PER_DAY)
    modes = []
    for i, row in enumerate(rows):
        ages = row.mechanism in ("resistance", "capacity")
        usual = limits.cell_spread * ageing if ages else 0.2 / YEAR_DAYS
        growth = Growth(usual / per_day, faults, settle=90.0 * per_day)
        trend = fit(axis, values[i], sigma[i], growth, begins)
        common = ageing / per_day if ages else 0.0
        short = SHORT_OF_TRUTH.get(row.mechanism, 0.0)
        modes.append(Mode(row.mechanism, trend, 1.0, common, limits.life_spread, short))
    passage = first_passage(modes, HORIZON_DAYS * per_day)
    return tuple(mode.trend for mode in modes), passage


def _cycles_per_day(visits: tuple[Health, ...]) -> float:
    """Full cycles in a recorded day, 0 unknown; a visit shorter than a day tells of that day."""
    known = [h for h in visits if h.of_pack("cycles") >= 0]
    if not known:
        return 0.0
    days = sum(max((h.time - h.start) / DAY_NS, 1.0) for h in known)
    return sum(h.of_pack("cycles") for h in known) / days


def _cycle_axis(visits: tuple[Health, ...], days: Array, rate: float) -> Array:
    """Cycles since the first visit: counted where recorded, at the usual rate between."""
    out = np.zeros(len(visits))
    for m in range(1, len(visits)):
        gap = float(days[m] - days[m - 1])
        recorded = min((visits[m].time - visits[m].start) / DAY_NS, gap)
        counted = visits[m].of_pack("cycles")
        whole = counted if counted >= 0 else rate * recorded
        out[m] = out[m - 1] + whole + rate * max(gap - max(recorded, 1.0), 0.0)
        out[m] = max(out[m], out[m - 1] + 1e-3 * rate * gap)
    return out


def _strongest(view: _View, k: int) -> float:
    known = [float(s[k]) for s in view.scores.values() if np.isfinite(s[k])]
    return max(known, default=0.0)


def _of_cell(view: _View, k: int) -> CellRisk:
    known = {name: float(s[k]) for name, s in view.scores.items() if np.isfinite(s[k])}
    newest = view.visits[-1]
    if not known:
        return CellRisk(
            k + 1, 0.0, 0, reason=("risk.not_enough_data", {}), remedy=_first_need(newest)
        )
    weighted = {name: z * _WEIGHT.get(name, 1.0) for name, z in known.items()}
    beyond = [name for name, z in known.items() if z >= NAMED_OF.get(name, NAMED)]
    mechanism = max(beyond or weighted, key=lambda name: weighted[name])
    grows = _growing(view, k)
    if grows and grows[0] > SURE:
        mechanism = _telling(known, grows[1])
    # What grows may be unknown today.
    strength = max(weighted.get(mechanism, 0.0), float(view.told[k]))
    risk = 0.9 / (1 + float(np.exp(-(strength - 4.0))))
    probability = float("nan")
    lead: tuple[LeadTime, ...] = ()
    if view.passage is not None:
        probability = float(view.passage.first[k])
        soon = _share_within(view.passage, k, YEAR_DAYS)
        risk = 1 - (1 - 0.6 * risk) * (1 - soon)
    least = NAMED_OF.get(mechanism, NAMED)
    named = known.get(mechanism, 0.0) >= least or bool(grows and grows[0] > SURE)
    if grows and grows[0] > SURE:
        lead = _lead(view, k)
    reason, remedy = _words(view, k, mechanism if named else "none", bool(lead))
    return CellRisk(
        k + 1,
        risk,
        0,
        _named_as(view, k, mechanism) if named else "none",
        probability,
        lead,
        reason,
        _evidence(view, k, mechanism) if named else (),
        rivals(mechanism, k, newest, view.limits, view.ohmic) if named else (),
        remedy,
    )


def _growing(view: _View, k: int) -> tuple[float, str] | None:
    """How sure it is that a fault grows in this cell, and which: over at least a week and three
    visits, and by more than healthy cells differ in."""
    best: tuple[float, str] | None = None
    for row, trend in zip(view.rows, view.trends, strict=False):
        if row.mechanism in _FOLLOWS:
            continue
        likely = int(np.argmax(trend.weight[1:, k])) + 1
        gained = float(trend.slope[likely, k] * trend.span[k])
        enough = trend.span[k] >= LEAST_DAYS and trend.visits[k] >= LEAST_VISITS
        if not enough or not gained > row.spread:
            continue
        sure = float(trend.growing[k]) * (0.9 if row.mechanism == "imbalance" else 1.0)
        if best is None or sure > best[0]:
            best = (sure, row.mechanism)
    return best


def _telling(known: dict[str, float], grown: str) -> str:
    """The mechanism that grows; a resistance may be a joint's."""
    joint = known.get("connection", 0.0) > known.get("resistance", 0.0)
    return "connection" if grown == "resistance" and joint else grown


def _share_within(passage: Passage, k: int, days: float) -> float:
    """Rough share of draws that fail within this many days, from the quantiles."""
    marks = passage.quantiles[:, k]
    return float(
        np.interp(days, np.maximum.accumulate(marks), (0.1, 0.5, 0.9), left=0.0, right=0.9)
    )


def _lead(view: _View, k: int) -> tuple[LeadTime, ...]:
    """Days and cycles; empty for a cell that is beyond its limit already."""
    if view.passage is not None and view.passage.quantiles[1, k] <= 0:
        return ()
    out = []
    for passage, unit, horizon in (
        (view.passage, "days", HORIZON_DAYS),
        (view.cycles, "cycles", HORIZON_DAYS * _cycles_per_day(view.visits)),
    ):
        if passage is not None and np.isfinite(passage.quantiles[1, k]):
            marks = np.minimum(passage.quantiles[:, k], horizon)
            out.append(LeadTime(unit, *(float(v) for v in marks)))
    return tuple(out)


def _named_as(view: _View, k: int, mechanism: str) -> str:
    """A leak that grows, or beyond what any self-discharge is, is a short inside."""
    if mechanism != "self-discharge":
        return mechanism
    row = _by_name(view.rows).get(mechanism)
    strong = row is not None and float(row.values[k]) > 3.0
    grows = _growing(view, k)
    if strong or (grows is not None and grows[0] > SURE and grows[1] == mechanism):
        return "internal-short"
    return mechanism


def _words(view: _View, k: int, mechanism: str, lead: bool) -> tuple[Item, Item]:
    """Reason and remedy."""
    visits = len(view.visits)
    if view.swapped[k]:
        return ("risk.swapped", {"cell": k + 1}), ("remedy.measure_again", {"days": 7})
    if view.begins[k] > 0 and mechanism == "none":
        return ("risk.replaced", {"cell": k + 1}), ("remedy.measure_again", {"days": 7})
    if mechanism == "none":
        return ("risk.no_evidence", {}), ("risk.no_remedy", {})
    if lead:
        return ("risk.trend", {"visits": visits}), _remedy(view, k, mechanism)
    if view.passage is not None and view.passage.quantiles[1, k] <= 0:
        return ("risk.beyond_limit", {}), _remedy(view, k, mechanism)
    if view.passage is None or visits < LEAST_VISITS:
        return ("risk.no_trend", {"days": 7}), ("remedy.measure_again", {"days": 7})
    return ("risk.steady", {"visits": visits}), _remedy(view, k, mechanism)


def _remedy(view: _View, k: int, mechanism: str) -> Item:
    if mechanism in ("resistance", "connection"):
        return "remedy.check_joint", {"cell": k + 1, "before": max(k, 1), "after": k + 2}
    if mechanism == "sensor":
        return "remedy.check_sensor", {"cell": k + 1}
    if mechanism == "self-discharge" and _named_as(view, k, mechanism) == "internal-short":
        return "remedy.stop_using", {"cell": k + 1}
    return "remedy.measure_again", {"days": 7}


def _first_need(newest: Health) -> Item:
    for quantity in ("ten_second_ohm", "resistance_ohm", "capacity_difference", "leak_a", "soc"):
        if quantity in newest.needs:
            return newest.needs[quantity], {}
    for code in newest.needs.values():
        return code, {}
    return "remedy.pulse_rest_charge", {}


def _evidence(view: _View, k: int, mechanism: str) -> tuple[dict[str, float | str | int], ...]:
    """Of the newest visit that knew it."""
    shown = "resistance" if mechanism == "connection" else mechanism
    for visit in reversed(view.visits):
        row = _by_name((*measures(visit, view.limits), offsets(visit, view.limits))).get(shown)
        if row is not None and np.isfinite(visit.values(row.quantity)[k]):
            return (_item(visit, row, k),)
    return ()


def _item(visit: Health, row: Measure, k: int) -> dict[str, float | str | int]:
    value = visit.values(row.quantity)
    return {
        "quantity": row.quantity,
        "value": float(value[k]),
        "sigma": float(visit.sigma(row.quantity)[k]),
        "reference": float(np.median(value[np.isfinite(value)])),
        "start": int(visit.start),
        "end": int(visit.time),
    }
