"""The window's process: QApplication, fonts, theme, language, log file, crash notes, event loop.

Everything that happens once per process stands here; the window itself is `window.py`.
"""

import faulthandler
import logging
import logging.handlers
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    QTimer,
    QtMsgType,
    Signal,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication

from bms_studio.frame_log import warm as warm_frame_log
from bms_studio.gui.contract import PackView, Playable, SessionSource
from bms_studio.gui.open_dialogs import show_error
from bms_studio.gui.screenshot import grab
from bms_studio.gui.settings import Settings, log_folder
from bms_studio.gui.window import Window
from bms_studio.jobs import Job
from bms_studio.kernels import kernels_ready
from bms_studio.language import set_language, text
from bms_studio.timeline import Timeline
from widgets.plot_data import warm as warm_plots
from widgets.theme import DARK, LIGHT, apply_theme, follow_system, load_fonts

log = logging.getLogger("bms_studio")
_THEMES = {"dark": DARK, "light": LIGHT}
_crash_file: IO[str] | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """How to begin. screenshot: take this picture when something is shown, then quit; settle_s:
    how long a live view is watched before. theme and language: "" as remembered."""

    screenshot: Path | None = None
    page: str = ""
    size: tuple[int, int] | None = None
    theme: str = ""
    language: str = ""
    settle_s: float = 0.5
    quit_after_s: float = 0.0


def make_application(arguments: Sequence[str] = ()) -> QApplication:
    """The one QApplication of this process, with fonts loaded."""
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication([*arguments] or [""])
    qInstallMessageHandler(_note_qt_message)
    app.setApplicationName("BMS Studio")
    app.setOrganizationName("BMS Studio")
    app.setDesktopFileName("bms-studio")
    folder = Path(str(resources.files("resources").joinpath("fonts")))
    if folder.is_dir():
        load_fonts(folder)
    return app


def _note_qt_message(kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
    """Qt's own remarks belong in the log, not on the person's terminal."""
    serious = kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg)
    log.log(logging.ERROR if serious else logging.INFO, "Qt: %s", message)


def use_theme(app: QApplication, name: str) -> None:
    """dark, light, or "" / "system" for the desktop's own."""
    theme = _THEMES.get(name)
    if theme is None:
        follow_system(app)
    else:
        apply_theme(app, theme)


def start_logging() -> Path:
    """Log to a rotating file, and note hard crashes beside it; returns the folder."""
    global _crash_file
    folder = log_folder()
    handler = logging.handlers.RotatingFileHandler(
        folder / "window.log", maxBytes=1_000_000, backupCount=3, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    if _crash_file is None:
        _crash_file = (folder / "crash.log").open("a", encoding="utf-8")
        faulthandler.enable(_crash_file)
    return folder


class Unexpected(QObject):
    """Turns an exception that nobody handled into a log entry and one dialog.

    The signal carries it into the window's thread. The same error is shown once.
    """

    happened = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self._shown: set[str] = set()
        self.happened.connect(self._show)

    def install(self) -> None:
        """Take over from Python's own hooks."""
        sys.excepthook = self._hook
        threading.excepthook = lambda a: self._hook(
            a.exc_type, a.exc_value or a.exc_type(), a.exc_traceback
        )

    def _hook(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        log.error("unexpected error\n%s", details)
        self.happened.emit(f"{kind.__name__}: {error}", details)

    def _show(self, sentence: str, details: str) -> None:
        if sentence in self._shown:
            return
        self._shown.add(sentence)
        show_error(
            QApplication.activeWindow(),
            text("Something unexpected happened; recording goes on. Please send the details.")
            + f"\n{sentence}",
            details,
        )


def run(
    source: SessionSource,
    first: PackView | Job | None = None,
    start: Start | None = None,
    arguments: Sequence[str] = (),
) -> int:
    """Open the window and stay until it is closed; the exit status.

    first: a view to show at once, or a job that ends with one. With `start.screenshot` the status
    is 1 when the job failed and no picture could be made.
    """
    start = start or Start()
    app = make_application(arguments)
    start_logging()
    unexpected = Unexpected()
    unexpected.install()
    settings = Settings()
    set_language(start.language or settings.string("language"))
    use_theme(app, start.theme or settings.string("theme"))
    window = Window(source, settings)
    if start.size is not None:
        window.resize(*start.size)
    window.show()
    if start.page:
        window.show_page(start.page)
    if start.screenshot is not None:
        _arrange_picture(window, start)
    if start.quit_after_s > 0:
        QTimer.singleShot(int(1000 * start.quit_after_s), window.end)
    load_kernels_beside()
    window.begin(first)
    status = app.exec()
    return window.exit_status or status


def load_kernels_beside() -> None:
    """Load what plots and timeline need from the kernels' cache, in a thread: at the first paint it
    would hold up the window for a second. Nothing where they have not been compiled yet."""
    if kernels_ready():
        threading.Thread(target=_load_kernels, name="kernels", daemon=True).start()


def _load_kernels() -> None:
    warm_plots()
    timeline = Timeline()
    moments = np.arange(2, dtype=np.int64)
    timeline.append("cells", moments, np.zeros((2, 1), np.float32))
    timeline.fetch("cells", 0, 2, 1)
    timeline.held("cells", 1)
    warm_frame_log()


def _arrange_picture(window: Window, start: Start) -> None:
    target = start.screenshot
    assert target is not None
    window.remember = False  # a picture is nobody's way of working
    page = start.page or "live"

    def take() -> None:
        try:
            grab(window, target, start.size)
        except OSError as problem:
            sys.stderr.write(f"{problem}\n")
            window.exit_status = 1
        window.end()

    def shown() -> None:
        window.show_page(page)
        view = window.view
        if isinstance(view, Playable) and not (view.filled.is_set() and view.analysed.is_set()):
            QTimer.singleShot(50, shown)
            return
        QTimer.singleShot(int(1000 * start.settle_s), take)

    def failed() -> None:
        window.exit_status = 1
        window.end()

    window.view_shown.connect(shown)
    window.view_failed.connect(failed)
