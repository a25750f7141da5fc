"""`record`: a bus into a recording, without a window. Ctrl-C saves and exits 0."""

import argparse
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bms_studio.commands import DEVICE, DONE, CommandError, say
from bms_studio.commands.bus_talk import BusTalk
from bms_studio.commands.options import (
    Progress,
    adapter_settings,
    add_adapter,
    add_protocol,
    clear_errors,
    new_file,
    request,
)

if TYPE_CHECKING:
    from bms_studio.acquisition.client import Acquisition

_LOOK_S = 0.1
_TELL_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """-i -c -b …, -o, --seconds."""
    add_adapter(parser)
    add_protocol(parser)
    parser.add_argument("-o", "--output", required=True, metavar="REC.h5")
    parser.add_argument("--seconds", type=float, default=0.0, help="stop by itself after this long")


def run(options: argparse.Namespace) -> int:
    """Record until Ctrl-C, SIGTERM or --seconds, then build the recording."""
    from bms_studio.acquisition import client

    target = new_file(options.output, [*options.dbc, options.profile])
    settings, wanted = adapter_settings(options), request(options)
    journal = target.with_name(target.name + ".journal")
    if journal.exists():
        raise CommandError(
            f"{journal} is left from an interrupted recording: run 'bms-studio repair {journal}' "
            "first, or name another output"
        )
    header = {
        "title": target.stem,
        "target": str(target.absolute()),
        "adapter": settings.as_dict(),
        "mode": settings.mode,
        "profile": wanted.profile.text,
        "databases": [[d.name, d.text] for d in wanted.databases],
        "protocol": wanted.protocol,
    }
    with clear_errors(), _Stop() as stop:
        acquisition = client.start(settings, journal, owned=True, header=header)
        say(f"recording {settings.channel} at {settings.bitrate} bit/s, mode {settings.mode}")
        if note := acquisition.status().note:
            say(note)
        try:
            if settings.mode == "active":
                _ask(acquisition, options.protocol, settings.bitrate)
            lost = _watch(acquisition, stop, options.seconds, BusTalk(wanted))
        finally:
            acquisition.quit()
            acquisition.close()
            _keep_earlier(target)
            _build(journal, target)
    if lost:
        raise CommandError(f"{target} is saved, but the acquisition ended early: {lost}", DEVICE)
    return DONE


def _keep_earlier(target: Path) -> None:
    """A recording that stands under this name cannot be made again: it moves aside."""
    if not target.exists():
        return
    from bms_studio.free_name import free_name

    aside = free_name(target, "-before-", 1)
    target.rename(aside)
    say(f"{target} was there already: it is now {aside}")


def _ask(acquisition: "Acquisition", protocol: str, bitrate: int) -> None:
    """Put the questions of the protocol that was named, saying what that sends."""
    from bms_studio.hearing import ask_offer
    from bms_studio.messages import offer_words
    from protocols.registry import load

    offer = ask_offer(protocol) if protocol else None
    if offer is None:
        which = f"{protocol} has no questions" if protocol else "no --protocol is named"
        say(f"nothing is asked: {which}")
        return
    say(offer_words(replace(offer, bitrate=bitrate), means=True))
    usual = load(protocol).bitrates
    if bitrate not in usual:
        say(f"{offer.title} usually lives at {usual[0] / 1000:g} kbit/s: -b {usual[0]}")
    acquisition.ask(load(protocol).schedule)


def _watch(acquisition: "Acquisition", stop: "_Stop", seconds: float, talk: "BusTalk") -> str:
    """Wait for the end; a sentence if the acquisition program died meanwhile."""
    begun = told = time.monotonic()
    while not stop.asked and not (seconds and time.monotonic() - begun >= seconds):
        time.sleep(_LOOK_S)
        status = acquisition.status()
        if status.state == "ended":
            return status.error or "it was killed"
        for line in talk.lines(acquisition.read(), status):
            say(line)
        if time.monotonic() - told >= _TELL_S:
            told = time.monotonic()
            lost = sum(status.dropped.values())
            say(
                f"{told - begun:.0f} s, {status.received} frames, {status.rate_hz:.0f}/s, "
                f"{lost} lost, {status.state}"
                + (f", {status.answered} of {status.asked} answered" if status.asked else "")
                + (f", {status.errors} bus errors" if status.errors else "")
                + (f", {status.error}" if status.error else "")
            )
    return ""


def _build(journal: Path, target: Path) -> None:
    from bms_studio.from_journal import build_journal
    from recordings.journal import remove_journal

    built, damage = build_journal(journal, target, progress=Progress("building"))
    remove_journal(journal)
    for written in built.files:
        say(f"saved {written.path}: {written.rows.get('/frames', 0)} frames")
    for word in built.changes:
        say(f"another pack was connected ({word}): it has a file of its own")
    if built.meaning is None:
        say("no BMS data were recognised; add a database with: bms-studio import --dbc FILE")
    if damage.bad_blocks or damage.missing_blocks:
        say(f"{damage.bad_blocks} damaged and {damage.missing_blocks} missing blocks were skipped")


class _Stop:
    """Ctrl-C and SIGTERM as a flag, so that stopping is an orderly end; restores on exit."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "_Stop":
        # A terminal that is closed and a session that ends are no reason to lose the file.
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
        signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._before = {s: signal.signal(s, self._ask) for s in signals}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, *_: object) -> None:
        self.asked = True
