"""The Cells page, and what Live says of estimates that are known beforehand."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysed_parts import BAD, fill, health_of, run_of
from gui_parts import clipped, make_recording, replay_of, settle, tick
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollArea
from pytestqt.qtbot import QtBot

from bms_studio.analysis.contract import Analysis, AnalysisStatus, Basis, Settings
from bms_studio.analysis.runs import forget_results
from bms_studio.diagnosis.contract import CellRisk
from bms_studio.gui.analysis_dialog import AnalysisDialog
from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.cells_page import CellsPage
from bms_studio.gui.cells_table import PRESETS, content, modules_of, search
from bms_studio.gui.contract import Analysed
from bms_studio.gui.estimate_words import compared_cells, meter_rows
from bms_studio.gui.estimates import Estimates, estimates_of, read_estimates
from bms_studio.gui.live_page import LivePage
from bms_studio.gui.live_power import PowerPanel, cause_words
from bms_studio.gui.plots_page import PlotsPage
from bms_studio.gui.readings import Readings
from bms_studio.gui.run_difference import pack_difference, same_moment
from bms_studio.gui.settings import Settings as WindowSettings
from bms_studio.gui.window import Window
from bms_studio.language import set_language
from bms_studio.replay import Replay
from bms_studio.session_source import LocalSessions
from bms_studio.status import PackStatus
from bms_studio.timeline import Timeline
from widgets.theme import font

LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class Known(Replay):
    """A recording whose estimates were put in by hand: what the window shows can be foretold."""

    said = AnalysisStatus()
    asked: Sequence[Any] = ()
    kept: Sequence[Analysis] = ()

    @property
    def analysis(self) -> AnalysisStatus:
        return self.said

    def analyse(self, settings: Settings) -> None:
        self.asked = (*self.asked, settings)

    def show_analysis(self, number: int) -> None:
        self.said = replace(self.said, shown=number)

    def analysis_run(self, number: int, pack: int = 1) -> Analysis | None:
        return self.kept[number] if number < len(self.kept) else None


def known(path: Path, cells: int) -> Replay:
    view = replay_of(path)
    # What the engine finds is tested elsewhere; here it must not overwrite what is foretold.
    view._background.cancel()
    view._background._post = lambda work: None
    view.__class__ = Known
    assert isinstance(view, Known)
    forget_results(view.timeline)
    view.said = fill(view.timeline, cells)
    view.kept = (run_of(view.said),)
    return view


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Replay]]:
    folder = tmp_path_factory.mktemp("cells")
    made = {}
    for cells, seconds in ((1, 3.0), (20, 40.0), (400, 2.0)):
        made[cells] = known(make_recording(folder / f"{cells}.h5", cells, seconds), cells)
    yield made
    for view in made.values():
        view.disconnect()


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def open_one(view: Replay | None, theme: str = "dark", language: str = "en") -> Window:
        use_theme(make_application(), theme)
        set_language(language)
        window = Window(LocalSessions(), WindowSettings())
        windows.append(window)
        window.resize(1600, 1000)
        window.show()
        if view is not None:
            window.show_view(view)
            span = view.timeline.span()
            assert span is not None
            window.transport.seek(span[1])
        settle()
        return window

    yield open_one
    for window in windows:
        window.context.view = None  # the view is for the next test
        window.end()
        window.deleteLater()
    set_language("en")
    settle()


def cells_page(window: Window) -> CellsPage:
    window.show_page("cells")
    tick(window, 12)
    page = window.page
    assert isinstance(page, CellsPage)
    return page


@pytest.mark.parametrize("cells", [1, 20, 400])
@pytest.mark.parametrize(("theme", "language"), [("dark", "en"), ("light", "zh_CN")])
@pytest.mark.parametrize("size", [(1280, 720), (1600, 1000)])
def test_every_word_of_the_cells_page_fits(
    views: dict[int, Replay],
    open_window: Callable[..., Window],
    cells: int,
    theme: str,
    language: str,
    size: tuple[int, int],
) -> None:
    window = open_window(views[cells], theme, language)
    window.resize(*size)
    page = cells_page(window)
    for preset in PRESETS:
        page._preset_chosen(preset)
    assert not clipped(window)
    page.open_cell(1)
    if cells > 1:
        window.context.selection.compare(2)
    tick(window, 12)
    assert page.detail.isVisible()
    assert not clipped(page.detail)


def test_the_table_begins_with_the_worst_cell_and_says_what_is_missing(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(views[20])
    page = cells_page(window)
    page._preset_chosen("overview")
    table = page.table
    assert table.order[0] == BAD
    lines = [line.split("\t") for line in table.table_text().split("\n")]
    assert lines[0][:4] == ["Cell", "Voltage", "Voltage Deviation", "Rest voltage"]
    assert lines[1][:3] == ["", "V", "mV"]
    assert abs(float(lines[2][2])) == round(1e3 * table._data["voltage"].badness[BAD - 1])
    assert lines[1][1] == "V"
    resistance = lines[0].index("Resistance")
    assert lines[1][resistance] == "mΩ"
    assert lines[0][resistance + 1] == "Resistance ±"
    assert lines[1][resistance + 1] == "mΩ"
    assert 0 < float(lines[2][resistance + 1]) < 0.2
    assert float(lines[2][resistance]) > 1.6 * float(lines[3][resistance])
    leak = lines[0].index("Leak")
    assert lines[2][leak] == ""
    assert table._data["leak"].reason == "rest 1 day"
    assert table._data["resistance"].strong[BAD - 1]
    assert not table._data["resistance"].strong[0]
    marks = table._data["soc"].marks
    assert set(marks.tolist()) == {3}
    assert set(table._data["sag"].marks.tolist()) == {2}


def test_an_estimate_tells_what_it_stands_on(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    page = cells_page(open_window(views[20]))
    words = page._tooltip(BAD, "resistance")
    for part in ("Cell 13", "Resistance", "mΩ ±", "good evidence", "14 min of data", "2-RC", "NMC"):
        assert part in words, part
    assert "settings: automatic" in words
    assert "unknown: rest 1 day" in page._tooltip(BAD, "leak")
    assert "V," in page._tooltip(BAD, "voltage")


def test_above_96_cells_modules_fold_and_a_search_lists_cells(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    page = cells_page(open_window(views[400]))
    table = page.table
    modules = table._modules
    assert len(modules) > 30
    assert all(row.cell == 0 for row in table.rows())
    assert BAD in modules[table.rows()[0].module].cells
    page.search.setText("5-7, 400")
    assert sorted(row.cell for row in table.rows()) == [5, 6, 7, 400]
    page.search.clear()
    page.open_cell(200)
    assert 200 in [row.cell for row in table.rows()]


def test_a_search_understands_numbers_ranges_and_labels() -> None:
    pack = PackStatus(labels=("A1", "A2", "B1"))
    assert search("", 3, pack) is None
    assert search("2", 3, pack) == {2}
    assert search("2-9", 3, pack) == {2, 3}
    assert search("a b1", 3, pack) == {1, 2, 3}
    assert search("nothing", 3, pack) == set()
    assert modules_of(96, PackStatus()) == []
    blocks = modules_of(100, PackStatus())
    assert [len(module.cells) for module in blocks] == [12] * 8 + [4]
    rows = modules_of(100, PackStatus(layout=((1, 0, 3), (2,))))
    assert [module.cells for module in rows[:3]] == [(1, 3), (2,), tuple(range(4, 16))]


def test_two_cells_are_laid_over_each_other_with_their_difference(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(views[20])
    page = cells_page(window)
    window.context.selection.choose(BAD)
    tick(window, 12)
    one = page.detail.cell
    assert not one.difference.isVisible()
    assert one.model.isVisible()
    page.table.cell_compared.emit(4)
    tick(window, 12)
    assert one.difference.isVisible()
    one.difference.grab()
    low, high = one.difference.layer.extremes()
    assert low < -20 < high  # the bad cell sags under load
    assert [n.index for n in one.voltage.named_now()] == [BAD - 1, 3]
    page.table.cell_compared.emit(4)
    assert window.context.selection.compared == 0


def test_the_model_is_laid_beside_the_measurement_or_says_why_not(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(views[20])
    page = cells_page(window)
    window.context.selection.choose(BAD)
    tick(window, 12)
    one = page.detail.cell
    one.model.grab()
    assert one._model is not None
    assert 0 < one._model.error_v < 0.3
    assert one._model_note(True).endswith("mV apart (rms)")
    assert one._model_note(False) == "no prediction without an estimate"


def test_a_cell_opened_anywhere_is_shown_on_the_cells_page(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(views[20])
    window.resize(1280, 720)
    settle()
    live = window.pages["live"]
    assert isinstance(live, LivePage)
    live.cells.grid.cell_activated.emit(7)
    tick(window)
    page = window.page
    assert isinstance(page, CellsPage)
    assert page.detail.isVisible()
    assert page.table._selected == 7
    window.deeds.do("plot_cell")
    plots = window.page
    assert isinstance(plots, PlotsPage)
    assert plots.cards[0].names == ["cell.7.voltage"]


def test_copying_brings_the_units(
    views: dict[int, Replay], open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    page = cells_page(open_window(views[20]))
    page._preset_chosen("electrical")
    qtbot.keyClick(page.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert len(lines) == 22
    assert "mΩ" in lines[1]


def test_live_shows_charge_usable_and_power_beside_what_the_bms_says(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(views[20])
    window.show_page("live")
    tick(window, 12)
    page = window.page
    assert isinstance(page, LivePage)
    charge, usable = (page.tiles.tiles[n].accessibleName() for n in (1, 2))
    assert charge.startswith("State of charge 40.6 % ± 0.9 · the BMS says")
    assert usable == "Usable now 31 % cell 13 reaches 3.00 V first · costs 210 Wh"
    power = page.right.power.bars.accessibleDescription()
    assert "possible 41 A (cell 13)" in power
    assert "possible 19 A (heat)" in power
    assert "BMS " in power
    assert "rest 1 day" in page.right.quality.meters.accessibleDescription()
    for mode, words in (("SOC", "40."), ("Resistance", "+9"), ("Risk", "#1")):
        page.cells._mode_chosen(mode)
        page.cells.panel.set_segment(mode)
        tick(window, 6)
        tile = page.cells.grid._spoken(BAD)
        assert words in tile, (mode, tile)


def test_what_is_not_known_is_a_dash_with_what_would_make_it_known(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    view = views[20]
    estimates = read_estimates(view.timeline, view.now_ns, "packs/9/", None)
    assert estimates.count == 0
    assert math.isnan(estimates.of_pack("soc"))
    assert estimates.need("soc") == "not estimated"
    early = read_estimates(view.timeline, 1, "", view.analysis)  # type: ignore[attr-defined]
    assert not early.known("resistance_ohm")
    assert early.health is None
    assert early.need("resistance_ohm") == "1 min data"
    busy = replace(view.analysis, busy=0.3)  # type: ignore[attr-defined]
    early = read_estimates(view.timeline, 1, "", busy)
    assert early.need("resistance_ohm") == "computing…"


def test_the_dialog_runs_again_and_shows_old_against_new(
    views: dict[int, Replay], open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    view = views[20]
    assert isinstance(view, Known)
    assert isinstance(view, Analysed)
    before = view.said
    window = open_window(view)
    window.deeds.do("analyse")
    (dialog,) = window.findChildren(AnalysisDialog)
    dialog.capacity.setText("-3")
    dialog.start()
    assert "-3" in dialog.problem.text()
    dialog.capacity.setText("28,5")
    dialog.model.setText("r0_ohm=0.002 nonsense=1")
    dialog.start()
    assert "nonsense" in dialog.problem.text()
    dialog.model.setText("r0_ohm=0.002")
    dialog.noise.setText("2")
    dialog.start()
    (asked,) = view.asked
    assert asked.capacity_ah == 28.5
    assert asked.noise_v == pytest.approx(0.002)
    assert asked.model == {"r0_ohm": 0.002}
    assert not dialog.problem.text()
    # The run ends.
    span = view.timeline.span()
    assert span is not None
    health = health_of(20, span[0], span[0] + 1, bad=4)
    after = replace(before, settings=asked, runs=("1", "28.5"), shown=1, health=health)
    view.said, view.kept = after, (run_of(before), run_of(after, 2))
    dialog.poll()
    assert dialog.old.currentData() == 0
    assert dialog.new.currentData() == 1
    assert set(dialog.table.order[:2]) == {4, BAD}
    assert "28.5 Ah" in dialog.new_settings.text()
    assert dialog.old_settings.text() == "automatic"
    change = dialog.table._data["resistance.change"].values
    assert change[BAD - 1] < -0.5 < 0.5 < change[3]
    dialog.close()
    view.said, view.asked, view.kept = before, (), (run_of(before),)
    settle()


def test_a_table_of_ones_own_that_cannot_be_read_says_so(
    views: dict[int, Replay], open_window: Callable[..., Window], tmp_path: Path
) -> None:
    window = open_window(views[20])
    window.deeds.do("analyse")
    (dialog,) = window.findChildren(AnalysisDialog)
    dialog.chemistry.setCurrentIndex(dialog.chemistry.findData("custom"))
    dialog.start()
    assert dialog.problem.text()
    dialog.read_table(tmp_path / "missing.csv")
    assert "missing.csv" in dialog.problem.text()
    good = tmp_path / "ocv.csv"
    good.write_text("soc,ocv_v\n0,3.0\n1,4.2\n")
    dialog.read_table(good)
    assert not dialog.problem.text()
    assert dialog.settings().ocv.startswith("soc,ocv_v")
    dialog.close()
    settle()


def test_a_second_pack_of_the_bus_can_be_looked_at_on_every_page(
    views: dict[int, Replay], open_window: Callable[..., Window], tmp_path: Path
) -> None:
    view = known(make_recording(tmp_path / "two.h5", 8, 3.0), 8)
    span = view.timeline.span()
    assert span is not None
    time = np.linspace(*span, 30).astype(np.int64)
    rows = np.tile(np.linspace(3.30, 3.32, 16, dtype=np.float32), (30, 1))
    window = open_window(view)
    tick(window, 12)
    assert not window.packs.isVisible()
    rows[20, 4] -= 0.05
    view.timeline.append("packs/2/cells", time, rows)
    view.timeline.append("packs/2/probes", time, np.full((30, 2), 21.0, np.float32))
    fill(view.timeline, 16, "packs/2/")
    tick(window, 12)
    assert window.packs.isVisible()
    window.packs.setCurrentIndex(1)
    window.packs.activated.emit(1)
    tick(window, 12)
    assert window.context.pack == 2
    assert "Pack 2" in window.verdict.accessibleName() + window.verdict.accessibleDescription()
    assert "SIMULATED" in window.verdict.accessibleName() + window.verdict.accessibleDescription()
    window.show_page("live")
    tick(window, 12)
    readings = window.context.readings()
    assert readings is not None
    assert readings.known_cells == 16
    page = cells_page(window)
    assert len(page.table.order) == 16
    kept = window.context.extremes()
    assert len(kept) == 16
    assert kept[4].time == time[20]
    assert kept[4].deviation_v == pytest.approx(rows[20, 4] - np.median(rows[20]), abs=1e-5)
    page._preset_chosen("overview")
    assert round(page.table._data["extreme"].values[4]) == round(1e3 * kept[4].deviation_v)
    window.deeds.do("reset_extremes")
    assert all(extreme.time != time[20] for extreme in window.context.extremes())
    window.show_page("plots")
    plots = window.page
    assert isinstance(plots, PlotsPage)
    plots.set_cards([["cells"], ["estimate.soc"], ["cell.16.voltage"]])
    tick(window, 12)
    assert [len(card.labels) for card in plots.cards] == [16, 16, 1]
    assert all(card._has_data for card in plots.cards)
    window.packs.activated.emit(0)
    tick(window, 12)
    readings = window.context.readings()
    assert readings is not None
    assert len(readings.cells_v) == 8
    view.disconnect()


def test_a_meter_is_never_full_while_something_is_missing() -> None:
    health = replace(health_of(4, 10, 20), progress={"leak_a": 1.0, "soc": 1.0})
    timeline = Timeline()
    timeline.append("cells", np.array([10, 30], np.int64), np.full((2, 4), 3.6, np.float32))
    rows = meter_rows(read_estimates(timeline, 25, "", AnalysisStatus(health=health)))
    shares = {row.name: row.share for row in rows}
    assert shares["Self-discharge"] < 0.99
    assert shares["State of charge"] == 1.0
    assert [row.words for row in rows if row.name == "Self-discharge"] == ["rest 1 day"]


def test_health_of_another_moment_is_not_shown() -> None:
    health = health_of(4, 10, 20)
    status = AnalysisStatus(health=health)
    timeline = Timeline()
    timeline.append("cells", np.array([10, 30], np.int64), np.full((2, 4), 3.6, np.float32))
    assert read_estimates(timeline, 25, "", status).known("resistance_ohm")
    assert not read_estimates(timeline, 15, "", status).known("resistance_ohm")


def test_who_looks_back_sees_the_evaluation_of_then_and_before_it_what_is_needed() -> None:
    first, last = health_of(4, 10, 20), health_of(4, 10, 40)
    status = AnalysisStatus(health=last, evaluations=(first, last))
    timeline = Timeline()
    timeline.append("cells", np.array([10, 50], np.int64), np.full((2, 4), 3.6, np.float32))
    assert read_estimates(timeline, 45, "", status).health is last
    back = read_estimates(timeline, 25, "", status)
    assert back.health is first
    assert "good enough" in [row.words for row in meter_rows(back)]
    before = meter_rows(read_estimates(timeline, 15, "", status))
    assert {row.words for row in before} == {"1 min data"}


def test_estimates_speak_of_as_many_cells_as_the_readings_beside_them() -> None:
    timeline = Timeline()
    time = np.array([10], np.int64)
    timeline.append("cells", time, np.full((1, 4), 3.7, np.float32))
    timeline.append("health/resistance_ohm", time, np.full((1, 4), 0.002, np.float32))
    for shown in (0, 3, 4, 6):
        found = read_estimates(timeline, 20, "", AnalysisStatus(), shown)
        assert found.count == shown
        assert found.values("resistance_ohm").shape == (shown,)
        assert found.values("soc").shape == (shown,)


def readings_of(cells_v: np.ndarray) -> Readings:
    count, nothing = len(cells_v), np.zeros(0)
    return Readings(
        t=0,
        cells_v=cells_v,
        cell_age_s=np.zeros(count),
        deviation_v=cells_v - np.median(cells_v),
        median_v=float(np.median(cells_v)),
        balancing=np.full(count, 255, np.uint8),
        probes_degc=nothing,
        probe_age_s=nothing,
        probe_labels=(),
        pack={},
        stale_cell_s=5.0,
    )


def test_ranks_that_hardly_differ_do_not_hide_the_cell_that_stands_out() -> None:
    cells = np.full(96, 3.62)
    cells[12] -= 0.063
    readings = readings_of(cells)
    even = tuple(CellRisk(n, 0.02, n, "none") for n in range(1, 97))
    shown = content("raw", readings, Estimates(0, 96, status=AnalysisStatus(risks=even)), (), ())
    assert int(np.argmax(shown.worst)) == 12
    named = tuple(replace(r, risk=0.5 if r.cell in (40, 41) else 0.02) for r in even)
    shown = content("raw", readings, Estimates(0, 96, status=AnalysisStatus(risks=named)), (), ())
    assert np.argsort(-shown.worst)[:3].tolist() == [39, 40, 12]


def test_no_cell_is_named_as_the_limit_while_all_are_taken_for_equal(qtbot: QtBot) -> None:
    told = {"limiting_cell": 1.0, "discharge_10_cell": 1.0, "discharge_10_cause": 0.0}
    even = Estimates(0, 20, {"soc": np.full(20, 0.5)}, told)
    assert even.limiting("limiting_cell") == 0
    readings = readings_of(np.full(20, 3.62))
    assert cause_words("discharge", readings, even) == "voltage"
    known = np.full(20, 0.0012)
    known[0] *= 1.5
    weak = replace(even, cells={**even.cells, "resistance_ohm": known})
    assert weak.limiting("limiting_cell") == 1
    assert cause_words("discharge", readings, weak) == "cell 1"
    assert Estimates(0, 1, {"soc": np.full(1, 0.5)}, told).limiting("limiting_cell") == 0
    panel = PowerPanel()
    qtbot.addWidget(panel)
    known_a = {**told, "discharge_10_a": 3039.0}
    panel.show_readings(readings, replace(even, pack=known_a))
    assert "possible about 3000 A" in panel.bars.accessibleDescription()
    panel.show_readings(readings, replace(weak, pack=known_a))
    assert "possible 3039 A (cell 1)" in panel.bars.accessibleDescription()
    # Of a pack of 60 Ah nobody ever saw 50 times as much flow.
    small = AnalysisStatus(Basis(chemistry="NMC", capacity_ah=60.0))
    panel.show_readings(readings, replace(weak, pack=known_a, status=small))
    assert "possible more than 900 A" in panel.bars.accessibleDescription()


def test_a_current_far_beyond_all_that_was_seen_is_not_promised(qtbot: QtBot) -> None:
    known = {"resistance_ohm": np.full(96, 0.0012)}
    told = {"discharge_10_a": 3039.0, "charge_10_a": 190.0, "peak_a": 150.0}
    panel = PowerPanel()
    qtbot.addWidget(panel)
    panel.show_readings(readings_of(np.full(96, 3.62)), Estimates(0, 96, known, told))
    words = panel.bars.accessibleDescription()
    assert "3039" not in words
    assert "over 450 A (most seen 150 A)" in words
    assert "possible 190 A" in words
    assert "hardly more than 150 A was seen" in panel.bars.toolTip()


@pytest.mark.parametrize("size", [(1280, 720), (1280, 800)])
def test_a_small_window_keeps_the_grid_and_the_drawer_covers_no_column(
    views: dict[int, Replay], open_window: Callable[..., Window], size: tuple[int, int]
) -> None:
    window = open_window(views[20])
    window.resize(*size)
    page = cells_page(window)
    assert page.grid.isVisible()
    whole = page.table.width()
    QTest.mouseDClick(page.table.viewport(), LEFT, NO_KEY, QPoint(60, 56))
    tick(window, 12)
    assert page.detail.isVisible()
    table = page.table.mapTo(page, page.table.rect().topRight()).x()
    assert table < page.detail.x() <= table + 20
    assert page.table.width() < whole
    bar = page.table.horizontalScrollBar()
    bar.setValue(bar.maximum())  # names stand still when columns are scrolled
    settle()
    assert page.table._column_at(60) == ""
    assert page.table._column_at(page.table.viewport().width() - 5) == "extreme"
    page.toggle_drawer()
    settle()
    assert page.table.width() == whole


@pytest.mark.parametrize(("theme", "language"), [("dark", "en"), ("light", "zh_CN")])
def test_the_right_column_of_live_fits_without_scrolling(
    views: dict[int, Replay],
    open_window: Callable[..., Window],
    theme: str,
    language: str,
) -> None:
    window = open_window(views[20], theme, language)
    window.show_page("live")
    tick(window, 12)
    page = window.page
    assert isinstance(page, LivePage)
    (area,) = page.right.findChildren(QScrollArea)
    assert area.verticalScrollBar().maximum() == 0
    assert page.right.quality.meters.isVisible()
    page.right.quality.panel._choose("balancing")
    tick(window, 12)
    assert page.right.quality.strip.isVisible()
    assert not page.right.balancing.isVisible()
    assert not clipped(page.right)
    page.right.quality.panel._choose("data")


def test_the_drawer_of_live_hides_neither_cells_nor_the_present(
    views: dict[int, Replay], open_window: Callable[..., Window]
) -> None:
    window = open_window(views[20])
    window.resize(1280, 800)
    window.show_page("live")
    tick(window, 12)
    page = window.page
    assert isinstance(page, LivePage)
    window.deeds.do("drawer")
    tick(window, 12)
    edge = page.right.mapTo(page, QPoint(0, 0)).x()
    for part in (page.cells.grid, page.plots):
        assert part.mapTo(page, part.rect().topRight()).x() <= edge
    bars = page.right.power.bars
    name, bar = bars._widths()
    words = max(QFontMetricsF(font(12)).horizontalAdvance(row.words) for row in bars._rows)
    assert name + bar + words <= bars.width()
    assert not clipped(page.cells)
    window.deeds.do("drawer")
    settle()
    assert page.plots.mapTo(page, page.plots.rect().topRight()).x() > edge


def test_what_a_search_found_is_counted_and_two_cells_stand_side_by_side(
    views: dict[int, Replay], open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(views[20])
    page = cells_page(window)
    qtbot.keyClicks(page.search, "5-9 13")
    assert page.table.shown_count == 6
    assert page.panel._note.text() == "6 of 20"
    page.search.clear()
    assert page.panel._note.text() == ""
    window.context.selection.choose(BAD)
    window.context.selection.compare(4)
    tick(window, 12)
    estimates = window.context.estimates()
    assert estimates is not None
    rows = {row[0]: row for row in compared_cells(estimates, BAD, 4)}
    assert rows[""][1:3] == ("Cell 13", "Cell 4  ·  Δ")
    ohm = 1000 * estimates.values("resistance_ohm")
    assert rows["Resistance"][2].endswith(f"Δ +{ohm[BAD - 1] - ohm[3]:.2f}")
    assert rows["Capacity"][2] == "–"
    window.context.selection.choose(0)
    tick(window, 12)
    spreads = {chart.chart.title: chart.chart for chart in page.detail.pack.charts}
    assert spreads["Resistance"].note == "stands out: 13"
    assert "Capacity" not in spreads  # nothing is known of it: its meter says what is missing


def test_a_cell_is_found_by_the_keyboard_alone(
    views: dict[int, Replay], open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(views[400])
    window.show_page("live")
    window.deeds.do("find_cell")
    page = window.page
    assert isinstance(page, CellsPage)
    tick(window, 12)
    QTest.keyClicks(page.search, "5-9 13")
    assert page.table.first_shown == BAD  # worst first also in what was found
    QTest.keyClick(page.search, Qt.Key.Key_Return)
    assert window.context.selection.selected == BAD
    QTest.keyClick(page.table, Qt.Key.Key_Down)
    assert window.context.selection.selected in range(5, 10)
    QTest.keyClick(page.search, Qt.Key.Key_Escape)
    assert page.search.text() == ""
    window.context.selection.choose(0)
    # Without a search the keys go through folded modules, which unfold as one comes to them.
    QTest.keyClick(page.table, Qt.Key.Key_Down)
    assert window.context.selection.selected == BAD
    shown = {row.cell for row in page.table.rows()}
    assert BAD in shown
    QTest.keyClick(page.table, Qt.Key.Key_PageDown)
    assert window.context.selection.selected in {row.cell for row in page.table.rows()} - {0, BAD}
    QTest.keyClick(page.table, Qt.Key.Key_Escape)
    assert window.context.selection.selected == 0


def test_runs_are_compared_at_a_moment_that_both_have_seen() -> None:
    s = 1_000_000_000
    early = health_of(20, 0, 60 * s)
    first = run_of(AnalysisStatus(health=early))
    first = replace(first, estimates={"time": np.array([90 * s])})
    late = run_of(AnalysisStatus(health=health_of(20, 0, 300 * s)))
    assert same_moment(first, late, 1000 * s) == 90 * s
    assert same_moment(first, late, 70 * s) == 70 * s
    rows = pack_difference(first, late, estimates_of(first, 90 * s), estimates_of(late, 90 * s))
    assert rows[-1][0] != "Verdict"  # one has seen more than the other
    rows = pack_difference(late, late, estimates_of(late, 300 * s), estimates_of(late, 300 * s))
    assert rows[-1][0] == "Verdict"
