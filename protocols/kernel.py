"""The compiled passes over frames: bits, numbers and their order.

Reads the tables of `protocols/layout.py`; `protocols/decode.py` is its only caller. First `route`
finds for every frame the lists of signals that it holds (counting, then noting frame and place),
then `extract` takes signal by signal: nothing then depends on the signal inside the loop, which is
what processors are quick at. Helpers of inner loops take scalars: numba counts references at every
call with arrays.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from protocols.bits import bits, integer, swap, unusual
from protocols.frames import ERROR, EXTENDED, REMOTE
from protocols.tables import (
    ADD,
    BIG,
    COLUMN,
    COUNT,
    EXACT,
    EXTENDED_MASK,
    FACTOR,
    FIRST,
    FLAG,
    FLAG_GOOD,
    HIGH,
    INDEX,
    INVALID_FROM,
    INVALID_TO,
    KIND,
    LENGTH,
    LOW,
    MODULE,
    MODULE_FIRST,
    MODULE_STRIDE,
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
    UNUSUAL,
    WORD,
)

# A number from a payload beyond this is no cell or probe: columns must not grow on a bad byte.
MAX_NUMBER = 2048
_SKIPPED = REMOTE | ERROR

_Ints = NDArray[np.int32]
_Words = NDArray[np.uint64]
# Unsigned, because numba tests a signed index for being negative at every access.
_Rows = NDArray[np.uint32]
_Places = NDArray[np.uint64]


@njit(nogil=True, cache=True)
def _whole(words: _Words, row: Any, size: Any, fields: _Ints, at: Any) -> Any:
    """Whether a multiplexer or index is in the frame, and its value as an integer."""
    if fields[at, NEED] > size:
        return False, np.int64(0)
    word, split = fields[at, WORD], fields[at, SPLIT]
    length = fields[at, LENGTH]
    low, high = words[row, word], words[row, word + split]
    raw = bits(low, high, fields[at, OFFSET], length, fields[at, BIG], split)
    return True, integer(raw, length, fields[at, KIND] == SIGNED)


@njit(nogil=True, cache=True)
def _selected(
    words: _Words,
    row: Any,
    size: Any,
    begin: Any,
    end: Any,
    fields: _Ints,
    checks: _Ints,
    ranges: NDArray[np.int64],
) -> Any:
    """Whether all further multiplexers of a list have a value that selects it."""
    for k in range(begin, end):
        there, value = _whole(words, row, size, fields, checks[k, 0])
        found = False
        for r in range(checks[k, 1], checks[k, 2]):
            if ranges[r, 0] <= value <= ranges[r, 1]:
                found = there
                break
        if not found:
            return False
    return True


@njit(nogil=True, cache=True)
def route(
    ids: NDArray[np.uint32],
    flags: NDArray[np.uint8],
    lengths: NDArray[np.uint16],
    words: _Words,
    tables: Any,
    fill: bool,
    hits: NDArray[np.int64],
    cursor: NDArray[np.int64],
    rows: _Rows,
    places: _Places,
) -> None:
    """Which lists each frame holds.

    Counting (fill False): hits[list] and cursor[group] rise. Filling: hits[list] is the next entry
    of `rows` and `places` for the list, cursor[group] the next place of the group's samples.
    """
    standard, set_mask, set_start, set_id, set_route = tables.routing
    route_start, route_plan, route_list, plans, mux_value, mux_lists, lists = tables.plans
    f = tables.signals.fields
    checks, ranges, _ = tables.conditions
    width = 8 * words.shape[1]
    for row in range(len(ids)):
        if flags[row] & _SKIPPED:
            continue
        frame_id = np.int64(ids[row])
        extended = flags[row] & EXTENDED
        for k in range(len(set_mask) if extended else 1):
            at = np.int64(-1)
            if not extended:
                if frame_id < STANDARD_IDS:
                    at = np.int64(standard[frame_id])
            else:
                wanted = frame_id & EXTENDED_MASK & set_mask[k]
                begin, end = np.int64(set_start[k]), np.int64(set_start[k + 1])
                stop = end
                while begin < end:
                    middle = (begin + end) >> 1
                    if set_id[middle] < wanted:
                        begin = middle + 1
                    else:
                        end = middle
                if begin < stop and set_id[begin] == wanted:
                    at = np.int64(set_route[begin])
            if at < 0:
                continue
            only = route_list[at]
            if only >= 0:
                next_hit = hits[only]
                hits[only] = next_hit + 1
                group = lists[only, 2]
                if fill:
                    rows[next_hit] = row
                    places[next_hit] = cursor[group]
                cursor[group] += lists[only, 1] - lists[only, 0]
                continue
            size = min(np.int64(lengths[row]), width)
            # Each plan has two spans of lists: always there, and selected by its multiplexer.
            for step in range(2 * route_start[at], 2 * route_start[at + 1]):
                plan = route_plan[step >> 1]
                begin, end = np.int64(plans[plan, 0]), np.int64(plans[plan, 1])
                if step & 1:
                    j = plans[plan, 2]
                    if j < 0 or f[j, NEED] > size:
                        continue
                    low, high = words[row, f[j, WORD]], words[row, f[j, WORD] + f[j, SPLIT]]
                    raw = bits(low, high, f[j, OFFSET], f[j, LENGTH], f[j, BIG], f[j, SPLIT])
                    wanted = integer(raw, f[j, LENGTH], f[j, KIND] == SIGNED)
                    begin, end = np.int64(plans[plan, 3]), np.int64(plans[plan, 4])
                    stop = end
                    while begin < end:
                        middle = (begin + end) >> 1
                        if mux_value[middle] < wanted:
                            begin = middle + 1
                        else:
                            end = middle
                    if begin == stop or mux_value[begin] != wanted:
                        continue
                    begin, end = np.int64(mux_lists[begin, 0]), np.int64(mux_lists[begin, 1])
                for listed in range(begin, end):
                    first, last = lists[listed, 3], lists[listed, 4]
                    if last > first and not _selected(
                        words, row, size, first, last, f, checks, ranges
                    ):
                        continue
                    next_hit = hits[listed]
                    hits[listed] = next_hit + 1
                    group = lists[listed, 2]
                    if fill:
                        rows[next_hit] = row
                        places[next_hit] = cursor[group]
                    cursor[group] += lists[listed, 1] - lists[listed, 0]


@njit(nogil=True, cache=True)
def _column(
    words: _Words,
    row: Any,
    size: Any,
    entries: _Ints,
    at: Any,
    fields: _Ints,
    field_scales: NDArray[np.float64],
    invalid: _Words,
) -> Any:
    """Column of an entry in this frame; -1 if its number is unknown or beyond the count."""
    column = np.int64(entries[at, COLUMN])
    index, count, module = entries[at, INDEX], entries[at, COUNT], entries[at, MODULE]
    if index >= 0:
        there, value = _whole(words, row, size, fields, index)
        mask = ~np.uint64(0) >> np.uint64(64 - fields[index, LENGTH])
        for k in range(fields[index, INVALID_FROM], fields[index, INVALID_TO]):
            there = there and invalid[k] != (np.uint64(value) & mask)
        column = (value - entries[at, FIRST]) * entries[at, STRIDE] + entries[at, POSITION]
        if not there or column < 0 or column >= MAX_NUMBER:
            return np.int64(-1)
        if module >= 0:
            there, value = _whole(words, row, size, fields, module)
            before = (value - entries[at, MODULE_FIRST]) * entries[at, MODULE_STRIDE]
            if not there or before < 0 or column + before >= MAX_NUMBER:
                return np.int64(-1)
            column += before
    if count >= 0:
        there, value = _whole(words, row, size, fields, count)
        most = value * field_scales[count, SCALE] + field_scales[count, ADD]
        if not there or column >= most:
            return np.int64(-1)
    return column


@njit(nogil=True, cache=True)
def _plain(
    words: _Words,
    rows: _Rows,
    places: _Places,
    times: NDArray[np.int64],
    entry: _Ints,
    scale: float,
    add: float,
    shift: Any,
    time: NDArray[np.int64],
    index: _Ints,
    value: NDArray[np.float64],
) -> None:
    """An integer of at most 63 bits in one word, always known: the loop that matters."""
    word, column, up = np.uint64(entry[WORD]), entry[COLUMN], np.uint64(shift)
    right = np.uint64(entry[OFFSET])
    mask = ~np.uint64(0) >> np.uint64(64 - entry[LENGTH])
    top = np.uint64(entry[KIND] == SIGNED) << np.uint64(entry[LENGTH] - 1)
    big = entry[BIG]
    for k in range(len(rows)):
        row = np.uint64(rows[k])
        place = places[k] + up
        raw = words[row, word]
        if big:
            raw = swap(raw)
        raw = (raw >> right) & mask
        time[place] = times[row]
        index[place] = column
        value[place] = np.float64(np.int64((raw ^ top) - top)) * scale + add


@njit(nogil=True, cache=True)
def _careful(
    words: _Words,
    rows: _Rows,
    places: _Places,
    times: NDArray[np.int64],
    lengths: NDArray[np.uint16],
    signals: Any,
    invalid: NDArray[np.uint64],
    at: int,
    shift: int,
    time: NDArray[np.int64],
    index: _Ints,
    value: NDArray[np.float64],
) -> int:
    """Any entry: short frames, floats, invalid values, ranges, numbers from the payload."""
    e, scales, fields, field_scales = signals
    width = 8 * words.shape[1]
    word, split, big = e[at, WORD], e[at, SPLIT], e[at, BIG]
    offset, length, kind, exact = e[at, OFFSET], e[at, LENGTH], e[at, KIND], e[at, EXACT]
    need, special, odd = e[at, NEED], e[at, SPECIAL], e[at, UNUSUAL]
    scale, add = scales[at, SCALE], scales[at, ADD]
    factor, plus = scales[at, FACTOR], scales[at, PLUS]
    least, most = scales[at, LOW], scales[at, HIGH]
    first_invalid, last_invalid = e[at, INVALID_FROM], e[at, INVALID_TO]
    numbered = e[at, INDEX] >= 0 or e[at, COUNT] >= 0
    flag, good = e[at, FLAG], np.int64(e[at, FLAG_GOOD])
    fixed = np.int64(e[at, COLUMN])
    unknown: Any = 0
    for k in range(len(rows)):
        row = np.uint64(rows[k])
        place = places[k] + np.uint64(shift)
        size = min(np.int64(lengths[row]), width)
        column = np.int64(-1)
        amount = np.nan
        if need <= size:
            low = words[row, word]
            high = words[row, word + 1] if split else low
            raw = bits(low, high, offset, length, big, split)
            if odd:
                amount = unusual(raw, kind, length, exact, scale, add)
            else:
                amount = np.float64(integer(raw, length, kind)) * scale + add
            column = fixed
            if special:
                amount = amount * factor + plus
                known = least <= amount <= most
                for i in range(first_invalid, last_invalid):
                    known = known and invalid[i] != raw
                if known and flag >= 0:
                    there, said = _whole(words, row, size, fields, flag)
                    known = there and said == good
                if known and numbered:
                    column = _column(words, row, size, e, at, fields, field_scales, invalid)
                if not known:
                    column = np.int64(-1)
        unknown += column < 0
        time[place] = times[row]
        index[place] = column
        value[place] = amount
    return int(unknown)


@njit(nogil=True, cache=True)
def extract(
    times: NDArray[np.int64],
    lengths: NDArray[np.uint16],
    words: _Words,
    tables: Any,
    hits: NDArray[np.int64],
    rows: _Rows,
    places: _Places,
    time: NDArray[np.int64],
    index: _Ints,
    value: NDArray[np.float64],
) -> int:
    """Write the samples of every list; those unknown get index -1 and are counted.

    hits: span of `rows` and `places` per list (lists + 1).
    """
    lists = tables.plans.lists
    e, scales = tables.signals.entries, tables.signals.scales
    invalid = tables.conditions.invalid
    unknown: Any = 0
    width = 8 * words.shape[1]
    for listed in range(len(lists)):
        mine = rows[hits[listed] : hits[listed + 1]]
        there = places[hits[listed] : hits[listed + 1]]
        shortest: Any = np.int64(width)
        for k in range(len(mine)):
            shortest = min(shortest, np.int64(lengths[mine[k]]))
        for at in range(lists[listed, 0], lists[listed, 1]):
            shift = at - lists[listed, 0]
            usual = not (e[at, SPECIAL] or e[at, UNUSUAL] or e[at, SPLIT])
            if usual and e[at, NEED] <= shortest:
                _plain(
                    words,
                    mine,
                    there,
                    times,
                    e[at],
                    scales[at, SCALE],
                    scales[at, ADD],
                    shift,
                    time,
                    index,
                    value,
                )
            else:
                unknown += _careful(
                    words,
                    mine,
                    there,
                    times,
                    lengths,
                    tables.signals,
                    invalid,
                    at,
                    shift,
                    time,
                    index,
                    value,
                )
    return int(unknown)
