"""Words of connecting: what a person chose, the adapters there are, and what a live test heard.

Plain data, shared by the window and the place where sessions come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bms_studio.status import BusWord


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
    """One adapter of the list: what it is called, and its serial number ("" unknown).

    likely: known as a CAN adapter; else a serial port that may be one (to be tried on a click).
    last_used: the one connected last. missing: code of what has to be mended before it works ("" is
    ready), with the parameters of that sentence. listens: whether it can be kept from
    acknowledging: yes, no, link (as the system's link is set up).
    """

    interface: str
    channel: str
    name: str
    serial: str = ""
    likely: bool = True
    last_used: bool = False
    missing: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    listens: str = "yes"


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
    runner_up: str = ""
    bus: BusWord | None = None  # why there are no cells, and what would help
    note: str = ""  # a warning of the adapter
