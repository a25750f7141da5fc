"""A small string of cells with known truth, for tests of estimators: the circuit of `model`."""

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.contract import Samples, samples
from bms_studio.estimators.model import CellModel, ocv_at, relaxed_current, resistance_factor

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
) -> Samples:
    """1 Hz samples of `cells` cells; arrays per cell: SOC difference at start, resistance on top
    (ohm), capacity lacking (share), leak (A), sensor offset (V)."""
    rng = np.random.default_rng(seed)
    zero = np.zeros(cells)
    current = ride_current(seconds, rng) if current_a is None else current_a
    time = np.arange(seconds, dtype=np.float64)
    moved = np.concatenate([[0.0], np.cumsum(0.5 * (current[1:] + current[:-1]))]) / 3600
    capacity = model.capacity_ah * (1 - (zero if smaller is None else smaller))
    z = soc + (zero if imbalance is None else imbalance) - moved[:, None] / capacity
    z = z - (zero if leak_a is None else leak_a) * time[:, None] / 3600 / capacity
    slow = model.r1_ohm * relaxed_current(time, current, model.tau1_s)
    slow = slow + model.r2_ohm * relaxed_current(time, current, model.tau2_s)
    factor = resistance_factor(model, z, 25.0)
    extra = zero if extra_ohm is None else extra_ohm
    volts = ocv_at(model, z) - factor * (model.r0_ohm * current + slow)[:, None]
    volts = volts - extra * current[:, None] + (zero if offset_v is None else offset_v)
    volts = volts + noise_v * rng.standard_normal(volts.shape)
    times = START_NS + np.round(time * 1e9).astype(np.int64)
    return samples(times, current, np.round(volts, 3), np.full(seconds, 25.0))
