"""A cell that is cooled badly, told from one that makes more heat; and whose probe it is."""

import numpy as np
import pytest

from bms_studio.analysis.warmth import WarmthWindows, add_warmth, own_probes
from bms_studio.diagnosis import cooling
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.fusion import assess
from bms_studio.estimators.warmth import solve
from bms_studio.pack.health import Health
from bms_studio.pack.profile import Probe

CELLS, SECOND_NS = 8, 1_000_000_000
START_NS = 1_700_006_400 * SECOND_NS
HOT, BAD, WARM_PLACE = 2, 5, 6


def ridden(
    hours: float = 6.0, step_k: float = 0.1, cells: int = CELLS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Time, current and probes at 0.1 Hz: cell HOT makes 40 % more heat, BAD is cooled 40 % less,
    WARM_PLACE lies where it is 3 K warmer."""
    rng = np.random.default_rng(3)
    count = int(hours * 360)
    t = np.arange(count) * 10.0
    ride = (t / 3600) % 2 < 1.0
    current = np.where(ride, 20 + 15 * np.sin(t / 97.0), 0.0) + rng.normal(0, 0.2, count)
    more, cooled, place = np.ones(cells), np.ones(cells), np.zeros(cells)
    more[HOT], cooled[BAD], place[WARM_PLACE] = 1.4, 0.6, 3.0
    probes, rise = np.zeros((count, cells)), np.zeros(cells)
    for i in range(count):
        rise += 10.0 / 1200.0 * (more * current[i] ** 2 / 60.0 - cooled * rise)
        probes[i] = 24 + place + rise
    probes = np.round((probes + rng.normal(0, 0.05, probes.shape)) / step_k) * step_k
    return START_NS + np.round(t * 1e9).astype(np.int64), current, probes


def windows(hours: float = 6.0, step_k: float = 0.1, block: int = 10**9) -> dict[str, np.ndarray]:
    time, current, probes = ridden(hours, step_k)
    made = WarmthWindows()
    for a in range(0, len(time), block):
        made.push_current(time[a : a + block], current[a : a + block])
        made.push_probes(time[a : a + block], probes[a : a + block])
    return made.until(int(time[0]), int(time[-1]))


def excess(warm: dict[str, np.ndarray], expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = solve(
        warm["time_s"], warm["heat"], warm["probes_degc"], float(warm["step_k"][0]), expected
    )
    assert found is not None
    return found.excess, found.sigma


@pytest.mark.parametrize("step_k", [0.1, 1.0])
def test_less_cooling_is_told_from_more_heat_and_from_a_warm_place(step_k: float) -> None:
    expected = np.zeros(CELLS)
    expected[HOT] = 0.4
    value, sigma = excess(windows(step_k=step_k), expected)
    assert value[BAD] > 0.3
    assert value[BAD] > 4 * sigma[BAD]
    well = np.delete(value, BAD)
    assert np.all(np.abs(well) < 0.25)


def test_without_a_known_resistance_the_later_shape_still_tells() -> None:
    value, _ = excess(windows(), np.full(CELLS, np.nan))
    assert np.argmax(value) == BAD
    assert abs(value[HOT]) < 0.5 * value[BAD]


def test_a_pack_that_hardly_warms_up_says_nothing() -> None:
    time, current, probes = ridden()
    made = WarmthWindows()
    made.push_current(time, current)
    made.push_probes(time, np.full(probes.shape, 24.0))
    warm = made.until(int(time[0]), int(time[-1]))
    assert solve(warm["time_s"], warm["heat"], warm["probes_degc"], 0.1, np.zeros(CELLS)) is None


def test_how_rows_are_cut_changes_nothing_and_the_open_window_does_not_count() -> None:
    whole, parts = windows(), windows(block=37)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-12)
    time, current, probes = ridden()
    longer = WarmthWindows()
    longer.push_probes(time, probes)
    longer.push_current(time, current)
    end = int(time[len(time) // 2])
    early = longer.until(int(time[0]), end)
    np.testing.assert_allclose(early["heat"], whole["heat"][: len(early["heat"])])
    assert early["time_s"][-1] + 120.0 <= end * 1e-9


def test_weeks_keep_the_newest_seven_days() -> None:
    made = WarmthWindows()
    for day in range(30):
        time = START_NS + (day * 86_400 + np.arange(0, 86_400, 60)) * SECOND_NS
        made.push_current(time, np.full(len(time), float(day)))
        made.push_probes(time, np.full((len(time), 3), 20.0 + day))
    warm = made.until(0, int(time[-1]))
    assert 5000 <= len(warm["time_s"]) <= 5041
    assert warm["probes_degc"][-1, 0] == 49.0
    assert warm["probes_degc"][0, 0] >= 42.0


def test_a_probe_belongs_to_a_cell_only_where_that_is_known() -> None:
    assert own_probes(8, 8, ()).tolist() == list(range(8))
    assert own_probes(4, 8, ()).tolist() == [-1] * 8
    stated = (Probe("a", (3,)), Probe("b", (1, 2)), Probe("c", (4,)))
    assert own_probes(3, 5, stated).tolist() == [-1, -1, 0, 2, -1]


def judged(days: int, growth: float = 0.0) -> list[Health]:
    """Summaries of a pack whose cell BAD becomes warmer than its heat explains."""
    out = []
    for day in range(days):
        rng = np.random.default_rng(day)
        value = 0.03 * rng.standard_normal(CELLS)
        value[BAD] += 0.5 + growth * day
        cells = {
            "warmth_difference": value,
            "warmth_difference_sigma": np.full(CELLS, 0.05),
        }
        end = START_NS + (day * 7 + 1) * 86_400 * SECOND_NS
        out.append(Health(end, end - 86_400 * SECOND_NS, CELLS, cells, {"rise_k": 8.0}))
    return out


def test_a_level_is_a_watch_and_growth_a_warning() -> None:
    days = judged(1)
    (found,) = cooling.find([], days[0])
    assert (found.code, found.cell, found.severity) == ("thermal.cooling", BAD + 1, "watch")
    days = judged(5, growth=0.15)
    (found,) = cooling.find(days[:-1], days[-1])
    assert (found.code, found.severity) == ("thermal.cooling_worse", "warn")


def test_fusion_names_it_thermal_and_nobody_else() -> None:
    days = judged(1)
    risks = assess(days, cooling.find([], days[0]), failure_limits("NMC"))
    assert risks[BAD].mechanism == "thermal"
    assert risks[BAD].rank == 1
    assert {r.mechanism for r in risks if r.cell != BAD + 1} == {"none"}


def test_an_evaluation_says_what_is_missing() -> None:
    cells: dict[str, np.ndarray] = {}
    pack: dict[str, float] = {}
    needs: dict[str, str] = {}
    add_warmth({}, own_probes(4, CELLS, ()), cells, pack, needs)
    assert needs == {"warmth_difference": "need.own_probes"}
    add_warmth(windows(), own_probes(CELLS, CELLS, ()), cells, pack, needs)
    assert not needs
    assert np.argmax(cells["warmth_difference"]) == BAD
    assert pack["rise_k"] > 3
