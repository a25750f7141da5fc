"""The window and files: receipt after an import, a database on what is open, a copy to share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gui_parts import clipped, compile_kernels, replay_of, settle, tick, visible, wait_until
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from bms_studio.gui.open_dialogs import ErrorBox
from bms_studio.gui.receipt_dialog import ReceiptDialog
from bms_studio.gui.settings import Settings
from bms_studio.gui.share_dialog import ShareDialog
from bms_studio.gui.window import Window
from bms_studio.language import set_language
from bms_studio.receipt import Receipt, Source
from bms_studio.session_source import LocalSessions
from protocols.frames import Frames, empty_frames
from recordings.formats import write_log
from recordings.reader import Recording
from widgets.theme import DARK, LIGHT, apply_theme

DBC = """VERSION ""
BU_: BMS
BO_ 1536 Cells: 8 BMS
 SG_ Cell1_Voltage : 0|16@1+ (0.001,0) [0|5] "V" BMS
 SG_ Cell2_Voltage : 16|16@1+ (0.001,0) [0|5] "V" BMS
 SG_ Cell3_Voltage : 32|16@1+ (0.001,0) [0|5] "V" BMS
 SG_ Cell4_Voltage : 48|16@1+ (0.001,0) [0|5] "V" BMS
BO_ 1537 Pack: 8 BMS
 SG_ Pack_Voltage : 0|16@1+ (0.01,0) [0|100] "V" BMS
 SG_ Pack_Current : 16|16@1- (0.1,0) [-500|500] "A" BMS
