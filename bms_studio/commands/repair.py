"""`repair`: recordings from journals that a crash or a full disk left.

A journal goes when the recording built from it has been verified; a damaged one stays.
"""

import argparse
from pathlib import Path

from bms_studio.commands import DONE, FAILED, UNREADABLE, CommandError, say
from bms_studio.commands.options import Progress, clear_errors


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """PATH."""
    parser.add_argument(
        "path", help="a journal, the recording that was being made, or a folder of them"
    )


def run(options: argparse.Namespace) -> int:
    """Build every journal under PATH; 1 naming the pid if one is being written."""
    from recordings.journal import writing_pid

    journals = find_journals(Path(options.path))
    failed = 0
    for journal in journals:
        pid = writing_pid(journal)
        if pid is not None:
            say(f"{journal} is being written by process {pid}: stop that recording first")
            failed += 1
            continue
        try:
            with clear_errors():
                _build(journal)
        except CommandError as problem:
            say(f"{journal}: {problem}")
            failed += 1
    return FAILED if failed else DONE


def find_journals(path: Path) -> list[Path]:
    """The journal folders that PATH names or holds; CommandError if there are none."""
    from recordings.journal import segments

    path = path.absolute()
    beside = path.with_name(path.name + ".journal")
    if path.is_dir():
        if segments(path) or (path / "header.bmsj").exists():
            return [path]
        found = sorted(p for p in path.rglob("*") if p.is_dir() and segments(p))
    elif beside.is_dir():
        found = [beside]
    else:
        found = []
    if not found:
        if path.is_file():
            raise CommandError(f"{path} needs no repair: it has no journal beside it", UNREADABLE)
        raise CommandError(f"{path}: there is no journal here; name one, or its folder", UNREADABLE)
    return found


def _build(journal: Path) -> None:
    from bms_studio.from_journal import build_journal
    from recordings.journal import remove_journal

    target = free_target(journal)
    built, damage = build_journal(journal, target, progress=Progress(journal.name))
    for written in built.files:
        print(written.path)
        say(f"{written.path}: {written.rows.get('/frames', 0)} frames")
    if damage.bad_blocks or damage.missing_blocks:
        say(
            f"{journal.name}: {damage.bad_blocks} damaged and {damage.missing_blocks} missing "
            "blocks were skipped"
        )
        # The block that was being written when the power went is torn: nobody will ever read it.
        if damage.missing_blocks or damage.bad_blocks > 1:
            say(f"{journal} was kept, because not all of it could be read")
            return
    remove_journal(journal)


def free_target(journal: Path) -> Path:
    """Where the recording goes: beside the journal, under a name that is not taken."""
    from bms_studio.free_name import free_name

    name = journal.name.removesuffix(".journal")
    stem = Path(name).stem if name.endswith(".h5") else name
    target = journal.with_name(f"{stem}.h5")
    return free_name(target, "-repaired-") if target.exists() else target
