"""The largest deviation from the median that each cell has shown, and when. Arrays only."""

import numpy as np
from numpy.typing import NDArray


class ExtremeDeviation:
    """Kept until `reset`. deviation_v float64 (N,) (NaN: none yet), time int64 ns (N,)."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self.deviation_v = np.empty(0)
        self.time = np.empty(0, np.int64)

    def push(
        self, time: NDArray[np.int64], rows: NDArray[np.float32], median: NDArray[np.float32]
    ) -> None:
        """Take in scans: rows (M, N) V and their medians (M,) V."""
        grow = rows.shape[1] - len(self.deviation_v)
        if grow > 0:
            self.deviation_v = np.concatenate([self.deviation_v, np.full(grow, np.nan)])
            self.time = np.concatenate([self.time, np.zeros(grow, np.int64)])
        deviation = np.nan_to_num(rows - median[:, None], nan=0.0)
        row = np.argmax(np.abs(deviation), axis=0)
        columns = np.arange(rows.shape[1])
        largest = deviation[row, columns]
        seen = ~np.isnan(rows).all(axis=0)
        kept = np.nan_to_num(np.abs(self.deviation_v[: rows.shape[1]]), nan=-1.0)
        better = seen & (np.abs(largest) > kept)
        self.deviation_v[: rows.shape[1]][better] = largest[better]
        self.time[: rows.shape[1]][better] = time[row[better]]
