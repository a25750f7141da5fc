"""Diagnosis in the window: who fails first and why, the dialogs around it, in every size."""

import sys
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.comparison import compare
from bms_studio.diagnosis.contract import Finding, Parameters
from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.compare_dialog import CompareDialog, notable
from bms_studio.gui.diagnosis_page import DiagnosisPage
from bms_studio.gui.diagnosis_words import fine
from bms_studio.gui.estimates import Estimates
from bms_studio.gui.first_panel import FirstPanel
from bms_studio.gui.guide_dialog import GuideDialog
from bms_studio.gui.guide_sound import Tick
from bms_studio.gui.live_page import LivePage
from bms_studio.gui.report_dialog import ReportDialog
from bms_studio.gui.risk_words import risk_items, unsure_items
from bms_studio.gui.settings import Settings
from bms_studio.gui.window import Window
from bms_studio.guided_test import NOTHING
from bms_studio.language import set_language
from bms_studio.replay import Replay
from bms_studio.session_source import LocalSessions
from tests.gui_parts import clipped, make_recording, replay_of, settle, tick
from tests.judged_parts import DAY_NS, health_of
from widgets.chart_paint import has_content
from widgets.small_chart import SmallChart

WEAK = 13


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    view = replay_of(make_recording(tmp_path_factory.mktemp("diagnosis") / "a.h5", 20, 600))
    assert view.analysed.wait(150)
    yield view
    view.disconnect()


@pytest.fixture
def window(qtbot: QtBot, replay: Replay) -> Iterator[Window]:
    use_theme(make_application(), "dark")
    window = Window(LocalSessions(), Settings())
    window.resize(1600, 1000)
    window.show()
    window.show_view(replay)
    window.show_page("diagnosis")
    tick(window, 12)
    yield window
    for dialog in dialogs(QDialog):
        dialog.close()
    window.context.view = None
    window.end()
    window.deleteLater()
    settle()
    set_language("en")


def dialogs(kind: type[QDialog]) -> list[QDialog]:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()]


def page_of(window: Window) -> DiagnosisPage:
    page = window.pages["diagnosis"]
    assert isinstance(page, DiagnosisPage)
    return page


def test_the_weak_cell_is_named_with_evidence_and_rivals(window: Window) -> None:
    page = page_of(window)
    assert f"Cell {WEAK}" in page.risks.accessibleName()
    assert "no trend yet" in page.risks.accessibleName()
    assert f"Cell {WEAK}" in page.middle.accessibleName()
    shown = [chart for chart in page.charts if chart.isVisible()]
    assert sum(has_content(chart.chart) for chart in shown) >= 3
    assert page.certainty.share.text() == "–"  # one visit: no trend, no probability
    assert page.certainty.rivals.text()
    assert not page.fine.isHidden()
    assert not page.open.isHidden()


def test_an_alert_that_no_cell_explains_stands_in_the_middle(
    window: Window, replay: Replay
) -> None:
    facts: Parameters = {"probe": 2, "value_degc": 66.3, "limit_degc": 60.0}
    now = replay.now_ns
    code = "limits.over_temperature"
    hot = Finding(f"{code}.2", now, now, now, 0, "limits", "stop", "active", 2.0, code, facts)
    page = page_of(window)
    page._show_alert(hot)
    assert "66.3 °C" in page.middle.accessibleName()
    assert page.charts[0].chart.title == "Temperature"
    assert has_content(page.charts[0].chart)
    checked: list[tuple[str, Parameters]] = [("check.temperature_limits", {}), ("check.dips", {})]
    assert fine([("check.thermal", {}), ("check.dips", {})], [hot]) == [("check.dips", {})]
    # It was hot, though it is no longer: that is not "checked and fine".
    assert fine(checked, [replace(hot, state="resolved")]) == [("check.dips", {})]


def test_a_cell_of_which_nothing_is_sure_is_not_listed_as_failing(window: Window) -> None:
    weak = page_of(window)._analysis().risks
    faint = [replace(r, risk=0.14) if r.cell == WEAK else r for r in weak]
    assert [item.cell for item in risk_items(weak, [])] == [WEAK]
    assert risk_items(faint, []) == []
    (told,) = unsure_items(faint, [], 8)
    assert (told.cell, told.severity) == (WEAK, "info")
    assert told.reason.startswith("not sure")
    panel = FirstPanel(window.context)
    panel.show_risks(faint, [], 0)
    assert f"not sure: {WEAK}" in panel.rest.text()
    assert f"{len(weak) - 1} cells: nothing found" in panel.rest.text()
    healthy = [r for r in weak if r.cell != WEAK]
    panel.show_risks(healthy, [], 0, Estimates(0, 2, {"leak_a": np.zeros(2)}, {}, AnalysisStatus()))
    assert "Nothing found" in panel.list.accessibleName()
    assert "Not judged yet" in panel.list.accessibleName()
    panel.show_risks(healthy, [], 0, Estimates(0, 2, {}, {}, AnalysisStatus()))
    assert "Nothing found" not in panel.list.accessibleName()
    panel.deleteLater()


def test_live_lists_it_under_first_to_fail_and_no_healthy_cell(window: Window) -> None:
    window.show_page("live")
    tick(window, 12)
    live = window.pages["live"]
    assert isinstance(live, LivePage)
    words = live.right.first.list.accessibleName()
    assert f"Cell {WEAK}" in words
    assert words.count("Cell ") <= 3
    assert live.right.first.rest.text().endswith("nothing found")


