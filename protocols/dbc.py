"""DBC, KCD, SYM and ARXML files into databases. cantools reads the text; this room tells them apart
by content, mends a DBC first and judges all of them after.

No meaning is given to signals here (see `protocols/mapping.py`).
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from protocols.dbc_repair import MAX_BYTES, MAX_SIGNALS, UNUSED, DatabaseError, repair
from protocols.parsed import converted, free_name
from protocols.signals import Database, Message

__all__ = ["DatabaseError", "load_database", "parse_database"]

# How files of each kind begin, or what they say of themselves early on.
_KINDS = (
    ("kcd", re.compile(r"<\w*:?NetworkDefinition\b")),
    ("arxml", re.compile(r"<AUTOSAR\b")),
    ("sym", re.compile(r"^\s*FormatVersion\s*=", re.MULTILINE)),
)
_HEAD = 20_000

# int(Decimal(…)) of the parser has no bound of its own.
_MONSTER = re.compile(r"\d{401}|(?<![\w.])\d+(?:\.\d*)?[eE][+-]?\d{4,}(?!\w)")
_QUOTED = re.compile(r'"[^"]*"')


def load_database(path: Path | str) -> Database:
    """The database of a file: UTF-8 with or without byte order mark, GB 2312, Windows-1252.

    Raises DatabaseError (a ValueError) naming file, line and remedy, OSError if it cannot be read.
    """
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise DatabaseError(f"{path.name} has more than {MAX_BYTES // 10**6} MB: not a database")
    content = path.read_bytes()
    if b"\0" in content:
        raise DatabaseError(f"{path.name} is not text: choose the database file itself")
    return parse_database(path.name, _text(content))


def _text(content: bytes) -> str:
    """UTF-8, else Chinese (where every high byte has its pair), else Windows-1252."""
    for encoding in ("utf-8-sig", "gb2312"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("cp1252", "replace")


def parse_database(name: str, text: str) -> Database:
    """The database of a text of any of these kinds; `repairs` says what had to be mended.

    Raises DatabaseError (a ValueError) naming the line and the remedy.
    """
    if len(text) > MAX_BYTES:
        raise DatabaseError(f"{name} has more than {MAX_BYTES // 10**6} MB: not a database")
    kind, mended = kind_of(text), text.lstrip("\ufeff")
    notes: list[str] = []
    if kind == "dbc":
        mended, repairs = repair(name, mended)
        notes.extend(repairs)
    elif re.search(r"<!(?:DOCTYPE|ENTITY)", mended):
        raise DatabaseError(f"{name} defines entities, which no database needs: it is refused")
    _refuse_monsters(name, mended)
    parsed = _parse(name, mended, kind)
    found = [m for m in parsed.messages if m.name != UNUSED]
    if any(not m.name or not all(s.name for s in m.signals) for m in found):
        raise DatabaseError(f"{name} has a message or signal without a name: correct it there")
    if sum(len(m.signals) for m in found) > MAX_SIGNALS:
        raise DatabaseError(
            f"{name} has more than {MAX_SIGNALS} signals: not the database of a bus"
        )
    plain, carried = converted(found, notes)
    named = list(_unique([*plain, *(t.message for t in carried)]))
    messages = tuple(named[: len(plain)])
    if not named:
        raise DatabaseError(f"{name} has no messages: choose the database of the bus")
    transfers = tuple(
        replace(t, message=m) for t, m in zip(carried, named[len(plain) :], strict=True)
    )
    return Database(name, messages, text, tuple(notes), transfers)


def _refuse_monsters(name: str, text: str) -> None:
    """Numbers that take minutes or gigabytes to become one: a million digits, 1e999999999."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) < 5 or not _MONSTER.search(line):
            continue
        if _MONSTER.search(_QUOTED.sub("", line)):
            raise DatabaseError(
                f"{name}, line {number}: a number beyond all bounds; the file is damaged or hostile"
            )


def kind_of(text: str) -> str:
    """ "dbc", "kcd", "arxml" or "sym", by what the text begins with."""
    return next((kind for kind, sign in _KINDS if sign.search(text[:_HEAD])), "dbc")


def _parse(name: str, text: str, kind: str) -> Any:
    import cantools.database

    logger = logging.getLogger("cantools")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of repeated names, which are made unique here
    try:
        return cantools.database.load_string(text, kind, strict=False, prune_choices=False)
    except Exception as error:  # cantools raises many kinds, all of them about the text
        raise DatabaseError(_explain(name, str(error), kind)) from error
    finally:
        logger.setLevel(level)


def _explain(name: str, message: str, kind: str) -> str:
    """One sentence of a cantools error."""
    match = re.search(r"line (\d+), column (\d+): \"(.*)", message, re.DOTALL)
    if not match:
        reason = " ".join(message.replace("DBC: ", "").strip('"').split())[:200]
        return f"{name} is not a usable {kind.upper()}: {reason}"
    excerpt = match[3].split("\n")[0].strip().rstrip('"').replace(">>!<<", "")
    return (
        f"{name}, line {match[1]}, column {match[2]}: not {kind.upper()} syntax: '{excerpt[:80]}'; "
        "correct the line or export the file again"
    )


def _unique(messages: Iterable[Message]) -> Iterable[Message]:
    """Messages with names that differ; the identifier is added to a repeated one."""
    taken: set[str] = set()
    for message in messages:
        name = message.name if message.name not in taken else f"{message.name}_{message.id:X}"
        name = free_name(name, taken)
        if name == message.name:
            yield message
        else:
            yield replace(message, name=name)
