"""Resistance, capacity, leak, usable charge, power and sag on strings with known faults."""

from typing import Any

import numpy as np
import pytest

from bms_studio.estimators import capacity, leak, resistance, sag
from bms_studio.estimators.contract import frozen, samples
from bms_studio.estimators.model import cell_model, ocv_at
from bms_studio.estimators.power import Limits, power_limits
from bms_studio.estimators.usable import UNKNOWN, usable
from bms_studio.pack.chemistry import load_chemistry
from tests.estimator_parts import START_NS, ride, ride_current

MODEL = cell_model(load_chemistry("NMC"), 5.0, hysteresis_v=0.0)


def ohms(data: Any) -> Any:
    params = resistance.Params(MODEL)
    return resistance.step(params, resistance.start(params, data.cells_v.shape[1]), data)


def test_resistance_is_found_with_its_difference() -> None:
    extra = np.array([0.0, 0.003, 0.0])
    out = ohms(ride(MODEL, cells=3, seconds=1800, extra_ohm=extra))
    # At 1 Hz the fast pair already answers a little within one sample.
    assert out["ohmic_ohm"][-1, 0] == pytest.approx(MODEL.r0_ohm, rel=0.05)
    assert np.ptp(out["ohmic_ohm"][-1, [0, 2]]) < 2e-4
    found = (out["ohmic_ohm"][-1, 1] - out["ohmic_ohm"][-1, 0]) * out["condition"][-1]
    assert found == pytest.approx(0.003, rel=0.03)
    assert np.all(out["ten_second_ohm"][-1] > out["ohmic_ohm"][-1])
    expected = MODEL.r0_ohm + MODEL.r1_ohm * (1 - np.exp(-10 / MODEL.tau1_s))
    assert out["ten_second_ohm"][-1, 0] == pytest.approx(expected, rel=0.10)


@pytest.mark.parametrize("late_s", [0.0, 0.3, 0.7])
def test_a_late_scan_changes_no_resistance(late_s: float) -> None:
    fine = ride(
        MODEL,
        cells=1,
        seconds=18_000,
        current_a=np.repeat(ride_current(1800, np.random.default_rng(3)), 10),
    )
    # Taken as tenths of a second: cell voltage is read `late_s` after the current.
    shift = round(late_s * 10)
    rows = np.arange(0, 18_000 - shift, 10)
    time = START_NS + np.arange(len(rows), dtype=np.int64) * 10**9
    out = ohms(samples(time, fine.current_a[rows + shift], fine.cells_v[rows]))
    reference = ohms(samples(time, fine.current_a[rows], fine.cells_v[rows]))
    assert out["ohmic_ohm"][-1, 0] == pytest.approx(reference["ohmic_ohm"][-1, 0], rel=0.03)


def test_an_age_that_is_known_is_taken_out() -> None:
    data = ride(MODEL, cells=2, seconds=2400)
    volts = data.cells_v.copy()
    volts[1:, 1] = data.cells_v[:-1, 1]
    age = np.zeros(volts.shape, np.float32)
    age[:, 1] = 1.0
    out = ohms(samples(data.time_ns, data.current_a, volts, data.temperature_degc, age))
    assert out["ohmic_ohm"][-1, 1] == pytest.approx(out["ohmic_ohm"][-1, 0], rel=0.03)


@pytest.mark.parametrize("age_s", [0.3, 0.7])
def test_an_age_of_part_of_a_scan_adds_no_resistance(age_s: float) -> None:
    """A step falls before or after a reading, never partly: here always on the same side."""
    fine = ride(
        MODEL,
        cells=1,
        seconds=18_000,
        current_a=np.repeat(ride_current(1800, np.random.default_rng(3)), 10),
    )
    shift = round(age_s * 10)
    rows = np.arange(0, 18_000 - shift, 10)
    time = START_NS + np.arange(len(rows), dtype=np.int64) * 10**9
    age = np.full((len(rows), 1), age_s, np.float32)
    warm = np.full(len(rows), 25.0)
    late = samples(time, fine.current_a[rows + shift], fine.cells_v[rows], warm, age)
    reference = ohms(samples(time, fine.current_a[rows], fine.cells_v[rows], warm))
    assert ohms(late)["ohmic_ohm"][-1, 0] == pytest.approx(reference["ohmic_ohm"][-1, 0], rel=0.05)


def test_without_steps_there_is_no_resistance() -> None:
    out = ohms(ride(MODEL, cells=2, seconds=600, current_a=np.zeros(600)))
    assert np.isnan(out["ohmic_ohm"]).all()


def windows_of(data: Any, **told: Any) -> tuple[leak.Params, Any]:
    params = leak.Params(MODEL, **told)
    return params, leak.step(params, leak.start(params, data.cells_v.shape[1]), data)


