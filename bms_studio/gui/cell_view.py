"""Readings and estimates as the cell grid wants them: texts, colour positions and flags, by mode.

No widget is made here; only the grid's plain data.
"""

import time
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import CellRisk, Finding
from bms_studio.gui.estimates import Estimates
from bms_studio.gui.readings import Readings, age_words, number, numbers
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.status import Extreme, PackStatus
from widgets.cell_grid import CellValues
from widgets.cell_tiles import BALANCING, HIGH, STALE, WATCH

MODES = ("Voltage", "Deviation", "Balancing", "Extreme")
# Layers of what is estimated, and the quantity that each needs.
LAYERS = {"SOC": "soc", "Resistance": "resistance_ohm"}
RISK = "Risk"
_FULL_SOC, _FULL_RESISTANCE = 0.05, 0.5
_SCALES_V = (0.03, 0.1, 0.3, 1.0)


def colour_scale_v(deviation_v: NDArray[np.float64], before_v: float = _SCALES_V[0]) -> float:
    """Deviation at which the colour is full. Follows the third largest deviation, so that one weak
    cell stands out instead of paling the rest; `before_v` keeps it from flickering."""
    known = np.sort(np.abs(deviation_v[~np.isnan(deviation_v)]))
    typical = float(known[-3]) if len(known) > 3 else float(known[-1]) if len(known) else 0.0
    wanted = next((scale for scale in _SCALES_V if typical <= scale), _SCALES_V[-1])
    if wanted < before_v and typical > before_v / 5:
        return before_v
    return wanted


def cell_flags(readings: Readings, findings: Iterable[Finding]) -> NDArray[np.uint8]:
    """The grid's flags per cell: balancing, watch, high, stale."""
    flags = np.zeros(len(readings.cells_v), np.uint8)
    flags[readings.balancing == 1] |= BALANCING
    flags[readings.cell_stale] |= STALE
    for finding in findings:
        if finding.state in ("resolved", "pending") or not 0 < finding.cell <= len(flags):
            continue
        if finding.severity in ("stop", "warn"):
            flags[finding.cell - 1] |= HIGH
        elif finding.severity == "watch":
            flags[finding.cell - 1] |= WATCH
    return flags


def cell_values(
    mode: str,
    readings: Readings,
    pack: PackStatus,
    extremes: Sequence[Extreme],
    findings: Iterable[Finding],
    scale_v: float,
) -> CellValues:
    """What the tiles say in `mode` (one of MODES)."""
    voltages = numbers(readings.cells_v, 3)
    deviations = numbers(1000 * readings.deviation_v, 0, sign=True)
    main, second, unit = voltages, deviations, "mV"
    fill = readings.deviation_v / scale_v
    if mode == "Voltage":
        fill = _within_limits(readings.cells_v, pack, fill)
    elif mode == "Balancing":
        words = {0: text("off"), 1: text("on")}
        main = [words.get(int(state), "–") for state in readings.balancing]
        fill = np.where(readings.balancing == 255, np.nan, 0.0)
    elif mode == "Extreme":
        main, second, unit = [], [], ""
        fill = np.full(len(readings.cells_v), np.nan)
        for cell, extreme in enumerate(extremes[: len(fill)]):
            main.append(number(1000 * extreme.deviation_v, 0, sign=True))
            second.append(clock(extreme.time) if extreme.time else "")
            fill[cell] = extreme.deviation_v / scale_v
    return CellValues(
        main=main,
        second=second,
        fill=fill,
        flags=cell_flags(readings, findings),
        age_s=readings.cell_age_s,
        unit=unit,
    )


def estimated_values(
    mode: str, readings: Readings, estimates: Estimates, findings: Iterable[Finding]
) -> CellValues:
    """What the tiles say in a layer of estimates: SOC, Resistance or Risk."""
    flags = cell_flags(readings, findings) & np.uint8(0xFF ^ STALE)
    if mode == RISK:
        return _risk_values(len(readings.cells_v), estimates, flags)
    values = estimates.values(LAYERS[mode])
    median = float(np.nanmedian(values)) if np.any(~np.isnan(values)) else float("nan")
    if mode == "SOC":
        second, unit = numbers(100 * (values - median), 1, sign=True), "%"
        return CellValues(
            numbers(100 * values, 1), second, (values - median) / _FULL_SOC, flags, unit=unit
        )
    apart = values / median - 1
    main, second = numbers(1000 * values, 2), numbers(100 * apart, 0, sign=True)
    return CellValues(main, second, -apart / _FULL_RESISTANCE, flags, unit="%")


