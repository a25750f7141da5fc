"""Frames that carry parts of longer messages, in words: what a part is, and what the whole says.

For the Trace page: ISO-TP of known senders and J1939's transport. Looks at the frame log, decodes
single messages on demand. Makes no widget.
"""

from dataclasses import dataclass

from bms_studio.frame_log import FrameLog
from bms_studio.gui.contract import PackView
from bms_studio.language import text
from protocols.frames import EXTENDED
from protocols.inspection import Reading, decode_one
from protocols.isotp import Pdus
from protocols.polled import Transports
from protocols.signals import Message, Transfer

_LOOK_NS = 3_000_000_000  # the parts of one message come within seconds
_MOST_ROWS = 20_000
_CONTROL, _DATA = 0xEC, 0xEB
_TRANSPORT = 0x3FF


@dataclass(frozen=True, slots=True)
class Whole:
    """A message put together: its layout, bytes, and what its signals say."""

    message: Message
    payload: bytes
    readings: tuple[Reading, ...]


class CarrierWords:
    """Parts and wholes by the databases of one view."""

    def __init__(self, view: PackView) -> None:
        self._view = view

    def transfers(self, frame_id: int, flags: int) -> list[Transfer]:
        """The transfers whose parts this identifier carries."""
        extended = bool(flags & EXTENDED)
        found = []
        for transfer in self._view.transfers():
            message = transfer.message
            if transfer.transport == "isotp":
                mine = (message.id, message.extended) == (frame_id, extended)
            else:
                mine = extended and (frame_id >> 16) & _TRANSPORT in (_CONTROL, _DATA)
            if mine:
                found.append(transfer)
        return found

    def name(self, frame_id: int, flags: int) -> str:
        """What carries it, "" where this identifier carries nothing that is known."""
        found = self.transfers(frame_id, flags)
        if not found:
            return ""
        return "ISO-TP" if found[0].transport == "isotp" else "J1939 TP"

    def summary(self, frame_id: int, flags: int, payload: bytes) -> str:
        """What this part says of the whole."""
        found = self.transfers(frame_id, flags)
        if not found or not payload:
            return ""
        if found[0].transport == "j1939":
            return _j1939_words(frame_id, payload)
        part = payload[1:] if found[0].address is not None else payload
        return _isotp_words(part)

    def whole(
        self, log: FrameLog, frame_id: int, flags: int, t: int, exactly: bool = False
    ) -> Whole | None:
        """The newest message of this sender not later than `t` that is known and complete;
        exactly: the one that its frame at `t` is part of."""
        found = self.transfers(frame_id, flags)
        if not found:
            return None
        if not exactly:
            table = log.by_id(t)
            mine = (table.id == frame_id) & ((table.flags & EXTENDED) == (flags & EXTENDED))
            if not mine.any():
                return None
            t = int(table.time[mine].max())
        middle = log.index_at(t)
        first = max(log.first_row, log.index_at(t - _LOOK_NS), middle - _MOST_ROWS)
        end = min(log.index_at(t + _LOOK_NS), middle + _MOST_ROWS) if exactly else middle
        pdus = Transports(found).push(log.rows(first, end - first))
        order = list(range(len(pdus) - 1, -1, -1))
        if exactly:  # what is complete at its frame or later, the nearest first
            order.sort(key=lambda n: (pdus.time[n] < t, abs(int(pdus.time[n]) - t)))
        for number in order:
            for transfer in found:
                if _is(transfer, pdus, number):
                    payload = pdus.payload(number)
                    readings = tuple(decode_one(transfer.message, payload))
                    return Whole(transfer.message, payload, readings)
            if exactly and pdus.time[number] >= t:
                return None  # it belongs to a message that nobody knows
        return None


def _is(transfer: Transfer, pdus: Pdus, number: int) -> bool:
    message, payload = transfer.message, pdus.payload(number)
    if transfer.exact and len(payload) != message.length:
        return False
    fits = int(pdus.id[number]) & message.id_mask == message.id & message.id_mask
    return fits and payload.startswith(transfer.prefix)


def _isotp_words(part: bytes) -> str:
    kind, low = part[0] >> 4, part[0] & 15
    if kind == 0:
        return text("whole: {bytes} bytes", bytes=low or part[1])
    if kind == 1 and len(part) > 1:
        begin = part[2:4].hex(" ").upper()
        return text("begins {bytes} bytes: {start} …", bytes=low << 8 | part[1], start=begin)
    if kind == 2:
        return text("part {number}", number=low)
    return text("flow control")


def _j1939_words(frame_id: int, payload: bytes) -> str:
    if (frame_id >> 16) & 0xFF == _DATA:
        return text("part {number}", number=payload[0])
    if len(payload) < 8:
        return ""
    group = f"{int.from_bytes(payload[5:8], 'little') & 0x3FFFF:05X}"
    if payload[0] in (0x10, 0x20):
        size = int.from_bytes(payload[1:3], "little")
        return text("begins {bytes} bytes of group {group}", bytes=size, group=group)
    return text("flow control")
