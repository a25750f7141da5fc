"""Alerts as people meet them, the joined rows behind them, change points, and the verdict."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bms_studio.diagnosis.alerts import AlertBook, Conditions
from bms_studio.diagnosis.contract import Finding
from bms_studio.diagnosis.moments import CURRENT, Joiner, Moments, Windows
from bms_studio.diagnosis.verdict import judge
from bms_studio.diagnosis.words import found, listed
from bms_studio.messages import render
from bms_studio.monitor import Monitor
from bms_studio.numerics.change_points import ShiftState, find_shifts, lorden_bound
from bms_studio.pack.limits import resolve_limits
from bms_studio.pack.profile import Limits
from tests.diagnosis_parts import START_NS, health, rows

SECOND = 1_000_000_000


def finding(
    code: str, cell: int, second: int = 0, severity: str = "watch", **extra: float
) -> Finding:
    time = START_NS + second * SECOND
    parameters = {"percent": 20.0, "days": 9.0, "value_v": 7.0, "millivolt": 60.0, **extra}
    return found(code, time, (time, time), cell, severity, 5.0, parameters)


def ended(one: Finding, second: int) -> Finding:
    return replace(one, time=START_NS + second * SECOND, state="resolved")


# -- alerts ----------------------------------------------------------------------------------------


def test_the_same_trouble_in_many_cells_at_once_is_one_alert() -> None:
    book = AlertBook()
    told = book.push([finding("sensor.implausible", n) for n in range(1, 13)], 20)
    assert len(told) == 1
    assert told[0].parameters["also"] == "2–12"
    assert "also cells 2–12" in render(told[0].code, told[0].parameters)
    assert sum(a.state == "active" for a in book.alerts.values()) == 1
    over = [ended(finding("sensor.implausible", n), 60) for n in range(1, 13)]
    assert [a.state for a in book.push(over, 20)] == ["resolved"]


def test_two_cells_of_their_own_keep_their_own_alerts() -> None:
    book = AlertBook()
    told = book.push([finding("resistance.high", 3), finding("resistance.high", 11)], 20)
    assert [a.cell for a in told] == [3, 11]


def test_what_another_alert_of_the_cell_explains_is_information() -> None:
    book = AlertBook()
    book.push([finding("sag.low", 7)], 20)
    assert book.alerts["sag.low.7"].severity == "watch"
    told = book.push([finding("resistance.growing", 7, 10, "warn")], 20)
    assert {(a.id, a.severity) for a in told} == {
        ("resistance.growing.7", "warn"),
        ("sag.low.7", "info"),
    }
    assert book.alerts["sag.low.7"].parameters["cause"] == "resistance.growing.7"
    book.push([ended(finding("resistance.growing", 7, 10, "warn"), 20)], 20)
    assert book.alerts["sag.low.7"].severity == "watch"


def test_an_acknowledged_alert_stays_so_until_it_ends_and_then_begins_anew() -> None:
    book = AlertBook()
    book.push([finding("resistance.high", 3)], 20)
    assert book.acknowledge("resistance.high.3") is not None
    book.push([finding("resistance.high", 3, 30, percent=40.0)], 20)
    assert book.alerts["resistance.high.3"].state == "acknowledged"
    book.push([ended(finding("resistance.high", 3), 60)], 20)
    assert book.acknowledge("resistance.high.3") is None
    book.push([finding("resistance.high", 3, 90)], 20)
    assert book.alerts["resistance.high.3"].state == "active"


def test_a_condition_ends_when_it_was_missing_twice_and_counts_its_returns() -> None:
    conditions = Conditions()
    one = finding("resistance.high", 3)
    assert [f.state for f in conditions.update(one.time, [one])] == ["active"]
    assert conditions.update(one.time, [one]) == []
    assert conditions.update(one.time, []) == []
    assert [f.state for f in conditions.update(one.time, [])] == ["resolved"]
    assert conditions.update(one.time, [one])[0].count == 2


def test_a_moment_is_over_after_a_day() -> None:
    book = AlertBook()
    book.push([finding("shift.step", 4)], 20)
    assert book.expire(START_NS + 3600 * SECOND) == []
    assert [a.state for a in book.expire(START_NS + 90_000 * SECOND)] == ["resolved"]


def test_numbers_are_listed_as_people_write_them() -> None:
    assert listed([1, 2, 3, 7, 12, 13]) == "1–3, 7, 12–13"
    assert listed([]) == ""


# -- rows joined -----------------------------------------------------------------------------------


def joined(block: Moments, size: int) -> list[Moments]:
    """The rows of a pack handed over group by group in blocks, and joined again."""
    joiner, parts = Joiner(), []
    for a in range(0, len(block), size):
        part = block[a : a + size]
        for kind, values in (
            ("pack", part.pack),
            ("probe", part.probes_degc),
            ("balancing", part.balancing),
            ("cell", part.cells_v),
        ):
            parts.append(joiner.push(kind, part.time, values))
    return [p for p in (*parts, joiner.flush()) if p is not None]


def stacked(parts: list[Moments], name: str) -> NDArray:
    return np.concatenate([getattr(part, name) for part in parts])


def test_joining_and_summing_up_do_not_depend_on_how_rows_are_cut() -> None:
    block = rows(20_000, 5, period_s=3.0)
    whole = joined(block, len(block))
    windows = Windows()
    sums = [w for w in map(windows.push, whole) if w is not None]
    for size in (1, 13, 500):
        parts = joined(block, size)
        again = Windows()
        other = [w for w in map(again.push, parts) if w is not None]
        for name in ("time", "cells_v", "pack", "probes_degc", "balancing", "median_v"):
            np.testing.assert_array_equal(stacked(parts, name), stacked(whole, name), name)
            np.testing.assert_array_equal(stacked(other, name), stacked(sums, name), name)


def test_a_scan_sees_only_what_was_known_then_and_not_too_old() -> None:
    joiner = Joiner()
    time = START_NS + np.arange(100, dtype=np.int64) * SECOND
    pack = np.full((10, 18), np.nan, np.float32)
    pack[:, CURRENT] = np.arange(10)
    joiner.push("pack", time[:10], pack)
    parts = [joiner.push("cell", time, np.full((100, 3), 3.7, np.float32)), joiner.flush()]
    current = np.concatenate([part.current_a for part in parts if part is not None])
    np.testing.assert_array_equal(current[:10], np.arange(10))
    assert current[12] == 9
    assert np.isnan(current[16:]).all()


# -- change points ---------------------------------------------------------------------------------


def test_a_millivolt_is_found_about_as_fast_as_theory_allows() -> None:
    rng = np.random.default_rng(4)
    count, cells, at = 700, 60, 400
    values = rng.normal(0, 0.0007, (count, cells))
    values[at:] += 0.001
    time = START_NS + np.arange(count, dtype=np.int64) * SECOND // 10
    level, current = np.full(count, 3.7, np.float32), np.zeros(count, np.float32)
    state = ShiftState(0.001, 1e8)
    calm = np.ones(count, np.bool_)
    steps = find_shifts(state, time, values.astype(np.float32), level, current, calm)
    late = [int(np.searchsorted(time, when)) - at for _, _, when, _, _ in steps]
    assert min(late) > 0
    assert len({column for column, *_ in steps}) >= 0.9 * cells
    assert np.mean(late) < 1.6 * lorden_bound(0.001, 0.0007, 1e8)


def test_a_ramp_and_a_load_are_no_large_steps() -> None:
    rng = np.random.default_rng(5)
    count = 4000
    time = START_NS + np.arange(count, dtype=np.int64) * SECOND // 10
    values = rng.normal(0, 0.0007, (count, 8)) + np.linspace(0, 0.008, count)[:, None]
    level, current = np.full(count, 3.7, np.float32), np.zeros(count, np.float32)
    calm = np.ones(count, np.bool_)
    found_in_ramp = find_shifts(
        ShiftState(0.001, 1e11), time, values.astype(np.float32), level, current, calm
    )
    # Noise may make a small step of a steep ramp (8 mV in seven minutes): never one that counts.
    assert len(found_in_ramp) <= 6
    assert all(abs(size) < 0.0015 for *_, size, _ in found_in_ramp)
    current[2000:] = 20.0
    values = rng.normal(0, 0.0007, (count, 8))
    values[2000:] -= 0.01
    state = ShiftState(0.001, 1e11)
    assert find_shifts(state, time, values.astype(np.float32), level, current, calm) == []


# -- the monitor and its verdict -------------------------------------------------------------------


def monitored(block: Moments, monitor: Monitor, size: int = 600) -> Monitor:
    for a in range(0, len(block), size):
        part = block[a : a + size]
        monitor.push("pack", part.time, part.pack)
        monitor.push("probe", part.time, part.probes_degc)
        monitor.push("balancing", part.time, part.balancing)
        monitor.push("cell", part.time, part.cells_v)
    monitor.flush()
    return monitor


def nmc() -> Monitor:
    return Monitor(resolve_limits(Limits(), "NMC"))


def test_a_healthy_pack_that_was_really_checked_is_ok_and_says_what_was_not() -> None:
    block = rows(6 * 3600, 8, period_s=1.0)
    monitor = monitored(block, nmc())
    reported = {"capacity_ah": 20.0, "soc": float(block.pack[-1, 2]), "soc_sigma": 0.01}
    assert monitor.judgement().verdict.code == "NOT_ENOUGH_DATA"
    monitor.evaluate(replace(health(0.25), pack=reported))
    verdict = monitor.judgement().verdict
    assert verdict.code == "OK"
    assert ("check.resistance", {}) in verdict.checked
    unknown = {"leak_a_sigma": np.full(8, np.nan), "imbalance_sigma": np.full(8, np.nan)}
    monitor.evaluate(replace(health(0.3, **unknown), pack=reported))
    verdict = monitor.judgement().verdict
    assert verdict.code == "NOT_ENOUGH_DATA"
    assert "check.self_discharge" in [code for code, _ in verdict.not_checked]
    assert verdict.next_action == ("action.rest_30_min", {})


def test_absurd_samples_raise_one_alert_and_no_false_limit() -> None:
    block = rows(3600, 8, period_s=1.0)
    for at in range(1000, 1200, 20):
        block.cells_v[at] = 1e30
        block.cells_v[at + 1] = -1e30
    monitor = monitored(block, nmc())
    alerts = [f for f in monitor.judgement().findings if f.severity != "info"]
    assert [(f.code, f.cell) for f in alerts] == [("sensor.implausible", 1)]
    assert alerts[0].parameters["also"] == "2–8"


def test_growth_over_visits_is_replaced_and_a_level_alone_is_watched() -> None:
    def grown(n: int) -> dict[str, NDArray]:
        made = health(2.0 * n)
        values = made.values("resistance_difference").copy()
        values[4] += 0.04 * n
        return {"resistance_difference": values}

    past = [health(2.0 * n, **grown(n)) for n in range(8)]
    monitor = nmc()
    monitor.push("cell", *_few())
    monitor.evaluate(past[-1])
    judgement = monitor.judgement()
    assert judgement.verdict.code == "WATCH"
    assert len(judgement.risks) == 8
    monitor = nmc()
    monitor.push("cell", *_few())
    monitor.history = past[:-1]
    monitor.evaluate(past[-1])
    verdict = monitor.judgement().verdict
    assert (verdict.code, verdict.headline[0]) == ("REPLACE", "resistance.growing")
    assert verdict.next_action == ("action.check_joints", {"cell": 5})


def test_a_visit_that_knows_less_ends_no_alert_and_one_that_knows_better_does() -> None:
    high = health(0.0).values("resistance_difference").copy()
    high[2] = 0.4
    monitor = nmc()
    monitor.evaluate(health(0.0, resistance_difference=high))
    vague = {"resistance_difference_sigma": np.full(8, np.nan)}
    for n in range(4):
        assert monitor.evaluate(health(1 + 0.1 * n, **vague)) == []
    told = [f for n in range(3) for f in monitor.evaluate(health(2 + 0.1 * n))]
    assert [(f.id, f.state) for f in told] == [("resistance.high.3", "resolved")]


def test_the_log_is_in_order_of_time_and_does_not_depend_on_the_blocks() -> None:
    block = rows(2 * 86_400, 8, period_s=5.0)
    block.cells_v[5000:5200, 3] = 1e30
    block.cells_v[9000:9100, 6] = block.cells_v[9000, 6]
    block.probes_degc[12_000:12_060, 1] += np.linspace(0, 12, 60, dtype=np.float32)
    logs = [monitored(block, nmc(), size).log for size in (360, 5000)]
    assert [repr(f) for f in logs[0]] == [repr(f) for f in logs[1]]
    times = [f.time for f in logs[0]]
    assert times == sorted(times)
    assert {"sensor.implausible", "thermal.fast_rise"} <= {f.code for f in logs[0]}


def _few() -> tuple[NDArray, NDArray]:
    block = rows(600, 8, period_s=1.0)
    return block.time, block.cells_v


@pytest.mark.parametrize(
    ("code", "severity", "word"),
    [
        ("internal-short.growing", "stop", "STOP"),
        ("capacity.shrinking", "warn", "REPLACE"),
        ("connection.erratic", "warn", "REPAIR"),
        ("sensor.offset", "watch", "WATCH"),
        ("exposure.hot", "info", "NOT_ENOUGH_DATA"),
    ],
)
def test_the_verdict_follows_the_stated_rules(code: str, severity: str, word: str) -> None:
    extra = {"milliampere": 3.0, "hours": 2.0, "limit_degc": 45.0, "degc": 50.0}
    alert = finding(code, 0 if code.startswith("exposure") else 3, 0, severity, **extra)
    assert judge([alert], (), True).code == word
    assert judge([replace(alert, state="resolved")], (), True).code == "NOT_ENOUGH_DATA"


def test_the_end_of_a_stream_tells_what_still_waits() -> None:
    monitor = Monitor(Limits(cell_voltage_max=4.2))
    volts = np.full((11, 4), 3.7, np.float32)
    volts[-1, 2] = 4.25
    time = START_NS + np.arange(11, dtype=np.int64) * SECOND
    assert not [f for f in monitor.push("cell", time, volts) if f.kind == "limits"]
    (waiting,) = [f for f in monitor.flush() if f.kind == "limits"]
    assert (waiting.state, waiting.cell) == ("pending", 3)
    assert waiting.parameters["value_v"] == pytest.approx(4.25, abs=1e-3)
    assert waiting in monitor.log
    assert monitor.judgement().verdict.code != "STOP"


def test_the_last_day_of_a_stream_counts() -> None:
    block = rows(8 * 86_400)
    volts = block.cells_v.copy()
    day = (block.time - block.time[0]) / (86_400 * SECOND)
    volts[:, 2] -= (0.004 * day).astype(np.float32)
    monitor = Monitor(Limits())
    monitor.push("pack", block.time, block.pack)
    found_before = {f.code for f in monitor.push("cell", block.time, volts)}
    assert "imbalance.drift" in found_before | {f.code for f in monitor.flush()}


def test_a_charge_off_and_a_rest_off_of_one_cell_are_one_alert() -> None:
    book = AlertBook()
    book.push([finding("imbalance.charge", 4)], 20)
    book.push([finding("imbalance.level", 4, 60)], 20)
    shown = {a.code: a.severity for a in book.alerts.values()}
    assert shown == {"imbalance.charge": "info", "imbalance.level": "watch"}


def test_limits_of_a_recognised_chemistry_are_used_one_step_less_severe_and_say_so() -> None:
    time = START_NS + np.arange(200, dtype=np.int64) * SECOND
    volts = np.full((200, 4), 3.7, np.float32)
    volts[150:, 2] = 4.25
    unknown, told_later = Monitor(Limits()), Monitor(Limits())
    from_the_start = Monitor(Limits(), recognised="NMC")
    stated = Monitor(resolve_limits(Limits(), "NMC"), recognised="NMC")
    for monitor in (unknown, told_later, from_the_start, stated):
        monitor.push("cell", time[:100], volts[:100])
        if monitor is told_later:
            monitor.evaluate(replace(health(0, 4), chemistry="NMC"))
        monitor.push("cell", time[100:], volts[100:])
    assert "check.cell_limits" not in unknown.checked
    assert not [f for f in unknown.judgement().findings if f.kind == "limits"]
    for monitor in (told_later, from_the_start):
        assert "check.cell_limits" in monitor.checked
        (alert,) = (f for f in monitor.judgement().findings if f.kind == "limits")
        assert (alert.cell, alert.severity) == (3, "warn")
        assert "usual for NMC, which the data speak for" in alert.text
        assert render(alert.code, alert.parameters) == alert.text
        assert monitor.judgement().verdict.code == "WATCH"
    (alert,) = (f for f in stated.judgement().findings if f.kind == "limits")
    assert (alert.severity, stated.judgement().verdict.code) == ("stop", "STOP")


def test_a_stated_limit_is_kept_where_the_chemistry_is_recognised() -> None:
    time = START_NS + np.arange(60, dtype=np.int64) * SECOND
    monitor = Monitor(Limits(cell_voltage_max=4.4), recognised="NMC")
    volts = np.full((60, 4), 4.3, np.float32)
    monitor.push("cell", time, volts)
    assert not [f for f in monitor.judgement().findings if f.kind == "limits"]
    volts[:, 1] = 2.0
    monitor.push("cell", time + 60 * SECOND, volts)
    assert [f.code for f in monitor.judgement().findings if f.kind == "limits"] == [
        "limits.cell_under_voltage"
    ]
