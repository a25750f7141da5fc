"""Which cell fails first: how often the ranking is right, how early, and how rarely it is wrong.

    python benchmarks/diagnosis.py [--part NAME]... [--seeds N] [--first SEED]

Parts on own packs of another model than the estimators' (`_pack_generator.py`): ranking, growth,
healthy, robustness, time. Parts on the data beside the project (../shared/data): simulated, field,
string, severson, calce. Every miss and every false alarm is printed with what is known of it.
"""

import argparse
from collections import Counter

from benchmarks import _pack_generator as generator
from benchmarks._diagnosis_chain import USUAL, Setting, auroc, interval, judge, summary
from benchmarks._pack_generator import FAULTS, Fault

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


def ranking(first: int, seeds: int, setting: Setting = USUAL, faults=FAULTS) -> None:
    """One day per seed, fault and chemistry."""
    print(f"one day, {seeds} seeds per fault and chemistry, {setting.name}")
    print("                    AUROC   top-1 (95 %)       top-3   mechanism (95 %)   named")
    for chemistry in ("NMC", "LFP"):
        well = [_one_day(chemistry, seed, "", setting) for seed in range(first, first + seeds)]
        healthy = [max(r.risk for r in risks) for risks, _ in well]
        named = Counter(r.mechanism for risks, _ in well for r in risks if r.mechanism != "none")
        print(f"{chemistry} healthy: cells named in {seeds} pack-days: {dict(named)}")
        for kind in faults:
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


def _one_day(chemistry: str, seed: int, kind: str, setting: Setting):
    """Risks of one day and the faulty cell (from 0)."""
    pack = generator.make_pack(chemistry, seed)
    cell = seed * 7 % pack.cells
    if kind:
        pack = generator.with_fault(pack, Fault(kind, cell, _signed(kind, seed)))
    pack = generator.with_setting(pack, setting.step_v, setting.period_s)
    course = generator.begin(pack, seed)
    health, _, _ = summary(pack, course, seed, 0, kind or "healthy", setting)
    return judge([health], setting.chemistry or chemistry)[0], cell


def _signed(kind: str, seed: int) -> float:
    return SIZES[kind] * (-1 if kind == "offset" and seed % 2 else 1)


def main() -> None:
    """Print the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"ranking": ranking}
    parser.add_argument("--part", action="append", choices=parts)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    chosen = parser.parse_args()
    for name in chosen.part or list(parts):
        print(f"\n### {name}", flush=True)
        parts[name](chosen.first, chosen.seeds)


if __name__ == "__main__":
    main()
