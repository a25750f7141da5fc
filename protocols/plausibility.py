"""Units and ranges: what a physical value must be multiplied with, and whether it can be true.

The second half of finding out what a signal is (names are the first). Only numbers of databases;
frames are looked at in `protocols/evidence.py`.
"""

import re
from dataclasses import dataclass

from protocols.signals import Signal

# Of one cell; 0.2 keeps a deeply discharged one and drops the 0 V of an input that is not wired.
CELL_V = (0.2, 5.5)
PROBE_DEGC = (-60.0, 150.0)
_KELVIN = 273.15
# A field of nothing but ones is how most senders say "unknown" where a quantity cannot reach it.
_ALL_ONES_BITS = 8


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit's text means: a quantity, and canonical = physical * factor + shift."""

    quantity: str
    factor: float = 1.0
    shift: float = 0.0


_UNITS = {
    "v": Unit("voltage"),
    "volt": Unit("voltage"),
    "volts": Unit("voltage"),
    "vdc": Unit("voltage"),
    "mv": Unit("voltage", 1e-3),
    "millivolt": Unit("voltage", 1e-3),
    "millivolts": Unit("voltage", 1e-3),
    "uv": Unit("voltage", 1e-6),
    "a": Unit("current"),
    "amp": Unit("current"),
    "amps": Unit("current"),
    "ampere": Unit("current"),
    "amperes": Unit("current"),
    "adc": Unit("current"),
    "ma": Unit("current", 1e-3),
    "c": Unit("temperature"),
    "degc": Unit("temperature"),
    "celsius": Unit("temperature"),
    "grad": Unit("temperature"),
    "gradc": Unit("temperature"),
    "degrees": Unit("temperature"),
    "mc": Unit("temperature", 1e-3),
    "mdegc": Unit("temperature", 1e-3),
    "cel": Unit("temperature"),
    "k": Unit("temperature", 1.0, -_KELVIN),
    "kelvin": Unit("temperature", 1.0, -_KELVIN),
    "f": Unit("temperature", 5 / 9, -32 * 5 / 9),
    "degf": Unit("temperature", 5 / 9, -32 * 5 / 9),
    "%": Unit("ratio", 0.01),
    "percent": Unit("ratio", 0.01),
    "pct": Unit("ratio", 0.01),
    "%soc": Unit("ratio", 0.01),
    "%+1": Unit("ratio", 0.001),
    "ah": Unit("charge"),
    "amphours": Unit("charge"),
    "amphour": Unit("charge"),
    "mah": Unit("charge", 1e-3),
    "": Unit(""),
    "-": Unit(""),
    "1": Unit(""),
    "#": Unit(""),
    "num": Unit(""),
    "id": Unit(""),
    "unit": Unit(""),
    "none": Unit(""),
    "count": Unit(""),
    "cells": Unit(""),
}


def unit_of(text: str) -> Unit:
    """The meaning of a unit's text; quantity "other" if it is none of a pack's."""
    plain = text.strip().lower().replace("\u2103", "c").replace("\u2109", "f")  # one sign each
    plain = re.sub(r"[\s_°º\ufffd.]|deg(?=\s*[cf]\b)", "", plain)
    plain = {"vrms": "other", "acrms": "other"}.get(plain, plain)
    if plain in _UNITS:
        return _UNITS[plain]
    scaled = re.fullmatch(r"(0?\.?0*1|10+)\*?(mv|v|ma|a|c|%|ah)", plain)
    if scaled and not text.strip().startswith("1 "):
        return _UNITS[scaled[2]]  # "0.1V" beside a scale of 0.1: the scale already says it
    return Unit("other")


def physical_range(signal: Signal) -> tuple[float, float]:
    """Lowest and highest value that the raw bits express; the declared range is often wrong."""
    if signal.is_float:
        return float("-inf"), float("inf")
    low = -(1 << (signal.length - 1)) if signal.signed else 0
    high = (1 << (signal.length - signal.signed)) - 1
    ends = (low * signal.scale + signal.offset, high * signal.scale + signal.offset)
    return min(ends), max(ends)


def cell_factor(signal: Signal) -> float | None:
    """Volts per physical unit of a cell voltage; None if the signal cannot be one."""
    unit = unit_of(signal.unit)
    if unit.quantity not in ("voltage", "") or (signal.length < 6 and not signal.is_float):
        return None
    if signal.is_float:
        return unit.factor if unit.quantity else 1.0
    if signal.length > 24:
        wide = signal.length <= 32 and unit.quantity and physical_range(signal)[0] <= 0.0
        return unit.factor if wide else None
    if unit.quantity and _reaches_a_cell(signal, unit.factor):
        return unit.factor
    if unit.quantity and unit.factor != 1.0:
        return None
    # No unit, or "V" beside the bare numbers of a field that counts millivolts.
    declared = signal.maximum or 0.0
    for factor in (1.0, 1e-3, 1e-4, 1e-2):
        if not _reaches_a_cell(signal, factor):
            continue
        step = abs(signal.scale) * factor
        if 5e-5 <= step <= 0.05 and (declared <= 1.0 or 2.0 <= declared * factor <= 70.0):
            return factor
    return None


def _reaches_a_cell(signal: Signal, factor: float) -> bool:
    low, high = physical_range(signal)
    return high * factor >= 3.2 and low * factor <= 3.0 and high * factor <= 400.0


def temperature_change(signal: Signal) -> tuple[float, float] | None:
    """Factor and shift to degC of a temperature; None if the signal cannot be one."""
    unit = unit_of(signal.unit)
    if unit.quantity not in ("temperature", "") or signal.length < 5:
        return None
    low, high = physical_range(signal)
    if unit.quantity and unit.shift == -_KELVIN and high < 200.0:
        return None
    if high * unit.factor + unit.shift < 35.0 or low * unit.factor + unit.shift > 30.0:
        return None
    return unit.factor, unit.shift


def ratio_factor(signal: Signal) -> float | None:
    """What makes 0..1 of a state of charge or health; None if the signal cannot be one."""
    unit = unit_of(signal.unit)
    if unit.quantity not in ("ratio", "") or (signal.length < 6 and not signal.is_float):
        return None
    if unit.quantity and (unit.factor != 0.01 or signal.is_float):
        return unit.factor
    _, high = physical_range(signal)
    declared = signal.maximum or 0.0
    if unit.quantity:
        return 0.01 if high >= 90.0 else None
    if high <= 1.3:
        return 1.0 if high >= 0.99 else None
    if declared >= 900.0 or (high <= 1100.0 and high >= 1000.0 and signal.length >= 10):
        return 0.001
    return 0.01 if high >= 90.0 else None


def ones_excluded(
    signal: Signal, factor: float, shift: float, valid: tuple[float, float]
) -> tuple[float, float]:
    """The valid range without the value of "all bits set" of an unsigned signal."""
    if signal.signed or signal.is_float or signal.length < _ALL_ONES_BITS or signal.scale <= 0:
        return valid
    _, high = physical_range(signal)
    half = 0.5 * signal.scale * factor
    return valid[0], min(valid[1], high * factor + shift - half)
