"""State of charge: accuracy floors on generated strings, start-up, offset, plateau, gaps."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bms_studio.estimators import soc
from bms_studio.estimators.contract import Samples, samples
from bms_studio.estimators.model import CellModel, cell_model, fit_model, ocv_at, with_changes
from bms_studio.estimators.ocv_error import tables_of
from bms_studio.pack.chemistry import load_chemistry
from tests.estimator_parts import ride, ride_current

NMC = cell_model(load_chemistry("NMC"), 5.0, hysteresis_v=0.0)
LFP = cell_model(load_chemistry("LFP"), 2.5, hysteresis_v=0.0)
SECONDS = 5400


def run(model: CellModel, data: Samples, **told: Any) -> Any:
    params = soc.Params(model, **told)
    return soc.step(params, soc.start(params, data.cells_v.shape[1]), data)


def truth(model: CellModel, data: Samples, start: float, at_ns: Any) -> Any:
    i = data.current_a
    moved = np.concatenate([[0.0], np.cumsum(0.5 * (i[1:] + i[:-1]))]) / 3600 / model.capacity_ah
    return start - moved[np.searchsorted(data.time_ns, at_ns)]


@pytest.mark.parametrize("said", [0.8, 0.6, 1.0, float("nan")])
def test_soc_is_found_whatever_the_bms_says(said: float) -> None:
    data = ride(NMC, cells=6, seconds=SECONDS, soc=0.8)
    out = run(NMC, data, initial_soc=said)
    error = out["pack_soc"] - truth(NMC, data, 0.8, out["time_ns"])
    late = (out["time_ns"] - out["time_ns"][0]) > 1800e9
    assert np.sqrt(np.mean(error[late] ** 2)) < 0.015
    assert np.mean(np.abs(error) <= 3 * out["pack_soc_sigma"]) > 0.95


def test_a_current_offset_is_told_from_a_current() -> None:
    current = ride_current(SECONDS, np.random.default_rng(1))
    current[2000:2900] = 0.0
    data = ride(NMC, cells=4, seconds=SECONDS, current_a=current)
    biased = samples(data.time_ns, data.current_a + 0.05, data.cells_v, data.temperature_degc)
    out = run(NMC, biased, initial_soc=0.8, initial_soc_sigma=0.005)
    assert out["offset_a"][-1] == pytest.approx(0.05, abs=0.015)
    error = out["pack_soc"][-1] - truth(NMC, data, 0.8, out["time_ns"][-1:])[0]
    counted = out["coulomb_soc"][-1] - truth(NMC, data, 0.8, out["time_ns"][-1:])[0]
    assert abs(error) < 0.008
    assert abs(counted) > 0.012


def test_the_fading_end_of_a_charge_is_no_offset() -> None:
    """0.02 C that halves every quarter of an hour is charge, as small and smooth as it is."""
    current = np.concatenate([ride_current(1800, np.random.default_rng(3)), np.full(1800, -2.5)])
    current = np.concatenate([current, -2.5 * np.exp(-np.arange(7200) / 1300.0)])
    data = ride(NMC, cells=3, seconds=len(current), soc=0.7, current_a=current)
    out = run(NMC, data, initial_soc=0.7, initial_soc_sigma=0.01)
    error = out["pack_soc"] - truth(NMC, data, 0.7, out["time_ns"])
    assert np.abs(error).max() < 0.02
    assert abs(out["offset_a"][-1]) < 0.025


def test_every_cell_has_its_own_soc() -> None:
    imbalance = np.array([0.03, -0.02, 0.0, 0.01, -0.02, 0.0])
    data = ride(NMC, cells=6, seconds=SECONDS, imbalance=imbalance)
    out = run(NMC, data, initial_soc=0.8)
    found = out["soc"][-1] - out["soc"][-1].mean()
    np.testing.assert_allclose(found, imbalance, atol=0.006)
    sigma = out["soc_sigma"][-1]
    assert np.all(sigma < 0.05)


def test_a_cell_with_more_resistance_is_named_and_keeps_its_soc() -> None:
    extra = np.array([0.0, 0.0, 0.006, 0.0])
    data = ride(NMC, cells=4, seconds=SECONDS, extra_ohm=extra)
    out = run(NMC, data, initial_soc=0.8)
    found = out["resistance_difference_ohm"][-1]
    assert found[2] - np.median(found) == pytest.approx(0.006, abs=0.0005)
    assert np.ptp(out["soc"][-1]) < 0.01


def test_lfp_is_not_corrected_on_its_plateau_and_says_so() -> None:
    current = ride_current(2400, np.random.default_rng(6), scale=1.0)
    data = ride(LFP, cells=4, seconds=2400, soc=0.8, current_a=current)
    out = run(LFP, data, initial_soc=0.72, initial_soc_sigma=0.02)
    assert not out["correcting"].any()
    moved = truth(LFP, data, 0.0, out["time_ns"])
    drift = out["pack_soc"] - moved
    assert np.ptp(drift[20:]) < 0.005
    unknown = run(LFP, data)
    assert unknown["pack_soc_sigma"][-1] > 0.08


@pytest.mark.parametrize("diffusion", [False, True])
def test_lfp_finds_itself_at_the_knee(diffusion: bool) -> None:
    current = np.full(6700, 1.0)
    current[:120] = 0.0
    told = {"cells": 3, "seconds": 6700, "soc": 0.72, "current_a": current}
    data = ride(LFP, **told, diffusion=diffusion)
    out = run(LFP, data, initial_soc=0.92, initial_soc_sigma=0.02)
    error = out["pack_soc"] - truth(LFP, data, 0.72, out["time_ns"])
    assert error[100] > 0.15
    assert abs(error[-1]) < 0.03
    assert abs(error[-1]) < 4 * out["pack_soc_sigma"][-1]


def test_a_wrong_word_on_the_plateau_is_doubted_until_the_knee_and_then_corrected() -> None:
    current = ride_current(7200, np.random.default_rng(4), scale=2.0)
    data = ride(LFP, cells=3, seconds=7200, soc=0.70, current_a=current, diffusion=True)
    out = run(LFP, data, initial_soc=0.9, initial_soc_sigma=0.02)
    true = truth(LFP, data, 0.70, out["time_ns"])
    empty = (true < 0.06) & (true > 0.0)
    assert empty.any()
    error = np.abs(out["pack_soc"] - true)
    later = (true < 0.69) & (true > 0.0)
    assert np.mean(error[later] <= 3 * out["pack_soc_sigma"][later]) > 0.95
    assert error[empty].max() < 0.06
    right = run(LFP, data, initial_soc=0.70, initial_soc_sigma=0.02)
    assert np.abs(right["pack_soc"] - true)[later].max() < 0.035


def test_noise_of_a_steady_current_is_not_taken_for_a_missing_resistance() -> None:
    rng = np.random.default_rng(5)
    current = np.full(5000, -2.5)
    current[:600] = ride_current(600, rng)
    data = ride(NMC, cells=4, seconds=5000, soc=0.25, current_a=current, noise_v=0.0005)
    noisy = data.current_a + 0.03 * rng.standard_normal(5000)
    noisy[:600] = data.current_a[:600]
    out = run(
        NMC,
        samples(data.time_ns, noisy, data.cells_v, data.temperature_degc),
        initial_soc=0.25,
        initial_soc_sigma=0.01,
    )
    before = out["resistance_ohm"][115]
    assert out["resistance_ohm"][-1] > 0.6 * before
    error = out["pack_soc"] - truth(NMC, data, 0.25, out["time_ns"])
    assert np.abs(error).max() < 0.02


def test_braking_does_not_move_an_lfp_cell_off_its_branch() -> None:
    model = cell_model(load_chemistry("LFP"), 2.5)
    current = np.tile([5.0] * 10 + [-4.0] * 10, 240)
    data = ride(LFP, cells=2, seconds=4800, soc=0.8, current_a=current)
    assert run(model, data, initial_soc=0.8)["hysteresis"][-1] < -0.8


def test_rest_leaves_soc_alone() -> None:
    data = ride(NMC, cells=3, seconds=7200, current_a=np.zeros(7200))
    out = run(NMC, data, initial_soc=0.8, initial_soc_sigma=0.01)
    assert np.ptp(out["pack_soc"][60:]) < 0.005
    # An hour of rest is one reading of the table, not thousands.
    assert out["pack_soc_sigma"][-1] > 0.006


def test_a_gap_widens_sigma_and_is_bridged() -> None:
    data = ride(NMC, cells=3, seconds=3000)
    late = data.time_ns.copy()
    late[1500:] += 6 * 3600 * 10**9
    out = run(
        NMC, samples(late, data.current_a, data.cells_v, data.temperature_degc), initial_soc=0.8
    )
    after = np.searchsorted(out["time_ns"], late[1500])
    assert out["pack_soc_sigma"][after + 1] > out["pack_soc_sigma"][after - 2]
    error = out["pack_soc"][-1] - truth(NMC, data, 0.8, data.time_ns[-1:])[0]
    assert abs(error) < 3 * out["pack_soc_sigma"][-1]


def test_without_current_sigma_grows() -> None:
    data = ride(NMC, cells=3, seconds=3000)
    blind = samples(data.time_ns, None, data.cells_v, data.temperature_degc)
    with_current, without = run(NMC, data, initial_soc=0.8), run(NMC, blind, initial_soc=0.8)
    assert without["pack_soc_sigma"][-1] > 1.5 * with_current["pack_soc_sigma"][-1]
    error = without["pack_soc"][-1] - truth(NMC, data, 0.8, without["time_ns"][-1:])[0]
    assert abs(error) < 3 * without["pack_soc_sigma"][-1]


def test_telematics_of_thirty_seconds_still_hold() -> None:
    data = ride(
        NMC,
        cells=4,
        seconds=SECONDS * 2,
        soc=0.9,
        current_a=np.repeat(ride_current(SECONDS // 15, np.random.default_rng(2), 1.0), 30)[
            : SECONDS * 2
        ],
    )
    slow = samples(
        data.time_ns[::30], data.current_a[::30], data.cells_v[::30], data.temperature_degc[::30]
    )
    out = run(NMC, slow)
    error = out["pack_soc"] - truth(NMC, data, 0.9, out["time_ns"])
    assert np.abs(error[-1]) < 0.05
    assert np.mean(np.abs(error) <= 3 * out["pack_soc_sigma"]) > 0.95


def test_bleeding_moves_the_cell_that_bleeds() -> None:
    data = ride(NMC, cells=3, seconds=SECONDS, current_a=np.zeros(SECONDS))
    on = np.zeros(data.cells_v.shape, np.float32)
    on[:, 1] = 1.0
    bled = samples(
        data.time_ns, data.current_a, data.cells_v * np.nan, data.temperature_degc, None, on
    )
    params = soc.Params(NMC, initial_soc=0.8, bleed_a=0.1)
    out = soc.step(params, soc.start(params, 3), bled)
    expected = -0.1 * SECONDS / 3600 / 5.0
    assert out["soc"][-1, 1] - out["soc"][-1, 0] == pytest.approx(expected, rel=0.01)


@settings(max_examples=15, deadline=None)
@given(
    start=st.floats(0.3, 0.95),
    seed=st.integers(0, 10_000),
    scale=st.floats(1.0, 6.0),
)
def test_discharge_lowers_and_charge_raises_soc(start: float, seed: int, scale: float) -> None:
    current = np.full(900, scale) * (1 if seed % 2 else -1)
    current[:90] = 0.0
    if seed % 2 == 0:
        start = min(start, 0.6)
    data = ride(NMC, cells=2, seconds=900, soc=start, current_a=current, seed=seed)
    out = run(NMC, data, initial_soc=start)
    change = out["pack_soc"][-1] - out["pack_soc"][20]
    assert np.sign(change) == -np.sign(current[-1])
    assert np.all((out["pack_soc"] >= 0) & (out["pack_soc"] <= 1))


def test_fitting_finds_the_circuit_that_made_the_data() -> None:
    made = with_changes(NMC, r0_ohm=0.022, r1_ohm=0.011, tau1_s=16.0, r2_ohm=0.009, tau2_s=400.0)
    data = ride(made, cells=1, seconds=SECONDS, noise_v=0.0005, diffusion=True)
    time = (data.time_ns - data.time_ns[0]) * 1e-9
    z = truth(made, data, 0.8, data.time_ns)
    found = fit_model(NMC, time, data.current_a, data.cells_v[:, 0].astype(np.float64), z)
    assert found.r0_ohm == pytest.approx(0.022, rel=0.05)
    assert found.r1_ohm + found.r2_ohm == pytest.approx(0.020, rel=0.15)


def test_models_refuse_what_is_no_capacity() -> None:
    with pytest.raises(ValueError, match="capacity must be positive"):
        cell_model(load_chemistry("NMC"), 0.0)


def test_plateau_is_where_the_table_is_flat() -> None:
    assert LFP.plateau[50]
    assert not LFP.plateau[3]
    assert NMC.plateau.mean() < 0.15
    sharp = with_changes(LFP, sigma_ocv_v=0.001)
    assert sharp.plateau.sum() < LFP.plateau.sum()
    assert ocv_at(NMC, 0.5) == pytest.approx(3.75, abs=0.01)


def test_samples_with_wrong_shapes_are_refused() -> None:
    time = np.arange(3, dtype=np.int64)
    with pytest.raises(ValueError, match="one row per time"):
        samples(time, np.zeros(3), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="backwards"):
        samples(time[::-1].copy(), np.zeros(3), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="current_a"):
        samples(time, np.zeros(2), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="floating point"):
        samples(time, np.zeros(3), np.zeros((3, 4), np.int32))


def test_a_table_of_the_family_that_fits_better_is_followed_and_named() -> None:
    """Told "NMC", the cells have the curve of a spinel blend: 0.2 V apart."""
    cells = cell_model(load_chemistry("LMO"), 5.0, hysteresis_v=0.0)
    data = ride(cells, cells=3, seconds=7200, soc=0.9)
    out = run(NMC, data, initial_soc=0.9, initial_soc_sigma=0.01)
    names = tables_of(NMC).names
    assert names[int(out["table"][-1])] == "LMO"
    assert out["table_belief"][-1] > 0.8
    error = np.abs(out["pack_soc"] - truth(cells, data, 0.9, out["time_ns"]))
    assert np.mean(error <= 3 * out["pack_soc_sigma"]) > 0.95


def test_a_table_of_ones_own_has_no_rivals() -> None:
    assert len(tables_of(NMC).names) == 6
    assert not with_changes(NMC, ocv_v=NMC.ocv_v + 0.001).rivals
    assert tables_of(NMC).belief.sum() == pytest.approx(1.0)


def test_a_gap_leaves_what_was_believed_of_the_table() -> None:
    cells = cell_model(load_chemistry("LMO"), 5.0, hysteresis_v=0.0)
    data = ride(cells, cells=3, seconds=7200, soc=0.9)
    later = data.time_ns + np.where(np.arange(7200) >= 7000, 3_600_000_000_000, 0)
    gapped = samples(later, data.current_a, data.cells_v, data.temperature_degc)
    out = run(NMC, gapped, initial_soc=0.9, initial_soc_sigma=0.01)
    assert tables_of(NMC).names[int(out["table"][-1])] == "LMO"
    assert out["restarts"][-1] >= 1
