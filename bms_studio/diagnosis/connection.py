"""Connections told apart from cells: a joint or busbar that adds resistance to a cell's reading.

Mechanism: a joint is metal: its resistance knows neither temperature nor charge, while a cell's
falls by half from 5 to 25 degC and rises when it is empty. A loose one also changes with vibration.
Evidence: steps between ten-second means give, per bin of temperature and voltage, the median cell's
resistance and what each cell has beyond it. That excess is tested against two straight lines: the
same in all bins (a joint), or in proportion to the median cell's (the cell). And a resistance of
`Health` that jumps between days by more than it can be wrong.
Always at most "warn" (REPAIR, not REPLACE); a joint that stands still is "watch".
Blind: weeks at one temperature and the same charge; `resistance` then says to check the joint.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bms_studio.diagnosis.alerts import Conditions
from bms_studio.diagnosis.contract import Finding, evidence
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.scoring import against_pack, visits
from bms_studio.diagnosis.words import found
from bms_studio.pack.health import Health

# Jumps of a resistance between days: a cell ages slowly, a loose joint comes and goes.
JUMP, JUMP_Z, JUMPS = 0.15, 4.0, 2
# Bins: 5 degC from -20 degC, 0.1 V from 2.5 V.
BINS_T, BINS_V, WIDTH_DEGC, WIDTH_V = 14, 20, 5.0, 0.1
LEAST_STEP_SHARE, LEAST_STEP_A = 0.05, 1.0
LEAST_STEPS = 60
# Busbars between modules are longer than others: a fifth of a cell's resistance is how packs are
# built. What was told is held down to this share of the thresholds.
JOINT_Z, JOINT_SHARE, TELL_APART, HELD = 6.0, 0.30, 12.0, 0.6
LEAST_RANGE = 0.25
LOOK_NS = 3_600_000_000_000
# In a bin per cell: sums of dI^2, dI*dd, dd^2; shared: dI*dV of the median, count.
_II, _ID, _DD = range(3)


def find(history: Sequence[Health], now: Health) -> list[Finding]:
    """Cells whose resistance comes and goes from day to day, as of `now`."""
    days = visits(history, now)
    if len(days) < JUMPS + 1:
        return []
    values = against_pack(days, "resistance_difference")
    sigma = np.array([day.sigma("resistance_difference") for day in days])
    steps = np.diff(values, axis=0)
    errors = np.hypot(np.hypot(sigma[1:], sigma[:-1]), 0.03)
    with np.errstate(invalid="ignore"):
        jumps = (np.abs(steps) >= JUMP) & (np.abs(steps) >= JUMP_Z * errors)
    out = []
    for k in range(now.count):
        at = np.flatnonzero(jumps[:, k])
        # There and back again: a fault that only grows is not erratic.
        if len(at) < JUMPS or np.ptp(np.sign(steps[at, k])) == 0:
            continue
        size = float(np.abs(steps[at, k]).max())
        worst = int(at[np.argmax(np.abs(steps[at, k]))])
        span = (days[int(at[0])].start, now.time)
        text = f"resistance {100 * size:.0f} % different from one day to the next"
        item = evidence("resistance_difference", size, errors[worst, k], 0.0, *span, text)
        score = size / float(errors[worst, k])
        parameters = {"percent": 100 * size, "other": k + 2}
        out.append(
            found("connection.erratic", now.time, span, k + 1, "warn", score, parameters, (item,))
        )
    return out


@njit(nogil=True, cache=True)
def _collect(
    cells: NDArray[np.float32],
    median: NDArray[np.float32],
    current: NDArray[np.float32],
    temperature: NDArray[np.float32],
    time: NDArray[np.int64],
    before: NDArray[np.float64],
    shared: NDArray[np.float64],
    bins: NDArray[np.float64],
    pack: NDArray[np.float64],
) -> None:
    """Differences between windows in a row. before: last deviations, then V, I; shared: last time
    s, peak of |I|."""
    for r in range(len(time)):
        now = time[r] * 1e-9
        a, v = current[r], median[r]
        step_a, step_v = a - before[-1], v - before[-2]
        near = now - shared[0] < 60.0
        shared[0] = now
        if not np.isnan(a):
            shared[1] = max(shared[1], abs(a))
        degc = 25.0 if np.isnan(temperature[r]) else temperature[r]
        i = int(min(max((degc + 20.0) / WIDTH_DEGC, 0), BINS_T - 1))
        j = 0 if np.isnan(v) else int(min(max((v - 2.5) / WIDTH_V, 0), BINS_V - 1))
        least = max(LEAST_STEP_A, LEAST_STEP_SHARE * shared[1])
        counts = near and abs(step_a) >= least and not np.isnan(step_v)
        if counts:
            pack[i, j, 0] += step_a * step_a
            pack[i, j, 1] -= step_a * step_v
            pack[i, j, 2] += 1
        for c in range(cells.shape[1]):
            d = cells[r, c] - v
            if counts and not np.isnan(d) and not np.isnan(before[c]):
                dd = d - before[c]
                bins[i, j, c, _II] += step_a * step_a
                bins[i, j, c, _ID] -= step_a * dd
                bins[i, j, c, _DD] += dd * dd
            before[c] = d
        before[-2], before[-1] = v, a


class JointWatch:
    """Sums up steps in moments of ten seconds as they come; looks once an hour of data."""

    def __init__(self) -> None:
        self._bins = np.zeros((BINS_T, BINS_V, 0, 3))
        self._pack = np.zeros((BINS_T, BINS_V, 3))
        self._before = np.full(2, np.nan)
        self._shared = np.zeros(2)
        self._hour = -1
        self._first = -1  # none yet: time may begin at 0
        self._conditions = Conditions()

    def push(self, block: Moments) -> list[Finding]:
        """What the hours that ended in these moments raised or resolved."""
        if block.cells_v.shape[1] < 3 or not len(block):
            return []
        self._widen(block.cells_v.shape[1])
        self._first = self._first if self._first >= 0 else int(block.time[0])
        hours = block.time // LOOK_NS
        edges = [0, *(np.flatnonzero(np.diff(hours)) + 1).tolist(), len(block)]
        out = []
        for a, b in itertools.pairwise(edges):
            if self._hour >= 0 and int(hours[a]) != self._hour:
                time = int(block.time[a])
                out += self._conditions.update(time, self._look(time))
            self._hour = int(hours[a])
            self._add(block[a:b])
        return out

    def flush(self) -> list[Finding]:
        """What the hour that the stream ended in raised or resolved."""
        time = int(self._shared[0] * 1e9)
        return self._conditions.update(time, self._look(time)) if self._hour >= 0 else []

    def _add(self, part: Moments) -> None:
        probes = part.probes_degc
        temperature = np.full(len(part), np.nan, np.float32)
        if probes.shape[1]:
            known = (probes > -45) & (probes < 150)
            total = np.where(known, probes, 0).sum(axis=1)
            some = known.any(axis=1)
            temperature[some] = total[some] / known[some].sum(axis=1)
        _collect(
            part.cells_v,
            part.median_v,
            np.ascontiguousarray(part.current_a),
            temperature,
            part.time,
            self._before,
            self._shared,
            self._bins,
            self._pack,
        )

    def _widen(self, cells: int) -> None:
        more = cells - self._bins.shape[2]
        if more > 0:
            self._bins = np.pad(self._bins, ((0, 0), (0, 0), (0, more), (0, 0)))
            known, last = self._before[:-2], self._before[-2:]
            self._before = np.concatenate([known, np.full(more, np.nan), last])

    def _look(self, time: int) -> list[Finding]:
        """Joints that the sums so far tell apart from cells."""
        used = self._pack[..., 2] >= LEAST_STEPS
        if np.count_nonzero(used) < 2:
            return []
        usual = self._pack[used][:, 1] / self._pack[used][:, 0]
        good = usual > 0
        if np.count_nonzero(good) < 2 or usual[good].max() < (1 + LEAST_RANGE) * usual[good].min():
            return []
        usual = usual[good]
        sums = self._bins[used][good]
        weight = sums[..., _II]
        with np.errstate(invalid="ignore", divide="ignore"):
            excess = sums[..., _ID] / weight
            rest = sums[..., _DD] / weight - excess**2
            steps = self._pack[used][good][:, 2, None]
            sigma = np.sqrt(np.maximum(rest, 1e-12) / np.maximum(steps - 1, 1))
        sigma = np.hypot(sigma, 0.01 * usual[:, None])
        return [
            finding
            for k in range(excess.shape[1])
            if (finding := self._judge(time, k, usual, excess[:, k], sigma[:, k])) is not None
        ]

    def _judge(
        self,
        time: int,
        k: int,
        usual: NDArray[np.float64],
        excess: NDArray[np.float64],
        sigma: NDArray[np.float64],
    ) -> Finding | None:
        """The same in all bins, or in proportion? excess, sigma per bin (ohm)."""
        known = np.isfinite(excess) & (sigma > 0)
        if np.count_nonzero(known) < 2:
            return None
        x, y, w = usual[known], excess[known], 1 / sigma[known] ** 2
        constant = float((w @ y) / w.sum())
        share = float((w * x) @ y / (w @ (x * x)))
        as_joint = float(w @ (y - constant) ** 2)
        as_cell = float(w @ (y - share * x) ** 2)
        constant_sigma = float(1 / np.sqrt(w.sum()))
        least = HELD if self._conditions.holds(f"connection.joint.{k + 1}") else 1.0
        large = constant >= least * JOINT_SHARE * float(np.median(x))
        sure = constant >= least * JOINT_Z * constant_sigma
        if not (large and sure and as_cell - as_joint >= least * TELL_APART):
            return None
        span = (self._first, time)
        text = (
            f"{1e3 * constant:.2f} mohm more, whether the median cell has {1e3 * x.min():.2f} or "
            f"{1e3 * x.max():.2f} mohm"
        )
        item = evidence("joint_ohm", constant, constant_sigma, 0.0, *span, text)
        parameters = {"milliohm": 1e3 * constant}
        score = constant / constant_sigma
        return found("connection.joint", time, span, k + 1, "watch", score, parameters, (item,))
