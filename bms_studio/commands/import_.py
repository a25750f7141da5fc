"""`import`: logs of any known format become one recording, with a receipt on standard error."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bms_studio.commands import DONE, UNREADABLE, USAGE, CommandError, say
from bms_studio.commands.options import Progress, add_protocol, clear_errors, new_file, request

if TYPE_CHECKING:
    from recordings.logs import LogReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """LOG…, -o, --dbc, --protocol, --profile, --format, --signals, --receipt, --language."""
    parser.add_argument("logs", nargs="+", metavar="LOG")
    parser.add_argument("-o", "--output", required=True, metavar="REC.h5")
    add_protocol(parser)
    parser.add_argument("--format", default=None, help="default: by content")
    parser.add_argument(
        "--signals", action="store_true", help="also decode every signal of the databases"
    )
    parser.add_argument("--receipt", default="", metavar="FILE", help="also write the receipt here")
    parser.add_argument("--language", default="en", metavar="L", help="of the receipt: en, zh_CN")


def run(options: argparse.Namespace) -> int:
    """Import; prints the recording's path on standard output."""
    from bms_studio.from_logs import import_logs
    from bms_studio.from_samples import holds_samples, import_samples
    from bms_studio.language import languages, set_language
    from bms_studio.receipt import receipt_text
    from bms_studio.worker import limit
    from recordings.formats import FORMATS

    logs = [Path(p) for p in options.logs]
    target = new_file(options.output, [*options.logs, *options.dbc, options.profile])
    wanted = request(options)
    if options.format is not None and options.format not in FORMATS:
        known = ", ".join(FORMATS)
        raise CommandError(f"--format {options.format}: there are {known}", USAGE)
    note = new_file(options.receipt, [*options.logs, options.output]) if options.receipt else None
    if options.language not in languages():
        raise CommandError(f"--language: there are {', '.join(languages())}", USAGE)
    set_language(options.language)
    limit(sum(path.stat().st_size for path in logs if path.is_file()))
    progress = Progress("importing")
    cut: LogReport | None = None
    with clear_errors():
        if len(logs) == 1 and options.format is None and holds_samples(logs[0]):
            built, _, receipt = import_samples(logs[0], target, wanted, progress=progress)
        else:
            done = import_logs(
                logs,
                target,
                wanted,
                format_name=options.format,
                signals=options.signals,
                progress=progress,
            )
            built, receipt = done.built, done.receipt
            cut = next((r for r in done.reports if r.truncated and r.format == "blf"), None)
        words = receipt_text(receipt)
        if note is not None:
            note.write_text(words + "\n", "utf-8")
    for written in built.files:
        print(written.path)
    say(words)
    if built.meaning is None and receipt.frames:
        named = ", ".join(database.name for database in wanted.databases)
        if named:
            say(f"no BMS data: nothing of a battery in {named} is on this bus")
        else:
            say("no BMS data recognised: give the database of this bus with --dbc FILE")
    if cut is not None:
        raise CommandError(
            f"{logs[done.reports.index(cut)]}: {cut.truncated}; the {cut.frames} frames before "
            "that are in the recording",
            UNREADABLE,
        )
    return DONE
