"""Self-discharge, capacity, resistance and sensor offset of every cell against the mean cell.

`step` reduces a stream to windows (means of half a minute); `solve` fits to them, per cell, what a
day or a week of windows tell: start difference, ohmic and slow resistance, 1/capacity, leak and
offset, by Gauss-Newton on the cell's own SOC (the open-circuit voltage is taken where that cell
is, not where the mean is, so that a large leak is not underestimated). What bleeders took is given
back first. Errors that all cells share cancel. Arrays in, arrays out.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.contract import Outputs, Samples, State, frozen
from bms_studio.estimators.kernel import known
from bms_studio.estimators.model import GAS_J_PER_MOL_K, CellModel, ocv_at
from bms_studio.estimators.pack_curve import hat, own_curve

TERMS = 6  # start, ohmic, slow, 1/capacity, leak, offset
CURVE_KNOTS = 16
MERGED = 10


@dataclass(frozen=True, slots=True)
class Params:
    """window_s: length of a window. gap_s: beyond it the current between two scans is unknown and
    taken for zero. bleed_a: current of a bleed resistor, NaN unknown (its time is then left out of
    the fit). Sigmas of what cells differ in before anything is known: SOC (5 %), resistance (half
    of R0), 1/capacity (5 %), leak (20 mA/Ah: a cell that is empty after two days), sensor offset
    (5 mV). spread_curve_v, curve_length: the open-circuit curves of two cells of one batch differ
    by 2 mV, alike over 20 % of SOC (0.3 % between their electrodes). split_share: of a resistance
    difference, how much the fit may put into the slow part. temperature_spread_k: how
    much warmer one cell is than another unnoticed. noise_v: one window's mean."""

    model: CellModel
    window_s: float = 30.0
    gap_s: float = 120.0
    bleed_a: float = float("nan")
    imbalance_sigma: float = 0.05
    spread_r: float = 0.5
    spread_capacity: float = 0.05
    spread_leak_per_h: float = 0.02
    spread_curve_v: float = 0.002
    curve_length: float = 0.2
    split_share: float = 0.05
    temperature_spread_k: float = 0.5
    spread_offset_v: float = 0.005
    noise_v: float = 0.0005


def start(params: Params, cells: int) -> State:
    """The state before the first sample."""
    return {
        "integers": np.zeros(3, np.int64),  # begun, last ns, window
        "reals": np.zeros(6),  # rows, sum I, sum slow, sum T, charge moved (As), slow current
        "last": np.zeros(1),
        "sums": np.zeros((cells, 3)),  # count, sum V, sum of bleeding seconds since the start
    }


def step(params: Params, state: State, samples: Samples) -> Outputs:
    """The windows that these samples closed, M rows.

    time_ns (of the last sample), moved_ah (discharged since the start), current_a, slow_a (through
    the slower RC pairs), temperature_degc, (M,); cell_v, bled_s (seconds that the bleeder was on
    since the start), (M, N).
    """
    cells = samples.cells_v.shape[1]
    width = round(params.window_s * 1e9)
    room = 1
    if len(samples):
        span = int(samples.time_ns[-1]) // width - int(samples.time_ns[0]) // width
        room = int(min(len(samples), span + 1)) + 1
    time = np.zeros(room, np.int64)
    pack = np.zeros((room, 4))
    table = np.zeros((2, room, cells))
    bleeding = int(samples.balancing.strides != (0, 0))
    count = _reduce(
        samples.time_ns,
        samples.current_a,
        samples.cells_v,
        samples.temperature_degc,
        samples.balancing if bleeding else np.zeros((1, 1), np.float32),
        bleeding,
        width,
        params.gap_s,
        params.model.tau2_s,
        state["integers"],
        state["reals"],
        state["last"],
        state["sums"],
        time,
        pack,
        table,
    )
    names = ("moved_ah", "current_a", "slow_a", "temperature_degc")
    return frozen(
        time_ns=time[:count],
        cell_v=table[0, :count],
        bled_s=table[1, :count],
        **{name: pack[:count, i] for i, name in enumerate(names)},
    )


