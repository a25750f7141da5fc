"""When each cell reaches which limit first, by Monte Carlo over its trends.

Every draw takes an explanation, a level, a slope, a common speed of ageing and what may yet change,
and asks when the line meets the limit. The seed is fixed: the same history gives the same answer.
Arrays in, arrays out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.diagnosis.trend import Array, Trend

DRAWS = 1000
# A trend that goes on for as long again may bend: faults grow faster more often than they slow
# down. Speed = exp(BEND * |normal|) for half of the draws, exp(-BEND / 2 * |normal|) for the rest.
BEND = 0.30
# The filter must be ready for a slope that changes at any visit; over the time to the limit most of
# such changes make up for each other, and BEND stands for what goes one way.
WANDER = 0.3
NEVER = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """One way to fail: trend towards `limit` (values rise towards it), and the ageing that all
    cells share: `common` slope with relative sigma `common_spread`. short: how much more than what
    is told may be true, a relative sigma: estimates that lean on what healthy cells have."""

    mechanism: str
    trend: Trend
    limit: float
    common: float = 0.0
    common_spread: float = 0.4
    short: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """first: probability per cell (N,) of being the first to reach a limit; quantiles (3, N): P10,
    P50, P90 of the cell's own first passage (axis units, inf: beyond what can be said); mode (N,):
    index of the mode that most of its draws failed by; shares (modes, N); late (N,): share of draws
    in which the cell never fails."""

    first: Array
    quantiles: Array
    mode: NDArray[np.int64]
    shares: Array
    late: Array


def first_passage(modes: Sequence[Mode], horizon: float, seed: int = 1) -> Passage:
    """N cells, at least one mode; nothing is said beyond `horizon` (axis units)."""
    random = np.random.Generator(np.random.PCG64(seed))
    cells = modes[0].trend.weight.shape[1]
    speed = random.standard_normal((DRAWS, 1), np.float32)
    best = np.full((DRAWS, cells), NEVER, np.float32)
    by = np.zeros((DRAWS, cells), np.int16)
    for index, mode in enumerate(modes):
        times = _times(mode, random, speed)
        earlier = times < best
        best = np.where(earlier, times, best)
        by[earlier] = index
    best = np.where(best > horizon, np.float32(NEVER), best)
    winner = np.argmin(best, axis=1)
    ended = np.isfinite(best[np.arange(DRAWS), winner])
    first = np.bincount(winner[ended], minlength=cells) / DRAWS
    shares = np.stack(
        [np.mean((by == i) & np.isfinite(best), axis=0) for i in range(len(modes))]
    ).astype(np.float64)
    quantiles = np.quantile(best, (0.1, 0.5, 0.9), axis=0, method="inverted_cdf")
    return Passage(
        first=np.asarray(first, np.float64),
        quantiles=np.asarray(quantiles, np.float64),
        mode=np.argmax(shares, axis=0),
        shares=shares,
        late=np.mean(~np.isfinite(best), axis=0).astype(np.float64),
    )


def _times(
    mode: Mode, random: np.random.Generator, speed: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(DRAWS, N): axis units until the limit, 0 beyond it, inf never."""
    trend = mode.trend
    cells = trend.weight.shape[1]
    shape = (DRAWS, cells)

    def normal() -> NDArray[np.float32]:
        return random.standard_normal(shape, np.float32)

    edges = np.cumsum(trend.weight, axis=0)[:-1].astype(np.float32)
    draw = random.random(shape, np.float32)
    which = np.zeros(shape, np.int64)
    for edge in edges:
        which += draw > edge
    a, b, bend, kink = normal(), normal(), normal(), normal()
    places = np.arange(cells)
    terms = (trend.level, trend.slope, *_factor(trend.covariance))
    level, slope, l00, l10, l11 = (v.astype(np.float32)[which, places] for v in terms)
    level = level + l00 * a + trend.error.astype(np.float32) * normal()
    slope = slope + l10 * a + l11 * b
    if mode.short:
        more = np.exp(np.float32(mode.short) * np.abs(normal()))
        level, slope = np.where(level > 0, level * more, level), slope * more
    slope = np.where(slope > 0, slope * np.exp(np.where(bend > 0, BEND, BEND / 2) * bend), slope)
    slope = slope + np.float32(mode.common) * np.exp(np.float32(mode.common_spread) * speed)
    gap = np.float32(mode.limit) - level
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        guess = np.where(slope > 0, gap / slope, np.float32(NEVER))
        # Changes of slope until then, as the mean slope they would have made.
        q = trend.noise.astype(np.float32)[which]
        reach = np.where(np.isfinite(guess), np.maximum(guess, 0), np.float32(0))
        wander = WANDER * np.sqrt(q * reach / 3) * kink
        mean_slope = slope + np.clip(wander, -0.7 * np.abs(slope), 0.7 * np.abs(slope))
        times = np.where(mean_slope > 0, gap / mean_slope, np.float32(NEVER))
    times = np.where(gap <= 0, np.float32(0), times)
    return np.where(np.isnan(times), np.float32(NEVER), times).astype(np.float32)


def _factor(covariance: Array) -> tuple[Array, Array, Array]:
    """Cholesky factors of many 2 x 2 matrices, each (H, N)."""
    l00 = np.sqrt(np.maximum(covariance[..., 0, 0], 1e-30))
    l10 = covariance[..., 1, 0] / l00
    l11 = np.sqrt(np.maximum(covariance[..., 1, 1] - l10**2, 0.0))
    return l00, l10, l11
