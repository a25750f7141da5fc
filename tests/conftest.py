"""What every test session rests on: no screen, a home of its own, and loud failures.

Set before anything of the program is imported, and inherited by every program that a test starts.
Nothing about a single topic belongs here.
"""

import gc
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(tempfile.mkdtemp(prefix="bms-studio-test-home-"))

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["BMS_STUDIO_HOME"] = str(HOME)
# A crash inside Qt or a kernel names the Python line, in child programs as well.
os.environ["PYTHONFAULTHANDLER"] = "1"
# Sets where compiled kernels are kept, before numba is imported: child programs share them.
importlib.import_module("bms_studio")


def pytest_unconfigure() -> None:
    """Take the session's home away."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def no_window_is_left() -> Iterator[None]:
    """Windows of one file do not live on: a change of theme would style them all, ever slower."""
    yield
    if "PySide6.QtWidgets" in sys.modules:
        from PySide6.QtCore import QCoreApplication, QEvent
        from PySide6.QtWidgets import QApplication

        for widget in QApplication.topLevelWidgets():
            widget.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        gc.collect()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real captures beside the checkout; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real captures (../shared/data) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def tracked_files() -> list[Path]:
    """The files that belong to the checkout, relative to it; without git, all but made ones."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
        ).stdout
        names = [Path(name) for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
        kept_out = (".venv", ".git", "__pycache__", "cache", "egg-info", ".hypothesis")
        names = [name for name in names if not any(part in str(name) for part in kept_out)]
    return sorted(name for name in names if (ROOT / name).is_file())


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter to start child programs with."""
    return sys.executable
