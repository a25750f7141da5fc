"""Floors on measured cells and independent simulations; skipped where the data are not there."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks import _blind_cells as blind_cells
from benchmarks import _cell_data as cell_data
from benchmarks import estimation
from bms_studio.estimators import leak, soc
from bms_studio.estimators.model import cell_model
from bms_studio.estimators.ocv_error import tables_of
from bms_studio.pack.chemistry import load_chemistry

pytestmark = pytest.mark.skipif(
    not cell_data.FOLDER.is_dir(), reason="the folder ../shared/data/cells is not there"
)


@pytest.mark.parametrize("case", estimation.CASES)
def test_a_blend_cell_with_its_own_and_with_the_usual_table(case: str) -> None:
    run = cell_data.e2()
    for model in (
        estimation.own("LMO", run, "ocv_E2_NMC_measured.csv"),
        estimation.usual("LMO", run),
    ):
        score = estimation.judge(run, model, case)
        assert score.rmse < (1.5 if case in ("20 off", "gain") else 1.2)
        assert score.inside > 95


@pytest.mark.parametrize("temperature", [25, 5, -15])
def test_lfp_cell_with_the_usual_table(temperature: int) -> None:
    run = cell_data.a123(temperature)
    cases = ("exact", "20 off", "offset")
    scores = [estimation.judge(run, estimation.usual("LFP", run), case) for case in cases]
    # Single rows move by a point when a number moves a little (-15 degC from 20 off: 0.7 to 1.7).
    assert np.mean([score.rmse for score in scores]) < 1.3
    for case, score in zip(cases, scores, strict=True):
        assert score.rmse < (2.0 if temperature < 0 else 1.4), case
        assert score.inside > 95, case


@pytest.mark.parametrize("temperature", [25, 5])
def test_lfp_cell_told_wrong_on_its_plateau_recovers_at_the_knee(temperature: int) -> None:
    whole = cell_data.a123(temperature)
    run = estimation.part_of(whole, slice(int(np.argmax(whole.soc < 0.7)), None), whole.name)
    params = soc.Params(estimation.usual("LFP", run), initial_soc=0.9, initial_soc_sigma=0.02)
    out = soc.step(params, soc.start(params, 1), estimation.of_run(run, run.current_a))
    true = np.interp((out["time_ns"] - estimation.START_NS) * 1e-9, run.time_s, run.soc)
    error = np.abs(out["pack_soc"] - true)
    assert np.mean(error <= 3 * out["pack_soc_sigma"]) > 0.95
    assert np.sqrt(np.mean(error[true < 0.10] ** 2)) < 0.035


def test_a_cell_sold_as_what_it_is_not_is_followed_by_the_table_that_fits() -> None:
    run = cell_data.e2()
    params = soc.Params(
        estimation.usual("NMC", run), initial_soc=float(run.soc[0]), initial_soc_sigma=0.01
    )
    out = soc.step(params, soc.start(params, 1), estimation.of_run(run, run.current_a))
    names = tables_of(params.model).names
    assert names[int(out["table"][-1])] == "LMO"
    assert out["table_belief"][-1] > 0.9
    assert estimation.judge(run, estimation.usual("NMC", run), "exact").rmse < 1.2


def test_another_makers_cell_with_the_usual_table() -> None:
    for trips in ((1, 2, 3, 4), (5, 6, 7, 8)):
        run = cell_data.nmc_trips(trips)
        for case, most in (("exact", 1.0), ("offset", 1.9), ("20 off", 3.5)):
            score = estimation.judge(run, estimation.usual("NMC", run), case)
            assert score.rmse < most
            assert score.inside > 95


def test_cells_of_another_physics_with_the_usual_table() -> None:
    """The half that nothing was chosen by; points of SOC after half an hour."""
    ratios = []
    for chemistry, table, degc, seed in (
        ("NMC", "pocv_Samsung-INR2170040T_measured.csv", 25.0, 901),
        ("NMC", "pocv_Molicel-INR18650P28A_measured.csv", 5.0, 902),
        ("NMC", "ocv_ORegan2022.csv", -10.0, 903),
        ("LFP", "ocv_A123_26650_LFP_measured.csv", 5.0, 904),
        ("LMO", "ocv_E2_NMC_measured.csv", 25.0, 905),
    ):
        run = blind_cells.make_run(chemistry, table, degc, "day", seed)
        score = estimation.judge(run, estimation.usual(chemistry, run), "exact")
        assert score.rmse < 2.5, table
        ratios.append(score.rmse / score.sigma)
    assert np.sqrt(np.mean(np.square(ratios))) < 1.3


def test_trips_that_were_not_fitted() -> None:
    run, other = cell_data.nmc_trips((5, 6, 7, 8)), cell_data.nmc_trips((1, 2, 3, 4))
    table = "ocv_unknown_nmc_measured.csv"
    model = estimation.fitted(estimation.own("NMC", run, table), other)
    assert estimation.judge(run, model, "exact").rmse < 1.0
    assert estimation.judge(run, model, "20 off").rmse < 1.5


@pytest.fixture(scope="module")
def found() -> tuple[cell_data.Pack, Any]:
    pack = cell_data.simulated("pack_nmc_weeks", 1)
    model = cell_model(load_chemistry("NMC"), 5.0)
    params = leak.Params(model)
    cells = len(pack.labels)
    windows = leak.step(params, leak.start(params, cells), estimation.of_pack(pack))
    return pack, leak.solve(params, windows, float(pack.soc[0].mean()), 0.01, 0.02)


@pytest.mark.parametrize(
    ("quantity", "label"),
    [("leak_a", "ISC"), ("capacity", "Q_LOW"), ("resistance_ohm", "R_GROW"), ("offset_v", "V_OFF")],
)
def test_the_faulty_cell_of_a_simulated_pack_ranks_first(
    found: tuple[cell_data.Pack, Any], quantity: str, label: str
) -> None:
    pack, answer = found
    cell = int(np.flatnonzero(pack.labels == label)[0])
    assert int(np.argmax(np.abs(answer[quantity]))) == cell


def test_every_cell_of_a_simulated_pack_has_its_soc() -> None:
    pack = cell_data.simulated("pack_nmc_weeks", 0)
    model = cell_model(load_chemistry("NMC"), 5.0)
    params = soc.Params(model, initial_soc=float(pack.soc[0].mean()), initial_soc_sigma=0.01)
    module: ModuleType = soc
    out = module.step(params, module.start(params, len(pack.labels)), estimation.of_pack(pack))
    at = (out["time_ns"] - estimation.START_NS) * 1e-9
    rows = np.minimum(np.searchsorted(pack.time_s, at), len(pack.time_s) - 1)
    error = (out["soc"] - pack.soc[rows])[at > 1800]
    assert np.sqrt(np.mean(error**2, axis=0)).max() < 0.015
    assert np.mean(np.abs(error) <= 3 * out["soc_sigma"][at > 1800]) > 0.95
