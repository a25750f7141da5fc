"""The row of tiles on the Live page: one number each, with what it means and how old it is.

Turns readings into the tiles' texts.
"""

import math
from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QWidget

from bms_studio.diagnosis.contract import Finding
from bms_studio.gui.contract import PackView
from bms_studio.gui.estimate_words import foundation
from bms_studio.gui.estimates import Estimates
from bms_studio.gui.page import Context
from bms_studio.gui.readings import Reading, Readings, age_words, number
from bms_studio.language import text
from widgets.value_tile import TileText, ValueTile

_REST_A = 0.05
_RATE_NS = 60_000_000_000
_OLD_S = 60.0  # estimates come every few seconds
_APART = 0.03  # charge that BMS and estimate may differ by, at least


class TileRow(QWidget):
    """Voltage · current, charge, usable, spread, hottest probe, lowest cell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self.tiles = [ValueTile() for _ in range(6)]
        for tile in self.tiles:
            row.addWidget(tile, 1)

    def set_narrow(self, narrow: bool) -> None:
        """Little width: one tile less, so that the others keep their words."""
        self.tiles[-1].setVisible(not narrow)

    def show_readings(self, context: Context) -> None:
        """Bring all tiles up to date."""
        view, readings, estimates = context.view, context.readings(), context.estimates()
        if view is None or readings is None or estimates is None:
            return
        findings = [f for f in context.findings() if f.state in ("active", "acknowledged")]
        cut_off = context.pack_status().cell_voltage_min
        texts = (
            _voltage(readings),
            _charge(readings, estimates),
            _usable(estimates, cut_off),
            _spread(readings),
            _hottest(view, context.prefix, readings, findings),
            _lowest(cut_off, readings, findings),
        )
        hints = _hints(view, readings, estimates)
        for tile, words, hint in zip(self.tiles, texts, hints, strict=True):
            tile.set(words)
            tile.setToolTip(hint)


def _stale_or(reading: Reading, state: str = "") -> str:
    return "stale" if reading.stale else state


def _aged(words: str, reading: Reading) -> str:
    if not reading.stale:
        return words
    return text("{age} old · {rest}", age=age_words(reading.age_s), rest=words)


def _hints(view: PackView, readings: Readings, estimates: Estimates) -> tuple[str, ...]:
    """Where each number comes from, how old it is, over what it was taken."""
    cells = text("measured by the BMS, {age} old", age=age_words(readings.newest_cell_age_s))
    hottest = readings.hottest
    probe_age = float(readings.probe_age_s[hottest]) if hottest >= 0 else math.nan
    scan = text("scan {ms} ms", ms=number(1000 * view.status.scan_s, 0))
    total = number(readings.cell_sum_v, 2)
    return (
        f"{_told(readings.field('voltage'))}\n{text('sum of the cells')}: {total} V",
        _charge_hint(readings, estimates),
        _usable_hint(estimates),
        f"{cells}\n{scan}\n{text('highest minus lowest, raw: not corrected for load')}",
        f"{text('measured by the BMS, {age} old', age=age_words(probe_age))}\n"
        f"{text('rate over the last 60 s')}",
        f"{cells}\n{scan}",
    )


def _charge_hint(readings: Readings, estimates: Estimates) -> str:
    said = readings.field("soc")
    lines = []
    if math.isfinite(estimates.of_pack("soc")):
        lines += [text("estimated here, of the mean cell"), *foundation(estimates)]
        counted = estimates.of_pack("coulomb_soc")
        if math.isfinite(counted):
            lines.append(text("counting alone says {soc} %", soc=number(100 * counted, 1)))
    if said.known:
        words = text("BMS {soc} %", soc=number(100 * said.value, 1))
        lines.append(f"{words}, {_told(said)}")
    return "\n".join(lines)


def _usable_hint(estimates: Estimates) -> str:
    lines = [text("until the first cell is empty, at the rider's usual load")]
    amount, energy = estimates.of_pack("usable_ah"), estimates.of_pack("usable_wh")
    if math.isfinite(amount):
        lines.append(text("{amount} Ah", amount=number(amount, 1)))
    if math.isfinite(energy):
        sigma = number(estimates.of_pack("usable_wh_sigma"), 0)
        lines.append(text("{energy} Wh ± {sigma}", energy=number(energy, 0), sigma=sigma))
    return "\n".join([*lines, *foundation(estimates)])


def _told(reading: Reading) -> str:
    return text("reported by the BMS, {age} old", age=age_words(reading.age_s))


def _voltage(readings: Readings) -> TileText:
    caption = text("Voltage · current")
    voltage, current = readings.field("voltage"), readings.field("current")
    value, source = voltage.value, voltage
    added = ""
    if not voltage.known and not math.isnan(readings.cell_sum_v):
        value, added = readings.cell_sum_v, text("sum of the cells")
        age = readings.newest_cell_age_s
        source = Reading(value, age, age > readings.stale_cell_s)
    if math.isnan(value):
        return TileText(caption, reason=text("the BMS has not sent it yet"))
    sub = text("no current on this bus")
    if current.known:
        sub = current_words(current.value)
        if abs(current.value) >= _REST_A:
            sub += f" · {power_words(value * current.value)}"
    brief = sub
    sub = " · ".join(part for part in (added, sub) if part)
    short = _aged(brief, source) if added else ""
    state = _stale_or(source)
    return TileText(caption, number(value, 2), "V", _aged(sub, source), state, short=short)


def current_words(current_a: float) -> str:
    """34.0 A discharging, 8.0 A charging, 0.0 A."""
    amount = number(abs(current_a), 1 if abs(current_a) < 1000 else 0)
    if abs(current_a) < _REST_A:
        return text("{current} A, at rest", current=amount)
    if current_a > 0:
        return text("{current} A discharging", current=amount)
    return text("{current} A charging", current=amount)


def power_words(power_w: float) -> str:
    """2.46 kW, 310 W."""
    power = abs(power_w)
    return f"{power / 1000:.2f} kW" if power >= 1000 else f"{power:.0f} W"


def _charge(readings: Readings, estimates: Estimates) -> TileText:
    soc, sigma = estimates.of_pack("soc"), estimates.of_pack("soc_sigma")
    if math.isnan(soc):
        return _reported_charge(readings, estimates)
    said = readings.field("soc")
    parts = [f"± {number(100 * sigma, 1)}"] if math.isfinite(sigma) else []
    state = ""
    if said.known:
        parts.append(text("the BMS says {soc} %", soc=number(100 * said.value, 0)))
        if abs(soc - said.value) > max(3 * sigma, _APART):
            state = "watch"
    sub, state = _old(" · ".join(parts), state, estimates)
    return TileText(text("State of charge"), number(100 * soc, 1), "%", sub, state)


def _old(words: str, state: str, estimates: Estimates) -> tuple[str, str]:
    """Words and state of a tile whose estimate may have grown old."""
    if not estimates.age_s > _OLD_S:
        return words, state
    return text("{age} old · {rest}", age=age_words(estimates.age_s), rest=words), "stale"


def _reported_charge(readings: Readings, estimates: Estimates) -> TileText:
    """No estimate yet: what the BMS reports, said to be that."""
    soc = readings.field("soc")
    need = estimates.need("soc")
    if not soc.known:
        return TileText(text("State of charge"), reason=need)
    caption = text("State of charge (BMS)")
    remaining, full = readings.field("remaining_ah"), readings.field("full_ah")
    sub = text("estimate: {need}", need=need)
    if estimates.status is None:
        sub = text("as the BMS reports it")
    if remaining.known and estimates.status is None:
        sub = text("{remaining} Ah left", remaining=number(remaining.value, 1))
        if full.known:
            sub += " · " + text("{full} Ah when full", full=number(full.value, 1))
    return TileText(caption, number(100 * soc.value, 1), "%", _aged(sub, soc), _stale_or(soc))


def _usable(estimates: Estimates, cut_off: float) -> TileText:
    """What can be taken out before the first cell is empty, and what that cell costs."""
    caption = text("Usable now")
    usable, cell = estimates.of_pack("usable_soc"), estimates.limiting("limiting_cell")
    if math.isnan(usable):
        return TileText(caption, reason=estimates.need("soc"))
    parts, short = [], []
    if cell:
        volts = number(cut_off, 2)
        short.append(text("cell {cell} first", cell=cell))
        parts.append(
            text("cell {cell} is empty first", cell=cell)
            if math.isnan(cut_off)
            else text("cell {cell} reaches {volts} V first", cell=cell, volts=volts)
        )
    elif not math.isnan(cut_off):
        parts.append(text("until {volts} V under load", volts=number(cut_off, 2)))
        if estimates.count > 1:
            parts.append(text("no cell stands out"))
        short.append(parts[-1])
    costs = estimates.of_pack("costs_wh")
    if costs >= 1:
        parts.append(text("costs {energy} Wh", energy=number(costs, 0)))
        short.append(parts[-1])
    lost = estimates.of_pack("soc") - usable
    sigma = estimates.of_pack("usable_soc_sigma")
    state = "watch" if lost > max(_APART, 3 * sigma if math.isfinite(sigma) else 0.0) else ""
    sub, state = _old(" · ".join(parts), state, estimates)
    brief = " · ".join(short) if state != "stale" else ""
    return TileText(caption, number(100 * usable, 0), "%", sub, state, short=brief)


def _lowest(cut_off: float, readings: Readings, findings: Sequence[Finding]) -> TileText:
    caption = text("Lowest cell")
    cell = readings.lowest
    if not cell:
        return TileText(caption, reason=text("no cell voltage yet"))
    value = float(readings.cells_v[cell - 1])
    reading = _cell_reading(readings, cell)
    sub = text("cell {cell}", cell=cell)
    if math.isnan(cut_off):
        sub += " · " + text("cut-off unknown")
    elif value >= cut_off:
        sub += " · " + text("{mv} mV above cut-off", mv=number(1000 * (value - cut_off), 0))
    else:
        sub += " · " + text("{mv} mV below cut-off", mv=number(1000 * (cut_off - value), 0))
    state = _state_of(findings, "limits.cell_under_voltage")
    return TileText(caption, number(value, 3), "V", _aged(sub, reading), _stale_or(reading, state))


def _cell_reading(readings: Readings, cell: int) -> Reading:
    age = float(readings.cell_age_s[cell - 1])
    return Reading(float(readings.cells_v[cell - 1]), age, age > readings.stale_cell_s)


def _spread(readings: Readings) -> TileText:
    caption = text("Cell spread")
    if math.isnan(readings.spread_v):
        return TileText(caption, reason=text("needs two cell voltages"))
    sub = text("{low} lowest · {high} highest", low=readings.lowest, high=readings.highest)
    age = readings.newest_cell_age_s
    reading = Reading(readings.spread_v, age, age > readings.stale_cell_s)
    value = number(1000 * readings.spread_v, 0)
    return TileText(caption, value, "mV", _aged(sub, reading), _stale_or(reading))


def _hottest(
    view: PackView, prefix: str, readings: Readings, findings: Sequence[Finding]
) -> TileText:
    caption = text("Hottest probe")
    probe = readings.hottest
    if probe < 0:
        return TileText(caption, reason=text("no probe on this bus"))
    value, age = float(readings.probes_degc[probe]), float(readings.probe_age_s[probe])
    sub = probe_name(readings, probe)
    before, _ = view.timeline.held(prefix + "probes", readings.t - _RATE_NS)
    if probe < len(before) and not math.isnan(before[probe]):
        rate = number(value - float(before[probe]), 1, sign=True)
        sub += " · " + text("{rate} °C/min", rate=rate)
    reading = Reading(value, age, age > max(5.0, readings.stale_cell_s))
    state = _state_of(findings, "limits.over_temperature")
    return TileText(caption, number(value, 1), "°C", _aged(sub, reading), _stale_or(reading, state))


def probe_name(readings: Readings, probe: int) -> str:
    """The probe's own label, or its number."""
    label = readings.probe_labels[probe] if probe < len(readings.probe_labels) else ""
    if label and not label.isdigit():
        return label
    return text("probe {probe}", probe=probe + 1)


def _state_of(findings: Sequence[Finding], code: str) -> str:
    severities = {f.severity for f in findings if f.code == code}
    if "stop" in severities:
        return "high"
    return "watch" if severities else ""
