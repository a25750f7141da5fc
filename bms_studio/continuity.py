"""After a gap: does the same pack go on? Frames are held back until that can be said.

Shared by the live session and the builder, so that both draw the line at the same place.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bms_studio.pack.identity import Fingerprint, same_pack
from bms_studio.pipeline import Pipeline
from protocols.frames import Frames, concatenate

# Long enough for a slow BMS to send its serial number and every cell once or twice.
DECIDE_AFTER_NS = 3_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """ "same", "other" or "doubt", and the frames that were held back until it fell."""

    word: str
    frames: Frames


class Continuity:
    """`fresh` makes a Pipeline for the frames after a gap; `serial` reads a serial number."""

    def __init__(
        self, fresh: Callable[[], Pipeline], serial: Callable[[Frames], str | None] | None
    ) -> None:
        self._fresh = fresh
        self._serial = serial
        self._before: Fingerprint | None = None
        self._held: list[Frames] = []
        self.serial = ""

    @property
    def undecided(self) -> bool:
        """True between a gap and the decision."""
        return self._before is not None

    @property
    def held_back(self) -> int:
        """Frames that wait for the decision."""
        return sum(len(block) for block in self._held)

    def mean(
        self, fresh: Callable[[], Pipeline], serial: Callable[[Frames], str | None] | None
    ) -> None:
        """Frames mean something else now; what is known of the pack stays."""
        self._fresh, self._serial = fresh, serial

    def learn(self, frames: Frames) -> None:
        """Look for the serial number while it is unknown."""
        if not self.serial and self._serial is not None:
            self.serial = self._serial(frames) or ""

    def gap(self, pipeline: Pipeline) -> None:
        """A gap begins; `pipeline` knows the pack that was there before."""
        if not self.undecided:
            self._before = Fingerprint(self.serial, _cells(pipeline))

    def push(self, frames: Frames, ended: bool = False) -> Decision | None:
        """Frames after a gap; the decision once they suffice or the stream has ended."""
        self._held.append(frames)
        held = concatenate(self._held)
        if self._before is None or not len(held):
            return None
        serial = (self._serial(held) if self._serial else None) or ""
        enough = held.time[-1] - held.time[0] >= DECIDE_AFTER_NS
        if not (enough or ended or (serial and self._before.serial)):
            return None
        pipeline = self._fresh()
        pipeline.push(held)
        word = same_pack(self._before, Fingerprint(serial, _cells(pipeline)))
        self._before, self._held = None, []
        if word != "same":
            self.serial = serial
        return Decision(word, held)


def _cells(pipeline: Pipeline) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    scanner = pipeline.scanner("cell")
    return scanner.held.copy() if scanner is not None else np.empty(0)
