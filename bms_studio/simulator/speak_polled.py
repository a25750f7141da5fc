"""A BMS that says nothing until it is asked: answers from the electronics' readings.

Speaks every built-in protocol that has a schedule of questions (`Protocol.polls`), by its own
database read backwards: role -> signal -> bytes. Answers beyond one frame go by ISO-TP: a first
frame, then nothing until flow control comes from who asked, then the rest at the pace it wants.
Knows frames and instants, no adapter.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bms_studio.simulator.bms import Bms, Readings
from bms_studio.simulator.pack import PackSpec
from protocols.contract import Poll, Protocol
from protocols.encode import encoder
from protocols.frames import EXTENDED, REMOTE, Frames, concatenate, empty_frames
from protocols.isotp_frames import FLOW_CONTROL, SINGLE, segment
from protocols.registry import load
from protocols.roles import Binding
from protocols.signals import Message

# protocol -> fewest and most cells it can carry credibly
POLLED = {
    "daly": (3, 48),
    "jbd": (3, 30),
    "leaf": (96, 96),
    "hyundai_kia": (90, 98),
    "hyundai_kia_egmp": (144, 192),
}
_ANSWER_S = 0.004
_FRAME_S = 0.0015
_WAIT_FOR_FLOW_S = 1.0
_NOT_SUPPORTED = 0x31  # requestOutOfRange, ISO 14229-1


@dataclass(slots=True)
class _Rest:
    """The frames of a long answer that wait for flow control until `until_s`."""

    poll: Poll
    frames: list[bytes]
    until_s: float


class PolledBms:
    """Called like any speaker it sends nothing; `hear` takes questions, `due` gives answers."""

    def __init__(self, spec: PackSpec, protocol: Protocol) -> None:
        low, high = POLLED[protocol.name]
        if not low <= spec.cells <= high:
            wanted = f"{low}" if low == high else f"{low} to {high}"
            raise ValueError(f"{protocol.title} has {wanted} cells, not {spec.cells}")
        self._spec, self._protocol = spec, protocol
        self.values: dict[str, float] = {}  # role -> canonical value of the newest scan
        self._queue: list[tuple[float, int, bool, bytes]] = []
        self._rest: _Rest | None = None
        self._encode: dict[str, Callable[..., bytes]] = {}
        self.heard = 0  # questions understood

    def __call__(self, bms: Bms, readings: Readings, what: str, begin_ns: int) -> Frames:
        """Remember the readings of this block; nothing is broadcast."""
        self.values = _canonical(self._spec, bms, readings, what)
        return empty_frames()

    def hear(self, frames: Frames, now_s: float) -> None:
        """Take frames that a tester sent."""
        for row in range(len(frames)):
            extended = bool(frames.flags[row] & EXTENDED)
            data = frames.data[row, : int(frames.length[row])].tobytes()
            if frames.flags[row] & REMOTE:
                data = b""
            self._take(int(frames.id[row]), extended, data, now_s)

    def due(self, now_s: float) -> Frames | None:
        """Frames whose time has come; None if there are none."""
        if self._rest is not None and now_s > self._rest.until_s:
            self._rest = None  # nobody sent flow control
        ready = [entry for entry in self._queue if entry[0] <= now_s]
        if not ready or not self.values:
            return None
        self._queue = [entry for entry in self._queue if entry[0] > now_s]
        return concatenate([_frame(*entry[1:]) for entry in ready])

    def _take(self, frame_id: int, extended: bool, data: bytes, now_s: float) -> None:
        rest = self._rest
        if rest is not None and frame_id == rest.poll.flow_control_id:
            flow = data if rest.poll.address is None else data[1:]
            if len(flow) >= 3 and flow[0] >> 4 == FLOW_CONTROL:
                pause_s = max(flow[2] / 1000.0 if flow[2] < 128 else 0.001, _FRAME_S)
                self._say(rest.poll, rest.frames, now_s, pause_s)
                self._rest = None
                return
        asked = [p for p in self._protocol.polls if (p.id, p.extended) == (frame_id, extended)]
        if not asked or not self.values:
            return
        if not asked[0].isotp:
            self.heard += 1
            self._say(asked[0], self._plain(asked[0]), now_s + _ANSWER_S, _FRAME_S)
            return
        request = _single(data, asked[0])
        for poll in asked:
            if request == poll.payload:
                self.heard += 1
                self._answer(poll, now_s)
                return
        if request:
            refusal = bytes([0x7F, request[0], _NOT_SUPPORTED])
            frames = segment(refusal, 0xAA, asked[0].answer_address)
            self._say(asked[0], frames, now_s + _ANSWER_S, _FRAME_S)

    def _answer(self, poll: Poll, now_s: float) -> None:
        prefix = bytes([poll.payload[0] + 0x40]) + poll.payload[1:]
        body = prefix + bytes(8)
        for transfer in self._protocol.database.transfers:
            if transfer.prefix == prefix:
                whole = self._payload(transfer.message, self._bindings(transfer.message))
                body = prefix + whole[len(prefix) :]
        frames = segment(body, 0xAA, poll.answer_address)
        self._say(poll, frames[:1], now_s + _ANSWER_S, _FRAME_S)
        if len(frames) > 1:
            self._rest = _Rest(poll, frames[1:], now_s + _WAIT_FOR_FLOW_S)

    def _say(self, poll: Poll, frames: list[bytes], from_s: float, pause_s: float) -> None:
        for number, data in enumerate(frames):
            self._queue.append((from_s + number * pause_s, poll.answer_id, poll.extended, data))

    def _bindings(self, message: Message) -> list[Binding]:
        return [b for b in self._protocol.mapping.bindings if b.message == message.name]

    def _plain(self, poll: Poll) -> list[bytes]:
        """All frames that answer a plain question; none for what this pack does not have."""
        found = []
        for message in self._protocol.database.messages:
            if message.extended == poll.extended and poll.answer_id & message.id_mask == message.id:
                bindings = self._bindings(message)
                if any(b.index for b in bindings):
                    found += self._indexed(message, bindings)
                else:
                    found.append(self._payload(message, bindings))
        if self._protocol.name == "jbd":
            found = [data[:6] + _crc(data[:6]) if len(data) == 8 else data for data in found]
        return found

    def _indexed(self, message: Message, bindings: list[Binding]) -> list[bytes]:
        """One frame per group of what carries its number in the payload."""
        index = bindings[0].index
        assert index is not None
        kind = bindings[0].role.kind
        count = sum(name.startswith(f"{kind}.") for name in self.values)
        found = []
        for group in range(-(-count // index.stride)):
            numbered = {index.signal: float(index.first + group)}
            for binding in bindings:
                assert binding.index is not None
                number = group * binding.index.stride + binding.index.position + 1
                name = _role_name(kind, number)
                if name in self.values:
                    numbered[binding.signal] = _physical(binding, self.values[name])
            found.append(self._encoded(message, numbered))
        return found

    def _payload(self, message: Message, bindings: list[Binding]) -> bytes:
        named = {
            b.signal: _physical(b, self.values[str(b.role)])
            for b in bindings
            if str(b.role) in self.values
        }
        if message.name == "Pack_Layout":
            named["Probes"] = float(self._spec.probes)
        return self._encoded(message, named)

    def _encoded(self, message: Message, values: dict[str, float]) -> bytes:
        if message.name not in self._encode:
            self._encode[message.name] = encoder(message)
        return self._encode[message.name](values)


def build_speaker(name: str) -> Callable[[PackSpec, int], PolledBms]:
    """What makes the speaker of the polled protocol `name` for a pack; the rate is the asker's."""

    def build(spec: PackSpec, rate_hz: int) -> PolledBms:
        return PolledBms(spec, load(name))

    return build


