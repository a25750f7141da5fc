"""A person corrects what signals mean: roles, sign, index base; all is derived again."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from odd_bus import INDEXED, NAMELESS, START_NS, frame, nameless_frames, odd_database, odd_frames

from bms_studio.derivation import Derivation
from bms_studio.interpret import Request
from bms_studio.mapping_view import MappingReader, MappingView, SignalRow
from bms_studio.pack.corrections import check_role, with_first_cell, with_role, with_sign
from bms_studio.pack.profile import Profile, load_profile, parse_profile
from bms_studio.pack.profile_file import save_profile
from bms_studio.pack.profile_text import profile_text
from bms_studio.timeline import Event, Timeline
from protocols.by_hand import binding_by_hand
from protocols.frames import Frames
from protocols.roles import PACK_FIELDS, parse_role
from protocols.signals import Message, Signal

FIELDS = [field.name for field in PACK_FIELDS]
FOREVER = 1 << 62


def derived(frames: Frames, text: str | None = None) -> Derivation:
    database = odd_database() if text is None else odd_database(text)
    made = Derivation(Request(databases=(database,)), Timeline())
    for first in range(0, len(frames), 40):
        made.push(frames[first : first + 40])
    return made


def view_of(derivation: Derivation, t: int = FOREVER) -> MappingView:
    return MappingReader().view(
        derivation.meaning,
        derivation.request.databases,
        derivation.profile,
        derivation.monitor.sign,
        derivation.timeline.frames,
        t,
    )


def row(view: MappingView, name: str) -> tuple[SignalRow, float]:
    (at,) = [n for n, r in enumerate(view.rows) if r.name == name]
    return view.rows[at], float(view.values[at])


def newest(derivation: Derivation, field: str) -> float:
    held, _ = derivation.timeline.held("pack", FOREVER)
    return float(held[FIELDS.index(field)])


def test_a_signal_given_a_role_is_converted_by_its_unit_and_everything_is_derived_again() -> None:
    derivation = derived(odd_frames(6))
    before = derivation.timeline.rows("cells")
    assert len(derivation.timeline.columns("cells")) == 3
    derivation.correct(partial(with_role, name="Cells.Alpha", text="cell.4.voltage"))
    derivation.correct(partial(with_role, name="Pack.Warmth", text="probe.1"))
    time, rows = derivation.timeline.raw("cells", 0, FOREVER)
    assert rows.shape[1] == 4
    assert len(time) >= before
    assert time[0] - START_NS < 200_000_000
    np.testing.assert_allclose(rows[~np.isnan(rows[:, 3])][:, 3].max(), 3.703, atol=1e-6)
    probes, _ = derivation.timeline.held("probes", FOREVER)
    assert probes[0] == pytest.approx(25.05, abs=1e-3)
    found, value = row(view_of(derivation), "Cells.Alpha")
    assert (found.role, found.by_hand, found.value_unit) == ("cell.4.voltage", True, "V")
    assert found.why == "by hand, unit mV"
    assert 3.6 < value < 3.71


def test_a_role_goes_and_comes_back() -> None:
    derivation = derived(odd_frames(3))
    automatic = row(view_of(derivation), "Cells.Cell_3_Voltage")[0]
    assert automatic.role == "cell.3.voltage"
    derivation.correct(partial(with_role, name="Cells.Cell_3_Voltage", text="none"))
    assert len(derivation.timeline.columns("cells")) == 2
    assert row(view_of(derivation), "Cells.Cell_3_Voltage")[0].role == "none"
    derivation.correct(partial(with_role, name="Cells.Cell_3_Voltage", text=""))
    assert len(derivation.timeline.columns("cells")) == 3
    assert row(view_of(derivation), "Cells.Cell_3_Voltage")[0] == automatic


def test_who_had_the_role_gives_it_up() -> None:
    derivation = derived(odd_frames(2))
    derivation.correct(partial(with_role, name="Cells.Alpha", text="cell.1.voltage"))
    view = view_of(derivation)
    assert row(view, "Cells.Alpha")[0].role == "cell.1.voltage"
    assert row(view, "Cells.Cell_1_Voltage")[0].role == ""


def test_a_database_whose_names_say_nothing_is_mapped_by_hand() -> None:
    derivation = derived(nameless_frames(2), NAMELESS)
    assert derivation.meaning is None
    view = view_of(derivation)
    assert [r.name for r in view.rows] == ["X1.Alpha", "X1.Beta"]
    assert view.values == pytest.approx([3701, 3.702])
    derivation.correct(partial(with_role, name="X1.Alpha", text="cell.1.voltage"))
    derivation.correct(partial(with_role, name="X1.Beta", text="cell.2.voltage"))
    held, _ = derivation.timeline.held("cells", FOREVER)
    assert held == pytest.approx([3.701, 3.702], abs=1e-6)


def test_a_sign_that_contradicts_agrees_once_it_is_turned() -> None:
    derivation = derived(odd_frames(20))
    assert derivation.monitor.sign.state == "contradicts"
    before = view_of(derivation)
    assert (before.sign.wire, before.sign.state) == ("+discharge", "contradicts")
    assert before.sign.against >= 6
    _, rows = derivation.timeline.raw("pack", 0, FOREVER)
    assert np.nanmin(rows[:, FIELDS.index("current")]) == pytest.approx(-10)
    derivation.correct(partial(with_sign, sign="+charge"))
    _, rows = derivation.timeline.raw("pack", 0, FOREVER)
    assert np.nanmax(rows[:, FIELDS.index("current")]) == pytest.approx(10)
    assert np.nanmin(rows[:, FIELDS.index("current")]) == pytest.approx(0)
    after = view_of(derivation)
    assert (after.sign.wire, after.sign.state) == ("+charge", "agrees")
    assert (after.sign.agree, after.sign.against) == (before.sign.against, before.sign.agree)
    assert not any("sign of current" in note for note in after.notes)
    derivation.correct(partial(with_sign, sign="+discharge"))
    assert derivation.monitor.sign.state == "contradicts"


def test_frames_that_come_later_follow_the_correction() -> None:
    frames = odd_frames(8)
    derivation = derived(frames[:80])
    derivation.correct(partial(with_role, name="Cells.Alpha", text="cell.4.voltage"))
    derivation.push(frames[80:])
    derivation.push(odd_frames(70, START_NS + 8_000_000_000))  # the meaning is settled anew
    assert len(derivation.timeline.columns("cells")) == 4
    held, _ = derivation.timeline.held("cells", FOREVER)
    assert not np.isnan(held).any()


def test_a_gap_stays_a_gap_and_plotted_signals_stay_when_all_is_derived_again() -> None:
    derivation = derived(odd_frames(3))
    derivation.correct(partial(with_role, name="Cells.Alpha", text="cell.4.voltage"))
    (pack,) = [m for m in odd_database().messages if m.name == "Pack"]
    derivation.add_signals(pack)
    derivation.gap(Event(START_NS + 5_000_000_000, "lost"))
    after = odd_frames(6, START_NS + 6_000_000_000)
    derivation.push(after)
    signals = derivation.timeline.rows("signals/Pack")
    time, rows = derivation.timeline.raw("cells", 0, FOREVER)
    derivation.correct(partial(with_sign, sign="+charge"))
    again, rows = derivation.timeline.raw("cells", 0, FOREVER)
    np.testing.assert_array_equal(again, time)
    assert (time == START_NS + 5_000_000_000).any()
    assert np.isnan(rows[again == START_NS + 5_000_000_000]).all()
    assert derivation.timeline.rows("signals/Pack") == signals


def test_after_another_pack_came_only_its_frames_are_derived_again() -> None:
    derivation = derived(odd_frames(4))
    derivation.gap(Event(START_NS + 5_000_000_000, "lost"))
    later = START_NS + 3_600_000_000_000
    other = odd_frames(8, later)
    other.data[other.id == 256, 1::2] += 1  # 256 mV more in every cell: not the same pack
    derivation.push(other)
    assert [e.kind for e in derivation.timeline.events] == ["lost", "pack-changed"]
    derivation.correct(partial(with_sign, sign="+charge"))
    time, _ = derivation.timeline.raw("cells", 0, FOREVER)
    assert time[0] >= later


def test_frames_that_wait_for_a_decision_are_not_mixed_in_by_a_correction() -> None:
    derivation = derived(odd_frames(4))
    derivation.gap(Event(START_NS + 5_000_000_000, "lost"))
    later = START_NS + 3_600_000_000_000
    derivation.push(odd_frames(1, later))
    derivation.correct(partial(with_sign, sign="+charge"))
    time, _ = derivation.timeline.raw("cells", 0, FOREVER)
    assert time[-1] < later


def test_the_index_base_is_stated_by_the_profile() -> None:
    database = odd_database(INDEXED)
    (message,) = database.messages
    derivation = Derivation(Request(databases=(database,)), Timeline())
    for k in range(60):
        at = START_NS + k * 50_000_000
        derivation.push(frame(message, at, Cell_Index=k % 6 + 1, Cell_Voltage=3700 + k % 6))
    assert len(derivation.timeline.columns("cells")) == 6
    view = view_of(derivation)
    assert view.first_cell == 1
    assert "counts from 1" in view.index_note
    derivation.correct(partial(with_first_cell, first=0))
    assert len(derivation.timeline.columns("cells")) == 7
    assert view_of(derivation).first_cell == 0


@pytest.mark.parametrize(
    ("name", "role", "sentence"),
    [
        ("Cells.Alpha", "cell.volts", "is not a role: write cell.12.voltage"),
        ("Cells.Alpha", "pack.sox", "pack has voltage, current"),
        ("Cells.Alpha", "cell.99999.voltage", "go up to 1000"),
        ("Cells.Omega", "cell.1.voltage", "No database has a signal Cells.Omega"),
    ],
)
def test_a_wrong_role_is_refused_in_one_sentence(name: str, role: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_role((odd_database(),), name, role)


@pytest.mark.parametrize(
    ("unit", "role", "physical", "canonical"),
    [
        ("mV", "cell.3.voltage", 3712, 3.712),
        ("V", "cell.3.voltage", 3.712, 3.712),
        ("K", "probe.2", 300, 26.85),
        ("°F", "probe.2", 77, 25),
        ("%", "pack.soc", 80, 0.8),
        ("mA", "pack.current", -1500, -1.5),
        ("mAh", "pack.full_ah", 31000, 31),
        ("", "pack.cycles", 12, 12),
        ("rpm", "pack.voltage", 48, 48),
    ],
)
def test_units_become_canonical(unit: str, role: str, physical: float, canonical: float) -> None:
    scale = 0.001 if unit == "V" else 1.0
    signal = Signal("S", 0, 16, scale=scale, unit=unit, signed=physical < 0)
    binding = binding_by_hand(Message("M", 1, 8, (signal,)), signal, parse_role(role))
    assert physical * binding.factor + binding.shift == pytest.approx(canonical)
    assert ("taken as it is" in binding.why) == (unit == "rpm")


def test_a_profile_says_the_same_after_it_was_written() -> None:
    text = (
        '[pack]\nname = "a \\"b\\" \\u007f 电池"\nseries = 4\ncapacity_ah = 31.5\n'
        'labels = ["A1", "A2"]\nprobes = [{label = "NTC1", cells = [1, 2]}]\nlayout = [[1, 2]]\n'
        "[limits]\ncell_voltage_max = 4.2\n"
        '[protocol]\ndbc = ["odd.dbc"]\ncurrent_sign = "+charge"\nfirst_cell = 0\n'
        '[mapping]\n"Cells.Alpha" = "cell.4.voltage"\n"Pack.Level" = "none"\n'
        '[adapter]\ninterface = "slcan"\nbitrate = 500000\n'
    )
    profile = parse_profile(text)
    written = profile_text(profile)
    again = parse_profile(written)
    assert profile_text(again) == written
    for name in Profile.__dataclass_fields__:
        if name != "text":
            assert getattr(again, name) == getattr(profile, name), name


def test_a_saved_profile_brings_its_databases_and_overwrites_none(tmp_path: Path) -> None:
    (tmp_path / "odd.dbc").write_text("somebody else's", "utf-8")
    profile = with_role(with_sign(Profile(), "+charge"), "Cells.Alpha", "cell.4.voltage")
    database = odd_database()
    target = tmp_path / "pack.toml"
    for _ in range(2):
        save_profile(target, profile, [("../odd.dbc", database.text)])
    loaded = load_profile(target)
    assert loaded.databases == ("odd-2.dbc",)
    assert (tmp_path / "odd-2.dbc").read_bytes().decode() == database.text
    assert (tmp_path / "odd.dbc").read_text("utf-8") == "somebody else's"
    assert loaded.mapping == (("Cells.Alpha", parse_role("cell.4.voltage")),)
    assert loaded.current_sign == "+charge"


def test_a_given_database_that_is_not_in_use_can_still_be_named() -> None:
    """The first database is recognised, the other says nothing by its names."""
    other = odd_database(NAMELESS.replace("256 X1", "258 X1"))
    request = Request(protocol="", databases=(odd_database(), other))
    derivation = Derivation(request, Timeline())
    derivation.push(odd_frames(2))
    (message,) = other.messages
    derivation.push(frame(message, START_NS + 2_000_000_000, Alpha=3698, Beta=3.7))
    assert {r.name for r in view_of(derivation).rows} >= {"X1.Alpha", "Cells.Alpha"}
    derivation.correct(partial(with_role, name="X1.Alpha", text="cell.4.voltage"))
    held, _ = derivation.timeline.held("cells", FOREVER)
    assert held[3] == pytest.approx(3.698, abs=1e-6)


def test_a_profile_that_names_a_signal_of_another_bus_is_noted_not_fatal() -> None:
    profile = with_role(Profile(), "Nowhere.Signal", "cell.9.voltage")
    derivation = Derivation(Request(databases=(odd_database(),), profile=profile), Timeline())
    derivation.push(odd_frames(2))
    assert len(derivation.timeline.columns("cells")) == 3
    assert "profile [mapping]: no database has a signal Nowhere.Signal" in view_of(derivation).notes
