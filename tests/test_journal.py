"""The journal: what was written comes back; what was damaged is missed, counted, never invented."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.frames import Frames, concatenate, empty_frames
from recordings import journal as journal_module
from recordings.journal import (
    Damage,
    JournalWriter,
    journal_header,
    read_journal,
    remove_journal,
    segments,
    writing_pid,
)

HEADER = {"uuid": "u", "created": "2026-11-22T00:00:00Z", "databases": {"a.dbc": "text"}}


def numbered(count: int, first: int = 0, width: int = 8) -> Frames:
    frames = empty_frames(count, width)
    number = np.arange(first, first + count, dtype="<u8")
    frames.time[:] = number * 1000
    frames.id[:] = number % 5
    frames.length[:] = width
    frames.data[:, :8] = number.view(np.uint8).reshape(count, 8)
    return frames


def numbers(folder: Path, damage: Damage | None = None) -> list[int]:
    blocks = [b.frames for b in read_journal(folder, damage) if b.frames is not None]
    if not blocks:
        return []
    return np.ascontiguousarray(concatenate(blocks).data[:, :8]).view("<u8")[:, 0].tolist()


def write(folder: Path, blocks: int = 12, size: int = 7) -> None:
    writer = JournalWriter(folder, HEADER)
    for number in range(blocks):
        writer.append(numbered(size, number * size))
        writer.event(number, "mark", f"mark {number}", {"n": number})
    writer.close()


def test_everything_written_comes_back(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", HEADER)
    writer.append(numbered(1000))
    writer.event(5, "mark", "hällo 电池", {"a": 1})
    writer.append(numbered(10, 1000, width=64))
    writer.close()
    counts = writer.counts
    assert (counts.offered, counts.written, counts.refused, counts.waiting) == (1010, 1010, 0, 0)
    damage = Damage()
    blocks = list(read_journal(tmp_path / "j", damage))
    assert [b.kind for b in blocks] == ["frames", "event", "frames"]
    assert blocks[1].event is not None
    assert (blocks[1].event.text, blocks[1].event.parameters) == ("hällo 电池", {"a": 1})
    assert blocks[2].frames is not None
    assert blocks[2].frames.width == 64
    assert numbers(tmp_path / "j") == list(range(1010))
    assert damage == Damage()
    assert journal_header(tmp_path / "j") == HEADER


def test_a_journal_cut_at_any_byte_gives_back_all_before_the_cut(tmp_path: Path) -> None:
    write(tmp_path / "j")
    [segment] = segments(tmp_path / "j")
    whole = segment.read_bytes()
    ends = [0]
    for block in range(len(whole)):
        if whole.startswith(b"BMSJ", block) and block:
            ends.append(block)
    ends.append(len(whole))
    blocks_before = 0
    for cut in range(0, len(whole) + 1, 5):
        segment.write_bytes(whole[:cut])
        while blocks_before + 1 < len(ends) and ends[blocks_before + 1] <= cut:
            blocks_before += 1
        damage = Damage()
        read = list(read_journal(tmp_path / "j", damage))
        # The segment's own header block is not handed out.
        assert len(read) == max(0, blocks_before - 1), cut
        assert damage.skipped_bytes == cut - ends[blocks_before]
        assert segment.stat().st_size == cut


def test_flipped_bytes_lose_at_most_their_block_and_never_change_a_frame(tmp_path: Path) -> None:
    write(tmp_path / "j")
    [segment] = segments(tmp_path / "j")
    whole = bytearray(segment.read_bytes())
    dice = np.random.default_rng(1)
    for place in dice.integers(0, len(whole), 400).tolist():
        hurt = bytearray(whole)
        hurt[place] ^= int(dice.integers(1, 256))
        segment.write_bytes(hurt)
        damage = Damage()
        got = numbers(tmp_path / "j", damage)
        assert damage.bad_blocks == 1
        assert len(got) in (11 * 7, 12 * 7)
        assert set(got) <= set(range(12 * 7))
        assert got == sorted(got)


def test_zeroed_pages_and_torn_middles_are_skipped(tmp_path: Path) -> None:
    write(tmp_path / "j", blocks=200, size=20)
    [segment] = segments(tmp_path / "j")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:8192] + bytes(4096) + whole[12288:20000] + whole[24000:])
    damage = Damage()
    got = numbers(tmp_path / "j", damage)
    assert 2 <= damage.bad_blocks <= 4  # a hole may begin and end inside a block
    assert damage.missing_blocks > 0
    assert 3000 < len(got) < 4000
    assert got == sorted(set(got))


def test_a_length_without_its_checksum_is_never_believed(tmp_path: Path) -> None:
    write(tmp_path / "j", blocks=2)
    [segment] = segments(tmp_path / "j")
    whole = bytearray(segment.read_bytes())
    second = whole.find(b"BMSJ", 4)
    whole[second + 28 : second + 32] = b"\xff\xff\xff\x7f"
    segment.write_bytes(whole)
    assert numbers(tmp_path / "j") == list(range(7, 14))


def test_a_lost_header_is_replaced_by_the_short_one_of_a_segment(tmp_path: Path) -> None:
    write(tmp_path / "j")
    (tmp_path / "j" / "header.bmsj").write_bytes(b"nonsense")
    header = journal_header(tmp_path / "j")
    assert (header["uuid"], header["damaged"]) == ("u", True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no journal in this folder"):
        journal_header(tmp_path / "empty")


def test_who_writes_is_known_and_keeps_others_out(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", HEADER)
    assert writing_pid(tmp_path / "j") == os.getpid()
    with pytest.raises(BlockingIOError, match=str(os.getpid())):
        JournalWriter(tmp_path / "j", HEADER)
    with pytest.raises(BlockingIOError, match=str(os.getpid())):
        remove_journal(tmp_path / "j")
    writer.append(numbered(1))
    writer.close()
    assert writing_pid(tmp_path / "j") is None
    with pytest.raises(FileExistsError, match="repair"):
        JournalWriter(tmp_path / "j", HEADER)
    (tmp_path / "j" / "mine.txt").write_text("stays")
    remove_journal(tmp_path / "j")
    assert [p.name for p in (tmp_path / "j").iterdir()] == ["mine.txt"]


def test_segments_change_in_time_and_black_box_forgets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SEGMENT_S", 0.1)
    writer = JournalWriter(tmp_path / "j", HEADER, keep_s=0.5)
    for number in range(40):
        writer.append(numbered(10, number * 10))
        time.sleep(0.03)
    kept = numbers(tmp_path / "j")
    writer.close()
    assert kept == list(range(kept[0], 400))
    assert 100 <= len(kept) <= 330  # 0.5 s of 1.2 s, plus a segment, plus slow machines


def test_a_recording_has_what_happened_before_and_outlives_its_black_box(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "box", HEADER, keep_s=60)
    writer.append(numbered(10))
    writer.start_recording(tmp_path / "rec", {**HEADER, "uuid": "r"})
    with pytest.raises(RuntimeError, match="running already"):
        writer.start_recording(tmp_path / "rec2", HEADER)
    writer.append(numbered(10, 10))
    assert writing_pid(tmp_path / "rec") == os.getpid()
    assert writer.stop_recording() == tmp_path / "rec"
    assert writing_pid(tmp_path / "rec") is None
    writer.append(numbered(10, 20))
    writer.start_recording(tmp_path / "fresh", {**HEADER, "uuid": "f"}, back_s=0)
    writer.append(numbered(10, 30))
    writer.stop_recording()
    writer.append(numbered(10, 40))
    writer.flush()
    damage = Damage()
    box = numbers(tmp_path / "box", damage)
    assert box == [*range(10), *range(20, 30), *range(40, 50)]
    assert damage == Damage()  # what went into a recording is not missing
    writer.close(discard=True)
    assert not (tmp_path / "box").exists()
    assert numbers(tmp_path / "rec", damage) == list(range(20))
    assert numbers(tmp_path / "fresh", damage) == list(range(30, 40))
    assert damage == Damage()
    assert journal_header(tmp_path / "rec")["uuid"] == "r"


def test_a_full_disk_refuses_counts_and_resumes(tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: the write fails in the middle of a block."""
    answer = run_limited(tmp_path / "j", 20_000)
    assert answer["offered"] == answer["written"] + answer["refused"] == 3000
    assert answer["refused"] > 500
    assert "refused" in answer["error_while_full"]
    assert answer["error_after"] == ""
    damage = Damage()
    blocks = list(read_journal(tmp_path / "j", damage))
    assert damage == Damage()
    got = numbers(tmp_path / "j")
    assert len(got) == answer["written"]
    assert got[-1000:] == list(range(2000, 3000))  # written after there was room again
    gaps = [b.event.parameters for b in blocks if b.event and b.event.kind == "gap"]
    assert [g["frames"] for g in gaps] == [answer["refused"]]
    assert gaps[0]["stage"] == "disk"


