"""Alerts are pending first, told no more often than needed, marked with half a minute around."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bms_studio.alert_marks import ALERT, SEEN, alert_event, interval, marks_of, seen_now
from bms_studio.build import Item, build
from bms_studio.diagnosis.alerts import AROUND_NS, begun
from bms_studio.diagnosis.words import action_of, found
from bms_studio.gui.alert_words import counts, look_at, note, shades, shown_severity
from bms_studio.interpret import Request
from bms_studio.monitor import Monitor
from bms_studio.pack.profile import Limits
from bms_studio.session_source import demo_profile
from bms_studio.simulator.pack import PackSpec
from bms_studio.simulator.simulation import Simulation
from bms_studio.timeline import Event
from recordings.layout import RecordingAttributes
from recordings.reader import Recording
from tests.gui_parts import replay_of

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def scans(count: int, period_ns: int = SECOND // 10) -> tuple[np.ndarray, np.ndarray]:
    time = START + np.arange(count, dtype=np.int64) * period_ns
    return time, np.full((count, 4), 3.7, np.float32)


def test_a_limit_passed_is_pending_until_it_lasts() -> None:
    monitor = Monitor(Limits(cell_voltage_max=4.2))
    time, rows = scans(20)
    rows[10:, 1] = 4.25
    monitor.push("cell", time[:12], rows[:12])
    first = monitor.judgement()
    assert [(f.cell, f.state) for f in first.findings] == [(2, "pending")]
    assert first.verdict.code == "NOT_ENOUGH_DATA"
    assert monitor.log == []
    monitor.push("cell", time[12:], rows[12:])
    later = monitor.judgement()
    assert [(f.cell, f.state) for f in later.findings] == [(2, "active")]
    assert later.verdict.code == "STOP"
    assert later.findings[0].text.startswith("Cell 2 at 4.250 V is above its limit of 4.2")


def test_a_limit_passed_for_a_moment_is_never_told() -> None:
    monitor = Monitor(Limits(cell_voltage_max=4.2))
    time, rows = scans(20)
    rows[10:12, 1] = 4.25
    monitor.push("cell", time, rows)
    assert monitor.judgement().findings == ()
    assert monitor.log == []


def test_a_link_that_stumbles_all_day_is_one_alert_told_seldom() -> None:
    monitor = Monitor(Limits())
    steps = np.full(4000, SECOND // 10, np.int64)
    steps[20::4] = 5 * SECOND
    time = START + np.cumsum(steps)
    for first in range(0, len(time), 50):
        part = time[first : first + 50]
        monitor.push("cell", part, np.full((len(part), 4), 3.7, np.float32))
    monitor.flush()
    told = [f for f in monitor.log if f.code == "dips.link"]
    newest = next(f for f in monitor.judgement().findings if f.code == "dips.link")
    assert newest.count > 900
    assert len(told) < 100
    assert told[-1].count == newest.count


def test_an_alert_begins_once_until_it_is_resolved() -> None:
    one = found("resistance.high", START, (START, START), 3, "watch", 5.0, {"percent": 30.0})
    over = found("resistance.high", START + 9, (START, START), 3, "watch", 5.0, {"percent": 30.0})
    is_open: set[str] = set()
    assert begun([one, one], is_open) == [one]
    assert begun([one], is_open) == []
    ended = type(over)(**{**{s: getattr(over, s) for s in over.__slots__}, "state": "resolved"})
    assert begun([ended, one], is_open) == [one]


def test_a_mark_is_kept_in_the_recording_at_the_moment_of_the_alert(tmp_path: Path) -> None:
    profile = demo_profile(4)
    simulation = Simulation(PackSpec(cells=4), "scooter", 10)
    blocks = list(islice(simulation, 30))
    moment = int(blocks[10].time[0])
    alert = found("resistance.high", moment, (moment, moment), 2, "watch", 5.0, {"percent": 30.0})
    told_later = alert_event(alert)
    late = Event(moment + 2 * SECOND, ALERT, told_later.text, told_later.parameters)
    items = [Item(frames=b) for b in blocks[:20]]
    items += [Item(event=late), *(Item(frames=b) for b in blocks[20:])]
    target = tmp_path / "a.h5"
    attributes = RecordingAttributes("simulated", profile=profile.text)
    build(iter(items), target, attributes, Request(profile=profile), channels=("can0",))
    (kept,) = [e for e in Recording(target).events() if e.kind == ALERT]
    assert (kept.time, kept.text) == (moment, alert.text)
    replay = replay_of(target)
    try:
        assert look_at(replay, alert) == (moment - AROUND_NS, moment + AROUND_NS)
        (shade,) = shades(replay)
        assert (shade.t0_ns, shade.t1_ns) == interval(kept)  # type: ignore[arg-type]
    finally:
        replay.disconnect()
    assert marks_of([Event(moment, ALERT, "kept")], [alert]) == []
    assert [e.time for e in marks_of([], [alert])] == [moment]


@pytest.mark.parametrize(
    ("severity", "shown"), [("stop", "stop"), ("warn", "high"), ("watch", "watch")]
)
def test_severity_is_told_by_colour_word_and_what_to_do(severity: str, shown: str) -> None:
    alert = found("resistance.high", START, (START, START), 3, severity, 5.0, {"percent": 30.0})
    assert shown_severity(alert) == shown
    words = note(alert)
    assert words.startswith(shown)
    assert "Check the joints of cell 3 on both sides" in words
    assert counts([alert])[0][1] == ("1 watch" if severity == "watch" else "1 high")


def test_a_joint_is_named_by_both_cells_where_that_is_known() -> None:
    span, facts = (START, START), {"other": 7, "percent": 9.0}
    wire = found("connection.sense_wire", START, span, 6, "watch", 5.0, facts)
    assert action_of(wire) == ("action.check_sense_wire", {"cell": 6, "other": 7})


def test_what_somebody_has_seen_is_still_seen_when_the_recording_is_opened_again(
    tmp_path: Path,
) -> None:
    profile = demo_profile(4)
    simulation = Simulation(PackSpec(cells=4), "scooter", 10)
    blocks = list(islice(simulation, 60))
    middle, end = int(blocks[30].time[0]), int(blocks[-1].time[-1])
    items = [Item(frames=block) for block in blocks]
    items.insert(30, Item(event=Event(middle, SEEN, "some.alert.2")))
    target = tmp_path / "seen.h5"
    attributes = RecordingAttributes("live", profile=profile.text)
    build(items, target, attributes, Request(profile=profile), channels=("can0",))
    replay = replay_of(target)
    try:
        assert replay.analysed.wait(120)
        one = found("resistance.high", middle - 1, (0, 1), 2, "watch", 5.0, {"percent": 30.0})
        mine = replace(one, id="some.alert.2")
        replay._hear([mine])
        replay.seek(end)
        assert [f.state for f in replay.findings] == ["acknowledged"]
        replay.seek(middle - 1)
        assert [f.state for f in replay.findings] == ["active"]
    finally:
        replay.disconnect()
    events = [Event(middle, SEEN, mine.id)]
    assert seen_now(events, [mine], end) == {mine.id}
    over = replace(mine, time=middle + 5, state="resolved")
    again = replace(mine, time=middle + 9)
    assert seen_now(events, [mine, over, again], end) == set()
