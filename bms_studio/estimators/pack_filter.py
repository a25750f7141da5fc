"""The filter of the mean cell: one scan forward, one voltage, one rest.

Numbers only; the places of the numbers are in `soc_state`.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.kernel import (
    CURVE,
    KNOTS,
    STATES,
    B,
    D,
    E,
    F,
    G,
    K,
    L,
    M,
    S,
    W,
    Z,
    correct,
    grow,
    knot_at,
    lacking,
    look_up,
)
from bms_studio.estimators.model import FAST_SHARE, FAST_TIME, LAG_SHARE
from bms_studio.estimators.soc_state import (
    C_ERR,
    C_GAP,
    C_GAP_C,
    C_M,
    C_MISSING,
    C_NOISE,
    C_OFF_C,
    C_Q,
    C_R0,
    C_R1,
    C_R2,
    C_RATE,
    C_SCAP,
    C_SHARE,
    C_SKEW,
    C_SLOPE,
    C_SM,
    C_STANDBY,
    C_T1,
    C_T2,
    C_TAU,
    GATE,
    KINK_LENGTH,
    MISSING_TAU_S,
    PASS_V,
    R_ALPHA,
    R_ANCHORED,
    R_CONTRARY,
    R_CONVEX,
    R_COULOMB,
    R_HYST,
    R_LAST_A,
    R_MEAN_A,
    R_OFFSET_S,
    R_QUIET,
    R_QUIET_A,
    R_REST_A,
    R_REST_VAR,
    R_SCALE,
    R_SHIFT,
    R_SLOPE,
    R_SLOW,
    R_SQUARE,
    R_SWING,
    R_VAR_A,
    R_WAIT_MOVED,
    R_WAIT_NOISE,
    R_WAIT_S,
    R_WAIT_WAY,
    R_WARM,
    R_X1,
    R_X2,
    R_X3,
    R_X4,
    SHEET,
    SLOWEST_S,
    STEADY_C,
    STRAYED_C,
)


@njit(nogil=True, cache=True)
def diffusing(r: NDArray[np.float64]) -> float:
    """Current as diffusion has followed it (A)."""
    return float((1 - FAST_SHARE) * r[R_X2] + FAST_SHARE * r[R_X4])


@njit(nogil=True, cache=True)
def lag(c: NDArray[np.float64], r: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    """By how much SOC at the particles' surface is below the mean one (0..1; negative on charge).
    Diffusion slows down with half the exponent of the resistances (A123, 25 to -15 degC)."""
    return float(lagging((1 + x[L]) * diffusing(r) + x[S] * r[R_X3], c, r))


@njit(nogil=True, cache=True)
def lagging(ampere: float, c: NDArray[np.float64], r: NDArray[np.float64]) -> float:
    """The lag of SOC when diffusion has followed so much current."""
    out = LAG_SHARE * c[C_R2] / c[C_SLOPE] * math.sqrt(r[R_WARM]) * ampere
    return float(min(max(out, -0.3), 0.3))


@njit(nogil=True, cache=True)
def surface(z: float, behind: float) -> float:
    """SOC whose open-circuit voltage shows: never beyond empty or full by lag alone."""
    return float(min(max(z - behind, min(z, 0.0)), max(z, 1.0)))


@njit(nogil=True, cache=True)
def move(
    dt: float,
    current: float,
    unknown: bool,
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
) -> None:
    """Circuit and charge over dt seconds with the mean `current` (A, measured)."""
    q_as = 3600.0 * c[C_Q]
    a = current - x[B]
    if unknown:
        a = 0.0
        sigma = c[C_GAP_C] if dt > c[C_GAP] else c[C_MISSING]
        lasting = min(dt, 1e9) if dt > c[C_GAP] else math.sqrt(2 * MISSING_TAU_S * dt)
        r[R_WAIT_NOISE] += (sigma * lasting / 3600.0) ** 2
    d1 = math.exp(-dt / c[C_T1])
    d2 = math.exp(-dt / c[C_T2])
    d3 = math.exp(-dt / SLOWEST_S)
    r[R_X1] = d1 * r[R_X1] + (1 - d1) * a
    r[R_X2] = d2 * r[R_X2] + (1 - d2) * a
    r[R_X3] = d3 * r[R_X3] + (1 - d3) * a
    d4 = math.exp(-dt / (FAST_TIME * c[C_T2]))
    r[R_X4] = d4 * r[R_X4] + (1 - d4) * a
    moved = a * dt / q_as
    # A play operator: short charges while braking come back to the branch they left.
    r[R_HYST] = min(max(r[R_HYST] - c[C_RATE] * moved, -1.0), 1.0)
    keep = math.exp(-dt / c[C_TAU])
    r[R_SQUARE] = keep * r[R_SQUARE] + (1 - keep) * a * a
    drop = (1 + x[G]) * moved
    x[Z] -= drop
    # The hypotheses ask for themselves what gain and capacity add, and take no offset from the
    # filter but what a resting current told: one that voltage told may be owed to a wrong SOC.
    r[R_SHIFT] -= 0.0 if unknown else (current - r[R_REST_A]) * dt / q_as
    if not unknown:
        r[R_COULOMB] -= current * dt / q_as
    r[R_WAIT_S] += dt
    r[R_WAIT_MOVED] += moved
    r[R_WAIT_WAY] += abs(moved)
    # Between two readings the current is not a straight line.
    r[R_WAIT_NOISE] += (0.1 * (current - r[R_LAST_A]) * dt / q_as) ** 2 + 1e-12 * dt
    r[R_WAIT_NOISE] += (0.3 * math.sqrt(r[R_SQUARE]) * max(dt - 2.0, 0.0) / q_as) ** 2


@njit(nogil=True, cache=True)
def spread(
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    factor: float,
    slope: float,
    kink: float,
) -> float:
    """The covariance over what `move` did since the last time; returns the seconds."""
    dt, moved, way = r[R_WAIT_S], r[R_WAIT_MOVED], r[R_WAIT_WAY]
    noise = np.zeros(STATES)
    noise[Z] = r[R_WAIT_NOISE]
    r[R_WAIT_S] = 0.0
    r[R_WAIT_MOVED] = 0.0
    r[R_WAIT_WAY] = 0.0
    r[R_WAIT_NOISE] = 0.0
    # Resistances drift with what the model does not know: 10 % in an hour, 30 % over full swing.
    noise[F] = 0.01 * dt / 3600.0 + 0.09 * way
    noise[D] = noise[F]
    noise[S] = noise[F]
    noise[W] = noise[F]
    noise[L] = 0.1 * noise[F]
    noise[B] = (0.1 * c[C_OFF_C] * c[C_Q]) ** 2 * dt / 3600.0
    r[R_REST_VAR] = min(r[R_REST_VAR] + noise[B], (c[C_OFF_C] * c[C_Q]) ** 2)
    keep = math.exp(-dt / c[C_TAU])
    total_r = (c[C_R0] + c[C_R1] + c[C_R2]) * factor
    wide = c[C_ERR] ** 2 + c[C_SHARE] ** 2 * total_r**2 * r[R_SQUARE]
    noise[E] = r[R_ALPHA] * wide * (1 - keep * keep)
    # The slope that the filter believes in follows the charge moved, never its own corrections:
    # a slope that changes with each correction would pass for information (first-estimates
    # Jacobian; G. P. Huang et al., Int. J. Robotics Research 29 (2010) 502).
    r[R_SLOPE] = slope
    near = math.exp(-way / KINK_LENGTH)
    noise[K] = (r[R_SCALE] * kink) ** 2 * (1 - near * near)
    k, share = knot_at(x[Z])
    unexplained = PASS_V**2 + (c[C_SHARE] * total_r) ** 2 * r[R_SQUARE]
    unexplained *= way * (KNOTS - 1)
    noise[CURVE + k] = (1 - share) * unexplained
    noise[CURVE + k + 1] = share * unexplained
    x[K] *= near
    x[E] *= keep
    grow(cov, -moved, (1 + x[G]) * dt / (3600.0 * c[C_Q]), keep, near, noise)
    if cov[Z, Z] > 0.09:
        scale = math.sqrt(0.09 / cov[Z, Z])
        for i in range(STATES):
            cov[Z, i] *= scale
            cov[i, Z] *= scale
    return float(dt)


@njit(nogil=True, cache=True)
def polarised(
    current: float,
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    factor: float,
) -> float:
    """What hysteresis and resistances add to the OCV (V); the lag of diffusion is in its SOC."""
    a = current - x[B]
    slow = (1 + x[D]) * c[C_R1] * r[R_X1] + (1 + x[W]) * (1 - LAG_SHARE) * c[C_R2] * r[R_X2]
    fast = (1 + x[F]) * c[C_R0] * a
    return float((c[C_M] + x[M]) * r[R_HYST] * r[R_SWING] - factor * (fast + slow))


@njit(nogil=True, cache=True)
def learn_offset(
    dt: float,
    current: float,
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
) -> None:
    """A small current that stays the same for minutes is the sensor's offset, give or take what a
    pack at rest draws."""
    share = 1 - math.exp(-dt / 20.0)
    change = current - r[R_MEAN_A]
    r[R_MEAN_A] += share * change
    r[R_VAR_A] += share * ((1 - share) * change * change - r[R_VAR_A])
    unit = c[C_Q]
    calm = math.sqrt(r[R_VAR_A]) < 0.01 * unit and abs(r[R_MEAN_A]) < 4 * c[C_OFF_C] * unit
    r[R_QUIET] = r[R_QUIET] + dt if calm and abs(change) < 0.04 * unit else 0.0
    if r[R_QUIET] < 60.0:
        r[R_QUIET_A] = r[R_MEAN_A]
    elif abs(r[R_MEAN_A] - r[R_QUIET_A]) > STRAYED_C * unit + 3 * math.sqrt(0.1 * r[R_VAR_A]):
        r[R_QUIET] = 0.0
    r[R_OFFSET_S] += dt
    # A vehicle that is on draws a little too; after ten minutes it sleeps.
    standby = c[C_STANDBY] * unit
    if r[R_QUIET] < 600.0:
        standby = max(standby, 0.5 * abs(r[R_MEAN_A]), 0.5 * c[C_OFF_C] * unit)
    floor = standby * standby
    if r[R_QUIET] > 60.0 and r[R_OFFSET_S] > 60.0 and cov[B, B] > floor:
        h = np.zeros(CURVE + 2)
        h[B] = 1.0
        noise = floor + r[R_VAR_A] * 0.1
        gain = r[R_REST_VAR] / (r[R_REST_VAR] + noise)
        r[R_REST_A] += gain * (r[R_MEAN_A] - r[R_REST_A])
        r[R_REST_VAR] *= 1 - gain
        correct(x, cov, h, 0, r[R_MEAN_A] - x[B], noise, GATE, False, True)
        r[R_OFFSET_S] = 0.0


@njit(nogil=True, cache=True)
def read(
    dt: float,
    v: float,
    current: float,
    unknown: bool,
    temperature: float,
    c: NDArray[np.float64],
    ocv: NDArray[np.float64],
    entropic: NDArray[np.float64],
    doubts: NDArray[np.float64],
    flat: NDArray[np.bool_],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    factor: float,
) -> bool:
    """Correct with one voltage; true when voltage and state have contradicted each other long.
    doubts: see `ocv_error`."""
    z = x[Z]
    seen = surface(z, lag(c, r, x))
    slope = r[R_SLOPE]
    rest = look_up(ocv, seen) + look_up(entropic, z) * (temperature - 25.0) + r[R_CONVEX]
    a = 0.0 if unknown else current
    plain = v - rest - polarised(a + (x[B] if unknown else 0.0), c, r, x, factor)
    total_r = (c[C_R0] + c[C_R1] + c[C_R2]) * factor
    noise = r[R_ALPHA] * c[C_NOISE] ** 2
    noise += (c[C_R0] * factor * (current - r[R_LAST_A]) * min(c[C_SKEW] / max(dt, 1e-3), 1.0)) ** 2
    if unknown:
        noise += (total_r * c[C_MISSING] * c[C_Q]) ** 2 * (1 + 2 * MISSING_TAU_S / max(dt, 1e-3))
    h = np.zeros(CURVE + 2)
    h[Z] = slope
    h[F] = -factor * c[C_R0] * (a - x[B])
    h[D] = -factor * c[C_R1] * r[R_X1]
    h[W] = -factor * (1 - LAG_SHARE) * c[C_R2] * r[R_X2]
    behind = slope * LAG_SHARE * c[C_R2] / c[C_SLOPE] * math.sqrt(r[R_WARM])
    h[L] = -behind * diffusing(r)
    h[S] = -behind * r[R_X3]
    h[B] = total_r
    h[M] = r[R_HYST] * r[R_SWING]
    h[K] = 1.0
    h[E] = 1.0
    knot, share = knot_at(seen)
    h[CURVE] = 1 - share
    h[CURVE + 1] = share
    level = int(min(max(z, 0.0), 1.0) * (len(flat) - 1) + 0.5)
    usual = (
        (r[R_SCALE] * look_up(doubts[0], min(max(z, 0.0), 1.0))) ** 2
        + c[C_ERR] ** 2
        + (r[R_SWING] * c[C_SM]) ** 2
        + slope * slope * cov[Z, Z]
    )
    usual += (c[C_SHARE] * total_r) ** 2 * r[R_SQUARE]
    usual += h[F] * h[F] * cov[F, F] + h[D] * h[D] * cov[D, D] + h[L] * h[L] * cov[L, L]
    usual += h[S] * h[S] * cov[S, S] + h[W] * h[W] * cov[W, W]
    keep = math.exp(-dt / 30.0)
    r[R_SLOW] = keep * r[R_SLOW] + (1 - keep) * plain
    if not flat[level]:
        r[R_ANCHORED] += abs(a - x[B]) * dt / (3600.0 * c[C_Q])
    far = r[R_SLOW] * r[R_SLOW] > 9.0 * usual
    r[R_CONTRARY] = r[R_CONTRARY] + dt if far else 0.0
    # While the current is steady only its noise moves, to which no voltage answers: a regression
    # on it would find no resistance.
    steady = unknown or r[R_VAR_A] < (STEADY_C * c[C_Q]) ** 2
    ratio = correct(
        x,
        cov,
        h,
        knot,
        plain - lacking(x, seen) - x[E] - x[K],
        noise,
        GATE,
        flat[level] and not far,
        steady,
    )
    pace = min(dt / 300.0, 0.05)
    r[R_ALPHA] *= math.exp(pace * (min(ratio, 16.0) - 1.0))
    r[R_ALPHA] = min(max(r[R_ALPHA], 1.0), 30.0)
    for i in (F, D, W):
        x[i] = min(max(x[i], -0.9), 9.0)
    x[L] = min(max(x[L], -0.9), 2.5)
    x[S] = min(max(x[S], 0.0), 9.0)
    # A data sheet is not wrong by more: what voltage asks beyond is asked of table and charge.
    x[G] = min(max(x[G], -SHEET * c[C_SCAP]), SHEET * c[C_SCAP])
    most = SHEET * c[C_OFF_C] * c[C_Q]
    x[B] = min(max(x[B], -most), most)
    x[Z] = min(max(x[Z], -0.05), 1.05)
    return bool(r[R_CONTRARY] > 20.0)
