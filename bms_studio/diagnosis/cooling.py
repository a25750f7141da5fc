"""Cooling: a cell that becomes warmer than its own heat explains.

Mechanism: a gap in the potting, a blocked duct, a cell that has lost its contact with the case;
what is warmer ages faster.
Evidence: warmth_difference of `Health`: the rise of a cell's own probe beyond what its resistance
and the current explain, as a share of the middle rise; told from more heat by its later shape.
A level is at most "watch": places in a pack differ from the day it was built. Growth over at least
three days is "warn".
Blind: cells without a probe of their own, loads too weak to warm the pack by 1 K, a place that all
cells share; without a known resistance half of more heat looks like less cooling.
"""

from collections.abc import Sequence

import numpy as np

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.scoring import Trend, against_pack, in_days, stand_out, trend, visits
from bms_studio.diagnosis.words import found
from bms_studio.pack.health import Health

# Places in a healthy pack are cooled 10 % differently; a probe is good to a third of a kelvin.
NATURAL, NATURAL_K, DAILY = 0.10, 0.15, 0.05
LEVEL_Z, LEVEL, LEVEL_K = 3.5, 0.25, 0.5
GROWTH_Z, GROWTH, GROWTH_DAYS = 5.0, 0.25, 5.0


def find(history: Sequence[Health], now: Health) -> list[Finding]:
    """Findings that hold as of `now`, given the daily summaries before it."""
    days = visits(history, now)
    rise = now.of_pack("rise_k")
    values = against_pack(days, "warmth_difference")
    sigma = now.sigma("warmth_difference")
    natural = float(np.hypot(NATURAL, NATURAL_K / rise)) if rise > 0 else NATURAL
    level = stand_out(now.values("warmth_difference"), sigma, natural)
    out = []
    for k in range(now.count):
        floor = max(DAILY, float(sigma[k]) if np.isfinite(sigma[k]) else 0.0)
        line = trend(in_days(days), values[:, k], floor)
        kelvin = float(level.difference[k]) * rise
        if _grows(line) and values[-1, k] > GROWTH:
            out.append(_growing(days, now, k, line))
        elif level.z[k] >= LEVEL_Z and level.difference[k] >= LEVEL and kelvin >= LEVEL_K:
            out.append(_warm(now, k, float(level.difference[k]), float(level.sigma[k]), kelvin))
    return out


def _grows(line: Trend) -> bool:
    return line.z >= GROWTH_Z and line.change >= GROWTH and line.days >= GROWTH_DAYS


def _warm(now: Health, k: int, difference: float, sigma: float, kelvin: float) -> Finding:
    span = (now.start, now.time)
    text = (
        f"{100 * difference:+.0f} % of the pack's rise beyond its own heat, sigma "
        f"{100 * sigma:.0f} %; {kelvin:+.1f} K at the hardest load"
    )
    item = evidence("warmth_difference", difference, sigma, 0.0, *span, text)
    parameters = {"kelvin": kelvin, "percent": 100 * difference}
    score = difference / sigma
    return found("thermal.cooling", now.time, span, k + 1, "watch", score, parameters, (item,))


def _growing(days: Sequence[Health], now: Health, k: int, line: Trend) -> Finding:
    span = (days[0].start, now.time)
    text = f"{100 * line.change:+.0f} % of the pack's rise in {line.days:.0f} days"
    item = evidence("warmth_difference", line.change, line.change_sigma, 0.0, *span, text)
    parameters = {"percent": 100 * line.change, "days": line.days}
    code = "thermal.cooling_worse"
    return found(code, now.time, span, k + 1, "warn", line.z, parameters, (item,))
