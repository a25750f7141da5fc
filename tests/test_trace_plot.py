"""The plot panel as a person meets it: painted, pointed at, zoomed, measured."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from widgets.axes import AutoRange, TimeMode, format_value, tidy_ticks, time_ticks
from widgets.plot_parts import Line, Named, Shade
from widgets.plot_stack import PlotStack
from widgets.refresh import RefreshClock
from widgets.sources import ArraySource, Columns
from widgets.theme import DARK, LIGHT, Theme, apply_theme, load_fonts
from widgets.time_view import TimeView
from widgets.trace_plot import TracePlot

S = 1_000_000_000
TIME = np.arange(3000, dtype=np.int64) * (S // 50)  # 60 s at 50 Hz
NOW = int(TIME[-1])


@pytest.fixture(autouse=True)
def dark(qapp: QApplication, repository: Path) -> Iterator[None]:
    """Every test begins in the dark theme with the bundled fonts."""
    load_fonts(repository / "resources" / "fonts")
    apply_theme(qapp, DARK)
    yield
    apply_theme(qapp, DARK)


def rows(traces: int) -> NDArray[np.float32]:
    """Traces at 3.60, 3.61 … V; the last one dips by 0.4 V for one single sample."""
    values = np.tile(3.6 + 0.01 * (np.arange(traces) % 20), (len(TIME), 1)).astype(np.float32)
    values[1500, -1] -= 0.4
    return values


def shown(qtbot: QtBot, traces: int = 20, width: int = 1010, height: int = 220) -> TracePlot:
    plot = TracePlot(TimeView())
    plot.set_header("Cell voltage", "V", f"{traces} cells, outliers named")
    plot.set_source(ArraySource(TIME, rows(traces)))
    plot.view.set_now(NOW)
    plot.resize(width, height)
    qtbot.addWidget(plot)
    plot.show()
    qtbot.waitExposed(plot)
    return plot


def array(image: QImage) -> NDArray[np.int64]:
    """Height x width x (r, g, b)."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return flat[:, :, 2::-1].astype(np.int64)


def like(picture: NDArray[np.int64], color: QColor, within: int = 40) -> NDArray[np.bool_]:
    """Which pixels are close to a colour."""
    target = np.array([color.red(), color.green(), color.blue()])
    return np.abs(picture - target).max(axis=2) <= within


def inside(plot: TracePlot) -> NDArray[np.int64]:
    """The data area of the panel as painted."""
    area = plot.plot_area().toRect()
    whole = array(plot.grab().toImage())
    return whole[area.top() : area.bottom() + 1, area.left() : area.right() + 1]


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("size", [(1010, 220), (420, 110)])
@pytest.mark.parametrize("traces", [1, 20, 400])
def test_the_one_sample_dip_is_seen_at_every_size_in_both_themes(
    qtbot: QtBot, qapp: QApplication, theme: Theme, size: tuple[int, int], traces: int
) -> None:
    apply_theme(qapp, theme)
    plot = shown(qtbot, traces, *size)
    picture = inside(plot)
    y_low, y_high = plot.y_range
    depth = (y_high - (rows(traces)[1500, -1] + 0.02)) / (y_high - y_low)
    row = picture[int(depth * len(picture))]
    background = array(plot.grab().toImage())[4, 20]
    dip = np.abs(row - background).max(axis=1) > 40
    middle = len(row) // 2
    assert dip[middle - 3 : middle + 4].any(), "the dip is drawn"
    assert not dip[: middle - 4].any()
    assert not dip[middle + 5 :].any()


def test_switching_the_theme_repaints_the_panel(qtbot: QtBot, qapp: QApplication) -> None:
    plot = shown(qtbot)
    assert plot.grab().toImage().pixelColor(300, 8) == DARK.panel
    apply_theme(qapp, LIGHT)
    assert plot.grab().toImage().pixelColor(300, 8) == LIGHT.panel


class Counting:
    """A real source that counts how often it was asked."""

    def __init__(self) -> None:
        self.version = 1
        self.asked = 0

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        self.asked += 1
        return ArraySource(TIME, rows(4)).fetch(t0_ns, t1_ns, pixels)


