"""Bringing a table's columns to the units of a recording, and dropping what cannot be true.

Where a header names no unit the values decide, against each other where they can: the sum of the
cells against the pack's voltage, probes against the extremes that the sender reports. Every such
decision is a note.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from protocols.plausibility import CELL_V, PROBE_DEGC
from recordings.sample_columns import Column

# What nobody wrote down; whoever has seen voltage follow current takes this note away.
SIGN_UNVERIFIED = "sign of current unverified: taken as + = discharge"
_VALID = {
    "voltage": (0.0, 2000.0),
    "current": (-5000.0, 5000.0),
    "soc": (-0.001, 1.1),
    "soh": (-0.001, 1.5),
    "cell_voltage_min": CELL_V,
    "cell_voltage_max": CELL_V,
    "temperature_min": PROBE_DEGC,
    "temperature_max": PROBE_DEGC,
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "odometer": (0.0, 5e6),
    "speed": (-50.0, 600.0),
    "remaining_ah": (-1e5, 1e5),
    "full_ah": (0.0, 1e5),
    "cycles": (0.0, 1e6),
}
_ANYTHING = (-1e15, 1e15)  # a fault word has 48 bits at most; float32 must hold the rest
_BYTE_OFFSET = 40.0
_CELL_STEPS = ((1e-4, "0.1 mV"), (1e-3, "mV"), (1e-2, "10 mV"), (1.0, "V"))


def scaled(
    columns: Sequence[Column], values: NDArray[np.float64]
) -> tuple[tuple[Column, ...], list[str], int]:
    """Bring `values` (N, len(columns)) to canonical units in place: NaN where impossible. Returns
    the columns with the factors and shifts applied, notes, and how many were impossible."""
    with np.errstate(over="ignore", invalid="ignore"):  # 1e308 mV
        return _scaled(columns, values)


def _scaled(
    columns: Sequence[Column], values: NDArray[np.float64]
) -> tuple[tuple[Column, ...], list[str], int]:
    notes: list[str] = []
    found = list(columns)
    cells = [k for k, c in enumerate(found) if c.role.kind == "cell"]
    _cells(found, cells, values, notes)
    for k, column in enumerate(found):
        if column.role.field.startswith("cell_voltage"):
            _cells(found, [k], values, [])
        elif column.role.field in ("soc", "soh") and not column.has_unit:
            found[k] = _ratio(column, values[:, k], notes)
    probes = [k for k, c in enumerate(found) if c.role.kind == "probe"]
    unset = [255.0, 65535.0, -40.0 - 2.0**15]
    for k in probes:
        if not found[k].has_unit:
            values[np.isin(values[:, k], unset), k] = np.nan
    for k, column in enumerate(found):
        _apply(column, values[:, k])
    _pack_voltage(found, cells, values, notes)
    _probe_offset(found, probes, values, notes)
    dropped = {c.header: _drop(c, values[:, k]) for k, c in enumerate(found)}
    impossible = {header: count for header, count in dropped.items() if count}
    if impossible:
        where = ", ".join(f"{header} {count}" for header, count in list(impossible.items())[:8])
        more = " …" if len(impossible) > 8 else ""
        notes.append(f"values that cannot be true were left unknown: {where}{more}")
    _no_place(found, values)
    if any(column.role.field == "current" for column in found):
        notes.append(SIGN_UNVERIFIED)
    return tuple(found), notes, sum(impossible.values())


def _apply(column: Column, values: NDArray[np.float64]) -> None:
    values *= column.factor
    values += column.shift


def _drop(column: Column, values: NDArray[np.float64]) -> int:
    """Make unknown what cannot be true; how many that were."""
    limits = {"cell": CELL_V, "probe": PROBE_DEGC, "balancing": (0.0, 1.0)}.get(column.role.kind)
    low, high = limits or _VALID.get(column.role.field, _ANYTHING)
    impossible = (values < low) | (values > high)
    values[impossible] = np.nan
    return int(np.count_nonzero(impossible))


def _no_place(found: Sequence[Column], values: NDArray[np.float64]) -> None:
    """A receiver without a fix sends 0, 0; an odometer that is not yet read sends 0."""
    at = {column.role.field: k for k, column in enumerate(found)}
    if "latitude" in at and "longitude" in at:
        pair = [at["latitude"], at["longitude"]]
        nowhere = (values[:, pair] == 0).all(axis=1)
        values[np.ix_(nowhere, pair)] = np.nan
    if "odometer" in at:
        distance = values[:, at["odometer"]]
        if np.nanmax(distance, initial=0.0) > 100.0:
            distance[distance == 0] = np.nan


def _median(values: NDArray[np.float64]) -> float:
    """The median of what is finite and not zero; NaN where nothing is."""
    sample = values[:: max(len(values) // 20_000, 1)]
    sample = sample[np.isfinite(sample) & (sample != 0)]
    return float(np.median(sample)) if sample.size else float("nan")


def _cells(
    found: list[Column], places: Sequence[int], values: NDArray[np.float64], notes: list[str]
) -> None:
    """The unit of cell voltages that have none: the one that makes their median a cell's."""
    if not places or found[places[0]].has_unit:
        return
    middle = _median(values[:, list(places)])
    for factor, unit in _CELL_STEPS:
        if 1.0 <= middle * factor <= 4.6:
            for k in places:
                found[k] = replace(found[k], factor=factor)
            if factor != 1.0:
                notes.append(f"cell voltages have no unit: {unit} by their size")
            return


