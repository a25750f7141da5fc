"""First to fail on the Live page: at most three cells, with reason, probability and range.

A healthy cell is never listed. A click chooses the cell; a double-click opens it.
"""

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from bms_studio.diagnosis.contract import CellRisk, Finding
from bms_studio.diagnosis.words import listed
from bms_studio.gui.estimates import Estimates, quantity_name
from bms_studio.gui.page import Context
from bms_studio.gui.risk_words import risk_items, unsure, with_evidence
from bms_studio.language import text
from widgets.panel import Panel
from widgets.risk_list import RiskList
from widgets.text_line import TextLine

_MOST, _MOST_IF_LOW = 3, 2
# What a cell fails by.
_JUDGED = ("ten_second_ohm", "capacity_difference", "leak_a")


class FirstPanel(QWidget):
    """See the module."""

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.most = _MOST
        self.panel = Panel(text("First to fail"))
        self.list = RiskList()
        selection = context.selection
        self.list.risk_selected.connect(selection.choose)
        self.list.risk_hovered.connect(selection.hover)
        self.list.risk_activated.connect(selection.open)
        selection.cell_selected.connect(self.list.set_selected)
        self.rest = TextLine("", tone="muted", size=12)
        self.panel.add(self.list)
        self.panel.add(self.rest)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.panel)

    def set_low(self, low: bool) -> None:
        """Little height: one cell less, from the next `show_risks` on."""
        self.most = _MOST_IF_LOW if low else _MOST

    def show_risks(
        self,
        risks: Sequence[CellRisk],
        findings: Sequence[Finding],
        visits: int,
        estimates: Estimates | None = None,
    ) -> None:
        """Bring the list up to date; visits: how many stand behind the ranges; estimates: what is
        known, to say what could not be judged yet."""
        found, doubtful = with_evidence(risks, findings), unsure(risks, findings)
        self.list.set_items(risk_items(risks, findings, self.most))
        self.list.set_empty(_nothing(bool(risks), estimates))
        healthy = len(risks) - len(found) - len(doubtful)
        more = len(found) - self.most
        rest = [text("{count} more on Diagnosis", count=more)] if more > 0 else []
        if doubtful:
            cells = listed([risk.cell for risk in sorted(doubtful, key=lambda r: r.cell)])
            rest.append(text("not sure: {cells}, see Diagnosis", cells=cells))
        if (found or doubtful) and healthy:
            rest.append(text("{count} cells: nothing found", count=healthy))
        self.rest.set_text(" · ".join(rest))
        self.rest.setVisible(bool(rest))
        ranged = any(risk.lead_time for risk in found[: self.most])
        self.panel.set_note(
            text("probability · if used as until now (visits: {count})", count=visits + 1)
            if ranged
            else ""
        )


def _nothing(judged: bool, estimates: Estimates | None) -> str:
    """Why the list is empty: nothing was found, or what could not be judged yet, and why."""
    open_yet = [n for n in _JUDGED if estimates is not None and not estimates.known(n)]
    names = ""
    if estimates is not None:
        needs = (f"{quantity_name(name)} ({estimates.need(name)})" for name in open_yet)
        names = text(", ").join(needs)
    if len(open_yet) == len(_JUDGED):
        return text("Not judged yet: {names}", names=names)
    if not judged:
        return text("No cell has been judged yet.")
    found = text("Nothing found that would make a cell fail first.")
    return f"{found} " + text("Not judged yet: {names}", names=names) if open_yet else found
