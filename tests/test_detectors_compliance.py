"""What every detector promises: see bms_studio.diagnosis.registry."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bms_studio.diagnosis.contract import MECHANISMS, SEVERITIES, STATES, Finding
from bms_studio.diagnosis.dips import DipWatch
from bms_studio.diagnosis.interruptions import InterruptionWatch
from bms_studio.diagnosis.limits import LimitRule, LimitWatch
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.plausibility import RangeWatch
from bms_studio.diagnosis.registry import HEALTH, ROWS, WINDOWS
from bms_studio.diagnosis.words import CODES, action_of
from bms_studio.language import catalogue
from bms_studio.messages import TEMPLATES, render
from bms_studio.pack.health import Health
from tests.diagnosis_parts import DAY_NS, FIELDS, changed, health, rows

KINDS = {*MECHANISMS, "dip", "link", "limits", "sag", "shift", "bms", "exposure", "plausibility"}


class Adapted:
    """A detector of one group's rows behind the contract of the others."""

    def __init__(self, push: Callable[[Moments], list[Finding]]) -> None:
        self.push = push


def of_cells() -> dict[str, Callable[[], Adapted]]:
    def limit() -> Adapted:
        watch = LimitWatch(LimitRule("limits.cell_over_voltage", "cell", "v", 4.2, 0.01, True))
        return Adapted(lambda b: watch.push(b.time, b.cells_v))

    def dips() -> Adapted:
        watch = DipWatch()
        return Adapted(lambda b: watch.push(b.time, b.cells_v, b.median_v, b.current_a))

    def interruptions() -> Adapted:
        watch = InterruptionWatch()
        return Adapted(lambda b: watch.push(b.time, b.median_v))

    def plausibility() -> Adapted:
        watch = RangeWatch()
        return Adapted(lambda b: watch.push(b.time, b.cells_v))

    return {
        "limits": limit,
        "dips": dips,
        "interruptions": interruptions,
        "plausibility": plausibility,
    }


WATCHES = {**ROWS, **WINDOWS, **of_cells()}


def trouble(days: int = 10, cells: int = 8) -> Moments:
    """A pack with something for every detector of rows."""
    block = rows(days * 86_400, cells)
    seconds = (block.time - block.time[0]) * 1e-9
    day = seconds / 86_400
    volts, probes = block.cells_v.copy(), block.probes_degc.copy()
    flags, pack = block.balancing.copy(), block.pack.copy()
    volts[:, 2] -= 0.004 * day.astype(np.float32)  # sinks
    volts[4000:4400, 1] = volts[4000, 1]  # stuck
    volts[6000:6010, 3] = 1e30
    volts[9000:9060, 6] = np.nan
    load = np.maximum(block.current_a, 0)
    probes[:, 4] += np.convolve(load, np.full(60, 1 / 60))[: len(load)].astype(np.float32)
    probes[20_000:20_030, 1] += np.arange(30, dtype=np.float32)
    probes[40_000:50_000] -= 30.0
    flags[10_000:16_000, 4] = 1.0
    flags[30_000:31_000, 2] = 1.0
    pack[30_000:, FIELDS.index("soc")] -= 0.3
    pack[:, FIELDS.index("charge_current_limit")] = 20.0
    return changed(block, cells_v=volts, probes_degc=probes, balancing=flags, pack=pack)


@pytest.fixture(scope="module")
def troubled() -> Moments:
    return trouble()


@pytest.fixture(params=sorted(WATCHES))
def watch(request: pytest.FixtureRequest) -> Callable[[], Adapted]:
    return WATCHES[request.param]


@pytest.fixture(params=sorted(HEALTH))
def find(request: pytest.FixtureRequest) -> SimpleNamespace:
    return SimpleNamespace(name=request.param, of=HEALTH[request.param])


