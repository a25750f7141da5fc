"""The ring: a memory-mapped file through which other processes watch the frames go by.

One writer that never waits, any number of readers that write nothing. It is for looking only; the
journal is the truth. When a reader is too slow it misses the oldest frames and knows how many.

File: 64 bytes of words (magic, sizes, number of blocks so far, bytes so far), a status page (a
JSON text with length and CRC), an index of the last blocks (sequence, position, number of the first
frame), then the data. A block is sequence u64, first frame u64, count u32, length u32, CRC-32 u32
(begun with the sequence), 4 zero bytes, payload of `protocols.frames.to_bytes`, and never wraps
around the end.
"""

import contextlib
import json
import mmap
import os
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from protocols.frames import Frames, concatenate, empty_frames, from_bytes, to_bytes

MAGIC = 0x31474E4952534D42  # "BMSRING1"
SIZE = 16 << 20  # a full 1 Mbit/s bus for more than a minute
BLOCKS = 16384
_STATUS_SIZE = 32768
_STATUS_AT = 64
_INDEX_AT = _STATUS_AT + _STATUS_SIZE
_HEAD = struct.Struct("<QQIIII")
_STATUS = struct.Struct("<II")
_BLOCK_COUNT, _BYTE_COUNT, _FRAME_COUNT = 3, 4, 5  # words


def _data_at(blocks: int) -> int:
    return _INDEX_AT + blocks * 24


def _check(payload: bytes, sequence: int) -> int:
    """CRC-32 that ties a payload to its block. A copy in memory is not in order: for a moment the
    old sequence can stand before the new payload and its CRC."""
    return zlib.crc32(payload, sequence & 0xFFFFFFFF)


