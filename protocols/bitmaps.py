"""Balancing as a bitmap: one number whose bits are cells, the lowest bit the first cell.

Only where names and widths leave no other reading: the number is about balancing and about nothing
else, has no choices, and there are just as many bits as the pack has cells, up to a whole word.
Frames have the last word: a bit beyond the last cell that is ever set refutes it.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from protocols.names import message_words, take_apart
from protocols.roles import Binding, Role
from protocols.signals import Database, Message, Signal

FEWEST_BITS = 4
MOST_BITS = 64
_NOT_BITS = re.split(
    r" ",
    "max min avg delta limit threshold command fault warning checksum machine history time cycle "
    "twelve count id voltage temperature current resistance power energy capacity soc total",
)
_Values = Callable[[str, str], NDArray[np.float64]]


def bitmap_bindings(
    databases: Sequence[Database], cells: int, values: _Values | None = None
) -> tuple[Binding, ...]:
    """A binding for every cell, or nothing. cells: how many the pack has. values(message, signal):
    physical values seen on the bus, empty where there were none."""
    listed = sorted(_numbers(databases), key=lambda item: (item[2], item[0].id, item[1].start))
    bits = sum(signal.length for _, signal, _ in listed)
    widest = max((signal.length for _, signal, _ in listed), default=0)
    each = _of_each(listed, cells, bits) if cells else -1
    spare = max(widest, 8) if each == 0 else 8 * len(listed)
    if each < 0 or not cells <= bits < cells + spare:
        return ()
    bindings = []
    number = 0
    for message, signal, _ in listed:
        mine = min(signal.length, each or signal.length, cells - number)
        if values is not None and _beyond(values(message.name, signal.name), mine):
            return ()
        for bit in range(mine):
            why = f"bit {bit} of {signal.name}"
            role = Role("balancing", number + bit + 1)
            bindings.append(
                Binding(message.name, signal.name, role, valid=(0.0, 1.0), why=why, bit=bit)
            )
        number += mine
    return tuple(bindings)


def _of_each(listed: Sequence[tuple[Message, Signal, object]], cells: int, bits: int) -> int:
    """Cells of each number where modules have one each and bits to spare; 0: they follow on from
    one another; -1 cannot be told."""
    messages = {message.name for message, _, _ in listed}
    if not listed:
        return -1
    if len(messages) == 1 or bits == cells:
        return 0
    each, rest = divmod(cells, len(listed))
    return each if not rest and all(signal.length >= each for _, signal, _ in listed) else -1


def _numbers(
    databases: Sequence[Database],
) -> Iterable[tuple[Message, Signal, tuple[int, ...]]]:
    """Signals that may be such a number, with the numbers of their names."""
    for database in databases:
        for message in database.all_messages:
            if message_words(message).has("machine", "history"):
                continue
            for signal in message.signals:
                name = take_apart(signal.name)
                if name.has("balancing") and not name.has(*_NOT_BITS) and _is_bits(signal):
                    yield message, signal, name.numbers


def _is_bits(signal: Signal) -> bool:
    plain = not (signal.signed or signal.is_float or signal.choices or signal.is_selector)
    unscaled = signal.scale == 1.0 and signal.offset == 0.0 and not signal.unit.strip()
    return plain and unscaled and FEWEST_BITS <= signal.length <= MOST_BITS and not signal.mux


def _beyond(seen: NDArray[np.float64], cells: int) -> bool:
    """Whether a bit beyond the last cell was ever set."""
    if cells >= MOST_BITS or not len(seen):
        return False
    return bool(np.any(seen >= 2.0 ** max(cells, 0)))
