"""What a session tells of itself: frozen snapshots that the window and the commands poll.

Plain data. A snapshot is replaced as a whole, so a reader in another thread never sees half of one.
"""

from dataclasses import dataclass

from bms_studio.diagnosis.contract import Verdict


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """The adapter: `state` idle, connecting, connected, stale, lost, reconnecting or replay.

    mode: listen, acknowledge or active; rates per second; bus_load 0..1 (NaN unknown); dropped:
    frames per stage; message: one sentence when something is wrong, with its remedy.
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
