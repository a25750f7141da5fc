"""A pack's own open-circuit curve from a slow charge, a slow discharge, or both.

At C/20 and slower a cell's voltage is its open-circuit voltage but for hysteresis and a small drop.
Where both directions are there their mean is free of both; from one direction the ohmic drop and
the usual hysteresis are taken off. Arrays in, a
Chemistry out; no file and no estimator enters here.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.chemistry import OWN_SIGMA_V, Chemistry, load_chemistry, nearest, own_chemistry

Array = NDArray[np.float64]
# Faster than this the drop is no longer small; less than this of the capacity is no curve.
MOST_C = 0.12
_LEAST_SHARE = 0.85
_GRID: Array = np.linspace(0.0, 1.0, 101)


def learn_ocv(
    time_s: Array,
    current_a: Array,
    voltage_v: Array,
    source: str,
    capacity_ah: float = math.nan,
    like: str = "",
    resistance_ohm: float = math.nan,
) -> Chemistry:
    """The curve of one run, (M,) each: s, A (+ = discharge), V of one cell, from empty to full or
    back, or both after each other (an interruption between them may be of any length).

    capacity_ah: charge between empty and full; NaN: what the run moved, which must then go all the
    way. like: chemistry whose limits and hysteresis are usual for it, "" the nearest curve's.
    resistance_ohm: for one direction only, NaN: the usual one of that chemistry and capacity.

    Raises ValueError with one sentence when the run is too fast, too short or has no steady part.
    """
    if not (time_s.shape == current_a.shape == voltage_v.shape) or time_s.ndim != 1:
        raise ValueError(f"{source}: time, current and voltage need one value per sample each")
    down = _branch(time_s, current_a, voltage_v, 1.0)
    up = _branch(time_s, current_a, voltage_v, -1.0)
    moved = max(down[0][-1] if down else 0.0, up[0][-1] if up else 0.0)
    if not moved > 0:
        raise ValueError(f"{source} holds no charge or discharge: record a slow one, C/20 or less")
    size = capacity_ah if capacity_ah > 0 else moved
    if moved < _LEAST_SHARE * size:
        raise ValueError(
            f"{source} moves {100 * moved / size:.0f} % of the capacity: an OCV curve needs "
            f"{100 * _LEAST_SHARE:.0f} %"
        )
    rate = max(b[2] for b in (down, up) if b) / size
    if rate > MOST_C:
        raise ValueError(
            f"{source} flows at {rate:.2f} C: an OCV curve needs {MOST_C:g} C or less, best C/20"
        )
    curves = []
    for branch, way in ((down, 1.0), (up, -1.0)):
        if branch and branch[0][-1] >= _LEAST_SHARE * size:
            charge, volts, _ = branch
            soc = 1 - charge / max(size, charge[-1]) if way > 0 else charge / max(size, charge[-1])
            order = np.argsort(soc, kind="stable")
            curves.append((way, np.interp(_GRID, soc[order], volts[order])))
    if len(curves) == 2:
        mean = 0.5 * (curves[0][1] + curves[1][1])
        gap = 0.5 * np.abs(curves[0][1] - curves[1][1])
        found = own_chemistry(_GRID, _rising(mean), source, like)
        middle = float(np.median(gap[20:81]))
        return replace(found, hysteresis_v=middle, sigma_hysteresis_v=0.3 * middle)
    way, curve = curves[0]
    usual = load_chemistry(like) if like else nearest(curve)
    ohm = resistance_ohm if resistance_ohm > 0 else 2.0 * usual.resistance_v / size
    corrected = curve + way * (ohm * rate * size + usual.hysteresis_v)
    found = own_chemistry(_GRID, _rising(corrected), source, usual.name)
    # What was taken off is known to a half.
    doubt = math.hypot(0.5 * ohm * rate * size, usual.sigma_hysteresis_v)
    return replace(found, sigma_ocv_v=math.hypot(OWN_SIGMA_V, doubt))


def _branch(
    time_s: Array, current_a: Array, voltage_v: Array, way: float
) -> tuple[Array, Array, float] | None:
    """Charge moved that way (Ah, rising), voltage, median current (A); None where there is none."""
    good = np.isfinite(current_a) & np.isfinite(voltage_v)
    time, amps, volts = time_s[good], way * current_a[good], voltage_v[good]
    if len(time) < 2 or not np.any(amps > 0):
        return None
    usual = float(np.median(amps[amps > 0]))
    # Pauses and short pulses the other way are left out, and what hurries at the ends.
    flowing = (amps > 0.3 * usual) & (amps < 3.0 * usual)
    step = np.diff(time, prepend=time[0])
    step = np.where(step > 600.0, 0.0, step)
    charge = np.cumsum(np.where(flowing, amps * step, 0.0)) / 3600.0
    if flowing.sum() < 20:
        return None
    return charge[flowing] - charge[flowing][0], volts[flowing], usual


def _rising(curve: Array) -> Array:
    """Noise of a reading does not make a curve fall."""
    smooth = curve.copy()
    smooth[1:-1] = np.median(np.stack([curve[:-2], curve[1:-1], curve[2:]]), axis=0)
    return np.asarray(np.maximum.accumulate(smooth) + 1e-6 * np.arange(len(curve)), np.float64)
