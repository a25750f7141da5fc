"""An analysis of a recording: its rows read in order of time, a few minutes in memory at once.

Reads through `recordings.reader`, which refuses what is not a recording. Writing is `store`'s and
`recordings.analyses`' business.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.contract import Settings
from bms_studio.analysis.run import Analysed, Ears, Table, analyse, chunks
from bms_studio.pack.health import Health
from bms_studio.pack.profile import Profile, parse_profile
from protocols.registry import available, load
from protocols.roles import PACK_FIELDS
from recordings.layout import UNKNOWN_UINT8
from recordings.reader import Recording

_PLACES = {
    "pack": ("/pack", ""),
    "probe": ("/temperatures", "value"),
    "balancing": ("/balancing", "active"),
    "cell": ("/cells", "voltage"),
}
_SERIAL_FRAMES = 200_000


def tables_of(recording: Recording) -> list[Table]:
    """All rows that an analysis reads, of every pack."""
    tables = []
    for pack in recording.packs():
        prefix = "" if pack == 1 else f"/packs/{pack}"
        for kind, (group, column) in _PLACES.items():
            path = prefix + group
            if not recording.rows(path):
                continue
            info = recording.columns(path)
            if column and column not in info:
                continue
            width = info[column].width if column else len(PACK_FIELDS)
            time = recording.read(path, [])["time"]
            tables.append(
                Table(pack, kind, time, width, partial(_read, recording, path, kind, column, time))
            )
    return tables


def _read(
    recording: Recording, path: str, kind: str, column: str, time: NDArray[np.int64], i: int, j: int
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Rows i..j-1. Rows are asked for by time: those of equal times beside them are cut off."""
    t0 = int(time[i])
    first = int(np.searchsorted(time, t0))
    last = int(time[j - 1]) + 1
    rows = slice(i - first, j - first)
    if kind == "pack":
        found = recording.read(path, None, t0, last)
        table = np.full((j - i, len(PACK_FIELDS)), np.nan, np.float32)
        for k, field in enumerate(PACK_FIELDS):
            if field.name in found:
                table[:, k] = found[field.name][rows]
        return table, None
    ages = ["age_s"] if kind == "cell" and "age_s" in recording.columns(path) else []
    found = recording.read(path, [column, *ages], t0, last)
    values = found[column][rows]
    if kind == "balancing":
        values = np.where(values == UNKNOWN_UINT8, np.nan, values)
    return values.astype(np.float32), found["age_s"][rows] if ages else None


def profile_of(recording: Recording) -> Profile:
    """The profile that stands in the recording; an empty one where there is none."""
    text = recording.attributes.profile
    return parse_profile(text, recording.path.name) if text else Profile()


def serial_of(recording: Recording) -> str:
    """Serial number of the pack from the recording's frames, "" where it tells none."""
    protocol = recording.attributes.protocol
    if protocol not in available() or not recording.rows("/frames"):
        return ""
    read = load(protocol).serial
    head = recording.frame_rows(0, min(_SERIAL_FRAMES, recording.rows("/frames")))
    return (read(head) if read else None) or ""


def start_of(recording: Recording) -> int:
    """Time of the first row that an analysis reads (int64 ns), 0 without any."""
    return min((int(table.time[0]) for table in tables_of(recording) if len(table.time)), default=0)


def analyse_recording(
    recording: Recording,
    settings: Settings,
    profile: Profile | None = None,
    *,
    progress: Callable[[float], None] | None = None,
    check: Callable[[], None] | None = None,
    history: Sequence[Health] = (),
) -> Analysed:
    """Analyse all packs; profile: instead of the recording's own; history: earlier visits of the
    first pack. Raises ValueError for settings
    that cannot be used, UnreadableRecording."""
    known = profile_of(recording) if profile is None else profile
    serial = serial_of(recording) or known.serial
    tables = tables_of(recording)
    ears = Ears(progress=progress or (lambda share: None), check=check or (lambda: None))
    done = analyse(
        lambda: chunks(tables),
        settings,
        {1: known},
        serial=serial,
        ears=ears,
        history={1: list(history)},
    )
    for number, told in done.run.packs.items():
        labels = recording.labels(f"{'' if number == 1 else f'/packs/{number}'}/cells")
        told.labels = tuple(labels or (known.labels if number == 1 else ()))
    return done
