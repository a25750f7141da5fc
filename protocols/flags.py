"""Flags that vouch for a value: "CellVoltage_012_invalidFlag" beside "CellVoltage_012".

A flag belongs to the value whose name it repeats, in the same message and under the same
multiplexers. What its raw values mean is said by their names where it has any, else by its own; a
flags that never approve of any value at all are not believed. No frame is decoded here.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from protocols.names import take_apart
from protocols.roles import Binding
from protocols.signals import Database, Message, Signal

_Values = Callable[[str, str], NDArray[np.float64]]
_INVALID = re.compile(r"(?i)invalid|_inv(?![a-z])|not_?valid")
_VALID = re.compile(r"(?i)valid")
_GOOD = re.compile(r"(?i)^(data)?[ _]?(valid|ok|good|okay|plausible)$")
_BAD = re.compile(
    r"(?i)invalid|not[ _]?valid|error|fault|sna|unknown|implausible|not[ _]?avail|bad"
)
_MOST_BITS = 2


def with_flags(
    bindings: Sequence[Binding], databases: Sequence[Database], values: _Values | None = None
) -> tuple[list[Binding], list[str]]:
    """The bindings, each with the flag that vouches for it, and notes for people.

    values(message, signal): physical values seen on the bus, empty where there were none.
    """
    messages = {m.name: m for d in reversed(databases) for m in reversed(d.all_messages)}
    known: dict[str, dict[tuple[object, ...], list[Signal]]] = {}
    found, notes = [], []
    seen = approved = 0
    for binding in bindings:
        message = messages[binding.message]
        if message.name not in known:
            known[message.name] = _flags(message)
        of_value = message.signal(binding.signal)
        flags = known[message.name].get(_key(of_value, take_apart(binding.signal).words), [])
        good = _good(flags[0]) if len(flags) == 1 and flags[0].name != binding.signal else None
        if good is not None:
            binding = replace(binding, flag=flags[0].name, flag_good=good)
            if values is not None and len(said := values(message.name, flags[0].name)):
                seen += 1
                approved += bool(np.any(said == good * flags[0].scale + flags[0].offset))
        found.append(binding)
    vouched = [b for b in found if b.flag]
    if seen and not approved:
        notes.append(f"flags like {vouched[0].flag} never say that a value is valid: not used")
        return [replace(b, flag="", flag_good=1) for b in found], notes
    if vouched:
        notes.append(
            f"{len(vouched)} values count only while a flag like {vouched[0].flag} says so"
        )
    return found, notes


def _flags(message: Message) -> dict[tuple[object, ...], list[Signal]]:
    """Flags of a message by the name that they vouch for."""
    found: dict[tuple[object, ...], list[Signal]] = defaultdict(list)
    for signal in message.signals:
        named = _VALID.search(signal.name) or _INVALID.search(signal.name)
        if not named or signal.length > _MOST_BITS:
            continue
        bare = re.sub(
            r"(?i)_?(in|not_?)?valid(ity)?_?(flag|bit|stat(e|us)?)?|_inv$", "", signal.name
        )
        name = take_apart(bare)
        if name.words or name.numbers:
            found[_key(signal, name.words, name.numbers, name.letter)].append(signal)
    return found


def _key(signal: Signal, words: tuple[str, ...], *rest: object) -> tuple[object, ...]:
    if not rest:
        name = take_apart(signal.name)
        rest = (name.numbers, name.letter)
    return (signal.mux, words, *rest)


def _good(flag: Signal) -> int | None:
    """The raw value that means valid; None where that cannot be told."""
    if flag.choices:
        good = [raw for raw, text in flag.choices.items() if _GOOD.search(text.strip())]
        bad = [raw for raw, text in flag.choices.items() if _BAD.search(text)]
        good = [raw for raw in good if raw not in bad]
        return good[0] if len(good) == 1 and (bad or flag.length == 1) else None
    if flag.length != 1:
        return None
    return 0 if _INVALID.search(flag.name) else 1
