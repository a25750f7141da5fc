"""What one day says of each cell: per mechanism how far beyond what healthy cells differ in.

A score is the distance from the median cell in sigmas. The sigma is what the cells of this pack
scatter by, but never less than half of what the estimator states and half of what a healthy batch
differs in: nearly identical cells do not make each other suspicious, and one estimator's caution
does not hide a cell. What other detectors found (joints, dips, heat, sensors) counts as a score of
its severity. Arrays in, arrays out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import MECHANISMS, Finding
from bms_studio.diagnosis.failure_limits import FailureLimits
from bms_studio.pack.health import Health

Array = NDArray[np.float64]

# Beyond this score a cell is named; a level alone is never more than something to watch. An
# imbalance is a consequence of other things and of the last charge, and takes more.
NAMED = 3.0
NAMED_OF = {
    "resistance": 2.75,
    "connection": 2.75,
    "sensor": 3.25,
    "self-discharge": 2.6,
    "imbalance": 6.0,
}
# Voltage under load of healthy cells differs by this; a margin below is as good as none.
SPREAD_MARGIN_V, LEAST_MARGIN_V = 0.01, 0.05
LARGE_OFFSET_V = 0.015
# Cells age more often than joints come loose: a joint must be likelier by this (log of odds).
JOINT_ODDS = 2.0
# The slow part: what healthy cells differ in at least, how much more or less than the ohmic one it
# grows, and how much (log of odds) it may say.
LEAST_SLOW, SLOW_SHARE, MOST_ODDS = 0.03, 0.3, 6.0
_SHARE = 0.5
# Healthy cells of most packs differ by less in capacity than the spread that is stated of batches.
_NATURAL = 0.7
# Mean square of the five sixths of a normal distribution that are nearest to its middle.
_FIVE_SIXTHS = 0.49
_THIRD = 0.6
OPEN = ("active", "acknowledged")
# Alerts of these kinds order a cell even where they name no mechanism, by this share of the score.
_ABOUT_CELLS, _TOLD = ("sag", "imbalance"), 0.7
_STATED = ("thermal", "self-discharge")
_OF_SEVERITY = {"info": 0.0, "watch": 3.5, "warn": 6.0, "stop": 9.0}
# Codes of findings (before the first dot, or whole) that speak of a mechanism by another name.
_MECHANISM_OF = {
    "dips.one_cell": "connection",
    "dips.sense_wire": "connection",
    "dips.short": "internal-short",
    "dips": "connection",
    "short": "internal-short",
    "leak": "self-discharge",
    "joint": "connection",
    "temperature": "thermal",
    "balancer": "balancing",
    "limits.over_temperature": "thermal",
}


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """One mode of failing: values (N,) that rise with harm as a share of the limit (1 = failed),
    sigma (N,), spread of healthy cells in the same unit; quantity: its name in `Health`."""

    mechanism: str
    quantity: str
    values: Array
    sigma: Array
    spread: float


def measures(health: Health, limits: FailureLimits) -> tuple[Measure, ...]:
    """Resistance, capacity, self-discharge, imbalance, cooling of one day, against the median."""
    capacity = health.scale_ah
    rows = [
        _resistance(health, limits),
        _measure(
            health,
            "capacity",
            "capacity_difference",
            -1.0,
            limits.capacity_loss,
            limits.spread_capacity,
        ),
    ]
    if capacity > 0:
        limit = limits.leak_per_h * capacity
        spread = limits.spread_leak_per_h * capacity
        rows.append(_measure(health, "self-discharge", "leak_a", 1.0, limit, spread))
    imbalance = _measure(
        health, "imbalance", "imbalance", 1.0, limits.imbalance, limits.spread_imbalance
    )
    rows.append(
        Measure(
            "imbalance", "imbalance", np.abs(imbalance.values), imbalance.sigma, imbalance.spread
        )
    )
    rows.append(_warmth(health, limits))
    return tuple(rows)


def _warmth(health: Health, limits: FailureLimits) -> Measure:
    """Of the cells that have a probe; where the pack hardly warms up, probes differ by more."""
    rise = health.of_pack("rise_k")
    spread = limits.spread_warmth
    if rise > 0:
        spread = float(np.hypot(spread, limits.probe_k / rise))
    return _measure(health, "thermal", "warmth_difference", 1.0, limits.warmth, spread)


def consequences(
    visits: Sequence[Health], limits: FailureLimits
) -> tuple[tuple[Measure, ...], ...]:
    """Per visit the ways to fail that follow from others, for first passage only: the margin to the
    cut-off under the rider's peak current, and a leak that the balancer cannot make up for. The
    margin that is lost counts against what the pack had where it was emptiest."""
    middles = [_median(h.values("sag_margin_v")) for h in visits]
    known = [v for v in middles if np.isfinite(v)]
    least = max(min(known) - limits.sag_margin_v, LEAST_MARGIN_V) if known else float("nan")
    out = []
    for health in visits:
        margin, sigma = health.values("sag_margin_v"), health.sigma("sag_margin_v")
        # What the open-circuit table is wrong by is common to all cells.
        some = sigma[np.isfinite(sigma)]
        common = float(some.min()) if len(some) else 0.0
        own = np.hypot(np.sqrt(np.maximum(sigma**2 - common**2, 0.0)), SPREAD_MARGIN_V)
        rows = [
            Measure(
                "sag",
                "sag_margin_v",
                (_median(margin) - margin) / least,
                own / least,
                SPREAD_MARGIN_V / least,
            )
        ]
        balancer_a = health.of_pack("bleed_a")
        if np.isfinite(limits.balancer_a):
            balancer_a = limits.balancer_a
        can_a = balancer_a * limits.balancer_h_per_day / 24
        if can_a > 0:
            spread = limits.spread_leak_per_h * max(health.scale_ah, 0.0)
            rows.append(_measure(health, "balancing", "leak_a", 1.0, can_a, spread))
        out.append(tuple(rows))
    return tuple(out)


def offsets(health: Health, limits: FailureLimits) -> Measure:
    """Sensor offset, both ways, in units of ten healthy spreads; no way to fail, but to mislead."""
    unit = 10 * limits.spread_offset_v
    out = _measure(health, "sensor", "offset_v", 1.0, unit, limits.spread_offset_v)
    size = np.abs(out.values)
    # So large an error of a chip is rarer than an imbalance that a wrong curve turns into one.
    doubtful = size * unit > LARGE_OFFSET_V
    return Measure("sensor", "offset_v", np.where(doubtful, np.nan, size), out.sigma, out.spread)


def _resistance(health: Health, limits: FailureLimits) -> Measure:
    """Of the 10 s resistance where it is known, else of the ohmic one."""
    name = "ten_second_ohm"
    value, sigma = health.values(name), health.sigma(name)
    middle = _median(value)
    if not middle > 0:
        return _measure(
            health,
            "resistance",
            "resistance_difference",
            1.0,
            limits.resistance_growth,
            limits.spread_resistance,
        )
    growth = limits.resistance_growth
    return Measure(
        "resistance",
        name,
        (value / middle - 1) / growth,
        sigma / middle / growth,
        limits.spread_resistance / growth,
    )


def ohmic_part(health: Health, limits: FailureLimits) -> Measure:
    """Of the ohmic resistance alone, which is where a joint adds."""
    return _measure(
        health,
        "connection",
        "resistance_difference",
        1.0,
        limits.resistance_growth,
        limits.spread_resistance,
    )


def _measure(
    health: Health, mechanism: str, quantity: str, sign: float, limit: float, spread: float
) -> Measure:
    value = health.values(quantity)
    return Measure(
        mechanism,
        quantity,
        sign * (value - _median(value)) / limit,
        health.sigma(quantity) / limit,
        spread / limit,
    )


def _median(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def score(measure: Measure) -> Array:
    """Sigmas beyond the median cell (N,), 0 for what is well, NaN unknown or among fewer than three
    known cells."""
    x, sigma = measure.values, measure.sigma
    known = np.isfinite(x) & (sigma > 0)
    if known.sum() < 3:
        return np.full(len(x), np.nan)
    # A faulty cell's own sigma grows with the fault: it counts up to twice that of a well one; of a
    # leak, which has to stand out of what well cells seem to leak, up to that.
    most = 1.0 if measure.mechanism == "self-discharge" else 2.0
    null = np.minimum(np.where(known, sigma, np.nan), most * np.median(sigma[known]))
    mine = 1.0 if measure.mechanism in _STATED else _SHARE
    if measure.mechanism in ("imbalance", "sensor"):
        # Known worse where the curve is flat, or where an imbalance may be an offset, fault or not:
        # its own sigma counts, whole.
        null, mine = sigma, 1.0
    apart = np.sort(np.abs(x[known] - np.median(x[known])))
    # One or two cells fail at a time: where the third stands out too, the estimate is what is odd.
    third = _THIRD * float(apart[-3]) if len(apart) >= 8 else 0.0
    scatter = max(1.4826 * float(np.median(apart)), third)
    if measure.mechanism == "capacity":
        return np.where(known, np.maximum(x / _whole(x[known], sigma[known], measure), 0.0), np.nan)
    # A leak that matters is twenty times what healthy cells differ in: that counts whole. So does
    # what the estimator states of leaks, offsets and temperatures (whose steps of 1 K err alike for
    # hours): healthy cells are believed to be alike there, so that their scatter tells nothing.
    share = 1.0 if measure.mechanism in ("self-discharge", "thermal") else _SHARE
    total = np.hypot(np.maximum(scatter, mine * null), share * measure.spread)
    return np.where(known, np.maximum(x / total, 0.0), np.nan)


def _whole(x: Array, sigma: Array, measure: Measure) -> float:
    """Sigma of the estimates of healthy cells where it counts whole: what the cells scatter by, the
    oddest sixth left out; at least what healthy cells differ in, at most what the estimator states
    of a usual cell beside."""
    natural = _NATURAL * measure.spread
    squares = np.sort((x - np.median(x)) ** 2)
    scatter = float(np.sqrt(squares[: max(len(x) * 5 // 6, 1)].mean() / _FIVE_SIXTHS))
    return float(np.clip(scatter, natural, np.hypot(natural, np.median(sigma))))


def ohmic_only(health: Health) -> Array:
    """How much more likely (log of odds, N) an excess of resistance is a joint's than the cell's,
    by what lies behind the ohmic part within 10 s and within minutes; NaN unknown."""
    return np.asarray(_and(_behind_odds(health), _slow_odds(health)), np.float64)


def _and(a: Array, b: Array) -> Array:
    """Sum of two logarithms of odds, each NaN where unknown."""
    return np.where(np.isnan(a), b, a + np.nan_to_num(b))


def _behind_odds(health: Health) -> Array:
    """A joint adds the same to the ohmic and to the 10 s resistance; in an ageing cell the part
    behind the ohmic one grows along. That part is compared with the other cells', after what the
    scan's timing does to it (a smooth function of the lag) is taken off."""
    ohmic, ten = health.values("resistance_ohm"), health.values("ten_second_ohm")
    behind = ten - ohmic
    known = np.isfinite(behind)
    out = np.full(health.count, np.nan)
    middle = _median(behind)
    if known.sum() < 6 or not middle > 0:
        return out
    growth = behind[known] / middle - 1
    lag = np.nan_to_num(health.values("lag_s")[known])
    rest = _without_lag(growth, lag - lag.mean())
    excess = ohmic[known] / _median(ohmic) - 1
    sigma = max(1.4826 * float(np.median(np.abs(rest))), 0.04)
    joint, cell = rest / sigma, (rest - excess) / sigma
    out[known] = np.clip(0.5 * (cell**2 - joint**2), -MOST_ODDS, MOST_ODDS)
    return out


