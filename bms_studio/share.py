"""A copy of a recording to give away, without the location and the serial number if asked.

The copy is built anew by the recording's writer, and verified; the original is only read. What is
left out is said in an event of the copy. `python -m bms_studio.share REC COPY WHAT` does it in a
process of its own. No Qt.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from bms_studio.interpret import Interpretation, Request, interpret
from bms_studio.pack.profile import Profile, parse_profile
from bms_studio.pack.profile_text import profile_text
from bms_studio.worker import limit, say, say_progress
from protocols.dbc import parse_database
from protocols.frames import EXTENDED, Frames
from protocols.registry import available
from recordings.errors import Cancelled
from recordings.layout import RecordingAttributes
from recordings.reader import Recording
from recordings.writer import RecordingWriter

LOCATION, SERIAL = "location", "serial"
CHOICES = (LOCATION, SERIAL)
_HEAD_FRAMES = 200_000
_BLOCK = 1 << 18
_BLOCK_ROWS = 1 << 16
_GRAM = 4  # so many characters of a serial number in one frame are not there by chance
_NAMES = {
    LOCATION: re.compile(r"latitude|longitude|(^|_)gps|(^|_)(lat|lon|lng)($|_)", re.I),
    SERIAL: re.compile(r"serial|(^|_)vin($|_|\d)|(^|_)sn($|_)|barcode", re.I),
}
_ANALYSES = ("/estimates", "/health", "/findings")


@dataclass(frozen=True, slots=True)
class Removed:
    """What a copy lacks. groups: of samples; ids: as text, with all or some of their frames."""

    groups: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    frames: int = 0
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [*self.groups, *self.words]
        if self.frames:
            parts.append(f"{self.frames} frames of {', '.join(self.ids)}")
        return ", ".join(parts) or "nothing: the recording holds none of it"


def share(
    rec: Recording,
    target: Path,
    without: Sequence[str] = (),
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Removed:
    """Write a copy of `rec` without what is named, of CHOICES; analyses are left out, they can be
    run again. Raises ValueError for another word, OSError, UnreadableRecording, Cancelled."""
    for word in without:
        if word not in CHOICES:
            raise ValueError(f"'{word}' cannot be left out: there are {', '.join(CHOICES)}")
    meaning = _meaning(rec)
    serials = _serials(rec, meaning) if SERIAL in without else ()
    ids = _ids(rec, meaning, without)
    groups = tuple(g for g in _copied(rec) if _is_left_out(g, meaning, without))
    attributes, words = _attributes(rec.attributes, serials, SERIAL in without)
    total = max(sum(rec.rows(g) for g in rec.groups()), 1)
    count, met = 0, set[str]()
    done = 0

    def step(rows: int) -> None:
        nonlocal done
        done += rows
        if cancelled is not None and cancelled():
            raise Cancelled("the copy was cancelled")
        if progress is not None:
            progress(0.6 * min(1.0, done / total))

    def verified(part: float) -> None:
        if progress is not None:
            progress(0.6 + 0.4 * part)

    with RecordingWriter(target, attributes, progress=verified, cancelled=cancelled) as writer:
        for block in rec.frames(block=_BLOCK) if rec.rows("/frames") else ():
            drop = np.isin(_keys(block), ids) | _contains(block, serials)
            if drop.any():
                count += int(np.count_nonzero(drop))
                met |= {_id_text(key) for key in np.unique(_keys(block[drop])).tolist()}
                block = block[~drop]
            writer.frames(block)
            step(len(block))
        writer.channels(rec.labels("/frames"))
        for group in _copied(rec):
            if group not in groups:
                _copy_group(rec, group, writer, step)
        for event in rec.events():
            writer.event(event.time, event.kind, _cleaned(event.text, serials))
        removed = Removed(groups, tuple(sorted(met)), count, words)
        span = rec.span()
        if without and span is not None:
            writer.event(span[0], "removed", f"left out of this copy: {removed}")
        writer.close()
    return removed


def _copied(rec: Recording) -> list[str]:
    """The channel groups that a copy has; frames and events go their own ways."""
    return [
        g
        for g in rec.groups()
        if g not in ("/frames", "/events") and not g.endswith(_ANALYSES) and rec.rows(g)
    ]


def _copy_group(
    rec: Recording, group: str, writer: RecordingWriter, step: Callable[[int], None]
) -> None:
    if "/signals/" in group:
        columns = rec.columns(group)
        writer.describe(group, {n: (c.unit, c.long_name) for n, c in columns.items()})
    times = rec.read(group, [])["time"]
    edges = [*times[::_BLOCK_ROWS].tolist(), int(times[-1]) + 1]
    for first, last in zip(np.unique(edges)[:-1], np.unique(edges)[1:], strict=True):
        rows = rec.read(group, None, int(first), int(last))
        writer.rows(group, rows.pop("time"), rows)
        step(int(np.count_nonzero((times >= first) & (times < last))))
    if group.endswith(("/cells", "/temperatures")) and rec.labels(group):
        writer.labels(group, rec.labels(group))


def _attributes(
    known: RecordingAttributes, serials: Sequence[str], hide: bool
) -> tuple[RecordingAttributes, tuple[str, ...]]:
    """The attributes of the copy, and words on what they lack. A title and names of files often
    are the serial number: with it they go too."""
    made = replace(known, uuid=str(uuid4()), frames_sha256="")
    if not hide:
        return made, ()
    words = ["serial number in the profile"] if serials else []
    words += ["title and names of files"] * bool(known.title or known.source_names)
    words += ["receipt"] * bool(known.receipt)
    profile = _cleaned(_without_serial(known.profile), serials)
    names = tuple(f"file {k + 1}" for k in range(len(known.source_names)))
    made = replace(made, profile=profile, title="", source_names=names, receipt="")
    return made, tuple(words)


def _without_serial(text: str) -> str:
    if not text:
        return ""
    return profile_text(replace(parse_profile(text, "profile"), serial=""))


def _cleaned(text: str, serials: Sequence[str]) -> str:
    for serial in serials:
        text = text.replace(serial, "…")
    return text


def _meaning(rec: Recording) -> Interpretation | None:
    """What the frames mean, as the recording says it."""
    if not rec.rows("/frames"):
        return None
    known = rec.attributes
    profile = parse_profile(known.profile, "profile") if known.profile else Profile()
    named = known.protocol if known.protocol in available() else ""
    databases = tuple(parse_database(name, text) for name, text in known.databases)
    head = rec.frame_rows(0, min(_HEAD_FRAMES, rec.rows("/frames")))
    return interpret(head, Request(named, databases, profile))


def _serials(rec: Recording, meaning: Interpretation | None) -> tuple[str, ...]:
    """Serial numbers of the pack: in the profile, and said by the BMS."""
    found = []
    text = rec.attributes.profile
    if text:
        found.append(parse_profile(text, "profile").serial)
    if meaning is not None and meaning.serial is not None:
        head = rec.frame_rows(0, min(_HEAD_FRAMES, rec.rows("/frames")))
        found.append(meaning.serial(head) or "")
    return tuple(dict.fromkeys(s for s in found if len(s) >= _GRAM))


def _ids(
    rec: Recording, meaning: Interpretation | None, without: Sequence[str]
) -> NDArray[np.int64]:
    """Keys of the ids that carry what is to be left out."""
    if meaning is None:
        return np.empty(0, np.int64)
    located = {b.message for b in meaning.mapping.bindings if b.role.kind == LOCATION}
    head = rec.frame_rows(0, min(_HEAD_FRAMES, rec.rows("/frames")))
    keys = _keys(head)
    present = np.unique(keys)
    found: set[int] = set()
    for database in meaning.databases:
        for message in [*database.messages, *(t.message for t in database.transfers)]:
            named = any(_NAMES[w].search(s.name) for w in without for s in message.signals)
            if named or (LOCATION in without and message.name in located):
                kind = (present >> 32 != 0) == message.extended
                same = (present & 0xFFFFFFFF & message.id_mask) == message.id
                found |= set(present[kind & same].tolist())
    if SERIAL in without and meaning.serial is not None:
        serial = meaning.serial(head)
        if serial:
            found |= {k for k in present.tolist() if meaning.serial(head[keys != k]) != serial}
    return np.array(sorted(found), np.int64)


def _is_left_out(group: str, meaning: Interpretation | None, without: Sequence[str]) -> bool:
    if group.endswith("/location"):
        return LOCATION in without
    if "/signals/" not in group or meaning is None:
        return False
    name = group.rpartition("/")[2]
    messages = [m for d in meaning.databases for m in d.messages if m.name == name]
    return any(_NAMES[w].search(s.name) for w in without for m in messages for s in m.signals)


def _keys(frames: Frames) -> NDArray[np.int64]:
    """Id with bit 32 for extended ones."""
    extended = ((frames.flags & EXTENDED) != 0).astype(np.int64)
    keys: NDArray[np.int64] = frames.id.astype(np.int64) | (extended << 32)
    return keys


def _id_text(key: int) -> str:
    return f"0x{key & 0xFFFFFFFF:08X}" if key >> 32 else f"0x{key:03X}"


def _contains(frames: Frames, serials: Sequence[str]) -> NDArray[np.bool_]:
    """Frames whose payload holds four characters of a serial number in a row."""
    found = np.zeros(len(frames), np.bool_)
    data = frames.data
    for serial in serials:
        text = np.frombuffer(serial.encode("latin-1", "replace"), np.uint8)
        for k in range(len(text) - _GRAM + 1):
            for at in range(frames.width - _GRAM + 1):
                same = data[:, at] == text[k]
                for more in range(1, _GRAM):
                    same &= data[:, at + more] == text[k + more]
                found |= same
    return found


def main(arguments: list[str]) -> int:
    """REC COPY WHAT (words joined by commas, or ""); JSON lines on standard output."""
    path, target = Path(arguments[0]), Path(arguments[1])
    limit(path.stat().st_size if path.is_file() else 0)
    try:
        without = [word for word in arguments[2].split(",") if word]
        removed = share(Recording(path), target, without, progress=say_progress())
    except (ValueError, OSError, MemoryError) as problem:
        say({"error": str(problem) or "the recording needs more memory than is allowed"})
        return 3
    say({"result": {"path": str(target), "removed": str(removed)}})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
