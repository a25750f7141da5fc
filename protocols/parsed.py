"""What cantools read into our words: messages, signals, and what a transport carries.

One conversion for DBC, KCD, SYM and ARXML. A message longer than a frame becomes a transfer: ISO-TP
where a multiplexer begins it (a service and its identifier) or its identifier is 11 bits long, else
J1939. Nothing is read from files here (see `protocols/dbc.py`).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from protocols.layout import first_bit
from protocols.scripts import unspelt
from protocols.signals import ANY_PRIORITY, Message, MuxCondition, Signal, Transfer

MAX_FRAME_BYTES = 64
MAX_SIGNAL_BITS = 64
_MAX_BIT = 1 << 20
_FD_SIZES = (12, 16, 20, 24, 32, 48, 64)
# Normal fixed addressing of diagnosis on 29 bits.
_DIAGNOSTIC_FORMATS = (0xDA, 0xDB, 0xCD, 0xCE)
_UNKNOWN_CHOICE = re.compile(
    r"^(sna|n/?a|not[ _]?avail(able)?|invalid( value)?|unknown|undefined"
    r"|signal[ _]not[ _]available|init(ialisation|ialization)?)$",
    re.IGNORECASE,
)
_SNA_NAME = re.compile(r"(?i)sna$|invalid_?(value)?$|not_?available$")
_HEX = re.compile(r"(?i)0x([0-9a-f]{1,16})|([0-9a-f]{1,16})h")


def converted(messages: Sequence[Any], notes: list[str]) -> tuple[list[Message], list[Transfer]]:
    """Messages and transfers; what had to be left out is added to `notes`."""
    plain: list[Message] = []
    carried: list[Transfer] = []
    found: dict[str, list[str]] = {}
    containers = [p.name for p in messages if getattr(p, "is_container", False)]
    if containers:
        more = f" and {len(containers) - 1} more" if len(containers) > 1 else ""
        notes.append(
            f"container frames left out, whose parts lie anywhere in them: {containers[0]}{more}"
        )
    for parsed in messages:
        if parsed.name in containers:
            continue
        message = _message(parsed, notes)
        for defect, place in _defects(parsed, message):
            found.setdefault(defect, []).append(place)
        if _fits_a_frame(parsed):
            plain.append(_of_any_sender(message) if parsed.protocol == "j1939" else message)
        elif _by_isotp(message):
            carried.append(Transfer(message, b""))
        else:
            carried.append(Transfer(_of_any_sender(message), b"", transport="j1939"))
    for defect, places in found.items():
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        notes.append(f"{defect}: {places[0]}{more}")
    return plain, carried


def _defects(parsed: Any, message: Message) -> Iterator[tuple[str, str]]:
    """What a strict parser would refuse, and where; read as it stands."""
    names = Counter(unspelt(item.name) for item in parsed.signals)
    for name in (name for name, times in names.items() if times > 1):
        yield "names that occur twice in a message numbered", f"{message.name}.{name}"
    taken: dict[tuple[MuxCondition, ...], dict[int, str]] = {}
    for signal in message.signals:
        place = f"{message.name}.{signal.name}"
        if _last_byte(signal) > message.length:
            yield "signals beyond the length of their message kept", place
        mine = taken.setdefault(signal.mux, {})
        bits = _bits(signal)
        if (other := next((mine[bit] for bit in bits if bit in mine), "")) and signal.mux == ():
            yield "signals that share bits kept", f"{place} with {other}"
        mine.update(dict.fromkeys(bits, signal.name))


def _bits(signal: Signal) -> list[int]:
    """Bits of the payload, 8 * byte + bit."""
    if signal.little_endian:
        return list(range(signal.start, signal.start + signal.length))
    first = first_bit(signal)
    return [8 * (n // 8) + 7 - n % 8 for n in range(first, first + signal.length)]


def _fits_a_frame(parsed: Any) -> bool:
    return bool(parsed.length <= 8 or parsed.is_fd or parsed.length in _FD_SIZES)


def _by_isotp(message: Message) -> bool:
    if not message.extended or (message.id >> 16) & 0xFF in _DIAGNOSTIC_FORMATS:
        return True
    return any(s.is_selector and s.start <= 7 for s in message.signals)


def _of_any_sender(message: Message) -> Message:
    """A J1939 message: its priority does not matter, nor an address that stands for "any"."""
    if not message.extended:
        return message
    mask, receiver = ANY_PRIORITY, (message.id >> 8) & 0xFF
    if message.id & 0xFF >= 0xFE:
        mask &= ~0xFF
    if (message.id >> 16) & 0xFF < 0xF0 and receiver >= 0xFE:
        mask &= ~0xFF00
    return replace(message, id=message.id & mask, id_mask=mask)


def _message(parsed: Any, notes: list[str]) -> Message:
    signals: list[Signal] = []
    taken: set[str] = set()
    for item in parsed.signals:
        signal = _signal(item, taken)
        if not (math.isfinite(signal.scale) and math.isfinite(signal.offset)):
            notes.append(f"{unspelt(parsed.name)}.{signal.name} left out: its scale is no number")
        elif not 0 < signal.length <= MAX_SIGNAL_BITS or not 0 <= signal.start < _MAX_BIT:
            notes.append(f"{unspelt(parsed.name)}.{signal.name} left out: it has no place")
        elif _last_byte(signal) > (most := max(MAX_FRAME_BYTES, parsed.length)):
            notes.append(f"{unspelt(parsed.name)}.{signal.name} left out: beyond {most} bytes")
        else:
            signals.append(signal)
    return Message(
        unspelt(parsed.name),
        parsed.frame_id,
        parsed.length,
        tuple(_without_lost_selectors(signals)),
        extended=parsed.is_extended_frame,
        comment=parsed.comment or "",
    )


def _signal(item: Any, taken: set[str]) -> Signal:
    choices = {int(raw): str(text) for raw, text in (item.choices or {}).items()}
    mux: tuple[MuxCondition, ...] = ()
    if item.multiplexer_ids is not None and item.multiplexer_signal:
        mux = (MuxCondition(unspelt(item.multiplexer_signal), tuple(item.multiplexer_ids)),)
    return Signal(
        free_name(unspelt(item.name), taken),
        item.start,
        item.length,
        little_endian=item.byte_order == "little_endian",
        signed=item.is_signed,
        is_float=item.is_float,
        scale=float(item.scale),
        offset=float(item.offset),
        unit=item.unit or "",
        minimum=None if item.minimum is None else float(item.minimum),
        maximum=None if item.maximum is None else float(item.maximum),
        is_selector=item.is_multiplexer,
        mux=mux,
        choices=choices,
        invalid=(*_invalid(item.length, choices), *_not_available(item)),
        comment=item.comment or "",
    )


def _invalid(length: int, choices: dict[int, str]) -> tuple[int, ...]:
    """Raw values that the database itself calls unknown; in flags such words are a state."""
    if length < 8:
        return ()
    return tuple(raw for raw, text in choices.items() if _UNKNOWN_CHOICE.match(text.strip()))


def _not_available(item: Any) -> tuple[int, ...]:
    """The raw value that a car maker's attribute (GenSigSNA "FFFh") calls not available."""
    attributes = getattr(item.dbc, "attributes", None) or {}
    found = []
    for name, attribute in attributes.items():
        if not _SNA_NAME.search(str(name)) or item.length < 8:
            continue
        text = str(attribute.value).strip()
        match = _HEX.fullmatch(text)
        if match:
            found.append(int(match[1] or match[2], 16) & ((1 << item.length) - 1))
        elif text.isdigit() and len(text) < 20:
            found.append(int(text))
    return tuple(found)


def free_name(name: str, taken: set[str]) -> str:
    """A name not yet used in the message: some tools export `Blank` many times."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free


def _last_byte(signal: Signal) -> int:
    start = signal.start
    if not signal.little_endian:
        start = 8 * (start // 8) + 7 - start % 8
    return (start + signal.length + 7) // 8


def _without_lost_selectors(signals: Iterable[Signal]) -> Iterable[Signal]:
    """Signals whose multiplexer was left out cannot be told apart: they go too."""
    kept = list(signals)
    names = {signal.name for signal in kept}
    return [s for s in kept if all(condition.selector in names for condition in s.mux)]
