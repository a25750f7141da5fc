"""The bytes of a journal: one block, one segment file, and how to read both when damaged.

Only layout and reading; who writes, syncs and trims is `recordings/journal.py`. Reading never
edits the source, never trusts a length without its checksum, and never raises on damage.

Block, little endian: magic "BMSJ", version u8, kind u8, two zero bytes, sequence u64, time i64 (ns
since 1970 UTC of the first frame, or of the event), count u32 (frames), length u32 (bytes of
payload), CRC-32 of the payload u32, CRC-32 of the 36 bytes before u32; then the payload: for frames
`protocols.frames.to_bytes`, for events and headers JSON in UTF-8.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from protocols.frames import Frames, from_bytes

VERSION = 1
MAGIC = b"BMSJ"
HEADER, FRAMES, EVENT = 1, 2, 3
KINDS = {HEADER: "header", FRAMES: "frames", EVENT: "event"}
MAX_PAYLOAD = 32 << 20
SUFFIX = ".bmsj"

_HEAD = struct.Struct("<4sBBHQqIII")
_CHECK = struct.Struct("<I")
HEAD_SIZE = _HEAD.size + _CHECK.size


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: `kind` in one word, `text` for people, `parameters` for programs."""

    time: int
    kind: str
    text: str
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """One good block. kind: "frames" (then `frames`), "event" (then `event`) or "header"."""

    sequence: int
    kind: str
    time: int
    frames: Frames | None = None
    event: Event | None = None
    header: dict[str, Any] | None = None


@dataclass(slots=True)
class Damage:
    """What reading had to skip. missing_blocks: sequence numbers that are not there."""

    bad_blocks: int = 0
    skipped_bytes: int = 0
    missing_blocks: int = 0
    notes: list[str] = field(default_factory=list)


def pack_block(kind: int, sequence: int, time_ns: int, count: int, payload: bytes) -> bytes:
    """A block as it stands in a segment. Raises ValueError for a payload above MAX_PAYLOAD."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a journal block holds at most {MAX_PAYLOAD} bytes, not {len(payload)}")
    crc = zlib.crc32(payload)
    head = _HEAD.pack(MAGIC, VERSION, kind, 0, sequence, time_ns, count, len(payload), crc)
    return head + _CHECK.pack(zlib.crc32(head)) + payload


def pack_json(kind: int, sequence: int, time_ns: int, value: dict[str, Any]) -> bytes:
    """An event or header block."""
    payload = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return pack_block(kind, sequence, time_ns, 0, payload.encode("utf-8"))


def read_segment(path: Path, damage: Damage) -> Iterator[Block]:
    """The good blocks of one file in order; what is not good is skipped and counted."""
    with path.open("rb") as file:
        position = 0
        while True:
            block, after = _read_block(file, position)
            if block is not None:
                yield block
                position = after
                continue
            if after == position:
                return
            found = _next_magic(file, position + 1)
            damage.bad_blocks += 1
            damage.skipped_bytes += found - position
            damage.notes.append(f"{path.name}: {found - position} bytes skipped at {position}")
            position = found


def _read_block(file: BinaryIO, position: int) -> tuple[Block | None, int]:
    """The block at `position` and where the next begins.

    Without a block: (None, position) at the end of the file, else (None, -1): the next one must be
    searched. Also where only the payload is damaged, for bytes may be missing there.
    """
    file.seek(position)
    head = file.read(HEAD_SIZE)
    if not head:
        return None, position
    if len(head) < HEAD_SIZE or _CHECK.unpack_from(head, _HEAD.size)[0] != zlib.crc32(
        head[: _HEAD.size]
    ):
        return None, -1
    magic, version, kind, _, sequence, time_ns, count, length, crc = _HEAD.unpack_from(head)
    if magic != MAGIC or version != VERSION or kind not in KINDS or length > MAX_PAYLOAD:
        return None, -1
    payload = file.read(length)
    if len(payload) < length:
        return None, -1
    if zlib.crc32(payload) != crc:
        return None, -1
    block = _decode(kind, sequence, time_ns, count, payload)
    return block, -1 if block is None else position + HEAD_SIZE + length


def _decode(kind: int, sequence: int, time_ns: int, count: int, payload: bytes) -> Block | None:
    """The block of a payload whose checksum fits; None if it is nonsense all the same."""
    try:
        if kind == FRAMES:
            frames = from_bytes(payload)
            return (
                Block(sequence, "frames", time_ns, frames=frames) if count == len(frames) else None
            )
        value = json.loads(payload)
        if kind == HEADER:
            return Block(sequence, "header", time_ns, header=dict(value))
        event = Event(time_ns, str(value["kind"]), str(value["text"]), dict(value["parameters"]))
        return Block(sequence, "event", time_ns, event=event)
    except (ValueError, KeyError, TypeError):
        return None


def _next_magic(file: BinaryIO, position: int) -> int:
    """Where the next magic stands at or behind `position`; the end of the file if nowhere."""
    step = 1 << 20
    while True:
        file.seek(position)
        chunk = file.read(step + len(MAGIC) - 1)
        found = chunk.find(MAGIC)
        if found >= 0:
            return position + found
        if len(chunk) < step:
            return position + len(chunk)
        position += step
