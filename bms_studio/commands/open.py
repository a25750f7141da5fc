"""`open`: a recording in the window, or a picture of it."""

import argparse
from pathlib import Path

from bms_studio.commands import UNREADABLE, USAGE, CommandError
from bms_studio.commands.options import clear_errors, has_display, new_file, paint_offscreen

_LARGEST = 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """REC.h5, --screenshot, --page, --size, --theme, --language."""
    parser.add_argument("recording", metavar="REC.h5")
    add_picture(parser)


def add_picture(parser: argparse.ArgumentParser) -> None:
    """What a picture of the window needs."""
    parser.add_argument("--screenshot", metavar="PNG", help="save a picture and end")
    parser.add_argument(
        "--page", default="", choices=("", "live", "cells", "plots", "diagnosis", "trace")
    )
    parser.add_argument("--size", default="", metavar="WxH", help="in pixels, e.g. 1600x1000")
    parser.add_argument("--theme", default="", choices=("", "dark", "light"))
    parser.add_argument("--language", default="", choices=("", "en", "zh_CN"))


def run(options: argparse.Namespace) -> int:
    """Open it; 3 when it is no recording."""
    path = Path(options.recording)
    if not path.is_file():
        what = "is a folder, not a recording" if path.is_dir() else "there is no such file"
        raise CommandError(f"{path}: {what}", UNREADABLE)
    size = parse_size(options.size)
    picture = new_file(options.screenshot) if options.screenshot else None
    if picture is not None and not has_display():
        paint_offscreen()

    from bms_studio.jobs import Job
    from bms_studio.kernels import prepare_kernels
    from bms_studio.replay import Replay, open_replay

    def work(running: Job) -> Replay:
        prepare_kernels(running)
        return open_replay(running, path)

    # The loader process starts first: it works while Qt is being imported.
    job = Job("Opening", work)
    from bms_studio.commands.window import open_window
    from bms_studio.gui.app import Start

    start = Start(
        screenshot=picture,
        page=options.page,
        size=size,
        theme=options.theme,
        language=options.language,
    )
    with clear_errors():
        status = open_window(first=job, start=start)
    if job.error:
        raise CommandError(job.error, UNREADABLE)
    return status


def parse_size(text: str) -> tuple[int, int] | None:
    """ "1600x1000" as numbers; CommandError for anything else."""
    if not text:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise CommandError(f"--size {text}: write it like 1600x1000", USAGE)
    if max(int(width), int(height)) > _LARGEST:
        raise CommandError(f"--size {text}: at most {_LARGEST} pixels a side", USAGE)
    return int(width), int(height)
