"""Arrays that grow at their end in temporary files: what a session remembers beyond memory.

The files are unnamed (deleted by the system when the process ends, however it ends). One writer,
any number of readers: a reader's view stays valid when the array moves to a larger mapping.
"""

import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FIRST_ROWS = 1024
_IN_MEMORY_BYTES = 2 << 20


def scratch_array(shape: tuple[int, ...], dtype: Any, folder: str | None = None) -> NDArray[Any]:
    """A zeroed array in an unnamed temporary file in `folder` (default: the system's); a small one
    in memory, because every mapping holds one of the few files that a process may have open."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= _IN_MEMORY_BYTES:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(max(size, 1))
        # The mapping keeps its own handle; a plain array is quicker to slice than a memmap.
        return np.memmap(file, dtype, "r+", shape=shape).view(np.ndarray)


class GrowableArray:
    """Rows of shape `row` and `dtype`, appended at the end; `view()` is all rows so far."""

    def __init__(self, row: tuple[int, ...], dtype: Any, folder: str | None = None) -> None:
        self._row = row
        self._dtype = np.dtype(dtype)
        self._folder = folder
        self._array: NDArray[Any] = np.empty((0, *row), dtype)
        self.rows = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the rows in use."""
        return int(self.rows * np.prod(self._row, initial=1) * self._dtype.itemsize)

    def view(self) -> NDArray[Any]:
        """All rows so far, not copied."""
        rows = self.rows  # before the array: the array may only be newer and longer
        return self._array[:rows]

    def append(self, values: NDArray[Any]) -> None:
        """Append rows; values: (M, *row)."""
        end = self.rows + len(values)
        if end > len(self._array):
            self._move(max(end, 2 * len(self._array), _FIRST_ROWS), self._row, 0)
        self._array[self.rows : end] = values
        self.rows = end

    def widen(self, columns: int, fill: float) -> None:
        """Give every row `columns` columns; new ones hold `fill`. Only for one-dimensional rows."""
        before = self._row[0]
        if columns > before:
            self._move(max(len(self._array), _FIRST_ROWS), (columns,), 0)
            self._array[: self.rows, before:] = fill

    def drop(self, count: int) -> None:
        """Forget the first `count` rows and give their space back."""
        self._move(max(self.rows - count, _FIRST_ROWS) * 2, self._row, count)

    def _move(self, capacity: int, row: tuple[int, ...], skip: int) -> None:
        moved = scratch_array((capacity, *row), self._dtype, self._folder)
        kept = self._array[skip : self.rows]
        target = moved[: len(kept)]
        if row == self._row:
            target[...] = kept
        else:
            target[:, : self._row[0]] = kept
        self._row = row
        self._array = moved
        self.rows = len(kept)
