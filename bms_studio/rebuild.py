"""A recording built again from its own frames, with other databases: what `export --dbc` writes.

The frames, events and attributes are those of the original, which is only read. No Qt, no adapter.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from bms_studio.build import Built, Item, build
from bms_studio.pack.profile import parse_profile
from bms_studio.requests import request_for
from bms_studio.timeline import Event
from protocols.dbc import parse_database
from recordings.reader import Recording


def rebuild(
    rec: Recording,
    target: Path,
    databases: Sequence[str],
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Built:
    """Derive every sample anew with these databases (paths) before those of the recording.

    Raises ValueError where there are no frames, or a database cannot be used; OSError.
    """
    if not rec.rows("/frames"):
        raise ValueError(f"{rec.path.name} was made of samples: no database can be applied to it")
    request = request_for("", databases, "")
    known = rec.attributes
    stored = tuple(parse_database(name, text) for name, text in known.databases)
    request = replace(request, databases=request.databases + stored)
    if known.profile:
        request = replace(request, profile=parse_profile(known.profile, "profile"))
    return build(
        _items(rec),
        target,
        replace(known, uuid=str(uuid4()), protocol="", databases=(), receipt=""),
        request,
        channels=rec.labels("/frames"),
        progress=progress,
        cancelled=cancelled,
    )


def _items(rec: Recording) -> Iterator[Item]:
    """Frames and events in order of time."""
    events = sorted(rec.events(), key=lambda event: event.time)
    # What the builder says itself it will say again.
    waiting = [e for e in events if e.kind not in ("silence", "pack-changed")]
    for block in rec.frames():
        while waiting and waiting[0].time <= block.time[0]:
            event = waiting.pop(0)
            yield Item(event=Event(event.time, event.kind, event.text))
        yield Item(frames=block)
    for event in waiting:
        yield Item(event=Event(event.time, event.kind, event.text))
