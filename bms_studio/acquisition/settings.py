"""What somebody chose about an adapter: plain, frozen, JSON-able. Nothing is opened here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

LISTEN, ACKNOWLEDGE, ACTIVE = "listen", "acknowledge", "active"
MODES = (LISTEN, ACKNOWLEDGE, ACTIVE)


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """One adapter on one bus.

    interface: "slcan" (our own reader) or any interface name of python-can; channel: a serial
    port ("COM5", "/dev/ttyACM0", "/dev/ttyUSB0@2000000" with a baud rate), "socket://host:port",
    or what python-can expects; bitrate and data_bitrate in bit/s; mode: listen (sends nothing, not
    even an acknowledge), acknowledge (acknowledges, never transmits), active (may transmit).
    Raises ValueError for a mode or bitrate that does not exist.
    """

    interface: str
    channel: str
    bitrate: int = 500_000
    fd: bool = False
    data_bitrate: int = 2_000_000
    mode: str = LISTEN

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"'{self.mode}' is no bus mode: choose {', '.join(MODES)}")
        if not self.interface:
            raise ValueError("no interface: choose one with -i, for example -i slcan")
        if self.bitrate <= 0 or self.data_bitrate <= 0:
            raise ValueError("a bitrate must be above zero, for example 500000")

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON-able words."""
        return asdict(self)


def settings_from(value: Mapping[str, Any]) -> AdapterSettings:
    """The settings that `as_dict` wrote; unknown words are ignored, missing ones have defaults."""
    known = {name: value[name] for name in AdapterSettings.__dataclass_fields__ if name in value}
    return AdapterSettings(**known)
