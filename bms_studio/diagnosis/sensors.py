"""Sensors that are stuck, frozen or noisy: readings that say nothing of the cell.

Mechanism: an input of the measuring chip that hangs, a BMS that repeats its last frame, a sense
wire with a bad contact that picks up the controller's switching.
Evidence: a reading without a single step for three minutes after the median has moved by 20 mV
since its last one, and for three times as long as cells usually take (telematics hand over cells in
parts, minutes apart; time in which no cell at all was renewed is the link's, and does not count);
all readings without one while the current moved; noise five times that of the neighbours and above
3 mV. Readings in coarse steps jump by one where they lie between two: noise must be above a whole
step, and the median must have moved by four before a cell is stuck.
Always "watch": the cell may be well. A reading that is absurd is `plausibility`'s.
Blind: at rest nothing moves, so nothing can be stuck; noise that all cells share.
"""

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.words import found
from bms_studio.numerics.resolution import Resolution

STUCK_S, STUCK_V, STUCK_ROWS, RENEWED_S = 180.0, 0.020, 30, 10.0
# Slow buses renew a cell in minutes: so many of the usual times between two of its values.
PERIODS, PERIOD_KEPT = 3.0, 0.7
FROZEN_S = 60.0
FROZEN_A = 5.0
NOISE_TIMES, NOISE_V, NOISE_ROWS = 5.0, 0.003, 600
# In steps of the readings' resolution: what a reading that lies between two of them jumps by, and
# how far the median must move before a cell cannot have stayed on one.
NOISE_STEPS, STUCK_STEPS = 1.0, 4.0
# Two scans with medians further apart are load, not noise.
_STEADY_V = 0.002
_MINUTE_NS = 60_000_000_000
_SLOW = 0.005
# Per cell: last value, since s, lowest and highest median since, rows since, noise, rows of noise,
# stuck, noisy, difference in the row before, renewed s when the median had moved, usual s between
# two values. Shared: previous median, frozen since s, lowest and highest current since, frozen
# rows, frozen, last minute, s of the last row, s of the last row with a new value, s in which
# values were renewed, whether the median stood still in the last row.
_LAST, _SINCE, _LOW, _HIGH, _ROWS, _NOISE, _SEEN, _STUCK, _NOISY, _BEFORE, _MOVED, _PERIOD = range(
    12
)
(
    _MEDIAN,
    _F_SINCE,
    _F_LOW,
    _F_HIGH,
    _F_ROWS,
    _FROZEN,
    _LAST_MINUTE,
    _ROW_S,
    _NEW_S,
    _ALIVE,
    _STILL,
) = range(11)
_CODES = ("sensor.stuck", "sensor.frozen", "sensor.noisy")


@njit(nogil=True, cache=True)
def _note(
    out: NDArray[np.float64],
    count: int,
    row: int,
    code: int,
    cell: int,
    since: float,
    value: float,
    usual: float,
) -> int:
    if count < len(out):
        out[count, 0], out[count, 1], out[count, 2] = row, code, cell
        out[count, 3], out[count, 4], out[count, 5] = since, value, usual
        return count + 1
    return count


@njit(nogil=True, cache=True)
def _usual(noise: NDArray[np.float64], seen: NDArray[np.float64]) -> float:
    enough = noise[seen >= NOISE_ROWS]
    return float(np.median(enough)) if len(enough) >= 3 else np.nan


