"""The tick of the wiggle test: a short click through whatever plays sound on this computer.

Qt's own bell is silent on many desktops, so a tick is played by the system's player, and whether
it was really started and ended well is known: a computer without sound is said to be one.
"""

import math
import shutil
import struct
import subprocess
import sys
import wave
from collections.abc import Sequence
from pathlib import Path

from bms_studio.gui.settings import home

_RATE_HZ, _TONE_HZ, _SECONDS, _DECAY_S = 22050, 1600.0, 0.06, 0.012
# Players that take a file and end when it has been heard, the likeliest first.
PLAYERS: tuple[tuple[str, ...], ...] = (
    ("afplay",),
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("play", "-q"),
)


class Tick:
    """`play()` ticks; `state` is "unknown" before the first has been heard, "plays" or "silent"."""

    def __init__(self, players: Sequence[Sequence[str]] = PLAYERS) -> None:
        self.state = "unknown"
        self._players = [tuple(p) for p in players if shutil.which(p[0])]
        self._running: subprocess.Popen[bytes] | None = None
        self._file: Path | None = None
        if not self._players and sys.platform != "win32":
            self.state = "silent"

    def play(self) -> None:
        """Tick once; one that comes while the last is still heard is not played twice."""
        self.look()
        if self._running is not None or self.state == "silent":
            return
        if self._file is None:
            self._file = _write_tick(home() / "tick.wav")
        if sys.platform == "win32":
            self._play_on_windows(self._file)
            return
        self._running = subprocess.Popen(
            [*self._players[0], str(self._file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def look(self) -> None:
        """Learn how the last tick ended; a player that failed gives way to the next."""
        code = self._running.poll() if self._running is not None else None
        if code is None:
            return
        self._running = None
        if code == 0:
            self.state = "plays"
            return
        self._players.pop(0)
        self.state = "unknown" if self._players else "silent"
        if self._players:
            self.play()

    def wait(self, timeout_s: float) -> None:
        """Wait for the tick under way, and for the players that follow one that failed."""
        while self._running is not None:
            self._running.wait(timeout_s)
            self.look()

    def close(self) -> None:
        """End a player that still runs."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def _play_on_windows(self, path: Path) -> None:
        if sys.platform == "win32":
            import winsound

            flags = winsound.SND_FILENAME | winsound.SND_ASYNC | winsound.SND_NODEFAULT
            try:
                winsound.PlaySound(str(path), flags)
            except RuntimeError:
                self.state = "silent"
            else:
                self.state = "plays"


def _write_tick(path: Path) -> Path:
    """A click that dies away, 16 bit, one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = [
        int(
            24_000
            * math.exp(-k / _RATE_HZ / _DECAY_S)
            * math.sin(2 * math.pi * _TONE_HZ * k / _RATE_HZ)
        )
        for k in range(int(_RATE_HZ * _SECONDS))
    ]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes(struct.pack(f"<{len(values)}h", *values))
    return path
