"""The fit of one cell's differences to the mean cell: compiled least squares, numbers only.

Six numbers say what a cell differs in, a curve over SOC what its open-circuit voltage differs by
beside: start (SOC), ohmic and slow resistance (ohm), 1/capacity (relative), leak (A), offset (V).
That curve has two parts: volts, and the SOC by which the cell's electrodes slipped against those of
the mean cell, which alone describes it at a knee or step. Gauss-Newton with Levenberg's damping on
the cell's own SOC. No measurement, chemistry or cell number has a name here.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.estimators.kernel import look_up

START, OHMIC, SLOW, INVERSE, LEAK, OFFSET = range(6)
TERMS = 6
HALF = 10
KNOTS = 2 * HALF
ALL = TERMS + KNOTS
_TURNS = 12
_REACH = 0.01
# Nothing wrong is likelier than a fault of a given kind by this (log of odds): ten to one.
NONE_ODDS = 2.3


@njit(nogil=True, cache=True)
def _cholesky(matrix: NDArray[np.float64], lower: NDArray[np.float64]) -> bool:
    """lower lower' = matrix; false when it is not positive definite."""
    n = len(matrix)
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                if total <= 0:
                    return False
                lower[i, i] = math.sqrt(total)
            else:
                lower[i, j] = total / lower[j, j]
    return True


@njit(nogil=True, cache=True)
def _substitute(lower: NDArray[np.float64], right: NDArray[np.float64]) -> None:
    """right becomes the solution of lower lower' x = right."""
    n = len(right)
    for i in range(n):
        total = right[i]
        for k in range(i):
            total -= lower[i, k] * right[k]
        right[i] = total / lower[i, i]
    for i in range(n - 1, -1, -1):
        total = right[i]
        for k in range(i + 1, n):
            total -= lower[k, i] * right[k]
        right[i] = total / lower[i, i]


