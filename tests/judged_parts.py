"""A judged pack for tests of what shows a diagnosis: health, visits, risks and a verdict."""

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.contract import AnalysisStatus, Basis
from bms_studio.diagnosis.contract import CellRisk, LeadTime, Verdict
from bms_studio.pack.health import Health

DAY_NS = 86_400_000_000_000
VERDICT = Verdict(
    "REPAIR",
    ("dips.one_cell", {"cell": 13, "depth_mv": 49.0}),
    ("action.wait", {}),
    (("check.capacity", {}), ("check.self_discharge", {})),
    (("check.temperature_limits", {}),),
)


def health_of(time: int, cells: int = 20, grown: float = 1.0, weak: int = 13) -> Health:
    """An evaluation in which one cell has `grown` times the resistance of the others."""
    noise = np.random.default_rng(cells)

    def spread(middle: float, sigma: float) -> NDArray[np.float64]:
        return middle + noise.normal(0, sigma, cells)

    values = {
        "soc": spread(0.40, 0.004),
        "rest_voltage_v": spread(3.62, 0.003),
        "capacity_ah": spread(31, 0.2),
        "resistance_ohm": spread(1.5e-3, 3e-5),
        "leak_a": spread(0, 1e-4),
        "sag_margin_v": spread(0.4, 0.01),
    }
    values["resistance_ohm"][min(weak, cells) - 1] *= grown
    sigmas = {f"{name}_sigma": np.full(cells, np.std(v) + 1e-6) for name, v in values.items()}
    pack = {
        "soc": 0.406,
        "soc_sigma": 0.009,
        "soh": 0.91,
        "soh_sigma": 0.02,
        "temperature_degc": 24.0,
        "observed_s": 840.0,
        "usable_wh": 950.0,
        "costs_wh": 210.0,
        "limiting_cell": float(min(weak, cells)),
    }
    return Health(
        time, time - 840_000_000_000, cells, {**values, **sigmas}, pack, serial="SIM-0233"
    )


def judged(time: int, cells: int = 20, weak: int = 13) -> AnalysisStatus:
    """A pack with one cell that fails first, seen three times."""
    risks = [CellRisk(k + 1, 0.01, k + 2) for k in range(cells)]
    risks[weak - 1] = CellRisk(
        weak,
        0.9,
        1,
        "resistance",
        0.87,
        (LeadTime("cycles", 18, 27, 41), LeadTime("days", 9, 13, 20)),
        ("dips.one_cell", {"cell": weak, "depth_mv": 49.0}),
        ({"quantity": "resistance", "text": "+91 % ± 4 % against the median"},),
        (("sensor.stuck", {"cell": weak}),),
        ("action.wait", {}),
    )
    visits = (
        health_of(time - 80 * DAY_NS, cells, 1.05, weak),
        health_of(time - 40 * DAY_NS, cells, 1.4, weak),
    )
    return AnalysisStatus(
        basis=Basis("NMC", 1.0, "stated", 31.0, "stated", "usual NMC"),
        health=health_of(time, cells, 1.91, weak),
        risks=tuple(risks),
        visits=visits,
    )
