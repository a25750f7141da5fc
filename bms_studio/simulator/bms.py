"""The pack's own electronics: measures, balances, limits, protects, and counts charge naively.

It sees the pack only through its sensors (noise, offset, 1 mV steps, cells read one after another)
and is as wrong as such electronics are: its charge counter drifts and knows no single cell. Nothing
here knows a bus or a protocol.
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from bms_studio.pack.chemistry import Chemistry
from bms_studio.simulator.cell import Floats
from bms_studio.simulator.pack import (
    STEP_S,
    Pack,
    PackBlock,
    cell_voltages,
    probe_temperatures,
    string_voltage,
)

# Sensors
_CELL_NOISE_V = 0.0005
_CELL_STEP_V = 0.001
_CURRENT_NOISE_A = 0.04
_CURRENT_STEP_A = 0.010
_CURRENT_OFFSET_A = 0.12
_CURRENT_GAIN = 1.004
_PACK_NOISE_V = 0.004
_PACK_STEP_V = 0.010
_PROBE_NOISE_K = 0.04
_PROBE_STEP_K = 0.1
_SCAN_SHARE = 0.8  # of the scan period goes by while the cells are read
_SOC_ERROR = 0.055  # of the charge counter when the simulation begins

# Balancing
_BLEED_OHM = 66.0
_BALANCE_START_V = 0.009
_BALANCE_STOP_V = 0.005
_BALANCE_FLOOR_V = 0.30  # above the lower limit: a cell that is nearly empty is left alone
_QUIET_A = 2.0
_QUIET_S = 5.0  # of little current before cells are compared: readings have settled

# Limits, per Ah of capacity
_DISCHARGE_PER_AH = 2.6
_CHARGE_PER_AH = 0.65
_SHORT_TERM_OHM_AH = 0.062  # resistance the BMS believes every cell to have, times Ah


class Protection(IntFlag):
    """Why the pack refuses, in the bit order that the scooter protocol documents."""

    CELL_OVERVOLTAGE = 1
    CELL_UNDERVOLTAGE = 2
    OVERCURRENT_CHARGE = 4
    OVERCURRENT_DISCHARGE = 8
    OVERTEMPERATURE = 16
    UNDERTEMPERATURE = 32
    SHORT_CIRCUIT = 64
    SENSOR_FAULT = 128


_DEBOUNCE_S = {
    Protection.CELL_OVERVOLTAGE: 1.0,
    Protection.CELL_UNDERVOLTAGE: 1.0,
    Protection.OVERCURRENT_CHARGE: 0.5,
    Protection.OVERCURRENT_DISCHARGE: 0.5,
    Protection.OVERTEMPERATURE: 2.0,
    Protection.UNDERTEMPERATURE: 2.0,
    Protection.SHORT_CIRCUIT: 0.0,
}
_RELEASE_S = 10.0
_WARN_BEFORE = 0.05  # V, or A per Ah, or 2.5 degC before the limit
_NO_CHARGE = (
    Protection.CELL_OVERVOLTAGE
    | Protection.OVERCURRENT_CHARGE
    | Protection.OVERTEMPERATURE
    | Protection.UNDERTEMPERATURE
)
_NO_DISCHARGE = (
    Protection.CELL_UNDERVOLTAGE | Protection.OVERCURRENT_DISCHARGE | Protection.OVERTEMPERATURE
)


@dataclass(slots=True, eq=False)
class Bms:
    """State of the electronics. balancing: bool[N] as commanded; limits in A, both >= 0."""

    chemistry: Chemistry
    capacity_ah: float
    random: np.random.Generator
    balancing: NDArray[np.bool_]
    soc: float
    charge_limit_a: float
    discharge_limit_a: float
    faults: Protection
    warnings: Protection
    pending_s: dict[Protection, float]
    clear_s: dict[Protection, float]
    derating: bool = False
    quiet_s: float = 0.0
    discharged_ah: float = 0.0
    charged_ah: float = 0.0
    discharged_wh: float = 0.0
    charged_wh: float = 0.0

    @property
    def charge_allowed(self) -> bool:
        """Whether the charging path is closed."""
        return not self.faults & (_NO_CHARGE | Protection.SHORT_CIRCUIT)

    @property
    def discharge_allowed(self) -> bool:
        """Whether the discharging path is closed."""
        return not self.faults & (_NO_DISCHARGE | Protection.SHORT_CIRCUIT)


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What the sensors said in one block.

    scan_point: int64[S, N] grid point at which each cell was read; cell_v: float64[S, N];
    pack_point: int64[P]; pack_v, current_a, soc: float64[P]; probe_degc: float64[probes];
    board_degc: one number.
    """

    scan_point: NDArray[np.int64]
    cell_v: Floats
    pack_point: NDArray[np.int64]
    pack_v: Floats
    current_a: Floats
    soc: Floats
    probe_degc: Floats
    board_degc: float


