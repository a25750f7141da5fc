"""The form of a table of text: its delimiter, its line of names, its units, its column of time.

Looks at the first 64 KiB only. What the names mean is `sample_columns`' business.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recordings.errors import UnreadableLog
from recordings.logs import HEAD_BYTES
from recordings.sample_columns import Plan, TimeColumn
from recordings.sample_time import unit_ns, zone_of

_DELIMITERS = ",;\t|"
_SEARCHED_LINES = 300
_CHINESE = re.compile("电[压池流芯量]|单体|温度|时间|日期|里程")
_NUMBER = re.compile(
    r"[+-]?(?:\d+|\d{1,3}(?:[.,]\d{3})+|(?=[.,]\d))(?:[.,]\d*)?(?:e[+-]?\d+)?\s*%?", re.I
)
_DATE = re.compile(r"\d{1,4}[-/.]\w{1,9}[-/.]\d{1,4}|\d{1,2}:\d\d(?::\d\d)?|\d{14}|\d{8}")


@dataclass(frozen=True, slots=True)
class Table:
    """How the text is cut: where the names stand, and below which line the rows begin."""

    delimiter: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    first_row: int
    example: tuple[str, ...]
    quoted: bool
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Stamp:
    """How the time columns are read: as numbers (unit, kind) or as text, one or two of them.
    counter: place and ns per unit of a column that counts beside dates, place -1 if there is none.
    """

    places: tuple[int, ...]
    unit: int
    kind: str
    zone_min: int
    counter: tuple[int, int] = (-1, 1)


def table_of(path: Path, head: bytes) -> Table:
    """Delimiter, names and units from the first 64 KiB; UnreadableLog where there is no table."""
    if b"\0" in head:
        raise UnreadableLog(f"{path} is no text")
    encoding = _encoding(head)
    text = head.decode(encoding, "replace")
    lines = text.splitlines()
    if len(head) >= HEAD_BYTES:
        lines = lines[:-1]
    best: tuple[int, Table] | None = None
    for delimiter in _DELIMITERS:
        rows = [_cut(line, delimiter) for line in lines[:_SEARCHED_LINES]]
        found = _header_of(rows, delimiter, '"' in text)
        if found and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        raise UnreadableLog(f"{path} is no table with a line of column names above its numbers")
    return replace(best[1], encoding=encoding)


def _encoding(head: bytes) -> str:
    """UTF-8; Chinese where every line of the head is that, Windows-1252 anywhere else."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start > len(head) - 4:  # the head ends within a character
            return "utf-8"
    else:
        return "utf-8"
    try:
        text = head[: head.rfind(b"\n") + 1 or len(head)].decode("gb18030")
    except UnicodeDecodeError:
        return "cp1252"
    # Western letters stand alone or with an ASCII letter behind; as pairs they make rare signs.
    return "gb18030" if _CHINESE.search(text) else "cp1252"


def _cut(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def _header_of(rows: list[list[str]], delimiter: str, quoted: bool) -> tuple[int, Table] | None:
    """(how much speaks for it, the table): of all lines of names above lines of values the one
    with the most names and rows that agree with it; cyclers write a preamble of other widths."""
    best: tuple[int, Table] | None = None
    for at, names in enumerate(rows[:-1]):
        filled = [name for name in names if name]
        if len(filled) < 2 or any(map(_is_value, filled)):
            continue
        below = [row for row in rows[at + 1 :] if any(row)]
        has_units = len(below) > 1 and _fits(below[0], names)
        has_units = has_units and not any(map(_is_value, below[0]))
        values = below[1:] if has_units else below
        if not values or not _fits(values[0], names) or not any(map(_is_value, values[0])):
            continue
        good = sum(_fits(row, names) for row in values)
        if best is None or len(filled) * good > best[0]:
            first = next(k for k in range(at + 1, len(rows)) if any(rows[k]))
            units = tuple(below[0]) if has_units else ()
            start = first + (2 if has_units else 1)
            table = Table(delimiter, tuple(names), units, start, _example(values, names), quoted)
            best = len(filled) * good, table
    return best


def _example(rows: list[list[str]], names: list[str]) -> tuple[str, ...]:
    """The first filled field of every column."""
    columns = ([row[k] for row in rows if k < len(row) and row[k]] for k in range(len(names)))
    return tuple(next(iter(column), "") for column in columns)


def _fits(row: list[str], names: list[str]) -> bool:
    return abs(len(row) - len(names)) <= 1


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.match(cell))


def is_number(cell: str) -> bool:
    """Whether a field is a number in any usual writing."""
    return bool(_NUMBER.fullmatch(cell))


def stamp_of(path: Path, table: Table, found: Plan) -> Stamp:
    """The best column of time that the first row fills, with a second one where the date and the
    time of day stand apart."""
    filled = [t for t in found.times if t.place < len(table.example) and table.example[t.place]]
    if not filled:
        raise UnreadableLog(f"{path} has no column of time: its columns are {listed(table.names)}")
    texts = {t.place: table.example[t.place] for t in filled}
    first, text = filled[0], texts[filled[0].place]
    zone = zone_of(first.header)
    if _NUMBER.fullmatch(text) and not _is_compact(text):
        unit, kind = unit_ns(_unit(first, table), int(_plain_number(text)), first.header)
        return Stamp((first.place,), unit, kind, zone)
    counter = _counter(filled[1:], texts, table)
    if ":" not in text and len(text) <= 10:  # a date; the time of day stands elsewhere
        other = [t.place for t in filled if ":" in texts[t.place]][:1]
        return Stamp((first.place, *other), 0, "text", zone, counter)
    dated = re.search(r"[-/.\w]{6,}.*\d:", text) or ":" not in text
    day = next((t for t in filled if ":" not in texts[t.place]), None)
    if dated or day is None or _NUMBER.fullmatch(texts[day.place]):
        return Stamp((first.place,), 0, "text", zone, counter)
    return Stamp((day.place, first.place), 0, "text", zone, counter)


def _counter(others: Sequence[TimeColumn], texts: dict[int, str], table: Table) -> tuple[int, int]:
    """A column that counts the time of the whole table: place and ns of its unit, or (-1, 1)."""
    for column in others:
        text = texts[column.place]
        if not _NUMBER.fullmatch(text) or _is_compact(text) or "step" in column.header.lower():
            continue
        unit, kind = unit_ns(_unit(column, table), int(_plain_number(text)), column.header)
        if kind == "relative":
            return column.place, unit
    return -1, 1


def _plain_number(text: str) -> float:
    """A field that _NUMBER knows; the last of its marks is the decimal one."""
    *parts, last = re.split(r"[.,]", text.strip(" %"))
    return float(f"{''.join(parts)}.{last}" if parts else last)


def _unit(column: TimeColumn, table: Table) -> str:
    """The unit of a counting time: of its line of units, its brackets, or the end of its name."""
    if column.unit:
        return column.unit
    last = re.search(
        r"(?:[_\s.]|(?<=[a-z]))(ns|us|ms|s|sec|min|h|hours|days)$", column.header, re.I
    )
    return last[1] if last else ""


def _is_compact(text: str) -> bool:
    """20210505091000 and 20210505 are dates, not numbers."""
    return bool(
        re.fullmatch(r"(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d(?:[0-2]\d[0-5]\d(?:\d\d)?)?", text)
    )


def listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(name for name in names if name)
    return shown if len(shown) < 300 else shown[:300] + " …"
