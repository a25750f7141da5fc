"""Tables of samples from telematics, loggers and cyclers: delimited text becomes column groups.

`read_samples` is the one entry. A table has a line of names; what the columns are is decided by
`sample_columns`, their time by `sample_time`, their scale by `sample_scale`. No frame exists here,
and nothing is invented: an empty or unreadable field is NaN.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.plausibility import CELL_V
from protocols.roles import LOCATION_FIELDS
from recordings.errors import Cancelled, UnreadableLog
from recordings.fields import PARTS, moments, numbers
from recordings.logs import HEAD_BYTES, LogReport, TextBlock
from recordings.sample_columns import Column, Plan, plan
from recordings.sample_scale import scaled
from recordings.sample_table import Stamp, Table, is_number, listed, stamp_of, table_of
from recordings.sample_time import Times, from_numbers, from_parts, refined
from recordings.tokens import BAD, Lines, decimals, split, words
from recordings.unpack import Plain, line_blocks, opened

MAX_VALUES = 500_000_000
_MAX_EVENTS = 10_000
_TEXT_BYTES = 96
_WELL = (
    "",
    "0",
    "ok",
    "none",
    "no",
    "normal",
    "-",
    "null",
    "nan",
    "false",
    "no warning",
    "无",
    "正常",
)
_DAY_NS = 86_400_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A table as the column groups of a recording; N rows in order of time.

    time: int64 ns (N,), non-decreasing. cells: float32 V (N, cells), NaN unknown; probes: float32
    degC (N, probes); balancing: float32 0/1 (N, cells); each (N, 0) where the table has none.
    pack, location: name of the field (`protocols.roles`) to (N,), float32, positions and odometer
    float64; soc and soh 0..1; current as the table has it: its sign is unverified, the notes say
    so. labels: headers of the cells and probes. events: (time ns, text) where a column of warnings
    holds text that is new; warnings that are numbers are pack["fault"]. columns: which header
    became which role, with the factor and shift applied; unused: headers without a meaning here.
    report: rows as lines, bad ones with their numbers, rows put in order as backwards, time
    reference, notes.

    Written as a recording::

        with RecordingWriter(path, RecordingAttributes(source="import",
                             time_reference=samples.report.time_reference)) as writer:
            for group, time, columns in samples.groups():
                writer.rows(group, time, columns)
            for group, names in samples.labels.items():
                writer.labels(group, names)
            for moment, text in samples.events:
                writer.event(moment, "warning", text)
            writer.close()
    """

    time: NDArray[np.int64]
    cells: NDArray[np.float32]
    probes: NDArray[np.float32]
    balancing: NDArray[np.float32]
    pack: Mapping[str, NDArray[np.float32]]
    location: Mapping[str, NDArray[Any]]
    labels: Mapping[str, tuple[str, ...]]
    events: tuple[tuple[int, str], ...]
    columns: tuple[Column, ...]
    unused: tuple[str, ...]
    report: LogReport

    def groups(self) -> Iterator[tuple[str, NDArray[np.int64], dict[str, NDArray[Any]]]]:
        """(group path, time, columns) for `RecordingWriter.rows`, without rows that hold nothing.
        age_s is 0: all cells of a row bear its stamp, their true ages are not in the table."""
        wide = (
            ("/cells", "voltage", self.cells),
            ("/balancing", "active", self.balancing),
            ("/temperatures", "value", self.probes),
        )
        for path, name, values in wide:
            held = np.isfinite(values).any(axis=1)
            if held.any():
                found: dict[str, NDArray[Any]] = {name: values[held]}
                if path == "/cells":
                    seen = np.isfinite(found[name])
                    found["age_s"] = np.where(seen, 0, np.nan).astype(np.float32)
                yield path, self.time[held], found
        for path, fields in (("/pack", self.pack), ("/location", self.location)):
            if fields:
                held = np.any([np.isfinite(v) for v in fields.values()], axis=0)
                yield path, self.time[held], {n: v[held] for n, v in fields.items()}


_OF_FRAMES = {"arbitrationid", "canid", "id", "messageid", "identifier"}
_OF_BYTES = {"data", "dlc", "payload", "d0", "d1", "b0", "b1", "byte0", "byte1"}


def is_sample_table(path: str | Path) -> bool:
    """Whether `path` is a table with a time column and something of a battery, plain or packed."""
    try:
        with opened(Path(path)) as plain:
            table = table_of(Path(path), plain.read(HEAD_BYTES))
    except UnreadableLog:
        return False
    names = {re.sub(r"[^a-z0-9]", "", name.lower()) for name in table.names}
    if names & _OF_FRAMES and names & _OF_BYTES:
        return False  # rows are frames
    found = plan(table.names, table.units)
    return bool(found.times) and any(c.role.kind != "location" for c in found.columns)