@njit(nogil=True, cache=True)
def _reduce(
    time_ns: NDArray[np.int64],
    currents: NDArray[np.float64],
    cells_v: Any,
    temperatures: NDArray[np.float64],
    balancing: Any,
    bleeding: int,
    width: int,
    gap_s: float,
    tau_s: float,
    integers: NDArray[np.int64],
    reals: NDArray[np.float64],
    last: NDArray[np.float64],
    sums: NDArray[np.float64],
    time: NDArray[np.int64],
    pack: NDArray[np.float64],
    table: NDArray[np.float64],
) -> int:
    closed = 0
    for t in range(len(time_ns)):
        window = time_ns[t] // width
        if reals[0] > 0 and window != integers[2]:
            n = reals[0]
            time[closed] = integers[1]
            pack[closed, 0] = reals[4] / 3600.0
            for i in range(3):
                pack[closed, 1 + i] = reals[1 + i] / n
                reals[1 + i] = 0.0
            for k in range(len(sums)):
                some = sums[k, 0] > 0
                table[0, closed, k] = sums[k, 1] / sums[k, 0] if some else math.nan
                table[1, closed, k] = sums[k, 2]
                sums[k, 0] = 0.0
                sums[k, 1] = 0.0
            reals[0] = 0.0
            closed += 1
        integers[2] = window
        current = 0.0 if math.isnan(currents[t]) else currents[t]
        dt = (time_ns[t] - integers[1]) * 1e-9 if integers[0] else 0.0
        mean = 0.5 * (current + last[0]) if dt <= gap_s else 0.0
        keep = math.exp(-dt / tau_s)
        reals[5] = keep * reals[5] + (1 - keep) * mean
        reals[4] += mean * dt
        reals[0] += 1
        reals[1] += current
        reals[2] += reals[5]
        reals[3] += 25.0 if math.isnan(temperatures[t]) else temperatures[t]
        for k in range(len(sums)):
            v = cells_v[t, k]
            if known(v):
                sums[k, 0] += 1.0
                sums[k, 1] += v
            if bleeding and not math.isnan(balancing[t, k]) and dt <= gap_s:
                sums[k, 2] += balancing[t, k] * dt
        integers[0] = 1
        integers[1] = time_ns[t]
        last[0] = current
    return closed


def solve(
    params: Params,
    windows: Outputs,
    mean_soc: float,
    mean_soc_sigma: float = 0.0,
    offset_a: float = 0.0,
) -> dict[str, NDArray[np.float64]]:
    """Differences of every cell to the mean cell over all these windows (concatenate what `step`
    gave). mean_soc: SOC of the mean cell in the first window, with its sigma; offset_a: of the
    current sensor.

    Per cell (N,): imbalance (SOC at the start), resistance_ohm, capacity (relative), leak_a,
    offset_v, each with `_sigma`; residual_v, their root mean square. NaN where fewer than 20
    windows are known.
    """
    model = params.model
    few = np.isfinite(windows["cell_v"]).sum(0) < 20
    windows = _merged(windows, 0.02 * model.capacity_ah)
    hours = (windows["time_ns"] - windows["time_ns"][:1]) * 1e-9 / 3600
    moved = (windows["moved_ah"] - windows["moved_ah"][:1] - offset_a * hours) / model.capacity_ah
    current = windows["current_a"] - offset_a
    slow = windows["slow_a"] - offset_a
    z = mean_soc - moved
    volts = windows["cell_v"]
    there = ~np.isnan(volts)
    # The mean of those that are always known, so that a silent cell does not move it.
    always = there.all(0) if there.all(0).any() else there.any(0)
    mean_v = np.nanmean(np.where(always, volts, np.nan), axis=1)
    volts_mean = (volts, mean_v, there)
    warm = windows["temperature_degc"]
    run = (hours, z, moved, current, slow)
    params = replace(params, model=own_curve(model, hours, z, mean_v, current, slow, warm))
    table = _all_cells(params, windows, run, volts_mean, mean_soc_sigma)
    # The mean cell leaks with its cells: more than the median one, which is taken not to.
    leaking = np.nanmean(table[4]) - np.nanmedian(table[4]) if np.isfinite(table[4]).any() else 0.0
    if len(hours) and abs(leaking) * hours[-1] > 0.002 * model.capacity_ah:
        own_way = z - leaking * hours / model.capacity_ah
        run = (hours, own_way, moved, current, slow)
        curve = own_curve(model, hours, own_way, mean_v, current, slow, warm)
        params = replace(params, model=curve)
        table = _all_cells(params, windows, run, volts_mean, mean_soc_sigma)
    table[:, few] = np.nan
    names = ("imbalance", "resistance_ohm", "slow_ohm", "inverse_capacity", "leak_a", "offset_v")
    out = {name: table[i] for i, name in enumerate(names)}
    out |= {f"{name}_sigma": table[TERMS + i] for i, name in enumerate(names)}
    out["residual_v"] = table[-1]
    out["capacity"] = -out["inverse_capacity"] / (1 + out["inverse_capacity"])
    out["capacity_sigma"] = out["inverse_capacity_sigma"]
    return out


