"""How far an open-circuit table may be from the cell at hand, as a covariance over state of charge.

`soc` carries what the table lacks as a curve. This is what is believed of that curve before any
data: numbers from the spread between published tables and measured cells of one chemistry. No
measurement enters.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.kernel import KNOTS
from bms_studio.estimators.model import CellModel, plateau_of

Array = NDArray[np.float64]
# Of the table's sigma, beside what is alike over all SOC: smooth over a fifth of it, and rough.
SMOOTH_SHARE, ROUGH_SHARE = 0.7, 0.6
SMOOTH_LENGTH, ROUGH_LENGTH = 0.2, 0.06
# A table that lies beside the cell does so alike over so much of SOC.
BESIDE_LENGTH = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The model's table first, then its rivals', T of them.

    ocv_v (T, 101); plateau (T, 101); belief (T,), before any data; prior (T, KNOTS, KNOTS):
    covariance of what each table lacks at equally spaced SOCs 0..1 (V^2); doubts (T, 3, 101): its
    sigma at every point, the part of it that linear interpolation between the knots leaves, and
    the part that all of the table shares (V). Read-only.
    """

    names: tuple[str, ...]
    ocv_v: Array
    plateau: NDArray[np.bool_]
    belief: Array
    prior: Array
    doubts: Array


@lru_cache(maxsize=16)
def tables_of(model: CellModel) -> Tables:
    """The tables that the filter weighs, and how far each may be from the cell at hand."""
    curves = [(model.ocv_v, model.sigma_ocv_v, model.level_share * model.sigma_ocv_v)]
    curves += [(rival.ocv_v, rival.sigma_ocv_v, rival.level_v) for rival in model.rivals]
    errors = [_curve_error(model, *curve) for curve in curves]
    flat = [model.plateau]
    flat += [
        plateau_of(model.soc, ocv, math.hypot(sigma, model.sigma_hysteresis_v))
        for ocv, sigma, _ in curves[1:]
    ]
    others = [rival.belief for rival in model.rivals]
    arrays = (
        np.stack([curve[0] for curve in curves]),
        np.stack(flat),
        np.array([1.0 - sum(others), *others]),
        np.stack([prior for prior, _ in errors]),
        np.stack([doubts for _, doubts in errors]),
    )
    for array in arrays:
        array.setflags(write=False)
    return Tables(("", *(rival.name for rival in model.rivals)), *arrays)


def _curve_error(model: CellModel, ocv_v: Array, sigma: float, level: float) -> tuple[Array, Array]:
    """prior and doubts of one table."""
    z = model.soc
    apart = np.abs(z[:, None] - z)
    low, high = np.maximum(z - 0.02, 0.0), np.minimum(z + 0.02, 1.0)
    slope = (np.interp(high, z, ocv_v) - np.interp(low, z, ocv_v)) / (high - low)
    full = level**2 + (SMOOTH_SHARE * sigma) ** 2 * _smooth(apart, SMOOTH_LENGTH)
    full = full + (ROUGH_SHARE * sigma) ** 2 * np.exp(-apart / ROUGH_LENGTH)
    full = full + model.sigma_soc**2 * np.outer(slope, slope) * _smooth(apart, BESIDE_LENGTH)
    knots = np.round(np.linspace(0, len(z) - 1, KNOTS)).astype(np.int64)
    at = z * (KNOTS - 1)
    below = np.minimum(at.astype(np.int64), KNOTS - 2)
    hat = np.zeros((len(z), KNOTS))
    hat[np.arange(len(z)), below] = 1 - (at - below)
    hat[np.arange(len(z)), below + 1] = at - below
    coarse = full[np.ix_(knots, knots)]
    left = np.diag(full) - 2 * np.sum(hat * full[:, knots], 1) + np.sum((hat @ coarse) * hat, 1)
    between = np.maximum(left, 0.0) + (0.1 * sigma) ** 2
    doubts = np.stack(
        [
            np.sqrt(np.diag(full) + (0.1 * sigma) ** 2),
            np.sqrt(between),
            np.full(len(z), level),
        ]
    )
    prior = coarse + 1e-10 * np.eye(KNOTS)
    return prior, doubts


def _smooth(apart: Array, length: float) -> Array:
    """Matern 3/2."""
    scaled = np.sqrt(3.0) * apart / length
    return np.asarray((1 + scaled) * np.exp(-scaled), np.float64)
