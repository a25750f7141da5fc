"""Trends of capacity and resistance from a history of dated values."""

import csv

import numpy as np
import pytest

from benchmarks import _cell_data as cell_data
from bms_studio.estimators import degradation
from bms_studio.estimators.degradation import YEAR_S, Params, predict, trend


def history(slope: float, sigma: float, months: int, cells: int, seed: int = 1) -> tuple:
    rng = np.random.default_rng(seed)
    time = np.arange(months) * YEAR_S / 12
    true = 1.0 + slope * time[:, None] / YEAR_S
    value = true + sigma * rng.standard_normal((months, cells))
    return time, time / 3600, value, np.full(value.shape, sigma)


def test_slopes_are_found_with_honest_sigma() -> None:
    time, charge, value, sigma = history(-0.06, 0.004, 24, 200)
    found = trend(Params(), time, charge, value, sigma)
    ratio = (found.slope + 0.06) / found.slope_sigma
    assert 0.3 < np.sqrt(np.mean(ratio**2)) < 1.3
    assert np.mean(np.abs(found.level - (1 - 0.06 * 23 / 12)) < 3 * found.level_sigma) > 0.97
    ahead, ahead_sigma = predict(found, np.array([0.5]))
    off = (ahead[0] - (1 - 0.06 * (23 / 12 + 0.5))) / ahead_sigma[0]
    assert np.mean(np.abs(off) < 3) > 0.97
    assert found.z.mean() < -2


def test_one_value_is_no_trend_and_unknown_stays_unknown() -> None:
    time, charge, value, sigma = history(-0.06, 0.004, 6, 3)
    value[1:, 1] = np.nan
    value[:, 2] = np.nan
    found = trend(Params(), time, charge, value, sigma)
    assert found.count.tolist() == [6, 1, 0]
    assert abs(found.z[1]) < 0.01
    assert found.slope_sigma[1] == pytest.approx(0.05)
    assert np.isnan(found.level[2])
    assert np.isnan(found.z[2])


def test_a_knee_is_followed_and_a_wild_value_is_not() -> None:
    time, charge, value, sigma = history(-0.02, 0.003, 36, 2)
    value[18:, 0] -= 0.25 * (time[18:] - time[18]) / YEAR_S
    value[30, 1] -= 0.2
    found = trend(Params(), time, charge, value, sigma)
    assert found.slope[0] == pytest.approx(-0.27, abs=0.06)
    assert found.slope[1] == pytest.approx(-0.02, abs=0.04)
    assert found.wander_slope[0] > found.wander_slope[1] or found.wander_slope[0] > 0.02


def test_square_root_of_time_and_throughput_are_axes() -> None:
    time = np.linspace(0, 4, 20) * YEAR_S
    value = (1 - 0.05 * np.sqrt(time / YEAR_S))[:, None]
    sigma = np.full(value.shape, 0.002)
    found = trend(Params(axis="root"), time, time, value, sigma)
    assert found.slope[0] == pytest.approx(-0.05, abs=0.005)
    charge = np.linspace(0, 5000, 20)
    value = (1 - 1e-4 * charge / 5)[:, None]
    params = Params(axis="throughput", capacity_ah=5.0, slope_sigma=1e-3, wander_slope=1e-6)
    found = trend(params, time, charge, value, sigma)
    assert found.slope[0] == pytest.approx(-1e-4, rel=0.05)


def test_a_history_may_be_filled_in_any_order_and_bad_ones_are_refused() -> None:
    state = degradation.start(Params(), 1)
    for month in (3, 0, 2, 1):
        degradation.add(state, month * YEAR_S / 12, float(month), [1 - 0.01 * month], [0.003])
    found = trend(Params(), **state)
    assert found.count[0] == 4
    assert found.slope[0] < 0
    with pytest.raises(ValueError, match="backwards"):
        trend(
            Params(axis="throughput"),
            state["time_s"],
            -state["throughput_ah"],
            state["value"],
            state["sigma"],
        )
    with pytest.raises(ValueError, match="no axis"):
        trend(Params(axis="moon"), **state)
    with pytest.raises(ValueError, match="same shape"):
        trend(Params(), state["time_s"], state["throughput_ah"], state["value"], np.zeros((2, 2)))


@pytest.mark.skipif(
    not cell_data.FOLDER.is_dir(), reason="the folder ../shared/data/cells is not there"
)
@pytest.mark.parametrize("cell", ["CS2_35", "CS2_36"])
def test_measured_cells_are_predicted_a_hundred_cycles_ahead(cell: str) -> None:
    with open(cell_data.FOLDER / "calce_cs2" / f"{cell}.csv", newline="") as file:
        rows = [(float(r["cycle"]), float(r["capacity"])) for r in csv.DictReader(file)]
    cycle, capacity = np.array(rows).T
    params = Params(
        axis="throughput", capacity_ah=1.1, slope_sigma=1e-3, wander_level=1e-3, wander_slope=1e-4
    )
    inside, total = 0, 0
    for now in range(60, len(cycle) - 120, 40):
        seen = slice(0, now, 10)
        value = capacity[seen, None]
        found = trend(params, cycle[seen], 1.1 * cycle[seen], value, np.full(value.shape, 0.005))
        ahead = cycle[now + 100] - found.at
        mean, sigma = predict(found, np.array([ahead]))
        inside += abs(mean[0, 0] - capacity[now + 100]) < 3 * sigma[0, 0]
        total += 1
    # CS2_36 drops at its very end within thirty cycles, which no trend before shows.
    assert inside >= 0.85 * total
