"""A recording with a playhead: the same face as a live Session, from a Timeline filled once.

The loader process has unpacked the file (`bms_studio.load`); here the arrays become a Timeline and
the detectors walk through them as they would have live. No Qt, no HDF5.
"""

import bisect
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bms_studio.alert_marks import seen_now
from bms_studio.analysis.background import Background
from bms_studio.analysis.runs import Runs
from bms_studio.described import databases_from, origin_of
from bms_studio.diagnosis.contract import Finding, Verdict
from bms_studio.diagnosis.verdict import judge
from bms_studio.frame_log import FrameLog
from bms_studio.jobs import Job
from bms_studio.monitor import Monitor
from bms_studio.pack.limits import resolve_limits
from bms_studio.pack.profile import Profile, parse_profile
from bms_studio.pack.state import StateOfUse
from bms_studio.remapping import Remapping
from bms_studio.replay_analysis import ReplayAnalysis
from bms_studio.scratch import UnpackFolder, scratch_folder
from bms_studio.session import find_message
from bms_studio.signal_rows import SignalReader
from bms_studio.status import Extreme, LinkStatus, PackStatus, Status
from bms_studio.timeline import Event, Timeline
from bms_studio.unpacked import all_pack_fields, mapped_array, mapped_frames
from protocols.roles import PACK_FIELDS
from protocols.signals import Message, Signal, Transfer

_CHUNK_ROWS = 1 << 16
_STATUS_S = 0.05
_STATE_LOOK_BACK_NS = 20_000_000_000
_GAPS = ("gap", "lost", "suspend", "silence")


