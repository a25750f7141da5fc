"""Balancers: one that never ends, never begins, or takes charge from the wrong cell.

Mechanism: a switch that is welded or open, a BMS that balances by a wrong reading.
Evidence: the balancing flags against each cell's difference from the median while the flag is off
and hardly any current flows (a bleed pulls its own reading down).
On for 12 h without an end, on for half an hour at a cell that rests below the median, and never on
in hours of balancing at the cell that rests highest are "watch". How many hours balancing still
needs, by what it has achieved so far, is information.
Blind: a switch that is welded while the flag says off shows as self-discharge; flags that the BMS
does not send.
"""

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.words import found

STUCK_H, AGAINST_H, NEVER_H = 12.0, 0.5, 6.0
AGAINST_V, BLEEDING_V, HIGH_V = 0.010, 0.040, 0.020
LOW_A = 1.0
LEAST_GAIN_H, LEAST_GAIN_V, DAY_S = 2.0, 0.003, 86_400.0
# Per cell: h on in a row, h on although low, h high while others are balanced, last difference
# while off, its value when the flag went on, h on since then, stuck, against, never; shared: last
# s, gained V, gained h, last day told.
_ON, _AGAINST, _NEVER, _OFF_V, _BEGAN_V, _SINCE, _IS_STUCK, _IS_AGAINST, _IS_NEVER = range(9)
_LAST, _GAIN_V, _GAIN_H, _TOLD = range(4)
_CODES = ("balancing.stuck_on", "balancing.against", "balancing.stuck_off", "balancing.hours")


@njit(nogil=True, cache=True)
def _tell(
    out: NDArray[np.float64], count: int, r: int, code: int, c: int, value: float, raised: float
) -> int:
    if count < len(out):
        out[count, 0], out[count, 1], out[count, 2] = r, code, c
        out[count, 3], out[count, 4] = value, raised
        return count + 1
    return count


@njit(nogil=True, cache=True)
def _switch(
    out: NDArray[np.float64],
    count: int,
    place: tuple[int, int, int],
    cell: NDArray[np.float64],
    flag: int,
    holds: bool,
    value: float,
) -> int:
    """Note that a condition began or ended, and remember it in the cell's state."""
    if holds == (cell[flag] > 0):
        return count
    cell[flag] = 1.0 if holds else 0.0
    return int(_tell(out, count, place[0], place[1], place[2], value, cell[flag]))


