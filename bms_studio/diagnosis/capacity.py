"""Capacity: a cell that holds less than its neighbours, and one that loses more each visit.

Mechanism: loss of lithium or of active material; the cell swings further with the same charge, so
it is full first and empty first, and balancing cannot help it.
Evidence: capacity_difference of `Health` (relative to the mean cell); that the same cell is full
and empty first supports it.
A level is at most "watch"; loss over at least three days is "warn".
Blind: loss that all cells share (see soh_capacity), data that never swing by more than a third of
the charge, the flat part of LFP.
"""

from collections.abc import Sequence

import numpy as np

from bms_studio.diagnosis.contract import Finding, Parameters, evidence
from bms_studio.diagnosis.scoring import Trend, against_pack, in_days, stand_out, trend, visits
from bms_studio.diagnosis.words import found
from bms_studio.pack.health import Health

# Healthy cells of one batch differ by 1 % of capacity; estimates move by 0.3 % from day to day.
NATURAL = 0.01
DAILY = 0.003
LEVEL_Z, LEVEL = 3.5, 0.03
GROWTH_Z, GROWTH, GROWTH_DAYS = 5.0, 0.02, 5.0


def find(history: Sequence[Health], now: Health) -> list[Finding]:
    """Findings that hold as of `now`, given the daily summaries before it."""
    days = visits(history, now)
    values = against_pack(days, "capacity_difference")
    sigma = now.sigma("capacity_difference")
    level = stand_out(now.values("capacity_difference"), sigma, NATURAL)
    out = []
    for k in range(now.count):
        floor = max(DAILY, float(sigma[k]) if np.isfinite(sigma[k]) else 0.0)
        line = trend(in_days(days), values[:, k], floor)
        if _shrinks(line) and values[-1, k] < -GROWTH:
            out.append(_shrinking(days, now, k, line))
        elif -level.z[k] >= LEVEL_Z and -level.difference[k] >= LEVEL:
            out.append(_low(now, k, float(level.difference[k]), float(level.sigma[k])))
    return out


def _shrinks(line: Trend) -> bool:
    return -line.z >= GROWTH_Z and -line.change >= GROWTH and line.days >= GROWTH_DAYS


def _low(now: Health, k: int, difference: float, sigma: float) -> Finding:
    span = (now.start, now.time)
    text = f"capacity {100 * difference:+.1f} % against the mean cell, sigma {100 * sigma:.1f} %"
    items: list[Parameters] = [evidence("capacity_difference", difference, sigma, 0.0, *span, text)]
    if now.of_pack("full_cell") == k + 1 and now.of_pack("limiting_cell") == k + 1:
        words = "full first and empty first"
        items.append(evidence("limiting_cell", k + 1, 0.0, 0.0, *span, words))
    return found(
        "capacity.low",
        now.time,
        span,
        k + 1,
        "watch",
        -difference / sigma,
        {"percent": -100 * difference},
        tuple(items),
    )


def _shrinking(days: Sequence[Health], now: Health, k: int, line: Trend) -> Finding:
    span = (days[0].start, now.time)
    text = f"capacity {100 * line.change:+.1f} % against the mean cell in {line.days:.0f} days"
    item = evidence("capacity_difference", line.change, line.change_sigma, 0.0, *span, text)
    return found(
        "capacity.shrinking",
        now.time,
        span,
        k + 1,
        "warn",
        -line.z,
        {"percent": -100 * line.change, "days": line.days},
        (item,),
    )
