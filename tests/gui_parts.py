"""What tests of the window share: recordings of a simulated pack, and windows that show them."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from bms_studio.build import Item, build
from bms_studio.gui.window import Window
from bms_studio.interpret import Request
from bms_studio.jobs import Job
from bms_studio.kernels import prepare_kernels
from bms_studio.replay import Replay, open_replay
from bms_studio.session_source import demo_profile
from bms_studio.simulator.faults import parse_fault
from bms_studio.simulator.pack import PackSpec
from bms_studio.simulator.rider import STORY
from bms_studio.simulator.simulation import Simulation
from recordings.layout import RecordingAttributes
from widgets.action_button import ActionButton


def make_recording(target: Path, cells: int, seconds: float, rate_hz: int = 10) -> Path:
    """A recording of the simulated pack, built by the program's own builder."""
    faults = (parse_fault(f"resistance:{min(13, cells)}", cells),)
    simulation = Simulation(PackSpec(cells=cells, faults=faults), "scooter", rate_hz, STORY)
    blocks = islice(simulation, round(seconds / simulation.block_s))
    profile = demo_profile(cells)
    build(
        (Item(frames=block) for block in blocks),
        target,
        RecordingAttributes("simulated", profile=profile.text),
        Request(profile=profile),
        channels=("can0",),
    )
    return target


def compile_kernels() -> None:
    """Once after a change of theirs, however busy the computer is: a test that opens a file would
    wait for it no longer than for the file."""
    job = Job("Getting ready", prepare_kernels)
    assert job.wait(900)
    assert not job.error, job.error


def replay_of(path: Path) -> Replay:
    """The recording as the window gets it: unpacked by the loader process, and filled."""
    job = Job("Opening", lambda running: open_replay(running, path))
    assert job.wait(60)
    assert not job.error, job.error
    replay = job.result
    assert isinstance(replay, Replay)
    assert replay.filled.wait(120)  # kernels may have to be compiled first
    return replay


def settle(rounds: int = 4) -> None:
    """Let layouts, deferred deletions and repaints happen."""
    for _ in range(rounds):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()


def tick(window: Window, times: int = 6) -> None:
    """What the window's clock does, as often."""
    for _ in range(times):
        window.refresh_clock.tick()
    settle()


def visible(root: QWidget, kind: type[QWidget]) -> list[QWidget]:
    """Visible descendants of a kind."""
    return [child for child in root.findChildren(kind) if child.isVisible()]


def clipped(root: QWidget) -> list[str]:
    """Words that do not fit: labels and buttons smaller than they need, panels too low."""
    wrong = []
    for label in visible(root, QLabel):
        assert isinstance(label, QLabel)
        needed = label.sizeHint()
        if not label.wordWrap() and (
            label.width() < needed.width() or label.height() < needed.height()
        ):
            wrong.append(f"label '{label.text()}' {label.size()} needs {needed}")
    for button in visible(root, ActionButton):
        if button.width() < button.sizeHint().width():
            wrong.append(f"button '{button.accessibleName()}'")
    for child in visible(root, QWidget):
        least = child.minimumSizeHint()
        in_scroll = child.height() >= least.height() - 1 and child.width() >= least.width() - 1
        if type(child).__module__.startswith(("widgets", "bms_studio")) and not in_scroll:
            wrong.append(f"{type(child).__name__} {child.size()} needs {least}")
    return wrong


def wait_until(condition: Callable[[], bool], qtbot: object, timeout_ms: int = 20_000) -> None:
    """qtbot.waitUntil with a name that reads well."""
    qtbot.waitUntil(condition, timeout=timeout_ms)  # type: ignore[attr-defined]
