"""Visits of a pack are kept by its serial number and stand behind the next analysis of it."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from bms_studio.build import Item, build
from bms_studio.history import load
from bms_studio.interpret import Request
from bms_studio.session_source import demo_profile
from bms_studio.simulator.pack import PackSpec
from bms_studio.simulator.rider import STORY
from bms_studio.simulator.simulation import Simulation
from recordings.layout import RecordingAttributes
from tests.gui_parts import replay_of

DAY_NS = 86_400_000_000_000


def recording(target: Path, day: int, source: str) -> Path:
    """Two minutes of a pack with a serial number, recorded on some day."""
    simulation = Simulation(PackSpec(cells=6), "scooter", 10, STORY)
    profile = demo_profile(6)

    def items() -> list[Item]:
        blocks = islice(simulation, round(120 / simulation.block_s))
        return [Item(frames=replace(b, time=b.time + day * DAY_NS)) for b in blocks]

    build(
        items(),
        target,
        RecordingAttributes(source, profile=profile.text),
        Request(profile=profile),
        channels=("can0",),
    )
    return target


def visits_of(path: Path) -> tuple[str, int]:
    """Serial number, and how many earlier visits stand behind the analysis."""
    replay = replay_of(path)
    try:
        assert replay.analysed.wait(120)
        return replay.status.pack.serial, len(replay.analysis.visits)
    finally:
        replay.disconnect()


def test_the_second_visit_knows_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMS_STUDIO_HOME", str(tmp_path / "home"))
    first, second = (recording(tmp_path / f"{day}.h5", day, "live") for day in (0, 14))
    serial, earlier = visits_of(first)
    assert serial
    assert earlier == 0
    kept = load(serial).visits
    assert [visit.title for visit in kept] == ["0.h5"]
    assert kept[0].verdict
    assert visits_of(second) == (serial, 1)
    # Opened once more, a recording is no visit of its own and has no later ones behind it.
    assert visits_of(first) == (serial, 0)
    assert len(load(serial).visits) == 2


def test_a_simulated_pack_leaves_no_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMS_STUDIO_HOME", str(tmp_path / "home"))
    serial, _ = visits_of(recording(tmp_path / "a.h5", 0, "simulated"))
    assert serial
    assert not load(serial).visits
