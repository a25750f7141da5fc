"""A profile on disk, complete: its databases lie beside it under names that it states.

Writes what the person asked for and nothing else; reading is `profile.load_profile`.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from bms_studio.pack.profile import Profile
from bms_studio.pack.profile_edit import edited_text
from protocols.registry import available


def stated_protocol(named: str, found: str) -> str:
    """The built-in protocol that a header or profile should name; "" where databases decode."""
    return named or (found if found in available() else "")


def save_profile(
    path: Path, profile: Profile, databases: Sequence[tuple[str, str]] = (), protocol: str = ""
) -> None:
    """Write `profile` to `path` and the (name, text) of its databases beside it.

    A database of that name with another content is never overwritten: ours takes a further name.
    protocol: stated where the profile names neither protocol nor databases. OSError as it comes.
    """
    names = [_write_database(path, name, text) for name, text in databases if text]
    said = replace(profile, databases=tuple(names) or profile.databases)
    if not said.databases and not said.protocol:
        said = replace(said, protocol=protocol)
    path.write_text(edited_text(said), "utf-8", newline="\n")


def _write_database(profile: Path, name: str, text: str) -> str:
    # The name may come from a stranger's recording, written on any system.
    plain = PureWindowsPath(PurePosixPath(name).name).name or "database.dbc"
    target, number = profile.with_name(plain), 2
    while target.exists() and target.read_bytes() != text.encode("utf-8"):
        stem, _, suffix = plain.rpartition(".")
        target = profile.with_name(f"{stem or plain}-{number}.{suffix if stem else 'dbc'}")
        number += 1
    if not target.exists():
        target.write_bytes(text.encode("utf-8"))
    return target.name
