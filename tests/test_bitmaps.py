"""Balancing flags that are the bits of one number: taken where nothing else can be meant."""

import numpy as np
import pytest

from protocols.dbc import parse_database
from protocols.decode import compile_mapping, decode
from protocols.frames import Frames, empty_frames
from protocols.layout import bit_of
from protocols.mapping import map_database
from protocols.roles import Mapping
from protocols.signals import Database, Signal

HEAD = 'VERSION ""\nBS_:\nBU_: B\n'


def database(*numbers: str, cells: int = 14, values: str = "") -> Database:
    lines = []
    for first in range(0, cells, 4):
        lines.append(f"BO_ {0x100 + first} Cells{first}: 8 B")
        for k in range(min(4, cells - first)):
            name = f"Cell_{first + k + 1}_Voltage"
            lines.append(f' SG_ {name} : {16 * k}|16@1+ (0.001,0) [0|5] "V" B')
    lines.append("BO_ 512 BMS_Balancing: 8 B")
    lines += [f" SG_ {number} B" for number in numbers]
    return parse_database("t.dbc", HEAD + "\n".join(lines) + f"\n{values}\n")


def balancing(mapping: Mapping) -> dict[int, tuple[str, int]]:
    return {
        b.role.number: (b.signal, b.bit) for b in mapping.bindings if b.role.kind == "balancing"
    }


def bus(cells: int, bits: bytes) -> Frames:
    frames = empty_frames(20)
    frames.time[:] = np.arange(20) * 10_000_000
    frames.id[:] = [0x100 + 4 * (k % -(-cells // 4)) for k in range(20)]
    frames.length[:] = 8
    frames.data[:, 1::2], frames.data[:, ::2] = 0x0E, 0x10
    frames.id[::5] = 512
    frames.data[::5] = np.frombuffer(bits, np.uint8)
    return frames


@pytest.mark.parametrize(
    ("number", "payload"),
    [
        ('Balance_Bits : 0|16@1+ (1,0) [0|0] ""', bytes([0b101, 0b100000]) + bytes(6)),
        ('Balancing_Status : 7|16@0+ (1,0) [0|0] ""', bytes([0b100000, 0b101]) + bytes(6)),
        ('单体均衡状态 : 0|16@1+ (1,0) [0|0] ""', bytes([0b101, 0b100000]) + bytes(6)),
    ],
)
def test_bits_are_cells_from_the_lowest_on_in_either_byte_order(
    number: str, payload: bytes
) -> None:
    known = database(number)
    frames = bus(14, payload)
    mapping = map_database([known], frames)
    assert len(balancing(mapping)) == 14
    _, index, value = decode(frames, compile_mapping([known], mapping)).group(2)
    newest = dict(zip(index.tolist(), value.tolist(), strict=True))
    assert newest == {k: float(k in (0, 2, 13)) for k in range(14)}
    assert any("the lowest first" in note for note in mapping.notes)


def test_two_numbers_go_on_where_the_first_ended() -> None:
    known = database('Bal_2 : 16|16@1+ (1,0) [0|0] ""', 'Bal_1 : 0|16@1+ (1,0) [0|0] ""', cells=20)
    found = balancing(map_database([known]))
    assert found[16] == ("Bal_1", 15)
    assert found[17] == ("Bal_2", 0)
    assert max(found) == 20


def test_a_bit_beyond_the_last_cell_refutes_it() -> None:
    known = database('Balance_Bits : 0|16@1+ (1,0) [0|0] ""')
    assert balancing(map_database([known], bus(14, bytes([0, 0b1000000]) + bytes(6)))) == {}


@pytest.mark.parametrize(
    ("number", "values"),
    [
        ('Balancing_State : 0|16@1+ (1,0) [0|0] ""', 'VAL_ 512 Balancing_State 0 "off" 1 "on" ;'),
        ('Balancing_Current : 0|16@1+ (1,0) [0|0] ""', ""),
        ('Balancing_Threshold : 0|16@1+ (1,0) [0|0] ""', ""),
        ('Balancing_Time : 0|16@1+ (1,0) [0|0] ""', ""),
        ('Balancing_Cell_Number : 0|16@1+ (1,0) [0|0] ""', ""),
        ('Balancing_Command : 0|16@1+ (1,0) [0|0] ""', ""),
        ('Balance_Bits : 0|16@1+ (0.1,0) [0|0] ""', ""),
        ('Balance_Bits : 0|8@1+ (1,0) [0|0] ""', ""),
    ],
)
def test_what_may_be_anything_else_is_no_bitmap(number: str, values: str) -> None:
    """The last: fewer bits than cells."""
    assert balancing(map_database([database(number, values=values)])) == {}


def test_a_bit_of_a_signal_is_named_and_bounded() -> None:
    signal = Signal("S", 7, 16, little_endian=False)
    assert (bit_of(signal, 0).start, bit_of(signal, 15).start) == (8, 7)
    with pytest.raises(ValueError, match="16 bits"):
        bit_of(signal, 16)
