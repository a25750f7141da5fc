"""What the cell model says a cell's voltage should be, from what was estimated of it.

To be compared with what was measured. Reads a Timeline and the shared cell model; nothing is
estimated here, and no window enters.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.contract import ESTIMATES, HEALTH, PACK_GROUP, AnalysisStatus
from bms_studio.estimators.model import (
    CellModel,
    cell_model,
    ocv_at,
    relaxed_current,
    resistance_factor,
    warmth,
)
from bms_studio.pack.chemistry import NAMES, load_chemistry
from bms_studio.timeline import Timeline

_BEFORE_NS = 900_000_000_000  # three times the slow time constant: what polarisation remembers
_BEFORE_POINTS = 300
_USUAL_DEGC = 25.0
_TEN_S = 10.0
_LEAST_SLOW = 0.3  # the difference of two uncertain resistances says no more than that
Array = NDArray[np.float64]


@lru_cache(maxsize=8)
def _model(chemistry: str, capacity_ah: float, changes: tuple[tuple[str, float], ...]) -> CellModel:
    return cell_model(load_chemistry(chemistry), capacity_ah, **dict(changes))


def model_of(status: AnalysisStatus) -> CellModel | None:
    """The model that the analysis stands on; None where chemistry or capacity are unknown, or the
    chemistry is a table of the user's own."""
    basis = status.basis
    if not basis.chemistry or not basis.capacity_ah > 0:
        return None
    # The table that SOC follows, where that is another one.
    table = basis.table if basis.table in NAMES else basis.chemistry
    try:
        return _model(table, basis.capacity_ah, tuple(sorted(status.settings.model.items())))
    except (ValueError, TypeError):
        return None


def predicted_voltage(
    timeline: Timeline,
    prefix: str,
    cell: int,
    t0: int,
    t1: int,
    points: int,
    status: AnalysisStatus,
) -> tuple[NDArray[np.int64], Array]:
    """Times (ns, at most about `points`) and voltage (V) that the model gives for `cell` (from 1)
    between t0 and t1; empty where SOC, current or the model are unknown.

    V = OCV(z, T) + M h - f (R0 I + R1 x1 + R2 x2), the model of `estimators.model` with the
    hysteresis h of the filter's state (zero in analyses that were kept without it) and with the
    cell's own resistances where they are known: R0 the ohmic one, R1 and R2 by what ten seconds
    of load add to it, else in proportion to R0.
    """
    nothing = np.zeros(0, np.int64), np.zeros(0)
    model = model_of(status)
    columns = timeline.columns(prefix + "pack")
    group = f"{prefix}{ESTIMATES}soc"
    if model is None or "current" not in columns or cell > len(timeline.columns(group)):
        return nothing
    at = [columns.index("current")]
    time, amps = _joined(timeline, prefix + "pack", at, t0, t1, points)
    soc_time, soc = _reduced(timeline, group, [cell - 1], t0 - _BEFORE_NS, t1, points)
    if len(time) < 2 or not len(soc_time):
        return nothing
    z = np.interp(time, soc_time, soc, left=np.nan)
    degc = _temperature(timeline, prefix, time)
    ohmic, slow = _shares(timeline, prefix, cell, t1, model)
    seconds = (time - time[0]) * 1e-9
    drop = ohmic * model.r0_ohm * amps
    drop = drop + slow * model.r1_ohm * relaxed_current(seconds, amps, model.tau1_s)
    drop = drop + slow * model.r2_ohm * relaxed_current(seconds, amps, model.tau2_s)
    volts = ocv_at(model, z, degc) - resistance_factor(model, z, degc) * drop
    volts = volts + _hysteresis_v(model, timeline, prefix, time, degc)
    inside = (time >= t0) & (time <= t1)
    return time[inside], np.asarray(volts[inside], np.float64)


def _shares(
    timeline: Timeline, prefix: str, cell: int, t: int, model: CellModel
) -> tuple[float, float]:
    """Of the model's ohmic resistance and of its RC pairs, what this cell has; 1 where unknown. A
    bad joint raises the first alone."""
    ohmic = _held(timeline, f"{prefix}{HEALTH}resistance_ohm", cell, t)
    if not ohmic > 0:
        return 1.0, 1.0
    ten = _held(timeline, f"{prefix}{HEALTH}ten_second_ohm", cell, t)
    usual = model.r1_ohm * (1 - math.exp(-_TEN_S / model.tau1_s))
    usual += model.r2_ohm * (1 - math.exp(-_TEN_S / model.tau2_s))
    slow = (ten - ohmic) / usual if ten > ohmic else ohmic / model.r0_ohm
    return ohmic / model.r0_ohm, min(max(slow, _LEAST_SLOW), 1 / _LEAST_SLOW)


def _hysteresis_v(
    model: CellModel, timeline: Timeline, prefix: str, time: NDArray[np.int64], degc: Array
) -> Array:
    """How far the curve lies from the mean of charge and discharge, in V at each time."""
    columns = timeline.columns(prefix + PACK_GROUP)
    if "hysteresis" not in columns:
        return np.zeros(len(time))
    at = [columns.index("hysteresis")]
    t0, t1 = int(time[0]), int(time[-1])
    then, share = _reduced(timeline, prefix + PACK_GROUP, at, t0, t1, len(time))
    if not len(then):
        return np.zeros(len(time))
    swing = model.hysteresis_v * warmth(model.hysteresis_j_per_mol, degc)
    return np.asarray(swing * np.interp(time, then, share), np.float64)


def _joined(
    timeline: Timeline, group: str, columns: list[int], t0: int, t1: int, points: int
) -> tuple[NDArray[np.int64], Array]:
    """The span in full and what came before it coarsely: only the slow pair remembers that."""
    before_time, before = _reduced(timeline, group, columns, t0 - _BEFORE_NS, t0, _BEFORE_POINTS)
    time, values = _reduced(timeline, group, columns, t0, t1, points)
    if len(time):
        earlier = before_time < time[0]
        before_time, before = before_time[earlier], before[earlier]
    return np.concatenate((before_time, time)), np.concatenate((before, values))


def _reduced(
    timeline: Timeline, group: str, columns: list[int], t0: int, t1: int, points: int
) -> tuple[NDArray[np.int64], Array]:
    found = timeline.fetch(group, t0, t1, points, columns)
    middle = 0.5 * (found.low[0].astype(np.float64) + found.high[0]) if len(found.low) else None
    if middle is None:
        return np.zeros(0, np.int64), np.zeros(0)
    known = ~np.isnan(middle)
    return found.time[known], middle[known]


def _temperature(timeline: Timeline, prefix: str, time: NDArray[np.int64]) -> Array:
    """Mean of the probes at each time; 25 degC where there is none, as the estimators assume."""
    found = timeline.fetch(prefix + "probes", int(time[0]), int(time[-1]), 400)
    known = ~np.isnan(found.low).all(axis=0) if len(found.low) else np.zeros(0, np.bool_)
    if not known.any():
        return np.full(len(time), _USUAL_DEGC)
    mean = np.nanmean(found.low[:, known].astype(np.float64), axis=0)
    return np.asarray(np.interp(time, found.time[known], mean), np.float64)


def _held(timeline: Timeline, group: str, cell: int, t: int) -> float:
    values, times = timeline.held(group, t)
    return float(values[cell - 1]) if cell <= len(values) and times[cell - 1] > 0 else float("nan")
