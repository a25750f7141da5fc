"""The files of a journal folder: names, header, lock, durable writing, and reading it back.

For `recordings/journal.py`, which writes, and for whoever rescues or builds from a journal. What a
block looks like is in `recordings/journal_blocks.py`; no thread and no policy here.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recordings.filelock import FileLock, holder
from recordings.journal_blocks import HEADER, SUFFIX, Block, Damage, pack_json, read_segment

HEADER_FILE = f"header{SUFFIX}"
LOCK_FILE = "writer.lock"


def segments(folder: Path) -> list[Path]:
    """The segment files of a journal in the order of writing."""
    return sorted(p for p in folder.glob(f"*{SUFFIX}") if p.stem.isdigit())


def writing_pid(folder: Path) -> int | None:
    """The pid of the process that is writing this journal now; None if nobody is."""
    return holder(folder / LOCK_FILE)


def journal_header(folder: Path) -> dict[str, Any]:
    """The header that was given to the writer.

    Where `header.bmsj` is damaged, the short one that every segment repeats (uuid, created), with
    "damaged": True. Raises ValueError if the folder holds no journal at all.
    """
    path = folder / HEADER_FILE
    if path.is_file():
        for block in read_segment(path, Damage()):
            if block.header is not None:
                return block.header
    for segment in segments(folder):
        for block in read_segment(segment, Damage()):
            if block.header is not None:
                return {**block.header, "damaged": True}
    raise ValueError(f"{folder}: there is no journal in this folder (no readable header)")


def read_journal(folder: Path, damage: Damage | None = None) -> Iterator[Block]:
    """All good frames and event blocks of a journal in order of writing; the source stays as it is.

    damage, if given, is filled with what had to be skipped. Blocks of a wrong sequence (a segment
    copied in from elsewhere) are counted there too and left out. A black box has no segments from
    the time of a recording: that is no damage.
    """
    damage = Damage() if damage is None else damage
    expected: int | None = None
    for segment in segments(folder):
        for block in read_segment(segment, damage):
            if block.header is not None:
                expected = None if block.header.get("switched") else expected
                continue
            if expected is not None and block.sequence != expected:
                if block.sequence < expected:
                    damage.bad_blocks += 1
                    damage.notes.append(f"{segment.name}: block {block.sequence} out of order")
                    continue
                damage.missing_blocks += block.sequence - expected
            expected = block.sequence + 1
            yield block


def lock(folder: Path) -> FileLock:
    taken = FileLock(folder / LOCK_FILE)
    if not taken.acquire():
        pid = holder(folder / LOCK_FILE)
        raise BlockingIOError(f"{folder} is being written by process {pid}")
    return taken


def remove_journal(folder: Path) -> None:
    """Delete a journal that nobody needs any more; other files in the folder stay, and then it.

    Raises BlockingIOError naming the pid if it is being written, OSError if it cannot be deleted.
    """
    pid = writing_pid(folder)
    if pid is not None:
        raise BlockingIOError(f"{folder} is being written by process {pid}")
    for path in (*segments(folder), folder / HEADER_FILE, folder / LOCK_FILE):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty: not ours to delete
        folder.rmdir()


def refuse_used(folder: Path) -> None:
    """BlockingIOError where a journal is being written, FileExistsError where one stands."""
    pid = writing_pid(folder)
    if pid is not None:
        raise BlockingIOError(f"{folder} is being written by process {pid}")
    if segments(folder):
        raise FileExistsError(
            f"{folder} holds a journal already; rescue it with 'bms-studio repair', or choose "
            "another name"
        )


def create_segment(path: Path, opening: bytes) -> int:
    """The descriptor of a new segment that begins with the block `opening`.

    Raises OSError, and then leaves no file behind.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        write_whole(descriptor, opening, 0)
    except OSError:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return descriptor


def write_whole(descriptor: int, block: bytes, at: int) -> None:
    """All of `block` at offset `at`, or OSError and the file as long as it was."""
    view = memoryview(block)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        os.ftruncate(descriptor, at)
        os.lseek(descriptor, at, os.SEEK_SET)
        raise


def write_header(folder: Path, header: dict[str, Any]) -> None:
    """`header.bmsj`, complete or not there at all."""
    part = folder / f"{HEADER_FILE}.part"
    with part.open("wb") as file:
        file.write(pack_json(HEADER, 0, 0, header))
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / HEADER_FILE)
    sync_folder(folder)


def sync_file(descriptor: int) -> None:
    """fdatasync where the system has it (macOS and Windows have only fsync)."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` durable; Windows cannot open folders and needs no sync."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link(source: Path, target: Path) -> None:
    """A second name for `source`, or a copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
