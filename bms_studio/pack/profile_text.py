"""A profile as TOML (DESIGN 7.5), such that `parse_profile` reads the same profile back.

Text only; where it is kept is of no concern here.
"""

import json
from dataclasses import fields
from typing import Any

from bms_studio.pack.profile import NOT_USED, Limits, Profile


def profile_text(profile: Profile) -> str:
    """The TOML text; what the profile does not say does not appear.

    Comments are not kept: see `profile_edit.edited_text`.
    """
    pack = {
        "name": profile.name,
        "serial": profile.serial,
        "series": profile.series,
        "parallel": profile.parallel,
        "chemistry": profile.chemistry,
        "capacity_ah": profile.capacity_ah,
        "ocv": profile.ocv,
        "labels": list(profile.labels),
        "probes": [{"label": p.label, "cells": list(p.cells)} for p in profile.probes],
        "layout": [list(row) for row in profile.layout],
    }
    limits = {f.name: getattr(profile.limits, f.name) for f in fields(Limits)}
    protocol = {
        "name": profile.protocol,
        "dbc": list(profile.databases),
        "current_sign": profile.current_sign,
    }
    tables = {
        "pack": {key: value for key, value in pack.items() if value},
        "limits": {key: value for key, value in limits.items() if value is not None},
        "protocol": {key: value for key, value in protocol.items() if value},
        "mapping": {name: NOT_USED if r is None else str(r) for name, r in profile.mapping},
        "adapter": profile.adapter,
    }
    if profile.first_cell is not None:
        tables["protocol"]["first_cell"] = profile.first_cell
    return "\n".join(_table(name, content) for name, content in tables.items() if content)


def _table(name: str, content: dict[str, Any]) -> str:
    quoted = name == "mapping"  # names of signals contain points
    lines = [f"{toml_key(k, quoted)} = {toml_value(v)}" for k, v in content.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def toml_key(key: str, quoted: bool) -> str:
    """A key; names with points must be quoted."""
    return toml_text(key) if quoted else key


def toml_value(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml_value(v) for v in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + "}"
    return repr(value)


def toml_text(text: str) -> str:
    """A basic string of TOML: JSON's, where 7F must be escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
