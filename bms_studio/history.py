"""A pack's life over many recordings: daily summaries, which trends are made of, by serial number.

One small JSON file per visit and day in the user's data folder, `history/<pack>/`; written beside
and renamed, so that a crash leaves the old one or the new one. A file that cannot be read costs
itself only and is named. Recordings chosen by hand give the same summaries from their /health.
Nothing here judges.
"""

import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.acquisition.lock import home
from bms_studio.pack.health import NAMES, PACK_QUANTITIES, Health

FORMAT = "bms-studio-visit"
VERSION = 1
# More than any pack has; a file that claims more is damaged.
_MOST_CELLS = 4096
_MOST_BYTES = 16_000_000
_DAY_NS = 86_400_000_000_000
# The year 2000: a log whose time counts from its own zero tells no day.
_FIRST_TIME_NS = 946_684_800_000_000_000


@dataclass(frozen=True, slots=True)
class Past:
    """visits: daily summaries, oldest first; damaged: one sentence per file that was left out."""

    visits: tuple[Health, ...] = ()
    damaged: tuple[str, ...] = ()


def store(health: Health, recording: str = "", folder: Path | None = None) -> Path:
    """Keep a summary under its serial number; that of the same day of the same recording (its uuid;
    "" live) is replaced. Returns the file.

    Raises ValueError without a serial number: nobody could say later whose history it is. OSError
    when the folder cannot be written.
    """
    if not health.serial.strip():
        raise ValueError(
            "a pack without a serial number has no history: state the serial in its profile"
        )
    place = _pack_folder(health.serial, folder)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    day = datetime.fromtimestamp(health.time / 1e9, UTC).strftime("%Y%m%d")
    path = place / f"{day}-{_key(recording or 'live')}.json"
    save_file(path, health)
    return path


def load(serial: str, folder: Path | None = None, before: int | None = None) -> Past:
    """All that is kept of a pack, oldest first, `before` a time (int64 ns) where given."""
    visits, damaged = [], []
    for path in sorted(_pack_folder(serial, folder).glob("*.json")):
        try:
            health = load_file(path)
        except (ValueError, OSError) as error:
            damaged.append(f"{path.name}: {error}")
            continue
        if health.serial == serial and (before is None or health.time < before):
            visits.append(health)
    return Past(tuple(sorted(visits, key=lambda h: h.time)), tuple(damaged))


def earlier(serial: str, before: int, *, simulated: bool) -> list[Health]:
    """Visits of a pack before a time (int64 ns), for an analysis; a simulated pack has none, nor
    one without a serial number."""
    return [] if simulated or not serial.strip() else list(load(serial, before=before).visits)


def keep(
    days: Sequence[Health], verdict: str, title: str, recording: str, *, simulated: bool
) -> None:
    """Keep the summaries of one visit for later ones: the last evaluation of each day. A pack
    without a serial number, a simulated one, and times that are none leave nothing. OSError."""
    if simulated:
        return
    for health in merged(days):
        if health.serial.strip() and health.time > _FIRST_TIME_NS:
            store(replace(health, verdict=verdict, title=title), recording)


def forget(serial: str, folder: Path | None = None) -> int:
    """Remove what is kept of a pack, damaged files too; how many files went."""
    place = _pack_folder(serial, folder)
    count = 0
    for path in [*place.glob("*.json"), *place.glob("*.new")]:
        path.unlink(missing_ok=True)
        count += path.suffix == ".json"
    # Somebody else's file keeps the folder.
    with contextlib.suppress(OSError):
        place.rmdir()
    return count


def serials(folder: Path | None = None) -> tuple[str, ...]:
    """Serial numbers of all packs with a history, sorted."""
    found = set()
    for path in sorted(_root(folder).glob("*/*.json")):
        try:
            found.add(load_file(path).serial)
        except (ValueError, OSError):
            continue
    return tuple(sorted(found))


