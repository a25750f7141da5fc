"""The writer: what stands in the file, and what stays behind when it fails."""

import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from protocols.frames import Frames
from recordings.errors import Cancelled, NotVerified
from recordings.layout import RecordingAttributes, columns_of, kind_of
from recordings.reader import Recording
from recordings.writer import RecordingWriter
from tests.recording_parts import some_frames


def write(path: Path, frames: Frames, blocks: int = 7) -> None:
    with RecordingWriter(path, RecordingAttributes("import")) as writer:
        for part in np.array_split(np.arange(len(frames)), blocks):
            writer.frames(frames[part])
        writer.close()


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("count", [1, 255, 65_536, 65_537, 200_000])
def test_frames_come_back_as_they_were_with_plain_h5py(tmp_path: Path, count: int) -> None:
    frames = some_frames(count)
    write(tmp_path / "a.h5", frames)
    with h5py.File(tmp_path / "a.h5") as file:
        for name in ("time", "id", "flags", "channel", "length", "data"):
            np.testing.assert_array_equal(file["frames"][name][:], getattr(frames, name))


def test_the_fingerprint_does_not_depend_on_blocks_and_sees_one_bit(tmp_path: Path) -> None:
    frames = some_frames(10_000)
    digests = set()
    for name, blocks in (("a", 1), ("b", 13)):
        write(tmp_path / name, frames, blocks)
        digests.add(Recording(tmp_path / name).attributes.frames_sha256)
    frames.data[77, 0] ^= 1
    frames.length[77] = max(frames.length[77], 1)
    write(tmp_path / "c", frames)
    digests.add(Recording(tmp_path / "c").attributes.frames_sha256)
    assert len(digests) == 2


def test_can_fd_may_begin_in_the_middle(tmp_path: Path) -> None:
    classic, fd = some_frames(70_000), some_frames(500, 2, 64, start=2 * 10**18)
    with RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live")) as writer:
        writer.frames(classic)
        writer.frames(fd)
        writer.close()
    back = Recording(tmp_path / "a.h5").frame_rows(0, 70_500)
    np.testing.assert_array_equal(back.data[:70_000, :8], classic.data)
    assert not back.data[:70_000, 8:].any()
    np.testing.assert_array_equal(back.data[70_000:], fd.data)


def test_columns_may_come_late_and_grow_and_older_rows_stay_unknown(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    expected = np.full((20_000, 7), np.nan, np.float32)
    active = np.full((20_000, 7), 255, np.uint8)
    expected[:, :2] = rng.normal(size=(20_000, 2))
    expected[12_345:, :7] = rng.normal(size=(7655, 7))
    active[12_345:] = rng.integers(0, 2, (7655, 7))
    time = np.arange(20_000, dtype=np.int64)
    with RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live")) as writer:
        for at in range(0, 20_000, 555):
            rows = slice(at, min(at + 555, 12_345)) if at < 12_345 else slice(at, at + 555)
            cut = slice(12_345, at + 555) if at < 12_345 <= at + 555 else slice(0, 0)
            for part, width in ((rows, 2 if at < 12_345 else 7), (cut, 7)):
                if len(time[part]):
                    columns = {"voltage": expected[part, :width]}
                    writer.rows("/cells", time[part], columns)
                    if width == 7:
                        writer.rows("/balancing", time[part], {"active": active[part]})
        writer.close()
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["cells/voltage"][:], expected)
        np.testing.assert_array_equal(file["balancing/active"][:], active[12_345:])
    again = Recording(tmp_path / "a.h5").read("/cells")
    np.testing.assert_array_equal(again["voltage"], expected)


def test_a_pack_field_that_appears_late_is_unknown_before_and_one_never_seen_is_absent(
    tmp_path: Path,
) -> None:
    time = np.arange(200_000, dtype=np.int64)
    nothing = np.full(100_000, np.nan, np.float32)
    with RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live")) as writer:
        first = {"voltage": nothing + 1, "soc": np.ones(100_000), "soh": nothing}
        writer.rows("/pack", time[:100_000], {**first, "voltage": np.ones(100_000)})
        writer.rows("/pack", time[100_000:], {"current": np.full(100_000, 2.5), "soh": nothing})
        writer.close()
    pack = Recording(tmp_path / "a.h5").read("/pack")
    assert sorted(pack) == ["current", "soc", "time", "voltage"]
    assert np.isnan(pack["current"][:100_000]).all()
    assert (pack["current"][100_000:] == 2.5).all()
    assert np.isnan(pack["soc"][100_000:]).all()