def _merged(windows: Outputs, still_a: float) -> Outputs:
    """The windows with those of a rest taken together, ten at a time: nothing happens in them."""
    count = len(windows["time_ns"])
    if count < 2:
        return windows
    calm = np.abs(windows["current_a"]) < still_a
    calm &= np.append(0.0, np.diff(windows["bled_s"].sum(1))) == 0
    run = np.cumsum(np.append(True, calm[1:] != calm[:-1]))
    place = np.arange(count) - np.flatnonzero(np.append(True, run[1:] != run[:-1]))[run - 1]
    group = np.where(calm, place // MERGED, place)
    first = np.flatnonzero(np.append(True, (run[1:] != run[:-1]) | (group[1:] != group[:-1])))
    size = np.diff(np.append(first, count))
    out: dict[str, NDArray[Any]] = {}
    for name, values in windows.items():
        if name == "time_ns":
            ages = values - values[0]
            out[name] = values[0] + np.add.reduceat(ages, first) // size
            continue
        known = np.isfinite(values)
        total = np.add.reduceat(np.where(known, values, 0.0), first, axis=0)
        many = np.add.reduceat(known.astype(np.float64), first, axis=0)
        out[name] = np.divide(total, many, out=np.full(total.shape, np.nan), where=many > 0)
    return frozen(**out)


def _all_cells(
    params: Params,
    windows: Outputs,
    run: tuple[NDArray[np.float64], ...],
    volts_mean: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]],
    mean_soc_sigma: float,
) -> NDArray[np.float64]:
    """(2 TERMS + 1, N): answers, their sigmas, residual."""
    model = params.model
    hours, z, moved, current, slow = run
    volts, mean_v, there = volts_mean
    cells = volts.shape[1]
    table = np.full((2 * TERMS + 1, cells), np.nan)
    bled = windows["bled_s"] / 3600
    for k in range(cells):
        rows = there[:, k] & ~np.isnan(mean_v) & (z > 0.02) & (z < 1.02)
        if math.isnan(params.bleed_a) and len(bled):
            rows &= bled[:, k] == bled[0, k]
        if rows.sum() < 4:
            continue
        # Against the mean cell, which loses what bleeders take on average.
        own_bled = (bled[rows] - bled[rows].mean(1, keepdims=True))[:, k]
        taken = 0.0 if math.isnan(params.bleed_a) else params.bleed_a * own_bled
        rest = (
            windows["temperature_degc"][rows],
            volts[rows, k] - mean_v[rows],
            np.asarray(taken / model.capacity_ah),
            1.0 - 1.0 / cells,
        )
        chosen = (hours[rows], z[rows], moved[rows], current[rows], slow[rows], *rest)
        answer, covariance, rms = _fit(params, *chosen)
        variance = np.diag(covariance).copy()
        if mean_soc_sigma > 0:
            # What the answer would be if the mean cell were one sigma higher.
            shifted = _fit(
                params, chosen[0], np.minimum(z[rows] + mean_soc_sigma, 1.02), *chosen[2:]
            )
            variance += (shifted[0] - answer) ** 2
        warmer = params.temperature_spread_k * model.activation_j_per_mol / GAS_J_PER_MOL_K
        warmer *= model.r0_ohm / 298.15**2
        variance[1] += (params.split_share * answer[1]) ** 2 + warmer**2
        table[:TERMS, k] = answer
        table[TERMS:-1, k] = np.sqrt(np.maximum(variance, 0.0))
        table[-1, k] = rms
    return table


