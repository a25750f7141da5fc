"""The power panel of the Live page: possible against allowed.

Words and bars from estimates and readings; judges nothing.
"""

import math

from PySide6.QtWidgets import QVBoxLayout, QWidget

from bms_studio.gui.estimate_words import foundation
from bms_studio.gui.estimates import Estimates
from bms_studio.gui.readings import Readings, number
from bms_studio.language import text
from widgets.panel import Panel
from widgets.power_bars import PowerBars, PowerRow

_CAUSES = ("voltage", "current", "temperature", "empty")  # as in estimators.power.CAUSES
_COLD_DEGC = 15.0
_MORE = 1.03  # the BMS allows more than is possible, beyond rounding
_ROOM = 1.15
# Resistances were measured up to the current seen; beyond so many times of it nobody knows.
_BEYOND_SEEN = 3.0


class PowerPanel(QWidget):
    """Possible for 10 s, by the weakest cell, beside the current that the BMS allows."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.panel = Panel(text("Power: possible and allowed"))
        self.bars = PowerBars()
        self.set_low(False)
        self.panel.add(self.bars)
        _fill(self, self.panel)

    def set_low(self, low: bool) -> None:
        """Little height: how to read the bars is told by the pointer only."""
        self.bars.set_foot("" if low else _reading())

    def show_readings(self, readings: Readings, estimates: Estimates) -> None:
        """Bring the bars up to date."""
        rows = [_row("discharge", readings, estimates), _row("charge", readings, estimates)]
        self.bars.set_rows(rows)
        hints = [row.hint for row in rows if row.hint]
        self.bars.setToolTip("\n".join([*hints, *foundation(estimates), _reading()]))
        unknown = all(math.isnan(row.possible) for row in rows)
        need = (
            estimates.need("soc") if not estimates.known("soc") else estimates.need("capacity_ah")
        )
        self.panel.set_note(text("possible unknown: {need}", need=need) if unknown else "")


# Beyond so many times the capacity per hour no current was ever seen that the resistance could
# stand on.
_MOST_C = 15.0


def _reading() -> str:
    return text("bar: what the weakest cell can deliver · line: what the BMS allows")


def _row(way: str, readings: Readings, estimates: Estimates) -> PowerRow:
    name = text("Discharge 10 s") if way == "discharge" else text("Charge 10 s")
    possible = estimates.of_pack(f"{way}_10_a")
    allowed = readings.field(f"{way}_current_limit").value
    parts = []
    if math.isfinite(possible):
        parts.append(_possible(way, possible, readings, estimates))
    if math.isfinite(allowed):
        parts.append(text("BMS {amps} A", amps=number(allowed, 0)))
    elif parts:
        parts.append(text("BMS –"))
    tone = "ok"
    if allowed > _MORE * possible:
        tone = "watch"
    possible = min(possible, _most_a(estimates))
    scale = _ROOM * max((v for v in (possible, allowed) if math.isfinite(v)), default=math.nan)
    hint = _hint(way, estimates)
    return PowerRow(name, possible, allowed, scale, " · ".join(parts) or "–", tone, hint)


def _most_a(estimates: Estimates) -> float:
    """Beyond this no current is promised, whatever the model says: nobody tried it."""
    basis = estimates.status.basis if estimates.status is not None else None
    bounds = [_BEYOND_SEEN * estimates.of_pack("peak_a")]
    if basis is not None:
        bounds.append(_MOST_C * basis.capacity_ah)
    return min((bound for bound in bounds if bound > 0), default=math.inf)


def _possible(way: str, amps: float, readings: Readings, estimates: Estimates) -> str:
    """The current with what limits it; only about so much while no resistance was measured."""
    most, seen = _most_a(estimates), estimates.of_pack("peak_a")
    if amps > most and most == _BEYOND_SEEN * seen:
        words = number(most, 0)
        return text("over {amps} A (most seen {seen} A)", amps=words, seen=number(seen, 0))
    if amps > most:
        return text("possible more than {amps} A", amps=number(most, 0))
    if not estimates.known("resistance_ohm"):
        step = 10 ** max(math.floor(math.log10(max(amps, 1.0))) - 1, 0)
        return text("possible about {amps} A", amps=number(step * round(amps / step), 0))
    cause = cause_words(way, readings, estimates)
    words = text("possible {amps} A", amps=number(amps, 0))
    return f"{words} ({cause})" if cause else words


def cause_words(way: str, readings: Readings, estimates: Estimates) -> str:
    """What limits for 10 s: a cell, heat or cold, the current, the voltage; "" unknown."""
    code = estimates.of_pack(f"{way}_10_cause")
    if not 0 <= code < len(_CAUSES):
        return ""
    cause, cell = _CAUSES[int(code)], estimates.limiting(f"{way}_10_cell")
    if cause == "temperature":
        degc = estimates.of_pack("temperature_degc")
        if math.isnan(degc) and readings.hottest >= 0:
            degc = float(readings.probes_degc[readings.hottest])
        return text("cold") if degc < _COLD_DEGC else text("heat")
    if cause == "current":
        return text("current")
    if cell > 0:
        return text("cell {cell}", cell=cell)
    if cause == "empty":
        return text("empty") if way == "discharge" else text("full")
    return text("voltage")


def _hint(way: str, estimates: Estimates) -> str:
    """Current and power for 2, 10 and 30 s."""
    lines = [
        text("Power while discharging") if way == "discharge" else text("Power while charging")
    ]
    for seconds in (2, 10, 30):
        amps = estimates.of_pack(f"{way}_{seconds}_a")
        watts = estimates.of_pack(f"{way}_{seconds}_w")
        sigma = estimates.of_pack(f"{way}_{seconds}_w_sigma")
        if math.isnan(amps):
            continue
        words = f"{seconds} s: {number(amps, 0)} A"
        if math.isfinite(watts):
            words += f", {number(watts / 1000, 2)} kW"
        if math.isfinite(sigma):
            words += f" ± {number(sigma / 1000, 2)}"
        lines.append(words)
    if len(lines) == 1:
        return ""
    seen = estimates.of_pack("peak_a")
    if estimates.of_pack(f"{way}_10_a") > _BEYOND_SEEN * seen:
        words = number(seen, 0)
        lines.append(text("by the model; hardly more than {seen} A was seen", seen=words))
    if not estimates.known("resistance_ohm"):
        lines.append(text("with the usual resistance of such cells: none was measured yet"))
    return "\n".join(lines)


def _fill(outer: QWidget, inner: QWidget) -> None:
    layout = QVBoxLayout(outer)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(inner)
