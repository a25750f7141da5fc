"""Two visits of one pack: what changed in each cell, with sigma, or why nobody can say.

Resistances are compared as both evaluations give them, at 25 degC and 50 %; what that cannot make
alike (far temperatures, another chemistry or number of cells) makes a quantity not comparable.
Numbers and codes only. No Qt, no files.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.health import Health

QUANTITIES = (
    "resistance_ohm",
    "capacity_ah",
    "leak_a",
    "imbalance",
    "rest_voltage_v",
    "sag_margin_v",
)
# Arrhenius with 30 kJ/mol uncertain by a fifth is 4 % of resistance after 15 K.
_FAR_K = 15.0
# The shape of resistance over charge is known to a tenth between 20 % and 90 %.
_FAR_SOC = 0.4
# Rest voltages compare cells only at like charge: the curve's slope differs along it.
_NEAR_SOC = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One quantity: before, now, now minus before and its sigma, (N,) each, NaN unknown. reason:
    "" or the code of why it cannot be compared, with its parameters."""

    quantity: str
    before: NDArray[np.float64]
    now: NDArray[np.float64]
    difference: NDArray[np.float64]
    sigma: NDArray[np.float64]
    reason: str = ""
    parameters: tuple[tuple[str, float | str | int], ...] = ()

    @property
    def significance(self) -> NDArray[np.float64]:
        """Differences in sigmas."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.difference / self.sigma, np.float64)


def compare(before: Health, now: Health) -> tuple[Change, ...]:
    """Every quantity of QUANTITIES; the pack's common change of resistance included."""
    if before.count != now.count:
        facts = (("before", before.count), ("now", now.count))
        return tuple(_refused(now.count, name, "compare.cells", facts) for name in QUANTITIES)
    if before.chemistry and now.chemistry and before.chemistry != now.chemistry:
        words = (("before", before.chemistry), ("now", now.chemistry))
        return tuple(_refused(now.count, name, "compare.chemistry", words) for name in QUANTITIES)
    return tuple(_compared(before, now, name) for name in QUANTITIES)


def _compared(before: Health, now: Health, name: str) -> Change:
    first, second = before.values(name), now.values(name)
    if not np.isfinite(first).any():
        return _refused(now.count, name, "compare.unknown_before", ())
    if not np.isfinite(second).any():
        return _refused(now.count, name, "compare.unknown_now", ())
    apart_k = abs(before.of_pack("temperature_degc") - now.of_pack("temperature_degc"))
    apart_soc = abs(before.of_pack("soc") - now.of_pack("soc"))
    if name in ("resistance_ohm", "sag_margin_v") and apart_k > _FAR_K:
        return _refused(now.count, name, "compare.temperature", (("apart_k", apart_k),))
    if name in ("resistance_ohm", "sag_margin_v") and apart_soc > _FAR_SOC:
        return _refused(now.count, name, "compare.charge", (("apart_percent", 100 * apart_soc),))
    if name == "rest_voltage_v":
        if math.isnan(apart_soc) or apart_soc > _NEAR_SOC:
            percent = 100 * apart_soc if math.isfinite(apart_soc) else math.nan
            return _refused(now.count, name, "compare.charge", (("apart_percent", percent),))
        # The mean follows the charge: only what a cell is beside the others can be compared.
        first, second = first - np.nanmedian(first), second - np.nanmedian(second)
    if name == "leak_a":
        # Told against the mean cell, which one leaking cell moves: the others have not changed.
        first, second = first - np.nanmedian(first), second - np.nanmedian(second)
    sigma = np.hypot(before.sigma(name), now.sigma(name))
    return Change(name, first, second, second - first, sigma)


def _refused(
    count: int, name: str, reason: str, facts: tuple[tuple[str, float | str | int], ...]
) -> Change:
    unknown = np.full(count, np.nan)
    return Change(name, unknown, unknown, unknown, unknown, reason, facts)
