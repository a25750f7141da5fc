"""What happened around an alert is kept though nobody records, and never fills the disk."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from bms_studio import black_box
from bms_studio.acquisition.settings import AdapterSettings
from bms_studio.alert_marks import ALERT
from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.live_page import LivePage
from bms_studio.gui.settings import Settings
from bms_studio.gui.window import Window
from bms_studio.interpret import Request
from bms_studio.pack.profile import parse_profile
from bms_studio.session import Session
from bms_studio.session_source import LocalSessions, connect, recordings_folder, resume
from recordings.reader import Recording
from tests.gui_parts import settle, tick, wait_until

SECOND = 1_000_000_000
# Every cell of the simulated pack is above it: an alert that means stop, from the first second.
LOW_LIMIT = '[pack]\nname = "bench"\nserial = "BB-1"\n[limits]\ncell_voltage_max = 3.0\n'

live_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pytest.fixture
def channel() -> Iterator[str]:
    """A real pack behind its emulated adapter: nothing says that it is simulated."""
    arguments = ["--pty", "--rate", "10", "--cells", "8", "--serial", "BB-1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bms_studio.simulator", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["channel"]
    process.communicate(timeout=20)


def on_bench(channel: str) -> Session:
    request = Request(profile=parse_profile(LOW_LIMIT, "bench"))
    return connect(AdapterSettings("slcan", channel, 500_000), request, owned=True)


def kept() -> list[Path]:
    return sorted((recordings_folder() / "alerts").glob("alert *.h5"))


@live_only
def test_an_alert_is_kept_and_said_on_screen_though_nobody_records(
    qtbot: QtBot, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(black_box, "AROUND_NS", 3 * SECOND)
    use_theme(make_application(), "dark")
    window = Window(LocalSessions(), Settings())
    session = on_bench(channel)
    try:
        window.resize(1600, 1000)
        window.show()
        window.show_view(session)
        window.show_page("live")
        live = window.pages["live"]
        assert isinstance(live, LivePage)

        words: list[str] = []

        def said() -> str:
            tick(window, 1)
            words.append(live.right.alerts.kept.text())
            assert not session.status.recording.running
            return words[-1]

        wait_until(lambda: said().startswith("Kept: alert BB-1"), qtbot, 60_000)
        assert any(w.startswith("Nobody records") for w in words)
        (path,) = kept()
        recording = Recording(path)
        (mark,) = [e for e in recording.events() if e.kind == ALERT][:1]
        cells = recording.read("/cells")
        assert np.nanmin(cells["voltage"]) > 3.0
        assert int(cells["time"][-1]) >= mark.time + 2 * SECOND
        assert "limit" in mark.text
        # Somebody who says no is heard.
        window.deeds.do("keep_alerts")
        assert not session._black_box.on
        assert "no longer kept" in window.notice_strip.line.text()
        window.deeds.do("keep_alerts")
        assert session._black_box.on
    finally:
        window.context.view = None
        window.end()
        window.deleteLater()
        session.disconnect()
        settle()


@live_only
def test_a_person_who_records_comes_first_and_both_are_complete(
    qtbot: QtBot, channel: str, tmp_path: Path
) -> None:
    session = on_bench(channel)
    session.keep_alerts(True)
    try:
        wait_until(lambda: session.status.black_box.state == "recording", qtbot, 60_000)
        own = tmp_path / "own.h5"
        session.start_recording(own)
        assert session.status.recording.running
        wait_until(lambda: session.status.black_box.state == "saved", qtbot, 60_000)
        assert session.status.recording.running
        session.stop_recording()
        wait_until(lambda: session.status.recording.state == "saved", qtbot, 60_000)
        for path in (own, Path(session.status.black_box.path)):
            assert len(Recording(path).read("/cells", ["voltage"])["time"]) > 5
    finally:
        session.disconnect()


def test_the_oldest_kept_alerts_make_room_and_nothing_else_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(black_box, "_MOST_FILES", 3)
    mine = tmp_path / "my ride.h5"
    mine.write_bytes(b"mine")
    for number in range(5):
        path = tmp_path / f"alert {number}.h5"
        path.write_bytes(b"x")
        os.utime(path, (1000 + number, 1000 + number))
    black_box.make_room(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["alert 3.h5", "alert 4.h5", "my ride.h5"]


def test_a_full_disk_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(black_box, "_LEAST_FREE", 10**18)
    with pytest.raises(OSError, match="alerts are not kept; make room"):
        black_box.make_room(tmp_path)


@live_only
def test_what_a_window_that_is_gone_was_keeping_is_ended_by_the_next(
    qtbot: QtBot, channel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(profile=parse_profile(LOW_LIMIT, "bench"))
    first = connect(AdapterSettings("slcan", channel, 500_000), request)
    first.keep_alerts(True)
    wait_until(lambda: first.status.black_box.state == "recording", qtbot, 60_000)
    first.leave()
    monkeypatch.setattr(black_box, "AROUND_NS", SECOND)
    second = resume()
    assert second is not None
    try:
        wait_until(lambda: second.status.black_box.state == "saved", qtbot, 60_000)
        assert second.status.recording.state == "off"
        assert Path(second.status.black_box.path).exists()
    finally:
        second.disconnect()
