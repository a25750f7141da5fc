"""Short texts kept as pictures: drawing glyphs is what makes a table of live numbers expensive.

    TextPixmaps().get(text, color, size=12, bold=False, mono=False, width=0.0) -> QPixmap
    TextPixmaps().put(painter, x, middle, text, color, …, align=0.0) -> width drawn
Numbers repeat, so most texts of a paint are there already. The store empties itself when full and
when the device pixel ratio changes; colours are part of the key, so themes need no care.
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
        """The picture of a text, cut with an ellipsis to `width` pixels (0 = never)."""
        key = (text, color.rgba(), size, bold, mono, int(width))
        picture = self._kept.get(key)
        if picture is None:
            if len(self._kept) > _KEPT:
                self._kept.clear()
            picture = self._kept[key] = self._draw(text, color, size, bold, mono, width)
        return picture

    def put(
        self,
        painter: QPainter,
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
        """Draw a text with its vertical middle at `middle`; align 0 starts, 1 ends at x."""
        if not text:
            return 0.0
        picture = self.get(text, color, size, bold, mono, width)
        wide, high = picture.width() / self._ratio, picture.height() / self._ratio
        painter.drawPixmap(round(x - align * wide), round(middle - high / 2), picture)
        return wide

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
        return picture
