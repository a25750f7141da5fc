"""Cells, probes and balancing flags in a database: signals that differ only by a number.

Three ways in which senders write them are known: a name per cell, plain or multiplexed; the same
names in several messages, with the module's number in the message's name; and one signal beside
an index signal ("index in payload", `indexed.py`). No frame is looked at here.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from protocols.family import Family, Item, bound, items_of, why
from protocols.indexed import across_messages, in_payload
from protocols.plausibility import unit_of
from protocols.roles import Role
from protocols.signals import Database, Message

__all__ = ["Family", "families"]

MOST_NUMBERS = 1000
MOST_PACKS = 16
_FEWEST_BARE = 6


def families(databases: Sequence[Database], kind: str) -> list[Family]:
    """All possible sources of a kind ("cell", "probe", "balancing"), the best by name first."""
    items = [item for m in _messages(databases) for item in items_of(m, kind)]
    found: list[Family] = []
    grouped = {message.name: listed for message, listed in _by_message(items)}
    for listed in grouped.values():
        family = in_payload(kind, listed[0].message, listed)
        if family:
            found.append(family)
    indexed = {message for family in found for message in family.messages}
    joined = across_messages(found, grouped)
    boards = {message for family in joined for message in family.messages}
    found = [*joined, *(f for f in found if f.messages[0] not in boards)]
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
    if any(item.weak or item.name.weak for item in items) and not _surely_cells(items):
        return []
    bindings = tuple(
        bound(item, Role(kind, number, pack=pack), why(item, kind, number))
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
