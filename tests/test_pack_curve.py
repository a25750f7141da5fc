"""Differences between cells are read through the pack's own curve, not through another maker's."""

import numpy as np
import pytest

from bms_studio.estimators import leak
from bms_studio.estimators.model import CellModel, cell_model, with_changes
from bms_studio.estimators.pack_curve import own_curve
from bms_studio.pack.chemistry import load_chemistry
from tests.estimator_parts import ride, ride_current

TRUE = cell_model(load_chemistry("NMC"), 5.0)


def bent(model: CellModel) -> CellModel:
    """Another maker's cell: its slope is half as steep in some places and half more in others."""
    wave = 0.022 * np.sin(2 * np.pi * 4 * model.soc)
    return with_changes(model, ocv_v=np.maximum.accumulate(model.ocv_v + wave))


def day() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rng = np.random.default_rng(3)
    rest = np.zeros(7200)
    charge = np.full(9000, -1.2)
    return np.concatenate([rest, ride_current(9000, rng, 2.5), rest, charge, rest])


def windows(**faults: np.ndarray[tuple[int], np.dtype[np.float64]]) -> leak.Outputs:
    current = day()
    data = ride(TRUE, 8, len(current), soc=0.85, current_a=current, **faults)
    params = leak.Params(TRUE)
    return leak.step(params, leak.start(params, 8), data)


def slope_error(model: CellModel, low: float, high: float) -> float:
    here = (model.soc > low) & (model.soc < high)
    wanted = np.gradient(TRUE.ocv_v, TRUE.soc)[here]
    return float(np.sqrt(np.mean((np.gradient(model.ocv_v, model.soc)[here] / wanted - 1) ** 2)))


def test_the_curve_comes_nearer_to_the_pack_s_where_the_day_went() -> None:
    found = windows()
    hours = (found["time_ns"] - found["time_ns"][0]) * 1e-9 / 3600
    moved = (found["moved_ah"] - found["moved_ah"][0]) / TRUE.capacity_ah
    z = 0.85 - moved
    wrong = bent(TRUE)
    mean_v, warm = found["cell_v"].mean(1), found["temperature_degc"]
    learnt, _ = own_curve(wrong, hours, z, mean_v, found["current_a"], found["slow_a"], warm)
    low, high = float(z.min()) + 0.03, float(z.max()) - 0.03
    assert high - low > 0.3
    assert slope_error(learnt, low, high) < 0.4 * slope_error(wrong, low, high)
    assert np.all(np.diff(learnt.ocv_v) >= 0)


def test_a_leak_is_found_to_a_fifth_with_another_maker_s_table() -> None:
    leaks = np.zeros(8)
    leaks[3] = 0.010
    found = leak.solve(leak.Params(bent(TRUE)), windows(leak_a=leaks), 0.85)
    apart = found["leak_a"] - np.median(found["leak_a"])
    assert apart[3] == pytest.approx(0.010, rel=0.2)
    assert np.abs(np.delete(apart, 3)).max() < 0.002


def test_a_curve_that_cannot_be_seen_stays_the_table_s() -> None:
    nothing = np.zeros(0)
    assert own_curve(TRUE, nothing, nothing, nothing, nothing, nothing, nothing)[0] is TRUE


@pytest.mark.parametrize("rest", [-0.04, 0.0, 1.0, 1.04])
def test_a_day_spent_at_either_end_keeps_the_whole_curve(rest: float) -> None:
    z = np.concatenate([np.linspace(0.2, 0.9, 40), np.full(200, rest)])
    still, warm = np.zeros(len(z)), np.full(len(z), 25.0)
    volts = np.interp(z, TRUE.soc, TRUE.ocv_v)
    learnt, unseen = own_curve(TRUE, np.arange(len(z)) / 60, z, volts, still, still, warm)
    assert learnt.ocv_v.shape == TRUE.ocv_v.shape == unseen.shape
    assert np.all(np.diff(learnt.ocv_v) >= 0)
    assert slope_error(learnt, 0.25, 0.85) < 0.05


@pytest.mark.parametrize("rest", [0.503, 1.03])
def test_a_day_at_one_charge_learns_no_nonsense(rest: float) -> None:
    z, still, warm = np.full(60, rest), np.zeros(60), np.full(60, 25.0)
    volts = np.full(60, float(np.interp(rest, TRUE.soc, TRUE.ocv_v)))
    learnt, unseen = own_curve(TRUE, np.arange(60) / 60, z, volts, still, still, warm)
    assert np.isfinite(learnt.ocv_v).all()
    assert np.isfinite(unseen).all()


def test_beyond_what_was_seen_the_slope_is_doubted() -> None:
    hours = np.linspace(0, 8, 480)
    z = 0.55 + 0.35 * np.cos(hours)
    still, warm = np.zeros(480), np.full(480, 25.0)
    volts = np.interp(z, TRUE.soc, TRUE.ocv_v)
    _, unseen = own_curve(TRUE, hours, z, volts, still, still, warm)
    inside = (TRUE.soc > 0.25) & (TRUE.soc < 0.85)
    assert unseen[inside].max() < 0.1
    assert unseen[(TRUE.soc > 0.1) & (TRUE.soc < 0.16)].min() > 0.3


def test_a_long_rest_is_answered_as_if_every_window_counted() -> None:
    leaks = np.zeros(8)
    leaks[2] = 0.012
    data = ride(TRUE, 8, 8 * 3600, soc=0.6, leak_a=leaks, current_a=np.zeros(8 * 3600))
    params = leak.Params(TRUE)
    rest = leak.step(params, leak.start(params, 8), data)
    found = leak.solve(params, rest, 0.6)
    assert found["leak_a"][2] - np.median(found["leak_a"]) == pytest.approx(0.012, rel=0.1)