@njit(nogil=True, cache=True)
def _look(
    rows: NDArray[np.float64],
    place: NDArray[np.int64],
    weight: NDArray[np.float64],
    ocv: NDArray[np.float64],
    capacity_ah: float,
    precision: NDArray[np.float64],
    answer: NDArray[np.float64],
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> float:
    """Cost at this answer; normal matrix and right side of the next step."""
    for i in range(ALL):
        right[i] = 0.0
        for j in range(ALL):
            normal[i, j] = precision[i, j]
            right[i] -= precision[i, j] * answer[j]
    cost = 0.0
    for i in range(ALL):
        cost -= right[i] * answer[i]
    d = np.empty(TERMS)
    at, part = np.empty(4, np.int64), np.empty(4)
    beside = TERMS + HALF
    u, leak = answer[INVERSE], answer[LEAK] / capacity_ah
    for m in range(len(rows)):
        w = weight[m]
        if w == 0.0:
            continue
        row = rows[m]
        hours, z, moved, share = row[0], row[1], row[2], row[6]
        dz = answer[START] - moved * u - leak * hours * (1 + u) - row[8]
        k = place[m]
        slipped = (1 - share) * answer[beside + k] + share * answer[beside + k + 1]
        own = min(max(z + dz + slipped, -0.03), 1.03)
        slope = (look_up(ocv, own + _REACH) - look_up(ocv, own - _REACH)) / (2 * _REACH)
        slope += row[5]
        there = look_up(ocv, own) + row[5] * dz
        left = row[7] - (there - row[9]) + row[3] * answer[OHMIC] + row[4] * answer[SLOW]
        left -= answer[OFFSET]
        left -= (1 - share) * answer[TERMS + k] + share * answer[TERMS + k + 1]
        residual[m] = left
        d[START] = slope
        d[OHMIC] = -row[3]
        d[SLOW] = -row[4]
        d[INVERSE] = -slope * (moved + leak * hours)
        d[LEAK] = -slope * hours * (1 + u) / capacity_ah
        d[OFFSET] = 1.0
        cost += w * left * left
        for i in range(TERMS):
            wd = w * d[i]
            right[i] += wd * left
            for j in range(i + 1):
                normal[i, j] += wd * d[j]
        at[0], at[1], at[2], at[3] = TERMS + k, TERMS + k + 1, beside + k, beside + k + 1
        part[0], part[1] = 1 - share, share
        part[2], part[3] = slope * (1 - share), slope * share
        for j in range(4):
            wd = w * part[j]
            right[at[j]] += wd * left
            for i in range(TERMS):
                normal[at[j], i] += wd * d[i]
            for i in range(j + 1):
                normal[at[j], at[i]] += wd * part[i]
    return cost


@njit(nogil=True, cache=True)
def fit(
    rows: NDArray[np.float64],
    place: NDArray[np.int64],
    weight: NDArray[np.float64],
    ocv: NDArray[np.float64],
    capacity_ah: float,
    precision: NDArray[np.float64],
    answer: NDArray[np.float64],
    covariance: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> tuple[float, float]:
    """Cost and half the logarithm of the normal matrix's determinant at the best answer.

    rows (M, 10): hours, mean cell's SOC, charge moved (1), current and slow current (A), slope of
    the OCV that warmth adds (V), share of the upper knot, voltage less the mean cell's, SOC that a
    bleeder took, OCV of the mean cell; place (M,): lower knot; weight (M,): 1/variance, 0 leaves
    out; ocv: table over SOC 0..1; precision (ALL, ALL) of the prior. answer (ALL,) is where it
    begins and what it ends with, the first TERMS rows of covariance are filled, residual (M,) too.
    """
    normal = np.empty((ALL, ALL))
    right = np.empty(ALL)
    lower = np.zeros((ALL, ALL))
    step = np.empty(ALL)
    trial = np.empty(ALL)
    cost = _look(rows, place, weight, ocv, capacity_ah, precision, answer, normal, right, residual)
    damping = 0.0
    for _ in range(_TURNS):
        damped = normal.copy()
        for i in range(ALL):
            damped[i, i] *= 1 + damping
        if not _cholesky(damped, lower):
            break
        step[:] = right
        _substitute(lower, step)
        gain = 0.0
        for i in range(ALL):
            gain += step[i] * right[i]
            trial[i] = answer[i] + step[i]
        before = normal.copy()
        kept = right.copy()
        new = _look(
            rows,
            place,
            weight,
            ocv,
            capacity_ah,
            precision,
            trial,
            normal,
            right,
            residual,
        )
        if new <= cost + 1e-9:
            answer[:] = trial
            cost = new
            damping *= 0.2
            if damping < 1e-4:
                damping = 0.0
            if gain < 0.01:
                break
        else:
            normal[:] = before
            right[:] = kept
            damping = max(5 * damping, 0.03)
            if damping > 1e3:
                break
    cost = _look(rows, place, weight, ocv, capacity_ah, precision, answer, normal, right, residual)
    half_log = math.nan
    if _cholesky(normal, lower):
        half_log = 0.0
        for i in range(ALL):
            half_log += math.log(lower[i, i])
        for i in range(TERMS):
            step[:] = 0.0
            step[i] = 1.0
            _substitute(lower, step)
            covariance[i] = step
    else:
        covariance[:] = math.nan
    return cost, half_log


@njit(nogil=True, cache=True)
def told(
    rows: NDArray[np.float64],
    place: NDArray[np.int64],
    weight: NDArray[np.float64],
    ocv: NDArray[np.float64],
    capacity_ah: float,
    answer: NDArray[np.float64],
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
) -> None:
    """What the data alone say around `answer`, taken for linear: normal (ALL, ALL), its lower half,
    and right side (ALL,) of the answer itself. Arguments as `fit`."""
    nothing = np.zeros((ALL, ALL))
    left = np.empty(len(rows))
    _look(rows, place, weight, ocv, capacity_ah, nothing, answer, normal, right, left)
    for i in range(ALL):
        for j in range(i):
            normal[j, i] = normal[i, j]
    for i in range(ALL):
        for j in range(ALL):
            right[i] += normal[i, j] * answer[j]


@njit(nogil=True, cache=True)
def expected(
    normal: NDArray[np.float64],
    right: NDArray[np.float64],
    healthy: NDArray[np.float64],
    curve: NDArray[np.float64],
    alike: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """What is believed of one cell after its data (`told`), given the sigmas of its terms (TERMS,)
    and the precision of its curve (KNOTS, KNOTS): out (2 TERMS + 1,), sizes of its terms, their
    variances, and the curve's mean square in units of the inverse of `alike`."""
    whole = normal.copy()
    for i in range(TERMS):
        whole[i, i] += 1 / healthy[i] ** 2
    for i in range(KNOTS):
        for j in range(KNOTS):
            whole[TERMS + i, TERMS + j] += curve[i, j]
    lower = np.zeros((ALL, ALL))
    out[:] = math.nan
    if not _cholesky(whole, lower):
        return
    answer = right.copy()
    _substitute(lower, answer)
    column = np.empty(ALL)
    total = 0.0
    for i in range(ALL):
        for j in range(ALL):
            column[j] = 1.0 if j == i else 0.0
        _substitute(lower, column)
        if i < TERMS:
            out[i] = abs(answer[i])
            out[TERMS + i] = column[i]
            continue
        for j in range(KNOTS):
            square = answer[i] * answer[TERMS + j] + column[TERMS + j]
            total += alike[i - TERMS, j] * square
    out[2 * TERMS] = total / KNOTS


@njit(nogil=True, cache=True)
def weigh_kinds(
    rows: NDArray[np.float64],
    place: NDArray[np.int64],
    weight: NDArray[np.float64],
    ocv: NDArray[np.float64],
    capacity_ah: float,
    curve: NDArray[np.float64],
    healthy: NDArray[np.float64],
    faulty: NDArray[np.float64],
    kinds: NDArray[np.bool_],
    best: NDArray[np.float64],
    out: NDArray[np.float64],
) -> int:
    """One cell under each kind of fault, weighed. curve (KNOTS, KNOTS): precision; healthy, faulty:
    variances (TERMS,); kinds (J, TERMS): what may be large. best (ALL,): answer of the likeliest
    kind, whose number is returned; out (2 TERMS + 1,): answers, variances, residual (V)."""
    count = len(kinds)
    means, variances = np.empty((count, TERMS)), np.empty((count, TERMS))
    logs, left = np.empty(count), np.empty(count)
    covariance = np.empty((ALL, ALL))
    residual = np.empty(len(rows))
    precision = np.zeros((ALL, ALL))
    precision[TERMS:, TERMS:] = curve
    likeliest = 0
    for j in range(count):
        answer = np.zeros(ALL)
        logs[j] = 0.0
        for i in range(TERMS):
            prior = faulty[i] if kinds[j, i] else healthy[i]
            precision[i, i] = 1 / prior
            logs[j] -= 0.5 * math.log(prior)
        cost, half_log = fit(
            rows, place, weight, ocv, capacity_ah, precision, answer, covariance, residual
        )
        logs[j] -= 0.5 * cost + half_log
        for i in range(TERMS):
            # Each quantity free itself: the covariance with one more prior widened. The two parts
            # of a resistance are free together: a cell that holds less has more of the slow one.
            value, own = answer[i], covariance[i, i]
            if i in (OHMIC, SLOW):
                other = OHMIC + SLOW - i
                looser = 1 / faulty[other] - precision[other, other]
                share = looser / (1 + looser * covariance[other, other])
                value -= covariance[i, other] * share * answer[other]
                own -= covariance[i, other] * share * covariance[i, other]
            more = 1 / (1 + (1 / faulty[i] - precision[i, i]) * own)
            # Small beside another fault would be two faults: there a capacity is told as healthy
            # cells have it, with the sigma of one that is free. A low charge is no fault.
            two = i == INVERSE and not kinds[j, START]
            means[j, i] = value if two else value * more
            variances[j, i] = own * more
        squares, many = 0.0, 0
        for m in range(len(rows)):
            if weight[m] > 0:
                squares += residual[m] * residual[m]
                many += 1
        left[j] = math.sqrt(squares / max(many, 1))
        if j == 0 or logs[j] > logs[likeliest]:
            likeliest = j
            best[:] = answer
    out[:] = 0.0
    belief = np.exp(logs - logs[likeliest])
    out[2 * TERMS] = np.sum(belief * left) / belief.sum()
    for i in range(TERMS):
        if i == INVERSE:
            belief = np.exp(_with_none(logs, means, variances, healthy, faulty, kinds))
        belief /= belief.sum()
        for j in range(count):
            out[i] += belief[j] * means[j, i]
        for j in range(count):
            out[TERMS + i] += belief[j] * (variances[j, i] + (means[j, i] - out[i]) ** 2)
        belief = np.exp(logs - logs[likeliest])
    return likeliest


@njit(nogil=True, cache=True)
def _with_none(
    logs: NDArray[np.float64],
    means: NDArray[np.float64],
    variances: NDArray[np.float64],
    healthy: NDArray[np.float64],
    faulty: NDArray[np.float64],
    kinds: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Logarithms of the kinds' likelihoods, largest 0, with that of no fault at all added to
    capacity's: in a cell without a fault it is what is left when nothing else need be large."""
    out, i = logs.copy(), INVERSE
    for j in range(len(kinds)):
        if kinds[j, i]:
            # The same fit, had the prior been a healthy cell's (both are normal distributions).
            tighter = 1 / healthy[i] - 1 / faulty[i]
            less = 1 / (1 + tighter * variances[j, i])
            none = NONE_ODDS + logs[j] + 0.5 * math.log(faulty[i] / healthy[i] * less)
            none -= 0.5 * tighter * less * means[j, i] ** 2
            top = max(none, logs[j])
            out[j] = top + math.log(math.exp(none - top) + math.exp(logs[j] - top))
    out -= out.max()
    return out


@njit(nogil=True, cache=True)
def groups(
    time_ns: NDArray[np.int64],
    moved: NDArray[np.float64],
    calm: NDArray[np.bool_],
    most_moved: float,
    most_ns: int,
) -> NDArray[np.int64]:
    """Number of the row that each window belongs to: neighbours of one kind, together no longer
    than most_ns, over which no more charge than most_moved moved."""
    out = np.zeros(len(time_ns), np.int64)
    first = 0
    for m in range(1, len(time_ns)):
        joins = calm[m] == calm[first] and abs(moved[m] - moved[first]) < most_moved
        joins = joins and time_ns[m] - time_ns[first] < most_ns
        if not joins:
            first = m
        out[m] = out[m - 1] + (0 if joins else 1)
    return out
