"""One timer per window: every live view is refreshed from here, and only while it can be seen."""

import weakref
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QWidget


class RefreshClock(QObject):
    """Calls back every `interval_ms` for each widget that is visible in a window not minimised.

    Widgets are held weakly: a page that is gone is forgotten.
    """

    def __init__(self, interval_ms: int = 40, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[tuple[weakref.ref[QWidget], Callable[[], None]]] = []
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self.tick)
        self._timer.start()

    def add(self, widget: QWidget, refresh: Callable[[], None]) -> None:
        """Call `refresh` on every tick while `widget` is visible, in the order added."""
        entry = (weakref.ref(widget), refresh)
        self._entries.append(entry)
        widget.destroyed.connect(lambda: self._forget(entry))

    def set_interval(self, interval_ms: int) -> None:
        """Another pace."""
        self._timer.setInterval(interval_ms)

    def stop(self) -> None:
        """No more ticks."""
        self._timer.stop()

    def tick(self) -> None:
        """Refresh all that can be seen, now."""
        for reference, refresh in tuple(self._entries):
            widget = reference()
            if widget is not None and widget.isVisible() and not widget.window().isMinimized():
                refresh()

    def _forget(self, entry: tuple[weakref.ref[QWidget], Callable[[], None]]) -> None:
        if entry in self._entries:
            self._entries.remove(entry)
