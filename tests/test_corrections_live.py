"""Corrections on a live bus: shown at once, an event, nothing sent, and kept by the recording."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bms_studio.pack.profile import parse_profile
from bms_studio.session_source import DemoChoice, demo_session
from recordings.reader import Recording


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_what_is_corrected_while_recording_holds_for_the_whole_recording(tmp_path: Path) -> None:
    target = tmp_path / "kept.h5"
    session = demo_session(DemoChoice(cells=20, rate_hz=50, story=False))
    try:
        wait_until(lambda: session.timeline.rows("pack") > 100)
        session.start_recording(target)
        before = session.mapping()
        assert before.sign.wire == "+discharge"
        (name,) = [r.name for r in before.rows if r.role == "probe.2"]
        message, _, signal = name.partition(".")
        with pytest.raises(ValueError, match="is not a role"):
            session.use_as(message, signal, "probe two")
        session.turn_sign()
        session.use_as(message, signal, "none")
        wait_until(lambda: not session.mapping().busy)
        after = session.mapping()
        assert after.sign.wire == "+charge"
        assert {r.role for r in after.rows if r.name == name} == {"none"}
        words = [e.text for e in session.timeline.events if e.kind == "parameter"]
        assert words == ["current_sign = +charge", f"{name} = none"]
        assert parse_profile(session.profile_text()).current_sign == "+charge"
        session.stop_recording()
        wait_until(lambda: session.status.recording.state == "saved")
    finally:
        session.disconnect()
    recording = Recording(target)
    assert [e.text for e in recording.events() if e.kind == "parameter"] == words
    assert parse_profile(recording.attributes.profile).current_sign == "+charge"
    assert not (recording.frame_rows(0, recording.rows("/frames")).flags & 32).any()
    _, live = session.timeline.raw("pack", 0, 1 << 62)
    stored = recording.read("/pack", ["current"])["current"]
    known, shown = stored[~np.isnan(stored)], live[~np.isnan(live[:, 1]), 1]
    assert len(known) > 50
    assert abs(np.mean(known)) > 0.1
    assert np.sign(np.mean(known)) == np.sign(np.mean(shown))
    probes = recording.read("/temperatures", ["value"])["value"]
    assert np.isnan(probes[:, 1]).all()
