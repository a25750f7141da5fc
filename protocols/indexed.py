"""Families whose number the payload carries: one signal beside an index, a pair of both, values
behind the number of a board, and boards that each have a message of their own.

Where modules are counted apart from the cells in them, the size of a module is not in any database:
each is given a block of numbers, which frames make smaller (`protocols/settling.py`). No frame is
looked at here.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from protocols.family import NEVER, Family, Item, bound, unit_words
from protocols.names import Name, take_apart
from protocols.roles import Index, Role
from protocols.signals import Message, Signal

# More than a module has cells; a power of two, so that blocks are easily told from sizes.
BLOCK = 64
MOST_MODULES = 32
_MOST_CARRIERS = 3
_MODULE = re.compile(
    r"(?i)module|segment|board|slave|stack|node|cmu|lmu|afe|csc|ltc|(?<![a-z])ic(?![a-z])"
)


def in_payload(kind: str, message: Message, items: list[Item]) -> Family | None:
    """The signals of one message whose number other signals of it carry."""
    numbered = [item for item in items if item.numbers]
    listed = numbered if len(numbered) > 1 else items
    if not listed or any(len(item.numbers) > 1 for item in listed):
        return None
    if len(listed) > 1 and any(not item.numbers for item in listed):
        return None
    ordered = sorted(listed, key=lambda item: item.numbers)
    if len({item.numbers for item in ordered}) < len(ordered):
        return None
    paired = _paired(kind, message, ordered)
    if paired:
        return paired
    carriers = _carriers(kind, message, ordered)
    modules = [c for c in carriers if _MODULE.search(c.name)]
    indices = [c for c in carriers if c not in modules]
    if len(carriers) > _MOST_CARRIERS or (len(indices) > 1 and not _clear(kind, indices)):
        return None
    module = min(modules, key=lambda c: c.length) if modules else None
    index = max(indices, key=lambda c: _score(kind, c)) if indices else None
    if index is not None and len(ordered) <= 8:
        return _by_index(kind, ordered, index, module)
    if module is not None and index is None:
        return _by_module(kind, ordered, module)
    return None


def _by_index(
    kind: str, ordered: Sequence[Item], carrier: Signal, module: Signal | None
) -> Family | None:
    if kind != "cell" and carrier.name == ordered[0].signal.name:
        return None
    name = take_apart(carrier.name)
    stride = 1 if name.has("first") or len(ordered) == 1 else len(ordered)
    first = 1 if carrier.minimum == 1.0 and not carrier.offset else 0
    index = Index(carrier.name, first, stride)
    number = carrier.name
    if module is not None:
        index = replace(index, module=module.name, module_stride=BLOCK)
        number = f"{module.name} and {carrier.name}"
    bindings = tuple(
        bound(
            item,
            Role(kind),
            f"number from {number}, {unit_words(item)}",
            replace(index, position=position),
        )
        for position, item in enumerate(ordered)
    )
    score = 9.0 + _worth(ordered[0])
    return Family(kind, 1, bindings, 0, score, True, BLOCK if module is not None else 0)


def _by_module(kind: str, ordered: Sequence[Item], module: Signal) -> Family | None:
    """Values named by their place on a board, and the board's number beside them."""
    places = [item.numbers[0] if item.numbers else 0 for item in ordered]
    begin = min(places) if min(places) > 0 else 0
    span = max(places) - begin + 1
    if span > BLOCK or (any(item.weak for item in ordered) and len(ordered) < 2):
        return None
    bindings = tuple(
        bound(
            item,
            Role(kind),
            f"number from {module.name} and its place, {unit_words(item)}",
            Index(module.name, 0, span, place - begin),
        )
        for item, place in zip(ordered, places, strict=True)
    )
    return Family(kind, 1, bindings, 0, 9.0 + _worth(ordered[0]), True)


def _worth(item: Item) -> float:
    return (2.0 if item.name.has("cell") else 0.0) - 0.5 * len(item.context.unknown) - item.weak


def across_messages(families: Sequence[Family], items: dict[str, list[Item]]) -> list[Family]:
    """Boards with a message each, alike but for a number in its name, as one family.

    items: the candidates of each message.
    """
    alike: dict[tuple[object, ...], list[tuple[int, Family]]] = defaultdict(list)
    for family in families:
        message = family.bindings[0].message
        context = items[message][0].context
        if context.numbers and family.bindings[0].index is not None:
            shape = tuple((b.signal, b.index) for b in family.bindings)
            key = (context.words, context.numbers[:-1], shape)
            alike[key].append((context.numbers[-1], family))
    found = []
    for listed in alike.values():
        numbers = [number for number, _ in listed]
        if not 1 < len(listed) <= MOST_MODULES or len(set(numbers)) < len(numbers):
            continue
        if any(family.block for _, family in listed):
            continue
        bindings = []
        for place, (_, family) in enumerate(sorted(listed, key=lambda pair: pair[0])):
            for binding in family.bindings:
                index = binding.index
                if index is not None:
                    index = replace(index, position=index.position + place * BLOCK)
                bindings.append(replace(binding, index=index))
        first = listed[0][1]
        found.append(replace(first, bindings=tuple(bindings), score=first.score + 2, block=BLOCK))
    return found


def _paired(kind: str, message: Message, items: Sequence[Item]) -> Family | None:
    """Values that each have an index of their own: Id_1 with Value_1, Id_2 with Value_2."""
    carriers: dict[tuple[int, ...], Signal] = {}
    for signal in message.signals:
        name = take_apart(signal.name)
        if _is_small_count(signal) and name.has("id") and not name.has(*NEVER):
            carriers[name.numbers] = signal
    if len(items) < 2 or any(item.numbers not in carriers for item in items):
        return None
    bindings = []
    for item in items:
        carrier = carriers[item.numbers].name
        why = f"number from {carrier}, {unit_words(item)}"
        bindings.append(bound(item, Role(kind), why, Index(carrier)))
    return Family(kind, 1, tuple(bindings), 0, 11.0, indexed=True)


def _carriers(kind: str, message: Message, items: Sequence[Item]) -> list[Signal]:
    """The small whole numbers that may say which module, cell or probe the frame is about."""
    own = {item.signal.name for item in items}
    selectors = {condition.selector for item in items for condition in item.signal.mux}
    found = []
    for signal in message.signals:
        if signal.name in own or signal.name in selectors or not _is_small_count(signal):
            continue
        name = take_apart(signal.name)
        board = bool(_MODULE.search(signal.name))
        out = [word for word in (*NEVER, "fault") if not (board and word == "machine")]
        if not name.has("id", "first", "group") or name.has(*out) or (not board and _odd(name)):
            continue
        if kind == "probe" and name.has("cell") and not items[0].name.has("cell") and not board:
            continue
        found.append(signal)
    return found


def _odd(name: Name) -> bool:
    """A number of something else than cells and probes."""
    return name.has("string", "pack")


def _clear(kind: str, carriers: Sequence[Signal]) -> bool:
    """Whether one of several is the index beyond doubt."""
    scores = sorted((_score(kind, c) for c in carriers), reverse=True)
    return scores[0] > scores[1]


def _score(kind: str, carrier: Signal) -> float:
    name = take_apart(carrier.name)
    score = 2.0 * name.has("cell" if kind != "probe" else "probe")
    return score + 1.0 * name.has("id") - 0.5 * len(name.unknown)


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
