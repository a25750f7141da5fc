"""The acquisition loop: read, stamp, ring, journal; and what to do when the adapter goes.

One thread, which owns the adapter. Other threads hand in work (`post`) and read `status`. The loop
never waits for the disk, a reader or a person. What it asks in active mode comes from `asking.py`.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from bms_studio.acquisition.adapters import Adapter, AdapterCounts, AdapterError, open_adapter
from bms_studio.acquisition.asking import Asker, AskingStatus
from bms_studio.acquisition.bus_errors import BusWatch
from bms_studio.acquisition.clock import Clock
from bms_studio.acquisition.ring import RingWriter
from bms_studio.acquisition.settings import ACTIVE, AdapterSettings
from bms_studio.acquisition.status import (
    CONNECTED,
    FAILED,
    LOST,
    RECONNECTING,
    STALE,
    AcquisitionStatus,
)
from bms_studio.acquisition.traffic import Traffic
from protocols.contract import Poll
from protocols.frames import TRANSMITTED, Frames, concatenate
from recordings.journal import JournalWriter

READ_S = 0.1
JOURNAL_S = 0.08
PUBLISH_S = 0.1
CHECK_S = 1.0
STALL_NS = 2_000_000_000
BACK_OFF_S = (0.2, 5.0)


class Loop:
    """Runs one adapter until `stop`.

    offered == received + parser drops; every frame received or transmitted goes to ring and
    journal.
    """

    def __init__(
        self,
        settings: AdapterSettings,
        journal: JournalWriter,
        ring: RingWriter,
        clock: Clock,
        *,
        simulated: bool = False,
        opener: Callable[[AdapterSettings], Adapter] = open_adapter,
    ) -> None:
        self._settings, self._journal, self._ring, self._clock = settings, journal, ring, clock
        self._opener = opener
        self._adapter: Adapter | None = None
        self._stopping = threading.Event()
        self._posted: deque[Callable[[], None]] = deque()
        self._batch: list[Frames] = []
        self._batch_since = self._published = self._checked = 0.0
        self._last_turn_ns = clock.monotonic_ns()
        self._past = AdapterCounts(0, 0)  # counts of adapters that have gone
        self._told: dict[str, int] = {}  # drops that stand in the journal, by stage
        self._traffic = Traffic()
        self._bus_watch = BusWatch()
        self._asker: Asker | None = None
        self._transmitted = 0
        self._lost_at_ns = 0
        self._try_at, self._back_off_s = 0.0, BACK_OFF_S[0]
        self.recording: dict[str, Any] = {}
        self.status = AcquisitionStatus(
            mode=settings.mode,
            bitrate=settings.bitrate,
            pid=os.getpid(),
            started_ns=clock.now(),
            simulated=simulated,
            journal_folder=str(journal.folder),
        )
        self.publish()

    def stop(self) -> None:
        """End the loop soon; from any thread."""
        self._stopping.set()

    def post(self, work: Callable[[], None]) -> None:
        """Have `work` done by the loop's thread, between two reads."""
        self._posted.append(work)

    def run(self) -> bool:
        """Acquire until `stop`; False if the adapter could not be opened in the first place."""
        try:
            self._connect()
        except AdapterError as problem:
            self._set(state=FAILED, error=str(problem))
            return False
        try:
            while not self._stopping.is_set():
                self._turn()
        finally:
            self._disconnect()
            self.tell_drops()
            self.event("disconnect", "Acquisition ended.")
            self.publish()
        return True

    def transmit(self, frames: Frames) -> None:
        """Send frames, which then stand in ring and journal marked as transmitted.

        Only the loop's thread. Raises AdapterError, in any mode but active before anything else.
        """
        if self._settings.mode != ACTIVE:
            mode = self._settings.mode
            raise AdapterError(f"Mode '{mode}' transmits nothing; connect in mode 'active'.")
        if self._adapter is None:
            raise AdapterError("The adapter is not connected.")
        self._adapter.write(frames)
        now_ns = np.full(len(frames), self._clock.monotonic_ns())
        flags = frames.flags | np.uint8(TRANSMITTED)
        self._publish_frames(replace(frames, time=self._clock.stamp(now_ns), flags=flags))
        self._transmitted += len(frames)

    def ask(self, polls: Sequence[Poll]) -> None:
        """Ask these questions from now on; none: be silent. Only the loop's thread.

        Raises AdapterError in any mode but active, ValueError for questions that cannot be asked.
        """
        if polls and self._settings.mode != ACTIVE:
            mode = self._settings.mode
            raise AdapterError(f"Mode '{mode}' asks nothing; connect in mode 'active'.")
        self._asker = Asker(polls, time.monotonic()) if polls else None
        about = {"questions": len(polls), "ids": sorted({poll.id for poll in polls})}
        words = f"{len(polls)} questions are asked from now on." if polls else "Nothing is asked."
        self.event("asking", words, about)

    def change_mode(self, mode: str, bitrate: int = 0) -> None:
        """Open the adapter again in another bus mode or at another bitrate (0: the same).

        Only the loop's thread. Raises AdapterError, and stays as it was, if the adapter refuses;
        ValueError for a mode that does not exist.
        """
        before = self._settings
        settings = replace(before, mode=mode, bitrate=bitrate or before.bitrate)
        if settings == before:
            return
        if mode != ACTIVE and self._asker is not None:
            self.ask(())
        self._settings = settings
        try:
            self._reopen()
        except AdapterError:
            self._settings = before
            self._try_reopen()
            raise
        self._set(mode=mode, bitrate=settings.bitrate)
        text = f"Mode {mode} at {settings.bitrate} bit/s"
        text += f" instead of {before.mode} at {before.bitrate} bit/s."
        self.event("mode", text, {"mode": mode, "bitrate": settings.bitrate})

    def event(self, kind: str, text: str, parameters: dict[str, Any] | None = None) -> int:
        """Put an event behind all frames received so far; returns its time."""
        now = self.now()
        self._journal.event(now, kind, text, parameters or {})
        return now

    def now(self) -> int:
        """The time of this instant, all frames received so far handed to the journal before."""
        self._flush()
        return self._clock.now()

    def tell_drops(self) -> None:
        """Put what was dropped since the last time into the journal, one event per stage.

        What the disk refused tells the journal itself, as a gap. Only the loop's thread.
        """
        counts = self._counts()
        for stage, count in (("parser", counts.bad), ("adapter", counts.adapter_dropped)):
            more = count - self._told.get(stage, 0)
            if more > 0:
                self._told[stage] = count
                text = f"{more} unreadable lines" if stage == "parser" else f"{more} frames"
                text += " were dropped by the " + ("parser." if stage == "parser" else "adapter.")
                self.event("drop", text, {"stage": stage, "frames": more})

    def _counts(self) -> AdapterCounts:
        adapter = self._adapter
        return self._past + adapter.counts if adapter is not None else self._past

    def _turn(self) -> None:
        while self._posted:
            self._posted.popleft()()
        if self._adapter is None:
            self._reconnect()
        else:
            try:
                frames = self._adapter.read(self._patience_s())
                self._take(frames)
                self._ask(frames)
            except AdapterError as problem:
                self._lose(problem)
        now = time.monotonic()
        if self._batch and now - self._batch_since >= JOURNAL_S:
            self._flush()
        if now - self._checked >= CHECK_S:
            self._checked = now
            self._check()
        if now - self._published >= PUBLISH_S:
            self._measure(now)
            self.publish()

    def _take(self, frames: Frames) -> None:
        self._notice_stall()
        if not len(frames):
            return
        stamped = replace(frames, time=self._clock.stamp(frames.time))
        self._publish_frames(stamped)
        self._traffic.take(stamped)
        if self.status.state == STALE and not self._traffic.silent:
            self._set(state=CONNECTED)

    def _patience_s(self) -> float:
        """How long to wait for frames: not beyond the next question."""
        asker = self._asker
        return READ_S if asker is None else min(READ_S, asker.wait_s(time.monotonic()))

    def _ask(self, frames: Frames) -> None:
        asker = self._asker
        if asker is None:
            return
        for block in asker.turn(frames, time.monotonic()):
            try:
                self.transmit(block)
            except AdapterError as problem:  # if the adapter has gone, the next read says so
                asker.failed(str(problem), time.monotonic())
                break
        for note in asker.notes():
            self.event(note.kind, note.text, note.parameters)

    def _publish_frames(self, frames: Frames) -> None:
        self._ring.write(frames)
        if not self._batch:
            self._batch_since = time.monotonic()
        self._batch.append(frames)

    def _notice_stall(self) -> None:
        """A program that did not run for seconds has missed frames that nobody counted."""
        now = self._clock.monotonic_ns()
        stalled, self._last_turn_ns = now - self._last_turn_ns, now
        if stalled > STALL_NS:
            seconds = stalled / 1e9
            text = f"The acquisition program did not run for {seconds:.1f} s."
            self.event("gap", text, {"stage": "program", "seconds": seconds})
            self._reanchor()

    def _flush(self) -> None:
        if self._batch:
            self._journal.append(concatenate(self._batch))
            self._batch = []

    def _connect(self) -> None:
        adapter = self._opener(self._settings)
        self._adapter = adapter
        has = adapter.capabilities
        self._traffic.connected()
        self._last_turn_ns = self._clock.monotonic_ns()
        before = self.status.adapter_serial
        self._set(
            state=CONNECTED,
            error="",
            adapter=has.name,
            adapter_serial=has.serial,
            note=has.note,
            listens=has.listens,
        )
        parameters = {**self._settings.as_dict(), "adapter": has.name, "serial": has.serial}
        self.event("connect", f"{has.name} connected, mode {self._settings.mode}.", parameters)
        if before and has.serial and before != has.serial:
            text = f"Another adapter answers now: serial number {has.serial} instead of {before}."
            self.event("adapter-changed", text, {"before": before, "after": has.serial})

    def _disconnect(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is None:
            return
        self._past += adapter.counts
        adapter.close()

    def _reopen(self) -> None:
        self._disconnect()
        self._connect()
        if self._asker is not None:
            self._asker.reopened(time.monotonic())

    def _try_reopen(self) -> None:
        try:
            self._reopen()
        except AdapterError as problem:
            self._lose(problem)

    def _lose(self, problem: AdapterError) -> None:
        self._disconnect()
        self._lost_at_ns = self.event("lost", str(problem))
        self._back_off_s = BACK_OFF_S[0]
        self._set(state=LOST, error=str(problem))
        self._try_at = time.monotonic() + self._back_off_s

    def _reconnect(self) -> None:
        wait = self._try_at - time.monotonic()
        if wait > 0:
            self._stopping.wait(min(wait, READ_S))
            self._last_turn_ns = self._clock.monotonic_ns()
            return
        self._set(state=RECONNECTING)
        try:
            self._connect()
        except AdapterError as problem:
            self._back_off_s = min(2 * self._back_off_s, BACK_OFF_S[1])
            self._try_at = time.monotonic() + self._back_off_s
            self._last_turn_ns = self._clock.monotonic_ns()
            self._set(error=str(problem))
            return
        self._reanchor()
        seconds = (self._clock.now() - self._lost_at_ns) / 1e9
        text = f"The adapter was gone for {seconds:.1f} s."
        about = {"stage": "adapter", "seconds": seconds, "start_ns": self._lost_at_ns}
        self.event("gap", text, about)
        self._set(reconnects=self.status.reconnects + 1)

    def _reanchor(self) -> None:
        ahead = self._clock.reanchor()
        if ahead:
            text = f"Time goes on {ahead / 1e9:.1f} s later: the clock had been put forward."
            self.event("clock-anchor", text, {"delta_ns": ahead})

    def _check(self) -> None:
        """Once a second: drops, the clocks, and whether frames still come."""
        self.tell_drops()
        for step in self._clock.check():
            self.event(step.kind, step.words, {"delta_ns": step.delta_ns})
        if self.status.state == CONNECTED and self._traffic.silent:
            self._set(state=STALE)
        if self._adapter is not None:
            advice = self._bus_watch.look(self._adapter.bus_state, time.monotonic())
            if advice.kind:
                self.event(advice.kind, advice.text, advice.parameters)
            if advice.recover:
                self._try_reopen()

    def _measure(self, now: float) -> None:
        measured = self._traffic.measure(now, self._settings.bitrate)
        if measured is not None:
            rate, load = measured
            self.status = replace(self.status, rate_hz=round(rate, 1), bus_load=round(load, 4))

    def _set(self, **changes: Any) -> None:
        self.status = replace(self.status, **changes)
        self.publish()

    def publish(self) -> None:
        """Bring the counts up to date and show the status page; only the loop's thread."""
        now = self._counts()
        counts = self._journal.counts
        pending = sum(len(frames) for frames in self._batch)
        monotonic_ns, wall_ns = self._clock.anchor
        folder = self._journal.recording_folder
        self.status = replace(
            self.status,
            offered=now.offered,
            received=self._traffic.frames,
            transmitted=self._transmitted,
            journaled=counts.written,
            waiting=counts.waiting + pending,
            dropped={
                "adapter": now.adapter_dropped,
                "parser": now.bad,
                "disk": counts.refused,
            },
            refused_commands=now.refused,
            last_frame_ns=self._traffic.last_ns,
            journaling=not self._journal.error,
            journal_error=self._journal.error,
            recording=self.recording.get("id", "") if folder else "",
            recording_folder=str(folder or ""),
            recording_start_ns=self.recording.get("start_ns", 0) if folder else 0,
            anchor_monotonic_ns=monotonic_ns,
            anchor_wall_ns=wall_ns,
            heartbeat_ns=time.monotonic_ns(),
            **asdict(self._asker.status if self._asker is not None else AskingStatus()),
            errors=self._traffic.errors + now.errors,
            bus_state=self._adapter.bus_state if self._adapter is not None else "",
            bus_offs=self._bus_watch.offs,
        )
        self._published = time.monotonic()
        self._ring.publish(self.status.as_dict())
