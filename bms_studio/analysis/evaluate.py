"""One evaluation: everything that is known of every cell at a moment, with what is still missing.

`Evaluation` is a picture of arrays that no longer change, so that `health()` may run in another
thread. Differences between cells are judged by the fit over half-minute windows (`leak.solve`),
absolute values only where something anchors them; what nothing supports stays NaN and is named in
`needs`. No files, no Qt.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.basis import Ground
from bms_studio.analysis.differences import differences, table_sigma
from bms_studio.analysis.tally import COLUMNS
from bms_studio.analysis.warmth import add_warmth
from bms_studio.analysis.windows import STEPS, drift, extent
from bms_studio.estimators import capacity, leak, resistance, sag
from bms_studio.estimators.contract import Outputs, frozen
from bms_studio.pack.health import Health

Floats = NDArray[np.float64]
_AT = {name: i for i, name in enumerate(COLUMNS)}

# A week of windows says what there is to say; older ones have been judged before.
_SPAN_NS = 7 * 86_400_000_000_000
_LEAST_WINDOWS = 20
# What is still relaxing in a rest: 10 mV at first, with the slow pair's and diffusion's time.
_RELAX_V, _RELAX_S, _REST_NOISE_V = 0.010, 900.0, 0.0005
# What a usual table lacks (V); with twice as much a cell's place on it is not known.
_EXPLAINED_V = 0.05
_SHORT_REST_S, _REST_S = 120.0, 1800.0
# Leak, capacity and offset are told apart only by time and by charge moved.
_LEAK_HOURS, _SWING = 6.0, 0.3
_SIGN = 0.5
_STILL = 0.01
_TOLD, _TOLD_ALL, _TOLD_WELL, _TOLD_ONE = 0.5, 0.8, 0.25, 2.5


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was known at `time`: rows of the streams up to there.

    soc: newest row of `soc` (empty without chemistry); resistance: newest row of `resistance`
    (empty before the first); windows: half-minute windows of the visit; tally: newest row, and the
    one at the start of the visit; peak_a: the rider's hardest pull; outlook: usable charge;
    bleed_a: of a bleed resistor, NaN unknown (what came after it first drew is then left out).
    warm: temperatures and heat (`analysis.warmth`), empty without probes; probes: whose (N,).
    sign_sure: pack voltage follows the current as its sign says (`pack.sign`). scans: rows of cells
    behind the tally, 0 unknown.
    """

    time: int
    start: int
    ground: Ground
    count: int
    soc: Mapping[str, NDArray[Any]]
    resistance: Mapping[str, NDArray[Any]]
    windows: Outputs
    tally: Floats
    tally_before: Floats
    correlation: tuple[float, int]
    peak_a: float
    serial: str = ""
    outlook: Mapping[str, float] = field(default_factory=dict)
    bleed_a: float = math.nan
    warm: Mapping[str, Floats] = field(default_factory=dict)
    probes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    sign_sure: bool = False
    scans: int = 0

    def health(self) -> Health:
        """Judge. Pure; takes a second for 100 cells and a week."""
        return _Judge(self).health()


