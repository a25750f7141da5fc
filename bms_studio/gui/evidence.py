"""What speaks for a diagnosis, as small charts: the cell against the band of all the others.

Reads a view's Timeline and the health of this and earlier visits; the Diagnosis page and the report
show the same charts. No widget is made and nothing is judged here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import CellRisk
from bms_studio.gui.contract import PackView
from bms_studio.gui.quantity_words import quantity_words
from bms_studio.gui.readings import number
from bms_studio.language import text
from bms_studio.pack.health import Health
from widgets.chart import Bar, Chart, Curve, Points, Range

_PIXELS = 600
_AROUND_NS = 3_000_000_000
_LEAST_STEP_A = 1.0
_FEW = 12  # evaluations that are told as points
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the charts are made from. prefix: "" or "packs/<n>/"; until: the present moment."""

    view: PackView
    health: Health | None
    visits: tuple[Health, ...]
    until_ns: int
    prefix: str = ""

    @property
    def span(self) -> tuple[int, int] | None:
        """From the first sample to the present moment."""
        span = self.view.timeline.span()
        return (span[0], max(min(span[1], self.until_ns), span[0] + 1)) if span else None

    @property
    def history(self) -> tuple[Health, ...]:
        """Earlier visits and the present one."""
        return (*self.visits, self.health) if self.health is not None else self.visits


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
    makers["connection"] = makers["resistance"]
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
    made = tuple(make() for make in chosen)
    return made if risk.mechanism != "none" else tuple(_calm(chart) for chart in made)


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


# -- what charts share ------------------------------------------------------------------------


def others(values: NDArray[np.floating], cell: int) -> tuple[Array, Array]:
    """10 % and 90 % of all cells but one, along the last axis of (M, N)."""
    rest = np.delete(np.asarray(values, np.float64), cell - 1, axis=1)
    low, high = np.full(len(rest), np.nan), np.full(len(rest), np.nan)
    known = np.isfinite(rest).any(axis=1) if rest.shape[1] else np.zeros(len(rest), np.bool_)
    if known.any():
        low[known], high[known] = np.nanquantile(rest[known], (0.1, 0.9), axis=1)
    return low, high


def _seconds(time_ns: NDArray[np.int64]) -> Array:
    return np.asarray(time_ns, np.float64) * 1e-9


# -- charts ------------------------------------------------------------------------------------


def over_time(evidence: Evidence, cell: int, name: str) -> Chart:
    """A quantity of the cell over visits; within this recording where there is only one."""
    title, unit, factor, _ = quantity_words(name)
    known = [h for h in evidence.history if cell <= h.count and np.isfinite(h.values(name)).any()]
    empty = text("not known yet")
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
        band=Range(when, low, high, text("{count} other cells", count=width - 1)),
        empty=empty,
    )


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
    when = _seconds(time)
    curve = Curve(when, table[:, cell - 1], width=1.8)
    points = Points(when, table[:, cell - 1], np.full(len(when), np.nan))
    few = len(time) < _FEW
    return Chart(
        title=title,
        unit=unit,
        axis="clock",
        curves=() if few else (curve,),
        points=(points,) if few else (),
        band=Range(when, low, high, text("{count} other cells", count=rows.shape[1] - 1)),
        moment=span,
        empty=empty,
    )


def deviation(evidence: Evidence, cell: int) -> Chart:
    """Cell minus median over the whole span, the band of the others behind it."""
    title, unit = text("Cell minus median"), "mV"
    span = evidence.span
    empty = text("no cell voltages in this span")
    if span is None:
        return Chart(title, unit, empty=empty)
    found = evidence.view.timeline.fetch(f"{evidence.prefix}deviation", *span, _PIXELS)
    if not len(found.time) or cell > len(found.low):
        return Chart(title, unit, empty=empty)
    middle = 500.0 * (found.low.astype(np.float64) + found.high).T
    low, high = others(middle, cell)
    when = _seconds(found.time)
    shown = 1e3 * found.low[cell - 1].astype(np.float64)
    return Chart(
        title=title,
        unit=unit,
        axis="clock",
        curves=(Curve(when, shown), Curve(when, 1e3 * found.high[cell - 1].astype(np.float64))),
        band=Range(when, low, high, text("{count} other cells", count=len(found.low) - 1)),
        moment=span,
        empty=empty,
    )


