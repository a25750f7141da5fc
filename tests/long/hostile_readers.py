"""How the program reads each kind of file, as `hostile.py` calls it in its workers."""

import contextlib
import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bms_studio.from_journal import build_journal
from bms_studio.from_logs import import_logs
from bms_studio.from_samples import holds_samples, import_samples
from bms_studio.interpret import Request, interpret
from bms_studio.load import load
from bms_studio.pack.chemistry import chemistry_from_csv
from bms_studio.pack.profile import ProfileError, load_profile
from bms_studio.pack.profile_text import profile_text
from bms_studio.pipeline import Pipeline
from protocols.dbc import DatabaseError, load_database
from protocols.frames import empty_frames
from protocols.mapping import map_database
from recordings.errors import UnreadableLog, UnreadableRecording
from recordings.formats import read_log

KNOWN = (UnreadableLog, UnreadableRecording, DatabaseError, ProfileError, OSError)
BUS = empty_frames(600)
BUS.time[:] = np.arange(600) * 10**7
BUS.id[:] = np.where(np.arange(600) % 2, 849, 2566869221 & 0x1FFFFFFF)
BUS.flags[::2] = 1
BUS.length[:] = 8
BUS.data[:] = 90
FULL_EVERY = 8
"""Every so many logs are made into a recording; the others are only parsed."""


def reader(kind: str, folder: Path) -> Callable[[Path, int], object]:
    """The way in for files of this kind: raises one of KNOWN, or nothing."""
    return {
        "hdf5": lambda path, number: _load(path, folder),
        "samples": lambda path, number: _samples(path, folder),
        "samples-packed": lambda path, number: _samples(path, folder),
        "dbc": _database,
        "kcd": _database,
        "sym": _database,
        "arxml": _database,
        "profile": lambda path, number: profile_text(load_profile(path)),
        "ocv": lambda path, number: _ocv(path),
        "journal": lambda path, number: _journal(path, folder),
    }.get(kind, lambda path, number: _log(path, folder, number))


def _log(path: Path, folder: Path, number: int) -> None:
    target = folder / "out.h5"
    if number % FULL_EVERY == 1:
        # As `import` does: a table of samples, or else a log.
        if holds_samples(path):
            import_samples(path, target, Request())
        else:
            import_logs([path], target, Request())
        target.unlink()
        return
    for _ in read_log(path):
        continue


def _samples(path: Path, folder: Path) -> None:
    target = folder / "out.h5"
    if not holds_samples(path):
        _log(path, folder, 0)
        return
    import_samples(path, target, Request())
    target.unlink()


def _load(path: Path, folder: Path) -> None:
    place = folder / "unpacked"
    place.mkdir(exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        load(path, place)


def _database(path: Path, number: int) -> None:
    """Loaded, mapped by its names, and used on a bus."""
    database = load_database(path)
    mapping = map_database([database])
    Pipeline([database], mapping).push(BUS)
    if number % FULL_EVERY == 1:
        interpret(BUS, Request("", (database,)))


def _ocv(path: Path) -> None:
    try:
        chemistry_from_csv(path.read_text("utf-8", "replace"), path.name)
    except ValueError as problem:  # what it is documented to raise
        raise ProfileError(str(problem)) from None


def _journal(path: Path, folder: Path) -> None:
    place, target = folder / "journal", folder / "out.h5"
    shutil.rmtree(place, ignore_errors=True)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(place)
    try:
        build_journal(place, target)
    except ValueError as problem:  # what it is documented to raise
        raise ProfileError(str(problem)) from None
    finally:
        target.unlink(missing_ok=True)
