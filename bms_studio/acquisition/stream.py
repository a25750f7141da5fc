"""A byte stream to an adapter: a serial port or a TCP socket, read in bulk and always closable.

Knows bytes and errors, no protocol. Serial ports come from pyserial on every system; `socket://`
has its own few lines because pyserial's keep the descriptor when the other end hangs up.
"""

import contextlib
import select
import socket
import sys
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

from bms_studio.acquisition.adapters import AdapterError

DEFAULT_BAUD = 115_200
_READ = 65_536
_CONNECT_S = 2.0


class Stream(Protocol):
    """An open byte stream. `read` and `write` raise AdapterError when the other end has gone."""

    def read(self, timeout_s: float) -> bytes:
        """Whatever is waiting; b"" if nothing came within `timeout_s`."""

    def write(self, data: bytes) -> None:
        """Send all of `data`, or fail within a second."""

    def close(self) -> None:
        """Give the descriptor back; never raises."""


def open_stream(channel: str) -> Stream:
    """The stream behind "socket://host:port", "PORT" or "PORT@BAUD"; AdapterError if none."""
    if channel.startswith("socket://"):
        return SocketStream(channel)
    return SerialStream(channel)


class SocketStream:
    """An adapter behind a TCP socket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._name = url
        try:
            address = (parts.hostname or "", parts.port or 0)
            self._socket = socket.create_connection(address, timeout=_CONNECT_S)
        except (OSError, ValueError) as problem:
            raise AdapterError(
                f"{url} does not answer ({problem}). Is the adapter's server running there?"
            ) from problem
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(1.0)

    def read(self, timeout_s: float) -> bytes:
        try:
            if not select.select([self._socket], [], [], timeout_s)[0]:
                return b""
            data = self._socket.recv(_READ)
        except OSError as problem:
            raise AdapterError(f"{self._name} has gone ({problem}).") from problem
        if not data:
            raise AdapterError(f"{self._name} has hung up.")
        return data

    def write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as problem:
            raise AdapterError(f"{self._name} takes no data ({problem}).") from problem

    def close(self) -> None:
        self._socket.close()


class SerialStream:
    """An adapter on a serial port (USB-CAN sticks are one to the system)."""

    def __init__(self, channel: str) -> None:
        import serial

        name, _, baud = channel.partition("@")
        if baud and not baud.isdigit():
            raise AdapterError(f"'{channel}': write the port as {name}@115200, a number behind @.")
        exclusive = {} if sys.platform == "win32" else {"exclusive": True}
        try:
            self._port: Any = serial.serial_for_url(
                name, int(baud or DEFAULT_BAUD), timeout=0, write_timeout=1, **exclusive
            )
        except (OSError, ValueError) as problem:
            raise AdapterError(_why_not(name, problem)) from problem
        self._name = name

    def read(self, timeout_s: float) -> bytes:
        try:
            if sys.platform == "win32":
                return self._read_polling(timeout_s)
            if not select.select([self._port.fileno()], [], [], timeout_s)[0]:
                return b""
            return bytes(self._port.read(_READ))
        except (OSError, ValueError, TypeError) as problem:  # pyserial's own error is an OSError
            raise AdapterError(f"{self._name} has gone ({problem}).") from problem

    def _read_polling(self, timeout_s: float) -> bytes:
        """Windows cannot wait on a port together with anything else: look every 2 ms."""
        end = time.monotonic() + timeout_s
        while not self._port.in_waiting:
            if time.monotonic() >= end:
                return b""
            time.sleep(0.002)
        return bytes(self._port.read(self._port.in_waiting))

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, ValueError) as problem:
            raise AdapterError(f"{self._name} takes no data ({problem}).") from problem

    def close(self) -> None:
        with contextlib.suppress(OSError):  # an unplugged port may refuse even to close
            self._port.close()


def _why_not(name: str, problem: Exception) -> str:
    text = str(problem)
    if "Permission" in text or "Access is denied" in text:
        return (
            f"{name} may not be opened. Close the program that uses it; on Linux add yourself to "
            "the group of the port (often dialout)."
        )
    if "exclusively lock" in text or "busy" in text.lower():
        return f"{name} is in use by another program. Close that program, then connect again."
    return f"{name} cannot be opened ({text}). Is the adapter plugged in, and is this its port?"