def largest_current(evidence: Evidence) -> tuple[int, float] | None:
    """Moment (ns) and size (A) of the largest change of current; None when there is none."""
    span = evidence.span
    columns = evidence.view.timeline.columns(f"{evidence.prefix}pack")
    if span is None or "current" not in columns:
        return None
    at = columns.index("current")
    found = evidence.view.timeline.fetch(f"{evidence.prefix}pack", *span, 4000, [at])
    if len(found.time) < 3:
        return None
    change = (found.high[0] - found.low[0]).astype(np.float64)
    change[1:] = np.fmax(change[1:], np.abs(np.diff(found.high[0].astype(np.float64))))
    if not np.isfinite(change).any() or np.nanmax(change) < _LEAST_STEP_A:
        return None
    peak = int(np.nanargmax(change))
    around = max(int(found.time[min(peak + 1, len(found.time) - 1)] - found.time[peak - 1]), 1)
    time, rows = evidence.view.timeline.raw(
        f"{evidence.prefix}pack", int(found.time[peak]) - 2 * around, int(found.time[peak]) + around
    )
    current = rows[:, at].astype(np.float64)
    good = np.isfinite(current)
    if np.count_nonzero(good) < 2:
        return None
    steps = np.diff(current[good])
    k = int(np.argmax(np.abs(steps)))
    return int(time[good][k + 1]), float(steps[k])


def strongest_step(evidence: Evidence, cell: int) -> Chart:
    """The strongest load step: what the cell does against the median within seconds of it."""
    title, unit = text("The strongest load step"), text("mV, cell minus median")
    found = largest_current(evidence)
    empty = text("no load step yet: a pull of 10 s would show the resistance")
    if found is None:
        return Chart(title, unit, empty=empty)
    moment, amount = found
    span = (moment - _AROUND_NS, moment + _AROUND_NS)
    time, rows = evidence.view.timeline.raw(f"{evidence.prefix}deviation", *span)
    if len(time) < 3 or cell > rows.shape[1]:
        return Chart(title, unit, empty=empty)
    table = 1e3 * rows.astype(np.float64)
    low, high = others(table, cell)
    seconds = _seconds(time - moment)
    return Chart(
        title=title,
        unit=unit,
        axis="seconds",
        curves=(Curve(seconds, table[:, cell - 1], width=1.6),),
        band=Range(seconds, low, high, ""),
        note=text("current {change} A", change=number(amount, 0, sign=True)),
        moment=span,
        empty=empty,
    )


