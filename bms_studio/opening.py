"""What the window opens, adds and gives away: recordings, logs, databases, copies. Each is the work
of a job; whatever a stranger wrote is read in a process of its own. No Qt.
"""

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bms_studio.described import databases_from
from bms_studio.free_name import free_name
from bms_studio.jobs import Job
from bms_studio.replay import Replay, open_replay
from bms_studio.requests import is_database
from protocols.signals import Database
from recordings.partfile import PART

RECORDING_SUFFIXES = (".h5", ".hdf5", ".bmsrec")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_recording(path: Path) -> bool:
    """Whether `path` is to be opened as a recording, by name or by its first bytes."""
    if path.suffix.lower() in RECORDING_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False  # whoever opens it will say why


def open_paths(job: Job, paths: Sequence[Path], folder: Path) -> Replay:
    """A recording, or logs, with databases if any: those are imported first, beside themselves, or
    in `folder` where nothing can be written there. Raises RuntimeError with one sentence."""
    logs = [Path(path) for path in paths if not is_database(Path(path))]
    if len(logs) == 1 and is_recording(logs[0]):
        return open_replay(job, logs[0])
    place = logs[0].parent if os.access(logs[0].parent, os.W_OK) else folder
    place.mkdir(parents=True, exist_ok=True)
    target = place / (logs[0].name + ".h5")
    target = free_name(target) if target.exists() else target
    with _no_remains(target):
        job.run_process(["bms_studio.from_logs", str(target), *(str(path) for path in paths)])
    return open_replay(job, target)


@contextmanager
def _no_remains(target: Path) -> Iterator[None]:
    """A process that was ended cannot clear away the half of `target` that it wrote."""
    try:
        yield
    except BaseException:
        for part in target.parent.glob(f"{glob.escape(target.name)}{PART}*"):
            part.unlink(missing_ok=True)
        raise


def read_database(job: Job, path: Path) -> Database:
    """The database in `path`, read in a process that may die. RuntimeError with one sentence."""
    found = job.run_process(["bms_studio.from_database", str(path)])
    (database,) = databases_from([found["database"]])
    return replace(database, text=str(found["text"]))


def share_copy(job: Job, source: Path, target: Path, without: Sequence[str]) -> tuple[str, str]:
    """(path of the copy, what it lacks in words). RuntimeError with one sentence."""
    with _no_remains(target):
        found = job.run_process(["bms_studio.share", str(source), str(target), ",".join(without)])
    return str(found["path"]), str(found["removed"])
