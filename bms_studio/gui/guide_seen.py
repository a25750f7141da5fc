"""What the guided check sees of the pack in front of it: a view read at its present moment.

Nothing is shown and nothing is judged here.
"""

import math

import numpy as np

from bms_studio.diagnosis.verdict import health_checks
from bms_studio.gui.contract import Analysed, PackView
from bms_studio.gui.readings import read
from bms_studio.guided_test import Seen
from bms_studio.pack.limits import resolve_limits
from bms_studio.pack.profile import Limits

_DIPS = ("dips.one_cell", "dips.short", "dips.sense_wire")
# Which checks of the verdict stand for a quantity of a plan.
_CHECKED = {"check.resistance": "resistance_ohm", "check.balance": "soc"}


def seen(view: PackView) -> Seen:
    """What the pack does at the view's present moment."""
    readings = read(view, view.now_ns)
    status = view.status.pack
    health = view.analysis.health if isinstance(view, Analysed) else None
    current = readings.field("current")
    known = {_CHECKED[code] for code, _ in health_checks(health)[0] if code in _CHECKED}
    probes = readings.probes_degc[np.isfinite(readings.probes_degc)]
    usual = _usual_limits(view)
    return Seen(
        now_ns=view.now_ns,
        current_a=current.value if not current.stale else math.nan,
        cells_v=np.where(readings.cell_stale, np.nan, readings.cells_v),
        capacity_ah=status.capacity_ah,
        cell_voltage_min=_or(status.cell_voltage_min, usual.cell_voltage_min),
        cell_voltage_max=_or(status.cell_voltage_max, usual.cell_voltage_max),
        progress=health.progress if health is not None else {},
        needs=health.needs if health is not None else {},
        known=frozenset(known),
        coldest_degc=float(probes.min()) if len(probes) else math.nan,
        hottest_degc=float(probes.max()) if len(probes) else math.nan,
    )


def _usual_limits(view: PackView) -> Limits:
    """Those of the chemistry that was stated or recognised."""
    chemistry = view.analysis.basis.chemistry if isinstance(view, Analysed) else ""
    return resolve_limits(Limits(), chemistry)


def _or(stated: float, usual: float | None) -> float:
    return usual if math.isnan(stated) and usual is not None else stated


def dip_counts(view: PackView) -> dict[str, int]:
    """How often each alert of a dip has come."""
    return {f.id: f.count for f in view.findings if f.code in _DIPS}
