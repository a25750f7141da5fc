"""Strangers' files in a process that may die: limits, Cancel, and nothing left behind."""

import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from bms_studio.jobs import Job
from bms_studio.opening import is_recording, open_paths, read_database, share_copy
from bms_studio.simulator.simulation import generate
from protocols.frames import concatenate
from recordings.errors import UnreadableLog
from recordings.formats import read_log, write_log

DBC = 'VERSION ""\nBU_: A\nBO_ 849 M: 8 A\n SG_ Cell1_Voltage : 0|8@1+ (0.02,0) [0|5] "V" A\n'


def ended(job: Job) -> Job:
    assert job.wait(90)
    return job


def test_a_database_is_read_in_another_process_and_comes_back_whole(tmp_path: Path) -> None:
    (tmp_path / "a.dbc").write_text(DBC)
    database = ended(Job("x", lambda job: read_database(job, tmp_path / "a.dbc"))).result
    assert database.name == "a.dbc"
    assert database.text == DBC
    assert database.message("M").signal("Cell1_Voltage").scale == 0.02


@pytest.mark.parametrize("content", [None, b"", b"\0" * 100, b"BO_ x"])
def test_what_is_no_database_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.dbc"
    if content is not None:
        path.write_bytes(content)
    job = ended(Job("x", lambda job: read_database(job, path)))
    assert "a.dbc" in job.error
    assert "\n" not in job.error


def test_a_recording_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "renamed.bin").write_bytes(b"\x89HDF\r\n\x1a\n...")
    (tmp_path / "a.log").write_text("(1.0) can0 1#00\n")
    assert is_recording(tmp_path / "renamed.bin")
    assert not is_recording(tmp_path / "a.log")
    assert not is_recording(tmp_path / "absent.log")


def test_cancel_ends_an_import_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "long.log"
    write_log(log, generate(2.0, 20, rate_hz=100), channels=("can0",))
    log.write_bytes(log.read_bytes() * 120)
    job = Job("x", lambda job: open_paths(job, [log], tmp_path))
    while not list(tmp_path.glob("*.part-*")) and not job.done:
        time.sleep(0.01)
    assert not job.done, job.error
    begun = time.perf_counter()
    job.cancel()
    assert job.wait(5)
    assert time.perf_counter() - begun < 1.0  # 0.2 s on an idle computer
    assert job.result is None
    assert [path.name for path in tmp_path.iterdir()] == ["long.log"]


def test_a_copy_of_nonsense_is_one_sentence_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
    source, target = tmp_path / "a.h5", tmp_path / "b.h5"
    job = ended(Job("x", lambda job: share_copy(job, source, target, ["serial"])))
    assert "a.h5" in job.error
    assert "\n" not in job.error
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_a_worker_that_takes_too_long_says_so(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="Windows has no such limits")
    code = (
        "import bms_studio.worker as worker\n"
        "worker._SECONDS = 1\n"
        "worker.limit(0)\n"
        "try:\n"
        "    while sum(range(1000)): work = 1\n"
        "except OSError as problem: print(problem)\n"
        "try: block = bytearray(worker._BYTES)\n"
        "except MemoryError: print('no memory')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [
        "reading this file takes far too long for its size: it is damaged or hostile",
        "no memory",
    ]


def test_a_blf_that_unpacks_to_gigabytes_is_left_where_it_becomes_absurd(tmp_path: Path) -> None:
    write_log(tmp_path / "a.blf", [concatenate(list(generate(0.5, 4, rate_hz=20)))])
    packed = zlib.compress(bytes(1 << 26), 9)
    size = 32 + len(packed)
    bomb = struct.pack("<4sHHLL", b"LOBJ", 16, 1, size, 10)
    bomb += struct.pack("<HxxxxxxLxxxx", 2, 1 << 26) + packed + bytes(size % 4)
    with (tmp_path / "a.blf").open("ab") as file:
        for _ in range(20):
            file.write(bomb)
    reader = read_log(tmp_path / "a.blf")
    begun = time.perf_counter()
    assert sum(len(block) for block in reader) > 10
    assert time.perf_counter() - begun < 30
    assert "MB come out of" in reader.report.truncated


def test_blf_objects_without_a_length_end_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.blf"
    write_log(path, [concatenate(list(generate(0.5, 4, rate_hz=20)))])
    head = path.read_bytes()[:144]
    nothing = struct.pack("<4sHHLL", b"LOBJ", 16, 1, 0, 1)
    path.write_bytes(head + nothing * 1000)
    with pytest.raises(UnreadableLog, match="holds no CAN frame") as caught:
        list(read_log(path))
    assert "\n" not in str(caught.value)
