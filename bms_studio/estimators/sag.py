"""How far the rider's hardest pull drags each cell down, and how much is left to the cut-off.

`step` learns the rider's currents as a histogram in units of 1C; `margins` says what the 99th
percentile does to each cell. The cell with the smallest margin is the first to reach the cut-off:
not always the one with the highest resistance. Arrays in, arrays out.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.contract import Outputs, Samples, State, frozen
from bms_studio.estimators.model import CellModel, ocv_at, resistance_factor

BINS = 400
BIN_C = 0.05


@dataclass(frozen=True, slots=True)
class Params:
    """share: the percentile. least_c: below it the pack is not being ridden. memory_s: riding time
    after which old currents count 1/e (ten hours). gap_s: longest scan period that counts."""

    model: CellModel
    share: float = 0.99
    least_c: float = 0.05
    memory_s: float = 36_000.0
    gap_s: float = 60.0
    window_s: float = 60.0


def start(params: Params, cells: int) -> State:
    """The state before the first sample."""
    return {
        "integers": np.zeros(3, np.int64),  # begun, last ns, window
        "seconds": np.zeros(BINS),
        "reals": np.zeros(2),  # riding seconds ever, last current
    }


def step(params: Params, state: State, samples: Samples) -> Outputs:
    """Per window (M,): time_ns, peak_a (percentile of discharge current while riding, NaN before
    a minute of riding), ridden_s."""
    room = 1
    width = round(params.window_s * 1e9)
    if len(samples):
        span = int(samples.time_ns[-1]) // width - int(samples.time_ns[0]) // width
        room = int(min(len(samples), span + 1)) + 1
    time, out = np.zeros(room, np.int64), np.zeros((room, 2))
    count = _learn(
        samples.time_ns,
        samples.current_a,
        width,
        params.share,
        params.least_c,
        params.model.capacity_ah,
        params.memory_s,
        params.gap_s,
        state["integers"],
        state["seconds"],
        state["reals"],
        time,
        out,
    )
    return frozen(time_ns=time[:count], peak_a=out[:count, 0], ridden_s=out[:count, 1])


@njit(nogil=True, cache=True)
def _learn(
    time_ns: NDArray[np.int64],
    currents: NDArray[np.float64],
    width: int,
    share: float,
    least: float,
    capacity: float,
    memory: float,
    gap: float,
    integers: NDArray[np.int64],
    seconds: NDArray[np.float64],
    reals: NDArray[np.float64],
    time: NDArray[np.int64],
    out: NDArray[np.float64],
) -> int:
    closed = 0
    for t in range(len(time_ns)):
        window = time_ns[t] // width
        if integers[0] and window != integers[2]:
            time[closed] = integers[1]
            out[closed, 1] = reals[0]
            out[closed, 0] = np.nan
            total = np.sum(seconds)
            if reals[0] >= 60.0 and total > 0:
                beyond = 0.0
                for i in range(BINS - 1, -1, -1):
                    beyond += seconds[i]
                    if beyond >= (1 - share) * total:
                        out[closed, 0] = (i + 1) * BIN_C * capacity
                        break
            closed += 1
        integers[2] = window
        dt = (time_ns[t] - integers[1]) * 1e-9 if integers[0] else 0.0
        rate = reals[1] / capacity
        if 0 < dt <= gap and rate > least:
            fade = np.exp(-dt / memory)
            for i in range(BINS):
                seconds[i] *= fade
            seconds[min(int(rate / BIN_C), BINS - 1)] += dt
            reals[0] += dt
        integers[0] = 1
        integers[1] = time_ns[t]
        reals[1] = currents[t]
    return closed


def margins(
    model: CellModel,
    soc: NDArray[np.float64],
    ten_second_ohm: NDArray[np.float64],
    ten_second_sigma_ohm: NDArray[np.float64],
    peak_a: float,
    temperature_degc: float = 25.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Per cell (N,): voltage under `peak_a` for 10 s (V), margin to the cut-off (V) and its sigma.

    soc 0..1 now or at the lowest usual charge; ten_second_ohm at 25 degC and 50 %.
    """
    factor = resistance_factor(model, np.clip(soc, 0.0, 1.0), temperature_degc)
    volts = (
        ocv_at(model, np.clip(soc, 0.0, 1.0), temperature_degc) - peak_a * factor * ten_second_ohm
    )
    sigma = np.hypot(peak_a * factor * ten_second_sigma_ohm, model.sigma_ocv_v)
    return volts, volts - model.cell_voltage_min, sigma
