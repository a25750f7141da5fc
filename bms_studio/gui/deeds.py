"""What each action of `actions.ACTIONS` does: one method per name, called by key, menu or palette.

Works on the window it is given; paints nothing.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox

from bms_studio.gui import diagnosis_deeds, file_deeds
from bms_studio.gui.actions import ACTIONS, Action
from bms_studio.gui.analysis_dialog import AnalysisDialog
from bms_studio.gui.connect_dialog import ConnectDialog
from bms_studio.gui.contract import Analysed, ConnectSettings, PackView, Recordable
from bms_studio.gui.diagnostic_zip import program_version, write_diagnostic_zip
from bms_studio.gui.mapping_dialog import MappingDialog
from bms_studio.gui.open_dialogs import HelpDialog, choose_target, show_error
from bms_studio.gui.picture import title_picture
from bms_studio.gui.screenshot import grab_scaled, save_image
from bms_studio.gui.settings import log_folder
from bms_studio.jobs import Job
from bms_studio.language import language, languages, set_language, text
from widgets.palette_dialog import Command, PaletteDialog
from widgets.theme import DARK, LIGHT, apply_theme, current_theme

if TYPE_CHECKING:
    from bms_studio.gui.window import Window

_PICTURE_SCALE = 2.0


class Deeds:
    """`do(name)` runs an action; an OSError or RuntimeError becomes one sentence on screen."""

    def __init__(self, window: "Window") -> None:
        self._window = window
        self._closing_agreed = False

    def do(self, name: str) -> None:
        """Run the action of this name. KeyError when the table has none."""
        method = getattr(self, f"_{name}", None)
        if method is None:
            raise KeyError(f"no action '{name}'")
        try:
            method()
        except (OSError, RuntimeError) as problem:
            self.error(str(problem))

    def error(self, sentence: str, details: str = "") -> None:
        """One sentence with details to copy."""
        show_error(self._window, sentence, details)

    # -- pack ----------------------------------------------------------------------------------

    def _open(self) -> None:
        file_deeds.choose_and_open(self._window)

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open a recording, import logs and open what they became, or add databases."""
        file_deeds.open_paths(self._window, paths)

    def _database(self) -> None:
        file_deeds.add_database(self._window)

    def _receipt(self) -> None:
        file_deeds.show_receipt(self._window)

    def _share(self) -> None:
        file_deeds.share(self._window)

    def _connect(self) -> None:
        window = self._window
        dialog = ConnectDialog(window.source, window.settings.connection(), window)
        dialog.chosen.connect(self._connect_with)
        dialog.open()

    def _connect_with(self, settings: ConnectSettings, record: bool) -> None:
        window = self._window
        window.settings.put_connection(settings)
        window.follow_view(window.source.connect(settings, record))

    def _disconnect(self) -> None:
        self._window.show_view(None)

    def release(self, view: PackView) -> None:
        """Let go of a view without holding up the window; what it records is saved."""
        self._window.follower.follow(
            Job("Disconnecting", lambda job: disconnect(job, view)), self._released
        )

    def _released(self, job: Job) -> None:
        if job.error:
            self.error(job.error, job.details)
        elif job.result:
            self._window.notice(text("Saved: {path}", path=job.result))

    def _demo(self) -> None:
        self._window.follow_view(self._window.source.demo())

    def _record(self) -> None:
        view = self._window.view
        if not isinstance(view, Recordable):
            return
        recording = view.status.recording
        if recording.running:
            view.stop_recording()
        elif recording.state != "building":
            view.start_recording()

    def _keep_alerts(self) -> None:
        diagnosis_deeds.keep_alerts(self._window)

    def _mark(self) -> None:
        view = self._window.view
        if view is not None:
            count = sum(e.kind == "mark" for e in view.timeline.events)
            view.mark(text("mark {number}", number=count + 1))

    def _reset_extremes(self) -> None:
        if self._window.view is not None:
            self._window.context.reset_extremes()

    def _mapping(self) -> None:
        window = self._window
        view, signal = window.view, window.context.signal
        window.context.signal = ""
        if view is not None:
            folder = Path(window.settings.string("folder", str(Path.home())))
            MappingDialog(view, folder, signal, window).open()

    def _analyse(self) -> None:
        window = self._window
        if isinstance(window.view, Analysed):
            AnalysisDialog(window.context, window.view, window).open()

    def _check(self) -> None:
        diagnosis_deeds.check(self._window)

    def _report(self) -> None:
        diagnosis_deeds.report(self._window)

    def _compare(self) -> None:
        diagnosis_deeds.compare(self._window)

    def _quit(self) -> None:
        self._window.close()

    # -- time ----------------------------------------------------------------------------------

    def _play(self) -> None:
        focused = QApplication.focusWidget()
        by_keys = isinstance(focused, QAbstractButton) and focused.focusPolicy() & (
            Qt.FocusPolicy.TabFocus
        )
        if by_keys and isinstance(focused, QAbstractButton):
            focused.click()  # Space presses the button that the keyboard stands on
        else:
            self._window.transport.play_or_pause()

    def _step_back(self) -> None:
        self._window.transport.step(-1)

    def _step_forward(self) -> None:
        self._window.transport.step(1)

    def _second_back(self) -> None:
        self._window.transport.jump(-1)

    def _second_forward(self) -> None:
        self._window.transport.jump(1)

    def _slower(self) -> None:
        self._window.transport.speed(-1)

    def _faster(self) -> None:
        self._window.transport.speed(1)

    def _loop(self) -> None:
        self._window.transport.toggle_loop()

    def _start(self) -> None:
        self._window.transport.to_start()

    def _end(self) -> None:
        self._window.transport.to_end()

    def _live(self) -> None:
        self._window.transport.live()

    # -- view ----------------------------------------------------------------------------------

    def _autorange(self) -> None:
        self._window.page.autorange()

    def _measure(self) -> None:
        self._window.page.measure()

    def _drawer(self) -> None:
        self._window.page.toggle_drawer()

    def _find_cell(self) -> None:
        self._window.show_page("cells")
        self._window.page.begin_search()

    def _plot_cell(self) -> None:
        cell = self._window.context.selection.selected
        if cell:
            self._window.plot_cell(cell)

    def _picture(self) -> None:
        window = self._window
        view = window.view
        image = grab_scaled(window.page, _PICTURE_SCALE)
        if view is not None:
            image = title_picture(image, view, window.context.present_ns)
        proposed = Path(window.settings.string("folder", str(Path.home()))) / "bms-studio.png"
        target = choose_target(window, text("Save a picture…"), proposed, "PNG (*.png)")
        if target is not None:
            save_image(image, target)
            window.notice(text("Saved: {path}", path=target))

    def _theme(self) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        other = LIGHT if current_theme().name == "dark" else DARK
        self._window.settings.put("theme", other.name)
        apply_theme(app, other)
        self._window.build()

    def _language(self) -> None:
        codes = list(languages())
        following = codes[(codes.index(language()) + 1) % len(codes)]
        self._window.settings.put("language", following)
        set_language(following)
        self._window.build()

    def _full_screen(self) -> None:
        window = self._window
        window.setWindowState(window.windowState() ^ Qt.WindowState.WindowFullScreen)

    # -- help ----------------------------------------------------------------------------------

    def _palette(self) -> None:
        commands = [
            Command(
                text(entry.label),
                " / ".join(entry.keys),
                partial(self.do, entry.name),
                self.obstacle(entry),
            )
            for entry in ACTIONS
            if entry.name != "palette"
        ]
        PaletteDialog(commands, text("Find an action…"), self._window).open()

    def obstacle(self, action: Action) -> str:
        """Why an action can do nothing now; "" when it can."""
        window = self._window
        if action.needs == "replay" and window.transport.replay is None:
            return text("only in a recording")
        if action.needs == "live" and not isinstance(window.view, Recordable):
            return text("only with a pack connected")
        if action.needs and window.view is None:
            return text("no pack is open")
        return ""

    def _help(self) -> None:
        names = [page.key.capitalize() for page in self._window.pages.values()]
        HelpDialog(names, program_version(), self._window).open()

    def _log_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(log_folder())))

    def _diagnostic_zip(self) -> None:
        proposed = Path.home() / "bms-studio-diagnostic.zip"
        target = choose_target(
            self._window, text("Save a diagnostic zip…"), proposed, "ZIP (*.zip)"
        )
        if target is not None:
            write_diagnostic_zip(target, self._window.view)
            self._window.notice(text("Saved: {path}", path=target))

    # -- closing -------------------------------------------------------------------------------

    def may_close(self) -> bool:
        """False while a recording runs and nobody has said what shall become of it."""
        view = self._window.view
        recording = isinstance(view, Recordable) and view.status.recording.running
        if not recording or self._closing_agreed:
            return True
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("BMS Studio")
        box.setText(text("A recording is running."))
        stop = box.addButton(text("Stop and save"), QMessageBox.ButtonRole.AcceptRole)
        leave = box.addButton(text("Keep recording"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(text("Cancel"), QMessageBox.ButtonRole.RejectRole)

        def decided() -> None:
            if not isinstance(view, Recordable):
                return
            if box.clickedButton() is leave:
                self._window.context.view = None
                view.leave()
                self._window.end()
            elif box.clickedButton() is stop:
                view.stop_recording()
                if view.job is not None:
                    self._window.follower.follow(view.job, self._saved_before_closing)

        box.finished.connect(decided)
        box.open()
        return False

    def agree_to_close(self) -> None:
        """Nobody needs to be asked any more."""
        self._closing_agreed = True

    def _saved_before_closing(self, job: Job) -> None:
        if job.error:
            self.error(job.error, job.details)
        else:
            self._window.end()


def disconnect(job: Job, view: PackView) -> str:
    """The work of a job: disconnect, and stay until a recording that this ended is built.

    Gives the recording's path, "" when there is none. Raises RuntimeError when it failed.
    """
    view.disconnect()
    building = view.job if isinstance(view, Recordable) else None
    if building is None:
        return ""
    while not building.wait(0.05):
        if job.cancelled:
            building.cancel()  # the journal stays, and can be rescued
        job.progress = building.progress
    if building.error:
        raise RuntimeError(building.error)
    return str(building.result or "")