class _Judge:
    """Collects quantities, needs and progress of one evaluation."""

    def __init__(self, given: Evaluation) -> None:
        self.given = given
        self.model = given.ground.model
        self.cells: dict[str, Floats] = {}
        self.pack = {n: v for n, v in given.outlook.items() if math.isfinite(v)}
        self.needs: dict[str, str] = {}
        self.progress: dict[str, float] = {}
        self.windows = _recent(given.windows)
        self.rows = len(self.windows["time_ns"]) if self.windows else 0

    def health(self) -> Health:
        given, ground = self.given, self.given.ground
        self._use()
        self._rest()
        self._soc()
        self._resistance()
        self._differences()
        self._capacity()
        self._sag()
        add_warmth(given.warm, given.probes, self.cells, self.pack, self.needs)
        return Health(
            time=given.time,
            start=given.start,
            count=given.count,
            cells=self.cells,
            pack=self.pack,
            needs=self.needs,
            progress=self.progress,
            chemistry=ground.basis.chemistry,
            serial=given.serial,
            model=ground.basis.model,
            family=ground.basis.family,
        )

    # -- parts ---------------------------------------------------------------------------------

    @property
    def sign_known(self) -> bool:
        """Voltage follows the current as its sign says: by its steps, or over a long charge."""
        if self.given.sign_sure:
            return True  # cells may be measured too slowly for steps to show in them
        r, count = self.given.correlation
        if count >= STEPS:
            return r < -_SIGN
        return drift(self.windows, 0.02 * self.model.capacity_ah) < -_SIGN

    @property
    def _slow(self) -> bool:
        """Cells are measured too seldom for a step of the current to show in them."""
        scans = self.given.scans
        seen_s = float(self.given.tally[_AT["observed_s"]])
        return scans > 1 and seen_s / scans > resistance.Params(self.model).longest_s

    @property
    def _unnamed(self) -> str:
        """What is asked of a person where the chemistry is missing, or is not believed."""
        stated = self.given.ground.basis.chemistry
        return "need.chemistry_contradicts" if stated else "need.chemistry"

    def _blocked(self) -> str:
        """Why current cannot be used; "" when it can."""
        ground = self.given.ground
        if not self.given.tally[_AT["current_known"]] > 0:
            return "need.current"
        if "basis.sign_contradicts" in ground.basis.notes:
            return "need.sign"
        return "" if self.sign_known else "need.sign_steps"

    def _use(self) -> None:
        now, before = self.given.tally, self.given.tally_before
        moved = float(now[_AT["throughput_ah"]] - before[_AT["throughput_ah"]])
        if math.isfinite(self.given.bleed_a):
            self.pack["bleed_a"] = self.given.bleed_a
        self.pack["observed_s"] = float(now[_AT["observed_s"]] - before[_AT["observed_s"]])
        self.pack["temperature_degc"] = float(now[_AT["mean_temperature_degc"]])
        if now[_AT["current_known"]] > 0:
            self.pack["throughput_ah"] = moved
            if self.given.ground.rough:
                self.pack["scale_ah"] = self.model.capacity_ah
            elif not math.isnan(self.given.ground.basis.capacity_ah):
                self.pack["cycles"] = moved / (2 * self.model.capacity_ah)

    def _rest(self) -> None:
        """Voltage after the newest rest, as far as it has relaxed."""
        if not self.given.tally[_AT["current_known"]] > 0:
            self.needs["rest_voltage_v"] = "need.current"
            return
        calm = (
            np.abs(self.windows["current_a"]) < 0.02 * self.model.capacity_ah
            if self.rows
            else np.zeros(0, np.bool_)
        )
        ends = np.flatnonzero(calm)
        rest_s, at = 0.0, -1
        if len(ends):
            at = int(ends[-1])
            begin = at
            while begin > 0 and calm[begin - 1]:
                begin -= 1
            rest_s = float(self.windows["time_ns"][at] - self.windows["time_ns"][begin]) * 1e-9
        self.progress["rest_voltage_v"] = min(rest_s / _REST_S, 1.0)
        if rest_s < _REST_S:
            self.needs["rest_voltage_v"] = "need.rest_30_min"
        if rest_s >= _SHORT_REST_S:
            volts = self._wide(self.windows["cell_v"][at])
            left = _RELAX_V * math.exp(-rest_s / _RELAX_S)
            sigma = np.where(np.isnan(volts), np.nan, math.hypot(_REST_NOISE_V, left))
            self._put("rest_voltage_v", volts, sigma)

    def _soc(self) -> None:
        given = self.given
        if not given.ground.judged:
            for name in ("soc", "imbalance"):
                self.needs[name] = self._unnamed
            return
        if not len(given.soc):
            return
        soc, sigma = (self._wide(given.soc[n]) for n in ("soc", "soc_sigma"))
        self._put("soc", soc, sigma)
        common = float(given.soc["pack_soc_sigma"])
        own = np.sqrt(np.maximum(sigma**2 - common**2, 0.0))
        if given.count > 1:
            apart = soc - float(np.nanmedian(soc))
            # Where the table does not explain the mean cell, a cell's place on it is not known.
            lacks = abs(float(given.soc["model_error_v"])) / _EXPLAINED_V - 1.0
            share = max(min(lacks, 1.0), given.ground.scale_sigma)
            self._put("imbalance", apart, np.hypot(own, share * np.abs(apart)))
        self.pack |= {"soc": float(given.soc["pack_soc"]), "soc_sigma": common}
        if not self._blocked():
            self.pack["current_offset_a"] = float(given.soc["offset_a"])
            self.pack["current_offset_a_sigma"] = float(given.soc["offset_a_sigma"])
        self.progress["soc"] = float(np.clip(1.0 - (common - 0.01) / 0.09, 0.0, 1.0))
        if common > 0.05:
            self.needs["soc"] = "need.rest_30_min"

    def _resistance(self) -> None:
        names = ("resistance_ohm", "ten_second_ohm", "resistance_difference", "soh_resistance")
        blocked = self._blocked()
        count = self.given.correlation[1]
        for name in names[:3]:
            self.progress[name] = min(count / STEPS, 1.0)
            self.needs[name] = blocked or ("need.faster_scans" if self._slow else "need.pulse_10_s")
        self.needs["soh_resistance"] = blocked or "need.new_resistance"
        if blocked or not len(self.given.resistance):
            return
        row = self.given.resistance
        ohmic, sigma = self._wide(row["ohmic_ohm"]), self._wide(row["ohmic_ohm_sigma"])
        if np.isfinite(ohmic).any():
            self._put("resistance_ohm", ohmic, sigma)
            middle = float(np.nanmedian(ohmic))
            if self.given.count > 1:
                self._put("resistance_difference", ohmic / middle - 1.0, sigma / middle)
            self._put("lag_s", self._wide(row["lag_s"]))
            for name in ("resistance_ohm", "resistance_difference"):
                self.needs.pop(name, None)
                self.progress[name] = 1.0
        ten = self._wide(row["ten_second_ohm"])
        if np.isfinite(ten).any():
            self._put("ten_second_ohm", ten, self._wide(row["ten_second_ohm_sigma"]))
            self.needs.pop("ten_second_ohm", None)
            self.progress["ten_second_ohm"] = 1.0
        if self.model.sigma_r < 0.3 and np.isfinite(ohmic).any():
            # The new cell's resistance was stated or fitted, not only usual for its chemistry.
            health = self.model.r0_ohm / ohmic
            spread = np.hypot(sigma / ohmic, self.model.sigma_r)
            self._put("soh_resistance", health, health * spread)
            self.needs.pop("soh_resistance")

    def _differences(self) -> None:
        """Capacity, leak and sensor offset of each cell against the mean one."""
        names = ("capacity_difference", "leak_a", "offset_v")
        ground, soc, blocked = self.given.ground, self.given.soc, self._blocked()
        hours, swing = extent(self.windows, self.model.capacity_ah) if self.rows else (0.0, 0.0)
        self.progress["leak_a"] = min(hours / _LEAK_HOURS, 1.0)
        self.progress["capacity_difference"] = min(swing / _SWING, 1.0)
        reasons = ("need.swing_30", "need.hours_6", "need.swing_30")
        if swing < _STILL and blocked == "need.sign_steps":
            blocked = ""  # so little charge moved that its sign does not matter
        missing = blocked or ("" if ground.charge else "need.capacity")
        missing = missing if ground.judged else self._unnamed
        if self.given.count < 2:
            missing = missing or "need.more_cells"
        for name, reason in zip(names, reasons, strict=True):
            self.needs[name] = missing or reason
        if missing or self.rows < _LEAST_WINDOWS or not len(soc):
            return
        first = float(soc["pack_soc"]) + self._moved_back(float(soc["offset_a"]))
        params = leak.Params(self.model)
        # Tables are asked one by one: what they disagree by is no error of a single one.
        apart = float(table_sigma(ground, soc["pack_soc"]))
        alone = math.sqrt(max(float(soc["pack_soc_sigma"]) ** 2 - apart**2, 0.0))
        place = min(max(first, 0.0), 1.0), alone
        stated = float(soc["offset_a"]), self.given.bleed_a
        found = differences(ground, self.windows, place, *stated)
        priors = (
            ("capacity_difference", "capacity", params.spread_capacity),
            ("leak_a", "leak_a", params.spread_leak_per_h * self.model.capacity_ah),
            ("offset_v", "offset_v", params.spread_offset_v),
        )
        for name, key, prior in priors:
            sigma = self._wide(found[f"{key}_sigma"])
            # What is no surer than before any data is not known. A fault's sigma grows with it:
            # where the pack's cells are known, one that is off is told, with that sigma.
            # A capacity says something long before it is sure: fusion weighs it by the sigma.
            told = sigma < (_TOLD_ALL if name == "capacity_difference" else _TOLD) * prior
            least = _TOLD_ALL if name == "offset_v" else _TOLD_WELL
            if np.isfinite(sigma).any() and np.nanmedian(sigma) < least * prior:
                told = sigma < _TOLD_ONE * prior
            if name == "offset_v" and swing < _SWING:
                # Over little charge the curve is as steep everywhere: an imbalance looks alike.
                told = np.zeros(self.given.count, np.bool_)
            self._put(name, np.where(told, self._wide(found[key]), np.nan), sigma)
        usual = self.model.r2_ohm * float(self.given.resistance.get("condition", 1.0))
        slow, sigma = self._wide(found["slow_ohm"]), self._wide(found["slow_ohm_sigma"])
        self._put("slow_difference", slow / usual, sigma / usual)
        if hours >= _LEAK_HOURS:
            self.needs.pop("leak_a")
        if swing >= _SWING:
            self.needs.pop("capacity_difference")
            self.needs.pop("offset_v")

    def _moved_back(self, offset_a: float) -> float:
        """SOC of the first window above that of now."""
        windows = self.windows
        hours = float(windows["time_ns"][-1] - windows["time_ns"][0]) * (1e-9 / 3600)
        moved = float(windows["moved_ah"][-1] - windows["moved_ah"][0]) - offset_a * hours
        return moved / self.model.capacity_ah

    def _capacity(self) -> None:
        """Ampere-hours between two long rests; without them only differences are known."""
        ground, blocked = self.given.ground, self._blocked()
        names = ("capacity_ah", "soh_capacity")
        missing = "" if ground.judged and not ground.basis.family else self._unnamed
        known = ground.charge and not ground.rough
        missing = missing or blocked or ("" if known else "need.capacity")
        for name in names:
            self.needs[name] = missing or "need.full_charge"
        if missing or self.rows < _LEAST_WINDOWS:
            return
        params = capacity.Params(self.model)
        state = capacity.start(params, self.given.count)
        wide = {n: self._wide_rows(v) for n, v in self.windows.items()}
        anchors = len(capacity.anchors(params, wide)[0])
        self.progress["capacity_ah"] = min(anchors / 2, 1.0)
        if anchors < 2 or not capacity.add_anchors(params, state, wide):
            return
        found, sigma = capacity.solve(params, state)
        if not np.isfinite(found).any():
            return
        self._put("capacity_ah", found, sigma)
        weight = 1 / np.where(np.isfinite(found), sigma, np.inf) ** 2
        mean = float(np.nansum(np.nan_to_num(found) * weight) / weight.sum())
        # Errors of OCV table and current are common to all cells: the mean is no better than one.
        self.pack |= {"capacity_ah": mean, "capacity_ah_sigma": float(np.nanmin(sigma))}
        self.needs.pop("capacity_ah")
        basis = ground.basis
        if basis.capacity_source in ("stated", "asked"):
            rated = basis.capacity_ah
            self._put("soh_capacity", found / rated, sigma / rated)
            self.pack |= {"soh": mean / rated, "soh_sigma": float(np.nanmin(sigma)) / rated}
            self.needs.pop("soh_capacity")
        else:
            self.needs["soh_capacity"] = "need.rated_capacity"

    def _sag(self) -> None:
        """The rider's hardest pull on every cell, at the present charge."""
        names, ground = ("sag_voltage_v", "sag_margin_v"), self.given.ground
        cut_off = ground.judged and not ground.basis.family  # a family has none
        missing = self._blocked() if cut_off else self._unnamed
        for name in names:
            self.needs[name] = missing or ("need.faster_scans" if self._slow else "need.ride")
        peak = self.given.peak_a
        if missing or not math.isfinite(peak) or "ten_second_ohm" not in self.cells:
            return
        self.pack["peak_a"] = peak
        warm = float(self.given.tally[_AT["temperature_degc"]])
        volts, margin, sigma = sag.margins(
            self.model,
            self.cells.get("soc", np.full(self.given.count, np.nan)),
            self.cells["ten_second_ohm"],
            self.cells["ten_second_ohm_sigma"],
            peak,
            warm if math.isfinite(warm) else 25.0,
        )
        self._put("sag_voltage_v", volts, sigma)
        self._put("sag_margin_v", margin, sigma)
        for name in names:
            self.needs.pop(name)

    # -- small ---------------------------------------------------------------------------------

    def _put(self, name: str, values: Floats, sigma: Floats | None = None) -> None:
        self.cells[name] = np.asarray(values, np.float64)
        if sigma is not None:
            known = np.isfinite(self.cells[name])
            self.cells[f"{name}_sigma"] = np.where(known, sigma, np.nan)

    def _wide(self, values: NDArray[Any]) -> Floats:
        """Per cell (N,), NaN for cells that were not there yet."""
        out = np.full(self.given.count, np.nan)
        out[: len(values)] = values
        return out

    def _wide_rows(self, values: NDArray[Any]) -> NDArray[Any]:
        if values.ndim == 1:
            return values
        out = np.full((len(values), self.given.count), np.nan)
        out[:, : values.shape[1]] = values
        return out


def _recent(windows: Outputs) -> Outputs:
    if not len(windows):
        return windows
    time = windows["time_ns"]
    first = int(np.searchsorted(time, time[-1] - _SPAN_NS))
    return frozen(**{name: values[first:] for name, values in windows.items()})
