"""`bms_studio.open`: a recording as DataFrames, and exports that read back the same."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bms_studio
from protocols.frames import Frames, empty_frames
from recordings.export import export
from recordings.formats import read_log
from recordings.layout import RecordingAttributes
from recordings.reader import Recording
from recordings.writer import RecordingWriter

START = 1_762_375_445_149_000_123
DBC = """VERSION ""

BO_ 256 Pack_Status: 4 BMS
 SG_ Current : 0|16@1- (0.1,0) [-3276.8|3276.7] "A" X
 SG_ Mode : 16|8@1+ (1,0) [0|3] "" X

BO_ 257 Never_Sent: 1 BMS
 SG_ Nothing : 0|8@1+ (1,0) [0|255] "" X

VAL_ 256 Mode 0 "rest" 1 "ride" ;
"""


def frames() -> Frames:
    some = empty_frames(100)
    some.time[:] = START + np.arange(100) // 2 * 10**6  # two frames each at the same time
    some.id[:] = np.where(np.arange(100) % 4 == 3, 0x555, 256)
    some.length[:] = 4
    some.data[:, :2] = np.arange(-50, 50, dtype="<i2").view(np.uint8).reshape(-1, 2)
    some.data[:, 2] = np.arange(100) % 2
    return some


@pytest.fixture
def path(tmp_path: Path) -> Path:
    attributes = RecordingAttributes("import", databases=(("pack.dbc", DBC),))
    time = START + np.arange(50, dtype=np.int64) * 10**7
    with RecordingWriter(tmp_path / "a.h5", attributes) as writer:
        writer.channels(["can0"])
        writer.frames(frames())
        voltage = np.linspace(3, 4, 150, dtype=np.float32).reshape(50, 3)
        voltage[7, 1] = np.nan
        age = np.zeros((50, 3), np.float32)
        writer.rows("/cells", time, {"voltage": voltage, "age_s": age})
        writer.labels("/cells", ["A1", "A2", "A3"])
        writer.rows("/packs/2/cells", time, {"voltage": voltage + 1})
        active = np.zeros((50, 3), np.uint8)
        active[:, 2], active[0] = 1, 255
        writer.rows("/balancing", time + 5, {"active": active})
        writer.rows("/temperatures", time[::10], {"value": np.full((5, 2), 21.5)})
        writer.rows("/pack", time, {"current": np.arange(50.0), "soc": np.full(50, 0.5)})
        writer.event(START, "mark", "start of the ride")
        writer.close()
    return tmp_path / "a.h5"


def test_cells_are_a_table_from_1_with_utc_nanoseconds_and_units(path: Path) -> None:
    rec = bms_studio.open(path)
    table = rec.cells.voltage
    np.testing.assert_array_equal(table.columns, [1, 2, 3])
    assert str(table.index.dtype) == "datetime64[ns, UTC]"
    assert table.index[0].value == START
    assert table.attrs["unit"] == "V"
    assert table.attrs["units"] == {1: "V", 2: "V", 3: "V"}
    assert table.attrs["labels"] == ("A1", "A2", "A3")
    assert np.isnan(table.loc[table.index[7], 2])
    assert rec.cells.age_s.attrs["unit"] == "s"
    assert rec.packs[2].cells.voltage.iloc[0, 0] == 4
    assert sorted(rec.packs) == [1, 2]


def test_the_other_tables_have_their_units_and_unknown_is_nan(path: Path) -> None:
    rec = bms_studio.open(path)
    assert rec.pack["current"].iloc[3] == 3
    assert rec.pack.attrs["units"] == {"current": "A", "soc": "1"}
    assert rec.temperatures.attrs["unit"] == "degC"
    assert rec.balancing.iloc[0].isna().all()
    assert rec.balancing.iloc[1].tolist() == [0, 0, 1]
    assert rec.events["text"].tolist() == ["start of the ride"]
    assert rec.location.empty


def test_frames_are_a_table_with_their_bytes(path: Path) -> None:
    table = bms_studio.open(path).frames
    assert len(table) == 100
    assert table["data"].iloc[0] == bytes([206, 255, 0, 0])
    assert table.attrs["channels"] == ("can0",)


def test_signals_are_decoded_from_the_frames_with_the_stored_database(path: Path) -> None:
    signals = bms_studio.open(path).signals
    assert list(signals) == ["Pack_Status", "Never_Sent"]
    table = signals["Pack_Status"]
    mine = np.arange(100)[np.arange(100) % 4 != 3]
    np.testing.assert_allclose(table["Current"], 0.1 * (mine - 50))
    np.testing.assert_array_equal(table["Mode"], mine % 2)
    assert table.attrs["units"] == {"Current": "A", "Mode": ""}
    assert table.attrs["choices"] == {"Mode": {0: "rest", 1: "ride"}}
    assert signals["Never_Sent"].empty
    with pytest.raises(KeyError):
        signals["Unheard_Of"]


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "'PySide6', 'pandas', 'numba', 'h5py', 'numpy', 'can', 'cantools', 'pyqtgraph'"
    code = f"import sys, bms_studio; print([m for m in ({heavy}) if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout.strip() == "[]"


def test_a_csv_has_one_row_per_moment_and_repeats_nothing(path: Path) -> None:
    target = path.with_name("out.csv")
    shares: list[float] = []
    export(Recording(path), target, progress=shares.append)
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    head = rows[0]
    assert head[:5] == ["time [UTC]", "time [s]", "cell_1 [V]", "cell_2 [V]", "cell_3 [V]"]
    assert {"probe_2 [degC]", "balancing_3", "pack_current [A]", "pack2_cell_1 [V]"} <= set(head)
    assert len(rows) == 1 + 100  # 50 scans with pack and probes, 50 moments of balancing
    assert rows[1][0] == "2025-11-05T20:44:05.149000123Z"
    assert rows[2][:3] == ["2025-11-05T20:44:05.149000128Z", "0.000000005", ""]
    table = pd.read_csv(target)
    cells = bms_studio.open(path).cells.voltage
    known = table["cell_1 [V]"].dropna().to_numpy(np.float32)
    np.testing.assert_array_equal(known, cells[1].to_numpy())
    assert table["probe_1 [degC]"].count() == 5
    assert shares[-1] == 1


def test_parquet_holds_the_same_with_units(path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    target = path.with_name("out.parquet")
    export(Recording(path), target)
    table = parquet.read_table(target)
    assert table.schema.field("cell_1").metadata == {b"unit": b"V"}
    frame = table.to_pandas()
    assert len(frame) == 100
    cells = bms_studio.open(path).cells.voltage
    np.testing.assert_array_equal(frame["cell_2"].dropna(), cells[2].dropna())
    assert frame["time"].iloc[0].value == START


@pytest.mark.parametrize("suffix", [".log", ".asc", ".blf"])
def test_logs_are_exported_with_every_frame(path: Path, suffix: str) -> None:
    target = path.with_name(f"out{suffix}")
    export(Recording(path), target)
    back = list(read_log(target))
    assert sum(len(block) for block in back) == 100
    np.testing.assert_array_equal(back[0].data[:, :8], frames().data)


def test_what_cannot_be_exported_is_said_in_one_sentence(path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.xlsx.*\.log.*\.parquet"):
        export(Recording(path), path.with_name("out.xlsx"))
    for name, fill in (("frames", True), ("samples", False)):
        other = path.with_name(f"{name}.h5")
        with RecordingWriter(other, RecordingAttributes("import")) as writer:
            if fill:
                writer.frames(frames())
            else:
                writer.rows("/cells", np.array([1]), {"voltage": np.ones((1, 1))})
            writer.close()
    with pytest.raises(ValueError, match="no samples, only frames"):
        export(Recording(path.with_name("frames.h5")), path.with_name("out.csv"))
    with pytest.raises(ValueError, match="no frames, only samples"):
        export(Recording(path.with_name("samples.h5")), path.with_name("out.log"))
    assert not list(path.parent.glob("out*"))
