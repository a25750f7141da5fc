"""Panels, tiles, bars, lists and the palette: nothing clips, nothing jumps, colour never alone."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication, QImage, QPainter
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from widgets.action_button import ActionButton
from widgets.alert_list import Alert, AlertList
from widgets.balance_strip import BalanceRow, BalanceStrip, bars
from widgets.cards import CardItem, Cards
from widgets.icons import NAMES, icon_pixmap, paint_icon, severity_shape
from widgets.measure_table import Measurement, MeasureTable, number_text
from widgets.palette_dialog import Command, PaletteDialog, matches
from widgets.panel import Panel
from widgets.rail import Rail, RailItem
from widgets.signal_tree import (
    MIME,
    SignalGroup,
    SignalItem,
    SignalTree,
    decode_keys,
    encode_keys,
)
from widgets.text_line import TextLine
from widgets.theme import DARK, LIGHT, Theme, apply_theme, font
from widgets.top_bar import TopBar, TopBarState
from widgets.value_tile import TileText, ValueTile
from widgets.verdict_strip import VerdictStrip, VerdictText, two_lines

THEMES = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
CLICK = Qt.MouseButton.LeftButton
NAN = float("nan")


@pytest.fixture(autouse=True)
def restored(qapp: QApplication) -> Iterator[None]:
    """Leave the dark theme behind."""
    apply_theme(qapp, DARK)
    yield
    apply_theme(qapp, DARK)


def picture(widget: QWidget) -> NDArray[np.uint32]:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_ARGB32)
    pixels = np.frombuffer(image.constBits(), np.uint32)
    return pixels.reshape(image.height(), image.width()).copy()


def shown(qtbot: QtBot, widget: QWidget, width: int, height: int) -> QWidget:
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()
    return widget


# icons


@pytest.mark.parametrize("name", NAMES)
def test_every_icon_draws_inside_its_box(qapp: QApplication, name: str) -> None:
    image = icon_pixmap(name, 48, DARK.text).toImage()
    ink = np.array([[image.pixelColor(x, y).alpha() for x in range(48)] for y in range(48)])
    assert (ink > 128).sum() > 40
    assert ink[0].max() < 40
    assert ink[:, 0].max() < 40
    assert ink[-1].max() < 40
    assert ink[:, -1].max() < 40


def test_an_unknown_icon_is_refused_by_name(qapp: QApplication) -> None:
    image = QImage(8, 8, QImage.Format.Format_ARGB32)
    painter = QPainter(image)
    with pytest.raises(KeyError, match="no icon is called 'bogus'"):
        paint_icon(painter, "bogus", QRectF(0, 0, 8, 8), DARK.text)
    painter.end()


def test_severities_differ_in_shape_not_only_in_colour(qapp: QApplication) -> None:
    shapes = set()
    for severity in ("high", "watch", "ok", "info"):
        image = QImage(24, 24, QImage.Format.Format_ARGB32)
        image.fill(0)
        painter = QPainter(image)
        severity_shape(painter, severity, QRectF(2, 2, 20, 20), DARK.text)
        painter.end()
        pixels = np.frombuffer(image.constBits(), np.uint32).reshape(24, 24)
        shapes.add((pixels > 0).tobytes())
    assert len(shapes) == 4


# lines, buttons, panels


def test_a_steady_line_keeps_the_widest_width_it_had(qtbot: QtBot) -> None:
    line = TextLine("1 842 frames/s", steady=True)
    qtbot.addWidget(line)
    wide = line.sizeHint().width()
    line.set_text("9 frames/s")
    assert line.sizeHint().width() == wide


def test_digits_do_not_move_what_stands_behind_them(qtbot: QtBot) -> None:
    line = TextLine("1.111")
    qtbot.addWidget(line)
    narrow = line.sizeHint().width()
    line.set_text("8.888")
    assert line.sizeHint().width() == narrow


def test_segments_choose_one_and_tell_only_changes(qtbot: QtBot) -> None:
    panel = Panel("Cells", "scan 98 ms")
    shown(qtbot, panel, 900, 200)
    panel.set_segments([("v", "Voltage"), ("d", "Deviation"), ("b", "Balancing")])
    assert panel.segment() == "v"
    heard: list[str] = []
    panel.segment_changed.connect(heard.append)
    buttons = {b.text(): b for b in panel.findChildren(ActionButton)}
    for text in ("Deviation", "Deviation", "Balancing"):
        qtbot.mouseClick(buttons[text], CLICK)
    assert heard == ["d", "b"]
    assert [b.isChecked() for b in buttons.values()] == [False, False, True]
    panel.set_segments([("v", "电压"), ("d", "偏差"), ("b", "均衡")])
    assert panel.segment() == "b"
    assert {b.text() for b in panel.findChildren(ActionButton)} == {"电压", "偏差", "均衡"}


def test_a_segment_without_data_says_why(qtbot: QtBot) -> None:
    panel = Panel("Cells")
    shown(qtbot, panel, 600, 100)
    panel.set_segments([("v", "Voltage"), ("b", "Balancing")])
    panel.set_segment_enabled("b", False, "this BMS does not report balancing")
    button = panel.findChildren(ActionButton)[1]
    with qtbot.assertNotEmitted(panel.segment_changed):
        qtbot.mouseClick(button, CLICK)
    assert button.toolTip() == "this BMS does not report balancing"


# tiles and verdict


@THEMES
def test_a_tile_shows_value_dash_state_and_reason(
    qtbot: QtBot, qapp: QApplication, theme: Theme
) -> None:
    apply_theme(qapp, theme)
    tile = ValueTile()
    shown(qtbot, tile, 240, 80)
    seen = set()
    for text in (
        TileText("Cell spread", "53", "mV", "13 lowest"),
        TileText("Cell spread", "53", "mV", "13 lowest", "watch"),
        TileText("Cell spread", "53", "mV", "13 lowest", "high"),
        TileText("Cell spread", "", "mV", "", "", "needs all cells"),
    ):
        tile.set(text)
        seen.add(picture(tile).tobytes())
    assert len(seen) == 4
    assert tile.accessibleName() == "Cell spread – needs all cells"


def test_a_state_has_a_shape_besides_its_colour(qtbot: QtBot) -> None:
    tile = ValueTile()
    shown(qtbot, tile, 240, 80)
    corners = []
    for state in ("", "watch", "high"):
        tile.set(TileText("a", "1", "V", "", state))
        corners.append(picture(tile)[10:26, 210:230])
    assert len(np.unique(corners[0])) == 1
    disc, triangle = (corner != corners[0][0, 0] for corner in corners[1:])
    assert disc.any()
    assert (disc != triangle).any()


@pytest.mark.parametrize("width", [120, 180, 240])
def test_a_long_number_shrinks_and_never_leaves_the_tile(qtbot: QtBot, width: int) -> None:
    tile = ValueTile()
    shown(qtbot, tile, width, 80)
    tile.set(TileText("C", "", "", "", "", ""))
    blank = picture(tile)
    tile.set(TileText("Caption " * 9, "−1234.56", "kWh", "sub line " * 9, "high"))
    drawn = picture(tile) != blank
    assert drawn.any()
    assert not drawn[:, -8:].any()
    assert not drawn[:, :8].any()


@THEMES
@pytest.mark.parametrize("width", [760, 1190, 1510])
def test_the_verdict_keeps_word_and_identity_apart(
    qtbot: QtBot, qapp: QApplication, theme: Theme, width: int
) -> None:
    apply_theme(qapp, theme)
    strip = VerdictStrip()
    shown(qtbot, strip, width, 68)
    long = "The joint or cell 13 has 1.9 × the resistance of its neighbours; " * 3
    words = ("NOT ENOUGH DATA", "", long, long, "Pack 7F-0233 · 20s NMC 31 Ah", "ride")
    strip.set(VerdictText(*words, tag="SIMULATED"))
    crowded = picture(strip)
    strip.set(VerdictText(*words[:2], "", "", *words[4:], tag="SIMULATED"))
    quiet = picture(strip)
    # The sentences end before the identity begins: the right quarter is the same with and without.
    columns = np.flatnonzero((crowded != quiet).any(axis=0))
    identity = np.flatnonzero((quiet[20:60] != quiet[5, width // 2]).any(axis=0))
    block = identity[identity > width * 0.6].min()
    assert columns.max() < block
    assert "NOT ENOUGH DATA" in strip.accessibleName()


@pytest.mark.parametrize(
    "text", ["word " * 60, "检查电芯之间的连接" * 20], ids=["english", "chinese"]
)
def test_a_long_detail_takes_two_lines_before_it_is_cut(qapp: QApplication, text: str) -> None:
    width = 500.0
    measure = QFontMetricsF(font(12))
    first, second = two_lines(text, font(12), width)
    assert text.startswith(first)
    assert second.endswith("…")
    assert measure.horizontalAdvance(first.rstrip()) <= width
    assert measure.horizontalAdvance(second) <= width
    assert measure.horizontalAdvance(first) > 0.8 * width
    assert two_lines("short", font(12), width) == ["short"]
    assert two_lines("", font(12), width) == []


def test_the_edge_of_the_verdict_has_the_colour_of_its_severity(qtbot: QtBot) -> None:
    strip = VerdictStrip()
    shown(qtbot, strip, 900, 68)
    for severity in ("ok", "watch", "stop", ""):
        strip.set(VerdictText("WORD", severity, "headline"))
        assert picture(strip)[34, 3] == DARK.severity(severity).rgba()


# rail, cards, top bar


def test_the_rail_marks_one_page_and_tells_changes(qtbot: QtBot) -> None:
    rail = Rail()
    shown(qtbot, rail, 76, 600)
    pages = [RailItem(key, key.title(), key) for key in ("live", "cells", "trace")]
    rail.set_items(pages)
    rail.set_current("live")
    QApplication.processEvents()
    heard: list[str] = []
    rail.page_selected.connect(heard.append)
    for y in (8 + 62 + 30, 8 + 62 + 30, 8 + 124 + 30):
        child = rail.childAt(QPoint(38, y))
        assert child is not None
        qtbot.mouseClick(child, CLICK)
    assert heard == ["cells", "trace"]
    assert rail.current() == "trace"
    rail.set_items([RailItem("live", "实时", "live"), *pages[1:]])
    assert rail.current() == "trace"
    plain = picture(rail)
    rail.set_badge("live", "high")
    assert (picture(rail) != plain).any()


def test_a_card_is_chosen_by_mouse_and_keyboard(qtbot: QtBot) -> None:
    cards = Cards()
    shown(qtbot, cards, 1100, 500)
    cards.set_heading("What shall we look at?")
    cards.set_items(
        [
            CardItem("check", "check", "Check a pack", "text", "Connect…", primary=True),
            CardItem("open", "open", "Open a recording", "text", "Open…"),
            CardItem("demo", "demo", "演示", "文字", "开始"),
        ]
    )
    QApplication.processEvents()
    heard: list[str] = []
    cards.chosen.connect(heard.append)
    card = cards.childAt(QPoint(550, 300))
    assert card is not None
    qtbot.mouseClick(card, CLICK)
    qtbot.keyClick(card, Qt.Key.Key_Space)
    assert heard == ["open", "open"]
    assert card.accessibleName() == "Open a recording. Open…"


ENGLISH = TopBarState(
    "BMS Studio",
    "connected",
    "CANable · serial 2057 · 500 kbit/s",
    "VESC BMS",
    "LISTEN",
    "ok",
    "Change…",
    "1 842 frames/s",
    "bus 41 %",
    "0 lost",
    "muted",
    True,
    "Recording 00:14:32",
    "text",
    "Stop",
    "Mark",
    "English",
    "Settings",
)
CHINESE = TopBarState(
    "BMS Studio",
    "stale",
    "CANable · 序列号 2057 · 500 kbit/s",
    "特斯拉 Model 3",
    "只应答",
    "accent",
    "更改…",
    "1 842 帧/秒",
    "总线负载 41 %",
    "丢失 12",
    "high",
    False,
    "未录制：磁盘已满",
    "high",
    "录制",
    "标记",
    "简体中文",
    "设置",
)
CROWDED = TopBarState(
    "BMS Studio",
    "lost",
    "slcan · /dev/serial/by-id/usb-Openlight_Labs_CANable2 · reconnecting in 3 s",
    "Orion BMS 2 with thermistor module",
    "ACKNOWLEDGE",
    "accent",
    "Change…",
    "11 842 frames/s",
    "bus 100 %",
    "12 345 lost",
    "high",
    False,
    "Not recording: disk full",
    "high",
    "Record",
    "Mark",
    "English",
    "Settings",
)


@pytest.mark.parametrize("state", [ENGLISH, CHINESE, CROWDED], ids=["english", "chinese", "long"])
@pytest.mark.parametrize("width", [1024, 1280, 1600, 2200])
def test_nothing_clips_in_the_top_bar(qtbot: QtBot, width: int, state: TopBarState) -> None:
    bar = TopBar()
    shown(qtbot, bar, width, 52)
    bar.set(state)
    QApplication.processEvents()
    parts = [w for w in bar.findChildren(QWidget) if w.isVisible()]
    cut = (state.adapter, state.protocol)  # these two elide
    for part in parts:
        left = part.mapTo(bar, QPoint(0, 0)).x()
        assert left >= 0
        assert left + part.width() <= width
        if isinstance(part, TextLine | ActionButton) and part.accessibleName() not in cut:
            assert part.width() >= part.sizeHint().width(), part.accessibleName()
    seen = {w.accessibleName() for w in parts}
    assert {state.mode, state.rate, state.lost, state.record} <= seen
    assert state.load in seen or width < 1280


def test_a_wide_top_bar_says_everything(qtbot: QtBot) -> None:
    bar = TopBar()
    shown(qtbot, bar, 1600, 52)
    bar.set(ENGLISH)
    seen = {w.accessibleName() for w in bar.findChildren(QWidget) if w.isVisible()}
    assert {"BMS Studio", "Mark", "English", "Stop", "VESC BMS"} <= seen


def test_buttons_of_the_top_bar_tell_their_clicks(qtbot: QtBot) -> None:
    bar = TopBar()
    shown(qtbot, bar, 1600, 52)
    bar.set(ENGLISH)
    signals = {
        "Change…": bar.change_clicked,
        "Stop": bar.record_clicked,
        "Mark": bar.mark_clicked,
        "English": bar.language_clicked,
        "Settings": bar.settings_clicked,
    }
    for button in bar.findChildren(ActionButton):
        with qtbot.waitSignal(signals.pop(button.accessibleName())):
            qtbot.mouseClick(button, CLICK)
    assert not signals


def test_the_link_and_the_recording_are_told_by_shape_too(qtbot: QtBot) -> None:
    """A filled dot while connected, a ring when lost: readable without colour."""
    bar = TopBar()
    shown(qtbot, bar, 1600, 52)
    bar.set(TopBarState(link="connected", adapter="x"))
    filled = picture(bar)
    bar.set(TopBarState(link="lost", adapter="x"))
    ring = picture(bar)
    rows, columns = np.nonzero(filled != ring)
    y, x = int(np.median(rows)), int(np.median(columns))
    assert filled[y, x] != ring[y, x]
    assert ring[y, x] == DARK.raised.rgba()


# alerts and balancing


def alerts(count: int) -> list[Alert]:
    return [
        Alert(str(i), ("high", "watch", "resolved")[i % 3], "00:13:41", f"sentence {i} " * 12, i)
        for i in range(count)
    ]


@THEMES
def test_alerts_are_rows_that_can_be_chosen(qtbot: QtBot, qapp: QApplication, theme: Theme) -> None:
    apply_theme(qapp, theme)
    view = AlertList()
    shown(qtbot, view, 420, 300)
    view.set_title("Alerts")
    view.set_empty("nothing found")
    nothing = picture(view)
    view.set_counts([("high", "1 high"), ("watch", "2 watch"), ("resolved", "3 resolved")])
    view.set_alerts(alerts(40))
    assert (picture(view) != nothing).any()
    heard: list[str] = []
    view.alert_selected.connect(heard.append)
    qtbot.mouseClick(view.rows.viewport(), CLICK, pos=QPoint(100, 42 + 10))
    for _ in range(9):
        qtbot.keyClick(view.rows, Qt.Key.Key_Down)
    assert heard == [str(i) for i in range(1, 11)]
    assert view.rows.verticalScrollBar().value() > 0
    # The edge of the first row in sight has its severity's colour somewhere.
    colors = {theme.severity(s).rgba() for s in ("high", "watch", "resolved")}
    assert colors <= set(picture(view.rows.viewport())[:, 1].tolist())


def test_a_long_note_is_told_in_full_where_there_is_room(qtbot: QtBot) -> None:
    view = AlertList()
    shown(qtbot, view, 380, 300)
    long = Alert("1", "watch", "10:00:00", "a", note="what to do about it, said at length " * 3)
    view.set_alerts([long])
    tall = view.rows._row
    view.set_alerts([replace(long, note="brief")])
    assert view.rows._row < tall
    view.set_alerts([replace(long, id=str(k)) for k in range(9)])
    assert view.rows._row < tall  # nine such rows would not be seen at once


def test_bars_are_clipped_merged_and_never_too_thin_to_see() -> None:
    intervals = np.array([[0, 10], [40, 41], [41, 60], [95, 300]], np.int64)
    assert bars(intervals, 5, 105, 100.0, 200.0) == [
        (100.0, 10.0),
        (170.0, 40.0),
        (280.0, 20.0),
    ]
    assert bars(np.array([[50, 50]], np.int64), 0, 1_000_000, 0.0, 100.0)[0][1] == 2.0
    assert bars(intervals, 400, 500, 0.0, 100.0) == []
    assert bars(intervals, 5, 5, 0.0, 100.0) == []


def test_balancing_rows_show_and_tell_their_cell(qtbot: QtBot) -> None:
    strip = BalanceStrip()
    shown(qtbot, strip, 400, 80)
    strip.set_empty("no cell has been balanced")
    strip.set_span(0, 100)
    strip.set_rows([BalanceRow(2, "cell 2", np.array([[50, 100]]), True), BalanceRow(9, "cell 9")])
    pixels = picture(strip.viewport())
    violet = DARK.balancing.rgba()
    assert (pixels[:20, 250:] == violet).any()
    assert not (pixels[20:40] == violet).any()
    with qtbot.waitSignal(strip.cell_selected) as selected:
        qtbot.mouseClick(strip.viewport(), CLICK, pos=QPoint(50, 30))
    assert selected.args == [9]
    assert strip.accessibleDescription() == "cell 2"


# signals and measurements

GROUPS = [
    SignalGroup("Pack", [SignalItem("pack.current", "Pack current", "A")], open=True),
    SignalGroup(
        "Cells",
        [SignalItem(f"cell.{i}.voltage", f"Cell {i}", "V", f"B{i}") for i in range(1, 21)],
    ),
]


def test_searching_signals_needs_every_word(qtbot: QtBot) -> None:
    tree = SignalTree()
    shown(qtbot, tree, 280, 500)
    tree.set_groups(GROUPS)
    assert len(tree.visible_keys()) == 21
    tree.set_search("cell 13")
    assert tree.visible_keys() == ("cell.13.voltage",)
    tree.set_search("cells b7")
    assert tree.visible_keys() == ("cell.7.voltage",)
    tree.set_search("nothing")
    assert tree.visible_keys() == ()
    qtbot.keyClick(tree.search, Qt.Key.Key_Escape)
    assert len(tree.visible_keys()) == 21


def test_dragged_signals_carry_their_keys() -> None:
    data = encode_keys(["cell.1.voltage", "电流"])
    assert data.hasFormat(MIME)
    assert decode_keys(data) == ("cell.1.voltage", "电流")


def test_only_signals_can_be_dragged_and_selected_in_order(qtbot: QtBot) -> None:
    tree = SignalTree()
    shown(qtbot, tree, 280, 500)
    tree.set_groups(GROUPS)
    view = tree._tree
    model = view.model()
    group = model.index(1, 0)
    assert not model.flags(group) & Qt.ItemFlag.ItemIsDragEnabled
    view.expand(group)
    for row in (4, 2):
        view.selectionModel().select(
            model.index(row, 0, group),
            view.selectionModel().SelectionFlag.Select | view.selectionModel().SelectionFlag.Rows,
        )
    assert tree.selected() == ("cell.3.voltage", "cell.5.voltage")
    rows = view.selectionModel().selectedIndexes()
    assert set(decode_keys(model.mimeData(rows))) == {"cell.3.voltage", "cell.5.voltage"}


def test_a_double_clicked_signal_is_told_and_groups_are_not(qtbot: QtBot) -> None:
    tree = SignalTree()
    shown(qtbot, tree, 280, 500)
    tree.set_groups(GROUPS)
    view = tree._tree
    heard: list[str] = []
    tree.signal_activated.connect(heard.append)
    group = view.model().index(0, 0)
    signal = view.model().index(0, 0, group)
    for index in (group, signal):
        place = view.visualRect(index).center()
        qtbot.mouseClick(view.viewport(), CLICK, pos=place)
        qtbot.mouseDClick(view.viewport(), CLICK, pos=place)
        view.expand(group)
    assert heard == ["pack.current"]


def test_measurements_are_shown_and_copied_with_units(qtbot: QtBot) -> None:
    table = MeasureTable()
    shown(qtbot, table, 800, 200)
    table.set_empty("press R")
    table.set_rows(
        [
            Measurement("Cell 13", "V", 3.4512345, 3.6789, 3.551, -0.0123, -0.00123, 44.1),
            Measurement("Current", "A", NAN, NAN, NAN, NAN, NAN, 0.5, integral_unit="Ah"),
        ]
    )
    picture(table)
    lines = [line.split("\t") for line in table.tsv().split("\n")]
    assert lines[0][:3] == ["Signal", "Min", ""]
    assert lines[1][:3] == ["Cell 13", "3.4512345", "V"]
    assert lines[1][-4:] == ["-0.00123", "V/s", "44.1", "V·s"]
    assert lines[2][1:3] == ["", "A"]
    assert lines[2][-1] == "Ah"
    assert len({len(line) for line in lines}) == 1
    qtbot.keyClick(table._view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == table.tsv()


def test_numbers_have_five_digits_and_no_exponent_where_it_can_be_avoided() -> None:
    written = [number_text(v) for v in (0.0, 3.4512345, -12.0, 12345.6, 0.0123456, 1e-9, NAN)]
    assert written == ["0", "3.4512", "−12.000", "12346", "0.01235", "1.0000e−09", "–"]


# palette


def commands(heard: list[str]) -> list[Command]:
    return [
        Command("Open a recording…", "Ctrl+O", lambda: heard.append("open")),
        Command("Record", "Ctrl+R", lambda: heard.append("record"), "not connected"),
        Command("Connect…", "F5", lambda: heard.append("connect")),
        Command("开始演示", "", lambda: heard.append("demo")),
    ]


def test_letters_in_order_find_a_command_best_first(qtbot: QtBot) -> None:
    dialog = PaletteDialog(commands([]), "Type a command")
    qtbot.addWidget(dialog)
    dialog.search.setText("rec")
    assert dialog.shown()[0] == "Record"
    assert set(dialog.shown()) == {"Record", "Open a recording…"}
    dialog.search.setText("oar")
    assert dialog.shown() == ("Open a recording…",)
    dialog.search.setText("演示")
    assert dialog.shown() == ("开始演示",)
    assert matches("Connect", "tc") is None


def test_return_runs_the_marked_command_after_closing(qtbot: QtBot) -> None:
    heard: list[str] = []
    dialog = PaletteDialog(commands(heard))
    shown(qtbot, dialog, 560, 300)
    qtbot.keyClicks(dialog.search, "con")
    qtbot.keyClick(dialog.search, Qt.Key.Key_Return)
    assert heard == ["connect"]
    assert not dialog.isVisible()


def test_a_command_that_cannot_run_says_why_and_does_not(qtbot: QtBot) -> None:
    heard: list[str] = []
    dialog = PaletteDialog(commands(heard))
    shown(qtbot, dialog, 560, 300)
    qtbot.keyClick(dialog.search, Qt.Key.Key_Down)
    current = dialog.current()
    assert current is not None
    assert current.reason == "not connected"
    qtbot.keyClick(dialog.search, Qt.Key.Key_Return)
    assert heard == []
    assert dialog.isVisible()


@THEMES
def test_all_parts_change_their_colours_with_the_theme(
    qtbot: QtBot, qapp: QApplication, theme: Theme
) -> None:
    """After a change of theme no part keeps a pixel of the other theme's panel colour."""
    other = LIGHT if theme is DARK else DARK
    apply_theme(qapp, other)
    host = QWidget()
    host.setAutoFillBackground(True)
    column = QVBoxLayout(host)
    bar, strip, tile, rows = TopBar(), VerdictStrip(), ValueTile(), AlertList()
    bar.set(ENGLISH)
    strip.set(VerdictText("WATCH", "watch", "headline", "detail", "identity", "state"))
    tile.set(TileText("caption", "1.0", "V", "sub"))
    rows.set_alerts(alerts(3))
    panel = Panel("Signals")
    tree = SignalTree()
    tree.set_groups(GROUPS)
    panel.add(tree)
    for part in (bar, strip, tile, rows, panel):
        column.addWidget(part)
    shown(qtbot, host, 1300, 900)
    picture(host)
    apply_theme(qapp, theme)
    QApplication.processEvents()
    left_over = np.isin(picture(host), [other.panel.rgba(), other.raised.rgba()])
    # Anti-aliased text may hit a colour by chance: a surface would be thousands of pixels.
    assert left_over.sum() < 200


def test_a_long_sentence_of_a_single_alert_takes_a_second_line(qtbot: QtBot) -> None:
    rows = AlertList()
    qtbot.addWidget(rows)
    rows.resize(360, 200)
    rows.show()
    rows.set_alerts([Alert("1", "watch", "22:15:09", "Short", 1, "note")])
    low = rows.rows.minimumSizeHint().height()
    long = "Cell 13: resistance 70 % above that of its neighbours"
    rows.set_alerts([Alert("1", "watch", "22:15:09", long, 1, "note")])
    assert rows.rows.minimumSizeHint().height() > low
    rows.resize(900, 200)
    assert rows.rows.minimumSizeHint().height() == low
    rows.grab()
    # Of several only where the list is narrow: a wide one shows more of them instead.
    rows.set_alerts([Alert(str(k), "watch", "22:15:09", 2 * long, 1, "note") for k in range(4)])
    several = rows.rows.minimumSizeHint().height()
    rows.resize(360, 200)
    assert rows.rows.minimumSizeHint().height() > several
    rows.grab()
