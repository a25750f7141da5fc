"""Pointer and keys on a plot: zoom, pan, point, click, measure. Knows no data, paints nothing."""

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFocusEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from widgets.time_view import TimeView

_GRIP_PX = 6.0
_CLICK_PX = 4.0
_ZOOM_PER_NOTCH = 0.8


class PlotMouse(QWidget):
    """The part of a plot that listens; a subclass says where its data are and what lies near.

    Wheel: zoom in time at the pointer; with Ctrl: in value; with Shift or sideways: pan. Drag: pan,
    or move an edge of the measured range. Click: choose a trace. A: autorange, R: measure, Escape:
    end it.
    """

    trace_clicked = Signal(int)  # nearest trace, -1: none near
    trace_double_clicked = Signal(int)
    trace_hovered = Signal(int)

    def __init__(self, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = view
        self.focus_by_keys = False
        self._pressed: QPointF | None = None
        self._panned_from = 0
        self._panning = False
        self._edge: int | None = None  # the end of the range that stays while the other is dragged
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def plot_area(self) -> QRectF:
        """Where the data are, in widget coordinates."""
        raise NotImplementedError

    def trace_near(self, position: QPointF) -> int:
        """Trace at a point of the widget, -1: none."""
        raise NotImplementedError

    def pointed(self, index: int) -> None:
        """The pointer is at this trace now (-1: none)."""
        raise NotImplementedError

    def zoom_y(self, factor: float, y: float) -> None:
        """Zoom the values around widget y."""
        raise NotImplementedError

    def view_jumped(self) -> None:
        """The person zoomed: an automatic y range may fit anew."""
        raise NotImplementedError

    def autorange(self) -> None:
        """Fit the y range."""
        raise NotImplementedError

    def time_at(self, x: float) -> int:
        """Time in ns at widget x."""
        plot, view = self.plot_area(), self.view
        return view.t0_ns + round((x - plot.left()) / plot.width() * (view.t1_ns - view.t0_ns))

    def x_at(self, t_ns: int) -> float:
        """Widget x of a time in ns."""
        plot, view = self.plot_area(), self.view
        return plot.left() + (t_ns - view.t0_ns) / max(view.t1_ns - view.t0_ns, 1) * plot.width()

    def wheelEvent(self, event: QWheelEvent) -> None:
        across, along = event.angleDelta().x(), event.angleDelta().y()
        sideways = abs(across) > abs(along)
        notches = (across if sideways else along) / 120.0
        position = event.position()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_y(_ZOOM_PER_NOTCH**notches, position.y())
        elif sideways or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.view.pan(-round(notches * 0.1 * (self.view.t1_ns - self.view.t0_ns)))
        else:
            self.view_jumped()
            self.view.zoom(_ZOOM_PER_NOTCH**notches, self.time_at(position.x()))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._pressed = event.position()
        self._panned_from = self.time_at(event.position().x())
        self._edge = self._other_edge(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        if self._pressed is None:
            self._hover(position)
        elif self._edge is not None:
            self.view.set_range((self._edge, self.time_at(position.x())))
        elif self._panning or abs(position.x() - self._pressed.x()) > _CLICK_PX:
            self._panning = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.view.pan(self._panned_from - self.time_at(position.x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._pressed is None:
            event.ignore()
            return
        if self._edge is None and not self._panning:
            self.trace_clicked.emit(self.trace_near(event.position()))
        self._pressed = self._edge = None
        self._panning = False
        self._hover(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.trace_double_clicked.emit(self.trace_near(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        self.view.set_cursor(None)
        self.pointed(-1)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hover(event.position())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_A:
            self.autorange()
        elif event.key() == Qt.Key.Key_R:
            self.view.toggle_range()
        elif event.key() == Qt.Key.Key_Escape and self.view.range_ns is not None:
            self.view.set_range(None)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        by_keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self.focus_by_keys = event.reason() in by_keys
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()

    def _hover(self, position: QPointF) -> None:
        inside = self.plot_area().adjusted(0, -4, 0, 4).contains(position)
        at_edge = inside and self._other_edge(position.x()) is not None
        self.setCursor(Qt.CursorShape.SizeHorCursor if at_edge else Qt.CursorShape.ArrowCursor)
        self.view.set_cursor(self.time_at(position.x()) if inside else None)
        self.pointed(self.trace_near(position) if inside else -1)

    def _other_edge(self, x: float) -> int | None:
        """With the pointer on one edge of the measured range: the opposite one."""
        if self.view.range_ns is None:
            return None
        a, b = self.view.range_ns
        if abs(self.x_at(b) - x) <= _GRIP_PX:
            return a
        return b if abs(self.x_at(a) - x) <= _GRIP_PX else None
