"""The raw frames of a session, by row and by identifier, for the Trace page and late decoding.

Knows no meaning of a frame. One writer, any number of readers.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.numerics.growable import GrowableArray
from protocols.frames import EXTENDED, TRANSMITTED, Frames, empty_frames, widen

_SLOTS = 8192  # identifiers told apart; more than any real bus carries
_EXTENDED_BIT = 1 << 32
_CHANNEL_SHIFT = 34
_TRANSMITTED_BIT = 1 << 33
_SMOOTHING = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class IdTable:
    """One row per identifier seen: id, flags and channel as in Frames, count, newest frame's time,
    length and data, mean period and its jitter (standard deviation) in s (NaN: fewer than 3
    frames), and the time each byte last changed (int64, 0 never)."""

    id: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    count: NDArray[np.int64]
    time: NDArray[np.int64]
    period_s: NDArray[np.float64]
    jitter_s: NDArray[np.float64]
    length: NDArray[np.uint8]
    data: NDArray[np.uint8]
    changed: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _accumulate(
    time: NDArray[np.int64],
    keys: NDArray[np.int64],
    length: NDArray[np.uint8],
    data: NDArray[np.uint8],
    slot_keys: NDArray[np.int64],
    rows: NDArray[np.int64],
    used: int,
    stats: NDArray[np.int64],
    periods: NDArray[np.float64],
    last: NDArray[np.uint8],
    changed: NDArray[np.int64],
) -> int:
    """Fold frames into the table; returns the number of identifiers known now."""
    mask = len(slot_keys) - 1
    for i in range(len(time)):
        key = keys[i]
        slot = (key * 0x9E3779B1) & mask
        while slot_keys[slot] != -1 and slot_keys[slot] != key:
            slot = (slot + 1) & mask
        if slot_keys[slot] == -1:
            if used == len(stats):
                continue
            slot_keys[slot] = key
            rows[slot] = used
            stats[used, 3] = key
            used += 1
        row = rows[slot]
        if stats[row, 0] > 0:
            dt = (time[i] - stats[row, 1]) * 1e-9
            if stats[row, 0] == 1:
                periods[row, 0] = dt
            else:
                delta = dt - periods[row, 0]
                periods[row, 0] += _SMOOTHING * delta
                periods[row, 1] = (1 - _SMOOTHING) * (periods[row, 1] + _SMOOTHING * delta * delta)
        for b in range(data.shape[1]):
            if stats[row, 0] > 0 and data[i, b] != last[row, b]:
                changed[row, b] = time[i]
            last[row, b] = data[i, b]
        stats[row, 0] += 1
        stats[row, 1] = time[i]
        stats[row, 2] = length[i]
    return used


class _IdState:
    """The table's working arrays; `rows` frames have been folded in."""

    def __init__(self, width: int) -> None:
        self.rows = 0
        self.used = 0
        self.slot_keys = np.full(_SLOTS, -1, np.int64)
        self.slot_rows = np.zeros(_SLOTS, np.int64)
        self.stats = np.zeros((_SLOTS // 2, 4), np.int64)  # count, time, length, key
        self.periods = np.zeros((_SLOTS // 2, 2), np.float64)
        self.last = np.zeros((_SLOTS // 2, width), np.uint8)
        self.changed = np.zeros((_SLOTS // 2, width), np.int64)

    def fold(self, frames: Frames) -> None:
        keys = (
            frames.id.astype(np.int64)
            | np.where(frames.flags & EXTENDED, _EXTENDED_BIT, 0)
            | np.where(frames.flags & TRANSMITTED, _TRANSMITTED_BIT, 0)
            | (frames.channel.astype(np.int64) << _CHANNEL_SHIFT)
        )
        self.used = _accumulate(
            frames.time, keys, frames.length, frames.data, self.slot_keys, self.slot_rows,
            self.used, self.stats, self.periods, self.last, self.changed,
        )  # fmt: skip
        self.rows += len(frames)

    def table(self) -> IdTable:
        n = self.used
        key = self.stats[:n, 3]
        order = np.argsort(key, kind="stable")
        key, stats, periods = key[order], self.stats[order], self.periods[order]
        few = stats[:, 0] < 3
        flags = np.where(key & _EXTENDED_BIT, EXTENDED, 0) | np.where(
            key & _TRANSMITTED_BIT, TRANSMITTED, 0
        )
        return IdTable(
            id=(key & 0x1FFFFFFF).astype(np.uint32),
            flags=flags.astype(np.uint8),
            channel=(key >> _CHANNEL_SHIFT).astype(np.uint8),
            count=stats[:, 0].copy(),
            time=stats[:, 1].copy(),
            period_s=np.where(few, np.nan, periods[:, 0]),
            jitter_s=np.where(few, np.nan, np.sqrt(periods[:, 1])),
            length=stats[:, 2].astype(np.uint8),
            data=self.last[order].copy(),
            changed=self.changed[order].copy(),
        )


class FrameLog:
    """Frames in order of arrival. `first_row` rises when old frames are given up for space."""

    def __init__(self, folder: str | None = None, fixed: Frames | None = None) -> None:
        self.first_row = 0
        self._width = fixed.width if fixed is not None else 8
        self._fixed = fixed
        self._folder = folder
        self._parts = self._arrays()
        self._ids = _IdState(self._width)

    def _arrays(self) -> tuple[GrowableArray, ...]:
        shapes = (
            ((), "i8"),
            ((), "u4"),
            ((), "u1"),
            ((), "u1"),
            ((), "u1"),
            ((self._width,), "u1"),
        )
        return tuple(GrowableArray(row, dtype, self._folder) for row, dtype in shapes)

    @property
    def count(self) -> int:
        """Frames seen, also those given up."""
        return self.first_row + len(self.all())

    @property
    def nbytes(self) -> int:
        """Bytes of the frames held."""
        return sum(part.nbytes for part in self._parts)

    def append(self, frames: Frames) -> None:
        """Append a block; CAN FD frames widen the log once."""
        if frames.width > self._width:
            held, self._width = self.all(), frames.width
            self._parts = self._arrays()
            for part, column in zip(self._parts, _columns(widen(held, self._width)), strict=True):
                part.append(column)
            self._ids = _IdState(self._width)
        # Time last: its length is what readers go by.
        columns = _columns(widen(frames, self._width))
        for part, column in list(zip(self._parts, columns, strict=True))[::-1]:
            part.append(column)

    def drop_older_half(self) -> None:
        """Give back the older half of the frames."""
        count = self._parts[0].rows // 2
        for part in self._parts:
            part.drop(count)
        self.first_row += count

    def all(self) -> Frames:
        """Every frame held, not copied."""
        if self._fixed is not None:
            return self._fixed
        rows = len(self._parts[0].view())
        return Frames(*(part.view()[:rows] for part in self._parts))

    def rows(self, first: int, count: int) -> Frames:
        """Frames number first .. first + count - 1, fewer at the ends; numbers never change."""
        start = max(0, first - self.first_row)
        return self.all()[start : max(start, first - self.first_row + count)]

    def index_at(self, t: int) -> int:
        """Number of the first frame later than t."""
        return self.first_row + int(np.searchsorted(self.all().time, t, "right"))

    def by_id(self, t: int) -> IdTable:
        """The state of every identifier at time t; steps forward are cheap. For one reader."""
        end = self.index_at(t)
        if end < self._ids.rows:
            self._ids = _IdState(self._width)
        if self._ids.rows < self.first_row:
            self._ids.rows = self.first_row
        while self._ids.rows < end:
            block = self.rows(self._ids.rows, min(end - self._ids.rows, 1_000_000))
            self._ids.fold(block if len(block) else empty_frames(0, self._width))
            if not len(block):
                break
        return self._ids.table()


def warm() -> None:
    """Load the table's kernel, for frames that arrive and for a recording's, which are mapped
    read-only: to numba that is another type, which the first look at Trace would compile."""
    for writable in (True, False):
        frames = empty_frames(1)
        for column in _columns(frames):
            column.flags.writeable = writable
        FrameLog(fixed=frames).by_id(0)


def _columns(frames: Frames) -> tuple[NDArray[np.generic], ...]:
    return (frames.time, frames.id, frames.flags, frames.channel, frames.length, frames.data)
