"""`analyze --json` keeps its contract (DESIGN 7.4) for any pack: every key, null for unknown."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bms_studio.diagnosis.contract import MECHANISMS
from tests.gui_parts import make_recording

PACK = {"cells", "chemistry", "capacity_ah", "soc", "soc_sigma", "usable_soc", "limiting_cell"}
CELL = {
    *("cell", "label", "soc", "soc_sigma", "capacity_ah", "soh_capacity", "resistance_ohm"),
    *("soh_resistance", "leak_a", "risk", "rank", "mechanism", "first_to_fail_probability"),
    *("lead_time", "evidence"),
}
EVIDENCE = {"quantity", "value", "sigma", "reference", "start", "end", "text"}
FINDING = {"id", "cell", "kind", "severity", "state", "score", "start", "end", "text"}


def analysed(path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bms_studio", "analyze", str(path), "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "NaN" not in done.stdout
    assert "Infinity" not in done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def table(target: Path, rows: int) -> Path:
    """Cells without a current, as a recording made of a table."""
    lines = ["time_s," + ",".join(f"cell_{k}_V" for k in range(1, 5))]
    lines += [f"{1_788_249_600 + n}," + ",".join(["3.700"] * 4) for n in range(rows)]
    source = target.with_suffix(".csv")
    source.write_text("\n".join(lines) + "\n", "utf-8")
    command = [sys.executable, "-m", "bms_studio", "import", str(source), "-o", str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return target


@pytest.mark.parametrize("kind", ["faulty", "one cell", "no current"])
def test_the_document_has_every_key_and_every_cell_its_rank(kind: str, tmp_path: Path) -> None:
    if kind == "no current":
        path = table(tmp_path / "a.h5", 300)
    else:
        path = make_recording(tmp_path / "a.h5", 13 if kind == "faulty" else 1, 150)
    found = analysed(path)
    assert {"pack", "verdict", "cells", "findings", "packs"} <= set(found)
    assert set(found["pack"]) >= {*PACK, "soh"}
    assert set(found["verdict"]) == {"code", "text", "next_action", "checked", "not_checked"}
    assert all(": " in item for item in found["verdict"]["not_checked"])  # each with its reason
    ranks = [cell["rank"] for cell in found["cells"]]
    assert sorted(ranks) == list(range(1, len(ranks) + 1))
    for cell in found["cells"]:
        assert set(cell) == CELL
        assert cell["mechanism"] in MECHANISMS
        assert all(set(item) == EVIDENCE and item["text"] for item in cell["evidence"])
    for finding in found["findings"]:
        assert set(finding) == FINDING
        assert finding["text"]
        assert "{" not in finding["text"]
    if kind == "no current":
        assert found["cells"][0]["resistance_ohm"] is None
    if kind == "faulty":
        assert next(c["cell"] for c in found["cells"] if c["rank"] == 1) == 13
