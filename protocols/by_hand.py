"""What a person says a signal is: the binding for it, converted by the signal's unit.

A person's word is taken even where the unit speaks against it; then the binding's reason says so.
No frame is looked at here, and nothing is guessed (see `protocols/mapping.py` for that).
"""

from protocols.plausibility import (
    CELL_V,
    PROBE_DEGC,
    cell_factor,
    ones_excluded,
    ratio_factor,
    unit_of,
)
from protocols.roles import Binding, Role
from protocols.signals import Message, Signal

_QUANTITIES = {"V": "voltage", "A": "current", "degC": "temperature", "Ah": "charge"}
_RATIOS = ("soc", "soh")
_ANY = (float("-inf"), float("inf"))


def binding_by_hand(message: Message, signal: Signal, role: Role) -> Binding:
    """Signal -> role in the role's canonical unit (mV -> V, K -> degC, % -> 0..1).

    Where the unit is none, the range of the signal's bits decides as it does for automatic
    mappings; where it is of another quantity the number is taken as it is, and `why` says so.
    """
    factor, shift, words = _change(signal, role)
    limits = {"cell": CELL_V, "probe": PROBE_DEGC, "balancing": (0.0, 1.0)}.get(role.kind, _ANY)
    if role.kind in ("cell", "probe"):
        limits = ones_excluded(signal, factor, shift, limits)
    why = f"by hand, {words}"
    return Binding(message.name, signal.name, role, factor, shift, limits, why=why)


def _change(signal: Signal, role: Role) -> tuple[float, float, str]:
    """Factor and shift to the canonical unit, and the words about it."""
    unit, written = unit_of(signal.unit), signal.unit.strip()
    wanted = "ratio" if role.field in _RATIOS else _QUANTITIES.get(role.unit, "")
    if unit.quantity not in (wanted, ""):
        needed = role.unit if role.unit != "1" else "a number"
        return 1.0, 0.0, f"unit {written} is not {needed}: taken as it is"
    factor: float | None = unit.factor
    if wanted == "ratio":
        factor = ratio_factor(signal)
    elif role.kind == "cell" or role.field.startswith("cell_voltage"):
        factor = cell_factor(signal)
    if factor is None:
        factor = unit.factor
    if written:
        return factor, unit.shift, f"unit {written}"
    if factor == 1.0:
        return factor, unit.shift, "no unit given"
    return factor, unit.shift, f"no unit, range fits 1/{round(1 / factor)}"
