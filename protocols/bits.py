"""Bits into numbers, compiled: the scalar helpers of `protocols/kernel.py`.

Numba keeps compiled code per file: who changes this file or `protocols/tables.py` must touch
`protocols/kernel.py` as well, or its old code stays in the cache.
"""

from typing import Any

import numpy as np
from numba import njit

from protocols.tables import FLOAT16, FLOAT32, UNSIGNED


@njit(nogil=True, cache=True)
def swap(word: Any) -> Any:
    """The 64-bit word with its bytes in reverse order."""
    word = ((word & np.uint64(0x00FF00FF00FF00FF)) << np.uint64(8)) | (
        (word >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    )
    word = ((word & np.uint64(0x0000FFFF0000FFFF)) << np.uint64(16)) | (
        (word >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    )
    return (word << np.uint64(32)) | (word >> np.uint64(32))


@njit(nogil=True, cache=True)
def bits(low: Any, high: Any, offset: Any, length: Any, big: Any, split: Any) -> Any:
    """The raw bits of a field, right-aligned in 64.

    low: the word that it begins in; high: the next one for a SPLIT field (CAN FD only).
    """
    right = np.uint64(offset)
    turned = swap(low) if big else low
    raw = turned >> right
    if split:
        left = np.uint64(64) - right
        raw = (turned << right) | (swap(high) >> left) if big else raw | (high << left)
    return raw & (~np.uint64(0) >> np.uint64(64 - length))


@njit(nogil=True, cache=True)
def integer(raw: Any, length: Any, signed: Any) -> Any:
    """The raw bits as a number: two's complement if signed is 1, not if it is 0."""
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
def unusual(raw: Any, kind: Any, length: Any, exact: Any, scale: Any, add: Any) -> Any:
    """Physical value of a floating-point signal, of 64 unsigned bits, or beyond 2**53."""
    if exact:
        return np.float64(integer(raw, length, kind) * np.int64(scale) + np.int64(add))
    if kind == UNSIGNED:
        return np.float64(raw) * scale + add
    if kind == FLOAT16:
        return _half(raw) * scale + add
    if kind == FLOAT32:
        return np.float64(np.uint32(raw).view(np.float32)) * scale + add
    return np.uint64(raw).view(np.float64) * scale + add
