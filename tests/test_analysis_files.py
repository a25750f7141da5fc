"""Analyses in recordings and on the command line: kept beside each other, never half written."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import bms_studio
from bms_studio.analysis.document import evidence_of
from bms_studio.analysis.store import read_parts, run_of
from recordings.analyses import AnalysisParts, add_analyses
from recordings.errors import Cancelled, UnreadableRecording
from recordings.layout import RecordingAttributes
from recordings.reader import Recording
from recordings.writer import RecordingWriter
from tests.recording_parts import some_frames

PROGRAM = [sys.executable, "-m", "bms_studio"]
START_NS = 1_700_000_000_000_000_000
ROWS = 900
VERDICTS = ("OK", "WATCH", "REPAIR", "REPLACE", "STOP", "NOT_ENOUGH_DATA")


def write_recording(path: Path, cells: int = 4, packs: int = 1, current: bool = True) -> Path:
    """A quarter of an hour at 1 Hz with pulses of 20 A, and some frames of no meaning."""
    moments = START_NS + np.arange(ROWS) * 1_000_000_000
    pulses = np.where(np.arange(ROWS) // 10 % 2, 20.0, 0.0)
    rng = np.random.default_rng(5)
    profile = '[pack]\nchemistry = "NMC"\ncapacity_ah = 31.0\n'
    attributes = RecordingAttributes(source="simulated", profile=profile, protocol_confidence=0.5)
    with RecordingWriter(path, attributes) as writer:
        writer.frames(some_frames(5000))
        for pack in range(1, packs + 1):
            prefix = "" if pack == 1 else f"/packs/{pack}"
            if cells:
                volts = 3.7 - 0.002 * pulses[:, None] * (1 + 0.3 * (np.arange(cells) == 2))
                volts = volts + 0.0003 * rng.standard_normal(volts.shape)
                writer.rows(f"{prefix}/cells", moments, {"voltage": volts.astype(np.float32)})
            if current:
                writer.rows(f"{prefix}/pack", moments, {"current": pulses.astype(np.float32)})
        writer.labels("/cells", [f"A{n + 1}" for n in range(cells)])
        writer.close()
    return path


def command(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """The recording as it was, the same analysed, and what `analyze --json` said."""
    folder = tmp_path_factory.mktemp("files")
    before = write_recording(folder / "before.h5", packs=2)
    after = folder / "after.h5"
    shutil.copy(before, after)
    return before, after, json.loads(command("analyze", str(after), "--json").stdout)


def test_the_document_is_that_of_the_design(
    analysed: tuple[Path, Path, dict[str, Any]],
) -> None:
    found = analysed[2]
    assert set(found) == {"pack", "verdict", "cells", "findings", "packs"}
    assert {
        "cells", "chemistry", "capacity_ah", "soc", "soc_sigma", "usable_soc", "limiting_cell",
        "soh",
    } <= set(found["pack"])  # fmt: skip
    assert found["pack"]["cells"] == 4
    assert found["pack"]["chemistry"] == "NMC"
    assert found["verdict"]["code"] in VERDICTS
    assert set(found["verdict"]) == {"code", "text", "next_action", "checked", "not_checked"}
    assert [cell["label"] for cell in found["cells"]] == ["A1", "A2", "A3", "A4"]
    assert sorted(cell["rank"] for cell in found["cells"]) == [1, 2, 3, 4]
    for cell in found["cells"]:
        assert {
            "cell", "label", "soc", "soc_sigma", "capacity_ah", "soh_capacity", "resistance_ohm",
            "soh_resistance", "leak_a", "risk", "rank", "mechanism", "first_to_fail_probability",
            "lead_time", "evidence",
        } == set(cell)  # fmt: skip
        assert cell["capacity_ah"] is None, "unknown is null, and a quarter of an hour tells none"
        assert cell["resistance_ohm"] == pytest.approx(0.002, rel=0.5)
        assert all(evidence["text"] for evidence in cell["evidence"])
    for finding in found["findings"]:
        assert {"id", "cell", "kind", "severity", "state", "score", "start", "end", "text"} == set(
            finding
        )
    (further,) = found["packs"]
    assert further["pack"]["cells"] == 4


def test_samples_and_frames_stay_and_the_newest_analysis_has_the_short_names(
    analysed: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    before, after, _ = analysed
    then, now = Recording(before), Recording(after)
    assert now.attributes == then.attributes
    for group in then.groups():
        old, new = then.read(group), now.read(group)
        for name, values in old.items():
            np.testing.assert_array_equal(values, new[name])
    assert now.analyses() == (1,)
    assert now.analyses(2) == (1,)
    again = tmp_path / "again.h5"
    shutil.copy(after, again)
    command("analyze", str(again), "--capacity-ah", "15", "--name", "half")
    kept = bms_studio.open(again)
    assert sorted(kept.analyses) == [1, 2]
    assert kept.analyses[2].attributes["settings"]["capacity_ah"] == 15.0
    assert kept.analyses[1].attributes["settings"]["capacity_ah"] is None
    with h5py.File(again) as file:
        assert file["/estimates"] == file["/analyses/2/estimates"]
        assert file["/packs/2/health"] == file["/packs/2/analyses/2/health"]
        assert file["/estimates/soc"].attrs["unit"] == "1"
    np.testing.assert_array_equal(kept.estimates.soc, kept.analyses[2].estimates.soc)
    assert list(kept.health.resistance_ohm.columns) == [1, 2, 3, 4]
    assert kept.health.resistance_ohm.attrs["unit"] == "ohm"
    assert kept.packs[2].estimates.soc.shape == kept.estimates.soc.shape
    document = json.loads(command("info", str(again), "--json").stdout)
    assert document["frames"]["count"] == 5000
    assert document["packs"][0]["groups"]["/cells"]["rows"] == ROWS
    assert not any("analyses" in path for path in document["packs"][0]["groups"])


def test_what_is_stored_comes_back_as_it_was(
    analysed: tuple[Path, Path, dict[str, Any]],
) -> None:
    recording = Recording(analysed[1])
    run = run_of(1, read_parts(recording, 1))
    told = run.packs[1]
    assert told.basis.chemistry == "NMC"
    assert told.cells == 4
    assert told.verdict is not None
    assert len(told.risks) == 4
    assert told.health[-1].needs["capacity_ah"] == "need.full_charge"
    stored = run.analysis()
    assert stored is not None
    np.testing.assert_array_equal(
        stored.estimates["soc"], recording.read("/estimates", ["soc"])["soc"]
    )


def test_a_kill_while_it_analyses_leaves_the_old_recording_or_the_whole_new_one(
    tmp_path: Path,
) -> None:
    path = write_recording(tmp_path / "rec.h5", cells=30)
    for wait_s in (0.5, 3.0):
        before, kept = path.read_bytes(), Recording(path).analyses()
        running = subprocess.Popen(
            [*PROGRAM, "analyze", str(path)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        time.sleep(wait_s)
        running.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        running.wait(30)
        if running.returncode != 0 and path.read_bytes() != before:
            # It was killed between putting the new file in place and its end.
            assert len(Recording(path).analyses()) == len(kept) + 1
            assert Recording(path).rows("/health") > 0
        assert Recording(path).rows("/cells") == ROWS


SLOW_WRITER = """
import sys, numpy, time
from recordings import analyses
from recordings.partfile import PartFile
publish = PartFile.publish
def wait(self):
    print("ready", flush=True)
    time.sleep(60)
