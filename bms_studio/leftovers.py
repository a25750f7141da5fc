"""What an earlier run left: an acquisition that goes on without a window, journals of a crash.

Offered at the next start; nothing is deleted unless a person says so. No Qt.
"""

from dataclasses import dataclass
from pathlib import Path

from bms_studio.acquisition import client
from bms_studio.acquisition.client import Acquisition
from bms_studio.acquisition.lock import folder
from bms_studio.interpret import Request
from bms_studio.requests import request_of
from recordings.filelock import FileLock, holder
from recordings.journal import journal_header, remove_journal, segments


@dataclass(frozen=True, slots=True)
class Leftover:
    """A journal that nobody writes. recording: a person had pressed Record; else a black box.

    target: where the recording was to go ("" for a black box); saved_ns: when it was last written.
    """

    journal: Path
    recording: bool
    title: str
    target: str
    saved_ns: int


def leftovers() -> list[Leftover]:
    """Journals that a crash left in the user's data folder, newest first."""
    found = []
    for journal in client.left_behind():
        try:
            header = journal_header(journal)
        except ValueError:
            continue  # not even a header survived: there is nothing to offer
        newest = max(segment.stat().st_mtime_ns for segment in segments(journal))
        found.append(
            Leftover(
                journal,
                journal.parent.name == "recordings",
                str(header.get("title", "")),
                str(header.get("target", "")),
                newest,
            )
        )
    return sorted(found, key=lambda left: -left.saved_ns)


def discard(left: Leftover) -> None:
    """Delete a journal for good: a person said so."""
    remove_journal(left.journal)


def watch_lock(acquisition: Acquisition) -> FileLock:
    """Held by the window that looks at this acquisition, so that another does not take it over."""
    return FileLock(folder("running") / f"{acquisition.id}.watched")


def unwatched() -> list[tuple[Acquisition, Request]]:
    """Acquisitions that run without a window, with what their frames mean as it was known."""
    free = []
    for acquisition in client.find():
        if holder(watch_lock(acquisition).path) is None:
            free.append((acquisition, request_of(acquisition.header)))
        else:
            acquisition.close()
    return free
