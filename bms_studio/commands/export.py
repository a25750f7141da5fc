"""`export`: a recording in another format, chosen by the output's suffix; also a copy to share."""

import argparse
import tempfile
from pathlib import Path

from bms_studio.commands import DONE, USAGE, CommandError, say
from bms_studio.commands.options import Progress, clear_errors, new_file

SUFFIXES = (".csv", ".parquet", ".log", ".asc", ".blf", ".mf4")
COPY = (".h5", ".hdf5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """REC.h5, -o OUT, --without, --dbc."""
    parser.add_argument("recording", metavar="REC.h5")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="by suffix: csv parquet log asc blf mf4, or h5 for a copy to share",
    )
    parser.add_argument(
        "--without", default="", metavar="WHAT", help="leave out: location, serial, or both"
    )
    parser.add_argument(
        "--dbc",
        action="append",
        default=[],
        metavar="FILE",
        help="derive the samples anew from the frames with this database",
    )


def run(options: argparse.Namespace) -> int:
    """Export; the output appears when it is complete."""
    from bms_studio.share import CHOICES

    target = new_file(options.output, [options.recording, *options.dbc])
    if target.suffix.lower() not in SUFFIXES + COPY:
        raise CommandError(
            f"{target.name}: the suffix says the format, one of {', '.join(SUFFIXES + COPY)}", USAGE
        )
    without = [word.strip() for word in options.without.split(",") if word.strip()]
    for word in without:
        if word not in CHOICES:
            raise CommandError(f"--without {word}: there are {', '.join(CHOICES)}", USAGE)
    with clear_errors(), tempfile.TemporaryDirectory(prefix="bms-studio-export-") as folder:
        _export(Path(options.recording), target, without, options.dbc, Path(folder))
    say(f"wrote {target}")
    return DONE


def _export(
    source: Path, target: Path, without: list[str], databases: list[str], folder: Path
) -> None:
    from bms_studio.rebuild import rebuild
    from bms_studio.share import share
    from recordings.export import export
    from recordings.reader import Recording

    progress = Progress("exporting")
    copy = target.suffix.lower() in COPY
    if databases:
        again = target if copy and not without else folder / "derived.h5"
        rebuild(Recording(source), again, databases, progress=progress)
        source = again
        if copy and not without:
            return
    if copy or without:
        cleaned = target if copy else folder / "copy.h5"
        removed = share(Recording(source), cleaned, without, progress=progress)
        say(f"left out: {removed}" if without else "nothing was left out")
        source = cleaned
    if not copy:
        export(Recording(source), target, progress=progress)
