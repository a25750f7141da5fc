"""Where cells would stand and there are none, the sentence says what is missing."""

from pathlib import Path

from bms_studio.from_logs import import_logs
from bms_studio.gui.no_cells import no_cells
from bms_studio.interpret import Request
from bms_studio.receipt import receipt_text
from bms_studio.status import LinkStatus, Status
from protocols.frames import empty_frames
from recordings.formats import write_log

REPLAY = LinkStatus(state="replay")


def test_a_pack_that_must_be_asked_is_told_from_one_that_has_no_single_cells() -> None:
    asked = no_cells(Status(link=REPLAY, protocol="Nissan Leaf"))
    assert asked == "Nissan Leaf tells its cells only when asked"
    never = no_cells(Status(link=REPLAY, protocol="Pylontech / Victron / SMA low voltage"))
    assert never.endswith("no single cells in these data")
    assert "EV.dbc: no single cells" in no_cells(Status(link=REPLAY, protocol="EV.dbc"))


def test_a_recording_of_another_bus_is_called_that(tmp_path: Path) -> None:
    assert "an inverter's or a vehicle's bus" in no_cells(Status(link=REPLAY))
    assert "no cell found yet" in no_cells(Status(link=LinkStatus(state="connected")))
    frames = empty_frames(500)
    frames.time[:] = range(10**18, 10**18 + 500 * 10**7, 10**7)
    frames.id[:], frames.length[:] = 0x660, 8
    write_log(tmp_path / "a.log", [frames], channels=("can0",))
    receipt = import_logs([tmp_path / "a.log"], tmp_path / "a.h5", Request()).receipt
    assert "No BMS data: an inverter's or a vehicle's bus" in receipt_text(receipt)
