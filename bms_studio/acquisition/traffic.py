"""How much is on the bus: counts, rate, load, the usual pause between frames. No adapter."""

import time

import numpy as np

from bms_studio.acquisition.adapters import frame_bits
from protocols.frames import ERROR, Frames

STALE_S = 2.0


class Traffic:
    """Frames received since the start; error frames are counted apart as well."""

    def __init__(self) -> None:
        self.frames = self.errors = 0
        self.last_ns = 0  # time of the newest frame, 0 before the first
        self._bits = 0
        self._last_at = time.monotonic()
        self._period_s = 0.0
        self._second = (time.monotonic(), 0, 0)  # since, frames, bits

    def connected(self) -> None:
        """An adapter has just been opened: silence counts from now."""
        self._last_at = time.monotonic()

    def take(self, frames: Frames) -> None:
        """Count stamped frames, at least one."""
        now = time.monotonic()
        wrong = int(np.count_nonzero(frames.flags & ERROR))
        self.errors += wrong
        self.frames += len(frames)
        self._bits += int(frame_bits(frames).sum())
        share = (now - self._last_at) / len(frames)
        self._period_s = share if not self._period_s else 0.9 * self._period_s + 0.1 * share
        if wrong < len(frames):
            self._last_at = now
            self.last_ns = int(frames.time[-1])

    @property
    def silent(self) -> bool:
        """No frame (errors are none) for 2 s, or three usual periods where that is longer."""
        return time.monotonic() - self._last_at > max(STALE_S, 3 * self._period_s)

    def measure(self, now_s: float, bitrate: int) -> tuple[float, float] | None:
        """Frames per second and load 0..1 of the last second; None before it is over."""
        since, frames, bits = self._second
        if now_s - since < 1.0:
            return None
        rate_hz = (self.frames - frames) / (now_s - since)
        load = (self._bits - bits) / (now_s - since) / bitrate
        self._second = (now_s, self.frames, self._bits)
        return rate_hz, load
