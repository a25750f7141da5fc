"""The map of the cells on the report's first page: every cell in its place, with a sign if found.

HTML of tables. Nothing is judged here.
"""

from html import escape

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.contract import CellRisk
from bms_studio.diagnosis.verdict import stands_out
from bms_studio.gui.readings import number
from bms_studio.gui.report_data import Report
from bms_studio.gui.risk_words import severity_of
from bms_studio.language import text

_LINE = "#c8cfd6"
# With more cells than this the map has numbers only, so that it stays on one page.
_MANY, _WIDE = 120, 25
MARKS = {"stop": "✕", "warn": "✕", "watch": "!", "info": "·"}


def cell_map(report: Report) -> str:
    """Every cell in its place; a sign and a frame where something was found."""
    count = report.pack.cells
    if not count:
        return f"<p>{escape(text('No cell voltages were received.'))}</p>"
    many = count > _MANY
    wide = _WIDE if many else 10
    layout = report.pack.layout if report.pack.layout and not many else ()
    layout = layout or tuple(
        tuple(range(first, min(first + wide, count + 1))) for first in range(1, count + 1, wide)
    )
    risks = {risk.cell: risk for risk in report.analysis.risks}
    volts = np.zeros(0) if many else _map_volts(report)
    rows = []
    for row in layout:
        cells = "".join(_cell_box(report, cell, risks.get(cell), volts) for cell in row)
        rows.append(f"<tr>{cells}</tr>")
    health = report.analysis.health
    rest = health is not None and np.isfinite(health.values("rest_voltage_v")).any()
    told = text("volts at rest") if rest else text("volts as last measured")
    signs = text("✕ act · ! watch · no sign: nothing found")
    signs = signs if many else f"{told} · {signs}"
    return f'<table cellspacing="3">{"".join(rows)}</table><p class="muted">{escape(signs)}</p>'


def _map_volts(report: Report) -> NDArray[np.float64]:
    """Voltage at rest where all that is known, else as last measured."""
    health = report.analysis.health
    rest = health.values("rest_voltage_v") if health is not None else np.zeros(0)
    if np.isfinite(rest).any():
        return rest
    values, times = report.evidence.view.timeline.held(
        f"{report.evidence.prefix}cells", report.evidence.until_ns
    )
    return np.where(times > 0, values, np.nan)


def _cell_box(report: Report, cell: int, risk: CellRisk | None, volts: NDArray[np.float64]) -> str:
    """volts: of each cell; none where there are too many cells for figures."""
    if not cell:
        return "<td></td>"
    sign, ground, edge = "", "#ffffff", _LINE
    if risk is not None and stands_out(risk, report.findings):
        severity = severity_of(cell, report.findings)
        sign = MARKS.get(severity, "!")
        ground = "#f3c9c9" if sign == "✕" else "#f6e3b8"
        edge = "#16202b"
    # Qt hands no font size of a table cell down to its words: they carry their own.
    room, size = ("3px 8px", "") if len(volts) else ("0px 1px", ' style="font-size:6pt"')
    words = number(float(volts[cell - 1]), 3) if cell <= len(volts) else ""
    below = f'<br><span class="muted">{escape(words)}</span>' if words else ""
    return (
        f'<td align="center" bgcolor="{ground}" '
        f'style="background:{ground};border:1px solid {edge};padding:{room};text-align:center">'
        f"<b{size}>{f'{cell}{sign}' if size else f'{cell} {sign}'.strip()}</b>{below}</td>"
    )
