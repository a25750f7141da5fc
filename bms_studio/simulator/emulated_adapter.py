"""An emulated USB-CAN adapter that speaks SLCAN, behind a pseudo-terminal or a TCP port.

To the program at the other end it is an adapter: it answers commands, sends frames only while its
channel is open, and loses frames, which it counts, when nobody reads them. One thread, no blocking
call: everything happens inside `service`. Commands: CAN232 manual (LAWICEL AB). The frames' text
coding is in `protocols/slcan.py`. No pack and no BMS here.
"""

import os
import select
import socket
import time
from dataclasses import dataclass, field
from typing import Protocol

from protocols import slcan
from protocols.frames import Frames, concatenate

BUFFER_BYTES = 64 * 1024
BITRATES = (10_000, 20_000, 50_000, 100_000, 125_000, 250_000, 500_000, 800_000, 1_000_000)
_OK, _NAK = b"\r", b"\x07"
_LONGEST_COMMAND = 512
_NOBODY_PAUSE_S = 0.02
_BUS_ERROR, _BUS_OFF = 0x80, 0xA4


class Line(Protocol):
    """The emulated cable: a terminal or a socket."""

    url: str

    def handle(self) -> int | socket.socket:
        """What to wait on with select."""

    def read(self) -> bytes | None:
        """What is waiting, b"" if nothing; None when the other side is gone."""

    def write(self, data: memoryview) -> int:
        """Bytes taken now, possibly 0."""

    def close(self) -> None:
        """Unplug."""


class Terminal:
    """A pseudo-terminal (POSIX). `url` is the path of the device to open."""

    def __init__(self) -> None:
        """Raises OSError on systems without pseudo-terminals."""
        if os.name != "posix":
            raise OSError("this system has no pseudo-terminals: use a TCP port instead")
        import tty

        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.url = os.ttyname(slave)
        # Only the other program holds the device open, so that its end can be noticed.
        os.close(slave)
        os.set_blocking(self._master, False)

    def handle(self) -> int:
        return self._master

    def read(self) -> bytes | None:
        try:
            return os.read(self._master, 4096) or None
        except BlockingIOError:
            return b""
        except OSError:  # EIO: nobody has the device open
            return None

    def write(self, data: memoryview) -> int:
        try:
            return os.write(self._master, data)
        except OSError:
            return 0

    def close(self) -> None:
        os.close(self._master)


class TcpPort:
    """A listening TCP port on this machine for one program at a time. `url` is for pyserial."""

    def __init__(self, port: int = 0) -> None:
        """port 0 takes any free one. Raises OSError when the port is taken."""
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.setblocking(False)
        self._client: socket.socket | None = None
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def handle(self) -> socket.socket:
        return self._client or self._listener

    def read(self) -> bytes | None:
        if self._client is None:
            return self._accept()
        try:
            data = self._client.recv(4096)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._client.close()
            self._client = None
        return data or None

    def _accept(self) -> bytes | None:
        try:
            self._client, _ = self._listener.accept()
        except BlockingIOError:
            return None
        self._client.setblocking(False)
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A small send buffer: what nobody reads is lost in the adapter, as on a real one.
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        return b""

    def write(self, data: memoryview) -> int:
        if self._client is None:
            return 0
        try:
            return self._client.send(data)
        except OSError:
            return 0

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._listener.close()


@dataclass(slots=True)
class Counts:
    """Frames: offered by the bus while the channel was open, dropped because the buffer was full,
    and received from the computer; commands refused."""

    offered: int = 0
    dropped: int = 0
    received: int = 0
    refused: int = 0


