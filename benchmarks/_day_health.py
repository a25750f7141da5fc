"""From a day of samples to the daily summary: the chain under test, without a recording between.

The estimators see the whole day at once and `analysis.evaluate` judges what they leave, as the
program does at the end of a day; thousands of days can be judged in minutes.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.basis import Ground, Known, settle
from bms_studio.analysis.contract import Settings
from bms_studio.analysis.evaluate import Evaluation
from bms_studio.analysis.tally import COLUMNS
from bms_studio.analysis.warmth import WarmthWindows, own_probes
from bms_studio.estimators import leak, resistance, sag, soc
from bms_studio.estimators.contract import Samples
from bms_studio.pack.health import Health
from bms_studio.pack.profile import Profile

Array = NDArray[np.float64]


def ground_of(chemistry: str, capacity_ah: float) -> Ground:
    """What a person states in the profile: chemistry and rated capacity, nothing else."""
    return settle(Settings(chemistry=chemistry, capacity_ah=capacity_ah), Profile(), Known())


def health_of_day(
    data: Samples,
    ground: Ground,
    serial: str = "",
    bleed_a: float = math.nan,
    probes_degc: Array | None = None,
) -> Health:
    """The summary of these samples (N cells); the state of charge at the start is unknown."""
    model, cells = ground.model, data.cells_v.shape[1]
    follow = soc.Params(model, bleed_a=bleed_a)
    state = soc.step(follow, soc.start(follow, cells), data)
    reduce = leak.Params(model, bleed_a=bleed_a)
    windows = leak.step(reduce, leak.start(reduce, cells), data)
    # Only the last answer of the day is read.
    steps = resistance.Params(model, window_s=3600.0)
    ohms = resistance.step(steps, resistance.start(steps, cells), data)
    ridden = sag.Params(model)
    peaks = sag.step(ridden, sag.start(ridden, cells), data)["peak_a"]
    rows = len(ohms["time_ns"])
    return Evaluation(
        int(data.time_ns[-1]),
        int(data.time_ns[0]),
        ground,
        cells,
        {name: values[-1] for name, values in state.items()},
        {name: values[-1] for name, values in ohms.items()} if rows else {},
        windows,
        _tally(data),
        np.zeros(len(COLUMNS)),
        _correlation(data),
        float(peaks[-1]) if len(peaks) else math.nan,
        serial,
        bleed_a=bleed_a,
        warm=_warm(data, probes_degc),
        probes=own_probes(0 if probes_degc is None else probes_degc.shape[1], cells, ()),
    ).health()


def _warm(data: Samples, probes_degc: Array | None) -> dict[str, Array]:
    """Temperatures and heat of the day, as the program collects them."""
    windows = WarmthWindows()
    if probes_degc is not None:
        windows.push_probes(data.time_ns, probes_degc)
        windows.push_current(data.time_ns, data.current_a)
    return windows.until(int(data.time_ns[0]), int(data.time_ns[-1]))


def _tally(data: Samples) -> Array:
    """The columns that an evaluation reads, of the whole day."""
    gaps = np.diff(data.time_ns) * 1e-9
    known = np.isfinite(data.current_a[1:]) & (gaps < 120)
    row = np.zeros(len(COLUMNS))
    warm = data.temperature_degc[np.isfinite(data.temperature_degc)]
    values = {
        "current_known": float(known.any()),
        "throughput_ah": float(np.sum(np.abs(data.current_a[1:][known]) * gaps[known])) / 3600,
        "observed_s": float(gaps[gaps < 120].sum()),
        "temperature_degc": float(warm[-1]) if len(warm) else math.nan,
        "mean_temperature_degc": float(warm.mean()) if len(warm) else math.nan,
    }
    for name, value in values.items():
        row[COLUMNS.index(name)] = value
    return row


def _correlation(data: Samples) -> tuple[float, int]:
    """Of steps of current with steps of voltage, and how many there were."""
    # The program has a compiled count of its own; `nanmean` would be a tenth of the month's time.
    middle = data.cells_v.mean(axis=1)
    if np.isnan(middle).any():
        middle = np.nanmean(data.cells_v, axis=1)
    current, volts = np.diff(data.current_a), np.diff(middle)
    big = np.abs(current) > 0.1 * np.nanmax(np.abs(data.current_a))
    if big.sum() < 3:
        return 0.0, int(big.sum())
    return float(np.corrcoef(current[big], volts[big])[0, 1]), int(big.sum())
