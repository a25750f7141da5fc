"""What the command line protects people from: losing an input, a recording, a whole ride."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bms_studio.session_source import DemoChoice, Simulator
from bms_studio.simulator.simulation import generate
from recordings.formats import write_log
from recordings.reader import Recording

PROGRAM = [sys.executable, "-m", "bms_studio"]


def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "trip.log"
    write_log(path, generate(2.0, 6, rate_hz=20), channels=("can0",))
    return path


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    running = Simulator(DemoChoice(cells=6, rate_hz=20, story=False))
    yield running
    running.close()


def test_no_verb_overwrites_what_it_reads(log: Path, tmp_path: Path) -> None:
    before = log.read_bytes()
    assert "being read" in run("import", str(log), "-o", str(log), status=2).stderr
    assert log.read_bytes() == before
    rec = tmp_path / "rec.log"
    run("import", str(log), "-o", str(rec))
    assert "being read" in run("export", str(rec), "-o", str(rec), status=2).stderr
    assert Recording(rec).rows("/frames") > 0


def test_recording_under_a_name_that_is_taken_keeps_the_earlier_file(
    simulator: Simulator, tmp_path: Path
) -> None:
    target = tmp_path / "rec.h5"
    target.write_text("the only copy of yesterday")
    channel = simulator.settings.channel
    run("record", "-i", "slcan", "-c", channel, "-o", str(target), "--seconds", "2")
    assert (tmp_path / "rec-before-1.h5").read_text() == "the only copy of yesterday"
    assert Recording(target).rows("/frames") > 100


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no hang-up signal")
def test_a_closed_terminal_still_leaves_a_recording(simulator: Simulator, tmp_path: Path) -> None:
    target = tmp_path / "rec.h5"
    channel = simulator.settings.channel
    reader, writer = os.pipe()
    recording = subprocess.Popen(
        [*PROGRAM, "record", "-i", "slcan", "-c", channel, "-o", str(target)],
        stderr=writer,
        start_new_session=True,
    )
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)  # nobody reads its words any more
    time.sleep(2.0)
    recording.send_signal(signal.SIGHUP)
    assert recording.wait(60) == 0
    assert Recording(target).rows("/frames") > 100


def test_verbs_that_transmit_have_no_listening_mode(log: Path) -> None:
    asked = ("replay", str(log), "-i", "slcan", "-c", "x", "--listen-only")
    assert "unrecognized" in run(*asked, status=2).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("open", "x.h5", "--page", "nosuch"),
        ("export", "x.h5", "-o", "x.foo"),
        ("demo", "--fault", "hot:99"),
        ("demo", "--cells", "0"),
        ("import", "x.log", "-o", "x.h5", "--format", "nosuch"),
        ("record", "-i", "slcan", "-c", "x", "-b", "0", "-o", "x.h5"),
    ],
)
def test_wrong_words_are_a_usage_error(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(*arguments, status=2)


def test_repair_of_a_folder_without_journals_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no journal" in run("repair", ".", status=3).stderr


def test_a_picture_that_cannot_be_written_ends_with_a_sentence(log: Path, tmp_path: Path) -> None:
    rec = tmp_path / "rec.h5"
    run("import", str(log), "-o", str(rec))
    taken = tmp_path / "p.png"
    taken.mkdir()
    assert "folder" in run("open", str(rec), "--screenshot", str(taken), status=1).stderr


def test_a_report_is_written_from_a_recording_with_and_without_a_display(
    log: Path, tmp_path: Path
) -> None:
    run("import", str(log), "-o", str(tmp_path / "a.h5"))
    for name in ("r.pdf", "r.html"):
        done = run("report", str(tmp_path / "a.h5"), "-o", str(tmp_path / name), "--job", "4711")
        assert done.stdout.strip() == str(tmp_path / name)
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF-")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "4711" in page
    assert "SHA-256" in page
    run("report", str(tmp_path / "a.h5"), "-o", str(tmp_path / "r.docx"), status=2)
    run("report", str(tmp_path / "no.h5"), "-o", str(tmp_path / "r.pdf"), status=3)
    run("report", str(log), "-o", str(tmp_path / "s.pdf"), status=3)
    assert not (tmp_path / "s.pdf").exists()
