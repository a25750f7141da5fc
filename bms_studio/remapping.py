"""What the signals of a recording mean, settled again from its frames when somebody asks.

A recording keeps samples and frames, not the mapping that joined them. The file is never changed:
a correction derives what is shown again. No Qt, no HDF5; called in the replay's thread.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bms_studio.derivation import Derivation
from bms_studio.interpret import Interpretation, Request, interpret
from bms_studio.mapping_view import MappingReader, MappingView
from bms_studio.pack.corrections import check_role, opposite, with_sign
from bms_studio.pack.profile import Profile
from bms_studio.pack.profile_file import save_profile, stated_protocol
from bms_studio.pack.sign import SignCheck
from bms_studio.timeline import Event, Timeline
from protocols.frames import Frames
from protocols.registry import available
from protocols.signals import Database

# What `build` settles the meaning on.
_HEAD_FRAMES = 400_000
_HEAD_NS = 60_000_000_000


class Remapping:
    """`settle` and `correct` work in the replay's thread; `view` is for one reader."""

    def __init__(
        self,
        attributes: dict[str, Any],
        databases: tuple[Database, ...],
        profile: Profile,
        timeline: Timeline,
    ) -> None:
        """attributes: of the recording, as `load` describes them."""
        self.waiting = 0  # corrections that were asked for and not yet carried out
        self._attributes = attributes
        self._databases = databases
        self._timeline = timeline
        self._reader = MappingReader()
        self._problem = ""
        self._added: list[tuple[str, str]] = []
        given = databases if attributes["databases"] else ()
        self.derivation = Derivation(Request("", given, profile), timeline)
        self.derivation.analysis.enabled = False  # a replay analyses beside
        self.settled = False

    @property
    def profile(self) -> Profile:
        """The profile with all corrections so far."""
        return self.derivation.profile

    def check(self, name: str, role: str) -> None:
        """ValueError, one sentence, when the signal cannot be given this role."""
        if not self._timeline.frames.count:
            raise ValueError("This recording was made of samples: it has no signals to use.")
        check_role(self._databases, name, role)

    @property
    def databases(self) -> tuple[Database, ...]:
        """All databases known, those added last first."""
        return self._databases

    def add_database(self, database: Database, now_ns: int) -> None:
        """Settle the meaning anew with one more database, and derive everything again."""
        self.settle()
        self._databases = (database, *self._databases)
        head = self._timeline.frames.rows(0, _HEAD_FRAMES)
        head = head[head.time <= head.time[0] + _HEAD_NS] if len(head) else head
        try:
            self.derivation.add_database(database, head)
            self._problem = ""
        except ValueError as problem:
            self._problem = str(problem)
        self._added.append((database.name, database.text))
        self._timeline.add_event(Event(now_ns, "parameter", f"database = {database.name}"))
        self.waiting -= 1

    def save(self, path: Path) -> None:
        """Write the profile, and the recording's databases beside it. OSError as it comes."""
        stored = [(str(name), str(text)) for name, text in self._attributes["databases"]]
        stored = [*self._added, *stored]
        named = stated_protocol("", self._attributes["protocol"])
        save_profile(path, self.profile, stored, named)

    def settle(self) -> None:
        """The meaning that the builder found, found again."""
        if self.settled:
            return
        log = self._timeline.frames
        head = log.rows(0, _HEAD_FRAMES)
        if len(head):
            try:
                self.derivation.meaning = self._found(head[head.time <= head.time[0] + _HEAD_NS])
            except ValueError as problem:
                self._problem = str(problem)
        self.settled = True

    def _found(self, head: Frames) -> Interpretation | None:
        request, protocol = self.derivation.request, self._attributes["protocol"]
        found = interpret(head, request)
        if protocol in available() and (found is None or found.mapping.protocol != protocol):
            return interpret(head, replace(request, protocol=protocol))  # a person named it
        return found

    def correct(self, change: Callable[[Profile], Profile], words: str, now_ns: int) -> None:
        """Derive everything again under a corrected profile."""
        self.settle()
        try:
            self.derivation.correct(change)
        except ValueError as problem:
            self._problem = str(problem)
        self._timeline.add_event(Event(now_ns, "parameter", words))
        self.waiting -= 1

    def turn(self, now_ns: int) -> None:
        """Count the current the other way round."""
        self.settle()
        meaning = self.derivation.meaning
        sign = opposite(meaning.mapping.sign if meaning else "")
        self.correct(lambda p: with_sign(p, sign), f"current_sign = {sign}", now_ns)

    def view(self, sign: SignCheck, now_ns: int) -> MappingView:
        """What is known now; `busy` until the meaning is settled and all is derived again."""
        view = self._reader.view(
            self.derivation.meaning,
            self._databases,
            self.profile,
            sign,
            self._timeline.frames,
            now_ns,
            not self.settled or self.waiting > 0,
        )
        return replace(view, notes=(self._problem, *view.notes)) if self._problem else view
