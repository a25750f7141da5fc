"""The acquisition loop in this process, where a test can turn its clocks and pull its adapter."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bms_studio.acquisition.clock import Clock
from bms_studio.acquisition.loop import Loop
from bms_studio.acquisition.ring import RingReader, RingWriter
from bms_studio.acquisition.settings import AdapterSettings
from protocols.slcan import encode
from recordings.journal import JournalWriter
from tests.acquisition.frames import events, numbered, numbers, stored
from tests.acquisition.stick import SocketStick, Stick

HOUR = 3600 * 1_000_000_000


@contextmanager
def running(folder: Path, channel: str, clock: Clock) -> Iterator[Loop]:
    journal = JournalWriter(folder / "j", {})
    ring = RingWriter(folder / "ring")
    loop = Loop(AdapterSettings("slcan", channel), journal, ring, clock)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        until(lambda: loop.status.state == "connected")
        yield loop
    finally:
        loop.stop()
        thread.join()
        journal.close()
        ring.close()


def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_turned_computer_clock_is_an_event_and_moves_no_frame(
    tmp_path: Path, stick: Stick
) -> None:
    turned = [0]
    clock = Clock(wall_ns=lambda: time.time_ns() + turned[0])
    with running(tmp_path, str(stick.link), clock) as loop:
        for turn, step in enumerate((0, HOUR, -2 * HOUR)):
            turned[0] += step
            for _ in range(12):
                stick.send(encode(numbered(10, loop.status.received)))
                time.sleep(0.1)
            until(lambda turn=turn: loop.status.received == 120 * (turn + 1))
    frames = stored(tmp_path / "j")
    assert len(frames) == 360
    assert (np.diff(frames.time) >= 0).all()
    assert int(np.diff(frames.time).max()) < 1_000_000_000
    steps = [e.parameters["delta_ns"] for e in events(tmp_path / "j") if e.kind == "clock-step"]
    assert [round(s / HOUR) for s in steps] == [1, -2]


def test_after_a_gap_time_follows_a_clock_that_went_forward(tmp_path: Path, stick: Stick) -> None:
    turned = [0]
    clock = Clock(wall_ns=lambda: time.time_ns() + turned[0])
    with running(tmp_path, str(stick.link), clock) as loop:
        stick.send(encode(numbered(10)))
        until(lambda: loop.status.received == 10)
        stick.unplug()
        until(lambda: loop.status.state in ("lost", "reconnecting"))
        turned[0] = HOUR
        stick.plug()
        until(lambda: loop.status.state == "connected")
        stick.send(encode(numbered(10, 10)))
        until(lambda: loop.status.received == 20)
    frames = stored(tmp_path / "j")
    assert HOUR <= int(frames.time[10] - frames.time[9]) < HOUR + 10**10
    assert [e.kind for e in events(tmp_path / "j")].count("clock-anchor") == 1
    assert (np.diff([e.time for e in events(tmp_path / "j")]) >= 0).all()


def test_a_socket_that_hangs_up_is_reconnected_and_threads_stay_constant(tmp_path: Path) -> None:
    stick = SocketStick()
    with running(tmp_path, stick.channel, Clock()) as loop:
        reader = RingReader(tmp_path / "ring")
        threads = None
        for turn in range(8):
            stick.open.wait(5)
            until(lambda: loop.status.state == "connected")
            stick.send(encode(numbered(10, 10 * turn)))
            until(lambda turn=turn: loop.status.received == 10 * (turn + 1))
            stick.open.clear()
            stick.hang_up()
            until(lambda turn=turn: loop.status.reconnects == turn + 1)
            threads = threads or threading.active_count()
            assert threading.active_count() == threads
        assert numbers(reader.read()) == list(range(80))
        reader.close()
    stick.close()
    assert numbers(stored(tmp_path / "j")) == list(range(80))
