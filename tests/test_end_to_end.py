"""The whole path with real parts: simulated pack, pseudo-terminal, acquisition, journal, HDF5."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bms_studio.session_source import DemoChoice, Simulator, demo_session
from protocols.frames import Frames, concatenate, empty_frames
from recordings.reader import Recording

PROGRAM = [sys.executable, "-m", "bms_studio"]


def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    running = Simulator(DemoChoice(cells=20, faults=("resistance:13",), rate_hz=50))
    yield running
    running.close()


def start_record(simulator: Simulator, target: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *PROGRAM,
            "record",
            "-i",
            "slcan",
            "-c",
            simulator.settings.channel,
            "-o",
            str(target),
            *more,
        ],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_frames(target: Path, size: int, timeout_s: float = 30.0) -> Path:
    journal = target.with_name(target.name + ".journal")
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if sum(p.stat().st_size for p in journal.glob("*.bmsj")) > size:
            return journal
        time.sleep(0.05)
    raise AssertionError("nothing is being journaled")


def test_record_for_some_seconds_gives_a_recording_of_the_pack(
    simulator: Simulator, tmp_path: Path
) -> None:
    target = tmp_path / "rec.h5"
    run(
        *("record", "-i", "slcan", "-c", simulator.settings.channel),
        *("-o", str(target), "--seconds", "4"),
    )
    document = json.loads(run("info", str(target), "--json").stdout)
    assert document["format_version"] == 1
    assert document["source"] == "live"
    assert document["protocol"]["name"] == "scooter"
    (pack,) = document["packs"]
    assert pack["cells"] == 20
    assert pack["probes"] == 6
    assert pack["groups"]["/cells"]["rate_hz"] == pytest.approx(50, rel=0.1)
    assert 3.0 < pack["latest"]["cell_min"] <= pack["latest"]["cell_max"] < 4.3
    cells = Recording(target).read("/cells", ["voltage"])["voltage"]
    assert not np.isnan(cells[1:-1]).any()
    assert not target.with_name("rec.h5.journal").exists()


def test_ctrl_c_saves_and_exits_0(simulator: Simulator, tmp_path: Path) -> None:
    target = tmp_path / "rec.h5"
    recording = start_record(simulator, target)
    wait_for_frames(target, 50_000)
    recording.send_signal(signal.SIGINT)
    _, words = recording.communicate(timeout=60)
    assert recording.returncode == 0, words
    assert Recording(target).rows("/frames") > 500


def test_after_killing_everything_repair_gives_back_all_but_half_a_second(
    simulator: Simulator, tmp_path: Path
) -> None:
    target = tmp_path / "rec.h5"
    recording = start_record(simulator, target)
    journal = wait_for_frames(target, 120_000)
    busy = run("repair", str(target), status=1)
    assert "is being written by process" in busy.stderr
    pid = int(busy.stderr.split("process ")[1].split(":")[0])
    killed_ns = time.time_ns()
    os.kill(pid, signal.SIGKILL)
    recording.kill()
    recording.communicate()
    assert not target.exists()
    run("repair", str(target))
    frames = list(Recording(target).frames())
    assert killed_ns - int(frames[-1].time[-1]) < 0.5e9
    assert not journal.exists(), "verified: the journal has gone"


def test_a_live_session_records_what_happened_before_too(tmp_path: Path) -> None:
    session = demo_session(DemoChoice(cells=12, rate_hz=20, story=False))
    try:
        end = time.monotonic() + 30
        while session.timeline.rows("cells") < 60 and time.monotonic() < end:
            time.sleep(0.05)
        before_ns = session.now_ns
        target = tmp_path / "live.h5"
        session.start_recording(target)
        time.sleep(1.0)
        assert session.status.recording.state == "recording"
        session.stop_recording()
        assert session.job is not None
        assert session.job.wait(60)
        assert session.job.error == ""
        time.sleep(0.3)
        assert session.status.recording.state == "saved"
        assert session.status.pack.cells == 12
        assert session.status.pack.serial == "SIM-0233"
        assert session.status.verdict is not None
        span = Recording(target).span("/cells")
        assert span is not None
        assert span[0] < before_ns - 1_000_000_000
        assert Recording(target).attributes.source == "simulated"
    finally:
        session.disconnect()


def test_replay_shows_what_was_live(simulator: Simulator, tmp_path: Path) -> None:
    from bms_studio.jobs import Job
    from bms_studio.replay import Replay, open_replay

    target = tmp_path / "rec.h5"
    run(
        *("record", "-i", "slcan", "-c", simulator.settings.channel),
        *("-o", str(target), "--seconds", "4"),
    )
    job = Job("Opening", lambda running: open_replay(running, target))
    assert job.wait(60)
    assert job.error == ""
    replay = job.result
    assert isinstance(replay, Replay)
    try:
        assert replay.filled.wait(30)
        rec = Recording(target)
        saved = rec.read("/cells", ["voltage"])
        time_ns, values = replay.timeline.raw("cells", 0, 1 << 62)
        np.testing.assert_array_equal(time_ns, saved["time"])
        np.testing.assert_array_equal(values, saved["voltage"])
        assert replay.timeline.frames.count == rec.rows("/frames")
        replay.seek(int(saved["time"][10]))
        replay.step(1)
        assert replay.now_ns == int(saved["time"][11])
        replay.step(-2)
        assert replay.now_ns == int(saved["time"][9])
        replay.set_speed(100.0)
        replay.play()
        time.sleep(0.2)
        assert not replay.playing
        assert replay.now_ns == (rec.span() or (0, 0))[1]
        message = replay.message_of(0x3A0, extended=False)
        assert message is not None
        replay.add_signals(message.name)
        end = time.monotonic() + 10
        while "signals/Pack_Status" not in replay.timeline.groups() and time.monotonic() < end:
            time.sleep(0.02)
        assert replay.timeline.columns("signals/Pack_Status")[:2] == (
            "Pack_Voltage",
            "Pack_Current",
        )
    finally:
        replay.disconnect()


@pytest.mark.parametrize(
    ("make", "arguments", "words"),
    [
        (lambda p: None, ("info",), "no such file"),
        (lambda p: p.write_bytes(b""), ("info",), "empty"),
        (lambda p: p.mkdir(), ("info",), "folder"),
        (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200)), ("info",), ""),
        (lambda p: p.write_bytes(b"hello world, this is a poem\n" * 50), ("import",), "no log"),
        (lambda p: p.write_bytes(b""), ("import",), "empty"),
        (lambda p: p.mkdir(), ("import",), "folder"),
        (lambda p: None, ("repair",), "journal"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_status_3(
    tmp_path: Path, make: object, arguments: tuple[str, ...], words: str
) -> None:
    assert callable(make)
    path = tmp_path / "thing.h5"
    make(path)
    more = ("-o", str(tmp_path / "out.h5")) if arguments == ("import",) else ()
    done = run(*arguments, str(path), *more, status=3)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.h5").exists()


def test_a_broken_database_names_file_and_line(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("(1700000000.000000) can0 123#1122\n" * 5)
    dbc = tmp_path / "broken.dbc"
    dbc.write_text('VERSION ""\nBO_ 291 Thing: 8 X\n SG_ a : 0|8@1+ (1,0 [0|0] "" X\n')
    done = run(*("import", str(log), "-o", str(tmp_path / "o.h5"), "--dbc", str(dbc)), status=3)
    assert "broken.dbc" in done.stderr
    assert "line 3" in done.stderr


@pytest.mark.parametrize(
    ("log", "seen_cells", "low", "high", "pack_v", "soc"),
    [
        ("big.raw", 52, 3.9213, 3.9230, (282.4, 282.4), (0.80, 0.805)),
        ("candump-2025-11-05_214230.log", 67, 4.0544, 4.0641, (292.4, 292.5), (0.83, 0.83)),
    ],
)
def test_both_orion_captures_show_the_real_cells(
    shared_data: Path,
    tmp_path: Path,
    log: str,
    seen_cells: int,
    low: float,
    high: float,
    pack_v: tuple[float, float],
    soc: tuple[float, float],
) -> None:
    folder = shared_data / "can" / "orion"
    target = tmp_path / "orion.h5"
    run(
        *("import", str(folder / log), "-o", str(target)),
        *("--dbc", str(folder / "Orion_CANBUS.dbc")),
    )
    document = json.loads(run("info", str(target), "--json").stdout)
    rec = Recording(target)
    voltage = rec.read("/cells", ["voltage"])["voltage"]
    seen = ~np.isnan(voltage).all(axis=0)
    assert document["packs"][0]["cells"] == 72
    assert seen.sum() == seen_cells
    assert np.nanmin(voltage) == pytest.approx(low, abs=6e-5)
    assert np.nanmax(voltage) == pytest.approx(high, abs=6e-5)
    latest = document["packs"][0]["latest"]
    assert pack_v[0] - 0.01 <= latest["pack_voltage"] <= pack_v[1] + 0.01
    assert soc[0] - 1e-6 <= latest["soc"] <= soc[1] + 1e-6


@pytest.mark.skipif(os.name != "posix", reason="the emulated stick needs a pseudo-terminal")
def test_simulate_and_replay_transmit_because_they_were_asked_to(tmp_path: Path) -> None:
    from bms_studio.from_logs import import_logs
    from bms_studio.interpret import Request
    from bms_studio.simulator.emulated_adapter import EmulatedAdapter, Terminal
    from bms_studio.simulator.simulation import generate
    from protocols.frames import TRANSMITTED
    from recordings.formats import write_log

    stick = EmulatedAdapter(Terminal())

    def received_from(*arguments: str) -> Frames:
        running = subprocess.Popen(
            [*PROGRAM, *arguments, "-i", "slcan", "-c", stick.line.url],
            stderr=subprocess.PIPE,
            text=True,
        )
        parts = []
        while running.poll() is None:
            stick.service(0.01)
            parts.append(stick.received() or empty_frames())
        stick.service(0.05)
        parts.append(stick.received() or empty_frames())
        _, words = running.communicate()
        assert running.returncode == 0, words
        return concatenate(parts)

    try:
        sent = received_from("simulate", "--cells", "6", "--seconds", "2")
        assert {0x3A0, 0x3A8} <= set(sent.id.tolist())
        log, rec = tmp_path / "a.log", tmp_path / "a.h5"
        original = concatenate(list(generate(2.0, 6, rate_hz=20)))
        original.flags[::10] |= TRANSMITTED
        write_log(log, [original], channels=("can0",))
        import_logs([log], rec, Request())
        played = received_from("replay", str(rec), "--speed", "4")
        kept = original.flags & TRANSMITTED == 0
        stored = concatenate(list(Recording(rec).frames()))
        kept = stored.flags & TRANSMITTED == 0
        np.testing.assert_array_equal(played.id, stored.id[kept])
        np.testing.assert_array_equal(played.data, stored.data[kept])
    finally:
        stick.close()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "log", "asc", "blf"])
def test_every_export_is_written_and_logs_come_back(tmp_path: Path, suffix: str) -> None:
    from bms_studio.from_logs import import_logs
    from bms_studio.interpret import Request
    from bms_studio.simulator.simulation import generate
    from recordings.formats import write_log

    log, rec, out = tmp_path / "a.log", tmp_path / "a.h5", tmp_path / f"out.{suffix}"
    write_log(log, generate(1.0, 6, rate_hz=20), channels=("can0",))
    import_logs([log], rec, Request())
    run("export", str(rec), "-o", str(out))
    assert out.stat().st_size > 1000
    if suffix in ("log", "asc", "blf"):
        back = tmp_path / "back.h5"
        run("import", str(out), "-o", str(back))
        before = concatenate(list(Recording(rec).frames()))
        after = concatenate(list(Recording(back).frames()))
        np.testing.assert_array_equal(before.id, after.id)
        np.testing.assert_array_equal(before.data, after.data)


def test_a_newer_recording_and_a_cut_blf_are_told_apart_from_rubbish(tmp_path: Path) -> None:
    import h5py

    from bms_studio.simulator.simulation import generate
    from recordings.formats import write_log

    newer = tmp_path / "newer.h5"
    with h5py.File(newer, "w") as file:
        file.attrs["format"] = "bms-studio"
        file.attrs["format_version"] = 2
    assert "newer" in run("info", str(newer), status=3).stderr
    blf = tmp_path / "a.blf"
    write_log(blf, generate(1.0, 6, rate_hz=20), channels=("can0",))
    blf.write_bytes(blf.read_bytes()[:200])
    done = run("import", str(blf), "-o", str(tmp_path / "o.h5"), status=3)
    assert "a.blf" in done.stderr
    assert not (tmp_path / "o.h5").exists()


def test_a_table_of_samples_becomes_a_recording_without_frames(tmp_path: Path) -> None:
    rows = ["time,pack_voltage (V),pack_current (A),SOC (%),V_1,V_2,V_3,V_4,T_1 (degC)"]
    for s in range(60):
        volts = ",".join(f"{3.6 + 0.001 * k - 0.0005 * s:.4f}" for k in range(4))
        rows.append(
            f"2026-05-01 12:{s // 60:02d}:{s % 60:02d},14.4,{s % 7},{80 - s / 10},{volts},21"
        )
    table, rec = tmp_path / "trip.csv", tmp_path / "trip.h5"
    table.write_text("\n".join(rows) + "\n")
    done = run("import", str(table), "-o", str(rec))
    assert "sign of current unverified" in done.stderr
    document = json.loads(run("info", str(rec), "--json").stdout)
    assert document["frames"]["count"] == 0
    (pack,) = document["packs"]
    assert (pack["cells"], pack["probes"]) == (4, 1)
    assert pack["latest"]["soc"] == pytest.approx(0.741, abs=1e-6)
    assert run("replay", str(rec), "-i", "virtual", "-c", "x", status=1).stderr.count("\n") == 1
