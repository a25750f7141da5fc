"""DBC files: real ones load or say why not, usual defects are mended, hostile ones refused."""

import time
from pathlib import Path

import pytest

from protocols.dbc import DatabaseError, load_database, parse_database
from protocols.decode import compile_messages

HEAD = 'VERSION ""\nBS_:\nBU_: BMS\n'
CELL = ' SG_ Cell_1 : 0|16@1+ (0.001,0) [0|5] "V" BMS\n'


def test_every_real_database_loads(shared_data: Path) -> None:
    paths = sorted((shared_data / "can").rglob("*.dbc"))
    assert len(paths) >= 15
    for path in paths:
        database = load_database(path)
        assert database.messages, path.name
        compile_messages(database.messages)
        for message in database.messages:
            assert len({s.name for s in message.signals}) == len(message.signals)
        assert len({m.name for m in database.messages}) == len(database.messages)


def test_a_missing_header_is_added_and_reported() -> None:
    database = parse_database("a.dbc", "BO_ 256 M: 8 BMS\n" + CELL)
    assert database.message("M").signal("Cell_1").scale == 0.001
    assert any("header" in repair for repair in database.repairs)


def test_names_that_begin_with_a_digit_get_an_underscore_everywhere() -> None:
    text = (
        HEAD + 'BO_ 256 M: 8 BMS\n SG_ 12V_Ok : 0|8@1+ (1,0) [0|0] "" BMS\n'
        'CM_ SG_ 256 12V_Ok "low voltage";\nVAL_ 256 12V_Ok 0 "off" 1 "on" ;\n'
    )
    signal = parse_database("a.dbc", text).message("M").signal("_12V_Ok")
    assert signal.choices == {0: "off", 1: "on"}
    assert signal.comment == "low voltage"


def test_29_bit_identifiers_without_their_mark_are_extended() -> None:
    text = HEAD + f"BO_ {0x18F01234} M: 8 BMS\n" + CELL + f'CM_ BO_ {0x18F01234} "cells";\n'
    message = parse_database("a.dbc", text).message("M")
    assert (message.id, message.extended, message.comment) == (0x18F01234, True, "cells")


def test_values_for_signals_that_do_not_exist_are_left_out() -> None:
    text = HEAD + "BO_ 256 M: 8 BMS\n" + CELL + 'VAL_ 3221225472 Gone 0 "x" ;\n'
    database = parse_database("a.dbc", text)
    assert any("do not exist" in repair for repair in database.repairs)


def test_repeated_names_are_numbered() -> None:
    line = ' SG_ Blank : {}|8@1+ (1,0) [0|0] "" BMS\n'
    text = HEAD + "BO_ 256 M: 8 BMS\n" + line.format(0) + line.format(8) + line.format(16)
    names = [s.name for s in parse_database("a.dbc", text).message("M").signals]
    assert sorted(names) == ["Blank", "Blank_2", "Blank_3"]


def test_choices_that_mean_unknown_become_invalid_raw_values() -> None:
    text = HEAD + "BO_ 256 M: 8 BMS\n" + CELL + 'VAL_ 256 Cell_1 65535 "SNA" 1 "one" ;\n'
    assert parse_database("a.dbc", text).message("M").signal("Cell_1").invalid == (65535,)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_degree_sign_is_read_in_the_usual_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.dbc"
    text = HEAD + 'BO_ 256 M: 8 BMS\n SG_ T : 0|8@1- (1,0) [0|0] "°C" BMS\n'
    path.write_bytes(text.encode(encoding))
    assert load_database(path).message("M").signal("T").unit == "°C"


def test_a_syntax_error_names_file_and_line() -> None:
    text = HEAD + "BO_ 256 M: 8 BMS\n" + CELL + " SG_ broken 0|8@1+ (1,0)\n"
    with pytest.raises(DatabaseError, match=r"bad\.dbc, line 6, .*not DBC syntax"):
        parse_database("bad.dbc", text)


HOSTILE = {
    "a signal of a thousand million bits": "BO_ 1 A: 8 X\n SG_ a : 0|1000000000@1+ (1,0) [0|0]",
    "a message of a megabyte": "BO_ 1 A: 1000000 X\n",
    "an identifier of forty digits": f"BO_ {'9' * 40} A: 8 X\n",
    "a multiplexer range without end": "SG_MUL_VAL_ 1 a m 0-300000000;",
    "many multiplexer ranges": "SG_MUL_VAL_ 1 a m 0-65000;\n" * 50,
    "too many signals": "BO_ 1 A: 8 X\n" + CELL * 20_001,
    "a multiplexer value of many digits": f"BO_ 1 A: 8 X\n SG_ a m{'9' * 30} : 0|8@1+ (1,0)",
    "no DBC at all": "%PDF-1.4 nothing here",
    "nothing": "",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_refused_at_once_with_the_place(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(DatabaseError, match=r"^x\.dbc"):
        parse_database("x.dbc", text)
    assert time.perf_counter() - start < 5.0


def test_binary_and_huge_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.dbc"
    path.write_bytes(b"\0\1\2")
    with pytest.raises(DatabaseError, match="not text"):
        load_database(path)
    path.write_bytes(b" " * 10_000_001)
    with pytest.raises(DatabaseError, match="10 MB"):
        load_database(path)
