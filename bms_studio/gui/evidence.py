"""What speaks for a diagnosis, as small charts: the cell against the band of all the others.

Reads a view's Timeline and the health of this and earlier visits; the Diagnosis page and the report
show the same charts. No widget is made and nothing is judged here.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bms_studio.diagnosis.contract import CellRisk, Finding
from bms_studio.gui.evidence_parts import Array, Evidence, others, seconds_of
from bms_studio.gui.evidence_steps import neighbours, newest_dip, over_charge, strongest_step
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number
from bms_studio.language import text
from bms_studio.messages import render
from widgets.chart import Bar, Chart, Curve, Points, Range
from widgets.chart_paint import has_content

__all__ = ["Evidence", "charts", "deviation", "neighbours", "over_time", "strongest_step"]

_PIXELS = 600
_FEW = 12  # evaluations that are told as points
_LEAST_CHARTS = 2


def charts(evidence: Evidence, risk: CellRisk) -> tuple[Chart, ...]:
    """Two to four charts for the mechanism of a cell."""
    cell = risk.cell
    makers: dict[str, Sequence[Callable[[], Chart]]] = {
        "resistance": (
            lambda: over_time(evidence, cell, "resistance_ohm"),
            lambda: strongest_step(evidence, cell),
            lambda: over_charge(evidence, cell),
            lambda: neighbours(evidence, cell),
        ),
        "capacity": (
            lambda: over_time(evidence, cell, "capacity_difference"),
            lambda: deviation(evidence, cell),
            lambda: all_cells(evidence, cell, "capacity_ah"),
            lambda: all_cells(evidence, cell, "imbalance"),
        ),
        "self-discharge": (
            lambda: over_time(evidence, cell, "imbalance"),
            lambda: all_cells(evidence, cell, "leak_a"),
            lambda: deviation(evidence, cell),
        ),
        "thermal": (lambda: probes(evidence), lambda: deviation(evidence, cell)),
        "sensor": (
            lambda: all_cells(evidence, cell, "offset_v"),
            lambda: deviation(evidence, cell),
            lambda: neighbours(evidence, cell),
        ),
        "imbalance": (
            lambda: over_time(evidence, cell, "imbalance"),
            lambda: all_cells(evidence, cell, "imbalance"),
            lambda: deviation(evidence, cell),
        ),
    }
    makers["connection"] = (
        *makers["resistance"][:1],
        lambda: newest_dip(evidence, cell),
        *makers["resistance"][1:],
        lambda: deviation(evidence, cell),
    )
    makers["internal-short"] = makers["self-discharge"]
    makers["balancing"] = makers["imbalance"]
    chosen = makers.get(
        risk.mechanism,
        (
            lambda: deviation(evidence, cell),
            lambda: strongest_step(evidence, cell),
            lambda: all_cells(evidence, cell, "resistance_ohm"),
            lambda: all_cells(evidence, cell, "capacity_ah"),
        ),
    )
    if evidence.count == 1:
        chosen = (
            lambda: over_time(evidence, cell, "resistance_ohm"),
            lambda: over_time(evidence, cell, "capacity_ah"),
            lambda: probes(evidence),
        )
    made = _telling([replace(make(), day=text("%d %b")) for make in chosen])
    return made if risk.mechanism != "none" else tuple(_calm(chart) for chart in made)


def charts_of_alert(evidence: Evidence, alert: Finding) -> tuple[Chart, ...]:
    """What an alert stands on that no cell's diagnosis explains: temperatures, else the cells."""
    makers: list[Callable[[], Chart]] = [lambda: deviation(evidence, max(alert.cell, 1))]
    if "probe" in alert.parameters:
        makers.insert(0, lambda: probes(evidence))
    elif alert.cell:
        makers.append(lambda: strongest_step(evidence, alert.cell))
    made = _telling([replace(make(), day=text("%d %b")) for make in makers])
    return made if alert.cell else tuple(_keep_probes(chart) for chart in made)


def _keep_probes(chart: Chart) -> Chart:
    return chart if chart.title == text("Temperature") else _calm(chart)


def _telling(made: Sequence[Chart]) -> tuple[Chart, ...]:
    """Charts with something in them; where they are too few, also what is missing. At most four."""
    full = [chart for chart in made if has_content(chart)]
    if len(full) >= _LEAST_CHARTS:
        return tuple(full[:4])
    return tuple(sorted(made, key=has_content, reverse=True)[: len(full) + 1])


def _calm(chart: Chart) -> Chart:
    """Red means high: a cell that nothing was found in is drawn like any named trace."""

    def tone(name: str) -> str:
        return "accent" if name == "high" else name

    return replace(
        chart,
        curves=tuple(replace(curve, tone=tone(curve.tone)) for curve in chart.curves),
        points=tuple(replace(points, tone=tone(points.tone)) for points in chart.points),
        bars=tuple(replace(bar, tone=tone(bar.tone)) for bar in chart.bars),
    )


# -- charts ------------------------------------------------------------------------------------


