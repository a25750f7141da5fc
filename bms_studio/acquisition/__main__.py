"""The acquisition program: `python -m bms_studio.acquisition -i slcan -c PORT --journal FOLDER …`.

Puts the parts together: adapter, loop, journal, ring, control socket. Has no Qt, no HDF5, no numba.
It ignores Ctrl-C. Detached, it lives until somebody says quit; `--owned` it ends within 1 s of its
standard input closing. Exit status: 0 ended, 2 usage, 4 the adapter or its lock.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

from bms_studio.acquisition.clock import Clock
from bms_studio.acquisition.control import ControlServer
from bms_studio.acquisition.lock import adapter_lock, used_by
from bms_studio.acquisition.loop import Loop
from bms_studio.acquisition.program import Program
from bms_studio.acquisition.ring import RingWriter
from bms_studio.acquisition.settings import AdapterSettings
from bms_studio.acquisition.status import FAILED, AcquisitionStatus
from recordings.filelock import FileLock
from recordings.journal import JournalWriter

DEVICE_FAILED = 4


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line; adapter flags as python-can spells them."""
    parser = argparse.ArgumentParser(prog="bms-studio-acquisition", allow_abbrev=False)
    parser.add_argument("-i", "--interface", required=True)
    parser.add_argument("-c", "--channel", required=True)
    parser.add_argument("-b", "--bitrate", type=int, default=500_000)
    parser.add_argument("--fd", action="store_true")
    parser.add_argument("--data-bitrate", type=int, default=2_000_000)
    modes = parser.add_mutually_exclusive_group()
    for flag, mode in (("--listen-only", "listen"), ("--acknowledge", "acknowledge")):
        modes.add_argument(flag, dest="mode", action="store_const", const=mode)
    modes.add_argument("--active", dest="mode", action="store_const", const="active")
    parser.set_defaults(mode="listen")
    parser.add_argument("--journal", type=Path, required=True, help="folder to write into")
    parser.add_argument("--keep", type=float, metavar="S", help="black box: keep only S seconds")
    parser.add_argument("--header", type=Path, help="JSON file with what a recording must know")
    parser.add_argument("--ring", type=Path, required=True, help="file to create for readers")
    parser.add_argument(
        "--control", type=Path, required=True, help="file that will tell port, token"
    )
    parser.add_argument("--owned", action="store_true", help="end when standard input closes")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run until told to end; the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = arguments(argv)
    settings = AdapterSettings(
        options.interface,
        options.channel,
        options.bitrate,
        options.fd,
        options.data_bitrate,
        options.mode,
    )
    ring = RingWriter(options.ring)
    with contextlib.ExitStack() as stack:
        stack.callback(ring.close)
        lock = adapter_lock(settings)
        if not lock.acquire():
            text = f"{settings.channel} is in use by acquisition process {used_by(settings)}."
            return _refuse(ring, settings, text)
        stack.callback(lock.release)
        try:
            journal = JournalWriter(
                options.journal, _header(options, settings), keep_s=options.keep
            )
        except OSError as problem:
            return _refuse(ring, settings, f"The journal cannot be written: {problem}")
        return _acquire(options, settings, ring, journal)


def _acquire(
    options: argparse.Namespace, settings: AdapterSettings, ring: RingWriter, journal: JournalWriter
) -> int:
    simulated = bool(journal.header.get("simulated"))
    loop = Loop(settings, journal, ring, Clock(), simulated=simulated)
    program = Program(loop, journal)
    server = ControlServer(program.answer)
    alive = FileLock(options.control.with_suffix(".alive"))
    alive.acquire()
    opened = False
    try:
        _announce(options, settings, server, journal)
        signal.signal(signal.SIGTERM, lambda *_: loop.stop())
        if options.owned:
            threading.Thread(target=_wait_for_owner, args=(loop,), daemon=True).start()
        opened = loop.run()
    finally:
        server.close()
        unneeded = options.keep is not None or not opened
        journal.close(discard=unneeded and journal.recording_folder is None)
        loop.publish()
        options.control.unlink(missing_ok=True)
        alive.release()
    return 0 if opened else DEVICE_FAILED


def _refuse(ring: RingWriter, settings: AdapterSettings, text: str) -> int:
    status = AcquisitionStatus(FAILED, text, mode=settings.mode, pid=os.getpid())
    ring.publish(status.as_dict())
    sys.stderr.write(f"{text}\n")
    return DEVICE_FAILED


def _header(options: argparse.Namespace, settings: AdapterSettings) -> dict[str, Any]:
    """What was handed in, completed by what only this program knows."""
    given: dict[str, Any] = {}
    if options.header:
        given = json.loads(options.header.read_text(encoding="utf-8"))
    return {
        "uuid": str(uuid.uuid4()),
        "adapter": settings.as_dict(),
        "mode": settings.mode,
        **given,
    }


def _announce(
    options: argparse.Namespace,
    settings: AdapterSettings,
    server: ControlServer,
    journal: JournalWriter,
) -> None:
    """The control file: complete or not there; readable by this user only (it holds the token)."""
    value = {
        "pid": os.getpid(),
        "port": server.port,
        "token": server.token,
        "ring": str(options.ring),
        "journal": str(journal.folder),
        "owned": options.owned,
        "settings": settings.as_dict(),
        "header": journal.header,
    }
    part = options.control.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)
    part.replace(options.control)


def _wait_for_owner(loop: Loop) -> None:
    """Standard input ends when the owner closes it or dies, however it dies."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            continue
    loop.stop()


if __name__ == "__main__":
    sys.exit(main())
