"""Ohmic and 10 s resistance of every cell from current steps, whatever the scan's timing.

Least squares on differences between scans: dV = -R (a dI(t) + b dI(t-1) + c dI(t-2)) - R_s dX
- s dQ, a + b + c = 1, with X the current through an RC of 10 s and Q the charge. A cell that is
read later or earlier than the current shares its step between neighbouring scans: the sum of the
taps is the resistance, their centre the lag ("scan skew"). Known ages shift the current first.
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
        "squares": np.zeros((cells, 3)),  # sum dV^2, count, sum dI^2
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
    normal, right, squares = state["normal"], state["right"], state["squares"]
    cells = len(right)
    out = np.full((5, cells), np.nan)
    enough = squares[:, 2] > params.few * params.model.capacity_ah**2
    if not enough.any():
        return out
    # A weak belief in the usual pair and charge term keeps a single step solvable.
    prior = np.diag([0.0] * TAPS + [1.0 / (3 * params.model.r0_ohm) ** 2, 1.0 / 0.001**2]) * 1e-6
    ridge = 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(TERMS)
    full = normal + np.triu(normal, 1).transpose(0, 2, 1)
    inverse = np.linalg.inv((full + prior + ridge)[enough])
    answer = np.einsum("kij,kj->ki", inverse, right[enough])
    residual = squares[enough, 0] - np.einsum("ki,ki->k", answer, right[enough])
    count = np.maximum(squares[enough, 1] - TERMS, 1.0)
    variance = np.maximum(residual, 0.0) / count + 1e-8
    ohmic = np.array([1.0] * TAPS + [0.0, 0.0])
    ten = np.array([1.0] * TAPS + [1 - math.exp(-10.0 / RC_S), 0.0])
    # A tap that no current ever reached (known ages need fewer) says nothing.
    diagonal = np.diagonal(normal[enough], axis1=1, axis2=2)
    reached = diagonal > 1e-6 * diagonal.max(axis=1, keepdims=True)
    model, share = params.model, params.temperature_spread_k / 298.15**2
    share *= model.activation_j_per_mol / GAS_J_PER_MOL_K
    for row, terms in ((0, ohmic), (2, ten)):
        sums = np.where(reached | (np.arange(TERMS) >= TAPS), terms, 0.0)
        out[row, enough] = -np.sum(answer * sums, axis=1)
        out[row + 1, enough] = np.sqrt(
            np.maximum(variance * np.einsum("ki,kij,kj->k", sums, inverse, sums), 0.0)
        )
        # No resistance is seen where voltage and current were not sampled together.
        seen = out[row, enough] > 3 * out[row + 1, enough]
        out[row, enough] = np.where(seen, out[row, enough], np.nan)
        out[row + 1, enough] = np.hypot(out[row + 1, enough], share * out[row, enough])
    total = answer[:, :TAPS].sum(1)
    centre = answer[:, :TAPS] @ np.arange(TAPS)
    out[4, enough] = centre / np.where(total == 0, np.nan, total) * state["reals"][6]
    return out


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
                if aged:
                    # The reading is of the current `age` before the scan's end.
                    share = min(age_s[t, k] / dt, 2.0)
                    if not math.isnan(share):
                        whole = int(share)
                        part = share - whole
                        own[0] = terms[whole] * (1 - part) + terms[min(whole + 1, 2)] * part
                        own[1] = terms[min(whole + 1, 2)] * (1 - part) + terms[2] * part
                        own[2] = 0.0
                        share = min(share, 1.0)
                        own[3] = terms[3] * (1 - share) + reals[7] * share
                dv = v - last_v[k]
                for i in range(TERMS):
                    right[k, i] = fade * right[k, i] + own[i] * dv
                    for j in range(i, TERMS):
                        normal[k, i, j] = fade * normal[k, i, j] + own[i] * own[j]
                squares[k, 0] = fade * squares[k, 0] + dv * dv
                squares[k, 1] = fade * squares[k, 1] + 1.0
                squares[k, 2] = fade * squares[k, 2] + (current - reals[0]) ** 2
        for k in range(cells):
            last_v[k] = cells_v[t, k]
        reals[7] = terms[3]
        reals[2] = reals[1]
        reals[1] = reals[0]
        reals[0] = current
        integers[0] += 1
        integers[1] = time_ns[t]
