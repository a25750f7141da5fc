"""Frames on screen: by identifier, in order, bit by bit, and as text that other tools read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import can
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from widgets.bit_layout import BitLayout, BitSignal, bit_color, letter, owners
from widgets.frame_table import Column, FrameTable, fade_colors
from widgets.frame_text import (
    FrameFilter,
    age_text,
    bytes_text,
    candump_line,
    flags_text,
    id_text,
    period_text,
)
from widgets.theme import DARK, LIGHT, Theme, apply_theme, contrast
from widgets.trace_view import TraceView

THEMES = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
START = 1_700_000_000_000_000_000


@pytest.fixture(autouse=True)
def restored(qapp: QApplication) -> Iterator[None]:
    """Leave the dark theme behind."""
    apply_theme(qapp, DARK)
    yield
    apply_theme(qapp, DARK)


@dataclass
class Table:
    """An identifier table as arrays."""

    id: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    count: NDArray[np.int64]
    time: NDArray[np.int64]
    period_s: NDArray[np.float64]
    jitter_s: NDArray[np.float64]
    length: NDArray[np.uint8]
    data: NDArray[np.uint8]
    changed: NDArray[np.int64]


def id_table(ids: list[int], width: int = 8) -> Table:
    n = len(ids)
    return Table(
        np.array(ids, np.uint32),
        np.array([1 if i > 0x7FF else 0 for i in ids], np.uint8),
        np.zeros(n, np.uint8),
        np.arange(1, n + 1) * 1000,
        np.full(n, START - 50_000_000),
        np.full(n, 0.1),
        np.full(n, 0.002),
        np.full(n, width, np.uint8),
        (np.arange(n * width) % 256).astype(np.uint8).reshape(n, width),
        np.zeros((n, width), np.int64),
    )


@dataclass
class Log:
    """Frames in order, numbered from 0; `held` of them have arrived."""

    time: NDArray[np.int64]
    id: NDArray[np.uint32]
    flags: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    length: NDArray[np.uint8]
    data: NDArray[np.uint8]
    held: int
    asked: int = 0

    def count(self) -> int:
        return self.held

    def rows(self, first: int, count: int) -> "Log":
        self.asked = max(self.asked, count)
        part = slice(max(first, 0), min(first + count, self.held))
        columns = (self.time, self.id, self.flags, self.channel, self.length, self.data)
        return Log(*(column[part] for column in columns), held=0)


def log(total: int, held: int) -> Log:
    return Log(
        START + np.arange(total) * 1_100_000,
        (np.arange(total) % 64 + 0x100).astype(np.uint32),
        np.zeros(total, np.uint8),
        np.zeros(total, np.uint8),
        np.full(total, 8, np.uint8),
        np.random.default_rng(0).integers(0, 256, (total, 8), dtype=np.uint8),
        held,
    )


def picture(widget: QWidget) -> NDArray[np.uint32]:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_ARGB32)
    pixels = np.frombuffer(image.constBits(), np.uint32)
    return pixels.reshape(image.height(), image.width()).copy()


# text


def test_candump_lines_are_read_back_by_python_can(tmp_path: Path) -> None:
    payload = np.array([0x11, 0x22, 0xFF], np.uint8)
    long = np.arange(16, dtype=np.uint8)
    lines = [
        candump_line(1_700_000_000_123_456_789, "can0", 0x123, 0, payload),
        candump_line(1_700_000_000_223_456_000, "can0", 0x18FF50E5, 1, payload),
        candump_line(1_700_000_000_323_456_000, "can0", 0x123, 2 | 4, long),
        candump_line(1_700_000_000_423_456_000, "can0", 0x124, 8, payload[:0]),
    ]
    assert lines[0] == "(1700000000.123456) can0 123#1122FF"
    path = tmp_path / "copied.log"
    path.write_text("\n".join(lines) + "\n")
    first, extended, fd, remote = can.CanutilsLogReader(path)
    assert (first.arbitration_id, bytes(first.data), first.is_extended_id) == (
        0x123,
        b"\x11\x22\xff",
        False,
    )
    assert first.timestamp == pytest.approx(1_700_000_000.123456, abs=1e-6)
    assert (extended.arbitration_id, extended.is_extended_id) == (0x18FF50E5, True)
    assert (fd.is_fd, fd.bitrate_switch, bytes(fd.data)) == (True, True, long.tobytes())
    assert remote.is_remote_frame


def test_numbers_of_frames_are_written_as_people_read_them() -> None:
    assert id_text(0x12, 0) == "012"
    assert id_text(0x12, 1) == "00000012"
    assert bytes_text(np.array([1, 171, 9], np.uint8), 2) == "01 AB"
    assert flags_text(16) == "ERR"
    assert flags_text(2 | 4 | 32) == "FD BRS TX"
    assert period_text(0.1, 0.0021) == "100.0 ± 2.1"
    assert period_text(float("nan"), float("nan")) == "–"
    assert (age_text(0.04), age_text(42.3), age_text(600)) == ("0.0 s", "42 s", "10 min")
    assert age_text(float("nan")) == "–"


def test_filter_takes_ids_ranges_and_names() -> None:
    ids = np.array([0x100, 0x120, 0x1FF, 0x18FF50E5], np.uint32)
    flags = np.array([0, 0, 0, 1], np.uint8)
    names = ["Pack", "Cell-Voltages", "Pack status", ""]

    def kept(text: str) -> list[bool]:
        return [bool(k) for k in FrameFilter(text).ids(ids, flags, names)]

    assert kept("") == [True] * 4
    assert kept("0x120") == [False, True, False, False]
    assert kept("50e5") == [False, False, False, True]
    assert kept("110-1ff") == [False, True, True, False]
    assert kept("pack, 120") == [True, True, True, False]
    assert kept("cell-voltages") == [False, True, False, False]
    assert kept("nothing") == [False] * 4


# by identifier


def table_view(qtbot: QtBot, table: Table) -> FrameTable:
    view = FrameTable()
    qtbot.addWidget(view)
    view.resize(1100, 400)
    view.set_callables(
        lambda frame_id, flags: f"Message_{frame_id:X}",
        lambda frame_id, flags, payload: f"first {payload[0]}",
    )
    view.set_rows(table, START)
    view.show()
    return view


def cell(view: FrameTable, row: int, column: Column) -> str:
    model = view.model()
    return str(model.data(model.index(row, column)))


@THEMES
def test_rows_tell_id_name_count_period_age_and_bytes(
    qtbot: QtBot, qapp: QApplication, theme: Theme
) -> None:
    apply_theme(qapp, theme)
    view = table_view(qtbot, id_table([0x200, 0x100, 0x18FF0000]))
    assert [cell(view, row, Column.ID) for row in range(3)] == ["100", "200", "18FF0000"]
    assert cell(view, 0, Column.NAME) == "Message_100"
    assert cell(view, 0, Column.COUNT) == "2 000"
    assert cell(view, 0, Column.PERIOD) == "100.0 ± 2.0"
    assert cell(view, 0, Column.AGE) == "0.1 s"
    assert cell(view, 0, Column.DATA).startswith("08 09 0A")
    assert cell(view, 0, Column.SUMMARY) == "first 8"
    assert len(np.unique(picture(view.viewport()))) > 20


@THEMES
def test_a_changed_byte_lights_up_fades_and_stays_readable(
    qtbot: QtBot, qapp: QApplication, theme: Theme
) -> None:
    apply_theme(qapp, theme)
    for ground in fade_colors(theme):
        assert contrast(theme.text, ground) >= 4.5
    table = id_table([0x100])
    view = table_view(qtbot, table)
    quiet = picture(view.viewport())
    table.changed[0, 3] = START - 100_000_000
    view.set_rows(table, START)
    lit = picture(view.viewport())
    assert (lit != quiet).any()
    table.time[0] += 3_000_000_000
    view.set_rows(table, START + 3_000_000_000)
    assert (picture(view.viewport()) == quiet).all()


def test_new_identifiers_keep_the_selection_and_their_order(qtbot: QtBot) -> None:
    view = table_view(qtbot, id_table([0x100, 0x300]))
    with qtbot.waitSignal(view.frame_selected) as selected:
        view.select(0x300)
    assert selected.args == [(0x300, 0, 0)]
    with qtbot.assertNotEmitted(view.frame_selected):
        view.set_rows(id_table([0x100, 0x200, 0x300]), START)
    assert view.selected() == (0x300, 0, 0)
    assert [index.row() for index in view.selectionModel().selectedRows()] == [2]


def test_a_selected_identifier_that_the_filter_hides_is_deselected(qtbot: QtBot) -> None:
    view = table_view(qtbot, id_table([0x100, 0x300]))
    view.select(0x300)
    with qtbot.waitSignal(view.frame_selected) as selected:
        view.set_filter("100")
    assert selected.args == [None]
    assert view.model().rowCount() == 1


def test_rows_stand_still_while_counts_change(qtbot: QtBot) -> None:
    table = id_table([0x100, 0x200, 0x300])
    view = table_view(qtbot, table)
    view.sortByColumn(Column.COUNT, Qt.SortOrder.DescendingOrder)
    order = [cell(view, row, Column.ID) for row in range(3)]
    assert order == ["300", "200", "100"]
    table.count[0] = 1_000_000
    view.set_rows(table, START)
    assert [cell(view, row, Column.ID) for row in range(3)] == order
    assert cell(view, 2, Column.COUNT) == "1 000 000"


def test_summaries_are_asked_only_for_rows_in_sight(qtbot: QtBot) -> None:
    asked: set[int] = set()

    def summary(frame_id: int, flags: int, payload: bytes) -> str:
        asked.add(frame_id)
        return "x"

    view = FrameTable()
    qtbot.addWidget(view)
    view.resize(1200, 400)
    view.set_callables(lambda frame_id, flags: "", summary)
    view.set_rows(id_table(list(range(2000))), START)
    view.show()
    picture(view)
    assert 5 < len(asked) < 30


def test_copying_a_row_gives_its_candump_line(qtbot: QtBot) -> None:
    view = table_view(qtbot, id_table([0x100, 0x300]))
    view.set_channel_names(("vcan0",))
    view.select(0x300)
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    expected = "(1699999999.950000) vcan0 300#08090A0B0C0D0E0F"
    assert QGuiApplication.clipboard().text() == expected


def test_an_empty_table_says_why(qtbot: QtBot) -> None:
    view = table_view(qtbot, id_table([]))
    blank = picture(view.viewport())
    view.set_empty("no frames yet")
    assert (picture(view.viewport()) != blank).any()


def test_fd_frames_are_cut_visibly_not_clipped(qtbot: QtBot) -> None:
    view = table_view(qtbot, id_table([0x100], width=64))
    assert len(cell(view, 0, Column.DATA).split()) == 64
    picture(view)


# in order


def trace(qtbot: QtBot, source: Log) -> TraceView:
    view = TraceView()
    qtbot.addWidget(view)
    view.resize(900, 30 + 22 * 10 + 4)
    view.set_words(lambda count: f"{count} new", "nothing yet")
    view.set_source(source.count, source.rows)
    view.show()
    view.refresh()
    return view


def test_the_newest_frame_stays_in_sight_and_only_rows_in_sight_are_asked(qtbot: QtBot) -> None:
    source = log(3_000_000, 2_000_000)
    view = trace(qtbot, source)
    bar = view.verticalScrollBar()
    assert bar.value() == bar.maximum()
    source.held = 3_000_000
    view.refresh()
    picture(view)
    assert bar.value() == bar.maximum() >= 2_999_980
    assert source.asked < 40


def test_scrolled_back_it_stands_still_and_offers_the_way_back(qtbot: QtBot) -> None:
    source = log(2000, 1000)
    view = trace(qtbot, source)
    with qtbot.waitSignal(view.following_changed) as told:
        view.verticalScrollBar().setValue(500)
    assert told.args == [False]
    still = picture(view.viewport())
    source.held = 1250
    view.refresh()
    assert view.verticalScrollBar().value() == 500
    button = view.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    ways_back = [w for w in button if w.accessibleName() == "250 new" and w.isVisible()]
    assert len(ways_back) == 1
    ways_back[0].hide()
    assert (picture(view.viewport()) == still).all()
    view.set_following(True)
    assert view.following
    assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum()


def test_scrolling_to_the_end_follows_again(qtbot: QtBot) -> None:
    source = log(2000, 1000)
    view = trace(qtbot, source)
    view.verticalScrollBar().setValue(500)
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
    assert view.following
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert not view.following
    qtbot.keyClick(view, Qt.Key.Key_End)
    assert view.following


def test_a_selected_frame_stays_while_others_arrive(qtbot: QtBot) -> None:
    source = log(2000, 1000)
    view = trace(qtbot, source)
    with qtbot.waitSignal(view.frame_selected) as selected:
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(200, 22 * 3 + 5))
    number = selected.args[0]
    source.held = 1500
    view.refresh()
    assert view.selection() == (number, number)
    qtbot.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert view.selection() == (number, number + 1)


def test_selected_frames_copy_as_candump(qtbot: QtBot) -> None:
    source = log(100, 100)
    view = trace(qtbot, source)
    view.show_row(40)
    qtbot.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().split("\n")
    payloads = [source.data[i].tobytes().hex().upper() for i in (40, 41)]
    assert [line.split("#")[1] for line in lines] == payloads


def test_frames_given_up_for_space_leave_the_view_at_the_oldest_held(qtbot: QtBot) -> None:
    source, oldest = log(3000, 2000), [0]
    view = TraceView()
    qtbot.addWidget(view)
    view.resize(900, 254)
    view.set_source(source.count, source.rows, lambda: oldest[0])
    view.show()
    view.verticalScrollBar().setValue(100)
    oldest[0] = 1000
    view.refresh()
    assert view.verticalScrollBar().minimum() == 1000
    assert view.verticalScrollBar().value() == 1000


@pytest.mark.parametrize("held", [0, 1, 5])
def test_few_frames_or_none_are_no_error(qtbot: QtBot, held: int) -> None:
    view = trace(qtbot, log(5, held))
    picture(view)
    for key in (Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_A):
        qtbot.keyClick(view, key)
    assert len(view.candump_text().splitlines()) <= max(held, 1)


def test_the_trace_wants_eight_titles(qtbot: QtBot) -> None:
    view = trace(qtbot, log(5, 5))
    with pytest.raises(ValueError, match="8 columns"):
        view.set_headers(("Time",))


# bit by bit


def test_bits_belong_to_intel_and_motorola_signals_alike() -> None:
    intel = BitSignal("intel", tuple(range(15, -1, -1)))  # bytes 0 and 1
    motorola = BitSignal("motorola", (23, 22, 21, 20, 19, 18, 17, 16, 31, 30, 29, 28))
    table = owners([intel, motorola], 8)
    assert (table[:2] == 0).all()
    assert (table[2] == 1).all()
    assert table[3].tolist() == [1, 1, 1, 1, -1, -1, -1, -1]
    assert (table[4:] == -1).all()
    overlap = owners([intel, BitSignal("again", (0,))], 8)
    assert overlap[0, 7] == -2


def test_bits_outside_a_short_frame_are_left_out() -> None:
    assert (owners([BitSignal("long", tuple(range(64)))], 2) == 0).all()


def test_letters_go_on_after_z() -> None:
    assert [letter(i) for i in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]


@THEMES
def test_bit_values_read_on_every_signal_colour(theme: Theme) -> None:
    for owner in range(-2, len(theme.series)):
        ink = theme.muted if owner == -1 else theme.text
        assert contrast(ink, bit_color(theme, owner)) >= 4.5


def test_clicking_a_bit_names_its_signal(qtbot: QtBot) -> None:
    view = BitLayout()
    qtbot.addWidget(view)
    view.resize(620, 320)
    view.set_signals([BitSignal("low", tuple(range(7, -1, -1)), "7"), BitSignal("high", (15,))])
    view.set_frame("120 Message", np.arange(8, dtype=np.uint8), 8)
    view.show()
    names = []
    view.signal_selected.connect(names.append)
    sheet = view.widget()
    # Column of bit 7: byte 0 belongs to `low`, byte 1 to `high`, byte 2 to nobody.
    for byte in range(3):
        point = QPoint(34 + 12, 30 + 24 + 23 * byte + 11)
        qtbot.mouseClick(sheet, Qt.MouseButton.LeftButton, pos=point)
    assert names == ["low", "high"]
    assert "low 7" in sheet.accessibleName()


@THEMES
@pytest.mark.parametrize("length", [0, 1, 8, 64])
def test_frames_of_every_length_are_drawn(
    qtbot: QtBot, qapp: QApplication, theme: Theme, length: int
) -> None:
    apply_theme(qapp, theme)
    view = BitLayout()
    qtbot.addWidget(view)
    view.resize(620, 320)
    view.set_empty("select a frame")
    view.show()
    nothing = picture(view)
    view.set_signals([BitSignal(f"s{i}", tuple(range(8 * i, 8 * i + 8))) for i in range(length)])
    view.set_frame("1 x", np.zeros(length, np.uint8), length)
    assert (picture(view) != nothing).any()


def test_too_few_bytes_are_refused(qtbot: QtBot) -> None:
    view = BitLayout()
    qtbot.addWidget(view)
    with pytest.raises(ValueError, match="8 bytes came with only 2"):
        view.set_frame("x", np.zeros(2, np.uint8), 8)