def _role_name(kind: str, number: int) -> str:
    return f"cell.{number}.voltage" if kind == "cell" else f"{kind}.{number}"


def _physical(binding: Binding, canonical: float) -> float:
    """The value of the signal behind a role's canonical value."""
    return (canonical - binding.shift) / binding.factor


def _single(data: bytes, poll: Poll) -> bytes:
    """The message of a single frame; b"" if it is none."""
    if poll.address is not None:
        if data[:1] != bytes([poll.address]):
            return b""
        data = data[1:]
    if not data or data[0] >> 4 != SINGLE:
        return b""
    return data[1 : 1 + (data[0] & 15)]


def _canonical(spec: PackSpec, bms: Bms, readings: Readings, what: str) -> dict[str, float]:
    """Role -> canonical value, of the newest scan."""
    cells, probes = readings.cell_v[-1], readings.probe_degc
    values = {f"cell.{n}.voltage": float(v) for n, v in enumerate(cells, 1)}
    values |= {f"probe.{n}": float(t) for n, t in enumerate(probes, 1)}
    values |= {f"balancing.{n}": float(on) for n, on in enumerate(bms.balancing, 1)}
    soc = float(readings.soc[-1])
    pack = {
        "voltage": float(readings.pack_v[-1]),
        "current": float(readings.current_a[-1]),
        "soc": soc,
        "soh": 1.0,
        "cell_voltage_min": float(cells.min()),
        "cell_voltage_max": float(cells.max()),
        "temperature_min": float(probes.min()),
        "temperature_max": float(probes.max()),
        "remaining_ah": soc * spec.capacity_ah,
        "full_ah": spec.capacity_ah,
        "cycles": 42.0,
        "charging": float(what == "charge"),
        "fault": 0.0,
        "cell_count": float(spec.cells),
    }
    return values | {f"pack.{name}": value for name, value in pack.items()}


def _frame(frame_id: int, extended: bool, data: bytes) -> Frames:
    frames = empty_frames(1)
    frames.id[0], frames.length[0] = frame_id, len(data)
    frames.flags[0] = EXTENDED if extended else 0
    frames.data[0, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def _crc(data: bytes) -> bytes:
    """CRC-16/MODBUS, high byte first, as JBD writes it."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "big")
