"""What follows from others in first passage: the margin under load, a balancer too weak."""

from dataclasses import replace

import numpy as np

from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.fusion import assess
from bms_studio.diagnosis.self_discharge import find
from bms_studio.pack.health import Health
from tests.test_fusion import N, day, one

NMC = failure_limits("NMC")


def with_margin(made: Health, lost_v: float, cell: int = 7) -> Health:
    rng = np.random.default_rng(made.time % 1000)
    margin = 0.30 + 0.003 * rng.standard_normal(N) - one(cell, lost_v)
    table = {**made.cells, "sag_margin_v": margin, "sag_margin_v_sigma": np.full(N, 0.02)}
    return replace(made, cells=table)


def test_a_margin_that_shrinks_makes_the_cell_fail_first_without_a_name_of_its_own() -> None:
    days = [with_margin(day(7 * w), 0.03 * w) for w in range(6)]
    risks = assess(days, [], NMC)
    assert max(risks, key=lambda r: r.probability).cell == 7
    assert risks[6].probability > 0.5
    assert {r.mechanism for r in risks} == {"none"}
    loose = assess(days, [], failure_limits("NMC", {"sag_margin_v": -3.0}))
    assert loose[6].probability < risks[6].probability


def test_a_balancer_that_cannot_keep_up_is_said_and_brings_the_end_closer() -> None:
    days = [day(7 * w, leak_a=one(4, 0.0005 * w)) for w in range(6)]
    strong = [replace(d, pack={**d.pack, "bleed_a": 0.5}) for d in days]
    weak = [replace(d, pack={**d.pack, "bleed_a": 0.02}) for d in days]
    far, near = (assess(h, [], NMC)[3].lead_time for h in (strong, weak))
    beyond = assess(weak, [], NMC)[3].reason[0] == "risk.beyond_limit"
    assert beyond or near[0].p50 < far[0].p50
    leaking = [replace(day(d, leak_a=one(4, 0.01)), pack=weak[0].pack) for d in (0, 1)]
    assert "balancing.too_weak" in {f.code for f in find(leaking[:1], leaking[1])}
    stated = failure_limits("NMC", {"balancer_a": 0.02})
    assert assess(strong, [], stated)[3].lead_time == near


def test_a_leak_that_an_empty_cell_no_longer_shows_is_remembered_with_its_evidence() -> None:
    days = [day(7 * w, leak_a=one(4, 0.004 + 0.002 * w)) for w in range(4)]
    last = day(28)
    table = {name: values.copy() for name, values in last.cells.items()}
    table["leak_a"][3] = table["leak_a_sigma"][3] = np.nan
    table["imbalance"][3] = -0.5
    risk = assess([*days, replace(last, cells=table)], [], NMC)[3]
    assert (risk.rank, risk.mechanism) == (1, "internal-short")
    assert risk.evidence[0]["quantity"] == "leak_a"
    assert np.isfinite(risk.evidence[0]["value"])
