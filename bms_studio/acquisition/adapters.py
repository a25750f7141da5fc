"""What every adapter offers to the acquisition loop, and opening the one that settings name.

The contract is small so that a new adapter is one new file and one line here. Which adapters are
plugged in is in `ports.py`; python-can enters only through `bus.py`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bms_studio.acquisition.settings import AdapterSettings
from protocols.frames import EXTENDED, Frames


class AdapterError(Exception):
    """The adapter cannot be opened or has gone; the text says so in one sentence with a remedy."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an opened adapter can do and who it is. `note` is a warning for people, or empty.

    listens: the mode asked for is kept by the hardware; False where the adapter cannot be kept
    from acknowledging. serial: what tells this adapter from its twins, where it says so.
    """

    name: str
    listens: bool
    transmits: bool
    serial: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class AdapterCounts:
    """Lines or frames the adapter handed over == frames read + bad. refused: NAKs since open.
    errors: errors on the bus that it told of otherwise than by error frames."""

    offered: int
    bad: int
    refused: int = 0
    adapter_dropped: int = 0
    errors: int = 0

    def __add__(self, other: "AdapterCounts") -> "AdapterCounts":
        """The counts of two adapters, or of one before and after it was opened again."""
        return AdapterCounts(
            self.offered + other.offered,
            self.bad + other.bad,
            self.refused + other.refused,
            self.adapter_dropped + other.adapter_dropped,
            self.errors + other.errors,
        )


class Adapter(Protocol):
    """One opened adapter. All methods are called from one thread."""

    capabilities: Capabilities

    @property
    def counts(self) -> AdapterCounts:
        """What came in since opening."""

    @property
    def bus_state(self) -> str:
        """The controller: active, warning, passive, off; "" where the adapter does not tell."""

    def read(self, timeout_s: float) -> Frames:
        """All frames waiting, `time` as monotonic ns of arrival; none if nothing came in time.

        Raises AdapterError when the adapter has gone.
        """

    def write(self, frames: Frames) -> None:
        """Transmit. Raises AdapterError if the mode forbids it or the adapter has gone."""

    def close(self) -> None:
        """Leave the bus and give the port back, whatever state it is in; never raises."""


def open_adapter(settings: AdapterSettings) -> Adapter:
    """The opened adapter. Raises AdapterError with a remedy, within 2 s for a serial adapter."""
    if settings.interface == "slcan":
        from bms_studio.acquisition.slcan import SlcanAdapter

        return SlcanAdapter(settings)
    from bms_studio.acquisition.bus import BusAdapter

    return BusAdapter(settings)


def frame_bits(frames: Frames) -> NDArray[np.int64]:
    """Bits of each frame on the wire, with intermission, without stuffing (so a lower bound).

    ISO 11898-1: 47 + 8 per byte with an 11-bit id, 67 + 8 per byte with a 29-bit id. CAN FD
    frames are counted with the same formula at the nominal rate, which overstates them.
    """
    extended = (frames.flags & EXTENDED).astype(np.int64)
    return 47 + 20 * extended + 8 * frames.length.astype(np.int64)


def spread(frames: Frames, before_ns: int, now_ns: int, bitrate: int) -> NDArray[np.int64]:
    """Likely instants of frames that one read at `now_ns` delivered together.

    They cannot have come closer than the wire allows, nor before the last read (`before_ns`):
    counted back from now by the bits of the frames behind each.
    """
    bit_ns = frame_bits(frames) * 1_000_000_000 // bitrate
    behind = np.cumsum(bit_ns[::-1])[::-1] - bit_ns
    instants: NDArray[np.int64] = np.maximum(now_ns - behind, before_ns)
    return instants
