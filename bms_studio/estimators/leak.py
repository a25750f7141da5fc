"""Self-discharge, capacity, resistance and sensor offset of every cell against the mean cell.

`step` reduces a stream to windows (means of half a minute); `solve` fits to them, per cell, what a
day or a week of windows tell: start difference, ohmic and slow resistance, 1/capacity, leak and
offset, on the cell's own SOC (the open-circuit voltage is taken where that cell is, not where the
mean is, so that a large leak is not underestimated). What bleeders took is given
back first. Errors that all cells share cancel. `kinds` says how one fault is told from another.
Arrays in, arrays out.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.contract import Outputs, Samples, State, frozen
from bms_studio.estimators.difference import LEAK, TERMS, groups
from bms_studio.estimators.kernel import known
from bms_studio.estimators.kinds import Beliefs, Course, beside, judged
from bms_studio.estimators.model import CellModel
from bms_studio.estimators.pack_curve import own_curve, softened

# A row of the fit: hardly any charge moves in it.
MOVED, LONGEST_NS, MOST_ROWS = 0.005, 1_800_000_000_000, 600
# The knee at full: so much steeper than usual, with less current than this (1C), tells SOC to this.
KNEE, TAPER_C, KNEE_SOC = 3.0, 0.15, 0.015
# A bleed resistor nobody stated, and how much of the capacity it may take unseen.
USUAL_BLEED_A, UNSEEN = 0.1, 0.0005


@dataclass(frozen=True, slots=True)
class Params:
    """window_s: length of a window. gap_s: beyond it the current between two scans is unknown and
    taken for zero. bleed_a: current of a bleed resistor, NaN unknown (its time is then left out of
    the fit).

    What one cell may differ in that is not as the others (sigma): SOC (5 %), resistance (half of
    R0), 1/capacity (5 %), leak (20 mA/Ah: empty after two days), sensor offset (10 mV); and what
    healthy ones do (healthy_, where the pack does not say otherwise): 0.5 %, 5 %, 0.8 %,
    0.05 mA/Ah, 1.5 mV.
    spread_curve_v, curve_length, slip: the open-circuit curves of two cells of one batch differ by
    1.5 mV and their electrodes by 0.3 % of SOC, alike over 30 %; the pack itself says whether by
    less or more. slope_share: how well the slope of the pack's curve is known. noise_v: one row."""

    model: CellModel
    window_s: float = 30.0
    gap_s: float = 120.0
    bleed_a: float = float("nan")
    imbalance_sigma: float = 0.05
    spread_r: float = 0.5
    spread_capacity: float = 0.05
    spread_leak_per_h: float = 0.02
    spread_curve_v: float = 0.0015
    curve_length: float = 0.3
    spread_offset_v: float = 0.010
    noise_v: float = 0.0003
    healthy_imbalance: float = 0.005
    healthy_r: float = 0.05
    healthy_capacity: float = 0.008
    healthy_leak_per_h: float = 0.00005
    healthy_offset_v: float = 0.0015
    slip: float = 0.003
    slope_share: float = 0.2


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
    few = np.isfinite(windows["cell_v"]).sum(0) < 20
    windows = condensed(windows, params.model.capacity_ah)
    mean_soc, mean_soc_sigma = _at_the_knee(params, windows, mean_soc, mean_soc_sigma, offset_a)
    table = _judged(params, windows, mean_soc, mean_soc_sigma, offset_a)
    table[:, few] = np.nan
    names = ("imbalance", "resistance_ohm", "slow_ohm", "inverse_capacity", "leak_a", "offset_v")
    out = {name: table[i] for i, name in enumerate(names)}
    out |= {f"{name}_sigma": table[TERMS + i] for i, name in enumerate(names)}
    out["residual_v"] = table[-1]
    out["capacity"] = -out["inverse_capacity"] / (1 + out["inverse_capacity"])
    out["capacity_sigma"] = out["inverse_capacity_sigma"]
    return out


def condensed(windows: Outputs, capacity_ah: float) -> Outputs:
    """Rows for the fit: windows taken together while hardly any charge moves, 600 at most."""
    if len(windows["time_ns"]) < 2:
        return windows
    calm = np.abs(windows["current_a"]) < 0.02 * capacity_ah
    bled = windows["bled_s"].sum(1)
    calm &= np.append(0.0, np.diff(bled)) == 0
    moved = windows["moved_ah"] / capacity_ah
    most, longest = MOVED, LONGEST_NS
    group = groups(windows["time_ns"], moved, calm, most, longest)
    while group[-1] >= MOST_ROWS:
        most, longest = 2 * most, 2 * longest
        group = groups(windows["time_ns"], moved, calm, most, longest)
    first = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    size = np.diff(np.append(first, len(group)))
    out: dict[str, NDArray[Any]] = {}
    for name, values in windows.items():
        if name == "time_ns":
            out[name] = values[0] + np.add.reduceat(values - values[0], first) // size
            continue
        there = np.isfinite(values)
        total = np.add.reduceat(np.where(there, values, 0.0), first, axis=0)
        many = np.add.reduceat(there.astype(np.float64), first, axis=0)
        out[name] = np.divide(total, many, out=np.full(total.shape, np.nan), where=many > 0)
    return frozen(**out)


