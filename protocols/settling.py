"""What only frames tell of numbers in the payload: where they begin, how many cells a module has.

Too short a stretch settles nothing: then the start is that of the database and said to be
unverified, and modules of unknown size are no cells at all. Loads numba (by decoding).
"""

from dataclasses import replace
from math import gcd
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from protocols.family import Family
from protocols.indexed import with_index

if TYPE_CHECKING:
    from protocols.evidence import Bus

# Every place must have been heard this often before the places heard are taken for all.
_ROUNDS = 2


def learn_index(bus: "Bus", family: Family) -> Family:
    """Start (0 or 1) and stride of the number in the payload, from the values that occur."""
    index = family.bindings[0].index
    if index is None:
        return family
    signals = {(b.message, b.index.signal) for b in family.bindings if b.index}
    values = [bus.values(message, signal) for message, signal in sorted(signals)]
    seen, counts = np.unique(np.concatenate(values).astype(np.int64), return_counts=True)
    if not len(seen):
        return family
    first = index.first
    if seen[0] == 0 or (seen[0] == 1 and _round(seen, counts)):
        first = int(seen[0])
    together = len({b.index.position for b in family.bindings if b.index})
    together = 1 if len(family.messages) > 1 else together
    stride = index.stride
    if together > 1 and len(seen) > 1 and not _counts_modules(family):
        step = 0
        for value in np.diff(seen).tolist():
            step = gcd(step, int(value))
        stride = 1 if step % together == 0 else together
    return with_index(family, first, stride)


def base_is_known(bus: "Bus", family: Family) -> bool:
    """Whether frames say where the number begins: a 0, or a 1 that came again without a 0."""
    index = family.bindings[0].index
    if index is None:
        return True
    values = bus.values(family.bindings[0].message, index.signal).astype(np.int64)
    seen, counts = np.unique(values, return_counts=True)
    return bool(len(seen)) and bool(seen[0] == 0 or (seen[0] == 1 and _round(seen, counts)))


def _round(seen: NDArray[np.int64], counts: NDArray[np.int64]) -> bool:
    """Whether the lowest number came again, so that a lower one would have come too."""
    return bool(len(seen) > 1 and counts[0] >= _ROUNDS)


def _counts_modules(family: Family) -> bool:
    """The number of a board: its cells have their places beside it, whatever its steps."""
    return "and its place" in family.bindings[0].why


def settle_modules(bus: "Bus", family: Family) -> Family | None:
    """The family with modules of the size that was heard; None while that is not known.

    Modules are alike: each has as many places as the fullest. Numbers of modules begin with the
    lowest that was heard where that is 0 or 1.
    """
    if not family.block:
        return family
    numbers, counts = bus.numbers(family)
    if not len(numbers) or float(np.median(counts)) < _ROUNDS or counts.min() < 1:
        return None
    modules, places = np.divmod(numbers - 1, family.block)
    heard = np.unique(modules)
    sizes = [len(np.unique(places[modules == module])) for module in heard]
    size = int(places.max()) + 1
    if min(sizes) < size and float(np.median(counts)) < 2 * _ROUNDS:
        return None  # some places may only be late
    begin = int(heard[0]) if heard[0] in (0, 1) else 0
    bindings = []
    for binding in family.bindings:
        index = binding.index
        if index is not None and index.module:
            index = replace(index, module_first=begin, module_stride=size)
        elif index is not None:
            module, place = divmod(index.position, family.block)
            index = replace(index, position=module * size + place)
        bindings.append(replace(binding, index=index))
    return replace(family, bindings=tuple(bindings), block=0)
