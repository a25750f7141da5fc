"""What the signals of a live bus mean, corrected by a person: a part of `session.Session`.

Asked for from any thread, done in the session's. A recording that runs learns it through its
journal's folder. No Qt.
"""

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bms_studio.acquisition.client import Acquisition
from bms_studio.derivation import Derivation
from bms_studio.mapping_view import MappingReader, MappingView
from bms_studio.pack.corrections import (
    check_role,
    opposite,
    with_first_cell,
    with_kind,
    with_role,
    with_sign,
)
from bms_studio.pack.profile import DATABASES_IN_JOURNAL, PROFILE_IN_JOURNAL, Profile
from bms_studio.pack.profile_file import save_profile, stated_protocol
from bms_studio.pack.profile_text import profile_text
from bms_studio.status import RecordingStatus
from bms_studio.timeline import Event, Timeline
from protocols.signals import Database


class SessionMapping(ABC):
    """The face of a session that asks and corrects; its attributes are set by `Session`."""

    timeline: Timeline
    acquisition: Acquisition
    _derivation: Derivation
    _mapping: MappingReader
    _posted: deque[Callable[[], None]]
    _recording: RecordingStatus
    _journal: Path | None
    _kept_word: str

    @property
    @abstractmethod
    def now_ns(self) -> int:
        """The live edge."""

    def add_database(self, database: Database) -> None:
        """Use another database too: everything since connect is derived again."""
        self._posted.append(lambda: self._database_added(database))

    def _database_added(self, database: Database) -> None:
        self._derivation.add_database(database)
        words = f"database = {database.name}"
        self.timeline.add_event(Event(self.now_ns, "parameter", words))
        self.acquisition.event("parameter", words)
        if self._recording.running and self._journal is not None:
            known = [[d.name, d.text] for d in self._derivation.request.databases]
            self._write(self._journal / DATABASES_IN_JOURNAL, json.dumps(known))

    def mapping(self) -> MappingView:
        """Every signal with role, reason and newest value; for one reader."""
        derivation = self._derivation
        return self._mapping.view(
            derivation.meaning,
            derivation.request.databases,
            derivation.profile,
            derivation.monitor.sign,
            self.timeline.frames,
            self.now_ns,
            bool(self._posted),
        )

    def use_as(self, message: str, signal: str, role: str) -> None:
        """Give a signal a role ("none": no role, "": what was found by itself again).

        Everything since connect is derived again. ValueError, one sentence, when it is no role.
        """
        name = f"{message}.{signal}"
        check_role((*self._databases(), *self._derivation.request.databases), name, role)
        self._correct(partial(with_role, name=name, text=role), f"{name} = {role or 'automatic'}")

    def turn_sign(self) -> None:
        """Count the current the other way round, since connect; nothing is sent on the bus."""
        meaning = self._derivation.meaning
        if meaning is not None:
            sign = opposite(meaning.mapping.sign)
            self._correct(partial(with_sign, sign=sign), f"current_sign = {sign}")

    def count_from(self, first: int) -> None:
        """An index in the payload begins at 0 or 1, since connect."""
        self._correct(partial(with_first_cell, first=first), f"first_cell = {first}")

    def state_pack(self, chemistry: str, capacity_ah: float) -> None:
        """What the pack is, as a person knows it: chemistry ("" unknown), rated Ah (0 unknown)."""
        words = f"chemistry = {chemistry}, capacity_ah = {capacity_ah:g}"
        stated = partial(with_kind, chemistry=chemistry, capacity_ah=capacity_ah)
        self._correct(stated, words)

    def judge_soon(self) -> None:
        """Somebody waits for the diagnosis: evaluate what is known now, out of turn."""
        self._posted.append(lambda: self._derivation.analysis.ask())

    def profile_text(self) -> str:
        """The profile as it is now, as TOML."""
        return profile_text(self._derivation.profile)

    def save_profile(self, path: Path) -> None:
        """Write the profile, and its databases beside it. OSError with its sentence."""
        request, meaning = self._derivation.request, self._derivation.meaning
        named = stated_protocol(request.protocol, meaning.mapping.protocol if meaning else "")
        save_profile(path, request.profile, [(d.name, d.text) for d in request.databases], named)

    def _correct(self, change: Callable[[Profile], Profile], words: str) -> None:
        self._posted.append(lambda: self._corrected(change, words))

    def _corrected(self, change: Callable[[Profile], Profile], words: str) -> None:
        self._derivation.correct(change)
        self.timeline.add_event(Event(self.now_ns, "parameter", words))
        self.acquisition.event("parameter", words)
        self._keep_word()

    def _keep_word(self) -> None:
        """The journal's header may be older than the profile: the builder asks for the newest."""
        word, folder = self._derivation.profile.text, self._journal
        running = self._recording.running
        if folder is None or not running or word == self._kept_word:
            return
        self._kept_word = word
        self._write(folder / PROFILE_IN_JOURNAL, word)

    def _write(self, path: Path, words: str) -> None:
        try:
            path.write_text(words, "utf-8", newline="\n")
        except OSError as problem:
            self.timeline.add_event(Event(self.now_ns, "disk-full", str(problem)))

    def _databases(self) -> tuple[Database, ...]:
        meaning = self._derivation.meaning
        return meaning.databases if meaning else self._derivation.request.databases
