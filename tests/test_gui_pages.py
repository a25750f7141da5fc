"""Every page opens and shows a real recording: themes, languages, sizes, 20 to 400 cells."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gui_parts import clipped, make_recording, replay_of, settle, tick, visible
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.header import verdict_word
from bms_studio.gui.live_page import LivePage
from bms_studio.gui.screenshot import grab
from bms_studio.gui.settings import Settings
from bms_studio.gui.window import Window
from bms_studio.language import set_language
from bms_studio.replay import Replay
from bms_studio.session_source import LocalSessions, demo_profile
from recordings.layout import RecordingAttributes
from recordings.writer import RecordingWriter
from widgets.text_line import TextLine

PAGES = ("live", "cells", "plots", "diagnosis", "trace")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Replay]]:
    """Replays by number of cells; loaded once, windows come and go."""
    folder = tmp_path_factory.mktemp("recordings")
    spans_s = {20: 70.0, 96: 8.0, 400: 2.0}
    replays = {
        cells: replay_of(make_recording(folder / f"{cells}.h5", cells, seconds))
        for cells, seconds in spans_s.items()
    }
    yield replays
    for replay in replays.values():
        replay.disconnect()


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def open_one(view: Replay | None, theme: str = "dark", language: str = "en") -> Window:
        use_theme(make_application(), theme)
        set_language(language)
        window = Window(LocalSessions(), Settings())
        windows.append(window)
        window.resize(1600, 1000)
        window.show()
        if view is not None:
            view.seek(0)
            window.show_view(view)
        settle()
        return window

    yield open_one
    for window in windows:
        window.context.view = None  # the replay is for the next test
        window.end()
        window.deleteLater()
    set_language("en")
    settle()


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("theme", "language"), [("dark", "en"), ("light", "zh_CN")])
def test_every_page_shows_a_recording(
    recordings: dict[int, Replay],
    open_window: Callable[..., Window],
    tmp_path: Path,
    page: str,
    theme: str,
    language: str,
) -> None:
    window = open_window(recordings[20], theme, language)
    window.show_page(page)
    tick(window)
    target = tmp_path / "page.png"
    grab(window, target, (1280, 800))
    image = QImage(str(target))
    assert (image.width(), image.height()) == (1280, 800)
    shown = pixels(image)
    dark = float(np.mean(shown & 0xFF)) < 90
    assert dark == (theme == "dark")
    assert len(np.unique(shown[100:700, 90:])) > 50


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("size", [(1280, 720), (1600, 1000)])
def test_no_word_is_clipped(
    recordings: dict[int, Replay],
    open_window: Callable[..., Window],
    page: str,
    language: str,
    size: tuple[int, int],
) -> None:
    window = open_window(recordings[20], "dark", language)
    window.resize(*size)
    window.show_page(page)
    settle()
    tick(window)
    assert (window.width(), window.height()) == size
    assert not clipped(window)


@pytest.mark.parametrize(("cells", "density"), [(20, "full"), (96, "compact"), (400, "map")])
def test_the_grid_says_what_its_tiles_have_room_for(
    recordings: dict[int, Replay], open_window: Callable[..., Window], cells: int, density: str
) -> None:
    window = open_window(recordings[cells])
    window.show_page("live")
    tick(window)
    page = window.page
    assert isinstance(page, LivePage)
    readings = window.context.readings()
    assert readings is not None
    assert readings.known_cells == cells
    assert page.cells.grid.density == density
    if density == "map":
        assert len(page.cells.grid.worst_cells()) == 8


def test_tiles_and_verdict_tell_what_the_recording_holds(
    recordings: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(recordings[20])
    tick(window)
    readings = window.context.readings()
    view = window.view
    assert readings is not None
    assert view is not None
    held, _ = view.timeline.held("cells", view.now_ns)
    np.testing.assert_allclose(readings.cells_v, held)
    assert readings.spread_v == pytest.approx(float(held.max() - held.min()))
    assert readings.lowest == int(held.argmin()) + 1
    words = " ".join(
        child.accessibleName() + child.accessibleDescription()
        for child in window.findChildren(QWidget)
    )
    assert f"{readings.field('voltage').value:.2f}" in words
    verdict = view.status.verdict
    assert verdict is not None
    assert verdict_word(verdict.code) in words
    assert "SIMULATED" in words


def test_without_a_pack_three_cards_offer_a_first_step(
    open_window: Callable[..., Window],
) -> None:
    window = open_window(None)
    window.show_page("live")
    tick(window)
    page = window.page
    assert isinstance(page, LivePage)
    assert page.cards.isVisible()
    assert not page.content.isVisible()
    for key in ("plots", "trace"):
        window.show_page(key)
        tick(window)
        words = [line.text() for line in visible(window.page, TextLine)]  # type: ignore[attr-defined]
        assert any("connect to a pack or open a recording" in word for word in words)


def test_the_right_column_is_a_drawer_where_the_window_is_narrow(
    recordings: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(recordings[20])
    window.show_page("live")
    page = window.page
    assert isinstance(page, LivePage)
    tick(window)
    assert page.right.isVisible()
    window.resize(1280, 720)
    settle()
    assert not page.right.isVisible()
    window.deeds.do("drawer")
    settle()
    assert page.right.isVisible()
    assert page.right.geometry().right() <= page.width()
    tick(window)
    assert not clipped(page.right)
    window.deeds.do("drawer")
    assert not page.right.isVisible()
    window.resize(1600, 1000)
    settle()
    assert page.right.isVisible()


def test_language_and_theme_change_without_restart_and_are_remembered(
    recordings: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(recordings[20])
    window.show_page("plots")
    view, cards = window.view, window.pages["plots"]
    window.deeds.do("language")
    settle()
    assert view is not None
    verdict = view.status.verdict
    assert verdict is not None
    words = window.verdict.accessibleName() + window.verdict.accessibleDescription()
    assert verdict_word(verdict.code) in words
    assert "下一步" in words
    assert window.view is view
    assert window.pages["plots"] is not cards
    window.deeds.do("theme")
    tick(window)
    assert window.page.key == "plots"
    assert Settings().string("language") == "zh_CN"
    assert Settings().string("theme") == "light"


def test_values_that_have_grown_old_say_so(
    open_window: Callable[..., Window], tmp_path: Path
) -> None:
    view = replay_of(make_recording(tmp_path / "short.h5", 8, 3))
    window = open_window(view)
    span = view.timeline.span()
    assert span is not None
    view.timeline.break_lines(span[1] + 1)
    view._end = span[1] + 60_000_000_000
    window.transport.seek(span[1] + 30_000_000_000)
    tick(window)
    readings = window.context.readings()
    assert readings is not None
    assert readings.cell_stale.all()
    assert readings.field("voltage").stale
    assert readings.field("voltage").age_s == pytest.approx(30, abs=1)
    view.disconnect()


def test_a_second_pack_has_its_own_verdict_and_alerts(
    open_window: Callable[..., Window], tmp_path: Path
) -> None:
    target = tmp_path / "two.h5"
    time = 1_700_000_000_000_000_000 + np.arange(900, dtype=np.int64) * 100_000_000
    good = np.full((900, 8), 3.7, np.float32)
    low = np.full((900, 6), 3.7, np.float32)
    low[300:, 2] = 2.4
    profile = demo_profile(8)
    with RecordingWriter(target, RecordingAttributes("import", profile=profile.text)) as writer:
        writer.rows("/cells", time, {"voltage": good})
        writer.rows("/packs/2/cells", time, {"voltage": low})
        writer.close()
    view = replay_of(target)
    assert view.analysed.wait(60)
    window = open_window(view)
    view.seek(int(time[-1]))
    window.show_page("live")
    tick(window, 12)
    page = window.page
    assert isinstance(page, LivePage)
    words = window.verdict.accessibleName() + window.verdict.accessibleDescription()
    assert "ell 3" not in words
    assert not page.right.alerts.list.accessibleName().count("ell 3")
    window.packs.activated.emit(1)
    tick(window, 12)
    words = window.verdict.accessibleName() + window.verdict.accessibleDescription()
    assert "Pack 2" in words
    assert "ell 3" in words
    assert {f.cell for f in window.context.findings()} == {3}
    view.seek(int(time[200]))
    tick(window, 12)
    assert not window.context.findings()
    view.disconnect()


def test_an_alert_leads_to_its_moment_and_its_cell(
    open_window: Callable[..., Window], tmp_path: Path
) -> None:
    target = tmp_path / "low.h5"
    time = 1_700_000_000_000_000_000 + np.arange(600, dtype=np.int64) * 100_000_000
    rows = np.full((600, 8), 3.7, np.float32)
    rows[200:400, 4] = 2.5
    profile = demo_profile(8)
    attributes = RecordingAttributes("import", profile=profile.text)
    with RecordingWriter(target, attributes) as writer:
        writer.rows("/cells", time, {"voltage": rows})
        writer.close()
    view = replay_of(target)
    window = open_window(view)
    view.seek(int(time[300]))
    window.show_page("live")
    tick(window, 12)
    page = window.page
    assert isinstance(page, LivePage)
    (finding,) = [f for f in view.findings if f.cell == 5 and f.code.startswith("limits.")]
    page.right.alerts.list.alert_selected.emit(finding.id)
    assert window.context.selection.selected == 5
    assert page.cells.grid.selected == 5
    assert window.time.t0_ns < finding.time < window.time.t1_ns
    view.seek(int(time[599]))
    window.time.follow()
    tick(window, 12)
    (finding,) = [f for f in view.findings if f.cell == 5 and f.code.startswith("limits.")]
    assert finding.state == "resolved"
    view.disconnect()
