"""Tables of samples from telematics, loggers and cyclers: columns, time, scale, archives."""

import gzip
import io
import os
import time as clock
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recordings.errors import UnreadableLog
from recordings.layout import RecordingAttributes
from recordings.reader import Recording
from recordings.sample_csv import Samples, is_sample_table, read_samples
from recordings.writer import RecordingWriter

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "cells"
START = 1_620_205_800 * 10**9  # 2021-05-05 09:10:00 UTC


@pytest.fixture
def shanghai() -> Iterator[None]:
    """This computer's zone is UTC+8 for one test."""
    if not hasattr(clock, "tzset"):
        pytest.skip("this system cannot change its zone for one program")
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Shanghai"
    clock.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    clock.tzset()


def read(folder: Path, text: str | bytes, name: str = "a.csv") -> Samples:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert is_sample_table(path)
    return read_samples(path)


def table(stamps: list[str], header: str = "time") -> str:
    rows = [f"{stamp},3.6{k % 10},3.7{k % 10},7.4" for k, stamp in enumerate(stamps)]
    return "\n".join([f"{header},V_1,V_2,pack voltage", *rows]) + "\n"


def millis(samples: Samples) -> list[int]:
    return [int(t) for t in (samples.time - samples.time[0]) // 10**6]


# --- columns ------------------------------------------------------------------------------------


def test_a_telematics_table_becomes_groups(tmp_path: Path, shanghai: None) -> None:
    text = (
        "tboxTime,vehSpeed,BMSBatteryVoltage,BMSCellVoltageMax,BMSBatteryCurrent,vehBMSPackSOC,"
        "BMSWarningInformation,vehOdo,insulationResistance,V_1,V_2,T_1,T_2,lat,lng\n"
        "2021-05-05 17:10:00,12.5,7.3,3.688,0.75,42.3,2,111426,11520,3.658,3.657,29.0,,31.2,121.4\n"
        "2021-05-05 17:10:01,0.0,7.3,3.688,-1.5,42.4,0,111427,11520,,3.657,29.0,28.0,0,0\r\n"
    )
    got = read(tmp_path, text)
    assert got.time.tolist() == [START, START + 10**9]
    assert got.report.time_reference == "local-assumed"
    np.testing.assert_allclose(got.cells, [[3.658, 3.657], [np.nan, 3.657]], rtol=1e-6)
    np.testing.assert_allclose(got.probes, [[29.0, np.nan], [29.0, 28.0]], rtol=1e-6)
    assert {k: v.tolist()[0] for k, v in got.location.items()} == {
        "speed": 12.5,
        "odometer": 111_426.0,
        "latitude": 31.2,
        "longitude": 121.4,
    }
    assert np.isnan(got.location["latitude"][1])
    assert got.pack["soc"].tolist() == pytest.approx([0.423, 0.424])
    assert got.pack["current"].tolist() == [0.75, -1.5]
    assert got.pack["fault"].tolist() == [2.0, 0.0]
    assert got.unused == ("insulationResistance",)
    assert got.labels == {"/cells": ("V_1", "V_2"), "/temperatures": ("T_1", "T_2")}
    assert "sign of current unverified: taken as + = discharge" in got.report.notes


@pytest.mark.parametrize(
    "names",
    [
        ("Cell1 (mV)", "Cell2 (mV)", "Cell3 (mV)"),
        ("cell_0_voltage_mV", "cell_1_voltage_mV", "cell_2_voltage_mV"),
        ("Cell Voltage A1/mV", "Cell Voltage A2/mV", "Cell Voltage B1/mV"),
        ("M1_C1", "M1_C2", "M2_C1"),
        ("Zelle 1 [mV]", "Zelle 2 [mV]", "Zelle 3 [mV]"),
        ("单体电压1", "单体电压2", "单体电压3"),
        ("1号单体电压", "2号单体电压", "3号单体电压"),
        ("U01", "U02", "U03"),
        ("c_1", "c_2", "c_3"),
        ("VCell3", "VCell4", "VCell5"),
    ],
)
def test_cells_are_found_in_every_convention(tmp_path: Path, names: tuple[str, ...]) -> None:
    text = f"Time (s),{','.join(names)},T1,Current\n0,3601,3602,3603,20,1\n1,3601,3602,3603,20,1\n"
    got = read(tmp_path, text)
    np.testing.assert_allclose(got.cells[0], [3.601, 3.602, 3.603], rtol=1e-6)
    assert got.probes.shape == (2, 1)


def test_columns_in_any_order_keep_their_numbers_and_holes(tmp_path: Path) -> None:
    got = read(tmp_path, "V_4,time,V_2,V_1\n3.4,0,3.2,3.1\n3.4,1,3.2,3.1\n")
    np.testing.assert_allclose(got.cells[0], [3.1, 3.2, np.nan, 3.4], rtol=1e-6)
    assert got.labels["/cells"] == ("V_1", "V_2", "", "V_4")


def test_look_alikes_are_no_cells(tmp_path: Path) -> None:
    text = (
        "time,V_1,V_2,Cell Temperature 1,Cell Balancing 1,Loop Counter #1,Max Cell Voltage 1,"
        "User Variable #2\n0,3.6,3.61,21,1,7,3.61,0\n1,3.6,3.61,22,0,7,3.61,0\n"
    )
    got = read(tmp_path, text)
    assert got.cells.shape == (2, 2)
    assert got.probes[:, 0].tolist() == [21, 22]
    assert got.balancing[:, 0].tolist() == [1, 0]
    assert "Loop Counter #1" in got.unused


def test_units_decide_over_sizes_and_sizes_where_there_are_none(tmp_path: Path) -> None:
    text = (
        "time;Cell 1;Cell 2;Pack voltage;SOC;Current (mA);Temp 1 (K);odo (mi)\n"
        "0;3601;3602;72;0,5;1500;293,15;100\n1;3601;3602;72;0,6;-1500;294,15;100\n"
    )
    got = read(tmp_path, text)
    np.testing.assert_allclose(got.cells[0], [3.601, 3.602], rtol=1e-6)
    np.testing.assert_allclose(got.pack["voltage"], [7.2, 7.2], rtol=1e-6)
    np.testing.assert_allclose(got.pack["soc"], [0.5, 0.6], rtol=1e-6)
    np.testing.assert_allclose(got.pack["current"], [1.5, -1.5])
    np.testing.assert_allclose(got.probes[:, 0], [20.0, 21.0], atol=1e-4)
    np.testing.assert_allclose(got.location["odometer"], 160.9344)
    notes = " ".join(got.report.notes)
    assert "mV by their size" in notes
    assert "times 0.1: so the cells sum up" in notes


def test_a_line_of_units_is_read(tmp_path: Path) -> None:
    got = read(
        tmp_path, "time,cell 1,cell 2,current\nms,mV,mV,mA\n0,3601,3602,10\n500,3601,3602,10\n"
    )
    assert millis(got) == [0, 500]
    np.testing.assert_allclose(got.cells[0], [3.601, 3.602], rtol=1e-6)
    np.testing.assert_allclose(got.pack["current"], 0.01)


def test_probes_that_count_from_minus_40_are_known_by_the_extremes(tmp_path: Path) -> None:
    rows = "".join(f"{k},3.6,3.6,65,66,255,26,25\n" for k in range(20))
    got = read(tmp_path, "time,V_1,V_2,T_1,T_2,T_3,BMSProbeTempMax,BMSProbeTempMin\n" + rows)
    assert got.probes[0, :2].tolist() == [25, 26]
    assert np.isnan(got.probes[:, 2]).all()
    assert any("40 was taken off" in note for note in got.report.notes)


def test_impossible_values_are_unknown(tmp_path: Path) -> None:
    rows = "0,3.6,3.6,50\n1,0,65.535,50\n2,3.6,nan,101\n3,3.6,--,300\n"
    got = read(tmp_path, "time,V_1,V_2,SOC\n" + rows)
    assert np.isnan(got.cells).tolist() == [
        [False, False],
        [True, True],
        [False, True],
        [False, True],
    ]
    assert np.isnan(got.pack["soc"]).tolist() == [False, False, False, True]
    assert any("2 fields that are no numbers" in note for note in got.report.notes)


def test_warnings_in_words_become_events(tmp_path: Path) -> None:
    text = (
        "time,V_1,V_2,Warnings\n1,3.6,3.6,OK\n2,3.6,3.6,Zelle 2 zu heiß\n"
        "3,3.6,3.6,Zelle 2 zu heiß\n4,3.6,3.6,\n5,3.6,3.6,Zelle 2 zu heiß\n"
    )
    got = read(tmp_path, text)
    assert got.events == ((2 * 10**9, "Zelle 2 zu heiß"), (5 * 10**9, "Zelle 2 zu heiß"))
    assert "fault" not in got.pack
    assert not any("no numbers" in note for note in got.report.notes)


# --- the form of the table ----------------------------------------------------------------------


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    text = "Datum;Uhrzeit;Spannung / V;Strom / A;Zelle 1;Zelle 2\n" + (
        "05.04.2021;09:10:00;7,201;-1.234,5;3,601;3,6\n05.04.2021;09:10:01,5;7,201;0;3,601;3,6\n"
    )
    got = read(tmp_path, text)
    np.testing.assert_allclose(got.cells[0], [3.601, 3.6], rtol=1e-6)
    assert got.pack["current"].tolist() == [-1234.5, 0.0]
    assert millis(got) == [0, 1500]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_usual_encoding_and_line_end(tmp_path: Path, encoding: str) -> None:
    text = "Time (s)\tCell 1 (V)\tCell 2 (V)\tTemp 1 (°C)\r\n0\t3.6\t3.61\t21\r\n1\t3.6\t3.61\t22"
    got = read(tmp_path, text.encode(encoding), "a.txt")
    assert got.cells.shape == (2, 2)
    assert got.probes[:, 0].tolist() == [21, 22]


def test_a_preamble_above_the_names_and_quotes(tmp_path: Path) -> None:
    text = (
        "Test Name,170504_NisLeaf\nTest Date,5/4/2017 7:36:22 AM\n,\nNotes,  5.25b, MDB 10.11\n\n"
        'Total Time,"Voltage, total",Current,Cell Voltage A1,Cell Voltage A2,Mode,Real Time,\n'
        '1.0,"7,2",-0.02,3.6,3.61,REST,5/4/2017 7:36:24 AM,\n'
        '2.0,"7,2",-0.02,3.6,3.61,REST,5/4/2017 12:36:25 PM,\n'
    )
    got = read(tmp_path, text)
    assert got.cells.shape == (2, 2)
    np.testing.assert_allclose(got.pack["voltage"], 7.2, rtol=1e-6)
    assert millis(got) == [0, 5 * 3600 * 1000 + 1000]
    assert (got.report.lines, got.report.bad) == (2, 0)


def test_bad_rows_are_counted_with_their_lines(tmp_path: Path) -> None:
    text = "time,V_1,V_2\n0,3.6,3.61\nrubbish\n2,3.6\n,3.6,3.6\n4,3.6,3.6,1,2,3\n\n5,3.6,3.62\n6,3."
    got = read(tmp_path, text)
    assert got.time.tolist() == [0, 5 * 10**9]
    assert (got.report.bad, got.report.bad_lines) == (5, [3, 4, 5, 6, 9])


def test_late_rows_are_put_where_their_stamp_says(tmp_path: Path) -> None:
    stamps = [f"2021-05-05 09:10:0{k}Z" for k in (0, 1, 5, 3, 6)]
    got = read(tmp_path, table(stamps))
    assert millis(got) == [0, 1000, 3000, 5000, 6000]
    assert got.cells[:, 0].tolist() == pytest.approx([3.60, 3.61, 3.63, 3.62, 3.64])
    assert got.report.backwards == 1


def test_many_blocks_do_not_show(tmp_path: Path) -> None:
    count = 150_000
    rows = "".join(f"{k / 10},{3.5 + k % 1000 / 10000:.4f},3.6,7.1,1.5,20\n" for k in range(count))
    got = read(tmp_path, "time,V_1,V_2,voltage,current,T_1\n" + rows + "x\n" * 3)
    np.testing.assert_array_equal(got.time, np.arange(count) * 100_000_000)
    np.testing.assert_allclose(got.cells[:, 0], 3.5 + np.arange(count) % 1000 / 10000, atol=1e-6)
    assert got.report.bad_lines == [count + 2, count + 3, count + 4]


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "stamps"),
    [
        ("time", ("2021-05-05T09:10:00Z", "2021-05-05T09:10:01.5Z")),
        ("time", ("2021-05-05 17:10:00+08:00", "2021-05-05 17:10:01.500+0800")),
        ("time", ("2021-05-05T05:10:00-04:00", "2021-05-05T05:10:01.500-04")),
        ("Time (UTC)", ("2021/05/05 09:10:00", "2021/05/05 09:10:01.5")),
        ("timestamp [UTC+8]", ("2021-5-5 17:10", "2021-5-5 17:10:01.5")),
        ("time utc", ("5 May 2021 09:10:00", "5-May-21 9:10:01.5 AM")),
        ("time utc", ("May 5, 2021 09:10:00".replace(",", ""), "Wed May 5 2021 09:10:01.5")),
        ("Date UTC", ("05.05.2021 09:10:00", "05.05.2021 09:10:01.5")),
        ("time utc", ("20210505091000", "20210505 091001.5")),
        ("timestamp", ("1620205800", "1620205801.5")),
        ("timestamp", ("1620205800000", "1620205801500")),
        ("timestamp", ("1620205800000000", "1620205801500000")),
        ("timestamp", ("1620205800000000000", "1620205801500000000")),
        ("timestamp", ("1.6202058e9", "1.6202058015E+9")),
        ("date utc", ("44321.381944444444", "44321.381961805555")),
    ],
)
def test_moments_in_every_usual_form(tmp_path: Path, header: str, stamps: tuple[str, str]) -> None:
    got = read(tmp_path, table([*stamps], header))
    assert got.report.time_reference == "utc"
    assert np.abs(got.time - [START, START + 1_500_000_000]).max() < 1_000_000


