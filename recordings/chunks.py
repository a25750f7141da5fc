"""Chunks of HDF5 datasets, packed and unpacked outside the HDF5 library.

HDF5 compresses under one global lock. Here shuffle and deflate run in a pool of threads (zlib
releases the GIL) and whole chunks are handed to and taken from the file; what results is plain
gzip + shuffle that every HDF5 reader knows. On reading, a chunk can never unpack to more than its
declared size, whatever a hostile file says.

Sources: HDF5 filter pipeline, H5Zshuffle.c and H5Zdeflate.c (byte planes, zlib stream).
"""

import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

GZIP_LEVEL = 1
_THREADS = max(2, min(8, os.cpu_count() or 2))
_PENDING = 4 * _THREADS


def pack(block: Array, level: int = GZIP_LEVEL) -> bytes:
    """Shuffle and deflate one whole chunk."""
    block = np.ascontiguousarray(block)
    size = block.dtype.itemsize
    if size == 1:
        return zlib.compress(block.data, level)
    items = block.reshape(-1).view(np.uint8).reshape(-1, size)
    planes = np.empty((size, len(items)), np.uint8)
    for k in range(size):
        planes[k] = items[:, k]
    return zlib.compress(planes.data, level)


@dataclass(frozen=True, slots=True)
class Filters:
    """How the chunks of a dataset are packed: what this module can undo itself."""

    gzip: bool
    shuffle: bool


def unpack(packed: bytes, shape: tuple[int, ...], dtype: np.dtype[Any], filters: Filters) -> Array:
    """The chunk again; ValueError when it is damaged or larger than declared."""
    count = int(np.prod(shape))
    size = dtype.itemsize
    if filters.gzip:
        inflate = zlib.decompressobj()
        try:
            packed = inflate.decompress(packed, count * size)
        except zlib.error as error:
            raise ValueError(f"a compressed chunk is damaged ({error})") from error
        # The checksum stands behind the last byte; asking for one more byte makes zlib look at it.
        if not inflate.eof and inflate.decompress(inflate.unconsumed_tail, 1):
            raise ValueError("a compressed chunk is larger than declared")
        if not inflate.eof:
            raise ValueError("a compressed chunk is cut off")
    if len(packed) != count * size:
        raise ValueError(f"a chunk holds {len(packed)} bytes instead of {count * size}")
    if not filters.shuffle or size == 1:
        return np.frombuffer(packed, dtype).reshape(shape)
    planes = np.frombuffer(packed, np.uint8).reshape(size, count)
    items = np.empty((count, size), np.uint8)
    for k in range(size):
        items[:, k] = planes[k]
    return items.reshape(-1).view(dtype).reshape(shape)


class ChunkPool:
    """Packs chunks in threads and writes them in order from the calling thread.

    Only the caller's thread touches HDF5. `pump` bounds the memory: at most a few chunks per
    thread wait.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="chunks")
        self._pending: deque[tuple[h5py.Dataset, tuple[int, ...], Future[bytes]]] = deque()

    def put(self, dataset: h5py.Dataset, offset: tuple[int, ...], block: Array) -> None:
        """Take over a block of exactly the dataset's chunk shape; it must not change any more."""
        self._pending.append((dataset, offset, self._threads.submit(pack, block)))
        while len(self._pending) > _PENDING:
            self._write_oldest()

    def drain(self) -> None:
        """Write everything that waits."""
        while self._pending:
            self._write_oldest()

    def close(self) -> None:
        """Drop what waits and end the threads."""
        self._pending.clear()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _write_oldest(self) -> None:
        dataset, offset, packed = self._pending.popleft()
        dataset.id.write_direct_chunk(offset, packed.result())


def filters_of(dataset: h5py.Dataset) -> Filters | None:
    """The dataset's filters, or None where only HDF5 itself can read it (unchunked, others)."""
    plist = dataset.id.get_create_plist()
    if dataset.chunks is None:
        return None
    codes = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
    if codes not in ([], [h5py.h5z.FILTER_DEFLATE], [2, h5py.h5z.FILTER_DEFLATE], [2]):
        return None
    return Filters(h5py.h5z.FILTER_DEFLATE in codes, h5py.h5z.FILTER_SHUFFLE in codes)


def read_rows(dataset: h5py.Dataset, start: int, stop: int) -> Array:
    """Rows start..stop-1 of a dataset (all columns), unpacked in several threads."""
    filters = filters_of(dataset)
    if filters is None:
        return np.asarray(dataset[start:stop])
    out = np.empty((max(stop - start, 0), *dataset.shape[1:]), dataset.dtype)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="chunks") as threads:
        jobs: deque[Future[None]] = deque()
        for offset in _offsets(dataset, start, stop):
            jobs.append(threads.submit(_job(dataset, offset, filters, start, out)))
            if len(jobs) > _PENDING:
                jobs.popleft().result()
        for job in jobs:
            job.result()
    return out


def _offsets(dataset: h5py.Dataset, start: int, stop: int) -> Iterator[tuple[int, ...]]:
    rows = dataset.chunks[0]
    for at in range(start // rows * rows, stop, rows):
        if dataset.ndim == 1:
            yield (at,)
        else:
            yield from ((at, col) for col in range(0, dataset.shape[1], dataset.chunks[1]))


def _job(
    dataset: h5py.Dataset, offset: tuple[int, ...], filters: Filters, start: int, out: Array
) -> Callable[[], None]:
    """Reads the packed chunk now, in the calling thread; unpacks and places it when called."""
    shape, dtype, fill = dataset.chunks, dataset.dtype, dataset.fillvalue
    packed: bytes | None = None
    mask = 0
    stored = dataset.id.get_chunk_info_by_coord(offset)
    if stored.byte_offset is not None:
        # Deflate adds at most 5 bytes per 16 KiB; whatever is larger is not a chunk of ours.
        if stored.size > int(np.prod(shape)) * dtype.itemsize * 1.001 + 64:
            raise ValueError(f"a chunk takes {stored.size} bytes in the file")
        mask, packed = dataset.id.read_direct_chunk(offset)
    if mask:
        raise ValueError("a chunk leaves out filters of its dataset")
    first = max(offset[0], start)
    rows = slice(first - start, min(offset[0] + shape[0] - start, len(out)))
    inside = slice(first - offset[0], first - offset[0] + (rows.stop - rows.start))

    def place() -> None:
        target = out[rows] if len(offset) == 1 else out[rows, offset[1] : offset[1] + shape[1]]
        if packed is None:
            target[...] = fill
            return
        chunk = unpack(packed, shape, dtype, filters)[inside]
        target[...] = chunk if len(offset) == 1 else chunk[:, : target.shape[1]]

    return place
