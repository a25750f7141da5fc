"""What cars in the field taught detectors not to say: each once was a false alarm."""

from dataclasses import replace

import numpy as np
import pytest

from bms_studio.diagnosis import self_discharge, sense
from bms_studio.diagnosis.evidence import offsets, score
from bms_studio.diagnosis.failure_limits import failure_limits
from bms_studio.diagnosis.sensors import SensorWatch
from bms_studio.monitor import Monitor
from bms_studio.pack.health import Health
from bms_studio.pack.profile import Limits
from tests.diagnosis_parts import START_NS, changed, health, rows

SECOND = 1_000_000_000


def with_cell(made: Health, cell: int, **values: float) -> Health:
    table = {name: array.copy() for name, array in made.cells.items()}
    for name, value in values.items():
        table[name][cell] = value
    return replace(made, cells=table)


def test_a_link_that_stands_still_makes_no_cell_stuck() -> None:
    block = rows(3600, 8, period_s=1.0)
    volts = block.cells_v.copy()
    # A sweep over the cells, three minutes of nothing, the next sweep: the last cell stood longest.
    for k in range(8):
        volts[1000 + 3 * k : 1180 + 3 * k, k] = volts[1000, k] - 0.06
    watch = SensorWatch()
    assert not [f for f in watch.push(changed(block, cells_v=volts)) if f.code == "sensor.stuck"]
    volts[1000:1600, 3] = volts[1000, 3]
    found = SensorWatch().push(changed(block, cells_v=volts))
    assert {f.cell for f in found if f.code == "sensor.stuck"} == {4}


def test_a_charger_that_holds_the_limit_is_no_alarm() -> None:
    time = START_NS + np.arange(60, dtype=np.int64) * SECOND
    for volt, raised in ((4.205, False), (4.215, True)):
        monitor = Monitor(Limits(cell_voltage_max=4.2))
        found = monitor.push("cell", time, np.full((60, 4), volt, np.float32))
        assert any(f.code == "limits.cell_over_voltage" for f in found) == raised


def test_a_larger_offset_than_chips_have_is_no_sensor_and_a_vague_one_no_finding() -> None:
    made = health(0.0)
    for offset, sigma, named, found in (
        (0.014, 0.001, True, True),
        (0.025, 0.006, False, False),
        (0.025, 0.001, False, False),
        (0.014, 0.006, False, False),
    ):
        now = with_cell(made, 4, offset_v=offset, offset_v_sigma=sigma)
        value = score(offsets(now, failure_limits("NMC")))[4]
        assert (value > 3.25) == named
        told = [f for f in sense.find([], now) if f.code == "sensor.offset"]
        assert bool(told) == found


@pytest.mark.parametrize(
    "course", [(-0.04, -0.03, 0.005, 0.0, -0.045), (0.0, 0.0, 0.0, 0.0, -0.045)]
)
def test_what_was_as_low_before_has_not_fallen(course: tuple[float, ...]) -> None:
    days = [
        with_cell(health(4.0 * n), 2, imbalance=value, leak_a=float("nan"))
        for n, value in enumerate(course)
    ]
    codes = {f.code for f in self_discharge.find(days[:-1], days[-1]) if f.cell == 3}
    assert ("self-discharge.visits" in codes) == (course[0] == 0.0)


def test_a_leak_seen_today_and_since_the_last_visit_is_seen_twice() -> None:
    first = with_cell(health(0.0), 2, leak_a=0.0)
    now = with_cell(health(7.0), 2, leak_a=0.012, imbalance=-0.05)
    (alone,) = [f for f in self_discharge.find([], now) if f.cell == 3]
    assert alone.severity == "watch"
    (both,) = [f for f in self_discharge.find([first], now) if f.cell == 3]
    assert (both.code, both.severity) == ("self-discharge.visits", "warn")


@pytest.mark.parametrize(("cells", "fallen"), [(20, 1), (20, 6), (3, 1)])
def test_many_cells_that_fall_behind_at_once_do_not_leak(cells: int, fallen: int) -> None:
    first, now = health(0.0, cells), health(7.0, cells)
    for cell in range(fallen):
        first = with_cell(first, cell, imbalance=0.0)
        now = with_cell(now, cell, imbalance=-0.05, leak_a=float("nan"))
    codes = {f.code for f in self_discharge.find([first], now)}
    assert ("self-discharge.visits" in codes) == (fallen == 1)
