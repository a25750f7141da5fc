"""The journal: an append-only folder of checksummed segments, the truth about what was received.

Here: writing (without ever blocking the reader of the bus), and reading a folder back. The bytes
are in `recordings/journal_blocks.py`. No h5py: the acquisition program imports this module.

A folder holds `header.bmsj` (everything a recording needs that is not a frame), `writer.lock` (the
pid of who is writing) and segments `00000001.bmsj` … of 10 s or 64 MB. A black box (`keep_s`) drops
its segments when they are that old. `start_recording` gives a recording a folder of its own: the
black box's last segments are linked into it (copied where links are not possible), later segments
are written there, so that it is a complete journal by itself and outlives its black box.
"""

import json
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from protocols.frames import Frames, to_bytes
from recordings.journal_blocks import (
    EVENT,
    FRAMES,
    HEADER,
    MAX_PAYLOAD,
    SUFFIX,
    Block,
    Damage,
    Event,
    pack_block,
    pack_json,
)
from recordings.journal_folder import (
    create_segment,
    journal_header,
    link,
    lock,
    read_journal,
    refuse_used,
    remove_journal,
    segments,
    sync_file,
    sync_folder,
    write_header,
    write_whole,
    writing_pid,
)

__all__ = [
    "Block",
    "Damage",
    "Event",
    "JournalCounts",
    "JournalWriter",
    "journal_header",
    "read_journal",
    "remove_journal",
    "segments",
    "writing_pid",
]

SEGMENT_S = 10.0
SEGMENT_BYTES = 64 << 20
SYNC_S = 0.25
RETRY_S = 0.5
MAX_QUEUE_BYTES = 64 << 20
_FRAMES_PER_BLOCK = MAX_PAYLOAD // 128


@dataclass(frozen=True, slots=True)
class JournalCounts:
    """Frames handed over == written + refused + waiting, at every instant."""

    offered: int
    written: int
    refused: int
    waiting: int
    bytes_written: int


@dataclass(slots=True)
class _Segment:
    path: Path
    descriptor: int
    opened: float
    size: int = 0
    last_write: float = 0.0
    synced: int = 0


@dataclass(frozen=True, slots=True)
class _Item:
    kind: int
    time_ns: int
    count: int
    payload: bytes


