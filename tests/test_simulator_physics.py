"""The simulated pack obeys physics: charge, energy, heat, and what each fault must look like."""

import numpy as np
import pytest

from bms_studio.pack.chemistry import NAMES, load_chemistry
from bms_studio.simulator.bms import Protection, build_bms, decide, measure
from bms_studio.simulator.cell import Cells, advance, open_circuit, voltages
from bms_studio.simulator.faults import KINDS, parse_fault
from bms_studio.simulator.pack import (
    STEP_S,
    Pack,
    PackSpec,
    advance_pack,
    build_pack,
    cell_voltages,
    string_voltage,
)
from bms_studio.simulator.rider import Phase
from bms_studio.simulator.simulation import Simulation, generate
from bms_studio.simulator.thermal import Heat, probe_cells, steady, warm

STEPS = 100


def two_cells(soc: float = 0.5) -> Cells:
    """Two cells without leak or spread."""
    chemistry = load_chemistry("NMC")
    return Cells(
        chemistry,
        np.full(2, 31.0),
        np.array([0.002, 0.004]),
        np.full(2, 0.0005),
        np.full(2, 0.0008),
        np.zeros(2),
        np.full(2, np.inf),
        np.full(2, soc),
        np.zeros(2),
        np.zeros(2),
    )


def spec_with(*faults: str, **changes: object) -> PackSpec:
    """The default pack with faults given as text."""
    parsed = tuple(parse_fault(text, 20) for text in faults)
    return PackSpec(faults=parsed, **changes)  # type: ignore[arg-type]


def hold(pack: Pack, current_a: float, seconds: float) -> np.ndarray:
    """Draw `current_a` for `seconds`; the true cell voltages (20,) at the end."""
    volts = np.zeros(pack.spec.cells)
    index = np.full((1, pack.spec.cells), STEPS - 1)
    for _ in range(round(seconds / (STEPS * STEP_S))):
        block = advance_pack(pack, np.full(STEPS, current_a), np.zeros(pack.spec.cells))
        volts = cell_voltages(pack, block, index)[0]
    return volts


@pytest.mark.parametrize("name", NAMES)
def test_a_chemistry_table_rises_from_empty_to_full_within_its_limits(name: str) -> None:
    chemistry = load_chemistry(name)
    assert chemistry.soc.shape == chemistry.ocv_v.shape == (101,)
    assert np.all(np.diff(chemistry.ocv_v) > 0.0)
    assert chemistry.ocv_v[0] <= chemistry.cell_voltage_min
    assert chemistry.ocv_v[-1] == pytest.approx(chemistry.cell_voltage_max, abs=0.06)
    assert chemistry.citation


def test_an_unknown_chemistry_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known are NMC, NCA, LFP, LCO"):
        load_chemistry("NiMH")


def test_the_charge_that_leaves_is_the_charge_that_is_missing() -> None:
    cells = two_cells()
    random = np.random.default_rng(3)
    drawn_as = 0.0
    for _ in range(600):
        current = random.normal(20.0, 30.0, STEPS)
        advance(cells, current, np.zeros(2), np.full(2, 25.0), STEP_S)
        drawn_as += current.sum() * STEP_S
    assert cells.soc == pytest.approx(0.5 - drawn_as / (3600.0 * 31.0), abs=1e-12)


def test_chemical_energy_is_what_came_out_plus_heat_plus_what_the_capacitors_hold() -> None:
    cells = two_cells()
    chemical = np.zeros(2)
    out = np.zeros(2)
    heat = np.zeros(2)
    index = np.repeat(np.arange(STEPS)[:, np.newaxis], 2, axis=1)
    for number in range(900):
        current = np.full(STEPS, 60.0 if number % 300 < 150 else -20.0)
        block = advance(cells, current, np.zeros(2), np.full(2, 25.0), STEP_S)
        volts = voltages(cells, block, index)
        used = block.charge_as[:-1, np.newaxis] / (3600.0 * cells.capacity_ah)
        ocv = block.ocv_v - block.slope_v * used
        chemical += (ocv * current[:, np.newaxis]).sum(axis=0) * STEP_S
        out += (volts * current[:, np.newaxis]).sum(axis=0) * STEP_S
        heat += block.heat_w * STEPS * STEP_S
    _, r1, r2 = block.resistance
    held = 0.5 * 8.0 * r1 * cells.x1_a**2 + 0.5 * 240.0 * r2 * cells.x2_a**2
    assert chemical - out - held == pytest.approx(heat, rel=2e-3)
    assert np.all(heat > 0.02 * np.abs(out))


