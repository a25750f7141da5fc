"""Change points: the mean of a noisy series that shifts, found as soon as theory allows.

Two-sided CUSUM (E. S. Page, Biometrika 41 (1954) 100) on standardised samples for a shift of a
given size. For a mean time of A samples between false alarms no test can on average be faster, from
the worst moment on, than ln(A) / D samples, D = shift^2 / (2 sigma^2) (G. Lorden, Ann. Math.
Statist. 42 (1971) 1897). A slow ramp is no step: an alarm counts only when the step remains after
the slope before it has been taken off. Series, arrays and numbers; of batteries only the word
current.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Current and level are steady within this of where they were when the mean was begun to be learned,
# over so many samples and this long. A level that moves on (charge, relaxation) begins anew.
STEADY_A, STEADY_V = 0.5, 0.0025
LEARN_ROWS, LEARN_S, SETTLE_S = 100, 4.0, 20.0
# The mean follows slow drift: forgotten over this, so that relaxation is no step.
FOLLOW_S = 300.0
# Shares of the step that is looked for, which is no finer than the resolution of a reading: its
# noise can never be less than the first. Without noise to blur the steps of 1 mV (less than the
# second) one of them means anything between none and two: then only twice the step counts.
LEAST_SIGMA = 0.4
FINE_SIGMA = 0.6
# The column that happens to be the median itself seems to have no noise: at least this share of the
# variance that columns usually have.
LEAST_OF_USUAL = 0.5
# Samples kept per column to tell a step from a ramp, those looked at before and after the change,
# and the share of the step that must remain when the slope before it has been taken off.
RING, BEFORE, AFTER, SHARP = 256, 100, 40, 0.7
_ROWS, _MEAN, _SQUARE, _UP, _DOWN, _UP_SINCE, _DOWN_SINCE, _BEFORE, _PRODUCT, _SIGMA = range(10)
_REFERENCE_A, _SINCE, _NOW, _REFERENCE_V, _GAP = range(5)


def threshold(false_alarm_samples: float) -> float:
    """CUSUM threshold (in units of log likelihood) for a mean of so many samples between false
    alarms of a two-sided test: each side gets half. By Lorden the mean is at least exp(h)."""
    return math.log(2.0 * false_alarm_samples)


def lorden_bound(shift: float, sigma: float, false_alarm_samples: float) -> float:
    """Least mean delay in samples for a shift in white Gaussian noise, in the limit of rare false
    alarms; both in the unit of the series."""
    return math.log(false_alarm_samples) / (shift * shift / (2.0 * sigma * sigma))


class ShiftState:
    """What `find_shifts` remembers between blocks. step: smallest shift looked for;
    false_alarm_samples: mean number between false alarms, per column."""

    def __init__(self, step: float, false_alarm_samples: float) -> None:
        self.step = step
        self.limit = threshold(false_alarm_samples)
        self.columns = np.zeros((0, 10))
        self.ring = np.zeros((0, RING))
        self.shared = np.zeros(5)
        self.origin = -1  # none yet: time may begin at 0


def find_shifts(
    state: ShiftState,
    time: NDArray[np.int64],
    values: NDArray[np.float32],
    level: NDArray[np.float32],
    current: NDArray[np.float32],
    calm: NDArray[np.bool_],
    resolution: NDArray[np.float64] | None = None,
) -> list[tuple[int, int, int, float, float]]:
    """Shifts that these rows showed: (column, start ns, time ns, size, sigma of a sample).

    time int64 ns (M,), values (M, N), NaN unknown. The mean of each column is learned while
    `current` (A, NaN: unknown, then `level` in V alone decides) is steady and `calm` holds, and
    anew when it was not. resolution (M,): smallest step of a reading, as known by then; nothing
    smaller is looked for.
    """
    if not len(time):
        return []
    more = values.shape[1] - len(state.columns)
    if more > 0:
        state.columns = np.concatenate([state.columns, np.zeros((more, 10))])
        state.ring = np.concatenate([state.ring, np.zeros((more, RING))])
    state.origin = state.origin if state.origin >= 0 else int(time[0])
    out = np.empty((64 + values.shape[1] + len(time) // 50, 5))
    count = _cusum(
        time,
        np.ascontiguousarray(values, np.float32),
        np.ascontiguousarray(level, np.float32),
        np.ascontiguousarray(current, np.float32),
        calm,
        state.origin,
        state.step,
        np.zeros(len(time)) if resolution is None else resolution,
        state.limit,
        state.columns,
        state.ring,
        state.shared,
        out,
    )
    return [
        (int(c), state.origin + int(since * 1e9), int(time[int(r)]), float(size), float(sigma))
        for r, c, since, size, sigma in out[:count]
    ]


@njit(nogil=True, cache=True)
def _cusum(
    time: NDArray[np.int64],
    values: NDArray[np.float32],
    level: NDArray[np.float32],
    current: NDArray[np.float32],
    calm: NDArray[np.bool_],
    origin: int,
    least: float,
    resolution: NDArray[np.float64],
    limit: float,
    columns: NDArray[np.float64],
    ring: NDArray[np.float64],
    shared: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """(row, column, since s, size, sigma) into out; their number."""
    count = 0
    for r in range(len(time)):
        now = (time[r] - origin) * 1e-9
        dt = now - shared[_NOW]
        shared[_NOW] = now
        a, v = current[r], level[r]
        if np.isnan(v):
            continue
        step = max(least, resolution[r])
        away = abs(a - shared[_REFERENCE_A]) > STEADY_A
        jumped = abs(v - shared[_REFERENCE_V]) > STEADY_V
        gap = dt > 10.0 + 5.0 * shared[_GAP]
        shared[_GAP] += 0.1 * (min(dt, 60.0) - shared[_GAP])
        if away or jumped or gap or not calm[r] or shared[_SINCE] == 0:
            shared[_SINCE] = now + SETTLE_S
            shared[_REFERENCE_A] = 0.0 if np.isnan(a) else a
            shared[_REFERENCE_V] = v
            for c in range(values.shape[1]):
                columns[c, _ROWS] = 0
            continue
        if now < shared[_SINCE]:
            continue
        for c in range(values.shape[1]):
            x = values[r, c]
            if np.isnan(x):
                continue
            column = columns[c]
            column[_ROWS] += 1
            n = column[_ROWS]
            ring[c, int(n) % RING] = x
            if n == 1:
                column[_MEAN], column[_BEFORE] = x, x
                column[_SQUARE] = column[_PRODUCT] = column[_UP] = column[_DOWN] = 0.0
                column[_UP_SINCE] = column[_DOWN_SINCE] = n
                continue
            error = x - column[_MEAN]
            if n <= LEARN_ROWS or now - shared[_SINCE] < LEARN_S:
                column[_MEAN] += error / n
                column[_SQUARE] += error * (x - column[_MEAN])
                before = column[_BEFORE] - column[_MEAN]
                column[_PRODUCT] += before * (x - column[_MEAN])
                column[_BEFORE] = x
                column[_UP_SINCE] = column[_DOWN_SINCE] = n
                column[_SIGMA] = 0.0
                continue
            if column[_SIGMA] == 0.0:
                learned = n - 1.0
                variance = max(column[_SQUARE] / learned, (LEAST_SIGMA * step) ** 2)
                variance = max(variance, LEAST_OF_USUAL * _usual_square(columns))
                # Noise that is alike from sample to sample says less than it seems.
                alike = min(max(column[_PRODUCT] / learned / variance, 0.0), 0.95)
                column[_SIGMA] = np.sqrt(variance * (1 + alike) / (1 - alike))
            own = step if column[_SIGMA] > FINE_SIGMA * step else 2 * step
            gain = own / (column[_SIGMA] * column[_SIGMA])
            up = column[_UP] + gain * (error - 0.5 * own)
            down = column[_DOWN] + gain * (-error - 0.5 * own)
            if up <= 0:
                up, column[_UP_SINCE] = 0.0, n
            if down <= 0:
                down, column[_DOWN_SINCE] = 0.0, n
            column[_UP], column[_DOWN] = up, down
            if up > limit or down > limit:
                since = int(column[_UP_SINCE] if up > limit else column[_DOWN_SINCE])
                size = _step(ring[c], since, int(n))
                right = size * (up - down) > 0 and abs(size) >= SHARP * own
                if right and count < len(out):
                    out[count, 0], out[count, 1] = r, c
                    out[count, 2] = now - (n - since) * dt
                    out[count, 3], out[count, 4] = size, column[_SIGMA]
                    count += 1
                column[_ROWS] = 0
                continue
            if up < 0.3 * limit and down < 0.3 * limit:
                column[_MEAN] += min(dt / FOLLOW_S, 0.05) * error
    return count


@njit(nogil=True, cache=True)
def _usual_square(columns: NDArray[np.float64]) -> float:
    """Middle variance of the columns whose mean has been learned, 0 where fewer than three."""
    some = columns[columns[:, _ROWS] > LEARN_ROWS // 2]
    return float(np.median(some[:, _SQUARE] / some[:, _ROWS])) if len(some) >= 3 else 0.0


@njit(nogil=True, cache=True)
def _step(ring: NDArray[np.float64], since: int, newest: int) -> float:
    """Mean of the samples just after number `since`, minus where the line through those before it
    leads."""
    after, before = min(newest - since, AFTER), min(since, BEFORE)
    if newest - since + before > len(ring) or after < 1 or before < 20:
        return 0.0
    mean, slope = 0.0, 0.0
    middle = -0.5 * (before - 1)
    for i in range(before):
        mean += ring[(since - i) % len(ring)] / before
    for i in range(before):
        slope += (-i - middle) * (ring[(since - i) % len(ring)] - mean)
    slope *= 12.0 / (before * (before * before - 1.0))
    total = 0.0
    for i in range(after):
        total += ring[(since + 1 + i) % len(ring)] / after
    return total - mean - slope * (0.5 * (after + 1) - middle)
