"""Rows and evaluations of a small pack, healthy or with one fault, for tests of detectors."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.moments import Moments, moments
from bms_studio.pack.health import Health
from protocols.roles import PACK_FIELDS

START_NS = 1_700_006_400_000_000_000  # midnight, so that days are whole
SECOND_NS, DAY_NS = 1_000_000_000, 86_400_000_000_000
FIELDS = [f.name for f in PACK_FIELDS]


def rows(seconds: int, cells: int = 8, period_s: float = 10.0, seed: int = 1) -> Moments:
    """A healthy pack through rest, ride and charge, every four hours: 20 Ah, 8 probes."""
    rng = np.random.default_rng(seed)
    count = int(seconds / period_s)
    t = np.arange(count) * period_s
    phase = (t / 3600) % 4
    ride = 8 + 8 * np.sin(t / 47.0) + rng.normal(0, 2, count)
    current = np.where(phase < 1, ride, np.where((phase >= 2) & (phase < 3), -8.0, 0.0))
    soc = 0.8 - np.cumsum(current) * period_s / 3600 / 20
    ohm = 0.002 * (1 + 0.03 * rng.standard_normal(cells))
    spread = 0.001 * rng.standard_normal(cells)
    volts = (3.4 + 0.7 * soc)[:, None] - current[:, None] * ohm + spread
    volts = np.round(volts + rng.normal(0, 0.001, volts.shape), 3)
    load = np.convolve(current**2, np.exp(-np.arange(240) / 60) / 60)[:count]
    probes = 24 + load[:, None] / 60 + 0.4 * rng.standard_normal(8)
    probes = np.round(probes + rng.normal(0, 0.2, probes.shape), 1)
    pack = np.full((count, len(FIELDS)), np.nan, np.float32)
    pack[:, FIELDS.index("voltage")] = volts.sum(1)
    pack[:, FIELDS.index("soc")] = np.round(soc, 3)
    pack[:, FIELDS.index("full_ah")] = 20.0
    return moments(
        START_NS + np.round(t * 1e9).astype(np.int64),
        volts.astype(np.float32),
        current.astype(np.float32),
        probes.astype(np.float32),
        np.zeros((count, cells), np.float32),
        pack,
    )


def changed(block: Moments, **columns: NDArray[np.float32]) -> Moments:
    """The same moments with other cells_v, probes_degc, balancing or pack; the median follows."""
    names = ("cells_v", "probes_degc", "balancing", "pack")
    cells, probes, balancing, pack = (columns.get(n, getattr(block, n)) for n in names)
    return moments(block.time, cells, None, probes, balancing, pack)


def health(
    day: float, cells: int = 8, seed: int = 1, capacity_ah: float = 20.0, **values: NDArray
) -> Health:
    """An evaluation of a healthy pack after `day` days, with some quantities replaced."""
    rng = np.random.default_rng(seed + int(100 * day))
    always = np.random.default_rng(seed)
    sigma = {
        "resistance_difference": 0.02,
        "capacity_difference": 0.004,
        "leak_a": 1e-4 * capacity_ah / 5,
        "offset_v": 0.0008,
        "imbalance": 0.003,
        "sag_margin_v": 0.004,
    }
    natural = {
        "resistance_difference": 0.03,
        "capacity_difference": 0.008,
        "leak_a": 3e-5 * capacity_ah,
        "offset_v": 0.001,
        "imbalance": 0.006,
        "sag_margin_v": 0.006,
    }
    table: dict[str, NDArray[np.float64]] = {}
    for name, size in sigma.items():
        own = natural[name] * always.standard_normal(cells)
        table[name] = own + size * rng.standard_normal(cells)
        table[f"{name}_sigma"] = np.full(cells, size)
    table["sag_margin_v"] = table["sag_margin_v"] + 0.4
    table["lag_s"] = 0.01 * always.standard_normal(cells)
    time = START_NS + int(day * DAY_NS)
    pack = {"capacity_ah": capacity_ah, "soc": 0.7, "soc_sigma": 0.01, "usable_soc": 0.69}
    made = Health(time, time - 6 * 3600 * SECOND_NS, cells, table, pack, chemistry="NMC")
    return replace(made, cells={**made.cells, **values})
