"""On what an analysis stands: chemistry, capacity and cell model, and where each comes from.

Stated rules (docs/architecture.md): a person's word, then the profile's, then the BMS's, then what
the data themselves speak for; what nobody knows is not assumed. No estimator runs here, no file.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.contract import Basis, Settings
from bms_studio.estimators.model import CellModel, cell_model, with_changes
from bms_studio.estimators.ocv_error import tables_of
from bms_studio.pack.chemistry import NAMES, Chemistry, chemistry_from_csv, load_chemistry
from bms_studio.pack.learn_capacity import learn_capacity
from bms_studio.pack.profile import Profile
from bms_studio.pack.recognise import recognise
from protocols.roles import PACK_FIELDS

# Without a capacity, currents are compared with this one: it scales thresholds, never a result.
_SCALE_AH = 10.0
# How well the capacity is known: a data sheet and some cycles; the BMS's own full charge. One that
# was learned has had its say from these data: the filter may not learn it from them once more (with
# its whole sigma it went 20 % astray, the table's error taken for charge).
_STATED_SIGMA, _BMS_SIGMA, _LEARNED_SIGMA = 0.03, 0.05, 0.04
# A full charge below this is a field that is not filled.
_LEAST_AH = 0.1
_SOC, _FULL = ([f.name for f in PACK_FIELDS].index(n) for n in ("soc", "full_ah"))
# A capacity that was learned goes on being learned; this much apart, all is analysed once more.
_APART = 0.03
# A chemistry is taken from the data when they are this sure; the basis says that it was.
_RECOGNISED = 0.8


@dataclass(frozen=True, slots=True)
class Known:
    """What the data have said so far: the BMS's SOC in the first seconds and its full charge, a
    recognised chemistry with confidence, whether voltage contradicts the current's sign, and the
    capacity that the voltage over charge speaks for."""

    soc: float = math.nan
    full_ah: float = math.nan
    chemistry: str = ""
    confidence: float = 0.0
    sign_contradicts: bool = False
    learned_ah: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Basis and cell model. judged: whether SOC can be estimated (chemistry known); charge: whether
    current counts as charge (capacity known, sign not contradicted). limits: of the chemistry."""

    basis: Basis
    model: CellModel
    chemistry: Chemistry
    judged: bool
    charge: bool
    initial_soc: float


def settle(settings: Settings, profile: Profile, known: Known) -> Ground:
    """What an analysis stands on. ValueError, one sentence, for settings that cannot be used."""
    name, source, confidence = _chemistry_name(settings, profile, known)
    capacity, capacity_source = _capacity(settings, profile, known)
    notes = []
    if not name:
        notes.append("basis.no_chemistry")
    if math.isnan(capacity):
        notes.append("basis.no_capacity")
    if known.sign_contradicts:
        notes.append("basis.sign_contradicts")
    chemistry = _chemistry(name, settings)
    scale = _SCALE_AH if math.isnan(capacity) else capacity
    model = cell_model(chemistry, scale)
    sigma = {"bms": _BMS_SIGMA, "learned": _LEARNED_SIGMA}.get(capacity_source, _STATED_SIGMA)
    try:
        model = with_changes(model, capacity_sigma=sigma, **dict(settings.model))
    except TypeError:
        raise ValueError(
            f"the cell model has no {' or '.join(settings.model)}: there are "
            f"{', '.join(CellModel.__dataclass_fields__)}"
        ) from None
    basis = Basis(
        chemistry=name,
        chemistry_confidence=confidence,
        chemistry_source=source,
        capacity_ah=capacity,
        capacity_source=capacity_source,
        model="2-RC, hysteresis" if name else "",
        notes=tuple(notes),
    )
    charge = not math.isnan(capacity) and not known.sign_contradicts
    hint = known.soc if settings.use_bms_soc else math.nan
    return Ground(basis, model, chemistry, bool(name), charge, hint)


def _chemistry_name(settings: Settings, profile: Profile, known: Known) -> tuple[str, str, float]:
    if settings.chemistry or settings.ocv:
        name = "custom" if settings.ocv else settings.chemistry
        return (name if name == "custom" else name.upper()), "asked", 1.0
    if profile.chemistry.upper() in NAMES:
        return profile.chemistry.upper(), "stated", 1.0
    if known.chemistry:
        return known.chemistry, "recognised", known.confidence
    return "", "", 0.0


