"""DBC files into databases. cantools reads the text; this room mends it first and judges it after.

No meaning is given to signals here (see `protocols/mapping.py`).
"""

import logging
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocols.dbc_repair import MAX_BYTES, UNUSED, DatabaseError, repair
from protocols.scripts import unspelt
from protocols.signals import Database, Message, MuxCondition, Signal

__all__ = ["DatabaseError", "load_database", "parse_database"]

MAX_FRAME_BYTES = 64
_UNKNOWN_CHOICE = re.compile(
    r"^(sna|n/?a|not[ _]?avail(able)?|invalid( value)?|unknown|undefined"
    r"|signal[ _]not[ _]available|init(ialisation|ialization)?)$",
    re.IGNORECASE,
)


def load_database(path: Path | str) -> Database:
    """The database of a DBC file: UTF-8 with or without byte order mark, GB 2312, Windows-1252.

    Raises DatabaseError (a ValueError) naming file, line and remedy, OSError if it cannot be read.
    """
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise DatabaseError(f"{path.name} has more than {MAX_BYTES // 10**6} MB: not a DBC")
    content = path.read_bytes()
    if b"\0" in content:
        raise DatabaseError(f"{path.name} is not text: choose the .dbc file itself")
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
    """The database of a DBC text; `repairs` says what had to be mended.

    Raises DatabaseError (a ValueError) naming the line and the remedy.
    """
    if len(text) > MAX_BYTES:
        raise DatabaseError(f"{name} has more than {MAX_BYTES // 10**6} MB: not a DBC")
    mended, repairs = repair(name, text.lstrip("\ufeff"))
    parsed = _parse(name, mended)
    notes = list(repairs)
    messages = tuple(_unique(_message(m, notes) for m in parsed.messages if m.name != UNUSED))
    if not messages:
        raise DatabaseError(f"{name} has no messages: choose the DBC of the bus")
    return Database(name, messages, text, tuple(notes))


def _parse(name: str, text: str) -> Any:
    import cantools.database

    logger = logging.getLogger("cantools")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of repeated names, which are made unique here
    try:
        return cantools.database.load_string(text, "dbc", strict=False, prune_choices=False)
    except Exception as error:  # cantools raises many kinds, all of them about the text
        raise DatabaseError(_explain(name, str(error))) from error
    finally:
        logger.setLevel(level)


def _explain(name: str, message: str) -> str:
    """One sentence of a cantools error."""
    match = re.search(r"line (\d+), column (\d+): \"(.*)", message, re.DOTALL)
    if not match:
        reason = " ".join(message.replace("DBC: ", "").strip('"').split())[:200]
        return f"{name} is not a usable DBC: {reason}"
    excerpt = match[3].split("\n")[0].strip().rstrip('"').replace(">>!<<", "")
    return (
        f"{name}, line {match[1]}, column {match[2]}: not DBC syntax: '{excerpt[:80]}'; "
        "correct the line or export the file again"
    )


def _message(parsed: Any, notes: list[str]) -> Message:
    signals: list[Signal] = []
    taken: set[str] = set()
    for item in parsed.signals:
        signal = _signal(item, taken)
        if not (math.isfinite(signal.scale) and math.isfinite(signal.offset)):
            notes.append(f"{parsed.name}.{signal.name} left out: its scale is no number")
        elif _last_byte(signal) > MAX_FRAME_BYTES:
            notes.append(f"{parsed.name}.{signal.name} left out: beyond {MAX_FRAME_BYTES} bytes")
        else:
            signals.append(signal)
    return Message(
        unspelt(parsed.name),
        parsed.frame_id,
        parsed.length,
        tuple(_without_lost_selectors(signals)),
        extended=parsed.is_extended_frame,
        comment=parsed.comment or "",
    )


def _signal(item: Any, taken: set[str]) -> Signal:
    choices = {int(raw): str(text) for raw, text in (item.choices or {}).items()}
    mux: tuple[MuxCondition, ...] = ()
    if item.multiplexer_ids is not None and item.multiplexer_signal:
        mux = (MuxCondition(unspelt(item.multiplexer_signal), tuple(item.multiplexer_ids)),)
    return Signal(
        _free(unspelt(item.name), taken),
        item.start,
        item.length,
        little_endian=item.byte_order == "little_endian",
        signed=item.is_signed,
        is_float=item.is_float,
        scale=float(item.scale),
        offset=float(item.offset),
        unit=item.unit or "",
        minimum=None if item.minimum is None else float(item.minimum),
        maximum=None if item.maximum is None else float(item.maximum),
        is_selector=item.is_multiplexer,
        mux=mux,
        choices=choices,
        invalid=_invalid(item.length, choices),
        comment=item.comment or "",
    )


def _invalid(length: int, choices: dict[int, str]) -> tuple[int, ...]:
    """Raw values that the database itself calls unknown; in flags such words are a state."""
    if length < 8:
        return ()
    return tuple(raw for raw, text in choices.items() if _UNKNOWN_CHOICE.match(text.strip()))


def _free(name: str, taken: set[str]) -> str:
    """A name not yet used in the message: some tools export `Blank` many times."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free


def _last_byte(signal: Signal) -> int:
    start = signal.start
    if not signal.little_endian:
        start = 8 * (start // 8) + 7 - start % 8
    return (start + signal.length + 7) // 8


def _without_lost_selectors(signals: Iterable[Signal]) -> Iterable[Signal]:
    """Signals whose multiplexer was left out cannot be told apart: they go too."""
    kept = list(signals)
    names = {signal.name for signal in kept}
    return [s for s in kept if all(condition.selector in names for condition in s.mux)]


def _unique(messages: Iterable[Message]) -> Iterable[Message]:
    """Messages with names that differ; the identifier is added to a repeated one."""
    taken: set[str] = set()
    for message in messages:
        name = message.name if message.name not in taken else f"{message.name}_{message.id:X}"
        name = _free(name, taken)
        if name == message.name:
            yield message
        else:
            yield Message(
                name,
                message.id,
                message.length,
                message.signals,
                message.extended,
                message.id_mask,
                message.comment,
            )
