"""pty -> acquisition program -> journal and ring -> client: the line everything else stands on."""

import time
from pathlib import Path

import numpy as np
import pytest

from bms_studio.acquisition import client
from bms_studio.acquisition.adapters import AdapterError
from bms_studio.acquisition.settings import AdapterSettings
from protocols.frames import concatenate
from protocols.slcan import encode
from recordings.journal import Damage, journal_header, read_journal, writing_pid
from tests.acquisition.frames import numbered, numbers, read_until
from tests.acquisition.stick import SocketStick, Stick


def test_frames_from_a_pty_reach_the_reader_and_the_journal(home: Path, tmp_path: Path) -> None:
    stick = Stick(tmp_path / "can0")
    folder = tmp_path / "rec.h5.journal"
    settings = AdapterSettings("slcan", str(stick.link))
    acquisition = client.start(settings, folder, owned=True, header={"title": "bench"})
    try:
        assert acquisition.status().state == "connected"
        assert writing_pid(folder) == acquisition.pid
        for first in range(0, 2000, 50):
            stick.send(encode(numbered(50, first)))
        seen = read_until(acquisition, 2000)
        assert numbers(seen) == list(range(2000))
        assert (np.diff(seen.time) >= 0).all()
        assert abs(int(seen.time[-1]) - time.time_ns()) < 5e9
        acquisition.mark("here")
        with pytest.raises(AdapterError, match="in use"):
            client.start(settings, tmp_path / "other", owned=True)
    finally:
        acquisition.quit()
        acquisition.close()
        stick.unplug()
    damage = Damage()
    blocks = list(read_journal(folder, damage))
    stored = concatenate([b.frames for b in blocks if b.frames is not None])
    assert numbers(stored) == list(range(2000))
    assert (stored.time == seen.time).all()
    assert [b.event.kind for b in blocks if b.event] == ["connect", "mark", "disconnect"]
    assert damage == Damage()
    assert journal_header(folder)["title"] == "bench"
    assert writing_pid(folder) is None
    assert stick.commands == [b"C", b"S6", b"V", b"N", b"L", b"C"]


def test_frames_from_a_socket_reach_the_reader(home: Path, tmp_path: Path) -> None:
    stick = SocketStick()
    settings = AdapterSettings("slcan", stick.channel, bitrate=1_000_000)
    acquisition = client.start(settings, tmp_path / "journal", owned=True)
    try:
        stick.send(encode(numbered(300)))
        assert numbers(read_until(acquisition, 300)) == list(range(300))
    finally:
        acquisition.quit()
        acquisition.close()
        stick.close()
    assert stick.commands == [b"C", b"S8", b"V", b"N", b"L", b"C"]
