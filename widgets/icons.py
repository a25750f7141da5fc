"""The program's own icons and severity shapes, as strokes and fills in a 24 x 24 box.

Drawn at paint time in the colour asked for: crisp at every size and in both themes, no files.

    NAMES
    paint_icon(painter, name, box, color, weight=1.7)     KeyError for an unknown name
    icon_pixmap(name, size, color, ratio=1.0) -> QPixmap
    severity_shape(painter, severity, box, color=None)    triangle, disc, ring or square
"""

from collections.abc import Callable
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from widgets.theme import current_theme

Points = tuple[tuple[float, float], ...]


def _lines(*strokes: Points) -> QPainterPath:
    path = QPainterPath()
    for stroke in strokes:
        path.moveTo(*stroke[0])
        for point in stroke[1:]:
            path.lineTo(*point)
    return path


def _closed(points: Points) -> QPainterPath:
    path = _lines(points)
    path.closeSubpath()
    return path


def _box(x: float, y: float, w: float, h: float, radius: float = 1.5) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(x, y, w, h, radius, radius)
    return path


def _ring(x: float, y: float, radius: float) -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(x, y), radius, radius)
    return path


def _join(*paths: QPainterPath) -> QPainterPath:
    whole = QPainterPath()
    for path in paths:
        whole.addPath(path)
    return whole


def _settings() -> QPainterPath:
    """Three sliders: reads better at 16 px than a cog."""
    return _join(
        _lines(((4, 6), (13, 6)), ((18, 6), (20, 6))),
        _lines(((4, 12), (6, 12)), ((11, 12), (20, 12))),
        _lines(((4, 18), (12, 18)), ((17, 18), (20, 18))),
        _ring(15.5, 6, 2.3),
        _ring(8.5, 12, 2.3),
        _ring(14.5, 18, 2.3),
    )


def _plots() -> QPainterPath:
    curve = _lines(((4, 4), (4, 20), (20, 20)))
    curve.moveTo(7, 15)
    curve.cubicTo(10, 4, 13, 20, 19, 7)
    return curve


def _folder() -> QPainterPath:
    return _closed(((3, 19), (3, 5), (9, 5), (11, 8), (21, 8), (21, 19)))


def _battery() -> QPainterPath:
    return _join(_box(2.5, 7, 17, 11, 2), _lines(((22, 10.5), (22, 14.5))))


