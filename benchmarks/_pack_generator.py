"""Days of packs with known faults, fast, by a model that is not the estimators'.

Three RC pairs with their own dependence on SOC and temperature, hysteresis with a sudden and a slow
part, a thermal model of every cell and its neighbours, open-circuit curves of other makers' cells
than the estimator's table and a little different from cell to cell, a BMS that charges by CC-CV
and bleeds, riders of different temper, and sensors with offset, gain, noise, steps and a scan that
takes time. Nothing here imports an estimator.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks._cell_data import FOLDER, ocv_table
from benchmarks._riders import DAY_S, SCHEDULES
from bms_studio.pack.chemistry import load_chemistry

Array = NDArray[np.float64]
START_NS = 1_704_067_200_000_000_000  # a midnight
# Tables of other cells than the one that the estimator's chemistry was made from.
_TABLES = {
    "NMC": (
        "ocv_E2_NMC_measured.csv",
        "pocv_Samsung-INR2170040T_measured.csv",
        "pocv_Molicel-INR18650P28A_measured.csv",
        "ocv_Mohtat2020.csv",
    ),
    "LFP": ("ocv_A123_26650_LFP_measured.csv", "pocv_LithiumWerks-APR18650M1B_measured.csv"),
}
_TOP = {"NMC": (4.2, 2.8, 4.1), "LFP": (3.65, 2.5, 3.45)}
FAULTS = ("resistance", "capacity", "leak", "joint", "offset")


@dataclass(frozen=True, slots=True)
class Fault:
    """kind: one of FAULTS; cell from 0; size: share of resistance or capacity, mA/Ah, share of the
    ohmic resistance, V."""

    kind: str
    cell: int
    size: float


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """What one pack is; arrays per cell (N,), curves (N, 201) over SOC 0..1."""

    chemistry: str
    cells: int
    capacity_ah: float
    curve: str
    ocv_v: Array
    capacity: Array
    ohmic: Array
    pairs: Array
    taus: Array
    activation: Array
    hysteresis_v: float
    leak_a: Array
    joint_ohm: Array
    offset_v: Array
    gain: Array
    skew: Array
    cooling: Array
    bleed_a: float
    current_gain: float
    current_offset: float
    current_lag: float
    ambient: float
    temper: float
    noise_v: float = 0.0008
    step_v: float = 0.001
    period_s: int = 1
    probes: int = 4
    probe_k: float = 0.5
    warming: float = 0.009
    coupling: float = 0.01
    rider: str = "commuter"


@dataclass(slots=True, eq=False)
class Course:
    """What goes on from day to day: SOC (N,), temperature (N,), hysteresis (N,)."""

    soc: Array
    temperature: Array
    hysteresis: Array
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """What a BMS reported: time_ns (T,), current_a (T,), cells_v (T, N) float32, probes_degc
    (T, 4), balancing (T, N) float32; lowest_v: of any cell, spread_v: largest between two cells
    outside of charges (at a charge's end healthy LFP cells are 300 mV apart), both true."""

    time_ns: NDArray[np.int64]
    current_a: Array
    cells_v: NDArray[np.float32]
    probes_degc: Array
    balancing: NDArray[np.float32]
    lowest_v: float
    spread_v: float


def make_pack(chemistry: str, seed: int, cells: int = 20) -> Pack:
    """A healthy pack: what cells of one batch differ in, with this seed."""
    rng = np.random.default_rng([seed, 11])
    name, base = _curve(chemistry, rng)
    capacity_ah = float(rng.uniform(10, 40))
    ohm_v = float(rng.uniform(0.02, 0.045) if chemistry == "LFP" else rng.uniform(0.045, 0.1))
    r0 = ohm_v / capacity_ah
    soc = np.linspace(0, 1, base.size)
    curves = np.empty((cells, base.size))
    for k in range(cells):
        # Electrodes that slipped a little against each other, and a smooth difference of 1 mV.
        stretch = 0.003 * rng.standard_normal(2)
        where = soc + stretch[0] * soc * (1 - soc) * 4 + stretch[1] * np.sin(2 * np.pi * soc) / 2
        wave = 0.001 * rng.standard_normal(3) @ np.sin(np.pi * np.outer(np.arange(1, 4), soc))
        curves[k] = np.interp(np.clip(where, 0, 1), soc, base) + wave
    ohmic = r0 * (1 + 0.03 * rng.standard_normal(cells))
    shares = np.array([0.35, 0.3, 0.6]) * rng.uniform(0.7, 1.3, 3)
    pairs = shares * r0 * (1 + 0.03 * rng.standard_normal((cells, 1)))
    taus = np.array([2.0, 25.0, 700.0]) * rng.uniform(0.7, 1.4, 3)
    return Pack(
        chemistry,
        cells,
        capacity_ah,
        name,
        curves,
        capacity_ah * (1 + 0.02 * rng.standard_normal() + 0.007 * rng.standard_normal(cells)),
        ohmic,
        pairs,
        taus,
        np.array([rng.uniform(15, 28), rng.uniform(30, 50)]) * 1000,
        float(rng.uniform(0.008, 0.018) if chemistry == "LFP" else rng.uniform(0.0, 0.006)),
        capacity_ah * 2e-5 * np.abs(rng.standard_normal(cells)),
        np.zeros(cells),
        0.001 * rng.standard_normal(cells),
        1 + 0.0003 * rng.standard_normal(cells),
        np.linspace(0, rng.uniform(0.05, 0.4), cells),
        1 + 0.1 * rng.standard_normal(cells),
        float(rng.choice([0.05, 0.1, 0.2])),
        float(1 + 0.005 * rng.standard_normal()),
        float(0.002 * capacity_ah * rng.standard_normal()),
        float(rng.uniform(0, 0.3)),
        float(rng.uniform(5, 30)),
        float(rng.uniform(0.6, 1.6)),
    )


def with_fault(pack: Pack, fault: Fault, share: float = 1.0) -> Pack:
    """The pack with this share of the fault grown so far."""
    k, size = fault.cell, fault.size * share
    if fault.kind == "resistance":
        ohmic, pairs = pack.ohmic.copy(), pack.pairs.copy()
        ohmic[k] *= 1 + size
        pairs[k] *= 1 + size
        return replace(pack, ohmic=ohmic, pairs=pairs)
    changed = {
        "capacity": ("capacity", pack.capacity[k] * (1 - size)),
        "leak": ("leak_a", pack.leak_a[k] + size * 1e-3 * pack.capacity_ah),
        "joint": ("joint_ohm", size * float(np.median(pack.ohmic))),
        "offset": ("offset_v", pack.offset_v[k] + size),
        "cooling": ("cooling", pack.cooling[k] * (1 - size)),
    }
    name, value = changed[fault.kind]
    array = np.array(getattr(pack, name))
    array[k] = value
    new: dict[str, Any] = {name: array}
    return replace(pack, **new)


def with_probes(pack: Pack, step_k: float) -> Pack:
    """The pack with a probe at every cell, of this resolution, and cells that air keeps apart: they
    warm up by some kelvin and hardly warm each other."""
    return replace(pack, probes=pack.cells, probe_k=step_k, warming=0.025, coupling=0.001)


def swapped(pack: Pack, a: int, b: int) -> Pack:
    """The pack with the cells of two places exchanged; sensors stay where they are."""
    order = np.arange(pack.cells)
    order[[a, b]] = order[[b, a]]
    names = ("ocv_v", "capacity", "ohmic", "pairs", "leak_a")
    return replace(pack, **{n: getattr(pack, n)[order] for n in names})


def begin(pack: Pack, seed: int) -> Course:
    """The pack on the morning of its first day."""
    rng = np.random.default_rng([seed, 12])
    soc = np.clip(rng.uniform(0.9, 0.97) + 0.005 * rng.standard_normal(pack.cells), 0, 0.99)
    return Course(soc, np.full(pack.cells, pack.ambient), np.zeros(pack.cells))


def simulate_day(pack: Pack, course: Course, seed: int, day: int) -> Day:
    """24 h at 1 Hz (or one sample in `period_s`). A commuter: two rides that take 35 to 75 % of the
    charge together, a charge in the evening, rest between. A delivery: two or three rides that each
    take 60 to 85 %, a charge after each. `course` goes on to the next midnight."""
    rng = np.random.default_rng([seed, 13, day])
    demand, charging = SCHEDULES[pack.rider](pack.temper, rng)
    top, bottom, bleed_from = _TOP[pack.chemistry]
    ambient = pack.ambient + 3 * rng.standard_normal()
    noise = rng.standard_normal((DAY_S, pack.cells)).astype(np.float32)
    current = np.zeros(DAY_S)
    volts = np.zeros((DAY_S, pack.cells), np.float32)
    probes = np.zeros((DAY_S, pack.probes))
    bleeding = np.zeros((DAY_S, pack.cells), np.float32)
    flicker = 1 + 0.1 * np.repeat(rng.standard_normal(DAY_S // 20 + 1), 20)[:DAY_S]
    lowest, spread = _simulate(
        demand * pack.capacity_ah,
        charging * pack.capacity_ah,
        np.array(
            [
                *(top, bottom, bleed_from, pack.bleed_a, pack.hysteresis_v),
                *(ambient, pack.noise_v, pack.warming, pack.coupling),
            ]
        ),
        pack.ocv_v,
        pack.capacity,
        pack.ohmic,
        pack.pairs,
        pack.taus,
        pack.activation,
        pack.leak_a,
        pack.joint_ohm,
        pack.offset_v,
        pack.gain,
        pack.skew,
        pack.cooling,
        flicker,
        course.soc,
        course.temperature,
        course.hysteresis,
        noise,
        current,
        volts,
        probes,
        bleeding,
    )
    late = np.concatenate([current[:1], current[:-1]])
    seen = (1 - pack.current_lag) * current + pack.current_lag * late
    seen = seen * pack.current_gain + pack.current_offset
    seen += 0.001 * pack.capacity_ah * rng.standard_normal(DAY_S)
    rows = slice(None, None, pack.period_s)
    step = pack.step_v
    time = START_NS + (day * DAY_S + np.arange(DAY_S, dtype=np.int64)) * 1_000_000_000
    return Day(
        time[rows],
        np.round(seen, 2)[rows],
        (np.round(volts[rows] / step) * step).astype(np.float32),
        np.round(probes[rows] / pack.probe_k) * pack.probe_k,
        bleeding[rows],
        float(lowest),
        float(spread),
    )


def skip_days(pack: Pack, course: Course, days: float) -> None:
    """What leaks and bleeders do on days that nobody records: leaks drain, every charge bleeds the
    fullest for two hours."""
    course.soc -= pack.leak_a * 24 * days / pack.capacity
    floor = course.soc.min()
    able = pack.bleed_a * 2 * days / pack.capacity
    course.soc -= np.minimum(np.maximum(course.soc - floor - 0.003, 0), able)
    course.soc += min(0.95 - course.soc.max(), 0.0) if course.soc.max() > 0.97 else 0.0
    np.clip(course.soc, 0.02, 0.99, out=course.soc)


def _curve(chemistry: str, rng: np.random.Generator) -> tuple[str, Array]:
    """Name and 201 points of another maker's cell; without the data folder the built-in curve,
    bent by up to 15 mV."""
    grid = np.linspace(0, 1, 201)
    if (FOLDER / "ocv").is_dir():
        name = str(rng.choice(_TABLES[chemistry]))
        table = ocv_table(name)
        return name, np.interp(grid, np.linspace(0, 1, len(table)), table)
    own = load_chemistry(chemistry)
    bent = np.interp(grid, own.soc, own.ocv_v)
    return "built-in, bent", bent + 0.015 * np.sin(3 * np.pi * grid) * rng.standard_normal()


@njit(nogil=True, cache=True)
def _simulate(
    demand: Any,
    charging: Any,
    numbers: Any,
    ocv: Any,
    capacity: Any,
    ohmic: Any,
    pairs: Any,
    taus: Any,
    activation: Any,
    leak: Any,
    joint: Any,
    offset: Any,
    gain: Any,
    skew: Any,
    cooling: Any,
    flicker: Any,
    soc: Any,
    temperature: Any,
    hysteresis: Any,
    noise: Any,
    current: Any,
    volts: Any,
    probes: Any,
    bleeding: Any,
) -> tuple[float, float]:
    """A day, second by second; state arrays change in place. Lowest voltage and largest spread."""
    top, bottom, bleed_from, bleed_a, hyst_v, ambient, noise_v, warming, coupling = numbers
    seconds, cells = volts.shape
    points = ocv.shape[1] - 1
    x = np.zeros((cells, 3))
    warm = np.ones((cells, 2))
    shape = np.ones(cells)
    bleed = np.zeros(cells)
    true_v = np.zeros(cells)
    before = np.zeros(cells)
    lowest, spread = 9.0, 0.0
    cv_current, full, stopped = -1.0, False, False
    for t in range(seconds):
        i = demand[t]
        if t > 0 and i > 0 and stopped:
            i = 0.0  # the BMS ended the ride
        if charging[t] == 0:
            full, cv_current = False, -1.0
        if charging[t] > 0:
            stopped = False
            if full:
                i = 0.0
            else:
                i = -charging[t] if cv_current < 0 else -cv_current
        if t % 10 == 0:
            ambient_now = ambient + 3.0 * np.sin(2 * np.pi * (t / 86400.0 - 0.35))
            for k in range(cells):
                kelvin = temperature[k] + 273.15
                inverse = (1 / kelvin - 1 / 298.15) / 8.314
                warm[k, 0] = np.exp(activation[0] * inverse)
                warm[k, 1] = np.exp(activation[1] * inverse)
                z = soc[k]
                shape[k] = 0.92 + 0.5 * (1 - z) ** 6 + 0.25 * (z - 0.5) ** 2
                left = temperature[max(k - 1, 0)]
                right = temperature[min(k + 1, cells - 1)]
                heat = i * i * (ohmic[k] + pairs[k, 0]) * warm[k, 0] / capacity[k]
                lost = 0.004 * cooling[k] * (temperature[k] - ambient_now)
                lost += coupling * (temperature[k] - 0.5 * (left + right))
                temperature[k] += 10.0 * (heat * warming - 0.05 * lost)
        high, low = -9.0, 9.0
        for k in range(cells):
            drawn = i + leak[k] + bleed[k]
            soc[k] = soc[k] - drawn / 3600.0 / capacity[k]
            z = min(max(soc[k], 0.0), 1.0)
            rate = 25.0 * abs(drawn) / 3600.0 / capacity[k]
            if abs(drawn) > 0.002 * capacity[k]:
                hysteresis[k] += rate * (-np.sign(drawn) - hysteresis[k])
            at = z * points
            low_at = min(int(at), points - 1)
            v = ocv[k, low_at] + (at - low_at) * (ocv[k, low_at + 1] - ocv[k, low_at])
            if soc[k] > 1.0:
                v += 3.0 * (soc[k] - 1.0)
            if soc[k] < 0.0:
                v += 12.0 * soc[k]
            v += hyst_v * hysteresis[k]
            for j in range(3):
                x[k, j] += (drawn - x[k, j]) / taus[j]
                v -= pairs[k, j] * x[k, j] * (warm[k, 1] if j else warm[k, 0]) * shape[k]
            v -= i * (ohmic[k] * warm[k, 0] * (0.5 + 0.5 * shape[k]) + joint[k] * flicker[t])
            true_v[k] = v
            high, low = max(high, v), min(low, v)
            shown = v - skew[k] * (v - before[k]) if t else v
            before[k] = v
            volts[t, k] = shown * gain[k] + offset[k] + noise_v * noise[t, k]
            bleeding[t, k] = 1.0 if bleed[k] > 0 else 0.0
        if low < bottom and i > 0:
            stopped = True
        lowest = min(lowest, low)
        if i >= 0 and charging[t] == 0:
            spread = max(spread, high - low)
        if charging[t] > 0 and not full:
            if high > top:
                cv_current = (charging[t] if cv_current < 0 else cv_current) * 0.985
            if 0 <= cv_current < 0.04 * capacity[0]:
                full = True
        if t % 60 == 0:
            floor = volts[t].min()
            for k in range(cells):
                on = charging[t] > 0 and volts[t, k] > bleed_from and volts[t, k] > floor + 0.006
                bleed[k] = bleed_a if on else 0.0
        current[t] = i
        for p in range(probes.shape[1]):
            # As many as cells: each its own; else each between two.
            k = p if probes.shape[1] == cells else (2 * p + 1) * cells // (2 * probes.shape[1])
            beside = k if probes.shape[1] == cells else min(k + 1, cells - 1)
            probes[t, p] = 0.5 * (temperature[k] + temperature[beside])
    return lowest, spread


def with_setting(pack: Pack, step_v: float, period_s: int, rider: str = "commuter") -> Pack:
    """The pack behind coarser or slower sensors, ridden by this one of `SCHEDULES`."""
    return replace(pack, step_v=step_v, period_s=period_s, rider=rider)
