"""What the signals mean, in the window: seen, searched, corrected, turned, saved; in a replay."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gui_parts import clipped, make_recording, replay_of, settle, tick
from odd_bus import INDEXED, START_NS, frame, odd_database, odd_frames
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from bms_studio.build import Item, build
from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.mapping_dialog import MappingDialog
from bms_studio.gui.mapping_table import ROLE, VALUE, WHY
from bms_studio.gui.settings import Settings
from bms_studio.gui.trace_page import TracePage
from bms_studio.gui.window import Window
from bms_studio.interpret import Request
from bms_studio.language import set_language
from bms_studio.pack.profile import load_profile
from bms_studio.replay import Replay
from bms_studio.session_source import LocalSessions
from protocols.frames import concatenate
from protocols.roles import PACK_FIELDS
from recordings.layout import RecordingAttributes
from recordings.writer import RecordingWriter

CURRENT = [field.name for field in PACK_FIELDS].index("current")
FOREVER = 1 << 62


@pytest.fixture(scope="module")
def odd_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("odd") / "odd.h5"
    request = Request(databases=(odd_database(),))
    build([Item(frames=odd_frames(20))], target, RecordingAttributes("import"), request)
    return target


@pytest.fixture
def odd(odd_recording: Path) -> Iterator[Replay]:
    replay = replay_of(odd_recording)
    yield replay
    replay.disconnect()


@pytest.fixture(scope="module")
def scooter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    replay = replay_of(make_recording(tmp_path_factory.mktemp("scooter") / "s.h5", 20, 12.0))
    yield replay
    replay.disconnect()


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def open_one(view: Replay, theme: str = "dark", language: str = "en") -> Window:
        use_theme(make_application(), theme)
        set_language(language)
        window = Window(LocalSessions(), Settings())
        windows.append(window)
        window.resize(1280, 720)
        window.show()
        window.show_view(view)
        view.seek(view.timeline.frames.all().time[-1])
        settle()
        return window

    yield open_one
    for window in windows:
        window.context.view = None  # the replay belongs to its fixture
        window.end()
        window.deleteLater()
    set_language("en")
    settle()


def dialog_of(window: Window, qtbot: QtBot) -> MappingDialog:
    """The dialog that an action opened, once everything is known."""
    (dialog,) = [
        w for w in QApplication.topLevelWidgets() if isinstance(w, MappingDialog) and w.isVisible()
    ]
    assert window.view is not None
    view = window.view
    qtbot.waitUntil(lambda: not view.mapping().busy, timeout=30_000)
    dialog.refresh()
    return dialog


def cell(dialog: MappingDialog, name: str, column: int) -> str:
    model = dialog.table.signals
    at = model.row_of(name)
    assert at >= 0, f"{name} is not shown"
    return str(model.index(at, column).data())


def type_role(dialog: MappingDialog, name: str, role: str, qtbot: QtBot) -> None:
    """As a person does: select, type, Enter."""
    assert dialog.table.choose(name)
    dialog.table.edit_chosen()
    line = dialog.table.findChild(QLineEdit)
    assert line is not None
    line.selectAll()
    if role:
        qtbot.keyClicks(line, role)
    else:
        line.clear()
    if popup := line.completer().popup():
        popup.hide()
    qtbot.keyClick(line, Qt.Key.Key_Return)
    settle()


def test_every_signal_of_a_known_protocol_is_shown_with_role_and_live_value(
    scooter: Replay, open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(scooter)
    window.deeds.do("mapping")
    dialog = dialog_of(window, qtbot)
    mapping = scooter.mapping()
    assert dialog.protocol.text() == mapping.title == scooter.status.protocol
    held, _ = scooter.timeline.held("cells", scooter.now_ns)
    rows = {row.role: at for at, row in enumerate(mapping.rows) if row.role}
    assert {f"cell.{n}.voltage" for n in range(1, 21)} <= set(rows)
    values = [mapping.values[rows[f"cell.{n}.voltage"]] for n in range(1, 21)]
    np.testing.assert_allclose(values, held, atol=0.03)
    name = mapping.rows[rows["cell.7.voltage"]].name
    assert cell(dialog, name, VALUE).endswith(" V")
    dialog.accept()


def test_the_search_narrows_the_table_and_keeps_the_selection(
    scooter: Replay, open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(scooter)
    window.deeds.do("mapping")
    dialog = dialog_of(window, qtbot)
    everything = dialog.table.signals.rowCount()
    dialog.search.setText("cell.1")
    shown = dialog.table.signals.rowCount()
    assert 0 < shown < everything
    (wanted,) = [r.name for r in scooter.mapping().rows if r.role == "cell.12.voltage"]
    assert dialog.table.choose(wanted)
    dialog.search.setText("")
    assert dialog.table.chosen() == wanted
    dialog.panel.set_segment("used")
    dialog._search()
    assert dialog.table.signals.rowCount() == sum(bool(r.role) for r in scooter.mapping().rows)
    dialog.accept()


def test_a_role_is_typed_and_the_recording_is_derived_again(
    odd: Replay, open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(odd)
    window.deeds.do("mapping")
    dialog = dialog_of(window, qtbot)
    assert len(odd.timeline.columns("cells")) == 3
    type_role(dialog, "Cells.Alpha", "cell.4.voltage", qtbot)
    qtbot.waitUntil(lambda: not odd.mapping().busy, timeout=30_000)
    dialog.refresh()
    assert len(odd.timeline.columns("cells")) == 4
    qtbot.waitUntil(lambda: odd.status.pack.cells == 4)
    assert cell(dialog, "Cells.Alpha", ROLE) == "cell.4.voltage"
    assert cell(dialog, "Cells.Alpha", WHY) == "by hand, unit mV"
    assert "parameter" in [e.kind for e in odd.timeline.events]
    type_role(dialog, "Cells.Alpha", "", qtbot)
    qtbot.waitUntil(lambda: not odd.mapping().busy, timeout=30_000)
    assert len(odd.timeline.columns("cells")) == 3
    dialog.accept()


def test_a_wrong_role_is_one_sentence_and_changes_nothing(
    odd: Replay, open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(odd)
    window.deeds.do("mapping")
    dialog = dialog_of(window, qtbot)
    type_role(dialog, "Cells.Alpha", "cell four", qtbot)
    assert "'cell four' is not a role: write cell.12.voltage" in dialog.message.text()
    assert odd.profile_text() == ""
    assert cell(dialog, "Cells.Alpha", ROLE) == ""
    dialog.accept()


def test_a_contradicting_sign_is_turned_with_one_button(
    odd: Replay, open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(odd)
    window.deeds.do("mapping")
    dialog = dialog_of(window, qtbot)
    assert dialog.sign_state.text().startswith("Contradicts the voltages in ")
    assert dialog.sign_before.text().startswith("Now: −10.00 A, 0 of ")
    assert dialog.sign_after.text().startswith("Turned: 10.00 A, ")
    dialog.turn.click()
    qtbot.waitUntil(lambda: not odd.mapping().busy, timeout=30_000)
    dialog.refresh()
    assert dialog.sign_state.text().startswith("Agrees")
    assert not dialog.sign_after.isVisible()
    _, rows = odd.timeline.raw("pack", 0, FOREVER)
    assert np.nanmax(rows[:, CURRENT]) == pytest.approx(10)
    assert np.nanmin(rows[:, CURRENT]) == pytest.approx(0)
    dialog.accept()


def test_the_profile_is_saved_and_opens_the_same_bus_corrected(
    odd: Replay, open_window: Callable[..., Window], qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(odd)
    window.deeds.do("mapping")
    dialog = dialog_of(window, qtbot)
    type_role(dialog, "Cells.Alpha", "cell.4.voltage", qtbot)
    qtbot.waitUntil(dialog.turn.isEnabled, timeout=30_000)
    dialog.turn.click()
    qtbot.waitUntil(lambda: not odd.mapping().busy, timeout=30_000)
    target = tmp_path / "pack.toml"
    dialog.save_to(target)
    assert str(target) in dialog.message.text()
    profile = load_profile(target)
    assert profile.current_sign == "+charge"
    assert [(n, str(r)) for n, r in profile.mapping] == [("Cells.Alpha", "cell.4.voltage")]
    assert (tmp_path / profile.databases[0]).read_text("utf-8") == odd_database().text
    dialog.save_to(tmp_path / "missing" / "pack.toml")
    assert dialog.message.text().startswith("pack.toml: ")
    dialog.accept()


def test_trace_leads_to_the_role_of_the_selected_signal(
    odd: Replay, open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(odd)
    window.show_page("trace")
    tick(window)
    page = window.page
    assert isinstance(page, TracePage)
    assert not page.use_as.isVisible()
    page._show_bits(256, 0, bytes(8))
    page.bits.signal_selected.emit("Alpha")
    settle()
    assert page.use_as.isVisible()
    page.use_as.click()
    dialog = dialog_of(window, qtbot)
    assert dialog.table.chosen() == "Cells.Alpha"
    assert dialog.table.findChild(QLineEdit) is not None
    dialog.accept()
    page._show_bits(257, 0, bytes(8))
    assert not page.use_as.isVisible()


def test_the_protocols_name_in_the_top_bar_opens_it(
    scooter: Replay, open_window: Callable[..., Window], qtbot: QtBot
) -> None:
    window = open_window(scooter)
    qtbot.mouseClick(window.top._protocol, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    dialog_of(window, qtbot).accept()


@pytest.mark.parametrize(("theme", "language"), [("dark", "en"), ("light", "zh_CN")])
def test_no_word_is_clipped_in_a_small_window(
    odd: Replay, open_window: Callable[..., Window], qtbot: QtBot, theme: str, language: str
) -> None:
    window = open_window(odd, theme, language)
    window.deeds.do("mapping")
    dialog = dialog_of(window, qtbot)
    dialog.resize(1180, 600)
    settle()
    assert not clipped(dialog)
    dialog.accept()


def test_a_recording_of_samples_says_that_it_has_no_signals(
    open_window: Callable[..., Window], qtbot: QtBot, tmp_path: Path
) -> None:
    target = tmp_path / "samples.h5"
    time = 1_700_000_000_000_000_000 + np.arange(50, dtype=np.int64) * 100_000_000
    with RecordingWriter(target, RecordingAttributes("import")) as writer:
        writer.rows("/cells", time, {"voltage": np.full((50, 4), 3.7, np.float32)})
        writer.close()
    replay = replay_of(target)
    try:
        with pytest.raises(ValueError, match="made of samples: it has no signals"):
            replay.use_as("Cells", "Alpha", "cell.1.voltage")
        replay.mapping()
        qtbot.waitUntil(lambda: not replay.mapping().busy, timeout=30_000)
        assert replay.mapping().rows == ()
    finally:
        replay.disconnect()


def test_an_index_is_counted_from_the_other_start_with_one_button(
    open_window: Callable[..., Window], qtbot: QtBot, tmp_path: Path
) -> None:
    database = odd_database(INDEXED)
    rounds = [
        frame(
            database.messages[0], START_NS + k * 50_000_000, Cell_Index=k % 6 + 1, Cell_Voltage=3700
        )
        for k in range(200)
    ]
    target = tmp_path / "indexed.h5"
    request = Request(databases=(database,))
    build([Item(frames=concatenate(rounds))], target, RecordingAttributes("import"), request)
    replay = replay_of(target)
    try:
        window = open_window(replay)
        window.deeds.do("mapping")
        dialog = dialog_of(window, qtbot)
        assert dialog.index_button.text() == "Count from 0"
        assert "counts from 1" in dialog.index_note.text()
        assert len(replay.timeline.columns("cells")) == 6
        dialog.index_button.click()
        qtbot.waitUntil(lambda: not replay.mapping().busy, timeout=30_000)
        dialog.refresh()
        assert dialog.index_button.text() == "Count from 1"
        assert len(replay.timeline.columns("cells")) == 7
        assert "first_cell = 0" in replay.profile_text()
        dialog.accept()
        window.context.view = None
    finally:
        replay.disconnect()
