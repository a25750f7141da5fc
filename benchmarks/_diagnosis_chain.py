"""What the parts of `diagnosis.py` share: days to summaries, summaries to a judgement, scores."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _pack_generator as generator
from benchmarks._day_health import ground_of, health_of_day
from benchmarks._pack_generator import Course, Day, Pack
from bms_studio import history as kept
from bms_studio.analysis.align import CURRENT
from bms_studio.diagnosis.contract import CellRisk, Finding
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.fusion import assess
from bms_studio.diagnosis.registry import HEALTH
from bms_studio.estimators.contract import Samples, samples
from bms_studio.monitor import Monitor
from bms_studio.pack.health import Health
from protocols.roles import PACK_FIELDS

# Kept summaries of days that were simulated before, for those who tune what comes after.
CACHE = os.environ.get("BMS_STUDIO_BENCHMARK_CACHE", "")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is taken away or wrong: chemistry given to the estimators ("" the true one), step of
    voltages, seconds between samples, whether temperature and balancing flags are known; and the
    rider, one of `SCHEDULES`."""

    name: str = "as it is"
    chemistry: str = ""
    step_v: float = 0.001
    period_s: int = 1
    temperature: bool = True
    balancing: bool = True
    rider: str = "commuter"


USUAL = Setting()


def data_of(day: Day, setting: Setting = USUAL) -> Samples:
    """The day as the estimators get it."""
    warm = day.probes_degc.mean(1) if setting.temperature else None
    return samples(
        day.time_ns,
        day.current_a,
        day.cells_v,
        warm,
        None,
        day.balancing if setting.balancing else None,
    )


def summary(
    pack: Pack, course: Course, seed: int, day: int, key: str, setting: Setting = USUAL
) -> tuple[Health, float, float]:
    """Daily summary, lowest voltage and largest spread of a day; `course` goes on."""
    run = generator.simulate_day(pack, course, seed, day)
    return of_run(pack, run, seed, day, key, setting), run.lowest_v, run.spread_v


def of_run(pack: Pack, run: Day, seed: int, day: int, key: str, setting: Setting = USUAL) -> Health:
    """Daily summary of what a BMS reported."""
    path = Path(CACHE) / f"{pack.chemistry}-{seed}-{day}-{key}-{setting.name}-{setting.rider}.json"
    if CACHE and path.is_file():
        return kept.load_file(path)
    ground = ground_of(setting.chemistry or pack.chemistry, round(pack.capacity_ah, 0))
    bleed = pack.bleed_a if setting.balancing else float("nan")
    own = run.probes_degc if pack.probes == pack.cells and setting.temperature else None
    health = health_of_day(data_of(run, setting), ground, bleed_a=bleed, probes_degc=own)
    if CACHE:
        kept.save_file(path, health)
    return health


def watched(monitor: Monitor, run: Day, health: Health) -> None:
    """Rows and summary of a day through everything that a recording goes through, ten minutes at a
    time."""
    pack = np.full((len(run.time_ns), len(PACK_FIELDS)), np.nan, np.float32)
    pack[:, CURRENT] = run.current_a
    tables = (
        ("pack", pack),
        ("probe", run.probes_degc.astype(np.float32)),
        ("balancing", run.balancing),
        ("cell", run.cells_v),
    )
    for first in range(0, len(run.time_ns), 600):
        rows = slice(first, first + 600)
        for kind, table in tables:
            monitor.push(kind, run.time_ns[rows], table[rows])
    monitor.evaluate(health)


def findings_of(history: Sequence[Health], now: Health) -> list[Finding]:
    """What the detectors that judge health say."""
    return [found for find in HEALTH.values() for found in find(list(history), now)]


def judge(days: Sequence[Health], chemistry: str) -> tuple[tuple[CellRisk, ...], list[Finding]]:
    """Risks and findings as of the last of these days."""
    found = findings_of(days[:-1], days[-1])
    return assess(days, found, failure_limits(chemistry)), found


def auroc(faulty: Sequence[float], healthy: Sequence[float]) -> float:
    """Area under the curve: share of pairs in the right order, ties half."""
    a, b = np.asarray(faulty)[:, None], np.asarray(healthy)[None, :]
    return float(np.mean((a > b) + 0.5 * (a == b)))


def interval(good: int, count: int) -> str:
    """Share with its 95 % interval (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209)."""
    if not count:
        return "-"
    z, p = 1.96, good / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(p * (1 - p) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return f"{p:.2f} ({middle - half:.2f}-{middle + half:.2f})"


def column(values: Sequence[Any]) -> NDArray[np.float64]:
    """As float64."""
    return np.array(values, np.float64)
