"""Which cell fails first: how often the ranking is right, how early, and how rarely it is wrong.

    OPENBLAS_NUM_THREADS=1 python benchmarks/diagnosis.py [--part NAME] [--seeds N] [--first N]

(On one core; many threads for small matrices only get into each other's way.)

Parts on own packs of another model than the estimators' (`_pack_generator.py`): ranking, bound,
growth, healthy, robustness, cooling, time. Parts on the data beside the project (../shared/data):
simulated, field, string, severson, calce. Every miss and every false alarm is printed with what is
known of it.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np

from benchmarks import _pack_generator as generator
from benchmarks._capacity_bound import TELLS, capacity_sigma, reach
from benchmarks._cell_data import FOLDER
from benchmarks._day_health import ground_of, health_of_day
from benchmarks._diagnosis_chain import USUAL, Setting, auroc, data_of, interval, judge, summary
from benchmarks._diagnosis_data import calce, field, severson, simulated, string
from benchmarks._diagnosis_growth import SETTINGS, changed_cells, growth, healthy
from benchmarks._pack_generator import FAULTS, Fault
from benchmarks._riders import SCHEDULES
from bms_studio.diagnosis.contract import CellRisk
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.fusion import assess
from bms_studio.pack.health import Health

ON_DATA = ("simulated", "field", "string", "severson", "calce")
WRONG = {"NMC": "LCO", "LFP": "NMC"}
SIZES = {"resistance": 0.20, "capacity": 0.04, "leak": 1.0, "joint": 0.25, "offset": 0.010}
# A leak is a short when it is strong; a joint is known from the cell's own resistance only where
# temperature or the slow part tell: both names send the workshop to the same place.
RIGHT = {
    "resistance": ("resistance",),
    "capacity": ("capacity",),
    "leak": ("self-discharge", "internal-short"),
    "joint": ("connection",),
    "offset": ("sensor",),
}


def ranking(first: int, seeds: int, setting: Setting = USUAL) -> None:
    """One day per seed, fault and chemistry."""
    print(f"one day, {setting.rider}, {seeds} seeds per fault and chemistry, {setting.name}")
    print("                    AUROC   top-1 (95 %)       top-3   mechanism (95 %)   named")
    for chemistry in ("NMC", "LFP"):
        well = [_one_day(chemistry, seed, "", setting) for seed in range(first, first + seeds)]
        healthy = [max(r.risk for r in risks) for risks, _ in well]
        named = Counter(r.mechanism for risks, _ in well for r in risks if r.mechanism != "none")
        print(f"{chemistry} healthy: cells named in {seeds} pack-days: {dict(named)}")
        for kind in FAULTS:
            misses, found, top, three, right, says = [], [], 0, 0, 0, 0
            for seed in range(first, first + seeds):
                risks, cell = _one_day(chemistry, seed, kind, setting)
                found.append(max(r.risk for r in risks))
                mine = risks[cell]
                top += mine.rank == 1
                three += mine.rank <= 3
                right += mine.mechanism in RIGHT[kind]
                says += mine.mechanism != "none"
                if mine.rank > 1 or mine.mechanism not in RIGHT[kind]:
                    misses.append(f"{seed}: rank {mine.rank}, {mine.mechanism}")
            print(
                f"{chemistry} {kind:<14} {auroc(found, healthy):6.3f}   {interval(top, seeds):<18} "
                f"{three / seeds:.2f}   {interval(right, seeds):<18} {says / seeds:.2f}"
            )
            print("    missed: " + ("; ".join(misses) or "none"), flush=True)


def ranked(first: int, seeds: int, riders: list[str]) -> None:
    """The ranking for each of these riders."""
    for rider in riders or SCHEDULES:
        ranking(first, seeds, replace(USUAL, rider=rider))


def bound(first: int, seeds: int, riders: list[str]) -> None:
    """Capacity: what a day can tell at all, and what is found on days that can and that cannot."""
    for rider, chemistry in product(riders or SCHEDULES, ("NMC", "LFP")):
        setting = replace(USUAL, rider=rider)
        every = range(first, first + seeds)
        sigmas = np.array([capacity_sigma(chemistry, seed, rider) for seed in every])
        well = np.array(
            [max(r.risk for r in _one_day(chemistry, s, "", setting)[0]) for s in every]
        )
        ill, mine = [], []
        for seed in every:
            risks, cell = _one_day(chemistry, seed, "capacity", setting)
            ill.append(max(r.risk for r in risks))
            mine.append(risks[cell])
        marks = np.round(100 * np.quantile(sigmas, (0.1, 0.5, 0.9)), 2)
        print(
            f"{chemistry}, {rider}: bound of a cell's capacity, 10, 50, 90 % of {seeds} days: "
            f"{marks} %"
        )
        for words, chosen in (
            ("all days", sigmas > 0),
            (f"bound below {100 * TELLS:.0f} %", sigmas < TELLS),
            ("the others", sigmas >= TELLS),
        ):
            at = np.flatnonzero(chosen).tolist()
            if not at:
                continue
            can = reach(sigmas[at], SIZES["capacity"])
            area = auroc([ill[i] for i in at], well[at].tolist())
            top = interval(sum(mine[i].rank == 1 for i in at), len(at))
            right = interval(sum(mine[i].mechanism == "capacity" for i in at), len(at))
            print(
                f"    {words} ({len(at)}): AUROC {area:.3f} of {can.auroc:.3f}, top-1 {top} of "
                f"{can.top:.2f}, mechanism {right} of {can.named:.2f}",
                flush=True,
            )


def _one_day(
    chemistry: str, seed: int, kind: str, setting: Setting
) -> tuple[tuple[CellRisk, ...], int]:
    """Risks of one day and the faulty cell (from 0)."""
    pack = generator.make_pack(chemistry, seed)
    cell = seed * 7 % pack.cells
    if kind:
        pack = generator.with_fault(pack, Fault(kind, cell, _signed(kind, seed)))
    pack = generator.with_setting(pack, setting.step_v, setting.period_s, setting.rider)
    course = generator.begin(pack, seed)
    if setting.chemistry:
        setting = replace(setting, chemistry=WRONG[chemistry])
    health, _, _ = summary(pack, course, seed, 0, kind or "healthy", setting)
    return judge([health], setting.chemistry or chemistry)[0], cell


def _signed(kind: str, seed: int) -> float:
    return SIZES[kind] * (-1 if kind == "offset" and seed % 2 else 1)


def cooling(first: int, seeds: int) -> None:
    """One day of packs with a probe at every cell, one of them cooled half as well."""
    for step_k in (0.1, 1.0):
        for chemistry in ("NMC", "LFP"):
            well: list[float] = []
            ill: list[float] = []
            top, right, misses = 0, 0, []
            named: Counter[str] = Counter()
            for seed in range(first, first + seeds):
                base = generator.with_probes(generator.make_pack(chemistry, seed), step_k)
                cell = seed * 7 % base.cells
                faulty = generator.with_fault(base, Fault("cooling", cell, 0.5))
                for pack, found in ((base, well), (faulty, ill)):
                    key = f"probes-{step_k}-{pack is base}"
                    day = summary(pack, generator.begin(pack, seed), seed, 0, key)[0]
                    risks = judge([day], chemistry)[0]
                    found.append(max(r.risk for r in risks))
                    if pack is base:
                        named.update(r.mechanism for r in risks if r.mechanism != "none")
                mine = risks[cell]
                top += mine.rank == 1
                right += mine.mechanism == "thermal"
                if mine.mechanism != "thermal":
                    misses.append(f"{seed}: rank {mine.rank}, {mine.mechanism}")
            print(
                f"{chemistry} probes of {step_k} K: AUROC {auroc(ill, well):.3f}, top-1 "
                f"{interval(top, seeds)}, mechanism {interval(right, seeds)}; healthy packs: "
                f"{dict(named)}; missed: {'; '.join(misses) or 'none'}",
                flush=True,
            )


def robustness(first: int, seeds: int) -> None:
    """What still works with less or wrong data, and with exchanged cells."""
    for setting in SETTINGS:
        ranking(first, seeds, setting)
    changed_cells(first, seeds)


def duration(first: int, seeds: int) -> None:
    """A month of 1 Hz data of 20 cells, one core; and fusion alone for 20 and 400 cells."""
    pack = generator.make_pack("NMC", first)
    course = generator.begin(pack, first)
    runs = [generator.simulate_day(pack, course, first, day) for day in range(30)]
    ground = ground_of("NMC", round(pack.capacity_ah))
    health_of_day(data_of(runs[0]), ground)
    judge([health_of_day(data_of(runs[0]), ground)], "NMC")
    begin = time.process_time()
    days = [health_of_day(data_of(run), ground, bleed_a=pack.bleed_a) for run in runs]
    spent = time.process_time() - begin
    begin = time.process_time()
    for last in range(len(days)):
        judge(days[: last + 1], "NMC")
    print(
        f"30 days x 86,400 s x 20 cells: estimators and summaries {spent:.1f} s, health detectors "
        f"and fusion every day {time.process_time() - begin:.1f} s of one core"
    )
    for cells in (20, 400):
        wide = [_widened(day, cells) for day in days]
        assess(wide, [], failure_limits("NMC"))
        begin = time.perf_counter()
        assess(wide, [], failure_limits("NMC"))
        print(f"fusion, {cells} cells, 30 days: {1000 * (time.perf_counter() - begin):.0f} ms")


def _widened(health: Health, cells: int) -> Health:
    """The same pack several times over."""
    table = {n: np.resize(v, cells) for n, v in health.cells.items()}
    return replace(health, count=cells, cells=table)


DATA_PARTS = (simulated, field, string, severson, calce)


def _alone(part: Callable[[], None]) -> Callable[[int, int], None]:
    return lambda first, seeds: part()


def main() -> None:
    """Print the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts: dict[str, Callable[[int, int], None]] = {
        "ranking": lambda first, seeds: ranked(first, seeds, chosen.rider),
        "bound": lambda first, seeds: bound(first, seeds, chosen.rider),
        "growth": growth,
        "healthy": healthy,
        "robustness": robustness,
        "cooling": cooling,
        "time": duration,
        **{name: _alone(part) for name, part in zip(ON_DATA, DATA_PARTS, strict=True)},
    }
    usual = {
        "ranking": 50,
        "bound": 50,
        "growth": 10,
        "healthy": 17,
        "robustness": 10,
        "cooling": 10,
    }
    parser.add_argument("--part", action="append", choices=parts)
    parser.add_argument("--rider", action="append", choices=list(SCHEDULES))
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--first", type=int, default=1)
    chosen = parser.parse_args()
    for name in chosen.part or list(parts):
        print(f"\n### {name}", flush=True)
        if name in ON_DATA and not FOLDER.is_dir():
            print("not measured: there is no folder ../shared/data/cells beside the project")
            continue
        parts[name](chosen.first, chosen.seeds or usual.get(name, 1))


if __name__ == "__main__":
    main()
