"""What the window needs from outside: a view of a pack, and a source of views.

Only words (Protocols and frozen dataclasses): the window never builds a Session, opens a file or an
adapter by itself. `bms_studio.commands` hands it a `SessionSource`.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from bms_studio.analysis.contract import Analysis, AnalysisStatus
from bms_studio.analysis.contract import Settings as AnalysisSettings
from bms_studio.connection import AdapterChoice, ConnectSettings, LinkTest
from bms_studio.diagnosis.contract import Finding
from bms_studio.jobs import Job
from bms_studio.mapping_view import MappingView
from bms_studio.receipt import Receipt
from bms_studio.status import Offer, Status
from bms_studio.timeline import Timeline
from protocols.signals import Database, Message, Signal, Transfer

__all__ = [
    "AdapterChoice",
    "Analysed",
    "AnalysisSettings",
    "AnalysisStatus",
    "ConnectSettings",
    "Estimated",
    "Imported",
    "Leftover",
    "LinkTest",
    "PackView",
    "Playable",
    "Recordable",
    "SessionSource",
]


class PackView(Protocol):
    """The face that a live Session and a Replay share."""

    @property
    def timeline(self) -> Timeline: ...
    @property
    def status(self) -> Status: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def now_ns(self) -> int: ...

    def add_signals(self, message_name: str) -> None:
        """Decode every signal of this message from now on, and from the frames still held."""

    def database_messages(self) -> Sequence[tuple[Message, Sequence[Signal]]]:
        """Every message that the databases in use know."""

    def transfers(self) -> Sequence[Transfer]:
        """Messages that frames carry in parts (ISO-TP, J1939)."""

    def message_of(self, frame_id: int, extended: bool) -> Message | None:
        """The message of a frame's identifier; None when no database knows it."""

    def acknowledge(self, finding_id: str) -> None:
        """A person has seen this finding."""

    def answer(self, question: str, choice: str) -> None:
        """The answer to `status.question`."""

    def reset_extremes(self) -> None:
        """Forget the extreme deviations and start anew."""

    def mark(self, text: str) -> None:
        """Write a mark at the present moment into the events."""

    def mapping(self) -> MappingView:
        """What every signal means, at the present moment; cheap enough for twice a second."""

    def use_as(self, message: str, signal: str, role: str) -> None:
        """Give a signal a role, "none" or "" (automatic). ValueError, one sentence, if it is none.
        Everything is derived again, in the background."""

    def turn_sign(self) -> None:
        """Count the current the other way round."""

    def count_from(self, first: int) -> None:
        """An index in the payload begins at 0 or 1."""

    def add_database(self, database: Database) -> None:
        """Use another database too; everything is derived again, in the background."""

    def profile_text(self) -> str:
        """The profile with all corrections, as TOML."""

    def save_profile(self, path: Path) -> None:
        """Write it, and its databases beside it. OSError with its sentence."""

    def disconnect(self) -> None:
        """Let go of the adapter or the recording."""


@runtime_checkable
class Recordable(Protocol):
    """A live session: it can record. `job` builds the recording after Stop."""

    @property
    def job(self) -> Job | None: ...
    def start_recording(self, path: Path | None = None) -> None: ...
    def stop_recording(self) -> None: ...
    def leave(self) -> None: ...
    def judge_soon(self) -> None:
        """Evaluate what is known now, out of turn: somebody waits for the diagnosis."""

    def keep_alerts(self, on: bool) -> None:
        """Whether half a minute to each side of an alert is kept though nobody records."""

    def state_pack(self, chemistry: str, capacity_ah: float) -> None:
        """What the pack is, as a person knows it ("" and 0: unknown); all is derived again."""


@runtime_checkable
class Estimated(Protocol):
    """A view whose pack is estimated and judged; the results stand in its timeline."""

    @property
    def analysis(self) -> AnalysisStatus: ...


@runtime_checkable
class Analysed(Estimated, Protocol):
    """One that can be analysed again with other settings; every run is kept."""

    def analyse(self, settings: AnalysisSettings) -> None:
        """Once more with these settings, in the background; `analysis.busy` follows it, and the
        result joins `analysis.runs` and is shown. ValueError, one sentence, for settings that
        cannot be used."""

    def analysis_of(self, pack: int) -> AnalysisStatus:
        """The same of any pack on the bus, with its verdict and findings where it is not the
        first."""

    def cancel_analysis(self) -> None:
        """End what runs in the background; what was found before stays."""

    def show_analysis(self, number: int) -> None:
        """Show another of `analysis.runs`, from 0."""

    def analysis_run(self, number: int, pack: int = 1) -> Analysis | None:
        """All results of one of `analysis.runs`, from 0; None while nothing is known."""


@runtime_checkable
class Askable(Protocol):
    """A live session: what its status offers can be done on the bus."""

    def accept(self, offer: Offer) -> None:
        """Do what `status.bus` offers; nothing is sent before a person clicked on it."""


@runtime_checkable
class Playable(Protocol):
    """A replay: it has a playhead. `filled` is set once everything has been loaded,
    `analysed` once its first analysis has been made."""

    speed: float
    loop: bool
    filled: threading.Event
    analysed: threading.Event

    @property
    def playing(self) -> bool: ...
    def play(self) -> None: ...
    def pause(self) -> None: ...
    def set_speed(self, speed: float) -> None: ...
    def seek(self, t: int) -> None: ...
    def step(self, n: int) -> None: ...


@runtime_checkable
class Imported(Protocol):
    """A view of a file. receipt: what its import said, None where it was not imported."""

    path: Path

    @property
    def timeline(self) -> Timeline: ...
    @property
    def receipt(self) -> Receipt | None: ...


class Leftover(Protocol):
    """What a crash left: a recording that was running, or the black box of a session."""

    @property
    def recording(self) -> bool: ...
    @property
    def title(self) -> str: ...
    @property
    def saved_ns(self) -> int: ...


class SessionSource(Protocol):
    """Where views come from. Every method returns at once; jobs end with a PackView as result."""

    def adapters(self) -> Job:
        """Result: list[AdapterChoice], the likely ones first."""

    def protocols(self) -> Sequence[str]:
        """Names of the built-in protocols."""

    def test(self, settings: ConnectSettings) -> Job:
        """Listen for at most 2 s once the bitrate is known; in mode active with a protocol that is
        asked, ask for 3 s. Result: LinkTest."""

    def probe(self, channel: str) -> Job:
        """Ask a serial port whether it is an SLCAN adapter. Result: its name and serial number."""

    def questions(self, protocol: str) -> Offer | None:
        """What asking this protocol sends; None for one that needs no questions."""

    def connect(self, settings: ConnectSettings, record: bool) -> Job:
        """Result: a live session."""

    def demo(self) -> Job:
        """Result: a live session on the simulated pack."""

    def leftovers(self) -> Sequence[Leftover]:
        """What a crash left, newest first."""

    def rescue(self, left: Any) -> Job:
        """Result: a replay of what was left, saved as a recording."""

    def discard(self, left: Any) -> None:
        """Delete what was left, for good."""

    def open(self, paths: Sequence[Path]) -> Job:
        """A recording, or logs (and their databases) to import first. Result: a replay."""

    def database(self, path: Path) -> Job:
        """Result: the Database that a file holds."""

    def share(self, source: Path, target: Path, without: Sequence[str]) -> Job:
        """A copy of a recording without "location" or "serial". Result: its path, and in words
        what it lacks."""
