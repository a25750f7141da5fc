"""A zip for whoever helps: versions, logs, status of the session. No pack data, no settings."""

import dataclasses
import json
import platform
import sys
import zipfile
from importlib import metadata
from pathlib import Path

from bms_studio.gui.contract import PackView
from bms_studio.gui.settings import log_folder

_PACKAGES = ("PySide6-Essentials", "numpy", "numba", "h5py", "python-can", "cantools", "pandas")


def write_diagnostic_zip(target: Path, view: PackView | None) -> None:
    """Write the zip beside its place and rename it; OSError when that fails."""
    beside = target.with_name(f".{target.name}.part")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("versions.json", json.dumps(_versions(), indent=1))
        if view is not None:
            status = dataclasses.asdict(view.status)
            packed.writestr("status.json", json.dumps(status, indent=1, default=str))
            events = [f"{e.time} {e.kind} {e.text}" for e in view.timeline.events]
            packed.writestr("events.txt", "\n".join(events))
        for path in sorted(log_folder().iterdir()):
            if path.is_file():
                packed.write(path, f"log/{path.name}")
    beside.replace(target)


def program_version() -> str:
    """The version as installed; "source" when run from a checkout that was never installed."""
    try:
        return metadata.version("bms-studio")
    except metadata.PackageNotFoundError:
        return "source"


def _versions() -> dict[str, str]:
    versions = {
        "bms-studio": program_version(),
        "python": sys.version,
        "platform": platform.platform(),
        "machine": platform.machine(),
    }
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
