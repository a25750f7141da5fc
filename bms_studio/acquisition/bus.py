"""Every adapter that python-can knows, read by our own loop.

The only module that imports python-can. Never its Notifier, whose thread dies silently with the
first error (python-can #1667, #907). Its errors, of whatever class, become AdapterError.
"""

import contextlib
import time
from typing import Any

import numpy as np

from bms_studio.acquisition.adapters import AdapterCounts, AdapterError, Capabilities
from bms_studio.acquisition.bus_errors import OFF, UNKNOWN, state_from_frames
from bms_studio.acquisition.settings import ACTIVE, LISTEN, AdapterSettings
from protocols.frames import (
    BIT_RATE_SWITCH,
    ERROR,
    EXTENDED,
    FD,
    REMOTE,
    TRANSMITTED,
    Frames,
    empty_frames,
)

# How each interface of python-can 4.6 is told to listen only.
_LISTEN_OPTIONS: dict[str, dict[str, Any]] = {
    "kvaser": {"driver_mode": False},
    "vector": {"listen_only": True},
    "nixnet": {"listen_only": True},
    "seeedstudio": {"operation_mode": "silent"},
}
# Interfaces whose state may be set to passive at opening.
_LISTEN_STATES = ("pcan", "systec")
# Not a wire: there is nothing to acknowledge.
_WIRELESS = ("virtual", "udp_multicast", "socketcand", "remote")
# Hand back what we sent as if somebody else had.
_ECHOING = ("udp_multicast",)
_ECHO_S = 0.5
_MOST = 512
_GATHER_S = 0.006


class BusAdapter:
    """An opened python-can bus. Raises AdapterError with what python-can said."""

    def __init__(self, settings: AdapterSettings) -> None:
        import can

        self._settings = settings
        self._received = 0
        self._state = UNKNOWN
        self._echoes: list[tuple[float, int, bytes]] = []
        options = _options(settings)
        if settings.mode == LISTEN and settings.interface in _LISTEN_STATES:
            options["state"] = can.BusState.PASSIVE
        try:
            self._bus = can.Bus(
                channel=settings.channel or None,
                interface=settings.interface,
                ignore_config=True,
                **options,
            )
        except Exception as problem:  # interfaces raise whatever their vendor's library raises
            raise AdapterError(
                f"{settings.interface} {settings.channel} cannot be opened ({problem}). Is the "
                "adapter plugged in, its driver installed, and the channel right?"
            ) from problem
        self._message = can.Message
        self.capabilities = _capabilities(settings)

    @property
    def counts(self) -> AdapterCounts:
        return AdapterCounts(self._received, 0)

    @property
    def bus_state(self) -> str:
        """From error frames, where the interface hands them over, else from the driver."""
        with contextlib.suppress(Exception):  # not every vendor's library can be asked
            if self._bus.state.name == "ERROR":
                return OFF
        return self._state

    def read(self, timeout_s: float) -> Frames:
        """Messages of a few ms together."""
        messages: list[Any] = []
        arrivals: list[int] = []
        wait = timeout_s
        until = 0.0
        while len(messages) < _MOST:
            try:
                message = self._bus.recv(wait)
            except Exception as problem:
                raise AdapterError(
                    f"{self._settings.interface} {self._settings.channel} has gone ({problem})."
                ) from problem
            now = time.monotonic()
            if message is not None and not self._is_echo(message):
                messages.append(message)
                arrivals.append(time.monotonic_ns())
                until = until or now + _GATHER_S
            wait = until - now
            if not messages or wait <= 0:
                break
        self._received += len(messages)
        frames = _frames(messages, arrivals)
        self._state = state_from_frames(frames, self._state)
        return frames

    def write(self, frames: Frames) -> None:
        """Transmit; only in active mode."""
        if self._settings.mode != ACTIVE:
            raise AdapterError(f"Mode '{self._settings.mode}' transmits nothing.")
        for row in range(len(frames)):
            flags, length = int(frames.flags[row]), int(frames.length[row])
            message = self._message(
                arbitration_id=int(frames.id[row]),
                is_extended_id=bool(flags & EXTENDED),
                is_remote_frame=bool(flags & REMOTE),
                is_fd=bool(flags & FD),
                bitrate_switch=bool(flags & BIT_RATE_SWITCH),
                data=None if flags & REMOTE else frames.data[row, :length].tobytes(),
            )
            if self._settings.interface in _ECHOING:
                sent = (time.monotonic(), message.arbitration_id, bytes(message.data))
                self._echoes.append(sent)
            try:
                self._bus.send(message, timeout=0.5)
            except Exception as problem:
                raise AdapterError(f"The adapter did not transmit ({problem}).") from problem

    def _is_echo(self, message: Any) -> bool:
        """Whether this is one of the frames that we have just sent: each comes back once."""
        if not self._echoes:
            return False
        since = time.monotonic() - _ECHO_S
        self._echoes = [e for e in self._echoes if e[0] > since]
        for echo in self._echoes:
            if echo[1:] == (message.arbitration_id, bytes(message.data)):
                self._echoes.remove(echo)
                return True
        return False

    def close(self) -> None:
        """Shut the bus down; what a vendor's library raises then helps nobody any more."""
        with contextlib.suppress(Exception):
            self._bus.shutdown()


