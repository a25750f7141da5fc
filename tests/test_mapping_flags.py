"""Values that somebody vouches for, places that only letters count, and words of car makers."""

import numpy as np

from protocols.dbc import parse_database
from protocols.decode import compile_mapping, decode
from protocols.encode import encode
from protocols.frames import Frames, empty_frames
from protocols.mapping import map_database
from protocols.signals import Database

HEAD = 'VERSION ""\nBS_:\nBU_: B\n'
CELLS = "".join(
    f' SG_ CellVoltage_{k:03d} : {16 + 12 * k}|12@1+ (1,0) [0|0] "mV" B\n'
    f' SG_ CellVoltage_{k:03d}_{{flag}} : {k}|1@1+ (1,0) [0|0] "" B\n'
    for k in range(4)
)


def database(flag: str, choices: str = "") -> Database:
    values = "".join(f"VAL_ 9 CellVoltage_{k:03d}_{flag} {choices} ;\n" for k in range(4))
    text = HEAD + "BO_ 9 Cells: 8 B\n" + CELLS.replace("{flag}", flag) + values * bool(choices)
    return parse_database("t.dbc", text)


def frames(database: Database, *flags: tuple[int, ...], flag: str) -> Frames:
    message = database.messages[0]
    made = empty_frames(len(flags))
    for row, bits in enumerate(flags):
        values = {f"CellVoltage_{k:03d}": 3600.0 + k for k in range(4)}
        values |= {f"CellVoltage_{k:03d}_{flag}": bit for k, bit in enumerate(bits)}
        data = encode(message, values)
        made.id[row], made.length[row] = message.id, len(data)
        made.data[row, : len(data)] = np.frombuffer(data, np.uint8)
    return made


def seen(database: Database, bus: Frames) -> list[int]:
    mapping = map_database([database], bus)
    _, index, _ = decode(bus, compile_mapping([database], mapping)).group(0)
    return sorted((index + 1).tolist())


def test_a_value_that_its_flag_calls_invalid_is_unknown() -> None:
    known = database("invalidFlag")
    assert seen(known, frames(known, (0, 1, 0, 1), flag="invalidFlag")) == [1, 3]
    known = database("Valid")
    assert seen(known, frames(known, (0, 1, 0, 1), flag="Valid")) == [2, 4]


def test_what_the_choices_say_counts_more_than_the_name() -> None:
    known = database("invalidFlag", '0 "Invalid" 1 "Valid"')
    assert seen(known, frames(known, (0, 1, 1, 1), flag="invalidFlag")) == [2, 3, 4]


def test_a_flag_that_never_vouches_for_anything_is_not_believed_and_said() -> None:
    known = database("valid")
    bus = frames(known, (0, 0, 0, 0), (0, 0, 0, 0), flag="valid")
    assert seen(known, bus) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert any("not used" in note for note in map_database([known], bus).notes)


def test_the_raw_value_that_an_attribute_calls_not_available_is_unknown() -> None:
    text = (
        'BO_ 9 M: 8 B\n SG_ Cell_1_Voltage : 0|16@1+ (0.001,0) [0|0] "V" B\n'
        ' SG_ Cell_2_Voltage : 16|16@1+ (0.001,0) [0|0] "V" B\n'
        'BA_DEF_ SG_ "GenSigSNA" STRING ;\nBA_DEF_DEF_ "GenSigSNA" "";\n'
        'BA_ "GenSigSNA" SG_ 9 Cell_1_Voltage "ED8h";\n'
    )
    known = parse_database("t.dbc", HEAD + text)
    assert known.messages[0].signal("Cell_1_Voltage").invalid == (0xED8,)
    assert known.messages[0].signal("Cell_2_Voltage").invalid == ()


def test_bare_voltages_of_a_bank_are_cells_and_letters_count_them() -> None:
    rows = []
    for module in (1, 2):
        rows.append(f"BO_ {510 + 2 * module} Battery_Module_{module}: 8 B")
        rows += [
            f' SG_ Voltage_{module}_{bank}_{letter} m{bank} : {start}|12@0+ (0.00125,0) [0|0] "V" B'
            for bank in range(4)
            for letter, start in zip("ABC", (4, 20, 39), strict=True)
        ]
        rows.append(f' SG_ Cell_Bank_Number_{module} M : 55|3@0+ (1,0) [0|0] "" B')
    rows.append("BO_ 770 Battery_temp: 8 B")
    rows += [
        f' SG_ Temp_{letter} : {8 * k}|8@1+ (0.5,-40) [0|0] "C" B'
        for k, letter in enumerate("ABCD")
    ]
    mapping = map_database([parse_database("t.dbc", HEAD + "\n".join(rows) + "\n")])
    cells = {b.role.number: b.signal for b in mapping.bindings if b.role.kind == "cell"}
    probes = {b.role.number: b.signal for b in mapping.bindings if b.role.kind == "probe"}
    assert sorted(cells) == list(range(1, 25))
    assert (cells[1], cells[4], cells[13]) == ("Voltage_1_0_A", "Voltage_1_1_A", "Voltage_2_0_A")
    assert probes == {1: "Temp_A", 2: "Temp_B", 3: "Temp_C", 4: "Temp_D"}


def test_bitmaps_of_boards_with_bits_to_spare_begin_anew_on_each_board() -> None:
    rows = []
    for node in (1, 2, 3):
        rows.append(f"BO_ {100 + 4 * node} Node{node}Cells: 8 B")
        rows += [
            f' SG_ Node{node}Cell{k:02d} : {12 * (k - 1)}|12@1+ (0.002,0) [0|0] "V" B'
            for k in range(1, 6)
        ]
        rows.append(f"BO_ {101 + 4 * node} Node{node}Stats: 8 B")
        rows.append(f' SG_ Node{node}CellBalanceStatus : 0|8@1+ (1,0) [0|0] "" B')
    mapping = map_database([parse_database("t.dbc", HEAD + "\n".join(rows) + "\n")])
    bits = {b.role.number: (b.signal, b.bit) for b in mapping.bindings if b.bit >= 0}
    assert bits[5] == ("Node1CellBalanceStatus", 4)
    assert bits[6] == ("Node2CellBalanceStatus", 0)
    assert len(bits) == 15


def test_inputs_of_a_shunt_that_only_count_are_not_taken_for_the_pack() -> None:
    text = "".join(
        f'BO_ {1313 + k} VOLTAGE{k}: 6 B\n SG_ Voltage{k} : 16|32@1- (1,0) [0|0] "mV" B\n'
        for k in (1, 2, 3)
    )
    text += 'BO_ 1313 IVT_Msg_Result_I: 6 B\n SG_ IVT_Result_I : 23|32@0- (1,0) [0|0] "mA" B\n'
    named = {
        b.role.field: b.signal for b in map_database([parse_database("t", HEAD + text)]).bindings
    }
    assert named == {"current": "IVT_Result_I"}
