"""What the table of cells says: presets of columns, numbers with sigma and evidence, worst first.

Turns readings and estimates into the widget's plain data; makes no widget.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import Finding
from bms_studio.gui.cell_view import clock
from bms_studio.gui.estimates import Estimates, quantity_name
from bms_studio.gui.readings import Readings, age_words, number
from bms_studio.language import text
from bms_studio.status import Extreme, PackStatus
from widgets.table_rows import ColumnData, Module, TableColumn

FOLD_ABOVE = 96
_BLOCK = 12
_STANDS_OUT = 4.0
_WATCH, _HIGH = 1, 2
_NAMED_RISK = 0.1
_WITHOUT_SIGMA = ("risk", "lag_s")
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A column taken from an estimate: screen value = value * factor. worse: which side is bad,
    "low", "high" or "far" from the median; least: what cells may differ by, in the screen unit."""

    name: str
    unit: str
    factor: float
    decimals: int
    sigma_decimals: int
    worse: str
    least: float
    sign: bool = False


QUANTITIES: dict[str, Quantity] = {
    "rest_voltage": Quantity("rest_voltage_v", "V", 1.0, 3, 3, "low", 0.003),
    "soc": Quantity("soc", "%", 100.0, 1, 1, "low", 1.0),
    "imbalance": Quantity("imbalance", "%", 100.0, 1, 1, "far", 0.5, True),
    "capacity": Quantity("capacity_ah", "Ah", 1.0, 2, 2, "low", 0.2),
    "soh_capacity": Quantity("soh_capacity", "%", 100.0, 1, 1, "low", 1.0),
    "resistance": Quantity("resistance_ohm", "mΩ", 1000.0, 2, 2, "high", 0.1),
    "ten_second": Quantity("ten_second_ohm", "mΩ", 1000.0, 2, 2, "high", 0.1),
    "soh_resistance": Quantity("soh_resistance", "%", 100.0, 1, 1, "low", 2.0),
    "leak": Quantity("leak_a", "mA", 1000.0, 1, 1, "high", 1.0, True),
    "sag": Quantity("sag_margin_v", "mV", 1000.0, 0, 0, "low", 10.0),
    "offset": Quantity("offset_v", "mV", 1000.0, 1, 1, "far", 1.0, True),
    "lag": Quantity("lag_s", "ms", 1000.0, 0, 0, "high", 50.0),
    "risk": Quantity("risk", "%", 100.0, 0, 0, "high", 10.0),
}
PRESETS: dict[str, tuple[str, ...]] = {
    "overview": (
        *("voltage", "rest_voltage", "soc", "capacity"),
        *("resistance", "leak", "sag", "extreme"),
    ),
    "electrical": (
        "voltage",
        "deviation",
        "rest_voltage",
        "soc",
        "resistance",
        "ten_second",
        "sag",
    ),
    "health": (
        *("risk", "capacity", "soh_capacity", "resistance"),
        *("soh_resistance", "leak", "imbalance", "sag"),
    ),
    "raw": ("voltage", "deviation", "extreme", "age", "balancing", "offset", "lag"),
}


def preset_words() -> dict[str, str]:
    """Names of the presets."""
    return {
        "overview": text("Overview"),
        "electrical": text("Electrical"),
        "health": text("Health"),
        "raw": text("Raw"),
    }


def columns(preset: str) -> list[TableColumn]:
    """The columns of a preset, heads in the reader's language."""
    keys = PRESETS.get(preset, PRESETS["overview"])
    made = [_column(key) for key in keys]
    if "deviation" in keys:  # then a voltage tells its age below, which is not worth copying
        made = [replace(c, second="") if c.key == "voltage" else c for c in made]
    return made


def _column(key: str) -> TableColumn:
    quantity = QUANTITIES.get(key)
    if quantity is not None:
        whole = quantity_name(quantity.name)
        title = _short_titles().get(key, whole)
        tip = f"{whole}: {_tips()[key]}" if key in _tips() else whole
        return TableColumn(
            *(key, title, quantity.unit, quantity.decimals, tip, quantity.sign),
            *("", "") if quantity.name in _WITHOUT_SIGMA else ("±", quantity.unit),
        )
    measured = {
        "voltage": TableColumn(
            "voltage",
            text("Voltage"),
            "V",
            3,
            text("as the BMS measures it, and how far from the median (raw)"),
            second=text("Deviation"),
            second_unit="mV",
        ),
        "deviation": TableColumn(
            "deviation", text("Deviation"), "mV", 0, text("deviation from the median, raw"), True
        ),
        "extreme": TableColumn(
            "extreme",
            text("Extreme"),
            "mV",
            0,
            text("largest deviation since connect, raw, outside load steps"),
            True,
            text("at"),
        ),
        "age": TableColumn("age", text("Age"), "s", 1, text("how old the newest value is")),
        "balancing": TableColumn("balancing", text("Balancing")),
    }
    return measured[key]


