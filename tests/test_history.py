"""A pack's life over many recordings: kept by serial, never half a file, never another pack's."""

import json
import math
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bms_studio import history
from bms_studio.acquisition.lock import HOME_VARIABLE
from bms_studio.pack.health import Health
from recordings.layout import RecordingAttributes
from recordings.writer import RecordingWriter
from tests.recording_parts import some_frames

DAY = 86_400_000_000_000
BEGIN = 19_000 * DAY


def visit(day: int, serial: str = "SN 1/2", cells: int = 5, value: float = 0.1) -> Health:
    begin = BEGIN + day * DAY
    leak = np.full(cells, value)
    leak[1] = np.nan
    return Health(
        begin + DAY // 2,
        begin,
        cells,
        {"leak_a": leak, "leak_a_sigma": np.full(cells, 0.01), "nonsense": leak},
        {"capacity_ah": 5.0, "cycles": math.nan},
        {"soc": "need.rest_30_min"},
        chemistry="NMC",
        serial=serial,
    )


def test_visits_come_back_oldest_first_with_all_that_was_known(tmp_path: Path) -> None:
    for day in (7, 0, 14):
        history.store(visit(day, value=0.1 * day), folder=tmp_path)
    past = history.load("SN 1/2", tmp_path)
    assert past.damaged == ()
    assert [(h.time - BEGIN) // DAY for h in past.visits] == [0, 7, 14]
    newest = past.visits[-1]
    assert newest.values("leak_a")[0] == pytest.approx(1.4)
    assert np.isnan(newest.values("leak_a")[1])
    assert newest.sigma("leak_a")[1] == pytest.approx(0.01)
    assert newest.of_pack("capacity_ah") == 5.0
    assert np.isnan(newest.of_pack("cycles"))
    assert newest.needs == {"soc": "need.rest_30_min"}
    assert (newest.count, newest.chemistry, newest.serial) == (5, "NMC", "SN 1/2")
    assert "nonsense" not in newest.cells


def test_the_same_day_of_the_same_recording_is_replaced_another_s_is_kept(tmp_path: Path) -> None:
    history.store(visit(0, value=0.1), "uuid-a", tmp_path)
    history.store(visit(0, value=0.2), "uuid-a", tmp_path)
    assert [h.values("leak_a")[0] for h in history.load("SN 1/2", tmp_path).visits] == [0.2]
    history.store(visit(0, value=0.3), "uuid-b", tmp_path)
    assert len(history.load("SN 1/2", tmp_path).visits) == 2


def test_only_visits_before_a_moment_are_history_of_it(tmp_path: Path) -> None:
    for day in (0, 7):
        history.store(visit(day), folder=tmp_path)
    past = history.load("SN 1/2", tmp_path, before=BEGIN + 3 * DAY)
    assert [(h.time - BEGIN) // DAY for h in past.visits] == [0]


@pytest.mark.parametrize(
    "serial", ["A/B", "A\\B", "A-B", "../../etc", "CON", "电池 7", "a" * 300, "a", "A"]
)
def test_serials_never_share_a_folder_and_stay_inside(tmp_path: Path, serial: str) -> None:
    others = {"A/B", "A\\B", "A-B", "a", "A"} - {serial}
    for one in (*others, serial):
        history.store(visit(0, serial=one), folder=tmp_path)
    assert [h.serial for h in history.load(serial, tmp_path).visits] == [serial]
    assert set(history.serials(tmp_path)) == others | {serial}
    assert all(p.parent.parent == tmp_path for p in tmp_path.rglob("*.json"))


def test_a_pack_without_serial_has_no_history(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without a serial number"):
        history.store(visit(0, serial="  "), folder=tmp_path)
    assert history.load("never seen", tmp_path) == history.Past()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04garbage",
        b"[1, 2]",
        b'{"format": "other"}',
        b'{"format": "bms-studio-visit", "version": 99}',
        b'{"format": "bms-studio-visit", "version": 1}',
        b'{"format": "bms-studio-visit", "version": 1, "count": 1e9, "time": 1, "start": 0}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_costs_itself_only_and_is_named(tmp_path: Path, content: bytes) -> None:
    good = history.store(visit(0), folder=tmp_path)
    (good.parent / "20200101-broken.json").write_bytes(content)
    past = history.load("SN 1/2", tmp_path)
    assert len(past.visits) == 1
    assert len(past.damaged) == 1
    assert "20200101-broken.json" in past.damaged[0]


def test_a_cut_file_is_damaged_at_every_length(tmp_path: Path) -> None:
    path = history.store(visit(0), folder=tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:length])
        past = history.load("SN 1/2", tmp_path)
        assert past.visits == ()
        assert len(past.damaged) == 1


def test_columns_of_another_length_are_refused(tmp_path: Path) -> None:
    path = history.store(visit(0), folder=tmp_path)
    stored = json.loads(path.read_text())
    stored["cells"]["leak_a"].append(1.0)
    path.write_text(json.dumps(stored))
    assert "leak_a has 6 values for 5 cells" in history.load("SN 1/2", tmp_path).damaged[0]


def test_forget_removes_one_pack_and_leaves_the_others(tmp_path: Path) -> None:
    history.store(visit(0), folder=tmp_path)
    history.store(visit(7), folder=tmp_path)
    history.store(visit(0, serial="other"), folder=tmp_path)
    assert history.forget("SN 1/2", tmp_path) == 2
    assert history.serials(tmp_path) == ("other",)
    assert history.forget("SN 1/2", tmp_path) == 0


def test_it_lives_in_the_user_s_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    path = history.store(visit(0))
    assert path.is_relative_to(tmp_path / "history")
    assert len(history.load("SN 1/2").visits) == 1


def test_evaluations_of_several_sources_become_one_a_day() -> None:
    late = Health(BEGIN + DAY // 2 + 5, BEGIN, 5)
    days = history.merged([visit(0), visit(7)], [late])
    assert [h.time for h in days] == [late.time, visit(7).time]


def test_a_recording_that_was_never_analysed_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "r.h5"
    with RecordingWriter(path, RecordingAttributes("import")) as writer:
        writer.frames(some_frames(100))
        writer.close()
    with pytest.raises(ValueError, match="analyse it first"):
        history.of_recording(path)


def _store_for_ever(folder: str) -> None:
    day = 0
    while True:
        history.store(visit(day % 3, cells=400, value=float(day)), folder=Path(folder))
        day += 1


@pytest.mark.skipif(sys.platform == "win32", reason="killing with SIGKILL is POSIX")
def test_killed_while_writing_never_leaves_half_a_file(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    for pause in (0.0, 0.01, 0.03, 0.05):
        writer = spawn.Process(target=_store_for_ever, args=(str(tmp_path),))
        writer.start()
        assert writer.pid is not None
        deadline = time.monotonic() + 60
        while not list(tmp_path.rglob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(pause)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        past = history.load("SN 1/2", tmp_path)
        assert past.damaged == ()
        assert past.visits
    assert history.forget("SN 1/2", tmp_path)
    assert not list(tmp_path.rglob("*"))