@njit(nogil=True, cache=True)
def _watch(
    time: NDArray[np.int64],
    rows: NDArray[np.float32],
    median: NDArray[np.float32],
    current: NDArray[np.float32],
    resolution: NDArray[np.float64],
    origin: int,
    state: NDArray[np.float64],
    shared: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """(row, code, cell, start s, value, usual) into out, value negative: over; their number."""
    count = 0
    for r in range(len(time)):
        now = (time[r] - origin) * 1e-9
        m = median[r]
        # A cell that is read late follows a step one scan after the others: that is no noise.
        still = abs(m - shared[_MEDIAN]) < _STEADY_V
        steady = still and shared[_STILL] > 0
        shared[_STILL] = 1.0 if still else 0.0
        shared[_MEDIAN] = m
        for c in range(rows.shape[1]):
            if rows[r, c] != state[c, _LAST] and not np.isnan(rows[r, c]):
                shared[_NEW_S] = now
                break
        if now - shared[_NEW_S] < RENEWED_S:
            shared[_ALIVE] += now - shared[_ROW_S]
        shared[_ROW_S] = now
        alive = shared[_ALIVE]
        moved = False
        some = False
        for c in range(rows.shape[1]):
            v = rows[r, c]
            if np.isnan(v):
                state[c, _BEFORE] = np.nan
                continue
            some = True
            if steady and not np.isnan(state[c, _BEFORE]):
                step = abs(v - m - state[c, _BEFORE])
                state[c, _SEEN] += 1
                share = max(_SLOW, 1.0 / state[c, _SEEN])
                state[c, _NOISE] += share * (step - state[c, _NOISE])
            state[c, _BEFORE] = v - m
            if v != state[c, _LAST]:
                moved = True
                if state[c, _STUCK] > 0:
                    state[c, _STUCK] = 0
                    count = _note(out, count, r, 0, c, state[c, _SINCE], -1.0, 0.0)
                if not np.isnan(state[c, _LAST]):
                    kept = PERIOD_KEPT * state[c, _PERIOD]
                    state[c, _PERIOD] = max(now - state[c, _SINCE], kept)
                state[c, _LAST], state[c, _SINCE] = v, now
                state[c, _LOW] = state[c, _HIGH] = m
                state[c, _ROWS], state[c, _MOVED] = 0, alive
                continue
            state[c, _ROWS] += 1
            if not m >= state[c, _LOW]:
                state[c, _LOW] = m
            if not m <= state[c, _HIGH]:
                state[c, _HIGH] = m
            travel = state[c, _HIGH] - state[c, _LOW]
            if travel < max(STUCK_V, STUCK_STEPS * resolution[r]):
                state[c, _MOVED], state[c, _ROWS] = alive, 0
            long = alive - state[c, _MOVED] >= STUCK_S and state[c, _ROWS] >= STUCK_ROWS
            if long and state[c, _STUCK] == 0 and rows.shape[1] > 1:
                long = now - state[c, _SINCE] >= PERIODS * np.median(state[:, _PERIOD])
            if long and state[c, _STUCK] == 0 and rows.shape[1] > 1:
                state[c, _STUCK] = 1
                count = _note(out, count, r, 0, c, state[c, _SINCE], travel, 0.0)
        a = current[r]
        if moved or not some:
            if shared[_FROZEN] > 0:
                shared[_FROZEN] = 0
                count = _note(out, count, r, 1, -1, shared[_F_SINCE], -1.0, 0.0)
            shared[_F_SINCE], shared[_F_ROWS] = now, 0
            shared[_F_LOW] = shared[_F_HIGH] = a
        else:
            shared[_F_ROWS] += 1
            if not a >= shared[_F_LOW]:
                shared[_F_LOW] = a
            if not a <= shared[_F_HIGH]:
                shared[_F_HIGH] = a
            travel = shared[_F_HIGH] - shared[_F_LOW]
            long = now - shared[_F_SINCE] >= FROZEN_S and shared[_F_ROWS] >= STUCK_ROWS
            if long and travel >= FROZEN_A and shared[_FROZEN] == 0:
                shared[_FROZEN] = 1
                waited = now - shared[_F_SINCE]
                count = _note(out, count, r, 1, -1, shared[_F_SINCE], waited, travel)
        minute = time[r] // _MINUTE_NS
        if minute != shared[_LAST_MINUTE]:
            shared[_LAST_MINUTE] = minute
            usual = _usual(state[:, _NOISE], state[:, _SEEN])
            for c in range(rows.shape[1]):
                if np.isnan(usual) or state[c, _SEEN] < NOISE_ROWS:
                    continue
                noise = state[c, _NOISE]
                floor = max(NOISE_TIMES * usual, NOISE_V, NOISE_STEPS * resolution[r])
                loud = noise > floor
                if loud and state[c, _NOISY] == 0:
                    state[c, _NOISY] = 1
                    count = _note(out, count, r, 2, c, now - 60.0, noise, usual)
                elif state[c, _NOISY] > 0 and noise < 0.6 * floor:
                    state[c, _NOISY] = 0
                    count = _note(out, count, r, 2, c, now, -1.0, usual)
    return count


class SensorWatch:
    """Finds all three in moments as they come."""

    def __init__(self) -> None:
        self._state = np.zeros((0, 12))
        self._resolution = Resolution()
        self._shared = np.zeros(11)
        self._origin = -1  # none yet: time may begin at 0
        self._newest: dict[str, Finding] = {}

    def push(self, block: Moments) -> list[Finding]:
        """What these moments raised or resolved."""
        if not len(block):
            return []
        more = block.cells_v.shape[1] - len(self._state)
        if more > 0:
            fresh = np.zeros((more, 12))
            fresh[:, _LAST] = fresh[:, _BEFORE] = np.nan
            self._state = np.concatenate([self._state, fresh])
        self._origin = self._origin if self._origin >= 0 else int(block.time[0])
        # At most a few notes per cell and minute; a block holds fewer than this allows.
        out = np.empty((64 + 8 * block.cells_v.shape[1] + len(block) // 8, 6))
        current = np.ascontiguousarray(block.current_a)
        count = _watch(
            block.time,
            block.cells_v,
            block.median_v,
            current,
            self._resolution.push(block.cells_v),
            self._origin,
            self._state,
            self._shared,
            out,
        )
        return [f for row in out[:count] if (f := self._finding(block, row)) is not None]

    def _finding(self, block: Moments, note: NDArray[np.float64]) -> Finding | None:
        time, code = int(block.time[int(note[0])]), _CODES[int(note[1])]
        cell, value, usual = int(note[2]) + 1, float(note[4]), float(note[5])
        if value < 0:
            before = self._newest.pop(f"{code}.{cell}", None)
            return replace(before, time=time, state="resolved") if before else None
        start = self._origin + int(note[3] * 1e9)
        span = (start, time)
        if code == "sensor.frozen":
            text = f"no step for {value:.0f} s while the current moved by {usual:.0f} A"
            item = evidence("voltage", 0.0, float("nan"), usual, *span, text)
            made = found(
                code, time, span, 0, "watch", value / FROZEN_S, {"seconds": value}, (item,)
            )
        elif code == "sensor.stuck":
            text = f"no step while the median moved by {1e3 * value:.0f} mV"
            item = evidence("voltage", 0.0, float("nan"), value, *span, text)
            made = found(code, time, span, cell, "watch", value / STUCK_V, {}, (item,))
        else:
            text = f"noise {1e3 * value:.1f} mV, the neighbours' {1e3 * usual:.1f} mV"
            item = evidence("noise", value, float("nan"), usual, *span, text)
            parameters = {"millivolt": 1e3 * value, "usual_mv": 1e3 * usual}
            score = value / max(NOISE_TIMES * usual, NOISE_V)
            made = found(code, time, span, cell, "watch", score, parameters, (item,))
        self._newest[f"{code}.{cell}"] = made
        return made
