"""The timeline bar: dragged, resized, clicked, driven by keys; the same in live and replay."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from widgets.theme import DARK, LIGHT, Theme, apply_theme, load_fonts
from widgets.timeline_bar import TimelineBar
from widgets.timeline_track import TimelineEvent, TimelineMark, TimelineTrack

S = 1_000_000_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(autouse=True)
def dark(qapp: QApplication, repository: Path) -> Iterator[None]:
    """Every test begins in the dark theme with the bundled fonts."""
    load_fonts(repository / "resources" / "fonts")
    apply_theme(qapp, DARK)
    yield
    apply_theme(qapp, DARK)


def bar(qtbot: QtBot, width: int = 1200) -> TimelineBar:
    """A live session of 1000 s that shows the last 100 s."""
    made = TimelineBar()
    made.set_extent(0, 1000 * S)
    made.set_window(900 * S, 1000 * S)
    made.resize(width, 40)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def drag(track: TimelineTrack, from_s: float, to_s: float) -> None:
    y = track.height() // 2
    start, end = (QPoint(round(track.x_at(round(s * S))), y) for s in (from_s, to_s))
    QTest.mousePress(track, LEFT, pos=start)
    QTest.mouseMove(track, (start + end) / 2)
    QTest.mouseMove(track, end)
    QTest.mouseRelease(track, LEFT, pos=end)


def seconds(track: TimelineTrack) -> tuple[float, float]:
    assert track.window_ns is not None
    return track.window_ns[0] / S, track.window_ns[1] / S


def test_the_box_is_dragged_back_and_keeps_its_length(qtbot: QtBot) -> None:
    made = bar(qtbot)
    with qtbot.waitSignal(made.window_changed) as caught:
        drag(made.track, 950, 350)
    assert caught.args[1] - caught.args[0] == 100 * S
    assert seconds(made.track) == pytest.approx((300, 400), abs=2)


def test_the_box_stops_at_both_ends(qtbot: QtBot) -> None:
    made = bar(qtbot)
    drag(made.track, 950, -500)
    assert seconds(made.track) == (0, 100)
    drag(made.track, 50, 5000)
    assert seconds(made.track) == (900, 1000)


def test_an_edge_resizes_the_box_and_the_other_edge_stays(qtbot: QtBot) -> None:
    made = bar(qtbot)
    drag(made.track, 900, 600)
    assert seconds(made.track) == (pytest.approx(600, abs=2), 1000)
    drag(made.track, 600, 1200)
    start, end = seconds(made.track)
    assert end == 1000
    assert 990 < start < 1000, "never narrower than can be grasped, never turned over"


def test_a_click_beside_the_box_goes_there(qtbot: QtBot) -> None:
    made = bar(qtbot)
    at = QPoint(round(made.track.x_at(200 * S)), made.track.height() // 2)
    QTest.mouseClick(made.track, LEFT, pos=at)
    assert seconds(made.track) == pytest.approx((150, 250), abs=2)


def test_what_is_held_is_not_moved_from_outside(qtbot: QtBot) -> None:
    made = bar(qtbot)
    track = made.track
    QTest.mousePress(track, LEFT, pos=QPoint(round(track.x_at(950 * S)), 18))
    QTest.mouseMove(track, QPoint(round(track.x_at(500 * S)), 18))
    held = track.window_ns
    made.set_window(901 * S, 1001 * S)
    assert track.window_ns == held
    QTest.mouseRelease(track, LEFT, pos=QPoint(round(track.x_at(500 * S)), 18))
    made.set_window(901 * S, 1001 * S)
    assert track.window_ns == (901 * S, 1001 * S)


def test_keys_move_the_window(qtbot: QtBot) -> None:
    made = bar(qtbot)
    made.track.setFocus()
    QTest.keyClick(made.track, Qt.Key.Key_Left)
    assert seconds(made.track) == (890, 990)
    QTest.keyClick(made.track, Qt.Key.Key_Home)
    assert seconds(made.track) == (0, 100)
    QTest.keyClick(made.track, Qt.Key.Key_End)
    assert seconds(made.track) == (900, 1000)


def test_live_is_asked_for_and_stays_shown_until_the_page_says_otherwise(qtbot: QtBot) -> None:
    made = bar(qtbot)
    made.set_live(False)
    assert not made.live.isChecked()
    with qtbot.waitSignal(made.live_clicked):
        QTest.mouseClick(made.live, LEFT)
    assert made.live.isChecked()
    QTest.mouseClick(made.live, LEFT)
    assert made.live.isChecked()


def test_replay_has_a_playhead_that_is_scrubbed(qtbot: QtBot) -> None:
    made = bar(qtbot)
    assert not made.play.isVisible()
    made.set_replay(True)
    made.set_playhead(100 * S)
    assert made.play.isVisible()
    assert not made.live.isVisible()
    with qtbot.waitSignal(made.playhead_moved):
        drag(made.track, 100, 700)
    assert (made.track.playhead_ns or 0) / S == pytest.approx(700, abs=2)
    QTest.mouseClick(made.track, LEFT, pos=QPoint(round(made.track.x_at(250 * S)), 18))
    assert (made.track.playhead_ns or 0) / S == pytest.approx(250, abs=2)
    assert seconds(made.track) == (900, 1000), "scrubbing leaves the window to the page"


def test_play_speed_and_loop_say_what_was_asked(qtbot: QtBot) -> None:
    made = bar(qtbot)
    made.set_replay(True)
    for expected in (True, False):
        with qtbot.waitSignal(made.play_toggled) as caught:
            QTest.mouseClick(made.play, LEFT)
        assert caught.args == [expected]
        assert made.play.accessibleName() == ("Pause" if expected else "Play")
    with qtbot.waitSignal(made.speed_changed) as caught:
        QTest.mouseClick(made.faster, LEFT)
    assert caught.args == [2.0]
    made.set_speed(100.0)
    with qtbot.assertNotEmitted(made.speed_changed):
        QTest.mouseClick(made.faster, LEFT)
    with qtbot.waitSignal(made.speed_changed) as caught:
        QTest.mouseClick(made.slower, LEFT)
    assert caught.args == [50.0]
    with qtbot.waitSignal(made.loop_toggled) as caught:
        QTest.mouseClick(made.loop, LEFT)
    assert caught.args == [True]
    with qtbot.assertNotEmitted(made.loop_toggled):
        made.set_loop(False)


def test_growing_times_never_move_the_track(qtbot: QtBot) -> None:
    made = bar(qtbot)
    geometry = made.track.geometry()
    for end in (1001, 3601, 36_001, 359_999):
        made.set_extent(0, end * S)
        made.set_speed(float(end % 90))
        QApplication.processEvents()
        assert made.track.geometry() == geometry


def pixels(image: QImage, color: QColor) -> int:
    flat = np.frombuffer(image.convertToFormat(QImage.Format.Format_RGB32).constBits(), np.uint32)
    return int(((flat & 0xFFFFFF) == (color.rgb() & 0xFFFFFF)).sum())


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("width", [1490, 620])
def test_of_events_on_one_place_the_most_severe_is_seen(
    qtbot: QtBot, qapp: QApplication, theme: Theme, width: int
) -> None:
    apply_theme(qapp, theme)
    made = bar(qtbot, width)
    made.set_events([TimelineEvent(500 * S, "watch"), TimelineEvent(200 * S, "resolved")])
    image = made.track.grab().toImage()
    assert pixels(image, theme.warn) > 20
    assert pixels(image, theme.ok) > 4
    assert pixels(image, theme.high) == 0
    many = [TimelineEvent(500 * S + k, "watch") for k in range(5000)]
    made.set_events([*many, TimelineEvent(500 * S, "high", "Cell 13"), *many])
    image = made.track.grab().toImage()
    assert pixels(image, theme.high) > 20
    assert pixels(image, theme.warn) == 0


def test_marks_are_drawn_and_no_label_covers_the_one_before(qtbot: QtBot) -> None:
    made = bar(qtbot)
    made.set_marks([TimelineMark(400 * S, "mark 1")])
    one = made.track.grab().toImage()
    made.set_marks([TimelineMark(400 * S, "mark 1"), TimelineMark(404 * S, "mark 2")])
    two = made.track.grab().toImage()
    x = round(made.track.x_at(404 * S))
    region = (x + 3, 0, 30, 8)
    assert one.copy(*region) == two.copy(*region), "the second keeps its line but not its text"
    assert one != two


def test_everything_that_can_be_focused_has_a_name(qtbot: QtBot) -> None:
    made = bar(qtbot)
    made.set_replay(True)
    for part in (made.track, made.live, made.play, made.slower, made.faster, made.loop):
        assert part.accessibleName()
        assert part.focusPolicy() != Qt.FocusPolicy.NoFocus
    made.set_texts({"play": "播放", "live": "实时"})
    assert made.play.accessibleName() == "播放"
    assert made.live.text() == "实时"


def test_a_session_that_has_just_begun_or_a_window_outside_paints_and_can_be_dragged(
    qtbot: QtBot,
) -> None:
    made = bar(qtbot)
    for extent, window in (
        ((5 * S, 5 * S), (-55 * S, 5 * S)),
        ((0, 10 * S), (20 * S, 30 * S)),
        ((0, 10 * S), (-50 * S, 60 * S)),
    ):
        made.set_extent(*extent)
        made.set_window(*window)
        made.grab()
        y, x = made.track.height() // 2, made.track.width()
        QTest.mousePress(made.track, LEFT, pos=QPoint(x // 2, y))
        QTest.mouseMove(made.track, QPoint(x // 3, y))
        QTest.mouseRelease(made.track, LEFT, pos=QPoint(x // 3, y))
        start, end = made.track.window_ns or (0, 0)
        assert start < end
        assert made.track.extent_ns[0] <= start
        assert end <= made.track.extent_ns[1]
