"""A person's word about a mapping: kept in the profile, and laid over what was found.

Roles given by hand, the sign of the current, where an index in the payload begins. Plain data in,
plain data out; who found the mapping, and who derives anew, is of no concern here.
"""

from collections.abc import Sequence
from dataclasses import replace

from bms_studio.pack.profile import NOT_USED, Profile
from bms_studio.pack.profile_edit import edited_text
from protocols.by_hand import binding_by_hand
from protocols.roles import Binding, Mapping, Role, parse_role
from protocols.signals import Database, Message, Signal

SIGNS = ("+discharge", "+charge")
_MOST_CELLS = 1000
_MOST_PACKS = 16
SIGN_NOTE = "sign of current"


def corrected(mapping: Mapping, databases: Sequence[Database], profile: Profile) -> Mapping:
    """The mapping with the profile's word in place of ours.

    A signal of [mapping] that no database has is left out and noted: on another bus the same
    profile still says the rest.
    """
    bindings, notes = list(mapping.bindings), list(mapping.notes)
    if profile.first_cell is not None:
        bindings = [_counted(b, profile.first_cell) for b in bindings]
        notes = [n for n in notes if not _about_index(n, mapping)]
    for name, role in profile.mapping:
        found = find_signal(databases, name)
        if found is None:
            notes.append(f"profile [mapping]: no database has a signal {name}")
            continue
        message, signal = found
        bindings = [
            b
            for b in bindings
            if (b.message, b.signal) != (message.name, signal.name) and b.role != role
        ]
        if role is not None:
            given = binding_by_hand(message, signal, role)
            turned = role.field == "current" and mapping.sign == SIGNS[1]
            bindings.append(_turned(given, given.why) if turned else given)
    sign = profile.current_sign or mapping.sign
    if sign != mapping.sign:
        bindings = [_turned(b, _why(b)) if b.role.field == "current" else b for b in bindings]
    if profile.current_sign:
        notes = [n for n in notes if not n.startswith(SIGN_NOTE)]
    return replace(mapping, bindings=tuple(bindings), sign=sign, notes=tuple(notes))


def find_signal(databases: Sequence[Database], name: str) -> tuple[Message, Signal] | None:
    """Message and signal called "Message.Signal", also of what is only said when asked."""
    for message in all_messages(databases):
        if name.startswith(f"{message.name}."):
            for signal in message.signals:
                if name == f"{message.name}.{signal.name}":
                    return message, signal
    return None


def all_messages(databases: Sequence[Database]) -> list[Message]:
    """Every message, those carried by ISO-TP last."""
    plain = [m for d in databases for m in d.messages]
    return plain + [t.message for d in databases for t in d.transfers]


def given_role(text: str) -> Role | None:
    """The role that a person wrote, None for "none"; ValueError, one sentence, for all else."""
    if text.strip() == NOT_USED:
        return None
    role = parse_role(text)
    if role.number > _MOST_CELLS or not 1 <= role.pack <= _MOST_PACKS:
        raise ValueError(
            f"'{text}': numbers go up to {_MOST_CELLS} and packs up to {_MOST_PACKS}; correct it"
        )
    return role


def check_role(databases: Sequence[Database], name: str, text: str) -> None:
    """Nothing if `with_role` can be used on this bus; ValueError, one sentence, if not."""
    if find_signal(databases, name) is None:
        raise ValueError(f"No database has a signal {name}: choose one of the list.")
    if text.strip():
        given_role(text)


def with_role(profile: Profile, name: str, text: str) -> Profile:
    """The profile in which the signal "Message.Signal" has this role.

    text: a role, "none" for no role at all, "" to forget what was said. Who had the role by hand
    before gives it up. ValueError, one sentence, when it is no role.
    """
    kept = [(signal, role) for signal, role in profile.mapping if signal != name]
    if text.strip():
        role = given_role(text)
        kept = [(s, r) for s, r in kept if r is None or r != role]
        kept.append((name, role))
    return _written(replace(profile, mapping=tuple(kept)))


def with_sign(profile: Profile, sign: str) -> Profile:
    """The profile that states the sign of the current on the wire, one of SIGNS."""
    return _written(replace(profile, current_sign=sign))


def with_first_cell(profile: Profile, first: int) -> Profile:
    """The profile that states from where an index in the payload counts: 0 or 1."""
    return _written(replace(profile, first_cell=first))


def with_kind(profile: Profile, chemistry: str, capacity_ah: float) -> Profile:
    """The profile that states chemistry ("" as before) and rated capacity (0 as before)."""
    chemistry = chemistry or profile.chemistry
    capacity_ah = capacity_ah or profile.capacity_ah
    return _written(replace(profile, chemistry=chemistry, capacity_ah=capacity_ah))


def opposite(sign: str) -> str:
    """The other sign on the wire."""
    return SIGNS[1] if sign == SIGNS[0] else SIGNS[0]


def _written(profile: Profile) -> Profile:
    """Text and meaning of a profile go together: the text is what recordings keep."""
    return replace(profile, text=edited_text(profile))


def _counted(binding: Binding, first: int) -> Binding:
    if binding.index is None or binding.index.first == first:
        return binding
    why = f"{binding.why}; counts from {first} by the profile"
    return replace(binding, index=replace(binding.index, first=first), why=why)


def _about_index(note: str, mapping: Mapping) -> bool:
    signals = {b.index.signal for b in mapping.bindings if b.index is not None}
    return any(
        note.startswith((f"{s} counts from", f"{s} is taken to count from")) for s in signals
    )


def _why(binding: Binding) -> str:
    return f"{binding.why}; turned" if binding.why else "turned"


def _turned(binding: Binding, why: str) -> Binding:
    low, high = binding.valid
    return replace(
        binding, factor=-binding.factor, shift=-binding.shift, valid=(-high, -low), why=why
    )
