"""Chemistries: open-circuit voltage over state of charge, and what is usual for a cell.

Reads the tables in `resources/chemistry` (citations and licence in the README there) and tables
that a person hands over as text. No pack, no measurement and no estimator enters here.
"""

import csv
import math
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = ("NMC", "NCA", "LFP", "LCO", "LMO", "NMC532", "NCA-C6", "LFP-SI")
CUSTOM = "CUSTOM"
# An own table on this cell, from a slow charge and discharge: what rate, age and temperature leave
# of it (E2 against its own rests: 4 mV above half charge, 20 mV below, as diffusion is slow there).
OWN_SIGMA_V = 0.008
LEAST_V, MOST_V = 1.0, 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Chemistry:
    """A cell chemistry at 25 degC.

    soc: float64[101], 0..1; ocv_v: float64[101], rising, V; voltages in V per cell, temperatures
    in degC (temperature_min/max for discharge, charge_temperature_min/max for charge); citation:
    where the curve was published. The arrays are read-only.

    entropic_v_per_k: float64[101], zero where not known; family: chemistries that differ too little
    for a recognition to insist on one; resistance_v: usual 10 s resistance times capacity;
    hysteresis_v, its sigma and activation energy; sigma_ocv_v: how far another maker's cell is from
    the table; plateaus: bands of SOC in which voltage hardly tells it.
    """

    name: str
    soc: NDArray[np.float64]
    ocv_v: NDArray[np.float64]
    cell_voltage_min: float
    cell_voltage_max: float
    temperature_min: float
    temperature_max: float
    charge_temperature_min: float
    charge_temperature_max: float
    citation: str
    entropic_v_per_k: NDArray[np.float64]
    family: str
    resistance_v: float
    hysteresis_v: float
    sigma_hysteresis_v: float
    activation_j_per_mol: float
    hysteresis_j_per_mol: float
    sigma_ocv_v: float
    plateaus: tuple[tuple[float, float], ...]
    licence: str


@cache
def load_chemistry(name: str) -> Chemistry:
    """The chemistry called `name`, one of NAMES; case does not matter.

    Raises ValueError naming the known chemistries for any other name.
    """
    key = name.strip().upper()
    if key not in NAMES:
        raise ValueError(f"no chemistry is called '{name}': known are {', '.join(NAMES)}")
    folder = files("resources").joinpath("chemistry")
    stated: dict[str, Any] = tomllib.loads(
        folder.joinpath("chemistries.toml").read_text(encoding="utf-8")
    )[key]
    text = folder.joinpath(stated.pop("table")).read_text(encoding="utf-8")
    rows = np.array([[float(v) for v in row] for row in csv.reader(text.splitlines()[1:])]).T
    table = np.ascontiguousarray(rows, np.float64)
    table.setflags(write=False)
    stated["plateaus"] = tuple((low, high) for low, high in stated["plateaus"])
    return Chemistry(key, table[0], table[1], entropic_v_per_k=table[2], **stated)


def family_of(name: str) -> str:
    """The family of a known chemistry, the name itself for any other."""
    key = name.strip().upper()
    return load_chemistry(key).family if key in NAMES else key


def chemistry_from_csv(text: str, source: str, like: str = "") -> Chemistry:
    """A person's own table: a header with `soc` and `ocv_v` (or `ocv`, `voltage`, …), then any
    number of rows from 3 on, SOC as 0..1 or per cent, in any order, comma or semicolon.

    source: what the sentence of an error calls it. like: a chemistry of NAMES whose limits and
    usual values hold; "": the one whose curve is nearest. Raises ValueError with one sentence.
    """
    soc, ocv_v = _read_rows(text, source)
    return own_chemistry(soc, ocv_v, source, like)


def own_chemistry(
    soc: NDArray[np.float64], ocv_v: NDArray[np.float64], source: str, like: str = ""
) -> Chemistry:
    """A chemistry from a measured curve, (M,) SOC 0..1 rising and V; see `chemistry_from_csv`."""
    _check_rows(soc, ocv_v, source)
    grid = np.linspace(0.0, 1.0, 101)
    table = _straightened(np.interp(grid, soc, ocv_v))
    # Beyond the rows the last slope goes on, so that a table from 5 to 100 % still ends somewhere.
    first = np.polyfit(soc[:2], ocv_v[:2], 1)
    table[grid < soc[0]] = np.maximum(np.polyval(first, grid[grid < soc[0]]), LEAST_V)
    last = np.polyfit(soc[-2:], ocv_v[-2:], 1)
    table[grid > soc[-1]] = np.minimum(np.polyval(last, grid[grid > soc[-1]]), MOST_V)
    table = _straightened(table)
    usual = load_chemistry(like) if like else nearest(table)
    table.setflags(write=False)
    return replace(
        usual,
        name=CUSTOM,
        ocv_v=table,
        sigma_ocv_v=OWN_SIGMA_V,
        citation=source,
        licence="",
        family=usual.family,
    )