def valid(finding: Finding) -> None:
    assert finding.severity in SEVERITIES
    assert finding.state in STATES
    assert finding.kind in KINDS
    assert finding.start <= finding.end
    assert finding.end <= finding.time or finding.state == "resolved"
    assert np.isfinite(finding.score)
    assert finding.score >= 0
    assert finding.text
    assert render(finding.code, finding.parameters) != finding.code
    assert render(*action_of(finding)) != action_of(finding)[0]
    for item in finding.evidence:
        assert {"quantity", "value", "sigma", "reference", "start", "end", "text"} <= set(item)


def visits(count: int = 12, cells: int = 8) -> list[Health]:
    """Daily summaries with something for every detector of evaluations."""
    out = []
    for n in range(count):
        made = health(2.0 * n, cells)
        table = {name: values.copy() for name, values in made.cells.items()}
        if cells > 7:
            table["resistance_difference"][1] += 0.03 * n
            table["resistance_difference"][4] += 0.4 * (n % 2)
            table["capacity_difference"][2] -= 0.01 * n
            table["leak_a"][3] += 0.004 * n
            table["sag_margin_v"][1] -= 0.02 * n
            table["offset_v"][5] += 0.012
            table["offset_v"][6] -= 0.012
            table["imbalance"][7] -= 0.01 * n
            table["lag_s"][0] = 0.5
        out.append(replace(made, cells=table))
    return out


# -- detectors of rows ---------------------------------------------------------------------------


def test_cutting_the_rows_into_blocks_changes_nothing(
    watch: Callable[[], Adapted], troubled: Moments
) -> None:
    whole = watch().push(troubled)
    for size in (997, 20_011):
        other, parts = watch(), []
        for start in range(0, len(troubled), size):
            parts += other.push(troubled[start : start + size])
        assert [repr(f) for f in parts] == [repr(f) for f in whole]


def test_the_future_never_changes_what_was_found(
    watch: Callable[[], Adapted], troubled: Moments
) -> None:
    whole = watch().push(troubled)
    for end in (15_000, 60_000):
        early = watch().push(troubled[:end])
        assert [repr(f) for f in early] == [repr(f) for f in whole[: len(early)]]
        later = whole[len(early) :]
        assert all(f.time >= int(troubled.time[end - 1]) for f in later)


def test_every_detector_of_rows_finds_its_trouble(troubled: Moments) -> None:
    codes = {f.code for make in WATCHES.values() for f in make().push(troubled)}
    assert codes >= {
        "imbalance.drift",
        "sensor.stuck",
        "sensor.implausible",
        "thermal.hot_group",
        "thermal.fast_rise",
        "exposure.cold_charge",
        "balancing.stuck_on",
        "bms.soc_jump",
        "bms.charge_when_cold",
        "bms.silent_cells",
    }


def test_findings_of_rows_are_well_formed(watch: Callable[[], Adapted], troubled: Moments) -> None:
    for finding in watch().push(troubled):
        valid(finding)


def test_a_silent_cell_stays_alone(watch: Callable[[], Adapted], troubled: Moments) -> None:
    volts = troubled.cells_v.copy()
    volts[:, 7] = np.nan
    found = watch().push(changed(troubled, cells_v=volts))
    assert not [f for f in found if f.cell == 8]
    for finding in found:
        valid(finding)


@pytest.mark.parametrize("cells", [1, 2, 400])
def test_any_number_of_cells_is_taken(watch: Callable[[], Adapted], cells: int) -> None:
    block = rows(40_000, cells)
    volts = block.cells_v.copy()
    volts[1000:1400, 0] = volts[1000, 0]
    volts[1500:1600, -1] = 1e30
    volts[1700:1800, 0] = np.nan
    found = watch().push(changed(block, cells_v=volts))
    assert {f.cell for f in found} <= {0, 1, cells}
    for finding in found:
        valid(finding)


def test_nothing_known_is_nothing_found(watch: Callable[[], Adapted], troubled: Moments) -> None:
    assert watch().push(troubled[:0]) == []
    unknown = {
        name: np.full_like(getattr(troubled, name)[:500], np.nan)
        for name in ("cells_v", "probes_degc", "balancing", "pack")
    }
    found = watch().push(changed(troubled[:500], **unknown))
    assert [f for f in found if f.code != "dips.link"] == []


