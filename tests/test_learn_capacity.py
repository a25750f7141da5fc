"""Capacity from voltage over charge, where nobody stated one: right, or unknown."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from bms_studio.pack.chemistry import load_chemistry
from bms_studio.pack.learn_capacity import MOST_SIGMA, learn_capacity
from bms_studio.pack.recognise import recognise

Array = NDArray[np.float64]


def _ride(
    name: str, capacity_ah: float, high: float, low: float, ohm: float, level_v: float = 0.0
) -> tuple[Array, Array, Array]:
    """Half minutes of a ride from high to low with pauses, and a slow charge back."""
    chemistry = load_chemistry(name)
    rng = np.random.default_rng(7)
    soc, amps, states = high, [0.0] * 20, [high] * 20
    while soc > low:
        load = capacity_ah * float(rng.choice([0.0, 0.3, 0.6, 0.9]))
        soc -= load * 30 / 3600 / capacity_ah
        amps.append(load)
        states.append(soc)
    while soc < high:
        soc += 0.3 * 30 / 3600
        amps.append(-0.3 * capacity_ah)
        states.append(soc)
    current = np.array(amps)
    open_v = np.interp(states, chemistry.soc, chemistry.ocv_v) + level_v
    volts = open_v - ohm * current + rng.normal(0.0, 0.001, len(current))
    return np.arange(len(current)) * 30.0, volts, current


@pytest.mark.parametrize("capacity_ah", [2.5, 31.0, 200.0])
@pytest.mark.parametrize("name", ["NMC", "NCA"])
def test_a_deep_ride_of_an_oxide_tells_the_capacity_within_its_sigma(
    name: str, capacity_ah: float
) -> None:
    time, volts, current = _ride(name, capacity_ah, 0.93, 0.2, 0.08 / capacity_ah, 0.008)
    ah, sigma = learn_capacity(load_chemistry(name), time, volts, current)
    assert abs(ah / capacity_ah - 1) < 2 * sigma
    assert sigma <= MOST_SIGMA


def test_a_plateau_does_not_tell_the_capacity() -> None:
    time, volts, current = _ride("LFP", 20.0, 0.7, 0.35, 0.0015)
    assert math.isnan(learn_capacity(load_chemistry("LFP"), time, volts, current)[0])


def test_a_short_ride_does_not_tell_the_capacity() -> None:
    time, volts, current = _ride("NMC", 20.0, 0.6, 0.52, 0.004)
    assert math.isnan(learn_capacity(load_chemistry("NMC"), time, volts, current)[0])


def test_a_table_that_does_not_fit_tells_nothing() -> None:
    time, volts, current = _ride("NMC", 20.0, 0.9, 0.2, 0.004)
    assert math.isnan(learn_capacity(load_chemistry("LFP"), time, volts, current)[0])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="one value per sample"):
        learn_capacity(load_chemistry("NMC"), np.zeros(3), np.zeros(4), np.zeros(3))


def test_most_of_an_lfp_cell_is_recognised_without_its_capacity() -> None:
    """A layered oxide as flat would have moved a few percent, and its resistance be absurd."""
    time, volts, current = _ride("LFP", 2.3, 0.92, 0.25, 0.03 / 2.3, 0.015)
    assert recognise(time, volts, current).name == "LFP"


def test_a_nearly_empty_oxide_is_not_taken_for_lfp() -> None:
    time, volts, current = _ride("NMC", 5.0, 0.14, 0.06, 0.08 / 5.0)
    assert recognise(time, volts, current).name in ("", "NMC")


def test_the_cold_makes_a_resistance_usual() -> None:
    time, volts, current = _ride("LFP", 2.3, 0.92, 0.1, 6 * 0.03 / 2.3)
    assert recognise(time, volts, current, temperature_degc=-15.0).name == "LFP"
