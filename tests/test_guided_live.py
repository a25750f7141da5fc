"""The guided check on a live bus: a real adapter port, real frames, nothing ever transmitted."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from bms_studio.acquisition.settings import AdapterSettings
from bms_studio.gui.app import make_application
from bms_studio.gui.guide_dialog import GuideDialog
from bms_studio.gui.guide_seen import seen
from bms_studio.gui.guide_sound import Tick
from bms_studio.guided_test import CHARGER
from bms_studio.interpret import Request
from bms_studio.session import Session
from bms_studio.session_source import connect
from tests.gui_parts import clipped, wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


class Pack:
    """The simulated pack behind its emulated adapter, with its counts at the end."""

    def __init__(self) -> None:
        arguments = ["--pty", "--rate", "10", "--cells", "8", "--serial", "G-1"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bms_studio.simulator", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.channel = json.loads(self._process.stdout.readline())["channel"]

    def counts(self) -> dict[str, float]:
        words, _ = self._process.communicate(timeout=20)  # closes its input: it ends
        counted: dict[str, float] = json.loads(words.splitlines()[-1])
        return counted


@pytest.fixture
def pack() -> Iterator[Pack]:
    running = Pack()
    yield running
    running._process.kill()
    running._process.wait()


def test_the_check_follows_a_live_pack_and_transmits_nothing(qtbot: QtBot, pack: Pack) -> None:
    make_application()
    session = connect(AdapterSettings("slcan", pack.channel, 500_000), Request(), owned=True)
    assert isinstance(session, Session)
    dialog = GuideDialog(lambda: session, sound=Tick(()))
    qtbot.addWidget(dialog)
    try:
        wait_until(lambda: session.status.pack.cells == 8, qtbot, 60_000)
        wait_until(lambda: seen(session).current_a == seen(session).current_a, qtbot)
        dialog.choose_again()
        dialog.show()
        assert dialog.pack_row.isVisible()  # nobody has said what this pack is
        assert not clipped(dialog)
        dialog.pack_row.chemistry.setCurrentText("NMC")
        dialog.pack_row.capacity.setValue(31.0)
        dialog.pack_row.use.click()
        wait_until(lambda: session.status.pack.chemistry == "NMC", qtbot)
        assert session.status.pack.capacity_ah == 31.0
        assert session.status.pack.cell_voltage_max == 4.2
        assert not dialog.pack_row.isVisible()
        dialog.start(CHARGER)
        session.judge_soon()
        wait_until(lambda: "step 1 of 26" in dialog.step_line.text(), qtbot)
        wait_until(lambda: dialog.meters.accessibleDescription() != "", qtbot)
        reports: list[str] = []
        dialog.report_wanted.connect(reports.append)
        dialog.report_button.click()
        assert reports == [CHARGER]
        assert not dialog.isVisible()
    finally:
        session.disconnect()
    counted = pack.counts()
    assert counted["offered"] > 20
    assert counted["received"] == 0
