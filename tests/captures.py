"""Captures as text into frames, with a few lines of parsing: enough for tests of protocols."""

import re
from pathlib import Path

import numpy as np

from protocols.frames import EXTENDED, FD, Frames, empty_frames

_CANDUMP = re.compile(r"\((\d+)\.(\d+)\) \S+ ([0-9A-F]+)#(#[0-9A-F])?([0-9A-F]*)")
_SLCAN = re.compile(r"(?:t([0-9A-F]{3})|T([0-9A-F]{8}))(\d)([0-9A-F]*)")


def _frames(rows: list[tuple[int, int, int, bytes]]) -> Frames:
    width = 64 if any(len(row[3]) > 8 for row in rows) else 8
    frames = empty_frames(len(rows), width)
    for k, (time, frame_id, flags, data) in enumerate(rows):
        frames.time[k], frames.id[k], frames.flags[k] = time, frame_id, flags
        frames.length[k] = len(data)
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def candump(path: Path) -> Frames:
    """A `candump -L` log."""
    rows = []
    for match in _CANDUMP.finditer(path.read_text()):
        time = int(match[1]) * 10**9 + int(match[2]) * 1000
        flags = (EXTENDED if len(match[3]) > 3 else 0) | (FD if match[4] else 0)
        rows.append((time, int(match[3], 16), flags, bytes.fromhex(match[5])))
    return _frames(rows)


def slcan(path: Path) -> Frames:
    """SLCAN text; frames get a millisecond each."""
    rows = []
    for line in re.split(r"[\r\n]+", path.read_text(errors="replace")):
        match = _SLCAN.match(line)
        if match:
            flags = EXTENDED if match[2] else 0
            length = int(match[3])
            data = bytes.fromhex(match[4][: 2 * length])
            rows.append((len(rows) * 10**6, int(match[1] or match[2], 16), flags, data))
    return _frames(rows)
