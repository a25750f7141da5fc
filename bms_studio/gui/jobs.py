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
    """One running job. `follow` shows it; `ended` comes once when it is over."""

    ended = Signal(object)

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
        self._cancel.clicked.connect(self.cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 8, 6)
        row.addWidget(self._title)
        row.addWidget(self._bar, 1)
        row.addWidget(self._left)
        row.addWidget(self._cancel)
        self.hide()

    @property
    def job(self) -> Job | None:
        """The job being shown, if any."""
        return self._job

    def follow(self, job: Job) -> None:
        """Show this job instead of the one before."""
        self._job = job
        self._started_s = time.monotonic()
        self._title.setText(text(job.title))
        self._left.clear()
        self._cancel.setText(text("Cancel"))
        self._cancel.setEnabled(True)
        self._bar.setRange(0, 0)

    def cancel(self) -> None:
        """Ask the job to stop; the button says so at once."""
        if self._job is not None:
            self._cancel.setEnabled(False)
            self._cancel.setText(text("Cancelling…"))
            self._job.cancel()

    def poll(self) -> None:
        """Bring the strip up to date; called by the follower's timer."""
        job = self._job
        if job is None:
            return
        if job.done:
            self._job = None
            self.hide()
            self.ended.emit(job)
            return
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
    """Polls one job and calls back when it ends. A new job cancels the one before."""

    def __init__(self, strip: JobStrip) -> None:
        super().__init__(strip)
        self._strip = strip
        self._finished: Callable[[Job], None] | None = None
        self._timer = QTimer(self, interval=_POLL_MS)
        self._timer.timeout.connect(strip.poll)
        strip.ended.connect(self._ended)

    @property
    def busy(self) -> bool:
        """True while a job runs."""
        return self._strip.job is not None

    def follow(self, job: Job, finished: Callable[[Job], None]) -> None:
        """Show `job`; call `finished(job)` in the window's thread when it is over."""
        before = self._strip.job
        if before is not None:
            before.cancel()
        self._finished = finished
        self._strip.follow(job)
        self._timer.start()

    def cancel(self) -> None:
        """Cancel what runs, if anything."""
        self._strip.cancel()

    def _ended(self, job: Job) -> None:
        self._timer.stop()
        finished, self._finished = self._finished, None
        if finished is not None:
            finished(job)


def duration(seconds: float) -> str:
    """A duration for people: "8 s", "3 min", "2 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
