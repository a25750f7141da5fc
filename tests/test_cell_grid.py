"""The cell grid: placed right, readable everywhere, and told apart from its neighbours."""

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent, QImage
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from widgets.cell_grid import (
    BALANCING,
    HIGH,
    STALE,
    WATCH,
    CellGrid,
    CellValues,
    GridWords,
    age_text,
    fill_levels,
)
from widgets.cell_tiles import LEVELS, UNKNOWN_LEVEL, tile_color
from widgets.grid_layout import COMPACT, FULL, MAP, GridPlan, density_of, plan, tidy_rows
from widgets.theme import DARK, LIGHT, Theme, apply_theme, contrast

THEMES = pytest.mark.parametrize("theme", [DARK, LIGHT], ids=["dark", "light"])
SIZES = ((980, 290), (700, 200), (1500, 800), (320, 150), (90, 60))


@pytest.fixture(autouse=True)
def restored(qapp: QApplication) -> Iterator[None]:
    """Leave the dark theme behind."""
    apply_theme(qapp, DARK)
    yield
    apply_theme(qapp, DARK)


def values(count: int, seed: int = 0) -> CellValues:
    """Plausible cells around 3.62 V, 12 mV wide."""
    deviation_mv = np.random.default_rng(seed).normal(0, 4, count)
    return CellValues(
        [f"{3.62 + d / 1000:.3f}" for d in deviation_mv],
        [f"{d:+.0f}" for d in deviation_mv],
        deviation_mv / 40,
        np.zeros(count, np.uint8),
        np.zeros(count),
    )


def flagged(count: int, cell: int, flag: int, fill: float = 0.0, age_s: float = 0.0) -> CellValues:
    """Quiet cells but one."""
    quiet = CellValues(
        ["3.620"] * count,
        ["+0"] * count,
        np.zeros(count),
        np.zeros(count, np.uint8),
        np.zeros(count),
    )
    quiet.flags[cell - 1], quiet.fill[cell - 1] = flag, fill
    quiet.age_s[cell - 1] = age_s
    return quiet


def shown(qtbot: QtBot, count: int, width: int, height: int) -> CellGrid:
    """A visible grid of this size."""
    grid = CellGrid()
    qtbot.addWidget(grid)
    grid.resize(width, height)
    grid.set_count(count)
    grid.show()
    return grid


def picture(grid: CellGrid) -> QImage:
    """What the grid looks like now."""
    return grid.grab().toImage().convertToFormat(QImage.Format.Format_ARGB32)


def changed_box(before: QImage, after: QImage) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of the pixels that differ."""
    arrays = [
        np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width())
        for image in (before, after)
    ]
    rows, columns = np.nonzero(arrays[0] != arrays[1])
    if not len(rows):
        return None
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


def centre(grid: CellGrid, cell: int) -> QPoint:
    """A point on a cell's tile, found as a person would: by looking everywhere."""
    for y in range(2, grid.height(), 3):
        for x in range(2, grid.width(), 3):
            if grid.cell_at(QPoint(x, y)) == cell:
                return QPoint(x + 2, y + 2)
    raise AssertionError(f"cell {cell} is nowhere")


def overlaps(layout: GridPlan) -> bool:
    boxes = np.concatenate([layout.rects, layout.worst])
    left, top, width, height = boxes.T
    right, bottom = left + width, top + height
    for i in range(len(boxes)):
        beside = (left < right[i]) & (right > left[i]) & (top < bottom[i]) & (bottom > top[i])
        if beside.sum() > 1:
            return True
    return False


@pytest.mark.parametrize("count", [1, 2, 13, 20, 96, 108, 400])
@pytest.mark.parametrize("size", SIZES)
def test_every_cell_has_one_place_inside_the_view(count: int, size: tuple[int, int]) -> None:
    layout = plan(None, *size, count=count)
    assert sorted(layout.cells.tolist()) == list(range(1, count + 1))
    assert not overlaps(layout)
    left, top, width, height = layout.rects.T
    assert left.min() >= 0
    assert top.min() >= 0
    assert (left + width).max() <= size[0]
    assert (top + height).max() <= size[1]


def test_density_follows_the_tile_size() -> None:
    assert density_of(80, 60) == FULL
    assert density_of(79, 60) == COMPACT
    assert density_of(44, 30) == COMPACT
    assert density_of(43, 30) == MAP
    assert [plan(None, 980, 290, count=n).density for n in (1, 20, 96, 400)] == [
        FULL,
        FULL,
        COMPACT,
        MAP,
    ]


