"""The loop over scans of `soc`: one compiled pass, all state in arrays that it is handed."""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.kernel import (
    CELL_STATES,
    B,
    D,
    E,
    F,
    K,
    M,
    W,
    Z,
    correct_cell,
    known,
    lacking,
    look_up,
    slope_at,
)
from bms_studio.estimators.pack_filter import (
    lag,
    learn_offset,
    move,
    polarised,
    read,
    spread,
    surface,
)
from bms_studio.estimators.soc_state import (
    ACTIVATION_SIGMA_K,
    C_BLEED,
    C_EA,
    C_EH,
    C_GAP,
    C_GAP_C,
    C_M,
    C_NOISE,
    C_Q,
    C_R0,
    C_STARTUP,
    C_TAU,
    C_WIDTH,
    EVERY_S,
    I_BEGUN,
    I_LAST,
    I_MODE,
    I_RESTARTS,
    I_ROWS,
    I_TABLE,
    I_WINDOW,
    R_ANCHORED,
    R_BELIEF,
    R_CONVEX,
    R_COULOMB,
    R_DOUBT,
    R_HYST,
    R_LAST_A,
    R_LEAN,
    R_LEAN_VAR,
    R_LEAST_VAR,
    R_MEAN_A,
    R_SCALE,
    R_SLOW,
    R_SQUARE,
    R_START_S,
    R_SWING,
    R_WAIT_S,
    R_WARM,
    R_WIN_A,
    R_WIN_AS,
    R_WIN_N,
    R_WIN_P,
    R_WIN_S,
    R_WIN_U,
    RESTART_S,
)
from bms_studio.estimators.startup import FORGETS, begin_again, judge, listen, rescale
from bms_studio.estimators.stretches import LEAST_SIGMA, hear

# Below this share of 1C a window is one of a rest.
CALM_C = 0.01
SUMS = 3
_COUNT, _SUM_V, _SUM_BAL = range(3)


@njit(nogil=True, cache=True)
def mean_cell(row: Any, usual: NDArray[np.float64]) -> float:
    """Mean of the known cells, each less its usual difference, so that a cell that falls silent
    does not move the mean; NaN when none is known."""
    total, count = 0.0, 0
    for k in range(len(row)):
        v = row[k]
        if known(v):
            total += v - usual[k]
            count += 1
    return total / count if count else math.nan


@njit(nogil=True, cache=True)
def _doubt_table(
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    doubts: NDArray[np.float64],
    prior: NDArray[np.float64],
) -> None:
    """A table error beyond two of its sigmas says that the sigma is too small, not that the cell
    is a rare one: the sigma grows (to ten times). Only once voltage has confirmed the SOC: before,
    it is the SOC that is doubted."""
    if r[R_DOUBT] > 1e-4:
        return
    z = min(max(x[Z], 0.0), 1.0)
    found = abs(lacking(x, z) + x[K]) / (2 * r[R_SCALE] * look_up(doubts[0], z))
    if found > 1 and r[R_SCALE] < 10:
        rescale(found * r[R_SCALE], r, cov, prior)