def test_a_hidden_plot_fetches_nothing_and_a_shown_one_only_what_is_new(qtbot: QtBot) -> None:
    source, plot, clock = Counting(), TracePlot(), RefreshClock(10_000)
    plot.set_source(source)
    qtbot.addWidget(plot)
    clock.add(plot, plot.refresh)
    for _ in range(3):
        source.version += 1
        plot.view.set_now(source.version * S)
        clock.tick()
        QApplication.processEvents()
    assert source.asked == 0
    plot.show()
    qtbot.waitUntil(lambda: source.asked == 1)
    clock.tick()
    QApplication.processEvents()
    assert source.asked == 1, "nothing new, nothing fetched"
    source.version += 1
    clock.tick()
    qtbot.waitUntil(lambda: source.asked == 2)
    plot.hide()
    source.version += 1
    clock.tick()
    QApplication.processEvents()
    assert source.asked == 2
    clock.stop()


def test_the_clock_forgets_a_widget_that_is_gone(qtbot: QtBot) -> None:
    clock, calls = RefreshClock(10_000), []
    plot = TracePlot()
    plot.show()
    clock.add(plot, lambda: calls.append(1))
    clock.tick()
    plot.close()
    plot.deleteLater()
    del plot
    QApplication.sendPostedEvents(None, 52)  # DeferredDelete
    clock.tick()
    assert calls == [1]
    clock.stop()


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((0, 3), np.float32),
        np.zeros((1, 0), np.float32),
        np.full((3000, 5), np.nan, np.float32),
    ],
    ids=["no sample", "no trace", "only unknown values"],
)
def test_nothing_to_draw_gives_a_sentence_and_no_grid(
    qtbot: QtBot, values: NDArray[np.float32]
) -> None:
    plot = shown(qtbot)
    plot.set_source(ArraySource(TIME[: len(values)], values))
    plot.set_texts({"empty": "nothing yet"})
    picture = inside(plot)
    assert like(picture, DARK.muted).any(), "the sentence"
    assert not like(picture[:, :60], DARK.muted).any()
    assert not like(picture, DARK.grid, 2).all(axis=1).any(), "no grid line"


