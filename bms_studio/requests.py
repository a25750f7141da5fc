"""What a person said about a bus, loaded from files: protocol, databases, profile. No Qt."""

from collections.abc import Sequence
from pathlib import Path

from bms_studio.interpret import Request
from bms_studio.pack.profile import Profile, load_profile
from protocols.dbc import load_database


def request_for(protocol: str = "", databases: Sequence[str] = (), profile: str = "") -> Request:
    """Databases are paths; a profile's own databases are relative to the profile.

    Raises ValueError, one sentence, for a file that cannot be used.
    """
    stated = load_profile(Path(profile)) if profile else Profile()
    base = Path(profile).parent if profile else Path()
    paths = [*(Path(p) for p in databases), *(base / p for p in stated.databases)]
    return Request(protocol, tuple(load_database(p) for p in paths), stated)
