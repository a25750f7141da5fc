"""How far an open-circuit table may be from the cell at hand, as a covariance over state of charge.

`soc` carries what the table lacks as a curve. This is what is believed of that curve before any
data: numbers from the spread between published tables and measured cells of one chemistry. No
measurement enters.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.kernel import KNOTS
from bms_studio.estimators.model import CellModel

Array = NDArray[np.float64]
# Of the table's sigma, beside what is alike over all SOC: smooth over a fifth of it, and rough.
SMOOTH_SHARE, ROUGH_SHARE = 0.7, 0.6
SMOOTH_LENGTH, ROUGH_LENGTH = 0.2, 0.06
# A table that lies beside the cell does so alike over so much of SOC.
BESIDE_LENGTH = 0.2


@lru_cache(maxsize=16)
def curve_error(model: CellModel) -> tuple[Array, Array]:
    """Covariance (KNOTS, KNOTS) of what the table lacks at equally spaced SOCs 0..1 (V^2), and (3,
    len(soc)): its sigma at every point of the table, the part of it that linear interpolation
    between the knots leaves, and the part that all of the table shares (V)."""
    z = model.soc
    apart = np.abs(z[:, None] - z)
    sigma = model.sigma_ocv_v
    low, high = np.maximum(z - 0.02, 0.0), np.minimum(z + 0.02, 1.0)
    slope = (np.interp(high, z, model.ocv_v) - np.interp(low, z, model.ocv_v)) / (high - low)
    level = model.level_share * sigma
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
    prior.setflags(write=False)
    doubts.setflags(write=False)
    return np.ascontiguousarray(prior), np.ascontiguousarray(doubts)


def _smooth(apart: Array, length: float) -> Array:
    """Matern 3/2."""
    scaled = np.sqrt(3.0) * apart / length
    return np.asarray((1 + scaled) * np.exp(-scaled), np.float64)
