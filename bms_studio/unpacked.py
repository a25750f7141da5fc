"""What the loader process left of a recording: plain arrays in a folder, mapped, not read.

The other side of `bms_studio.load`. No HDF5, no Qt.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames, empty_frames
from protocols.roles import PACK_FIELDS


def mapped_array(folder: Path, group: dict[str, Any], what: str) -> NDArray[Any]:
    """The array "time" or "values" of a channel group as `load` described it."""
    place = folder / f"{group['number']}-{what}.npy"
    mode: Literal["r"] | None = "r" if group["rows"] else None  # nothing cannot be mapped
    array: NDArray[Any] = np.load(place, mmap_mode=mode, allow_pickle=False)
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
