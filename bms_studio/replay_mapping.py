"""What the signals of an open recording mean, corrected by a person: a part of `replay.Replay`.

The work is `remapping`'s, in the replay's thread; here it is asked for. No Qt, no HDF5.
"""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bms_studio.diagnosis.contract import Finding
from bms_studio.mapping_view import MappingView
from bms_studio.monitor import Monitor
from bms_studio.pack.corrections import with_first_cell, with_role
from bms_studio.pack.profile import Profile
from bms_studio.pack.profile_text import profile_text
from bms_studio.receipt import Receipt, from_json
from bms_studio.remapping import Remapping
from bms_studio.status import Status
from protocols.signals import Database


class ReplayMapping(ABC):
    """The face of a replay that asks and corrects; its attributes are set by `Replay`."""

    _remapping: Remapping
    _described: dict[str, Any]
    _monitor: Monitor
    _log_times: list[int]
    _found: tuple[tuple[int, set[str]], list[Finding]] | None
    _snapshot: tuple[float, Status] | None
    _posted: deque[Callable[[], None]]
    _wake: threading.Event
    _asked: bool

    @property
    @abstractmethod
    def now_ns(self) -> int:
        """The playhead."""

    @property
    def receipt(self) -> Receipt | None:
        """What the import of this recording said; None where it was not imported."""
        return from_json(self._described["attributes"].get("receipt", ""))

    def add_database(self, database: Database) -> None:
        """Use another database too: everything is derived again. The file is not changed."""
        self._again(lambda: self._database_added(database))

    def _database_added(self, database: Database) -> None:
        self._remapping.add_database(database, self.now_ns)
        meaning = self._remapping.derivation.meaning
        if meaning is not None:
            self._described["title"] = meaning.title
            self._described["attributes"] |= {
                "protocol_confidence": meaning.confidence,
                "protocol_runner_up": meaning.runner_up,
            }

    def mapping(self) -> MappingView:
        """Every signal with role, reason and value at the playhead; `busy` until it is known."""
        if not self._asked:
            self._asked = True
            self._post(self._remapping.settle)
        return self._remapping.view(self._monitor.sign, self.now_ns)

    def use_as(self, message: str, signal: str, role: str) -> None:
        """Give a signal a role; see `gui.contract`. The file is not changed."""
        name = f"{message}.{signal}"
        self._remapping.check(name, role)
        self._correct(partial(with_role, name=name, text=role), f"{name} = {role or 'automatic'}")

    def turn_sign(self) -> None:
        """Count the current the other way round in all that is shown."""
        self._again(lambda: self._remapping.turn(self.now_ns))

    def count_from(self, first: int) -> None:
        """An index in the payload begins at 0 or 1."""
        self._correct(partial(with_first_cell, first=first), f"first_cell = {first}")

    def profile_text(self) -> str:
        """The profile as it is now, as TOML."""
        return profile_text(self._remapping.profile)

    def save_profile(self, path: Path) -> None:
        """Write the profile, and its databases beside it. OSError with its sentence."""
        self._remapping.save(path)

    def _correct(self, change: Callable[[Profile], Profile], words: str) -> None:
        self._again(lambda: self._remapping.correct(change, words, self.now_ns))

    def _again(self, work: Callable[[], None]) -> None:
        self._remapping.waiting += 1
        self._post(lambda: self._derive_again(work))

    def _derive_again(self, work: Callable[[], None]) -> None:
        work()
        self._monitor = self._remapping.derivation.monitor
        self._log_times = [finding.time for finding in self._monitor.log]
        self._found = self._snapshot = None
        self._analyse_again()

    @abstractmethod
    def _analyse_again(self) -> None:
        """What was estimated under another meaning does not hold any more."""

    def _post(self, work: Callable[[], None]) -> None:
        self._posted.append(work)
        self._wake.set()
