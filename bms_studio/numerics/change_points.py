"""Change points: the mean of a noisy series that shifts, found as soon as theory allows.

Two-sided CUSUM (E. S. Page, Biometrika 41 (1954) 100) on standardised samples for a shift of a
given size. For a mean time of A samples between false alarms no test can on average be faster, from
the worst moment on, than ln(A) / D samples, D = shift^2 / (2 sigma^2) (G. Lorden, Ann. Math.
Statist. 42 (1971) 1897). Series, arrays and numbers; of batteries only the word current.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

# A current is steady within this, and a mean is learned over so many samples and this long.
STEADY_A, STEADY_V = 0.5, 0.004
LEARN_ROWS, LEARN_S, SETTLE_S = 100, 4.0, 20.0
# The mean follows slow drift: forgotten over this, so that relaxation is no step.
FOLLOW_S = 300.0
# The resolution of a reading: its noise can never be less.
LEAST_SIGMA_V = 0.0004
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
        self.shared = np.zeros(5)
        self.origin = 0


def find_shifts(
    state: ShiftState,
    time: NDArray[np.int64],
    values: NDArray[np.float32],
    level: NDArray[np.float32],
    current: NDArray[np.float32],
    calm: NDArray[np.bool_],
) -> list[tuple[int, int, int, float, float]]:
    """Shifts that these rows showed: (column, start ns, time ns, size, sigma of a sample).

    time int64 ns (M,), values (M, N), NaN unknown. The mean of each column is learned while
    `current` (A, NaN: unknown, then `level` in V alone decides) is steady and `calm` holds, and
    anew when it was not.
    """
    if not len(time):
        return []
    more = values.shape[1] - len(state.columns)
    if more > 0:
        state.columns = np.concatenate([state.columns, np.zeros((more, 10))])
    state.origin = state.origin or int(time[0])
    out = np.empty((64 + values.shape[1] + len(time) // 50, 5))
    count = _cusum(
        time,
        np.ascontiguousarray(values, np.float32),
        np.ascontiguousarray(level, np.float32),
        np.ascontiguousarray(current, np.float32),
        calm,
        state.origin,
        state.step,
        state.limit,
        state.columns,
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
    step: float,
    limit: float,
    columns: NDArray[np.float64],
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
        # The level may drift slowly (charge, relaxation): the reference follows.
        shared[_REFERENCE_V] += min(1.0, dt / 10.0) * (v - shared[_REFERENCE_V])
        if now < shared[_SINCE]:
            continue
        for c in range(values.shape[1]):
            x = values[r, c]
            if np.isnan(x):
                continue
            column = columns[c]
            column[_ROWS] += 1
            n = column[_ROWS]
            if n == 1:
                column[_MEAN], column[_BEFORE] = x, x
                column[_SQUARE] = column[_PRODUCT] = column[_UP] = column[_DOWN] = 0.0
                column[_UP_SINCE] = column[_DOWN_SINCE] = now
                continue
            error = x - column[_MEAN]
            if n <= LEARN_ROWS or now - shared[_SINCE] < LEARN_S:
                column[_MEAN] += error / n
                column[_SQUARE] += error * (x - column[_MEAN])
                before = column[_BEFORE] - column[_MEAN]
                column[_PRODUCT] += before * (x - column[_MEAN])
                column[_BEFORE] = x
                column[_UP_SINCE] = column[_DOWN_SINCE] = now
                column[_SIGMA] = 0.0
                continue
            if column[_SIGMA] == 0.0:
                learned = n - 1.0
                variance = max(column[_SQUARE] / learned, LEAST_SIGMA_V * LEAST_SIGMA_V)
                # Noise that is alike from sample to sample says less than it seems.
                alike = min(max(column[_PRODUCT] / learned / variance, 0.0), 0.95)
                column[_SIGMA] = np.sqrt(variance * (1 + alike) / (1 - alike))
            gain = step / (column[_SIGMA] * column[_SIGMA])
            up = column[_UP] + gain * (error - 0.5 * step)
            down = column[_DOWN] + gain * (-error - 0.5 * step)
            if up <= 0:
                up, column[_UP_SINCE] = 0.0, now
            if down <= 0:
                down, column[_DOWN_SINCE] = 0.0, now
            column[_UP], column[_DOWN] = up, down
            if up > limit or down > limit:
                since = column[_UP_SINCE] if up > limit else column[_DOWN_SINCE]
                # Mean excess over half a step since the sum began to rise, from the sum itself.
                samples = max((now - since) / max(dt, 1e-6), 1.0)
                size = max(up, down) / gain / samples + 0.5 * step
                if count < len(out):
                    out[count, 0], out[count, 1], out[count, 2] = r, c, since
                    out[count, 3] = size if up > limit else -size
                    out[count, 4] = column[_SIGMA]
                    count += 1
                column[_ROWS] = 0
                continue
            if up < 0.3 * limit and down < 0.3 * limit:
                column[_MEAN] += min(dt / FOLLOW_S, 0.05) * error
    return count
