"""How a pack's cells lie in each quantity, as small charts: every cell a point with its sigma.

What stands out is marked and named. Plain data from estimates; no widget, nothing is judged here.
"""

import numpy as np
from numpy.typing import NDArray

from bms_studio.gui.cells_table import QUANTITIES, estimate_column
from bms_studio.gui.estimates import Estimates, quantity_name
from bms_studio.language import text
from widgets.chart import Chart, Points

SPREADS = ("soc", "resistance", "capacity", "leak")
_MOST_NAMED = 3


def spread_charts(estimates: Estimates) -> list[Chart]:
    """One chart per quantity of SPREADS in which cells are known to differ."""
    return [_spread(estimates, key) for key in SPREADS if _differ(estimates, key)]


def _differ(estimates: Estimates, key: str) -> bool:
    values = estimates.values(QUANTITIES[key].name)
    known = values[np.isfinite(values)]
    return len(known) > 1 and bool(np.ptp(known) > 0)


def _spread(estimates: Estimates, key: str) -> Chart:
    quantity = QUANTITIES[key]
    title = quantity_name(quantity.name)
    column = estimate_column(quantity, estimates)
    values, known = column.values, np.isfinite(column.values)
    sigma = estimates.sigma(quantity.name) * quantity.factor
    cells = np.arange(1.0, len(values) + 1)
    apart = known & column.strong
    usual = known & ~column.strong
    points = (
        Points(cells[usual], values[usual], sigma[usual], "trace"),
        Points(cells[apart], values[apart], sigma[apart], "watch"),
    )
    unit = text("{unit}, by cell", unit=quantity.unit)
    return Chart(title, unit, points=points, note=_named(column.badness, apart))


def _named(badness: NDArray[np.float64], apart: NDArray[np.bool_]) -> str:
    """The cells that stand out, worst first."""
    worst = [int(i) + 1 for i in np.argsort(-np.nan_to_num(badness)) if apart[i]]
    if not worst:
        return ""
    shown = ", ".join(str(cell) for cell in worst[:_MOST_NAMED])
    more = "…" if len(worst) > _MOST_NAMED else ""
    return text("stands out: {cells}", cells=shown + more)
