"""Our bulk reader for SLCAN (LAWICEL) adapters: everything that is waiting, parsed in one go.

The text coding is in `protocols/slcan.py`, the port in `stream.py`; here are the commands: opening,
the bus modes, refusals. Commands: CAN232 manual (LAWICEL AB): C close, S<n> bitrate, L listen only,
O open, V and N version and serial number; CR is yes, BEL is no.
"""

import contextlib
import re
import time

from bms_studio.acquisition.adapters import (
    AdapterCounts,
    AdapterError,
    Capabilities,
    spread,
)
from bms_studio.acquisition.bus_errors import UNKNOWN, is_bus_error, state_from_flags
from bms_studio.acquisition.settings import ACTIVE, LISTEN, AdapterSettings
from bms_studio.acquisition.stream import open_stream
from protocols import slcan
from protocols.frames import Frames

BITRATES = {
    10_000: "S0",
    20_000: "S1",
    50_000: "S2",
    100_000: "S3",
    125_000: "S4",
    250_000: "S5",
    500_000: "S6",
    800_000: "S7",
    1_000_000: "S8",
}
DATA_BITRATES = {2_000_000: "Y2", 5_000_000: "Y5"}  # CANable 2 firmware
_ANSWER_S = 0.35
_GATHER_S = 0.010
_MAX_ANSWER = 1 << 20
_MOST_CHUNKS = 64
NAK = b"\a"
_ENDS = re.compile(rb"[\r\a]")
_ANSWER = re.compile(rb"(?:^|[\r\a])([\r\a])")
_FLAG_REPLY = re.compile(rb"(?:^|[\r\a])F([0-9A-Fa-f]{2})\r")
_FLAGS_S = 1.0
_REPLY = re.compile(rb"[VvN][0-9A-Za-z .:_-]{1,40}")


class _Flags:
    """The adapter's status flags (command F): asked once a second of those that know them."""

    def __init__(self) -> None:
        self.state = UNKNOWN
        self.errors = 0
        self._asked = self._forgiven = 0
        self._answered = False
        self._next_s = time.monotonic() + _FLAGS_S

    def due(self, now_s: float) -> bool:
        """Whether to ask now; who has not answered twice is not asked again."""
        if now_s < self._next_s or (self._asked >= 2 and not self._answered):
            return False
        self._next_s = now_s + _FLAGS_S
        self._asked += 1
        return True

    def told(self, flags: int, may_send: bool) -> None:
        """Take what the adapter answered."""
        self._answered = True
        self.errors += is_bus_error(flags)
        self.state = state_from_flags(flags, may_send)

    def expected_naks(self, naks: int) -> int:
        """Refusals of F itself, which are no news."""
        forgiven = 0 if self._answered else min(naks, self._asked - self._forgiven)
        self._forgiven += forgiven
        return forgiven


