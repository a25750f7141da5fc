"""Drawing kernels and reduction of the plots: extremes survive, gaps stay gaps."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

from widgets.plot_data import DataLayer, Ink
from widgets.raster import columns_of, compose, count_traces, extremes, ink_trace
from widgets.sources import ArraySource, Columns

MS = 1_000_000


def counted(low: NDArray[np.float32], high: NDArray[np.float32], height: int, step: bool = False):
    """Strokes per pixel of one image column per data column, values 0…height from the bottom."""
    columns = low.shape[1]
    edges = np.zeros((height + 1, columns), np.int16)
    traces = np.arange(len(low))
    count_traces(
        edges, np.arange(columns, dtype=np.int32), low, high, traces, float(height), 1.0, step
    )
    return np.cumsum(edges, axis=0)[:height]


def test_a_single_sample_extreme_keeps_its_height_through_reduction_and_raster() -> None:
    rows = np.full((1_000_000, 3), 10.0, np.float32)
    rows[654_321, 1] = 90.0
    source = ArraySource(np.arange(len(rows), dtype=np.int64) * MS, rows)
    reduced = source.fetch(0, len(rows) * MS, 500)
    assert reduced.high.max() == 90.0
    assert reduced.high[1].argmax() == 654_321 // 2000
    x = columns_of(reduced.time, 0, len(rows) * MS, 500)
    edges = np.zeros((101, 500), np.int16)
    count_traces(edges, x, reduced.low, reduced.high, np.arange(3), 100.0, 1.0, False)
    strokes = np.cumsum(edges, axis=0)
    assert strokes[10, 327] == 1, "the tip of the spike is drawn"
    assert strokes[:80, :326].sum() == 0
    assert strokes[:80, 329:].sum() == 0


def test_reduction_equals_brute_force_with_missing_values() -> None:
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(5000, 7)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    time = np.sort(rng.integers(0, 10_000 * MS, 5000))
    reduced = ArraySource(time, rows).fetch(0, 10_000 * MS, 250)
    column = np.minimum(time // (40 * MS), 249)
    for k, t_ns in enumerate(reduced.time):
        mine = rows[column == t_ns // (40 * MS)]
        with np.errstate(all="ignore"):
            known = ~np.isnan(mine).all(axis=0)
        np.testing.assert_array_equal(reduced.low[known, k], np.nanmin(mine[:, known], axis=0))
        np.testing.assert_array_equal(reduced.high[known, k], np.nanmax(mine[:, known], axis=0))
        assert np.isnan(reduced.low[~known, k]).all()


@pytest.mark.parametrize("pixels", [50, 5000])
def test_a_pause_longer_than_the_gap_is_a_nan_column(pixels: int) -> None:
    time = np.concatenate([np.arange(500), np.arange(700, 1200)]).astype(np.int64) * MS
    source = ArraySource(time, np.ones((1000, 1), np.float32), gap_ns=50 * MS)
    reduced = source.fetch(0, 1200 * MS, pixels)
    inside = (reduced.time > 510 * MS) & (reduced.time < 690 * MS)
    outside = (reduced.time < 480 * MS) | (reduced.time > 720 * MS)
    assert np.isnan(reduced.low[0, (reduced.time > 499 * MS) & (reduced.time < 700 * MS)]).any()
    assert np.isnan(reduced.low[0, inside]).all()
    assert not np.isnan(reduced.low[0, outside]).any()


def test_neighbouring_spans_are_joined_without_a_hole() -> None:
    low = np.array([[5, 40, 7]], np.float32)
    strokes = counted(low, low, 50)
    assert strokes[10 : 50 - 5, 1].min() == 1, "from 5 up to 40 in one column"
    assert strokes[10 : 50 - 7, 2].min() == 1, "and down again in the next"


def test_nan_breaks_a_trace_and_a_lone_sample_is_wide_enough_to_see() -> None:
    low = np.array([[np.nan, np.nan, np.nan, 20, np.nan, np.nan, np.nan, 5, 5]], np.float32)
    strokes = counted(low, low, 50)
    assert list(strokes[30]) == [0, 1, 1, 1, 1, 1, 0, 0, 0]
    assert list(strokes[45]) == [0, 0, 0, 0, 0, 0, 0, 1, 1]


def test_sparse_samples_are_joined_by_a_line_or_by_a_step() -> None:
    x = np.array([0, 40], np.int32)
    values = np.array([[5, 45]], np.float32)
    for step, expected in ((False, 25), (True, 5)):
        edges = np.zeros((51, 41), np.int16)
        count_traces(edges, x, values, values, np.arange(1), 50.0, 1.0, step)
        rows = np.flatnonzero(np.cumsum(edges, axis=0)[:, 20])
        assert abs(50 - rows.mean() - expected) <= 1.5


def test_values_far_outside_the_picture_neither_crash_nor_wrap() -> None:
    wild = np.array([[1e30, -1e30, 25, np.inf, -np.inf, 25]], np.float32)
    strokes = counted(wild, wild, 50)
    assert strokes.min() >= 0
    assert strokes[:, 1].min() == 1, "the line through the whole picture"
    x = columns_of(np.array([-(2**62), 0, 2**62]), 0, 1000, 100)
    assert list(x) == [-2_000_000_000, 0, 2_000_000_000]


def test_400_traces_are_counted_and_more_strokes_are_never_fainter() -> None:
    low = np.full((400, 30), 20.0, np.float32)
    strokes = counted(low, low, 50)
    assert strokes.max() == 400
    edges = np.zeros((4, 1), np.int16)
    edges[:, 0] = (1, 1, 398, 0)
    image = np.zeros((3, 1), np.uint32)
    compose(image, image.copy(), edges, 0x0000FF, np.array([0.0, 0.6, 0.8, 1.0]))
    blue = image[:, 0] & 255
    assert 0 < blue[0] < blue[1] <= blue[2] == 255


def test_extremes_count_only_what_is_in_view() -> None:
    x = np.array([-3, 0, 5, 9, 10], np.int32)
    low = np.array([[-9, 1, np.nan, 3, 99]], np.float32)
    assert extremes(x, 10, low, low) == (1.0, 3.0)
    assert np.isnan(extremes(x, 10, low * np.nan, low * np.nan)).all()


PAINT_AFTER_WARM = """
import numpy as np
from PySide6.QtWidgets import QApplication
from widgets import raster, sources
from widgets.plot_data import warm
from widgets.plot_parts import Named
from widgets.time_view import TimeView
from widgets.trace_plot import TracePlot

