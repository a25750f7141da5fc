"""How one tile of a cell grid looks, drawn from cached pieces. Knows sizes, texts and flags only.

A tile is a base picture (colour, outline, badges: few different ones) with texts on top, and each
text is a picture kept by content: numbers repeat all the time, drawing glyphs is what costs.
The theme's `text` colour reads on every colour of the deviation map, so no tile chooses another.

    TileArt(ratio).draw(painter, tiles)
Tiles are in logical pixels; the painter works in device pixels, where pictures are copied as they
are.
"""

from dataclasses import dataclass
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPen,
    QPixmap,
    QPolygonF,
)

from widgets.grid_layout import COMPACT, FULL, MAP
from widgets.text_pixmaps import TextPixmaps
from widgets.theme import Theme, current_theme, font, mix, semibold

BALANCING, WATCH, HIGH, STALE = 1, 2, 4, 8
LEVELS = 24  # colour steps on each side of the middle
UNKNOWN_LEVEL = LEVELS + 1
_KEPT = 6000  # cached pieces; the largest are full tiles of 190 x 132 px


@dataclass(frozen=True, slots=True)
class GridWords:
    """Words on tiles, in the reader's language."""

    balancing: str = "BAL"
    high: str = "high"
    watch: str = "watch"
    unknown: str = "–"


class Tile(NamedTuple):
    """One tile: place in pixels, what it says. level: -LEVELS…LEVELS, or UNKNOWN_LEVEL.
    short: the deviation without its unit; long: with it; age: how old a stale value is."""

    x: int
    y: int
    width: int
    height: int
    density: str
    number: str
    label: str
    main: str
    short: str
    long: str
    level: int
    flags: int
    age: str