def _capacity(settings: Settings, profile: Profile, known: Known) -> tuple[float, str]:
    if not math.isnan(settings.capacity_ah):
        if not settings.capacity_ah > 0:
            raise ValueError(f"the capacity must be positive, not {settings.capacity_ah} Ah")
        return settings.capacity_ah, "asked"
    if profile.capacity_ah > 0:
        return profile.capacity_ah, "stated"
    if known.full_ah > 0:
        return known.full_ah, "bms"
    if known.learned_ah > 0:
        return known.learned_ah, "learned"
    return math.nan, ""


def _chemistry(name: str, settings: Settings) -> Chemistry:
    if name == "custom":
        if not settings.ocv:
            raise ValueError("a custom chemistry needs its table of soc and ocv_v (--ocv FILE.csv)")
        return chemistry_from_csv(settings.ocv, "the OCV table")
    # Where nothing is known the table only places a reading; nothing judged rests on it.
    return load_chemistry(name or "NMC")


def with_bms(known: Known, rows: NDArray[Any], *, early: bool) -> Known:
    """The same with what the BMS says in these pack rows; its SOC counts only at the beginning."""
    soc, full = known.soc, known.full_ah
    if early and math.isnan(soc):
        told = rows[:, _SOC][~np.isnan(rows[:, _SOC])]
        soc = float(told[0]) if len(told) and 0.0 <= told[0] <= 1.0 else soc
    if math.isnan(full):
        told = rows[:, _FULL][rows[:, _FULL] > _LEAST_AH]
        full = float(told[0]) if len(told) else full
    return replace(known, soc=soc, full_ah=full)


def with_chemistry(
    known: Known, windows: Mapping[str, NDArray[Any]], capacity_ah: float, *, current: bool
) -> Known:
    """The same with the chemistry that the data speak for, if they are sure enough. windows: see
    `estimators.leak`; current: whether a current was ever measured."""
    time, volts, amps, degc = _median_cell(windows)
    if not len(time):
        return known
    found = recognise(time, volts, amps if current else None, capacity_ah, degc)
    if not found.name or found.confidence < _RECOGNISED:
        return known
    return replace(known, chemistry=found.name, confidence=round(found.confidence, 2))


def with_table(basis: Basis, model: CellModel, row: Mapping[str, Any]) -> Basis:
    """The same with the table that SOC follows by now (row: one of `estimators.soc`), said so
    where it is another than the chemistry's."""
    at = int(row.get("table", 0))
    if not at:
        return basis
    name = tables_of(model).names[at]
    belief = round(float(row["table_belief"]), 2)
    notes = (*basis.notes, f"basis.nearer_{name.lower()}")
    return replace(basis, notes=notes, table=name, table_confidence=belief)


def differs(now: Basis, then: Basis) -> bool:
    """Whether what is known now is worth an analysis from the beginning."""
    if now.capacity_source == then.capacity_source == "learned":
        apart = abs(now.capacity_ah / then.capacity_ah - 1.0)
        return apart > _APART or now.chemistry != then.chemistry or now.notes != then.notes
    return (now.chemistry, now.capacity_source, now.notes) != (
        then.chemistry,
        then.capacity_source,
        then.notes,
    )


def with_capacity(known: Known, windows: Mapping[str, NDArray[Any]], ground: Ground) -> Known:
    """The same with the capacity that all data so far speak for where nobody states one, if they
    tell it. A current of unknown sign tells nothing."""
    name = ground.basis.chemistry or known.chemistry
    if ground.basis.capacity_source not in ("", "learned") or not name or known.sign_contradicts:
        return known
    chemistry = ground.chemistry if ground.judged else load_chemistry(name)
    time, volts, amps, _ = _median_cell(windows)
    if not len(time):
        return known
    ah, _ = learn_capacity(chemistry, time, volts, amps)
    return known if math.isnan(ah) else replace(known, learned_ah=round(ah, 3))


def _median_cell(
    windows: Mapping[str, NDArray[Any]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Seconds, volts and amperes of the windows that saw a cell, and their usual temperature."""
    none = np.zeros(0)
    if not len(windows):
        return none, none, none, math.nan
    seen = ~np.isnan(windows["cell_v"]).all(axis=1)
    if not seen.any():
        return none, none, none, math.nan
    warm = windows["temperature_degc"][seen]
    degc = float(np.nanmedian(warm)) if np.isfinite(warm).any() else math.nan
    time = (windows["time_ns"][seen] - windows["time_ns"][0]) * 1e-9
    return time, np.nanmedian(windows["cell_v"][seen], axis=1), windows["current_a"][seen], degc
