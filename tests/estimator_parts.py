"""A small string of cells with known truth, for tests of estimators: the circuit of `model`."""

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.contract import Samples, samples
from bms_studio.estimators.model import (
    FAST_SHARE,
    FAST_TIME,
    LAG_SHARE,
    CellModel,
    ocv_at,
    relaxed_current,
    resistance_factor,
)

START_NS = 1_700_000_000_000_000_000


def ride_current(seconds: int, rng: np.random.Generator, scale: float = 5.0) -> NDArray[np.float64]:
    """Rest for a minute, then launches, cruise, regeneration and stops; A, + = discharge."""
    out = np.zeros(seconds)
    at = 60
    while at < seconds:
        length = int(rng.integers(5, 40))
        out[at : at + length] = scale * rng.choice([0.0, 0.4, 0.8, 1.6, -0.4])
        at += length
    return out


def ride(
    model: CellModel,
    cells: int,
    seconds: int,
    soc: float = 0.8,
    imbalance: NDArray[np.float64] | None = None,
    extra_ohm: NDArray[np.float64] | None = None,
    smaller: NDArray[np.float64] | None = None,
    leak_a: NDArray[np.float64] | None = None,
    offset_v: NDArray[np.float64] | None = None,
    current_a: NDArray[np.float64] | None = None,
    noise_v: float = 0.001,
    seed: int = 1,
    diffusion: bool = False,
) -> Samples:
    """1 Hz samples of `cells` cells; arrays per cell: SOC difference at start, resistance on top
    (ohm), capacity lacking (share), leak (A), sensor offset (V). diffusion: the slow resistance is
    one of particles whose surface lags in SOC, as `model` has it, not one of a circuit."""
    rng = np.random.default_rng(seed)
    zero = np.zeros(cells)
    current = ride_current(seconds, rng) if current_a is None else current_a
    time = np.arange(seconds, dtype=np.float64)
    moved = np.concatenate([[0.0], np.cumsum(0.5 * (current[1:] + current[:-1]))]) / 3600
    capacity = model.capacity_ah * (1 - (zero if smaller is None else smaller))
    z = soc + (zero if imbalance is None else imbalance) - moved[:, None] / capacity
    z = z - (zero if leak_a is None else leak_a) * time[:, None] / 3600 / capacity
    slow = model.r1_ohm * relaxed_current(time, current, model.tau1_s)
    slower = relaxed_current(time, current, model.tau2_s)
    slow = slow + (1 - LAG_SHARE if diffusion else 1.0) * model.r2_ohm * slower
    factor = resistance_factor(model, z, 25.0)
    extra = zero if extra_ohm is None else extra_ohm
    shown = z
    if diffusion:
        fast = relaxed_current(time, current, FAST_TIME * model.tau2_s)
        slower = (1 - FAST_SHARE) * slower + FAST_SHARE * fast
        shown = np.clip(z - (LAG_SHARE * model.r2_ohm / model.mean_slope_v * slower)[:, None], 0, 1)
    volts = ocv_at(model, shown) - factor * (model.r0_ohm * current + slow)[:, None]
    volts = volts - extra * current[:, None] + (zero if offset_v is None else offset_v)
    volts = volts + noise_v * rng.standard_normal(volts.shape)
    times = START_NS + np.round(time * 1e9).astype(np.int64)
    return samples(times, current, np.round(volts, 3), np.full(seconds, 25.0))
