"""All detectors that share a contract: adding one is a file and a line here.

HEALTH: what judges an evaluation, given the daily summaries before it: find(history, now) -> the
findings that hold now. ROWS and WINDOWS: what watches rows as they come (moments as they are, and
means of ten seconds): a class whose push(moments) answers transitions. Limits, dips and
plausibility work on the rows of a single group and are wired in `monitor`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from bms_studio.diagnosis import (
    capacity,
    connection,
    cooling,
    drift,
    resistance,
    sag,
    self_discharge,
    sense,
)
from bms_studio.diagnosis.balancer import BalancerWatch
from bms_studio.diagnosis.bms import BmsWatch
from bms_studio.diagnosis.contract import Finding
from bms_studio.diagnosis.efficiency import EfficiencyWatch
from bms_studio.diagnosis.exposure import ExposureWatch
from bms_studio.diagnosis.moments import Moments
from bms_studio.diagnosis.order import OrderWatch
from bms_studio.diagnosis.sensors import SensorWatch
from bms_studio.diagnosis.shifts import ShiftWatch
from bms_studio.diagnosis.thermal import ThermalWatch
from bms_studio.pack.health import Health

Find = Callable[[Sequence[Health], Health], list[Finding]]


class Watch(Protocol):
    """A detector of rows; what it says does not depend on how they are cut into blocks."""

    def push(self, block: Moments) -> list[Finding]:
        """What these moments raised or resolved."""


@runtime_checkable
class Ending(Protocol):
    """A detector that waits for something: the end of a day or hour, or a debounce."""

    def flush(self) -> list[Finding]:
        """At the end of a stream: what it would have said later, as far as it is known."""


HEALTH: Mapping[str, Find] = {
    "resistance": resistance.find,
    "connection": connection.find,
    "capacity": capacity.find,
    "self-discharge": self_discharge.find,
    "sag": sag.find,
    "sense": sense.find,
    "balance": drift.find,
    "cooling": cooling.find,
}
ROWS: Mapping[str, Callable[[], Watch]] = {"shifts": ShiftWatch, "sensors": SensorWatch}
WINDOWS: Mapping[str, Callable[[], Watch]] = {
    "drift": drift.DriftWatch,
    "efficiency": EfficiencyWatch,
    "joint": connection.JointWatch,
    "order": OrderWatch,
    "thermal": ThermalWatch,
    "balancer": BalancerWatch,
    "exposure": ExposureWatch,
    "bms": BmsWatch,
}
