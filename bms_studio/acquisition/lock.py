"""One lock per adapter, and where the acquisition programs of this user leave their traces.

Folders and names only; the lock itself is `recordings.filelock`, which the system releases when
its holder dies.
"""

import hashlib
import os
from pathlib import Path

import platformdirs

from bms_studio.acquisition.settings import AdapterSettings
from recordings.filelock import FileLock, holder

HOME_VARIABLE = "BMS_STUDIO_HOME"


def home() -> Path:
    """The user's data folder of BMS Studio; BMS_STUDIO_HOME overrides it."""
    override = os.environ.get(HOME_VARIABLE)
    return (
        Path(override) if override else platformdirs.user_data_path("bms-studio", appauthor=False)
    )


def folder(name: str) -> Path:
    """A folder in `home`, made if needed and closed to other users."""
    path = home() / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def adapter_lock(settings: AdapterSettings) -> FileLock:
    """The lock of this adapter, not yet taken. Names that lead to one port share a lock."""
    channel = settings.channel
    if settings.interface == "slcan" and "://" not in channel:
        channel = os.path.realpath(channel.partition("@")[0])
    key = hashlib.sha256(f"{settings.interface} {channel}".encode()).hexdigest()[:24]
    return FileLock(folder("locks") / f"{key}.lock")


def used_by(settings: AdapterSettings) -> int | None:
    """The pid of the program that has this adapter; None if it is free."""
    return holder(adapter_lock(settings).path)
