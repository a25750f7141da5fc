"""Which adapters were used here before: a small file in the user's data folder, newest first."""

import contextlib
import json
from typing import Any

from bms_studio.acquisition.lock import home
from bms_studio.acquisition.settings import AdapterSettings

_FILE = "adapters.json"
_MOST = 20


def remember(settings: AdapterSettings, serial: str) -> None:
    """This adapter works; `serial` as the system names it ("" unknown). Never raises OSError."""
    entry = {"interface": settings.interface, "channel": settings.channel, "serial": serial}
    others = [other for other in used() if not _same(other, entry)]
    path = home() / _FILE
    with contextlib.suppress(OSError):  # a home that cannot be written forgets, and works
        home().mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_suffix(".part")
        part.write_text(json.dumps([entry, *others][:_MOST], indent=1), encoding="utf-8")
        part.replace(path)


def used() -> list[dict[str, str]]:
    """Adapters used before, the last one first; [] where nothing readable is known."""
    try:
        entries = json.loads((home() / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(entries, list):
        return []
    wanted = ("interface", "channel", "serial")
    return [{k: str(e.get(k, "")) for k in wanted} for e in entries if isinstance(e, dict)]


def place(adapter: dict[str, Any], known: list[dict[str, str]]) -> int:
    """0 for the adapter used last, then 1, 2 …; len(known) for one never used."""
    for number, entry in enumerate(known):
        if _same(entry, {k: str(adapter.get(k, "")) for k in ("interface", "channel", "serial")}):
            return number
    return len(known)


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    """The same adapter: by its serial number where both have one, else by where it is plugged."""
    if one["interface"] != other["interface"]:
        return False
    if one["serial"] and other["serial"]:
        return one["serial"] == other["serial"]
    return one["channel"] == other["channel"]
