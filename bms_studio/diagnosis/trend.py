"""Trends of cells over daily summaries: Bayesian lines with process noise, and what breaks them.

Per cell several explanations are weighed: it ages as its batch does, or a fault grows in it, slowly
or fast. Each is a straight line whose slope may change (white-noise acceleration; Y. Bar-Shalom et
al., Estimation with Applications to Tracking and Navigation, 2001, section 6.2), followed by a
Kalman filter; how well it foretold the visits says how likely it is. How much a value scatters from
visit to visit is measured on all cells together: an error that a cell shows every day is no
scatter. A cell that is suddenly well again, or two that change places, are other cells: their trend
begins anew. Arrays in, arrays out.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Of the sigma that an estimator states, at least this share differs from visit to visit.
LEAST_SCATTER = 0.6
# Fewer cells than these tell nothing of a visit's scatter.
LEAST_ALIKE = 6


@dataclass(frozen=True, slots=True)
class Growth:
    """What is believed of a quantity before it is seen, in its own unit.

    usual: sigma of the slopes of healthy cells (per unit of the axis); faults: sigmas of those in
    which a fault grows, slow to fast; share: how many cells have one; settle: how long (axis units)
    a slope stays what it is.
    """

    usual: float
    faults: tuple[float, ...]
    share: float = 0.002
    settle: float = 90.0


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """Per explanation and cell (H, N): 0 ages like its batch, the others have a fault that grows.

    level, slope, covariance (H, N, 2, 2) at the last visit; weight (H, N): how likely, sums to 1;
    error (N,): sigma of what the level is wrong by every day alike; visits, span (N,): how many
    since the trend began, and over how long (axis units); noise (H,): spectral density of the
    slope's changes.
    """

    level: Array
    slope: Array
    covariance: Array
    weight: Array
    error: Array
    visits: NDArray[np.int64]
    span: Array
    noise: Array

    @property
    def growing(self) -> Array:
        """Probability (N,) that a fault grows: makes the cell worse, faster than its batch."""
        low = self.slope / np.sqrt(np.maximum(self.covariance[..., 1, 1], 1e-300))
        # A slope that may as well be an improvement is no growth.
        up = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in low[1:].ravel()])
        return np.asarray((self.weight[1:] * up.reshape(low[1:].shape)).sum(0), np.float64)


def _middle(ordered: Array, count: NDArray[np.int64]) -> Array:
    """Median of the first `count` (M,) of each sorted row (M, N)."""
    low, high = np.maximum(count - 1, 0) // 2, np.maximum(count, 1) // 2
    high = np.minimum(high, ordered.shape[1] - 1)
    pick = np.take_along_axis(ordered, np.stack([low, high], 1), 1)
    return np.asarray(pick.mean(1), np.float64)


def repeatability(values: Array, sigma: Array) -> Array:
    """How large the scatter of each visit is (M,), in sigmas: values, sigma (M, N), what all cells
    do together taken off. Between neighbouring visits, so that no trend counts; a visit that told
    less (another depth, another temperature) scatters more, for all cells; 1 where too few are
    known."""
    visits = len(values)
    out = np.ones(visits)
    known = np.isfinite(values) & (sigma > 0)
    both = known[1:] & known[:-1]
    count = both.sum(1)
    if not (count >= LEAST_ALIKE).any():
        return out
    step = np.where(both, values[1:] - values[:-1], np.nan)
    scale = np.where(both, np.hypot(sigma[1:], sigma[:-1]), np.nan)
    apart = np.sort(np.abs(step - _middle(np.sort(step, 1), count)[:, None]) / scale, 1)
    third = np.take_along_axis(apart, np.maximum(count - 3, 0)[:, None], 1)[:, 0]
    # The third largest as well: heavy tails are scatter, one or two cells may be faults.
    ratios = np.maximum(1.4826 * _middle(apart, count), 0.6 * third)
    ratios[count < LEAST_ALIKE] = np.nan
    usual = float(np.nanmedian(ratios))
    filled = np.where(np.isfinite(ratios), ratios, usual)
    # A step is as bad as the worse of its two visits; a visit as the better of its two steps.
    before, after = np.append(filled[0], filled), np.append(filled, filled[-1])
    worst = np.maximum(np.minimum(before, after), 0.7 * usual)
    return np.asarray(np.clip(worst, LEAST_SCATTER, 4.0), np.float64)


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
    scatter = repeatability(values, sigma)[:, None] * sigma
    slopes = np.array([growth.usual, *growth.faults])
    noise = slopes**2 / growth.settle
    level, rate, covariance, likelihood = _follow(axis, values, scatter, counts, slopes, noise)
    prior = np.full(len(slopes), growth.share / max(len(growth.faults), 1))
    prior[0] = 1 - growth.share
    weight = likelihood + np.log(prior)[:, None]
    weight = np.exp(weight - weight.max(0))
    stamps = np.where(counts, axis[:, None], np.nan)
    some = counts.any(0)
    error, span = np.full(cells, np.nan), np.zeros(cells)
    error[some] = np.nanmin(np.where(counts, sigma, np.nan)[:, some], axis=0)
    span[some] = np.nanmax(stamps[:, some], axis=0) - np.nanmin(stamps[:, some], axis=0)
    return Trend(level, rate, covariance, weight / weight.sum(0), error, counts.sum(0), span, noise)


@njit(nogil=True, cache=True)
def _follow(
    axis: NDArray[np.float64],
    values: NDArray[np.float64],
    scatter: NDArray[np.float64],
    counts: NDArray[np.bool_],
    slopes: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Level, slope, covariance at the last visit and log likelihood, (H, N) each."""
    visits, cells = values.shape
    shape = (len(slopes), cells)
    level, rate, likelihood = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
    covariance = np.zeros((len(slopes), cells, 2, 2))
    for h in range(len(slopes)):
        q = noise[h]
        for k in range(cells):
            x, v, begun = math.nan, 0.0, False
            p00, p01, p11 = 0.0, 0.0, slopes[h] ** 2
            for m in range(visits):
                if begun:
                    dt = axis[m] - axis[m - 1]
                    x += dt * v
                    p00 += dt * (2 * p01 + dt * p11) + q * dt**3 / 3
                    p01 += dt * p11 + q * dt**2 / 2
                    p11 += q * dt
                if not counts[m, k]:
                    continue
                r = scatter[m, k] ** 2
                if not begun:
                    begun = True
                    x, p00 = values[m, k], r
                    continue
                s = p00 + r
                nu = values[m, k] - x
                likelihood[h, k] -= 0.5 * (nu * nu / s + math.log(s))
                g0, g1 = p00 / s, p01 / s
                x += g0 * nu
                v += g1 * nu
                p11 -= g1 * p01
                p01 -= g0 * p01
                p00 -= g0 * p00
            level[h, k], rate[h, k] = x, v
            covariance[h, k, 0, 0] = p00
            covariance[h, k, 0, 1] = covariance[h, k, 1, 0] = p01
            covariance[h, k, 1, 1] = p11
    return level, rate, covariance, likelihood


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
    scale = np.stack([repeatability(values[i], sigma[i]) for i in range(quantities)])
    latest = np.full((quantities, cells), np.nan)
    its_sigma = np.full((quantities, cells), np.nan)
    for m in range(visits):
        now, s_now = values[:, m], sigma[:, m] * scale[:, m][:, None]
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
