"""The largest deviation from the median that each cell has shown, and when. Arrays only.

Scans cut by a step of the load are left out: in them some cells are older than others.
"""

import numpy as np
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
        before = np.concatenate([[self._median_v], median[:-1]])
        self._median_v = float(median[-1]) if len(median) else self._median_v
        with np.errstate(invalid="ignore"):
            calm = ~(np.abs(median - before) > _STEP_V)
        time, rows, median = time[calm], rows[calm], median[calm]
        if not len(time):
            return
        deviation = np.nan_to_num(rows - median[:, None], nan=0.0)
        row = np.argmax(np.abs(deviation), axis=0)
        columns = np.arange(rows.shape[1])
        largest = deviation[row, columns]
        seen = ~np.isnan(rows).all(axis=0)
        kept = np.nan_to_num(np.abs(self.deviation_v[: rows.shape[1]]), nan=-1.0)
        better = seen & (np.abs(largest) > kept)
        self.deviation_v[: rows.shape[1]][better] = largest[better]
        self.time[: rows.shape[1]][better] = time[row[better]]