@njit(nogil=True, cache=True)
def _close(
    row: int,
    integers: NDArray[np.int64],
    c: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    doubted: NDArray[np.float64],
    priors: NDArray[np.float64],
    flats: NDArray[np.bool_],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    cells: NDArray[np.float64],
    cell_p: NDArray[np.float64],
    sums: NDArray[np.float64],
    usual: NDArray[np.float64],
    belief: NDArray[np.float64],
    bins: NDArray[np.float64],
    shape: NDArray[np.float64],
    temperature_factor: float,
    time: NDArray[np.int64],
    pack: NDArray[np.float64],
    table: NDArray[np.float32],
) -> None:
    """End of a window: correct the cells' differences, write one row of answers."""
    rows = integers[I_ROWS]
    q_as = 3600.0 * c[C_Q]
    dt = r[R_WIN_S]
    moved = r[R_WIN_AS] / q_as
    current = r[R_WIN_A] / rows
    running = integers[I_MODE] == 1
    if r[R_WIN_N] > 0:
        open_v, polarised_v = r[R_WIN_U] / r[R_WIN_N], r[R_WIN_P] / r[R_WIN_N]
        # A longer gap has been dealt with where it began.
        lasted = min(dt, 3600.0 * FORGETS / c[C_GAP_C])
        window = (running, open_v, polarised_v, moved, lasted, temperature_factor)
        hear(*window, integers, c, r, x, cov, ocvs, doubted, priors, belief, bins)
    of = integers[I_TABLE]
    ocv, doubts, prior, flat = ocvs[of], doubted[of], priors[of], flats[of]
    z = min(max(x[Z], 0.0), 1.0)
    behind = lag(c, r, x)
    here = look_up(ocv, surface(z, behind))
    # Of the mean cell's polarisation, what a cell of another SOC has more (per unit of R's shape).
    at_mean = look_up(shape, z)
    drop = r[R_WIN_P] / max(r[R_WIN_N], 1.0) / at_mean
    r[R_WIN_P] = 0.0
    r[R_WIN_U] = 0.0
    r[R_WIN_N] = 0.0
    if running and r[R_ANCHORED] > 0.1:
        _doubt_table(r, x, cov, doubts, prior)
    noise = c[C_NOISE] ** 2 + (0.03 * c[C_R0] * temperature_factor) ** 2 * r[R_SQUARE]
    alike = 1 + 2 * c[C_TAU] / max(dt, 0.1)
    noise *= alike
    mean_slope = max(slope_at(ocv, surface(z, behind), 0.01), 0.0)
    single = len(cells) == 1
    # The mean of cells that lie apart on a bent curve is not the curve at their mean.
    r[R_CONVEX] = 0.0
    if running and not single:
        middle = np.mean(cells[:, 0])
        for k in range(len(cells)):
            zk = min(max(z + cells[k, 0] - middle, 0.0), 1.0)
            more = look_up(ocv, surface(zk, behind)) - here + drop * (look_up(shape, zk) - at_mean)
            r[R_CONVEX] += more / len(cells)
    told = max(cov[Z, Z] + r[R_LEAN_VAR], r[R_LEAST_VAR], LEAST_SIGMA**2)
    for k in range(len(cells)):
        d = cells[k]
        p = cell_p[k]
        # The state moves over the window by what 1/capacity differs, and by what the bleeder takes.
        bleed = 0.1 if math.isnan(c[C_BLEED]) else c[C_BLEED]
        taken = sums[k, _SUM_BAL] / rows * dt / q_as
        span = dt / q_as
        d[0] += moved * d[2] - span * d[4] - (0.0 if math.isnan(c[C_BLEED]) else bleed * taken)
        for j in range(CELL_STATES):
            p[0, j] += moved * p[2, j] - span * p[4, j]
        for i in range(CELL_STATES):
            p[i, 0] += moved * p[i, 2] - span * p[i, 4]
        p[0, 0] += 2.5e-5 * dt / 86400.0 + (bleed * taken * 0.5) ** 2
        p[1, 1] += (0.05 * c[C_R0]) ** 2 * dt / 86400.0
        count = sums[k, _COUNT]
        if count > 0 and not single and running:
            zk = min(max(z + d[0], 0.0), 1.0)
            spread = min(max(math.sqrt(p[0, 0]), 0.005), 0.03)
            slope = max(slope_at(ocv, surface(zk, behind), spread), 0.0)
            dv = sums[k, _SUM_V] / count
            expected = look_up(ocv, surface(zk, behind)) - here - r[R_CONVEX]
            expected += d[3] - current * d[1]
            expected += drop * (look_up(shape, zk) - at_mean)
            slope = max(slope + drop * slope_at(shape, zk, spread), 0.0)
            level = int(zk * (len(flat) - 1) + 0.5)
            # Where the curve bends, the mean cell's own error bends the difference.
            bend = (slope - mean_slope) ** 2 * (cov[Z, Z] + r[R_DOUBT]) * alike
            heard = noise * rows / count + bend
            correct_cell(d, p, slope, current, dv - expected, heard, flat[level])
            usual[k] = dv
        table[0, row, k] = min(max(x[Z] + r[R_LEAN] + d[0], 0.0), 1.0)
        table[1, row, k] = math.sqrt(told + p[0, 0])
        table[2, row, k] = d[1]
        table[3, row, k] = math.sqrt(p[1, 1])
        table[4, row, k] = d[2]
        table[5, row, k] = math.sqrt(p[2, 2])
        table[6, row, k] = d[3]
        for j in range(SUMS):
            sums[k, j] = 0.0
    time[row] = integers[I_LAST]
    pack[row, 0] = min(max(x[Z] + r[R_LEAN], 0.0), 1.0)
    pack[row, 1] = math.sqrt(told)
    pack[row, 2] = r[R_COULOMB]
    pack[row, 3] = x[B]
    pack[row, 4] = (1 + x[F]) * c[C_R0] * temperature_factor
    pack[row, 5] = 1.0 if running and not flat[int(z * (len(flat) - 1) + 0.5)] else 0.0
    pack[row, 6] = r[R_HYST]
    pack[row, 7] = lacking(x, z) + x[E] + x[K]
    pack[row, 8] = r[R_SCALE]
    pack[row, 9] = integers[I_RESTARTS]
    pack[row, 10] = math.sqrt(cov[B, B])
    pack[row, 11] = of
    pack[row, 12] = r[R_BELIEF]
    integers[I_ROWS] = 0
    r[R_WIN_S] = 0.0
    r[R_WIN_AS] = 0.0
    r[R_WIN_A] = 0.0


