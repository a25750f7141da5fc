"""From databases to a mapping: which signal is which cell, probe and pack quantity, and why.

Names, units and ranges propose (`families.py`, `packfields.py`), frames decide where there are any
(`evidence.py`). The order of preference and what is said to people stand here; nothing is guessed
in silence: what could not be verified is in the mapping's notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import log10
from typing import TYPE_CHECKING

from protocols.alarm_words import alarms_of
from protocols.bitmaps import bitmap_bindings
from protocols.families import families
from protocols.family import Family
from protocols.flags import with_flags
from protocols.frames import Frames
from protocols.packfields import Candidate, pack_candidates, with_reason
from protocols.roles import Binding, Mapping, Role
from protocols.signals import Database

if TYPE_CHECKING:
    from protocols.evidence import Bus, Cells

_NOUNS = {"cell": "cells", "probe": "temperature probes", "balancing": "balancing flags"}


@dataclass(slots=True)
class _Found:
    """A mapping while it grows."""

    bindings: list[Binding]
    notes: list[str]
    confidence: float = 0.0
    cell_signals: set[tuple[str, str]] = field(default_factory=set)


def map_database(databases: Sequence[Database], frames: Frames | None = None) -> Mapping:
    """The roles of the databases' signals.

    With frames: rivals for a role are decided by what occurs on the bus and agrees with the cells;
    the start of an index in the payload is learned. Confidence is 0 where no frame of the databases
    occurs or nothing of a battery was found.
    """
    bus = None
    if frames is not None and len(frames):
        from protocols.evidence import Bus  # decoding loads numba: not for names alone

        bus = Bus(databases, frames)
    found = _Found([], [])
    cells = _add_cells(found, databases, bus)
    for kind in ("probe", "balancing"):
        _add_family(found, databases, bus, kind)
    _add_bitmap(found, databases, bus, cells)
    _add_pack(found, databases, bus, cells)
    _judge(found, bus, cells)
    found.bindings, words = with_flags(found.bindings, databases, bus.values if bus else None)
    found.notes.extend(words)
    if any(binding.role.field == "current" for binding in found.bindings):
        found.notes.append("sign of current unverified: taken as + = discharge")
    name = " + ".join(database.name for database in databases)
    return Mapping(
        name,
        tuple(found.bindings),
        confidence=round(min(max(found.confidence, 0.0), 1.0), 3),
        notes=tuple(found.notes),
        alarms=alarms_of(databases) if found.bindings else (),
    )


def _add_cells(found: _Found, databases: Sequence[Database], bus: "Bus | None") -> "Cells | None":
    """The best source of cells per pack; what it decodes to, if there are frames of pack 1."""
    decoded: Cells | None = None
    ranked: dict[int, list[tuple[float, Family, Cells | None]]] = {}
    for family in families(databases, "cell"):
        tried, cells, score = _try_cells(family, bus)
        ranked.setdefault(family.pack, []).append((score, tried, cells))
    for pack, listed in sorted(ranked.items()):
        listed.sort(key=lambda entry: -entry[0])
        _, family, cells = listed[0]
        found.cell_signals |= {(b.message, b.signal) for b in family.bindings}
        if family.block:  # numbers that may be wrong are worse than none
            found.notes.append(_unsettled("cells", family, bus))
            continue
        found.bindings.extend(family.bindings)
        _note_rivals(found, "cell", [entry[1] for entry in listed])
        if family.indexed:
            _note_index(found, family, bus)
        if pack == 1:
            decoded = cells
    return decoded


def _try_cells(family: Family, bus: "Bus | None") -> tuple[Family, "Cells | None", float]:
    if bus is None or not any(bus.seen(message) for message in family.messages):
        return family, None, family.score - (20.0 if bus else 0.0)
    from protocols.evidence import rescale
    from protocols.settling import learn_index, settle_modules

    learned = settle_modules(bus, learn_index(bus, family))
    if learned is None:
        return family, None, family.score
    tried, cells = rescale(bus, learned)
    return tried, cells, family.score + (20.0 if cells.credible else -10.0)


def _unsettled(noun: str, family: Family, bus: "Bus | None") -> str:
    """Why modules whose size is unknown are left out."""
    if bus is not None and bus.seen(family.messages[0]):
        return f"{noun} of modules were heard, but not yet often enough to know how many each has"
    return f"{noun} of modules: how many each has is learned from frames"


def _note_rivals(found: _Found, kind: str, ranked: Sequence[Family]) -> None:
    """Say what else could have been the source."""
    first = ranked[0].messages[0]
    rivals = [f.messages[0] for f in ranked[1:] if f.size == ranked[0].size and f.size > 2]
    if rivals:
        others = ", ".join(rivals[:3])
        found.notes.append(f"{_NOUNS[kind]} from {first}; {others} could be another source")


def _note_index(found: _Found, family: Family, bus: "Bus | None") -> None:
    index = family.bindings[0].index
    if index is None:
        return
    if bus is None or not bus.seen(family.bindings[0].message):
        found.notes.append(
            f"{index.signal} is taken to count from {index.first}: unverified without frames"
        )
        return
    from protocols.settling import base_is_known

    if base_is_known(bus, family):
        found.notes.append(f"{index.signal} counts from {index.first}, as seen on the bus")
    else:
        found.notes.append(
            f"{index.signal} is taken to count from {index.first}: unverified, no whole round "
            "was heard"
        )


def _add_family(found: _Found, databases: Sequence[Database], bus: "Bus | None", kind: str) -> None:
    """Probes or balancing flags: one source per pack, first what occurs on the bus."""
    ranked: dict[int, list[tuple[float, Family]]] = {}
    for family in families(databases, kind):
        absent = bus is not None and not any(bus.seen(m) for m in family.messages)
        ranked.setdefault(family.pack, []).append((family.score - 20.0 * absent, family))
    for listed in ranked.values():
        listed.sort(key=lambda entry: -entry[0])
        family = listed[0][1]
        if bus is not None and family.indexed and bus.seen(family.messages[0]):
            from protocols.settling import learn_index, settle_modules

            family = settle_modules(bus, learn_index(bus, family)) or family
        if family.block:
            found.notes.append(_unsettled(_NOUNS[kind], family, bus))
            continue
        found.bindings.extend(family.bindings)
        _note_rivals(found, kind, [entry[1] for entry in listed])


def _add_bitmap(
    found: _Found, databases: Sequence[Database], bus: "Bus | None", cells: "Cells | None"
) -> None:
    """Balancing as the bits of a number, where no flag has a name of its own."""
    kinds = {(b.role.kind, b.role.pack) for b in found.bindings}
    if ("balancing", 1) in kinds:
        return
    numbers = [b.role.number for b in found.bindings if b.role.kind == "cell" and b.role.pack == 1]
    count = max(numbers, default=0)
    if cells is not None and cells.credible:
        count = max(count, int(cells.numbers.max()))
    bits = bitmap_bindings(databases, count, bus.values if bus is not None else None)
    if bits:
        found.bindings.extend(bits)
        found.notes.append(f"bits of {bits[0].signal} are taken as cells, the lowest first")


def _add_pack(
    found: _Found,
    databases: Sequence[Database],
    bus: "Bus | None",
    cells: "Cells | None",
) -> None:
    """One source per scalar field."""
    proposals = {
        role: kept
        for role, listed in pack_candidates(databases).items()
        if (
            kept := [
                c for c in listed if (c.binding.message, c.binding.signal) not in found.cell_signals
            ]
        )
    }
    if bus is None:
        for listed in proposals.values():
            found.bindings.append(listed[0].binding)
        return
    verdicts = _verdicts(bus, proposals, cells)
    trust: dict[str, int] = {}
    for candidate, (agrees, _) in verdicts:
        message = candidate.binding.message
        trust[message] = trust.get(message, 0) + agrees
    judged = {id(candidate): verdict for candidate, verdict in verdicts}
    for listed in proposals.values():
        best = _best(bus, listed, judged, trust)
        if best is not None:
            found.bindings.append(best)
    for message, sum_of in trust.items():
        if sum_of < 0:
            reasons = {
                f"{c.binding.signal}: {reason}"
                for c, (agrees, reason) in verdicts
                if agrees < 0 and c.binding.message == message
            }
            found.notes.append(
                f"{message} does not fit its layout in the database "
                f"({'; '.join(sorted(reasons)[:2])}): those were left out, and another source was "
                "preferred where there is one"
            )


def _verdicts(
    bus: "Bus", proposals: dict[Role, list[Candidate]], cells: "Cells | None"
) -> list[tuple[Candidate, tuple[int, str]]]:
    from protocols.evidence import verdict

    return [
        (c, verdict(bus, c, cells if role.pack == 1 else None))
        for role, listed in proposals.items()
        for c in listed
    ]


def _best(
    bus: "Bus",
    listed: Sequence[Candidate],
    judged: dict[int, tuple[int, str]],
    trust: dict[str, int],
) -> Binding | None:
    """The candidate that frames and name speak for most; None if frames contradict all."""
    ranked: list[tuple[float, Candidate]] = []
    for candidate in listed:
        message = candidate.binding.message
        agrees, _ = judged[id(candidate)]
        if agrees < 0:
            continue
        seen = bus.seen(message)
        others = min(max(trust.get(message, 0) - agrees, -2), 1)
        score = candidate.score + agrees + 0.5 * others - 0.1 * log10(max(candidate.step, 1e-9))
        score += 1.0 + 0.02 * log10(seen) if seen else -1.0
        if others <= -2:
            continue
        ranked.append((score, candidate))
    if not ranked:
        return None
    best = max(ranked, key=lambda entry: entry[0])[1]
    reason = judged[id(best)][1]
    if not bus.seen(best.binding.message):
        return with_reason(best, "not seen yet")
    return with_reason(best, reason) if reason else best.binding


def _judge(found: _Found, bus: "Bus | None", cells: "Cells | None") -> None:
    """How sure we are, and what people should know."""
    kinds = {binding.role.kind for binding in found.bindings}
    fields = {binding.role.field for binding in found.bindings}
    if bus is None:
        if "cell" in kinds:
            found.confidence = 0.6
        elif fields & {"voltage", "current", "soc"}:
            found.confidence = 0.3
        found.notes.append("names and units only: no frames were looked at")
        return
    present = [b for b in found.bindings if bus.seen(b.message)]
    if not present:
        found.notes.append("no frame of the databases' battery messages is on this bus")
        found.bindings.clear()
        return
    if cells is not None and cells.credible:
        found.confidence = 0.8
        reasons = " ".join(b.why for b in found.bindings if b.role.field)
        if "agrees with the sum" in reasons or "fits " in reasons:
            found.confidence += 0.12
        if "agrees with the cells" in reasons:
            found.confidence += 0.06
    elif any(b.role.field in ("voltage", "current", "soc") for b in present):
        found.confidence = 0.4
    if cells is not None and not cells.credible:
        found.notes.append("the cell voltages are not credible: check unit and scale")
        found.confidence = 0.2


def override(mapping: Mapping, bindings: Sequence[Binding]) -> Mapping:
    """The mapping with some roles given by a person: they replace what was found for the role."""
    given = {binding.role for binding in bindings}
    kept = tuple(binding for binding in mapping.bindings if binding.role not in given)
    return replace(mapping, bindings=(*kept, *bindings))
