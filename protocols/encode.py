"""Values into payload bytes: the opposite of decoding, for the simulator and for tests.

Plain integers, one message at a time. Nothing here knows when or to whom a frame is sent.
"""

import math
import struct
from collections.abc import Callable, Mapping

from protocols.layout import first_bit
from protocols.signals import Message, Signal

_FLOAT = {16: ">e", 32: ">f", 64: ">d"}


def encode(message: Message, values: Mapping[str, float], length: int | None = None) -> bytes:
    """The payload of `message` with these physical values.

    A signal that is not named, or is NaN, gets its first `invalid` raw value, else 0. Values beyond
    the signal's width saturate. Multiplexers may be left out where a named signal implies them.
    length: bytes to keep, for protocols that send a shorter last frame (default: all).
    Raises KeyError for a name that the message does not have, ValueError for signals that cannot
    be in one frame together.
    """
    return encoder(message)(values, length)


def encoder(message: Message) -> Callable[[Mapping[str, float], int | None], bytes]:
    """`encode` for one message, prepared once: for senders of thousands of frames a second."""
    signals = {signal.name: signal for signal in message.signals}
    plain = tuple(signal for signal in message.signals if not signal.mux)
    present: dict[tuple[tuple[str, int], ...], tuple[Signal, ...]] = {}

    def run(values: Mapping[str, float], length: int | None = None) -> bytes:
        selected = _selectors(message, signals, values)
        if selected not in present:
            present[selected] = plain + _multiplexed(message, dict(selected))
        little = big = 0
        chosen = present[selected]
        _refuse_absent(message, chosen, signals, values)
        given = dict(selected)
        for signal in chosen:
            raw = given.get(signal.name)
            if raw is None:
                raw = raw_of(signal, values.get(signal.name, math.nan))
            bits = raw & ((1 << signal.length) - 1)
            if signal.little_endian:
                little |= bits << signal.start
            else:
                big |= bits << (8 * message.length - first_bit(signal) - signal.length)
        payload = little.to_bytes(message.length, "little")
        if big:
            both = int.from_bytes(payload, "big") | big
            payload = both.to_bytes(message.length, "big")
        return payload if length is None else payload[:length]

    return run


def raw_of(signal: Signal, value: float) -> int:
    """The raw integer (for a float signal: its bit pattern) of a physical value, saturated."""
    if math.isnan(value) and not signal.is_float:
        return signal.invalid[0] if signal.invalid else 0
    exact = (value - signal.offset) / signal.scale
    if signal.is_float:
        return int.from_bytes(struct.pack(_FLOAT[signal.length], exact), "big")
    low = -(1 << (signal.length - 1)) if signal.signed else 0
    high = (1 << (signal.length - signal.signed)) - 1
    if math.isinf(exact):
        return high if exact > 0 else low
    return min(max(round(exact), low), high)


def _selectors(
    message: Message, signals: dict[str, Signal], values: Mapping[str, float]
) -> tuple[tuple[str, int], ...]:
    """Raw value of every multiplexer, given or implied by a named signal's conditions."""
    found: dict[str, int] = {}
    for name in values:
        if name not in signals:
            raise KeyError(f"message {message.name} has no signal {name}")
        if signals[name].is_selector:
            found[name] = raw_of(signals[name], values[name])
    for name in values:
        for condition in signals[name].mux:
            found.setdefault(condition.selector, condition.values[0])
    return tuple(sorted(found.items()))


def _multiplexed(message: Message, selected: dict[str, int]) -> tuple[Signal, ...]:
    return tuple(
        signal
        for signal in message.signals
        if signal.mux and all(selected.get(c.selector) in c.values for c in signal.mux)
    )


def _refuse_absent(
    message: Message,
    chosen: tuple[Signal, ...],
    signals: dict[str, Signal],
    values: Mapping[str, float],
) -> None:
    if all(not signals[name].mux for name in values):
        return
    names = {signal.name for signal in chosen}
    for name in values:
        if name not in names:
            raise ValueError(f"{message.name}: {name} is not in the same frame as the others")