class RingWriter:
    """Creates the file and writes into it. Raises OSError if there is no room for it."""

    def __init__(self, path: Path, size: int = SIZE, blocks: int = BLOCKS) -> None:
        self.path = path
        self._size, self._blocks = size, blocks
        self._data_at = _data_at(blocks)
        _allocate(path, self._data_at + size)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._words = np.frombuffer(self._map, "<u8", 8)
        self._index = np.frombuffer(self._map, "<u8", 3 * blocks, _INDEX_AT).reshape(blocks, 3)
        self._words[1:3] = (size, blocks)
        self._words[0] = MAGIC
        self._sequence = self._position = self._frames = 0

    def write(self, frames: Frames) -> None:
        """Publish a block, over the oldest ones."""
        most = self._size // 4 // (16 + frames.width)
        for first in range(0, len(frames), most):
            self._write_block(frames[first : first + most])

    def _write_block(self, frames: Frames) -> None:
        payload = to_bytes(frames)
        total = -(-(_HEAD.size + len(payload)) // 8) * 8
        if self._position % self._size + total > self._size:
            self._position += self._size - self._position % self._size
        position = self._position
        # The new end is published first: a reader inside the bytes about to go then knows it.
        self._words[_BYTE_COUNT] = position + total
        at = self._data_at + position % self._size
        crc = _check(payload, self._sequence)
        head = _HEAD.pack(self._sequence, self._frames, len(frames), len(payload), crc, 0)
        self._map[at : at + _HEAD.size + len(payload)] = head + payload
        self._index[self._sequence % self._blocks] = (self._sequence, position, self._frames)
        self._sequence += 1
        self._position += total
        self._frames += len(frames)
        self._words[_FRAME_COUNT] = self._frames
        self._words[_BLOCK_COUNT] = self._sequence

    def publish(self, status: dict[str, Any]) -> None:
        """Replace the status page."""
        text = json.dumps(status, separators=(",", ":")).encode("utf-8")
        if len(text) > _STATUS_SIZE - _STATUS.size:
            raise ValueError(f"a status of {len(text)} bytes does not fit its page")
        head = _STATUS.pack(len(text), zlib.crc32(text))
        self._map[_STATUS_AT : _STATUS_AT + _STATUS.size + len(text)] = head + text

    def close(self) -> None:
        """Unmap; the file stays for whoever still reads it."""
        del self._words, self._index
        self._map.close()


class RingReader:
    """Reads a ring from its oldest frame on. Raises ValueError if the file is no ring.

    missed: frames that went by unseen because this reader was too slow.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < _INDEX_AT:
                raise ValueError(f"{path} is not a ring of the acquisition program")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._words = np.frombuffer(self._map, "<u8", 8)
        size, blocks = int(self._words[1]), int(self._words[2])
        if self._words[0] != MAGIC or len(self._map) != _data_at(blocks) + size:
            self.close()
            raise ValueError(f"{path} is not a ring of the acquisition program")
        self._size, self._blocks = size, blocks
        self._data_at = _data_at(blocks)
        self._index = np.frombuffer(self._map, "<u8", 3 * blocks, _INDEX_AT).reshape(blocks, 3)
        self.missed = 0
        newest = int(self._words[_BLOCK_COUNT])
        self._sequence = self._oldest(newest)
        self._next_frame = 0
        if newest > 0:
            self._next_frame = int(self._index[min(self._sequence, newest - 1) % self._blocks, 2])

    def read(self) -> Frames:
        """All frames since the last call, at once; none if there are none."""
        newest = int(self._words[_BLOCK_COUNT])
        parts = []
        while self._sequence < newest:
            block = self._block(self._sequence)
            if block is None:
                newest = int(self._words[_BLOCK_COUNT])
                self._sequence = max(self._sequence + 1, self._oldest(newest))
                continue
            first, frames = block
            self.missed += first - self._next_frame
            self._next_frame = first + len(frames)
            parts.append(frames)
            self._sequence += 1
        return concatenate(parts) if parts else empty_frames()

    def status(self) -> dict[str, Any]:
        """The status page; {} before the first one. Raises ValueError if it stays unreadable."""
        for _ in range(50):
            length, crc = _STATUS.unpack_from(self._map, _STATUS_AT)
            if length == 0:
                return {}
            if length <= _STATUS_SIZE - _STATUS.size:
                at = _STATUS_AT + _STATUS.size
                text = self._map[at : at + length]
                if zlib.crc32(text) == crc:
                    return dict(json.loads(text))
            time.sleep(0.0005)  # caught in the middle of a write
        raise ValueError("the status page of the acquisition program is damaged")

    def _block(self, sequence: int) -> tuple[int, Frames] | None:
        """The number of the first frame and the frames of a block, if it is still whole."""
        named, position, first = (int(v) for v in self._index[sequence % self._blocks])
        if named != sequence or not self._present(position):
            return None
        at = self._data_at + position % self._size
        found, first_frame, count, length, crc, _ = _HEAD.unpack_from(self._map, at)
        end = at + _HEAD.size + length
        if found != sequence or first_frame != first or end > self._data_at + self._size:
            return None
        payload = self._map[at + _HEAD.size : end]
        if _check(payload, sequence) != crc:
            return None
        frames = from_bytes(payload)
        return (first, frames) if len(frames) == count else None

    def _present(self, position: int) -> bool:
        return position + self._size >= int(self._words[_BYTE_COUNT])

    def _oldest(self, newest: int) -> int:
        """The oldest block that is safely there: a little ahead of what is overwritten next."""
        low, high = max(0, newest - self._blocks + self._blocks // 16 + 1), newest
        if low == 0 and int(self._words[_BYTE_COUNT]) <= self._size:
            return 0
        edge = int(self._words[_BYTE_COUNT]) - self._size + self._size // 16
        while low < high:
            middle = (low + high) // 2
            if int(self._index[middle % self._blocks, 1]) < edge:
                low = middle + 1
            else:
                high = middle
        return low

    def close(self) -> None:
        """Unmap the file."""
        del self._words
        if hasattr(self, "_index"):
            del self._index
        self._map.close()


def _allocate(path: Path, size: int) -> None:
    """A file whose every byte has its place on the disk: a hole would kill the writer later."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            with contextlib.suppress(OSError):  # some file systems cannot; a full disk shows below
                os.posix_fallocate(file.fileno(), 0, size)
                return
        zeros = bytes(1 << 20)
        while size > 0:
            size -= file.write(zeros[: min(size, len(zeros))])
