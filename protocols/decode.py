"""Frames into samples: one compiled pass over a block, whatever its size.

What signals mean is decided before (mapping, layout). Loads numba; see `protocols/kernel.py`.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames
from protocols.kernel import scan
from protocols.layout import Layout, compile_mapping, compile_messages

_T = TypeVar("_T", bound=np.generic)
__all__ = ["Layout", "Samples", "compile_mapping", "compile_messages", "decode"]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Decoded values in long form, sorted by group and, inside a group, in order of arrival.

    time: int64 ns; index: int32 column within the group; value: float64 in canonical units;
    start: int64 (groups + 1), group g is the slice start[g]:start[g + 1].
    """

    time: NDArray[np.int64]
    index: NDArray[np.int32]
    value: NDArray[np.float64]
    start: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)

    def group(self, group: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
        """Time, index and value of one group; empty if the layout does not know it."""
        if not 0 <= group < len(self.start) - 1:
            return self.time[:0], self.index[:0], self.value[:0]
        part = slice(self.start[group], self.start[group + 1])
        return self.time[part], self.index[part], self.value[part]


def decode(frames: Frames, layout: Layout) -> Samples:
    """All known values of a block of frames.

    Remote and error frames hold none; a signal beyond the end of its frame, an invalid raw value, a
    value outside its binding's range, a not-a-number and a cell beyond the count are left out.
    """
    columns = (
        _uniform(frames.time, np.int64),
        _uniform(frames.id, np.uint32),
        _uniform(frames.flags, np.uint8),
        _uniform(frames.length, np.uint8),
        _words(frames.data),
    )
    seen = np.zeros(len(layout.tables.plans.lists), np.int64)
    cursor = np.zeros(layout.groups, np.int64)
    nothing = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float64))
    scan(*columns, layout.tables, False, seen, cursor, *nothing)
    start = np.zeros(layout.groups + 1, np.int64)
    np.cumsum(cursor, out=start[1:])
    total = int(start[-1])
    time, index = np.empty(total, np.int64), np.empty(total, np.int32)
    value = np.empty(total, np.float64)
    scan(*columns, layout.tables, True, seen, start[:-1].copy(), time, index, value)
    return Samples(time, index, value, start)


def _uniform(column: NDArray[_T], dtype: type[_T]) -> NDArray[_T]:
    """The same column as the kernel was compiled for: contiguous, aligned, read-only."""
    same = np.require(column, dtype, ("C", "A")).view()
    same.flags.writeable = False
    return same


def _words(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Payload rows as little-endian 64-bit words (N, 1 or 8)."""
    words = np.ascontiguousarray(data).view(np.uint64)
    return _uniform(words, np.uint64)
