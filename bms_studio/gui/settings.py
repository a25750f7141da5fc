"""What the window remembers between runs: layout, theme, language, last adapter, plot views.

One INI file, in BMS_STUDIO_HOME when that is set, else in the user's configuration folder. No
secrets and no data of a pack may enter it.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import platformdirs
from PySide6.QtCore import QByteArray, QSettings

from bms_studio.acquisition.lock import folder
from bms_studio.gui.contract import ConnectSettings

_APP = "bms-studio"


def home() -> Path:
    """The folder of settings (BMS_STUDIO_HOME, else the user's configuration folder)."""
    own = os.environ.get("BMS_STUDIO_HOME")
    return Path(own) if own else platformdirs.user_config_path(_APP)


def log_folder() -> Path:
    """The folder of log files, the acquisition program's as well; made when missing."""
    return folder("logs")


class Settings:
    """Typed doors to the INI file. Values that do not parse are treated as absent."""

    def __init__(self) -> None:
        home().mkdir(parents=True, exist_ok=True)
        self._store = QSettings(str(home() / "settings.ini"), QSettings.Format.IniFormat)

    def string(self, key: str, default: str = "") -> str:
        """A short text."""
        value = self._store.value(key)
        return value if isinstance(value, str) else default

    def put(self, key: str, value: str) -> None:
        """Remember a short text."""
        self._store.setValue(key, value)

    def bytes(self, key: str) -> QByteArray:
        """Qt's own packed state; empty when absent."""
        value = self._store.value(key)
        return value if isinstance(value, QByteArray) else QByteArray()

    def put_bytes(self, key: str, value: QByteArray) -> None:
        """Remember Qt's own packed state."""
        self._store.setValue(key, value)

    def json(self, key: str) -> Any:
        """A JSON document; None when absent or damaged."""
        try:
            return json.loads(self.string(key, "null"))
        except ValueError:
            return None

    def put_json(self, key: str, value: Any) -> None:
        """Remember a JSON document."""
        self.put(key, json.dumps(value, ensure_ascii=True))

    def connection(self) -> ConnectSettings:
        """The connection used last; defaults when there was none."""
        stored = self.json("connection")
        if not isinstance(stored, dict):
            return ConnectSettings()
        known = {f.name: f for f in dataclasses.fields(ConnectSettings)}
        values = {key: value for key, value in stored.items() if key in known}
        values["databases"] = tuple(str(name) for name in values.get("databases") or ())
        try:
            return ConnectSettings(**values)
        except TypeError:
            return ConnectSettings()

    def put_connection(self, connection: ConnectSettings) -> None:
        """Remember the connection."""
        self.put_json("connection", dataclasses.asdict(connection))

    def sync(self) -> None:
        """Write to disk now."""
        self._store.sync()
