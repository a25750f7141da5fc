"""What the `verify` functions of built-in protocols have in common: payloads, and whether values
that should be cells behave like cells.

Identifiers alone prove nothing: a car's bus has hundreds of them. A cell lies between 1 and 5 V and
does not jump from one frame to the next; counters, checksums and speeds do. No protocol's layout
stands here, and nothing is decoded with numba: this must stay cheap.
"""

import numpy as np
from numpy.typing import NDArray

from protocols.contract import Evidence
from protocols.frames import ERROR, EXTENDED, REMOTE, Frames

LOWEST_V = 1.0
HIGHEST_V = 5.0
# Resistance and a full load step move a cell by less than this between two of its frames.
LARGEST_STEP_V = 0.8

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def payloads(
    frames: Frames,
    frame_id: int,
    *,
    extended: bool = False,
    mask: int = 0x1FFFFFFF,
    length: int = 8,
) -> Ints:
    """First eight bytes (N, 8) of the data frames of an identifier with at least `length` bytes."""
    wanted = EXTENDED if extended else 0
    mine = (frames.flags & (EXTENDED | REMOTE | ERROR)) == wanted
    mine &= ((frames.id & np.uint32(mask)) == frame_id) & (frames.length >= length)
    return frames.data[mine, :8].astype(np.int64)


def identifiers(frames: Frames, low: int, high: int, *, extended: bool = False) -> Frames:
    """The data frames of the identifiers low to high, both included."""
    wanted = EXTENDED if extended else 0
    mine = (frames.flags & (EXTENDED | REMOTE | ERROR)) == wanted
    return frames[mine & (frames.id >= low) & (frames.id <= high)]


def word(rows: Ints, byte: int, *, little: bool = False) -> Ints:
    """Unsigned 16-bit numbers that begin at `byte`."""
    first, second = rows[:, byte], rows[:, byte + 1]
    return first + 256 * second if little else 256 * first + second


def signed(words: Ints) -> Ints:
    """16-bit numbers as two's complement."""
    return np.where(words >= 0x8000, words - 0x10000, words)


def written(frames: Frames, *ids: int, extended: bool = False) -> str:
    """Printable text in the newest frames of these identifiers, one after the other; "" without."""
    parts = []
    for frame_id in ids:
        rows = payloads(frames, frame_id, extended=extended, length=1)
        text = bytes(rows[-1].tolist()).rstrip(b"\0 \xff") if len(rows) else b""
        if not text or not all(0x20 <= letter < 0x7F for letter in text):
            break
        parts.append(bytes(rows[-1].tolist()).decode("ascii", "ignore").replace("\0", ""))
    return "".join(parts).strip()


def like_cells(keys: Ints, volts: Floats) -> tuple[int, int]:
    """How many values behave like a cell voltage, of how many (fill values taken out before).

    keys: which cell a value belongs to, in order of arrival. A value fits if it lies in the range
    of cells and near the one before of the same cell.
    """
    if not len(volts):
        return 0, 0
    fits = (volts >= LOWEST_V) & (volts <= HIGHEST_V)
    order = np.argsort(keys, kind="stable")
    same = keys[order][1:] == keys[order][:-1]
    jump = np.abs(np.diff(volts[order])) > LARGEST_STEP_V
    wild = np.zeros(len(volts), bool)
    wild[order[1:]] = same & jump
    return int(np.sum(fits & ~wild)), len(volts)


def judged(right: int, checked: int, what: str) -> Evidence:
    """Share of what fits; 0 where there was nothing to look at."""
    if not checked:
        return Evidence(0.0, f"no {what} seen")
    return Evidence(right / checked, f"{right} of {checked} {what} fit")