def _fit(
    params: Params,
    hours: NDArray[np.float64],
    z: NDArray[np.float64],
    moved: NDArray[np.float64],
    current: NDArray[np.float64],
    slow: NDArray[np.float64],
    temperature: NDArray[np.float64],
    difference_v: NDArray[np.float64],
    taken: NDArray[np.float64],
    own: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Answer (TERMS,), its covariance, and the residual's root mean square, of one cell.

    Beside the terms the fit carries an unknown difference of two cells' open-circuit curves, so
    that what is seen twice at the same charge tells a leak from a curve.
    """
    model = params.model
    prior = np.array(
        [
            params.imbalance_sigma,
            params.spread_r * model.r0_ohm,
            params.spread_r * model.r2_ohm,
            params.spread_capacity,
            params.spread_leak_per_h * model.capacity_ah,
            params.spread_offset_v,
        ]
    ) ** 2 * max(own, 1e-6)
    knots = np.linspace(max(float(z.min()), 0.0), min(float(z.max()), 1.0) + 1e-3, CURVE_KNOTS)
    curve = hat(knots, z)
    apart = np.abs(knots[:, None] - knots) / params.curve_length
    alike = params.spread_curve_v**2 * (np.exp(-apart) + 1e-6 * np.eye(CURVE_KNOTS))
    precision = np.zeros((TERMS + CURVE_KNOTS, TERMS + CURVE_KNOTS))
    precision[:TERMS, :TERMS] = np.diag(1 / prior)
    precision[TERMS:, TERMS:] = np.linalg.inv(alike)
    answer = np.zeros(TERMS + CURVE_KNOTS)
    here = ocv_at(model, z, temperature)
    correlated = 1.0
    normal = precision
    rms = 0.0
    for turn in range(12):
        u, leak = answer[3], answer[4] / model.capacity_ah
        dz = answer[0] - moved * u - leak * hours * (1 + u) - taken
        own_z = np.clip(z + dz, 0.0, 1.0)
        reach = np.maximum(np.abs(dz), 0.01)
        slope = _slope(model, own_z, reach)
        terms = np.stack(
            [
                slope,
                -current,
                -slow,
                -slope * (moved + leak * hours),
                -slope * hours * (1 + u) / model.capacity_ah,
                np.ones(len(z)),
            ],
            1,
        )
        columns = np.concatenate([terms, curve], axis=1)
        expected = ocv_at(model, own_z, temperature) - here
        expected = expected - current * answer[1] - slow * answer[2] + answer[5]
        residual = difference_v - expected - curve @ answer[TERMS:]
        # The curve's slope is known to a tenth: rows far from the mean cell count less.
        sigma = np.sqrt(
            max(float(np.mean(residual**2)), params.noise_v**2) + (0.1 * slope * dz) ** 2
        )
        weight = 1 / sigma**2 / correlated
        normal = columns.T @ (weight[:, None] * columns) + precision
        right = columns.T @ (weight * residual) - precision @ answer
        move = np.linalg.solve(normal, right)
        answer = answer + move
        rms = float(np.sqrt(np.mean(residual**2)))
        settled = np.all(np.abs(move[:TERMS]) < 1e-3 * np.sqrt(prior))
        if correlated > 1 and settled:
            break
        # Residuals of a fit that has not settled would look alike without being so.
        if turn >= 5 or settled:
            correlated = max(_correlation(residual / sigma), 1.0 + 1e-9)
    covariance = np.linalg.inv(normal)[:TERMS, :TERMS]
    return answer[:TERMS], np.asarray(covariance, np.float64), rms


def _slope(
    model: CellModel, z: NDArray[np.float64], reach: NDArray[np.float64]
) -> NDArray[np.float64]:
    low, high = np.maximum(z - reach, 0.0), np.minimum(z + reach, 1.0)
    rise = np.interp(high, model.soc, model.ocv_v) - np.interp(low, model.soc, model.ocv_v)
    return np.asarray(rise / np.maximum(high - low, 1e-6), np.float64)


def _correlation(residual: NDArray[np.float64]) -> float:
    """1 + 2 sum of the residual's autocorrelation, up to its first zero: how many windows say what
    one independent one would."""
    r = residual - residual.mean()
    power = float(r @ r)
    if power <= 0:
        return 1.0
    total = 1.0
    for lag in range(1, len(r) // 3):
        rho = float(r[:-lag] @ r[lag:]) / power
        if rho <= 0.05:
            break
        total += 2 * rho
    return total
