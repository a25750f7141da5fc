"""Cells, probes and balancing flags in a database: signals that differ only by a number.

Three ways in which senders write them are known: a name per cell, plain or multiplexed; the same
names in several messages, with the module's number in the message's name; and one signal beside
an index signal ("index in payload"). No frame is looked at here.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
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
from protocols.signals import Database, Message, Signal

MOST_NUMBERS = 1000
MOST_PACKS = 16


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NEVER = _words(
    "max min avg delta limit threshold command fault flag warning checksum machine history time "
    "cycle twelve count"
)
_FEWEST_BARE = 6
_STOPS = {
    "cell": _NEVER
    + _words(
        "state temperature thermistor probe balancing resistance open current soc soh capacity "
        "power energy total remaining charge discharge display"
    ),
    "probe": _NEVER
    + _words("state voltage current balancing resistance soc soh power energy capacity"),
    "balancing": _NEVER
    + _words("id voltage temperature current resistance power energy capacity soc"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """A signal that may be a cell, probe or balancing flag."""

    message: Message
    signal: Signal
    name: Name
    context: Name
    factor: float
    shift: float

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of the signal's name; a last letter counts as one."""
        return self.name.numbers + ((ord(self.name.letter) - 64,) if self.name.letter else ())


@dataclass(frozen=True, slots=True)
class Family:
    """One possible source of all cells (or probes, or flags) of a pack.

    indexed: the number comes from the payload. size: how many numbers (0 where unknown).
    """

    kind: str
    pack: int
    bindings: tuple[Binding, ...]
    size: int
    score: float
    indexed: bool = False

    @property
    def messages(self) -> tuple[str, ...]:
        """Names of the messages it needs."""
        return tuple(dict.fromkeys(binding.message for binding in self.bindings))


def families(databases: Sequence[Database], kind: str) -> list[Family]:
    """All possible sources of a kind ("cell", "probe", "balancing"), the best by name first."""
    items = [item for m in _messages(databases) for item in _items(m, kind)]
    found: list[Family] = []
    indexed: set[str] = set()
    for message, listed in _by_message(items):
        family = _in_payload(kind, message, listed)
        if family:
            found.append(family)
            indexed.add(message.name)
    keyed: dict[tuple[int, tuple[str, ...]], list[Item]] = defaultdict(list)
    for item in items:
        if item.numbers and item.message.name not in indexed:
            keyed[item.name.pack, item.name.unknown].append(item)
    for (pack, _), listed in keyed.items():
        found.extend(_numbered(kind, listed, pack))
    return sorted(found, key=lambda f: -f.score)


def _messages(databases: Sequence[Database]) -> Iterable[Message]:
    return (message for database in databases for message in database.all_messages)


def _by_message(items: Sequence[Item]) -> list[tuple[Message, list[Item]]]:
    grouped: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        grouped[item.message.name].append(item)
    return [(listed[0].message, listed) for listed in grouped.values()]


def _items(message: Message, kind: str) -> list[Item]:
    context = message_words(message)
    found = []
    for signal in message.signals:
        name = take_apart(signal.name)
        change = _change(kind, signal, name, context)
        if change is not None:
            found.append(Item(message, signal, name, context, *change))
    return found


def _change(kind: str, signal: Signal, name: Name, context: Name) -> tuple[float, float] | None:
    """Factor and shift to the canonical unit if the signal may be of this kind."""
    if name.has(*_STOPS[kind]) or name.twelve_volt:
        return None
    if kind == "cell":
        return _cell_change(signal, name, context)
    if kind == "probe":
        subjects = ("cell", "module", "pack", "bms", "probe", "thermistor", "string")
        about = name.has(*subjects) or context.has(*subjects)
        thermal = name.has("temperature", "thermistor")
        thermal = thermal or unit_of(signal.unit).quantity == "temperature"
        if not (about and thermal) or context.has("machine", "history") or name.has("id"):
            return None
        return temperature_change(signal)
    if signal.length > 2 or not name.has("balancing"):
        return None
    return 1.0, 0.0


def _cell_change(signal: Signal, name: Name, context: Name) -> tuple[float, float] | None:
    voltage = name.has("voltage") or unit_of(signal.unit).quantity == "voltage"
    if not name.has("cell") and not (context.has("cell") and voltage):
        return None
    if name.has("pack", "string") and not name.has("cell"):
        return None
    if name.has("id") and not (voltage and name.numbers):
        return None
    if name.unknown and not voltage:
        return None
    factor = cell_factor(signal)
    return None if factor is None else (factor, 0.0)


