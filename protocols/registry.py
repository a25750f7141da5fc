"""The built-in protocols: one line each.

A protocol is a module with a `PROTOCOL` (see `protocols/contract.py`), or another name behind a
colon where a module has two; it is imported when it is asked for. Protocols do not import each
other.
"""

import importlib

from protocols.contract import Protocol

_MODULES = {
    "scooter": "protocols.scooter",
    "vesc": "protocols.vesc",
    "orion": "protocols.orion",
    "niu": "protocols.niu",
    "daly": "protocols.daly",
    "jk": "protocols.jk",
    "jbd": "protocols.jbd",
    "tesla": "protocols.tesla",
    "geely": "protocols.geely",
    "ford_mache": "protocols.ford_mache",
    "emus": "protocols.emus",
    "twizy": "protocols.twizy",
    "imiev": "protocols.imiev",
    "simpbms": "protocols.simpbms",
    "pylon_lv": "protocols.pylon_lv",
    "zeva": "protocols.zeva",
    "rjxzs": "protocols.rjxzs",
    "rjxzs_extended": "protocols.rjxzs:LONG_IDENTIFIER",
    "gbt27930": "protocols.gbt27930",
    "leaf": "protocols.leaf",
    "hyundai_kia": "protocols.hyundai_kia",
    "hyundai_kia_bus": "protocols.hyundai_kia:PACK_BUS",
    "hyundai_kia_egmp": "protocols.hyundai_kia:E_GMP",
}


def available() -> tuple[str, ...]:
    """Names of the built-in protocols."""
    return tuple(_MODULES)


def load(name: str) -> Protocol:
    """The protocol of that name; ValueError naming the known ones if there is none."""
    if name not in _MODULES:
        raise ValueError(f"no protocol is called '{name}'; choose one of {', '.join(_MODULES)}")
    module, _, attribute = _MODULES[name].partition(":")
    protocol = getattr(importlib.import_module(module), attribute or "PROTOCOL")
    assert isinstance(protocol, Protocol)
    return protocol