def test_a_scooter_pack_stands_in_two_rows_of_ten() -> None:
    layout = plan(None, 980, 250, count=20)
    assert (layout.grid.max(axis=0) + 1).tolist() == [2, 10]
    assert layout.rects[0, 2] >= 80


def test_a_map_shows_the_eight_worst_as_full_tiles_beside() -> None:
    layout = plan(None, 980, 290, count=400)
    assert len(layout.worst) == 8
    assert all(density_of(w, h) == FULL for _, _, w, h in layout.worst.tolist())
    assert layout.worst[:, 0].min() > (layout.rects[:, 0] + layout.rects[:, 2]).max()


def test_rows_follow_the_modules_where_they_are_legible() -> None:
    modules = tidy_rows(96, 8)
    assert (plan(modules, 1500, 800).grid.max(axis=0) + 1).tolist() == [12, 8]
    folded = plan(modules, 980, 290)
    assert folded.density == COMPACT
    # Folded: a module stays in one piece, side by side with another one.
    for module in modules:
        rows = {int(folded.grid[folded.index(cell), 0]) for cell in module}
        assert len(rows) == 1


def test_holes_stay_empty_and_order_is_the_packs() -> None:
    layout = plan([[1, 2, 3], [6, 0, 4]], 600, 300)
    assert layout.cells.tolist() == [1, 2, 3, 6, 4]
    assert layout.grid[layout.index(4)].tolist() == [1, 2]
    assert layout.at(*(layout.rects[layout.index(6)][:2] + 5)) == 6


def test_a_layout_that_forgets_cells_hides_none(qtbot: QtBot) -> None:
    grid = shown(qtbot, 6, 600, 300)
    grid.set_layout([[1, 2], [4, 3]])
    assert sorted(line.split("\t")[0] for line in grid.table_text().split("\n")) == list("123456")
    assert centre(grid, 5).y() > centre(grid, 3).y()


def test_a_cell_named_twice_is_refused_and_the_grid_stays(qtbot: QtBot) -> None:
    grid = shown(qtbot, 4, 400, 200)
    with pytest.raises(ValueError, match="cell 2 stands in two places"):
        grid.set_layout([[1, 2], [2, 3]])
    assert grid.cell_at(centre(grid, 4)) == 4


def test_no_cells_at_all_is_no_error(qtbot: QtBot) -> None:
    grid = shown(qtbot, 0, 400, 200)
    grid.set_values(CellValues())
    grid.set_layout([[0, 0], []])
    picture(grid)
    qtbot.keyClick(grid, Qt.Key.Key_Right)
    assert grid.cell_at(QPoint(50, 50)) == 0
    assert grid.selected == 0


@THEMES
def test_text_reads_on_every_colour_of_a_tile(theme: Theme) -> None:
    for stale in (False, True):
        for level in [*range(-LEVELS, LEVELS + 1), UNKNOWN_LEVEL]:
            assert contrast(theme.text, tile_color(theme, level, stale)) >= 4.5


def test_unknown_is_a_level_of_its_own_and_clipping_is_symmetric() -> None:
    assert fill_levels(np.array([-9.0, -1.0, 0.0, 1.0, 9.0])) == [
        -LEVELS,
        -LEVELS,
        0,
        LEVELS,
        LEVELS,
    ]
    assert fill_levels(np.array([np.nan])) == [UNKNOWN_LEVEL]


@THEMES
@pytest.mark.parametrize("count", [1, 20, 96, 400])
def test_a_deviating_cell_is_painted_in_its_colour(
    qtbot: QtBot, qapp: QApplication, theme: Theme, count: int
) -> None:
    apply_theme(qapp, theme)
    grid = shown(qtbot, count, 986, 296)
    grid.set_values(flagged(count, 1, 0, fill=-1.0))
    image = picture(grid)
    orange = tile_color(theme, -LEVELS)
    box = [(x, y) for x in range(4, 60) for y in range(4, 30)]
    hits = sum(image.pixelColor(x, y) == orange for x, y in box if x < image.width())
    assert hits > 20


