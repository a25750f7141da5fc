"""Vector BLF: binary log of zlib-packed containers, read up to where it is damaged or cut off.

The start of the measurement is taken as UTC (as python-can writes it; some tools of Vector write
the computer's own zone). Sources: vector_blf (open C++ library) and python-can's blf.py.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from protocols.frames import BIT_RATE_SWITCH, ERROR, EXTENDED, FD, REMOTE, TRANSMITTED, Frames
from recordings.blf_objects import (
    CAN_ERROR_EXT,
    CAN_FD_MESSAGE,
    CAN_MESSAGE,
    CLASSIC,
    ERROR_EXT,
    FD_MESSAGE,
    LOG_CONTAINER,
    MAX_OBJECT,
    NEEDS_WIDTH,
    parse_objects,
)
from recordings.errors import UnreadableLog
from recordings.logs import KEPT_BAD, LogFormat, LogReport, in_parallel, is_date

_FILE_HEADER = struct.Struct("<4sL8BQQLL8H8H")
_FILE_HEADER_SIZE = 144
_BASE = struct.Struct("<4sHHLL")
_CONTAINER = struct.Struct("<HxxxxxxLxxxx")
_PARSE_BYTES = 4 << 20
_CONTAINER_BYTES = 128 << 10
_SMALLEST_FRAME = 36
_MAX_RATIO = 100
_CODES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)


def _sniff(head: bytes) -> float:
    return 1.0 if head.startswith(b"LOGG") else 0.0


def _inflate(container: tuple[int, bytes, int]) -> tuple[bytes, bool]:
    """At most the declared bytes of a container, and whether it was whole."""
    method, packed, declared = container
    if method == 0:
        return packed, True
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(packed, declared) if declared else b""
    except zlib.error:
        return b"", False
    return content, len(content) == declared


def _containers(path: Path, report: LogReport) -> Iterator[bytes]:
    """The unpacked content of the file, container after container, as far as it can be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(struct.unpack("<4sL", file.read(8))[1], _FILE_HEADER.size))
        for content, whole in in_parallel(_inflate, _packed(file, size, report)):
            if not whole and not report.truncated:
                report.truncated = "a container is damaged; what stood before it was read"
            yield content


def _packed(file: BinaryIO, size: int, report: LogReport) -> Iterator[tuple[int, bytes, int]]:
    """(method, packed bytes, declared size) per container. Stops with a sentence in the report."""
    unpacked = 0
    while head := file.read(_BASE.size):
        place = file.tell() - len(head)
        if len(head) < _BASE.size:
            report.truncated = f"the file is cut off at byte {size}"
            return
        signature, _, _, object_size, kind = _BASE.unpack(head)
        if signature != b"LOBJ" or not _BASE.size <= object_size <= MAX_OBJECT:
            report.truncated = f"the file is damaged at byte {place}; what stood before was read"
            return
        body = file.read(object_size - _BASE.size)
        if len(body) < object_size - _BASE.size:
            report.truncated = f"the file is cut off at byte {size}, inside its last container"
        if kind == LOG_CONTAINER and len(body) >= _CONTAINER.size:
            method, declared = _CONTAINER.unpack_from(body)
            packed = body[_CONTAINER.size :]
            if declared > MAX_OBJECT or method not in (0, 2):
                report.truncated = f"the container at byte {place} cannot be unpacked"
                return
            unpacked += declared
            if unpacked > _MAX_RATIO * size + MAX_OBJECT:
                # Frames on a bus differ: no log is packed as tightly as this.
                report.truncated = f"more than {unpacked >> 20} MB come out of {size >> 10} KB"
                return
            yield method, packed, declared
        file.seek(object_size % 4, 1)


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    with path.open("rb") as file:
        head = file.read(_FILE_HEADER.size)
    if len(head) < _FILE_HEADER.size:
        raise UnreadableLog(f"{path} is cut off inside its BLF header: it holds no frames")
    start_ns = _moment(_FILE_HEADER.unpack(head)[14:22])
    report.time_reference = "utc" if start_ns else "relative"
    channels = np.zeros(257, np.int64)
    rest, waiting, width = b"", [], 8
    for content in _containers(path, report):
        waiting.append(content)
        if sum(map(len, waiting)) >= _PARSE_BYTES:
            frames, rest, width = _parse(
                rest + b"".join(waiting), start_ns, width, channels, report
            )
            waiting = []
            yield frames
    frames, rest, width = _parse(rest + b"".join(waiting), start_ns, width, channels, report)
    if len(rest) >= 4 and rest.strip(b"\0") and not report.truncated:
        report.truncated = "the last object is cut off"
    yield frames


def _parse(
    content: bytes, start_ns: int, width: int, channels: NDArray[np.int64], report: LogReport
) -> tuple[Frames, bytes, int]:
    buffer = np.frombuffer(content, np.uint8)
    rows = len(content) // _SMALLEST_FRAME + 1
    bad_objects = np.zeros(KEPT_BAD, np.int64)
    while True:
        columns = (
            np.empty(rows, np.int64),
            np.empty(rows, np.uint32),
            np.empty(rows, np.uint8),
            np.empty(rows, np.uint8),
            np.empty(rows, np.uint8),
            np.zeros((rows, width), np.uint8),
        )
        state, found, end, objects, bad, skipped = parse_objects(
            buffer, len(buffer), start_ns, *columns, channels, bad_objects
        )
        if state != NEEDS_WIDTH:
            break
        width = 64
    report.add_bad(bad, bad_objects[:bad] + report.lines + 1)
    report.lines += objects
    report.skipped += skipped
    report.channels[:] = [str(number) for number in channels[: channels[-1]]]
    return Frames(*columns)[:found], content[end:], width