def test_a_single_sample_is_seen(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    plot.set_source(ArraySource(TIME[-1000:-999], np.full((1, 2), 3.7, np.float32)))
    picture = inside(plot)
    assert like(picture, DARK.trace).any()


def test_a_named_trace_has_its_colour_and_its_label_right_of_the_plot(qtbot: QtBot) -> None:
    plot = shown(qtbot, 40)
    plot.set_named([Named(39, "13", DARK.high)])
    image = array(plot.grab().toImage())
    area = plot.plot_area().toRect()
    assert like(image[:, area.left() : area.right()], DARK.high).any()
    label = like(image[:, area.right() + 4 :], DARK.high)
    assert label.any()
    value_y = area.top() + (plot.y_range[1] - 3.79) / np.diff(plot.y_range)[0] * area.height()
    assert abs(np.flatnonzero(label.any(axis=1)).mean() - value_y) < 3


def test_a_level_in_view_is_a_line_and_out_of_view_a_note(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    plot.grab()
    head = plot.plot_area().toRect().top() - 12
    assert not like(array(plot.grab().toImage())[:head, 600:], DARK.muted).any()
    plot.set_lines([Line(3.0, "cut-off 3.00 V")])
    image = array(plot.grab().toImage())
    assert like(image[:head, 600:], DARK.muted).any(), "the note"
    assert not like(image, DARK.warn).any()
    plot.set_lines([Line(3.7, "limit", "high")])
    assert like(inside(plot), DARK.high).sum() > 300, "the dashed line"


def test_a_shade_tints_only_its_interval(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    before = inside(plot)
    plot.set_shades([Shade(NOW - 30 * S, NOW - 15 * S, "warn", "derating")])
    changed = (inside(plot) != before).any(axis=2)
    columns = np.flatnonzero(changed[changed.shape[0] // 3 :].any(axis=0))
    width = changed.shape[1]
    assert abs(columns[0] - width / 2) <= 2
    assert abs(columns[-1] - width * 3 / 4) <= 2


def wheel(plot: TracePlot, x: float, notches: int, modifier: Qt.KeyboardModifier) -> None:
    position = QPointF(x, plot.plot_area().center().y())
    event = QWheelEvent(
        position,
        plot.mapToGlobal(position),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(plot, event)


def test_the_wheel_zooms_at_the_pointer_and_keeps_now_while_following(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    view, none = plot.view, Qt.KeyboardModifier.NoModifier
    wheel(plot, 300, 2, none)
    assert view.following
    assert view.t1_ns == NOW
    assert view.span_ns == round(60 * S * 0.64)
    view.set_view(0, 60 * S)
    under = plot.time_at(300)
    wheel(plot, 300, 3, none)
    assert abs(plot.time_at(300) - under) <= 2
    assert view.t1_ns - view.t0_ns == round(60 * S * 0.512)
    plot.grab()
    low, high = plot.y_range
    wheel(plot, 300, 1, Qt.KeyboardModifier.ControlModifier)
    plot.grab()
    assert plot.y_range[1] - plot.y_range[0] == pytest.approx(0.8 * (high - low))
    QTest.keyClick(plot, Qt.Key.Key_A)
    plot.grab()
    assert plot.y_range == (low, high), "A fits again"


def test_dragging_pans_and_ends_following(qtbot: QtBot) -> None:
    plot = shown(qtbot)
    held = plot.time_at(400)
    with qtbot.waitSignal(plot.view.follow_changed) as caught:
        QTest.mousePress(plot, Qt.MouseButton.LeftButton, pos=QPoint(400, 80))
        QTest.mouseMove(plot, QPoint(500, 80))
    assert caught.args == [False]
    QTest.mouseMove(plot, QPoint(560, 80))
    QTest.mouseRelease(plot, Qt.MouseButton.LeftButton, pos=QPoint(560, 80))
    assert abs(plot.time_at(560) - held) <= 2
    plot.view.set_now(NOW + 5 * S)
    assert abs(plot.time_at(560) - held) <= 2, "new data do not move it"
    plot.view.follow()
    assert plot.view.t1_ns == NOW + 5 * S


def test_a_click_chooses_the_nearest_trace_or_none(qtbot: QtBot) -> None:
    plot = shown(qtbot, 3)
    plot.grab()
    area, (low, high) = plot.plot_area(), plot.y_range
    y = area.top() + (high - 3.61) / (high - low) * area.height()
    for y_clicked, expected in ((y, 1), (area.bottom() - 8, -1)):
        with qtbot.waitSignal(plot.trace_clicked) as caught:
            QTest.mouseClick(plot, Qt.MouseButton.LeftButton, pos=QPoint(250, round(y_clicked)))
        assert caught.args == [expected]


def test_pointing_shows_cursor_and_values_in_every_plot_of_the_stack(qtbot: QtBot) -> None:
    stack = PlotStack()
    first, second = TracePlot(stack.view), TracePlot(stack.view)
    for plot in (first, second):
        plot.set_source(ArraySource(TIME, rows(1)))
        stack.add(plot, 1, plot is first)
    stack.set_now(NOW)
    stack.resize(900, 400)
    qtbot.addWidget(stack)
    stack.show()
    before = inside(second)
    x = round(first.plot_area().center().x()) + 100
    QTest.mouseMove(first, QPoint(x, 100))
    qtbot.waitUntil(lambda: stack.view.cursor_ns is not None)
    assert abs((stack.view.cursor_ns or 0) - first.time_at(x)) < S // 10
    changed = (inside(second) != before).any(axis=2)
    assert changed[:, x - first.plot_area().toRect().left()].mean() > 0.7, "the cursor line"
    assert first.plot_area().left() == second.plot_area().left()
    assert first.plot_area().width() == second.plot_area().width()


def test_a_range_is_begun_by_key_and_its_edges_are_dragged(qtbot: QtBot) -> None:
    stack = PlotStack()
    plot = TracePlot(stack.view)
    plot.set_source(ArraySource(TIME, rows(4)))
    stack.add(plot, 1, True)
    stack.set_now(NOW)
    stack.view.set_view(0, 60 * S)
    stack.resize(900, 300)
    qtbot.addWidget(stack)
    stack.show()
    with qtbot.waitSignal(stack.range_measured) as caught:
        QTest.keyClick(plot, Qt.Key.Key_R)
    assert caught.args == [18 * S, 42 * S]
    edge = QPoint(round(plot.x_at(42 * S)), 100)
    target = QPoint(round(plot.x_at(6 * S)), 100)
    QTest.mousePress(plot, Qt.MouseButton.LeftButton, pos=edge)
    QTest.mouseMove(plot, target)
    QTest.mouseRelease(plot, Qt.MouseButton.LeftButton, pos=target)
    start, end = stack.view.range_ns or (0, 0)
    assert abs(start - 6 * S) < S // 5, "dragged across the other edge, the ends change places"
    assert end == 18 * S
    with qtbot.waitSignal(stack.range_measured) as caught:
        QTest.keyClick(plot, Qt.Key.Key_Escape)
    assert caught.args == [None, None]


def test_the_panel_has_its_title_as_accessible_name(qtbot: QtBot) -> None:
    assert shown(qtbot).accessibleName() == "Cell voltage V"


def test_ticks_are_tidy_and_values_have_true_minus_signs() -> None:
    ticks = tidy_ticks(3.44, 3.76, 7)
    assert [format_value(v, ticks.decimals) for v in ticks.values] == [
        *("3.45", "3.50", "3.55", "3.60", "3.65", "3.70", "3.75")
    ]
    assert format_value(-0.0004, 2) == "0.00"
    assert format_value(-45, 0) == "\u221245"
    assert format_value(float("nan"), 2) == "\u2013"


def test_time_labels_count_back_from_now_or_up_from_the_start() -> None:
    relative = time_ticks(940 * S, 1000 * S, 6, TimeMode.RELATIVE, 1000 * S)
    assert [text for _, text in relative] == [
        *("\u221260 s", "\u221250 s", "\u221240 s", "\u221230 s", "\u221220 s", "\u221210 s", "now")
    ]
    elapsed = time_ticks(3590 * S, 3610 * S, 4, TimeMode.ELAPSED, 0)
    assert [text for _, text in elapsed] == ["59:50", "59:55", "1:00:00", "1:00:05", "1:00:10"]
    fine = time_ticks(0, S // 10, 5, TimeMode.ELAPSED, 0)
    assert fine[1] == (20_000_000, "00:00.02")


def test_the_y_range_grows_at_once_and_shrinks_only_after_a_while() -> None:
    auto = AutoRange()
    first = auto.update(3.50, 3.70, 0.0)
    for k in range(100):
        assert auto.update(3.5 + 0.001 * (k % 2), 3.7, 0.1 * k) == first, "noise moves nothing"
    grown = auto.update(3.2, 3.7, 10.0)
    assert grown[0] <= 3.2
    assert auto.update(3.5, 3.7, 10.1) == grown
    assert auto.update(3.55, 3.6, 10.2) == grown
    assert auto.update(3.5, 3.7, 20.0) != grown, "after three seconds it may"


def test_any_handling_at_any_size_paints_without_an_error(qtbot: QtBot) -> None:
    """pytest-qt fails the test on an exception inside any event."""
    rng = np.random.default_rng(11)
    plot = shown(qtbot, 60)
    plot.set_named([Named(0), Named(59, "60"), Named(500, "not there")])
    plot.set_lines([Line(3.3, "cut-off"), Line(9.0, "far")])
    plot.set_shades([Shade(0, 5 * S, "high", "a shade with a long label")])
    view, modifiers = plot.view, Qt.KeyboardModifier
    for k in range(300):
        match int(rng.integers(8)):
            case 0:
                plot.resize(*(int(n) for n in rng.integers(1, 700, 2)))
            case 1:
                notches = int(rng.integers(-60, 60))
                wheel(plot, float(rng.uniform(0, 600)), notches, modifiers.NoModifier)
            case 2:
                wheel(plot, 100.0, int(rng.integers(-9, 9)), modifiers.ControlModifier)
            case 3:
                start, end = (QPoint(int(x), 60) for x in rng.integers(0, 600, 2))
                QTest.mousePress(plot, Qt.MouseButton.LeftButton, pos=start)
                QTest.mouseMove(plot, end)
                QTest.mouseRelease(plot, Qt.MouseButton.LeftButton, pos=end)
            case 4:
                QTest.keyClick(plot, Qt.Key.Key_R if k % 2 else Qt.Key.Key_A)
            case 5:
                view.follow(int(rng.integers(1, 10 ** int(rng.integers(1, 19)))))
            case 6:
                view.set_mode(list(TimeMode)[k % 3], int(rng.integers(0, NOW)))
            case _:
                plot.set_source(ArraySource(TIME, rows(int(rng.integers(1, 80)))))
        plot.grab()
    assert plot.layer.fetches > 50