@njit(nogil=True, cache=True)
def run(
    time_ns: NDArray[np.int64],
    currents: NDArray[np.float64],
    cells_v: Any,
    temperatures: NDArray[np.float64],
    balancing: NDArray[np.float32],
    has_balancing: int,
    c: NDArray[np.float64],
    ocvs: NDArray[np.float64],
    entropic: NDArray[np.float64],
    shape: NDArray[np.float64],
    doubted: NDArray[np.float64],
    priors: NDArray[np.float64],
    flats: NDArray[np.bool_],
    integers: NDArray[np.int64],
    r: NDArray[np.float64],
    x: NDArray[np.float64],
    cov: NDArray[np.float64],
    residuals: NDArray[np.float64],
    cells: NDArray[np.float64],
    cell_p: NDArray[np.float64],
    sums: NDArray[np.float64],
    usual: NDArray[np.float64],
    belief: NDArray[np.float64],
    bins: NDArray[np.float64],
    time: NDArray[np.int64],
    pack: NDArray[np.float64],
    table: NDArray[np.float32],
) -> int:
    """All scans; returns how many windows closed (rows of time, pack and table)."""
    closed = 0
    width = int(c[C_WIDTH] * 1e9 + 0.5)
    warmth = 1.0
    of = integers[I_TABLE]
    ocv, doubts, flat = ocvs[of], doubted[of], flats[of]
    for t in range(len(time_ns)):
        current = currents[t]
        unknown = math.isnan(current)
        temperature = temperatures[t]
        if math.isnan(temperature):
            temperature = 25.0
        kelvin = max(temperature + 273.15, 200.0)
        colder = (1 / kelvin - 1 / 298.15) / 8.314462618
        warmth = math.exp(c[C_EA] * colder)
        r[R_WARM] = warmth
        r[R_SWING] = math.exp(c[C_EH] * colder)
        window = time_ns[t] // width
        if integers[I_ROWS] > 0 and window != integers[I_WINDOW]:
            if integers[I_MODE] == 0 and r[R_START_S] > 0:
                where = (integers[I_TABLE], c, r, x, cov)
                judge(*where, ocvs, doubted, priors, residuals, False)
            level = warmth * look_up(shape, min(max(x[Z], 0.0), 1.0))
            _close(
                closed,
                integers,
                c,
                ocvs,
                doubted,
                priors,
                flats,
                r,
                x,
                cov,
                cells,
                cell_p,
                sums,
                usual,
                belief,
                bins,
                shape,
                level,
                time,
                pack,
                table,
            )
            closed += 1
            of = integers[I_TABLE]
            ocv, doubts, flat = ocvs[of], doubted[of], flats[of]
        integers[I_WINDOW] = window
        v = mean_cell(cells_v[t], usual)
        dt = 0.0
        if integers[I_BEGUN]:
            dt = (time_ns[t] - integers[I_LAST]) * 1e-9
        factor = warmth * look_up(shape, min(max(x[Z], 0.0), 1.0))
        gap = dt > c[C_GAP]
        before = r[R_LAST_A]
        if unknown:
            current = x[B]
        elif not integers[I_BEGUN]:
            # Far from 25 degC the resistances are known as well as the activation energy is.
            cold = ACTIVATION_SIGMA_K * (1 / kelvin - 1 / 298.15)
            cov[F, F] += cold * cold
            cov[D, D] += cold * cold
            cov[W, W] += cold * cold
            before = current
            r[R_LAST_A] = current
            r[R_MEAN_A] = current
        if dt > 0:
            mean = 0.5 * (before + current)
            move(dt, mean, unknown or gap, c, r, x)
            r[R_WIN_S] += dt
            r[R_WIN_AS] += (mean - x[B]) * dt if not (unknown or gap) else 0.0
            if not unknown and not gap:
                learn_offset(dt, current, c, r, x, cov)
        waited = 0.0
        if r[R_WAIT_S] >= EVERY_S or (dt > 0 and integers[I_MODE] == 0):
            seen = surface(x[Z], lag(c, r, x))
            slope = max(slope_at(ocv, seen, 0.03), 0.0)
            kink = look_up(doubts[1], min(max(seen, 0.0), 1.0))
            waited = spread(c, r, x, cov, factor, slope, kink)
        if dt > 0 and gap and integers[I_MODE] == 1:
            lost = (integers, c, r, x, cov, ocvs, doubted, priors, residuals, belief, bins)
            begin_again(dt, *lost)
        if not math.isnan(v):
            if integers[I_MODE] == 0:
                if not (unknown and math.isnan(v)):
                    listen(dt, v, current, temperature, c, ocvs, entropic, r, x, residuals, factor)
                listen_s = min(c[C_STARTUP], RESTART_S) if integers[I_RESTARTS] else c[C_STARTUP]
                if r[R_START_S] >= listen_s:
                    where = (integers[I_TABLE], c, r, x, cov)
                    judge(*where, ocvs, doubted, priors, residuals, True)
                    integers[I_MODE] = 1
                    r[R_SLOW] = 0.0
            elif waited > 0:
                now = (waited, v, current, unknown, temperature)
                if read(*now, c, ocv, entropic, doubts, flat, r, x, cov, factor):
                    lost = (integers, c, r, x, cov, ocvs, doubted, priors, residuals, belief, bins)
                    begin_again(0.0, *lost)
            if not unknown:
                extra = polarised(current, c, r, x, factor)
                warm = look_up(entropic, x[Z]) * (temperature - 25.0)
                # Hysteresis as usual: its doubt is weighed with the rest.
                r[R_WIN_U] += v - extra - warm - r[R_CONVEX] + x[M] * r[R_HYST] * r[R_SWING]
                r[R_WIN_P] += extra - (c[C_M] + x[M]) * r[R_HYST] * r[R_SWING]
                r[R_WIN_N] += 1.0
        if math.isnan(r[R_COULOMB]) and integers[I_MODE] == 1:
            r[R_COULOMB] = x[Z]
        for k in range(len(cells)):
            value = cells_v[t, k]
            if known(value) and not math.isnan(v):
                sums[k, _COUNT] += 1.0
                sums[k, _SUM_V] += value - v
            if has_balancing:
                duty = balancing[t, k]
                if not math.isnan(duty):
                    sums[k, _SUM_BAL] += duty
        r[R_WIN_A] += current - x[B]
        integers[I_ROWS] += 1
        integers[I_LAST] = time_ns[t]
        integers[I_BEGUN] = 1
        if not unknown:
            r[R_LAST_A] = current
    return closed
