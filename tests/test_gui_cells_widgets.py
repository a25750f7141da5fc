"""Table of cells, meters and power bars: order, folding, evidence, copying, painting."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from widgets.cell_table import HIGH, CellTable, ColumnData, Module, TableColumn
from widgets.meters import MeterRow, Meters
from widgets.power_bars import PowerBars, PowerRow
from widgets.table_rows import module_summary, number_words, plan_rows, worst_first
from widgets.theme import DARK, LIGHT, apply_theme, current_theme

COLUMNS = (
    TableColumn("voltage", "Voltage", "V", 3, "as measured", second="±", second_unit="V"),
    TableColumn("leak", "Leak", "mA", 1, "", True),
)


@pytest.fixture(autouse=True)
def dark_again(qapp: QApplication) -> Iterator[None]:
    apply_theme(qapp, DARK)
    yield
    apply_theme(qapp, DARK)


def table(qtbot: QtBot, count: int, bad: int = 3) -> CellTable:
    made = CellTable()
    qtbot.addWidget(made)
    made.resize(600, 400)
    made.set_columns(COLUMNS)
    made.set_names([f"Cell {n + 1}\nA{n + 1}" for n in range(count)], "Cell")
    fill(made, count, bad)
    made.show()
    return made


def fill(made: CellTable, count: int, bad: int) -> None:
    values = np.full(count, 3.62)
    badness = np.zeros(count)
    if 0 < bad <= count:
        values[bad - 1], badness[bad - 1] = 3.575, 0.045
    leak = np.full(count, np.nan)
    data = {
        "voltage": ColumnData(
            values,
            ["± 0.001"] * count,
            np.full(count, 2, np.uint8),
            badness,
            badness > 0.01,
        ),
        "leak": ColumnData(leak, reason="rest 1 day"),
    }
    flags = np.zeros(count, np.uint8)
    flags[: 1 if count else 0] = HIGH
    made.set_data(data, badness, flags)


def picture(widget: QWidget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1).copy()


def test_rows_stand_worst_first_and_modules_fold() -> None:
    assert worst_first(np.array([0.0, np.nan, 2.0, 1.0])) == (3, 4, 1, 2)
    modules = [Module("1", (1, 2)), Module("2", (3, 4))]
    folded = plan_rows((3, 4, 1, 2), modules, set())
    assert [(row.cell, row.module) for row in folded] == [(0, 1), (0, 0)]
    opened = plan_rows((3, 4, 1, 2), modules, {1})
    assert [row.cell for row in opened] == [0, 3, 4, 0]
    assert [row.cell for row in plan_rows((3, 4, 1, 2), modules, set(), {4, 1})] == [4, 1]
    assert module_summary(np.array([1.0, np.nan, 3.0]), (1, 2, 3)) == (1.0, 2.0, 3.0)
    assert module_summary(np.array([np.nan]), (1, 2)) is None
    assert number_words(-0.0001, 1) == "0.0"
    assert number_words(-3.5, 1, True) == "−3.5"


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize("count", [0, 1, 20, 96, 400])
def test_the_table_paints_any_number_of_cells(qtbot: QtBot, theme: object, count: int) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, theme)  # type: ignore[arg-type]
    made = table(qtbot, count)
    made.set_empty("no cell matches")
    assert len(np.unique(picture(made))) > 5
    made.set_modules([Module("M 1\n1–12", tuple(range(1, 13)))])
    made.set_shown({2, 4})
    picture(made)
    made.set_data({}, np.zeros(0), np.zeros(0, np.uint8))  # nothing known at all
    assert len(np.unique(picture(made))) > 3


def test_the_order_holds_under_the_pointer_and_follows_after(qtbot: QtBot) -> None:
    made = table(qtbot, 20, bad=3)
    assert made.order[0] == 3
    point = QPoint(60, 38 + 18)
    qtbot.mouseMove(made.viewport(), point)
    assert made._hovered == 3
    made._ordered_s = -100.0  # long ago
    fill(made, 20, bad=7)
    assert made.order[0] == 3
    made._hover(0)
    QApplication.sendEvent(made.viewport(), QEvent(QEvent.Type.Leave))
    made.viewport().setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
    fill(made, 20, bad=7)
    assert made.order[0] == 7


def test_clicks_choose_compare_sort_and_unfold(qtbot: QtBot) -> None:
    made = table(qtbot, 30)
    chosen: list[tuple[str, int]] = []
    made.cell_selected.connect(lambda cell: chosen.append(("one", cell)))
    made.cell_compared.connect(lambda cell: chosen.append(("two", cell)))
    made.cell_activated.connect(lambda cell: chosen.append(("open", cell)))
    click = Qt.MouseButton.LeftButton
    qtbot.mouseClick(made.viewport(), click, pos=QPoint(60, 38 + 18))
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.mouseClick(made.viewport(), click, control, QPoint(60, 38 + 36 + 18))
    qtbot.mouseDClick(made.viewport(), click, pos=QPoint(60, 38 + 18))
    assert chosen == [("one", 3), ("two", 1), ("open", 3)]
    made.set_selected(3, 1)
    picture(made)
    qtbot.mouseClick(made.viewport(), click, pos=QPoint(200, 10))
    assert made.sort_key == "voltage"
    assert made.order[0] == 3
    made.sort_by("voltage")
    assert made.order[-1] == 3
    made.set_modules([Module("1", tuple(range(1, 13))), Module("2", tuple(range(13, 31)))])
    made.sort_by("")
    assert [row.cell for row in made.rows()] == [0, 0]
    qtbot.mouseClick(made.viewport(), click, pos=QPoint(60, 38 + 18))
    assert len(made.rows()) == 14
    made.reveal(20)
    assert 20 in [row.cell for row in made.rows()]


def test_keys_move_the_selection_and_copy_with_units(qtbot: QtBot) -> None:
    made = table(qtbot, 5)
    made.cell_selected.connect(lambda cell: made.set_selected(cell))
    qtbot.keyClick(made, Qt.Key.Key_Down)
    assert made._selected == 3
    qtbot.keyClick(made, Qt.Key.Key_Down)
    assert made._selected == 1
    qtbot.keyClick(made, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0].split("\t") == ["Cell", "Voltage", "Voltage ±", "Leak"]
    assert lines[1].split("\t") == ["", "V", "V", "mA"]
    assert lines[2].split("\t") == ["Cell 3 A3", "3.575", "0.001", ""]
    assert len(lines) == 2 + 5
    qtbot.keyClick(made, Qt.Key.Key_Escape)
    assert made._selected == 0


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
def test_bars_and_meters_paint_what_is_known_and_what_is_not(qtbot: QtBot, theme: object) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, theme)  # type: ignore[arg-type]
    bars, meters = PowerBars(), Meters()
    for widget in (bars, meters):
        qtbot.addWidget(widget)
        widget.resize(420, 120)
        picture(widget)
    bars.set_rows(
        [
            PowerRow("Discharge 10 s", 41.0, 46.0, 53.0, "possible 41 A · BMS 46 A", "watch"),
            PowerRow("Charge 10 s", math.nan, 12.0, 14.0, "BMS 12 A"),
            PowerRow("Nothing", math.nan, math.nan, math.nan, "–"),
        ]
    )
    bars.set_foot("how to read it")
    shown = picture(bars)
    assert np.any((shown & 0xFFFFFF) == (current_theme().warn.rgb() & 0xFFFFFF))
    meters.set_rows(
        [
            MeterRow("Charge", 1.0, "good enough"),
            MeterRow("Leak", 0.05, "rest 1 day"),
            MeterRow("Capacity", math.nan, ""),
        ]
    )
    shown = picture(meters)
    assert np.any((shown & 0xFFFFFF) == (current_theme().ok.rgb() & 0xFFFFFF))
    assert "rest 1 day" in meters.accessibleDescription()
