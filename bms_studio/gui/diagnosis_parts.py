"""Parts of the Diagnosis page: bullets of what was checked, and how sure and how soon.

Words from verdict, risks and status; nothing is judged here.
"""

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.diagnosis.contract import CellRisk
from bms_studio.gui.contract import PackView, Recordable
from bms_studio.gui.header import seen_for
from bms_studio.gui.page import Context
from bms_studio.gui.readings import number
from bms_studio.gui.risk_words import (
    lead_words,
    remedy_words,
    rival_words,
    share_words,
    when_sentence,
)
from bms_studio.language import text
from widgets.action_button import ActionButton
from widgets.panel import Panel
from widgets.text_line import TextLine

_GOOD_S, _FAIR_S = 600.0, 60.0


def quality_words(
    view: PackView, analysis: AnalysisStatus, prefix: str = ""
) -> tuple[str, str, str]:
    """Badge, tone and remark on the quality of the evidence."""
    span = view.timeline.span()
    status = view.status
    seconds = (min(span[1], view.now_ns) - span[0]) * 1e-9 if span else 0.0
    lost = status.link.lost
    current = "current" in view.timeline.columns(f"{prefix}pack")
    good = seconds >= _GOOD_S and not lost and current
    words, tone = text("Evidence: thin"), "warn"
    if good:
        words, tone = text("Evidence: good"), "ok"
    elif seconds >= _FAIR_S:
        words, tone = text("Evidence: fair"), "text"
    remarks = [text("{duration} seen", duration=seen_for(seconds))]
    visits = analysis.visits
    if visits:
        several = text("{count} earlier visits", count=len(visits))
        remarks.append(several if len(visits) > 1 else text("1 earlier visit"))
    remarks.append(text("{count} frames lost", count=lost))
    if math.isfinite(status.scan_s):
        remarks.append(text("scan {ms} ms", ms=number(1000 * status.scan_s, 0)))
    if not current:
        remarks.append(text("no current: resistance and capacity cannot be judged"))
    elif status.pack.sign != "agrees":
        remarks.append(text("sign of the current not confirmed yet"))
    probes = len(view.timeline.columns(f"{prefix}probes"))
    remarks.append(text("{count} probes", count=probes))
    return words, tone, " · ".join(remarks)


class Bullets(QWidget):
    """A title and a list of sentences with a mark; hidden while there is none."""

    def __init__(self, title: str, tone: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tone = tone
        self._items: list[str] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._column.addWidget(TextLine(title, bold=True))
        self._labels: list[QLabel] = []
        self.hide()

    def set_items(self, items: Sequence[str]) -> None:
        """Show these sentences."""
        if list(items) == self._items:
            return
        self._items = list(items)
        while len(self._labels) < len(items):
            label = QLabel()
            label.setWordWrap(True)
            label.setProperty("tone", "muted")
            self._column.addWidget(label)
            self._labels.append(label)
        mark = "✓" if self._tone == "ok" else "○"
        for number_, label in enumerate(self._labels):
            label.setVisible(number_ < len(items))
            label.setText(f"{mark} {items[number_]}" if number_ < len(items) else "")
        self.setVisible(bool(items))


class CertaintyPanel(QWidget):
    """Probability, range, rival explanations, and what would change this."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.context = context
        self._shown: tuple[object, ...] = ()
        panel = Panel(text("How sure, how soon"))
        self.share = TextLine("", size=24, bold=True)
        self.share_note = _wrapped()
        self.lead = TextLine("", size=20, bold=True)
        self.lead_note = _wrapped()
        self.rivals_title = TextLine(text("Rival explanations"), bold=True)
        self.rivals = _wrapped("")
        self.remedy_title = TextLine(text("What would change this"), bold=True)
        self.remedy = _wrapped("")
        self.start = ActionButton(text("Start the check…"), tone="link")
        self.start.hide()
        self.start.clicked.connect(lambda: context.do("check"))
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        for part in (self.share, self.share_note, self.lead, self.lead_note):
            column.addWidget(part)
        column.addSpacing(8)
        for part in (self.rivals_title, self.rivals):
            column.addWidget(part)
        column.addSpacing(8)
        for part in (self.remedy_title, self.remedy):
            column.addWidget(part)
        column.addWidget(self.start, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        panel.add(area, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(panel)

    def show_risk(
        self, risk: CellRisk | None, analysis: AnalysisStatus, vague: bool = False
    ) -> None:
        """Bring the words up to date; vague: not all that a verdict needs is known."""
        self.start.setVisible(isinstance(self.context.view, Recordable))
        key = (risk, len(analysis.visits), analysis.health, vague)
        if key == self._shown:
            return
        self._shown = key
        judged = risk is not None and risk.mechanism != "none"
        self.share.set_text(share_words(risk.probability) if risk and judged else "–")
        found = risk if judged else None
        self.share_note.setText(_share_note(found) if found else nothing_words(analysis, vague))
        lead = lead_words(risk.lead_time) if risk and judged else ""
        self.lead.set_text(lead)
        self.lead.setVisible(bool(lead))
        self.lead_note.setText(_lead_note(risk, analysis))
        rivals = rival_words(risk) if risk and judged else []
        self.rivals.setText("\n".join(rivals))
        self.rivals_title.setVisible(bool(rivals))
        self.rivals.setVisible(bool(rivals))
        remedy = "\n".join(remedy_words(risk, analysis.health)) if risk and judged else ""
        self.remedy.setText(remedy)
        self.remedy_title.setVisible(bool(remedy))
        self.remedy.setVisible(bool(remedy))


def verdict_of(view: PackView) -> str:
    """Code of the view's verdict; that nothing is known where there is none."""
    verdict = view.status.verdict
    return verdict.code if verdict is not None else "NOT_ENOUGH_DATA"


def nothing_words(analysis: AnalysisStatus, vague: bool) -> str:
    """What stands where no cell is named; vague: not all that a verdict needs is known."""
    if not analysis.risks:
        return text("No cell has been judged yet.")
    if vague:
        return text("Nothing found so far, but not enough was seen to be sure.")
    return text("Nothing found that would make a cell fail first.")


def _share_note(risk: CellRisk) -> str:
    if math.isfinite(risk.probability):
        return text("that cell {cell} is the first", cell=risk.cell)
    return text("A probability needs a trend over days or cycles.")


def _lead_note(risk: CellRisk | None, analysis: AnalysisStatus) -> str:
    if risk is None or risk.mechanism == "none":
        return ""
    if not risk.lead_time:
        words = when_sentence(risk)
        return words[:1].upper() + words[1:]
    middle = number(risk.lead_time[0].p50, 0)
    return text(
        "8 of 10 cases; half fail before {middle}, if used as until now (visits: {count})",
        middle=middle,
        count=len(analysis.visits) + 1,
    )


def _wrapped(tone: str = "muted") -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    if tone:
        label.setProperty("tone", tone)
    return label
