"""What a pack says of itself: maker, model, firmware, from frames to the notes a person reads."""

import struct
from pathlib import Path

import pytest
from protocol_buses import frames_of, jbd, niu, rounds, simpbms, voltages

from bms_studio.interpret import Request, interpret
from protocols.frames import Frames, empty_frames
from protocols.identity import said
from protocols.j1939 import packets
from protocols.registry import available, load


def test_a_jbd_pack_names_model_and_firmware() -> None:
    rows = jbd(voltages(14))
    for part, text in enumerate((b"JBD-SP14", b"S004A-L1", b"4S-50A\0\0")):
        rows.append((0x111 + part, False, text))
    rows.append((0x103, False, bytes.fromhex("0003308700210000")))
    found = said(frames_of(rows), load("jbd"))
    assert found == (
        "the pack names its model: JBD-SP14S004A-L14S-50A",
        "the pack names its firmware: 0x0021",
    )


def test_a_niu_battery_names_firmware_and_hardware_from_either_bay() -> None:
    for base in (0x19F20011, 0x19F30012):
        rows = niu(voltages(20), int(base != 0x19F20011))
        rows += [(base | 0x0400, True, b"BMS01.12"), (base | 0x0800, True, b"V3\0\0\0\0\0\0")]
        meaning = interpret(frames_of(r for _ in range(3) for r in rows), Request())
        assert meaning is not None
        assert "the pack names its firmware: BMS01.12" in meaning.mapping.notes
        assert "the pack names its hardware: V3" in meaning.mapping.notes


def test_simpbms_names_its_maker() -> None:
    assert said(rounds(simpbms, 16), load("simpbms")) == ("the pack names its maker: SimpBMS",)


def identification() -> Frames:
    body = bytes.fromhex("01010003f005400e") + b"CATL" + struct.pack("<I", 123_456)
    body += bytes((2019 - 1985, 11, 8, 149, 0, 1, 1, 0xFF)) + b"LXXXXXXXXXXXXXXXX" + bytes(8)
    return frames_of((i, True, data) for i, data in packets(0x1C0256F4, body))


def test_a_car_that_charges_names_its_battery_and_never_the_car() -> None:
    protocol, frames = load("gbt27930"), identification()
    assert protocol.serial is not None
    assert protocol.serial(frames) == "CATL 123456"
    words = said(frames, protocol)
    assert words == (
        "the pack names its maker: CATL",
        "the pack names its chemistry: LFP",
        "the pack names its date of manufacture: 2019-11-08",
    )
    assert "LXX" not in " ".join(words)
    everything = {s.name for t in protocol.database.transfers for s in t.message.signals}
    assert not {name for name in everything if "VIN" in name or "Vehicle" in name}


@pytest.mark.parametrize("name", available())
def test_a_silent_bus_names_nothing(name: str) -> None:
    assert said(empty_frames(), load(name)) == ()


def test_the_low_voltage_captures_name_their_makers(shared_data: Path) -> None:
    from test_protocols_more import captures

    protocol = load("pylon_lv")
    found = {letter: said(f, protocol) for letter, f in captures(shared_data).items()}
    makers = {letter: words[0].split(": ")[1] for letter, words in found.items()}
    assert makers == {"A": "PYLON", "B": "SHEnergy", "C": "REC-BMS", "D": "PYLON"}
    assert "the pack names its model: CAN-SMARTBMS-BAT" in found["B"]