def test_a_block_of_ten_seconds_gives_the_same_as_a_hundred_short_ones() -> None:
    long, short = two_cells(), two_cells()
    current = 30.0 + 20.0 * np.sin(np.arange(10_000) * 0.004)
    advance(long, current, np.full(2, 0.05), np.full(2, 25.0), STEP_S)
    for part in current.reshape(100, 100):
        advance(short, part, np.full(2, 0.05), np.full(2, 25.0), STEP_S)
    assert long.x1_a == pytest.approx(short.x1_a, rel=1e-9)
    assert long.x2_a == pytest.approx(short.x2_a, rel=1e-9)


def test_at_rest_a_cell_shows_its_open_circuit_voltage() -> None:
    pack = build_pack(PackSpec())
    hold(pack, 30.0, 60.0)
    volts = hold(pack, 0.0, 1800.0)
    ocv, _ = open_circuit(pack.cells.chemistry, pack.cells.soc)
    assert volts == pytest.approx(ocv, abs=1e-4)


def test_a_healthy_pack_spreads_about_ten_millivolts_at_rest() -> None:
    spreads = [np.ptp(hold(build_pack(PackSpec(seed=seed)), 0.0, 0.1)) for seed in range(20)]
    assert 0.006 < np.median(spreads) < 0.014


def test_the_demo_s_weak_cell_sags_45_to_50_mv_at_34_a_and_hides_at_rest() -> None:
    pack = build_pack(spec_with("resistance:13"))
    rest = hold(pack, 0.0, 0.1)
    load = hold(pack, 34.0, 1.0)
    assert abs(rest[12] - np.median(rest)) < 0.006
    assert -0.052 < (load[12] - np.median(load)) - (rest[12] - np.median(rest)) < -0.043


def test_sag_grows_in_proportion_to_the_added_resistance_and_to_the_current() -> None:
    def added(size: float, current_a: float) -> float:
        sick = hold(build_pack(spec_with(f"resistance:7:{size}", ridden_a=0.0)), current_a, 0.1)
        well = hold(build_pack(spec_with(ridden_a=0.0)), current_a, 0.1)
        return float(well[6] - sick[6])

    assert added(1.0, 30.0) == pytest.approx(2.0 * added(0.5, 30.0), rel=1e-3)
    assert added(1.0, 60.0) == pytest.approx(2.0 * added(1.0, 30.0), rel=1e-3)


def test_a_loose_joint_shows_in_one_reading_and_in_the_pack_voltage_alike() -> None:
    well, sick = (
        build_pack(PackSpec(ridden_a=0.0)),
        build_pack(spec_with("connection:12:0.002", ridden_a=0.0)),
    )
    lost = hold(well, 40.0, 0.1) - hold(sick, 40.0, 0.1)
    expected = np.zeros(20)
    expected[11] = 40.0 * 0.002
    assert lost == pytest.approx(expected, abs=1e-5)


def test_a_chattering_sense_wire_moves_its_two_cells_in_opposite_directions() -> None:
    pack = build_pack(spec_with("connection:12"))
    well = build_pack(PackSpec())
    index = np.repeat(np.arange(STEPS)[:, np.newaxis], 20, axis=1)
    seen = 0
    for _ in range(600):
        block = advance_pack(pack, np.full(STEPS, 30.0), np.zeros(20))
        reference = advance_pack(well, np.full(STEPS, 30.0), np.zeros(20))
        moved = cell_voltages(pack, block, index) - cell_voltages(well, reference, index)
        moved -= np.median(moved, axis=0)
        dip = np.abs(moved[:, 11]) > 0.015
        seen += int(dip.sum())
        assert moved[dip, 11] == pytest.approx(-moved[dip, 12], abs=1e-3)
        assert np.abs(np.delete(moved, (11, 12), axis=1)).max() < 1e-3
    assert seen >= 40  # at least two of 20 ms


def test_intermittent_dips_last_20_ms_and_are_20_to_80_mv_deep_when_sampled_at_1_khz() -> None:
    simulation = Simulation(spec_with("intermittent:5"), rate_hz=1000, plan=[Phase("rest", 999.0)])
    rows = []
    for _ in range(600):
        simulation.step()
        assert simulation.readings is not None
        rows.append(simulation.readings.cell_v)
    volts = np.concatenate(rows)
    low = (np.median(volts, axis=1) - volts[:, 4]) - np.median(
        np.median(volts, axis=1) - volts[:, 4]
    ) > 0.010
    edges = np.flatnonzero(np.diff(np.concatenate(([0], low.astype(np.int8), [0]))))
    begins, ends = edges[0::2], edges[1::2]
    assert 3 <= len(begins) <= 20
    assert set(ends - begins) == {20}
    base = np.median(volts[:, 4])
    for begin, end in zip(begins, ends, strict=True):
        assert 0.018 < base - np.median(volts[begin:end, 4]) < 0.083


