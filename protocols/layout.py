"""Databases and mappings compiled into arrays, so that one pass over frames can decode them.

A route leads from an identifier to plans (messages); a plan leads from a multiplexer's value to a
list of entries; an entry is one signal's bits and what becomes of them. No frame passes through
here, and no numba: only tables are built.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from protocols.roles import KINDS, Binding, Mapping, Role
from protocols.signals import Database, Message, MuxCondition, Signal
from protocols.tables import (
    ADD,
    ENTRY_WIDTH,
    EXTENDED_MASK,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    HIGH,
    INVALID_FROM,
    INVALID_TO,
    KIND,
    SIGNED,
    STANDARD_IDS,
    UNSIGNED,
    Conditions,
    Plans,
    Routing,
    Signals,
    Tables,
)

# Bytes of a frame; messages that ISO-TP carries may declare more.
LONGEST = 64
_UNBOUNDED = (float("-inf"), float("inf"))
# A selector with more values than this is compared, not tabulated: tables stay small whatever a
# database declares.
TABULATED = 256


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A compiled set of signals. groups: how many sample groups `decode` returns."""

    groups: int
    tables: Tables


@dataclass(frozen=True, slots=True)
class Target:
    """Where one signal of a message goes."""

    signal: str
    group: int
    column: int
    binding: Binding | None = None


def compile_mapping(databases: Sequence[Database], mapping: Mapping) -> Layout:
    """Layout of the canonical roles; group = Role.group, index = Role.column.

    Raises ValueError when a binding names a message or signal that no database has.
    """
    messages = {m.name: m for d in reversed(databases) for m in reversed(d.messages)}
    targets: dict[str, list[Target]] = {}
    packs = 1
    for binding in mapping.bindings:
        if binding.message not in messages:
            raise ValueError(
                f"{mapping.protocol}: no database has the message {binding.message} of the mapping "
                f"to {binding.role}; load the database that has it or correct the name"
            )
        packs = max(packs, binding.role.pack)
        target = Target(binding.signal, binding.role.group, binding.role.column, binding)
        targets.setdefault(binding.message, []).append(target)
    chosen = [(messages[name], listed) for name, listed in targets.items()]
    return _compile(chosen, packs * len(KINDS))


def compile_messages(messages: Sequence[Message]) -> Layout:
    """Layout of every signal: group = place of the message in `messages`, index = of the signal."""
    chosen = []
    for group, message in enumerate(messages):
        listed = [Target(s.name, group, column) for column, s in enumerate(message.signals)]
        chosen.append((message, listed))
    return _compile(chosen, len(messages))


_AS_IT_IS = Binding("", "", Role("pack", field="voltage"))


@dataclass(slots=True)
class _Rows:
    """Tables while they grow."""

    plans: list[tuple[int, ...]] = field(default_factory=list)
    mux_value: list[int] = field(default_factory=list)
    mux_lists: list[tuple[int, int]] = field(default_factory=list)
    lists: list[tuple[int, ...]] = field(default_factory=list)
    entries: list[tuple[int, ...]] = field(default_factory=list)
    scales: list[tuple[float, ...]] = field(default_factory=list)
    fields: list[tuple[int, ...]] = field(default_factory=list)
    field_scales: list[tuple[float, ...]] = field(default_factory=list)
    checks: list[tuple[int, ...]] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    invalid: list[int] = field(default_factory=list)


def _compile(chosen: Sequence[tuple[Message, list[Target]]], groups: int) -> Layout:
    rows = _Rows()
    for message, targets in chosen:
        _add_plan(rows, message, targets)
    standard, sets, routes = _route([message for message, _ in chosen])
    routing = Routing(
        standard,
        np.array([mask for mask, _ in sets], np.int64),
        np.cumsum([0] + [len(ids) for _, ids in sets], dtype=np.int32),
        np.array([i for _, ids in sets for i, _ in ids], np.int64),
        np.array([route for _, ids in sets for _, route in ids], np.int32),
    )
    plans = Plans(
        np.cumsum([0] + [len(plans) for plans in routes], dtype=np.int32),
        np.array([plan for plans in routes for plan in plans], np.int32),
        np.array([_only_list(rows, plans) for plans in routes], np.int32),
        np.array(rows.plans, np.int32).reshape(-1, 5),
        np.array(rows.mux_value, np.int64),
        np.array(rows.mux_lists, np.int32).reshape(-1, 2),
        np.array(rows.lists, np.int32).reshape(-1, 5),
    )
    signals = Signals(
        np.array(rows.entries, np.int32).reshape(-1, ENTRY_WIDTH),
        np.array(rows.scales, np.float64).reshape(-1, HIGH + 1),
        np.array(rows.fields, np.int32).reshape(-1, INVALID_TO + 1),
        np.array(rows.field_scales, np.float64).reshape(-1, ADD + 1),
    )
    conditions = Conditions(
        np.array(rows.checks, np.int32).reshape(-1, 3),
        np.array(rows.ranges, np.int64).reshape(-1, 2),
        np.array(rows.invalid, np.uint64),
    )
    tables = Tables(routing, plans, signals, conditions)
    return Layout(groups, tables)


