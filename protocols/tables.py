"""The arrays between layout and kernel: what their columns mean. Constants and names only."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

UNSIGNED, SIGNED, FLOAT16, FLOAT32, FLOAT64 = range(5)
STANDARD_IDS = 0x800
EXTENDED_MASK = 0x1FFFFFFF

# Columns of a field (int32): where its bits are. A little-endian field is its 64-bit word shifted
# right by OFFSET; a big-endian one the same of the word with its bytes reversed. SPLIT fields lie
# across two words. NEED is the bytes that a frame must have. UNUSUAL fields are not integers of at
# most 63 bits, or EXACT: to be scaled in integers.
WORD, OFFSET, LENGTH, BIG, SPLIT, KIND, UNUSUAL, EXACT, NEED, INVALID_FROM, INVALID_TO = range(11)
# Further columns of an entry: where it goes. INDEX, COUNT, MODULE and FLAG are fields, -1 none;
# SPECIAL says that anything but scaling has to be done.
COLUMN, INDEX, COUNT, FIRST, STRIDE, POSITION, SPECIAL = range(11, 18)
MODULE, MODULE_FIRST, MODULE_STRIDE, FLAG, FLAG_GOOD = range(18, 23)
ENTRY_WIDTH = 23
# Columns of the numbers beside fields (the first two) and entries (float64).
SCALE, ADD, FACTOR, PLUS, LOW, HIGH = range(6)


class Routing(NamedTuple):
    """From identifier to route."""

    standard: NDArray[np.int32]  # route per 11-bit id, -1 none
    set_mask: NDArray[np.int64]  # 29-bit ids: one set per distinct mask
    set_start: NDArray[np.int32]
    set_id: NDArray[np.int64]  # ascending inside a set
    set_route: NDArray[np.int32]


class Plans(NamedTuple):
    """From route to plans, from plan and multiplexer to lists of entries."""

    route_start: NDArray[np.int32]
    route_plan: NDArray[np.int32]
    route_list: NDArray[np.int32]  # the list, where the whole route is nothing but one; else -1
    plans: NDArray[np.int32]  # span of lists always there, field of the multiplexer, its values
    mux_value: NDArray[np.int64]  # ascending inside a plan
    mux_lists: NDArray[np.int32]  # span of lists per value
    lists: NDArray[np.int32]  # span of entries, group, span of checks


class Signals(NamedTuple):
    """Entries and fields; see the column names above."""

    entries: NDArray[np.int32]
    scales: NDArray[np.float64]
    fields: NDArray[np.int32]
    field_scales: NDArray[np.float64]


class Conditions(NamedTuple):
    """Further multiplexers (field, span of ranges), inclusive ranges, invalid raw values."""

    checks: NDArray[np.int32]
    ranges: NDArray[np.int64]
    invalid: NDArray[np.uint64]


class Tables(NamedTuple):
    """The arrays that the kernel reads."""

    routing: Routing
    plans: Plans
    signals: Signals
    conditions: Conditions
