"""The start of the filter: hypotheses of an unknown state of charge, and the return to them.

Numbers only; the places of the numbers are in `soc_state`.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.hypotheses import believe, weigh
from bms_studio.estimators.kernel import (
    CURVE,
    HYPOTHESES,
    KNOTS,
    STATES,
    K,
    Z,
    judge_hypotheses,
    knot_at,
    look_up,
    slope_at,
)
from bms_studio.estimators.pack_filter import lag, polarised, surface
from bms_studio.estimators.soc_state import (
    C_DOUBT,
    C_ERR,
    C_GAP_C,
    C_M,
    C_SM,
    C_SR,
    C_TABLE,
    I_MODE,
    I_RESTARTS,
    I_TABLE,
    R_ANCHORED,
    R_CONTRARY,
    R_CURRENT_S,
    R_DOUBT,
    R_HEARD_D,
    R_HEARD_N,
    R_HEARD_P,
    R_HEARD_S,
    R_HEARD_U,
    R_HEARD_WAY,
    R_HINT,
    R_HINT_S,
    R_HOURS,
    R_HYST,
    R_LEAN,
    R_LEAN_VAR,
    R_LEAST_VAR,
    R_PACE,
    R_SCALE,
    R_SHIFT,
    R_SLOPE,
    R_START_S,
    R_SWING,
    R_UNWEIGHED_WAY,
    R_WAY,
    R_WIN_N,
    R_WIN_P,
    R_WIN_U,
)

# Of the capacity: what an unknown charge beyond this leaves of the voltages heard before is no
# evidence of one curve any more.
FORGETS = 0.02


@njit(nogil=True, cache=True)
def listen(
    dt: float,
    v: float,
    current: float,
    temperature: float,
    c: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    entropic: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    residuals: NDArray[np.float64],
    factor: float,
) -> None:
    """One reading for every hypothesis of the start, of every table: running means weighted by
    time."""
    weight = max(dt, 1e-3)
    r[R_START_S] += weight
    share = weight / r[R_START_S]
    extra = polarised(current, c, r, x, factor)
    behind = lag(c, r, x)
    r[R_CURRENT_S] += share * (abs(extra) - r[R_CURRENT_S])
    for i in range(HYPOTHESES):
        z = i / (HYPOTHESES - 1) + r[R_SHIFT]
        other = extra + look_up(entropic, z) * (temperature - 25.0)
        seen = surface(z, behind)
        for j in range(len(ocvs)):
            model = look_up(ocvs[j], seen) + other
            residuals[j, i] += share * (v - model - residuals[j, i])


@njit(nogil=True, cache=True)
def judge(
    now: int,
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    doubts: NDArray[np.float64],
    prior: NDArray[np.float64],
    residuals: NDArray[np.float64],
    final: bool,
) -> None:
    """Put mean and sigma of the likeliest story of table `now` into the filter."""
    # Which branch of the hysteresis the cell is on is not known before charge has moved.
    branch = r[R_SWING] * c[C_M] * (1 - abs(r[R_HYST]))
    circuit = c[C_ERR] ** 2 + branch**2 + (c[C_SR] * r[R_CURRENT_S]) ** 2
    circuit += (r[R_SWING] * c[C_SM]) ** 2
    variance = circuit + _table_variance(r[R_SCALE], r[R_SHIFT], doubts[now])
    # A state that voltage has long confirmed is doubted less than the table; a stated one more.
    confirmed = r[R_ANCHORED] > 0.1 and r[R_DOUBT] < 1e-4
    doubt = 0.01 if confirmed else c[C_DOUBT]
    mean, sigma, wrong = judge_hypotheses(
        residuals[now],
        r[R_SHIFT],
        variance,
        r[R_HINT],
        r[R_HINT_S],
        doubt,
        0.1 if confirmed else c[C_TABLE],
    )
    if final and wrong:
        rescale(min(5.0 * r[R_SCALE], 25.0), r, cov, prior[now])
    seat(c, r, x, cov, ocvs[now], doubts[now], mean, sigma, circuit)


@njit(nogil=True, cache=True)
def _table_variance(scale: float, shift: float, doubts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the OCV of every hypothesis (V^2)."""
    out = np.empty(HYPOTHESES)
    for i in range(HYPOTHESES):
        at = min(max(i / (HYPOTHESES - 1) + shift, 0.0), 1.0)
        out[i] = (scale * look_up(doubts[0], at)) ** 2
    return out


@njit(nogil=True, cache=True)
def forget_heard(r: NDArray[np.float64]) -> None:
    """No stretch has begun for the hypotheses to hear."""
    r[R_HEARD_U] = 0.0
    r[R_HEARD_N] = 0.0
    r[R_HEARD_D] = 0.0
    r[R_HEARD_P] = 0.0
    r[R_HEARD_WAY] = 0.0
    r[R_HEARD_S] = 0.0


@njit(nogil=True, cache=True)
def rescale(
    scale: float,
    r: NDArray[np.float64],
    cov: NDArray[np.float64],
    prior: NDArray[np.float64],
) -> None:
    """The OCV table is so many times more uncertain than stated: what was learned of it stays."""
    more = scale * scale - r[R_SCALE] * r[R_SCALE]
    r[R_SCALE] = scale
    for i in range(KNOTS):
        for j in range(KNOTS):
            cov[CURVE + i, CURVE + j] += more * prior[i, j]


