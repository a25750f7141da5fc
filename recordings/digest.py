"""The fingerprint of a recording's frames, independent of chunks, blocks and width.

SHA-256 over the six SHA-256 digests of the columns time, id, flags, channel, length (as stored,
little endian, row after row) and data (of each row only its `length` payload bytes).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames


class FramesDigest:
    """Fed block by block in order; `hexdigest` is what the attribute `frames_sha256` holds."""

    def __init__(self) -> None:
        self.count = 0
        self._columns = [hashlib.sha256() for _ in range(6)]

    def update(self, frames: Frames) -> None:
        """Take in the next block."""
        self.count += len(frames)
        for total, dtype, column in zip(
            self._columns,
            ("<i8", "<u4", "u1", "u1", "u1"),
            (frames.time, frames.id, frames.flags, frames.channel, frames.length),
            strict=False,
        ):
            total.update(np.ascontiguousarray(column, dtype).data)
        self._columns[5].update(_payload(frames).data)

    def hexdigest(self) -> str:
        """The fingerprint of all blocks so far, 64 hex digits; "" when there was no frame."""
        if not self.count:
            return ""
        return hashlib.sha256(b"".join(column.digest() for column in self._columns)).hexdigest()


def _payload(frames: Frames) -> NDArray[np.uint8]:
    if np.all(frames.length == frames.width):
        return np.ascontiguousarray(frames.data).reshape(-1)
    return frames.data[np.arange(frames.width) < frames.length[:, None]]
