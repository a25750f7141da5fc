"""Ohmic and 10 s resistance of every cell from current steps, whatever the scan's timing.

Least squares on differences between scans: dV = -R (a dI(t) + b dI(t-1) + c dI(t-2)) - R_s dX
- s dQ, a + b + c = 1, with X the current through an RC of 10 s and Q the charge. A cell that is
read later or earlier than the current shares its step between neighbouring scans: the sum of the
taps is the resistance, their centre the lag ("scan skew"). Known ages of whole scans shift the
current first; what is left of them is taken off the lag.
Answers are at 25 degC and 50 %, by the cell model. Arrays in, arrays out.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.contract import Outputs, Samples, State, frozen
from bms_studio.estimators.kernel import known, look_up
from bms_studio.estimators.model import GAS_J_PER_MOL_K, CellModel

TAPS = 3
TERMS = TAPS + 2  # taps, 10 s pair, charge
RC_S = 10.0


@dataclass(frozen=True, slots=True)
class Params:
    """step_c: least |dI| (times 1C) that counts as a step; longest_s: longest scan period that
    still shows an ohmic step; memory_steps: forgotten after so many steps of 1C (a few rides);
    few: below this sum of (dI/1C)^2 nothing is answered; temperature_spread_k: how much a cell's
    own temperature may differ from the one given (4 % of resistance per K at 30 kJ/mol); window_s:
    how often."""

    model: CellModel
    step_c: float = 0.1
    longest_s: float = 2.5
    memory_steps: float = 2000.0
    few: float = 2.0
    temperature_spread_k: float = 0.5
    window_s: float = 60.0


def start(params: Params, cells: int) -> State:
    """The state before the first sample."""
    return {
        "integers": np.zeros(3, np.int64),  # rows in a row without a gap, last ns, window
        "reals": np.zeros(
            8
        ),  # last currents t-1, t-2, t-3; X; condition; its weight; scan period; last dX
        "last_v": np.full(cells, np.nan),
        "normal": np.zeros((cells, TERMS, TERMS)),
        "right": np.zeros((cells, TERMS)),
        "squares": np.zeros((cells, 4)),  # sum dV^2, count, sum dI^2, sum of known lags in s
    }


def step(params: Params, state: State, samples: Samples) -> Outputs:
    """Answers at the end of every window with a step in it, M rows, N cells, NaN where too few.

    time_ns; ohmic_ohm, ohmic_ohm_sigma, ten_second_ohm, ten_second_ohm_sigma (at 25 degC, 50 %),
    lag_s (a cell's voltage after the current), (M, N) each; condition (M,): mean factor that these
    steps were normalised by. A joint's resistance knows no temperature: a difference between two
    cells as it was in the pack is the difference of the answers times `condition`.
    """
    cells = samples.cells_v.shape[1]
    width = round(params.window_s * 1e9)
    rows: list[tuple[int, NDArray[np.float64]]] = []
    conditions: list[float] = []
    windows = samples.time_ns // width
    edges = np.flatnonzero(np.diff(windows)) + 1
    bounds = [0, *edges.tolist(), len(samples)]
    for a, b in itertools.pairwise(bounds):
        if a == b:
            continue
        began, last, window = (int(v) for v in state["integers"])
        if began and int(windows[a]) != window:
            reals = state["reals"]
            rows.append((last, _solve(params, state)))
            conditions.append(float(reals[4] / reals[5]) if reals[5] > 0 else float("nan"))
        state["integers"][2] = windows[a]
        part = samples[a:b]
        aged = int(part.age_s.strides != (0, 0))
        _collect(
            part.time_ns,
            part.current_a,
            part.cells_v,
            part.temperature_degc,
            part.age_s if aged else np.zeros((1, 1), np.float32),
            aged,
            params.model.ocv_v,
            params.model.r_shape,
            params.model.activation_j_per_mol,
            params.model.capacity_ah,
            params.model.r0_ohm,
            params.step_c,
            params.longest_s,
            params.memory_steps,
            state["integers"],
            state["reals"],
            state["last_v"],
            state["normal"],
            state["right"],
            state["squares"],
        )
    table = np.array([answer for _, answer in rows]).reshape(len(rows), 5, cells)
    names = ("ohmic_ohm", "ohmic_ohm_sigma", "ten_second_ohm", "ten_second_ohm_sigma", "lag_s")
    return frozen(
        time_ns=np.array([time for time, _ in rows], np.int64),
        condition=np.array(conditions, np.float64),
        **{name: table[:, i].astype(np.float32) for i, name in enumerate(names)},
    )


def _solve(params: Params, state: State) -> NDArray[np.float64]:
    """(5, N): ohmic, its sigma, 10 s, its sigma, lag."""
    model = params.model
    out = np.full((5, len(state["right"])), np.nan)
    warmer = params.temperature_spread_k / 298.15**2
    warmer *= model.activation_j_per_mol / GAS_J_PER_MOL_K
    _answers(
        state["normal"],
        state["right"],
        state["squares"],
        params.few * model.capacity_ah**2,
        model.r0_ohm,
        warmer,
        float(state["reals"][6]),
        out,
    )
    return out


@njit(nogil=True, cache=True)
def _inverse(matrix: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Gauss and Jordan with row pivots; the matrix is used up."""
    n = len(matrix)
    out[:] = 0.0
    for i in range(n):
        out[i, i] = 1.0
    for i in range(n):
        pivot = i
        for j in range(i + 1, n):
            if abs(matrix[j, i]) > abs(matrix[pivot, i]):
                pivot = j
        for k in range(n):
            matrix[i, k], matrix[pivot, k] = matrix[pivot, k], matrix[i, k]
            out[i, k], out[pivot, k] = out[pivot, k], out[i, k]
        scale = matrix[i, i]
        for k in range(n):
            matrix[i, k] /= scale
            out[i, k] /= scale
        for j in range(n):
            if j != i:
                share = matrix[j, i]
                for k in range(n):
                    matrix[j, k] -= share * matrix[i, k]
                    out[j, k] -= share * out[i, k]


@njit(nogil=True, cache=True)
def _answers(
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
    squares: NDArray[np.float64],
    few: float,
    r0: float,
    warmer: float,
    period_s: float,
    out: NDArray[np.float64],
) -> None:
    """`_solve` for every cell with enough steps."""
    full = np.empty((TERMS, TERMS))
    inverse = np.empty((TERMS, TERMS))
    answer = np.empty(TERMS)
    sums = np.empty(TERMS)
    for k in range(len(right)):
        if not squares[k, 2] > few:
            continue
        trace, largest = 0.0, 0.0
        for i in range(TERMS):
            trace += normal[k, i, i]
            largest = max(largest, normal[k, i, i])
            for j in range(TERMS):
                full[i, j] = normal[k, min(i, j), max(i, j)]
        # A weak belief in the usual pair and charge term keeps a single step solvable.
        full[TAPS, TAPS] += 1e-6 / (3 * r0) ** 2
        full[TAPS + 1, TAPS + 1] += 1e-6 / 0.001**2
        for i in range(TERMS):
            full[i, i] += 1e-9 * trace
        _inverse(full, inverse)
        residual = squares[k, 0]
        for i in range(TERMS):
            answer[i] = 0.0
            for j in range(TERMS):
                answer[i] += inverse[i, j] * right[k, j]
            residual -= answer[i] * right[k, i]
        variance = max(residual, 0.0) / max(squares[k, 1] - TERMS, 1.0) + 1e-8
        for row in (0, 2):
            value, spread = 0.0, 0.0
            for i in range(TERMS):
                # A tap that no current ever reached (known ages need fewer) says nothing.
                sums[i] = 1.0 if i < TAPS and normal[k, i, i] > 1e-6 * largest else 0.0
            if row == 2:
                sums[TAPS] = 1 - math.exp(-10.0 / RC_S)
            for i in range(TERMS):
                value -= answer[i] * sums[i]
                for j in range(TERMS):
                    spread += sums[i] * inverse[i, j] * sums[j]
            sigma = math.sqrt(max(variance * spread, 0.0))
            # No resistance is seen where voltage and current were not sampled together.
            out[row, k] = value if value > 3 * sigma else math.nan
            out[row + 1, k] = math.hypot(sigma, warmer * out[row, k])
        total, centre = 0.0, 0.0
        for i in range(TAPS):
            total += answer[i]
            centre += answer[i] * i
        lag = centre / total * period_s if total != 0 else math.nan
        out[4, k] = lag - squares[k, 3] / max(squares[k, 1], 1.0)


@njit(nogil=True, cache=True)
def _rest_soc(ocv: NDArray[np.float64], v: float) -> float:
    """SOC at which the table holds v."""
    low, high = 0, len(ocv) - 1
    if not v > ocv[low]:
        return 0.0
    if v >= ocv[high]:
        return 1.0
    while high - low > 1:
        middle = (low + high) // 2
        if ocv[middle] <= v:
            low = middle
        else:
            high = middle
    return float((low + (v - ocv[low]) / max(ocv[high] - ocv[low], 1e-9)) / (len(ocv) - 1))


@njit(nogil=True, cache=True)
def _collect(
    time_ns: NDArray[np.int64],
    currents: NDArray[np.float64],
    cells_v: Any,
    temperatures: NDArray[np.float64],
    age_s: NDArray[np.float32],
    aged: int,
    ocv: NDArray[np.float64],
    shape: NDArray[np.float64],
    activation: float,
    capacity: float,
    r0: float,
    step_c: float,
    longest: float,
    memory: float,
    integers: NDArray[np.int64],
    reals: NDArray[np.float64],
    last_v: NDArray[np.float64],
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> None:
    """Add the differences of these scans to the sums of every cell."""
    terms = np.zeros(TERMS)
    own = np.zeros(TERMS)
    cells = len(last_v)
    for t in range(len(time_ns)):
        current = currents[t]
        dt = (time_ns[t] - integers[1]) * 1e-9
        if math.isnan(current) or (integers[0] > 0 and (dt > longest or dt <= 0)):
            integers[0] = 0 if math.isnan(current) else 1
            reals[0] = reals[1] = reals[2] = 0.0 if math.isnan(current) else current
            reals[3] = reals[0]
            integers[1] = time_ns[t]
            for k in range(cells):
                last_v[k] = cells_v[t, k]
            continue
        if integers[0] == 0:
            reals[0] = reals[1] = reals[2] = reals[3] = current
            integers[0] = 1
            integers[1] = time_ns[t]
            for k in range(cells):
                last_v[k] = cells_v[t, k]
            continue
        before = reals[3]
        keep = math.exp(-dt / RC_S)
        # The newest step is the ohmic one: the pair sees the current of the time before it.
        reals[3] = keep * before + (1 - keep) * reals[0]
        reals[6] = dt if reals[6] == 0 else reals[6] + 0.01 * (dt - reals[6])
        total, count = 0.0, 0
        for k in range(cells):
            if known(cells_v[t, k]):
                total += cells_v[t, k]
                count += 1
        temperature = 25.0 if math.isnan(temperatures[t]) else temperatures[t]
        kelvin = max(temperature + 273.15, 200.0)
        factor = math.exp(activation / 8.314462618 * (1 / kelvin - 1 / 298.15))
        if count:
            factor *= look_up(shape, _rest_soc(ocv, total / count + current * r0 * factor))
        terms[0] = (current - reals[0]) * factor
        terms[1] = (reals[0] - reals[1]) * factor
        terms[2] = (reals[1] - reals[2]) * factor
        terms[3] = (reals[3] - before) * factor
        terms[4] = 0.5 * (current + reals[0]) * dt / 3600.0 / capacity * 100.0
        limit = step_c * capacity
        counts = (
            abs(current - reals[0]) > limit
            or abs(reals[0] - reals[1]) > limit
            or abs(reals[1] - reals[2]) > limit
            or abs(reals[3] - current) > limit
        )
        if counts:
            fade = math.exp(-((terms[0] / capacity) ** 2) / memory)
            weight = ((current - reals[0]) / capacity) ** 2
            reals[4] = fade * reals[4] + weight * factor
            reals[5] = fade * reals[5] + weight
            for k in range(cells):
                v = cells_v[t, k]
                if not known(v) or not known(last_v[k]):
                    continue
                for i in range(TERMS):
                    own[i] = terms[i]
                rest_s = 0.0
                if aged:
                    # The reading is of the current `age` before the scan's end.
                    share = min(age_s[t, k] / dt, 2.0)
                    if not math.isnan(share):
                        # Whole scans only: a step falls before or after a reading, never partly,
                        # and the taps find on which side. Shared out between two scans it would
                        # take taps that are not there to put together again: 20 % too much.
                        whole = int(share)
                        rest_s = (share - whole) * dt
                        for i in range(TAPS):
                            own[i] = terms[i + whole] if i + whole < TAPS else 0.0
                        share = min(share, 1.0)
                        own[3] = terms[3] * (1 - share) + reals[7] * share
                dv = v - last_v[k]
                for i in range(TERMS):
                    right[k, i] = fade * right[k, i] + own[i] * dv
                    for j in range(i, TERMS):
                        normal[k, i, j] = fade * normal[k, i, j] + own[i] * own[j]
                squares[k, 0] = fade * squares[k, 0] + dv * dv
                squares[k, 1] = fade * squares[k, 1] + 1.0
                squares[k, 3] = fade * squares[k, 3] + rest_s
                squares[k, 2] = fade * squares[k, 2] + (current - reals[0]) ** 2
        for k in range(cells):
            last_v[k] = cells_v[t, k]
        reals[7] = terms[3]
        reals[2] = reals[1]
        reals[1] = reals[0]
        reals[0] = current
        integers[0] += 1
        integers[1] = time_ns[t]
