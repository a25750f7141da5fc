"""What an analysis is told and what it answers: plain data that live, replay and files share.

No estimator, detector, file or window enters here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from numpy.typing import NDArray

from bms_studio.diagnosis.contract import CellRisk, Finding, Verdict
from bms_studio.pack.health import Health

# Timeline groups of pack 1 (further packs: "packs/<n>/" before them). Per cell, the columns of
# "cells": ESTIMATES + quantity and HEALTH + quantity (names of `bms_studio.pack.health`, and
# `<name>_sigma`), for example "estimates/soc_sigma", "health/resistance_ohm". Of the pack:
# PACK_GROUP with PACK_COLUMNS.
ESTIMATES = "estimates/"
HEALTH = "health/"
PACK_GROUP = "estimates/pack"
PACK_COLUMNS = (
    "soc",
    "soc_sigma",
    "coulomb_soc",
    "usable_soc",
    "usable_soc_sigma",
    "usable_ah",
    "usable_wh",
    "usable_wh_sigma",
    "limiting_cell",
    "costs_wh",
    "full_cell",
    "offset_a",
    "correcting",
    "peak_a",
    # Power: <discharge|charge>_<2|10|30>_<a|w|w_sigma|cell|cause>; cause: index into power.CAUSES.
    *(
        f"{way}_{seconds}_{what}"
        for way in ("discharge", "charge")
        for seconds in (2, 10, 30)
        for what in ("a", "w", "w_sigma", "cell", "cause")
    ),
    "hysteresis",  # -1 after discharge .. 1 after charge
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All that an analysis may be told; NaN and "": not stated, found from data or left unknown.

    chemistry: a name of `pack.chemistry` or "custom" with `ocv`; ocv: text of a CSV table
    (soc, ocv_v); capacity_ah: rated; noise_v, error_v: as in `soc.Params`; model: changes of the
    cell model by field name (r0_ohm, tau1_s, …). name: how a person calls this analysis.
    """

    name: str = ""
    chemistry: str = ""
    ocv: str = ""
    capacity_ah: float = float("nan")
    noise_v: float = float("nan")
    error_v: float = float("nan")
    bleed_a: float = float("nan")
    use_bms_soc: bool = True
    model: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the attribute `settings` of /analyses/<n>; what is not stated is null or empty."""
        return {k: (None if v != v else v) for k, v in asdict(self).items()}


def settings_from_json(stored: Mapping[str, Any]) -> Settings:
    """The inverse; unknown keys are ignored, so that older programs read newer recordings."""
    known = {f.name for f in fields(Settings)}
    stated: dict[str, Any] = {
        k: float("nan") if v is None else v for k, v in stored.items() if k in known
    }
    return Settings(**stated)


@dataclass(frozen=True, slots=True)
class Basis:
    """What the estimates stand on: chemistry with confidence 0..1 and where it comes from
    ("stated", "recognised", "asked"), capacity likewise ("bms"; "learned": voltage over charge); ""
    and NaN: unknown, nothing is judged that would need it. notes: message codes of what degrades
    the result ("basis.no_current"). table, table_confidence: the published table that SOC follows
    because the voltages do, where it is not that of the chemistry; "": it is. family: "oxide" where
    the chemistry is unknown and cells are judged against each other as some 4.2 V oxide, with
    `table` the likeliest of the published ones; "": not so. capacity_sigma: of a learned capacity,
    relative."""

    chemistry: str = ""
    chemistry_confidence: float = 0.0
    chemistry_source: str = ""
    capacity_ah: float = float("nan")
    capacity_source: str = ""
    model: str = ""
    notes: tuple[str, ...] = ()
    table: str = ""
    table_confidence: float = 0.0
    family: str = ""
    capacity_sigma: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """One analysis of a pack: kept beside others in a recording, each with its settings.

    estimates: "time" (int64 ns, M) and columns (M,) or (M, N); health: one per evaluation, oldest
    first; findings: every transition, in time order; risks: one per cell, by cell number.
    """

    number: int
    created: str
    software: str
    settings: Settings
    basis: Basis
    cells: int
    labels: tuple[str, ...]
    estimates: Mapping[str, NDArray[Any]]
    health: tuple[Health, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    risks: tuple[CellRisk, ...]


@dataclass(frozen=True, slots=True)
class AnalysisStatus:
    """What the window polls (`view.analysis`): replaced as a whole.

    health: newest not later than the present moment, None before the first. runs: names of the
    analyses kept, oldest first; shown: which one the timeline shows. busy: 0..1 while one is
    running in the background, NaN when none is. visits: earlier visits of the same pack (its
    serial number), oldest first, without the present one. error: one
    sentence about a background analysis that failed, "" when none did. verdict, findings (newest
    states): of a further pack on the bus; those of the first stand in the view. evaluations: all up
    to the present moment, oldest first, for whoever looks back.
    """

    basis: Basis = Basis()
    settings: Settings = Settings()
    health: Health | None = None
    risks: tuple[CellRisk, ...] = ()
    runs: tuple[str, ...] = ()
    shown: int = 0
    busy: float = float("nan")
    visits: tuple[Health, ...] = ()
    error: str = ""
    verdict: Verdict | None = None
    findings: tuple[Finding, ...] = ()
    evaluations: tuple[Health, ...] = ()
