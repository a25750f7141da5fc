"""Several logs as one stream in order of time, and which of their channels are the same bus.

The rule: files that name the same channel are parts of one log where they do not overlap in time
(a logger that begins a new file), and then they are one channel. Where they overlap, two loggers
listened at once: then they are two channels, named "can0 (file)". No files are written here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames, concatenate
from recordings.errors import UnreadableLog

SAME = "Files that do not overlap in time and name the same channel are one channel"
APART = "Files that overlap in time are different channels, also where they name the same one"
UNDATED = "Logs without a date all count from their own start: their order in time is not known"
_MOST_CHANNELS = 256


@dataclass(frozen=True, slots=True)
class Part:
    """What the first look at one of several logs found. channels: as the log numbers them, ("",)
    where it names none."""

    path: Path
    first_ns: int
    last_ns: int
    frames: int
    channels: tuple[str, ...]
    dated: bool


@dataclass(frozen=True, slots=True)
class Channels:
    """names: of the merged log; numbers: per log, its channel numbers -> those of `names`."""

    names: tuple[str, ...]
    numbers: tuple[NDArray[np.uint8], ...]
    rules: tuple[str, ...]


def channels_of(parts: Sequence[Part]) -> Channels:
    """Names and numbers of the channels of several logs. UnreadableLog beyond 256 channels."""
    owners: dict[str, list[list[int]]] = {}  # per name: the buses, each the parts it came from
    for i in sorted(range(len(parts)), key=lambda k: parts[k].first_ns):
        for name in parts[i].channels:
            buses = owners.setdefault(name, [])
            free = next((b for b in buses if parts[b[-1]].last_ns <= parts[i].first_ns), None)
            if free is None:
                buses.append([i])
            elif i not in free:
                free.append(i)
    names: list[str] = []
    place: dict[tuple[str, int], int] = {}
    for name, buses in owners.items():
        for bus in buses:
            for i in bus:
                place[name, i] = len(names)
            names.append(_label(name, parts[bus[0]].path, len(buses) > 1))
    if len(names) > _MOST_CHANNELS:
        raise UnreadableLog(f"the logs have {len(names)} channels: merge fewer at a time")
    numbers = tuple(
        np.array([place[name, i] for name in part.channels], np.uint8)
        for i, part in enumerate(parts)
    )
    rules = [UNDATED] * (not all(part.dated for part in parts))
    rules += [SAME] * any(len(bus) > 1 for buses in owners.values() for bus in buses)
    rules += [APART] * any(len(buses) > 1 for buses in owners.values())
    return Channels(tuple(names), numbers, tuple(rules))


def _label(name: str, path: Path, several: bool) -> str:
    if not several:
        return name
    return f"{name} ({path.name})" if name else path.name


def renumbered(block: Frames, numbers: NDArray[np.uint8]) -> Frames:
    """The block with the channel numbers of the merged log."""
    return replace(block, channel=numbers[np.minimum(block.channel, len(numbers) - 1)])


def merged(
    streams: Sequence[Iterator[Frames]], check: Callable[[], None] = lambda: None
) -> Iterator[Frames]:
    """Blocks of several streams, each in order of time, as one stream in order of time."""
    if len(streams) == 1:
        for block in streams[0]:
            check()
            yield block
        return
    heads = [next(stream, None) for stream in streams]
    while any(head is not None for head in heads):
        check()
        # Up to the earliest end among the heads nothing later can come in between.
        edge = min(int(h.time[-1]) for h in heads if h is not None)
        taken = []
        for i, head in enumerate(heads):
            if head is None:
                continue
            count = int(np.searchsorted(head.time, edge, "right"))
            taken.append(head[:count])
            heads[i] = head[count:] if count < len(head) else next(streams[i], None)
        block = concatenate(taken)
        yield block[np.argsort(block.time, kind="stable")]
