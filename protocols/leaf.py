"""Nissan Leaf: the battery controller (LBC) of ZE0, AZE0 and ZE1, on the car's EV bus.

The pack broadcasts on 11-bit identifiers, bits packed big endian, 500 kbit/s; cells, probes and
shunts come only to who asks over ISO-TP (`21 <group>` to 0x79B, answers from 0x7BB). Until the
controller has measured, all bits of a field are set: unknown, not 511.5 V. Negative current is
discharge on the wire. Sources: dalathegreat/leaf_can_bus_messages (EV-can_ZE0/AZE0/ZE1.dbc) and
Battery-Emulator NISSAN-LEAF-BATTERY.cpp. Checked against public logs of a 62 kWh ZE1 and a 24 kWh
ZE0: every checksum; the sum of 96 cells and the pack voltage in the same answer agree to 10 mV;
4 probes; 41 shunt bits. Not checked: the order of the shunt bits (lowest bit of a byte first in
Battery-Emulator; a flagged shunt need not be on), the serial number (group 84), and group 01 of the
24 and 30 kWh packs, read in open-vehicle-monitoring-system vehicle_nissanleaf.cpp. Pack
temperatures are those of ZE0 and AZE0 (0x5C0 behind its multiplexer); a ZE1 means something else
there and never sets those bits.
"""

import re

import numpy as np
from numpy.typing import NDArray

from protocols.bytecheck import judged, payloads
from protocols.contract import Evidence, Example, Poll, Protocol
from protocols.frames import Frames
from protocols.polled import reassemble
from protocols.roles import Alarm, Binding, Mapping, Role
from protocols.shorthand import big, cell, flag, pack_bindings, probe
from protocols.signals import Database, Message, MuxCondition, Signal, Transfer

REQUEST_ID, ANSWER_ID = 0x79B, 0x7BB
# 2 alone asks to stop charging, as at the end of every charge: no alarm. Read in two projects
# (Battery-Emulator and an older bridge of the same author); 0 throughout both logs.
_ALARMS = (
    Alarm(
        "LBC_Status",
        "Failsafe_Status",
        "BMS asks for",
        (
            (1, "main relay off"),
            (3, "main relay off"),
            (4, "caution lamp"),
            (5, "caution lamp and main relay off"),
            (6, "caution lamp and end of charge"),
            (7, "caution lamp and main relay off"),
        ),
        warnings=(4, 6),
    ),
)
CELLS = 96
PROBES = 4
_WHY = "Nissan Leaf protocol"
_TEN_BITS = (0x3FF,)
_POLLED_FOR_GOOD = 3
_SERIAL = re.compile(rb"[0-9A-Z]{8,20}")
# The last byte of these is a checksum of the seven before it.
_CHECKED_IDS = (0x1DB, 0x1DC, 0x55B)
_CRC_POLYNOMIAL = 0x85
_MAXIMUM, _MINIMUM = (MuxCondition("Which_Temperature", (k,)) for k in (1, 3))
_NOW, _FULL = (MuxCondition("Charge_Is_Full", (k,)) for k in (0, 1))


def _half_degrees(name: str, which: MuxCondition) -> Signal:
    return big(name, 2, 8, 0.5, "degC", offset=-40.0, invalid=(0xFF,), mux=(which,))


_BROADCAST = (
    Message(
        "LBC_Status",
        0x1DB,
        8,
        (
            big(
                "Current", 0, 11, 0.5, "A", signed=True, invalid=_TEN_BITS, comment="- = discharge"
            ),
            Signal("Relay_Cut_Request", 11, 2),
            Signal("Failsafe_Status", 8, 3),
            big("Voltage", 2, 10, 0.5, "V", invalid=_TEN_BITS),
            flag("Main_Relay_On", 3, 5),
            flag("Full_Charge", 3, 4),
            flag("Interlock", 3, 3),
            big("Usable_SOC", 4, 7, 1.0, "%", bit=6, invalid=(0x7F,)),
            Signal("Counter", 48, 2),
            big("Checksum", 7, 8),
        ),
    ),
    Message(
        "LBC_Limits",
        0x1DC,
        8,
        (
            big("Discharge_Power_Limit", 0, 10, 0.25, "kW", invalid=_TEN_BITS),
            big("Charge_Power_Limit", 1, 10, 0.25, "kW", bit=5, invalid=_TEN_BITS),
            big("Charger_Power_Limit", 2, 10, 0.1, "kW", bit=3, offset=-10.0, invalid=_TEN_BITS),
            big("Checksum", 7, 8),
        ),
    ),
    Message(
        "LBC_SOC",
        0x55B,
        8,
        (big("SOC", 0, 10, 0.1, "%", invalid=_TEN_BITS), big("Checksum", 7, 8)),
    ),
    Message(
        "LBC_Charge",
        0x5BC,
        8,
        (
            Signal("Charge_Is_Full", 44, 1, is_selector=True),
            big("GIDs", 0, 10, mux=(_NOW,), invalid=_TEN_BITS, comment="80 Wh each"),
            big("GIDs_Full", 0, 10, mux=(_FULL,), invalid=_TEN_BITS, comment="80 Wh each"),
            big("SOH", 4, 7, 1.0, "%", invalid=(0x00, 0x7F)),
        ),
    ),
    Message(
        "LBC_Temperatures",
        0x5C0,
        8,
        (
            Signal("Which_Temperature", 6, 2, is_selector=True),
            _half_degrees("Temperature_Max", _MAXIMUM),
            _half_degrees("Temperature_Min", _MINIMUM),
        ),
    ),
)


