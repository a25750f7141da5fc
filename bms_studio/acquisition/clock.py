"""Time of the received frames: a monotonic clock anchored once to the wall clock.

A step of the wall clock becomes an event and never a jump in the data; sleep of the computer is
added, because it really passed. Time never runs backwards. Clocks are handed in so that tests can
step them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP_NS = 250_000_000


def awake_and_asleep_ns() -> int:
    """A monotonic clock that also runs while the computer sleeps, where the system has one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class Step:
    """What `Clock.check` noticed. kind: "clock-step" or "suspend"; delta_ns is signed."""

    kind: str
    delta_ns: int

    @property
    def words(self) -> str:
        """One English sentence."""
        seconds = self.delta_ns / 1e9
        if self.kind == "suspend":
            return f"The computer slept for {seconds:.1f} s."
        way = "forward" if seconds > 0 else "back"
        put = f"The computer's clock was put {way} by {abs(seconds):.1f} s"
        return f"{put}; the data keep their own time."


class Clock:
    """Turns monotonic instants into ns since 1970 UTC, for one session."""

    def __init__(
        self,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        boot_ns: Callable[[], int] = awake_and_asleep_ns,
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns
        self._boot_ns = boot_ns
        self._offset_ns = wall_ns() - monotonic_ns()
        self._asleep_ns = boot_ns() - monotonic_ns()
        self._noticed_ns = 0  # wall clock minus ours, as far as it has been reported
        self._last_ns = 0

    @property
    def anchor(self) -> tuple[int, int]:
        """A pair (monotonic ns, ns since 1970) that belong together."""
        now = self._monotonic_ns()
        return now, now + self._offset_ns

    def monotonic_ns(self) -> int:
        """The clock that adapters stamp with."""
        return self._monotonic_ns()

    def now(self) -> int:
        """Now in ns since 1970; never earlier than any stamp given out before."""
        self._last_ns = max(self._last_ns, self._monotonic_ns() + self._offset_ns)
        return self._last_ns

    def stamp(self, monotonic_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """ns since 1970 of monotonic instants, non-decreasing also across calls."""
        if not len(monotonic_ns):
            return monotonic_ns
        stamps = np.maximum.accumulate(np.maximum(monotonic_ns + self._offset_ns, self._last_ns))
        self._last_ns = int(stamps[-1])
        return stamps

    def check(self) -> list[Step]:
        """What happened to the clocks since the last call; call about once a second."""
        steps = []
        asleep = self._boot_ns() - self._monotonic_ns()
        slept = asleep - self._asleep_ns
        if slept > STEP_NS:
            self._asleep_ns = asleep
            self._offset_ns += slept
            steps.append(Step("suspend", slept))
        ahead = self._wall_ns() - self._monotonic_ns() - self._offset_ns
        if abs(ahead - self._noticed_ns) > STEP_NS:
            steps.append(Step("clock-step", ahead - self._noticed_ns))
            self._noticed_ns = ahead
        return steps

    def reanchor(self) -> int:
        """Across a gap in the data: follow a wall clock that went forward; returns by how much.

        A wall clock that went back is not followed: two rows would share an instant.
        """
        ahead = self._wall_ns() - self._monotonic_ns() - self._offset_ns
        if ahead <= STEP_NS:
            return 0
        self._offset_ns += ahead
        self._noticed_ns = 0
        return ahead