def day(seconds: int = 36_000) -> Any:
    """Two rides with charges between, ten hours."""
    current = ride_current(seconds, np.random.default_rng(4), scale=2.5)
    for begin in (9000, 27_000):
        current[begin : begin + 1800] = 0.0
        current[begin + 1800 : begin + 9000] = 0.0
        amount = current[begin - 9000 : begin].sum()
        current[begin + 1800 : begin + 7200] = -amount / 5400
    return current


def test_leak_capacity_resistance_and_imbalance_are_told_apart() -> None:
    n = 8
    leak_a, smaller = np.zeros(n), np.zeros(n)
    extra, imbalance = np.zeros(n), np.zeros(n)
    leak_a[1], smaller[3], extra[5], imbalance[6] = 0.010, 0.06, 0.004, 0.02
    data = ride(
        MODEL,
        cells=n,
        seconds=36_000,
        soc=0.85,
        imbalance=imbalance,
        extra_ohm=extra,
        smaller=smaller,
        leak_a=leak_a,
        current_a=day(),
    )
    params, windows = windows_of(data)
    out = leak.solve(params, windows, 0.85)
    truths = {
        "leak_a": leak_a - leak_a.mean(),
        "resistance_ohm": extra - extra.mean(),
        "capacity": -smaller + smaller.mean(),
        "imbalance": imbalance - imbalance.mean(),
    }
    for name, true in truths.items():
        error = out[name] - true
        assert np.all(np.abs(error) < 4 * out[f"{name}_sigma"]), name
        assert np.argmax(np.abs(out[name])) == np.argmax(np.abs(true)), name
    assert out["leak_a"][1] - np.median(out["leak_a"]) == pytest.approx(0.010, abs=0.001)
    assert out["capacity"][3] - np.median(out["capacity"]) == pytest.approx(-0.06, abs=0.009)


def test_a_large_leak_is_not_underestimated() -> None:
    leak_a = np.zeros(6)
    leak_a[2] = 0.080
    data = ride(MODEL, cells=6, seconds=36_000, soc=0.85, leak_a=leak_a, current_a=day())
    params, windows = windows_of(data)
    out = leak.solve(params, windows, 0.85)
    assert out["leak_a"][2] - np.median(out["leak_a"]) == pytest.approx(0.080, rel=0.05)


def test_what_a_bleeder_took_is_no_leak() -> None:
    leak_a = np.zeros(5)
    leak_a[1] = 0.050
    data = ride(MODEL, cells=5, seconds=36_000, soc=0.85, leak_a=leak_a, current_a=day())
    on = np.zeros(data.cells_v.shape, np.float32)
    on[:, 1] = 0.5
    balanced = samples(data.time_ns, data.current_a, data.cells_v, data.temperature_degc, None, on)
    params, windows = windows_of(balanced, bleed_a=0.1)
    out = leak.solve(params, windows, 0.85)
    assert abs(out["leak_a"][1] - np.median(out["leak_a"])) < 0.002
    params, windows = windows_of(balanced)
    assert np.isnan(leak.solve(params, windows, 0.85)["leak_a"][1])


def test_a_cell_that_is_silent_for_hours_is_still_judged() -> None:
    leak_a = np.array([0.0, 0.02, 0.0, 0.0])
    data = ride(MODEL, cells=4, seconds=36_000, soc=0.85, leak_a=leak_a, current_a=day())
    volts = data.cells_v.copy()
    volts[5000:12_000, 1] = np.nan
    volts[:, 3] = np.nan
    params, windows = windows_of(
        samples(data.time_ns, data.current_a, volts, data.temperature_degc)
    )
    out = leak.solve(params, windows, 0.85)
    assert out["leak_a"][1] - out["leak_a"][0] == pytest.approx(0.02, abs=0.002)
    assert np.isnan(out["leak_a"][3])


def test_capacity_is_unbiased_where_soc_is_uncertain() -> None:
    rng = np.random.default_rng(8)
    params = capacity.Params(MODEL, least_swing=0.0, forgetting=1.0)
    state = capacity.start(params, 400)
    for _ in range(30):
        x = rng.uniform(0.35, 0.8, 400) * rng.choice([-1, 1], 400)
        y = 4.6 * x + 0.01 * rng.standard_normal(400)
        capacity.add_pair(
            params, state, x + 0.03 * rng.standard_normal(400), np.full(400, 0.03), y, 0.01
        )
    found, sigma = capacity.solve(params, state)
    assert found.mean() == pytest.approx(4.6, abs=0.01)
    assert 0.8 < np.sqrt(np.mean(((found - 4.6) / sigma) ** 2)) < 1.25


def test_one_pair_answers_with_its_sigma_and_none_is_unknown() -> None:
    params = capacity.Params(MODEL)
    state = capacity.start(params, 2)
    capacity.add_pair(params, state, np.array([0.5, np.nan]), np.array([0.02, 0.02]), 2.5, 0.02)
    found, sigma = capacity.solve(params, state)
    assert found[0] == pytest.approx(5.0, rel=0.005)
    assert sigma[0] == pytest.approx(0.2, rel=0.15)
    assert np.isnan(found[1])


