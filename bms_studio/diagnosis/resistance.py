"""Resistance: a cell that resists more than its neighbours, and one that does so more each visit.

Mechanism: electrolyte, interfaces or tabs age; the same ohmic step as a loose joint, so the advice
is to check the joint first. `connection` tells the two apart where the data allow it.
Evidence: resistance_difference of `Health` (ohmic, at 25 degC and 50 %, against the median).
A level is at most "watch": cells differ from the day they were made. Growth over at least three
days is "warn".
Blind: growth that all cells share (it cancels), a cell colder than its neighbours (4 % per K),
scans slower than the current's steps.
"""

from collections.abc import Sequence

import numpy as np

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.scoring import Trend, against_pack, in_days, stand_out, trend, visits
from bms_studio.diagnosis.words import found
from bms_studio.pack.health import Health

# Healthy cells of one batch differ by 4 % of resistance, and a cell's own value moves by 2 % from
# day to day with the temperature inside the pack.
NATURAL = 0.04
DAILY = 0.02
LEVEL_Z, LEVEL = 3.5, 0.12
GROWTH_Z, GROWTH, GROWTH_DAYS = 5.0, 0.08, 5.0


def find(history: Sequence[Health], now: Health) -> list[Finding]:
    """Findings that hold as of `now`, given the daily summaries before it."""
    days = visits(history, now)
    values = against_pack(days, "resistance_difference")
    sigma = now.sigma("resistance_difference")
    level = stand_out(now.values("resistance_difference"), sigma, NATURAL)
    out = []
    for k in range(now.count):
        line = trend(in_days(days), values[:, k], max(DAILY, _typical(sigma[k])))
        if _grows(line) and values[-1, k] > GROWTH:
            out.append(_growing(days, now, k, line))
        elif level.z[k] >= LEVEL_Z and level.difference[k] >= LEVEL:
            out.append(_high(now, k, float(level.difference[k]), float(level.sigma[k])))
    return out


def _typical(sigma: float) -> float:
    return 0.0 if np.isnan(sigma) else float(sigma)


def _grows(line: Trend) -> bool:
    return line.z >= GROWTH_Z and line.change >= GROWTH and line.days >= GROWTH_DAYS


def _high(now: Health, k: int, difference: float, sigma: float) -> Finding:
    text = f"resistance {100 * difference:+.0f} % against the median, sigma {100 * sigma:.0f} %"
    item = evidence("resistance_difference", difference, sigma, 0.0, now.start, now.time, text)
    parameters = {"percent": 100 * difference}
    return found(
        "resistance.high",
        now.time,
        (now.start, now.time),
        k + 1,
        "watch",
        difference / sigma,
        parameters,
        (item,),
    )


def _growing(days: Sequence[Health], now: Health, k: int, line: Trend) -> Finding:
    text = f"resistance {100 * line.change:+.0f} % against the median in {line.days:.0f} days"
    item = evidence(
        "resistance_difference", line.change, line.change_sigma, 0.0, days[0].start, now.time, text
    )
    return found(
        "resistance.growing",
        now.time,
        (days[0].start, now.time),
        k + 1,
        "warn",
        line.z,
        {"percent": 100 * line.change, "days": line.days},
        (item,),
    )
