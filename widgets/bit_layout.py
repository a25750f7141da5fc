"""The bits of one frame: which signal owns which bit, what each bit is, and what the signals say.

    BitLayout(parent=None)
      .set_frame(title, data: uint8[n] | None, length)        None: no frame selected
      .set_signals([BitSignal(name, bits, value)])            bits: 8 * byte + bit, bit 7 highest
      .set_empty(str); .set_highlight(name)
    signal signal_selected(str): a bit of it or its legend line was clicked; drag starts elsewhere
Intel or Motorola makes no difference here: positions come as lists, the first one most significant.
A signal is told by its colour, by the letter where its bits begin, and by its line in the legend.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget

from widgets.text_line import elided
from widgets.theme import Theme, current_theme, font, mix, semibold

_BIT, _HIGH, _LEFT, _HEAD = 25, 23, 34, 24
_LEGEND = 260
_LINE = 20


@dataclass(frozen=True, slots=True)
class BitSignal:
    """A signal of the frame: its bits as 8 * byte + bit, most significant first; value as text."""

    name: str
    bits: tuple[int, ...]
    value: str = ""


def letter(position: int) -> str:
    """a…z, then aa, ab, …: what stands on the bits of a signal."""
    text = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        text = chr(97 + rest) + text
    return text


def owners(signals: Sequence[BitSignal], bytes_: int) -> NDArray[np.int64]:
    """int64[bytes, 8]: which signal owns a bit (column 0 is bit 7), -1 none, -2 more than one."""
    table = np.full((bytes_, 8), -1, np.int64)
    for number, signal in enumerate(signals):
        for bit in signal.bits:
            byte, place = divmod(bit, 8)
            if 0 <= byte < bytes_:
                table[byte, 7 - place] = number if table[byte, 7 - place] == -1 else -2
    return table


class _Sheet(QWidget):
    """Matrix and legend; as tall as they need."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.title = self.empty = ""
        self.data: NDArray[np.uint8] | None = None
        self.length = 0
        self.signals: tuple[BitSignal, ...] = ()
        self.highlight = self.hover = ""
        self._owners = owners((), 0)

    def arrange(self) -> None:
        """After a change of frame or signals."""
        self._owners = owners(self.signals, self.length)
        text = ", ".join(f"{s.name} {s.value}".strip() for s in self.signals)
        self.setAccessibleName(f"{self.title} {text}".strip())
        self.setMinimumHeight(self._needed())
        self.update()

    def _blocks(self) -> int:
        """Side-by-side matrices of 16 bytes: an FD frame would be 64 rows tall."""
        return max(1, (self.length + 15) // 16) if self.length > 8 else 1

    def _block_rows(self) -> int:
        return self.length if self._blocks() == 1 else 16

    def _block_width(self) -> int:
        return _LEFT + 8 * _BIT + 14

    def _fitting_blocks(self) -> int:
        beside = self.width() - _LEGEND if self.width() > self._block_width() + _LEGEND else 0
        return max(1, min(self._blocks(), (beside or self.width()) // self._block_width()))

    def _legend_origin(self) -> tuple[int, int]:
        """Beside the matrix where there is room, else below it."""
        x = self._fitting_blocks() * self._block_width() + 10
        if self.width() - x >= _LEGEND - 60:
            return x, 30
        return 4, self._matrix_bottom() + 12

    def _matrix_bottom(self) -> int:
        bands = -(-self._blocks() // self._fitting_blocks())
        return 30 + bands * (_HEAD + self._block_rows() * _HIGH + 8)

    def _needed(self) -> int:
        _, y = self._legend_origin()
        return max(self._matrix_bottom(), y + len(self.signals) * _LINE + 8)

    def _bit_box(self, byte: int, column: int) -> QRectF:
        block, row = divmod(byte, self._block_rows()) if self.length else (0, 0)
        band, place = divmod(block, self._fitting_blocks())
        x = place * self._block_width() + _LEFT + column * _BIT
        y = 30 + band * (_HEAD + self._block_rows() * _HIGH + 8) + _HEAD + row * _HIGH
        return QRectF(x, y, _BIT, _HIGH)

    def sizeHint(self) -> QSize:
        return QSize(_LEFT + 8 * _BIT + _LEGEND, max(self._needed(), 260))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = current_theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.data is None:
            painter.setFont(font(13))
            painter.setPen(theme.muted)
            wrap = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop
            painter.drawText(self.rect().adjusted(4, 8, -4, 0), wrap, self.empty)
            painter.end()
            return
        painter.setFont(semibold(13))
        painter.setPen(theme.text)
        painter.drawText(QPointF(4, 18), elided(self.title, semibold(13), self.width() - 8))
        self._paint_scales(painter, theme)
        for byte in range(self.length):
            for column in range(8):
                self._paint_bit(painter, theme, byte, column)
        self._paint_legend(painter, theme)
        painter.end()

    def _paint_scales(self, painter: QPainter, theme: Theme) -> None:
        painter.setFont(font(11, mono=True))
        painter.setPen(theme.muted)
        for byte in range(self.length):
            first = self._bit_box(byte, 0)
            if byte % self._block_rows() == 0:
                for column in range(8):
                    box = self._bit_box(byte, column).translated(0, -_HIGH)
                    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(7 - column))
            box = QRectF(first.left() - _LEFT, first.top(), _LEFT - 8, _HIGH)
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, side, str(byte))

    def _paint_bit(self, painter: QPainter, theme: Theme, byte: int, column: int) -> None:
        owner = int(self._owners[byte, column])
        box = self._bit_box(byte, column).adjusted(1, 1, -1, -1)
        ground = bit_color(theme, owner)
        marked = owner >= 0 and self.signals[owner].name in (self.highlight, self.hover)
        painter.setPen(QPen(theme.text, 1.5) if marked else QPen(ground, 1))
        painter.setBrush(ground)
        painter.drawRoundedRect(box, 3, 3)
        if self.data is None:
            return
        value = int(self.data[byte]) >> (7 - column) & 1
        painter.setFont(font(12, mono=True))
        painter.setPen(theme.text if owner != -1 else theme.muted)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(value))
        # The letter once per run: on every bit it would drown the values.
        starts = column == 0 or int(self._owners[byte, column - 1]) != owner
        if owner != -1 and starts:
            painter.setFont(font(9))
            sign = letter(owner) if owner >= 0 else "*"
            corner = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
            painter.drawText(box.adjusted(2, -1, 4, 0), corner, sign)

    def _paint_legend(self, painter: QPainter, theme: Theme) -> None:
        left, top = self._legend_origin()
        width = min(self.width() - left - 6, 420)
        for number, signal in enumerate(self.signals):
            y = top + number * _LINE
            box = QRectF(left, y + 2, 22, 16)
            marked = signal.name in (self.highlight, self.hover)
            painter.setPen(QPen(theme.text if marked else bit_color(theme, number), 1.2))
            painter.setBrush(bit_color(theme, number))
            painter.drawRoundedRect(box, 3, 3)
            painter.setFont(font(11))
            painter.setPen(theme.text)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter(number))
            shape = semibold(12) if marked else font(12)
            value = elided(signal.value, font(12), width * 0.5)
            painter.setFont(font(12))
            line = QRectF(left + 30, y, width - 30, _LINE)
            side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            used = painter.boundingRect(line, side, value).width() if value else 0.0
            painter.drawText(line, side, value)
            painter.setFont(shape)
            painter.setPen(theme.text if marked else theme.muted)
            name = elided(signal.name, shape, width - 30 - used - 10)
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, name)

    def name_at(self, point: QPoint) -> str:
        """The signal under a point, "" where there is none."""
        left, top = self._legend_origin()
        number = (point.y() - top) // _LINE
        if point.x() >= left and 0 <= number < len(self.signals) and point.y() >= top:
            return self.signals[number].name
        for byte in range(self.length):
            for column in range(8):
                if self._bit_box(byte, column).contains(QPointF(point)):
                    owner = int(self._owners[byte, column])
                    return self.signals[owner].name if owner >= 0 else ""
        return ""

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        name = self.name_at(event.position().toPoint())
        if name != self.hover:
            self.hover = name
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.hover = ""
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        name = self.name_at(event.position().toPoint())
        if name and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(name)


