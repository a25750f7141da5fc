"""Exposure: what a pack was put through that ages it, as counters.

Mechanism: charged below 10 degC, lithium plates on graphite instead of entering it, the more the
colder and the faster; above 45 degC side reactions double about every 10 K.
Evidence: minutes of charge while the coldest probe was below 10 degC (regeneration is too short to
count), hours with the hottest probe above 45 degC, the extremes.
Counters are information, told at each doubling. Charging below 0 degC for ten minutes, and hours
above 55 degC, are "watch".
Blind: how fast is fast depends on the cell: without its data sheet only the temperature counts;
the inside of a cell is warmer than its probe.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.words import found

COLD_DEGC, FREEZING_DEGC, HOT_DEGC, VERY_HOT_DEGC = 10.0, 0.0, 45.0, 55.0
CHARGE_A, CHARGE_S = 1.0, 60.0
FIRST_COLD_S, FIRST_HOT_S, FREEZING_S, VERY_HOT_S = 600.0, 3600.0, 600.0, 1800.0
LOWEST_DEGC, HIGHEST_DEGC = -45.0, 150.0
# last s, charging since s, cold s, freezing s, hot s, very hot s, coldest, hottest, highest charge
# A, next cold s to tell, next hot s, freezing told, very hot told, first s of cold, of hot.
_LAST, _CHARGING, _COLD, _FREEZING, _HOT, _VERY = range(6)
_COLDEST, _HOTTEST, _AMPERE, _NEXT_COLD, _NEXT_HOT, _TOLD_COLD, _TOLD_HOT = range(6, 13)
_FIRST_COLD, _FIRST_HOT = 13, 14


@njit(nogil=True, cache=True)
def _count(
    time: NDArray[np.int64],
    probes: NDArray[np.float32],
    current: NDArray[np.float32],
    origin: int,
    state: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """(row, kind, seconds, degC, A, 1 serious, first s) into out."""
    count = 0
    for r in range(len(time)):
        now = (time[r] - origin) * 1e-9
        dt = min(max(now - state[_LAST], 0.0), 60.0)
        state[_LAST] = now
        a = current[r]
        if not a < -CHARGE_A:
            state[_CHARGING] = now
        low, high = np.inf, -np.inf
        for p in range(probes.shape[1]):
            v = probes[r, p]
            if v > LOWEST_DEGC and v < HIGHEST_DEGC:
                low, high = min(low, v), max(high, v)
        if low > high:
            continue
        if now - state[_CHARGING] >= CHARGE_S and low < COLD_DEGC:
            if state[_COLD] == 0:
                state[_FIRST_COLD], state[_COLDEST], state[_AMPERE] = now, low, 0.0
            state[_COLD] += dt
            state[_FREEZING] += dt if low < FREEZING_DEGC else 0.0
            state[_COLDEST] = min(state[_COLDEST], low)
            state[_AMPERE] = max(state[_AMPERE], -a)
            serious = state[_FREEZING] >= FREEZING_S
            fresh = serious and state[_TOLD_COLD] == 0
            if (state[_COLD] >= state[_NEXT_COLD] or fresh) and count < len(out):
                if state[_COLD] >= state[_NEXT_COLD]:
                    state[_NEXT_COLD] = 2 * state[_NEXT_COLD]
                state[_TOLD_COLD] = 1.0 if serious else 0.0
                out[count, 0], out[count, 1], out[count, 2] = r, 0, state[_COLD]
                out[count, 3], out[count, 4] = state[_COLDEST], state[_AMPERE]
                out[count, 5], out[count, 6] = state[_TOLD_COLD], state[_FIRST_COLD]
                count += 1
        if high > HOT_DEGC:
            if state[_HOT] == 0:
                state[_FIRST_HOT], state[_HOTTEST] = now, high
            state[_HOT] += dt
            state[_VERY] += dt if high > VERY_HOT_DEGC else 0.0
            state[_HOTTEST] = max(state[_HOTTEST], high)
            serious = state[_VERY] >= VERY_HOT_S
            fresh = serious and state[_TOLD_HOT] == 0
            if (state[_HOT] >= state[_NEXT_HOT] or fresh) and count < len(out):
                if state[_HOT] >= state[_NEXT_HOT]:
                    state[_NEXT_HOT] = 2 * state[_NEXT_HOT]
                state[_TOLD_HOT] = 1.0 if serious else 0.0
                out[count, 0], out[count, 1], out[count, 2] = r, 1, state[_HOT]
                out[count, 3], out[count, 4] = state[_HOTTEST], 0.0
                out[count, 5], out[count, 6] = state[_TOLD_HOT], state[_FIRST_HOT]
                count += 1
    return count


class ExposureWatch:
    """Counts in moments of ten seconds as they come."""

    def __init__(self) -> None:
        self._state = np.zeros(15)
        self._state[_NEXT_COLD], self._state[_NEXT_HOT] = FIRST_COLD_S, FIRST_HOT_S
        self._origin = -1  # none yet: time may begin at 0
        self._times = [0, 0]

    def push(self, block: Moments) -> list[Finding]:
        """Counters that passed their next mark in these moments."""
        if not len(block) or not block.probes_degc.shape[1]:
            return []
        self._origin = self._origin if self._origin >= 0 else int(block.time[0])
        out = np.empty((64 + len(block) // 4, 7))
        count = _count(
            block.time,
            np.ascontiguousarray(block.probes_degc),
            np.ascontiguousarray(block.current_a),
            self._origin,
            self._state,
            out,
        )
        return [self._finding(block, row) for row in out[:count]]

    def _finding(self, block: Moments, note: NDArray[np.float64]) -> Finding:
        time, kind, seconds, degc = int(block.time[int(note[0])]), int(note[1]), note[2], note[3]
        span = (self._origin + int(note[6] * 1e9), time)
        self._times[kind] += 1
        severity = "watch" if note[5] > 0 else "info"
        if kind == 0:
            text = f"{seconds / 60:.0f} min of charge, coldest {degc:.0f} degC"
            item = evidence("temperature", float(degc), float("nan"), COLD_DEGC, *span, text)
            parameters = {"minutes": seconds / 60, "degc": float(degc), "value_a": float(note[4])}
            code, score = "exposure.cold_charge", seconds / FIRST_COLD_S
        else:
            text = f"{seconds / 3600:.1f} h, hottest {degc:.0f} degC"
            item = evidence("temperature", float(degc), float("nan"), HOT_DEGC, *span, text)
            parameters = {
                "hours": seconds / 3600,
                "degc": float(degc),
                "limit_degc": HOT_DEGC,
            }
            code, score = "exposure.hot", seconds / FIRST_HOT_S
        times = self._times[kind]
        return found(code, time, span, 0, severity, score, parameters, (item,), times)