# --- a name per cell ------------------------------------------------------------------------


def _numbered(kind: str, items: list[Item], pack: int) -> list[Family]:
    """Families of items whose names differ by numbers."""
    places = [item.numbers for item in items]
    if len(set(places)) == len(places):
        return _family(kind, items, places, pack)
    sources: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        sources[item.context.words].append(item)
    found: list[Family] = []
    for words, listed in sources.items():
        number = max(pack, listed[0].context.pack, _pack_number(words, listed, sources))
        family = _family(kind, listed, _with_module(listed), number)
        found.extend(family)
    return found


def _with_module(items: list[Item]) -> list[tuple[int, ...]]:
    """Numbers that tell items apart: the message's in front where the signal's repeat."""
    own = [item.numbers for item in items]
    if len(set(own)) == len(own):
        return own
    both = [item.context.numbers + item.numbers for item in items]
    if len(set(both)) == len(both):
        return both
    rank = {m: i for i, m in enumerate(sorted({item.message.id for item in items}))}
    return [(rank[item.message.id], *item.numbers) for item in items]


def _pack_number(
    words: tuple[str, ...], items: list[Item], sources: dict[tuple[str, ...], list[Item]]
) -> int:
    """2 for "P2_CMC_03" beside "CMC_03": the same words behind a pack's number."""
    rest = tuple(word for word in words if word not in ("p", "pack"))
    first = {item.context.numbers[:1] for item in items}
    if len(rest) < len(words) and rest in sources and len(first) == 1:
        number = next(iter(first))
        if number and number[0] > 1:
            return number[0]
    return 1


def _family(
    kind: str, items: list[Item], places: list[tuple[int, ...]], pack: int = 1
) -> list[Family]:
    """At most one family: numbers flattened, repeated ones refused."""
    numbers = _flatten(places)
    if max(numbers) > MOST_NUMBERS:  # no count: arrays are as wide as the highest
        order = sorted(set(numbers))
        numbers = [order.index(number) + 1 for number in numbers]
    if pack > MOST_PACKS or len(numbers) > MOST_NUMBERS:
        return []
    if len(set(numbers)) < len(numbers) or len(numbers) < 2:
        return []
    if any(item.name.weak for item in items) and not _surely_cells(items):
        return []
    bindings = tuple(
        _binding(item, Role(kind, number, pack=pack), _why(item, kind, number))
        for number, item in sorted(zip(numbers, items, strict=True), key=lambda pair: pair[0])
    )
    return [Family(kind, pack, bindings, len(bindings), _score(kind, items))]


def _surely_cells(items: list[Item]) -> bool:
    """Whether items called no more than "C12" are cells: many of them, and in volts."""
    volts = all(unit_of(item.signal.unit).quantity == "voltage" for item in items)
    return volts and len(items) >= _FEWEST_BARE


def _flatten(places: list[tuple[int, ...]]) -> list[int]:
    """One number from 1 per place; several numbers count like digits, the last one fastest."""
    width = max(len(place) for place in places)
    if any(len(place) != width for place in places):
        places = [place[-min(len(p) for p in places) :] for place in places]
        width = len(places[0])
    columns = [[place[k] for place in places] for k in range(width)]
    varying = [column for column in columns if len(set(column)) > 1] or columns[-1:]
    for column in (varying[-1], varying[0]):
        if len(set(column)) == len(column):
            varying = [column]
            break
    flat = [0] * len(places)
    for column in varying:
        base = min(column) if len(varying) > 1 else min(min(column), 1)
        span = max(column) - base + 1
        flat = [total * span + value - base for total, value in zip(flat, column, strict=True)]
    return [value + 1 for value in flat]


def _score(kind: str, items: list[Item]) -> float:
    """How well names and units speak for a family; sizes count most."""
    first = items[0]
    score = 10.0 * min(len(items), 20) / 20 + len(items) / 1000
    score += 2.0 if first.name.has("cell") else 0.0
    score += 1.0 if unit_of(first.signal.unit).quantity else 0.0
    score += 1.0 if kind == "probe" and first.name.has("probe", "thermistor", "module") else 0.0
    score -= 0.5 if first.context.has("module") or "afe" in first.message.name.lower() else 0.0
    score -= 0.5 * len(first.name.unknown)
    return score


