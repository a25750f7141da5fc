"""Frames into samples: one compiled pass over a block, whatever its size.

What signals mean is decided before (mapping, layout). Loads numba; see `protocols/kernel.py`.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames
from protocols.isotp import Pdus
from protocols.kernel import extract, route
from protocols.layout import Layout, compile_mapping, compile_messages

_T = TypeVar("_T", bound=np.generic)
# Frames that are routed and extracted together: their columns and samples stay in the cache.
BLOCK = 16_384
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


def decode(frames: Frames | Pdus, layout: Layout) -> Samples:
    """All known values of a block of frames, or of the messages that frames carried.

    Remote and error frames hold none; a signal beyond the end of its frame, an invalid raw value, a
    value outside its binding's range, a not-a-number and a cell beyond the count are left out.
    """
    tables = layout.tables
    lists = tables.plans.lists
    blocks = [_columns(frames, at) for at in range(0, len(frames), BLOCK)]
    hits = np.zeros((len(blocks), len(lists) + 1), np.int64)
    sizes = np.zeros(layout.groups, np.int64)
    nowhere = (np.empty(0, np.uint32), np.empty(0, np.uint64))
    for k, (_, *columns) in enumerate(blocks):
        route(*columns, tables, False, hits[k, 1:], sizes, *nowhere)
    start = np.zeros(layout.groups + 1, np.int64)
    np.cumsum(sizes, out=start[1:])
    total = int(start[-1])
    samples = _room(total, start)
    arrays = (samples.time, samples.index, samples.value)
    cursor = start[:-1].copy()
    unknown = 0
    for k, (times, *columns) in enumerate(blocks):
        spans = np.cumsum(hits[k])
        rows, places = np.empty(spans[-1], np.uint32), np.empty(spans[-1], np.uint64)
        route(*columns, tables, True, spans[:-1].copy(), cursor, rows, places)
        unknown += extract(times, *columns[2:], tables, spans, rows, places, *arrays)
    return _known(samples) if unknown else samples


def _room(count: int, start: NDArray[np.int64]) -> Samples:
    """Samples to be filled in. One allocation: the system keeps it at hand for the next block,
    where three would be given back and paid for again, page by page."""
    memory = np.empty(20 * count, np.uint8)
    time = memory[: 8 * count].view(np.int64)
    value = memory[8 * count : 16 * count].view(np.float64)
    return Samples(time, memory[16 * count :].view(np.int32), value, start)


def _columns(frames: Frames | Pdus, at: int) -> tuple[Any, ...]:
    """Time, id, flags, length and payload words of a block, as the kernel was compiled for them."""
    part = slice(at, at + BLOCK)
    return (
        _uniform(frames.time[part], np.int64),
        _uniform(frames.id[part], np.uint32),
        _uniform(frames.flags[part], np.uint8),
        _uniform(frames.length[part], np.uint16),
        _words(frames.data[part]),
    )


def _known(samples: Samples) -> Samples:
    """The samples without those that turned out to be unknown (index -1)."""
    keep = samples.index >= 0
    before = np.zeros(len(keep) + 1, np.int64)
    np.cumsum(keep, out=before[1:])
    return Samples(
        samples.time[keep], samples.index[keep], samples.value[keep], before[samples.start]
    )


def _uniform(column: NDArray[Any], dtype: type[_T]) -> NDArray[_T]:
    """The same column as the kernel was compiled for: contiguous, aligned, read-only."""
    same = np.require(column, dtype, ("C", "A")).view()
    same.flags.writeable = False
    return same


def _words(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Payload rows as little-endian 64-bit words (N, bytes / 8)."""
    words = np.ascontiguousarray(data).view(np.uint64)
    return _uniform(words, np.uint64)