@THEMES
@pytest.mark.parametrize("count", [20, 96, 400])
@pytest.mark.parametrize("flag", [BALANCING, WATCH, HIGH, STALE])
def test_every_flag_shows_at_every_density(
    qtbot: QtBot, qapp: QApplication, theme: Theme, count: int, flag: int
) -> None:
    apply_theme(qapp, theme)
    grid = shown(qtbot, count, 980, 290)
    grid.set_values(flagged(count, 13, 0))
    before = picture(grid)
    grid.set_values(flagged(count, 13, flag, age_s=14.0))
    assert changed_box(before, picture(grid)) is not None


def test_only_the_tile_that_changed_changes(qtbot: QtBot) -> None:
    grid = shown(qtbot, 20, 980, 290)
    grid.set_values(flagged(20, 7, 0))
    before = picture(grid)
    grid.set_values(flagged(20, 7, HIGH, fill=-1.0))
    box = changed_box(before, picture(grid))
    assert box is not None
    assert grid.cell_at(QPoint(box[0] + 1, box[1] + 1)) == 7
    assert grid.cell_at(QPoint(box[2] - 1, box[3] - 1)) == 7


def test_the_same_values_again_change_nothing(qtbot: QtBot) -> None:
    grid = shown(qtbot, 96, 980, 290)
    grid.set_values(values(96))
    before = picture(grid)
    grid.set_values(values(96))
    assert changed_box(before, picture(grid)) is None


def test_a_new_theme_repaints_every_tile(qtbot: QtBot, qapp: QApplication) -> None:
    grid = shown(qtbot, 20, 980, 290)
    grid.set_values(values(20))
    dark = picture(grid)
    apply_theme(qapp, LIGHT)
    box = changed_box(dark, picture(grid))
    assert box is not None
    assert box[0] < 10
    assert box[2] > 960


def test_a_stale_cell_tells_its_age_instead_of_its_deviation(qtbot: QtBot) -> None:
    assert age_text(14.2) == "14 s"
    assert age_text(600) == "10 min"
    assert age_text(float("nan")) == ""
    grid = shown(qtbot, 20, 980, 290)
    grid.set_values(flagged(20, 3, STALE, age_s=14.0))
    young = picture(grid)
    grid.set_values(flagged(20, 3, STALE, age_s=15.0))
    assert changed_box(young, picture(grid)) is not None


def test_hover_selection_and_double_click_are_told(qtbot: QtBot) -> None:
    grid = shown(qtbot, 20, 980, 290)
    place = centre(grid, 13)
    with qtbot.waitSignal(grid.cell_hovered) as hovered:
        qtbot.mouseMove(grid, place)
    with qtbot.waitSignal(grid.cell_selected) as selected:
        qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=place)
    with qtbot.waitSignal(grid.cell_activated) as activated:
        qtbot.mouseDClick(grid, Qt.MouseButton.LeftButton, pos=place)
    assert (hovered.args, selected.args, activated.args) == ([13], [13], [13])
    with qtbot.waitSignal(grid.cell_hovered) as left:
        QApplication.sendEvent(grid, QEvent(QEvent.Type.Leave))
    assert left.args == [0]


def test_arrow_keys_walk_over_the_tiles(qtbot: QtBot) -> None:
    grid = shown(qtbot, 20, 980, 290)
    steps = (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Up)
    walked = []
    for key in steps:
        qtbot.keyClick(grid, key)
        walked.append(grid.selected)
    assert walked == [1, 2, 12, 11, 1]
    with qtbot.waitSignal(grid.cell_activated) as activated:
        qtbot.keyClick(grid, Qt.Key.Key_Return)
    assert activated.args == [1]
    qtbot.keyClick(grid, Qt.Key.Key_Escape)
    assert grid.selected == 0


def test_a_highlight_from_elsewhere_shows_and_does_not_emit(qtbot: QtBot) -> None:
    grid = shown(qtbot, 20, 980, 290)
    grid.set_values(values(20))
    before = picture(grid)
    with qtbot.assertNotEmitted(grid.cell_hovered), qtbot.assertNotEmitted(grid.cell_selected):
        grid.set_highlight(7)
        grid.set_selected(9)
    assert changed_box(before, picture(grid)) is not None
    assert "9" in grid.accessibleDescription()


