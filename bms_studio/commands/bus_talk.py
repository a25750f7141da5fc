"""What `record` says about the bus while it records: the protocol found, or why there are no cells.

Looks at the frames of the first seconds and then at the newest ones; prints nothing itself.
"""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bms_studio.acquisition.status import AcquisitionStatus
    from bms_studio.interpret import Request
    from bms_studio.status import BusWord
    from protocols.frames import Frames

_LOOK_S = (2.0, 5.0, 15.0)  # after the beginning, then every so often while there are no cells
_WINDOW_S = 2.0
_MOST_FRAMES = 20_000


class BusTalk:
    """Sentences for a person, each said once."""

    def __init__(self, request: "Request") -> None:
        self._request = request
        self._begun = time.monotonic()
        self._looks = 0
        self._next_s = _LOOK_S[0]
        self._parts: list[tuple[float, Frames]] = []
        self._said = ""
        self._found = False

    def lines(self, frames: "Frames", status: "AcquisitionStatus") -> list[str]:
        """What is new, given the frames since the last call."""
        now = time.monotonic() - self._begun
        if len(frames):
            self._parts.append((now, frames))
        while self._too_much(now):
            self._parts.pop(0)
        if status.asking == "yielding" or now >= self._next_s:
            if now >= self._next_s:
                self._looks += 1
                last = self._looks >= len(_LOOK_S)
                self._next_s = now + _LOOK_S[-1] if last else _LOOK_S[self._looks]
            return self._look(now, status)
        return []

    def _too_much(self, now: float) -> bool:
        """Once the protocol is known only the newest frames matter."""
        if self._found and self._parts and self._parts[0][0] < now - _WINDOW_S:
            return True
        return sum(len(f) for _, f in self._parts[1:]) > _MOST_FRAMES

    def _look(self, now: float, status: "AcquisitionStatus") -> list[str]:
        from bms_studio.hearing import Heard, judge
        from bms_studio.messages import render
        from protocols.frames import concatenate, empty_frames

        lines: list[str] = []
        kept = concatenate([f for _, f in self._parts]) if self._parts else empty_frames()
        protocol, title, cells = self._recognise(kept, lines)
        newest = [f for at, f in self._parts if at >= now - _WINDOW_S]
        recent = concatenate(newest) if newest else empty_frames()
        heard = Heard(
            recent,
            min(_WINDOW_S, now),
            status.mode,
            status.bitrate,
            errors=status.errors,
            bus_state=status.bus_state,
            protocol=protocol,
            title=title,
            cells=cells,
            asking=status.asking,
            other_id=status.other_id,
        )
        word = judge(heard) if not self._found or status.asking else None
        code = word.code if word else ""
        if word is not None and code != self._said:
            lines.append(f"{render(word.code, word.parameters)} {_remedy(word)}".strip())
        self._said = code
        return lines

    def _recognise(self, frames: "Frames", lines: list[str]) -> tuple[str, str, int]:
        """Name, title and cells of the protocol; says so once when cells are there."""
        from bms_studio.interpret import interpret
        from bms_studio.pipeline import Pipeline

        meaning = interpret(frames, self._request) if len(frames) and not self._found else None
        if meaning is None:
            return "", "", int(self._found)
        pipeline = Pipeline(meaning.databases, meaning.mapping)
        pipeline.push(frames)
        scanner = pipeline.scanner("cell")
        cells = scanner.columns if scanner else 0
        if cells:
            self._found = True
            sure = f", confidence {meaning.confidence:.2f}" if meaning.confidence else ""
            second = f", runner-up {meaning.runner_up}" if meaning.runner_up else ""
            lines.append(f"{meaning.title}: {cells} cells{sure}{second}")
        return meaning.mapping.protocol, meaning.title, cells


def _remedy(word: "BusWord") -> str:
    """The remedy, and how to say on the command line what the window offers with a button."""
    from bms_studio.messages import render

    words = [render(word.remedy)] if word.remedy else []
    flags = {"acknowledge": "--acknowledge", "ask": "--active --protocol {0}", "bitrate": "-b {1}"}
    shown = [
        flags[offer.deed].format(offer.protocol, offer.bitrate)
        for offer in word.offers
        if offer.deed in flags
    ]
    if shown:
        words.append(f"(record with {', or '.join(shown)})")
    return " ".join(words)
