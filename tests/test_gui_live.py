"""The window on live hardware's path: connect dialog, live test, record, stop, errors, closing."""

import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gui_parts import compile_kernels, settle, tick
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from bms_studio.gui.app import Unexpected, make_application, use_theme
from bms_studio.gui.connect_dialog import ConnectDialog
from bms_studio.gui.contract import ConnectSettings, Recordable
from bms_studio.gui.diagnostic_zip import write_diagnostic_zip
from bms_studio.gui.open_dialogs import ErrorBox
from bms_studio.gui.settings import Settings
from bms_studio.gui.window import Window
from bms_studio.session_source import DemoChoice, LocalSessions, Simulator
from recordings.reader import Recording


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    compile_kernels()


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Window]:
    use_theme(make_application(), "dark")
    window = Window(LocalSessions(DemoChoice(rate_hz=50)), Settings())
    window.resize(1600, 1000)
    window.show()
    yield window
    window.end()
    window.deleteLater()
    settle()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    running = Simulator(DemoChoice(cells=20, rate_hz=50))
    yield running
    running.close()


def errors() -> list[ErrorBox]:
    shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, ErrorBox)]
    return [box for box in shown if box.isVisible()]


def test_connect_listens_finds_the_pack_records_it_and_saves(
    window: Window, simulator: Simulator, qtbot: QtBot, tmp_path: Path
) -> None:
    last = ConnectSettings(interface="slcan", channel=simulator.settings.channel, bitrate=500_000)
    dialog = ConnectDialog(window.source, last, window)
    dialog.chosen.connect(window.deeds._connect_with)
    dialog.open()
    assert dialog.settings().mode == "listen"
    dialog.interface.setCurrentText("slcan")
    qtbot.waitUntil(lambda: dialog._listing is None, timeout=15_000)
    dialog.adapters.list.setCurrentItem(None)
    dialog.interface.setCurrentText("slcan")
    dialog.channel.setText(simulator.settings.channel)
    dialog.test()
    qtbot.waitUntil(lambda: dialog._testing is None, timeout=20_000)
    assert "20 cells" in dialog.outcome.text()
    assert "500 kbit/s" in dialog.outcome.text()
    dialog.connect_button.click()
    qtbot.waitUntil(lambda: window.view is not None, timeout=20_000)
    view = window.view
    assert isinstance(view, Recordable)
    qtbot.waitUntil(lambda: view.timeline.rows("cells") > 20, timeout=20_000)
    tick(window)
    assert Settings().connection().channel == simulator.settings.channel
    readings = window.context.readings()
    assert readings is not None
    assert readings.known_cells == 20
    assert not readings.cell_stale.any()
    target = tmp_path / "kept.h5"
    view.start_recording(target)
    qtbot.waitUntil(lambda: view.status.recording.state == "recording", timeout=5000)
    window.deeds.do("mark")
    # Looking back freezes what is shown while recording goes on.
    window.deeds.do("play")
    assert not window.time.following
    frozen = window.context.present_ns
    qtbot.wait(300)
    assert window.context.present_ns == frozen
    window.deeds.do("live")
    assert window.time.following
    window.deeds.do("record")
    qtbot.waitUntil(lambda: view.status.recording.state == "saved", timeout=30_000)
    recording = Recording(target)
    assert "/cells" in recording.groups()
    assert [e.kind for e in recording.events()].count("mark") == 1
    window.deeds.do("disconnect")
    assert window.view is None
    qtbot.waitUntil(lambda: not window.follower.busy, timeout=10_000)


def test_closing_while_recording_asks_and_saves(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    window.deeds.do("demo")
    qtbot.waitUntil(lambda: window.view is not None, timeout=20_000)
    view = window.view
    assert isinstance(view, Recordable)
    qtbot.waitUntil(lambda: view.timeline.rows("cells") > 20, timeout=20_000)
    target = tmp_path / "closing.h5"
    view.start_recording(target)
    qtbot.wait(300)
    assert not window.close()
    (box,) = [w for w in window.findChildren(QMessageBox) if w.isVisible()]
    save = next(b for b in box.buttons() if b.text() == "Stop and save")
    save.click()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=30_000)
    assert len(Recording(target).labels("/cells")) in (0, 20)
    assert "/cells" in Recording(target).groups()


def test_an_unreadable_file_is_one_sentence_with_details_to_copy(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(b"\x89HDF\r\n\x1a\nnothing of the kind")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(damaged))])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)
    qtbot.waitUntil(lambda: bool(errors()), timeout=20_000)
    (box,) = errors()
    assert "damaged.h5" in box.sentence
    assert "Traceback" not in box.sentence
    box.copy()
    assert box.sentence in QGuiApplication.clipboard().text()
    box.close()


def test_a_long_job_can_be_cancelled_within_a_fifth_of_a_second(
    window: Window, qtbot: QtBot
) -> None:
    from bms_studio.jobs import Job

    started = threading.Event()

    def work(job: Job) -> None:
        started.set()
        while True:
            job.check()
            job.progress = 0.4
            threading.Event().wait(0.01)

    window.follow_view(Job("Opening", work))
    assert started.wait(5)
    qtbot.waitUntil(window.strip.isVisible, timeout=2000)
    window.strip.cancelled.emit()
    qtbot.waitUntil(lambda: not window.follower.busy, timeout=200)
    qtbot.waitUntil(lambda: not window.strip.isVisible(), timeout=200)
    assert not errors()


def test_an_unexpected_error_is_told_once_and_logged(
    window: Window, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    before = sys.excepthook, threading.excepthook
    unexpected = Unexpected()
    unexpected.install()
    try:
        for _ in range(2):
            try:
                raise ZeroDivisionError("a wheel came off")
            except ZeroDivisionError as problem:
                sys.excepthook(type(problem), problem, problem.__traceback__)
        settle()
    finally:
        sys.excepthook, threading.excepthook = before
    (box,) = errors()
    assert "a wheel came off" in box.sentence
    assert "test_gui_live" in box.details
    assert "a wheel came off" in caplog.text
    box.close()


def test_the_diagnostic_zip_holds_versions_and_logs_but_no_settings(
    window: Window, tmp_path: Path
) -> None:
    target = tmp_path / "help.zip"
    write_diagnostic_zip(target, None)
    with zipfile.ZipFile(target) as packed:
        names = packed.namelist()
        assert "numpy" in packed.read("versions.json").decode()
    assert not any("settings" in name for name in names)
    assert list(tmp_path.iterdir()) == [target]


def test_disconnecting_while_recording_saves_and_says_where(
    window: Window, qtbot: QtBot, tmp_path: Path
) -> None:
    window.deeds.do("demo")
    qtbot.waitUntil(lambda: window.view is not None, timeout=20_000)
    view = window.view
    assert isinstance(view, Recordable)
    qtbot.waitUntil(lambda: view.timeline.rows("cells") > 20, timeout=20_000)
    target = tmp_path / "left.h5"
    view.start_recording(target)
    qtbot.wait(300)
    window.deeds.do("disconnect")
    window.deeds.do("language")  # the parts are built anew; the saving goes on
    window.deeds.do("language")
    qtbot.waitUntil(lambda: not window.follower.busy, timeout=30_000)
    assert "left.h5" in window.notice_strip.line.text()
    assert "/cells" in Recording(target).groups()
