"""Adapters on real ports: opening, refusing, garbage, unplugging, and what they never send."""

import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bms_studio.acquisition.adapters import AdapterError, frame_bits, open_adapter, spread
from bms_studio.acquisition.ports import list_adapters
from bms_studio.acquisition.settings import AdapterSettings, settings_from
from bms_studio.acquisition.slcan import SlcanAdapter
from protocols.frames import EXTENDED, FD, REMOTE, Frames, concatenate, empty_frames
from protocols.slcan import encode
from tests.acquisition.stick import (
    SocketStick,
    Stick,
    answer_nothing,
    answer_well,
    descriptors,
    refuse_all,
    refuse_listening,
)


def read(adapter: SlcanAdapter, count: int) -> Frames:
    parts: list[Frames] = []
    end = time.monotonic() + 3
    while sum(map(len, parts)) < count and time.monotonic() < end:
        parts.append(adapter.read(0.1))
    return concatenate(parts)


def ids(*numbers: int) -> Frames:
    frames = empty_frames(len(numbers))
    frames.id[:] = numbers
    return frames


def test_an_adapter_says_who_it_is(stick: Stick) -> None:
    adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link)))
    has = adapter.capabilities
    assert (has.name, has.serial, has.listens, has.transmits) == (
        "SLCAN V1013",
        "A123",
        True,
        False,
    )
    adapter.close()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (answer_nothing, "nothing there answers"),
        (refuse_all, "refuses 500000 bit/s"),
        (refuse_listening, "cannot listen only"),
        (lambda c: b"\a" if c == b"O" else answer_well(c), "refuses to open the bus"),
        (lambda c: b"$GPGGA,1,2,3\r\n", "nothing there answers"),
        (lambda c: c + b"\r\nERROR\r\n", "nothing there answers"),
    ],
)
def test_what_is_no_adapter_or_refuses_is_named_within_2_seconds_and_let_go(
    tmp_path: Path, answer: Callable[[bytes], bytes], sentence: str
) -> None:
    stick = Stick(tmp_path / "can0", answer)
    mode = "acknowledge" if "open the bus" in sentence else "listen"
    before = descriptors(os.getpid())
    begin = time.monotonic()
    with pytest.raises(AdapterError, match=sentence):
        open_adapter(AdapterSettings("slcan", str(stick.link), mode=mode))
    assert time.monotonic() - begin < 2
    assert descriptors(os.getpid()) == before
    stick.unplug()


def test_an_adapter_that_only_tells_its_version_is_one(tmp_path: Path) -> None:
    stick = Stick(tmp_path / "can0", lambda c: b"V 0.2.1\r" if c == b"V" else b"")
    adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link)))
    assert adapter.capabilities.name == "SLCAN V 0.2.1"
    assert "did not confirm" in adapter.capabilities.note
    stick.send(b"t1230\r")
    assert read(adapter, 1).id.tolist() == [0x123]
    adapter.close()
    stick.unplug()


def test_a_stick_left_open_by_another_program_is_taken_over(stick: Stick) -> None:
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            if b"C" not in stick.commands:
                stick.send(b"t7FF0\r" * 20)
            time.sleep(0.002)

    thread = threading.Thread(target=flood)
    thread.start()
    adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link)))
    stop.set()
    thread.join()
    stick.send(b"t1230\r")
    assert read(adapter, 1).id[-1] == 0x123
    adapter.close()


@pytest.mark.parametrize(
    ("channel", "sentence"),
    [
        ("/dev/tty-nothing-here", "Is the adapter plugged in"),
        ("socket://127.0.0.1:9", "does not answer"),
        ("/dev/ttyUSB0@fast", "a number behind @"),
    ],
)
def test_a_port_that_is_not_there_gives_one_sentence(channel: str, sentence: str) -> None:
    with pytest.raises(AdapterError, match=sentence):
        open_adapter(AdapterSettings("slcan", channel))


def test_bitrates_and_modes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(AdapterError, match="It knows 10000"):
        open_adapter(AdapterSettings("slcan", "COM1", bitrate=123_456))
    with pytest.raises(ValueError, match="no bus mode"):
        AdapterSettings("slcan", "COM1", mode="shout")
    chosen = AdapterSettings("slcan", "COM1", 250_000, mode="active")
    assert settings_from(chosen.as_dict()) == chosen


def test_a_port_in_use_is_said_to_be_in_use(stick: Stick) -> None:
    adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link)))
    with pytest.raises(AdapterError, match="in use by another program"):
        open_adapter(AdapterSettings("slcan", str(stick.link)))
    adapter.close()


def test_listening_and_acknowledging_transmit_nothing(stick: Stick) -> None:
    for mode, opening in (("listen", b"L"), ("acknowledge", b"O")):
        stick.received = b""
        adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link), mode=mode))
        with pytest.raises(AdapterError, match="transmits nothing"):
            adapter.write(ids(0x123))
        stick.send(encode(ids(1, 2, 3)))
        assert len(read(adapter, 3)) == 3
        adapter.close()
        time.sleep(0.05)
        assert stick.received == b"\r\rC\rS6\rV\rN\r" + opening + b"\rC\r"


