"""Names that nobody wrote down for us: generated conventions map every cell, and nothing else.

Precision before recall: a look-alike that becomes a cell is worse than a cell that must be given
its role by hand. Words, order, marks, bases, units and scripts are drawn at random.
"""

import string
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.dbc import parse_database
from protocols.mapping import map_database
from protocols.roles import Mapping
from protocols.signals import Database

HEAD = 'VERSION ""\nBS_:\nBU_: B\n'
PER_MESSAGE = 4


def database(names: list[str], unit: str, scale: str, others: tuple[str, ...] = ()) -> Database:
    """Four names to a message of 16-bit numbers; `others` in messages of their own."""
    lines = []
    for first in range(0, len(names), PER_MESSAGE):
        lines.append(f"BO_ {0x100 + first} M_{chr(65 + first // PER_MESSAGE)}x: 8 B")
        for k, name in enumerate(names[first : first + PER_MESSAGE]):
            lines.append(f' SG_ {name} : {16 * k}|16@1+ ({scale},0) [0|0] "{unit}" B')
    for k, name in enumerate(others):
        lines.append(f"BO_ {0x400 + k} Other{k}: 8 B")
        lines.append(f' SG_ {name} : 0|16@1+ ({scale},0) [0|0] "{unit}" B')
    return parse_database("t.dbc", HEAD + "\n".join(lines) + "\n")


def cells(mapping: Mapping) -> dict[int, str]:
    return {b.role.number: b.signal for b in mapping.bindings if b.role.kind == "cell"}


PAIRS = [
    ("Cell", "Voltage"),
    ("cell", "voltage"),
    ("CELL", "VOLT"),
    ("cell", "volts"),
    ("Cell", "Vtg"),
    ("Brick", "Voltage"),
    ("Zelle", "Spannung"),
    ("Zell", "Spannung"),
    ("Cellule", "Tension"),
    ("celda", "voltaje"),
    ("cella", "tensione"),
    ("单体", "电压"),
    ("电芯", "电压"),
    ("セル", "電圧"),
    ("DanTi", "DianYa"),
]
ORDERS: list[Callable[[str, str, str, str], str]] = [
    lambda p, c, v, n: f"{p}{c}_{n}_{v}",
    lambda p, c, v, n: f"{p}{c}_{v}_{n}",
    lambda p, c, v, n: f"{p}{c}{n}_{v}",
    lambda p, c, v, n: f"{p}{v}_{c}_{n}",
    lambda p, c, v, n: f"{p}{v}_{c}{n}",
    lambda p, c, v, n: f"{p}{c}_{n}{v}" if n.isdigit() else f"{p}{c}_{v}_{n}",
]
PREFIXES = ["", "BMS_", "bms_", "HVB_", "BMU_", "Batt_", "AFE_"]
UNITS = [("mV", "1"), ("V", "0.001"), ("V", "0.0001"), ("", "0.001"), ("", "1")]
LOOK_ALIKES = [
    "Max_{c}_{v}",
    "Min_{c}_{v}",
    "{c}_{v}_Avg",
    "{c}_{v}_Delta",
    "{c}_{v}_Limit",
    "{c}_Temp_{v}",
]
convention = st.tuples(
    st.sampled_from(PAIRS),
    st.sampled_from(ORDERS),
    st.sampled_from(PREFIXES),
    st.sampled_from(UNITS),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(convention, st.integers(2, 40), st.integers(0, 1), st.integers(1, 3))
def test_numbered_cells_of_any_convention_are_all_found_and_counted_from_one(
    drawn: tuple[tuple[str, str], Callable[[str, str, str, str], str], str, tuple[str, str]],
    count: int,
    base: int,
    width: int,
) -> None:
    (cell, volt), order, prefix, (unit, scale) = drawn
    names = [order(prefix, cell, volt, f"{n + base:0{width}d}") for n in range(count)]
    others = tuple(form.format(c=cell, v=volt) for form in LOOK_ALIKES)
    mapping = map_database([database(names, unit, scale, others)])
    first = 1 if base == 0 or count == 1 else base
    assert cells(mapping) == {n + first: name for n, name in enumerate(names)}
    factors = {b.factor for b in mapping.bindings if b.role.kind == "cell"}
    assert {f * float(scale) for f in factors} <= {0.001, 0.0001}


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    convention,
    st.integers(2, 5),
    st.integers(3, 18),
    st.sampled_from(["{m}_{c}", "M{m}_C{c}", "B{m}_S{c:02d}", "{m:02d}_{c:02d}"]),
    st.integers(0, 1),
)
def test_module_and_cell_in_one_name_count_on_through_the_modules(
    drawn: tuple[tuple[str, str], Callable[[str, str, str, str], str], str, tuple[str, str]],
    modules: int,
    per_module: int,
    form: str,
    base: int,
) -> None:
    (cell, volt), _, prefix, (unit, scale) = drawn
    names = [
        f"{prefix}{cell}_{volt}_{form.format(m=m + base, c=c + base)}"
        for m in range(modules)
        for c in range(per_module)
    ]
    mapping = map_database([database(names, unit, scale)])
    assert cells(mapping) == {n + 1: name for n, name in enumerate(names)}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(convention, st.integers(2, 26))
