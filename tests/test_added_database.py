"""A database given while a bus is watched or recorded: used at once, and by what is built."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bms_studio.from_journal import build_journal
from bms_studio.pack.profile import DATABASES_IN_JOURNAL
from bms_studio.session_source import DemoChoice, demo_session
from protocols.dbc import parse_database
from protocols.frames import Frames, empty_frames
from recordings.journal import JournalWriter
from recordings.reader import Recording

DBC = """VERSION ""
BU_: BMS
BO_ 1536 Cells: 8 BMS
 SG_ Cell1_Voltage : 0|16@1+ (0.001,0) [0|5] "V" BMS
 SG_ Cell2_Voltage : 16|16@1+ (0.001,0) [0|5] "V" BMS
 SG_ Cell3_Voltage : 32|16@1+ (0.001,0) [0|5] "V" BMS
"""


def wait_until(condition: Callable[[], bool], timeout_s: float = 40.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def bus() -> Frames:
    frames = empty_frames(400)
    frames.time[:] = 1_700_000_000 * 10**9 + np.arange(400) * 10**8
    frames.id[:], frames.length[:] = 0x600, 8
    raw = np.zeros((400, 4), "<u2")
    raw[:, :3] = 3700 + np.arange(400)[:, None] % 7 + np.arange(3)
    frames.data[:] = raw.view(np.uint8)
    return frames


def journal(folder: Path) -> Path:
    writer = JournalWriter(folder, {"databases": []})
    writer.append(bus())
    writer.flush()
    writer.close()
    return folder


def test_what_is_built_uses_a_database_that_was_given_while_it_was_recorded(tmp_path: Path) -> None:
    folder = journal(tmp_path / "j")
    build_journal(folder, tmp_path / "before.h5")
    assert Recording(tmp_path / "before.h5").rows("/cells") == 0
    (folder / DATABASES_IN_JOURNAL).write_text(json.dumps([["pack.dbc", DBC]]))
    build_journal(folder, tmp_path / "after.h5")
    after = Recording(tmp_path / "after.h5")
    assert after.columns("/cells")["voltage"].width == 3
    assert after.attributes.databases[0][0] == "pack.dbc"


def test_a_torn_note_of_databases_costs_no_frame(tmp_path: Path) -> None:
    folder = journal(tmp_path / "j")
    for words in ("[[", "{}", '[["a"]]', '[["a.dbc", "BO_ nonsense"]]', "[" * 5000, "3"):
        (folder / DATABASES_IN_JOURNAL).write_text(words)
        build_journal(folder, tmp_path / "a.h5")
        assert Recording(tmp_path / "a.h5").rows("/frames") == 400


def test_a_live_session_knows_the_signals_at_once_and_keeps_its_cells(tmp_path: Path) -> None:
    session = demo_session(DemoChoice(cells=8, rate_hz=20, story=False))
    try:
        wait_until(lambda: session.timeline.rows("pack") > 20)
        session.start_recording(tmp_path / "kept.h5")
        session.add_database(parse_database("extra.dbc", DBC))
        words = "database = extra.dbc"
        wait_until(lambda: any(e.text == words for e in session.timeline.events))
        names = {row.name for row in session.mapping().rows}
        assert "Cells.Cell2_Voltage" in names
        wait_until(lambda: len(session.timeline.columns("cells")) == 8)
        session.stop_recording()
        wait_until(lambda: (tmp_path / "kept.h5").exists())
        kept = Recording(tmp_path / "kept.h5")
        assert kept.columns("/cells")["voltage"].width == 8
        assert any(e.text == words for e in kept.events())
    finally:
        session.disconnect()
