"""Unpacks a recording for the window, in a process that may die: HDF5 from strangers is hostile.

`python -m bms_studio.load RECORDING FOLDER` checks the file, writes each channel group as plain
NumPy arrays (`<number>-<column>.npy`, no pickles) into FOLDER, and prints JSON lines for
`bms_studio.jobs`; the last one describes what lies there. No Qt.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from bms_studio.described import describe
from bms_studio.worker import say
from protocols.dbc import parse_database
from protocols.registry import available
from protocols.registry import load as load_protocol
from protocols.signals import Database
from recordings.analyses import PARTS
from recordings.layout import RecordingAttributes
from recordings.reader import Recording

_FRAME_BLOCK = 1 << 19
_SERIAL_FRAMES = 200_000
_MOST_ANALYSES = 4
# Where the samples stand in a recording, and the Timeline's name and column for them.
PLACES = {
    "/cells": ("cells", "voltage"),
    "/temperatures": ("probes", "value"),
    "/balancing": ("balancing", "active"),
}


def load(recording: Path, folder: Path) -> dict[str, Any]:
    """Write everything and describe it. Raises UnreadableRecording, OSError."""
    rec = Recording(recording)
    attributes = rec.attributes
    described: dict[str, Any] = {
        "attributes": {**asdict(attributes), "dropped": dict(attributes.dropped)},
        "groups": [],
        "frames": 0,
        "events": [[e.time, e.kind, e.text] for e in rec.events()],
        "channels": list(rec.labels("/frames")),
        "databases": describe(_databases(attributes)),
        "title": _title(attributes.protocol),
        "serial": _serial(rec, attributes.protocol),
    }
    for path in rec.groups():
        place, _, kind = path.rpartition("/")
        kind = "/" + kind
        prefix = place.removeprefix("/") + "/" if place.startswith("/packs/") else ""
        if (place and not prefix) or (kind not in PLACES and kind not in ("/pack", "/location")):
            continue
        described["groups"].append(_group(rec, path, kind, prefix, folder, described["groups"]))
    described["analyses"] = _analyses(rec, folder)
    described["frames"] = _frames(rec, folder)
    return described


def _analyses(rec: Recording, folder: Path) -> list[dict[str, Any]]:
    """The newest analyses that the recording carries: numbers as arrays, texts in words."""
    numbers = sorted({n for pack in rec.packs() for n in rec.analyses(pack)})
    return [
        {"number": number, "packs": [_stored(rec, number, p, folder) for p in rec.packs()]}
        for number in numbers[-_MOST_ANALYSES:]
    ]


def _stored(rec: Recording, number: int, pack: int, folder: Path) -> dict[str, Any]:
    place = f"{'' if pack == 1 else f'/packs/{pack}'}/analyses/{number}"
    told = number in rec.analyses(pack)
    attributes = rec.analysis_attributes(number, pack) if told else {}
    groups: dict[str, Any] = {}
    for name in PARTS if told else ():
        if not rec.rows(f"{place}/{name}"):
            continue
        groups[name] = {}
        for column, values in rec.read(f"{place}/{name}").items():
            if values.dtype.kind == "O":
                groups[name][column] = values.tolist()
                continue
            file = f"analysis-{number}-{pack}-{name}-{column}.npy"
            np.save(folder / _plain_name(file), values)
            groups[name][column] = _plain_name(file)
    labels = list(rec.labels(f"{place}/health"))
    return {"pack": pack, "attributes": attributes, "groups": groups, "labels": labels}


def _plain_name(file: str) -> str:
    """Columns are named by a stranger: nothing but letters, digits, dot, dash and underscore."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in file)


def _databases(attributes: RecordingAttributes) -> tuple[Database, ...]:
    """Those stored in the recording, else the built-in protocol's own."""
    if attributes.databases:
        return tuple(parse_database(name, text) for name, text in attributes.databases)
    if attributes.protocol in available():
        return (load_protocol(attributes.protocol).database,)
    return ()


def _title(protocol: str) -> str:
    return load_protocol(protocol).title if protocol in available() else protocol


def _serial(rec: Recording, protocol: str) -> str:
    if protocol not in available() or not rec.rows("/frames"):
        return ""
    read = load_protocol(protocol).serial
    head = rec.frame_rows(0, min(_SERIAL_FRAMES, rec.rows("/frames")))
    return (read(head) if read else None) or ""


def _group(
    rec: Recording, path: str, kind: str, prefix: str, folder: Path, before: list[Any]
) -> dict[str, Any]:
    number = len(before)
    if kind in PLACES:
        name, column = PLACES[kind]
        read = rec.read(path, [column])
        values = np.asarray(read[column], np.float32)
        if name == "cells" and "age_s" in rec.columns(path):
            np.save(folder / f"{number}-ages.npy", rec.read(path, ["age_s"])["age_s"])
        if column == "active":
            values = np.where(read[column] == 255, np.nan, values).astype(np.float32)
        columns = list(rec.labels(path)) or [str(n + 1) for n in range(values.shape[1])]
    else:
        name = kind[1:]
        columns = list(rec.columns(path))
        read = rec.read(path)
        values = np.column_stack([np.asarray(read[c], np.float32) for c in columns])
    np.save(folder / f"{number}-time.npy", read["time"])
    np.save(folder / f"{number}-values.npy", values)
    ages = (folder / f"{number}-ages.npy").exists()
    return {
        "number": number,
        "name": prefix + name,
        "columns": columns,
        "rows": len(values),
        "ages": ages,
    }


def _frames(rec: Recording, folder: Path) -> int:
    count = rec.rows("/frames")
    if not count:
        return 0
    width = rec.columns("/frames")["data"].width
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "time": ("<i8", (count,)),
        "id": ("<u4", (count,)),
        "flags": ("u1", (count,)),
        "channel": ("u1", (count,)),
        "length": ("u1", (count,)),
        "data": ("u1", (count, width)),
    }
    arrays = {
        name: open_memmap(folder / f"frames-{name}.npy", "w+", dtype, shape)
        for name, (dtype, shape) in shapes.items()
    }
    for start in range(0, count, _FRAME_BLOCK):
        stop = min(start + _FRAME_BLOCK, count)
        block = rec.frame_rows(start, stop)
        for name, array in arrays.items():
            array[start:stop] = getattr(block, name)
        say({"progress": stop / count})
    return count


def main(arguments: list[str]) -> int:
    """RECORDING FOLDER; JSON lines on standard output."""
    try:
        say({"result": load(Path(arguments[0]), Path(arguments[1]))})
    except (ValueError, OSError) as problem:
        say({"error": str(problem)})
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