def test_letters_count_as_numbers(
    drawn: tuple[tuple[str, str], Callable[[str, str, str, str], str], str, tuple[str, str]],
    count: int,
) -> None:
    (cell, volt), _, prefix, (unit, scale) = drawn
    names = [f"{prefix}{cell}_{volt}_{letter}" for letter in string.ascii_uppercase[:count]]
    mapping = map_database([database(names, unit, scale)])
    assert cells(mapping) == {n + 1: name for n, name in enumerate(names)}


NOT_CELLS = [
    "Max_{c}_{v}_{n}",
    "{c}_{v}_Max_{n}",
    "{c}_{v}_Threshold_{n}",
    "{c}_{v}_Setpoint_{n}",
    "{c}_{n}_{v}_Limit",
    "{c}_{n}_Resistance",
    "{c}_{n}_OpenVoltage",
    "{c}_{n}_{v}_invalidFlag",
    "{c}_{n}_{v}_Fault",
    "Motor_{v}_{n}",
    "Charger_{v}_{n}",
    "Phase_{v}_{n}",
    "{c}_{n}_Current",
    "{c}_{n}_SOC",
    "Module_{v}_{n}",
    "TPMS_{v}_{n}",
    "{c}_{v}_Avg_{n}",
    "{c}_{n}_{v}_CRC",
    "{c}_{n}_{v}_Cmd",
]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    st.sampled_from(NOT_CELLS),
    st.sampled_from(PAIRS),
    st.sampled_from(UNITS),
    st.integers(2, 20),
    st.sampled_from(PREFIXES),
)
def test_look_alikes_never_become_cells(
    form: str, pair: tuple[str, str], unit: tuple[str, str], count: int, prefix: str
) -> None:
    cell, volt = pair
    names = [prefix + form.format(c=cell, v=volt, n=n + 1) for n in range(count)]
    assert cells(map_database([database(names, *unit)])) == {}


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["单体温度{n}", "Zelltemperatur_{n}", "CellTemp{n}", "NTC_{n}", "Temp_Cell_{n}"], "probe"),
        (["单体均衡{n}", "Cell_{n}_Balancing", "BalanceCell{n}", "Shunt_Cell_{n}"], "balancing"),
    ],
)
def test_probes_and_balancing_are_found_by_the_same_words(names: list[str], kind: str) -> None:
    for form in names:
        listed = [form.format(n=n) for n in range(1, 9)]
        bits, unit = (8, "degC") if kind == "probe" else (1, "")
        lines = ["BO_ 9 BMS_Values: 8 B"]
        for k, name in enumerate(listed):
            lines.append(f' SG_ {name} : {bits * k}|{bits}@1- (1,0) [0|0] "{unit}" B')
        mapping = map_database([parse_database("t.dbc", HEAD + "\n".join(lines) + "\n")])
        found = {b.role.number: b.signal for b in mapping.bindings if b.role.kind == kind}
        assert found == {n + 1: name for n, name in enumerate(listed)}, form


def test_extremes_in_chinese_are_the_packs_own_and_no_cells() -> None:
    names = ["最高单体电压", "最低单体电压", "总电压", "总电流", "荷电状态"]
    units = ["mV", "mV", "V", "A", "%"]
    scales = ["1", "1", "0.1", "0.1", "0.1"]
    lines = ["BO_ 9 电池状态: 10 B"]
    for k, (name, unit, scale) in enumerate(zip(names, units, scales, strict=True)):
        lines.append(f' SG_ {name} : {16 * k}|16@1+ ({scale},0) [0|0] "{unit}" B')
    mapping = map_database([parse_database("t.dbc", HEAD + "\n".join(lines) + "\n")])
    assert {b.role.field: b.signal for b in mapping.bindings} == {
        "cell_voltage_max": "最高单体电压",
        "cell_voltage_min": "最低单体电压",
        "voltage": "总电压",
        "current": "总电流",
        "soc": "荷电状态",
    }


def test_names_in_other_scripts_keep_their_letters_choices_and_comments() -> None:
    text = HEAD + (
        'BO_ 9 电池: 8 B\n SG_ 状态 : 0|8@1+ (1,0) [0|0] "" B\n'
        'CM_ SG_ 9 状态 "说明";\nVAL_ 9 状态 0 "静置" 1 "充电" ;\n'
    )
    signal = parse_database("t.dbc", text).message("电池").signal("状态")
    assert (signal.choices, signal.comment) == ({0: "静置", 1: "充电"}, "说明")


def test_bare_c_and_a_number_are_cells_only_where_many_stand_together_in_volts() -> None:
    for count, unit, expected in ((12, "mV", 12), (3, "mV", 0), (12, "", 0)):
        names = [f"C{n}_Voltage" for n in range(1, count + 1)]
        assert len(cells(map_database([database(names, unit, "1")]))) == expected
