"""`replay`: sends a recording's frames on a bus, paced as they were received.

This is one of the two verbs that transmit; it does so because the person asked for it.
"""

import argparse
import time
from pathlib import Path

from bms_studio.commands import DONE, USAGE, CommandError, say
from bms_studio.commands.options import adapter_settings, add_adapter, clear_errors

_AHEAD_S = 0.005


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """REC.h5, -i -c -b, --speed, --include-transmitted."""
    parser.add_argument("recording", metavar="REC.h5")
    add_adapter(parser, transmits=True)
    parser.add_argument("--speed", type=float, default=1.0, help="times real time, default 1")
    parser.add_argument(
        "--include-transmitted",
        action="store_true",
        help="also send frames that the recording computer itself had transmitted",
    )


def run(options: argparse.Namespace) -> int:
    """Send every frame; Ctrl-C stops."""
    from bms_studio.acquisition.adapters import open_adapter
    from protocols.frames import ERROR, TRANSMITTED
    from recordings.reader import Recording

    if options.speed <= 0:
        raise CommandError("--speed must be above 0", USAGE)
    with clear_errors():
        rec = Recording(Path(options.recording))
        if not rec.rows("/frames"):
            raise CommandError(f"{rec.path} was made of samples: it has no frames to send")
        adapter = open_adapter(adapter_settings(options))
        sent, begun, first = 0, time.monotonic(), None
        unwanted = ERROR if options.include_transmitted else ERROR | TRANSMITTED
        try:
            for block in rec.frames(block=4096):
                frames = block[(block.flags & unwanted) == 0]
                at = 0
                while at < len(frames):
                    first = int(frames.time[0]) if first is None else first
                    now = (time.monotonic() - begun) * options.speed
                    until = first + int((now + _AHEAD_S) * 1e9)
                    upto = int(frames.time.searchsorted(until, "right"))
                    if upto > at:
                        adapter.write(frames[at:upto])
                        sent += upto - at
                        at = upto
                    else:
                        wait = (int(frames.time[at]) - until) * 1e-9 / options.speed
                        time.sleep(min(max(wait, 0.001), 0.1))
        finally:
            adapter.close()
    say(f"sent {sent} frames in {time.monotonic() - begun:.1f} s")
    return DONE