def test_rests_before_and_after_a_charge_give_capacity() -> None:
    seconds = 18_000
    current = np.zeros(seconds)
    current[3600:12_600] = 1.2
    smaller = np.array([0.0, 0.08])
    data = ride(MODEL, cells=2, seconds=seconds, soc=0.85, current_a=current, smaller=smaller)
    _, windows = windows_of(data)
    params = capacity.Params(MODEL)
    state = capacity.start(params, 2)
    assert capacity.add_anchors(params, state, windows) == 1
    found, sigma = capacity.solve(params, state)
    assert np.all(np.abs(found - 5.0 * (1 - smaller)) < 3 * sigma)
    assert found[1] / found[0] == pytest.approx(0.92, abs=0.015)


def test_the_weakest_cell_ends_the_ride_and_its_price_is_named() -> None:
    soc = np.array([0.6, 0.6, 0.45, 0.62])
    answer = usable(MODEL, soc, np.full(4, 0.01), np.full(4, 5.0), np.full(4, 0.02), 5.0)
    assert answer.limiting_cell == 3
    assert answer.full_cell == 4
    assert answer.charge_ah == pytest.approx(5.0 * 0.45, rel=0.15)
    assert answer.costs_wh > 5.0
    assert answer.soc == pytest.approx(answer.charge_ah / 5.0)
    assert answer.soc < 0.45, "what the others hold above the weakest cell cannot be used"
    same = usable(MODEL, np.full(4, 0.6), np.full(4, 0.01), np.full(4, 5.0), np.full(4, 0.02), 5.0)
    assert same.costs_wh == pytest.approx(0.0, abs=1e-6)
    assert usable(MODEL, soc * np.nan, soc, soc, soc, 1.0) is UNKNOWN


def test_a_small_cell_limits_though_its_soc_is_highest() -> None:
    answer = usable(
        MODEL, np.array([0.6, 0.65]), np.full(2, 0.01), np.array([5.0, 4.0]), np.full(2, 0.02), 1.0
    )
    assert answer.limiting_cell == 2


def test_power_shrinks_with_time_cold_and_resistance() -> None:
    soc, sigma = np.full(3, 0.5), np.full(3, 0.01)
    ohm = np.array([0.02, 0.05, 0.02])
    warm = power_limits(MODEL, soc, sigma, ohm, 0.0, 25.0, Limits())
    assert [p.seconds for p in warm[:3]] == [2.0, 10.0, 30.0]
    assert warm[0].power_w > warm[1].power_w > warm[2].power_w > 0
    assert all(p.cell == 2 and p.cause == "voltage" for p in warm)
    assert all(p.current_a < 0 for p in warm[3:])
    cold = power_limits(MODEL, soc, sigma, ohm, 0.0, 5.0, Limits())
    assert cold[1].power_w < warm[1].power_w
    # The answer is the limit: at this current the weak cell is at its cut-off after 10 s.
    assert not power_limits(MODEL, soc * np.nan, sigma, ohm, 0.0, 25.0, Limits())


def test_power_names_what_limits_it() -> None:
    soc, sigma, ohm = np.full(2, 0.5), np.full(2, 0.01), np.full(2, 0.02)
    allowed = power_limits(MODEL, soc, sigma, ohm, 0.0, 25.0, Limits(discharge_a=10.0))
    assert allowed[0].current_a == 10.0
    assert allowed[0].cause == "current"
    frost = power_limits(MODEL, soc, sigma, ohm, 0.0, -3.0, Limits())
    assert frost[3].power_w == 0.0
    assert frost[3].cause == "temperature"
    empty = power_limits(MODEL, np.zeros(2), sigma, ohm, 0.0, 25.0, Limits())
    assert empty[0].power_w == 0.0
    assert empty[0].cause == "empty"


def test_the_hardest_pull_and_what_it_leaves() -> None:
    rng = np.random.default_rng(2)
    current = rng.choice([2.0, 5.0, 8.0], 4000, p=[0.6, 0.37, 0.03])
    params = sag.Params(MODEL)
    data = samples(START_NS + np.arange(4000) * 10**9, current, np.full((4000, 2), 3.7))
    out = sag.step(params, sag.start(params, 2), data)
    assert out["peak_a"][-1] == pytest.approx(8.0, abs=0.3)
    # The first to reach the cut-off is the emptier cell, though the other has more resistance.
    volts, margin, sigma = sag.margins(
        MODEL, np.array([0.5, 0.08]), np.array([0.04, 0.03]), np.full(2, 0.001), 8.0
    )
    assert margin[1] < margin[0]
    assert volts[0] == pytest.approx(float(ocv_at(MODEL, 0.5)) - 8 * 0.04, abs=0.01)
    assert np.all(sigma > 0)


def test_outputs_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        frozen(a=np.zeros(1))["a"] = np.ones(1)  # type: ignore[index]
