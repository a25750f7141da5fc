"""`import`: logs of any known format become one recording, with a receipt on standard error."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bms_studio.commands import DONE, UNREADABLE, USAGE, CommandError, say
from bms_studio.commands.options import Progress, add_protocol, clear_errors, new_file, request

if TYPE_CHECKING:
    from bms_studio.from_logs import Imported
    from recordings.logs import LogReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """LOG…, -o, --dbc, --protocol, --profile, --format, --signals."""
    parser.add_argument("logs", nargs="+", metavar="LOG")
    parser.add_argument("-o", "--output", required=True, metavar="REC.h5")
    add_protocol(parser)
    parser.add_argument("--format", default=None, help="default: by content")
    parser.add_argument(
        "--signals", action="store_true", help="also decode every signal of the databases"
    )


def run(options: argparse.Namespace) -> int:
    """Import; prints the recording's path on standard output."""
    from bms_studio.from_logs import import_logs
    from bms_studio.from_samples import holds_samples, import_samples
    from recordings.formats import FORMATS

    logs = [Path(p) for p in options.logs]
    target = new_file(options.output, [*options.logs, *options.dbc, options.profile])
    wanted = request(options)
    if options.format is not None and options.format not in FORMATS:
        known = ", ".join(FORMATS)
        raise CommandError(f"--format {options.format}: there are {known}", USAGE)
    if len(logs) == 1 and options.format is None and holds_samples(logs[0]):
        with clear_errors():
            built, report = import_samples(logs[0], target, wanted)
        _tell(logs[0], report)
        say(f"samples, no frames: {', '.join(built.files[0].rows)}")
        print(built.files[0].path)
        return DONE
    with clear_errors():
        imported = import_logs(
            logs,
            target,
            wanted,
            format_name=options.format,
            signals=options.signals,
            progress=Progress("importing"),
        )
    cut = next((r for r in imported.reports if r.truncated and r.format == "blf"), None)
    if cut is not None:
        for written in imported.built.files:
            print(written.path)
        raise CommandError(
            f"{logs[imported.reports.index(cut)]}: {cut.truncated}; the {cut.frames} frames before "
            "that are in the recording",
            UNREADABLE,
        )
    _receipt(logs, imported, [database.name for database in wanted.databases])
    for written in imported.built.files:
        print(written.path)
    return DONE


def _tell(path: Path, report: "LogReport") -> None:
    count = f"{report.frames} frames" if report.frames else f"{report.lines} rows"
    say(f"{path.name}: {report.format}, {count}, time {report.time_reference}")
    if report.bad:
        where = ", ".join(str(n) for n in report.bad_lines[:5])
        say(f"  {report.bad} of {report.lines} lines could not be read (first: {where})")
    if report.backwards:
        say(f"  {report.backwards} had a time before their predecessor's and were put in order")
    if report.truncated:
        say(f"  {report.truncated}")
    for note in report.notes:
        say(f"  {note}")


def _receipt(logs: list[Path], imported: "Imported", databases: list[str]) -> None:
    for path, report in zip(logs, imported.reports, strict=True):
        _tell(path, report)
    built = imported.built
    span_s = (built.last_ns - built.first_ns) * 1e-9
    say(f"{built.frames} frames over {span_s:.1f} s")
    meaning = built.meaning
    if meaning is None and databases:
        say(f"no BMS data: nothing of a battery in {', '.join(databases)} is on this bus")
        return
    if meaning is None:
        say("no BMS data recognised: give the database of this bus with --dbc FILE")
        return
    say(f"meaning: {meaning.title}, confidence {meaning.confidence:.2f}")
    for note in meaning.mapping.notes:
        say(f"  {note}")
    for database in meaning.databases:
        for repair in database.repairs:
            say(f"  {database.name} repaired: {repair}")
