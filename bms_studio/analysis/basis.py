"""On what an analysis stands: chemistry, capacity and cell model, and where each comes from.

Stated rules (docs/architecture.md): a person's word, then the profile's, then the BMS's, then what
the data themselves speak for; what nobody knows is not assumed. No estimator runs here, no file.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.contract import Basis, Settings
from bms_studio.estimators.model import CellModel, Rival, cell_model, with_changes
from bms_studio.estimators.ocv_error import tables_of
from bms_studio.pack.chemistry import (
    CUSTOM,
    NAMES,
    Chemistry,
    chemistry_from_csv,
    family_of,
    load_chemistry,
)
from bms_studio.pack.kin import OXIDE, OXIDES, Kin, kin_of
from bms_studio.pack.learn_capacity import MOST_SIGMA, learn_capacity
from bms_studio.pack.profile import Profile
from bms_studio.pack.recognise import Recognised, recognise
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
_MOVED = 0.03
# A chemistry is taken from the data when they are this sure; the basis says that it was.
_RECOGNISED = 0.8
# So sure must they be to contradict a person; between these the voltages leave no doubt at all, and
# nothing is judged until somebody decides.
_CONTRADICTS, _APART = 0.95, ("oxide", "LFP")
# A capacity known worse than that is not told, but differences between cells hardly depend on it
# (charge moved and the slope of the curve are both shares of it): up to this sigma they are judged.
# The filter believes the tables of a family to this at least.
_ROUGH_SIGMA, _LEAST_BELIEF = 0.4, 0.01
# Beside the likeliest table so many others are asked, if they are worth this much of it.
_OTHERS, _WORTH = 2, 0.08
# A rough capacity is only a scale: this much apart, all is analysed once more.
_ROUGH_APART = 0.15


@dataclass(frozen=True, slots=True)
class Known:
    """What the data have said so far: the BMS's SOC in the first seconds and its full charge, a
    recognised chemistry with confidence, whether voltage contradicts the current's sign, and the
    capacity that the voltage over charge speaks for, with its relative sigma. kin: tables that may
    be this cell's; against: family that the data speak for against the one that was stated."""

    soc: float = math.nan
    full_ah: float = math.nan
    chemistry: str = ""
    confidence: float = 0.0
    sign_contradicts: bool = False
    learned_ah: float = math.nan
    learned_sigma: float = math.nan
    kin: Kin = field(default_factory=Kin)
    against: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """Basis and cell model. judged: whether SOC can be estimated (chemistry or its family known);
    charge: whether current counts as charge (capacity known, sign not contradicted). limits: of the
    chemistry. rough: the capacity only scales differences, nothing in Ah is told; scale_sigma: how
    well it is known, relative. others: other tables that may be the cell's, with their belief
    against one of the model's, for what one table alone would be too sure of. table_sigma: (101,)
    over SOC, what the tables of a family disagree by at one voltage; empty without a family."""

    basis: Basis
    model: CellModel
    chemistry: Chemistry
    judged: bool
    charge: bool
    initial_soc: float
    rough: bool = False
    scale_sigma: float = 0.0
    others: tuple[tuple[float, CellModel], ...] = ()
    table_sigma: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


def settle(settings: Settings, profile: Profile, known: Known) -> Ground:
    """What an analysis stands on. ValueError, one sentence, for settings that cannot be used."""
    name, source, confidence = _chemistry_name(settings, profile, known)
    capacity, capacity_source = _capacity(settings, profile, known)
    kin = known.kin.of(OXIDES) if not name and known.kin.family == OXIDE else Kin()
    scale, scale_sigma = _scale(capacity, known, kin, name)
    if math.isnan(scale):
        kin = Kin()
    likeliest, belief = kin.tables[0][:2] if kin.tables else ("", 0.0)
    rough = math.isnan(capacity) and not math.isnan(scale)
    against = known.against if source in ("asked", "stated") else ""
    chemistry = _chemistry(name or likeliest, settings)
    learned = capacity_source == "learned"
    basis = Basis(
        chemistry=name,
        chemistry_confidence=confidence,
        chemistry_source=source,
        capacity_ah=capacity,
        capacity_source=capacity_source,
        model="2-RC, hysteresis" if name or likeliest else "",
        notes=_notes(name, likeliest, rough or not math.isnan(capacity), rough, known, against),
        table=likeliest,
        table_confidence=round(belief, 2),
        family=kin.family,
        capacity_sigma=round(known.learned_sigma, 3) if learned else math.nan,
    )
    model = _model(settings, chemistry, scale, "learned" if rough else capacity_source)
    if likeliest:
        model = with_changes(model, rivals=_rivals(model, kin))
    charge = not math.isnan(scale) and not known.sign_contradicts
    hint = known.soc if settings.use_bms_soc else math.nan
    judged = bool(name or likeliest) and against not in _APART
    tables = kin if likeliest else _named(known.kin, name) if source == "recognised" else Kin()
    others = _others(tables, likeliest or name, math.nan if learned else capacity)
    apart = _apart(tables, chemistry) if likeliest or (rough and tables.tables) else np.zeros(0)
    return Ground(basis, model, chemistry, judged, charge, hint, rough, scale_sigma, others, apart)


