"""What a stranger is told: of coarse readings, uncertain offsets, a leak within one day."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bms_studio.diagnosis import self_discharge
from bms_studio.diagnosis.contract import CellRisk, evidence
from bms_studio.diagnosis.evidence import found_scores, offsets, score
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.fusion import assess
from bms_studio.diagnosis.moments import CURRENT, Moments
from bms_studio.diagnosis.sensors import SensorWatch
from bms_studio.diagnosis.shifts import ShiftWatch
from bms_studio.diagnosis.verdict import judge, stands_out
from bms_studio.diagnosis.words import action_of, found
from bms_studio.gui.risk_words import beyond_words
from bms_studio.messages import render
from bms_studio.numerics.resolution import Resolution
from bms_studio.pack.health import Health
from tests.diagnosis_parts import START_NS, changed, health, rows

HOUR_NS = 3_600_000_000_000


def in_steps(block: Moments, step_v: float) -> Moments:
    rng = np.random.default_rng(3)
    volts = block.cells_v + rng.normal(0, 0.0008, block.cells_v.shape)
    return changed(block, cells_v=(np.round(volts / step_v) * step_v).astype(np.float32))


@pytest.mark.parametrize("step_v", [0.001, 0.005, 0.010])
def test_a_healthy_pack_with_coarse_readings_raises_nothing(step_v: float) -> None:
    block = in_steps(rows(86_400, cells=13, period_s=1.0), step_v)
    found = [f for watch in (ShiftWatch(), SensorWatch()) for f in watch.push(block)]
    assert [f.text for f in found if f.severity != "info"] == []


def test_coarse_readings_still_show_a_cell_that_stepped_by_two_of_them() -> None:
    still = np.full((2000, 8), 3.70)
    still[1000:, 2] -= 0.02
    block = rows(2000, period_s=1.0)
    still[5, 4] += 0.01  # what a step is shows before
    pack = block.pack.copy()
    pack[:, CURRENT] = 0.0
    quiet = changed(block, cells_v=still.astype(np.float32), pack=pack)
    assert {f.cell for f in ShiftWatch().push(quiet)} == {3}


def test_the_resolution_is_the_smallest_step_seen_so_far_however_the_rows_are_cut() -> None:
    table = [[3.70, 3.71], [3.70, np.nan], [3.72, 3.71], [3.73, 3.71], [3.7301, 3.71]]
    values = np.array(table, np.float32)
    whole = Resolution().push(values)
    assert whole == pytest.approx([0, 0, 0.02, 0.01, 0.0001], abs=1e-6)
    parts = Resolution()
    assert np.concatenate([parts.push(values[i : i + 1]) for i in range(5)]) == pytest.approx(whole)


def test_an_offset_counts_by_what_is_known_of_it_not_by_how_alike_the_others_are() -> None:
    limits = failure_limits("NCA")
    value, sigma = np.full(13, -0.0003), np.full(13, 0.0012)
    value[4], sigma[4] = 0.0081, 0.0024
    vague = Health(1, 0, 13, {"offset_v": value, "offset_v_sigma": sigma}, {})
    assert score(offsets(vague, limits))[4] < 3.25
    sigma = np.where(np.arange(13) == 4, 0.0014, sigma)
    sure = Health(1, 0, 13, {"offset_v": value, "offset_v_sigma": sigma}, {})
    assert score(offsets(sure, limits))[4] > 3.25


def leaking(hours: float, leak_a: float, sigma: float, cell: int = 3) -> Health:
    """An evaluation `hours` after the visit began: 20 Ah, one cell leaks."""
    value = np.zeros(8)
    value[cell] = leak_a
    given: dict[str, NDArray[np.float64]] = {"leak_a": value, "leak_a_sigma": np.full(8, sigma)}
    made = health(0.0)
    made = replace(made, cells={**made.cells, **given})
    return replace(made, start=START_NS, time=START_NS + int(hours * HOUR_NS))


def told(earlier: list[Health], now: Health) -> dict[int, str]:
    return {f.cell: f.severity for f in self_discharge.find(earlier, now)}


def test_a_strong_leak_seen_twice_within_a_day_is_a_warning_and_once_something_to_watch() -> None:
    now = leaking(22, 0.16, 0.003)
    assert told([], now) == {4: "watch"}
    assert told([leaking(11, 0.15, 0.008)], now) == {4: "warn"}
    # Told too early, or contradicted by what was learned since: once.
    assert told([leaking(4, 0.15, 0.008)], now) == {4: "watch"}
    assert told([leaking(11, 0.02, 0.0035)], now) == {4: "watch"}
    # The earlier one knew as much already: nothing new was learned.
    assert told([leaking(11, 0.16, 0.003)], now) == {4: "watch"}


def test_a_midnight_between_two_evaluations_makes_no_second_day_of_them() -> None:
    night = leaking(25, 0.03, 0.001)
    assert told([leaking(23.5, 0.03, 0.001)], night) == {4: "watch"}
    assert told([leaking(23.5, 0.03, 0.001)], leaking(40, 0.03, 0.0005)) == {4: "warn"}


def test_a_moderate_leak_is_no_warning_within_a_day_however_sure_it_is() -> None:
    assert told([leaking(11, 0.03, 0.001)], leaking(22, 0.03, 0.0005)) == {4: "watch"}


def test_a_loose_wire_ranks_one_cell_not_both() -> None:
    span = (0, 1)
    wire = replace(
        found("sensor.offset", 1, span, 6, "watch", 5.0, {"millivolt": 1.0}),
        id="dips.sense_wire.6",
        code="dips.sense_wire",
        kind="dip",
        parameters={"cell": 6, "other": 7},
    )
    far = replace(wire, id="dips.one_cell.7", code="dips.one_cell", cell=7, parameters={"cell": 7})
    assert np.flatnonzero(found_scores([wire, far], 10)["connection"]).tolist() == [5]
    assert np.flatnonzero(found_scores([far], 10)["connection"]).tolist() == [6]


def test_without_limits_the_next_step_is_to_name_the_chemistry() -> None:
    checked = ("check.sensors", "check.dips")
    known = {
        name: np.zeros(8) for name in ("resistance_difference", "imbalance", "capacity_difference")
    }
    known |= {f"{name}_sigma": np.full(8, 0.01) for name in known}
    now = health(0.0)
    now = replace(now, cells={**now.cells, **known})
    verdict = judge([], checked, True, now)
    assert verdict.next_action == ("action.name_chemistry", {})


def test_the_verdict_never_says_ok_beside_a_cell_that_is_named_first_to_fail() -> None:
    checked = ("check.cell_limits", "check.sensors")
    known = {name: np.zeros(8) for name in ("resistance_difference", "imbalance")}
    known |= {f"{name}_sigma": np.full(8, 0.01) for name in known}
    now = health(0.0)
    now = replace(now, cells={**now.cells, **known})
    named = CellRisk(3, 0.86, 1, "capacity", remedy=("remedy.measure_again", {"days": 7}))
    assert judge([], checked, True, now).code == "OK"
    verdict = judge([], checked, True, now, risks=[named])
    assert (verdict.code, verdict.headline) == ("WATCH", ("verdict.named", {"cell": 3}))
    faint = replace(named, risk=0.3)
    verdict = judge([], checked, True, now, risks=[faint])
    assert (verdict.code, verdict.headline) == ("OK", ("verdict.ok_unsure", {"cell": 3}))
    assert not stands_out(faint, [])
    small = found("capacity.low", 1, (0, 1), 3, "watch", 4.0, {"percent": 3.0})
    assert stands_out(faint, [small])
    assert not stands_out(faint, [replace(small, state="resolved")])
    assert not stands_out(faint, [replace(small, cell=4)])


def test_limits_that_nobody_knows_are_not_called_kept_and_a_word_is_asked_before_a_ride() -> None:
    unknown = judge([], ("check.sensors",), True)
    assert unknown.headline[0] == "verdict.limits_unknown"
    assert unknown.next_action == ("action.name_chemistry", {})
    known = judge([], ("check.sensors", "check.cell_limits"), True)
    assert known.headline[0] == "verdict.limits_ok"
    assert known.next_action == ("action.load_steps", {})


def test_the_verdict_has_the_figures_of_first_to_fail_and_not_older_ones() -> None:
    def shown(quantity: str, value: float, sigma: float, reference: float) -> CellRisk:
        item = evidence(quantity, value, sigma, reference, 0, 1, "")
        mechanism = "capacity" if quantity == "capacity_difference" else "connection"
        return CellRisk(3, 0.9, 1, mechanism, evidence=(item,))

    joint = shown("ten_second_ohm", 4.83e-3, 1e-4, 3e-3)
    high = found("resistance.high", 1, (0, 1), 3, "watch", 9.0, {"percent": 70.0})
    said = judge([high], (), True, risks=[joint])
    assert said.headline[0] == "verdict.joint_10"
    ohmic = shown("resistance_ohm", 4.83e-3, 1e-4, 3e-3)
    assert judge([high], (), True, risks=[ohmic]).headline[0] == "verdict.joint"
    assert "61 %" in render(*said.headline)
    assert said.next_action == action_of(high)
    assert "61 " in beyond_words(joint.evidence[0])
    low = found("capacity.low", 1, (0, 1), 3, "watch", 9.0, {"percent": 4.0})
    newer = shown("capacity_difference", -0.0432, 0.005, 0.0)
    assert "4.3 %" in render(*judge([low], (), True, risks=[newer]).headline)
    # What is too faint for a figure, and another cell's, leave the alert as it was told.
    vague = shown("ten_second_ohm", 3.1e-3, 1e-4, 3e-3)
    for other in (vague, replace(joint, cell=4)):
        assert judge([high], (), True, risks=[other]).headline == (high.code, high.parameters)


def test_what_is_computed_from_a_reading_that_stands_still_is_not_the_cell_s() -> None:
    leak = leaking(22, 0.16, 0.003)
    stuck = found("sensor.stuck", 1, (0, 1), 4, "watch", 6.0, {})
    limits = failure_limits("NMC")
    assert assess([leak], [], limits)[3].mechanism == "internal-short"
    told_of_it = assess([leak], [stuck], limits)[3]
    assert (told_of_it.mechanism, told_of_it.rank) == ("sensor", 1)


def test_a_named_cell_is_never_ranked_behind_one_that_is_not() -> None:
    now = health(0.0)
    sag = found("sag.emptier", 1, (0, 1), 2, "watch", 6.0, {"millivolt": 90.0})
    warm = found("thermal.cooling", 1, (0, 1), 6, "watch", 4.0, {"kelvin": 1.0})
    risks = assess([now], [sag, warm], failure_limits("NMC"))
    assert (risks[5].mechanism, risks[5].rank) == ("thermal", 1)
    assert risks[5].risk >= max(r.risk for r in risks)
