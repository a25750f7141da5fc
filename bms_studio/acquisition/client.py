"""The side of the window and of `record`: start an acquisition, find one that runs, watch, ask.

Holds no adapter and no journal of its own; everything it knows comes from the ring, the control
socket and the files in `lock.home()`:
`running/<id>.json` (pid, port, token, ring, journal, settings; of a program that is acquiring),
`running/<id>.ring`, `journals/<id>/` (black boxes), `recordings/<id>/` (what the window's Record
made), `logs/`.
"""

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bms_studio.acquisition.adapters import AdapterError
from bms_studio.acquisition.asking import as_words
from bms_studio.acquisition.control import ControlError, request
from bms_studio.acquisition.known import remember
from bms_studio.acquisition.lock import folder, used_by
from bms_studio.acquisition.ports import system_serial
from bms_studio.acquisition.ring import RingReader
from bms_studio.acquisition.settings import AdapterSettings, settings_from
from bms_studio.acquisition.status import ENDED, FAILED, OPENING, AcquisitionStatus, status_from
from protocols.contract import Poll
from protocols.frames import Frames, to_bytes
from recordings.filelock import holder
from recordings.journal_folder import segments, writing_pid

BLACK_BOX_S = 60.0
_START_S = 10.0


class Acquisition:
    """One acquisition program, as seen from outside. Made by `start` and `find`."""

    def __init__(
        self,
        control: Path,
        about: Mapping[str, Any],
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.id = control.stem
        self.pid = int(about["pid"])
        self.settings: AdapterSettings = settings_from(about["settings"])
        self.header: dict[str, Any] = dict(about.get("header", {}))
        self.journal_folder = Path(about["journal"])
        self._port, self._token = int(about["port"]), str(about["token"])
        self._alive = control.with_suffix(".alive")
        self._process = process
        self._ring = RingReader(Path(about["ring"]))
        self._last = AcquisitionStatus()

    @property
    def missed(self) -> int:
        """Frames that went by unread because `read` was called too rarely."""
        return self._ring.missed

    @property
    def running(self) -> bool:
        """Whether the program lives, asked from the system and not from memory."""
        if self._process is not None:
            return self._process.poll() is None
        return holder(self._alive) is not None

    def read(self) -> Frames:
        """All frames since the last call (the first: since the ring's oldest), in order."""
        return self._ring.read()

    def status(self) -> AcquisitionStatus:
        """The newest snapshot, without a round trip; state "ended" when the program is gone."""
        status = status_from(self._ring.status())
        if status.state != FAILED and not self.running:
            status = replace(status, state=ENDED, rate_hz=0.0, bus_load=0.0)
        return status

    def request(self, verb: str, **parameters: Any) -> dict[str, Any]:
        """Ask the program: status, record, stop, mark, event, send, ask, mode, quit.

        Raises ControlError with one sentence if it refuses or is gone.
        """
        return request(self._port, self._token, verb, parameters)

    def start_recording(
        self,
        path: Path | None = None,
        header: Mapping[str, Any] | None = None,
        back_s: float | None = None,
    ) -> dict[str, Any]:
        """Record, from up to 60 s before now; returns id, folder, start_ns.

        path: folder for the journal of this recording; default one in the user's data folder.
        header: what the recording must know and the session's header does not (title, profile,
        databases, protocol). back_s: less history, down to 0 (another pack was connected); whole
        segments of 10 s are taken, so a builder cuts by time.
        """
        target = path or folder("recordings") / f"{time.strftime('%Y%m%d-%H%M%S')}-{_new_id()}"
        about = dict(header or {})
        return self.request("record", path=str(target.absolute()), header=about, back_s=back_s)

    def stop_recording(self) -> Path:
        """End the recording; the folder of its journal, complete, on disk and free to be built."""
        return Path(self.request("stop")["folder"])

    def mark(self, text: str) -> int:
        """Put a mark into the journal; returns its time in ns."""
        return int(self.request("mark", text=text)["time"])

    def event(self, kind: str, text: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Put any event into the journal; returns its time in ns."""
        answer = self.request("event", kind=kind, text=text, parameters=dict(parameters or {}))
        return int(answer["time"])

    def send(self, frames: Frames) -> int:
        """Transmit frames (active mode only); returns how many."""
        text = base64.b64encode(to_bytes(frames)).decode("ascii")
        return int(self.request("send", frames=text)["sent"])

    def ask(self, polls: Sequence[Poll]) -> None:
        """Have the program put these questions to the BMS (active mode only); none: stop asking.

        Raises ControlError in another mode, and for questions that cannot be asked.
        """
        self.request("ask", polls=as_words(polls))

    def change_mode(self, mode: str, bitrate: int = 0) -> None:
        """Open the adapter again in another bus mode or at another bitrate (0: the same).

        Raises ControlError if it refuses; then everything stays as it was.
        """
        self.request("mode", mode=mode, bitrate=bitrate)

    def quit(self, timeout_s: float = 10.0) -> None:
        """Have the program end in good order, and wait for it. Raises ControlError if it stays."""
        with contextlib.suppress(ControlError):  # gone already: that is what was wanted
            self.request("quit")
        if not self.wait(timeout_s):
            raise ControlError(f"The acquisition program (process {self.pid}) does not end.")

    def wait(self, timeout_s: float) -> bool:
        """Whether the program ended within `timeout_s`."""
        end = time.monotonic() + timeout_s
        while self.running:
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)
        return True

    def close(self) -> None:
        """Let go of ring and control pipe: an owned program ends now, a detached one goes on."""
        self._ring.close()
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5.0)
        elif process.poll() is None:
            # Not our child to reap any more; said so, or Python would warn of it.
            process.returncode = 0


def start(
    settings: AdapterSettings,
    journal_folder: Path | None = None,
    *,
    owned: bool,
    header: Mapping[str, Any] | None = None,
    keep_s: float | None = None,
) -> Acquisition:
    """Start an acquisition and wait until its adapter is open.

    owned: it ends within 1 s of this process (or of `close`), else it survives both.
    journal_folder None: a black box of `keep_s` (60 s unless told) in the user's data folder;
    else everything is kept there unless `keep_s` says otherwise. header: what a recording needs:
    title, profile, databases, protocol, simulated …
    Raises AdapterError with a remedy if the adapter or the journal cannot be used.
    """
    pid = used_by(settings)
    if pid is not None:
        raise AdapterError(f"{settings.channel} is in use by acquisition process {pid}.")
    _tidy()
    name = _new_id()
    control = folder("running") / f"{name}.json"
    if journal_folder is None:
        journal_folder = folder("journals") / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
        keep_s = BLACK_BOX_S if keep_s is None else keep_s
    header_file = control.with_suffix(".header")
    complete = {"created": _utc(), "uuid": str(uuid.uuid4()), **(header or {})}
    header_file.write_text(json.dumps(complete, default=str), encoding="utf-8")
    process = _spawn(settings, control, journal_folder, header_file, owned, keep_s)
    try:
        acquisition = _await(control, process)
        if not complete.get("simulated"):
            remember(settings, system_serial(settings))
        return acquisition
    except BaseException:
        _end(process)
        raise
    finally:
        header_file.unlink(missing_ok=True)


def find() -> list[Acquisition]:
    """The acquisitions of this user that run now, oldest first."""
    found = []
    paths = [p for p in folder("running").glob("*.json") if holder(p.with_suffix(".alive"))]
    for path in sorted(paths, key=lambda p: p.stat().st_mtime):
        with contextlib.suppress(OSError, ValueError, KeyError):  # it ended while we looked
            found.append(Acquisition(path, json.loads(path.read_text(encoding="utf-8"))))
    return found


def left_behind() -> list[Path]:
    """Journal folders in the user's data folder that nobody writes: what a crash left.

    Oldest first: black boxes (`journals/`) and recordings not built yet (`recordings/`).
    """
    folders = [p for name in ("journals", "recordings") for p in folder(name).iterdir()]
    left = [p for p in folders if p.is_dir() and segments(p) and writing_pid(p) is None]
    return sorted(left, key=lambda p: p.stat().st_mtime)


def _spawn(
    settings: AdapterSettings,
    control: Path,
    journal_folder: Path,
    header: Path,
    owned: bool,
    keep_s: float | None,
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bms_studio.acquisition"]
    command += ["-i", settings.interface, "-c", settings.channel, "-b", str(settings.bitrate)]
    command += ["--data-bitrate", str(settings.data_bitrate), *(["--fd"] if settings.fd else [])]
    command += [{"listen": "--listen-only"}.get(settings.mode, f"--{settings.mode}")]
    command += ["--journal", str(journal_folder.absolute()), "--header", str(header)]
    command += ["--ring", str(control.with_suffix(".ring")), "--control", str(control)]
    command += ["--owned"] if owned else []
    command += [] if keep_s is None else ["--keep", str(keep_s)]
    # A group of its own: the terminal's Ctrl-C, and on Windows the window's end, do not reach it.
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        apart = {"creationflags": flags}
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    with (folder("logs") / f"acquisition-{control.stem}.log").open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if owned else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "PYTHONPATH": path},
            **apart,
        )


def _await(control: Path, process: subprocess.Popen[bytes]) -> Acquisition:
    """The acquisition once its adapter is open; AdapterError with its own words if it fails."""
    end = time.monotonic() + _START_S
    acquisition: Acquisition | None = None
    while time.monotonic() < end:
        if acquisition is None and control.exists():
            with contextlib.suppress(OSError, ValueError):  # it is just failing: see below
                about = json.loads(control.read_text(encoding="utf-8"))
                acquisition = Acquisition(control, about, process)
        ended = process.poll() is not None
        if acquisition is not None and not ended:
            state = acquisition.status().state
            if state not in (OPENING, FAILED):
                return acquisition
        if ended:
            if acquisition is not None:
                acquisition.close()
            raise AdapterError(_last_words(control))
        time.sleep(0.01)
    if acquisition is not None:
        acquisition.close()
    raise AdapterError(f"The adapter did not open within {_START_S:.0f} s.")


def _last_words(control: Path) -> str:
    """Why the program ended: its status page, else its log."""
    with contextlib.suppress(OSError, ValueError):
        reader = RingReader(control.with_suffix(".ring"))
        try:
            error = status_from(reader.status()).error
        finally:
            reader.close()
        if error:
            _remove_traces(control)
            return error
    log = folder("logs") / f"acquisition-{control.stem}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"The acquisition program ended at once: {lines[-1] if lines else 'no reason given'}"


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tidy() -> None:
    """Remove the traces of programs that are gone."""
    old = time.time() - 60
    for path in folder("running").iterdir():
        with contextlib.suppress(OSError):  # somebody else tidies too, or still reads the ring
            if path.stat().st_mtime < old and holder(path.with_suffix(".alive")) is None:
                path.unlink()


def _remove_traces(control: Path) -> None:
    for suffix in (".json", ".ring", ".alive", ".header"):
        with contextlib.suppress(OSError):
            control.with_suffix(suffix).unlink(missing_ok=True)


def _new_id() -> str:
    return uuid.uuid4().hex[:12]


def _utc() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