def bit_color(theme: Theme, owner: int) -> QColor:
    """Ground of a bit: the signal's colour, toned down so that text reads on it."""
    if owner == -1:
        return theme.raised
    if owner == -2:
        return theme.line
    return mix(theme.panel, theme.series[owner % len(theme.series)], 0.32)


class BitLayout(QScrollArea):
    """See the module."""

    signal_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sheet = _Sheet()
        self.setWidget(self._sheet)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._sheet.chosen.connect(self.signal_selected)

    def set_frame(self, title: str, data: NDArray[np.uint8] | None, length: int = 8) -> None:
        """The payload to show: uint8, at least `length` bytes; None while none is selected.

        ValueError if there are fewer bytes than `length`.
        """
        if data is not None and len(data) < length:
            raise ValueError(f"a frame of {length} bytes came with only {len(data)}")
        shape_same = length == self._sheet.length and (data is None) == (self._sheet.data is None)
        self._sheet.title, self._sheet.data = title, data
        self._sheet.length = length if data is not None else 0
        if shape_same and data is not None:
            self._sheet.update()
        else:
            self._sheet.arrange()

    def set_signals(self, signals: Sequence[BitSignal]) -> None:
        """Signals present in this frame (of a multiplexed one only the active)."""
        layout = [(s.name, s.bits) for s in signals]
        same = layout == [(s.name, s.bits) for s in self._sheet.signals]
        self._sheet.signals = tuple(signals)
        if same:
            self._sheet.update()
        else:
            self._sheet.arrange()

    def set_empty(self, text: str) -> None:
        """What to say while no frame is selected."""
        self._sheet.empty = text
        self._sheet.update()

    def set_highlight(self, name: str) -> None:
        """Mark a signal's bits; "" none."""
        self._sheet.highlight = name
        self._sheet.update()
