"""A pack of which nothing is stated: its family from the voltages, differences judged, all said."""

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bms_studio.analysis.basis import Known, differs, settle
from bms_studio.analysis.contract import Settings
from bms_studio.analysis.differences import mixed
from bms_studio.analysis.document import document, lines
from bms_studio.analysis.kind_words import kind_words
from bms_studio.analysis.run import Analysed, Table, analyse, chunks
from bms_studio.estimators.contract import Samples
from bms_studio.estimators.model import cell_model
from bms_studio.history import from_json, to_json
from bms_studio.pack.chemistry import load_chemistry, own_chemistry
from bms_studio.pack.kin import OXIDES, Kin, kin_of
from bms_studio.pack.profile import Profile
from protocols.roles import PACK_FIELDS
from tests.estimator_parts import ride, ride_current

CAPACITY_AH, CELLS, SMALL, LEAKING = 5.0, 10, 3, 7
STRETCH = 20  # so many samples make a row of half a minute below


def _day(shares: dict[str, float], high: float, low: float, seconds: int = 9000) -> Samples:
    """A ride from `high` to `low`, a rest and the charge back, of cells whose curve lies between
    tables; one cell holds 6 % less, one loses 20 mA."""
    soc = load_chemistry("NMC").soc
    curve = sum(share * load_chemistry(name).ocv_v for name, share in shares.items())
    chemistry = own_chemistry(soc, np.asarray(curve), "a test", like=next(iter(shares)))
    model = cell_model(chemistry, CAPACITY_AH)
    out = ride_current(seconds, np.random.default_rng(5), 3.0)
    out *= (high - low) * CAPACITY_AH * 3600 / out.sum()
    back = np.full(int((high - low) * 3600 / 0.4), -0.4 * CAPACITY_AH)
    current = np.concatenate([np.zeros(600), out, np.zeros(900), back, np.zeros(1800)])
    smaller, leak = np.zeros(CELLS), np.zeros(CELLS)
    smaller[SMALL - 1], leak[LEAKING - 1] = 0.06, 0.020
    rng = np.random.default_rng(11)
    return ride(
        model,
        CELLS,
        len(current),
        high,
        imbalance=0.002 * rng.standard_normal(CELLS),
        extra_ohm=0.0003 * rng.standard_normal(CELLS),
        smaller=smaller,
        leak_a=leak,
        current_a=current,
    )


@cache
def between() -> Samples:
    """Of no maker whose table was published."""
    return _day({"NMC": 0.5, "LCO": 0.5}, 0.9, 0.3)


def rows(day: Samples, part: slice = slice(None)) -> Any:
    """Time, median cell and current in rows of some half a minute."""
    count = len(day) // STRETCH * STRETCH
    volts = np.median(day.cells_v, axis=1)[:count].reshape(-1, STRETCH).mean(axis=1)
    amps = np.asarray(day.current_a)[:count].reshape(-1, STRETCH).mean(axis=1)
    return (np.arange(len(volts)) * float(STRETCH))[part], volts[part], amps[part]


def analysed(day: Samples, profile: Profile) -> Analysed:
    def pack_rows(i: int, j: int) -> tuple[NDArray[Any], None]:
        table = np.full((j - i, len(PACK_FIELDS)), np.nan, np.float32)
        table[:, [f.name for f in PACK_FIELDS].index("current")] = day.current_a[i:j]
        return table, None

    given = [
        Table(1, "cell", day.time_ns, CELLS, lambda i, j: (day.cells_v[i:j], None)),
        Table(1, "pack", day.time_ns, len(PACK_FIELDS), pack_rows),
    ]
    return analyse(lambda: chunks(given), Settings(), {1: profile})


@pytest.fixture(scope="module")
def nothing() -> Analysed:
    return analysed(between(), Profile())


def test_an_unpublished_curve_is_an_oxide_and_its_capacity_holds_the_truth() -> None:
    kin = kin_of(*rows(between()))
    assert kin.family == "oxide"
    assert math.isclose(sum(table[1] for table in kin.tables), 1.0, abs_tol=0.01)
    size, sigma = kin.of(OXIDES).capacity
    assert abs(math.log(size / CAPACITY_AH)) < 2.5 * sigma
    assert sigma > 0.03


@pytest.mark.parametrize(("high", "low"), [(0.97, 0.1), (0.6, 0.2)])
def test_an_lfp_pack_is_never_an_oxide(high: float, low: float) -> None:
    assert kin_of(*rows(_day({"LFP": 1.0}, high, low))).family == ""


def test_an_hour_at_one_charge_and_a_turned_current_say_nothing() -> None:
    time, volts, amps = rows(between())
    assert kin_of(time[:90], volts[:90], amps[:90]) == Kin()
    assert kin_of(time, volts, -amps).family == ""
    with pytest.raises(ValueError, match="one value per sample"):
        kin_of(time, volts[:-1], amps)


