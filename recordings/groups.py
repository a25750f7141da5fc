"""One channel group on its way into a file: rows come in, full chunks go out.

Columns may appear late and may grow wider; what was never given is the column's unknown value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from recordings.chunks import GZIP_LEVEL, ChunkPool
from recordings.layout import SPARSE, TEXT, Column, kind_of

Array = NDArray[Any]

_CHUNK_BYTES = 512 * 1024
_MIN_ROWS, _MAX_ROWS = 256, 65536
# Up to here a dataset lies in the file as it is: the index of its one chunk alone takes 2 kB.
_PLAIN_BYTES = 4096
MAX_COLUMNS = 4096


@dataclass(slots=True)
class _Stream:
    """One dataset: rows not yet written, and the dataset once it exists."""

    column: Column
    buffer: Array
    dataset: h5py.Dataset | None = None
    texts: list[str] = field(default_factory=list)

    @property
    def width(self) -> int:
        return int(self.buffer.shape[1])


class GroupWriter:
    """Collects the rows of the group `path`; only the thread that owns the file may call it."""

    def __init__(
        self, file: h5py.File, pool: ChunkPool, path: str, columns: Mapping[str, Column]
    ) -> None:
        self.path = path
        self.rows = 0
        self._group = file.require_group(path)
        self._pool = pool
        self._columns = columns
        self._sparse = kind_of(path) in SPARSE
        self._streams: dict[str, _Stream] = {}
        self._chunk = 0
        self._filled = 0
        self._last_time = np.iinfo(np.int64).min

    def append(self, values: Mapping[str, Any]) -> None:
        """Take in rows; `values` must hold "time". ValueError names what does not fit."""
        time = np.asarray(values["time"], np.int64)
        if not len(time):
            return
        if time[0] < self._last_time or np.any(time[1:] < time[:-1]):
            raise ValueError(f"{self.path}: time must never run backwards")
        shaped = {name: self._shaped(name, value, len(time)) for name, value in values.items()}
        self._chunk = self._chunk or _chunk_rows(shaped)
        at = 0
        while at < len(time):
            count = min(self._chunk - self._filled, len(time) - at)
            self._put({name: value[at : at + count] for name, value in shaped.items()}, count)
            at += count
        self._last_time = int(time[-1])
        self.rows += len(time)

    def finish(self) -> None:
        """Write the last rows, padded to a full chunk, and the texts."""
        if self._filled:
            self._flush()
        for stream in self._streams.values():
            if stream.column.dtype == TEXT:
                texts = stream.texts + [""] * (self.rows - len(stream.texts))
                stream.dataset = self._group.create_dataset(
                    stream.column.name, data=texts, dtype=h5py.string_dtype()
                )
                _describe(stream.dataset, stream.column)

    def _shaped(self, name: str, value: Any, rows: int) -> Array:
        if name not in self._columns:
            raise ValueError(f"{self.path} has no column {name}")
        column = self._columns[name]
        if column.dtype == TEXT:
            array: Array = np.asarray(value, object)
        else:
            array = np.asarray(value)
            if array.dtype.kind == "f" and column.dtype[0] in "ui":
                array = np.where(np.isnan(array), column.unknown, array)
            array = array.astype(column.dtype, copy=False)
        if len(array) != rows or array.ndim != (2 if column.wide else 1):
            raise ValueError(f"{self.path}/{name}: {array.shape} does not fit {rows} times")
        if column.wide and array.shape[1] > MAX_COLUMNS:
            raise ValueError(f"{self.path}/{name}: more than {MAX_COLUMNS} columns")
        return array

    def _put(self, values: Mapping[str, Array], count: int) -> None:
        rows = slice(self._filled, self._filled + count)
        for name, value in values.items():
            if name not in self._streams and self._sparse and not _says_something(value):
                continue
            stream = self._stream(name, value)
            if stream.column.dtype == TEXT:
                missing = self.rows_written + self._filled - len(stream.texts)
                stream.texts += [""] * missing + [str(text) for text in value]
            elif value.ndim == 1:
                stream.buffer[rows, 0] = value
            else:
                self._widen(stream, value.shape[1])
                stream.buffer[rows, : value.shape[1]] = value
        self._filled += count
        if self._filled == self._chunk:
            self._flush()

    @property
    def rows_written(self) -> int:
        """Rows that have left the buffers: a multiple of the chunk until `finish`."""
        for stream in self._streams.values():
            if stream.dataset is not None:
                return int(stream.dataset.shape[0])
        return 0

    def _stream(self, name: str, value: Array) -> _Stream:
        if name not in self._streams:
            column = self._columns[name]
            width = value.shape[1] if value.ndim == 2 else 1
            self._streams[name] = _Stream(column, self._blank(column, width))
        return self._streams[name]

    def _blank(self, column: Column, width: int) -> Array:
        if column.dtype == TEXT:
            return np.empty((0, 1), np.uint8)
        return np.full((self._chunk, width), column.unknown, column.dtype)

    def _widen(self, stream: _Stream, width: int) -> None:
        if width > stream.width:
            wide = self._blank(stream.column, width)
            wide[:, : stream.width] = stream.buffer
            stream.buffer = wide

    def _flush(self) -> None:
        """Hand every stream's buffer to the pool; the first time, its dataset is created."""
        first = self.rows_written
        rows = first + self._filled
        for stream in self._streams.values():
            if stream.column.dtype != TEXT:
                self._flush_stream(stream, first, rows)
        self._filled = 0

    def _flush_stream(self, stream: _Stream, first: int, rows: int) -> None:
        wide = stream.column.wide
        if stream.dataset is None and not first and self._filled < self._chunk:
            values = stream.buffer[: self._filled] if wide else stream.buffer[: self._filled, 0]
            if values.nbytes <= _PLAIN_BYTES:
                stream.dataset = self._group.create_dataset(stream.column.name, data=values)
                _describe(stream.dataset, stream.column)
                return
        if stream.dataset is None:
            # A group that ends within its first chunk gets a chunk of exactly its size.
            length = self._chunk if first or self._filled == self._chunk else self._filled
            chunks = (length, stream.width) if wide else (length,)
            stream.dataset = self._create(stream.column, chunks, stream.width)
        dataset = stream.dataset
        dataset.resize((rows, stream.width) if wide else (rows,))
        length = dataset.chunks[0]
        if not wide:
            self._pool.put(dataset, (first,), stream.buffer[:length, 0])
        else:
            step = dataset.chunks[1]
            for at in range(0, stream.width, step):
                block = stream.buffer[:length, at : at + step]
                if block.shape[1] < step:
                    full = self._blank(stream.column, step)[:length]
                    full[:, : block.shape[1]] = block
                    block = full
                self._pool.put(dataset, (first, at), block)
        stream.buffer = self._blank(stream.column, stream.width)

    def _create(self, column: Column, chunks: tuple[int, ...], width: int) -> h5py.Dataset:
        dataset = self._group.create_dataset(
            column.name,
            (0, width) if column.wide else (0,),
            column.dtype,
            chunks=chunks,
            maxshape=(None,) * len(chunks),
            compression="gzip",
            compression_opts=GZIP_LEVEL,
            shuffle=np.dtype(column.dtype).itemsize > 1,
            fillvalue=column.unknown,
        )
        _describe(dataset, column)
        return dataset


def _describe(dataset: h5py.Dataset, column: Column) -> None:
    dataset.attrs["unit"] = column.unit
    dataset.attrs["long_name"] = column.long_name


def _says_something(value: Array) -> bool:
    return value.dtype.kind != "f" or not bool(np.all(np.isnan(value)))


def _chunk_rows(values: Mapping[str, Array]) -> int:
    """A power of two of rows that makes the largest column's chunk about half a megabyte."""
    row_bytes = max(value.dtype.itemsize * value[:1].size for value in values.values())
    rows = 1 << max(_CHUNK_BYTES // max(row_bytes, 1), 1).bit_length() - 1
    return max(_MIN_ROWS, min(rows, _MAX_ROWS))
