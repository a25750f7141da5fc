"""One compliance test that every log format passes, and what is special about each."""

import struct
import zlib
from pathlib import Path

import can
import numpy as np
import pytest
from log_writers import RESOLUTION_NS, WRITERS

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
from recordings.errors import UnreadableLog
from recordings.formats import FORMATS, detect_format, read_log, write_log
from recordings.logs import LogReport

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "can"
FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
SUFFIX = {name: known.suffixes[0] for name, known in FORMATS.items()}
# What only an extra can write is tested in test_export.py.
WRITTEN = [name for name, known in FORMATS.items() if known.write and name != "mdf"]


def bus(count: int, *, fd: bool = False, seed: int = 1) -> Frames:
    """Frames as they are on a bus: whole microseconds, valid ids and lengths."""
    rng = np.random.default_rng(seed)
    frames = empty_frames(count, 64 if fd else 8)
    start = 1_762_375_445_149_000_000
    frames.time[:] = start + np.cumsum(rng.integers(1, 3000, count)) * 1000
    extended = rng.random(count) < 0.3
    frames.id[:] = np.where(extended, rng.integers(0, 1 << 29, count), rng.integers(0, 2048, count))
    frames.flags[:] = np.where(extended, EXTENDED, 0)
    frames.length[:] = rng.integers(0, 9, count)
    if fd:
        is_fd = rng.random(count) < 0.5
        frames.length[:] = np.where(is_fd, rng.choice(FD_LENGTHS, count), frames.length)
        switch = np.where(rng.random(count) < 0.5, FD | BIT_RATE_SWITCH, FD)
        frames.flags[:] |= np.where(is_fd, switch, 0).astype(np.uint8)
    payload = rng.integers(0, 256, frames.data.shape, np.uint8)
    frames.data[:] = np.where(np.arange(frames.width) < frames.length[:, None], payload, 0)
    return frames


def with_odd_ones(frames: Frames) -> Frames:
    """Some remote and some transmitted frames among them."""
    frames.flags[5::50] |= TRANSMITTED
    remote = np.arange(7, len(frames), 40)
    remote = remote[(frames.flags[remote] & FD) == 0]
    frames.flags[remote] |= REMOTE
    frames.length[remote] = 0
    frames.data[remote] = 0
    return frames


def read(path: Path, name: str | None = None) -> tuple[Frames, LogReport]:
    reader = read_log(path, name)
    return concatenate(list(reader)), reader.report