def read_samples(
    path: str | Path,
    *,
    progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Samples:
    """Read a table of samples (.csv, .txt, also in gzip or zip).

    progress(bytes of text read). Raises UnreadableLog with one sentence naming the file, Cancelled.
    """
    path = Path(path)
    report = LogReport("samples")
    with opened(path) as plain:
        with opened(path) as again:
            table = table_of(path, again.read(HEAD_BYTES))
        found = plan(table.names, table.units)
        if not found.columns:
            raise UnreadableLog(
                f"{path} has no column of a battery: its columns are {listed(table.names)}"
            )
        clock = stamp_of(path, table, found)
        found, texts = _without_texts(found, table)
        rows = _Rows(path, table, found, clock, texts, report)
        for block in line_blocks(plain):
            if cancelled is not None and cancelled():
                raise Cancelled(f"{path.name} was not read: cancelled")
            rows.add(block)
            if progress is not None:
                progress(plain.done)
        _close(plain, report)
    return _samples(path, found, rows, report)


def _without_texts(found: Plan, table: Table) -> tuple[Plan, tuple[Column, ...]]:
    """The plan without columns of warnings that hold text, and those."""
    texts = tuple(
        column
        for column in found.columns
        if column.role.field == "fault" and not is_number(table.example[column.place] or "0")
    )
    kept = tuple(column for column in found.columns if column not in texts)
    return replace(found, columns=kept), texts


def _close(plain: Plain, report: LogReport) -> None:
    report.notes += plain.notes
    report.truncated = plain.truncated


# --- rows ------------------------------------------------------------


class _Rows:
    """The table's rows as they come: columns of numbers and the raw parts of time."""

    def __init__(
        self,
        path: Path,
        table: Table,
        found: Plan,
        clock: Stamp,
        texts: tuple[Column, ...],
        report: LogReport,
    ) -> None:
        self._path, self._table, self._clock, self._report = path, table, clock, report
        self._places = np.array([column.place for column in found.columns], np.int64)
        self._needed = max([*self._places.tolist(), *clock.places]) + 1
        self._width = len(table.names)
        self._texts = texts
        self.texts: list[NDArray[np.object_]] = []
        self.values: list[NDArray[np.float64]] = []
        self.times: list[NDArray[np.int64]] = []
        self.counted: list[NDArray[np.int64]] = []
        self.line: list[NDArray[np.int64]] = []
        self.odd = 0

    def add(self, block: TextBlock) -> None:
        """Read a block; lines that are no rows are counted."""
        table, report = self._table, self._report
        lines = split(block.text, table.delimiter.encode(), merge=False, quoted=table.quoted)
        number = lines.number + block.first_line
        lines, number = _kept(lines, number, number >= table.first_row)
        # A field more or less is a comma at the end; anything else is torn.
        good = (lines.count >= self._needed) & (abs(lines.count - self._width) <= 1)
        stamp = self._stamps(lines)
        good &= (stamp != BAD).any(axis=1)
        report.lines += len(lines)
        report.add_bad(int(np.count_nonzero(~good)), number[~good].tolist())
        lines, number = _kept(lines, number, good)
        values, odd = numbers(lines, self._places)
        self.odd += odd
        self.values.append(values)
        self.times.append(stamp[good])
        place, unit = self._clock.counter
        self.counted.append(decimals(lines, lines.word(place), unit))
        if self._texts:
            self.texts.append(_texts(lines, self._texts, table.encoding))
        self.line.append(number)
        total = sum(len(part) for part in self.line) * len(self._places)
        if total > MAX_VALUES:
            raise UnreadableLog(f"{self._path} holds more than {MAX_VALUES:,} values: split it")

    def _stamps(self, lines: Lines) -> NDArray[np.int64]:
        """(N, 1) numbers in ns, or (N, PARTS) of text."""
        words = [lines.word(place) for place in self._clock.places]
        if self._clock.kind != "text":
            stamp = decimals(lines, words[0], self._clock.unit)
            odd = stamp == BAD
            if odd.any():  # 1.6E+12
                value, _ = numbers(lines, np.array(self._clock.places[:1]))
                fine = np.isfinite(value[:, 0]) & (np.abs(value[:, 0]) < 9e18 / self._clock.unit)
                ns = np.where(fine, value[:, 0] * self._clock.unit, 0).astype(np.int64)
                stamp = np.where(odd & fine, ns, stamp)
            return stamp[:, None]
        parts = moments(lines, words[0])
        if len(words) == 2:
            of_day = moments(lines, words[1])
            parts[:, 4:] = of_day[:, 4:]
            parts[(of_day[:, 4] == BAD) | (of_day[:, 4] > _DAY_NS)] = BAD
        return parts

    def resolved(self) -> Times:
        """All stamps as time."""
        width = PARTS if self._clock.kind == "text" else 1
        parts = np.concatenate([*self.times, np.zeros((0, width), np.int64)])
        if self._clock.kind == "text":
            times = from_parts(parts, self._clock.zone_min)
            return refined(times, np.concatenate([*self.counted, np.zeros(0, np.int64)]))
        return from_numbers(parts[:, 0], self._clock.kind, self._clock.zone_min)


def _texts(lines: Lines, columns: tuple[Column, ...], encoding: str) -> NDArray[np.object_]:
    """The texts of these columns as one per line, "" where they say that all is well."""
    found = np.full(len(lines), "", object)
    for column in columns:
        names, which = words(lines, lines.word(column.place), _TEXT_BYTES)
        said = [name.encode("latin-1").decode(encoding, "replace") for name in names]
        said = ["" if text.strip().lower() in _WELL else text for text in said]
        part = np.array([*said, ""], object)[which]
        found = np.where((found != "") & (part != ""), found + ", " + part, found + part)
    return found


def _kept(
    lines: Lines, number: NDArray[np.int64], kept: NDArray[np.bool_]
) -> tuple[Lines, NDArray[np.int64]]:
    if kept.all():
        return lines, number
    columns = (column[kept] for column in (lines.first, lines.count, lines.number))
    return Lines(lines.text, lines.start, lines.stop, *columns), number[kept]


# --- the result ------------------------------------------------------------


def _samples(path: Path, found: Plan, rows: _Rows, report: LogReport) -> Samples:
    times = rows.resolved()
    good = times.time != BAD
    line = np.concatenate([*rows.line, np.zeros(0, np.int64)])
    report.add_bad(int(np.count_nonzero(~good)), line[~good].tolist())
    if not good.any():
        bad = f" ({report.bad} of {report.lines} lines are no rows)" if report.bad else ""
        raise UnreadableLog(f"{path} holds no row of samples{bad}")
    report.time_reference = times.reference
    report.notes += [*times.notes, *found.notes]
    if rows.odd:
        report.notes.append(f"{rows.odd} fields that are no numbers were left empty")
    time = times.time[good]
    values = np.concatenate(rows.values)[good]
    text = np.concatenate(rows.texts)[good] if rows.texts else np.zeros(0, object)
    back = int(np.count_nonzero(np.diff(time) < 0))
    if back:
        # Every row bears its own stamp: late ones belong where they say.
        order = np.argsort(time, kind="stable")
        time, values, text = time[order], values[order], text[order] if len(text) else text
        report.backwards = back
        report.notes.append(f"{back} times a row was earlier than the one before: put in order")
    columns, notes, report.implausible = scaled(found.columns, values)
    report.notes += notes
    report.frames = 0
    return _grouped(time, values, columns, found, _events(time, text), report)


def _events(time: NDArray[np.int64], text: NDArray[np.object_]) -> tuple[tuple[int, str], ...]:
    """Where a warning's text is not that of the row before; the first 10,000."""
    if not len(text):
        return ()
    new = (text != "") & (text != np.concatenate([[""], text[:-1]]))
    places = np.flatnonzero(new)[:_MAX_EVENTS].tolist()
    return tuple((int(time[k]), str(text[k])) for k in places)


def _grouped(
    time: NDArray[np.int64],
    values: NDArray[np.float64],
    columns: tuple[Column, ...],
    found: Plan,
    events: tuple[tuple[int, str], ...],
    report: LogReport,
) -> Samples:
    """The columns, already canonical, by kind."""
    wide: dict[str, NDArray[np.float32]] = {}
    labels: dict[str, tuple[str, ...]] = {}
    for kind, group in (("cell", "/cells"), ("probe", "/temperatures"), ("balancing", "")):
        own = [(k, c) for k, c in enumerate(columns) if c.role.kind == kind]
        width = max((c.role.number for _, c in own), default=0)
        held = np.full((len(time), width), np.nan, np.float32)
        names = [""] * width
        for k, column in own:
            held[:, column.role.number - 1] = values[:, k]
            names[column.role.number - 1] = column.header
        wide[kind] = held
        if own and group:
            labels[group] = tuple(names)
    voltage = next((k for k, c in enumerate(columns) if c.role.field == "voltage"), -1)
    if voltage >= 0 and not wide["cell"].shape[1] and _is_one_cell(values[:, voltage]):
        wide["cell"] = values[:, [voltage]].astype(np.float32)
        report.notes.append(f"{columns[voltage].header} is that of one cell: it is cell 1 as well")
    exact = {f.name for f in LOCATION_FIELDS[:2]} | {"odometer"}
    scalars: dict[str, dict[str, NDArray[Any]]] = {"pack": {}, "location": {}}
    for k, column in enumerate(columns):
        if column.role.field:
            dtype = np.float64 if column.role.field in exact else np.float32
            scalars[column.role.kind][column.role.field] = values[:, k].astype(dtype)
    kept = tuple(replace(column) for column in columns)
    return Samples(
        time,
        wide["cell"],
        wide["probe"],
        wide["balancing"],
        scalars["pack"],
        scalars["location"],
        labels,
        events,
        kept,
        found.unused,
        report,
    )


def _is_one_cell(voltage: NDArray[np.float64]) -> bool:
    """Whether a pack's voltage is so low all the time that the pack is one cell."""
    known = voltage[np.isfinite(voltage)]
    return bool(known.size) and float(np.median(known)) > 1.0 and float(known.max()) < CELL_V[1]