def _apart(kin: Kin, chemistry: Chemistry) -> NDArray[np.float64]:
    """(101,) over SOC by this table: root mean square, by belief, of what the other tables make of
    the same open-circuit voltage."""
    square = np.zeros(len(chemistry.soc))
    for name, belief, _, _ in kin.tables:
        other = load_chemistry(name)
        rising = np.maximum.accumulate(other.ocv_v) + 1e-9 * np.arange(len(other.ocv_v))
        square += belief * (np.interp(chemistry.ocv_v, rising, other.soc) - chemistry.soc) ** 2
    return np.asarray(np.sqrt(square), np.float64)


def _notes(
    name: str, likeliest: str, sized: bool, rough: bool, known: Known, against: str
) -> tuple[str, ...]:
    """Message codes of what degrades the result."""
    notes = []
    if likeliest:
        notes.append(f"basis.oxide_{likeliest.lower()}")
    elif not name:
        notes.append("basis.no_chemistry")
    if rough:
        notes.append("basis.rough_capacity")
    elif not sized:
        notes.append("basis.no_capacity")
    if known.sign_contradicts:
        notes.append("basis.sign_contradicts")
    if against:
        notes.append(f"basis.against_{against.lower()}")
    return tuple(notes)


def _model(settings: Settings, chemistry: Chemistry, scale_ah: float, source: str) -> CellModel:
    sigma = {"bms": _BMS_SIGMA, "learned": _LEARNED_SIGMA}.get(source, _STATED_SIGMA)
    model = cell_model(chemistry, _SCALE_AH if math.isnan(scale_ah) else scale_ah)
    try:
        return with_changes(model, capacity_sigma=sigma, **dict(settings.model))
    except TypeError:
        raise ValueError(
            f"the cell model has no {' or '.join(settings.model)}: there are "
            f"{', '.join(CellModel.__dataclass_fields__)}"
        ) from None


def _scale(capacity: float, known: Known, kin: Kin, name: str) -> tuple[float, float]:
    """Capacity that shares of charge are counted with, and its sigma where it is a rough one; NaN
    where there is none."""
    if not math.isnan(capacity):
        return capacity, 0.0
    size, sigma = math.nan, math.nan
    # A plateau is as long as the capacity: there nothing can be judged with a rough one.
    if name in OXIDES:
        size, sigma = known.learned_ah, known.learned_sigma
    elif not name and kin.tables:
        size, sigma = kin.tables[0][2], kin.capacity[1]
    return (size, sigma) if sigma <= _ROUGH_SIGMA else (math.nan, 0.0)


def _rivals(model: CellModel, kin: Kin) -> tuple[Rival, ...]:
    """The other oxides, with the belief that the data left them."""
    beliefs = {name: max(belief, _LEAST_BELIEF) for name, belief, _, _ in kin.tables}
    chosen = [r for r in model.rivals if r.name in OXIDES]
    total = sum(beliefs.get(r.name, _LEAST_BELIEF) for r in chosen) + kin.tables[0][1]
    return tuple(replace(r, belief=beliefs.get(r.name, _LEAST_BELIEF) / total) for r in chosen)


def _named(kin: Kin, name: str) -> Kin:
    """Tables of the family of a name."""
    return kin.of(n for n in NAMES if family_of(n) == family_of(name))


