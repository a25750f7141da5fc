"""The simulated pack obeys physics: charge, energy, heat, and what each fault must look like."""

import numpy as np
import pytest

from bms_studio.pack.chemistry import NAMES, load_chemistry
from bms_studio.simulator.cell import Cells, advance, open_circuit, voltages
from bms_studio.simulator.faults import KINDS, parse_fault
from bms_studio.simulator.pack import (
    STEP_S,
    Pack,
    PackSpec,
    advance_pack,
    build_pack,
    cell_voltages,
)
from bms_studio.simulator.rider import Phase
from bms_studio.simulator.simulation import Simulation
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
    steps = 10 * STEPS if seconds >= 30.0 else STEPS
    index = np.full((1, pack.spec.cells), steps - 1)
    for _ in range(round(seconds / (steps * STEP_S))):
        block = advance_pack(pack, np.full(steps, current_a), np.zeros(pack.spec.cells))
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
