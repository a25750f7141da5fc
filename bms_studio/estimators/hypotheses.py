"""Every OCV table with every state of charge, weighed by all that the voltage said so far.

A filter that was told a wrong state of charge on a flat piece of the curve believes itself: nothing
contradicts it until a knee. Beside it, what was heard is kept by how much charge had moved then
(bins), and every SOC of every published table that the cell may be nearer to is asked how well it
explains all bins at once: the bins' voltages are jointly normal, with the table's error as a curve
over SOC, what resistances, hysteresis, capacity and offset may have added, and noise (marginal
likelihood of a Gaussian process: C. E. Rasmussen, C. K. I. Williams, 2006, 5.4; tables and SOCs as
multiple models: D. T. Magill, IEEE Trans. Automatic Control 10 (1965) 434). So a table's error
counts once, however long and often it is looked at.

Numbers only; the places of the numbers are in `soc_state`.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.kernel import HYPOTHESES, Z, knot_at, look_up, slope_at
from bms_studio.estimators.pack_filter import lagging, surface
from bms_studio.estimators.soc_state import (
    C_DOUBT,
    C_Q,
    C_SCAP,
    C_SM,
    C_SR,
    N_HOURS,
    N_HYST,
    N_LAG_A,
    N_MOVING,
    N_PASSES,
    N_POLARISED,
    N_SHIFT,
    N_VOLTS,
    N_WEIGHT,
    PASS_V,
    R_ANCHORED,
    R_DOUBT,
    R_HOURS,
    R_REST_VAR,
    R_SHIFT,
    R_WAY,
)

# Belief outside three sigma and so much of SOC speaks against the filter.
MARGIN = 0.03
# Less belief than this near the filter's answer, and it is seated anew.
LOST = 0.05
# So many times the hypotheses' sigma may the filter's be before it is seated by theirs.
BLIND = 1.3
# So much charge must have moved off the plateau before a stated SOC counts as proven.
PROVEN = 0.03
# Of the charge moved to and fro, by how much the truth strays from a hypothesis.
STRAY = 0.02
# What the polarisation may be off by all the time (share of it), beside what the filter follows.
POLARISED_SHARE = 0.2
# Hypotheses that have less belief than this before the voltages were not asked about them.
UNASKED = -25.0
# The grids of hypotheses that are asked one after the other, every so many; beside belief less than
# this (logarithm) from the best, the next one is not.
GRIDS = (8, 2, 1)
WORTH = 12.0
# Hypotheses that are by now so far beyond empty or full are not asked at all.
FAR = 0.2
# SOC beyond empty or full speaks against a hypothesis by this sigma, and what drift adds to it.
BEYOND = 0.015


@njit(nogil=True, cache=True)
def believe(belief: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities from logarithms."""
    out = np.exp(belief - np.max(belief))
    return np.asarray(out / np.sum(out))