class TileArt:
    """Cached pieces for one device pixel ratio; `clear` after a change of theme or words."""

    def __init__(self, ratio: float = 1.0, words: GridWords | None = None) -> None:
        self.ratio = ratio
        self.words = words or GridWords()
        self.narrowest = 0  # width of the narrowest full tile: neighbours differ by a pixel
        self._bases: dict[tuple[int, int, str, int, int], QPixmap] = {}
        self._texts = TextPixmaps()
        self._texts.set_ratio(ratio)

    def clear(self) -> None:
        """Forget every piece."""
        self._bases.clear()
        self._texts.set_ratio(self.ratio)
        self._texts.clear()

    def draw(self, painter: QPainter, tiles: list[Tile]) -> None:
        """Paint these tiles over whatever stood in their rectangles."""
        ratio = self.ratio
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        for tile in tiles:
            x, y = round(tile.x * ratio), round(tile.y * ratio)
            size = (
                round((tile.x + tile.width) * ratio) - x,
                round((tile.y + tile.height) * ratio) - y,
            )
            painter.drawPixmap(x, y, self._base(tile, *size))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        for tile in tiles:
            if tile.density == FULL:
                self._full(tile)
            elif tile.density == COMPACT:
                self._compact(tile)
        self._texts.flush_device(painter)

    # texts on top

    def _full(self, tile: Tile) -> None:
        if tile.height < 56:
            self._full_low(tile)
            return
        size = _main_size(self.narrowest or tile.width, tile.height)
        middle = tile.x + tile.width / 2
        self._number(tile, tile.y + (3 if tile.height < 72 else 8))
        word = self._word(tile) if tile.height >= 98 else ""
        roomy = tile.height >= 72
        centre = tile.y + (tile.height * 0.5 if roomy else tile.height - 28)
        self._put(middle, centre, tile.main, size, True, 0.5)
        below = tile.long if not tile.age else tile.age
        line = centre + size * 0.62 + 9 if roomy else tile.y + tile.height - 11
        self._put(middle, line, below, 13 if roomy else 12, False, 0.5)
        if word:
            self._put(middle, tile.y + tile.height - 12, word, 12, True, 0.5)

    def _full_low(self, tile: Tile) -> None:
        """Two lines: number and flags, then value and deviation."""
        self._number(tile, tile.y + 4)
        line = tile.y + tile.height - 13
        right = tile.age or tile.short
        self._put(tile.x + 7, line, tile.main, 14, True, 0.0)
        self._put(tile.x + tile.width - 7, line, right, 12, False, 1.0)

    def _number(self, tile: Tile, top: float) -> None:
        width = self._put(tile.x + 8, top + 8, tile.number, 13, True, 0.0)
        if not tile.label:
            return
        free = tile.width - 8 - width - 6 - self._badges_width(tile)
        if QFontMetricsF(font(11)).horizontalAdvance(tile.label) <= free:
            self._put(tile.x + 8 + width + 5, top + 8, tile.label, 11, False, 0.0)

    def _compact(self, tile: Tile) -> None:
        second = tile.age or tile.short
        if tile.height < 28:
            line = tile.y + tile.height / 2
            self._put(tile.x + 5, line, tile.number, 11, True, 0.0)
            self._put(tile.x + tile.width - 5, line, second, 12, False, 1.0)
            return
        size = 14 if tile.height >= 38 else 12
        self._put(tile.x + 5, tile.y + 10, tile.number, 11, False, 0.0)
        below = tile.y + tile.height - size / 2 - (7 if tile.height >= 38 else 3)
        self._put(tile.x + tile.width / 2, below, second, size, True, 0.5)

    def _put(self, x: float, y: float, text: str, size: int, bold: bool, align: float) -> float:
        """Text with its vertical middle at y; align 0 left, 0.5 centre, 1 right. Returns width."""
        return self._texts.put(x, y, text, current_theme().text, size, bold, align=align)

    # base pictures

    def _base(self, tile: Tile, wide: int, high: int) -> QPixmap:
        key = (wide, high, tile.density, tile.level, tile.flags)
        base = self._bases.get(key)
        if base is None:
            if len(self._bases) > _KEPT:
                self._bases.clear()
            base = self._bases[key] = self._draw_base(tile, wide, high)
        return base

    def _draw_base(self, tile: Tile, wide: int, high: int) -> QPixmap:
        """`wide` x `high` device pixels: with a fraction as ratio equal tiles may differ by one."""
        theme = current_theme()
        base = QPixmap(max(wide, 1), max(high, 1))
        base.fill(Qt.GlobalColor.transparent)
        painter = QPainter(base)
        painter.scale(wide / tile.width, high / tile.height)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(0, 0, tile.width, tile.height)
        radius = 6.0 if tile.density == FULL else (4.0 if tile.width >= 24 else 2.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tile_color(theme, tile.level, bool(tile.flags & STALE)))
        painter.drawRoundedRect(box, radius, radius)
        if tile.flags & STALE:
            painter.setBrush(QBrush(_hatch(theme), Qt.BrushStyle.BDiagPattern))
            painter.drawRoundedRect(box, radius, radius)
        outline = flag_color(theme, tile.flags)
        if outline is not None:
            thick = 2.0 if min(tile.width, tile.height) >= 12 else 1.0
            painter.setPen(QPen(outline, thick))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            inset = thick / 2
            painter.drawRoundedRect(box.adjusted(inset, inset, -inset, -inset), radius, radius)
        elif tile.level == UNKNOWN_LEVEL:
            painter.setPen(QPen(theme.line, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        self._marks(painter, tile, theme)
        painter.end()
        return base

    def _marks(self, painter: QPainter, tile: Tile, theme: Theme) -> None:
        """Badges of full tiles, small shapes of the others."""
        if tile.density == FULL:
            right = tile.width - 7.0
            top = 5.0 if tile.height < 72 else 8.0
            if tile.flags & (HIGH | WATCH):
                flag_shape(painter, QRectF(right - 13, top + 1, 13, 13), tile.flags, theme)
                right -= 19
            if tile.flags & BALANCING:
                self._badge(painter, right, top, theme)
            return
        if tile.flags & BALANCING:
            thick = 3.0 if tile.height >= 14 else 2.0
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.balancing)
            share = 3.0 if tile.width >= 12 else 1.0
            bar = QRectF(share, tile.height - thick - 1, tile.width - 2 * share, thick)
            painter.drawRoundedRect(bar, thick / 2, thick / 2)
        if not tile.flags & (HIGH | WATCH):
            return
        if tile.density == COMPACT:
            # A single low line has its number left and deviation right: the mark goes between.
            low = tile.height < 28
            x = tile.width * 0.42 if low else tile.width - 13.0
            y = (tile.height - 9) / 2 if low else 5.0
            flag_shape(painter, QRectF(x, y, 9, 9), tile.flags, theme)
        elif min(tile.width, tile.height) >= 11:
            side = min(11.0, min(tile.width, tile.height) - 4.0)
            place = QRectF((tile.width - side) / 2, (tile.height - side) / 2, side, side)
            flag_shape(painter, place, tile.flags, theme)

    def _badge(self, painter: QPainter, right: float, top: float, theme: Theme) -> None:
        shape = QFont(semibold(10))
        width = QFontMetricsF(shape).horizontalAdvance(self.words.balancing) + 9
        box = QRectF(right - width + 0.5, top - 0.5, width - 1, 16)
        painter.setPen(QPen(theme.balancing, 1.2))
        painter.setBrush(theme.panel)
        painter.drawRoundedRect(box, 4, 4)
        painter.setFont(shape)
        painter.setPen(theme.balancing)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.words.balancing)

    def _badges_width(self, tile: Tile) -> float:
        width = 7.0
        if tile.flags & (HIGH | WATCH):
            width += 19
        if tile.flags & BALANCING:
            width += QFontMetricsF(semibold(10)).horizontalAdvance(self.words.balancing) + 13
        return width

    def _word(self, tile: Tile) -> str:
        if tile.flags & HIGH:
            return self.words.high
        return self.words.watch if tile.flags & WATCH else ""


