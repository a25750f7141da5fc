"""The right column of the Live page: alerts, balancing; and rows of facts for any panel.

Each panel takes readings and a view, and wires clicks to the selection or to an action.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from bms_studio.diagnosis.contract import Finding
from bms_studio.gui.alert_words import counts, kept_words, look_at, note, sentence, shown_severity
from bms_studio.gui.cell_view import clock
from bms_studio.gui.contract import PackView
from bms_studio.gui.page import Context
from bms_studio.gui.readings import Readings
from bms_studio.language import text
from widgets.alert_list import Alert, AlertList
from widgets.balance_strip import BalanceRow, BalanceStrip
from widgets.panel import Panel
from widgets.text_line import TextLine

Fact = tuple[str, str, str, str]  # name, value, remark, tone of the value
_ORDER = {"stop": 0, "warn": 1, "watch": 2, "info": 3}
_MOST_BALANCING_ROWS = 12
_FACT_PX = 20
_NO_ROW_PX, _ONE_ROW_PX, _TWO_ROWS_PX, _ANY_PX = 42, 72, 96, 16_777_215


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
        inside.addWidget(self.list, 1)
        self.kept = TextLine("", tone="muted", size=12)
        self.kept.hide()
        inside.addWidget(self.kept)
        _fill(self, self.panel)

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Bring the list up to date."""
        ordered = sorted(
            findings,
            key=lambda f: (f.state == "resolved", _ORDER.get(f.severity, 4), -f.time),
        )
        self.list.set_alerts([_alert(f) for f in ordered])
        self.list.set_counts(counts(findings))
        view = self.context.view
        words = kept_words(view.status.black_box) if view is not None else ""
        self.kept.set_text(words)
        self.kept.setVisible(bool(words))

    def _chosen(self, finding_id: str) -> None:
        view = self.context.view
        found = None
        if view is not None:
            found = next((f for f in self.context.findings() if f.id == finding_id), None)
        if view is None or found is None:
            return
        if self.context.pack == 1:  # those of further packs are told, not kept
            view.acknowledge(finding_id)
        if found.cell:
            self.context.selection.choose(found.cell)
        self.context.time.set_view(*look_at(view, found))


def _alert(finding: Finding) -> Alert:
    return Alert(
        finding.id,
        shown_severity(finding),
        clock(finding.time),
        sentence(finding),
        finding.count,
        note(finding),
    )


class BalancingPanel(QWidget):
    """Which cells are bled, over the same span of time as the plots."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.panel = Panel(text("Balancing"))
        self.strip = balance_strip(context)
        self.panel.add(self.strip, 1)
        _fill(self, self.panel)

    def show_readings(self, view: PackView, readings: Readings) -> None:
        """Bring bars and count up to date."""
        count = show_balancing(self.strip, self.context, view, readings)
        self.panel.set_note(balancing_words(count, readings))
        self.strip.setVisible(count > 0)
        if count:
            self.setMinimumHeight(_TWO_ROWS_PX if count > 1 else _ONE_ROW_PX)
            self.setMaximumHeight(_ANY_PX)
        else:  # no bars: one line is enough
            self.setFixedHeight(_NO_ROW_PX)


def balance_strip(context: Context) -> BalanceStrip:
    """The bars of balancing, wired to the selection."""
    strip, selection = BalanceStrip(), context.selection
    strip.cell_hovered.connect(selection.hover)
    strip.cell_selected.connect(selection.choose)
    strip.cell_activated.connect(selection.open)
    selection.cell_hovered.connect(strip.set_highlight)
    return strip


def show_balancing(
    strip: BalanceStrip, context: Context, view: PackView, readings: Readings
) -> int:
    """Bring the bars up to date; how many cells were balanced in this span."""
    t0, t1 = context.time.t0_ns, context.time.t1_ns
    strip.set_span(t0, t1)
    known = bool((readings.balancing != 255).any())
    rows = _balance_rows(view, context.prefix + "balancing", readings, t0, t1) if known else []
    strip.set_rows(rows)
    return len(rows)


def balancing_words(count: int, readings: Readings) -> str:
    """How many cells are balanced now, or why there are no bars."""
    if not (readings.balancing != 255).any():
        return text("unknown: this BMS does not report balancing")
    if not count:
        return text("no cell was balanced in this span")
    active = int(np.count_nonzero(readings.balancing == 1))
    return text("{count} of {cells} active", count=active, cells=len(readings.cells_v))


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


class FactRows(QWidget):
    """Rows of name, value and remark, aligned; values keep their place. fit: as high as the rows
    that are there, else as `most` of them. even: value and remark share the width and begin at the
    left, as two things that are compared."""

    def __init__(
        self,
        most: int,
        first_width: int,
        parent: QWidget | None = None,
        fit: bool = False,
        even: bool = False,
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
            side = Qt.AlignmentFlag.AlignLeft if even else Qt.AlignmentFlag.AlignRight
            remark = TextLine(tone="text" if even else "muted", size=12, align=side)
            for column, line in enumerate((name, value, remark)):
                grid.addWidget(line, row, column)
            self._lines.append((name, value, remark))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(most * _FACT_PX)
        grid.setColumnStretch(1, 1 if even else 0)
        grid.setColumnStretch(2, 1)  # the value has the room it needs, the remark the rest

    def set_rows(self, rows: Sequence[Fact]) -> None:
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
