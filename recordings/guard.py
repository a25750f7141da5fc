"""The gate in front of every recording: a file from a stranger is hostile until checked.

Nothing of a dataset's content is read before this has passed. Refused are links, external storage,
virtual datasets, unknown filters, types that no recording has, and sizes out of proportion; the
total is bounded by what is really stored, because every chunk of `time` must exist.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from recordings.errors import UnreadableRecording
from recordings.groups import MAX_COLUMNS
from recordings.layout import FORMAT, FORMAT_VERSION

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS = 20_000
MAX_DEPTH = 8
MAX_CHUNK_BYTES = 64 << 20
MAX_TEXT_ROWS = 5_000_000
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_ITEMS = 100_000

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


def check_is_hdf5(path: Path) -> None:
    """The cheap questions, before the HDF5 library sees the file."""
    if path.is_dir():
        raise UnreadableRecording(f"{path} is a folder: name a recording inside it")
    try:
        with path.open("rb") as file:
            head = file.read(len(SIGNATURE))
    except FileNotFoundError:
        raise UnreadableRecording(f"{path}: there is no such file") from None
    except OSError as error:
        raise UnreadableRecording(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise UnreadableRecording(f"{path} is empty: it holds no recording")
    if head != SIGNATURE:
        raise UnreadableRecording(
            f"{path} is not a recording (not an HDF5 file): a log is made into one with "
            "'bms-studio import'"
        )


def check_content(file: h5py.File, path: Path) -> None:
    """Walk the open file; UnreadableRecording says in one sentence what is refused."""
    _check_attributes(file, "/", path)
    _check_is_ours(file, path)
    # The whole tree of links comes first: looking into a group would already follow them.
    for name, node in list(_walk(file, path)):
        _check_attributes(node, name, path)
        if isinstance(node, h5py.Dataset):
            _check_dataset(node, name, path)
        elif "time" in node:
            _check_group(node, name, path)


def _refuse(path: Path, place: str, why: str) -> UnreadableRecording:
    return UnreadableRecording(f"{path} is refused: {place} {why}")


def _check_is_ours(file: h5py.File, path: Path) -> None:
    found = file.attrs.get("format")
    if found != FORMAT:
        raise UnreadableRecording(
            f"{path} is an HDF5 file of another program: only recordings of BMS Studio can be read"
        )
    version = file.attrs.get("format_version")
    if not isinstance(version, (int, np.integer)) or version < 1:
        raise _refuse(path, "its root", "names no format version")
    if version > FORMAT_VERSION:
        raise UnreadableRecording(
            f"{path} has format version {version}, this program reads up to {FORMAT_VERSION}: "
            "install a newer BMS Studio"
        )


def _walk(file: h5py.File, path: Path) -> Iterator[tuple[str, Any]]:
    waiting: list[tuple[str, h5py.Group, int]] = [("", file, 0)]
    seen = 0
    while waiting:
        prefix, group, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _refuse(path, prefix, "is nested too deeply")
        for name in group:
            seen += 1
            if seen > MAX_OBJECTS:
                raise _refuse(path, "it", f"holds more than {MAX_OBJECTS} objects")
            if not isinstance(name, str):
                raise _refuse(path, prefix or "its root", "holds a name that is no text")
            place = f"{prefix}/{name}"
            if group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
                raise _refuse(path, place, "is a link to another place")
            node = group[name]
            if isinstance(node, h5py.Group):
                waiting.append((place, node, depth + 1))
            elif not isinstance(node, h5py.Dataset):
                raise _refuse(path, place, "is neither a group nor a dataset")
            yield place, node


def _check_attributes(node: Any, place: str, path: Path) -> None:
    if len(node.attrs) > MAX_ATTRIBUTES:
        raise _refuse(path, place, "has too many attributes")
    for name in node.attrs:
        if not isinstance(name, str):
            raise _refuse(path, place, "has an attribute whose name is no text")
        attribute = h5py.h5a.open(node.id, name.encode())
        if int(np.prod(attribute.shape, dtype=np.float64)) > MAX_ATTRIBUTE_ITEMS:
            raise _refuse(path, f"attribute {name} of {place}", "is too large")
        if not _is_plain(attribute.get_type()):
            raise _refuse(path, f"attribute {name} of {place}", "has a type no recording has")


def _check_dataset(dataset: h5py.Dataset, place: str, path: Path) -> None:
    plist = dataset.id.get_create_plist()
    if plist.get_external_count():
        raise _refuse(path, place, "keeps its data in another file")
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        raise _refuse(path, place, "is a virtual dataset")
    if not _is_plain(dataset.id.get_type()):
        raise _refuse(path, place, "has a type no recording has")
    codes = {plist.get_filter(k)[0] for k in range(plist.get_nfilters())}
    if codes - _FILTERS:
        raise _refuse(path, place, f"needs the unknown filter {min(codes - _FILTERS)}")
    if dataset.ndim not in (1, 2) or (dataset.ndim == 2 and dataset.shape[1] > MAX_COLUMNS):
        raise _refuse(path, place, f"has the shape {dataset.shape}")
    if dataset.chunks is not None:
        size = float(np.prod(dataset.chunks, dtype=np.float64)) * dataset.dtype.itemsize
        if size > MAX_CHUNK_BYTES:
            raise _refuse(path, place, f"has chunks of {size / 2**20:.0f} MB")
    elif dataset.id.get_storage_size() < dataset.shape[0] and dataset.shape[0]:
        raise _refuse(path, place, "declares more rows than are stored")
    if dataset.dtype.kind == "O" and dataset.shape[0] > MAX_TEXT_ROWS:
        raise _refuse(path, place, "holds too many texts")


def _check_group(group: h5py.Group, place: str, path: Path) -> None:
    time = group["time"]
    if not isinstance(time, h5py.Dataset) or time.ndim != 1 or time.dtype != np.dtype("<i8"):
        raise _refuse(path, f"{place}/time", "is not a column of nanoseconds")
    if time.chunks is not None:
        needed = -(-time.shape[0] // time.chunks[0])
        if time.id.get_num_chunks() < needed:
            raise _refuse(path, f"{place}/time", "declares more rows than are stored")
    for name, node in group.items():
        if isinstance(node, h5py.Dataset) and node.shape[0] != time.shape[0]:
            raise _refuse(path, f"{place}/{name}", f"has not the {time.shape[0]} rows of its time")


def _is_plain(kind: Any) -> bool:
    """Integer, float, or variable-length text: all that a recording holds."""
    if isinstance(kind, h5py.h5t.TypeStringID):
        return bool(kind.is_variable_str())
    if isinstance(kind, (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID)):
        return kind.get_size() in (1, 2, 4, 8)
    return False
