"""What frames say about a mapping: which messages occur, and whether their values can be true.

Names are guesses; frames decide between rivals. Loads numba (by decoding).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from protocols.bytecheck import LARGEST_STEP_V
from protocols.decode import compile_messages, decode
from protocols.family import Family
from protocols.frames import ERROR, EXTENDED, REMOTE, Frames
from protocols.packfields import Candidate
from protocols.polled import Decoder, decode_transfers
from protocols.roles import Mapping
from protocols.signals import Database, Message

# A pack whose typical cell is below this is none that anybody still reads out.
LOWEST_MEDIAN_V = 1.0
# More frames than these teach nothing new about names and scales.
ENOUGH_FRAMES = 60_000
# Fields in which nothing but 0 means that the sender does not fill them; an empty pack shows it in
# its cells as well.
_NEVER_NOUGHT = ("soc", "soh", "full_ah", "cell_count", "cell_voltage_min", "cell_voltage_max")
_EMPTY_CELL_V = 3.3
_ALTERNATIVE_FACTORS = (1e-3, 1e-4, 1.0, 1e-2)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cell voltages as decoded by a trial mapping: number from 1 and median (V) of each seen.

    implausible: share of values that no cell has; rounds: how often a typical cell was seen; jumps:
    share of steps from one value of a cell to its next that no load causes.
    """

    numbers: NDArray[np.int64]
    medians: NDArray[np.float64]
    implausible: float
    rounds: float
    jumps: float = 0.0

    @property
    def total_v(self) -> float:
        """Sum of the medians."""
        return float(self.medians.sum())

    @property
    def credible(self) -> bool:
        """Whether these can be cells of one pack: near each other, steady, few wild values."""
        if not len(self.medians):
            return False
        middle = np.median(self.medians)
        near = np.abs(self.medians - middle) < 1.0
        steady = self.implausible < 0.5 and self.jumps < 0.2
        return bool(near.mean() > 0.9 and middle >= LOWEST_MEDIAN_V and steady)


