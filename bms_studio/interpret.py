"""What do these frames mean? One answer for live, import and build.

A profile, databases or a protocol named by the person come first; else detection. No Qt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bms_studio.pack.profile import Profile
from protocols.frames import Frames
from protocols.registry import available, load
from protocols.roles import Binding, Mapping
from protocols.signals import Database


@dataclass(frozen=True, slots=True)
class Request:
    """What the person said: a protocol's name, databases (already loaded), a profile."""

    protocol: str = ""
    databases: tuple[Database, ...] = ()
    profile: Profile = field(default_factory=Profile)


@dataclass(frozen=True, slots=True)
class Interpretation:
    """Databases, their mapping, and how sure; `serial` reads the pack's serial number."""

    title: str
    databases: tuple[Database, ...]
    mapping: Mapping
    confidence: float
    runner_up: str = ""
    why: str = ""
    serial: Callable[[Frames], str | None] | None = None


def interpret(frames: Frames, request: Request) -> Interpretation | None:
    """The meaning of these frames; None while there is none (no BMS data, or not enough frames).

    Raises ValueError for a protocol nobody knows.
    """
    named = request.protocol or request.profile.protocol
    if named:
        if named not in available():
            raise ValueError(f"no protocol '{named}': there are {', '.join(available())}")
        protocol = load(named)
        found = Interpretation(
            protocol.title, (protocol.database,), protocol.mapping, 1.0, serial=protocol.serial
        )
    elif request.databases:
        from protocols.mapping import map_database

        mapping = map_database(request.databases, frames)
        names = ", ".join(database.name for database in request.databases)
        found = Interpretation(names, request.databases, mapping, mapping.confidence)
        if not mapping.bindings:
            return None
    else:
        detected = _detected(frames)
        if detected is None:
            return None
        found = detected
    return replace(found, mapping=_overridden(found.mapping, found.databases, request.profile))


def _detected(frames: Frames) -> Interpretation | None:
    from protocols.detect import detect

    candidates = detect(frames)
    known = [c for c in candidates if c.mapping is not None and c.name in available()]
    if not known:
        return None
    best = known[0]
    protocol = load(best.name)
    return Interpretation(
        protocol.title,
        (protocol.database,),
        best.mapping or protocol.mapping,
        best.confidence,
        known[1].name if len(known) > 1 else "",
        best.why,
        protocol.serial,
    )


def _overridden(mapping: Mapping, databases: Sequence[Database], profile: Profile) -> Mapping:
    """The mapping with the profile's word in place of ours."""
    bindings = list(mapping.bindings)
    known = {(m.name, s.name) for d in databases for m in d.messages for s in m.signals}
    for signal, role in profile.mapping:
        message, _, name = signal.partition(".")
        if (message, name) not in known:
            raise ValueError(f"profile [mapping]: no database has a signal {signal}")
        bindings = [
            b for b in bindings if (b.message, b.signal) != (message, name) and b.role != role
        ]
        bindings.append(Binding(message, name, role, why="profile"))
    sign = profile.current_sign or mapping.sign
    if sign != mapping.sign:
        bindings = [_turned(b) if b.role.field == "current" else b for b in bindings]
    return replace(mapping, bindings=tuple(bindings), sign=sign)


def _turned(binding: Binding) -> Binding:
    low, high = binding.valid
    return replace(
        binding, factor=-binding.factor, shift=-binding.shift, valid=(-high, -low), why="turned"
    )
