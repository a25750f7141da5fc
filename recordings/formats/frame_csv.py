"""CSV of frames with columns by name: what python-can's CSVWriter and many small tools write.

A column of time, one of identifiers, and the bytes in one column (hexadecimal with or without
marks between, or base64) or in a column each (`D0`, `byte_1`, …). Whether identifiers and bytes
are hexadecimal is told by the first rows: by 0x, letters, leading noughts, numbers of three digits.
Times: seconds, or whole milliseconds, microseconds or nanoseconds by name or size, or dates of ISO
8601. Source: python-can, `can/io/csv.py`; public exports. Reading only.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from protocols.frames import ERROR, EXTENDED, FD, REMOTE, TRANSMITTED, Frames, empty_frames
from recordings.logs import HEAD_BYTES, LogFormat, LogReport, TextBlock, text_blocks

_NAMES = {
    "time": "timestamp timestamps time times timestampms timestampus timems timeus timesec",
    "id": "id canid arbitrationid arbid msgid messageid identifier frameid canidhex idhex",
    "length": "dlc len length datalength dlcbytes size",
    "data": "data payload bytes databytes datahex databytehex payloadhex",
    "extended": "extended ext ide isextended isextendedid",
    "remote": "remote rtr isremote",
    "error": "error iserror",
    "direction": "dir direction rxtx",
    "channel": "channel bus can interface",
}
_ROLE = {name: role for role, names in _NAMES.items() for name in names.split()}
_BYTE = re.compile(r"(?:b|d|byte|data|databyte)(\d{1,2})")
_TRUE = {"1", "true", "yes", "x", "tx", "t", "ext", "extended"}
_SIZES = (*range(9), 12, 16, 20, 24, 32, 48, 64)
_UNITS = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000))  # of whole numbers since 1970
_SECOND = 1_000_000_000
_LATEST_NS = 2**62
_ROWS_LOOKED_AT = 200
_ZONE = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")


@dataclass(frozen=True, slots=True)
class _Table:
    """mark: between fields; places: column by role; of_bytes: columns of single bytes in order;
    unit_ns: of times, 0 for dates; zoned: these name their zone; id_base, byte_base: 10 or 16;
    read: the data column's text into bytes."""

    mark: str
    places: dict[str, int]
    of_bytes: tuple[int, ...]
    unit_ns: int
    id_base: int
    byte_base: int
    read: Callable[[str], bytes]
    zoned: bool = True


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*?\)|\[.*?\]", "", name.lower()))


def _header(head: str) -> tuple[str, dict[str, int], tuple[int, ...]] | None:
    """Mark, column by role and columns of bytes of the first line, if it names frames."""
    line = next((t for t in head.lstrip("\ufeff").splitlines() if t.strip() and t[0] != "#"), "")
    mark = max(",;", key=line.count)
    names = [_plain(cell) for cell in line.split(mark)]
    places: dict[str, int] = {}
    single: dict[int, int] = {}
    for place, name in enumerate(names):
        if name in _ROLE:
            places.setdefault(_ROLE[name], place)
        elif match := _BYTE.fullmatch(name):
            single.setdefault(int(match[1]), place)
    order = sorted(single)
    if names[:3] == ["timestamp", "id", "extended"] and "d1" in names:
        return None  # that of GVRET
    if order and order != list(range(order[0], order[0] + len(order))):
        return None
    if not {"time", "id"} <= set(places) or not ("data" in places or len(order) >= 2):
        return None
    return mark, places, tuple(single[k] for k in order)


def _sniff(head: bytes) -> float:
    return 0.9 if b"\0" not in head and _header(head.decode("utf-8", "replace")) else 0.0


def _hexadecimal(text: str) -> bytes:
    return bytes.fromhex(re.sub(r"0[xX]|[^0-9A-Fa-f]", "", text))


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _table(head: str) -> _Table | None:
    """How the rows are to be read; None for a file without a header of frames."""
    found = _header(head)
    if found is None:
        return None
    mark, places, of_bytes = found
    lines = [t for t in head.splitlines() if t.strip() and t[0] != "#"]
    rows = [t.split(mark) for t in lines[1 : 1 + _ROWS_LOOKED_AT]]

    def column(place: int) -> list[str]:
        return [row[place].strip().strip('"') for row in rows if place < len(row)]

    ids = column(places["id"])
    marked = any(i[:2].lower() == "0x" or re.search("[a-fA-Fh]", i) for i in ids)
    padded = len({len(i) for i in ids}) <= 2 and any(i.startswith("0") and len(i) > 1 for i in ids)
    named = "arbitration" in head.splitlines()[0].lower()
    cells = [cell for place in of_bytes for cell in column(place) if cell]
    letters = any(re.search("[a-fA-Fx]", cell) for cell in cells)
    wide = any(len(cell) > 2 for cell in cells)
    hexadecimal = letters or (not wide and all(len(cell) == 2 for cell in cells))
    name = lines[0].split(mark)[places["time"]].lower() if lines else ""
    return _Table(
        mark,
        places,
        of_bytes,
        _unit(name, column(places["time"])),
        16 if marked or padded or not named else 10,
        16 if hexadecimal else 10,
        _reader(column(places["data"]), column(places.get("length", -1))) if "data" in places
        else _hexadecimal,
        all(_ZONE.search(t) for t in column(places["time"]) if t),
    )  # fmt: skip


