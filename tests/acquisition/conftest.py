"""Sticks and homes for the tests of the acquisition."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bms_studio.acquisition import client
from tests.acquisition.stick import Stick


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's data folder of its own; what still runs in it at the end is ended."""
    path = tmp_path / "home"
    monkeypatch.setenv("BMS_STUDIO_HOME", str(path))
    yield path
    for acquisition in client.find():
        acquisition.quit()
        acquisition.close()


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Stick]:
    """An emulated stick at tmp_path/can0."""
    stick = Stick(tmp_path / "can0")
    yield stick
    if stick.link.is_symlink():
        stick.unplug()
