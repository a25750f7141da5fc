"""Words of connecting: what a person chose, the adapters there are, and what a live test heard.

Plain data, shared by the window and the place where sessions come from.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectSettings:
    """What the connect dialog asks for. bitrate 0 and protocol "": find them by listening."""

    interface: str = ""
    channel: str = ""
    bitrate: int = 0
    mode: str = "listen"  # listen, acknowledge, active
    protocol: str = ""
    profile: str = ""
    databases: tuple[str, ...] = ()
    fd: bool = False
    data_bitrate: int = 0


@dataclass(frozen=True, slots=True)
class AdapterChoice:
    """One adapter of the list: what it is called, and its serial number ("" unknown)."""

    interface: str
    channel: str
    name: str
    serial: str = ""


@dataclass(frozen=True, slots=True)
class LinkTest:
    """Outcome of a live test: what was heard in at most 2 s. message: one sentence if it failed."""

    frames_per_s: float = 0.0
    bitrate: int = 0
    protocol: str = ""
    confidence: float = 0.0
    cells: int = 0
    message: str = ""
    question: str = ""  # "pack_alone": errors, silence or one endlessly repeated frame
