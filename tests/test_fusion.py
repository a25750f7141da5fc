"""Which cell fails first: trends, ranges and honest silence on summaries of known truth."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from bms_studio import messages
from bms_studio.diagnosis.contract import MECHANISMS, Finding
from bms_studio.diagnosis.evidence import ohmic_only
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.first_passage import Mode, first_passage
from bms_studio.diagnosis.fusion import assess
from bms_studio.diagnosis.trend import Growth, began_anew, fit
from bms_studio.pack.health import Health

DAY = 86_400_000_000_000
N = 20
NMC = failure_limits("NMC")
Array = NDArray[np.float64]


def day(
    number: int,
    *,
    resistance: Array | None = None,
    capacity: Array | None = None,
    leak_a: Array | None = None,
    offset_v: Array | None = None,
    slow: Array | None = None,
    cells: int = N,
    serial: str = "",
    seed: int = 0,
) -> Health:
    """A day of a 5 Ah pack: 2 mohm ohmic, 0.5 mohm behind it, and honest scatter."""
    rng = np.random.default_rng([seed, number])
    none = np.zeros(cells)

    def seen(values: Array | None, sigma: float) -> Array:
        return (none if values is None else values) + sigma * rng.standard_normal(cells)

    more = seen(resistance, 0.004)
    ohmic = 0.002 * (1 + more)
    behind = 0.0005 * (1 + seen(more if slow is None else slow, 0.01))
    table = {
        "resistance_ohm": ohmic,
        "resistance_ohm_sigma": np.full(cells, 2e-5),
        "resistance_difference": ohmic / np.median(ohmic) - 1,
        "resistance_difference_sigma": np.full(cells, 0.01),
        "ten_second_ohm": ohmic + behind,
        "ten_second_ohm_sigma": np.full(cells, 3e-5),
        "capacity_difference": seen(capacity, 0.002),
        "capacity_difference_sigma": np.full(cells, 0.005),
        "leak_a": seen(leak_a, 1e-4),
        "leak_a_sigma": np.full(cells, 3e-4),
        "offset_v": seen(offset_v, 5e-4),
        "offset_v_sigma": np.full(cells, 1e-3),
        "imbalance": seen(None, 0.002),
        "imbalance_sigma": np.full(cells, 0.004),
    }
    begin = 19_000 * DAY + number * DAY
    pack = {"capacity_ah": 5.0, "cycles": 0.8, "throughput_ah": 8.0}
    return Health(begin + DAY - 1, begin, cells, table, pack, serial=serial, chemistry="NMC")


def one(cell: int, value: float, cells: int = N) -> Array:
    out = np.zeros(cells)
    out[cell - 1] = value
    return out


def growing(weeks: int, per_week: float = 0.03, cell: int = 7) -> list[Health]:
    return [day(7 * w, resistance=one(cell, 0.02 + per_week * w)) for w in range(weeks)]


def first(history: Sequence[Health], findings: Sequence[Finding] = ()) -> int:
    return next(r.cell for r in assess(history, findings, NMC) if r.rank == 1)


def test_without_a_visit_nothing_is_said() -> None:
    assert assess([], [], NMC) == ()


def test_a_healthy_pack_names_no_cell_but_ranks_every_one() -> None:
    for count in range(1, 6):
        risks = assess([day(7 * w, seed=count) for w in range(count)], [], NMC)
        assert {r.mechanism for r in risks} == {"none"}
        assert sorted(r.rank for r in risks) == list(range(1, N + 1))
        assert all(0 <= r.risk < 0.5 and not r.lead_time for r in risks)


@pytest.mark.parametrize(
    ("fault", "mechanism"),
    [
        ({"resistance": one(5, 0.2)}, "resistance"),
        ({"resistance": one(5, 0.2), "slow": np.zeros(N)}, "connection"),
        ({"capacity": one(5, -0.04)}, "capacity"),
        ({"leak_a": one(5, 0.003)}, "self-discharge"),
        ({"leak_a": one(5, 0.050)}, "internal-short"),
        ({"offset_v": one(5, -0.012)}, "sensor"),
    ],
)
def test_one_day_names_cell_and_mechanism_but_gives_no_probability_and_no_range(
    fault: dict[str, Array], mechanism: str
) -> None:
    risks = assess([day(0, **fault)], [], NMC)
    worst = risks[4]
    assert (worst.rank, worst.mechanism) == (1, mechanism)
    assert all(np.isnan(r.probability) and not r.lead_time for r in risks)
    assert worst.reason[0] == "risk.no_trend"
    assert worst.evidence
    assert worst.evidence[0]["start"] < worst.evidence[0]["end"]
    assert worst.rivals


def test_a_growing_resistance_gets_a_range_that_holds_the_truth() -> None:
    # 3 % a week from 2 %: 98 % are left after week 0, and the limit is +100 %.
    risks = assess(growing(9), [], NMC)
    worst = risks[6]
    assert worst.mechanism == "resistance"
    assert worst.rank == 1
    assert worst.probability > 0.8
    days = next(t for t in worst.lead_time if t.unit == "days")
    truth = (1.0 - 0.02) / 0.03 * 7 - 8 * 7
    assert days.p10 <= truth <= days.p90
    assert days.p10 < days.p50 < days.p90
    cycles = next(t for t in worst.lead_time if t.unit == "cycles")
    assert cycles.p50 == pytest.approx(0.8 * days.p50, rel=0.15)
    assert sum(r.probability for r in risks) == pytest.approx(1.0, abs=0.01)


def test_more_visits_make_the_range_narrower() -> None:
    spans = []
    for weeks in (5, 13):
        lead = assess(growing(weeks), [], NMC)[6].lead_time[0]
        spans.append(lead.p90 / lead.p10)
    assert spans[1] < spans[0]


def test_a_static_outlier_is_no_trend() -> None:
    risks = assess([day(7 * w, resistance=one(3, 0.3)) for w in range(9)], [], NMC)
    assert risks[2].rank == 1
    assert risks[2].mechanism == "resistance"
    assert risks[2].reason[0] == "risk.steady"
    assert not risks[2].lead_time


def test_a_cell_beyond_its_limit_gets_no_range_but_the_word() -> None:
    risks = assess([day(7 * w, leak_a=one(2, 0.03 + 0.002 * w)) for w in range(4)], [], NMC)
    assert risks[1].reason[0] == "risk.beyond_limit"
    assert risks[1].lead_time == ()
    assert risks[1].probability > 0.95


def test_a_replaced_cell_has_no_trend_and_no_evidence() -> None:
    history = growing(6, per_week=0.08) + [day(7 * w) for w in range(6, 9)]
    risks = assess(history, [], NMC)
    assert not any(r.lead_time for r in risks)
    assert risks[6].mechanism == "none"
    assert risks[6].reason[0] == "risk.replaced"


def test_two_cells_that_changed_places_make_no_trend() -> None:
    history = [day(7 * w, resistance=one(7, 0.4), leak_a=one(7, 0.004)) for w in range(5)]
    history += [day(7 * w, resistance=one(15, 0.4), leak_a=one(15, 0.004)) for w in range(5, 8)]
    risks = assess(history, [], NMC)
    assert not any(r.lead_time for r in risks)
    assert {r.cell for r in risks if r.reason[0] == "risk.swapped"} == {7, 15}
    assert risks[14].rank == 1


def test_visits_of_other_packs_are_left_out() -> None:
    other = [day(7 * w, resistance=one(2, 0.1 * w), serial="B") for w in range(8)]
    small = [day(7 * w, cells=12) for w in range(8)]
    mine = day(56, serial="A")
    risks = assess([*other, *small, mine], [], NMC)
    assert len(risks) == N
    assert all(np.isnan(r.probability) for r in risks)


def test_unknown_cells_say_what_to_measure() -> None:
    health = Health(DAY, 0, 3, {}, {}, needs={"leak_a": "need.hours_6"})
    risks = assess([health], [], NMC)
    assert [r.reason[0] for r in risks] == ["risk.not_enough_data"] * 3
    assert risks[0].remedy == ("need.hours_6", {})


def test_a_trend_whose_quantity_is_unknown_today_is_still_told() -> None:
    history = growing(8)
    blind = {n: v for n, v in history[-1].cells.items() if "resistance" not in n}
    blind = {n: v for n, v in blind.items() if "ten_second" not in n}
    newest = Health(history[-1].time, history[-1].start, N, blind, history[-1].pack)
    worst = assess([*history[:-1], newest], [], NMC)[6]
    assert len(assess([*history[:-1], newest], [], NMC)) == N
    assert worst.cell == 7


def test_a_finding_of_a_detector_names_its_cell() -> None:
    told = Finding("joint.9", 1, 0, 1, 9, "connection", "warn", "active", 6.0, "connection.loose")
    assert first([day(0)], [told]) == 9
    pending = Finding(
        "joint.9", 1, 0, 1, 9, "connection", "warn", "pending", 6.0, "connection.loose"
    )
    assert all(r.mechanism == "none" for r in assess([day(0)], [pending], NMC))


def test_the_same_history_gives_the_same_answer() -> None:
    assert assess(growing(6), [], NMC) == assess(growing(6), [], NMC)


def test_every_code_has_a_sentence() -> None:
    histories = [
        growing(9),
        [day(0, leak_a=one(2, 0.05))],
        [day(0, capacity=one(2, -0.06))],
        [day(0, offset_v=one(2, 0.02))],
        [Health(DAY, 0, 3)],
    ]
    for history in histories:
        for risk in assess(history, [], NMC):
            assert risk.mechanism in MECHANISMS
            for code, parameters in (risk.reason, risk.remedy, *risk.rivals):
                assert messages.render(code, parameters) != code


def test_four_hundred_cells_and_a_year_of_days_take_less_than_some_seconds() -> None:
    year = [day(d, cells=400) for d in range(0, 365, 3)]
    assess(year[:3], [], NMC)
    begin = time.process_time()
    assess(year, [], NMC)
    assert time.process_time() - begin < 5


def test_a_joint_is_told_from_a_cell_whatever_the_scan_s_timing_does() -> None:
    lag = np.linspace(-0.3, 0.1, N)
    smear = 0.8 * lag + 2.0 * lag**2
    for slow, sign in ((np.zeros(N), 1), (one(4, 0.25), -1)):
        health = day(0, resistance=one(4, 0.25), slow=slow + smear)
        health = Health(health.time, health.start, N, {**health.cells, "lag_s": lag}, health.pack)
        assert sign * ohmic_only(health)[3] > 2


def test_slow_resistance_decides_between_joint_and_cell_where_ten_seconds_do_not() -> None:
    # Half of the excess behind the ohmic part: nobody could say.
    health = day(0, resistance=one(4, 0.2), slow=one(4, 0.1))
    for slow, sign in ((0.0, 1), (0.18, -1)):
        cells = {
            **health.cells,
            "resistance_difference": one(4, 0.2),
            "slow_difference": one(4, slow),
            "slow_difference_sigma": np.full(N, 0.02),
        }
        told = Health(health.time, health.start, N, cells, health.pack)
        assert sign * (ohmic_only(told)[3] - ohmic_only(health)[3]) > 2


def test_slow_resistance_alone_decides_where_ten_seconds_say_nothing() -> None:
    health = day(0, resistance=one(4, 0.2))
    for slow, sign in ((0.0, 1), (0.18, -1)):
        cells = {
            **health.cells,
            # Scans too slow to tell the two apart: what lies behind the ohmic part is noise.
            "ten_second_ohm": health.values("resistance_ohm") - 1e-5,
            "slow_difference": one(4, slow),
            "slow_difference_sigma": np.full(N, 0.02),
        }
        told = Health(health.time, health.start, N, cells, health.pack)
        assert sign * ohmic_only(told)[3] > 2


def test_scatter_alone_is_rarely_a_trend() -> None:
    rng = np.random.default_rng(5)
    axis = np.arange(0.0, 63.0, 7.0)
    values = 0.01 * rng.standard_normal((len(axis), 2000))
    growth = Growth(0.0003, (1 / 600, 1 / 200, 1 / 60, 1 / 20))
    trend = fit(axis, values, np.full(values.shape, 0.01), growth)
    assert np.mean(trend.growing > 0.9) < 1e-3


def test_first_passage_knows_who_is_nearer() -> None:
    axis = np.arange(0.0, 63.0, 7.0)
    slopes = np.array([0.0, 0.002, 0.006])
    values = axis[:, None] * slopes
    growth = Growth(0.0003, (1 / 600, 1 / 200, 1 / 60, 1 / 20))
    trend = fit(axis, values, np.full(values.shape, 0.005), growth)
    passage = first_passage([Mode("resistance", trend, 1.0)], 3650.0)
    assert np.argmax(passage.first) == 2
    assert passage.quantiles[1, 2] == pytest.approx((1 - 0.006 * 56) / 0.006, rel=0.3)
    assert passage.quantiles[1, 2] < passage.quantiles[1, 1]


def test_a_swap_is_told_from_a_sudden_fault() -> None:
    sigma = np.full((1, 6, 8), 0.01)
    values = np.zeros((1, 6, 8))
    values[0, 3:, 2] = 0.5
    begins, swapped = began_anew(values, sigma)
    assert not begins.any()
    assert not swapped.any()
    values[0, :3, 5] = 0.5
    begins, swapped = began_anew(values, sigma)
    assert begins[[2, 5]].tolist() == [3, 3]
    assert np.flatnonzero(swapped).tolist() == [2, 5]


def test_limits_are_stated_per_chemistry_and_editable_by_name() -> None:
    assert failure_limits("LFP").life_cycles > failure_limits("NMC").life_cycles
    assert failure_limits("NMC", {"capacity_loss": 0.3}).capacity_loss == 0.3
    with pytest.raises(ValueError, match="'capacity' is no limit of failure"):
        failure_limits("NMC", {"capacity": 0.3})
    with pytest.raises(ValueError, match="above zero"):
        failure_limits("NMC", {"imbalance": 0.0})
