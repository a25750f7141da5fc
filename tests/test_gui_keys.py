"""Keys, time, selection, plots and trace of the window, on a real recording."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gui_parts import make_recording, replay_of, settle, tick
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from bms_studio.gui import deeds
from bms_studio.gui.actions import ACTIONS
from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.live_page import LivePage
from bms_studio.gui.plots_page import PlotsPage
from bms_studio.gui.settings import Settings
from bms_studio.gui.trace_page import SCROLLING, TracePage
from bms_studio.gui.window import Window
from bms_studio.replay import Replay
from bms_studio.session_source import LocalSessions
from protocols.frames import empty_frames
from recordings.layout import RecordingAttributes
from recordings.writer import RecordingWriter
from widgets.signal_tree import encode_keys

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    folder = tmp_path_factory.mktemp("recordings")
    view = replay_of(make_recording(folder / "a.h5", 20, 75))
    yield view
    view.disconnect()


@pytest.fixture
def window(qtbot: QtBot, replay: Replay) -> Iterator[Window]:
    use_theme(make_application(), "dark")
    window = Window(LocalSessions(), Settings())
    window.resize(1600, 1000)
    window.show()
    replay.pause()
    replay.seek(0)
    window.show_view(replay)
    window.show_page("live")
    tick(window)
    yield window
    window.context.view = None
    window.end()
    window.deleteLater()
    settle()


def press(window: Window, keys: str) -> None:
    """A key as a person presses it, somewhere on the page."""
    window.activateWindow()
    QTest.qWaitForWindowActive(window, 2000)
    combination = QKeySequence(keys)[0]
    QTest.keyClick(window.stack, combination.key(), combination.keyboardModifiers())
    settle(1)


def dialogs(kind: str) -> list[QDialog]:
    return [
        w
        for w in QApplication.topLevelWidgets()
        if type(w).__name__ == kind and isinstance(w, QDialog) and w.isVisible()
    ]


def test_every_action_has_a_deed_and_no_two_share_a_key(window: Window) -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    for action in ACTIONS:
        assert callable(getattr(window.deeds, f"_{action.name}"))
    with pytest.raises(KeyError):
        window.deeds.do("fly")


def test_space_plays_from_the_start_and_pauses_a_replay(window: Window, replay: Replay) -> None:
    span = replay.timeline.span()
    assert span is not None
    assert replay.now_ns == span[1]  # first at the end, where everything is known
    before = span[0]
    press(window, "Space")
    assert replay.playing
    QTest.qWait(200)
    press(window, "Space")
    assert not replay.playing
    assert before < replay.now_ns < before + 5 * SECOND


def test_arrows_step_one_sample_and_shift_one_second(window: Window, replay: Replay) -> None:
    press(window, "Home")
    start = replay.now_ns
    times, _ = replay.timeline.raw("cells", 0, start + 10 * SECOND)
    press(window, "Right")
    press(window, "Right")
    after = int(np.searchsorted(times, start, "right")) + 1
    assert replay.now_ns == times[after]
    press(window, "Left")
    assert replay.now_ns == times[after - 1]
    here = replay.now_ns
    press(window, "Shift+Right")
    assert replay.now_ns == here + SECOND
    press(window, "Shift+Left")
    assert replay.now_ns == here
    press(window, "End")
    span = replay.timeline.span()
    assert span is not None
    assert replay.now_ns == span[1]


def test_brackets_change_the_speed_within_a_tenth_and_a_hundred(
    window: Window, replay: Replay
) -> None:
    for _ in range(12):
        press(window, "]")
    assert replay.speed == 100
    for _ in range(12):
        press(window, "[")
    assert replay.speed == 0.1
    replay.set_speed(1.0)


def test_tiles_and_grid_follow_the_playhead_and_the_timeline_bar(
    window: Window, replay: Replay
) -> None:
    span = replay.timeline.span()
    assert span is not None
    for share in (0.3, 0.8):
        t = span[0] + int(share * (span[1] - span[0]))
        window.bar.playhead_moved.emit(t)
        tick(window)
        readings = window.context.readings()
        assert readings is not None
        held, _ = replay.timeline.held("cells", t)
        np.testing.assert_allclose(readings.cells_v, held)
    window.bar.window_changed.emit(span[0], span[0] + 20 * SECOND)
    tick(window)
    assert not window.time.following
    assert window.context.present_ns == span[0] + 20 * SECOND
    press(window, "L")
    assert window.time.following
    assert window.context.present_ns == replay.now_ns


def test_m_marks_the_moment_on_the_timeline(window: Window, replay: Replay) -> None:
    press(window, "M")
    tick(window)
    marks = [e for e in replay.timeline.events if e.kind == "mark"]
    assert marks[-1].time == replay.now_ns
    assert window.bar.track.marks[-1].text == marks[-1].text


def test_pages_by_key_help_palette_and_menu(window: Window) -> None:
    for number, key in enumerate(("live", "cells", "plots", "diagnosis", "trace"), start=1):
        press(window, f"Ctrl+{number}")
        assert window.page.key == key
    press(window, "F1")
    (helper,) = dialogs("HelpDialog")
    helper.close()
    press(window, "Ctrl+3")
    press(window, "Ctrl+Shift+P")
    (palette,) = dialogs("PaletteDialog")
    palette.search.setText("measure")  # type: ignore[attr-defined]
    palette.run_current()  # type: ignore[attr-defined]
    assert window.time.range_ns is not None
    press(window, "R")
    assert window.time.range_ns is None
    window.open_menu()
    menus = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMenu) and w.isVisible()]
    assert menus
    for menu in menus:
        menu.close()


def test_typing_into_a_search_field_triggers_no_action(window: Window, replay: Replay) -> None:
    window.show_page("trace")
    page = window.page
    assert isinstance(page, TracePage)
    page.filter.setFocus()
    marks = len(replay.timeline.events)
    QTest.keyClicks(page.filter, "mal [")
    assert page.filter.text() == "mal ["
    assert len(replay.timeline.events) == marks
    page.filter.clear()


def test_a_cell_hovered_in_the_grid_is_shown_everywhere(window: Window) -> None:
    page = window.pages["live"]
    assert isinstance(page, LivePage)
    page.cells.grid.cell_hovered.emit(7)
    assert page.plots.voltage._highlight == 6
    page.plots.voltage.trace_hovered.emit(11)
    assert window.context.selection.hovered == 12
    page.cells.grid.cell_hovered.emit(0)
    page.cells.grid.cell_selected.emit(5)
    assert page.plots.voltage._highlight == 4
    assert page.cells.grid.selected == 5
    plots = window.pages["plots"]
    assert isinstance(plots, PlotsPage)
    plots.set_cards([["cells"], ["deviation"]])
    assert [card._highlight for card in plots.cards] == [4, 4]


def test_double_click_on_a_cell_opens_it_and_one_key_its_plots(window: Window) -> None:
    page = window.pages["live"]
    assert isinstance(page, LivePage)
    page.cells.grid.cell_activated.emit(13)
    tick(window)
    assert window.page.key == "cells"
    assert window.context.selection.selected == 13
    window.deeds.do("plot_cell")
    tick(window)
    plots = window.page
    assert isinstance(plots, PlotsPage)
    assert [card.names for card in plots.cards] == [
        ["cell.13.voltage"],
        ["cell.13.deviation"],
        ["pack.current"],
    ]
    assert all(card._has_data for card in plots.cards)


def test_signals_drop_onto_plots_of_their_unit_and_beside_others(window: Window) -> None:
    window.show_page("plots")
    page = window.page
    assert isinstance(page, PlotsPage)
    page.set_cards([["cell.1.voltage"]])
    data = encode_keys(["cell.2.voltage", "pack.current"])
    event = QDropEvent(
        QPointF(50, 50),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    page.cards[0].dropEvent(event)
    tick(window)
    assert [card.names for card in page.cards] == [
        ["cell.1.voltage", "cell.2.voltage"],
        ["pack.current"],
    ]
    page.cards[0].close_button.click()
    settle()
    assert [card.names for card in page.cards] == [["pack.current"]]


def test_any_signal_of_the_database_is_decoded_on_demand(
    window: Window, replay: Replay, qtbot: QtBot
) -> None:
    window.show_page("plots")
    page = window.page
    assert isinstance(page, PlotsPage)
    message, signals = replay.database_messages()[0]
    signal = signals[0]
    page.set_cards([])
    page.tree.signal_activated.emit(f"signal.{message.name}.{signal.name}")
    qtbot.waitUntil(lambda: replay.timeline.rows(f"signals/{message.name}") > 0, timeout=10_000)
    tick(window, 20)
    assert page.cards[0]._has_data


def test_measured_numbers_are_those_of_the_samples(window: Window, replay: Replay) -> None:
    window.show_page("plots")
    page = window.page
    assert isinstance(page, PlotsPage)
    page.set_cards([["pack.current"], ["cell.3.deviation"]])
    span = replay.timeline.span()
    assert span is not None
    t0, t1 = span[0] + 15 * SECOND, span[0] + 30 * SECOND
    window.time.set_range((t0, t1))
    tick(window)
    lines = [line.split("\t") for line in page.table.tsv().splitlines()]
    time, rows = replay.timeline.raw("pack", t0, t1)
    current = rows[:, 1].astype(np.float64)
    row = lines[1]
    assert float(row[1]) == pytest.approx(current.min())
    assert float(row[3]) == pytest.approx(current.max())
    assert float(row[5]) == pytest.approx(current.mean())
    assert float(row[7]) == pytest.approx(current[-1] - current[0], abs=1e-5)
    assert float(row[11]) == pytest.approx(np.trapezoid(current, (time - t0) * 1e-9) / 3600)
    assert row[12] == "Ah"
    _, deviation = replay.timeline.raw("deviation", t0, t1)
    assert float(lines[2][1]) == pytest.approx(1000 * deviation[:, 2].min())
    assert lines[2][2] == "mV"
    window.time.set_range(None)


def test_differences_can_be_seen_at_one_millivolt_per_line(window: Window) -> None:
    window.show_page("plots")
    page = window.page
    assert isinstance(page, PlotsPage)
    page.set_cards([["deviation"], ["pack.current"]])
    tick(window)
    card = page.cards[0]
    assert card.fine_button.isVisible()
    assert not page.cards[1].fine_button.isVisible()
    card.fine_button.click()
    tick(window)
    low, high = card.y_range
    assert (high - low) / (card.plot_area().height() / 26) <= 1.01
    press(window, "A")
    assert not card.fine_button.isChecked()


def test_views_are_saved_by_role_and_come_back(window: Window) -> None:
    window.show_page("plots")
    page = window.page
    assert isinstance(page, PlotsPage)
    page.set_cards([["probes"], ["statistics.spread", "deviation"]])
    page.save_view("mine")
    page.set_cards([["pack.current"]])
    window.build()
    page = window.pages["plots"]
    assert isinstance(page, PlotsPage)
    page._view_chosen(page.views.findText("mine"))
    settle()
    assert page._wanted == [["probes"], ["statistics.spread", "deviation"]]
    page.views.setCurrentIndex(page.views.findText("mine"))
    page._delete_view()
    assert page.views.findText("mine") < 0


def test_the_picture_names_pack_time_and_that_it_is_simulated(
    window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "picture.png"
    monkeypatch.setattr(deeds, "choose_target", lambda *_: target)
    page = window.page.size()
    window.deeds.do("picture")
    image = QImage(str(target))
    assert image.width() == 2 * page.width()
    assert image.height() == 2 * (page.height() + 46)
    assert [p.name for p in tmp_path.iterdir()] == ["picture.png"]


def test_the_trace_lists_identifiers_filters_and_copies_candump(
    window: Window, replay: Replay
) -> None:
    window.show_page("trace")
    page = window.page
    assert isinstance(page, TracePage)
    tick(window)
    ids = replay.timeline.frames.by_id(replay.now_ns)
    model = page.table.model()
    assert model.rowCount() == len(ids.id)
    page.table.select(int(ids.id[0]), int(ids.flags[0] & 1), 0)
    tick(window)
    page.copy()
    assert " can0 " in QGuiApplication.clipboard().text()
    page.filter.setText(f"{ids.id[0]:X}")
    tick(window)
    assert 1 <= model.rowCount() < len(ids.id)
    page.panel.set_segment(SCROLLING)
    page._mode_chosen(SCROLLING)
    tick(window, 12)
    assert page._frames is not None
    frames = replay.timeline.frames.all()
    end = replay.timeline.frames.index_at(replay.now_ns)
    wanted = f"{ids.id[0]:X}"
    expected = sum(
        int(np.count_nonzero(frames.id[:end] == i)) for i in ids.id if wanted in f"{i:08X}"
    )
    assert page._frames.count() == expected
    rows = page._frames.rows(expected - 2, 2)
    assert [wanted in f"{i:08X}" for i in rows.id] == [True, True]
    page.filter.clear()
    tick(window)
    assert page._frames.count() == end


def test_a_recording_made_of_samples_says_that_it_has_no_trace(
    window: Window, tmp_path: Path
) -> None:
    target = tmp_path / "samples.h5"
    time = 1_700_000_000 * SECOND + np.arange(50, dtype=np.int64) * SECOND
    with RecordingWriter(target, RecordingAttributes("import")) as writer:
        writer.rows("/cells", time, {"voltage": np.full((50, 8), 3.7, np.float32)})
        writer.close()
    view = replay_of(target)
    window.context.view = None  # the other replay is for the next test
    window.show_view(view)
    window.show_page("trace")
    tick(window)
    page = window.page
    assert isinstance(page, TracePage)
    assert page.nothing.isVisible()
    assert "made of samples" in page.nothing.text()
    window.show_page("live")
    tick(window)
    readings = window.context.readings()
    assert readings is not None
    assert readings.known_cells == 8
    view.disconnect()


@pytest.mark.parametrize("kind", ["frames of an unknown protocol", "a single cell"])
def test_no_action_breaks_on_a_recording_that_holds_almost_nothing(
    window: Window, tmp_path: Path, kind: str
) -> None:
    target = tmp_path / "little.h5"
    time = 1_700_000_000 * SECOND + np.arange(300, dtype=np.int64) * SECOND // 100
    with RecordingWriter(target, RecordingAttributes("import")) as writer:
        if kind == "a single cell":
            writer.rows("/cells", time, {"voltage": np.full((300, 1), 3.3, np.float32)})
        else:
            frames = empty_frames(300)
            frames.time[:], frames.id[:], frames.length[:] = time, 0x123, 8
            writer.frames(frames)
        writer.close()
    view = replay_of(target)
    window.context.view = None  # the other replay is for the next test
    window.show_view(view)
    deeds_of_the_view = [a.name for a in ACTIONS if a.needs in ("pack", "replay")]
    for page in window.pages:
        window.show_page(page)
        for name in deeds_of_the_view:
            # The system's dialog for a file waits for a person.
            if name not in ("disconnect", "database"):
                window.deeds.do(name)
                tick(window, 2)
    readings = window.context.readings()
    assert readings is not None
    assert readings.known_cells == (1 if kind == "a single cell" else 0)
    view.disconnect()


def test_changing_the_language_again_and_again_leaves_nothing_behind(window: Window) -> None:
    counts = []
    for _ in range(6):
        window.deeds.do("language")
        tick(window)
        counts.append(len(window.findChildren(QWidget)))
    assert counts[-1] == counts[1]
