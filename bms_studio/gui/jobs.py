"""Long work, shown: progress, time left and Cancel in a strip that never blocks the window.

Knows jobs (`bms_studio.jobs.Job`), not what they do.
"""

import math
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from bms_studio.jobs import Job
from bms_studio.language import text

_POLL_MS = 50
_MIN_SHARE_FOR_ESTIMATE = 0.02


class JobStrip(QFrame):
    """Title, progress, time left and Cancel of one job."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("panel", True)
        self._job: Job | None = None
        self._started_s = 0.0
        self._title = QLabel()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(8)
        self._left = QLabel()
        self._left.setProperty("tone", "muted")
        self._left.setMinimumWidth(150)
        self._left.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._cancel = QPushButton(text("Cancel"))
        self._cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 8, 6)
        row.addWidget(self._title)
        row.addWidget(self._bar, 1)
        row.addWidget(self._left)
        row.addWidget(self._cancel)
        self.hide()

    def show_job(self, job: Job | None) -> None:
        """The job to tell of now; None hides the strip."""
        if job is not self._job:
            self._job = job
            self._started_s = time.monotonic()
            self._left.clear()
            self._bar.setRange(0, 0)
            self._title.setText(text(job.title) if job is not None else "")
        if job is None:
            self.hide()
            return
        self._cancel.setEnabled(not job.cancelled)
        self._cancel.setText(text("Cancelling…") if job.cancelled else text("Cancel"))
        elapsed_s = time.monotonic() - self._started_s
        # Quick jobs would only flicker.
        self.setVisible(elapsed_s > 0.15 or self.isVisible())
        self._show_progress(job.progress, elapsed_s)

    def _show_progress(self, share: float, elapsed_s: float) -> None:
        if math.isnan(share):
            self._bar.setRange(0, 0)
            return
        self._bar.setRange(0, 1000)
        self._bar.setValue(round(1000 * share))
        if share >= _MIN_SHARE_FOR_ESTIMATE and elapsed_s > 0.5:
            left_s = elapsed_s * (1 - share) / share
            self._left.setText(
                text("{percent:.0f} % · {left} left", percent=100 * share, left=duration(left_s))
            )


class JobFollower(QObject):
    """Polls the window's jobs and calls back when one ends; the strip tells of the newest."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._strip: JobStrip | None = None
        self._jobs: list[tuple[Job, Callable[[Job], None]]] = []
        self._timer = QTimer(self, interval=_POLL_MS)
        self._timer.timeout.connect(self.poll)

    def attach(self, strip: JobStrip) -> None:
        """Tell of the jobs in this strip from now on (the window is rebuilt now and then)."""
        self._strip = strip
        strip.cancelled.connect(self.cancel)

    @property
    def busy(self) -> bool:
        """True while any job runs."""
        return bool(self._jobs)

    @property
    def current(self) -> Job | None:
        """The job that the strip tells of."""
        return self._jobs[-1][0] if self._jobs else None

    def follow(self, job: Job, finished: Callable[[Job], None]) -> None:
        """Show `job`; call `finished(job)` in the window's thread when it is over."""
        self._jobs.append((job, finished))
        self._timer.start()

    def cancel(self) -> None:
        """Cancel the job that the strip tells of; the strip says so at once."""
        if self.current is not None:
            self.current.cancel()
            self.poll()

    def poll(self) -> None:
        """Look at every job, once."""
        ended = [entry for entry in self._jobs if entry[0].done]
        self._jobs = [entry for entry in self._jobs if not entry[0].done]
        if self._strip is not None:
            self._strip.show_job(self.current)
        if not self._jobs:
            self._timer.stop()
        for job, finished in ended:
            finished(job)

    def wait(self) -> None:
        """Let what still runs come to its end: the window goes, recordings must be complete."""
        for job, _ in self._jobs:
            job.wait()
        self._jobs = []
        self._timer.stop()


def duration(seconds: float) -> str:
    """A duration for people: "8 s", "3 min", "2 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
