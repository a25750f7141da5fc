"""From frames to the canonical rows of a pack: decode, then scans. Live, import and build share it.

Knows neither where the frames come from nor where the rows go. No Qt, no files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.scans import Scanner, Scans
from protocols.alarms import AlarmChange, AlarmReader
from protocols.frames import Frames
from protocols.polled import Decoder
from protocols.roles import KINDS, PACK_FIELDS, Mapping, fields
from protocols.signals import Database

GROUP_NAMES = {
    "cell": "cells",
    "probe": "probes",
    "balancing": "balancing",
    "pack": "pack",
    "location": "location",
}


_CELL, _BALANCING, _PACK = (KINDS.index(kind) for kind in ("cell", "balancing", "pack"))
_CELL_COUNT = [f.name for f in PACK_FIELDS].index("cell_count")
_MOST_CELLS = 1000
_MOST_PACKS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Closed scans of one group of one pack; `name` as in Timeline ("cells", "packs/2/cells")."""

    name: str
    kind: str
    pack: int
    scans: Scans


def group_name(kind: str, pack: int) -> str:
    """The Timeline's name of a group: the first pack's groups stand at the root."""
    name = GROUP_NAMES[kind]
    return name if pack == 1 else f"packs/{pack}/{name}"


class Pipeline:
    """State between blocks: one Scanner per group. Blocks may have any size, also none."""

    def __init__(self, databases: Sequence[Database], mapping: Mapping) -> None:
        # Whoever made the mapping: rows are as wide as the highest number in it.
        kept = [b for b in mapping.bindings if b.role.number <= _MOST_CELLS]
        kept = [b for b in kept if b.role.pack <= _MOST_PACKS]
        mapping = replace(mapping, bindings=tuple(kept))
        self.mapping = mapping
        self._decoder = Decoder(databases, mapping)
        self._alarms = AlarmReader(databases, mapping)
        self._changes: list[AlarmChange] = []
        groups = sorted({binding.role.group for binding in mapping.bindings})
        self.scanners: dict[int, Scanner] = {}
        for group in groups:
            kind = KINDS[group % len(KINDS)]
            fixed = len(fields(kind)) if kind in ("pack", "location") else 0
            self.scanners[group] = Scanner(fixed)

    def push(self, frames: Frames) -> list[Rows]:
        """The rows that these frames closed, group by group."""
        samples = self._decoder.push(frames)
        self._changes += self._alarms.push(frames)
        rows = []
        # Pack fields first: they may say how many cells there are.
        for group in sorted(self.scanners, key=lambda g: g % len(KINDS) != _PACK):
            scanner = self.scanners[group]
            time, index, value = samples.group(group)
            if group % len(KINDS) in (_CELL, _BALANCING):
                scanner.widen(self._reported_cells(group // len(KINDS)))
            if len(time):
                scans = scanner.push(time, index, value)
                if len(scans):
                    rows.append(_rows(group, scans))
        return rows

    def take_alarms(self) -> list[AlarmChange]:
        """The alarms of the BMS that began or ended since the last call."""
        changes, self._changes = self._changes, []
        return changes

    def _reported_cells(self, pack: int) -> int:
        """Cells that the BMS says it has: those it has not sent yet are unknown, not absent."""
        scanner = self.scanners.get(pack * len(KINDS) + _PACK)
        if scanner is None or not np.isfinite(scanner.held[_CELL_COUNT]):
            return 0
        count = int(scanner.held[_CELL_COUNT])
        return count if 0 < count <= _MOST_CELLS else 0

    def flush(self) -> list[Rows]:
        """The rows still open at the end of the stream or at a gap."""
        return [
            _rows(group, scans)
            for group, scanner in self.scanners.items()
            if len(scans := scanner.flush())
        ]

    def held(self) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.int64]]]:
        """(group name, newest value per column, its arrival) of every group."""
        for group, scanner in self.scanners.items():
            pack, kind = divmod(group, len(KINDS))
            yield group_name(KINDS[kind], pack + 1), scanner.held, scanner.held_time

    def scanner(self, kind: str, pack: int = 1) -> Scanner | None:
        """The scanner of a kind, None where the mapping has no such role."""
        return self.scanners.get((pack - 1) * len(KINDS) + KINDS.index(kind))


def _rows(group: int, scans: Scans) -> Rows:
    pack, kind = divmod(group, len(KINDS))
    return Rows(group_name(KINDS[kind], pack + 1), KINDS[kind], pack + 1, scans)
