"""After a gap: does the same pack go on? Frames are held back until that can be said.

A gap is a link that was lost, or a bus that fell silent: packs are swapped without unplugging the
adapter. After mere silence only a clear "other" counts; after a lost link doubt counts too. Shared
by the live session and the builder, so that both draw the line at the same place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bms_studio.pack.identity import Fingerprint, same_pack
from bms_studio.pipeline import Pipeline
from protocols.frames import Frames, concatenate

# Long enough for a slow BMS to send its serial number and every cell once or twice.
DECIDE_AFTER_NS = 3_000_000_000
SILENCE_NS = 2_000_000_000


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
        self._silence = False
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

    def changed(self, frames: Frames) -> bool:
        """Whether these frames carry another serial number than the one known."""
        if not self.serial or self._serial is None:
            return False
        return (self._serial(frames) or self.serial) != self.serial

    def gap(self, pipeline: Pipeline, *, silence: bool = False) -> None:
        """A gap begins; `pipeline` knows the pack that was there before."""
        if not self.undecided:
            self._silence = silence
            self._before = _fingerprint(self.serial, pipeline)

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
        word = same_pack(self._before, _fingerprint(serial, pipeline))
        if word == "doubt" and self._silence:
            word = "same"
        self._before, self._held = None, []
        if word != "same":
            self.serial = serial
        return Decision(word, held)


def _fingerprint(serial: str, pipeline: Pipeline) -> Fingerprint:
    scanner = pipeline.scanner("cell")
    if scanner is None:
        return Fingerprint(serial, np.empty(0), complete=False)
    return Fingerprint(serial, scanner.held.copy(), scanner.rounds > 0)


def split_at_silence(frames: Frames, last_ns: int) -> list[tuple[bool, Frames]]:
    """The frames cut where the bus was silent: (silence before it, part). last_ns: the newest frame
    before these, 0 none."""
    if not len(frames):
        return []
    before = np.concatenate([[last_ns or frames.time[0]], frames.time[:-1]])
    cuts = np.flatnonzero(frames.time - before > SILENCE_NS)
    edges = sorted({0, *cuts.tolist(), len(frames)})
    silent = set(cuts.tolist())
    return [(first in silent, frames[first:last]) for first, last in pairwise(edges)]
