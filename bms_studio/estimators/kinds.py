"""Which of the things that cells differ in explains what one cell does, and by how much.

Healthy cells differ a little in everything; a cell that is not healthy differs much in one thing.
For every cell each of these things is tried in turn as the one that may be large, the others as
healthy cells have them; what each explains, weighed by how well (its marginal likelihood), is the
answer. A quantity that is told is always free to be large itself, so that its sigma says what the
data tell, not what was believed before. Arrays in, arrays out.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bms_studio.estimators.difference import (
    ALL,
    HALF,
    INVERSE,
    KNOTS,
    LEAK,
    OFFSET,
    OHMIC,
    SLOW,
    START,
    TERMS,
    expected,
    fit,
    told,
    weigh_kinds,
)
from bms_studio.estimators.model import GAS_J_PER_MOL_K, CellModel, resistance_factor
from bms_studio.estimators.pack_curve import matern

Array = NDArray[np.float64]
# Tried in turn; a resistance differs in both its parts.
KINDS = ((START,), (OHMIC, SLOW), (INVERSE,), (LEAK,), (OFFSET,))
# Rounds of learning, how much longer than usual its steps are, and its floor as a share of what is
# believed.
_LEARNING, _FASTER, _LEAST_SHARE = 6, 1.8, 0.3
# So many cells tell enough of all.
_MOST_LEARNT = 32
# Noise of a row (V) before anything is known of this pack.
FIRST_V = 0.0013
_LEAST_ROWS = 4
_SURE_CELLS = 6
# Places between the mean cell's SOC and another cell's where the curve is asked; a slope is no less
# (V per unit of SOC).
_STEPS, _LEAST_V = 5, 0.02
# Of a difference in resistance, how much may be ohmic or slow.
SPLIT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The mean cell's course over M rows (hours, SOC, charge moved, current and slow current in A,
    degC, V), and of N cells: voltage less the mean cell's, SOC that bleeders took, what counts."""

    hours: Array
    z: Array
    moved: Array
    current: Array
    slow: Array
    warm: Array
    mean_v: Array
    difference: Array
    taken: Array
    use: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """Before any data. healthy, faulty: sigmas (TERMS,) of what healthy cells differ in and of one
    that does not belong. curve_v, curve_length: open-circuit curves of two cells, alike over so
    much SOC; slip: their electrodes against each other (SOC); slope_share: how well the slope of
    the pack's curve is known; noise_v: of one row."""

    healthy: Array
    faulty: Array
    curve_v: float
    curve_length: float
    slip: float
    slope_share: float
    noise_v: float


def judged(beliefs: Beliefs, model: CellModel, unseen: Array, course: Course) -> "Judged":
    """Every cell of this course; NaN where fewer than four rows count. unseen, over the model's
    SOC: sigma of its slope beyond the usual one (V)."""
    cells = np.flatnonzero(course.use.sum(0) >= _LEAST_ROWS)
    table = np.full((2 * TERMS + 1, course.difference.shape[1]), np.nan)
    fits = _Fits(beliefs, model, unseen, course)
    kinds = np.zeros(table.shape[1], np.int64)
    best = np.zeros((table.shape[1], ALL))
    if not len(cells):
        return Judged(table, kinds, best, np.zeros((0, 0)), beliefs.healthy, 1.0)
    answers, residuals = fits.all_free(cells)
    weights = fits.weights(residuals)
    healthy, size = fits.learnt(cells, answers, weights)
    for i, k in enumerate(cells.tolist()):
        table[:, k], kinds[k] = fits.cell(k, answers[i], healthy, size, weights[i], best[k])
    whole = np.zeros((table.shape[1], len(course.z)))
    whole[cells] = weights
    return Judged(table, kinds, best, whole, healthy, size)


def beside(
    before: "Judged", beliefs: Beliefs, model: CellModel, unseen: Array, course: Course
) -> Array:
    """(TERMS, N): what the answers become on another course of the mean cell, believing what the
    first look found; NaN where nothing was answered."""
    out = np.full((TERMS, len(before.kinds)), np.nan)
    cells = np.flatnonzero(np.isfinite(before.table[0]))
    if not len(cells):
        return out
    fits = _Fits(beliefs, model, unseen, course)
    inverse = _inverse(fits.doubt * before.size**2)
    for k in cells.tolist():
        prior: Array = np.minimum(before.healthy, beliefs.faulty) ** 2
        own = list(KINDS[before.kinds[k]])
        prior[own] = beliefs.faulty[own] ** 2
        answer, _ = fits.run(k, before.weights[k], prior, inverse, before.best[k])
        out[:, k] = answer[:TERMS] - before.best[k, :TERMS]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """table (2 TERMS + 1, N): answers, their sigmas, residual's root mean square (V). Behind it, of
    each cell: likeliest kind, answer under it (ALL,), weights of its rows; and of the pack: what
    healthy cells differ in (TERMS,), and how much their curves do."""

    table: Array
    kinds: NDArray[np.int64]
    best: Array
    weights: Array
    healthy: Array
    size: float


