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
    relaxed_current,
    resistance_factor,
    with_changes,
)

Array = NDArray[np.float64]
# How far a pack's curve is from the table: a constant (V); of the table's rise from 10 to 90 % a
# tilt and, with bends over this much SOC, a share; the table this much SOC beside, alike over
# that much: what published tables of one chemistry differ in (resources/chemistry).
_CONSTANT_V, _TILT, _RISE, _BEND = 0.05, 0.2, 0.06, 0.12
_BESIDE, _BESIDE_ALIKE = 0.03, 0.1
# What the mean cell differs from the circuit by (V): alike at one charge and way of use.
_NOISE_V = 0.005
_SLOWEST_S = 1800.0
_KNOTS = 101


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
    hours: Array,
    z: Array,
    mean_v: Array,
    current: Array,
    slow: Array,
    temperature: Array,
) -> tuple[CellModel, Array]:
    """The model with the curve that explains the mean cell's voltage (M,) at hours (M,), SOC z,
    currents through the ohmic and slow resistance (A) and temperature (degC); NaN rows are left
    out. And over its SOC what the slope may be wrong by where less was seen than elsewhere (V)."""
    known = np.isfinite(z) & np.isfinite(mean_v) & (z > -0.05) & (z < 1.05)
    if known.sum() < 20:
        return model, np.zeros(len(model.soc))
    hours, z, mean_v = hours[known], z[known], mean_v[known]
    current, slow = current[known], slow[known]
    factor = resistance_factor(model, np.clip(z, 0, 1), temperature[known])
    knots = np.linspace(0.0, 1.0, _KNOTS)
    slowest = relaxed_current(3600 * hours, current, _SLOWEST_S)
    circuit = [-current * factor, -slow * factor, -slowest * factor, _branch(model, z, current)]
    columns = np.concatenate([hat(knots, z), np.stack(circuit, 1)], axis=1)
    expected = ocv_at(model, z, temperature[known]) - factor * (
        model.r0_ohm * current + model.r2_ohm * slow
    )
    precision = np.zeros((_KNOTS + 4, _KNOTS + 4))
    precision[:_KNOTS, :_KNOTS] = np.linalg.inv(_doubt(model, knots))
    sigmas = np.array(
        [0.5 * model.r0_ohm, model.r2_ohm, model.r2_ohm, 0.002 + 0.5 * model.hysteresis_v]
    )
    precision[_KNOTS:, _KNOTS:] = np.diag(1 / sigmas**2)
    weight = _weight(model, z, current)
    weighted = columns * weight[:, None]
    normal = weighted.T @ columns + precision
    inverse = np.linalg.inv(normal)
    found = inverse @ (weighted.T @ (mean_v - expected))
    curve = model.ocv_v + np.interp(model.soc, knots, found[:_KNOTS])
    middle = min(int(np.searchsorted(model.soc, np.median(z))), len(curve) - 1)
    learnt = with_changes(model, ocv_v=_rising(curve, middle), plateau=model.plateau)
    unseen = np.interp(model.soc, knots, _unseen(inverse[:_KNOTS, :_KNOTS], knots, z))
    return learnt, unseen


def _unseen(covariance: Array, knots: Array, z: Array) -> Array:
    """(K,): sigma of the slope beyond the usual one of what was seen. The noise of a row is stated
    large for the sake of what errs alike, which a slope does not feel: the usual one is no news."""
    rise = np.gradient(np.eye(len(knots)), knots, axis=0)
    variance = np.einsum("ij,jk,ik->i", rise, covariance, rise)
    low, high = np.clip((z.min(), z.max()), 0.0, 1.0)
    seen = (knots >= low - knots[1]) & (knots <= high + knots[1])
    beyond = np.maximum(variance - np.median(variance[seen]), 0.0)
    return np.asarray(np.sqrt(beyond), np.float64)


def _rising(curve: Array, middle: int) -> Array:
    """An open-circuit voltage never falls with charge: held from the middle of what was seen
    outward, so that a swing beyond what was seen lifts nothing that was."""
    down = np.minimum.accumulate(curve[middle::-1])[::-1]
    return np.concatenate([down[:-1], np.maximum.accumulate(curve[middle:])])


def softened(own: CellModel, table: CellModel, low: float, high: float) -> CellModel:
    """The pack's `own_curve`, learnt from SOC `low` to `high`, made fit for reading differences.

    Its slope is a mean over 7 % of SOC (2 % where plateaus make the steps all that speaks): small
    bends of a learnt curve are noise, and a fit that leans on them finds every difference too
    small. Beyond what was seen, where the weakest cell went, it goes on as steep as it was,
    changing as the table's does, and does not bend back to the table's voltage.
    """
    soc = own.soc
    slope, usual = np.gradient(own.ocv_v, soc), np.gradient(table.ocv_v, soc)
    for beyond, edge in (
        (soc < low + 0.01, (soc >= low + 0.01) & (soc <= low + 0.05)),
        (soc > high - 0.01, (soc >= high - 0.05) & (soc <= high - 0.01)),
    ):
        steep = float(usual[edge].mean()) if edge.any() else 0.0
        if steep > 0 and beyond.any() and high - low > 0.1:
            share = min(max(float(slope[edge].mean()) / steep, 0.2), 5.0)
            slope[beyond] = share * usual[beyond]
    half = 1 if own.plateau.mean() > 0.3 else 3
    window = np.full(2 * half + 1, 1 / (2 * half + 1))
    smooth = np.convolve(np.pad(slope, half, mode="edge"), window, "valid")
    curve = np.append(0.0, np.cumsum(0.5 * (smooth[1:] + smooth[:-1]) * np.diff(soc)))
    middle = int(np.argmin(np.abs(soc - 0.5 * (low + high))))
    return with_changes(own, ocv_v=curve + own.ocv_v[middle] - curve[middle], plateau=own.plateau)


def _doubt(model: CellModel, knots: Array) -> Array:
    """Covariance of the difference between the pack's curve and the table."""
    ocv = ocv_at(model, knots)
    rise = float(np.interp(0.9, knots, ocv) - np.interp(0.1, knots, ocv))
    slope = np.gradient(ocv, knots)
    beside = np.outer(slope, slope) * matern(knots, _BESIDE, _BESIDE_ALIKE)
    tilt = np.outer(knots - 0.5, knots - 0.5) * (_TILT * rise) ** 2
    total = _CONSTANT_V**2 + tilt + matern(knots, _RISE * rise, _BEND) + beside
    return np.asarray(total + 1e-8 * np.eye(len(knots)), np.float64)


def _weight(model: CellModel, z: Array, current: Array) -> Array:
    """(M,) of each row: an hour of rest at one charge says no more than a minute."""
    way = np.where(np.abs(current) < 0.02 * model.capacity_ah, 0, np.sign(current)) + 1
    group = np.round(z * 100).astype(np.int64) * 3 + way.astype(np.int64)
    group -= group.min()
    count = np.bincount(group)[group]
    return np.asarray(1 / (_NOISE_V**2 * count), np.float64)


def _branch(model: CellModel, z: Array, current: Array) -> Array:
    """-1 after discharge .. 1 after charge."""
    out = np.zeros(len(z))
    h = 0.0
    # The play operator of `model`: short charges come back to the branch that they left.
    for m in range(1, len(z)):
        h = min(max(h + model.hysteresis_rate * (z[m] - z[m - 1]), -1.0), 1.0)
        out[m] = h
    return out
