"""A journal becomes a recording: after Stop, after a crash, after a full disk. Reads, never edits.

`python -m bms_studio.from_journal JOURNAL TARGET` does it in a process of its own and prints JSON
lines for `bms_studio.jobs`. No Qt, no adapter.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bms_studio import __version__
from bms_studio.build import Built, Item, build
from bms_studio.pack.profile import (
    DATABASES_IN_JOURNAL,
    PROFILE_IN_JOURNAL,
    ProfileError,
    parse_profile,
)
from bms_studio.requests import request_of
from bms_studio.timeline import Event
from bms_studio.worker import say, say_progress
from protocols.dbc import parse_database
from recordings.journal import Damage, journal_header, read_journal, segments, writing_pid
from recordings.layout import RecordingAttributes

_READING_SHARE = 0.6  # of the progress; the rest is verification


class JournalBusyError(RuntimeError):
    """The journal is being written right now; the message names the pid."""


def build_journal(
    folder: Path,
    target: Path,
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[Built, Damage]:
    """Build `target` from the journal in `folder`, which stays as it is.

    Raises JournalBusyError while it is being written, ValueError when it is none, OSError.
    """
    pid = writing_pid(folder)
    if pid is not None:
        raise JournalBusyError(
            f"{folder} is being written by process {pid}: stop the recording first"
        )
    header = _newest_word(journal_header(folder), folder)
    damage = Damage()

    def share(done: float) -> None:
        if progress is not None:
            progress(_READING_SHARE + (1 - _READING_SHARE) * done)

    built = build(
        _items(folder, damage, progress),
        target,
        _attributes(header),
        request_of(header),
        channels=(str(header.get("adapter", {}).get("channel", "")),),
        progress=share,
        cancelled=cancelled,
    )
    return built, damage


def _newest_word(header: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The header under the profile and databases as they were given while the recording ran."""
    header = {**header, **_added_databases(folder)}
    place = folder / PROFILE_IN_JOURNAL
    try:
        text = place.read_text("utf-8")
        parse_profile(text, PROFILE_IN_JOURNAL)
    except (FileNotFoundError, UnicodeDecodeError, ProfileError):
        return header  # none, or a crash cut it: what the header says holds
    return {**header, "profile": text}


def _added_databases(folder: Path) -> dict[str, Any]:
    """Databases that were added while the recording ran; {} where there are none, or a crash cut
    the file."""
    try:
        added = json.loads((folder / DATABASES_IN_JOURNAL).read_text("utf-8"))
        pairs = [[str(name), str(text)] for name, text in added]
        for name, words in pairs:
            parse_database(name, words)
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return {}
    return {"databases": pairs}


def _items(
    folder: Path, damage: Damage, progress: Callable[[float], None] | None
) -> Iterator[Item]:
    total = max(1, sum(path.stat().st_size for path in segments(folder)))
    done = 0
    for block in read_journal(folder, damage):
        if block.frames is not None:
            done += len(block.frames) * (15 + block.frames.width)
            yield Item(frames=block.frames)
        elif block.event is not None:
            event = block.event
            yield Item(event=Event(event.time, event.kind, event.text, event.parameters))
        if progress is not None:
            progress(_READING_SHARE * min(1.0, done / total))


def _attributes(header: dict[str, Any]) -> RecordingAttributes:
    made = RecordingAttributes(
        source="simulated" if header.get("simulated") else "live",
        title=str(header.get("title", "")),
        software=f"BMS Studio {__version__}",
        source_names=(str(header.get("adapter", {}).get("channel", "")),),
        profile=str(header.get("profile", "")),
    )
    return replace(
        made,
        uuid=str(header.get("uuid") or made.uuid),
        created=str(header.get("created") or made.created),
    )


def main(arguments: list[str]) -> int:
    """JOURNAL TARGET; JSON lines on standard output."""
    folder, target = Path(arguments[0]), Path(arguments[1])
    try:
        built, damage = build_journal(folder, target, progress=say_progress())
    except (ValueError, RuntimeError, OSError) as problem:
        say({"error": str(problem)})
        return 1
    say(
        {
            "result": {
                "files": [str(written.path) for written in built.files],
                "frames": built.frames,
                "changes": built.changes,
                "bad_blocks": damage.bad_blocks,
                "missing_blocks": damage.missing_blocks,
            }
        }
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
