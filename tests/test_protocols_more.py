"""Buses of the built-in protocols: found, told apart, decoded cell by cell; noise is nothing."""

import re
from pathlib import Path

import numpy as np
import pytest
from captures import candump, slcan
from protocol_buses import (
    SENDERS,
    daly,
    emus,
    frames_of,
    jbd,
    jk,
    niu,
    rounds,
    simpbms,
    victron,
    voltages,
    zeva,
)

from protocols import pylon_lv
from protocols.decode import compile_mapping, decode
from protocols.detect import Candidate, detect
from protocols.frames import EXTENDED, Frames, concatenate, empty_frames
from protocols.registry import load
from protocols.roles import KINDS, PACK_FIELDS

FIELDS = [field.name for field in PACK_FIELDS]


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


def test_a_niu_battery_alone_is_pack_one_from_either_bay() -> None:
    volts = voltages(20)
    for slot in (0, 1):
        frames = frames_of(row for _ in range(3) for row in niu(volts, slot))
        (found,) = detect(frames)
        decoded = group(found, frames, "cell")
        assert [decoded[n] for n in range(1, 21)] == pytest.approx(volts.tolist(), abs=1e-6)
        assert found.confidence > 0.9


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
    (found,) = detect(frames)
    assert (found.name, found.mapping.notes) == ("pylon_lv", (f"{member} layout",))
    assert pylon_lv.serial(frames) == serial
    decoded = {FIELDS[n - 1]: value for n, value in group(found, frames, "pack").items()}
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
