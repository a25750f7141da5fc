"""One small chart with title, band, curves, points with sigma, bars and a limit: evidence at a
glance.

    SmallChart(parent=None).set(chart)
    signal clicked(int, int)     t0, t1 of `chart.moment`
"""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.chart import Chart
from widgets.chart_paint import paint_chart
from widgets.theme import current_theme


class SmallChart(QWidget):
    """See the module. The hand appears where a click leads somewhere."""

    clicked = Signal(object, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chart = Chart()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def chart(self) -> Chart:
        """What is shown."""
        return self._chart

    def set(self, chart: Chart) -> None:
        """Show another chart."""
        self._chart = chart
        shape = Qt.CursorShape.PointingHandCursor if chart.moment else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)
        self.setAccessibleName(". ".join(w for w in (chart.title, chart.unit, chart.note) if w))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, 180)

    def minimumSizeHint(self) -> QSize:
        return QSize(190, 110)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._chart.moment is not None:
            self.clicked.emit(*self._chart.moment)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            paint_chart(painter, QRectF(self.rect()), self._chart, current_theme())
        finally:
            painter.end()  # a painter left open by an error would bring down the process
