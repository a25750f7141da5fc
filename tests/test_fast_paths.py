"""What was made fast gives what the plain way gives."""

import numpy as np
import pytest

from bms_studio.diagnosis.scoring import stand_out
from bms_studio.estimators.model import cell_model, ocv_at, resistance_factor
from bms_studio.estimators.power import Limits, power_limits
from bms_studio.numerics.statistics import row_statistics
from bms_studio.pack.chemistry import load_chemistry


@pytest.mark.parametrize("columns", [1, 2, 20, 65, 96, 97, 400])
def test_the_middle_value_is_found_without_sorting(columns: int) -> None:
    rng = np.random.default_rng(columns)
    rows = np.round(rng.normal(3.7, 0.002, (300, columns)), 3).astype(np.float32)
    rows[rng.random(rows.shape) < 0.05] = np.nan
    rows[7] = np.nan
    found = row_statistics(rows)
    assert np.isnan(found[7]).all()
    some = ~np.isnan(rows).all(axis=1)
    expected = np.stack(
        [np.nanmin(rows[some], 1), np.nanmedian(rows[some], 1), np.nanmax(rows[some], 1)], 1
    )
    assert np.allclose(found[some, :3], expected, rtol=2e-7, atol=0)


@pytest.mark.parametrize("cells", [3, 4, 7, 20])
def test_a_cell_is_held_against_the_median_of_the_others(cells: int) -> None:
    rng = np.random.default_rng(cells)
    values = np.round(rng.normal(size=cells), 1)  # with ties
    found = stand_out(values, np.full(cells, 0.1), 0.1)
    others = [values[k] - np.median(np.delete(values, k)) for k in range(cells)]
    assert np.array_equal(found.difference, others)


@pytest.mark.parametrize("chemistry", ["NMC", "LFP"])
def test_at_the_limit_of_power_the_weakest_cell_is_at_its_cut_off(chemistry: str) -> None:
    model = cell_model(load_chemistry(chemistry), 20.0)
    rng = np.random.default_rng(2)
    checked = 0
    for _ in range(40):
        z, ohm = rng.uniform(0.1, 0.9, 30), model.r0_ohm * rng.uniform(0.5, 2, 30)
        for power in power_limits(model, z, np.full(30, 0.02), ohm, 0.0, 25.0, Limits()):
            if power.cause != "voltage":
                continue
            checked += 1
            k, seconds = power.cell - 1, power.seconds
            slow = model.r1_ohm * (1 - np.exp(-seconds / model.tau1_s))
            slow += model.r2_ohm * (1 - np.exp(-seconds / model.tau2_s))
            total = ohm[k] * (1 + slow / model.r0_ohm) * resistance_factor(model, z[k], 25.0)
            moved = power.current_a * seconds / 3600 / model.capacity_ah
            after = min(max(z[k] - moved, 0.0), 1.0)
            volts = float(ocv_at(model, after)) - power.current_a * total
            limit = model.cell_voltage_max if power.charge else model.cell_voltage_min
            assert volts == pytest.approx(limit, abs=1e-6)
    assert checked > 100