def test_with_nothing_stated_the_odd_cells_are_found_and_the_guess_is_said(
    nothing: Analysed,
) -> None:
    told = nothing.run.packs[1]
    basis, health = told.basis, told.health[-1]
    assert (basis.chemistry, basis.family) == ("", "oxide")
    assert basis.table in OXIDES
    assert f"basis.oxide_{basis.table.lower()}" in basis.notes
    lacking, leak = health.values("capacity_difference"), health.values("leak_a")
    assert int(np.nanargmin(lacking)) == SMALL - 1
    assert lacking[SMALL - 1] - np.nanmedian(lacking) == pytest.approx(-0.06, abs=0.02)
    assert int(np.nanargmax(leak)) == LEAKING - 1
    assert leak[LEAKING - 1] - np.nanmedian(leak) == pytest.approx(0.020, abs=0.006)
    assert health.family == "oxide"
    assert (health.chemistry, from_json(to_json(health)).family) == ("", "oxide")
    verdict = told.verdict
    assert verdict is not None
    assert ("check.chemistry", {"why": "why.family_oxide"}) in verdict.not_checked
    assert health.needs["soh_capacity"] == "need.chemistry", "a person is still asked"


def test_document_and_lines_say_what_it_was_judged_as(nothing: Analysed) -> None:
    analysis = nothing.run.analysis()
    assert analysis is not None
    pack = document([analysis])["pack"]
    assert (pack["chemistry"], pack["family"]) == (None, "oxide")
    assert 0 < pack["table_confidence"] <= 1
    assert pack["table"] in kind_words(analysis.basis)
    told = "\n".join(lines([analysis]))
    assert f"unnamed 4.2 V oxide, likeliest {pack['table']}" in told
    assert "chemistry: unknown, judged as a 4.2 V oxide: state it" in told


def test_a_rough_capacity_scales_differences_and_tells_no_ampere_hours() -> None:
    tables = (("NMC", 0.6, 5.0, 0.1), ("LCO", 0.4, 3.4, 0.1))
    ground = settle(Settings(), Profile(), Known(kin=Kin("oxide", tables)))
    assert ground.rough
    assert math.isnan(ground.basis.capacity_ah)
    sizes = [model.capacity_ah for _, model in ground.others]
    # The other table, and the likeliest with more and with less, as sure as its capacity is.
    assert sizes == pytest.approx([3.4, 5.0 * math.exp(3**0.5 * 0.1), 5.0 / math.exp(3**0.5 * 0.1)])
    known = settle(Settings(capacity_ah=4.0), Profile(), Known(kin=Kin("oxide", tables)))
    assert [model.capacity_ah for _, model in known.others] == [4.0]
    assert not known.rough
    assert ground.table_sigma[50] > 0.02, "SOC is no surer than the tables agree"
    assert sum(rival.belief for rival in ground.model.rivals) < 0.5
    # The label of a person makes it one table again.
    stated = settle(Settings(chemistry="NMC"), Profile(), Known(kin=Kin("oxide", tables)))
    assert (stated.basis.family, stated.others, stated.rough) == ("", (), False)
    assert differs(stated, ground)


def test_sigma_holds_what_the_tables_disagree_by() -> None:
    one = {name: np.array([0.0, -0.05]) for name in ("capacity", "leak_a", "offset_v")}
    one |= {f"{name}_sigma": np.array([0.01, 0.01]) for name in ("capacity", "leak_a", "offset_v")}
    other = {**one, "capacity": np.array([0.0, -0.09])}
    found = mixed([one, other], [1.0, 1.0])
    assert found["capacity"] == pytest.approx([0.0, -0.07])
    assert found["capacity_sigma"] == pytest.approx([0.01, math.hypot(0.01, 0.02)])
    assert mixed([one], [1.0]) is one


def test_the_table_in_use_goes_on_unless_another_is_clearly_likelier() -> None:
    before = Kin("oxide", (("NMC", 0.6, 5.0, 0.1), ("NCA", 0.4, 4.8, 0.1)))
    toss_up = Kin("oxide", (("NCA", 0.55, 4.8, 0.1), ("NMC", 0.45, 5.0, 0.1)))
    assert toss_up.after(before).tables[0][0] == "NMC"
    clear = Kin("oxide", (("NCA", 0.8, 4.8, 0.1), ("NMC", 0.2, 5.0, 0.1)))
    assert clear.after(before) == clear


@pytest.mark.parametrize(
    ("truth", "stated", "note"), [("LFP", "NMC", "lfp"), ("NMC", "LFP", "oxide")]
)
def test_a_chemistry_that_the_voltages_exclude_is_contradicted_and_not_used(
    truth: str, stated: str, note: str
) -> None:
    day = _day({truth: 1.0}, 0.95, 0.2)
    told = analysed(day, Profile(chemistry=stated, capacity_ah=CAPACITY_AH)).run.packs[1]
    assert f"basis.against_{note}" in told.basis.notes
    health = told.health[-1]
    assert np.isnan(health.values("soc")).all()
    assert health.needs["leak_a"] == "need.chemistry_contradicts"
    assert told.verdict is not None
    assert told.verdict.code != "OK"


def test_a_table_of_another_family_is_said_and_the_person_s_word_holds() -> None:
    day = _day({"LMO": 1.0}, 0.95, 0.2)
    told = analysed(day, Profile(chemistry="NMC", capacity_ah=CAPACITY_AH)).run.packs[1]
    assert told.basis.chemistry == "NMC"
    assert {"basis.against_lmo", "basis.nearer_lmo"} & set(told.basis.notes)
    assert np.isfinite(told.health[-1].values("soc")).all()
    right = analysed(day, Profile(chemistry="LMO", capacity_ah=CAPACITY_AH)).run.packs[1]
    assert not [note for note in right.basis.notes if "against" in note]
