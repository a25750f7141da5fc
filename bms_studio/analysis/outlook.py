"""What can still be taken out and put in: usable charge and power at a moment, as one row.

Arrays in, one row of `PACK_COLUMNS` out. Resistances here are those of the running filter: the
mean cell's with each cell's difference.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.basis import Ground
from bms_studio.analysis.contract import PACK_COLUMNS
from bms_studio.estimators.model import resistance_factor
from bms_studio.estimators.power import CAUSES, Limits, power_limits
from bms_studio.estimators.usable import usable
from bms_studio.pack.profile import Profile

# Before a minute of riding the usual load is not known: a slow ride is taken.
_LOAD_C = 0.2
AT = {name: i for i, name in enumerate(PACK_COLUMNS)}


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What is known at one moment: per cell (N,) soc, sigma, ohmic resistance (at 25 degC, 50 %)
    and capacity (Ah); the mean cell's polarisation (V), temperature and the rider's load (A)."""

    soc: NDArray[np.float64]
    soc_sigma: NDArray[np.float64]
    ohmic_ohm: NDArray[np.float64]
    capacity_ah: NDArray[np.float64]
    polarisation_v: float
    temperature_degc: float
    load_a: float


def pack_limits(ground: Ground, profile: Profile) -> Limits:
    """What the pack may do by its profile and chemistry, without what the BMS says now."""
    stated, usual = profile.limits, ground.chemistry
    return Limits(
        discharge_a=_or_nan(stated.current_discharge_max),
        charge_a=_or_nan(stated.current_charge_max),
        temperature_min=_or(stated.temperature_min, usual.temperature_min),
        temperature_max=_or(stated.temperature_max, usual.temperature_max),
        charge_temperature_min=usual.charge_temperature_min,
        charge_temperature_max=usual.charge_temperature_max,
    )


def put_outlook(row: NDArray[np.float64], ground: Ground, limits: Limits, moment: Moment) -> None:
    """Usable charge, energy and power into a row (len(PACK_COLUMNS),); NaN stays where unknown."""
    model = ground.model
    warm = moment.temperature_degc if math.isfinite(moment.temperature_degc) else 25.0
    load = moment.load_a if moment.load_a > 0 else _LOAD_C * model.capacity_ah
    slow = 1.0 + (model.r1_ohm + model.r2_ohm) / model.r0_ohm
    found = usable(
        model,
        moment.soc,
        moment.soc_sigma,
        moment.capacity_ah,
        moment.ohmic_ohm * slow,
        load,
        warm,
    )
    row[AT["usable_soc"]], row[AT["usable_soc_sigma"]] = found.soc, found.soc_sigma
    row[AT["limiting_cell"]], row[AT["full_cell"]] = found.limiting_cell, found.full_cell
    if not ground.charge or ground.rough:
        return  # without a capacity there are no ampere-hours, without current no power
    row[AT["usable_ah"]], row[AT["usable_wh"]] = found.charge_ah, found.energy_wh
    row[AT["usable_wh_sigma"]], row[AT["costs_wh"]] = found.energy_sigma_wh, found.costs_wh
    powers = power_limits(
        model,
        moment.soc,
        moment.soc_sigma,
        moment.ohmic_ohm,
        moment.polarisation_v,
        moment.temperature_degc,
        limits,
    )
    for power in powers:
        first = AT[f"{'charge' if power.charge else 'discharge'}_{power.seconds:.0f}_a"]
        row[first : first + 5] = (
            abs(power.current_a),
            power.power_w,
            power.power_sigma_w,
            power.cell,
            CAUSES.index(power.cause),
        )


def ohmic_reference(
    ground: Ground, now_ohm: float, difference_ohm: NDArray[np.float64], soc: float, degc: float
) -> NDArray[np.float64]:
    """Ohmic resistance of every cell (N,) at 25 degC and 50 %, from the filter's mean resistance at
    this moment and each cell's difference (which the filter holds as it is now)."""
    warm = degc if math.isfinite(degc) else 25.0
    factor = float(resistance_factor(ground.model, min(max(soc, 0.0), 1.0), warm))
    return np.maximum((now_ohm + difference_ohm) / factor, 0.1 * ground.model.r0_ohm)


def _or(value: float | None, usual: float) -> float:
    return usual if value is None else value


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