PartFile.publish = wait
time_ns = numpy.arange(3, dtype=numpy.int64)
parts = analyses.AnalysisParts({"settings": "{}"}, {"health": {"time": time_ns}})
analyses.add_analyses(sys.argv[1], {1: parts})
"""


def test_a_kill_just_before_the_rename_leaves_the_old_recording(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "rec.h5")
    before = path.read_bytes()
    running = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline().strip() == "ready"
    running.kill()
    running.wait(30)
    running.stdout.close()
    assert path.read_bytes() == before
    assert list(tmp_path.glob("rec.h5.part-*")), "what was being written lies beside it"


def parts(rows: int = 3, cells: int = 4) -> AnalysisParts:
    moments = START_NS + np.arange(rows)
    soc = np.full((rows, cells), 0.5, np.float32)
    return AnalysisParts({"settings": "{}"}, {"estimates": {"time": moments, "soc": soc}})


def test_cancel_leaves_the_old_recording_and_nothing_beside_it(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "rec.h5")
    before = path.read_bytes()
    with pytest.raises(Cancelled):
        add_analyses(path, {1: parts()}, cancelled=lambda: True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_recording_that_changed_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "rec.h5")

    def somebody_else(share: float) -> None:
        if share >= 0.5:
            os.utime(path, ns=(1, 1))

    with pytest.raises(OSError, match="analyse it once more"):
        add_analyses(path, {1: parts()}, progress=somebody_else)
    assert Recording(path).analyses() == ()


def test_a_newer_analysis_without_findings_does_not_show_the_older_ones(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "rec.h5")
    first = parts()
    health = {"time": np.array([START_NS]), "leak_a": np.zeros((1, 4), np.float32)}
    with_health = AnalysisParts(first.attributes, {**first.groups, "health": health})
    assert add_analyses(path, {1: with_health}) == 1
    assert Recording(path).rows("/health") == 1
    assert add_analyses(path, {1: first}) == 2
    assert Recording(path).rows("/health") == 0
    assert Recording(path).rows("/analyses/1/health") == 1


def test_an_analysis_of_a_stranger_is_checked_like_all_else(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "rec.h5")
    add_analyses(path, {1: parts()})
    with h5py.File(path, "r+") as file:
        file["/analyses/1/estimates"]["evil"] = h5py.SoftLink("/frames/data")
    with pytest.raises(UnreadableRecording, match="link"):
        Recording(path)
    damaged = write_recording(tmp_path / "damaged.h5")
    add_analyses(damaged, {1: AnalysisParts({"settings": "[1]", "basis": "x"}, parts().groups)})
    with pytest.raises(ValueError, match="analysis 1 of this recording is damaged"):
        run_of(1, read_parts(Recording(damaged), 1))


@pytest.mark.parametrize(("cells", "current"), [(0, True), (0, False), (1, True), (3, False)])
def test_analyze_works_on_whatever_there_is(tmp_path: Path, cells: int, current: bool) -> None:
    path = write_recording(tmp_path / "rec.h5", cells=cells, current=current)
    found = json.loads(command("analyze", str(path), "--json").stdout)
    assert len(found["cells"]) == cells
    assert found["verdict"]["code"] == "NOT_ENOUGH_DATA" or cells
    assert Recording(path).rows("/frames") == 5000


def test_wrong_words_are_usage_errors_and_wrong_files_unreadable(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "rec.h5", cells=1)
    assert "known are" in command("analyze", str(path), "--chemistry", "XYZ", status=2).stderr
    assert "positive" in command("analyze", str(path), "--capacity-ah", "0", status=2).stderr
    command("analyze", str(tmp_path / "none.h5"), status=3)
    table = tmp_path / "ocv.csv"
    table.write_text("soc,ocv_v\n0,x\n")
    assert command("analyze", str(path), "--ocv", str(table), status=2).stderr
    command("analyze", str(path), "--ocv", str(tmp_path / "none.csv"), status=3)


def test_python_gets_tables_with_units_and_their_basis(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "rec.h5")
    before = path.read_bytes()
    told = bms_studio.estimate(path, capacity_ah=30.0)
    assert told.basis.capacity_source == "asked"
    assert told.soc.shape[1] == 4
    assert list(told.cells.index) == [1, 2, 3, 4]
    assert told.cells.attrs["units"]["resistance_ohm"] == "ohm"
    assert told.cells.attrs["basis"]["capacity_ah"] == 30.0
    assert told.cells["resistance_difference"].idxmax() == 3
    assert told.needs["leak_a"] == "need.hours_6"
    judged = bms_studio.diagnose(bms_studio.open(path))
    assert judged.code in VERDICTS
    assert judged.cells.index[0] == 3, "worst first"
    assert path.read_bytes() == before, "nothing is written"


def test_evidence_without_a_sentence_of_its_own_says_what_was_measured() -> None:
    given: dict[str, float | str | int] = {
        "quantity": "leak_a", "value": 7.6e-3, "sigma": 1.3e-3, "reference": -4e-4,
    }  # fmt: skip
    said = evidence_of(given)["text"]
    assert said == "self-discharge beyond the mean cell 7.6 ± 1.3 mA, others -0.4 mA"
    assert evidence_of({"quantity": "leak_a"})["text"] == "", "nothing is said of an unknown"
