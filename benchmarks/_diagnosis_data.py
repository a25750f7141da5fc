"""Parts of `diagnosis.py` on data that others measured or simulated (../shared/data/cells)."""

import csv
import gzip
import zipfile
from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import _cell_data as cell_data
from benchmarks._cell_data import FOLDER, Pack
from benchmarks._day_health import ground_of, health_of_day
from benchmarks._diagnosis_chain import interval, judge
from bms_studio.diagnosis.first_passage import Mode, first_passage
from bms_studio.diagnosis.trend import Growth, fit
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
    ground = ground_of(chemistry, {"NMC": 5.0, "LFP": 2.3}[chemistry])
    return health_of_day(data, ground, probes_degc=pack.probes_degc)


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


def field() -> None:
    """Field telematics: no cell fails in car 1; static outliers in car 3 are at most to be watched.
    Chemistry and capacity (some 140 Ah, from the BMS's SOC) are ours, nobody states them."""
    for car, probe_shift in (("car1", 0.0), ("car3", -40.0)):
        days = _car(car, probe_shift)
        print(f"\n{car}: {len(days)} days with 500 samples or more, {days[-1].count} cells")
        severities: Counter[str] = Counter()
        said: dict[tuple[str, int], str] = {}
        ranges: Counter[str] = Counter()
        for last in range(len(days)):
            risks, found = judge(days[: last + 1], "NMC")
            for f in found:
                said[(f.code, f.cell)] = f.severity
            ranges.update(f"{r.cell} {r.mechanism}" for r in risks if r.lead_time)
        severities.update(said.values())
        named = [(r.rank, r.cell, r.mechanism, r.reason[0]) for r in risks if r.mechanism != "none"]
        print(f"  findings of cells over all days: {dict(severities)}; ranges: {dict(ranges)}")
        for (code, cell), severity in sorted(said.items()):
            if severity in ("warn", "stop"):
                print(f"    {severity} {code} cell {cell}")
        known = Counter(n for d in days for n in d.cells if not n.endswith("_sigma"))
        print(f"  days on which a quantity was known: {dict(known)}")
        print(f"  named on the last day (rank, cell, mechanism): {sorted(named)[:8]}")


def _car(name: str, probe_shift: float) -> list[Health]:
    with (
        zipfile.ZipFile(FOLDER / "ev_field" / f"{name}.zip") as archive,
        archive.open(archive.namelist()[0]) as file,
    ):
        table = pd.read_csv(file)
    stamp = pd.to_datetime(table["tboxTime"]).rename("stamp")
    table = pd.concat([table, stamp], axis=1).sort_values("stamp", kind="stable")
    cells = [c for c in table.columns if c.startswith("V_")]
    probes = [c for c in table.columns if c.startswith("T_")]
    ground = ground_of("NMC", 140.0)
    days = []
    for _, rows in table.groupby(table["stamp"].dt.date):
        if len(rows) < 500:
            continue
        volts = rows[cells].to_numpy(np.float64)
        volts[(volts < 1.0) | (volts > 5.0)] = np.nan
        warm = rows[probes].to_numpy(np.float64)
        warm[warm >= 250] = np.nan
        data = samples(
            rows["stamp"].to_numpy("datetime64[ns]").astype(np.int64),
            rows["BMSBatteryCurrent"].to_numpy(np.float64),
            volts,
            np.nanmean(warm, axis=1) + probe_shift,
        )
        days.append(health_of_day(data, ground))
    return days


def string() -> None:
    """An aged module of six cells: who is at 3.0 V first, foretold by the ranking from the part of
    the discharge above 3.5 V."""
    for rate in ("0_3c", "1_0c"):
        time, current, volts, warm = _module(rate)
        low = volts.min(1)
        done = int(np.argmax(low < 3.5)) if (low < 3.5).any() else len(low)
        truth = int(
            np.argmin(volts[-1] if not (low <= 3.0).any() else volts[np.argmax(low <= 3.0)])
        )
        data = samples(
            START_NS + np.round(time[:done] * 1e9).astype(np.int64),
            *(v[:done] for v in (current, volts, warm)),
        )
        health = health_of_day(data, ground_of("NMC", 60.0))
        risks, found = judge([health], "NMC")
        order = sorted(risks, key=lambda r: r.rank)
        at = volts[done - 1] if done else volts[0]
        print(
            f"module at {rate.replace('_', '.')}: first at 3.0 V is cell {truth + 1}; ranked "
            f"{[(r.cell, r.mechanism) for r in order]}; lowest at the cut was "
            f"{int(np.argmin(at)) + 1}; findings {[(f.code, f.cell) for f in found]}"
        )


