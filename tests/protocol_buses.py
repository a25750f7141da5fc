"""Buses of built-in protocols, written byte by byte: one function per protocol gives one round.

A second reading of each layout: no line is shared with `protocols/`.
"""

import struct
from collections.abc import Callable, Iterable

import numpy as np

from protocols.frames import EXTENDED, Frames, empty_frames

Row = tuple[int, bool, bytes]
Volts = np.ndarray


def frames_of(rows: Iterable[Row]) -> Frames:
    listed = list(rows)
    frames = empty_frames(len(listed))
    for k, (frame_id, extended, data) in enumerate(listed):
        frames.time[k], frames.id[k] = k * 1_000_000, frame_id
        frames.flags[k] = EXTENDED if extended else 0
        frames.length[k] = len(data)
        frames.data[k, : len(data)] = np.frombuffer(data, np.uint8)
    return frames


def millivolts(volts: Volts) -> list[int]:
    return [round(1000 * v) for v in volts.tolist()]


def grouped(values: list[int], size: int) -> list[list[int]]:
    """Groups of `size`, the last one filled with zeros."""
    return [(values[k : k + size] + [0] * size)[:size] for k in range(0, len(values), size)]


def twelve_bits(values: list[int]) -> bytes:
    text = "".join(f"{value:012b}" for value in values).ljust(64, "0")
    return int(text, 2).to_bytes(8, "big")


# --- senders: one round of a bus -------------------------------------------------------------


def niu(volts: Volts, slot: int = 0) -> list[Row]:
    base = 0x19F20011 + slot * 0x10001
    rows = [(base | 0x1A00, True, struct.pack("<HhHH", round(100 * volts.sum()), 250, 812, 0))]
    for k, group in enumerate(grouped(millivolts(volts), 4)):
        rows.append((base | 0x1E00 + (k << 8), True, struct.pack("<4H", *group)))
    rows.append((base | 0x2400, True, struct.pack("<4H", 245, 246, 247, 248)))
    return rows


def daly(
    volts: Volts, first: int = 1, amps: float = 0.0, state: int = 0, address: int = 1
) -> list[Row]:
    total = round(10 * volts.sum())
    status = struct.pack(">4H", total, total, round(30_000 + 10 * amps), 734)
    rows = [
        (0x18900040 | address << 8, True, bytes(8)),  # the question
        (0x18904000 | address, True, status),
        (0x18934000 | address, True, struct.pack(">BBBBI", state, 1, 1, 0, 105_000)),
        (0x18944000 | address, True, struct.pack(">BBBBBHB", len(volts), 1, 0, 0, 0, 42, 0)),
    ]
    for k, group in enumerate(grouped(millivolts(volts), 3)):
        rows.append((0x18954000 | address, True, struct.pack(">B3HB", k + first, *group, 0)))
    rows.append((0x18974000 | address, True, b"\x01" + bytes(7)))
    return rows


def jk(volts: Volts, pack: int = 0) -> list[Row]:
    total = round(10 * volts.sum())
    rows = [(0x2F4 + pack, False, struct.pack("<HHBBH", total, 3795, 73, 0, 5))]
    for k, group in enumerate(grouped(millivolts(volts), 4)):
        rows.append((0x18E028F4 + pack + (k << 16), True, struct.pack("<4H", *group)))
    return rows


