"""Heat: a group of cells that is warmer under load than its neighbours explain, or that runs away.

Mechanism: a cell or joint that dissipates more, cooling that fails, a short that heats.
Evidence: each probe against the median of the probes. What it differs by without load is its place;
what it gains with the heating of the current (I^2 smoothed over ten minutes, as a thermal mass
does) is a heat source: excess = place + heating * load, fitted per probe with forgetting.
Heating that lifts a probe 4 K above what its place explains is "watch". A rise of more than 1.5 K
within a minute, and three times that of any other probe, for two minutes is "warn", 5 K a minute
"stop".
Blind: packs with fewer than three probes; a probe speaks for its group of cells, not for one cell;
heat that all groups share is only seen by the limits.
"""

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.words import found

HOT_K, HOT_Z, HOT_HOURS = 4.0, 6.0, 0.5
RISE_K_PER_MIN, RUNAWAY_K_PER_MIN, RISE_TIMES = 1.5, 5.0, 3.0
RISE_WINDOWS = 6  # two minutes of ten-second windows, in halves of a minute
LOAD_S, MEMORY_S = 600.0, 14 * 86_400.0
LOWEST_DEGC, HIGHEST_DEGC = -45.0, 150.0
# The resolution of probes in the field is 1 K; what is left of it after an hour's mean.
LEAST_SIGMA_K, INDEPENDENT_S = 0.5, 600.0
# Per probe: weight, sums of x, y, xx, xy, yy, hot; shared: load, last s, peak of the load.
_W, _X, _Y, _XX, _XY, _YY, _HOT = range(7)
_LOAD, _LAST, _PEAK, _HOURS = range(4)
_HOT_NOTE, _RISE_NOTE = 0, 1


@njit(nogil=True, cache=True)
def _fit(sums: NDArray[np.float64]) -> tuple[float, float, float]:
    """Heating (K per unit of load), its sigma and the scatter, by least squares from the sums."""
    w = sums[_W]
    if w <= 0:
        return np.nan, np.nan, np.nan
    x, y = sums[_X] / w, sums[_Y] / w
    sxx, sxy = sums[_XX] / w - x * x, sums[_XY] / w - x * y
    syy = sums[_YY] / w - y * y
    if sxx <= 1e-12:
        return np.nan, np.nan, np.nan
    slope = sxy / sxx
    rest = max(syy - slope * sxy, LEAST_SIGMA_K * LEAST_SIGMA_K)
    independent = max(w / INDEPENDENT_S, 1.0)
    return slope, np.sqrt(rest / (sxx * independent)), np.sqrt(rest)