def _only_list(rows: _Rows, plans: tuple[int, ...]) -> int:
    """The list that a frame of this route has whatever it holds, if there is no more to it."""
    first, last, selector, _, _ = rows.plans[plans[0]]
    if len(plans) > 1 or selector >= 0 or last != first + 1:
        return -1
    checks_from, checks_to = rows.lists[first][3:]
    return first if checks_from == checks_to else -1


_Sets = list[tuple[int, list[tuple[int, int]]]]


def _route(messages: Sequence[Message]) -> tuple[NDArray[np.int32], _Sets, list[tuple[int, ...]]]:
    """Route per standard id, sets of extended ids, and the plans of each route."""
    numbers: dict[tuple[int, ...], int] = {}
    short: dict[int, list[int]] = {}
    wide: dict[int, dict[int, list[int]]] = {}
    for plan, message in enumerate(messages):
        if message.extended:
            mask = message.id_mask & EXTENDED_MASK
            wide.setdefault(mask, {}).setdefault(message.id & mask, []).append(plan)
        else:
            for frame_id in _standard_ids(message):
                short.setdefault(frame_id, []).append(plan)
    standard = np.full(STANDARD_IDS, -1, np.int32)
    for frame_id, plans in short.items():
        standard[frame_id] = numbers.setdefault(tuple(plans), len(numbers))
    sets = [
        (mask, [(i, numbers.setdefault(tuple(ids[i]), len(numbers))) for i in sorted(ids)])
        for mask, ids in wide.items()
    ]
    return standard, sets, list(numbers)


def _standard_ids(message: Message) -> list[int]:
    free = ~message.id_mask & (STANDARD_IDS - 1)
    if not free:
        return [message.id] if message.id < STANDARD_IDS else []
    return [i for i in range(STANDARD_IDS) if i & message.id_mask == message.id]


def _add_plan(rows: _Rows, message: Message, targets: Sequence[Target]) -> None:
    signals = {signal.name: signal for signal in message.signals}
    numbers: dict[tuple[str, int], int] = {}

    def number(name: str, bit: int = -1) -> int:
        if name not in signals:
            raise ValueError(f"message {message.name} has no signal {name}; correct the name")
        if (name, bit) not in numbers:
            signal = signals[name] if bit < 0 else bit_of(signals[name], bit)
            numbers[name, bit] = _add_field(rows, message, signal)
        return numbers[name, bit]

    conditions = {t: _conditions(signals, number, t.signal) for t in targets}
    primary = _primary(signals, conditions)
    fixed: list[tuple[Target, tuple[MuxCondition, ...]]] = []
    muxed: dict[int, list[tuple[Target, tuple[MuxCondition, ...]]]] = {}
    for target, all_of in conditions.items():
        first = next((c for c in all_of if c.selector == primary), None)
        if first is None or len(first.values) > TABULATED:
            fixed.append((target, all_of))
            continue
        rest = tuple(c for c in all_of if c is not first)
        for value in set(first.values):
            muxed.setdefault(value, []).append((target, rest))
    fixed_lists = _add_lists(rows, fixed, number)
    begin = len(rows.mux_value)
    for value in sorted(muxed):
        rows.mux_lists.append(_add_lists(rows, muxed[value], number))
        rows.mux_value.append(value)
    selector = number(primary) if muxed else -1
    rows.plans.append((*fixed_lists, selector, begin, len(rows.mux_value)))


def _conditions(
    signals: dict[str, Signal], number: Callable[..., int], name: str
) -> tuple[MuxCondition, ...]:
    """All conditions of a signal: its own and those of its multiplexers, outermost first."""
    number(name)  # raises for an unknown name
    found: list[MuxCondition] = []
    waiting = list(signals[name].mux)
    while waiting:
        condition = waiting.pop()
        if condition in found:
            continue
        number(condition.selector)
        found.append(condition)
        waiting.extend(signals[condition.selector].mux)
    return tuple(reversed(found))


def _primary(signals: dict[str, Signal], conditions: dict[Target, tuple[MuxCondition, ...]]) -> str:
    """The outermost multiplexer that most of the wanted signals depend on; "" if there is none."""
    votes: dict[str, int] = {}
    for all_of in conditions.values():
        for condition in all_of:
            if not signals[condition.selector].mux:
                votes[condition.selector] = votes.get(condition.selector, 0) + 1
    return max(votes, key=lambda name: votes[name], default="")


