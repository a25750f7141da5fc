"""Where a session keeps what does not fit in memory: the user's data folder, never a RAM disk.

Unnamed files vanish with their process. A replay's unpacked arrays have names; each such folder is
locked by its process, and what a crash left unlocked is removed at the next start. No Qt.
"""

import shutil
import tempfile
from pathlib import Path

from bms_studio.acquisition.lock import folder
from recordings.filelock import FileLock, holder

_LOCK = "in-use.lock"


def scratch_folder() -> str:
    """For unnamed temporary files."""
    return str(folder("scratch"))


class UnpackFolder:
    """A folder for a recording's unpacked arrays, until `close`."""

    def __init__(self) -> None:
        tidy()
        self.path = Path(tempfile.mkdtemp(prefix="replay-", dir=folder("scratch")))
        self._lock = FileLock(self.path / _LOCK)
        self._lock.acquire()

    def close(self) -> None:
        """Remove it; arrays still mapped stay readable where the system allows it."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def tidy() -> None:
    """Remove the folders of processes that are gone."""
    for left in folder("scratch").glob("replay-*"):
        if (left / _LOCK).exists() and holder(left / _LOCK) is None:
            shutil.rmtree(left, ignore_errors=True)