def _risk_values(count: int, estimates: Estimates, flags: NDArray[np.uint8]) -> CellValues:
    """Rank and risk; a cell without one is not coloured."""
    risks: Sequence[CellRisk] = estimates.status.risks if estimates.status is not None else ()
    main, second = ["–"] * count, [""] * count
    fill = np.full(count, np.nan)
    for risk in risks:
        if 0 < risk.cell <= count:
            main[risk.cell - 1] = f"#{risk.rank}"
            second[risk.cell - 1] = number(100 * risk.risk, 0)
            fill[risk.cell - 1] = -risk.risk
    return CellValues(main, second, fill, flags, unit="%")


def _within_limits(
    cells_v: NDArray[np.float64], pack: PackStatus, otherwise: NDArray[np.float64]
) -> NDArray[np.float64]:
    low, high = pack.cell_voltage_min, pack.cell_voltage_max
    if not high > low:
        return otherwise
    return np.asarray((cells_v - (low + high) / 2) / ((high - low) / 2), np.float64)


def cell_name(cell: int, pack: PackStatus) -> str:
    """How a cell is called everywhere: "Cell 13 · A13 · row 2, place 3"."""
    words = [text("Cell {cell}", cell=cell)]
    if cell <= len(pack.labels) and pack.labels[cell - 1] not in ("", str(cell)):
        words.append(pack.labels[cell - 1])
    for row, places in enumerate(pack.layout, start=1):
        if cell in places:
            words.append(text("row {row}, place {place}", row=row, place=places.index(cell) + 1))
    return " · ".join(words)


def cell_tooltip(
    cell: int,
    readings: Readings,
    pack: PackStatus,
    extremes: Sequence[Extreme],
    findings: Iterable[Finding],
    estimates: Estimates | None = None,
) -> str:
    """Name, value, estimates, source, age, extreme and findings of a cell, one per line."""
    i = cell - 1
    lines = [cell_name(cell, pack)]
    if i >= len(readings.cells_v):
        return lines[0]
    lines.append(
        text(
            "{voltage} V, {deviation} mV from the median (raw)",
            voltage=number(float(readings.cells_v[i]), 3),
            deviation=number(1000 * float(readings.deviation_v[i]), 1, sign=True),
        )
    )
    lines.append(text("measured by the BMS, {age} old", age=age_words(readings.cell_age_s[i])))
    state = {0: text("not balancing"), 1: text("balancing")}.get(int(readings.balancing[i]))
    lines.append(state or text("balancing unknown: the BMS does not report it"))
    if i < len(extremes) and extremes[i].time:
        lines.append(
            text(
                "extreme {deviation} mV at {time}",
                deviation=number(1000 * extremes[i].deviation_v, 0, sign=True),
                time=clock(extremes[i].time),
            )
        )
    lines += _estimated_lines(cell, estimates)
    lines += [
        render(f.code, f.parameters, f.text)
        for f in findings
        if f.cell == cell and f.state != "resolved"
    ]
    return "\n".join(lines)


def _estimated_lines(cell: int, estimates: Estimates | None) -> list[str]:
    """SOC and resistance of a cell, as far as they are known."""
    if estimates is None or cell > estimates.count:
        return []
    lines = []
    i = cell - 1
    soc, resistance = estimates.values("soc")[i], estimates.values("resistance_ohm")[i]
    if not np.isnan(soc):
        sigma = number(100 * float(estimates.sigma("soc")[i]), 1)
        lines.append(text("charge {soc} % ± {sigma}", soc=number(100 * soc, 1), sigma=sigma))
    if not np.isnan(resistance):
        sigma = number(1000 * float(estimates.sigma("resistance_ohm")[i]), 2)
        words = number(1000 * resistance, 2)
        lines.append(text("resistance {ohm} mΩ ± {sigma}", ohm=words, sigma=sigma))
    return lines


def clock(t: int) -> str:
    """Local time of day of an int64 ns time: 14:03:22."""
    return time.strftime("%H:%M:%S", time.localtime(t // 1_000_000_000))
