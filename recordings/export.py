"""Exports a recording: csv, parquet, or a log in one of `recordings.formats`.

The table of csv and parquet is wide: one row per moment at which anything was sampled, one column
per cell, probe, balancing switch and pack field, empty where that moment brought no new value
(an old value is never repeated). Times are ISO 8601 UTC and seconds since the first row.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames
from recordings.errors import Cancelled
from recordings.formats import format_for, write_log
from recordings.layout import UNKNOWN_UINT8
from recordings.partfile import PartFile, part_path
from recordings.reader import Recording

ROWS_PER_BLOCK = 50_000
_WIDE = {"cells": ("voltage", "cell"), "temperatures": ("value", "probe")}
_BALANCING = ("active", "balancing")
_NARROW = ("pack", "location")

Report = Callable[[float], None]
Asked = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Part:
    """Columns of the table that come from one dataset: `names` carry their unit's column."""

    group: str
    dataset: str
    names: tuple[str, ...]
    unit: str


def export(
    recording: Recording,
    target: str | Path,
    *,
    progress: Report | None = None,
    cancelled: Asked | None = None,
) -> None:
    """Write `recording` as `target`, by suffix: .csv .parquet .log .asc .blf (and .slcan).

    The file appears when it is complete. Raises ValueError (one sentence) for another suffix, for
    what the recording does not hold, or when pyarrow is missing; OSError when the disk refuses;
    Cancelled.
    """
    target = Path(target)
    suffix = target.suffix.lower()
    follow = _Follow(progress, cancelled)
    if suffix == ".csv":
        _export_csv(recording, target, follow)
    elif suffix == ".parquet":
        _export_parquet(recording, target, follow)
    else:
        try:
            name = format_for(target)
        except ValueError as error:
            raise ValueError(f"{target.name}: {error}, .csv, .parquet") from None
        _export_log(recording, target, name, follow)


@dataclass(frozen=True, slots=True)
class _Follow:
    progress: Report | None
    cancelled: Asked | None

    def __call__(self, share: float) -> None:
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("the export was cancelled")
        if self.progress is not None:
            self.progress(share)


def _export_log(recording: Recording, target: Path, name: str, follow: _Follow) -> None:
    total = recording.rows("/frames")
    if not total:
        raise ValueError(
            f"{recording.path.name} holds no frames, only samples: export it as .csv or .parquet"
        )

    def blocks() -> Iterator[Frames]:
        done = 0
        for block in recording.frames():
            yield block
            done += len(block)
            follow(done / total)

    write_log(target, blocks(), name, recording.labels("/frames"))


def _export_csv(recording: Recording, target: Path, follow: _Follow) -> None:
    parts = _parts(recording)
    part = PartFile(target)
    try:
        head = io.StringIO()
        names = [
            f"{n} [{p.unit}]" if p.unit not in ("", "1") else n for p in parts for n in p.names
        ]
        csv.writer(head, lineterminator="\r\n").writerow(["time [UTC]", "time [s]", *names])
        part.write(head.getvalue().encode())
        start = None
        for time, columns, share in _blocks(recording, parts):
            start = int(time[0]) if start is None else start
            part.write(_csv_lines(time, start, columns).encode())
            part.raise_error()
            follow(share)
        part.sync()
        part.publish()
    finally:
        part.discard()


def _csv_lines(time: NDArray[np.int64], start: int, columns: list[NDArray[Any]]) -> str:
    stamps = np.datetime_as_string(time.view("datetime64[ns]"), timezone="UTC").tolist()
    seconds = [f"{ns // 10**9}.{ns % 10**9:09d}" for ns in (time - start).tolist()]
    texts = [_texts(column) for column in columns]
    return "".join(",".join(row) + "\r\n" for row in zip(stamps, seconds, *texts, strict=True))


def _texts(column: NDArray[Any]) -> list[str]:
    """Shortest text that reads back the same; empty where nothing is known."""
    known = ~np.isnan(column)
    texts = np.full(len(column), "", object)
    values, places = np.unique(column[known], return_inverse=True)
    words = np.array([_word(value) for value in values], object)
    if len(words):
        texts[known] = words[places]
    return list(texts)


def _word(value: Any) -> str:
    text = str(value)
    return text[:-2] if text.endswith(".0") else text


