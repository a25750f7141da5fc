"""MDF 4 bus logging (ASAM; `.mf4` of CANedge and others), only where the extra `mdf` is installed.

asammdf unpacks the file and python-can's MF4Reader turns its groups of CAN_DataFrame, RemoteFrame
and ErrorFrame into messages; both are imported when a file is read, never before. Stamps count
from the start that the header gives, in UTC. Reading only.
"""

import importlib.util
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

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


def _sniff(head: bytes) -> float:
    return 1.0 if head[:8] in (b"MDF     ", b"UnFinMF ") and head[8:9] == b"4" else 0.0


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    with path.open("rb") as file:
        if not _sniff(file.read(64)):
            raise UnreadableLog(f"{path} is no MDF 4 file")
    if importlib.util.find_spec("asammdf") is None:
        raise UnreadableLog(
            f"{path} is an MDF 4 file: reading it needs the extra mdf "
            '(python -m pip install "bms-studio[mdf]")'
        )
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


FORMAT = LogFormat("mdf", "MDF 4 bus logging", (".mf4",), _sniff, _read)
