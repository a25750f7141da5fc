"""What can be taken out of a pack before its weakest cell is empty, and what that cell costs.

In a series string the first cell at its cut-off ends the ride, the first full one ends the charge.
Pure functions of what the other estimators say; arrays in, arrays out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.model import CellModel, ocv_at, resistance_factor


@dataclass(frozen=True, slots=True)
class Usable:
    """soc: charge_ah against the median cell's capacity, 0..1, so that it stands beside a state of
    charge and an imbalance shows; charge_ah and energy_wh until the first cell
    reaches its cut-off under the load, with soc_sigma and energy_sigma_wh; limiting_cell from 1,
    0 unknown; costs_wh: what there would be more if that cell were like the median one; full_cell:
    the cell that ends a charge."""

    soc: float
    soc_sigma: float
    charge_ah: float
    energy_wh: float
    energy_sigma_wh: float
    limiting_cell: int
    costs_wh: float
    full_cell: int


_NAN = float("nan")
UNKNOWN = Usable(_NAN, _NAN, _NAN, _NAN, _NAN, 0, _NAN, 0)


def usable(
    model: CellModel,
    soc: NDArray[np.float64],
    soc_sigma: NDArray[np.float64],
    capacity_ah: NDArray[np.float64],
    resistance_ohm: NDArray[np.float64],
    load_a: float,
    temperature_degc: float = 25.0,
) -> Usable:
    """Usable charge and energy at a constant `load_a` (the rider's usual current, A >= 0).

    soc, soc_sigma, capacity_ah and resistance_ohm (for this long: ohmic and slow, at 25 degC,
    50 %) per cell (N,); cells with NaN are left out, all NaN: UNKNOWN.
    """
    known = np.isfinite(soc) & np.isfinite(capacity_ah) & np.isfinite(resistance_ohm)
    if not known.any():
        return UNKNOWN
    where = np.flatnonzero(known)
    z, q = np.clip(soc[known], 0.0, 1.0), capacity_ah[known]
    r = resistance_ohm[known]
    empty = _empty(model, r, load_a, temperature_degc)
    left = q * np.maximum(z - empty, 0.0)
    room = q * (1.0 - z)
    first, full = int(np.argmin(left)), int(np.argmin(room))
    charge = float(left[first])
    typical = float(np.median(left))
    energy = _energy(model, z, q, r, charge, load_a, temperature_degc)
    more = _energy(model, z, q, r, typical, load_a, temperature_degc) if len(z) > 1 else energy
    sigma = float(np.nan_to_num(soc_sigma[known][first], nan=0.3))
    whole = float(np.median(q))
    return Usable(
        soc=charge / whole,
        soc_sigma=min(sigma * float(q[first]) / whole, 1.0),
        charge_ah=charge,
        energy_wh=energy,
        energy_sigma_wh=energy * sigma * float(q[first]) / max(charge, 1e-9) if charge else 0.0,
        limiting_cell=int(where[first]) + 1,
        costs_wh=max(more - energy, 0.0),
        full_cell=int(where[full]) + 1,
    )


def _empty(
    model: CellModel, ohm: NDArray[np.float64], load_a: float, temperature: float
) -> NDArray[np.float64]:
    """SOC (N,) at which each cell under this load is at its cut-off."""
    sag = load_a * ohm[:, None] * resistance_factor(model, model.soc, temperature)
    volts = ocv_at(model, model.soc, temperature) - sag
    above = volts >= model.cell_voltage_min
    k = np.argmax(above, axis=1)
    cells = np.arange(len(ohm))
    before = np.maximum(k - 1, 0)
    low, high = volts[cells, before], volts[cells, k]
    rise = np.where(high > low, high - low, 1.0)
    share = (model.cell_voltage_min - low) / rise
    found = model.soc[before] + share * (model.soc[k] - model.soc[before])
    return np.where(above.any(axis=1), np.where(k == 0, 0.0, found), 1.0)


def _energy(
    model: CellModel,
    z: NDArray[np.float64],
    q: NDArray[np.float64],
    r: NDArray[np.float64],
    charge_ah: float,
    load_a: float,
    temperature: float,
) -> float:
    """Energy of all cells over `charge_ah` of the string (Wh)."""
    taken: NDArray[Any] = np.linspace(0.0, charge_ah, 41)[:, None]
    path = np.clip(z - taken / q, 0.0, 1.0)
    sag = load_a * r * resistance_factor(model, path, temperature)
    volts = (ocv_at(model, path, temperature) - sag).sum(1)
    return float(np.sum(0.5 * (volts[1:] + volts[:-1])) * charge_ah / 40)
