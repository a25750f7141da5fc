"""Signals that may be cells, probes or balancing flags, judged by name, unit and range: the
candidates of which `numbered.py` and `indexed.py` make families. No frame is looked at here.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, replace

from protocols.names import Name, message_words, take_apart
from protocols.plausibility import (
    CELL_V,
    PROBE_DEGC,
    cell_factor,
    ones_excluded,
    temperature_change,
    unit_of,
)
from protocols.roles import Binding, Index, Role
from protocols.signals import Message, Signal


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NEVER = _words(
    "max min avg delta limit threshold command fault flag warning checksum machine history time "
    "cycle twelve count raw"
)
_STOPS = {
    "cell": NEVER
    + _words(
        "state temperature thermistor probe balancing resistance open current soc soh capacity "
        "power energy total remaining charge discharge display"
    ),
    "probe": NEVER
    + _words("state voltage current balancing resistance soc soh power energy capacity"),
    "balancing": NEVER
    + _words("id voltage temperature current resistance power energy capacity soc"),
}
_FEWEST_LETTERS = 3
_LAST_LETTER = re.compile(r"(.*[_a-z\d])([A-Z])")


@dataclass(frozen=True, slots=True)
class Item:
    """A signal that may be a cell, probe or balancing flag. weak: nothing says "cell" outright."""

    message: Message
    signal: Signal
    name: Name
    context: Name
    factor: float
    shift: float
    weak: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the signal's name; a last letter counts as one."""
        return self.name.numbers + ((ord(self.name.letter) - 64,) if self.name.letter else ())


@dataclass(frozen=True, slots=True)
class Family:
    """One possible source of all cells (or probes, or flags) of a pack.

    indexed: the number comes from the payload. size: how many numbers (0 where unknown). block:
    numbers that each module is given until frames tell how many it has (0: there are no modules, or
    their size is known).
    """

    kind: str
    pack: int
    bindings: tuple[Binding, ...]
    size: int
    score: float
    indexed: bool = False
    block: int = 0

    @property
    def messages(self) -> tuple[str, ...]:
        """Names of the messages it needs."""
        return tuple(dict.fromkeys(binding.message for binding in self.bindings))


def items_of(message: Message, kind: str) -> list[Item]:
    """The candidates of one message."""
    context = message_words(message)
    found = []
    for signal in message.signals:
        name = take_apart(signal.name)
        change = _change(kind, signal, name, context, message.comment)
        if change is not None:
            found.append(Item(message, signal, name, context, *change))
    return _lettered(found)


def _lettered(items: list[Item]) -> list[Item]:
    """A, C and the like count places too where the same name goes through the alphabet."""
    stems: dict[str, set[str]] = defaultdict(set)
    for item in items:
        if match := _LAST_LETTER.fullmatch(item.signal.name):
            stems[match[1]].add(match[2])
    found = []
    for item in items:
        match = _LAST_LETTER.fullmatch(item.signal.name)
        if match and not item.name.letter and len(stems[match[1]]) >= _FEWEST_LETTERS:
            words = tuple(w for w in item.name.words if w != match[2].lower())
            item = replace(item, name=replace(item.name, letter=match[2], words=words))
        found.append(item)
    return found


def _change(
    kind: str, signal: Signal, name: Name, context: Name, comment: str
) -> tuple[float, float, bool] | None:
    """Factor, shift to the canonical unit and weakness, if the signal may be of this kind."""
    if name.has(*_STOPS[kind]) or name.twelve_volt:
        return None
    if kind == "cell":
        return _cell_change(signal, name, context, comment)
    about_cells = take_apart(comment).has("cell") if comment else False
    if kind == "probe":
        subjects = ("cell", "module", "pack", "bms", "probe", "thermistor", "string")
        about = name.has(*subjects) or context.has(*subjects) or about_cells
        thermal = name.has("temperature", "thermistor")
        thermal = thermal or unit_of(signal.unit).quantity == "temperature"
        if not (about and thermal) or context.has("machine", "history") or name.has("id"):
            return None
        change = temperature_change(signal)
        return None if change is None else (*change, False)
    said = context.has("balancing") and name.has("cell") and bool(name.numbers)
    if signal.length > 2 or not (name.has("balancing") or said):
        return None
    return 1.0, 0.0, False


def _cell_change(
    signal: Signal, name: Name, context: Name, comment: str
) -> tuple[float, float, bool] | None:
    voltage = name.has("voltage") or unit_of(signal.unit).quantity == "voltage"
    named = name.has("cell") or (context.has("cell") and voltage)
    if not named:
        about = name.has("bms") or context.has("bms", "module") or take_apart(comment).has("cell")
        if not (about and name.has("voltage")) or name.has("module"):
            return None  # "Module_Voltage_3" is that of a module
        if context.has("machine", "history"):
            return None
    if name.has("pack", "string") and not name.has("cell"):
        return None
    if name.has("id") and not (voltage and name.numbers):
        return None
    if name.unknown and not voltage:
        return None
    factor = cell_factor(signal)
    return None if factor is None else (factor, 0.0, not named)


def why(item: Item, kind: str, number: int) -> str:
    """The reason for people of a number that comes from names."""
    noun = {"cell": "cell", "probe": "probe", "balancing": "balancing of cell"}[kind]
    reason = f"name says {noun} {number}"
    if item.numbers and number != item.numbers[-1]:
        reason = f"{item.message.name}.{item.signal.name} counts as {noun} {number}"
    return f"{reason}, {unit_words(item)}"


def unit_words(item: Item) -> str:
    """What was made of the unit, in words."""
    unit = item.signal.unit.strip()
    if unit and unit_of(unit).quantity not in ("", "other"):
        return f"unit {unit}"
    if item.factor == 1.0:
        return "no unit given"
    return f"no unit, range fits 1/{round(1 / item.factor)}"


def bound(item: Item, role: Role, reason: str, index: Index | None = None) -> Binding:
    """The binding of a candidate to a role."""
    limits = {"cell": CELL_V, "probe": PROBE_DEGC, "balancing": (0.0, 1.0)}[role.kind]
    if role.kind != "balancing":
        limits = ones_excluded(item.signal, item.factor, item.shift, limits)
    return Binding(
        item.message.name,
        item.signal.name,
        role,
        item.factor,
        item.shift,
        limits,
        index,
        why=reason,
    )