def _others(kin: Kin, name: str, capacity_ah: float) -> tuple[tuple[float, CellModel], ...]:
    """The likeliest tables beside this one, with the belief in each against it, and with the
    capacity that each needs where nobody states one; then also this one with more and with less,
    as sure as it is (three points that have the moments of a normal distribution)."""
    found = {table[0]: table for table in kin.tables}
    if name not in found:
        return ()
    asked = [table for table in kin.tables if table[0] != name][:_OTHERS]
    sized = not math.isnan(capacity_ah)
    _, own, size, sigma = found[name]
    out = [
        (belief / own * (1.0 if sized else 1.5), other, capacity_ah if sized else needed)
        for other, belief, needed, _ in asked
        if belief > _WORTH * own
    ]
    if not sized:
        away = math.sqrt(3.0) * sigma
        out += [(0.25, name, size * math.exp(away)), (0.25, name, size * math.exp(-away))]
    return tuple((weight, cell_model(load_chemistry(n), ah)) for weight, n, ah in out)


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
    if known.learned_ah > 0 and known.learned_sigma <= MOST_SIGMA:
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
    known: Known, windows: Mapping[str, NDArray[Any]], ground: Ground, *, current: bool
) -> Known:
    """The same with the chemistry that the data speak for, if they are sure enough, with the tables
    that may be the cell's, and with what contradicts the chemistry stated. windows: see
    `estimators.leak`; current: whether a current was ever measured."""
    basis = ground.basis
    time, volts, amps, degc = _median_cell(windows)
    if not len(time) or basis.chemistry == CUSTOM.lower():
        return known
    capacity = math.nan if basis.capacity_source == "learned" else basis.capacity_ah
    if current and not known.sign_contradicts:
        known = replace(known, kin=kin_of(time, volts, amps, capacity, degc).after(known.kin))
    found = recognise(time, volts, amps if current else None, capacity, degc)
    if basis.chemistry_source in ("asked", "stated"):
        return replace(known, against=_against(basis.chemistry, found, known.kin))
    if not found.name or found.confidence < _RECOGNISED:
        return known
    return replace(known, chemistry=found.name, confidence=round(found.confidence, 2))


def _against(stated: str, found: Recognised, kin: Kin) -> str:
    """What the data speak for against the chemistry stated: "oxide" or "LFP", a table of another
    family; "": nothing."""
    if stated not in OXIDES:
        return kin.family
    sure = found.name and found.confidence >= _CONTRADICTS
    return found.name if sure and found.family != family_of(stated) else ""


def with_table(basis: Basis, model: CellModel, row: Mapping[str, Any]) -> Basis:
    """The same with the table that SOC follows by now (row: one of `estimators.soc`), said so
    where it is another than the chemistry's."""
    at = int(row.get("table", 0))
    if not at:
        return basis
    name = tables_of(model).names[at]
    belief = round(float(row["table_belief"]), 2)
    notes = (*basis.notes, f"basis.nearer_{name.lower()}")
    if basis.family:
        return replace(basis, notes=notes)  # what it is judged as stays said
    return replace(basis, notes=notes, table=name, table_confidence=belief)


def differs(now: Ground, then: Ground) -> bool:
    """Whether what is known now is worth an analysis from the beginning."""
    new, old = now.basis, then.basis
    if (new.chemistry, new.capacity_source, new.notes) != (
        old.chemistry,
        old.capacity_source,
        old.notes,
    ):
        return True
    most = _ROUGH_APART if now.rough else _MOVED
    learned = now.rough or new.capacity_source == "learned"
    return learned and abs(now.model.capacity_ah / then.model.capacity_ah - 1.0) > most


def with_capacity(known: Known, windows: Mapping[str, NDArray[Any]], ground: Ground) -> Known:
    """The same with the capacity that all data so far speak for where nobody states one, and its
    sigma. A label names a family: each of its tables has a say. A current of unknown sign tells
    nothing; `with_chemistry` has asked the tables."""
    name = ground.basis.chemistry or known.chemistry
    if ground.basis.capacity_source not in ("", "learned") or known.sign_contradicts:
        return known
    if name == CUSTOM.lower():
        time, volts, amps, _ = _median_cell(windows)
        if not len(time):
            return known
        ah, sigma = learn_capacity(ground.chemistry, time, volts, amps)
    else:
        kin = known.kin
        if name:
            kin = _named(kin, name)
        else:
            kin = kin.of(OXIDES) if kin.family == OXIDE else Kin()
        ah, sigma = kin.capacity
    return replace(known, learned_ah=round(ah, 3), learned_sigma=sigma)


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