def test_the_order_of_day_and_month_is_learned(tmp_path: Path) -> None:
    day_first = [f"{d:02d}/04/2021 00:00:00" for d in range(1, 13)]
    got = read(tmp_path, table(day_first, "time (utc)"))
    assert got.time[-1] - got.time[0] == 11 * 86_400 * 10**9
    assert any("day before month" in note for note in got.report.notes)
    month_first = ["04/12/2021 00:00:00", "04/13/2021 00:00:00"]
    got = read(tmp_path, table(month_first, "time (utc)"))
    assert str(got.time[1].astype("datetime64[ns]"))[:10] == "2021-04-13"
    got = read(tmp_path, table(["05/04/2021 10:00", "05/04/2021 11:00"], "time (utc)"))
    assert any("does not tell" in note for note in got.report.notes)


@pytest.mark.parametrize(
    ("header", "stamps", "expected"),
    [
        ("Time (s)", ("10", "10.25", "11"), [0, 250, 1000]),
        ("time_ms", ("10", "260", "1010"), [0, 250, 1000]),
        ("Test_Time(h)", ("0", "0.5", "1"), [0, 1_800_000, 3_600_000]),
        ("time", ("0:00:01", "0:00:02.5", "1:00:01"), [0, 1500, 3_600_000]),
        ("time", ("23:59:59", "00:00:01", "00:00:02"), [0, 2000, 3000]),
    ],
)
def test_time_without_a_date_is_relative(
    tmp_path: Path, header: str, stamps: tuple[str, ...], expected: list[int]
) -> None:
    got = read(tmp_path, table([*stamps], header))
    assert got.report.time_reference == "relative"
    assert millis(got) == expected
    assert "date" in " ".join(got.report.notes)


