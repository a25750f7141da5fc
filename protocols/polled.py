"""Frames and the messages that they carry into one stream of samples.

A protocol that must be asked (`Database.transfers`) is decoded like any other: messages of ISO-TP
and of J1939's transport are put together as they pass (`protocols/isotp.py`, `protocols/j1939.py`),
their signals extracted by the same kernel, and the samples take their place among those of plain
frames. Who asked is of no concern here.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from protocols import isotp, j1939
from protocols.decode import Samples, compile_mapping, compile_messages, decode
from protocols.frames import Frames
from protocols.isotp import Counts, Pdus
from protocols.layout import Layout
from protocols.roles import Mapping
from protocols.signals import Database, Message, MuxCondition, Signal, Transfer

_PREFIX = "Transfer_Prefix"
# For the kernel two bytes of length stand before each message: with the prefix they are the
# multiplexer that tells layouts apart. It has at most 64 bits; services and identifiers need 24.
_LENGTH_BYTES = 2
_LONGEST_PREFIX = 6


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
            self._transports = Transports(wanted)

    @property
    def counts(self) -> Counts:
        """Messages complete and aborted so far; all zero where nothing is polled."""
        return self._transports.counts if self._polled is not None else Counts()

    def push(self, frames: Frames) -> Samples:
        """All known values of these frames and of the messages that they completed."""
        if self._polled is None:
            return decode(frames, self._plain)
        pdus = self._transports.push(frames)
        if not len(pdus):
            return decode(frames, self._plain)
        # Rows in place of times: frames of one instant must not change places either.
        rows = np.arange(len(frames), dtype=np.int64)
        plain = decode(replace(frames, time=rows), self._plain)
        polled = decode(_with_length(replace(pdus, time=pdus.row)), self._polled)
        both = _merged(plain, polled)
        return replace(both, time=frames.time[both.time])


def decode_transfers(frames: Frames, transfers: Sequence[Transfer]) -> Samples:
    """Every signal of the transfers that these frames carry whole; see `TransferDecoder`."""
    return TransferDecoder(transfers).push(frames)


class TransferDecoder:
    """Every signal of some transfers, block after block; keeps half messages between.

    group = place in `transfers`, index = place of the signal in its message.
    """

    def __init__(self, transfers: Sequence[Transfer]) -> None:
        self._layout = compile_messages([as_message(t) for t in transfers])
        self._transports = Transports(transfers)
        self._own = np.array([len(t.message.signals) for t in transfers], np.int64)

    def push(self, frames: Frames) -> Samples:
        """All known values of the messages that these frames completed."""
        samples = decode(_with_length(self._transports.push(frames)), self._layout)
        # The last of each group is the prefix, which the message itself does not list.
        keep = samples.index < np.repeat(self._own, np.diff(samples.start))
        before = np.concatenate([[0], np.cumsum(keep)])
        return Samples(
            samples.time[keep], samples.index[keep], samples.value[keep], before[samples.start]
        )


def reassemble(frames: Frames, transfers: Sequence[Transfer]) -> Pdus:
    """The complete messages of these transfers' senders (ISO-TP: whatever they begin with)."""
    return Transports(transfers).push(frames)


def as_message(transfer: Transfer) -> Message:
    """The message as the kernel sees it: behind its length, with length and prefix as outermost
    multiplexer.

    Raises ValueError for a prefix beyond six bytes.
    """
    message, prefix = transfer.message, transfer.prefix
    if len(prefix) > _LONGEST_PREFIX:
        raise ValueError(f"{message.name}: a prefix has at most {_LONGEST_PREFIX} bytes")
    if not prefix and not transfer.exact:
        return replace(message, length=message.length + _LENGTH_BYTES, signals=_behind(message))
    begin = 0 if transfer.exact else _LENGTH_BYTES
    whole = message.length.to_bytes(_LENGTH_BYTES, "big") + prefix
    size = 8 * (len(whole) - begin)
    selector = Signal(_PREFIX, 8 * begin + 7, size, little_endian=False, is_selector=True)
    begins = MuxCondition(_PREFIX, (int.from_bytes(whole[begin:], "big"),))
    signals = tuple(replace(s, mux=s.mux or (begins,)) for s in _behind(message))
    return replace(message, length=message.length + _LENGTH_BYTES, signals=(*signals, selector))


def _behind(message: Message) -> tuple[Signal, ...]:
    """The signals behind two bytes of length."""
    return tuple(replace(s, start=s.start + 8 * _LENGTH_BYTES) for s in message.signals)


def _with_length(pdus: Pdus) -> Pdus:
    """The messages behind their lengths, as `as_message` describes them."""
    data = np.zeros((len(pdus), pdus.data.shape[1] + 8), np.uint8)
    data[:, 0] = pdus.length >> 8
    data[:, 1] = pdus.length & 0xFF
    data[:, _LENGTH_BYTES : pdus.data.shape[1] + _LENGTH_BYTES] = pdus.data
    return replace(pdus, length=pdus.length + np.uint16(_LENGTH_BYTES), data=data)


class Transports:
    """The messages of some transfers, however they travel; keeps halves between blocks."""

    def __init__(self, transfers: Sequence[Transfer]) -> None:
        asked = [t for t in transfers if t.transport == "isotp"]
        packed = [t.message for t in transfers if t.transport == "j1939"]
        self._parts: list[isotp.Reassembler | j1939.Reassembler] = []
        if asked or not packed:
            senders = {(t.message.id, t.message.extended): t.address for t in asked}
            addressed = {sender: a for sender, a in senders.items() if a is not None}
            keep = max((t.message.length for t in asked), default=8)
            asked_by = {
                (t.message.id, t.message.extended): t.request_id
                for t in asked
                if t.request_id is not None
            }
            self._parts.append(isotp.Reassembler(sorted(senders), keep, addressed, asked_by))
        if packed:
            wanted = [(m.id, m.id_mask) for m in packed]
            self._parts.append(j1939.Reassembler(wanted, max(m.length for m in packed)))

    @property
    def counts(self) -> Counts:
        """What became of the frames of all transports together."""
        each = [part.counts for part in self._parts]
        return Counts(
            sum(c.complete for c in each),
            sum(c.aborted for c in each),
            sum(c.stray for c in each),
            sum(c.malformed for c in each),
        )

    def push(self, frames: Frames) -> Pdus:
        """The messages that these frames completed, in order of arrival."""
        parts = [part.push(frames) for part in self._parts]
        return parts[0] if len(parts) == 1 else _in_order(parts)


def _in_order(parts: Sequence[Pdus]) -> Pdus:
    """Messages of several transports as one block."""
    order = np.argsort(np.concatenate([p.row for p in parts]), kind="stable")
    width = max(p.data.shape[1] for p in parts)
    data = np.zeros((len(order), width), np.uint8)
    at = 0
    for part in parts:
        data[at : at + len(part), : part.data.shape[1]] = part.data
        at += len(part)
    return Pdus(
        np.concatenate([p.row for p in parts])[order],
        np.concatenate([p.time for p in parts])[order],
        np.concatenate([p.id for p in parts])[order],
        np.concatenate([p.flags for p in parts])[order],
        np.concatenate([p.channel for p in parts])[order],
        np.concatenate([p.length for p in parts])[order],
        data[order],
    )


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
