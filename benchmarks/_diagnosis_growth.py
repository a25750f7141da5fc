"""Parts of `diagnosis.py` over weeks: faults that grow, healthy packs, exchanged cells."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from benchmarks import _pack_generator as generator
from benchmarks._diagnosis_chain import (
    USUAL,
    Setting,
    column,
    interval,
    judge,
    of_run,
    summary,
    watched,
)
from benchmarks._pack_generator import Fault, Pack
from bms_studio.diagnosis.contract import CellRisk, Finding
from bms_studio.monitor import Monitor
from bms_studio.pack.health import Health
from bms_studio.pack.limits import resolve_limits
from bms_studio.pack.profile import Profile

WEEKS = 17
# At the end of 16 weeks, before the seed's own factor of 0.6 to 1.6: about the limit of failure,
# and a leak that is eight times as strong and fails within weeks.
GROWN = {"resistance": 0.60, "capacity": 0.16, "leak": 1.2, "fast leak": 8.0, "joint": 0.80}
WARMER_K = 5.0  # a ridden pack than its surroundings
ALARM = {"NMC": (0.150, 3.0), "LFP": (0.150, 2.8)}
_BRIER_WEEKS = (2, 4, 6, 8, 12, 16)


@dataclass(slots=True)
class Course:
    """One pack over the weeks."""

    kind: str
    chemistry: str
    seed: int
    cell: int
    fails_day: float
    warned: float = float("nan")
    ranged: float = float("nan")
    alarm: float = float("nan")
    inside: list[tuple[float, bool, float]] = field(default_factory=list)
    chances: list[tuple[int, np.ndarray, np.ndarray]] = field(default_factory=list)
    last: CellRisk | None = None
    others: Counter[str] = field(default_factory=Counter)


def growth(first: int, seeds: int, chemistries: tuple[str, ...] = ("NMC",)) -> None:
    """Faults that grow over 16 weeks, one recorded day a week."""
    done: list[Course] = []
    print(f"16 weeks, one day a week, {seeds} seeds per fault")
    for chemistry in chemistries:
        for kind in GROWN:
            mine = [_grow(chemistry, kind, seed) for seed in range(first, first + seeds)]
            done += mine
            for c in mine:
                last = c.last
                assert last is not None
                print(
                    f"  {chemistry} {kind:<10} {c.seed:4d}: warn week {c.warned:.0f}, range week "
                    f"{c.ranged:.0f}, threshold alarm week {c.alarm:.0f}, fails week "
                    f"{c.fails_day / 7:.0f}; at the end rank {last.rank}, {last.mechanism}; other "
                    f"cells warned {dict(c.others)}",
                    flush=True,
                )
    _leads(done)
    _coverage(done)
    _brier(done)


def _limit(kind: str, base: Pack) -> float:
    """The size at which this pack fails: 10 s resistance doubled, 20 % of capacity, 1 mA/Ah or what
    two hours of bleeding a day make up for. A joint knows no temperature: in the cold it takes a
    larger one to double what the cell has there."""
    if kind == "resistance":
        return 1.0
    if kind == "capacity":
        return 0.2
    if kind.endswith("leak"):
        return min(1.0, 1e3 * base.bleed_a * 2 / 24 / base.capacity_ah)
    inverse = (1 / (base.ambient + WARMER_K + 273.15) - 1 / 298.15) / 8.314
    fast, slow = np.exp(base.activation * inverse)
    ohm, pairs = np.median(base.ohmic), np.median(base.pairs, axis=0)
    ten = 1 - np.exp(-10.0 / base.taus)
    return float((fast * (ohm + pairs[0] * ten[0]) + slow * (pairs[1:] @ ten[1:])) / ohm)


def _grow(chemistry: str, kind: str, seed: int) -> Course:
    rng = np.random.default_rng([seed, 21])
    base = generator.make_pack(chemistry, seed)
    cell = seed * 7 % base.cells
    speed = float(rng.uniform(0.6, 1.6))
    bend = float(rng.choice([1.0, 1.0, 1.5]))
    size = GROWN[kind] * speed
    limit = _limit(kind, base)
    # size * (t / 112 days) ** bend reaches the limit.
    fails = 112.0 * (limit / size) ** (1 / bend)
    out = Course(kind, chemistry, seed, cell, fails)
    course = generator.begin(base, seed)
    days: list[Health] = []
    for week in range(WEEKS):
        share = (week / 16) ** bend
        pack = generator.with_fault(base, Fault(kind.removeprefix("fast "), cell, size), share)
        key = f"growing-{kind}"
        health, low, spread = summary(pack, course, seed, week * 7, key)
        generator.skip_days(pack, course, 6)
        days.append(health)
        risks, found = judge(days, chemistry)
        _note(out, week, risks, found, health)
        if np.isnan(out.alarm) and (spread > ALARM[chemistry][0] or low < ALARM[chemistry][1]):
            out.alarm = week
    return out


def _note(
    out: Course, week: int, risks: tuple[CellRisk, ...], found: list[Finding], health: Health
) -> None:
    mine = risks[out.cell]
    out.last = mine
    strong = [f for f in found if f.severity in ("warn", "stop")]
    if np.isnan(out.warned) and any(f.cell == out.cell + 1 for f in strong):
        out.warned = week
    out.others.update(f.code for f in strong if f.cell != out.cell + 1)
    out.others.update(
        f"range {r.mechanism}" for r in risks if r.lead_time and r.cell != out.cell + 1
    )
    told = bool(mine.lead_time) or mine.reason[0] == "risk.beyond_limit"
    if told and np.isnan(out.ranged):
        out.ranged = week
    if mine.lead_time:
        left = out.fails_day - 7 * week
        days = mine.lead_time[0]
        if left > 0:
            width = np.log10(max(days.p90, 1) / max(days.p10, 1))
            out.inside.append((week, days.p10 <= left <= days.p90, float(width)))
    if week in _BRIER_WEEKS:
        chance = column([r.probability for r in risks])
        out.chances.append((week, chance, health.values("rest_voltage_v")))


def _leads(done: list[Course]) -> None:
    print("\nweeks between our warn (or range) and the threshold alarm, or the end where none came")
    for kind in GROWN:
        leads, missed, early = [], 0, []
        for c in (c for c in done if c.kind == kind):
            ours = np.fmin(c.warned, c.ranged)
            end = c.alarm if np.isfinite(c.alarm) else WEEKS - 1
            if np.isnan(ours):
                missed += 1
                leads.append(0.0)
                continue
            leads.append(float(end - ours))
            early.append(float(ours))
        alarms = sum(np.isfinite(c.alarm) for c in done if c.kind == kind)
        print(
            f"  {kind:<10} median lead {np.median(leads):.0f} weeks (quartiles "
            f"{np.percentile(leads, 25):.0f}-{np.percentile(leads, 75):.0f}), named in week "
            f"{np.median(early) if early else np.nan:.0f} (median), never {missed} of {len(leads)};"
            f" threshold alarms in {alarms}"
        )


def _coverage(done: list[Course]) -> None:
    rows = [(c.kind, *row) for c in done for row in c.inside]
    inside = sum(row[2] for row in rows)
    print(
        f"\nP10-P90 holds the true day: {interval(inside, len(rows))} of {len(rows)} ranges given"
    )
    for kind in GROWN:
        mine = [row for row in rows if row[0] == kind]
        if mine:
            print(
                f"  {kind:<10} {sum(r[2] for r in mine) / len(mine):.2f} of {len(mine)}; P90/P10 "
                f"median {10 ** np.median([r[3] for r in mine]):.1f}"
            )


def _brier(done: list[Course]) -> None:
    print("\nP(first) over all cells: Brier skill against 1/N, and against lowest rest voltage")
    for week in _BRIER_WEEKS:
        ours, base, lowest = [], [], []
        hits = []
        for c in done:
            for when, chance, rest in c.chances:
                if when == week and np.isfinite(chance).all() and np.isfinite(rest).any():
                    hits.append(float(np.nanargmin(rest) == c.cell))
        rate = float(np.mean(hits)) if hits else 0.0
        for c in done:
            for when, chance, rest in c.chances:
                if when != week or not np.isfinite(chance).all() or not np.isfinite(rest).any():
                    continue
                truth = np.zeros(len(chance))
                truth[c.cell] = 1
                ours.append(np.sum((chance - truth) ** 2))
                base.append(np.sum((1 / len(chance) - truth) ** 2))
                # The peer knows how often it is right, which is generous.
                guess = np.full(len(chance), (1 - rate) / (len(chance) - 1))
                guess[int(np.nanargmin(rest))] = rate
                lowest.append(np.sum((guess - truth) ** 2))
        if ours:
            # A peer that is right every time leaves nothing to be better in.
            against = float(np.mean(lowest))
            skill = f"{1 - np.mean(ours) / against:+.2f}" if against > 0 else "no"
            print(
                f"  week {week:2d}: {1 - np.mean(ours) / np.mean(base):+.2f} against 1/N, "
                f"{skill} against lowest rest voltage (right in {100 * rate:.0f} %), "
                f"{len(ours)} packs"
            )


def healthy(first: int, seeds: int, weeks: int = 13) -> None:
    """Healthy packs, one recorded day a week for three months each, rows and summaries through
    every detector and fusion; every false word is printed."""
    said: Counter[str] = Counter()
    months, warns, watches = 0.0, 0, 0
    print(f"{seeds} healthy packs of each chemistry, {weeks} weeks, one day a week")
    for chemistry in ("NMC", "LFP"):
        for seed in range(first, first + seeds):
            seen = _false_words(chemistry, seed, weeks)
            months += weeks / 4.35
            warns += sum(v == "warn" for v in seen.values())
            watches += sum(v == "watch" for v in seen.values())
            said.update(f"{chemistry} {v}: {code}" for (code, _), v in seen.items())
            if seen:
                words = [f"{v} {code} cell {k}" for (code, k), v in sorted(seen.items())]
                print(f"  {chemistry} {seed}: {words}", flush=True)
    print(
        f"{months:.0f} pack-months: {warns} warns = {12 * warns / months:.2f} per pack-year, "
        f"{watches} watches = {watches / months:.2f} per pack-month"
    )
    for text, count in said.most_common():
        print(f"    {count:4d} {text}")


def _false_words(chemistry: str, seed: int, weeks: int) -> dict[tuple[str, int], str]:
    """(code, cell) -> the worst that was said of it in these weeks of a healthy pack."""
    pack = generator.make_pack(chemistry, seed)
    course = generator.begin(pack, seed)
    monitor = Monitor(resolve_limits(Profile().limits, chemistry))
    seen: dict[tuple[str, int], str] = {}
    for week in range(weeks):
        run = generator.simulate_day(pack, course, seed, week * 7)
        watched(monitor, run, of_run(pack, run, seed, week * 7, "healthy"))
        generator.skip_days(pack, course, 6)
        for r in monitor.judgement().risks:
            if r.lead_time:
                seen[(f"range {r.mechanism}", r.cell)] = "warn"
            elif r.mechanism != "none":
                seen.setdefault((f"named {r.mechanism}", r.cell), "watch")
    monitor.flush()
    for f in monitor.log:
        if f.severity in ("warn", "stop"):
            seen[(f.code, f.cell)] = "warn"
        elif f.severity == "watch":
            seen.setdefault((f.code, f.cell), "watch")
    return seen


SETTINGS = (
    USUAL,
    Setting("wrong chemistry: LCO instead of NMC, NMC instead of LFP", "wrong"),
    Setting("10 mV steps", step_v=0.010),
    Setting("one sample in 30 s", period_s=30),
    Setting("no temperature", temperature=False),
    Setting("no balancing flags", balancing=False),
)


def changed_cells(first: int, seeds: int) -> None:
    """Two cells that change places, and a replaced one, after five weeks of a growing fault."""
    print("cells exchanged after week 5: ranges given afterwards (a range now is a false trend)")
    for what in ("swapped", "replaced"):
        false, told = [], 0
        for seed in range(first, first + seeds):
            base = generator.make_pack("NMC", seed)
            a, b = seed * 7 % base.cells, (seed * 7 + 9) % base.cells
            ill = generator.with_fault(base, Fault("resistance", a, 0.3))
            other = generator.swapped(ill, a, b) if what == "swapped" else base
            course = generator.begin(base, seed)
            days: list[Health] = []
            for week in range(9):
                pack = ill if week < 5 else other
                days.append(summary(pack, course, seed, week * 7, f"{what}-{week < 5}")[0])
                generator.skip_days(pack, course, 6)
                if week < 5:
                    continue
                risks, _ = judge(days, "NMC")
                false += [
                    f"{seed}/{r.cell} week {week} {r.mechanism}" for r in risks if r.lead_time
                ]
                told += any(r.reason[0] in ("risk.swapped", "risk.replaced") for r in risks)
        print(
            f"  {what}: {len(false)} false ranges in {4 * seeds} evaluations {false[:5]}; the "
            f"exchange is told in {told}"
        )
