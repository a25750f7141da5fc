"""`report`: the workshop report of a recording, as PDF or as one HTML file."""

import argparse
from pathlib import Path

from bms_studio.commands import UNREADABLE, USAGE, CommandError
from bms_studio.commands.options import new_file, paint_offscreen

SECTION_NAMES = ("customer", "evidence", "cells", "visits", "quality")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """REC.h5, -o R.pdf, --language, what the workshop writes beside it, and which sections."""
    parser.add_argument("recording", metavar="REC.h5")
    parser.add_argument("-o", "--output", required=True, metavar="R.{pdf,html}")
    parser.add_argument("--language", default="", choices=("", "en", "zh_CN"))
    parser.add_argument("--workshop", default="", help="name of the workshop")
    parser.add_argument("--job", default="", help="number of the job")
    parser.add_argument("--customer", default="", help="name of the customer")
    parser.add_argument("--note", default="", help="a remark for the first page")
    parser.add_argument(
        "--sections",
        default=",".join(SECTION_NAMES),
        help="which parts, separated by commas: " + ", ".join(SECTION_NAMES),
    )


def run(options: argparse.Namespace) -> int:
    """Analyse if need be, and write it; 3 when it is no recording."""
    path, target = Path(options.recording), new_file(options.output)
    if target.suffix.lower() not in (".pdf", ".html", ".htm"):
        raise CommandError(f"{target}: a report is a .pdf or a .html file", USAGE)
    sections = tuple(name.strip() for name in options.sections.split(",") if name.strip())
    if unknown := [name for name in sections if name not in SECTION_NAMES]:
        known = ", ".join(SECTION_NAMES)
        raise CommandError(f"--sections: no section '{unknown[0]}'; there are {known}", USAGE)
    if not path.is_file():
        raise CommandError(f"{path}: there is no such file", UNREADABLE)
    paint_offscreen()

    from bms_studio.gui.app import make_application
    from bms_studio.gui.report_contents import Visit
    from bms_studio.gui.report_output import write_report
    from bms_studio.gui.report_source import report_of
    from bms_studio.jobs import Job
    from bms_studio.language import set_language
    from bms_studio.replay import open_replay

    application = make_application()
    set_language(options.language or "en")
    job = Job("Opening", lambda running: open_replay(running, path))
    job.wait()
    if job.error or job.result is None:
        raise CommandError(job.error or f"{path}: cannot be opened", UNREADABLE)
    replay = job.result
    try:
        replay.filled.wait()
        replay.analysed.wait()
        replay.seek(1 << 62)
        visit = Visit(options.workshop, options.job, options.customer, options.note)
        write_report(report_of(replay, visit, sections), target)
    finally:
        replay.disconnect()
        del application
    print(target)
    return 0