def log(folder: Path, name: str, frames: Frames) -> Path:
    """A log of this format; those that we do not write come from python-can or by hand."""
    path = folder / f"log{SUFFIX[name]}"
    if name in WRITTEN:
        write_log(path, [frames[: len(frames) // 3], frames[len(frames) // 3 :]], name)
        return path
    if name == "mdf":
        pytest.skip("a container that asammdf unpacks: test_formats_more.py")
    if name in WRITERS:
        path.write_bytes(WRITERS[name](frames))
        return path
    if name == "canhacker":
        path.write_bytes(canhacker_text(frames))
        return path
    with can.TRCWriter(str(path)) as writer:
        for k in range(len(frames)):
            writer.on_message_received(
                can.Message(
                    timestamp=frames.time[k] / 1e9,
                    arbitration_id=int(frames.id[k]),
                    is_extended_id=bool(frames.flags[k] & EXTENDED),
                    data=frames.data[k, : frames.length[k]].tobytes(),
                )
            )
    return path


def canhacker_text(frames: Frames) -> bytes:
    lines = ["@ TEXT @ 3 @ 64 @ 0 @ 9 @ 9 @ 00:00:09.000 @", "# $LocalTime=11:19:54.503"]
    for k in range(len(frames)):
        micro = int(frames.time[k] - frames.time[0]) // 1000
        number = f"{frames.id[k]:08X}" if frames.flags[k] & EXTENDED else f"{frames.id[k]:03X}"
        payload = frames.data[k, : frames.length[k]].tobytes().hex(" ").upper()
        stamp = f"{micro // 1_000_000},{micro % 1_000_000:06d}"
        lines.append(f"{stamp}\t1\t00000004\t{number}\t{frames.length[k]}\t{payload}\t00000000\t\t")
    return "\r".join(lines).encode() + b"\r"


def assert_same(got: Frames, sent: Frames, time_unit_ns: int = 1000) -> None:
    assert len(got) == len(sent)
    width = max(got.width, sent.width)
    np.testing.assert_array_equal(got.id, sent.id)
    np.testing.assert_array_equal(got.length, sent.length)
    for k in (got, sent):
        assert not k.data[:, 64 if width == 64 else 8 :].any()
    np.testing.assert_array_equal(got.data[:, : sent.width], sent.data[:, : got.width])
    steps = (got.time - got.time[0]) - (sent.time - sent.time[0])
    assert np.abs(steps).max() <= time_unit_ns


@pytest.mark.parametrize("name", FORMATS)
def test_frames_come_back_from_every_format(tmp_path: Path, name: str) -> None:
    frames = bus(3000)
    path = log(tmp_path, name, frames)
    assert detect_format(path) == name
    got, report = read(path)
    assert_same(got, frames, {"slcan": 1_000_000, **RESOLUTION_NS}.get(name, 2000))
    np.testing.assert_array_equal(got.flags, frames.flags)
    assert (report.bad, report.truncated, report.backwards) == (0, "", 0)
    assert report.frames == 3000


@pytest.mark.parametrize("fd", [False, True])
@pytest.mark.parametrize("name", ["candump", "asc", "blf"])
def test_flags_channels_and_absolute_time_come_back(tmp_path: Path, name: str, fd: bool) -> None:
    frames = with_odd_ones(bus(3000, fd=fd))
    frames.channel[::3] = 1
    frames.channel[0] = 0
    path = tmp_path / f"a{SUFFIX[name]}"
    write_log(path, [frames[:1000], frames[1000:]], channels=("can0", "can1"))
    got, report = read(path)
    assert_same(got, frames)
    np.testing.assert_array_equal(got.flags, frames.flags)
    np.testing.assert_array_equal(got.channel, frames.channel)
    assert np.abs(got.time - frames.time).max() < 1000
    assert report.channels == (["can0", "can1"] if name == "candump" else ["1", "2"])


@pytest.mark.parametrize("name", ["candump", "asc", "blf"])
def test_error_frames_come_back_as_such(tmp_path: Path, name: str) -> None:
    frames = bus(30)
    frames.flags[10] = ERROR
    frames.id[10], frames.length[10], frames.data[10] = 0, 0, 0
    path = log(tmp_path, name, frames)
    got, _ = read(path)
    assert (got.flags[10], int(np.count_nonzero(got.flags & ERROR))) == (ERROR, 1)


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_log_gives_all_frames_before_the_cut(tmp_path: Path, name: str) -> None:
    frames = bus(6000)
    path = log(tmp_path, name, frames)
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    for cut in rng.integers(len(whole) // 2, len(whole) - 60, 12):
        path.write_bytes(whole[:cut])
        got, report = read(path, name)
        count = len(got)
        assert count > (1000 if name == "blf" else 2500)
        np.testing.assert_array_equal(got.id, frames.id[:count])
        np.testing.assert_array_equal(got.data, frames.data[:count])
        if name == "blf":
            assert "cut off" in report.truncated


@pytest.mark.parametrize("name", FORMATS)
def test_garbage_lines_are_counted_and_cost_no_good_frame(tmp_path: Path, name: str) -> None:
    frames = bus(2000)
    path = log(tmp_path, name, frames)
    if name == "blf":
        spoil_objects(path)
        got, report = read(path)
        assert len(got) == 1998
        assert report.bad == 2
        return
    lines = path.read_bytes().splitlines()
    places = [700, 1200, 1900]
    for place, junk in zip(
        places, (b"\xff\xfe\x00junk", b"(1.2) x", b"9.9 9 zz Rx d"), strict=True
    ):
        lines.insert(place, junk)
    path.write_bytes(b"\r\n".join(lines) + b"\r\n")
    got, report = read(path, name)
    np.testing.assert_array_equal(got.data, frames.data)
    assert report.bad == 3
    assert report.bad_lines == [place + 1 for place in places]


def spoil_objects(path: Path) -> None:
    """Two objects of the first container get a size of zero, where readers go round for ever."""
    raw = path.read_bytes()
    at = struct.unpack_from("<L", raw, 4)[0]
    size = struct.unpack_from("<L", raw, at + 8)[0]
    content = bytearray(zlib.decompress(raw[at + 32 : at + size]))
    for number in (10, 20):
        struct.pack_into("<L", content, 48 * number + 8, 0)
    packed = zlib.compress(bytes(content))
    head = struct.pack("<4sHHLL", b"LOBJ", 16, 1, 32 + len(packed), 10)
    head += struct.pack("<H6xL4x", 2, len(content)) + packed + bytes((32 + len(packed)) % 4)
    path.write_bytes(raw[:at] + head + raw[at + size + size % 4 :])


@pytest.mark.parametrize("name", FORMATS)
def test_a_huge_line_is_one_bad_line(tmp_path: Path, name: str) -> None:
    frames = bus(100)
    path = log(tmp_path, name, frames)
    if name == "blf":
        path.write_bytes(path.read_bytes() + b"x" * 5_000_000)
        got, report = read(path)
        assert (len(got), "damaged" in report.truncated) == (100, True)
        return
    lines = path.read_bytes()
    end = b"\n" if b"\n" in lines else b"\r"
    path.write_bytes(lines + b"t" * 5_000_000 + end + lines.splitlines()[-2] + end)
    got, report = read(path, name)
    assert len(got) == 101
    assert report.bad == 1


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "content", [b"\0" * 5000, b"poem " * 3000, b"\n" * 100, b"LOGG" + b"\1" * 40]
)
def test_what_is_no_log_is_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(UnreadableLog) as caught:
        read(path, name)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_random_damage_never_raises_anything_else(tmp_path: Path, name: str) -> None:
    path = log(tmp_path, name, bus(400))
    good = path.read_bytes()
    rng = np.random.default_rng(4)
    for _ in range(60):
        data = bytearray(good)
        for _ in range(int(rng.integers(1, 30))):
            data[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
        path.write_bytes(data)
        try:
            got, report = read(path, name)
        except UnreadableLog:
            continue
        assert len(got) == report.frames <= 400
        assert (np.diff(got.time) >= 0).all()
        assert (got.length <= got.width).all()
        extended = (got.flags & EXTENDED) != 0
        assert (got.id[~extended & ((got.flags & ERROR) == 0)] < 2048).all()


def test_no_such_file_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.log").write_bytes(b"")
    for path, words in (("no.log", "no such file"), (".", "folder"), ("empty.log", "empty")):
        with pytest.raises(UnreadableLog, match=words):
            detect_format(tmp_path / path)


def test_time_that_runs_backwards_is_raised_to_the_latest_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(
        "".join(
            f"({t}.000000) can0 123#{t % 100:02d}\n"
            for t in (1_700_000_000, 1_700_000_005, 1_700_000_003, 1_700_000_004, 1_700_000_006)
        )
    )
    got, report = read(path)
    assert ((got.time - got.time[0]) // 10**9).tolist() == [0, 5, 5, 5, 6]
    assert got.data[:, 0].tolist() == [0x00, 0x05, 0x03, 0x04, 0x06]
    assert report.backwards == 2


def test_a_torn_last_line_that_looks_like_a_shorter_frame_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(
        "(1700000000.0) can0 123#1122334455667788\n" * 3 + "(1700000000.1) can0 123#1122"
    )
    got, report = read(path)
    assert len(got) == 3
    assert "last line (4)" in report.truncated
    path.write_text("(1700000000.0) can0 123#1122\n" * 3 + "(1700000000.1) can0 123#1122")
    assert len(read(path)[0]) == 4


def test_candump_counts_from_its_start_when_its_stamps_are_small(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("(000.000000) can0 123#11\n(000.100000) can0 123#12\n")
    assert read(path)[1].time_reference == "relative"


def test_slcan_stamps_wrap_after_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    stamps = [59_000, 59_999, 3, 500, 59_000, 10]
    path.write_bytes(b"".join(b"t1232AABB%04X\r" % stamp for stamp in stamps))
    got, report = read(path)
    assert (got.time // 10**6).tolist() == [59_000, 59_999, 60_003, 60_500, 119_000, 120_010]
    assert report.time_reference == "relative"
    path.write_bytes(b"".join(b"t1232AABB%04X\r" % stamp for stamp in (65_000, 3)))
    assert (read(path)[0].time // 10**6).tolist() == [65_000, 65_539]


def test_slcan_text_without_stamps_says_that_its_times_are_invented(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"t1232AABB\rT123456782AABB\rz\r" * 10)
    got, report = read(path)
    assert len(got) == 20
    assert "no time stamps" in report.notes[0]
    assert report.skipped == 10


@pytest.mark.parametrize(
    ("date", "reference"),
    [
        ("Thu, 09 Nov 2023 20:36:33 GMT", "utc"),
        ("Thu Nov 9 08:36:33.250 pm 2023", "local-assumed"),
        ("Don Nov 9 20:36:33 2023", "local-assumed"),
        ("sometime", "relative"),
    ],
)
def test_asc_dates_of_several_tools_are_understood(
    tmp_path: Path, date: str, reference: str
) -> None:
    path = tmp_path / "a.asc"
    path.write_text(
        f"date {date}\nbase hex  timestamps absolute\n// a comment\nBegin Triggerblock\n"
        "   0.100000 1  1A0             Rx   d 2 AA BB  Length = 0 BitCount = 0\n"
        "   0.200000 1  18FF1234x       Tx   d 1 7F\n"
        "   0.250000 1  Statistic: D 1 R 0 XD 0 XR 0 E 0 O 0 B 1.00%\n"
        "   0.300000 2  7FF             Rx   r\n"
        "   0.400000 CANFD   1 Rx 1A0  Some_Name  1 0 9 12 00 01 02 03 04 05 06 07 08 09 0a 0b "
        "0 0 3000 0 0 0 0 0\n"
        "   0.500000 1  ErrorFrame\n"
        "End TriggerBlock\n"
    )
    got, report = read(path)
    assert got.id.tolist() == [0x1A0, 0x18FF1234, 0x7FF, 0x1A0, 0]
    kinds = [0, EXTENDED | TRANSMITTED, REMOTE, FD | BIT_RATE_SWITCH, ERROR]
    assert got.flags.tolist() == kinds
    assert got.length.tolist() == [2, 1, 0, 12, 0]
    assert got.data[3, :12].tolist() == list(range(12))
    assert (report.time_reference, report.bad) == (reference, 0)
    assert report.channels == ["1", "2"]
    if reference == "utc":
        assert got.time[0] == 1_699_562_193_100_000_000


def test_asc_may_be_decimal_and_relative(tmp_path: Path) -> None:
    path = tmp_path / "a.asc"
    path.write_text(
        "base dec  timestamps relative\n"
        "   0.100000 1  416             Rx   d 2 170 187\n"
        "   0.200000 1  Statistic: nothing\n"
        "   0.300000 1  417             Rx   d 1 7\n"
    )
    got, _ = read(path)
    assert got.id.tolist() == [416, 417]
    assert got.data[0, :2].tolist() == [170, 187]
    assert (got.time // 10**6).tolist() == [100, 600]


TRC = {
    "1.0": ";##\n;\n     1)      1841 0001 3 01 02 03\n     2)      1842 18FF1234 0\n",
    "1.1": ";$FILEVERSION=1.1\n;$STARTTIME=45239.5\n"
    "     1)      1841.0  Rx         0001  3  01 02 03\n"
    "     2)      1842.0  Tx     18FF1234  0\n     3)  1843.0 Error  0 0 0\n",
    "1.3": ";$FILEVERSION=1.3\n;$STARTTIME=45239.5\n"
    "     1)      1841.0  1  Rx         0001 -  3    01 02 03\n"
    "     2)      1842.0  2  Tx     18FF1234 -  0\n",
    "2.0": ";$FILEVERSION=2.0\n;$STARTTIME=45239.5\n;$COLUMNS=N,O,T,I,d,l,D\n"
    "      1      1841.0 DT     0001 Rx 3  01 02 03\n"
    "      2      1842.0 DT 18FF1234 Tx 0\n      3 1843.0 ST Rx 00 00 00 08\n",
    "2.1": ";$FILEVERSION=2.1\n;$STARTTIME=45239.5\n;$COLUMNS=N,O,T,B,I,d,R,L,D\n"
    "      1      1841.0 DT 1     0001 Rx -  3    01 02 03\n"
    "      2      1842.0 DT 2 18FF1234 Tx -  0\n",
}


@pytest.mark.parametrize("version", TRC)
def test_every_trc_version_is_read(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.trc"
    path.write_text(TRC[version])
    got, report = read(path)
    assert got.id.tolist() == [1, 0x18FF1234]
    assert got.data[0, :3].tolist() == [1, 2, 3]
    assert got.length.tolist() == [3, 0]
    assert np.diff(got.time).tolist() == [1_000_000]
    assert bool(got.flags[1] & EXTENDED)
    assert report.bad == 0
    if version != "1.0":
        assert got.flags[1] & TRANSMITTED


@pytest.mark.parametrize("name", ["candump", "asc", "blf"])
@pytest.mark.parametrize("fd", [False, True])
def test_python_can_reads_what_we_write_and_we_read_what_it_writes(
    tmp_path: Path, name: str, fd: bool
) -> None:
    frames = bus(400, fd=fd)
    path = tmp_path / f"a{SUFFIX[name]}"
    write_log(path, [frames])
    back = tmp_path / f"b{SUFFIX[name]}"
    more = {"relative_timestamp": False} if name == "asc" else {}
    with can.LogReader(str(path), **more) as reader, can.Logger(str(back)) as writer:
        for k, message in enumerate(reader):
            assert message.arbitration_id == frames.id[k]
            assert bytes(message.data) == frames.data[k, : frames.length[k]].tobytes()
            assert message.is_fd == bool(frames.flags[k] & FD)
            assert abs(message.timestamp - frames.time[k] / 1e9) < 2e-6
            writer.on_message_received(message)
    got, report = read(back)
    assert_same(got, frames, 2000)
    assert np.abs(got.time - frames.time).max() < 1_000_000
    assert report.bad == 0


def test_a_blf_bomb_is_not_unpacked_beyond_what_it_declares(tmp_path: Path) -> None:
    path = log(tmp_path, "blf", bus(100))
    bomb = zlib.compress(bytes(200 << 20), 9)
    head = struct.pack("<4sHHLL", b"LOBJ", 16, 1, 32 + len(bomb), 10)
    body = head + struct.pack("<H6xL4x", 2, 1 << 31) + bomb
    path.write_bytes(path.read_bytes() + body)
    got, report = read(path)
    assert len(got) == 100
    assert "cannot be unpacked" in report.truncated


@pytest.mark.skipif(not DATA.exists(), reason="the shared measured data are not beside this clone")
@pytest.mark.parametrize(
    ("file", "name", "count"),
    [
        ("orion/big.raw", "slcan", 1566),
        ("orion/candump-2025-11-05_214230.log", "candump", 56_676),
        ("tecnun/candump-2024-12-28_152319.log", "candump", 74_381),
        ("kona/kona_bms_uds_idle_30s.asc", "asc", 5934),
        ("bmw_i3/I3_akku_only.trc", "canhacker", 1149),
    ],
)
def test_measured_logs_are_recognised_and_complete(file: str, name: str, count: int) -> None:
    got, report = read(DATA / file)
    assert (report.format, len(got), report.bad) == (name, count, 0)
