"""What do these frames mean? One answer for live, import and build.

A profile, databases or a protocol named by the person come first; else detection. No Qt.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from bms_studio.pack.corrections import corrected, find_signal
from bms_studio.pack.profile import Profile
from protocols.detect import Candidate, detect
from protocols.frames import Frames
from protocols.identity import said
from protocols.mapping import map_database
from protocols.registry import available, load
from protocols.roles import Mapping
from protocols.signals import Database

# A database below the first is not believed where a built-in protocol stands above the second.
_DOUBTFUL, _CERTAIN = 0.65, 0.8


@dataclass(frozen=True, slots=True)
class Request:
    """What the person said: a protocol's name, databases (already loaded), a profile."""

    protocol: str = ""
    databases: tuple[Database, ...] = ()
    profile: Profile = field(default_factory=Profile)


@dataclass(frozen=True, slots=True)
class Interpretation:
    """Databases, their mapping, and how sure; `serial` reads the pack's serial number.

    found: the mapping before the person's word (`by_profile`). builtin: name of the built-in
    protocol that speaks or completes, "" none.
    """

    title: str
    databases: tuple[Database, ...]
    mapping: Mapping
    confidence: float
    runner_up: str = ""
    why: str = ""
    serial: Callable[[Frames], str | None] | None = None
    found: Mapping | None = None
    builtin: str = ""


def interpret(frames: Frames, request: Request) -> Interpretation | None:
    """The meaning of these frames; None while there is none (no BMS data, or not enough frames).

    Raises ValueError for a protocol nobody knows.
    """
    named = request.protocol or request.profile.protocol
    if named:
        if named not in available():
            raise ValueError(f"no protocol '{named}': there are {', '.join(available())}")
        protocol = load(named)
        learned = protocol.specialise(frames) if protocol.specialise and len(frames) else None
        database, mapping = learned or (protocol.database, protocol.mapping)
        found = Interpretation(
            protocol.title, (database,), mapping, 1.0, serial=protocol.serial, builtin=named
        )
    else:
        protocol = None
        recognised = _recognised(frames, request.databases) or _by_hand_only(request)
        if recognised is None:
            return None
        found = recognised
        protocol = load(found.builtin) if found.builtin else None
    if protocol is not None:
        found = _introduced(found, said(frames, protocol))
    return by_profile(found, request)


def _introduced(meaning: Interpretation, words: tuple[str, ...]) -> Interpretation:
    """The same meaning with what the pack says of itself among its notes."""
    mapping = replace(meaning.mapping, notes=(*meaning.mapping.notes, *words))
    return replace(meaning, mapping=mapping)


def by_profile(meaning: Interpretation, request: Request) -> Interpretation:
    """The same meaning under another word of the person: roles, sign, index base.

    A database that was given and is named there counts even where it was not recognised.
    """
    found, databases, profile = meaning.found or meaning.mapping, meaning.databases, request.profile
    for name, _ in profile.mapping:
        if find_signal(databases, name) is None:
            databases += tuple(d for d in request.databases if find_signal([d], name))[:1]
    mapping = corrected(found, databases, profile)
    return replace(meaning, databases=databases, mapping=mapping, found=found)


def _recognised(frames: Frames, given: tuple[Database, ...]) -> Interpretation | None:
    """What detection says; databases that a person gave win over what is only recognised."""
    candidates = detect(frames, given)
    if given:
        names = ", ".join(database.name for database in given)
        chosen = [c for c in candidates if any(d is given[0] for d in c.databases)]
        others = [c for c in candidates if c not in chosen]
        if not chosen and not others:
            mapping = map_database(given)  # nothing of it on the bus yet: by its names alone
            return _known_only(replace(mapping, confidence=0.0), given, frames)
        if not chosen:
            candidates = [_noted(others[0], f"nothing of {names} is on this bus"), *others[1:]]
        elif others and chosen[0].confidence < _DOUBTFUL and others[0].confidence >= _CERTAIN:
            word = f"{names} fits badly ({chosen[0].confidence:.2f})"
            candidates = [_noted(others[0], word), *chosen, *others[1:]]
        else:
            candidates = chosen + others
    if not candidates:
        return None
    best = candidates[0]
    builtin = next((c.name for c in candidates if c.name in available()), "")
    protocol = load(builtin) if builtin else None
    title = protocol.title if protocol and best.name == builtin else best.name
    return Interpretation(
        title,
        best.databases,
        best.mapping,
        best.confidence,
        candidates[1].name if len(candidates) > 1 else "",
        best.why,
        protocol.serial if protocol else None,
        builtin=builtin,
    )


def _noted(candidate: Candidate, word: str) -> Candidate:
    """The candidate, saying why it was taken instead of what the person gave."""
    note = f"{word}: the built-in protocol {candidate.name} is used"
    mapping = candidate.mapping
    return replace(candidate, mapping=replace(mapping, notes=(*mapping.notes, note)))


def _by_hand_only(request: Request) -> Interpretation | None:
    """Nothing is recognised by itself, but the person named roles in a database."""
    given = request.databases
    if not any(find_signal(given, name) for name, role in request.profile.mapping if role):
        return None
    title = ", ".join(d.name for d in given)
    return Interpretation(title, given, Mapping(" + ".join(d.name for d in given), ()), 0.0)


def _known_only(
    mapping: Mapping, given: tuple[Database, ...], frames: Frames
) -> Interpretation | None:
    """A mapping by name, if the bus carries a message that it uses."""
    used = {b.message for b in mapping.bindings}
    ids = set(np.unique(frames.id).tolist())
    messages = [m for d in given for m in d.messages if m.name in used]
    if not any(m.id in ids for m in messages):
        return None
    return Interpretation(", ".join(d.name for d in given), given, mapping, 0.0)
