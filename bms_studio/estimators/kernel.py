"""The inner parts of the pack filter: circuit, start-up by hypotheses, Kalman update.

The filter's states: state of charge Z; factors of the ohmic resistance and of the two pairs', less
one (F, D, W), and of the slow diffusion L; current offset B (A); relative error of gain and
capacity together G; error of the circuit E (V), a Gauss-Markov process over time; M, what the usual
hysteresis lacks (V); S, the slowest diffusion in units of the slow one; what the OCV table lacks,
as a curve over SOC: its values at KNOTS knots, linear between them (from CURVE on), and what is
left between the knots, K (V), a Gauss-Markov process over SOC. Being a curve and not a process, it
is the same when SOC comes back: a day that returns tells charge from table.
Treating model error as coloured states, instead of as white noise made larger, is what keeps sigma
honest: a rest of an hour is one reading of the OCV table, not 36,000 (D. Simon, Optimal State
Estimation, 2006, section 7.2; S. F. Schmidt 1966 for states that must not be corrected).

Numbers only: no measurement or chemistry has a name here.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Z, F, D, B, G, L, E, M, K, S, W = range(11)
CURVE = 11
KNOTS = 21
STATES = CURVE + KNOTS
HYPOTHESES = 201
CELL_STATES = 5
# No lithium cell that can be estimated is outside: 0 V of an open wire, 65.535 V of a raw value
# that means "invalid". Such a reading is unknown.
LOW_V, HIGH_V = 0.5, 5.5


@njit(nogil=True, cache=True)
def look_up(table: NDArray[np.float64], z: float) -> float:
    """Table over equally spaced z 0..1, linear, extended with the slope of its ends."""
    last = len(table) - 1
    at = z * last
    k = min(max(math.floor(at), 0), last - 1)
    return float(table[k] + (table[k + 1] - table[k]) * (at - k))


@njit(nogil=True, cache=True)
def known(volts: float) -> bool:
    """Whether this is a cell's voltage; false for NaN too."""
    return LOW_V < volts < HIGH_V


@njit(nogil=True, cache=True)
def slope_at(ocv: NDArray[np.float64], z: float, spread: float) -> float:
    """Mean slope of the OCV over z +- spread (V per unit SOC): statistical linearisation, which a
    local kink of the table does not fool."""
    low = min(max(z - spread, 0.0), 1.0 - 2 * spread)
    high = low + 2 * spread
    return float((look_up(ocv, high) - look_up(ocv, low)) / (2 * spread))


@njit(nogil=True, cache=True)
def knot_at(z: float) -> tuple[int, float]:
    """The knot below SOC z and the share of the next one."""
    at = min(max(z, 0.0), 1.0) * (KNOTS - 1)
    k = min(int(at), KNOTS - 2)
    return k, at - k


@njit(nogil=True, cache=True)
def lacking(x: NDArray[np.float64], z: float) -> float:
    """What the OCV table lacks at SOC z (V), between the knots too."""
    k, share = knot_at(z)
    return float((1 - share) * x[CURVE + k] + share * x[CURVE + k + 1])


@njit(nogil=True, cache=True)
def grow(
    cov: NDArray[np.float64],
    charge_share: float,
    held: float,
    decay_e: float,
    decay_k: float,
    q: NDArray[np.float64],
) -> None:
    """cov <- F cov F' + Q: Z' = Z - (1 + G)(I - B) dt/(3600 Q), E and K fade, the rest stays.

    charge_share: d Z / d G; held: d Z / d B = dt/(3600 Q).
    """
    for j in range(STATES):
        cov[Z, j] += charge_share * cov[G, j] + held * cov[B, j]
        cov[E, j] *= decay_e
        cov[K, j] *= decay_k
    for i in range(STATES):
        cov[i, Z] += charge_share * cov[i, G] + held * cov[i, B]
        cov[i, E] *= decay_e
        cov[i, K] *= decay_k
        cov[i, i] += q[i]


