"""How good the data are, on the Live page: enough for each quantity, extremes so far, the link.

Three answers in one panel, so that the column fits the page. Words and bars; nothing is judged.
"""

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from bms_studio.gui.cell_view import clock
from bms_studio.gui.contract import PackView, Playable
from bms_studio.gui.estimate_words import METERED, meter_rows
from bms_studio.gui.estimates import Estimates
from bms_studio.gui.header import grouped
from bms_studio.gui.live_panels import (
    Fact,
    FactRows,
    balance_strip,
    balancing_words,
    show_balancing,
)
from bms_studio.gui.page import Context
from bms_studio.gui.readings import Readings, age_words, number
from bms_studio.language import text
from bms_studio.status import Extreme
from widgets.action_button import ActionButton
from widgets.meters import Meters
from widgets.panel import Panel

DATA, BALANCING, EXTREMES, LINK = "data", "balancing", "extremes", "link"
_PAGES = (DATA, BALANCING, EXTREMES, LINK)
_MOST_EXTREMES = 6
_SETTING = "live_page/quality"


class QualityPanel(QWidget):
    """A meter per quantity with what to do next; the cells that were farthest from the median
    since connect; rates, losses, protocol and sign; where the window is low, balancing too."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self.panel = Panel()
        self.panel.segment_changed.connect(self._chosen)
        self.reset = ActionButton(text("Reset"), tone="link", size=12)
        self.reset.clicked.connect(self._begin_anew)
        self._reset_of = 0  # the recording whose extremes begin at a playhead, not at its start
        self.panel.add_to_header(self.reset)
        self.meters = Meters()
        self.extremes = FactRows(_MOST_EXTREMES, first_width=64)
        self.link = FactRows(_MOST_EXTREMES, first_width=96)
        self.strip = balance_strip(context)
        self.pages = QStackedWidget()
        for page in (self.meters, self.strip, self.extremes, self.link):
            self.pages.addWidget(page if page is self.strip else _at_top(page))
        self.panel.add(self.pages)
        self._wanted = context.settings.string(_SETTING, DATA)
        self._low = True
        self.set_low(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.panel)

    def set_low(self, low: bool) -> None:
        """Little height: balancing has no panel of its own, it is one of the answers here."""
        if low == self._low:
            return
        self._low = low
        words = {
            DATA: text("Enough data?"),
            BALANCING: text("Balancing"),
            EXTREMES: text("Extremes"),
            LINK: text("Link"),
        }
        shown = [key for key in words if low or key != BALANCING]
        self.panel.set_segments([(key, words[key]) for key in shown])
        self.panel.set_segment(self._wanted if self._wanted in shown else DATA)
        self._show_page()

    def show_readings(self, view: PackView, readings: Readings, estimates: Estimates) -> None:
        """Bring all three up to date."""
        note, tone = "", "muted"
        if estimates.status is not None:
            rows = meter_rows(estimates)
            self.meters.set_rows(rows)
            good = sum(row.share >= 1 for row in rows)
            if self.panel.segment() == DATA:
                note = text("{count} of {all} good", count=good, all=len(METERED))
        elif self.panel.segment() == DATA:
            note = text("this pack is shown, not estimated")
        if self.panel.segment() == BALANCING:
            note = balancing_words(
                show_balancing(self.strip, self.context, view, readings), readings
            )
        if self.panel.segment() == EXTREMES and isinstance(view, Playable):
            reset = self._reset_of == id(view.timeline)
            note = text("since the reset") if reset else text("whole recording")
        if self.panel.segment() == LINK and view.status.link.message:
            note, tone = view.status.link.message, "warn"
        self.panel.set_note(note, tone)
        self.extremes.set_rows(extreme_rows(self.context.extremes()))
        self.link.set_rows(link_rows(view, readings))

    def _begin_anew(self) -> None:
        view = self.context.view
        self._reset_of = id(view.timeline) if view is not None else 0
        self.context.do("reset_extremes")

    def _chosen(self, segment: str) -> None:
        self._wanted = segment
        self.context.settings.put(_SETTING, segment)
        self._show_page()
        context = self.context
        view, readings, estimates = context.view, context.readings(), context.estimates()
        if view is not None and readings is not None and estimates is not None:
            self.show_readings(view, readings, estimates)

    def _show_page(self) -> None:
        self.pages.setCurrentIndex(_PAGES.index(self.panel.segment()))
        self.reset.setVisible(self.panel.segment() == EXTREMES)


def extreme_rows(extremes: Sequence[Extreme]) -> list[Fact]:
    """The cells that have been farthest from the median, with when."""
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
        for _, cell, extreme in known[:_MOST_EXTREMES]
    ]
    return rows or [("–", text("no scan yet"), "", "muted")]


def link_rows(view: PackView, readings: Readings) -> list[Fact]:
    """How good the data are: ages, scan, losses per stage, protocol, sign of the current."""
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
    return [
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


def _or_dash(value: float, words: str) -> str:
    return "–" if math.isnan(value) else words


def _tone(doubtful: bool) -> str:
    return "warn" if doubtful else "text"


def _at_top(page: QWidget) -> QWidget:
    """All pages are as high as the highest; rows begin at the top."""
    outer = QWidget()
    column = QVBoxLayout(outer)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(page, 0, Qt.AlignmentFlag.AlignTop)
    column.addStretch(1)
    return outer
