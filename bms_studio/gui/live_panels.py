"""The right column of the Live page: alerts, balancing, extreme deviations, link and data quality.

Each panel takes readings and a view, and wires clicks to the selection or to an action.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from bms_studio.diagnosis.contract import Finding
from bms_studio.gui.cell_view import clock
from bms_studio.gui.contract import PackView
from bms_studio.gui.header import grouped
from bms_studio.gui.page import Context
from bms_studio.gui.readings import Readings, age_words, number
from bms_studio.language import text
from bms_studio.messages import render
from bms_studio.status import Extreme
from widgets.action_button import ActionButton
from widgets.alert_list import Alert, AlertList
from widgets.balance_strip import BalanceRow, BalanceStrip
from widgets.panel import Panel
from widgets.text_line import TextLine

_ORDER = {"stop": 0, "warn": 1, "watch": 2, "info": 3}
_MOST_BALANCING_ROWS = 12
_FACT_PX = 20


class AlertsPanel(QWidget):
    """Findings as alerts, open ones first. Clicking one shows its moment and its cell."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.panel = QFrame()
        self.panel.setProperty("panel", True)
        self.list = AlertList()
        self.list.set_title(text("Alerts"))
        self.list.set_empty(text("Nothing beyond a limit, no dips"))
        self.list.alert_selected.connect(self._chosen)
        inside = QVBoxLayout(self.panel)
        inside.setContentsMargins(14, 8, 12, 10)
        inside.addWidget(self.list)
        _fill(self, self.panel)

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Bring the list up to date."""
        ordered = sorted(
            findings,
            key=lambda f: (f.state == "resolved", _ORDER.get(f.severity, 4), -f.time),
        )
        self.list.set_alerts([_alert(f) for f in ordered])
        self.list.set_counts(_counts(findings))

    def _chosen(self, finding_id: str) -> None:
        view = self.context.view
        found = None
        if view is not None:
            found = next((f for f in view.findings if f.id == finding_id), None)
        if view is None or found is None:
            return
        view.acknowledge(finding_id)
        if found.cell:
            self.context.selection.choose(found.cell)
        span = self.context.time.t1_ns - self.context.time.t0_ns
        self.context.time.set_view(found.time - span * 2 // 3, found.time + span // 3)


def _alert(finding: Finding) -> Alert:
    severity = "resolved" if finding.state == "resolved" else finding.severity
    sentence = render(finding.code, finding.parameters, finding.text)
    if finding.state == "acknowledged":
        sentence = text("{sentence} (seen)", sentence=sentence)
    return Alert(finding.id, severity, clock(finding.time), sentence, finding.count)


def _counts(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    open_ones = [f for f in findings if f.state != "resolved"]
    stop = sum(f.severity == "stop" for f in open_ones)
    watch = sum(f.severity in ("warn", "watch") for f in open_ones)
    resolved = len(findings) - len(open_ones)
    counts = []
    if stop:
        counts.append(("stop", text("{count} high", count=stop)))
    if watch:
        counts.append(("watch", text("{count} watch", count=watch)))
    if resolved:
        counts.append(("resolved", text("{count} resolved", count=resolved)))
    return counts


class BalancingPanel(QWidget):
    """Which cells are bled, over the same span of time as the plots."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.panel = Panel(text("Balancing"))
        self.strip = BalanceStrip()
        selection = context.selection
        self.strip.cell_hovered.connect(selection.hover)
        self.strip.cell_selected.connect(selection.choose)
        self.strip.cell_activated.connect(selection.open)
        selection.cell_hovered.connect(self.strip.set_highlight)
        self.panel.add(self.strip, 1)
        _fill(self, self.panel)

    def show_readings(self, view: PackView, readings: Readings) -> None:
        """Bring bars and count up to date."""
        time = self.context.time
        self.strip.set_span(time.t0_ns, time.t1_ns)
        known = readings.balancing != 255
        if not known.any():
            self.panel.set_note("")
            self.strip.set_rows([])
            self.strip.set_empty(text("unknown: this BMS does not report balancing"))
            return
        active = int(np.count_nonzero(readings.balancing == 1))
        self.panel.set_note(
            text("{count} of {cells} active", count=active, cells=len(readings.cells_v))
        )
        self.strip.set_empty(text("no cell was balanced in this span"))
        group = self.context.prefix + "balancing"
        self.strip.set_rows(_balance_rows(view, group, readings, time.t0_ns, time.t1_ns))


def _balance_rows(
    view: PackView, group: str, readings: Readings, t0: int, t1: int
) -> list[BalanceRow]:
    found = view.timeline.fetch(group, t0, t1, 400)
    on = (found.high > 0) & (found.high < 255)
    rows = []
    for column in np.flatnonzero(on.any(axis=1)):
        cell = int(column) + 1
        active = cell <= len(readings.balancing) and readings.balancing[column] == 1
        intervals = on_intervals(found.time, on[column])
        rows.append(BalanceRow(cell, text("cell {cell}", cell=cell), intervals, bool(active)))
    rows.sort(key=lambda row: not row.active)
    return rows[:_MOST_BALANCING_ROWS]


