"""What Check now, Report and Compare do: the dialogs of the diagnosis. Paints nothing itself."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from bms_studio.analysis.contract import AnalysisStatus
from bms_studio.gui.compare_dialog import CompareDialog
from bms_studio.gui.contract import PackView, Recordable
from bms_studio.gui.guide_dialog import GuideDialog
from bms_studio.gui.open_dialogs import choose_target, show_error
from bms_studio.gui.report_dialog import ReportDialog
from bms_studio.gui.settings import Settings
from bms_studio.language import text

if TYPE_CHECKING:
    from bms_studio.gui.window import Window


def check(window: "Window") -> None:
    """The guided check, beside the window; a recording has been measured already."""
    if not isinstance(window.view, Recordable):
        window.notice(text("A recording cannot be checked again: connect to the pack."))
        return
    dialog = GuideDialog(lambda: window.view, window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.finished_check.connect(lambda: window.show_page("diagnosis"))
    dialog.report_wanted.connect(lambda way: report(window, way))
    dialog.show()


def report(window: "Window", way: str = "") -> None:
    """The report of the pack as it is shown; way: what moved current, of a guided check."""
    view = window.view
    if view is None:
        return

    def ask(name: str) -> Path | None:
        folder = Path(window.settings.string("folder", str(Path.home())))
        return choose_target(
            window, text("Save the report…"), folder / name, "PDF (*.pdf);;HTML (*.html)"
        )

    dialog = ReportDialog(view, window.settings, ask, window, used=way)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.saved.connect(lambda path: window.notice(text("Saved: {path}", path=path)))
    dialog.failed.connect(lambda sentence: show_error(window, sentence))
    dialog.open()


def compare(window: "Window") -> None:
    """The present state against an earlier visit."""
    analysis = window.context.analysis() or AnalysisStatus()
    dialog = CompareDialog(analysis.visits, analysis.health, window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def keeps_alerts(settings: Settings) -> bool:
    """Whether the black box saves itself around alerts; it does until somebody says no."""
    return settings.string("keep_alerts", "yes") != "no"


def keep_as_set(view: PackView | None, settings: Settings) -> None:
    """A live view that is shown keeps its alerts, or not, as was set."""
    if isinstance(view, Recordable):
        view.keep_alerts(keeps_alerts(settings))


def keep_alerts(window: "Window") -> None:
    """Turn that on or off, from now on and for the next time."""
    on = not keeps_alerts(window.settings)
    window.settings.put("keep_alerts", "yes" if on else "no")
    keep_as_set(window.view, window.settings)
    window.notice(
        text("Half a minute around each high alert is kept, though nobody records.")
        if on
        else text("Alerts are no longer kept unless somebody records.")
    )
