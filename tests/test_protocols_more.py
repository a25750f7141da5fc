"""Buses of the built-in protocols, written byte by byte: found, told apart, decoded by cell.

The senders below are a second reading of each layout; they share no line with `protocols/`.
"""

import re
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from captures import candump, slcan

from protocols import pylon_lv
from protocols.decode import compile_mapping, decode
from protocols.detect import Candidate, detect
from protocols.frames import EXTENDED, Frames, concatenate, empty_frames
from protocols.registry import load
from protocols.roles import KINDS, PACK_FIELDS

Row = tuple[int, bool, bytes]
Volts = np.ndarray
FIELDS = [field.name for field in PACK_FIELDS]


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


def group(candidate: Candidate, frames: Frames, kind: str, pack: int = 1) -> dict[int, float]:
    """Newest value per number (from 1)."""
    samples = decode(frames, compile_mapping(candidate.databases, candidate.mapping))
    _, index, value = samples.group((pack - 1) * len(KINDS) + KINDS.index(kind))
    return {i + 1: v for i, v in zip(index.tolist(), value.tolist(), strict=True)}


def field(candidate: Candidate, frames: Frames, name: str, pack: int = 1) -> float:
    return group(candidate, frames, "pack", pack)[FIELDS.index(name) + 1]


# --- one bus, one protocol -------------------------------------------------------------------


@pytest.mark.parametrize("name", SENDERS)
def test_a_bus_is_recognised_as_its_own_protocol_alone_and_every_cell_is_right(name: str) -> None:
    send, cells = SENDERS[name]
    frames = rounds(send, cells)
    found = detect(frames)
    assert [c.name for c in found] == [name]
    assert found[0].confidence >= 0.8
    expected = voltages(cells)
    decoded = group(found[0], frames, "cell")
    assert sorted(decoded) == list(range(1, cells + 1))
    assert [decoded[n] for n in sorted(decoded)] == pytest.approx(expected.tolist(), abs=1e-6)
    if any(b.role.field == "voltage" for b in found[0].mapping.bindings):
        assert field(found[0], frames, "voltage") == pytest.approx(expected.sum(), rel=2e-3)


@pytest.mark.parametrize("name", SENDERS)
def test_noise_on_the_identifiers_of_a_protocol_is_nothing(name: str) -> None:
    random = np.random.default_rng(11)
    messages = load(name).database.messages
    chosen = random.integers(0, len(messages), 6_000)
    frames = empty_frames(len(chosen))
    frames.time[:] = np.arange(len(chosen)) * 1_000_000
    frames.id[:] = [messages[k].id for k in chosen]
    frames.flags[:] = [EXTENDED if messages[k].extended else 0 for k in chosen]
    frames.length[:] = 8
    frames.data[:] = random.integers(0, 256, frames.data.shape)
    assert [c.name for c in detect(frames)] == []


@pytest.mark.parametrize("name", SENDERS)
def test_counters_and_constants_on_the_same_identifiers_are_nothing(name: str) -> None:
    frames = rounds(SENDERS[name][0], SENDERS[name][1])
    counting = frames[:]
    data = np.zeros_like(frames.data)
    data[:, 0] = np.arange(len(frames)) % 256  # a life counter, and a few bits that stand still
    data[:, 3:5] = (0x40, 0xFF)
    counting.data[:] = data
    assert [c.name for c in detect(counting)] == []


def test_the_real_logs_are_taken_for_nothing_that_they_are_not(shared_data: Path) -> None:
    folder = shared_data / "can"
    assert detect(candump(folder / "tecnun" / "candump-2024-12-28_152319.log")) == []
    assert [c.name for c in detect(slcan(folder / "orion" / "big.raw"))] == ["orion"]
    november = candump(folder / "orion" / "candump-2025-11-05_214230.log")
    assert [c.name for c in detect(november[:20_000])] == ["orion"]


# --- what differs from bus to bus ------------------------------------------------------------


def test_two_niu_batteries_are_two_packs() -> None:
    a, b = voltages(20), voltages(20) - 0.1
    frames = frames_of(row for _ in range(3) for row in niu(a) + niu(b, slot=1))
    (found,) = detect(frames)
    for pack, volts in ((1, a), (2, b)):
        decoded = group(found, frames, "cell", pack)
        assert [decoded[n] for n in range(1, 21)] == pytest.approx(volts.tolist(), abs=1e-6)
        # 2.5 A on the wire flow in.
        assert field(found, frames, "current", pack) == pytest.approx(-2.5)
        assert field(found, frames, "soc", pack) == pytest.approx(0.812)


