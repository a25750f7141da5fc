"""The window: rail, top bar, verdict strip, pages, timeline bar; one clock refreshes what is seen.

Owns the view (a live session or a replay) and builds the visible parts; what the actions do stands
in `deeds.py`. Language and theme change without restart: the parts are built anew.
"""

import logging
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QFontDatabase,
    QGuiApplication,
    QKeySequence,
)
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from bms_studio.gui.actions import ACTIONS, PAGE_KEYS, SECTIONS
from bms_studio.gui.cells_page import CellsPage
from bms_studio.gui.contract import PackView, Recordable, SessionSource
from bms_studio.gui.deeds import Deeds
from bms_studio.gui.diagnosis_deeds import keep_as_set
from bms_studio.gui.diagnosis_page import DiagnosisPage
from bms_studio.gui.header import no_pack, seen_for, top_bar
from bms_studio.gui.jobs import JobFollower, JobStrip
from bms_studio.gui.leftover_strip import LeftoverStrip
from bms_studio.gui.live_page import LivePage
from bms_studio.gui.notices import Notice, QuestionStrip
from bms_studio.gui.pack_chooser import PackChooser
from bms_studio.gui.page import Context, Page
from bms_studio.gui.plots_page import PlotsPage
from bms_studio.gui.replay import Transport
from bms_studio.gui.selection import Selection
from bms_studio.gui.settings import Settings
from bms_studio.gui.trace_page import TracePage
from bms_studio.jobs import Job
from bms_studio.language import language, text
from widgets.rail import Rail, RailItem
from widgets.refresh import RefreshClock
from widgets.time_view import TimeView
from widgets.timeline_bar import TimelineBar
from widgets.top_bar import TopBar
from widgets.verdict_strip import VerdictStrip

log = logging.getLogger("bms_studio.window")
PAGES: tuple[type[Page], ...] = (LivePage, CellsPage, PlotsPage, DiagnosisPage, TracePage)
_HEADER_TICKS = 5
_SMALLEST = (1024, 640)


def chinese_font() -> bool:
    """True when some installed font can write Simplified Chinese."""
    return bool(QFontDatabase.families(QFontDatabase.WritingSystem.SimplifiedChinese))


def page_words() -> dict[str, str]:
    """Names of the pages by key."""
    return {
        "live": text("Live"),
        "cells": text("Cells"),
        "plots": text("Plots"),
        "diagnosis": text("Diagnosis"),
        "trace": text("Trace"),
    }


