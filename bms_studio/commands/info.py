"""`info`: what is in a recording, for people or as one JSON document (DESIGN 7.2)."""

import argparse
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bms_studio.commands import DONE, CommandError
from bms_studio.commands.options import clear_errors

if TYPE_CHECKING:
    from recordings.reader import Recording

_LATEST_ROWS_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """REC.h5, --json, --receipt."""
    parser.add_argument("recording", metavar="REC.h5")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--receipt", action="store_true", help="what its import said, as text")


def run(options: argparse.Namespace) -> int:
    """Describe it on standard output."""
    from recordings.reader import Recording

    with clear_errors():
        rec = Recording(Path(options.recording))
        if options.receipt:
            return _receipt(rec)
        document = describe(rec)
    if options.json:
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(_lines(document)))
    return DONE


def _receipt(rec: "Recording") -> int:
    from bms_studio.receipt import from_json, receipt_text

    receipt = from_json(rec.attributes.receipt)
    if receipt is None:
        raise CommandError(f"{rec.path} has no receipt: only recordings made by import have one")
    print(receipt_text(receipt))
    return DONE


def describe(rec: "Recording") -> dict[str, Any]:
    """The document of `info --json`; unknown numbers are None."""
    attributes = rec.attributes
    span = rec.span()
    return {
        "format_version": 1,
        "uuid": attributes.uuid,
        "source": attributes.source,
        "time_reference": attributes.time_reference,
        "start": _iso(span[0]) if span else None,
        "end": _iso(span[1]) if span else None,
        "duration_s": (span[1] - span[0]) * 1e-9 if span else 0.0,
        "frames": {
            "count": rec.rows("/frames"),
            "ids": _ids(rec),
            "dropped": dict(attributes.dropped),
        },
        "packs": [_pack(rec, number) for number in rec.packs()],
        "protocol": {
            "name": attributes.protocol or None,
            "confidence": _known(attributes.protocol_confidence),
            "runner_up": attributes.protocol_runner_up or None,
        },
        "databases": [name for name, _ in attributes.databases],
        "events": [{"time": _iso(e.time), "kind": e.kind, "text": e.text} for e in rec.events()],
    }


def _ids(rec: "Recording") -> int:
    from protocols.frames import EXTENDED

    seen: set[int] = set()
    for block in rec.frames():
        extended = (block.flags & EXTENDED).astype("i8") << 32
        seen.update((block.id.astype("i8") | extended).tolist())
    return len(seen)


def _pack(rec: "Recording", number: int) -> dict[str, Any]:
    prefix = "" if number == 1 else f"/packs/{number}"
    groups = {}
    for path in rec.groups():
        mine = path.startswith(f"{prefix}/") and (number > 1 or not path.startswith("/packs/"))
        span = rec.span(path)
        if mine and path not in ("/frames", "/events") and span:
            rows = rec.rows(path)
            seconds = (span[1] - span[0]) * 1e-9
            rate = (rows - 1) / seconds if rows > 1 and seconds > 0 else None
            groups[path] = {"rows": rows, "rate_hz": rate}
    cells, probes = f"{prefix}/cells", f"{prefix}/temperatures"
    return {
        "cells": rec.columns(cells)["voltage"].width if rec.rows(cells) else 0,
        "probes": rec.columns(probes)["value"].width if rec.rows(probes) else 0,
        "groups": groups,
        "latest": _latest(rec, prefix),
    }


def _latest(rec: "Recording", prefix: str) -> dict[str, Any]:
    """Newest known values near the end."""
    import numpy as np

    latest: dict[str, Any] = dict.fromkeys(
        (
            "pack_voltage",
            "pack_current",
            "soc",
            "cell_min",
            "cell_max",
            "cell_min_number",
            "cell_max_number",
        )
    )
    pack = _newest(rec, f"{prefix}/pack")
    for key, name in (("pack_voltage", "voltage"), ("pack_current", "current"), ("soc", "soc")):
        latest[key] = _known(float(pack[name][0])) if name in pack else None
    cells = _newest(rec, f"{prefix}/cells").get("voltage")
    if cells is not None and not np.isnan(cells).all():
        low, high = int(np.nanargmin(cells)), int(np.nanargmax(cells))
        latest |= {
            "cell_min": _rounded(cells[low]),
            "cell_max": _rounded(cells[high]),
            "cell_min_number": low + 1,
            "cell_max_number": high + 1,
        }
    return latest


def _newest(rec: "Recording", group: str) -> dict[str, Any]:
    """Newest known value of every column within the last rows of a group, as 1-d arrays."""
    import numpy as np

    span = rec.span(group)
    if not span or not rec.rows(group):
        return {}
    begin = span[1] - int(_LATEST_ROWS_S * 1e9)
    newest = {}
    for name, values in rec.read(group, None, begin, span[1] + 1).items():
        if name == "time" or values.dtype.kind != "f":
            continue
        rows = values.reshape(len(values), -1)
        last = np.full(rows.shape[1], np.nan)
        for row in rows[::-1]:
            open_columns = np.isnan(last)
            if not open_columns.any():
                break
            last[open_columns] = row[open_columns]
        newest[name] = last
    return newest


def _known(value: float) -> float | None:
    return None if math.isnan(value) else _rounded(value)


def _rounded(value: float) -> float:
    """float32 in the file: seven digits are all it knows."""
    return float(f"{float(value):.7g}")


def _iso(time_ns: int) -> str:
    whole, rest = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{rest:09d}Z"


def _lines(document: dict[str, Any]) -> list[str]:
    def shown(value: float | None, unit: str, digits: int = 3) -> str:
        return "–" if value is None else f"{value:.{digits}f} {unit}"

    protocol = document["protocol"]
    lines = [
        f"{document['source']} recording {document['uuid']}",
        f"from {document['start']} to {document['end']} ({document['time_reference']}), "
        f"{document['duration_s']:.1f} s",
        f"{document['frames']['count']} frames of {document['frames']['ids']} identifiers",
        f"protocol: {protocol['name'] or 'none recognised'}",
    ]
    for number, pack in enumerate(document["packs"], 1):
        latest = pack["latest"]
        soc = latest["soc"]
        lines += [
            f"pack {number}: {pack['cells']} cells, {pack['probes']} probes",
            f"  {shown(latest['pack_voltage'], 'V', 2)}, {shown(latest['pack_current'], 'A', 2)}, "
            f"SOC {'–' if soc is None else f'{100 * soc:.1f} %'}",
            f"  cells {shown(latest['cell_min'], 'V', 4)} (number "
            f"{latest['cell_min_number'] or '–'}) to {shown(latest['cell_max'], 'V', 4)} (number "
            f"{latest['cell_max_number'] or '–'})",
        ]
        for path, group in pack["groups"].items():
            lines.append(f"  {path}: {group['rows']} rows, {shown(group['rate_hz'], 'Hz', 2)}")
    lines += [f"{e['time']} {e['kind']}: {e['text']}" for e in document["events"]]
    return lines