def _why(item: Item, kind: str, number: int) -> str:
    noun = {"cell": "cell", "probe": "probe", "balancing": "balancing of cell"}[kind]
    reason = f"name says {noun} {number}"
    if item.numbers and number != item.numbers[-1]:
        reason = f"{item.message.name}.{item.signal.name} counts as {noun} {number}"
    return f"{reason}, {_unit_words(item)}"


def _unit_words(item: Item) -> str:
    unit = item.signal.unit.strip()
    if unit and unit_of(unit).quantity not in ("", "other"):
        return f"unit {unit}"
    if item.factor == 1.0:
        return "no unit given"
    return f"no unit, range fits 1/{round(1 / item.factor)}"


def _binding(item: Item, role: Role, why: str, index: Index | None = None) -> Binding:
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
        why=why,
    )


# --- index in payload -----------------------------------------------------------------------


def _in_payload(kind: str, message: Message, items: list[Item]) -> Family | None:
    """The signals of one message whose number another signal of it carries."""
    listed = [item for item in items if len(item.numbers) <= 1]
    if not 1 <= len(listed) <= 8 or len(listed) != len(items):
        return None
    if len(listed) > 1 and any(not item.numbers for item in listed):
        return None
    ordered = sorted(listed, key=lambda item: item.numbers)
    paired = _paired(kind, message, ordered)
    if paired:
        return paired
    carrier = _index_signal(kind, message, ordered)
    if carrier is None or (kind != "cell" and carrier.name == ordered[0].signal.name):
        return None
    name = take_apart(carrier.name)
    stride = 1 if name.has("first") or len(ordered) == 1 else len(ordered)
    first = 1 if carrier.minimum == 1.0 and not carrier.offset else 0
    bindings = []
    for position, item in enumerate(ordered):
        index = Index(carrier.name, first, stride, position)
        why = f"number from {carrier.name}, {_unit_words(item)}"
        bindings.append(_binding(item, Role(kind), why, index))
    score = 9.0 + (2.0 if ordered[0].name.has("cell") else 0.0)
    return Family(kind, 1, tuple(bindings), 0, score, indexed=True)


def _paired(kind: str, message: Message, items: Sequence[Item]) -> Family | None:
    """Values that each have an index of their own: Id_1 with Value_1, Id_2 with Value_2."""
    carriers: dict[tuple[int, ...], Signal] = {}
    for signal in message.signals:
        name = take_apart(signal.name)
        if _is_small_count(signal) and name.has("id") and not name.has(*_NEVER):
            carriers[name.numbers] = signal
    if len(items) < 2 or any(item.numbers not in carriers for item in items):
        return None
    bindings = []
    for item in items:
        carrier = carriers[item.numbers].name
        why = f"number from {carrier}, {_unit_words(item)}"
        bindings.append(_binding(item, Role(kind), why, Index(carrier)))
    return Family(kind, 1, tuple(bindings), 0, 11.0, indexed=True)


def _index_signal(kind: str, message: Message, items: Sequence[Item]) -> Signal | None:
    """The one small whole number that says which cell or probe the frame is about."""
    own = {item.signal.name for item in items}
    selectors = {condition.selector for item in items for condition in item.signal.mux}
    best: tuple[float, Signal] | None = None
    for signal in message.signals:
        name = take_apart(signal.name)
        if signal.name in own or signal.name in selectors or not _is_small_count(signal):
            continue
        if not name.has("id", "first", "group") or name.has(*_NEVER, "fault", "module", "string"):
            continue
        score = 2.0 * name.has("cell" if kind != "probe" else "probe")
        score += 1.0 * name.has("id") - 0.5 * len(name.unknown)
        if kind == "probe" and name.has("cell") and not items[0].name.has("cell"):
            continue
        if best is None or score > best[0]:
            best = (score, signal)
    return best[1] if best else None


def _is_small_count(signal: Signal) -> bool:
    return (
        3 <= signal.length <= 16
        and not signal.signed
        and not signal.is_float
        and abs(signal.scale) == 1.0
    )


def with_index(family: Family, first: int, stride: int) -> Family:
    """The same family with another start and stride, as learned from frames."""
    bindings = []
    for binding in family.bindings:
        if binding.index is None:
            raise ValueError(f"{binding.signal} has no index in the payload")
        index = replace(binding.index, first=first, stride=stride)
        bindings.append(replace(binding, index=index))
    return replace(family, bindings=tuple(bindings))
