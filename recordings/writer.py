"""Writes a recording: beside its place, verified, then renamed. Nothing ever patches one.

The caller hands over frames, rows, events and labels in time order; what the file looks like is
`recordings.layout`'s business. Built for speed: an hour of a 20-cell pack in about a second.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from protocols.frames import Frames
from recordings.chunks import ChunkPool, read_rows
from recordings.digest import FramesDigest
from recordings.errors import Cancelled, NotVerified
from recordings.groups import GroupWriter
from recordings.layout import (
    FORMAT,
    FORMAT_VERSION,
    WHOLE_GROUPS,
    Column,
    RecordingAttributes,
    columns_of,
    kind_of,
)
from recordings.partfile import PartFile

_VERIFY_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What a closed recording holds: rows per group path, and the frames' fingerprint."""

    path: Path
    rows: dict[str, int]
    frames_sha256: str


class RecordingWriter:
    """Writes the recording `path`; a context manager that discards everything on an exception.

    progress(fraction) is called while the file is verified; cancelled() is asked between chunks
    and makes the running call raise `Cancelled`. Raises OSError when the disk refuses; the part
    file is removed then and a file that stood at `path` stays.
    """

    def __init__(
        self,
        path: str | Path,
        attributes: RecordingAttributes,
        *,
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._attributes = attributes
        self._progress = progress
        self._cancelled = cancelled
        self._part = PartFile(Path(path))
        self._file = h5py.File(self._part, "w", libver=("earliest", "v110"))
        self._pool = ChunkPool()
        self._groups: dict[str, GroupWriter] = {}
        self._labels: dict[str, tuple[str, ...]] = {}
        self._units: dict[str, dict[str, Column]] = {}
        self._events: list[tuple[int, str, str]] = []
        self._channels: tuple[str, ...] = ()
        self._digest = FramesDigest()
        self._open = True

    def __enter__(self) -> "RecordingWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.abort()

    def frames(self, frames: Frames) -> None:
        """Append a block of frames; time must not run backwards (ValueError)."""
        if not len(frames):
            return
        self._guarded(
            "/frames",
            {
                "time": frames.time,
                "id": frames.id,
                "flags": frames.flags,
                "channel": frames.channel,
                "length": frames.length,
                "data": frames.data,
            },
        )
        self._digest.update(frames)

    def rows(self, group: str, time: NDArray[np.int64], columns: Mapping[str, Any]) -> None:
        """Append rows to "/cells", "/pack", "/packs/2/cells", "/signals/<message>", ….

        time: int64 ns (M,), not before the last row's; columns: arrays (M,) or (M, N) by the names
        of `recordings.layout`. N may grow and columns may be added later. NaN in a float array for
        an integer column becomes its unknown code. ValueError for anything else.
        """
        if len(time):
            self._guarded(group, {"time": time, **columns})

    def describe(self, group: str, units: Mapping[str, tuple[str, str]]) -> None:
        """Announce the float64 columns of "/signals/<message>": name to (unit, long name)."""
        nan = float("nan")
        known = self._units.setdefault(group, {"time": columns_of("/pack")["time"]})
        for name, (unit, long_name) in units.items():
            known[name] = Column(name, "float64", unit, long_name, unknown=nan)

    def event(self, time: int, kind: str, text: str) -> None:
        """Note an event at `time` (ns); events may come in any order."""
        self._events.append((int(time), kind, text))

    def labels(self, group: str, names: Sequence[str]) -> None:
        """The pack's own labels of the columns of "/cells" or "/temperatures"."""
        self._labels[group] = tuple(names)

    def amend(self, **changes: Any) -> None:
        """Root attributes that are known only at the end (fields of RecordingAttributes)."""
        self._attributes = replace(self._attributes, **changes)

    def channels(self, names: Sequence[str]) -> None:
        """Names of the channels that `Frames.channel` counts."""
        self._channels = tuple(names)

    def close(self) -> Written:
        """Finish, verify by reading back, sync and rename. Raises OSError, NotVerified, Cancelled;
        after any of them the part file is gone."""
        try:
            return self._close()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Give up: remove the part file. Does nothing after `close`."""
        if not self._open:
            return
        self._open = False
        self._pool.close()
        self._file.close()
        self._part.discard()

    def _guarded(self, path: str, values: Mapping[str, Any]) -> None:
        try:
            self._group(path).append(values)
            self._check()
        except BaseException:
            self.abort()
            raise

    def _group(self, path: str) -> GroupWriter:
        if path not in self._groups:
            columns = self._units.get(path) or columns_of(path)
            self._groups[path] = GroupWriter(self._file, self._pool, path, columns)
        return self._groups[path]

    def _check(self) -> None:
        self._part.raise_error()
        if self._cancelled is not None and self._cancelled():
            raise Cancelled(f"{self._part.target.name} was not written: cancelled")

    def _close(self) -> Written:
        if self._events:
            self._write_events()
        for group in self._groups.values():
            group.finish()
        self._pool.drain()
        self._write_attributes()
        self._file.close()
        self._part.sync()
        written = Written(
            self._part.target,
            {path: group.rows for path, group in self._groups.items()},
            self._digest.hexdigest(),
        )
        try:
            self._verify(written)
        except (ValueError, KeyError, RuntimeError) as error:
            raise NotVerified(f"{self._part.path.name} does not read back: {error}") from error
        self._part.publish()
        self._open = False
        self._pool.close()
        return written

    def _write_events(self) -> None:
        events = sorted(self._events, key=lambda event: event[0])
        time, kind, text = zip(*events, strict=True)
        columns = {"time": np.array(time, np.int64), "kind": list(kind), "text": list(text)}
        self._group("/events").append(columns)

    def _write_attributes(self) -> None:
        root, given = self._file.attrs, self._attributes
        root["format"] = FORMAT
        root["format_version"] = np.int64(FORMAT_VERSION)
        for name in ("uuid", "created", "software", "title", "source", "time_reference"):
            root[name] = getattr(given, name)
        for name in ("profile", "protocol", "protocol_runner_up", "receipt"):
            root[name] = getattr(given, name)
        root["protocol_confidence"] = np.float64(given.protocol_confidence)
        root["dropped"] = json.dumps(dict(given.dropped))
        root["frames_sha256"] = self._digest.hexdigest()
        _put_texts(root, "source_names", given.source_names)
        _put_texts(root, "source_sha256", given.source_sha256)
        pairs = [text for pair in given.databases for text in pair]
        _put_texts(root, "databases", pairs, (len(given.databases), 2))
        for path, names in self._labels.items():
            if path in self._file:
                _put_texts(self._file[path].attrs, "labels", names)
        if "/frames" in self._file:
            _put_texts(self._file["/frames/channel"].attrs, "names", self._channels)

    def _verify(self, written: Written) -> None:
        """Compare what stands in the part file with what was handed over."""
        with h5py.File(self._part.path, "r") as file:
            for path, rows in written.rows.items():
                for name, dataset in file[path].items():
                    if dataset.shape[0] != rows:
                        raise NotVerified(f"{path}/{name} holds {dataset.shape[0]}, not {rows}")
            digest = FramesDigest()
            for start in range(0, written.rows.get("/frames", 0), _VERIFY_BLOCK):
                stop = min(start + _VERIFY_BLOCK, written.rows["/frames"])
                digest.update(read_frames(file["/frames"], start, stop))
                self._check()
                if self._progress is not None:
                    self._progress(stop / written.rows["/frames"])
            if digest.hexdigest() != written.frames_sha256:
                raise NotVerified(f"{self._part.path.name}: the frames read back differ")
            for path in written.rows:
                if kind_of(path) in WHOLE_GROUPS:
                    self._verify_readable(file[path], written.rows[path])

    def _verify_readable(self, group: h5py.Group, rows: int) -> None:
        """Every chunk of the samples unpacks: zlib's own checksum speaks for the content."""
        for dataset in group.values():
            for start in range(0, rows, _VERIFY_BLOCK):
                read_rows(dataset, start, min(start + _VERIFY_BLOCK, rows))
                self._check()


def read_frames(group: h5py.Group, start: int, stop: int) -> Frames:
    """Rows start..stop-1 of an open `/frames`."""
    names = ("time", "id", "flags", "channel", "length", "data")
    return Frames(*(read_rows(group[name], start, stop) for name in names))


def _put_texts(
    attributes: h5py.AttributeManager,
    name: str,
    texts: Sequence[str],
    shape: tuple[int, ...] | None = None,
) -> None:
    shape = (len(texts),) if shape is None else shape
    data = np.array(list(texts), object).reshape(shape)
    attributes.create(name, data, shape, h5py.string_dtype())
