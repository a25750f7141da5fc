"""The largest deviation from the median that each cell has shown, and when. Arrays only.

Scans cut by a step of the load are left out: in them some cells are older than others.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

# The median of two scans in a row further apart than this: the load changed while cells were read.
_STEP_V = 0.004


class ExtremeDeviation:
    """Kept until `reset`. deviation_v float64 (N,) (NaN: none yet), time int64 ns (N,)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self.deviation_v = np.empty(0)
        self.time = np.empty(0, np.int64)
        self._median_v = np.nan

    def push(
        self, time: NDArray[np.int64], rows: NDArray[np.float32], median: NDArray[np.float32]
    ) -> None:
        """Take in scans: rows (M, N) V and their medians (M,) V."""
        grow = rows.shape[1] - len(self.deviation_v)
        if grow > 0:
            self.deviation_v = np.concatenate([self.deviation_v, np.full(grow, np.nan)])
            self.time = np.concatenate([self.time, np.zeros(grow, np.int64)])
        before, self._median_v = self._median_v, float(median[-1]) if len(median) else np.nan
        _keep(
            time,
            np.ascontiguousarray(rows, np.float32),
            np.ascontiguousarray(median, np.float32),
            before,
            self.deviation_v,
            self.time,
        )


@njit(nogil=True, cache=True)
def _keep(
    time: NDArray[np.int64],
    rows: NDArray[np.float32],
    median: NDArray[np.float32],
    before: float,
    deviation_v: NDArray[np.float64],
    when: NDArray[np.int64],
) -> None:
    for r in range(len(time)):
        step = abs(median[r] - before)
        before = median[r]
        if step > _STEP_V:
            continue
        for c in range(rows.shape[1]):
            d = np.float64(rows[r, c] - median[r])
            if not np.isnan(d) and not abs(d) <= abs(deviation_v[c]):
                deviation_v[c] = d
                when[c] = time[r]
