"""Alerts as rows: coloured edge, shape, time, one sentence, how often; counts by severity on top.

    AlertList(parent=None)
      .set_title(str)
      .set_counts([(severity, text)])            words such as "1 high", "3 resolved"
      .set_alerts([Alert(id, severity, time, text, count)])      newest first, as given
      .set_empty(str)                            said when there are none
      .set_selected(id)
    signal alert_selected(str): a row was clicked or reached with the arrow keys
The list scrolls; a sentence that does not fit is cut and told in full by its tool tip, but where
the list is narrow or shows one or two alerts it takes two lines. Notes that are too long do so
where all rows have room.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip, QVBoxLayout, QWidget

from widgets.icons import severity_shape
from widgets.text_line import elided
from widgets.theme import Theme, current_theme, font, semibold

_ROW, _NOTED_ROW, _TALL_ROW, _GAP = 36, 50, 66, 6
_LINE = 16  # a second line of the sentence
_NOTE_X, _NOTE_RIGHT = 31.0, 41.0
_LEAST_SHOWN = 2
_NARROW = 380  # px: here most sentences are too long for a line


@dataclass(frozen=True, slots=True)
class Alert:
    """One row. time: as people read it; count: how often it came (shown from 2); note: a second
    line, where it is not empty."""

    id: str
    severity: str
    time: str
    text: str
    count: int = 1
    note: str = ""


class SeverityCounts(QWidget):
    """Title and "▲ 1 high" in one line; the counts drop from the right where there is no room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(24)
        self._title = ""
        self._counts: tuple[tuple[str, str], ...] = ()

    def set(self, title: str, counts: Sequence[tuple[str, str]]) -> None:
        """Title and (severity, text) pairs."""
        if (title, tuple(counts)) == (self._title, self._counts):
            return
        self._title, self._counts = title, tuple(counts)
        self.setAccessibleName(", ".join((title, *(text for _, text in counts))))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setFont(semibold(14))
        painter.setPen(theme.text)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, self._title)
        x = max(QFontMetricsF(semibold(14)).horizontalAdvance(self._title) + 26, 96.0)
        painter.setFont(semibold(12))
        for severity, text in self._counts:
            width = QFontMetricsF(semibold(12)).horizontalAdvance(text)
            if x + 16 + width > self.width():
                break
            severity_shape(painter, severity, QRectF(x, 7, 10, 10))
            painter.drawText(QRectF(x + 16, 0, width + 2, 24), Qt.AlignmentFlag.AlignVCenter, text)
            x += width + 38
        painter.end()