@njit(nogil=True, cache=True)
def forget_curve(
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    prior: NDArray[np.float64],
) -> None:
    """What the table lacks was learned at a SOC that was wrong: as before any data."""
    x[K] = 0.0
    for i in range(KNOTS):
        x[CURVE + i] = 0.0
        for j in range(STATES):
            cov[CURVE + i, j] = 0.0
            cov[j, CURVE + i] = 0.0
    for i in range(KNOTS):
        for j in range(KNOTS):
            cov[CURVE + i, CURVE + j] = r[R_SCALE] * r[R_SCALE] * prior[i, j]


@njit(nogil=True, cache=True)
def seat(
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    ocv: NDArray[np.float64],
    doubts: NDArray[np.float64],
    mean: float,
    sigma: float,
    circuit: float,
) -> None:
    """SOC and its sigma into the filter, with what they owe to the OCV table. circuit: variance of
    all else in the voltage that told them (V^2)."""
    for i in range(STATES):
        cov[Z, i] = 0.0
        cov[i, Z] = 0.0
        cov[K, i] = 0.0
        cov[i, K] = 0.0
    slope = max(slope_at(ocv, mean, min(max(sigma, 0.03), 0.1)), 0.0)
    r[R_SLOPE] = slope
    x[Z] = mean
    # Had SOC been found from voltage alone, its error would be the table's: so much of it is.
    at = min(max(mean, 0.0), 1.0)
    knot, share = knot_at(at)
    owed = np.zeros(KNOTS)
    for i in range(KNOTS):
        owed[i] = (1 - share) * cov[CURVE + i, CURVE + knot]
        owed[i] += share * cov[CURVE + i, CURVE + knot + 1]
    table = (1 - share) * owed[knot] + share * owed[knot + 1]
    kink = (r[R_SCALE] * look_up(doubts[1], at)) ** 2
    told = slope * slope * sigma * sigma / (circuit + table + kink)
    told = min(told, 1.0) / max(slope, 0.05)
    # Never more than the sigmas allow together.
    told = min(told, 0.95 * sigma / math.sqrt(table + kink))
    cov[Z, Z] = sigma * sigma
    cov[K, K] = kink
    cov[Z, K] = -told * kink
    cov[K, Z] = cov[Z, K]
    for i in range(KNOTS):
        cov[Z, CURVE + i] = -told * owed[i]
        cov[CURVE + i, Z] = -told * owed[i]


@njit(nogil=True, cache=True)
def begin_again(
    lost_s: float,
    integers: NDArray[np.int64],
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    doubts: NDArray[np.float64],
    priors: NDArray[np.float64],
    residuals: NDArray[np.float64],
    belief: NDArray[np.float64],
    bins: NDArray[np.float64],
) -> None:
    """Listen anew, with the present answer as the hint: after a gap of lost_s seconds, or where
    voltage contradicted (no gap). What the hypotheses heard stays; after a longer gap, in which an
    unknown charge flowed, only what they believe by it does."""
    now = integers[I_TABLE]
    confirmed = r[R_ANCHORED] > 0.1 and r[R_DOUBT] < 1e-4
    width = c[C_GAP_C] * lost_s / 3600.0
    hint = x[Z] + (r[R_LEAN] if lost_s > 0 else 0.0)
    r[R_HINT_S] = math.sqrt(cov[Z, Z] + (max(r[R_LEAN_VAR], 0.0) if lost_s > 0 else 0.0))
    r[R_LEAN] = 0.0
    r[R_LEAN_VAR] = 0.0
    r[R_LEAST_VAR] = 0.0
    if width > FORGETS:
        chances = weigh(c, r, ocvs, doubts, priors, belief, bins)
        belief[:] = np.log(chances + 1e-300)
        carry(belief, r[R_SHIFT], width, 0.01 if confirmed else c[C_DOUBT])
        bins[:] = 0.0
        r[R_SHIFT] = 0.0
        r[R_HOURS] = 0.0
        r[R_WAY] = 0.0
    # Hypotheses are SOCs where charge is counted from.
    r[R_HINT] = hint - r[R_SHIFT]
    integers[I_MODE] = 0
    integers[I_RESTARTS] += 1
    r[R_START_S] = 0.0
    r[R_CURRENT_S] = 0.0
    r[R_CONTRARY] = 0.0
    r[R_WIN_U] = 0.0
    r[R_WIN_P] = 0.0
    r[R_WIN_N] = 0.0
    r[R_PACE] = 1.0
    r[R_UNWEIGHED_WAY] = 1.0
    residuals[:] = 0.0
    forget_heard(r)
    forget_curve(r, x, cov, priors[now])


@njit(nogil=True, cache=True)
def carry(belief: NDArray[np.float64], shift: float, width: float, doubt: float) -> None:
    """Beliefs on the hypotheses' present SOCs, on those of a new start: moved, blurred by a normal
    distribution of this width, and mixed with so much of one that knows nothing. No table is ever
    out of the question."""
    p = believe(belief)
    step = 1.0 / (HYPOTHESES - 1)
    kernel = np.empty(2 * HYPOTHESES)
    for k in range(2 * HYPOTHESES):
        kernel[k] = math.exp(-0.5 * (k * step / width) ** 2)
    for j in range(len(p)):
        out = np.zeros(HYPOTHESES)
        for i in range(HYPOTHESES):
            if p[j, i] < 1e-9:
                continue
            to = i + shift / step
            for k in range(HYPOTHESES):
                apart = abs(k - to)
                at = int(apart)
                if at < 2 * HYPOTHESES - 1:
                    share = apart - at
                    out[k] += p[j, i] * ((1 - share) * kernel[at] + share * kernel[at + 1])
        mass = max(np.sum(p[j]), 1e-4)
        total = max(np.sum(out), 1e-300)
        for i in range(HYPOTHESES):
            told = (1 - doubt) * out[i] / total + doubt / HYPOTHESES
            belief[j, i] = math.log(mass * told)
