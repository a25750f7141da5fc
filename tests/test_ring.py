"""The ring: whole frames in order, or a count of what was missed; never a torn one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bms_studio.acquisition.ring import RingReader, RingWriter
from protocols.frames import Frames, empty_frames


def numbered(count: int, first: int, width: int = 8) -> Frames:
    frames = empty_frames(count, width)
    frames.time[:] = np.arange(first, first + count)
    frames.data[:, 0] = frames.time % 251
    return frames


def test_a_reader_sees_all_frames_in_order(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "r", size=1 << 16, blocks=64)
    reader = RingReader(tmp_path / "r")
    assert len(reader.read()) == 0
    seen: list[int] = []
    for turn in range(500):
        writer.write(numbered(turn % 40, len(seen)))
        writer.write(numbered(3, len(seen) + turn % 40, width=64))
        seen += reader.read().time.tolist()
    assert seen == list(range(len(seen)))
    assert reader.missed == 0
    reader.close()
    writer.close()


def test_a_slow_reader_counts_exactly_what_it_missed(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "r", size=1 << 14, blocks=64)
    reader = RingReader(tmp_path / "r")
    dice = np.random.default_rng(3)
    written = seen = 0
    last = -1
    for _ in range(3000):
        count = int(dice.integers(1, 30))
        writer.write(numbered(count, written))
        written += count
        if dice.random() < 0.02:
            times = reader.read().time
            assert times[0] > last
            assert (np.diff(times) == 1).all()
            last = int(times[-1])
            seen += len(times)
            assert seen + reader.missed == written
    assert reader.missed > 1000
    assert seen > 1000
    reader.close()
    writer.close()


def test_a_late_reader_begins_with_the_oldest_frames(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "r", size=1 << 14, blocks=4096)
    writer.write(numbered(100, 0))
    early = RingReader(tmp_path / "r")
    assert early.read().time.tolist() == list(range(100))
    for first in range(100, 5000, 10):
        writer.write(numbered(10, first))
    late = RingReader(tmp_path / "r")
    times = late.read().time
    assert times[-1] == 4999
    assert len(times) > 200
    assert late.missed == 0
    for reader in (early, late):
        reader.close()
    writer.close()


def test_the_status_page_is_always_whole(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "r", size=1 << 14, blocks=64)
    reader = RingReader(tmp_path / "r")
    assert reader.status() == {}
    for turn in range(200):
        writer.publish({"turn": turn, "text": "x" * (turn * 7 % 300)})
        assert reader.status()["turn"] == turn
    with pytest.raises(ValueError, match="does not fit"):
        writer.publish({"text": "x" * 40000})
    reader.close()
    writer.close()


def test_a_block_too_large_for_the_ring_is_split(tmp_path: Path) -> None:
    writer = RingWriter(tmp_path / "r", size=1 << 14, blocks=64)
    reader = RingReader(tmp_path / "r")
    writer.write(numbered(400, 0))
    assert reader.read().time.tolist() == list(range(400))
    writer.write(numbered(5000, 400))
    times = reader.read().time.tolist()
    assert times[-1] == 5399
    assert 400 + len(times) + reader.missed == 5400
    reader.close()
    writer.close()


def test_a_file_that_is_no_ring_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(bytes(100_000))
    with pytest.raises(ValueError, match="not a ring"):
        RingReader(tmp_path / "r")
    (tmp_path / "s").write_bytes(b"short")
    with pytest.raises(ValueError, match="not a ring"):
        RingReader(tmp_path / "s")


def test_another_process_reads_only_whole_blocks_from_a_racing_writer(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from bms_studio.acquisition.ring import RingWriter\n"
        "from tests.test_ring import numbered\n"
        "w = RingWriter(Path(sys.argv[1]), size=1 << 14, blocks=64)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "n = 0\n"
        "while n < 300_000:\n"
        "    w.write(numbered(13, n)); n += 13\n"
        "w.publish({'written': n})\n"
        "sys.stdin.readline()\n"
    )
    root = str(Path(__file__).resolve().parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "r")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=root,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    reader = RingReader(tmp_path / "r")
    process.stdin.write("go\n")
    seen = blocks = 0
    last = -1
    while not (status := reader.status()) or seen + reader.missed < status["written"]:
        frames = reader.read()
        if len(frames):
            assert frames.time[0] > last
            assert (np.diff(frames.time) > 0).all()
            assert (frames.data[:, 0] == frames.time % 251).all()
            last = int(frames.time[-1])
            seen += len(frames)
            blocks += 1
    assert seen + reader.missed == status["written"]
    assert blocks > 3
    reader.close()
    process.stdin.write("end\n")
    process.wait(10)
    process.stdin.close()
    process.stdout.close()
