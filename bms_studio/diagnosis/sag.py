"""Sag: a cell that the rider's peak current pulls deeper than the others, or than it used to.

Mechanism: resistance, a joint, or less charge than the others; whatever the cause, this cell
reaches the cut-off first and ends the ride.
Evidence: sag_voltage_v and sag_margin_v of `Health` (after 10 s of the rider's peak current).
A level against the pack is at most "watch"; a margin that shrinks against the pack over at least
three days is "warn".
Blind: packs that are never ridden hard; where resistance or capacity explain the sag, the alert
belongs to them.
"""

from collections.abc import Sequence

import numpy as np

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.scoring import Trend, against_pack, in_days, stand_out, trend, visits
from bms_studio.diagnosis.words import found
from bms_studio.pack.health import Health

# At a peak of 2C, 4 % of resistance are some 5 mV; charge differs by 1 %, some 8 mV.
NATURAL_V = 0.010
DAILY_V = 0.005
LEVEL_Z, LEVEL_V = 4.0, 0.05
FALL_Z, FALL_V, FALL_DAYS = 5.0, 0.03, 5.0


def find(history: Sequence[Health], now: Health) -> list[Finding]:
    """Findings that hold as of `now`, given the daily summaries before it."""
    days = visits(history, now)
    values = against_pack(days, "sag_margin_v")
    level = stand_out(now.values("sag_margin_v"), now.sigma("sag_margin_v"), NATURAL_V)
    out = []
    for k in range(now.count):
        sigma = float(now.sigma("sag_margin_v")[k])
        line = trend(in_days(days), values[:, k], max(DAILY_V, sigma if sigma > 0 else 0.0))
        if _falls(line) and values[-1, k] < -FALL_V:
            out.append(_falling(days, now, k, line))
        elif -level.z[k] >= LEVEL_Z and -level.difference[k] >= LEVEL_V:
            out.append(_low(now, k, float(level.difference[k]), float(level.sigma[k])))
    return out


def _falls(line: Trend) -> bool:
    return -line.z >= FALL_Z and -line.change >= FALL_V and line.days >= FALL_DAYS


def _emptier(now: Health, k: int, difference: float) -> bool:
    """Whether its resistance explains less than a quarter of it: then it holds less charge."""
    ohm, peak_a = now.values("ten_second_ohm"), now.of_pack("peak_a")
    if not (np.isfinite(ohm[k]) and np.isfinite(peak_a)):
        return False
    return bool((ohm[k] - np.nanmedian(ohm)) * abs(peak_a) < -0.25 * difference)


def _low(now: Health, k: int, difference: float, sigma: float) -> Finding:
    span = (now.start, now.time)
    margin = float(now.values("sag_margin_v")[k])
    text = f"{1e3 * difference:+.0f} mV against the median, {1e3 * margin:.0f} mV to the cut-off"
    item = evidence("sag_margin_v", margin, sigma, margin - difference, *span, text)
    return found(
        "sag.emptier" if _emptier(now, k, difference) else "sag.low",
        now.time,
        span,
        k + 1,
        "watch",
        -difference / sigma,
        {"millivolt": -1e3 * difference},
        (item,),
    )


def _falling(days: Sequence[Health], now: Health, k: int, line: Trend) -> Finding:
    span = (days[0].start, now.time)
    text = f"{1e3 * line.change:+.0f} mV against the median in {line.days:.0f} days"
    item = evidence("sag_margin_v", line.change, line.change_sigma, 0.0, *span, text)
    return found(
        "sag.falling",
        now.time,
        span,
        k + 1,
        "warn",
        -line.z,
        {"millivolt": -1e3 * line.change, "days": line.days},
        (item,),
    )
