"""First full and first empty: a small cell told from one with more or less charge."""

import numpy as np

from bms_studio.diagnosis.contract import Finding
from bms_studio.diagnosis.order import OrderWatch
from tests.diagnosis_parts import changed, rows


def found(days: int, low: float, high: float, cell: int = 3) -> list[Finding]:
    """Findings of a pack whose cell (from 0) differs by `low` V when empty and `high` V when full,
    and in between in proportion."""
    block = rows(days * 86_400 + 7200)
    share = (block.median_v - block.median_v.min()) / np.ptp(block.median_v)
    volts = block.cells_v.copy()
    volts[:, cell] += (low + (high - low) * share).astype(np.float32)
    return OrderWatch().push(changed(block, cells_v=volts))


def last(findings: list[Finding]) -> dict[str, Finding]:
    newest = {f.id: f for f in findings}
    return {f.code: f for f in newest.values() if f.state == "active"}


def test_first_full_and_first_empty_is_the_capacity() -> None:
    one = last(found(1, -0.03, 0.02))
    assert list(one) == ["capacity.first_full_first_empty"]
    assert one["capacity.first_full_first_empty"].severity == "info"
    several = last(found(3, -0.03, 0.02))["capacity.first_full_first_empty"]
    assert (several.cell, several.severity) == (4, "watch")
    assert several.count >= 2
    assert all(item["sigma"] > 0 for item in several.evidence)


def test_more_charge_and_less_charge_are_an_imbalance() -> None:
    assert list(last(found(3, 0.05, 0.02))) == ["imbalance.first_full_last_empty"]
    assert list(last(found(3, -0.05, -0.02))) == ["imbalance.last_full_first_empty"]


def test_the_same_at_both_ends_is_left_to_the_sensor() -> None:
    assert not found(3, 0.03, 0.03)


def test_a_healthy_pack_and_small_differences_say_nothing() -> None:
    assert not found(7, 0.0, 0.0)
    assert not found(7, -0.005, 0.005)


def test_the_day_that_a_stream_ends_in_is_not_lost() -> None:
    block = rows(20 * 3600)
    share = (block.median_v - block.median_v.min()) / np.ptp(block.median_v)
    volts = block.cells_v.copy()
    volts[:, 3] += (-0.03 + 0.05 * share).astype(np.float32)
    watch = OrderWatch()
    assert not watch.push(changed(block, cells_v=volts))
    assert [f.code for f in watch.flush()] == ["capacity.first_full_first_empty"]