@njit(nogil=True, cache=True)
def _watch(
    time: NDArray[np.int64],
    probes: NDArray[np.float32],
    current: NDArray[np.float32],
    origin: int,
    sums: NDArray[np.float64],
    shared: NDArray[np.float64],
    past: NDArray[np.float64],
    rising: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """(row, kind, probe, value, sigma, 1 raised / 0 over) into out. past: the last RISE_WINDOWS
    rows of time s and probes."""
    count = 0
    known = np.empty(probes.shape[1])
    for r in range(len(time)):
        now = (time[r] - origin) * 1e-9
        dt = min(max(now - shared[_LAST], 0.0), 60.0)
        shared[_LAST] = now
        a = current[r]
        if not np.isnan(a):
            keep = np.exp(-dt / LOAD_S)
            shared[_LOAD] = keep * shared[_LOAD] + (1 - keep) * a * a
        n = 0
        for p in range(probes.shape[1]):
            v = probes[r, p]
            if v > LOWEST_DEGC and v < HIGHEST_DEGC:
                known[n] = v
                n += 1
        if n >= 3:
            middle = np.median(known[:n])
            fade = np.exp(-dt / MEMORY_S)
            shared[_PEAK] = max(fade * shared[_PEAK], shared[_LOAD])
            shared[_HOURS] += dt / 3600.0
            for p in range(probes.shape[1]):
                v = probes[r, p]
                if not (v > LOWEST_DEGC and v < HIGHEST_DEGC) or np.isnan(a):
                    continue
                x, y = shared[_LOAD], v - middle
                for i in range(_HOT):
                    sums[p, i] *= fade
                sums[p, _W] += dt
                sums[p, _X] += dt * x
                sums[p, _Y] += dt * y
                sums[p, _XX] += dt * x * x
                sums[p, _XY] += dt * x * y
                sums[p, _YY] += dt * y * y
                if shared[_HOURS] < HOT_HOURS:
                    continue
                slope, sigma, _ = _fit(sums[p])
                lift = slope * shared[_PEAK]
                hot = lift >= HOT_K and slope >= HOT_Z * sigma
                begins = hot and sums[p, _HOT] == 0
                ends = sums[p, _HOT] > 0 and lift < 0.6 * HOT_K
                if (begins or ends) and count < len(out):
                    out[count, 0], out[count, 1], out[count, 2] = r, 0, p
                    out[count, 3], out[count, 4] = lift, sigma * shared[_PEAK]
                    out[count, 5] = 1.0 if begins else 0.0
                    count += 1
                    sums[p, _HOT] = 1.0 if begins else 0.0
            count = _rise(r, now, probes[r], past, rising, out, count)
        past[:-1] = past[1:]
        past[-1, 0] = now
        for p in range(probes.shape[1]):
            past[-1, 1 + p] = probes[r, p]
    return count


@njit(nogil=True, cache=True)
def _rise(
    r: int,
    now: float,
    probes: NDArray[np.float32],
    past: NDArray[np.float64],
    rising: NDArray[np.float64],
    out: NDArray[np.float64],
    count: int,
) -> int:
    """Rates over the last minute; a probe that runs ahead of all others is noted. rising: since s,
    active."""
    apart = now - past[0, 0]
    if not (apart > 30.0 and apart < 180.0) or past[0, 0] <= 0.0:
        return count
    for p in range(len(probes)):
        rate = (probes[p] - past[0, 1 + p]) / apart * 60.0
        fastest = 0.0
        for q in range(len(probes)):
            other = (probes[q] - past[0, 1 + q]) / apart * 60.0
            if q != p and not np.isnan(other):
                fastest = max(fastest, other)
        ahead = rate >= RISE_K_PER_MIN and rate >= RISE_TIMES * fastest
        if not ahead:
            if rising[p, 1] > 0 and count < len(out) and rate < 0.3 * RISE_K_PER_MIN:
                out[count, 0], out[count, 1], out[count, 2] = r, 1, p
                out[count, 3], out[count, 4], out[count, 5] = rate, 0.0, 0.0
                rising[p, 1] = 0
                count += 1
            rising[p, 0] = 0.0
            continue
        if rising[p, 0] == 0:
            rising[p, 0] = now
        if now - rising[p, 0] >= 60.0 and rising[p, 1] == 0 and count < len(out):
            out[count, 0], out[count, 1], out[count, 2] = r, 1, p
            out[count, 3], out[count, 4], out[count, 5] = rate, fastest, 1.0
            rising[p, 1] = 1
            count += 1
    return count


class ThermalWatch:
    """Watches probes in moments of ten seconds as they come."""

    def __init__(self) -> None:
        self._sums = np.zeros((0, 7))
        self._shared = np.zeros(4)
        self._past = np.zeros((RISE_WINDOWS, 1))
        self._rising = np.zeros((0, 2))
        self._origin = -1  # none yet: time may begin at 0
        self._newest: dict[str, Finding] = {}

    def push(self, block: Moments) -> list[Finding]:
        """What these moments raised or resolved."""
        probes = block.probes_degc.shape[1]
        if not len(block) or probes < 3:
            return []
        more = probes - len(self._sums)
        if more > 0:
            self._sums = np.concatenate([self._sums, np.zeros((more, 7))])
            self._rising = np.concatenate([self._rising, np.zeros((more, 2))])
            self._past = np.pad(self._past, ((0, 0), (0, more)), constant_values=np.nan)
        self._origin = self._origin if self._origin >= 0 else int(block.time[0])
        out = np.empty((64 + 4 * probes + len(block), 6))
        count = _watch(
            block.time,
            np.ascontiguousarray(block.probes_degc),
            np.ascontiguousarray(block.current_a),
            self._origin,
            self._sums,
            self._shared,
            self._past,
            self._rising,
            out,
        )
        made = [self._finding(block, row) for row in out[:count]]
        return [finding for finding in made if finding is not None]

    def _finding(self, block: Moments, note: NDArray[np.float64]) -> Finding | None:
        time, kind, probe = int(block.time[int(note[0])]), int(note[1]), int(note[2]) + 1
        value, sigma = float(note[3]), float(note[4])
        code = "thermal.hot_group" if kind == _HOT_NOTE else "thermal.fast_rise"
        if note[5] == 0:
            before = self._newest.pop(f"{code}.{probe}", None)
            return replace(before, time=time, state="resolved") if before else None
        if kind == _HOT_NOTE:
            span = (self._origin, time)
            text = f"{value:+.1f} K at the heaviest load of the last days, sigma {sigma:.1f} K"
            item = evidence("temperature", value, sigma, 0.0, *span, text)
            score, severity, unit = value / sigma, "watch", "kelvin"
        else:
            span = (time - 120_000_000_000, time)
            text = f"{value:+.1f} K a minute, the fastest other probe {sigma:+.1f} K a minute"
            item = evidence("temperature_rate", value, float("nan"), sigma, *span, text)
            score, unit = value / RISE_K_PER_MIN, "kelvin_per_minute"
            severity = "stop" if value >= RUNAWAY_K_PER_MIN else "warn"
        made = found(code, time, span, 0, severity, score, {"probe": probe, unit: value}, (item,))
        self._newest[f"{code}.{probe}"] = made
        return made
