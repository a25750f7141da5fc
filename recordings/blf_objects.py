"""Compiled reading of the objects inside a Vector BLF file, and their layouts for writing.

Layout (little endian; vector_blf and python-can's blf.py agree): an object begins with "LOBJ",
u16 header size, u16 header version, u32 object size, u32 type, u32 flags (1: 10 us, 2: ns stamps),
u32 other, u64 stamp; the payload follows behind the header size.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from protocols.frames import BIT_RATE_SWITCH, ERROR, EXTENDED, FD, REMOTE, TRANSMITTED

CAN_MESSAGE, CAN_ERROR, LOG_CONTAINER, CAN_ERROR_EXT = 1, 2, 10, 73
CAN_MESSAGE2, CAN_FD_MESSAGE, CAN_FD_MESSAGE_64 = 86, 100, 101
MAX_OBJECT = 1 << 26
DONE, NEEDS_WIDTH = 0, 1
_MAX_NS = 1 << 62

OBJECT_HEADER = [
    ("signature", "S4"),
    ("header_size", "<u2"),
    ("header_version", "<u2"),
    ("object_size", "<u4"),
    ("type", "<u4"),
    ("flags", "<u4"),
    ("client", "<u2"),
    ("version", "<u2"),
    ("stamp", "<u8"),
]
_MESSAGE = [*OBJECT_HEADER, ("channel", "<u2"), ("way", "u1"), ("dlc", "u1"), ("id", "<u4")]
CLASSIC = np.dtype([*_MESSAGE, ("data", "u1", 8)])
FD_MESSAGE = np.dtype(
    [
        *_MESSAGE,
        ("frame_length", "<u4"),
        ("bit_count", "u1"),
        ("fd", "u1"),
        ("valid", "u1"),
        ("pad", "u1", 5),
        ("data", "u1", 64),
    ]
)
ERROR_EXT = np.dtype(
    [
        *OBJECT_HEADER,
        ("channel", "<u2"),
        ("length", "<u2"),
        ("bits", "<u4"),
        ("ecc", "u1"),
        ("position", "u1"),
        ("dlc", "u1"),
        ("pad", "u1"),
        ("frame_length", "<u4"),
        ("id", "<u4"),
        ("bits_ext", "<u2"),
        ("pad2", "<u2"),
        ("data", "u1", 8),
    ]
)
_Int = int | np.int64


@njit(nogil=True, cache=True)
def _u16(buffer: NDArray[np.uint8], at: int) -> np.int64:
    return np.int64(buffer[at]) | (np.int64(buffer[at + 1]) << 8)


@njit(nogil=True, cache=True)
def _u32(buffer: NDArray[np.uint8], at: int) -> np.int64:
    low = np.int64(_u16(buffer, at))
    return low | (np.int64(_u16(buffer, at + 2)) << 16)


@njit(nogil=True, cache=True)
def _is_object(buffer: NDArray[np.uint8], at: int) -> bool:
    return bool(
        buffer[at] == 76 and buffer[at + 1] == 79 and buffer[at + 2] == 66 and buffer[at + 3] == 74
    )


@njit(nogil=True, cache=True)
def _time(buffer: NDArray[np.uint8], at: int) -> _Int:
    """The stamp of the object at `at` in ns, or -1 when it cannot be one."""
    high = _u32(buffer, at + 28)
    if high >> 30:
        return -1
    ticks = np.int64(_u32(buffer, at + 24)) | (np.int64(high) << 32)
    if _u32(buffer, at + 16) == 1:
        return ticks * 10_000 if ticks < _MAX_NS // 10_000 else -1
    return ticks


@njit(nogil=True, cache=True)
def _payload(
    buffer: NDArray[np.uint8], at: int, kind: int, size: int
) -> tuple[_Int, _Int, int, _Int, int]:
    """(channel, id, flags, payload bytes, where they begin) of the payload at `at`; channel 0
    when `size` bytes do not hold such an object."""
    flags = 0
    if kind in (CAN_MESSAGE, CAN_MESSAGE2):
        if size < 16:
            return 0, 0, 0, 0, 0
        number, count = _u32(buffer, at + 4), min(np.int64(buffer[at + 3]), np.int64(8))
        if buffer[at + 2] & 0x80:
            flags |= REMOTE
        if buffer[at + 2] & 1:
            flags |= TRANSMITTED
        return _u16(buffer, at), number, flags, count, at + 8
    if kind == CAN_ERROR_EXT:
        if size < 32:
            return 0, 0, 0, 0, 0
        count = min(np.int64(buffer[at + 10]), np.int64(8))
        return _u16(buffer, at), _u32(buffer, at + 16), ERROR, count, at + 24
    if kind == CAN_ERROR:
        return (_u16(buffer, at), 0, ERROR, 0, at) if size >= 4 else (0, 0, 0, 0, 0)
    if kind == CAN_FD_MESSAGE:
        if size < 20 or buffer[at + 14] > 64 or size < 20 + buffer[at + 14]:
            return 0, 0, 0, 0, 0
        bits = buffer[at + 13]
        if bits & 1:
            flags |= FD
        if bits & 2:
            flags |= BIT_RATE_SWITCH
        if buffer[at + 2] & 0x80:
            flags |= REMOTE
        if buffer[at + 2] & 1:
            flags |= TRANSMITTED
        return _u16(buffer, at), _u32(buffer, at + 4), flags, np.int64(buffer[at + 14]), at + 20
    if size < 40 or buffer[at + 2] > 64:
        return 0, 0, 0, 0, 0
    bits64 = _u32(buffer, at + 12)
    if bits64 & 0x1000:
        flags |= FD
    if bits64 & 0x2000:
        flags |= BIT_RATE_SWITCH
    if bits64 & 0x10:
        flags |= REMOTE
    if buffer[at + 34]:
        flags |= TRANSMITTED
    # More bytes may be valid than are stored: the rest is zero, as Vector's own library has it.
    return np.int64(buffer[at]), _u32(buffer, at + 4), flags, np.int64(buffer[at + 2]), at + 40


@njit(nogil=True, cache=True)
def parse_objects(
    buffer: NDArray[np.uint8],
    stop: int,
    start_ns: int,
    time: NDArray[np.int64],
    identifier: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    channel: NDArray[np.uint8],
    length: NDArray[np.uint8],
    data: NDArray[np.uint8],
    channels: NDArray[np.int64],
    bad_objects: NDArray[np.int64],
) -> tuple[int, int, int, int, int, int]:
    """Read the whole objects in buffer[:stop].

    Returns state (DONE, or NEEDS_WIDTH: start again with 64 data columns), frames, the position
    of the first object that is not whole, objects, bad ones (the first in bad_objects, from 0)
    and skipped ones. channels: numbers met so far; channels[-1] counts them.
    """
    at = row = objects = bad = skipped = 0
    known = len(channels) - 1
    while at + 32 <= stop:
        if not _is_object(buffer, at):
            at += 1
            continue
        size = _u32(buffer, at + 8)
        header = _u16(buffer, at + 4)
        if size < 32 or header < 32 or header > size or size > MAX_OBJECT:
            # A size that leads nowhere (also 0): look for the next object behind this signature.
            if bad < len(bad_objects):
                bad_objects[bad] = objects
            bad += 1
            objects += 1
            at += 4
            continue
        if at + size > stop:
            break
        kind = _u32(buffer, at + 12)
        objects += 1
        if kind in (1, 2, 73, 86, 100, 101):
            ns = _time(buffer, at)
            number, value, bits, count, first = _payload(buffer, at + header, kind, size - header)
            place = -1
            for k in range(channels[known]):
                if channels[k] == number:
                    place = k
            if place < 0 and number > 0 and channels[known] < known:
                place = channels[known]
                channels[place] = number
                channels[known] += 1
            plain = value & 0x1FFFFFFF
            extended = value & 0x80000000
            if ns < 0 or place < 0 or (not extended and plain > 0x7FF and not bits & ERROR):
                if bad < len(bad_objects):
                    bad_objects[bad] = objects - 1
                bad += 1
            else:
                if bits & REMOTE or bits & ERROR:
                    count = 0 if bits & REMOTE else count
                if count > data.shape[1]:
                    return NEEDS_WIDTH, 0, 0, 0, 0, 0
                for k in range(min(count, at + size - first)):
                    data[row, k] = buffer[first + k]
                time[row] = start_ns + ns
                identifier[row] = plain
                flags[row] = bits | (EXTENDED if extended else 0)
                channel[row] = place
                length[row] = count
                row += 1
        else:
            skipped += 1
        at += size
    return DONE, row, at, objects, bad, skipped
