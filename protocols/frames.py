"""CAN frames as columns: the one form in which frames travel between rooms.

A block of frames is a struct of NumPy arrays, the same columns that the journal, the ring and
`/frames` of a recording hold. Nothing here knows a bus, a file or a meaning. No numba: the
acquisition program imports this module.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXTENDED = 1
FD = 2
BIT_RATE_SWITCH = 4
REMOTE = 8
ERROR = 16
TRANSMITTED = 32

_HEADER = struct.Struct("<II")  # frames, bytes of data per frame (8 or 64)


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A block of N frames in order of arrival.

    time: int64 ns since 1970 UTC, non-decreasing within a session; id: uint32 without flag bits;
    flags: uint8, the constants above; channel: uint8; length: uint8, payload bytes (0 for remote
    frames); data: uint8 (N, 8) or (N, 64), zero beyond `length`.
    """

    time: NDArray[np.int64]
    id: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    length: NDArray[np.uint8]
    data: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, key: Any) -> "Frames":
        """The frames of a slice, a boolean mask or an index array."""
        return Frames(
            self.time[key],
            self.id[key],
            self.flags[key],
            self.channel[key],
            self.length[key],
            self.data[key],
        )

    @property
    def width(self) -> int:
        """Bytes of data that each row holds: 8 (classic CAN) or 64 (CAN FD)."""
        return int(self.data.shape[1])


def empty_frames(count: int = 0, width: int = 8) -> Frames:
    """`count` zeroed frames, to be filled in place."""
    return Frames(
        np.zeros(count, np.int64),
        np.zeros(count, np.uint32),
        np.zeros(count, np.uint8),
        np.zeros(count, np.uint8),
        np.zeros(count, np.uint8),
        np.zeros((count, width), np.uint8),
    )


def widen(frames: Frames, width: int) -> Frames:
    """The same frames with rows of `width` bytes; never narrower than before."""
    if frames.width >= width:
        return frames
    data = np.zeros((len(frames), width), np.uint8)
    data[:, : frames.width] = frames.data
    return Frames(frames.time, frames.id, frames.flags, frames.channel, frames.length, data)


def concatenate(blocks: Sequence[Frames]) -> Frames:
    """One block of several, in the order given; CAN FD width if any of them has it."""
    if not blocks:
        return empty_frames()
    if len(blocks) == 1:
        return blocks[0]
    width = max(block.width for block in blocks)
    wide = [widen(block, width) for block in blocks]
    return Frames(
        np.concatenate([b.time for b in wide]),
        np.concatenate([b.id for b in wide]),
        np.concatenate([b.flags for b in wide]),
        np.concatenate([b.channel for b in wide]),
        np.concatenate([b.length for b in wide]),
        np.concatenate([b.data for b in wide]),
    )


def to_bytes(frames: Frames) -> bytes:
    """The columns one after another behind a small header: payload of journal and ring blocks."""
    return b"".join(
        (
            _HEADER.pack(len(frames), frames.width),
            np.ascontiguousarray(frames.time, "<i8").tobytes(),
            np.ascontiguousarray(frames.id, "<u4").tobytes(),
            frames.flags.tobytes(),
            frames.channel.tobytes(),
            frames.length.tobytes(),
            np.ascontiguousarray(frames.data).tobytes(),
        )
    )


def byte_size(count: int, width: int) -> int:
    """Bytes that `to_bytes` makes of `count` frames of `width`."""
    return _HEADER.size + count * (8 + 4 + 3 + width)


def from_bytes(payload: bytes | memoryview) -> Frames:
    """The block that `to_bytes` wrote.

    Raises ValueError when the header does not fit the payload's size: nothing is allocated on the
    word of a damaged length.
    """
    if len(payload) < _HEADER.size:
        raise ValueError(f"a block of frames needs {_HEADER.size} bytes of header")
    count, width = _HEADER.unpack_from(payload)
    if width not in (8, 64) or byte_size(count, width) != len(payload):
        raise ValueError(f"a block of {count} frames of {width} bytes is not {len(payload)} bytes")
    at = _HEADER.size
    columns = []
    for dtype, per_row in (("<i8", 1), ("<u4", 1), ("u1", 1), ("u1", 1), ("u1", 1), ("u1", width)):
        columns.append(np.frombuffer(payload, dtype, count * per_row, at))
        at += count * per_row * np.dtype(dtype).itemsize
    time, frame_id, flags, channel, length, data = columns
    return Frames(time, frame_id, flags, channel, length, data.reshape(count, width))