def _short_titles() -> dict[str, str]:
    """Heads where the whole name would be cut."""
    return {
        "soc": text("SOC"),
        "leak": text("Leak"),
        "soh_capacity": text("SOH (Q)"),
        "soh_resistance": text("SOH (R)"),
        "ten_second": text("R after 10 s"),
        "offset": text("Offset"),
        "lag": text("Late by"),
    }


def _tips() -> dict[str, str]:
    return {
        "rest_voltage": text("after the newest rest, without load"),
        "resistance": text("ohmic, brought to 25 °C and 50 % charge"),
        "ten_second": text("after 10 s of load, brought to 25 °C and 50 % charge"),
        "leak": text("self-discharge beyond the mean cell"),
        "sag": text("what is left to the cut-off under the rider's peak current"),
        "soh_capacity": text("capacity against new"),
        "soh_resistance": text("resistance when new against now"),
        "imbalance": text("state of charge minus the median"),
        "offset": text("sensor offset against the mean cell"),
    }


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that the table shows of a moment."""

    data: dict[str, ColumnData]
    worst: Array
    flags: NDArray[np.uint8]


def content(
    preset: str,
    readings: Readings,
    estimates: Estimates,
    extremes: Sequence[Extreme],
    findings: Iterable[Finding],
) -> Content:
    """The columns of `preset` for every cell, and the order worst first."""
    count = len(readings.cells_v)
    keys = PRESETS.get(preset, PRESETS["overview"])
    made: dict[str, Callable[[], ColumnData]] = {
        "voltage": lambda: _voltage(readings, "deviation" not in keys),
        "deviation": lambda: _deviation(readings),
        "extreme": lambda: _extreme(extremes, count),
        "age": lambda: _age(readings),
        "balancing": lambda: _balancing(readings),
    }
    data = {
        key: made[key]() if key in made else estimate_column(QUANTITIES[key], estimates)
        for key in keys
    }
    flags = flags_of(findings, count)
    return Content(data, _worst(readings, estimates, flags), flags)


def flags_of(findings: Iterable[Finding], count: int) -> NDArray[np.uint8]:
    """2 where a finding says stop or warn, 1 where one says watch."""
    flags = np.zeros(count, np.uint8)
    for finding in findings:
        if finding.state not in ("resolved", "pending") and 0 < finding.cell <= count:
            if finding.severity in ("stop", "warn"):
                flags[finding.cell - 1] |= _HIGH
            elif finding.severity == "watch":
                flags[finding.cell - 1] |= _WATCH
    return flags


def estimate_column(quantity: Quantity, estimates: Estimates) -> ColumnData:
    """Values, ± sigma, marks; what stands out beyond its own sigma and the spread of the pack."""
    values = estimates.values(quantity.name) * quantity.factor
    sigma = estimates.sigma(quantity.name) * quantity.factor
    badness = _badness(values, quantity.worse)
    # Cells share most of the error of their charge: how sure a difference is, the imbalance says.
    own = sigma if quantity.name != "soc" else 100 * estimates.sigma("imbalance")
    second = [
        "" if math.isnan(s) else f"± {number(s, quantity.sigma_decimals)}" for s in sigma.tolist()
    ]
    return ColumnData(
        values,
        second,
        estimates.marks(quantity.name),
        badness,
        _strong(values, badness, own, quantity.least),
        "" if estimates.known(quantity.name) else estimates.need(quantity.name),
    )


def _badness(values: Array, worse: str) -> Array:
    if not np.any(~np.isnan(values)):
        return values
    from_median = values - np.nanmedian(values)
    if worse == "far":
        return np.asarray(np.abs(from_median), np.float64)
    return from_median if worse == "high" else -from_median


def _strong(values: Array, badness: Array, sigma: Array, least: float) -> NDArray[np.bool_]:
    """Beyond four times the pack's spread, the value's own sigma, and what does not matter."""
    known = values[~np.isnan(values)]
    if len(known) < 3:
        return np.zeros(len(values), np.bool_)
    spread = 1.4826 * float(np.median(np.abs(known - np.median(known))))
    own = np.nan_to_num(sigma)
    limit = np.maximum(_STANDS_OUT * np.hypot(spread, own), least)
    return np.asarray(np.nan_to_num(badness, nan=0.0) > limit, np.bool_)


def _worst(readings: Readings, estimates: Estimates, flags: NDArray[np.uint8]) -> Array:
    """Flagged cells first, then those with a risk worth naming in the order of their ranks, then
    by how far a cell stands out: ranks of risks that hardly differ would say nothing."""
    score = 1e6 * (flags & _HIGH > 0) + 1e5 * (flags & _WATCH > 0)
    for risk in estimates.status.risks if estimates.status is not None else ():
        if 0 < risk.cell <= len(flags) and risk.risk >= _NAMED_RISK:
            score[risk.cell - 1] += 1e4 - risk.rank
    return np.asarray(score + np.minimum(_farthest(readings, estimates), 1e3), np.float64)


def _farthest(readings: Readings, estimates: Estimates) -> Array:
    """How far each cell stands out in any quantity, in multiples of what matters there."""
    found = np.zeros(len(readings.cells_v))
    for quantity in QUANTITIES.values():
        values = estimates.values(quantity.name) * quantity.factor
        badness = np.nan_to_num(_badness(values, quantity.worse), nan=0.0)
        own = np.nan_to_num(estimates.sigma(quantity.name) * quantity.factor)
        found = np.maximum(found, badness / np.hypot(quantity.least, own))
    deviation = np.abs(np.nan_to_num(readings.deviation_v)) / 0.005
    return np.asarray(np.maximum(found, 0.2 * deviation), np.float64)


def _voltage(readings: Readings, deviation: bool) -> ColumnData:
    """deviation: whether to say it below each value; a stale value says its age instead."""
    values = readings.cells_v
    second = [
        text("{age} old", age=age_words(age))
        if stale or not deviation
        else _millivolts(1000 * apart)
        for age, stale, apart in zip(
            readings.cell_age_s.tolist(),
            readings.cell_stale.tolist(),
            readings.deviation_v.tolist(),
            strict=True,
        )
    ]
    marks = np.where(readings.cell_stale, 1, 3).astype(np.uint8)
    marks[np.isnan(values)] = 0
    badness = np.asarray(np.abs(readings.deviation_v), np.float64)
    unknown = np.full(len(values), np.nan)
    strong = _strong(values, badness, unknown, 0.01)
    return ColumnData(values, second, marks, badness, strong, text("not received yet"))


def _millivolts(value: float) -> str:
    return "" if math.isnan(value) else text("{mv} mV", mv=number(value, 0, sign=True))


def _deviation(readings: Readings) -> ColumnData:
    values = 1000 * readings.deviation_v
    badness = np.asarray(np.abs(values), np.float64)
    strong = _strong(values, badness, np.full(len(values), np.nan), 10.0)
    return ColumnData(values, (), np.zeros(0, np.uint8), badness, strong, text("needs two cells"))


def _extreme(extremes: Sequence[Extreme], count: int) -> ColumnData:
    values = np.full(count, np.nan)
    second = [""] * count
    for n, extreme in enumerate(extremes[:count]):
        if extreme.time:
            values[n] = 1000 * extreme.deviation_v
            second[n] = clock(extreme.time)
    badness = np.asarray(np.abs(values), np.float64)
    strong = _strong(values, badness, np.full(count, np.nan), 20.0)
    return ColumnData(values, second, np.zeros(0, np.uint8), badness, strong, text("no scan yet"))


def _age(readings: Readings) -> ColumnData:
    ages = readings.cell_age_s
    return ColumnData(ages, (), np.zeros(0, np.uint8), ages, readings.cell_stale)


def _balancing(readings: Readings) -> ColumnData:
    words = {0: text("off"), 1: text("on")}
    states = readings.balancing
    values = np.where(states == 255, np.nan, states.astype(np.float64))
    return ColumnData(
        values,
        badness=values,
        reason=text("not reported"),
        words=[words.get(int(state), "–") for state in states],
    )


def names_of(count: int, pack: PackStatus) -> list[str]:
    """What each row is called: number, and the pack's own label on a second line."""
    names = []
    for cell in range(1, count + 1):
        label = pack.labels[cell - 1] if cell <= len(pack.labels) else ""
        words = text("Cell {cell}", cell=cell)
        names.append(f"{words}\n{label}" if label and label != str(cell) else words)
    return names