def on_intervals(time: NDArray[np.int64], on: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Start and end (n, 2) of the runs of True; a run ends where the next sample is off."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], on, [False])).astype(np.int8)))
    starts, ends = edges[0::2], np.minimum(edges[1::2], len(time) - 1)
    return np.stack([time[starts], time[ends]], axis=1).astype(np.int64)


class ExtremesPanel(QWidget):
    """The cells that have been farthest from the median since connect, with when; reset."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.panel = Panel(text("Extreme deviations"))
        reset = ActionButton(text("Reset"), tone="link", size=12)
        reset.clicked.connect(lambda: context.do("reset_extremes"))
        self.panel.add_to_header(reset)
        self.rows = FactRows(4, first_width=64)
        self.panel.add(self.rows)
        _fill(self, self.panel)

    def show_extremes(self, extremes: Sequence[Extreme]) -> None:
        """Bring the rows up to date."""
        known = [
            (abs(extreme.deviation_v), cell, extreme)
            for cell, extreme in enumerate(extremes, start=1)
            if extreme.time and not math.isnan(extreme.deviation_v)
        ]
        known.sort(key=lambda item: item[0], reverse=True)
        rows = [
            (
                text("cell {cell}", cell=cell),
                text("{mv} mV", mv=number(1000 * extreme.deviation_v, 0, sign=True)),
                text("at {time}", time=clock(extreme.time)),
                "text",
            )
            for _, cell, extreme in known[:4]
        ]
        self.rows.set_rows(rows or [("–", text("no scan yet"), "", "muted")])


class LinkPanel(QWidget):
    """How good the data are: rates, losses per stage, scan, protocol, sign of the current."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.panel = Panel(text("Link and data quality"))
        self.rows = FactRows(5, first_width=96)
        self.panel.add(self.rows)
        _fill(self, self.panel)

    def show_status(self, view: PackView, readings: Readings) -> None:
        """Bring the rows up to date."""
        status = view.status
        link = status.link
        lost = ", ".join(f"{stage} {grouped(count)}" for stage, count in link.dropped if count)
        newest = readings.newest_cell_age_s
        stale = newest > readings.stale_cell_s
        missing = len(readings.cells_v) - readings.known_cells
        scan = _or_dash(status.scan_s, text("{ms} ms", ms=number(1000 * status.scan_s, 0)))
        sure = text("{percent} % sure", percent=number(100 * status.confidence, 0))
        sign = {
            "agrees": text("agrees with the voltages"),
            "contradicts": text("contradicts the voltages"),
        }.get(status.pack.sign, text("unverified"))
        rows = [
            (
                text("newest cell"),
                _or_dash(newest, text("{age} old", age=age_words(newest))),
                "",
                _tone(stale),
            ),
            (
                text("scan"),
                scan,
                text("{count} cells missing", count=missing) if missing else "",
                _tone(missing > 0),
            ),
            (text("lost frames"), grouped(link.lost), lost, "high" if link.lost else "text"),
            (
                text("protocol"),
                status.protocol or "–",
                sure if status.protocol else "",
                _tone(0 < status.confidence < 0.8),
            ),
            (text("current sign"), sign, "", _tone(status.pack.sign == "contradicts")),
        ]
        self.panel.set_note(link.message, "warn")
        self.rows.set_rows(rows)


def _or_dash(value: float, words: str) -> str:
    return "–" if math.isnan(value) else words


def _tone(doubtful: bool) -> str:
    return "warn" if doubtful else "text"


class FactRows(QWidget):
    """Rows of name, value and remark, aligned; values keep their place. fit: as high as the rows
    that are there, else as `most` of them."""

    def __init__(
        self, most: int, first_width: int, parent: QWidget | None = None, fit: bool = False
    ) -> None:
        super().__init__(parent)
        self._fit = fit
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(0)
        self._lines: list[tuple[TextLine, TextLine, TextLine]] = []
        for row in range(most):
            name = TextLine(tone="muted", size=12)
            name.setMinimumWidth(first_width)
            value = TextLine(size=12)
            remark = TextLine(tone="muted", size=12, align=Qt.AlignmentFlag.AlignRight)
            for column, line in enumerate((name, value, remark)):
                grid.addWidget(line, row, column)
            self._lines.append((name, value, remark))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(most * _FACT_PX)
        grid.setColumnStretch(1, 3)
        grid.setColumnStretch(2, 2)

    def set_rows(self, rows: Sequence[tuple[str, str, str, str]]) -> None:
        """(name, value, remark, tone of the value); missing rows are empty."""
        if self._fit:
            self.setFixedHeight(_FACT_PX * max(1, min(len(rows), len(self._lines))))
            for position, lines in enumerate(self._lines):
                for line in lines:
                    line.setVisible(position < len(rows))
        for position, lines in enumerate(self._lines):
            words = rows[position] if position < len(rows) else ("", "", "", "text")
            for line, shown in zip(lines, words, strict=False):
                line.set_text(shown)
            lines[1].set_tone(words[3])


def _fill(outer: QWidget, inner: QWidget) -> None:
    layout = QVBoxLayout(outer)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(inner)
