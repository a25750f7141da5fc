"""Evidence from load steps as small charts: the strongest one, its neighbours, and where in the
charge a cell resists.

Reads a view's Timeline. No widget is made and nothing is judged here.
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bms_studio.gui.evidence_parts import Array, Evidence, others, seconds_of
from bms_studio.gui.readings import number
from bms_studio.language import text
from widgets.chart import Bar, Chart, Curve, Points, Range

_AROUND_NS = 3_000_000_000
_LEAST_STEP_A = 1.0
_DIP_NS = 2_000_000_000
# A step is as large as the current differs between a second before and after it.
_BEFORE_NS, _AFTER_NS = (-2_000_000_000, -200_000_000), (300_000_000, 1_500_000_000)
# Less charge than this moved says nothing of where in the charge.
_LEAST_RANGE = 0.04


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
        f"{evidence.prefix}pack",
        int(found.time[peak]) - 2 * around + _BEFORE_NS[0],
        int(found.time[peak]) + around + _AFTER_NS[1],
    )
    current = rows[:, at].astype(np.float64)
    good = np.isfinite(current)
    if np.count_nonzero(good) < 2:
        return None
    time, current = time[good], current[good]
    steps = np.diff(current)
    k = int(np.argmax(np.abs(steps)))
    moment = int(time[k + 1])
    before, after = (_within(time - moment, current, span) for span in (_BEFORE_NS, _AFTER_NS))
    whole = after - before  # an edge may take several readings
    return moment, whole if math.isfinite(whole) else float(steps[k])


def _within(time: NDArray[np.int64], values: Array, span: tuple[int, int]) -> float:
    inside = (time >= span[0]) & (time <= span[1])
    return float(np.median(values[inside])) if inside.any() else math.nan


def newest_dip(evidence: Evidence, cell: int) -> Chart:
    """The newest dip of this cell: it and its neighbours within two seconds."""
    title, unit = text("The newest dip"), text("mV vs median")
    empty = text("no dip of this cell")
    dips = [
        f
        for f in evidence.view.findings
        if f.kind == "dip" and cell in (f.cell, f.parameters.get("other")) and f.cell
    ]
    if not dips:
        return Chart(title, unit, empty=empty)
    moment = max(dips, key=lambda f: f.time).start
    return _around(evidence, cell, moment, _DIP_NS, Chart(title, unit, empty=empty))


def strongest_step(evidence: Evidence, cell: int) -> Chart:
    """The strongest load step: what the cell does against the median within seconds of it."""
    title, unit = text("Strongest step"), text("mV vs median")
    found = largest_current(evidence)
    empty = text("no load step yet: a pull of 10 s would show the resistance")
    if found is None:
        return Chart(title, unit, empty=empty)
    moment, amount = found
    chart = Chart(title, unit, empty=empty)
    note = text("current {change} A", change=number(amount, 0, sign=True))
    return _around(evidence, cell, moment, _AROUND_NS, chart, note)


def _around(
    evidence: Evidence, cell: int, moment: int, half_ns: int, chart: Chart, note: str = ""
) -> Chart:
    """The chart with the cell and the others, against the median, so long before and after."""
    span = (moment - half_ns, moment + half_ns)
    time, rows = evidence.view.timeline.raw(f"{evidence.prefix}deviation", *span)
    if len(time) < 3 or cell > rows.shape[1]:
        return chart
    table = 1e3 * rows.astype(np.float64)
    low, high = others(table, cell)
    seconds = seconds_of(time - moment)
    return replace(
        chart,
        axis="seconds",
        curves=(Curve(seconds, table[:, cell - 1], width=1.6),),
        band=Range(seconds, low, high, ""),
        note=note,
        moment=span,
    )


def over_charge(evidence: Evidence, cell: int) -> Chart:
    """Apparent resistance of the cell beyond the median, where in the charge: a joint is flat."""
    title, unit = text("Where in the charge"), text("mΩ beyond the median")
    empty = text("needs a current and the chemistry: charge is not known without")
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
    if not np.nanmax(np.abs(amps), initial=0.0) >= _LEAST_STEP_A:
        return Chart(title, unit, empty=text("no load yet"))
    strong = np.abs(amps) > 0.4 * np.nanmax(np.abs(amps))
    good = strong & np.isfinite(own) & np.isfinite(charge)
    rest = np.abs(amps) < 0.05 * np.nanmax(np.abs(amps))
    base = float(np.nanmedian(own[rest])) if (rest & np.isfinite(own)).any() else 0.0
    if np.count_nonzero(good) < 4:
        return Chart(title, unit, empty=empty)
    if np.ptp(charge[good]) < _LEAST_RANGE:
        return Chart(title, unit, empty=text("too little charge was moved to see it"))
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
        note=text("a joint stays flat, a cell does not"),
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
