"""What a session tells of itself: frozen snapshots that the window and the commands poll.

Plain data. A snapshot is replaced as a whole, so a reader in another thread never sees half of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bms_studio.diagnosis.contract import Verdict


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The adapter: `state` idle, connecting, connected, stale, lost, reconnecting or replay.

    mode: listen, acknowledge or active; rates per second; bus_load 0..1 (NaN unknown); dropped:
    frames per stage; message: one sentence when something is wrong, with its remedy. asking:
    "" or the state of the questions (`acquisition.asking`); errors on the bus; bus_state: active,
    warning, passive, off ("" unknown); bus_offs: how often the adapter was bus-off.
    """

    state: str = "idle"
    interface: str = ""
    channel: str = ""
    bitrate: int = 0
    mode: str = "listen"
    frames_per_s: float = 0.0
    bus_load: float = float("nan")
    dropped: tuple[tuple[str, int], ...] = ()
    message: str = ""
    simulated: bool = False
    asking: str = ""
    errors: int = 0
    bus_state: str = ""
    bus_offs: int = 0

    @property
    def lost(self) -> int:
        """Frames lost on the way, all stages together."""
        return sum(count for _, count in self.dropped)


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """state: off, recording, building, saved, failed or disk-full; progress 0..1 while building."""

    state: str = "off"
    path: str = ""
    since_ns: int = 0
    progress: float = 0.0
    message: str = ""

    @property
    def running(self) -> bool:
        """A recording that waits for space on the disk runs too."""
        return self.state in ("recording", "disk-full")


@dataclass(frozen=True, slots=True)
class PackStatus:
    """Who the pack is: cells, labels, chemistry and capacity where known (0 / "" unknown)."""

    serial: str = ""
    name: str = ""
    cells: int = 0
    probes: int = 0
    chemistry: str = ""
    capacity_ah: float = 0.0
    labels: tuple[str, ...] = ()
    layout: tuple[tuple[int, ...], ...] = ()
    cell_voltage_min: float = float("nan")
    cell_voltage_max: float = float("nan")
    state: str = ""  # rest, ride, charge; "" unknown
    sign: str = "unverified"  # unverified, agrees, contradicts


@dataclass(frozen=True, slots=True)
class Extreme:
    """The largest deviation from the median that a cell has shown: volts and when."""

    deviation_v: float
    time: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What a click would do on the bus. deed: acknowledge (open the adapter so that it does), ask
    (mode active, put the questions of `protocol`), bitrate (open it at `bitrate`), hush (stop
    asking, listen only).

    Of ask: title of the protocol for people, ids of all frames that would be sent (hex),
    per_second: how many of them at most, bitrate: where the protocol usually lives.
    """

    deed: str
    protocol: str = ""
    title: str = ""
    bitrate: int = 0
    ids: tuple[str, ...] = ()
    per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class BusWord:
    """Why the bus gives no cells: code and parameters of the sentence, code of the remedy, and
    what a click could do about it."""

    code: str
    parameters: Mapping[str, float | str | int]
    remedy: str = ""
    offers: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """Everything the window shows that is not a time series."""

    link: LinkStatus = LinkStatus()
    recording: RecordingStatus = RecordingStatus()
    pack: PackStatus = PackStatus()
    protocol: str = ""
    confidence: float = 0.0
    runner_up: str = ""
    verdict: Verdict | None = None
    extremes: tuple[Extreme, ...] = ()
    scan_s: float = float("nan")
    notes: tuple[str, ...] = ()
    question: str = ""  # code of one question waiting for the person (pack changed?)
    bus: BusWord | None = None  # why there are no cells, and what would help
    origin: tuple[tuple[str, str], ...] = ()  # where the data come from: (English name, value)
    black_box: RecordingStatus = RecordingStatus()  # what is kept around alerts, nobody recording
