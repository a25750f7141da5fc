"""Analyses for people who work with pandas: what `bms_studio.estimate` and `diagnose` return.

Cells are numbered from 1, times are UTC, units stand in `df.attrs["units"]`. Nothing is written.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bms_studio.analysis.contract import PACK_COLUMNS, Analysis, Basis, Settings
from bms_studio.analysis.document import ranked
from bms_studio.analysis.recorded import analyse_recording
from bms_studio.analysis.run import Analysed
from bms_studio.diagnosis.contract import Verdict
from bms_studio.messages import check_words, render
from bms_studio.pack.health import QUANTITIES, Health
from bms_studio.pack.profile import Profile, load_profile
from recordings.analysis_layout import OUTLOOK
from recordings.frame_tables import time_index
from recordings.reader import Recording


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """What was estimated of one pack.

    soc, soc_sigma: (rows, cells); pack: the whole pack by time (usable charge, power …); cells: the
    newest evaluation, one row per cell, each quantity beside its `_sigma`; history: the same per
    quantity by time; needs: what would make a quantity known; basis: chemistry, capacity, model and
    where they come from. packs: further packs by number.
    """

    soc: pd.DataFrame
    soc_sigma: pd.DataFrame
    pack: pd.DataFrame
    cells: pd.DataFrame
    history: dict[str, pd.DataFrame]
    needs: dict[str, str]
    basis: Basis
    settings: Settings
    packs: "dict[int, Estimates]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """What is wrong with one pack: code, text, next_action, checked, not_checked of the verdict;
    cells: rank (1 fails first), risk, mechanism, probability, evidence in words per cell; findings:
    the newest state of each; verdict: in codes. packs: further packs by number."""

    code: str
    text: str
    next_action: str
    checked: tuple[str, ...]
    not_checked: tuple[str, ...]
    cells: pd.DataFrame
    findings: pd.DataFrame
    verdict: Verdict
    packs: "dict[int, Diagnosis]" = field(default_factory=dict)


def analysed(source: Any, settings: Settings, profile: str | Path | Profile | None) -> Analysed:
    """Analyse a recording: a path, a `Recording`, or what `bms_studio.open` gave."""
    recording = source if isinstance(source, Recording) else getattr(source, "recording", None)
    if recording is None:
        recording = Recording(source)
    known = load_profile(Path(profile)) if isinstance(profile, (str, Path)) else profile
    return analyse_recording(recording, settings, known)


def estimates(done: Analysed) -> Estimates:
    """All packs of an analysis."""
    told = {n: a for n in sorted(done.run.packs) if (a := done.run.analysis(n)) is not None}
    if not told:
        return _estimates(_nothing(done.run.settings), {})
    first = min(told)
    return _estimates(told[first], {n: _estimates(a, {}) for n, a in told.items() if n != first})


def diagnosis(done: Analysed) -> Diagnosis:
    """All packs of an analysis."""
    told = {n: a for n in sorted(done.run.packs) if (a := done.run.analysis(n)) is not None}
    if not told:
        return _diagnosis(_nothing(done.run.settings), {})
    first = min(told)
    return _diagnosis(told[first], {n: _diagnosis(a, {}) for n, a in told.items() if n != first})


def _nothing(settings: Settings) -> Analysis:
    none = Verdict("NOT_ENOUGH_DATA", ("verdict.not_enough_data", {}), ("action.wait", {}))
    return Analysis(0, "", "", settings, Basis(), 0, (), {}, (), (), none, ())


def _estimates(analysis: Analysis, packs: dict[int, Estimates]) -> Estimates:
    stored = analysis.estimates
    time = np.asarray(stored.get("time", np.empty(0, np.int64)), np.int64)
    empty = np.empty((len(time), analysis.cells), np.float32)
    units = {name: unit for name, unit, _, _ in OUTLOOK}
    names = [f"pack_{n}" if n in ("soc", "soc_sigma") else n for n in PACK_COLUMNS]
    pack = pd.DataFrame({n: stored[n] for n in names if n in stored}, time_index(time))
    pack.attrs["units"] = {n: units.get(str(n).removesuffix("_sigma"), "") for n in pack.columns}
    last = analysis.health[-1] if analysis.health else Health(0, 0, analysis.cells)
    return Estimates(
        soc=_wide(time, stored.get("soc", empty), "1"),
        soc_sigma=_wide(time, stored.get("soc_sigma", empty), "1"),
        pack=pack,
        cells=_cells(analysis, last),
        history=_history(analysis),
        needs=dict(last.needs),
        basis=analysis.basis,
        settings=analysis.settings,
        packs=packs,
    )


def _wide(time: NDArray[np.int64], values: NDArray[Any], unit: str) -> pd.DataFrame:
    columns = pd.RangeIndex(1, values.shape[1] + 1, name="cell")
    table = pd.DataFrame(values, time_index(time), columns)
    table.attrs.update(unit=unit, units=dict.fromkeys(columns, unit))
    return table


def _cells(analysis: Analysis, health: Health) -> pd.DataFrame:
    index = pd.RangeIndex(1, analysis.cells + 1, name="cell")
    labels = [*analysis.labels, *(str(n) for n in index[len(analysis.labels) :])]
    table: dict[str, Any] = {"label": labels[: analysis.cells]}
    units = {}
    for quantity in QUANTITIES:
        for name in (quantity.name, *((f"{quantity.name}_sigma",) * quantity.has_sigma)):
            table[name] = health.values(name)
            units[name] = quantity.unit
    frame = pd.DataFrame(table, index)
    frame.attrs.update(units=units, needs=dict(health.needs), basis=_basis(analysis.basis))
    return frame


def _history(analysis: Analysis) -> dict[str, pd.DataFrame]:
    time = np.array([h.time for h in analysis.health], np.int64)
    out = {}
    for quantity in QUANTITIES:
        for name in (quantity.name, f"{quantity.name}_sigma"):
            if any(name in h.cells for h in analysis.health):
                rows = np.full((len(time), analysis.cells), np.nan)
                for i, h in enumerate(analysis.health):
                    rows[i, : h.count] = h.values(name)
                out[name] = _wide(time, rows, quantity.unit)
    return out


def _basis(basis: Basis) -> dict[str, Any]:
    return {
        "chemistry": basis.chemistry,
        "chemistry_source": basis.chemistry_source,
        "capacity_ah": basis.capacity_ah,
        "capacity_source": basis.capacity_source,
        "family": basis.family,
        "table": basis.table,
        "table_confidence": basis.table_confidence,
        "capacity_sigma": basis.capacity_sigma,
        "model": basis.model,
        "notes": list(basis.notes),
    }


def _diagnosis(analysis: Analysis, packs: dict[int, Diagnosis]) -> Diagnosis:
    verdict = analysis.verdict
    risks = ranked(analysis)
    cells = pd.DataFrame(
        {
            "rank": [r.rank for r in risks],
            "risk": [r.risk for r in risks],
            "mechanism": [r.mechanism for r in risks],
            "probability": [r.probability for r in risks],
            "reason": [render(*r.reason) for r in risks],
            "evidence": ["; ".join(str(e.get("text", "")) for e in r.evidence) for r in risks],
        },
        pd.Index([r.cell for r in risks], name="cell"),
    )
    for unit in ("cycles", "days"):
        for share in ("p10", "p50", "p90"):
            found = [[t for t in r.lead_time if t.unit == unit] for r in risks]
            if any(found):
                column = [getattr(f[0], share) if f else math.nan for f in found]
                cells[f"{unit}_{share}"] = column
    newest = list({f.id: f for f in analysis.findings}.values())
    findings = pd.DataFrame(
        {
            "id": [f.id for f in newest],
            "cell": [f.cell for f in newest],
            "kind": [f.kind for f in newest],
            "severity": [f.severity for f in newest],
            "state": [f.state for f in newest],
            "score": [f.score for f in newest],
            "start": time_index(np.array([f.start for f in newest], np.int64)),
            "end": time_index(np.array([f.end for f in newest], np.int64)),
            "text": [render(f.code, f.parameters, f.text) for f in newest],
        },
        time_index(np.array([f.time for f in newest], np.int64)),
    )
    return Diagnosis(
        code=verdict.code,
        text=render(*verdict.headline),
        next_action=render(*verdict.next_action),
        checked=tuple(render(*item) for item in verdict.checked),
        not_checked=tuple(check_words(*item) for item in verdict.not_checked),
        cells=cells.sort_values("rank"),
        findings=findings,
        verdict=verdict,
        packs=packs,
    )
