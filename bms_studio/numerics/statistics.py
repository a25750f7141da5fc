"""Statistics across the columns of a row, NaN-aware and fast enough for every scan.

Small kernels that several rooms share; arrays in, arrays out.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Up to this many values an insertion sort beats looking for the middle one.
_FEW = 64


@njit(nogil=True, cache=True)
def _choose(values: NDArray[np.float32], count: int, out: NDArray[np.float32]) -> None:
    """The four of the first `count` values, which are partly sorted in place on the way: only the
    middle one has to find its place (C. A. R. Hoare, Commun. ACM 4 (1961) 321)."""
    middle = count // 2
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            break
    least, most, below = values[middle], values[middle], values[0]
    for i in range(count):
        v = values[i]
        least, most = min(least, v), max(most, v)
        if i < middle:
            below = max(below, v)
    out[0] = least
    out[1] = (below + values[middle]) / 2 if count % 2 == 0 else values[middle]
    out[2] = most
    out[3] = most - least


@njit(nogil=True, cache=True)
def row_statistics(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per row of (M, N): minimum, median, maximum, spread as float32 (M, 4); NaN if all is NaN."""
    out = np.full((len(rows), 4), np.nan, np.float32)
    columns = rows.shape[1]
    # Cells keep their order for long: the row before says where to begin sorting.
    order = np.arange(columns)
    known = np.empty(columns, np.float32)
    for r in range(len(rows)):
        count = 0
        if columns <= _FEW:
            for i in range(columns):
                column = order[i]
                v = rows[r, column]
                if np.isnan(v):
                    break
                j = i - 1
                while j >= 0 and known[j] > v:
                    known[j + 1] = known[j]
                    order[j + 1] = order[j]
                    j -= 1
                known[j + 1] = v
                order[j + 1] = column
                count += 1
        if count < columns:
            order = np.arange(columns)
            count = 0
            for v in rows[r]:
                if not np.isnan(v):
                    known[count] = v
                    count += 1
            if count == 0:
                continue
            _choose(known, count, out[r])
            continue
        middle = count // 2
        median = known[middle]
        if count % 2 == 0:
            median = (known[middle - 1] + known[middle]) / 2
        out[r, 0] = known[0]
        out[r, 1] = median
        out[r, 2] = known[count - 1]
        out[r, 3] = known[count - 1] - known[0]
    return out
