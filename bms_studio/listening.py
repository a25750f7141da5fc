"""What the bus of a live session gives, judged twice a second, and what a click changes about it.

Watches frames and the acquisition's status beside the derivation; asks the acquisition program for
another mode, bitrate or questions when a person accepted an offer. While a bitrate is being
searched it only listens. No Qt; one thread, the session's.
"""

import time
from collections.abc import Callable

from bms_studio.acquisition.client import Acquisition
from bms_studio.acquisition.control import ControlError
from bms_studio.acquisition.settings import ACKNOWLEDGE, ACTIVE, LISTEN
from bms_studio.acquisition.status import AcquisitionStatus
from bms_studio.hearing import Heard, judge
from bms_studio.status import BusWord, Offer
from protocols.frames import ERROR, TRANSMITTED, Frames, concatenate, empty_frames
from protocols.registry import load

WINDOW_S = 2.0
_LOOK_S = 0.5
# A slow BMS sends once a second; before this nothing is said.
_EARLIEST_S = 1.6
_NO_BMS_S = 3.0
_SEARCH_S = 1.2
_MOST_FRAMES = 20_000
# Answers have come for this long and still nobody recognised them: the person's word counts.
_NAMED_AFTER_S = 2.5


class Listening:
    """`word` is why there are no cells; None while all is well or it is too early to say."""

    def __init__(
        self,
        acquisition: Acquisition,
        search: tuple[int, ...] = (),
        ask: str = "",
        name_protocol: Callable[[str], None] = lambda name: None,
    ) -> None:
        """search: bitrates to try, listening only, while nothing is heard. ask: a protocol that the
        person named together with mode active: its questions are put at once. name_protocol: told
        when a protocol that was asked answers and is not recognised by itself."""
        self.word: BusWord | None = None
        self.problem = ""  # one sentence when the adapter refused what was asked of it
        self._acquisition = acquisition
        self._search, self._tried = search, set[int]()
        self._name_protocol = name_protocol
        self._asked = ""
        self._answers_since_s = 0.0
        self._recent: list[tuple[float, Frames]] = []
        self._errors: list[tuple[float, int]] = []
        self._since_s = self._looked_s = time.monotonic()
        self._heard_s = 0.0  # since when frames come
        if ask and load(ask).polls:
            self._put_questions(ask)

    def push(self, frames: Frames) -> None:
        """Frames as they come from the ring."""
        now = time.monotonic()
        if len(frames):
            self._recent.append((now, frames))
        while self._recent and self._recent[0][0] < now - WINDOW_S:
            self._recent.pop(0)
        while sum(len(f) for _, f in self._recent[1:]) > _MOST_FRAMES:
            self._recent.pop(0)

    def look(self, status: AcquisitionStatus, protocol: str, title: str, cells: int) -> None:
        """Judge anew, at most twice a second. protocol, title, cells: what was recognised."""
        now = time.monotonic()
        if now - self._looked_s < _LOOK_S:
            return
        self._looked_s = now
        self._errors.append((now, status.errors))
        while self._errors[0][0] < now - WINDOW_S:
            self._errors.pop(0)
        if status.state not in ("connected", "stale"):
            self.word, self._since_s = None, now
            return
        frames = concatenate([f for _, f in self._recent]) if self._recent else empty_frames()
        good = bool(((frames.flags & (ERROR | TRANSMITTED)) == 0).any())
        self._heard_s = (self._heard_s or now) if good else 0.0
        self._name(status, protocol, now)
        if good:
            self._search = ()
        elif self._search and status.mode == LISTEN:
            if now - self._since_s > _SEARCH_S:
                self._next_bitrate(status.bitrate)
            if self._tried.issuperset(self._search):
                self.word = self._judged(frames, status, protocol, title, cells, _SEARCH_S)
            return
        seen_s = now - self._since_s
        if seen_s < _EARLIEST_S or (good and not protocol and now - self._heard_s < _NO_BMS_S):
            if cells or status.asking == "yielding":
                self.word = self._judged(frames, status, protocol, title, cells, seen_s)
            return
        self.word = self._judged(frames, status, protocol, title, cells, seen_s)

    def _judged(
        self,
        frames: Frames,
        status: AcquisitionStatus,
        protocol: str,
        title: str,
        cells: int,
        seen_s: float,
    ) -> BusWord | None:
        span_s = min(WINDOW_S, seen_s)
        if self._recent:  # a busy bus keeps less than the window
            span_s = min(span_s, max(time.monotonic() - self._recent[0][0], 0.1))
        heard = Heard(
            frames,
            span_s,
            status.mode,
            status.bitrate,
            errors=status.errors - self._errors[0][1],
            bus_state=status.bus_state,
            protocol=protocol or self._asked,
            title=title,
            cells=cells,
            asking=status.asking,
            other_id=status.other_id,
        )
        return judge(heard, tuple(self._tried))

    def _name(self, status: AcquisitionStatus, protocol: str, now_s: float) -> None:
        """A protocol that is asked and answers is that protocol, unless another is recognised."""
        if not self._asked or not status.answered:
            return
        self._answers_since_s = self._answers_since_s or now_s
        if now_s - self._answers_since_s >= _NAMED_AFTER_S:
            if not protocol:
                self._name_protocol(self._asked)
            self._asked = ""

    def _next_bitrate(self, now_at: int) -> None:
        self._tried.add(now_at)
        at = self._search.index(now_at) if now_at in self._search else -1
        self._change(LISTEN, self._search[(at + 1) % len(self._search)])

    def accept(self, offer: Offer) -> None:
        """Do what a person clicked on."""
        self.problem, self.word = "", None
        self._search, status = (), self._acquisition.status()
        silent = not self._heard_s
        if offer.deed == "acknowledge":
            self._change(ACKNOWLEDGE)
        elif offer.deed == "bitrate":
            self._change(status.mode, offer.bitrate)
        elif offer.deed == "hush":
            self._change(LISTEN)
            self._asked = ""
        elif offer.deed == "ask" and self._change(ACTIVE, offer.bitrate if silent else 0):
            self._put_questions(offer.protocol)

    def _put_questions(self, name: str) -> None:
        try:
            self._acquisition.ask(load(name).schedule)
        except ControlError as problem:
            self.problem = str(problem)
        else:
            self._asked, self._answers_since_s = name, 0.0

    def _change(self, mode: str, bitrate: int = 0) -> bool:
        self._since_s = time.monotonic()
        self._recent.clear()
        try:
            self._acquisition.change_mode(mode, bitrate)
        except ControlError as problem:
            self.problem = str(problem)
            return False
        return True
