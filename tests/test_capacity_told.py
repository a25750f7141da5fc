"""Capacity of one day: what makes a cell stand out, and what a day that tells little may say."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks._capacity_bound import capacity_sigma, reach
from bms_studio.diagnosis.evidence import measures, score
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.fusion import assess
from bms_studio.estimators.difference import INVERSE, TERMS
from bms_studio.estimators.kinds import KINDS, Beliefs, Course, judged
from bms_studio.estimators.model import CellModel, cell_model
from bms_studio.pack.chemistry import load_chemistry
from bms_studio.pack.health import Health

Array = NDArray[np.float64]
NMC = failure_limits("NMC")
N = 20
DAY = 86_400_000_000_000


def _day(capacity: Array, sigma: float) -> Health:
    table = {
        "capacity_difference": capacity,
        "capacity_difference_sigma": np.full(len(capacity), sigma),
    }
    return Health(2 * DAY - 1, DAY, len(capacity), table, {"capacity_ah": 20.0}, chemistry="NMC")


def _scores(capacity: Array, sigma: float) -> Array:
    rows = {row.mechanism: row for row in measures(_day(capacity, sigma), NMC)}
    return score(rows["capacity"])


def _spread(seed: int, size: float) -> Array:
    return size * np.random.default_rng(seed).standard_normal(N)


@pytest.mark.parametrize("sigma", [0.004, 0.006, 0.009])
def test_a_cell_that_lost_four_percent_is_named_though_its_estimator_is_cautious(
    sigma: float,
) -> None:
    for seed in range(10):
        capacity = _spread(seed, 0.007)
        capacity[6] = -0.04
        mine = assess([_day(capacity, sigma)], [], NMC)[6]
        assert (mine.rank, mine.mechanism) == (1, "capacity")


def test_healthy_cells_are_rarely_named_for_capacity() -> None:
    named = sum(
        risk.mechanism != "none"
        for seed in range(100)
        for risk in assess([_day(_spread(seed, 0.009), 0.006)], [], NMC)
    )
    assert named <= 8  # of 2000 cells: 3 sigma, one-sided, is 0.13 %


def test_cells_that_differ_by_next_to_nothing_do_not_make_one_another_suspicious() -> None:
    capacity = _spread(1, 0.0005)
    capacity[3] = -0.01
    assert _scores(capacity, 0.002)[3] < 1.5


def test_days_whose_estimates_scatter_make_cells_stand_out_no_more_often_than_chance() -> None:
    packs = [np.max(_scores(_spread(seed, 0.02), 0.02)) for seed in range(60)]
    assert np.mean(np.array(packs) >= 3.0) < 0.15


def test_where_the_estimator_is_sure_the_scatter_of_several_odd_cells_hides_none() -> None:
    """Six of twenty cells lost 6 %: the others are still known to be alike."""
    capacity = np.where(np.arange(N) < 6, -0.06, 0.0) + _spread(3, 0.003)
    assert np.all(_scores(capacity, 0.004)[:6] > 3.0)


def _course(model: CellModel, low: float, loss: Array, start: Array) -> Course:
    """A ride down to `low` and back up, 600 rows, no current through any resistance."""
    z = np.concatenate([np.linspace(0.95, low, 300), np.linspace(low, 0.95, 300)])
    moved = 0.95 - z
    none = np.zeros(len(z))
    mean_v = np.interp(z, model.soc, model.ocv_v)
    own = z[:, None] + start - moved[:, None] * (1 / (1 - loss) - 1)
    volts = np.interp(own, model.soc, model.ocv_v)
    volts += 0.0003 * np.random.default_rng(5).standard_normal(volts.shape)
    return Course(
        np.linspace(0, 10, len(z)),
        z,
        moved,
        none,
        none,
        none + 25.0,
        mean_v,
        volts - mean_v[:, None],
        np.zeros(volts.shape),
        np.ones(volts.shape, np.bool_),
    )


def _beliefs(capacity_ah: float) -> Beliefs:
    units = np.array([1.0, 0.002, 0.002, 1.0, capacity_ah, 1.0])
    healthy = np.array([0.005, 0.05, 0.05, 0.008, 5e-5, 0.0015]) * units
    faulty = np.array([0.05, 0.5, 0.5, 0.05, 0.02, 0.010]) * units
    return Beliefs(healthy, faulty, 0.0015, 0.3, 0.003, 0.2, 0.0003)


def test_healthy_cells_are_told_well_and_a_small_one_is_not_pulled_to_them() -> None:
    model = cell_model(load_chemistry("NMC"), 20.0)
    loss = np.zeros(N)
    loss[4] = 0.04
    start = _spread(6, 0.004)
    known = np.zeros(len(model.soc))
    found = judged(_beliefs(20.0), model, known, _course(model, 0.3, loss, start))
    lost, sigma = found.table[INVERSE], found.table[TERMS + INVERSE]
    assert KINDS[found.kinds[4]] == (INVERSE,)
    assert lost[4] == pytest.approx(1 / 0.96 - 1, abs=3 * sigma[4])
    assert lost[4] > 0.03
    others = np.delete(np.arange(N), 4)
    assert np.all(np.abs(lost[others]) < 4 * sigma[others])
    assert np.median(sigma[others]) < 0.01


def test_the_bound_is_wider_where_a_day_says_less() -> None:
    shallow, deep = reach(np.full(5, 0.03), 0.04), reach(np.full(5, 0.002), 0.04)
    assert deep.auroc > 0.99 > 0.9 > shallow.auroc
    assert deep.top > shallow.top
    assert deep.named > shallow.named


def test_a_day_of_lfp_tells_less_of_capacity_than_one_of_nmc() -> None:
    nmc, lfp = (capacity_sigma(name, 1002, "commuter") for name in ("NMC", "LFP"))
    assert 0.001 < nmc < lfp < 0.05


def test_deep_rides_tell_more_of_it_than_shallow_ones() -> None:
    assert capacity_sigma("LFP", 1002, "delivery") < capacity_sigma("LFP", 1002, "commuter")