def build_bms(pack: Pack) -> Bms:
    """Electronics for `pack`, with an initial error of its charge counter."""
    spec = pack.spec
    soc = float(np.clip(pack.cells.soc.mean() + _SOC_ERROR, 0.0, 1.0))
    return Bms(
        pack.cells.chemistry,
        spec.capacity_ah,
        np.random.default_rng((spec.seed, 5)),
        np.zeros(spec.cells, np.bool_),
        soc,
        _CHARGE_PER_AH * spec.capacity_ah,
        _DISCHARGE_PER_AH * spec.capacity_ah,
        Protection(0),
        Protection(0),
        dict.fromkeys(_DEBOUNCE_S, 0.0),
        dict.fromkeys(_DEBOUNCE_S, 0.0),
    )


def bleed_current(bms: Bms, pack: Pack) -> Floats:
    """What the bleed resistors draw from each cell (N,), A: commanded ones and stuck ones."""
    on = np.maximum(bms.balancing.astype(np.float64), pack.stuck)
    current: Floats = on * (bms.chemistry.cell_voltage_max * 0.88 / _BLEED_OHM)
    return current


def measure(bms: Bms, pack: Pack, block: PackBlock, scan_steps: int, pack_steps: int) -> Readings:
    """Read all sensors over one block: cells every `scan_steps` ms, pack every `pack_steps` ms."""
    count, cells = len(block.cells.current_a), pack.spec.cells
    skew = (np.arange(cells) * (_SCAN_SHARE * scan_steps / cells)).astype(np.int64)
    scan_point = np.arange(0, count, scan_steps)[:, np.newaxis] + skew
    noise = bms.random.normal(0.0, _CELL_NOISE_V, scan_point.shape)
    cell_v = cell_voltages(pack, block, scan_point) + pack.sensor_v + noise
    pack_point = np.arange(0, count, pack_steps)
    pack_v = string_voltage(pack, block, pack_point)
    pack_v = pack_v + bms.random.normal(0.0, _PACK_NOISE_V, len(pack_point))
    current = block.cells.current_a[pack_point] * _CURRENT_GAIN + _CURRENT_OFFSET_A
    current = current + bms.random.normal(0.0, _CURRENT_NOISE_A, len(pack_point))
    current = _quantise(current, _CURRENT_STEP_A)
    soc = _count_charge(bms, current, pack_v, pack_steps * STEP_S)
    probes = probe_temperatures(pack)
    probes = probes + bms.random.normal(0.0, _PROBE_NOISE_K, len(probes))
    bleeding = float(np.count_nonzero(bms.balancing))
    board = pack.spec.ambient_degc + 6.0 + min(bleeding * 1.5, 20.0)
    return Readings(
        scan_point,
        np.maximum(_quantise(cell_v, _CELL_STEP_V), 0.0),
        pack_point,
        _quantise(pack_v, _PACK_STEP_V),
        current,
        soc,
        _quantise(probes, _PROBE_STEP_K),
        float(_quantise(np.array([board]), _PROBE_STEP_K)[0]),
    )


def decide(bms: Bms, readings: Readings, duration_s: float) -> None:
    """Protection, limits and balancing after a block of `duration_s`, from what was measured."""
    low = np.median(readings.cell_v, axis=0) if len(readings.cell_v) > 2 else readings.cell_v.min(0)
    current = float(readings.current_a.mean())
    _protect(bms, readings, low, current, duration_s)
    _limit(bms, readings, low, current)
    _balance(bms, readings, low, duration_s)
    if (
        low.max() > bms.chemistry.cell_voltage_max - 0.03
        and -0.06 < current / bms.capacity_ah < 0.0
    ):
        bms.soc = 1.0  # full charge: the only moment at which the counter is put right


def _quantise(values: Floats, step: float) -> Floats:
    result: Floats = np.round(values / step) * step
    return result


def _count_charge(bms: Bms, current_a: Floats, pack_v: Floats, step_s: float) -> Floats:
    """Naive coulomb counting with the rated capacity; also the lifetime counters."""
    soc: Floats = bms.soc - np.cumsum(current_a) * (step_s / (3600.0 * bms.capacity_ah))
    soc = np.clip(soc, 0.0, 1.0)
    bms.soc = float(soc[-1])
    hours = step_s / 3600.0
    power = current_a * pack_v
    bms.discharged_ah += float(current_a.clip(min=0.0).sum()) * hours
    bms.charged_ah -= float(current_a.clip(max=0.0).sum()) * hours
    bms.discharged_wh += float(power.clip(min=0.0).sum()) * hours
    bms.charged_wh -= float(power.clip(max=0.0).sum()) * hours
    return soc


