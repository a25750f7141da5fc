"""How much power a string can give and take for 2, 10 and 30 s, and what limits it.

Each cell: the current that brings it to its limit at the end of the time, from the circuit (Plett,
J. Power Sources 134 (2004) 262, section 3.2, with the RC pairs kept). The weakest cell counts; then
current limits and the temperature window. Pure functions; arrays in, arrays out.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.kernel import look_up
from bms_studio.estimators.model import CellModel, ocv_at, resistance_factor

HORIZONS_S = (2.0, 10.0, 30.0)
CAUSES = ("voltage", "current", "temperature", "empty")


@dataclass(frozen=True, slots=True)
class Limits:
    """discharge_a, charge_a: what pack and BMS allow (A, positive), NaN unknown. Temperatures in
    degC: outside of the window nothing, within `soft_k` of its edge less, in proportion."""

    discharge_a: float = float("nan")
    charge_a: float = float("nan")
    temperature_min: float = -20.0
    temperature_max: float = 60.0
    charge_temperature_min: float = 0.0
    charge_temperature_max: float = 45.0
    soft_k: float = 5.0


@dataclass(frozen=True, slots=True)
class Power:
    """For one horizon: current (A, + = discharge) and power (W, positive), its sigma, the cell
    that limits (from 1, 0 when no cell does) and the cause, one of CAUSES."""

    seconds: float
    charge: bool
    current_a: float
    power_w: float
    power_sigma_w: float
    cell: int
    cause: str


def power_limits(
    model: CellModel,
    soc: NDArray[np.float64],
    soc_sigma: NDArray[np.float64],
    ohmic_ohm: NDArray[np.float64],
    polarisation_v: float,
    temperature_degc: float,
    limits: Limits,
) -> list[Power]:
    """Six answers: discharge and charge, 2, 10 and 30 s; empty when no cell is known.

    soc, soc_sigma, ohmic_ohm (25 degC, 50 %) per cell (N,); polarisation_v: what the slow pairs
    hold now (V, positive after discharge).
    """
    known = np.isfinite(soc) & np.isfinite(ohmic_ohm)
    if not known.any():
        return []
    where = np.flatnonzero(known)
    z, ohm = np.clip(soc[known], 0.0, 1.0), ohmic_ohm[known]
    sigma = np.nan_to_num(soc_sigma[known], nan=0.3)
    answers = []
    for charge in (False, True):
        for seconds in HORIZONS_S:
            current = _currents(model, z, ohm, polarisation_v, temperature_degc, seconds, charge)
            worst = int(np.argmin(np.abs(current)))
            amount, cause, cell = abs(float(current[worst])), "voltage", int(where[worst]) + 1
            if amount == 0:
                cause = "empty"
            allowed = limits.charge_a if charge else limits.discharge_a
            if not math.isnan(allowed) and allowed < amount:
                amount, cause, cell = max(allowed, 0.0), "current", 0
            share = _temperature_share(temperature_degc, limits, charge)
            if share < 1:
                amount, cause, cell = amount * share, "temperature", 0
            signed = -amount if charge else amount
            volts = _volts(model, z, ohm, polarisation_v, temperature_degc, seconds, signed)
            one = slice(worst, worst + 1)
            moved = np.clip(z[one] + (sigma if charge else -sigma)[one], 0.0, 1.0)
            less = _currents(
                model, moved, ohm[one], polarisation_v, temperature_degc, seconds, charge
            )
            watts = amount * float(volts.sum())
            change = abs(abs(float(less[0])) - abs(float(current[worst])))
            spread = change * float(volts.sum()) if cause in ("voltage", "empty") else 0.0
            # Resistance a tenth, where voltage limits.
            spread = math.hypot(spread, 0.1 * watts if cause == "voltage" else 0.0)
            answers.append(Power(seconds, charge, signed, watts, spread, cell, cause))
    return answers


def _total(
    model: CellModel,
    z: NDArray[np.float64],
    ohm: NDArray[np.float64],
    temperature: float,
    seconds: float,
) -> NDArray[np.float64]:
    """Resistance after so many seconds of a constant current (ohm)."""
    slow = model.r1_ohm * (1 - math.exp(-seconds / model.tau1_s))
    slow += model.r2_ohm * (1 - math.exp(-seconds / model.tau2_s))
    # A cell's slow resistances are taken to grow with its ohmic one.
    return (ohm + slow * ohm / model.r0_ohm) * resistance_factor(model, z, temperature)


def _volts(
    model: CellModel,
    z: NDArray[np.float64],
    ohm: NDArray[np.float64],
    polarisation_v: float,
    temperature: float,
    seconds: float,
    current: float | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Cell voltages at the end."""
    after = np.clip(z - np.asarray(current) * seconds / 3600 / model.capacity_ah, 0.0, 1.0)
    held = polarisation_v * math.exp(-seconds / model.tau2_s)
    sag = np.asarray(current) * _total(model, z, ohm, temperature, seconds)
    return ocv_at(model, after, temperature) - held - sag


def _currents(
    model: CellModel,
    z: NDArray[np.float64],
    ohm: NDArray[np.float64],
    polarisation_v: float,
    temperature: float,
    seconds: float,
    charge: bool,
) -> NDArray[np.float64]:
    """Per cell the current that ends at the cut-off (bisection: the OCV is a table)."""
    limit = model.cell_voltage_max if charge else model.cell_voltage_min
    sign = -1.0 if charge else 1.0
    found = _bisect(
        z,
        _total(model, z, ohm, temperature, seconds),
        ocv_at(model, model.soc, temperature),
        polarisation_v * math.exp(-seconds / model.tau2_s),
        sign * seconds / 3600 / model.capacity_ah,
        sign,
        limit,
        200.0 * model.capacity_ah,
    )
    return sign * np.where(found < 1e-6 * model.capacity_ah, 0.0, found)


@njit(nogil=True, cache=True)
def _bisect(
    z: NDArray[np.float64],
    total_ohm: NDArray[np.float64],
    ocv: NDArray[np.float64],
    held_v: float,
    moved_per_a: float,
    sign: float,
    limit: float,
    most_a: float,
) -> NDArray[np.float64]:
    """Per cell (N,) the largest amount (A >= 0) that stays within the limit."""
    out = np.zeros(len(z))
    last = len(ocv) - 1
    for k in range(len(z)):
        low, high, amount = 0.0, most_a, 0.0
        for turn in range(100):
            at = z[k] - moved_per_a * amount
            after = min(max(at, 0.0), 1.0)
            volts = look_up(ocv, after) - held_v - sign * amount * total_ohm[k]
            left = sign * (volts - limit)
            if left > 0:
                low = amount
            else:
                high = amount
            if abs(left) < 1e-12 or high - low < 1e-13 * most_a:
                break
            # Along the piece of the table that this amount ends on; else by halves.
            piece = min(int(after * last), last - 1)
            slope = (ocv[piece + 1] - ocv[piece]) * last if 0.0 < at < 1.0 else 0.0
            fall = total_ohm[k] + sign * slope * moved_per_a
            amount += left / fall if fall > 0 else most_a
            if turn % 4 == 3 or not low < amount < high:
                amount = 0.5 * (low + high)
        out[k] = amount
    return out


def _temperature_share(temperature: float, limits: Limits, charge: bool) -> float:
    low = limits.charge_temperature_min if charge else limits.temperature_min
    high = limits.charge_temperature_max if charge else limits.temperature_max
    if math.isnan(temperature):
        return 1.0
    return float(np.clip(min(temperature - low, high - temperature) / limits.soft_k, 0.0, 1.0))
