"""A person's profile keeps comments, order and spelling when a correction changes a few words."""

from pathlib import Path

import pytest

from bms_studio.pack.corrections import with_first_cell, with_role, with_sign
from bms_studio.pack.profile import parse_profile
from bms_studio.pack.profile_edit import edited_text
from bms_studio.pack.profile_file import save_profile

WRITTEN = """# Our test bench, pack 7
[pack]
name = "Bench 7"   # painted blue
series = 14
layout = [
    [1, 2, 3, 4, 5, 6, 7],  # front
    [14, 13, 12, 11, 10, 9, 8],
]

[protocol]
# exported on Monday
dbc = ["pack.dbc"]  # the good one
current_sign = "+charge"  # as measured with the clamp

[mapping]
# the shunt on the left
'BMS.Strom' = "pack.current"  # not the other one
"BMS.T1" = "probe.1"

[adapter]
bitrate = 250000
"""


def test_a_changed_sign_touches_one_word() -> None:
    after = with_sign(parse_profile(WRITTEN), "+discharge").text
    assert after == WRITTEN.replace('"+charge"  #', '"+discharge"  #')


def test_a_new_role_is_added_behind_the_others_and_a_forgotten_one_goes() -> None:
    profile = with_role(parse_profile(WRITTEN), "BMS.T2", "probe.2")
    added = WRITTEN.replace('"probe.1"\n', '"probe.1"\n"BMS.T2" = "probe.2"\n')
    assert profile.text == added
    assert with_role(profile, "BMS.T2", "").text == WRITTEN


def test_a_role_in_single_quotes_is_changed_where_it_stands() -> None:
    after = with_role(parse_profile(WRITTEN), "BMS.Strom", "none").text
    assert after == WRITTEN.replace('= "pack.current"  #', '= "none"  #')


def test_what_is_missing_gets_a_place_of_its_own() -> None:
    after = with_first_cell(parse_profile('[pack]\nname = "X"  # mine\n'), 1).text
    assert after == '[pack]\nname = "X"  # mine\n\n[protocol]\nfirst_cell = 1\n'
    assert parse_profile(after).first_cell == 1


@pytest.mark.parametrize(
    "odd",
    [
        'protocol = { name = "vesc" }\n',  # an inline table
        "[protocol]\ndbc = [\n  \"a.dbc\",\n]\ncurrent_sign = '''+charge'''\n",
        '[ protocol ]\ncurrent_sign = "+charge"\n',
        '[protocol]\n"current_sign" = "+charge"\n',
    ],
)
def test_however_it_is_written_the_meaning_is_right(odd: str) -> None:
    before = parse_profile(odd)
    after = with_role(with_sign(before, "+discharge"), "A.B", "cell.3.voltage")
    read = parse_profile(after.text)
    assert (read.current_sign, read.mapping) == (after.current_sign, after.mapping)
    assert (read.protocol, read.databases) == (before.protocol, before.databases)


def test_saving_keeps_the_comments_and_names_the_databases_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "pack.toml"
    save_profile(target, parse_profile(WRITTEN), [("other.dbc", 'VERSION ""\n')])
    assert target.read_text("utf-8") == WRITTEN.replace('["pack.dbc"]', '["other.dbc"]')


def test_a_profile_that_nobody_wrote_is_written_plainly() -> None:
    profile = with_sign(parse_profile(""), "+charge")
    assert profile.text == '[protocol]\ncurrent_sign = "+charge"\n'
    assert edited_text(profile) == profile.text
