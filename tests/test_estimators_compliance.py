"""What every estimator promises: see bms_studio.estimators.contract."""

import io
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bms_studio.estimators.contract import Samples, State, samples
from bms_studio.estimators.model import CellModel, cell_model
from bms_studio.estimators.registry import ESTIMATORS
from bms_studio.pack.chemistry import load_chemistry
from tests.estimator_parts import ride

MODEL = cell_model(load_chemistry("NMC"), 5.0)


@pytest.fixture(params=sorted(ESTIMATORS), scope="module")
def estimator(request: pytest.FixtureRequest) -> ModuleType:
    return ESTIMATORS[request.param]


def whole(estimator: ModuleType, data: Samples, model: CellModel = MODEL) -> tuple[State, Any]:
    params = estimator.Params(model)
    state = estimator.start(params, data.cells_v.shape[1])
    return state, estimator.step(params, state, data)


def test_cutting_the_stream_into_blocks_changes_nothing(estimator: ModuleType) -> None:
    data = ride(MODEL, cells=4, seconds=1500)
    state, expected = whole(estimator, data)
    params = estimator.Params(MODEL)
    for cuts in ([1, 2, 3, 700, 701], list(range(0, 1500, 37)), [900, 900, 1400]):
        other = estimator.start(params, 4)
        parts = []
        for a, b in zip([0, *cuts], [*cuts, 1500], strict=True):
            parts.append(estimator.step(params, other, data[a:b]))
        for name in expected:
            joined = np.concatenate([part[name] for part in parts])
            np.testing.assert_array_equal(joined, expected[name], name)
        for name in state:
            np.testing.assert_array_equal(other[name], state[name], name)


def test_state_survives_a_file_in_the_middle(estimator: ModuleType) -> None:
    data = ride(MODEL, cells=3, seconds=1200)
    _, expected = whole(estimator, data)
    params = estimator.Params(MODEL)
    state = estimator.start(params, 3)
    first = estimator.step(params, state, data[:640])
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        again = {name: stored[name].copy() for name in stored.files}
    second = estimator.step(params, again, data[640:])
    for name in expected:
        np.testing.assert_array_equal(np.concatenate([first[name], second[name]]), expected[name])


def test_a_cell_that_is_never_known_leaves_the_others_known(estimator: ModuleType) -> None:
    data = ride(MODEL, cells=4, seconds=1500)
    silent = data.cells_v.copy()
    silent[:, 2] = np.nan
    _, full = whole(estimator, data)
    _, outputs = whole(
        estimator, samples(data.time_ns, data.current_a, silent, data.temperature_degc)
    )
    for name, values in outputs.items():
        if values.ndim == 2:
            others = np.delete(values, 2, axis=1)
            before = np.delete(full[name], 2, axis=1)
            assert np.array_equal(np.isnan(others), np.isnan(before)), name
        else:
            assert np.array_equal(np.isnan(values), np.isnan(full[name])), name


def test_outputs_are_bounded_and_sigmas_not_negative(estimator: ModuleType) -> None:
    rng = np.random.default_rng(5)
    data = ride(MODEL, cells=3, seconds=1200)
    wild = data.cells_v.copy()
    wild[rng.random(wild.shape) < 0.05] = np.nan
    wild[400] = 0.0
    wild[500, 1] = 9.9
    current = data.current_a.copy()
    current[600:650] = np.nan
    _, outputs = whole(estimator, samples(data.time_ns, current, wild, data.temperature_degc))
    for name, values in outputs.items():
        known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
        assert np.all(np.isfinite(known)), name
        if name.endswith("sigma"):
            assert np.all(known >= 0), name
        if name.endswith(("soc", "_share")):
            assert np.all((known >= -0.05) & (known <= 1.05)), name


def test_raw_values_that_mean_invalid_are_unknown(estimator: ModuleType) -> None:
    data = ride(MODEL, cells=3, seconds=1200)
    silent, invalid = data.cells_v.copy(), data.cells_v.copy()
    rows = slice(300, 340)
    silent[rows, 1] = np.nan
    invalid[rows, 1] = 65.535
    invalid[310, 1] = 0.0
    answers = [
        whole(estimator, samples(data.time_ns, data.current_a, volts, data.temperature_degc))[1]
        for volts in (silent, invalid)
    ]
    for name in answers[0]:
        np.testing.assert_array_equal(answers[0][name], answers[1][name], name)


def test_no_samples_and_no_current_are_answered(estimator: ModuleType) -> None:
    data = ride(MODEL, cells=2, seconds=600)
    params = estimator.Params(MODEL)
    state = estimator.start(params, 2)
    nothing = estimator.step(params, state, data[:0])
    assert all(len(values) == 0 for values in nothing.values())
    outputs = estimator.step(params, state, samples(data.time_ns, None, data.cells_v))
    assert "time_ns" in outputs
    assert outputs["time_ns"].dtype == np.int64


def test_two_states_do_not_know_each_other(estimator: ModuleType) -> None:
    data = ride(MODEL, cells=2, seconds=900)
    _, alone = whole(estimator, data)
    params = estimator.Params(MODEL)
    one, two = estimator.start(params, 2), estimator.start(params, 2)
    parts = []
    for at in range(0, 900, 90):
        parts.append(estimator.step(params, one, data[at : at + 90]))
        estimator.step(params, two, data[::-1][:0])
        estimator.step(params, two, data[:90] if at == 0 else data[at : at + 45])
    for name in alone:
        np.testing.assert_array_equal(np.concatenate([p[name] for p in parts]), alone[name])