def test_a_healthy_month_is_silent(watch: Callable[[], Adapted]) -> None:
    found = watch().push(rows(30 * 86_400, 20, seed=3))
    assert [(f.code, f.cell, f.severity) for f in found if f.severity != "info"] == []


@pytest.mark.parametrize(("fault", "told"), [("joint", {6}), ("cell", set())])
def test_a_joint_is_told_from_a_cell_by_what_cold_does_to_it(fault: str, told: set[int]) -> None:
    block = rows(4 * 86_400, 8, seed=5)
    ohm = np.where(block.time < block.time[0] + 2 * DAY_NS, 0.002, 0.004)
    colder = np.where(ohm > 0.003, -15.0, 0.0)[:, None]
    volts = block.cells_v - ((ohm - 0.002) * block.current_a)[:, None]
    extra = 0.001 if fault == "joint" else 0.4 * ohm
    volts[:, 5] -= extra * block.current_a
    moved = changed(
        block,
        cells_v=np.round(volts, 3).astype(np.float32),
        probes_degc=(block.probes_degc + colder).astype(np.float32),
    )
    found = WINDOWS["joint"]().push(moved)
    assert {f.cell for f in found if f.state == "active"} == told


# -- detectors of evaluations ---------------------------------------------------------------------


def test_evaluations_with_trouble_are_found_and_named() -> None:
    *history, now = visits()
    found = {(f.code, f.cell) for of in HEALTH.values() for f in of(history, now)}
    assert found >= {
        ("resistance.growing", 2),
        ("connection.erratic", 5),
        ("capacity.shrinking", 3),
        ("sag.falling", 2),
        ("sensor.sense_wire", 6),
        ("imbalance.charge", 8),
        ("self-discharge.visits", 8),
        ("sensor.lag", 1),
    }
    assert {f.severity for of in HEALTH.values() for f in of(history, now) if f.cell == 4} & {
        "warn",
        "stop",
    }


def test_one_evaluation_alone_is_at_most_something_to_watch(find: SimpleNamespace) -> None:
    for finding in find.of([], visits()[-1]):
        assert finding.severity in ("info", "watch")


def test_findings_of_evaluations_are_well_formed(find: SimpleNamespace) -> None:
    *history, now = visits()
    for finding in find.of(history, now):
        valid(finding)


def test_healthy_visits_are_silent(find: SimpleNamespace) -> None:
    for seed in range(40):
        days = [health(2.0 * n, 20, seed) for n in range(15)]
        loud = [f for f in find.of(days[:-1], days[-1]) if f.severity != "info"]
        assert not loud, (seed, [(f.code, f.cell, f.score) for f in loud])


@pytest.mark.parametrize("cells", [1, 2, 400])
def test_evaluations_of_any_number_of_cells_are_taken(find: SimpleNamespace, cells: int) -> None:
    *history, now = visits(4, cells)
    for finding in find.of(history, now):
        valid(finding)


def test_an_evaluation_that_knows_nothing_finds_nothing(find: SimpleNamespace) -> None:
    empty = Health(DAY_NS, 0, 5)
    assert find.of([], empty) == []
    assert find.of([empty], Health(2 * DAY_NS, 0, 5)) == []
    assert find.of([], Health(DAY_NS, 0, 0)) == []


def test_an_unknown_cell_leaves_the_others_as_they_are(find: SimpleNamespace) -> None:
    *history, now = visits()
    table = {name: values.copy() for name, values in now.cells.items()}
    for values in table.values():
        values[7] = np.nan
    found = find.of(history, replace(now, cells=table))
    assert not [f for f in found if f.cell == 8]
    for finding in found:
        valid(finding)


# -- words ---------------------------------------------------------------------------------------


def test_every_code_has_words_in_both_languages() -> None:
    chinese = catalogue("zh_CN")
    for code, words in CODES.items():
        assert TEMPLATES[code] == words.sentence
        assert words.sentence in chinese, code
        assert words.action in TEMPLATES, code
        assert words.kind in KINDS, code
