"""Reads a recording, read-only, as arrays; checked by `recordings.guard` before anything is read.

Holds no handle between reads, so the file can be replaced by a newer analysis at any time. For
DataFrames see `recordings.dataframes`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames
from recordings.chunks import read_rows
from recordings.errors import TooLarge, UnreadableRecording
from recordings.guard import check_content, check_is_hdf5
from recordings.layout import RecordingAttributes

__all__ = ["ColumnInfo", "Recording", "RecordingEvent", "UnreadableRecording"]

MAX_READ_BYTES = 4 << 30
FRAMES_BLOCK = 1 << 18
_FRAME_COLUMNS = ("time", "id", "flags", "channel", "length", "data")
# Without these a group says nothing.
_NEEDED = {"/frames": _FRAME_COLUMNS[1:], "/events": ("kind", "text")}

# What h5py, NumPy and zlib raise about a file that is not what it says.
_DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class RecordingEvent:
    """One row of /events; time in ns since 1970 UTC."""

    time: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A dataset of a group: its unit, words for people, and columns (0: one value per row)."""

    name: str
    unit: str
    long_name: str
    width: int


class Recording:
    """The recording at `path`. Raises UnreadableRecording (one sentence) when it is none, is
    damaged, is of a newer version or holds something that is refused; so does every read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._checked: tuple[int, int, int] | None = None
        self._chunk_times: dict[tuple[str, int], int] = {}
        self._attributes = self._with_file(_attributes)
        self._rows, self._columns, self._labels, self._spans = self._with_file(_contents)
        self._analyses = self._with_file(_analyses)

    @property
    def attributes(self) -> RecordingAttributes:
        """The root attributes."""
        return self._attributes

    def groups(self) -> tuple[str, ...]:
        """Paths of all channel groups: "/frames", "/cells", "/packs/2/cells", …; of analyses only
        the newest: "/estimates", "/health", "/findings"."""
        return tuple(path for path in self._rows if not _is_kept(path))

    def analyses(self, pack: int = 1) -> tuple[int, ...]:
        """Numbers of the analyses of a pack, oldest first; their groups are
        "/analyses/<n>/estimates" and so on, with "/packs/<p>" before them."""
        return tuple(sorted(n for p, n in self._analyses if p == pack))

    def analysis_attributes(self, number: int, pack: int = 1) -> dict[str, str]:
        """The texts that stand at an analysis: settings (JSON), software, created …; KeyError."""
        return dict(self._analyses[pack, number])

    def packs(self) -> tuple[int, ...]:
        """Numbers of the packs, from 1."""
        numbers = {int(p.split("/")[2]) for p in self._rows if p.startswith("/packs/")}
        return (1, *sorted(numbers - {1}))

    def rows(self, group: str) -> int:
        """Rows of a group; 0 where there is no such group."""
        return self._rows.get(group, 0)

    def columns(self, group: str) -> dict[str, ColumnInfo]:
        """The datasets of a group besides `time`; empty where there is no such group."""
        return dict(self._columns.get(group, {}))

    def labels(self, group: str) -> tuple[str, ...]:
        """The pack's own labels of a group's columns (for "/frames": channel names)."""
        return self._labels.get(group, ())

    def span(self, group: str | None = None) -> tuple[int, int] | None:
        """First and last time of a group, or of all channel groups; None where nothing is."""
        spans = [
            s
            for path, s in self._spans.items()
            if path == group or (group is None and not _is_kept(path))
        ]
        if not spans:
            return None
        return min(s[0] for s in spans), max(s[1] for s in spans)

    def read(
        self,
        group: str,
        columns: Sequence[str] | None = None,
        t0: int | None = None,
        t1: int | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Rows with t0 <= time < t1 (None: no bound) of the columns asked for, and "time".

        Arrays have the file's types, (M,) or (M, N); texts are object arrays of str. KeyError
        for a group or column that is not there; ValueError when the answer would exceed 4 GiB.
        """
        if group not in self._rows:
            raise KeyError(f"{self.path.name} has no {group}")
        names = list(self._columns[group]) if columns is None else list(columns)
        for name in names:
            if name != "time" and name not in self._columns[group]:
                raise KeyError(f"{group} of {self.path.name} has no {name}")

        def load(file: h5py.File) -> dict[str, NDArray[Any]]:
            start, stop = self._row_range(file, group, t0, t1)
            wanted = ["time", *(name for name in names if name != "time")]
            self._check_size([file[group][name] for name in wanted], stop - start)
            return {name: _rows_of(file[group][name], start, stop) for name in wanted}

        return self._with_file(load)

    def frames(
        self, t0: int | None = None, t1: int | None = None, block: int = FRAMES_BLOCK
    ) -> Iterator[Frames]:
        """The frames with t0 <= time < t1 in blocks; nothing where there are none."""
        if not self.rows("/frames"):
            return
        at, stop = self._with_file(lambda file: self._row_range(file, "/frames", t0, t1))
        while at < stop:
            end = min(at + block, stop)
            yield self.frame_rows(at, end)
            at = end

    def frame_rows(self, start: int, stop: int) -> Frames:
        """Frames number start .. stop - 1."""

        def load(file: h5py.File) -> Frames:
            group = file["/frames"]
            self._check_size([group[name] for name in _FRAME_COLUMNS], stop - start)
            columns = [read_rows(group[name], start, stop) for name in _FRAME_COLUMNS]
            if columns[5].shape[1] not in (8, 64):
                raise ValueError("frames hold 8 or 64 bytes")
            return Frames(*columns)

        return self._with_file(load)

    def events(self) -> list[RecordingEvent]:
        """All events in time order."""
        if not self.rows("/events"):
            return []
        rows = self.read("/events", ("kind", "text"))
        return [
            RecordingEvent(int(time), kind, text)
            for time, kind, text in zip(rows["time"], rows["kind"], rows["text"], strict=True)
        ]

    def _with_file(self, load: Callable[[h5py.File], _Result]) -> _Result:
        """Open, check (again only when the file is another one), load, close."""
        check_is_hdf5(self.path)
        try:
            state = self.path.stat()
            identity = (state.st_ino, state.st_size, state.st_mtime_ns)
            with h5py.File(self.path, "r", locking=False) as file:
                if identity != self._checked:
                    check_content(file, self.path)
                    self._chunk_times.clear()
                    self._checked = identity
                return load(file)
        except UnreadableRecording:
            raise
        except TooLarge as error:
            raise ValueError(str(error)) from None
        except _DAMAGE as error:
            if "locking flag" in str(error):
                raise UnreadableRecording(
                    f"{self.path} is open in another way in this program: close it there first"
                ) from error
            raise UnreadableRecording(
                f"{self.path} is damaged and cannot be read ({_first_line(error)}): "
                "if its journal is still there, 'bms-studio repair' makes it anew"
            ) from error

    def _row_range(
        self, file: h5py.File, group: str, t0: int | None, t1: int | None
    ) -> tuple[int, int]:
        time = file[group]["time"]
        start = 0 if t0 is None else self._row_at(time, group, t0)
        stop = time.shape[0] if t1 is None else self._row_at(time, group, t1)
        return start, max(start, stop)

    def _row_at(self, time: h5py.Dataset, group: str, t: int) -> int:
        """First row whose time is not before t: bisection over chunks, then inside one."""
        rows = time.shape[0]
        step = time.chunks[0] if time.chunks else rows
        low, high = 0, -(-rows // step) if rows else 0  # the last chunk that begins before t
        while low < high:
            middle = (low + high) // 2
            key = (group, middle)
            if key not in self._chunk_times:
                self._chunk_times[key] = int(time[middle * step])
            if self._chunk_times[key] < t:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            return 0
        first = (low - 1) * step
        chunk = read_rows(time, first, min(first + step, rows))
        found: int = first + int(np.searchsorted(chunk, t, "left"))
        return found

    def _check_size(self, datasets: Sequence[h5py.Dataset], rows: int) -> None:
        size = sum(rows * d.dtype.itemsize * int(np.prod(d.shape[1:])) for d in datasets)
        if size > MAX_READ_BYTES:
            raise TooLarge(
                f"{size / 2**30:.1f} GiB of {self.path.name} in one read: ask for a shorter span"
            )


def _rows_of(dataset: h5py.Dataset, start: int, stop: int) -> NDArray[Any]:
    if dataset.dtype.kind == "O":
        texts = dataset.asstr(errors="replace")[start:stop]
        return np.asarray(texts, object)
    return read_rows(dataset, start, stop)


def _attributes(file: h5py.File) -> RecordingAttributes:
    root = file.attrs
    databases = np.asarray(root.get("databases", np.empty((0, 2), object)), object)
    dropped = json.loads(_text(root.get("dropped", "{}")) or "{}")
    if not isinstance(dropped, dict):
        raise ValueError("attribute dropped is not an object")
    return RecordingAttributes(
        source=_text(root["source"]),
        time_reference=_text(root["time_reference"]),
        title=_text(root.get("title", "")),
        software=_text(root.get("software", "")),
        source_names=_texts(root.get("source_names", ())),
        source_sha256=_texts(root.get("source_sha256", ())),
        profile=_text(root.get("profile", "")),
        databases=tuple((_text(n), _text(t)) for n, t in databases.reshape(-1, 2)),
        protocol=_text(root.get("protocol", "")),
        protocol_confidence=float(root.get("protocol_confidence", "nan")),
        protocol_runner_up=_text(root.get("protocol_runner_up", "")),
        dropped={str(stage): int(count) for stage, count in dropped.items()},
        uuid=_text(root.get("uuid", "")),
        created=_text(root.get("created", "")),
        frames_sha256=_text(root.get("frames_sha256", "")),
        receipt=_text(root.get("receipt", "")),
    )


_Contents = tuple[
    dict[str, int],
    dict[str, dict[str, ColumnInfo]],
    dict[str, tuple[str, ...]],
    dict[str, tuple[int, int]],
]


def _contents(file: h5py.File) -> _Contents:
    rows: dict[str, int] = {}
    columns: dict[str, dict[str, ColumnInfo]] = {}
    labels: dict[str, tuple[str, ...]] = {}
    spans: dict[str, tuple[int, int]] = {}
    for path, group in _channel_groups(file):
        time = group["time"]
        count = rows[path] = int(time.shape[0])
        columns[path] = {
            name: _column(name, node)
            for name, node in group.items()
            if isinstance(node, h5py.Dataset) and name != "time"
        }
        missing = set(_NEEDED.get(path, ())) - set(columns[path])
        if missing:
            raise ValueError(f"{path} has no {min(missing)}")
        if path == "/frames":
            labels[path] = _texts(group["channel"].attrs.get("names", ()))
        else:
            labels[path] = _texts(group.attrs.get("labels", ()))
        if count and path != "/events":
            spans[path] = (int(time[0]), int(time[count - 1]))
    return rows, columns, labels, spans


def _channel_groups(file: h5py.File) -> Iterator[tuple[str, h5py.Group]]:
    """Every group that has a `time`."""
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    while waiting:
        prefix, group = waiting.pop()
        for name, node in sorted(group.items(), reverse=True):
            path = f"{prefix}/{name}"
            if isinstance(node, h5py.Group) and path != "/overview":
                if "time" in node:
                    yield path, node
                else:
                    waiting.append((path, node))


def _is_kept(path: str) -> bool:
    """Whether this is a group of /analyses/<n>, the newest of which has a shorter name too."""
    return path.startswith("/analyses/") or (path.startswith("/packs/") and "/analyses/" in path)


def _analyses(file: h5py.File) -> dict[tuple[int, int], dict[str, str]]:
    """Attributes of every analysis by (pack, number)."""
    found: dict[tuple[int, int], dict[str, str]] = {}
    places = [(1, file)]
    packs = file.get("packs")
    if isinstance(packs, h5py.Group):
        places += [(int(name), node) for name, node in packs.items() if name.isdecimal()]
    for pack, place in places:
        analyses = place.get("analyses") if isinstance(place, h5py.Group) else None
        if not isinstance(analyses, h5py.Group):
            continue
        for name, node in analyses.items():
            if name.isdecimal() and isinstance(node, h5py.Group):
                found[pack, int(name)] = {str(k): _text(v) for k, v in node.attrs.items()}
    return found


def _column(name: str, dataset: h5py.Dataset) -> ColumnInfo:
    width = int(dataset.shape[1]) if dataset.ndim == 2 else 0
    unit, words = dataset.attrs.get("unit", ""), dataset.attrs.get("long_name", name)
    return ColumnInfo(name, _text(unit), _text(words), width)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise ValueError("an attribute that should be text is none")
    return value.encode("utf-8", "replace").decode("utf-8")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in np.asarray(value, object).reshape(-1))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
