"""The scooter protocol: its DBC for other tools, its encoding, its serial number."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from protocols import scooter
from protocols.dbc import load_database
from protocols.dbc_text import to_dbc
from protocols.encode import encode
from protocols.frames import Frames, empty_frames
from protocols.signals import Message

ROOT = Path(__file__).resolve().parent.parent
DBC = ROOT / "resources" / "databases" / "scooter.dbc"
COMMENT = (
    "BMS Studio scooter pack, version 1. Standard ids, little endian, 500 kbit/s or 1 Mbit/s. "
    "Current is positive on discharge. All bits set (unsigned) or the lowest number (signed) "
    "means unknown."
)


def without_invalid(message: Message) -> Message:
    """A DBC cannot say which raw values mean unknown."""
    signals = tuple(
        dataclasses.replace(s, invalid=(), minimum=s.minimum or None, maximum=s.maximum or None)
        for s in message.signals
    )
    return dataclasses.replace(message, signals=signals)


def test_the_dbc_for_other_tools_says_the_same_as_the_protocol() -> None:
    text = to_dbc(scooter.DATABASE, COMMENT)
    if os.environ.get("BMS_STUDIO_WRITE_DBC"):
        DBC.write_text(text, encoding="utf-8", newline="\n")
    assert DBC.read_text(encoding="utf-8") == text
    loaded = load_database(DBC)
    assert loaded.repairs == ()
    for own in scooter.DATABASE.messages:
        read = loaded.message(own.name)
        by_name = sorted(without_invalid(read).signals, key=lambda s: s.name)
        expected = sorted(without_invalid(own).signals, key=lambda s: s.name)
        assert by_name == expected, own.name
        assert (read.id, read.length, read.extended) == (own.id, own.length, own.extended)


def identity_frames(serial: str, parts: range) -> Frames:
    message = scooter.DATABASE.message("Identity")
    frames = empty_frames(len(parts))
    for row, part in enumerate(parts):
        text = serial.encode().ljust(scooter.SERIAL_LENGTH, b"\0")
        first = scooter.SERIAL_PER_FRAME * (part - scooter.FIRST_SERIAL_PART)
        values = {f"Serial_{first + k + 1:02d}": float(text[first + k]) for k in range(7)}
        frames.id[row] = 0x3AF
        frames.length[row] = 8
        frames.data[row] = np.frombuffer(encode(message, values), np.uint8)
    return frames


def test_the_serial_number_is_read_once_all_its_parts_were_seen() -> None:
    assert scooter.serial(identity_frames("BMS-0001-2026", range(2, 4))) == "BMS-0001-2026"
    assert scooter.serial(identity_frames("BMS-0001-2026", range(2, 3))) is None
    assert scooter.serial(identity_frames("A" * 28, range(2, 6))) == "A" * 28
    assert scooter.serial(identity_frames("A" * 28, range(2, 5))) is None
    assert scooter.serial(empty_frames()) is None


def test_encoding_saturates_and_says_unknown_for_what_is_missing() -> None:
    status = scooter.DATABASE.message("Pack_Status")
    assert encode(status, {}) == bytes.fromhex("ffffff000080ffff")
    assert encode(status, {"Pack_Voltage": 1e9, "Pack_Current": -1e9, "SOC": -5})[:8] == (
        bytes.fromhex("ffffff0000800000")
    )
    with pytest.raises(KeyError, match="no signal Speed"):
        encode(status, {"Speed": 1.0})
    cells = scooter.DATABASE.message("Cell_Voltages")
    with pytest.raises(ValueError, match="not in the same frame"):
        encode(cells, {"Cell_001_Voltage": 3.6, "Cell_004_Voltage": 3.6})
