"""Resistances from steps of current, window by window, and whether the current's sign is right.

An answer counts from the pair of readings that closed its window, so that how rows are cut into
blocks makes no difference. Arrays in, rows out.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.tally import Tally
from bms_studio.estimators import resistance
from bms_studio.estimators.contract import Samples, State
from bms_studio.estimators.model import CellModel

# Short recordings hold some windows too.
_WINDOW_S = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """row: of `resistance.step`, empty before the first; correlation: of steps of current and
    voltage (see `Tally`), and how many there were."""

    row: dict[str, NDArray[Any]] = field(default_factory=dict)
    correlation: tuple[float, int] = (math.nan, 0)


class Steps:
    """Feed it pairs; `until(t)` is what was known at t, which must not run backwards."""

    def __init__(self, model: CellModel, cells: int, tally: Tally) -> None:
        self.params = resistance.Params(model, window_s=_WINDOW_S)
        self.state: State = resistance.start(self.params, cells)
        self._cells = cells
        self._tally = tally
        self._last = 0
        self._waiting: deque[tuple[int, Answer]] = deque()
        self._now = Answer()

    def grow(self, cells: int) -> State:
        """A fresh state for more cells, to be filled with the old one."""
        self._cells = cells
        return resistance.start(self.params, cells)

    def push(self, pairs: Samples) -> None:
        """Readings of current with the scan that belongs to each, in order."""
        if not len(pairs):
            return
        width = round(_WINDOW_S * 1e9)
        before = self._last or int(pairs.time_ns[0])
        windows = np.concatenate([[before // width], pairs.time_ns // width])
        closing = np.flatnonzero(np.diff(windows)).tolist()
        self._last = int(pairs.time_ns[-1])
        found = resistance.step(self.params, self.state, pairs)
        for i, (a, b) in enumerate(pairwise([0, *closing, len(pairs)])):
            self._tally.watch_sign(pairs[a:b])
            if i < len(closing):
                row = {name: values[i] for name, values in found.items()}
                answer = Answer(row, self._tally.correlation)
                self._waiting.append((int(pairs.time_ns[b]), answer))

    def until(self, now: int) -> Answer:
        """The newest answer that counts at this moment."""
        while self._waiting and self._waiting[0][0] <= now:
            self._now = self._waiting.popleft()[1]
        return self._now

    def close(self) -> None:
        """The stream has ended: an unknown current behind it closes the window that is open."""
        if self._last:
            later = np.array([self._last + round(2e9 * _WINDOW_S)])
            nothing = np.full((1, self._cells), np.nan, np.float32)
            still = np.broadcast_to(np.zeros(1, np.float32), nothing.shape)
            unknown = np.array([math.nan])
            self.push(Samples(later, unknown, nothing, unknown, still, still))
