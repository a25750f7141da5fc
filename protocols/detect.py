"""Which protocol is this bus? Judged by identifiers, lengths, checksums and plausible values.

Wrong is worse than unknown: a protocol whose messages occur but whose values cannot be true is not
proposed. Listens only; what would have to be asked for is not looked for here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from protocols.contract import Protocol
from protocols.evidence import Bus, Cells
from protocols.family import Family
from protocols.frames import EXTENDED, Frames
from protocols.mapping import map_database
from protocols.registry import available, load
from protocols.roles import Mapping
from protocols.signals import Database

# Below this nothing is proposed; the window then asks for a database instead of showing nonsense.
LOWEST_CONFIDENCE = 0.5
# From these on a built-in protocol completes the databases of a person: in fields, in all.
_LIKELY, _CERTAIN = 0.65, 0.8
# Enough for several rounds of all cells on a busy bus; more only costs time.
LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer: a built-in protocol's name, or the names of databases; confidence 0..1.

    databases: what `compile_mapping` needs beside the mapping.
    """

    name: str
    confidence: float
    why: str
    mapping: Mapping
    databases: tuple[Database, ...]


def detect(frames: Frames, databases: Sequence[Database] = ()) -> list[Candidate]:
    """What the frames can mean, best first; empty where nothing is credible.

    databases: given by a person; taken together as one candidate, completed by a built-in protocol
    where that one is certain and knows roles that they lack.
    """
    looked_at = frames[:LOOKED_AT]
    present = _identifiers(looked_at)
    found = []
    for name in available():
        protocol = load(name)
        if _occurs(protocol, present):
            candidate = _builtin(protocol, looked_at)
            if candidate is not None:
                found.append(candidate)
    if databases:
        given = _given(frames, databases, found)
        if given is not None:
            found.append(given)
    found.sort(key=lambda c: -c.confidence)
    if len(found) > 1:
        second = found[1].name
        found[0] = replace(found[0], mapping=replace(found[0].mapping, runner_up=second))
    return found


def _identifiers(frames: Frames) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The 11-bit and the 29-bit identifiers that occur, each once."""
    wide = (frames.flags & EXTENDED) != 0
    return np.unique(frames.id[~wide]), np.unique(frames.id[wide])


def _occurs(protocol: Protocol, present: tuple[NDArray[np.uint32], NDArray[np.uint32]]) -> bool:
    """Whether every message without which it is not this protocol was seen."""
    required = [protocol.database.message(name) for name in protocol.required]
    return all(bool(np.any((present[m.extended] & np.uint32(m.id_mask)) == m.id)) for m in required)


def _builtin(protocol: Protocol, frames: Frames) -> Candidate | None:
    """The protocol as a candidate, or None if it is not credible."""
    bus = Bus((protocol.database,), frames)
    if not all(bus.seen(name) for name in protocol.required):
        return None
    reasons = [_seen_words(protocol, bus)]
    confidence = 0.45
    lengths = _fitting_lengths(protocol, bus)
    if lengths < 0.9:
        return None
    if protocol.verify is not None:
        evidence = protocol.verify(frames)
        if evidence.score < 0.9:
            return None
        confidence += 0.25
        reasons.append(evidence.why)
    several = protocol.specialise(frames) if protocol.specialise is not None else None
    database, mapping = several or (protocol.database, protocol.mapping)
    bus = bus if several is None else Bus((database,), frames)
    family = _cell_family(mapping)
    if not family.bindings:
        if protocol.verify is None:
            return None  # neither cells nor anything else to judge by
    elif len((cells := bus.cells(family)).medians) or not database.transfers:
        if not cells.credible:
            return None
        confidence += 0.15
        reasons.append(_cell_words(cells))
        if _sum_agrees(mapping, bus, cells):
            confidence += 0.12
            reasons.append("their sum is the pack voltage")
    else:
        reasons.append(
            "its cells must be asked for" if protocol.polls else "it has not told its cells"
        )
    if confidence < LOWEST_CONFIDENCE:
        return None
    confidence = round(min(confidence, 0.99), 3)
    mapping = replace(mapping, confidence=confidence)
    return Candidate(protocol.name, confidence, "; ".join(reasons), mapping, (database,))


def _seen_words(protocol: Protocol, bus: Bus) -> str:
    seen = sum(bus.seen(message.name) > 0 for message in protocol.database.messages)
    return f"{seen} of {len(protocol.database.messages)} messages of {protocol.title} seen"


def _fitting_lengths(protocol: Protocol, bus: Bus) -> float:
    """Share of the required messages' frames that are not longer than the protocol's."""
    fitting = total = 0
    for name in protocol.required:
        message = protocol.database.message(name)
        mine = (bus.frames.id & np.uint32(message.id_mask)) == message.id
        mine &= ((bus.frames.flags & 1) != 0) == message.extended
        total += int(mine.sum())
        fitting += int((mine & (bus.frames.length <= message.length)).sum())
    return fitting / total if total else 0.0


def _cell_family(mapping: Mapping) -> Family:
    """The cells of pack 1; further packs are judged by their protocol's `verify`."""
    bindings = tuple(b for b in mapping.bindings if b.role.kind == "cell" and b.role.pack == 1)
    return Family("cell", 1, bindings, len(bindings), 0.0)


