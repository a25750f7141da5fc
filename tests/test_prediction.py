"""What the model says a cell's voltage should be: the curve beside the measured one."""

from pathlib import Path

import numpy as np
import pytest

from bms_studio.analysis.contract import PACK_COLUMNS, AnalysisStatus, Basis
from bms_studio.analysis.prediction import model_of, predicted_voltage
from bms_studio.estimators.model import ocv_at
from bms_studio.timeline import Timeline

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
CURRENT_A = 10.0


def at_rest(chemistry: str, hysteresis: float | None, current_a: float = 0.0) -> Timeline:
    """Two cells at 60 % for ten minutes; hysteresis None: an analysis that does not tell it."""
    made = Timeline()
    time = START + np.arange(600, dtype=np.int64) * SECOND
    made.append("cells", time, np.full((600, 2), 3.3, np.float32))
    made.append("pack", time, np.full((600, 1), current_a, np.float32), ("current",))
    coarse = time[::5]
    made.append("estimates/soc", coarse, np.full((len(coarse), 2), 0.6, np.float32))
    columns = PACK_COLUMNS if hysteresis is not None else PACK_COLUMNS[:-1]
    rows = np.full((len(coarse), len(columns)), np.nan, np.float32)
    if hysteresis is not None:
        rows[:, PACK_COLUMNS.index("hysteresis")] = hysteresis
    made.append("estimates/pack", coarse, rows, columns)
    return made


def said(timeline: Timeline, chemistry: str) -> tuple[AnalysisStatus, np.ndarray]:
    status = AnalysisStatus(Basis(chemistry, 1.0, "stated", 20.0, "stated"))
    end = START + 599 * SECOND
    _, volts = predicted_voltage(timeline, "", 1, START, end, 600, status)
    return status, volts


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.5, 1.0])
def test_after_charge_the_curve_lies_above_the_table_and_after_discharge_below(
    share: float, tmp_path: Path
) -> None:
    status, volts = said(at_rest("LFP", share), "LFP")
    model = model_of(status)
    assert model is not None
    assert model.hysteresis_v > 0.005
    expected = float(ocv_at(model, 0.6)) + share * model.hysteresis_v
    np.testing.assert_allclose(volts, expected, atol=1e-4)


def test_an_analysis_without_it_gives_the_mean_of_charge_and_discharge() -> None:
    status, volts = said(at_rest("LFP", None), "LFP")
    model = model_of(status)
    assert model is not None
    np.testing.assert_allclose(volts, float(ocv_at(model, 0.6)), atol=1e-4)


def test_under_load_the_curve_sags_and_without_charge_there_is_none() -> None:
    _, rest = said(at_rest("NMC", 0.0), "NMC")
    status, loaded = said(at_rest("NMC", 0.0, CURRENT_A), "NMC")
    model = model_of(status)
    assert model is not None
    assert (rest[1:] - loaded[1:] > 0.9 * model.r0_ohm * CURRENT_A).all()
    nothing = at_rest("NMC", 0.0)
    nothing.forget("estimates/soc")
    assert len(said(nothing, "NMC")[1]) == 0
