"""Adds an analysis to a recording: to a copy, verified, then put in the old one's place.

The samples and `/frames` stay as they are, byte by byte in every chunk, which is what the
verification compares. `/estimates`, `/health` and `/findings` become hard links to the newest.
A crash at any moment leaves the old file.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from recordings.chunks import ChunkPool
from recordings.errors import Cancelled, NotVerified, UnreadableRecording
from recordings.groups import GroupWriter
from recordings.layout import columns_of
from recordings.partfile import PartFile
from recordings.reader import Recording

PARTS = ("estimates", "health", "findings")
_COPY_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, eq=False)
class AnalysisParts:
    """One pack's analysis. attributes: texts; groups: "estimates", "health", "findings" with their
    columns, each with "time" (int64 ns, in order); a group without rows is left out. labels: of the
    cells."""

    attributes: Mapping[str, str]
    groups: Mapping[str, Mapping[str, Any]]
    labels: tuple[str, ...] = ()


def add_analyses(
    path: str | Path,
    packs: Mapping[int, AnalysisParts],
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> int:
    """Write /analyses/<n> (and /packs/<p>/analyses/<n>) into the recording; the new number n.

    Raises UnreadableRecording for what is no recording, OSError when the disk refuses or somebody
    changed the file meanwhile, NotVerified, Cancelled; after any of them the file is as it was.
    """
    target = Path(path)
    recording = Recording(target)
    before = _identity(target)
    number = 1 + max((n for p in recording.packs() for n in recording.analyses(p)), default=0)
    part = PartFile(target)
    try:
        _copy(target, part, progress, cancelled)
        _write(part, number, packs)
        part.sync()
        _verify(target, part.path, packs, number, cancelled)
        if _identity(target) != before:
            raise OSError(f"{target} was changed while it was analysed: analyse it once more")
        part.publish()
    except BaseException:
        part.discard()
        raise
    return number


def _identity(path: Path) -> tuple[int, int, int]:
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def _copy(
    source: Path,
    part: PartFile,
    progress: Callable[[float], None] | None,
    cancelled: Callable[[], bool] | None,
) -> None:
    size = max(source.stat().st_size, 1)
    done = 0
    with source.open("rb") as file:
        while block := file.read(_COPY_BYTES):
            part.write(block)
            part.raise_error()
            done += len(block)
            if progress is not None:
                progress(0.5 * min(done / size, 1.0))
            _check(cancelled, source)


def _check(cancelled: Callable[[], bool] | None, path: Path) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled(f"{path.name} was not changed: cancelled")


def _write(part: PartFile, number: int, packs: Mapping[int, AnalysisParts]) -> None:
    pool = ChunkPool()
    try:
        with h5py.File(part, "r+", libver=("earliest", "v110")) as file:
            for pack, parts in packs.items():
                _write_pack(file, pool, "" if pack == 1 else f"/packs/{pack}", number, parts)
    finally:
        pool.close()
    part.raise_error()


def _write_pack(
    file: h5py.File, pool: ChunkPool, prefix: str, number: int, parts: AnalysisParts
) -> None:
    place = f"{prefix}/analyses/{number}"
    group = file.require_group(place)
    for name, text in parts.attributes.items():
        group.attrs[name] = text
    for name in PARTS:
        link = f"{prefix}/{name}"
        if link in file:
            del file[link]  # only the name: the analysis that it led to stays
        columns = parts.groups.get(name)
        if columns is None or not len(columns["time"]):
            continue
        path = f"{place}/{name}"
        writer = GroupWriter(file, pool, path, columns_of(path))
        writer.append(columns)
        writer.finish()
        pool.drain()
        if parts.labels and name != "findings":
            texts = np.array(list(parts.labels), object)
            file[path].attrs.create("labels", texts, texts.shape, h5py.string_dtype())
        file[link] = file[path]


def _verify(
    old: Path,
    new: Path,
    packs: Mapping[int, AnalysisParts],
    number: int,
    cancelled: Callable[[], bool] | None,
) -> None:
    """Everything that stood in the old file stands in the new one; what was added reads back."""
    try:
        with h5py.File(old, "r", locking=False) as then, h5py.File(new, "r", locking=False) as now:
            for path, dataset in _datasets(then):
                _check(cancelled, old)
                if path.rpartition("/")[0].endswith(PARTS) and "/analyses/" not in path:
                    continue  # a link to the newest, which is another one now
                if path not in now or not _same(dataset, now[path]):
                    raise NotVerified(f"{old.name}: {path} was not copied as it is")
            for name, value in then.attrs.items():
                if not _alike(value, now.attrs[name]):
                    raise NotVerified(f"{old.name}: its attribute {name} was not copied as it is")
        _read_back(Recording(new), packs, number)
    except (UnreadableRecording, KeyError, RuntimeError) as problem:
        raise NotVerified(f"{new.name} does not read back: {problem}") from problem


def _read_back(recording: Recording, packs: Mapping[int, AnalysisParts], number: int) -> None:
    for pack, parts in packs.items():
        prefix = "" if pack == 1 else f"/packs/{pack}"
        if dict(parts.attributes) != recording.analysis_attributes(number, pack):
            raise NotVerified(f"analysis {number}: its attributes read back differently")
        for name, columns in parts.groups.items():
            if len(columns["time"]):
                found = recording.read(f"{prefix}/analyses/{number}/{name}")
                if not np.array_equal(found["time"], columns["time"]):
                    raise NotVerified(f"analysis {number}: {name} reads back differently")


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    waiting: list[tuple[str, h5py.Group]] = [("", file)]
    while waiting:
        prefix, group = waiting.pop()
        for name, node in group.items():
            if isinstance(node, h5py.Group):
                waiting.append((f"{prefix}/{name}", node))
            else:
                yield f"{prefix}/{name}", node


def _alike(then: Any, now: Any) -> bool:
    """Equal attributes, NaN too."""
    a, b = np.asarray(then), np.asarray(now)
    return a.dtype == b.dtype and bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


def _same(then: h5py.Dataset, now: h5py.Dataset) -> bool:
    """Shape, type and every stored chunk, or all bytes of what lies there plainly."""
    if then.shape != now.shape or then.dtype != now.dtype or then.chunks != now.chunks:
        return False
    if then.dtype.kind == "O":
        return bool(np.array_equal(then[()], now[()]))
    if then.chunks is None:
        return bool(then[()].tobytes() == now[()].tobytes())  # as they are, NaN too
    count = then.id.get_num_chunks()
    if count != now.id.get_num_chunks():
        return False
    for i in range(count):
        where = then.id.get_chunk_info(i).chunk_offset
        if then.id.read_direct_chunk(where) != now.id.read_direct_chunk(where):
            return False
    return True
