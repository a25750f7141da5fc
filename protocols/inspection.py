"""One frame read for people: every signal present with raw value, physical value and choice.

Plain Python integers and no numba: for a selected frame, and as a second reading in tests.
"""

import math
import struct
from dataclasses import dataclass

from protocols.layout import first_bit
from protocols.signals import Message, Signal

_FLOAT = {16: ">e", 32: ">f", 64: ">d"}


@dataclass(frozen=True, slots=True)
class Reading:
    """A signal in a frame.

    raw: the bits as an integer (two's complement for signed, the bit pattern for floats); value:
    physical, NaN where the raw value means unknown; choice: the text of the value, or "".
    """

    name: str
    raw: int
    value: float
    unit: str
    choice: str = ""


def decode_one(message: Message, data: bytes) -> list[Reading]:
    """The signals of one frame, in the message's order; those not in this frame left out."""
    signals = {signal.name: signal for signal in message.signals}
    return [_reading(s, data) for s in message.signals if _present(signals, s, data, ())]


def raw_bits(signal: Signal, data: bytes) -> int | None:
    """The raw integer of a signal, None if the frame is too short for it."""
    start = signal.start if signal.little_endian else first_bit(signal)
    if start + signal.length > 8 * len(data):
        return None
    if signal.little_endian:
        raw = int.from_bytes(data, "little") >> start
    else:
        raw = int.from_bytes(data, "big") >> (8 * len(data) - start - signal.length)
    raw &= (1 << signal.length) - 1
    if signal.signed and not signal.is_float and raw >> (signal.length - 1):
        raw -= 1 << signal.length
    return raw


def _present(
    signals: dict[str, Signal], signal: Signal, data: bytes, seen: tuple[str, ...]
) -> bool:
    if raw_bits(signal, data) is None or signal.name in seen:
        return False
    for condition in signal.mux:
        selector = signals[condition.selector]
        if not _present(signals, selector, data, (*seen, signal.name)):
            return False
        if raw_bits(selector, data) not in condition.values:
            return False
    return True


def _reading(signal: Signal, data: bytes) -> Reading:
    raw = raw_bits(signal, data)
    if raw is None:
        raise ValueError(f"{signal.name} lies beyond the frame")
    mask = (1 << signal.length) - 1
    unknown = any(raw & mask == invalid & mask for invalid in signal.invalid)
    value = math.nan if unknown else _physical(signal, raw)
    return Reading(signal.name, raw, value, signal.unit, signal.choices.get(raw, ""))


def _physical(signal: Signal, raw: int) -> float:
    if signal.is_float:
        pattern = raw.to_bytes(signal.length // 8, "big")
        number = float(struct.unpack(_FLOAT[signal.length], pattern)[0])
        return number * signal.scale + signal.offset
    if signal.scale.is_integer() and signal.offset.is_integer():
        return float(raw * int(signal.scale) + int(signal.offset))
    return raw * signal.scale + signal.offset
