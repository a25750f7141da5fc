"""Logs in gzip and zip, as they are mailed: read as what is inside, within limits."""

import gzip
import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from bms_studio.from_logs import import_logs
from bms_studio.interpret import Request
from bms_studio.simulator.simulation import generate
from protocols.frames import concatenate
from recordings.errors import Cancelled, UnreadableLog
from recordings.formats import write_log
from recordings.packed_log import plain_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "trip.log"
    write_log(path, [concatenate(list(generate(2.0, 6, rate_hz=20)))], channels=("can0",))
    return path


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return path


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_a_packed_log_is_read_like_the_plain_one_and_leaves_nothing_behind(
    tmp_path: Path, log: Path, kind: str
) -> None:
    packed = tmp_path / f"trip.log.{kind}"
    if kind == "gz":
        packed.write_bytes(gzip.compress(log.read_bytes()))
    else:
        zipped(packed, trip__log=log.read_bytes(), readme__txt=b"from the customer")
    folder = tmp_path / "out"
    folder.mkdir()
    plain = import_logs([log], tmp_path / "plain.h5", Request()).receipt
    receipt = import_logs([packed], folder / "a.h5", Request()).receipt
    (source,) = receipt.sources
    assert (receipt.frames, receipt.meaning.cells) == (plain.frames, 6)
    assert (source.name, source.format) == (packed.name, "candump")
    assert source.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert any("readme.txt" in note for note in source.notes) == (kind == "zip")
    assert [path.name for path in folder.iterdir()] == ["a.h5"]


def test_packed_and_plain_logs_merge(tmp_path: Path, log: Path) -> None:
    packed = zipped(tmp_path / "b.zip", other__log=log.read_bytes())
    done = import_logs([log, packed], tmp_path / "a.h5", Request())
    assert [report.format for report in done.reports] == ["candump", "candump"]


def test_a_bomb_is_refused_while_it_unpacks(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes(300 << 20), 1))
    with pytest.raises(UnreadableLog, match=r"bomb\.gz unpacks to more than"):
        import_logs([bomb], tmp_path / "a.h5", Request())
    assert [path.name for path in tmp_path.iterdir()] == ["bomb.gz"]


def test_what_is_inside_and_no_log_is_named_by_the_file_that_was_given(tmp_path: Path) -> None:
    packed = zipped(tmp_path / "letter.zip", letter__txt=b"Dear all, nothing works. " * 50)
    with pytest.raises(UnreadableLog, match=r"letter\.zip is no log that is known"):
        import_logs([packed], tmp_path / "a.h5", Request())
    with pytest.raises(UnreadableLog, match="empty archive"):
        import_logs([zipped(tmp_path / "none.zip")], tmp_path / "a.h5", Request())


def test_a_torn_archive_gives_what_it_held_and_says_so(tmp_path: Path, log: Path) -> None:
    packed = tmp_path / "t.gz"
    whole = gzip.compress(log.read_bytes() * 30)
    packed.write_bytes(whole[: len(whole) // 2])
    (source,) = import_logs([packed], tmp_path / "a.h5", Request()).receipt.sources
    assert source.rows > 0
    assert any("damaged" in note for note in source.notes)


def test_unpacking_can_be_cancelled(tmp_path: Path) -> None:
    buffer = io.BytesIO(gzip.compress(bytes(1000)))
    (tmp_path / "a.gz").write_bytes(buffer.getvalue())
    with (
        pytest.raises(Cancelled),
        plain_log(tmp_path / "a.gz", tmp_path, cancelled=lambda: True),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a.gz"]
