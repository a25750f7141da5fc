"""Single cells of another physics than the estimators', for accuracy nobody tuned to.

Diffusion into a sphere by its modes (J. Crank, The Mathematics of Diffusion, 1975, 6.3), charge
transfer by Butler-Volmer with equal coefficients (an asinh), a linear ohmic part and surface film,
each with its own activation energy, hysteresis with a sudden and a slow part, a cell that warms
itself; a sensor with gain, offset and noise and a nominal capacity that is not the true one. The
open-circuit curves are those of measured cells and of published parameter sets in ../shared/data.
Nothing here imports an estimator.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks._cell_data import Run, ocv_table

Array = NDArray[np.float64]
# Half of each kind may be looked at while a number is chosen ("look"), half only judges ("judge").
TABLES = {
    "look": {
        "NMC": (
            "pocv_LG-INR21700M50T_measured.csv",
            "pocv_Molicel-INR21700P42A_measured.csv",
            "ocv_Ecker2015.csv",
            "ocv_NCA_Kim2011.csv",
        ),
        "LFP": ("pocv_LithiumWerks-APR18650M1B_measured.csv",),
        "LMO": ("pocv_leaf_LMO_blend_C3_measured.csv",),
        "LCO": ("ocv_Ai2020.csv",),
    },
    "judge": {
        "NMC": (
            "pocv_Samsung-INR2170040T_measured.csv",
            "pocv_Molicel-INR18650P28A_measured.csv",
            "ocv_unknown_nmc_measured.csv",
            "ocv_Mohtat2020.csv",
            "ocv_ORegan2022.csv",
        ),
        "LFP": ("ocv_A123_26650_LFP_measured.csv",),
        "LMO": ("ocv_E2_NMC_measured.csv",),
        "LCO": ("ocv_Ramadass2004.csv",),
    },
}
# Roots of tan(x) = x: the modes of a sphere with a given flux.
_ROOTS = np.array([4.4934, 7.7253, 10.9041, 14.0662])


@dataclass(frozen=True, slots=True)
class Cell:
    """Shares of 1 V over the capacity (ohm x Ah), seconds, J/mol; ambient in degC."""

    ohmic_v: float
    film_v: float
    film_s: float
    exchange: float
    sphere_s: float
    energies: tuple[float, float, float]
    hysteresis_v: float
    warming_k: float
    ambient: float


def make_cell(chemistry: str, ambient: float, rng: np.random.Generator) -> Cell:
    """A cell of this kind. The lag at 1C and 25 degC is 1..4 % of SOC (LFP 1..3 %)."""
    lfp = chemistry == "LFP"
    ohm = rng.uniform(0.010, 0.022) if lfp else rng.uniform(0.025, 0.06)
    return Cell(
        ohmic_v=0.6 * ohm,
        film_v=0.4 * ohm,
        film_s=float(rng.uniform(1.0, 8.0)),
        exchange=float(rng.uniform(1.5, 5.0) if lfp else rng.uniform(0.8, 3.0)),
        sphere_s=float(rng.uniform(0.01, 0.03 if lfp else 0.04) * 3600 * 15),
        energies=(
            float(rng.uniform(12e3, 20e3)),
            float(rng.uniform(40e3, 58e3)),
            float(rng.uniform(15e3, 30e3)),
        ),
        hysteresis_v=float(rng.uniform(0.008, 0.018) if lfp else rng.uniform(0.0, 0.006)),
        warming_k=float(rng.uniform(2.0, 6.0)),
        ambient=ambient,
    )


def make_run(chemistry: str, table: str, ambient: float, kind: str, seed: int) -> Run:
    """kind: 'down' (rides from nearly full to 12 %), 'day' (ride, rest, charge, ride, rest), 'part'
    (starts at half, rides and charges within 25..75 %). What the pack's sensors say; the capacity
    is the data sheet's."""
    rng = np.random.default_rng([seed, 41])
    cell = make_cell(chemistry, ambient, rng)
    start, demand = _profile(kind, 1.0 if ambient > 0 else 0.6, rng)
    curve = ocv_table(table)
    soc, volts, degrees = _simulate(
        demand,
        curve,
        start,
        np.array(
            [
                *(cell.ohmic_v, cell.film_v, cell.film_s, cell.exchange, cell.sphere_s),
                *cell.energies,
                *(cell.hysteresis_v, cell.warming_k, cell.ambient),
            ]
        ),
        _ROOTS,
    )
    capacity = float(rng.uniform(2.0, 40.0))
    rows = len(demand)
    current = capacity * demand * (1 + 0.004 * rng.standard_normal())
    current += capacity * (0.003 * rng.standard_normal() + 0.002 * rng.standard_normal(rows))
    volts = np.round(volts + 0.001 * rng.standard_normal(rows), 3)
    stated = capacity / (1 + 0.02 * rng.standard_normal())
    name = f"{table.split('_')[1]} {ambient:g} {kind}"
    seen = np.round(np.mean(degrees))
    return Run(
        name,
        np.arange(rows, dtype=np.float64),
        np.asarray(current, np.float64),
        volts,
        soc,
        float(seen),
        stated,
    )


