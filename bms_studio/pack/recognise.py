"""Which chemistry a pack has, from its data, with confidence; "" where that is not clear.

A wrong chemistry is worse than none: every rule below either excludes or stays silent. Evidence is
what voltages under no load say (range, ends of charge) and, where charge was counted over a good
part of the capacity, how the voltage moved with it. Arrays in, one answer out; no estimator, no
file and no profile enters here. The answer is offered to a person, never assumed in silence.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.chemistry import NAMES, Chemistry, load_chemistry

Array = NDArray[np.float64]
# A current below this share of the largest seen counts as no load, after so long.
_REST_SHARE, _SETTLED_S = 0.02, 60.0
# No other cell's ordinary day stays below.
_LFP_END_V = 3.75
# Fewer rests or less charge than this tell nothing of the shape.
_LEAST_SPAN_V, _LEAST_ROWS = 0.25, 30
# Voltage less an estimated ohmic drop is no open-circuit voltage: this much is left of load (V).
LOAD_V = 0.020
_CERTAIN = 0.9
# The parts of a curve are not independent: about six of sixty are.
INDEPENDENT = 6
# What flowed in a longer gap is not known.
_GAP_S = 120.0
# Shares of the capacity that a stretch of unknown size may be, and how far resistance times
# capacity strays from what is usual at its temperature (age, power or energy cell): one sigma of
# its logarithm.
_SHARES = np.geomspace(0.04, 1.0, 25)
_STARTS = 41
RESISTANCE_LN = 0.6
_GAS_J_PER_MOL_K = 8.314462618


@dataclass(frozen=True, slots=True)
class Recognised:
    """name: one of chemistry.NAMES, "" unclear; confidence 0..1 that its family is right;
    family: "" unclear; reason: English, one clause; rivals: the likelihood of each name, 0..1."""

    name: str
    family: str
    confidence: float
    reason: str
    rivals: dict[str, float]


UNCLEAR = Recognised("", "", 0.0, "too little was seen", {})


def recognise(
    time_s: Array,
    cell_v: Array,
    current_a: Array | None = None,
    capacity_ah: float = math.nan,
    temperature_degc: float = math.nan,
) -> Recognised:
    """time_s (M,), cell_v (M,): median or mean cell, V; current_a (M,), A, + = discharge, None or
    NaN unknown; capacity_ah of a cell and its usual temperature, if known.

    Raises ValueError when the shapes do not fit.
    """
    if cell_v.shape != time_s.shape or (current_a is not None and current_a.shape != time_s.shape):
        raise ValueError("time_s, cell_v and current_a need one value per sample each")
    current = np.full(len(time_s), np.nan) if current_a is None else current_a
    known = np.isfinite(cell_v) & (cell_v > 0.5) & (cell_v < 5.5)
    if known.sum() < _LEAST_ROWS:
        return UNCLEAR
    time, volts, amps = time_s[known], cell_v[known], current[known]
    if not np.isfinite(amps).any() or np.nanmax(np.abs(amps)) <= 0:
        return _by_range(volts)
    amps = np.nan_to_num(amps)
    rest = _at_rest(time, amps)
    by_voltage = _by_range(volts[rest]) if rest.sum() >= 3 else UNCLEAR
    resistance = stepped_resistance(time, volts, amps), temperature_degc
    return _by_shape(time, volts, amps, resistance, capacity_ah, by_voltage)


def _at_rest(time: Array, amps: Array) -> NDArray[np.bool_]:
    """Samples after a minute without load."""
    calm = np.abs(amps) <= _REST_SHARE * np.nanmax(np.abs(amps))
    since = np.zeros(len(time))
    for k in range(1, len(time)):
        since[k] = since[k - 1] + time[k] - time[k - 1] if calm[k] and calm[k - 1] else 0.0
    return np.asarray(since >= _SETTLED_S, np.bool_)


def _by_range(volts: Array) -> Recognised:
    """LFP by where its cells rest; anything else needs more than a range."""
    middle, high = (float(v) for v in np.percentile(volts, (50, 99)))
    within = float(np.mean((volts > 3.15) & (volts < 3.42)))
    if high < _LFP_END_V and within > 0.8 and 3.2 < middle < 3.40:
        # A layered oxide between 8 and 16 % rests there too: it would not stay within so little
        # if charge moved, which is for the shape to say.
        return _named("LFP", 0.6, "cells rest between 3.2 and 3.4 V, as LFP does and others empty")
    if high > 3.9:
        return Recognised("", "", 0.0, f"cells rest at {high:.2f} V: no LFP", {})
    return Recognised("", "", 0.0, "voltage alone does not tell", {})


def _named(name: str, confidence: float, reason: str) -> Recognised:
    family = load_chemistry(name).family
    clear = confidence >= 0.8
    return Recognised(
        name if clear else "", family if clear else "", confidence, reason, {name: confidence}
    )


def _by_shape(
    time: Array,
    volts: Array,
    amps: Array,
    resistance: tuple[float, float],
    capacity_ah: float,
    by_voltage: Recognised,
) -> Recognised:
    """How the voltage less its ohmic part moved with charge, against every known curve.
    resistance: ohm, and degC at which."""
    bins, charge, curve = open_curve(time, volts, amps, resistance[0])
    span = float(np.ptp(charge)) if len(bins) else 0.0
    if len(bins) < 6 or span <= 0:
        return by_voltage
    if float(np.ptp(curve)) < _LEAST_SPAN_V:
        low = float(np.median(curve)) < 3.42 and float(curve.max()) < _LFP_END_V
        share = span / capacity_ah if capacity_ah > 0 else math.nan
        if low and share > 0.25:
            return _named(
                "LFP", 0.95, f"{100 * share:.0f} % of the charge within {np.ptp(curve):.2f} V"
            )
        if not low or share <= 0.25 or resistance[0] <= 0:
            return by_voltage
    costs = {name: _misfit(name, charge, curve, capacity_ah, resistance) for name in NAMES}
    return _judged(costs, float(np.ptp(curve)))


def stepped_resistance(time: Array, volts: Array, amps: Array) -> float:
    """Ohmic and a little more, from differences over steps of the current (ohm)."""
    di, dv, dt = np.diff(amps), np.diff(volts), np.diff(time)
    steps = (np.abs(di) > 0.1 * np.abs(amps).max()) & (dt < 35.0)
    if steps.sum() < 3:
        return 0.0
    return max(float(-np.sum(di[steps] * dv[steps]) / np.sum(di[steps] ** 2)), 0.0) * 1.3


def open_curve(
    time: Array, volts: Array, amps: Array, ohm: float
) -> tuple[NDArray[np.int64], Array, Array]:
    """Voltage without its ohmic part over the charge moved, the median in each of sixty equal
    parts: numbers of those parts that were visited, ampere-hours, V."""
    steps = np.where(np.diff(time) <= _GAP_S, np.diff(time), 0.0)
    moved = np.concatenate([[0.0], np.cumsum(0.5 * (amps[1:] + amps[:-1]) * steps)]) / 3600
    open_v = volts + ohm * amps
    low, high = float(moved.min()), float(moved.max())
    if high - low <= 0:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    part = np.minimum(((moved - low) / (high - low) * 60).astype(np.int64), 59)
    bins = np.unique(part)
    charge = np.array([np.median(moved[part == b]) for b in bins])
    curve = np.array([np.median(open_v[part == b]) for b in bins])
    return bins, charge, curve


def _misfit(
    name: str, charge: Array, curve: Array, capacity_ah: float, resistance: tuple[float, float]
) -> float:
    """Least mean square of (measured - table) in units of its sigma, over start and capacity; a
    capacity that nobody stated costs more the less usual it makes the resistance."""
    chemistry = load_chemistry(name)
    stated = capacity_ah > 0
    span = float(np.ptp(charge))
    sizes = capacity_ah * np.linspace(0.85, 1.1, 6) if stated else span / _SHARES
    ohm = resistance[0] / colder(chemistry, resistance[1])
    best = math.inf
    for size in sizes:
        if span / size > 1.05:
            continue
        cost = laid(chemistry, charge - charge.min(), curve, size)
        if ohm > 0 and not stated:
            unusual = math.log(ohm * size / chemistry.resistance_v) / RESISTANCE_LN
            cost += unusual**2 / INDEPENDENT
        best = min(best, cost)
    return best


def laid(chemistry: Chemistry, discharged: Array, curve: Array, size_ah: float) -> float:
    """A curve over charge laid on the table: least mean square of (measured - table) in units of
    its sigma over every start. Robust: one part of the curve counts 16 at most."""
    used = discharged / size_ah
    start = np.linspace(min(float(used.max()), 1.0), 1.0, _STARTS)
    apart = curve - np.interp(start[:, None] - used, chemistry.soc, chemistry.ocv_v)
    level = np.clip(np.median(apart, axis=1), -LOAD_V, LOAD_V)[:, None]
    sigma = math.hypot(chemistry.sigma_ocv_v, LOAD_V)
    return float(np.minimum(((apart - level) / sigma) ** 2, 16.0).mean(axis=1).min())


def colder(chemistry: Chemistry, temperature_degc: float) -> float:
    """How much the resistance is above that at 25 degC (Arrhenius); 1 where nobody measured."""
    if math.isnan(temperature_degc):
        return 1.0
    inverse = 1 / (max(temperature_degc, -40.0) + 273.15) - 1 / 298.15
    return math.exp(chemistry.activation_j_per_mol / _GAS_J_PER_MOL_K * inverse)


def _judged(costs: dict[str, float], span_v: float) -> Recognised:
    """The best family, if it fits and the next one does not."""
    weight = {name: math.exp(-0.5 * INDEPENDENT * cost) for name, cost in costs.items()}
    total = sum(weight.values()) + math.exp(-0.5 * INDEPENDENT * 2.5)
    rivals = {name: value / total for name, value in weight.items()}
    families: dict[str, float] = {}
    for name, value in rivals.items():
        family = load_chemistry(name).family
        families[family] = families.get(family, 0.0) + value
    family = max(families, key=lambda f: families[f])
    name = max((n for n in NAMES if load_chemistry(n).family == family), key=lambda n: rivals[n])
    confidence = families[family]
    if confidence < _CERTAIN or costs[name] > 2.0:
        return Recognised("", "", confidence, "no known curve fits alone", rivals)
    reason = f"the curve over {span_v:.2f} V fits {name} to {math.sqrt(costs[name]):.1f} sigma"
    return Recognised(name, family, confidence, reason, rivals)
