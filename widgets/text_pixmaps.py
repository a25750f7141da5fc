"""Short texts kept as pictures: drawing glyphs is what makes a table of live numbers expensive.

    TextPixmaps().put(x, middle, text, color, size=12, bold=False, mono=False, …) -> width
    TextPixmaps().flush(painter)          draws all that was put, on whole device pixels
Numbers repeat, so most texts of a paint are there already. The store empties itself when full and
when the device pixel ratio changes; colours are part of the key, so themes need no care.

Why put and flush: Qt copies a picture fast only where one of its pixels is one of the screen's. At
150 % it would resample every one of them: blurred, and measured 30 times slower.
"""

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPixmap

from widgets.theme import font, semibold

_KEPT = 5000
Key = tuple[str, int, int, bool, bool, int]


class TextPixmaps:
    """See the module. One per widget, so that it goes when the widget goes."""

    def __init__(self) -> None:
        self._ratio = 1.0
        self._kept: dict[Key, QPixmap] = {}
        self._put: list[tuple[int, int, QPixmap]] = []
        self._metrics: dict[tuple[int, bool, bool], tuple[QFont, QFontMetricsF]] = {}

    def clear(self) -> None:
        """Forget all, for instance after fonts changed."""
        self._kept.clear()
        self._metrics.clear()

    def set_ratio(self, ratio: float) -> None:
        """Device pixels per logical pixel of the screen the widget is on."""
        if ratio != self._ratio:
            self._ratio = ratio
            self._kept.clear()

    def metrics(
        self, size: int, bold: bool = False, mono: bool = False
    ) -> tuple[QFont, QFontMetricsF]:
        """The font that texts are drawn with, and its measures."""
        key = (size, bold, mono)
        known = self._metrics.get(key)
        if known is None:
            shape = QFont(semibold(size) if bold else font(size, mono=mono))
            known = self._metrics[key] = (shape, QFontMetricsF(shape))
        return known

    def get(
        self,
        text: str,
        color: QColor,
        size: int = 12,
        bold: bool = False,
        mono: bool = False,
        width: float = 0.0,
    ) -> QPixmap:
        """The picture of a text in device pixels, cut with an ellipsis to `width` (0 = never)."""
        key = (text, color.rgba(), size, bold, mono, int(width))
        picture = self._kept.get(key)
        if picture is None:
            if len(self._kept) > _KEPT:
                self._kept.clear()
            picture = self._kept[key] = self._draw(text, color, size, bold, mono, width)
        return picture

    def put(
        self,
        x: float,
        middle: float,
        text: str,
        color: QColor,
        size: int = 12,
        bold: bool = False,
        mono: bool = False,
        width: float = 0.0,
        align: float = 0.0,
    ) -> float:
        """A text with its vertical middle at `middle`; align 0 starts, 1 ends at x. In logical
        pixels; returns the width. Nothing is drawn before `flush`."""
        if not text:
            return 0.0
        picture = self.get(text, color, size, bold, mono, width)
        wide, high = picture.width(), picture.height()
        left = round(x * self._ratio - align * wide)
        top = round(middle * self._ratio - high / 2)
        self._put.append((left, top, picture))
        return wide / self._ratio

    def put_picture(self, x: float, middle: float, picture: QPixmap) -> None:
        """A picture got before, its left edge at x and its vertical middle at `middle`."""
        top = round(middle * self._ratio - picture.height() / 2)
        self._put.append((round(x * self._ratio), top, picture))

    def flush(self, painter: QPainter) -> None:
        """Draw what was put. The painter works in logical pixels; it is left as it was."""
        painter.save()
        painter.scale(1 / self._ratio, 1 / self._ratio)
        self.flush_device(painter)
        painter.restore()

    def flush_device(self, painter: QPainter) -> None:
        """The same for a painter that works in device pixels."""
        for x, y, picture in self._put:
            painter.drawPixmap(x, y, picture)
        self._put.clear()

    def _draw(
        self, text: str, color: QColor, size: int, bold: bool, mono: bool, width: float
    ) -> QPixmap:
        shape, metrics = self.metrics(size, bold, mono)
        if width:
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, width)
        wide = max(int(metrics.horizontalAdvance(text)) + 1, 1)
        high = int(metrics.height()) + 1
        picture = QPixmap(round(wide * self._ratio), round(high * self._ratio))
        picture.setDevicePixelRatio(self._ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setFont(shape)
        painter.setPen(color)
        painter.drawText(QPointF(0, metrics.ascent()), text)
        painter.end()
        picture.setDevicePixelRatio(1.0)
        return picture