def test_every_dataset_says_its_unit_and_needs_no_plugin(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live")) as writer:
        writer.frames(some_frames(10))
        time = np.arange(3, dtype=np.int64)
        writer.rows("/cells", time, {"voltage": np.ones((3, 4)), "age_s": np.zeros((3, 4))})
        writer.rows("/temperatures", time, {"value": np.ones((3, 2))})
        writer.rows("/packs/2/cells", time, {"voltage": np.ones((3, 9))})
        writer.describe("/signals/Motor", {"speed": ("rpm", "Motor speed")})
        writer.rows("/signals/Motor", time, {"speed": np.arange(3.0)})
        writer.labels("/cells", ["A1", "A2", "A3", "Ä4"])
        writer.event(7, "mark", "später")
        writer.event(5, "connect", "")
        writer.close()
    seen = []

    def look(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            seen.append(name)
            assert isinstance(node.attrs["unit"], str)
            assert node.attrs["long_name"]
            plist = node.id.get_create_plist()
            assert {plist.get_filter(k)[0] for k in range(plist.get_nfilters())} <= {1, 2}

    with h5py.File(tmp_path / "a.h5") as file:
        file.visititems(look)
        assert file["cells/voltage"].attrs["unit"] == "V"
        assert file.attrs["format_version"] == 1
    assert "packs/2/cells/voltage" in seen
    rec = Recording(tmp_path / "a.h5")
    assert rec.labels("/cells") == ("A1", "A2", "A3", "Ä4")
    assert [(e.time, e.kind, e.text) for e in rec.events()] == [
        (5, "connect", ""),
        (7, "mark", "später"),
    ]
    assert rec.packs() == (1, 2)


def test_attributes_and_large_databases_come_back(tmp_path: Path) -> None:
    given = RecordingAttributes(
        "import",
        "local-assumed",
        title="Prüfstand 3",
        source_names=("a.log", "b.log"),
        source_sha256=("0" * 64, "1" * 64),
        profile="[pack]\nname = 'x'\n",
        databases=(("big.dbc", "x" * 400_000), ("two.dbc", "ü")),
        protocol="orion",
        protocol_confidence=0.75,
        dropped={"adapter": 3},
    )
    with RecordingWriter(tmp_path / "a.h5", given) as writer:
        writer.close()
    assert Recording(tmp_path / "a.h5").attributes == given


def test_time_that_runs_backwards_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live"))
    writer.rows("/cells", np.array([5, 6]), {"voltage": np.ones((2, 1))})
    with pytest.raises(ValueError, match="/cells: time must never run backwards"):
        writer.rows("/cells", np.array([5]), {"voltage": np.ones((1, 1))})
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("group", "columns"),
    [
        ("/cells", {"wattage": np.ones((2, 1))}),
        ("/cells", {"voltage": np.ones(2)}),
        ("/cells", {"voltage": np.ones((3, 1))}),
        ("/sells", {"voltage": np.ones((2, 1))}),
        ("/packs/1/cells", {"voltage": np.ones((2, 1))}),
        ("/packs/2/frames", {}),
    ],
)
def test_what_the_layout_does_not_know_is_refused(
    tmp_path: Path, group: str, columns: dict[str, object]
) -> None:
    writer = RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live"))
    with pytest.raises(ValueError, match=group):
        writer.rows(group, np.array([1, 2]), columns)
    assert left_in(tmp_path) == []


def test_an_exception_in_the_block_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"the old one")

    def fail() -> None:
        with RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live")) as writer:
            writer.frames(some_frames(100_000))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert left_in(tmp_path) == ["a.h5"]
    assert (tmp_path / "a.h5").read_bytes() == b"the old one"


def test_nobody_sees_the_file_before_it_is_complete(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live")) as writer:
        writer.frames(some_frames(100))
        assert not (tmp_path / "a.h5").exists()
        writer.close()
        assert left_in(tmp_path) == ["a.h5"]


@pytest.mark.parametrize("calls_before_yes", [1, 29])
def test_cancel_ends_the_work_and_leaves_nothing(tmp_path: Path, calls_before_yes: int) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > calls_before_yes

    writer = RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live"), cancelled=cancelled)

    def work() -> None:
        for number in range(29):
            writer.frames(some_frames(1000, start=10**18 + number * 10**15))
        writer.close()

    with pytest.raises(Cancelled):
        work()
    assert left_in(tmp_path) == []
    assert not any("chunks" in thread.name for thread in threading.enumerate())


def test_a_file_that_does_not_read_back_the_same_is_not_kept(tmp_path: Path) -> None:
    """A bit of a chunk already on the disk turns while the rest is still being written."""
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        if asked == 20:
            (part,) = tmp_path.iterdir()
            with part.open("r+b") as file:
                file.seek(part.stat().st_size // 2)
                old = file.read(1)
                file.seek(-1, 1)
                file.write(bytes([old[0] ^ 16]))
        return False

    writer = RecordingWriter(tmp_path / "a.h5", RecordingAttributes("live"), cancelled=cancelled)
    for number in range(20):
        writer.frames(some_frames(65_536, seed=number, start=10**18 + number * 10**15))
    with pytest.raises(NotVerified):
        writer.close()
    assert left_in(tmp_path) == []


FULL_DISK = """
import resource, sys
import numpy as np
from recordings.layout import RecordingAttributes
from recordings.writer import RecordingWriter
from tests.recording_parts import some_frames
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with RecordingWriter(sys.argv[1], RecordingAttributes("live")) as writer:
        for k in range(20):
            writer.frames(some_frames(50_000, start=10**18 + k * 10**15))
        writer.close()
except OSError as error:
    print("told:", error.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.h5")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("told: 27")
    assert left_in(tmp_path) == []


def test_every_group_of_the_layout_has_time_and_long_names() -> None:
    for path in ("/frames", "/packs/3/pack", "/analyses/1/estimates", "/events"):
        columns = columns_of(path)
        assert "time" in columns
        assert all(column.long_name for column in columns.values())
    with pytest.raises(ValueError, match="/packs/0/cells"):
        kind_of("/packs/0/cells")