class Replay(ReplayAnalysis):
    """A recording; `now_ns` is the playhead, first at the start. `filled`: all data are in."""

    def __init__(self, path: Path, described: dict[str, Any], unpacked: UnpackFolder) -> None:
        self.path = path
        self.timeline = Timeline(folder=scratch_folder())
        self.speed = 1.0
        self.loop = False
        self.job: Job | None = None
        self._described = described
        self._unpacked = unpacked
        self._folder = unpacked.path
        self._databases = databases_from(described["databases"])
        text = described["attributes"]["profile"]
        self._profile = parse_profile(text, path.name) if text else Profile()
        self._limits = resolve_limits(self._profile.limits, self._profile.chemistry)
        self._monitor = Monitor(self._limits)
        self._log_times: list[int] = []
        self._playing = False
        self._position = 0
        self._anchor_s = 0.0
        self._posted: deque[Callable[[], None]] = deque()
        self._closing = threading.Event()
        self._wake = threading.Event()
        self.filled = threading.Event()
        self.analysed = threading.Event()  # once the first analysis has been made or found
        self._found: tuple[tuple[int, set[str]], list[Finding]] | None = None
        self._snapshot: tuple[float, Status] | None = None
        self._acknowledged: set[str] = set()
        self._signals: set[str] = set()
        self._remapping = Remapping(
            described["attributes"], self._databases, self._profile, self.timeline
        )
        self._asked = False
        self._corrected = False
        self._runs = Runs(self.timeline)
        self._background = Background(self._runs, self._post)
        if described["frames"]:
            self.timeline.frames = FrameLog(fixed=mapped_frames(self._folder))
        for when, kind, words in described["events"]:
            self.timeline.add_event(Event(int(when), kind, words))
        self._start = self._end = self._position = 0
        self._fill_heads()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._thread.start()

    # -- filling -------------------------------------------------------------------------------

    def _fill_heads(self) -> None:
        """The span, before anything is loaded: the playhead needs it at once."""
        spans = []
        for group in self._described["groups"]:
            moments = mapped_array(self._folder, group, "time")
            if len(moments):
                spans.append((int(moments[0]), int(moments[-1])))
        moments = self.timeline.frames.all().time
        if len(moments):
            spans.append((int(moments[0]), int(moments[-1])))
        if spans:
            self._start = min(s[0] for s in spans)
            self._end = max(s[1] for s in spans)
        self._position = self._start

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._unpacked.close()  # not before: whoever fills or estimates reads from it

    def _work(self) -> None:
        # The pack's own words first: the sum of cells is compared with them.
        for group in sorted(self._described["groups"], key=lambda g: g["name"] != "pack"):
            if self._closing.is_set():
                return
            self._fill(group)
        self._log_times = [finding.time for finding in self._monitor.log]
        self._first_analysis()
        self.filled.set()
        while not self._closing.is_set():
            idle = math.isnan(self._background.busy)
            while self._posted:
                self._posted.popleft()()
            if idle:
                self.analysed.set()
            self._wake.wait(0.2)
            self._wake.clear()

    def _fill(self, group: dict[str, Any]) -> None:
        moments, values = (
            mapped_array(self._folder, group, "time"),
            mapped_array(self._folder, group, "values"),
        )
        kind = {"cells": "cell", "probes": "probe", "pack": "pack"}.get(group["name"], "")
        columns = tuple(group["columns"])
        if group["name"] == "pack":
            columns, values = all_pack_fields(columns, values)
        breaks = [e.time for e in self.timeline.events if e.kind in _GAPS]
        cuts = sorted({int(i) for i in np.searchsorted(moments, breaks)} - {0, len(moments)})
        edges = [0, *cuts, len(moments)]
        for first, last in pairwise(edges):
            for start in range(first, last, _CHUNK_ROWS):
                if self._closing.is_set():
                    return
                stop = min(start + _CHUNK_ROWS, last)
                # Copies: kernels are compiled anew for arrays that may not be written.
                when = np.array(moments[start:stop], np.int64)
                rows = np.array(values[start:stop], np.float32)
                self.timeline.append(group["name"], when, rows, columns)
                self._monitor.push(kind, when, rows)
            if last in cuts:
                self.timeline.break_lines(int(moments[last - 1]) + 1)

    # -- playing -------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """The playhead; moves by itself while playing."""
        if self._playing:
            elapsed = int((time.monotonic() - self._anchor_s) * self.speed * 1e9)
            if self._position + elapsed >= self._end:
                if not self.loop:
                    self._playing, self._position = False, self._end
                    return self._end
                self.seek(self._start)
                return self._start
            return self._position + elapsed
        return self._position

    @property
    def playing(self) -> bool:
        """True while the playhead moves by itself; at the end it stops."""
        _ = self.now_ns
        return self._playing

    def play(self) -> None:
        """Play from the playhead, from the start if it stands at the end."""
        if self._position >= self._end:
            self._position = self._start
        self._anchor_s = time.monotonic()
        self._playing = True

    def pause(self) -> None:
        """Stay where the playhead is."""
        self._position = self.now_ns
        self._playing = False

    def seek(self, t: int) -> None:
        """Put the playhead at t, within the recording."""
        self._position = min(max(t, self._start), self._end)
        self._anchor_s = time.monotonic()

    def set_speed(self, speed: float) -> None:
        """Times real time; the playhead does not jump."""
        self.seek(self.now_ns)
        self.speed = speed

    def step(self, n: int) -> None:
        """Pause, and move the playhead by n scans of cells (of frames, where there are none)."""
        self.pause()
        group = next((g for g in ("cells", "pack") if self.timeline.rows(g)), "")
        if group:
            moments, _ = self.timeline.raw(group, self._start, self._end)
        else:
            moments = self.timeline.frames.all().time
        if len(moments):
            at = int(np.searchsorted(moments, self._position, "right")) - 1 + n
            self.seek(int(moments[min(max(at, 0), len(moments) - 1)]))

    # -- what is known -------------------------------------------------------------------------

    @property
    def findings(self) -> Sequence[Finding]:
        """Newest state of every finding as of the playhead."""
        count = bisect.bisect_right(self._log_times, self.now_ns)
        seen = seen_now(self.timeline.events, self._monitor.log, self.now_ns)
        if self._found is not None and self._found[0] == (count, seen):
            return self._found[1]
        newest = {finding.id: finding for finding in self._monitor.log[:count]}
        rank = {"stop": 0, "warn": 1, "watch": 2, "info": 3}
        found = sorted(
            (self._as_seen(f, seen | self._acknowledged) for f in newest.values()),
            key=lambda f: (f.state == "resolved", rank[f.severity], -f.time),
        )
        self._found = ((count, seen), found)
        return found

    @staticmethod
    def _as_seen(finding: Finding, seen: set[str]) -> Finding:
        told = finding.id in seen and finding.state == "active"
        return replace(finding, state="acknowledged") if told else finding

    @property
    def status(self) -> Status:
        """Snapshot at the playhead, at most 0.05 s old."""
        if self._snapshot is None or time.monotonic() - self._snapshot[0] > _STATUS_S:
            self._snapshot = (time.monotonic(), self._status())
        return self._snapshot[1]

    def _status(self) -> Status:
        attributes = self._described["attributes"]
        kept = self._monitor.extremes
        return Status(
            link=LinkStatus(
                state="replay",
                interface=self.path.name,
                channel=", ".join(self._described["channels"]),
                frames_per_s=self._rate(),
                dropped=tuple(attributes["dropped"].items()),
                simulated=attributes["source"] == "simulated",
            ),
            pack=self._pack(),
            protocol=self._described["title"],
            confidence=attributes["protocol_confidence"],
            runner_up=attributes["protocol_runner_up"],
            verdict=self._verdict(),
            extremes=tuple(
                Extreme(float(v), int(t)) for v, t in zip(kept.deviation_v, kept.time, strict=True)
            ),
            scan_s=self._scan_s(),
            origin=origin_of(attributes),
        )

    def _verdict(self) -> Verdict:
        groups = self.timeline.groups()
        contradicts = self._monitor.sign.state == "contradicts"
        health = self.analysis.health
        risks = self.analysis.risks
        verdict = judge(self.findings, self._checked, bool(groups), health, contradicts, risks)
        if groups or not self.timeline.frames.count:
            return verdict
        # Frames are there, and nobody knows what they mean.
        return replace(
            verdict, headline=("verdict.no_cells", {}), next_action=("action.add_database", {})
        )

    def _rate(self) -> float:
        frames, now = self.timeline.frames, self.now_ns
        return float(frames.index_at(now) - frames.index_at(now - 1_000_000_000))

    def _scan_s(self) -> float:
        moments, _ = self.timeline.raw("cells", self.now_ns - 60_000_000_000, self.now_ns)
        return float(np.median(np.diff(moments)) * 1e-9) if len(moments) > 1 else float("nan")

    def _pack(self) -> PackStatus:
        profile, limits = self._profile, self._limits
        return PackStatus(
            serial=self._described["serial"] or profile.serial,
            name=profile.name,
            cells=len(self.timeline.columns("cells")),
            probes=len(self.timeline.columns("probes")),
            chemistry=profile.chemistry,
            capacity_ah=profile.capacity_ah,
            labels=profile.labels,
            layout=profile.layout,
            cell_voltage_min=_or_nan(limits.cell_voltage_min),
            cell_voltage_max=_or_nan(limits.cell_voltage_max),
            state=self._state(),
            sign=self._monitor.sign.state,
        )

    def _state(self) -> str:
        column = [f.name for f in PACK_FIELDS].index("current")
        now = self.now_ns
        moments, values = self.timeline.raw("pack", now - _STATE_LOOK_BACK_NS, now)
        use = StateOfUse()
        if len(moments):
            known = np.flatnonzero(~np.isnan(values[:, column]))
            for i in known[:: max(1, len(known) // 100)]:
                use.update(int(moments[i]), float(values[i, column]))
        return use.state

    # -- the rest of the face ------------------------------------------------------------------

    def add_signals(self, message_name: str) -> None:
        """Decode every signal of this message from the recording's frames, in the background."""
        self._posted.append(lambda: self._add_signals(message_name))
        self._wake.set()

    def _add_signals(self, name: str) -> None:
        message = next((m for m, _ in self.database_messages() if m.name == name), None)
        if message is None or name in self._signals:
            return
        self._signals.add(name)
        reader = SignalReader(message, self._remapping.databases)
        names = tuple(signal.name for signal in message.signals)
        log = self.timeline.frames
        for first in range(0, log.count, 1 << 18):
            when, rows = reader.push(log.rows(first, 1 << 18))
            if len(when):
                self.timeline.append(f"signals/{name}", when, rows, names)

    def database_messages(self) -> Sequence[tuple[Message, Sequence[Signal]]]:
        """Every message that the databases in the recording know."""
        return [(m, m.signals) for d in self._remapping.databases for m in d.all_messages]

    def transfers(self) -> Sequence[Transfer]:
        """Messages that frames carry in parts, of the databases in the recording."""
        return [t for database in self._remapping.databases for t in database.transfers]

    def message_of(self, frame_id: int, extended: bool) -> Message | None:
        """The message of a frame's identifier; None when no database knows it."""
        return find_message(self._remapping.databases, frame_id, extended)

    def acknowledge(self, finding_id: str) -> None:
        """A person has seen this finding; kept while the window is open."""
        self._acknowledged.add(finding_id)
        self._found = self._snapshot = None

    def answer(self, question: str, choice: str) -> None:
        """A recording asks nothing."""

    def reset_extremes(self) -> None:
        """Extremes from the playhead on, as pressing Reset there would have done live."""
        self._posted.append(self._reset_extremes)
        self._wake.set()

    def _reset_extremes(self) -> None:
        self._monitor.extremes.reset()
        when, rows = self.timeline.raw("cells", self.now_ns, self._end)
        _, statistics = self.timeline.raw("statistics", self.now_ns, self._end)
        if len(when):
            self._monitor.extremes.push(when, rows, statistics[:, 1])

    def mark(self, text: str) -> None:
        """A mark at the playhead; lasts while the window is open, a recording is never patched."""
        self.timeline.add_event(Event(self.now_ns, "mark", text))

    def disconnect(self) -> None:
        """Let go of the recording and its unpacked arrays."""
        self._closing.set()
        self._wake.set()
        self._background.close()
        self._thread.join(5.0)  # it removes the arrays when it has ended


def open_replay(job: Job, path: Path) -> Replay:
    """The work of a job: unpack `path` in a process, then hand over a Replay that is filling."""
    unpacked = UnpackFolder()
    try:
        described = job.run_process(["bms_studio.load", str(path), str(unpacked.path)])
        return Replay(path, described, unpacked)
    except BaseException:
        unpacked.close()
        raise


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
