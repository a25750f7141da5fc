"""The cell model that all estimators share: an equivalent circuit with two RC pairs and hysteresis.

V = OCV(z, T) + M h - f_d (R1 x1 + R2 x2) - f_0 R0 I, with x_j' = (I - x_j) / tau_j (the enhanced
self-correcting model: G. L. Plett, J. Power Sources 134 (2004) 252, section 2). Resistances are
given at 25 degC and 50 % and scale by exp(Ea/R (1/T - 1/298.15 K)) and by a shape over SOC.
Arrays and numbers only; no measurement enters except in `fit_model`.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.chemistry import CUSTOM, NAMES, Chemistry, load_chemistry

GAS_J_PER_MOL_K = 8.314462618
KELVIN = 273.15
REFERENCE_K = 298.15
# Below this share of information per anchor (sigma of SOC from one OCV reading) voltage does not
# correct SOC: the plateau.
PLATEAU_SIGMA = 0.08
# A cell's own table is of this cell, but of another day and temperature (A123: 2 % near empty).
OWN_SIGMA_SOC = 0.015
# Of the slow resistance (at the mean slope of the curve) this share is diffusion: the surface of
# the particles is ahead of their mean, and the drop follows the slope of the curve. Residual of the
# best circuit on A123 at 25, 5, -15 degC: 22, 30, 47 mV without, 6, 8, 11 mV with; SPMe: 8 and 6.
LAG_SHARE, LAG_MOST = 0.7, 0.06
# Diffusion into a sphere has many time constants: two thirds of the lag with the slow one, the rest
# with a quarter of it (J. Crank, The Mathematics of Diffusion, 1975, 6.3: 50, 17, 8, 5 % of modes
# at 1, 1/3, 1/6, 1/10 of the time; the fastest are in the fast pair).
FAST_SHARE, FAST_TIME = 0.35, 0.25
# What a name on a label is worth against the voltages: the belief that another table of its family,
# or one of another family, is nearer to the cell (E2 is sold as NMC and is a spinel blend).
KIN_BELIEF, STRANGER_BELIEF = 0.2, 0.005
# A flat curve's table whose level is off by more than any measured cell's is still possible.
BESIDE_V, BESIDE_BELIEF = 0.06, 0.02
# Chemistries that are never taken for another by a label: their voltages differ at every charge.
_APART = ("LFP",)
# Of sigma_ocv_v, what all of a table may be off alike. LFP: the plateau of PyBaMM's Prada2013 lies
# 30..80 mV below that of measured cells, and what a level hides the knees still show.
LEVEL_SHARES = {"LFP": 0.6}


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """Another table that the cell may be nearer to: its name, 101 points (V), its sigma and the
    part of it that all of the table shares (V), and the belief in it before any data."""

    name: str
    ocv_v: NDArray[np.float64]
    sigma_ocv_v: float
    level_v: float
    belief: float


@dataclass(frozen=True, slots=True, eq=False)
class CellModel:
    """One cell type; arrays over `soc` (101 points 0..1).

    r_shape: resistance over SOC, 1 at 50 %; plateau: bool, where voltage says nothing of SOC.
    sigma_ocv_v: how far the table is from this maker's cell (1 sigma); sigma_soc: how far it lies
    beside it along SOC (balanced or scaled to another capacity); capacity_sigma: relative,
    capacity and current gain together; level_share: of sigma_ocv_v, what all of the table is off
    alike. rivals: tables that `soc` weighs against `ocv_v`; a table of the cell's own has none.
    """

    soc: NDArray[np.float64]
    ocv_v: NDArray[np.float64]
    docv_dt_v_per_k: NDArray[np.float64]
    r_shape: NDArray[np.float64]
    plateau: NDArray[np.bool_]
    capacity_ah: float
    r0_ohm: float
    r1_ohm: float
    tau1_s: float
    r2_ohm: float
    tau2_s: float
    hysteresis_v: float
    sigma_hysteresis_v: float
    hysteresis_rate: float
    activation_j_per_mol: float
    hysteresis_j_per_mol: float
    sigma_ocv_v: float
    sigma_soc: float
    sigma_r: float
    capacity_sigma: float
    cell_voltage_min: float
    cell_voltage_max: float
    level_share: float = 0.4
    rivals: tuple[Rival, ...] = ()

    @property
    def mean_slope_v(self) -> float:
        """Rise of the OCV between 10 and 90 % per unit of SOC (V), of which diffusion makes a drop;
        more where that would be a lag beyond LAG_MOST per 1C (a flat curve)."""
        low, high = np.interp([0.1, 0.9], self.soc, self.ocv_v)
        lagging_v = LAG_SHARE * self.r2_ohm * self.capacity_ah / LAG_MOST
        return max(float(high - low) / 0.8, lagging_v)


def cell_model(chemistry: Chemistry, capacity_ah: float, **changes: Any) -> CellModel:
    """The usual cell of a chemistry and capacity; `changes` replace fields by what is known.

    Raises ValueError for a capacity that is not positive.
    """
    if not capacity_ah > 0:
        raise ValueError(f"the capacity must be positive, not {capacity_ah} Ah")
    r0 = chemistry.resistance_v / capacity_ah
    soc = chemistry.soc
    model = CellModel(
        soc=soc,
        ocv_v=chemistry.ocv_v,
        docv_dt_v_per_k=chemistry.entropic_v_per_k,
        # Charge transfer and diffusion grow towards empty: doubled at 5 %, +10 % at 20 %.
        r_shape=(1 + 2.2 * np.exp(-soc / 0.06)) / (1 + 2.2 * np.exp(-0.5 / 0.06)),
        plateau=np.zeros(len(soc), np.bool_),
        capacity_ah=float(capacity_ah),
        r0_ohm=r0,
        r1_ohm=0.45 * r0,
        tau1_s=12.0,
        r2_ohm=0.9 * r0,
        tau2_s=300.0,
        hysteresis_v=chemistry.hysteresis_v,
        sigma_hysteresis_v=chemistry.sigma_hysteresis_v,
        hysteresis_rate=20.0,
        activation_j_per_mol=chemistry.activation_j_per_mol,
        hysteresis_j_per_mol=chemistry.hysteresis_j_per_mol,
        sigma_ocv_v=chemistry.sigma_ocv_v,
        sigma_soc=OWN_SIGMA_SOC if chemistry.name == CUSTOM else 0.02,
        sigma_r=0.5,
        capacity_sigma=0.03,
        cell_voltage_min=chemistry.cell_voltage_min,
        cell_voltage_max=chemistry.cell_voltage_max,
        level_share=LEVEL_SHARES.get(chemistry.family, 0.4),
        rivals=rivals_of(chemistry),
    )
    if "ocv_v" in changes:
        changes = {"rivals": (), **changes}
    return _finished(replace(model, **changes), {"ocv_v": None, **changes})


def rivals_of(chemistry: Chemistry) -> tuple[Rival, ...]:
    """The published tables that a cell of this name may be nearer to."""
    if chemistry.name == CUSTOM:
        return ()
    others = [load_chemistry(n) for n in NAMES if n != chemistry.name]
    kin = [c for c in others if c.family == chemistry.family]
    strangers = [c for c in others if c.family != chemistry.family and c.family not in _APART]
    beside: tuple[Rival, ...] = ()
    if chemistry.family in _APART:
        strangers = []
        own = (chemistry.name, chemistry.ocv_v, chemistry.sigma_ocv_v)
        beside = (Rival(*own, BESIDE_V, BESIDE_BELIEF),)
    return beside + tuple(
        Rival(
            c.name,
            c.ocv_v,
            c.sigma_ocv_v,
            LEVEL_SHARES.get(c.family, 0.4) * c.sigma_ocv_v,
            belief / len(group),
        )
        for group, belief in ((kin, KIN_BELIEF), (strangers, STRANGER_BELIEF))
        for c in group
    )


def with_changes(model: CellModel, **changes: Any) -> CellModel:
    """The model with some fields replaced; the plateau follows the OCV and its sigma, and a table
    that is put in place of a published one has no rivals."""
    if "ocv_v" in changes:
        changes = {"rivals": (), **changes}
    return _finished(replace(model, **changes), changes)


def plateau_of(
    soc: NDArray[np.float64], ocv_v: NDArray[np.float64], sigma_v: float
) -> NDArray[np.bool_]:
    """Where the OCV, smoothed over 6 % of SOC, is too flat for a reading that is uncertain by
    sigma_v (table and hysteresis) to locate SOC to PLATEAU_SIGMA."""
    low, high = np.maximum(soc - 0.03, 0.0), np.minimum(soc + 0.03, 1.0)
    slope = (np.interp(high, soc, ocv_v) - np.interp(low, soc, ocv_v)) / (high - low)
    return np.asarray(slope < sigma_v / PLATEAU_SIGMA, np.bool_)


def resistance_factor(model: CellModel, soc: Any, temperature_degc: Any) -> NDArray[np.float64]:
    """How much larger resistances are at this SOC (0..1) and temperature than at 50 %, 25 degC."""
    arrhenius = warmth(model.activation_j_per_mol, temperature_degc)
    return np.asarray(np.interp(soc, model.soc, model.r_shape) * arrhenius, np.float64)


def warmth(activation_j_per_mol: float, temperature_degc: Any) -> NDArray[np.float64]:
    """Arrhenius factor against 25 degC: above 1 in the cold."""
    kelvin = np.maximum(np.asarray(temperature_degc, np.float64) + KELVIN, 200.0)
    return np.asarray(
        np.exp(activation_j_per_mol / GAS_J_PER_MOL_K * (1 / kelvin - 1 / REFERENCE_K)), np.float64
    )


def ocv_at(model: CellModel, soc: Any, temperature_degc: Any = 25.0) -> NDArray[np.float64]:
    """Open-circuit voltage (V) at SOC 0..1 and temperature."""
    entropic = np.interp(soc, model.soc, model.docv_dt_v_per_k) * (
        np.asarray(temperature_degc) - 25
    )
    return np.asarray(np.interp(soc, model.soc, model.ocv_v) + entropic, np.float64)


def relaxed_current(
    time_s: NDArray[np.float64], current_a: NDArray[np.float64], tau_s: float
) -> NDArray[np.float64]:
    """Current through an RC pair's resistor (A): x' = (I - x)/tau, exact for held current."""
    out = np.zeros(len(time_s))
    decay = np.exp(-np.diff(time_s) / tau_s)
    x = 0.0
    for k in range(1, len(time_s)):
        x = decay[k - 1] * x + (1 - decay[k - 1]) * current_a[k - 1]
        out[k] = x
    return out


def fit_model(
    model: CellModel,
    time_s: NDArray[np.float64],
    current_a: NDArray[np.float64],
    voltage_v: NDArray[np.float64],
    soc: NDArray[np.float64],
    temperature_degc: float = 25.0,
) -> CellModel:
    """The model with R0, R1, R2 and time constants fitted to one run whose SOC is known.

    Least squares on V - OCV over a grid of time constants; sigma_r becomes 0.2. The run must not be
    the one that the model is judged on.
    """
    factor = resistance_factor(model, soc, temperature_degc)
    target = voltage_v - ocv_at(model, soc, temperature_degc)
    swing = _hysteresis(time_s, current_a, model)
    swing = swing * warmth(model.hysteresis_j_per_mol, temperature_degc)
    # What the table lacks: a constant and a slope within its sigma; residuals 5 mV alike for 200 s.
    prior = np.array(
        [model.r0_ohm] * 2
        + [3.0 * model.r0_ohm]
        + [model.sigma_hysteresis_v]
        + [model.sigma_ocv_v] * 2
    )
    start = np.array([model.r0_ohm, model.r1_ohm, model.r2_ohm, model.hysteresis_v, 0.0, 0.0])
    # The table is also 1 % of SOC beside: where it is steep, near empty, a run says nothing of R.
    low, high = np.maximum(soc - 0.02, 0.0), np.minimum(soc + 0.02, 1.0)
    steep = (ocv_at(model, high) - ocv_at(model, low)) / np.maximum(high - low, 1e-6)
    weight = float(np.median(np.diff(time_s))) / 200.0 / (0.005**2 + (0.01 * steep) ** 2)
    best: tuple[float, float, float, NDArray[np.float64]] | None = None
    for tau1 in (4.0, 8.0, 16.0, 30.0):
        x1 = relaxed_current(time_s, current_a, tau1)
        for tau2 in (100.0, 200.0, 400.0, 800.0, 1600.0):
            slow = _slow(model, time_s, current_a, tau2, soc, temperature_degc)
            parts = [-current_a * factor, -x1 * factor, -slow, swing, np.ones(len(soc)), soc]
            columns = np.stack(parts, 1)
            normal = columns.T @ (weight[:, None] * columns) + np.diag(1 / prior**2)
            gap = target - columns @ start
            answer = start + np.linalg.solve(normal, columns.T @ (weight * gap))
            cost = float(np.sum(weight * (target - columns @ answer) ** 2))
            cost += float(np.sum(((answer - start) / prior) ** 2))
            if (best is None or cost < best[0]) and np.all(answer[:3] > 0):
                best = (cost, tau1, tau2, np.asarray(answer, np.float64))
    if best is None:
        raise ValueError("no circuit with positive resistances fits this run")
    _, tau1, tau2, answer = best
    r0, r1, r2, m = (float(v) for v in answer[:4])
    return with_changes(
        model,
        r0_ohm=r0,
        r1_ohm=r1,
        tau1_s=tau1,
        r2_ohm=r2,
        tau2_s=tau2,
        hysteresis_v=max(m, 0.0),
        sigma_r=0.2,
        capacity_sigma=0.5 * model.capacity_sigma,
    )


def _slow(
    model: CellModel,
    time_s: NDArray[np.float64],
    current_a: NDArray[np.float64],
    tau_s: float,
    soc: NDArray[np.float64],
    temperature_degc: float,
) -> NDArray[np.float64]:
    """Voltage over the slow resistance per ohm of it (A): a circuit's share, and that of diffusion,
    which follows the slope of the curve."""
    x2 = relaxed_current(time_s, current_a, tau_s)
    diffusing = (1 - FAST_SHARE) * x2
    diffusing += FAST_SHARE * relaxed_current(time_s, current_a, FAST_TIME * tau_s)
    low, high = np.maximum(soc - 0.03, 0.0), np.minimum(soc + 0.03, 1.0)
    steep = (ocv_at(model, high) - ocv_at(model, low)) / np.maximum(high - low, 1e-6)
    slower = np.sqrt(warmth(model.activation_j_per_mol, temperature_degc)) * steep
    circuit = (1 - LAG_SHARE) * resistance_factor(model, soc, temperature_degc) * x2
    return np.asarray(circuit + LAG_SHARE * slower / model.mean_slope_v * diffusing, np.float64)


def _hysteresis(
    time_s: NDArray[np.float64], current_a: NDArray[np.float64], model: CellModel
) -> NDArray[np.float64]:
    """-1 (after discharge) .. 1 (after charge)."""
    moved = current_a[:-1] * np.diff(time_s) / (3600.0 * model.capacity_ah)
    out = np.zeros(len(time_s))
    h = 0.0
    for k in range(len(moved)):
        h = min(max(h - model.hysteresis_rate * moved[k], -1.0), 1.0)
        out[k + 1] = h
    return out


def _finished(model: CellModel, changes: dict[str, Any]) -> CellModel:
    moved = {"ocv_v", "sigma_ocv_v", "sigma_hysteresis_v"} & set(changes)
    if not moved or "plateau" in changes:
        return model
    sigma_v = math.hypot(model.sigma_ocv_v, model.sigma_hysteresis_v)
    return replace(model, plateau=plateau_of(model.soc, model.ocv_v, sigma_v))