def _options(settings: AdapterSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"bitrate": settings.bitrate}
    if settings.fd:
        options |= {"fd": True, "data_bitrate": settings.data_bitrate}
    if settings.mode == LISTEN:
        options |= _LISTEN_OPTIONS.get(settings.interface, {})
    return options


def _capabilities(settings: AdapterSettings) -> Capabilities:
    listens = settings.mode != LISTEN or can_listen(settings.interface) == "yes"
    note = ""
    if settings.interface == "socketcan":
        note = (
            "SocketCAN listens only if the link was set up so: ip link set "
            f"{settings.channel} type can bitrate {settings.bitrate} listen-only on."
        )
    elif not listens:
        note = (
            f"{settings.interface} cannot be told to listen only: it acknowledges frames on the "
            "bus. Nothing is transmitted."
        )
    return Capabilities(
        f"{settings.interface} {settings.channel}".strip(),
        listens,
        settings.mode == ACTIVE,
        note=note,
    )


def _frames(messages: list[Any], arrivals: list[int]) -> Frames:
    """The messages as columns."""
    width = 64 if any(len(message.data) > 8 for message in messages) else 8
    frames = empty_frames(len(messages), width)
    for row, message in enumerate(messages):
        frames.id[row] = message.arbitration_id
        frames.flags[row] = (
            EXTENDED * bool(message.is_extended_id)
            | FD * bool(message.is_fd)
            | BIT_RATE_SWITCH * bool(message.bitrate_switch)
            | REMOTE * bool(message.is_remote_frame)
            | ERROR * bool(message.is_error_frame)
            | TRANSMITTED * (not message.is_rx)
        )
        if not message.is_remote_frame:
            frames.length[row] = len(message.data)
            frames.data[row, : len(message.data)] = np.frombuffer(message.data, np.uint8)
    frames.time[:] = arrivals
    return frames


def can_listen(interface: str) -> str:
    """Whether this interface can be told to listen only: yes, no, or link (the system's link)."""
    if interface == "socketcan":
        return "link"
    return "yes" if interface in (*_LISTEN_OPTIONS, *_LISTEN_STATES, *_WIRELESS) else "no"


def detect() -> list[dict[str, Any]]:
    """The configurations python-can finds; its make-believe buses and serial ports left out."""
    import can

    found: list[dict[str, Any]] = []
    for interface in sorted(can.VALID_INTERFACES):
        if interface in (*_WIRELESS, "slcan", "serial", "robotell"):
            continue
        with contextlib.suppress(Exception):  # a vendor's library that is broken finds nothing
            found += [dict(one) for one in can.detect_available_configs([interface])]
    return found
