"""Estimates in the reader's words: what they stand on, how good the data are, BMS against estimate.

Words and rows of plain data for panels and tool tips; makes no widget.
"""

import math

from bms_studio.analysis.contract import AnalysisStatus, Basis, Settings
from bms_studio.analysis.kind_words import kind_words
from bms_studio.gui.cell_view import clock
from bms_studio.gui.cells_table import QUANTITIES
from bms_studio.gui.estimates import Estimates, evidence_words, quantity_name
from bms_studio.gui.readings import Readings, number
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.pack.health import Health
from widgets.meters import MeterRow

Fact = tuple[str, str, str, str]
METERED = ("soc", "rest_voltage_v", "resistance_ohm", "capacity_ah", "leak_a", "sag_margin_v")
DETAILED = (
    *("soc", "imbalance", "rest_voltage", "capacity", "soh_capacity"),
    *("resistance", "ten_second", "soh_resistance", "leak", "sag", "offset", "risk"),
)
_ENOUGH, _NEARLY = 0.995, 0.95
_DOTS = {0: "", 1: "●○○", 2: "●●○", 3: "●●●"}


def duration_words(seconds: float) -> str:
    """45 s, 12 min, 5.2 h, 3.1 days; a dash when unknown."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 120:
        return text("{count} s", count=number(seconds, 0))
    if seconds < 7200:
        return text("{count} min", count=number(seconds / 60, 0))
    if seconds < 172_800:
        return text("{count} h", count=number(seconds / 3600, 1))
    return text("{count} days", count=number(seconds / 86_400, 1))


def source_words(source: str) -> str:
    """Where chemistry or capacity come from."""
    return {
        "stated": text("stated"),
        "recognised": text("recognised from the data"),
        "asked": text("as asked for this run"),
        "profile": text("from the profile"),
        "learned": text("learned from the data"),
        "bms": text("from the BMS"),
    }.get(source, source)


def basis_facts(basis: Basis) -> list[Fact]:
    """Chemistry, capacity and model, with where they come from."""
    sure = ""
    if basis.chemistry and 0 < basis.chemistry_confidence < 1:
        sure = text("{percent} % sure", percent=number(100 * basis.chemistry_confidence, 0))
    origin = source_words(basis.chemistry_source)
    origin = " · ".join(part for part in (origin, sure) if part)
    doubtful = "warn" if not basis.chemistry or basis.chemistry_confidence < 0.8 else "text"
    capacity = ""
    if basis.capacity_ah > 0:
        capacity = text("{amount} Ah", amount=number(basis.capacity_ah, 1))
        if basis.capacity_sigma > 0:
            capacity += f" ± {number(basis.capacity_ah * basis.capacity_sigma, 1)}"
    if basis.family and not basis.chemistry:
        origin = kind_words(basis)
    return [
        (text("Chemistry"), basis.chemistry or "–", origin or text("unknown"), doubtful),
        (
            text("Capacity"),
            capacity or "–",
            source_words(basis.capacity_source) or text("unknown"),
            "text" if capacity else "warn",
        ),
        (text("Model"), basis.model or "–", "", "text"),
    ]


def notes_words(basis: Basis) -> str:
    """What degrades the result, a sentence per line."""
    return "\n".join(render(code) for code in basis.notes)


def meter_rows(estimates: Estimates) -> list[MeterRow]:
    """How much of the data needed is there, per quantity, and what to do next."""
    health = estimates.health
    rows = []
    for name in METERED:
        share = health.progress.get(name, math.nan) if health is not None else math.nan
        code = health.needs.get(name, "") if health is not None else ""
        if code:
            words = render(code)
            share = min(share, _NEARLY)  # never full while something is missing
        elif health is None:
            words = estimates.need(name)
        else:
            share = share if math.isfinite(share) else 1.0 if estimates.known(name) else math.nan
            enough = share >= _ENOUGH
            words = text("good enough") if enough else text("better with more")
        rows.append(MeterRow(quantity_name(name), share, words))
    return rows


def compared_facts(readings: Readings, estimates: Estimates) -> list[Fact]:
    """The BMS's own charge, health and capacity beside ours; only what either side knows."""
    rows = []
    for name, title, unit, factor, decimals in (
        ("soc", text("State of charge"), "%", 100.0, 1),
        ("soh", text("State of health"), "%", 100.0, 0),
        ("capacity_ah", text("Capacity"), "Ah", 1.0, 1),
    ):
        bms = readings.field("full_ah" if name == "capacity_ah" else name).value * factor
        ours = estimates.of_pack(name) * factor
        sigma = estimates.of_pack(f"{name}_sigma") * factor
        if math.isnan(bms) and math.isnan(ours):
            continue
        mine = f"{number(ours, decimals)} {unit}" if math.isfinite(ours) else "–"
        if math.isfinite(ours) and math.isfinite(sigma):
            mine += f" ± {number(sigma, decimals)}"
        said = text("the BMS does not report it")
        if math.isfinite(bms):
            said = text("the BMS says {value} {unit}", value=number(bms, decimals), unit=unit)
        apart = math.isfinite(sigma) and abs(ours - bms) > max(3 * sigma, 0.03 * abs(ours))
        rows.append((title, mine, said, "warn" if apart else "text"))
    return rows