def _ratio(column: Column, values: NDArray[np.float64], notes: list[str]) -> Column:
    """SOC and SOH without a unit are percent when any value is beyond 1.5."""
    known = values[np.isfinite(values)]
    if known.size and np.percentile(known, 99) > 1.5:
        return replace(column, factor=0.01)
    if known.size:
        notes.append(f"{column.header} has no unit: taken as 0 to 1 by its size")
    return column


def _pack_voltage(
    found: list[Column], cells: Sequence[int], values: NDArray[np.float64], notes: list[str]
) -> None:
    """The pack's voltage against the sum of its cells, by powers of ten."""
    place = next((k for k, c in enumerate(found) if c.role.field == "voltage"), -1)
    if place < 0 or len(cells) < 2:
        return
    rows = slice(None, None, max(len(values) // 5000, 1))
    total = values[rows][:, list(cells)].sum(axis=1)  # NaN where a cell is missing
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = total / values[rows, place]
    share = _median(ratio)
    for factor in (1.0, 0.1, 0.01, 0.001):
        if abs(share / factor - 1) < 0.08:
            if factor != 1.0 and not found[place].has_unit:
                values[:, place] *= factor
                found[place] = replace(found[place], factor=found[place].factor * factor)
                notes.append(f"{found[place].header} times {factor:g}: so the cells sum up to it")
            return
    if np.isfinite(share):
        notes.append(f"the cells sum up to {share:.3f} times {found[place].header}")


def _probe_offset(
    found: list[Column], probes: Sequence[int], values: NDArray[np.float64], notes: list[str]
) -> None:
    """Raw bytes of many senders are degC + 40: seen where the reported extremes are not."""
    if not probes:
        return
    rows = slice(None, None, max(len(values) // 5000, 1))
    sample = values[rows][:, list(probes)]
    highest = np.where(np.isfinite(sample), sample, -np.inf).max(axis=1)
    lowest = np.where(np.isfinite(sample), sample, np.inf).min(axis=1)
    for name, own in (("temperature_max", highest), ("temperature_min", lowest)):
        place = next((k for k, c in enumerate(found) if c.role.field == name), -1)
        if place < 0:
            continue
        gap = own - values[rows, place]
        gap = gap[np.isfinite(gap)]
        if gap.size and abs(float(np.median(gap)) - _BYTE_OFFSET) < 2.0:
            for k in probes:
                values[:, k] -= _BYTE_OFFSET
                found[k] = replace(found[k], shift=found[k].shift - _BYTE_OFFSET)
            notes.append(
                f"probes are 40 degC above {found[place].header}: 40 was taken off each of them"
            )
            return
