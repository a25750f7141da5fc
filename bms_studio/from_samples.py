"""A table of samples becomes a recording: it enters one step later than frames, there are none.

`recordings.sample_csv` reads; here it is only written down. No Qt, no adapter.
"""

from collections.abc import Callable
from pathlib import Path

from bms_studio import __version__
from bms_studio.build import Built
from bms_studio.digest import sha256
from bms_studio.interpret import Request
from recordings.errors import UnreadableLog
from recordings.formats import detect_format
from recordings.layout import RecordingAttributes
from recordings.logs import LogReport
from recordings.sample_csv import is_sample_table, read_samples
from recordings.writer import RecordingWriter


def holds_samples(path: Path) -> bool:
    """Whether `path` is a table of samples and no CAN log. False for what is neither."""
    try:
        detect_format(path)
    except UnreadableLog:
        return path.is_file() and is_sample_table(path)
    return False


def import_samples(
    path: Path,
    target: Path,
    request: Request,
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[Built, LogReport]:
    """Write the table's column groups into `target`. Raises UnreadableLog, OSError, Cancelled."""
    samples = read_samples(path, cancelled=cancelled)
    attributes = RecordingAttributes(
        source="import",
        time_reference=samples.report.time_reference,
        title=path.stem,
        software=f"BMS Studio {__version__}",
        source_names=(path.name,),
        source_sha256=(sha256(path),),
        profile=request.profile.text,
    )
    with RecordingWriter(target, attributes, progress=progress, cancelled=cancelled) as writer:
        for group, time, columns in samples.groups():
            writer.rows(group, time, columns)
        for group, names in samples.labels.items():
            writer.labels(group, names)
        for when, text in samples.events:
            writer.event(when, "warning", text)
        written = writer.close()
    first, last = int(samples.time[0]), int(samples.time[-1])
    return Built([written], first_ns=first, last_ns=last), samples.report
