"""What can be said of a pack whose chemistry nobody stated and no table explains alone.

Cells that rest far above where LFP ends are some 4.2 V oxide, whichever maker's. Every published
table of the oxides is laid on the voltage over charge, each with the capacity that it needs for
that; what fits about as well stays beside each other with its weight. So a difference between cells
can be judged with the likeliest table and its sigma widened by what the others answer, and a
capacity that depends on the table says so by its sigma. Arrays in, one answer out; no estimator, no
file and no profile enters here.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.chemistry import NAMES, load_chemistry
from bms_studio.pack.recognise import (
    INDEPENDENT,
    RESISTANCE_LN,
    colder,
    laid,
    open_curve,
    stepped_resistance,
)

Array = NDArray[np.float64]
OXIDE = "oxide"
OXIDES = tuple(name for name in NAMES if load_chemistry(name).family != "LFP")
# No LFP cell is above this without load (3.65 V at the end of a charge), and a charger of 4.2 V
# cells does not go beyond that; half of the charge of an oxide is above the third.
_ABOVE_LFP_V, _MOST_V, _MIDDLE_V = 3.72, 4.3, 3.5
# Mean square, in sigma, of what the best table may be off: such a pack's own curve is learnt later,
# but a curve that no oxide resembles is none (LFP: 16).
_MOST_COST = 5.0
# Over less voltage than this one table is as good as another.
_LEAST_SPAN_V = 0.1
# Shares of the capacity that the stretch may be; more than all of it by what counting errs.
SHARES = np.geomspace(0.03, 1.04, 80)
# A size that somebody stated, and how far a cell's own may be from it.
_STATED = np.linspace(0.85, 1.1, 6)
_STARTS = 101
# Less is not worth asking.
_LEAST_BELIEF = 1e-3
# Gain of the current sensor, and temperature: no fit of a table is better than this.
_LEAST_SIGMA = 0.03
# Another table takes the place of the likeliest one when it is so much likelier.
_CLEARLY = 2.0


@dataclass(frozen=True, slots=True)
class Kin:
    """Tables that may be this cell's, likeliest first: name, belief 0..1, capacity (Ah) that it
    needs and the sigma of that (relative). family: "oxide" where the voltages leave nothing else;
    "": they do. Empty: too little was seen."""

    family: str = ""
    tables: tuple[tuple[str, float, float, float], ...] = ()

    def of(self, names: Iterable[str]) -> "Kin":
        """The same with these tables only, their beliefs one together."""
        chosen = set(names)
        kept = [table for table in self.tables if table[0] in chosen]
        total = sum(belief for _, belief, _, _ in kept)
        return Kin(self.family, tuple((n, b / total, size, sigma) for n, b, size, sigma in kept))

    @property
    def capacity(self) -> tuple[float, float]:
        """Ampere-hours and their relative sigma over all tables, NaN unknown."""
        if not self.tables:
            return math.nan, math.nan
        belief, size, sigma = np.array([table[1:] for table in self.tables]).T
        mean = float(belief @ np.log(size) / belief.sum())
        square = float(belief @ (sigma**2 + (np.log(size) - mean) ** 2) / belief.sum())
        return math.exp(mean), math.sqrt(square + _LEAST_SIGMA**2)

    def after(self, before: "Kin") -> "Kin":
        """This, with the table that was likeliest before still first unless another has become
        clearly likelier: an analysis is not begun again for a toss-up."""
        if not before.tables or not self.tables:
            return self
        old = before.tables[0][0]
        held = [table for table in self.tables if table[0] == old]
        if not held or self.tables[0][1] > _CLEARLY * held[0][1]:
            return self
        return Kin(self.family, (*held, *(t for t in self.tables if t[0] != old)))


def kin_of(
    time_s: Array,
    cell_v: Array,
    current_a: Array,
    capacity_ah: float = math.nan,
    temperature_degc: float = math.nan,
) -> Kin:
    """time_s, cell_v (median cell, V), current_a (A, + = discharge): (M,), rows of about half a
    minute or less; capacity_ah: of a cell, NaN unknown; temperature_degc: its usual one.

    Raises ValueError when the shapes do not fit.
    """
    if cell_v.shape != time_s.shape or current_a.shape != time_s.shape:
        raise ValueError("time_s, cell_v and current_a need one value per sample each")
    known = np.isfinite(cell_v) & np.isfinite(current_a)
    if known.sum() < 30:
        return Kin()
    time, volts, amps = time_s[known], cell_v[known], current_a[known]
    ohm = stepped_resistance(time, volts, amps)
    parts, charge, curve = open_curve(time, volts, amps, ohm)
    if len(parts) < 6 or float(np.ptp(curve)) < _LEAST_SPAN_V:
        return Kin()
    moved = float(np.ptp(charge))
    sizes = capacity_ah * _STATED if capacity_ah > 0 else moved / SHARES
    sizes = sizes[sizes * 1.05 > moved]
    if not len(sizes):
        return Kin()
    costs = {}
    for name in NAMES:
        chemistry = load_chemistry(name)
        fits = np.array([laid(chemistry, charge - charge.min(), curve, s) for s in sizes])
        if ohm > 0 and not capacity_ah > 0:
            usual = chemistry.resistance_v * colder(chemistry, temperature_degc)
            fits += (np.log(ohm * sizes / usual) / RESISTANCE_LN) ** 2 / INDEPENDENT
        costs[name] = fits
    return Kin(_family(curve, costs), _weighed(sizes, costs))


def first_soc(
    soc: Array, ocv_v: Array, capacity_ah: float, time_s: Array, cell_v: Array, current_a: Array
) -> float:
    """SOC of the first row on a table (soc, ocv_v: (101,)) for a cell of this size, by the middle
    of what is left at each start; NaN where too little was seen. Rows as for `kin_of`."""
    ohm = stepped_resistance(time_s, cell_v, current_a)
    parts, charge, curve = open_curve(time_s, cell_v, current_a, ohm)
    if len(parts) < 6:
        return math.nan
    used = (charge - charge.min()) / capacity_ah
    starts = np.linspace(min(float(used.max()), 1.0), 1.0, _STARTS)
    apart = curve - np.interp(starts[:, None] - used, soc, ocv_v)
    best = starts[int(np.argmin(np.median(np.abs(apart), axis=1)))]
    return float(min(max(best + charge.min() / capacity_ah, 0.0), 1.0))


def _family(curve: Array, costs: dict[str, Array]) -> str:
    top, middle = float(curve.max()), float(np.median(curve))
    best = min(float(costs[name].min()) for name in OXIDES)
    oxide = _ABOVE_LFP_V < top < _MOST_V and middle > _MIDDLE_V and best < _MOST_COST
    return OXIDE if oxide else ""


def _weighed(sizes: Array, costs: dict[str, Array]) -> tuple[tuple[str, float, float, float], ...]:
    """Belief, capacity and its sigma of every table worth a word. Where even the best one misses by
    more than its sigma, sigmas are as much too small, of all tables alike."""
    best = min(float(fits.min()) for fits in costs.values())
    scale = 0.5 * INDEPENDENT / max(best, 1.0)
    weights = {name: np.exp(-scale * (fits - best)) for name, fits in costs.items()}
    total = sum(float(weight.sum()) for weight in weights.values())
    found = []
    for name, weight in weights.items():
        belief = float(weight.sum()) / total
        if belief < _LEAST_BELIEF:
            continue
        share = weight / weight.sum()
        mean = float(share @ np.log(sizes))
        sigma = math.sqrt(float(share @ (np.log(sizes) - mean) ** 2))
        found.append((name, belief, math.exp(mean), sigma))
    return tuple(sorted(found, key=lambda table: -table[1]))