def test_four_hundred_cells_name_the_worst_and_noise_moves_none(qtbot: QtBot) -> None:
    grid = shown(qtbot, 400, 980, 290)
    data = values(400)
    data.fill[[12, 250]] = -1.0
    data.flags[77] = WATCH
    grid.set_values(data)
    worst = grid.worst_cells()
    assert grid.density == MAP
    assert len(worst) == 8
    assert {13, 78, 251} <= set(worst)
    noise = np.random.default_rng(1).normal(0, 0.002, 400)
    grid.set_values(CellValues(data.main, data.second, data.fill + noise, data.flags, data.age_s))
    assert grid.worst_cells() == worst


def test_a_worst_tile_selects_its_cell(qtbot: QtBot) -> None:
    grid = shown(qtbot, 400, 980, 290)
    data = values(400)
    data.fill[250] = -1.0
    grid.set_values(data)
    slot = grid.worst_cells().index(251)
    x, y, _, _ = plan(None, 974, 284, count=400).worst[slot].tolist()
    with qtbot.waitSignal(grid.cell_selected) as selected:
        qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=QPoint(x + 20, y + 20))
    assert selected.args == [251]


def test_unknown_cells_are_a_dash_and_all_can_be_copied(qtbot: QtBot) -> None:
    grid = shown(qtbot, 3, 400, 200)
    grid.set_labels(["A1", "A2", "A3"])
    grid.set_values(CellValues(["3.600", "", "3.601"], ["−1", "", "+0"], np.array([0, np.nan, 0])))
    qtbot.keyClick(grid, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0] == "1\tA1\t3.600\t−1 mV"
    assert lines[1] == "2\tA2\t–\t"


def test_values_for_fewer_cells_leave_the_rest_unknown(qtbot: QtBot) -> None:
    grid = shown(qtbot, 20, 980, 290)
    grid.set_values(values(5))
    picture(grid)
    assert grid.table_text().split("\n")[19].split("\t")[2] == "–"


def test_the_tool_tip_is_what_the_caller_says(qtbot: QtBot) -> None:
    grid = shown(qtbot, 20, 980, 290)
    grid.set_tooltip(lambda cell: f"cell {cell}: age 0.1 s")
    place = centre(grid, 5)
    event = QHelpEvent(QEvent.Type.ToolTip, place, grid.mapToGlobal(place))
    QApplication.sendEvent(grid, event)
    assert QToolTip.text() == "cell 5: age 0.1 s"
    QToolTip.hideText()


def test_words_on_tiles_are_the_readers(qtbot: QtBot) -> None:
    grid = shown(qtbot, 20, 980, 290)
    grid.set_values(flagged(20, 2, BALANCING | HIGH))
    english = picture(grid)
    grid.set_words(GridWords(balancing="均衡", high="高", watch="注意"))
    assert changed_box(english, picture(grid)) is not None


def test_a_compact_tile_shows_the_text_that_leads(qtbot: QtBot) -> None:
    grid = shown(qtbot, 96, 980, 290)
    data = flagged(96, 1, 0)
    grid.set_values(data)
    deviations = picture(grid)
    grid.set_values(CellValues(data.main, data.second, data.fill, lead="main"))
    assert grid.density == COMPACT
    assert changed_box(deviations, picture(grid)) is not None


def test_the_pack_layout_decides_where_a_cell_is(qtbot: QtBot) -> None:
    grid = shown(qtbot, 6, 600, 300)
    grid.set_layout([[1, 2, 3], [6, 5, 4]])
    assert centre(grid, 4).x() > centre(grid, 6).x()
    assert centre(grid, 4).y() > centre(grid, 3).y()
    grid.set_layout(None)
    assert grid.cell_at(centre(grid, 6)) == 6


@pytest.mark.parametrize("width", [979, 981, 983, 986])
def test_equal_numbers_look_equal_in_every_tile(qtbot: QtBot, width: int) -> None:
    """Where the width does not divide evenly, tiles differ by a pixel; their texts may not."""
    grid = shown(qtbot, 20, width, 251)
    flags = np.zeros(20, np.uint8)
    grid.set_values(CellValues(["3.628"] * 20, (), np.zeros(20), flags))
    image = picture(grid)
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width())
    looks = set()
    for x, y, w, h in plan(None, width - 6, 245, count=20).rects.tolist():
        tile = pixels[y + 3 + h // 3 : y + h, x + 9 : x + w - 3]
        rows, columns = np.nonzero(tile != tile[0, 0])
        text = tile[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        looks.add((text.shape, text.tobytes()))
    assert len(looks) == 1
