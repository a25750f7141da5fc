"""Databases and profiles that nobody should send: refused or bounded, at once, in one sentence."""

import time
from pathlib import Path

import numpy as np
import pytest

from bms_studio.pack.profile import ProfileError, load_profile, parse_profile
from bms_studio.pipeline import Pipeline
from protocols.dbc import DatabaseError, load_database, parse_database
from protocols.frames import empty_frames
from protocols.mapping import map_database
from protocols.roles import Binding, Mapping, Role

BEGIN = 'VERSION ""\nBU_: A\nBO_ 849 M: 8 A\n SG_ Cell1_Voltage : 0|8@1+ (0.02,0) [0|5] "V" A\n'


@pytest.mark.parametrize("value", ["9" * 1_000_000, "1e999999999", "1E+0999999", "-" + "9" * 5000])
def test_a_number_that_takes_gigabytes_to_become_one_is_refused_at_once(value: str) -> None:
    text = BEGIN + f'BA_DEF_ BO_ "Cycle" INT 0 1;\nBA_ "Cycle" BO_ 849 {value};\n'
    begun = time.perf_counter()
    with pytest.raises(DatabaseError, match="line 6: a number beyond all bounds") as caught:
        parse_database("x.dbc", text)
    assert time.perf_counter() - begun < 2
    assert len(str(caught.value)) < 200


def test_the_same_digits_inside_a_comment_harm_nobody() -> None:
    text = BEGIN + 'CM_ SG_ 849 Cell1_Voltage "see part 1e99999 and id 0x18E50012";\n'
    assert parse_database("x.dbc", text).message("M").signal("Cell1_Voltage")


def test_cells_with_absurd_numbers_are_counted_instead() -> None:
    signals = "".join(
        f' SG_ Cell{n}_Voltage : {8 * k}|8@1+ (0.02,0) [0|5] "V" A\n'
        for k, n in enumerate((1, 2, 3, 999_999_999))
    )
    database = parse_database("x.dbc", 'VERSION ""\nBU_: A\nBO_ 849 M: 8 A\n' + signals)
    mapping = map_database([database])
    assert [b.role.number for b in mapping.bindings] == [1, 2, 3, 4]
    frames = empty_frames(100)
    frames.time[:], frames.id[:], frames.length[:] = np.arange(100) * 10**8, 849, 8
    frames.data[:] = 180
    (rows, *_) = Pipeline([database], mapping).push(frames)
    assert rows.scans.rows.shape[1] == 4


def test_a_mapping_from_elsewhere_cannot_ask_for_a_billion_columns() -> None:
    database = parse_database("x.dbc", BEGIN)
    roles = (Role("cell", 10**9), Role("cell", 1, pack=10**9))
    bindings = tuple(Binding("M", "Cell1_Voltage", role) for role in roles)
    assert not Pipeline([database], Mapping("x", bindings)).scanners


def test_a_message_without_a_name_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.kcd"
    path.write_text(
        '<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0"><Document name="x"/>'
        '<Bus name="b"><Message id="0x351" length="8"><Signal offset="0" length="8" name="a"/>'
        "</Message></Bus></NetworkDefinition>"
    )
    with pytest.raises(DatabaseError, match="without a name"):
        load_database(path)


@pytest.mark.parametrize(
    "text",
    [
        "[pack]\nseries = " + "9" * 5000,
        "[pack]\nseries = 999999999999",
        "[pack]\nseries = inf",
        "[pack]\nlayout = [[1, 2], [3, 99999999]]",
        '[pack]\nprobes = [{label = "a", cells = [-1]}]',
        '[mapping]\n"M.S" = "cell.1000000000.voltage"',
        '[mapping]\n"M.S" = "pack999999.cell.1.voltage"',
        "[pack]\n" + "A" * 300_000 + " = 1",
        "[" * 5000,
        "a = " + "[" * 5000,
        "[limits]\ncell_voltage_min = []",
        "pack = 3",
        "[pack]\nlabels = 3",
    ],
)
def test_a_hostile_profile_is_one_short_sentence(text: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "x.toml")
    words = str(caught.value)
    assert len(words) < 500
    assert words.startswith("x.toml")


def test_a_profile_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(ProfileError, match="more than 1 MB"):
        load_profile(path)