def modules_of(count: int, pack: PackStatus) -> list[Module]:
    """Above 96 cells: the layout's rows, else blocks of twelve; [] for fewer cells."""
    if count <= FOLD_ABOVE:
        return []
    rows = [tuple(c for c in row if 0 < c <= count) for row in pack.layout]
    rows = [row for row in rows if row]
    placed = {cell for row in rows for cell in row}
    left = [cell for cell in range(1, count + 1) if cell not in placed]
    rows += [tuple(left[n : n + _BLOCK]) for n in range(0, len(left), _BLOCK)]
    return [
        Module(
            f"{text('Module {number}', number=n)}\n{min(row)}–{max(row)}",
            row,
        )
        for n, row in enumerate(rows, start=1)
    ]


def search(words: str, count: int, pack: PackStatus) -> frozenset[int] | None:
    """Cells that a search means: "13", "5-9", part of a label; several, separated by spaces or
    commas, mean any of them. None: no search."""
    parts = words.replace(",", " ").lower().split()
    if not parts:
        return None
    found: set[int] = set()
    for part in parts:
        low, dash, high = part.replace("–", "-").partition("-")
        if low.isdigit() and (not dash or high.isdigit()):
            found.update(range(int(low), int(high or low) + 1))
        else:
            labels = enumerate(pack.labels, start=1)
            found.update(cell for cell, label in labels if part in label.lower())
    return frozenset(cell for cell in found if 0 < cell <= count)