def test_a_counter_that_starts_again_goes_on(tmp_path: Path) -> None:
    got = read(tmp_path, table([*map(str, range(100, 160)), *map(str, range(90))]))
    assert millis(got)[-1] == 59_000 + 89_000
    assert any("starts again" in note for note in got.report.notes)


def test_the_date_is_preferred_to_counters_and_step_times(tmp_path: Path) -> None:
    text = (
        "Data_Point,Test_Time(s),Date_Time,Step_Time(s),Current(A),Voltage(V)\n"
        "1,60.0,09/23/2013 16:21:09,59.9,0,3.597\n2,120.0,09/23/2013 16:22:09,119.9,0,3.597\n"
    )
    got = read(tmp_path, text)
    assert millis(got) == [0, 60_000]
    assert got.report.time_reference == "local-assumed"
    assert got.cells[:, 0].tolist() == pytest.approx([3.597, 3.597])
    assert any("one cell" in note for note in got.report.notes)


@pytest.mark.parametrize(
    "header",
    [
        "time,current_A,cell_voltage,temperature_C",
        "Time (s),Current (A),Cell Voltage (V),Temp (C)",
        "seconds,Icell,Vcell,Tcell",
        "t_s,i_a,cell_v,t_degc",
        "t,I,U,T",
    ],
)
def test_one_cell_on_a_cycler_needs_no_number(tmp_path: Path, header: str) -> None:
    rows = "".join(f"{k},{k % 3},{3.7 - 0.01 * (k % 3)},24.5\n" for k in range(30))
    got = read(tmp_path, f"{header}\n{rows}")
    assert millis(got)[-1] == 29_000
    assert got.cells[:, 0].tolist() == pytest.approx([3.7 - 0.01 * (k % 3) for k in range(30)])
    assert got.probes[:, 0].tolist() == pytest.approx([24.5] * 30)
    assert got.pack["current"].tolist() == pytest.approx([k % 3 for k in range(30)])


