"""Limits, dips, plausibility, extremes, sign, state of use and identity, on arrays."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bms_studio.diagnosis.dips import DipWatch
from bms_studio.diagnosis.extremes import ExtremeDeviation
from bms_studio.diagnosis.limits import LimitRule, LimitWatch
from bms_studio.diagnosis.plausibility import RangeWatch, SumWatch
from bms_studio.monitor import Monitor
from bms_studio.pack.identity import Fingerprint, same_pack
from bms_studio.pack.limits import resolve_limits
from bms_studio.pack.profile import Limits, ProfileError, parse_profile
from bms_studio.pack.sign import SignCheck
from bms_studio.pack.state import StateOfUse
from protocols.roles import PACK_FIELDS

MS = 1_000_000
RNG = np.random.default_rng(7)


def scans(rows: int, cells: int = 10, period_ms: int = 10) -> tuple[NDArray, NDArray]:
    time = 1_000_000 * MS + np.arange(rows, dtype=np.int64) * period_ms * MS
    noise = np.round(RNG.normal(0, 0.0007, (rows, cells)), 3)
    return time, (3.6 + noise).astype(np.float32)


def high_watch() -> LimitWatch:
    return LimitWatch(LimitRule("limits.cell_over_voltage", "cell", "v", 4.2, 0.01, True, "stop"))


def test_a_short_excursion_raises_nothing_and_a_long_one_raises_once_and_resolves() -> None:
    time, rows = scans(2000)
    rows[100:120, 3] = 4.3
    rows[500:700, 4] = 4.25
    found = high_watch().push(time, rows)
    assert [(f.cell, f.state) for f in found] == [(5, "active"), (5, "resolved")]
    assert found[0].parameters["value_v"] == pytest.approx(4.25, abs=1e-4)
    assert found[0].start == time[500]


def test_limits_do_not_depend_on_how_the_stream_is_cut() -> None:
    time, rows = scans(3000)
    rows[500:1200, 1] = 4.22
    rows[1500:2500, 7] = 4.21
    whole = high_watch().push(time, rows)
    watch, parts = high_watch(), []
    for start in range(0, 3000, 37):
        parts += watch.push(time[start : start + 37], rows[start : start + 37])
    assert [(f.id, f.state, f.start) for f in parts] == [(f.id, f.state, f.start) for f in whole]


def test_unknown_values_neither_raise_nor_clear() -> None:
    time, rows = scans(1000)
    rows[:, 2] = np.nan
    rows[300:, 5] = 4.3
    rows[400:, 5] = np.nan
    found = high_watch().push(time, rows)
    assert [(f.cell, f.state) for f in found] == [(6, "active")]


def find_dips(time: NDArray, rows: NDArray, block: int = 64) -> list[tuple[str, int]]:
    watch, found = DipWatch(), []
    for start in range(0, len(time), block):
        part = rows[start : start + block]
        found += watch.push(time[start : start + block], part, np.median(part, axis=1))
    return [(f.code, f.cell) for f in found]


def test_a_dip_of_one_cell_is_named() -> None:
    time, rows = scans(1000)
    rows[600:603, 6] -= 0.04
    assert find_dips(time, rows) == [("dips.one_cell", 7)]


def test_two_neighbours_in_opposite_directions_are_the_sense_wire_between_them() -> None:
    time, rows = scans(1000)
    rows[600:603, 6] -= 0.04
    rows[600:603, 7] += 0.04
    assert find_dips(time, rows) == [("dips.sense_wire", 7)]


def test_a_load_step_with_a_weak_cell_is_no_dip() -> None:
    time, rows = scans(3000)
    for start in range(500, 2500, 400):
        rows[start : start + 30] -= 0.15
        rows[start : start + 30, 4] -= 0.045
    assert find_dips(time, rows) == []


def test_a_static_offset_and_noise_are_no_dips() -> None:
    time, rows = scans(20_000)
    rows[:, 2] -= 0.05
    assert find_dips(time, rows) == []


def test_a_lasting_change_is_no_dip() -> None:
    time, rows = scans(2000)
    rows[800:, 3] -= 0.05
    assert find_dips(time, rows) == []


def test_the_extreme_deviation_keeps_its_moment() -> None:
    time, rows = scans(500)
    rows[123, 4] -= 0.03
    kept = ExtremeDeviation()
    for start in range(0, 500, 50):
        part = rows[start : start + 50]
        kept.push(time[start : start + 50], part, np.median(part, axis=1))
    assert kept.time[4] == time[123]
    assert kept.deviation_v[4] == pytest.approx(-0.03, abs=0.003)


def test_cells_that_do_not_add_up_are_reported_after_a_while_and_resolved() -> None:
    watch, cells = SumWatch(), np.full(10, 3.6)
    found = [f for s in range(10) for f in watch.push(s * 10**9, cells, 36.0 if s < 2 else 40.0)]
    assert [f.state for f in found] == ["active"]
    assert watch.push(11 * 10**9, cells, 36.1)[0].state == "resolved"
    cells[3] = np.nan
    assert watch.push(20 * 10**9, cells, 50.0) == []


def test_a_voltage_that_no_cell_can_have_is_reported_once() -> None:
    time, rows = scans(1000, period_ms=200_000)
    rows[40:60, 2] = 6.5
    rows[70, 5] = 0.0
    found = RangeWatch().push(time, rows)
    assert [(f.cell, f.state) for f in found] == [(3, "active"), (3, "resolved")]
    watch, parts = RangeWatch(), []
    for row in range(1000):
        parts += watch.push(time[row : row + 1], rows[row : row + 1])
    assert parts == found


def test_the_verdict_is_never_ok_from_limits_alone() -> None:
    monitor = Monitor(resolve_limits(Limits(), "NMC"))
    assert monitor.judgement().verdict.code == "NOT_ENOUGH_DATA"
    time, rows = scans(500)
    monitor.push("cell", time, rows)
    verdict = monitor.judgement().verdict
    assert verdict.code == "NOT_ENOUGH_DATA"
    assert ("check.cell_limits", {}) in verdict.checked
    rows[:, 3] = 4.4
    monitor.push("cell", time + 10**10, rows)
    assert monitor.judgement().verdict.code == "STOP"


def test_an_unknown_chemistry_gives_no_limits() -> None:
    assert resolve_limits(Limits(), "") == Limits()
    assert resolve_limits(Limits(cell_voltage_max=4.1), "NMC").cell_voltage_max == 4.1
    assert resolve_limits(Limits(), "LFP").cell_voltage_max == pytest.approx(3.65, abs=0.1)


def test_the_sign_of_the_current_is_judged_by_voltage_steps() -> None:
    current = np.repeat(np.tile([0.0, 30.0, -10.0], 20), 5).astype(np.float32)
    voltage = (72 - 0.03 * current + RNG.normal(0, 0.002, len(current))).astype(np.float32)
    for sign, word in ((1, "agrees"), (-1, "contradicts")):
        check = SignCheck()
        assert check.state == "unverified"
        check.push((sign * current).astype(np.float32), voltage)
        assert check.state == word
        assert check.sure == (word == "agrees")


def test_a_current_of_another_moment_agrees_but_is_not_sure() -> None:
    check = SignCheck()
    current = np.tile([0.0, 30.0], 100).astype(np.float32)
    against = np.arange(200) % 20 == 1
    check.push(current, np.where(against, 74, 72 - 0.03 * current).astype(np.float32))
    agree, spoke_against = check.counts
    assert 0.85 < agree / (agree + spoke_against) < 0.95
    assert check.state == "agrees"
    assert not check.sure


def test_regeneration_is_not_charging() -> None:
    use = StateOfUse()
    assert use.update(0, 30.0) == "ride"
    assert use.update(10**9, -8.0) == "ride"
    assert use.update(4 * 10**9, 20.0) == "ride"
    assert use.update(5 * 10**9, 0.0) == "rest"
    assert [use.update(s * 10**9, -12.0) for s in (10, 15, 20)][-1] == "charge"
    assert use.update(30 * 10**9, float("nan")) == "charge"


def test_packs_are_told_apart_by_serial_then_by_cells_then_by_pattern() -> None:
    pattern = 3.7 + RNG.normal(0, 0.006, 20)
    one = Fingerprint("", pattern)
    assert same_pack(one, Fingerprint("", pattern - 0.1 + RNG.normal(0, 0.0005, 20))) == "same"
    assert same_pack(one, Fingerprint("", pattern[:16])) == "other"
    assert same_pack(one, Fingerprint("", 3.7 + RNG.normal(0, 0.05, 20))) == "other"
    assert same_pack(one, Fingerprint("", np.full(20, np.nan))) == "doubt"
    assert same_pack(Fingerprint("A", pattern), Fingerprint("B", pattern)) == "other"
    assert same_pack(Fingerprint("A", pattern), Fingerprint("A", pattern + 1)) == "same"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[pack]\nname = ", "TOML"),
        ("[packs]\n", "no table"),
        ("[pack]\ncolour = 1\n", "no key colour"),
        ('[pack]\nchemistry = "lead"\n', "chemistry"),
        ('[protocol]\ncurrent_sign = "plus"\n', "current_sign"),
        ('[mapping]\n"A.b" = "cell.volts"\n', "is not a role"),
    ],
)
def test_a_wrong_profile_gets_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ProfileError, match=words):
        parse_profile(text, "pack.toml")


@pytest.mark.parametrize("rate_hz", [10, 50])
def test_scans_cut_by_load_and_charge_steps_are_no_dips(rate_hz: int) -> None:
    from bms_studio.derivation import Derivation
    from bms_studio.interpret import Request
    from bms_studio.simulator.rider import STORY
    from bms_studio.simulator.simulation import generate
    from bms_studio.timeline import Timeline

    derivation = Derivation(Request("scooter"), Timeline())
    for block in generate(95.0, 20, ("resistance:13",), rate_hz=rate_hz, plan=STORY):
        derivation.push(block)
    assert [(f.code, f.cell) for f in derivation.monitor.log] == []


def test_the_dips_of_an_intermittent_joint_are_found_at_a_kilohertz() -> None:
    from bms_studio.derivation import Derivation
    from bms_studio.interpret import Request
    from bms_studio.simulator.simulation import generate
    from bms_studio.timeline import Timeline

    derivation = Derivation(Request("scooter"), Timeline())
    for block in generate(30.0, 8, ("intermittent:5",), rate_hz=1000):
        derivation.push(block)
    found = {(f.code, f.cell) for f in derivation.monitor.log}
    assert ("dips.one_cell", 5) in found
    assert {cell for _, cell in found} == {5}


def interruptions(time: NDArray, rows: NDArray) -> list[str]:
    from bms_studio.diagnosis.interruptions import InterruptionWatch

    watch, found = InterruptionWatch(), []
    for start in range(0, len(time), 33):
        found += watch.push(time[start : start + 33], np.median(rows[start : start + 33], axis=1))
    return [f.code for f in found]


def test_a_short_dip_of_all_cells_is_load_and_a_lasting_one_is_none() -> None:
    time, rows = scans(3000)
    rows[1000:1020] -= 0.12
    assert interruptions(time, rows) == ["dips.load"]
    rows[1500:2500] -= 0.12
    assert interruptions(time, rows) == ["dips.load"]


def test_a_log_whose_time_begins_at_zero_misses_no_frames() -> None:
    time, rows = scans(400, period_ms=1000)
    assert interruptions(time - time[0], rows) == []


def test_missing_frames_are_the_link_whatever_the_scan_rate() -> None:
    for period_ms in (10, 100, 1000):
        time, rows = scans(400, period_ms=period_ms)
        kept = np.ones(400, bool)
        kept[200:220] = False
        assert interruptions(time[kept], rows[kept]) == ["dips.link"]
        assert interruptions(time, rows) == []


def test_weeks_between_two_visits_are_neither_the_link_nor_a_dip() -> None:
    time, rows = scans(400)
    time[200:] += 35 * 86_400_000_000_000
    rows[200:] -= 0.2
    assert interruptions(time, rows) == []


def test_without_pack_voltage_the_cells_tell_the_sign_of_the_current() -> None:
    time = np.arange(600, dtype=np.int64) * 1_000_000_000
    current = np.repeat(np.tile([0.0, 30.0], 30), 10).astype(np.float32)
    pack = np.full((600, len(PACK_FIELDS)), np.nan, np.float32)
    pack[:, [f.name for f in PACK_FIELDS].index("current")] = current
    cells = np.repeat((3.7 - 0.002 * current)[:, None], 4, axis=1).astype(np.float32)
    monitor = Monitor(Limits())
    for start in range(0, 600, 100):
        rows = slice(start, start + 100)
        monitor.push("pack", time[rows], pack[rows])
        monitor.push("cell", time[rows], cells[rows])
    monitor.flush()
    assert monitor.sign.state == "agrees"


def test_a_wire_that_slow_scans_see_at_one_of_its_cells_at_a_time_is_one_cause() -> None:
    time, rows = scans(6000)
    for n, at in enumerate(range(500, 5500, 400)):
        rows[at : at + 2, 5 if n % 2 else 6] -= 0.04
    found = find_dips(time, rows)
    # The first two of each cell may be anything; from then on it is their wire.
    assert [code for code, _ in found[:3]] == ["dips.one_cell"] * 3
    assert set(found[3:]) == {("dips.sense_wire", 6)}


def test_a_cell_that_dips_again_and_again_alone_stays_a_cell() -> None:
    time, rows = scans(6000)
    for at in range(500, 5500, 400):
        rows[at : at + 2, 6] -= 0.04
    assert set(find_dips(time, rows)) == {("dips.one_cell", 7)}


def dips_at(current_a: float, cell: int = 6, elsewhere_a: float = 30.0) -> list[tuple[str, int]]:
    """Codes of five dips of one cell at this current, after a time at another."""
    time, rows = scans(6000)
    current = np.full(6000, current_a, np.float32)
    current[:200] = elsewhere_a
    for at in range(500, 5500, 1000):
        rows[at : at + 3, cell] -= 0.04
    watch, found = DipWatch(), []
    for start in range(0, 6000, 64):
        part = slice(start, start + 64)
        median = np.median(rows[part], axis=1)
        found += watch.push(time[part], rows[part], median, current[part])
    return [(f.code, f.cell) for f in found]


def test_a_cell_that_dips_while_nothing_is_drawn_has_a_short_and_no_joint() -> None:
    assert set(dips_at(0.0)) == {("dips.short", 7)}
    assert set(dips_at(-12.0)) == {("dips.short", 7)}  # a joint would lift it on charge
    assert set(dips_at(20.0)) == {("dips.one_cell", 7)}
    assert set(dips_at(float("nan"), elsewhere_a=float("nan"))) == {("dips.one_cell", 7)}


def test_a_cell_that_dipped_twice_without_current_is_a_short_under_load_as_well() -> None:
    time, rows = scans(6000)
    current = np.where(np.arange(6000) < 3000, 0.0, 25.0).astype(np.float32)
    for at in (500, 1500, 2500, 3500, 4500):
        rows[at : at + 3, 6] -= 0.04
    found = DipWatch().push(time, rows, np.median(rows, axis=1), current)
    assert [f.code for f in found] == ["dips.short"] * 5