def test_two_jk_packs_are_two_packs() -> None:
    a, b = voltages(14), voltages(8) - 0.2
    frames = frames_of(row for _ in range(3) for row in jk(a) + jk(b, pack=3))
    (found,) = detect(frames)
    assert len(group(found, frames, "cell", 1)) == 14
    decoded = group(found, frames, "cell", 2)
    assert [decoded[n] for n in range(1, 9)] == pytest.approx(b.tolist(), abs=1e-6)
    assert field(found, frames, "current", 2) == pytest.approx(20.5)


def test_a_jk_pack_with_another_address_is_found_alone() -> None:
    volts = voltages(14)
    frames = frames_of(row for _ in range(3) for row in jk(volts, pack=2))
    # Another device in the same range of 11-bit identifiers is no pack.
    strange = frames_of([(0x2FA, False, bytes(8))] * 9)
    both = concatenate([frames, strange])
    (found,) = detect(both)
    decoded = group(found, both, "cell")
    assert [decoded[n] for n in range(1, 15)] == pytest.approx(volts.tolist(), abs=1e-6)
    assert field(found, both, "voltage") == pytest.approx(volts.sum(), abs=0.06)


def test_daly_frames_that_count_from_zero_are_learned() -> None:
    volts = voltages(13)
    frames = frames_of(row for _ in range(3) for row in daly(volts, first=0))
    (found,) = detect(frames)
    decoded = group(found, frames, "cell")
    assert [decoded[n] for n in range(1, 14)] == pytest.approx(volts.tolist(), abs=1e-6)
    assert any("count from 0" in note for note in found.mapping.notes)


def test_the_start_of_daly_frames_is_not_guessed_from_half_a_round() -> None:
    rows = [row for row in daly(voltages(24), first=0) if row[0] != 0x18944001]
    cells = [k for k, row in enumerate(rows) if row[0] == 0x18954001]
    assert detect(frames_of(rows[: cells[0]] + rows[cells[1] :])) == []


@pytest.mark.parametrize(
    ("wire_a", "state", "sign", "current_a"),
    [
        (20.5, 2, "+discharge", 20.5),
        (-20.5, 1, "+discharge", -20.5),
        (20.5, 1, "+charge", -20.5),
        (-20.5, 2, "+charge", 20.5),
        (20.5, 0, "+discharge", 20.5),
    ],
)
def test_the_state_of_a_daly_says_which_way_its_current_counts(
    wire_a: float, state: int, sign: str, current_a: float
) -> None:
    frames = frames_of(r for _ in range(3) for r in daly(voltages(12), amps=wire_a, state=state))
    (found,) = detect(frames)
    assert found.mapping.sign == sign
    assert field(found, frames, "current") == pytest.approx(current_a)


def test_daly_addresses_are_packs_and_flags_end_with_the_cells() -> None:
    a, b = voltages(12), voltages(9) - 0.1
    frames = frames_of(row for _ in range(3) for row in daly(a) + daly(b, address=2))
    (found,) = detect(frames)
    assert len(group(found, frames, "cell", 1)) == 12
    decoded = group(found, frames, "cell", 2)
    assert [decoded[n] for n in range(1, 10)] == pytest.approx(b.tolist(), abs=1e-6)
    flags = group(found, frames, "balancing", 2)
    assert flags == {n: float(n == 1) for n in range(1, 10)}


def test_jbd_without_checksums_needs_cells_that_make_the_pack_voltage() -> None:
    volts = voltages(14)
    frames = frames_of(row for _ in range(3) for row in jbd(volts, with_crc=False))
    assert [c.name for c in detect(frames)] == ["jbd"]
    status = frames.id == 0x100
    frames.data[status, 0] += 8  # 20 V more
    assert detect(frames) == []


def test_jbd_flags_and_probes_end_with_what_the_pack_counts() -> None:
    frames = rounds(jbd, 14)
    (found,) = detect(frames)
    flags = group(found, frames, "balancing")
    assert flags == {n: float(n in (1, 3)) for n in range(1, 15)}
    assert group(found, frames, "probe") == pytest.approx({1: 25.0, 2: 26.0})


