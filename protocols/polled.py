"""Frames and the messages that they carry into one stream of samples.

A protocol that must be asked (`Database.transfers`) is decoded like any other: ISO-TP messages are
put together as they pass (`protocols/isotp.py`), their signals extracted by the same kernel, and
the samples take their place among those of plain frames. Who asked is of no concern here.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protocols.decode import Samples, compile_mapping, compile_messages, decode
from protocols.frames import Frames
from protocols.isotp import Counts, Pdus, Reassembler
from protocols.layout import Layout
from protocols.roles import Mapping
from protocols.signals import Database, Message, MuxCondition, Signal, Transfer

_PREFIX = "Transfer_Prefix"
# A prefix is a multiplexer of at most 64 bits; services and identifiers need 24.
_LONGEST_PREFIX = 7


class Decoder:
    """Samples of all roles of a mapping out of blocks of frames; keeps half messages between."""

    def __init__(self, databases: Sequence[Database], mapping: Mapping) -> None:
        """Raises ValueError when a binding names a message or signal that no database has."""
        transfers = [t for database in databases for t in database.transfers]
        known = {t.message.name for t in transfers}
        asked = tuple(b for b in mapping.bindings if b.message in known)
        plain = tuple(b for b in mapping.bindings if b.message not in known)
        self._plain = compile_mapping(databases, replace(mapping, bindings=plain))
        self._polled: Layout | None = None
        if asked:
            used = {b.message for b in asked}
            wanted = [t for t in transfers if t.message.name in used]
            wide = Database("transfers", tuple(as_message(t) for t in wanted))
            self._polled = compile_mapping([wide], replace(mapping, bindings=asked))
            self._reassembler = _reassembler(wanted)

    @property
    def counts(self) -> Counts:
        """Messages complete and aborted so far; all zero where nothing is polled."""
        return self._reassembler.counts if self._polled is not None else Counts()

    def push(self, frames: Frames) -> Samples:
        """All known values of these frames and of the messages that they completed."""
        if self._polled is None:
            return decode(frames, self._plain)
        pdus = self._reassembler.push(frames)
        if not len(pdus):
            return decode(frames, self._plain)
        # Rows in place of times: frames of one instant must not change places either.
        rows = np.arange(len(frames), dtype=np.int64)
        plain = decode(replace(frames, time=rows), self._plain)
        polled = decode(replace(pdus, time=pdus.row), self._polled)
        both = _merged(plain, polled)
        return replace(both, time=frames.time[both.time])


def decode_transfers(frames: Frames, transfers: Sequence[Transfer]) -> Samples:
    """Every signal of the transfers that these frames carry whole.

    group = place in `transfers`, index = place of the signal in its message.
    """
    layout = compile_messages([as_message(t) for t in transfers])
    return decode(_reassembler(transfers).push(frames), layout)


def reassemble(frames: Frames, transfers: Sequence[Transfer]) -> Pdus:
    """The complete messages of the senders of these transfers, whatever they begin with."""
    return _reassembler(transfers).push(frames)


def as_message(transfer: Transfer) -> Message:
    """The message with its prefix as outermost multiplexer, so that the kernel tells it apart.

    Raises ValueError for a prefix beyond seven bytes.
    """
    message, prefix = transfer.message, transfer.prefix
    if not prefix:
        return message
    if len(prefix) > _LONGEST_PREFIX:
        raise ValueError(f"{message.name}: a prefix has at most {_LONGEST_PREFIX} bytes")
    selector = Signal(_PREFIX, 7, 8 * len(prefix), little_endian=False, is_selector=True)
    begins = MuxCondition(_PREFIX, (int.from_bytes(prefix, "big"),))
    signals = tuple(s if s.mux else replace(s, mux=(begins,)) for s in message.signals)
    return replace(message, signals=(*signals, selector))


def _reassembler(transfers: Sequence[Transfer]) -> Reassembler:
    senders = sorted({(t.message.id, t.message.extended) for t in transfers})
    return Reassembler(senders, max((t.message.length for t in transfers), default=8))


def _merged(one: Samples, other: Samples) -> Samples:
    """Samples of both, by group and then by time; `one` first at the same time."""
    groups = max(len(one.start), len(other.start)) - 1
    count = np.zeros(groups, np.int64)
    owners = []
    for samples in (one, other):
        sizes = np.diff(samples.start)
        count[: len(sizes)] += sizes
        owners.append(np.repeat(np.arange(len(sizes)), sizes))
    time = np.concatenate([one.time, other.time])
    order = np.lexsort((time, np.concatenate(owners)))
    start = np.zeros(groups + 1, np.int64)
    np.cumsum(count, out=start[1:])
    index = np.concatenate([one.index, other.index])
    value = np.concatenate([one.value, other.value])
    return Samples(time[order], index[order], value[order], start)
