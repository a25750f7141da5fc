"""What leaves the program: copies without location and serial number, exports, samples anew."""

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from bms_studio.from_logs import import_logs
from bms_studio.from_samples import import_samples
from bms_studio.interpret import Request
from bms_studio.pack.profile import parse_profile
from bms_studio.rebuild import rebuild
from bms_studio.share import share
from bms_studio.simulator.simulation import generate
from protocols.dbc import parse_database
from protocols.frames import (
    BIT_RATE_SWITCH,
    ERROR,
    EXTENDED,
    FD,
    REMOTE,
    TRANSMITTED,
    Frames,
    concatenate,
    empty_frames,
)
from protocols.registry import load
from recordings.formats import read_log, write_log
from recordings.reader import Recording

DBC = """VERSION ""
BU_: BMS
BO_ 1536 Cells: 8 BMS
 SG_ Cell1_Voltage : 0|16@1+ (0.001,0) [0|5] "V" BMS
 SG_ Cell2_Voltage : 16|16@1+ (0.001,0) [0|5] "V" BMS
 SG_ Cell3_Voltage : 32|16@1+ (0.001,0) [0|5] "V" BMS
BO_ 1537 Where: 8 BMS
 SG_ GPS_Latitude : 0|32@1- (0.0000001,0) [-90|90] "deg" BMS
 SG_ GPS_Longitude : 32|32@1- (0.0000001,0) [-180|180] "deg" BMS
BO_ 1538 Identity: 8 BMS
 SG_ BMS_SerialNumber : 0|32@1+ (1,0) [0|0] "" BMS
"""
PROFILE = """[pack]
name = "Scooter"
serial = "KX4711-0815"
chemistry = "NMC"
capacity_ah = 30
[mapping]
"Where.GPS_Latitude" = "location.latitude"
"Where.GPS_Longitude" = "location.longitude"
"""


def ride(count: int = 900) -> Frames:
    """Cells, a position and an identity in turns, and a stray text with the serial number."""
    frames = empty_frames(count)
    frames.time[:] = 1_700_000_000 * 10**9 + np.arange(count) * 10**8 // 3
    frames.id[:] = 0x600 + np.arange(count) % 3
    frames.length[:] = 8
    raw = np.zeros((count, 4), "<u2")
    raw[::3, :3] = 3700 + np.arange(3)
    position = np.zeros((count, 2), "<i4")
    position[:, 0] = 521_000_000 + np.arange(count)
    position[:, 1] = 131_000_000
    frames.data[:] = raw.view(np.uint8)
    frames.data[1::3] = position.view(np.uint8)[1::3]
    frames.data[2::3, :4] = (77, 1, 0, 0)
    frames.id[5::90] = 0x7A0
    frames.data[5::90] = np.frombuffer(b"_KX4711-", np.uint8)
    return frames


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    log = tmp_path / "KX4711-0815.log"
    write_log(log, [ride()], channels=("can0",))
    databases = (parse_database("pack.dbc", DBC),)
    request = Request("", databases, parse_profile(PROFILE))
    import_logs([log], tmp_path / "rec.h5", request, signals=True)
    return Recording(tmp_path / "rec.h5")


def everything(path: Path) -> bytes:
    """All bytes of a recording, unpacked: text and frames, to be searched."""
    rec = Recording(path)
    parts = [repr(rec.attributes).encode()]
    parts += [repr(rec.read(group)).encode() for group in rec.groups()]
    parts += [block.data.tobytes() for block in rec.frames()]
    return b"\n".join(parts)


def test_import_writes_every_signal_when_asked(recording: Recording) -> None:
    assert recording.rows("/signals/Cells") > 0
    latitude = recording.read("/signals/Where", ["GPS_Latitude"])["GPS_Latitude"]
    assert abs(float(latitude[0]) - 52.1) < 0.001


def test_a_plain_copy_holds_everything(recording: Recording, tmp_path: Path) -> None:
    removed = share(recording, tmp_path / "copy.h5")
    assert str(removed).startswith("nothing")
    copy = Recording(tmp_path / "copy.h5")
    assert copy.attributes.frames_sha256 == recording.attributes.frames_sha256
    assert copy.attributes.uuid != recording.attributes.uuid
    assert set(copy.groups()) == set(recording.groups())
    for group in ("/cells", "/location", "/signals/Where"):
        for name, column in recording.read(group).items():
            np.testing.assert_array_equal(copy.read(group)[name], column)
    assert copy.labels("/frames") == ("can0",)
    assert copy.attributes.receipt == recording.attributes.receipt


def test_without_location_neither_samples_nor_frames_say_where(
    recording: Recording, tmp_path: Path
) -> None:
    assert recording.rows("/location") > 0
    removed = share(recording, tmp_path / "copy.h5", ["location"])
    copy = Recording(tmp_path / "copy.h5")
    assert set(removed.groups) == {"/location", "/signals/Where"}
    assert "/location" not in copy.groups()
    frames = concatenate(list(copy.frames()))
    assert 0x601 not in frames.id
    assert {0x600, 0x602, 0x7A0} <= set(frames.id.tolist())
    assert copy.rows("/cells") == recording.rows("/cells")
    assert "KX4711" in copy.attributes.profile
    (event,) = [e for e in copy.events() if e.kind == "removed"]
    assert "0x601" in event.text