def _slow_odds(health: Health) -> Array:
    """What minutes of current show grows with the cell's own resistance, by more or by less, and
    does not know a joint."""
    slow, ohmic = health.values("slow_difference"), health.values("resistance_difference")
    slow, excess = slow - _median(slow), ohmic - _median(ohmic)
    known = np.isfinite(slow) & np.isfinite(excess)
    out = np.full(health.count, np.nan)
    if known.sum() < 6:
        return out
    slow, excess, own = slow[known], excess[known], health.sigma("slow_difference")[known]
    scatter = max(1.4826 * float(np.median(np.abs(slow))), LEAST_SLOW)
    sigma = np.maximum(scatter, np.nan_to_num(own))
    wide = np.hypot(sigma, SLOW_SHARE * excess)
    odds = 0.5 * ((slow - excess) / wide) ** 2 - 0.5 * (slow / sigma) ** 2 + np.log(wide / sigma)
    out[known] = np.clip(odds, -MOST_ODDS, MOST_ODDS)
    return out


def _without_lag(values: Array, lag: Array) -> Array:
    """Residuals of a parabola over the lag that single cells cannot bend."""
    columns = np.stack([np.ones(len(lag)), lag, lag**2], 1)
    weight = np.ones(len(lag))
    residual = values
    for _ in range(10):
        answer = np.linalg.lstsq(columns * weight[:, None], values * weight, rcond=None)[0]
        residual = values - columns @ answer
        least = max(0.74 * float(np.median(np.abs(residual))), 1e-6)
        weight = 1 / np.sqrt(np.maximum(np.abs(residual), least))
    return np.asarray(residual, np.float64)