def compiled():
    modules = (raster, sources)
    kernels = [k for m in modules for k in vars(m).values() if hasattr(k, "signatures")]
    return {k.__name__: len(k.signatures) for k in kernels if k.__name__[0] != "_"}

warm()
after_warm = compiled()
assert min(after_warm.values()) == 1, after_warm
app = QApplication([])
time = np.arange(2000) * 10_000_000
frozen = np.zeros((2000, 50), np.float32)
frozen.flags.writeable = False
plot = TracePlot(TimeView(int(time[-1])))
plot.view.set_now(int(time[-1]))
for span in (2000, 100):
    for rows in (frozen[:span], frozen[:span, ::-1].astype(float), frozen[:span, :3]):
        plot.set_source(sources.ArraySource(time[:span], rows))
        plot.set_named([Named(0)])
        plot.set_y_range((0, 5))
        plot.grab()
assert compiled() == after_warm, (after_warm, compiled())
"""


def test_warming_compiles_every_variant_that_painting_needs(python: str, repository: Path) -> None:
    done = subprocess.run(
        [python, "-c", PAINT_AFTER_WARM], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


class Counting:
    """A real source that says how often it was asked."""

    def __init__(self) -> None:
        self.version = 1
        self.asked = 0
        self.shape_error = False

    def fetch(self, t0_ns: int, t1_ns: int, pixels: int) -> Columns:
        self.asked += 1
        time = np.linspace(t0_ns, t1_ns, pixels).astype(np.int64)
        low = np.zeros((2, pixels - self.shape_error))
        return Columns(time, low, low)


def test_nothing_is_fetched_twice_and_a_move_below_a_pixel_is_no_move() -> None:
    source, layer = Counting(), DataLayer()
    assert layer.update(source, 0, 1000 * MS, 100)
    assert not layer.update(source, 0, 1000 * MS, 100)
    assert not layer.update(source, -3 * MS, 997 * MS, 100)
    source.version += 1
    assert layer.update(source, 0, 1000 * MS, 100)
    assert layer.update(source, 50 * MS, 1050 * MS, 100)
    assert source.asked == 3


def test_a_source_whose_shapes_disagree_is_refused() -> None:
    source = Counting()
    source.shape_error = True
    with pytest.raises(ValueError, match="times with values"):
        DataLayer().update(source, 0, 1000 * MS, 100)


def test_nearest_finds_the_trace_under_the_pointer_also_on_a_steep_edge() -> None:
    time = np.arange(1000, dtype=np.int64) * MS
    rows = np.zeros((1000, 2), np.float32)
    rows[:, 1] = 10.0
    rows[500:, 0] = 100.0
    layer = DataLayer()
    layer.update(ArraySource(time, rows), 0, 1000 * MS, 100)
    assert layer.nearest(200 * MS, 9.0) == (1, 1.0)
    assert layer.nearest(500 * MS, 60.0)[0] == 0
    assert layer.last(0) == 100.0
    assert DataLayer().nearest(0, 1.0)[0] == -1


def test_named_traces_are_drawn_in_their_colour_above_the_band() -> None:
    time = np.arange(2000, dtype=np.int64) * MS
    rows = np.full((2000, 60), 5.0, np.float32)
    layer = DataLayer()
    layer.update(ArraySource(time, rows), 0, 2000 * MS, 100)
    background = QImage(100, 40, QImage.Format.Format_RGB32)
    background.fill(QColor("#000000"))
    red = QColor("#ff0000")
    picture = layer.picture(background, (0.0, 10.0), [Ink(7, red, 1.0)], QColor("#0000ff"), False)
    assert picture.pixelColor(50, 19) == red
    assert picture.pixelColor(50, 5) == QColor("#000000")


@pytest.mark.parametrize("scale", [1e32, np.inf, np.nan])
def test_a_scale_beyond_what_floats_can_tell_draws_nothing_out_of_bounds(scale: float) -> None:
    x = np.array([-2_000_000_000, 3, 4, 2_000_000_000], np.int32)
    values = np.array([[3.6, 3.7, 3.6, 3.7]], np.float32)
    guarded = np.zeros((3 * 21, 10), np.int16)
    count_traces(guarded[21:42], x, values, values, np.arange(1), 3.65, scale, False)
    assert not guarded[:21].any()
    assert not guarded[42:].any()
    picture = np.zeros((3 * 20, 10), np.uint32)
    ink_trace(picture[20:40], x, values[0], values[0], 3.65, scale, 0.8, 0xFFFFFF, False)
    assert not picture[:20].any()
    assert not picture[40:].any()


def test_a_line_to_a_sample_far_outside_the_view_keeps_its_slope() -> None:
    x = np.array([-1_000_000_000, 1_000_000_000], np.int32)
    values = np.array([[0, 100]], np.float32)
    edges = np.zeros((101, 20), np.int16)
    count_traces(edges, x, values, values, np.arange(1), 100.0, 1.0, False)
    strokes = np.cumsum(edges, axis=0)
    assert strokes[49:51].sum(axis=0).min() >= 1, "half way up, all across"
    assert strokes[:48].sum() == 0
