"""Recognition of a chemistry: right or silent, never wrong."""

import zipfile
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import _cell_data as cell_data
from bms_studio.estimators.model import cell_model
from bms_studio.pack.chemistry import NAMES, chemistry_from_csv, load_chemistry
from bms_studio.pack.recognise import recognise
from tests.estimator_parts import ride, ride_current

measured = pytest.mark.skipif(
    not cell_data.FOLDER.is_dir(), reason="the folder ../shared/data/cells is not there"
)


def seen(name: str, seconds: int = 7000, soc: float = 0.97, scale: float = 3.0) -> Any:
    """A ride of a synthetic cell, as time, voltage, current."""
    current = ride_current(seconds, np.random.default_rng(3), scale)
    data = ride(cell_model(load_chemistry(name), 5.0), 3, seconds, soc, current_a=current)
    return (data.time_ns - data.time_ns[0]) * 1e-9, np.median(data.cells_v, axis=1), current


@pytest.mark.parametrize("name", NAMES)
def test_a_long_ride_is_recognised_or_left_unclear(name: str) -> None:
    time, volts, current = seen(name)
    for capacity in (5.0, float("nan")):
        answer = recognise(time, volts, current, capacity)
        assert answer.family in ("", load_chemistry(name).family), answer
        assert 0 <= answer.confidence <= 1
        if name in ("NMC", "LFP", "LMO") and capacity > 0:
            assert answer.family == load_chemistry(name).family, answer


def test_little_data_no_current_and_a_flat_pack_are_unclear() -> None:
    time, volts, current = seen("NMC")
    assert recognise(time[:20], volts[:20], current[:20]).name == ""
    assert recognise(time, volts, None).name == ""
    assert recognise(time[:300], volts[:300], current[:300], 5.0).name == ""
    assert recognise(time, np.full(len(time), np.nan), current).name == ""
    # A nearly empty layered oxide rests where LFP does.
    time, volts, current = seen("NMC", 1200, 0.13, 0.3)
    assert recognise(time, volts, current, 5.0).family != "LFP"


def test_a_curve_that_no_table_has_is_unclear() -> None:
    ramp = "soc,ocv_v\n0,2.0\n0.5,2.3\n0.9,2.4\n1,2.7\n"
    lto = cell_model(chemistry_from_csv(ramp, "lto.csv"), 5.0)
    current = ride_current(7000, np.random.default_rng(3), 3.0)
    data = ride(lto, 3, 7000, 0.97, current_a=current)
    time = (data.time_ns - data.time_ns[0]) * 1e-9
    assert recognise(time, np.median(data.cells_v, axis=1), current, 5.0).name == ""


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one value per sample"):
        recognise(np.zeros(3), np.zeros(2), np.zeros(3))


@measured
def test_measured_cells_are_never_called_something_else() -> None:
    e2 = cell_data.e2()
    answer = recognise(e2.time_s, e2.voltage_v, e2.current_a, e2.capacity_ah)
    assert answer.name == "LMO"
    for temperature in (25, 5, -15):
        run = cell_data.a123(temperature)
        for capacity in (2.07, float("nan")):
            for rows in (slice(None), slice(5000, 8600), slice(20_000, 30_000)):
                told = (run.time_s[rows], run.voltage_v[rows], run.current_a[rows])
                assert recognise(*told, capacity).family in ("", "LFP")
            whole = (run.time_s, run.voltage_v, run.current_a)
            assert recognise(*whole, temperature_degc=run.temperature_degc).name == "LFP"
    for trips in ((1,), (5, 6), tuple(range(1, 9))):
        run = cell_data.nmc_trips(trips)
        told = (run.time_s, run.voltage_v, run.current_a)
        assert recognise(*told, run.capacity_ah).family in ("", "NMC")
    charge = np.load(cell_data.FOLDER / "severson" / "severson_train_QV.npz")["train_Q"]
    for cell in charge[:8, :, 50]:
        # Discharged charge over voltages that fall from 3.5 to 2.0 V, at 4C.
        volts = np.linspace(3.5, 2.0, 100) if cell[-1] > cell[0] else np.linspace(2.0, 3.5, 100)
        time = np.abs(cell - cell[0]) / 4.4 * 3600
        order = np.argsort(time, kind="stable")
        answer = recognise(time[order], volts[order], np.full(100, 4.4), 1.1)
        assert answer.family in ("", "LFP")


@measured
@pytest.mark.parametrize(
    ("name", "family", "capacity"),
    [("pack_nmc_1day", "NMC", 5.0), ("pack_nmc_weeks", "NMC", 5.0), ("pack_lfp_1day", "LFP", 2.3)],
)
def test_packs_of_another_simulator(name: str, family: str, capacity: float) -> None:
    pack = cell_data.simulated(name)
    volts = np.median(pack.voltage_v, axis=1).astype(np.float64)
    assert recognise(pack.time_s, volts, pack.current_a, capacity).family == family


@measured
@pytest.mark.parametrize("car", [1, 3])
def test_cars_in_the_field_are_layered_oxides_or_unclear(car: int) -> None:
    with zipfile.ZipFile(cell_data.FOLDER / "ev_field" / f"car{car}.zip") as archive:
        table = pd.read_csv(archive.open(archive.namelist()[0]), nrows=20_000)
    cells = [column for column in table if column.startswith("V_")]
    seconds = (pd.to_datetime(table.tboxTime) - pd.Timestamp("2019-01-01")).dt.total_seconds()
    order = np.argsort(seconds.to_numpy(), kind="stable")
    volts = table[cells].median(axis=1).to_numpy(np.float64)
    current = table.BMSBatteryCurrent.to_numpy(np.float64)
    answer = recognise(seconds.to_numpy(np.float64)[order], volts[order], current[order])
    assert answer.family in ("", "NMC")
