"""All states of charge that the start could have had, weighed for as long as the filter runs.

A filter that was told a wrong state of charge on a flat piece of the curve believes itself: nothing
contradicts it until a knee. Beside it every hypothesis of the start is carried along with the
charge moved and weighed by how well it explains the voltage (a point-mass filter: R. S. Bucy,
K. D. Senne, Automatica 7 (1971) 287). What a curve says over a stretch of SOC in which its error
stays alike counts once, however long it is looked at. When the belief near the filter's answer is
gone, the filter is seated anew; while belief lies elsewhere, its sigma is wider. Every published
table that the cell may be nearer to carries all the hypotheses (multiple models: D. T. Magill, IEEE
Trans. Automatic Control 10 (1965) 434): what is weighed is table and SOC together.

Numbers only; the places of the numbers are in `soc_state`.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.kernel import (
    HYPOTHESES,
    B,
    D,
    F,
    W,
    Z,
    look_up,
    slope_at,
)
from bms_studio.estimators.pack_filter import lagging, surface
from bms_studio.estimators.soc_state import (
    C_DOUBT,
    C_ERR,
    C_Q,
    C_R0,
    C_R1,
    C_R2,
    C_SHARE,
    C_SM,
    C_SR,
    INDEPENDENT,
    R_ANCHORED,
    R_DOUBT,
    R_SCALE,
    R_SHIFT,
    R_SQUARE,
    R_SWING,
)
from bms_studio.estimators.startup import believe

# Belief outside three sigma and so much of SOC speaks against the filter.
MARGIN = 0.03
# Less belief than this near the filter's answer, and it is seated anew.
LOST = 0.05
# So much charge must have moved off the plateau before a stated SOC counts as proven.
PROVEN = 0.03
# Of the charge moved, by how much the truth strays from a hypothesis (gain, capacity).
STRAY = 0.02
# One stretch may not speak louder than a deviation of seven sigma.
LOUDEST = 24.5


@njit(nogil=True, cache=True)
def blur(belief: NDArray[np.float64], variance: float) -> NDArray[np.float64]:
    """What capacity and offset may have moved the truth against the hypotheses; probabilities."""
    tables, n = belief.shape
    share = min(0.5 * variance * (n - 1) ** 2, 0.25)
    p = believe(belief) + 1e-12
    out = np.empty((tables, n))
    for j in range(tables):
        for i in range(n):
            low, high = max(i - 1, 0), min(i + 1, n - 1)
            out[j, i] = (1 - 2 * share) * p[j, i] + share * (p[j, low] + p[j, high])
            belief[j, i] = math.log(out[j, i])
    return np.asarray(out / np.sum(out))


@njit(nogil=True, cache=True)
def common_variance(scale: float, doubts: NDArray[np.float64]) -> float:
    """Of the table's variance (V^2), what all of it shares."""
    return float((scale * doubts[2, 0]) ** 2)


@njit(nogil=True, cache=True)
def forgiven(weight: float, total: float, common: float) -> float:
    """What a shared error of this variance takes off the logarithm of a likelihood."""
    return 0.5 * total * total / (weight + 1 / common) - 0.5 * math.log(1 + weight * common)


