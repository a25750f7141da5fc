"""How much warmer a cell becomes than its heat explains: cooling that fails, told from resistance.

The middle temperature follows the heat of the current (I^2) with one time constant tau. A cell
that makes more heat rises more, at the same pace: its excess has the shape X of the pack's rise.
One that is cooled less rises more and later: its excess has the shape of X delayed by tau once more
(the derivative of K/(1 + s tau) by the cooling h, with K and tau both as 1/h), and it follows the
surroundings later. What the place of a probe does is a constant. `collect` reduces rows to windows,
`solve` fits. Arrays in, arrays out.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
WINDOW_S = 120.0
LOWEST_DEGC, HIGHEST_DEGC = -45.0, 150.0
# Time constants of a cell with its share of the case, from a bare pouch to a potted block.
TAUS_S = (120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 7680.0)
# Below this rise (K) no load was hard enough to tell; a fit worse than this explains nothing.
LEAST_RISE_K, LEAST_EXPLAINED = 1.0, 0.5
LEAST_WINDOWS = 30
# Between these marks the surroundings change along a straight line.
AMBIENT_S = 6 * 3600.0
# How well a cell's heat is known from its resistance, and without; what cooling may differ by.
HEAT_SIGMA, HEAT_UNKNOWN, COOLING_SIGMA = 0.15, 0.3, 1.0
# Of a probe's resolution at least this share is left in any mean.
OF_STEP = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Warmth:
    """excess (P,): temperature rise beyond what the heat explains, as a share of the middle rise,
    with sigma (P,), NaN unknown; rise_k: the middle rise at the hardest load; tau_s."""

    excess: Array
    sigma: Array
    rise_k: float
    tau_s: float


@njit(nogil=True, cache=True)
def collect(
    window: NDArray[np.int64],
    rows: NDArray[np.float64],
    first: int,
    squares: bool,
    sums: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:
    """Add rows (M, C) to the sums and counts (W, C) of their windows, numbered from `first`;
    squares: of currents; else of temperatures that can be."""
    for r in range(len(window)):
        w = window[r] - first
        if w < 0 or w >= len(sums):
            continue
        for c in range(rows.shape[1]):
            v = rows[r, c]
            if squares:
                if not math.isnan(v):
                    sums[w, c] += v * v
                    counts[w, c] += 1.0
            elif v > LOWEST_DEGC and v < HIGHEST_DEGC:
                sums[w, c] += v
                counts[w, c] += 1.0


@njit(nogil=True, cache=True)
def delayed(time_s: NDArray[np.float64], u: NDArray[np.float64], tau_s: float) -> Array:
    """u (M,) behind a first-order lag, at its windows' times; an unknown u counts as zero."""
    out = np.zeros(len(u))
    x = 0.0
    for i in range(len(u)):
        dt = time_s[i] - time_s[i - 1] if i else WINDOW_S
        keep = math.exp(-max(dt - WINDOW_S, 0.0) / tau_s)
        now = 0.0 if math.isnan(u[i]) else u[i]
        gain = 1.0 - math.exp(-min(dt, WINDOW_S) / tau_s)
        x = keep * x
        x += gain * (now - x)
        out[i] = x
    return out


def solve(
    time_s: Array, heat: Array, probes_degc: Array, step_k: float, expected: Array
) -> Warmth | None:
    """time_s (M,) rising; heat (M,): mean I^2 of a window, NaN unknown; probes_degc (M, P); step_k:
    the probes' resolution; expected (P,): more heat than the median cell by its resistance,
    relative, NaN unknown. None where too little is known, or the current does not explain the
    temperature."""
    good = np.isfinite(heat) & (np.isfinite(probes_degc).sum(1) >= 3)
    if np.count_nonzero(good) < LEAST_WINDOWS:
        return None
    middle = np.full(len(heat), np.nan)
    middle[good] = np.nanmedian(probes_degc[good], axis=1)
    tau, rise = _common(time_s, heat, middle, good)
    if not tau > 0:
        return None
    probes = probes_degc.shape[1]
    excess, sigma = np.full(probes, np.nan), np.full(probes, np.nan)
    # What is cooled less also follows the surroundings later: the same derivative, of their part.
    around = np.interp(time_s, time_s[good], (middle - rise)[good])
    around = around - around[0]
    later = delayed(time_s, rise, tau) - (around - delayed(time_s, around, tau))
    begin = np.exp(-(time_s - time_s[0]) / tau)
    slow = (time_s - time_s.mean()) / max(float(np.ptp(time_s)), 1.0)
    columns = np.stack([rise, later, np.ones(len(rise)), slow, begin], 1)
    for p in range(probes):
        rows = good & np.isfinite(probes_degc[:, p])
        if np.count_nonzero(rows) >= LEAST_WINDOWS:
            apart = probes_degc[rows, p] - middle[rows]
            excess[p], sigma[p] = _own(columns[rows], apart, step_k, float(expected[p]))
    return Warmth(excess, sigma, float(rise[good].max()), tau)


