"""What one day says of each cell: per mechanism how far beyond what healthy cells differ in.

A score is the distance from the median cell in sigmas, where sigma holds the estimator's own and
the spread of a healthy batch: nearly identical cells do not make each other suspicious. What other
detectors found (joints, dips, heat, sensors) counts as a score of its severity. Arrays in, arrays
out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import MECHANISMS, Finding
from bms_studio.diagnosis.failure_limits import FailureLimits
from bms_studio.pack.health import Health

Array = NDArray[np.float64]

# Beyond this score a cell is named: with the healthy spread in sigma, about one pack in a hundred
# is named wrongly in a day, and a level alone is never more than something to watch.
NAMED = 3.0
_OF_SEVERITY = {"info": 0.0, "watch": 3.5, "warn": 6.0, "stop": 9.0}
# Codes of findings (before the first dot, or whole) that speak of a mechanism by another name.
_MECHANISM_OF = {
    "dips.one_cell": "connection",
    "dips.sense_wire": "connection",
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
    """Resistance, capacity, self-discharge, imbalance of one day, against the median cell."""
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
    return tuple(rows)


def offsets(health: Health, limits: FailureLimits) -> Measure:
    """Sensor offset, both ways, in units of ten healthy spreads; no way to fail, but to mislead."""
    unit = 10 * limits.spread_offset_v
    out = _measure(health, "sensor", "offset_v", 1.0, unit, limits.spread_offset_v)
    return Measure("sensor", "offset_v", np.abs(out.values), out.sigma, out.spread)


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
    """Sigmas beyond the median cell (N,), 0 for what is well, NaN unknown."""
    with np.errstate(invalid="ignore"):
        z = measure.values / np.hypot(measure.sigma, measure.spread)
    return np.where(np.isfinite(z), np.maximum(z, 0.0), np.nan)


def mechanism_of(finding: Finding) -> str:
    """The mechanism that a finding speaks of, "" for none (limits, links, the pack)."""
    for word in (finding.code, finding.kind, finding.code.split(".")[0]):
        if word in MECHANISMS and word != "none":
            return word
        if word in _MECHANISM_OF:
            return _MECHANISM_OF[word]
    return ""


def found_scores(findings: Sequence[Finding], cells: int) -> dict[str, Array]:
    """Per mechanism the score (N,) of what detectors found of single cells; a joint or wire between
    two cells counts for the one named first."""
    out: dict[str, Array] = {}
    for finding in findings:
        mechanism = mechanism_of(finding)
        if not mechanism or not 1 <= finding.cell <= cells or finding.state == "pending":
            continue
        value = _OF_SEVERITY.get(finding.severity, 0.0)
        if finding.state == "resolved":
            value *= 0.5
        row = out.setdefault(mechanism, np.zeros(cells))
        row[finding.cell - 1] = max(row[finding.cell - 1], value)
    return out
