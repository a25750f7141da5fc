"""Self-discharge and soft internal shorts: charge that a cell loses beside what its pack moves.

Mechanism: a leak through the separator, dendrites, moisture; it goes on at rest and grows, and a
short that carries more each visit ends in heat.
Evidence: leak_a of `Health` (per cell, balancing given back) on one or several days, and the state
of charge against the median at two visits weeks apart, capacity differences allowed for.
A leak seen on one day is "watch"; on two days, within a day and since an earlier visit, or growing,
"warn"; above 20 mA/Ah on two days "stop". One that empties the cell within days (3 mA/Ah) is "warn"
on the first day already when it was seen twice in it: what an earlier evaluation told and what was
learned since say the same, each on its own. Beside it stands whether the balancer (its current for
two hours a day) can make up for it.
Blind: a load on one cell (a tap, a stuck bleeder) leaks as well; the flat part of LFP needs full
charges days apart; between visits unknown balancing hides a leak of a high cell.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.failure_limits import BALANCER_H_PER_DAY
from bms_studio.diagnosis.scoring import DAY_NS, HOUR_NS, stand_out, visits
from bms_studio.diagnosis.words import found
from bms_studio.pack.health import Health

# Per Ah of capacity: what healthy cells differ in (3.6 % a month), what is worth a word, what
# empties a cell within days, and what endangers.
NATURAL_A, NOTABLE_A, SHORT_A, DANGEROUS_A = 5e-5, 3e-4, 3e-3, 2e-2
LEVEL_Z = 4.5
GROWTH = 1.5
# Between two visits: least days, what an imbalance is known to (SOC), what capacities differ in.
# Over weeks less is worth a word (per Ah: 11 % a month); healthy cells differ by 2 % a month.
VISIT_DAYS, IMBALANCE_FLOOR, CAPACITY_SPREAD, VISIT_Z = 5.0, 0.004, 0.01, 5.0
VISIT_NATURAL_A, VISIT_NOTABLE_A = 3e-5, 1.5e-4
MANY_SHARE = 0.25
# Two parts of one day: least hours of each, and how far they may differ, in sigmas or as a share.
PART_HOURS, PARTS_APART, PARTS_SHARE = 6.0, 3.0, 0.5
APART_HOURS = 12.0


def find(history: Sequence[Health], now: Health) -> list[Finding]:
    """Findings that hold as of `now`, given the daily summaries before it."""
    days = visits(history, now)
    capacity = now.scale_ah
    if not capacity > 0:
        return []
    z = np.array([_leak_z(day, capacity) for day in days])
    leaks = np.array([day.values("leak_a") for day in days])
    sigma = now.sigma("leak_a")
    out = []
    for k in range(now.count):
        beyond = np.flatnonzero((z[:, k] >= LEVEL_Z) & (leaks[:, k] >= NOTABLE_A * capacity))
        seen = _apart(days, beyond)
        behind = _between_visits(days, now, k, capacity)
        today = len(seen) > 0 and seen[-1] == len(days) - 1
        # Seen within this day and since an earlier visit: that is twice, and more tells the latter.
        if today and not (len(seen) == 1 and behind):
            chosen = [days[i] for i in seen]
            values = leaks[seen, k]
            twice = len(seen) == 1 and _twice_today(history, now, k, capacity)
            out.append(
                _leaking(chosen, now, k, values, float(sigma[k]), float(z[-1, k]), capacity, twice)
            )
            out += _too_weak(now, k, float(values[-1]), float(sigma[k]), len(seen))
        else:
            out += behind
    return out


def _apart(days: Sequence[Health], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of these visits the newest and those before it that are half a day from the next: two
    evaluations before and after a midnight are one."""
    kept: list[int] = []
    for i in places[::-1].tolist():
        if not kept or days[kept[-1]].time - days[i].time >= APART_HOURS * HOUR_NS:
            kept.append(i)
    return np.array(kept[::-1], np.int64)


