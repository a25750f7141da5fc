"""Renault Twizy: the 14-cell pack of a light electric vehicle.

11-bit identifiers, big endian, 500 kbit/s, no polling. Cells are 12 bits of 5 mV, five to a frame
in three frames. Source: dalathegreat/Battery-Emulator RENAULT-TWIZY.cpp and the Twizy module of the
Open Vehicle Monitoring System, both in use on the road; no log was at hand. Current is 12 bits of
0.25 A around 2000; OVMS turns it to make charging negative, so charging is positive on the wire.
"""

import numpy as np

from protocols.bytecheck import Floats, Ints, judged, like_cells, payloads
from protocols.contract import Evidence, Example, Protocol
from protocols.frames import Frames
from protocols.roles import Binding, Mapping, Role
from protocols.shorthand import big, cell, pack_bindings, probe
from protocols.signals import Database, Message, Signal

CELLS = 14
PROBES = 7
_PER_FRAME = 5
_WHY = "Renault Twizy protocol"
_ABSENT = (0, 0xFFF)
_PLACES = ((0, 7), (1, 3), (3, 7), (4, 3), (6, 7))
_CELL_FRAMES = ((0x556, 1), (0x557, 6), (0x55E, 11))


def _name(first: int) -> str:
    return f"Cells_{first:02d}"


def _cells(first: int) -> tuple[Signal, ...]:
    count = min(_PER_FRAME, CELLS - first + 1)
    return tuple(
        big(f"Cell_{first + k:02d}", byte, 12, 0.005, "V", bit=bit, invalid=_ABSENT)
        for k, (byte, bit) in enumerate(_PLACES[:count])
    )


DATABASE = Database(
    "twizy",
    (
        Message(
            "Pack_Current",
            0x155,
            8,
            (
                big("Charge_Power_Limit", 0, 8, 300.0, "W"),
                big(
                    "Current",
                    1,
                    12,
                    0.25,
                    "A",
                    bit=3,
                    offset=-500.0,
                    invalid=(0, 0xFFF),
                    comment="+ = charge",
                ),
                big("SOC", 4, 16, 0.0025, "%", invalid=(0xFFFF,)),
            ),
        ),
        Message(
            "Limits",
            0x424,
            8,
            (
                big("Recuperation_Power_Limit", 2, 8, 500.0, "W"),
                big("Drive_Power_Limit", 3, 8, 500.0, "W"),
                big("SOH", 5, 8, 1.0, "%"),
            ),
        ),
        Message("Energy", 0x425, 8, (big("Remaining_Energy", 1, 8, 100.0, "Wh"),)),
        Message(
            "Temperatures",
            0x554,
            8,
            tuple(
                big(f"Probe_{k + 1}", k, 8, 1.0, "degC", offset=-40.0, invalid=(0xFF,))
                for k in range(PROBES)
            ),
        ),
        *(Message(_name(first), frame_id, 8, _cells(first)) for frame_id, first in _CELL_FRAMES),
        Message(
            "Pack_Voltage",
            0x55F,
            8,
            (
                big("Voltage_1", 5, 12, 0.1, "V", invalid=_ABSENT),
                big("Voltage_2", 6, 12, 0.1, "V", bit=3, invalid=_ABSENT),
            ),
        ),
    ),
)


def _bindings() -> tuple[Binding, ...]:
    found = pack_bindings(
        _WHY,
        (
            ("Pack_Voltage", "Voltage_1", "voltage", 1.0),
            ("Pack_Current", "Current", "current", -1.0),
        ),
    )
    shares = (("Pack_Current", "SOC", "soc"), ("Limits", "SOH", "soh"))
    for message, signal, field in shares:
        # More than all is how the car says that it does not know yet.
        role = Role("pack", field=field)
        found.append(Binding(message, signal, role, 0.01, valid=(0.0, 1.01), why=_WHY))
    for number in range(1, CELLS + 1):
        first = number - (number - 1) % _PER_FRAME
        found.append(cell(_name(first), f"Cell_{number:02d}", number, _WHY))
    found += [probe("Temperatures", f"Probe_{k + 1}", k + 1, _WHY) for k in range(PROBES)]
    return tuple(found)


def _volts(rows: Ints, place: tuple[int, int]) -> Floats:
    byte, bit = place
    both = 256 * rows[:, byte] + rows[:, byte + 1]
    raw = both >> 4 if bit == 7 else both & 0xFFF
    volts: Floats = raw[~np.isin(raw, _ABSENT)].astype(np.float64)
    return volts * 0.005


def verify(frames: Frames) -> Evidence:
    """Whether the 14 places hold voltages of cells."""
    right = checked = 0
    for frame_id, first in _CELL_FRAMES:
        rows = payloads(frames, frame_id)
        for place in _PLACES[: min(_PER_FRAME, CELLS - first + 1)]:
            volts = _volts(rows, place)
            fit, of = like_cells(np.zeros(len(volts), np.int64), volts)
            right, checked = right + fit, checked + of
    return judged(right, checked, "cell voltages")


_EXAMPLES = (
    # 20 A flowing out (1920), 80.5 %
    Example(
        0x155,
        False,
        bytes.fromhex("070780007dc80000"),
        {"pack.current": 20.0, "pack.soc": 0.805},
    ),
    Example(0x424, False, bytes.fromhex("0000122400620000"), {"pack.soh": 0.98}),
    Example(
        0x554,
        False,
        bytes.fromhex("4141424140414200"),
        {
            "probe.1": 25.0,
            "probe.2": 25.0,
            "probe.3": 26.0,
            "probe.4": 25.0,
            "probe.5": 24.0,
            "probe.6": 25.0,
            "probe.7": 26.0,
        },
    ),
    Example(
        0x556,
        False,
        bytes.fromhex("3203213223233240"),
        {
            "cell.1.voltage": 4.000,
            "cell.2.voltage": 4.005,
            "cell.3.voltage": 4.010,
            "cell.4.voltage": 4.015,
            "cell.5.voltage": 4.020,
        },
    ),
    Example(
        0x55E,
        False,
        bytes.fromhex("3203213223231234"),
        {
            "cell.11.voltage": 4.000,
            "cell.12.voltage": 4.005,
            "cell.13.voltage": 4.010,
            "cell.14.voltage": 4.015,
        },
    ),
    Example(0x55F, False, bytes.fromhex("0000000000230231"), {"pack.voltage": 56.0}),
)

PROTOCOL = Protocol(
    name="twizy",
    title="Renault Twizy",
    database=DATABASE,
    mapping=Mapping("twizy", _bindings(), sign="+charge"),
    bitrates=(500_000,),
    source_confidence="Two public decoders that are in use; no real capture was available.",
    required=tuple(_name(first) for _, first in _CELL_FRAMES),
    examples=_EXAMPLES,
    verify=verify,
)
