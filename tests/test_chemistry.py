"""The chemistries' tables, and tables that a person hands over."""

import numpy as np
import pytest

from benchmarks import ocv_tables
from bms_studio.estimators.model import cell_model
from bms_studio.pack.chemistry import CUSTOM, NAMES, chemistry_from_csv, load_chemistry


@pytest.mark.parametrize("name", NAMES)
def test_a_chemistry_has_all_that_a_cell_model_needs(name: str) -> None:
    chemistry = load_chemistry(name)
    assert (
        chemistry.soc.shape == chemistry.ocv_v.shape == chemistry.entropic_v_per_k.shape == (101,)
    )
    assert np.all(np.diff(chemistry.ocv_v) > 0)
    assert np.all(np.abs(chemistry.entropic_v_per_k) < 0.001)
    assert "J. Electrochem. Soc." in chemistry.citation
    assert chemistry.licence
    assert 0.005 < chemistry.sigma_ocv_v < 0.04
    model = cell_model(chemistry, 5.0)
    middle = model.plateau[25:95].mean()
    assert middle > 0.5 if chemistry.family == "LFP" else middle < 0.5
    with pytest.raises(ValueError, match="read-only"):
        chemistry.ocv_v[0] = 1.0


@pytest.mark.parametrize(("file", "cell"), sorted(ocv_tables.CELLS.items()))
def test_the_tables_are_what_the_published_functions_say(file: str, cell: ocv_tables.Cell) -> None:
    name = file.upper().replace("_", "-")
    ocv, entropic = cell.table()
    np.testing.assert_allclose(load_chemistry(name).ocv_v, ocv, atol=6e-6)
    np.testing.assert_allclose(load_chemistry(name).entropic_v_per_k, entropic, atol=6e-8)


def table(header: str = "soc,ocv_v", scale: float = 1.0, rows: int = 11) -> str:
    z = np.linspace(0, 1, rows)
    ocv = np.interp(z, load_chemistry("LFP").soc, load_chemistry("LFP").ocv_v)
    lines = [f"{scale * a:g},{b:.4f}" for a, b in zip(z, ocv, strict=True)]
    return "\n".join([header, *reversed(lines)])


def test_an_own_table_of_any_number_of_rows_becomes_a_chemistry() -> None:
    for text in (
        table(),
        table(scale=100.0, rows=401),
        table("SOC;Voltage [V]").replace(",", ";").replace(".", ","),
    ):
        own = chemistry_from_csv(text, "table.csv")
        assert own.name == CUSTOM
        assert own.family == "LFP"
        assert own.hysteresis_v == load_chemistry("LFP").hysteresis_v
        assert own.soc.shape == own.ocv_v.shape == (101,)
        assert own.ocv_v[50] == pytest.approx(load_chemistry("LFP").ocv_v[50], abs=0.003)
        assert own.sigma_ocv_v < load_chemistry("LFP").sigma_ocv_v
        cell_model(own, 2.3)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "no columns soc and ocv_v"),
        ("soc,ocv_v\n0,3.0\n1,4.2\n", "at least 3"),
        ("soc,ocv_v\n0,3.0\n0.5,x\n1,4.2\n", "line 3"),
        ("soc,ocv_v\n0,3.0\n0.5,nan\n1,4.2\n", "no number"),
        ("soc,ocv_v\n0,3.0\n0.5,3.6\n0.5,3.7\n1,4.2\n", "twice"),
        ("soc,ocv_v\n0,3.0\n0.2,3.6\n0.4,4.2\n", "at least half"),
        ("soc,ocv_v\n0,3000\n0.5,3600\n1,4200\n", "volts of one cell"),
        ("soc,ocv_v\n0,4.2\n0.5,3.6\n1,3.0\n", "must rise"),
        ("soc,ocv_v\n0,3.6\n0.5,3.6\n1,3.6\n", "flat"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        chemistry_from_csv(text, "mine.csv")
    assert str(caught.value).startswith("mine.csv")