def mechanism_of(finding: Finding) -> str:
    """The mechanism that a finding speaks of, "" for none (limits, links, the pack)."""
    for word in (finding.code, finding.kind, finding.code.split(".")[0]):
        if word in MECHANISMS and word != "none":
            return word
        if word in _MECHANISM_OF:
            return _MECHANISM_OF[word]
    return ""


def told_of(findings: Sequence[Finding], cells: int) -> Array:
    """What open alerts of single cells are worth (N,), whatever they speak of: a cell that the
    verdict names is not ranked behind cells of which nobody has said anything."""
    out = np.zeros(cells)
    for finding in findings:
        if finding.state in OPEN and 1 <= finding.cell <= cells:
            value = _TOLD * _OF_SEVERITY.get(finding.severity, 0.0)
            if finding.kind in _ABOUT_CELLS:
                out[finding.cell - 1] = max(out[finding.cell - 1], value)
    return out


def found_scores(findings: Sequence[Finding], cells: int) -> dict[str, Array]:
    """Per mechanism the score (N,) of what detectors found of single cells; a joint or wire between
    two cells counts for the one named first."""
    out: dict[str, Array] = {}
    wires = {f.cell for f in findings if f.code == "dips.sense_wire"}
    for finding in findings:
        mechanism = mechanism_of(finding)
        if not mechanism or not 1 <= finding.cell <= cells or finding.state == "pending":
            continue
        value = _OF_SEVERITY.get(finding.severity, 0.0)
        if finding.state == "resolved":
            value *= 0.5
        row = out.setdefault(mechanism, np.zeros(cells))
        cell = finding.cell
        if finding.code == "dips.one_cell" and cell not in wires and cell - 1 in wires:
            cell -= 1  # the far cell of a wire that is known to be loose: told once
        row[cell - 1] = max(row[cell - 1], value)
    return out
