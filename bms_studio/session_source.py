"""Where sessions come from: an adapter, the demo, a recording, logs. Every method gives a Job.

What the window and the commands share; no Qt. The simulator runs as a program of its own behind an
emulated adapter, so that the demo takes exactly the path of hardware.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from bms_studio.acquisition import client
from bms_studio.acquisition.client import Acquisition
from bms_studio.acquisition.ports import list_adapters, try_serial
from bms_studio.acquisition.settings import ACTIVE, AdapterSettings
from bms_studio.connection import AdapterChoice, ConnectSettings
from bms_studio.free_name import free_name
from bms_studio.hearing import USUAL_BITRATES, ask_offer
from bms_studio.interpret import Request
from bms_studio.jobs import Job
from bms_studio.kernels import prepare_kernels
from bms_studio.leftovers import Leftover, discard, leftovers, unwatched, watch_lock
from bms_studio.link_test import adapter_settings, find_bitrate, try_link
from bms_studio.opening import open_paths, read_database, share_copy
from bms_studio.pack.profile import Profile, parse_profile
from bms_studio.replay import Replay, open_replay
from bms_studio.requests import request_for
from bms_studio.session import Session, build_in_process
from bms_studio.status import Offer
from protocols.registry import available, load


@dataclass(frozen=True, slots=True)
class DemoChoice:
    """What the demo simulates; faults as written on the command line."""

    cells: int = 20
    faults: tuple[str, ...] = ()
    protocol: str = "scooter"
    rate_hz: int = 100
    story: bool = True


def recordings_folder() -> Path:
    """Where recordings go when nobody names a place."""
    home = os.environ.get("BMS_STUDIO_HOME")
    documents = Path(home) if home else Path(platformdirs.user_documents_path())
    return documents / "BMS Studio"


def name_recording(serial: str) -> Path:
    """A path that does not exist yet: serial number and local time."""
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in serial) or "pack"
    stem = f"{safe} {time.strftime('%Y-%m-%d %H-%M-%S')}"
    return recordings_folder() / f"{stem}.h5"


def connect(
    settings: AdapterSettings,
    request: Request,
    *,
    owned: bool = False,
    title: str = "",
    simulated: bool = False,
    on_close: Callable[[], None] = lambda: None,
    search: tuple[int, ...] = (),
) -> Session:
    """Start the acquisition of this adapter and watch it. Raises AdapterError with a remedy."""
    acquisition = client.start(
        settings,
        owned=owned,
        header={
            "title": title,
            "adapter": settings.as_dict(),
            "profile": request.profile.text,
            "databases": [[d.name, d.text] for d in request.databases],
            "protocol": request.protocol,
            "simulated": simulated,
        },
    )
    return watch(acquisition, request, title, on_close, search)


def watch(
    acquisition: Acquisition,
    request: Request,
    title: str = "",
    on_close: Callable[[], None] = lambda: None,
    search: tuple[int, ...] = (),
) -> Session:
    """Look at an acquisition that runs; other windows see that it is being watched."""
    watching = watch_lock(acquisition)
    watching.acquire()
    return Session(
        acquisition,
        acquisition.settings,
        request,
        name_recording=name_recording,
        title=title,
        on_close=on_close,
        watching=watching,
        search=search,
    )


def resume() -> Session | None:
    """The acquisition that a window left running, watched again; None if there is none."""
    free = unwatched()
    for acquisition, _ in free[:-1]:
        acquisition.close()
    return watch(*free[-1]) if free else None


class Simulator:
    """The simulated pack behind its emulated adapter, as a process; ends with `close`."""

    def __init__(self, choice: DemoChoice) -> None:
        arguments = ["--cells", str(choice.cells), "--protocol", choice.protocol]
        arguments += ["--rate", str(choice.rate_hz), *(["--story"] if choice.story else [])]
        for fault in choice.faults:
            arguments += ["--fault", fault]
        # Windows has no pseudo-terminals; there the same text goes through a socket.
        arguments += ["--pty"] if os.name == "posix" else ["--tcp", "0"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bms_studio.simulator", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A group of its own: Ctrl-C is for whoever records, not for the pack.
            start_new_session=os.name == "posix",
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            words = self._process.stderr.read() if self._process.stderr else ""
            self.close()
            raise ValueError(words.strip().splitlines()[-1] if words.strip() else "no simulator")
        self.settings = AdapterSettings("slcan", str(json.loads(line)["channel"]))

    def close(self) -> None:
        """End the simulation."""
        process = self._process
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(3.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def demo_session(choice: DemoChoice) -> Session:
    """The simulated pack, connected. Raises ValueError or AdapterError with one sentence."""
    profile = demo_profile(choice.cells)
    simulator = Simulator(choice)
    try:
        return connect(
            simulator.settings,
            Request(profile=profile),
            owned=True,
            title="Demo",
            simulated=True,
            on_close=simulator.close,
        )
    except BaseException:
        simulator.close()
        raise


def demo_profile(cells: int) -> Profile:
    """The profile of the simulated pack: what a workshop would have written down."""
    rows = [list(range(first, min(first + 10, cells + 1))) for first in range(1, cells + 1, 10)]
    return parse_profile(
        "[pack]\n"
        f'name = "Demo scooter"\nseries = {cells}\nparallel = 1\n'
        f'chemistry = "NMC"\ncapacity_ah = 31.0\nlayout = {json.dumps(rows)}\n',
        "demo profile",
    )


class LocalSessions:
    """The window's SessionSource on this machine."""

    def __init__(self, demo: DemoChoice | None = None) -> None:
        self._demo = demo or DemoChoice()

    def adapters(self) -> Job:
        """Result: list[AdapterChoice], the likely ones first."""
        return Job("Looking for adapters", lambda _job: [_choice(a) for a in list_adapters()])

    def probe(self, channel: str) -> Job:
        """Ask a serial port whether it is an SLCAN adapter. Result: its name and serial number."""

        def work(_job: Job) -> str:
            found = try_serial(channel)
            return " · ".join(word for word in (found["name"], found["serial"]) if word)

        return Job("Trying a serial port", work)

    def questions(self, protocol: str) -> Offer | None:
        """What asking this protocol sends; None for one that needs no questions."""
        return ask_offer(protocol) if protocol else None

    def protocols(self) -> Sequence[str]:
        """Names of the built-in protocols."""
        return available()

    def test(self, settings: ConnectSettings) -> Job:
        """Listen for at most 2 s once the bitrate is known. Result: LinkTest."""
        return Job("Testing the link", lambda job: try_link(job, settings))

    def connect(self, settings: ConnectSettings, record: bool) -> Job:
        """Result: a live Session, recording if asked."""

        def work(job: Job) -> Session:
            prepare_kernels(job)
            request = request_for(settings.protocol, settings.databases, settings.profile)
            bitrate, search = _bitrate(job, settings)
            session = connect(adapter_settings(settings, bitrate), request, search=search)
            if record:
                session.start_recording()
            return session

        return Job("Connecting", work)

    def demo(self) -> Job:
        """Result: a live Session on the simulated pack."""

        def work(job: Job) -> Session:
            prepare_kernels(job)
            return demo_session(self._demo)

        return Job("Starting the demo", work)

    def leftovers(self) -> Sequence[Leftover]:
        """What a crash left, newest first."""
        return leftovers()

    def rescue(self, left: Leftover) -> Job:
        """Result: a Replay of the recording built from what was left."""

        def work(job: Job) -> Replay:
            target = Path(left.target) if left.target else name_recording(left.title)
            target.parent.mkdir(parents=True, exist_ok=True)
            target = free_name(target) if target.exists() else target
            return open_replay(job, Path(build_in_process(job, left.journal, target)[0]))

        return Job("Rescuing a recording", work)

    def discard(self, left: Leftover) -> None:
        """Delete what was left."""
        discard(left)

    def open(self, paths: Sequence[Path]) -> Job:
        """Result: a Replay of a recording; logs are imported first, beside themselves."""

        def work(job: Job) -> Replay:
            prepare_kernels(job)
            return open_paths(job, paths, recordings_folder())

        return Job("Opening", work)

    def database(self, path: Path) -> Job:
        """Result: the Database that a file holds."""
        return Job("Reading a database", lambda job: read_database(job, path))

    def share(self, source: Path, target: Path, without: Sequence[str]) -> Job:
        """Result: (path, what the copy lacks in words)."""
        return Job("Writing a copy", lambda job: share_copy(job, source, target, without))


def _bitrate(job: Job, settings: ConnectSettings) -> tuple[int, tuple[int, ...]]:
    """The bitrate to begin with, and those that the session goes on trying: a pack may sleep."""
    if settings.bitrate:
        return settings.bitrate, ()
    if settings.protocol and settings.mode == ACTIVE:
        return load(settings.protocol).bitrates[0], ()
    found = find_bitrate(job, settings)
    return (found, ()) if found else (USUAL_BITRATES[0], USUAL_BITRATES)


def _choice(found: dict[str, Any]) -> AdapterChoice:
    return AdapterChoice(
        found["interface"],
        found["channel"],
        found["name"],
        str(found.get("serial") or ""),
        likely=bool(found["likely"]),
        last_used=bool(found["last_used"]),
        missing=found["missing"],
        parameters=found["parameters"],
        listens=found["listens"],
    )
