"""PEAK TRC text, file versions 1.0 to 1.3, 2.0 and 2.1. Reading only.

Columns as PEAK-System documents them (PCAN trace file format): version 1.x fixed, 2.x by the
`$COLUMNS` line. `$STARTTIME` is days since 30 December 1899 on the computer's clock, whose zone is
assumed to be this computer's. Traces are small, so this is plain Python.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

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
from recordings.logs import HEAD_BYTES, LogFormat, LogReport, is_date, text_blocks

_COLUMNS = {
    "1.0": ("N", "O", "I", "L", "D"),
    "1.1": ("N", "O", "d", "I", "L", "D"),
    "1.2": ("N", "O", "B", "d", "I", "L", "D"),
    "1.3": ("N", "O", "B", "d", "I", "R", "L", "D"),
    "2.0": ("N", "O", "T", "I", "d", "l", "D"),
    "2.1": ("N", "O", "T", "B", "I", "d", "R", "L", "D"),
}
_KNOWN_COLUMNS = set("NOTBIdRLlD")
_FD_TYPES = {"FD": FD, "FB": FD | BIT_RATE_SWITCH, "FE": FD | BIT_RATE_SWITCH, "BI": FD}
_NO_FRAMES = {"ST", "EC", "EV", "Warng", "Error", "Event"}
_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
# What PEAK writes; Python's own readers also take signs, exponents and a million digits.
_NUMBER = re.compile(r"\d{1,15}(\.\d{0,15})?", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{1,8}")
_VERSION_1_0 = re.compile(rb"^\s*\d+\)\s+\d+(\.\d+)?\s+[0-9A-F]{4,8}\s+\d\s", re.M)


@dataclass(frozen=True, slots=True)
class _Header:
    columns: tuple[str, ...]
    start_ns: int
    reference: str


@dataclass(frozen=True, slots=True)
class _Row:
    ns: int
    id: int
    flags: int
    channel: str
    payload: bytes


def _sniff(head: bytes) -> float:
    if b";$FILEVERSION=" in head[:4096]:
        return 1.0
    return 0.7 if head.lstrip()[:1] == b";" and _VERSION_1_0.search(head) else 0.0


def _header(path: Path) -> _Header:
    version, columns, start = "1.0", None, None
    with path.open("rb") as file:
        for line in file.read(HEAD_BYTES).decode("latin-1").splitlines():
            name, _, value = line.strip().partition("=")
            if name == ";$FILEVERSION":
                version = value.strip()
            elif name == ";$STARTTIME":
                start = value.strip()
            elif name == ";$COLUMNS":
                columns = tuple(value.strip().split(","))
    if columns is None or not set(columns) <= _KNOWN_COLUMNS or "I" not in columns:
        columns = _COLUMNS.get(version, _COLUMNS["2.1"])
    start_ns = _start(start) if start else None
    if start_ns is None:
        return _Header(columns, 0, "relative")
    return _Header(columns, start_ns, "local-assumed")


def _start(days: str) -> int | None:
    try:
        micro = int(_decimal(days) * 86_400_000_000)
        moment = (datetime(1899, 12, 30) + timedelta(microseconds=micro)).astimezone()
        ns = int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
        return ns if is_date(ns) else None
    except (InvalidOperation, ValueError, OverflowError, OSError):
        return None


def _decimal(word: str) -> Decimal:
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"no number: {word[:40]}")
    return Decimal(word)


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    header = _header(path)
    report.time_reference = header.reference
    numbers: dict[str, int] = {}
    for block in text_blocks(path):
        rows: list[_Row] = []
        for number, line in enumerate(block.text.splitlines(), block.first_line):
            text = line.decode("latin-1").strip()
            if not text or text.startswith(";"):
                continue
            report.lines += 1
            try:
                row = _row(text, header)
            except (ValueError, IndexError, KeyError, InvalidOperation):
                report.add_bad(1, [number])
                continue
            if row is None:
                report.skipped += 1
            elif numbers.setdefault(row.channel, len(numbers)) < 256:
                rows.append(row)
            else:
                report.add_bad(1, [number])
        report.channels[:] = list(numbers)
        frames = _frames(rows, header.start_ns, numbers)
        report.cut_line = block.first_line if block.cut else 0
        yield frames


def _row(text: str, header: _Header) -> _Row | None:
    """One line; None for a known line that is no frame. Raises when it is none of both."""
    words = text.split(maxsplit=len(header.columns) - 1)
    at = dict(zip(header.columns, words, strict=False))
    kind = at.get("T", "DT")
    if kind in _NO_FRAMES or at.get("d") in _NO_FRAMES or at["I"] == "FFFFFFFF":
        return None
    ns = int(_decimal(at["O"]) * 1_000_000)
    flags = _FD_TYPES.get(kind, 0)
    if kind == "ER":
        return _Row(ns, 0, ERROR, at.get("B", "1"), b"")
    if kind not in ("DT", "RR") and not flags:
        raise ValueError(f"unknown type {kind}")
    if at.get("d", "Rx") not in ("Rx", "Tx"):
        raise ValueError("neither Rx nor Tx")
    if not _HEX.fullmatch(at["I"]):
        raise ValueError("no identifier")
    identifier = int(at["I"], 16)
    if len(at["I"]) > 4:
        flags |= EXTENDED
    if identifier > (0x1FFFFFFF if flags & EXTENDED else 0x7FF) or not 0 <= ns < 1 << 62:
        raise ValueError("out of range")
    if at.get("d") == "Tx":
        flags |= TRANSMITTED
    code = int(_decimal(at["l"] if "l" in at else at["L"]))
    length = code if "l" in at else _LENGTHS[code] if flags & FD else min(code, 8)
    if kind == "RR" or at.get("D", "").startswith("RTR"):
        return _Row(ns, identifier, flags | REMOTE, at.get("B", "1"), b"")
    payload = bytes.fromhex("".join(at.get("D", "").split()[:length]))
    if len(payload) != length or length > (64 if flags & FD else 8):
        raise ValueError("not as many bytes as announced")
    return _Row(ns, identifier, flags, at.get("B", "1"), payload)


def _frames(rows: list[_Row], start_ns: int, numbers: dict[str, int]) -> Frames:
    frames = empty_frames(len(rows), 64 if any(len(row.payload) > 8 for row in rows) else 8)
    for k, row in enumerate(rows):
        frames.time[k] = row.ns + start_ns
        frames.id[k] = row.id
        frames.flags[k] = row.flags
        frames.channel[k] = numbers[row.channel]
        frames.length[k] = len(row.payload)
        frames.data[k, : len(row.payload)] = np.frombuffer(row.payload, np.uint8)
    return frames


FORMAT = LogFormat("trc", "PEAK TRC", (".trc",), _sniff, _read)