class Bus:
    """The frames of a bus beside the databases that may describe them."""

    def __init__(self, databases: Sequence[Database], frames: Frames) -> None:
        step = max(1, -(-len(frames) // ENOUGH_FRAMES))
        part = frames[: ENOUGH_FRAMES * step]
        self.frames = _thinned(part, step)
        self.databases = tuple(databases)
        self.messages = {m.name: m for d in databases for m in d.messages}
        self.transfers = {t.message.name: t for d in databases for t in d.transfers}
        self.counts = _counts(list(self.messages.values()), self.frames)
        self._values: dict[str, dict[str, NDArray[np.float64]]] = {}
        self.messages |= {name: transfer.message for name, transfer in self.transfers.items()}

    def seen(self, message: str) -> int:
        """How many of the frames are this message, or how often a transport carried it."""
        if message in self.transfers and message not in self.counts:
            of_signals = (self.values(message, s.name) for s in self.messages[message].signals)
            self.counts[message] = max((len(values) for values in of_signals), default=0)
        return self.counts.get(message, 0)

    def values(self, message: str, signal: str) -> NDArray[np.float64]:
        """Physical values of a signal in order of arrival; empty if it never came."""
        if message not in self._values:
            self._values[message] = self._decoded(message)
        return self._values[message].get(signal, np.empty(0))

    def _decoded(self, name: str) -> dict[str, NDArray[np.float64]]:
        if name in self.transfers:
            message = self.transfers[name].message
            samples = decode_transfers(self.frames, [self.transfers[name]])
        elif self.seen(name):
            message = self.messages[name]
            samples = decode(self.frames, compile_messages([message]))
        else:
            return {}
        _, index, value = samples.group(0)
        return {s.name: value[index == k] for k, s in enumerate(message.signals)}

    def cells(self, family: Family) -> Cells:
        """What a family of cells decodes to."""
        low, high = family.bindings[0].valid
        unbounded = tuple(replace(b, valid=(-np.inf, np.inf)) for b in family.bindings)
        samples = Decoder(self.databases, Mapping("trial", unbounded)).push(self.frames)
        _, index, value = samples.group(family.bindings[0].role.group)
        # 0 V is how inputs that are not wired report: no evidence against.
        said = value != 0.0
        inside = (value >= low) & (value <= high)
        wild = float(np.mean((~inside & said) | (value > 6.0))) if len(value) else 0.0
        order = np.argsort(index[inside], kind="stable")
        value = value[inside][order]
        numbers, starts = np.unique(index[inside][order], return_index=True)
        rounds = np.split(value, starts[1:]) if len(numbers) else []
        medians = np.array([np.median(part) for part in rounds])
        usual = float(np.median([len(part) for part in rounds])) if rounds else 0.0
        steps = np.concatenate([np.abs(np.diff(part)) for part in rounds] or [np.empty(0)])
        jumps = float(np.mean(steps > LARGEST_STEP_V)) if len(steps) else 0.0
        return Cells(numbers.astype(np.int64) + 1, medians, wild, usual, jumps)

    def numbers(self, family: Family) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers from 1 that a family decodes to, and how often each came."""
        samples = Decoder(self.databases, Mapping("trial", family.bindings)).push(self.frames)
        _, index, _ = samples.group(family.bindings[0].role.group)
        seen, counts = np.unique(index, return_counts=True)
        return seen.astype(np.int64) + 1, counts


def _thinned(frames: Frames, step: int) -> Frames:
    """Whole stretches of a long recording, so that rounds of cells stay together."""
    if step == 1:
        return frames
    stretch = 4096
    keep = (np.arange(len(frames)) // stretch) % step == 0
    return frames[keep]


def _counts(messages: Sequence[Message], frames: Frames) -> dict[str, int]:
    data = frames.flags & (REMOTE | ERROR) == 0
    wide = (frames.flags[data] & EXTENDED).astype(bool)
    ids = frames.id[data].astype(np.int64)
    short_ids, short_counts = np.unique(ids[~wide], return_counts=True)
    wide_ids, wide_counts = np.unique(ids[wide], return_counts=True)
    found = {}
    for message in messages:
        known, counts = (wide_ids, wide_counts) if message.extended else (short_ids, short_counts)
        found[message.name] = int(counts[(known & message.id_mask) == message.id].sum())
    return found


def rescale(bus: Bus, family: Family) -> tuple[Family, Cells]:
    """The family with the factor under which its values are cell voltages, if there is one.

    Only where the database gives no unit; what it says in words is not overruled.
    """
    cells = bus.cells(family)
    message = bus.messages[family.bindings[0].message]
    unit = message.signal(family.bindings[0].signal).unit.strip()
    if cells.credible or unit:
        return family, cells
    for factor in _ALTERNATIVE_FACTORS:
        tried = tuple(replace(b, factor=factor, valid=(0.2, 5.5)) for b in family.bindings)
        other = replace(family, bindings=tried)
        found = bus.cells(other)
        if found.credible:
            return other, found
    return family, cells


def verdict(bus: Bus, candidate: Candidate, cells: Cells | None) -> tuple[int, str]:
    """1 agrees, 0 cannot tell, -1 contradicts, and a phrase for people."""
    binding = candidate.binding
    raw = bus.values(binding.message, binding.signal)
    if not len(raw):
        return 0, ""
    value = raw * binding.factor + binding.shift
    low, high = binding.valid
    inside = value[(value >= low) & (value <= high)]
    if len(inside) < 0.5 * len(value) or not len(inside):
        return -1, "its values are impossible"
    middle = float(np.median(inside))
    if candidate.field in _NEVER_NOUGHT and not np.any(inside) and not _nearly_empty(cells):
        return -1, "it is always 0"
    if candidate.field == "current" and _wraps(bus, candidate, inside):
        return -1, "falls below zero, but the database declares it unsigned"
    if cells is None or not cells.credible:
        return 0, ""
    if candidate.field == "voltage":
        return _against_sum(middle, cells)
    if candidate.field in ("cell_voltage_min", "cell_voltage_max"):
        extreme = cells.medians.min() if candidate.field.endswith("min") else cells.medians.max()
        if abs(middle - extreme) < 0.1:
            return 1, f"agrees with the cells within {1000 * abs(middle - extreme):.0f} mV"
        return -1, f"{middle:.3f} V, but the cells say {extreme:.3f} V"
    if candidate.field == "cell_count":
        return (0, "") if len(cells.numbers) <= middle <= 1000 else (-1, "fewer than cells seen")
    return 0, ""


def _nearly_empty(cells: Cells | None) -> bool:
    """Whether the cells say that the pack may really be at 0 %."""
    return cells is not None and cells.credible and bool(np.median(cells.medians) < _EMPTY_CELL_V)


def _wraps(bus: Bus, candidate: Candidate, values: NDArray[np.float64]) -> bool:
    """Whether a current declared unsigned jumps between nothing and nearly all its range, or is
    never below the last quarter: a small one the other way."""
    binding = candidate.binding
    signal = bus.messages[binding.message].signal(binding.signal)
    if signal.signed or signal.is_float or signal.offset < 0:
        return False
    share = np.abs(values / (2.0**signal.length * signal.scale * binding.factor))
    between = float(np.mean((share > 0.25) & (share < 0.75)))
    if bool((share > 0.75).all()):
        return True
    return bool((share < 0.25).any() and (share > 0.75).any() and between < 0.02)


def _against_sum(voltage_v: float, cells: Cells) -> tuple[int, str]:
    """Pack voltage beside the cells; where not all were seen, the count must still make sense."""
    total = cells.total_v
    if abs(voltage_v - total) < 0.02 * total:
        return 1, f"agrees with the sum of {len(cells.medians)} cells, {total:.1f} V"
    count = voltage_v / float(np.median(cells.medians))
    if total < voltage_v and count < 1.02 * max(int(cells.numbers.max()), 2):
        return 1, f"fits {count:.0f} cells, of which {len(cells.medians)} were seen"
    if total < voltage_v and cells.rounds < 3:
        whole = abs(count - round(count)) < 0.2
        return int(whole), f"fits {count:.0f} cells, of which {len(cells.medians)} were seen so far"
    return -1, f"{voltage_v:.1f} V, but {len(cells.medians)} cells make {total:.1f} V"