@pytest.mark.parametrize("pylon", [False, True])
def test_emus_says_pack_quantities_in_one_of_two_ways(pylon: bool) -> None:
    volts = voltages(20)
    frames = frames_of(row for _ in range(3) for row in emus(volts, pylon))
    (found,) = detect(frames)
    assert field(found, frames, "voltage") == pytest.approx(volts.sum(), abs=0.06)
    assert field(found, frames, "current") == pytest.approx(12.5)
    assert group(found, frames, "probe") == ({} if pylon else dict.fromkeys(range(1, 9), 25.0))
    # Any rate is balancing.
    flags = group(found, frames, "balancing")
    assert flags == {n: float((n - 1) % 8 in (1, 4)) for n in range(1, 21)}


def test_zeva_cells_are_numbered_through_units_without_the_empty_places() -> None:
    first, second = voltages(8), voltages(10) - 0.1
    frames = frames_of(r for _ in range(3) for r in zeva(first) + zeva(second, unit=3))
    (found,) = detect(frames)
    decoded = group(found, frames, "cell")
    expected = np.concatenate([first, second])
    assert [decoded[n] for n in range(1, 19)] == pytest.approx(expected.tolist(), abs=1e-6)


# --- the low-voltage family ------------------------------------------------------------------

_LINE = re.compile(r"can\d\s+([0-9A-F]+)\s+\[\d\]\s+((?:[0-9A-F]{2} ?)+)")


def captures(folder: Path) -> dict[str, Frames]:
    """Letter of a capture -> its frames."""
    text = (folder / "can" / "pylon_lv" / "captures.txt").read_text()
    found = {}
    for block in text.split("\n# [")[1:]:
        rows = [(int(m[1], 16), False, bytes.fromhex(m[2])) for m in _LINE.finditer(block)]
        found[block[0]] = frames_of(rows)
    return found


@pytest.mark.parametrize(
    ("letter", "member", "serial", "expected"),
    [
        (
            "A",
            "Pylontech",
            None,
            {
                "voltage": 52.41,
                "current": 0.0,
                "soc": 0.30,
                "soh": 1.0,
                "cell_voltage_min": 3.274,
                "cell_voltage_max": 3.279,
                "temperature_min": 10.0,
                "temperature_max": 11.0,
                "full_ah": 200.0,
                "fault": 0.0,
            },
        ),
        (
            "B",
            "Victron",
            None,
            {"voltage": 52.17, "current": 30.1, "soc": 0.6020, "full_ah": 304.0, "cycles": 26.0},
        ),
        ("C", "Victron", "1Q-1845", {"voltage": 26.10, "current": 0.0, "full_ah": 100.0}),
        ("D", "Pylontech", None, {"voltage": 49.96, "current": 1.5, "soc": 0.90}),
    ],
)
def test_the_captures_of_the_low_voltage_family_mean_what_their_owners_saw(
    shared_data: Path, letter: str, member: str, serial: str | None, expected: dict[str, float]
) -> None:
    frames = captures(shared_data)[letter]
    assert pylon_lv.verify(frames).score == 1.0
    assert pylon_lv.member(frames) == member
    assert pylon_lv.serial(frames) == serial
    learned = pylon_lv.specialise(frames)
    assert learned is not None
    database, mapping = learned
    _, index, value = decode(frames, compile_mapping([database], mapping)).group(3)
    decoded = {FIELDS[i]: v for i, v in zip(index.tolist(), value.tolist(), strict=True)}
    assert {name: decoded[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_0x370_is_text_or_extremes_by_what_it_holds() -> None:
    rows = victron(voltages(16))
    text = frames_of([*rows, (0x370, False, b"CAN-SMAR")])
    numbers = frames_of([*rows, (0x370, False, bytes.fromhex("76006c00cf0cca0c"))])
    sources = []
    for frames in (text, numbers):
        learned = pylon_lv.specialise(frames)
        assert learned is not None
        sources.append(
            {b.message for b in learned[1].bindings if b.role.field == "temperature_max"}
        )
    assert sources == [{"Extremes"}, {"Module_Extremes"}]


def test_neighbours_of_the_low_voltage_family_are_refused(shared_data: Path) -> None:
    orion = candump(shared_data / "can" / "orion" / "candump-2025-11-05_214230.log")
    assert pylon_lv.verify(orion).score < 0.9
    assert pylon_lv.verify(rounds(simpbms, 16)).score == 0.0
    assert pylon_lv.verify(rounds(victron, 16)).score == 1.0