def test_without_serial_no_byte_of_it_is_left(recording: Recording, tmp_path: Path) -> None:
    assert b"KX4711" in everything(recording.path)
    removed = share(recording, tmp_path / "copy.h5", ["serial"])
    assert b"KX47" not in everything(tmp_path / "copy.h5")
    copy = Recording(tmp_path / "copy.h5")
    frames = concatenate(list(copy.frames()))
    assert 0x602 not in frames.id
    assert 0x7A0 not in frames.id
    assert removed.ids == ("0x602", "0x7A0")
    assert copy.attributes.title == ""
    assert copy.rows("/location") == recording.rows("/location")
    assert 'chemistry = "NMC"' in copy.attributes.profile


def test_a_pack_that_says_its_serial_number_says_it_no_more(tmp_path: Path) -> None:
    frames = concatenate(list(generate(8.0, 6, rate_hz=20)))
    read = load("scooter").serial
    assert read is not None
    serial = read(frames)
    assert serial
    write_log(tmp_path / "a.log", [frames], channels=("can0",))
    import_logs([tmp_path / "a.log"], tmp_path / "rec.h5", Request())
    removed = share(Recording(tmp_path / "rec.h5"), tmp_path / "copy.h5", ["serial"])
    assert removed.ids
    copy = Recording(tmp_path / "copy.h5")
    assert not read(concatenate(list(copy.frames())))
    assert copy.columns("/cells")["voltage"].width == 6


def test_a_table_of_samples_is_shared_without_its_place(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    rows = [f"2024-05-04 10:00:{k:02d},3.9,3.8,52.{k:02d},13.4" for k in range(60)]
    table.write_text("Time,V_1,V_2,Latitude,Longitude\n" + "\n".join(rows) + "\n")
    import_samples(table, tmp_path / "rec.h5", Request())
    share(Recording(tmp_path / "rec.h5"), tmp_path / "copy.h5", ["location", "serial"])
    copy = Recording(tmp_path / "copy.h5")
    assert (copy.rows("/location"), copy.rows("/cells")) == (0, 60)


def test_the_command_leaves_out_in_every_format_and_knows_its_words(
    recording: Recording, tmp_path: Path
) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bms_studio", "export", str(recording.path), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    log = tmp_path / "out.log"
    done = run("-o", str(log), "--without", "location, serial")
    assert done.returncode == 0, done.stderr
    assert "left out: /location" in done.stderr
    assert set(concatenate(list(read_log(log))).id.tolist()) == {0x600}
    assert run("-o", str(log), "--without", "name").returncode == 2
    done = run("-o", str(recording.path), "--without", "serial")
    assert done.returncode == 2
    assert "being read" in done.stderr


def test_samples_are_derived_anew_with_a_database(tmp_path: Path) -> None:
    log, database = tmp_path / "a.log", tmp_path / "pack.dbc"
    write_log(log, [ride()], channels=("can0",))
    database.write_text(DBC)
    import_logs([log], tmp_path / "rec.h5", Request())
    before = Recording(tmp_path / "rec.h5")
    assert before.rows("/cells") == 0
    rebuild(before, tmp_path / "again.h5", [str(database)])
    again = Recording(tmp_path / "again.h5")
    assert again.columns("/cells")["voltage"].width == 3
    assert again.attributes.frames_sha256 == before.attributes.frames_sha256
    assert again.attributes.databases[0][0] == "pack.dbc"
    assert again.attributes.source_sha256 == before.attributes.source_sha256


# --- MDF 4 ---------------------------------------------------------------------------------------


def odd_frames(count: int = 3000) -> Frames:
    rng = np.random.default_rng(2)
    frames = empty_frames(count, 64)
    frames.time[:] = 1_762_375_445_149_000_000 + np.cumsum(rng.integers(1, 3000, count)) * 1000
    frames.id[:] = rng.integers(0, 2048, count)
    frames.flags[::3] = EXTENDED
    frames.id[::3] += 1 << 20
    frames.length[:] = rng.integers(0, 9, count)
    frames.flags[1::7] |= FD | BIT_RATE_SWITCH
    frames.length[1::7] = 48
    frames.flags[2::11] |= TRANSMITTED
    remote = np.arange(4, count, 35)
    frames.flags[remote] = REMOTE
    frames.id[remote] &= 0x7FF
    frames.length[remote] = 0
    frames.flags[6::70], frames.id[6::70], frames.length[6::70] = ERROR, 0, 0
    payload = rng.integers(0, 256, frames.data.shape, np.uint8)
    frames.data[:] = np.where(np.arange(64) < frames.length[:, None], payload, 0)
    return frames


def test_mf4_comes_back_with_every_bit(tmp_path: Path) -> None:
    if importlib.util.find_spec("asammdf") is None:
        pytest.skip("the extra mdf is not installed")
    frames = odd_frames()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what asammdf imports
        write_log(tmp_path / "a.mf4", [frames[:1000], frames[1000:]])
        reader = read_log(tmp_path / "a.mf4")
        got = concatenate(list(reader))
    assert reader.report.format == "mdf"
    for name in Frames.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(got, name), getattr(frames, name), name)


def test_mf4_without_its_extra_names_it(recording: Recording, tmp_path: Path) -> None:
    if importlib.util.find_spec("asammdf") is not None:
        pytest.skip("the extra mdf is installed")
    target = tmp_path / "a.mf4"
    command = [sys.executable, "-m", "bms_studio", "export", str(recording.path), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "bms-studio[mdf]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("a.mf4*"))