def _group(number: int, length: int, *signals: Signal, name: str = "") -> Transfer:
    """An answer `61 <group>`; bytes of its signals count from the 61."""
    message = Message(f"LBC_Group_{number:02X}{name}", ANSWER_ID, length, signals)
    return Transfer(message, bytes([0x61, number]), exact=True, request_id=REQUEST_ID)


def _state(length: int, soc: int, capacity: int, name: str) -> Transfer:
    """Group 01: what the controller knows of the whole pack, grown with every generation."""
    return _group(
        0x01,
        length,
        big("Precise_Current", 2, 32, 1 / 1024, "A", signed=True, comment="- = discharge"),
        big("Precise_Voltage", 20, 16, 0.01, "V", invalid=(0xFFFF,)),
        big("Precise_SOC", soc, 24, 0.0001, "%", invalid=(0xFFFFFF,)),
        big("Capacity", capacity, 24, 0.0001, "Ah", invalid=(0x000000, 0xFFFFFF)),
        name=name,
    )


_STATES = (
    _state(41, 31, 35, "_24_kWh"),
    _state(43, 31, 35, "_30_kWh"),
    _state(53, 33, 37, "_ZE1"),
)
_GROUPS = (
    *_STATES,
    _group(
        0x02,
        198,
        *(
            big(f"Cell_{k + 1:02d}", 2 + 2 * k, 16, 0.001, "V", invalid=(0xFFFF,))
            for k in range(CELLS)
        ),
        big("Sum_Of_Cells", 194, 16, 0.01, "V", invalid=(0xFFFF,)),
        big("Bus_Side_Voltage", 196, 16, 0.01, "V", invalid=(0xFFFF,)),
    ),
    _group(
        0x04,
        31,
        *(
            big(f"Probe_{k + 1}", 4 + 3 * k, 8, 1.0, "degC", signed=True, invalid=(0xFF,))
            for k in range(PROBES)
        ),
    ),
    _group(0x06, 26, *(flag(f"Shunt_{k + 1:02d}", 2 + k // 8, k % 8) for k in range(CELLS))),
)
DATABASE = Database("leaf", _BROADCAST, transfers=_GROUPS)

_PACK = (
    ("LBC_Status", "Voltage", "voltage", 1.0),
    ("LBC_Status", "Current", "current", -1.0),
    ("LBC_Charge", "SOH", "soh", 0.01),
    ("LBC_Temperatures", "Temperature_Max", "temperature_max", 1.0),
    ("LBC_Temperatures", "Temperature_Min", "temperature_min", 1.0),
    *((state.message.name, "Capacity", "full_ah", 1.0) for state in _STATES),
)
_ROUGH_SOC = (("LBC_SOC", "SOC", "soc", 0.01),)
_PRECISE_SOC = tuple((state.message.name, "Precise_SOC", "soc", 0.01) for state in _STATES)


def _mapping(soc: tuple[tuple[str, str, str, float], ...]) -> Mapping:
    found = pack_bindings(_WHY, (*_PACK, *soc))
    found += [cell("LBC_Group_02", f"Cell_{n:02d}", n, _WHY) for n in range(1, CELLS + 1)]
    found += [probe("LBC_Group_04", f"Probe_{n}", n, _WHY) for n in range(1, PROBES + 1)]
    found += [
        Binding("LBC_Group_06", f"Shunt_{n:02d}", Role("balancing", n), why=_WHY)
        for n in range(1, CELLS + 1)
    ]
    return Mapping("leaf", tuple(found), sign="+charge", alarms=_ALARMS)


def _checksums(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """CRC-8 of the first seven bytes of each row, highest bit first, from zero."""
    sums = np.zeros(len(rows), np.int64)
    for byte in range(7):
        sums ^= rows[:, byte]
        for _ in range(8):
            sums = (sums << 1 & 0xFF) ^ np.where(sums & 0x80, _CRC_POLYNOMIAL, 0)
    return sums


def verify(frames: Frames) -> Evidence:
    """Whether status, limits and charge carry the right checksum."""
    rows = np.concatenate([payloads(frames, frame_id) for frame_id in _CHECKED_IDS])
    return judged(int(np.sum(_checksums(rows) == rows[:, 7])), len(rows), "checksums")


def serial(frames: Frames) -> str | None:
    """The serial number, where somebody asked for it (group 84)."""
    answers = reassemble(frames, _GROUPS)
    for number in range(len(answers)):
        payload = answers.payload(number)
        if payload[:2] == b"\x61\x84":
            found = _SERIAL.match(payload, 2)
            if found:
                return found[0].decode("ascii")
    return None


def specialise(frames: Frames) -> tuple[Database, Mapping] | None:
    """Where group 01 is polled again and again its charge replaces 0x55B, which knows 0.1 %.

    Again and again: after a single answer nothing more may come, and 0x55B never stops.
    """
    answers = reassemble(frames, _STATES)
    polled = (answers.data[:, 0] == 0x61) & (answers.data[:, 1] == 0x01)
    polled &= np.isin(answers.length, [state.message.length for state in _STATES])
    return (DATABASE, _mapping(_PRECISE_SOC)) if polled.sum() >= _POLLED_FOR_GOOD else None


_EXAMPLES = (
    # 69.0 A out (the car: -69.0 A), 391.5 V
    Example(
        0x1DB,
        False,
        bytes.fromhex("eec0c3ea00f7619b"),
        {"pack.current": 69.0, "pack.voltage": 391.5},
    ),
    # before the first measurement: nothing is known
    Example(0x1DB, False, bytes.fromhex("7fe0ffc6000000de"), {}),
    Example(0x55B, False, bytes.fromhex("e9c00000e1401214"), {"pack.soc": 0.935}),
    # 663 GIDs, 91 % of the capacity of a new pack
    Example(0x5BC, False, bytes.fromhex("a5c0f064b701806f"), {"pack.soh": 0.91}),
    # 1023 GIDs are none; 51 % all the same
    Example(0x5BC, False, bytes.fromhex("ffc32b2b66052078"), {"pack.soh": 0.51}),
    Example(0x5C0, False, bytes.fromhex("405056003c000002"), {"pack.temperature_max": 3.0}),
    Example(0x5C0, False, bytes.fromhex("c05656003cd00002"), {"pack.temperature_min": 3.0}),
    # a ZE1 with 162.1998 Ah
    Example(
        ANSWER_ID,
        False,
        bytes.fromhex(
            "6101fffa24000289fff9524222fa3e5f06fe465091"
            "3a3287038a0000cea7227b000e42070018bfee8000"
            "0180000000fff9524201ae"
        ),
        {"pack.full_ah": 162.1998},
        isotp=True,
    ),
    # a pack of 24 kWh with 64.5040 Ah
    Example(
        ANSWER_ID,
        False,
        bytes.fromhex(
            "61010000020d028700000363ffffffff001c2af89a892e4b03a4005c269a000ecf810009d7b0800001"
        ),
        {"pack.full_ah": 64.5040},
        isotp=True,
    ),
    Example(
        ANSWER_ID,
        False,
        bytes.fromhex("6104020613020314020e130212121244") + b"\xff" * 15,
        {"probe.1": 19.0, "probe.2": 20.0, "probe.3": 19.0, "probe.4": 18.0},
        isotp=True,
    ),
    # 2013 and later: there is no third probe
    Example(
        ANSWER_ID,
        False,
        bytes.fromhex("61040206130203 14ffffff02121200") + b"\xff" * 16,
        {"probe.1": 19.0, "probe.2": 20.0, "probe.4": 18.0},
        isotp=True,
    ),
    # the lowest bit of the first byte and the highest of the last
    Example(
        ANSWER_ID,
        False,
        b"\x61\x06\x01" + bytes(10) + b"\x80" + b"\xff" * 12,
        {f"balancing.{n}": float(n in (1, 96)) for n in range(1, CELLS + 1)},
        isotp=True,
    ),
    # 96 cells of 3.801 to 3.896 V
    Example(
        ANSWER_ID,
        False,
        b"\x61\x02"
        + b"".join((3801 + k).to_bytes(2, "big") for k in range(CELLS))
        + b"\x90\x5f" * 2,
        {f"cell.{n}.voltage": 3.8 + n / 1000 for n in range(1, CELLS + 1)},
        isotp=True,
    ),
)


def _poll(group: int, period_s: float) -> Poll:
    return Poll(REQUEST_ID, False, bytes([0x21, group]), period_s, ANSWER_ID, REQUEST_ID)


PROTOCOL = Protocol(
    name="leaf",
    title="Nissan Leaf",
    database=DATABASE,
    mapping=_mapping(_ROUGH_SOC),
    bitrates=(500_000,),
    source_confidence="Public databases and decoders, checked against logs of two cars; the order "
    "of the shunts and the answers of 24 and 30 kWh packs are only read.",
    required=("LBC_Status", "LBC_SOC", "LBC_Charge"),
    examples=_EXAMPLES,
    verify=verify,
    serial=serial,
    specialise=specialise,
    polls=(
        _poll(0x02, 2.0),
        _poll(0x01, 5.0),
        _poll(0x04, 10.0),
        _poll(0x06, 10.0),
        _poll(0x84, 60.0),
    ),
)
