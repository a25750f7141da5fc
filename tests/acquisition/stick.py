"""An emulated USB-CAN stick on a real pseudo-terminal or a real TCP socket, for tests.

It speaks SLCAN as a stick does: answers C, S, V, N, L, O and sends what the test tells it to.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ANSWERS = {b"V": b"V1013\r", b"N": b"NA123\r"}


def answer_well(command: bytes) -> bytes:
    return ANSWERS.get(command, b"\r")


def answer_nothing(command: bytes) -> bytes:
    return b""


def refuse_all(command: bytes) -> bytes:
    return b"\a"


def refuse_listening(command: bytes) -> bytes:
    return b"\a" if command == b"L" else answer_well(command)


class Stick:
    """`link` leads to the port; unplug and plug change what it leads to, as udev does."""

    def __init__(self, link: Path, answer: Callable[[bytes], bytes] = answer_well) -> None:
        if not hasattr(os, "openpty"):
            pytest.skip("this system has no pseudo-terminals; the socket tests run")
        self.link = link
        self.answer = answer
        self.commands: list[bytes] = []
        self.received = b""
        self.plug()

    def plug(self) -> None:
        import tty

        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._slave))
        self.open = threading.Event()
        self._gone = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        line = b""
        while not self._gone:
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            try:
                data = os.read(self.master, 4096)
            except OSError:
                time.sleep(0.01)
                continue
            self.received += data
            line += data
            while b"\r" in line:
                command, _, line = line.partition(b"\r")
                self._obey(command)

    def _obey(self, command: bytes) -> None:
        if not command:
            return
        self.commands.append(command)
        answer = self.answer(command)
        if answer:
            os.write(self.master, answer)
        if command in (b"L", b"O") and answer == b"\r":
            self.open.set()
        if command == b"C":
            self.open.clear()

    def send(self, data: bytes) -> None:
        """All of `data`, waiting while the buffer is full."""
        while data:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                time.sleep(0.001)

    def unplug(self) -> None:
        self._gone = True
        self._thread.join()
        os.close(self.master)
        os.close(self._slave)
        self.link.unlink(missing_ok=True)


class SocketStick:
    """The same stick behind a TCP socket, as on Windows or across a network."""

    def __init__(self, answer: Callable[[bytes], bytes] = answer_well) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.channel = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self.answer = answer
        self.commands: list[bytes] = []
        self.open = threading.Event()
        self.connection: socket.socket | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                self.connection, _ = self._server.accept()
            except OSError:
                return
            line = b""
            try:
                while data := self.connection.recv(4096):
                    line += data
                    while b"\r" in line:
                        command, _, line = line.partition(b"\r")
                        if command:
                            self.commands.append(command)
                            self.connection.sendall(self.answer(command))
                        if command in (b"L", b"O"):
                            self.open.set()
            except OSError:
                pass
            self.connection.close()
            self.open.clear()

    def send(self, data: bytes) -> None:
        assert self.connection is not None
        self.connection.sendall(data)

    def hang_up(self) -> None:
        assert self.connection is not None
        self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def close(self) -> None:
        self._server.close()
        if self.connection is not None:
            self.connection.close()


def descriptors(pid: int) -> int:
    """How many files a process has open; 0 where the system does not tell (no /proc)."""
    folder = Path(f"/proc/{pid}/fd")
    return len(os.listdir(folder)) if folder.exists() else 0
