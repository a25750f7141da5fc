"""From a view to the report's contents, at its present moment. No widget, no judgement."""

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.gui.contract import Analysed, PackView
from bms_studio.gui.evidence import Evidence
from bms_studio.gui.report_contents import SECTIONS, Report, Visit


def report_of(
    view: PackView, visit: Visit | None = None, sections: tuple[str, ...] = SECTIONS
) -> Report:
    """All that the report says of the pack as of `view.now_ns`."""
    status = view.status
    analysis = view.analysis if isinstance(view, Analysed) else AnalysisStatus()
    return Report(
        evidence=Evidence(view, analysis.health, analysis.visits, view.now_ns),
        analysis=analysis,
        findings=tuple(view.findings),
        verdict=status.verdict,
        pack=status.pack,
        simulated=status.link.simulated,
        visit=visit or Visit(),
        sections=sections,
    )
