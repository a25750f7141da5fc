"""When a cell counts as failed, per mode, and how cells of a chemistry usually age.

Numbers with their reason, per chemistry, each editable by name. No measurement enters here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

# A charger's hours a day with cells high enough for the bleeders.
BALANCER_H_PER_DAY = 2.0


@dataclass(frozen=True, slots=True)
class FailureLimits:
    """Limits of failure, what healthy cells of one batch differ in, and usual ageing.

    Limits: resistance_growth: of the 10 s resistance, relative (1 = doubled); sag_margin_v: voltage
    left to the cut-off at the rider's peak current; capacity_loss: relative, against new or, where
    new is not known, against the mean cell; imbalance: state of charge beyond the median;
    leak_per_h: self-discharge as a share of capacity (0.001 = 1 mA/Ah); warmth: temperature rise
    beyond what the cell's heat explains, as a share of the middle rise (1 = twice as warm).
    Spread of healthy cells (1 sigma): spread_resistance, spread_capacity (relative),
    spread_imbalance, spread_leak_per_h, spread_offset_v, spread_warmth (relative), probe_k.
    Usual life: life_cycles and life_years until a limit of ageing is reached, life_spread: relative
    sigma of the batch, cell_spread: relative sigma between cells of one pack.
    balancer_a, balancer_h_per_day: what the bleeders can take out; NaN: as the recording says.
    """

    chemistry: str = ""
    resistance_growth: float = 1.0
    sag_margin_v: float = 0.0
    capacity_loss: float = 0.20
    imbalance: float = 0.05
    leak_per_h: float = 0.001
    spread_resistance: float = 0.05
    spread_capacity: float = 0.01
    spread_imbalance: float = 0.01
    spread_leak_per_h: float = 5e-5
    spread_offset_v: float = 0.0025
    life_cycles: float = 1000.0
    life_years: float = 10.0
    life_spread: float = 0.4
    cell_spread: float = 0.2
    balancer_a: float = float("nan")
    balancer_h_per_day: float = BALANCER_H_PER_DAY
    warmth: float = 1.0
    spread_warmth: float = 0.10
    probe_k: float = 0.15


# Full cycles to 80 % that makers' data sheets promise and long tests show, in round numbers, and
# years of calendar life; both vary by a factor of two with temperature and depth of discharge.
# Healthy spread: 0.2-1.9 % of capacity and 1-5 % of resistance within a batch; self-discharge of
# 1-5 % a month differs by about as much between cells (0.05 mA/Ah = 3.6 % a month). Measuring chips
# are good to 2-5 mV.
_OF_CHEMISTRY: dict[str, dict[str, float]] = {
    "": {},
    "NMC": {},
    "NCA": {"life_cycles": 800.0},
    "LCO": {"life_cycles": 600.0, "life_years": 7.0},
    "LMO": {"life_cycles": 800.0, "life_years": 8.0},
    "LFP": {"life_cycles": 3000.0, "life_years": 13.0},
}
NAMES = tuple(f.name for f in fields(FailureLimits) if f.name != "chemistry")


def failure_limits(
    chemistry: str = "", changes: Mapping[str, float] | None = None
) -> FailureLimits:
    """The usual limits of a chemistry ("" or one that is not known: the general ones) with
    `changes` by name.

    Raises ValueError for a name that is none of NAMES and for a limit that is not above zero
    (sag_margin_v may be negative).
    """
    key = chemistry.strip().upper()
    stated: dict[str, Any] = dict(changes or {})
    for name, value in stated.items():
        if name not in NAMES:
            raise ValueError(f"'{name}' is no limit of failure: there are {', '.join(NAMES)}")
        if name not in ("sag_margin_v", "balancer_a") and not value > 0:
            raise ValueError(f"the limit {name} must be above zero, not {value}")
    usual: dict[str, Any] = {**_OF_CHEMISTRY.get(key, {}), **stated}
    return replace(FailureLimits(key), **usual)
