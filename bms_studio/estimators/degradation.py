"""How capacity and resistance change over calendar time and charge moved, from one pack's history.

A history is a handful of dated values with sigma per cell. The model is a level and a slope over
one axis, both drifting: x' = x + slope dt + noise, slope' = slope + noise (a local linear trend;
J. Durbin, S. J. Koopman, Time Series Analysis by State Space Methods, 2012, section 3.2), so that a
knee is followed and an old value counts less. A prior keeps one value from being a trend: slopes
are usual ones until data say otherwise. Over the square root of calendar time (SEI growth by
diffusion: H. J. Ploehn et al., J. Electrochem. Soc. 151 (2004) A456) or charge moved the axis is
transformed first. Arrays in, arrays out.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.contract import State

Array = NDArray[np.float64]
YEAR_S = 365.25 * 86_400.0
AXES = ("calendar", "root", "throughput")


@dataclass(frozen=True, slots=True)
class Params:
    """axis: "calendar" (years), "root" (square root of years since begin of life or the first
    value) or "throughput" (Ah moved over capacity_ah: equivalent charges one way). slope_sigma:
    usual change per unit of the axis, relative to level_scale (5 % a year; 0.01 % a full charge).
    wander: process noise of level and of slope per unit, relative; outliers beyond `gate` sigma
    count as uncertain as they are off."""

    axis: str = "calendar"
    level_scale: float = 1.0
    slope_mean: float = 0.0
    slope_sigma: float = 0.05
    wander_level: float = 0.003
    wander_slope: float = 0.03
    gate: float = 4.0
    capacity_ah: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """Of N cells, (N,) each, NaN where no value is known: newest level and slope per unit of the
    axis, with sigma; z: slope over its sigma; count: values used; wander_level and wander_slope:
    the process noise per root unit that the history asks for, absolute; at: the axis of the
    newest value."""

    level: Array
    level_sigma: Array
    slope: Array
    slope_sigma: Array
    covariance: Array
    z: Array
    count: NDArray[np.int64]
    wander_level: Array
    wander_slope: Array
    at: float


def axis_of(params: Params, time_s: Array, throughput_ah: Array) -> Array:
    """(M,) The axis: rising. Raises ValueError for a name that is none of AXES."""
    if params.axis not in AXES:
        raise ValueError(f"'{params.axis}' is no axis: known are {', '.join(AXES)}")
    if params.axis == "throughput":
        return np.asarray(throughput_ah / params.capacity_ah, np.float64)
    years = (time_s - time_s[:1]) / YEAR_S
    return np.asarray(np.sqrt(years) if params.axis == "root" else years, np.float64)


def trend(params: Params, time_s: Array, throughput_ah: Array, value: Array, sigma: Array) -> Trend:
    """time_s, throughput_ah: (M,), rising; value, sigma: (M, N), NaN where not known.

    The process noise is one of a few multiples of the usual one: what makes the history likeliest
    (marginal likelihood), so that a cell with a knee is allowed its knee and sigma stays honest.
    Raises ValueError when shapes do not fit or the axis runs backwards.
    """
    if value.shape != sigma.shape or value.ndim != 2 or len(value) != len(time_s):
        raise ValueError("value and sigma need one row per time and the same shape")
    at = axis_of(params, time_s, throughput_ah)
    if np.any(np.diff(at) < 0):
        raise ValueError("time or throughput runs backwards: sort the history")
    cells = value.shape[1]
    out = np.full((4, cells), np.nan)
    covariance = np.full(cells, np.nan)
    wander = np.full((2, cells), np.nan)
    count = np.zeros(cells, np.int64)
    for k in range(cells):
        rows = np.isfinite(value[:, k]) & (sigma[:, k] > 0)
        count[k] = rows.sum()
        if not count[k]:
            continue
        best: tuple[float, Array, Array, float] | None = None
        for more in (0.3, 1.0, 3.0, 10.0):
            told, x, p = _filter(params, at, value[:, k], sigma[:, k], rows, more)
            # A larger wander must earn its place.
            told -= 0.5 * math.log(more) ** 2 / 1.5**2
            if best is None or told > best[0]:
                best = (told, x, p, more)
        assert best is not None
        _, x, p, more = best
        out[:, k] = x[0], math.sqrt(p[0, 0]), x[1], math.sqrt(p[1, 1])
        covariance[k] = p[0, 1]
        scale = more * params.level_scale
        wander[:, k] = params.wander_level * scale, params.wander_slope * scale
    with np.errstate(invalid="ignore", divide="ignore"):
        z = out[2] / out[3]
    last = float(at[-1]) if len(at) else math.nan
    return Trend(
        *(out[0], out[1], out[2], out[3], covariance), z, count, wander[0], wander[1], last
    )


def predict(found: Trend, ahead: Array) -> tuple[Array, Array]:
    """Value and sigma (H, N) at `ahead` (H,) units of the axis after the newest value."""
    step = np.asarray(ahead, np.float64)[:, None]
    mean = found.level + found.slope * step
    variance = found.level_sigma**2 + 2 * step * found.covariance + step**2 * found.slope_sigma**2
    variance = variance + found.wander_level**2 * step + found.wander_slope**2 * step**3 / 3
    return np.asarray(mean), np.sqrt(np.maximum(variance, 0.0))


def _filter(
    params: Params, at: Array, value: Array, sigma: Array, rows: NDArray[np.bool_], more: float
) -> tuple[float, Array, Array]:
    """Logarithm of the likelihood, newest state (level, slope) and its covariance."""
    scale = params.level_scale
    q_level = (params.wander_level * more * scale) ** 2
    q_slope = (params.wander_slope * more * scale) ** 2
    picked = np.flatnonzero(rows)
    x = np.array([value[picked[0]], params.slope_mean * scale])
    p = np.diag([float(sigma[picked[0]]) ** 2, (params.slope_sigma * scale) ** 2])
    told = 0.0
    for before, now in itertools.pairwise(picked):
        step = float(at[now] - at[before])
        move = np.array([[1.0, step], [0.0, 1.0]])
        noise = np.array(
            [
                [q_level * step + q_slope * step**3 / 3, q_slope * step**2 / 2],
                [q_slope * step**2 / 2, q_slope * step],
            ]
        )
        x, p = move @ x, move @ p @ move.T + noise
        off = float(value[now]) - x[0]
        s = p[0, 0] + float(sigma[now]) ** 2
        ratio = off * off / s
        told -= 0.5 * (min(ratio, params.gate**2) + math.log(s))
        if ratio > params.gate**2:
            s *= ratio / params.gate**2
        gain = p[:, 0] / s
        x = x + gain * off
        p = p - np.outer(gain, p[0]) - np.outer(p[0], gain) + np.outer(gain, gain) * s
    return told, np.asarray(x), np.asarray(0.5 * (p + p.T))


def start(params: Params, cells: int) -> State:
    """An empty history, to be filled by `add`."""
    return {
        "time_s": np.zeros(0),
        "throughput_ah": np.zeros(0),
        "value": np.zeros((0, cells)),
        "sigma": np.zeros((0, cells)),
    }


def add(state: State, time_s: float, throughput_ah: float, value: Any, sigma: Any) -> None:
    """One dated row of values (N,) and sigmas; older ones may come later."""
    at = int(np.searchsorted(state["time_s"], time_s))
    for name, new in (
        *(("time_s", time_s), ("throughput_ah", throughput_ah)),
        *(("value", np.asarray(value)), ("sigma", np.asarray(sigma))),
    ):
        state[name] = np.insert(state[name], at, new, axis=0)
