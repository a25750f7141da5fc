"""Opens the window: for no verb at all, `open` and `demo`. Qt enters inside the functions."""

from typing import TYPE_CHECKING

from bms_studio.commands.options import has_display, paint_offscreen

if TYPE_CHECKING:
    from bms_studio.gui.app import Start
    from bms_studio.gui.contract import PackView
    from bms_studio.jobs import Job
    from bms_studio.session_source import LocalSessions


def open_window(
    source: "LocalSessions | None" = None,
    first: "PackView | Job | None" = None,
    start: "Start | None" = None,
) -> int:
    """Show the window until it is closed; its exit status."""
    if not has_display():
        paint_offscreen()
    from bms_studio.gui.app import run
    from bms_studio.session_source import LocalSessions

    return run(source or LocalSessions(), first, start)


def resume_window() -> int:
    """The window without a verb: on the acquisition an earlier window left, if there is one."""
    if not has_display():
        paint_offscreen()
    from bms_studio.session_source import resume

    return open_window(first=resume())