def nearest(ocv_v: NDArray[np.float64]) -> Chemistry:
    """The known chemistry whose curve is nearest between 10 and 90 % (101 points, V)."""
    rows = slice(10, 91)

    def apart(name: str) -> float:
        return float(np.mean((load_chemistry(name).ocv_v[rows] - ocv_v[rows]) ** 2))

    return load_chemistry(min(NAMES, key=apart))


def _straightened(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rising everywhere, by at least a hundredth of a millivolt per point."""
    return np.asarray(np.maximum.accumulate(table - 1e-5 * np.arange(101)), np.float64) + (
        1e-5 * np.arange(101)
    )


def _read_rows(text: str, source: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lines = [line for line in text.lstrip("\ufeff").splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{source} is empty: give a table with the columns soc and ocv_v")
    separator = ";" if ";" in lines[0] else "\t" if "\t" in lines[0] else ","
    names = [name.strip().strip('"').lower() for name in lines[0].split(separator)]
    at_soc = [i for i, n in enumerate(names) if n.startswith(("soc", "state"))]
    at_ocv = [i for i, n in enumerate(names) if n.startswith(("ocv", "volt", "u_", "v"))]
    if not at_soc or not at_ocv:
        raise ValueError(
            f"{source} has no columns soc and ocv_v in its first line: name them there"
        )
    rows = []
    for number, line in enumerate(lines[1:], 2):
        parts = line.split(separator)
        try:
            pair = [float(parts[i].strip().replace(",", ".")) for i in (at_soc[0], at_ocv[0])]
        except (ValueError, IndexError):
            raise ValueError(
                f"{source}, line {number}: '{line.strip()[:60]}' holds no two numbers"
            ) from (None)
        rows.append(pair)
    table = np.array(rows, np.float64).reshape(-1, 2)
    table = table[np.argsort(table[:, 0], kind="stable")]
    if len(table) and 2.0 < table[-1, 0] <= 100.0 + 1e-9:
        table[:, 0] /= 100.0
    return table[:, 0], table[:, 1]


def _check_rows(soc: NDArray[np.float64], ocv_v: NDArray[np.float64], source: str) -> None:
    if len(soc) < 3:
        raise ValueError(f"{source} has {len(soc)} rows: an OCV table needs at least 3")
    if not (np.all(np.isfinite(soc)) and np.all(np.isfinite(ocv_v))):
        raise ValueError(f"{source} holds a value that is no number: give soc and volts only")
    if soc[0] < -1e-9 or soc[-1] > 1 + 1e-9 or soc[-1] - soc[0] < 0.5:
        raise ValueError(
            f"{source} goes from SOC {soc[0]:g} to {soc[-1]:g}: it must lie in 0..1 (or 0..100) "
            "and cover at least half of it"
        )
    if np.any(np.diff(soc) <= 0):
        twice = float(soc[int(np.argmax(np.diff(soc) <= 0))])
        raise ValueError(f"{source} states SOC {twice:g} twice: give each once")
    if ocv_v.min() < LEAST_V or ocv_v.max() > MOST_V:
        raise ValueError(
            f"{source} holds {ocv_v.min():g} to {ocv_v.max():g} V: give volts of one cell, "
            f"{LEAST_V:g} to {MOST_V:g}"
        )
    falls = np.diff(ocv_v)
    if falls.min() < -0.01:
        k = int(np.argmin(falls))
        raise ValueError(
            f"{source} falls from {ocv_v[k]:g} to {ocv_v[k + 1]:g} V at SOC {soc[k + 1]:g}: the "
            "open-circuit voltage must rise with SOC"
        )
    if math.isclose(float(ocv_v[0]), float(ocv_v[-1]), abs_tol=0.05):
        raise ValueError(f"{source} is flat from {ocv_v[0]:g} to {ocv_v[-1]:g} V: that is no OCV")
