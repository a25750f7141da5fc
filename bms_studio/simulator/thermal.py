"""Heat in a row of cells: one lump per cell, conduction to its neighbours, loss to the ambient.

Knows watts and degrees only: no current, no fault names. C dT/dt = heat - hA (T - T_amb) - sum of
G (T - T_neighbour); neighbours are the next cells of the same module.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Heat:
    """N cells. capacity_j_k: J/K; loss_w_k: float64[N] to the ambient; coupling_w_k: float64[N - 1]
    between cell k and k + 1 (zero between modules); temperature_degc: float64[N], the state."""

    ambient_degc: float
    capacity_j_k: float
    loss_w_k: Floats
    coupling_w_k: Floats
    temperature_degc: Floats


def warm(heat: Heat, power_w: Floats, duration_s: float) -> None:
    """Advance by `duration_s` under `power_w` (N,), in explicit steps short enough to be stable."""
    stiffest = float(heat.loss_w_k.max()) + 2.0 * float(heat.coupling_w_k.max(initial=0.0))
    steps = max(1, int(np.ceil(duration_s * stiffest / heat.capacity_j_k * 4.0)))
    for _ in range(steps):
        flow = heat.coupling_w_k * np.diff(heat.temperature_degc)
        net = power_w - heat.loss_w_k * (heat.temperature_degc - heat.ambient_degc)
        net[:-1] += flow
        net[1:] -= flow
        heat.temperature_degc = heat.temperature_degc + net * (
            duration_s / steps / heat.capacity_j_k
        )


def steady(heat: Heat, power_w: Floats) -> Floats:
    """The temperatures (N,) at which `power_w` is carried away exactly."""
    count = len(power_w)
    matrix = np.diag(heat.loss_w_k)
    inner = np.arange(count - 1)
    for a, b in ((inner, inner + 1), (inner + 1, inner)):
        matrix[a, a] += heat.coupling_w_k
        matrix[a, b] -= heat.coupling_w_k
    rise = np.linalg.solve(matrix, power_w).astype(np.float64)
    return rise + heat.ambient_degc


def probe_cells(cells: int, probes: int) -> NDArray[np.int64]:
    """Cell index (from 0) on which each probe is glued: spread evenly along the string."""
    return np.rint((np.arange(probes) + 0.5) * cells / probes).astype(np.int64).clip(max=cells - 1)
