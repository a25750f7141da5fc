"""Chemistries: open-circuit voltage over state of charge, and the usual limits of a cell.

Reads the tables in `resources/chemistry` (citations and licence in the README there). No pack, no
measurement and no estimator enters here.
"""

import csv
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

NAMES = ("NMC", "NCA", "LFP", "LCO")


@dataclass(frozen=True, slots=True, eq=False)
class Chemistry:
    """A cell chemistry at 25 degC.

    soc: float64[101], 0..1; ocv_v: float64[101], rising, V; voltages in V per cell, temperatures
    in degC (temperature_min/max for discharge, charge_temperature_min/max for charge); citation:
    where the curve was published. The arrays are read-only.
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


@cache
def load_chemistry(name: str) -> Chemistry:
    """The chemistry called `name`, one of NAMES; case does not matter.

    Raises ValueError naming the known chemistries for any other name.
    """
    key = name.strip().upper()
    if key not in NAMES:
        raise ValueError(f"no chemistry is called '{name}': known are {', '.join(NAMES)}")
    folder = files("resources").joinpath("chemistry")
    limits = tomllib.loads(folder.joinpath("limits.toml").read_text(encoding="utf-8"))[key]
    soc, ocv_v = _read_table(folder.joinpath(limits.pop("table")).read_text(encoding="utf-8"))
    return Chemistry(key, soc, ocv_v, **limits)


def _read_table(text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = [(float(row["soc"]), float(row["ocv_v"])) for row in csv.DictReader(text.splitlines())]
    table = np.array(rows, np.float64).T.copy()
    table.setflags(write=False)
    return table[0], table[1]
