"""The simulated pack's electronics: what they measure, balance, limit and refuse."""

import numpy as np
import pytest

from bms_studio.pack.chemistry import NAMES
from bms_studio.simulator.bms import Protection, build_bms, decide, measure
from bms_studio.simulator.faults import parse_fault
from bms_studio.simulator.pack import (
    PackSpec,
    advance_pack,
    build_pack,
    cell_voltages,
    string_voltage,
)
from bms_studio.simulator.rider import Phase
from bms_studio.simulator.simulation import Simulation, generate

STEPS = 100


def spec_with(*faults: str, **changes: object) -> PackSpec:
    """The default pack with faults given as text."""
    parsed = tuple(parse_fault(text, 20) for text in faults)
    return PackSpec(faults=parsed, **changes)  # type: ignore[arg-type]


def test_balancing_brings_the_cells_together_and_then_ends() -> None:
    spec = PackSpec(soc=0.7, capacity_ah=2.0, ridden_a=0.0, seed=4)
    simulation = Simulation(spec, rate_hz=1, plan=[Phase("rest", 1e6)])
    simulation.pack.cells.soc[3] += 0.012
    first = np.ptp(simulation.pack.cells.soc)
    simulation.step()
    ever = np.zeros(20, np.bool_)
    for _ in range(1800):
        simulation.step()
        ever |= simulation.bms.balancing
    assert ever[3]
    assert not simulation.bms.balancing.any()
    assert np.ptp(simulation.pack.cells.soc) < 0.75 * first


def test_a_stuck_balancer_empties_its_cell_while_the_bms_reports_none() -> None:
    simulation = Simulation(spec_with("stuck-balancer:6"), rate_hz=1, plan=[Phase("rest", 1e6)])
    before = simulation.pack.cells.soc.copy()
    for _ in range(600):
        simulation.step()
        assert not simulation.bms.balancing[5]
    lost_ah = (before - simulation.pack.cells.soc) * 31.0
    assert lost_ah[5] - np.median(lost_ah) > 0.008


def test_a_wrong_sensor_moves_one_reading_and_not_the_pack() -> None:
    pack = build_pack(spec_with("sensor-offset:8:0.02"))
    bms = build_bms(pack)
    block = advance_pack(pack, np.zeros(STEPS), np.zeros(20))
    readings = measure(bms, pack, block, 1, 10)
    true = cell_voltages(pack, block, readings.scan_point)
    error = (readings.cell_v - true).mean(axis=0)
    assert error[7] == pytest.approx(0.02, abs=5e-4)
    assert np.abs(np.delete(error, 7)).max() < 5e-4
    assert readings.pack_v.mean() == pytest.approx(
        string_voltage(pack, block, np.array([50]))[0], abs=0.01
    )


def test_readings_have_steps_of_one_millivolt_and_cells_are_read_one_after_another() -> None:
    pack = build_pack(PackSpec())
    bms = build_bms(pack)
    current = np.concatenate((np.zeros(50), np.full(50, 60.0)))
    readings = measure(bms, pack, advance_pack(pack, current, np.zeros(20)), 100, 10)
    millivolts = readings.cell_v * 1e3
    assert millivolts == pytest.approx(np.round(millivolts), abs=1e-6)
    # the load comes in the middle of the scan: later cells see it, earlier ones do not
    assert np.all(np.diff(readings.scan_point[0]) > 0)
    assert readings.cell_v[0, :12].min() > readings.cell_v[0, 13:].max() + 0.05


