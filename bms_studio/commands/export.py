"""`export`: a recording in another format, chosen by the output's suffix."""

import argparse
from pathlib import Path

from bms_studio.commands import DONE, USAGE, CommandError, say
from bms_studio.commands.options import Progress, clear_errors, new_file

SUFFIXES = (".csv", ".parquet", ".log", ".asc", ".blf", ".mf4")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """REC.h5, -o OUT."""
    parser.add_argument("recording", metavar="REC.h5")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help="by suffix: csv parquet log asc blf mf4 h5"
    )


def run(options: argparse.Namespace) -> int:
    """Export; the output appears when it is complete."""
    from recordings.export import export
    from recordings.reader import Recording

    target = new_file(options.output, [options.recording])
    if target.suffix.lower() not in SUFFIXES:
        raise CommandError(
            f"{target.name}: the suffix says the format, one of {', '.join(SUFFIXES)}", USAGE
        )
    with clear_errors():
        export(Recording(Path(options.recording)), target, progress=Progress("exporting"))
    say(f"wrote {target}")
    return DONE