class SlcanAdapter:
    """An opened SLCAN adapter. Raises AdapterError if it refuses or is none."""

    def __init__(self, settings: AdapterSettings) -> None:
        self._settings = settings
        self._rate = _rate_command(settings)
        self._offered = self._bad = self._refused = 0
        self._stream = open_stream(settings.channel)
        try:
            self._rest = self._open_bus()
        except BaseException:
            self._stream.close()
            raise
        self._before_ns = time.monotonic_ns()
        self._read_at = 0.0
        self._flags = _Flags()

    @property
    def counts(self) -> AdapterCounts:
        return AdapterCounts(self._offered, self._bad, self._refused, errors=self._flags.errors)

    @property
    def bus_state(self) -> str:
        """From the status flags, where the adapter knows them."""
        return self._flags.state

    def _open_bus(self) -> bytes:
        """Set the bitrate, ask who is there, open in the mode; returns what came behind that."""
        channel = self._settings.channel
        self._stream.write(b"\r\r")  # ends whatever half a command an earlier program left
        self._ask(b"C\r")  # refused by an adapter that is closed already: that is fine
        self._drain()
        rate, _ = self._ask(self._rate.encode() + b"\r")
        version, serial = self._identify()
        if not rate and not version and not serial:
            raise AdapterError(
                f"{channel} opens, but nothing there answers as an SLCAN adapter. Is it the right "
                f"port, and is the baud rate right (for example {channel.split('@')[0]}@2000000)?"
            )
        if rate == NAK:
            raise AdapterError(
                f"The adapter at {channel} refuses {self._settings.bitrate} bit/s. Choose another "
                "bitrate, or unplug the adapter and plug it in again."
            )
        if self._settings.fd:
            self._ask(DATA_BITRATES[self._settings.data_bitrate].encode() + b"\r")
        listen = self._settings.mode == LISTEN
        answer, rest = self._ask(b"L\r" if listen else b"O\r")
        if answer == NAK and listen:
            raise AdapterError(
                f"The adapter at {channel} cannot listen only (it refuses 'L'). Choose mode "
                "'acknowledge' if it may acknowledge frames on this bus."
            )
        if answer == NAK:
            raise AdapterError(f"The adapter at {channel} refuses to open the bus ('O').")
        note = "" if answer else "The adapter did not confirm that it opened the bus."
        self.capabilities = Capabilities(
            f"SLCAN {version}".strip(), True, self._settings.mode == ACTIVE, serial, note
        )
        return rest

    def _identify(self) -> tuple[str, str]:
        """Version and serial number, "" where the adapter does not tell."""
        self._stream.write(b"V\rN\r")
        answer = b""
        end = time.monotonic() + _ANSWER_S
        while len(_ENDS.findall(answer)) < 2 and (left := end - time.monotonic()) > 0:
            answer += self._stream.read(left)
        version = serial = ""
        for line in _ENDS.split(answer):
            if _REPLY.fullmatch(line) and line[:1] == b"N":
                serial = line[1:].decode("ascii").strip()
            elif _REPLY.fullmatch(line):
                version = line.decode("ascii").strip()
        return version, serial

    def _ask(self, command: bytes) -> tuple[bytes, bytes]:
        """CR, NAK or b"" (no answer in time), and what came besides.

        An answer is a terminator with nothing before it: other text, such as frames still under
        way or the sentences of a device that is no adapter, answers nothing.
        """
        self._stream.write(command)
        answer = b""
        end = time.monotonic() + _ANSWER_S
        while (left := end - time.monotonic()) > 0 and len(answer) < _MAX_ANSWER:
            answer += self._stream.read(left)
            found = _ANSWER.search(answer)
            if found:
                return found[1], answer[: found.start(1)] + answer[found.end(1) :]
        return b"", answer

    def _drain(self) -> None:
        """Throw away what an adapter that was still open sent before our command reached it."""
        end = time.monotonic() + 0.2
        while time.monotonic() < end and self._stream.read(0.03):
            pass

    def read(self, timeout_s: float) -> Frames:
        """Frames of everything that came, gathered for a few ms so that a full bus costs little."""
        pause = self._read_at + _GATHER_S - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        data = self._stream.read(timeout_s)
        chunks = [self._rest, data]
        while data and len(chunks) < _MOST_CHUNKS:
            try:
                data = self._stream.read(0)
            except AdapterError:
                break  # the next read meets it again; first what came before it
            chunks.append(data)
        now = time.monotonic_ns()
        self._read_at = time.monotonic()
        text = b"".join(chunks)
        self._ask_flags(text)
        parsed = slcan.parse(text, fd=self._settings.fd)
        self._rest = parsed.rest
        self._offered += parsed.lines - parsed.replies
        self._bad += parsed.bad
        self._refused += parsed.nak - self._flags.expected_naks(parsed.nak)
        frames = parsed.frames
        if len(frames):
            frames.time[:] = spread(frames, self._before_ns, now, self._settings.bitrate)
        self._before_ns = now
        return frames

    def _ask_flags(self, text: bytes) -> None:
        """Once a second: how is the bus? Asks the adapter, not the bus."""
        found = _FLAG_REPLY.search(text)
        if found:
            self._flags.told(int(found[1], 16), self._settings.mode != LISTEN)
        if self._flags.due(time.monotonic()):
            self._stream.write(b"F\r")

    def write(self, frames: Frames) -> None:
        """Transmit; only in active mode."""
        if self._settings.mode != ACTIVE:
            raise AdapterError(f"Mode '{self._settings.mode}' transmits nothing.")
        self._stream.write(slcan.encode(frames))

    def close(self) -> None:
        """Leave the bus if the adapter still listens to us, and always close the port."""
        with contextlib.suppress(AdapterError):  # it has gone: then it is off the bus as well
            self._stream.write(b"C\r")
        self._stream.close()


def _rate_command(settings: AdapterSettings) -> str:
    command = BITRATES.get(settings.bitrate)
    if command is None:
        known = ", ".join(str(rate) for rate in BITRATES)
        raise AdapterError(f"SLCAN knows no {settings.bitrate} bit/s. It knows {known}.")
    if settings.fd and settings.data_bitrate not in DATA_BITRATES:
        raise AdapterError("SLCAN with CAN FD knows data bitrates of 2000000 and 5000000 bit/s.")
    return command