def _protect(
    bms: Bms, readings: Readings, cell_v: Floats, current_a: float, duration_s: float
) -> None:
    """Trip after the debounce time, release ten seconds after the cause with hysteresis is gone."""
    chemistry, ampere_hours = bms.chemistry, bms.capacity_ah
    hottest, coldest = float(readings.probe_degc.max()), float(readings.probe_degc.min())
    beyond = {
        Protection.CELL_OVERVOLTAGE: float(cell_v.max()) - (chemistry.cell_voltage_max + 0.04),
        Protection.CELL_UNDERVOLTAGE: (chemistry.cell_voltage_min - 0.10) - float(cell_v.min()),
        Protection.OVERCURRENT_CHARGE: -current_a / ampere_hours - 1.0,
        Protection.OVERCURRENT_DISCHARGE: current_a / ampere_hours - 3.3,
        Protection.OVERTEMPERATURE: (hottest - (chemistry.temperature_max + 5.0)) / 50.0,
        Protection.UNDERTEMPERATURE: (chemistry.temperature_min - coldest) / 50.0,
        Protection.SHORT_CIRCUIT: float(readings.current_a.max()) / ampere_hours - 12.0,
    }
    bms.warnings = Protection(0)
    for fault, excess in beyond.items():
        if excess > -_WARN_BEFORE:
            bms.warnings |= fault
        if excess > 0.0:
            bms.pending_s[fault] += duration_s
            bms.clear_s[fault] = 0.0
            if bms.pending_s[fault] > _DEBOUNCE_S[fault]:
                bms.faults |= fault
        else:
            bms.pending_s[fault] = 0.0
            # a tenth of a volt, five degrees, a tenth of the rated current back
            bms.clear_s[fault] = bms.clear_s[fault] + duration_s if excess < -0.1 else 0.0
            if bms.clear_s[fault] > _RELEASE_S:
                bms.faults &= ~fault


def _limit(bms: Bms, readings: Readings, cell_v: Floats, current_a: float) -> None:
    """Currents allowed: by heat, by cold, and by the weakest cell as the BMS understands it."""
    chemistry, ampere_hours = bms.chemistry, bms.capacity_ah
    hottest, coldest = float(readings.probe_degc.max()), float(readings.probe_degc.min())
    ohm = _SHORT_TERM_OHM_AH / ampere_hours
    full = _DISCHARGE_PER_AH * ampere_hours
    heat = _ramp(chemistry.temperature_max - hottest, 12.0)
    room = current_a + (float(cell_v.min()) - chemistry.cell_voltage_min) / ohm
    bms.discharge_limit_a = _follow(bms.discharge_limit_a, min(full * heat, max(room, 0.0)))
    top = _CHARGE_PER_AH * ampere_hours
    warmth = _ramp(chemistry.charge_temperature_max - hottest, 7.0)
    cold = _ramp(coldest - chemistry.charge_temperature_min, 10.0)
    room = (chemistry.cell_voltage_max + 0.015 - float(cell_v.max())) / ohm - current_a
    bms.charge_limit_a = _follow(bms.charge_limit_a, min(top * min(warmth, cold), max(room, 0.0)))
    bms.derating = bms.discharge_limit_a < 0.95 * full or bms.charge_limit_a < 0.95 * top
    if not bms.discharge_allowed:
        bms.discharge_limit_a = 0.0
    if not bms.charge_allowed:
        bms.charge_limit_a = 0.0


def _balance(bms: Bms, readings: Readings, cell_v: Floats, duration_s: float) -> None:
    """Passive balancing with hysteresis, judged only while hardly any current flows or at the top;
    what was switched on stays on in between, as such electronics do."""
    near_top = float(cell_v.max()) > bms.chemistry.cell_voltage_max - 0.1
    loudest = float(np.abs(readings.current_a).max())
    bms.quiet_s = bms.quiet_s + duration_s if loudest < _QUIET_A else 0.0
    charging_at_top = near_top and float(readings.current_a.max()) < 0.0
    if bms.quiet_s < _QUIET_S and not charging_at_top:
        return
    above = cell_v - cell_v.min()
    if float(cell_v.min()) < bms.chemistry.cell_voltage_min + _BALANCE_FLOOR_V:
        bms.balancing[:] = False
        return
    bms.balancing |= above > _BALANCE_START_V
    bms.balancing &= above > _BALANCE_STOP_V


def _ramp(distance: float, width: float) -> float:
    """1 while `distance` to a limit is at least `width`, falling in a straight line to 0."""
    return min(max(distance / width, 0.0), 1.0)


def _follow(before: float, target: float) -> float:
    """Down at once, up slowly."""
    return target if target < before else before + 0.1 * (target - before)
