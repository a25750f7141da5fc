"""The BMS's own word: charge levels that jump, stand still or lie, limits that do not fit, cells
that it no longer sends.

Mechanism: coulomb counting that is reset, a capacity that was set once and never learned, a
measuring board that dropped off its bus. What the BMS does wrong is no fault of a cell.
Evidence: the reported charge level against charge moved and against the estimate; the charge limit
against the highest cell and the coldest probe; the time since each cell was last heard.
A jump of 6 % is information (a full charge sets many counters right), the third, or one of 20 %,
"watch"; the rest is "watch" too. Never more: limits are another detector's.
Blind: capacity unknown: a level that stands still; slow errors of all BMS that count alike.
"""

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding, Parameters, evidence
from bms_studio.diagnosis.moments import PACK_COLUMNS, Moments
from bms_studio.diagnosis.words import found, listed
from bms_studio.pack.health import Health

JUMP, BIG_JUMP, JUMP_S, REPEATED = 0.06, 0.20, 45.0, 3
FROZEN_SHARE, WRONG, WRONG_SIGMAS = 0.08, 0.10, 4.0
# Makers call 100 % what leaves some room above: up to this it is a definition, not a lie.
LIE = 0.20
HOLDS_S, ALLOWED_A, COLD_K, FULL_V = 60.0, 0.5, 2.0, 0.01
# Below this no cell with a graphite anode may be charged.
FREEZING_DEGC = 0.0
SILENT_S, SILENT_PERIODS, LONGEST_WINDOW_S = 30.0, 8.0, 15.0
LOWEST_DEGC, HIGHEST_DEGC = -45.0, 150.0
_SOC, _CURRENT, _FULL, _ALLOWED = (
    PACK_COLUMNS[name] for name in ("soc", "current", "full_ah", "charge_current_limit")
)
# Shared: last s, SOC one and two rows before with their s, SOC when it last changed, Ah since then,
# frozen, s of full and cold limits since, their states, capacity.
_LAST, _S1, _T1, _S2, _T2, _HELD, _AH, _FROZEN, _FULL_S, _COLD_S, _IS_FULL, _IS_COLD = range(12)
# Per cell: heard ever, s in which others were heard since, usual gap s, silent.
_HEARD, _WAITED, _GAP, _SILENT = range(4)
_CODES = ("bms.soc_jump", "bms.frozen", "bms.charge_when_full", "bms.charge_when_cold", "silent")

_PARAMETERS = {
    "bms.frozen": ("percent", "moved_ah"),
    "bms.charge_when_full": ("value_a", "value_v"),
    "bms.charge_when_cold": ("value_a", "degc"),
}


@njit(nogil=True, cache=True)
def _tell(
    out: NDArray[np.float64], count: int, r: int, code: int, cell: int, a: float, b: float, on: int
) -> int:
    if count < len(out):
        out[count, 0], out[count, 1], out[count, 2] = r, code, cell
        out[count, 3], out[count, 4], out[count, 5] = a, b, on
        return count + 1
    return count


@njit(nogil=True, cache=True)
def _limit(
    now: float, broken: bool, known: bool, shared: NDArray[np.float64], since: int, active: int
) -> int:
    """1: the condition has held for long, -1: it is over, 0: nothing new."""
    if not known:
        return 0
    if not broken:
        shared[since] = -1.0
        if shared[active] > 0:
            shared[active] = 0.0
            return -1
        return 0
    if shared[since] < 0:
        shared[since] = now
    if shared[active] == 0 and now - shared[since] >= HOLDS_S:
        shared[active] = 1.0
        return 1
    return 0


