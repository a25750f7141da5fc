"""Databases as JSON words, for handing them from the loader process to the window.

The window parses no text of strangers and loads no HDF5; it takes these words.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from protocols.signals import Database, Message, MuxCondition, Signal, Transfer


def describe(databases: Iterable[Database]) -> list[dict[str, Any]]:
    """The databases without their texts, JSON-able."""
    return [
        asdict(database)
        | {"text": "", "transfers": [_transfer_words(t) for t in database.transfers]}
        for database in databases
    ]


def _transfer_words(transfer: Transfer) -> dict[str, Any]:
    return asdict(transfer) | {"prefix": transfer.prefix.hex()}


def databases_from(described: Iterable[Mapping[str, Any]]) -> tuple[Database, ...]:
    """What `describe` described."""
    return tuple(
        Database(
            d["name"],
            tuple(_message(m) for m in d["messages"]),
            repairs=tuple(d["repairs"]),
            transfers=tuple(
                Transfer(**{**t, "message": _message(t["message"]), "prefix": _bytes(t["prefix"])})
                for t in d["transfers"]
            ),
        )
        for d in described
    )


def _bytes(digits: str) -> bytes:
    return bytes.fromhex(digits)


def _message(value: Mapping[str, Any]) -> Message:
    return Message(**{**value, "signals": tuple(_signal(s) for s in value["signals"])})


def _signal(value: Mapping[str, Any]) -> Signal:
    conditions = tuple(MuxCondition(c["selector"], tuple(c["values"])) for c in value["mux"])
    choices = {int(raw): text for raw, text in value["choices"].items()}
    invalid = tuple(value["invalid"])
    return Signal(**{**value, "mux": conditions, "choices": choices, "invalid": invalid})


def origin_of(attributes: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Where a recording comes from, (English name, value): files with their digests, software."""
    files = zip(attributes["source_names"], attributes["source_sha256"], strict=False)
    facts = [
        ("Recorded with", attributes["software"]),
        ("Created", attributes["created"]),
        *((f"SHA-256 {name}", digest) for name, digest in files),
        ("SHA-256 of the frames", attributes["frames_sha256"]),
        ("Identifier of the recording", attributes["uuid"]),
    ]
    return tuple((name, str(value)) for name, value in facts if value)