@dataclass(slots=True, eq=False)
class EmulatedAdapter:
    """The adapter on its `line`. Call `send` with frames of the bus, and `service` all the time.

    flags: what command F tells of the bus (CAN232 manual: 04 warning, 20 passive, 80 bus error).
    shorted: the wires touch: an adapter that takes part goes bus-off, and stays so until it is
    opened again and nothing touches any more.
    """

    line: Line
    version: str = "V1013"
    number: str = "NSIM1"
    counts: Counts = field(default_factory=Counts)
    bitrate: int = 0
    state: str = "closed"  # closed, open, listen
    flags: int = 0
    shorted: bool = False
    bus_off: bool = False
    _out: bytearray = field(default_factory=bytearray)
    _in: bytearray = field(default_factory=bytearray)
    _received: list[Frames] = field(default_factory=list)

    def send(self, frames: Frames) -> None:
        """Frames seen on the bus; those that do not fit into the buffer are dropped and counted."""
        self.bus_off |= self.shorted and self.state == "open"
        if self.state == "closed" or self.shorted or self.bus_off:
            return
        self.counts.offered += len(frames)
        text = slcan.encode(frames)
        room = BUFFER_BYTES - len(self._out)
        if len(text) > room:
            kept = text[: text.rfind(b"\r", 0, room) + 1]
            self.counts.dropped += text.count(b"\r") - kept.count(b"\r")
            text = kept
        self._out += text
        self._flush()

    def received(self) -> Frames | None:
        """Frames that the computer has transmitted since the last call; None if there are none."""
        if not self._received:
            return None
        blocks, self._received = self._received, []
        return concatenate(blocks)

    def service(self, seconds: float) -> None:
        """Answer commands and pass on frames for about `seconds` (0: once, without waiting)."""
        end = time.monotonic() + seconds
        while True:
            if self._wait(max(end - time.monotonic(), 0.0)):
                data = self.line.read()
                if data is None:
                    self._forget()
                    time.sleep(min(max(end - time.monotonic(), 0.0), _NOBODY_PAUSE_S))
                elif data:
                    self._commands(data)
            self._flush()
            if time.monotonic() >= end:
                return

    def close(self) -> None:
        """Unplug: the other side sees its port vanish."""
        self.line.close()

    def _wait(self, seconds: float) -> bool:
        """Until something can be read (True), or the cable takes more bytes, or time is up."""
        handle = self.line.handle()
        readable, _, _ = select.select([handle], [handle] if self._out else [], [], seconds)
        return bool(readable)

    def _forget(self) -> None:
        """The other program has gone: the channel closes, as on loss of DTR."""
        self.state = "closed"
        self._out.clear()
        self._in.clear()

    def _flush(self) -> None:
        while self._out:
            with memoryview(self._out) as view:
                taken = self.line.write(view[:4096])
            if not taken:
                return
            del self._out[:taken]

    def _commands(self, data: bytes) -> None:
        self._in += data
        while (end := self._in.find(b"\r")) >= 0:
            command = bytes(self._in[:end])
            del self._in[: end + 1]
            if command:
                self._answer(command)
        if len(self._in) > _LONGEST_COMMAND:
            self._in.clear()
            self._answer(b"?")

    def _answer(self, command: bytes) -> None:
        reply = self._execute(command)
        if reply == _NAK:
            self.counts.refused += 1
        self._out += reply

    def _execute(self, command: bytes) -> bytes:
        letter, rest = chr(command[0]), command[1:]
        if letter == "V" and not rest:
            return self.version.encode() + _OK
        if letter == "N" and not rest:
            return self.number.encode() + _OK
        if letter in "tTrR":
            return self._transmit(command)
        if letter in "OL" and not rest and self.state == "closed":
            self.state = "open" if letter == "O" else "listen"
            self.bus_off = self.shorted and self.state == "open"
            return _OK
        if letter == "C" and not rest and self.state != "closed":
            self.state = "closed"
            self._out.clear()
            return _OK
        if letter == "S" and rest.isdigit() and int(rest) < len(BITRATES):
            if self.state != "closed":
                return _NAK
            self.bitrate = BITRATES[int(rest)]
            return _OK
        if letter == "F" and not rest:
            flags = _BUS_OFF if self.bus_off else self.flags | _BUS_ERROR * self.shorted
            return b"F%02X\r" % flags if self.state != "closed" else _NAK
        if command == b"Z0" and self.state == "closed":
            return _OK
        return _NAK

    def _transmit(self, command: bytes) -> bytes:
        """A frame from the computer: refused unless the channel is open for sending."""
        parsed = slcan.parse(command + b"\r")
        if self.state != "open" or self.bus_off or not len(parsed.frames):
            return _NAK
        self._received.append(parsed.frames)
        self.counts.received += 1
        return b"Z\r" if command[:1] in b"TR" else b"z\r"
