"""What riders of different temper ask of a pack in a day, and when they charge: demand of the rider
and offer of the charger in units of 1C, second by second. No pack and no voltage enters here.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DAY_S = 86_400


def _commuter(temper: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Demand of the rider and offer of the charger in units of 1C, each (DAY_S,)."""
    demand, charging = np.zeros(DAY_S), np.zeros(DAY_S)
    depth = rng.uniform(0.35, 0.75)
    for hour in (rng.uniform(7, 9), rng.uniform(15, 17.5)):
        at = int(hour * 3600)
        left = 0.5 * depth * 3600
        while left > 0 and at < 20 * 3600:
            at, used = _one_leg(demand, at, temper, rng)
            left -= used
    begin_s = int(rng.uniform(20.5, 22) * 3600)
    charging[begin_s:] = rng.uniform(0.2, 0.5)
    return demand, charging


def _delivery(temper: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """The same for two or three deep cycles a day."""
    demand, charging = np.zeros(DAY_S), np.zeros(DAY_S)
    at = int(rng.uniform(6, 8) * 3600)
    for _ in range(int(rng.integers(2, 4))):
        depth, rate = rng.uniform(0.6, 0.85), rng.uniform(0.35, 0.6)
        left = depth * 3600
        while left > 0 and at < 21 * 3600:
            at, used = _one_leg(demand, at, temper, rng)
            left -= used
        at += int(rng.uniform(3, 20) * 60)
        plugged = int((depth / rate + rng.uniform(0.3, 1.0)) * 3600)
        charging[at : at + plugged] = rate
        at += plugged + int(rng.uniform(2, 15) * 60)
        if at > 18 * 3600:
            break
    return demand, charging


def _one_leg(demand: Array, at: int, temper: float, rng: np.random.Generator) -> tuple[int, float]:
    """Launch, cruise, brake and stop from second `at`; where it ended and seconds at 1C used."""
    launch, cruise = int(rng.integers(3, 9)), int(rng.integers(8, 90))
    brake, stop = int(rng.integers(2, 7)), int(rng.integers(2, 40))
    peak = temper * rng.uniform(0.8, 2.2)
    level = temper * rng.uniform(0.25, 0.9)
    first = at
    demand[at : at + launch] = peak * np.linspace(0.5, 1, launch)
    at += launch
    ripple = 1 + 0.15 * np.repeat(rng.standard_normal(cruise // 4 + 1), 4)[:cruise]
    demand[at : at + cruise] = level * ripple
    at += cruise
    demand[at : at + brake] = -0.4 * temper * rng.uniform(0.2, 1.0)
    at += brake + stop
    return at, float(demand[first:at].sum())


SCHEDULES = {"commuter": _commuter, "delivery": _delivery}