class Window(QMainWindow):
    """See the module. `begin` shows a first view; `show_view` any later one."""

    view_shown = Signal()
    view_failed = Signal()

    def __init__(self, source: SessionSource, settings: Settings) -> None:
        super().__init__()
        self.source = source
        self.settings = settings
        self.exit_status = 0
        self.remember = True
        self.setWindowTitle("BMS Studio")
        self.setAcceptDrops(True)
        self.setMinimumSize(*_SMALLEST)
        self.deeds = Deeds(self)
        self.time = TimeView(parent=self)
        self.context = Context(settings, Selection(self), self.time, self.deeds.do)
        self.transport = Transport(self.context, self)
        self.context.selection.cell_opened.connect(self._cell_opened)
        self.follower = JobFollower(self)
        self._opening: Job | None = None
        self.pages: dict[str, Page] = {}
        self._tick = 0
        self._page_key = settings.string("page", "live")
        self._followed: Job | None = None
        self._make_actions()
        self.build()
        self.refresh_clock = RefreshClock(40, self)
        self.refresh_clock.add(self, self.refresh)
        self._restore()

    @property
    def view(self) -> PackView | None:
        """What is looked at: a live session, a replay, or nothing."""
        return self.context.view

    # -- building ------------------------------------------------------------------------------

    def build(self) -> None:
        """Make every visible part; again after a change of language or theme."""
        old = self.centralWidget()
        self.top = TopBar()
        self.rail = Rail()
        self.verdict = VerdictStrip()
        self.packs = PackChooser(self.context, self._view_parts)
        self.stack = QStackedWidget()
        self.bar = TimelineBar()
        self.strip = JobStrip()
        self.follower.attach(self.strip)
        self.question = QuestionStrip()
        self.notice_strip = Notice()
        before: LeftoverStrip | None = getattr(self, "leftover_strip", None)
        self.leftover_strip = LeftoverStrip()
        self.pages = {}
        for kind in PAGES:
            page = kind(self.context)
            self.pages[page.key] = page
            self.stack.addWidget(page)
        self._lay_out()
        self._wire()
        if before is not None:
            self.leftover_strip.offer(before.waiting)
        self.transport.attach(self.bar)
        for action, entry in zip(self._qactions, ACTIONS, strict=True):
            action.setText(text(entry.label))
        if old is not None:
            old.deleteLater()
        self.show_page(self._page_key)
        self._view_parts()
        self.stack.setFocus()
        if language() == "zh_CN" and not chinese_font():
            self.notice(
                # In English: without a font nobody could read the other sentence.
                "No Chinese font on this system: install one, for example Noto Sans CJK."
            )

    def _lay_out(self) -> None:
        middle = QVBoxLayout()
        middle.setContentsMargins(14, 11, 12, 12)
        middle.setSpacing(10)
        middle.addWidget(self.leftover_strip)
        middle.addWidget(self.notice_strip)
        middle.addLayout(self.packs.beside(self.verdict))
        middle.addWidget(self.question)
        middle.addWidget(self.stack, 1)
        middle.addWidget(self.strip)
        middle.addWidget(self.bar)
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        below.addWidget(self.rail)
        below.addLayout(middle, 1)
        centre = QWidget()
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.top)
        column.addLayout(below, 1)
        self.setCentralWidget(centre)

    def _wire(self) -> None:
        words = page_words()
        self.rail.set_items(
            [
                RailItem(key, words[key], page.icon, PAGE_KEYS[number])
                for number, (key, page) in enumerate(self.pages.items())
            ]
        )
        self.rail.page_selected.connect(self.show_page)
        self.top.change_clicked.connect(lambda: self.deeds.do("connect"))
        self.top.protocol_clicked.connect(lambda: self.deeds.do("mapping"))
        self.top.record_clicked.connect(lambda: self.deeds.do("record"))
        self.top.mark_clicked.connect(lambda: self.deeds.do("mark"))
        self.top.language_clicked.connect(lambda: self.deeds.do("language"))
        self.top.settings_clicked.connect(self.open_menu)
        self.question.answered.connect(self._answered)
        self.question.sign_doubted.connect(lambda: self.deeds.do("mapping"))
        self.leftover_strip.rescued.connect(lambda left: self.follow_view(self.source.rescue(left)))
        self.leftover_strip.discarded.connect(self.source.discard)

    def _make_actions(self) -> None:
        """One QAction per entry of the table: keys work in the whole window."""
        self._qactions: list[QAction] = []
        for entry in ACTIONS:
            action = QAction(text(entry.label), self)
            action.setShortcuts([QKeySequence(keys) for keys in entry.keys])
            action.triggered.connect(lambda _checked=False, name=entry.name: self.deeds.do(name))
            self.addAction(action)
            self._qactions.append(action)
        for number, keys in enumerate(PAGE_KEYS[: len(PAGES)]):
            action = QAction(self)
            action.setShortcut(QKeySequence(keys))
            key = PAGES[number].key
            action.triggered.connect(lambda _checked=False, page=key: self.show_page(page))
            self.addAction(action)

    def open_menu(self) -> None:
        """Every action by section, below the top bar's menu button."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for section in SECTIONS:
            part = menu.addMenu(text(section))
            part.addActions(
                [q for q, a in zip(self._qactions, ACTIONS, strict=True) if a.section == section]
            )
        corner = self.top.mapToGlobal(QPoint(self.top.width(), self.top.height()))
        menu.popup(corner - QPoint(menu.sizeHint().width() + 8, 4))

    # -- views ---------------------------------------------------------------------------------

    def begin(self, first: PackView | Job | None) -> None:
        """Show the first view, or wait for the job that makes it."""
        if isinstance(first, Job):
            self.follow_view(first)
        elif first is not None:
            self.show_view(first)
        else:
            self.leftover_strip.offer(self.source.leftovers())

    def follow_view(self, job: Job) -> None:
        """Show what the job makes; an error says so. Takes the place of one still running."""
        if self._opening is not None:
            self._opening.cancel()
        self._opening = job
        self.follower.follow(job, self._view_job_ended)

    def _view_job_ended(self, job: Job) -> None:
        if job is not self._opening:
            if job.result is not None:  # it came too late to be cancelled
                self.deeds.release(job.result)
            return
        self._opening = None
        if job.result is not None:
            self.show_view(job.result)
            return
        if job.error:
            log.warning("%s: %s", job.title, job.error)
            self.deeds.error(job.error, job.details)
        self.view_failed.emit()

    def show_view(self, view: PackView | None) -> None:
        """Look at this from now on; what was open before is let go."""
        before = self.context.view
        self.context.view, self.context.pack = view, 1
        keep_as_set(view, self.settings)
        if before is not None and before is not view:
            self.deeds.release(before)
        self.context.selection.choose(0)
        self.transport.view_changed()
        self._view_parts()
        if view is not None:
            QTimer.singleShot(0, self.view_shown.emit)

    def _view_parts(self) -> None:
        self.transport.show_kind()
        self.bar.setVisible(self.view is not None)
        for page in self.pages.values():
            page.view_changed()
        self._tick = 0
        self.refresh()

    # -- every tick ----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Bring what is visible up to date; called by the one clock."""
        if self._tick % _HEADER_TICKS == 0:
            self._refresh_header()
        self._tick += 1
        if self.view is None:
            return
        self.transport.refresh()
        page = self.pages[self._page_key]
        page.refresh()

    def _refresh_header(self) -> None:
        view = self.view
        if view is None:
            self.top.set(top_bar(None, 0, False))
            self.verdict.set(no_pack())
            self.question.ask("")
            return
        status = view.status
        self.top.set(top_bar(status, view.now_ns, isinstance(view, Recordable)))
        readings = self.context.readings()
        has_current = readings is not None and readings.field("current").known
        self.packs.refresh()
        self.verdict.set(self.packs.verdict(status, self._evidence(view), has_current))
        self.question.ask(status.question, view)
        self._follow_building(view)
        name = status.pack.serial or status.pack.name or status.link.interface
        simulated = f" · {text('SIMULATED')}" if status.link.simulated else ""
        self.setWindowTitle(f"{name} – BMS Studio{simulated}" if name else "BMS Studio")

    def _evidence(self, view: PackView) -> str:
        span = view.timeline.span()
        if span is None:
            return text("nothing received yet")
        seconds = (span[1] - span[0]) // 1_000_000_000
        return text("{duration} seen", duration=seen_for(seconds))

    def _follow_building(self, view: PackView) -> None:
        job = view.job if isinstance(view, Recordable) else None
        if job is not None and job is not self._followed:
            self._followed = job
            self.follower.follow(job, self._built)

    def _built(self, job: Job) -> None:
        if job.error:
            self.deeds.error(job.error, job.details)
        elif job.result is not None:
            self.notice(text("Saved: {path}", path=job.result))

    # -- pages ---------------------------------------------------------------------------------

    @property
    def page(self) -> Page:
        """The page in front."""
        return self.pages[self._page_key]

    def show_page(self, key: str) -> None:
        """Bring a page to the front; an unknown name is ignored."""
        if key not in self.pages:
            key = "live"
        self._page_key = key
        self.stack.setCurrentWidget(self.pages[key])
        self.rail.set_current(key)
        self.pages[key].refresh()

    def _cell_opened(self, cell: int) -> None:
        page = self.pages["cells"]
        assert isinstance(page, CellsPage)
        self.show_page("cells")
        page.open_cell(cell)

    def plot_cell(self, cell: int) -> None:
        """The plots of one cell."""
        page = self.pages["plots"]
        assert isinstance(page, PlotsPage)
        page.show_cell(cell)
        self.show_page("plots")

    def notice(self, sentence: str) -> None:
        """One sentence above the page, to be dismissed."""
        self.notice_strip.say(sentence)

    def _answered(self, question: str, choice: str) -> None:
        if self.view is not None:
            self.view.answer(question, choice)

    # -- the window itself ---------------------------------------------------------------------

    def _restore(self) -> None:
        geometry = self.settings.bytes("geometry")
        if geometry.isEmpty() or not self.restoreGeometry(geometry):
            screen = QGuiApplication.primaryScreen().availableGeometry()
            self.resize(min(1600, screen.width()), min(1000, screen.height()))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.deeds.open_paths(paths)

    def end(self) -> None:
        """Close without asking: the program was told beforehand when to end."""
        self.deeds.agree_to_close()
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.deeds.may_close():
            event.ignore()
            return
        if self.remember:
            self.settings.put_bytes("geometry", self.saveGeometry())
            self.settings.put("page", self._page_key)
            self.settings.sync()
        self.refresh_clock.stop()
        if self._opening is not None:
            self._opening.cancel()
        view, self.context.view = self.context.view, None
        if view is not None:
            self.deeds.release(view)
        self.hide()
        self.follower.wait()
        event.accept()