def _common(
    time_s: Array, heat: Array, middle: Array, good: NDArray[np.bool_]
) -> tuple[float, Array]:
    """Time constant (NaN: the current does not explain the temperature) and the rise (M,) in K."""
    marks = np.arange(time_s[0], time_s[-1] + AMBIENT_S, AMBIENT_S)
    if len(marks) < 2:
        marks = np.array([time_s[0], time_s[-1] + 1.0])
    reach = np.maximum(1 - np.abs(time_s[:, None] - marks) / (marks[1] - marks[0]), 0.0)
    best, tau, answer = math.inf, math.nan, 0.0
    plain = _left(reach[good], middle[good])[1]
    for trial in TAUS_S:
        x = delayed(time_s, heat, trial)
        begin = np.exp(-(time_s - time_s[0]) / trial)
        columns = np.concatenate([x[:, None], begin[:, None], reach], axis=1)[good]
        found, left = _left(columns, middle[good])
        if left < best:
            best, tau, answer = left, trial, float(found[0])
    rise = answer * delayed(time_s, heat, tau)
    explained = 1 - best / max(plain, 1e-9)
    if not (answer > 0 and rise[good].max() >= LEAST_RISE_K and explained >= LEAST_EXPLAINED):
        return math.nan, rise
    return tau, rise


def _left(columns: Array, values: Array) -> tuple[Array, float]:
    """Least squares with a trace of a prior; answer and the sum of squares that is left."""
    normal = columns.T @ columns
    normal += 1e-9 * max(float(np.trace(normal)), 1e-12) * np.eye(len(normal))
    answer = np.linalg.solve(normal, columns.T @ values)
    rest = values - columns @ answer
    return np.asarray(answer, np.float64), float(rest @ rest)


def _own(columns: Array, apart: Array, step_k: float, expected: float) -> tuple[float, float]:
    """Excess of one probe and its sigma. columns: heat's shape, cooling's shape, the rest."""
    known = math.isfinite(expected)
    mean = np.zeros(columns.shape[1])
    mean[0] = expected if known else 0.0
    spread = np.full(columns.shape[1], 10.0)
    spread[:2] = HEAT_SIGMA if known else HEAT_UNKNOWN, COOLING_SIGMA
    precision = np.diag(1 / spread**2)
    noise, alike = max(step_k, 0.05), 1.0
    answer: Array = mean
    inverse: NDArray[np.floating[Any]] = precision
    for _ in range(3):
        weight = 1 / (noise * noise * alike)
        inverse = np.linalg.inv(weight * columns.T @ columns + precision)
        answer = inverse @ (weight * columns.T @ apart + precision @ mean)
        rest = apart - columns @ answer
        noise = max(float(np.sqrt(np.mean(rest**2))), 0.3 * step_k, 0.02)
        alike = _alike(rest)
    size = max(float(columns[:, 1].max()), 1e-6)
    return float(answer[1]), math.hypot(math.sqrt(inverse[1, 1]), OF_STEP * step_k / size)


def _alike(rest: Array) -> float:
    """1 + 2 sum of the autocorrelation: how many windows say what one independent one would."""
    r = rest - rest.mean()
    power = float(r @ r)
    total = 1.0
    for lag in range(1, len(r) // 3):
        rho = float(r[:-lag] @ r[lag:]) / power if power > 0 else 0.0
        if rho <= 0.05:
            break
        total += 2 * rho
    return total
