"""Trends of cells over daily summaries: a Bayesian line with process noise, and what breaks it.

Per cell two explanations are weighed: it ages as its batch does, or a fault grows in it. Both are
straight lines whose slope may change (white-noise acceleration; Y. Bar-Shalom et al., Estimation
with Applications to Tracking and Navigation, 2001, section 6.2), followed by a Kalman filter; how
well each foretold the visits says how likely it is. How much a value scatters from visit to visit
is measured on all cells together: an error that a cell shows every day is no scatter. A cell that
is suddenly well again, or two that change places, are other cells: their trend begins anew.
Arrays in, arrays out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Growth:
    """What is believed of a quantity before it is seen, in its own unit.

    usual: sigma of the slopes of healthy cells (per unit of the axis); fault: sigma of those in
    which a fault grows; share: how many do; settle: how long (axis units) a slope stays what it is.
    """

    usual: float
    fault: float
    share: float = 0.01
    settle: float = 90.0


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """Per cell (N,), for the two explanations (2, N): 0 ages like its batch, 1 a fault grows.

    level, slope, covariance (2, N, 2, 2) at the last visit; growing: probability of explanation 1;
    error: sigma of what the level is wrong by every day alike; visits, span: how many since the
    trend began, and over how long (axis units); noise (2,): spectral density of the slope's changes.
    """

    level: Array
    slope: Array
    covariance: Array
    growing: Array
    error: Array
    visits: NDArray[np.int64]
    span: Array
    noise: Array


def repeatability(values: Array, sigma: Array) -> float:
    """How large the scatter from visit to visit is, in sigmas: values, sigma (M, N), differences
    of neighbouring visits, what all cells do together taken off; 1 where too few are known."""
    known = np.isfinite(values) & (sigma > 0)
    if len(values) < 2:
        return 1.0
    both = known[1:] & known[:-1]
    if both.sum() < 8:
        return 1.0
    step = np.where(both, values[1:] - values[:-1], np.nan)
    rows = both.any(1)
    step = step[rows] - np.nanmedian(step[rows], axis=1, keepdims=True)
    scale = np.hypot(sigma[1:], sigma[:-1])[rows]
    ratio = np.abs(step / scale)[both[rows]]
    return float(np.clip(1.4826 * np.median(ratio), 0.15, 4.0))


def fit(
    axis: Array,
    values: Array,
    sigma: Array,
    growth: Growth,
    begins: NDArray[np.int64] | None = None,
) -> Trend:
    """axis: days or cycles (M,), rising; values, sigma (M, N), NaN unknown; begins (N,): first
    visit that counts. At least one visit."""
    visits, cells = values.shape
    first = np.zeros(cells, np.int64) if begins is None else begins
    counts = np.isfinite(values) & (sigma > 0) & (np.arange(visits)[:, None] >= first)
    scatter = repeatability(values, sigma) * sigma
    usable = np.where(counts, sigma, np.nan)
    some = counts.any(0)
    error = np.full(cells, np.nan)
    error[some] = np.nanmin(usable[:, some], axis=0)
    noise = np.array([growth.usual, growth.fault]) ** 2 / growth.settle
    followed = [
        _follow(axis, values, scatter, counts, slope, float(q))
        for slope, q in zip((growth.usual, growth.fault), noise, strict=True)
    ]
    odds = np.log(growth.share / (1 - growth.share)) + followed[1][3] - followed[0][3]
    stamps = np.where(counts, axis[:, None], np.nan)
    span = np.zeros(cells)
    span[some] = np.nanmax(stamps[:, some], axis=0) - np.nanmin(stamps[:, some], axis=0)
    return Trend(
        level=np.stack([f[0] for f in followed]),
        slope=np.stack([f[1] for f in followed]),
        covariance=np.stack([f[2] for f in followed]),
        growing=1 / (1 + np.exp(-np.clip(odds, -50, 50))),
        error=error,
        visits=counts.sum(0),
        span=span,
        noise=noise,
    )


def _follow(
    axis: Array, values: Array, scatter: Array, counts: NDArray[np.bool_], slope: float, q: float
) -> tuple[Array, Array, Array, Array]:
    """Level, slope, covariance at the last visit and log likelihood, of every cell."""
    cells = values.shape[1]
    level, rate = np.full(cells, np.nan), np.zeros(cells)
    p = np.zeros((cells, 2, 2))
    p[:, 1, 1] = slope**2
    likelihood = np.zeros(cells)
    for m in range(len(axis)):
        dt = float(axis[m] - axis[m - 1]) if m else 0.0
        move = np.array([[1.0, dt], [0.0, 1.0]])
        level = level + dt * rate
        p = move @ p @ move.T + q * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        new = counts[m] & np.isnan(level)
        level[new], rate[new] = values[m, new], 0.0
        p[new] = np.stack([np.diag([s**2, slope**2]) for s in scatter[m, new]]) if new.any() else 0
        seen = counts[m] & ~new
        if not seen.any():
            continue
        s = p[seen, 0, 0] + scatter[m, seen] ** 2
        nu = values[m, seen] - level[seen]
        gain = p[seen][:, :, 0] / s[:, None]
        likelihood[seen] += -0.5 * (nu**2 / s + np.log(s))
        level[seen] += gain[:, 0] * nu
        rate[seen] += gain[:, 1] * nu
        p[seen] -= gain[:, :, None] * p[seen][:, 0, None, :]
    return level, rate, p, likelihood


def began_anew(values: Array, sigma: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """First visit of the cell that is in each place now, and whether two changed places.

    values, sigma (K, M, N): K quantities that a fault makes larger and nothing makes smaller
    (resistance, leak, lost capacity). A fall that scatter does not explain, to where the
    neighbours are, is another cell; if another place takes up the old values it was a swap.
    Returns (N,) visit numbers and (N,) bool.
    """
    quantities, visits, cells = values.shape
    begins = np.zeros(cells, np.int64)
    swapped = np.zeros(cells, np.bool_)
    scale = np.array([repeatability(values[i], sigma[i]) for i in range(quantities)])
    latest = np.full((quantities, cells), np.nan)
    its_sigma = np.full((quantities, cells), np.nan)
    for m in range(visits):
        now, s_now = values[:, m], sigma[:, m] * scale[:, None]
        s = np.hypot(s_now, its_sigma)
        step = (now - latest) / s
        # What all cells do together is temperature or the estimator.
        known = np.isfinite(step)
        if known.any():
            rows = known.any(1)
            middle = np.zeros((quantities, 1))
            middle[rows] = np.nanmedian(step[rows], axis=1, keepdims=True)
            step = step - middle
        better = np.flatnonzero(np.any(known & (step < -6), axis=0))
        worse = np.flatnonzero(np.any(known & (step > 6), axis=0))
        for k in better.tolist():
            begins[k] = m
            for j in worse.tolist():
                if _took_over(now[:, j], latest[:, k], s[:, j]):
                    begins[j] = m
                    swapped[[j, k]] = True
        fresh = np.isfinite(now) & (s_now > 0)
        latest = np.where(fresh, now, latest)
        its_sigma = np.where(fresh, s_now, its_sigma)
    return begins, swapped


def _took_over(now: Array, other: Array, sigma: Array) -> bool:
    """Whether this place now shows what the other showed before, in every quantity known."""
    gap = np.abs(now - other) / sigma
    known = np.isfinite(gap)
    return bool(known.any() and np.all(gap[known] < 5))
