"""How a row of the scrolling trace and its header look. Used by `trace_view.py` only.

TraceArt().draw(painter, frames, i, y, width, before_ns)      one row
TraceHeader(parent).set_titles(eight words)
"""

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from widgets.frame_columns import FrameColumns
from widgets.frame_text import EXTENDED, bytes_text, flags_text, id_text
from widgets.text_line import elided
from widgets.text_pixmaps import TextPixmaps
from widgets.theme import current_theme, font

ROW, HEAD = 22, 30
HEADERS = ("Time", "Δ ms", "Channel", "ID", "Name", "Flags", "Len", "Data")
_WIDTHS = (142, 84, 76, 90, 190, 68, 44)  # the data takes the rest
_MONO = (0, 1, 3, 7)
_RIGHT = (1, 6)
_FLEETING = (0, 1, 7)  # seldom the same text twice: drawing is cheaper than keeping a picture
_FLAGS, _DATA = 5, 7


def clock_text(time_ns: int) -> str:
    """Seconds since 1970 with microseconds: what candump writes. Pages usually bring their own."""
    return f"{time_ns // 1_000_000_000}.{time_ns // 1000 % 1_000_000:06d}"


def columns(width: int) -> list[tuple[int, int]]:
    """(x, width) of the eight columns in a view of this width."""
    places, x = [], 0
    for wide in (*_WIDTHS, max(width - sum(_WIDTHS), 40)):
        places.append((x, wide))
        x += wide
    return places


class TraceHeader(QWidget):
    """Column titles above the rows."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._titles: tuple[str, ...] = HEADERS

    def set_titles(self, titles: tuple[str, ...]) -> None:
        """Eight words. ValueError for another number."""
        if len(titles) != len(HEADERS):
            raise ValueError(f"the trace has {len(HEADERS)} columns, not {len(titles)}")
        self._titles = titles
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.panel)
        painter.fillRect(0, self.height() - 1, self.width(), 1, theme.line)
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        for column, (x, width) in enumerate(columns(self.width())):
            side = Qt.AlignmentFlag.AlignRight if column in _RIGHT else Qt.AlignmentFlag.AlignLeft
            box = QRectF(x + 8, 0, width - 16, self.height())
            title = elided(self._titles[column], font(12), box.width())
            painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, title)
        painter.end()


class TraceArt:
    """Rows from columns of frames; names and times come from callables."""

    def __init__(self) -> None:
        self.name_of: Callable[[int, int], str] = lambda frame_id, flags: ""
        self.time_text: Callable[[int], str] = clock_text
        self.channels: tuple[str, ...] = ()
        self._texts = TextPixmaps()

    def set_ratio(self, ratio: float) -> None:
        """Device pixels per logical pixel."""
        self._texts.set_ratio(ratio)

    def channel(self, number: int, prefix: str = "") -> str:
        """A channel's name, or its number behind `prefix`."""
        known = self.channels[number] if number < len(self.channels) else ""
        return known or f"{prefix}{number}"

    def draw(
        self,
        painter: QPainter,
        frames: FrameColumns,
        i: int,
        y: int,
        width: int,
        before_ns: int | None,
    ) -> None:
        """Row i of `frames` at height y. before_ns: time of the frame before, None unknown."""
        theme = current_theme()
        flags, frame_id, time_ns = int(frames.flags[i]), int(frames.id[i]), int(frames.time[i])
        words = flags_text(flags & ~EXTENDED)
        length = int(frames.length[i])
        parts = (
            self.time_text(time_ns),
            "" if before_ns is None else f"{(time_ns - before_ns) / 1e6:.3f}",
            self.channel(int(frames.channel[i])),
            id_text(frame_id, flags),
            self.name_of(frame_id, flags),
            words,
            str(length),
            bytes_text(frames.data[i], length),
        )
        for column, (x, wide) in enumerate(columns(width)):
            color = theme.muted if column in (0, 1, 2, 6) else theme.text
            if column == _FLAGS:
                color = theme.high if "ERR" in words else theme.balancing
            self._cell(painter, parts[column], column, x, wide, y, color)

    def finish(self, painter: QPainter) -> None:
        """After the last row: draw the texts that are kept as pictures."""
        self._texts.flush(painter)

    def _cell(
        self,
        painter: QPainter,
        text: str,
        column: int,
        x: int,
        width: int,
        y: int,
        color: QColor,
    ) -> None:
        mono, right = column in _MONO, column in _RIGHT
        if column in _FLEETING:
            shape, metrics = self._texts.metrics(12, mono=mono)
            painter.setFont(shape)
            painter.setPen(color)
            side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
            if column == _DATA:
                text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width - 16)
            box = QRectF(x + 8, y, width - 16, ROW)
            painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, text)
            return
        edge = x + width - 8 if right else x + 8
        align = 1.0 if right else 0.0
        self._texts.put(edge, y + ROW / 2, text, color, mono=mono, width=width - 12, align=align)
