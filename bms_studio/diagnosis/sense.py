"""The measurement itself: a reading that is off whatever the cell does, and one that comes late.

Mechanism: a drifted input of the measuring chip, a resistance in a sense wire (two neighbours off
by the same amount in opposite directions, because they share the wire), a scan that takes long.
Evidence: offset_v and lag_s of `Health`, and differences of resistance between neighbours.
Always at most "watch": the cell is not ill, but what depends on its reading is wrong.
Blind: an offset looks like a constant imbalance on the flat part of LFP, and like a difference of
the open-circuit curve; a whole module's reference that is off moves many cells alike.
"""

from collections.abc import Sequence

import numpy as np

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.scoring import Outlier, stand_out
from bms_studio.diagnosis.words import found
from bms_studio.pack.health import Health

NATURAL_V, LEVEL_Z, LEVEL_V, SURE_V, MOST_V = 0.0015, 4.0, 0.006, 0.0025, 0.015
NATURAL_SHARE, WIRE_Z, WIRE_SHARE = 0.04, 3.0, 0.15
# How far from equal and opposite the two may be.
ALIKE = 0.4
LAG_S = 0.25


def find(history: Sequence[Health], now: Health) -> list[Finding]:
    """Findings that hold as of `now`; a sensor's error needs no history."""
    sigma = now.sigma("offset_v")
    # Vague ones, and larger ones than chips have, a wrong curve makes of an imbalance: those are
    # left to `drift`, which says that a cell stands off and not why.
    value = now.values("offset_v")
    known = np.where((sigma < SURE_V) & (np.abs(value) <= MOST_V), value, np.nan)
    offsets = stand_out(known, sigma, NATURAL_V)
    shares = stand_out(
        now.values("resistance_difference"), now.sigma("resistance_difference"), NATURAL_SHARE
    )
    out = _offsets(now, offsets)
    for k in _opposite_pairs(shares, WIRE_Z, WIRE_SHARE):
        share = 50 * abs(shares.difference[k] - shares.difference[k + 1])
        text = f"resistance {share:.0f} % off in opposite directions"
        out.append(
            _pair("connection.sense_wire", now, k, shares, text, "percent", share, "resistance")
        )
    return out + _lags(now)


def _opposite_pairs(outlier: Outlier, least_z: float, least: float) -> list[int]:
    """Columns k whose difference is undone by that of k + 1."""
    d, z = outlier.difference, outlier.z
    pairs = []
    for k in range(len(d) - 1):
        size = max(abs(d[k]), abs(d[k + 1]))
        if not (d[k] * d[k + 1] < 0 and size >= least and min(abs(z[k]), abs(z[k + 1])) >= least_z):
            continue
        if abs(d[k] + d[k + 1]) <= ALIKE * size:
            pairs.append(k)
    return pairs


def _offsets(now: Health, outlier: Outlier) -> list[Finding]:
    out, used = [], set()
    for k in _opposite_pairs(outlier, 3.0, LEVEL_V):
        size = 500 * abs(outlier.difference[k] - outlier.difference[k + 1])
        text = f"{size:.1f} mV off in opposite directions"
        out.append(_pair("sensor.sense_wire", now, k, outlier, text, "millivolt", size, "offset_v"))
        used |= {k, k + 1}
    for k in range(now.count):
        size = float(outlier.difference[k])
        if k in used or not (abs(size) >= LEVEL_V and abs(outlier.z[k]) >= LEVEL_Z):
            continue
        text = f"{1e3 * size:+.1f} mV at every state of charge and current"
        item = evidence("offset_v", size, float(outlier.sigma[k]), 0.0, now.start, now.time, text)
        out.append(
            found(
                "sensor.offset",
                now.time,
                (now.start, now.time),
                k + 1,
                "watch",
                abs(float(outlier.z[k])),
                {"millivolt": 1e3 * size},
                (item,),
            )
        )
    return out


def _pair(
    code: str,
    now: Health,
    k: int,
    outlier: Outlier,
    text: str,
    unit: str,
    size: float,
    quantity: str,
) -> Finding:
    span = (now.start, now.time)
    item = evidence(
        quantity, float(outlier.difference[k]), float(outlier.sigma[k]), 0.0, *span, text
    )
    score = min(abs(float(outlier.z[k])), abs(float(outlier.z[k + 1])))
    parameters = {"other": k + 2, unit: size}
    return found(code, now.time, span, k + 1, "watch", score, parameters, (item,))


def _lags(now: Health) -> list[Finding]:
    lag = now.values("lag_s")
    if np.count_nonzero(np.isfinite(lag)) < 3:
        return []
    late = lag - np.nanmedian(lag)
    return [
        found(
            "sensor.lag",
            now.time,
            (now.start, now.time),
            int(k) + 1,
            "info",
            float(late[k] / LAG_S),
            {"milliseconds": 1e3 * float(late[k])},
        )
        for k in np.flatnonzero(late > LAG_S)
    ]