def tile_color(theme: Theme, level: int, stale: bool = False) -> QColor:
    """The fill of a tile; a stale one fades towards the panel."""
    color = theme.deviation(float("nan") if level == UNKNOWN_LEVEL else level / LEVELS)
    return mix(color, theme.panel, 0.6) if stale else color


def flag_color(theme: Theme, flags: int) -> QColor | None:
    """Outline of a flagged tile, None for an ordinary one."""
    if flags & HIGH:
        return theme.high
    return theme.warn if flags & WATCH else None


def flag_shape(painter: QPainter, box: QRectF, flags: int, theme: Theme) -> None:
    """Triangle for high, disc for watch, with a rim of the panel's colour to stand out."""
    color = flag_color(theme, flags)
    if color is None:
        return
    painter.setPen(QPen(theme.panel, 1.6))
    painter.setBrush(color)
    if flags & HIGH:
        corners = [box.bottomLeft(), QPointF(box.center().x(), box.top()), box.bottomRight()]
        painter.drawPolygon(QPolygonF(corners))
    else:
        painter.drawEllipse(box.adjusted(1, 1, -1, -1))


def _hatch(theme: Theme) -> QColor:
    """Faint lines: a text over them must stay readable."""
    return mix(theme.panel, theme.muted, 0.28)


def _main_size(width: int, height: int) -> int:
    """Text size of the main value: as in the design at 95 x 112, smaller on smaller tiles."""
    return max(15, min(22, int(height * 0.2), int(width * 0.235)))


__all__ = [
    "BALANCING",
    "COMPACT",
    "FULL",
    "HIGH",
    "LEVELS",
    "MAP",
    "STALE",
    "UNKNOWN_LEVEL",
    "WATCH",
    "GridWords",
    "Tile",
    "TileArt",
    "flag_color",
    "flag_shape",
    "tile_color",
]
