"""A window that goes away loses nothing: the next one finds what runs, and what a crash left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bms_studio.acquisition import client
from bms_studio.interpret import Request
from bms_studio.leftovers import discard, leftovers
from bms_studio.session_source import (
    DemoChoice,
    LocalSessions,
    Simulator,
    connect,
    demo_profile,
    resume,
)
from recordings.reader import Recording


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("BMS_STUDIO_HOME", str(tmp_path))
    yield tmp_path
    for acquisition in client.find():  # a test that failed leaves nothing running
        acquisition.quit()
        acquisition.close()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    running = Simulator(DemoChoice(cells=8, rate_hz=20, story=False))
    yield running
    running.close()


def wait_until(what: object, timeout_s: float = 30.0) -> None:
    assert callable(what)
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_the_next_window_finds_the_acquisition_still_recording(
    home: Path, simulator: Simulator
) -> None:
    request = Request(profile=demo_profile(8))
    first = connect(simulator.settings, request, title="Demo", simulated=True)
    wait_until(lambda: first.timeline.rows("cells") > 20)
    assert resume() is None, "it is being watched"
    target = home / "kept.h5"
    first.start_recording(target)
    first.leave()  # as a window that was killed: nobody says goodbye
    second = resume()
    assert second is not None
    wait_until(lambda: second.status.pack.serial == "SIM-0233")
    wait_until(lambda: second.status.recording.state == "recording")
    assert second.status.pack.chemistry == "NMC"
    second.stop_recording()
    assert second.job is not None
    assert second.job.wait(60)
    assert second.job.error == ""
    second.disconnect()
    assert resume() is None
    frames = list(Recording(target).frames())
    gaps = [b.time[1:] - b.time[:-1] for b in frames]
    assert max(int(gap.max()) for gap in gaps) < 0.5e9, "not a frame is missing in between"


def test_a_recording_left_by_a_crash_is_offered_rescued_and_gone(
    home: Path, simulator: Simulator
) -> None:
    session = connect(simulator.settings, Request(), title="crash")
    wait_until(lambda: session.timeline.rows("cells") > 10)
    target = home / "crashed.h5"
    session.start_recording(target)
    wait_until(lambda: session.timeline.rows("cells") > 60)
    os.kill(session.acquisition.pid, signal.SIGKILL)
    wait_until(lambda: session.status.link.state == "lost")
    session.leave()
    left = leftovers()
    recording = next(one for one in left if one.recording)
    assert recording.target == str(target)
    job = LocalSessions().rescue(recording)
    assert job.wait(60)
    assert job.error == ""
    job.result.disconnect()
    assert Recording(target).rows("/cells") > 30
    black_boxes = leftovers()
    assert [one.recording for one in black_boxes] == [False], "the black box before Record"
    discard(black_boxes[0])
    assert leftovers() == []


def test_what_a_dead_replay_unpacked_is_removed_and_a_living_one_kept(home: Path) -> None:
    from bms_studio.scratch import UnpackFolder

    living = UnpackFolder()
    script = (
        "import os; from bms_studio.scratch import UnpackFolder; u = UnpackFolder();"
        "(u.path / 'x').write_bytes(bytes(9)); print(u.path, flush=True); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    dead = Path(done.stdout.strip())
    assert (dead / "x").exists()
    UnpackFolder().close()
    assert not dead.exists()
    assert living.path.exists()
    living.close()
    assert not living.path.exists()
