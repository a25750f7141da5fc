"""Frames that carry their own number, so that a test can tell which of them arrived."""

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bms_studio.acquisition.client import Acquisition
from protocols.frames import Frames, concatenate, empty_frames
from recordings.journal import Damage, Event, read_journal


def numbered(count: int, first: int = 0) -> Frames:
    """Frames whose data carry their number."""
    frames = empty_frames(count)
    numbers = np.arange(first, first + count, dtype="<u8")
    frames.id[:] = 0x100 + numbers % 7
    frames.length[:] = 8
    frames.data[:] = numbers.view(np.uint8).reshape(count, 8)
    return frames


def numbers(frames: Frames) -> list[int]:
    return np.ascontiguousarray(frames.data[:, :8]).view("<u8")[:, 0].tolist()


def read_until(acquisition: Acquisition, count: int, timeout_s: float = 5.0) -> Frames:
    parts = []
    end = time.monotonic() + timeout_s
    while sum(map(len, parts)) < count and time.monotonic() < end:
        parts.append(acquisition.read())
        time.sleep(0.005)
    return concatenate(parts)


def wait_for(acquisition: Acquisition, states: Iterable[str], timeout_s: float = 5.0) -> str:
    """The first of `states` that shows; an assertion if none does in time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        state = acquisition.status().state
        if state in states:
            return state
        time.sleep(0.01)
    raise AssertionError(f"{acquisition.status()} never became {states}")


def stored(folder: Path) -> Frames:
    """All frames of an undamaged journal."""
    damage = Damage()
    blocks = [b.frames for b in read_journal(folder, damage) if b.frames is not None]
    assert damage == Damage()
    return concatenate(blocks)


def events(folder: Path) -> list[Event]:
    """All events of a journal."""
    return [b.event for b in read_journal(folder) if b.event is not None]