def _cell_words(cells: Cells) -> str:
    low, high = cells.medians.min(), cells.medians.max()
    return f"{len(cells.medians)} cells of {low:.3f} to {high:.3f} V"


def _sum_agrees(mapping: Mapping, bus: Bus, cells: Cells) -> bool:
    """Whether the protocol's pack voltage is the sum of its cells, within 2 %."""
    for binding in mapping.bindings:
        if binding.role.field == "voltage" and binding.role.pack == 1:
            values = bus.values(binding.message, binding.signal)
            if len(values):
                voltage_v = float(np.median(values)) * binding.factor + binding.shift
                return abs(voltage_v - cells.total_v) < 0.02 * cells.total_v
    return False


def _given(
    frames: Frames, databases: Sequence[Database], builtin: Sequence[Candidate]
) -> Candidate | None:
    """The databases of a person as a candidate, with what only a built-in protocol knows."""
    if not len(frames):
        return None
    mapping = map_database(databases, frames)
    if mapping.confidence < 0.3:
        return None
    completed, needed = _completed(mapping, list(databases), builtin)
    # What a person chose wins over what is only recognised, unless it is hardly credible.
    confidence = round(min(0.995, mapping.confidence + 0.1), 3)
    why = "; ".join(completed.notes[:3])
    return Candidate(mapping.protocol, confidence, why, completed, tuple(needed))


def _completed(
    mapping: Mapping, databases: list[Database], builtin: Sequence[Candidate]
) -> tuple[Mapping, list[Database]]:
    """The mapping with what only built-in protocols know, and the databases that it then needs.

    Whole kinds (cells, probes) from a certain protocol, single pack fields also from a likely one.
    """
    for candidate in builtin:
        if candidate.confidence < _LIKELY:
            continue
        kinds = {binding.role.kind for binding in mapping.bindings}
        fields = {(b.role.pack, b.role.field) for b in mapping.bindings}
        missing = [
            b
            for b in candidate.mapping.bindings
            if (
                (b.role.pack, b.role.field) not in fields
                if b.role.kind == "pack"
                else b.role.kind not in kinds and candidate.confidence >= _CERTAIN
            )
        ]
        if not missing:
            continue
        databases.append(candidate.databases[0])
        added = sorted({b.role.field.replace("_", " ") or b.role.kind for b in missing})
        note = f"{', '.join(added)} from the built-in protocol {candidate.name}"
        notes, sign = mapping.notes, mapping.sign
        if any(b.role.field == "current" for b in missing):
            sign = candidate.mapping.sign
        mapping = replace(
            mapping,
            bindings=(*mapping.bindings, *missing),
            notes=(*notes, note),
            sign=sign,
            alarms=(*mapping.alarms, *candidate.mapping.alarms),
        )
    return mapping, databases
