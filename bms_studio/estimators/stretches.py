"""What the hypotheses hear, a stretch at a time, and what the filter makes of it.

A stretch is a minute, or half a per cent of the capacity moved: a curve says no more in less. It is
kept in the bin of the charge that had moved. Every few stretches the hypotheses of table and SOC
are weighed, and the filter changes its table and its seat when they say so. Numbers only; the
places of the numbers are in `soc_state`.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.hypotheses import (
    BLIND,
    LOST,
    MARGIN,
    compare,
    still_open,
    strayed,
    weigh,
)
from bms_studio.estimators.kernel import HYPOTHESES, Z
from bms_studio.estimators.pack_filter import diffusing
from bms_studio.estimators.soc_state import (
    BIN_WIDTH,
    C_ERR,
    C_M,
    C_R0,
    C_R1,
    C_R2,
    C_SHARE,
    C_SM,
    C_TAU,
    I_RESTARTS,
    I_TABLE,
    N_HOURS,
    N_HYST,
    N_LAG_A,
    N_MOVING,
    N_PASSES,
    N_POLARISED,
    N_SHIFT,
    N_VOLTS,
    N_WEIGHT,
    R_BELIEF,
    R_DOUBT,
    R_HEARD_D,
    R_HEARD_N,
    R_HEARD_P,
    R_HEARD_S,
    R_HEARD_U,
    R_HEARD_WAY,
    R_HOURS,
    R_HYST,
    R_LEAN,
    R_LEAN_VAR,
    R_LEAST_VAR,
    R_PACE,
    R_SCALE,
    R_SHIFT,
    R_SLOPE,
    R_SQUARE,
    R_SWING,
    R_UNWEIGHED_S,
    R_UNWEIGHED_WAY,
    R_WAY,
)
from bms_studio.estimators.startup import carry, forget_curve, forget_heard, seat

STRETCH_S, STRETCH_WAY = 60.0, 0.005
# The hypotheses are weighed after so much charge or time.
WEIGHED_WAY, WEIGHED_S = 0.02, 1800.0
# Where filter and hypotheses agree and these are surer than AGREED_SIGMA, so many times as seldom.
SELDOM, AGREED_SIGMA = 4.0, 0.04
# A curve that rises by this per unit of SOC tells SOC all the time (V).
STEEP_V = 0.3
# What was heard so much charge (times the capacity) or time ago has faded by e: where SOC was then
# is no longer known to the width of a bin.
FADE_WAY, FADE_S = 3.0, 2 * 86400.0
# Charge is counted from a new origin after so many hours, or when it may have strayed by so much.
ORIGIN_H, ORIGIN_SIGMA = 24.0, 0.03
# A rival must have so much of the belief, and the filter's table less than LOST of it.
CONVINCED = 0.8
# No SOC is told surer than this.
LEAST_SIGMA = 0.002


@njit(nogil=True, cache=True)
def hear(
    running: bool,
    open_v: float,
    polarised_v: float,
    moved: float,
    dt: float,
    factor: float,
    integers: NDArray[np.int64],
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    doubts: NDArray[np.float64],
    priors: NDArray[np.float64],
    belief: NDArray[np.float64],
    bins: NDArray[np.float64],
) -> None:
    """One window: its mean voltage less polarisation, that polarisation, charge moved over
    capacity, seconds."""
    r[R_HEARD_U] += open_v
    r[R_HEARD_P] += polarised_v
    r[R_HEARD_N] += 1.0
    r[R_HEARD_D] += diffusing(r)
    r[R_HEARD_WAY] += abs(moved)
    r[R_HEARD_S] += dt
    if r[R_HEARD_S] >= STRETCH_S or r[R_HEARD_WAY] >= STRETCH_WAY:
        _keep(factor, c, r, bins)
    # Before a stretch is heard the filter's own start knows more.
    if (
        not running
        or np.max(bins[:, N_WEIGHT]) <= 0.0
        or (
            r[R_UNWEIGHED_WAY] < WEIGHED_WAY * r[R_PACE]
            and r[R_UNWEIGHED_S] < WEIGHED_S * r[R_PACE]
        )
    ):
        return
    r[R_UNWEIGHED_WAY] = 0.0
    r[R_UNWEIGHED_S] = 0.0
    decide(integers, c, r, x, cov, ocvs, doubts, priors, belief, bins)


@njit(nogil=True, cache=True)
def _keep(
    factor: float,
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    bins: NDArray[np.float64],
) -> None:
    """The stretch into the bin of the charge moved."""
    way, dt, n = r[R_HEARD_WAY], r[R_HEARD_S], r[R_HEARD_N]
    r[R_WAY] += way
    r[R_HOURS] += dt / 3600.0
    r[R_UNWEIGHED_WAY] += way
    r[R_UNWEIGHED_S] += dt
    bins *= math.exp(-way / FADE_WAY - dt / FADE_S)
    total_r = (c[C_R0] + c[C_R1] + c[C_R2]) * factor
    # Which branch of the hysteresis the cell is on is not known before charge has moved.
    branch = r[R_SWING] * c[C_M] * (1 - abs(r[R_HYST]))
    variance = c[C_ERR] ** 2 + branch * branch
    variance += (c[C_SHARE] * total_r) ** 2 * r[R_SQUARE]
    # Errors of the circuit last: only the first stretch tells all of what it seems to.
    lasted = min(dt, 3600.0)
    share = lasted / (lasted + 2 * c[C_TAU]) if np.max(bins[:, N_WEIGHT]) > 0 else 1.0
    weight = share / variance
    k = math.floor(r[R_SHIFT] / BIN_WIDTH) + len(bins) // 2
    h = bins[min(max(k, 0), len(bins) - 1)]
    h[N_WEIGHT] += weight
    h[N_VOLTS] += weight * r[R_HEARD_U] / n
    h[N_SHIFT] += weight * r[R_SHIFT]
    h[N_HOURS] += weight * r[R_HOURS]
    h[N_LAG_A] += weight * r[R_HEARD_D] / n
    h[N_HYST] += weight * r[R_HYST] * r[R_SWING]
    h[N_POLARISED] += weight * r[R_HEARD_P] / n
    h[N_MOVING] += weight * min(way / STRETCH_WAY, 1.0)
    h[N_PASSES] += way / BIN_WIDTH
    forget_heard(r)


@njit(nogil=True, cache=True)
def decide(
    integers: NDArray[np.int64],
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    doubts: NDArray[np.float64],
    priors: NDArray[np.float64],
    belief: NDArray[np.float64],
    bins: NDArray[np.float64],
) -> None:
    """Weigh the hypotheses; another table or another seat for the filter, if they say so."""
    now = integers[I_TABLE]
    chances = weigh(c, r, ocvs, doubts, priors, belief, bins)
    of_table = np.sum(chances, axis=1)
    best = int(np.argmax(of_table))
    changed = of_table[now] < LOST and of_table[best] > CONVINCED
    if changed:
        now = best
        integers[I_TABLE] = now
        r[R_SCALE] = 1.0
        _, mean, sigma = compare(c, r, x, cov, chances[now] / of_table[now])
    r[R_BELIEF] = of_table[now]
    lost, other_mean, other_sigma = compare(c, r, x, cov, np.sum(chances, axis=0))
    if not changed:
        mean, sigma = other_mean, other_sigma
    if lost or changed:
        forget_curve(r, x, cov, priors[now])
        circuit = c[C_ERR] ** 2 + (r[R_SWING] * c[C_SM]) ** 2
        seat(c, r, x, cov, ocvs[now], doubts[now], mean, sigma, circuit)
        integers[I_RESTARTS] += 1
        r[R_DOUBT] = 0.0
    lean(now, r, x, cov, chances)
    answer(c, r, x, cov, np.sum(chances, axis=0))
    if abs(r[R_SHIFT]) > 1.0 or r[R_HOURS] > ORIGIN_H or strayed(c, r) > ORIGIN_SIGMA:
        _new_origin(c, r, belief, bins)


@njit(nogil=True, cache=True)
def _new_origin(
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    belief: NDArray[np.float64],
    bins: NDArray[np.float64],
) -> None:
    """Charge is counted from here on, as the hypotheses of the old origin may all be beyond empty
    or full by now: what was believed before any voltage is moved and blurred, what was heard
    stays."""
    steps = round(r[R_SHIFT] / BIN_WIDTH)
    carry(belief, steps * BIN_WIDTH, max(strayed(c, r), 0.005), 1e-6)
    old = bins.copy()
    bins[:] = 0.0
    for k in range(len(old)):
        to = k - steps
        if 0 <= to < len(old):
            bins[to] = old[k]
            bins[to, N_SHIFT] -= old[k, N_WEIGHT] * steps * BIN_WIDTH
            bins[to, N_HOURS] -= old[k, N_WEIGHT] * r[R_HOURS]
    r[R_SHIFT] -= steps * BIN_WIDTH
    r[R_HOURS] = 0.0
    r[R_WAY] = 0.0


@njit(nogil=True, cache=True)
def lean(
    now: int,
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    chances: NDArray[np.float64],
) -> None:
    """While more than one table may be the cell's, the answer lies between what each of them says
    near the filter's; so much the surer of none."""
    tables = len(chances)
    reach = 3 * math.sqrt(cov[Z, Z]) + MARGIN
    mass, mean = np.zeros(tables), np.zeros(tables)
    for i in range(HYPOTHESES):
        apart = i / (HYPOTHESES - 1) + r[R_SHIFT] - x[Z]
        if abs(apart) <= reach:
            for j in range(tables):
                mass[j] += chances[j, i]
                mean[j] += chances[j, i] * apart
    total = np.sum(mass)
    r[R_LEAN] = 0.0
    r[R_LEAN_VAR] = 0.0
    if mass[now] < 1e-6 or tables == 1:
        return
    own = mean[now] / mass[now]
    for j in range(tables):
        if mass[j] > 1e-6:
            r[R_LEAN] += mass[j] / total * (mean[j] / mass[j] - own)
    for j in range(tables):
        if mass[j] > 1e-6:
            r[R_LEAN_VAR] += mass[j] / total * (mean[j] / mass[j] - own - r[R_LEAN]) ** 2


