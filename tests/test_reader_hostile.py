"""The reader: what it gives back, and what it refuses before reading anything of it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from recordings.layout import RecordingAttributes
from recordings.reader import Recording, UnreadableRecording
from recordings.writer import RecordingWriter
from tests.recording_parts import some_frames

SCANS = 5000


def recording(path: Path) -> Path:
    time = np.arange(SCANS, dtype=np.int64) * 10**7 + 10**18
    with RecordingWriter(path, RecordingAttributes("simulated", databases=(("a", "b"),))) as writer:
        writer.frames(some_frames(3000))
        voltage = np.linspace(3, 4, SCANS * 4, dtype=np.float32).reshape(SCANS, 4)
        writer.rows("/cells", time, {"voltage": voltage})
        writer.event(int(time[0]), "connect", "hello")
        writer.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return recording(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("t0", "t1"), [(None, None), (0, 777), (10, 10), (4999, None), (333, 4096), (-5, 9999)]
)
def test_a_slice_of_time_has_exactly_its_rows(path: Path, t0: int | None, t1: int | None) -> None:
    scale = [None if t is None else t * 10**7 + 10**18 for t in (t0, t1)]
    rows = Recording(path).read("/cells", ["voltage"], scale[0], scale[1])
    numbers = range(SCANS)[max(t0 or 0, 0) : SCANS if t1 is None else t1]
    np.testing.assert_array_equal(rows["time"], np.array(numbers) * 10**7 + 10**18)
    assert rows["voltage"].shape == (len(numbers), 4)


def test_a_time_on_a_chunk_border_and_repeated_times_are_found(tmp_path: Path) -> None:
    time = np.repeat(np.arange(40_000, dtype=np.int64), 5)
    with RecordingWriter(tmp_path / "b.h5", RecordingAttributes("live")) as writer:
        writer.rows("/pack", time, {"voltage": np.arange(200_000)})
        writer.close()
    rec = Recording(tmp_path / "b.h5")
    for t in (0, 1, 13_106, 13_107, 13_108, 26_214, 39_999):
        np.testing.assert_array_equal(rec.read("/pack", t0=t, t1=t + 1)["time"], [t] * 5)
    assert len(rec.read("/pack", t0=40_000)["time"]) == 0


def test_frames_come_in_blocks_and_no_handle_stays_open(path: Path) -> None:
    rec = Recording(path)
    assert [len(block) for block in rec.frames(block=1024)] == [1024, 1024, 952]
    span = rec.span("/frames")
    assert span is not None
    inner = list(rec.frames(span[0] + 1, span[1]))
    assert sum(len(b) for b in inner) < 3000
    path.rename(path.with_name("moved.h5"))  # would fail on Windows with a handle open
    with pytest.raises(UnreadableRecording, match="no such file"):
        rec.read("/cells")


def test_unknown_groups_and_columns_are_a_key_error(path: Path) -> None:
    rec = Recording(path)
    with pytest.raises(KeyError, match="/location"):
        rec.read("/location")
    with pytest.raises(KeyError, match="wattage"):
        rec.read("/cells", ["wattage"])


def test_a_read_beyond_the_limit_is_refused_in_one_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.reader.MAX_READ_BYTES", 10_000)
    rec = Recording(path)
    with pytest.raises(ValueError, match="shorter span") as caught:
        rec.read("/cells")
    assert not isinstance(caught.value, UnreadableRecording)
    assert len(rec.read("/cells", t0=10**18, t1=10**18 + 10**9)["time"]) == 100


def edit(change: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with h5py.File(recording(path), "r+") as file:
            change(file)

    return make


def link(target: object) -> Callable[[h5py.File], None]:
    return lambda file: file["cells"].__setitem__("extra", target)


def external_storage(file: h5py.File) -> None:
    secret = Path(file.filename).with_name("secret.txt")
    secret.write_bytes(b"0123456789abcdef" * SCANS)
    shape = (SCANS,)
    file["cells"].create_dataset("extra", shape, "u1", external=[(str(secret), 0, SCANS)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((SCANS,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (SCANS,))
    file["cells"].create_virtual_dataset("extra", layout)


def unknown_filter(file: h5py.File) -> None:
    file["cells"].create_dataset("extra", (SCANS,), "f4", chunks=(SCANS,), compression="lzf")


def compound(file: h5py.File) -> None:
    file["cells"].create_dataset("extra", (SCANS,), [("a", "f4"), ("b", "i4")])


def references(file: h5py.File) -> None:
    file["cells"].create_dataset("extra", (SCANS,), h5py.ref_dtype)


def objects(file: h5py.File) -> None:
    file["cells"].create_dataset("extra", (SCANS,), h5py.vlen_dtype(np.int32))


def bomb(file: h5py.File) -> None:
    del file["cells"]
    group = file.create_group("cells")
    group.create_dataset("time", (10**13,), "<i8", chunks=(10**6,), compression="gzip")
    group.create_dataset("voltage", (10**13, 4), "f4", chunks=(10**6, 4), compression="gzip")


def giant_chunk(file: h5py.File) -> None:
    file["cells"].create_dataset("extra", (SCANS, 4000), "f8", chunks=(5000, 4000))


def uneven(file: h5py.File) -> None:
    file["cells"].create_dataset("extra", (SCANS - 1,), "f4")


def named_type(file: h5py.File) -> None:
    file["cells"]["extra"] = np.dtype("f4")


def attribute_object(file: h5py.File) -> None:
    file.attrs.create("evil", file.ref, dtype=h5py.ref_dtype)


def float_time(file: h5py.File) -> None:
    del file["cells/time"]
    file["cells"]["time"] = np.arange(SCANS, dtype=np.float64)


def events_without_kind(file: h5py.File) -> None:
    file.pop("events", None)
    group = file.create_group("events")
    group["time"] = np.zeros(1, np.int64)
    group["text"] = np.array(["a"], h5py.string_dtype())


def deep(file: h5py.File) -> None:
    file.create_group("/".join("abcdefghijkl"))


def loop(file: h5py.File) -> None:
    file["cells"]["extra"] = file["/"]


REFUSED = {
    "soft link": (edit(link(h5py.SoftLink("/frames/time"))), "link"),
    "external link": (edit(link(h5py.ExternalLink("other.h5", "/x"))), "link"),
    "external storage": (edit(external_storage), "another file"),
    "virtual dataset": (edit(virtual), "virtual"),
    "unknown filter": (edit(unknown_filter), "filter 32000"),
    "compound type": (edit(compound), "type"),
    "reference type": (edit(references), "type"),
    "object type": (edit(objects), "type"),
    "declared petabytes": (edit(bomb), "more rows than are stored"),
    "giant chunk": (edit(giant_chunk), "chunks of 153 MB"),
    "uneven group": (edit(uneven), "rows of its time"),
    "named type": (edit(named_type), "neither a group nor a dataset"),
    "reference attribute": (edit(attribute_object), "attribute evil"),
    "float time": (edit(float_time), "nanoseconds"),
    "events without kind": (edit(events_without_kind), "has no kind"),
    "deep nesting": (edit(deep), "nested"),
    "loop of hard links": (edit(loop), "nested"),
    "newer version": (edit(lambda f: f.attrs.modify("format_version", 2)), "version 2"),
    "no version": (edit(lambda f: f.attrs.__delitem__("format_version")), "version"),
    "another program": (edit(lambda f: f.attrs.modify("format", "keras")), "another program"),
    "no source": (edit(lambda f: f.attrs.__delitem__("source")), "damaged"),
    "frames without data": (edit(lambda f: f["frames"].__delitem__("data")), "damaged"),
    "folder": (lambda p: p.mkdir(), "folder"),
    "nothing": (lambda p: None, "no such file"),
    "empty": (lambda p: p.write_bytes(b""), "empty"),
    "text": (lambda p: p.write_text("time,voltage\n1,2\n"), "not an HDF5 file"),
    "half": (lambda p: recording(p).write_bytes(p.read_bytes()[:30_000]), "damaged"),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_a_hostile_or_broken_file_is_refused_in_one_sentence(tmp_path: Path, case: str) -> None:
    make, words = REFUSED[case]
    path = tmp_path / "a.h5"
    make(path)
    with pytest.raises(UnreadableRecording, match=words) as caught:
        Recording(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text


def test_a_file_replaced_by_a_hostile_one_is_checked_again(path: Path) -> None:
    rec = Recording(path)
    other = path.with_name("b.h5")
    edit(link(h5py.SoftLink("/frames/time")))(other)
    other.replace(path)
    with pytest.raises(UnreadableRecording, match="link"):
        rec.read("/cells")


def test_a_chunk_that_unpacks_to_more_than_it_declares_is_refused(path: Path) -> None:
    import zlib

    with h5py.File(path, "r+") as file:
        chunk = zlib.compress(bytes(50 << 20), 9)
        file["cells/voltage"].id.write_direct_chunk((0, 0), chunk)
    rec = Recording(path)
    with pytest.raises(UnreadableRecording, match="larger than declared"):
        rec.read("/cells")


MUTANTS = """
import faulthandler, random, sys
from pathlib import Path
from recordings.reader import Recording, UnreadableRecording
path, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
good = path.read_bytes()
random.seed(seed)
mutant = path.with_name("mutant.h5")
for _ in range(count):
    data = bytearray(good)
    for _ in range(random.randint(1, 8)):
        data[random.randrange(min(len(data), 6000))] = random.randrange(256)
    mutant.write_bytes(data)
    faulthandler.dump_traceback_later(3, exit=True)
    try:
        rec = Recording(mutant)
        for group in rec.groups():
            rec.read(group)
        list(rec.frames())
    except UnreadableRecording as error:
        print("refused", flush=True)
        assert "\\n" not in str(error), error
"""


def test_mutated_files_are_read_or_refused_but_raise_nothing_else(tmp_path: Path) -> None:
    """In processes of their own: the HDF5 library itself crashes or hangs on some such files,
    which is why the window reads in a process that may die. All else must be a refusal."""
    path = recording(tmp_path / "a.h5")
    refused = 0
    for seed in range(6):
        done = subprocess.run(
            [sys.executable, "-c", MUTANTS, str(path), str(seed), "25"],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=Path(__file__).parents[1],
        )
        crashed = done.returncode < 0 or done.returncode > 1  # a signal; Windows has large codes
        hung = done.returncode == 1 and done.stderr.startswith("Timeout")
        if hung:
            where = next(line for line in done.stderr.splitlines() if "File" in line)
            assert "h5py" in where, done.stderr
        elif not crashed:
            assert done.returncode == 0, done.stderr
        refused += done.stdout.count("refused")
    assert refused > 10
