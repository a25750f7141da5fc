"""A pack's own curve from a slow charge or discharge."""

import gzip

import numpy as np
import pytest

from benchmarks import _cell_data as cell_data
from bms_studio.estimators.model import cell_model
from bms_studio.pack.chemistry import CUSTOM, load_chemistry
from bms_studio.pack.learn_ocv import learn_ocv


def slow(name: str, rate: float, way: float, ohm: float, seconds: int = 60) -> tuple:
    """Constant current over the whole curve; time, current, voltage."""
    chemistry = load_chemistry(name)
    time = np.arange(0, 3600 / rate, seconds)
    share = time * rate / 3600
    soc = 1 - share if way > 0 else share
    current = np.full(len(time), way * rate * 5.0)
    volts = np.interp(soc, chemistry.soc, chemistry.ocv_v) - ohm * current
    rng = np.random.default_rng(1)
    return time, current, volts - way * 0.004 + 0.001 * rng.standard_normal(len(time))


def test_both_directions_leave_neither_drop_nor_hysteresis() -> None:
    down, up = slow("NMC", 0.05, 1.0, 0.03), slow("NMC", 0.05, -1.0, 0.03)
    time = np.concatenate([down[0], up[0] + down[0][-1] + 86_400])
    both = [np.concatenate([a, b]) for a, b in zip(down[1:], up[1:], strict=True)]
    found = learn_ocv(time, both[0], both[1], "slow.csv")
    assert found.name == CUSTOM
    assert found.family == "NMC"
    np.testing.assert_allclose(found.ocv_v[5:], load_chemistry("NMC").ocv_v[5:], atol=0.008)
    assert found.hysteresis_v == pytest.approx(0.0115, abs=0.002)
    cell_model(found, 5.0)


@pytest.mark.parametrize("way", [1.0, -1.0])
def test_one_direction_says_that_it_is_less_sure(way: float) -> None:
    found = learn_ocv(*slow("NMC", 0.05, way, 0.03), "slow.csv", capacity_ah=5.0, like="NMC")
    off = found.ocv_v[8:] - load_chemistry("NMC").ocv_v[8:]
    assert np.abs(off).max() < 0.015
    assert found.sigma_ocv_v > 0.008
    assert np.sqrt(np.mean(off**2)) < 2 * found.sigma_ocv_v


def test_runs_that_show_no_curve_are_refused() -> None:
    time, current, volts = slow("NMC", 0.05, 1.0, 0.03)
    with pytest.raises(ValueError, match=r"flows at 0[.]50 C"):
        learn_ocv(*slow("NMC", 0.5, 1.0, 0.03, 6), "fast.csv", capacity_ah=5.0)
    with pytest.raises(ValueError, match="moves 50 %"):
        learn_ocv(time[:600], current[:600], volts[:600], "half.csv", capacity_ah=5.0)
    with pytest.raises(ValueError, match="holds no charge"):
        learn_ocv(time, 0 * current, volts, "rest.csv")
    with pytest.raises(ValueError, match="one value per sample"):
        learn_ocv(time, current[:-1], volts, "odd.csv")


@pytest.mark.skipif(
    not cell_data.FOLDER.is_dir(), reason="the folder ../shared/data/cells is not there"
)
@pytest.mark.parametrize("tests", [("S1", "S3"), ("S1",), ("S3",)])
def test_a_measured_lfp_cell(tests: tuple[str, ...]) -> None:
    parts = []
    shift = 0.0
    for name in tests:
        path = cell_data.FOLDER / "a123" / f"A123_OCV_P25_{name}.csv.gz"
        with gzip.open(path, "rt") as file:
            rows = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(1, 6, 7))
        # Only the C/30 part: later steps of the test go on faster.
        slow_rows = np.abs(rows[:, 1]) < 0.15
        rows = rows[slow_rows]
        rows[:, 0] += shift
        shift = rows[-1, 0] + 3600
        parts.append(rows)
    time, current, volts = np.concatenate(parts).T
    found = learn_ocv(time, -current, volts, "A123 C/30")
    reference = cell_data.ocv_table("ocv_A123_26650_LFP_measured.csv")
    off = (found.ocv_v - reference)[10:96]
    assert found.family == "LFP"
    assert np.sqrt(np.mean(off**2)) < (0.005 if len(tests) == 2 else 0.012)
    assert np.sqrt(np.mean(off**2)) < 2 * found.sigma_ocv_v
    if len(tests) == 2:
        assert 0.012 < found.hysteresis_v < 0.03
