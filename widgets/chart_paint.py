"""Paints a `Chart` into a rectangle: the widget, the report's pages and its pictures share this.

A value that is not finite leaves a gap. Nothing is fetched and nothing is known of batteries.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from widgets.axes import Ticks, decimals_for, format_value, tidy_ticks
from widgets.chart import Chart, Curve, Points
from widgets.text_line import elided
from widgets.theme import Theme, font, mix, semibold

_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 12.0, 30.0, 24.0
_MOST_POINTS = 4000


def has_content(chart: Chart) -> bool:
    """False when there is nothing to see but the words of `empty`."""
    return _limits(chart) is not None


def paint_chart(painter: QPainter, rect: QRectF, chart: Chart, theme: Theme) -> None:
    """The chart with its frame within `rect`, in the units of the painter."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.border, 1))
    painter.setBrush(theme.raised)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
    _paint_title(painter, rect, chart, theme)
    limits = _limits(chart)
    plot = rect.adjusted(_left(rect, limits), _TOP, -_RIGHT, -_BOTTOM)
    if plot.width() < 20 or plot.height() < 20:
        return
    if limits is None:
        painter.setFont(font(12))
        painter.setPen(theme.muted)
        wrap = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(rect.adjusted(14, _TOP, -14, -8), wrap, chart.empty or "–")
        return
    place = _Place(plot, *limits)
    _paint_grid(painter, place, chart, theme)
    painter.save()
    painter.setClipRect(plot.adjusted(-4, -4, 4, 4))
    _paint_shaded(painter, place, chart, theme)
    _paint_band(painter, place, chart, theme)
    _paint_bars(painter, place, chart, theme)
    for curve in chart.curves:
        _paint_curve(painter, place, curve, theme)
    for points in chart.points:
        _paint_points(painter, place, points, theme)
    painter.restore()
    _paint_limit(painter, place, chart, theme)


def _left(rect: QRectF, limits: tuple[float, float, float, float] | None) -> float:
    """Room for the words of the y axis."""
    if limits is None:
        return _LEFT
    ticks = _ticks(limits[2], limits[3], rect.height() - _TOP - _BOTTOM, 32)
    metrics = QFontMetricsF(font(11))
    wide = max(metrics.horizontalAdvance(format_value(v, ticks.decimals)) for v in ticks.values)
    return max(_LEFT, wide + 12)


def _ticks(low: float, high: float, pixels: float, apart: float) -> Ticks:
    """As many as have room, but never a single one: that would be no scale."""
    most = max(int(pixels / apart), 2)
    ticks = tidy_ticks(low, high, most)
    while len(ticks.values) < 2 and most < 12:
        most += 1
        ticks = tidy_ticks(low, high, most)
    return ticks


@dataclass(frozen=True, slots=True)
class _Place:
    """Where values lie on the paper."""

    plot: QRectF
    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        return self.plot.left() + (value - self.x0) / (self.x1 - self.x0) * self.plot.width()

    def y(self, value: float) -> float:
        return self.plot.bottom() - (value - self.y0) / (self.y1 - self.y0) * self.plot.height()


def _limits(chart: Chart) -> tuple[float, float, float, float] | None:
    """x0, x1, y0, y1 of what is to be seen; None when nothing is finite."""
    xs: list[NDArray[np.float64]] = [c.x for c in chart.curves] + [p.x for p in chart.points]
    ys: list[NDArray[np.float64]] = [c.y for c in chart.curves]
    for points in chart.points:
        spread = np.nan_to_num(points.sigma)
        ys += [points.y - spread, points.y + spread]
    if chart.band is not None:
        xs.append(chart.band.x)
        ys += [chart.band.low, chart.band.high]
    for bar in chart.bars:
        reach = abs(bar.value) + (bar.sigma if math.isfinite(bar.sigma) else 0.0)
        ys.append(np.array([0.0, math.copysign(reach, bar.value)]))
    if chart.bars:
        xs = [np.array([0.0, float(len(chart.bars))])]
    known_y = _finite(ys)
    known_x = _finite(xs)
    if not len(known_x) or not len(known_y):
        return None
    if math.isfinite(chart.limit):
        known_y = np.append(known_y, chart.limit)
    if chart.zero:
        known_y = np.append(known_y, 0.0)
    x0, x1 = float(known_x.min()), float(known_x.max())
    y0, y1 = float(known_y.min()), float(known_y.max())
    if x1 - x0 < 1e-9 * max(abs(x0), 1.0):
        x0, x1 = x0 - 0.5, x1 + 0.5
    pad = 0.08 * (y1 - y0) or abs(y0) * 0.05 or 1.0
    top = 2.2 * pad if chart.bars or chart.note else pad
    return x0, x1, y0 - (top if chart.bars and y0 < 0 else pad), y1 + top