def cell_facts(estimates: Estimates, cell: int) -> list[Fact]:
    """All quantities of a cell: value ± sigma, evidence, or what would make it known."""
    rows = []
    for key in DETAILED:
        quantity = QUANTITIES[key]
        name, i = quantity.name, cell - 1
        if i >= estimates.count or (name in ("risk", "offset_v") and not estimates.known(name)):
            continue
        value = float(estimates.values(name)[i]) * quantity.factor
        sigma = float(estimates.sigma(name)[i]) * quantity.factor
        if math.isnan(value):
            rows.append((quantity_name(name), "–", estimates.need(name), "muted"))
            continue
        words = f"{number(value, quantity.decimals, quantity.sign)} {quantity.unit}"
        if math.isfinite(sigma):
            words += f" ± {number(sigma, quantity.sigma_decimals)}"
        mark = int(estimates.marks(name)[i])
        evidence = f"{_DOTS[mark]} {evidence_words(mark)}".strip()
        rows.append((quantity_name(name), words, evidence, "text"))
    return rows


def compared_cells(estimates: Estimates, cell: int, second: int) -> list[Fact]:
    """All quantities of two cells side by side, and how far apart they are, behind the second."""
    behind = text("Cell {cell}", cell=second) + "  ·  Δ"
    head = ("", text("Cell {cell}", cell=cell), behind, "text")
    others = {name: value for name, value, _, _ in cell_facts(estimates, second)}
    apart = {
        quantity_name(QUANTITIES[key].name): _apart(estimates, key, cell, second)
        for key in DETAILED
    }
    rows = [head]
    for name, value, _, tone in cell_facts(estimates, cell):
        remark = others.get(name, "")
        if apart[name]:
            remark = f"{remark}  ·  Δ {apart[name]}"
        rows.append((name, value, remark, tone))
    return rows


def _apart(estimates: Estimates, key: str, cell: int, second: int) -> str:
    """The first minus the second; "" where either is unknown."""
    quantity = QUANTITIES[key]
    values = estimates.values(quantity.name) * quantity.factor
    if max(cell, second) > len(values):
        return ""
    change = float(values[cell - 1] - values[second - 1])
    return "" if math.isnan(change) else number(change, quantity.decimals, True)


def hint(estimates: Estimates, key: str, cell: int) -> str:
    """What the pointer tells of an estimate: value, sigma, evidence, data, span, model, settings.
    key: a column of `cells_table.QUANTITIES`; cell from 1."""
    quantity = QUANTITIES[key]
    name, i = quantity.name, cell - 1
    if i >= estimates.count:
        return ""
    value = float(estimates.values(name)[i]) * quantity.factor
    sigma = float(estimates.sigma(name)[i]) * quantity.factor
    title = f"{text('Cell {cell}', cell=cell)} · {quantity_name(name)}"
    if math.isnan(value):
        lines = [title, text("unknown: {need}", need=estimates.need(name))]
    else:
        shown = f"{number(value, quantity.decimals, quantity.sign)} {quantity.unit}"
        if math.isfinite(sigma):
            shown += f" ± {number(sigma, quantity.sigma_decimals + 1)} {quantity.unit} (1 σ)"
        lines = [title, shown]
        words = evidence_words(int(estimates.marks(name)[i]))
        if words:
            lines.append(words)
    return "\n".join([*lines, *foundation(estimates)])


def foundation(estimates: Estimates) -> list[str]:
    """Data, span, model and settings that all estimates of this moment stand on."""
    status, health = estimates.status, estimates.health
    if status is None:
        return []
    lines = []
    if health is not None:
        seen = health.of_pack("observed_s")
        lines.append(
            text(
                "from {seen} of data, {start} to {end}",
                seen=duration_words(seen if seen == seen else (health.time - health.start) * 1e-9),
                start=clock(health.start),
                end=clock(health.time),
            )
        )
    basis = status.basis
    parts = [basis.model or (health.model if health is not None else ""), kind_words(basis)]
    if basis.capacity_ah > 0:
        parts.append(text("{amount} Ah", amount=number(basis.capacity_ah, 1)))
    model = " · ".join(part for part in parts if part)
    if model:
        lines.append(text("model: {model}", model=model))
    lines.append(text("settings: {settings}", settings=settings_words(status.settings)))
    return lines


def settings_words(settings: Settings) -> str:
    """What a person stated for an analysis; "automatic" when nothing."""
    parts = [settings.name, settings.chemistry]
    if settings.capacity_ah > 0:
        parts.append(text("{amount} Ah", amount=number(settings.capacity_ah, 1)))
    if settings.noise_v > 0:
        parts.append(text("noise {amount} mV", amount=number(1000 * settings.noise_v, 1)))
    if settings.error_v > 0:
        parts.append(text("model error {amount} mV", amount=number(1000 * settings.error_v, 1)))
    parts += [f"{name} {value:g}" for name, value in settings.model.items()]
    return " · ".join(part for part in parts if part) or text("automatic")


def run_words(status: AnalysisStatus) -> str:
    """Which analysis is shown."""
    if not status.runs:
        return text("not run yet")
    name = status.runs[status.shown] if 0 <= status.shown < len(status.runs) else ""
    return text(
        "{name} ({number} of {count})",
        name=settings_words(status.settings) if not name or name.isdigit() else name,
        number=status.shown + 1,
        count=len(status.runs),
    )


def visits_words(visits: tuple[Health, ...]) -> str:
    """How many earlier visits are known."""
    if len(visits) == 1:
        return text("1 earlier visit")
    return text("{count} earlier visits", count=len(visits)) if visits else ""
