"""The simulated pack: cells with spread, joints between them, heat, and what faults do to them.

Physics only. What the pack's electronics make of it is in `bms.py`; who draws the current is in
`rider.py`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.chemistry import load_chemistry
from bms_studio.simulator.cell import Block, Cells, Floats, advance, resistance_factor, voltages
from bms_studio.simulator.dips import Dips, advance_dips, build_dips, dip_voltages
from bms_studio.simulator.faults import Fault, check_cell
from bms_studio.simulator.thermal import Heat, probe_cells, steady, warm

STEP_S = 0.001  # grid of currents and measurements

# A 31 Ah pouch cell of a light vehicle; resistances scale as 1 / Ah, so the sag per C-rate stays.
_REFERENCE_AH = 31.0
_R0_OHM = 0.00258
_R1_OHM = 0.00035
_R2_OHM = 0.00050
_SELF_DISCHARGE_MA_AH = 0.03  # about 2 % a month
_HEAT_CAPACITY_J_K_AH = 20.0
_LOSS_W_K = 0.12
_COUPLING_W_K = 0.10

# Relative standard deviations from cell to cell, and that of the charge after balancing.
_SPREAD_CAPACITY = 0.006
_SPREAD_RESISTANCE = 0.025
_SPREAD_SOC = 0.0022

# A fault that is there from the start has been at work for this long without being balanced.
_LEAK_HISTORY_S = 12 * 3600.0
_SHORT_HISTORY_S = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class PackSpec:
    """What pack to build. soc: of an average cell, 0..1; ridden_a: the rms current whose heat it
    has reached when the simulation begins; module: cells per module (no heat flows between)."""

    cells: int = 20
    chemistry: str = "NMC"
    capacity_ah: float = 31.0
    module: int = 10
    probes: int = 6
    serial: str = "SIM-0233"
    ambient_degc: float = 24.0
    soc: float = 0.46
    ridden_a: float = 26.0
    seed: int = 1
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Healthy:
    """Parameters of the N cells before any fault."""

    capacity_ah: Floats
    r0_ohm: Floats
    leak_a: Floats
    loss_w_k: Floats


@dataclass(slots=True, eq=False)
class Pack:
    """The pack's state. joint_ohm: float64[N], extra resistance of the joint after each cell;
    sensor_v: what a wrong sensor adds to each reading; stuck: share of a bleed that never ends."""

    spec: PackSpec
    healthy: Healthy
    cells: Cells
    heat: Heat
    joint_ohm: Floats
    sensor_v: Floats
    stuck: Floats
    outside_w: Floats
    probe_cell: NDArray[np.int64]
    dips: list[Dips]
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class PackBlock:
    """One finished block: ask `cell_voltages` and `string_voltage` at its grid points."""

    cells: Block
    start_s: float
    joint_ohm: Floats


def build_pack(spec: PackSpec) -> Pack:
    """The pack of `spec`, the same for the same seed.

    Raises ValueError for an impossible pack, an unknown chemistry or a fault beyond its cells.
    """
    if not 1 <= spec.cells <= 400 or not 1 <= spec.probes <= 120 or not spec.module >= 1:
        raise ValueError(
            "a simulated pack has 1 to 400 cells, 1 to 120 probes and modules of cells"
        )
    if not 0.5 <= spec.capacity_ah <= 1000.0 or not 0.0 <= spec.soc <= 1.0:
        raise ValueError("a simulated pack has 0.5 to 1000 Ah and a charge of 0 to 1")
    for fault in spec.faults:
        check_cell(fault, spec.cells)
    random = np.random.default_rng(spec.seed)
    healthy = _draw(spec, random)
    share = _REFERENCE_AH / spec.capacity_ah
    size = spec.cells
    pack = Pack(
        spec,
        healthy,
        Cells(
            load_chemistry(spec.chemistry),
            healthy.capacity_ah,
            healthy.r0_ohm,
            _R1_OHM * share * random.normal(1.0, _SPREAD_RESISTANCE, size),
            _R2_OHM * share * random.normal(1.0, _SPREAD_RESISTANCE, size),
            healthy.leak_a,
            np.full(size, np.inf),
            np.zeros(size),
            np.zeros(size),
            np.zeros(size),
        ),
        Heat(
            spec.ambient_degc,
            _HEAT_CAPACITY_J_K_AH * spec.capacity_ah,
            healthy.loss_w_k,
            _coupling(spec),
            np.full(size, spec.ambient_degc),
        ),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size),
        np.zeros(size),
        probe_cells(size, spec.probes),
        build_dips(spec.faults, spec.seed),
    )
    _apply_faults(pack)
    _settle(pack, random.normal(0.0, _SPREAD_SOC, size))
    return pack


def _draw(spec: PackSpec, random: np.random.Generator) -> Healthy:
    size = spec.cells
    edge = np.ones(size)
    edge[:: spec.module] = edge[spec.module - 1 :: spec.module] = (
        1.15  # more surface at a module's end
    )
    return Healthy(
        spec.capacity_ah * random.normal(1.0, _SPREAD_CAPACITY, size),
        _R0_OHM
        * (_REFERENCE_AH / spec.capacity_ah)
        * np.maximum(random.normal(1.0, _SPREAD_RESISTANCE, size), 0.8),
        _SELF_DISCHARGE_MA_AH * 1e-3 * spec.capacity_ah * random.lognormal(0.0, 0.2, size),
        _LOSS_W_K * (spec.capacity_ah / _REFERENCE_AH) ** (2.0 / 3.0) * edge,
    )


def _coupling(spec: PackSpec) -> Floats:
    coupling = np.full(spec.cells - 1, _COUPLING_W_K * (spec.capacity_ah / _REFERENCE_AH))
    coupling[spec.module - 1 :: spec.module] = 0.0
    return coupling


def _settle(pack: Pack, scatter: Floats) -> None:
    """Charge as after balancing at the top (capacity shows as depth), and the heat of a ride."""
    spec, cells = pack.spec, pack.cells
    cells.soc = 1.0 - (1.0 - spec.soc) * spec.capacity_ah / cells.capacity_ah + scatter
    for fault in spec.faults:
        if fault.growth_s > 0.0:
            continue
        k = fault.cell - 1
        if fault.kind == "self-discharge":
            cells.soc[k] -= fault.size * 1e-3 * _LEAK_HISTORY_S / 3600.0
        if fault.kind == "short":
            lost_as = 3.7 / fault.size * _SHORT_HISTORY_S
            cells.soc[k] -= min(lost_as / (3600.0 * cells.capacity_ah[k]), 0.1)
    warmth = np.full(spec.cells, spec.ambient_degc)
    for _ in range(4):  # resistance falls with heat: a few rounds settle both
        factor = resistance_factor(cells.soc, warmth)
        ohm = factor * (cells.r0_ohm + cells.r1_ohm + cells.r2_ohm)
        power = spec.ridden_a**2 * ohm + _joint_heat(pack, spec.ridden_a**2) + pack.outside_w
        warmth = steady(pack.heat, power)
    pack.heat.temperature_degc = warmth


def _apply_faults(pack: Pack) -> None:
    """Set every parameter that a fault changes to its value at this moment."""
    base, cells = pack.healthy, pack.cells
    capacity, r0 = base.capacity_ah.copy(), base.r0_ohm.copy()
    leak, loss = base.leak_a.copy(), base.loss_w_k.copy()
    short = np.full(len(r0), np.inf)
    for change in (pack.joint_ohm, pack.sensor_v, pack.stuck, pack.outside_w):
        change[:] = 0.0
    for fault in pack.spec.faults:
        k, size = fault.cell - 1, fault.size * fault.share(pack.elapsed_s)
        if fault.kind == "resistance":
            r0[k] *= 1.0 + size
        elif fault.kind == "capacity":
            capacity[k] *= 1.0 - size
        elif fault.kind == "self-discharge":
            leak[k] += size * 1e-3 * pack.spec.capacity_ah
        elif fault.kind == "short" and size > 0.0:
            # a growing short lets its conductance grow
            short[k] = fault.size / fault.share(pack.elapsed_s)
        elif fault.kind == "connection":
            pack.joint_ohm[k] += size
        elif fault.kind == "hot":
            pack.outside_w[k] += size
            loss[k] *= 1.0 - 0.7 * fault.share(pack.elapsed_s)
        elif fault.kind == "sensor-offset":
            pack.sensor_v[k] += size
        elif fault.kind == "stuck-balancer":
            pack.stuck[k] = size
    # A cell that loses capacity keeps its state of charge: lost material takes its charge along.
    cells.capacity_ah, cells.r0_ohm = capacity, r0
    cells.leak_a, cells.short_ohm = leak, short
    pack.heat.loss_w_k = loss


def advance_pack(pack: Pack, current_a: Floats, bleed_a: Floats) -> PackBlock:
    """Move the pack on by the M milliseconds of `current_a` (+ = discharge).

    bleed_a: float64[N], the balancing current of each cell over the whole block.
    """
    if any(fault.growth_s > 0.0 for fault in pack.spec.faults):
        _apply_faults(pack)
    duration_s = len(current_a) * STEP_S
    block = advance(pack.cells, current_a, bleed_a, pack.heat.temperature_degc, STEP_S)
    joint = _joint_heat(pack, float(np.mean(current_a**2)))
    warm(pack.heat, block.heat_w + joint + pack.outside_w, duration_s)
    advance_dips(pack.dips, pack.elapsed_s + duration_s)
    finished = PackBlock(block, pack.elapsed_s, pack.joint_ohm.copy())
    pack.elapsed_s += duration_s
    return finished


def _joint_heat(pack: Pack, square_a2: float) -> Floats:
    """Heat of the joints (N,): half to the cell before, half to the one behind."""
    power = pack.joint_ohm * square_a2
    result: Floats = 0.5 * power
    result[1:] += 0.5 * power[:-1]
    return result


def cell_voltages(pack: Pack, block: PackBlock, index: NDArray[np.int64]) -> Floats:
    """True voltage between the sense wires of each cell at grid points `index` (S, N).

    The wire of a joint is fastened at its far end, so a cell's reading contains the drop of the
    joint behind it. Dips and chattering contacts are in it, sensor errors are not.
    """
    current = block.cells.current_a[index]
    volts = voltages(pack.cells, block.cells, index) - block.joint_ohm * current
    return dip_voltages(pack.dips, volts, index, block.start_s, STEP_S, current)


def string_voltage(pack: Pack, block: PackBlock, index: NDArray[np.int64]) -> Floats:
    """True voltage of the whole string at grid points `index` (P,)."""
    grid = np.broadcast_to(index[:, np.newaxis], (len(index), pack.spec.cells))
    total: Floats = cell_voltages(pack, block, grid).sum(axis=1)
    return total


def probe_temperatures(pack: Pack) -> Floats:
    """Temperature of the cells under the probes (probes,), degC."""
    return pack.heat.temperature_degc[pack.probe_cell]
