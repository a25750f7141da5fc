"""`demo`: watch a simulated pack through the whole path of hardware, and record it.

Without a display it runs 20 s, prints what it saw, and leaves demo.h5 and demo.png.
"""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bms_studio.commands import DONE, FAILED, USAGE, CommandError, say
from bms_studio.commands.open import add_picture, parse_size
from bms_studio.commands.options import clear_errors, has_display, new_file, paint_offscreen

if TYPE_CHECKING:
    from bms_studio.session import Session

_HEADLESS_S = 20.0
_BUILD_S = 120.0
_FIRST_S = 300.0  # what compiling may take on the first start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--cells, --fault, --seconds, -o, and those of a picture."""
    parser.add_argument("--cells", type=int, default=20, help="1 to 400, default 20")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME:CELL")
    parser.add_argument("--protocol", default="scooter", choices=("scooter", "vesc"))
    parser.add_argument("--rate", type=int, default=0, metavar="HZ", help="scans per second")
    parser.add_argument("--seconds", type=float, default=0.0, help="end after this long")
    parser.add_argument("-o", "--output", default="", metavar="REC.h5", help="record")
    add_picture(parser)


def run(options: argparse.Namespace) -> int:
    """Run the demo; prints a summary on standard output when it ends by itself."""
    shown = has_display()
    if not shown:
        paint_offscreen()
        options.seconds = options.seconds or _HEADLESS_S
        options.output = options.output or "demo.h5"
        options.screenshot = options.screenshot or "demo.png"
    if not 1 <= options.cells <= 400:
        raise CommandError(f"--cells {options.cells}: the demo has 1 to 400 cells", USAGE)
    from bms_studio.simulator.faults import parse_fault

    try:
        for fault in options.fault:
            parse_fault(fault, options.cells)
    except ValueError as problem:
        raise CommandError(str(problem), USAGE) from None
    target = new_file(options.output) if options.output else None
    picture = new_file(options.screenshot) if options.screenshot else None

    from bms_studio.jobs import Job
    from bms_studio.kernels import kernels_ready, prepare_kernels
    from bms_studio.session import Session
    from bms_studio.session_source import DemoChoice, LocalSessions, demo_session

    rate_hz = options.rate or (100 if options.cells <= 100 else 10)
    choice = DemoChoice(options.cells, tuple(options.fault), options.protocol, rate_hz)
    kept: list[Session] = []

    def work(job: Job) -> Session:
        prepare_kernels(job)
        session = demo_session(choice)
        kept.append(session)
        if target is not None:
            session.start_recording(target)
        return session

    job = Job("Starting the demo", work)
    from bms_studio.commands.window import open_window
    from bms_studio.gui.app import Start

    first_s = 0.0 if kernels_ready() else _FIRST_S
    start = Start(
        screenshot=picture,
        page=options.page,
        size=parse_size(options.size) or ((1600, 1000) if not shown else None),
        theme=options.theme,
        language=options.language,
        settle_s=options.seconds or 5.0,
        quit_after_s=_quit_after(options.seconds, picture is not None, first_s),
    )
    with clear_errors():
        status = open_window(LocalSessions(choice), job, start)
    if job.error:
        raise CommandError(job.error, FAILED)
    if kept:
        _finish(kept[0], target, picture)
    return status or DONE


def _quit_after(seconds: float, pictured: bool, first_s: float) -> float:
    """When to end in any case, 0 never: a picture ends the window by itself."""
    return seconds + first_s + (30.0 if pictured else 0.0) if seconds else 0.0


def _finish(session: "Session", target: Path | None, picture: Path | None) -> None:
    """Wait for the recording, and tell what was seen."""
    end = time.monotonic() + _BUILD_S
    while session.job is not None and not session.job.done and time.monotonic() < end:
        time.sleep(0.05)
    if session.job is not None and session.job.error:
        raise CommandError(session.job.error, FAILED)
    status, span = session.status, session.timeline.span()
    seconds = (span[1] - span[0]) * 1e-9 if span else 0.0
    voltages, _ = session.timeline.held("cells", span[1]) if span else (None, None)
    print(
        f"saw {status.pack.cells} cells for {seconds:.1f} s, "
        f"{session.timeline.frames.count} frames, {status.link.lost} lost"
    )
    if voltages is not None and len(voltages):
        low, high = int(voltages.argmin()), int(voltages.argmax())
        print(
            f"lowest cell {low + 1} {voltages[low]:.3f} V, "
            f"highest cell {high + 1} {voltages[high]:.3f} V"
        )
    for finding in session.findings[:3]:
        print(f"{finding.severity}: {finding.text}")
    for path in (target, picture):
        if path is not None and path.exists():
            print(f"wrote {path}")
        elif path is not None:
            say(f"{path} was not written")
