"""Packs with a plateau: the knee at full says at which SOC the day began."""

from typing import Any

import numpy as np
import pytest

from bms_studio.estimators import leak
from bms_studio.estimators.model import cell_model
from bms_studio.pack.chemistry import load_chemistry
from tests.estimator_parts import ride, ride_current

MODEL = cell_model(load_chemistry("LFP"), 5.0, hysteresis_v=0.0)
BEGAN = 0.90


def day(full: bool) -> Any:
    """Ten hours: a ride over half of the charge, a rest, and a charge that ends full or before."""
    ridden = np.abs(ride_current(12_000, np.random.default_rng(4)))
    ridden *= 0.5 * 5.0 * 3600 / ridden.sum()
    rest = np.zeros(6000)
    charged = np.full(14_400, -0.5 * 5.0 * 3600 / 14_400)
    taper = np.full(3600, -0.09 * 5.0 if full else 0.0)
    return np.concatenate([ridden, rest, charged, taper])


def solved(full: bool, told: float, sigma: float) -> Any:
    smaller = np.zeros(8)
    smaller[2] = 0.06
    current = day(full)
    data = ride(MODEL, 8, len(current), BEGAN, smaller=smaller, current_a=current)
    params = leak.Params(MODEL)
    windows = leak.step(params, leak.start(params, 8), data)
    return leak.solve(params, windows, told, sigma)


def test_a_start_that_the_knee_contradicts_changes_nothing() -> None:
    true, wrong = solved(True, BEGAN, 0.01), solved(True, 0.75, 0.05)
    assert np.argmin(wrong["capacity"]) == 2
    np.testing.assert_allclose(wrong["capacity"], true["capacity"], atol=0.006)


def test_an_unknown_start_costs_no_certainty_where_the_knee_was_seen() -> None:
    vague, sure = solved(True, 0.85, 0.30), solved(True, BEGAN, 0.015)
    assert np.median(vague["capacity_sigma"]) < 1.3 * np.median(sure["capacity_sigma"])


def test_without_the_knee_an_unknown_start_stays_unknown() -> None:
    vague, sure = solved(False, BEGAN, 0.30), solved(False, BEGAN, 0.0)
    assert np.median(vague["leak_a_sigma"]) > np.median(sure["leak_a_sigma"])
    assert vague["capacity"] == pytest.approx(sure["capacity"])