def test_a_leak_and_a_short_take_exactly_their_current() -> None:
    spec = spec_with("self-discharge:3:10", "short:9:50")
    pack, well = build_pack(spec), build_pack(PackSpec())
    before, other = pack.cells.soc.copy(), well.cells.soc.copy()
    volts = hold(pack, 0.0, 600.0)
    hold(well, 0.0, 600.0)
    lost_ah = (before - pack.cells.soc) * 31.0 - (other - well.cells.soc) * 31.0
    assert lost_ah[2] == pytest.approx(0.010 * 31.0 / 6.0, rel=0.02)
    assert lost_ah[8] == pytest.approx(volts[8] / 50.0 / 6.0, rel=0.02)
    assert np.abs(np.delete(lost_ah, (2, 8))).max() < 1e-4


def test_a_cell_of_less_capacity_is_full_with_the_others_and_empty_before_them() -> None:
    pack = build_pack(spec_with("capacity:7:0.2", soc=0.98))
    assert pack.cells.soc[6] == pytest.approx(pack.cells.soc.mean(), abs=0.02)
    hold(pack, 40.0, 1200.0)
    assert pack.cells.soc.argmin() == 6
    assert pack.cells.soc[6] < np.median(pack.cells.soc) - 0.08


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("intermittent", "stuck-balancer")])
def test_a_growing_fault_begins_at_nothing_and_reaches_its_size(kind: str) -> None:
    grown = f"{kind}:4:{KINDS[kind].size}@60"
    pack = build_pack(spec_with(grown, ridden_a=0.0))
    well = build_pack(spec_with(ridden_a=0.0))
    first = _parameters(pack) - _parameters(well)
    hold(pack, 10.0, 30.0)
    middle = _parameters(pack) - _parameters(well)
    hold(pack, 10.0, 40.0)
    last = _parameters(pack) - _parameters(well)
    assert np.abs(first).max() < 1e-9
    assert 0.4 < np.abs(middle).max() / np.abs(last).max() < 0.6
    assert np.count_nonzero(np.abs(last).max(axis=0) > 1e-9) == 1


def _parameters(pack: Pack) -> np.ndarray:
    """Everything a fault can change (quantities, cells)."""
    cells = pack.cells
    return np.stack(
        [
            cells.r0_ohm,
            cells.capacity_ah,
            cells.leak_a,
            1.0 / cells.short_ohm,
            pack.joint_ohm,
            pack.outside_w,
            pack.sensor_v,
        ]
    )


def test_heat_settles_where_loss_equals_power() -> None:
    random = np.random.default_rng(2)
    loss, coupling = random.uniform(0.1, 0.2, 6), random.uniform(0.05, 0.2, 5)
    heat = Heat(20.0, 600.0, loss, coupling, np.full(6, 20.0))
    power = np.array([1.0, 1.0, 4.0, 1.0, 0.0, 1.0])
    expected = steady(heat, power)
    for _ in range(200):
        warm(heat, power, 600.0)
    assert heat.temperature_degc == pytest.approx(expected, abs=1e-6)
    assert (loss * (expected - 20.0)).sum() == pytest.approx(power.sum())
    assert expected.argmax() == 2


def test_a_hot_cell_warms_its_neighbours_less_than_itself_and_no_other_module() -> None:
    pack = build_pack(spec_with("hot:10@1", ridden_a=0.0))
    hold(pack, 0.02, 1800.0)
    warmth = pack.heat.temperature_degc - pack.spec.ambient_degc
    assert warmth[9] > 5.0
    assert warmth[9] > 4.0 * warmth[8] > 4.0 * warmth[7] > 0.0
    assert abs(warmth[10]) < 0.05  # cell 11 begins the second module


def test_probes_are_spread_over_the_string_and_one_sits_on_the_demo_s_weak_cell() -> None:
    places = probe_cells(20, 6)
    assert 12 in places
    assert len(set(places.tolist())) == 6
    assert probe_cells(1, 3).tolist() == [0, 0, 0]


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
    for _ in range(1200):
        simulation.step()
        assert not simulation.bms.balancing[5]
    lost_ah = (before - simulation.pack.cells.soc) * 31.0
    assert lost_ah[5] - np.median(lost_ah) > 0.015


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
    generated = generate(120.0, cells=cells, rate_hz=10, spec=spec, seed=cells)
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