@pytest.mark.parametrize(
    ("soc", "current_a", "ambient_degc", "expected"),
    [
        (0.0, 30.0, 25.0, Protection.CELL_UNDERVOLTAGE),
        (1.0, -20.0, 25.0, Protection.CELL_OVERVOLTAGE),
        (0.5, 150.0, 25.0, Protection.OVERCURRENT_DISCHARGE),
        (0.5, -40.0, 25.0, Protection.OVERCURRENT_CHARGE),
        (0.5, 0.0, 70.0, Protection.OVERTEMPERATURE),
        (0.5, 500.0, 25.0, Protection.SHORT_CIRCUIT),
    ],
)
def test_protection_trips_after_its_debounce_time_and_closes_the_path(
    soc: float, current_a: float, ambient_degc: float, expected: Protection
) -> None:
    pack = build_pack(PackSpec(soc=soc, ambient_degc=ambient_degc, ridden_a=0.0))
    bms = build_bms(pack)

    def pass_time(current: float, seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            block = advance_pack(pack, np.full(STEPS, current), np.zeros(20))
            decide(bms, measure(bms, pack, block, 10, 10), 0.1)

    pass_time(current_a, 0.2)
    at_once = expected == Protection.SHORT_CIRCUIT
    assert (expected in bms.faults) == at_once
    pass_time(current_a, 3.0)
    assert expected in bms.faults
    assert min(bms.charge_limit_a, bms.discharge_limit_a) == 0.0
    if ambient_degc < 30.0 and 0.0 < soc < 1.0:
        pass_time(0.0, 5.0)
        assert expected in bms.faults
        pass_time(0.0, 6.5)
        assert expected not in bms.faults


def test_a_full_charge_ends_by_itself_at_the_chemistry_s_voltage() -> None:
    plan = [Phase("charge", 20_000.0), Phase("rest", 1e6)]
    simulation = Simulation(PackSpec(soc=0.85, ridden_a=0.0), rate_hz=1, plan=plan)
    highest = 0.0
    for _ in range(9000):
        simulation.step()
        assert simulation.readings is not None
        highest = max(highest, float(simulation.readings.cell_v.max()))
        if simulation.rider.what == "rest":
            break
    assert simulation.rider.what == "rest"
    assert simulation.pack.cells.soc.mean() > 0.97
    assert 4.18 < highest < 4.23
    assert not simulation.bms.faults


def test_heat_takes_the_charge_limit_back() -> None:
    limits = []
    for ambient in (25.0, 41.0, 46.0):
        simulation = Simulation(PackSpec(ambient_degc=ambient, ridden_a=0.0), rate_hz=10)
        for _ in range(20):
            simulation.step()
        limits.append(simulation.bms.charge_limit_a)
    assert limits[0] > limits[1] > limits[2] == 0.0


def test_the_bms_s_charge_counter_is_wrong_and_drifts() -> None:
    simulation = Simulation(PackSpec(), rate_hz=1, plan=[Phase("rest", 1e6)])
    simulation.step()
    first = simulation.bms.soc - simulation.pack.cells.soc.mean()
    for _ in range(1200):
        simulation.step()
    second = simulation.bms.soc - simulation.pack.cells.soc.mean()
    assert 0.04 < first < 0.07
    assert second - first == pytest.approx(-0.12 / 31.0 / 3.0, rel=0.1)


@pytest.mark.parametrize("chemistry", NAMES)
@pytest.mark.parametrize("cells", [1, 20, 96])
def test_no_number_is_ever_missing_and_every_cell_stays_believable(
    chemistry: str, cells: int
) -> None:
    spec = PackSpec(chemistry=chemistry, probes=min(6, cells))
    generated = generate(40.0, cells=cells, rate_hz=10, spec=spec, seed=cells)
    for _ in generated:
        readings = generated.simulation.readings
        assert readings is not None
        assert np.isfinite(readings.cell_v).all()
        assert np.isfinite(readings.pack_v).all()
        assert 2.0 < readings.cell_v.min() < readings.cell_v.max() + 1e-9 < 4.4
        assert 0.0 <= readings.soc.min() <= readings.soc.max() <= 1.0
    for truth in generated.truth:
        assert np.isfinite(truth.soc).all()
        assert np.isfinite(truth.temperature_degc).all()
        assert 10.0 < truth.temperature_degc.min() < truth.temperature_degc.max() + 1e-9 < 60.0
