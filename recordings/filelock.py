"""A lock file that the operating system releases when its holder dies, with the holder's pid in it.

Serves the journal ("who is writing?") and, through the acquisition package, the adapters. Nothing
else belongs here. The lock and not the file is the truth: a file left by a crash locks nothing.
"""

import os
import sys
import time
from pathlib import Path

# Far behind the pid: Windows locks are mandatory, and the pid must stay readable.
_LOCKED_BYTE = 1 << 20

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int, *, probe: bool = False) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int, *, probe: bool = False) -> bool:
        # Shared for a probe: two processes that only ask do not see each other as a holder.
        kind = fcntl.LOCK_SH if probe else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class FileLock:
    """An exclusive lock on `path`, held until `release` or the death of this process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; False if another holder has it."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        tries = 5  # somebody's `holder` may have it for a moment
        while not _try_lock(descriptor):
            tries -= 1
            if tries == 0:
                os.close(descriptor)
                return False
            time.sleep(0.01)
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; the file stays, because removing it would race with a newcomer."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def holder(path: Path) -> int | None:
    """The pid of the process that holds the lock at `path`; None if nobody does.

    0 if somebody holds it whose pid cannot be read.
    """
    if not path.exists():
        return None
    descriptor = os.open(path, os.O_RDWR)
    try:
        if _try_lock(descriptor, probe=True):
            return None
        os.lseek(descriptor, 0, os.SEEK_SET)
        text = os.read(descriptor, 32).split(b"\n")[0].strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)