"""


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    set_language("en")


def strange_bus(count: int = 1200) -> Frames:
    """A pack that no built-in protocol knows."""
    frames = empty_frames(count)
    frames.time[:] = 1_700_000_000 * 10**9 + np.arange(count) * 10**8 // 2
    frames.id[:] = 0x600 + np.arange(count) % 2
    frames.length[:] = 8
    cells = 3700 + (np.arange(count)[:, None] // 40 + np.arange(4)) % 30
    raw = cells.astype("<u2")
    total = cells.sum(axis=1) // 10
    raw[1::2, 0], raw[1::2, 1], raw[1::2, 2:] = total[1::2], 50, 0
    frames.data[:] = raw.view(np.uint8)
    return frames


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "ride.log"
    write_log(path, [strange_bus()], channels=("can0",))
    return path


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    compile_kernels()


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Window]:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, DARK)
    made = Window(LocalSessions(), Settings())
    made.remember = False
    qtbot.addWidget(made)
    made.resize(1600, 1000)
    made.show()
    settle()
    yield made
    made.end()
    settle()


def dialog(window: Window, kind: type[QDialog]) -> QDialog | None:
    found = visible(window, kind)
    return found[0] if found else None  # type: ignore[return-value]


def until(window: Window, condition: Callable[[], bool], qtbot: QtBot) -> None:
    """Wait for something; an error on screen instead is what the test says."""

    def happened() -> bool:
        box = dialog(window, ErrorBox)
        assert not isinstance(box, ErrorBox), f"{box.sentence} {box.details}"
        return condition()

    wait_until(happened, qtbot, 60_000)


def opened(window: Window, qtbot: QtBot, *paths: Path) -> None:
    before = window.view
    window.deeds.open_paths(list(paths))
    wait_until(lambda: window.view is not before, qtbot, 40_000)
    tick(window)


def drop(window: Window, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    action = Qt.DropAction.CopyAction
    window.dropEvent(QDropEvent(QPointF(10, 10), action, data, button, keys))


def test_an_import_ends_with_its_receipt_on_screen(
    window: Window, qtbot: QtBot, log: Path, tmp_path: Path
) -> None:
    opened(window, qtbot, log)
    until(window, lambda: dialog(window, ReceiptDialog) is not None, qtbot)
    shown = dialog(window, ReceiptDialog)
    assert isinstance(shown, ReceiptDialog)
    assert clipped(shown) == []
    shown.copy()
    assert QGuiApplication.clipboard().text() == shown.words
    assert "ride.log" in shown.words
    assert "none of its 2 ids is known" in shown.words
    shown.save(tmp_path / "note.txt")
    assert (tmp_path / "note.txt").read_text("utf-8").strip() == shown.words
    shown.accept()


def test_a_recording_that_was_not_imported_says_that_it_has_no_receipt(
    window: Window, qtbot: QtBot, log: Path
) -> None:
    opened(window, qtbot, log)
    again = replay_of(log.with_name("ride.log.h5"))
    again._described["attributes"]["receipt"] = ""
    window.show_view(again)
    tick(window)
    window.deeds.do("receipt")
    assert "receipt" in window.notice_strip.line.text()


def test_a_dropped_database_gives_the_open_recording_its_cells(
    window: Window, qtbot: QtBot, log: Path
) -> None:
    opened(window, qtbot, log)
    view = window.view
    assert view is not None
    assert not view.timeline.columns("cells")
    database = log.with_name("pack.dbc")
    database.write_text(DBC)
    drop(window, database)
    until(window, lambda: len(view.timeline.columns("cells")) == 4, qtbot)
    assert window.view is view
    tick(window)
    until(window, lambda: view.status.protocol.startswith("pack"), qtbot)
    assert [m.name for m, _ in view.database_messages()][:2] == ["Cells", "Pack"]
    _, rows = view.timeline.raw("cells", 0, 2**62)
    assert 3.69 < float(np.nanmedian(rows)) < 3.74
    assert any(e.text == "database = pack.dbc" for e in view.timeline.events)
    assert Recording(log.with_name("ride.log.h5")).rows("/cells") == 0  # never patched
    assert "2 messages" in window.notice_strip.line.text()


def test_a_log_and_its_database_dropped_together_are_imported_together(
    window: Window, qtbot: QtBot, log: Path
) -> None:
    database = log.with_name("pack.dbc")
    database.write_text(DBC)
    drop(window, log, database)
    until(window, lambda: window.view is not None, qtbot)
    assert Recording(log.with_name("ride.log.h5")).columns("/cells")["voltage"].width == 4


def test_a_database_without_a_recording_or_of_nonsense_is_one_sentence(
    window: Window, qtbot: QtBot, log: Path
) -> None:
    database = log.with_name("pack.dbc")
    database.write_text("BO_ nonsense")
    drop(window, database)
    wait_until(lambda: dialog(window, ErrorBox) is not None, qtbot)
    box = dialog(window, ErrorBox)
    assert isinstance(box, ErrorBox)
    assert "Open a recording" in box.sentence
    box.accept()
    settle()
    opened(window, qtbot, log)
    drop(window, database)
    wait_until(lambda: dialog(window, ErrorBox) is not None, qtbot)
    box = dialog(window, ErrorBox)
    assert isinstance(box, ErrorBox)
    assert "pack.dbc" in box.sentence
    assert "\n" not in box.sentence


def test_a_copy_to_share_is_written_without_what_was_ticked(
    window: Window, qtbot: QtBot, log: Path
) -> None:
    opened(window, qtbot, log)
    until(window, lambda: dialog(window, ReceiptDialog) is not None, qtbot)
    window.deeds.do("share")
    shown = dialog(window, ShareDialog)
    assert isinstance(shown, ShareDialog)
    assert clipped(shown) == []
    assert shown.without() == ["location", "serial"]
    shown.location.setChecked(False)
    assert shown.without() == ["serial"]
    shown.reject()
    from bms_studio.gui.file_deeds import write_copy

    target = log.with_name("shared.h5")
    write_copy(window, log.with_name("ride.log.h5"), target, ["serial"])
    until(window, lambda: "left out" in window.notice_strip.line.text(), qtbot)
    copy = Recording(target)
    assert copy.attributes.title == ""
    assert copy.attributes.source_names == ("file 1",)
    assert copy.rows("/frames") == 1200


@pytest.mark.parametrize("language", ["en", "zh_CN"])
@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_dialogs_fit_their_words_in_both_themes_and_languages(
    qtbot: QtBot, language: str, theme: object
) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, theme)  # type: ignore[arg-type]
    set_language(language)
    source = Source(
        "a-very-long-file-name-" * 8, "f" * 64, 10**9, "candump", 10**7, 10**7, "utc",
        bad=123_456, bad_lines=tuple(range(1, 21)), notes=("note " * 60,) * 90,
    )  # fmt: skip
    unlock = (("sign", {}), ("longer", {"minutes": 0.5}))
    for receipt in (
        Receipt((), "x", "utc"),
        Receipt((source,) * 3, "x", "relative", unlock=unlock),
    ):
        shown = ReceiptDialog(receipt, Path("."))
        qtbot.addWidget(shown)
        shown.show()
        settle()
        assert clipped(shown) == []
        assert shown.width() < 1000
    share = ShareDialog("ride.h5", True)
    qtbot.addWidget(share)
    share.show()
    settle()
    assert clipped(share) == []
