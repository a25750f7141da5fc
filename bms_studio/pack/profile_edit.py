"""A person's profile with a few words changed: comments, order and spelling stay as they were.

Only what corrections touch ([protocol] and [mapping]) is edited, line by line. The result is parsed
and compared; where a file is written in a way that this does not master, the text is made anew,
and the comments are lost. Text only.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bms_studio.pack.profile import NOT_USED, Profile, ProfileError, parse_profile
from bms_studio.pack.profile_text import profile_text, toml_key, toml_value

_TABLE = re.compile(r"\s*\[(\w+)\]\s*(#.*)?")
# A value on one line, and the comment behind it.
_ENTRY = re.compile(
    r"""(?P<head>\s*(?P<key>"[^"\n]*"|'[^'\n]*'|[\w-]+)\s*=\s*)"""
    r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\[[^\]\n]*\]|[\w.+-]+)(?P<rest>\s*(?:#.*)?)"""
)


def edited_text(profile: Profile, text: str = "") -> str:
    """The TOML of `profile`, made of the text that it came from (or `text`) where there is one."""
    before = text or profile.text
    if not before.strip():
        return profile_text(profile)
    try:
        old = parse_profile(before)
    except ProfileError:
        return profile_text(profile)
    lines = before.splitlines()
    for table, now, then in (
        ("protocol", _protocol(profile), _protocol(old)),
        ("mapping", _mapping(profile), _mapping(old)),
    ):
        for key in [k for k in then if k not in now]:
            lines = _without(lines, table, key)
        for key, value in now.items():
            if then.get(key) != value:
                lines = _with(lines, table, key, value)
    after = "\n".join(lines) + "\n"
    return after if _same(after, profile) else profile_text(profile)


def _protocol(profile: Profile) -> dict[str, Any]:
    said = {
        "name": profile.protocol,
        "dbc": list(profile.databases),
        "current_sign": profile.current_sign,
    }
    known: dict[str, Any] = {key: value for key, value in said.items() if value}
    if profile.first_cell is not None:
        known["first_cell"] = profile.first_cell
    return known


def _mapping(profile: Profile) -> dict[str, str]:
    return {name: NOT_USED if role is None else str(role) for name, role in profile.mapping}


def _span(lines: list[str], table: str) -> tuple[int, int] | None:
    """First line behind the table's header, and the line behind its last entry."""
    begin = next((n for n, li in enumerate(lines) if _is_header(li, table)), None)
    if begin is None:
        return None
    end = next((n for n in range(begin + 1, len(lines)) if _TABLE.fullmatch(lines[n])), len(lines))
    while end > begin + 1 and not _ENTRY.fullmatch(lines[end - 1]):
        end -= 1
    return begin + 1, end


def _is_header(line: str, table: str) -> bool:
    match = _TABLE.fullmatch(line)
    return match is not None and match[1] == table


def _place(lines: list[str], table: str, key: str) -> int | None:
    """Number of the line of a key."""
    span = _span(lines, table)
    for n in range(*span) if span else ():
        match = _ENTRY.fullmatch(lines[n])
        if match and match["key"].strip("\"'") == key:
            return n
    return None


def _without(lines: list[str], table: str, key: str) -> list[str]:
    at = _place(lines, table, key)
    return lines if at is None else lines[:at] + lines[at + 1 :]


def _with(lines: list[str], table: str, key: str, value: Any) -> list[str]:
    at, span = _place(lines, table, key), _span(lines, table)
    if at is not None and (match := _ENTRY.fullmatch(lines[at])):
        changed = f"{match['head']}{toml_value(value)}{match['rest']}"
        return [*lines[:at], changed, *lines[at + 1 :]]
    entry = f"{toml_key(key, quoted=table == 'mapping')} = {toml_value(value)}"
    if span is None:
        return [*lines, "", f"[{table}]", entry]
    return [*lines[: span[1]], entry, *lines[span[1] :]]


def _same(text: str, profile: Profile) -> bool:
    """Whether the text says what the profile says."""
    try:
        read = parse_profile(text)
    except ProfileError:
        return False
    return _plain(read) == _plain(profile)


def _plain(profile: Profile) -> tuple[Profile, Mapping[str, str]]:
    return replace(profile, text="", mapping=()), _mapping(profile)