@njit(nogil=True, cache=True)
def blurred(belief: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Logarithms of what is believed once the truth may have strayed by sigma of SOC."""
    tables, n = belief.shape
    p = believe(belief)
    width = sigma * (n - 1)
    if width < 0.3:
        return np.asarray(np.log(p + 1e-300))
    reach = min(int(3.5 * width) + 1, n - 1)
    kernel = np.exp(-0.5 * (np.arange(reach + 1) / width) ** 2)
    kernel /= 2 * np.sum(kernel) - kernel[0]
    out = np.zeros((tables, n))
    for j in range(tables):
        for i in range(n):
            if p[j, i] < 1e-14:
                continue
            # What would leave the range stays at its end.
            for k in range(-reach, reach + 1):
                out[j, min(max(i + k, 0), n - 1)] += p[j, i] * kernel[abs(k)]
    return np.asarray(np.log(out + 1e-300))


@njit(nogil=True, cache=True)
def _explained(
    z: float,
    ocv: NDArray[np.float64],
    doubts: NDArray[np.float64],
    prior: NDArray[np.float64],
    heard: NDArray[np.float64],
    behind: NDArray[np.float64],
    common: NDArray[np.float64],
    sloped: NDArray[np.float64],
    room: NDArray[np.float64],
    own: NDArray[np.float64],
) -> tuple[float, float]:
    """Misfit (chi square) and half the logarithm of the determinant for one SOC `z` now.

    heard (N bins, fields), means; behind (N,): lag of diffusion (SOC); common, sloped (N, N):
    covariance of the voltages whatever the SOC (V^2), and of SOC (by the slopes it becomes one of
    voltages); room (N, N) and own (4, N) to work in."""
    n = len(heard)
    beyond = 0.0
    e, slopes, knots, shares = own[0], own[1], own[2], own[3]
    for a in range(n):
        za = z + heard[a, N_SHIFT]
        over = max(za - 1.0, -za, 0.0)
        beyond = max(beyond, over * over / (BEYOND * BEYOND + sloped[a, a]))
        seen = surface(min(max(za, 0.0), 1.0), behind[a])
        e[a] = heard[a, N_VOLTS] - look_up(ocv, seen)
        slopes[a] = max(slope_at(ocv, seen, 0.02), 0.0)
        knot, shares[a] = knot_at(seen)
        knots[a] = knot
        room[a, a] = look_up(doubts[1], min(max(seen, 0.0), 1.0)) ** 2
    misfit, size = 0.0, 0.0
    # The covariance's Cholesky factor, row by row, and the forward substitution with it.
    for a in range(n):
        ka, wa, sa = int(knots[a]), shares[a], slopes[a]
        for b in range(a + 1):
            kb, wb = int(knots[b]), shares[b]
            total = (1 - wa) * ((1 - wb) * prior[ka, kb] + wb * prior[ka, kb + 1])
            total += wa * ((1 - wb) * prior[ka + 1, kb] + wb * prior[ka + 1, kb + 1])
            total += common[a, b] + sa * slopes[b] * sloped[a, b]
            if a == b:
                total += room[a, a]
            for k in range(b):
                total -= room[a, k] * room[b, k]
            if b < a:
                room[a, b] = total / room[b, b]
        room[a, a] = math.sqrt(max(total, 1e-9))
        rest = e[a]
        for k in range(a):
            rest -= room[a, k] * e[k]
        e[a] = rest / room[a, a]
        misfit += e[a] * e[a]
        size += math.log(room[a, a])
    return misfit + beyond, size


@njit(nogil=True, cache=True)
def strayed(c: NDArray[np.float64], r: NDArray[np.float64]) -> float:
    """Sigma of the SOC that capacity, gain and offset may have moved since the origin."""
    variance = (c[C_SCAP] * r[R_SHIFT]) ** 2 + 0.3 * STRAY**2 * r[R_WAY]
    variance += r[R_REST_VAR] / c[C_Q] ** 2 * r[R_HOURS] ** 2
    return min(math.sqrt(variance), 0.3)


@njit(nogil=True, cache=True)
def weigh(
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    doubts: NDArray[np.float64],
    priors: NDArray[np.float64],
    belief: NDArray[np.float64],
    bins: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Probability of every table with every SOC (tables, hypotheses).

    belief: logarithms, before any of the voltages in `bins`; hypothesis i stands for
    i/(HYPOTHESES - 1) + R_SHIFT. Where even the best explains the voltages badly, all are told
    apart by so much less. A coarse grid is asked first, and what lies between only where it
    matters."""
    tables = len(ocvs)
    offset_variance = r[R_REST_VAR] / c[C_Q] ** 2
    before = blurred(belief, strayed(c, r))
    heard = _means(bins, r)
    n = len(heard)
    if n == 0:
        return np.asarray(believe(before))
    behind = np.empty(n)
    for a in range(n):
        behind[a] = lagging(heard[a, N_LAG_A], c, r)
    common, sloped = _shared(c, offset_variance, heard, behind)
    room, own = np.empty((n, n)), np.empty((4, n))
    misfits = np.full((tables, HYPOTHESES), np.inf)
    sizes = np.zeros((tables, HYPOTHESES))
    told = np.full((tables, HYPOTHESES), -np.inf)
    coarser = GRIDS[0]
    for step in GRIDS:
        worth = np.max(told) - WORTH
        for j in range(tables):
            for i in range(0, HYPOTHESES, step):
                if misfits[j, i] < np.inf or before[j, i] < UNASKED:
                    continue
                z = i / (HYPOTHESES - 1) + r[R_SHIFT]
                if z < -FAR or z > 1 + FAR:
                    continue
                low = min(i // coarser * coarser, HYPOTHESES - 1 - coarser)
                if step < coarser and max(told[j, low], told[j, low + coarser]) < worth:
                    continue
                misfits[j, i], sizes[j, i] = _explained(
                    z, ocvs[j], doubts[j], priors[j], heard, behind, common, sloped, room, own
                )
        if np.min(misfits) == np.inf:
            # More charge was counted than any cell holds: nothing that was heard fits anywhere.
            return np.asarray(believe(before))
        temper = max(np.min(misfits) / n, 1.0)
        told = before - 0.5 * misfits / temper - sizes
        coarser = step
    return np.asarray(believe(told))


@njit(nogil=True, cache=True)
def _shared(
    c: NDArray[np.float64],
    offset_variance: float,
    heard: NDArray[np.float64],
    behind: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`common` and `sloped` of `_explained`: noise, hysteresis and polarisation; capacity, offset
    and lag."""
    n = len(heard)
    common, sloped = np.empty((n, n)), np.empty((n, n))
    lost = (1.2 * c[C_SR]) ** 2
    for a in range(n):
        for b in range(n):
            ha, hb = heard[a], heard[b]
            common[a, b] = c[C_SM] ** 2 * ha[N_HYST] * hb[N_HYST]
            common[a, b] += POLARISED_SHARE**2 * ha[N_POLARISED] * hb[N_POLARISED]
            sloped[a, b] = c[C_SCAP] ** 2 * ha[N_SHIFT] * hb[N_SHIFT]
            sloped[a, b] += offset_variance * ha[N_HOURS] * hb[N_HOURS]
            sloped[a, b] += lost * behind[a] * behind[b]
        common[a, a] += heard[a, N_MOVING]
    return common, sloped


@njit(nogil=True, cache=True)
def _means(bins: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
    """The bins that heard something, as means; SOC and hours against now; N_MOVING: variance of
    the noise (V^2)."""
    count = 0
    for k in range(len(bins)):
        if bins[k, N_WEIGHT] > 0:
            count += 1
    out = np.empty((count, bins.shape[1]))
    at = 0
    for k in range(len(bins)):
        weight = bins[k, N_WEIGHT]
        if weight <= 0:
            continue
        h = out[at]
        at += 1
        for f in range(bins.shape[1]):
            h[f] = bins[k, f] / weight
        # SOC then against SOC now: capacity and offset make the more uncertain, the longer ago.
        h[N_SHIFT] -= r[R_SHIFT]
        h[N_HOURS] -= r[R_HOURS]
        passes = max(bins[k, N_PASSES], 1.0)
        h[N_MOVING] = 1.0 / weight + h[N_MOVING] * PASS_V**2 / passes
    return out


@njit(nogil=True, cache=True)
def still_open(c: NDArray[np.float64], r: NDArray[np.float64]) -> float:
    """Belief that every hypothesis keeps: a plateau alone does not prove what somebody stated."""
    return 0.5 * c[C_DOUBT] / HYPOTHESES if r[R_ANCHORED] < PROVEN else 0.0


@njit(nogil=True, cache=True)
def compare(
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    p: NDArray[np.float64],
) -> tuple[bool, float, float]:
    """Whether the filter is lost, and mean and sigma of the cluster that has most belief; the
    variance that belief elsewhere adds goes to the state. p: what `weigh` answered."""
    reach = 3 * math.sqrt(cov[Z, Z]) + MARGIN
    near, outside = 0.0, 0.0
    so_far = np.zeros(HYPOTHESES + 1)
    open_doubt = still_open(c, r)
    for i in range(HYPOTHESES):
        apart = i / (HYPOTHESES - 1) + r[R_SHIFT] - x[Z]
        if abs(apart) <= reach:
            near += p[i]
        else:
            outside += max(p[i], open_doubt) * apart * apart
        so_far[i + 1] = so_far[i] + p[i]
    r[R_DOUBT] = outside
    mean, sigma = _moments(p, 0, HYPOTHESES)
    mean += r[R_SHIFT]
    # The filter may know far less than the hypotheses do by now.
    if math.sqrt(cov[Z, Z]) > BLIND * sigma and abs(mean - x[Z]) > sigma:
        return True, mean, sigma
    best = 0
    best_mass = 0.0
    half = (HYPOTHESES - 1) // 20
    for i in range(HYPOTHESES):
        mass = so_far[min(i + half + 1, HYPOTHESES)] - so_far[max(i - half, 0)]
        if mass > best_mass:
            best, best_mass = i, mass
    mean, sigma = _moments(p, max(best - 2 * half, 0), min(best + 2 * half + 1, HYPOTHESES))
    return near < LOST and best_mass > 0.5, mean + r[R_SHIFT], sigma


@njit(nogil=True, cache=True)
def _moments(p: NDArray[np.float64], low: int, high: int) -> tuple[float, float]:
    """Mean and sigma of the hypotheses from `low` up to below `high`, no less than their grid's."""
    total, first, second = 0.0, 0.0, 0.0
    for i in range(low, high):
        z = i / (HYPOTHESES - 1)
        total += p[i]
        first += p[i] * z
        second += p[i] * z * z
    mean = first / total
    return mean, math.sqrt(max(second / total - mean * mean, 0.0) + 1.0 / (HYPOTHESES - 1) ** 2)
