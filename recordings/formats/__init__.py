"""Log formats in and out. A format is one file here, one line in FORMATS, and the compliance test.

Reading is by content, never by name; writing is by name or by suffix. Blocks of `Frames` come out,
bad lines are counted with their numbers, and nothing here ever needs a whole file in memory.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from protocols.frames import Frames
from recordings.errors import UnreadableLog
from recordings.formats import (
    asc,
    battery_emulator,
    blf,
    busmaster,
    can_tester,
    candump,
    candump_plain,
    canhacker,
    canhacker_text,
    crtd,
    frame_csv,
    gvret,
    mdf,
    slcan_text,
    trc,
)
from recordings.logs import HEAD_BYTES, LogFormat, LogReader, LogReport
from recordings.partfile import part_path, sync_folder

FORMATS: dict[str, LogFormat] = {
    module.FORMAT.name: module.FORMAT
    for module in (
        candump,
        blf,
        asc,
        trc,
        canhacker,
        slcan_text,
        candump_plain,
        gvret,
        frame_csv,
        busmaster,
        crtd,
        battery_emulator,
        can_tester,
        canhacker_text,
        mdf,
    )
}
_LIKELY = 0.5


def detect_format(path: str | Path) -> str:
    """The name of the format that the content of `path` has. UnreadableLog (one sentence) when
    there is no such file, it is empty, a folder, or nothing that is known."""
    path = Path(path)
    head = _head(path)
    scores = {name: known.sniff(head) for name, known in FORMATS.items()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < _LIKELY:
        known = ", ".join(f.title for f in FORMATS.values())
        raise UnreadableLog(f"{path} is no log that is known here: {known}")
    return best


def read_log(path: str | Path, format: str | None = None) -> LogReader:  # noqa: A002
    """Open a log (format: a name of FORMATS, None: by content). Iterate over the result for its
    blocks of frames, then read its report. Raises UnreadableLog as `detect_format`."""
    path = Path(path)
    if format is None:
        format = detect_format(path)  # noqa: A001
    elif format not in FORMATS:
        raise ValueError(f"there is no format '{format}': {', '.join(FORMATS)}")
    else:
        _head(path)
    report = LogReport(format)
    return LogReader(path, report, FORMATS[format].read(path, report))


def format_for(path: str | Path) -> str:
    """The format that a file to be written has by its suffix; ValueError names the suffixes."""
    suffix = Path(path).suffix.lower()
    for name, known in FORMATS.items():
        if known.write is not None and suffix in known.suffixes:
            return name
    suffixes = [s for f in FORMATS.values() if f.write is not None for s in f.suffixes]
    raise ValueError(f"'{suffix}' is no log that can be written: {', '.join(suffixes)}")


def write_log(
    path: str | Path,
    frames: Iterable[Frames],
    format: str | None = None,  # noqa: A002
    channels: tuple[str, ...] = (),
) -> None:
    """Write blocks of frames as a log; it appears under its name when it is complete.

    format: a name of FORMATS, None: by suffix. channels: the names that `Frames.channel` counts.
    Raises OSError when the disk refuses and ValueError for a format that cannot be written.
    """
    path = Path(path)
    write = FORMATS[format or format_for(path)].write
    if write is None:
        raise ValueError(f"{format} logs cannot be written")
    part = part_path(path)
    try:
        with part.open("xb") as file:
            write(file, frames, channels)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise UnreadableLog(f"{path} is a folder: name a log inside it")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise UnreadableLog(f"{path}: there is no such file") from None
    except OSError as error:
        raise UnreadableLog(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise UnreadableLog(f"{path} is empty: it holds no log")
    return head