@njit(nogil=True, cache=True)
def weigh(
    told: tuple[float, float, float, float, float],
    factor: float,
    now: int,
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    cov: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    doubts: NDArray[np.float64],
    belief: NDArray[np.float64],
    heard: NDArray[np.float64],
) -> NDArray[np.float64]:
    """One stretch of data for every table and every SOC: their probabilities after it.

    told: mean voltage less polarisation, mean current as diffusion followed it, charge moved and
    all charge moved to and fro (both over capacity), seconds. now: the filter's table. belief
    (tables, hypotheses): logarithms. heard (2, tables, hypotheses): weight and sum of what each has
    heard, by which the likelihood forgives an error that the whole table shares (a known mean added
    to it, integrated out)."""
    open_v, followed, moved, way, dt = told
    total_r = (c[C_R0] + c[C_R1] + c[C_R2]) * factor
    circuit = c[C_ERR] ** 2 + (r[R_SWING] * c[C_SM]) ** 2
    circuit += (c[C_SHARE] * total_r) ** 2 * r[R_SQUARE]
    circuit += (c[C_R0] * factor) ** 2 * cov[F, F] * r[R_SQUARE]
    circuit += (c[C_R1] * factor) ** 2 * cov[D, D] * r[R_SQUARE]
    circuit += (c[C_R2] * factor) ** 2 * cov[W, W] * r[R_SQUARE]
    weight = way / INDEPENDENT
    # The stretch is spoken of by its middle.
    shift = r[R_SHIFT] + 0.5 * moved
    # Of the usual cell: what the filter believes of it may be owed to a wrong SOC.
    behind = lagging(followed, c, r)
    for j in range(len(ocvs)):
        # What was doubted is the filter's own table.
        scale = min(r[R_SCALE], 3.0) if j == now else 1.0
        common = common_variance(scale, doubts[j])
        for i in range(HYPOTHESES):
            z = i / (HYPOTHESES - 1) + shift
            if z < -MARGIN or z > 1 + MARGIN:
                belief[j, i] -= 1.0
                continue
            z = min(max(z, 0.0), 1.0)
            seen = surface(z, behind)
            lost = slope_at(ocvs[j], seen, 0.02) * behind * 1.2 * c[C_SR]
            variance = circuit + (scale * look_up(doubts[j, 0], z)) ** 2 - common
            variance += lost * lost
            apart = open_v - look_up(ocvs[j], seen)
            before = forgiven(heard[0, j, i], heard[1, j, i], common)
            heard[0, j, i] += weight / variance
            heard[1, j, i] += weight * apart / variance
            cost = weight * (0.5 * apart * apart / variance + 0.5 * math.log(variance))
            cost -= forgiven(heard[0, j, i], heard[1, j, i], common) - before
            belief[j, i] -= min(cost, weight * (LOUDEST + 0.5 * math.log(variance)))
    drift = STRAY**2 * (moved * moved + 0.3 * way)
    drift += cov[B, B] / c[C_Q] ** 2 * dt / 3600.0
    return np.asarray(blur(belief, drift))


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
    # A plateau alone does not prove what somebody stated.
    open_doubt = 0.5 * c[C_DOUBT] / HYPOTHESES if r[R_ANCHORED] < PROVEN else 0.0
    for i in range(HYPOTHESES):
        apart = i / (HYPOTHESES - 1) + r[R_SHIFT] - x[Z]
        if abs(apart) <= reach:
            near += p[i]
        else:
            outside += max(p[i], open_doubt) * apart * apart
        so_far[i + 1] = so_far[i] + p[i]
    r[R_DOUBT] = outside
    best = 0
    best_mass = 0.0
    half = (HYPOTHESES - 1) // 20
    for i in range(HYPOTHESES):
        mass = so_far[min(i + half + 1, HYPOTHESES)] - so_far[max(i - half, 0)]
        if mass > best_mass:
            best, best_mass = i, mass
    total, first, second = 0.0, 0.0, 0.0
    for j in range(max(best - 2 * half, 0), min(best + 2 * half + 1, HYPOTHESES)):
        z = j / (HYPOTHESES - 1)
        total += p[j]
        first += p[j] * z
        second += p[j] * z * z
    mean = first / total
    sigma = math.sqrt(max(second / total - mean * mean, 0.0) + 1.0 / (HYPOTHESES - 1) ** 2)
    mean += r[R_SHIFT]
    lost = near < LOST and best_mass > 0.5
    # The filter may also know far less than the hypotheses do by now.
    blind = cov[Z, Z] > 0.0025 and best_mass > 0.9 and sigma < 0.5 * math.sqrt(cov[Z, Z])
    return lost or blind, mean, sigma
