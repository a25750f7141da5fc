"""Parts of `diagnosis.py` on data that others measured or simulated (../shared/data/cells)."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import _cell_data as cell_data
from benchmarks._cell_data import FOLDER, Pack
from benchmarks._day_health import ground_of, health_of_day
from benchmarks._diagnosis_chain import findings_of, judge
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.fusion import assess
from bms_studio.estimators.contract import samples
from bms_studio.pack.health import Health

START_NS = 1_704_067_200_000_000_000
DAY_NS = 86_400_000_000_000
MEANT = {
    "R_GROW": ("resistance", "connection"),
    "Q_LOW": ("capacity",),
    "ISC": ("self-discharge", "internal-short"),
    "V_OFF": ("sensor",),
    "COOL": ("thermal",),
}


def simulated() -> None:
    """Packs of an electrochemical model, several faults in each."""
    for name, chemistry, weeks in (
        ("pack_nmc_1day", "NMC", (0,)),
        ("pack_nmc_weeks", "NMC", (0, 5, 10)),
        ("pack_lfp_1day", "LFP", (0,)),
    ):
        days: list[Health] = []
        for number, week in enumerate(weeks):
            pack = cell_data.simulated(name, number)
            days.append(_health(pack, chemistry, week * 7))
            _print_day(pack, days, chemistry)


def _health(pack: Pack, chemistry: str, day: int) -> Health:
    time = START_NS + day * DAY_NS + np.round(pack.time_s * 1e9).astype(np.int64)
    data = samples(time, pack.current_a, pack.voltage_v, pack.temperature_degc)
    return health_of_day(data, ground_of(chemistry, {"NMC": 5.0, "LFP": 2.3}[chemistry]))


def _print_day(pack: Pack, days: list[Health], chemistry: str) -> None:
    risks, found = judge(days, chemistry)
    faulty = [k for k in range(len(pack.labels)) if pack.labels[k] != "ok"]
    print(f"\n{pack.name}: {len(pack.labels)} cells, {len(days)} days seen")
    for k in faulty:
        risk = risks[k]
        right = risk.mechanism in MEANT[str(pack.labels[k])]
        ranges = ", ".join(f"{t.p10:.0f}-{t.p50:.0f}-{t.p90:.0f} {t.unit}" for t in risk.lead_time)
        said = sorted({f.code for f in found if f.cell == k + 1})
        print(
            f"  cell {k + 1:2d} {pack.labels[k]:<7} rank {risk.rank:2d} of {len(risks)}, "
            f"{risk.mechanism:<15} {'right' if right else 'WRONG'}, risk {risk.risk:.2f}, P(first) "
            f"{risk.probability:.2f}, {ranges or risk.reason[0]}; findings {said or 'none'}"
        )
    wrong = [r for r in risks if r.mechanism != "none" and r.cell - 1 not in faulty]
    for risk in wrong:
        print(f"  cell {risk.cell:2d} is well, yet named {risk.mechanism} at rank {risk.rank}")
    for finding in found:
        if finding.cell - 1 not in faulty:
            print(f"  false: {finding.code} cell {finding.cell} {finding.severity}")


__all__ = ["simulated"]
