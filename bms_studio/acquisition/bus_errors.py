"""What adapters tell of errors on the bus, and what to do after bus-off.

Words only: reading the adapter and opening it again is the loop's work. Sources: linux/can/error.h
for the error frames of SocketCAN and gs_usb; CAN232 manual (LAWICEL AB) for the flags of SLCAN.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols.frames import ERROR, Frames

UNKNOWN, ACTIVE, WARNING, PASSIVE, OFF = "", "active", "warning", "passive", "off"
RECOVER_S = (1.0, 30.0)

_CONTROLLER, _BUS_OFF, _RESTARTED = 0x04, 0x40, 0x100
_BACK_TO_ACTIVE, _PASSIVE_BITS, _WARNING_BITS = 0x40, 0x30, 0x0C
_EI, _EPI, _BEI = 0x04, 0x20, 0x80


def state_from_frames(frames: Frames, before: str) -> str:
    """The controller's state after these error frames; a good frame ends bus-off."""
    errors = np.flatnonzero((frames.flags & ERROR) != 0)
    state = before
    if len(errors) < len(frames) and state == OFF:
        state = ACTIVE
    for row in errors.tolist():
        kind, detail = int(frames.id[row]), int(frames.data[row, 1])
        if kind & _BUS_OFF:
            state = OFF
        elif kind & _RESTARTED or (kind & _CONTROLLER and detail & _BACK_TO_ACTIVE):
            state = ACTIVE
        elif kind & _CONTROLLER and detail & _PASSIVE_BITS:
            state = PASSIVE
        elif kind & _CONTROLLER and detail & _WARNING_BITS:
            state = WARNING
    return state


def state_from_flags(flags: int, may_send: bool) -> str:
    """The state behind SLCAN's status flags. They have no bit of their own for bus-off: a
    controller that may send and shows warning, passive and bus error together is taken to be."""
    if may_send and flags & (_EI | _EPI | _BEI) == _EI | _EPI | _BEI:
        return OFF
    if flags & _EPI:
        return PASSIVE
    return WARNING if flags & (_EI | _BEI) else ACTIVE


def is_bus_error(flags: int) -> bool:
    """Whether SLCAN's status flags tell of an error on the wire."""
    return bool(flags & (_EI | _EPI | _BEI))


@dataclass(frozen=True, slots=True)
class Advice:
    """recover: open the adapter again now. kind, text: for the journal, "" when nothing is new."""

    recover: bool = False
    kind: str = ""
    text: str = ""
    parameters: dict[str, Any] | None = None


class BusWatch:
    """Notices bus-off and its end; advises to open again, ever more rarely."""

    def __init__(self) -> None:
        self.offs = 0
        self._since_s = 0.0
        self._try_s = 0.0
        self._pause_s = RECOVER_S[0]
        self._off = False

    def look(self, state: str, now_s: float) -> Advice:
        """What to do in this state of the controller."""
        if state == OFF and not self._off:
            self._off, self._since_s = True, now_s
            self.offs += 1
            self._pause_s = RECOVER_S[0]
            self._try_s = now_s + self._pause_s
            text = (
                "The adapter is bus-off: too many of its frames failed. Check the bitrate, H and L "
                "and the 120 ohm; it is opened again by itself."
            )
            return Advice(kind="bus-off", text=text)
        if state == OFF and now_s >= self._try_s:
            self._pause_s = min(2 * self._pause_s, RECOVER_S[1])
            self._try_s = now_s + self._pause_s
            return Advice(recover=True)
        if state not in (OFF, UNKNOWN) and self._off:
            self._off = False
            seconds = now_s - self._since_s
            text = f"The adapter takes part in the bus again after {seconds:.1f} s."
            return Advice(kind="bus-on", text=text, parameters={"seconds": seconds})
        return Advice()