def _profile(kind: str, strong: float, rng: np.random.Generator) -> tuple[float, Array]:
    """SOC at the start, and the current in units of 1C, second by second."""

    def rest(hours: float) -> Array:
        return np.zeros(int(3600 * hours))

    def ride(share: float) -> Array:
        parts, left = [], share * 3600
        while left > 0:
            peak, level = rng.uniform(0.8, 2.0) * strong, rng.uniform(0.2, 0.8) * strong
            cruise = int(rng.integers(8, 90))
            leg = [np.linspace(0.5, 1, int(rng.integers(3, 9))) * peak]
            leg += [level * (1 + 0.15 * rng.standard_normal(cruise))]
            leg += [np.full(int(rng.integers(2, 7)), -0.4 * rng.uniform(0.2, 1.0) * strong)]
            leg += [np.zeros(int(rng.integers(2, 40)))]
            parts.append(np.concatenate(leg))
            left -= parts[-1].sum()
        return np.concatenate(parts)

    def charge(share: float) -> Array:
        rate = rng.uniform(0.2, 0.5) * strong
        held = int(0.8 * share * 3600 / rate)
        fade = 0.2 * share * 3600 / rate
        return -rate * np.concatenate([np.ones(held), np.exp(-np.arange(int(4 * fade)) / fade)])

    if kind == "down":
        begin = float(rng.uniform(0.88, 0.97))
        return begin, np.concatenate([rest(0.05), ride(begin - 0.12), rest(0.4)])
    if kind == "day":
        begin, used = float(rng.uniform(0.85, 0.95)), float(rng.uniform(0.45, 0.7))
        return begin, np.concatenate(
            [ride(used), rest(rng.uniform(0.1, 1.0)), charge(used), rest(0.5), ride(0.3), rest(0.3)]
        )
    begin = float(rng.uniform(0.45, 0.6))
    return begin, np.concatenate(
        [ride(0.2), rest(0.3), charge(0.3), rest(rng.uniform(0.1, 0.8)), ride(0.2), rest(0.3)]
    )


@njit(nogil=True, cache=True)
def _simulate(
    demand: Array, curve: Array, start: float, numbers: Array, roots: Array
) -> tuple[Array, Array, Array]:
    """SOC, volts and cell temperature, second by second."""
    ohmic_v, film_v, film_s, exchange, sphere_s, e0, e1, e2, hyst_v, warming, ambient = numbers
    rows, last = len(demand), len(curve) - 1
    soc, volts, degrees = np.empty(rows), np.empty(rows), np.empty(rows)
    modes = np.zeros(len(roots))
    z, film, hyst, warm = start, 0.0, 0.0, 0.0
    lacking = 0.2 - np.sum(2 / roots**2)
    for t in range(rows):
        i = demand[t]
        kelvin = ambient + warm + 273.15
        inverse = (1 / kelvin - 1 / 298.15) / 8.314462618
        slow = sphere_s * np.exp(e2 * inverse)
        behind = lacking * slow * i / 10800
        for k in range(len(roots)):
            tau = slow / roots[k] ** 2
            modes[k] += (i * 2 / roots[k] ** 2 - modes[k]) * (1 - np.exp(-1 / tau))
            behind += modes[k] * slow / 10800
        z -= i / 3600
        at = min(max(z - behind, 0.0), 1.0) * last
        low = min(int(at), last - 1)
        v = curve[low] + (at - low) * (curve[low + 1] - curve[low])
        surface = min(max(z - behind, 0.01), 0.99)
        rate = exchange * 2 * np.sqrt(surface * (1 - surface)) * np.exp(-e1 * inverse)
        transfer = 2 * 8.314462618 * kelvin / 96485.332 * np.arcsinh(i / (2 * rate))
        film += (i - film) * (1 - np.exp(-1 / film_s))
        hyst += 20.0 * abs(i) / 3600 * (-np.sign(i) - hyst) if abs(i) > 0.002 else 0.0
        drop = (ohmic_v * i + film_v * film) * np.exp(e0 * inverse) + transfer
        v += hyst_v * (0.85 * hyst - 0.15 * np.sign(i)) - drop
        warm += (warming * i * drop / 0.08 - warm) / 1500
        soc[t], volts[t], degrees[t] = z, v, ambient + warm
    return soc, volts, degrees
