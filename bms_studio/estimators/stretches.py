"""What the hypotheses hear, a stretch at a time, and what the filter makes of it.

A stretch is a minute, or half a per cent of the capacity moved: a curve says no more in less. Here
the filter changes its table and its seat when the hypotheses of table and SOC say so. Numbers only;
the places of the numbers are in `soc_state`.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.hypotheses import LOST, MARGIN, compare, weigh
from bms_studio.estimators.kernel import HYPOTHESES, Z
from bms_studio.estimators.pack_filter import diffusing
from bms_studio.estimators.soc_state import (
    C_ERR,
    C_SM,
    I_RESTARTS,
    I_TABLE,
    R_BELIEF,
    R_DOUBT,
    R_HEARD_D,
    R_HEARD_MOVED,
    R_HEARD_N,
    R_HEARD_S,
    R_HEARD_U,
    R_HEARD_WAY,
    R_LEAN,
    R_LEAN_VAR,
    R_SCALE,
    R_SHIFT,
    R_SWING,
)
from bms_studio.estimators.startup import forget_curve, forget_heard, seat

STRETCH_S, STRETCH_WAY = 60.0, 0.005
# A rival must have so much of the belief, and the filter's table less than LOST of it.
CONVINCED = 0.8


@njit(nogil=True, cache=True)
def hear(
    open_v: float,
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
    prior: NDArray[np.float64],
    belief: NDArray[np.float64],
    heard: NDArray[np.float64],
) -> None:
    """One window: its mean voltage less polarisation, charge moved over capacity, seconds."""
    r[R_HEARD_U] += open_v
    r[R_HEARD_N] += 1.0
    r[R_HEARD_D] += diffusing(r)
    r[R_HEARD_MOVED] += moved
    r[R_HEARD_WAY] += abs(moved)
    r[R_HEARD_S] += dt
    if r[R_HEARD_S] < STRETCH_S and r[R_HEARD_WAY] < STRETCH_WAY:
        return
    told = (
        r[R_HEARD_U] / r[R_HEARD_N],
        r[R_HEARD_D] / r[R_HEARD_N],
        r[R_HEARD_MOVED],
        r[R_HEARD_WAY],
        r[R_HEARD_S],
    )
    forget_heard(r)
    now = integers[I_TABLE]
    chances = weigh(told, factor, now, c, r, cov, ocvs, doubts, belief, heard)
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
        forget_curve(r, x, cov, prior[now])
        circuit = c[C_ERR] ** 2 + (r[R_SWING] * c[C_SM]) ** 2
        seat(c, r, x, cov, ocvs[now], doubts[now], mean, sigma, circuit)
        integers[I_RESTARTS] += 1
        r[R_DOUBT] = 0.0
    lean(now, r, x, cov, chances)


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
