"""What a small chart shows: curves, points with sigma, a band, bars, a limit. Plain values.

No painting and no Qt; `chart_paint` draws it, on screen, on paper and in a picture alike.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line; tone: a severity of the theme, "trace" or "accent"."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    tone: str = "high"
    width: float = 1.4
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Marks with one sigma up and down (NaN: none)."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    sigma: NDArray[np.float64]
    tone: str = "high"
    joined: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """A filled band, such as where all the others lie."""

    x: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar from zero; text above or below it."""

    label: str
    value: float
    sigma: float = math.nan
    tone: str = "trace"
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """All of a chart. axis: how x is written ("number", "count" whole numbers, "share" 0..1 as per
    cent, "days" unix seconds as dates, "clock" unix seconds as time of day, dates over days,
    "seconds"). day: how a date is written, as strftime has it. limit: a dashed level (NaN:
    none). zero: whether y begins at zero, so that flat looks flat. shaded: x0, x1 of the evidence.
    moment: t0, t1 in ns that a click leads to."""

    title: str = ""
    unit: str = ""
    axis: str = "number"
    curves: tuple[Curve, ...] = ()
    points: tuple[Points, ...] = ()
    band: Range | None = None
    bars: tuple[Bar, ...] = ()
    limit: float = math.nan
    limit_text: str = ""
    note: str = ""
    empty: str = ""
    shaded: tuple[float, float] | None = None
    moment: tuple[int, int] | None = None
    zero: bool = False
    day: str = "%d %b"
