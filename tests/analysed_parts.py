"""A pack whose estimates are made up, so that what the window shows of them can be foretold."""

import numpy as np

from bms_studio.analysis.contract import PACK_COLUMNS, Analysis, AnalysisStatus, Basis, Settings
from bms_studio.diagnosis.contract import CellRisk, Verdict
from bms_studio.pack.health import Health
from bms_studio.timeline import Timeline

BAD = 13
NEEDS = {"leak_a": "need.rest_day", "capacity_ah": "need.swing_30"}


def health_of(cells: int, start: int, time: int, bad: int = BAD) -> Health:
    """Cell `bad` has twice the resistance; self-discharge and capacity are not known yet."""
    random = np.random.default_rng(3)
    soc = 0.406 + random.normal(0, 0.002, cells)
    resistance = 0.0012 * (1 + random.normal(0, 0.02, cells))
    if bad <= cells:
        resistance[bad - 1] *= 1.9
        soc[bad - 1] -= 0.004
    arrays = {
        "soc": soc,
        "soc_sigma": np.full(cells, 0.009),
        "imbalance": soc - np.median(soc),
        "imbalance_sigma": np.full(cells, 0.003),
        "rest_voltage_v": 3.62 + random.normal(0, 0.001, cells),
        "rest_voltage_v_sigma": np.full(cells, 0.001),
        "resistance_ohm": resistance,
        "resistance_ohm_sigma": 0.04 * resistance,
        "soh_resistance": 0.0012 / resistance,
        "soh_resistance_sigma": np.full(cells, 0.08),
        "sag_margin_v": 0.5 - 60 * resistance,
        "sag_margin_v_sigma": np.full(cells, 0.03),
    }
    pack = {"soh": 0.94, "soh_sigma": 0.02, "observed_s": 840.0, "peak_a": 62.0}
    progress = {"soc": 1.0, "resistance_ohm": 0.8, "capacity_ah": 0.3, "leak_a": 0.05}
    return Health(time, start, cells, arrays, pack, NEEDS, progress, "NMC", "7F-0233", "2-RC")


def fill(timeline: Timeline, cells: int, prefix: str = "", bad: int = BAD) -> AnalysisStatus:
    """Append groups of estimates and health over the whole span; what the view says of them."""
    span = timeline.span()
    assert span is not None
    health = health_of(cells, span[0], span[0] + 1, bad)
    time = np.linspace(span[0] + 1, span[1], 20).astype(np.int64)
    wave = np.linspace(0.01, 0.0, 20)[:, np.newaxis]
    for name, values in health.cells.items():
        place = "estimates/" if name in ("soc", "soc_sigma") else "health/"
        rows = np.tile(values, (20, 1)) + (wave if name == "soc" else 0.0)
        timeline.append(prefix + place + name, time, rows.astype(np.float32))
    row = dict.fromkeys(PACK_COLUMNS, np.nan)
    row |= {"soc": 0.406, "soc_sigma": 0.009, "usable_soc": 0.31, "usable_soc_sigma": 0.012}
    row |= {"usable_wh": 700.0, "limiting_cell": float(bad), "costs_wh": 210.0, "peak_a": 62.0}
    row |= {"discharge_10_a": 41.0, "discharge_10_w": 2900.0, "discharge_10_cell": float(bad)}
    row |= {"discharge_10_cause": 0.0, "charge_10_a": 19.0, "charge_10_w": 1500.0}
    row |= {"charge_10_cause": 2.0, "charge_10_cell": 0.0}
    pack = np.tile(np.array([row[name] for name in PACK_COLUMNS], np.float32), (20, 1))
    timeline.append(prefix + "estimates/pack", time, pack, PACK_COLUMNS)
    risks = tuple(
        CellRisk(
            cell=n,
            risk=0.87 if n == bad else 0.02,
            rank=1 if n == bad else n + (n < bad),
            mechanism="resistance" if n == bad else "none",
        )
        for n in range(1, cells + 1)
    )
    basis = Basis("NMC", 0.97, "recognised", 31.0, "stated", "2-RC with hysteresis")
    return AnalysisStatus(basis, Settings(), health, risks, ("",), 0)


def run_of(status: AnalysisStatus, number: int = 1) -> Analysis:
    """The same as one of a view's runs."""
    health = status.health
    assert health is not None
    verdict = Verdict("NOT_ENOUGH_DATA", ("verdict.not_enough_data", {}), ("action.wait", {}))
    soc = {name: health.cells[name][np.newaxis] for name in ("soc", "soc_sigma")}
    return Analysis(
        number=number,
        created="",
        software="",
        settings=status.settings,
        basis=status.basis,
        cells=health.count,
        labels=(),
        estimates={"time": np.array([health.time], np.int64), **soc},
        health=(health,),
        findings=(),
        verdict=verdict,
        risks=status.risks,
    )
