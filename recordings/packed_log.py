"""A log that came in gzip or zip, as the file inside it, within limits of size and ratio.

Readers of logs want a file of their own (BLF jumps in it), so unlike a table it is unpacked, into
the folder where the recording will be, and goes again. What formats there are does not enter.
"""

import gzip
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from recordings.errors import Cancelled, UnreadableLog
from recordings.partfile import part_path
from recordings.unpack import DAMAGED, MAX_BYTES, MAX_RATIO

_FREE_BYTES = 1 << 20
_PIECE_BYTES = 1 << 16


@contextmanager
def plain_log(
    path: Path, folder: Path, cancelled: Callable[[], bool] | None = None
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """(file to read, what to tell): `path` itself, or for gzip and zip the log inside it (the
    largest file of an archive) unpacked in `folder` for as long as this lasts.

    Raises UnreadableLog with one sentence, Cancelled, OSError where `folder` takes nothing.
    """
    magic = _magic(path)
    if magic[:2] != b"\x1f\x8b" and magic not in (b"PK\x03\x04", b"PK\x05\x06"):
        yield path, ()
        return
    target = part_path(folder / path.name)
    try:
        with path.open("rb") as raw, target.open("xb") as out:
            allowed = min(MAX_BYTES, MAX_RATIO * path.stat().st_size + _FREE_BYTES)
            if magic[:2] == b"\x1f\x8b":
                with gzip.open(raw) as file:
                    notes = _unpack(path, cast(IO[bytes], file), out, allowed, cancelled)
            else:
                notes = _from_zip(path, raw, out, allowed, cancelled)
        yield target, notes
    finally:
        target.unlink(missing_ok=True)


def _magic(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError:
        return b""  # whoever reads it says why not


def _from_zip(
    path: Path,
    raw: IO[bytes],
    out: IO[bytes],
    allowed: int,
    cancelled: Callable[[], bool] | None,
) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(raw) as archive:
            inside = [m for m in archive.infolist() if not m.is_dir() and m.file_size]
            inside = [m for m in inside if not m.filename.startswith("__MACOSX")]
            if not inside:
                raise UnreadableLog(f"{path} is an empty archive: it holds no log")
            largest = max(inside, key=lambda member: member.file_size)
            others = [m.filename for m in inside if m is not largest]
            notes = [f"read from the archive: {largest.filename}"]
            if others:
                left = ", ".join(others[:5])
                notes.append(f"{len(others)} other files of the archive were left out: {left}")
            with archive.open(largest) as file:
                return (*notes, *_unpack(path, file, out, allowed, cancelled))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UnreadableLog(f"{path} cannot be unpacked: {error}") from error


def _unpack(
    path: Path,
    file: IO[bytes],
    out: IO[bytes],
    allowed: int,
    cancelled: Callable[[], bool] | None,
) -> tuple[str, ...]:
    """Copy what is inside; what a damaged archive gives before its damage is kept, and told."""
    done = 0
    while True:
        if cancelled is not None and cancelled():
            raise Cancelled(f"{path.name} was not read: cancelled")
        try:
            piece = file.read(_PIECE_BYTES)
        except DAMAGED as error:
            if not done:
                raise UnreadableLog(f"{path} cannot be unpacked: {error}") from error
            return (f"the archive is damaged behind {done} bytes: {error}",)
        if not piece:
            return ()
        done += len(piece)
        if done > allowed:
            raise UnreadableLog(
                f"{path} unpacks to more than {allowed >> 20} MB: unpack it and look at what it "
                "holds"
            )
        out.write(piece)
