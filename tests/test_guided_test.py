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


def run(test: GuidedTest, currents: list[tuple[float, float]], from_s: float = 0.0) -> Guidance:
    """Seconds and amperes, one after another, five looks a second."""
    at, last = from_s, test.update(seen(from_s, currents[0][1]))
    for seconds, current in currents:
        for _ in range(round(seconds * 5)):
            at += 0.2
            last = test.update(seen(at, current))
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


def test_four_pulls_complete_the_check_on_the_wheel() -> None:
    test = GuidedTest(PLANS[WHEEL])
    before = run(test, [(61, 0.0), *[(11, 20.0), (21, 0.0)] * 3])
    assert not before.done
    assert dict(before.meters)["resistance_ohm"] == pytest.approx(0.75, abs=0.05)
    after = run(test, [(11, 20.0), (62, 0.0)], from_s=61 + 96)
    assert after.done
    assert after.code == "guide.done"
    assert after.left_s == 0
    assert all(share == 1 for _, share in after.meters)


def test_it_ends_early_when_the_analysis_has_enough() -> None:
    test = GuidedTest(PLANS[CHARGER])
    enough = dict.fromkeys(PLANS[CHARGER].decides, 1.0)
    assert test.update(seen(0, 0.0, progress=enough)).done
    some = {**enough, "resistance_ohm": 0.4}
    half = GuidedTest(PLANS[CHARGER]).update(seen(0, 0.0, progress=some))
    assert not half.done
    assert dict(half.meters)["resistance_ohm"] == 0.4


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
