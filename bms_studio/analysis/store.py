"""Analyses as they stand in a recording (DESIGN 7.3), and back.

The only file of this room that knows the layout of recordings; `recordings.analyses` writes. What
comes from a recording is checked here: it may be a stranger's. NaN is null in JSON.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.analyser import Block
from bms_studio.analysis.contract import (
    ESTIMATES,
    HEALTH,
    PACK_COLUMNS,
    PACK_GROUP,
    Basis,
    settings_from_json,
)
from bms_studio.analysis.runs import PackRun, Run
from bms_studio.diagnosis.contract import CellRisk, Finding, LeadTime, Verdict
from bms_studio.pack.health import BY_NAME, PACK_QUANTITIES, Health
from recordings.analyses import AnalysisParts
from recordings.analysis_layout import CELL_NUMBERS
from recordings.reader import Recording

_CELL_NUMBERS = tuple(name for name, _ in CELL_NUMBERS)
_JSON_COLUMNS = ("parameters", "evidence")
_MOST_TEXT = 64 << 20
_PACK_NAMES = tuple(
    name for q in PACK_QUANTITIES for name in (q.name, *((f"{q.name}_sigma",) * q.has_sigma))
)
_CELL_NAMES = tuple(
    name for q in BY_NAME.values() for name in (q.name, *((f"{q.name}_sigma",) * q.has_sigma))
)


def parts_of(run: Run, pack: int, labels: Sequence[str] = ()) -> AnalysisParts:
    """One pack's share of a run, ready for `recordings.analyses.add_analyses`."""
    told = run.pack(pack)
    attributes = {
        "name": run.settings.name,
        "settings": _words(run.settings.as_json()),
        "software": run.software,
        "created": run.created,
        "basis": _words(asdict(told.basis)),
        "verdict": _words(asdict(told.verdict)) if told.verdict is not None else "",
        "risks": _words([asdict(risk) for risk in told.risks]),
        "serial": told.health[-1].serial if told.health else "",
    }
    analysis = run.analysis(pack)
    groups: dict[str, Mapping[str, Any]] = {}
    if analysis is not None and len(analysis.estimates.get("time", ())):
        groups["estimates"] = {
            name: np.nan_to_num(values) if name in _CELL_NUMBERS else values
            for name, values in analysis.estimates.items()
            if name == "time" or np.isfinite(values).any()
        }
    if told.health:
        groups["health"] = health_columns(told.health, told.cells)
    if told.findings:
        groups["findings"] = _findings(told.findings)
    return AnalysisParts(attributes, groups, tuple(labels))


def health_columns(health: Sequence[Health], cells: int) -> dict[str, Any]:
    """Evaluations, oldest first, as the columns of /health."""
    out: dict[str, Any] = {
        "time": np.array([h.time for h in health], np.int64),
        "start": np.array([h.start for h in health], np.int64),
        "needs": [_words(dict(h.needs)) for h in health],
        "progress": [_words(dict(h.progress)) for h in health],
    }
    for name in _CELL_NAMES:
        if any(name in h.cells for h in health):
            rows = np.full((len(health), cells), np.nan, np.float32)
            for i, h in enumerate(health):
                values = h.cells.get(name)
                if values is not None:
                    rows[i, : len(values)] = values[:cells]
            out[name] = rows
    for name in _PACK_NAMES:
        if any(name in h.pack for h in health):
            out[f"pack_{name}"] = np.array([h.of_pack(name) for h in health], np.float32)
    return out


def _findings(findings: Sequence[Finding]) -> dict[str, Any]:
    ordered = sorted(findings, key=lambda f: f.time)
    out: dict[str, Any] = {}
    for name in ("time", "start", "end"):
        out[name] = np.array([getattr(f, name) for f in ordered], np.int64)
    out["cell"] = np.array([f.cell for f in ordered], np.uint16)
    out["score"] = np.array([f.score for f in ordered], np.float32)
    out["count"] = np.array([f.count for f in ordered], np.uint32)
    for name in ("id", "kind", "severity", "state", "code", "text"):
        out[name] = [str(getattr(f, name)) for f in ordered]
    for name in _JSON_COLUMNS:
        out[name] = [_words(getattr(f, name)) for f in ordered]
    return out


# -- back ----------------------------------------------------------------------------------------


def read_parts(recording: Recording, number: int) -> dict[int, AnalysisParts]:
    """All packs of one analysis of a recording. UnreadableRecording."""
    out = {}
    for pack in recording.packs():
        if number not in recording.analyses(pack):
            continue
        place = f"{'' if pack == 1 else f'/packs/{pack}'}/analyses/{number}"
        groups = {
            name: recording.read(f"{place}/{name}")
            for name in ("estimates", "health", "findings")
            if recording.rows(f"{place}/{name}")
        }
        labels = recording.labels(f"{place}/health")
        out[pack] = AnalysisParts(recording.analysis_attributes(number, pack), groups, labels)
    return out


def run_of(number: int, packs: Mapping[int, AnalysisParts]) -> Run:
    """The run that was stored. ValueError, one sentence, for what is none."""
    first = packs[min(packs)].attributes
    try:
        settings = settings_from_json(_read(first.get("settings", ""), dict))
        run = Run(settings, number, first.get("created", ""), first.get("software", ""))
        for pack, parts in packs.items():
            run.packs[pack] = _pack_run(parts)
            for block in _blocks(parts, run.packs[pack]):
                run.add(pack, [block])
    except (KeyError, TypeError, AttributeError, OverflowError, ValueError) as problem:
        raise ValueError(f"analysis {number} of this recording is damaged: {problem}") from None
    return run