def test_active_mode_transmits_what_it_is_given(stick: Stick) -> None:
    adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link), mode="active"))
    frames = ids(0x123, 0x1ABCDEF)
    frames.flags[1] = EXTENDED
    frames.length[1], frames.data[1, :2] = 2, (0xBE, 0xEF)
    adapter.write(frames)
    adapter.close()
    time.sleep(0.05)
    assert b"O\rt1230\rT01ABCDEF2BEEF\rC\r" in stick.received


@pytest.mark.parametrize(
    "garbage", [b"\xff", b"\xff" * 5000 + b"\r", b"t12\r", b"t123F\r", b"\x00\r", b"no can\r\n"]
)
def test_the_frame_after_garbage_is_read(stick: Stick, garbage: bytes) -> None:
    adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link)))
    stick.send(garbage + (b"" if garbage.endswith((b"\r", b"\n")) else b"\r") + b"t1230\r")
    got = read(adapter, 1)
    assert got.id.tolist() == [0x123]
    counts = adapter.counts
    assert counts.offered == len(got) + counts.bad
    assert counts.bad == 1
    adapter.close()


def test_half_a_line_waits_for_its_other_half(stick: Stick) -> None:
    adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link)))
    stick.send(b"t12381122334")
    assert len(adapter.read(0.05)) == 0
    stick.send(b"455667788\r")
    assert read(adapter, 1).data[0].tolist() == [0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]
    adapter.close()


def test_fd_frames_are_read_and_written_in_fd_mode(stick: Stick) -> None:
    chosen = AdapterSettings("slcan", str(stick.link), fd=True, mode="active")
    adapter = SlcanAdapter(chosen)
    frames = empty_frames(1, 64)
    frames.flags[0], frames.length[0] = FD, 64
    frames.data[0] = np.arange(64)
    stick.send(encode(frames))
    assert read(adapter, 1).data[0].tolist() == list(range(64))
    adapter.close()
    assert b"Y2" in stick.commands


def test_fifty_unplugs_are_noticed_at_once_and_leak_nothing(tmp_path: Path) -> None:
    before = None
    for turn in range(52):
        stick = Stick(tmp_path / "can0")
        adapter = SlcanAdapter(AdapterSettings("slcan", str(stick.link)))
        stick.send(b"t1230\r")
        assert len(read(adapter, 1)) == 1
        stick.unplug()
        begin = time.monotonic()
        with pytest.raises(AdapterError, match="has gone"):
            adapter.read(2.0)
        assert time.monotonic() - begin < 0.5
        adapter.close()
        if turn == 1:
            gc.collect()
            before = (descriptors(os.getpid()), threading.active_count())
    gc.collect()
    assert (descriptors(os.getpid()), threading.active_count()) == before


def test_a_hung_up_socket_is_noticed_at_once() -> None:
    stick = SocketStick()
    adapter = SlcanAdapter(AdapterSettings("slcan", stick.channel))
    stick.send(b"t1230\r")
    assert len(read(adapter, 1)) == 1
    stick.hang_up()
    with pytest.raises(AdapterError, match=r"hung up|gone"):
        adapter.read(2.0)
    adapter.close()
    stick.close()


def test_frames_of_one_read_are_spread_as_the_wire_allows() -> None:
    frames = ids(1, 2, 3)
    frames.length[:] = 8
    assert frame_bits(frames).tolist() == [111, 111, 111]
    got = spread(frames, 0, 1_000_000_000, 500_000)
    assert got.tolist() == [1_000_000_000 - 444_000, 1_000_000_000 - 222_000, 1_000_000_000]
    assert spread(frames, 999_900_000, 1_000_000_000, 500_000)[0] == 999_900_000


def test_python_can_buses_are_read_with_every_kind_of_frame() -> None:
    settings = AdapterSettings("virtual", "test-bus", mode="active")
    one, other = open_adapter(settings), open_adapter(AdapterSettings("virtual", "test-bus"))
    sent = empty_frames(4)
    sent.id[:] = (0x7FF, 0x1FFFFFFF, 5, 6)
    sent.flags[:] = (0, EXTENDED, REMOTE, 0)
    sent.length[:] = (8, 3, 0, 1)
    sent.data[0], sent.data[1, :3], sent.data[3, 0] = range(8), (1, 2, 3), 9
    one.write(sent)
    got = other.read(1.0)
    for column in ("id", "flags", "length", "data"):
        assert (getattr(got, column) == getattr(sent, column)).all(), column
    assert (np.diff(got.time) >= 0).all()
    assert other.counts.offered == 4
    assert len(other.read(0.01)) == 0
    with pytest.raises(AdapterError, match="transmits nothing"):
        other.write(sent)
    one.close()
    other.close()


def test_a_python_can_bus_that_does_not_open_gives_one_sentence() -> None:
    with pytest.raises(AdapterError, match="cannot be opened"):
        open_adapter(AdapterSettings("kvaser", "0"))
    with pytest.raises(AdapterError, match="cannot be opened"):
        open_adapter(AdapterSettings("no-such-interface", "0"))


def test_listing_adapters_works_on_a_computer_without_any() -> None:
    for adapter in list_adapters():
        assert {"interface", "channel", "name", "serial", "likely"} <= adapter.keys()