@njit(nogil=True, cache=True)
def answer(
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    p: NDArray[np.float64],
) -> None:
    """What is told: the filter where it is as sure as the hypotheses near it are, these where they
    are surer; and what is believed elsewhere, in sigma, and in the mean too once most belief lies
    there (a mean between a stated SOC and all others would be neither)."""
    reach = 3 * math.sqrt(cov[Z, Z]) + MARGIN
    open_doubt = still_open(c, r)
    near, first, second, far_first = 0.0, 0.0, 0.0, 0.0
    for i in range(HYPOTHESES):
        apart = i / (HYPOTHESES - 1) + r[R_SHIFT] - x[Z]
        if abs(apart) <= reach:
            near += p[i]
            first += p[i] * apart
            second += p[i] * apart * apart
        else:
            far_first += p[i] * apart
    own, own_var = r[R_LEAN], cov[Z, Z] + r[R_LEAN_VAR]
    if near > 1e-6:
        there = first / near
        spread = max(second / near - there * there, 0.0) + 1.0 / (HYPOTHESES - 1) ** 2
        share = 1.0 / (1.0 + (BLIND * BLIND * spread / own_var) ** 4)
        own_var += share * (spread - own_var + (1 - share) * (there - own) ** 2)
        own += share * (there - own)
    moved = min(max((0.5 - near) / (0.5 - LOST), 0.0), 1.0)
    mean = first + far_first
    told = own + moved * (far_first - (1 - near) * own)
    variance = near * (own_var + (own - told) ** 2)
    among, undecided = 0.0, 0.0
    for i in range(HYPOTHESES):
        apart = i / (HYPOTHESES - 1) + r[R_SHIFT] - x[Z]
        among += p[i] * (apart - mean) ** 2
        if abs(apart) > reach:
            variance += p[i] * (apart - told) ** 2
            undecided += max(open_doubt - p[i], 0.0) * (apart - told) ** 2
    share = 1.0 / (1.0 + (BLIND * BLIND * among / max(variance, 1e-9)) ** 4)
    variance += share * (among - variance + (1 - share) * (mean - told) ** 2) + undecided
    told += share * (mean - told)
    # Where the curve is flat, the next knee may come at any time.
    settled = near > 1 - LOST and among < AGREED_SIGMA**2 and r[R_SLOPE] > STEEP_V
    r[R_PACE] = SELDOM if settled and r[R_BELIEF] > 1 - CONVINCED else 1.0
    r[R_LEAN] = told
    variance = max(variance, LEAST_SIGMA**2)
    r[R_LEAN_VAR] = variance - cov[Z, Z]
    # Where the hypotheses are the surer ones, the filter's later certainty adds nothing to theirs.
    r[R_LEAST_VAR] = variance if variance < cov[Z, Z] else LEAST_SIGMA**2
