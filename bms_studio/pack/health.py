"""What is known of every cell's health at one moment: values with sigma, by name.

One table of names serves estimators' results, detectors, recording, grid, cell table and report.
Plain data: no estimator, no detector, no file and no window enters here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of a cell: name in arrays and files, unit, and whether `<name>_sigma` exists."""

    name: str
    unit: str
    has_sigma: bool
    long_name: str


# Resistances at 25 degC and 50 %; leak and offset are against the mean cell; differences relative.
QUANTITIES = (
    Quantity("soc", "1", True, "state of charge"),
    Quantity("rest_voltage_v", "V", True, "voltage after the newest rest"),
    Quantity("capacity_ah", "Ah", True, "capacity"),
    Quantity("capacity_difference", "1", True, "capacity against the mean cell, relative"),
    Quantity("soh_capacity", "1", True, "capacity against new"),
    Quantity("resistance_ohm", "ohm", True, "ohmic resistance at 25 degC, 50 %"),
    Quantity("ten_second_ohm", "ohm", True, "resistance after 10 s at 25 degC, 50 %"),
    Quantity("resistance_difference", "1", True, "ohmic resistance against the median, relative"),
    Quantity("soh_resistance", "1", True, "resistance when new against now"),
    Quantity("leak_a", "A", True, "self-discharge beyond the mean cell"),
    Quantity("offset_v", "V", True, "sensor offset against the mean cell"),
    Quantity("imbalance", "1", True, "state of charge minus the median"),
    Quantity("sag_voltage_v", "V", True, "voltage after 10 s of the rider's peak current"),
    Quantity("sag_margin_v", "V", True, "that voltage above the cut-off"),
    Quantity("lag_s", "s", False, "how much later than the current this cell is measured"),
    Quantity("risk", "1", False, "how likely this cell fails first, 0 none"),
    Quantity("warmth_difference", "1", True, "temperature rise beyond what its heat explains"),
    Quantity("slow_difference", "1", True, "slow resistance against the mean cell, of the usual"),
)
NAMES = tuple(q.name for q in QUANTITIES)
BY_NAME = {q.name: q for q in QUANTITIES}

# What one evaluation says of the whole pack.
PACK_QUANTITIES = (
    Quantity("soc", "1", True, "state of charge of the mean cell"),
    Quantity("usable_soc", "1", True, "usable share, by the weakest cells"),
    Quantity("usable_ah", "Ah", False, "charge until the first cell is empty"),
    Quantity("usable_wh", "Wh", True, "energy until the first cell is empty"),
    Quantity("limiting_cell", "1", False, "cell that is empty first, 0 unknown"),
    Quantity("costs_wh", "Wh", False, "energy that this cell costs against the median one"),
    Quantity("full_cell", "1", False, "cell that is full first, 0 unknown"),
    Quantity("capacity_ah", "Ah", True, "capacity of the mean cell"),
    Quantity("soh", "1", True, "capacity against new"),
    Quantity("temperature_degc", "degC", False, "mean temperature of the span"),
    Quantity("peak_a", "A", False, "99th percentile of the rider's discharge current"),
    Quantity("current_offset_a", "A", True, "offset of the current sensor"),
    Quantity("throughput_ah", "Ah", False, "charge moved in the span, both ways"),
    Quantity("observed_s", "s", False, "time with samples in the span"),
    Quantity("cycles", "1", False, "throughput as full cycles in the span"),
    Quantity("bleed_a", "A", False, "current of a bleed resistor"),
    Quantity("rise_k", "K", False, "how much the hardest load of the span warms the middle probe"),
    Quantity("scale_ah", "Ah", False, "rough capacity that charge was compared with"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Health:
    """One evaluation of a string of N cells; also the daily summary that fusion and history keep.

    time, start: int64 ns, moment of the evaluation and first sample that counts. cells: arrays
    (N,) float64 by `NAMES` and `<name>_sigma`; pack: numbers by `PACK_QUANTITIES` and
    `<name>_sigma`. What is unknown is NaN or missing. needs: quantity -> message code of what would
    make it known ("need.rest_30_min"). progress: quantity -> 0..1, how much of the data needed is
    there. chemistry, serial: as far as known, "" unknown. model: short name of the cell model used.
    verdict: code of DESIGN 7.4, title: what the recording is called; for the list of visits.
    family: where only the family of the chemistry was known and cells were judged by it ("oxide").
    """

    time: int
    start: int
    count: int
    cells: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    pack: Mapping[str, float] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, float] = field(default_factory=dict)
    chemistry: str = ""
    serial: str = ""
    model: str = ""
    verdict: str = ""
    title: str = ""
    family: str = ""

    def values(self, name: str) -> NDArray[np.float64]:
        """Values of a quantity (N,), NaN where unknown."""
        return _padded(self.cells.get(name), self.count)

    def sigma(self, name: str) -> NDArray[np.float64]:
        """Their sigma (N,), NaN where unknown."""
        return self.values(f"{name}_sigma")

    def of_pack(self, name: str) -> float:
        """A quantity of the pack, NaN unknown."""
        return float(self.pack.get(name, float("nan")))

    @property
    def scale_ah(self) -> float:
        """Capacity that currents are compared with: the measured one, else the stated one that
        cycles were counted with, else a rough one; NaN unknown."""
        measured, cycles = self.of_pack("capacity_ah"), self.of_pack("cycles")
        if measured > 0:
            return measured
        if cycles > 0:
            return self.of_pack("throughput_ah") / (2 * cycles)
        return self.of_pack("scale_ah")


def _padded(values: NDArray[Any] | None, count: int) -> NDArray[np.float64]:
    out = np.full(count, np.nan)
    if values is not None:
        out[: min(count, len(values))] = values[:count]
    return out
