"""One running time out of the stamps of a log, by rules that hold for every format.

Order of the frames is kept, always. What is not believed is counted and marked, never silent:

* A *damaged* stamp leaps by more than 1 s and is followed, within 50 frames, by stamps that go on
  from before the leap: it takes the time of the frame before it. So are the last three stamps of a
  log when they lie more than a day above the rest, and the first three when the ones behind them
  lie more than 1 s below them, or more than a day above: those take the time of the first good one.
* With a period below ten minutes a slow bus looks like damage: there only a single stamp counts.
* A *wrap* is a fall by more than half of the stamps' own period (counters of 16 or 32 bits).
* A *restart* is any other fall of more than 1 s that lasts: time goes on from the latest stamp.
* Other disorder, smaller or shorter, is raised to the latest stamp (`logs.repair_time`).
"""

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

FINE, DAMAGED, RESTART = 0, 1, 2
REACH = 50
TABLE_REACH = 3
_SHORT_PERIOD_NS = 600_000_000_000
_STEP_NS = 1_000_000_000
_DAY_NS = 86_400_000_000_000
_FAR_NS = 4_000_000_000_000_000_000
_FIRST = 3


@dataclass(slots=True, eq=False)
class StampClock:
    """Carries over the blocks of a log. wrap_ns: the stamps' own period, 0 for none. ends: the
    first and last stamps may be damaged (rows of a table are often days apart, frames are not)."""

    wrap_ns: int = 0
    reach: int = 0
    ends: bool = True
    # seen, latest good stamp, offset of the running time, running time of the frame before
    _state: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))

    def run(
        self, time: NDArray[np.int64], final: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Running time and kind (FINE, DAMAGED, RESTART) of the first stamps of `time` (ns, (N,)).

        Fewer come back than were given where a doubt needs what follows: hand those over again,
        with more behind them. final: nothing follows, all are decided.
        """
        running = np.empty(len(time), np.int64)
        kind = np.zeros(len(time), np.uint8)
        short = 0 < self.wrap_ns < _SHORT_PERIOD_NS
        reach = self.reach or (1 if short else REACH)
        slack = 0 if short else _STEP_NS
        stamps = np.clip(time, -_FAR_NS, _FAR_NS)
        count = _run(
            stamps, final, self.ends, self.wrap_ns, reach, slack, self._state, running, kind
        )
        return running[:count], kind[:count]


def unbroken(
    time: NDArray[np.int64], wrap_ns: int = 0, reach: int = TABLE_REACH
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Running time and kind of all stamps of a table at once."""
    return StampClock(wrap_ns, reach, ends=False).run(time, True)


@njit(nogil=True, cache=True)
def _comes_back(time: NDArray[np.int64], at: int, reach: int, latest: int, slack: int) -> bool:
    """Whether stamps soon after `at` go on from before its leap ahead."""
    half = (time[at] - latest) // 2
    for k in range(at + 1, min(at + 1 + reach, len(time))):
        if latest - slack <= time[k] < latest + half:
            return True
    return False


@njit(nogil=True, cache=True)
def _stays_low(time: NDArray[np.int64], at: int, reach: int, latest: int) -> bool:
    """Whether the fall at `at` lasts."""
    end = min(at + 1 + reach, len(time))
    return end == at + 1 or bool(time[at + 1 : end].max() < latest - _STEP_NS)


@njit(nogil=True, cache=True)
def _run(
    time: NDArray[np.int64],
    final: bool,
    ends: bool,
    wrap_ns: int,
    reach: int,
    slack: int,
    state: NDArray[np.int64],
    running: NDArray[np.int64],
    kind: NDArray[np.uint8],
) -> int:
    count = len(time)
    seen, latest, offset, before = state[0], state[1], state[2], state[3]
    at = 0
    if seen == 0 and count < reach + _FIRST and not final:
        return 0
    while at < count:
        stamp = time[at]
        if seen == 0:
            latest = stamp
        step = stamp - latest
        if abs(step) > _STEP_NS:
            if at + reach >= count and not final:
                break
            first = ends and seen <= _FIRST and at == seen
            if step > 0:
                last = ends and count - at <= _FIRST and seen > 3 * _FIRST and step > _DAY_NS
                if last or _comes_back(time, at, reach, latest, slack):
                    kind[at] = DAMAGED
                elif first and step > _DAY_NS:
                    for k in range(at):
                        running[k], kind[k] = stamp, DAMAGED
            elif _stays_low(time, at, reach, latest):
                if wrap_ns and wrap_ns // 2 < -step <= wrap_ns:
                    offset += wrap_ns if offset + wrap_ns + stamp < _FAR_NS else 0
                    latest = stamp
                elif first and count - at > _FIRST:
                    for k in range(at):
                        running[k], kind[k] = stamp + offset, DAMAGED
                    latest = stamp
                elif count - at > 2 and offset + latest < _FAR_NS:
                    offset += latest - stamp
                    latest = stamp
                    kind[at] = RESTART
        if kind[at] == DAMAGED:
            running[at] = before if seen else stamp
        else:
            running[at] = stamp + offset
            latest = max(latest, stamp)
        before = running[at]
        seen += 1
        at += 1
    state[0], state[1], state[2], state[3] = seen, latest, offset, before
    return at