@njit(nogil=True, cache=True)
def _watch(
    time: NDArray[np.int64],
    cells: NDArray[np.float32],
    median: NDArray[np.float32],
    current: NDArray[np.float32],
    flags: NDArray[np.float32],
    origin: int,
    state: NDArray[np.float64],
    shared: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """(row, code, cell, value, 1 raised / 0 over) into out; their number."""
    count = 0
    width = min(cells.shape[1], flags.shape[1])
    for r in range(len(time)):
        now = (time[r] - origin) * 1e-9
        hours = min(max(now - shared[_LAST], 0.0), 60.0) / 3600.0
        shared[_LAST] = now
        calm = not abs(current[r]) > LOW_A
        any_on = False
        top, most = -1, -np.inf
        for c in range(width):
            any_on = any_on or flags[r, c] >= 0.5
            if state[c, _OFF_V] > most:
                top, most = c, state[c, _OFF_V]
        for c in range(width):
            flag, cell = flags[r, c], state[c]
            d = cells[r, c] - median[r]
            if np.isnan(flag):
                continue
            if flag >= 0.5:
                if cell[_ON] == 0:
                    cell[_BEGAN_V], cell[_SINCE] = cell[_OFF_V], 0.0
                cell[_ON] += hours
                cell[_SINCE] += hours
                cell[_NEVER] = 0.0
                # One that reads above the median now is the right one, whatever it rested at.
                low = (cell[_OFF_V] < -AGAINST_V and d < 0) or (calm and d < -BLEEDING_V)
                cell[_AGAINST] = cell[_AGAINST] + hours if low else 0.0
            else:
                cell[_ON] = cell[_AGAINST] = 0.0
                if flag == 0 and calm and not np.isnan(d):
                    first = np.isnan(cell[_OFF_V])
                    cell[_OFF_V] = d if first else cell[_OFF_V] + 0.1 * (d - cell[_OFF_V])
                    if cell[_SINCE] > 0.25 and not np.isnan(cell[_BEGAN_V]):
                        shared[_GAIN_V] += cell[_BEGAN_V] - d
                        shared[_GAIN_H] += cell[_SINCE]
                    cell[_SINCE] = 0.0
                if any_on and c == top and most > HIGH_V:
                    cell[_NEVER] += hours
            count = _switch(out, count, (r, 0, c), cell, _IS_STUCK, cell[_ON] >= STUCK_H, cell[_ON])
            against = cell[_AGAINST] >= AGAINST_H
            below = -d if np.isnan(cell[_OFF_V]) else -cell[_OFF_V]
            count = _switch(out, count, (r, 1, c), cell, _IS_AGAINST, against, below)
            never = cell[_NEVER] >= NEVER_H
            count = _switch(out, count, (r, 2, c), cell, _IS_NEVER, never, cell[_OFF_V])
        known = shared[_GAIN_H] >= LEAST_GAIN_H and shared[_GAIN_V] >= LEAST_GAIN_V
        if any_on and known and most > 0.005 and now - shared[_TOLD] >= DAY_S:
            shared[_TOLD] = now
            needed = most / (shared[_GAIN_V] / shared[_GAIN_H])
            count = _tell(out, count, r, 3, -1, needed, 1.0)
    return count


class BalancerWatch:
    """Watches the flags in moments of ten seconds as they come."""

    def __init__(self) -> None:
        self._state = np.zeros((0, 9))
        self._shared = np.zeros(4)
        self._shared[_TOLD] = -DAY_S
        self._origin = -1  # none yet: time may begin at 0
        self._newest: dict[str, Finding] = {}

    def push(self, block: Moments) -> list[Finding]:
        """What these moments raised or resolved."""
        if not len(block) or not block.balancing.shape[1]:
            return []
        more = block.cells_v.shape[1] - len(self._state)
        if more > 0:
            fresh = np.zeros((more, 9))
            fresh[:, _OFF_V] = fresh[:, _BEGAN_V] = np.nan
            self._state = np.concatenate([self._state, fresh])
        self._origin = self._origin if self._origin >= 0 else int(block.time[0])
        out = np.empty((64 + 6 * block.cells_v.shape[1] + len(block), 5))
        count = _watch(
            block.time,
            block.cells_v,
            block.median_v,
            np.ascontiguousarray(block.current_a),
            np.ascontiguousarray(block.balancing),
            self._origin,
            self._state,
            self._shared,
            out,
        )
        made = [self._finding(block, row) for row in out[:count]]
        return [finding for finding in made if finding is not None]

    def _finding(self, block: Moments, note: NDArray[np.float64]) -> Finding | None:
        time, code, cell = int(block.time[int(note[0])]), _CODES[int(note[1])], int(note[2]) + 1
        value = float(note[3])
        if note[4] == 0:
            before = self._newest.pop(f"{code}.{cell}", None)
            return replace(before, time=time, state="resolved") if before else None
        if code == "balancing.hours":
            span = (self._origin, time)
            return found(code, time, span, 0, "info", 1.0, {"hours": value})
        stuck = code == "balancing.stuck_on"
        hours = {"balancing.stuck_on": STUCK_H, "balancing.against": AGAINST_H}.get(code, NEVER_H)
        span = (time - int(hours * 3.6e12), time)
        if stuck:
            item = evidence("balancing_h", value, 0.0, STUCK_H, *span, f"on for {value:.0f} h")
            made = found(code, time, span, cell, "watch", 1.0, {"hours": value}, (item,))
        else:
            sign = -1.0 if code == "balancing.against" else 1.0
            text = f"{1e3 * sign * value:+.0f} mV against the median with the flag off"
            item = evidence("deviation", sign * value, 0.002, 0.0, *span, text)
            parameters = {"millivolt": 1e3 * value}
            score = abs(value) / AGAINST_V
            made = found(code, time, span, cell, "watch", score, parameters, (item,))
        self._newest[f"{code}.{cell}"] = made
        return made
