"""The compiled pass over frames: bits, numbers and their order.

Reads the tables of `protocols/layout.py`; `protocols/decode.py` is its only caller. What signals
mean is decided before; no Python object passes through here. The hot path is one function without
calls that take tuples of arrays: numba counts references of each array at every such call.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from protocols.frames import ERROR, EXTENDED, REMOTE
from protocols.layout import (
    ADD,
    BIG,
    CHECK_FROM,
    CHECK_TO,
    COLUMN,
    COUNT,
    EXACT,
    EXTENDED_MASK,
    FACTOR,
    FIRST,
    FLOAT16,
    FLOAT32,
    GROUP,
    HIGH,
    INDEX,
    INVALID_FROM,
    INVALID_TO,
    KIND,
    LENGTH,
    LOW,
    NEED,
    OFFSET,
    PLUS,
    POSITION,
    SCALE,
    SIGNED,
    SPECIAL,
    SPLIT,
    STANDARD_IDS,
    STRIDE,
    UNSIGNED,
    UNUSUAL,
    WORD,
)

# A number from a payload beyond this is no cell or probe: columns must not grow on a bad byte.
MAX_NUMBER = 2048
_SKIPPED = REMOTE | ERROR

_Ints = NDArray[np.int32]
_Words = NDArray[np.uint64]


@njit(nogil=True, cache=True, inline="always")
def _swap(word: Any) -> Any:
    """The 64-bit word with its bytes in reverse order."""
    word = ((word & np.uint64(0x00FF00FF00FF00FF)) << np.uint64(8)) | (
        (word >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    )
    word = ((word & np.uint64(0x0000FFFF0000FFFF)) << np.uint64(16)) | (
        (word >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    )
    return (word << np.uint64(32)) | (word >> np.uint64(32))


@njit(nogil=True, cache=True)
def _joined(low: Any, high: Any, offset: Any, big: int) -> Any:
    """The bits of a field that lies across two words (CAN FD only), not yet masked."""
    rest = np.uint64(64) - offset
    if big:
        return (_swap(low) << offset) | (_swap(high) >> rest)
    return (low >> offset) | (high << rest)


@njit(nogil=True, cache=True, inline="always")
def _bits(words: _Words, row: int, rows: _Ints, at: int) -> Any:
    """The raw bits of rows[at], right-aligned in 64. No branch that depends on the signal."""
    word = rows[at, WORD]
    low = words[row, word]
    turned = _swap(low)
    offset = np.uint64(rows[at, OFFSET])
    raw = (turned if rows[at, BIG] else low) >> offset
    if rows[at, SPLIT]:
        raw = _joined(low, words[row, word + 1], offset, rows[at, BIG])
    return raw & (~np.uint64(0) >> np.uint64(64 - rows[at, LENGTH]))


@njit(nogil=True, cache=True, inline="always")
def _integer(raw: Any, length: int, signed: int) -> Any:
    """The raw bits as a number: two's complement if signed."""
    top = np.uint64(signed) << np.uint64(length - 1)
    return np.int64((raw ^ top) - top)


@njit(nogil=True, cache=True)
def _half(raw: Any) -> Any:
    """IEEE 754 half precision."""
    sign = -1.0 if raw & np.uint64(0x8000) else 1.0
    exponent = np.int64((raw >> np.uint64(10)) & np.uint64(31))
    fraction = np.float64(raw & np.uint64(0x3FF))
    if exponent == 31:
        return sign * np.inf if fraction == 0.0 else np.nan
    if exponent == 0:
        return sign * fraction * 2.0**-24
    return sign * (1.0 + fraction / 1024.0) * 2.0 ** float(exponent - 15)


@njit(nogil=True, cache=True)
def _unusual(raw: Any, kind: int, length: int, exact: int, scale: float, offset: float) -> Any:
    """Physical value of a floating-point signal, or of integers beyond 2**53."""
    if exact:
        whole = _integer(raw, length, kind == SIGNED)
        return np.float64(whole * np.int64(scale) + np.int64(offset))
    if kind == UNSIGNED:
        return np.float64(raw) * scale + offset
    if kind == FLOAT16:
        return _half(raw) * scale + offset
    if kind == FLOAT32:
        return np.float64(np.uint32(raw).view(np.float32)) * scale + offset
    return np.uint64(raw).view(np.float64) * scale + offset


@njit(nogil=True, cache=True, inline="always")
def _physical(raw: Any, rows: _Ints, scales: NDArray[np.float64], at: int) -> Any:
    """raw * scale + offset as float64."""
    scale, shift = scales[at, SCALE], scales[at, ADD]
    if rows[at, UNUSUAL]:
        kind, exact = rows[at, KIND], rows[at, EXACT]
        return _unusual(raw, kind, rows[at, LENGTH], exact, scale, shift)
    return np.float64(_integer(raw, rows[at, LENGTH], rows[at, KIND])) * scale + shift


@njit(nogil=True, cache=True, inline="always")
def _whole(words: _Words, row: int, rows: _Ints, at: int) -> Any:
    """A multiplexer or index as an integer."""
    return _integer(_bits(words, row, rows, at), rows[at, LENGTH], rows[at, KIND] == SIGNED)


@njit(nogil=True, cache=True)
def _known(raw: Any, rows: _Ints, at: int, invalid: _Words) -> bool:
    """Whether the raw value is not one of those that mean "unknown"."""
    for k in range(rows[at, INVALID_FROM], rows[at, INVALID_TO]):  # noqa: SIM110 (numba)
        if invalid[k] == raw:
            return False
    return True