def over_charge(evidence: Evidence, cell: int) -> Chart:
    """Apparent resistance of the cell beyond the median, where in the charge: a joint is flat."""
    title, unit = text("Where in the charge"), text("mΩ beyond the median")
    empty = text("needs current, charge and cells together")
    span, timeline = evidence.span, evidence.view.timeline
    columns = timeline.columns(f"{evidence.prefix}pack")
    charges = timeline.columns(f"{evidence.prefix}estimates/pack")
    if span is None or "current" not in columns or "soc" not in charges:
        return Chart(title, unit, empty=empty)
    cells = timeline.fetch(f"{evidence.prefix}deviation", *span, 1500)
    pack = timeline.fetch(f"{evidence.prefix}pack", *span, 1500, [columns.index("current")])
    soc = timeline.fetch(f"{evidence.prefix}estimates/pack", *span, 1500, [charges.index("soc")])
    if len(cells.time) < 3 or len(pack.time) < 3 or len(soc.time) < 2 or cell > len(cells.low):
        return Chart(title, unit, empty=empty)
    own = 0.5 * (cells.low[cell - 1].astype(np.float64) + cells.high[cell - 1])
    amps = _at(cells.time, pack.time, 0.5 * (pack.low[0].astype(np.float64) + pack.high[0]))
    charge = _at(cells.time, soc.time, soc.low[0].astype(np.float64))
    strong = np.abs(amps) > 0.4 * np.nanmax(np.abs(amps))
    good = strong & np.isfinite(own) & np.isfinite(charge)
    rest = np.abs(amps) < 0.05 * np.nanmax(np.abs(amps))
    base = float(np.nanmedian(own[rest])) if (rest & np.isfinite(own)).any() else 0.0
    if np.count_nonzero(good) < 4:
        return Chart(title, unit, empty=empty)
    x, y = charge[good], -1e3 * (own[good] - base) / amps[good]
    bins = np.linspace(x.min(), x.max() + 1e-9, min(16, 2 + len(x) // 8))
    at = np.digitize(x, bins)
    chosen = np.unique(at)
    centres = np.array([x[at == k].mean() for k in chosen])
    medians = np.array([np.median(y[at == k]) for k in chosen])
    spread = np.array([y[at == k].std() / math.sqrt(np.count_nonzero(at == k)) for k in chosen])
    return Chart(
        title=title,
        unit=unit,
        axis="share",
        points=(Points(centres, medians, spread),),
        zero=True,
        note=text("flat: a joint does not care about charge"),
        empty=empty,
    )


def _at(when: NDArray[np.int64], time: NDArray[np.int64], values: Array) -> Array:
    good = np.isfinite(values)
    if not good.any():
        return np.full(len(when), np.nan)
    return np.asarray(np.interp(when, time[good], values[good]), np.float64)


def neighbours(evidence: Evidence, cell: int) -> Chart:
    """What the cells beside it did at the strongest step: a sense wire mirrors itself there."""
    title, unit = text("Neighbours"), text("mV at that step")
    found = largest_current(evidence)
    empty = text("no load step yet")
    if found is None:
        return Chart(title, unit, empty=empty)
    moment, _ = found
    time, rows = evidence.view.timeline.raw(
        f"{evidence.prefix}deviation", moment - _AROUND_NS, moment + _AROUND_NS
    )
    before, after = rows[time < moment], rows[(time > moment) & (time < moment + 1_500_000_000)]
    if not len(before) or not len(after) or cell > rows.shape[1]:
        return Chart(title, unit, empty=empty)
    with np.errstate(all="ignore"):
        change = 1e3 * (_median(after) - _median(before))
    first, last = max(cell - 3, 0), min(cell + 2, rows.shape[1])
    bars = tuple(
        Bar(
            str(k + 1),
            float(change[k]),
            tone="high" if k + 1 == cell else "trace",
            text=number(float(change[k]), 0, sign=True),
        )
        for k in range(first, last)
    )
    span = (moment - _AROUND_NS, moment + _AROUND_NS)
    return Chart(title=title, unit=unit, bars=bars, moment=span, empty=empty)


def _median(rows: NDArray[np.float32]) -> Array:
    out = np.full(rows.shape[1], np.nan)
    known = np.isfinite(rows).any(axis=0)
    out[known] = np.nanmedian(rows[:, known].astype(np.float64), axis=0)
    return out


def all_cells(evidence: Evidence, cell: int, name: str) -> Chart:
    """A quantity of every cell with sigma, this one marked."""
    title, unit, factor, decimals = quantity_words(name)
    health = evidence.health
    empty = text("not known yet")
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
        return Chart(title, text("{unit}, by cell", unit=unit), points=(rest, own), empty=empty)
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
    span = evidence.span
    empty = text("this pack reports no temperatures")
    if span is None:
        return Chart(title, unit, empty=empty)
    found = evidence.view.timeline.fetch(f"{evidence.prefix}probes", *span, _PIXELS)
    if not len(found.time) or not np.isfinite(found.high).any():
        return Chart(title, unit, empty=empty)
    peak = int(np.nanargmax(np.nanmax(np.nan_to_num(found.high, nan=-1e9), axis=1)))
    when = _seconds(found.time)
    curves = [
        Curve(when, row.astype(np.float64), "high" if k == peak else "trace", 1.2)
        for k, row in enumerate(found.high)
    ]
    labels = evidence.view.timeline.columns(f"{evidence.prefix}probes")
    note = text("hottest: {probe}", probe=labels[peak] if peak < len(labels) else peak + 1)
    return Chart(title, unit, "clock", tuple(curves), note=note, moment=span, empty=empty)
