"""Asking through the whole chain: real programs, an emulated adapter, a BMS that waits."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bms_studio.acquisition import client
from bms_studio.acquisition.control import ControlError
from bms_studio.acquisition.settings import AdapterSettings
from bms_studio.connection import ConnectSettings
from bms_studio.session import Session
from bms_studio.session_source import LocalSessions
from bms_studio.simulator.emulated_adapter import EmulatedAdapter, TcpPort
from protocols.frames import (
    BIT_RATE_SWITCH,
    EXTENDED,
    FD,
    TRANSMITTED,
    concatenate,
    empty_frames,
)
from protocols.polled import Decoder
from protocols.registry import load
from protocols.slcan import encode
from recordings.reader import Recording
from tests.acquisition.frames import events, numbered, read_until, stored
from tests.acquisition.stick import SocketStick, answer_well


class Pack:
    """The simulator program behind a TCP port; `counts()` ends it and tells what reached it."""

    def __init__(self, protocol: str, cells: int) -> None:
        command = [sys.executable, "-m", "bms_studio.simulator", "--tcp", "0"]
        command += ["--protocol", protocol, "--cells", str(cells)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.channel = str(json.loads(self._process.stdout.readline())["channel"])

    def counts(self) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._process.poll() is None:
            self._process.stdin.close()
            self._last = json.loads(self._process.stdout.read())
            self._process.wait(5.0)
            self._process.stdout.close()
        return dict(self._last)


@contextmanager
def pack(protocol: str, cells: int) -> Iterator[Pack]:
    running = Pack(protocol, cells)
    try:
        yield running
    finally:
        running.counts()


def until(condition: object, timeout_s: float = 60.0) -> None:
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def session(channel: str, **settings: object) -> Session:
    wanted = ConnectSettings("slcan", channel, **{"bitrate": 250_000, **settings})  # type: ignore[arg-type]
    job = LocalSessions().connect(wanted, False)
    assert job.wait(30)
    assert not job.error, job.error
    assert isinstance(job.result, Session)
    return job.result


def test_a_silent_pack_is_offered_to_be_asked_and_nothing_is_sent_before_the_click(
    home: Path,
) -> None:
    with pack("daly", 14) as simulated:
        view = session(simulated.channel)
        until(lambda: view.status.bus is not None)
        word = view.status.bus
        assert word is not None
        assert word.code == "bus.silent"
        assert [(o.deed, o.protocol) for o in word.offers] == [
            ("acknowledge", ""),
            ("ask", "daly"),
            ("ask", "jbd"),
        ]
        offer = word.offers[1]
        assert offer.ids[0] == "18500140 - 18500840"
        assert len(offer.ids) == len(load("daly").polls)
        assert 5.0 < offer.per_second < 6.0
        assert view.acquisition.status().transmitted == 0
        assert view.status.link.mode == "listen"
        view.accept(offer)
        until(lambda: view.status.pack.cells == 14)
        until(lambda: view.status.bus is not None and view.status.bus.code == "bus.asking")
        assert view.status.link.mode == "active"
        assert view.status.protocol == "Daly BMS"
        asking = view.status.bus
        assert asking is not None
        view.accept(asking.offers[0])
        until(lambda: view.status.link.mode == "listen")
        sent = view.acquisition.status().transmitted
        time.sleep(1.0)
        assert view.acquisition.status().transmitted == sent
        view.disconnect()
        assert simulated.counts()["received"] == sent > 10


def test_a_pack_that_only_listens_to_us_in_silence_hears_nothing(home: Path) -> None:
    for mode in ("listen", "acknowledge"):
        with pack("jbd", 14) as simulated:
            settings = AdapterSettings("slcan", simulated.channel, mode=mode)
            acquisition = client.start(settings, owned=True)
            with pytest.raises(ControlError, match="asks nothing"):
                acquisition.ask(load("jbd").polls)
            with pytest.raises(ControlError, match="transmits nothing"):
                acquisition.send(numbered(2))
            time.sleep(1.0)
            acquisition.quit()
            acquisition.close()
            assert simulated.counts()["received"] == 0


@pytest.mark.parametrize(("name", "cells"), [("jbd", 14), ("leaf", 96)])
def test_record_asks_in_active_mode_and_the_recording_has_questions_and_cells(
    home: Path, tmp_path: Path, name: str, cells: int
) -> None:
    target = tmp_path / "asked.h5"
    with pack(name, cells) as simulated:
        command = [sys.executable, "-m", "bms_studio", "record", "-i", "slcan"]
        command += ["-c", simulated.channel, "-o", str(target), "--seconds", "6"]
        command += ["--active", "--protocol", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "sends the identifiers" in done.stderr
        assert f"{cells} cells" in done.stderr
        asked = simulated.counts()["received"]
    recording = Recording(target)
    frames = concatenate(list(recording.frames()))
    ours = frames[(frames.flags & TRANSMITTED) != 0]
    assert len(ours) == asked > 5
    assert set(ours.id.tolist()) <= {p.id for p in load(name).polls}
    assert recording.rows("/cells") >= 2
    protocol = load(name)
    learned = protocol.specialise(frames) if protocol.specialise else None
    database, mapping = learned or (protocol.database, protocol.mapping)
    _, index, value = Decoder([database], mapping).push(frames).group(0)
    assert sorted(set(index.tolist())) == list(range(cells))
    assert ((value > 3.0) & (value < 4.3)).all()


def test_record_says_what_would_help_on_a_silent_bus(home: Path, tmp_path: Path) -> None:
    with pack("daly", 14) as simulated:
        command = [sys.executable, "-m", "bms_studio", "record", "-i", "slcan"]
        command += ["-c", simulated.channel, "-o", str(tmp_path / "r.h5"), "--seconds", "3"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "Nothing was heard at 500 kbit/s" in done.stderr
        assert "--active --protocol daly" in done.stderr
        assert "--acknowledge" in done.stderr
        assert simulated.counts()["received"] == 0


def test_questions_of_another_tester_silence_ours_and_stand_in_the_journal(
    home: Path, tmp_path: Path
) -> None:
    stick = SocketStick(lambda c: b"z\r" if c[:1] in b"tT" else answer_well(c))
    settings = AdapterSettings("slcan", stick.channel, mode="active")
    acquisition = client.start(settings, tmp_path / "j", owned=True)
    try:
        acquisition.ask(load("daly").polls)
        until(lambda: sum(c[:1] == b"T" for c in stick.commands) >= 2)
        foreign = empty_frames(1)
        foreign.id[0], foreign.flags[0], foreign.length[0] = 0x18950140, EXTENDED, 8
        time.sleep(0.2)  # right after our own it could be an echo
        stick.send(encode(foreign))
        until(lambda: acquisition.status().asking == "yielding")
        assert acquisition.status().other_id == 0x18950140
        before = sum(c[:1] == b"T" for c in stick.commands)
        time.sleep(1.5)
        assert sum(c[:1] == b"T" for c in stick.commands) == before
    finally:
        acquisition.quit()
        acquisition.close()
        stick.close()
    kinds = [e.kind for e in events(tmp_path / "j")]
    assert kinds[:3] == ["connect", "asking", "other-tester"]
    frames = stored(tmp_path / "j")
    assert int((frames.flags & TRANSMITTED != 0).sum()) == before


def test_another_mode_is_another_opening_and_a_refused_one_leaves_the_old(
    home: Path, tmp_path: Path
) -> None:
    refused = threading.Event()
    stick = SocketStick(lambda c: b"\a" if c == b"L" and refused.is_set() else answer_well(c))
    settings = AdapterSettings("slcan", stick.channel, mode="acknowledge")
    acquisition = client.start(settings, tmp_path / "j", owned=True)
    try:
        acquisition.change_mode("listen", 250_000)
        assert (acquisition.status().mode, acquisition.status().bitrate) == ("listen", 250_000)
        assert stick.commands[-2:] == [b"N", b"L"] or stick.commands[-1] == b"L"
        assert b"S5" in stick.commands
        acquisition.change_mode("acknowledge")
        refused.set()
        with pytest.raises(ControlError, match="cannot listen only"):
            acquisition.change_mode("listen")
        until(lambda: acquisition.status().state == "connected")
        assert acquisition.status().mode == "acknowledge"
        stick.send(encode(numbered(3)))
        assert len(read_until(acquisition, 3)) == 3
        with pytest.raises(ControlError, match="no bus mode"):
            acquisition.change_mode("shout")
    finally:
        acquisition.quit()
        acquisition.close()
        stick.close()
    modes = [e.parameters["mode"] for e in events(tmp_path / "j") if e.kind == "mode"]
    assert modes == ["listen", "acknowledge"]


@contextmanager
def emulated() -> Iterator[EmulatedAdapter]:
    """An emulated adapter with a busy bus behind it, served by a thread."""
    adapter = EmulatedAdapter(TcpPort())
    stop = threading.Event()

    def serve() -> None:
        first = 0
        while not stop.is_set():
            adapter.service(0.01)
            adapter.send(numbered(2, first))
            first += 2

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield adapter
    finally:
        stop.set()
        thread.join()
        adapter.close()


def test_bus_off_is_noticed_told_and_recovered_from(home: Path, tmp_path: Path) -> None:
    with emulated() as adapter:
        settings = AdapterSettings("slcan", adapter.line.url, mode="acknowledge")
        acquisition = client.start(settings, tmp_path / "j", owned=True)
        until(lambda: acquisition.status().bus_state == "active")
        assert acquisition.status().bus_load > 0.0
        adapter.shorted = True
        until(lambda: acquisition.status().bus_state == "off")
        until(lambda: acquisition.status().bus_offs == 1)
        assert acquisition.status().errors > 0
        adapter.shorted = False
        until(lambda: acquisition.status().bus_state == "active")
        received = acquisition.status().received
        until(lambda: acquisition.status().received > received + 20)
        until(lambda: "bus-on" in [e.kind for e in events(tmp_path / "j")])
        acquisition.quit()
        acquisition.close()
    kinds = [e.kind for e in events(tmp_path / "j")]
    assert kinds.count("bus-off") == 1
    assert kinds.index("bus-off") < kinds.index("bus-on")


def test_errors_on_the_wire_are_counted_while_listening(home: Path) -> None:
    with emulated() as adapter:
        acquisition = client.start(AdapterSettings("slcan", adapter.line.url), owned=True)
        adapter.shorted = True
        until(lambda: acquisition.status().errors >= 2)
        assert acquisition.status().bus_state == "warning"
        assert acquisition.status().bus_offs == 0
        acquisition.quit()
        acquisition.close()
        assert adapter.counts.received == 0


def test_a_bitrate_is_searched_listening_only_until_frames_come(home: Path) -> None:
    with emulated() as adapter:
        adapter.shorted = True  # nothing gets through yet
        view = session(adapter.line.url, bitrate=0)
        try:
            rates: set[int] = set()
            until(lambda: rates.add(view.status.link.bitrate) or len(rates) >= 3)  # type: ignore[func-returns-value]
            until(lambda: view.status.bus is not None)
            assert view.status.bus is not None
            assert view.status.bus.code == "bus.errors"
            adapter.shorted = False
            until(lambda: view.status.link.frames_per_s > 50)
            rate = view.status.link.bitrate
            time.sleep(2.0)
            assert view.status.link.bitrate == rate == adapter.bitrate
            assert view.status.link.mode == "listen"
        finally:
            view.disconnect()
        assert adapter.counts.received == 0
        assert adapter.state == "closed"


def test_frames_asked_and_answered_keep_their_order_in_time(home: Path, tmp_path: Path) -> None:
    with pack("hyundai_kia", 98) as simulated:
        settings = AdapterSettings("slcan", simulated.channel, mode="active")
        acquisition = client.start(settings, tmp_path / "j", owned=True)
        acquisition.ask(load("hyundai_kia").polls)
        seen = concatenate([read_until(acquisition, 150, 15.0)])
        acquisition.quit()
        acquisition.close()
    assert (np.diff(seen.time) >= 0).all()
    first_frames = np.flatnonzero((seen.id == 0x7EC) & (seen.data[:, 0] >> 4 == 1))
    assert len(first_frames) >= 4
    for row in first_frames[:-1].tolist():
        # Our permission stands between the first frame and the rest of the answer.
        assert seen.id[row + 1] == 0x7E4
        assert seen.flags[row + 1] & TRANSMITTED
        assert seen.data[row + 1, 0] == 0x30
        assert seen.id[row + 2] == 0x7EC


def test_two_programs_talk_over_a_real_python_can_bus(home: Path, tmp_path: Path) -> None:
    """One simulates a pack that has to be asked, the other asks and records: UDP multicast."""
    pytest.importorskip("msgpack", reason="python-can's udp_multicast needs msgpack")
    target = tmp_path / "multicast.h5"
    program = [sys.executable, "-m", "bms_studio"]
    place = ["-i", "udp_multicast", "-c", "239.74.163.77"]
    pack = subprocess.Popen(
        [*program, "simulate", *place, "--protocol", "hyundai_kia", "--cells", "98"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert pack.stderr is not None
        assert "sending 98 cells" in pack.stderr.readline()
        record = [*program, "record", *place, "-o", str(target), "--seconds", "7"]
        record += ["--active", "--protocol", "hyundai_kia"]
        done = subprocess.run(record, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        assert "98 cells" in done.stderr
    finally:
        pack.terminate()
        pack.wait(10)
        assert pack.stderr is not None
        pack.stderr.close()
    recording = Recording(target)
    assert recording.rows("/cells") >= 1
    frames = concatenate(list(recording.frames()))
    assert {0x7E4, 0x7EC} == set(frames.id.tolist())
    assert (frames.flags[frames.id == 0x7E4] & TRANSMITTED).all()
    assert not (frames.flags[frames.id == 0x7EC] & TRANSMITTED).any()


def test_can_fd_frames_pass_between_python_can_programs(home: Path, tmp_path: Path) -> None:
    can = pytest.importorskip("can")
    pytest.importorskip("msgpack", reason="python-can's udp_multicast needs msgpack")
    settings = AdapterSettings("udp_multicast", "239.74.163.78", fd=True)
    acquisition = client.start(settings, tmp_path / "j", owned=True)
    try:
        with can.Bus(interface="udp_multicast", channel="239.74.163.78", fd=True) as other:
            for number in range(5):
                data = bytes([number] * 48)
                other.send(
                    can.Message(
                        arbitration_id=0x123,
                        is_extended_id=False,
                        is_fd=True,
                        bitrate_switch=True,
                        data=data,
                    )
                )
            seen = read_until(acquisition, 5)
    finally:
        acquisition.quit()
        acquisition.close()
    assert seen.data[:, 47].tolist() == list(range(5))
    assert seen.length.tolist() == [48] * 5
    assert (seen.flags == FD | BIT_RATE_SWITCH).all()
    assert (stored(tmp_path / "j").data == seen.data).all()
