"""Limits with debounce: what every threshold alarm can say, and the baseline for everything better.

Rows in, transitions out; the result does not depend on how the stream is cut into blocks. Unknown
values neither raise nor clear anything.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding

DEBOUNCE_NS = 500_000_000
CLEAR_NS = 2_000_000_000
# State columns per channel: since when beyond (0 not), active (0, 1), since when back, worst x 1e6.
_SINCE, _ACTIVE, _BACK, _WORST = range(4)
_MICRO = 1_000_000
_UNITS = {"v": "V", "degc": "°C", "a": "A"}


@njit(nogil=True, cache=True)
def _watch(
    time: NDArray[np.int64],
    rows: NDArray[np.float32],
    limit: float,
    hysteresis: float,
    sign: float,
    debounce_ns: int,
    clear_ns: int,
    state: NDArray[np.int64],
    out: NDArray[np.int64],
) -> int:
    """Transitions (row, column, start, worst x 1e6, 1 raised / 0 cleared) into out; their number.

    sign +1: beyond is above the limit, -1: below it.
    """
    count = 0
    for r in range(len(time)):
        for c in range(rows.shape[1]):
            v = rows[r, c]
            if np.isnan(v):
                continue
            excess = sign * (v - limit)
            if excess > 0:
                if state[c, _SINCE] == 0:
                    state[c, _SINCE] = time[r]
                    state[c, _WORST] = int(v * _MICRO)
                if sign * (v * _MICRO - state[c, _WORST]) > 0:
                    state[c, _WORST] = int(v * _MICRO)
                state[c, _BACK] = 0
                if state[c, _ACTIVE] == 0 and time[r] - state[c, _SINCE] >= debounce_ns:
                    state[c, _ACTIVE] = 1
                    count = _note(out, count, r, c, state, 1)
            elif state[c, _ACTIVE] == 0:
                state[c, _SINCE] = 0
            elif excess < -hysteresis:
                if state[c, _BACK] == 0:
                    state[c, _BACK] = time[r]
                elif time[r] - state[c, _BACK] >= clear_ns:
                    count = _note(out, count, r, c, state, 0)
                    state[c, _ACTIVE] = 0
                    state[c, _SINCE] = 0
                    state[c, _BACK] = 0
    return count


@njit(nogil=True, cache=True)
def _note(
    out: NDArray[np.int64], count: int, row: int, column: int, state: NDArray[np.int64], kind: int
) -> int:
    if count < len(out):
        out[count, 0] = row
        out[count, 1] = column
        out[count, 2] = state[column, _SINCE]
        out[count, 3] = state[column, _WORST]
        out[count, 4] = kind
        return count + 1
    return count


@dataclass(frozen=True, slots=True)
class LimitRule:
    """One limit: finding code, kind of channel ("cell", "probe", "pack"), unit of its parameters,
    limit, hysteresis, whether beyond means above, and severity when it is. assumed: the chemistry
    whose limit it is, where that was recognised and nobody stated it."""

    code: str
    channel: str
    unit: str
    limit: float
    hysteresis: float
    above: bool
    severity: str = "warn"
    assumed: str = ""


class LimitWatch:
    """One rule over all columns of a group."""

    def __init__(self, rule: LimitRule) -> None:
        self.rule = rule
        self._state = np.zeros((0, 4), np.int64)
        self._counts: dict[int, int] = {}
        self._last = 0

    def push(self, time: NDArray[np.int64], rows: NDArray[np.float32]) -> list[Finding]:
        """Findings raised or resolved by these rows: time int64 ns (M,), rows (M, N)."""
        columns = rows.shape[1]
        if columns > len(self._state):
            extra = np.zeros((columns - len(self._state), 4), np.int64)
            self._state = np.concatenate([self._state, extra])
        rule = self.rule
        self._last = int(time[-1]) if len(time) else self._last
        out = np.empty((256, 5), np.int64)
        count = _watch(
            time,
            np.ascontiguousarray(rows, np.float32),
            rule.limit,
            rule.hysteresis,
            1.0 if rule.above else -1.0,
            DEBOUNCE_NS,
            CLEAR_NS,
            self._state,
            out,
        )
        return [self._transition(time, out[i]) for i in range(count)]

    def pending(self) -> list[Finding]:
        """What is beyond the limit now, but not for long enough yet."""
        waiting = (self._state[:, _SINCE] != 0) & (self._state[:, _ACTIVE] == 0)
        return [
            self._finding(int(since), int(column), int(since), int(worst), "pending")
            for column in np.flatnonzero(waiting)
            for since, worst in [self._state[column, [_SINCE, _WORST]]]
        ]

    def flush(self) -> list[Finding]:
        """At the end of a stream what is pending stays so: a watch, for one sample may be noise."""
        return [replace(f, severity="watch", time=self._last) for f in self.pending()]

    def _transition(self, time: NDArray[np.int64], note: NDArray[np.int64]) -> Finding:
        row, column, start, worst, raised = (int(v) for v in note)
        if raised:
            self._counts[column] = self._counts.get(column, 0) + 1
        state = "active" if raised else "resolved"
        return self._finding(int(time[row]), column, start, worst, state)

    def _finding(self, time: int, column: int, start: int, worst: int, state: str) -> Finding:
        rule, number, value = self.rule, column + 1, worst / _MICRO
        parameters: dict[str, float | str | int] = {
            f"value_{rule.unit}": value,
            f"limit_{rule.unit}": rule.limit,
        }
        if rule.channel != "pack":
            parameters[rule.channel] = number
        if rule.assumed:
            parameters["assumed"] = rule.assumed
        name = "Pack" if rule.channel == "pack" else f"{rule.channel.capitalize()} {number}"
        side, unit = "above" if rule.above else "below", _UNITS[rule.unit]
        limit = f"{rule.limit:.3f} {unit}"
        said = f" (usual for {rule.assumed}, which the data speak for)" if rule.assumed else ""
        return Finding(
            id=f"{rule.code}.{number}",
            time=time,
            start=start,
            end=time,
            cell=number if rule.channel == "cell" else 0,
            kind="limits",
            severity=rule.severity,
            state=state,
            score=abs(value - rule.limit) / max(rule.hysteresis, 1e-9),
            code=rule.code,
            parameters=parameters,
            text=f"{name} at {value:.3f} {unit} is {side} its limit of {limit}{said}",
            count=self._counts.get(column, 1),
        )
