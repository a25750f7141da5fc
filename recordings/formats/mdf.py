"""MDF 4 bus logging (ASAM; `.mf4` of CANedge and others), only where the extra `mdf` is installed.

asammdf unpacks the file and python-can's MF4Reader turns its groups of CAN_DataFrame, RemoteFrame
and ErrorFrame into messages; both are imported when a file is read, never before. Stamps count
from the start that the header gives, in UTC. Written are the same three groups, a block of frames
at a time.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from protocols.frames import (
    BIT_RATE_SWITCH,
    ERROR,
    EXTENDED,
    FD,
    REMOTE,
    TRANSMITTED,
    Frames,
    empty_frames,
)
from recordings.errors import UnreadableLog
from recordings.logs import RELATIVE_BEFORE_S, LogFormat, LogReport

_BLOCK_FRAMES = 1 << 16
_EXTRA = 'the extra mdf (python -m pip install "bms-studio[mdf]")'
_CODES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
# Members of the bus events of MDF 4 as python-can and the CANedge have them; a remote frame has no
# payload.
_MEMBERS: tuple[tuple[str, str | tuple[str, int]], ...] = (
    ("BusChannel", "u1"),
    ("ID", "<u4"),
    ("IDE", "u1"),
    ("DLC", "u1"),
    ("DataLength", "u1"),
    ("Dir", "u1"),
    ("DataBytes", ("u1", 64)),
    ("EDL", "u1"),
    ("BRS", "u1"),
    ("ESI", "u1"),
)
_REMOTE_MEMBERS = 6
_GROUPS = ("CAN_DataFrame", "CAN_ErrorFrame", "CAN_RemoteFrame")


def _sniff(head: bytes) -> float:
    return 1.0 if head[:8] in (b"MDF     ", b"UnFinMF ") and head[8:9] == b"4" else 0.0


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    with path.open("rb") as file:
        if not _sniff(file.read(64)):
            raise UnreadableLog(f"{path} is no MDF 4 file")
    if importlib.util.find_spec("asammdf") is None:
        raise UnreadableLog(f"{path} is an MDF 4 file: reading it needs {_EXTRA}")
    from can.io.mf4 import MF4Reader

    numbers: dict[str, int] = {}
    try:
        with MF4Reader(path) as reader:
            messages = iter(reader)
            while taken := list(islice(messages, _BLOCK_FRAMES)):
                frames = _frames(taken, numbers, report)
                report.channels[:] = list(numbers)
                if not report.frames and len(frames):
                    early = frames.time[0] < RELATIVE_BEFORE_S * 10**9
                    report.time_reference = "relative" if early else "utc"
                yield frames
    except UnreadableLog:
        raise
    except Exception as error:  # asammdf raises whatever its parsing meets
        first = next(iter(str(error).splitlines()), "") or type(error).__name__
        report.truncated = f"the file is damaged: {first}"


def _frames(messages: list[Any], numbers: dict[str, int], report: LogReport) -> Frames:
    """One block of python-can messages; those that no bus can carry are counted as bad."""
    width = 64 if any(len(message.data) > 8 for message in messages) else 8
    frames = empty_frames(len(messages), width)
    row = 0
    for message in messages:
        report.lines += 1
        number = numbers.setdefault(str(message.channel or 0), len(numbers))
        limit = 0x1FFFFFFF if message.is_extended_id or message.is_error_frame else 0x7FF
        if number > 255 or message.arbitration_id > limit or len(message.data) > width:
            report.add_bad(1, [report.lines])
            continue
        frames.time[row] = round(message.timestamp * 1e6) * 1000
        frames.id[row] = message.arbitration_id
        frames.flags[row] = _flags(message)
        frames.channel[row] = number
        if not message.is_remote_frame:
            frames.length[row] = len(message.data)
            frames.data[row, : len(message.data)] = np.frombuffer(bytes(message.data), np.uint8)
        row += 1
    return frames[:row]


def _flags(message: Any) -> int:
    if message.is_error_frame:
        return ERROR
    flags: int = (
        EXTENDED * message.is_extended_id
        | FD * message.is_fd
        | BIT_RATE_SWITCH * message.bitrate_switch
        | REMOTE * message.is_remote_frame
        | TRANSMITTED * (not message.is_rx)
    )
    return flags


def _write(file: BinaryIO, blocks: Iterable[Frames], channels: tuple[str, ...]) -> None:
    """Stamps are seconds from the first frame's whole second; channels count from 0."""
    if importlib.util.find_spec("asammdf") is None:
        raise ValueError(f"writing .mf4 needs {_EXTRA}, or export as .blf")
    import asammdf
    from asammdf.blocks.v4_blocks import SourceInformation
    from asammdf.blocks.v4_constants import BUS_TYPE_CAN, SOURCE_BUS

    source = SourceInformation(source_type=SOURCE_BUS, bus_type=BUS_TYPE_CAN)
    start: int | None = None
    with asammdf.MDF(version="4.10") as mdf:
        for group in _GROUPS:
            empty, none = np.zeros(0, _dtype(group)), np.zeros(0)
            mdf.append(asammdf.Signal(name=group, samples=empty, timestamps=none, source=source))
        for block in blocks:
            if not len(block):
                continue
            if start is None:
                start = int(block.time[0]) // 10**9
                mdf.header.start_time = datetime.fromtimestamp(start, UTC)
            error = (block.flags & ERROR) != 0
            remote = ((block.flags & REMOTE) != 0) & ~error
            for number, rows in enumerate((~error & ~remote, error, remote)):
                if rows.any():
                    kept = block[rows]
                    stamps = (kept.time - start * 10**9) / 1e9
                    mdf.extend(number, [(stamps, None), (_records(kept, _GROUPS[number]), None)])
        mdf.save(file, compression=1)


def _dtype(group: str) -> np.dtype[Any]:
    members = _MEMBERS[:_REMOTE_MEMBERS] if group == _GROUPS[2] else _MEMBERS
    return np.dtype([(f"{group}.{name}", kind) for name, kind in members])


def _records(block: Frames, group: str) -> NDArray[Any]:
    records = np.zeros(len(block), _dtype(group))

    def put(name: str, values: NDArray[Any]) -> None:
        records[f"{group}.{name}"] = values

    fd = (block.flags & FD) != 0
    put("BusChannel", block.channel)
    put("ID", block.id)
    put("IDE", (block.flags & EXTENDED) != 0)
    put("DLC", np.where(fd, np.searchsorted(_CODES, block.length), block.length))
    put("DataLength", block.length)
    put("Dir", (block.flags & TRANSMITTED) != 0)
    if group != _GROUPS[2]:
        records[f"{group}.DataBytes"][:, : block.width] = block.data
        put("EDL", fd)
        put("BRS", (block.flags & BIT_RATE_SWITCH) != 0)
    return records


FORMAT = LogFormat("mdf", "MDF 4 bus logging", (".mf4",), _sniff, _read, _write)
