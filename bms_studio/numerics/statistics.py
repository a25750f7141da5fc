"""Statistics across the columns of a row, NaN-aware and fast enough for every scan.

Small kernels that several rooms share; arrays in, arrays out.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def row_statistics(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per row of (M, N): minimum, median, maximum, spread as float32 (M, 4); NaN if all is NaN."""
    out = np.full((len(rows), 4), np.nan, np.float32)
    known = np.empty(rows.shape[1], np.float32)
    for r in range(len(rows)):
        count = 0
        for v in rows[r]:
            if not np.isnan(v):
                known[count] = v
                count += 1
        if count == 0:
            continue
        ordered = np.sort(known[:count])
        middle = count // 2
        median = ordered[middle]
        if count % 2 == 0:
            median = (ordered[middle - 1] + ordered[middle]) / 2
        out[r, 0] = ordered[0]
        out[r, 1] = median
        out[r, 2] = ordered[count - 1]
        out[r, 3] = ordered[count - 1] - ordered[0]
    return out