def over_time(evidence: Evidence, cell: int, name: str) -> Chart:
    """A quantity of the cell over visits; within this recording where there is only one."""
    title, unit, factor, _ = quantity_words(name)
    known = [h for h in evidence.history if cell <= h.count and np.isfinite(h.values(name)).any()]
    empty = _missing(evidence, name)
    if len(known) < 2:
        return _within(evidence, cell, name, empty)
    when = np.array([h.time * 1e-9 for h in known])
    rows = [h.values(name) for h in known]
    width = max(len(row) for row in rows)
    table = factor * np.array(
        [np.pad(r, (0, width - len(r)), constant_values=np.nan) for r in rows]
    )
    sigma = factor * np.array([h.sigma(name)[cell - 1] for h in known])
    low, high = others(table, cell)
    return Chart(
        title=text("{what} over time", what=title),
        unit=unit,
        axis="days",
        points=(Points(when, table[:, cell - 1], sigma, joined=True),),
        band=_band(when, low, high, width - 1),
        empty=empty,
    )


def _missing(evidence: Evidence, name: str) -> str:
    """What would make a quantity known."""
    code = evidence.health.needs.get(name, "") if evidence.health is not None else ""
    return text("unknown: {need}", need=render(code)) if code else text("not known yet")


def _within(evidence: Evidence, cell: int, name: str, empty: str) -> Chart:
    title, unit, factor, _ = quantity_words(name)
    span = evidence.span
    group = f"{evidence.prefix}health/{name}"
    if span is None:
        return Chart(title, unit, empty=empty)
    time, rows = evidence.view.timeline.raw(group, *span)
    if not len(time) or cell > rows.shape[1]:
        return Chart(title, unit, empty=empty)
    table = factor * rows.astype(np.float64)
    low, high = others(table, cell)
    when = seconds_of(time)
    curve = Curve(when, table[:, cell - 1], width=1.8)
    points = Points(when, table[:, cell - 1], np.full(len(when), np.nan))
    few = len(time) < _FEW
    return Chart(
        title=title,
        unit=unit,
        axis="clock",
        curves=() if few else (curve,),
        points=(points,) if few else (),
        band=_band(when, low, high, rows.shape[1] - 1),
        moment=span,
        empty=empty,
    )


def _band(when: Array, low: Array, high: Array, count: int) -> Range | None:
    """Where the others lie; a single cell has none."""
    if not count:
        return None
    return Range(when, low, high, text("{count} other cells", count=count))


def deviation(evidence: Evidence, cell: int) -> Chart:
    """Cell minus median over the whole span, the band of the others behind it."""
    title, unit = text("Cell minus median"), "mV"
    span = evidence.visit
    empty = text("no cell voltages in this span")
    if span is None:
        return Chart(title, unit, empty=empty)
    found = evidence.view.timeline.fetch(f"{evidence.prefix}deviation", *span, _PIXELS)
    if not len(found.time) or cell > len(found.low):
        return Chart(title, unit, empty=empty)
    middle = 500.0 * (found.low.astype(np.float64) + found.high).T
    low, high = others(middle, cell)
    when = seconds_of(found.time)
    shown = 1e3 * found.low[cell - 1].astype(np.float64)
    return Chart(
        title=title,
        unit=unit,
        axis="clock",
        curves=(Curve(when, shown), Curve(when, 1e3 * found.high[cell - 1].astype(np.float64))),
        band=_band(when, low, high, len(found.low) - 1),
        moment=span,
        empty=empty,
    )


def all_cells(evidence: Evidence, cell: int, name: str) -> Chart:
    """A quantity of every cell with sigma, this one marked."""
    title, unit, factor, decimals = quantity_words(name)
    health = evidence.health
    empty = _missing(evidence, name)
    if health is None:
        return Chart(title, unit, empty=empty)
    values, sigma = factor * health.values(name), factor * health.sigma(name)
    if not np.isfinite(values).any():
        return Chart(title, unit, empty=empty)
    if name in ("resistance_ohm", "ten_second_ohm", "capacity_ah"):
        # Bars begin at zero, where differences of a few per cent would not be seen: points instead.
        numbers_ = np.arange(1.0, len(values) + 1)
        here = np.arange(len(values)) == cell - 1
        rest = Points(numbers_[~here], values[~here], sigma[~here], "trace")
        own = Points(numbers_[here], values[here], sigma[here])
        return Chart(
            title, text("{unit}, by cell", unit=unit), "count", points=(rest, own), empty=empty
        )
    bars = tuple(
        Bar(
            str(k + 1),
            float(values[k]),
            float(sigma[k]),
            "high" if k + 1 == cell else "trace",
            number(float(values[k]), decimals, sign=True) if k + 1 == cell else "",
        )
        for k in range(len(values))
    )
    return Chart(title=title, unit=unit, bars=bars, empty=empty)


def probes(evidence: Evidence) -> Chart:
    """All probes over the span, the hottest marked."""
    title, unit = text("Temperature"), text("°C, every probe")
    span = evidence.visit
    empty = text("this pack reports no temperatures")
    if span is None:
        return Chart(title, unit, empty=empty)
    found = evidence.view.timeline.fetch(f"{evidence.prefix}probes", *span, _PIXELS)
    if not len(found.time) or not np.isfinite(found.high).any():
        return Chart(title, unit, empty=empty)
    peak = int(np.nanargmax(np.nanmax(np.nan_to_num(found.high, nan=-1e9), axis=1)))
    when = seconds_of(found.time)
    curves = [
        Curve(when, row.astype(np.float64), "high" if k == peak else "trace", 1.2)
        for k, row in enumerate(found.high)
    ]
    labels = evidence.view.timeline.columns(f"{evidence.prefix}probes")
    note = text("hottest: {probe}", probe=labels[peak] if peak < len(labels) else peak + 1)
    return Chart(title, unit, "clock", tuple(curves), note=note, moment=span, empty=empty)