def test_information_is_not_counted_among_the_alerts_that_wait(window: Window) -> None:
    window.show_page("live")
    tick(window, 12)
    page = window.pages["live"]
    assert isinstance(page, LivePage)
    told = [f.severity for f in window.context.findings() if f.state == "active"]
    assert page.drawer_button.accessibleName() == f"Alerts {len(told) - told.count('info')}"


def test_a_chart_leads_to_its_moment(window: Window, replay: Replay) -> None:
    page = page_of(window)
    chart = next(c for c in page.charts if c.chart.moment is not None and c.isVisible())
    moment = chart.chart.moment
    assert moment is not None
    QTest.mouseClick(chart, Qt.MouseButton.LeftButton)
    tick(window)
    assert window.context.selection.selected == WEAK
    assert window.page is window.pages["plots"]
    assert (window.time.t0_ns, window.time.t1_ns) == moment


def test_before_anything_was_seen_no_cell_is_judged(window: Window, replay: Replay) -> None:
    span = replay.timeline.span()
    assert span is not None
    window.transport.seek(span[0] + 1_000_000_000)
    tick(window, 60)
    page = page_of(window)
    assert f"Cell {WEAK}" not in page.risks.accessibleName()
    window.transport.seek(span[1])


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("size", [(1600, 1000), (1280, 800), (1280, 720)])
def test_nothing_is_clipped(window: Window, language: str, size: tuple[int, int]) -> None:
    set_language(language)
    window.build()
    window.resize(*size)
    window.show_page("diagnosis")
    tick(window, 12)
    assert not clipped(page_of(window))


def test_the_report_is_previewed_and_its_sections_can_be_switched_off(window: Window) -> None:
    window.deeds.do("report")
    (dialog,) = dialogs(ReportDialog)
    assert isinstance(dialog, ReportDialog)
    whole = dialog.preview.toPlainText()
    for words in ("SIM", f"Cell {WEAK}", "Evidence", "All cells", "The data"):
        assert words in whole
    dialog.sections["quality"].setChecked(False)
    dialog.workshop.setText("Scooter Service Nord")
    dialog.show_preview()
    shorter = dialog.preview.toPlainText()
    assert "Scooter Service Nord" in shorter
    assert "Settings of the analysis" not in shorter
    dialog.language.setCurrentIndex(dialog.language.findData("zh_CN"))
    dialog.show_preview()
    assert "序列号" in dialog.preview.toPlainText()


def test_a_recording_cannot_be_checked_again(window: Window) -> None:
    window.deeds.do("check")
    assert not dialogs(GuideDialog)
    assert "recording" in window.notice_strip.line.text()


def test_without_an_earlier_visit_compare_says_so(window: Window) -> None:
    window.deeds.do("compare")
    (dialog,) = dialogs(CompareDialog)
    assert isinstance(dialog, CompareDialog)
    assert "No earlier visit" in dialog.summary.text()


def test_two_visits_are_compared_cell_by_cell(qtbot: QtBot) -> None:
    make_application()
    then, now = health_of(100 * DAY_NS, grown=1.0), health_of(140 * DAY_NS, grown=1.9)
    dialog = CompareDialog([then], now)
    qtbot.addWidget(dialog)
    assert notable(compare(then, now))[0].startswith(f"Cell {WEAK}: resistance +")
    assert f"Cell {WEAK}" in dialog.summary.text()
    assert notable(compare(then, now))[0].endswith("worse")
    # After the repair the same cell is better, and drawn so.
    repaired = CompareDialog([now], health_of(150 * DAY_NS, grown=1.0))
    qtbot.addWidget(repaired)
    assert repaired.summary.text().splitlines()[0].endswith("better")
    tones = {
        bar.label: bar.tone
        for part in repaired.findChildren(SmallChart)
        for bar in part.chart.bars
        if part.chart.title == "Resistance"
    }
    assert tones[str(WEAK)] == "resolved"
    assert set(tones.values()) == {"resolved", "trace"}


def test_the_guided_check_speaks_and_the_wiggle_test_counts(qtbot: QtBot, replay: Replay) -> None:
    make_application()
    dialog = GuideDialog(lambda: replay, sound=Tick(()))
    qtbot.addWidget(dialog)
    dialog.show()
    assert not clipped(dialog)
    dialog.start(NOTHING)
    assert "Leave the pack at rest" in dialog.instruction.text()
    assert "step 1 of 1" in dialog.step_line.text()
    dialog.choose_again()
    span = replay.timeline.span()
    assert span is not None
    replay.seek(span[0])
    dialog.wiggle()
    assert dialog.dip_count.text() == "0"
    assert dialog.dip_words.text() == "No dip yet."
    assert "no sound" in dialog.sound_words.text()
    assert not clipped(dialog)
    replay.seek(span[1])
    dialog.close()
    assert not dialog._timer.isActive()


@pytest.mark.skipif(sys.platform == "win32", reason="its player takes no arguments there")
def test_a_tick_is_really_played_and_a_player_that_fails_gives_way(tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    copies = [sys.executable, "-c", f"import shutil,sys;shutil.copy(sys.argv[1],{str(heard)!r})"]
    sound = Tick([[sys.executable, "-c", "raise SystemExit(1)"], copies])
    assert sound.state == "unknown"
    sound.play()
    sound.wait(20)
    assert sound.state == "plays"
    with wave.open(str(heard)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        assert len(frames) > 0.02 * file.getframerate()
    assert np.abs(frames).max() > 10_000
    mute = Tick([[sys.executable, "-c", "raise SystemExit(1)"]])
    mute.play()
    mute.wait(20)
    assert mute.state == "silent"
    mute.play()
    assert mute.state == "silent"