class AlertRows(QAbstractScrollArea):
    """The rows alone; `AlertList` puts the counts above them."""

    alert_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self._alerts: tuple[Alert, ...] = ()
        self._empty = self._selected = ""
        self._hover = -1
        self._time_width = 0.0
        self._row, self._second = _ROW, 0

    def set_alerts(self, alerts: Sequence[Alert]) -> None:
        """Show these rows."""
        if tuple(alerts) == self._alerts:
            return
        before = self.minimumSizeHint()
        self._alerts = tuple(alerts)
        widths = (QFontMetricsF(font(12)).horizontalAdvance(a.time) for a in self._alerts)
        self._time_width = max(widths, default=0.0)
        self._choose_row()
        if before != self.minimumSizeHint():
            self.updateGeometry()
        self._keep_whole_rows()
        self._set_range()
        self.viewport().update()

    def set_empty(self, text: str) -> None:
        """What to say when there are no alerts."""
        self._empty = text
        self.viewport().update()

    def set_selected(self, alert_id: str) -> None:
        """Mark a row without emitting."""
        if alert_id != self._selected:
            self._selected = alert_id
            self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(400, 4 * (_ROW + _GAP))

    def minimumSizeHint(self) -> QSize:
        rows = min(max(len(self._alerts), 1), _LEAST_SHOWN)
        return QSize(200, rows * (self._row + _GAP) - _GAP)

    def _choose_row(self) -> None:
        """Rows as high as their notes need, where that many are seen at once."""
        self._row = _NOTED_ROW if any(a.note for a in self._alerts) else _ROW
        metrics, room = QFontMetricsF(font(11)), self.viewport().width() - _NOTE_RIGHT
        long = any(metrics.horizontalAdvance(a.note) > room for a in self._alerts)
        few = len(self._alerts) <= _LEAST_SHOWN  # these get the room that their words need
        if long and (few or len(self._alerts) * (_TALL_ROW + _GAP) - _GAP <= self.height()):
            self._row = _TALL_ROW
        width = QFontMetricsF(font(12)).horizontalAdvance
        cut = any(width(a.text) > self._room(a) for a in self._alerts)
        self._second = _LINE if cut and (few or self.viewport().width() < _NARROW) else 0
        self._row += self._second

    def _keep_whole_rows(self) -> None:
        rest = (self.height() + _GAP) % (self._row + _GAP) if self.height() > self._row else 0
        self.setViewportMargins(0, 0, 0, rest)

    def _set_range(self) -> None:
        height = len(self._alerts) * (self._row + _GAP) - _GAP
        self.verticalScrollBar().setRange(0, max(height - self.viewport().height(), 0))
        self.verticalScrollBar().setPageStep(self.viewport().height())
        self.verticalScrollBar().setSingleStep(self._row + _GAP)

    def _row_at(self, point: QPoint) -> int:
        row, below = divmod(point.y() + self.verticalScrollBar().value(), self._row + _GAP)
        return row if below < self._row and 0 <= row < len(self._alerts) else -1

    def resizeEvent(self, event: QResizeEvent) -> None:
        before = self.minimumSizeHint()
        self._choose_row()
        if before != self.minimumSizeHint():
            self.updateGeometry()
        self._keep_whole_rows()
        self._set_range()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), theme.panel)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._alerts:
            painter.setFont(font(12))
            painter.setPen(theme.muted)
            wrap = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
            painter.drawText(self.viewport().rect().adjusted(0, 4, 0, 0), wrap, self._empty)
        offset = self.verticalScrollBar().value()
        step = self._row + _GAP
        first = offset // step
        last = min(len(self._alerts), first + self.viewport().height() // step + 2)
        for row in range(first, last):
            self._paint_row(painter, theme, row, row * step - offset)
        painter.end()

    def _paint_row(self, painter: QPainter, theme: Theme, row: int, y: int) -> None:
        alert = self._alerts[row]
        width = self.viewport().width()
        box = QRectF(0, y, width, self._row)
        marked = row == self._hover or alert.id == self._selected
        painter.setPen(theme.accent if marked else theme.raised)
        painter.setBrush(theme.raised)
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        color = theme.severity(alert.severity)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawRoundedRect(QRectF(0, y, 4, self._row), 2, 2)
        middle = y + (18 if alert.note else (self._row - self._second) / 2)
        severity_shape(painter, alert.severity, QRectF(13, middle - 5, 10, 10))
        base = middle + 4.5
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        painter.drawText(QPointF(31, base), alert.time)
        times = f"×{alert.count}" if alert.count > 1 else ""
        times_width = QFontMetricsF(font(12)).horizontalAdvance(times)
        painter.drawText(QPointF(width - 12 - times_width, base), times)
        painter.setPen(theme.text)
        room = self._room(alert)
        words = elided(alert.text, font(12), self._told(alert))
        if self._second:
            place = QRectF(self._text_x(), middle - 8, room, 16 + self._second)
            wrap = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
            painter.drawText(place, wrap, words)
        else:
            painter.drawText(QPointF(self._text_x(), base), words)
        base += self._second
        painter.setFont(font(11))
        painter.setPen(theme.muted)
        room = width - _NOTE_RIGHT
        if self._row - self._second == _TALL_ROW:
            note = QRectF(_NOTE_X, base + 6, room, 32)
            wrap = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
            painter.drawText(note, wrap, elided(alert.note, font(11), 1.9 * room))
        else:
            painter.drawText(QPointF(_NOTE_X, base + 18), elided(alert.note, font(11), room))

    def _text_x(self) -> float:
        return 31 + self._time_width + 11

    def _told(self, alert: Alert) -> float:
        """How much of a sentence is told (px): one line, or nearly two."""
        return self._room(alert) * (1.8 if self._second else 1.0)

    def _room(self, alert: Alert) -> float:
        times = f"×{alert.count}" if alert.count > 1 else ""
        right = QFontMetricsF(font(12)).horizontalAdvance(times) + (22 if times else 10)
        return self.viewport().width() - self._text_x() - right

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._set_hover(self._row_at(event.position().toPoint()))

    def _set_hover(self, row: int) -> None:
        if row != self._hover:
            self._hover = row
            self.viewport().setCursor(
                Qt.CursorShape.PointingHandCursor if row >= 0 else Qt.CursorShape.ArrowCursor
            )
            self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        self._set_hover(-1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self._row_at(event.position().toPoint())
        if row >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self._choose(row)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()), 0)
        if not step or not self._alerts:
            super().keyPressEvent(event)
            return
        ids = [alert.id for alert in self._alerts]
        now = ids.index(self._selected) if self._selected in ids else -1
        self._choose(min(max(now + step, 0), len(ids) - 1))

    def _choose(self, row: int) -> None:
        self.set_selected(self._alerts[row].id)
        bar, top = self.verticalScrollBar(), row * (self._row + _GAP)
        bar.setValue(min(bar.value(), top))
        bar.setValue(max(bar.value(), top + self._row - self.viewport().height()))
        self.alert_selected.emit(self._selected)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = self._row_at(event.pos())
            text = ""
            if row >= 0:
                alert = self._alerts[row]
                cut = elided(alert.text, font(12), self._told(alert)) != alert.text
                room = self.viewport().width() - _NOTE_RIGHT
                room *= 1.9 if self._row - self._second == _TALL_ROW else 1.0
                cut |= elided(alert.note, font(11), room) != alert.note
                text = f"{alert.text}\n{alert.note}".strip() if cut else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().viewportEvent(event)


class AlertList(QWidget):
    """See the module."""

    alert_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._head, self.rows = SeverityCounts(), AlertRows()
        self._title = ""
        self._counts: tuple[tuple[str, str], ...] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._head)
        column.addWidget(self.rows, 1)
        self.rows.alert_selected.connect(self.alert_selected)

    def set_title(self, title: str) -> None:
        """The words before the counts."""
        self._title = title
        self.rows.setAccessibleName(title)
        self._head.set(title, self._counts)

    def set_counts(self, counts: Sequence[tuple[str, str]]) -> None:
        """How many of each severity, as (severity, text)."""
        self._counts = tuple(counts)
        self._head.set(self._title, self._counts)

    def set_alerts(self, alerts: Sequence[Alert]) -> None:
        """The rows, in the order to show."""
        self.rows.set_alerts(alerts)

    def set_empty(self, text: str) -> None:
        """What to say when there are no alerts."""
        self.rows.set_empty(text)

    def set_selected(self, alert_id: str) -> None:
        """Mark a row without emitting."""
        self.rows.set_selected(alert_id)