def test_written_frames_are_synced_at_least_twice_a_second_off_the_writers_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    real, synced = getattr(os, name), []

    def sync(descriptor: int) -> None:
        real(descriptor)
        synced.append((time.monotonic(), threading.current_thread().name))

    monkeypatch.setattr(os, name, sync)
    writer = JournalWriter(tmp_path / "j", HEADER)
    begin = time.monotonic()
    while time.monotonic() - begin < 2.0:
        writer.append(numbered(5))
        time.sleep(0.02)
    end = time.monotonic()
    times = [begin, *(t for t, thread in synced if thread == "journal-sync"), end]
    assert max(np.diff(times)) < 0.5
    writer.close()


def test_a_disk_that_takes_seconds_to_sync_holds_nobody_up_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    monkeypatch.setattr(os, name, lambda descriptor: time.sleep(1.0))
    writer = JournalWriter(tmp_path / "j", HEADER)
    longest = 0.0
    for number in range(300):
        begin = time.monotonic()
        writer.append(numbered(50, number * 50))
        longest = max(longest, time.monotonic() - begin)
        time.sleep(0.005)
    assert longest < 0.5  # a sync takes 1 s
    writer.flush()
    assert numbers(tmp_path / "j") == list(range(15_000))
    writer.close()


def run_limited(folder: Path, most_bytes: int) -> dict[str, Any]:
    if sys.platform == "win32":
        pytest.skip("needs a limit on file size (POSIX)")
    script = Path(__file__).with_name("journal_on_full_disk.py")
    command = [sys.executable, str(script), str(folder), str(most_bytes)]
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": root},
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_a_killed_writer_loses_only_what_it_had_not_written(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from recordings.journal import JournalWriter\n"
        "from tests.test_journal import numbered\n"
        "w = JournalWriter(Path(sys.argv[1]), {})\n"
        "n = 0\n"
        "while True:\n"
        "    w.append(numbered(50, n)); n += 50; w.flush(); print(n, flush=True)\n"
        "    time.sleep(0.01)\n"
    )
    root = str(Path(__file__).resolve().parent.parent)
    for turn in range(3):
        folder = tmp_path / f"j{turn}"
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": root},
        )
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(10 + 7 * turn)]
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        last = int(rest[-1]) if rest else told[-1]
        got = numbers(folder)
        assert got == list(range(len(got)))
        assert len(got) >= last
        assert writing_pid(folder) is None
