"""What else could explain what one cell shows, and why that was rejected or is still open.

The workshop replaces what it is told: before a cell is blamed, the joint, the sense wire, the
sensor, a low charge and the temperature are weighed with what the day knows. Codes and parameters,
no sentences.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.evidence import JOINT_ODDS
from bms_studio.diagnosis.failure_limits import FailureLimits
from bms_studio.pack.health import Health

Array = NDArray[np.float64]
Item = tuple[str, dict[str, float | str | int]]
# Odds (log) below which it is surely not the joint.
_TOLD = 0.5
# Resistance per K at 30 kJ/mol and 25 degC; more than this between neighbours is no usual pack.
_PER_K, _MOST_K = 0.04, 4.0
# Neighbours off by the opposite amount: a wire that two cells share.
_OPPOSITE = (0.6, 1.4)


def rivals(
    mechanism: str, k: int, health: Health, limits: FailureLimits, ohmic: Array
) -> tuple[Item, ...]:
    """Rival explanations of cell k (from 0), each saying why it was rejected (rival.no_…) or what
    would decide it (rival.open_…). ohmic: log odds of a joint per cell, NaN unknown."""
    if mechanism in ("resistance", "connection"):
        return _of_resistance(k, health, ohmic)
    if mechanism == "capacity":
        return (*_sensor(k, health, limits), *_low_charge(k, health))
    if mechanism in ("self-discharge", "internal-short"):
        return (("rival.open_bleeder", {}), *_sensor(k, health, limits), *_small_cell(k, health))
    if mechanism == "imbalance":
        return _of_imbalance(k, health)
    if mechanism == "sensor":
        return (*_low_charge(k, health), *_wire(k, health.values("offset_v")))
    return ()


def _of_resistance(k: int, health: Health, ohmic: Array) -> tuple[Item, ...]:
    out: list[Item] = []
    odds = float(ohmic[k])
    if odds > JOINT_ODDS:
        out.append(("rival.no_cell", {}))
    elif odds < -_TOLD:
        out.append(("rival.no_joint", {}))
    else:
        out.append(("rival.open_joint", {}))
    value = health.values("resistance_difference")
    out += _wire(k, value)
    if math.isfinite(value[k]):
        kelvin = float(value[k]) / _PER_K
        code = "rival.no_cold" if kelvin > _MOST_K else "rival.open_cold"
        out.append((code, {"kelvin": kelvin}))
    return tuple(out)


def _wire(k: int, value: Array) -> tuple[Item, ...]:
    """Whether a neighbour shows the same with the other sign."""
    known = value[np.isfinite(value)]
    if len(known) < 3 or not math.isfinite(value[k]):
        return ()
    apart = value - float(np.median(known))
    for j in (k - 1, k + 1):
        if 0 <= j < len(value) and math.isfinite(apart[j]) and apart[k]:
            share = -apart[j] / apart[k]
            if _OPPOSITE[0] <= share <= _OPPOSITE[1]:
                return (("rival.open_wire", {"other": j + 1}),)
    return (("rival.no_wire", {}),)


def _sensor(k: int, health: Health, limits: FailureLimits) -> tuple[Item, ...]:
    offset, sigma = float(health.values("offset_v")[k]), float(health.sigma("offset_v")[k])
    if not math.isfinite(offset):
        return (("rival.open_sensor", {}),)
    if abs(offset) > 3 * math.hypot(sigma, limits.spread_offset_v):
        return (("rival.open_offset", {"millivolt": 1000 * offset}),)
    return (("rival.no_sensor", {"millivolt": 1000 * offset}),)


def _low_charge(k: int, health: Health) -> tuple[Item, ...]:
    value = float(health.values("imbalance")[k])
    if not math.isfinite(value):
        return ()
    return (("rival.no_low_charge", {"percent": 100 * value}),)


def _small_cell(k: int, health: Health) -> tuple[Item, ...]:
    value = float(health.values("capacity_difference")[k])
    if not math.isfinite(value):
        return (("rival.open_capacity", {}),)
    return (("rival.no_capacity", {"percent": 100 * value}),)


def _of_imbalance(k: int, health: Health) -> tuple[Item, ...]:
    leak = float(health.values("leak_a")[k])
    if not math.isfinite(leak):
        return (("rival.open_leak", {}),)
    return (("rival.no_leak", {"milliampere": 1000 * leak}),)