def _run_of(params: Params, windows: Outputs, mean_soc: float, offset_a: float) -> Course:
    capacity_ah = params.model.capacity_ah
    hours = (windows["time_ns"] - windows["time_ns"][:1]) * 1e-9 / 3600
    moved = (windows["moved_ah"] - windows["moved_ah"][:1] - offset_a * hours) / capacity_ah
    volts = windows["cell_v"]
    there = ~np.isnan(volts)
    # The mean of those that are always known, so that a silent cell does not move it.
    always = there.all(0) if there.all(0).any() else there.any(0)
    mean_v = np.nanmean(np.where(always, volts, np.nan), axis=1)
    # Against the mean cell, which loses what bleeders take on average.
    bled = windows["bled_s"] / 3600
    own = bled - bled.mean(1, keepdims=True)
    unknown = math.isnan(params.bleed_a)
    z = mean_soc - moved
    use = there & ~np.isnan(mean_v)[:, None] & (z > 0.02)[:, None] & (z < 1.04)[:, None]
    if unknown:
        use &= np.abs(own) * USUAL_BLEED_A < UNSEEN * capacity_ah
    return Course(
        hours,
        z,
        moved,
        windows["current_a"] - offset_a,
        windows["slow_a"] - offset_a,
        windows["temperature_degc"],
        mean_v,
        volts - mean_v[:, None],
        np.zeros(own.shape) if unknown else own * (params.bleed_a / capacity_ah),
        use,
    )


def _at_the_knee(
    params: Params, windows: Outputs, mean_soc: float, sigma: float, offset_a: float
) -> tuple[float, float]:
    """SOC of the mean cell in the first window and its sigma, from the end of a charge where the
    open-circuit voltage bends up: after a plateau this tells more than all that was before it."""
    model, run = params.model, _run_of(params, windows, mean_soc, offset_a)
    ocv = np.maximum.accumulate(model.ocv_v) + 1e-9 * np.arange(len(model.ocv_v))
    slope = np.gradient(ocv, model.soc)
    usual = float(np.interp(0.9, model.soc, ocv) - np.interp(0.1, model.soc, ocv)) / 0.8
    relaxed = run.mean_v + model.r0_ohm * run.current + model.r2_ohm * run.slow
    there = np.interp(np.nan_to_num(relaxed), ocv, model.soc)
    rate = run.current / model.capacity_ah
    chosen = (there > 0.9) & (np.interp(there, model.soc, slope) > KNEE * usual)
    chosen &= (rate < 0) & (rate > -TAPER_C)
    if not chosen.any():
        return mean_soc, sigma
    last = np.flatnonzero(chosen)[-1]
    if not sigma > KNEE_SOC and abs(there[last] - run.z[last]) < 2 * KNEE_SOC:
        return mean_soc, sigma
    return float(mean_soc + there[last] - run.z[last]), KNEE_SOC


def _judged(
    params: Params, windows: Outputs, mean_soc: float, mean_soc_sigma: float, offset_a: float
) -> NDArray[np.float64]:
    """(2 TERMS + 1, N): answers, their sigmas, residual."""
    run = _run_of(params, windows, mean_soc, offset_a)
    beliefs = _beliefs(params, run.difference.shape[1])
    found = judged(beliefs, *_curve_of(params.model, run), run)
    # The mean cell leaks with its cells: more than the median one, which is taken not to.
    leaks = found.table[LEAK][np.isfinite(found.table[LEAK])]
    leaking = float(leaks.mean() - np.median(leaks)) if len(leaks) else 0.0
    if len(leaks) and abs(leaking) * run.hours[-1] > 0.002 * params.model.capacity_ah:
        run = replace(run, z=run.z - leaking * run.hours / params.model.capacity_ah)
        found = judged(beliefs, *_curve_of(params.model, run), run)
    table = found.table
    if mean_soc_sigma > 0 and len(leaks):
        # What the answer would be if the mean cell were one sigma nearer to half.
        way = mean_soc_sigma if float(np.mean(run.z)) < 0.5 else -mean_soc_sigma
        other = replace(run, z=run.z + way)
        apart = beside(found, beliefs, *_curve_of(params.model, other), other)
        table[TERMS:-1] = np.hypot(table[TERMS:-1], apart)
    return table


def _curve_of(model: CellModel, run: Course) -> tuple[CellModel, NDArray[np.float64]]:
    """The pack's curve and what its slope may be wrong by where little was seen (V)."""
    seen = run.z[run.use.any(1)]
    if not len(seen):
        return model, np.zeros(len(model.soc))
    own, unseen = own_curve(model, run.hours, run.z, run.mean_v, run.current, run.slow, run.warm)
    return softened(own, model, float(seen.min()), float(seen.max())), unseen


def _beliefs(params: Params, cells: int) -> Beliefs:
    model = params.model
    units = np.array([1.0, model.r0_ohm, model.r2_ohm, 1.0, model.capacity_ah, 1.0])
    healthy = np.array(
        [
            params.healthy_imbalance,
            params.healthy_r,
            params.healthy_r,
            params.healthy_capacity,
            params.healthy_leak_per_h,
            params.healthy_offset_v,
        ]
    )
    faulty = np.array(
        [
            params.imbalance_sigma,
            params.spread_r,
            params.spread_r,
            params.spread_capacity,
            params.spread_leak_per_h,
            params.spread_offset_v,
        ]
    )
    # A mean of N cells takes 1/N of each cell's difference with it.
    own = math.sqrt(max(1.0 - 1.0 / cells, 1e-6))
    return Beliefs(
        healthy * units * own,
        faulty * units * own,
        params.spread_curve_v,
        params.curve_length,
        params.slip,
        params.slope_share,
        params.noise_v,
    )