def _module(rate: str) -> tuple[NDArray[np.float64], ...]:
    """Time, current (+ = discharge), six cells, temperature."""
    path = FOLDER / "leaf_string" / f"module123-irdischarge-65ah-{rate}.csv.gz"
    rows = []
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for line in csv.reader(file):
            try:
                rows.append([float(v) for v in (line[0], line[7], *line[20:29])])
            except (ValueError, IndexError):
                continue
    table = np.array(rows)
    table = table[np.append(True, np.diff(table[:, 0]) > 0)]
    return table[:, 0], -table[:, 1], table[:, 2:8], table[:, 8:10].mean(1)


def severson() -> None:
    """Cycle life of LFP cells from what their discharge curves did between cycles 10 and 100: each
    cell foretold by a line through the other forty (K. A. Severson et al., Nature Energy 4 (2019)
    383: the logarithm of var(dQ))."""
    table = np.load(FOLDER / "severson" / "severson_train_QV.npz")
    charge, life = table["train_Q"].astype(np.float64), table["train_life"].astype(np.float64)
    change = charge[:, :, 98] - charge[:, :, 8]
    spread = np.log10(change.var(axis=1))
    for name, columns in (
        ("log var dQ(100-10)", [spread]),
        ("and capacity of cycle 2", [spread, charge[:, :, 0].max(axis=1)]),
    ):
        x, y = np.stack([np.ones(len(life)), *columns], 1), np.log10(life)
        errors, inside, wide = [], 0, []
        for k in range(len(life)):
            rest = np.arange(len(life)) != k
            answer, *_ = np.linalg.lstsq(x[rest], y[rest], rcond=None)
            left = y[rest] - x[rest] @ answer
            free = rest.sum() - x.shape[1]
            grown = 1 + x[k] @ np.linalg.inv(x[rest].T @ x[rest]) @ x[k]
            # Student's t at 90 % with some 38 degrees of freedom.
            half = 1.304 * np.sqrt(left @ left / free * grown)
            told = x[k] @ answer
            errors.append(abs(10 ** (told - y[k]) - 1))
            inside += abs(told - y[k]) <= half
            wide.append(10 ** (2 * half))
        print(
            f"{name}: leave-one-out MAPE {100 * np.mean(errors):.1f} % (median "
            f"{100 * np.median(errors):.1f} %), 80 % interval holds {interval(inside, len(life))},"
            f" its ends a factor {np.median(wide):.2f} apart, {len(life)} cells"
        )


def calce() -> None:
    """Two LCO cells cycled on: the cycle at which 80 % of capacity is left, from the cycles up
    to then, every tenth counted."""
    for name in ("CS2_35", "CS2_36"):
        table = pd.read_csv(FOLDER / "calce_cs2" / f"{name}.csv")
        cycle = table["cycle"].to_numpy(np.float64)
        capacity = table["capacity"].to_numpy(np.float64)
        new = float(np.median(capacity[:20]))
        smooth = pd.Series(capacity).rolling(11, center=True, min_periods=1).median().to_numpy()
        end = float(cycle[np.argmax(smooth < 0.8 * new)])
        for share in (0.3, 0.5, 0.7, 0.85):
            seen = np.flatnonzero(cycle <= share * end)[::10]
            loss = ((1 - smooth / new) / 0.2)[seen][:, None]
            growth = Growth(0.4 / 600, (1 / 1200, 1 / 600, 1 / 300), share=0.3, settle=150.0)
            trend = fit(cycle[seen], loss, np.full(loss.shape, 0.04), growth)
            told = first_passage([Mode("capacity", trend, 1.0, 1 / 600)], 20000.0)
            left = end - cycle[seen[-1]]
            low, middle, high = told.quantiles[:, 0]
            print(
                f"{name} at {100 * share:.0f} %: {left:.0f} cycles are left, told {low:.0f} - "
                f"{middle:.0f} - {high:.0f}: {'inside' if low <= left <= high else 'OUTSIDE'}"
            )