# name -> (stroked, filled); a missing part is an empty path
_DRAWINGS: dict[str, Callable[[], tuple[QPainterPath, QPainterPath]]] = {
    "live": lambda: (
        _lines(((2, 12), (7, 12), (10, 5), (14, 19), (17, 12), (22, 12))),
        QPainterPath(),
    ),
    "cells": lambda: (
        _join(*(_box(x, y, 7, 7) for x in (3.5, 13.5) for y in (3.5, 13.5))),
        QPainterPath(),
    ),
    "plots": lambda: (_plots(), QPainterPath()),
    "diagnosis": lambda: (
        _join(
            _ring(10.5, 10.5, 7),
            _lines(((15.7, 15.7), (21, 21))),
            _lines(((6.5, 11), (9, 11), (10.5, 7.5), (12, 13), (13, 11), (14.5, 11))),
        ),
        QPainterPath(),
    ),
    "trace": lambda: (
        _lines(((8, 6), (21, 6)), ((8, 12), (21, 12)), ((8, 18), (16, 18))),
        _join(_ring(4, 6, 1.4), _ring(4, 12, 1.4), _ring(4, 18, 1.4)),
    ),
    "record": lambda: (QPainterPath(), _ring(12, 12, 7)),
    "stop": lambda: (QPainterPath(), _box(5.5, 5.5, 13, 13, 2)),
    "mark": lambda: (
        _join(
            _lines(((6, 21), (6, 3.5))),
            _closed(((6, 4), (18.5, 4), (15.5, 8.5), (18.5, 13), (6, 13))),
        ),
        QPainterPath(),
    ),
    "settings": lambda: (_settings(), QPainterPath()),
    "play": lambda: (QPainterPath(), _closed(((7, 4.5), (19.5, 12), (7, 19.5)))),
    "pause": lambda: (QPainterPath(), _join(_box(6, 5, 4, 14, 1), _box(14, 5, 4, 14, 1))),
    "open": lambda: (_join(_folder(), _lines(((3, 12), (21, 12)))), QPainterPath()),
    "check": lambda: (
        _join(
            _closed(
                (
                    (12, 2.5),
                    (20, 5.5),
                    (20, 12),
                    (17.5, 17.5),
                    (12, 21.5),
                    (6.5, 17.5),
                    (4, 12),
                    (4, 5.5),
                )
            ),
            _lines(((8.2, 12), (11, 14.8), (16, 9.2))),
        ),
        QPainterPath(),
    ),
    "demo": lambda: (_battery(), _closed(((8.5, 9.5), (14.5, 12.5), (8.5, 15.5)))),
    "search": lambda: (
        _join(_ring(10.5, 10.5, 6.5), _lines(((15.3, 15.3), (21, 21)))),
        QPainterPath(),
    ),
    "close": lambda: (_lines(((6, 6), (18, 18)), ((18, 6), (6, 18))), QPainterPath()),
    "down": lambda: (_lines(((6, 9), (12, 15), (18, 9))), QPainterPath()),
    "drawer": lambda: (
        _join(_box(3, 4, 18, 16, 2), _lines(((14.5, 4), (14.5, 20)))),
        QPainterPath(),
    ),
    "plug": lambda: (
        _join(
            _lines(((9, 3), (9, 8)), ((15, 3), (15, 8)), ((12, 17), (12, 21.5))),
            _closed(((6, 8), (18, 8), (18, 12), (15, 17), (9, 17), (6, 12))),
        ),
        QPainterPath(),
    ),
}
NAMES = tuple(_DRAWINGS)


@lru_cache(maxsize=64)
def _drawing(name: str) -> tuple[QPainterPath, QPainterPath]:
    if name not in _DRAWINGS:
        raise KeyError(f"no icon is called {name!r}; there are {', '.join(NAMES)}")
    return _DRAWINGS[name]()


def paint_icon(
    painter: QPainter, name: str, box: QRectF, color: QColor, weight: float = 1.7
) -> None:
    """Draw an icon into `box`. weight: stroke in pixels, the same at every size."""
    stroked, filled = _drawing(name)
    scale = min(box.width(), box.height()) / 24.0
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.center())
    painter.scale(scale, scale)
    painter.translate(-12.0, -12.0)
    pen = QPen(color, weight / scale)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.strokePath(stroked, pen)
    painter.fillPath(filled, color)
    painter.restore()


def icon_pixmap(name: str, size: int, color: QColor, ratio: float = 1.0) -> QPixmap:
    """An icon on a transparent ground, `size` logical pixels square."""
    picture = QPixmap(round(size * ratio), round(size * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    paint_icon(painter, name, QRectF(0, 0, size, size), color)
    painter.end()
    return picture


def severity_shape(
    painter: QPainter, severity: str, box: QRectF, color: QColor | None = None
) -> None:
    """The shape that goes with a severity's colour: triangle for high and stop, disc for watch and
    warn, ring for ok and resolved, square for all else."""
    paint = color or current_theme().severity(severity)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(paint)
    if severity in ("high", "stop"):
        top = QPointF(box.center().x(), box.top())
        painter.drawPolygon(QPolygonF([box.bottomLeft(), top, box.bottomRight()]))
    elif severity in ("watch", "warn"):
        painter.drawEllipse(box)
    elif severity in ("ok", "resolved"):
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(paint, 2.2))
        painter.drawEllipse(box.adjusted(1.1, 1.1, -1.1, -1.1))
    else:
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
    painter.restore()