class JournalWriter:
    """Writes one journal. `append` and `event` only queue; a thread writes, another one syncs.

    Raises BlockingIOError naming the pid if another process writes there, FileExistsError if the
    folder holds a journal already, OSError if the folder or the header cannot be written. After
    that disk errors are never raised: the segment is cut back to its last good block, what cannot
    be written is counted, `error` says why, and writing resumes with an event "gap" as soon as the
    disk takes blocks again.
    """

    def __init__(
        self, folder: Path, header: dict[str, Any], *, keep_s: float | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_used(folder)
        self.folder = folder
        self.header = header
        self.keep_s = keep_s
        self.error = ""
        self._locks = [lock(folder)]
        self._recording: Path | None = None
        self._state = threading.Lock()  # queue and counts
        self._disk = threading.Lock()  # segment and folder; taken before _state
        self._wake = threading.Condition(self._state)
        self._queue: deque[_Item] = deque()
        self._queued_bytes = self._unstored = 0
        self._offered = self._written = self._refused = self._waiting = self._bytes = 0
        self._gap: dict[str, Any] | None = None
        self._sequence = 0
        self._number = 0
        self._segment: _Segment | None = None
        self._switched = False  # the next segment opens another folder than the last
        self._done: deque[_Segment] = deque()  # closed for writing, oldest first
        self._unsynced: deque[int] = deque()  # descriptors to sync and close
        self._retry_at = 0.0
        self._closing = threading.Event()
        write_header(folder, header)
        self._threads = [
            threading.Thread(target=self._write_loop, name="journal-write", daemon=True),
            threading.Thread(target=self._sync_loop, name="journal-sync", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def counts(self) -> JournalCounts:
        """What became of the frames so far."""
        with self._state:
            return JournalCounts(
                self._offered, self._written, self._refused, self._waiting, self._bytes
            )

    @property
    def recording_folder(self) -> Path | None:
        """The folder of the recording that is running, if one is."""
        return self._recording

    def append(self, frames: Frames) -> None:
        """Queue a block of frames; returns at once. A full queue refuses and counts."""
        for first in range(0, len(frames), _FRAMES_PER_BLOCK):
            part = frames[first : first + _FRAMES_PER_BLOCK]
            self._put(_Item(FRAMES, int(part.time[0]), len(part), to_bytes(part)))

    def event(
        self, time_ns: int, kind: str, text: str, parameters: dict[str, Any] | None = None
    ) -> None:
        """Queue an event; returns at once."""
        self._put(_event_item(time_ns, kind, text, parameters or {}))

    def _put(self, item: _Item) -> None:
        with self._wake:
            self._offered += item.count
            if self._queued_bytes + len(item.payload) > MAX_QUEUE_BYTES:
                self._refuse(item)
                return
            self._waiting += item.count
            self._unstored += 1
            self._queue.append(item)
            self._queued_bytes += len(item.payload)
            self._wake.notify()

    def _refuse(self, item: _Item) -> None:
        """Count what the disk did not take. `_state` is held."""
        self._refused += item.count
        if self._gap is None:
            self._gap = {"start_ns": item.time_ns, "frames": 0, "blocks": 0}
        self._gap["frames"] += item.count
        self._gap["blocks"] += 1
        self._gap["end_ns"] = item.time_ns

    def _write_loop(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing.is_set():
                    self._wake.wait(0.5)
                items = list(self._queue)
                self._queue.clear()
                self._queued_bytes = 0
            if not items:
                return
            for item in items:
                self._store(item)

    def _store(self, item: _Item) -> None:
        """Write one item or count it as refused; while the disk refuses, try twice a second."""
        with self._disk:
            with self._state:
                gap = self._gap
            allowed = not self.error or time.monotonic() >= self._retry_at
            stored = allowed and self._write_gap(gap, item.time_ns) and self._write(item)
            with self._state:
                self._waiting -= item.count
                self._unstored -= 1
                if stored:
                    self._written += item.count
                else:
                    self._refuse(item)

    def _write_gap(self, gap: dict[str, Any] | None, time_ns: int) -> bool:
        if gap is None:
            return True
        seconds = max(0, time_ns - gap["start_ns"]) / 1e9
        reason = self.error or "the disk was too slow"
        text = f"{gap['frames']} frames in {seconds:.1f} s were not recorded: {reason}"
        if not self._write(_event_item(time_ns, "gap", text, {**gap, "stage": "disk"})):
            return False
        with self._state:
            self._gap = None
        return True

    def _write(self, item: _Item) -> bool:
        """Append one block to the segment, or leave the segment as it was. `_disk` is held."""
        block = pack_block(item.kind, self._sequence, item.time_ns, item.count, item.payload)
        try:
            segment = self._current(len(block))
            write_whole(segment.descriptor, block, segment.size)
        except OSError as problem:
            self.error = f"the disk refused ({problem.strerror or problem})"
            self._retry_at = time.monotonic() + RETRY_S
            return False
        self.error = ""
        segment.size += len(block)
        segment.last_write = time.monotonic()
        self._sequence += 1
        with self._state:
            self._bytes += len(block)
        return True

    def _current(self, size: int) -> _Segment:
        """The segment that takes the next block, a new one where the old is full or 10 s old."""
        segment = self._segment
        now = time.monotonic()
        if segment and segment.size + size <= SEGMENT_BYTES and now - segment.opened < SEGMENT_S:
            return segment
        self._close_segment()
        self._trim(now)
        folder = self._recording or self.folder
        self._number += 1  # also if it fails: a half made file then stands in nobody's way
        path = folder / f"{self._number:08d}{SUFFIX}"
        short = {k: self.header.get(k) for k in ("uuid", "created")}
        short |= {"segment": self._number, "switched": self._switched}
        opening = pack_json(HEADER, self._sequence, 0, short)
        descriptor = create_segment(path, opening)
        self._switched = False
        self._segment = _Segment(path, descriptor, now, len(opening), now)
        sync_folder(folder)
        return self._segment

    def _close_segment(self) -> None:
        if self._segment is not None:
            self._unsynced.append(self._segment.descriptor)
            self._done.append(self._segment)
            self._segment = None

    def _trim(self, now: float) -> None:
        """Drop black box segments whose newest block is older than `keep_s`."""
        if self.keep_s is None:
            return
        while self._done and now - self._done[0].last_write > self.keep_s:
            path = self._done[0].path
            try:
                if path.parent == self.folder:
                    path.unlink(missing_ok=True)
            except OSError:
                return  # Windows: somebody reads it; the next turn tries again
            self._done.popleft()

    def _sync_loop(self) -> None:
        while not self._closing.wait(SYNC_S):
            self._sync()
            with self._disk:
                self._trim(time.monotonic())

    def _sync(self) -> None:
        """Bring everything written so far to the disk, without holding up the writer."""
        with self._disk:
            closed = list(self._unsynced)
            self._unsynced.clear()
            segment, running = self._segment, None
            if segment is not None and segment.size > segment.synced:
                running, segment.synced = os.dup(segment.descriptor), segment.size
        for descriptor in [*closed, *([] if running is None else [running])]:
            try:
                sync_file(descriptor)
            except OSError as problem:
                self.error = f"the disk refused to sync ({problem.strerror or problem})"
            finally:
                os.close(descriptor)

    def start_recording(
        self, folder: Path, header: dict[str, Any], *, back_s: float | None = None
    ) -> None:
        """From now on write into `folder`, which also gets the segments of the last `back_s`.

        back_s None: of all that the black box still has.

        Raises RuntimeError if a recording is running, OSError if the folder cannot be used.
        """
        self.flush(1.0)
        with self._disk:
            if self._recording is not None:
                raise RuntimeError(f"a recording is running already, into {self._recording}")
            folder.mkdir(parents=True, exist_ok=True)
            refuse_used(folder)
            taken = lock(folder)
            try:
                write_header(folder, header)
                self._close_segment()
                oldest = -inf if back_s is None else time.monotonic() - back_s
                for segment in self._done:
                    if segment.last_write >= oldest and segment.path.exists():
                        link(segment.path, folder / segment.path.name)
            except OSError:
                taken.release()
                raise
            self._locks.append(taken)
            self._recording = folder

    def stop_recording(self) -> Path:
        """End the recording and return its folder, all of it on disk. Frames queued before count.

        Raises RuntimeError if none is running.
        """
        self.flush()
        with self._disk:
            if self._recording is None:
                raise RuntimeError("no recording is running")
            folder, self._recording = self._recording, None
            self._switched = True
            self._close_segment()
            taken = self._locks.pop()
        self._sync()
        sync_folder(folder)
        taken.release()
        return folder

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what was queued before has been written or refused; False if it was not."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            with self._state:
                if not self._unstored:
                    return True
            time.sleep(0.002)
        return False

    def close(self, *, discard: bool = False) -> None:
        """Write and sync what is queued, stop the threads, unlock.

        discard: a black box that nobody needs any more goes; recordings stay.
        """
        self._closing.set()
        with self._wake:
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        with self._disk:
            self._close_segment()
        self._sync()
        for taken in self._locks:
            taken.release()
        if discard:
            remove_journal(self.folder)


def _event_item(time_ns: int, kind: str, text: str, parameters: dict[str, Any]) -> _Item:
    value = {"kind": kind, "text": text, "parameters": parameters}
    return _Item(EVENT, time_ns, 0, json.dumps(value, ensure_ascii=False, default=str).encode())
