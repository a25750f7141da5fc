"""What Open, Add a database, Import receipt and Save a copy do. Paints nothing itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QStandardPaths

from bms_studio.gui.contract import Imported, PackView
from bms_studio.gui.open_dialogs import (
    choose_databases,
    choose_files,
    choose_target,
    show_error,
)
from bms_studio.gui.receipt_dialog import ReceiptDialog
from bms_studio.gui.share_dialog import ShareDialog
from bms_studio.jobs import Job
from bms_studio.language import text
from bms_studio.opening import is_recording
from bms_studio.requests import is_database

if TYPE_CHECKING:
    from bms_studio.gui.window import Window


def choose_and_open(window: "Window") -> None:
    """Ask for a recording, logs or databases."""
    documents = QStandardPaths.StandardLocation.DocumentsLocation
    folder = window.settings.string("folder", QStandardPaths.writableLocation(documents))
    paths = choose_files(window, folder)
    if paths:
        open_paths(window, paths)


def open_paths(window: "Window", paths: Sequence[Path]) -> None:
    """Open a recording, or import logs and open what they became; databases alone are added to what
    is open."""
    window.settings.put("folder", str(paths[0].parent))
    databases = [path for path in paths if is_database(path)]
    others = [path for path in paths if path not in databases]
    if not others:
        _add_all(window, databases)
        return
    imported = len(others) > 1 or not is_recording(others[0])
    job = window.source.open(paths if imported else others)
    window.follow_view(job)

    def opened(ended: Job) -> None:
        if ended.result is None or window.view is not ended.result:
            return
        if imported:
            show_receipt(window)
        else:
            _add_all(window, databases)

    window.follower.follow(job, opened)


def add_database(window: "Window") -> None:
    """Ask for databases and add them to what is open."""
    folder = window.settings.string("folder", str(Path.home()))
    _add_all(window, choose_databases(window, folder))


def _add_all(window: "Window", paths: Sequence[Path]) -> None:
    view = window.view
    if not paths:
        return
    if view is None:
        show_error(window, text("Open a recording or connect to a pack: then a database is added."))
        return
    for path in paths:
        window.follower.follow(window.source.database(path), lambda job: _read(window, view, job))


def _read(window: "Window", view: PackView, job: Job) -> None:
    if job.error:
        show_error(window, job.error, job.details)
    elif job.result is not None and window.view is view:
        database = job.result
        view.add_database(database)
        words = text(
            "{name}: {count} messages; everything is derived again with it.",
            name=database.name,
            count=len(database.messages) + len(database.transfers),
        )
        if database.repairs:
            words += " " + text("Defects repaired: {count}.", count=len(database.repairs))
        window.notice(words)


def show_receipt(window: "Window") -> None:
    """What the import of this recording said."""
    view = window.view
    receipt = view.receipt if isinstance(view, Imported) else None
    if receipt is None:
        window.notice(text("Only recordings made from logs have a receipt."))
        return
    folder = Path(window.settings.string("folder", str(Path.home())))
    ReceiptDialog(receipt, folder, window).open()


def share(window: "Window") -> None:
    """Ask what to leave out, then for a place, and write the copy."""
    view = window.view
    if not isinstance(view, Imported):
        return
    source = view.path
    has_location = "location" in view.timeline.groups()
    dialog = ShareDialog(source.name, has_location, window)

    def chosen(without: str) -> None:
        proposed = source.with_name(f"{source.stem}-shared.h5")
        if "serial" in without:
            proposed = source.with_name("shared.h5")  # a name often is the serial number
        title = text("Save a copy to share")
        target = choose_target(window, title, proposed, "HDF5 (*.h5)")
        if target is None:
            return
        if target.exists() and target.samefile(source):
            show_error(window, text("That is the recording itself: choose another name."))
            return
        write_copy(window, source, target, [word for word in without.split(",") if word])

    dialog.chosen.connect(chosen)
    dialog.open()


def write_copy(window: "Window", source: Path, target: Path, without: Sequence[str]) -> None:
    """Write the copy in the background and say what it lacks."""

    def ended(job: Job) -> None:
        if job.error:
            show_error(window, job.error, job.details)
        elif job.result is not None:
            path, removed = job.result
            window.notice(text("Saved: {path} · left out: {what}", path=path, what=removed))

    window.follower.follow(window.source.share(source, target, without), ended)
