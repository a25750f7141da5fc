"""What an acquisition tells about itself: the words of the ring's status page, for both sides."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

OPENING, CONNECTED, STALE = "opening", "connected", "stale"
LOST, RECONNECTING, FAILED, ENDED = "lost", "reconnecting", "failed", "ended"


@dataclass(frozen=True, slots=True)
class AcquisitionStatus:
    """A snapshot, at most 0.2 s old while the program lives.

    state: opening, connected, stale (no frame for 2 s or three usual periods), lost, reconnecting,
    failed (the adapter never opened; `error` says why), ended (the program is gone).
    offered == received + dropped["parser"];
    received + transmitted == journaled + dropped["disk"] + waiting.
    Frames lost before us are dropped["adapter"], where the adapter counts them. rate_hz: frames/s
    of the last second; bus_load: 0..1, a lower bound (without stuffing). last_frame_ns: 0 before
    the first. anchor_*: two clock readings that belong together. heartbeat_ns: monotonic.
    asking and what follows: `asking.AskingStatus`. errors: error frames and errors that the adapter
    told of otherwise; bus_state: its controller ("" unknown); bus_offs: how often it was bus-off.
    """

    state: str = OPENING
    error: str = ""
    adapter: str = ""
    adapter_serial: str = ""
    note: str = ""
    listens: bool = True
    mode: str = "listen"
    pid: int = 0
    started_ns: int = 0
    offered: int = 0
    received: int = 0
    transmitted: int = 0
    journaled: int = 0
    waiting: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    refused_commands: int = 0
    reconnects: int = 0
    rate_hz: float = 0.0
    bus_load: float = 0.0
    last_frame_ns: int = 0
    journaling: bool = False
    journal_error: str = ""
    journal_folder: str = ""
    recording: str = ""
    recording_folder: str = ""
    recording_start_ns: int = 0
    simulated: bool = False
    anchor_monotonic_ns: int = 0
    anchor_wall_ns: int = 0
    heartbeat_ns: int = 0
    asking: str = ""
    asked: int = 0
    answered: int = 0
    unanswered: int = 0
    other_id: int = -1
    errors: int = 0
    bus_state: str = ""
    bus_offs: int = 0
    bitrate: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


def status_from(value: dict[str, Any]) -> AcquisitionStatus:
    """The snapshot that `as_dict` wrote; words of another version are ignored."""
    names = {f.name for f in fields(AcquisitionStatus)}
    return AcquisitionStatus(**{name: value[name] for name in names & value.keys()})
