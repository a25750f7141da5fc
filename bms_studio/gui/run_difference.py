"""What two runs of the analysis say differently: cell by cell, and of the pack as a whole.

Plain data for the table and the rows of the re-run dialog; nothing is estimated here, no widget.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bms_studio.analysis.contract import Analysis
from bms_studio.diagnosis.contract import CellRisk
from bms_studio.gui.cells_table import QUANTITIES
from bms_studio.gui.estimates import Estimates
from bms_studio.gui.header import verdict_word
from bms_studio.gui.readings import number
from bms_studio.language import text
from widgets.table_rows import ColumnData, TableColumn

Fact = tuple[str, str, str, str]
# Keys of QUANTITIES, and how much of a change matters, in the unit of the screen.
_COMPARED = {"soc": 0.5, "resistance": 0.05, "capacity": 0.1, "leak": 0.5, "sag": 10.0}
_MOST = 3
_TOGETHER_NS = 1_000_000_000
_PACK = (
    ("soc", 100.0, 1, "%"),
    ("usable_soc", 100.0, 1, "%"),
    ("usable_wh", 1.0, 0, "Wh"),
    ("discharge_10_a", 1.0, 0, "A"),
)


def same_moment(first: Analysis, second: Analysis, t: int) -> int:
    """The newest moment (ns) not after t of which both runs tell: live, only the newest run goes
    on, and what time changed is not what settings changed."""
    return min(t, _told_until(first), _told_until(second))


def _told_until(run: Analysis) -> int:
    times = [health.time for health in run.health[-1:]]
    rows = run.estimates.get("time", np.zeros(0, np.int64))
    return max([*times, *(int(time) for time in rows[-1:])], default=0)


def _end_together(first: Analysis, second: Analysis) -> bool:
    """Whether both were judged last at the same moment."""
    ends = [run.health[-1].time for run in (first, second) if run.health]
    return len(ends) == 2 and abs(ends[0] - ends[1]) < _TOGETHER_NS


def compared(old: Estimates, new: Estimates) -> list[str]:
    """The quantities worth a place: those that either run knows, at most three."""
    known = [k for k in _COMPARED if any(e.known(QUANTITIES[k].name) for e in (old, new))]
    return (known or list(_COMPARED))[:_MOST]


def difference_columns(keys: list[str]) -> list[TableColumn]:
    """Before, after and Δ of each quantity."""
    titles = {
        "soc": text("SOC"),
        "resistance": text("Resistance"),
        "capacity": text("Capacity"),
        "leak": text("Leak"),
        "sag": text("Sag margin"),
    }
    columns = []
    for key in keys:
        quantity, title = QUANTITIES[key], titles[key]
        decimals, sign = quantity.decimals, quantity.sign
        before = f"{quantity.unit} · {text('before')}"
        after = f"{quantity.unit} · {text('after')}"
        columns += [
            TableColumn(f"{key}.old", title, before, decimals, "", sign, "±", quantity.unit),
            TableColumn(f"{key}.new", title, after, decimals, "", sign, "±", quantity.unit),
            TableColumn(f"{key}.change", "Δ", quantity.unit, decimals, "", True),
        ]
    return columns


def difference(
    old: Estimates, new: Estimates, keys: list[str]
) -> tuple[dict[str, ColumnData], NDArray[np.float64]]:
    """Columns old, new and Δ per quantity, and how much each cell changed, in what matters."""
    count = max(old.count, new.count)
    data: dict[str, ColumnData] = {}
    worst = np.zeros(count)
    for key in keys:
        quantity, matters = QUANTITIES[key], _COMPARED[key]
        a, b = np.full(count, np.nan), np.full(count, np.nan)
        a[: old.count] = old.values(quantity.name) * quantity.factor
        b[: new.count] = new.values(quantity.name) * quantity.factor
        change = b - a
        size = np.abs(change)
        strong = np.nan_to_num(size) > matters
        data[f"{key}.old"] = ColumnData(a, _sigmas(old, key), badness=size)
        data[f"{key}.new"] = ColumnData(b, _sigmas(new, key), badness=size)
        data[f"{key}.change"] = ColumnData(change, badness=size, strong=strong)
        worst = np.maximum(worst, np.nan_to_num(size) / matters)
    return data, worst


def _sigmas(estimates: Estimates, key: str) -> list[str]:
    quantity = QUANTITIES[key]
    sigma = estimates.sigma(quantity.name) * quantity.factor
    return ["" if math.isnan(s) else f"± {number(s, quantity.sigma_decimals)}" for s in sigma]


def pack_difference(
    first: Analysis, second: Analysis, old: Estimates, new: Estimates
) -> list[Fact]:
    """The pack before and after: charge, usable, power; who fails first and the verdict, where
    both runs have seen as much."""
    titles = {
        "soc": text("State of charge"),
        "usable_soc": text("Usable now"),
        "usable_wh": text("Usable energy"),
        "discharge_10_a": text("Discharge 10 s"),
    }
    rows = []
    for name, factor, decimals, unit in _PACK:
        a, b = old.of_pack(name) * factor, new.of_pack(name) * factor
        after = _amount(b, new.of_pack(f"{name}_sigma") * factor, decimals, unit)
        if math.isfinite(b - a):
            after += f"  ·  Δ {number(b - a, decimals, True)}"
        before = _amount(a, old.of_pack(f"{name}_sigma") * factor, decimals, unit)
        rows.append((titles[name], before, after, "text"))
    if not _end_together(first, second):
        return rows
    rows.append((text("First to fail"), _first(first.risks), _first(second.risks), "text"))
    before, after = verdict_word(first.verdict.code), verdict_word(second.verdict.code)
    return [*rows, (text("Verdict"), before, after, "text")]


def _amount(value: float, sigma: float, decimals: int, unit: str) -> str:
    if math.isnan(value):
        return "–"
    spread = f" ± {number(sigma, decimals)}" if math.isfinite(sigma) else ""
    return f"{number(value, decimals)} {unit}{spread}"


def _first(risks: tuple[CellRisk, ...]) -> str:
    """The cell with the first rank, where something speaks against it."""
    found = [r for r in risks if r.rank == 1 and r.mechanism != "none"]
    return text("cell {cell}", cell=found[0].cell) if found else "–"