@njit(nogil=True, cache=True)
def _watch(
    time: NDArray[np.int64],
    cells: NDArray[np.float32],
    pack: NDArray[np.float32],
    probes: NDArray[np.float32],
    limits: tuple[float, float],
    capacity_ah: float,
    origin: int,
    shared: NDArray[np.float64],
    state: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """(row, code, cell, value, other, 1 raised / 0 over) into out; their number."""
    count = 0
    for r in range(len(time)):
        now = (time[r] - origin) * 1e-9
        dt = min(max(now - shared[_LAST], 0.0), 60.0)
        shared[_LAST] = now
        soc, a, allowed = pack[r, _SOC], pack[r, _CURRENT], pack[r, _ALLOWED]
        full_ah = pack[r, _FULL] if pack[r, _FULL] > 0 else capacity_ah
        if not np.isnan(soc):
            # Two rows back: a jump inside a window shows half in one mean and half in the next.
            if abs(soc - shared[_S2]) >= JUMP and now - shared[_T2] <= JUMP_S:
                count = _tell(out, count, r, 0, -1, soc - shared[_S2], now - shared[_T2], 1)
                shared[_S1] = soc
            shared[_S2], shared[_T2] = shared[_S1], shared[_T1]
            shared[_S1], shared[_T1] = soc, now
            if abs(soc - shared[_HELD]) > 0.0005 or np.isnan(shared[_HELD]):
                shared[_HELD], shared[_AH] = soc, 0.0
                if shared[_FROZEN] > 0:
                    shared[_FROZEN] = 0
                    count = _tell(out, count, r, 1, -1, soc, 0.0, 0)
            elif not np.isnan(a):
                shared[_AH] += a * dt / 3600.0
                # At either end a level that stands still may be right.
                inner = (soc > 0.02 or shared[_AH] < 0) and (soc < 0.98 or shared[_AH] > 0)
                moved = abs(shared[_AH])
                stands = full_ah > 0 and moved > FROZEN_SHARE * full_ah and inner
                if stands and shared[_FROZEN] == 0:
                    shared[_FROZEN] = 1
                    count = _tell(out, count, r, 1, -1, soc, moved, 1)
        top, some = -np.inf, False
        for c in range(cells.shape[1]):
            v = cells[r, c]
            if np.isnan(v):
                continue
            some = True
            top = max(top, v)
            if state[c, _HEARD] > 0:
                state[c, _GAP] = max(state[c, _WAITED], 0.98 * state[c, _GAP])
            state[c, _HEARD], state[c, _WAITED] = 1.0, 0.0
            if state[c, _SILENT] > 0:
                state[c, _SILENT] = 0
                count = _tell(out, count, r, 4, c, 0.0, 0.0, 0)
        if some:
            for c in range(cells.shape[1]):
                if state[c, _HEARD] == 0 or not np.isnan(cells[r, c]):
                    continue
                # Only time in which others are heard: a silent bus is the link's.
                state[c, _WAITED] += min(dt, LONGEST_WINDOW_S)
                waited = state[c, _WAITED]
                longest = max(SILENT_S, SILENT_PERIODS * state[c, _GAP])
                if state[c, _SILENT] == 0 and waited >= longest:
                    state[c, _SILENT] = 1
                    count = _tell(out, count, r, 4, c, waited, 0.0, 1)
        cold = np.inf
        for p in range(probes.shape[1]):
            if probes[r, p] > LOWEST_DEGC and probes[r, p] < HIGHEST_DEGC:
                cold = min(cold, probes[r, p])
        open_ = not np.isnan(allowed) and allowed > ALLOWED_A
        known = not np.isnan(allowed)
        turn = _limit(
            now, open_ and top > limits[0] + FULL_V, known and some, shared, _FULL_S, _IS_FULL
        )
        if turn != 0:
            count = _tell(out, count, r, 2, -1, allowed, top, 1 if turn > 0 else 0)
        chilly = open_ and cold < limits[1] - COLD_K
        turn = _limit(now, chilly, known and cold < np.inf, shared, _COLD_S, _IS_COLD)
        if turn != 0:
            count = _tell(out, count, r, 3, -1, allowed, cold, 1 if turn > 0 else 0)
    return count


class BmsWatch:
    """Watches the BMS's word in moments of ten seconds. cell_voltage_max: V, None unknown, then the
    charge limit is not judged by it."""

    def __init__(self, cell_voltage_max: float | None = None) -> None:
        nan = float("nan")
        self._limits = (np.inf if cell_voltage_max is None else cell_voltage_max, FREEZING_DEGC)
        self._shared = np.zeros(12)
        self._shared[[_S1, _S2, _HELD]] = nan
        self._shared[[_FULL_S, _COLD_S]] = -1.0
        self._state = np.zeros((0, 4))
        self._origin = -1  # none yet: time may begin at 0
        self._jumps: list[int] = []
        self._silent: dict[int, float] = {}
        self._newest: dict[str, Finding] = {}
        self._capacity_ah = nan
        self.reported_soc = nan
        self._reported_at = 0

    def push(self, block: Moments) -> list[Finding]:
        """What these moments raised or resolved."""
        if not len(block):
            return []
        more = block.cells_v.shape[1] - len(self._state)
        if more > 0:
            self._state = np.concatenate([self._state, np.zeros((more, 4))])
        self._origin = self._origin if self._origin >= 0 else int(block.time[0])
        out = np.empty((64 + 4 * block.cells_v.shape[1] + len(block), 6))
        count = _watch(
            block.time,
            block.cells_v,
            np.ascontiguousarray(block.pack),
            np.ascontiguousarray(block.probes_degc),
            self._limits,
            self._capacity_ah,
            self._origin,
            self._shared,
            self._state,
            out,
        )
        known = np.flatnonzero(~np.isnan(block.pack[:, _SOC]))
        if len(known):
            self.reported_soc = float(block.pack[known[-1], _SOC])
            self._reported_at = int(block.time[known[-1]])
        made = [self._finding(int(block.time[int(row[0])]), row) for row in out[:count]]
        return [finding for finding in made if finding is not None]

    def find(self, now: Health) -> list[Finding]:
        """The reported charge level against the estimate, where that is known to 3 %."""
        self._capacity_ah = now.scale_ah
        ours, sigma = now.of_pack("soc"), now.of_pack("soc_sigma")
        usable = now.of_pack("usable_soc")
        fresh = abs(now.time - self._reported_at) < 120_000_000_000
        if not (sigma <= 0.03 and fresh and np.isfinite(self.reported_soc)):
            return []
        # A BMS may report the mean cell or what the weakest leaves: anything between is right.
        low, high = sorted((ours, usable if np.isfinite(usable) else ours))
        off = max(low - self.reported_soc, self.reported_soc - high)
        if off < max(WRONG, WRONG_SIGMAS * sigma):
            return []
        span = (now.start, now.time)
        text = f"reported {100 * self.reported_soc:.0f} %, estimated {100 * ours:.0f} %"
        item = evidence("soc", self.reported_soc, sigma, ours, *span, text)
        parameters = {"reported": 100 * self.reported_soc, "percent": 100 * ours}
        severity = "watch" if off >= LIE else "info"
        return [
            found("bms.soc_wrong", now.time, span, 0, severity, off / WRONG, parameters, (item,))
        ]

    def _finding(self, time: int, note: NDArray[np.float64]) -> Finding | None:
        code, a, b, on = _CODES[int(note[1])], float(note[3]), float(note[4]), note[5] > 0
        if code == "silent":
            return self._silence(time, int(note[2]) + 1, a if on else -1.0)
        if not on:
            before = self._newest.pop(code, None)
            return replace(before, time=time, state="resolved") if before else None
        if code == "bms.soc_jump":
            return self._jump(time, a, b)
        span = (time - int(HOLDS_S * 1e9), time)
        names = _PARAMETERS[code]
        scale = 100.0 if code == "bms.frozen" else 1.0
        parameters: Parameters = {names[0]: scale * a, names[1]: b}
        self._newest[code] = found(code, time, span, 0, "watch", 1.0, parameters)
        return self._newest[code]

    def _jump(self, time: int, size: float, seconds: float) -> Finding:
        self._jumps.append(time)
        span = (time - int(seconds * 1e9), time)
        serious = abs(size) >= BIG_JUMP or len(self._jumps) >= REPEATED
        made = found(
            "bms.soc_jump",
            time,
            span,
            0,
            "watch" if serious else "info",
            abs(size) / JUMP,
            {"percent": 100 * size, "seconds": seconds},
        )
        return replace(made, count=len(self._jumps))

    def _silence(self, time: int, cell: int, gap_s: float) -> Finding | None:
        """One alert for all cells that are silent; gap_s negative: this one is heard again."""
        if gap_s < 0:
            self._silent.pop(cell, None)
        else:
            self._silent[cell] = gap_s
        before = self._newest.get("silent")
        if not self._silent:
            self._newest.pop("silent", None)
            return replace(before, time=time, state="resolved") if before else None
        longest = max(self._silent.values())
        told: Parameters = {"cells": listed(sorted(self._silent)), "seconds": longest}
        start = before.start if before else time - int(longest * 1e9)
        score = float(len(self._silent))
        made = found("bms.silent_cells", time, (start, time), 0, "watch", score, told)
        self._newest["silent"] = made
        return made
