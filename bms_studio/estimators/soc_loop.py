"""The loop over scans of `soc`: one compiled pass, all state in arrays that it is handed.

Its numbers are named here once; `soc` fills them in. No chemistry, file or window enters.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.kernel import (
    HYPOTHESES,
    STATES,
    B,
    D,
    E,
    F,
    G,
    K,
    M,
    O,
    Z,
    correct,
    correct_cell,
    grow,
    judge_hypotheses,
    look_up,
    slope_at,
)

INTEGERS = ("begun", "mode", "last_ns", "window", "rows", "restarts")
REALS = (
    "x1",
    "x2",
    "hysteresis",
    "last_a",
    "square_a",
    "alpha",
    "mean_a",
    "variance_a",
    "quiet_s",
    "offset_s",
    "start_s",
    "shift",
    "current_s",
    "hint",
    "hint_sigma",
    "coulomb",
    "contrary_s",
    "slow_v",
    "window_as",
    "window_s",
    "window_a",
    "table_scale",
    "anchored",
    "slope_v",
)
SUMS = 3
CONSTANTS = (
    "capacity_ah",
    "r0_ohm",
    "r1_ohm",
    "tau1_s",
    "r2_ohm",
    "tau2_s",
    "hysteresis_v",
    "sigma_hysteresis_v",
    "hysteresis_rate",
    "activation_j_per_mol",
    "sigma_ocv_v",
    "sigma_r",
    "capacity_sigma",
    "hint_doubt",
    "table_doubt",
    "startup_s",
    "ocv_length",
    "error_v",
    "error_share",
    "error_tau_s",
    "noise_v",
    "skew_s",
    "offset_c",
    "standby_c",
    "gap_s",
    "gap_c",
    "missing_c",
    "bleed_a",
    "window_s",
)

_BEGUN, _MODE, _LAST, _WINDOW, _ROWS, _RESTARTS = range(6)
(
    _X1,
    _X2,
    _HYST,
    _LAST_A,
    _SQUARE,
    _ALPHA,
    _MEAN_A,
    _VAR_A,
    _QUIET,
    _OFFSET_S,
    _START_S,
    _SHIFT,
    _CURRENT_S,
    _HINT,
    _HINT_S,
    _COULOMB,
    _CONTRARY,
    _SLOW,
    _WIN_AS,
    _WIN_S,
    _WIN_A,
    _SCALE,
    _ANCHORED,
    _SLOPE,
) = range(24)
(
    _Q,
    _R0,
    _R1,
    _T1,
    _R2,
    _T2,
    _M,
    _SM,
    _RATE,
    _EA,
    _SOCV,
    _SR,
    _SCAP,
    _DOUBT,
    _TABLE,
    _STARTUP,
    _LENGTH,
    _ERR,
    _SHARE,
    _TAU,
    _NOISE,
    _SKEW,
    _OFF_C,
    _STANDBY,
    _GAP,
    _GAP_C,
    _MISSING,
    _BLEED,
    _WIDTH,
) = range(29)
_COUNT, _SUM_V, _SUM_BAL = range(3)
_GATE = 5.0
# How two makers' tables of one chemistry differ: half of the variance alike over 6 % of SOC only
# (correlation over the published NMC tables: 0.5 at 5 %, 0.25 at 10 and 20 % of SOC).
_LONG_SHARE = 0.6
_KINK_SHARE = 0.8
_KINK_LENGTH = 0.06


@njit(nogil=True, cache=True)
def mean_cell(row: Any, usual: NDArray[np.float64]) -> float:
    """Mean of the known cells, each less its usual difference, so that a cell that falls silent
    does not move the mean; NaN when none is known."""
    total, known = 0.0, 0
    for k in range(len(row)):
        v = row[k]
        if not math.isnan(v):
            total += v - usual[k]
            known += 1
    return total / known if known else math.nan


@njit(nogil=True, cache=True)
def _advance(
    dt: float,
    current: float,
    unknown: bool,
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    factor: float,
    slope: float,
) -> None:
    """Circuit, charge and covariance over dt seconds with the mean `current` (A, measured)."""
    q_as = 3600.0 * c[_Q]
    noise = np.zeros(STATES)
    a = current - x[B]
    if unknown:
        a = 0.0
        sigma = c[_GAP_C] if dt > c[_GAP] else c[_MISSING]
        lasting = min(dt, 1e9) if dt > c[_GAP] else math.sqrt(120.0 * dt)
        noise[Z] += (sigma * lasting / 3600.0) ** 2
    d1 = math.exp(-dt / c[_T1])
    d2 = math.exp(-dt / c[_T2])
    r[_X1] = d1 * r[_X1] + (1 - d1) * a
    r[_X2] = d2 * r[_X2] + (1 - d2) * a
    moved = a * dt / q_as
    fade = math.exp(-abs(moved) * c[_RATE])
    sign = 1.0 if a > 0 else -1.0
    r[_HYST] = fade * r[_HYST] - (1 - fade) * sign
    keep = math.exp(-dt / c[_TAU])
    r[_SQUARE] = keep * r[_SQUARE] + (1 - keep) * a * a
    drop = (1 + x[G]) * moved
    x[Z] -= drop
    r[_SHIFT] -= drop
    if not unknown:
        r[_COULOMB] -= current * dt / q_as
    # Between two readings the current is not a straight line.
    noise[Z] += (0.1 * (current - r[_LAST_A]) * dt / q_as) ** 2 + 1e-12 * dt
    noise[Z] += (0.3 * math.sqrt(r[_SQUARE]) * max(dt - 2.0, 0.0) / q_as) ** 2
    # Resistances drift with what the model does not know: 10 % in an hour, 30 % over full swing.
    noise[F] = 0.01 * dt / 3600.0 + 0.09 * abs(moved)
    noise[D] = noise[F]
    noise[B] = (0.1 * c[_OFF_C] * c[_Q]) ** 2 * dt / 3600.0
    along = math.exp(-abs(drop) / c[_LENGTH])
    noise[O] = 1 - along * along
    total_r = (c[_R0] + c[_R1] + c[_R2]) * factor
    spread = c[_ERR] ** 2 + c[_SHARE] ** 2 * total_r**2 * r[_SQUARE]
    noise[E] = r[_ALPHA] * spread * (1 - keep * keep)
    # The slope that the filter believes in follows the charge moved, never its own corrections:
    # a slope that changes with each correction would pass for information (first-estimates
    # Jacobian; G. P. Huang et al., Int. J. Robotics Research 29 (2010) 502).
    r[_SLOPE] += (slope - r[_SLOPE]) * (1 - math.exp(-abs(drop) / 0.03))
    near = math.exp(-abs(drop) / _KINK_LENGTH)
    kink = _kink(r[_SLOPE], r[_SCALE], c[_SOCV])
    noise[K] = kink * kink * (1 - near * near)
    x[K] *= near
    x[O] *= along
    x[E] *= keep
    grow(cov, -moved, (1 + x[G]) * dt / q_as, along, keep, near, noise)
    if cov[Z, Z] > 0.09:
        scale = math.sqrt(0.09 / cov[Z, Z])
        for i in range(STATES):
            cov[Z, i] *= scale
            cov[i, Z] *= scale


@njit(nogil=True, cache=True)
def _polarised(
    current: float,
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    factor: float,
) -> float:
    """What hysteresis and resistances add to the OCV (V)."""
    a = current - x[B]
    slow = c[_R1] * r[_X1] + c[_R2] * r[_X2]
    fast = (1 + x[F]) * c[_R0] * a
    return float((c[_M] + x[M]) * r[_HYST] - factor * (fast + (1 + x[D]) * slow))


@njit(nogil=True, cache=True)
def _listen(
    dt: float,
    v: float,
    current: float,
    temperature: float,
    c: NDArray[np.float64],
    ocv: NDArray[np.float64],
    entropic: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    residuals: NDArray[np.float64],
    factor: float,
) -> None:
    """One reading for every hypothesis of the start: running means weighted by time."""
    weight = max(dt, 1e-3)
    r[_START_S] += weight
    share = weight / r[_START_S]
    extra = _polarised(current, c, r, x, factor)
    r[_CURRENT_S] += share * (abs(extra) - r[_CURRENT_S])
    for i in range(HYPOTHESES):
        z = i / (HYPOTHESES - 1) + r[_SHIFT]
        model = look_up(ocv, z) + look_up(entropic, z) * (temperature - 25.0) + extra
        residuals[i] += share * (v - model - residuals[i])


@njit(nogil=True, cache=True)
def _kink(slope: float, scale: float, sigma_v: float) -> float:
    """Sigma of the local error of the OCV table (V): its share, and 1 % of SOC beside."""
    return math.sqrt((_KINK_SHARE * scale * sigma_v) ** 2 + (0.01 * slope) ** 2)


@njit(nogil=True, cache=True)
def _amplitude(slope: float, scale: float, sigma_v: float) -> float:
    """Sigma of the OCV table (V) where its slope is this: so many volts off, and 1 % of SOC beside
    (another maker's electrodes are balanced differently)."""
    return float(scale * math.sqrt(sigma_v * sigma_v + (0.01 * slope) ** 2))


@njit(nogil=True, cache=True)
def _judge(
    c: NDArray[np.float64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    ocv: NDArray[np.float64],
    residuals: NDArray[np.float64],
    final: bool,
) -> None:
    """Put mean and sigma of the hypotheses into the filter, with what they owe to the OCV table."""
    circuit = c[_ERR] ** 2 + (c[_SR] * r[_CURRENT_S]) ** 2 + c[_SM] ** 2
    variance = np.empty(HYPOTHESES)
    for i in range(HYPOTHESES):
        slope = slope_at(ocv, i / (HYPOTHESES - 1) + r[_SHIFT], 0.01)
        variance[i] = circuit + _amplitude(slope, r[_SCALE], c[_SOCV]) ** 2
    # A state that voltage has long confirmed is doubted less than the table; a stated one more.
    confirmed = r[_ANCHORED] > 0.1
    mean, sigma, wrong = judge_hypotheses(
        residuals,
        r[_SHIFT],
        variance,
        r[_HINT],
        r[_HINT_S],
        0.01 if confirmed else c[_DOUBT],
        0.1 if confirmed else c[_TABLE],
    )
    if final and wrong:
        r[_SCALE] = min(5.0 * r[_SCALE], 25.0)
    for i in range(STATES):
        cov[Z, i] = 0.0
        cov[i, Z] = 0.0
        cov[O, i] = 0.0
        cov[i, O] = 0.0
        cov[K, i] = 0.0
        cov[i, K] = 0.0
    slope = max(slope_at(ocv, mean, min(max(sigma, 0.03), 0.1)), 0.0)
    r[_SLOPE] = slope
    amplitude = _amplitude(slope, r[_SCALE], c[_SOCV])
    x[Z] = mean
    # Had SOC been found from voltage alone, its error would be the table's: so much of it is.
    level = _LONG_SHARE * r[_SCALE] * c[_SOCV]
    kink = _kink(slope, r[_SCALE], c[_SOCV])
    told = slope * slope * sigma * sigma / (circuit + amplitude * amplitude)
    told = min(told, 1.0) / max(slope, 0.05)
    # Never more than the three sigmas allow together.
    told = min(told, 0.95 * sigma / math.sqrt(level * level + kink * kink))
    cov[Z, Z] = sigma * sigma
    cov[O, O] = 1.0
    cov[K, K] = kink * kink
    cov[Z, O] = -told * level
    cov[O, Z] = cov[Z, O]
    cov[Z, K] = -told * kink * kink
    cov[K, Z] = cov[Z, K]


@njit(nogil=True, cache=True)
def _begin_again(
    integers: NDArray[np.int64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    c: NDArray[np.float64],
    residuals: NDArray[np.float64],
) -> None:
    """Back to hypotheses, with the present answer as the hint."""
    integers[_MODE] = 0
    integers[_RESTARTS] += 1
    r[_HINT] = x[Z]
    r[_HINT_S] = math.sqrt(cov[Z, Z])
    r[_START_S] = 0.0
    r[_SHIFT] = 0.0
    r[_CURRENT_S] = 0.0
    r[_CONTRARY] = 0.0
    residuals[:] = 0.0
    x[O] = 0.0
    x[K] = 0.0


@njit(nogil=True, cache=True)
def _learn_offset(
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
    change = current - r[_MEAN_A]
    r[_MEAN_A] += share * change
    r[_VAR_A] += share * ((1 - share) * change * change - r[_VAR_A])
    unit = c[_Q]
    calm = math.sqrt(r[_VAR_A]) < 0.01 * unit and abs(r[_MEAN_A]) < 4 * c[_OFF_C] * unit
    r[_QUIET] = r[_QUIET] + dt if calm and abs(change) < 0.04 * unit else 0.0
    r[_OFFSET_S] += dt
    # A vehicle that is on draws a little too; after ten minutes it sleeps.
    standby = c[_STANDBY] * unit
    if r[_QUIET] < 600.0:
        standby = max(standby, 0.5 * abs(r[_MEAN_A]), 0.5 * c[_OFF_C] * unit)
    floor = standby * standby
    if r[_QUIET] > 60.0 and r[_OFFSET_S] > 60.0 and cov[B, B] > floor:
        h = np.zeros(STATES)
        h[B] = 1.0
        correct(x, cov, h, r[_MEAN_A] - x[B], floor + r[_VAR_A] * 0.1, _GATE, False)
        r[_OFFSET_S] = 0.0


@njit(nogil=True, cache=True)
def _read(
    dt: float,
    v: float,
    current: float,
    unknown: bool,
    temperature: float,
    c: NDArray[np.float64],
    ocv: NDArray[np.float64],
    entropic: NDArray[np.float64],
    flat: NDArray[np.bool_],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    factor: float,
) -> bool:
    """Correct with one voltage; true when voltage and state have contradicted each other long."""
    z = x[Z]
    slope = r[_SLOPE]
    rest = look_up(ocv, z) + look_up(entropic, z) * (temperature - 25.0)
    amplitude = _LONG_SHARE * r[_SCALE] * c[_SOCV]
    a = 0.0 if unknown else current
    plain = v - rest - _polarised(a + (x[B] if unknown else 0.0), c, r, x, factor)
    total_r = (c[_R0] + c[_R1] + c[_R2]) * factor
    noise = r[_ALPHA] * c[_NOISE] ** 2
    noise += (c[_R0] * factor * (current - r[_LAST_A]) * min(c[_SKEW] / max(dt, 1e-3), 1.0)) ** 2
    if unknown:
        noise += (total_r * c[_MISSING] * c[_Q]) ** 2 * (1 + 120.0 / max(dt, 1e-3))
    h = np.zeros(STATES)
    h[Z] = slope
    h[F] = -factor * c[_R0] * (a - x[B])
    h[D] = -factor * (c[_R1] * r[_X1] + c[_R2] * r[_X2])
    h[B] = total_r
    h[O] = amplitude
    h[M] = r[_HYST]
    h[K] = 1.0
    h[E] = 1.0
    level = int(min(max(z, 0.0), 1.0) * (len(flat) - 1) + 0.5)
    usual = (
        _amplitude(slope, r[_SCALE], c[_SOCV]) ** 2
        + c[_ERR] ** 2
        + c[_SM] ** 2
        + slope * slope * cov[Z, Z]
    )
    usual += (c[_SHARE] * total_r) ** 2 * r[_SQUARE]
    keep = math.exp(-dt / 30.0)
    r[_SLOW] = keep * r[_SLOW] + (1 - keep) * plain
    if not flat[level]:
        r[_ANCHORED] += abs(a - x[B]) * dt / (3600.0 * c[_Q])
    far = r[_SLOW] * r[_SLOW] > 16.0 * usual
    r[_CONTRARY] = r[_CONTRARY] + dt if far else 0.0
    ratio = correct(
        x, cov, h, plain - amplitude * x[O] - x[E] - x[K], noise, _GATE, flat[level] and not far
    )
    pace = min(dt / 300.0, 0.05)
    r[_ALPHA] *= math.exp(pace * (min(ratio, 16.0) - 1.0))
    r[_ALPHA] = min(max(r[_ALPHA], 1.0), 30.0)
    x[F] = min(max(x[F], -0.9), 9.0)
    x[D] = min(max(x[D], -0.9), 9.0)
    x[Z] = min(max(x[Z], -0.05), 1.05)
    return bool(r[_CONTRARY] > 60.0)


@njit(nogil=True, cache=True)
def _doubt_table(c: NDArray[np.float64], r: NDArray[np.float64], x: NDArray[np.float64]) -> None:
    """A table error beyond two of its sigmas says that the sigma is too small, not that the cell
    is a rare one: the sigma grows (to ten times), the error stays what it is in volts."""
    level = _LONG_SHARE * r[_SCALE] * c[_SOCV]
    kink = _kink(r[_SLOPE], r[_SCALE], c[_SOCV])
    excess = abs(level * x[O] + x[K]) / (2 * math.sqrt(level * level + kink * kink))
    if excess > 1 and r[_SCALE] < 10:
        r[_SCALE] *= excess
        x[O] /= excess


@njit(nogil=True, cache=True)
def _close(
    row: int,
    integers: NDArray[np.int64],
    c: NDArray[np.float64],
    ocv: NDArray[np.float64],
    flat: NDArray[np.bool_],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    cells: NDArray[np.float64],
    cell_p: NDArray[np.float64],
    sums: NDArray[np.float64],
    usual: NDArray[np.float64],
    temperature_factor: float,
    time: NDArray[np.int64],
    pack: NDArray[np.float64],
    table: NDArray[np.float32],
) -> None:
    """End of a window: correct the cells' differences, write one row of answers."""
    rows = integers[_ROWS]
    q_as = 3600.0 * c[_Q]
    dt = r[_WIN_S]
    moved = r[_WIN_AS] / q_as
    current = r[_WIN_A] / rows
    z = min(max(x[Z], 0.0), 1.0)
    here = look_up(ocv, z)
    running = integers[_MODE] == 1
    if running:
        _doubt_table(c, r, x)
    noise = c[_NOISE] ** 2 + (0.03 * c[_R0] * temperature_factor) ** 2 * r[_SQUARE]
    noise *= 1 + 2 * c[_TAU] / max(dt, 0.1)
    single = len(cells) == 1
    for k in range(len(cells)):
        d = cells[k]
        p = cell_p[k]
        # The state moves over the window by what 1/capacity differs, and by what the bleeder takes.
        bleed = 0.1 if math.isnan(c[_BLEED]) else c[_BLEED]
        taken = sums[k, _SUM_BAL] / rows * dt / q_as
        d[0] += moved * d[2] - (0.0 if math.isnan(c[_BLEED]) else bleed * taken)
        for j in range(4):
            p[0, j] += moved * p[2, j]
        for i in range(4):
            p[i, 0] += moved * p[i, 2]
        p[0, 0] += 2.5e-5 * dt / 86400.0 + (bleed * taken * 0.5) ** 2
        p[1, 1] += (0.05 * c[_R0]) ** 2 * dt / 86400.0
        count = sums[k, _COUNT]
        if count > 0 and not single and running:
            zk = min(max(z + d[0], 0.0), 1.0)
            spread = min(max(math.sqrt(p[0, 0]), 0.005), 0.03)
            slope = max(slope_at(ocv, zk, spread), 0.0)
            dv = sums[k, _SUM_V] / count
            expected = look_up(ocv, zk) - here - current * d[1] + d[3]
            level = int(zk * (len(flat) - 1) + 0.5)
            correct_cell(d, p, slope, current, dv - expected, noise * rows / count, flat[level])
            usual[k] = dv
        table[0, row, k] = min(max(x[Z] + d[0], 0.0), 1.0)
        table[1, row, k] = math.sqrt(cov[Z, Z] + p[0, 0])
        table[2, row, k] = d[1]
        table[3, row, k] = math.sqrt(p[1, 1])
        table[4, row, k] = d[2]
        table[5, row, k] = math.sqrt(p[2, 2])
        table[6, row, k] = d[3]
        for j in range(SUMS):
            sums[k, j] = 0.0
    time[row] = integers[_LAST]
    pack[row, 0] = z
    pack[row, 1] = math.sqrt(cov[Z, Z])
    pack[row, 2] = r[_COULOMB]
    pack[row, 3] = x[B]
    pack[row, 4] = (1 + x[F]) * c[_R0] * temperature_factor
    pack[row, 5] = 1.0 if running and not flat[int(z * (len(flat) - 1) + 0.5)] else 0.0
    pack[row, 6] = r[_HYST]
    pack[row, 7] = _LONG_SHARE * r[_SCALE] * c[_SOCV] * x[O] + x[E] + x[K]
    integers[_ROWS] = 0
    r[_WIN_S] = 0.0
    r[_WIN_AS] = 0.0
    r[_WIN_A] = 0.0


@njit(nogil=True, cache=True)
def run(
    time_ns: NDArray[np.int64],
    currents: NDArray[np.float64],
    cells_v: Any,
    temperatures: NDArray[np.float64],
    balancing: NDArray[np.float32],
    has_balancing: int,
    c: NDArray[np.float64],
    ocv: NDArray[np.float64],
    entropic: NDArray[np.float64],
    shape: NDArray[np.float64],
    flat: NDArray[np.bool_],
    integers: NDArray[np.int64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    residuals: NDArray[np.float64],
    cells: NDArray[np.float64],
    cell_p: NDArray[np.float64],
    sums: NDArray[np.float64],
    usual: NDArray[np.float64],
    time: NDArray[np.int64],
    pack: NDArray[np.float64],
    table: NDArray[np.float32],
) -> int:
    """All scans; returns how many windows closed (rows of time, pack and table)."""
    closed = 0
    width = int(c[_WIDTH] * 1e9 + 0.5)
    warmth = 1.0
    for t in range(len(time_ns)):
        current = currents[t]
        unknown = math.isnan(current)
        temperature = temperatures[t]
        if math.isnan(temperature):
            temperature = 25.0
        kelvin = max(temperature + 273.15, 200.0)
        warmth = math.exp(c[_EA] / 8.314462618 * (1 / kelvin - 1 / 298.15))
        window = time_ns[t] // width
        if integers[_ROWS] > 0 and window != integers[_WINDOW]:
            if integers[_MODE] == 0 and r[_START_S] > 0:
                _judge(c, r, x, cov, ocv, residuals, False)
            level = warmth * look_up(shape, min(max(x[Z], 0.0), 1.0))
            _close(
                closed,
                integers,
                c,
                ocv,
                flat,
                r,
                x,
                cov,
                cells,
                cell_p,
                sums,
                usual,
                level,
                time,
                pack,
                table,
            )
            closed += 1
        integers[_WINDOW] = window
        v = mean_cell(cells_v[t], usual)
        dt = 0.0
        if integers[_BEGUN]:
            dt = (time_ns[t] - integers[_LAST]) * 1e-9
        factor = warmth * look_up(shape, min(max(x[Z], 0.0), 1.0))
        gap = dt > c[_GAP]
        before = r[_LAST_A]
        if unknown:
            current = x[B]
        elif not integers[_BEGUN]:
            before = current
            r[_LAST_A] = current
            r[_MEAN_A] = current
        if dt > 0:
            mean = 0.5 * (before + current)
            slope = max(slope_at(ocv, x[Z], 0.03), 0.0)
            _advance(dt, mean, unknown or gap, c, r, x, cov, factor, slope)
            r[_WIN_S] += dt
            r[_WIN_AS] += (mean - x[B]) * dt if not (unknown or gap) else 0.0
            if not unknown and not gap:
                _learn_offset(dt, current, c, r, x, cov)
            if gap and integers[_MODE] == 1:
                _begin_again(integers, r, x, cov, c, residuals)
        if not math.isnan(v):
            if integers[_MODE] == 0:
                if not (unknown and math.isnan(v)):
                    _listen(dt, v, current, temperature, c, ocv, entropic, r, x, residuals, factor)
                if r[_START_S] >= c[_STARTUP]:
                    _judge(c, r, x, cov, ocv, residuals, True)
                    integers[_MODE] = 1
                    r[_SLOW] = 0.0
            elif dt > 0 and _read(
                dt, v, current, unknown, temperature, c, ocv, entropic, flat, r, x, cov, factor
            ):
                _begin_again(integers, r, x, cov, c, residuals)
        if math.isnan(r[_COULOMB]) and integers[_MODE] == 1:
            r[_COULOMB] = x[Z]
        for k in range(len(cells)):
            value = cells_v[t, k]
            if not math.isnan(value) and not math.isnan(v):
                sums[k, _COUNT] += 1.0
                sums[k, _SUM_V] += value - v
            if has_balancing:
                duty = balancing[t, k]
                if not math.isnan(duty):
                    sums[k, _SUM_BAL] += duty
        r[_WIN_A] += current - x[B]
        integers[_ROWS] += 1
        integers[_LAST] = time_ns[t]
        integers[_BEGUN] = 1
        if not unknown:
            r[_LAST_A] = current
    return closed
