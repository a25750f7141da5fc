"""Capacity of every cell from charge between two anchors of SOC: approximate weighted total least
squares (G. L. Plett, J. Power Sources 196 (2011) 2319), which admits that SOC is uncertain too.

Ordinary least squares divides by an uncertain SOC and comes out low; this does not. An anchor is a
long rest off the plateau, so that charge has no part in its SOC. Arrays in, arrays out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.contract import State
from bms_studio.estimators.model import CellModel, ocv_at


@dataclass(frozen=True, slots=True)
class Params:
    """forgetting: per pair (0.99: the last hundred). least_swing: smaller changes of SOC tell
    nothing. rest_s, rest_c: how long and below which current (times 1C) a rest is an anchor;
    residual_v: what is still relaxing after it. gain_sigma, offset_sigma_c: of the current sensor
    (data sheet: 1 %, and 0.1 % of 1C after its zero is known)."""

    model: CellModel
    forgetting: float = 0.99
    least_swing: float = 0.3
    rest_s: float = 1800.0
    rest_c: float = 0.02
    residual_v: float = 0.003
    gain_sigma: float = 0.01
    offset_sigma_c: float = 0.001


def start(params: Params, cells: int) -> State:
    """The state before the first pair."""
    return {"sums": np.zeros((cells, 6)), "scale": np.zeros(cells), "pairs": np.zeros(cells)}


def add_pair(
    params: Params,
    state: State,
    swing: NDArray[np.float64],
    swing_sigma: NDArray[np.float64],
    charge_ah: float | NDArray[np.float64],
    charge_sigma_ah: float,
) -> None:
    """One pair of anchors: swing (N,), change of SOC, + = charged, with sigma; charge put in (Ah)
    with sigma. Cells with NaN or less than `least_swing` are left as they are."""
    charge = np.broadcast_to(np.asarray(charge_ah, np.float64), swing.shape)
    with np.errstate(invalid="ignore"):
        good = (np.abs(swing) >= params.least_swing) & (swing_sigma > 0) & np.isfinite(charge)
    if not good.any():
        return
    x, sx = swing[good], swing_sigma[good]
    scale = np.where(state["scale"][good] > 0, state["scale"][good], sx / charge_sigma_ah)
    state["scale"][good] = scale
    y, sy = charge[good] * scale, charge_sigma_ah * scale
    new = [x * x / sy**2, x * y / sy**2, y * y / sy**2, x * x / sx**2, x * y / sx**2, y * y / sx**2]
    state["sums"][good] = params.forgetting * state["sums"][good] + np.stack(new, 1)
    state["pairs"][good] += 1


def solve(params: Params, state: State) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Capacity (Ah) and its sigma of every cell, NaN without a pair."""
    cells = len(state["pairs"])
    capacity, sigma = np.full(cells, np.nan), np.full(cells, np.nan)
    for k in np.flatnonzero(state["pairs"] > 0):
        c = state["sums"][k]
        scale = float(state["scale"][k])
        guess = _best_root(c)
        bend = _second(c, guess)
        capacity[k] = guess / scale
        sigma[k] = math.sqrt(2 / bend) / scale if bend > 0 else math.nan
    return capacity, sigma


def _cost(c: NDArray[np.float64], q: Any) -> Any:
    top = c[3] * q**4 - 2 * c[4] * q**3 + (c[0] + c[5]) * q**2 - 2 * c[1] * q + c[2]
    return top / (q**2 + 1) ** 2


def _best_root(c: NDArray[np.float64]) -> float:
    """The root of dJ/dQ = 0 that costs least."""
    roots = np.roots(
        [
            c[4],
            -c[0] + 2 * c[3] - c[5],
            3 * c[1] - 3 * c[4],
            c[0] - 2 * c[2] + c[5],
            -c[1],
        ]
    )
    real = roots[np.abs(roots.imag) < 1e-6 * (1 + np.abs(roots))].real
    real = real[real > 0]
    if not len(real):
        return float(c[1] / c[0])
    return float(real[np.argmin(_cost(c, real))])


def _second(c: NDArray[np.float64], q: float) -> float:
    h = 1e-4 * q
    return float((_cost(c, q + h) - 2 * _cost(c, q) + _cost(c, q - h)) / h**2)


def anchors(
    params: Params, windows: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Rests that tell SOC: window number (A,), SOC and sigma (A, N), NaN on the plateau.

    windows: time_ns, current_a, temperature_degc (M,) and cell_v (M, N), means over windows of
    half a minute. A rest counts once, at its end.
    """
    model = params.model
    calm = np.abs(windows["current_a"]) < params.rest_c * model.capacity_ah
    ends = np.flatnonzero(calm & ~np.append(calm[1:], False))
    chosen = []
    for end in ends.tolist():
        begin = end
        while begin > 0 and calm[begin - 1]:
            begin -= 1
        if (windows["time_ns"][end] - windows["time_ns"][begin]) * 1e-9 >= params.rest_s:
            chosen.append(end)
    at = np.array(chosen, np.int64)
    volts = windows["cell_v"][at]
    soc = np.full(volts.shape, np.nan)
    sigma = np.full(volts.shape, np.nan)
    for i, row in enumerate(at.tolist()):
        ocv = ocv_at(model, model.soc, float(windows["temperature_degc"][row]))
        rising = np.maximum.accumulate(ocv) + 1e-9 * np.arange(len(ocv))
        soc[i] = np.interp(volts[i], rising, model.soc, left=np.nan, right=np.nan)
        low, high = np.maximum(soc[i] - 0.02, 0), np.minimum(soc[i] + 0.02, 1)
        slope = (np.interp(high, model.soc, ocv) - np.interp(low, model.soc, ocv)) / (high - low)
        flat = model.plateau[np.nan_to_num(soc[i] * (len(ocv) - 1)).astype(np.int64)]
        noise = math.hypot(model.sigma_ocv_v, model.sigma_hysteresis_v, params.residual_v)
        sigma[i] = np.where(flat, np.nan, noise / np.maximum(slope, 1e-3))
        soc[i] = np.where(flat, np.nan, soc[i])
    return at, soc, sigma


def add_anchors(params: Params, state: State, windows: Mapping[str, NDArray[Any]]) -> int:
    """All pairs of neighbouring anchors in these windows (with `moved_ah`); how many there were."""
    at, soc, sigma = anchors(params, windows)
    moved = windows["moved_ah"][at]
    hours = windows["time_ns"][at] * (1e-9 / 3600)
    added = 0
    last = 0
    for i in range(1, len(at)):
        swing = soc[i] - soc[last]
        if not np.nanmax(np.abs(swing), initial=0.0) >= params.least_swing:
            continue
        charge = float(moved[last] - moved[i])
        offset = params.offset_sigma_c * params.model.capacity_ah * float(hours[i] - hours[last])
        add_pair(
            params,
            state,
            swing,
            np.hypot(sigma[i], sigma[last]),
            charge,
            math.hypot(params.gain_sigma * charge, offset, 1e-3 * params.model.capacity_ah),
        )
        added += 1
        last = i
    return added