def _pack_run(parts: AnalysisParts) -> PackRun:
    attributes = parts.attributes
    basis = _read(attributes.get("basis", ""), dict)
    known = {f.name for f in fields(Basis)}
    stated: dict[str, Any] = {k: _known(v) for k, v in basis.items() if k in known}
    stated["notes"] = tuple(str(n) for n in stated.get("notes", ()))
    names = str(stated.get("chemistry", "")), str(stated.get("family", ""))
    health = _health(parts, attributes.get("serial", ""), *names)
    told = PackRun(
        basis=Basis(**stated),
        cells=max((h.count for h in health), default=0),
        labels=parts.labels,
        health=health,
        findings=_findings_of(parts.groups.get("findings", {})),
        verdict=_verdict(_read(attributes.get("verdict", ""), dict)),
        risks=tuple(_risk(r) for r in _read(attributes.get("risks", ""), list)),
    )
    if health:
        told.ranked = [(health[-1].time, told.risks)]
    soc = parts.groups.get("estimates", {}).get("soc")
    if soc is not None and soc.ndim == 2:
        told.cells = max(told.cells, soc.shape[1])
    return told


def _health(parts: AnalysisParts, serial: str, chemistry: str, family: str) -> list[Health]:
    table = parts.groups.get("health")
    if table is None:
        return []
    cells = {n: np.asarray(table[n], np.float64) for n in _CELL_NAMES if n in table}
    pack = {n: np.asarray(table[f"pack_{n}"]) for n in _PACK_NAMES if f"pack_{n}" in table}
    count = max((v.shape[1] for v in cells.values()), default=0)
    out = []
    for i, time in enumerate(table["time"].tolist()):
        out.append(
            Health(
                time,
                int(table["start"][i]) if "start" in table else time,
                count,
                {n: v[i] for n, v in cells.items()},
                {n: float(v[i]) for n, v in pack.items() if math.isfinite(float(v[i]))},
                _read(table["needs"][i], dict) if "needs" in table else {},
                _read(table["progress"][i], dict) if "progress" in table else {},
                chemistry,
                serial,
                family=family,
            )
        )
    return out


def _blocks(parts: AnalysisParts, told: PackRun) -> list[Block]:
    out = []
    table = parts.groups.get("estimates", {})
    if len(table.get("time", ())):
        time = np.asarray(table["time"], np.int64)
        for name in ("soc", "soc_sigma"):
            if name in table:
                out.append(Block(ESTIMATES + name, time, np.asarray(table[name], np.float32)))
        rows = np.full((len(time), len(PACK_COLUMNS)), np.nan, np.float32)
        for i, column in enumerate(PACK_COLUMNS):
            stored = f"pack_{column}" if column in ("soc", "soc_sigma") else column
            if stored in table:
                rows[:, i] = table[stored]
                if stored in _CELL_NUMBERS:
                    rows[rows[:, i] == 0, i] = np.nan
        out.append(Block(PACK_GROUP, time, rows, PACK_COLUMNS))
    for health in told.health:
        moment = np.array([health.time], np.int64)
        for name, values in health.cells.items():
            if np.isfinite(values).any():
                out.append(Block(HEALTH + name, moment, values.astype(np.float32)[None, :]))
    return out


def _findings_of(table: Mapping[str, NDArray[Any]]) -> list[Finding]:
    out = []
    for i in range(len(table.get("time", ()))):
        names = ("id", "kind", "severity", "state", "code", "text")
        given: dict[str, Any] = {name: str(table[name][i]) for name in names}
        given |= {name: int(table[name][i]) for name in ("time", "start", "end", "cell")}
        out.append(
            Finding(
                **given,
                score=float(table["score"][i]),
                count=int(table["count"][i]) if "count" in table else 1,
                parameters=_values(_read(table["parameters"][i], dict)),
                evidence=tuple(_values(e) for e in _read(table["evidence"][i], list)),
            )
        )
    return out


def _verdict(stored: Mapping[str, Any]) -> Verdict | None:
    if not stored:
        return None
    headline, action = (_item(stored[name]) for name in ("headline", "next_action"))
    lists = (tuple(_item(i) for i in stored.get(n, ())) for n in ("checked", "not_checked"))
    return Verdict(str(stored["code"]), headline, action, *lists)


def _risk(stored: Mapping[str, Any]) -> CellRisk:
    probability = stored.get("probability")
    return CellRisk(
        int(stored["cell"]),
        float(stored["risk"]),
        int(stored["rank"]),
        str(stored.get("mechanism", "none")),
        math.nan if probability is None else float(probability),
        tuple(
            LeadTime(str(t["unit"]), *(float(t[p]) for p in ("p10", "p50", "p90")))
            for t in stored.get("lead_time", ())
        ),
        _item(stored.get("reason", ("risk.none", {}))),
        tuple(_values(e) for e in stored.get("evidence", ())),
        tuple(_item(i) for i in stored.get("rivals", ())),
        _item(stored.get("remedy", ("risk.no_remedy", {}))),
    )


def _item(stored: Any) -> tuple[str, dict[str, float | str | int]]:
    code, parameters = stored
    return str(code), _values(parameters)


def _values(stored: Any) -> dict[str, float | str | int]:
    """Parameters of a sentence or an item of evidence: numbers and texts only."""
    return {
        str(k): _known(v)
        for k, v in dict(stored).items()
        if isinstance(_known(v), (str, int, float))
    }


def _known(value: Any) -> Any:
    return math.nan if value is None else value


def _words(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """What JSON can say: NaN and infinities are null, arrays and tuples lists."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value


def _read(text: Any, kind: type) -> Any:
    """JSON of the kind that is expected; nothing where there is none."""
    if not text:
        return kind()
    if len(text) > _MOST_TEXT:
        raise ValueError("a text is too long")
    value = json.loads(text)
    if not isinstance(value, kind):
        raise ValueError(f"a text holds no {kind.__name__}")
    return value
