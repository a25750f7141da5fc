"""Messages longer than a frame in the window: named and put together in Trace, plotted in Plots."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gui_parts import replay_of, settle, tick, wait_until
from pytestqt.qtbot import QtBot

from bms_studio.build import Item, build
from bms_studio.gui.app import make_application, use_theme
from bms_studio.gui.carrier_words import CarrierWords
from bms_studio.gui.plot_signals import all_signals
from bms_studio.gui.settings import Settings
from bms_studio.gui.trace_page import SCROLLING, TracePage
from bms_studio.gui.window import Window
from bms_studio.interpret import Request
from bms_studio.replay import Replay
from bms_studio.session_source import LocalSessions
from protocols.frames import EXTENDED, Frames, empty_frames
from protocols.isotp import segment
from protocols.j1939 import packets
from protocols.registry import load
from recordings.layout import RecordingAttributes
from recordings.reader import Recording

START_NS = 1_700_000_000_000_000_000
FOREVER = 1 << 62
STEP_NS = 10_000_000


@pytest.fixture
def open_window(qtbot: QtBot) -> Iterator[Callable[..., Window]]:
    windows: list[Window] = []

    def open_one(view: Replay, theme: str = "dark") -> Window:
        use_theme(make_application(), theme)
        window = Window(LocalSessions(), Settings())
        windows.append(window)
        window.resize(1280, 720)
        window.show()
        window.show_view(view)
        view.seek(int(view.timeline.frames.all().time[-1]))
        settle()
        return window

    yield open_one
    for window in windows:
        window.context.view = None  # the replay belongs to its fixture
        window.end()
        window.deleteLater()
    settle()


def spoken(name: str, rounds: int) -> Frames:
    """The golden frames of a protocol, again and again, 10 ms apart."""
    rows = []
    for _ in range(rounds):
        for e in load(name).examples:
            if e.j1939:
                rows += [(i, True, data) for i, data in packets(e.id, e.data)]
            else:
                datas = segment(e.data) if e.isotp else [e.data]
                rows += [(e.id, e.extended, data) for data in datas]
    frames = empty_frames(len(rows))
    for k, (frame_id, extended, data) in enumerate(rows):
        frames.time[k], frames.id[k] = START_NS + k * STEP_NS, frame_id
        frames.flags[k], frames.length[k] = EXTENDED if extended else 0, len(data)
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def recorded(folder: Path, name: str, signals: bool = False) -> Path:
    target = folder / f"{name}.h5"
    request = Request(protocol=name)
    build(
        [Item(frames=spoken(name, 30))],
        target,
        RecordingAttributes("import"),
        request,
        signals=signals,
    )
    return target


@pytest.fixture(scope="module", params=["leaf", "gbt27930"])
def replay(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replay]:
    opened = replay_of(recorded(tmp_path_factory.mktemp("carried"), request.param))
    yield opened
    opened.disconnect()


def carried(view: Replay) -> tuple[str, int, int, str]:
    """A message that is carried: its name, identifier and flags of its last frame, a signal."""
    if any(t.transport == "j1939" for t in view.transfers()):
        return "Charge_State", 0x1CEB56F4, EXTENDED, "Pack_Voltage"
    cells = next(t.message for t in view.transfers() if t.prefix == b"\x61\x02")
    return cells.name, 0x7BB, 0, cells.signals[0].name


def last_part(view: Replay, message: str, frame_id: int) -> int:
    """Number of a frame in the middle of the newest message of that name."""
    frames = view.timeline.frames.all()
    mine = np.flatnonzero(frames.id == frame_id)
    words = CarrierWords(view)
    flags = int(frames.flags[mine[0]])
    for row in mine[::-1].tolist():
        t = int(frames.time[row])
        whole = words.whole(view.timeline.frames, frame_id, flags, t, exactly=True)
        if whole is not None and whole.message.name == message:
            return row
    raise AssertionError(f"{message} is nowhere")


def test_parts_are_named_and_the_whole_is_put_together(replay: Replay) -> None:
    words = CarrierWords(replay)
    _, frame_id, flags, _ = carried(replay)
    assert words.name(frame_id, flags) in ("ISO-TP", "J1939 TP")
    frames = replay.timeline.frames.all()
    mine = frames[frames.id == frame_id]
    said = {words.summary(frame_id, flags, row.tobytes()).split()[0] for row in mine.data[:40]}
    assert said <= {"begins", "part", "whole:"}
    assert "part" in said
    whole = words.whole(replay.timeline.frames, frame_id, flags, FOREVER)
    assert whole is not None
    assert len(whole.payload) > 8
    assert whole.readings
    assert words.name(0x123, 0) == ""
    assert words.whole(replay.timeline.frames, 0x123, 0, FOREVER) is None


def test_signals_that_are_carried_can_be_plotted(replay: Replay, qtbot: QtBot) -> None:
    carriers = {t.message.name for t in replay.transfers()}
    listed = [s for s in all_signals(replay) if s.message in carriers]
    assert len(listed) > 10
    message, _, _, signal = carried(replay)
    assert f"signal.{message}.{signal}" in {s.name for s in listed}
    replay.add_signals(message)
    group = f"signals/{message}"
    wait_until(lambda: replay.timeline.rows(group) >= 29, qtbot)
    _, rows = replay.timeline.raw(group, 0, FOREVER)
    column = replay.timeline.columns(group).index(signal)
    assert np.isfinite(rows[:, column]).all()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_trace_a_part_shows_the_message_that_it_belongs_to(
    replay: Replay, open_window: Callable[..., Window], theme: str
) -> None:
    window = open_window(replay, theme)
    window.show_page("trace")
    tick(window)
    page = window.page
    assert isinstance(page, TracePage)
    message, frame_id, _, signal = carried(replay)
    page.panel.set_segment(SCROLLING)
    page._mode_chosen(SCROLLING)
    page._row_selected(last_part(replay, message, frame_id))
    tick(window)
    sheet = page.bits.widget().accessibleName()
    assert message in sheet
    assert signal in sheet


def test_a_recording_with_signals_holds_what_was_carried(tmp_path: Path) -> None:
    recording = Recording(recorded(tmp_path, "gbt27930", signals=True))
    assert recording.rows("/signals/Charge_State") == 30
    read = recording.read("/signals/Charge_State", ["Pack_Voltage"])
    assert set(np.round(read["Pack_Voltage"], 3).tolist()) == {381.5}
