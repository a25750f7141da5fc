"""Which pack is this? The serial number where the protocol carries one.

After a gap in a recording it decides whether the same pack goes on. Cell counts and voltage
patterns are compared elsewhere, on samples.
"""

from protocols.contract import Protocol
from protocols.frames import Frames


def serial(frames: Frames, protocol: Protocol) -> str | None:
    """The serial number that the frames spell; None without one, or while parts are missing."""
    return protocol.serial(frames) if protocol.serial is not None else None