def _finite(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    joined = np.concatenate([np.zeros(0), *[np.asarray(p, np.float64).ravel() for p in parts]])
    return np.asarray(joined[np.isfinite(joined)], np.float64)


def _paint_title(painter: QPainter, rect: QRectF, chart: Chart, theme: Theme) -> None:
    room = rect.width() - 24
    shape = semibold(12)
    title = elided(chart.title, shape, room)
    width = QFontMetricsF(shape).horizontalAdvance(title)
    painter.setFont(shape)
    painter.setPen(theme.text)
    painter.drawText(QPointF(rect.left() + 12, rect.top() + 20), title)
    unit = elided(chart.unit, font(11), room - width - 8)
    if unit and width + 20 < room:
        painter.setFont(font(11))
        painter.setPen(theme.muted)
        painter.drawText(QPointF(rect.left() + 20 + width, rect.top() + 20), unit)


def _paint_grid(painter: QPainter, place: _Place, chart: Chart, theme: Theme) -> None:
    plot = place.plot
    painter.setFont(font(11))
    metrics = QFontMetricsF(font(11))
    ticks = _ticks(place.y0, place.y1, plot.height(), 32)
    for value in ticks.values:
        y = place.y(value)
        painter.setPen(QPen(theme.grid, 1))
        painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
        words = format_value(value, ticks.decimals)
        painter.setPen(theme.muted)
        x = plot.left() - 6 - metrics.horizontalAdvance(words)
        painter.drawText(QPointF(x, y + 4), words)
    if chart.bars:
        return
    last, before = -math.inf, ""
    for value, words in _x_ticks(place, chart, plot.width()):
        if words == before:
            continue
        width = metrics.horizontalAdvance(words)
        left = min(max(place.x(value) - width / 2, plot.left() - 20), plot.right() - width + 6)
        if left > last + 8:
            painter.setPen(theme.muted)
            painter.drawText(QPointF(left, plot.bottom() + 16), words)
            last, before = left + width, words


def _x_ticks(place: _Place, chart: Chart, pixels: float) -> Iterator[tuple[float, str]]:
    axis, most = chart.axis, max(int(pixels / 90), 2)
    if axis in ("days", "clock"):
        form = "%H:%M" if place.x1 - place.x0 < 2 * 86400 else chart.day
        if place.x1 - place.x0 < 600:
            form = "%H:%M:%S"
        for value in np.linspace(place.x0, place.x1, most + 1):
            yield float(value), datetime.fromtimestamp(float(value)).strftime(form)
        return
    ticks = _ticks(place.x0, place.x1, pixels, 90)
    for value in ticks.values:
        if axis == "count" and value != round(value):
            continue
        if axis == "share":
            yield value, f"{format_value(100 * value, decimals_for(100 * ticks.step))} %"
        else:
            suffix = " s" if axis == "seconds" else ""
            yield value, format_value(value, ticks.decimals) + suffix


def _paint_shaded(painter: QPainter, place: _Place, chart: Chart, theme: Theme) -> None:
    if chart.shaded is None:
        return
    left, right = (place.x(min(max(v, place.x0), place.x1)) for v in chart.shaded)
    color = QColor(theme.warn)
    color.setAlphaF(0.14)
    painter.fillRect(
        QRectF(left, place.plot.top(), max(right - left, 2.0), place.plot.height()), color
    )


def _paint_band(painter: QPainter, place: _Place, chart: Chart, theme: Theme) -> None:
    band = chart.band
    if band is None:
        return
    good = np.isfinite(band.low) & np.isfinite(band.high) & np.isfinite(band.x)
    if not good.any():
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.band)
    if np.count_nonzero(good) == 1:
        low, high = np.repeat(band.low[good], 2), np.repeat(band.high[good], 2)
        _paint_part(painter, place, np.array([place.x0, place.x1]), low, high)
    else:
        for first, last in _runs(good):
            run = slice(first, last)
            _paint_part(painter, place, *_thinned(band.x[run], band.low[run], band.high[run]))
    if band.label:
        low = band.low[good]
        painter.setFont(font(11))
        painter.setPen(theme.muted)
        # In the second third, below the band: curves begin at the left and end labels stand right.
        part = low[len(low) // 3 : max(2 * len(low) // 3, 1)]
        y = min(place.y(float(np.min(part if len(part) else low))) + 14, place.plot.bottom() - 3)
        painter.drawText(QPointF(place.plot.left() + place.plot.width() / 3, y), band.label)


def _paint_part(
    painter: QPainter,
    place: _Place,
    x: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> None:
    """One piece of a band without a gap; a thin or short one is still seen."""
    least = 1.5 / place.plot.height() * (place.y1 - place.y0)
    middle, half = 0.5 * (low + high), np.maximum(0.5 * (high - low), least)
    upper = [QPointF(place.x(a), place.y(b)) for a, b in zip(x, middle + half, strict=True)]
    lower = [QPointF(place.x(a), place.y(b)) for a, b in zip(x, middle - half, strict=True)]
    if upper[-1].x() - upper[0].x() < 2.0:
        upper[-1].setX(upper[0].x() + 2.0)
        lower[-1].setX(upper[0].x() + 2.0)
        if len(upper) == 1:
            upper, lower = [upper[0], *upper], [lower[0], *lower]
    painter.drawPolygon(QPolygonF([*upper, *reversed(lower)]))


def _runs(good: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[0::2], edges[1::2], strict=True)]


def _thinned(*arrays: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    step = max(len(arrays[0]) // _MOST_POINTS, 1)
    return [a[::step] for a in arrays]


def _paint_curve(painter: QPainter, place: _Place, curve: Curve, theme: Theme) -> None:
    color = _color(theme, curve.tone)
    painter.setPen(QPen(color, curve.width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    good = np.isfinite(curve.x) & np.isfinite(curve.y)
    for first, last in _runs(good):
        x, y = _thinned(curve.x[first:last], curve.y[first:last])
        points = [QPointF(place.x(a), place.y(b)) for a, b in zip(x, y, strict=True)]
        painter.drawPolyline(QPolygonF(points))
    if curve.label and good.any():
        painter.setFont(semibold(11))
        painter.setPen(color)
        width = QFontMetricsF(semibold(11)).horizontalAdvance(curve.label)
        last_y = place.y(float(curve.y[good][-1]))
        painter.drawText(QPointF(place.plot.right() - width, last_y - 5), curve.label)


def _paint_points(painter: QPainter, place: _Place, points: Points, theme: Theme) -> None:
    color = _color(theme, points.tone)
    good = np.isfinite(points.x) & np.isfinite(points.y)
    spots = [
        QPointF(place.x(a), place.y(b)) for a, b in zip(points.x[good], points.y[good], strict=True)
    ]
    painter.setPen(QPen(color, 1.3))
    if points.joined:
        painter.drawPolyline(QPolygonF(spots))
    for spot, y, sigma in zip(spots, points.y[good], points.sigma[good], strict=True):
        if math.isfinite(sigma) and sigma > 0:
            ends = (place.y(float(y - sigma)), place.y(float(y + sigma)))
            painter.drawLine(QPointF(spot.x(), ends[0]), QPointF(spot.x(), ends[1]))
    painter.setBrush(color)
    painter.setPen(Qt.PenStyle.NoPen)
    size = 3.6 if len(spots) < 60 else 1.6
    for spot in spots:
        painter.drawEllipse(spot, size, size)


def _paint_bars(painter: QPainter, place: _Place, chart: Chart, theme: Theme) -> None:
    if not chart.bars:
        return
    step = place.plot.width() / len(chart.bars)
    zero = place.y(0.0)
    metrics = QFontMetricsF(font(11))
    labelled = max(1, math.ceil(22 / step))
    for number, bar in enumerate(chart.bars):
        centre = place.plot.left() + (number + 0.5) * step
        color = _color(theme, bar.tone)
        if math.isfinite(bar.value):
            y = place.y(bar.value)
            width = min(step * 0.62, 40.0)
            painter.fillRect(
                QRectF(centre - width / 2, min(y, zero), width, max(abs(zero - y), 1.0)), color
            )
            if math.isfinite(bar.sigma) and bar.sigma > 0:
                painter.setPen(QPen(theme.text, 1))
                ends = (place.y(bar.value - bar.sigma), place.y(bar.value + bar.sigma))
                painter.drawLine(QPointF(centre, ends[0]), QPointF(centre, ends[1]))
            if bar.text:
                painter.setFont(semibold(11))
                painter.setPen(theme.text)
                wide = QFontMetricsF(semibold(11)).horizontalAdvance(bar.text)
                below = bar.value < 0
                spread = bar.sigma if math.isfinite(bar.sigma) else 0.0
                tip = place.y(bar.value - spread if below else bar.value + spread)
                at = tip + 13 if below else tip - 5
                at = min(max(at, place.plot.top() + 10), place.plot.bottom())
                painter.drawText(QPointF(centre - wide / 2, at), bar.text)
        named = bar.tone not in ("trace", "band")
        beside = any(
            abs(number - k) < labelled and chart.bars[k].tone not in ("trace", "band")
            for k in range(max(number - labelled, 0), min(number + labelled + 1, len(chart.bars)))
            if k != number
        )
        if named or (number % labelled == 0 and not beside):
            painter.setFont(font(11))
            painter.setPen(theme.muted)
            wide = metrics.horizontalAdvance(bar.label)
            painter.setClipping(False)
            painter.drawText(QPointF(centre - wide / 2, place.plot.bottom() + 16), bar.label)
            painter.setClipping(True)
    painter.setPen(QPen(theme.muted, 1))
    painter.drawLine(QPointF(place.plot.left(), zero), QPointF(place.plot.right(), zero))


def _paint_limit(painter: QPainter, place: _Place, chart: Chart, theme: Theme) -> None:
    if math.isfinite(chart.limit):
        y = place.y(chart.limit)
        painter.setPen(QPen(theme.warn, 1.2, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(place.plot.left(), y), QPointF(place.plot.right(), y))
        painter.setFont(font(11))
        painter.setPen(theme.warn)
        words = elided(chart.limit_text, font(11), place.plot.width())
        width = QFontMetricsF(font(11)).horizontalAdvance(words)
        painter.drawText(QPointF(place.plot.right() - width, y - 5), words)
    if chart.note:
        painter.setFont(font(11))
        painter.setPen(theme.text)
        words = elided(chart.note, font(11), place.plot.width())
        width = QFontMetricsF(font(11)).horizontalAdvance(words)
        painter.drawText(QPointF(place.plot.right() - width, place.plot.top() + 9), words)


def _color(theme: Theme, tone: str) -> QColor:
    if tone in ("trace", "band", "accent", "text", "muted", "balancing"):
        color: QColor = getattr(theme, tone)
        return mix(color, theme.text, 0.25) if tone == "trace" else color
    return theme.severity(tone)
