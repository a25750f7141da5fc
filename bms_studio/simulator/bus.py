"""Frames onto a simulated bus: messages that become due at some moment, one after another in time.

Knows identifiers, bytes and bit rates; no pack and no protocol.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.frames import EXTENDED, Frames

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """M frames of one identifier: due_ns int64[M] since the block began, data uint8[M, 8]."""

    id: int
    due_ns: NDArray[np.int64]
    data: Bytes
    length: NDArray[np.uint8]
    extended: bool = False


def due(
    identifier: int,
    due_ns: NDArray[np.int64],
    data: Bytes,
    extended: bool = False,
    length: NDArray[np.uint8] | None = None,
) -> Due:
    """Frames of `identifier`, 8 bytes long unless `length` uint8[M] says otherwise."""
    if length is None:
        length = np.full(len(due_ns), 8, np.uint8)
    return Due(identifier, due_ns, data, length, extended)


def frame_ns(extended: bool, rate_hz: int) -> int:
    """Time that a frame of 8 bytes takes: 131 or 151 bits with usual stuffing, at 1 Mbit/s for scan
    rates above 200 Hz and at 500 kbit/s below."""
    bits = 151 if extended else 131
    return bits * (1000 if rate_hz > 200 else 2000)


def lay_out(
    messages: list[Due], begin_ns: int, after_ns: int, spacing_ns: int, block_ns: int
) -> Frames:
    """All frames in order of time, none before `after_ns` + spacing nor closer than `spacing_ns`.

    begin_ns: absolute time of the block's beginning. Where `block_ns` is too short for so many
    frames the bus is made just fast enough: nothing queues up for ever.
    """
    due_ns = np.concatenate([message.due_ns for message in messages])
    spacing_ns = min(spacing_ns, int(0.97 * block_ns / len(due_ns)))
    order = np.argsort(due_ns, kind="stable")
    slots = np.arange(len(order)) * spacing_ns
    earliest = np.maximum(begin_ns + due_ns[order], after_ns + spacing_ns)
    times = np.maximum.accumulate(earliest - slots) + slots
    counts = [len(message.due_ns) for message in messages]
    ids = np.repeat(np.array([message.id for message in messages], np.uint32), counts)
    flags = np.repeat(
        np.array([EXTENDED if message.extended else 0 for message in messages], np.uint8), counts
    )
    data = np.concatenate([message.data for message in messages])
    lengths = np.concatenate([message.length for message in messages])
    return Frames(
        times.astype(np.int64),
        ids[order],
        flags[order],
        np.zeros(len(order), np.uint8),
        lengths[order],
        data[order],
    )


def periodic(begin_s: float, block_s: float, period_s: float, phase_s: float) -> NDArray[np.int64]:
    """Moments since the block began, ns, at which a message of `period_s` is due."""
    first = int(np.ceil((begin_s - phase_s) / period_s - 1e-9))
    last = int(np.ceil((begin_s + block_s - phase_s) / period_s - 1e-9))
    moments = np.arange(max(first, 0), max(last, 0)) * period_s + phase_s - begin_s
    return np.round(moments * 1e9).astype(np.int64)
