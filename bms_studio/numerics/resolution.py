"""The resolution of readings, from the readings: the smallest step that any of them ever took.

A series in steps of 10 mV says nothing of 1 mV, and one that sits between two of its steps jumps by
a whole one. Arrays and numbers; causal: each row knows what was seen until then.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Steps below this are those of floating point, not of a converter (0.02 mV).
LEAST = 2e-5


class Resolution:
    """Follows readings as they come, block by block."""

    def __init__(self) -> None:
        self._last = np.zeros(0, np.float32)
        self._finest = np.full(1, math.inf)

    def push(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """rows (M, N), NaN unknown; the smallest step so far after each row (M,), 0 while none."""
        more = rows.shape[1] - len(self._last)
        if more > 0:
            self._last = np.append(self._last, np.full(more, np.nan, np.float32))
        return np.asarray(_follow(rows, self._last, self._finest), np.float64)


@njit(nogil=True, cache=True)
def _follow(
    rows: NDArray[np.float32], last: NDArray[np.float32], finest: NDArray[np.float64]
) -> NDArray[np.float64]:
    out = np.zeros(len(rows))
    for r in range(len(rows)):
        for c in range(rows.shape[1]):
            v = rows[r, c]
            if np.isnan(v):
                continue
            step = abs(v - last[c])
            if LEAST < step < finest[0]:
                finest[0] = step
            last[c] = v
        if finest[0] < math.inf:
            out[r] = finest[0]
    return out
