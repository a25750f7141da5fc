"""Electrical model of N cells in series: open-circuit voltage, R0(SOC, T), two RC pairs, leaks.

Arrays of length N, advanced by blocks of samples. The string current is common to all cells, so the
slow states are computed once per block in closed form and voltages only at the samples that
somebody measures. Nothing random, no fault names, no BMS.

Model (second-order equivalent circuit, e.g. G. Plett, Battery Management Systems vol. 1, ch. 2):
V = OCV(z) - R0 I - R1 x1 - R2 x2,  dz/dt = -I / (3600 Q),  dx/dt = (I - x) / tau.
R0 follows Arrhenius in temperature and rises towards empty. No hysteresis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.chemistry import Chemistry

Floats = NDArray[np.float64]

GAS_CONSTANT = 8.314462618  # J/(mol K), CODATA 2018
REFERENCE_K = 298.15
ACTIVATION_J_MOL = 25_000.0  # within the 20-40 kJ/mol usual for the ohmic part of Li-ion cells
TAU1_S = 8.0
TAU2_S = 240.0


@dataclass(slots=True)
class Cells:
    """N cells. Parameters at 25 degC and half charge, and the state that `advance` changes.

    capacity_ah, r0_ohm, r1_ohm, r2_ohm, leak_a: float64[N]; short_ohm: float64[N], inf where none.
    soc: 0..1 of the cell's own capacity; x1_a, x2_a: currents through the RC pairs' resistors.
    """

    chemistry: Chemistry
    capacity_ah: Floats
    r0_ohm: Floats
    r1_ohm: Floats
    r2_ohm: Floats
    leak_a: Floats
    short_ohm: Floats
    soc: Floats
    x1_a: Floats
    x2_a: Floats


@dataclass(frozen=True, slots=True)
class Block:
    """What `advance` leaves behind for `voltages`: everything at the block's M + 1 grid points."""

    step_s: float
    current_a: Floats  # (M,) string current, constant from one grid point to the next
    charge_as: Floats  # (M + 1,) its integral since the block's beginning
    response: tuple[Floats, Floats]  # (M + 1,) each: part of x1, x2 that the string current makes
    decay: tuple[Floats, Floats]  # (M + 1,) each: what is left of x1, x2 at the beginning
    extra_a: Floats  # (N,) bleed, leak and short current, constant over the block
    soc: Floats  # (N,) at the beginning, like the next five
    x1_a: Floats
    x2_a: Floats
    ocv_v: Floats
    slope_v: Floats  # d OCV / d SOC
    resistance: tuple[Floats, Floats, Floats]  # R0, R1, R2 at this SOC and temperature
    heat_w: Floats  # (N,) mean over the block


def open_circuit(chemistry: Chemistry, soc: Floats) -> tuple[Floats, Floats]:
    """OCV and dOCV/dSOC at `soc`, any shape; straight on beyond 0 and 1, never below 0 V."""
    table = chemistry.ocv_v
    step = 1.0 / (len(table) - 1)
    index = np.clip((soc / step).astype(np.int64), 0, len(table) - 2)
    slope = (table[index + 1] - table[index]) / step
    ocv = table[index] + slope * (soc - chemistry.soc[index])
    return np.maximum(ocv, 0.0), slope


def resistance_factor(soc: Floats, temperature_degc: Floats) -> Floats:
    """R(SOC, T) relative to half charge and 25 degC: Arrhenius, and a rise of 60 % when empty."""
    kelvin = temperature_degc + 273.15
    heat = np.exp(ACTIVATION_J_MOL / GAS_CONSTANT * (1.0 / kelvin - 1.0 / REFERENCE_K))
    empty = 1.0 + 0.6 * np.exp(-np.clip(soc, 0.0, 1.0) / 0.08) + 0.1 * (0.5 - soc)
    result: Floats = heat * empty
    return result


def advance(
    cells: Cells, current_a: Floats, bleed_a: Floats, temperature_degc: Floats, step_s: float
) -> Block:
    """Move `cells` on by the M samples of `current_a` (+ = discharge), `step_s` apart.

    bleed_a: float64[N], balancing current per cell over the whole block. Resistances and leaks are
    taken at the block's beginning: keep blocks within about a second. Changes `cells` in place.
    """
    count = len(current_a)
    ocv, slope = open_circuit(cells.chemistry, cells.soc)
    factor = resistance_factor(cells.soc, temperature_degc)
    r0, r1, r2 = cells.r0_ohm * factor, cells.r1_ohm * factor, cells.r2_ohm * factor
    extra = bleed_a + cells.leak_a + ocv / cells.short_ohm
    charge = np.concatenate(([0.0], np.cumsum(current_a) * step_s))
    decay1, response1 = _relax(current_a, TAU1_S, step_s)
    decay2, response2 = _relax(current_a, TAU2_S, step_s)
    x1_end = decay1[-1] * cells.x1_a + response1[-1] + (1.0 - decay1[-1]) * extra
    x2_end = decay2[-1] * cells.x2_a + response2[-1] + (1.0 - decay2[-1]) * extra
    mean, square = float(current_a.mean()), float(np.mean(current_a**2))
    heat = (
        r0 * (square + 2.0 * mean * extra + extra**2)
        + r1 * _mean_square(cells.x1_a, x1_end)
        + r2 * _mean_square(cells.x2_a, x2_end)
        + ocv**2 / cells.short_ohm
        + cells.leak_a * ocv
    )
    block = Block(
        step_s,
        current_a,
        charge,
        (response1, response2),
        (decay1, decay2),
        extra,
        cells.soc,
        cells.x1_a,
        cells.x2_a,
        ocv,
        slope,
        (r0, r1, r2),
        heat,
    )
    used = charge[-1] + extra * (count * step_s)
    cells.soc = cells.soc - used / (3600.0 * cells.capacity_ah)
    cells.x1_a, cells.x2_a = x1_end, x2_end
    return block


def voltages(cells: Cells, block: Block, index: NDArray[np.int64]) -> Floats:
    """Terminal voltages at grid points `index` (S, N), one column per cell, of a finished block."""
    decay1, decay2 = block.decay[0][index], block.decay[1][index]
    x1 = decay1 * block.x1_a + block.response[0][index] + (1.0 - decay1) * block.extra_a
    x2 = decay2 * block.x2_a + block.response[1][index] + (1.0 - decay2) * block.extra_a
    used = block.charge_as[index] + block.extra_a * (index * block.step_s)
    ocv = block.ocv_v - block.slope_v * used / (3600.0 * cells.capacity_ah)
    r0, r1, r2 = block.resistance
    result: Floats = ocv - r0 * (block.current_a[index] + block.extra_a) - r1 * x1 - r2 * x2
    return result


def _relax(current_a: Floats, tau_s: float, step_s: float) -> tuple[Floats, Floats]:
    """Decay of an initial state, and the answer from zero to `current_a`, at M + 1 grid points.

    x[n + 1] = a x[n] + (1 - a) I[n] with a = exp(-step / tau), written as a scaled running sum. The
    scale stays near one because a block is short against tau.
    """
    powers = np.exp(-step_s / tau_s * np.arange(len(current_a) + 1))
    gain = 1.0 - powers[1]
    answer = np.concatenate(([0.0], np.cumsum(current_a / powers[1:]) * gain))
    return powers, powers * answer


def _mean_square(first: Floats, last: Floats) -> Floats:
    """Mean of a square over a straight line from `first` to `last`."""
    result: Floats = (first**2 + first * last + last**2) / 3.0
    return result