@njit(nogil=True, cache=True)
def correct(
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    h: NDArray[np.float64],
    knot: int,
    innovation: float,
    noise: float,
    gate: float,
    consider: bool,
    steady: bool,
) -> float:
    """One scalar measurement; returns the innovation squared over its variance, before the gate.

    h (CURVE + 2,): by the states before the curve, and by the curve at `knot` and the next one: no
    reading touches more of it. Beyond `gate` sigma the noise is raised until the reading lies on
    the gate. consider: Z, B and G keep their values and their uncertainty (Schmidt). steady: F
    keeps its.
    """
    ph = np.empty(STATES)
    at, after = cov[CURVE + knot], cov[CURVE + knot + 1]
    for i in range(STATES):
        total = h[CURVE] * at[i] + h[CURVE + 1] * after[i]
        for j in range(CURVE):
            total += h[j] * cov[j, i]
        ph[i] = total
    s = noise + h[CURVE] * ph[CURVE + knot] + h[CURVE + 1] * ph[CURVE + knot + 1]
    for i in range(CURVE):
        s += h[i] * ph[i]
    ratio = innovation * innovation / s
    if ratio > gate * gate:
        s *= ratio / (gate * gate)
    k = ph / s
    if consider:
        k[Z] = 0.0
        k[B] = 0.0
        k[G] = 0.0
    if steady:
        k[F] = 0.0
    # cov - k ph' - ph k' + s k k', whole rows at a time: half of them would not be vectorised.
    # Both products of a sum are the same for (i, j) and (j, i): symmetry stays exact.
    half = ph - 0.5 * s * k
    for i in range(STATES):
        x[i] += k[i] * innovation
        row, gain, rest = cov[i], k[i], half[i]
        for j in range(STATES):
            row[j] -= gain * half[j] + rest * k[j]
    return float(ratio)


@njit(nogil=True, cache=True)
def judge_hypotheses(
    residual: NDArray[np.float64],
    shift: float,
    variance: NDArray[np.float64],
    hint: float,
    hint_sigma: float,
    hint_doubt: float,
    table_doubt: float,
) -> tuple[float, float, bool]:
    """Mean and sigma of SOC now, from the mean residual (V) of every hypothesis of SOC at start,
    and whether the OCV table must be wrong.

    variance: of each residual (OCV, circuit, current). hint: SOC at start that somebody stated, NaN
    none. The doubts are the probabilities that it is simply wrong, and that the table's sigma is
    five times larger than stated. The likeliest of the four stories decides alone: a mixture of
    them would believe none.
    """
    n = len(residual)
    prior = np.full(n, 1.0 / n)
    held = np.zeros(n)
    if not math.isnan(hint):
        width = math.sqrt(hint_sigma**2 + 1.0 / (n - 1) ** 2)
        for i in range(n):
            held[i] = math.exp(-0.5 * ((i / (n - 1) - hint) / width) ** 2)
        held /= max(np.sum(held), 1e-300)
    best, mean, var, wrong = -1.0, 0.5, 0.09, False
    for story in range(4):
        with_hint, doubted = story % 2 == 0, story >= 2
        if with_hint and math.isnan(hint):
            continue
        wide = 25.0 if doubted else 1.0
        belief = table_doubt if doubted else 1 - table_doubt
        if not math.isnan(hint):
            belief *= 1 - hint_doubt if with_hint else hint_doubt
        total, first, second = 0.0, 0.0, 0.0
        for i in range(n):
            v = variance[i] * wide
            weight = held[i] if with_hint else prior[i]
            weight *= math.exp(-0.5 * residual[i] * residual[i] / v) / math.sqrt(v)
            z = i / (n - 1)
            total += weight
            first += weight * z
            second += weight * z * z
        if total * belief > best and total > 0:
            best = total * belief
            mean = first / total
            var = max(second / total - mean * mean, 0.0)
            wrong = doubted
    return mean + shift, math.sqrt(var + 1.0 / (12.0 * (n - 1) ** 2)), wrong


@njit(nogil=True, cache=True)
def correct_cell(
    d: NDArray[np.float64],
    cov: NDArray[np.float64],
    slope: float,
    current: float,
    innovation: float,
    noise: float,
    consider: bool,
) -> None:
    """One reading of a cell's difference to the pack's mean cell: d = (SOC, ohm, 1/capacity,
    offset V, leak A); dV = slope dz - I dR + offset. consider: SOC and 1/capacity stay."""
    # Written out: no small arrays are made, a day of a hundred cells comes here millions of times.
    h0, h1 = slope, -current
    p0 = cov[0, 0] * h0 + cov[0, 1] * h1 + cov[0, 3]
    p1 = cov[1, 0] * h0 + cov[1, 1] * h1 + cov[1, 3]
    p2 = cov[2, 0] * h0 + cov[2, 1] * h1 + cov[2, 3]
    p3 = cov[3, 0] * h0 + cov[3, 1] * h1 + cov[3, 3]
    p4 = cov[4, 0] * h0 + cov[4, 1] * h1 + cov[4, 3]
    s = h0 * p0 + h1 * p1 + p3 + noise
    ratio = innovation * innovation / s
    if ratio > 25.0:
        s *= ratio / 25.0
    free = 0.0 if consider else 1.0
    ph = (p0, p1, p2, p3, p4)
    k = (free * p0 / s, p1 / s, free * p2 / s, p3 / s, p4 / s)
    for i in range(CELL_STATES):
        d[i] += k[i] * innovation
    for i in range(CELL_STATES):
        for j in range(i, CELL_STATES):
            p = cov[i, j] - k[i] * ph[j] - ph[i] * k[j] + k[i] * s * k[j]
            cov[i, j] = p
            cov[j, i] = p
