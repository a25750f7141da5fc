"""A profile as TOML (DESIGN 7.5), such that `parse_profile` reads the same profile back.

Text only; where it is kept is of no concern here.
"""

import json
from dataclasses import fields
from typing import Any

from bms_studio.pack.profile import NOT_USED, Limits, Profile


def profile_text(profile: Profile) -> str:
    """The TOML text; what the profile does not say does not appear. Comments are not kept."""
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
    lines = [f"{_text(k) if quoted else k} = {_value(v)}" for k, v in content.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(v) for v in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + "}"
    return repr(value)


def _text(text: str) -> str:
    """A basic string of TOML: JSON's, where 7F must be escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
