"""Which pack is this? The serial number where the protocol carries one, and what else it says.

After a gap in a recording the serial number decides whether the same pack goes on. Cell counts and
voltage patterns are compared elsewhere, on samples.
"""

from protocols.contract import IDENTITY_WORDS, Protocol
from protocols.frames import Frames


def serial(frames: Frames, protocol: Protocol) -> str | None:
    """The serial number that the frames spell; None without one, or while parts are missing."""
    return protocol.serial(frames) if protocol.serial is not None else None


def said(frames: Frames, protocol: Protocol) -> tuple[str, ...]:
    """What the pack says of itself, one English phrase each: "the pack names its maker: PYLON"."""
    words = protocol.identity(frames) if protocol.identity is not None else {}
    return tuple(
        f"the pack names its {key}: {words[key]}" for key in IDENTITY_WORDS if words.get(key)
    )