def _moment(fields: tuple[int, ...]) -> int:
    """A SYSTEMTIME (year, month, weekday, day, hour, minute, second, ms) as ns; 0 where unset."""
    year, month, _, day, hour, minute, second, milli = fields
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return 0
    ns = int(moment.timestamp()) * 1_000_000_000 + min(milli, 999) * 1_000_000
    return ns if is_date(ns) else 0


def _fields(ns: int) -> tuple[int, ...]:
    if ns < 631_152_000 * 10**9:  # before 1990: not a moment of the calendar
        return (0,) * 8
    moment = datetime.fromtimestamp(ns // 10**9, UTC)
    weekday = moment.isoweekday() % 7
    day = (moment.year, moment.month, weekday, moment.day)
    return (*day, moment.hour, moment.minute, moment.second, ns // 10**6 % 1000)


def _write(file: BinaryIO, blocks: Iterable[Frames], channels: tuple[str, ...]) -> None:
    """Stamps keep their nanoseconds, counted from the first frame's whole millisecond."""
    file.write(bytes(_FILE_HEADER_SIZE))
    start, last, count, unpacked = 0, 0, 0, _FILE_HEADER_SIZE
    for block in blocks:
        if not len(block):
            continue
        if not count:
            start = int(block.time[0]) // 10**6 * 10**6
            start = start if any(_fields(start)) else 0
        last, count = int(block.time[-1]), count + len(block)
        content = _objects(block, start)
        for at in range(0, len(content), _CONTAINER_BYTES):
            piece = content[at : at + _CONTAINER_BYTES]
            packed = zlib.compress(piece, 6)
            size = _BASE.size + _CONTAINER.size + len(packed)
            file.write(_BASE.pack(b"LOBJ", _BASE.size, 1, size, LOG_CONTAINER))
            file.write(_CONTAINER.pack(2, len(piece)) + packed + bytes(size % 4))
            unpacked += _BASE.size + _CONTAINER.size + len(piece)
    end = file.tell()
    file.seek(0)
    file.write(
        _FILE_HEADER.pack(
            b"LOGG",
            _FILE_HEADER_SIZE,
            *(0, 0, 0, 0, 2, 6, 8, 1),
            *(end, unpacked, count, 0),
            *_fields(start),
            *_fields(last),
        )
    )
    file.seek(end)


def _objects(block: Frames, start_ns: int) -> bytes:
    """The frames as BLF objects one after another, built column by column."""
    error = (block.flags & ERROR) != 0
    fd = ((block.flags & FD) != 0) & ~error
    parts: list[tuple[NDArray[np.bool_], NDArray[Any]]] = []
    sizes = np.zeros(len(block), np.int64)
    for rows, dtype, kind in (
        (~error & ~fd, CLASSIC, CAN_MESSAGE),
        (fd, FD_MESSAGE, CAN_FD_MESSAGE),
        (error, ERROR_EXT, CAN_ERROR_EXT),
    ):
        if rows.any():
            parts.append((rows, _columns(block[rows], dtype, kind, start_ns)))
            sizes[rows] = dtype.itemsize
    if len(parts) == 1:
        return parts[0][1].tobytes()
    offsets = np.cumsum(sizes) - sizes
    out = np.zeros(int(sizes.sum()), np.uint8)
    for rows, objects in parts:
        size = objects.dtype.itemsize
        out[offsets[rows][:, None] + np.arange(size)] = objects.view(np.uint8).reshape(-1, size)
    return out.tobytes()


def _columns(block: Frames, dtype: np.dtype[Any], kind: int, start_ns: int) -> NDArray[Any]:
    objects = np.zeros(len(block), dtype)
    objects["signature"], objects["header_size"], objects["header_version"] = b"LOBJ", 32, 1
    objects["object_size"], objects["type"], objects["flags"] = dtype.itemsize, kind, 2
    objects["stamp"] = np.maximum(block.time - start_ns, 0)
    objects["channel"] = block.channel.astype(np.uint16) + 1
    extended = ((block.flags & EXTENDED) != 0).astype(np.uint32) << 31
    objects["id"] = block.id | extended
    width = objects["data"].shape[1]
    objects["data"][:, : block.width] = block.data[:, :width]
    if kind == CAN_FD_MESSAGE:
        objects["dlc"] = np.searchsorted(_CODES, block.length)
        objects["valid"] = block.length
        objects["fd"] = 1 | ((block.flags & BIT_RATE_SWITCH) != 0).astype(np.uint8) << 1
    else:
        objects["dlc"] = block.length
    if kind != CAN_ERROR_EXT:
        remote = ((block.flags & REMOTE) != 0).astype(np.uint8) << 7
        objects["way"] = remote | ((block.flags & TRANSMITTED) != 0)
    return objects


FORMAT = LogFormat("blf", "Vector BLF", (".blf",), _sniff, _read, _write)
