"""What an analysis counts beside the estimators: use of the pack, and whether its current's sign
agrees with its voltage. One compiled pass; state in arrays; windows close as those of `soc` do.
"""

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.contract import Samples
from bms_studio.estimators.kernel import known
from bms_studio.estimators.model import CellModel

COLUMNS = (
    "polarisation_v",
    "temperature_degc",
    "mean_temperature_degc",
    "discharge_allowed_a",
    "charge_allowed_a",
    "load_a",
    "throughput_ah",
    "observed_s",
    "quiet_s",
    "current_known",
)
_GAP_S = 120.0
# A usual load is learnt over ten minutes of riding.
_LOAD_S = 600.0


class Tally:
    """`step(samples, allowed)` answers (time, table (M, COLUMNS)) per closed window."""

    def __init__(self, model: CellModel, window_s: float) -> None:
        self._model = model
        self._width = round(window_s * 1e9)
        self._integers = np.zeros(4, np.int64)  # begun, last ns, window, rows
        self._reals = np.zeros(14)
        self._reals[_LOAD] = math.nan
        self._steps = np.zeros(6)  # last current, last mean, sums xy xx yy, count
        self._steps[:2] = math.nan

    def step(
        self, samples: Samples, allowed: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Windows that these samples closed."""
        room = len(samples) + 1
        if len(samples):
            first, last = int(samples.time_ns[0]), int(samples.time_ns[-1])
            room = min(room, last // self._width - first // self._width + 2)
        time, table = np.zeros(room, np.int64), np.zeros((room, len(COLUMNS)))
        model = self._model
        constants = np.array(
            [model.capacity_ah, model.r1_ohm, model.tau1_s, model.r2_ohm, model.tau2_s]
        )
        count = _count(
            samples.time_ns,
            samples.current_a,
            samples.temperature_degc,
            allowed,
            constants,
            self._width,
            self._integers,
            self._reals,
            time,
            table,
        )
        return time[:count], table[:count]

    def watch_sign(self, pairs: Samples) -> None:
        """Steps of current beside those of the mean cell's voltage."""
        if len(pairs):
            _steps(pairs.current_a, pairs.cells_v, 0.03 * self._model.capacity_ah, self._steps)

    @property
    def correlation(self) -> tuple[float, int]:
        """Correlation of steps of current and voltage (near -1 when + is discharge), how many."""
        xy, xx, yy, count = self._steps[2:]
        return float(xy / math.sqrt(xx * yy)) if xx * yy > 0 else math.nan, int(count)


_X1, _X2, _LAST, _TSUM, _TS, _LOAD, _RIDDEN, _THROUGH, _SEEN, _QUIET, _TEMP, _KNOWN = range(12)
_DISCHARGE, _CHARGE = 12, 13


@njit(nogil=True, cache=True)
def _count(
    time_ns: NDArray[np.int64],
    currents: NDArray[np.float64],
    temperatures: NDArray[np.float64],
    allowed: NDArray[np.float64],
    c: NDArray[np.float64],
    width: int,
    integers: NDArray[np.int64],
    r: NDArray[np.float64],
    time: NDArray[np.int64],
    table: NDArray[np.float64],
) -> int:
    closed = 0
    for t in range(len(time_ns)):
        window = time_ns[t] // width
        if integers[3] > 0 and window != integers[2]:
            time[closed] = integers[1]
            row = table[closed]
            row[0] = c[1] * r[_X1] + c[3] * r[_X2]
            row[1] = r[_TEMP]
            row[2] = r[_TSUM] / r[_TS] if r[_TS] > 0 else math.nan
            row[3] = r[_DISCHARGE]
            row[4] = r[_CHARGE]
            row[5] = r[_LOAD]
            row[6] = r[_THROUGH]
            row[7] = r[_SEEN]
            row[8] = r[_QUIET]
            row[9] = r[_KNOWN]
            closed += 1
            integers[3] = 0
        integers[2] = window
        dt = (time_ns[t] - integers[1]) * 1e-9 if integers[0] else 0.0
        current = currents[t]
        if math.isnan(current):
            current = 0.0
        else:
            r[_KNOWN] += 1.0
        if 0 < dt <= _GAP_S:
            mean = 0.5 * (current + r[_LAST])
            keep1, keep2 = math.exp(-dt / c[2]), math.exp(-dt / c[4])
            r[_X1] = keep1 * r[_X1] + (1 - keep1) * mean
            r[_X2] = keep2 * r[_X2] + (1 - keep2) * mean
            r[_SEEN] += dt
            r[_THROUGH] += abs(mean) * dt / 3600.0
            if not math.isnan(temperatures[t]):
                r[_TSUM] += temperatures[t] * dt
                r[_TS] += dt
            if mean > 0.05 * c[0]:
                r[_RIDDEN] += dt
                share = dt / min(r[_RIDDEN], _LOAD_S)
                before = r[_LOAD] if not math.isnan(r[_LOAD]) else mean
                r[_LOAD] = before + min(share, 1.0) * (mean - before)
            r[_QUIET] = r[_QUIET] + dt if abs(current) < 0.02 * c[0] else 0.0
        elif dt > _GAP_S:
            r[_X1] = 0.0
            r[_X2] *= math.exp(-dt / c[4])
        r[_TEMP] = temperatures[t]
        r[_LAST] = current
        r[_DISCHARGE], r[_CHARGE] = allowed[t, 0], allowed[t, 1]
        integers[0] = 1
        integers[1] = time_ns[t]
        integers[3] += 1
    return closed


@njit(nogil=True, cache=True)
def _steps(
    currents: NDArray[np.float64], cells_v: Any, least_a: float, s: NDArray[np.float64]
) -> None:
    for t in range(len(currents)):
        total, count = 0.0, 0
        for k in range(cells_v.shape[1]):
            v = cells_v[t, k]
            if known(v):
                total += v
                count += 1
        if count == 0 or math.isnan(currents[t]):
            s[0] = math.nan
            continue
        mean = total / count
        if not math.isnan(s[0]):
            x, y = currents[t] - s[0], mean - s[1]
            if abs(x) > least_a:
                s[2] += x * y
                s[3] += x * x
                s[4] += y * y
                s[5] += 1.0
        s[0], s[1] = currents[t], mean
