"""How well one day tells the capacity of a cell at all: the Cramer-Rao bound of its difference.

For whoever knew the pack of `_pack_generator` exactly (curve, resistances, temperatures, current)
and of each cell only what healthy ones differ in: start, resistances, leak, sensor offset, cooling,
and an open-circuit curve that lies a smooth unknown 1.2 mV and 0.3 % of SOC beside the mean one.
The derivatives come from the generator itself, by differences. No estimator enters here.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _pack_generator as generator
from benchmarks._pack_generator import Course, Pack
from bms_studio.estimators.pack_curve import hat, matern

Array = NDArray[np.float64]
# What healthy cells of the generator differ in (sigma): SOC, capacity, resistances, leak (of the
# capacity), offset with gain (V), cooling; and their curves: V, SOC, alike over this much SOC.
SPREAD = {
    "start": 0.005,
    "capacity": 0.007,
    "ohmic": 0.03,
    "pairs": 0.03,
    "leak": 2e-5,
    "offset": 0.0015,
    "cooling": 0.1,
}
CURVE_V, SLIP, ALIKE = 0.0012, 0.003, 0.3
# No model is better than 1 mV, alike for ten minutes; where the curve bends within what a cell lies
# apart, nothing is linear: 0.2 % of SOC times the slope counts as noise.
FLOOR_V, BENT, ALIKE_S = 0.001, 0.002, 600
WINDOW_S, KNOTS, SMALL = 30, 41, 0.3
# A day tells capacity where the bound is below this: 4 % is then 3.3 sigma with the healthy spread.
TELLS = 0.01


@dataclass(frozen=True, slots=True)
class Reach:
    """What the bounds of some days leave possible: areas and shares as `ranking` prints them, the
    last with one healthy cell named in 30 pack-days."""

    auroc: float
    top: float
    named: float


def capacity_sigma(chemistry: str, seed: int, rider: str) -> float:
    """Least sigma of a cell's relative capacity that the first day of this pack allows."""
    pack = generator.with_setting(generator.make_pack(chemistry, seed), 1e-7, 1, rider)
    cells = pack.cells
    sign = np.where(np.arange(cells) % 2 == 0, 1.0, -1.0)
    alike = _alike(pack)
    course = generator.begin(pack, seed)
    first = float(course.soc.mean())
    course.soc[:] = first
    volts, moved = _windows(alike, course, seed)
    soc = first - moved / float(alike.capacity[0])
    columns = {}
    for name, size in SPREAD.items():
        other = generator.begin(pack, seed)
        other.soc[:] = first
        changed = _changed(alike, other, name, SMALL * size * sign)
        # Every second cell goes the other way, so that the pack as a whole stays as it was.
        columns[name] = np.median((_windows(changed, other, seed)[0] - volts) * sign, 1) / SMALL
    slope = columns["start"] / SPREAD["start"]
    knots = np.linspace(0.0, 1.01, KNOTS)
    near = hat(knots, soc)
    table = np.concatenate([np.stack(list(columns.values()), 1), near, near * slope[:, None]], 1)
    precision = np.zeros((table.shape[1],) * 2)
    count = len(columns)
    precision[:count, :count] = np.eye(count)
    at = list(columns).index("capacity")
    precision[at, at] = 1e-9
    tiny = 1e-10 * np.eye(KNOTS)
    middle = count + KNOTS
    precision[count:middle, count:middle] = np.linalg.inv(matern(knots, CURVE_V, ALIKE) + tiny)
    precision[middle:, middle:] = np.linalg.inv(matern(knots, SLIP, ALIKE) + tiny)
    weight = WINDOW_S / ALIKE_S / (FLOOR_V**2 + (BENT * slope) ** 2)
    normal = (table * weight[:, None]).T @ table + precision
    return float(np.sqrt(np.linalg.inv(normal)[at, at]) * SPREAD["capacity"])


def reach(sigmas: Array, loss: float, cells: int = 20, draws: int = 400) -> Reach:
    """What a cell that lost `loss` can be told by on days with these bounds."""
    rng = np.random.default_rng(1)
    well, ill, first, named = [], [], 0, 0
    least = 2.93  # the largest of 20 normal numbers is beyond it once in 30 times
    for sigma in sigmas:
        noise = rng.standard_normal((draws, cells))
        well.append(noise.max(1))
        noise[:, 0] += loss / np.hypot(SPREAD["capacity"], sigma)
        ill.append(noise.max(1))
        first += int(np.count_nonzero(noise.argmax(1) == 0))
        named += int(np.count_nonzero(noise[:, 0] > least))
    ordered = np.sort(np.concatenate(well))
    below = np.searchsorted(ordered, np.concatenate(ill)) / len(ordered)
    total = draws * len(sigmas)
    return Reach(float(below.mean()), first / total, named / total)


def _alike(pack: Pack) -> Pack:
    """The pack with its mean cell at every place."""
    many = pack.cells

    def same(values: Array) -> Array:
        return np.repeat(values.mean(0)[None], many, 0)

    names = ("ocv_v", "capacity", "ohmic", "pairs", "leak_a", "skew")
    mean: dict[str, Any] = {name: same(getattr(pack, name)) for name in names}
    zero, one = np.zeros(many), np.ones(many)
    return replace(pack, **mean, offset_v=zero, gain=one, cooling=one, noise_v=1e-9)


def _changed(pack: Pack, course: Course, name: str, by: Array) -> Pack:
    """The pack with one thing changed by so much per cell; the start changes in `course`."""
    if name == "start":
        course.soc += by
        return pack
    if name == "leak":
        return replace(pack, leak_a=pack.leak_a + by * pack.capacity_ah)
    if name == "offset":
        return replace(pack, offset_v=pack.offset_v + by)
    if name == "pairs":
        return replace(pack, pairs=pack.pairs * (1 + by)[:, None])
    new: dict[str, Any] = {name: getattr(pack, name) * (1 + by)}
    return replace(pack, **new)


def _windows(pack: Pack, course: Course, seed: int) -> tuple[Array, Array]:
    """Voltages (M, N) and charge moved (Ah, M), means over half a minute of the first day."""
    day = generator.simulate_day(pack, course, seed, 0)
    rows = len(day.time_ns) // WINDOW_S
    volts = day.cells_v.astype(np.float64).reshape(rows, WINDOW_S, pack.cells).mean(1)
    current = (day.current_a - pack.current_offset) / pack.current_gain
    moved = np.cumsum(current) / 3600
    return volts, moved.reshape(rows, WINDOW_S).mean(1)
