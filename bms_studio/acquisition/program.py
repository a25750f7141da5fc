"""What the acquisition program answers on its control socket: one method per verb.

Called from the threads of the control socket; whatever touches the adapter is handed to the loop.
"""

import base64
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bms_studio.acquisition.adapters import AdapterError
from bms_studio.acquisition.asking import from_words
from bms_studio.acquisition.loop import Loop
from bms_studio.acquisition.settings import ACTIVE
from protocols.frames import from_bytes
from recordings.journal import JournalWriter, segments

_LOOP_S = 5.0


class Program:
    """The verbs of one running acquisition."""

    def __init__(self, loop: Loop, journal: JournalWriter) -> None:
        self._loop, self._journal = loop, journal
        self._verbs: dict[str, Callable[..., dict[str, Any]]] = {
            "status": self._status,
            "record": self._record,
            "stop": self._stop,
            "mark": self._mark,
            "event": self._event,
            "send": self._send,
            "ask": self._ask,
            "mode": self._mode,
            "quit": self._quit,
        }

    def answer(self, verb: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Carry out a request. Raises ValueError for a verb that does not exist."""
        if verb not in self._verbs:
            raise ValueError(f"'{verb}' is no request; known are {', '.join(self._verbs)}")
        return self._verbs[verb](**parameters)

    def _status(self) -> dict[str, Any]:
        return {"status": self._loop.status.as_dict()}

    def _record(
        self, path: str, header: dict[str, Any] | None = None, back_s: float | None = None
    ) -> dict[str, Any]:
        """Record into the folder `path`, from `back_s` before now (None: all there is)."""
        identifier = str(uuid.uuid4())
        folder = Path(path)
        start_ns = int(self._in_loop(lambda: {"time": self._loop.now()})["time"])
        full = {**self._journal.header, **(header or {})}
        created = datetime.fromtimestamp(start_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        full |= {"uuid": identifier, "created": created, "recording_start_ns": start_ns}
        # Not in the loop: linking the black box's segments may wait for the disk.
        self._journal.start_recording(folder, full, back_s=back_s)
        self._loop.recording = {"id": identifier, "start_ns": start_ns}
        self._event("record", "Recording began.", {"id": identifier, "start_ns": start_ns})
        return {"id": identifier, "folder": str(folder), "start_ns": start_ns}

    def _stop(self) -> dict[str, Any]:
        """End the recording; what was received until now is in it, and on disk."""

        def end() -> dict[str, Any]:
            self._loop.tell_drops()
            return {"time": self._loop.event("stop", "Recording ended.")}

        self._in_loop(end)
        folder = self._journal.stop_recording()
        return {"folder": str(folder), "segments": [str(path) for path in segments(folder)]}

    def _mark(self, text: str) -> dict[str, Any]:
        return self._event("mark", text)

    def _event(
        self, kind: str, text: str, parameters: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        def note() -> dict[str, Any]:
            return {"time": self._loop.event(str(kind), str(text), dict(parameters or {}))}

        return self._in_loop(note)

    def _send(self, frames: str) -> dict[str, Any]:
        """Transmit frames (base64 of `protocols.frames.to_bytes`), in active mode only."""
        if self._loop.status.mode != ACTIVE:
            raise AdapterError(
                f"Mode '{self._loop.status.mode}' transmits nothing; connect in mode 'active'."
            )
        block = from_bytes(base64.b64decode(frames, validate=True))

        def send() -> dict[str, Any]:
            self._loop.transmit(block)
            return {"sent": len(block)}

        return self._in_loop(send)

    def _ask(self, polls: list[dict[str, Any]]) -> dict[str, Any]:
        """Ask these questions (`asking.as_words`) from now on, in active mode only; none: stop."""
        schedule = from_words(polls)

        def ask() -> dict[str, Any]:
            self._loop.ask(schedule)
            return {"asking": len(schedule)}

        return self._in_loop(ask)

    def _mode(self, mode: str, bitrate: int = 0) -> dict[str, Any]:
        """Open the adapter again in this bus mode, at this bitrate (0: the same)."""

        def change() -> dict[str, Any]:
            self._loop.change_mode(str(mode), int(bitrate))
            return {"mode": self._loop.status.mode, "bitrate": self._loop.status.bitrate}

        return self._in_loop(change)

    def _quit(self) -> dict[str, Any]:
        self._loop.stop()
        return {}

    def _in_loop(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of `work`, done by the loop's thread between two reads."""
        done = threading.Event()
        result: dict[str, Any] = {}
        problems: list[Exception] = []

        given_up = threading.Event()

        def run() -> None:
            if given_up.is_set():
                return  # its caller was told that it failed
            try:
                result.update(work())
            except Exception as problem:  # it is the caller's: the loop goes on
                problems.append(problem)
            finally:
                done.set()

        self._loop.post(run)
        if not done.wait(_LOOP_S):
            given_up.set()
            raise RuntimeError("the acquisition loop is busy (the adapter does not answer)")
        if problems:
            raise problems[0]
        return result
