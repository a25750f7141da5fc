"""The span of time that several views share: where they look, the cursor, the measured range.

One object per stack of plots; plots, keys and the timeline change it, and all repaint by its
signals. It knows no data and paints nothing. Times are int64 ns and travel as Python ints.
"""

from PySide6.QtCore import QObject, Signal

from widgets.axes import TimeMode

_SHORTEST_NS = 1_000  # a microsecond over the whole width
_LONGEST_NS = 3_650 * 86_400 * 1_000_000_000
_EARLIEST_NS, _LATEST_NS = -(2**60), 2**62 + 2**61  # 1933 to 2189: differences fit int64


class TimeView(QObject):
    """A visible span t0…t1, either free or following the newest data with a fixed length."""

    changed = Signal()  # anything that needs a repaint
    view_changed = Signal(object, object)  # t0_ns, t1_ns; moved by a person or by set_view
    follow_changed = Signal(bool)
    cursor_changed = Signal(object)  # ns or None
    range_changed = Signal(object)  # (t0_ns, t1_ns) or None

    def __init__(self, span_ns: int = 60_000_000_000, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.span_ns = span_ns
        self.now_ns = 0
        self.t0_ns = -span_ns
        self.t1_ns = 0
        self.following = True
        self.origin_ns = 0
        self.mode = TimeMode.ELAPSED
        self.cursor_ns: int | None = None
        self.range_ns: tuple[int, int] | None = None

    @property
    def label_mode(self) -> TimeMode:
        """How axes are labelled: counted back from now while following, else by `mode`."""
        return TimeMode.RELATIVE if self.following else self.mode

    @property
    def label_origin_ns(self) -> int:
        """The zero of `label_mode`."""
        return self.now_ns if self.following else self.origin_ns

    def set_mode(self, mode: TimeMode, origin_ns: int = 0) -> None:
        """Labels of a view that does not follow; `origin_ns`: zero of ELAPSED."""
        if (mode, origin_ns) != (self.mode, self.origin_ns):
            self.mode, self.origin_ns = mode, origin_ns
            self.changed.emit()

    def set_now(self, now_ns: int) -> None:
        """The newest data are at `now_ns`; a following view moves along."""
        if now_ns == self.now_ns:
            return
        self.now_ns = now_ns
        if self.following:
            self.t0_ns, self.t1_ns = now_ns - self.span_ns, now_ns
            self.changed.emit()

    def follow(self, span_ns: int | None = None) -> None:
        """Keep the newest data at the right edge, showing `span_ns` (None: as before)."""
        self.span_ns = self._allowed(span_ns or self.span_ns)
        was, self.following = self.following, True
        self.t0_ns, self.t1_ns = self.now_ns - self.span_ns, self.now_ns
        if not was:
            self.follow_changed.emit(True)
        self._moved()

    def set_view(self, t0_ns: int, t1_ns: int) -> None:
        """Look at t0…t1 and stay there."""
        middle, span = (t0_ns + t1_ns) // 2, self._allowed(t1_ns - t0_ns)
        if span != t1_ns - t0_ns:
            t0_ns = middle - span // 2
        t0_ns = min(max(t0_ns, _EARLIEST_NS), _LATEST_NS - span)
        self.t0_ns, self.t1_ns, self.span_ns = t0_ns, t0_ns + span, span
        was, self.following = self.following, False
        if was:
            self.follow_changed.emit(False)
        self._moved()

    def zoom(self, factor: float, at_ns: int) -> None:
        """Show `factor` times the span around `at_ns`; a following view keeps its right edge."""
        span = self._allowed(round((self.t1_ns - self.t0_ns) * factor))
        if self.following:
            self.follow(span)
            return
        share = (at_ns - self.t0_ns) / max(self.t1_ns - self.t0_ns, 1)
        t0_ns = at_ns - round(share * span)
        self.set_view(t0_ns, t0_ns + span)

    def pan(self, delta_ns: int) -> None:
        """Move the view; it stops following."""
        self.set_view(self.t0_ns + delta_ns, self.t1_ns + delta_ns)

    def set_cursor(self, at_ns: int | None) -> None:
        """Where the pointer is in time; None when it left."""
        if at_ns != self.cursor_ns:
            self.cursor_ns = at_ns
            self.cursor_changed.emit(at_ns)
            self.changed.emit()

    def set_range(self, range_ns: tuple[int, int] | None) -> None:
        """The span to measure, ends in any order; None ends measuring."""
        if range_ns is not None:
            range_ns = (min(range_ns), max(range_ns))
        if range_ns != self.range_ns:
            self.range_ns = range_ns
            self.range_changed.emit(range_ns)
            self.changed.emit()

    def toggle_range(self) -> None:
        """Begin measuring in the middle of the view, or end it."""
        if self.range_ns is not None:
            self.set_range(None)
            return
        span = self.t1_ns - self.t0_ns
        self.set_range((self.t0_ns + span * 3 // 10, self.t0_ns + span * 7 // 10))

    def _moved(self) -> None:
        self.view_changed.emit(self.t0_ns, self.t1_ns)
        self.changed.emit()

    @staticmethod
    def _allowed(span_ns: int) -> int:
        return min(max(span_ns, _SHORTEST_NS), _LONGEST_NS)