def test_a_counter_refines_dates_of_whole_seconds(tmp_path: Path) -> None:
    rows = "".join(
        f"{k / 4},{k / 4 % 2},5/4/2017 7:36:{24 + k // 4} AM,3.6,3.61\n" for k in range(20)
    )
    got = read(tmp_path, "Total Time,Step time,Real Time,Cell 1,Cell 2\n" + rows)
    assert millis(got) == [k * 250 for k in range(20)]
    assert any("counter beside the dates" in note for note in got.report.notes)
    rows = rows.replace("4.75,0.75", "400.75,0.75")
    got = read(tmp_path, "Total Time,Step time,Real Time,Cell 1,Cell 2\n" + rows)
    assert millis(got)[-1] == 4000


# --- archives and hostile files -----------------------------------------------------------------


def test_gzip_and_zip_are_read(tmp_path: Path) -> None:
    text = table([str(k) for k in range(50)]).encode()
    assert len(read(tmp_path, gzip.compress(text), "a.csv.gz").time) == 50
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.md", b"hello")
        archive.writestr("folder/day.csv", text)
        archive.writestr("small.csv", b"x")
    got = read(tmp_path, packed.getvalue(), "a.zip")
    assert len(got.time) == 50
    assert any("left out: small.csv" in note for note in got.report.notes)


