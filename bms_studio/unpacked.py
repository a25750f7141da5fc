"""What the loader process left of a recording: plain arrays in a folder, mapped, not read.

The other side of `bms_studio.load`. No HDF5, no Qt.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.run import Table
from bms_studio.analysis.runs import Run
from bms_studio.analysis.store import run_of
from protocols.frames import Frames, empty_frames
from protocols.roles import PACK_FIELDS
from recordings.analyses import AnalysisParts

_KINDS = {"cells": "cell", "probes": "probe", "balancing": "balancing", "pack": "pack"}


def mapped_array(folder: Path, group: dict[str, Any], what: str) -> NDArray[Any]:
    """The array "time" or "values" of a channel group as `load` described it."""
    place = folder / f"{group['number']}-{what}.npy"
    mode: Literal["r"] | None = "r" if group["rows"] else None  # nothing cannot be mapped
    array: NDArray[Any] = np.load(place, mmap_mode=mode, allow_pickle=False)
    return array


def mapped_tables(folder: Path, groups: list[dict[str, Any]]) -> list[Table]:
    """What an analysis reads: cells, probes, balancing and pack fields of every pack."""
    tables = []
    for group in groups:
        place, _, name = group["name"].rpartition("/")
        kind = _KINDS.get(name)
        if kind is not None and group["rows"]:
            pack = int(place.removeprefix("packs/")) if place else 1
            tables.append(_table(folder, group, pack, kind))
    return tables


def _table(folder: Path, group: dict[str, Any], pack: int, kind: str) -> Table:
    columns = tuple(group["columns"])
    values = mapped_array(folder, group, "values")
    ages = mapped_array(folder, group, "ages") if group.get("ages") else None

    def read(i: int, j: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
        # Copies: a kernel is compiled anew for arrays that may not be written.
        rows = np.array(values[i:j], np.float32)
        if kind == "pack":
            rows = all_pack_fields(columns, rows)[1]
        return rows, None if ages is None else np.array(ages[i:j], np.float32)

    time = mapped_array(folder, group, "time")
    return Table(pack, kind, time, len(columns), read)


def stored_runs(folder: Path, analyses: list[dict[str, Any]]) -> tuple[list[Run], list[str]]:
    """The analyses that the recording carries, oldest first; one sentence per damaged one."""
    runs, damaged = [], []
    for stored in analyses:
        packs = {}
        for pack in stored["packs"]:
            if pack["attributes"]:
                groups = {
                    name: {column: _column(folder, v) for column, v in columns.items()}
                    for name, columns in pack["groups"].items()
                }
                packs[int(pack["pack"])] = AnalysisParts(
                    pack["attributes"], groups, tuple(pack["labels"])
                )
        try:
            if packs:
                runs.append(run_of(stored["number"], packs))
        except ValueError as problem:
            damaged.append(str(problem))
    return runs, damaged


def _column(folder: Path, given: str | list[str]) -> NDArray[Any]:
    if isinstance(given, list):
        return np.array(given, object)
    array: NDArray[Any] = np.load(folder / given, allow_pickle=False)
    return array


def mapped_frames(folder: Path) -> Frames:
    """The recording's frames."""
    names = ("time", "id", "flags", "channel", "length", "data")
    columns = [
        np.load(folder / f"frames-{name}.npy", mmap_mode="r", allow_pickle=False) for name in names
    ]
    return Frames(*columns) if len(columns[0]) else empty_frames()


def all_pack_fields(
    columns: tuple[str, ...], values: NDArray[Any]
) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Every field in its usual place: a recording leaves out those that were never known."""
    names = tuple(f.name for f in PACK_FIELDS)
    full = np.full((len(values), len(names)), np.nan, np.float32)
    for i, name in enumerate(columns):
        if name in names:
            full[:, names.index(name)] = values[:, i]
    return names, full
