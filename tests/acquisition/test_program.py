"""The acquisition program as a whole: killed, frozen, unplugged, overloaded, on a full disk."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bms_studio.acquisition import client
from bms_studio.acquisition.adapters import AdapterError
from bms_studio.acquisition.control import ControlError
from bms_studio.acquisition.settings import AdapterSettings
from protocols.frames import TRANSMITTED, concatenate
from protocols.slcan import encode
from recordings.journal import journal_header, read_journal, segments, writing_pid
from tests.acquisition.frames import events, numbered, numbers, read_until, stored, wait_for
from tests.acquisition.stick import Stick, answer_nothing, descriptors

if sys.platform == "win32":
    pytest.skip("needs pseudo-terminals and POSIX signals", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def feeding(stick: Stick, per_second: int = 2000) -> Iterator[None]:
    """Numbered frames all the time, as long as somebody has the bus open."""
    stop = threading.Event()

    def feed() -> None:
        first = 0
        while not stop.is_set():
            if stick.open.is_set():
                stick.send(encode(numbered(per_second // 100, first)))
                first += per_second // 100
            time.sleep(0.01)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextlib.contextmanager
def acquiring(
    stick: Stick, folder: Path | None = None, *, owned: bool = True, mode: str = "listen"
) -> Iterator[client.Acquisition]:
    settings = AdapterSettings("slcan", str(stick.link), mode=mode)
    acquisition = client.start(settings, folder, owned=owned)
    try:
        yield acquisition
    finally:
        acquisition.quit()
        acquisition.close()


def test_ten_kills_lose_at_most_half_a_second_and_no_frame_before(
    home: Path, tmp_path: Path, stick: Stick
) -> None:
    dice = random.Random(5)
    for turn in range(10):
        folder = tmp_path / f"rec{turn}.journal"
        settings = AdapterSettings("slcan", str(stick.link))
        stick.open.clear()
        with feeding(stick):
            acquisition = client.start(settings, folder, owned=True)
            time.sleep(0.3 + dice.random() * 0.4)
            os.kill(acquisition.pid, signal.SIGKILL)
        acquisition.wait(5)
        assert acquisition.status().state == "ended"
        seen = acquisition.read()
        blocks = [b.frames for b in read_journal(folder) if b.frames is not None]
        kept = concatenate(blocks)
        got = numbers(kept)
        assert got == list(range(len(got)))
        assert len(seen)
        assert int(seen.time[-1]) - int(kept.time[-1]) < 0.5e9
        assert writing_pid(folder) is None
        acquisition.close()


def test_an_owned_program_ends_within_a_second_of_its_owner(home: Path, stick: Stick) -> None:
    script = (
        "import sys, time\n"
        "from bms_studio.acquisition import client\n"
        "from bms_studio.acquisition.settings import AdapterSettings\n"
        "a = client.start(AdapterSettings('slcan', sys.argv[1]), None, owned=True)\n"
        "print(a.pid, flush=True); time.sleep(60)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(stick.link)], stdout=subprocess.PIPE, cwd=ROOT
    )
    assert owner.stdout is not None
    assert owner.stdout.readline()
    [acquisition] = client.find()
    owner.kill()
    begin = time.monotonic()
    assert acquisition.wait(2.0)
    assert time.monotonic() - begin < 1.0
    owner.wait()
    owner.stdout.close()
    acquisition.close()
    assert client.find() == []


def test_ctrl_c_does_not_end_it(home: Path, stick: Stick) -> None:
    with acquiring(stick) as acquisition:
        os.kill(acquisition.pid, signal.SIGINT)
        time.sleep(0.2)
        assert acquisition.running
        stick.send(b"t1230\r")
        assert len(read_until(acquisition, 1)) == 1


WINDOW = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from bms_studio.acquisition import client\n"
    "from bms_studio.acquisition.settings import AdapterSettings\n"
    "a = client.start(AdapterSettings('slcan', sys.argv[1]), None, owned=False)\n"
    "a.start_recording(Path(sys.argv[2]), {'title': 'ride'})\n"
    "print('recording', flush=True)\n"
    "while True:\n"
    "    a.read(); time.sleep(0.02)\n"
)


@pytest.mark.parametrize("fate", [signal.SIGSTOP, signal.SIGKILL])
def test_a_window_killed_or_frozen_loses_no_frame_and_the_next_finds_the_acquisition(
    home: Path, tmp_path: Path, stick: Stick, fate: signal.Signals
) -> None:
    folder = tmp_path / "ride.journal"
    window = subprocess.Popen(
        [sys.executable, "-c", WINDOW, str(stick.link), str(folder)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert window.stdout is not None
    assert window.stdout.readline() == b"recording\n"
    for first in range(0, 3000, 30):
        if first == 900:
            window.send_signal(fate)
        stick.send(encode(numbered(30, first)))
        time.sleep(0.005)
    [acquisition] = client.find()
    assert acquisition.header["adapter"]["channel"] == str(stick.link)
    assert acquisition.status().recording_folder == str(folder)
    assert numbers(read_until(acquisition, 3000)) == list(range(3000))
    assert acquisition.stop_recording() == folder
    assert numbers(stored(folder)) == list(range(3000))
    assert journal_header(folder)["title"] == "ride"
    assert journal_header(folder)["adapter"]["channel"] == str(stick.link)
    acquisition.quit()
    acquisition.close()
    window.kill()
    window.wait()
    window.stdout.close()
    assert not list((home / "journals").iterdir())  # the black box of a clean end goes


def test_recording_saves_what_happened_before_and_ends_exactly(
    home: Path, tmp_path: Path, stick: Stick
) -> None:
    with acquiring(stick, owned=False) as acquisition:
        stick.send(encode(numbered(100)))
        read_until(acquisition, 100)
        begun = acquisition.start_recording()
        assert Path(begun["folder"]).parent == home / "recordings"
        with pytest.raises(ControlError, match="running already"):
            acquisition.start_recording()
        stick.send(encode(numbered(100, 100)))
        read_until(acquisition, 100)
        mark = acquisition.mark("hier 电池")
        folder = acquisition.stop_recording()
        with pytest.raises(ControlError, match="no recording"):
            acquisition.stop_recording()
        stick.send(encode(numbered(100, 200)))
        read_until(acquisition, 100)
        assert acquisition.status().recording == ""
        assert numbers(stored(folder)) == list(range(200))
        noted = {e.kind: e for e in events(folder)}
        assert list(noted) == ["connect", "record", "mark", "stop"]
        assert (noted["mark"].time, noted["mark"].text) == (mark, "hier 电池")
        header = journal_header(folder)
        assert header["uuid"] == begun["id"]
        assert header["recording_start_ns"] == begun["start_ns"]
        assert client.left_behind() == [folder]


def test_unplugging_shows_as_lost_and_the_recording_goes_on_after_plugging_in(
    home: Path, tmp_path: Path, stick: Stick
) -> None:
    folder = tmp_path / "rec.journal"
    with acquiring(stick, folder) as acquisition:
        for turn in range(3):
            stick.send(encode(numbered(50, 50 * turn)))
            read_until(acquisition, 50)
            begin = time.monotonic()
            stick.unplug()
            wait_for(acquisition, ("lost", "reconnecting"))
            assert time.monotonic() - begin < 0.5
            time.sleep(0.3)
            stick.plug()
            wait_for(acquisition, ("connected",))
            stick.open.wait(2)
        stick.send(encode(numbered(50, 150)))
        read_until(acquisition, 50)
        time.sleep(0.3)  # the status page is up to 0.2 s behind the ring
        status = acquisition.status()
        assert (status.reconnects, status.received) == (3, 200)
        fds = descriptors(acquisition.pid)
        stick.unplug()
        wait_for(acquisition, ("lost", "reconnecting"))
        stick.plug()
        wait_for(acquisition, ("connected",))
        assert descriptors(acquisition.pid) == fds
    assert numbers(stored(folder)) == list(range(200))
    kinds = [e.kind for e in events(folder)]
    assert kinds == ["connect", *["lost", "connect", "gap"] * 4, "disconnect"]


def test_unreadable_lines_are_counted_in_status_and_journal(
    home: Path, tmp_path: Path, stick: Stick
) -> None:
    folder = tmp_path / "rec.journal"
    with acquiring(stick, folder) as acquisition:
        stick.send(b"t12\r" * 7 + b"t1230\r")
        read_until(acquisition, 1)
        time.sleep(1.3)
        stick.send(b"t1Z\r" * 5 + b"t1230\r")
        read_until(acquisition, 1)
        time.sleep(0.3)
        status = acquisition.status()
        assert (status.offered, status.received, status.dropped["parser"]) == (14, 2, 12)
    drops = [e.parameters for e in events(folder) if e.kind == "drop"]
    assert drops == [{"stage": "parser", "frames": 7}, {"stage": "parser", "frames": 5}]


def test_silence_shows_as_stale_until_a_frame_comes(home: Path, stick: Stick) -> None:
    with acquiring(stick) as acquisition:
        stick.send(b"t1230\r")
        read_until(acquisition, 1)
        begin = time.monotonic()
        wait_for(acquisition, ("stale",))
        assert 1.5 < time.monotonic() - begin < 4
        stick.send(b"t1230\r")
        wait_for(acquisition, ("connected",), 1.0)


def test_a_program_that_was_stopped_says_so(home: Path, tmp_path: Path, stick: Stick) -> None:
    folder = tmp_path / "rec.journal"
    with acquiring(stick, folder) as acquisition:
        os.kill(acquisition.pid, signal.SIGSTOP)
        time.sleep(2.3)
        os.kill(acquisition.pid, signal.SIGCONT)
        stick.send(b"t1230\r")
        read_until(acquisition, 1)
    gaps = [e for e in events(folder) if e.kind == "gap"]
    assert len(gaps) == 1
    assert 2.0 < gaps[0].parameters["seconds"] < 4.0


def test_no_adapter_is_one_clear_sentence_within_2_seconds_of_trying(
    home: Path, tmp_path: Path
) -> None:
    stick = Stick(tmp_path / "can0", answer_nothing)
    begin = time.monotonic()
    with pytest.raises(AdapterError, match="nothing there answers"):
        client.start(AdapterSettings("slcan", str(stick.link)), tmp_path / "j", owned=True)
    assert time.monotonic() - begin < 4  # the start of Python included
    stick.unplug()
    with pytest.raises(AdapterError, match="Is the adapter plugged in"):
        client.start(AdapterSettings("slcan", str(stick.link)), None, owned=False)
    assert client.find() == []
    assert client.left_behind() == []
    assert not (tmp_path / "j").exists()


def test_a_journal_that_exists_is_not_written_into(
    home: Path, tmp_path: Path, stick: Stick
) -> None:
    folder = tmp_path / "rec.journal"
    with acquiring(stick, folder):
        pass
    before = [p.read_bytes() for p in segments(folder)]
    with pytest.raises(AdapterError, match="holds a journal already"):
        client.start(AdapterSettings("slcan", str(stick.link)), folder, owned=True)
    assert [p.read_bytes() for p in segments(folder)] == before


def test_only_active_mode_sends_and_what_was_sent_is_in_the_journal(
    home: Path, tmp_path: Path, stick: Stick
) -> None:
    frames = numbered(3)
    with (
        acquiring(stick, tmp_path / "j1") as acquisition,
        pytest.raises(ControlError, match="transmits nothing"),
    ):
        acquisition.send(frames)
    assert b"t1" not in stick.received
    with acquiring(stick, tmp_path / "j2", mode="active") as acquisition:
        assert acquisition.send(frames) == 3
        seen = read_until(acquisition, 3)
        assert (seen.flags == TRANSMITTED).all()
    assert encode(frames) in stick.received
    assert numbers(stored(tmp_path / "j2")) == [0, 1, 2]


def test_the_control_socket_answers_only_who_has_the_token(home: Path, stick: Stick) -> None:
    with acquiring(stick, owned=False) as acquisition:
        [control] = (home / "running").glob("*.json")
        about = json.loads(control.read_text())
        assert control.stat().st_mode & 0o077 == 0
        for hello in (b'{"token": "wrong"}\n', b"\xff\xfe\n", b"[]\n", b"\n"):
            with socket.create_connection(("127.0.0.1", about["port"]), timeout=5) as stranger:
                stranger.sendall(hello + b'{"verb": "quit"}\n')
                with contextlib.suppress(ConnectionResetError):
                    assert stranger.recv(100) == b""
        with pytest.raises(ControlError, match="is no request"):
            acquisition.request("dance")
        with pytest.raises(ControlError):
            acquisition.request("mark")
        with pytest.raises(ControlError):
            acquisition.request("send", frames="not base64!")
        assert acquisition.request("status")["status"]["state"] in ("connected", "stale")
        assert acquisition.running


def test_twice_a_full_bus_loses_nothing_uncounted(home: Path, tmp_path: Path) -> None:
    if not hasattr(os, "openpty"):
        pytest.skip("this system has no pseudo-terminals")
    script = str(ROOT / "benchmarks" / "_feeder.py")
    feeder = subprocess.Popen(
        [sys.executable, script, "--rate", "18018", "--seconds", "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert feeder.stdout is not None
    assert feeder.stdin is not None
    port = feeder.stdout.readline().strip()
    settings = AdapterSettings("slcan", port, bitrate=1_000_000)
    acquisition = client.start(settings, tmp_path / "j", owned=True)
    account = json.loads(feeder.stdout.readline())
    time.sleep(0.5)
    seen = acquisition.read()
    status = acquisition.status()
    acquisition.quit()
    acquisition.close()
    feeder.stdin.close()
    feeder.wait(5)
    feeder.stdout.close()
    assert account["offered"] > 50_000
    assert status.offered == status.received + status.dropped["parser"]
    assert account["offered"] == account["refused"] + status.received
    kept = stored(tmp_path / "j")
    assert len(kept) == status.received
    assert len(seen) + acquisition.missed == status.received
    got = np.array(numbers(kept))
    assert (np.diff(got) > 0).all()


def test_acquisition_imports_nothing_heavy() -> None:
    script = (
        "import sys, bms_studio.acquisition.__main__, bms_studio.acquisition.client\n"
        "print([m for m in ('PySide6', 'h5py', 'pandas', 'numba', 'cantools', 'can')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_full_disk_stops_only_the_recording(home: Path, tmp_path: Path, stick: Stick) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)]
    try:
        allowed = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("this machine does not let a test mount a small tmpfs")
    try:
        with acquiring(stick, small / "rec.journal") as acquisition:
            for first in range(0, 20_000, 100):
                stick.send(encode(numbered(100, first)))
            seen = read_until(acquisition, 20_000)
            assert numbers(seen) == list(range(20_000))
            time.sleep(0.3)
            full = acquisition.status()
            assert full.state == "connected"
            assert not full.journaling
            assert "No space left" in full.journal_error
            assert full.dropped["disk"] > 5_000
            subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
            time.sleep(0.7)
            stick.send(encode(numbered(100, 20_000)))
            read_until(acquisition, 100)
            time.sleep(0.3)
            after = acquisition.status()
            assert after.journaling
            assert after.received == after.journaled + after.dropped["disk"] + after.waiting
        got = numbers(stored(small / "rec.journal"))
        assert got[-100:] == list(range(20_000, 20_100))
        assert len(got) == after.journaled
        [gap] = [e for e in events(small / "rec.journal") if e.kind == "gap"]
        assert gap.parameters["frames"] == 20_100 - len(got)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_python_can_interface_is_acquired_from_as_well(home: Path, tmp_path: Path) -> None:
    settings = AdapterSettings("virtual", "nobody-there")
    acquisition = client.start(settings, tmp_path / "j", owned=True)
    assert acquisition.status().adapter == "virtual nobody-there"
    wait_for(acquisition, ("stale",))
    acquisition.mark("quiet")
    acquisition.quit()
    acquisition.close()
    assert [e.kind for e in events(tmp_path / "j")] == ["connect", "mark", "disconnect"]