def _export_parquet(recording: Recording, target: Path, follow: _Follow) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ValueError(
            "parquet needs pyarrow, which is not installed: pip install 'bms-studio[export]', "
            "or export as .csv"
        ) from None
    parts = _parts(recording)
    fields = [pa.field("time", pa.timestamp("ns", "UTC"), metadata={"unit": "ns"})]
    for part in parts:
        kind = pa.float64() if part.group.endswith("/location") else pa.float32()
        fields += [pa.field(name, kind, metadata={"unit": part.unit}) for name in part.names]
    schema = pa.schema(fields)
    path = part_path(target)
    try:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for time, columns, share in _blocks(recording, parts):
                arrays = [pa.array(time, pa.timestamp("ns", "UTC"))]
                for field, column in zip(fields[1:], columns, strict=True):
                    arrays.append(pa.array(column, field.type, from_pandas=True))
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                follow(share)
        path.replace(target)
    finally:
        path.unlink(missing_ok=True)


def _parts(recording: Recording) -> list[_Part]:
    parts: list[_Part] = []
    for number in recording.packs():
        place = "" if number == 1 else f"/packs/{number}"
        prefix = "" if number == 1 else f"pack{number}_"
        for kind, (dataset, noun) in {**_WIDE, "balancing": _BALANCING}.items():
            info = recording.columns(f"{place}/{kind}").get(dataset)
            if info is not None:
                names = tuple(f"{prefix}{noun}_{k}" for k in range(1, info.width + 1))
                parts.append(_Part(f"{place}/{kind}", dataset, names, info.unit))
        for kind in _NARROW:
            for name, info in recording.columns(f"{place}/{kind}").items():
                if not info.width:
                    names = (f"{prefix}{kind}_{name}",)
                    parts.append(_Part(f"{place}/{kind}", name, names, info.unit))
    if not parts:
        raise ValueError(
            f"{recording.path.name} holds no samples, only frames: export it as .log, .asc or .blf"
        )
    return parts


def _blocks(
    recording: Recording, parts: list[_Part]
) -> Iterator[tuple[NDArray[np.int64], list[NDArray[Any]], float]]:
    """(times, one array per column of the table, share done), window after window."""
    groups = list(dict.fromkeys(part.group for part in parts))
    spans = [span for group in groups if (span := recording.span(group)) is not None]
    if not spans:
        return
    first, last = min(s[0] for s in spans), max(s[1] for s in spans)
    rows = sum(recording.rows(group) for group in groups)
    windows = max(1, -(-rows // ROWS_PER_BLOCK))
    step = (last - first) // windows + 1
    for window in range(windows):
        t0 = first + window * step
        read = {
            group: recording.read(
                group, [p.dataset for p in parts if p.group == group], t0, t0 + step
            )
            for group in groups
        }
        time, places = _merged({group: columns["time"] for group, columns in read.items()})
        if len(time):
            columns = [
                column
                for part in parts
                for column in _spread(read[part.group][part.dataset], places[part.group], len(time))
            ]
            yield time, columns, (window + 1) / windows


def _merged(
    times: dict[str, NDArray[np.int64]],
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.int64]]]:
    """All times in order, and for each group the rows that its own times have there. Equal times
    of different groups share a row; where a group has one time twice, no rows are shared."""
    if all(np.all(np.diff(time) > 0) for time in times.values()):
        union = np.unique(np.concatenate(list(times.values())))
        return union, {group: np.searchsorted(union, time) for group, time in times.items()}
    together = np.concatenate(list(times.values()))
    order = np.argsort(together, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    stops = np.cumsum([len(time) for time in times.values()])
    return together[order], {
        group: place[stop - len(time) : stop]
        for (group, time), stop in zip(times.items(), stops, strict=True)
    }


def _spread(values: NDArray[Any], rows: NDArray[np.int64], count: int) -> Iterator[NDArray[Any]]:
    """Each column of `values` at its rows of the table, NaN elsewhere."""
    for column in values.reshape(len(values), -1).T:
        if column.dtype == np.uint8:
            column = np.where(column == UNKNOWN_UINT8, np.nan, column).astype(np.float32)
        spread = np.full(count, np.nan, column.dtype)
        spread[rows] = column
        yield spread
