"""Two visits of a pack: changes with sigma, or the reason why nobody can say."""

import numpy as np
import pytest

from bms_studio.comparison import QUANTITIES, compare
from bms_studio.messages import TEMPLATES
from bms_studio.pack.health import Health

DAY = 86_400_000_000_000


def health(
    day: int, *, cells: int = 6, degrees: float = 25.0, soc: float = 0.6, **more: object
) -> Health:
    ohm = np.full(cells, 0.002)
    values = {
        "resistance_ohm": ohm,
        "resistance_ohm_sigma": np.full(cells, 0.00003),
        "rest_voltage_v": np.full(cells, 3.6 + day * 0.001),
        "rest_voltage_v_sigma": np.full(cells, 0.001),
    }
    pack = {"temperature_degc": degrees, "soc": soc}
    return Health(day * DAY, day * DAY - 1, cells, values, pack, **more)  # type: ignore[arg-type]


def test_a_grown_resistance_stands_out_with_its_sigma() -> None:
    then, now = health(0), health(40)
    grown = dict(now.cells)
    grown["resistance_ohm"] = grown["resistance_ohm"] + np.array([0, 0, 0, 0.0004, 0, 0])
    now = Health(now.time, now.start, now.count, grown, now.pack)
    change = next(c for c in compare(then, now) if c.quantity == "resistance_ohm")
    assert not change.reason
    assert change.difference[3] == pytest.approx(0.0004)
    assert change.significance[3] == pytest.approx(0.0004 / np.hypot(3e-5, 3e-5))
    assert np.all(np.abs(np.delete(change.significance, 3)) < 1e-6)


def test_every_quantity_is_answered_and_refusals_have_words() -> None:
    answers = compare(health(0), health(7))
    assert tuple(c.quantity for c in answers) == QUANTITIES
    assert all(c.reason in ("", *TEMPLATES) for c in answers)
    assert all(np.isnan(c.difference).all() for c in answers if c.reason)


@pytest.mark.parametrize(
    ("other", "quantity", "reason"),
    [
        ({"cells": 7}, "resistance_ohm", "compare.cells"),
        ({"degrees": -5.0}, "resistance_ohm", "compare.temperature"),
        ({"soc": 0.1}, "resistance_ohm", "compare.charge"),
        ({"soc": 0.45}, "rest_voltage_v", "compare.charge"),
        ({"chemistry": "LFP"}, "resistance_ohm", "compare.chemistry"),
        ({}, "capacity_ah", "compare.unknown_before"),
    ],
)
def test_what_is_not_alike_is_not_compared(
    other: dict[str, object], quantity: str, reason: str
) -> None:
    then, now = health(0, chemistry="NMC"), health(30, **{"chemistry": "NMC", **other})  # type: ignore[arg-type]
    change = next(c for c in compare(then, now) if c.quantity == quantity)
    assert change.reason == reason
    assert TEMPLATES[reason].format(**dict(change.parameters))


def test_rest_voltages_are_compared_beside_the_other_cells() -> None:
    change = next(c for c in compare(health(0), health(30)) if c.quantity == "rest_voltage_v")
    assert not change.reason
    assert np.allclose(change.difference, 0)  # all cells rose by 30 mV: nothing changed