def crc16(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


def jbd(volts: Volts, with_crc: bool = True) -> list[Row]:
    def answer(frame_id: int, data: bytes) -> list[Row]:
        crc = crc16(data) if with_crc else 0
        return [(frame_id, False, b""), (frame_id, False, data + crc.to_bytes(2, "big"))]

    rows = answer(0x100, struct.pack(">HhH", round(100 * volts.sum()), -2048, 10_000))
    rows += answer(0x102, struct.pack(">3H", 0b101, 0, 0))
    rows += answer(0x104, bytes((len(volts), 2, 0, 0, 0, 0)))
    rows += answer(0x105, struct.pack(">3H", 2981, 2991, 0))
    for k, group in enumerate(grouped(millivolts(volts), 3)):
        rows += answer(0x107 + k, struct.pack(">3H", *group))
    return rows


def tesla(volts: Volts) -> list[Row]:
    total = round(100 * volts.sum())
    rows = [(0x132, False, struct.pack("<HhhH", total, -125, -125, 0))]
    for k, group in enumerate(grouped([10 * v for v in millivolts(volts)], 3)):
        valid = sum(2 << 2 * place for place, value in enumerate(group) if value)
        rows.append((0x401, False, struct.pack("<BB3H", k, valid, *group)))
    return rows


def geely(volts: Volts) -> list[Row]:
    def part(number: int, cell: int, value: int) -> Row:
        data = struct.pack(">BBBHBBB", number, len(volts) + 3, cell, value << 3 | 1, 1, 0, 5)
        return 0x142, False, data

    listed = millivolts(volts)
    rows = [part(0, len(volts), round(10 * volts.sum()))]
    rows.append(part(1, listed.index(max(listed)) + 1, max(listed)))
    rows.append(part(2, listed.index(min(listed)) + 1, min(listed)))
    return rows + [part(3 + k, k + 1, value) for k, value in enumerate(listed)]


def ford_mache(volts: Volts) -> list[Row]:
    raw = [value - 1000 for value in millivolts(volts)]
    raw += [0xFFE] * (96 - len(raw))
    half_volts = 0xD000 | round(2 * volts.sum())
    rows = [(0x07A, False, bytes((0, 0, half_volts >> 8, half_volts & 0xFF, 0, 0, 0, 0)))]
    rows.append((0x07B, False, bytes.fromhex("80004ad800000000")))
    rows += [(0x490 + k, False, twelve_bits(raw[5 * k : 5 * k + 5])) for k in range(19)]
    rows.append((0x4A3, False, twelve_bits(raw[95:])[:2] + bytes([90] * 6)))
    return rows


def emus(volts: Volts, pylon: bool = False) -> list[Row]:
    rows = [(0x19B50000, True, bytes((0, 5, 0, 3, 0, 1, 0, len(volts))))]
    raw = [round((v - 2.0) * 100) for v in volts.tolist()]
    for k, group in enumerate(grouped(raw, 8)):
        rows.append((0x19B50100 + k, True, bytes(group)))
        rows.append((0x19B50300 + k, True, bytes((0, 255, 0, 0, 1, 0, 0, 0))))
    if pylon:
        status = struct.pack("<HHHBB", round(10 * volts.sum()), 29_875, 1250, 80, 98)
        return [*rows, (0x4210, True, status)]
    low, high = round(min(volts) * 100) - 200, round(max(volts) * 100) - 200
    total = round(100 * volts.sum())
    voltages = struct.pack(">BBBHHB", low, high, low, total, 0, 0)
    charge = struct.pack(">hHHBB", -125, 630, 0, 73, 0)
    module = bytes([125] * 8)
    return [
        (0x19B50001, True, b""),  # a question
        (0x19B50001, True, voltages),
        (0x19B50500, True, charge),
        (0x19B50200, True, module),
        *rows,
    ]


def twizy(volts: Volts) -> list[Row]:
    raw = [value // 5 for value in millivolts(volts)]
    tenths = round(10 * volts.sum())
    voltage = (tenths << 12 | tenths).to_bytes(8, "big")
    return [
        (0x155, False, bytes.fromhex("070780007dc80000")),
        (0x556, False, twelve_bits(raw[:5])),
        (0x557, False, twelve_bits(raw[5:10])),
        (0x55E, False, twelve_bits([*raw[10:], 0x123])),
        (0x554, False, bytes([65] * 7 + [0])),
        (0x55F, False, voltage),
    ]


def imiev(volts: Volts) -> list[Row]:
    raw = [round((v - 2.1) * 200) for v in volts.tolist()]
    status = struct.pack(">HHHH", 0, 32_768 - 1234, round(10 * volts.sum()), 0)
    rows: list[Row] = [(0x373, False, status)]
    for module in range(1, 13):
        for frame in range(2 if module in (6, 12) else 4):
            two, raw = raw[:2], raw[2:]
            data = struct.pack(">BBBB2H", 0x80 | module, 75, 76, 75, *two)
            rows.append((0x6E1 + frame, False, data))
    assert not raw
    return rows


def zeva(volts: Volts, unit: int = 0) -> list[Row]:
    listed = (millivolts(volts) + [0] * 12)[:12]
    base = 300 + 10 * unit
    rows = [(base, True, bytes.fromhex("0e10"))]
    for k, group in enumerate(grouped(listed, 4)):
        rows.append((base + 1 + k, True, struct.pack(">4H", *group)))
    return [*rows, (base + 4, True, bytes((65, 66, 0, 0, 0, 0, 0, 0)))]


def rjxzs(volts: Volts, extended: bool = False) -> list[Row]:
    total = round(10 * volts.sum())
    rows = [(0xF5, extended, struct.pack(">B3HB", 3, total, 205, 1091, 0))]
    for k, group in enumerate(grouped(millivolts(volts), 3)):
        rows.append((0xF5, extended, struct.pack(">B3HB", 7 + k, *group, 0)))
    return rows


def victron(volts: Volts) -> list[Row]:
    return [
        (0x351, False, struct.pack("<HhhH", round(12 * volts.sum()), 1000, 2000, 400)),
        (0x355, False, struct.pack("<4H", 73, 98, 7320, 0)),
        (0x356, False, struct.pack("<HhhH", round(100 * volts.sum()), -205, 113, 0)),
        (0x35A, False, bytes.fromhex("aaaaaa02aaaaaa02")),
        (0x35E, False, b"SimpBMS\0"),
    ]


def simpbms(volts: Volts) -> list[Row]:
    rows = victron(volts)
    for k, value in enumerate(millivolts(volts)):
        rows.append((0x372, False, struct.pack("<HBBHH", 2, 0, k + 1, 0, value)))
    return rows


SENDERS: dict[str, tuple[Callable[[Volts], list[Row]], int]] = {
    "niu": (niu, 20),
    "daly": (daly, 13),
    "jk": (jk, 14),
    "jbd": (jbd, 14),
    "tesla": (tesla, 106),
    "geely": (geely, 107),
    "ford_mache": (ford_mache, 94),
    "emus": (emus, 20),
    "twizy": (twizy, 14),
    "imiev": (imiev, 88),
    "zeva": (zeva, 10),
    "rjxzs": (rjxzs, 14),
    "rjxzs_extended": (lambda volts: rjxzs(volts, extended=True), 14),
    "simpbms": (simpbms, 16),
}


def voltages(cells: int, step_v: float = 0.01) -> Volts:
    """Different for every cell, each a multiple of 10 mV: exact in every protocol."""
    return 3.5 + step_v * (np.arange(cells) * 7 % 23)


def rounds(send: Callable[[Volts], list[Row]], cells: int, count: int = 4) -> Frames:
    return frames_of(row for _ in range(count) for row in send(voltages(cells)))