def of_recording(path: Path, pack: int = 1) -> tuple[Health, ...]:
    """Daily summaries from the newest analysis that stands in a recording chosen by hand.

    Raises ValueError, one sentence, when it was never analysed or its analysis is damaged;
    recordings.guard.UnreadableRecording when the file is none.
    """
    # Estimators and tables are needed for this only.
    from bms_studio.analysis.store import read_parts, run_of
    from recordings.reader import Recording

    recording = Recording(path)
    numbers = recording.analyses(pack)
    if not numbers:
        raise ValueError(f"{path.name} holds no health: analyse it first (bms-studio analyze)")
    newest = max(numbers)
    return merged(run_of(newest, read_parts(recording, newest)).pack(pack).health)


def merged(*parts: Iterable[Health]) -> tuple[Health, ...]:
    """Summaries of several sources, oldest first, the last of each day."""
    days: dict[int, Health] = {}
    for health in sorted((h for part in parts for h in part), key=lambda h: h.time):
        days[health.time // _DAY_NS] = health
    return tuple(days.values())


def to_json(health: Health) -> dict[str, Any]:
    """A summary as JSON-able words; unknown is null."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "time": int(health.time),
        "start": int(health.start),
        "count": int(health.count),
        "serial": health.serial,
        "chemistry": health.chemistry,
        "model": health.model,
        "family": health.family,
        "cells": {
            name: [None if math.isnan(v) else float(f"{v:.7g}") for v in values.tolist()]
            for name, values in health.cells.items()
            if _is_quantity(name) and np.isfinite(values).any()
        },
        "pack": {n: float(v) for n, v in health.pack.items() if math.isfinite(v)},
        "needs": dict(health.needs),
        "verdict": health.verdict,
        "title": health.title,
    }


def from_json(stored: Mapping[str, Any]) -> Health:
    """The inverse; unknown names are left out. ValueError, one sentence, for what is no summary."""
    if stored.get("format") != FORMAT:
        raise ValueError("this is not a visit of a pack")
    if stored.get("version") != VERSION:
        raise ValueError(f"version {stored.get('version')} is newer than this program")
    try:
        count, time, start = int(stored["count"]), int(stored["time"]), int(stored["start"])
        if not 0 <= count <= _MOST_CELLS:
            raise ValueError(f"no pack has {count} cells")
        cells = {n: _column(n, v, count) for n, v in stored["cells"].items() if _is_quantity(n)}
        pack = {n: float(v) for n, v in stored["pack"].items() if n in _PACK_NAMES}
        needs = {str(n): str(v) for n, v in stored.get("needs", {}).items()}
        words = [str(stored.get(n, "")) for n in _WORDS]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the visit is damaged ({error!r})") from None
    return Health(time, start, count, cells, pack, needs, {}, *words)


_WORDS = ("chemistry", "serial", "model", "verdict", "title", "family")
_PACK_NAMES = {n for q in PACK_QUANTITIES for n in (q.name, f"{q.name}_sigma")}


def _is_quantity(name: str) -> bool:
    return name.removesuffix("_sigma") in NAMES


def _column(name: str, values: Sequence[float | None], count: int) -> NDArray[np.float64]:
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} values for {count} cells")
    return np.array([math.nan if v is None else float(v) for v in values], np.float64)


def _root(folder: Path | None) -> Path:
    return home() / "history" if folder is None else folder


def _pack_folder(serial: str, folder: Path | None) -> Path:
    """A name that every file system takes and that no two serial numbers share."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", serial).strip("-")[:40] or "pack"
    return _root(folder) / f"{readable}-{_key(serial)}"


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def load_file(path: Path) -> Health:
    """The visit in a file. ValueError, one sentence, for what is none; OSError."""
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("the file is too large for a visit")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError("the file is cut short or damaged; it can be deleted") from None
    if not isinstance(stored, dict):
        raise ValueError("this is not a visit of a pack")
    return from_json(stored)


def save_file(path: Path, health: Health) -> None:
    """Beside, to the disk, then renamed: never half a file under the right name."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with beside.open("w", encoding="utf-8") as file:
            json.dump(to_json(health), file, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
