"""The receipt of an import: what it states is what is in the files, and it survives strangers."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bms_studio import merge
from bms_studio.from_logs import Imported, import_logs
from bms_studio.from_samples import holds_samples, import_samples
from bms_studio.interpret import Request
from bms_studio.language import set_language
from bms_studio.receipt import Receipt, from_json, receipt_text, to_json
from bms_studio.simulator.simulation import generate
from protocols.frames import Frames, concatenate
from protocols.registry import load
from recordings.formats import write_log
from recordings.reader import Recording


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    set_language("en")


def bus(seconds: float = 3.0) -> Frames:
    return concatenate(list(generate(seconds, 6, rate_hz=20)))


def imported(tmp_path: Path, *logs: Path, request: Request | None = None) -> Imported:
    return import_logs(list(logs), tmp_path / "rec.h5", request or Request())


def test_it_states_what_is_in_the_file_and_the_recording_keeps_it(tmp_path: Path) -> None:
    log = tmp_path / "trip.log"
    frames = bus()
    write_log(log, [frames], channels=("can0",))
    lines = log.read_bytes().splitlines(keepends=True)
    lines.insert(10, b"(1700000000.0) can0 nonsense\n")
    log.write_bytes(b"".join(lines))
    receipt = imported(tmp_path, log).receipt
    (source,) = receipt.sources
    assert source.sha256 == hashlib.sha256(log.read_bytes()).hexdigest()
    assert (source.rows, source.bad, source.bad_lines) == (len(frames), 1, (11,))
    assert receipt.ids == len(np.unique(frames.id))
    assert (receipt.meaning.cells, receipt.meaning.protocol) == (6, "scooter")
    assert abs((receipt.end_ns - receipt.start_ns) * 1e-9 - 3.0) < 0.2
    codes = [code for code, _ in receipt.unlock]
    assert "chemistry" in codes
    assert "longer" in codes
    assert from_json(Recording(tmp_path / "rec.h5").attributes.receipt) == receipt


def test_gaps_and_unknown_ids_are_counted_and_the_worst_named(tmp_path: Path) -> None:
    frames = bus()
    frames.time[len(frames) // 2 :] += 40 * 10**9
    strange = frames[np.arange(0, len(frames), 2)]  # a copy
    strange.id[:] = 0x6FA
    log = tmp_path / "a.log"
    together = concatenate([frames, strange])
    write_log(log, [together[np.argsort(together.time, kind="stable")]], channels=("can0",))
    receipt = imported(tmp_path, log).receipt
    assert receipt.gap_count == 1
    assert 39.9 < receipt.gaps[0][1] < 40.3
    assert ("0x6FA", len(strange)) in receipt.unknown
    assert receipt.unknown_frames >= len(strange)
    assert ("database_for" in [code for code, _ in receipt.unlock]) == (
        receipt.unknown_frames > 0.05 * receipt.frames
    )
    assert "0x6FA" in receipt_text(receipt)


def test_a_bus_without_a_bms_asks_for_its_database(tmp_path: Path) -> None:
    frames = bus()
    frames.id[:] = 0x600 + frames.id % 7
    log = tmp_path / "a.log"
    write_log(log, [frames], channels=("can0",))
    receipt = imported(tmp_path, log).receipt
    assert receipt.meaning.protocol == ""
    assert receipt.unlock[0] == ("database", {"ids": receipt.ids})


def test_repaired_time_is_an_event_and_in_the_receipt(tmp_path: Path) -> None:
    frames = bus()
    frames.time[100] += 10**17
    frames.time[200] -= 5 * 10**8
    log = tmp_path / "a.log"
    write_log(log, [frames], channels=("can0",))
    (source,) = imported(tmp_path, log).receipt.sources
    assert (source.damaged, source.backwards) == (1, 1)
    events = [e for e in Recording(tmp_path / "rec.h5").events() if e.kind == "time-repaired"]
    assert len(events) == 2
    assert "frame 101" in events[0].text


def test_parts_of_one_log_are_one_channel(tmp_path: Path) -> None:
    frames = bus(4.0)
    half = len(frames) // 2
    for name, part in (("a.log", frames[:half]), ("b.log", frames[half:])):
        write_log(tmp_path / name, [part], channels=("can0",))
    done = imported(tmp_path, tmp_path / "b.log", tmp_path / "a.log")
    rec = Recording(tmp_path / "rec.h5")
    assert rec.labels("/frames") == ("can0",)
    assert rec.rows("/frames") == len(frames)
    assert done.receipt.merged == (merge.SAME,)


def test_logs_of_two_loggers_at_once_are_two_channels(tmp_path: Path) -> None:
    frames = bus(4.0)
    for name, part in (("left.log", frames[::2]), ("right.log", frames[1::2])):
        write_log(tmp_path / name, [part], channels=("can0",))
    done = imported(tmp_path, tmp_path / "left.log", tmp_path / "right.log")
    rec = Recording(tmp_path / "rec.h5")
    assert rec.labels("/frames") == ("can0 (left.log)", "can0 (right.log)")
    got = concatenate(list(rec.frames()))
    np.testing.assert_array_equal(got.id, frames.id)
    np.testing.assert_array_equal(got.channel, np.arange(len(frames)) % 2)
    assert done.receipt.merged == (merge.APART,)


def test_a_channel_named_late_in_a_log_is_named_in_the_recording(tmp_path: Path) -> None:
    frames = bus(30.0)
    frames.channel[-5:] = 1
    write_log(tmp_path / "a.log", [frames], channels=("can0", "can7"))
    imported(tmp_path, tmp_path / "a.log")
    assert Recording(tmp_path / "rec.h5").labels("/frames") == ("can0", "can7")


def test_more_channels_than_a_recording_can_number_are_refused() -> None:
    names = tuple(f"can{k}" for k in range(200))
    parts = [merge.Part(Path(f"{k}.log"), 0, 10, 1, names, True) for k in range(2)]
    with pytest.raises(ValueError, match="400 channels"):
        merge.channels_of(parts)


def test_samples_that_cannot_be_true_are_counted_and_unknown(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    rows = [f"2024-05-04 10:00:{k:02d},3.9,{'1e30' if k == 3 else 3.9},{k}" for k in range(20)]
    table.write_text("Time,V_1,V_2,Pack Current\n" + "\n".join(rows) + "\n")
    _, _, receipt = import_samples(table, tmp_path / "rec.h5", Request())
    (source,) = receipt.sources
    assert source.implausible == 1
    rec = Recording(tmp_path / "rec.h5")
    voltage = rec.read("/cells", ["voltage"])["voltage"]
    assert np.isnan(voltage[3, 1])
    assert np.isfinite(np.delete(voltage, 3, 0)).all()
    assert receipt.zone
    assert "zone" in [code for code, _ in receipt.unlock]


def test_a_sign_that_the_voltage_contradicts_is_named(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    rows = [
        f"2024-05-04 10:{k // 60:02d}:{k % 60:02d},{50 + k // 5 % 2},{20 * (k // 5 % 2)}"
        for k in range(200)
    ]
    table.write_text("Time,Pack Voltage,Pack Current\n" + "\n".join(rows) + "\n")
    _, _, receipt = import_samples(table, tmp_path / "rec.h5", Request())
    assert receipt.meaning.sign_state == "contradicts"
    assert "sign_contradicts" in [code for code, _ in receipt.unlock]


def test_a_table_without_pack_voltage_has_its_sign_told_by_the_sum_of_its_cells(
    tmp_path: Path,
) -> None:
    table = tmp_path / "a.csv"
    loads = [20 * (k // 5 % 2) for k in range(200)]
    rows = [
        f"2024-05-04 10:{k // 60:02d}:{k % 60:02d},{amps},{3.7 - amps / 500},{3.7 - amps / 500}"
        for k, amps in enumerate(loads)
    ]
    table.write_text("Time,Pack Current,V_1,V_2\n" + "\n".join(rows) + "\n")
    _, _, receipt = import_samples(table, tmp_path / "rec.h5", Request())
    assert receipt.meaning.sign_state == "agrees"
    assert not [note for source in receipt.sources for note in source.notes if "sign" in note]
    assert "sign" not in [code for code, _ in receipt.unlock]


def test_the_command_prints_it_and_writes_it_in_the_language_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "trip.log"
    write_log(log, [bus()], channels=("can0",))
    note = tmp_path / "receipt.txt"
    arguments = ["import", str(log), "-o", str(tmp_path / "r.h5"), "--receipt", str(note)]
    done = subprocess.run(
        [sys.executable, "-m", "bms_studio", *arguments, "--language", "zh_CN"],
        capture_output=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8", **__import__("os").environ},
        timeout=120,
        check=True,
    )
    assert "导入回执" in done.stderr
    assert note.read_text("utf-8").strip() in done.stderr
    assert done.stdout.strip() == str(tmp_path / "r.h5")
    later = subprocess.run(
        [sys.executable, "-m", "bms_studio", "info", str(tmp_path / "r.h5"), "--receipt"],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    assert later.stdout.startswith("Import receipt")
    assert hashlib.sha256(log.read_bytes()).hexdigest() in later.stdout


@pytest.mark.parametrize(
    "words",
    [
        "",
        "{",
        "[]",
        "null",
        '{"sources": 3}',
        '{"sources": [{}], "meaning": {}, "unlock": [], "gaps": [], "unknown": []}',
        "[" * 5000,
        '{"sources": [], "meaning": {"signals": "many"}, "unlock": [], "gaps": [], "unknown": []}',
    ],
)
def test_what_is_no_receipt_is_none(words: str) -> None:
    assert from_json(words) is None


def test_a_strangers_receipt_cannot_break_the_text(tmp_path: Path) -> None:
    receipt = Receipt((), "x", "utc")
    value = json.loads(to_json(receipt))
    value["unlock"] = [["sign{}", {}], ["database", {"wrong": 1}], ["longer", {"minutes": "x"}]]
    value["start_ns"], value["later_version"] = 10**30, True
    found = from_json(json.dumps(value))
    assert found is not None
    assert "sign{}" in receipt_text(found)


def test_all_protocols_have_their_ids_known_to_the_receipt(tmp_path: Path) -> None:
    """A protocol that reads a bus has no unknown ids among its own."""
    log = tmp_path / "a.log"
    write_log(log, [bus()], channels=("can0",))
    receipt = imported(tmp_path, log).receipt
    own = {f"0x{m.id:03X}" for m in load("scooter").database.messages}
    assert not own & {name for name, _ in receipt.unknown}


def test_a_table_of_a_row_every_ten_seconds_has_no_gaps(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Time (s),V_1,V_2\n" + "".join(f"{t},3.65,3.66\n" for t in range(0, 1200, 10)))
    assert import_samples(path, tmp_path / "t.h5", Request())[2].gap_count == 0


def test_missing_rows_are_a_gap_that_is_placed_from_the_start_where_there_is_no_date(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.csv"
    times = [*range(0, 600, 10), *range(900, 1200, 10)]
    path.write_text("Time (s),V_1,V_2\n" + "".join(f"{t},3.65,3.66\n" for t in times))
    receipt = import_samples(path, tmp_path / "t.h5", Request())[2]
    assert receipt.gap_count == 1
    assert "0:09:50.0 (310.0 s)" in receipt_text(receipt)


def test_a_table_without_a_battery_is_refused_with_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("time,b,c\n" + "1,2,3\n" * 5)
    with pytest.raises(ValueError, match="its columns are time, b, c"):
        import_samples(path, tmp_path / "t.h5", Request())
    assert holds_samples(path)