@njit(nogil=True, cache=True)
def _selected(
    words: _Words,
    row: int,
    size: int,
    begin: int,
    end: int,
    fields: _Ints,
    checks: _Ints,
    ranges: NDArray[np.int64],
) -> bool:
    """Whether all further multiplexers have a value that selects the entry."""
    for k in range(begin, end):
        field = checks[k, 0]
        if fields[field, NEED] > size:
            return False
        value = _whole(words, row, fields, field)
        found = False
        for r in range(checks[k, 1], checks[k, 2]):
            if ranges[r, 0] <= value <= ranges[r, 1]:
                found = True
                break
        if not found:
            return False
    return True


@njit(nogil=True, cache=True)
def _column(
    words: _Words,
    row: int,
    size: int,
    entries: _Ints,
    at: int,
    fields: _Ints,
    field_scales: NDArray[np.float64],
    invalid: _Words,
) -> Any:
    """Column of an entry in this frame; -1 if its number is unknown or beyond the count."""
    column = np.int64(entries[at, COLUMN])
    index = entries[at, INDEX]
    if index >= 0:
        if fields[index, NEED] > size:
            return np.int64(-1)
        if not _known(_bits(words, row, fields, index), fields, index, invalid):
            return np.int64(-1)
        counted = _whole(words, row, fields, index) - entries[at, FIRST]
        column = counted * entries[at, STRIDE] + entries[at, POSITION]
        if column < 0 or column >= MAX_NUMBER:
            return np.int64(-1)
    count = entries[at, COUNT]
    if count >= 0:
        if fields[count, NEED] > size:
            return np.int64(-1)
        raw = _bits(words, row, fields, count)
        if column >= _physical(raw, fields, field_scales, count):
            return np.int64(-1)
    return column


@njit(nogil=True, cache=True, inline="always")
def _find(values: NDArray[np.int64], start: int, stop: int, wanted: int) -> Any:
    """Position of `wanted` in the ascending values[start:stop], or -1."""
    end = stop
    while start < stop:
        middle = (start + stop) >> 1
        if values[middle] < wanted:
            start = middle + 1
        else:
            stop = middle
    return start if start < end and values[start] == wanted else -1


@njit(nogil=True, cache=True)
def scan(
    times: NDArray[np.int64],
    ids: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    lengths: NDArray[np.uint8],
    words: _Words,
    tables: Any,
    fill: bool,
    seen: NDArray[np.int64],
    cursor: NDArray[np.int64],
    time: NDArray[np.int64],
    index: _Ints,
    value: NDArray[np.float64],
) -> None:
    """One pass: count samples per group into `cursor`, or write them from `cursor` on."""
    standard, set_mask, set_start, set_id, set_route = tables.routing
    route_start, route_plan, plans, mux_value, mux_list, lists = tables.plans
    entries, scales, fields, field_scales = tables.signals
    checks, ranges, invalid = tables.conditions
    width = 8 * words.shape[1]
    for row in range(len(ids)):
        if flags[row] & _SKIPPED:
            continue
        size = min(np.int64(lengths[row]), width)
        frame_id = np.int64(ids[row])
        extended = flags[row] & EXTENDED
        for k in range(len(set_mask) if extended else 1):
            route = np.int64(-1)
            if extended:
                wanted = frame_id & EXTENDED_MASK & set_mask[k]
                found = _find(set_id, set_start[k], set_start[k + 1], wanted)
                if found >= 0:
                    route = np.int64(set_route[found])
            elif frame_id < STANDARD_IDS:
                route = np.int64(standard[frame_id])
            if route < 0:
                continue
            # Each plan has two lists: what is always there, and what its multiplexer selects.
            for step in range(2 * route_start[route], 2 * route_start[route + 1]):
                plan = route_plan[step >> 1]
                listed = np.int64(plans[plan, 0])
                if step & 1:
                    selector = plans[plan, 1]
                    if selector < 0 or fields[selector, NEED] > size:
                        continue
                    wanted = _whole(words, row, fields, selector)
                    found = _find(mux_value, plans[plan, 2], plans[plan, 3], wanted)
                    if found < 0:
                        continue
                    listed = np.int64(mux_list[found])
                if not fill and 0 <= lists[listed, 2] <= size:
                    seen[listed] += 1
                    continue
                for at in range(lists[listed, 0], lists[listed, 1]):
                    if entries[at, NEED] > size:
                        continue
                    begin, end = entries[at, CHECK_FROM], entries[at, CHECK_TO]
                    if end > begin and not _selected(
                        words, row, size, begin, end, fields, checks, ranges
                    ):
                        continue
                    raw = _bits(words, row, entries, at)
                    amount = _physical(raw, entries, scales, at)
                    column: Any = np.int64(entries[at, COLUMN])
                    if entries[at, SPECIAL]:
                        if not _known(raw, entries, at, invalid):
                            continue
                        amount = amount * scales[at, FACTOR] + scales[at, PLUS]
                        if not (scales[at, LOW] <= amount <= scales[at, HIGH]):
                            continue
                        column = _column(
                            words, row, size, entries, at, fields, field_scales, invalid
                        )
                        if column < 0:
                            continue
                    place = cursor[entries[at, GROUP]]
                    cursor[entries[at, GROUP]] = place + 1
                    if fill:
                        time[place] = times[row]
                        index[place] = column
                        value[place] = amount
    if not fill:
        for whole in range(len(seen)):
            for entry in range(lists[whole, 0], lists[whole, 1]):
                cursor[entries[entry, GROUP]] += seen[whole]