class _Fits:
    """The parts that all cells share."""

    def __init__(self, beliefs: Beliefs, model: CellModel, unseen: Array, course: Course) -> None:
        self.beliefs, self.model, self.unseen, self.course = beliefs, model, unseen, course
        z = course.z
        inside = course.use.any(1)
        low, high = (float(z[inside].min()), float(z[inside].max())) if inside.any() else (0.0, 1.0)
        self.knots = np.linspace(low, high + 1e-3, HALF)
        self.place, share = _placed(self.knots, z)
        factor = resistance_factor(model, np.clip(z, 0, 1), course.warm)
        size = np.abs(course.current)
        factor = factor / (float(size @ factor) / float(size.sum()) if size.any() else 1.0)
        self.rows = np.zeros((len(z), 10))
        warmth = (course.warm - 25.0) * _slope(model.docv_dt_v_per_k, z)
        shared = (course.hours, z, course.moved, course.current * factor, course.slow * factor)
        for i, column in enumerate((*shared, warmth, share)):
            self.rows[:, i] = column
        self.rows[:, 9] = _table(model.ocv_v, z)
        self.doubt = np.zeros((KNOTS, KNOTS))
        self.doubt[:HALF, :HALF] = matern(self.knots, beliefs.curve_v, beliefs.curve_length)
        self.doubt[HALF:, HALF:] = matern(self.knots, beliefs.slip, beliefs.curve_length)
        self.doubt += 1e-10 * np.eye(KNOTS)
        self.slope_doubt = matern(self.knots, beliefs.slope_share, 0.08)
        self.near = np.zeros((HALF, len(z)))
        self.near[self.place, np.arange(len(z))] = 1.0
        self.kinds = np.zeros((len(KINDS), TERMS), np.bool_)
        for j, kind in enumerate(KINDS):
            self.kinds[j, list(kind)] = True

    def _take(self, k: int) -> None:
        volts = self.course.difference[:, k]
        self.rows[:, 7] = np.where(np.isnan(volts), 0.0, volts)
        self.rows[:, 8] = self.course.taken[:, k]

    def run(
        self, k: int, weight: Array, variances: Array, inverse: Array, begin: Array
    ) -> tuple[Array, Array]:
        """Answer (ALL,) and residual (M,) of cell k."""
        self._take(k)
        precision = np.zeros((ALL, ALL))
        precision[np.arange(TERMS), np.arange(TERMS)] = 1 / variances
        precision[TERMS:, TERMS:] = inverse
        answer, covariance = begin.copy(), np.empty((ALL, ALL))
        residual = np.full(len(self.rows), np.nan)
        fit(
            self.rows,
            self.place,
            weight,
            self.model.ocv_v,
            self.model.capacity_ah,
            precision,
            answer,
            covariance,
            residual,
        )
        return answer, residual

    def all_free(self, cells: NDArray[np.int64]) -> tuple[Array, Array]:
        """Answers and residuals with everything free to be large and all rows alike."""
        inverse = _inverse(self.doubt)
        variance = self.beliefs.faulty**2
        answers, residuals = [], []
        for k in cells.tolist():
            weight = self.course.use[:, k] / (3 * FIRST_V**2)
            answer, residual = self.run(k, weight, variance, inverse, np.zeros(ALL))
            answers.append(answer)
            residuals.append(residual)
        return np.array(answers), np.array(residuals)

    def weights(self, residuals: Array) -> Array:
        """(cells, M): 1/variance of every row, from what all cells leave there."""
        known = np.isfinite(residuals)
        squares = np.where(known, residuals**2, np.nan)
        least = self.beliefs.noise_v**2
        whole = float(np.nanmedian(squares)) / 0.455
        if len(residuals) >= _SURE_CELLS:
            some = known.any(0)
            row = np.full(residuals.shape[1], whole)
            row[some] = np.nanmedian(squares[:, some], axis=0) / 0.455
            wide = np.convolve(np.pad(row, 3, mode="edge"), np.full(7, 1 / 7), "valid")
            row = np.maximum(wide, np.maximum(0.25 * whole, least))
        else:
            row = np.full(residuals.shape[1], max(float(np.nanmean(squares)), least))
        scaled = np.where(known, residuals, 0.0) / np.sqrt(row)
        alike = _correlation(scaled)
        own = np.maximum((scaled**2).sum(1) / np.maximum(known.sum(1), 1), 1.0)
        return np.where(known, 1 / (row * alike * own[:, None]), 0.0)

    def learnt(
        self, cells: NDArray[np.int64], answers: Array, weights: Array
    ) -> tuple[Array, float]:
        """What the cells of this pack differ in (TERMS,), and how much of what was believed their
        curves do: by expectation and maximisation, the oddest cells left out."""
        healthy, size = self.beliefs.healthy, 1.0
        if len(cells) < _SURE_CELLS:
            return healthy, size
        some = slice(None, None, -(-len(cells) // _MOST_LEARNT))
        cells, answers, weights = cells[some], answers[some], weights[some]
        alike = _inverse(self.doubt)
        normals, rights = np.empty((len(cells), ALL, ALL)), np.empty((len(cells), ALL))
        for i, k in enumerate(cells.tolist()):
            self._take(k)
            told(
                self.rows,
                self.place,
                weights[i],
                self.model.ocv_v,
                self.model.capacity_ah,
                answers[i],
                normals[i],
                rights[i],
            )
        seen = np.empty((len(cells), 2 * TERMS + 1))
        kept = max(len(cells) * 5 // 6, 1)
        for _ in range(_LEARNING):
            for i in range(len(cells)):
                expected(normals[i], rights[i], healthy, alike / size**2, alike, seen[i])
            middle = np.median(seen, axis=0)
            usual = np.hypot(1.4826 * middle[:TERMS], np.sqrt(middle[TERMS:-1]))
            least = _LEAST_SHARE * self.beliefs.healthy
            healthy = np.clip(healthy * (usual / healthy) ** _FASTER, least, self.beliefs.faulty)
            mean = float(np.sqrt(np.sort(seen[:, -1])[:kept].mean()))
            size = min(max(size * (mean / size) ** _FASTER, _LEAST_SHARE), 2.0)
        # What the oddest sixth of cells, left out above, takes from a mean square of few freedoms.
        return np.asarray(healthy, np.float64), 1.15 * size

    def cell(
        self, k: int, first: Array, healthy: Array, size: float, weight: Array, best: Array
    ) -> tuple[Array, int]:
        """(2 TERMS + 1,) of one cell and its likeliest kind, whose answer goes to best."""
        faulty = self.beliefs.faulty**2
        doubt = self.doubt * size**2
        doubt[HALF:, HALF:] += self._slope_error(first, k, weight)
        self._take(k)
        out = np.empty(2 * TERMS + 1)
        kind = weigh_kinds(
            self.rows,
            self.place,
            weight,
            self.model.ocv_v,
            self.model.capacity_ah,
            _inverse(doubt),
            np.minimum(healthy**2, faulty),
            faulty,
            self.kinds,
            best,
            out,
        )
        out[TERMS + OHMIC] += self._warmer() + (SPLIT * out[OHMIC]) ** 2
        out[TERMS:-1] = np.sqrt(out[TERMS:-1])
        return out, kind

    def _warmer(self) -> float:
        model = self.model
        warmer = 0.5 * model.activation_j_per_mol / GAS_J_PER_MOL_K * model.r0_ohm / 298.15**2
        return float(warmer**2)

    def _slope_error(self, answer: Array, k: int, weight: Array) -> Array:
        """What an error of the curve's slope does where this cell is apart from the mean one."""
        course = self.course
        leak = answer[LEAK] / self.model.capacity_ah
        apart = (
            answer[START]
            - course.moved * answer[INVERSE]
            - leak * course.hours
            - course.taken[:, k]
        )
        counts = (weight > 0).astype(np.float64)
        many = self.near @ counts
        mean = np.divide(self.near @ (counts * apart), many, out=np.zeros(HALF), where=many > 0)
        mean = np.interp(self.knots, self.knots[many > 0], mean[many > 0])
        # On its way from the mean cell's SOC to its own, where that may be beyond what was seen.
        way = self.knots + np.linspace(0, 1, _STEPS)[:, None] * mean
        slope = np.mean(_slope(self.model.ocv_v, way), 0)
        unseen = np.sqrt(np.mean(_table(self.unseen, way) ** 2, 0)) / np.maximum(slope, _LEAST_V)
        wide = mean * np.hypot(1, unseen / self.beliefs.slope_share)
        return np.asarray(np.outer(wide, wide) * self.slope_doubt, np.float64)


def _placed(knots: Array, z: Array) -> tuple[NDArray[np.int64], Array]:
    """Lower knot and share of the upper one of every z (M,)."""
    inside = np.clip(z, knots[0], knots[-1])
    low = np.clip(np.searchsorted(knots, inside, side="right") - 1, 0, len(knots) - 2)
    return low.astype(np.int64), (inside - knots[low]) / (knots[low + 1] - knots[low])


def _inverse(matrix: Array) -> Array:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _table(table: Array, z: Array) -> Array:
    """Linear over SOC 0..1, the ends' slopes beyond."""
    at = z * (len(table) - 1)
    k = np.clip(np.floor(at).astype(np.int64), 0, len(table) - 2)
    return np.asarray(table[k] + (table[k + 1] - table[k]) * (at - k), np.float64)


def _slope(table: Array, z: Array) -> Array:
    return (_table(table, z + 0.01) - _table(table, z - 0.01)) / 0.02


def _correlation(scaled: Array) -> float:
    """1 + 2 sum of the residuals' autocorrelation over all cells, up to where it ends: how many
    rows say what one independent one would."""
    power = float((scaled**2).sum())
    if power <= 0:
        return 1.0
    total = 1.0
    for lag in range(1, scaled.shape[1] // 3):
        rho = float((scaled[:, :-lag] * scaled[:, lag:]).sum()) / power
        if rho <= 0.05:
            break
        total += 2 * rho
    return total if math.isfinite(total) else 1.0
