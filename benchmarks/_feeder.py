"""A USB-CAN stick on a pseudo-terminal that offers numbered frames at a fixed rate, and counts.

A program of its own, so that it loads its own core and can be starved like a real stick cannot:
run it as `python benchmarks/_feeder.py --rate 9009 --seconds 8`. It prints the port's name, answers
SLCAN commands, feeds from the moment the bus is opened, and ends with one JSON line: offered,
refused (whole frames that found neither room in the pseudo-terminal nor in the stick's own buffer)
and late_s (how far it fell behind: then it was starved, and what it lost is the harness's loss).
POSIX only, as pseudo-terminals are.
"""

import argparse
import json
import os
import select
import sys
import time
import tty

import numpy as np

FRAME_BYTES = 22  # t + 3 + 1 + 16 + CR
BATCH_S = 0.002


def lines(first: int, count: int) -> bytes:
    """`count` lines whose eight data bytes carry the frame's number, ids 0x100 … 0x11F."""
    digits = np.frombuffer(b"0123456789ABCDEF", np.uint8)
    number = np.arange(first, first + count, dtype="<u8")
    data = number.view(np.uint8).reshape(count, 8)
    text = np.empty((count, FRAME_BYTES), np.uint8)
    text[:, 0] = ord("t")
    identifier = 0x100 + number.astype(np.int64) % 32
    for place, shift in ((1, 8), (2, 4), (3, 0)):
        text[:, place] = digits[(identifier >> shift) & 15]
    text[:, 4] = ord("8")
    text[:, 5:21:2] = digits[data >> 4]
    text[:, 6:21:2] = digits[data & 15]
    text[:, 21] = 13
    return text.tobytes()


class Feeder:
    """The stick: one descriptor, one buffer."""

    def __init__(self, buffer_bytes: int) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.port = os.ttyname(self._slave)
        self._room = buffer_bytes
        self._pending = b""
        self._line = b""
        self.offered = self.refused = 0

    def serve(self) -> bytes:
        """Answer what was asked; the last of C, L and O among it, or b""."""
        if not select.select([self.master], [], [], 0)[0]:
            return b""
        self._line += os.read(self.master, 4096)
        last = b""
        while b"\r" in self._line:
            command, _, self._line = self._line.partition(b"\r")
            if command:
                os.write(self.master, {b"V": b"V1013\r", b"N": b"NFEED\r"}.get(command, b"\r"))
            last = command if command in (b"C", b"L", b"O") else last
        return last

    def offer(self, count: int) -> None:
        """Put `count` frames on the wire: into the pseudo-terminal, else the buffer, else lost."""
        self._pending += lines(self.offered, count)
        self.offered += count
        self.push()
        excess = len(self._pending) - self._room
        if excess > 0:
            lost = min(-(-excess // FRAME_BYTES), len(self._pending) // FRAME_BYTES)
            self._pending = self._pending[: len(self._pending) - lost * FRAME_BYTES]
            self.refused += lost

    def push(self) -> bool:
        """Hand over what the buffer holds; whether it is empty."""
        while self._pending:
            try:
                self._pending = self._pending[os.write(self.master, self._pending) :]
            except BlockingIOError:
                return False
        return True


def feed(feeder: Feeder, rate_hz: float, seconds: float) -> float:
    """Feed until the time is over or the bus is closed; the worst lateness in s."""
    start = time.monotonic()
    late = 0.0
    while feeder.serve() != b"C":
        now = time.monotonic() - start
        if now >= seconds:
            break
        due = int(now * rate_hz) - feeder.offered
        late = max(late, due / rate_hz)
        if due > 0:
            feeder.offer(due)
        time.sleep(BATCH_S)
    return late


def main() -> int:
    """Feed once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=9009)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--buffer", type=int, default=0, help="bytes the stick itself can hold")
    options = parser.parse_args()
    feeder = Feeder(options.buffer)
    sys.stdout.write(feeder.port + "\n")
    sys.stdout.flush()
    while feeder.serve() not in (b"L", b"O"):
        time.sleep(0.002)
    late = feed(feeder, options.rate, options.seconds)
    end = time.monotonic() + 2
    while not feeder.push() and time.monotonic() < end:
        time.sleep(0.002)
    result = {"offered": feeder.offered, "refused": feeder.refused, "late_s": round(late, 4)}
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    while feeder.serve() != b"C":  # keeps the port until the reader leaves
        if not sys.stdin or select.select([sys.stdin], [], [], 0.02)[0]:
            break
    return 0


if __name__ == "__main__":
    sys.exit(main())
