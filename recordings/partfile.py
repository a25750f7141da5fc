"""A file that appears under its name only when it is complete.

Everything is written to a file beside the target, which replaces the target in one step or goes.
The HDF5 library may crash the process when a write fails in its depths (h5py issue 914), so errors
are kept here and told afterwards, while the library believes that it could write.
"""

import os
import secrets
from pathlib import Path
from typing import Any, BinaryIO

PART = ".part-"


def part_path(target: Path) -> Path:
    """A fresh name beside `target`."""
    return target.with_name(f"{target.name}{PART}{os.getpid()}-{secrets.token_hex(4)}")


class PartFile:
    """The file object that h5py writes to; the first error is kept in `error`."""

    def __init__(self, target: Path) -> None:
        """Raises OSError when nothing can be written beside `target`."""
        self.target = target
        self.path = part_path(target)
        self.error: OSError | None = None
        self._file: BinaryIO = self.path.open("xb+", buffering=0)

    def write(self, data: Any) -> int:
        """Write all of `data`; after an error it only counts."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.error is None:
            try:
                done += self._file.write(view[done:])
            except OSError as error:
                self.error = error
        return len(view)

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        return self._file.read(size)

    def readinto(self, target: Any) -> int:
        """Read into `target`; what was never written reads as zero."""
        view = memoryview(target).cast("B")
        done = 0
        while done < len(view):
            count = self._file.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                view[done:] = bytes(len(view) - done)
                break
            done += count
        return len(view)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        """As of any file; an error is kept."""
        try:
            return self._file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def flush(self) -> None:
        """Nothing is buffered here."""

    def raise_error(self) -> None:
        """Raise the error that was kept, if there is one."""
        if self.error is not None:
            raise self.error

    def sync(self) -> None:
        """Bring the content to the disk and close; raises the error that was kept."""
        self.raise_error()
        os.fsync(self._file.fileno())
        self._file.close()

    def publish(self) -> None:
        """Put the complete file in the target's place."""
        os.replace(self.path, self.target)
        sync_folder(self.target.parent)

    def discard(self) -> None:
        """Remove the part; the target stays as it was."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system has such a call."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