def _leak_z(health: Health, capacity: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return stand_out(health.values("leak_a"), health.sigma("leak_a"), NATURAL_A * capacity).z


def _leaking(
    seen: Sequence[Health],
    now: Health,
    k: int,
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    sigma: float,
    z: float,
    capacity: float,
    twice: bool,
) -> Finding:
    newest = float(values[-1])
    earlier = float(values[0])
    grows = len(seen) >= 2 and newest >= GROWTH * earlier and newest - earlier > 3 * sigma
    span = (seen[0].start, now.time)
    text = f"{1e3 * newest:.2f} mA beyond the mean cell, sigma {1e3 * sigma:.2f} mA"
    items = [evidence("leak_a", newest, sigma, 0.0, now.start, now.time, text)]
    if len(seen) >= 2:
        first = seen[0]
        text = f"{1e3 * earlier:.2f} mA when first seen"
        items.insert(0, evidence("leak_a", earlier, sigma, 0.0, first.start, first.time, text))
    repeated = len(seen) >= 2
    code, severity = "self-discharge.leak", "watch"
    if repeated and newest >= DANGEROUS_A * capacity:
        code, severity = "internal-short.growing", "stop"
    elif grows and newest >= SHORT_A * capacity:
        code, severity = "internal-short.growing", "warn"
    elif repeated:
        code, severity = "self-discharge.repeated", "warn"
    elif newest >= SHORT_A * capacity:
        code, severity = "self-discharge.strong", "warn" if twice else "watch"
    parameters = {"milliampere": 1e3 * newest, "count": len(seen)}
    return found(code, now.time, span, k + 1, severity, z, parameters, tuple(items), len(seen))


def _twice_today(history: Sequence[Health], now: Health, k: int, capacity: float) -> bool:
    """Whether an earlier evaluation of this visit and what was learned since it both show a strong
    leak. The later one holds the earlier: what is new in it has the weight that it has more."""
    whole, all_a = float(now.sigma("leak_a")[k]) ** -2, float(now.values("leak_a")[k])
    for part in history:
        hours = ((part.time - part.start) / HOUR_NS, (now.time - part.time) / HOUR_NS)
        if part.count != now.count or part.start != now.start or min(hours) < PART_HOURS:
            continue
        before_a, sigma = float(part.values("leak_a")[k]), float(part.sigma("leak_a")[k])
        more = whole - sigma**-2
        if not (np.isfinite(before_a) and more > 0):
            continue
        since_a, error = (whole * all_a - sigma**-2 * before_a) / more, more**-0.5
        natural = NATURAL_A * capacity
        sure = min(before_a / np.hypot(sigma, natural), since_a / np.hypot(error, natural))
        apart = max(PARTS_APART * float(np.hypot(sigma, error)), PARTS_SHARE * all_a)
        if sure >= LEVEL_Z and abs(since_a - before_a) <= apart:
            return True
    return False


def _too_weak(now: Health, k: int, leak_a: float, sigma: float, count: int) -> list[Finding]:
    """What the bleeders of all other cells can take away in a day, against what this cell loses."""
    can_a = now.of_pack("bleed_a") * BALANCER_H_PER_DAY / 24
    if not leak_a - 3 * sigma > can_a:
        return []
    text = f"{1e3 * leak_a:.1f} mA lost, {1e3 * can_a:.1f} mA of balancing"
    item = evidence("leak_a", leak_a, sigma, can_a, now.start, now.time, text)
    return [
        found(
            "balancing.too_weak",
            now.time,
            (now.start, now.time),
            k + 1,
            "watch" if count >= 2 else "info",
            (leak_a - can_a) / sigma,
            {"milliampere": 1e3 * leak_a, "can_ma": 1e3 * can_a},
            (item,),
            count,
        )
    ]


def _between_visits(days: Sequence[Health], now: Health, k: int, capacity: float) -> list[Finding]:
    """A cell that has fallen behind the median since a visit at least `VISIT_DAYS` ago."""
    all_here = now.values("imbalance")
    here = all_here[k]
    lowest = float("inf")
    for day in days[:-1]:
        apart = (now.time - day.time) / DAY_NS
        before = day.values("imbalance")[k]
        lowest = min(lowest, before) if np.isfinite(before) else lowest
        if apart < VISIT_DAYS or np.isnan(here) or np.isnan(before):
            continue
        # A cell of another capacity stands elsewhere at another state of charge.
        swing = abs(now.of_pack("soc") - day.of_pack("soc"))
        loose = CAPACITY_SPREAD * (swing if np.isfinite(swing) else 1.0)
        errors = (now.sigma("imbalance")[k], day.sigma("imbalance")[k])
        if np.isnan(errors).any():
            continue
        leaked = VISIT_NATURAL_A * 24 * apart
        sigma = float(np.sqrt(sum(e * e for e in errors) + IMBALANCE_FLOOR**2 + loose**2))
        change = float(here - before)
        total = float(np.hypot(sigma, leaked))
        least = max(VISIT_NOTABLE_A * 24 * apart, 0.01)
        # One that was as low even earlier has come and gone, or only seemed to: it has not fallen.
        lower = lowest - here >= 0.5 * least
        alone = not _many(all_here - day.values("imbalance"), change)
        if alone and lower and -change >= VISIT_Z * total and -change >= least:
            return [_fallen(day, now, k, change, total, apart, capacity)]
    return []


def _many(changes: NDArray[np.float64], change: float) -> bool:
    """Whether this cell and others, a quarter of the pack, fell at least half as far: bleeders that
    chase one empty cell move many, and none of those leaks."""
    return int(np.count_nonzero(changes <= 0.5 * change)) > max(MANY_SHARE * len(changes), 1)


def _fallen(
    day: Health, now: Health, k: int, change: float, sigma: float, apart: float, capacity: float
) -> Finding:
    text = (
        f"{100 * change:+.1f} % of charge against the median in {apart:.0f} days, "
        f"{-1e3 * change * capacity / (24 * apart):.2f} mA"
    )
    item = evidence("imbalance", change, sigma, 0.0, day.start, now.time, text)
    return found(
        "self-discharge.visits",
        now.time,
        (day.start, now.time),
        k + 1,
        "warn",
        -change / sigma,
        {"percent": -100 * change, "days": apart},
        (item,),
        2,
    )
