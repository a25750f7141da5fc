"""A table as plain lines of text, also out of gzip and zip, within limits of size and ratio.

A stranger's archive may be a bomb: what comes out is counted as it comes, whatever the archive says
of itself. Nothing is unpacked to disk.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from recordings.errors import UnreadableLog
from recordings.logs import MAX_LINE_BYTES, TextBlock

MAX_BYTES = 4 << 30
MAX_RATIO = 100
_FREE_BYTES = 1 << 20
_BLOCK_BYTES = 4 << 20
_PIECE_BYTES = 1 << 16
_TABLES = (".csv", ".txt", ".tsv", ".dat")
DAMAGED = (zlib.error, EOFError, gzip.BadGzipFile, zipfile.BadZipFile)


@dataclass(slots=True)
class Plain:
    """An open table: read() gives its bytes as UTF-8. notes: what was left out; truncated: one
    sentence when an archive ended early, or ""."""

    path: Path
    file: IO[bytes]
    allowed: int
    notes: list[str] = field(default_factory=list)
    truncated: str = ""
    done: int = 0

    def read(self, size: int) -> bytes:
        """The next bytes, none at the end. UnreadableLog beyond the limits."""
        pieces: list[bytes] = []
        wanted = size
        while wanted > 0 and not self.truncated:
            try:
                # In small pieces: what a damaged archive gave before its damage is kept.
                piece = self.file.read(min(wanted, _PIECE_BYTES))
            except DAMAGED as error:
                self.truncated = f"the archive is damaged behind {self.done} bytes: {error}"
                break
            except UnicodeError:
                raise UnreadableLog(f"{self.path} is no text") from None
            if not piece:
                break
            pieces.append(piece)
            wanted -= len(piece)
            self.done += len(piece)
            if self.done > self.allowed:
                raise UnreadableLog(
                    f"{self.path} unpacks to more than {self.allowed >> 20} MB: unpack it and look "
                    "at what it holds"
                )
        return b"".join(pieces)


@contextmanager
def opened(path: Path) -> Iterator[Plain]:
    """The table in `path`: plain text, gzip, or a zip with one table (the largest, if several).
    Raises UnreadableLog with one sentence."""
    try:
        packed = path.stat().st_size
        with path.open("rb") as raw:
            magic = raw.read(4)
            raw.seek(0)
            allowed = min(MAX_BYTES, MAX_RATIO * packed + _FREE_BYTES)
            if magic[:2] == b"\x1f\x8b":
                with gzip.open(raw) as file:
                    yield Plain(path, _utf8(io.BufferedReader(file)), allowed)
            elif magic == b"PK\x03\x04":
                with zipfile.ZipFile(raw) as archive:
                    member, notes = _member(path, archive)
                    with archive.open(member) as entry:
                        yield Plain(
                            path,
                            _utf8(io.BufferedReader(cast(io.RawIOBase, entry))),
                            allowed,
                            notes,
                        )
            else:
                yield Plain(path, _utf8(io.BufferedReader(raw)), MAX_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise UnreadableLog(f"{path} cannot be unpacked: {error}") from error
    except FileNotFoundError:
        raise UnreadableLog(f"{path}: there is no such file") from None
    except OSError as error:
        raise UnreadableLog(f"{path} cannot be read: {error.strerror or error}") from error


def line_blocks(plain: Plain) -> Iterator[TextBlock]:
    """Whole lines, some MB at a time, each with a line feed; of an endless line the beginning."""
    rest, line = b"", 1
    while piece := plain.read(_BLOCK_BYTES):
        if b"\n" not in piece and b"\r" in piece:
            piece = piece.replace(b"\r", b"\n")  # classic Mac text
        end = piece.rfind(b"\n") + 1
        if not end:
            rest = (rest + piece)[: 16 * MAX_LINE_BYTES]
            continue
        text = rest + piece[:end]
        rest = piece[end:]
        yield TextBlock(text, line)
        line += text.count(b"\n")
    if rest.strip():
        yield TextBlock(rest + b"\n", line, True)


def _member(path: Path, archive: zipfile.ZipFile) -> tuple[zipfile.ZipInfo, list[str]]:
    tables = [m for m in archive.infolist() if m.filename.lower().endswith(_TABLES)]
    tables = [m for m in tables if not m.is_dir() and not m.filename.startswith("__MACOSX")]
    if not tables:
        raise UnreadableLog(f"{path} holds no table ({', '.join(_TABLES)})")
    tables.sort(key=lambda member: -member.file_size)
    notes = [f"read from the archive: {tables[0].filename}"]
    if len(tables) > 1:
        left = ", ".join(member.filename for member in tables[1:6])
        notes.append(f"{len(tables) - 1} other tables of the archive were left out: {left}")
    return tables[0], notes


class _Recoded(io.RawIOBase):
    """UTF-16 text, as Excel saves it, as UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._text = io.TextIOWrapper(file, "utf-16", newline="")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._text.read(size).encode()


def _utf8(file: io.BufferedReader) -> IO[bytes]:
    try:
        head = file.peek(4)[:4]
    except DAMAGED:
        return file  # the first read says so
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _Recoded(file)  # type: ignore[return-value]
    if head[:3] == b"\xef\xbb\xbf":
        file.read(3)
    return file
