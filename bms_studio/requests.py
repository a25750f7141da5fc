"""What a person said about a bus: protocol, databases, profile; from files or a journal. No Qt."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from bms_studio.interpret import Request
from bms_studio.pack.profile import Profile, load_profile, parse_profile
from protocols.dbc import load_database, parse_database

DATABASE_SUFFIXES = (".dbc", ".kcd", ".sym", ".arxml")


def is_database(path: Path) -> bool:
    """Whether `path` is a database, by its name."""
    return path.suffix.lower() in DATABASE_SUFFIXES


def request_for(protocol: str = "", databases: Sequence[str] = (), profile: str = "") -> Request:
    """Databases are paths; a profile's own databases are relative to the profile. A profile may
    also be the name of a built-in protocol: each has one.

    Raises ValueError, one sentence, for a file that cannot be used.
    """
    stated = _profile(profile) if profile else Profile()
    base = Path(profile).parent if profile else Path()
    paths = [*(Path(p) for p in databases), *(base / p for p in stated.databases)]
    return Request(protocol, tuple(load_database(p) for p in paths), stated)


def _profile(name: str) -> Profile:
    """The profile in a file, or the one of that name that comes with the program."""
    ours = resources.files("resources").joinpath("profiles", f"{name}.toml")
    if not Path(name).exists() and name.isidentifier() and ours.is_file():
        return parse_profile(ours.read_text("utf-8"), f"{name}.toml")
    return load_profile(Path(name))


def request_of(header: dict[str, Any]) -> Request:
    """What a journal's header says of its frames; a damaged one costs the meaning, no frame."""
    profile = Profile()
    if header.get("profile"):
        profile = parse_profile(str(header["profile"]), "profile in the journal")
    databases = tuple(
        parse_database(str(name), str(text)) for name, text in header.get("databases", ())
    )
    return Request(str(header.get("protocol", "")), databases, profile)
