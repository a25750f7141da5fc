"""The guided check follows what the pack does, warns before limits, and ends by itself."""

import math

import numpy as np
import pytest

from bms_studio.guided_test import (
    CHARGER,
    NOTHING,
    PLANS,
    WAYS,
    WHEEL,
    Guidance,
    GuidedTest,
    Seen,
    near_limit,
    state_of,
)
from bms_studio.messages import TEMPLATES
from bms_studio.pack.health import BY_NAME

CELLS = np.full(20, 3.7)
SECOND = 1_000_000_000


def seen(second: float, current_a: float, **more: object) -> Seen:
    return Seen(round(second * SECOND) + 1, current_a, CELLS, 30.0, 3.0, 4.2, **more)  # type: ignore[arg-type]


def run(
    test: GuidedTest, currents: list[tuple[float, float]], from_s: float = 0.0, **more: object
) -> Guidance:
    """Seconds and amperes, one after another, five looks a second."""
    at, last = from_s, test.update(seen(from_s, currents[0][1], **more))
    for seconds, current in currents:
        for _ in range(round(seconds * 5)):
            at += 0.2
            last = test.update(seen(at, current, **more))
    return last


@pytest.mark.parametrize("way", WAYS)
def test_every_way_says_what_it_decides_and_speaks_in_known_words(way: str) -> None:
    plan = PLANS[way]
    assert plan.decides
    assert not set(plan.decides) & set(plan.cannot)
    assert {*plan.decides, *plan.cannot} <= set(BY_NAME)
    assert all(step.code in TEMPLATES and step.seconds > 0 for step in plan.steps)
    assert plan.seconds <= 600


def test_the_clock_runs_only_while_the_pack_does_what_is_asked() -> None:
    test = GuidedTest(PLANS[WHEEL])
    resting = run(test, [(30, 0.0)])
    assert resting.doing
    assert 25 < resting.step_left_s < 35
    riding = run(test, [(60, 25.0)], from_s=30)
    assert riding.step == 0
    assert not riding.doing
    assert riding.step_left_s == pytest.approx(resting.step_left_s, abs=1.1)


KNOWN = frozenset({"resistance_ohm", "soc"})


def test_four_pulls_complete_the_check_on_the_wheel() -> None:
    test = GuidedTest(PLANS[WHEEL])
    before = run(test, [(61, 0.0), *[(11, 20.0), (21, 0.0)] * 3])
    assert not before.done
    assert dict(before.meters)["resistance_ohm"] == pytest.approx(0.75, abs=0.05)
    assert before.steps == len(PLANS[WHEEL].steps)
    after = run(test, [(11, 20.0), (62, 0.0)], from_s=61 + 96, known=KNOWN)
    assert after.done
    assert after.code == "guide.done"
    assert after.left_s == 0
    assert all(share == 1 for _, share in after.meters)


def test_it_ends_early_when_all_is_known_well_enough() -> None:
    test = GuidedTest(PLANS[CHARGER])
    rounds = [(60, 0.0), *[(11, -8.0), (11, 0.0)] * 9]
    assert not run(test, rounds, progress={"resistance_ohm": 1.0}).done
    after = run(test, [(11, -8.0), (11, 0.0)], from_s=60 + 9 * 22, known=KNOWN)
    assert after.done
    assert after.code == "guide.done"
    again = test.update(seen(900, -8.0))
    assert again == after  # once over it stays so


def test_what_is_missing_is_asked_for_again_and_named_at_the_end() -> None:
    test = GuidedTest(PLANS[CHARGER])
    little = {"soc": 1.0, "resistance_ohm": 0.3}
    first = [(61, 0.0), *[(11, -8.0), (11, 0.0)] * 12]
    going_on = run(test, [*first, (41, 0.0), (5, -8.0)], progress=little)
    assert not going_on.done
    assert going_on.steps == len(PLANS[CHARGER].steps) + 2
    for k in range(9):
        last = run(test, [(11, -8.0), (11, 0.0)], from_s=400 + 22 * k, progress=little)
    assert last.done
    assert (last.code, last.missing) == ("guide.done_partly", ("soc", "resistance_ohm"))
    assert dict(last.meters)["resistance_ohm"] == pytest.approx(0.3)


def test_a_meter_never_goes_back() -> None:
    test = GuidedTest(PLANS[WHEEL])
    high = run(test, [(30, 0.0)], progress={"resistance_ohm": 0.5})
    low = run(test, [(5, 0.0)], from_s=30, progress={"resistance_ohm": 0.1})
    assert dict(high.meters)["resistance_ohm"] == dict(low.meters)["resistance_ohm"] == 0.5


def test_what_this_pack_cannot_show_is_said_and_does_not_hold_up_the_rest() -> None:
    test = GuidedTest(PLANS[NOTHING])
    last = run(test, [(181, 0.0)], needs={"soc": "need.chemistry"})
    assert last.done
    assert last.blocked == (("soc", "need.chemistry"),)
    assert [name for name, _ in last.meters] == ["rest_voltage_v"]


def test_a_current_of_the_other_sign_is_pointed_out() -> None:
    test = GuidedTest(PLANS[WHEEL])
    turned = run(test, [(61, 0.0), (5, -20.0)])
    assert turned.warning == "guide.other_way"
    assert not turned.doing


def test_a_jump_of_the_clock_is_not_time_spent() -> None:
    test = GuidedTest(PLANS[NOTHING])
    test.update(seen(0, 0.0))
    late = test.update(seen(3600, 0.0))
    assert not late.done
    assert late.step_left_s > 170


@pytest.mark.parametrize(
    ("current", "state"),
    [(0.1, "rest"), (-0.1, "rest"), (1.0, ""), (20.0, "discharge"), (-8.0, "charge")],
)
def test_the_state_follows_the_size_of_the_pack(current: float, state: str) -> None:
    assert state_of(seen(0, current)) == state


def test_it_warns_before_a_limit_not_after() -> None:
    cells = CELLS.copy()
    assert near_limit(Seen(0, 0.0, cells, 30, 3.0, 4.2)) == ("", 0)
    cells[12] = 3.04
    assert near_limit(Seen(0, 5.0, cells, 30, 3.0, 4.2)) == ("guide.near_empty", 13)
    cells[12], cells[4] = 3.7, 4.16
    assert near_limit(Seen(0, -5.0, cells, 30, 3.0, 4.2)) == ("guide.near_full", 5)
    assert near_limit(Seen(0, 5.0, cells, 30, 3.0, 4.2)) == ("", 0)
    nothing = np.full(3, math.nan)
    assert near_limit(Seen(0, 0.0, nothing, 0, math.nan, math.nan)) == ("", 0)
    assert near_limit(Seen(0, -1.0, CELLS)) == ("", 0)
    assert near_limit(Seen(0, -5.0, CELLS, 30, 3.0, 4.2, coldest_degc=2.0)) == ("guide.cold", 2)
    assert near_limit(Seen(0, 5.0, CELLS, 30, 3.0, 4.2, coldest_degc=2.0)) == ("", 0)
    assert near_limit(Seen(0, 5.0, CELLS, 30, 3.0, 4.2, hottest_degc=56.4)) == ("guide.hot", 56)
