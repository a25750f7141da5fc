"""Range measurement agrees with plain NumPy, knows unknown values, and stays exact in extremes."""

import math

import numpy as np
import pytest

from bms_studio import measure
from bms_studio.measure import integral_in_hours, measure_columns, measure_range
from bms_studio.timeline import Timeline

SECOND = 1_000_000_000


def test_a_straight_line_gives_its_slope_mean_and_area() -> None:
    time = 5 * SECOND + np.arange(11, dtype=np.int64) * SECOND // 2
    rows = np.stack([2.0 * np.arange(11) / 2 + 1, np.full(11, 4.0)], axis=1).astype(np.float32)
    ramp, flat = measure_columns(time, rows)
    assert (ramp.minimum, ramp.maximum, ramp.mean) == (1.0, 11.0, 6.0)
    assert ramp.slope == pytest.approx(2.0)
    assert ramp.integral == pytest.approx(30.0)
    assert ramp.delta == 10.0
    assert flat.slope == pytest.approx(0.0)
    assert flat.integral == pytest.approx(20.0)


def test_unknown_values_are_left_out_and_nothing_known_is_unknown() -> None:
    time = np.arange(4, dtype=np.int64) * SECOND
    rows = np.array([[np.nan, np.nan], [1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]], np.float32)
    some, none = measure_columns(time, rows)
    assert (some.count, some.mean, some.delta) == (2, 2.0, 2.0)
    assert none.count == 0
    assert math.isnan(none.mean)
    assert math.isnan(none.integral)
    (single,) = measure_columns(time[:1], rows[1:2, :1])
    assert single.mean == 1.0
    assert math.isnan(single.slope)


def test_a_long_range_is_thinned_out_but_keeps_its_extremes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measure, "EXACT_VALUES", 1000)
    timeline = Timeline()
    time = np.arange(20_000, dtype=np.int64) * SECOND // 100
    rows = np.zeros((20_000, 2), np.float32)
    rows[12_347, 1] = 0.25
    timeline.append("probes", time, rows)
    (found,) = measure_range(timeline, "probes", [1], 0, int(time[-1]))
    assert not found.exact
    assert found.maximum == 0.25
    assert found.mean == pytest.approx(0.0, abs=0.01)


def test_amperes_and_watts_are_integrated_in_hours() -> None:
    assert integral_in_hours("A", 7200.0) == (2.0, "Ah")
    assert integral_in_hours("W", 3600.0) == (1.0, "Wh")
    assert integral_in_hours("V", 5.0) == (5.0, "V·s")
