"""Capacity of a cell from how its voltage moved with charge, where nobody stated one.

The curve of voltage without its ohmic part over charge is laid on the chemistry's table: how far it
must be stretched is the capacity. Its sigma is that of all stretches that fit about as well, so a
plateau tells little and says so. Arrays in, one answer out; no estimator, no file enters here.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.chemistry import Chemistry
from bms_studio.pack.recognise import INDEPENDENT, laid, open_curve, stepped_resistance

Array = NDArray[np.float64]
# Shares of the capacity that the stretch may be; more than all of it by what counting errs.
_SHARES = np.geomspace(0.1, 1.04, 60)
# A stretch that misses the table by more than this many sigma (mean square) tells nothing.
_MOST_COST = 2.0
# Gain of the current sensor, and temperature: no fit of a table is better than this.
_LEAST_SIGMA = 0.03
# Less sure than this it is left unknown.
MOST_SIGMA = 0.12


def learn_capacity(
    chemistry: Chemistry, time_s: Array, cell_v: Array, current_a: Array
) -> tuple[float, float]:
    """Capacity (Ah) and its sigma relative to it; (NaN, NaN) where the data do not tell.

    time_s, cell_v (median cell, V), current_a (A, + = discharge): (M,), rows of about half a minute
    or less. Raises ValueError when the shapes do not fit.
    """
    if cell_v.shape != time_s.shape or current_a.shape != time_s.shape:
        raise ValueError("time_s, cell_v and current_a need one value per sample each")
    known = np.isfinite(cell_v) & np.isfinite(current_a)
    if known.sum() < 30:
        return math.nan, math.nan
    time, volts, amps = time_s[known], cell_v[known], current_a[known]
    ohm = stepped_resistance(time, volts, amps)
    parts, charge, curve = open_curve(time, volts, amps, ohm)
    if len(parts) < 6:
        return math.nan, math.nan
    sizes = float(np.ptp(charge)) / _SHARES
    costs = np.array([laid(chemistry, charge - charge.min(), curve, size) for size in sizes])
    if costs.min() > _MOST_COST:
        return math.nan, math.nan
    weight = np.exp(-0.5 * INDEPENDENT * (costs - costs.min()))
    weight /= weight.sum()
    mean = float(weight @ np.log(sizes))
    spread = math.sqrt(float(weight @ (np.log(sizes) - mean) ** 2))
    sigma = math.hypot(spread, _LEAST_SIGMA)
    return (math.exp(mean), sigma) if sigma <= MOST_SIGMA else (math.nan, math.nan)
