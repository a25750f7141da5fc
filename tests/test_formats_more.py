"""What is special about the formats that other tools write and the program only reads.

The compliance test that all formats pass is in test_formats.py.
"""

import contextlib
import importlib.util
from itertools import permutations
from pathlib import Path

import can
import numpy as np
import pytest
from log_writers import WRITERS

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
from recordings.formats import FORMATS, detect_format, read_log
from recordings.logs import LogReport
from recordings.sample_csv import is_sample_table

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "can"


def read(path: Path, text: str | bytes, name: str | None = None) -> tuple[Frames, LogReport]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    reader = read_log(path, name)
    return concatenate(list(reader)), reader.report


def millis(frames: Frames) -> list[int]:
    return [int(t) for t in (frames.time - frames.time[0]) // 10**6]


def some(count: int) -> Frames:
    frames = empty_frames(count)
    frames.time[:] = 1_762_375_445 * 10**9 + np.arange(count) * 10**7
    frames.id[:] = np.where(np.arange(count) % 3 == 0, 0x18FF1234, 0x1DB)
    frames.flags[:] = np.where(np.arange(count) % 3 == 0, EXTENDED, 0)
    frames.length[:] = 8
    frames.data[:] = np.arange(count)[:, None]
    return frames


def test_no_format_takes_the_log_of_another(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        path = tmp_path / name
        path.write_bytes(write(some(60)))
        head = path.read_bytes()
        scores = {other: known.sniff(head) for other, known in FORMATS.items()}
        assert scores.pop(name) >= 0.8
        assert max(scores.values()) < 0.5, (name, scores)


def test_a_log_is_known_by_its_lines_where_its_header_is_lost(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        if name in ("gvret", "frame-csv"):
            continue  # columns without names could mean anything
        path = tmp_path / name
        lines = write(some(60)).splitlines(keepends=True)
        path.write_bytes(b"".join(lines[10:]))
        assert detect_format(path) == name


# --- candump text -----------------------------------------------------------------------------


def test_candump_text_without_stamps_says_that_its_times_are_invented(tmp_path: Path) -> None:
    text = (
        "# written down from a post\n  can0  351   [8]  48 02 D0 07 D0 07 C0 01\n"
        "  can0  355   [4]  1E 00 64 00\n  can8  18FF1234   [0]\n"
    )
    got, report = read(tmp_path / "a.txt", text)
    assert report.format == "candump-plain"
    assert got.id.tolist() == [0x351, 0x355, 0x18FF1234]
    assert got.length.tolist() == [8, 4, 0]
    assert got.flags.tolist() == [0, 0, EXTENDED]
    assert report.channels == ["can0", "can8"]
    assert (report.bad, report.skipped, report.time_reference) == (0, 1, "relative")
    assert millis(got) == [0, 1, 2]
    assert "without a time stamp" in report.notes[0]


def test_candump_text_with_all_that_it_can_print(tmp_path: Path) -> None:
    text = (
        " (1617269100.654171)  can0  RX - -  123   [3]  12 31 23\n"
        " (1617269100.754171)  can0  TX - -  123   [8]  remote request\n"
        " (1617269100.854171)  can1  RX B E  18FF1234  [12]  00 01 02 03 04 05 06 07 08 09 0A 0B\n"
        " (1617269100.954171)  can1  RX - -  124  [08]  00 01 02 03 04 05 06 07\n"
        " (1617269101.054171)  can0  RX - -  20000004   [8]  00 04 00 00 00 00 00 00   ERRORFRAME\n"
        " (1617269101.154171)  can0  RX - -  125   [2]  41 42   'AB'\n"
    )
    got, report = read(tmp_path / "a.txt", text)
    assert report.bad == 0
    assert got.flags.tolist() == [
        0,
        REMOTE | TRANSMITTED,
        EXTENDED | FD | BIT_RATE_SWITCH,
        FD,
        ERROR,
        0,
    ]
    assert got.id.tolist() == [0x123, 0x123, 0x18FF1234, 0x124, 4, 0x125]
    assert got.length.tolist() == [3, 0, 12, 8, 8, 2]
    assert got.data[2, :12].tolist() == list(range(12))
    assert got.time[0] == 1_617_269_100_654_171_000
    assert report.time_reference == "utc"


@pytest.mark.parametrize(
    ("stamps", "reference", "expected"),
    [
        (("000.000000", "000.100000", "000.250000", "012.5"), "relative", [0, 100, 250, 12500]),
        (("000.000000", "000.100000", "000.050000", "000.1"), "relative", [0, 100, 150, 250]),
        (
            ("2015-07-10 06:17:33.650713", "2015-07-10 06:17:34.650713"),
            "local-assumed",
            [0, 1000],
        ),
    ],
)
def test_candump_stamps_of_every_kind(
    tmp_path: Path, stamps: tuple[str, ...], reference: str, expected: list[int]
) -> None:
    text = "".join(f" ({stamp})  can0  123   [1]  11\n" for stamp in (*stamps,))
    got, report = read(tmp_path / "a.txt", text + "")
    assert report.time_reference == reference
    assert millis(got) == expected
    assert report.backwards == 0


# --- GVRET ------------------------------------------------------------------------------------


def gvret(*stamps: int, header: str = "Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2") -> str:
    rows = [f"{stamp},000005EB,false,Rx,0,2,E8,{k:02X}," for k, stamp in enumerate(stamps)]
    return "\n".join([header, *rows]) + "\n"


def test_gvret_without_dir_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    text = (
        "\ufeffTime Stamp,ID,Extended,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\r\n"
        "1000000,0000012D,false,1,3,01,02,03,,,,,\r\n1001000,18FF50E5,true,0,0\r\n"
    )
    got, report = read(tmp_path / "a.csv", text)
    assert (report.format, report.bad, report.channels) == ("gvret", 0, ["1", "0"])
    assert got.id.tolist() == [0x12D, 0x18FF50E5]
    assert got.flags.tolist() == [0, EXTENDED]
    assert got.length.tolist() == [3, 0]
    assert millis(got) == [0, 1]
    assert report.time_reference == "relative"


def test_gvret_transmitted_frames_and_stamps_since_1970(tmp_path: Path) -> None:
    text = "Time Stamp,ID,Extended,Dir,Bus,LEN,D1\n1682525245123456,7E4,0,Tx,0,1,22\n"
    got, report = read(tmp_path / "a.csv", text)
    assert got.flags.tolist() == [TRANSMITTED]
    assert got.time.tolist() == [1_682_525_245_123_456_000]
    assert report.time_reference == "utc"


def test_gvret_loggers_without_bus_count_milliseconds(tmp_path: Path) -> None:
    text = "Time Stamp,ID,Extended,LEN,D1\n1000,1DB,0,1,22\n1010,1DB,0,1,22\n"
    got, report = read(tmp_path / "a.csv", text)
    assert millis(got) == [0, 10]
    assert "milliseconds" in report.notes[0]


def test_gvret_stamps_below_zero_count_from_the_first_frame(tmp_path: Path) -> None:
    got, report = read(tmp_path / "a.csv", gvret(-5_000_000, -4_000_000, 1_000_000))
    assert got.time.tolist() == [0, 10**9, 6 * 10**9]
    assert "below zero" in report.notes[0]


def test_gvret_stamps_wrap_with_32_bits(tmp_path: Path) -> None:
    top = 1 << 31
    got, _ = read(tmp_path / "a.csv", gvret(top - 2000, top - 1000, -top, 1000 - top))
    assert millis(got) == [0, 1, 2, 3]
    got, _ = read(tmp_path / "b.csv", gvret(2 * top - 1000, 0, 1000))
    assert millis(got) == [0, 1, 2]


def test_gvret_disorder_is_raised_and_a_restart_goes_on(tmp_path: Path) -> None:
    disorder = (1_000_000, 1_500_000, 1_400_000, 1_600_000)
    got, report = read(tmp_path / "a.csv", gvret(*disorder))
    assert millis(got) == [0, 500, 500, 600]
    assert (report.backwards, report.notes) == (1, [])
    again = [*range(100_000_000, 101_000_000, 10_000), *range(5_000_000, 6_000_000, 10_000)]
    got, report = read(tmp_path / "b.csv", gvret(*again))
    assert np.diff(got.time).tolist() == [10**7] * 99 + [0] + [10**7] * 99
    assert report.backwards == 0
    assert "starts again once (frame 101)" in report.notes[0]


def test_two_clocks_side_by_side_are_no_restart(tmp_path: Path) -> None:
    stamps = [t for k in range(100) for t in (100_000_000 + k * 1000, 5_000_000 + k * 1000)]
    got, report = read(tmp_path / "a.csv", gvret(*stamps))
    assert got.time[-1] - got.time[0] == 99 * 10**6
    assert (report.backwards, report.notes) == (100, [])


def test_gvret_lines_that_lie_about_their_length_are_bad(tmp_path: Path) -> None:
    text = (
        "Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2\n1,123,false,Rx,0,2,11\n2,123,false,Rx,0,9,11\n"
        "3,123,false,Rx,0,1,GG\n4,FFFFFFFF,true,Rx,0,1,11\n5,123,false,Rx,0,1,11\n6,123\n"
    )
    got, report = read(tmp_path / "a.csv", text)
    assert len(got) == 1
    assert (report.bad, report.bad_lines, report.lines) == (5, [2, 3, 4, 5, 7], 7)


# --- BUSMASTER --------------------------------------------------------------------------------


def busmaster(mode: str, *rows: str, base: str = "HEX", date: str = "8:8:2014 11:49:7:965") -> str:
    head = ["***BUSMASTER Ver 2.4.0***", "***PROTOCOL CAN***", f"***{base}***"]
    head += [f"***START DATE AND TIME {date}***", f"***{mode} MODE***"] if date else []
    columns = "***<Time><Tx/Rx><Channel><CAN ID><Type><DLC><DataBytes>***"
    return "\n".join([*head, columns, *rows, "***[STOP LOGGING SESSION]***"]) + "\n"


def test_busmaster_types_and_both_directions(tmp_path: Path) -> None:
    rows = (
        "11:49:12:9420 Rx 1 0x023 s 1 40 ",
        "11:49:12:9440 Tx 2 0x1CFF1234 x 2 03 E0",
        "11:49:12:9530 Rx 1 0x023 sr 8",
        "11:49:12:9680 Rx 1 0x1CFF1234 xr 0",
    )
    got, report = read(tmp_path / "a.log", busmaster("SYSTEM", *rows))
    assert (report.format, report.bad, report.skipped) == ("busmaster", 0, 7)
    assert got.flags.tolist() == [0, EXTENDED | TRANSMITTED, REMOTE, EXTENDED | REMOTE]
    assert got.id.tolist() == [0x23, 0x1CFF1234, 0x23, 0x1CFF1234]
    assert got.length.tolist() == [1, 2, 0, 0]
    assert report.channels == ["1", "2"]
    assert report.time_reference == "local-assumed"
    assert "zone" in report.notes[0]
    assert millis(got) == [0, 2, 11, 26]


def test_busmaster_modes_of_time(tmp_path: Path) -> None:
    rows = [f"00:00:0{k}:5000 Rx 1 0x023 s 1 40" for k in (1, 2, 4)]
    absolute, _ = read(tmp_path / "a.log", busmaster("ABSOLUTE", *rows))
    relative, _ = read(tmp_path / "b.log", busmaster("RELATIVE", *rows))
    assert millis(absolute) == [0, 1000, 3000]
    assert millis(relative) == [0, 2500, 7000]
    system, _ = read(tmp_path / "c.log", busmaster("SYSTEM", *rows))
    assert (absolute.time[0] - system.time[0]) // 10**6 == (11 * 60 + 49) * 60_000 + 7965 - 1500


def test_busmaster_goes_on_after_midnight_and_reads_decimal(tmp_path: Path) -> None:
    rows = ("23:59:59:9000 Rx 1 291 s 2 255 16", "00:00:00:1000 Rx 1 291 s 2 1 2")
    got, _ = read(tmp_path / "a.log", busmaster("SYSTEM", *rows, base="DEC"))
    assert got.id.tolist() == [0x123, 0x123]
    assert got.data[0, :2].tolist() == [255, 16]
    assert millis(got) == [0, 200]


def test_busmaster_without_a_date_is_relative(tmp_path: Path) -> None:
    row = "11:49:12:9420 Rx 1 0x023 s 1 40"
    for k, date in enumerate(("", "31:2:2014 11:49:7:965")):
        got, report = read(tmp_path / f"{k}.log", busmaster("SYSTEM", row, date=date))
        assert (len(got), report.time_reference) == (1, "relative")


# --- CRTD, Battery-Emulator, CAN testers, CANHacker ----------------------------------------------


def test_crtd_skips_all_other_records_and_knows_the_bus(tmp_path: Path) -> None:
    text = (
        "169.971289 CXX Info Type:crtd; Path:'/sd/can3.crtd'; Filter:3:0-ffffffff; Vehicle:TSHK;\n"
        "170.020305 1R11 213 00 00 00 00 c0 01 00 00\n170.020970 2T29 18ff1234 92 b\n"
        "170.021 R11 27\n170.03 1CER intr=0 rxpkt=0\n170.04 3XYZ what comes later\n"
        "170.1 1R11 213 00 00 00 00 c0 01 00 00 11\n170.2 1R11 zz 00\n"
    )
    got, report = read(tmp_path / "a.crtd", text)
    assert report.format == "crtd"
    assert got.id.tolist() == [0x213, 0x18FF1234, 0x27]
    assert got.flags.tolist() == [0, EXTENDED | TRANSMITTED, 0]
    assert got.length.tolist() == [8, 2, 0]
    assert got.data[1, :2].tolist() == [0x92, 0x0B]
    assert (report.skipped, report.bad_lines) == (3, [7, 8])
    assert (report.channels, report.time_reference) == (["1", "2"], "relative")
    assert got.time[2] == 170_021_000_000


def test_battery_emulator_old_and_new(tmp_path: Path) -> None:
    old = "(0.00) RX0 1DB [8] 40 10 00 00 00 80 00 00\n(0.100) TX1 18FF1234 [1] 8\n"
    got, report = read(tmp_path / "a.txt", old)
    assert (report.format, report.channels) == ("battery-emulator", ["0"])
    assert got.flags.tolist() == [0, EXTENDED | TRANSMITTED]
    assert millis(got) == [0, 100]
    new = "(5.000) rx0 1DB [1] 40\n(5.001) RX4 123 [2] 01 02\n(5.002) TX5 123 [12]" + " 07" * 12
    got, report = read(tmp_path / "b.txt", new + "\n")
    assert got.flags.tolist() == [0, FD, FD | TRANSMITTED]
    assert report.channels == ["0", "2"]
    assert report.time_reference == "relative"


def test_can_tester_text_with_and_without_flags(tmp_path: Path) -> None:
    text = (
        "ParserFlags\tCh\tCounter\tT/R\tTime\tFlags\tCAN ID\tLen\tData\t\n"
        "1\t0\t1\tRX\t565214935\t\t0x00000603\t1\t0x00 \t\n"
        "1\t1\t2\tTX\t565214958\tX\t0x18ff1234\t2\t0x01 02 \t\n"
        "1\t0\t3\tRX\t565214960\t\t0x00000603\t0\t\tDefault Parser\t\n"
    )
    got, report = read(tmp_path / "a.log", text)
    assert (report.format, report.bad, report.skipped) == ("can-tester", 0, 1)
    assert got.id.tolist() == [0x603, 0x18FF1234, 0x603]
    assert got.flags.tolist() == [0, EXTENDED | TRANSMITTED, 0]
    assert got.length.tolist() == [1, 2, 0]
    assert millis(got) == [0, 23, 25]
    assert report.channels == ["0", "1"]


def test_canhacker_text_wraps_after_a_minute(tmp_path: Path) -> None:
    text = (
        "Time   ID     DLC Data                    Comment\n"
        "59.900 00004000 8 36 47 19 43 01 00 00 80 \n00.100 123 2 01 02 my comment\n"
    )
    got, report = read(tmp_path / "a.txt", text)
    assert report.format == "canhacker-text"
    assert got.flags.tolist() == [EXTENDED, 0]
    assert millis(got) == [0, 200]
    got, _ = read(tmp_path / "b.txt", text.replace("59.900", "1059,900").replace("00.1", "1060,1"))
    assert millis(got) == [0, 200]


def test_canhacker_traces_of_version_2_count_milliseconds(tmp_path: Path) -> None:
    text = (
        "@ TEXT @ 2 @ 64 @ 0 @ 591 @ 38782 @ 00:00:38.782 @\r"
        "14,687\t1\t0004\t4E0\t8\t24 00 00 00 00 00 00 00\t00000000\t$\t\r"
        "15,5\t1\t0004\t18FF1234\t1\t24\t00000000\t$\t\r"
    )
    got, report = read(tmp_path / "a.trc", text)
    assert (report.format, report.bad) == ("canhacker", 0)
    assert got.flags.tolist() == [0, EXTENDED]
    assert millis(got) == [0, 318]
    got, _ = read(tmp_path / "b.trc", text.replace("@ 2 @", "@ 3 @"))
    assert got.time.tolist() == [14_000_687_000, 15_000_005_000]


def test_logs_are_no_tables_of_samples_and_tables_no_logs(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for write in WRITERS.values():
        path.write_bytes(write(some(60)))
        assert not is_sample_table(path)
    path.write_text("time,V_1,V_2,current\n" + "1620205800,3.6,3.6,1\n" * 50)
    with pytest.raises(UnreadableLog):
        detect_format(path)


# --- what all have in common -------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
def test_a_last_line_without_its_end_counts_when_it_is_whole(tmp_path: Path, name: str) -> None:
    whole = WRITERS[name](some(30)).rstrip()
    got, report = read(tmp_path / "a", whole, name)
    assert (len(got), report.bad, report.truncated) == (30, 0, "")


@pytest.mark.parametrize("name", WRITERS)
def test_blocks_do_not_show(tmp_path: Path, name: str) -> None:
    frames = some(60_000)
    got, report = read(tmp_path / "a", WRITERS[name](frames), name)
    assert len(list(read_log(tmp_path / "a", name))) > 1
    assert (len(got), report.bad, report.backwards) == (60_000, 0, 0)
    np.testing.assert_array_equal(got.data, frames.data)
    np.testing.assert_array_equal(np.diff(got.time), np.diff(frames.time))


@pytest.mark.parametrize("name", WRITERS)
def test_odd_text_is_refused_or_read_but_never_breaks(tmp_path: Path, name: str) -> None:
    first = WRITERS[name](some(4)).splitlines()
    for order in permutations(first[-1].split()[:6], 3):
        (tmp_path / "a").write_bytes(b"\n".join([*first[:1], b" ".join(order), b"[", b"(", b","]))
        reader = read_log(tmp_path / "a", name)
        with contextlib.suppress(UnreadableLog):
            assert sum(map(len, reader)) <= 2
        assert reader.report.bad + reader.report.frames >= 3


def test_more_than_256_channels_are_bad_lines(tmp_path: Path) -> None:
    text = "".join(f"  can{k}  123   [1]  11\n" for k in range(300))
    got, report = read(tmp_path / "a.txt", text)
    assert (len(got), report.bad, len(report.channels)) == (256, 44, 256)


@pytest.mark.skipif(not DATA.exists(), reason="the shared measured data are not beside this clone")
@pytest.mark.parametrize(
    ("file", "name", "count"),
    [
        ("leaf/EV-CANeplus2.log", "can-tester", 25_832),
        ("leaf/ZE0w24kWhstock.log", "can-tester", 59_966),
        ("pylon_lv/captures.txt", "candump-plain", 39),
    ],
)
def test_measured_logs_are_recognised_and_complete(file: str, name: str, count: int) -> None:
    reader = read_log(DATA / file)
    frames = concatenate(list(reader))
    assert (reader.report.format, len(frames), reader.report.bad) == (name, count, 0)


@pytest.mark.skipif(not DATA.exists(), reason="the shared measured data are not beside this clone")
def test_a_measured_leaf_says_its_unit_by_its_10_ms_frame() -> None:
    frames = concatenate(list(read_log(DATA / "leaf" / "EV-CANeplus2.log")))
    step = np.diff(frames.time[frames.id == 0x1DB])
    assert abs(float(np.median(step)) / 1e6 - 10) < 2


def test_a_single_damaged_stamp_costs_only_itself(tmp_path: Path) -> None:
    stamps = [k * 10_000 for k in range(100)]
    for place in (0, 40):
        spoiled = list(stamps)
        spoiled[place] = 999_999_999_999
        got, report = read(tmp_path / "a.csv", gvret(*spoiled))
        expected = [max(k - (k == place), 1 if place == 0 else 0) * 10 for k in range(100)]
        assert [int(t) // 10**6 for t in got.time] == expected
        assert "damaged stamps" in report.notes[0]


# --- MDF 4 --------------------------------------------------------------------------------------


def test_mdf_4_names_the_extra_that_it_needs(tmp_path: Path) -> None:
    if importlib.util.find_spec("asammdf"):
        pytest.skip("the extra mdf is installed")
    path = tmp_path / "a.mf4"
    path.write_bytes(b"MDF     4.10    " + bytes(200))
    assert detect_format(path) == "mdf"
    with pytest.raises(UnreadableLog, match=r"needs the extra mdf .*bms-studio\[mdf\]"):
        list(read_log(path))


def test_mdf_4_frames_come_back_and_damage_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("asammdf", reason="the extra mdf is not installed")
    path = tmp_path / "a.mf4"
    frames = some(500)
    with can.MF4Writer(str(path)) as writer:
        for k in range(len(frames)):
            message = can.Message(
                timestamp=frames.time[k] / 1e9,
                arbitration_id=int(frames.id[k]),
                is_extended_id=bool(frames.flags[k] & EXTENDED),
                data=frames.data[k].tobytes(),
                channel=0,
            )
            writer.on_message_received(message)
    reader = read_log(path)
    got = concatenate(list(reader))
    assert (reader.report.format, reader.report.time_reference) == ("mdf", "utc")
    np.testing.assert_array_equal(got.id, frames.id)
    np.testing.assert_array_equal(got.flags, frames.flags)
    np.testing.assert_array_equal(got.data, frames.data)
    assert np.abs(got.time - frames.time).max() < 1000
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UnreadableLog, match="damaged"):
        list(read_log(path))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("timestamp,arbitration_id,extended,remote,error,dlc,data", "{t:.3f},{d},0,0,0,3,01ffa0"),
        ("Timestamp,ID,Data", "{t:.4f},0x{d:X},01 FF A0"),
        ("Time,CAN ID,B0,B1,B2,B3", "{t:.3f},{d:X},1,255,160,"),
        ("Time (ms);Identifier;DLC;Byte 0;Byte 1;Byte 2", "{ms};{d:03X};3;01;FF;A0"),
    ],
)
def test_frames_in_columns_by_name_are_read_whatever_the_columns(
    tmp_path: Path, header: str, row: str
) -> None:
    rows = [row.format(t=0.5 * k, ms=500 * k, d=0x3E9 + k) for k in range(8)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join((header, *rows)) + "\nnot a row\n")
    reader = read_log(path)
    frames = concatenate(list(reader))
    assert reader.report.format == "frame-csv"
    assert frames.id.tolist() == [0x3E9 + k for k in range(8)]
    assert frames.time.tolist() == [500_000_000 * k for k in range(8)]
    assert all(frames.data[k, :3].tobytes() == b"\x01\xff\xa0" for k in range(8))
    assert (reader.report.bad, reader.report.bad_lines) == (1, [10])


def test_identifiers_of_an_asc_log_may_be_marked_with_0x(tmp_path: Path) -> None:
    path = tmp_path / "log.asc"
    path.write_text(
        "date 2023-11-15T14:30:00.000Z\nbase hex  timestamps absolute\n"
        "   0.010000 1  0x2A0             Rx   d 2 AA BB\n"
        "   0.020000 1  0x18FF0102x       Rx   d 1 CC\n"
        "   0.030000 1  0x                Rx   d 1 CC\n"
    )
    reader = read_log(path)
    frames = concatenate(list(reader))
    assert frames.id.tolist() == [0x2A0, 0x18FF0102, 0]
    assert (frames.flags & EXTENDED).tolist() == [0, EXTENDED, EXTENDED]
    assert int(frames.time[0]) == 1_700_058_600_010_000_000
    assert reader.report.time_reference == "utc"