def test_a_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    bomb = table(["1"] * 10).encode() + b"1,3.6,3.6,7.2\n" * 4_000_000
    small = gzip.compress(bomb, 9)
    del bomb
    path = tmp_path / "a.csv.gz"
    path.write_bytes(small)
    with pytest.raises(UnreadableLog, match="unpacks to more than"):
        read_samples(path)


def test_a_torn_archive_gives_what_came_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = "".join(f"{k},{v:.4f},3.6,7.2\n" for k, v in enumerate(rng.uniform(3.5, 3.6, 100_000)))
    whole = gzip.compress(("time,V_1,V_2,voltage\n" + rows).encode())
    path = tmp_path / "a.csv.gz"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    got = read_samples(path)
    assert len(got.time) > 50_000
    assert "damaged" in got.report.truncated


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no table"),
        (b"\0" * 5000, "no text"),
        (b"poem " * 3000, "no table"),
        (b"time,V_1,V_2\n", "no table"),
        (b"time,a,b\n1,2,3\n2,3,4\n", "no column of a battery"),
        (b"V_1,V_2\n3.6,3.6\n", "no column of time"),
        (b"time,V_1\nx,3.6\ny,3.6\n", "no table|no row|no column of time"),
        (b"PK\x03\x04" + b"x" * 500, "cannot be unpacked"),
        (b"\x1f\x8b" + b"x" * 500, "no table"),
        (b"(1.0) can0 123#11\n" * 10, "no table"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert not is_sample_table(path) or "row" in words
    with pytest.raises(UnreadableLog, match=words) as caught:
        read_samples(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_such_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "no.csv", tmp_path):
        with pytest.raises(UnreadableLog):
            read_samples(path)


def test_random_damage_never_raises_anything_else(tmp_path: Path) -> None:
    good = table([f"2021-05-05 09:{k // 60:02d}:{k % 60:02d}" for k in range(200)]).encode()
    rng = np.random.default_rng(4)
    path = tmp_path / "a.csv"
    read_back = 0
    for _ in range(80):
        data = bytearray(good)
        for _ in range(int(rng.integers(1, 40))):
            data[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
        path.write_bytes(data)
        try:
            got = read_samples(path)
        except UnreadableLog:
            continue
        read_back += 1
        assert (np.diff(got.time) >= 0).all()
        assert len(got.time) <= 200
        assert not np.any((got.cells < 0.2) | (got.cells > 5.5))
    assert read_back > 40


# --- into a recording ---------------------------------------------------------------------------


def test_samples_become_a_recording_that_reads_back(tmp_path: Path) -> None:
    text = "time,V_1,V_2,T_1,current,lat,lon\n1,3.6,,20,1,31,121\n2,,,,2,,\n3,3.6,3.7,21,3,31,121\n"
    got = read(tmp_path, text)
    path = tmp_path / "a.h5"
    attributes = RecordingAttributes(source="import", time_reference=got.report.time_reference)
    with RecordingWriter(path, attributes) as writer:
        for group, time, columns in got.groups():
            writer.rows(group, time, columns)
        for group, names in got.labels.items():
            writer.labels(group, names)
        written = writer.close()
    assert written.rows == {"/cells": 2, "/temperatures": 2, "/pack": 3, "/location": 2}
    assert Recording(path).attributes.time_reference == "relative"


@pytest.mark.skipif(not DATA.exists(), reason="the shared measured data are not beside this clone")
@pytest.mark.parametrize(
    ("file", "cells", "probes", "rows"),
    [
        ("ev_field/car1.zip", 96, 24, 66_666),
        ("ev_field/car3.zip", 87, 23, 50_000),
        ("leaf_string/module123-irdischarge-65ah-0_3c.csv.gz", 6, 3, 13_870),
        ("leaf_string/module123-irdischarge-65ah-1_0c.csv.gz", 6, 3, None),
        ("leaf_string/cell-low-current-hppc-25c-2.csv.gz", 1, 0, 13_248),
    ],
)
def test_measured_tables_are_complete(file: str, cells: int, probes: int, rows: int | None) -> None:
    got = read_samples(DATA / file)
    assert (got.cells.shape[1], got.probes.shape[1], got.report.bad) == (cells, probes, 0)
    assert rows is None or len(got.time) == rows
    assert float(np.nanmin(got.cells)) > 2.9
    assert float(np.nanmax(got.cells)) < 4.3
    if probes:
        assert float(np.nanmin(got.probes)) > 0
        assert float(np.nanmax(got.probes)) < 60


def test_a_table_from_china_in_its_own_coding_is_read_with_its_signs_of_units(
    tmp_path: Path,
) -> None:
    text = "时间,总电压(V),单体电压1(mV),单体电压2(mV),温度1(℃),报警\n" + "".join(
        f"2025/06/01 08:00:{k:02d},7.3,3650,3651,25,{'过压' if k > 3 else '无'}\n" for k in range(9)
    )
    got = read(tmp_path, text.encode("gb18030"))
    assert np.allclose(got.cells[0], [3.65, 3.651])
    assert np.allclose(got.probes[:, 0], 25.0)
    assert got.labels["/cells"] == ("单体电压1(mV)", "单体电压2(mV)")
    assert [text for _, text in got.events] == ["过压"]


def test_western_letters_are_not_taken_for_chinese_ones(tmp_path: Path) -> None:
    text = "Zeit;Überspannung;Zelle1 [mV];Zelle2 [mV];Temp1 [°C]\n" + "1;0;3650;3651;25\n" * 5
    got = read(tmp_path, text.encode("cp1252"))
    assert got.labels["/temperatures"] == ("Temp1 [°C]",)


@pytest.mark.parametrize("name", ["Aux_Temperature_1(C)", "Temperature (C)", "Cell Temperature"])
def test_the_one_temperature_of_a_cycler_is_a_probe(tmp_path: Path, name: str) -> None:
    text = f"Test_Time(s),Current(A),Voltage(V),{name}\n" + "".join(
        f"{k},-1.5,3.7,25.5\n" for k in range(9)
    )
    got = read(tmp_path, text)
    assert np.allclose(got.probes[:, 0], 25.5)


def test_milliseconds_since_1970_may_be_called_ts(tmp_path: Path) -> None:
    rows = "".join(f"{1_748_764_800_000 + 10_000 * k},3650,3651\n" for k in range(9))
    got = read(tmp_path, "ts,cell_0,cell_1\n" + rows)
    assert got.report.time_reference == "utc"
    assert got.time[0] == 1_748_764_800 * 10**9
