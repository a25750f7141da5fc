"""Flags and error sentences that several verbs share. Nothing heavy at import."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bms_studio.commands import DEVICE, FAILED, UNREADABLE, USAGE, CommandError

if TYPE_CHECKING:
    from bms_studio.acquisition.settings import AdapterSettings
    from bms_studio.interpret import Request


def add_adapter(parser: argparse.ArgumentParser, *, transmits: bool = False) -> None:
    """python-can's own flags, and the three bus modes (a verb that transmits has no choice)."""
    group = parser.add_argument_group("adapter")
    group.add_argument("-i", "--interface", required=True, help="slcan, socketcan, pcan, …")
    group.add_argument("-c", "--channel", required=True, help="port or channel, e.g. COM5, can0")
    group.add_argument("-b", "--bitrate", type=int, default=500_000, help="bit/s, default 500000")
    group.add_argument("--fd", action="store_true", help="CAN FD")
    group.add_argument("--data-bitrate", type=int, default=2_000_000, help="of CAN FD, bit/s")
    if transmits:
        parser.set_defaults(mode="active")
        return
    modes = group.add_mutually_exclusive_group()
    modes.add_argument(
        "--listen-only",
        dest="mode",
        action="store_const",
        const="listen",
        default="listen",
        help="send nothing, not even an acknowledge (default)",
    )
    modes.add_argument(
        "--acknowledge",
        dest="mode",
        action="store_const",
        const="acknowledge",
        help="acknowledge only: for a pack alone on its cable",
    )
    modes.add_argument(
        "--active", dest="mode", action="store_const", const="active", help="may transmit"
    )


def adapter_settings(options: argparse.Namespace) -> "AdapterSettings":
    """The settings of `add_adapter`; CommandError for impossible ones."""
    from bms_studio.acquisition.settings import AdapterSettings

    try:
        return AdapterSettings(
            options.interface,
            options.channel,
            options.bitrate,
            options.fd,
            options.data_bitrate,
            options.mode,
        )
    except ValueError as problem:
        raise CommandError(str(problem), 2) from None


def add_protocol(parser: argparse.ArgumentParser) -> None:
    """What the frames mean; without any of these it is detected."""
    group = parser.add_argument_group("protocol (default: detect)")
    group.add_argument("--profile", default="", metavar="FILE.toml", help="what the pack is")
    group.add_argument("--dbc", action="append", default=[], metavar="FILE", help="a database")
    group.add_argument("--protocol", default="", metavar="NAME", help="a built-in protocol")


def request(options: argparse.Namespace) -> "Request":
    """What the person said, loaded; CommandError with status 3 for an unusable file."""
    from bms_studio.requests import request_for
    from protocols.registry import available

    if options.protocol and options.protocol not in available():
        raise CommandError(
            f"no protocol '{options.protocol}': there are {', '.join(available())}", 2
        )
    try:
        return request_for(options.protocol, options.dbc, options.profile)
    except (ValueError, OSError) as problem:
        raise CommandError(_sentence(problem), UNREADABLE) from None


@contextmanager
def clear_errors() -> Iterator[None]:
    """Exceptions that are news for the person become one sentence and an exit status."""
    from bms_studio.acquisition.adapters import AdapterError
    from recordings.errors import UnreadableLog, UnreadableRecording

    try:
        yield
    except (UnreadableRecording, UnreadableLog) as problem:
        raise CommandError(_sentence(problem), UNREADABLE) from None
    except AdapterError as problem:
        raise CommandError(_sentence(problem), DEVICE) from None
    except (ValueError, OSError, RuntimeError) as problem:
        raise CommandError(_sentence(problem), FAILED) from None


def _sentence(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.filename:
        return f"{problem.filename}: {problem.strerror or problem}"
    return str(problem) or type(problem).__name__


def has_display() -> bool:
    """Whether a window can be shown to somebody. Only Linux and the like can be without."""
    if sys.platform in ("win32", "darwin"):
        return True
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        return False
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def paint_offscreen() -> None:
    """Have Qt paint without a screen."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def new_file(text: str, inputs: Sequence[str] = ()) -> Path:
    """A path for output: its folder exists, it is none of `inputs`; else CommandError."""
    path = Path(text)
    for name in inputs:
        if name and path.exists() and Path(name).exists() and path.samefile(name):
            raise CommandError(f"{path} is what is being read: name another output", USAGE)
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is no folder: create it or name another")
    if path.is_dir():
        raise CommandError(f"{path} is a folder: name a file in it")
    return path


class Progress:
    """A line on standard error that follows a long piece of work; quiet when not a terminal."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._shown = -1

    def __call__(self, share: float) -> None:
        """Show a share 0..1."""
        per_cent = int(100 * share)
        if per_cent != self._shown and sys.stderr.isatty():
            self._shown = per_cent
            end = "\n" if per_cent >= 100 else ""
            print(f"\r{self._words} {per_cent:3d} %", end=end, file=sys.stderr, flush=True)