def _reader(data: list[str], lengths: list[str]) -> Callable[[str], bytes]:
    """Base64 where the text is no hexadecimal of the length beside it."""
    for place, text in enumerate(data):
        bare = re.sub(r"0[xX]|[\s:.\-]", "", text)
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", bare):
            return _base64
        length = lengths[place] if place < len(lengths) else ""
        if length.isdigit() and bare and 2 * int(length) != len(bare):
            return _base64
    return _hexadecimal


def _unit(name: str, times: list[str]) -> int:
    """Nanoseconds of one unit of the numbers; 0 where they are dates."""
    first = next((t for t in times if t), "0")
    if not re.fullmatch(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?", first):
        return 0
    for word, unit in (("ns", 1), ("us", 1_000), ("\u00b5s", 1_000), ("ms", 1_000_000)):
        if re.search(rf"[\W_]{word}\b|[\W_]{word}$", name):
            return unit
    if not any("." in t for t in times):
        for least, unit in _UNITS:
            if abs(int(float(first))) >= least:
                return unit
    return _SECOND


def _time(text: str, unit_ns: int) -> int:
    if unit_ns:
        whole, _, fraction = text.partition(".")
        if "e" in text.lower():
            return round(float(text) * unit_ns)
        digits = (fraction + "0" * 9)[:9]
        size = abs(int(whole or "0")) * unit_ns + int(digits) * unit_ns // _SECOND
        return -size if text.startswith("-") else size
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC)
    return round(moment.timestamp()) * _SECOND if not moment.microsecond else int(
        (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6
    ) * 1_000  # fmt: skip


def _row(cells: list[str], table: _Table) -> tuple[int, int, int, str, bytes]:
    """Time, id, flags, channel and data; ValueError or IndexError for a row that is no frame."""
    places = table.places

    def said(role: str) -> bool:
        place = places.get(role, -1)
        return 0 <= place < len(cells) and cells[place].lower() in _TRUE

    number = cells[places["id"]]
    extended = (number[-1:] in "xX" and len(number) > 1) or said("extended")
    frame_id = int(number.rstrip("xXh"), table.id_base)
    extended = extended or frame_id > 0x7FF or len(number.removeprefix("0x")) == 8
    length = cells[places["length"]] if "length" in places else ""
    count = int(length) if length else -1
    remote = said("remote")
    if "data" in places and not table.of_bytes:
        data = table.read(cells[places["data"]])
    else:
        given = [cells[place] for place in table.of_bytes if place < len(cells) and cells[place]]
        data = bytes(int(cell, table.byte_base) for cell in given)
        data = data[:count] if count >= 0 else data
    if len(data) not in _SIZES or (count >= 0 and len(data) != count and not remote):
        raise ValueError("length")
    flags = (EXTENDED if extended else 0) | (REMOTE if remote else 0)
    flags |= (ERROR if said("error") else 0) | (FD if len(data) > 8 else 0)
    flags |= TRANSMITTED if said("direction") else 0
    time = _time(cells[places["time"]], table.unit_ns)
    if not 0 <= frame_id <= 0x1FFFFFFF or abs(time) >= _LATEST_NS:
        raise ValueError("out of range")
    channel = cells[places["channel"]] if "channel" in places else "0"
    return time, frame_id, flags, channel, b"" if remote else data


def _block(block: TextBlock, table: _Table, report: LogReport) -> Frames:
    rows: list[tuple[int, int, int, str, bytes]] = []
    for number, raw in enumerate(block.text.split(b"\n"), block.first_line):
        line = raw.decode("utf-8", "replace").strip()
        if not line:
            continue
        report.lines += 1
        if line[0] == "#" or (number <= 2 and _header(line)):
            report.skipped += 1
            continue
        try:
            cells = [cell.strip().strip('"') for cell in line.split(table.mark)]
            rows.append(_row(cells, table))
        except (ValueError, IndexError, OverflowError, binascii.Error):
            report.add_bad(1, [number])
    frames = empty_frames(len(rows), 64 if any(len(row[4]) > 8 for row in rows) else 8)
    for k, (time, frame_id, flags, channel, data) in enumerate(rows):
        if channel not in report.channels and len(report.channels) < 256:
            report.channels.append(channel)
        known = report.channels.index(channel) if channel in report.channels else 0
        frames.time[k], frames.id[k], frames.flags[k] = time, frame_id, flags
        frames.channel[k], frames.length[k] = known, len(data)
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def _read(path: Path, report: LogReport) -> Iterator[Frames]:
    with path.open("rb") as file:
        table = _table(file.read(HEAD_BYTES).decode("utf-8", "replace"))
    begun = False
    for block in text_blocks(path):
        if table is None:  # a person says that it is one
            count = block.text.count(b"\n")
            report.lines += count
            report.add_bad(count, range(block.first_line, block.first_line + count))
            continue
        frames = _block(block, table, report)
        if not begun and len(frames):
            begun = True
            since_1970 = int(frames.time[0]) > 10**8 * _SECOND
            dated = table.unit_ns == 0 or since_1970
            zoned = bool(table.unit_ns) or table.zoned
            report.time_reference = "relative" if not dated else "utc" if zoned else "local-assumed"
            if dated and not zoned:
                report.notes.append("dates without a zone: that of this computer is assumed")
            if not dated:
                report.notes.append("the log has no date: time counts from its start")
        yield frames


FORMAT = LogFormat("frame-csv", "CSV of frames", (".csv",), _sniff, _read)
