"""The open-circuit curve that a pack shows by itself, from what its mean cell did.

Differences between cells are read through the slope of that curve. The slope of another maker's
table is wrong by a factor at some charges; the pack's own ride and charge show it. What the day did
not reach stays the table's. Arrays in, arrays out; several estimators may use it.
"""

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.model import (
    CellModel,
    ocv_at,
    resistance_factor,
    with_changes,
)

Array = NDArray[np.float64]
# How far a pack's curve is from the table (V), and over how much SOC that stays alike: published
# tables of one chemistry, resources/chemistry.
_SIGMA_V, _LENGTH = 0.04, 0.12
# What half a minute's mean differs from the circuit by (V), alike for some twenty minutes.
_NOISE_V, _ALIKE = 0.004, 40.0
_KNOTS = 61


def matern(points: Array, sigma: float, length: float) -> Array:
    """Covariance of a smooth unknown curve at these points (Matérn 3/2)."""
    apart = np.sqrt(3.0) * np.abs(points[:, None] - points) / length
    return np.asarray(sigma**2 * (1 + apart) * np.exp(-apart), np.float64)


def hat(points: Array, at: Array) -> Array:
    """(M, K): weights of linear interpolation between points (K,), rising, at (M,)."""
    inside = np.clip(at, points[0], points[-1])
    low = np.clip(np.searchsorted(points, inside, side="right") - 1, 0, len(points) - 2)
    share = (inside - points[low]) / (points[low + 1] - points[low])
    out = np.zeros((len(at), len(points)))
    rows = np.arange(len(at))
    out[rows, low] = 1 - share
    out[rows, low + 1] = share
    return out


def own_curve(
    model: CellModel,
    z: Array,
    mean_v: Array,
    current: Array,
    slow: Array,
    temperature: Array,
) -> CellModel:
    """The model with the curve that explains the mean cell's voltage (M,) at SOC z (M,), currents
    through the ohmic and slow resistance (A) and temperature (degC); NaN rows are left out."""
    known = np.isfinite(z) & np.isfinite(mean_v) & (z > -0.05) & (z < 1.05)
    if known.sum() < 20:
        return model
    z, mean_v, current, slow = z[known], mean_v[known], current[known], slow[known]
    factor = resistance_factor(model, np.clip(z, 0, 1), temperature[known])
    knots = np.linspace(0.0, 1.0, _KNOTS)
    circuit = [-current * factor, -slow * factor, _branch(model, z, current)]
    columns = np.concatenate([hat(knots, z), np.stack(circuit, 1)], axis=1)
    expected = ocv_at(model, z, temperature[known]) - factor * (
        model.r0_ohm * current + model.r2_ohm * slow
    )
    precision = np.zeros((_KNOTS + 3, _KNOTS + 3))
    smooth = matern(knots, _SIGMA_V, _LENGTH) + 1e-8 * np.eye(_KNOTS)
    precision[:_KNOTS, :_KNOTS] = np.linalg.inv(smooth)
    sigmas = np.array([0.5 * model.r0_ohm, model.r2_ohm, 0.003 + model.hysteresis_v])
    precision[_KNOTS:, _KNOTS:] = np.diag(1 / sigmas**2)
    weight = 1 / (_NOISE_V**2 * _ALIKE)
    normal = weight * columns.T @ columns + precision
    found = np.linalg.solve(normal, weight * columns.T @ (mean_v - expected))
    curve = model.ocv_v + np.interp(model.soc, knots, found[:_KNOTS])
    # An open-circuit voltage never falls with charge.
    return with_changes(model, ocv_v=np.maximum.accumulate(curve), plateau=model.plateau)


def _branch(model: CellModel, z: Array, current: Array) -> Array:
    """-1 after discharge .. 1 after charge."""
    out = np.zeros(len(z))
    h = 0.0
    fade = np.exp(-np.abs(np.diff(z)) * model.hysteresis_rate)
    for m in range(1, len(z)):
        h = fade[m - 1] * h + (1 - fade[m - 1]) * np.sign(z[m] - z[m - 1])
        out[m] = h
    return out