def _add_lists(
    rows: _Rows,
    listed: Sequence[tuple[Target, tuple[MuxCondition, ...]]],
    number: Callable[..., int],
) -> tuple[int, int]:
    """One list per group and per set of further multiplexers: a frame has all of it or nothing."""
    begin = len(rows.lists)
    alike: dict[tuple[int, tuple[MuxCondition, ...]], list[Target]] = {}
    for target, checks in listed:
        alike.setdefault((target.group, checks), []).append(target)
    for (group, checks), targets in alike.items():
        first_check, first_entry = len(rows.checks), len(rows.entries)
        for condition in checks:
            first = len(rows.ranges)
            rows.ranges.extend(_ranges(condition.values))
            rows.checks.append((number(condition.selector), first, len(rows.ranges)))
        for target in targets:
            _add_entry(rows, target, number)
        rows.lists.append((first_entry, len(rows.entries), group, first_check, len(rows.checks)))
    return begin, len(rows.lists)


def _add_entry(rows: _Rows, target: Target, number: Callable[..., int]) -> None:
    binding = target.binding or _AS_IT_IS
    at = number(target.signal, binding.bit)
    bits = rows.fields[at]
    index = binding.index
    special = (
        index is not None
        or bool(binding.count_signal or binding.flag)
        or (binding.factor, binding.shift) != (1.0, 0.0)
        or binding.valid != _UNBOUNDED
        or bits[INVALID_FROM] != bits[INVALID_TO]
        or bits[KIND] > SIGNED  # may be not-a-number
    )
    rows.entries.append(
        (
            *bits,
            target.column,
            number(index.signal) if index else -1,
            number(binding.count_signal) if binding.count_signal else -1,
            index.first if index else 0,
            index.stride if index else 0,
            index.position if index else 0,
            int(special),
            number(index.module) if index and index.module else -1,
            index.module_first if index else 0,
            index.module_stride if index else 0,
            number(binding.flag) if binding.flag else -1,
            binding.flag_good,
        )
    )
    rows.scales.append((*rows.field_scales[at], binding.factor, binding.shift, *binding.valid))


def _ranges(values: Sequence[int]) -> list[tuple[int, int]]:
    """Values as inclusive ranges, so that a condition on 0-65535 is one comparison."""
    found: list[tuple[int, int]] = []
    for value in sorted(set(values)):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def _add_field(rows: _Rows, message: Message, signal: Signal) -> int:
    place = f"{message.name}.{signal.name}"
    if not 1 <= signal.length <= 64:
        raise ValueError(f"{place}: a signal has 1 to 64 bits, not {signal.length}")
    if signal.is_float and signal.length not in _FLOATS:
        raise ValueError(f"{place}: a floating-point signal has 16, 32 or 64 bits")
    start = signal.start
    if not signal.little_endian:
        start = first_bit(signal)
    need = (start + signal.length + 7) // 8
    longest = max(LONGEST, message.length)
    if start < 0 or need > longest:
        raise ValueError(f"{place}: bit {signal.start} lies outside a frame of {longest} bytes")
    kind = _FLOATS[signal.length] if signal.is_float else (SIGNED if signal.signed else UNSIGNED)
    begin = len(rows.invalid)
    rows.invalid.extend(raw & ((1 << signal.length) - 1) for raw in signal.invalid)
    exact = _needs_integers(signal)
    unusual = exact or kind > SIGNED or (kind == UNSIGNED and signal.length == 64)
    word, offset = divmod(start, 64)
    beyond = offset + signal.length - 64
    if not signal.little_endian:
        offset = abs(beyond)
    rows.fields.append(
        (
            word,
            offset,
            signal.length,
            int(not signal.little_endian),
            int(beyond > 0),
            kind,
            int(unusual),
            int(exact),
            need,
            begin,
            len(rows.invalid),
        )
    )
    rows.field_scales.append((signal.scale, signal.offset))
    return len(rows.fields) - 1


_FLOATS = {16: FLOAT16, 32: FLOAT32, 64: FLOAT64}


def first_bit(signal: Signal) -> int:
    """Big endian: distance of the most significant bit from the start of the payload."""
    return 8 * (signal.start // 8) + 7 - signal.start % 8


def bit_of(signal: Signal, bit: int) -> Signal:
    """One bit of a signal as a signal, 0 the lowest. ValueError beyond its length."""
    if not 0 <= bit < signal.length:
        raise ValueError(f"{signal.name} has {signal.length} bits: there is no bit {bit}")
    start = signal.start + bit
    if not signal.little_endian:
        last = first_bit(signal) + signal.length - 1 - bit
        start = 8 * (last // 8) + 7 - last % 8
    return Signal(f"{signal.name}[{bit}]", start, 1, signal.little_endian, mux=signal.mux)


def _needs_integers(signal: Signal) -> bool:
    """Whether raw * scale + offset must be computed in integers to be exact.

    Two roundings (product, sum) differ from one where the product passes 2**53; integers are exact
    up to 2**63.
    """
    if signal.is_float or not (signal.scale.is_integer() and signal.offset.is_integer()):
        return False
    if signal.scale == 1.0 and signal.offset == 0.0:
        return False
    largest = abs(int(signal.scale)) * (1 << (signal.length - signal.signed)) + abs(
        int(signal.offset)
    )
    return 2**53 < largest < 2**63
